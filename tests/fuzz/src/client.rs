//! What the client shows of a server's bytes.

use madang::fuzzing::Reader;
use madang_protocol::text::Lang;
use madang_terminal::style::Palette;

use crate::{chunks::Chunked, cost::bounded};

/// Checks the bytes of a server.
pub fn run(input: &[u8]) {
    let Some(input) = Chunked::parse(input) else { return };
    let bit = |number: u8| input.choice >> number & 1 == 1;
    let palette = if bit(0) { Palette::Many } else { Palette::Plain };
    let lang = if bit(1) { Lang::Ko } else { Lang::En };
    let reader = || Reader::new(lang, palette, bit(2));

    let read = |mut reader: Reader, reads: &mut dyn Iterator<Item = &[u8]>| {
        let (mut messages, mut shown) = (Vec::new(), String::new());
        for bytes in reads {
            // `None` for a line that is too long, where the client disconnects.
            let (new, text) = reader.read(bytes)?;
            messages.extend(new);
            shown.push_str(&text);
        }
        Some((messages, shown))
    };
    let first = reader();
    let cut = bounded(input.bytes.len(), 500_000, 2_000, || read(first, &mut input.chunks()));
    let whole = read(reader(), &mut [input.bytes].into_iter());
    let (Some((messages, shown)), Some((whole, _))) = (&cut, &whole) else {
        assert_eq!(cut.is_some(), whole.is_some(), "cut into reads, and whole");
        return;
    };
    assert_eq!(messages, whole, "cut into reads, and whole");

    assert!(shown.is_empty() || shown.ends_with('\n'), "{shown:?}");
    let text = without_colors(shown, palette);
    let obeyed = text.find(|c: char| {
        c.is_control() && !"\n\t".contains(c)
            || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(obeyed, None, "{text:?}");
    let most = 4_096 + 200 * input.bytes.len();
    assert!(shown.len() <= most, "{} bytes shown of {}", shown.len(), input.bytes.len());
}

/// The text without the client's own colours, the only sequences that it writes: `ESC [`,
/// numbers with semicolons, `m`.
fn without_colors(shown: &str, palette: Palette) -> String {
    if palette == Palette::Plain {
        return shown.to_owned();
    }
    let mut parts = shown.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let numbers = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(0);
        match part[numbers..].strip_prefix('m') {
            Some(rest) => text.push_str(rest),
            None => text.push_str(&format!("\u{1b}[{part}")),
        }
    }
    text
}
