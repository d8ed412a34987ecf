//! QR codes on a terminal: two blanks with a background a module. Half blocks, as codes come
//! over the wire, have two widths in consoles that write Korean, and no code is read there.

use crate::style::Palette;

/// Modules that stay of the quiet zone on each side; fewer where the window is that small:
/// a link of 25 letters then fits 24 rows.
const QUIET: [usize; 2] = [2, 1];

/// Why a code is not painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPainted {
    /// The terminal has no colours, or it is no code.
    Impossible,
    /// It needs a window of at least this size, with a row for the line that is typed.
    TooLarge {
        /// Of blanks: two for each module.
        columns: usize,
        /// The code's and one more.
        rows: usize,
    },
}

/// A code that is drawn in half blocks, light on dark, painted for a terminal of so many
/// columns and rows.
///
/// # Errors
///
/// [`NotPainted`] says why it can't be.
pub fn paint_code(
    half_blocks: &str,
    palette: Palette,
    (columns, rows): (u16, u16),
) -> Result<String, NotPainted> {
    let (light, dark) = match palette {
        Palette::Plain => return Err(NotPainted::Impossible),
        Palette::Sixteen => ("\x1b[107m", "\x1b[40m"),
        // Of the cube, which no theme changes.
        Palette::Many => ("\x1b[48;5;231m", "\x1b[48;5;16m"),
    };
    let modules = modules(half_blocks).ok_or(NotPainted::Impossible)?;
    let [code, smaller] = QUIET.map(|quiet| cropped(&modules, quiet));
    let (code, smaller) = code.zip(smaller).ok_or(NotPainted::Impossible)?;
    let size = |code: &[Vec<bool>]| (code.first().map_or(0, |row| 2 * row.len()), code.len() + 1);
    let fits = |code: &Vec<Vec<bool>>| {
        let needed = size(code);
        needed.0 <= usize::from(columns) && needed.1 <= usize::from(rows)
    };
    let (needed_columns, needed_rows) = size(&smaller);
    let too_large = NotPainted::TooLarge { columns: needed_columns, rows: needed_rows };
    let code = [code, smaller].into_iter().find(fits).ok_or(too_large)?;
    let mut painted = String::new();
    for row in code {
        let mut before = None;
        for is_light in row {
            if before != Some(is_light) {
                painted.push_str(if is_light { light } else { dark });
                before = Some(is_light);
            }
            painted.push_str("  ");
        }
        painted.push_str("\x1b[0m\n");
    }
    Ok(painted)
}

/// The modules, row by row: whether each is light.
fn modules(half_blocks: &str) -> Option<Vec<Vec<bool>>> {
    let mut rows = Vec::new();
    for line in half_blocks.lines() {
        let halves = line.chars().map(|block| match block {
            '█' => Some((true, true)),
            '▀' => Some((true, false)),
            '▄' => Some((false, true)),
            ' ' => Some((false, false)),
            _ => None,
        });
        let (upper, lower): (Vec<bool>, Vec<bool>) =
            halves.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        rows.extend([upper, lower]);
    }
    let width = rows.first()?.len();
    rows.iter().all(|row| row.len() == width).then_some(rows)
}

/// The code with so much of the quiet zone, which is light.
fn cropped(rows: &[Vec<bool>], quiet: usize) -> Option<Vec<Vec<bool>>> {
    // Half a row of blocks is left below a code of odd height, and is dark: it is no part.
    let height = rows.len() - usize::from(rows.last()?.iter().all(|is_light| !is_light));
    let rows = &rows[..height];
    let is_dark_at = |at: usize| rows.iter().any(|row| !row[at]);
    let (top, bottom) = ends(height, quiet, |at| rows[at].contains(&false))?;
    let (left, right) = ends(rows.first()?.len(), quiet, is_dark_at)?;
    let crop = |row: &Vec<bool>| row[left..right].to_vec();
    Some(rows[top..bottom].iter().map(crop).collect())
}

/// From where to where what `is_dark` goes, with the quiet zone around it.
fn ends(count: usize, quiet: usize, is_dark: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let first = (0..count).find(|at| is_dark(*at))?;
    let last = (0..count).rfind(|at| is_dark(*at))?;
    Some((first.saturating_sub(quiet), (last + 1 + quiet).min(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a code, but one dark module in a quiet zone of three.
    const DOT: &str = "███████\n███▀███\n███████\n▀▀▀▀▀▀▀";

    #[test]
    fn a_module_is_two_blanks_and_the_quiet_zone_is_small() {
        let painted = paint_code(DOT, Palette::Sixteen, (80, 24)).expect("it fits");
        let rows: Vec<&str> = painted.lines().collect();
        let light = format!("\x1b[107m{}\x1b[0m", " ".repeat(10));
        let dot = "\x1b[107m    \x1b[40m  \x1b[107m    \x1b[0m";
        assert_eq!(rows, [&*light, &*light, dot, &*light, &*light]);
        for (size, expected) in [((10, 6), 5), ((9, 6), 3), ((10, 5), 3), ((6, 4), 3)] {
            let painted = paint_code(DOT, Palette::Many, size).expect("it just fits");
            assert_eq!(painted.lines().count(), expected, "{size:?}");
        }
    }

    #[test]
    fn codes_that_are_invalid_or_too_large_are_not_painted() {
        let impossible = Err(NotPainted::Impossible);
        assert_eq!(paint_code(DOT, Palette::Plain, (80, 24)), impossible);
        for other in ["", "hello", "██\n█", "██\n██"] {
            assert_eq!(paint_code(other, Palette::Many, (80, 24)), impossible, "{other:?}");
        }
        let too_large = Err(NotPainted::TooLarge { columns: 6, rows: 4 });
        for size in [(5, 24), (80, 3)] {
            assert_eq!(paint_code(DOT, Palette::Many, size), too_large);
        }
    }
}
