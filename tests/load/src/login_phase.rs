//! Logs the members in, as fast as the server takes them.

use anyhow::{Result, bail};

use crate::{
    clients::Clients,
    clock::Nanos,
    deadline::Deadline,
    join_check::JoinCheck,
    observer::{News, Observer},
    plan::Plan,
    progress::Progress,
    text::LineRun,
};

/// The result of the phase.
pub(crate) struct LoggedIn {
    /// From the first connection until everyone was logged in.
    pub(crate) login_nanos: Nanos,
    /// From the first connection until everyone had received the notices of all later logins.
    pub(crate) told_nanos: Option<Nanos>,
    /// Notices that came twice, and pairs of members with a wrong notice.
    pub(crate) wrong_notices: u64,
}

struct LoginPhase {
    entered: usize,
    join_check: Option<JoinCheck>,
    notices: u64,
    skipped: u64,
}

impl LoginPhase {
    fn is_told(&self) -> bool {
        self.join_check.as_ref().is_none_or(|join_check| {
            join_check.told_pairs() + self.skipped >= join_check.all_pairs()
        })
    }
}

impl Observer for LoginPhase {
    fn said(&mut self, _member: usize, _lines: LineRun, _read: Nanos) {}

    fn garbled(&mut self, _member: usize) {}

    fn told(&mut self, member: usize, news: News) {
        match news {
            News::Entered => self.entered += 1,
            News::Joined(joined) => {
                self.notices += 1;
                if let Some(join_check) = &mut self.join_check {
                    join_check.tell(member, joined);
                }
            }
            News::Skipped(lines) => self.skipped += lines,
            News::Left(_) | News::Ended => {}
        }
    }
}

/// Logs all members in. With `join_storm`, also waits until all notices have arrived.
pub(crate) fn log_in(
    plan: &Plan,
    clients: &mut Clients,
    deadline: &mut Deadline,
    progress: &mut Progress,
) -> Result<LoggedIn> {
    let clock = clients.clock();
    let begin = clock.now();
    let at_once = plan.connecting.unwrap_or_else(|| plan.protocol.protocol().connecting());
    let join_check = plan.join_storm.then(|| JoinCheck::new(plan.members));
    let mut login_phase = LoginPhase { entered: 0, join_check, notices: 0, skipped: 0 };
    let mut login_nanos = None;
    loop {
        while clients.members() < plan.members && clients.members() - login_phase.entered < at_once
        {
            clients.admit()?;
        }
        if login_phase.entered == plan.members && login_nanos.is_none() {
            login_nanos = Some(clock.now() - begin);
        }
        if let Some(login_nanos) = login_nanos
            && login_phase.is_told()
        {
            return login_phase.close(login_nanos, clock.now() - begin);
        }
        deadline.hear(login_phase.entered as u64 + login_phase.notices);
        if let Some(why) = deadline.is_over() {
            bail!(
                "{why}: {} of {} members are in, {} notices have come",
                login_phase.entered,
                plan.members,
                login_phase.notices
            );
        }
        progress.show(|| {
            format!(
                "logging in: {} of {}, {} notices",
                login_phase.entered, plan.members, login_phase.notices
            )
        });
        clients.poll(deadline.end(), &mut login_phase)?;
    }
}

impl LoginPhase {
    fn close(self, login_nanos: Nanos, told_nanos: Nanos) -> Result<LoggedIn> {
        let Some(join_check) = self.join_check else {
            return Ok(LoggedIn { login_nanos, told_nanos: None, wrong_notices: 0 });
        };
        if self.skipped > 0 {
            bail!(
                "the server skipped {} notices: this machine was too slow to read them",
                self.skipped
            );
        }
        let wrong_notices = join_check.doubled() + join_check.wrong_pairs();
        Ok(LoggedIn { login_nanos, told_nanos: Some(told_nanos), wrong_notices })
    }
}
