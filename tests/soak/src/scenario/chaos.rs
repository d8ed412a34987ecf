//! The `chaos` scenario: members talk in ten rooms over all doors, while their connections are
//! reset, stalled and cut, and the server is killed, stopped, halted, and given a full disk, a
//! jumping clock and a bad network. What is done, and when, is drawn from the seed beforehand.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use madang_tests::{Authority, Pair};

use self::{
    crowd::Habits,
    diary::Diary,
    door::DOORS,
    figures::Figures,
    plan::{Mischief, Step},
    site::{Open, PUBLIC, ROOMS, Site},
    surroundings::Surroundings,
    verdict::{Epoch, Evidence},
};
use crate::{
    cli::Common,
    oracle::Faults,
    random::Random,
    server::{DataFolder, Program, Server},
    summary::{self, Summary, Tally, group},
};

mod plan;
mod surroundings;
mod site;
mod crowd;
mod mishap;
mod door;
mod link;
mod text_member;
mod json_member;
mod teaching;
mod diary;
mod verdict;
mod figures;

/// The teacher's code.
const CODE: &str = "Chaos12345";

/// How long all members together may take to end what they have begun.
const WINDING_DOWN: Duration = Duration::from_secs(90);

/// How soon the server must use a new certificate: it looks every 10 s.
const CERTIFICATE_USED: Duration = Duration::from_secs(30);

/// How long, and how bad.
#[derive(Args, Debug)]
pub(crate) struct ChaosFlags {
    /// How long the run takes, in minutes [default: 5]
    #[arg(long, value_name = "N", default_value_t = 5.0, hide_default_value = true)]
    pub(crate) minutes: f64,

    /// How many members there are [default: 200]
    #[arg(long, value_name = "N", default_value_t = 200, hide_default_value = true)]
    pub(crate) members: usize,

    /// Seconds between two things that happen to the server, on average [default: 10]
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, hide_default_value = true)]
    pub(crate) every: f64,

    /// Seconds between two mishaps of one member, on average [default: 20]
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, hide_default_value = true)]
    pub(crate) mishaps: f64,

    /// Seconds between two things that one member says, on average [default: 1]
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, hide_default_value = true)]
    pub(crate) pace: f64,
}

/// Runs the scenario; returns whether every promise was kept.
pub(crate) fn run(common: &Common, flags: &ChaosFlags) -> Result<bool> {
    if let Some(is_right) = surroundings::enter()? {
        return Ok(is_right);
    }
    let seed = common.drawn_seed();
    let mut random = Random::new(seed);
    let below = common.work.clone().unwrap_or_else(std::env::temp_dir);
    let mut folder = DataFolder::new(&below, "chaos")?;
    let surroundings = Surroundings::new(folder.path())?;
    let seconds = Duration::from_secs_f64;
    let length = seconds(flags.minutes * 60.0).min(common.time_limit);
    let steps = plan::draw(&mut random, length, seconds(flags.every), surroundings.means());
    eprintln!("seed {seed}; {} members, {} rooms, {} doors", flags.members, ROOMS, DOORS.len());
    for step in &steps {
        eprintln!("{step}");
    }
    let began = Instant::now();
    let mut chaos = Chaos::new(common, folder.path(), &surroundings, flags.members)?;
    let habits = Habits { pace: seconds(flags.pace), mishaps: seconds(flags.mishaps) };
    let (outcome, diaries) = chaos.run(&steps, length, habits, &mut random);
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let mut ended = outcome.err().map(|error| format!("{error:#}"));
    let judged = chaos.judge(&diaries);
    let (faults, figures) = judged.unwrap_or_else(|error| {
        ended.get_or_insert_with(|| format!("{error:#}"));
        Default::default()
    });
    let restarts = chaos.done.kills + chaos.done.stops;
    let headline = format!(
        "{minutes:.1} minutes, {} lines: {} lost, {} doubled, {} reordered, {restarts} restarts; \
         {} ids given twice; {} holes that nobody was told of; {} sessions lost; {} lines without \
         an answer.",
        group(figures.saved + figures.unsaved),
        faults.lost,
        faults.doubled,
        faults.reordered,
        faults.ids_twice,
        faults.missed,
        faults.lost_sessions,
        faults.stuck,
    );
    let mut done = chaos.done.rows();
    done.extend(surroundings.description());
    let summary = Summary {
        scenario: "chaos",
        date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        commit: summary::commit(),
        server: chaos.program.version()?,
        machine: summary::machine(),
        command: summary::command(),
        seed,
        minutes,
        done,
        tally: Tally::new(headline, figures.rows(), &figures, &faults)?,
        ended,
    };
    print!("{}", summary.page());
    if !summary.is_right() {
        folder.keep();
        eprintln!("kept: {}", surroundings.keep_disk()?.display());
    }
    if let Some(into) = &common.into {
        let date = summary.date.split(' ').next().unwrap_or_default();
        let name = common.name.clone().unwrap_or_else(|| format!("chaos-{date}"));
        summary.write(into, &name)?;
    }
    Ok(summary.is_right())
}

/// A run in progress.
struct Chaos<'a> {
    program: Program,
    plain_flags: Vec<String>,
    tls_flags: Vec<String>,
    surroundings: &'a Surroundings,
    authority: Arc<Authority>,
    pair_files: [PathBuf; 2],
    pair: Pair,
    site: Arc<Site>,
    server: Option<Server>,
    members: usize,
    epochs: Vec<Epoch>,
    /// Whether the disk was full on this server.
    was_full: bool,
    done: Deeds,
}

/// What was done so far.
#[derive(Default)]
struct Deeds {
    kills: u64,
    stops: u64,
    halts: u64,
    certificates: u64,
    jumps: u64,
    full_disks: u64,
    bad_networks: u64,
    longest_start: Duration,
    longest_stop: Duration,
}

impl<'a> Chaos<'a> {
    fn new(
        common: &Common,
        folder: &Path,
        surroundings: &'a Surroundings,
        members: usize,
    ) -> Result<Chaos<'a>> {
        ensure!(members > crowd::TEACHER, "too few members");
        let authority = Arc::new(Authority::new());
        let pair = authority.issue();
        let pair_files = ["certificate.pem", "key.pem"].map(|name| folder.join(name));
        let code_file = folder.join("code");
        fs::write(&code_file, CODE).context("failed to write the teacher's code")?;
        let flag = |name: &str, value: &Path| [name.to_owned(), value.display().to_string()];
        let mut plain_flags = vec!["--web".to_owned(), "127.0.0.1:0".to_owned()];
        plain_flags.extend(flag("--teacher-code", &code_file));
        let mut tls_flags = vec!["--listen-tls".to_owned(), "127.0.0.1:0".to_owned()];
        tls_flags.extend(flag("--tls-cert", &pair_files[0]));
        tls_flags.extend(flag("--tls-key", &pair_files[1]));
        let program = Program {
            path: common.server.clone(),
            data: surroundings.disk().join("data"),
            flags: Vec::new(),
            environment: surroundings.environment(),
        };
        let mut chaos = Chaos {
            program,
            plain_flags,
            tls_flags,
            surroundings,
            authority,
            pair_files,
            pair,
            site: Arc::new(Site::new(members, CODE.to_owned())),
            server: None,
            members,
            epochs: Vec::new(),
            was_full: false,
            done: Deeds::default(),
        };
        chaos.write_pair()?;
        chaos.start()?;
        Ok(chaos)
    }

    /// Carries out the plan while members talk; returns their diaries, too.
    fn run(
        &mut self,
        steps: &[Step],
        length: Duration,
        habits: Habits,
        random: &mut Random,
    ) -> (Result<()>, Vec<Diary>) {
        let members = (0..self.members).map(|number| {
            let (site, random) = (self.site.clone(), Random::new(random.next()));
            thread::spawn(move || crowd::live(number, &site, habits, random))
        });
        let members: Vec<_> = members.collect();
        let outcome = self.follow_plan(steps, length).and_then(|()| self.wind_down());
        self.site.end();
        self.site.close();
        let mut diaries = Vec::new();
        for member in members {
            let lived = member.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            diaries.push(lived);
        }
        (outcome.and_then(|()| self.stop()), diaries)
    }

    fn follow_plan(&mut self, steps: &[Step], length: Duration) -> Result<()> {
        let began = Instant::now();
        for step in steps {
            thread::sleep((began + step.at).saturating_duration_since(Instant::now()));
            if began.elapsed() >= length {
                // Earlier steps took longer than planned.
                break;
            }
            eprintln!("{:7.1} s  {}", began.elapsed().as_secs_f64(), step.what);
            self.take(step.what).with_context(|| step.what.to_string())?;
            if let Some(line) = self.server()?.panic() {
                bail!("the server panicked: {line}");
            }
        }
        thread::sleep((began + length).saturating_duration_since(Instant::now()));
        Ok(())
    }

    fn take(&mut self, what: Mischief) -> Result<()> {
        match what {
            Mischief::Kill => {
                self.site.shut();
                self.taken_server()?.kill()?;
                self.epochs.push(Epoch { is_clean: false });
                self.done.kills += 1;
                self.start()
            }
            Mischief::Stop => {
                self.stop()?;
                self.done.stops += 1;
                self.start()
            }
            Mischief::Halt(time) => {
                self.server()?.halt(true)?;
                thread::sleep(time);
                self.done.halts += 1;
                self.server()?.halt(false)
            }
            Mischief::NewCertificate => self.change_certificate(),
            Mischief::Clock { seconds } => {
                self.done.jumps += 1;
                self.surroundings.tell_time(seconds)
            }
            Mischief::FullDisk(time) => {
                self.was_full = true;
                self.surroundings.fill_disk()?;
                thread::sleep(time);
                self.done.full_disks += 1;
                self.surroundings.free_disk()
            }
            Mischief::BadNetwork(time) => {
                self.surroundings.spoil_network(true)?;
                thread::sleep(time);
                self.done.bad_networks += 1;
                self.surroundings.spoil_network(false)
            }
        }
    }

    /// Waits until every member has what it waits for, then lets them go.
    fn wind_down(&self) -> Result<()> {
        self.site.end();
        let calm = self.site.wait_for_calm(self.members, WINDING_DOWN);
        ensure!(calm >= self.members, "only {calm} of {} are done", self.members);
        Ok(())
    }

    /// Starts a server: in turn one with a certificate and one without.
    fn start(&mut self) -> Result<()> {
        let epoch = self.epochs.len() as u32;
        let is_encrypted = epoch.is_multiple_of(2);
        self.program.flags.clone_from(&self.plain_flags);
        if is_encrypted {
            self.program.flags.extend(self.tls_flags.iter().cloned());
        }
        let began = Instant::now();
        let server = self.program.start()?;
        self.done.longest_start = self.done.longest_start.max(began.elapsed());
        let (addresses, authority) = (server.addresses, self.authority.clone());
        self.server = Some(server);
        self.was_full = false;
        self.site.open(Open { epoch, addresses, is_encrypted, authority });
        Ok(())
    }

    /// Stops the server in good order.
    fn stop(&mut self) -> Result<()> {
        self.site.shut();
        let server = self.taken_server()?;
        let panic = server.panic();
        let took = server.stop()?;
        ensure!(panic.is_none(), "the server panicked: {panic:?}");
        self.done.longest_stop = self.done.longest_stop.max(took);
        self.epochs.push(Epoch { is_clean: !self.was_full });
        Ok(())
    }

    /// Writes a new certificate, and waits until the server uses it.
    fn change_certificate(&mut self) -> Result<()> {
        self.pair = self.authority.issue();
        let open = self.site.server(Instant::now()).context("there is no server")?;
        // Asked first: the server may look at any moment.
        let before = link::certificate(&open)?;
        self.write_pair()?;
        if !open.is_encrypted {
            // The next server begins with it.
            return Ok(());
        }
        let deadline = Instant::now() + CERTIFICATE_USED;
        while link::certificate(&open)? == before {
            ensure!(Instant::now() < deadline, "the server does not use the new certificate");
            thread::sleep(Duration::from_millis(200));
        }
        self.done.certificates += 1;
        Ok(())
    }

    fn write_pair(&self) -> Result<()> {
        let [certificate, key] = &self.pair_files;
        for (path, text) in [(certificate, &self.pair.certificate), (key, &self.pair.key)] {
            fs::write(path, text)
                .with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        Ok(())
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("there is no server")
    }

    fn taken_server(&mut self) -> Result<Server> {
        self.server.take().context("there is no server")
    }

    fn judge(&self, diaries: &[Diary]) -> Result<(Faults, Figures)> {
        let transcripts: Vec<String> =
            PUBLIC.iter().map(|room| self.program.transcript(room)).collect::<Result<_>>()?;
        let rooms = self.site.rooms();
        verdict::judge_chaos(&Evidence {
            diaries,
            transcripts: &transcripts,
            epochs: &self.epochs,
            rooms,
        })
    }
}

impl Deeds {
    fn rows(&self) -> Vec<(String, String)> {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let rows = [
            ("kills (`kill -9`)", self.kills.to_string()),
            ("stops in good order", self.stops.to_string()),
            ("times the process was halted", self.halts.to_string()),
            ("certificates changed under way", self.certificates.to_string()),
            ("jumps of the clock", self.jumps.to_string()),
            ("times the disk was full", self.full_disks.to_string()),
            ("times the network was bad", self.bad_networks.to_string()),
            ("longest start", seconds(self.longest_start)),
            ("longest stop", seconds(self.longest_stop)),
        ];
        rows.map(|(what, count)| (what.to_owned(), count)).into()
    }
}
