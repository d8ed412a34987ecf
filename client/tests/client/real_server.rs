//! The real `madang` with the real server.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::spawn_program;
use madang_protocol::{notice::Notice, text::Lang};
use madang_server::{
    config::{Config, Listen},
    operator::console::{Console, ConsoleThread, Streams},
    server::Server,
};

use crate::{
    DEADLINE, client,
    proxy::Proxy,
    terminal::{ENTER, Terminal},
};

/// The pause between two looks at the terminal.
const PAUSE: Duration = Duration::from_millis(5);

/// A server in this process, without a rate limit. Dropping it stops it.
struct RealServer {
    running: Option<(Server, ConsoleThread)>,
    address: SocketAddr,
    web_address: SocketAddr,
}

impl RealServer {
    #[track_caller]
    fn start() -> RealServer {
        let streams = Streams { out: Box::new(std::io::sink()), err: Box::new(std::io::sink()) };
        let (console, thread) = Console::start(Lang::En, streams).expect("a thread");
        let free = vec![Listen::At(([127, 0, 0, 1], 0).into())];
        let config = Config {
            listen: free.clone(),
            web: free,
            lang: Lang::En,
            rate_limit: None,
            ..Config::default()
        };
        let server = Server::start(config, console).expect("a free port");
        let (address, web_address) = (server.addresses()[0], server.doors().web[0]);
        RealServer { running: Some((server, thread)), address, web_address }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        if let Some((server, _console)) = self.running.take() {
            server.stop();
        }
    }
}

/// A member in the lobby, as with `nc`.
struct Watcher {
    stream: TcpStream,
    lines: mpsc::Receiver<String>,
}

impl Watcher {
    #[track_caller]
    fn start(address: SocketAddr, name: &str) -> Watcher {
        let stream = TcpStream::connect(address).expect("it listens");
        (&stream).write_all(format!("{name}\n").as_bytes()).expect("it reads");
        let reader = BufReader::new(stream.try_clone().expect("descriptors"));
        let (sender, lines) = mpsc::channel();
        // This thread ends with the connection.
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut watcher = Watcher { stream, lines };
        watcher.expect(&format!("[{name}] joined."));
        watcher
    }

    #[track_caller]
    fn line(&mut self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line in time")
    }

    /// The next line. Reads the terminal meanwhile.
    #[track_caller]
    fn line_beside(&mut self, terminal: &mut Terminal) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            terminal.look();
            match self.lines.recv_timeout(PAUSE) {
                Ok(line) => return line,
                Err(error) if Instant::now() >= deadline => {
                    panic!("no line: {error}, beside\n{}", terminal.scrolled().join("\n"));
                }
                Err(_) => {}
            }
        }
    }

    /// Reads until a line ends with `end`.
    #[track_caller]
    fn expect(&mut self, end: &str) {
        while !self.line().ends_with(end) {}
    }

    #[track_caller]
    fn say(&self, line: &str) {
        (&self.stream).write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }
}

#[track_caller]
fn pipe(address: &str, args: &[&str]) -> Child {
    let mut command: Command = client::command(address, args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn_program(&mut command).expect("the client starts")
}

#[track_caller]
fn terminal(address: &str, args: &[&str]) -> Terminal {
    let args = [&["--time", "never", "--color", "never"], args].concat();
    Terminal::start_sized(address, &args, 80, 24, &[])
}

#[test]
fn piped_lines_are_delivered_before_the_client_exits() {
    let server = RealServer::start();
    let mut watcher = Watcher::start(server.address, "watcher");
    let mut client = pipe(&server.address.to_string(), &["--name", "봇"]);
    client.stdin.take().expect("it is piped").write_all("안녕\nbye".as_bytes()).expect("it reads");
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[봇] joined.\n[봇] 안녕\n[봇] bye\n");
    for expected in ["[봇] joined.", "[봇] 안녕", "[봇] bye", "[봇] left."] {
        assert_eq!(watcher.line(), expected);
    }
}

/// Somebody in the room 수학 who has said "first": the process, its input, and its next line.
#[track_caller]
fn say_first(server: &RealServer) -> (Child, ChildStdin, impl FnMut() -> String) {
    let mut talker = pipe(&format!("madang://{}/수학", server.address), &["--name", "a"]);
    let mut stdin = talker.stdin.take().expect("it is piped");
    let mut said = BufReader::new(talker.stdout.take().expect("it is piped")).lines();
    let mut line = move || said.next().expect("it talks").expect("a line");
    writeln!(stdin, "first").expect("it reads");
    assert_eq!([line(), line()], ["[a] joined.", "[a] first"]);
    (talker, stdin, line)
}

#[test]
fn reading_a_room_prints_what_is_said_in_it() {
    let server = RealServer::start();
    let (mut talker, mut stdin, mut line) = say_first(&server);
    let args = ["--read", "--room", "수학", "--count", "1", "--name", "w"];
    let reader = pipe(&server.address.to_string(), &args);
    assert_eq!(line(), "[w] joined.");
    writeln!(stdin, "second").expect("it reads");
    let output = reader.wait_with_output().expect("it ends");
    // No history, unless it was asked for.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[w] joined.\n[a] second\n");
    let args = ["--read", "--room", "수학", "--count", "2", "--since", "1", "--json"];
    let output = pipe(&server.address.to_string(), &args).wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    // What happened in an earlier room of that name would not be missing here.
    assert!(text.starts_with("{\"type\":\"joined\",") && !text.contains("\"gap\""), "{text}");
    assert!(text.contains("\"text\":\"first\"") && text.contains("\"text\":\"second\""), "{text}");
    drop(stdin);
    assert_eq!(talker.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_quiet_reader_comes_and_goes_without_a_word_and_into_no_private_room() {
    let server = RealServer::start();
    let (mut talker, mut stdin, mut line) = say_first(&server);
    let quiet = ["--read", "--quiet", "--name", "w", "--count", "1", "--since", "1", "--room"];
    let read = |room| {
        let args = [&quiet[..], &[room]].concat();
        pipe(&server.address.to_string(), &args).wait_with_output().expect("it ends")
    };
    let output = read("수학");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("[a] first\n"), "{output:?}");
    writeln!(stdin, "second").expect("it reads");
    assert_eq!(line(), "[a] second");

    let output = read("#0123456789abcdefghjkmnpqrs");
    let refusal = Notice::PublicOnly.text(Lang::En);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&refusal), "{output:?}");
    assert_eq!(output.status.code(), Some(6));
    drop(stdin);
    assert_eq!(talker.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_private_room_is_reached_by_its_link() {
    let server = RealServer::start();
    let address = server.address.to_string();
    let mut alice = terminal(&address, &["--name", "alice"]);
    alice.expect_last(&["[lobby 1]"]);
    alice.enter("/new secret");
    // Its title is in the prompt, and how to invite others is shown at once.
    alice.expect_raw("madang http://");
    alice.expect_last(&["[secret 1]"]);
    alice.expect_screen("the invitation", |rows| rows.concat().contains("Not encrypted"));
    let shown = alice.rows().concat();
    let key = shown.split("/#").nth(1).expect("the link has a key").get(..30).expect("it is long");
    // Bob comes by the link, over WebSocket.
    let link = format!("http://{}/#{key}", server.web_address);
    let mut bob = terminal(&link, &["--name", "bob"]);
    bob.expect_screen("the room", |rows| rows.last().is_some_and(|row| row == "[secret 2]"));
    bob.enter("찾았다");
    alice.expect_row(" [bob] 찾았다");
    alice.enter("/msg bob psst");
    alice.expect_screen("the own whisper", |rows| {
        rows.iter().any(|row| row.starts_with(">[whisper"))
    });
    bob.expect_row("*[whisper alice] psst");
    alice.enter("/kick bob");
    bob.expect_last(&[" -- [alice] removed [bob] --", "[-]"]);
    bob.enter("/leave");
    bob.expect_screen("the lobby", |rows| rows.last().is_some_and(|row| row == "[lobby 1]"));
}

#[test]
fn a_qr_code_is_painted_where_there_is_space_and_colour() {
    const LIGHT: &str = "\x1b[48;5;231m";

    let server = RealServer::start();
    let link = format!("madang: madang {}", server.address);
    let shown = |name: &str, color: &str, columns: u16, last: &str| {
        let args = ["--name", name, "--time", "never", "--lang", "en", "--color", color];
        let address = server.address.to_string();
        let mut terminal = Terminal::start_sized(&address, &args, columns, 45, &[]);
        terminal.expect_raw("[lobby 1]");
        terminal.enter("/invite qr");
        terminal.expect_raw(last);
        terminal.enter("/quit");
        assert_eq!(terminal.ended(), 0);
        let raw = terminal.raw();
        assert!(raw.contains(&link) && !raw.contains('█'), "half blocks have two widths: {raw}");
        (raw, terminal.scrolled().join("\n"))
    };
    let (raw, _) = shown("a", "always", 80, LIGHT);
    assert!(raw.matches(LIGHT).count() > 40, "{raw}");
    let (raw, rows) = shown("b", "always", 44, "the QR code needs ");
    assert!(!raw.contains(LIGHT) && rows.contains("of 46"), "{rows}");
    let (raw, _) = shown("c", "never", 80, &link);
    assert!(!raw.contains("\x1b[4"), "{raw}");
}

#[test]
fn a_talk_through_a_proxy_that_cuts_is_whole() {
    const CUTS: usize = 8;
    const LINES: usize = 30;

    let server = RealServer::start();
    let proxy = Proxy::start(server.address);
    let mut watcher = Watcher::start(server.address, "bob");
    let mut alice = terminal(&proxy.address, &["--name", "alice"]);
    alice.expect_last(&["[lobby 2]"]);
    watcher.expect("[alice] joined.");
    let mut heard = Vec::new();
    for round in 0..CUTS {
        for line in 0..LINES {
            watcher.say(&format!("b{round}-{line}"));
            if line == LINES / 2 {
                proxy.cut();
            }
            if line % 10 == 0 {
                watcher.say(&format!("/msg alice w{round}-{line}"));
                alice.enter(&format!("a{round}-{line}"));
            }
        }
        // This is heard when she is back, so no cut costs more than the server remembers.
        let last = format!("[alice] a{round}-{}", (LINES - 1) / 10 * 10);
        while heard.last() != Some(&last) {
            // A terminal that nobody reads blocks its writer.
            heard.push(watcher.line_beside(&mut alice));
        }
    }
    watcher.say("the end");
    alice.expect_raw(" [bob] the end");
    alice.enter("my end");
    loop {
        let line = watcher.line();
        if line == "[alice] my end" {
            break;
        }
        heard.push(line);
    }
    let of = |prefix: &str, line: usize, round: usize| format!("{prefix}{round}-{line}");
    let rounds = |prefix: &'static str, step: usize| {
        (0..CUTS).flat_map(move |round| {
            (0..LINES).step_by(step).map(move |line| of(prefix, line, round))
        })
    };
    let said = |lines: &[String], prefix: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    // Alice's lines while she was away: each once, in order.
    assert_eq!(said(&heard, "[alice] "), rounds("a", 10).collect::<Vec<_>>());
    assert!(!heard.iter().any(|line| line.contains("left.") || line.contains("joined.")));
    let shown = alice.scrolled();
    let mut expected: Vec<String> = rounds("b", 1).collect();
    expected.push("the end".into());
    assert_eq!(said(&shown, " [bob] "), expected);
    assert_eq!(said(&shown, "*[whisper bob] "), rounds("w", 10).collect::<Vec<_>>());
    alice.type_text(ENTER);
}

#[test]
fn a_pipe_through_a_proxy_that_cuts_delivers_everything_once() {
    let server = RealServer::start();
    let proxy = Proxy::start(server.address);
    deliver_everything(&server, &proxy, &proxy.address);
}

#[test]
fn a_pipe_over_websocket_does_so_too() {
    let server = RealServer::start();
    let proxy = Proxy::start(server.web_address);
    deliver_everything(&server, &proxy, &format!("http://{}/prefix/", proxy.address));
}

/// Runs a client that says many lines at `address`, while the proxy there cuts connections.
#[track_caller]
fn deliver_everything(server: &RealServer, proxy: &Proxy, address: &str) {
    const LINES: usize = 4_000;

    let mut watcher = Watcher::start(server.address, "bob");
    let mut client = pipe(address, &["--name", "ci"]);
    watcher.expect("[ci] joined.");
    let mut stdin = client.stdin.take().expect("it is piped");
    let lines: String = (0..LINES).map(|line| format!("{line}\n")).collect();
    let writer = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let mut cuts = 0;
    for line in 0..LINES {
        assert_eq!(watcher.line(), format!("[ci] {line}"));
        if line % 500 == 250 {
            cuts += proxy.cut();
        }
    }
    writer.join().expect("it does not panic").expect("all is read");
    let output = client.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(cuts > 0 && stderr.contains("reconnecting"), "{cuts} cuts: {stderr}");
}

/// The peak resident memory of a process, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_lines_are_delivered_in_order_and_little_is_kept() {
    const LINES: usize = 100_000;

    let server = RealServer::start();
    let mut watcher = Watcher::start(server.address, "bob");
    let mut client = pipe(&server.address.to_string(), &["--name", "ci"]);
    let mut stdin = client.stdin.take().expect("it is piped");
    let mut stdout = client.stdout.take().expect("it is piped");
    watcher.expect("[ci] joined.");
    let writer = thread::spawn(move || {
        for line in 0..LINES {
            writeln!(stdin, "{line} made this line")?;
        }
        std::io::Result::Ok(())
    });
    let reader = thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    let mut at_a_tenth = 0;
    for line in 0..LINES {
        assert_eq!(watcher.line(), format!("[ci] {line} made this line"));
        if line == LINES / 10 {
            at_a_tenth = peak_memory(client.id()).expect("it runs");
        }
    }
    let at_the_end = peak_memory(client.id()).unwrap_or(at_a_tenth);
    writer.join().expect("it does not panic").expect("all is read");
    reader.join().expect("it does not panic").expect("a pipe can be read");
    assert_eq!(client.wait().expect("it ends").code(), Some(0));
    assert!(at_the_end < at_a_tenth + 2_048, "{at_a_tenth} KiB, then {at_the_end} KiB");
}
