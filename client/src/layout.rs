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
    let rows = row_starts(prompt, text, columns).count();
    u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1)
}

/// Where the end of `text` begins that fits below a row with `prompt`, in `rows` in all;
/// and how many rows are then left out. `None` if all of it fits.
pub(crate) fn end_that_fits(
    prompt: &str,
    text: &str,
    columns: u16,
    rows: u16,
) -> Option<(usize, usize)> {
    let all = row_starts(prompt, text, columns).count() + 1;
    if all <= usize::from(rows) {
        return None;
    }
    let left_out = all - usize::from(rows.max(2) - 1);
    let start = row_starts(prompt, text, columns).nth(left_out - 1)?;
    Some((start, left_out))
}

/// Where in `text` each row but the first begins.
fn row_starts<'t>(
    prompt: &'t str,
    text: &'t str,
    columns: u16,
) -> impl Iterator<Item = usize> + 't {
    let mode = GraphemeClusterMode::from_env();
    let columns = columns.max(1);
    let mut column: u16 = 0;
    let of_prompt = prompt.graphemes(true).map(|grapheme| (0, grapheme));
    let of_text = text.grapheme_indices(true);
    // A row that is full has its cursor on the next, at the end of the text too.
    let end = [(text.len(), "")];
    of_prompt.chain(of_text).chain(end).filter_map(move |(at, grapheme)| {
        if grapheme == "\n" {
            column = 0;
            return Some(at + grapheme.len());
        }
        let width = match grapheme {
            "" => u16::from(column == columns),
            "\t" => TAB_STOP - column % TAB_STOP,
            _ => mode.width(grapheme),
        };
        column = column.saturating_add(width);
        (column > columns).then(|| {
            column = width;
            at
        })
    })
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
    fn the_end_of_a_text_begins_with_a_row() {
        #[track_caller]
        fn check(text: &str, rows: u16, expected: Option<(&str, usize)>) {
            let found = end_that_fits("> ", text, 10, rows);
            assert_eq!(found.map(|(start, left_out)| (&text[start..], left_out)), expected);
        }
        check("", 3, None);
        check("1\n2\n3", 3, None);
        check("1\n2\n3\n4", 3, Some(("3\n4", 2)));
        check("1\n2\n3\n", 3, Some(("3\n", 2)));
        check("가나다라마바사아자차카타", 2, Some(("차카타", 2)));
        check("12345678", 1, Some(("", 1)));
        check("12345678", 2, None);
        check("1\n2\n3\n4", 0, Some(("4", 3)));
    }

    #[test]
    fn prompts_are_measured_in_columns() {
        assert_eq!(columns_of("[lobby 12] "), 11);
        assert_eq!(columns_of("[수학 9] "), 9);
    }
}
