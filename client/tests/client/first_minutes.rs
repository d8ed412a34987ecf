//! A newcomer's first minutes with `madang`, in both languages: after each typed line, the rows
//! that appear on the terminal. `…` stands for text that differs each time.

use madang_protocol::text::Lang;
use madang_tests::{TestServer, is_like};

use crate::terminal::Terminal;

/// Plays a transcript with another member in the lobby. Rows that were seen before are not
/// compared again; the last row of each step is the prompt, which the next step continues.
#[track_caller]
fn play(lang: Lang, other: &str, transcript: &str) {
    let server = TestServer::start(|config| config.lang = lang);
    let code = if lang == Lang::Ko { "ko" } else { "en" };
    let _other = server.login(other);
    let args = ["--lang", code, "--color", "never", "--time", "minutes"];
    let mut terminal = Terminal::start_sized(&server.address().to_string(), &args, 80, 24, &[]);
    let mut seen = 0;
    for step in transcript.split("\n→ ") {
        let mut lines = step.lines();
        let typed = lines.next().expect("a first line");
        if !typed.is_empty() {
            terminal.enter(typed);
        }
        let expected: Vec<&str> = lines.filter_map(|line| line.strip_prefix("← ")).collect();
        terminal.expect_scrolled(&format!("{expected:#?} after {typed:?}"), |rows| {
            let new = rows.get(seen..).unwrap_or_default();
            new.len() == expected.len()
                && new.iter().zip(&expected).all(|(row, expected)| is_like(row, expected))
        });
        seen += expected.len() - 1;
    }
}

#[test]
fn the_first_minutes_in_english_are_as_written_down() {
    play(Lang::En, "bob", include_str!("first_minutes/english.txt"));
}

#[test]
fn the_first_minutes_in_korean_are_as_written_down() {
    play(Lang::Ko, "철수", include_str!("first_minutes/korean.txt"));
}
