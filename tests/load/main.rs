//! `load`: the load generator, and the measure, of chat servers.
//!
//! Files in the order of a run: [`cli`] and [`plan`] say what is to be done, [`run`](mod@run) does it:
//! [`gathering`], [`call`], [`talk`], [`leaving`]. The members are a [`crowd`], which hears with
//! one [`ear`] what the [`protocol`] delivers; [`ledger`] and [`latency`] judge it, [`vitals`]
//! watches the server, [`report`] says what came of it. [`floor`] is the server below all
//! servers, [`compare`] sets them side by side.

#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod run;

#[cfg(target_os = "linux")]
mod gathering;
#[cfg(target_os = "linux")]
mod call;
#[cfg(target_os = "linux")]
mod talk;
#[cfg(target_os = "linux")]
mod leaving;

#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod member;
#[cfg(target_os = "linux")]
mod audience;
#[cfg(target_os = "linux")]
mod ear;
#[cfg(target_os = "linux")]
mod protocol;
#[cfg(target_os = "linux")]
mod text;
#[cfg(target_os = "linux")]
mod name;

#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod roster;
#[cfg(target_os = "linux")]
mod window;
#[cfg(target_os = "linux")]
mod schedule;
#[cfg(target_os = "linux")]
mod latency;
#[cfg(target_os = "linux")]
mod patience;
#[cfg(target_os = "linux")]
mod clock;

#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod vitals;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod floor;

#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod quantity;
#[cfg(target_os = "linux")]
mod progress;

#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod works;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod comparison;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod chart;
#[cfg(target_os = "linux")]
mod machine;

#[cfg(target_os = "linux")]
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

#[cfg(target_os = "linux")]
use anyhow::{Context, Result};
#[cfg(target_os = "linux")]
use clap::Parser as _;

#[cfg(target_os = "linux")]
use crate::{
    cli::{Cli, Command, RunFlags},
    progress::Progress,
    report::Report,
    server::Server,
    vitals::Process,
};

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
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

#[cfg(target_os = "linux")]
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

#[cfg(target_os = "linux")]
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

#[cfg(target_os = "linux")]
fn exit_code(is_right: bool) -> ExitCode {
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("load: runs on Linux alone: it needs epoll, timerfd and /proc");
    std::process::ExitCode::FAILURE
}
