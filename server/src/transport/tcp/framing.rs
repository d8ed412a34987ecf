//! Where a line ends: removes telnet commands and detects how the peer ends its lines. Uses no
//! sockets and no clock: the [transport](super) passes the time of each read.

use std::time::{Duration, Instant};

use madang_protocol::{
    event::{WireFraming, WireNote},
    foreign::{Foreign, OPENING_BYTES},
    limits::LINE_BYTES,
    line::{LineDecoder, LineEnds, LineTooLong},
    notice::Utf8Hint,
    telnet::{SeenCommands, Telnet, edit_line, names_of_answers},
    wide::Wide,
};
use memchr::{memchr, memchr3};

use self::{
    padding::{BYTE_ORDER_MARK, Padding, is_blank, padding_bytes, without_padding},
    typing::{Typing, is_one_key},
};
use crate::transport::Line;

mod padding;
mod typing;

/// How long after a line that ended in CR an empty line counts as part of the same Enter.
const ENTER_ECHO: Duration = Duration::from_millis(300);

/// Turns reads into lines.
pub(crate) struct Framer {
    decoder: LineDecoder,
    telnet: Telnet,
    framing: Framing,
    typing: Typing,
    padding: Padding,
    /// Telnet replies for the connection to send.
    answers: Vec<u8>,
    /// How many bytes were telnet commands or were dropped.
    command_bytes: usize,
    /// When data was last read.
    read_at: Option<Instant>,
    /// Whether no line was recognised yet.
    is_opening: bool,
    /// What the first bytes or the first line revealed, if the peer is not a chat client.
    foreign: Option<Foreign>,
    /// Input in an encoding other than UTF-8, to be refused, with its length.
    wide: Option<(Wide, usize)>,
    /// Whether the input is still in that encoding.
    is_wide: bool,
    /// Whether a NUL may wait: looking for one in each line would cost more.
    nul_may_wait: bool,
    /// Whether more of the last read is waiting in the socket.
    continues: bool,
    /// Whether the last read was the first of a packet peer that ended in a line end.
    unlearns: bool,
    /// Whether the next line is the first non-empty one after packets.
    is_after_packets: bool,
    /// When a line last ended in CR.
    cr_line_at: Option<Instant>,
    is_program: bool,
    /// Whether the input has ended.
    at_end: bool,
}

/// How the peer separates its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Not known yet: no text so far.
    Unknown,
    /// By line ends.
    Lines,
    /// By packets: each read is one or more lines.
    Packets,
}

impl Framer {
    pub(crate) fn new() -> Framer {
        let mut decoder = LineDecoder::default();
        decoder.expect_ends(LineEnds::FirstDecides);
        Framer {
            decoder,
            telnet: Telnet::default(),
            framing: Framing::Unknown,
            typing: Typing::Unknown { characters: 0 },
            padding: Padding::Unknown,
            answers: Vec::new(),
            command_bytes: 0,
            read_at: None,
            is_opening: true,
            foreign: None,
            wide: None,
            is_wide: false,
            nul_may_wait: false,
            continues: false,
            unlearns: false,
            is_after_packets: false,
            cr_line_at: None,
            is_program: false,
            at_end: false,
        }
    }

    /// The space for the next read.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.decoder.spare()
    }

    /// Whether the transport must find out if more of the same data waits after a read that
    /// filled the space.
    pub(crate) fn tells_reads_apart(&self) -> bool {
        self.framing != Framing::Lines || self.padding != Padding::Unknown
    }

    /// Takes the first `count` bytes of the space as read at `now`. `continues` means that they
    /// filled it and that more of the same data is waiting.
    pub(crate) fn filled(&mut self, count: usize, continues: bool, now: Instant) {
        let is_first = self.read_at.is_none();
        self.read_at = Some(now);
        let continued = std::mem::replace(&mut self.continues, continues);
        (self.unlearns, self.is_after_packets) = (false, false);
        if self.is_opening && self.foreign.is_none() {
            self.foreign = self.find_foreign(count, is_first);
        }
        if self.foreign.is_some() {
            // Telnet bytes in such an encoding are not commands.
            return;
        }
        let count = self.drop_wide(count);
        let was_binary = self.telnet.is_binary();
        let read = &mut self.decoder.space()[..count];
        let kept = self.telnet.filter(read, &mut self.answers);
        let kept = match self.is_program {
            true => kept,
            false => {
                let by_lines = self.framing == Framing::Lines;
                self.padding.remove_rest(&mut read[..kept], continues, by_lines)
            }
        };
        self.command_bytes += count - kept;
        let kept_waiting = self.nul_may_wait && !self.decoder.unfinished().is_empty();
        self.nul_may_wait = kept_waiting || memchr(0, &self.decoder.space()[..kept]).is_some();
        if self.telnet.is_binary() && !was_binary && !self.is_program {
            // From here on, CR is an ordinary byte (RFC 856).
            self.decoder.expect_ends(LineEnds::FirstDecides);
        }
        self.learn(kept, continued);
        self.decoder.filled(kept);
        if self.framing == Framing::Unknown && self.decoder.peek_line_bytes() != Ok(None) {
            self.framing = Framing::Lines;
        }
    }

    /// The protocol of a peer that has sent `count` more bytes, if it is not a chat client.
    fn find_foreign(&mut self, count: usize, is_first: bool) -> Option<Foreign> {
        if is_first {
            return Foreign::of_first_read(&self.decoder.space()[..count]);
        }
        let waiting = self.decoder.unfinished().len();
        match waiting {
            1..OPENING_BYTES => Foreign::of_opening(self.decoder.unfinished_with(count)),
            _ => None,
        }
    }

    /// Learns about the peer from a read of `count` bytes of text. `continued` means that the
    /// text began in the previous read.
    fn learn(&mut self, count: usize, continued: bool) {
        let text = &self.decoder.space()[..count];
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        match self.framing {
            _ if text.is_empty() => {}
            Framing::Unknown if !continued && (is_one_key(text) || self.telnet.is_spoken()) => {
                self.typing.observe(text);
                self.framing = Framing::Lines;
            }
            Framing::Unknown | Framing::Lines => self.typing.observe(text),
            Framing::Packets => {
                let said = &text[..text.len() - padding_bytes(text)];
                let ends = match said.last() {
                    Some(b'\n') => LineEnds::Lf,
                    Some(b'\r') => LineEnds::Cr,
                    _ => return,
                };
                if self.continues {
                    return;
                }
                let is_lone = said.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0));
                (self.unlearns, self.is_after_packets) = (true, !is_lone);
                self.framing = Framing::Lines;
                self.decoder.expect_ends(ends);
            }
        }
    }

    /// Drops UTF-16 or a similar encoding from the end of a read of `count` bytes, and returns
    /// how many are left. It must not be split into lines, because half of them would look
    /// readable.
    fn drop_wide(&mut self, count: usize) -> usize {
        let (nothing_waits, after_cr) =
            (self.decoder.unfinished().is_empty(), self.decoder.is_after_cr());
        let read = &self.decoder.space()[..count];
        // After CR, a leading NUL belongs to the line end.
        let at_line_start = nothing_waits && !(after_cr && read.first() == Some(&0));
        if self.is_wide && (count == 1 || memchr(0, read).is_some() || !is_utf8(read)) {
            self.command_bytes += count;
            return 0;
        }
        let found = find_wide(read, at_line_start);
        self.is_wide = found.is_some();
        let Some((at, wide)) = found else { return count };
        self.wide = Some((wide, count - at));
        at
    }

    /// Whether the first text was longer than a character and had no line end. If nothing
    /// follows for a while, the peer sends packets.
    pub(crate) fn may_be_packets(&self) -> bool {
        let said = self.decoder.unfinished();
        let is_chat = self.foreign.is_none();
        is_chat && self.framing == Framing::Unknown && !self.continues && !is_blank(said)
    }

    /// Decides what [`may_be_packets`](Self::may_be_packets) left open, now that it is known
    /// whether the peer was silent.
    pub(crate) fn settle_framing(&mut self, silent: bool) {
        self.framing = if silent { Framing::Packets } else { Framing::Lines };
        if silent {
            self.decoder.expect_ends(LineEnds::Lf);
        }
    }

    /// The peer sends JSON from now on, in which CR does not end a line.
    pub(crate) fn become_program(&mut self) {
        self.is_program = true;
        self.decoder.expect_ends(LineEnds::Lf);
    }

    /// The input has ended: the rest is the last line.
    pub(crate) fn finish(&mut self) {
        self.at_end = true;
    }

    /// The length of the next line in bytes, if there is one.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] if it has no end within the limit.
    pub(crate) fn next_line_bytes(&mut self) -> Result<Option<usize>, LineTooLong> {
        while let Some(bytes) = self.decoder.peek_line_bytes()? {
            if !self.says_nothing(bytes) {
                return Ok(Some(bytes));
            }
            // Peeking cannot fail.
            let _ = self.decoder.next_line();
        }
        if let Some((_, bytes)) = self.wide {
            return Ok(Some(bytes));
        }
        let rest = self.decoder.unfinished();
        if !(self.at_end || self.ends_with_packet()) || rest.is_empty() {
            return Ok(None);
        }
        if is_blank(rest) {
            self.decoder.finish_line();
            return Ok(None);
        }
        Ok(Some(rest.len()))
    }

    /// Whether the next line, of `bytes` bytes, is an empty one to be ignored.
    fn says_nothing(&self, bytes: usize) -> bool {
        let frames_by_packet = self.framing == Framing::Packets || self.unlearns;
        let echoes_enter = self.decoder.ends() == LineEnds::Cr
            && self
                .cr_line_at
                .zip(self.read_at)
                .is_some_and(|(line, read)| read - line < ENTER_ECHO);
        (frames_by_packet || echoes_enter) && is_blank(&self.decoder.unfinished()[..bytes])
    }

    /// The next line, if there is one, without taking it.
    fn peek_line(&mut self) -> Option<&[u8]> {
        let bytes = self.next_line_bytes().ok().flatten()?;
        self.wide.is_none().then(|| &self.decoder.unfinished()[..bytes])
    }

    /// Whether there is text that is not a complete line yet.
    pub(crate) fn holds_unfinished_line(&self) -> bool {
        // However much padding arrived, in however many reads.
        let rest = self.decoder.unfinished();
        !is_blank(&rest[..rest.len().min(64)])
    }

    /// Takes the line found by [`next_line_bytes`](Self::next_line_bytes).
    pub(crate) fn take_line(&mut self) -> Line {
        let (hint, edits, is_program) = (self.utf8_hint(), self.edits(), self.is_program);
        let is_after_packets = std::mem::take(&mut self.is_after_packets);
        self.is_opening = false;
        let is_whole = matches!(self.decoder.peek_line_bytes(), Ok(Some(_)));
        if !is_whole && let Some((wide, _)) = self.wide.take() {
            return Line::NotUtf8(Utf8Hint::Wide(wide));
        }
        let bytes = match is_whole {
            true => self.decoder.next_line().ok().flatten(),
            false => self.decoder.finish_line(),
        };
        let bytes = bytes.unwrap_or_default();
        let text = str::from_utf8(without_padding(bytes));
        if (text.is_err() || (self.nul_may_wait && memchr(0, bytes).is_some()))
            && let Some(wide) = Wide::of_unmarked(bytes)
        {
            self.is_wide = true;
            // The rest of the read belongs to it.
            while self.decoder.next_line().is_ok_and(|line| line.is_some()) {}
            self.decoder.finish_line();
            return Line::NotUtf8(Utf8Hint::Wide(wide));
        }
        let said_bytes = without_padding(bytes).len();
        let line = match text {
            _ if !is_program && said_bytes > LINE_BYTES => Line::TooLong(said_bytes),
            Err(_) => Line::NotUtf8(hint),
            Ok(line) if is_after_packets => Line::AfterPackets(line.to_owned()),
            Ok(line) if edits => Line::Text(edit_line(line).into_owned()),
            Ok(line) => Line::Text(line.to_owned()),
        };
        if is_whole && self.decoder.ends() == LineEnds::Cr {
            self.cr_line_at = self.read_at;
        }
        line
    }

    /// The hint for the peer if a line is not UTF-8.
    fn utf8_hint(&self) -> Utf8Hint {
        if self.is_program {
            Utf8Hint::None
        } else if self.telnet.is_spoken() {
            Utf8Hint::Telnet
        } else if self.edits() {
            Utf8Hint::Terminal
        } else {
            Utf8Hint::CodePage
        }
    }

    /// Whether backspaces in the peer's lines delete characters.
    fn edits(&self) -> bool {
        !self.is_program && (self.is_terminal() || self.decoder.ends() == LineEnds::Cr)
    }

    /// Whether the peer needs CR LF.
    pub(crate) fn is_terminal(&self) -> bool {
        self.telnet.is_spoken() || self.typing == Typing::ByCharacter
    }

    /// Whether the last read showed that a packet peer ends its lines after all.
    pub(crate) fn unlearns_packets(&self) -> bool {
        self.unlearns
    }

    /// The protocol that the peer expected on this port, if its first bytes reveal it.
    pub(crate) fn foreign(&mut self) -> Option<Foreign> {
        if self.foreign.is_none() && self.is_opening {
            self.foreign = self.peek_line().and_then(Foreign::of_line);
        }
        self.foreign
    }

    /// Notes telnet commands by name from now on, or no longer.
    pub(crate) fn watch_commands(&mut self, watched: bool) {
        self.telnet.watch_commands(watched);
    }

    /// The telnet commands that have arrived since the last call, if there were any.
    pub(crate) fn explain_commands(&mut self) -> Option<WireNote> {
        let SeenCommands { names, more } = self.telnet.take_seen();
        let answers = names_of_answers(&self.answers);
        (!names.is_empty()).then_some(WireNote::Telnet { commands: names, answers, more })
    }

    /// What was read and not taken yet.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.decoder.unfinished()
    }

    /// What ends the next line.
    pub(crate) fn line_ends(&self) -> LineEnds {
        self.decoder.ends()
    }

    /// How the peer separates its lines.
    pub(crate) fn explain_framing(&self) -> WireFraming {
        match (self.framing, self.decoder.ends()) {
            (Framing::Packets, _) => WireFraming::Packets,
            (Framing::Unknown | Framing::Lines, LineEnds::Cr) => WireFraming::CarriageReturns,
            (Framing::Unknown | Framing::Lines, LineEnds::Lf | LineEnds::FirstDecides) => {
                WireFraming::Lines
            }
        }
    }

    /// Whether what waits behind the last line end is a line, since the peer sends packets.
    pub(crate) fn ends_with_packet(&self) -> bool {
        let rest = self.decoder.unfinished();
        self.framing == Framing::Packets && !self.continues && !cuts_character(rest)
    }

    /// How many bytes were not text and were not [taken](Self::take_commands) yet.
    pub(crate) fn command_bytes(&self) -> usize {
        self.command_bytes
    }

    /// Takes the number of bytes that were not text, and the telnet replies.
    pub(crate) fn take_commands(&mut self) -> (usize, Vec<u8>) {
        (std::mem::take(&mut self.command_bytes), std::mem::take(&mut self.answers))
    }
}

/// Where text in a wider encoding than UTF-8 begins in a read, if anywhere: at the start, or
/// with a byte order mark after a line.
fn find_wide(read: &[u8], at_line_start: bool) -> Option<(usize, Wide)> {
    memchr3(0, 0xFE, 0xFF, read)?;
    if at_line_start && let Some(wide) = Wide::of_bytes(read) {
        return Some((0, wide));
    }
    let begins = |bytes: &[u8]| matches!(bytes, [b'\n', 0xFF, 0xFE] | [b'\n', 0xFE, 0xFF]);
    let at = read.windows(3).position(begins)? + 1;
    Wide::of_bytes(&read[at..]).map(|wide| (at, wide))
}

fn is_utf8(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok()
}

/// Whether `bytes` ends in the middle of a character.
fn cuts_character(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    (0..tail.len()).any(|at| {
        let cut = str::from_utf8(&tail[at..]);
        cut.is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::transport::chunks;

    /// What peers send, and the lines that result. A case with `from` set to `knowledge` was
    /// written from what is known about a program that does not run here; it was not recorded.
    const PEERS: &str = include_str!("../../../../tests/cases/peers.json");

    /// How long a packet must be followed by silence.
    const PACKET_PAUSE: Duration = Duration::from_millis(250);

    /// Plays a peer against a framer. The script provides the clock.
    struct Play {
        framer: Framer,
        begin: Instant,
        last_read: Duration,
        lines: Vec<String>,
    }

    impl Play {
        fn new() -> Play {
            let (begin, last_read) = (Instant::now(), Duration::ZERO);
            Play { framer: Framer::new(), begin, last_read, lines: Vec::new() }
        }

        /// Nothing arrives until `now`.
        fn wait(&mut self, now: Duration) {
            if self.framer.may_be_packets() {
                let silent = now >= self.last_read + PACKET_PAUSE;
                self.framer.settle_framing(silent);
                self.take_lines();
            }
        }

        /// `bytes` arrive at `now`.
        fn read(&mut self, mut bytes: &[u8], now: Duration) {
            self.wait(now);
            self.last_read = now;
            while !bytes.is_empty() {
                let count = chunks::fill(self.framer.spare(), &mut bytes);
                self.framer.filled(count, !bytes.is_empty(), self.begin + now);
                self.take_lines();
            }
        }

        fn end(&mut self) {
            self.framer.finish();
            self.take_lines();
        }

        fn take_lines(&mut self) {
            while self.framer.foreign().is_none()
                && self.framer.next_line_bytes().expect("no line is too long").is_some()
            {
                let line = match self.framer.take_line() {
                    Line::Text(text) => text,
                    Line::AfterPackets(text) => format!("after packets: {text}"),
                    Line::NotUtf8(Utf8Hint::Wide(wide)) => wide.to_string(),
                    Line::NotUtf8(_) => "not UTF-8".into(),
                    line => format!("{line:?}"),
                };
                self.lines.push(line);
            }
        }
    }

    /// A case's bytes: text, or an object that names their encoding.
    fn bytes_of(value: &Value) -> Vec<u8> {
        if let Some(text) = value.as_str() {
            return text.as_bytes().to_vec();
        }
        let text = |kind: &str| value[kind].as_str();
        match (text("hex"), text("utf16le"), text("utf16be")) {
            (Some(hex), ..) => (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal"))
                .collect(),
            (_, Some(text), _) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            (.., Some(text)) => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => panic!("no bytes: {value}"),
        }
    }

    #[test]
    fn peers_are_understood() {
        let cases: Vec<Value> = serde_json::from_str(PEERS).expect("JSON");
        for case in cases {
            let mut play = Play::new();
            for read in case["reads"].as_array().expect("reads") {
                let now = Duration::from_millis(read[0].as_u64().expect("milliseconds"));
                let mut bytes = bytes_of(&read[1]);
                let padding = read.get(2).and_then(Value::as_u64).unwrap_or_default();
                bytes.extend(vec![0; padding as usize]);
                play.read(&bytes, now);
            }
            play.wait(Duration::MAX / 2);
            if case["end"] == true {
                play.end();
            }
            let peer = &case["peer"];
            assert_eq!(serde_json::json!(play.lines), case["lines"], "said by {peer}");
            let foreign = play.framer.foreign().map(Foreign::code);
            assert_eq!(foreign, case["foreign"].as_str(), "spoken by {peer}");
        }
    }

    #[test]
    fn cases_that_were_not_recorded_are_labelled() {
        const NOT_HERE: [&str; 5] = ["PuTTY", "Tera Term", "ESP8266", ".NET", "PowerShell"];
        let cases: Vec<Value> = serde_json::from_str(PEERS).expect("JSON");
        for program in NOT_HERE {
            let name = |case: &Value| case["peer"].as_str().is_some_and(|s| s.contains(program));
            let of_program: Vec<_> = cases.iter().filter(|case| name(case)).collect();
            assert!(!of_program.is_empty(), "{program} has no case");
            for case in of_program {
                assert_eq!(case["from"], "knowledge", "{case}");
            }
        }
    }

    #[test]
    fn telnet_and_character_mode_peers_get_cr_lf() {
        #[track_caller]
        fn check(reads: &[&[u8]], expected: bool) {
            let mut play = Play::new();
            for read in reads {
                play.read(read, Duration::ZERO);
            }
            assert_eq!(play.framer.is_terminal(), expected, "{reads:?}");
        }
        check(&[b"alice\r\n"], false);
        check(&[b"alice\r"], false);
        check(&[b"a", b"b", b"\n"], false);
        check(&[b"a", b"b", b"\r"], true);
        check(&[b"a", b"b\r\n"], true);
        check(&[b"a", b"\x7f"], true);
        check(&[b"\xff\xfb\x00"], true);
    }

    #[test]
    fn input_that_is_not_utf8_gets_a_helpful_hint() {
        #[track_caller]
        fn check(reads: &[&[u8]], is_program: bool, expected: Utf8Hint) {
            let mut play = Play::new();
            for read in reads {
                play.read(read, Duration::ZERO);
            }
            if is_program {
                play.framer.become_program();
            }
            play.framer.spare()[..2].copy_from_slice(b"\xb0\n");
            play.framer.filled(2, false, play.begin);
            assert!(play.framer.next_line_bytes().is_ok_and(|bytes| bytes == Some(1)));
            assert_eq!(play.framer.take_line(), Line::NotUtf8(expected));
        }
        check(&[b"alice\n"], false, Utf8Hint::CodePage);
        check(&[b"\xff\xfb\x1falice\r\n"], false, Utf8Hint::Telnet);
        check(&[b"a", b"b", b"\r\n"], false, Utf8Hint::Terminal);
        check(&[b"alice\r"], false, Utf8Hint::Terminal);
        check(&[b"/json\n"], true, Utf8Hint::None);
    }

    #[test]
    fn no_cr_ends_a_line_of_json() {
        let mut play = Play::new();
        play.read(b"/json\r", Duration::ZERO);
        play.framer.become_program();
        play.read(b"\n{\"type\":\r", Duration::ZERO);
        play.read(b"\"say\"}\r\n\xef\xbb\xbf{}\0\r\n", Duration::ZERO);
        assert_eq!(play.lines, ["/json", "{\"type\":\r\"say\"}", "{}"]);
    }

    /// Line and character peers whose kind is known after these first reads.
    const OPENINGS: &[&[&[u8]]] = &[
        &[b"alice\n"],
        &[b"alice\r\n"],
        &[b"alice\r", b"x"],
        &[b"a", b"l", b"\x7f", b"i\r", b"x"],
        &[b"\xff\xfb\x1falice\r\n"],
    ];

    /// A peer's text after its login, from bytes that matter for line ends.
    fn conversation() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "a", "안녕", "/quit", "\r", "\n", "\r\n", "\r\0", "\u{feff}", "\u{8}", "\u{7f}", " ",
            "\u{1b}[D", "\u{1b}OA",
        ]);
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter_once_the_framing_is_known(
            opening in prop::sample::select(OPENINGS),
            mut bytes in conversation(),
            cuts in chunks::cuts(0.2, 1..100),
        ) {
            if matches!(opening[0], b"alice\n" | b"alice\r\n") {
                // A single one of them would turn the peer into a terminal.
                bytes.retain(|byte| !matches!(byte, 8 | 0x7f));
            }
            let play = |chunks: &mut dyn Iterator<Item = &[u8]>| {
                let mut play = Play::new();
                opening.iter().for_each(|read| play.read(read, Duration::ZERO));
                chunks.for_each(|chunk| play.read(chunk, Duration::from_secs(9)));
                play.end();
                play.lines
            };
            let chunks = chunks::cut(&bytes, cuts);
            // A chunk that looks like UTF-16 by itself (blanks and CR NUL) is taken for that.
            prop_assume!(chunks.iter().all(|chunk| Wide::of_bytes(chunk).is_none()));
            prop_assert_eq!(play(&mut chunks.into_iter()), play(&mut [&bytes[..]].into_iter()));
        }
    }
}
