//! The client in a real multiplexer, which rewraps its rows when its window is resized, as most
//! modern terminals do.

use std::{
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use madang_tests::{TestFolder, spawn_program};

use crate::{
    DEADLINE,
    client::{MADANG, isolated},
    fake_server::FakeServer,
};

const PROMPT: &str = "[lobby 1]";

/// The pause between two looks at the window.
const PAUSE: Duration = Duration::from_millis(20);

/// tmux with one window, in which the client runs. Dropping it ends both.
struct Tmux {
    folder: TestFolder,
}

impl Tmux {
    #[track_caller]
    fn start(columns: u16, rows: u16, address: &str) -> Tmux {
        let tmux = Tmux { folder: TestFolder::new() };
        let [columns, rows] = [columns, rows].map(|cells| cells.to_string());
        tmux.run(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            MADANG,
            address,
            "--name",
            "me",
            "--time",
            "never",
            "--color",
            "never",
            "--lang",
            "en",
        ]);
        tmux.run(&["set-option", "status", "off"]);
        tmux.resize(&columns, &rows);
        tmux
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command: Command = isolated("tmux");
        // A tmux around the tests is not affected.
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        command.arg("-u").arg("-S").arg(self.folder.path().join("tmux"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let tmux = spawn_program(command.stderr(Stdio::piped())).expect("tmux is installed");
        let output = tmux.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    #[track_caller]
    fn resize(&self, columns: &str, rows: &str) {
        self.run(&["resize-window", "-x", columns, "-y", rows]);
    }

    #[track_caller]
    fn type_text(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    /// The rows of the window, without empty ones at the end.
    #[track_caller]
    fn rows(&self) -> Vec<String> {
        let shown = self.run(&["capture-pane", "-p"]).stdout;
        let shown = String::from_utf8(shown).expect("tmux writes UTF-8");
        shown.trim_end().lines().map(|row| row.trim_end().to_owned()).collect()
    }

    /// Waits until these are the last rows of the window, and its only prompt is in them.
    #[track_caller]
    fn expect_last(&self, expected: &[String]) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let rows = self.rows();
            let prompts = rows.iter().filter(|row| row.contains(PROMPT)).count();
            if rows.ends_with(expected) && prompts == 1 {
                return;
            }
            let (expected, rows) = (expected.join("\n"), rows.join("\n"));
            assert!(Instant::now() < deadline, "not\n{expected}\nbut\n{rows}");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// `text` in rows of this many columns, with Hangul two columns wide.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut column = 0;
    for letter in text.chars() {
        let width = if letter.is_ascii() { 1 } else { 2 };
        if column + width > columns {
            rows.push(String::new());
            column = 0;
        }
        rows.last_mut().expect("there is one").push(letter);
        column += width;
    }
    rows
}

#[test]
#[ignore = "needs tmux"]
fn a_window_that_is_resized_keeps_no_rows_of_the_old_line() {
    let latin: String = ('a'..='z').cycle().take(140).collect();
    let hangul: String = ('가'..='힣').step_by(100).take(70).collect();
    for draft in [latin, hangul] {
        check_resizing(&draft);
    }
}

#[test]
#[ignore = "needs tmux"]
fn a_window_that_is_resized_keeps_one_row_above_the_prompt() {
    let server = FakeServer::start();
    let tmux = Tmux::start(80, 24, &server.address);
    let mut peer = server.accept_member("me");
    peer.event("poll", r#""question":"What is for lunch today?","choices":["rice","soup"]"#);
    for number in 1..=15 {
        peer.said("bob", &number.to_string());
    }
    let draft: String = ('a'..='z').cycle().take(140).collect();
    tmux.type_text(&draft);
    let whole = "poll: What is for lunch today?  /1 rice  /2 soup";
    let cut = |columns: usize| match columns {
        48.. => whole,
        40..48 => "poll: What is for lun…  /1 rice  /2 soup",
        _ => "poll: What i…  /1 rice  /2 soup",
    };
    for columns in [80, 60, 41, 60, 32, 80] {
        tmux.resize(&columns.to_string(), "24");
        let line = wrapped(&format!("{PROMPT} {draft}"), columns);
        tmux.expect_last(&[vec![" [bob] 15".into(), cut(columns).to_owned()], line].concat());
        let polls = tmux.rows().iter().filter(|row| row.starts_with("poll:")).count();
        assert_eq!(polls, 1, "{}", tmux.rows().join("\n"));
    }
    peer.event("poll_ended", r#""question":"Q","choices":[],"answered":0,"members":1,"counts":[]"#);
    let result = " -- poll result, 0 of 1:  --".to_owned();
    let line = wrapped(&format!("{PROMPT} {draft}"), 80);
    tmux.expect_last(&[vec![" [bob] 15".into(), result], line].concat());
}

#[track_caller]
fn check_resizing(draft: &str) {
    let server = FakeServer::start();
    let tmux = Tmux::start(80, 24, &server.address);
    let mut peer = server.accept_member("me");
    // Rows that tmux scrolls off when it needs space for more can't be taken back.
    for number in 1..=15 {
        peer.said("bob", &number.to_string());
    }
    tmux.expect_last(&[" [bob] 15".into(), PROMPT.into()]);
    let window = |last: &str, columns: usize| -> Vec<String> {
        let line = wrapped(&format!("{PROMPT} {draft}"), columns);
        [vec![format!(" [bob] {last}")], line].concat()
    };
    // Letter by letter: the editor itself ends the full row.
    for letter in draft.chars() {
        tmux.type_text(&letter.to_string());
    }
    tmux.expect_last(&window("15", 80));
    // In small and large steps; 25, 30 and 75 columns are filled exactly.
    for columns in [60, 40, 39, 25, 40, 80, 30, 79, 75, 76, 24, 80] {
        tmux.resize(&columns.to_string(), "24");
        tmux.expect_last(&window("15", columns));
    }
    // What arrives is shown above the line, which stays whole.
    peer.said("bob", "16");
    tmux.expect_last(&window("16", 80));
    tmux.run(&["send-keys", "Enter"]);
    assert_eq!(peer.expect_say(), draft);
}
