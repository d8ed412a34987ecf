//! Compares Madang with every peer that is installed.
//!
//! Each server is started anew for each run, on one core, with this program on another. The
//! servers take turns, so that other activity of the machine affects all of them alike.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    chart,
    cli::CompareFlags,
    comparison::{Comparison, Contestant, Run},
    limits,
    machine::Machine,
    peer::{Peer, PeerKind, Whereabouts},
    plan::Plan,
    progress::Progress,
    report::Report,
    run::run,
    server::{Cores, Server},
    table,
    workloads::Workload,
};

/// Runs every workload against every server, and writes table, chart and raw figures. Returns
/// whether all of Madang's deliveries were right.
pub(crate) fn compare(flags: &CompareFlags) -> Result<bool> {
    ensure!(flags.turns > 0, "--turns 0 measures nothing");
    limits::allow_descriptors(0)?;
    limits::sharpen_timers();
    let cores = match flags.cores {
        Some(cores) => cores,
        None => first_two_cores()?,
    };
    let (peers, absent) = find_peers(flags)?;
    let mut progress = Progress::new();
    for absent in &absent {
        progress.note(&format!("absent: {absent}"));
    }
    let mut comparison = Comparison {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        command: own_command(),
        machine: Machine::this(),
        turns: flags.turns,
        seconds: flags.seconds,
        servers: peers.iter().map(contestant).collect(),
        absent,
        runs: Vec::new(),
    };
    for &workload in &flags.workloads {
        for turn in 1..=flags.turns {
            for peer in peers.iter().filter(|peer| workload.suits(peer)) {
                let run = take_turn(workload, peer, turn, flags, cores, &mut progress);
                progress.note(&outcome(&run));
                comparison.runs.push(run);
            }
        }
    }
    progress.end();
    write(&comparison, flags)?;
    let is_own = |kind| matches!(kind, PeerKind::Madang | PeerKind::MadangData);
    Ok(!comparison.runs.iter().any(|run| is_own(run.kind) && run.failure.is_some()))
}

fn first_two_cores() -> Result<Cores> {
    match limits::cores()?[..] {
        [server, tool, ..] => Ok(Cores { server, more: None, tool }),
        _ => bail!("there is one core only: server and load generator need one each"),
    }
}

fn find_peers(flags: &CompareFlags) -> Result<(Vec<Peer>, Vec<String>)> {
    let whereabouts = Whereabouts {
        madang: &flags.madang,
        peer_command: flags.peer_command.as_deref(),
        peer_port: flags.peer_port,
    };
    let mut kinds =
        if flags.peers.is_empty() { PeerKind::all_by_default() } else { flags.peers.clone() };
    if flags.data && !kinds.contains(&PeerKind::MadangData) {
        // Beside the server that it is compared with: they are measured one after the other.
        let beside = kinds.iter().position(|kind| *kind == PeerKind::Madang).map_or(0, |at| at + 1);
        kinds.insert(beside, PeerKind::MadangData);
    }
    let (mut peers, mut absent) = (Vec::new(), Vec::new());
    for kind in kinds {
        match Peer::find(kind, &whereabouts)? {
            Ok(peer) => peers.push(peer),
            Err(why) => absent.push(why),
        }
    }
    ensure!(!peers.is_empty(), "no server is here: {}", absent.join("; "));
    Ok((peers, absent))
}

fn contestant(peer: &Peer) -> Contestant {
    let version = peer.version.clone();
    Contestant { name: peer.name, version, command: peer.template.clone(), kind: peer.kind }
}

fn take_turn(
    workload: Workload,
    peer: &Peer,
    turn: usize,
    flags: &CompareFlags,
    cores: Cores,
    progress: &mut Progress,
) -> Run {
    progress.begin(format!("{} {} {turn}/{}: ", workload.name(), peer.name, flags.turns));
    let mut reports: Vec<Report> = Vec::new();
    let mut failure = None;
    peer.clear();
    for mut plan in workload.plans(peer, flags.seconds) {
        let report = cores_for(&plan, cores).and_then(|cores| {
            plan.shares_core = cores.more == Some(cores.tool);
            let server = Server::start(&peer.command, peer.address, Some(cores))?;
            let mut report = run(&plan, Some(server.process()?), progress)?;
            report.start_seconds = Some(server.started_in.as_secs_f64());
            Ok(report)
        });
        match report {
            Ok(report) => {
                failure = failure.or(report.failure());
                reports.push(report);
            }
            Err(error) => {
                failure = Some(format!("{error:#}"));
                break;
            }
        }
    }
    peer.clear();
    Run { workload, kind: peer.kind, server: peer.name, turn, reports, failure }
}

/// The cores for one run. A server that may have two gets another free one, or shares this
/// program's if there is none.
fn cores_for(plan: &Plan, cores: Cores) -> Result<Cores> {
    if plan.server_cores < 2 {
        return Ok(cores);
    }
    let free = |core: &usize| ![cores.server, cores.tool].contains(core);
    let more = limits::cores()?.into_iter().find(free).unwrap_or(cores.tool);
    Ok(Cores { more: Some(more), ..cores })
}

/// The result of a turn, in one line.
fn outcome(run: &Run) -> String {
    let figures = run.workload.figures().iter().filter_map(|figure| (figure.take)(&run.reports));
    let figures: Vec<String> = figures.map(|figure| figure.to_string()).collect();
    let remarks = run.reports.iter().flat_map(|report| &report.remarks).cloned();
    let failure = run.failure.iter().map(|failure| format!("failed: {failure}"));
    let notes: String = remarks.chain(failure).map(|note| format!("; {note}")).collect();
    format!("{} {} {}: {}{notes}", run.workload.name(), run.server, run.turn, figures.join(", "))
}

fn write(comparison: &Comparison, flags: &CompareFlags) -> Result<()> {
    let date = comparison.date.split(' ').next().unwrap_or("load");
    let name = flags.name.as_deref().unwrap_or(date);
    let (chart_name, raw_name) = (format!("{name}.svg"), format!("{name}.json"));
    let raw =
        serde_json::to_string_pretty(comparison).context("failed to write the figures as JSON")?;
    fs::create_dir_all(&flags.into)
        .with_context(|| format!("failed to make `{}`", flags.into.display()))?;
    let page = table::page(comparison, &chart_name, &raw_name);
    write_file(&flags.into.join(format!("{name}.md")), &page)?;
    write_file(&flags.into.join(&chart_name), &chart::chart(comparison))?;
    write_file(&flags.into.join(&raw_name), &(raw + "\n"))?;
    print!("{page}");
    Ok(())
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
}

/// The command that measures these figures again.
fn own_command() -> String {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .map(|word| if word.contains(' ') { format!("'{word}'") } else { word })
        .collect();
    format!("cargo run --release -p madang-load -- {}", arguments.join(" "))
}
