//! A room's state as plain data: its members, who may join, who may speak. Requests are
//! [decided](decide) without changing it; they result in facts, and only facts change it. So it
//! can be tested, stored and restored without sockets.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use madang_protocol::{
    event::{Event, GapReason, Time},
    name::UserName,
};
use serde::{Deserialize, Serialize};

use super::{
    access::Access,
    event_ids::EventIds,
    fact::{Change, Fact},
    kicks::{Kick, Kicks},
    lesson::class::Class,
    log::OpenLog,
    op::Muter,
    roster::{Presence, Roster},
};
use crate::session::{
    Mute, Quiet,
    nonces::{NonceKey, Nonces, Noted},
};

pub(crate) use speeches::Heard;

mod decide;
mod lesson;
mod speeches;

/// For how many absent sessions the owner's mutes are kept.
const ABSENT_MUTES: usize = 100;

/// How many things asked for by each machine are told apart from repeated ones.
const MOST_ASKED: usize = 16;

/// A room's state. Members are identified by session number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The id of the next event.
    next_id: u64,
    is_private: bool,
    /// The secret for hashes of nonces.
    nonce_key: NonceKey,
    members: Roster,
    topic: Option<Arc<str>>,
    access: Access,
    /// Sessions muted by the owner, also while they are elsewhere.
    muted: BTreeMap<u64, OwnersMute>,
    /// Since when there have been no members.
    empty_since: Option<Time>,
    ended: bool,
    /// The lesson in this room.
    #[serde(default)]
    class: Class,
    /// The numbers of the last things that each machine asks for, such as announcements.
    #[serde(default)]
    asked: VecDeque<u64>,
}

/// The initial state of a room.
#[derive(Clone, Default)]
pub(crate) struct Beginning {
    /// The id of its first event.
    pub(crate) first_id: u64,
    /// The number under which the room is saved: its first id when it was opened, before any
    /// restart.
    pub(crate) opened: u64,
    /// The session that owns it, if it is private.
    pub(crate) owner: Option<u64>,
    pub(crate) topic: Option<Arc<str>>,
    /// Kicks of an earlier room with this name.
    pub(crate) kicks: Kicks,
    /// The result of [`State::lasting`] before a restart.
    pub(crate) lasting: Option<String>,
    /// Members from before a restart, who may come back.
    pub(crate) away: Vec<Awaited>,
    /// The ids of events from before a restart that are lost, in order.
    pub(crate) lost: Vec<LostIds>,
    /// The last events before a restart.
    pub(crate) events: Vec<Event>,
    /// The lesson, if the room is public.
    pub(crate) class: Class,
    /// The secret for hashes of nonces.
    pub(crate) nonce_key: NonceKey,
    /// The shared state and log, if several machines share the room; then all other fields but
    /// `opened` are ignored.
    pub(crate) shared: Option<OpenLog>,
}

/// Ids that may have been given to events that are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostIds {
    pub(crate) first: u64,
    /// The last one; `None` if those of this server follow.
    pub(crate) last: Option<u64>,
    pub(crate) reason: Option<GapReason>,
}

/// A member from before a restart.
#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) session: u64,
    pub(crate) user: UserName,
    /// Whether it was in another room, which is gone: what happened here before was not for it.
    pub(crate) was_elsewhere: bool,
    /// Whether joining and leaving are not announced.
    pub(crate) quiet: Option<Quiet>,
    /// Whether the operator mutes it.
    pub(crate) muted: Option<Mute>,
    /// The nonces of what it said here.
    pub(crate) nonces: Nonces,
}

/// Data that outlasts the members of a room.
#[derive(Serialize, Deserialize)]
struct Lasting {
    topic: Option<Arc<str>>,
    locked: bool,
    limit: Option<usize>,
    kicks: Kicks,
    muted: BTreeMap<u64, OwnersMute>,
}

/// An owner's mute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct OwnersMute {
    mute: Mute,
    /// The id of its event: beyond the limit, the oldest are dropped.
    given: u64,
}

impl Beginning {
    /// Of a room that several machines share.
    pub(crate) fn shared(open: OpenLog) -> Beginning {
        Beginning { opened: open.log.first_id(), shared: Some(open), ..Beginning::default() }
    }

    /// The owner's mutes from before a restart that end by themselves: the sessions, and when
    /// that is.
    pub(crate) fn timed_mutes(&self) -> Vec<(u64, Time)> {
        let lasting = self.lasting.as_ref().and_then(|it| serde_json::from_str::<Lasting>(it).ok());
        let muted = lasting.into_iter().flat_map(|lasting| lasting.muted);
        muted.filter_map(|(session, muted)| Some((session, muted.mute.until?))).collect()
    }

    /// Assigns ids to a newly opened room; one that is opened again after a restart keeps its
    /// ids.
    pub(crate) fn with_ids(self, ids: &EventIds) -> Beginning {
        let first_id = ids.first(SystemTime::now());
        let opened = if self.opened > 0 { self.opened } else { first_id };
        Beginning { first_id, opened, ..self }
    }
}

impl State {
    pub(crate) fn new(beginning: Beginning, now: Time) -> State {
        let Beginning { first_id, owner, topic, kicks, lasting, away, class, nonce_key, .. } =
            beginning;
        let mut state = State {
            next_id: first_id,
            is_private: owner.is_some(),
            nonce_key,
            members: Roster::default(),
            topic,
            access: Access { owner, kicks, ..Access::default() },
            muted: BTreeMap::new(),
            empty_since: away.is_empty().then_some(now),
            ended: false,
            class,
            asked: VecDeque::new(),
        };
        if let Some(lasting) = lasting.and_then(|lasting| serde_json::from_str(&lasting).ok()) {
            let Lasting { topic, locked, limit, kicks, muted } = lasting;
            (state.topic, state.muted) = (topic, muted);
            // Who has attended the lesson so far may come back, as before.
            let known = match locked {
                true => Arc::new(state.class.attendance().into_keys().collect()),
                false => Arc::default(),
            };
            state.access = Access { owner, locked, limit, kicks, known };
        }
        // They joined before any event that is visible now, or with the restart.
        for (awaited, before) in away.into_iter().zip(1..) {
            let Awaited { session, user, was_elsewhere, quiet, muted, nonces } = awaited;
            let joined = if was_elsewhere { first_id } else { before };
            let nonces = Some(nonces).filter(|nonces| !nonces.is_empty()).map(Box::new);
            let away = true;
            if quiet.is_none() {
                state.class.note_joined(&user, now);
            }
            state.members.insert(Presence {
                session,
                user,
                joined,
                away,
                origin: 0,
                comes_back: true,
                muted,
                quiet,
                stream: false,
                nonces,
            });
        }
        state
    }

    /// The data that outlasts the members, as JSON.
    pub(crate) fn lasting(&self) -> String {
        let State { topic, access, muted, .. } = self;
        let Access { locked, limit, kicks, .. } = access;
        let (topic, kicks, muted) = (topic.clone(), kicks.clone(), muted.clone());
        let lasting = Lasting { topic, locked: *locked, limit: *limit, kicks, muted };
        serde_json::to_string(&lasting).expect("plain data")
    }

    /// The id of the next event.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    pub(crate) fn members(&self) -> &Roster {
        &self.members
    }

    pub(crate) fn member(&self, session: u64) -> Option<&Presence> {
        self.members.get(session)
    }

    pub(crate) fn topic(&self) -> Option<&Arc<str>> {
        self.topic.as_ref()
    }

    /// Who may join.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether it is a public room, in which lessons take place.
    pub(crate) fn is_public(&self) -> bool {
        !self.is_private
    }

    /// The nonces of a member's messages, if there are any.
    pub(crate) fn nonces(&self, session: u64) -> Option<&Nonces> {
        self.member(session)?.nonces.as_deref()
    }

    /// Whether a member has sent a message with this nonce, and its id.
    pub(crate) fn knows_nonce(&self, session: u64, nonce: &str) -> Option<Option<u64>> {
        self.nonces(session)?.find(self.nonce_key.hash(nonce))
    }

    /// The owner's mutes that end by themselves: the sessions, and when that is.
    pub(crate) fn timed_mutes(&self) -> impl Iterator<Item = (u64, Time)> {
        self.muted.iter().filter_map(|(session, muted)| Some((*session, muted.mute.until?)))
    }

    /// The secret for hashes of nonces.
    pub(crate) fn nonce_key(&self) -> NonceKey {
        self.nonce_key
    }

    /// The lesson in this room.
    pub(crate) fn class(&self) -> &Class {
        &self.class
    }

    /// The owner's name, if the owner is here.
    pub(crate) fn owner_name(&self) -> Option<&str> {
        self.access.owner.and_then(|owner| self.member(owner)).map(|member| member.user.as_str())
    }

    /// Since when there have been no members.
    pub(crate) fn empty_since(&self) -> Option<Time> {
        self.empty_since
    }

    /// Whether it accepts no more members.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Gives no id up to this one any more. Part of an entry of the log rather than a fact: every
    /// machine carries it out alike.
    pub(crate) fn raise_ids(&mut self, above: u64) {
        self.next_id = self.next_id.max(above.saturating_add(1));
    }

    /// Changes what a fact says. A fact whose object is gone changes nothing.
    pub(crate) fn apply(&mut self, fact: &Fact) {
        if !self.has_object(fact) {
            return;
        }
        if let Some(id) = fact.id {
            self.next_id = self.next_id.max(id + 1);
        }
        match &fact.change {
            Change::Joined { session, user, quiet, origin, comes_back, stream } => {
                self.members.insert(Presence {
                    session: *session,
                    user: user.clone(),
                    joined: fact.id.unwrap_or(self.next_id),
                    away: false,
                    origin: *origin,
                    comes_back: *comes_back,
                    muted: None,
                    quiet: *quiet,
                    stream: *stream,
                    nonces: None,
                });
                self.empty_since = None;
                if quiet.is_none() {
                    self.class.note_joined(user, fact.time);
                }
            }
            Change::Left { session, .. } => self.remove(*session, fact.time),
            Change::Away { session } => {
                if let Some(member) = self.members.get_mut(*session) {
                    member.away = true;
                }
            }
            Change::Back { session, quiet, origin } => {
                if let Some(member) = self.members.get_mut(*session) {
                    (member.away, member.origin) = (false, *origin);
                    // Whether joining was announced does not change any more.
                    if let (Some(before), Some(quiet)) = (&mut member.quiet, quiet) {
                        *before = *quiet;
                    }
                }
            }
            Change::Said { session, user, nonce, .. } => {
                self.class.note_said(*session, user, fact.time);
                if let Some((nonce, id)) = nonce.as_ref().zip(fact.id) {
                    let noted = Noted { hash: self.nonce_key.hash(nonce), id };
                    self.note_nonces(*session, |nonces| nonces.note(noted));
                }
            }
            Change::Asked { number } => {
                self.asked.truncate(MOST_ASKED - 1);
                self.asked.push_front(*number);
            }
            Change::Announced { .. }
            | Change::Forgotten { .. }
            | Change::AllMuted { .. }
            | Change::AllUnmuted
            | Change::Transcribed { .. }
            | Change::Restarted => {}
            Change::Lesson(_) | Change::LessonIs(_) => self.apply_to_class(fact),
            Change::BroughtNonces { session, nonces: brought } => {
                self.note_nonces(*session, |nonces| nonces.add(brought));
            }
            Change::Spoke { session, at } => self.class.note_spoke(*session, *at),
            Change::Renamed { session, user, to } => {
                self.class.note_renamed(*session, user, to, fact.time);
                self.members.rename(*session, to);
            }
            Change::Topic { topic, .. } => {
                self.topic = Some(topic.clone()).filter(|topic| !topic.is_empty());
            }
            Change::Kicked { session, user, until, .. } => {
                let kick = Kick::new(user.clone(), *session, *until);
                self.access.kicks.add(kick, fact.time);
                self.remove(*session, fact.time);
            }
            Change::Unkicked { user, .. } => self.access.kicks.remove(user, fact.time),
            Change::Muted { session, muter: Muter::Owner, mute, .. } => {
                let given = fact.id.unwrap_or_default();
                self.muted.insert(*session, OwnersMute { mute: *mute, given });
                self.forget_absent_mutes();
            }
            Change::Muted { session, muter: Muter::Operator, mute, .. } => {
                self.set_operators_mute(*session, Some(*mute));
            }
            Change::Unmuted { session, muter: Muter::Owner, .. } => {
                self.muted.remove(session);
            }
            Change::Unmuted { session, muter: Muter::Operator, .. } => {
                self.set_operators_mute(*session, None);
            }
            Change::Locked { locked, .. } => {
                self.access.locked = *locked;
                // Members who have attended the lesson so far may come back.
                self.access.known = match locked {
                    true => Arc::new(self.class.attendance().into_keys().collect()),
                    false => Arc::default(),
                };
            }
            Change::Limited { limit, .. } => self.access.limit = Some(*limit),
            Change::Owner { session, .. } => self.access.owner = Some(*session),
            Change::OwnedByNobody => self.access.owner = None,
            Change::Ended { .. } => {
                self.members.clear();
                self.empty_since = Some(fact.time);
                self.ended = true;
            }
            #[cfg(test)]
            Change::Panic => panic!("as the test asked"),
        }
    }

    /// Whether the object of a fact is here, or, for a `joined`, is not here yet.
    fn has_object(&self, fact: &Fact) -> bool {
        match &fact.change {
            Change::Joined { session, .. } => self.member(*session).is_none(),
            Change::Left { session, .. }
            | Change::Away { session }
            | Change::Back { session, .. }
            | Change::Renamed { session, .. }
            | Change::BroughtNonces { session, .. }
            | Change::Spoke { session, .. }
            | Change::Kicked { session, .. }
            | Change::Muted { session, .. }
            | Change::Unmuted { session, muter: Muter::Operator, .. }
            | Change::Owner { session, .. } => self.member(*session).is_some(),
            Change::Unmuted { session, muter: Muter::Owner, .. } => {
                self.muted.contains_key(session)
            }
            Change::Unkicked { user, .. } => self.access.kicks.has(user),
            Change::Said { .. }
            | Change::Announced { .. }
            | Change::Asked { .. }
            | Change::Forgotten { .. }
            | Change::Topic { .. }
            | Change::AllMuted { .. }
            | Change::AllUnmuted
            | Change::Locked { .. }
            | Change::Limited { .. }
            | Change::OwnedByNobody
            | Change::Transcribed { .. }
            | Change::Restarted
            | Change::Ended { .. } => true,
            Change::Lesson(change) => !self.class.has_seen(change),
            Change::LessonIs(class) => class.is_ahead_of(&self.class),
            #[cfg(test)]
            Change::Panic => true,
        }
    }

    fn remove(&mut self, session: u64, now: Time) {
        if let Some(member) = self.members.get(session) {
            self.class.note_left(&member.user, now);
        }
        self.members.remove(session);
        if self.members.is_empty() {
            self.empty_since = Some(now);
        }
    }

    fn note_nonces(&mut self, session: u64, note: impl FnOnce(&mut Nonces)) {
        if let Some(member) = self.members.get_mut(session) {
            note(member.nonces.get_or_insert_default());
        }
    }

    fn set_operators_mute(&mut self, session: u64, mute: Option<Mute>) {
        if let Some(member) = self.members.get_mut(session) {
            member.muted = mute;
        }
    }

    /// Drops mutes of absent people who may never come back, if there are many.
    fn forget_absent_mutes(&mut self) {
        if self.muted.len() <= ABSENT_MUTES {
            return;
        }
        let is_absent = |session: &u64| self.members.get(*session).is_none();
        let mut absent: Vec<(u64, u64)> = self
            .muted
            .iter()
            .filter(|(session, _)| is_absent(session))
            .map(|(session, muted)| (muted.given, *session))
            .collect();
        absent.sort_unstable();
        let too_many = absent.len().saturating_sub(ABSENT_MUTES);
        for (_, session) in &absent[..too_many] {
            self.muted.remove(session);
        }
    }

    fn owners_mute(&self, session: u64) -> Option<Mute> {
        if self.muted.is_empty() {
            return None;
        }
        self.muted.get(&session).map(|muted| muted.mute)
    }

    fn name_of(&self, session: u64) -> Option<UserName> {
        self.member(session).map(|member| member.user.clone())
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
