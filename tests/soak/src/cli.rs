//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser};

use crate::scenario::Scenario;

/// Gives a Madang server a hard time, and checks that it has kept its promises.
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// What every scenario needs to know.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Repeat the run of this seed; how fast the machine is, no seed can repeat [default: a
    /// new one]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// The server's program [default: target/release/madang-server]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "target/release/madang-server",
        hide_default_value = true
    )]
    pub(crate) server: PathBuf,

    /// Where the server keeps its data while it runs; kept if something was wrong [default: a
    /// folder for temporary files]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,

    /// Write the summary there, as NAME.md and NAME.json [default: to the terminal only]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,

    /// What these files are called [default: scenario and date]
    #[arg(long, global = true, value_name = "NAME", requires = "into")]
    pub(crate) name: Option<String>,

    /// Begin no new round after this time; what was done until then is the result [default:
    /// 3600]
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
            let Scenario::Journal(flags) = cli.scenario;
            assert_eq!((cli.common.seed, flags.kills), (Some(7), 3), "{line}");
        }
        for line in ["soak", "soak journal --time-limit x", "soak journal --name x"] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
