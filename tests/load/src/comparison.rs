//! The results of a comparison: every run, the figures derived from them, and Madang's goals.

use serde::Serialize;

use crate::{
    machine::Machine,
    peer::PeerKind,
    quantity::Quantity,
    report::Report,
    workloads::{Better, Figure, Reach, Workload},
};

/// The results of a comparison.
#[derive(Serialize)]
pub(crate) struct Comparison {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) turns: usize,
    pub(crate) seconds: f64,
    pub(crate) servers: Vec<Contestant>,
    /// Why some servers are missing.
    pub(crate) absent: Vec<String>,
    pub(crate) runs: Vec<Run>,
}

/// A server that was compared.
#[derive(Clone, Serialize)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) command: String,
    #[serde(skip)]
    pub(crate) kind: PeerKind,
}

/// One turn of one server at a workload.
#[derive(Serialize)]
pub(crate) struct Run {
    #[serde(serialize_with = "serialize_workload")]
    pub(crate) workload: Workload,
    #[serde(skip)]
    pub(crate) kind: PeerKind,
    pub(crate) server: &'static str,
    pub(crate) turn: usize,
    pub(crate) reports: Vec<Report>,
    /// Why there is no report, or no valid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

fn serialize_workload<S: serde::Serializer>(
    workload: &Workload,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&workload.name())
}

/// One figure of one server over all turns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) median: Quantity,
    pub(crate) least: Quantity,
    pub(crate) most: Quantity,
    /// Whether this program was the bottleneck in some turn, so that the server could do
    /// better.
    pub(crate) is_bound_by_tool: bool,
}

impl Measured {
    /// The distance of the farthest turn from the median, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        let median = self.median.value();
        if median == 0.0 {
            return 0.0;
        }
        let farthest = (self.most.value() - median).max(median - self.least.value());
        (farthest / median).abs()
    }
}

/// A cell of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Measured(Measured),
    Failed(String),
    /// The server does not do this workload.
    NotDone,
}

/// Whether Madang reaches a goal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) is_reached: bool,
    /// `1.04 × baseline, wants ≤ 1.10`
    pub(crate) words: String,
}

impl Comparison {
    /// The workloads that were done, in order.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let mut workloads = Vec::new();
        for run in &self.runs {
            if !workloads.contains(&run.workload) {
                workloads.push(run.workload);
            }
        }
        workloads
    }

    /// A figure of one server.
    pub(crate) fn cell(&self, workload: Workload, figure: &Figure, kind: PeerKind) -> Cell {
        let runs = || self.runs.iter().filter(|run| run.workload == workload && run.kind == kind);
        if let Some(failure) = runs().find_map(|run| run.failure.clone()) {
            return Cell::Failed(failure);
        }
        let quantities: Vec<Quantity> =
            runs().filter_map(|run| (figure.take)(&run.reports)).collect();
        let is_bound_by_tool = matches!(quantities.first(), Some(Quantity::PerSecond(_)))
            && runs().flat_map(|run| &run.reports).any(|report| report.is_bound_by_tool());
        match measure(quantities, is_bound_by_tool) {
            Some(measured) => Cell::Measured(measured),
            None => Cell::NotDone,
        }
    }

    /// Madang's result for the goal of this figure; `None` if it or the servers it is compared
    /// with were not measured.
    pub(crate) fn verdicts(&self, workload: Workload, figure: &Figure) -> Vec<Verdict> {
        let median = |kind| match self.cell(workload, figure, kind) {
            Cell::Measured(measured) => Some(measured.median),
            Cell::Failed(_) | Cell::NotDone => None,
        };
        let data = median(PeerKind::MadangData);
        let Some(own) = median(PeerKind::Madang).or(data) else { return Vec::new() };
        let judge = |reach: &Reach| match *reach {
            Reach::Data(factor) => {
                let (kept, other) = (data?, median(PeerKind::Madang)?);
                let times = kept.value() / other.value();
                let verdict = judge_times(figure.better, times, factor, PeerKind::Madang);
                Some(Verdict { words: format!("--data: {}", verdict.words), ..verdict })
            }
            Reach::Value(wanted) => Some(judge_value(figure.better, own, own.with_value(wanted))),
            Reach::Times(factor, kinds) => {
                let others = kinds.iter().filter_map(|&kind| Some((kind, median(kind)?.value())));
                let best = others.reduce(|one, other| match figure.better {
                    Better::Less if other.1 < one.1 => other,
                    Better::More if other.1 > one.1 => other,
                    _ => one,
                });
                best.map(|(kind, value)| {
                    judge_times(figure.better, own.value() / value, factor, kind)
                })
            }
        };
        figure.reach.iter().filter_map(judge).collect()
    }
}

fn measure(mut quantities: Vec<Quantity>, is_bound_by_tool: bool) -> Option<Measured> {
    quantities.sort_by(|one, other| one.value().total_cmp(&other.value()));
    let (least, most) = (*quantities.first()?, *quantities.last()?);
    let (low, high) = (quantities[(quantities.len() - 1) / 2], quantities[quantities.len() / 2]);
    let median = low.with_value((low.value() + high.value()) / 2.0);
    Some(Measured { median, least, most, is_bound_by_tool })
}

fn judge_value(better: Better, own: Quantity, wanted: Quantity) -> Verdict {
    Verdict {
        is_reached: is_no_worse(better, own.value(), wanted.value()),
        words: format!("{own}, wants {} {wanted}", sign(better)),
    }
}

fn judge_times(better: Better, times: f64, factor: f64, kind: PeerKind) -> Verdict {
    Verdict {
        is_reached: is_no_worse(better, times, factor),
        words: format!("{times:.2} × {}, wants {} {factor:.2}", kind.name(), sign(better)),
    }
}

fn is_no_worse(better: Better, own: f64, wanted: f64) -> bool {
    match better {
        Better::Less => own <= wanted,
        Better::More => own >= wanted,
    }
}

fn sign(better: Better) -> char {
    match better {
        Better::Less => '≤',
        Better::More => '≥',
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{peer::Peer, plan::Plan, report::TalkReport};

    fn report(plan: &Plan, rate: f64) -> Report {
        let talk = TalkReport {
            seconds: 1.0,
            lines: 1,
            deliveries: 100,
            deliveries_per_second: rate,
            server_cpu_us_per_delivery: Some(1e6 / rate),
            server_cpu_percent: Some(100.0),
            tool_cpu_percent: 50.0,
            latency: None,
            lateness: None,
        };
        Report { talk: Some(talk), ..Report::new(plan) }
    }

    /// A comparison at `flood-1` in which each server made these rates, or failed without any.
    pub(crate) fn flood(rates: &[(PeerKind, &[f64])]) -> Comparison {
        let mut runs = Vec::new();
        for &(kind, rates) in rates {
            let peer = Peer::for_test(kind);
            let plan = &Workload::Flood1.plans(&peer, 1.0)[0];
            let mut run = |turn, reports, failure| {
                runs.push(Run {
                    workload: Workload::Flood1,
                    kind,
                    server: kind.name(),
                    turn,
                    reports,
                    failure,
                });
            };
            if rates.is_empty() {
                run(1, Vec::new(), Some("it <fell> over".to_owned()));
            }
            for (turn, &rate) in rates.iter().enumerate() {
                run(turn + 1, vec![report(plan, rate)], None);
            }
        }
        let servers = rates.iter().map(|&(kind, _)| Contestant {
            name: kind.name(),
            version: "1.2.3".into(),
            command: "program".into(),
            kind,
        });
        Comparison {
            date: "2026-11-22 18:59 UTC".into(),
            command: "load compare".into(),
            machine: Machine {
                processor: "P & Q".into(),
                cores: 2,
                kernel: "6".into(),
                congestion_control: "cubic".into(),
            },
            turns: 3,
            seconds: 1.0,
            servers: servers.collect(),
            absent: vec!["peer: no --peer-command was given".into()],
            runs,
        }
    }

    #[test]
    fn a_figure_is_the_median_of_its_turns() {
        let figure = &Workload::Flood1.figures()[0];
        for (rates, median, least, most) in [
            (&[3e6, 1e6, 2e6][..], 2e6, 1e6, 3e6),
            (&[4e6, 2e6], 3e6, 2e6, 4e6),
            (&[5e6], 5e6, 5e6, 5e6),
        ] {
            let comparison = flood(&[(PeerKind::Madang, rates)]);
            let Cell::Measured(measured) =
                comparison.cell(Workload::Flood1, figure, PeerKind::Madang)
            else {
                panic!("nothing measured of {rates:?}");
            };
            let found = [measured.median, measured.least, measured.most].map(Quantity::value);
            assert_eq!(found, [median, least, most], "{rates:?}");
        }
    }

    #[test]
    fn a_failed_turn_fails_the_figure_and_an_absent_one_is_not_done() {
        let figure = &Workload::Flood1.figures()[0];
        let comparison = flood(&[(PeerKind::Madang, &[]), (PeerKind::Baseline, &[1e6])]);
        let cell = comparison.cell(Workload::Flood1, figure, PeerKind::Madang);
        assert_eq!(cell, Cell::Failed("it <fell> over".into()));
        assert_eq!(comparison.cell(Workload::Flood1, figure, PeerKind::Redis), Cell::NotDone);
        assert_eq!(comparison.verdicts(Workload::Flood1, figure), []);
    }

    #[test]
    fn madang_is_held_against_the_best_of_those_named() {
        let figure = &Workload::Flood1.figures()[0];
        #[track_caller]
        fn check(figure: &Figure, rates: &[(PeerKind, &[f64])], verdicts: &[(bool, &str)]) {
            let found = flood(rates).verdicts(Workload::Flood1, figure);
            let found: Vec<_> =
                found.iter().map(|verdict| (verdict.is_reached, &verdict.words[..])).collect();
            assert_eq!(found, verdicts);
        }
        let (madang, baseline) =
            ((PeerKind::Madang, &[9e6][..]), (PeerKind::Baseline, &[12e6][..]));
        let (nats, redis) = ((PeerKind::Nats, &[2e6][..]), (PeerKind::Redis, &[5e6][..]));
        check(
            figure,
            &[madang, baseline, nats, redis],
            &[(false, "1.80 × Redis, wants ≥ 3.00"), (false, "0.75 × baseline, wants ≥ 0.90")],
        );
        check(figure, &[madang, nats], &[(true, "4.50 × nats-server, wants ≥ 3.00")]);
        check(figure, &[madang], &[]);
        check(figure, &[baseline, nats, redis], &[]);
    }

    #[test]
    fn a_wanted_value_is_compared_in_its_unit() {
        let verdict = judge_value(Better::Less, Quantity::Seconds(0.9), Quantity::Seconds(1.0));
        assert_eq!((verdict.is_reached, &verdict.words[..]), (true, "0.900 s, wants ≤ 1.00 s"));
        let verdict = judge_value(Better::More, Quantity::Percent(94.0), Quantity::Percent(95.0));
        assert_eq!((verdict.is_reached, &verdict.words[..]), (false, "94.0 %, wants ≥ 95.0 %"));
    }
}
