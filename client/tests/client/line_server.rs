//! On a terminal, with a server that speaks only lines.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::spawn_program;

use crate::{
    DEADLINE,
    fake_server::{FakeServer, Peer},
    terminal::{BACKSPACE, CTRL_C, CTRL_D, ENTER, TAB, Terminal, UP},
};

/// A client that has logged in to a server that never ends its lines.
#[track_caller]
fn start() -> (FakeServer, Terminal, Peer) {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &[]);
    let mut peer = server.accept();
    peer.send("로그인ID:");
    terminal.expect_last(&["로그인ID:"]);
    terminal.enter("앨리스");
    peer.expect("앨리스\n");
    peer.send("[앨리스]님이 입장했습니다.");
    terminal.expect_last(&["로그인ID:앨리스", "[앨리스]님이 입장했습니다.", ">"]);
    (server, terminal, peer)
}

#[test]
fn messages_of_a_line_server_scroll_above_the_line_being_typed() {
    let (_server, mut terminal, mut peer) = start();
    terminal.type_text("반쯤 쓴");
    terminal.expect_last(&["> 반쯤 쓴"]);
    for number in 1..=40 {
        peer.send(&format!("[bob] {number}번째\n"));
    }
    terminal.expect_last(&["[bob] 39번째", "[bob] 40번째", "> 반쯤 쓴"]);
    // Without a line end, it counts as a line too.
    peer.send("[bob] 끝없음");
    terminal.expect_last(&["[bob] 40번째", "[bob] 끝없음", "> 반쯤 쓴"]);
    // After the prompt and three and a half syllables, one of them a blank.
    terminal.expect_cursor(2 + 7);
    terminal.type_text(" 줄");
    terminal.type_text(ENTER);
    peer.expect("반쯤 쓴 줄\n");
    // It stays on the screen, because the server may not send it back.
    terminal.expect_last(&["> 반쯤 쓴 줄", ">"]);
    peer.send("[앨리스] 반쯤 쓴 줄\n");
    terminal.expect_last(&["> 반쯤 쓴 줄", "[앨리스] 반쯤 쓴 줄", ">"]);
    terminal.type_text(CTRL_D);
    peer.expect_end();
    peer.send("bye");
    peer.close();
    assert_eq!(terminal.ended(), 0);
    terminal.expect_last(&["bye"]);
}

#[test]
fn a_name_in_use_is_asked_for_again() {
    for args in [&[][..], &["--name", "bob"]] {
        let server = FakeServer::start();
        let mut terminal = Terminal::start(&server, args);
        let mut peer = server.accept();
        peer.send("로그인ID:");
        if args.is_empty() {
            terminal.expect_last(&["로그인ID:"]);
            terminal.enter("bob");
        }
        peer.expect("bob\n");
        peer.send("이미 등록된 사용자입니다.\n");
        peer.send("로그인ID:");
        terminal.expect_last(&["로그인ID:bob", "이미 등록된 사용자입니다.", "로그인ID:"]);
        // An empty name is not sent.
        terminal.type_text(ENTER);
        terminal.enter("bobby");
        peer.expect("bobby\n");
        peer.send("[bobby]님이 입장했습니다.");
        terminal.expect_last(&["로그인ID:bobby", "[bobby]님이 입장했습니다.", ">"]);
        terminal.enter("/quit");
        peer.expect("/quit\n");
        peer.expect_end();
        peer.close();
        assert_eq!(terminal.ended(), 0);
    }
}

#[test]
fn a_slow_line_that_looks_like_a_prompt_is_not_taken_for_one() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &[]);
    let mut peer = server.accept();
    peer.send("[bob] 여기는");
    terminal.expect_last(&["[bob] 여기는"]);
    peer.send(" 조용해요\n");
    terminal.expect_last(&["[bob] 여기는 조용해요", ">"]);
    for line in ["안녕", "또 안녕"] {
        terminal.enter(line);
        peer.expect(&format!("{line}\n"));
        terminal.expect_last(&[&format!("> {line}"), ">"]);
    }
}

#[test]
fn a_server_that_asks_nothing_is_talked_to_at_once() {
    let server = FakeServer::start();
    let mut terminal = Terminal::start(&server, &[]);
    let mut peer = server.accept();
    peer.send("<announce> you are <user5>.\n");
    terminal.expect_last(&["<announce> you are <user5>.", ">"]);
    terminal.type_text("hel");
    peer.send("<user4> hi\n");
    terminal.expect_last(&["<announce> you are <user5>.", "<user4> hi", "> hel"]);
    terminal.type_text("lo\r");
    peer.expect("hello\n");
    // Nothing comes back; lines typed meanwhile are shown and wait.
    terminal.enter("again");
    peer.expect("again\n");
    terminal.expect_last(&["<user4> hi", "> hello", "> again", ">"]);
    drop(peer);
    assert_eq!(terminal.ended(), 5);
    terminal.expect_last(&["> again", "madang: the server closed the connection"]);
}

/// `ncat --chat`, which ends when this is dropped.
struct Ncat(Child);

impl Ncat {
    /// Starts it, and waits until it listens.
    #[track_caller]
    fn start() -> (Ncat, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let port = address.port().to_string();
        let mut command = Command::new("ncat");
        command.args(["--chat", "-l", "127.0.0.1", &port]).stdin(Stdio::null());
        let ncat = Ncat(spawn_program(&mut command).expect("ncat is installed"));
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "ncat does not listen");
            thread::yield_now();
        }
        (ncat, address.to_string())
    }
}

impl Drop for Ncat {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs ncat"]
fn two_clients_can_talk_over_ncat_which_echoes_nothing() {
    let (_ncat, address) = Ncat::start();
    let args = ["--color", "never"];
    let [mut alice, mut bob] =
        [(); 2].map(|()| Terminal::start_sized(&address, &args, 80, 24, &[]));
    for terminal in [&mut alice, &mut bob] {
        terminal.expect_screen("the welcome", |rows| {
            rows.iter().any(|row| row.starts_with("<announce> already connected"))
                && rows.last().is_some_and(|row| row == ">")
        });
    }
    alice.type_text("반쯤 쓴");
    alice.expect_last(&["> 반쯤 쓴"]);
    bob.enter("hello");
    bob.expect_last(&["> hello", ">"]);
    alice.expect_screen("the line above one's own", |rows| {
        rows.len() > 1
            && rows[rows.len() - 2].ends_with("> hello")
            && rows[rows.len() - 1] == "> 반쯤 쓴"
    });
    // ncat shows Hangul as octal numbers.
    alice.type_text(CTRL_C);
    alice.enter("hi");
    alice.expect_last(&["> hi", ">"]);
    bob.expect_screen("the answer", |rows| rows.iter().any(|row| row.ends_with("> hi")));
}

#[test]
fn keys_work_with_a_line_server_as_with_madang() {
    let (_server, mut terminal, mut peer) = start();
    terminal.type_text(&format!("지워질 말{CTRL_C}"));
    terminal.expect_last(&["[앨리스]님이 입장했습니다.", ">"]);
    terminal.enter("남을 말");
    peer.expect("남을 말\n");
    terminal.expect_last(&["> 남을 말", ">"]);
    terminal.type_text(UP);
    terminal.expect_last(&["> 남을 말", "> 남을 말"]);
    // Madang's commands have no meaning here.
    terminal.type_text(&format!("\x15/who{TAB}"));
    terminal.expect_last(&["> 남을 말", "> /who"]);
    terminal.type_text(CTRL_C);
    terminal.expect_last(&["> 남을 말", ">"]);
    terminal.type_text(CTRL_C);
    assert_eq!(terminal.ended(), 130);
}

#[test]
fn a_paste_is_sent_line_by_line() {
    let (_server, mut terminal, mut peer) = start();
    terminal.paste("하나\n둘\n");
    terminal.type_text(ENTER);
    peer.expect("하나\n");
    peer.send("[앨리스] 하나");
    // Without a line end, it becomes a line when it is shown, so the next must not arrive with
    // it.
    terminal.expect_row("[앨리스] 하나");
    peer.expect("둘\n");
    peer.send("[앨리스] 둘");
    terminal.expect_last(&["[앨리스] 하나", "[앨리스] 둘", ">"]);
    let text: String = (1..=6).map(|number| format!("{number}\n")).collect();
    terminal.paste(&text);
    terminal.type_text(ENTER);
    terminal.expect_last(&["send 6 lines? [y/N]"]);
    terminal.enter("n");
    terminal.expect_last(&["5", "6"]);
    terminal.type_text(ENTER);
    terminal.expect_last(&["send 6 lines? [y/N]"]);
    terminal.enter("y");
    peer.expect(&text);
}

#[test]
fn a_flood_is_shown_whole_and_in_order() {
    const LINES: usize = 3_000;

    let (_server, mut terminal, mut peer) = start();
    terminal.type_text("쓰던");
    let lines: String = (0..LINES).map(|number| format!("<{number}>\n")).collect();
    for chunk in lines.as_bytes().chunks(512) {
        peer.send_bytes(chunk);
        terminal.look();
    }
    terminal.expect_last(&[&format!("<{}>", LINES - 1), "> 쓰던"]);
    let shown: Vec<String> =
        terminal.scrolled().into_iter().filter(|row| row.starts_with('<')).collect();
    let expected: Vec<String> = (0..LINES).map(|number| format!("<{number}>")).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_line_whose_rest_is_late_stays_one_line() {
    /// Half of the time after which it would be shown without its rest.
    const SOON: Duration = Duration::from_secs(1);

    let (_server, mut terminal, mut peer) = start();
    // On a busy machine, the rest may be sent too late. Then there is another line.
    for number in 0.. {
        assert!(number < 20, "the rest is never sent in time");
        let begun_at = Instant::now();
        let before = format!("[bob] before {number}");
        peer.send(&format!("{before}\n[bob] the first"));
        terminal.expect_last(&[&before, ">"]);
        terminal.type_text("x");
        terminal.expect_last(&[&before, "> x"]);
        peer.send(" and the rest\n");
        if begun_at.elapsed() < SOON {
            terminal.expect_last(&[&before, "[bob] the first and the rest", "> x"]);
            return;
        }
        terminal.expect_screen("the rest", |rows| {
            rows.len() > 1 && rows[rows.len() - 2].ends_with(" and the rest")
        });
        terminal.type_text(BACKSPACE);
    }
}

#[test]
fn the_bell_rings_for_what_others_say() {
    for (bell, expected) in [("never", [0, 0, 0]), ("mention", [0, 0, 1]), ("all", [0, 1, 2])] {
        let server = FakeServer::start();
        let mut terminal = Terminal::start(&server, &["--name", "앨리스", "--bell", bell]);
        let mut peer = server.accept();
        peer.send("로그인ID:");
        peer.expect("앨리스\n");
        peer.send("[앨리스]님이 입장했습니다.\n");
        let said = ["[앨리스] 앨리스입니다", "[bob] 반가워요", "[bob] 앨리스 안녕"];
        for (line, expected) in said.into_iter().zip(expected) {
            peer.send(&format!("{line}\n"));
            terminal.expect_last(&[line, ">"]);
            terminal.expect_bells(expected);
        }
    }
}
