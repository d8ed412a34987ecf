//! What `/wire` explains of a member's own connection, in words.

use super::number::grouped;
use crate::{
    event::{WireFrame, WireFraming, WireNote, WireSide, WireTransport, escaped, wire::unhex},
    text::Lang,
};

impl WireNote {
    /// What it says, in words.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ko => in_korean(self),
            Lang::En => in_english(self),
        }
    }
}

/// A note as a line that nobody can have said: `-- wire: … --`.
pub(super) fn explained(note: &WireNote, lang: Lang) -> String {
    let label = match lang {
        Lang::Ko => "통신",
        Lang::En => "wire",
    };
    format!("-- {label}: {} --", note.text(lang))
}

fn in_english(note: &WireNote) -> String {
    match note {
        WireNote::Connection { transport, encrypted, framing } => {
            let transport = match transport {
                WireTransport::Tcp => "TCP",
                WireTransport::WebSocket => "WebSocket over TCP",
            };
            let encrypted = if *encrypted { ", encrypted by TLS" } else { "" };
            format!("{transport}{encrypted}; {}", english_framing(*framing))
        }
        WireNote::Framing { framing } => format!("from now on, {}", english_framing(*framing)),
        WireNote::Read { reads, bytes, start, hidden, lines, packet, waiting, cut, records } => {
            let mut text = match reads {
                1 => format!("read {}", many(*bytes, "byte")),
                _ => format!("read {} in {reads} reads", many(*bytes, "byte")),
            };
            if let Some(start) = start {
                let first = if *reads > 1 { ", the first" } else { "" };
                match (shown(start, *hidden), *reads) {
                    (Some(shown), _) => text.push_str(&format!("{first} {shown}")),
                    (None, 1) => text.push_str(", not shown"),
                    (None, _) => text.push_str(", the first not shown"),
                }
            }
            match (lines, *waiting) {
                (None, _) => {}
                (Some(lines), _) if *packet => {
                    text.push_str(": ");
                    if *lines > 0 {
                        text.push_str(&format!("{}, and ", many(*lines, "line")));
                    }
                    text.push_str("no line end, so what was read is a line");
                }
                (Some(0), 0) => text.push_str(": no text"),
                (Some(0), waiting) => {
                    let verb = if waiting == 1 { "waits" } else { "wait" };
                    text.push_str(&format!(": no line end, {} {verb}", many(waiting, "byte")));
                }
                (Some(lines), 0) => text.push_str(&format!(": {}", many(*lines, "line"))),
                (Some(lines), waiting) => {
                    let verb = if waiting == 1 { "waits" } else { "wait" };
                    let (lines, waiting) = (many(*lines, "line"), many(waiting, "byte"));
                    text.push_str(&format!(": {lines}, {waiting} {verb} for the line's end"));
                }
            }
            match cut {
                0 => {}
                1 => text.push_str("; the last one is part of a character"),
                cut => text.push_str(&format!("; the last {cut} are part of a character")),
            }
            if !records.is_empty() {
                text.push_str(&format!("; TLS records of {} bytes", added(records)));
            }
            text
        }
        WireNote::Telnet { commands, answers, more } => {
            let mut text = format!("telnet {}", commands.join(", "));
            if *more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
            if !answers.is_empty() {
                text.push_str(&format!("; answered {}", answers.join(", ")));
            }
            text
        }
        WireNote::Frame { from, frame, more } => {
            let from = match from {
                WireSide::Client => "your frame",
                WireSide::Server => "frame to you",
            };
            let mask = match &frame.mask {
                Some(mask) => format!("mask {mask}"),
                None => "no mask".into(),
            };
            let fin = if frame.fin { "FIN, " } else { "" };
            let (name, opcode) = (&frame.name, frame.opcode);
            let length = many(usize::try_from(frame.length).unwrap_or(usize::MAX), "byte");
            let mut text = format!("{from}: {fin}opcode {opcode} ({name}), {mask}, {length}");
            text.push_str(&payload(frame));
            if *more > 0 {
                text.push_str(&format!("; and {}", many(*more, "other")));
            }
            text
        }
        WireNote::Wait { waits, milliseconds } => {
            let times = if *waits == 1 { String::new() } else { format!(", {waits} times") };
            format!("the rate limit made you wait {milliseconds} ms{times}")
        }
        WireNote::Told { rounds, lines, bytes, members, calls } => {
            let rounds = match rounds {
                1 => "one round".into(),
                _ => format!("{rounds} rounds"),
            };
            let (lines, bytes) = (many(*lines, "line"), many(*bytes, "byte"));
            let (calls, members) = (many(*calls, "system call"), many(*members, "member"));
            format!("{rounds} for {members}: {lines}, {bytes}, sent to you in {calls}")
        }
        WireNote::Private { lines, bytes, calls } => {
            let (lines, bytes) = (many(*lines, "line"), many(*bytes, "byte"));
            format!("for you only: {lines}, {bytes}, sent in {}", many(*calls, "system call"))
        }
        WireNote::Filling { bytes, limit, milliseconds, skipped } => {
            let (bytes, limit) = (grouped(*bytes), grouped(*limit));
            let mut text = format!(
                "you read too slowly: {bytes} of {limit} bytes are waiting, the first for \
                 {milliseconds} ms"
            );
            if *skipped > 0 {
                text.push_str(&format!("; {} skipped so far", many(*skipped, "event")));
            }
            text
        }
        WireNote::Queue { bytes, limit, milliseconds, skipped, dropped } => {
            let (bytes, limit) = (grouped(*bytes), grouped(*limit));
            let mut text = format!(
                "you read too slowly: up to {bytes} of {limit} bytes waited; all sent after \
                 {milliseconds} ms"
            );
            if *skipped > 0 {
                text.push_str(&format!("; {} skipped", many(*skipped, "event")));
            }
            if *dropped > 0 {
                text.push_str(&format!("; {} like this dropped", many(*dropped, "line")));
            }
            text
        }
        WireNote::Unknown => "something that this program does not know".into(),
    }
}

fn english_framing(framing: WireFraming) -> &'static str {
    match framing {
        WireFraming::Lines => "a line ends with LF or CR LF",
        WireFraming::CarriageReturns => "a line ends with CR",
        WireFraming::Packets => "each read is a line, since you began without a line end",
        WireFraming::Messages => {
            "each WebSocket message is one chat message, in any number of frames"
        }
    }
}

fn in_korean(note: &WireNote) -> String {
    match note {
        WireNote::Connection { transport, encrypted, framing } => {
            let transport = match transport {
                WireTransport::Tcp => "TCP 연결",
                WireTransport::WebSocket => "TCP 위의 웹소켓 연결",
            };
            let encrypted = if *encrypted { "TLS로 암호화한 " } else { "" };
            format!("{encrypted}{transport}입니다. {}", korean_framing(*framing))
        }
        WireNote::Framing { framing } => format!("이제부터 {}", korean_framing(*framing)),
        WireNote::Read { reads, bytes, start, hidden, lines, packet, waiting, cut, records } => {
            let bytes = grouped(*bytes);
            let mut text = match reads {
                1 => format!("{bytes}바이트를 읽었습니다"),
                _ => format!("{reads}번에 걸쳐 {bytes}바이트를 읽었습니다"),
            };
            if let Some(start) = start {
                let first = if *reads > 1 { "처음은 " } else { "" };
                let shown = shown(start, *hidden).unwrap_or("가림".into());
                text.push_str(&format!("({first}{shown})"));
            }
            match (lines, *waiting) {
                (None, _) => {}
                (Some(lines), _) if *packet => {
                    let before = match lines {
                        0 => String::new(),
                        lines => format!("{}줄, ", grouped(*lines)),
                    };
                    text.push_str(&format!(": {before}줄 끝이 없어 읽은 것을 한 줄로 봅니다"));
                }
                (Some(0), 0) => text.push_str(": 글자가 없습니다"),
                (Some(0), waiting) => {
                    text.push_str(&format!(
                        ": 줄 끝이 없어 {}바이트가 기다립니다",
                        grouped(waiting)
                    ));
                }
                (Some(lines), 0) => text.push_str(&format!(": {}줄입니다", grouped(*lines))),
                (Some(lines), waiting) => {
                    let (lines, waiting) = (grouped(*lines), grouped(waiting));
                    text.push_str(&format!(
                        ": {lines}줄이고, {waiting}바이트는 줄 끝을 기다립니다"
                    ));
                }
            }
            if *cut > 0 {
                text.push_str(&format!(". 마지막 {cut}바이트는 잘린 글자의 앞부분입니다"));
            }
            if !records.is_empty() {
                text.push_str(&format!(". TLS 레코드는 {}바이트입니다", added(records)));
            }
            text
        }
        WireNote::Telnet { commands, answers, more } => {
            let mut text = format!("텔넷 명령 {}", commands.join(", "));
            if *more > 0 {
                text.push_str(&format!(" 외 {more}개"));
            }
            if !answers.is_empty() {
                text.push_str(&format!(". 답은 {}입니다", answers.join(", ")));
            }
            text
        }
        WireNote::Frame { from, frame, more } => {
            let from = match from {
                WireSide::Client => "내 프레임",
                WireSide::Server => "나에게 온 프레임",
            };
            let mask = match &frame.mask {
                Some(mask) => format!("마스크 {mask}"),
                None => "마스크 없음".into(),
            };
            let fin = if frame.fin { "FIN, " } else { "" };
            let (name, opcode, length) = (&frame.name, frame.opcode, frame.length);
            let mut text = format!("{from}: {fin}opcode {opcode}({name}), {mask}, {length}바이트");
            text.push_str(&payload(frame));
            if *more > 0 {
                text.push_str(&format!(". 그 밖에 {more}개가 더 있습니다"));
            }
            text
        }
        WireNote::Wait { waits, milliseconds } => {
            let times = if *waits == 1 { String::new() } else { format!("{waits}번에 걸쳐 ") };
            format!("속도 제한 때문에 {times}{milliseconds}ms를 기다렸습니다")
        }
        WireNote::Told { rounds, lines, bytes, members, calls } => {
            let (lines, bytes) = (grouped(*lines), grouped(*bytes));
            let rounds = match rounds {
                1 => "한 번에".into(),
                _ => format!("{rounds}번에 걸쳐"),
            };
            format!(
                "방에서 {members}명에게 {rounds} {lines}줄({bytes}바이트)을 보냈습니다. \
                 나에게는 시스템 호출 {calls}번으로 보냈습니다"
            )
        }
        WireNote::Private { lines, bytes, calls } => {
            let (lines, bytes) = (grouped(*lines), grouped(*bytes));
            format!("나에게만 {lines}줄({bytes}바이트)을 시스템 호출 {calls}번으로 보냈습니다")
        }
        WireNote::Filling { bytes, limit, milliseconds, skipped } => {
            let (bytes, limit) = (grouped(*bytes), grouped(*limit));
            let mut text = format!(
                "읽는 속도가 느립니다. {milliseconds}ms 전부터 밀려, 지금 {bytes}바이트(한도 {limit})가 \
                 기다립니다"
            );
            if *skipped > 0 {
                text.push_str(&format!(". 지금까지 알림 {}개를 건너뛰었습니다", grouped(*skipped)));
            }
            text
        }
        WireNote::Queue { bytes, limit, milliseconds, skipped, dropped } => {
            let (bytes, limit) = (grouped(*bytes), grouped(*limit));
            let mut text = format!(
                "읽는 속도가 느려 최대 {bytes}바이트(한도 {limit})가 밀렸습니다. {milliseconds}ms 만에 모두 \
                 보냈습니다"
            );
            if *skipped > 0 {
                text.push_str(&format!(". 알림 {}개를 건너뛰었습니다", grouped(*skipped)));
            }
            if *dropped > 0 {
                text.push_str(&format!(". 이런 설명 {}줄을 버렸습니다", grouped(*dropped)));
            }
            text
        }
        WireNote::Unknown => "이 프로그램이 모르는 알림입니다".into(),
    }
}

fn korean_framing(framing: WireFraming) -> &'static str {
    match framing {
        WireFraming::Lines => "줄은 LF나 CR LF로 끝납니다",
        WireFraming::CarriageReturns => "줄은 CR로 끝납니다",
        WireFraming::Packets => "줄 끝 없이 시작했으므로 한 번 읽은 것이 한 줄입니다",
        WireFraming::Messages => "프레임이 몇 개든 메시지 하나가 말 한마디입니다",
    }
}

/// `"hi\n"`, or `"/join"…` if more is hidden; none if all of it is.
fn shown(start: &str, hidden: bool) -> Option<String> {
    match (start, hidden) {
        ("", true) => None,
        (start, true) => Some(format!("\"{start}\"…")),
        (start, false) => Some(format!("\"{start}\"")),
    }
}

/// The beginning of a frame's payload, if it is shown.
fn payload(frame: &WireFrame) -> String {
    let start = unhex(&frame.payload);
    if let (8, [high, low, ..]) = (frame.opcode, &start[..]) {
        return format!(" {}", u16::from_be_bytes([*high, *low]));
    }
    match start[..] {
        [] => String::new(),
        _ => format!(" \"{}\"", escaped(&start)),
    }
}

/// `27 + 30`.
fn added(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|size| grouped(*size)).collect();
    sizes.join(" + ")
}

/// `1 line`, `2 lines`.
fn many(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Notice;

    #[track_caller]
    fn check(note: &WireNote, english: &str, korean: &str) {
        assert_eq!(Notice::Explained(note).text(Lang::En), format!("-- wire: {english} --"));
        assert_eq!(Notice::Explained(note).text(Lang::Ko), format!("-- 통신: {korean} --"));
    }

    #[derive(Clone, Copy, Default)]
    struct Reading {
        reads: usize,
        bytes: usize,
        lines: usize,
        packet: bool,
        waiting: usize,
        cut: usize,
    }

    fn read(start: &str, hidden: bool, reading: Reading) -> WireNote {
        let Reading { reads, bytes, lines, packet, waiting, cut } = reading;
        let (start, lines) = (Some(start.to_owned()), Some(lines));
        let records = Vec::new();
        WireNote::Read { reads, bytes, start, hidden, lines, packet, waiting, cut, records }
    }

    #[test]
    fn a_read_is_explained() {
        let one = Reading { reads: 1, ..Reading::default() };
        check(
            &read("hi\\n", false, Reading { bytes: 3, lines: 1, ..one }),
            "read 3 bytes \"hi\\n\": 1 line",
            "3바이트를 읽었습니다(\"hi\\n\"): 1줄입니다",
        );
        check(
            &read("안\\xeb", false, Reading { bytes: 4, waiting: 4, cut: 1, ..one }),
            "read 4 bytes \"안\\xeb\": no line end, 4 bytes wait; \
             the last one is part of a character",
            "4바이트를 읽었습니다(\"안\\xeb\"): 줄 끝이 없어 4바이트가 기다립니다. \
             마지막 1바이트는 잘린 글자의 앞부분입니다",
        );
        check(
            &read("hello", false, Reading { bytes: 5, packet: true, ..one }),
            "read 5 bytes \"hello\": no line end, so what was read is a line",
            "5바이트를 읽었습니다(\"hello\"): 줄 끝이 없어 읽은 것을 한 줄로 봅니다",
        );
        check(
            &read("/join", true, Reading { bytes: 38, lines: 1, ..one }),
            "read 38 bytes \"/join\"…: 1 line",
            "38바이트를 읽었습니다(\"/join\"…): 1줄입니다",
        );
        check(
            &read("", true, Reading { bytes: 3, waiting: 3, ..one }),
            "read 3 bytes, not shown: no line end, 3 bytes wait",
            "3바이트를 읽었습니다(가림): 줄 끝이 없어 3바이트가 기다립니다",
        );
        check(
            &read("", true, Reading { reads: 2, bytes: 6, lines: 1, ..one }),
            "read 6 bytes in 2 reads, the first not shown: 1 line",
            "2번에 걸쳐 6바이트를 읽었습니다(처음은 가림): 1줄입니다",
        );
        let many = Reading { reads: 40, bytes: 1_040, lines: 12, waiting: 1, ..one };
        check(
            &read("a", false, many),
            "read 1,040 bytes in 40 reads, the first \"a\": 12 lines, \
             1 byte waits for the line's end",
            "40번에 걸쳐 1,040바이트를 읽었습니다(처음은 \"a\"): 12줄이고, 1바이트는 줄 끝을 \
             기다립니다",
        );
    }

    #[test]
    fn transport_framing_and_telnet_are_explained() {
        let WireNote::Read { reads, bytes, hidden, packet, waiting, cut, .. } =
            read("", false, Reading { reads: 1, bytes: 9, ..Reading::default() })
        else {
            panic!("it is one")
        };
        let (start, lines, records) = (None, None, vec![31, 22]);
        check(
            &WireNote::Read { reads, bytes, start, hidden, lines, packet, waiting, cut, records },
            "read 9 bytes; TLS records of 31 + 22 bytes",
            "9바이트를 읽었습니다. TLS 레코드는 31 + 22바이트입니다",
        );
        let connection =
            |transport, encrypted, framing| WireNote::Connection { transport, encrypted, framing };
        check(
            &connection(WireTransport::Tcp, false, WireFraming::Lines),
            "TCP; a line ends with LF or CR LF",
            "TCP 연결입니다. 줄은 LF나 CR LF로 끝납니다",
        );
        check(
            &connection(WireTransport::WebSocket, true, WireFraming::Messages),
            "WebSocket over TCP, encrypted by TLS; each WebSocket message is one chat message, in any \
             number of frames",
            "TLS로 암호화한 TCP 위의 웹소켓 연결입니다. 프레임이 몇 개든 메시지 하나가 말 \
             한마디입니다",
        );
        check(
            &WireNote::Framing { framing: WireFraming::Lines },
            "from now on, a line ends with LF or CR LF",
            "이제부터 줄은 LF나 CR LF로 끝납니다",
        );
        check(
            &WireNote::Telnet {
                commands: vec!["DO ECHO".into(), "WILL NAWS".into()],
                answers: vec!["WONT ECHO".into()],
                more: 3,
            },
            "telnet DO ECHO, WILL NAWS and 3 more; answered WONT ECHO",
            "텔넷 명령 DO ECHO, WILL NAWS 외 3개. 답은 WONT ECHO입니다",
        );
    }

    #[test]
    fn frames_are_explained() {
        let frame = |opcode, name: &str, mask: Option<&str>, length, payload: &str| WireFrame {
            fin: true,
            reserved: false,
            opcode,
            name: name.into(),
            header: String::new(),
            mask: mask.map(str::to_owned),
            length,
            payload: payload.into(),
        };
        let text = frame(1, "text", Some("01 02 03 04"), 2, "68 69");
        check(
            &WireNote::Frame { from: WireSide::Client, frame: text, more: 0 },
            "your frame: FIN, opcode 1 (text), mask 01 02 03 04, 2 bytes \"hi\"",
            "내 프레임: FIN, opcode 1(text), 마스크 01 02 03 04, 2바이트 \"hi\"",
        );
        let close = frame(8, "close", None, 2, "03 e8");
        check(
            &WireNote::Frame { from: WireSide::Server, frame: close, more: 2 },
            "frame to you: FIN, opcode 8 (close), no mask, 2 bytes 1000; and 2 others",
            "나에게 온 프레임: FIN, opcode 8(close), 마스크 없음, 2바이트 1000. 그 밖에 2개가 더 있습니다",
        );
    }

    #[test]
    fn waits_rounds_and_queues_are_explained() {
        check(
            &WireNote::Wait { waits: 1, milliseconds: 100 },
            "the rate limit made you wait 100 ms",
            "속도 제한 때문에 100ms를 기다렸습니다",
        );
        check(
            &WireNote::Told { rounds: 1, lines: 1, bytes: 11, members: 3, calls: 1 },
            "one round for 3 members: 1 line, 11 bytes, sent to you in 1 system call",
            "방에서 3명에게 한 번에 1줄(11바이트)을 보냈습니다. 나에게는 시스템 호출 1번으로 \
             보냈습니다",
        );
        check(
            &WireNote::Private { lines: 2, bytes: 1_100, calls: 1 },
            "for you only: 2 lines, 1,100 bytes, sent in 1 system call",
            "나에게만 2줄(1,100바이트)을 시스템 호출 1번으로 보냈습니다",
        );
        check(
            &WireNote::Filling { bytes: 200_000, limit: 262_144, milliseconds: 900, skipped: 3 },
            "you read too slowly: 200,000 of 262,144 bytes are waiting, the first for 900 ms; \
             3 events skipped so far",
            "읽는 속도가 느립니다. 900ms 전부터 밀려, 지금 200,000바이트(한도 262,144)가 기다립니다. \
             지금까지 알림 3개를 건너뛰었습니다",
        );
        check(
            &WireNote::Queue {
                bytes: 262_000,
                limit: 262_144,
                milliseconds: 1_200,
                skipped: 37,
                dropped: 1,
            },
            "you read too slowly: up to 262,000 of 262,144 bytes waited; all sent after 1200 ms; \
             37 events skipped; 1 line like this dropped",
            "읽는 속도가 느려 최대 262,000바이트(한도 262,144)가 밀렸습니다. 1200ms 만에 모두 보냈습니다. \
             알림 37개를 건너뛰었습니다. 이런 설명 1줄을 버렸습니다",
        );
    }
}
