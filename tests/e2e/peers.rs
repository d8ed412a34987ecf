//! Independent clients: over WebSocket with the chat and `/echo`, and over TLS in lines.
//! `.ci/run` installs them from the lists in `tests/peers` and `tests/browser`.

use std::{path::Path, process::Command, time::Duration};

use madang_tests::{Program, TestFolder, TestServer, documented_commands};

/// How long a program may take, including its start.
const PATIENCE: Duration = Duration::from_secs(60);

/// This package's folder, where the programs are.
const TESTS: &str = env!("CARGO_MANIFEST_DIR");

/// The Python of the virtual environment with the libraries.
pub(crate) fn python(script: &str) -> Command {
    let peers = Path::new(TESTS).join("peers");
    let mut command = Command::new(peers.join(".venv/bin/python"));
    command.arg(peers.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new(TESTS).join(script));
    command
}

/// Plays a program's conversation twice, in lines and in JSON, with a host at another door.
#[track_caller]
fn chat_with(mut command: impl FnMut() -> Command) {
    let server = TestServer::start(|_| {});
    let url = format!("ws://{}/any/prefix/", server.web_address());
    let mut host = server.login("host");
    for (name, form) in [("줄", "lines"), ("제이슨", "json")] {
        let program = Program::start(command().args([&url, name, form]));
        host.expect(format!("[{name}] 안녕하세요\n"));
        host.send("어서 오세요\n").expect_next("[host] 어서 오세요\n");
        program.expect_success(PATIENCE);
        host.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_websockets_chats() {
    chat_with(|| python("chat_websockets.py"));
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_aiohttp_chats() {
    chat_with(|| python("chat_aiohttp.py"));
}

#[test]
#[ignore = "needs node and tests/peers/node_modules"]
fn node_ws_chats() {
    chat_with(|| node("peers/chat_ws.mjs"));
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn the_practice_client_hears_its_echoes() {
    let server = TestServer::start(|_| {});
    let url = format!("ws://{}/echo", server.web_address());
    let program = Program::start(python("seed_ws_client.py").arg(url));
    let heard = program.expect_success(PATIENCE);
    assert_eq!(heard, "echo : hello socket!!\n".repeat(9));
}

#[test]
#[ignore = "needs node, tests/browser/node_modules and chromium"]
fn the_practice_page_hears_its_echo_in_a_browser() {
    let server = TestServer::start(|_| {});
    let page = include_str!("../browser/seed_page.html");
    let url = format!("ws://{}/echo", server.web_address());
    let folder = TestFolder::new();
    let page = folder.write("seed_page.html", &page.replace("ws://localhost:9998/echo", &url));
    let program = Program::start(node("browser/seed_page.mjs").arg("/usr/bin/chromium").arg(page));
    let shown = program.expect_success(PATIENCE);
    assert_eq!(
        shown.trim_end(),
        "Server connect...\nSend to Server => 안녕\n\
         Recieve From Server => echo : 안녕\nServer Disconnect..."
    );
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_ssl_chats() {
    let server = TestServer::start_with_tls(|_| {});
    let mut host = server.login("host");
    let ca = server.tls_folder().path().join("ca.pem");
    let port = server.tls_address().port().to_string();
    for (name, form) in [("줄", "lines"), ("제이슨", "json")] {
        let mut command = python("chat_ssl.py");
        let program = Program::start(command.args(["127.0.0.1", &port, name, form]).arg(&ca));
        host.expect(format!("[{name}] 안녕하세요\n"));
        host.send("어서 오세요\n").expect_next("[host] 어서 오세요\n");
        assert_eq!(program.expect_success(PATIENCE), "TLSv1.3\n");
        host.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
#[ignore = "needs tests/peers/.venv"]
fn python_websockets_chats_over_wss() {
    let server = TestServer::start_with_tls(|_| {});
    let mut host = server.login("host");
    let ca = server.tls_folder().path().join("ca.pem");
    let url = format!("wss://{}/any/prefix/", server.web_address());
    for (name, form) in [("줄", "lines"), ("제이슨", "json")] {
        let mut command = python("chat_websockets.py");
        let program = Program::start(command.args([&url, name, form, "0"]).arg(&ca));
        host.expect(format!("[{name}] 안녕하세요\n"));
        host.send("어서 오세요\n").expect_next("[host] 어서 오세요\n");
        program.expect_success(PATIENCE);
        host.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

/// A shell command that pipes the output of `source` into `program`, which connects to the
/// server over TLS and may use its certificate authority.
fn piped(server: &TestServer, source: &str, program: &str) -> Command {
    let ca = server.tls_folder().path().join("ca.pem").display().to_string();
    let port = server.tls_address().port().to_string();
    let program = program.replace("{port}", &port).replace("{ca}", &ca);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{{ {source}; }} | {program}")]);
    command
}

#[test]
#[ignore = "needs openssl and ncat"]
fn openssl_and_ncat_chat() {
    const OPENSSL: &str = "openssl s_client -quiet -connect 127.0.0.1:{port} -CAfile {ca} \
                           -verify_return_error -verify_ip 127.0.0.1";
    let server = TestServer::start_with_tls(|_| {});
    let mut host = server.login("host");
    let mut programs = vec![
        OPENSSL.to_owned(),
        format!("{OPENSSL} -tls1_2"),
        format!("{OPENSSL} -tls1_3"),
        "ncat -4 --ssl-verify --ssl-trustfile {ca} localhost {port}".to_owned(),
    ];
    // And exactly as the READMEs say.
    for (there, here) in [(":9010", ":{port}"), (" 9010", " {port}")] {
        let there = format!("chat.example.org{there}");
        let told = documented_commands()
            .into_iter()
            .find(|command| !command.starts_with("madang") && command.ends_with(&there));
        programs.push(told.expect("one each").replace(&there, &format!("127.0.0.1{here}")));
    }
    for (at, program) in programs.iter().enumerate() {
        let name = format!("p{at}");
        let source = format!("printf '{name}\\n안녕하세요\\n/quit\\n'");
        let heard = Program::start(&mut piped(&server, &source, program)).expect_success(PATIENCE);
        assert!(heard.contains(&format!("[{name}] 안녕하세요\n")), "{heard}");
        host.expect_next(format!("[{name}]님이 입장했습니다.\n[{name}] 안녕하세요\n"));
        host.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
#[ignore = "needs openssl"]
fn openssl_is_refused_what_came_before_tls_1_2() {
    let server = TestServer::start_with_tls(|_| {});
    for (at, version) in ["-tls1", "-tls1_1"].iter().enumerate() {
        let program = format!(
            "openssl s_client -quiet -connect 127.0.0.1:{{port}} {version} \
             -cipher ALL:@SECLEVEL=0 2>&1 || true"
        );
        let said = Program::start(&mut piped(&server, "echo old", &program));
        let said = said.expect_success(PATIENCE);
        assert!(said.contains("alert"), "{said}");
        server.console_expect(&format!("(#{}: 서로 지원하는 TLS 버전이나 암호가 없음)\n", at + 1));
    }
}

#[test]
#[ignore = "needs openssl"]
fn openssl_that_shakes_hands_again_ends_alone() {
    let server = TestServer::start_with_tls(|_| {});
    let mut host = server.login("host");
    let joined = server.tls_folder().path().join("joined");
    // Without `-quiet`, openssl takes an R at the beginning of a read as a request for
    // renegotiation, and waits for it.
    let source = format!(
        "echo again; until [ -e {joined} ]; do sleep 0.01; done; echo R; sleep 1",
        joined = joined.display()
    );
    let program = "openssl s_client -connect 127.0.0.1:{port} -tls1_2 2>&1 || true";
    let program = Program::start(&mut piped(&server, &source, program));
    host.expect_next("[again]님이 입장했습니다.\n");
    server.tls_folder().write("joined", "");
    let said = program.expect_success(PATIENCE);
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    host.expect_next("[again]님이 퇴장했습니다.\n");
    server.console_expect("[again] 퇴장 (127.0.0.1: 상대가 TLS를 거절: HandshakeFailure)\n");
    host.send("unharmed\n").expect_next("[host] unharmed\n");
}

#[test]
fn a_c_program_that_sends_its_whole_buffer_chats() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut host = server.login("host");
    let folder = TestFolder::new();
    let program = folder.path().join("fixed_buffer");
    let source = Path::new(TESTS).join("peers/fixed_buffer.c");
    let compiled = Command::new("cc").arg(source).arg("-o").arg(&program).status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc, as Rust's linker needs it");
    let address = server.address();
    let arguments = [address.ip().to_string(), address.port().to_string(), "carol".into()];
    let program = Program::start(Command::new(program).args(arguments));
    host.expect_next("[carol]님이 입장했습니다.\n[carol] 안녕하세요\n");
    host.send("어서 오세요\n").expect_next("[host] 어서 오세요\n");
    program.expect_success(PATIENCE);
    host.expect_next("[carol]님이 퇴장했습니다.\n");
}

#[test]
#[ignore = "needs java"]
fn a_java_program_that_writes_utf_is_told_what_is_wrong() {
    let server = TestServer::start(|_| {});
    let source = Path::new(TESTS).join("peers/WriteUtf.java");
    let address = server.address();
    let arguments = [address.ip().to_string(), address.port().to_string()];
    let program = Program::start(Command::new("java").arg(source).args(arguments));
    let told = program.expect_success(PATIENCE);
    assert!(told.contains("writeUTF") && told.ends_with('\n'), "{told}");
    server.console_expect("writeUTF");
}

/// What a peer sends, read by read: it logs in as `peer`, says `안녕`, and quits.
type Reads = &'static [&'static [u8]];

#[test]
fn terminals_and_first_programs_are_understood_byte_for_byte() {
    let peers: [(&str, Reads); 9] = [
        // PuTTY offers its options (NAWS, TSPEED, TTYPE, NEW_ENVIRON, ECHO, SGA).
        (
            "PuTTY, telnet",
            &[
                b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03",
                b"peer\r\n",
                b"\xec\x95\x88\xeb\x85\x95\r\n",
                b"/quit\r\n",
            ],
        ),
        (
            "PuTTY, raw",
            &[b"peer\r\n", b"\xec\x95\x88\xeb\x85\x95", b"\r\n", b"/quit", b"\r\n"],
        ),
        (
            "PuTTY in binary, whose Enter is a CR",
            &[
                b"\xff\xfb\x00\xff\xfd\x00",
                b"peer\r",
                b"\xec\x95\x88\xeb\x85\x95\r",
                b"/quit\r",
            ],
        ),
        (
            "Tera Term, a key a read",
            &[
                b"p", b"e", b"e", b"r", b"\r", b"\xec\x95\x88", b"x", b"\x08", b"\xeb\x85\x95",
                b"\r", b"/", b"q", b"u", b"i", b"t", b"\r",
            ],
        ),
        (
            "Tera Term, telnet",
            &[
                b"\xff\xfb\x18\xff\xfd\x03\xff\xfb\x03\xff\xfd\x01\xff\xfb\x1f",
                b"peer\r",
                b"\xec\x95\x88\xeb\x85\x95\r",
                b"/quit\r",
            ],
        ),
        (
            "an ESP8266 that prints its line and then the end",
            &[b"peer\r", b"\n", b"\xec\x95\x88\xeb\x85\x95\r", b"\n", b"/quit\r", b"\n"],
        ),
        (
            ".NET, a byte order mark a message",
            &[
                b"\xef\xbb\xbfpeer\r\n",
                b"\xef\xbb\xbf\xec\x95\x88\xeb\x85\x95\r\n",
                b"\xef\xbb\xbf/quit\r\n",
            ],
        ),
        (
            "PowerShell, by a pipe",
            &[b"\xef\xbb\xbfpeer\r\n\xec\x95\x88\xeb\x85\x95\r\n/quit\r\n"],
        ),
        (
            "C, lines and their NUL",
            &[b"peer\n\0", b"\xec\x95\x88\xeb\x85\x95\n\0", b"/quit\n\0"],
        ),
    ];
    for (kind, reads) in peers {
        let server = TestServer::start(|config| config.packet_pause = PATIENCE);
        let mut host = server.login("host");
        let mut peer = server.connect();
        peer.expect("로그인ID:");
        for read in reads {
            // Bytes after `/quit` may find the connection closed.
            if !peer.try_send(read) {
                break;
            }
            peer.wait_until_read();
        }
        for line in ["[peer]님이 입장했습니다.", "[peer] 안녕", "[peer]님이 퇴장했습니다."]
        {
            assert_eq!(host.expect_line(), line, "{kind}");
        }
    }
}
