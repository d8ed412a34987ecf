//! How a part of a run learns what the members receive: [`Observer`] gets every line and notice.

use crate::{clock::Nanos, text::LineRun};

/// Receives what the members received, in order of arrival.
pub(crate) trait Observer {
    /// A member heard texts; their bytes were read at `read`.
    fn said(&mut self, member: usize, lines: LineRun, read: Nanos);

    /// A member heard a line with a text that is not whole.
    fn garbled(&mut self, member: usize);

    /// A member was told something else.
    fn told(&mut self, member: usize, news: News);
}

/// What members are told besides what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// This member itself is in.
    Entered,
    Joined(usize),
    Left(usize),
    Skipped(u64),
    /// The connection has ended, after this member had left.
    Ended,
}
