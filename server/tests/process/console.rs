//! The operator's terminal: what it shows, and that a slow one stops nobody.

use rustix::process::Signal;

use crate::{
    peer::Peer,
    server_process::{ServerProcess, command},
};

/// Connections whose lines fill a pipe that nobody reads (64 KiB). The console shows 2,000 lines
/// at once, each of more than 40 bytes.
const FILL_THE_PIPE: usize = 2_000;

/// Connections whose lines fill the pipe and the console's own queue (4,096 lines).
const FILL_THE_CONSOLE: usize = 6_200;

/// Two members join, talk and leave.
#[track_caller]
fn expect_chat(server: &ServerProcess) {
    let [mut one, mut other] = ["하나", "둘"].map(|name| Peer::join(server.address, name));
    one.say("들려요?");
    other.expect("[하나] 들려요?\n");
    other.say("네");
    one.expect("[둘] 네\n");
    for mut member in [one, other] {
        member.say("/quit");
        member.expect_end();
    }
}

#[test]
fn the_console_shows_joins_and_leaves_but_no_messages() {
    let mut command = command();
    command.env("RUST_LOG", "trace");
    let mut server = ServerProcess::start_as(&mut command);
    let mut alice = Peer::join(server.address, "alice");
    let mut bob = Peer::join(server.address, "bob");
    alice.say("a secret of ours");
    bob.expect("[alice] a secret of ours\n");
    alice.say("/quit");
    alice.expect_end();
    // One line for each person who joins or leaves.
    let lines = "+++ 대화 참여자 수 [1] · [alice] 입장 (127.0.0.1)\n\
                 +++ 대화 참여자 수 [2] · [bob] 입장 (127.0.0.1)\n\
                 --- 대화 참여자 수 [1] · [alice] 퇴장 (127.0.0.1: 나감)\n";
    server.out().expect(lines);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    server.out().expect_end();
    server.err().expect_end();
    for stream in [server.out().bytes().to_vec(), server.err().bytes().to_vec()] {
        assert!(!String::from_utf8_lossy(&stream).contains("secret"), "{stream:?}");
    }
}

#[test]
fn a_rooms_key_stands_in_no_line_of_console_or_diagnostics() {
    let mut command = command();
    command.env("RUST_LOG", "trace");
    let mut server = ServerProcess::start_as(&mut command);
    let mut alice = Peer::join(server.address, "alice");
    alice.say("/new a \u{1b}[31mtopic\u{9b}31m");
    alice.expect("/초대");
    alice.say("/invite qr");
    alice.expect("/join #");
    let key = alice.expect("\n");
    let bare = key.replace('-', "");
    assert_eq!(bare.len(), 26, "{key}");

    let mut bob = Peer::connect(server.address);
    bob.expect("로그인ID:");
    bob.say(&format!("/join http://192.0.2.1:9998/#{key}"));
    bob.expect("로그인ID:");
    bob.say("bob");
    alice.expect("[bob]님이 입장했습니다.\n");
    let mut json = Peer::connect(server.address);
    json.say("/json");
    json.say(&format!(r##"{{"type":"login","name":"carol","room":"#{bare}"}}"##));
    alice.expect("[carol]님이 입장했습니다.\n");
    // Requests that are refused and contain the key.
    json.say(&format!(r##"{{"type":"command","line":"/join #{key}x","nonce":"#{key}"}}"##));
    json.expect("\"error\"");
    alice.say(&format!("/nick #{key}"));
    bob.say(&format!("/quit \u{1b}]0;x\u{7}{}", "bye"));
    alice.expect("[bob]님이 퇴장했습니다.");
    alice.say("/end");
    alice.expect("방을 닫았습니다");
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    server.out().expect_end();
    server.err().expect_end();
    for stream in [server.out().bytes().to_vec(), server.err().bytes().to_vec()] {
        let text = String::from_utf8_lossy(&stream).to_lowercase();
        assert!(!text.contains(&key) && !text.contains(&bare), "{text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn no_peer_can_forge_a_line_or_reach_the_terminal() {
    let names: [&[u8]; 8] = [
        b"al\x1b[31mice",
        b"alice\r[10.0.0.1] \xec\x97\xb0\xea\xb2\xb0\xeb\x90\xa8",
        "alice\u{85}+++ 대화 참여자 수 [99]".as_bytes(),
        "alice\u{2028}--- 채팅 서버를 종료합니다.".as_bytes(),
        "\u{202e}ecila".as_bytes(),
        b"\x07\x08\x9b31m",
        b"\xbe\xc8\xb3\xe7",
        b"[127.0.0.1] \xec\xa0\x91\xec\x86\x8d\xec\xa2\x85\xeb\xa3\x8c",
    ];
    let mut server = ServerProcess::start(&[]);
    for name in names {
        let mut peer = Peer::connect(server.address);
        peer.expect("로그인ID:");
        peer.send(&[name, b"\n"].concat());
        peer.expect("로그인ID:");
    }
    let mut json = Peer::connect(server.address);
    json.say("/json");
    json.say(r#"{"type":"login","name":"alice\n+++ forged \u001b[31m"}"#);
    json.expect("\"error\"");
    let mut alice = Peer::join(server.address, "alice");
    alice.say("\u{1b}]0;title\u{7}\r+++ forged");
    alice.expect("forged\n");

    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
    let shown = server.out().expect_end() + &server.err().expect_end();
    let control = shown.chars().find(|c| *c != '\n' && c.is_control());
    assert_eq!(control, None, "{shown:?}");
    for character in ['\u{2028}', '\u{2029}', '\u{202e}', '\u{fffd}'] {
        assert!(!shown.contains(character), "{shown:?}");
    }
    for line in shown.lines() {
        let own = [
            "[127.0.0.1] 접속종료 (#",
            "+++ 대화 참여자 수 [1] · [alice] 입장 (127.0.0.1)",
            "--- 대화 참여자 수 [0] · [alice] 퇴장 (127.0.0.1: 서버 종료)",
            "--- 채팅 서버를 종료합니다.",
        ];
        assert!(own.iter().any(|start| line.starts_with(start)), "{line:?} in {shown:?}");
    }
    assert_eq!(shown.matches("접속종료").count(), names.len() + 1, "{shown}");
    assert_eq!(shown.matches("[alice]").count(), 2, "{shown}");
    assert_eq!(shown.matches("종료합니다").count(), 1, "{shown}");
}

#[test]
fn a_closed_terminal_stops_nobody() {
    let mut server = ServerProcess::start(&[]);
    server.close_out();
    expect_chat(&server);
    expect_chat(&server);
    server.signal(Signal::TERM);
    assert_eq!(server.expect_exit(), 0);
}

/// Makes the server write more to its terminal than it takes: a line for each connection.
#[track_caller]
fn block_terminal(server: &mut ServerProcess, connections: usize) {
    for _ in 0..connections / 100 {
        let mut peers: Vec<Peer> = (0..100).map(|_| Peer::connect(server.address)).collect();
        peers.iter_mut().for_each(|peer| drop(peer.expect("로그인ID:")));
    }
    // The last page of a full pipe may have space for part of a line.
    server.out().expect_unread(60 * 1_024);
}

#[test]
fn a_blocked_terminal_stops_nobody_and_what_it_missed_is_counted() {
    let mut server = ServerProcess::start(&[]);
    block_terminal(&mut server, FILL_THE_CONSOLE);
    expect_chat(&server);
    server.out().expect("줄을 표시하지 못함 --\n");
    expect_chat(&server);
    // There were too many to show them all, but the console continues.
    server.out().expect("접속 기록 ");
}

#[test]
fn a_blocked_terminal_does_not_keep_the_server_from_stopping() {
    let mut server = ServerProcess::start(&[]);
    block_terminal(&mut server, FILL_THE_PIPE);
    let mut alice = Peer::join(server.address, "alice");
    server.signal(Signal::TERM);
    assert_eq!(alice.expect_end(), "서버를 종료합니다.\n");
    assert_eq!(server.expect_exit(), 0);
}
