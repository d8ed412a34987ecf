//! [`Observer`]: through it, each phase of a run gets every line and notice that members
//! receive.

use crate::{clock::Nanos, text::LineRun};

/// Gets everything that members receive, in order of arrival.
pub(crate) trait Observer {
    /// A member received texts; their bytes were read at `read`.
    fn said(&mut self, member: usize, lines: LineRun, read: Nanos);

    /// A member received a line with a damaged text.
    fn garbled(&mut self, member: usize);

    /// A member received a notice.
    fn told(&mut self, member: usize, news: News);
}

/// A notice to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// This member has logged in.
    Entered,
    Joined(usize),
    Left(usize),
    Skipped(u64),
    /// The connection has ended, after the member had left.
    Ended,
}
