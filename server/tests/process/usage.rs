//! Help, and the answers to wrong flags, variables and files.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    peer::Peer,
    program::Program,
    server_process::{ServerProcess, command},
};

/// Each flag with its variable, its default, and an invalid value.
const FLAGS: [(&str, &str, Option<&str>, &str); 24] = [
    ("--listen", "MADANG_LISTEN", Some("[::]:9009"), "localhost:9009"),
    ("--web", "MADANG_WEB", Some("[::]:9998"), "localhost:9998"),
    ("--listen-tls", "MADANG_LISTEN_TLS", None, "localhost:9010"),
    ("--tls-cert", "MADANG_TLS_CERT", None, "/nonexistent/cert.pem"),
    ("--tls-key", "MADANG_TLS_KEY", None, "/nonexistent/key.pem"),
    ("--metrics", "MADANG_METRICS", None, "localhost:9011"),
    ("--data", "MADANG_DATA", None, "/dev/null/data"),
    ("--keep", "MADANG_KEEP", Some("30d"), "30"),
    ("--data-limit", "MADANG_DATA_LIMIT", Some("1GiB"), "1"),
    ("--reach", "MADANG_REACH", Some("24h"), "day"),
    ("--cluster", "MADANG_CLUSTER", None, "nonsense"),
    ("--node", "MADANG_NODE", None, "nonsense"),
    ("--public-url", "MADANG_PUBLIC_URL", None, "chat.example.org"),
    ("--allow-origin", "MADANG_ALLOW_ORIGIN", None, " "),
    ("--allow-host", "MADANG_ALLOW_HOST", None, "http://a"),
    ("--trust-proxy", "MADANG_TRUST_PROXY", None, "10.0.0.0/99"),
    ("--lang", "MADANG_LANG", Some("ko"), "fr"),
    ("--max-connections", "MADANG_MAX_CONNECTIONS", None, "0"),
    ("--max-per-address", "MADANG_MAX_PER_ADDRESS", Some("64"), "many"),
    ("--rate-limit", "MADANG_RATE_LIMIT", Some("10"), "0"),
    ("--motd", "MADANG_MOTD", None, "/nonexistent/motd"),
    ("--teacher-code", "MADANG_TEACHER_CODE", None, "/nonexistent/code"),
    ("--roster", "MADANG_ROSTER", None, "/nonexistent/roster"),
    ("--log-format", "MADANG_LOG_FORMAT", Some("text"), "xml"),
];

/// Flags whose value is a file, which is checked later.
const FILES: [&str; 8] = [
    "--cluster",
    "--node",
    "--data",
    "--motd",
    "--teacher-code",
    "--roster",
    "--tls-cert",
    "--tls-key",
];

/// The outcome of a run that ends by itself.
struct Run {
    exit_code: i32,
    out: String,
    err: String,
}

#[track_caller]
fn run(command: &mut Command) -> Run {
    let mut program = Program::start(command);
    let exit_code = program.expect_exit();
    Run { exit_code, out: program.out().expect_end(), err: program.err().expect_end() }
}

/// Runs into wrong usage, and returns the line that explains it.
#[track_caller]
fn usage_error(command: &mut Command) -> String {
    let run = run(command);
    assert_eq!((run.exit_code, run.out.as_str()), (2, ""), "{}", run.err);
    run.err.lines().next().unwrap_or_default().to_owned()
}

/// Runs into a failure, and returns the one line that explains it.
#[track_caller]
fn failure(command: &mut Command) -> String {
    let run = run(command);
    assert_eq!((run.exit_code, run.out.as_str()), (1, ""), "{}", run.err);
    assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    run.err
}

/// A file that is removed after the test.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, content: &[u8]) -> TestFile {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}-{name}", std::process::id()));
        fs::write(&path, content).expect("cargo's folder for tests is there");
        TestFile(path)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn help_tells_of_every_flag_its_variable_and_default() {
    let help = run(command().env_remove("MADANG_WEB").arg("--help"));
    let Run { exit_code, out: help, err } = help;
    assert_eq!((exit_code, err.as_str()), (0, ""));
    assert_eq!(help.matches("[env: MADANG_").count(), FLAGS.len(), "{help}");
    let mut sections = help.split("\n      --");
    sections.next().expect("the words before the first flag");
    // It takes no value.
    let sections = sections.filter(|section| {
        !["no-web", "cluster-volatile"].iter().any(|flag| section.starts_with(flag))
    });
    for (section, (flag, variable, default, _)) in sections.zip(FLAGS) {
        assert_eq!(section.split(' ').next(), flag.strip_prefix("--"), "{help}");
        assert!(section.contains(&format!("[env: {variable}")), "{section}");
        if let Some(default) = default {
            assert!(section.contains(&format!("[default: {default}]")), "{section}");
        }
    }
}

#[test]
fn version_is_one_line() {
    let run = run(command().arg("--version"));
    assert_eq!((run.exit_code, run.err.as_str()), (0, ""));
    assert_eq!(run.out, format!("madang-server {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_flag_is_named() {
    for flag in ["--bogus", "--port=9009", "-x"] {
        let line = usage_error(command().arg(flag));
        let name = flag.split('=').next().expect("there is always a first part");
        assert!(line.contains(&format!("'{name}'")), "{line}");
    }
    let line = usage_error(command().arg("9009"));
    assert!(line.contains("'9009'"), "{line}");
    let line = usage_error(command().arg("--lang"));
    assert!(line.contains("--lang"), "{line}");
}

#[test]
fn a_bad_value_is_named_with_its_flag() {
    for (flag, _, _, value) in FLAGS.into_iter().filter(|(flag, ..)| !FILES.contains(flag)) {
        let line = usage_error(command().arg(format!("{flag}={value}")));
        assert!(line.starts_with("madang-server: ") && line.contains(flag), "{line}");
        assert!(line.contains(&format!("'{value}'")), "{line}");
    }
}

#[test]
fn a_bad_value_in_the_environment_is_named_with_its_flag() {
    for (flag, variable, _, value) in FLAGS.into_iter().filter(|(flag, ..)| !FILES.contains(flag)) {
        let line = usage_error(command().env(variable, value));
        assert!(line.starts_with("madang-server: ") && line.contains(flag), "{line}");
        assert!(line.contains(&format!("'{value}'")), "{line}");
    }
    let line = failure(command().env("MADANG_MOTD", "/nonexistent/motd"));
    assert!(line.contains("--motd") && line.contains("/nonexistent/motd"), "{line}");
}

#[test]
fn an_empty_variable_is_none() {
    let mut command = command();
    for (_, variable, ..) in FLAGS {
        command.env(variable, "");
    }
    let flags = ["--listen=127.0.0.1:0", "--no-web"];
    let mut server = Program::start(command.args(flags));
    // In the default language: Korean.
    server.out().expect("+++ 채팅 서버를 시작합니다.");
}

#[test]
fn unusable_certificates_and_keys_are_named_with_their_flag() {
    let [cert, key] = ["/nonexistent/cert.pem", "/nonexistent/key.pem"];
    let line = failure(command().args(["--tls-cert", cert, "--tls-key", key]));
    for part in ["--tls-cert", cert, "No such file"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    let file = TestFile::new("cert.pem", b"no certificate");
    let path = file.0.to_string_lossy();
    let line = failure(command().args(["--tls-cert", &path, "--tls-key", &path]));
    for part in ["--tls-cert", "no PEM certificate", &path] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    for (alone, other) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
        let line = usage_error(command().args([alone, &path]));
        assert!(line.contains(other), "{line}");
    }
    let line = usage_error(command().args(["--listen-tls", "127.0.0.1:0"]));
    assert!(line.contains("--tls-cert") && line.contains("--tls-key"), "{line}");
}

#[test]
fn wrong_usage_is_said_in_one_line() {
    for (flag, _, _, value) in FLAGS {
        let run = run(command().arg(format!("{flag}={value}")));
        assert_eq!(run.err.trim_end().lines().count(), 1, "{}", run.err);
    }
}

#[test]
fn the_environment_sets_what_flags_set_and_flags_win() {
    let mut server = Program::start(
        command()
            .env("MADANG_LISTEN", "127.0.0.1:0,127.0.0.1:0")
            .env("MADANG_MAX_CONNECTIONS", "3")
            .env("MADANG_LANG", "ko")
            .args(["--lang", "en"]),
    );
    server.out().expect("+++ Room for 3 people.\n");
    for _ in 0..2 {
        server.out().expect("nc 127.0.0.1 ");
        let port = server.out().expect("\n");
        let address = format!("127.0.0.1:{port}").parse().expect("nc is told a port");
        Peer::connect(address).expect("Login ID:");
    }
}

#[test]
fn a_port_in_use_is_named_with_its_cause() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let line = failure(command().args(["--listen", &address]));
    for part in ["--listen", &address, "in use"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}

#[test]
fn a_web_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let line = failure(command().args(["--listen", "127.0.0.1:0", "--web", &address]));
    for part in ["--web", "--no-web", &address, "in use"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}

#[test]
fn an_address_of_another_machine_is_named_with_its_cause() {
    // Reserved for documentation (RFC 5737).
    let line = failure(command().args(["--listen", "203.0.113.77:0"]));
    for part in ["--listen", "203.0.113.77:0", "assign"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}

#[test]
fn a_port_in_use_gives_its_exit_code_even_if_nobody_reads_why() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = command();
    command.args(["--listen", &address]).stdout(Stdio::null()).stderr(writer);
    let status = command.status().expect("the binary runs");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_message_of_the_day_that_cannot_be_read_is_named() {
    #[track_caller]
    fn check(path: &str, cause: &str) {
        let line = failure(command().args(["--motd", path]));
        for part in ["--motd", path, cause] {
            assert!(line.contains(part), "{part} is missing in {line}");
        }
    }
    check("/nonexistent/motd", "No such file");
    check("/", "directory");
    let too_large = TestFile::new("too-large", &[b'x'; 16 * 1_024 + 1]);
    check(&too_large.0.to_string_lossy(), "more than 16384 bytes");
    let cp949 = TestFile::new("cp949", b"\xbe\xc8\xb3\xe7\n");
    check(&cp949.0.to_string_lossy(), "UTF-8");
}

#[test]
fn a_message_of_the_day_from_a_pipe_has_the_same_bound() {
    let mut command = command();
    command.args(["--listen", "127.0.0.1:0", "--motd", "/dev/stdin"]).stdin(Stdio::piped());
    let mut server = Program::start(&mut command);
    server.type_in(&"x".repeat(16 * 1_024 + 1));
    server.end_input();
    assert_eq!(server.expect_exit(), 1);
    let line = server.err().expect_end();
    assert!(line.contains("--motd") && line.contains("16384"), "{line}");
}

#[test]
fn a_message_of_the_day_stands_before_the_prompt() {
    let motd = "오늘은 3장을 읽습니다.\n\u{1b}[31m준비물: 자";
    let motd = TestFile::new("motd", motd.as_bytes());
    let path = motd.0.to_string_lossy();
    let server = ServerProcess::start(&["--motd", &path]);
    let mut peer = Peer::connect(server.address);
    let greeting = peer.expect("로그인ID:");
    let lines: Vec<&str> = greeting.lines().collect();
    assert!(lines[0].starts_with("Madang/1 "), "{greeting}");
    assert_eq!(lines[1], "오늘은 3장을 읽습니다.");
    assert!(lines[2].contains("준비물: 자") && !lines[2].contains('\u{1b}'), "{greeting}");
    assert_eq!(lines.len(), 3, "{greeting}");
}
