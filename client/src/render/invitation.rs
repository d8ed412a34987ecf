//! How an invitation is shown: the ways to join, and a QR code if the terminal can show one
//! that phones can read.

use madang_protocol::{
    event::ServerMessage,
    notice::{Invitation, Notice},
};
use madang_terminal::qr::{self, NotPainted};

use super::Renderer;
use crate::words::Words;

impl Renderer {
    /// The lines of an `invite`, for a terminal of this size. There is no code without colours:
    /// half blocks are twice as wide in Korean terminals, and phones can't read them.
    pub(super) fn invite(&self, message: &ServerMessage<'_>, size: (u16, u16)) -> String {
        let ServerMessage::Invite { link, madang, nc, encrypted, qr, words, words_seconds, .. } =
            message
        else {
            return String::new();
        };
        let invitation = Invitation {
            link: link.as_deref(),
            madang,
            nc: nc.first().map(|nc| &**nc),
            join: nc.get(1).map(|join| &**join),
            encrypted: *encrypted,
            qr: None,
            words: words.as_deref(),
            words_seconds: words_seconds.unwrap_or_default(),
        };
        let ways_in = self.notice(&Notice::Invite(invitation).text(self.lang));
        ways_in + &qr.as_deref().map(|qr| self.code(qr, size)).unwrap_or_default()
    }

    fn code(&self, half_blocks: &str, size: (u16, u16)) -> String {
        match qr::paint_code(half_blocks, self.palette, size) {
            Ok(painted) => painted,
            Err(NotPainted::TooLarge { columns, rows }) => {
                self.notice(&Words::CodeTooLarge { columns, rows }.text(self.lang))
            }
            Err(NotPainted::Impossible) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::text::Lang;
    use madang_terminal::style::Palette;

    use super::*;
    use crate::{
        clock::{Clock, TimeFormat},
        render::Form,
    };

    /// A dark module in a quiet zone of two: five modules wide and tall.
    const DOT: &str = r"█████\n██▀██\n█████";

    fn shown(qr: &str, palette: Palette, size: (u16, u16)) -> String {
        let renderer =
            Renderer::new(Lang::En, palette, Clock::new(TimeFormat::Never), Form::Person);
        let json = format!(
            r#"{{"type":"invite","room":"lobby","link":"http://h/","madang":"madang http://h/","nc":[],"encrypted":true,"qr":"{qr}"}}"#
        );
        renderer.invite(&ServerMessage::parse(&json).expect("it is known"), size)
    }

    const LINES: &str = "  browser: http://h/\n  madang: madang http://h/\n";

    #[test]
    fn each_module_of_a_code_is_two_blanks() {
        let text = shown(DOT, Palette::Sixteen, (10, 6));
        assert_eq!(text.lines().count(), 2 + 5, "{text:?}");
        assert!(text.contains("\x1b[107m    \x1b[40m  \x1b[107m    \x1b[0m\n"), "{text:?}");
        assert!(!text.contains('█'));
    }

    #[test]
    fn a_code_that_does_not_fit_says_how_much_space_it_needs() {
        for size in [(5, 24), (80, 3)] {
            let text = shown(DOT, Palette::Sixteen, size);
            assert!(
                text.contains("6 columns and 4 rows") && !text.contains("\x1b[40m"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn without_colours_or_code_only_the_link_is_shown() {
        assert_eq!(shown(DOT, Palette::Plain, (80, 24)), LINES);
        for nonsense in ["", "##", r"██\n█", r"\u001b[31m"] {
            let text = shown(nonsense, Palette::Sixteen, (80, 24));
            assert_eq!(text.lines().count(), 2, "{text:?}");
        }
    }
}
