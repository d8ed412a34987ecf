//! A room: its mailbox, the pump that empties it, and what may be asked of it. What
//! the pump works on is the [`floor`]. Knows neither sockets nor names' uniqueness.
//!
//! # Guarantees
//!
//! 1. Whatever is posted to a room happens in one order, which every member sees:
//!    from its own joining to its own leaving, without a hole, nothing twice.
//! 2. The ids of a room's events rise by one, from the microsecond of its making, or
//!    from above every id that any room has given, if the clock has gone back.
//! 3. One round is one batch: a member is offered once what happened in it.
//! 4. A listener is never waited for; a speaker may wait for its own room.
//! 5. A round posts to no other room and takes no lock but sessions' and outboxes'.
//! 6. A panic in a post costs that post; a panic in an offer costs that member.
//! 7. A leave that ends a connection carries its goodbye: it is the last that the
//!    member gets, after all that was posted before.
//! 8. A room that has ended takes nobody in and has no members.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crossbeam_channel::{Sender, bounded};
use madang_protocol::{event::ServerMessage, name::UserName, room::RoomKey};

use crate::{
    close_reason::CloseReason,
    commands::invite::Invite,
    delivery::outbox::Outbox,
    metrics::Metrics,
    room::event_ids::EventIds,
    room::mailbox::{Ended, Mailbox, Pump, Urgency},
    room::refusal::Refusal,
    session::{Hidden, Session},
    sync::Mutex,
};

use floor::Floor;
pub(crate) use kicks::Kicks;
use op::Asker;

pub(crate) mod mailbox;
pub(crate) mod history;
pub(crate) mod directory;
pub(crate) mod refusal;
pub(crate) mod event_ids;
mod fact;
mod floor;
mod kicks;
mod members;
mod moderation;
mod op;
mod state;

/// How long a thread pumps before it would rather hand over.
const PUMP_PATIENCE: Duration = Duration::from_millis(20);

/// What a post counts in the mailbox beside what it carries.
const POST_BYTES: usize = 64;

/// What a question counts in the mailbox: its answer takes the pump as long as a
/// round of many lines does, where there is much to tell.
const QUESTION_BYTES: usize = 4 * 1_024;

/// A room.
pub(crate) struct Room {
    /// No two of a server are the same.
    pub(crate) number: u64,
    /// As events name it: the name, or the mark of a private room.
    pub(crate) name: Arc<str>,
    /// Opens a private room.
    pub(crate) key: Option<RoomKey>,
    metrics: Arc<Metrics>,
    mailbox: Mailbox<Post>,
    /// Locked by the pump alone, for as long as it pumps.
    floor: Mutex<Floor>,
    /// As it was when members were last told of anything.
    status: Arc<Mutex<Status>>,
    happened_at: Arc<AtomicI64>,
}

/// What may be known of a room from outside.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) members: usize,
    pub(crate) topic: Option<Arc<str>>,
    /// The session that owns it, if it is private.
    pub(crate) owner: Option<u64>,
    /// Whether nobody new may come in.
    pub(crate) locked: bool,
    /// The most members, if the owner has set that.
    pub(crate) limit: Option<usize>,
    /// Who is kept out.
    pub(crate) kicks: Kicks,
    /// Since when it has had no members.
    pub(crate) empty_since: Option<Instant>,
}

impl Status {
    /// Whether `session` could come in under this name; before it has one, without.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn admits(&self, session: u64, name: Option<&UserName>) -> Result<(), Refusal> {
        let now = Instant::now();
        if let Some(left) = self.kicks.left_for_session(session, now) {
            return Err(Refusal::kicked_for(left));
        }
        if let Some(left) = name.and_then(|name| self.kicks.left_for_name(name, now)) {
            return Err(Refusal::name_kicked_for(left));
        }
        match self.limit {
            _ if self.owner == Some(session) => Ok(()),
            _ if self.locked => Err(Refusal::Locked),
            Some(limit) if self.members >= limit => Err(Refusal::Full { limit }),
            _ => Ok(()),
        }
    }
}

/// Something that a member says.
#[derive(Debug)]
pub(crate) struct Speech {
    /// One line, or several; sanitized.
    pub(crate) text: String,
    /// Whether it tells what the speaker does.
    pub(crate) me: bool,
    /// What its `ack` returns.
    pub(crate) nonce: Option<String>,
    /// What it takes for one member: rate limit, mailbox, round and history count that.
    pub(crate) rendered_bytes: usize,
}

/// What is asked of the pump. Members are known by their session's number.
enum Post {
    Join {
        coming: Coming,
        room: Arc<Room>,
        answer: Option<Answered>,
    },
    Resume {
        coming: Coming,
        last: Last,
        answer: Answered,
    },
    Leave {
        session: u64,
        going: Going,
    },
    Say {
        session: Arc<Session>,
        speeches: Vec<Speech>,
    },
    Ask {
        session: Arc<Session>,
        outbox: Arc<Outbox>,
        question: Question,
        nonce: Option<String>,
        answer: Answered,
    },
    Act {
        by: By,
        action: Action,
        answer: Option<Answered>,
    },
    /// The sender is kept until everyone was told.
    Stop {
        done: Sender<()>,
    },
    #[cfg(test)]
    Panic,
}

/// Told, after everyone has been, what became of a post.
type Answered = Sender<Result<(), Refusal>>;

/// A new member, and how it comes in.
pub(crate) struct Coming {
    pub(crate) session: Arc<Session>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) greeting: Greeting,
    /// How many events that were said before are shown.
    pub(crate) shown: usize,
}

/// What one is told who comes into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// One has just logged in, or comes back; programs are given their token.
    Welcome,
    /// One comes from another room; what the request's answer returns.
    Entered { nonce: Option<String> },
}

/// What a client that comes back has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    /// The id of the last event of this room, if it has any.
    pub(crate) event: Option<u64>,
    /// The number of the last private event.
    pub(crate) private: u64,
}

/// How a member leaves.
pub(crate) enum Going {
    /// With its connection.
    Ends(Ending),
    /// Alone, since nothing connects it any more.
    Expires,
    /// To another room; told when it has been told all of this one.
    Moves(Answered),
}

/// How a connection ends.
pub(crate) struct Ending {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) reason: CloseReason,
    pub(crate) goodbye: Vec<u8>,
    /// The last word of who quits.
    pub(crate) text: Option<String>,
}

/// What a member may ask of the room.
#[derive(Clone)]
pub(crate) enum Question {
    /// Who is here: the first, or those who came after the member of a session's number.
    Who {
        after: Option<u64>,
    },
    /// The same for somebody who need not be a member: of a public room.
    WhoThere {
        after: Option<u64>,
    },
    Topic,
    History {
        before: Option<u64>,
        limit: usize,
    },
    Ping {
        token: Option<String>,
    },
    /// How others can join, as found out for the requester.
    Invite(Box<Invite>),
}

/// Who does something to a room.
#[derive(Clone)]
pub(crate) enum By {
    Member(Arc<Session>),
    Operator,
    /// Nobody: it was due.
    Time,
}

impl By {
    fn asker(&self) -> Asker {
        match self {
            By::Member(session) => Asker::Member(session.number),
            By::Operator => Asker::Operator,
            By::Time => Asker::Time,
        }
    }
}

/// What is done to a room or its members.
pub(crate) enum Action {
    /// Sets the topic; an empty one is none.
    Topic(Arc<str>),
    /// Gives the requester another name.
    Rename(Arc<str>),
    /// Removes somebody, and keeps them out for so long.
    Kick(Arc<Session>, Duration),
    /// Lets those in again who were kicked under this name, and the session that has it.
    Unkick(UserName, Option<u64>),
    /// Keeps somebody from speaking; the operator does that everywhere, and here
    /// only tells of it.
    Mute(Arc<Session>, Option<Duration>),
    Unmute(Arc<Session>),
    /// Tells that the operator's mute is over.
    EndSilence(Arc<Session>),
    Lock,
    Unlock,
    Limit(usize),
    End,
    Owner(Arc<Session>),
    /// The session of this number has ended; if it was the owner's, another's is.
    OwnerGone(u64),
    /// Has the room forget the older half of what it remembers.
    ForgetHalf,
    /// Drops what was rendered for members who came, and nobody has come for a while.
    ForgetRenderings,
    /// Replaces the requester's ignore list.
    Hide(Arc<[Hidden]>),
    /// Says something as the server.
    Announce(String),
}

impl Room {
    /// An empty room, made at `now`: a private one with its key and its owner.
    pub(crate) fn new(
        number: u64,
        name: &str,
        private: Option<(RoomKey, u64)>,
        topic: Option<Arc<str>>,
        now: SystemTime,
        ids: Arc<EventIds>,
        metrics: Arc<Metrics>,
    ) -> Room {
        let name: Arc<str> = name.into();
        let owner = private.map(|(_, owner)| owner);
        let floor = Floor::new(number, name.clone(), owner, topic, now, ids, metrics.clone());
        Room {
            number,
            name,
            key: private.map(|(key, _)| key),
            metrics,
            mailbox: Mailbox::new(),
            status: floor.published_status(),
            happened_at: floor.happened_at(),
            floor: Mutex::new(floor),
        }
    }

    /// When anything happened in it last, in milliseconds since 1970.
    pub(crate) fn happened_at(&self) -> i64 {
        self.happened_at.load(Ordering::Relaxed)
    }

    /// What may be known from outside, as of the last round that was told of.
    pub(crate) fn status(&self) -> Status {
        self.status.lock().clone()
    }

    /// Brings a member into a room that never ends. May wait for a round, and may
    /// pump; does not wait to be told.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the server stops.
    pub(crate) fn join(self: &Arc<Self>, coming: Coming) -> Result<(), Ended> {
        let room = self.clone();
        self.post(POST_BYTES, Urgency::Waits, || Post::Join { coming, room, answer: None })
    }

    /// Brings a member in and blocks until it is, or is refused. May pump.
    ///
    /// # Errors
    ///
    /// Why it may not come in; the same below.
    pub(crate) fn enter(self: &Arc<Self>, coming: Coming) -> Result<(), Refusal> {
        let room = self.clone();
        self.ask(Urgency::Waits, |answer| Post::Join { coming, room, answer: Some(answer) })
    }

    /// Gives a member's place to another connection of the same session, tells it
    /// what it missed, and blocks until that is done. May pump.
    pub(crate) fn resume(&self, coming: Coming, last: Last) -> Result<(), Refusal> {
        self.ask(Urgency::Waits, |answer| Post::Resume { coming, last, answer })
    }

    /// Takes a member out. Never waits for space; may pump. Who is no member is only
    /// told the goodbye.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the room takes no posts any more; the same below.
    pub(crate) fn leave(&self, session: u64, going: Going) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Post::Leave { session, going })
    }

    /// Takes a member out who goes to another room, and blocks until it has been told
    /// all that it is told of this one. May pump.
    pub(crate) fn leave_for_another(&self, session: u64) {
        // A room that has ended has no members.
        let _ =
            self.ask(Urgency::Now, |answer| Post::Leave { session, going: Going::Moves(answer) });
    }

    /// Says something. May wait for a round, and may pump. Who is no member, or may
    /// not speak, is told so.
    pub(crate) fn say(&self, session: &Arc<Session>, speeches: Vec<Speech>) {
        let bytes = POST_BYTES + speeches.iter().map(|speech| speech.rendered_bytes).sum::<usize>();
        let post = Post::Say { session: session.clone(), speeches };
        match self.mailbox.post(post, bytes, Urgency::Waits) {
            Ok(Some(pump)) => self.pump(pump),
            Ok(None) => {}
            Err(Ended(Post::Say { session, speeches })) => {
                refuse(&self.metrics, &session, &speeches, Refusal::NoMember);
            }
            Err(Ended(_)) => {}
        }
    }

    /// Has a question answered to `outbox`, and blocks until it is: to a member after all
    /// that it posted before; who is none is told that. May pump.
    pub(crate) fn answer(
        &self,
        session: &Arc<Session>,
        outbox: &Arc<Outbox>,
        question: Question,
        nonce: Option<String>,
    ) -> Result<(), Refusal> {
        let (session, outbox) = (session.clone(), outbox.clone());
        self.ask_for(QUESTION_BYTES, Urgency::Waits, |answer| Post::Ask {
            session,
            outbox,
            question,
            nonce,
            answer,
        })
    }

    /// Does something to the room or its members, and blocks until everyone was told.
    /// May pump.
    pub(crate) fn act(&self, by: By, action: Action) -> Result<(), Refusal> {
        self.ask(Urgency::Waits, |answer| Post::Act { by, action, answer: Some(answer) })
    }

    /// The same for what nobody waits for. Never waits for space; may pump.
    pub(crate) fn act_now(&self, by: By, action: Action) -> Result<(), Ended> {
        self.post(POST_BYTES, Urgency::Now, || Post::Act { by, action, answer: None })
    }

    /// Keeps those out whom another room of its name, which has ended, kept out. Before
    /// anybody joins.
    pub(crate) fn inherit(&self, kicks: Kicks) {
        self.status.lock().kicks = kicks.clone();
        self.floor.lock().kicks = kicks;
    }

    /// Ends the room if it has been empty since `before`; else tells since when it
    /// has, if it is.
    pub(crate) fn end_if_empty(&self, before: Instant) -> Result<(), Option<Instant>> {
        let is_empty = || self.status.lock().empty_since;
        let ended = self.mailbox.close_if(|| is_empty().is_some_and(|since| since <= before));
        if ended { Ok(()) } else { Err(is_empty()) }
    }

    /// Ends the room with the server: everyone is told goodbye, nobody that the
    /// others leave. What was posted before is delivered; nothing is accepted
    /// afterwards. Blocks until that is done, whoever pumps, or `deadline`.
    pub(crate) fn stop(&self, deadline: Instant) {
        let (done, is_done) = bounded(1);
        // Dropped, with the sender in it, if the room has ended already.
        if let Some(pump) = self.mailbox.close(Post::Stop { done }) {
            self.pump(pump);
        }
        if let Err(crossbeam_channel::RecvTimeoutError::Timeout) = is_done.recv_deadline(deadline) {
            tracing::error!(room = %self.name, "a room did not end in time");
        }
    }

    /// Keeps a session out, as if it had been kicked.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(crate) fn kick_in_test(&self, session: &Session, time: Duration) {
        let (mut kicks, now) = (self.status().kicks, Instant::now());
        kicks.add(session, session.name(), now + time, now);
        self.inherit(kicks);
    }

    /// The id of the next event.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(crate) fn next_id(&self) -> u64 {
        self.floor.lock().next_id()
    }

    /// Keeps whoever pumps from beginning a round, for as long as this is held.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(crate) fn hold_rounds(&self) -> impl Sized + '_ {
        self.floor.lock()
    }

    fn ask(&self, urgency: Urgency, post: impl FnOnce(Answered) -> Post) -> Result<(), Refusal> {
        self.ask_for(POST_BYTES, urgency, post)
    }

    fn ask_for(
        &self,
        bytes: usize,
        urgency: Urgency,
        post: impl FnOnce(Answered) -> Post,
    ) -> Result<(), Refusal> {
        let (answer, answered) = bounded(1);
        self.post(bytes, urgency, || post(answer)).map_err(|Ended(())| Refusal::Ended)?;
        // Dropped unanswered if the room has ended, or the post has panicked.
        answered.recv().unwrap_or(Err(Refusal::Ended))
    }

    fn post(
        &self,
        bytes: usize,
        urgency: Urgency,
        post: impl FnOnce() -> Post,
    ) -> Result<(), Ended> {
        if let Some(pump) = self.hand_in(bytes, urgency, post)? {
            self.pump(pump);
        }
        Ok(())
    }

    // Whoever posts pumps, on its own small stack: the post is not to stand there still.
    #[inline(never)]
    fn hand_in(
        &self,
        bytes: usize,
        urgency: Urgency,
        post: impl FnOnce() -> Post,
    ) -> Result<Option<Pump<'_, Post>>, Ended> {
        self.mailbox.post(post(), bytes, urgency).map_err(|Ended(_)| Ended(()))
    }

    fn pump(&self, mut pump: Pump<'_, Post>) {
        let mut floor = self.floor.lock();
        let started = Instant::now();
        let mut now = started;
        while let Some(duty) = pump.next_round(now - started > PUMP_PATIENCE, floor.posts()) {
            pump = duty;
            let answers = floor.round(Instant::now());
            now = floor.told();
            if floor.has_ended() {
                self.mailbox.shut();
            }
            for (answer, result) in answers {
                // Whoever waited and has gone does not want to know.
                let _ = answer.send(result);
            }
        }
    }
}

/// Tells who can't speak why, once, or for each request that has a nonce. What was
/// said before its connection was cut stays said: that is only acknowledged again.
pub(crate) fn refuse(metrics: &Metrics, session: &Session, speeches: &[Speech], refusal: Refusal) {
    let notice = refusal.notice();
    session.tell(|answer| {
        let mut is_told = false;
        for nonce in speeches.iter().map(|speech| speech.nonce.as_deref()) {
            match (nonce, nonce.and_then(|nonce| session.knows_nonce(nonce))) {
                (Some(nonce), Some(id)) => {
                    answer.message(&ServerMessage::Ack { nonce: nonce.into(), id });
                }
                (nonce, _) => {
                    metrics.refused.count_notice(&notice);
                    if nonce.is_some() || !std::mem::replace(&mut is_told, true) {
                        answer.notice_to(&notice, nonce);
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests;
