//! Colours: which ones the terminal has, and their meaning here. All can be read on a dark and
//! on a light background.

use std::{env, io::IsTerminal};

use anstyle::{Ansi256Color, AnsiColor, Color, Style};

use crate::tty_mode::takes_colors;

/// The styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// No escape sequence is ever written.
    Plain,
    /// The eight colours of every terminal.
    Sixteen,
    /// The 256 colours of nearly every terminal.
    Many,
}

/// Hues from the 256-colour cube. Each has a contrast of at least 3.9 to black and to white.
/// (WCAG 2.2 §1.4.3 demands 4.5 for small text; only a few hues reach that for both.)
const NAMES: [u8; 12] = [130, 64, 28, 29, 30, 31, 27, 62, 98, 129, 164, 162];

/// The eight colours without black, white and the two that are hard to read on a light
/// background.
const FEW_NAMES: [AnsiColor; 4] =
    [AnsiColor::Green, AnsiColor::Blue, AnsiColor::Magenta, AnsiColor::Cyan];

/// The middle grey, as far from black as from white.
const GREY: u8 = 243;

/// The red of the cube that stands out on both backgrounds.
const RED: u8 = 161;

impl Palette {
    /// The palette for stdout: with colours if they are `wanted`; by default on a terminal that
    /// takes them, unless the environment has `NO_COLOR` or `TERM=dumb`.
    pub fn choose(wanted: Option<bool>, stdout: &impl IsTerminal) -> Palette {
        let variable = |name| env::var(name).unwrap_or_default();
        let term = variable("TERM");
        let has_colors = stdout.is_terminal() && takes_colors();
        let wanted = wanted
            .unwrap_or_else(|| has_colors && variable("NO_COLOR").is_empty() && term != "dumb");
        let many = !variable("COLORTERM").is_empty()
            || cfg!(windows)
            || !matches!(&*term, "" | "linux" | "vt100" | "vt220" | "ansi" | "xterm-color");
        match (wanted, many) {
            (false, _) => Palette::Plain,
            (true, false) => Palette::Sixteen,
            (true, true) => Palette::Many,
        }
    }

    /// A person's name: the same colour every time, on every machine.
    pub fn name(self, name: &str) -> Style {
        let hash = usize::try_from(fnv(name)).unwrap_or(usize::MAX);
        match self {
            Palette::Plain => Style::new(),
            Palette::Sixteen => color(FEW_NAMES[hash % FEW_NAMES.len()]),
            Palette::Many => indexed(NAMES[hash % NAMES.len()]),
        }
    }

    /// The client's own name.
    pub fn own_name(self) -> Style {
        self.when_colored(Style::new().bold())
    }

    /// Secondary text: times, joining and leaving, hints.
    pub fn dim(self) -> Style {
        match self {
            Palette::Plain => Style::new(),
            Palette::Sixteen => Style::new().dimmed(),
            Palette::Many => indexed(GREY),
        }
    }

    /// A line that mentions the client's name.
    pub fn mention(self) -> Style {
        self.when_colored(Style::new().bold())
    }

    /// The mark before a line that is meant for this client.
    pub fn mark(self) -> Style {
        self.alarm()
    }

    /// A whisper.
    pub fn whisper(self) -> Style {
        match self {
            Palette::Plain => Style::new(),
            Palette::Sixteen => color(AnsiColor::Magenta).italic(),
            Palette::Many => indexed(133).italic(),
        }
    }

    /// Refusals and lost connections.
    pub fn alarm(self) -> Style {
        match self {
            Palette::Plain => Style::new(),
            Palette::Sixteen => color(AnsiColor::Red).bold(),
            Palette::Many => indexed(RED).bold(),
        }
    }

    /// The prompt.
    pub fn prompt(self) -> Style {
        self.when_colored(Style::new().bold())
    }

    fn when_colored(self, style: Style) -> Style {
        if self == Palette::Plain { Style::new() } else { style }
    }
}

/// `text` in `style`, which ends after it; only the text if the style is plain.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(color)))
}

fn indexed(index: u8) -> Style {
    Style::new().fg_color(Some(Color::Ansi256(Ansi256Color(index))))
}

/// FNV-1a: the same on every machine and in every version, unlike the standard
/// library's hash.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour of the 256 (WCAG 2.2).
    fn luminance(index: u8) -> f64 {
        let channels = match index {
            16..=231 => {
                let steps = [0u8, 95, 135, 175, 215, 255];
                let at = usize::from(index - 16);
                [steps[at / 36], steps[at / 6 % 6], steps[at % 6]]
            }
            232.. => [8 + 10 * (index - 232); 3],
            _ => panic!("colour {index} is the terminal's to choose"),
        };
        let [red, green, blue] = channels.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn colours_are_readable_on_dark_and_light_backgrounds() {
        for index in NAMES.into_iter().chain([GREY, RED, 133]) {
            let luminance = luminance(index);
            let (to_white, to_black) = (1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05);
            assert!(to_white >= 3.9 && to_black >= 3.9, "{index}: {to_white} {to_black}");
        }
    }

    #[test]
    fn a_name_has_one_colour_and_names_have_many() {
        let style = |name| Palette::Many.name(name);
        assert_eq!(style("앨리스"), style("앨리스"));
        let names = ["alice", "bob", "철수", "영희", "carol", "dave", "민수", "지우"];
        let mut seen: Vec<Style> = names.map(style).to_vec();
        seen.dedup();
        assert!(seen.len() >= 5, "{seen:?}");
    }

    #[test]
    fn plain_has_no_escape_sequences() {
        let plain = Palette::Plain;
        let styles = [plain.name("a"), plain.own_name(), plain.dim(), plain.mention()];
        for style in styles.into_iter().chain([plain.whisper(), plain.alarm(), plain.prompt()]) {
            assert_eq!(paint(style, "text"), "text");
        }
        assert!(paint(Palette::Many.dim(), "text").ends_with("text\x1b[0m"));
    }
}
