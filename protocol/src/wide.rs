//! UTF-16 and UTF-32 where UTF-8 is expected, as the `>` of Windows PowerShell writes them.
//! They are recognised to be named in the refusal, not to be decoded.

use std::fmt;

/// An encoding whose characters take two or four bytes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    /// UTF-16, in either byte order.
    Utf16,
    /// UTF-32, in either byte order.
    Utf32,
}

impl fmt::Display for Wide {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Wide::Utf16 => "UTF-16",
            Wide::Utf32 => "UTF-32",
        })
    }
}

impl Wide {
    /// The encoding of `bytes` at the beginning of a line, as received: telnet takes the byte
    /// order mark of UTF-16 for a command.
    ///
    /// Takes time linear in their number.
    pub fn of_bytes(bytes: &[u8]) -> Option<Wide> {
        match bytes {
            [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some(Wide::Utf32),
            [0xFE, 0xFF, ..] => Some(Wide::Utf16),
            [0xFF, 0xFE, rest @ ..] => {
                // IAC DONT, else.
                let is_text = is_ascii_text(rest, LITTLE) || is_foreign_text(rest, LITTLE);
                is_text.then_some(Wide::Utf16)
            }
            _ => Wide::of_unmarked(bytes),
        }
    }

    /// The encoding of a line, or a piece of one, without a byte order mark.
    pub fn of_unmarked(mut bytes: &[u8]) -> Option<Wide> {
        // CR NUL ends a line, here an empty one, and what follows may be a cut character.
        while let Some(rest) = bytes.strip_prefix(b"\r\0") {
            bytes = rest;
        }
        // UTF-8 without a NUL is UTF-8; so nearly all text ends here.
        let utf8 = std::str::from_utf8(bytes).is_ok();
        if utf8 && memchr::memchr(0, bytes).is_none() {
            return None;
        }
        if is_utf32(bytes) {
            return Some(Wide::Utf32);
        }
        let is_wide = |order| match utf8 {
            true => bytes.len() > 3 && is_ascii_text(bytes, order),
            false => is_foreign_text(bytes, order),
        };
        (is_wide(LITTLE) || is_wide(BIG)).then_some(Wide::Utf16)
    }
}

type Order = fn([u8; 2]) -> u16;
const LITTLE: Order = u16::from_le_bytes;
const BIG: Order = u16::from_be_bytes;

/// The units of UTF-16; a byte that is over belongs to the next read.
fn units(bytes: &[u8], order: Order) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(move |pair| order([pair[0], pair[1]]))
}

/// Whether all units are ASCII, and not only CRs: CR NUL is a line end.
fn is_ascii_text(bytes: &[u8], order: Order) -> bool {
    units(bytes, order).any(|unit| unit != 0x0D)
        && units(bytes, order).all(|unit| matches!(unit, 1..0x80))
}

/// Whether all units are letters of languages that are written here, or ASCII, with
/// at least two of ASCII among them or a line end: two bytes of any text may look
/// like some Chinese character.
fn is_foreign_text(bytes: &[u8], order: Order) -> bool {
    let is_ascii = |unit: u16| matches!(unit, 0x09 | 0x0A | 0x0D | 0x20..0x7F);
    let (mut ascii, mut last) = (0, 0);
    for unit in units(bytes, order) {
        // A CR alone may be the CR NUL of a terminal; CR LF is sure.
        ascii += match (last, unit) {
            (0x0D, 0x0A) => 2,
            _ => usize::from(is_ascii(unit) && unit != 0x0D),
        };
        last = unit;
        let is_letter = matches!(unit,
            0xA0..0x250 | 0x370..0x530 | 0x1100..0x1200 | 0x2000..0x2070 | 0x3000..0x3190
            | 0x4E00..0xA000 | 0xAC00..0xE000 | 0xFF00..0xFFF0);
        if !is_ascii(unit) && !is_letter {
            return false;
        }
    }
    ascii >= 2
}

/// Whether it is all UTF-32, and more than one character.
fn is_utf32(bytes: &[u8]) -> bool {
    let are_characters = |order: fn([u8; 4]) -> u32| {
        let mut characters = bytes
            .chunks_exact(4)
            .map(|unit| char::from_u32(order([unit[0], unit[1], unit[2], unit[3]])));
        characters.all(|c| c.is_some_and(|c| ('\u{1}'..'\u{20000}').contains(&c)))
    };
    bytes.len() >= 8 && (are_characters(u32::from_le_bytes) || are_characters(u32::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    fn utf32(text: &str, order: fn(u32) -> [u8; 4]) -> Vec<u8> {
        text.chars().flat_map(|c| order(u32::from(c))).collect()
    }

    #[test]
    fn wide_text_is_recognised_in_either_order() {
        for text in
            ["alice\r\n", "홍길동\r\n", "안녕 hello\r\n두 번째 줄\r\n", "é à\r\n", "👋 hi\n"]
        {
            for mark in ["", "\u{FEFF}"] {
                let text = format!("{mark}{text}");
                for order in [u16::to_le_bytes, u16::to_be_bytes] {
                    let bytes = utf16(&text, order);
                    assert_eq!(Wide::of_bytes(&bytes), Some(Wide::Utf16), "{text:?}");
                }
                for order in [u32::to_le_bytes, u32::to_be_bytes] {
                    let bytes = utf32(&text, order);
                    assert_eq!(Wide::of_bytes(&bytes), Some(Wide::Utf32), "{text:?}");
                }
            }
        }
        // With a mark, one character is enough, and a cut one does no harm.
        assert_eq!(Wide::of_bytes(b"\xff\xfea\0"), Some(Wide::Utf16));
        assert_eq!(Wide::of_bytes(b"\xff\xfea\0l"), Some(Wide::Utf16));
        assert_eq!(Wide::of_bytes(b"\xfe\xff\0a"), Some(Wide::Utf16));
    }

    #[test]
    fn text_telnet_and_padding_are_not_wide() {
        for bytes in [
            b"".as_slice(),
            b"a",
            b"alice\r\n",
            "안녕하세요\n".as_bytes(),
            "\u{FEFF}alice\n".as_bytes(),
            // C strings, padded and not.
            b"a\0",
            b"dave\0\0\0\0",
            b"carol\0\0\0\0\0\0",
            b"carol\0hello\0",
            b"alice\n\0",
            b"dave\n\0/msg\n\0",
            // CR NUL.
            b"ab\r\0cd\r\0",
            "안녕\r\0a\r\0".as_bytes(),
            b"\r\0\r\0",
            b"\r\0\r\0\xec",
            b"\r\0\r\0\xec\x95",
            // CP949 and Latin-1.
            b"\xbe\xc8\xb3\xe7\r\n",
            b"\xc8\xab\xb1\xe6\xb5\xbf\r\n",
            b"caf\xe9 x\n",
            // Telnet: DONT ECHO, DONT BINARY, and then text.
            b"\xff\xfe\x01\xff\xfd\x03",
            b"\xff\xfe\x01alice\r\n",
            b"\xff\xfe\x01alice\r\0",
            b"\xff\xfe\0alice\r\n",
            b"\xff\xfe\x01",
            b"\xff\xfe",
            b"\xff\xfb\x1f\xff\xfb\x20",
        ] {
            assert_eq!(Wide::of_bytes(bytes), None, "{:?}", bytes.escape_ascii());
        }
    }
}
