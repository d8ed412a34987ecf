//! The subcommands `madang-server transcript` and `madang-server recover`, which work on the
//! `--data` folder without a running server.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    str::FromStr,
    time::Instant,
};

use anyhow::Context;
use clap::Parser as _;
use jiff::{Timestamp, Zoned, civil::DateTime, tz::TimeZone};
use madang_protocol::{command::TranscriptFormat, event::Time, room::RoomName, text::Lang};

use self::progress::ProgressBar;
use crate::{
    clock,
    journal::{
        export::{Selection, export},
        recover::{Recovered, recover},
    },
};

mod progress;

/// A subcommand.
#[derive(Debug, clap::Parser)]
#[command(name = "madang-server", version, disable_help_subcommand = true)]
pub enum Task {
    /// Writes a room's saved messages to stdout or a file, even while a server runs
    Transcript {
        /// The folder of the server's --data
        #[arg(long, env = "MADANG_DATA", value_name = "DIR")]
        data: PathBuf,
        /// The room
        #[arg(long, default_value = "lobby", value_parser = RoomName::parse)]
        room: RoomName,
        /// Start of the period: a date (2026-11-28) or a local time (2026-11-28T14:00)
        #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
        since: Option<Time>,
        /// End of the period, in the same form
        #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
        until: Option<Time>,
        /// Format of the output: txt, html or jsonl
        #[arg(long, default_value = "txt", value_parser = TranscriptFormat::from_str)]
        format: TranscriptFormat,
        /// Language of dates and notices in the output
        #[arg(long, env = "MADANG_LANG", value_name = "ko|en", default_value = "ko",
              value_parser = Lang::from_str)]
        lang: Lang,
        /// File to write instead of stdout; an existing file is replaced
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Saves what can be read from a damaged database; stop the server first
    Recover {
        /// The folder of the server's --data
        #[arg(long, env = "MADANG_DATA", value_name = "DIR")]
        data: PathBuf,
    },
}

impl Task {
    /// The subcommand on the command line, or the error in its arguments; `None` if there is no
    /// subcommand.
    pub fn asked(args: impl IntoIterator<Item = OsString>) -> Option<Result<Task, clap::Error>> {
        let args: Vec<OsString> = args.into_iter().collect();
        let first = args.get(1)?;
        (first == "transcript" || first == "recover").then(|| Task::try_parse_from(&args))
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// What went wrong, worded for the user.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Task::Transcript { data, room, since, until, format, lang, output } => {
                let selection = Selection { data, room, since, until, format, lang };
                let Some(path) = output else {
                    // On a terminal, the lines themselves show the progress.
                    let has_bar = !io::stdout().is_terminal();
                    return write_transcript(&selection, &mut io::stdout().lock(), has_bar);
                };
                let failed = || format!("--output {}", path.display());
                let mut file = BufWriter::new(File::create(&path).with_context(failed)?);
                write_transcript(&selection, &mut file, true)
                    .and_then(|()| file.flush().with_context(failed))
            }
            Task::Recover { data } => {
                let recovered = recover_database(&data)?;
                let (events, others) = (recovered.events, recovered.others);
                println!("{events} events and {others} other rows were saved.");
                if recovered.damaged > 0 {
                    println!("{} places could not be read.", recovered.damaged);
                }
                if !recovered.is_complete {
                    println!(
                        "The damage is too great to look everywhere; the sqlite3 program's .recover \
                         may find more."
                    );
                }
                println!("The damaged database is kept as {}.", recovered.kept.display());
                Ok(())
            }
        }
    }
}

/// Writes a transcript to `out`, with a progress bar on stderr if wanted and if that is a
/// terminal.
fn write_transcript(
    selection: &Selection,
    out: &mut impl Write,
    has_bar: bool,
) -> anyhow::Result<()> {
    let mut stderr = io::stderr();
    let has_bar = has_bar && stderr.is_terminal();
    let mut bar = ProgressBar::begin(Instant::now());
    let written = export(selection, clock::zone().clone(), out, |done, all| {
        if has_bar && let Some(picture) = bar.advance(done, all, Instant::now()) {
            // A bar that cannot be drawn must not stop the transcript.
            let _ = stderr.write_all(picture.as_bytes());
        }
    });
    let _ = io::stderr().write_all(bar.end().as_bytes());
    written?;
    Ok(())
}

/// Recovers a database, with the number of rows so far on stderr if that is a terminal.
fn recover_database(data: &Path) -> anyhow::Result<Recovered> {
    let mut stderr = io::stderr();
    let is_shown = stderr.is_terminal();
    let mut bar = ProgressBar::begin(Instant::now());
    let recovered = recover(data, |rows| {
        if is_shown && let Some(picture) = bar.count(rows, "rows saved", Instant::now()) {
            // As above.
            let _ = stderr.write_all(picture.as_bytes());
        }
    });
    let _ = io::stderr().write_all(bar.end().as_bytes());
    Ok(recovered?)
}

/// A date or local time, or a time with its own zone.
fn parse_moment(text: &str) -> Result<Time, String> {
    let zone: TimeZone = clock::zone().clone();
    let local = || text.parse::<DateTime>().ok()?.to_zoned(zone).ok();
    let zoned = || text.parse::<Timestamp>().ok().map(|it| it.to_zoned(TimeZone::UTC));
    let moment: Option<Zoned> = zoned().or_else(local);
    let moment = moment.ok_or("not a day or a time, as in 2026-11-28 or 2026-11-28T14:00")?;
    Ok(Time::from_millis(moment.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn asked(args: &[&str]) -> Option<Result<Task, clap::Error>> {
        Task::asked([&["madang-server"], args].concat().into_iter().map(OsString::from))
    }

    #[test]
    fn days_and_times_are_read() {
        assert_eq!(parse_moment("1970-01-02T00:00:00Z"), Ok(Time::from_millis(86_400_000)));
        assert!(parse_moment("2026-11-28").is_ok() && parse_moment("2026-11-28T14:00").is_ok());
        let midnight = parse_moment("2026-11-28T00:00");
        assert_eq!(parse_moment("2026-11-28"), midnight, "a day begins at midnight");
        for wrong in ["yesterday", "", "2026-13-01", "14:00"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_arguments_are_not_a_subcommand() {
        assert!(asked(&[]).is_none() && asked(&["--data", "x"]).is_none());
        assert!(asked(&["transcript"]).is_some_and(|task| task.is_err()), "--data is missing");
        assert!(asked(&["recover", "--data", "x"]).is_some_and(|task| task.is_ok()));
        let task = asked(&["transcript", "--data", "x", "--format", "pdf"]);
        assert!(task.is_some_and(|task| task.is_err()));
    }
}
