//! What the pump works on: it walks the posts of a round in their order, then tells
//! everyone once. What the owner and the operator do stands in `moderation`.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime},
};

use crossbeam_channel::Sender;
use madang_protocol::{
    event::{Event, ServerMessage, Stamp, Time},
    notice::{Goodbye, Notice},
    room::LOBBY,
};

use super::{
    Answered, Coming, Ending, Going, Greeting, Last, Post, Question, Room, Speech, Status,
    fact::Fact,
    kicks::Kicks,
    members::{Leaver, Member, Members},
    refuse,
    state::{Presence, State},
};
use crate::{
    clock,
    close_reason::CloseReason,
    delivery::batch::{Batch, Rendered},
    delivery::outbox::Outbox,
    dialect::{Part, answer::Answer},
    metrics::Metrics,
    room::event_ids::EventIds,
    room::history::{Asked, History},
    room::refusal::Refusal,
    session::Session,
    sync::Mutex,
};

/// How many names an answer to `/who` lists.
const NAMES: usize = 200;

/// How many of them one line of it holds.
const NAMES_PER_LINE: usize = 50;

/// A session that may not speak.
pub(super) struct Muted {
    pub(super) session: Weak<Session>,
    /// Until when, if that is known.
    pub(super) until: Option<Instant>,
}

/// What follows when somebody is taken out of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until they go somewhere.
    Nowhere,
    /// Their connection takes them somewhere, or ends.
    Elsewhere,
}

/// A room as its pump has it.
pub(super) struct Floor {
    pub(super) number: u64,
    pub(super) name: Arc<str>,
    pub(super) is_private: bool,
    next_id: u64,
    ids: Arc<EventIds>,
    /// The time of the round.
    time: Time,
    pub(super) now: Instant,
    pub(super) members: Members,
    pub(super) batch: Batch,
    pub(super) history: History,
    /// When anything happened last, in milliseconds since 1970.
    happened_at: Arc<AtomicI64>,
    posts: Vec<Post>,
    leavers: Vec<Leaver>,
    /// What became of posts in this round, for those who wait for it.
    answers: Vec<(Answered, Result<(), Refusal>)>,
    /// Changed by [`Floor::record`] alone.
    pub(super) state: State,
    /// Sessions that may not speak, here or after they have been elsewhere.
    pub(super) muted: HashMap<u64, Muted>,
    pub(super) kicks: Kicks,
    empty_since: Option<Instant>,
    /// Whether anything has changed that may be known from outside.
    pub(super) changed: bool,
    published: Arc<Mutex<Status>>,
    ended: bool,
    /// When everyone had been told of the round.
    told: Instant,
    metrics: Arc<Metrics>,
    /// Who waits for the room's end, when it has come.
    stopped: Option<Sender<()>>,
}

impl Floor {
    pub(super) fn new(
        number: u64,
        name: Arc<str>,
        owner: Option<u64>,
        topic: Option<Arc<str>>,
        made: SystemTime,
        ids: Arc<EventIds>,
        metrics: Arc<Metrics>,
    ) -> Floor {
        let now = Instant::now();
        let published = Status {
            members: 0,
            topic: topic.clone(),
            owner,
            locked: false,
            limit: None,
            kicks: Kicks::default(),
            empty_since: Some(now),
        };
        Floor {
            number,
            name: name.clone(),
            is_private: owner.is_some(),
            next_id: ids.first(made),
            ids,
            time: clock::now(),
            now,
            members: Members::default(),
            batch: Batch::new(name.clone()),
            history: History::new(name, metrics.clone()),
            happened_at: Arc::default(),
            posts: Vec::new(),
            leavers: Vec::new(),
            answers: Vec::new(),
            state: State::new(owner, topic),
            muted: HashMap::new(),
            kicks: Kicks::default(),
            empty_since: Some(now),
            changed: false,
            published: Arc::new(Mutex::new(published)),
            ended: false,
            told: now,
            metrics,
            stopped: None,
        }
    }

    /// Where the posts of the next round are put.
    pub(super) fn posts(&mut self) -> &mut Vec<Post> {
        &mut self.posts
    }

    /// What may be known from outside, for whoever wants to look.
    pub(super) fn published_status(&self) -> Arc<Mutex<Status>> {
        self.published.clone()
    }

    /// When anything happened last, for whoever wants to look.
    pub(super) fn happened_at(&self) -> Arc<AtomicI64> {
        self.happened_at.clone()
    }

    fn status(&self) -> Status {
        Status {
            members: self.members.len(),
            topic: self.state.topic().cloned(),
            owner: self.state.owner(),
            locked: self.state.locked(),
            limit: self.state.limit(),
            kicks: self.kicks.clone(),
            empty_since: self.empty_since,
        }
    }

    /// Whether the room takes no posts any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Does what the posts ask for in their order, then tells everyone once. Returns
    /// what became of the posts that somebody waits for.
    pub(super) fn round(&mut self, now: Instant) -> Vec<(Answered, Result<(), Refusal>)> {
        self.time = clock::now();
        self.now = now;
        self.apply_all();
        // Before anyone is told: who hears that the room is open may come in.
        if std::mem::take(&mut self.changed) {
            *self.published.lock() = self.status();
        }
        let events = self.batch_len();
        if events > 0 {
            self.ids.note(self.next_id - 1);
        }
        self.tell();
        self.told = Instant::now();
        self.metrics.count_round(u64::from(events), self.told - now);
        std::mem::take(&mut self.answers)
    }

    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// When everyone had been told of the last round.
    pub(super) fn told(&self) -> Instant {
        self.told
    }

    // Whoever posts pumps, on its own small stack: what is over leaves its frame.
    #[inline(never)]
    fn apply_all(&mut self) {
        let mut posts = std::mem::take(&mut self.posts);
        for post in posts.drain(..) {
            if catch_unwind(AssertUnwindSafe(|| self.apply(post))).is_err() {
                tracing::error!(room = %self.name, "a post panicked and was dropped");
            }
        }
        self.posts = posts;
    }

    #[inline(never)]
    fn apply(&mut self, post: Post) {
        match post {
            Post::Join { coming, room, answer } => {
                let result = self.join(coming, room);
                self.answers.extend(answer.map(|answer| (answer, result)));
            }
            Post::Resume { coming, last, answer } => {
                let result = self.resume(coming, last);
                self.answers.push((answer, result));
            }
            Post::Leave { session, going } => self.leave(session, going),
            Post::Say { session, speeches } => self.say(&session, speeches),
            Post::Ask { session, outbox, question, nonce, answer } => {
                self.answer(&session, &outbox, question, nonce.as_deref());
                self.answers.push((answer, Ok(())));
            }
            Post::Act { by, action, answer } => {
                let result = self.act(by, action);
                self.answers.extend(answer.map(|answer| (answer, result)));
            }
            Post::Stop { done } => self.stop(done),
            #[cfg(test)]
            Post::Panic => panic!("as the test asked"),
        }
    }

    #[inline(never)]
    fn join(&mut self, coming: Coming, room: Arc<Room>) -> Result<(), Refusal> {
        let Coming { session, outbox, greeting, shown } = coming;
        let (number, new) = (session.number, session.clone());
        if self.ended {
            return Err(Refusal::Ended);
        }
        if self.members.of(number).is_some() {
            return Err(Refusal::Already);
        }
        self.status().admits(number, Some(&session.name()))?;
        let user: Arc<str> = session.name().as_str().into();
        let stamp = self.stamp();
        session.enter(room);
        let hidden = session.hidden();
        let earlier = (shown > 0).then(|| {
            let (form, carrier) = outbox.form_and_carrier();
            let shown = self.history.shown(self.batch.events(), shown, &hidden, form, carrier);
            let all = 0..shown.len();
            (shown, all)
        });
        self.members.insert(Member {
            session,
            outbox: outbox.clone(),
            hidden,
            from: self.batch_len(),
            earlier,
            answers: Vec::new(),
        });
        self.empty_since = None;
        self.record(&Fact::Joined { session: number, user: user.clone(), id: stamp.id });
        let is_new = greeting == Greeting::Welcome;
        let welcome = self.greeting(&new, &outbox, greeting, stamp.id);
        if is_new {
            // At once, before anybody whispers to the new connection.
            new.attach(outbox, welcome, 0);
        } else if !welcome.is_empty() {
            self.members.answer(number, self.batch_len(), &welcome);
        }
        self.batch.push(Event::Joined { stamp, user }, number);
        if self.is_private && self.state.owner().is_none() {
            self.make_owner(number);
        }
        Ok(())
    }

    /// What a new member is told first.
    #[inline(never)]
    fn greeting(&self, session: &Session, outbox: &Outbox, greeting: Greeting, id: u64) -> Vec<u8> {
        let mut answer = Answer::new(outbox.form());
        let room = &*self.name;
        let members = self.members.len();
        let (topic, owner) = (self.state.topic().map(|it| &**it), self.state.owner_name());
        let user = session.name();
        answer.message(&match &greeting {
            Greeting::Welcome => ServerMessage::Welcome {
                user: user.as_str().into(),
                room: Some(room.into()),
                session: session.token.as_deref().unwrap_or_default().into(),
                id,
                members,
                topic: topic.map(Into::into),
                owner: owner.map(Into::into),
                locked: self.state.locked(),
                limit: self.state.limit(),
                resumed: false,
                removed: None,
            },
            Greeting::Entered { nonce } => ServerMessage::Entered {
                room: room.into(),
                id,
                members,
                topic: topic.map(Into::into),
                owner: owner.map(Into::into),
                locked: self.state.locked(),
                limit: self.state.limit(),
                nonce: nonce.as_deref().map(Into::into),
            },
        });
        answer.into_bytes()
    }

    #[inline(never)]
    fn resume(&mut self, coming: Coming, last: Last) -> Result<(), Refusal> {
        let Coming { session, outbox, .. } = coming;
        let (number, owner) = (session.number, self.state.owner_name().map(str::to_owned));
        let members = self.members.len();
        let (next_id, batch_len) = (self.next_id, self.batch_len());
        // What was forgotten for the sake of other rooms is missing too.
        let oldest = self.history.oldest(self.batch.events()).or(Some(self.next_id));
        let Some(Presence { user, joined }) = self.state.member(number) else {
            return Err(Refusal::NoMember);
        };
        let Some(member) = self.members.touch(number) else { return Err(Refusal::NoMember) };
        // Who has nothing of this room has its own joining to learn first.
        let last_event = last.event.unwrap_or(joined - 1).min(next_id - 1);
        let mut answer = Answer::new(outbox.form());
        answer.message(&ServerMessage::Welcome {
            user: (&**user).into(),
            room: Some((&*self.name).into()),
            session: session.token.as_deref().unwrap_or_default().into(),
            id: last_event,
            members,
            topic: self.state.topic().map(|topic| (&**topic).into()),
            owner: owner.map(Into::into),
            locked: self.state.locked(),
            limit: self.state.limit(),
            resumed: true,
            removed: None,
        });
        let first_missing = last_event + 1;
        if let Some(oldest) = oldest.filter(|oldest| first_missing < *oldest) {
            let room = (&*self.name).into();
            answer.message(&ServerMessage::Gap { room, from: first_missing, to: oldest - 1 });
        }
        session.attach(outbox.clone(), answer.into_bytes(), last.private);
        let (form, carrier) = outbox.form_and_carrier();
        member.outbox = outbox;
        member.answers.clear();
        let missing = self.history.after(last_event);
        member.earlier =
            (!missing.is_empty()).then(|| (self.history.whole(form, carrier), missing));
        // The batch's first event has the id that followed the history's last.
        let first_of_batch = next_id - u64::from(batch_len);
        let seen = first_missing.saturating_sub(first_of_batch);
        member.from = u32::try_from(seen).unwrap_or(u32::MAX).min(batch_len);
        Ok(())
    }

    #[inline(never)]
    fn leave(&mut self, session: u64, going: Going) {
        let (ending, moved) = match going {
            Going::Ends(ending) => (Some(ending), None),
            Going::Moves(answer) => (None, Some(answer)),
            Going::Expires => (None, None),
        };
        let may_speak =
            self.members.of(session).is_some_and(|it| self.check_may_speak(&it.session).is_ok());
        if moved.is_none() {
            self.muted.remove(&session);
        }
        self.answers.extend(moved.map(|answer| (answer, Ok(()))));
        let user = self.state.member(session).map(|member| member.user.clone());
        let (Some(member), Some(user)) = (self.members.remove(session), user) else {
            let Some(ending) = ending else { return };
            match self.leaver(session) {
                // First what it is still told of this round.
                Some(leaver) => leaver.ending = Some(ending),
                None => ending.outbox.close(ending.reason, &ending.goodbye),
            }
            return;
        };
        member.session.exit(self.number);
        let text = ending.as_ref().and_then(|ending| ending.text.clone());
        let text = text.filter(|_| may_speak);
        let stamp = self.stamp();
        self.record(&Fact::Left { session });
        self.count_out();
        let to = self.batch_len();
        self.leavers.push(Leaver { member, to, after: Vec::new(), ending });
        self.batch.push(Event::Left { stamp, user, text }, session);
    }

    /// Who was taken out in this round, and is still to be told so.
    fn leaver(&mut self, session: u64) -> Option<&mut Leaver> {
        self.leavers.iter_mut().find(|leaver| leaver.member.session.number == session)
    }

    /// One member fewer is left.
    fn count_out(&mut self) {
        if self.members.len() == 0 {
            self.empty_since = Some(self.now);
        }
    }

    /// Sees a member off that did not leave by itself: it is told of that with the
    /// events before `to`, and then, if nothing follows, how
    /// to go on.
    pub(super) fn see_off(&mut self, member: Member, to: u32, next: Next) {
        member.session.exit(self.number);
        self.record(&Fact::Left { session: member.session.number });
        // It has just been pushed.
        member.session.note_removal(self.batch.events().last());
        self.count_out();
        let mut answer = Answer::new(member.outbox.form());
        if next == Next::Nowhere {
            answer.hint(&Notice::NoRoom);
        }
        self.leavers.push(Leaver { member, to, after: answer.into_bytes(), ending: None });
    }

    /// Ends the room after what has happened in it so far, for all; its owner, who
    /// ended it, goes to another.
    pub(super) fn end(&mut self) {
        let to = self.batch_len();
        self.ended = true;
        for member in self.members.remove_all() {
            let is_owner = self.state.owner() == Some(member.session.number);
            self.see_off(member, to, if is_owner { Next::Elsewhere } else { Next::Nowhere });
        }
    }

    pub(super) fn is_lobby(&self) -> bool {
        &*self.name == LOBBY
    }

    #[inline(never)]
    fn say(&mut self, session: &Arc<Session>, speeches: Vec<Speech>) {
        let number = session.number;
        let (user, outbox) = match (self.state.member(number), self.members.of(number)) {
            (Some(presence), Some(member)) => (presence.user.clone(), member.outbox.clone()),
            _ => return refuse(&self.metrics, session, &speeches, Refusal::NoMember),
        };
        if let Err(refusal) = self.check_may_speak(session) {
            return refuse(&self.metrics, session, &speeches, refusal);
        }
        let mut acks = None;
        for Speech { text, me, nonce, rendered_bytes } in speeches {
            let id = Some(self.next_id);
            let known = nonce.as_deref().and_then(|nonce| session.note_nonce(nonce, id));
            if let Some(nonce) = nonce {
                let ack = ServerMessage::Ack { nonce: nonce.into(), id: known.unwrap_or(id) };
                acks.get_or_insert_with(|| Answer::new(outbox.form())).message(&ack);
            }
            if known.is_none() {
                let (stamp, user) = (self.stamp(), user.clone());
                let said = Event::Said { stamp, user, text, me };
                self.batch.push_said(said, number, rendered_bytes);
            }
        }
        if let Some(acks) = acks {
            // All acks of a round go before its batch: two sends, not one for each.
            let from = self.members.of(number).map_or(0, |member| member.from);
            self.members.answer(number, from, &acks.into_bytes());
        }
    }

    #[inline(never)]
    fn answer(
        &mut self,
        session: &Session,
        outbox: &Arc<Outbox>,
        question: Question,
        nonce: Option<&str>,
    ) {
        let member = self.members.of(session.number);
        if let (Question::Who { after: None }, None, Some(member)) = (&question, nonce, member)
            && Arc::ptr_eq(&member.outbox, outbox)
        {
            let rendered = self.first_names(outbox);
            return self.members.answer_shared(session.number, self.batch_len(), rendered);
        }
        let mut answer = Answer::new(outbox.form()).in_lang(session.lang());
        let is_anyones = matches!(question, Question::WhoThere { .. } | Question::Ping { .. });
        let written = match member.is_some() || is_anyones {
            true => self.write_answer(session, question, nonce, &mut answer),
            false => Err(Refusal::NoMember),
        };
        match written {
            Ok(()) => answer.ack(nonce),
            Err(refusal) => {
                let notice = refusal.notice();
                self.metrics.refused.count_notice(&notice);
                answer.notice_to(&notice, nonce);
            }
        }
        let bytes = answer.into_bytes();
        if member.is_some_and(|member| Arc::ptr_eq(&member.outbox, outbox)) {
            self.members.answer(session.number, self.batch_len(), &bytes);
        } else if let Some(leaver) = self.leaver(session.number) {
            leaver.after.extend_from_slice(&bytes);
        } else {
            outbox.push(&bytes);
        }
    }

    #[inline(never)]
    fn write_answer(
        &self,
        session: &Session,
        question: Question,
        nonce: Option<&str>,
        answer: &mut Answer,
    ) -> Result<(), Refusal> {
        match question {
            Question::Who { after } => self.who(after, None, answer, nonce)?,
            Question::WhoThere { after } => self.who(after, Some(&self.name), answer, nonce)?,
            Question::Topic => match self.state.topic() {
                Some(topic) => answer.notice_to(&Notice::TopicIs(topic), nonce),
                None => answer.notice_to(&Notice::NoTopic, nonce),
            },
            Question::History { before, limit } => {
                let hidden = session.hidden();
                let asked = Asked { before, limit, hidden: &hidden };
                self.history.answer(self.batch.events(), asked, nonce, answer);
            }
            Question::Ping { token } => answer.message(&ServerMessage::Pong {
                token: token.map(Into::into),
                nonce: nonce.map(Into::into),
            }),
            Question::Invite(invite) => answer.message(&invite.message(&self.name, nonce)),
        }
        Ok(())
    }

    /// Who came first: rendered once for all who ask in this round in one form.
    #[inline(never)]
    pub(super) fn first_names(&mut self, outbox: &Outbox) -> Arc<Rendered> {
        let (form, carrier) = outbox.form_and_carrier();
        if let Some(rendered) = self.members.listed(form, carrier) {
            return rendered.clone();
        }
        let mut answer = Answer::new(form);
        // Only somebody after whom to begin could be missing.
        let _ = self.who(None, None, &mut answer, None);
        let part = Part { lines: answer.into_bytes(), first_id: 0, last_id: 0 };
        let rendered = Rendered::of_parts(self.name.clone(), vec![part], form, carrier);
        self.members.list(form, carrier, Arc::new(rendered))
    }

    /// Lists who came first, or after somebody, of `room` unless it is one's own.
    #[inline(never)]
    fn who(
        &self,
        after: Option<u64>,
        room: Option<&str>,
        answer: &mut Answer,
        nonce: Option<&str>,
    ) -> Result<(), Refusal> {
        let first = match after.map(|session| self.state.member(session)) {
            Some(None) => return Err(Refusal::NotHere),
            Some(Some(member)) => member.joined + 1,
            None => 0,
        };
        let mut members = self.state.joined_from(first).map(|member| &*member.user);
        let names: Vec<&str> = members.by_ref().take(NAMES).collect();
        let last = members.next().and(names.last().copied());
        let count = self.members.len();
        // Nobody is a list too.
        let mut chunks =
            names.chunks(NAMES_PER_LINE).chain(names.is_empty().then_some(&[][..])).peekable();
        while let Some(names) = chunks.next() {
            let more = chunks.peek().is_some();
            answer.message(&ServerMessage::Who {
                room: (&*self.name).into(),
                count,
                members: names.iter().map(|name| (*name).into()).collect(),
                more,
                after: last.filter(|_| !more).map(Into::into),
                nonce: nonce.map(Into::into),
            });
        }
        if let Some(after) = last {
            answer.hint(&Notice::WhoMore { room, after });
        }
        Ok(())
    }

    #[inline(never)]
    fn stop(&mut self, done: Sender<()>) {
        self.stopped = Some(done);
        self.ended = true;
        let reason = CloseReason::Told(Goodbye::Shutdown);
        let to = self.batch_len();
        self.record(&Fact::AllLeft);
        for member in self.members.remove_all() {
            let outbox = member.outbox.clone();
            let goodbye = Answer::goodbye(outbox.form(), Goodbye::Shutdown);
            let ending = Some(Ending { outbox, reason, goodbye, text: None });
            self.leavers.push(Leaver { member, to, after: Vec::new(), ending });
        }
    }

    /// Offers the batch to everyone, and gives it to the history.
    #[inline(never)]
    fn tell(&mut self) {
        let (to, now) = (self.batch_len(), self.now);
        self.members.tell(&mut self.batch, to, now);
        for leaver in &self.leavers {
            leaver.tell(&mut self.batch, now);
        }
        self.leavers.clear();
        if to > 0 {
            self.happened_at.store(self.time.as_millis(), Ordering::Relaxed);
        }
        self.history.extend(self.batch.drain());
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.send(());
        }
    }

    /// Has the state be what a fact says.
    fn record(&mut self, fact: &Fact) {
        self.state.apply(fact);
        self.changed = true;
    }

    /// Has the state be what a fact says, and everyone told of it.
    pub(super) fn announce(&mut self, fact: Fact) {
        self.record(&fact);
        if fact.is_told() {
            let stamp = self.stamp();
            if let Some((event, by)) = fact.event(stamp) {
                self.batch.push(event, by);
            }
        }
    }

    /// The place of the next event.
    pub(super) fn stamp(&mut self) -> Stamp {
        let id = self.next_id;
        self.next_id += 1;
        Stamp { id, time: self.time, room: self.name.clone() }
    }

    pub(super) fn batch_len(&self) -> u32 {
        u32::try_from(self.batch.len()).expect("a round is far below 2^32 events")
    }
}
