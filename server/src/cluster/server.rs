//! What the cluster needs from its own server, which provides it.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use crossbeam_channel::Receiver;
use madang_protocol::room::RoomName;

use super::{ended_rooms::EndedRoom, orders::StandingOrder};
use crate::{
    room::{Room, directory::Rooms},
    session::{token::TokenHash, user_manager::Taker},
};

/// The server on this machine, for the cluster's threads.
pub(crate) trait ClusterServer: Send + Sync {
    /// Removes a room that has ended, perhaps because another server has ended it.
    fn room_ended(&self, room: &Room);

    fn rooms(&self) -> &Rooms;

    /// Ends a room once it has been empty for long enough.
    fn end_room_when_empty(&self, room: &Arc<Room>);

    /// Redis can't be reached, or refuses to write.
    fn redis_away(&self, why: &str);

    /// It can be used again, or the number of servers has changed.
    fn linked(&self, servers: usize);

    /// Another server archives the cluster from now on, or none does any more.
    fn archived(&self, is_archived: bool);

    /// The other servers took this one for dead, and nothing is taken from it any more.
    fn fenced(&self);

    /// How long a session without a connection is waited for.
    fn resume_window(&self) -> Duration;

    /// Hands the session with this token over to another server, once its connection has let it
    /// go. Must not block.
    fn give_session(&self, token: &TokenHash, taker: Taker) -> Given;

    /// The session with this number was removed from its room: its record is kept again. Must not
    /// block.
    fn session_removed(&self, session: u64);

    /// Another server has the session with this number now.
    fn session_given(&self, session: u64);

    /// Has the lesson know that whoever was on that server, and is in none of the public rooms any
    /// more, can't come back; `present` are those who are. False if it has to be tried again.
    fn stranded(&self, dead: u64, present: &HashSet<u64>) -> bool;

    /// Has the lesson know that nobody comes back any more who was on that server; false if it
    /// has to be tried again.
    fn unclaimed(&self, dead: u64) -> bool;

    /// Claims all names again, and keeps all sessions again, because Redis may have lost that.
    /// Blocks for a few seconds at most; what is returned tells when all sessions are kept. None
    /// if it has to be tried again.
    fn claim_again(&self) -> Option<Receiver<()>>;

    /// Has what was restored of the lesson heard by all servers. Must not block.
    fn lesson_restored(&self);

    /// Tells the members of a room that Redis had lost messages; once under this number.
    fn tell_restored(&self, room: &Room, number: u64);

    /// The operator's orders that hold on every server, as far as this one knows them, by name.
    fn orders(&self) -> Vec<(String, StandingOrder)>;

    /// Takes over the operator's orders that hold on every server, before anybody is in its rooms.
    fn begin_with_orders(&self, orders: &[StandingOrder]);

    /// The same later: rooms are told what is new to this server. Must not block.
    fn take_orders(&self, orders: &[StandingOrder]);

    /// Opens a public room that exists, to archive it; false if it has to be tried again. Blocks
    /// while the disk can't keep up.
    fn archive_room(&self, name: &RoomName) -> bool;

    /// All public rooms that exist are archived, and these have ended: a hole is recorded where
    /// their last messages are missing. Returns those that are still open here, to be noted later.
    fn note_all_archived(&self, ended: Vec<EndedRoom>) -> Vec<EndedRoom>;

    /// Whether the answer to another server's question has to wait for rooms.
    fn must_wait(&self, question: &[u8]) -> bool;

    /// Answers another server's question. Must not block unless it [must wait](Self::must_wait).
    fn answer(&self, question: &[u8]) -> Vec<u8>;
}

/// What becomes of a session that another server has asked for.
pub(crate) enum Given {
    /// It is handed over, now or soon.
    HandedOver,
    /// There is none.
    Unknown,
    /// It has ended; its number.
    Ended(u64),
}

/// The server, once it has started and until it has stopped.
#[derive(Clone, Default)]
pub(super) struct OwnServer(Arc<OnceLock<Weak<dyn ClusterServer>>>);

impl OwnServer {
    pub(super) fn set(&self, server: Weak<dyn ClusterServer>) {
        // Only the first counts; there is one server.
        let _ = self.0.set(server);
    }

    pub(super) fn get(&self) -> Option<Arc<dyn ClusterServer>> {
        self.0.get()?.upgrade()
    }
}
