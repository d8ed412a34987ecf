//! The members log in, as fast as the server lets them.

use anyhow::{Result, bail};

use crate::{
    audience::{Audience, News},
    clock::Nanos,
    crowd::Crowd,
    patience::Patience,
    plan::Plan,
    progress::Progress,
    roster::Roster,
    text::Lines,
};

/// How the logging in went.
pub(crate) struct Gathered {
    /// From the first connection until everyone was in.
    pub(crate) login_nanos: Nanos,
    /// From the first connection until everyone who was there had been told of everyone who came.
    pub(crate) told_nanos: Option<Nanos>,
    /// Notices that came twice, and pairs of members who were not told of each other rightly.
    pub(crate) wrong_notices: u64,
}

struct Gathering {
    entered: usize,
    roster: Option<Roster>,
    notices: u64,
    skipped: u64,
}

impl Gathering {
    fn is_told(&self) -> bool {
        self.roster
            .as_ref()
            .is_none_or(|roster| roster.told_pairs() + self.skipped >= roster.all_pairs())
    }
}

impl Audience for Gathering {
    fn said(&mut self, _member: usize, _lines: Lines, _read: Nanos) {}

    fn garbled(&mut self, _member: usize) {}

    fn told(&mut self, member: usize, news: News) {
        match news {
            News::Entered => self.entered += 1,
            News::Joined(joined) => {
                self.notices += 1;
                if let Some(roster) = &mut self.roster {
                    roster.tell(member, joined);
                }
            }
            News::Skipped(lines) => self.skipped += lines,
            News::Left(_) | News::Ended => {}
        }
    }
}

/// Lets all members in; with `join_storm` also waits until each has been told of each.
pub(crate) fn gather(
    plan: &Plan,
    crowd: &mut Crowd,
    patience: &mut Patience,
    progress: &mut Progress,
) -> Result<Gathered> {
    let clock = crowd.clock();
    let begin = clock.now();
    let at_once = plan.connecting.unwrap_or_else(|| plan.protocol.protocol().connecting());
    let roster = plan.join_storm.then(|| Roster::new(plan.members));
    let mut gathering = Gathering { entered: 0, roster, notices: 0, skipped: 0 };
    let mut login_nanos = None;
    loop {
        while crowd.members() < plan.members && crowd.members() - gathering.entered < at_once {
            crowd.admit()?;
        }
        if gathering.entered == plan.members && login_nanos.is_none() {
            login_nanos = Some(clock.now() - begin);
        }
        if let Some(login_nanos) = login_nanos
            && gathering.is_told()
        {
            return gathering.close(login_nanos, clock.now() - begin);
        }
        patience.hear(gathering.entered as u64 + gathering.notices);
        if let Some(why) = patience.is_over() {
            bail!(
                "{why}: {} of {} members are in, {} notices have come",
                gathering.entered,
                plan.members,
                gathering.notices
            );
        }
        progress.show(|| {
            format!(
                "logging in: {} of {}, {} notices",
                gathering.entered, plan.members, gathering.notices
            )
        });
        crowd.poll(patience.end(), &mut gathering)?;
    }
}

impl Gathering {
    fn close(self, login_nanos: Nanos, told_nanos: Nanos) -> Result<Gathered> {
        let Some(roster) = self.roster else {
            return Ok(Gathered { login_nanos, told_nanos: None, wrong_notices: 0 });
        };
        if self.skipped > 0 {
            bail!(
                "the server skipped {} notices: this machine was too slow to read them",
                self.skipped
            );
        }
        let wrong_notices = roster.doubled() + roster.wrong_pairs();
        Ok(Gathered { login_nanos, told_nanos: Some(told_nanos), wrong_notices })
    }
}
