//! The findings of one run, for people and for machines.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::{
    latency::Summary,
    ledger::Faults,
    plan::{Length, Pace, Plan},
    process_stats::Holdings,
    quantity::Quantity,
    search::SearchReport,
};

/// One run's findings. What was not part of the run is absent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) protocol: String,
    pub(crate) members: usize,
    pub(crate) speakers: usize,
    pub(crate) stalled: usize,
    pub(crate) rooms: usize,
    pub(crate) line_bytes: usize,
    pub(crate) pace: Pace,
    pub(crate) length: Length,
    /// The time from the server's start until it listened, if this program started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_seconds: Option<f64>,
    pub(crate) login_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) told_of_each_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) talk: Option<TalkReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) search: Option<SearchReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leave_seconds: Option<f64>,
    /// Over all parts of the run; everything in it must be 0.
    pub(crate) faults: Faults,
    /// Lines that the server reported to members as skipped.
    pub(crate) skipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ServerReport>,
    /// Why the run ended before everything had come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broken_off: Option<String>,
    /// The share of the run's time in which this program had work but something else had its
    /// core; 0 if that is the server.
    pub(crate) held_up_percent: f64,
    pub(crate) remarks: Vec<String>,
}

/// The result of the workload.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TalkReport {
    pub(crate) seconds: f64,
    pub(crate) lines: u64,
    pub(crate) deliveries: u64,
    pub(crate) deliveries_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_us_per_delivery: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_percent: Option<f64>,
    pub(crate) tool_cpu_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lateness: Option<Summary>,
}

/// The server's resources before the first login, and before the first goodbye.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerReport {
    pub(crate) before: Holdings,
    pub(crate) full: Holdings,
    pub(crate) resident_bytes_per_member: f64,
}

impl TalkReport {
    fn tool_cpu_us_per_delivery(&self) -> f64 {
        self.tool_cpu_percent * 1e4 / self.deliveries_per_second.max(1.0)
    }
}

impl Report {
    /// The report of a run that has just begun.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            protocol: plan.protocol.to_string(),
            members: plan.members,
            speakers: plan.speakers,
            stalled: plan.stalled,
            rooms: plan.rooms,
            line_bytes: plan.line_bytes,
            pace: plan.pace,
            length: plan.length,
            start_seconds: None,
            login_seconds: 0.0,
            told_of_each_seconds: None,
            talk: None,
            search: None,
            leave_seconds: None,
            faults: Faults::default(),
            skipped: 0,
            server: None,
            broken_off: None,
            held_up_percent: 0.0,
            remarks: Vec::new(),
        }
    }

    /// What was wrong, if anything.
    pub(crate) fn failure(&self) -> Option<String> {
        match &self.broken_off {
            Some(why) => Some(format!("{why} ({})", self.faults)),
            None if self.faults.is_clean() => None,
            None => Some(self.faults.to_string()),
        }
    }

    /// Whether this program had to share the machine with something else.
    pub(crate) fn is_held_up(&self) -> bool {
        self.held_up_percent > 5.0
    }

    /// Whether this program was too slow to measure the server.
    pub(crate) fn is_bound_by_tool(&self) -> bool {
        self.talk.as_ref().is_some_and(|talk| {
            talk.tool_cpu_percent > 95.0
                && talk.server_cpu_percent.is_some_and(|percent| percent < 90.0)
        })
    }

    /// The findings with their names, in the order of the run.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let mut row = |name, value: String| rows.push((name, value));
        let quantity = |quantity: Quantity| quantity.to_string();
        row("protocol", self.protocol.clone());
        row("members", self.workload());
        if let Some(seconds) = self.start_seconds {
            row("server started in", quantity(Quantity::Seconds(seconds)));
        }
        row("logged in in", quantity(Quantity::Seconds(self.login_seconds)));
        if let Some(seconds) = self.told_of_each_seconds {
            row("each told of each in", quantity(Quantity::Seconds(seconds)));
        }
        if let Some(talk) = &self.talk {
            row("deliveries/s", quantity(Quantity::PerSecond(talk.deliveries_per_second)));
            row(
                "deliveries",
                format!("{} in {}", talk.deliveries, Quantity::Seconds(talk.seconds)),
            );
            row("lines said", talk.lines.to_string());
            if let Some(micros) = talk.server_cpu_us_per_delivery {
                row("server cpu/delivery", quantity(Quantity::Micros(micros)));
            }
            if let Some(percent) = talk.server_cpu_percent {
                row("server cpu", quantity(Quantity::Percent(percent)));
            }
            row("tool cpu/delivery", quantity(Quantity::Micros(talk.tool_cpu_us_per_delivery())));
            row("tool cpu", quantity(Quantity::Percent(talk.tool_cpu_percent)));
            for (name, summary) in [("latency", talk.latency), ("said too late by", talk.lateness)]
            {
                if let Some(summary) = summary {
                    row(name, summary.to_string());
                }
            }
        }
        if let Some(seconds) = self.leave_seconds {
            row("all left in", quantity(Quantity::Seconds(seconds)));
        }
        row("missing", self.faults.missing.to_string());
        row("doubled", self.faults.doubled.to_string());
        row("out of order", self.faults.out_of_order.to_string());
        row("garbled", self.faults.garbled.to_string());
        row("skipped", self.skipped.to_string());
        if let Some(ServerReport { before, full, resident_bytes_per_member }) = self.server {
            let memory =
                |holdings: Holdings| Quantity::Bytes(holdings.resident_kib as f64 * 1024.0);
            let per_member = Quantity::Bytes(resident_bytes_per_member);
            row(
                "server memory",
                format!("{} → {}, {per_member} a member", memory(before), memory(full)),
            );
            row("server threads", format!("{} → {}", before.threads, full.threads));
            row("server descriptors", format!("{} → {}", before.descriptors, full.descriptors));
        }
        if let Some(why) = &self.broken_off {
            row("broken off", why.clone());
        }
        for remark in &self.remarks {
            row("note", remark.clone());
        }
        rows
    }

    fn workload(&self) -> String {
        let mut workload = self.members.to_string();
        if self.speakers > 0 {
            let pace = match self.pace {
                Pace::Window(1) => "one line at a time".to_owned(),
                Pace::Window(lines) => format!("{lines} lines in flight each"),
                Pace::Rate(rate) => format!("{rate} lines/s"),
            };
            let speakers = if self.speakers == 1 {
                "1 speaks".into()
            } else {
                format!("{} speak", self.speakers)
            };
            let _ = write!(workload, ", {speakers}, {pace}, {} bytes a line", self.line_bytes);
        }
        if self.stalled > 0 {
            let _ = write!(workload, ", {} never read", self.stalled);
        }
        if self.rooms > 1 {
            let _ = write!(workload, ", {} rooms", self.rooms);
        }
        workload
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            writeln!(f, "{name:<22}{value}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_us, p99_us, p999_us, max_us } = *self;
        let [p50, p99, p999, max] = [p50_us, p99_us, p999_us, max_us].map(Quantity::Micros);
        write!(f, "p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}")
    }
}
