//! The `journal` scenario: members flood two rooms that are saved on disk. In each round the
//! server is killed or stopped at a random moment; the members resume on the next server and
//! send again what was not acknowledged.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::Common,
    member::Member,
    oracle::{self, Counts, Faults},
    random::Random,
    server::{DataFolder, Program, Server},
    stage::Stage,
    summary::{self, Summary, Tally, group},
};

/// The rooms, one of each kind of name.
const ROOMS: [&str; 2] = ["lobby", "수학"];

/// Speakers per room, plus one member that only listens.
const SPEAKERS: usize = 4;
const LISTENERS: usize = 1;

/// After this many rounds the oracle checks the results, and a new folder is used.
const ROUNDS_A_FOLDER: usize = 10;

/// A crash follows the ack it waits for within this time, so it can hit any moment between two
/// commits.
const MOST_MICROS_AFTER: u64 = 25_000;

/// What to do, and how often.
#[derive(Args, Debug)]
pub(crate) struct JournalFlags {
    /// How often to kill the server [default: 100]
    #[arg(long, value_name = "N", default_value_t = 100, hide_default_value = true)]
    pub(crate) kills: usize,

    /// Lines per round with a kill [default: 50000]
    #[arg(long, value_name = "N", default_value_t = 50_000, hide_default_value = true)]
    pub(crate) lines: u32,

    /// How often to stop the server [default: 200]
    #[arg(long, value_name = "N", default_value_t = 200, hide_default_value = true)]
    pub(crate) stops: usize,

    /// Lines per round with a stop [default: 5000]
    #[arg(long, value_name = "N", default_value_t = 5_000, hide_default_value = true)]
    pub(crate) stop_lines: u32,
}

/// What happens to the server in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Kill,
    Stop,
}

/// Runs the scenario; returns whether every promise was kept.
pub(crate) fn run(common: &Common, flags: &JournalFlags) -> Result<bool> {
    let seed = common.drawn_seed();
    let began = Instant::now();
    let below = common.work.clone().unwrap_or_else(std::env::temp_dir);
    let mut soak = Soak {
        program: Program {
            path: common.server.clone(),
            flags: vec!["--no-web".into()],
            ..Program::default()
        },
        random: Random::new(seed),
        bar: bar((flags.kills + flags.stops) as u64),
        deadline: began + common.time_limit,
        done: Done::default(),
    };
    soak.bar.suspend(|| eprintln!("seed {seed}"));
    let version = soak.program.version()?;
    let mut ended = None;
    for (blow, count, lines) in
        [(Blow::Kill, flags.kills, flags.lines), (Blow::Stop, flags.stops, flags.stop_lines)]
    {
        let mut left = count;
        while left > 0 && ended.is_none() {
            if Instant::now() >= soak.deadline {
                ended = Some(format!("the time is over, {left} rounds were left"));
                break;
            }
            let rounds = left.min(ROUNDS_A_FOLDER);
            left -= rounds;
            let mut folder = DataFolder::new(&below, &format!("{blow:?}-{left}"))?;
            soak.program.data = folder.path().join("data");
            let outcome = soak.rounds(blow, rounds, lines);
            if let Err(error) = &outcome {
                ended = Some(format!("{error:#}"));
            }
            if outcome.is_err() || soak.done.faults.count() > 0 {
                folder.keep();
                soak.bar.suspend(|| eprintln!("kept: {}", folder.path().display()));
            }
        }
    }
    soak.bar.finish_and_clear();
    let Done { kills, stops, longest_start, longest_stop, counts, faults } = soak.done;
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let summary = Summary {
        scenario: "journal",
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        commit: summary::commit(),
        server: version,
        machine: summary::machine(),
        command: summary::command(),
        seed,
        minutes: began.elapsed().as_secs_f64() / 60.0,
        done: vec![
            (format!("kills, each in {} lines", group(flags.lines.into())), kills.to_string()),
            (
                format!("stops under load, each in {} lines", group(flags.stop_lines.into())),
                stops.to_string(),
            ),
            ("longest start".into(), seconds(longest_start)),
            ("longest stop".into(), seconds(longest_stop)),
        ],
        tally: Tally::new(faults.sentence(counts.acked), counts.rows(), &counts, &faults)?,
        ended,
    };
    print!("{}", summary.page());
    if let Some(into) = &common.into {
        let date = summary.date.split(' ').next().unwrap_or_default();
        let name = common.name.clone().unwrap_or_else(|| format!("journal-{date}"));
        summary.write(into, &name)?;
    }
    Ok(summary.is_right())
}

/// A run in progress.
struct Soak {
    program: Program,
    random: Random,
    bar: ProgressBar,
    deadline: Instant,
    done: Done,
}

/// What was done so far.
#[derive(Default)]
struct Done {
    kills: usize,
    stops: usize,
    longest_start: Duration,
    longest_stop: Duration,
    counts: Counts,
    faults: Faults,
}

impl Soak {
    /// Several rounds on one folder, and the oracle's check of it.
    fn rounds(&mut self, blow: Blow, rounds: usize, lines: u32) -> Result<()> {
        let mut server = self.start()?;
        let mut members = Vec::new();
        for number in 0..ROOMS.len() * (SPEAKERS + LISTENERS) {
            let room = number % ROOMS.len();
            members.push(Member::log_in(number, (room, ROOMS[room]), server.addresses.lines)?);
        }
        let stage = Stage::new(members.len(), ROOMS.len(), server.addresses.lines);
        for _ in 0..rounds {
            server = self.round(server, &mut members, &stage, blow, lines)?;
            self.bar.inc(1);
            if Instant::now() >= self.deadline {
                break;
            }
        }
        server.stop()?;
        for (room, name) in ROOMS.iter().enumerate() {
            let here = members.iter().enumerate().filter(|(_, member)| member.room == room);
            let records: Vec<_> = here.map(|(number, member)| (number, &member.record)).collect();
            let transcript = self.program.transcript(name)?;
            let (faults, counts) = oracle::judge(&records, &transcript, blow == Blow::Kill)?;
            self.done.faults.add(faults);
            self.done.counts.add(counts);
        }
        Ok(())
    }

    /// One round: a flood, a kill or stop in the middle, and the rest of the flood.
    fn round(
        &mut self,
        server: Server,
        members: &mut [Member],
        stage: &Stage,
        blow: Blow,
        lines: u32,
    ) -> Result<Server> {
        stage.begin_round();
        let each = lines / (ROOMS.len() * SPEAKERS) as u32;
        let all = u64::from(each) * (ROOMS.len() * SPEAKERS) as u64;
        let after_acks = self.random.between(all / 20, all * 9 / 10);
        let after_micros = self.random.between(0, MOST_MICROS_AFTER);
        thread::scope(|scope| {
            let talks: Vec<_> = members
                .iter_mut()
                .enumerate()
                .map(|(number, member)| {
                    let speaks = number < ROOMS.len() * SPEAKERS;
                    scope.spawn(move || member.talk(stage, if speaks { each } else { 0 }))
                })
                .collect();
            let struck = self.strike(server, stage, blow, after_acks, after_micros);
            let quiet = struck.and_then(|server| stage.wait_for_silence().map(|()| server));
            if quiet.is_err() {
                stage.fail();
            }
            stage.end_round();
            let mut failure = None;
            for talk in talks {
                let talked = talk.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                failure = failure.or(talked.err());
            }
            match (failure, quiet) {
                (Some(error), Ok(server)) => {
                    Err(error.context(format!("the server's last lines:\n{}", server.last_lines())))
                }
                (Some(error), Err(_)) | (None, Err(error)) => Err(error),
                (None, Ok(server)) => Ok(server),
            }
        })
    }

    /// Waits for the moment, kills or stops the server, and starts it again.
    fn strike(
        &mut self,
        mut server: Server,
        stage: &Stage,
        blow: Blow,
        after_acks: u64,
        after_micros: u64,
    ) -> Result<Server> {
        stage.wait_for_acks(after_acks)?;
        thread::sleep(Duration::from_micros(after_micros));
        match blow {
            Blow::Kill => {
                server.kill()?;
                self.done.kills += 1;
            }
            Blow::Stop => {
                let took = server.stop()?;
                self.done.longest_stop = self.done.longest_stop.max(took);
                self.done.stops += 1;
            }
        }
        let server = self.start()?;
        stage.move_to(server.addresses.lines);
        Ok(server)
    }

    fn start(&mut self) -> Result<Server> {
        let began = Instant::now();
        let server = self.program.start()?;
        self.done.longest_start = self.done.longest_start.max(began.elapsed());
        Ok(server)
    }
}

/// A progress bar on stderr, if that is a terminal.
fn bar(rounds: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {elapsed} {bar:30} {pos}/{len} rounds, {eta} left");
    ProgressBar::new(rounds).with_style(style.expect("the template is right"))
}
