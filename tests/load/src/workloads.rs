//! The workloads that servers are compared by, and the figures taken from them.

use std::time::Duration;

use clap::ValueEnum;

use crate::{
    peer::{Peer, PeerKind},
    plan::{Length, Pace, Plan},
    protocol::{Choice, Rooms},
    quantity::Quantity,
    report::{Report, TalkReport},
};

/// Length of every line, its end included.
pub(crate) const LINE_BYTES: usize = 64;

/// Lines in flight in a flood, over all speakers: enough that every server always has work,
/// and, with everything that servers add to a line, far less than they keep for one member (256
/// KiB in Madang, 64 MiB in NATS, 8 MiB in Redis), so that none has a reason to skip or drop.
/// It is the same for all servers, except those that would split lines: see
/// [`Plan::widest_window`].
pub(crate) const FLOOD_LINES: u32 = 2_000;

/// The number of saved messages to search.
const KEPT_LINES: u64 = 1_000_000;

/// One of the workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    OneLine,
    #[value(name = "flood-1")]
    Flood1,
    #[value(name = "flood-10")]
    Flood10,
    Steady,
    #[value(name = "clients-2000")]
    Crowd2000,
    #[value(name = "clients-10000")]
    Crowd10000,
    Idle,
    Stalled,
    /// A hundred rooms of a hundred, on one core and on two.
    Rooms,
    /// The same over WebSocket, with each server's own way to broadcast.
    WsOneLine,
    #[value(name = "ws-flood-1")]
    WsFlood1,
    #[value(name = "ws-flood-10")]
    WsFlood10,
    WsIdle,
    /// Searching a million messages that were kept, alone and while others speak.
    Search,
}

/// A figure taken from the runs of a workload, one row of the table.
pub(crate) struct Figure {
    pub(crate) title: &'static str,
    pub(crate) better: Better,
    /// Takes the figure from the reports of one turn, in the order of [`Workload::plans`].
    pub(crate) take: fn(&[Report]) -> Option<Quantity>,
    pub(crate) reach: &'static [Reach],
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

/// A goal for Madang.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reach {
    /// No worse than this figure.
    Value(f64),
    /// With --data, no worse than this many times the value without.
    Data(f64),
    /// No worse than this many times the best of these servers.
    Times(f64, &'static [PeerKind]),
}

impl Workload {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The plans of this workload for one server, in order.
    pub(crate) fn plans(self, peer: &Peer, seconds: f64) -> Vec<Plan> {
        let (protocol, address) = match (self.is_websocket(), peer.web) {
            (true, Some(web)) if peer.protocol == Choice::Madang => (Choice::MadangWs, web),
            (true, Some(web)) => (peer.protocol, web),
            _ => (peer.protocol, peer.address),
        };
        let plan = Plan::one_line(protocol, address, seconds);
        let flood = |speakers: u32| {
            let pace = Pace::Window((FLOOD_LINES / speakers).min(plan.widest_window()));
            Plan { speakers: speakers as usize, pace, ..plan.clone() }
        };
        let clients = |members| Plan {
            members,
            speakers: 0,
            join_storm: true,
            mass_leave: true,
            ..plan.clone()
        };
        let kept = plan.clone();
        match self {
            Workload::Search => {
                let (quiet, loud) = (
                    Plan { members: 1, speakers: 0, ..kept.clone() },
                    Plan {
                        members: 1_000,
                        speakers: 100,
                        pace: Pace::Rate(1_000.0),
                        ..kept.clone()
                    },
                );
                vec![
                    Plan {
                        members: 2,
                        pace: Pace::Window(FLOOD_LINES),
                        length: Length::Lines(KEPT_LINES),
                        ..kept
                    },
                    Plan { idle: Some(Duration::from_secs_f64(seconds)), searches: true, ..quiet },
                    loud.clone(),
                    Plan { searches: true, ..loud },
                ]
            }
            // A peer that has never sent anything acknowledges at once; one that has sent
            // something delays its ACKs (TCP considers the connection interactive), and that
            // moves work from the listener to the server: 3.45 µs a delivery become 3.91 on the
            // baseline. A login sends something; the baseline has none.
            Workload::OneLine | Workload::WsOneLine => vec![Plan { roll_call: true, ..plan }],
            Workload::Flood1 | Workload::WsFlood1 => vec![flood(1)],
            Workload::Flood10 | Workload::WsFlood10 => vec![flood(10)],
            Workload::Steady => {
                vec![Plan { members: 1_000, speakers: 100, pace: Pace::Rate(1_000.0), ..plan }]
            }
            Workload::Crowd2000 => vec![clients(2_000)],
            Workload::Crowd10000 => vec![clients(10_000)],
            Workload::Idle | Workload::WsIdle => vec![Plan {
                members: 2_000,
                speakers: 0,
                roll_call: true,
                idle: Some(Duration::from_secs(1)),
                ..plan
            }],
            // Few lines in flight, so that the server is the bottleneck. With 2,000, this tool
            // is, and the figure would describe only the tool.
            Workload::Stalled => {
                let without =
                    Plan { members: 200, pace: Pace::Window(20.min(plan.widest_window())), ..plan };
                vec![without.clone(), Plan { stalled: 1, ..without }]
            }
            // One line in flight per room: in a flood, a server that keeps up better sends
            // fewer lines at once, and each costs it more. With twenty, Madang's rounds have 6
            // lines on one core and 4 on two, and the figure would show only that.
            Workload::Rooms => {
                let one_core = Plan { members: 10_000, rooms: 100, speakers: 100, ..plan };
                vec![one_core.clone(), Plan { server_cores: 2, ..one_core }]
            }
        }
    }

    /// Whether this server can do this workload at all.
    pub(crate) fn suits(self, peer: &Peer) -> bool {
        let members = match self {
            Workload::OneLine | Workload::Flood1 | Workload::Flood10 => 100,
            Workload::WsOneLine | Workload::WsFlood1 | Workload::WsFlood10 => 100,
            Workload::Stalled => 200,
            Workload::Steady => 1_000,
            Workload::Crowd2000 | Workload::Idle | Workload::WsIdle => 2_000,
            Workload::Crowd10000 | Workload::Rooms => 10_000,
            Workload::Search => 1_000,
        };
        let is_crowd = matches!(self, Workload::Crowd2000 | Workload::Crowd10000);
        let is_spoken = match peer.kind {
            PeerKind::Bun => self.is_websocket(),
            PeerKind::MadangData => true,
            PeerKind::Madang => self != Workload::Search,
            _ => !self.is_websocket() && self != Workload::Search,
        };
        is_spoken
            && members <= peer.most_members
            && (!is_crowd || peer.protocol.protocol().announces())
            && (self != Workload::Rooms || peer.protocol.protocol().rooms() == Rooms::Many)
    }

    fn is_websocket(self) -> bool {
        matches!(
            self,
            Workload::WsOneLine | Workload::WsFlood1 | Workload::WsFlood10 | Workload::WsIdle
        )
    }

    /// The figures taken from this workload.
    pub(crate) fn figures(self) -> &'static [Figure] {
        match self {
            Workload::OneLine => ONE_LINE,
            Workload::Flood1 => FLOOD_1,
            Workload::Flood10 => FLOOD_10,
            Workload::Steady => STEADY,
            Workload::Crowd2000 => CROWD_2000,
            Workload::Crowd10000 => CROWD_10000,
            Workload::Idle => IDLE,
            Workload::Stalled => STALLED,
            Workload::Rooms => ROOMS,
            Workload::WsOneLine => WS_ONE_LINE,
            Workload::WsFlood1 => WS_FLOOD_1,
            Workload::WsFlood10 => WS_FLOOD_10,
            Workload::WsIdle => WS_IDLE,
            Workload::Search => SEARCH,
        }
    }
}

const ONE_LINE: &[Figure] = &[Figure {
    title: "1 speaks, one line at a time, 100 members: server CPU per delivery",
    better: Better::Less,
    take: cpu_per_delivery,
    reach: &[Reach::Times(1.05, &[PeerKind::Baseline]), Reach::Data(1.15)],
}];

const FLOOD_REACH: &[Reach] = &[
    Reach::Times(3.0, &[PeerKind::Nats, PeerKind::Redis]),
    Reach::Times(0.9, &[PeerKind::Baseline]),
    Reach::Data(0.5),
];

const FLOOD_1: &[Figure] = &[
    Figure {
        title: "flood, 1 speaks, 100 members: deliveries",
        better: Better::More,
        take: deliveries_per_second,
        reach: FLOOD_REACH,
    },
    Figure {
        title: "flood, 1 speaks, 100 members: server CPU per delivery",
        better: Better::Less,
        take: cpu_per_delivery,
        reach: &[],
    },
];

const FLOOD_10: &[Figure] = &[
    Figure {
        title: "flood, 10 speak, 100 members: deliveries",
        better: Better::More,
        take: deliveries_per_second,
        reach: FLOOD_REACH,
    },
    Figure {
        title: "flood, 10 speak, 100 members: server CPU per delivery",
        better: Better::Less,
        take: cpu_per_delivery,
        reach: &[],
    },
];

const STEADY: &[Figure] = &[
    Figure {
        title: "1,000 lines/s, 100 speak, 1,000 members: latency p99",
        better: Better::Less,
        take: |reports| Some(Quantity::Micros(talk_report(reports)?.latency?.p99_us)),
        reach: &[Reach::Times(1.0, &[PeerKind::Redis])],
    },
    Figure {
        title: "1,000 lines/s, 100 speak, 1,000 members: latency p99.9",
        better: Better::Less,
        take: |reports| Some(Quantity::Micros(talk_report(reports)?.latency?.p999_us)),
        reach: &[Reach::Times(1.0, &[PeerKind::Redis])],
    },
];

const CROWD_2000: &[Figure] = &[
    Figure {
        title: "2,000 log in, each told of each",
        better: Better::Less,
        take: told_of_each,
        reach: &[Reach::Value(0.8)],
    },
    Figure { title: "2,000 leave at once", better: Better::Less, take: all_left, reach: &[] },
];

const CROWD_10000: &[Figure] = &[
    Figure {
        title: "10,000 log in, each told of each",
        better: Better::Less,
        take: told_of_each,
        reach: &[Reach::Value(12.0)],
    },
    Figure {
        title: "10,000 leave at once",
        better: Better::Less,
        take: all_left,
        reach: &[Reach::Value(15.0)],
    },
];

const IDLE: &[Figure] = &[
    Figure {
        title: "2,000 idle, after each has spoken: resident memory a member",
        better: Better::Less,
        take: |reports| {
            Some(Quantity::Bytes(first(reports)?.server.as_ref()?.resident_bytes_per_member))
        },
        reach: &[Reach::Value(14.0 * 1024.0)],
    },
    Figure {
        title: "2,000 idle: threads a member",
        better: Better::Less,
        take: |reports| {
            let (report, server) = (first(reports)?, first(reports)?.server.as_ref()?);
            Some(growth_per_member(report, server.before.threads, server.full.threads))
        },
        reach: &[Reach::Value(1.0)],
    },
    Figure {
        title: "2,000 idle: descriptors a member",
        better: Better::Less,
        take: |reports| {
            let (report, server) = (first(reports)?, first(reports)?.server.as_ref()?);
            Some(growth_per_member(report, server.before.descriptors, server.full.descriptors))
        },
        reach: &[Reach::Value(1.0)],
    },
];

const STALLED: &[Figure] = &[Figure {
    title: "one of 200 never reads: deliveries to the others, of what they are without it",
    better: Better::More,
    take: |reports| {
        let [without, with] = reports else { return None };
        let rate = |report: &Report| {
            let readers = (report.members - report.stalled) as f64;
            Some(report.talk.as_ref()?.deliveries_per_second / readers)
        };
        Some(Quantity::Percent(100.0 * rate(with)? / rate(without)?))
    },
    reach: &[Reach::Value(95.0)],
}];

const ROOMS: &[Figure] = &[
    Figure {
        title: "100 rooms of 100, 1 speaks in each, one line at a time: server CPU per delivery",
        better: Better::Less,
        take: cpu_per_delivery,
        reach: &[],
    },
    Figure {
        title: "100 rooms of 100: server CPU per delivery on two cores, of what it is on one",
        better: Better::Less,
        take: |reports| {
            let [one, two] = reports else { return None };
            let cpu = |report: &Report| report.talk.as_ref()?.server_cpu_us_per_delivery;
            Some(Quantity::Percent(100.0 * cpu(two)? / cpu(one)?))
        },
        reach: &[Reach::Value(115.0)],
    },
];

const WS_ONE_LINE: &[Figure] = &[Figure {
    title: "WebSocket, 1 speaks, one line at a time, 100 members: server CPU per delivery",
    better: Better::Less,
    take: cpu_per_delivery,
    reach: &[Reach::Times(1.0, &[PeerKind::Bun])],
}];

const WS_FLOOD_REACH: &[Reach] = &[Reach::Times(5.0, &[PeerKind::Bun])];

const WS_FLOOD_1: &[Figure] = &[Figure {
    title: "WebSocket flood, 1 speaks, 100 members: deliveries",
    better: Better::More,
    take: deliveries_per_second,
    reach: WS_FLOOD_REACH,
}];

const WS_FLOOD_10: &[Figure] = &[Figure {
    title: "WebSocket flood, 10 speak, 100 members: deliveries",
    better: Better::More,
    take: deliveries_per_second,
    reach: WS_FLOOD_REACH,
}];

const WS_IDLE: &[Figure] = &[Figure {
    title: "WebSocket, 2,000 idle, after each has spoken: resident memory a member",
    better: Better::Less,
    take: |reports| {
        Some(Quantity::Bytes(first(reports)?.server.as_ref()?.resident_bytes_per_member))
    },
    reach: &[Reach::Value(20.0 * 1024.0)],
}];

const SEARCH: &[Figure] = &[
    Figure {
        title: "a search through 1,000,000 kept messages, nobody speaks: p95",
        better: Better::Less,
        take: |reports| Some(Quantity::Micros(reports.get(1)?.search?.p95_us?)),
        reach: &[Reach::Value(500_000.0)],
    },
    Figure {
        title: "1,000 lines/s, 100 speak, 1,000 members, somebody searches: latency p99, of what \
                it is without",
        better: Better::Less,
        take: |reports| {
            let [.., without, with] = reports else { return None };
            let p99 = |report: &Report| Some(report.talk.as_ref()?.latency?.p99_us);
            Some(Quantity::Percent(100.0 * p99(with)? / p99(without)?))
        },
        reach: &[Reach::Value(120.0)],
    },
];

fn first(reports: &[Report]) -> Option<&Report> {
    reports.first()
}

fn talk_report(reports: &[Report]) -> Option<&TalkReport> {
    first(reports)?.talk.as_ref()
}

fn cpu_per_delivery(reports: &[Report]) -> Option<Quantity> {
    talk_report(reports)?.server_cpu_us_per_delivery.map(Quantity::Micros)
}

fn deliveries_per_second(reports: &[Report]) -> Option<Quantity> {
    Some(Quantity::PerSecond(talk_report(reports)?.deliveries_per_second))
}

fn told_of_each(reports: &[Report]) -> Option<Quantity> {
    first(reports)?.told_of_each_seconds.map(Quantity::Seconds)
}

fn all_left(reports: &[Report]) -> Option<Quantity> {
    first(reports)?.leave_seconds.map(Quantity::Seconds)
}

/// Rounded to hundredths, so that one thread of the whole server counts as none per member.
fn growth_per_member(report: &Report, before: u64, full: u64) -> Quantity {
    let growth = full.saturating_sub(before) as f64 / report.members as f64;
    Quantity::Number((growth * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_can_be_run_against_every_server_it_suits() {
        for kind in PeerKind::value_variants() {
            let peer = Peer::for_test(*kind);
            for workload in Workload::value_variants() {
                assert!(!workload.figures().is_empty());
                if workload.suits(&peer) {
                    for plan in workload.plans(&peer, 1.0) {
                        plan.check()
                            .unwrap_or_else(|error| panic!("{workload:?} {kind:?}: {error}"));
                    }
                }
            }
        }
    }

    #[test]
    fn a_flood_stays_below_what_madang_keeps_for_one_member() {
        let peer = Peer::for_test(PeerKind::Madang);
        for workload in [Workload::Flood1, Workload::Flood10, Workload::Stalled, Workload::Rooms] {
            for plan in workload.plans(&peer, 1.0) {
                let Pace::Window(window) = plan.pace else { panic!("{workload:?} is no flood") };
                let in_flight = plan.speakers * window as usize * (LINE_BYTES + "[m00000] ".len());
                assert!(in_flight < 256 * 1024 * 3 / 4, "{workload:?}: {in_flight} bytes");
            }
        }
    }
}
