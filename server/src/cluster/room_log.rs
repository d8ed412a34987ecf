//! The log of one room: it hands what the room appends to its uplink, and the room's wish to hear
//! to the hearer.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use crossbeam_channel::{Sender, bounded};

use super::{
    connection::{PATIENCE, Redis},
    hearer::{Follow, Hearing},
    keeping::Keeping,
    kicks::write_kicks,
    leases,
    link::Link,
    place::LogPlace,
    restoring::OfferedState,
    sealed::Sealed,
    session_records::SessionJob,
    uplink::Sending,
};
use crate::{
    clock,
    room::{
        Room,
        kicks::Kicks,
        log::{RoomLog, Snapshot},
    },
    sync::Mutex,
};

pub(super) fn next_seq(last_seq: &AtomicU64) -> u64 {
    last_seq.fetch_add(1, Ordering::Relaxed) + 1
}

/// The log of one room.
pub(super) struct Log {
    pub(super) redis: Redis,
    pub(super) origin: u64,
    pub(super) place: Arc<LogPlace>,
    pub(super) last_seq: Arc<AtomicU64>,
    pub(super) jobs: Sender<Sending>,
    pub(super) follows: Sender<Hearing>,
    pub(super) offers: Sender<OfferedState>,
    pub(super) sessions: Sender<SessionJob>,
    pub(super) link: Arc<Link>,
    /// How many rooms have ended here whose end Redis has still to take.
    pub(super) ending: Arc<AtomicUsize>,
    pub(super) entries_kept_after: u64,
    pub(super) bytes_kept_after: u64,
    pub(super) room: Mutex<Weak<Room>>,
}

impl Log {
    fn send(&self, job: Sending) {
        // Once the threads have ended, nothing is written.
        let _ = self.jobs.send(job);
    }
}

impl RoomLog for Log {
    fn origin(&self) -> u64 {
        self.origin
    }

    fn append(&self, body: Vec<u8>) -> u64 {
        let seq = next_seq(&self.last_seq);
        self.append_again(seq, body);
        seq
    }

    fn append_again(&self, seq: u64, body: Vec<u8>) {
        // A text that is sealed twice under one number is the same both times.
        let body = self.place.write(Sealed::Entry, (self.origin, seq), body);
        let (place, room) = (self.place.clone(), self.room.lock().clone());
        self.send(Sending::Append { place, seq, body, room, since: Instant::now() });
    }

    fn keep(&self, snapshot: Snapshot) {
        let (place, seq) = (self.place.clone(), next_seq(&self.last_seq));
        let kept = Keeping::Room(Box::new(snapshot));
        self.send(Sending::Keep { place, seq, kept, forgets: false });
    }

    fn forget_before(&self, snapshot: Snapshot) {
        let (place, seq) = (self.place.clone(), next_seq(&self.last_seq));
        let kept = Keeping::Room(Box::new(snapshot));
        self.send(Sending::Keep { place, seq, kept, forgets: true });
    }

    fn offer(&self, name: &Arc<str>, snapshot: Snapshot) {
        let (place, name) = (self.place.clone(), name.clone());
        // The keeper ends with the server.
        let kept = Keeping::Room(Box::new(snapshot));
        let _ = self.offers.send(OfferedState { place, name, kept });
    }

    fn entries_kept_after(&self) -> u64 {
        self.entries_kept_after
    }

    fn bytes_kept_after(&self) -> u64 {
        self.bytes_kept_after
    }

    fn first_id(&self) -> u64 {
        self.place.first
    }

    fn end(&self, next_id: u64, kicks: &Kicks) {
        // Nobody makes another room with the key of a private one.
        let kicks = match self.place.is_public() {
            true => write_kicks(kicks, clock::now()),
            false => Vec::new(),
        };
        self.ending.fetch_add(1, Ordering::Relaxed);
        let (place, ending) = (self.place.clone(), self.ending.clone());
        self.send(Sending::End { place, next_id, kicks, ending });
        let _ = self.follows.send(Hearing::End(self.place.clone(), self.room.lock().clone()));
        self.send(Sending::Wake);
    }

    fn is_archived(&self) -> bool {
        self.place.is_public() && self.link.is_archived()
    }

    fn follow(&self, room: &Arc<Room>, from: u64) {
        let (place, follower) = (self.place.clone(), Arc::downgrade(room));
        *self.room.lock() = follower.clone();
        if !place.life().is_zero() {
            self.send(Sending::LetLive(Arc::downgrade(&place)));
        }
        let (hears, heard) = bounded(0);
        let _ =
            self.follows.send(Hearing::Begin(Follow { place, room: follower, next: from }, hears));
        self.send(Sending::Wake);
        // What it has not heard by then follows.
        let _ = heard.recv_timeout(PATIENCE);
        if !self.place.life().is_zero()
            && let Err(error) = leases::bury_in(&self.redis, room, self.origin)
        {
            tracing::warn!(%error, "failed to find out which members' servers are gone");
        }
    }

    fn unfollow(&self) {
        let _ = self.follows.send(Hearing::LetGo(self.place.clone(), self.room.lock().clone()));
        self.send(Sending::Wake);
    }

    fn note_removed(&self, session: u64) {
        let _ = self.sessions.send(SessionJob::KeepRemoved(session));
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, net::TcpListener};

    use crossbeam_channel::unbounded;
    use madang_protocol::{event::Time, room::RoomName};

    use super::*;
    use crate::room::Beginning;

    #[test]
    fn what_a_pump_hands_to_its_log_waits_for_no_connection() {
        // A Redis that takes a connection and never answers: who made one would wait.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        silent.set_nonblocking(true).expect("it is set");
        let address = silent.local_addr().expect("an address");
        let redis = Redis::at(&format!("redis://{address}"), None).expect("an address");
        let (jobs, queue) = unbounded();
        let (follows, requests) = unbounded();
        let (offers, offered) = unbounded();
        let (sessions, removed) = unbounded();
        let name = RoomName::parse("math").expect("a name");
        let log = Log {
            redis,
            origin: 1,
            place: Arc::new(LogPlace::public(&name)),
            last_seq: Arc::default(),
            jobs,
            follows,
            offers,
            sessions,
            link: Arc::new(Link::new()),
            ending: Arc::default(),
            entries_kept_after: 10,
            bytes_kept_after: 1_000,
            room: Mutex::new(Weak::new()),
        };
        let snapshot = || Snapshot::first(Beginning::default(), Time::from_millis(0));
        let seq = log.append(b"said".to_vec());
        log.append_again(seq, b"said".to_vec());
        log.keep(snapshot());
        log.forget_before(snapshot());
        log.offer(&"math".into(), snapshot());
        log.note_removed(1);
        log.unfollow();
        log.end(1, &Kicks::default());
        let handed_over = [queue.len(), requests.len(), offered.len(), removed.len()];
        assert_eq!(handed_over, [7, 2, 1, 1], "all of it waits for other threads");
        let connected = silent.accept().map_err(|error| error.kind());
        assert_eq!(connected.err(), Some(ErrorKind::WouldBlock), "a connection was made");
    }
}
