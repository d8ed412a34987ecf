//! What the owner of a private room, the operator and time do to a room, and what
//! its members do to it that is not saying something.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{event::Event, name::UserName};

use super::{
    Action, By,
    fact::Fact,
    floor::{Floor, Muted, Next},
    op::Op,
};
use crate::{room::refusal::Refusal, session::Session};

impl Floor {
    /// Does what is asked, and announces it in one line, or says why not.
    #[inline(never)]
    pub(super) fn act(&mut self, by: By, action: Action) -> Result<(), Refusal> {
        if self.has_ended() {
            return Err(Refusal::Ended);
        }
        match action {
            Action::Topic(topic) => self.set_topic(&by, topic),
            Action::Rename(to) => self.rename(&by, to),
            Action::Hide(hidden) => {
                let (number, _) = self.state.asking_member(by.asker())?;
                self.members.touch(number).ok_or(Refusal::NoMember)?.hidden = hidden;
                Ok(())
            }
            Action::ForgetHalf => {
                self.history.forget_half();
                Ok(())
            }
            Action::ForgetRenderings => {
                self.history.forget_renderings();
                Ok(())
            }
            Action::OwnerGone(session) => self.carry_out(&by, &Op::OwnerGone(session)),
            Action::Announce(text) => {
                let stamp = self.stamp();
                self.batch.push(Event::Announced { stamp, text }, 0);
                Ok(())
            }
            Action::Kick(session, time) => self.kick(&by, &session, time),
            Action::Unkick(name, session) => self.unkick(&by, &name, session),
            Action::Mute(session, time) => self.mute(&by, &session, time),
            Action::Unmute(session) => self.unmute(&by, &session),
            Action::EndSilence(session) => {
                self.tell_unmuted(&session, None);
                Ok(())
            }
            Action::Lock => self.carry_out(&by, &Op::Lock(true)),
            Action::Unlock => self.carry_out(&by, &Op::Lock(false)),
            Action::Limit(limit) => self.carry_out(&by, &Op::Limit(limit)),
            Action::End => {
                let user = self.state.check_owner(by.asker())?.unwrap_or_default();
                let stamp = self.stamp();
                self.batch.push(Event::Ended { stamp, user }, 0);
                self.end();
                Ok(())
            }
            Action::Owner(session) => self.carry_out(&by, &Op::Owner(session.number)),
        }
    }

    /// Whether a session may say something here; for members whoever owns the room.
    pub(super) fn check_may_speak(&self, session: &Session) -> Result<(), Refusal> {
        session.check_not_silenced(self.now)?;
        if self.muted.is_empty() {
            return Ok(());
        }
        match self.muted.get(&session.number) {
            None => Ok(()),
            Some(muted) => Err(Refusal::muted_until(muted.until, self.now)),
        }
    }

    /// Makes a member the owner, and tells of it.
    pub(super) fn make_owner(&mut self, session: u64) {
        if let Some(fact) = self.state.owned_by(session) {
            self.change(fact);
        }
    }

    /// Decides what is asked, and has it done.
    fn carry_out(&mut self, by: &By, op: &Op) -> Result<(), Refusal> {
        if let Some(fact) = self.state.decide(by.asker(), op)? {
            self.change(fact);
        }
        Ok(())
    }

    /// Does what a fact means for the members, and announces it.
    fn change(&mut self, fact: Fact) {
        match &fact {
            Fact::Owner { session, .. } => {
                let session = self.members.of(*session).map(|member| &member.session);
                if let Some((session, room)) = session.and_then(|it| Some((it, it.room()?))) {
                    session.own(Arc::downgrade(&room));
                }
            }
            Fact::Renamed { .. } => self.members.forget_listed(),
            _ => {}
        }
        self.announce(fact);
    }

    fn set_topic(&mut self, by: &By, topic: Arc<str>) -> Result<(), Refusal> {
        self.check_member_may_speak(by)?;
        self.carry_out(by, &Op::Topic(topic))
    }

    fn rename(&mut self, by: &By, to: Arc<str>) -> Result<(), Refusal> {
        self.check_member_may_speak(by)?;
        self.check_not_kicked(&to)?;
        self.carry_out(by, &Op::Rename(to))
    }

    fn check_member_may_speak(&self, by: &By) -> Result<(), Refusal> {
        let By::Member(session) = by else { return Err(Refusal::NoMember) };
        self.state.asking_member(by.asker())?;
        self.check_may_speak(session)
    }

    fn kick(&mut self, by: &By, session: &Session, time: Duration) -> Result<(), Refusal> {
        let by_name = self.state.check_owner(by.asker())?;
        check_other(by, session)?;
        let user = self.state.member(session.number).ok_or(Refusal::NotHere)?.user.clone();
        let member = self.members.remove(session.number).ok_or(Refusal::NotHere)?;
        let stamp = self.stamp();
        self.keep_out(session, &user, time);
        let seconds = time.as_secs();
        self.batch.push(Event::Kicked { stamp, user, seconds, by: by_name }, 0);
        let to = self.batch_len();
        // From the lobby one is sent away altogether.
        self.see_off(member, to, if self.is_lobby() { Next::Elsewhere } else { Next::Nowhere });
        Ok(())
    }

    // Here and below: the keys of a name take much of a small stack.
    #[inline(never)]
    fn keep_out(&mut self, session: &Session, user: &str, time: Duration) {
        let name = UserName::parse(user).expect("members have names");
        self.kicks.add(session, name, self.now + time, self.now);
        self.changed = true;
    }

    fn unkick(&mut self, by: &By, name: &UserName, session: Option<u64>) -> Result<(), Refusal> {
        let by_name = self.state.check_owner(by.asker())?;
        let lifted = self.kicks.lift(name, session, self.now);
        if lifted.is_empty() {
            return Err(Refusal::Already);
        }
        self.changed = true;
        for name in lifted {
            let (stamp, user, by) = (self.stamp(), name.as_str().into(), by_name.clone());
            self.batch.push(Event::Unkicked { stamp, user, by }, 0);
        }
        Ok(())
    }

    /// Whether a member may take this name here: not one that was kicked.
    #[inline(never)]
    fn check_not_kicked(&self, to: &str) -> Result<(), Refusal> {
        let Ok(name) = UserName::parse(to) else { return Ok(()) };
        match self.kicks.left_for_name(&name, self.now) {
            Some(left) => Err(Refusal::name_kicked_for(left)),
            None => Ok(()),
        }
    }

    fn mute(
        &mut self,
        by: &By,
        session: &Arc<Session>,
        time: Option<Duration>,
    ) -> Result<(), Refusal> {
        let by_name = self.state.check_owner(by.asker())?;
        check_other(by, session)?;
        let number = session.number;
        let user = self.state.member(number).ok_or(Refusal::NotHere)?.user.clone();
        if by_name.is_some() {
            let until: Option<Instant> = time.and_then(|time| self.now.checked_add(time));
            // Who went elsewhere and ended there has left its entry.
            self.muted.retain(|_, muted| muted.session.strong_count() > 0);
            let session = Arc::downgrade(session);
            self.muted.insert(number, Muted { session, until });
        }
        let seconds = time.map(|time| time.as_secs());
        let stamp = self.stamp();
        self.batch.push(Event::Muted { stamp, user, seconds, by: by_name }, 0);
        Ok(())
    }

    /// Lifts a mute: the owner's when it is asked for, by time when it is due.
    fn unmute(&mut self, by: &By, session: &Session) -> Result<(), Refusal> {
        let by_name = match by {
            By::Time => None,
            _ => self.state.check_owner(by.asker())?,
        };
        let muted = self.muted.get(&session.number);
        let is_due = |muted: &Muted| muted.until.is_some_and(|until| until <= self.now);
        match (by, muted) {
            // It was lifted, or another has come in its place, since that was scheduled.
            (By::Time, muted) if !muted.is_some_and(is_due) => return Err(Refusal::Already),
            (_, None) => return Err(Refusal::Already),
            _ => {}
        }
        self.muted.remove(&session.number);
        self.tell_unmuted(session, by_name);
        match by {
            By::Member(_) if session.is_silenced() => Err(Refusal::Silenced),
            _ => Ok(()),
        }
    }

    /// Tells that somebody may speak again, unless somebody else still keeps them
    /// from it.
    fn tell_unmuted(&mut self, session: &Session, by: Option<Arc<str>>) {
        if self.check_may_speak(session).is_err() {
            return;
        }
        if let Some(member) = self.state.member(session.number) {
            let user = member.user.clone();
            let stamp = self.stamp();
            self.batch.push(Event::Unmuted { stamp, user, by }, 0);
        }
    }
}

fn check_other(by: &By, session: &Session) -> Result<(), Refusal> {
    match by {
        By::Member(own) if own.number == session.number => Err(Refusal::Oneself),
        _ => Ok(()),
    }
}
