//! The log of a room that several machines share: it orders the room's ops and delivers them to
//! every machine that follows the room. The cluster provides it.

use std::{collections::BTreeMap, sync::Arc};

use madang_protocol::{
    event::{Event, Time},
    name::UserName,
    room::{RoomKey, RoomName},
};
use serde::{Deserialize, Serialize};

use super::{
    Room,
    kicks::Kicks,
    mailbox::Ended,
    op::{By, Op},
    state::{Beginning, State},
};

/// The format of an entry's body: its first byte.
const FORMAT: u8 = b'1';

/// Orders the ops of a room.
pub(crate) trait RoomLog: Send + Sync {
    /// Identifies this run of this machine's server.
    fn origin(&self) -> u64;

    /// Takes an entry's body, and returns the number under which it is heard again. Never
    /// blocks. Until that one is heard, the room appends no other.
    fn append(&self, body: Vec<u8>) -> u64;

    /// Takes an entry again that was not heard yet, with the number that [`append`](Self::append)
    /// returned, in case the log has lost it; where it has not, nothing changes. Never blocks.
    fn append_again(&self, seq: u64, body: Vec<u8>);

    /// Saves the room's state after an entry, for machines that open it later. Never blocks.
    fn keep(&self, snapshot: Snapshot);

    /// Saves the room's state as the only one: what led there is forgotten. Never blocks.
    fn forget_before(&self, snapshot: Snapshot);

    /// Offers the room's state, in case the log has lost what it had: `name` is its name or mark.
    /// Never blocks.
    fn offer(&self, name: &Arc<str>, snapshot: Snapshot);

    /// After how many entries the state is saved.
    fn entries_kept_after(&self) -> u64;

    /// After how many bytes of them.
    fn bytes_kept_after(&self) -> u64;

    /// The id of the room's first event.
    fn first_id(&self) -> u64;

    /// The room has ended; its next event would have had this id. If it was public, these kicks
    /// hold in another of its name. Never blocks.
    fn end(&self, next_id: u64, kicks: &Kicks);

    /// Whether a machine archives what is said in the room, or did a moment ago. Never blocks.
    fn is_archived(&self) -> bool;

    /// Makes `room` receive the entries from this number on. Blocks until it has received those
    /// that there are, or a moment has passed.
    fn follow(&self, room: &Arc<Room>, from: u64);

    /// Makes the room receive nothing more. Never blocks.
    fn unfollow(&self);

    /// A session of this machine was removed from the room, which it may be told on another one.
    /// Never blocks.
    fn note_removed(&self, session: u64);
}

/// What carries out the entries of a log on this machine.
pub(crate) trait Follower: Send + Sync {
    /// Carries out the next entry. Never waits for space; may pump.
    ///
    /// # Errors
    ///
    /// [`Ended`] if nothing is carried out any more; the same below.
    fn hear(&self, entry: LogEntry) -> Result<(), Ended>;

    /// Goes on from a state that was [kept](RoomLog::keep), because the entries from `next` on are
    /// gone. Returns the entry that it follows, unless it can't be read or is no later one.
    fn reload(&self, kept: &[u8], next: u64) -> Option<u64>;

    /// Notes that the log can't be reached: what would append to it is refused until something is
    /// heard again.
    fn miss_log(&self) -> Result<(), Ended>;

    /// Ends this machine's part, because the log accepts nothing more from it. If the others take it
    /// for dead (`is_dead`), its members come back to another, and say again there what was not
    /// accepted: they get no answer here.
    fn lose_log(&self, is_dead: bool) -> Result<(), Ended>;
}

/// Where the logs of rooms are kept.
pub(crate) trait RoomLogs: Send + Sync {
    /// Opens the log of a public room, and makes the room if no machine has it. Blocks for as
    /// long as that takes.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    fn open(&self, name: &RoomName) -> Result<SharedRoom, Unreachable>;

    /// The same, but makes no room.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    fn find(&self, name: &RoomName) -> Result<Option<SharedRoom>, Unreachable>;

    /// Makes the private room with this key, which nobody has yet; `mark` stands for it in
    /// events. Blocks as [`open`](Self::open) does.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    fn make_private(
        &self,
        key: RoomKey,
        mark: &str,
        beginning: Beginning,
    ) -> Result<SharedRoom, Unreachable>;

    /// Opens the log of a private room, if there is one with this key. Blocks as [`open`](Self::open) does.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    fn open_private(&self, key: RoomKey) -> Result<Option<SharedRoom>, Unreachable>;

    /// Whether a room has ended whose kicks are still to be kept. Never blocks.
    fn is_ending(&self) -> bool;

    /// Lifts kicks of public rooms that have ended, for this name and for the session that has it
    /// now; returns whether there were any. Blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`Unreachable`].
    fn unkick(&self, name: &UserName, session: Option<u64>) -> Result<bool, Unreachable>;
}

/// The log can't be reached at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreachable;

/// A room that several machines share.
pub(crate) struct SharedRoom {
    /// The name as written by the machine that created the room, or the private room's mark.
    pub(crate) name: String,
    pub(crate) open: OpenLog,
}

/// A log, and the room's state after the last entry that is not to be carried out any more.
#[derive(Clone)]
pub(crate) struct OpenLog {
    pub(crate) log: Arc<dyn RoomLog>,
    pub(crate) snapshot: Snapshot,
}

/// Several ops in the order of their room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// Its position; consecutive.
    pub(crate) number: u64,
    /// The machine that [appended](RoomLog::append) it.
    pub(crate) origin: u64,
    /// The number that `append` returned there.
    pub(crate) seq: u64,
    /// When that was, for all that is decided by it.
    pub(crate) time: Time,
    /// The ids from here on are higher than this one; 0 before any restart of the log's keeper,
    /// which may have lost the entries that gave the last ids.
    pub(crate) ids_above: u64,
    pub(crate) body: Arc<[u8]>,
}

/// A body that this program can't read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntryError {
    /// Perhaps written by a newer program.
    #[error("entry of the unknown format {0:?}")]
    Format(Option<u8>),
    #[error("entry with an unknown op: {0}")]
    Op(String),
}

/// A body in its serialized form.
pub(crate) struct EntryBody(Vec<u8>);

impl EntryBody {
    pub(crate) fn new() -> EntryBody {
        EntryBody(vec![FORMAT])
    }

    /// Adds an op.
    pub(crate) fn push(&mut self, by: By, op: &Op) {
        serde_json::to_writer(&mut self.0, &(by, op)).expect("plain data");
        self.0.push(b'\n');
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl LogEntry {
    /// The ops and their requesters.
    ///
    /// # Errors
    ///
    /// [`EntryError`]; none of its ops may be carried out then.
    pub(crate) fn ops(&self) -> Result<Vec<(By, Op)>, EntryError> {
        let Some((&FORMAT, ops)) = self.body.split_first() else {
            return Err(EntryError::Format(self.body.first().copied()));
        };
        serde_json::Deserializer::from_slice(ops)
            .into_iter()
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| EntryError::Op(error.to_string()))
    }
}

/// The state of a room after an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The number of that entry; 0 before the first.
    pub(crate) entry: u64,
    pub(crate) time: Time,
    pub(crate) state: State,
    /// The last events.
    pub(crate) events: Vec<Event>,
    /// The number of the last entry of each machine, but for those that are gone.
    #[serde(default)]
    pub(crate) heard: BTreeMap<u64, u64>,
}

impl Snapshot {
    /// The state of a room before its first entry: created at `time`, identical on every
    /// machine.
    pub(crate) fn first(beginning: Beginning, time: Time) -> Snapshot {
        let (state, events) = (State::new(beginning, time), Vec::new());
        Snapshot { entry: 0, time, state, events, heard: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: &[u8]) -> LogEntry {
        let time = Time::from_millis(0);
        LogEntry { number: 1, origin: 1, seq: 1, time, ids_above: 0, body: body.into() }
    }

    #[test]
    fn a_body_holds_its_ops_in_their_order() {
        let user = UserName::parse("김철수").expect("a name");
        let asked = vec![
            (
                By::Member(u64::MAX),
                Op::Join {
                    user,
                    quiet: None,
                    muted: None,
                    origin: 1,
                    comes_back: true,
                    stream: false,
                },
            ),
            (By::Operator, Op::Announce("one\ntwo \u{2028} \"three\"".into())),
            (By::Time, Op::EndIfEmpty { since: Time::from_millis(7) }),
        ];
        let mut body = EntryBody::new();
        asked.iter().for_each(|(by, op)| body.push(*by, op));
        assert_eq!(entry(&body.into_bytes()).ops(), Ok(asked));
        assert_eq!(entry(b"1").ops(), Ok(vec![]));
    }

    #[test]
    fn a_newer_programs_entry_is_refused_as_a_whole() {
        let is_unknown_op = |body: &[u8]| matches!(entry(body).ops(), Err(EntryError::Op(_)));
        assert_eq!(entry(b"").ops(), Err(EntryError::Format(None)));
        assert_eq!(entry(b"2[]").ops(), Err(EntryError::Format(Some(b'2'))));
        assert!(is_unknown_op(b"1[\"Operator\",\"End\"]\n[\"Operator\",\"Dance\"]\n"));
        assert!(is_unknown_op(b"1[\"Operator\",\"End\"]\n[\"Oper"));
        assert!(is_unknown_op(b"1\xff"));
    }
}
