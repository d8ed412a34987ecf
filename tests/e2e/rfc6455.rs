//! The rules of WebSocket, as the public Autobahn test suite checks them with an echo server: the
//! cases of its sections 1 to 7 and 10 by number, and those of section 9 except for some sizes.

use std::time::Duration;

use madang_tests::{DEADLINE, Frame, TestServer, WebSocketClient, frame};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const CONTINUATION: u8 = 0x80;

/// Without this bit in its first byte, a frame is a fragment to be continued.
const FIN: u8 = 0x80;

const NORMAL: Option<u16> = Some(1000);
const PROTOCOL_ERROR: Option<u16> = Some(1002);
const NOT_UTF8: Option<u16> = Some(1007);

/// How the bytes are split into writes.
#[derive(Debug, Clone, Copy)]
enum Chop {
    Whole,
    Frames,
    Bytes(usize),
}
use Chop::{Bytes, Frames, Whole};

/// Sends `frames`, expects `answers`, and then the end: a Close frame with `code`, or the
/// answer to this side's Close frame if it has to send one first.
#[track_caller]
fn check(
    server: &TestServer,
    case: &str,
    chop: Chop,
    frames: &[Vec<u8>],
    answers: &[(u8, &[u8])],
    code: Option<u16>,
) {
    eprintln!("case {case}, {chop:?}");
    let mut client = WebSocketClient::open(server.web_address(), "/echo", &[]);
    match chop {
        Whole => _ = client.raw().try_send(frames.concat()),
        Frames => frames.iter().for_each(|frame| _ = client.raw().try_send(frame)),
        Bytes(count) => {
            frames.concat().chunks(count).for_each(|piece| _ = client.raw().try_send(piece));
        }
    }
    for (first, payload) in answers {
        let answer = client.expect_frame();
        let expected = Frame { first: *first, payload: payload.to_vec() };
        assert_eq!(answer, expected, "case {case}");
    }
    let failed = matches!(code, Some(1002 | 1007));
    let closes = frames.iter().any(|frame| frame[0] == CLOSE);
    if !failed && !closes {
        client.send_close(1000);
    }
    assert_eq!(client.expect_close(), code, "case {case}");
}

fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(TEXT, payload)
}

#[test]
fn section_1_frames_of_every_length_are_echoed() {
    let server = TestServer::start_verbatim_echo();
    let sizes = [0, 125, 126, 127, 128, 65_535, 65_536];
    for (kind, byte) in [(TEXT, b'*'), (BINARY, 0xfe)] {
        for (at, size) in sizes.into_iter().enumerate() {
            let payload = vec![byte; size];
            let case = format!("1.{}.{}", kind - FIN, at + 1);
            check(&server, &case, Whole, &[frame(kind, &payload)], &[(kind, &payload)], NORMAL);
        }
        let payload = vec![byte; 65_536];
        let case = format!("1.{}.8", kind - FIN);
        check(&server, &case, Bytes(997), &[frame(kind, &payload)], &[(kind, &payload)], NORMAL);
    }
}

#[test]
fn section_2_pings_are_answered_and_pongs_are_not() {
    let server = TestServer::start_verbatim_echo();
    let longest = [0xfe; 125];
    let payloads: [(&str, &[u8]); 4] = [
        ("2.1", b""),
        ("2.2", b"Hello, world!"),
        ("2.3", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
        ("2.4", &longest),
    ];
    for (case, payload) in payloads {
        check(&server, case, Whole, &[frame(PING, payload)], &[(PONG, payload)], NORMAL);
    }
    check(&server, "2.5", Whole, &[frame(PING, [0xfe; 126])], &[], PROTOCOL_ERROR);
    check(&server, "2.6", Bytes(1), &[frame(PING, longest)], &[(PONG, &longest)], NORMAL);
    check(&server, "2.7", Whole, &[frame(PONG, "")], &[], NORMAL);
    let unsolicited = frame(PONG, "unsolicited pong payload");
    check(&server, "2.8", Whole, std::slice::from_ref(&unsolicited), &[], NORMAL);
    let ping = frame(PING, "ping payload");
    check(&server, "2.9", Whole, &[unsolicited, ping], &[(PONG, b"ping payload")], NORMAL);
    let payloads: Vec<String> = (0..10).map(|at| format!("payload-{at}")).collect();
    let pings: Vec<_> = payloads.iter().map(|payload| frame(PING, payload)).collect();
    let pongs: Vec<_> = payloads.iter().map(|payload| (PONG, payload.as_bytes())).collect();
    check(&server, "2.10", Whole, &pings, &pongs, NORMAL);
    check(&server, "2.11", Bytes(1), &pings, &pongs, NORMAL);
}

#[test]
fn section_3_reserved_bits_end_the_connection() {
    let server = TestServer::start_verbatim_echo();
    let hello = b"Hello, world!";
    let reserved = |bits: u8, kind: u8| frame(kind | bits << 4, hello);
    check(&server, "3.1", Whole, &[reserved(4, TEXT)], &[], PROTOCOL_ERROR);
    for (case, bits, chop) in
        [("3.2", 2, Whole), ("3.3", 3, Frames), ("3.4", 4, Bytes(1)), ("3.4", 1, Bytes(1))]
    {
        let frames = [text(hello), reserved(bits, TEXT), frame(PING, "")];
        check(&server, case, chop, &frames, &[(TEXT, hello)], PROTOCOL_ERROR);
    }
    check(&server, "3.5", Whole, &[reserved(5, BINARY)], &[], PROTOCOL_ERROR);
    check(&server, "3.6", Whole, &[reserved(6, PING)], &[], PROTOCOL_ERROR);
    check(&server, "3.7", Whole, &[frame(CLOSE | 0x70, "")], &[], PROTOCOL_ERROR);
}

#[test]
fn section_4_reserved_opcodes_end_the_connection() {
    let server = TestServer::start_verbatim_echo();
    let hello = b"Hello, world!";
    for (section, opcodes) in [("4.1", 3..=7), ("4.2", 11..=15)] {
        for (at, opcode) in opcodes.enumerate() {
            let case = format!("{section}.{}", at + 1);
            let payload: &[u8] = if at % 2 == 0 { b"" } else { b"reserved opcode payload" };
            let reserved = frame(FIN | opcode, payload);
            if at < 2 {
                check(&server, &case, Whole, &[reserved], &[], PROTOCOL_ERROR);
                continue;
            }
            let chop = [Whole, Frames, Bytes(1)][at - 2];
            let frames = [text(hello), reserved, frame(PING, "")];
            check(&server, &case, chop, &frames, &[(TEXT, hello)], PROTOCOL_ERROR);
        }
    }
}

#[test]
fn section_5_fragments_are_put_together_and_control_frames_come_between() {
    let server = TestServer::start_verbatim_echo();
    let first = |payload: &str| frame(TEXT - FIN, payload);
    let middle = |payload: &str| frame(CONTINUATION - FIN, payload);
    let last = |payload: &str| frame(CONTINUATION, payload);
    let both: &[u8] = b"fragment1fragment2";
    for (case, kind) in [("5.1", PING), ("5.2", PONG)] {
        let fragments = [frame(kind - FIN, "fragment1"), last("fragment2")];
        check(&server, case, Whole, &fragments, &[], PROTOCOL_ERROR);
    }
    let fragments = [first("fragment1"), last("fragment2")];
    for (case, chop) in [("5.3", Whole), ("5.4", Frames), ("5.5", Bytes(1))] {
        check(&server, case, chop, &fragments, &[(TEXT, both)], NORMAL);
    }
    let fragments = [first("fragment1"), frame(PING, "ping payload"), last("fragment2")];
    for (case, chop) in [("5.6", Whole), ("5.7", Frames), ("5.8", Bytes(1))] {
        let answers = [(PONG, &b"ping payload"[..]), (TEXT, both)];
        check(&server, case, chop, &fragments, &answers, NORMAL);
    }
    for (cases, fin) in [(["5.9", "5.10", "5.11"], FIN), (["5.12", "5.13", "5.14"], 0)] {
        let continuation = frame(fin, "non-continuation payload");
        let frames = [continuation, text("Hello, world!")];
        for (case, chop) in cases.into_iter().zip([Whole, Frames, Bytes(1)]) {
            check(&server, case, chop, &frames, &[], PROTOCOL_ERROR);
        }
    }
    let frames = [first("fragment1"), last("fragment2"), middle("fragment3"), text("fragment4")];
    check(&server, "5.15", Whole, &frames, &[(TEXT, both)], PROTOCOL_ERROR);
    for (case, orphan) in [("5.16", middle("fragment1")), ("5.17", last("fragment1"))] {
        let frames = [orphan, first("fragment2"), last("fragment3")];
        check(&server, case, Whole, &frames, &[], PROTOCOL_ERROR);
    }
    let frames = [first("fragment1"), text("fragment2")];
    check(&server, "5.18", Whole, &frames, &[], PROTOCOL_ERROR);
    let frames = [
        first("fragment1"),
        middle("fragment2"),
        frame(PING, "pongme 1!"),
        middle("fragment3"),
        middle("fragment4"),
        frame(PING, "pongme 2!"),
        last("fragment5"),
    ];
    let all = b"fragment1fragment2fragment3fragment4fragment5";
    let answers = [(PONG, &b"pongme 1!"[..]), (PONG, b"pongme 2!"), (TEXT, all)];
    for (case, chop) in [("5.19", Whole), ("5.20", Frames)] {
        check(&server, case, chop, &frames, &answers, NORMAL);
    }
}

/// A text as one frame, and with each byte as a fragment.
fn whole_and_by_byte(payload: &[u8]) -> [Vec<Vec<u8>>; 2] {
    [vec![text(payload)], fragments(TEXT, payload, 1)]
}

#[test]
fn section_6_what_is_utf8_is_echoed() {
    let server = TestServer::start_verbatim_echo();
    check(&server, "6.1.1", Whole, &[text("")], &[(TEXT, b"")], NORMAL);
    for (case, between) in [("6.1.2", ""), ("6.1.3", "middle frame payload")] {
        let frames =
            [frame(TEXT - FIN, ""), frame(CONTINUATION - FIN, between), frame(CONTINUATION, "")];
        check(&server, case, Whole, &frames, &[(TEXT, between.as_bytes())], NORMAL);
    }
    let greeting = "Hello-µ@ßöäüàá-UTF-8!!";
    let (start, end) = greeting.split_at("Hello-µ@ßöä".len());
    let frames = [frame(TEXT - FIN, start), frame(CONTINUATION, end)];
    check(&server, "6.2.2", Whole, &frames, &[(TEXT, greeting.as_bytes())], NORMAL);
    let valid: &[(&str, &str)] = &[
        ("6.2.1, 6.2.3", greeting),
        ("6.5.1", "hello$world"),
        ("6.5.2", "hello¢world"),
        ("6.5.3", "hello€world"),
        ("6.5.4", "hello\u{24b62}world"),
        ("6.2.4, 6.5.5", "κόσμε"),
        ("6.6.2", "κ"),
        ("6.6.5", "κό"),
        ("6.6.7", "κόσ"),
        ("6.6.9", "κόσμ"),
        ("6.6.11", "κόσμε"),
        ("6.7.1", "\0"),
        ("6.7.2", "\u{80}"),
        ("6.7.3", "\u{800}"),
        ("6.7.4", "\u{10000}"),
        ("6.9.1", "\u{7f}"),
        ("6.9.2", "\u{7ff}"),
        ("6.9.3", "\u{ffff}"),
        ("6.9.4", "\u{10ffff}"),
        ("6.11.1", "\u{d7ff}"),
        ("6.11.2", "\u{e000}"),
        ("6.11.3", "\u{fffd}"),
        ("6.11.4", "\u{10ffff}"),
        ("6.22.1", "\u{fffe}"),
        ("6.22.2", "\u{ffff}"),
        ("6.23.1", "\u{fff9}\u{fffa}\u{fffb}\u{fffc}\u{fffd}\u{fffe}\u{ffff}"),
    ];
    for (case, payload) in valid {
        for frames in whole_and_by_byte(payload.as_bytes()) {
            check(&server, case, Whole, &frames, &[(TEXT, payload.as_bytes())], NORMAL);
        }
    }
    for plane in 1..=16u32 {
        for end in [0xfffe, 0xffff] {
            let character = char::from_u32(plane << 16 | end).expect("it is in a plane");
            let payload = character.to_string();
            let frames = [text(&payload)];
            check(&server, "6.22.3–34", Whole, &frames, &[(TEXT, payload.as_bytes())], NORMAL);
        }
    }
}

#[test]
fn section_6_what_is_not_utf8_ends_the_connection() {
    let server = TestServer::start_verbatim_echo();
    let surrogate = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    let invalid: &[(&str, &[u8])] = &[
        ("6.3", surrogate),
        ("6.6.1", b"\xce"),
        ("6.6.3", b"\xce\xba\xe1"),
        ("6.6.4", b"\xce\xba\xe1\xbd"),
        ("6.6.6", b"\xce\xba\xe1\xbd\xb9\xcf"),
        ("6.6.8", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce"),
        ("6.6.10", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce"),
        ("6.8.1", b"\xf8\x88\x80\x80\x80"),
        ("6.8.2", b"\xfc\x84\x80\x80\x80\x80"),
        ("6.10.1", b"\xf7\xbf\xbf\xbf"),
        ("6.10.2", b"\xfb\xbf\xbf\xbf\xbf"),
        ("6.10.3", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
        ("6.11.5", b"\xf4\x90\x80\x80"),
        ("6.12.1", b"\x80"),
        ("6.12.2", b"\xbf"),
        ("6.12.3", b"\x80\xbf"),
        ("6.12.4", b"\x80\xbf\x80"),
        ("6.12.5", b"\x80\xbf\x80\xbf"),
        ("6.12.6", b"\x80\xbf\x80\xbf\x80"),
        ("6.12.7", b"\x80\xbf\x80\xbf\x80\xbf"),
        ("6.14.1", b"\xc0"),
        ("6.14.2", b"\xe0\x80"),
        ("6.14.3", b"\xf0\x80\x80"),
        ("6.14.4", b"\xf8\x80\x80\x80"),
        ("6.14.5", b"\xfc\x80\x80\x80\x80"),
        ("6.14.6", b"\xdf"),
        ("6.14.7", b"\xef\xbf"),
        ("6.14.8", b"\xf7\xbf\xbf"),
        ("6.14.9", b"\xfb\xbf\xbf\xbf"),
        ("6.14.10", b"\xfd\xbf\xbf\xbf\xbf"),
        ("6.16.1", b"\xfe"),
        ("6.16.2", b"\xff"),
        ("6.16.3", b"\xfe\xfe\xff\xff"),
        ("6.17.1", b"\xc0\xaf"),
        ("6.17.2", b"\xe0\x80\xaf"),
        ("6.17.3", b"\xf0\x80\x80\xaf"),
        ("6.17.4", b"\xf8\x80\x80\x80\xaf"),
        ("6.17.5", b"\xfc\x80\x80\x80\x80\xaf"),
        ("6.18.1", b"\xc1\xbf"),
        ("6.18.2", b"\xe0\x9f\xbf"),
        ("6.18.3", b"\xf0\x8f\xbf\xbf"),
        ("6.18.4", b"\xf8\x87\xbf\xbf\xbf"),
        ("6.18.5", b"\xfc\x83\xbf\xbf\xbf\xbf"),
        ("6.19.1", b"\xc0\x80"),
        ("6.19.2", b"\xe0\x80\x80"),
        ("6.19.3", b"\xf0\x80\x80\x80"),
        ("6.19.4", b"\xf8\x80\x80\x80\x80"),
        ("6.19.5", b"\xfc\x80\x80\x80\x80\x80"),
        ("6.20.1", b"\xed\xa0\x80"),
        ("6.20.2", b"\xed\xad\xbf"),
        ("6.20.3", b"\xed\xae\x80"),
        ("6.20.4", b"\xed\xaf\xbf"),
        ("6.20.5", b"\xed\xb0\x80"),
        ("6.20.6", b"\xed\xbe\x80"),
        ("6.20.7", b"\xed\xbf\xbf"),
        ("6.21.1", b"\xed\xa0\x80\xed\xb0\x80"),
        ("6.21.2", b"\xed\xa0\x80\xed\xbf\xbf"),
        ("6.21.3", b"\xed\xad\xbf\xed\xb0\x80"),
        ("6.21.4", b"\xed\xad\xbf\xed\xbf\xbf"),
        ("6.21.5", b"\xed\xae\x80\xed\xb0\x80"),
        ("6.21.6", b"\xed\xae\x80\xed\xbf\xbf"),
        ("6.21.7", b"\xed\xaf\xbf\xed\xb0\x80"),
        ("6.21.8", b"\xed\xaf\xbf\xed\xbf\xbf"),
    ];
    for (case, payload) in invalid {
        for frames in whole_and_by_byte(payload) {
            check(&server, case, Whole, &frames, &[], NOT_UTF8);
        }
    }
    let not_utf8 = |case: &str, payload: &[u8]| {
        check(&server, case, Whole, &[text(payload)], &[], NOT_UTF8);
    };
    not_utf8("6.12.8", &(0x80..0xbf).collect::<Vec<u8>>());
    let starts = [0xc0..0xdf, 0xe0..0xef, 0xf0..0xf7, 0xf8..0xfb, 0xfc..0xfdu8];
    for (at, starts) in starts.into_iter().enumerate() {
        let lonely: Vec<u8> = starts.flat_map(|start| [start, b' ']).collect();
        not_utf8(&format!("6.13.{}", at + 1), &lonely);
    }
    let incomplete = invalid.iter().filter(|(case, _)| case.starts_with("6.14"));
    let incomplete: Vec<&[u8]> = incomplete.map(|(_, payload)| *payload).collect();
    not_utf8("6.15.1", &incomplete.concat());
}

#[test]
fn section_6_4_what_can_not_become_utf8_is_not_waited_for() {
    let server = TestServer::start_verbatim_echo();
    let valid = "κόσμε".as_bytes();
    let cases: [(&str, &[u8]); 2] = [("6.4.1", b"\xf4\x90\x80\x80"), ("6.4.2", b"\xf4\x90")];
    for (case, invalid) in cases {
        let frames = [frame(TEXT - FIN, valid), frame(CONTINUATION - FIN, invalid)];
        check(&server, case, Frames, &frames, &[], NOT_UTF8);
        // The same in one frame that never ends: 6.4.3, 6.4.4.
        let mut whole = text([valid, invalid, b"edited"].concat());
        whole.truncate(whole.len() - b"edited".len());
        check(&server, case, Frames, &[whole], &[], NOT_UTF8);
    }
}

#[test]
fn section_7_closing_is_answered_and_nothing_follows() {
    let server = TestServer::start_verbatim_echo();
    let close = |payload: &[u8]| frame(CLOSE, payload);
    let normal = close(&1000u16.to_be_bytes());
    let hello: &[u8] = b"Hello World!";
    let frames = [text(hello), normal.clone()];
    check(&server, "7.1.1", Whole, &frames, &[(TEXT, hello)], NORMAL);
    check(&server, "7.1.2", Whole, &[normal.clone(), normal.clone()], &[], NORMAL);
    check(&server, "7.1.3", Whole, &[normal.clone(), frame(PING, "")], &[], NORMAL);
    check(&server, "7.1.4", Whole, &[normal.clone(), text(hello)], &[], NORMAL);
    let frames = [frame(TEXT - FIN, "fragment1"), normal.clone(), frame(CONTINUATION, "fragment2")];
    check(&server, "7.1.5", Whole, &frames, &[], NORMAL);
    let long = vec![b'*'; 256 << 10];
    let frames = [text(&long), text(hello), normal.clone(), frame(PING, "")];
    check(&server, "7.1.6", Whole, &frames, &[(TEXT, &long), (TEXT, hello)], NORMAL);

    check(&server, "7.3.1", Whole, &[close(b"")], &[], None);
    check(&server, "7.3.2", Whole, &[close(b"a")], &[], PROTOCOL_ERROR);
    check(&server, "7.3.3", Whole, &[normal], &[], NORMAL);
    let reason = |bytes: usize| [&1000u16.to_be_bytes()[..], &vec![b'*'; bytes]].concat();
    check(&server, "7.3.4", Whole, &[close(&reason(12))], &[], NORMAL);
    check(&server, "7.3.5", Whole, &[close(&reason(123))], &[], NORMAL);
    check(&server, "7.3.6", Whole, &[close(&reason(124))], &[], PROTOCOL_ERROR);
    let invalid = b"\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    check(&server, "7.5.1", Whole, &[close(invalid)], &[], NOT_UTF8);
}

#[test]
fn section_7_codes_that_may_be_sent_are_told_from_others() {
    let server = TestServer::start_verbatim_echo();
    let close = |code: u16| [frame(CLOSE, code.to_be_bytes())];
    let valid = [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    for code in valid {
        check(&server, "7.7", Whole, &close(code), &[], Some(code));
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        check(&server, "7.9, 7.13", Whole, &close(code), &[], PROTOCOL_ERROR);
    }
}

/// A message in fragments of `size` bytes.
fn fragments(kind: u8, payload: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(bytes);
    let pieces = payload.chunks(bytes).enumerate();
    let fragments = pieces.map(|(at, piece)| {
        let kind = if at == 0 { kind } else { CONTINUATION };
        let fin = if at + 1 == count { 0 } else { FIN };
        frame(kind - fin, piece)
    });
    fragments.collect()
}

#[test]
fn section_10_a_message_in_many_fragments_is_echoed() {
    let server = TestServer::start_verbatim_echo();
    let payload = vec![b'*'; 65_536];
    let frames = fragments(TEXT, &payload, 1_300);
    check(&server, "10.1.1", Whole, &frames, &[(TEXT, &payload)], NORMAL);
}

#[test]
fn section_9_messages_of_every_size_are_echoed() {
    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    let server = TestServer::start_verbatim_echo();
    for (section, kind, byte) in [("9.1", TEXT, b'*'), ("9.2", BINARY, 0xfe)] {
        for size in [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB] {
            let payload = vec![byte; size];
            check(&server, section, Whole, &[frame(kind, &payload)], &[(kind, &payload)], NORMAL);
        }
        let mut client = WebSocketClient::open(server.web_address(), "/echo", &[]);
        client.raw().try_send(&frame(kind, vec![byte; 16 * MIB + 1])[..MIB]);
        assert_eq!(client.expect_close(), Some(1009));
    }
    for (section, kind, byte) in [("9.3", TEXT, b'*'), ("9.4", BINARY, 0xfe)] {
        let payload = vec![byte; 4 * MIB];
        for size in [64, KIB, 16 * KIB, 256 * KIB, 4 * MIB] {
            let fragments = fragments(kind, &payload, size);
            check(&server, section, Whole, &fragments, &[(kind, &payload)], NORMAL);
        }
    }
    for (section, kind, byte) in [("9.5", TEXT, b'*'), ("9.6", BINARY, 0xfe)] {
        let payload = vec![byte; MIB];
        for chop in [64, 512, 2_048] {
            let frames = [frame(kind, &payload)];
            check(&server, section, Bytes(chop), &frames, &[(kind, &payload)], NORMAL);
        }
    }
    for (section, kind, byte) in [("9.7", TEXT, b'*'), ("9.8", BINARY, 0xfe)] {
        eprintln!("case {section}");
        let mut client = WebSocketClient::open(server.web_address(), "/echo", &[]);
        for size in [0, 16, 64, 256, KIB, 4 * KIB] {
            let payload = vec![byte; size];
            for _ in 0..100 {
                client.send_frame(kind, &payload);
                assert_eq!(client.expect_frame(), Frame { first: kind, payload: payload.clone() });
            }
        }
    }
}

#[test]
fn an_echo_lives_as_long_as_it_is_pinged() {
    let server = TestServer::start(|config| {
        config.echo.websocket.ping_interval = Duration::from_millis(50);
        config.echo.websocket.pong_timeout = DEADLINE;
    });
    let mut client = WebSocketClient::open(server.web_address(), "/echo", &[]);
    for _ in 0..3 {
        assert_eq!(client.expect_frame(), Frame { first: PING, payload: Vec::new() });
        client.send_frame(PONG, "");
    }
    client.send("still here");
    assert_eq!(client.expect_message(), "echo : still here");
}
