//! The line port: where a line ends, telnet commands, padding, packets. Once the kind of a peer
//! is known, it doesn't matter how its bytes are cut into reads. A packet peer is recognised by
//! its reads and pauses, so the same reads and pauses give the same result.

use std::time::Duration;

use madang_protocol::{limits::LINE_BYTES, wide::Wide};
use madang_server::fuzzing::{LinePeer, Understood};

use crate::{chunks::Chunked, cost::bounded};

/// The first reads of peers that show their kind.
const OPENINGS: [&[&[u8]]; 6] = [
    &[b"alice\n"],
    &[b"alice\r\n"],
    &[b"alice\r", b"x"],
    &[b"a", b"l", b"\x7f", b"i\r", b"x"],
    &[b"\xff\xfb\x1falice\r\n"],
    &[b"/json\n"],
];

/// Openings that leave the kind open until a read that shows it.
const LINE_FEED: usize = 0;
const CR_LF: usize = 1;
const TELNET: usize = 4;
const JSON: usize = 5;

/// Checks an input that is cut into reads.
pub fn run(input: &[u8]) {
    let Some(input) = Chunked::parse(input) else { return };
    let choice = usize::from(input.choice) % (OPENINGS.len() + 2);
    match OPENINGS.get(choice) {
        Some(opening) => check_chunking(choice, opening, input),
        None => check_unknown(choice, input),
    }
}

/// A peer of unknown kind, with pauses after some of its reads.
fn check_unknown(choice: usize, input: Chunked<'_>) {
    let pauses = choice == OPENINGS.len();
    let play = || {
        let mut peer = LinePeer::default();
        for (chunk, number) in input.chunks().zip(0..) {
            let at = Duration::from_millis(number * 100);
            peer.read(chunk, at, pauses && chunk[0].is_multiple_of(2));
        }
        peer.finish();
        peer
    };
    let (first, second) = (bounded(input.bytes.len(), 300_000, 400, play), play());
    assert_eq!(first.understood, second.understood, "the same reads and times");
    check_peer(&first, input.bytes.len(), false);
}

fn check_chunking(choice: usize, opening: &[&[u8]], input: Chunked<'_>) {
    let bytes = without_what_depends_on_reads(choice, input.bytes);
    let input = input.with(&bytes);
    // A read that looks like UTF-16 by itself is taken for UTF-16.
    if input.chunks().chain([&*bytes]).any(|read| Wide::of_bytes(read).is_some()) {
        return;
    }
    let play = |reads: &mut dyn Iterator<Item = &[u8]>| {
        let mut peer = LinePeer::default();
        opening.iter().for_each(|read| peer.read(read, Duration::ZERO, false));
        if choice == JSON {
            peer.become_program();
        }
        // Each Enter is a read of its own.
        reads.for_each(|read| peer.read(read, Duration::from_secs(9), false));
        peer.finish();
        peer
    };
    let cut = bounded(bytes.len(), 300_000, 400, || play(&mut input.chunks()));
    let whole = play(&mut [&*bytes].into_iter());
    let [of_cut, of_whole] = [&cut, &whole].map(without_hints);
    assert_eq!(of_cut, of_whole, "cut into reads, and whole");
    assert_eq!(cut.answers, whole.answers, "cut into reads, and whole");
    check_peer(&cut, 16 + bytes.len(), choice == JSON);
}

/// The bytes without those whose meaning depends on their read: NULs may be the rest of a buffer,
/// 0xFE and 0xFF the mark of UTF-16, a backspace a key, and an IAC the first sign of telnet.
fn without_what_depends_on_reads(choice: usize, bytes: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes {
        let is_kept = match byte {
            0 => kept.last() == Some(&b'\r'),
            0xFE => false,
            0xFF => choice == TELNET,
            0x08 | 0x7F => !matches!(choice, LINE_FEED | CR_LF),
            _ => true,
        };
        if is_kept {
            kept.push(*byte);
        }
    }
    kept
}

/// What a peer's bytes were understood as, with all lines that are not UTF-8 treated alike: the
/// hint takes a peer whose first reads are single characters for a terminal.
fn without_hints(peer: &LinePeer) -> Vec<Understood> {
    let understood = peer.understood.iter().map(|understood| match understood {
        Understood::Refused(why) if why.starts_with("NotUtf8") => {
            Understood::Refused("NotUtf8".to_owned())
        }
        other => other.clone(),
    });
    understood.collect()
}

fn check_peer(peer: &LinePeer, input_bytes: usize, is_program: bool) {
    let texts = peer.understood.iter().filter_map(|understood| match understood {
        Understood::Text(text) => Some(text),
        _ => None,
    });
    let said_bytes: usize = texts.clone().map(String::len).sum();
    assert!(said_bytes <= input_bytes, "{said_bytes} bytes said of {input_bytes}");
    for text in texts {
        assert!(!text.contains('\n'), "{text:?}");
        assert!(is_program || text.len() <= LINE_BYTES, "{} bytes", text.len());
    }
    let ends = peer.understood.iter().position(|it| matches!(it, Understood::End(_)));
    assert!(ends.is_none_or(|at| at + 1 == peer.understood.len()), "something follows the end");
    assert!(peer.answers.len() <= 2 * input_bytes, "{} bytes of answers", peer.answers.len());
    assert!(peer.paid_bytes <= input_bytes, "{} bytes paid", peer.paid_bytes);
}
