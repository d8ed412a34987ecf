//! How many columns and rows text takes on a terminal, by the same rules as the editor, which
//! does not export them. For the line being typed and for lines above it.

use std::borrow::Cow;

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation as _;

/// The editor's tab width.
const TAB_STOP: u16 = 8;

/// The indent of a long line's further rows.
const INDENT: &str = "      ";

/// Wraps lines to `columns` columns. Continuation rows are indented, so that no text appears
/// where names and notices begin. Rows are broken at a blank if there is one; a longer word
/// fills its row.
pub(crate) fn hang(text: &str, columns: u16) -> Cow<'_, str> {
    let columns = usize::from(columns);
    // Except for tabs, no character has more columns than bytes.
    let fits = |line: &str| line.len() <= columns && !line.contains('\t');
    // Each row needs space for at least one wide character.
    let indent = &INDENT[..INDENT.len().min(columns.saturating_sub(2))];
    if indent.is_empty() || text.lines().all(fits) {
        return Cow::Borrowed(text);
    }
    let mut hung = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        match fits(line.trim_end_matches('\n')) {
            true => hung.push_str(line),
            false => hang_line(line, columns, indent, &mut hung),
        }
    }
    Cow::Owned(hung)
}

fn hang_line(line: &str, columns: usize, indent: &str, hung: &mut String) {
    let mut column = 0;
    // The position in `hung` after the row's last blank, and its column.
    let mut blank: Option<(usize, usize)> = None;
    let mut rest = line;
    while !rest.is_empty() {
        if let Some(sequence) = style_sequence(rest) {
            hung.push_str(sequence);
            rest = &rest[sequence.len()..];
            continue;
        }
        let grapheme = rest.graphemes(true).next().unwrap_or(rest);
        rest = &rest[grapheme.len()..];
        let width_at = |column: usize| match grapheme {
            "\n" | "\x07" => 0,
            "\t" => usize::from(TAB_STOP) - column % usize::from(TAB_STOP),
            _ => widest(grapheme),
        };
        let is_blank = matches!(grapheme, " " | "\t" | "\u{3000}");
        if is_blank && column + width_at(column) > columns {
            // The end of the row replaces it.
            hung.push('\n');
            hung.push_str(indent);
            (column, blank) = (indent.len(), None);
            continue;
        }
        // One that is wider than a row, such as joined emoji, is left to the terminal.
        while column + width_at(column) > columns && column > indent.len() {
            // Breaking at a blank in the left half would leave most of the row empty.
            let last = blank.take().filter(|(_, behind)| *behind > columns / 2);
            let (at, behind) = last.unwrap_or((hung.len(), column));
            hung.insert_str(at, indent);
            hung.insert(at, '\n');
            column = indent.len() + column - behind;
        }
        hung.push_str(grapheme);
        column += width_at(column);
        if is_blank {
            blank = Some((hung.len(), column));
        }
    }
}

/// The most columns that a grapheme may take: terminals disagree about joined and emphasised
/// ones, and a row must not be longer in any terminal than it is here.
fn widest(grapheme: &str) -> usize {
    let views = [GraphemeClusterMode::Unicode, GraphemeClusterMode::WcWidth];
    views.into_iter().map(|view| usize::from(view.width(grapheme))).max().unwrap_or_default()
}

/// The SGR sequence (colour or weight, ECMA-48 section 8.3.117) at the beginning of `text`, if
/// any.
fn style_sequence(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    parameters[end..].starts_with('m').then(|| &text[..text.len() - parameters.len() + end + 1])
}

/// The width of a prompt in columns.
pub fn columns_of(prompt: &str) -> usize {
    let mode = GraphemeClusterMode::from_env();
    prompt.graphemes(true).map(|grapheme| usize::from(mode.width(grapheme))).sum()
}

/// `text` in at most so many columns: if it is cut, an ellipsis stands for its end.
pub fn cut_to(text: &str, columns: usize) -> Cow<'_, str> {
    if columns_of(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(space) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let mode = GraphemeClusterMode::from_env();
    let mut taken = 0;
    let fitting = text.graphemes(true).take_while(|grapheme| {
        taken += usize::from(mode.width(grapheme));
        taken <= space
    });
    Cow::Owned(fitting.collect::<String>().trim_end().to_owned() + "…")
}

/// How many rows the cursor moves down for `prompt`, `text` and the line end, with `columns`
/// columns.
pub(crate) fn rows_below(prompt: &str, text: &str, columns: u16) -> u16 {
    let rows = row_starts(prompt, text, columns).count();
    u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1)
}

/// Whether `prompt` and `text` end where a row does.
pub(crate) fn fills_row(prompt: &str, text: &str, columns: u16) -> bool {
    let prompt = prompt.rsplit('\n').next().unwrap_or_default();
    !text.ends_with('\n') && row_starts(prompt, text, columns).last() == Some(text.len())
}

/// How many rows `prompt` and `text` take to the cursor behind them after the terminal has
/// wrapped them anew, if a row was ended at `row_end`. `is_at_end` if nothing follows there: at
/// the end of a full row, the cursor then stays on it.
pub(crate) fn rows_wrapped_anew(
    prompt: &str,
    text: &str,
    row_end: Option<usize>,
    is_at_end: bool,
    columns: u16,
) -> u16 {
    let full_row = |prompt: &str, text: &str| u16::from(fills_row(prompt, text, columns));
    let (prompt_of_last, last, rows) = match row_end {
        Some(at) => {
            let first = &text[..at];
            let rows = rows_below(prompt, first, columns) - full_row(prompt, first);
            ("", &text[at..], rows)
        }
        None => (prompt, text, 0),
    };
    let stays = if is_at_end { full_row(prompt_of_last, last) } else { 0 };
    rows + rows_below(prompt_of_last, last, columns) - stays
}

/// For a `text` too tall for `rows` rows: where the part begins that fits below the rows of
/// `prompt`, and how many rows are left out. `None` if all of it fits.
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
    let above = prompt.matches('\n').count();
    let first = all - usize::from(rows).saturating_sub(above + 1).max(1);
    let start = row_starts(prompt, text, columns).nth(first - 1)?;
    Some((start, first - above))
}

/// The offsets in `text` at which its rows begin, without the first. Those of a prompt of
/// several rows come before them.
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
    // After a full row, the cursor is on the next one, also at the end of the text.
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
    fn wrapped_text_never_starts_in_the_column_of_names() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(hang(text, 20), expected);
        }
        check("short\n", "short\n");
        let widest = "\u{1100}".repeat(40);
        check(&format!("[bob] {widest} x\n"), &format!("[bob] {widest}\n      x\n"));
        check("[bob] 12345678901234\n", "[bob] 12345678901234\n");
        // Broken at a blank, or in the middle of a word longer than a row.
        check("[bob] hello there all [eve] x\n", "[bob] hello there \n      all [eve] x\n");
        let word = "[bob] 123456789012345[eve]67890123456789\n";
        check(word, "[bob] 12345678901234\n      5[eve]67890123\n      456789\n");
        // A wide character moves to the next row as a whole; zero-width ones take no column.
        check("가나다라마바사아자차카\n", "가나다라마바사아자차\n      카\n");
        check("1가나다라마바사아자차\n", "1가나다라마바사아자\n      차\n");
        let marks = "e\u{301}".repeat(20);
        check(&format!("{marks}x\n"), &format!("{marks}\n      x\n"));
        check("\x1b[1m[bob]\x1b[0m 12345678901234\n", "\x1b[1m[bob]\x1b[0m 12345678901234\n");
        check(
            "\x1b[1m12345678901234567890\x1b[0m1\n",
            "\x1b[1m12345678901234567890\x1b[0m\n      1\n",
        );
        check("12345678\t1234\t[eve]\n", "12345678\t1234\n      [eve]\n");
        check(
            "a line\n[bob] one two three four\nend",
            "a line\n[bob] one two three \n      four\nend",
        );
    }

    #[test]
    fn a_narrow_terminal_indents_as_far_as_it_can() {
        #[track_caller]
        fn check(columns: u16, expected: &str) {
            assert_eq!(hang("[bob]가나[eve]\n", columns), expected);
        }
        check(12, "[bob]가나[ev\n      e]\n");
        check(8, "[bob]가\n      나\n      [e\n      ve\n      ]\n");
        check(5, "[bob]\n   가\n   나\n   [e\n   ve\n   ]\n");
        check(3, "[bo\n b]\n 가\n 나\n [e\n ve\n ]\n");
        // Nothing else than column 0 is left there.
        check(2, "[bob]가나[eve]\n");
        check(1, "[bob]가나[eve]\n");
    }

    #[test]
    fn a_character_takes_what_it_takes_in_the_widest_terminal() {
        // A heart that is emphasised, a family that is joined, a flag.
        for (grapheme, columns) in
            [("\u{2764}\u{fe0f}", 2), ("👨‍👩‍👧", 6), ("🇰🇷", 2), ("가", 2), ("e\u{301}", 1)]
        {
            assert_eq!(widest(grapheme), columns, "{grapheme}");
        }
        let row = "👨‍👩‍👧".repeat(2);
        assert_eq!(hang(&format!("{row}[eve]\n"), 12), format!("{row}\n      [eve]\n"));
        // Each takes two columns in one view and more in the other.
        assert_eq!(
            hang(&format!("{row}12345678[eve]\n"), 20),
            format!("{row}12345678\n      [eve]\n")
        );
    }

    #[test]
    fn no_row_of_a_shown_line_is_wider_than_the_terminal() {
        let parts = ["a", " ", "가", "\t", "e\u{301}", "\x1b[31m", "👨‍👩‍👧", "-", "\u{3000}"];
        for seed in 0..500_usize {
            let text: String =
                (0..120).map(|at| parts[(seed * 31 + at * at * 7) % parts.len()]).collect();
            let line = format!("{text}\n");
            let hung = hang(&line, 30);
            for (at, row) in hung.lines().enumerate() {
                assert!(at == 0 || row.starts_with(INDENT), "{row:?}");
                let plain = row.replace("\x1b[31m", "");
                assert_eq!(
                    row_starts("", &plain, 30).filter(|start| *start < plain.len()).count(),
                    0,
                    "{row:?}"
                );
            }
            let squeezed = |text: &str| text.replace(['\n', ' ', '\t', '\u{3000}'], "");
            assert_eq!(squeezed(&hung), squeezed(&line));
        }
    }

    #[test]
    fn rows_are_counted_as_terminals_fill_them() {
        #[track_caller]
        fn check(prompt: &str, text: &str, columns: u16, rows: u16) {
            assert_eq!(rows_below(prompt, text, columns), rows);
        }
        check("> ", "", 10, 1);
        check("> ", "1234567", 10, 1);
        // After a full row, the cursor is on the next one.
        check("> ", "12345678", 10, 2);
        check("> ", "123456789", 10, 2);
        // A syllable that does not fit moves to the next row as a whole.
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
    fn rows_are_counted_as_a_terminal_wraps_them_anew() {
        #[track_caller]
        fn check(text: &str, row_end: Option<usize>, is_at_end: bool, columns: u16, rows: u16) {
            assert_eq!(rows_wrapped_anew("> ", text, row_end, is_at_end, columns), rows);
        }
        let text = "0123456789012345";
        check(text, None, true, 20, 1);
        check(text, None, true, 10, 2);
        // It fills its rows: the cursor waits behind the last one, unless something follows.
        check(text, None, true, 9, 2);
        check(text, None, false, 9, 3);
        // The first row was ended after 8 letters, when that was all.
        check(text, Some(8), true, 20, 2);
        check(text, Some(8), true, 10, 2);
        check(text, Some(8), true, 8, 3);
        check(text, Some(8), true, 6, 4);
        check(text, Some(8), false, 8, 4);
        check("01234567", Some(8), true, 10, 2);
        check("01234567", Some(8), true, 5, 3);
        assert!(fills_row("> ", "01234567", 10) && fills_row("> ", "0123456", 9));
        assert!(!fills_row("> ", "0123456", 10) && !fills_row("> ", "", 10));
        assert!(!fills_row("> ", "0123\n", 10));
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
