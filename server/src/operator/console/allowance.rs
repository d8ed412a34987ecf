//! Limits the console's lines of each kind, so that nobody can fill the operator's disk.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use madang_protocol::text::Lang;
use tracing::Level;

/// An allowance for lines of one kind.
struct Allowance {
    /// How many lines may be shown now.
    left: f64,
    filled_at: Instant,
    hidden: u64,
    /// When the number of hidden lines is reported, if there are any.
    summary_at: Option<Instant>,
}

impl Allowance {
    /// A large class may arrive all at once.
    const AT_ONCE: f64 = 2_000.0;
    const PER_SECOND: f64 = 10.0;
    const SUMMARY_PAUSE: Duration = Duration::from_secs(10);

    fn new(now: Instant) -> Allowance {
        Allowance { left: Allowance::AT_ONCE, filled_at: now, hidden: 0, summary_at: None }
    }

    fn may_show(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.left = Allowance::AT_ONCE.min(self.left + passed * Allowance::PER_SECOND);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return true;
        }
        self.hidden += 1;
        self.summary_at.get_or_insert(now + Allowance::SUMMARY_PAUSE);
        false
    }

    /// How many lines were hidden, when it is time to report them.
    fn summary(&mut self, now: Instant) -> Option<u64> {
        self.summary_at.take_if(|at| *at <= now)?;
        Some(std::mem::take(&mut self.hidden))
    }
}

/// Lines about people who join and leave.
pub(super) struct Passages {
    allowance: Allowance,
    hidden_by_address: HashMap<IpAddr, u64>,
}

impl Passages {
    /// Addresses, each counted on its own.
    const ADDRESSES: usize = 1_024;

    pub(super) fn new(now: Instant) -> Passages {
        Passages { allowance: Allowance::new(now), hidden_by_address: HashMap::new() }
    }

    pub(super) fn summary_at(&self) -> Option<Instant> {
        self.allowance.summary_at
    }

    pub(super) fn may_show(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        if self.allowance.may_show(now) {
            return true;
        }
        let is_counted = |address: &IpAddr| {
            self.hidden_by_address.len() < Passages::ADDRESSES
                || self.hidden_by_address.contains_key(address)
        };
        if let Some(address) = address.filter(is_counted) {
            *self.hidden_by_address.entry(address).or_default() += 1;
        }
        false
    }

    pub(super) fn summary(&mut self, now: Instant, lang: Lang) -> Option<String> {
        let hidden = self.allowance.summary(now)?;
        let most = self.hidden_by_address.drain().max_by_key(|(_, count)| *count);
        let (text, most) = match lang {
            Lang::Ko => (
                format!("… 지난 10초 동안 접속 기록 {hidden}줄 생략"),
                most.map(|(address, count)| format!(" ({address}의 연결이 가장 많음: {count}줄)")),
            ),
            Lang::En => (
                format!("… and {hidden} more lines about connections in the last 10 s"),
                most.map(|(address, count)| format!(", {count} of them from {address}")),
            ),
        };
        // Some lines belong to no connection: rooms end, members are renamed.
        Some(text + &most.unwrap_or_default())
    }
}

/// Lines of diagnostics. Errors have their own allowance; levels that the operator enabled in
/// detail are not limited.
pub(super) struct Diagnoses {
    errors: Allowance,
    others: Allowance,
}

impl Diagnoses {
    pub(super) fn new(now: Instant) -> Diagnoses {
        Diagnoses { errors: Allowance::new(now), others: Allowance::new(now) }
    }

    pub(super) fn summary_at(&self) -> Option<Instant> {
        self.errors.summary_at.into_iter().chain(self.others.summary_at).min()
    }

    pub(super) fn may_show(&mut self, level: Level, now: Instant) -> bool {
        match level {
            Level::ERROR => self.errors.may_show(now),
            Level::WARN | Level::INFO => self.others.may_show(now),
            _ => true,
        }
    }

    pub(super) fn summary(&mut self, now: Instant, lang: Lang) -> Option<String> {
        let counts = [self.errors.summary(now), self.others.summary(now)];
        let hidden = counts.into_iter().flatten().reduce(|one, other| one + other)?;
        Some(match lang {
            Lang::Ko => format!("… 지난 10초 동안 진단 기록 {hidden}줄 생략"),
            Lang::En => format!("… and {hidden} more lines of diagnostics in the last 10 s"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_joins_and_leaves_are_summarised_with_their_address() {
        let start = Instant::now();
        let mut passages = Passages::new(start);
        let [one, other] = [[10, 0, 0, 5], [10, 0, 0, 6]].map(IpAddr::from);
        let shown = (0..3_000).filter(|_| passages.may_show(Some(one), start)).count();
        assert_eq!(shown, 2_000);
        assert!(!passages.may_show(Some(other), start) && !passages.may_show(None, start));
        assert_eq!(passages.summary(start, Lang::En), None);
        let later = start + Duration::from_secs(10);
        assert_eq!(
            passages.summary(later, Lang::En).as_deref(),
            Some(
                "… and 1002 more lines about connections in the last 10 s, 1000 of them from 10.0.0.5"
            )
        );
        assert_eq!(passages.summary(later + Duration::from_secs(60), Lang::En), None);
        assert_eq!((0..500).filter(|_| passages.may_show(None, later)).count(), 100);
        // Lines about rooms have no address.
        assert_eq!(
            passages.summary(later + Duration::from_secs(10), Lang::En).as_deref(),
            Some("… and 400 more lines about connections in the last 10 s")
        );
    }

    #[test]
    fn diagnostics_are_limited_unless_requested() {
        let start = Instant::now();
        let mut diagnoses = Diagnoses::new(start);
        let mut shown = |level, at| (0..3_000).filter(|_| diagnoses.may_show(level, at)).count();
        assert_eq!(shown(Level::INFO, start), 2_000);
        assert_eq!(shown(Level::WARN, start), 0);
        assert_eq!(shown(Level::ERROR, start), 2_000);
        assert_eq!(shown(Level::DEBUG, start), 3_000);
        let later = start + Duration::from_secs(10);
        assert_eq!(
            diagnoses.summary(later, Lang::En).as_deref(),
            Some("… and 5000 more lines of diagnostics in the last 10 s")
        );
        assert_eq!(diagnoses.summary(later, Lang::En), None);
    }
}
