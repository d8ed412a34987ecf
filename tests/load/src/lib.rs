//! `load`: the load generator for chat servers, which checks every delivery.
//!
//! Files in the order of a run: [`cli`] and [`plan`] define what to do; [`run`](mod@run) does
//! it in four parts: [`login_phase`], [`warmup`], [`talk`], [`leave_phase`], with
//! [`search`](mod@search) beside them on request. One loop in [`clients`] drives all members;
//! [`parser`] splits what they receive, with one file for each [`protocol`]. [`ledger`] and
//! [`join_check`] check the deliveries, [`latency`] times them, [`process_stats`] watches the
//! server, and [`report`] is the result. [`baseline`] is the cheapest possible server, for
//! comparison; [`compare`] runs every [`workloads`] entry against every peer.
//!
//! Linux only: it needs epoll, timerfd and `/proc`. Elsewhere this crate is empty.

#![cfg(target_os = "linux")]

mod cli;
mod plan;
mod run;

mod login_phase;
mod warmup;
mod talk;
mod search;
mod leave_phase;

mod clients;
mod member;
mod observer;
mod parser;
mod protocol;
mod text;
mod name;

mod ledger;
mod join_check;
mod window;
mod schedule;
mod latency;
mod deadline;
mod clock;

mod server;
mod process_stats;
mod limits;
mod baseline;

mod report;
mod quantity;
mod progress;

mod compare;
mod workloads;
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
    process_stats::Process,
    progress::Progress,
    report::Report,
    server::Server,
};

/// Parses the command line and does what it asks for; returns the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => run(&cli.run),
        Some(Command::Run(flags)) => run(&flags),
        Some(Command::Baseline(flags)) => baseline::serve(flags.listen).map(|()| ExitCode::SUCCESS),
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
