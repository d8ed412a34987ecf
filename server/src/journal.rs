//! Durable history (`--data DIR`): messages of public rooms, saved on disk for as long as
//! `--keep` says. Private rooms and whispers are never saved.
//!
//! A room hands over what happened in a round and never waits ([`queue`]). One thread commits
//! ([`writer`]) to a SQLite database ([`store`], [`schema`]), another reads it for members
//! ([`reader`], [`past`]). At a start, [`kept`] is what the server before has left.
//! In a cluster, the journal is an archive ([`archived`]): nobody waits for it, and it restores
//! nothing. A [`transcript`] is written of its [`pages`]. [`export`] and [`recover`] work without a running
//! server.
//!
//! # Guarantees
//!
//! 1. An ack of a durable room says that its line is on disk, or, with `"durable":false`,
//!    that it may not be.
//! 2. A round never waits for the disk; a speaker does, before posting, except in a cluster.
//! 3. No id is given twice, whatever ended the server before.
//! 4. Without `--data`, nothing is ever written.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded};
pub(crate) use madang_protocol::search;
use madang_protocol::{
    event::Time,
    name::{NameKey, UserName},
    room::RoomName,
};

use self::{
    kept::Leftover,
    past::Past,
    queue::{Errand, Owed, WriteQueue},
    reader::Reader,
    retention::Retention,
    store::{OpenError, Store, Write},
    writer::Watch,
};
use crate::{
    clock,
    room::{
        event_ids::EventIds,
        lesson::{LessonChange, LessonFact},
        recorder::{OwedAck, Recorder, Round},
    },
    session::nonces::NonceKey,
    sync::Mutex,
};

mod folder;
#[cfg(target_os = "linux")]
mod file_system;
mod schema;
mod row;
pub mod store;
pub(crate) mod kept;
mod stays;
mod archived;
pub mod retention;
pub(crate) mod queue;
pub(crate) mod writer;
pub(crate) mod past;
pub(crate) mod reader;
pub(crate) mod pages;
pub(crate) mod transcript;
pub mod export;
pub mod recover;
mod salvage;

/// After an unclean end, ids continue this far above the highest known one: more than can have
/// been given without being saved.
const UNKNOWN_IDS: u64 = 1 << 20;

/// The configuration of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// The folder.
    pub data: PathBuf,
    /// What is kept, and for how long.
    pub retention: Retention,
    /// How far back members may read. Default: 24 h.
    pub reach: Duration,
    /// How long after a failure to try the disk again. Default: 5 s.
    pub retry: Duration,
}

impl JournalConfig {
    /// The defaults, for a folder.
    pub fn of(data: &Path) -> JournalConfig {
        JournalConfig {
            data: data.to_owned(),
            retention: Retention::DEFAULT,
            reach: Duration::from_secs(24 * 3_600),
            retry: writer::RETRY,
        }
    }
}

/// Saves what happens in public rooms, and reads it back.
pub(crate) struct Journal {
    queue: Arc<WriteQueue<Creditor>>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) nonce_key: NonceKey,
    ids: Arc<EventIds>,
    /// What an archive has.
    archived: Option<Archived>,
    reach: Duration,
    watch: Arc<dyn Watch>,
    /// Called with the time when overdue acks must be [checked](Self::pay_overdue).
    look_at: Box<dyn Fn(Instant) + Send + Sync>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
}

/// What an archive has.
struct Archived {
    /// Whether it was begun by this server: what was said before is not missing.
    is_new: bool,
    /// Up to which id each room is recorded.
    recorded_to: Mutex<HashMap<u64, u64>>,
    /// Until when what was said was deleted since the start, by room and person.
    deleted: Mutex<HashMap<(NameKey, Option<String>), Time>>,
}

impl Archived {
    fn with(recorded_to: HashMap<u64, u64>) -> Archived {
        let is_new = recorded_to.is_empty();
        Archived { is_new, recorded_to: Mutex::new(recorded_to), deleted: Mutex::default() }
    }
}

/// Whose messages a journal saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalOf {
    /// Those of the rooms of this server.
    Server,
    /// Those of the rooms that it shares with others: an archive.
    Cluster,
}

/// Why the journal can't start.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or its database can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system can't create a thread.
    #[error("failed to start the journal's threads: {0}")]
    Threads(#[from] io::Error),
}

impl Journal {
    /// Opens the folder and starts the threads. Also returns what the previous server has left,
    /// which is nothing in a cluster. `ids` is raised above all ids ever given.
    ///
    /// # Errors
    ///
    /// [`JournalError`].
    pub(crate) fn start(
        config: &JournalConfig,
        of: JournalOf,
        ids: Arc<EventIds>,
        watch: Arc<impl Watch>,
        look_at: impl Fn(Instant) + Send + Sync + 'static,
    ) -> Result<(Journal, Leftover), JournalError> {
        let mut store = Store::open(&config.data)?;
        let database = store.database();
        let failed = |error: rusqlite::Error| OpenError::Database {
            database: database.clone(),
            cause: error.to_string(),
        };
        let (kept, archived) = match of {
            JournalOf::Server => {
                store.leave_cluster().map_err(failed)?;
                store.end_attendance().map_err(failed)?;
                (store.kept().map_err(failed)?, None)
            }
            JournalOf::Cluster => {
                let recorded = store.recorded_to().map_err(failed)?;
                let highest = recorded.values().copied().max().unwrap_or(0);
                let kept = Leftover { highest, is_complete: true, ..Leftover::default() };
                (kept, Some(Archived::with(recorded)))
            }
        };
        let (low, high) = store.nonce_key().map_err(failed)?;
        // From here on, only a clean stop makes the history complete again.
        if of == JournalOf::Server {
            let crashes = kept.crashes.clone();
            store.write(&[Write::Started { crashes }]).map_err(failed)?;
        }
        let past = Past::open(&database).map_err(failed)?;
        ids.note(kept.highest + if kept.is_complete { 0 } else { UNKNOWN_IDS });
        let queue: Arc<WriteQueue<Creditor>> = match of {
            JournalOf::Server => Arc::default(),
            JournalOf::Cluster => Arc::new(WriteQueue::of_archive()),
        };
        let reader = Arc::<Reader>::default();
        let threads = Threads {
            writer: writer::start_writer(
                store,
                queue.clone(),
                watch.clone(),
                config.retention,
                config.retry,
            )?,
            reader: reader.clone().start(past)?,
        };
        let journal = Journal {
            queue,
            reader,
            nonce_key: NonceKey::new(low, high),
            ids,
            archived,
            reach: config.reach,
            watch,
            look_at: Box::new(look_at),
            threads: Mutex::new(Some(threads)),
        };
        Ok((journal, kept))
    }

    /// Has this be the archive of that cluster: what the folder has of another past goes on no more.
    pub(crate) fn archive(&self, cluster: String) {
        self.write(Write::Archives { cluster });
    }

    /// Saves something that does not come from a room.
    pub(crate) fn write(&self, write: Write) {
        self.queue.hand_over([write], []);
    }

    /// Waits until everything handed over is on disk, or `deadline`; returns whether it is.
    pub(crate) fn settle(&self, deadline: Instant) -> bool {
        let (done, is_done) = bounded(1);
        let handed = self.queue.hand_over([], [Creditor::Reader(done)]);
        handed.look_at.into_iter().for_each(|at| (self.look_at)(at));
        handed.unpromised.is_empty() && is_done.recv_deadline(deadline) == Ok(true)
    }

    /// Deletes the messages in rooms with this name, or those of one person. Blocks until that
    /// is done.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub(crate) fn forget(&self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String> {
        let (done, is_done) = bounded(1);
        self.queue.send_on_errand(Errand { room: room.clone(), name: name.cloned(), done });
        is_done.recv_timeout(queue::PATIENCE).unwrap_or_else(|error| Err(error.to_string()))
    }

    /// In an archive, deletes what was said in rooms with this name until then, or what one person
    /// said, after what is still to be written; once, however often it is asked for.
    pub(crate) fn forget_until(&self, room: &RoomName, name: Option<&UserName>, until: Time) {
        let Some(archived) = &self.archived else { return };
        let what = (room.key(), name.map(UserName::to_string));
        if archived.deleted.lock().insert(what, until) != Some(until) {
            let (room, name) = (room.clone(), name.cloned());
            self.write(Write::Forget { room, name, until: Some(until) });
        }
    }

    /// In an archive, records as a hole what is missing at the end of a room that it has messages
    /// of; the room's next event would have had this id.
    pub(crate) fn note_ended(&self, room: u64, next_id: u64) {
        let Some(archived) = &self.archived else { return };
        let mut known = archived.recorded_to.lock();
        let Some(recorded_to) = known.get_mut(&room).filter(|it| **it + 1 < next_id) else {
            return;
        };
        let hole = Write::Hole { room, first: *recorded_to + 1, last: next_id - 1 };
        *recorded_to = next_id - 1;
        let archived = Write::Archived { room, recorded_to: *recorded_to };
        self.queue.hand_over([hole, archived], []);
    }

    fn hand_over(
        &self,
        writes: impl IntoIterator<Item = Write>,
        owed: impl IntoIterator<Item = Creditor>,
    ) {
        let handed = self.queue.hand_over(writes, owed);
        handed.look_at.into_iter().for_each(|at| (self.look_at)(at));
        handed.unpromised.into_iter().for_each(|owed| owed.pay(false));
    }

    /// The size of unsaved data in bytes.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Whether the disk is failing, so that acks can promise nothing.
    pub(crate) fn is_degraded(&self) -> bool {
        self.queue.is_degraded()
    }

    /// How many events could not be saved.
    pub(crate) fn lost_events(&self) -> u64 {
        self.queue.lost_events()
    }

    /// Sends overdue acks without a promise. Returns when to check again, if there is anything
    /// left.
    pub(crate) fn pay_overdue(&self) -> Option<Instant> {
        let overdue = self.queue.look(Instant::now());
        if overdue.has_begun {
            self.watch.degraded(None);
        }
        overdue.owed.into_iter().for_each(|owed| owed.pay(false));
        overdue.look_at
    }

    /// Saves the rest, sends owed acks, and ends, by `deadline` at the latest: a hanging disk
    /// is left alone.
    pub(crate) fn stop(&self, deadline: Instant) {
        self.queue.hand_over([Write::Stopped(clock::now())], []);
        self.queue.close();
        self.reader.close();
        let Some(Threads { writer, reader }) = self.threads.lock().take() else { return };
        while !writer.is_finished() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if !writer.is_finished() {
            match self.queue.bytes() {
                0 => tracing::warn!("the disk hangs: the database was not closed; all is saved"),
                _ => tracing::error!("the disk hangs: the journal's last lines may be missing"),
            }
            let overdue = self.queue.look(Instant::now() + queue::PATIENCE);
            overdue.owed.into_iter().for_each(|owed| owed.pay(false));
        } else if writer.join().is_err() {
            tracing::error!("the journal's thread has panicked");
        }
        if reader.is_finished() && reader.join().is_err() {
            tracing::error!("the thread that reads the journal had panicked");
        }
    }
}

impl Recorder for Journal {
    fn is_waited_for(&self) -> bool {
        self.archived.is_none()
    }

    fn recorded_to(&self, room: u64) -> Option<u64> {
        let Archived { is_new, recorded_to, .. } = self.archived.as_ref()?;
        // A room that was made while the archive was away lacks its beginning.
        let before = (!is_new).then(|| room.saturating_sub(1));
        recorded_to.lock().get(&room).copied().or(before)
    }

    fn wait_for_space(&self) {
        self.queue.wait_for_space();
    }

    fn record(&self, round: &mut Round) {
        let room = round.room;
        let opened = std::mem::take(&mut round.is_first)
            .then(|| Write::Opened { room, name: round.name.clone() });
        let lasting = round.lasting.take().map(|state| Write::State { room, state });
        let ended = round.ended.take().map(|time| Write::Ended { room, time });
        let attended = round.attended.take().into_iter().flat_map(|(lesson, attended)| {
            let write = move |(name, attended)| Write::Attended { lesson, room, name, attended };
            attended.into_iter().map(write)
        });
        // Which sessions have said what is for a restart; archives of the same rooms are equal.
        let is_archive = self.archived.is_some();
        let events = round.events.drain(..).map(|recorded| Write::Event {
            room,
            event: recorded.event,
            session: if is_archive { 0 } else { recorded.session },
            nonce: recorded.nonce.map(|nonce| self.nonce_key.hash(&nonce)),
        });
        let holes = round.holes.drain(..).map(|(first, last)| Write::Hole { room, first, last });
        let archived = round.recorded_to.take().map(|recorded_to| {
            if let Some(archived) = &self.archived {
                archived.recorded_to.lock().insert(room, recorded_to);
            }
            Write::Archived { room, recorded_to }
        });
        let highest = Write::Highest(self.ids.highest());
        let writes = opened.into_iter().chain(events).chain(holes).chain(lasting).chain(attended);
        let writes = writes.chain(ended).chain(archived).chain([highest]);
        self.hand_over(writes, round.owed.drain(..).map(Creditor::Speaker));
    }

    fn forget_recorded(&self, room: RoomName, name: Option<UserName>) {
        self.write(Write::Forget { room, name, until: None });
    }

    fn members_reach(&self, now: Time) -> Time {
        let reach = i64::try_from(self.reach.as_millis()).unwrap_or(i64::MAX);
        Time::from_millis(now.as_millis().saturating_sub(reach))
    }

    fn owe(&self, ack: OwedAck) {
        self.hand_over([], [Creditor::Speaker(ack)]);
    }

    fn record_lesson(&self, fact: &LessonFact) {
        let over = matches!(fact.change, LessonChange::Begun { .. } | LessonChange::Ended { .. });
        let over = over.then_some(Write::LessonOver);
        let lasting = fact.lasting().map(|fact| {
            let fact = serde_json::to_string(&fact).expect("plain data");
            Write::Lesson { fact }
        });
        self.hand_over(over.into_iter().chain(lasting), []);
    }
}

/// The receiver of a commit's result.
pub(crate) enum Creditor {
    /// A speaker, through an ack.
    Speaker(OwedAck),
    /// A reader of recent messages.
    Reader(Sender<bool>),
}

impl Owed for Creditor {
    fn pay(self, is_durable: bool) {
        match self {
            Creditor::Speaker(ack) => ack.pay(is_durable),
            // A reader that waited too long is gone.
            Creditor::Reader(done) => drop(done.send(is_durable)),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
#[cfg(all(test, not(feature = "shuttle")))]
mod crash_tests;
#[cfg(all(test, not(feature = "shuttle")))]
mod version_tests;
#[cfg(all(test, not(feature = "shuttle")))]
mod start_tests;
