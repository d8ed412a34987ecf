//! An unfinished line of a line server: its rest may be late, or it is a prompt. The caller
//! provides the time.

use std::time::{Duration, Instant};

/// How long to wait for the rest of a line: from a server that has not ended any line so far,
/// and from one that has, whose rest is merely late.
const PAUSE: Duration = Duration::from_millis(50);
const LONG_PAUSE: Duration = Duration::from_secs(2);

/// The beginning of a line, and when more of it last arrived.
pub(crate) struct Unfinished {
    text: String,
    heard_at: Instant,
    /// Whether the server has ended a line.
    ends_lines: bool,
}

impl Unfinished {
    /// Nothing has arrived yet.
    pub(crate) fn new(now: Instant) -> Unfinished {
        Unfinished { text: String::new(), heard_at: now, ends_lines: false }
    }

    /// The beginning of a line; empty if there is none.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds the text that arrived at `now`, and returns the lines that are complete now.
    pub(crate) fn add(&mut self, text: &str, now: Instant) -> String {
        self.text += text;
        self.heard_at = now;
        match self.text.rfind('\n') {
            Some(end) => {
                self.ends_lines = true;
                self.text.drain(..=end).collect()
            }
            None => String::new(),
        }
    }

    /// Takes the unfinished line.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// When it has waited long enough, if it is not empty.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        let pause = if self.ends_lines { LONG_PAUSE } else { PAUSE };
        (!self.text.is_empty()).then(|| self.heard_at + pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_line_is_waited_for_if_lines_end() {
        let now = Instant::now();
        let later = now + Duration::from_secs(9);
        let mut unfinished = Unfinished::new(now);
        assert_eq!(unfinished.settles_at(), None);
        // A prompt, from a server that has ended nothing yet.
        assert_eq!(unfinished.add("ID:", now), "");
        assert_eq!(unfinished.settles_at(), Some(now + PAUSE));
        assert_eq!(unfinished.add(" welcome\n[bob] the first", now), "ID: welcome\n");
        assert_eq!(unfinished.settles_at(), Some(now + LONG_PAUSE));
        assert_eq!(unfinished.add(" and", later), "");
        assert_eq!(unfinished.settles_at(), Some(later + LONG_PAUSE));
        assert_eq!(unfinished.add(" the rest\n", later), "[bob] the first and the rest\n");
        assert_eq!((unfinished.text(), unfinished.settles_at()), ("", None));
        unfinished.add("as it is", later);
        assert_eq!((&*unfinished.take(), unfinished.settles_at()), ("as it is", None));
    }
}
