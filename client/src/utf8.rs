//! Decodes UTF-8 from reads that may end in the middle of a character.

use std::char::REPLACEMENT_CHARACTER;

/// Turns reads into text. The beginning of an incomplete character is kept until the rest
/// arrives.
#[derive(Debug, Default)]
pub(crate) struct Utf8Decoder {
    /// At most three bytes between reads: the beginning of one character.
    undecoded: Vec<u8>,
}

impl Utf8Decoder {
    /// The text of the next read. Bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> String {
        self.undecoded.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.undecoded.len());
        let mut done = 0;
        for chunk in self.undecoded.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let invalid = chunk.invalid();
            let is_last = done + invalid.len() == self.undecoded.len();
            if invalid.is_empty() || (is_last && is_beginning(invalid)) {
                break;
            }
            text.push(REPLACEMENT_CHARACTER);
            done += invalid.len();
        }
        self.undecoded.drain(..done);
        text
    }

    /// The text at the end of the input: U+FFFD for an incomplete character.
    pub(crate) fn finish(&mut self) -> &'static str {
        let complete = self.undecoded.is_empty();
        self.undecoded.clear();
        if complete { "" } else { "\u{fffd}" }
    }
}

/// Whether further bytes could complete `invalid` to a character.
fn is_beginning(invalid: &[u8]) -> bool {
    str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        for cut in 0..=bytes.len() {
            let mut decoder = Utf8Decoder::default();
            let mut text = decoder.decode(&bytes[..cut]);
            text += &decoder.decode(&bytes[cut..]);
            text += decoder.finish();
            assert_eq!(text, expected, "cut at {cut}");
        }
        let mut decoder = Utf8Decoder::default();
        let mut text: String = bytes.chunks(1).map(|byte| decoder.decode(byte)).collect();
        text += decoder.finish();
        assert_eq!(text, expected, "byte by byte");
    }

    #[test]
    fn a_cut_character_stays_whole() {
        check("로그인ID:".as_bytes(), "로그인ID:");
        check("a👩‍👩‍👧b".as_bytes(), "a👩‍👩‍👧b");
    }

    #[test]
    fn invalid_utf8_is_shown_as_replacement_characters() {
        check(b"a\xffb", "a\u{fffd}b");
        check(b"\xb0\xa1\n", "\u{fffd}\u{fffd}\n"); // CP949
        check(b"ok\xed\x95", "ok\u{fffd}");
        check(b"\xf0\x9f\x91 x\xe2", "\u{fffd} x\u{fffd}");
    }
}
