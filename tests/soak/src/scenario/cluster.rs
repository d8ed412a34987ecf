//! The `cluster` scenario: members of two servers talk in two rooms, while the servers and their
//! Redis are killed and stand still, Redis loses what it had, and the paths between them are cut,
//! slow, or lose replies.
//! After each trouble, everybody has to be back and to be heard.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use madang_tests::{
    redis::TestRedis,
    redis_proxy::{Path, RedisProxy},
};

use self::{
    ledger::Ledger,
    member::ClusterMember,
    places::{Places, SERVERS},
};
use crate::{
    cli::Common,
    random::Random,
    server::{Program, Server},
    summary::{self, Summary, Tally},
};

mod places;
mod member;
mod ledger;

/// The rooms, one of each kind of name.
const ROOMS: [&str; 2] = ["lobby", "수학"];

/// How many members each server has in each room.
const MEMBERS: usize = 2;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The wait between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// What happens each time, and how often.
const TROUBLES: [(Trouble, usize); 8] = [
    (Trouble::KillServer, 3),
    (Trouble::KillRedis, 3),
    (Trouble::LoseData, 1),
    (Trouble::HaltServer, 1),
    (Trouble::HaltRedis, 1),
    (Trouble::CutPath, 1),
    (Trouble::SlowPath, 1),
    (Trouble::SwallowReplies, 1),
];

/// How often to do what, and how fast.
#[derive(Args, Debug)]
pub(crate) struct ClusterFlags {
    /// How often to do all of it: 3 kills of a server, 3 of Redis, and each of the others once
    /// [default: 50]
    #[arg(long, value_name = "N", default_value_t = 50, hide_default_value = true)]
    pub(crate) times: usize,

    /// How long a server that is silent counts as alive, in milliseconds [default: 1500]
    #[arg(long, value_name = "MS", default_value_t = 1_500, hide_default_value = true)]
    pub(crate) lease: u64,

    /// The time from one line of a member to its next, in milliseconds [default: 20]
    #[arg(long, value_name = "MS", default_value_t = 20, hide_default_value = true)]
    pub(crate) pace: u64,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// `kill -9`; the server is started again at once, or after its members have gone elsewhere.
    KillServer,
    /// `kill -9`, with `appendfsync always`; it is started again at once.
    KillRedis,
    /// Redis is killed, and comes back empty, or with a copy of what it had a moment before.
    LoseData,
    /// A server stands still until the others have taken it for dead.
    HaltServer,
    /// Redis stands still for longer than a lease.
    HaltRedis,
    /// The path to Redis is cut several times.
    CutPath,
    /// Each part on the path to Redis takes up to 300 ms.
    SlowPath,
    /// Redis's replies are lost, though it does as it is told.
    SwallowReplies,
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Trouble::KillServer => "kills of a server",
            Trouble::KillRedis => "kills of Redis (`appendfsync always`)",
            Trouble::LoseData => "times Redis came back empty or behind",
            Trouble::HaltServer => "servers halted for longer than their lease",
            Trouble::HaltRedis => "times Redis was halted for longer than a lease",
            Trouble::CutPath => "paths to Redis cut, three times each",
            Trouble::SlowPath => "slow paths to Redis",
            Trouble::SwallowReplies => "paths that lost Redis's replies",
        }
    }
}

/// What has happened.
#[derive(Default)]
struct Progress {
    /// How often each trouble there was, in their order.
    struck: [usize; TROUBLES.len()],
    /// The longest time that a member was without a server, or without its name.
    longest_absence: Duration,
    /// Why the run ended early, if it did.
    ended: Option<String>,
}

/// Runs the scenario; returns whether every promise was kept.
pub(crate) fn run(common: &Common, flags: &ClusterFlags) -> Result<bool> {
    let seed = common.drawn_seed();
    let began = Instant::now();
    eprintln!("seed {seed}");
    let version = Program { path: common.server.clone(), ..Program::default() }.version()?;
    let ledger = Ledger::new(ROOMS.len());
    let done = run_cluster(common, flags, seed, &ledger)?;
    let mut known = ledger.lock();
    known.judge(done.redis_starts());
    let summary = Summary {
        scenario: "cluster",
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        commit: summary::commit(),
        server: version,
        machine: summary::machine(),
        command: summary::command(),
        seed,
        minutes: began.elapsed().as_secs_f64() / 60.0,
        done: done.rows(flags),
        tally: Tally::new(known.sentence(), known.rows(), &known.counts, &known.faults)?,
        ended: done.ended,
    };
    print!("{}", summary.page());
    if let Some(into) = &common.into {
        let date = summary.date.split(' ').next().unwrap_or_default();
        let name = common.name.clone().unwrap_or_else(|| format!("cluster-{date}"));
        summary.write(into, &name)?;
    }
    Ok(summary.is_right())
}

/// Starts everything, makes trouble, and has everybody finish.
fn run_cluster(
    common: &Common,
    flags: &ClusterFlags,
    seed: u64,
    ledger: &Ledger,
) -> Result<Progress> {
    let mut random = Random::new(seed);
    let plan = plan(flags.times, &mut random);
    let redis = TestRedis::start();
    let paths = [(); SERVERS].map(|()| RedisProxy::start(&redis));
    let programs = paths.each_ref().map(|path| program(common, flags, path));
    let places = Places::new(SERVERS * MEMBERS * ROOMS.len());
    let mut servers = Vec::new();
    for program in &programs {
        let server = program.start()?;
        places.place(servers.len(), Some(server.addresses.lines));
        servers.push(server);
    }
    let lease = Duration::from_millis(flags.lease);
    let mut cluster = Cluster { programs, lease, redis, paths, servers, ended: 0, places: &places };
    let deadline = Instant::now() + common.time_limit;
    let mut done = Progress::default();
    thread::scope(|scope| {
        let members = members(flags, &places, ledger);
        let talk = |mut member: ClusterMember<'_>| member.talk().map(|()| member.longest_absence);
        let talks: Vec<_> = members.map(|member| scope.spawn(move || talk(member))).collect();
        let struck = cluster.strike_all(&plan, &mut random, deadline, &mut done, ledger);
        if struck.is_err() {
            places.fail();
        }
        places.end();
        for talk in talks {
            match talk.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
                Ok(longest) => done.longest_absence = done.longest_absence.max(longest),
                Err(error) => done.note_end(&error),
            }
        }
        struck.unwrap_or_else(|error| done.note_end(&error));
    });
    if done.ended.is_some() {
        cluster.servers.iter().for_each(|server| eprintln!("{}", server.last_lines()));
        return Ok(done);
    }
    for server in cluster.servers {
        server.stop()?;
    }
    Ok(done)
}

/// All members.
fn members<'a>(
    flags: &ClusterFlags,
    places: &'a Places,
    ledger: &'a Ledger,
) -> impl Iterator<Item = ClusterMember<'a>> {
    let pace = Duration::from_millis(flags.pace);
    (0..SERVERS * MEMBERS * ROOMS.len()).map(move |number| {
        let (home, room) = (number % SERVERS, number / SERVERS % ROOMS.len());
        let longest_absence = Duration::ZERO;
        let room_name = ROOMS[room];
        ClusterMember { number, room, room_name, home, pace, places, ledger, longest_absence }
    })
}

impl Progress {
    fn note_end(&mut self, error: &anyhow::Error) {
        let before = self.ended.take().map(|before| before + "; ").unwrap_or_default();
        self.ended = Some(format!("{before}{error:#}"));
    }

    /// How often Redis was started again.
    fn redis_starts(&self) -> usize {
        let restarts = |(trouble, _): &(Trouble, usize)| {
            matches!(trouble, Trouble::KillRedis | Trouble::LoseData)
        };
        let struck = TROUBLES.iter().zip(self.struck);
        struck.filter(|(trouble, _)| restarts(trouble)).map(|(_, struck)| struck).sum()
    }

    fn rows(&self, flags: &ClusterFlags) -> Vec<(String, String)> {
        let troubles = TROUBLES.iter().zip(self.struck);
        let mut rows: Vec<_> = troubles
            .map(|((trouble, _), struck)| (trouble.name().to_owned(), struck.to_string()))
            .collect();
        rows.push(("lease".into(), format!("{} ms", flags.lease)));
        let seconds = format!("{:.2} s", self.longest_absence.as_secs_f64());
        rows.push(("longest time until a member was back under its name".into(), seconds));
        rows
    }
}

/// All troubles, in an order drawn at random.
fn plan(times: usize, random: &mut Random) -> Vec<Trouble> {
    let all = TROUBLES.iter().flat_map(|(trouble, count)| vec![*trouble; count * times]);
    let mut plan: Vec<Trouble> = all.collect();
    for at in (1..plan.len()).rev() {
        plan.swap(at, random.between(0, at as u64) as usize);
    }
    plan
}

fn program(common: &Common, flags: &ClusterFlags, path: &RedisProxy) -> Program {
    let lease = flags.lease.to_string();
    let flags = ["--no-web", "--cluster", &path.url(), "--cluster-lease", &lease];
    Program {
        path: common.server.clone(),
        flags: flags.map(str::to_owned).into(),
        ..Program::default()
    }
}

/// The servers and what is between them.
struct Cluster<'a> {
    /// Declared in the order in which they are to end.
    servers: Vec<Server>,
    programs: [Program; SERVERS],
    paths: [RedisProxy; SERVERS],
    redis: TestRedis,
    lease: Duration,
    /// How many servers were killed, or halted for good.
    ended: usize,
    places: &'a Places,
}

impl Cluster<'_> {
    /// Makes trouble as planned, and waits each time until all is well again.
    fn strike_all(
        &mut self,
        plan: &[Trouble],
        random: &mut Random,
        deadline: Instant,
        done: &mut Progress,
        ledger: &Ledger,
    ) -> Result<()> {
        let bar = progress_bar(plan.len() as u64);
        self.wait_until_all_is_well()?;
        for (number, trouble) in plan.iter().enumerate() {
            ensure!(Instant::now() < deadline, "the time is over at {number} of {}", plan.len());
            ledger.lock().note_trouble(format!("number {number}, {trouble:?}"));
            self.strike(*trouble, random)
                .and_then(|()| self.wait_until_all_is_well())
                .with_context(|| format!("number {number}, {trouble:?}"))?;
            done.struck[*trouble as usize] += 1;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn strike(&mut self, trouble: Trouble, random: &mut Random) -> Result<()> {
        let victim = random.between(0, SERVERS as u64 - 1) as usize;
        thread::sleep(Duration::from_millis(random.between(0, 100)));
        match trouble {
            Trouble::KillServer => {
                self.places.place(victim, None);
                self.servers[victim].kill()?;
                self.ended += 1;
                if random.between(0, 1) == 1 {
                    self.wait_until_everybody_is_heard()?;
                }
                self.start(victim)
            }
            Trouble::KillRedis => {
                self.redis.kill();
                thread::sleep(Duration::from_millis(random.between(0, 500)));
                self.redis.start_again();
                Ok(())
            }
            Trouble::LoseData => self.lose_data(random),
            Trouble::HaltServer => self.halt_server(victim),
            Trouble::HaltRedis => {
                self.wait_for_burials()?;
                self.redis.pause();
                thread::sleep(self.lease * 2);
                self.redis.resume();
                self.wait_until_all_is_well()?;
                // Long enough for somebody to be declared dead by mistake.
                thread::sleep(self.lease);
                ensure!(self.dead() == self.ended, "taken for dead, because Redis stood still");
                Ok(())
            }
            Trouble::CutPath => {
                for _ in 0..3 {
                    self.paths[victim].cut();
                    thread::sleep(Duration::from_millis(random.between(0, 300)));
                }
                Ok(())
            }
            Trouble::SlowPath => {
                let delay = Duration::from_millis(random.between(50, 300));
                self.spoil(victim, Path::Slow(delay), random.between(500, 1_500))
            }
            Trouble::SwallowReplies => {
                // For longer than its lease, a server without answers would count as dead.
                let most = self.lease.as_millis() as u64 / 2;
                self.spoil(victim, Path::Swallows, random.between(100, most))?;
                // What was lost is not to be waited for.
                self.paths[victim].cut();
                Ok(())
            }
        }
    }

    /// Has Redis come back without what the servers remember.
    fn lose_data(&mut self, random: &mut Random) -> Result<()> {
        self.wait_for_burials()?;
        let copy = self.redis.copy();
        self.wait_until_everybody_is_heard()?;
        // Servers may not have heard what is lost, though Redis had it.
        for path in &self.paths {
            path.set(if random.between(0, 1) == 1 { Path::Deaf } else { Path::Open });
        }
        thread::sleep(Duration::from_millis(random.between(0, 500)));
        match random.between(0, 1) {
            0 => self.redis.lose_everything(),
            _ => {
                self.redis.kill();
                self.redis.put_back(&copy);
            }
        }
        self.paths.iter().for_each(|path| path.set(Path::Open));
        self.redis.start_again();
        self.wait_until_everybody_is_heard()?;
        // Once all others are declared dead, again if that was lost, and the burials are over that the
        // servers have restored, an emptied one knows no other dead.
        let alive = format!(":{SERVERS}\r\n");
        self.wait("bury the dead", || {
            self.redis.ask("HLEN madang:servers") == alive
                && self.redis.keys("madang:burials").is_empty()
        })?;
        self.ended = self.dead();
        Ok(())
    }

    fn spoil(&self, victim: usize, path: Path, millis: u64) -> Result<()> {
        self.paths[victim].set(path);
        thread::sleep(Duration::from_millis(millis));
        self.paths[victim].set(Path::Open);
        Ok(())
    }

    /// Halts a server until the other has taken it for dead, and has it go on: it has to end.
    fn halt_server(&mut self, victim: usize) -> Result<()> {
        self.wait_for_burials()?;
        self.places.place(victim, None);
        self.servers[victim].halt(true)?;
        self.ended += 1;
        self.wait_for_burials()?;
        self.servers[victim].halt(false)?;
        let status = self.servers[victim].wait()?;
        ensure!(status.code() == Some(1), "a server that was taken for dead ended with {status}");
        self.start(victim)
    }

    /// Waits until the servers that were killed or halted are taken for dead.
    fn wait_for_burials(&self) -> Result<()> {
        self.wait("take the dead for dead", || self.dead() == self.ended)
    }

    /// How many servers were ever taken for dead.
    fn dead(&self) -> usize {
        self.redis.keys("madang:server:").iter().filter(|key| key.ends_with(":dead")).count()
    }

    fn start(&mut self, number: usize) -> Result<()> {
        self.servers[number] = self.programs[number].start()?;
        self.places.place(number, Some(self.servers[number].addresses.lines));
        Ok(())
    }

    /// Waits until every member is where it belongs, and is heard, and all servers run.
    fn wait_until_all_is_well(&mut self) -> Result<()> {
        self.wait("have everybody back", || self.places.is_everybody_home())?;
        self.wait_until_everybody_is_heard()?;
        for server in &mut self.servers {
            ensure!(!server.has_ended(), "a server has ended:\n{}", server.last_lines());
            ensure!(server.panic().is_none(), "a server panicked: {:?}", server.panic());
        }
        Ok(())
    }

    /// Waits until each member has got another ack.
    fn wait_until_everybody_is_heard(&self) -> Result<()> {
        let before = self.places.acked();
        self.wait("hear everybody", || {
            self.places.acked().iter().zip(&before).all(|(now, before)| now > before)
        })
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            ensure!(!self.places.has_failed(), "given up, because a member has failed");
            ensure!(Instant::now() < deadline, "the servers do not {what} within {PATIENCE:?}");
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// A progress bar on stderr, if that is a terminal.
fn progress_bar(troubles: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {elapsed} {bar:30} {pos}/{len}, {eta} left");
    ProgressBar::new(troubles).with_style(style.expect("the template is right"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_each_blow_as_often_as_it_should() {
        let plan = plan(2, &mut Random::new(7));
        for (trouble, count) in TROUBLES {
            assert_eq!(plan.iter().filter(|it| **it == trouble).count(), 2 * count, "{trouble:?}");
        }
        assert_ne!(plan[..6], [Trouble::KillServer; 6], "they are mixed");
    }
}
