//! What a server does for the cluster that it is part of, and what the cluster does for its
//! commands.

use std::{
    collections::{BTreeSet, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::Receiver;
use madang_protocol::{
    event::Time,
    name::UserName,
    notice::{Goodbye, Notice},
    room::{Destination, RoomName},
};

use super::Shared;
use crate::{
    admission::bans::Ban,
    clock,
    cluster::{
        ended_rooms::EndedRoom,
        lessons::KEY_ASKED,
        orders::StandingOrder,
        server::{ClusterServer, Given},
    },
    commands::{
        archive::Archive as _,
        chat::Services as _,
        elsewhere::{Elsewhere, Finding, Findings, Inquiry, KeptOrder, answer_server},
        lesson,
        moderation::{mute_sessions, take_mute_of_all},
    },
    journal::store::Write,
    room::{
        By, Going, Op, Room,
        directory::Rooms,
        lesson::{Asker, LessonOp},
        log::{Follower, LogEntry},
        mailbox::Ended,
        recorder::Recorder as _,
    },
    session::{
        Mute, Session,
        token::TokenHash,
        user_manager::{GivenAway, Taker},
    },
};

impl ClusterServer for Shared {
    fn room_ended(&self, room: &Room) {
        if self.rooms.remove(room) {
            self.console.room_ended(&room.name);
        }
    }

    fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    fn end_room_when_empty(&self, room: &Arc<Room>) {
        self.end_when_empty(room);
    }

    fn redis_away(&self, why: &str) {
        self.console.redis_away(why);
    }

    fn linked(&self, servers: usize) {
        self.console.linked(servers);
    }

    fn archived(&self, is_archived: bool) {
        // The members of one that archives know that already.
        if self.journal.is_some() {
            return;
        }
        let notice = if is_archived { Notice::NowRecorded } else { Notice::NoLongerRecorded };
        for (session, _) in self.users.held() {
            if self.rooms.room_of(&session).is_some_and(|room| room.key.is_none()) {
                session.remark(|answer| answer.notice(&notice));
            }
        }
    }

    fn fenced(&self) {
        self.console.fenced();
        for room in self.rooms.all() {
            // One that has ended has no members.
            let _ = room.lose_log(true);
        }
    }

    fn resume_window(&self) -> Duration {
        self.config.resume_window
    }

    fn give_session(&self, token: &TokenHash, taker: Taker) -> Given {
        if self.cluster.as_ref().is_some_and(|it| it.sessions.defer(token, taker)) {
            return Given::HandedOver;
        }
        match self.users.give_away(token, taker) {
            GivenAway::Unknown => {
                let ended = self.cluster.as_ref().and_then(|it| it.sessions.ended(token));
                return ended.map_or(Given::Unknown, Given::Ended);
            }
            GivenAway::Now(session) => self.hand_over(&session, taker),
            GivenAway::Soon(holder) => self.replace(holder),
        }
        Given::HandedOver
    }

    fn session_removed(&self, session: u64) {
        if let Some(session) = self.users.numbered(session) {
            self.keep_session(&session, self.rooms.room_of(&session).as_deref());
        }
    }

    fn session_given(&self, session: u64) {
        if let Some(session) = self.users.numbered(session) {
            session.move_away();
            self.users.end_here(&session);
        }
    }

    fn claim_again(&self) -> Option<Receiver<()>> {
        let nameless = self.users.claim_again()?;
        for session in self.users.sessions() {
            self.keep_session_again(&session);
        }
        let kept = self.cluster.as_ref().map(|cluster| cluster.sessions.when_kept());
        let has_moved = |session: &Session| {
            let token = session.token.as_ref();
            token.is_some_and(|it| !self.cluster.as_ref().is_some_and(|own| own.sessions.has(it)))
        };
        for session in nameless {
            // Its name has gone with it to another server.
            if has_moved(&session) {
                continue;
            }
            tracing::warn!(name = %session.name(), "somebody on another server has this name, too");
            // Whoever was first keeps it; the other is asked for another name.
            if self.users.expire_now(&session) {
                let room = self.rooms.room_of(&session);
                self.end_session(&session, room, Going::Expires, None);
            } else {
                self.close_connection_of(&session, Goodbye::NameTaken);
            }
        }
        kept
    }

    fn lesson_restored(&self) {
        self.tell_code();
    }

    fn tell_restored(&self, room: &Room, number: u64) {
        let text = Notice::ServersRestored.text(self.config.lang);
        // One that has ended has no members.
        let _ = room.act_now(By::Operator, Op::Once { number, op: Box::new(Op::Announce(text)) });
    }

    fn orders(&self) -> Vec<(String, StandingOrder)> {
        let mute =
            self.users.mute_of_all().map(|(mute, number)| KeptOrder::MuteAll { mute, number });
        let bans = self.bans.list().into_iter().map(|Ban { banned, left }| KeptOrder::Ban {
            banned,
            until: left.map(|left| clock::now().after(left)),
        });
        bans.chain(mute).map(|order| (order.name(), stored(&order))).collect()
    }

    fn begin_with_orders(&self, orders: &[StandingOrder]) {
        self.take_over(orders, |mute, number| mute_sessions(&self.chat(), mute, number));
    }

    fn take_orders(&self, orders: &[StandingOrder]) {
        self.take_over(orders, |mute, number| take_mute_of_all(&self.chat(), mute, number));
    }

    fn archive_room(&self, name: &RoomName) -> bool {
        let Some(journal) = &self.journal else { return true };
        journal.wait_for_space();
        match self.rooms.reach(&Destination::Public(name.clone())) {
            // It may have ended by now.
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(room = name.as_str(), ?error, "a room can't be archived yet");
                false
            }
        }
    }

    fn note_all_archived(&self, ended: Vec<EndedRoom>) -> Vec<EndedRoom> {
        let Some(journal) = &self.journal else { return Vec::new() };
        let rooms = self.rooms.public();
        let rooms: Vec<u64> = rooms.iter().filter_map(|room| room.kept_as()).collect();
        // One that is open here has still to hear its last messages.
        let is_open = |room: &EndedRoom| rooms.contains(&room.first_id);
        let (open, ended): (Vec<EndedRoom>, Vec<EndedRoom>) = ended.into_iter().partition(is_open);
        ended.iter().for_each(|room| journal.note_ended(room.first_id, room.next_id));
        journal.write(Write::Living { rooms });
        open
    }

    fn must_wait(&self, question: &[u8]) -> bool {
        serde_json::from_slice(question).is_ok_and(|inquiry: Inquiry| inquiry.asks_rooms())
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        if let (KEY_ASKED, Some(cluster)) = (question, &self.cluster) {
            return cluster.lesson_key();
        }
        let finding = match serde_json::from_slice(question) {
            Ok(inquiry) => answer_server(&self.chat(), inquiry),
            Err(error) => {
                tracing::warn!(%error, "another server asks what this one does not understand");
                Finding::Nobody
            }
        };
        serde_json::to_vec(&finding).expect("plain data")
    }

    fn stranded(&self, dead: u64, present: &HashSet<u64>) -> bool {
        let lesson = &self.rooms.lesson;
        let pupils: BTreeSet<u64> = lesson
            .read(|state| state.pupils_of(dead).filter(|pupil| !present.contains(pupil)).collect());
        let is_over = pupils.is_empty();
        let op = LessonOp::Stranded { origin: dead, pupils };
        is_over || lesson.act(&Asker::time(), op, Vec::new).is_ok()
    }

    fn unclaimed(&self, dead: u64) -> bool {
        let (lesson, op) = (&self.rooms.lesson, LessonOp::Unclaimed(dead));
        lesson.act(&Asker::time(), op, Vec::new).is_ok()
    }
}

/// The lesson's log is followed for all rooms.
impl Follower for Shared {
    fn hear(&self, entry: LogEntry) -> Result<(), Ended> {
        let facts = self.rooms.lesson.hear(&entry, || self.rooms.public())?;
        let follow_up = || lesson::follow_up(&self.chat(), &facts);
        if catch_unwind(AssertUnwindSafe(follow_up)).is_err() {
            tracing::error!("a panic while the lesson's people were told something; going on");
        }
        Ok(())
    }

    fn reload(&self, kept: &[u8], next: u64) -> Option<u64> {
        let entry = self.rooms.lesson.reload(kept, next)?;
        lesson::know_elsewhere(&self.chat());
        self.resume_timer();
        self.rooms.public().iter().for_each(|room| self.rooms.tell_lesson(room));
        Some(entry)
    }

    fn miss_log(&self) -> Result<(), Ended> {
        self.rooms.lesson.miss_log();
        Ok(())
    }

    fn lose_log(&self, _is_dead: bool) -> Result<(), Ended> {
        tracing::error!("the lesson's log is lost; nothing is asked of lessons any more");
        self.rooms.lesson.lose_log();
        Ok(())
    }
}

impl Shared {
    /// Takes over the operator's orders: a mute of everyone, or its end, by `mute_all` if it is new.
    fn take_over(&self, orders: &[StandingOrder], mute_all: impl Fn(Option<Mute>, u64)) {
        let mut bans = Vec::new();
        for (order, _) in orders {
            match serde_json::from_slice(order) {
                Ok(KeptOrder::Ban { banned, until }) => {
                    bans.push((banned, until.map(|until| until.since(clock::now()))));
                }
                Ok(KeptOrder::MuteAll { mute, number }) => {
                    if !self.users.knows_mute_of_all(number) {
                        mute_all(mute, number);
                    }
                }
                Ok(KeptOrder::Forget(forgetting)) => self.forget_later(&forgetting),
                Err(error) => tracing::warn!(%error, "an order of the operator can't be read"),
            }
        }
        for banned in self.bans.replace(bans) {
            self.close_banned(&banned);
        }
    }

    /// Begins to take part in the lesson of all servers.
    pub(crate) fn join_lesson(self: &Arc<Shared>) {
        let (lesson, own): (_, Arc<dyn Follower>) = (&self.rooms.lesson, self.clone());
        lesson.follow(Arc::downgrade(&own));
        lesson::know_elsewhere(&self.chat());
        self.tell_code();
        self.resume_timer();
    }

    /// Has all servers know this one's code.
    fn tell_code(&self) {
        let code = LessonOp::KnowCode(self.users.teachers.own_code().into());
        self.rooms.lesson.post(&Asker::time(), code, Vec::new);
    }
}

impl Elsewhere for Shared {
    fn ask(&self, inquiry: &Inquiry, once: Option<(u64, &str)>) -> Findings {
        let Some(cluster) = &self.cluster else {
            return Findings { findings: Vec::new(), is_complete: true };
        };
        let question = serde_json::to_vec(inquiry).expect("plain data");
        let once = once.map(|(session, nonce)| (session, cluster.nonce_key.hash(nonce)));
        let read = |answer: &[u8]| serde_json::from_slice::<Finding>(answer).ok();
        let is_enough = |answer: &[u8]| read(answer).is_some_and(|finding| finding.is_enough());
        let answers = cluster.ask(&question, once, &is_enough);
        let findings = answers.answers.iter().filter_map(|answer| read(answer)).collect();
        Findings { findings, is_complete: answers.is_complete }
    }

    fn note(&self, order: &KeptOrder) {
        self.cluster.iter().for_each(|it| it.note_order(&order.name(), Some(stored(order))));
    }

    fn lift(&self, order: &KeptOrder) {
        self.cluster.iter().for_each(|it| it.note_order(&order.name(), None));
    }

    fn hand_orders_over(&self) -> bool {
        self.cluster.as_ref().is_none_or(|it| it.hand_orders_over())
    }

    fn announce_orders(&self) {
        self.cluster.iter().for_each(|it| it.announce_orders());
    }

    fn is_claimed(&self, name: &UserName) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_claimed(name))
    }

    fn rooms_of_absent(&self, name: &UserName) -> Option<Vec<RoomName>> {
        self.cluster.as_ref()?.rooms_of_bearer(name)
    }

    fn time(&self) -> Option<Time> {
        self.cluster.as_ref()?.time().ok()
    }
}

/// An order in its form for Redis.
fn stored(order: &KeptOrder) -> StandingOrder {
    (serde_json::to_vec(order).expect("plain data"), order.until())
}
