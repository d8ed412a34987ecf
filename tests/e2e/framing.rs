//! Where a line ends, for every kind of peer and every way to split the bytes: `nc`, telnet,
//! peers that never end a line, and peers of other protocols.

use std::{collections::BTreeMap, time::Duration};

use madang_protocol::{
    foreign::Foreign,
    notice::{Goodbye, Notice, Utf8Hint},
    text::Lang,
};
use madang_tests::{TestClient, TestServer, told, who};
use serde_json::{Value, json};

/// Longer than any test: a peer that is not classified before this waits forever.
const NEVER: Duration = Duration::from_secs(600);

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const IP: u8 = 244;
const SE: u8 = 240;
const ECHO: u8 = 1;
const TIMING_MARK: u8 = 6;
const NAWS: u8 = 31;

#[test]
fn lines_end_with_lf_cr_lf_or_cr_nul() {
    for end in ["\n", "\r\n", "\r\0"] {
        let server = TestServer::start(|_| {});
        let mut alice = server.connect();
        alice.expect("로그인ID:");
        alice.send(format!("alice{end}one{end}{end}둘{end}//three{end}/quit{end}"));
        alice.expect_next("[alice]님이 입장했습니다.\n");
        alice.expect_next("[alice] one\n[alice] 둘\n[alice] /three\n").expect_closed();
    }
}

#[test]
fn line_ends_may_change_within_a_conversation() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("a\r\nb\nc\r\0d\ne\r\n");
    alice.expect_next("[alice] a\n[alice] b\n[alice] c\n[alice] d\n[alice] e\n");
}

#[test]
fn a_lone_cr_is_a_control_like_any_other() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("[bob]\rx\r\r\ny\n").expect_next("[alice] [bob]x\n[alice] y\n");
}

#[test]
fn lines_may_come_byte_by_byte() {
    for end in ["\n", "\r\n", "\r\0"] {
        let server = TestServer::start(|_| {});
        let mut client = server.connect();
        client.expect("로그인ID:");
        client.send_byte_by_byte(format!("홍길동{end}안녕 hello{end}/quit{end}"));
        for line in ["[홍길동]님이 입장했습니다.", "[홍길동] 안녕 hello"] {
            // A peer that sends letters one by one and then CR gets CR LF.
            assert_eq!(client.expect_line().trim_end_matches('\r'), line);
        }
        client.expect_closed();
    }
}

#[test]
fn every_split_of_a_conversation_gives_the_same() {
    for end in ["\n", "\r\n", "\r\0"] {
        check_splits(&|name| format!("{name}{end}안녕 hi{end}//x{end}/quit{end}"));
    }
}

#[test]
fn every_split_of_a_json_conversation_gives_the_same() {
    check_splits(&|name| {
        let login = json!({"type": "login", "name": name});
        let say = json!({"type": "say", "text": "안녕 hi"});
        let slash = json!({"type": "say", "text": "/x"});
        let quit = json!({"type": "command", "line": "/quit"});
        format!("/json\n{login}\n{say}\n{slash}\n{quit}\n")
    });
}

/// Many clients send the same conversation in two pieces, each split at another place. A
/// listener must see the same from all of them.
#[track_caller]
fn check_splits(conversation: &dyn Fn(&str) -> String) {
    let server = TestServer::start(|config| config.packet_pause = NEVER);
    let mut listener = server.login("listener");
    let name = |cut: usize| format!("홍{cut:03}");
    let length = conversation(&name(0)).len();
    let mut clients: Vec<TestClient> = (0..=length).map(|_| server.connect()).collect();
    for (cut, client) in clients.iter_mut().enumerate() {
        client.send(&conversation(&name(cut)).as_bytes()[..cut]);
    }
    for client in &clients {
        client.wait_until_read();
    }
    for (cut, client) in clients.iter_mut().enumerate() {
        client.send(&conversation(&name(cut)).as_bytes()[cut..]);
    }
    let heard: Vec<String> = (0..4 * clients.len()).map(|_| listener.expect_line()).collect();
    for (cut, client) in clients.iter_mut().enumerate() {
        client.expect_rest();
        let name = name(cut);
        let own = format!("[{name}]");
        let own: Vec<&String> = heard.iter().filter(|line| line.starts_with(&own)).collect();
        let expected = ["님이 입장했습니다.", " 안녕 hi", " /x", "님이 퇴장했습니다."]
            .map(|words| format!("[{name}]{words}"));
        assert!(own.iter().copied().eq(&expected), "cut at {cut}: {own:?}");
    }
}

#[test]
fn a_last_line_without_a_line_end_counts() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send("alice\nfirst\nlast words");
    alice.finish_sending();
    bob.expect_next("[alice]님이 입장했습니다.\n[alice] first\n[alice] last words\n");
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
    alice.expect_next("[alice]님이 입장했습니다.\n[alice] first\n[alice] last words\n");
    alice.expect_closed();

    // At the prompt too: `printf carol | nc host 9009` joins and leaves.
    let mut carol = server.connect();
    carol.send("carol");
    carol.finish_sending();
    bob.expect_next("[carol]님이 입장했습니다.\n[carol]님이 퇴장했습니다.\n");
}

#[test]
fn a_line_of_4096_bytes_is_said_and_a_longer_one_refused_with_a_word() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut bob = server.login("bob");
    alice.expect("[bob]님이 입장했습니다.\n");
    let longest = "가".repeat(1_365) + "x";
    assert_eq!(longest.len(), 4_096);
    for end in ["\n", "\r\n"] {
        alice.send(format!("{longest}{end}")).expect_next(format!("[alice] {longest}\n"));
        bob.expect_next(format!("[alice] {longest}\n"));
        alice.send(format!("{longest}y{end}"));
        let word = alice.expect_line();
        assert!(word.contains("4,096") && word.contains("4,097"), "{word}");
    }
    alice.send("x".repeat(65_535) + "\n");
    assert!(alice.expect_line().contains("65,535"));
    alice.send("end\n").expect_next("[alice] end\n");
    bob.expect_next("[alice] end\n");
}

#[test]
fn a_line_that_does_not_end_closes_with_a_word() {
    let server = TestServer::start(|config| config.packet_pause = NEVER);
    let mut bob = server.login("bob");
    let mut alice = server.login("alice");
    bob.expect("[alice]님이 입장했습니다.\n");
    alice.send("before\n").expect_next("[alice] before\n");
    alice.send("x".repeat(65_536));
    assert!(alice.expect_line().contains("65,536"));
    alice.expect_closed();
    bob.expect_next("[alice] before\n[alice]님이 퇴장했습니다.\n");

    let mut nobody = server.connect();
    nobody.expect("로그인ID:");
    nobody.send("y".repeat(65_536));
    assert!(nobody.expect_line().contains("65,536"));
    nobody.expect_closed();
}

#[test]
fn a_peer_that_never_ends_a_line_frames_by_packet() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut bob = server.login("bob");
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send("alice").expect_next("[alice]님이 입장했습니다.\n");
    bob.expect_next("[alice]님이 입장했습니다.\n");
    alice.send("hello").expect_next("[alice] hello\n");
    alice.send("안녕").expect_next("[alice] 안녕\n");
    alice.send("h").expect_next("[alice] h\n");
    alice.send("두 줄\n한 번에").expect_next("[alice] 두 줄\n[alice] 한 번에\n");
    alice.send("/who").expect_next(who(&["bob", "alice"]));
    alice.send("//quit").expect_next("[alice] /quit\n");
    alice.send("/quit").expect_closed();
    for line in ["hello", "안녕", "h", "두 줄", "한 번에", "/quit"] {
        bob.expect_next(format!("[alice] {line}\n"));
    }
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
}

#[test]
fn a_packet_peer_may_try_another_name_at_the_prompt() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let _alice = server.login("alice");
    let mut client = server.connect();
    client.expect("로그인ID:");
    client.send("alice").expect_next("이미 등록된 사용자입니다.\n").expect("로그인ID:");
    client.send("홍길동").expect_next("[홍길동]님이 입장했습니다.\n");
}

#[test]
fn a_packet_that_cuts_a_character_waits_for_the_rest() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send("alice").expect_next("[alice]님이 입장했습니다.\n");
    let text = "안녕".as_bytes();
    for cut in [4, 5] {
        alice.send(&text[..cut]).wait_until_read();
        alice.send(&text[cut..]).expect_next("[alice] 안녕\n");
    }
}

#[test]
fn packet_peers_get_whole_lines_however_fast_they_come() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut bob = server.login("bob");
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send("alice").expect_next("[alice]님이 입장했습니다.\n");
    bob.send("가나다라마바사\n".repeat(200));
    for _ in 0..200 {
        alice.expect_next("[bob] 가나다라마바사\n");
    }
}

#[test]
fn packet_peers_get_each_line_in_a_send_of_its_own() {
    /// The kernel joins data beyond its first congestion window.
    const LINES: u32 = 8;
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut bob = server.login("bob");
    let mut packets = server.connect();
    packets.expect("로그인ID:");
    packets.send("packets").expect_next("[packets]님이 입장했습니다.\n");
    let mut lines = server.login("lines");
    packets.expect("[lines]님이 입장했습니다.\n");

    let before = (packets.received_segments(), lines.received_segments());
    bob.send((0..LINES).map(|n| format!("{n}\n")).collect::<String>());
    for n in 0..LINES {
        packets.expect_next(format!("[bob] {n}\n"));
        lines.expect_next(format!("[bob] {n}\n"));
    }
    let after = (packets.received_segments(), lines.received_segments());
    let segments = |before: Option<u32>, after: Option<u32>| Some(after? - before?);
    assert!(segments(before.0, after.0).is_none_or(|count| count == LINES), "{before:?} {after:?}");
    assert!(segments(before.1, after.1).is_none_or(|count| count == 1), "{before:?} {after:?}");

    // Once it ends lines, it is a line peer in this respect, too.
    packets.send("\n").wait_until_read();
    packets.send("/ping x\n").expect(" x\n");
    let before = packets.received_segments();
    bob.send((0..LINES).map(|n| format!("{n}\n")).collect::<String>());
    for n in 0..LINES {
        packets.expect_next(format!("[bob] {n}\n"));
    }
    let after = packets.received_segments();
    assert!(segments(before, after).is_none_or(|count| count == 1), "{before:?} {after:?}");
}

#[test]
fn a_second_piece_in_time_makes_a_line_of_the_first() {
    let server = TestServer::start(|config| config.packet_pause = NEVER);
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send("ali").wait_until_read();
    alice.send("ce").wait_until_read();
    alice.send("\n").expect_next("[alice]님이 입장했습니다.\n");
    alice.send("hel").wait_until_read();
    alice.send("lo\n").expect_next("[alice] hello\n");
}

#[test]
fn a_single_character_waits_and_is_told_to_press_enter() {
    let server = TestServer::start(|config| {
        config.packet_pause = Duration::from_millis(10);
        config.enter_hint_pause = Duration::from_millis(200);
    });
    for first in ["a", "홍"] {
        let mut client = server.connect();
        client.expect("로그인ID:");
        client.send(first).expect_next(told(Notice::PressEnter));
        // Only once, however long the line takes after that.
        client.expect_nothing_for(Duration::from_millis(300));
        client.send("lice").wait_until_read();
        client.send("\n").expect(format!("[{first}lice]님이 입장했습니다.\n"));
        // Nobody in the room sees this.
        client.send("x").expect_nothing_for(Duration::from_millis(300));
        client.send("\n").expect_next(format!("[{first}lice] x\n"));
    }
}

#[test]
fn a_telnet_that_types_by_the_character_is_a_terminal_and_no_packet_peer() {
    for enter in ["\r\n", "\r\0", "\r"] {
        let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(1));
        let mut bob = server.login("bob");
        let mut alice = server.connect();
        alice.expect("로그인ID:");
        alice.type_characters("alix\u{7f}ce");
        alice.send(enter).wait_until_read();
        if enter == "\r" {
            alice.send("\n");
        }
        alice.expect_next("[alice]님이 입장했습니다.\r\n");
        bob.expect_next("[alice]님이 입장했습니다.\n");
        alice.type_characters("안녕\u{8}양\u{7f}\u{7f}\u{7f}\u{7f}좋다");
        alice.send("\r\n").expect_next("[alice] 좋다\r\n");
        bob.expect_next("[alice] 좋다\n");
        alice.type_characters("/lang en");
        alice.send("\r\n").expect_next(Notice::LangSet.text(Lang::En) + "\r\n");
        alice.type_characters("/who");
        alice.send("\r\n").expect_next("2 here: bob, alice\r\n");
        bob.send("/quit\n").expect_closed();
        alice.expect_next("[bob] left.\r\n");
    }
}

#[test]
fn backspaces_in_whole_lines_are_removed_as_controls() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("ab\u{8}\u{7f}c\n").expect_next("[alice] abc\n");
}

#[test]
fn telnet_options_are_refused_once_each_and_never_reach_text() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send([IAC, DO, ECHO, IAC, WILL, NAWS]);
    alice.expect_next([IAC, WONT, ECHO, IAC, DONT, NAWS]);
    alice.send([IAC, DO, ECHO, IAC, WILL, NAWS, IAC, WONT, 3, IAC, DONT, 3]);
    alice.send([IAC, SB, NAWS, 0, 80, 0, b'\n', IAC, SE]);
    alice.send("alice\r\n").expect_next("[alice]님이 입장했습니다.\r\n");
    bob.expect_next("[alice]님이 입장했습니다.\n");

    alice.send([b"hel".as_slice(), &[IAC, 241], b"lo\r\n"].concat());
    alice.expect_next("[alice] hello\r\n");
    bob.expect_next("[alice] hello\n");
    alice.send([b"oops".as_slice(), &[0x7f; 4], b"fine\r\n"].concat());
    alice.expect_next("[alice] fine\r\n");
    bob.expect_next("[alice] fine\n");

    // An escaped 255 is data, but not valid UTF-8.
    alice.send([b"x".as_slice(), &[IAC, IAC], b"y\r\n"].concat());
    alice.expect_next(Notice::NotUtf8(Utf8Hint::Telnet).text(Lang::Ko) + "\r\n");
    bob.send("end\n").expect_next("[bob] end\n");
    alice.expect_next("[bob] end\r\n");
}

#[test]
fn a_telnet_client_ends_lines_and_is_no_packet_peer() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(1));
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send([IAC, WILL, NAWS]).expect_next([IAC, DONT, NAWS]);
    // Pasted text; Enter comes later.
    alice.send("ali").expect_nothing();
    alice.send("ce\r\n").expect_next("[alice]님이 입장했습니다.\r\n");
}

#[test]
fn telnet_commands_may_be_cut_anywhere() {
    let server = TestServer::start(|_| {});
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    let mut bytes = vec![IAC, DO, ECHO, IAC, SB, NAWS, 0, IAC, IAC, 0, 24, IAC, SE];
    bytes.extend(b"alice\r\n");
    alice.send_byte_by_byte(&bytes);
    alice.expect_next([IAC, WONT, ECHO]);
    alice.expect_next("[alice]님이 입장했습니다.\r\n");
}

#[test]
fn an_interrupt_is_answered_every_time_so_that_the_terminal_is_not_mute() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    for _ in 0..3 {
        alice.send([IAC, IP]).expect_next([IAC, WONT, TIMING_MARK]);
        alice.send([IAC, DO, TIMING_MARK]).expect_next([IAC, WONT, TIMING_MARK]);
    }
    alice.send("still here\r\n").expect("[alice] still here\r\n");
}

#[test]
fn no_chat_peer_is_answered_with_one_line_and_never_becomes_a_user() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut bob = server.login("bob");
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\nalice\n";
    let openings: [(&[u8], &str, &str); 22] = [
        (b"GET / HTTP/1.1\r\nHost: localhost:9009\r\nUser-Agent: x\r\n\r\n", "HTTP", "웹"),
        (b"GET / HTTP/1.0\n\n", "HTTP", "웹"),
        (b"GET / HTTP/1.1", "HTTP", "웹"),
        (b"POST /chat?x=1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nalice", "HTTP", "웹"),
        (b"OPTIONS * HTTP/1.1\r\n", "HTTP", "웹"),
        (b"PROPFIND / HTTP/1.1\r\n\r\n", "HTTP", "웹"),
        (b"CONNECT x:443 HTTP/1.1\r\n\r\n", "HTTP", "웹"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP", "웹"),
        (client_hello, "TLS", "TLS"),
        (b"\x16", "TLS", "TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH", "SSH"),
        (b"SSH-2.0-libssh", "SSH", "SSH"),
        (b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", "RTSP", "RTSP"),
        (b"REGISTER sip:h SIP/2.0\r\nVia: x\r\n\r\n", "SIP", "SIP"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nalice\r\n", "PROXY", "PROXY"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0alice\n", "PROXY", "PROXY"),
        (b"EHLO example.com\r\n", "SMTP", "SMTP"),
        (b"CAP LS 302\r\nNICK a\r\nUSER a 0 * :a\r\n", "IRC", "IRC"),
        (b"*1\r\n$4\r\nPING\r\n", "Redis", "Redis"),
        (b"\x05\x01\0", "SOCKS", "SOCKS"),
        (b"\0\x05alice", "writeUTF", "writeUTF"),
        (b"\xac\xed\0\x05t\0\x05alice", "ObjectOutputStream", "Java"),
    ];
    for (opening, kind, word) in openings {
        let mut peer = server.connect();
        peer.expect("로그인ID:");
        peer.send(opening);
        let answer = peer.expect_rest();
        assert_eq!(answer.matches('\n').count(), 1, "{answer:?}");
        assert!(answer.ends_with('\n') && answer.contains(word), "{answer:?}");
        let port = server.web_address().port().to_string();
        let names_port = answer.contains(&port);
        let is_script = ["PROXY", "writeUTF", "ObjectOutputStream"].contains(&kind);
        assert!(names_port || is_script, "what to do instead: {answer:?}");
        server.console_expect(kind);
    }
    bob.send("/who\n").expect_next(who(&["bob"]));
}

/// The inputs of peers. The unit test of the server's framing explains their notation.
fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../cases/peers.json")).expect("JSON")
}

/// The bytes of one read.
fn bytes_of(read: &Value) -> Vec<u8> {
    let hex = read[1]["hex"].as_str();
    let mut bytes = match (read[1].as_str(), hex) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (_, Some(hex)) => (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal"))
            .collect(),
        _ => panic!("no bytes: {read}"),
    };
    let padding = read.get(2).and_then(Value::as_u64).unwrap_or_default();
    bytes.resize(bytes.len() + padding as usize, 0);
    bytes
}

#[test]
fn every_foreign_peer_of_the_table_is_told_in_one_line_and_counted() {
    let server = TestServer::start(|config| {
        config.packet_pause = Duration::from_millis(50);
        crate::metrics::tell(config);
    });
    let mut bob = server.login("bob");
    let mut expected: BTreeMap<String, f64> = BTreeMap::new();
    for case in cases() {
        let Some(code) = case["foreign"].as_str() else { continue };
        let mut peer = server.connect();
        peer.expect("로그인ID:");
        for read in case["reads"].as_array().expect("reads") {
            if !peer.try_send(bytes_of(read)) {
                break;
            }
            peer.wait_until_read();
        }
        let answer = peer.expect_rest();
        assert_eq!(answer.matches('\n').count(), 1, "{answer:?} to {case}");
        assert!(
            answer.ends_with(".\n") && answer.contains("세요"),
            "what to do instead: {answer:?} to {case}"
        );
        let sample = format!("madang_connections_ended_total{{reason=\"{code}\"}}");
        *expected.entry(sample).or_default() += 1.0;
    }
    assert!(expected.len() > 25, "{expected:?}");
    let expected: Vec<_> = expected.iter().map(|(name, count)| (&**name, *count)).collect();
    crate::metrics::expect_samples(&server, &expected);
    bob.send("/who\n").expect_next(who(&["bob"]));
}

#[test]
fn older_words_in_a_buffer_are_not_said() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut bob = server.login("bob");
    let with_end =
        [&b"alice\n"[..], b"/msg bob my secret\n", b"hi\n\0 bob my secret\n", b"end\n\0bob my"];
    let without_end =
        [&b"carol"[..], b"/msg bob my secret", b"hi\0g bob my secret", b"end\0 bob my"];
    for strings in [with_end, without_end] {
        let mut peer = server.connect();
        peer.expect("로그인ID:");
        let name = str::from_utf8(&strings[0][..5]).expect("letters");
        for string in strings {
            let mut buffer = string.to_vec();
            buffer.resize(100, 0);
            peer.send(buffer).wait_until_read();
            if string == strings[0] {
                peer.expect("입장했습니다.\n");
            }
        }
        bob.expect_next(format!("[{name}]님이 입장했습니다.\n[귓속말 {name}] my secret\n"));
        bob.expect_next(format!("[{name}] hi\n[{name}] end\n"));
        drop(peer);
        bob.expect_next(format!("[{name}]님이 퇴장했습니다.\n"));
    }
}

#[test]
fn a_request_that_is_no_line_of_text_is_one_all_the_same() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(5_000));
    for request in [long.as_bytes(), b"GET /\xb0\xa1 HTTP/1.1\r\n\r\n"] {
        let mut peer = server.connect();
        peer.expect("로그인ID:");
        peer.send(request).expect("웹 페이지가 아니라");
        peer.expect_line();
        peer.expect_closed();
    }
    bob.send("/who\n").expect_next(who(&["bob"]));
}

#[test]
fn a_tls_opening_is_not_read_as_telnet() {
    let server = TestServer::start(|_| {});
    let mut peer = server.connect();
    peer.expect("로그인ID:");
    // Random bytes, as in every client hello.
    peer.send([b"\x16\x03\x01\x02\x00".as_slice(), &[IAC, DO, ECHO, 7]].concat());
    let web_port = Some(server.web_address().port());
    let foreign = Goodbye::Foreign { foreign: Foreign::Tls, web_port };
    peer.expect_next(told(Notice::Goodbye(foreign)));
    peer.expect_closed();
}

#[test]
fn a_request_line_is_only_one_at_the_first_line() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("GET / HTTP/1.1\n").expect_next("[alice] GET / HTTP/1.1\n");
    let mut bob = server.connect();
    bob.expect("로그인ID:");
    bob.send("GET\n").expect_next(told(Notice::Earlier { lines: 1 }) + "[alice] GET / HTTP/1.1\n");
    bob.expect_next("[GET]님이 입장했습니다.\n");
}

#[test]
fn a_peer_whose_enter_is_a_cr_talks() {
    for end in ["\r", "\r\n", "\r\0"] {
        let server = TestServer::start(|config| config.packet_pause = NEVER);
        let mut bob = server.login("bob");
        let mut alice = server.connect();
        alice.expect("로그인ID:");
        // The rest of the line end is in a read of its own.
        for line in ["alice", "hello", "//x", "/quit"] {
            alice.send(format!("{line}\r")).wait_until_read();
            if !alice.try_send(&end[1..]) {
                break;
            }
        }
        alice.expect_next("[alice]님이 입장했습니다.\n[alice] hello\n[alice] /x\n");
        bob.expect_next("[alice]님이 입장했습니다.\n[alice] hello\n[alice] /x\n");
        bob.expect_next("[alice]님이 퇴장했습니다.\n");
    }
}

#[test]
fn a_cr_does_not_end_the_lines_of_a_peer_that_ends_them_with_lf() {
    let server = TestServer::start(|_| {});
    for end in ["\n", "\r\n", "\r\0"] {
        let mut alice = server.connect();
        alice.expect("로그인ID:");
        alice.send(format!("alice{end}")).expect("입장했습니다.\n");
        alice.send("hi\r").wait_until_read();
        alice.send(format!("/quit{end}")).expect_next("[alice] hi/quit\n");
        alice.send(format!("/quit{end}")).expect_closed();
    }
}

#[test]
fn a_packet_peer_that_ends_a_line_ends_lines_from_then_on() {
    for end in ["\n", "\r\n", "\r"] {
        let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
        let mut bob = server.login("bob");
        let mut alice = server.connect();
        alice.expect("로그인ID:");
        alice.send("alice").expect_next("[alice]님이 입장했습니다.\n");
        alice.send(end).wait_until_read();
        alice.type_characters("hello");
        alice.send(end).expect("[alice] hello");
        alice.expect("\n");
        bob.expect_next("[alice]님이 입장했습니다.\n[alice] hello\n");
        alice.send("end\n").expect_next("[alice] end");
    }
}

#[test]
fn the_rest_of_a_name_is_not_said_but_explained() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut bob = server.login("bob");
    let mut peer = server.connect();
    peer.expect("로그인ID:");
    peer.send("ca").expect_next("[ca]님이 입장했습니다.\n");
    peer.send("rol\n");
    peer.expect_next(told(Notice::NameSettled { user: "ca", proposal: Some("carol") }));
    peer.send("/이름 carol\n").expect("[carol]로 바뀌었습니다 --\n");
    peer.send("hello\n").expect_next("[carol] hello\n");
    bob.expect("--\n");
    bob.expect_next("[carol] hello\n");

    // Text that is not a name is not said either; a command is carried out.
    let mut peer = server.connect();
    peer.expect("로그인ID:");
    peer.send("길동").expect_next("[길동]님이 입장했습니다.\n");
    peer.send("안녕 여러분\n");
    let told = peer.expect_line();
    assert!(
        told.starts_with("이름이 길동으로 정해졌습니다. (") && told.ends_with("않았습니다."),
        "{told}"
    );
    let mut peer = server.connect();
    peer.expect("로그인ID:");
    peer.send("dave").expect_next("[dave]님이 입장했습니다.\n");
    peer.send("/quit\n").expect_closed();
}

#[test]
fn enter_after_a_packet_at_the_prompt_makes_no_guest() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let _alice = server.login("alice");
    let mut client = server.connect();
    client.expect("로그인ID:");
    client.send("alice").expect_next("이미 등록된 사용자입니다.\n").expect("로그인ID:");
    client.send("\r\n").wait_until_read();
    client.send("carol\r\n").expect_next("[carol]님이 입장했습니다.\n");
}

#[test]
fn nuls_of_packets_and_names_are_padding() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    for size in [6, 100, 1_024, 4_096] {
        let padded = |text: &str| [text.as_bytes(), &vec![0; size - text.len()]].concat();
        let mut carol = server.connect();
        carol.expect("로그인ID:");
        carol.send(padded("carol")).expect_next("[carol]님이 입장했습니다.\n");
        carol.send(padded("hello")).expect_next("[carol] hello\n");
        carol.send(padded("/quit")).expect_closed();
    }
    let mut carol = server.connect();
    carol.expect("로그인ID:");
    carol.send("carol\0\n").expect("[carol]님이 입장했습니다.\n");
    carol.send("\u{feff}hello\n\0").expect_next("[carol] hello\n");
    carol.send("//x\n\0/quit\n\0").expect_next("[carol] /x\n").expect_closed();
}

#[test]
fn the_last_key_may_come_with_enter() {
    let server = TestServer::start(|_| {});
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.type_characters("alices");
    alice.send("\x7f\r\n").expect_next("[alice]님이 입장했습니다.\r\n");
    alice.type_characters("안녕하");
    alice.send("\u{8}\r\n").expect_next("[alice] 안녕\r\n");
}

#[test]
fn utf16_is_named_and_makes_no_guest() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for text in ["\u{feff}alice\r\n안녕\r\n", "alice\r\nhi\r\n", "홍길동\r\nhi\r\n"] {
        for bytes in [little(text), big(text)] {
            let mut peer = server.connect();
            peer.expect("로그인ID:");
            peer.send(bytes);
            peer.finish_sending();
            let told = peer.expect_rest();
            assert!(told.starts_with("UTF-16입니다.") && told.contains("not UTF-8"), "{told:?}");
        }
    }
    let mut alice = server.login("alice");
    alice.send(little("\u{feff}/msg bob secret\r\n")).expect_next("UTF-16입니다.");
    alice.expect("\n");
    alice.send("fine\n").expect_next("[alice] fine\n");
    bob.expect_next("[alice]님이 입장했습니다.\n[alice] fine\n");
}

#[test]
fn binary_transmission_may_be_turned_on_and_off() {
    const BINARY: u8 = 0;
    let server = TestServer::start(|_| {});
    let mut alice = server.connect();
    alice.expect("로그인ID:");
    alice.send([IAC, WILL, BINARY, IAC, DO, BINARY]);
    alice.expect_next([IAC, DO, BINARY, IAC, WILL, BINARY]);
    // For these, Enter is a CR on its own.
    alice.send("홍길동\r").expect_next("[홍길동]님이 입장했습니다.\r\n");
    alice.send([IAC, WONT, BINARY, IAC, DONT, BINARY]);
    alice.expect_next([IAC, DONT, BINARY, IAC, WONT, BINARY]);
    alice.send("안녕\r\n").expect_next("[홍길동] 안녕\r\n");
}
