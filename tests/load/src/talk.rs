//! The measured part of a run: the speakers speak, everyone receives, every delivery is checked.

use std::ops::Range;

use anyhow::{Result, bail};

use crate::{
    clients::Clients,
    clock::{Clock, Nanos, nanos, seconds_between},
    deadline::Deadline,
    latency::{Latency, Summary},
    ledger::{Delivery, Faults, Ledger},
    observer::{News, Observer},
    plan::{Length, Pace, Plan},
    process_stats::Process,
    progress::Progress,
    schedule::Schedule,
    text::{Kind, LineRun, Said},
    window::Windows,
};

/// The result of the workload.
pub(crate) struct Talked {
    /// How long it was measured.
    pub(crate) seconds: f64,
    /// All lines said, including warm-up and end.
    pub(crate) lines: u64,
    /// Deliveries in the measured time.
    pub(crate) deliveries: u64,
    /// The server's processor time in the measured time, if its process is known.
    pub(crate) server_cpu_nanos: Option<u64>,
    pub(crate) tool_cpu_nanos: u64,
    pub(crate) latency: Option<Summary>,
    /// How late lines were sent, if they were due at a fixed time.
    pub(crate) lateness: Option<Summary>,
    pub(crate) faults: Faults,
    pub(crate) skipped: u64,
    /// Why the run ended before everything had come, if it did.
    pub(crate) broken_off: Option<String>,
}

struct Talk {
    ledger: Ledger,
    windows: Option<Windows>,
    latency: Latency,
    deliveries: u64,
    /// Deliveries that arrived or can't arrive any more.
    settled: u64,
    skipped: Vec<u64>,
}

impl Observer for Talk {
    fn said(&mut self, member: usize, lines: LineRun, read: Nanos) {
        let LineRun { first, count } = lines;
        if first.kind != Kind::Talk {
            return;
        }
        let numbers = first.number..first.number.saturating_add(count);
        if self.ledger.hear_in_order(member, first.speaker, first.number, count) {
            self.deliver(first, numbers, count, read);
        } else {
            numbers.for_each(|number| self.hear(member, Said { number, ..first }, read));
        }
    }

    fn garbled(&mut self, _member: usize) {
        self.ledger.hear_garbled();
    }

    fn told(&mut self, member: usize, news: News) {
        if let News::Skipped(lines) = news {
            self.skipped[member] += lines;
        }
    }
}

impl Talk {
    /// Notes a delivery that may be wrong.
    fn hear(&mut self, member: usize, said: Said, read: Nanos) {
        match self.ledger.hear(member, said.speaker, said.number) {
            Delivery::InOrder => self.deliver(said, said.number..said.number + 1, 1, read),
            Delivery::AfterGap(lines) => {
                self.deliver(said, said.number - lines..said.number + 1, 1, read);
            }
            Delivery::OutOfOrder => self.deliveries += 1,
            Delivery::Doubled | Delivery::Strange => {}
        }
    }

    /// Notes `count` deliveries that settle the lines with these numbers.
    fn deliver(&mut self, said: Said, settled: Range<u32>, count: u32, read: Nanos) {
        self.deliveries += u64::from(count);
        self.latency.note(said.due, read, count);
        self.settled += settled.len() as u64;
        if let Some(windows) = &mut self.windows {
            windows.settle(said.speaker as usize, settled);
        }
    }
}

/// Processor times and deliveries at one moment.
struct Mark {
    at: Nanos,
    deliveries: u64,
    server_cpu: Option<u64>,
    tool_cpu: u64,
}

impl Mark {
    fn take(clock: Clock, talk: &Talk, server: Option<Process>) -> Result<Self> {
        Ok(Self {
            at: clock.now(),
            deliveries: talk.deliveries,
            server_cpu: server.map(|server| server.cpu_nanos()).transpose()?,
            tool_cpu: Process::own().cpu_nanos()?,
        })
    }
}

/// Lets the speakers speak as the plan says.
pub(crate) fn talk(
    plan: &Plan,
    clients: &mut Clients,
    server: Option<Process>,
    deadline: &mut Deadline,
    progress: &mut Progress,
) -> Result<Talked> {
    let clock = clients.clock();
    let listeners = plan.listeners();
    let begin = clock.now();
    let (warmup, measured, lines) = match plan.length {
        Length::Seconds(seconds) => (nanos(plan.warmup), (seconds * 1e9) as Nanos, u64::MAX),
        Length::Lines(lines) => (0, Nanos::MAX / 4, lines),
    };
    let (from, until) = (begin + warmup, begin + warmup + measured);
    let mut speech = Speech {
        listeners: listeners.clone(),
        lines_left: lines,
        lines: 0,
        owed: 0,
        schedule: match plan.pace {
            Pace::Rate(rate) => Some(Schedule::new(begin, rate, plan.speakers)),
            Pace::Window(_) => None,
        },
        lateness: Latency::new(from, until),
    };
    let mut talk = Talk {
        ledger: Ledger::new(plan.members, plan.speakers, |member, speaker| {
            plan.hears(member, speaker)
        }),
        windows: match plan.pace {
            Pace::Window(lines) => Some(Windows::new(lines, listeners)),
            Pace::Rate(_) => None,
        },
        latency: Latency::new(from, until),
        deliveries: 0,
        settled: 0,
        skipped: vec![0; plan.members],
    };
    let (mut first, mut last) = (None, None);
    let mut broken_off = None;
    deadline.renew();
    loop {
        let now = clock.now();
        if first.is_none() && now >= from {
            first = Some(Mark::take(clock, &talk, server)?);
        }
        if last.is_none() && now >= until {
            last = Some(Mark::take(clock, &talk, server)?);
        }
        let mut wake_at = deadline.end();
        if last.is_none() && speech.lines_left > 0 {
            speech.speak(now, &mut talk, clients)?;
            wake_at = wake_at.min(speech.next_due()).min(if now < from { from } else { until });
        } else if talk.settled >= speech.owed {
            break;
        }
        deadline.hear(talk.deliveries);
        if speech.owed == talk.settled {
            deadline.renew();
        } else if let Some(why) = deadline.is_over() {
            let open = speech.owed.saturating_sub(talk.settled);
            broken_off = Some(format!("{why} and {open} deliveries were still to come"));
            break;
        }
        progress.show(|| {
            let seconds = seconds_between(begin, now);
            format!(
                "{} lines, {:.0} deliveries/s",
                speech.lines,
                talk.deliveries as f64 / seconds.max(1e-9)
            )
        });
        clients.poll(wake_at, &mut talk)?;
    }
    let Some(first) = first else {
        bail!("the run broke off in the warm-up: {}", broken_off.unwrap_or_default())
    };
    let last = match last {
        Some(last) => last,
        None => Mark::take(clock, &talk, server)?,
    };
    let faults = talk.ledger.close(&talk.skipped);
    Ok(Talked {
        seconds: seconds_between(first.at, last.at),
        lines: speech.lines,
        deliveries: last.deliveries - first.deliveries,
        server_cpu_nanos: last.server_cpu.zip(first.server_cpu).map(|(last, first)| last - first),
        tool_cpu_nanos: last.tool_cpu - first.tool_cpu,
        latency: talk.latency.summary(),
        lateness: speech.lateness.summary(),
        faults,
        skipped: talk.skipped.iter().sum(),
        broken_off,
    })
}

/// The lines that the speakers have sent, and those left to send.
struct Speech {
    listeners: Vec<u32>,
    lines_left: u64,
    lines: u64,
    /// The number of deliveries that all lines said will lead to.
    owed: u64,
    schedule: Option<Schedule>,
    lateness: Latency,
}

impl Speech {
    /// Says everything that is due, or for which a window is open.
    fn speak(&mut self, now: Nanos, talk: &mut Talk, clients: &mut Clients) -> Result<()> {
        while self.lines_left > 0
            && let Some((speaker, due)) =
                self.schedule.as_mut().and_then(|schedule| schedule.take_due(now))
        {
            self.lateness.note(due, now, 1);
            self.say(speaker, due, 1, talk, clients)?;
        }
        while self.lines_left > 0
            && let Some((speaker, room)) = talk.windows.as_mut().and_then(Windows::take_ready)
        {
            let lines = u64::from(room).min(self.lines_left) as u32;
            if let Some(windows) = &mut talk.windows {
                windows.say(speaker, lines);
            }
            self.say(speaker, now, lines, talk, clients)?;
        }
        Ok(())
    }

    fn say(
        &mut self,
        speaker: usize,
        due: Nanos,
        lines: u32,
        talk: &mut Talk,
        clients: &mut Clients,
    ) -> Result<()> {
        let was_full = clients.is_full(speaker);
        for _ in 0..lines {
            let number = talk.ledger.say(speaker);
            clients.say(speaker, Said { kind: Kind::Talk, speaker: speaker as u32, number, due });
        }
        self.lines += u64::from(lines);
        self.lines_left -= u64::from(lines);
        self.owed += u64::from(lines) * u64::from(self.listeners[speaker]);
        if was_full { Ok(()) } else { clients.flush(speaker) }
    }

    fn next_due(&self) -> Nanos {
        self.schedule.as_ref().map_or(Nanos::MAX, Schedule::next_due)
    }
}
