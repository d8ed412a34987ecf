//! `load`: the load generator, and the measure, of chat servers.
//!
//! Files in the order of a run: [`cli`] and [`plan`] say what is to be done, [`run`](mod@run) does it:
//! [`gathering`], [`call`], [`talk`], [`leaving`]. The members are a [`crowd`], which hears with
//! one [`ear`] what the [`protocol`] delivers; [`ledger`] and [`latency`] judge it, [`vitals`]
//! watches the server, [`report`] says what came of it. [`floor`] is the server below all
//! servers, [`compare`] sets them side by side.
//!
//! Linux only: it needs epoll, timerfd and `/proc`. Elsewhere this crate is empty.

#![cfg(target_os = "linux")]

mod cli;
mod plan;
mod run;

mod gathering;
mod call;
mod talk;
mod leaving;

mod crowd;
mod member;
mod audience;
mod ear;
mod protocol;
mod text;
mod name;

mod ledger;
mod roster;
mod window;
mod schedule;
mod latency;
mod patience;
mod clock;

mod server;
mod vitals;
mod limits;
mod floor;

mod report;
mod quantity;
mod progress;

mod compare;
mod works;
mod peer;
mod comparison;
mod table;
mod chart;
mod machine;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Parser as _;

use crate::{
    cli::{Cli, Command, RunFlags},
    progress::Progress,
    report::Report,
    server::Server,
    vitals::Process,
};

/// Parses the command line and does what it asks for; returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => run(&cli.run),
        Some(Command::Run(flags)) => run(&flags),
        Some(Command::Floor(flags)) => floor::serve(flags.listen).map(|()| ExitCode::SUCCESS),
        Some(Command::Compare(flags)) => compare::compare(&flags).map(exit_code),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("load: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(flags: &RunFlags) -> Result<ExitCode> {
    let plan = flags.plan()?;
    limits::allow_descriptors(0)?;
    limits::sharpen_timers();
    let server = match &flags.command[..] {
        [] => None,
        command => Some(Server::start(command, plan.address, flags.cores)?),
    };
    let process = match (flags.pid, &server) {
        (Some(pid), _) => Some(Process::with_pid(pid)?),
        (None, Some(server)) => Some(server.process()?),
        (None, None) => None,
    };
    let mut progress = Progress::new();
    let mut report = run::run(&plan, process, &mut progress)?;
    progress.end();
    report.start_seconds = server.map(|server| server.started_in.as_secs_f64());
    print(&report, flags.json)
}

fn print(report: &Report, as_json: bool) -> Result<ExitCode> {
    let text = if as_json {
        serde_json::to_string(report).context("failed to write the report as JSON")? + "\n"
    } else {
        report.to_string()
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(error).context("failed to print the report");
        }
        _ => {}
    }
    Ok(exit_code(report.failure().is_none()))
}

fn exit_code(is_right: bool) -> ExitCode {
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
