//! `soak`: gives a server a hard time, and proves that it has kept its promises.
//!
//! [`cli`] says what is to be done. Each [`scenario`] is a file of its own: it starts a [`server`],
//! has [`member`]s talk, each on its own thread and its own [`connection`], and does something
//! to the server meanwhile; [`stage`] is what members and scenario tell each other. In the end
//! the [`oracle`], which knows every line that was acknowledged, compares what members have
//! heard with what is on the disk. [`summary`] is the result, as JSON and as a page. All that is
//! left to chance comes from one seed ([`random`]).
//!
//! Linux only: it needs its signals and `/proc`. Elsewhere this crate is empty.

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
