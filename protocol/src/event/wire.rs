//! What a member is told about its own connection (`/wire`): notes, and how several of one kind
//! become one. Their words are in [`notice`](crate::notice).

use serde::{Deserialize, Serialize};

use super::is_false;
use crate::{invisible::is_invisible, sanitize::is_mark};

/// The number of telnet commands, or of TLS records, that a note lists.
const LISTED: usize = 8;

/// Something that the server has seen of the connection, or several things of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum WireNote {
    /// How the connection travels; the first note.
    Connection {
        /// What carries the lines.
        transport: WireTransport,
        /// Whether it is encrypted (TLS).
        #[serde(default, skip_serializing_if = "is_false")]
        encrypted: bool,
        /// How the server finds the end of a line.
        framing: WireFraming,
    },
    /// How the server finds the end of a line has changed.
    Framing {
        /// How it does from now on.
        framing: WireFraming,
    },
    /// Bytes have arrived.
    Read {
        /// In how many reads.
        reads: usize,
        /// How many bytes, without TLS.
        bytes: usize,
        /// The first of them, escaped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<String>,
        /// Whether `start` ends before something that may be secret.
        #[serde(default, skip_serializing_if = "is_false")]
        hidden: bool,
        /// How many lines ended in them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lines: Option<usize>,
        /// Whether bytes without a line end were taken for a line.
        #[serde(default, skip_serializing_if = "is_false")]
        packet: bool,
        /// How many bytes wait for the rest of their line.
        #[serde(default, skip_serializing_if = "is_zero")]
        waiting: usize,
        /// How many of these are the beginning of a character that was cut in two.
        #[serde(default, skip_serializing_if = "is_zero")]
        cut: usize,
        /// Over TLS: the sizes of the first records that brought them, as they travelled.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        records: Vec<usize>,
    },
    /// Telnet commands have arrived.
    Telnet {
        /// The first of them by name, such as `DO ECHO`.
        commands: Vec<String>,
        /// The answers to all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        answers: Vec<String>,
        /// How many commands are not listed.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: usize,
    },
    /// A WebSocket frame.
    Frame {
        /// Who sent it.
        from: WireSide,
        /// The frame, or the first of several.
        #[serde(flatten)]
        frame: WireFrame,
        /// How many others there were.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: usize,
    },
    /// The rate limit has made the connection wait.
    Wait {
        /// How often.
        waits: usize,
        /// For how long in all.
        milliseconds: u64,
    },
    /// A round of the room was sent to the member.
    Told {
        /// How many rounds.
        rounds: usize,
        /// How many lines they held.
        lines: usize,
        /// How many bytes, without TLS.
        bytes: usize,
        /// To how many members the last one went.
        members: usize,
        /// In how many system calls they went to the member.
        calls: usize,
    },
    /// Lines for this member only were sent: answers, acks, whispers, history.
    Private {
        /// How many lines.
        lines: usize,
        /// How many bytes, without TLS.
        bytes: usize,
        /// In how many system calls they went to the member.
        calls: usize,
    },
    /// The member reads more slowly than others speak: much waits, and some of it is read by now.
    /// It comes before what waits.
    Filling {
        /// How much waits, in bytes.
        bytes: usize,
        /// How much may wait.
        limit: usize,
        /// For how long something has waited.
        milliseconds: u64,
        /// How many events were skipped so far.
        #[serde(default, skip_serializing_if = "is_zero")]
        skipped: usize,
    },
    /// The member read more slowly than others spoke, and has read everything by now.
    Queue {
        /// The most that waited, in bytes.
        bytes: usize,
        /// How much may wait.
        limit: usize,
        /// How long it took until everything was sent.
        milliseconds: u64,
        /// How many events were skipped.
        #[serde(default, skip_serializing_if = "is_zero")]
        skipped: usize,
        /// How many notes were dropped meanwhile.
        #[serde(default, skip_serializing_if = "is_zero")]
        dropped: usize,
    },
    /// Another kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// What carries a connection's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireTransport {
    /// Bytes over TCP.
    Tcp,
    /// Messages in WebSocket frames.
    #[serde(rename = "websocket")]
    WebSocket,
}

/// How the server finds the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireFraming {
    /// By LF, or CR LF.
    Lines,
    /// By CR on its own.
    CarriageReturns,
    /// By the end of a read: the peer sends no line ends.
    Packets,
    /// By the end of a WebSocket message.
    Messages,
}

/// One of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireSide {
    /// The member's program.
    Client,
    /// The server.
    Server,
}

/// A WebSocket frame as it looked (RFC 6455 section 5.2). Bytes are in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFrame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// Whether a reserved bit is set.
    pub reserved: bool,
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// What that means.
    pub name: String,
    /// The header's bytes.
    pub header: String,
    /// The mask, if the payload is masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// The length of the payload.
    pub length: u64,
    /// Its first bytes, without the mask.
    pub payload: String,
}

impl WireNote {
    /// Makes one note of this one and a `later` one; gives that back if they are of different
    /// kinds.
    pub fn merge(&mut self, later: WireNote) -> Option<WireNote> {
        match (self, later) {
            (
                WireNote::Read { reads, bytes, lines, packet, waiting, cut, records, .. },
                WireNote::Read {
                    reads: more_reads,
                    bytes: more_bytes,
                    lines: more_lines,
                    packet: is_packet,
                    waiting: now_waiting,
                    cut: now_cut,
                    records: more_records,
                    ..
                },
            ) => {
                *reads += more_reads;
                *bytes += more_bytes;
                *lines = lines.zip(more_lines).map(|(lines, more)| lines + more);
                (*packet, *waiting, *cut) = (*packet || is_packet, now_waiting, now_cut);
                records.extend(more_records);
                records.truncate(LISTED);
            }
            (
                WireNote::Telnet { commands, answers, more },
                WireNote::Telnet { commands: other, answers: given, more: others },
            ) => {
                *more += others + (commands.len() + other.len()).saturating_sub(LISTED);
                commands.extend(other);
                commands.truncate(LISTED);
                answers.extend(given);
                answers.truncate(LISTED);
            }
            (
                WireNote::Frame { from, more, .. },
                WireNote::Frame { from: other, more: others, .. },
            ) if *from == other => *more += others + 1,
            (
                WireNote::Wait { waits, milliseconds },
                WireNote::Wait { waits: more, milliseconds: others },
            ) => {
                *waits += more;
                *milliseconds += others;
            }
            (
                WireNote::Told { rounds, lines, bytes, members, calls },
                WireNote::Told {
                    rounds: more_rounds,
                    lines: more_lines,
                    bytes: more_bytes,
                    members: now_members,
                    calls: more_calls,
                },
            ) => {
                *rounds += more_rounds;
                *lines += more_lines;
                *bytes += more_bytes;
                (*members, *calls) = (now_members, *calls + more_calls);
            }
            (
                WireNote::Private { lines, bytes, calls },
                WireNote::Private { lines: more_lines, bytes: more_bytes, calls: more_calls },
            ) => {
                *lines += more_lines;
                *bytes += more_bytes;
                *calls += more_calls;
            }
            (
                WireNote::Queue { bytes, limit, milliseconds, skipped, dropped },
                WireNote::Queue {
                    bytes: other,
                    limit: now_limit,
                    milliseconds: others,
                    skipped: more_skipped,
                    dropped: more_dropped,
                },
            ) => {
                (*bytes, *limit) = ((*bytes).max(other), now_limit);
                *milliseconds += others;
                *skipped += more_skipped;
                *dropped += more_dropped;
            }
            (
                this @ (WireNote::Connection { .. } | WireNote::Framing { .. }),
                later @ (WireNote::Connection { .. } | WireNote::Framing { .. }),
            ) if std::mem::discriminant(this) == std::mem::discriminant(&later) => *this = later,
            (_, later) => return Some(later),
        }
        None
    }
}

/// The beginning of some bytes, as text that a terminal can show: what is no letter, digit or sign
/// is escaped.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' | '\t' | '\r' | '\n' => text.extend(c.escape_default()),
                '\0' => text.push_str("\\0"),
                ' '..='~' => text.push(c),
                // Hangul syllables and other letters, but nothing that joins them.
                c if c.is_alphanumeric() && !is_invisible(c) && !is_mark(c) => text.push(c),
                c => text.extend(c.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The bytes of hexadecimal digits with blanks between them.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    digits.split(' ').filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: usize, waiting: usize) -> WireNote {
        WireNote::Read {
            reads: 1,
            bytes,
            start: Some(format!("start of {bytes}")),
            hidden: false,
            lines: Some(1),
            packet: false,
            waiting,
            cut: waiting.min(2),
            records: vec![bytes + 22],
        }
    }

    #[test]
    fn notes_of_one_kind_become_one() {
        let mut note = read(4, 4);
        assert_eq!(note.merge(read(10, 0)), None);
        let WireNote::Read { reads, bytes, start, lines, waiting, cut, records, .. } = note else {
            panic!("it is another kind")
        };
        assert_eq!((reads, bytes, lines, waiting, cut), (2, 14, Some(2), 0, 0));
        // What is shown is the beginning of the first.
        assert_eq!((start.as_deref(), records), (Some("start of 4"), vec![26, 32]));

        let told =
            |rounds, members| WireNote::Told { rounds, lines: 2, bytes: 20, members, calls: 1 };
        let mut note = told(1, 3);
        assert_eq!(note.merge(told(2, 4)), None);
        assert_eq!(note, WireNote::Told { rounds: 3, lines: 4, bytes: 40, members: 4, calls: 2 });
        let private = |lines| WireNote::Private { lines, bytes: 10 * lines, calls: 1 };
        let mut note = private(1);
        assert_eq!(note.merge(private(2)), None);
        assert_eq!(note, WireNote::Private { lines: 3, bytes: 30, calls: 2 });
        let wait = |milliseconds| WireNote::Wait { waits: 1, milliseconds };
        let mut note = wait(100);
        assert_eq!(note.merge(told(1, 3)), Some(told(1, 3)));
        assert_eq!(note.merge(wait(50)), None);
        assert_eq!(note, WireNote::Wait { waits: 2, milliseconds: 150 });
    }

    #[test]
    fn a_merged_note_lists_few_things() {
        let telnet = |number: usize| WireNote::Telnet {
            commands: vec![format!("DO {number}")],
            answers: vec![format!("WONT {number}")],
            more: 0,
        };
        let mut note = telnet(0);
        for number in 1..100 {
            assert_eq!(note.merge(telnet(number)), None);
        }
        let WireNote::Telnet { commands, answers, more } = note else { panic!("another kind") };
        assert_eq!((commands.len(), answers.len(), more), (LISTED, LISTED, 100 - LISTED));

        let mut note = read(1, 0);
        (0..100).for_each(|_| assert_eq!(note.merge(read(1, 0)), None));
        assert!(
            matches!(note, WireNote::Read { records, reads: 101, .. } if records.len() == LISTED)
        );
    }

    #[test]
    fn frames_of_the_two_sides_are_told_apart() {
        let frame = |from| WireNote::Frame {
            from,
            frame: WireFrame {
                fin: true,
                reserved: false,
                opcode: 1,
                name: "text".into(),
                header: "81 00".into(),
                mask: None,
                length: 0,
                payload: String::new(),
            },
            more: 0,
        };
        let mut note = frame(WireSide::Client);
        assert_eq!(note.merge(frame(WireSide::Server)), Some(frame(WireSide::Server)));
        assert_eq!(note.merge(frame(WireSide::Client)), None);
        assert!(matches!(note, WireNote::Frame { more: 1, .. }));
    }

    #[test]
    fn bytes_are_escaped_for_a_terminal() {
        #[track_caller]
        fn check(bytes: &[u8], expected: &str) {
            assert_eq!(escaped(bytes), expected);
        }
        check(b"hi\r\n", "hi\\r\\n");
        check("안녕".as_bytes(), "안녕");
        check(&"안녕".as_bytes()[..4], "안\\xeb");
        check(b"\xff\xfb\x01\0\x1b[31m", "\\xff\\xfb\\u{1}\\0\\u{1b}[31m");
        check("\u{202e}\"\\\u{200b}".as_bytes(), "\\u{202e}\\\"\\\\\\u{200b}");
        check("a\u{301}🙂\u{3164}".as_bytes(), "a\\u{301}\\u{1f642}\\u{3164}");
    }

    #[test]
    fn an_unknown_note_is_read() {
        let note = serde_json::from_str(r#"{"what":"quantum","spin":1}"#);
        assert_eq!(note.ok(), Some(WireNote::Unknown));
        assert_eq!(unhex("68 69"), b"hi");
        assert!(unhex("").is_empty() && unhex("zz").is_empty());
    }
}
