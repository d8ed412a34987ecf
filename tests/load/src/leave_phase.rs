//! Lets all members but one leave at once, and times it.

use anyhow::{Result, bail};

use crate::{
    clients::Clients,
    clock::Nanos,
    deadline::Deadline,
    observer::{News, Observer},
    plan::Plan,
    process_stats::{Holdings, Process},
    progress::Progress,
    text::LineRun,
};

/// The member that stays and counts the others' leaving.
const WATCHER: usize = 0;

struct LeavePhase {
    left: Vec<bool>,
    left_count: usize,
    doubled: u64,
    skipped: u64,
    ended: usize,
}

impl Observer for LeavePhase {
    fn said(&mut self, _member: usize, _lines: LineRun, _read: Nanos) {}

    fn garbled(&mut self, _member: usize) {}

    fn told(&mut self, member: usize, news: News) {
        match news {
            News::Left(left) if member == WATCHER && left < self.left.len() => {
                if self.left[left] {
                    self.doubled += 1;
                }
                self.left_count += usize::from(!self.left[left]);
                self.left[left] = true;
            }
            News::Skipped(lines) if member == WATCHER => self.skipped += lines,
            News::Ended => self.ended += 1,
            _ => {}
        }
    }
}

/// The result of the phase.
pub(crate) struct Left {
    /// From the first goodbye until the server has only the watcher left.
    pub(crate) nanos: Nanos,
    /// Leave notices that the watcher got twice.
    pub(crate) wrong_notices: u64,
}

/// Lets all but the first member leave. The phase ends when the first member has been notified
/// of each. If the server sends no such notices, it ends when the server has closed every
/// connection and, if its process is known, has no more descriptors open than before the first
/// login.
pub(crate) fn leave(
    plan: &Plan,
    clients: &mut Clients,
    server: Option<(Process, Holdings)>,
    deadline: &mut Deadline,
    progress: &mut Progress,
) -> Result<Left> {
    let clock = clients.clock();
    let announces = plan.protocol.protocol().announces();
    let leavers = plan.members - 1;
    let mut leave_phase = LeavePhase {
        left: vec![false; plan.members],
        left_count: 0,
        doubled: 0,
        skipped: 0,
        ended: 0,
    };
    deadline.renew();
    let begin = clock.now();
    for member in WATCHER + 1..plan.members {
        clients.leave(member)?;
    }
    loop {
        let is_done = match server {
            _ if announces => leave_phase.left_count + leave_phase.skipped as usize >= leavers,
            Some((process, before)) => {
                leave_phase.ended == leavers && process.descriptors()? <= before.descriptors + 1
            }
            None => leave_phase.ended == leavers,
        };
        if is_done {
            return Ok(Left { nanos: clock.now() - begin, wrong_notices: leave_phase.doubled });
        }
        deadline.hear((leave_phase.left_count + leave_phase.ended) as u64);
        if let Some(why) = deadline.is_over() {
            bail!(
                "{why}: of {leavers} members {} have left",
                leave_phase.left_count.max(leave_phase.ended)
            );
        }
        progress.show(|| {
            format!("leave_phase: {} of {leavers}", leave_phase.left_count.max(leave_phase.ended))
        });
        // Descriptors cause no event, so check often while waiting for them.
        let until = deadline.end().min(clock.now() + 5_000_000);
        clients.poll(until, &mut leave_phase)?;
    }
}
