//! How members join and leave a room: what they are sent first and last.

use std::sync::Arc;

use madang_protocol::{
    event::{GapReason, LessonNow, ServerMessage, Time},
    limits::SHOWN_EVENTS,
    name::UserName,
    notice::{Goodbye, Notice},
};

use super::{
    envelope::{Closing, Coming, Going, Greeting, Last},
    executor::Executor,
    members::{Leaver, Member},
    op::{By, Op},
    refusal::Refusal,
};
use crate::{
    close_reason::CloseReason, delivery::outbox::Outbox, dialect::answer::Answer, session::Session,
};

/// What follows for somebody who is removed from a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterRemoval {
    /// Nothing, until they go to another room.
    Nowhere,
    /// Their connection moves them, or ends.
    Elsewhere,
}

impl Executor {
    pub(super) fn join(&mut self, coming: Coming, by: By, op: Op) -> Result<(), Refusal> {
        let Coming { session, outbox, greeting, shown } = coming;
        let (number, new) = (session.number, session.clone());
        let facts = self.state.decide(by, op, self.time)?;
        let (muted, from) = (session.enter(self.number), self.batch_len());
        self.insert(session, outbox.clone(), shown);
        let mut facts = facts.into_iter();
        facts.next().into_iter().for_each(|fact| self.take_in(fact));
        // Its own `joined` is the last event now, if it is announced.
        let last = self.state.next_id().saturating_sub(1);
        let is_new = greeting == Greeting::Welcome;
        let welcome = self.greeting(&new, &outbox, greeting, last);
        if is_new {
            // At once, before anybody can whisper to the new connection.
            new.attach(outbox, welcome, 0);
        } else if !welcome.is_empty() {
            self.members.answer(number, from, &welcome);
        }
        facts.for_each(|fact| self.take_in(fact));
        if self.state.class().is_slow() {
            // Having just spoken elsewhere counts here too.
            let spoke_at = new.spoke_at();
            if spoke_at > new.since {
                self.follow_up(by, Op::BringSpoke(spoke_at))?;
            }
        }
        if let Some(mute) = muted
            && self.state.member(number).and_then(|it| it.muted) != muted
        {
            self.follow_up(by, Op::BringMute(mute))?;
        }
        if let Some(nonces) = new.nonces() {
            self.follow_up(by, Op::BringNonces(nonces))?;
        }
        Ok(())
    }

    /// How many earlier events a new member is shown that asked for `wanted`. During a lesson,
    /// the default means everything since the lesson began.
    fn shown_of(&self, wanted: usize) -> usize {
        match self.state.class().began() {
            Some(began) if wanted == SHOWN_EVENTS => {
                self.history.count_said_from(self.batch.events(), began)
            }
            _ => wanted,
        }
    }

    /// The earliest time that a session may read here, if there is a limit.
    pub(super) fn reach_of(&self, session: &Session) -> Option<Time> {
        let recording = self.recording.as_ref().filter(|_| !session.is_teacher())?;
        Some(recording.members_reach(self.time))
    }

    /// Adds a new member, who will be shown this many earlier events.
    fn insert(&mut self, session: Arc<Session>, outbox: Arc<Outbox>, shown: usize) {
        let (from, hidden, answers) = (self.batch_len(), session.hidden(), Vec::new());
        let shown = self.shown_of(shown);
        let earlier = (shown > 0).then(|| {
            let (form, carrier) = outbox.form_and_carrier();
            let reach = self.reach_of(&session);
            let current = self.batch.events();
            let shown = self.history.shown(current, shown, reach, &hidden, form, carrier);
            let all = 0..shown.len();
            (shown, all)
        });
        self.members.insert(Member { session, outbox, hidden, from, earlier, answers });
    }

    /// The first message to a new member.
    fn greeting(&self, session: &Session, outbox: &Outbox, greeting: Greeting, id: u64) -> Vec<u8> {
        let mut answer = Answer::new(outbox.form());
        let user = session.name();
        answer.message(&match &greeting {
            Greeting::Welcome => self.welcome(session, &user, id, false),
            Greeting::Entered { nonce } => self.entered(session, id, nonce.as_deref()),
        });
        answer.into_bytes()
    }

    /// The first message of a connection, for a new or a resumed session.
    fn welcome<'a>(
        &'a self,
        session: &'a Session,
        user: &'a UserName,
        id: u64,
        resumed: bool,
    ) -> ServerMessage<'a> {
        let access = self.state.access();
        ServerMessage::Welcome {
            user: user.as_str().into(),
            room: Some((&*self.name).into()),
            session: session.token_text().into(),
            id,
            members: self.state.members().len(),
            topic: self.state.topic().map(|topic| (&**topic).into()),
            owner: self.state.owner_name().map(Into::into),
            durable: self.recording.is_some(),
            locked: access.locked,
            limit: access.limit,
            lesson: self.lesson_now(session),
            resumed,
            removed: None,
        }
    }

    /// The first message about another room.
    fn entered<'a>(
        &'a self,
        session: &Session,
        id: u64,
        nonce: Option<&'a str>,
    ) -> ServerMessage<'a> {
        let access = self.state.access();
        ServerMessage::Entered {
            room: (&*self.name).into(),
            id,
            members: self.state.members().len(),
            topic: self.state.topic().map(|topic| (&**topic).into()),
            owner: self.state.owner_name().map(Into::into),
            durable: self.recording.is_some(),
            locked: access.locked,
            limit: access.limit,
            lesson: self.lesson_now(session),
            nonce: nonce.map(Into::into),
        }
    }

    /// The current lesson for a member, if it takes place in the room.
    fn lesson_now(&self, session: &Session) -> Option<Box<LessonNow<'static>>> {
        self.state.is_public().then(|| self.lesson.now(session)).flatten().map(Box::new)
    }

    pub(super) fn resume(
        &mut self,
        coming: Coming,
        last: Last,
        by: By,
        op: Op,
    ) -> Result<(), Refusal> {
        let Coming { session, outbox, .. } = coming;
        let number = session.number;
        self.carry_out(by, op)?;
        let (next_id, batch_len) = (self.state.next_id(), self.batch_len());
        // Events dropped in favour of other rooms are missing too.
        let oldest = self.history.oldest(self.batch.events()).or(Some(next_id));
        let Some(presence) = self.state.member(number) else { return Err(Refusal::NoMember) };
        // A client without events of this room starts with its own `joined`.
        let last_event = last.event.unwrap_or(presence.joined.saturating_sub(1)).min(next_id - 1);
        let mut answer = Answer::new(outbox.form());
        answer.message(&self.welcome(&session, &presence.user, last_event, true));
        let first_missing = last_event + 1;
        if let Some(oldest) = oldest.filter(|oldest| first_missing < *oldest) {
            let room = (&*self.name).into();
            let (from, to) = (first_missing, oldest - 1);
            answer.message(&ServerMessage::Gap { room, from, to, reason: None });
        }
        if let Some((from, to)) = self.lost.filter(|(_, to)| last_event < *to) {
            // It may have received some of the lost events, and there may have been more.
            let from = from.max(first_missing);
            let (room, reason) = ((&*self.name).into(), Some(GapReason::Restart));
            answer.message(&ServerMessage::Gap { room, from, to, reason });
        }
        session.attach(outbox.clone(), answer.into_bytes(), last.private);
        let (form, carrier) = outbox.form_and_carrier();
        let missing = self.history.after(last_event);
        let earlier = (!missing.is_empty()).then(|| (self.history.whole(form, carrier), missing));
        // The batch's first event follows the history's last.
        let first_of_batch = next_id - u64::from(batch_len);
        let seen = first_missing.saturating_sub(first_of_batch);
        let from = u32::try_from(seen).unwrap_or(u32::MAX).min(batch_len);
        match self.members.touch(number) {
            Some(member) => {
                member.outbox = outbox;
                member.answers.clear();
                (member.earlier, member.from) = (earlier, from);
            }
            // It was here before a restart.
            None => {
                session.enter(self.number);
                let hidden = session.hidden();
                let answers = Vec::new();
                self.members.insert(Member { session, outbox, hidden, from, earlier, answers });
            }
        }
        Ok(())
    }

    /// The op for a session that leaves.
    pub(super) fn leaves(&self, session: u64, going: &Going) -> (By, Op) {
        // Leaving a room that it is not in is not announced.
        let member = self.members.of(session);
        let by = member.map_or(By::Member(session), |member| By::of(&member.session));
        let op = match going {
            Going::Ends(ending) => Op::Leave { text: ending.text.clone() },
            Going::Expires => Op::Leave { text: None },
            Going::Moves(_) => Op::Move,
        };
        (by, op)
    }

    pub(super) fn leave(&mut self, session: u64, going: Going, by: By, op: Op) {
        let ending = match going {
            Going::Ends(ending) => Some(ending),
            Going::Expires => None,
            Going::Moves(answered) => {
                self.answer_later(answered, Ok(()));
                None
            }
        };
        let _ = self.carry_out(by, op);
        if let Some(ending) = ending {
            self.end_connection(session, ending);
        }
    }

    /// Ends the connection of a member that has left.
    pub(super) fn end_connection(&mut self, session: u64, ending: Closing) {
        match self.leaver(session) {
            // Sent after what it is still to get of this round.
            Some(leaver) => leaver.ending = Some(ending),
            None => ending.outbox.close(ending.reason, &ending.goodbye),
        }
    }

    /// A member that was removed in this round, and is still to be notified.
    pub(super) fn leaver(&mut self, session: u64) -> Option<&mut Leaver> {
        self.leavers.iter_mut().rev().find(|leaver| leaver.member.session.number == session)
    }

    /// Removes a member that leaves by itself; it gets the events before `to`.
    pub(super) fn take_out(&mut self, session: u64, to: u32) {
        if let Some(member) = self.members.remove(session) {
            member.session.exit(self.number);
            self.leavers.push(Leaver { member, to, after: Vec::new(), ending: None });
        }
    }

    /// Removes a member that does not leave by itself: it gets everything so far, and then, if
    /// nothing follows, how to continue.
    pub(super) fn see_off(&mut self, member: Member, next: AfterRemoval) {
        member.session.exit(self.number);
        // It has just been pushed.
        member.session.note_removal(self.batch.events().last());
        let mut answer = Answer::new(member.outbox.form());
        if next == AfterRemoval::Nowhere {
            answer.hint(&Notice::NoRoom);
        }
        let (to, after) = (self.batch_len(), answer.into_bytes());
        self.leavers.push(Leaver { member, to, after, ending: None });
    }

    /// Removes all members without a message.
    pub(super) fn let_all_go(&mut self) {
        let to = self.batch_len();
        for member in self.members.remove_all() {
            member.session.exit(self.number);
            self.leavers.push(Leaver { member, to, after: Vec::new(), ending: None });
        }
    }

    /// Ends the connections of all members after sending everything so far.
    pub(super) fn dismiss_all(&mut self, goodbye: Goodbye) {
        let (to, reason) = (self.batch_len(), CloseReason::Told(goodbye));
        for member in self.members.remove_all() {
            member.session.exit(self.number);
            let outbox: Arc<Outbox> = member.outbox.clone();
            let goodbye = Answer::goodbye(outbox.form(), goodbye);
            let ending = Some(Closing { outbox, reason, goodbye, text: None });
            self.leavers.push(Leaver { member, to, after: Vec::new(), ending });
        }
    }
}
