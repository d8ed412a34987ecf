//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser};

use crate::{random::Random, scenario::Scenario};

/// Puts a Madang server under stress, and checks that it keeps its promises.
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// Options of every scenario.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Repeat the run with this seed; the machine's timing cannot be repeated [default: a new
    /// seed]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// The server program [default: target/release/madang-server]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "target/release/madang-server",
        hide_default_value = true
    )]
    pub(crate) server: PathBuf,

    /// The folder for the server's data during the run; kept if something was wrong [default: a
    /// temporary folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,

    /// Write the summary to this folder, as NAME.md and NAME.json [default: to the terminal
    /// only]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,

    /// The name of these files [default: scenario and date]
    #[arg(long, global = true, value_name = "NAME", requires = "into")]
    pub(crate) name: Option<String>,

    /// Start no new round after this many seconds; the result covers the rounds done until then
    /// [default: 3600]
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value = "3600",
        value_parser = seconds,
        hide_default_value = true
    )]
    pub(crate) time_limit: Duration,
}

impl Common {
    /// The seed, drawn from the clock if none was given.
    pub(crate) fn drawn_seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| {
            let now = jiff::Timestamp::now();
            Random::new(now.as_nanosecond() as u64).next()
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_flags_stand_before_or_behind_the_scenario() {
        for line in ["soak --seed 7 journal --kills 3", "soak journal --kills 3 --seed 7"] {
            let cli = Cli::try_parse_from(line.split(' ')).expect("it is right");
            let Scenario::Journal(flags) = cli.scenario else { panic!("another scenario: {line}") };
            assert_eq!((cli.common.seed, flags.kills), (Some(7), 3), "{line}");
        }
        for line in ["soak", "soak journal --time-limit x", "soak journal --name x"] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
