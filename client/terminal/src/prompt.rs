//! What stands before the line being typed: the prompt, and above it at most one row that stays
//! there while it is true, such as an open poll.

use crate::layout::{columns_of, cut_to};

/// Fewer rows than this leave no space for a pinned line.
const ROWS_FOR_PINNED: u16 = 6;

/// A title is not shortened below this, as long as its items can be.
const TITLE_COLUMNS: usize = 12;

/// An item that is cut to less than this is reduced to its first word.
const ITEM_COLUMNS: usize = 6;

/// What stands between the title and the items.
const GAP: &str = "  ";

/// A line that stays above the prompt. It takes one row of any terminal: the title is shortened
/// first, then the items. Each item begins with the word that matters most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pinned {
    /// What it is about.
    pub title: String,
    /// Its parts.
    pub items: Vec<String>,
}

impl Pinned {
    /// The line in at most so many columns.
    pub(crate) fn fitted(&self, columns: usize) -> String {
        let gaps = GAP.len() * self.items.len();
        let of_items = self.items.iter().map(|item| columns_of(item)).sum::<usize>();
        let for_title = columns.saturating_sub(of_items + gaps);
        if for_title >= columns_of(&self.title).min(TITLE_COLUMNS) {
            return self.joined(for_title, self.items.iter().map(String::as_str));
        }
        let for_title = columns_of(&self.title).min(TITLE_COLUMNS);
        let for_each = columns.saturating_sub(for_title + gaps) / self.items.len().max(1);
        if for_each >= ITEM_COLUMNS {
            let items: Vec<String> =
                self.items.iter().map(|item| cut_to(item, for_each).into_owned()).collect();
            return self.joined(for_title, items.iter().map(String::as_str));
        }
        let words = || self.items.iter().filter_map(|item| item.split_whitespace().next());
        let of_words = words().map(columns_of).sum::<usize>();
        let line = self.joined(columns.saturating_sub(of_words + gaps), words());
        cut_to(&line, columns).into_owned()
    }

    fn joined<'i>(&self, for_title: usize, items: impl Iterator<Item = &'i str>) -> String {
        let mut line = cut_to(&self.title, for_title).into_owned();
        for item in items {
            line.push_str(GAP);
            line.push_str(item);
        }
        line.trim_start().to_owned()
    }
}

/// The prompt as it is painted, with the pinned row above it if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) pinned: Option<String>,
    pub(crate) text: String,
}

impl Prompt {
    /// The prompt `text` below `pinned`, on a terminal of this size.
    pub(crate) fn new(text: &str, pinned: Option<&Pinned>, (columns, rows): (u16, u16)) -> Prompt {
        let pinned = pinned.filter(|_| rows >= ROWS_FOR_PINNED);
        // Some terminals wrap a row that is exactly full.
        let columns = usize::from(columns).saturating_sub(1);
        Prompt { pinned: pinned.map(|pinned| pinned.fitted(columns)), text: text.to_owned() }
    }

    /// As the editor knows it. The pinned row is empty there: it is always one row, however
    /// wide the terminal is by the time it is painted.
    pub(crate) fn for_editor(&self) -> String {
        match self.pinned {
            Some(_) => format!("\n{}", self.text),
            None => self.text.clone(),
        }
    }

    /// As it stands on the screen, without colours.
    pub(crate) fn on_screen(&self) -> String {
        match &self.pinned {
            Some(pinned) => format!("{pinned}\n{}", self.text),
            None => self.text.clone(),
        }
    }

    /// Whether it can take the place of `other` in the middle of a line: the cursor does not
    /// move.
    pub(crate) fn has_shape_of(&self, other: &Prompt) -> bool {
        self.pinned.is_some() == other.pinned.is_some()
            && columns_of(&self.text) == columns_of(&other.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_line_takes_one_row_and_keeps_what_matters() {
        let poll = Pinned {
            title: "poll: Which of these is a pointer?".into(),
            items: ["/1 the first one", "/2 a rather long second", "✓/3 점심 김밥"]
                .map(String::from)
                .to_vec(),
        };
        #[track_caller]
        fn check(pinned: &Pinned, columns: usize, expected: &str) {
            let line = pinned.fitted(columns);
            assert_eq!(line, expected, "in {columns} columns");
            assert!(columns_of(&line) <= columns, "{line} in {columns} columns");
        }
        let whole = "poll: Which of these is a pointer?  /1 the first one  \
                     /2 a rather long second  ✓/3 점심 김밥";
        check(&poll, 100, whole);
        check(
            &poll,
            80,
            "poll: Which of these…  /1 the first one  /2 a rather long second  ✓/3 점심 김밥",
        );
        check(&poll, 60, "poll: Which…  /1 the first…  /2 a rather l…  ✓/3 점심 김밥");
        check(&poll, 40, "poll: Which…  /1 the…  /2 a r…  ✓/3 점…");
        check(&poll, 35, "poll: Which of these…  /1  /2  ✓/3");
        check(&poll, 20, "poll:…  /1  /2  ✓/3");
        check(&poll, 8, "/1  /2…");
        let timer = Pinned { title: "timer 5 minutes: groups".into(), items: Vec::new() };
        check(&timer, 79, "timer 5 minutes: groups");
        check(&timer, 10, "timer 5 m…");
        for columns in 1..120 {
            assert!(columns_of(&poll.fitted(columns)) <= columns, "{columns} columns");
        }
    }

    #[test]
    fn a_small_terminal_has_no_pinned_line() {
        let pinned = Pinned { title: "poll".into(), items: Vec::new() };
        let prompt = |rows| Prompt::new("[lobby 1] ", Some(&pinned), (80, rows));
        assert_eq!(prompt(24).on_screen(), "poll\n[lobby 1] ");
        assert_eq!(prompt(24).for_editor(), "\n[lobby 1] ");
        assert_eq!(prompt(5).for_editor(), "[lobby 1] ");
        assert!(!prompt(5).has_shape_of(&prompt(24)));
    }
}
