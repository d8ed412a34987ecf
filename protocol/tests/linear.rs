//! What a line goes through costs work linear in its length: twice the input takes at
//! most twice the allocations and the bytes. Counted for the whole process, so in one
//! test of its own.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use madang_protocol::{
    command::Input,
    event::{Event, Stamp, Time, write_json_line},
    line::LineDecoder,
    request::Request,
    sanitize::sanitize_message,
    text::{Lang, LineEnd, SAID_OVERHEAD, rendered_bytes, write_event},
};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: it hands everything on to the system's, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `work` makes, and of how many bytes.
fn count(work: impl FnOnce()) -> (usize, usize) {
    let before = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    work();
    let after = (ALLOCATIONS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    (after.0 - before.0, after.1 - before.1)
}

#[track_caller]
fn check(name: &str, piece: &str, work: impl Fn(&str)) {
    /// What does not grow with the input, and how a buffer that doubles may overshoot.
    const FEW: usize = 16;
    let (once, twice) = (piece.repeat(4_000 / piece.len()), piece.repeat(8_000 / piece.len()));
    // What is set up once is set up before.
    work(&once);
    let (first, second) = (count(|| work(&once)), count(|| work(&twice)));
    let told = format!("{name} of {piece:?}: {first:?}, twice as long {second:?}");
    assert!(second.0 <= 2 * first.0 + FEW, "{told}");
    assert!(second.1 <= 2 * first.1 + 1_024 * FEW, "{told}");
    assert!(first.1 <= 64 * once.len(), "{told}");
}

#[test]
fn twice_the_input_takes_at_most_twice_the_memory() {
    let pieces = [
        "a",
        "a\n",
        "\"",
        "가",
        "\u{1b}[31m",
        "\u{1b}]",
        "a\u{301}",
        "\u{301}",
        "\u{202e}",
        "/msg b ",
        "\\u0041",
        "\t",
        "\u{1d160}",
        "http://a)",
        "@bob ",
    ];
    for piece in pieces {
        check("sanitize_message", piece, |text| drop(sanitize_message(text)));
        check("Input::parse", piece, |text| drop(Input::parse(text)));
        check("rendered_bytes", piece, |text| {
            assert!(rendered_bytes("bob", text, SAID_OVERHEAD) > 0);
        });
        check("Request::parse", piece, |text| {
            let say = serde_json::json!({"type": "say", "text": text, "nonce": "n"}).to_string();
            Request::parse(&say).expect("a request");
            // And when it is broken, where the nonce is looked for.
            Request::parse(&say[..say.len() - 1]).expect_err("no request");
        });
        check("write_event", piece, |text| {
            let stamp = Stamp { id: 1, time: Time::from_millis(0), room: "lobby".into() };
            let text = sanitize_message(text).into_owned();
            let said = Event::Said { stamp, user: "bob".into(), text, me: false, teacher: false };
            write_event(&said, Lang::Ko, LineEnd::CrLf, &mut Vec::new());
            write_json_line(&said, &mut Vec::new());
        });
        check("LineDecoder", piece, |text| {
            let mut decoder = LineDecoder::default();
            // A byte at a time, the worst that there is.
            for byte in text.bytes() {
                decoder.spare()[0] = byte;
                decoder.filled(1);
                while decoder.next_line().expect("few bytes").is_some() {}
            }
        });
    }
}
