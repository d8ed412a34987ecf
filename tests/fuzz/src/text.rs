//! Messages: sanitized for terminals, and rendered in each form.

use madang_protocol::{
    event::{Event, Stamp, Time, write_json_line},
    sanitize::{sanitize_label, sanitize_line, sanitize_message},
    text::{Lang, LineEnd, SAID_OVERHEAD, rendered_bytes, write_event},
};
use unicode_normalization::is_nfc;

use crate::cost::bounded;

/// Checks a text.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let message = bounded(text.len(), 2_000, 64, || sanitize_message(&text).into_owned());
    check_fit(&text, &message, &['\n', '\t']);
    assert_eq!(sanitize_message(&message), message, "twice is as once");
    let line = sanitize_line(&text);
    check_fit(&text, &line, &['\t']);
    assert_eq!(sanitize_line(&line), line, "twice is as once");
    let label = sanitize_label(&text);
    check_fit(&text, &label, &[]);
    assert_eq!(sanitize_label(&label), label, "twice is as once");
    check_lines(&message);
}

/// Nothing that a terminal might obey, except these.
fn check_fit(text: &str, shown: &str, allowed: &[char]) {
    let obeyed =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let found = shown.chars().find(|c| obeyed(*c) && !allowed.contains(c));
    assert_eq!(found, None, "in {shown:?}, of {text:?}");
    assert!(shown.len() <= 3 * text.len(), "{} bytes of {}", shown.len(), text.len());
    assert!(shown.split('\n').all(is_nfc), "{shown:?}");
}

/// Each line begins with its speaker, and all together cost no more than was estimated.
fn check_lines(message: &str) {
    const USER: &str = "bob";
    let stamp = Stamp { id: 1, time: Time::from_millis(0), room: "lobby".into() };
    let counted = rendered_bytes(USER, message, SAID_OVERHEAD);
    for lang in [Lang::Ko, Lang::En] {
        for me in [false, true] {
            let (stamp, text) = (stamp.clone(), message.to_owned());
            let said = Event::Said { stamp, user: USER.into(), text, me, teacher: false };
            let mut lines = Vec::new();
            write_event(&said, lang, LineEnd::CrLf, &mut lines);
            assert!(lines.len() <= counted, "{} bytes, {counted} were counted", lines.len());
            let lines = String::from_utf8(lines).expect("text");
            let begin = if me { "* bob " } else { "[bob] " };
            for line in lines.split_terminator("\r\n") {
                assert!(line.starts_with(begin), "{line:?}");
            }
            let mut json = Vec::new();
            write_json_line(&said, &mut json);
            let json = String::from_utf8(json).expect("text");
            assert_eq!(json.matches('\n').count(), 1, "{json}");
            let read: Event = serde_json::from_str(&json).expect("an event");
            assert_eq!(read, said);
        }
    }
}
