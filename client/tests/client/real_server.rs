//! The real `madang` against the real server.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use madang_protocol::text::Lang;
use madang_server::{
    config::{Config, Listen},
    console::{Console, Streams},
    server::Server,
};

use crate::DEADLINE;

#[test]
fn what_is_piped_in_has_been_heard_when_it_exits() {
    let streams = Streams { out: Box::new(std::io::sink()), err: Box::new(std::io::sink()) };
    let (console, _thread) = Console::start(Lang::En, streams).expect("a thread");
    let listen = vec![Listen::At(([127, 0, 0, 1], 0).into())];
    let server = Server::start(Config { listen, web: Vec::new(), ..Config::default() }, console);
    let server = server.expect("a free port");
    let address = server.addresses()[0];

    let watcher = TcpStream::connect(address).expect("it listens");
    watcher.set_read_timeout(Some(DEADLINE)).expect("not zero");
    (&watcher).write_all("/lang en\nwatcher\n".as_bytes()).expect("it reads");
    let mut lines = BufReader::new(watcher).lines().map(|line| line.expect("a line in time"));
    assert!(lines.any(|line| line.ends_with("[watcher] joined.")));

    let mut client = Command::new(env!("CARGO_BIN_EXE_madang"))
        .args([&address.to_string(), "--name", "봇", "--lang", "en"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    client.stdin.take().expect("it is piped").write_all("안녕\nbye".as_bytes()).expect("it reads");
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[봇] joined.\n[봇] 안녕\n[봇] bye\n");
    for expected in ["[봇] joined.", "[봇] 안녕", "[봇] bye", "[봇] left."] {
        assert_eq!(lines.next().as_deref(), Some(expected));
    }
    assert!(server.stop());
}
