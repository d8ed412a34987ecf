//! All but one member leave at once.

use anyhow::{Result, bail};

use crate::{
    audience::{Audience, News},
    clock::Nanos,
    crowd::Crowd,
    patience::Patience,
    plan::Plan,
    progress::Progress,
    text::Lines,
    vitals::{Holdings, Process},
};

/// The member that stays and counts who leaves.
const WATCHER: usize = 0;

struct Leaving {
    left: Vec<bool>,
    left_count: usize,
    doubled: u64,
    skipped: u64,
    ended: usize,
}

impl Audience for Leaving {
    fn said(&mut self, _member: usize, _lines: Lines, _read: Nanos) {}

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

/// How the leaving went.
pub(crate) struct Left {
    /// From the first goodbye until the server holds nobody but the watcher.
    pub(crate) nanos: Nanos,
    /// Goodbyes the watcher was told twice.
    pub(crate) wrong_notices: u64,
}

/// Lets all but the first member leave. The server holds them no more when it has told the
/// first one so of each; where nobody is told, when it has closed every connection and, if it
/// is known which process it is, holds no more descriptors than before anyone came.
pub(crate) fn leave(
    plan: &Plan,
    crowd: &mut Crowd,
    server: Option<(Process, Holdings)>,
    patience: &mut Patience,
    progress: &mut Progress,
) -> Result<Left> {
    let clock = crowd.clock();
    let announces = plan.protocol.protocol().announces();
    let leavers = plan.members - 1;
    let mut leaving = Leaving {
        left: vec![false; plan.members],
        left_count: 0,
        doubled: 0,
        skipped: 0,
        ended: 0,
    };
    patience.renew();
    let begin = clock.now();
    for member in WATCHER + 1..plan.members {
        crowd.leave(member)?;
    }
    loop {
        let is_done = match server {
            _ if announces => leaving.left_count + leaving.skipped as usize >= leavers,
            Some((process, before)) => {
                leaving.ended == leavers && process.descriptors()? <= before.descriptors + 1
            }
            None => leaving.ended == leavers,
        };
        if is_done {
            return Ok(Left { nanos: clock.now() - begin, wrong_notices: leaving.doubled });
        }
        patience.hear((leaving.left_count + leaving.ended) as u64);
        if let Some(why) = patience.is_over() {
            bail!(
                "{why}: of {leavers} members {} have left",
                leaving.left_count.max(leaving.ended)
            );
        }
        progress
            .show(|| format!("leaving: {} of {leavers}", leaving.left_count.max(leaving.ended)));
        // Descriptors make no sound: where they are what is waited for, look often.
        let deadline = patience.end().min(clock.now() + 5_000_000);
        crowd.poll(deadline, &mut leaving)?;
    }
}
