//! The real `madang` over TLS, with the real server and with untrusted ones.

use std::{
    io::Write,
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use madang_tests::{Authority, Flaw, TestFolder, TestServer, spawn_program};

use crate::{client::command, fake_server::FakeServer};

fn localhost(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

/// A client that also trusts the authority of `server`.
fn trusting(server: &TestServer, address: &str, args: &[&str]) -> Command {
    let mut command = command(address, args);
    command.arg("--ca").arg(server.tls_folder().path().join("ca.pem"));
    command
}

/// Writes `input` to stdin, and waits for the end.
#[track_caller]
fn pipe(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = spawn_program(command).expect("the binary is built");
    // A client that can't connect does not read its stdin.
    let _ = client.stdin.take().expect("it is piped").write_all(input.as_bytes());
    client.wait_with_output().expect("it ends")
}

/// A client that waits for a handshake with `server`.
#[track_caller]
fn start_with_tls(server: &FakeServer, folder: &TestFolder) -> Child {
    let mut client = command(&server.address, &["--tls", "--lang=en"]);
    client.arg("--ca").arg(folder.write("ca.pem", &Authority::new().pem()));
    client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    spawn_program(&mut client).expect("the binary is built")
}

#[track_caller]
fn check_refused(output: &Output, parts: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is missing in {stderr}");
    }
    assert_eq!(output.stdout, b"", "nothing was said to a server that is not trusted");
}

#[test]
fn lines_and_links_are_talked_over_encrypted() {
    let server = TestServer::start_with_tls(|_| {});
    let mut watcher = server.login("watcher");
    let lines = localhost(server.tls_address());
    let web = format!("https://{}/", localhost(server.web_address()));
    for (name, address, flags) in [
        ("줄", lines.as_str(), &["--tls"][..]),
        ("웹", &web, &[]),
        ("링크", &format!("madang://{lines}/lobby"), &["--tls"]),
    ] {
        let args = [&["--name", name, "--lang", "en"], flags].concat();
        // Several records in each direction.
        let long = "마당 ".repeat(500);
        let input = format!("안녕\n{long}\n{long}\nbye");
        let output = pipe(&mut trusting(&server, address, &args), &input);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        watcher.expect_next(format!("[{name}]님이 입장했습니다.\n"));
        let stdout = String::from_utf8_lossy(&output.stdout);
        for text in input.lines() {
            watcher.expect_next(format!("[{name}] {text}\n"));
            assert!(stdout.contains(&format!("[{name}] {text}\n")), "{stdout}");
        }
        watcher.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
fn a_flood_is_read_while_it_is_spoken_into() {
    const LINES: usize = 2_000;
    let server = TestServer::start_with_tls(|_| {});
    let mut speaker = server.login("speaker");
    let lines: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
    let lines_address = localhost(server.tls_address());
    let mut client = trusting(&server, &lines_address, &["--tls", "--name", "bot"]);
    let client = std::thread::spawn(move || pipe(&mut client, &lines));
    speaker.expect("[bot]님이 입장했습니다.\n");
    for line in 0..LINES / 4 {
        speaker.send(format!("flood {line}\n"));
    }
    let mut next = 0;
    while next < LINES {
        let heard = speaker.expect_line();
        if let Some(text) = heard.strip_prefix("[bot] ") {
            assert_eq!(text, format!("line {next}"));
            next += 1;
        }
    }
    let output = client.join().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_refused() {
    for (flaw, english, korean) in [
        (Flaw::OtherName, "certificate is for another name; connect", "인증서의 이름이 다릅니다"),
        (Flaw::Expired, "certificate has expired; if", "만료되었습니다"),
        (Flaw::SelfSigned, "does not trust its certificate; if", "--ca FILE로 지정하세요"),
    ] {
        let (authority, folder) = (Authority::new(), TestFolder::new());
        let pair = authority.issue_with(flaw).write(&folder);
        let server = TestServer::start_with_tls(|config| {
            config.tls.as_mut().expect("it is with TLS").pair = pair.clone();
        });
        let ca = folder.write("ca.pem", &authority.pem());
        let lines = localhost(server.tls_address());
        let web =
            format!("https://{}/#00000000000000000000000000", localhost(server.web_address()));
        for (address, flags, part) in [
            (&lines, &["--tls", "--lang=en"][..], english),
            (&web, &["--lang=en"], english),
            (&lines, &["--tls", "--lang=ko"], korean),
        ] {
            let mut client = command(address, &[&["--name", "bot"], flags].concat());
            let output = pipe(client.arg("--ca").arg(&ca), "secret\n");
            check_refused(&output, &["localhost:", part]);
        }
    }
}

#[test]
fn a_certificate_that_signs_itself_is_trusted_when_it_is_given() {
    let (authority, folder) = (Authority::new(), TestFolder::new());
    let pair = authority.issue_with(Flaw::SelfSigned).write(&folder);
    let server = TestServer::start_with_tls(|config| {
        config.tls.as_mut().expect("it is with TLS").pair = pair.clone();
    });
    let mut watcher = server.login("watcher");
    let mut client =
        command(&localhost(server.tls_address()), &["--tls", "--name", "bot", "--lang", "en"]);
    let output = pipe(client.arg("--ca").arg(&pair.certificate), "hi\n");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    watcher.expect_next("[bot]님이 입장했습니다.\n[bot] hi\n");
}

#[test]
fn a_server_without_tls_is_recognised() {
    let server = TestServer::start(|_| {});
    let folder = TestFolder::new();
    let ca = folder.write("ca.pem", &Authority::new().pem());
    let mut client = command(&server.address().to_string(), &["--tls", "--lang=en"]);
    let output = pipe(client.arg("--ca").arg(&ca), "secret\n");
    check_refused(&output, &["the server does not use TLS on that port"]);
}

#[test]
fn a_server_that_does_not_shake_hands_is_given_up() {
    let server = FakeServer::start();
    let folder = TestFolder::new();
    let client = start_with_tls(&server, &folder);
    let _silent = server.accept();
    let output = client.wait_with_output().expect("it ends");
    check_refused(&output, &["no answer"]);
}

#[test]
fn a_handshake_that_never_ends_is_given_up_however_it_drips() {
    const PAUSE: Duration = Duration::from_secs(1);
    /// Twice as many as the handshake has seconds.
    const BYTES: usize = 20;
    let server = FakeServer::start();
    let folder = TestFolder::new();
    let client = start_with_tls(&server, &folder);
    let mut peer = server.accept();
    // The beginning of a record of 16 KiB, with a server's hello in it.
    let mut record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03".to_vec();
    record.resize(BYTES, 7);
    let is_there = record.iter().all(|byte| {
        std::thread::sleep(PAUSE);
        peer.try_send_bytes(&[*byte])
    });
    assert!(!is_there, "the client takes a byte a second for ever");
    check_refused(&client.wait_with_output().expect("it ends"), &["no answer"]);
}

#[test]
fn a_file_without_certificates_is_named() {
    let folder = TestFolder::new();
    let empty = folder.write("empty.pem", "");
    let mut client = command("localhost:9", &["--tls", "--lang=en"]);
    let output = pipe(client.arg("--ca").arg(&empty), "");
    check_refused(&output, &["--ca: failed to use ", "it contains no PEM certificate"]);
}
