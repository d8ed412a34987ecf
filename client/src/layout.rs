//! How many rows a typed line takes on a terminal: the editor's own reckoning, which
//! it keeps to itself.

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation as _;

/// As the editor has it.
const TAB_STOP: u16 = 8;

/// How many columns a prompt takes.
pub(crate) fn columns_of(prompt: &str) -> usize {
    let mode = GraphemeClusterMode::from_env();
    prompt.graphemes(true).map(|grapheme| usize::from(mode.width(grapheme))).sum()
}

/// How many rows the cursor has moved down when `prompt` and `text` have been typed
/// in `columns` and the line was ended.
pub(crate) fn rows_below(prompt: &str, text: &str, columns: u16) -> u16 {
    let mode = GraphemeClusterMode::from_env();
    let columns = columns.max(1);
    let mut rows: u16 = 0;
    let mut column: u16 = 0;
    for grapheme in prompt.graphemes(true).chain(text.graphemes(true)) {
        if grapheme == "\n" {
            rows = rows.saturating_add(1);
            column = 0;
            continue;
        }
        let width = match grapheme {
            "\t" => TAB_STOP - column % TAB_STOP,
            _ => mode.width(grapheme),
        };
        column = column.saturating_add(width);
        if column > columns {
            rows = rows.saturating_add(1);
            column = width;
        }
    }
    if column == columns {
        rows = rows.saturating_add(1);
    }
    rows.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_terminals_fill_them() {
        #[track_caller]
        fn check(prompt: &str, text: &str, columns: u16, rows: u16) {
            assert_eq!(rows_below(prompt, text, columns), rows);
        }
        check("> ", "", 10, 1);
        check("> ", "1234567", 10, 1);
        // A full row has its cursor on the next.
        check("> ", "12345678", 10, 2);
        check("> ", "123456789", 10, 2);
        // A syllable that does not fit goes to the next row whole.
        check("> ", "가나다라", 10, 2);
        check("> ", "1가나다라", 10, 2);
        check("> ", "1가나다라마바사", 10, 2);
        check("> ", "1가나다라마바사아", 10, 3);
        check("> ", "one\ntwo\n", 10, 3);
        check("> ", "\t", 10, 1);
        check("> ", "\t\t", 10, 2);
        check("> ", "x", 0, 4);
    }

    #[test]
    fn prompts_are_measured_in_columns() {
        assert_eq!(columns_of("[lobby 12] "), 11);
        assert_eq!(columns_of("[수학 9] "), 9);
    }
}
