//! The programs that people connect with. Tests of programs that a machine may lack are ignored
//! unless `.ci/run` has installed them.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use crate::{incoming::PATIENCE, peer::Peer, program::Program, server_process::ServerProcess};

/// A client like the seed's: a thread prints each `recv`, decoded on its own, and typed
/// text is sent without a line end.
const SEED_LIKE_CLIENT: &str = r#"
import socket, sys, threading

def receive(connection):
    while data := connection.recv(1024):
        print(data.decode("utf-8", "strict"), flush=True)

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    receiver = threading.Thread(target=receive, args=(connection,))
    receiver.start()
    for line in sys.stdin:
        connection.send(line.rstrip("\n").encode())
        if line == "/quit\n":
            break
    receiver.join()
"#;

#[track_caller]
fn start(program: &str, arguments: &[&str]) -> Program {
    let mut command = Command::new(program);
    Program::start(command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::piped()))
}

/// Logs in with a program that sends what its user types line by line.
#[track_caller]
fn log_in(program: &mut Program, name: &str) {
    program.out().expect("로그인ID:");
    program.type_in(&format!("{name}\n"));
    program.out().expect(&format!("[{name}]님이 입장했습니다."));
}

/// Quits, and waits until the program ends because of it.
#[track_caller]
fn quit(program: &mut Program) -> i32 {
    program.type_in("/quit\n");
    program.expect_exit()
}

/// Starts a command line that sees a terminal.
#[track_caller]
fn start_at_terminal(command_line: &str) -> Program {
    start("script", &["--quiet", "--return", "--command", command_line, "/dev/null"])
}

/// The command line that the server prints for `program`, as people copy it.
#[track_caller]
fn door(server: &mut ServerProcess, program: &str) -> String {
    let said = String::from_utf8_lossy(server.out().bytes()).into_owned();
    let start = format!("  {program} ");
    let line = said.lines().find(|line| line.starts_with(&start)).expect("it has a line");
    line[start.len()..].trim_start().to_owned()
}

#[test]
#[ignore = "needs nc"]
fn two_nc_talk() {
    let server = ServerProcess::start(&[]);
    let port = server.address.port().to_string();
    let mut alice = start("nc", &["127.0.0.1", &port]);
    log_in(&mut alice, "alice");
    let mut bob = start("nc", &["127.0.0.1", &port]);
    bob.out().expect("로그인ID:");
    bob.type_in("alice\n");
    bob.out().expect("이미 등록된 사용자입니다.\n");
    log_in(&mut bob, "홍길동");
    alice.out().expect("[홍길동]님이 입장했습니다.\n");
    alice.type_in("안녕하세요\n");
    for program in [&mut alice, &mut bob] {
        program.out().expect("[alice] 안녕하세요\n");
    }
    bob.type_in("반가워요\n");
    alice.out().expect("[홍길동] 반가워요\n");
    bob.type_in("/quit\n");
    alice.out().expect("[홍길동]님이 퇴장했습니다.\n");
    // Until its input ends, nc waits for one more Enter although the connection is closed.
    bob.end_input();
    assert_eq!(bob.expect_exit(), 0);
}

#[test]
#[ignore = "needs nc"]
fn text_piped_into_nc_is_said_up_to_its_last_unended_line() {
    let server = ServerProcess::start(&[]);
    let mut alice = Peer::join(server.address, "alice");
    let port = server.address.port().to_string();
    let mut nc = start("nc", &["-N", "127.0.0.1", &port]);
    nc.type_in("bot\n첫 줄\n마지막 줄");
    nc.end_input();
    alice
        .expect("[bot]님이 입장했습니다.\n[bot] 첫 줄\n[bot] 마지막 줄\n[bot]님이 퇴장했습니다.\n");
    assert_eq!(nc.expect_exit(), 0);
    nc.out().expect("[bot] 마지막 줄\n");
}

#[test]
#[ignore = "needs nc and script"]
fn the_line_for_nc_works_as_it_stands() {
    let mut server = ServerProcess::start(&[]);
    let mut nc = start_at_terminal(&door(&mut server, "nc"));
    log_in(&mut nc, "홍길동");
    nc.type_in("안녕하세요\n");
    nc.out().expect("[홍길동] 안녕하세요\r\n");
}

#[test]
#[ignore = "needs curl and script"]
fn the_line_for_curl_works_as_it_stands() {
    let mut server = ServerProcess::start(&[]);
    let mut curl = start_at_terminal(&door(&mut server, "curl"));
    // Before anything is typed.
    curl.out().expect("로그인ID:");
    curl.type_in("홍길동\n");
    curl.out().expect("[홍길동]님이 입장했습니다.");
    curl.type_in("안녕하세요\n");
    curl.out().expect("[홍길동] 안녕하세요\r\n");
    assert_eq!(quit(&mut curl), 0);
}

/// A telnet that has shown its greeting.
#[track_caller]
fn start_telnet(server: &ServerProcess) -> Program {
    let (ip, port) = (server.address.ip(), server.address.port());
    let mut telnet = start_at_terminal(&format!("telnet {ip} {port}"));
    telnet.out().expect("Escape character is");
    telnet
}

/// Gives a command to telnet itself.
#[track_caller]
fn command_telnet(telnet: &mut Program, command: &str) {
    telnet.type_in("\u{1d}");
    telnet.out().expect("telnet> ");
    telnet.type_in(&format!("{command}\n"));
    telnet.out().expect(&format!("{command}\r\n"));
}

#[test]
#[ignore = "needs telnet and script"]
fn telnet_talks_and_its_interrupt_does_not_mute_it() {
    let server = ServerProcess::start(&[]);
    let mut alice = Peer::join(server.address, "alice");
    let mut telnet = start_telnet(&server);
    log_in(&mut telnet, "telnet");
    // A corrected typing error is not sent.
    telnet.type_in("hellp\u{7f}o\n");
    alice.expect("[telnet] hello\n");
    telnet.out().expect("[telnet] hello\r\n");

    // Ctrl-C becomes IAC IP, DO TIMING-MARK, and telnet shows nothing until the server answers,
    // which it does before the line typed next.
    for round in 0..3 {
        telnet.type_in("\u{3}");
        telnet.out().expect("^C");
        telnet.type_in(&format!("still here {round}\n"));
        alice.expect(&format!("[telnet] still here {round}\n"));
        alice.say(&format!("{round}번 들려요?"));
        telnet.out().expect(&format!("[alice] {round}번 들려요?\r\n"));
    }
    quit(&mut telnet);
    telnet.out().expect("Connection closed by foreign host.");
    alice.expect("[telnet]님이 퇴장했습니다.\n");
}

#[test]
#[ignore = "needs telnet and script"]
fn telnet_in_binary_mode_carries_every_syllable() {
    let server = ServerProcess::start(&[]);
    let mut alice = Peer::join(server.address, "alice");
    let mut telnet = start_telnet(&server);
    // Outside binary mode telnet drops the high bit to look for its special characters: 녕
    // contains ^E then, which toggles its echo.
    telnet.out().expect("로그인ID:");
    command_telnet(&mut telnet, "toggle binary");
    // The answer to the next line comes after the answer to telnet's options.
    telnet.type_in("telnet\n");
    telnet.out().expect("[telnet]님이 입장했습니다.");
    telnet.type_in("안녕하세요\n");
    alice.expect("[telnet] 안녕하세요\n");
}

#[test]
#[ignore = "needs telnet and script"]
fn the_first_minutes_with_telnet_are_those_with_nc() {
    let transcripts = [
        ("en", "bob", include_str!("../../../tests/e2e/first_minutes/english.txt")),
        ("ko", "철수", include_str!("../../../tests/e2e/first_minutes/korean.txt")),
    ];
    for (lang, other, transcript) in transcripts {
        let server = ServerProcess::start(&["--lang", lang]);
        let mut peer = Peer::connect(server.address);
        peer.say(other);
        peer.expect(&format!("[{other}]"));
        let (ip, port) = (server.address.ip(), server.address.port());
        // Commands come from telnet's own file, so that nothing is typed while it handles one.
        let mut telnet = start_at_terminal(&format!(
            "HOME=$(mktemp -d) && export HOME && echo {ip} toggle binary > $HOME/.telnetrc && \
             telnet {ip} {port}; rm -r $HOME"
        ));
        telnet.out().expect("Escape character is");
        telnet.out().expect("ID:");
        for line in transcript.lines().skip(2) {
            let text = line.trim_end_matches('⏎');
            if let Some(typed) = text.strip_prefix("→ ") {
                telnet.type_in(&format!("{typed}\n"));
            } else if let Some(shown) = text.strip_prefix("← ") {
                for part in shown.split('…').filter(|part| !part.is_empty()) {
                    telnet.out().expect(part);
                }
            }
        }
        telnet.out().expect("Connection closed by foreign host.");
    }
}

#[test]
#[ignore = "needs telnet and script"]
fn telnet_by_the_character_is_edited_by_the_server() {
    let server = ServerProcess::start(&[]);
    let mut alice = Peer::join(server.address, "alice");
    let mut telnet = start_telnet(&server);
    telnet.out().expect("로그인ID:");
    command_telnet(&mut telnet, "mode character");
    for key in ["t", "e", "l", "x", "\u{7f}", "\r"] {
        telnet.type_in(key);
    }
    telnet.out().expect("[tel]님이 입장했습니다.\r\n");
    alice.expect("[tel]님이 입장했습니다.\n");
}

#[test]
#[ignore = "needs python3"]
fn a_python_client_that_ends_no_line_talks() {
    let server = ServerProcess::start(&[]);
    let port = server.address.port().to_string();
    let mut client = start("python3", &["-c", SEED_LIKE_CLIENT, &port]);
    let mut alice = Peer::join(server.address, "alice");
    log_in(&mut client, "파이썬");
    client.type_in("안녕하세요\n");
    alice.expect("[파이썬] 안녕하세요\n");
    for number in 0..10 {
        alice.say(&format!("{number}번째 말, 한글이 잘리지 않는지 보는 긴 줄입니다."));
    }
    client.out().expect("[alice] 9번째 말");
    client.type_in("반가워요\n");
    alice.expect("[파이썬] 반가워요\n");
    assert_eq!(quit(&mut client), 0);
    assert_eq!(client.err().expect_end(), "");
    alice.expect("[파이썬]님이 퇴장했습니다.\n");
}

/// A peer like the seed's client: it sends no line ends, and decodes each read on its own.
struct SeedLikePeer(TcpStream);

impl SeedLikePeer {
    #[track_caller]
    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("the server reads");
    }

    /// Reads until something ends in `text`; until the end if that is empty.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let mut shown = String::new();
        let mut buffer = [0; 1_024];
        loop {
            let count = self.0.read(&mut buffer).unwrap_or_else(|error| {
                panic!("{error}, without {text:?}, after {shown:?}");
            });
            shown += str::from_utf8(&buffer[..count]).expect("no read cuts a character");
            if count == 0 {
                assert_eq!((shown.as_str(), text), ("", ""), "the connection has ended");
                return;
            }
            if !text.is_empty() && shown.ends_with(text) {
                return;
            }
        }
    }
}

#[test]
fn the_flow_of_the_seeds_client_in_packets_without_line_ends() {
    let server = ServerProcess::start(&[]);
    let mut alice = Peer::join(server.address, "alice");
    alice.say("무슨 말이든 먼저 한 것은 이 손님에게 보이지 않는다");
    alice.expect("않는다\n");
    let stream = TcpStream::connect(server.address).expect("the server takes connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
    let mut client = SeedLikePeer(stream);
    client.expect("로그인ID:");
    client.send("이름");
    client.expect("[이름]님이 입장했습니다.\n");
    client.send("hello");
    client.expect("[이름] hello\n");
    alice.expect("[이름] hello\n");
    for number in 0..10 {
        alice.say(&format!("{number}번째 말, 한글이 잘리지 않는지 보는 긴 줄입니다."));
    }
    client.expect("[alice] 9번째 말, 한글이 잘리지 않는지 보는 긴 줄입니다.\n");
    client.send("/quit");
    client.expect("");
    alice.expect("[이름]님이 퇴장했습니다.\n");
}
