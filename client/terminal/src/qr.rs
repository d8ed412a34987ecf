//! QR codes on a terminal: two blanks with a background a module. Half blocks, as codes come
//! over the wire, have two widths in consoles that write Korean, and no code is read there.

use crate::style::Palette;

/// Modules that stay of the quiet zone on each side.
const QUIET: usize = 2;

/// A code that is drawn in half blocks, light on dark, painted for a terminal of so many
/// columns. None if that has no colours or too few columns, or it is no code.
pub fn paint_code(half_blocks: &str, palette: Palette, columns: u16) -> Option<String> {
    let (light, dark) = match palette {
        Palette::Plain => return None,
        Palette::Sixteen => ("\x1b[107m", "\x1b[40m"),
        // Of the cube, which no theme changes.
        Palette::Many => ("\x1b[48;5;231m", "\x1b[48;5;16m"),
    };
    let rows = cropped(&modules(half_blocks)?)?;
    if rows.first().is_none_or(|row| 2 * row.len() > usize::from(columns)) {
        return None;
    }
    let mut painted = String::new();
    for row in rows {
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
    Some(painted)
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

/// The code with less of the quiet zone, which is light.
fn cropped(rows: &[Vec<bool>]) -> Option<Vec<Vec<bool>>> {
    // Half a row of blocks is left below a code of odd height, and is dark: it is no part.
    let height = rows.len() - usize::from(rows.last()?.iter().all(|is_light| !is_light));
    let rows = &rows[..height];
    let is_dark_at = |at: usize| rows.iter().any(|row| !row[at]);
    let (top, bottom) = ends(height, |at| rows[at].contains(&false))?;
    let (left, right) = ends(rows.first()?.len(), is_dark_at)?;
    let crop = |row: &Vec<bool>| row[left..right].to_vec();
    Some(rows[top..bottom].iter().map(crop).collect())
}

/// From where to where what `is_dark` goes, with as much of the quiet zone as stays.
fn ends(count: usize, is_dark: impl Fn(usize) -> bool) -> Option<(usize, usize)> {
    let first = (0..count).find(|at| is_dark(*at))?;
    let last = (0..count).rfind(|at| is_dark(*at))?;
    Some((first.saturating_sub(QUIET), (last + 1 + QUIET).min(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a code, but one dark module in a quiet zone of three.
    const DOT: &str = "███████\n███▀███\n███████\n▀▀▀▀▀▀▀";

    #[test]
    fn a_module_is_two_blanks_and_the_quiet_zone_is_small() {
        let painted = paint_code(DOT, Palette::Sixteen, 80).expect("it fits");
        let rows: Vec<&str> = painted.lines().collect();
        let light = format!("\x1b[107m{}\x1b[0m", " ".repeat(10));
        let dot = "\x1b[107m    \x1b[40m  \x1b[107m    \x1b[0m";
        assert_eq!(rows, [&*light, &*light, dot, &*light, &*light]);
        assert_eq!(
            paint_code(DOT, Palette::Many, 10).map(|painted| painted.lines().count()),
            Some(5)
        );
    }

    #[test]
    fn what_can_not_be_painted_is_not() {
        assert_eq!(paint_code(DOT, Palette::Plain, 80), None);
        assert_eq!(paint_code(DOT, Palette::Many, 9), None);
        for other in ["", "hello", "██\n█", "██\n██"] {
            assert_eq!(paint_code(other, Palette::Many, 80), None, "{other:?}");
        }
    }
}
