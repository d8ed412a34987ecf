//! What is done to the server, and when: drawn from the seed before the run begins, and printed.

use std::{fmt, time::Duration};

use crate::random::Random;

/// Something that happens to the server or its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mischief {
    /// `kill -9`, and a start on the same folder.
    Kill,
    /// An orderly stop, and a start on the same folder.
    Stop,
    /// The process is halted (SIGSTOP) for a while.
    Halt(Duration),
    /// The certificate is replaced.
    NewCertificate,
    /// The wall clock jumps to this many seconds from the machine's.
    Clock { seconds: i64 },
    /// The disk is full for a while.
    FullDisk(Duration),
    /// The network loses packets and is slow for a while.
    BadNetwork(Duration),
}

/// A step of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// From the beginning of the run.
    pub(crate) at: Duration,
    pub(crate) what: Mischief,
}

/// What can be done on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Means {
    pub(crate) clock: bool,
    pub(crate) disk: bool,
    pub(crate) network: bool,
}

/// The steps of a run that takes `length`, one every `every` on average. Each kind comes before
/// any comes again.
pub(crate) fn draw(
    random: &mut Random,
    length: Duration,
    every: Duration,
    means: Means,
) -> Vec<Step> {
    let millis = |time: Duration| time.as_millis() as u64;
    let mut steps = Vec::new();
    let mut hand = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(random.between(millis(every) / 2, millis(every) * 3 / 2));
        if at >= length {
            return steps;
        }
        if hand.is_empty() {
            hand = deck(means);
        }
        let drawn = random.between(0, hand.len() as u64 - 1) as usize;
        let what = match hand.swap_remove(drawn) {
            Mischief::Halt(_) => Mischief::Halt(Duration::from_millis(random.between(200, 3_000))),
            Mischief::FullDisk(_) => {
                Mischief::FullDisk(Duration::from_millis(random.between(2_000, 9_000)))
            }
            Mischief::BadNetwork(_) => {
                Mischief::BadNetwork(Duration::from_millis(random.between(2_000, 8_000)))
            }
            Mischief::Clock { .. } => {
                Mischief::Clock { seconds: random.between(0, 14_400) as i64 - 7_200 }
            }
            other => other,
        };
        steps.push(Step { at, what });
    }
}

/// One of each kind, as far as the machine can, and kills more often.
fn deck(means: Means) -> Vec<Mischief> {
    let mut deck = vec![
        Mischief::Kill,
        Mischief::Kill,
        Mischief::Stop,
        Mischief::Halt(Duration::ZERO),
        Mischief::NewCertificate,
    ];
    deck.extend(means.clock.then_some(Mischief::Clock { seconds: 0 }));
    deck.extend(means.disk.then_some(Mischief::FullDisk(Duration::ZERO)));
    deck.extend(means.network.then_some(Mischief::BadNetwork(Duration::ZERO)));
    deck
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:7.1} s  {}", self.at.as_secs_f64(), self.what)
    }
}

impl fmt::Display for Mischief {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: &Duration| time.as_secs_f64();
        match self {
            Mischief::Kill => write!(out, "kill -9, and a start"),
            Mischief::Stop => write!(out, "a stop, and a start"),
            Mischief::Halt(time) => write!(out, "halted for {:.1} s", seconds(time)),
            Mischief::NewCertificate => write!(out, "a new certificate"),
            Mischief::Clock { seconds } => write!(out, "the clock jumps to {seconds:+} s"),
            Mischief::FullDisk(time) => write!(out, "the disk is full for {:.1} s", seconds(time)),
            Mischief::BadNetwork(time) => write!(out, "a bad network for {:.1} s", seconds(time)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Means = Means { clock: true, disk: true, network: true };

    #[test]
    fn a_seed_gives_the_same_plan_again_with_every_kind_in_it() {
        let length = Duration::from_secs(60);
        let plan = |seed| draw(&mut Random::new(seed), length, Duration::from_secs(3), ALL);
        let steps = plan(7);
        assert_eq!(steps, plan(7));
        assert_ne!(steps, plan(8));
        assert!(steps.is_sorted_by_key(|step| step.at) && steps.iter().all(|it| it.at < length));
        let mut kinds: Vec<_> = steps.iter().map(|it| std::mem::discriminant(&it.what)).collect();
        kinds.dedup();
        for wanted in deck(ALL) {
            assert!(kinds.contains(&std::mem::discriminant(&wanted)), "{wanted}");
        }
    }

    #[test]
    fn chaos_that_the_machine_cannot_cause_is_not_planned() {
        let means = Means { clock: false, disk: false, network: false };
        let steps =
            draw(&mut Random::new(7), Duration::from_secs(600), Duration::from_secs(3), means);
        let known = deck(means);
        for step in steps {
            let is_known = known
                .iter()
                .any(|it| std::mem::discriminant(it) == std::mem::discriminant(&step.what));
            assert!(is_known, "{step}");
        }
    }
}
