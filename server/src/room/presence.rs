//! How members join and leave a room: what they are sent first and last.

use std::sync::Arc;

use madang_protocol::{
    event::{Event, GapReason, LessonNow, ServerMessage, Time},
    limits::SHOWN_EVENTS,
    name::UserName,
    notice::{Goodbye, Notice},
};

use super::{
    envelope::{Closing, Coming, Going, Greeting, Last, Missed},
    executor::Executor,
    fact::Fact,
    members::{Earlier, Leaver, Member},
    op::{By, Op},
    recording::Recording,
    refusal::Refusal,
};
use crate::{
    close_reason::CloseReason,
    delivery::outbox::Outbox,
    dialect::{Form, answer::Answer},
    session::Session,
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
        let facts = self.state.decide(by, op, self.time)?;
        self.come_in(coming, by, facts)
    }

    /// Has somebody take part whose joining leads to these facts.
    pub(super) fn come_in(
        &mut self,
        coming: Coming,
        by: By,
        facts: Vec<Fact>,
    ) -> Result<(), Refusal> {
        let Coming { session, outbox, greeting, shown } = coming;
        let (number, new) = (session.number, session.clone());
        // Who gives way to it leaves before it comes.
        let comes = |fact: &Fact| fact.change.session() == number;
        let before = facts.iter().position(comes).unwrap_or_default();
        let mut facts = facts.into_iter();
        facts.by_ref().take(before).for_each(|fact| self.take_in(fact));
        let (muted, from) = (session.enter(self.number), self.batch_len());
        match &greeting {
            Greeting::Response { missed: Some(missed), .. } => {
                let sent = self.last_received(missed.sent);
                let (earlier, from) = self.missed(&outbox, Missed { sent, ..*missed });
                self.insert(session, outbox.clone(), earlier, from);
            }
            _ => {
                let earlier = self.shown_earlier(&session, &outbox, shown);
                self.insert(session, outbox.clone(), earlier, from);
            }
        }
        facts.next().into_iter().for_each(|fact| self.take_in(fact));
        // Its own `joined` is the last event now, if it is announced.
        let last = self.state.next_id().saturating_sub(1);
        let is_new = !matches!(greeting, Greeting::Entered { .. });
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

    /// Adds a new member, who gets these earlier events, and the batch from the event `from` on.
    fn insert(
        &mut self,
        session: Arc<Session>,
        outbox: Arc<Outbox>,
        earlier: Vec<Earlier>,
        from: u32,
    ) {
        let (hidden, answers) = (session.hidden(), Vec::new());
        self.members.insert(Member { session, outbox, hidden, from, earlier, answers });
    }

    /// The last messages for a new member, at most so many.
    fn shown_earlier(&mut self, session: &Session, outbox: &Outbox, shown: usize) -> Vec<Earlier> {
        let shown = self.shown_of(shown);
        if shown == 0 {
            return Vec::new();
        }
        let (form, carrier) = outbox.form_and_carrier();
        let (reach, hidden) = (self.reach_of(session), session.hidden());
        let current = self.batch.events();
        let shown = self.history.shown(current, shown, reach, &hidden, form, carrier);
        let all = 0..shown.len();
        vec![Earlier::Events(shown, all)]
    }

    /// The event that a client has received, or the last one if there is none of that id yet.
    fn last_received(&self, event: u64) -> u64 {
        event.min(self.state.next_id() - 1)
    }

    /// What a client that is back is to get: what memory holds of the events that it has not been
    /// sent, with what is gone in its places, and the first of the batch.
    fn missed(&mut self, outbox: &Outbox, missed: Missed) -> (Vec<Earlier>, u32) {
        let (form, carrier) = outbox.form_and_carrier();
        let mut earlier = Vec::new();
        let mut rest = self.history.after(missed.sent);
        for (from, to, reason) in self.gaps(missed) {
            let before =
                rest.start..self.history.after(from.saturating_sub(1)).start.max(rest.start);
            rest.start = before.end;
            if !before.is_empty() {
                earlier.push(Earlier::Events(self.history.whole(form, carrier), before));
            }
            earlier.push(self.gap(form, from, to, reason));
        }
        if !rest.is_empty() {
            earlier.push(Earlier::Events(self.history.whole(form, carrier), rest));
        }
        // The batch's first event follows the history's last.
        let batch_len = self.batch_len();
        let first_of_batch = self.state.next_id() - u64::from(batch_len);
        let seen = (missed.sent + 1).saturating_sub(first_of_batch);
        (earlier, u32::try_from(seen).unwrap_or(u32::MAX).min(batch_len))
    }

    /// Says that these events are gone.
    pub(super) fn gap(&self, form: Form, from: u64, to: u64, reason: Option<GapReason>) -> Earlier {
        let mut gap = Answer::new(form);
        gap.message(&ServerMessage::Gap { room: (&*self.name).into(), from, to, reason });
        Earlier::Gap(gap.into_bytes())
    }

    /// Which of the events that a client has missed are gone, in their order.
    fn gaps(&self, missed: Missed) -> Vec<(u64, u64, Option<GapReason>)> {
        // What happened in an earlier room of that name is not missing here.
        let first_missing = missed.sent.saturating_add(1).max(self.opened);
        // Events dropped in favour of other rooms are missing too.
        let dropped_to = self.history.dropped_to();
        let dropped = (first_missing <= dropped_to).then_some((first_missing, dropped_to, None));
        let lost = self.lost.iter().filter(|(_, to, _)| missed.after < *to);
        // It may have received some of the lost events, and there may have been more.
        let lost = lost.map(|(from, to, reason)| ((*from).max(missed.after + 1), *to, *reason));
        dropped.into_iter().chain(lost).collect()
    }

    /// The first message to a new member.
    fn greeting(&self, session: &Session, outbox: &Outbox, greeting: Greeting, id: u64) -> Vec<u8> {
        let mut answer = Answer::new(outbox.form());
        let user = session.name();
        answer.message(&match &greeting {
            Greeting::Welcome | Greeting::Response { .. } => {
                self.welcome(session, &user, id, false)
            }
            Greeting::Entered { nonce } => self.entered(session, id, nonce.as_deref()),
        });
        let Greeting::Response { mut head, .. } = greeting else { return answer.into_bytes() };
        head.extend_from_slice(&answer.into_bytes());
        head
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
            durable: self.is_durable(),
            archived: self.recording.is_some() && !self.is_durable(),
            archived_elsewhere: self.is_archived_elsewhere(),
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
            durable: self.is_durable(),
            archived: self.recording.is_some() && !self.is_durable(),
            archived_elsewhere: self.is_archived_elsewhere(),
            locked: access.locked,
            limit: access.limit,
            lesson: self.lesson_now(session),
            nonce: nonce.map(Into::into),
        }
    }

    /// Whether an ack says that its message is on disk.
    pub(super) fn is_durable(&self) -> bool {
        self.recording.as_ref().is_some_and(Recording::is_waited_for)
    }

    /// Whether another server saves what is said here, and this one does not.
    fn is_archived_elsewhere(&self) -> bool {
        self.recording.is_none()
            && self.logged.as_ref().is_some_and(|logged| logged.log.is_archived())
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
        self.carry_out(by, op)?;
        self.reattach(coming, last)
    }

    /// Has a member take part again, over another connection.
    pub(super) fn reattach(&mut self, coming: Coming, last: Last) -> Result<(), Refusal> {
        let Coming { session, outbox, .. } = coming;
        let number = session.number;
        let Some(presence) = self.state.member(number) else { return Err(Refusal::NoMember) };
        if self.logged.is_some() {
            // On another server, it may have been renamed or muted at the last moment.
            session.rename(presence.user.clone());
            if let Some(mute) = presence.muted.filter(|_| session.muted().is_none()) {
                session.mute(mute);
            }
        }
        // A client without events of this room starts with its own `joined`, or, if that was before
        // a restart, with all that is known.
        let joined = presence.joined.max(self.opened);
        let last_event = last.event.unwrap_or(joined.saturating_sub(1));
        let last_event = self.last_received(last_event);
        let mut answer = Answer::new(outbox.form());
        answer.message(&self.welcome(&session, &presence.user, last_event, true));
        session.attach(outbox.clone(), answer.into_bytes(), last.private);
        let missed = Missed { after: last_event, sent: last_event };
        let (earlier, from) = self.missed(&outbox, missed);
        match self.members.touch(number) {
            Some(member) if Arc::ptr_eq(&member.session, &session) => {
                member.outbox = outbox;
                member.answers.clear();
                (member.earlier, member.from) = (earlier, from);
            }
            // It was here before a restart, or is back from another server.
            _ => {
                self.members.remove(number);
                session.enter(self.number);
                self.insert(session, outbox, earlier, from);
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
            self.leavers.push(Leaver::new(member, to));
        }
    }

    /// Removes a member whose session is another server's now: its connection here ends.
    pub(super) fn see_move_away(&mut self, session: u64) {
        let Some(member) = self.members.of(session) else { return };
        member.session.move_away();
        let (outbox, goodbye) = (member.outbox.clone(), Goodbye::Replaced);
        let (reason, goodbye) =
            (CloseReason::Told(goodbye), Answer::goodbye(outbox.form(), goodbye));
        self.take_out(session, self.batch_len());
        self.end_connection(session, Closing { outbox, reason, goodbye, text: None });
    }

    /// Removes a member that does not leave by itself: it gets everything so far, and then, if
    /// nothing follows, how to continue.
    pub(super) fn see_off(&mut self, member: Member, next: AfterRemoval) {
        member.session.exit(self.number);
        if member.session.is_stream() {
            return self.end_stream(member);
        }
        // It has just been pushed.
        member.session.note_removal(self.batch.events().last());
        if let Some(logged) = &self.logged {
            logged.note_removed(&member.session);
        }
        let mut answer = Answer::new(member.outbox.form());
        if next == AfterRemoval::Nowhere {
            answer.hint(&Notice::NoRoom);
        }
        let (to, after) = (self.batch_len(), answer.into_bytes());
        self.leavers.push(Leaver { after, ..Leaver::new(member, to) });
    }

    /// Ends a stream whose member was removed: it has nowhere else to go.
    fn end_stream(&mut self, member: Member) {
        let (outbox, form) = (member.outbox.clone(), member.outbox.form());
        let mut answer = Answer::new(form);
        let goodbye = match self.batch.events().last() {
            Some(Event::Kicked { seconds, .. }) => {
                answer.hint(&Notice::Kicked { seconds: *seconds });
                Goodbye::Kicked { seconds: *seconds }
            }
            _ => Goodbye::RoomEnded,
        };
        let reason = CloseReason::Told(goodbye);
        let goodbye = match form.is_for_programs() {
            true => Answer::goodbye(form, goodbye),
            false => answer.into_bytes(),
        };
        let ending = Some(Closing { outbox, reason, goodbye, text: None });
        let to = self.batch_len();
        self.leavers.push(Leaver { ending, is_dismissed: true, ..Leaver::new(member, to) });
    }

    /// Removes all members without a message.
    pub(super) fn let_all_go(&mut self) {
        let to = self.batch_len();
        for member in self.members.remove_all() {
            member.session.exit(self.number);
            self.leavers.push(Leaver::new(member, to));
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
            self.leavers.push(Leaver { ending, ..Leaver::new(member, to) });
        }
    }
}
