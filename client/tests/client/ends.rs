//! Failures to start, and ends caused by the server.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use crate::spawn_program;
use socket2::{Domain, Socket, Type};

use crate::{
    client::{Client, command},
    fake_server::FakeServer,
};

#[track_caller]
fn check(address: &str, args: &[&str], code: i32, part: &str) {
    check_command(&mut command(address, args), code, part);
}

#[track_caller]
fn check_command(command: &mut Command, code: i32, part: &str) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = spawn_program(command).expect("the binary is built");
    let output = client.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(part), "{text}");
}

#[test]
fn help_and_errors_have_their_text_and_exit_code() {
    check("localhost", &["--help"], 0, "130  ended by Ctrl-C");
    check("localhost", &["--version"], 0, "madang ");
    check("localhost", &["--lang", "fr"], 2, "use ko or en");
    check("host:0", &[], 2, "between 1 and 65535");
    check("https://localhost:9/", &[], 3, "is madang-server running there?");
    check("http://localhost:9/#wrong", &[], 2, "this link is broken");
    check("localhost:9", &["--room", "#wrong"], 2, "this link is broken");
    check("localhost:9", &["--room", "http://h/#7zzzz-0abcd"], 2, "'--room <ROOM>'");
    check("localhost:9", &["--tls"], 3, "failed to connect to localhost:9: connection refused");
    check("localhost:9", &["--tls", "--ca=/nowhere"], 3, "--ca: failed to use /nowhere: ");
    check("localhost:9", &["--ca=/nowhere"], 2, "use --tls");
    check("completions", &["bash"], 0, "_madang()");
    check("completions", &["cobol"], 2, "bash");
    check("man", &[], 0, ".TH madang 1");
    check("nowhere.invalid", &[], 3, "failed to find the host `nowhere.invalid`");
    check("nowhere.invalid", &["--lang=ko"], 3, "호스트를 찾을 수 없습니다");
}

#[test]
fn every_variable_is_read_and_an_empty_one_is_none() {
    #[track_caller]
    fn check(variables: &[(&str, &str)], args: &[&str], code: i32, part: &str) {
        check_command(command("nowhere.invalid", args).envs(variables.to_vec()), code, part);
    }
    // An error about a value names the flag, so the variable was read.
    for (variable, flag) in [
        ("MADANG_NAME", "--name"),
        ("MADANG_ROOM", "--room"),
        ("MADANG_LANG", "--lang"),
        ("MADANG_COLOR", "--color"),
        ("MADANG_TIME", "--time"),
        ("MADANG_BELL", "--bell"),
        ("MADANG_COUNT", "--count"),
        ("MADANG_SINCE", "--since"),
    ] {
        check(&[(variable, "\u{1}")], &["--read"], 2, flag);
        check(&[(variable, "")], &["--read"], 3, "nowhere.invalid");
    }
    check(&[("MADANG_LANG", "ko")], &[], 3, "호스트를 찾을 수 없습니다");
    check(&[("MADANG_LANG", "")], &[], 3, "failed to find the host");
    check(&[("MADANG_LANG", "ko")], &["--lang=en"], 3, "failed to find the host");
    // Without it, the locale decides; on Windows, the user's settings.
    #[cfg(unix)]
    {
        let korean = ("LC_ALL", "ko_KR.UTF-8");
        check(&[korean], &[], 3, "호스트를 찾을 수 없습니다");
        check(&[korean, ("MADANG_LANG", "en")], &[], 3, "failed to find the host");
    }
    check(&[("MADANG_CA", "/nowhere")], &[], 2, "use --tls");
    check(&[("MADANG_CA", "")], &[], 3, "nowhere.invalid");
    // Flags without a value: each conflicts with another flag.
    check(&[("MADANG_TLS", "1"), ("MADANG_CA", "/nowhere")], &[], 3, "/nowhere");
    for variable in ["MADANG_BLOCK", "MADANG_COMMANDS"] {
        check(&[(variable, "1"), ("MADANG_READ", "1")], &[], 2, "cannot be used with");
        check(&[(variable, ""), ("MADANG_READ", "1")], &[], 3, "nowhere.invalid");
        check(&[(variable, "1"), ("MADANG_READ", "")], &[], 3, "nowhere.invalid");
    }
    check(&[("MADANG_JSON", "1")], &[], 2, "--read");
    check(&[("MADANG_JSON", "")], &[], 3, "nowhere.invalid");
    let mut without_address = command("--lang=en", &[]);
    check_command(without_address.env("MADANG_HOST", "elsewhere.invalid"), 3, "elsewhere.invalid");
}

#[test]
fn a_refused_connection_says_what_to_try() {
    // Bound so that nobody else takes the port, but not listening.
    let held = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there is a descriptor left");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    held.bind(&any.into()).expect("a port is free");
    let address = held.local_addr().expect("it is bound").as_socket().expect("it is over IP");
    check(&address.to_string(), &[], 3, "is madang-server running there?");
}

#[test]
fn the_message_of_a_full_server_is_shown() {
    let server = FakeServer::start();
    let client = Client::start(&server, &["--name", "bot"]);
    let mut peer = server.accept();
    peer.send("server is full\n");
    peer.close();
    let ended = client.ended();
    assert_eq!((ended.code, &*ended.stdout), (Some(5), "server is full\n"));
}

#[test]
fn a_closed_connection_is_reported() {
    let server = FakeServer::start();
    let client = Client::start(&server, &["--name", "bot", "--no-reconnect"]);
    let peer = server.accept_member("bot");
    drop(peer);
    let ended = client.ended();
    let stderr = "madang: the server closed the connection\n";
    assert_eq!((ended.code, &*ended.stderr), (Some(5), stderr));
}
