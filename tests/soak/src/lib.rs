//! `soak`: puts a server under stress, and verifies that it keeps its promises.
//!
//! [`cli`] defines what to do. Each [`scenario`] is a module: it starts a [`server`] and disturbs
//! it, while members talk. In `journal`, [`member`]s, each on its own thread and [`connection`],
//! communicate with the scenario through [`stage`], and the [`oracle`], which knows every
//! acknowledged line, compares what they received with what is on disk; `chaos` and `cluster`
//! have members and an oracle of their own. [`summary`] is the result, as JSON and as a page. All randomness comes
//! from one seed ([`random`]).
//!
//! Linux only: it needs signals and `/proc`. Elsewhere this crate is empty.

#![cfg(target_os = "linux")]

mod cli;
mod scenario;

mod server;
mod member;
mod connection;
mod stage;
mod oracle;
mod summary;
mod random;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{cli::Cli, scenario::Scenario};

/// Parses the command line and does what it asks for; returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.scenario {
        Scenario::Journal(flags) => scenario::journal::run(&cli.common, flags),
        Scenario::Chaos(flags) => scenario::chaos::run(&cli.common, flags),
        Scenario::Cluster(flags) => scenario::cluster::run(&cli.common, flags),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}
