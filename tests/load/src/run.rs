//! One run: everyone logs in, the workload runs, everyone leaves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use crate::{
    clients::Clients,
    clock::{Clock, seconds_between},
    deadline::Deadline,
    leave_phase, limits, login_phase,
    observer::{News, Observer},
    plan::Plan,
    process_stats::{self, Process},
    progress::Progress,
    report::{Report, ServerReport, TalkReport},
    search::Searcher,
    talk,
    text::{LineRun, Wording},
    warmup,
};

/// Carries out the plan with a server that is already listening.
///
/// Blocks until it is done, for at most the plan's time limit.
///
/// # Errors
///
/// If the server can't be reached, refuses a member, drops one, or fails to deliver. Wrong
/// deliveries are not an error here but part of the report.
pub(crate) fn run(plan: &Plan, server: Option<Process>, progress: &mut Progress) -> Result<Report> {
    plan.check()?;
    // Besides the members: standard streams, epoll, the timer, and files that are open for a
    // moment.
    limits::allow_descriptors(plan.members as u64 + 32)?;
    let clock = Clock::start();
    let held_up_before = process_stats::own_held_up_nanos()?;
    let before = server.map(|server| server.holdings()).transpose()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_micros());
    let wording = Wording::new(plan.line_bytes, seed);
    let mut clients =
        Clients::new(plan.address, plan.protocol.protocol(), wording, plan.rooms, clock)?;
    let mut deadline = Deadline::new(clock, plan.silence_limit, plan.time_limit);
    let mut report = Report::new(plan);

    let logged_in = login_phase::log_in(plan, &mut clients, &mut deadline, progress)
        .context("failed to log in")?;
    report.login_seconds = seconds_between(0, logged_in.login_nanos);
    report.told_of_each_seconds = logged_in.told_nanos.map(|nanos| seconds_between(0, nanos));
    report.faults.doubled += logged_in.wrong_notices;

    report.faults.garbled += warmup::warm_up(plan, &mut clients, &mut deadline, progress)
        .context("failed to call the roll")?;
    for member in plan.members - plan.stalled..plan.members {
        clients.stall(member)?;
    }
    let searcher = plan.searches.then(|| Searcher::start(plan.address, plan.silence_limit));
    let searcher = searcher.transpose()?;
    if let Some(idle) = plan.idle {
        hold(&mut clients, idle, progress)?;
    }
    if plan.speakers > 0 {
        let talked = talk::talk(plan, &mut clients, server, &mut deadline, progress)
            .context("failed to talk")?;
        take_talk(&mut report, talked);
    }
    report.search = searcher.map(Searcher::end).transpose().context("failed to search")?;
    // Beside a flood the server may answer in parts for longer than the run.
    if plan.speakers == 0
        && let Some(search) = report.search
    {
        ensure!(search.searches > 0, "no search was completed; {} answers came", search.answers);
    }
    if let Some((server, before)) = server.zip(before) {
        let full = server.holdings()?;
        let growth_kib = full.resident_kib as f64 - before.resident_kib as f64;
        let resident_bytes_per_member = growth_kib * 1024.0 / plan.members as f64;
        report.server = Some(ServerReport { before, full, resident_bytes_per_member });
    }
    if plan.mass_leave {
        let left =
            leave_phase::leave(plan, &mut clients, server.zip(before), &mut deadline, progress)
                .context("failed to leave")?;
        report.leave_seconds = Some(seconds_between(0, left.nanos));
        report.faults.doubled += left.wrong_notices;
    }
    let held_up_nanos = process_stats::own_held_up_nanos()? - held_up_before;
    if plan.shares_core {
        report.remarks.push("the server's second core was this program's".to_owned());
    } else {
        report.held_up_percent = held_up_nanos as f64 * 100.0 / clock.now() as f64;
    }
    if report.is_held_up() {
        report.remarks.push(format!(
            "this machine was busy with something else: this tool waited {:.0} % of the time for its core",
            report.held_up_percent
        ));
    }
    Ok(report)
}

fn take_talk(report: &mut Report, talked: talk::Talked) {
    let share = |cpu_nanos: u64| cpu_nanos as f64 / 1e7 / talked.seconds;
    let tool_cpu_percent = share(talked.tool_cpu_nanos);
    let server_cpu_percent = talked.server_cpu_nanos.map(share);
    report.faults.missing += talked.faults.missing;
    report.faults.doubled += talked.faults.doubled;
    report.faults.out_of_order += talked.faults.out_of_order;
    report.faults.garbled += talked.faults.garbled;
    report.skipped += talked.skipped;
    report.broken_off = talked.broken_off;
    report.talk = Some(TalkReport {
        seconds: talked.seconds,
        lines: talked.lines,
        deliveries: talked.deliveries,
        deliveries_per_second: talked.deliveries as f64 / talked.seconds,
        server_cpu_us_per_delivery: talked
            .server_cpu_nanos
            .filter(|_| talked.deliveries > 0)
            .map(|nanos| nanos as f64 / 1e3 / talked.deliveries as f64),
        server_cpu_percent,
        tool_cpu_percent,
        latency: talked.latency,
        lateness: talked.lateness,
    });
    if report.is_bound_by_tool() {
        report.remarks.push("this tool, not the server, was the bottleneck".to_owned());
    }
}

/// An observer for phases in which nobody speaks.
struct Nobody;

impl Observer for Nobody {
    fn said(&mut self, _member: usize, _lines: LineRun, _read: u64) {}

    fn garbled(&mut self, _member: usize) {}

    fn told(&mut self, _member: usize, _news: News) {}
}

/// Waits for a while, and only answers the server's signs of life.
fn hold(clients: &mut Clients, idle: Duration, progress: &mut Progress) -> Result<()> {
    let clock = clients.clock();
    let end = clock.now() + crate::clock::nanos(idle);
    while clock.now() < end {
        progress.show(|| format!("idle, {:.0} s more", seconds_between(clock.now(), end)));
        clients.poll(end, &mut Nobody)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::{SocketAddr, TcpListener},
        thread,
    };

    use super::*;
    use crate::{
        ledger::Faults,
        plan::{Length, Pace},
        protocol::Choice,
    };

    /// What a faulty server sends to one of its two members in place of each line, counted from
    /// 0.
    type Lie = fn(usize, &[u8]) -> Vec<Vec<u8>>;

    /// Accepts two members. It sends each line of the first one back to it, and `lie` of the
    /// line to the second.
    fn start_liar(lie: Lie) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut first, _) = listener.accept().unwrap();
            let (mut second, _) = listener.accept().unwrap();
            let mut said = BufReader::new(first.try_clone().unwrap());
            let mut line = Vec::new();
            let mut talked = 0;
            while said.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                let is_talk = line.starts_with(b"~");
                let told = if is_talk { lie(talked, &line) } else { vec![line.clone()] };
                talked += usize::from(is_talk);
                // The client may be gone: then the test fails with its own findings.
                let _ = first.write_all(&line);
                let _ = second.write_all(&told.concat());
                line.clear();
            }
        });
        address
    }

    #[track_caller]
    fn check(lie: Lie, faults: Faults) {
        let plan = Plan {
            members: 2,
            pace: Pace::Window(4),
            length: Length::Lines(10),
            warmup: Duration::ZERO,
            silence_limit: Duration::from_secs(1),
            time_limit: Duration::from_secs(10),
            ..Plan::one_line(Choice::Plain, start_liar(lie), 0.0)
        };
        let report = run(&plan, None, &mut Progress::new()).unwrap();
        assert_eq!(report.faults, faults);
        assert_eq!(report.failure().is_none(), faults.is_clean());
    }

    #[test]
    fn every_lie_of_a_server_is_found() {
        let clean = Faults::default();
        check(|_, line| vec![line.to_vec()], clean);
        check(
            |number, line| if number == 3 { vec![] } else { vec![line.to_vec()] },
            Faults { missing: 1, ..clean },
        );
        check(
            |number, line| if number == 9 { vec![] } else { vec![line.to_vec()] },
            Faults { missing: 1, ..clean },
        );
        check(
            |number, line| vec![line.to_vec(); if number == 3 { 2 } else { 1 }],
            Faults { doubled: 1, ..clean },
        );
        check(
            |number, line| {
                let mut line = line.to_vec();
                if number == 3 {
                    line[40] = b'!';
                }
                vec![line]
            },
            Faults { missing: 1, garbled: 1, ..clean },
        );
        check(
            |number, line| match number {
                3 => vec![line[..20].to_vec()],
                4 => vec![line.to_vec(), line[20..].to_vec()],
                _ => vec![line.to_vec()],
            },
            Faults { missing: 2, garbled: 1, ..clean },
        );
    }

    #[test]
    fn lines_that_change_places_are_found() {
        static HELD: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
        check(
            |number, line| {
                let mut held = HELD.lock().unwrap();
                match number {
                    3 => {
                        *held = line.to_vec();
                        vec![]
                    }
                    4 => vec![line.to_vec(), held.clone()],
                    _ => vec![line.to_vec()],
                }
            },
            Faults { out_of_order: 1, ..Faults::default() },
        );
    }
}
