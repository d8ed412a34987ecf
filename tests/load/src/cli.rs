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
/// line carries its speaker, its number and its time, so that lost, duplicated or reordered
/// lines are noticed. The exit code is 0 if every delivery was right, 1 if not or if the run
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
    /// Runs one workload against one server, and reports the results
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunFlags),
    /// Runs the baseline server, which relays input to everyone without parsing it
    Baseline(BaselineFlags),
    /// Measures madang-server and every installed peer in turn, and writes a table and a chart
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
    /// The protocol of the server [default: madang]
    #[arg(long, value_enum, default_value_t = Choice::Madang, hide_default_value = true)]
    protocol: Choice,

    /// The server's address, which must be loopback [default: 127.0.0.1:9009]
    #[arg(long, default_value = "127.0.0.1:9009", hide_default_value = true)]
    address: SocketAddr,

    /// The server's process, whose CPU time and memory are measured [default: the one started
    /// by COMMAND]
    #[arg(long)]
    pub(crate) pid: Option<u32>,

    /// The number of members [default: 100]
    #[arg(long, value_name = "N", default_value_t = 100, hide_default_value = true)]
    members: usize,

    /// How many of them speak [default: 1, or 0 with --join-storm, --mass-leave or --idle]
    #[arg(long, value_name = "N")]
    speakers: Option<usize>,

    /// Length of a line, including its line end [default: 64]
    #[arg(long, value_name = "BYTES", default_value_t = 64, hide_default_value = true)]
    size: usize,

    /// Lines in flight per speaker: the next is sent when all listeners have received one, so 1
    /// is strictly one at a time [default: 1]
    ///
    /// For a flood, choose a window that keeps the server busy and no more: all windows
    /// together should stay below what a server queues for one member (256 KiB in Madang), or
    /// it skips lines because this program reads too slowly. 2,000 lines of 64 bytes, over all
    /// speakers, meet both conditions.
    #[arg(
        long,
        value_name = "LINES",
        conflicts_with = "rate",
        default_value_t = 1,
        hide_default_value = true
    )]
    window: u32,

    /// Lines per second of all speakers together, evenly spaced, however fast the server is;
    /// latency then counts from when a line was due [default: as --window says]
    #[arg(long, value_name = "LINES")]
    rate: Option<f64>,

    /// How many members log in and then never read [default: 0]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    stalled: usize,

    /// The number of rooms (NATS: subjects, Redis: channels), to which the members are assigned
    /// in equal parts [default: 1]
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true)]
    rooms: usize,

    /// How long the measurement lasts [default: 5]
    #[arg(long, default_value_t = 5.0, hide_default_value = true)]
    seconds: f64,

    /// Stop after this many lines, all speakers together, instead of after --seconds [default:
    /// no limit]
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    lines: Option<u64>,

    /// How long the speakers speak before the measurement [default: 0.5, or 0 with --lines]
    #[arg(long, value_name = "SECONDS", default_value = "0.5", hide_default_value = true)]
    warmup: Span,

    /// Wait until every member has been notified of all later joins, and report how long that
    /// took [default: off]
    #[arg(long)]
    join_storm: bool,

    /// Before the workload, let each member say one line, one after the other [default: off]
    #[arg(long)]
    roll_call: bool,

    /// Before the workload, keep everyone idle for this long, then measure the server's memory
    /// [default: 0]
    #[arg(long, value_name = "SECONDS")]
    idle: Option<Span>,

    /// At the end, let all but one member leave at once, and report how long it took [default:
    /// off]
    #[arg(long)]
    mass_leave: bool,

    /// How many members may be logging in at once; with more than the server's backlog, each of
    /// the others waits a second [default: 1 to 256, by protocol]
    #[arg(long, value_name = "N")]
    connecting: Option<usize>,

    /// Meanwhile, search the server's saved history (--data) again and again
    #[arg(long)]
    search: bool,

    /// Give up after this long without something that must arrive [default: 10]
    #[arg(long, value_name = "SECONDS", default_value = "10", hide_default_value = true)]
    silence_limit: Span,

    /// Give up if the run takes longer than this [default: 300]
    #[arg(long, value_name = "SECONDS", default_value = "300", hide_default_value = true)]
    time_limit: Span,

    /// Pin the server started by COMMAND to the first core and this program to the second
    /// [default: not pinned]
    #[arg(long, value_name = "SERVER,TOOL")]
    pub(crate) cores: Option<Cores>,

    /// Report one JSON object [default: a table]
    #[arg(long)]
    pub(crate) json: bool,

    /// A server to start first and stop at the end; it must listen at --address
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

impl RunFlags {
    /// The plan for these flags.
    ///
    /// # Errors
    ///
    /// The error names the flag that is wrong.
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
    /// The address to listen at; port 0 finds a free one, which is printed [default:
    /// 127.0.0.1:9009]
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
    /// The Madang server to compare [default: target/release/madang-server]
    #[arg(
        long,
        value_name = "PATH",
        default_value = "target/release/madang-server",
        hide_default_value = true
    )]
    pub(crate) madang: PathBuf,

    /// Compare only these servers [default: all that are installed, except madang-json and
    /// madang-data]
    #[arg(long, value_enum, value_name = "SERVER,…", value_delimiter = ',')]
    pub(crate) peers: Vec<PeerKind>,

    /// Run only these workloads [default: all]
    #[arg(
        long,
        value_enum,
        value_name = "WORK,…",
        value_delimiter = ',',
        default_values_t = Workload::value_variants().to_vec(),
        hide_default_value = true
    )]
    pub(crate) workloads: Vec<Workload>,

    /// Also compare Madang with --data, in a temporary folder, and search its saved messages
    #[arg(long)]
    pub(crate) data: bool,

    /// The program and arguments of a server that speaks the protocol of Madang's predecessor;
    /// `{port}` is replaced by its port [default: none]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) peer_command: Option<String>,

    /// The port of --peer-command, if it can't be told one [default: a free one]
    #[arg(long, value_name = "PORT", requires = "peer_command")]
    pub(crate) peer_port: Option<u16>,

    /// How often each figure is measured, all servers taking turns [default: 3]
    #[arg(long, value_name = "N", default_value_t = 3, hide_default_value = true)]
    pub(crate) turns: usize,

    /// How long each workload is measured each time [default: 3]
    #[arg(long, default_value_t = 3.0, hide_default_value = true)]
    pub(crate) seconds: f64,

    /// The cores for the server and this program [default: the first two]
    #[arg(long, value_name = "SERVER,TOOL")]
    pub(crate) cores: Option<Cores>,

    /// The folder for the table, the chart and the raw figures [default: tests/load/results]
    #[arg(
        long,
        value_name = "DIRECTORY",
        default_value = "tests/load/results",
        hide_default_value = true
    )]
    pub(crate) into: PathBuf,

    /// The file name, before .md, .svg and .json [default: today's date]
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
