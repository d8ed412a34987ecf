//! The plan of one run. A [`Plan`] has been checked and can be run.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::{
    name::MOST_MEMBERS,
    protocol::{Choice, Rooms},
    text::{MOST_SPEAKERS, SHORTEST_LINE_BYTES},
    workloads::LINE_BYTES,
};

/// How fast the speakers speak.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// A number of lines in flight for each speaker: the next is said when everyone has
    /// received one.
    Window(u32),
    /// A number of lines a second, all speakers in turn, however fast the server is.
    Rate(f64),
}

/// When the speakers stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Length {
    Seconds(f64),
    /// After this many lines, all speakers together.
    Lines(u64),
}

/// The workload of one run against one server.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) protocol: Choice,
    pub(crate) address: SocketAddr,
    pub(crate) members: usize,
    /// How many members speak: the first ones; 0 if nobody does.
    pub(crate) speakers: usize,
    /// How many members log in and then never read: the last ones.
    pub(crate) stalled: usize,
    pub(crate) rooms: usize,
    /// How many cores the server may use, if it is restricted.
    pub(crate) server_cores: usize,
    /// Whether it shares one of them with this program, because there is no other.
    pub(crate) shares_core: bool,
    /// The length of a line, its end included.
    pub(crate) line_bytes: usize,
    pub(crate) pace: Pace,
    pub(crate) length: Length,
    /// How long the speakers speak before the measurement.
    pub(crate) warmup: Duration,
    /// How many members may log in at the same time; the protocol's default if `None`.
    pub(crate) connecting: Option<usize>,
    pub(crate) join_storm: bool,
    pub(crate) roll_call: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) mass_leave: bool,
    /// Whether somebody searches the kept history all the time.
    pub(crate) searches: bool,
    /// How long to wait for something that must come.
    pub(crate) silence_limit: Duration,
    /// The time limit of the whole run.
    pub(crate) time_limit: Duration,
}

/// A larger ledger would not fit into memory beside the server.
const MOST_PAIRS: usize = 1 << 28;

impl Plan {
    /// One of 100 members speaks, one line at a time, for so many seconds after half a second of
    /// warming up.
    pub(crate) fn one_line(protocol: Choice, address: SocketAddr, seconds: f64) -> Plan {
        Plan {
            protocol,
            address,
            members: 100,
            speakers: 1,
            stalled: 0,
            rooms: 1,
            server_cores: 1,
            shares_core: false,
            line_bytes: LINE_BYTES,
            pace: Pace::Window(1),
            length: Length::Seconds(seconds),
            warmup: Duration::from_millis(500),
            connecting: None,
            join_storm: false,
            roll_call: false,
            idle: None,
            mass_leave: false,
            searches: false,
            silence_limit: Duration::from_secs(10),
            time_limit: Duration::from_secs(120),
        }
    }

    /// Checks that the plan can be run.
    ///
    /// # Errors
    ///
    /// Naming the flag that is wrong.
    pub(crate) fn check(&self) -> Result<()> {
        let protocol = self.protocol.protocol();
        let Self { members, speakers, stalled, rooms, line_bytes, .. } = *self;
        ensure!(
            self.address.ip().is_loopback(),
            "--address {} is not a loopback address: load is for one's own machine",
            self.address
        );
        ensure!(
            (1..=MOST_MEMBERS).contains(&members),
            "--members {members} is not in 1..={MOST_MEMBERS}"
        );
        ensure!(
            stalled < members,
            "--stalled {stalled} leaves none of --members {members} to read"
        );
        ensure!(
            speakers <= members - stalled,
            "--speakers {speakers} is more than the {} members that read",
            members - stalled
        );
        ensure!(speakers <= MOST_SPEAKERS, "--speakers {speakers} is more than {MOST_SPEAKERS}");
        ensure!(
            members.saturating_mul(speakers) <= MOST_PAIRS,
            "--members {members} times --speakers {speakers} is more than {MOST_PAIRS}"
        );
        ensure!(
            (SHORTEST_LINE_BYTES..=4096).contains(&line_bytes),
            "--size {line_bytes} is not in {SHORTEST_LINE_BYTES}..=4096: a line carries its speaker, number and time"
        );
        ensure!(
            (1..=members).contains(&rooms),
            "--rooms {rooms} is not in 1..={members}, the members"
        );
        if rooms > 1 && protocol.rooms() == Rooms::One {
            bail!("--rooms {rooms}: with --protocol {} everyone is in one room", self.protocol);
        }
        if rooms > 1 && (self.join_storm || self.mass_leave) {
            bail!("--rooms {rooms}: --join-storm and --mass-leave are for one room");
        }
        ensure!(
            protocol.echoes() || members - stalled > rooms,
            "--members {members}: nobody would hear a speaker, whose own lines don't come back"
        );
        if let Pace::Window(window) = self.pace
            && speakers > 0
        {
            let widest = self.widest_window();
            ensure!(
                window <= widest,
                "--window {window}: a server of --protocol {} passes on what it reads and would cut lines; \
                 give --window {widest} or less",
                self.protocol
            );
        }
        match self.pace {
            Pace::Window(window) => {
                ensure!((1..=1 << 16).contains(&window), "--window {window} is not in 1..=65536")
            }
            Pace::Rate(rate) => ensure!(
                rate > 0.0 && rate <= 1e7,
                "--rate {rate} is not between 0 and 10,000,000 lines a second"
            ),
        }
        match self.length {
            Length::Seconds(seconds) => ensure!(
                seconds > 0.0 && seconds <= 3600.0,
                "--seconds {seconds} is not between 0 and 3,600"
            ),
            Length::Lines(lines) => ensure!(lines > 0, "--lines 0 says nothing"),
        }
        ensure!(self.connecting != Some(0), "--connecting 0 lets nobody in");
        if (self.join_storm || self.roll_call) && members > MOST_PAIRS.isqrt() {
            bail!("--members {members} is too many for --join-storm and --roll-call");
        }
        ensure!(
            !self.join_storm || protocol.announces(),
            "--join-storm: a server of --protocol {} tells nobody who comes",
            self.protocol
        );
        Ok(())
    }

    /// The widest window in which the server splits no line. A server that passes on each read
    /// as it is puts another speaker's line into the middle of one that spans two reads.
    pub(crate) fn widest_window(&self) -> u32 {
        let protocol = self.protocol.protocol();
        match protocol.packet_bytes() {
            // With a single speaker, the halves meet again.
            Some(_) if self.speakers <= 1 && !protocol.marks_packets() => u32::MAX,
            Some(bytes) => (bytes / self.line_bytes) as u32,
            None => u32::MAX,
        }
    }

    /// The room of a member: members are assigned to the rooms in turn.
    pub(crate) fn room_of(&self, member: usize) -> usize {
        member % self.rooms
    }

    /// Whether a member that reads should receive a speaker's lines.
    pub(crate) fn hears(&self, member: usize, speaker: usize) -> bool {
        member < self.members - self.stalled
            && self.room_of(member) == self.room_of(speaker)
            && (member != speaker || self.protocol.protocol().echoes())
    }

    /// How many members receive each speaker's lines.
    pub(crate) fn listeners(&self) -> Vec<u32> {
        (0..self.speakers)
            .map(|speaker| {
                (0..self.members).filter(|&member| self.hears(member, speaker)).count() as u32
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::one_line(Choice::Madang, SocketAddr::from(([127, 0, 0, 1], 9009)), 5.0)
    }

    /// `wrong` is the flag the error must begin with, or empty if the plan is right.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Plan), wrong: &str) {
        let mut plan = plan();
        change(&mut plan);
        match plan.check() {
            Ok(()) => assert_eq!(wrong, ""),
            Err(error) => {
                let error = error.to_string();
                assert!(!wrong.is_empty() && error.starts_with(wrong), "{error}");
            }
        }
    }

    #[test]
    fn a_plan_that_cannot_be_run_names_its_flag() {
        check(|_| {}, "");
        check(
            |plan| plan.address = SocketAddr::from(([192, 168, 0, 1], 1)),
            "--address 192.168.0.1:1",
        );
        check(|plan| plan.members = 0, "--members 0");
        check(|plan| plan.members = 100_001, "--members 100001");
        check(|plan| plan.stalled = 100, "--stalled 100");
        check(|plan| plan.stalled = 99, "");
        check(|plan| (plan.stalled, plan.speakers) = (99, 2), "--speakers 2");
        check(|plan| plan.speakers = 101, "--speakers 101");
        check(|plan| plan.speakers = 0, "");
        check(|plan| plan.line_bytes = 28, "--size 28");
        check(|plan| plan.line_bytes = 29, "");
        check(|plan| plan.line_bytes = 4097, "--size 4097");
        check(|plan| plan.rooms = 2, "");
        check(|plan| (plan.rooms, plan.protocol) = (2, Choice::Seed), "--rooms 2");
        check(|plan| (plan.rooms, plan.join_storm) = (2, true), "--rooms 2");
        check(|plan| (plan.rooms, plan.mass_leave) = (2, true), "--rooms 2");
        check(|plan| (plan.rooms, plan.protocol) = (2, Choice::Nats), "");
        check(|plan| (plan.rooms, plan.protocol) = (101, Choice::Nats), "--rooms 101");
        check(|plan| plan.pace = Pace::Window(0), "--window 0");
        check(|plan| plan.pace = Pace::Window(2000), "");
        check(|plan| (plan.protocol, plan.pace) = (Choice::Seed, Pace::Window(17)), "--window 17");
        check(|plan| (plan.protocol, plan.pace) = (Choice::Seed, Pace::Window(16)), "");
        check(|plan| (plan.protocol, plan.pace) = (Choice::Plain, Pace::Window(2000)), "");
        check(|plan| plan.pace = Pace::Rate(0.0), "--rate 0");
        check(|plan| plan.pace = Pace::Rate(f64::NAN), "--rate NaN");
        check(|plan| plan.length = Length::Lines(0), "--lines 0");
        check(|plan| plan.length = Length::Seconds(-1.0), "--seconds -1");
        check(|plan| plan.connecting = Some(0), "--connecting 0");
        check(|plan| (plan.protocol, plan.join_storm) = (Choice::Redis, true), "--join-storm");
        check(|plan| (plan.protocol, plan.members) = (Choice::Ncat, 1), "--members 1");
    }

    #[test]
    fn members_hear_the_speakers_of_their_room() {
        let plan = Plan {
            rooms: 3,
            members: 10,
            speakers: 4,
            stalled: 1,
            protocol: Choice::Nats,
            ..plan()
        };
        assert_eq!(plan.listeners(), [3, 3, 3, 3]);
        assert!(plan.hears(3, 0) && !plan.hears(4, 0) && !plan.hears(9, 0));
        let plan = Plan { members: 10, speakers: 2, protocol: Choice::Ncat, ..self::plan() };
        assert_eq!(plan.listeners(), [9, 9]);
    }
}
