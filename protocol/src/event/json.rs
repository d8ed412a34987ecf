//! Messages as JSON lines.

use std::io;

use serde::Serialize;

use crate::sanitize::{is_printable_ascii, is_unwanted};

/// Appends `message` as one JSON line, with its LF. Characters that a terminal might obey are
/// written as `\u` escapes: a nonce, say, returns as it was sent.
pub fn write_json_line(message: &impl Serialize, out: &mut Vec<u8>) {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Printable::default());
    message
        .serialize(&mut serializer)
        .expect("strings and numbers always have a JSON form, and a Vec takes all");
    out.push(b'\n');
}

/// Writes JSON without line breaks, and strings with nothing raw in them that
/// [`is_unwanted`] names.
#[derive(Default)]
struct Printable {
    /// Keys are the names of fields: nobody else's text, and not looked at.
    in_key: bool,
}

impl serde_json::ser::Formatter for Printable {
    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.in_key = true;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.in_key || is_printable_ascii(fragment.as_bytes()) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unwanted) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut following = rest[at..].chars();
            let unwanted = following.next().expect("one was found there");
            for unit in unwanted.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = following.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}
