//! What happens to a member, drawn from its own random numbers.

use std::time::Duration;

use super::door::Door;
use crate::random::Random;

/// Something that happens to a member, or that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// Its connection is reset.
    Reset,
    /// Its connection is closed.
    Cut,
    /// It closes its sending direction, and reads on to the end.
    HalfClose,
    /// It reads nothing for a while.
    Stall(Duration),
    /// Its next line comes a few bytes at a time.
    Drip,
    /// It says many lines at once.
    Flood(u32),
    Rename,
    /// It leaves with `/quit`.
    Quit,
    /// It goes to another room.
    Move,
    /// It removes somebody from its room, if it may.
    Kick,
    /// It ends its room, if that is its own.
    EndRoom,
}

/// How often each happens, in proportion. What needs JSON stands last.
const WEIGHTS: [(u64, Mishap); 11] = [
    (4, Mishap::Reset),
    (2, Mishap::Cut),
    (2, Mishap::HalfClose),
    (4, Mishap::Stall(Duration::ZERO)),
    (3, Mishap::Drip),
    (3, Mishap::Flood(0)),
    (2, Mishap::Rename),
    (1, Mishap::Quit),
    (3, Mishap::Move),
    (2, Mishap::Kick),
    (1, Mishap::EndRoom),
];

/// How many of them happen to members without JSON.
const WITHOUT_JSON: usize = 8;

/// The next mishap of a member at this door.
pub(crate) fn draw_mishap(random: &mut Random, door: Door) -> Mishap {
    let weights = &WEIGHTS[..if door.speaks_json() { WEIGHTS.len() } else { WITHOUT_JSON }];
    let all = weights.iter().map(|(weight, _)| weight).sum::<u64>();
    let mut drawn = random.between(0, all - 1);
    let found = weights.iter().find(|(weight, _)| {
        let is_it = drawn < *weight;
        drawn = drawn.saturating_sub(*weight);
        is_it
    });
    match found.map_or(Mishap::Reset, |(_, mishap)| *mishap) {
        // Packets are not cut: one is a line.
        Mishap::Drip | Mishap::Flood(_) if door == Door::Packets => Mishap::Reset,
        // One in eight is longer than the server waits for a reader.
        Mishap::Stall(_) => Mishap::Stall(match random.between(0, 7) {
            0 => Duration::from_millis(random.between(32_000, 36_000)),
            _ => Duration::from_millis(random.between(500, 9_000)),
        }),
        Mishap::Flood(_) => Mishap::Flood(random.between(50, 1_500) as u32),
        other => other,
    }
}

/// A time that passes until something happens that happens every `mean` on average.
pub(crate) fn wait_of(random: &mut Random, mean: Duration) -> Duration {
    let mean = mean.as_millis() as u64;
    Duration::from_millis(random.between(mean / 10, mean * 19 / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mishap_is_drawn_where_it_is_possible() {
        let kinds = |door: Door| {
            let mut random = Random::new(7);
            let drawn: Vec<Mishap> = (0..2_000).map(|_| draw_mishap(&mut random, door)).collect();
            let is_drawn = |kind: &Mishap| {
                drawn.iter().any(|it| std::mem::discriminant(it) == std::mem::discriminant(kind))
            };
            WEIGHTS.iter().filter(|(_, kind)| is_drawn(kind)).count()
        };
        assert_eq!(kinds(Door::Json), WEIGHTS.len());
        assert_eq!(kinds(Door::Lines), WITHOUT_JSON);
        assert_eq!(kinds(Door::Packets), WITHOUT_JSON - 2);
    }
}
