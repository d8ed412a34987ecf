//! The exercises of `server/EXERCISES.md`: each program is run exactly as printed, but against a
//! server at other addresses.

use std::{
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use madang_protocol::text::Lang;
use madang_tests::{Program, TestServer, documented_commands};

const PAGE: &str = include_str!("../../server/EXERCISES.md");
const KOREAN_PAGE: &str = include_str!("../../server/EXERCISES.ko.md");

/// How long an exercise may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The programs on a page, in order; the first belongs to the second exercise.
fn programs(page: &str) -> Vec<&str> {
    let blocks = page.split("```python\n").skip(1);
    blocks.filter_map(|block| block.split_once("```")).map(|(program, _)| program).collect()
}

fn server() -> TestServer {
    TestServer::start(|config| config.lang = Lang::En)
}

/// Python with an exercise's program, which finds the server at its addresses.
fn python(exercise: usize, server: &TestServer) -> Command {
    let at = |address: SocketAddr| format!("(\"{}\", {})", address.ip(), address.port());
    let program = programs(PAGE)[exercise - 2]
        .replace("(\"localhost\", 9009)", &at(server.address()))
        .replace("(\"localhost\", 9998)", &at(server.web_address()));
    assert!(!program.contains("(\"localhost\""), "{program}");
    let mut command = Command::new("python3");
    command.args(["-c", &program]);
    command
}

#[test]
fn the_korean_page_has_the_same_programs_and_commands() {
    assert_eq!(programs(PAGE).len(), 4);
    assert_eq!(programs(PAGE), programs(KOREAN_PAGE));
    let commands = |page: &str| -> Vec<String> {
        let blocks = page.split("```sh\n").skip(1);
        blocks.filter_map(|block| block.split_once("```")).map(|(it, _)| it.to_owned()).collect()
    };
    assert_eq!(commands(PAGE), commands(KOREAN_PAGE));
}

#[test]
#[ignore = "needs nc"]
fn the_first_exercise_is_a_conversation_without_a_client() {
    let server = server();
    let commands = documented_commands();
    let line = commands.iter().find(|command| command.starts_with("printf 'robot"));
    let address = format!("{} {}", server.address().ip(), server.address().port());
    let line = line.expect("it is on the page").replace("localhost 9009", &address);
    let seen = Program::start(Command::new("sh").args(["-c", &line])).expect_success(PATIENCE);
    assert!(seen.contains("Login ID:") && seen.contains("[robot] hello\n"), "{seen}");
}

#[test]
#[ignore = "needs python3"]
fn the_second_exercise_is_a_client_that_reads_and_writes_at_once() {
    let server = server();
    let mut neighbour = server.login("neighbour");
    let mut client = python(2, &server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let mut input = client.stdin.take().expect("it is a pipe");
    input.write_all("pupil\n".as_bytes()).expect("it reads");
    neighbour.expect_joined("pupil");
    input.write_all("안녕하세요\n".as_bytes()).expect("it reads");
    neighbour.expect_next("[pupil] 안녕하세요\n");
    neighbour.send("welcome\n").expect_next("[neighbour] welcome\n");
    // Ctrl-D: the rest is read until the server closes.
    drop(input);
    let output = client.wait_with_output().expect("it is a child");
    assert!(output.status.success(), "{output:?}");
    let seen = String::from_utf8(output.stdout).expect("it is UTF-8");
    let is_in = |text: &str| seen.contains(text);
    assert!(is_in("[pupil] 안녕하세요\n") && is_in("[neighbour] welcome\n"), "{seen}");
}

#[test]
#[ignore = "needs python3"]
fn the_third_exercise_puts_pieces_together() {
    let server = server();
    let seen = Program::start(&mut python(3, &server)).expect_success(PATIENCE);
    let said = "[pieces] 안녕하세요\n[pieces] one\n[pieces] two\n";
    assert!(seen.starts_with("16 bytes: ") && seen.ends_with(said), "{seen}");
}

#[test]
#[ignore = "needs python3"]
fn the_fourth_exercise_skips_a_reader_who_does_not_read() {
    let server = server();
    let seen = Program::start(&mut python(4, &server)).expect_success(PATIENCE);
    let number = |line: Option<&str>, before: &str, after: &str| -> u64 {
        let number = line.and_then(|line| line.strip_prefix(before)?.strip_suffix(after));
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{seen}"))
    };
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some("20000 lines were written; now the sleeper reads"));
    let received = number(lines.next_back(), "", " lines were received");
    let skipped: u64 = lines.map(|line| number(Some(line), "-- ", " lines skipped --")).sum();
    assert!(skipped > 0, "{seen}");
    assert_eq!(received + skipped, 20_000, "{seen}");
}

#[test]
#[ignore = "needs python3"]
fn the_fifth_exercise_shakes_hands_as_a_browser_does() {
    let server = server();
    let seen = Program::start(&mut python(5, &server)).expect_success(PATIENCE);
    assert_eq!(
        seen.replace('\r', ""),
        "HTTP/1.1 101 Switching Protocols\nthe server has understood: True\n\
         0x81 9 echo : hi\n88 02 03 e8\n"
    );
}
