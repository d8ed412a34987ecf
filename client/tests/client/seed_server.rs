//! The real `madang` with the seed's server, which treats every read as one message, sends
//! lines without an end, and does not know JSON.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use crate::spawn_program;

use crate::{
    DEADLINE,
    client::Client,
    proxy::Proxy,
    terminal::{CTRL_D, Terminal},
};

/// A running server behind a proxy that records what `madang` sends.
struct SeedServer {
    child: Child,
    address: SocketAddr,
    proxy: Proxy,
}

impl SeedServer {
    #[track_caller]
    fn start() -> SeedServer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/seed_server.py");
        let mut command = Command::new("python3");
        command.args([Path::new("-u"), &script]).env("PYTHONUTF8", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = spawn_program(&mut command).expect("python3 is installed");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut line = || lines.next().expect("it talks").expect("it is UTF-8");
        let port = loop {
            if let Some(port) = line().strip_prefix("port ") {
                break port.parse().expect("a port is a number");
            }
        };
        // It prints what it receives, and would block on a pipe that nobody reads.
        thread::spawn(move || for _ in lines.map_while(Result::ok) {});
        let address = ([127, 0, 0, 1], port).into();
        SeedServer { child, address, proxy: Proxy::start(address) }
    }

    /// Expects that `madang` has sent these messages, one in each read.
    #[track_caller]
    fn expect_sent(&self, messages: &[&str]) {
        let sent = self.proxy.sent();
        assert_eq!(sent, messages.iter().map(|message| format!("{message}\n")).collect::<Vec<_>>());
        assert!(!sent.concat().contains(['{', '}']), "JSON went out: {sent:?}");
    }
}

impl Drop for SeedServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A member with the seed's client, which ends no line.
struct Friend {
    stream: TcpStream,
    heard: Vec<u8>,
    seen: usize,
}

impl Friend {
    #[track_caller]
    fn start(server: &SeedServer, name: &str) -> Friend {
        let stream = TcpStream::connect(server.address).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let mut friend = Friend { stream, heard: Vec::new(), seen: 0 };
        friend.expect("로그인ID:");
        friend.say(name);
        friend.expect(&format!("[{name}]님이 입장했습니다."));
        friend
    }

    #[track_caller]
    fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("it reads");
    }

    /// Waits for `text`, after the text that was waited for before.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let mut buffer = [0; 1_024];
        loop {
            let unseen = &self.heard[self.seen..];
            let found = unseen.windows(text.len()).position(|bytes| bytes == text.as_bytes());
            if let Some(at) = found {
                self.seen += at + text.len();
                return;
            }
            let count = self.stream.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "no {text:?} in {:?}", String::from_utf8_lossy(&self.heard));
            self.heard.extend_from_slice(&buffer[..count]);
        }
    }
}

#[test]
#[ignore = "needs python3"]
fn a_pipe_is_a_plain_client_of_the_seeds_server() {
    let server = SeedServer::start();
    let mut friend = Friend::start(&server, "철수");
    let args = ["--name", "봇", "--room", "수학"];
    let mut client = Client::start_at(&server.proxy.address, &args);
    friend.expect("[봇]님이 입장했습니다.");
    client.write("안녕하세요\n둘째 줄\n");
    friend.expect("[봇] 안녕하세요\n");
    friend.expect("[봇] 둘째 줄\n");
    // That server's threads keep no order.
    client.expect("[봇] 둘째 줄\n");
    friend.say("어서 와");
    client.expect("[철수] 어서 와");
    client.write("끝");
    client.end_input();
    friend.expect("[봇] 끝\n");
    friend.expect("[봇]님이 퇴장했습니다.");
    let ended = client.ended();
    let stdout = "로그인ID:[봇]님이 입장했습니다.[봇] 안녕하세요\n[봇] 둘째 줄\n\
                  [철수] 어서 와[봇] 끝\n";
    assert_eq!((ended.code, &*ended.stdout), (Some(0), stdout), "{ended:?}");
    assert!(ended.stderr.contains("this server has no rooms"), "{ended:?}");
    server.expect_sent(&["봇", "안녕하세요", "둘째 줄", "끝"]);
}

#[test]
#[ignore = "needs python3"]
fn a_pipe_under_a_name_that_the_seeds_server_has_is_refused() {
    let server = SeedServer::start();
    let _friend = Friend::start(&server, "철수");
    let mut client = Client::start_at(&server.proxy.address, &["--name", "철수"]);
    client.write("never said\n");
    let ended = client.ended();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("이미 등록된 사용자입니다."), "{ended:?}");
    server.expect_sent(&["철수"]);
}

#[test]
#[ignore = "needs python3"]
fn a_terminal_is_a_plain_client_of_the_seeds_server() {
    let server = SeedServer::start();
    let mut friend = Friend::start(&server, "철수");
    let args = ["--color", "never"];
    let mut terminal = Terminal::start_sized(&server.proxy.address, &args, 80, 24, &[]);
    terminal.expect_last(&["로그인ID:"]);
    terminal.enter("철수");
    terminal.expect_last(&["로그인ID:철수", "이미 등록된 사용자입니다.", "로그인ID:"]);
    terminal.enter("영희");
    terminal.expect_last(&["로그인ID:영희", "[영희]님이 입장했습니다.", ">"]);
    friend.expect("[영희]님이 입장했습니다.");
    terminal.type_text("안녕하");
    terminal.expect_last(&["> 안녕하"]);
    // While a line is half typed, and without an end.
    friend.say("어서 와");
    terminal.expect_last(&["[철수] 어서 와", "> 안녕하"]);
    terminal.enter("세요");
    friend.expect("[영희] 안녕하세요\n");
    terminal.expect_last(&["[철수] 어서 와", "> 안녕하세요", "[영희] 안녕하세요", ">"]);
    friend.say("반가워");
    terminal.expect_last(&["[영희] 안녕하세요", "[철수] 반가워", ">"]);
    terminal.type_text(CTRL_D);
    friend.expect("[영희]님이 퇴장했습니다.");
    assert_eq!(terminal.ended(), 0);
    server.expect_sent(&["철수", "영희", "안녕하세요"]);
}
