//! The command line; nothing else reads flags.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum as _};

use crate::{
    peer::PeerKind,
    plan::{Length, Pace, Plan},
    protocol::Choice,
    server::Cores,
    workloads::Workload,
};

/// Loads a chat server on this machine and checks every delivery.
///
/// One process, one thread: many members log in to one server, some speak, all listen. Each
/// line carries its speaker, its number and its time, so that nothing is lost, doubled or out
/// of order unseen. The exit code is 0 if every delivery was right, 1 if not or if the run
/// failed, 2 if the command line is wrong.
///
/// Without a subcommand `load` does what `load run` does.
#[derive(Debug, Parser)]
#[command(
    name = "load",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = RUN_EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) run: RunFlags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one workload against one server, and says what it found
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunFlags),
    /// Serves as the baseline: relays what it reads to everyone without parsing it
    Baseline(BaselineFlags),
    /// Measures madang-server and every peer that is installed, in turn, and writes table and chart
    Compare(CompareFlags),
}

const RUN_EXAMPLES: &str = "\
Examples:
  load --members 100
        One speaker, one line at a time, a hundred listeners, at 127.0.0.1:9009.
  load --speakers 10 --window 200 --pid 4711
        A flood; process 4711 is watched.
  load --members 1000 --speakers 100 --rate 1000
        A thousand lines a second, latency counted from when each was due.
  load --members 2000 --join-storm --mass-leave
        All come at once and each is told of each, then all but one leave at once.
  load --protocol redis --address 127.0.0.1:7000 --cores 0,1 -- redis-server --port 7000
        Starts the server first, holds it to core 0 and this program to core 1.";

#[derive(Args, Debug)]
pub(crate) struct RunFlags {
    /// What the server speaks [default: madang]
    #[arg(long, value_enum, default_value_t = Choice::Madang, hide_default_value = true)]
    protocol: Choice,

    /// Where the server listens, a loopback address [default: 127.0.0.1:9009]
    #[arg(long, default_value = "127.0.0.1:9009", hide_default_value = true)]
    address: SocketAddr,

    /// The server's process, whose time and memory are watched [default: the one started by COMMAND]
    #[arg(long)]
    pub(crate) pid: Option<u32>,

    /// How many log in [default: 100]
    #[arg(long, value_name = "N", default_value_t = 100, hide_default_value = true)]
    members: usize,

    /// How many of them speak [default: 1, or 0 with --join-storm, --mass-leave or --idle]
    #[arg(long, value_name = "N")]
    speakers: Option<usize>,

    /// Length of a line, its end included [default: 64]
    #[arg(long, value_name = "BYTES", default_value_t = 64, hide_default_value = true)]
    size: usize,

    /// Lines each speaker has in flight: the next is said when one has been heard by all that
    /// read, so 1 is strictly one at a time [default: 1]
    ///
    /// A flood wants a window that keeps the server busy and no more: all windows together
    /// should stay below what a server keeps for one member (256 KiB in Madang), else it skips
    /// lines because this program reads too slowly. 2,000 lines of 64 bytes, over all speakers,
    /// do both.
    #[arg(
        long,
        value_name = "LINES",
        conflicts_with = "rate",
        default_value_t = 1,
        hide_default_value = true
    )]
    window: u32,

    /// Lines a second of all speakers together, evenly spaced, whatever the server makes of it;
    /// latency then counts from when a line was due [default: as --window says]
    #[arg(long, value_name = "LINES")]
    rate: Option<f64>,

    /// How many members log in and then never read [default: 0]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    stalled: usize,

    /// In how many rooms (NATS: subjects, Redis: channels) the members are, in equal parts [default: 1]
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true)]
    rooms: usize,

    /// How long the speakers are measured [default: 5]
    #[arg(long, default_value_t = 5.0, hide_default_value = true)]
    seconds: f64,

    /// How many lines are said, all speakers together, instead of --seconds [default: no end]
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    lines: Option<u64>,

    /// How long the speakers speak before they are measured [default: 0.5, or 0 with --lines]
    #[arg(long, value_name = "SECONDS", default_value = "0.5", hide_default_value = true)]
    warmup: Span,

    /// Wait until everyone who was there has been told of everyone who came, and say how long
    /// that took [default: off]
    #[arg(long)]
    join_storm: bool,

    /// Let each member say one line, one after the other, before the workload [default: off]
    #[arg(long)]
    roll_call: bool,

    /// Hold everyone idle so long before the workload, then look at the server's memory [default: 0]
    #[arg(long, value_name = "SECONDS")]
    idle: Option<Span>,

    /// In the end let all but one leave at once, and say how long it took [default: off]
    #[arg(long)]
    mass_leave: bool,

    /// How many may be on their way in at once; more than the server's backlog makes them wait
    /// a second each [default: 1 to 256, by protocol]
    #[arg(long, value_name = "N")]
    connecting: Option<usize>,

    /// Have somebody search what the server has kept (--data), again and again, meanwhile
    #[arg(long)]
    search: bool,

    /// Give up when nothing comes for so long that must come [default: 10]
    #[arg(long, value_name = "SECONDS", default_value = "10", hide_default_value = true)]
    silence_limit: Span,

    /// Give up when the run takes longer [default: 300]
    #[arg(long, value_name = "SECONDS", default_value = "300", hide_default_value = true)]
    time_limit: Span,

    /// Hold the server started by COMMAND to the first core and this program to the second
    /// [default: none]
    #[arg(long, value_name = "SERVER,TOOL")]
    pub(crate) cores: Option<Cores>,

    /// Report as one JSON object [default: a table]
    #[arg(long)]
    pub(crate) json: bool,

    /// A server to start first, and stop in the end; it must listen at --address
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

impl RunFlags {
    /// The plan these flags ask for.
    ///
    /// # Errors
    ///
    /// Naming the flag that is wrong.
    pub(crate) fn plan(&self) -> Result<Plan> {
        let is_without_work = self.join_storm || self.mass_leave || self.idle.is_some();
        if self.cores.is_some() && self.command.is_empty() {
            bail!("--cores: this program can hold only a server that it starts: add -- COMMAND");
        }
        let plan = Plan {
            protocol: self.protocol,
            address: self.address,
            members: self.members,
            speakers: self.speakers.unwrap_or(usize::from(!is_without_work)),
            stalled: self.stalled,
            rooms: self.rooms,
            server_cores: 1,
            shares_core: false,
            line_bytes: self.size,
            pace: self.rate.map_or(Pace::Window(self.window), Pace::Rate),
            length: self.lines.map_or(Length::Seconds(self.seconds), Length::Lines),
            warmup: self.warmup.0,
            connecting: self.connecting,
            join_storm: self.join_storm,
            roll_call: self.roll_call,
            idle: self.idle.map(|span| span.0),
            mass_leave: self.mass_leave,
            searches: self.search,
            silence_limit: self.silence_limit.0,
            time_limit: self.time_limit.0,
        };
        plan.check()?;
        Ok(plan)
    }
}

#[derive(Args, Debug)]
pub(crate) struct BaselineFlags {
    /// Where to listen; port 0 finds a free one, which is printed [default: 127.0.0.1:9009]
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9009",
        hide_default_value = true
    )]
    pub(crate) listen: SocketAddr,
}

#[derive(Args, Debug)]
pub(crate) struct CompareFlags {
    /// The server that is compared [default: target/release/madang-server]
    #[arg(
        long,
        value_name = "PATH",
        default_value = "target/release/madang-server",
        hide_default_value = true
    )]
    pub(crate) madang: PathBuf,

    /// Compare only these servers [default: all that are installed, without madang-json and
    /// madang-data]
    #[arg(long, value_enum, value_name = "SERVER,…", value_delimiter = ',')]
    pub(crate) peers: Vec<PeerKind>,

    /// Do only these workloads [default: all]
    #[arg(
        long,
        value_enum,
        value_name = "WORK,…",
        value_delimiter = ',',
        default_values_t = Workload::value_variants().to_vec(),
        hide_default_value = true
    )]
    pub(crate) workloads: Vec<Workload>,

    /// Also compare Madang with --data, in a folder for temporary files, and search what it keeps
    #[arg(long)]
    pub(crate) data: bool,

    /// A server that speaks as Madang's ancestor does, as program and arguments; `{port}` stands
    /// for the port it is to listen at [default: none]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) peer_command: Option<String>,

    /// The port --peer-command listens at, where it can't be told one [default: a free one]
    #[arg(long, value_name = "PORT", requires = "peer_command")]
    pub(crate) peer_port: Option<u16>,

    /// How often each figure is measured, all servers in turn [default: 3]
    #[arg(long, value_name = "N", default_value_t = 3, hide_default_value = true)]
    pub(crate) turns: usize,

    /// How long each workload is measured each time [default: 3]
    #[arg(long, default_value_t = 3.0, hide_default_value = true)]
    pub(crate) seconds: f64,

    /// The cores that servers and this program are held to [default: the first two there are]
    #[arg(long, value_name = "SERVER,TOOL")]
    pub(crate) cores: Option<Cores>,

    /// Where the table, the chart and the raw figures are written [default: tests/load/results]
    #[arg(
        long,
        value_name = "DIRECTORY",
        default_value = "tests/load/results",
        hide_default_value = true
    )]
    pub(crate) into: PathBuf,

    /// What the files are called, before .md, .svg and .json [default: today's date]
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// A length of time in seconds, as a flag's value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 =
            text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
        if !(0.0..=86_400.0).contains(&seconds) {
            return Err(format!("{text} is not between 0 and 86,400 seconds"));
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cores = text.split_once(',').and_then(|(server, tool)| {
            let (server, tool) = (server.parse().ok()?, tool.parse().ok()?);
            Some(Cores { server, more: None, tool })
        });
        cores.ok_or_else(|| format!("{text:?} is not two numbers of cores, as in 0,1"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nobody_speaks_where_coming_going_or_idling_is_the_work() {
        for (arguments, speakers) in [
            ("load", 1),
            ("load run", 1),
            ("load --members 5 --speakers 3", 3),
            ("load --join-storm", 0),
            ("load run --idle 1", 0),
            ("load --mass-leave --speakers 2", 2),
        ] {
            let cli = Cli::try_parse_from(arguments.split(' ')).unwrap();
            let flags = match cli.command {
                Some(Command::Run(flags)) => flags,
                _ => cli.run,
            };
            assert_eq!(flags.plan().unwrap().speakers, speakers, "{arguments}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for arguments in [
            "load --cores 0",
            "load --idle -1",
            "load --silence-limit x",
            "load --window 1 --rate 5",
            "load --lines 1 --seconds 2",
            "load --members 1 run",
        ] {
            assert!(Cli::try_parse_from(arguments.split(' ')).is_err(), "{arguments}");
        }
    }
}
