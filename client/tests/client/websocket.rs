//! The real `madang` over WebSocket: the same conversation by another door.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Output, Stdio},
    thread,
};

use crate::spawn_program;
use madang_protocol::text::Lang;
use madang_server::{
    config::{Config, Listen},
    operator::console::{Console, Streams},
    server::Server,
};

use tungstenite::{
    Message, WebSocket,
    handshake::server::{Request, Response},
    http::HeaderValue,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::DEADLINE;

/// A server with both doors, and a member who watches the lobby.
struct Chat {
    server: Server,
    web: SocketAddr,
    watcher: Watcher,
}

/// A member at the other door.
struct Watcher {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Chat {
    fn start() -> Chat {
        let streams = Streams { out: Box::new(std::io::sink()), err: Box::new(std::io::sink()) };
        let (console, _thread) = Console::start(Lang::En, streams).expect("a thread");
        let free = vec![Listen::At(([127, 0, 0, 1], 0).into())];
        let config = Config {
            listen: free.clone(),
            web: free,
            motd: Some("Be kind.".into()),
            ..Config::default()
        };
        let server = Server::start(config, console).expect("a free port");
        let web = server.doors().web[0];
        let stream = TcpStream::connect(server.addresses()[0]).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let lines = BufReader::new(stream.try_clone().expect("a descriptor"));
        let mut watcher = Watcher { stream, lines };
        watcher.say("/lang en\nwatcher");
        watcher.expect("[watcher] joined.");
        Chat { server, web, watcher }
    }
}

impl Watcher {
    fn say(&mut self, line: &str) {
        writeln!(self.stream, "{line}").expect("it reads");
    }

    /// Waits for a line that ends with `text`, and returns it.
    #[track_caller]
    fn expect(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.lines.read_line(&mut line).expect("a line in time");
            assert!(count > 0, "closed before {text:?}");
            if line.trim_end().ends_with(text) {
                return line;
            }
        }
    }

    /// Waits for a line that has `text` in it, and returns it.
    #[track_caller]
    fn expect_containing(&mut self, text: &str) -> String {
        loop {
            let line = self.expect("");
            if line.contains(text) {
                return line;
            }
        }
    }
}

/// Runs a client that says `input` at `address`.
fn pipe(address: &str, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_madang"));
    command.args([address, "--name", "봇", "--lang", "en"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = spawn_program(&mut command).expect("the client starts");
    // A client that fails at once reads nothing.
    let _ = client.stdin.take().expect("it is piped").write_all(input.as_bytes());
    client.wait_with_output().expect("it ends")
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn lines_piped_over_websocket_reach_members_over_tcp() {
    let mut chat = Chat::start();
    let heard = succeeded(&pipe(&format!("http://{}/any/prefix/", chat.web), "안녕\nbye"));
    assert!(heard.contains("[봇] 안녕\n[봇] bye\n"), "{heard}");
    for line in ["[봇] joined.", "[봇] 안녕", "[봇] bye", "[봇] left."] {
        chat.watcher.expect(line);
    }
    assert!(chat.server.stop());
}

#[test]
fn a_rooms_link_leads_into_it() {
    let mut chat = Chat::start();
    chat.watcher.say("/new");
    chat.watcher.say("/invite");
    let invitation = chat.watcher.expect_containing("/join #");
    let (_, rest) = invitation.split_once("/join ").expect("it was just found");
    let key = rest.trim_end().trim_end_matches(')');
    let link = format!("http://{}/{key}", chat.web);
    succeeded(&pipe(&link, "found it"));
    chat.watcher.expect("[봇] found it");
    assert!(chat.server.stop());
}

#[test]
fn failed_websocket_connections_name_the_cause() {
    #[track_caller]
    fn check(address: &str, words: &str) {
        let output = pipe(address, "");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let chat = Chat::start();
    check(&format!("https://{}/", chat.web), "the server does not use TLS on that port");
    // The door for lines does not speak HTTP.
    check(&format!("http://{}/", chat.server.addresses()[0]), "failed to connect to");
    assert!(chat.server.stop());
}

/// A server that the test plays, with a client that says "hello".
#[allow(clippy::result_large_err)]
fn serve_until_hello() -> (TcpListener, thread::JoinHandle<Output>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = thread::spawn(move || pipe(&format!("http://{address}/"), "hello\n"));
    let (stream, _) = listener.accept().expect("the client connects");
    let agree = |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("madang.json.v1");
        response.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        Ok(response)
    };
    let mut server = tungstenite::accept_hdr(stream, agree).expect("a handshake");
    let hello = r#"{"type":"hello","server":"madang","version":"0","protocol":1,"limits":{"line_bytes":1,"message_bytes":1,"carrier_bytes":1,"name_columns":1}}"#;
    let welcome = r#"{"type":"welcome","user":"bot","room":"lobby","session":"t","id":1,"members":1,"resumed":false}"#;
    server.send(Message::text(hello)).expect("the client is there");
    loop {
        let message = server.read().expect("the client is there").to_string();
        if message.contains("/lang") {
            let ack = r#"{"type":"ack","nonce":"lang"}"#;
            server.send(Message::text(ack)).expect("the client is there");
        } else if message.contains("\"login\"") {
            server.send(Message::text(welcome)).expect("the client is there");
        } else if message.contains("hello") {
            break;
        }
    }
    (listener, client, server)
}

/// Expects that the client gives up its line as lost, and does not repeat it.
#[track_caller]
fn expect_over(listener: &TcpListener, client: thread::JoinHandle<Output>, words: &str) {
    let output = client.join().expect("no panic");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("line 1 was sent but not confirmed"), "{stderr}");
    assert!(stderr.contains(words), "{stderr}");
    listener.set_nonblocking(true).expect("it is open");
    assert!(listener.accept().is_err(), "it came back");
}

#[test]
fn a_message_too_big_for_one_connection_is_not_sent_on_another() {
    let (listener, client, mut server) = serve_until_hello();
    let close = CloseFrame { code: CloseCode::Size, reason: "".into() };
    server.close(Some(close)).expect("the client is there");
    while server.read().is_ok() {}
    expect_over(&listener, client, "closed the connection");
}

#[test]
fn a_message_of_more_than_64_kib_ends_the_client() {
    for bytes in [64 * 1_024 + 1, 2 << 20] {
        let (listener, client, mut server) = serve_until_hello();
        server.send(Message::text("x".repeat(64 * 1_024 - 1))).expect("the client is there");
        // A client that has had enough stops reading.
        let _ = server.send(Message::text("x".repeat(bytes)));
        while server.read().is_ok() {}
        expect_over(&listener, client, "a line of more than 64 KiB");
    }
}
