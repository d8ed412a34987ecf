//! The log of a room that several machines share: its ops get their order there, and come back
//! to every machine that follows the room. What keeps it is the cluster's.

use std::sync::Arc;

use madang_protocol::{
    event::{Event, Time},
    room::RoomName,
};
use serde::{Deserialize, Serialize};

use super::{
    Room,
    op::{By, Op},
    state::{Beginning, State},
};

/// The form of an entry's body, its first byte.
const FORMAT: u8 = b'1';

/// What keeps the order of a room's ops.
pub(crate) trait RoomLog: Send + Sync {
    /// What tells this run of this machine's server from every other.
    fn origin(&self) -> u64;

    /// Takes an entry's body, and returns the number under which it is heard again. Never
    /// blocks. Until that one is heard, the room appends no other.
    fn append(&self, body: Vec<u8>) -> u64;

    /// Takes what the room is after an entry, for whoever opens it later. Never blocks.
    fn keep(&self, snapshot: Snapshot);

    /// The room has ended; its next event would have had this id. Never blocks.
    fn end(&self, next_id: u64);

    /// Has `room` hear the entries from this number on.
    fn follow(&self, room: &Arc<Room>, from: u64);
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
}

/// Nobody keeps the log at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreachable;

/// A room that several machines share.
pub(crate) struct SharedRoom {
    /// As whoever made it has written it.
    pub(crate) name: String,
    pub(crate) open: OpenLog,
}

/// A log, and what its room is after the last entry that needs no carrying out.
#[derive(Clone)]
pub(crate) struct OpenLog {
    pub(crate) log: Arc<dyn RoomLog>,
    pub(crate) snapshot: Snapshot,
}

/// Some ops, in the one order of their room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// Its place: the next has the next.
    pub(crate) number: u64,
    /// Who has [appended](RoomLog::append) it.
    pub(crate) origin: u64,
    /// The number that `append` returned there.
    pub(crate) seq: u64,
    /// When that was, for all that is decided by it.
    pub(crate) time: Time,
    pub(crate) body: Arc<[u8]>,
}

/// A body that this program can't read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EntryError {
    /// A newer program's, perhaps.
    #[error("entry of the unknown format {0:?}")]
    Format(Option<u8>),
    #[error("entry with an unknown op: {0}")]
    Op(String),
}

/// A body, as it is written.
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
    /// What is asked, and by whom.
    ///
    /// # Errors
    ///
    /// [`EntryError`]; then nothing of it is to be carried out.
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

/// What a room is after an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The number of that entry; 0 before the first.
    pub(crate) entry: u64,
    pub(crate) time: Time,
    pub(crate) state: State,
    /// The last events.
    pub(crate) events: Vec<Event>,
}

impl Snapshot {
    /// What a room is before its first entry: made at `time`, the same on every machine.
    pub(crate) fn first(beginning: Beginning, time: Time) -> Snapshot {
        Snapshot { entry: 0, time, state: State::new(beginning, time), events: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::name::UserName;

    use super::*;

    fn entry(body: &[u8]) -> LogEntry {
        let time = Time::from_millis(0);
        LogEntry { number: 1, origin: 1, seq: 1, time, body: body.into() }
    }

    #[test]
    fn a_body_holds_its_ops_in_their_order() {
        let user = UserName::parse("김철수").expect("a name");
        let asked = vec![
            (By::Member(u64::MAX), Op::Join { user, quiet: None, muted: None }),
            (By::Operator, Op::Announce("one\ntwo \u{2028} \"three\"".into())),
            (By::Time, Op::EndIfEmpty { since: Time::from_millis(7) }),
        ];
        let mut body = EntryBody::new();
        asked.iter().for_each(|(by, op)| body.push(*by, op));
        assert_eq!(entry(&body.into_bytes()).ops(), Ok(asked));
        assert_eq!(entry(b"1").ops(), Ok(vec![]));
    }

    #[test]
    fn what_a_newer_program_has_written_is_refused_whole() {
        let is_unknown_op = |body: &[u8]| matches!(entry(body).ops(), Err(EntryError::Op(_)));
        assert_eq!(entry(b"").ops(), Err(EntryError::Format(None)));
        assert_eq!(entry(b"2[]").ops(), Err(EntryError::Format(Some(b'2'))));
        assert!(is_unknown_op(b"1[\"Operator\",\"End\"]\n[\"Operator\",\"Dance\"]\n"));
        assert!(is_unknown_op(b"1[\"Operator\",\"End\"]\n[\"Oper"));
        assert!(is_unknown_op(b"1\xff"));
    }
}
