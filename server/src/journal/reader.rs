//! The thread that reads the journal for members: older history, searches, and pages of
//! transcripts. Requests take turns in slices, so that a long search delays nobody for long;
//! history comes first. Requesters wait for their answers.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Sender, bounded};
use madang_protocol::event::{Event, Time};

use super::{
    past::{Found, Past, ReadBounds, Span},
    search::Query,
};
use crate::sync::{Condvar, Mutex};

/// How long one request may read before the next has its turn.
const SLICE: Duration = Duration::from_millis(10);

/// How long a search may take, not counting waits.
pub(crate) const SEARCH_TIME: Duration = Duration::from_millis(250);

/// How many requests may wait.
const MOST_WAITING: usize = 64;

/// How long to wait for an answer: longer than all other searches together.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much lower the priority of reading is (Unix `nice`).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// A request.
pub(crate) struct Request {
    pub(crate) kind: ReadKind,
    pub(crate) span: Span,
    /// The earliest moment that the requester may read.
    pub(crate) reach: Time,
    /// The maximum number of events.
    pub(crate) events: usize,
    /// The maximum size of the events when sent, in bytes.
    pub(crate) bytes: usize,
    /// Which events to return, leaving out ignored people.
    pub(crate) keep: Box<dyn FnMut(&Event) -> bool + Send>,
}

/// The kind of a request.
#[derive(Debug)]
pub(crate) enum ReadKind {
    /// The newest events.
    History,
    /// The first events.
    Beginning,
    /// The newest messages that match the query.
    Search(Query),
}

impl Work {
    /// Lower is more urgent.
    fn urgency(&self) -> u8 {
        match self {
            Work::Job(job) if !matches!(job.request.kind, ReadKind::Search(_)) => 0,
            Work::Job(_) | Work::Look(_) => 1,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// Too many requests are waiting.
    Busy,
    /// The disk fails, or the server is stopping.
    Failed,
}

/// Handles requests.
#[derive(Default)]
pub(crate) struct Reader {
    state: Mutex<ReaderState>,
    /// Signalled by a new request, and at the end.
    asked: Condvar,
}

#[derive(Default)]
struct ReaderState {
    waiting: VecDeque<Work>,
    is_closed: bool,
}

/// A unit of work.
enum Work {
    /// A slice of a request.
    Job(Box<Job>),
    /// Something that takes no longer than a slice, and answers by itself.
    Look(Box<dyn FnOnce(&Past) + Send>),
}

/// A request in progress.
struct Job {
    request: Request,
    /// The result so far.
    found: Option<Found>,
    /// Whether nothing older may be read, for the first events.
    earliest: bool,
    /// How much time it has left.
    left: Duration,
    answer: Sender<Result<Found, ReadError>>,
}

impl Reader {
    /// Handles a request; blocks until it is done, in the order of urgency.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub(crate) fn read(&self, request: Request) -> Result<Found, ReadError> {
        let (answer, answered) = bounded(1);
        {
            let mut state = self.state.lock();
            if state.is_closed {
                return Err(ReadError::Failed);
            }
            if state.waiting.len() >= MOST_WAITING {
                return Err(ReadError::Busy);
            }
            let left = match request.kind {
                ReadKind::Search(_) => SEARCH_TIME,
                ReadKind::History | ReadKind::Beginning => PATIENCE,
            };
            let job = Box::new(Job { request, found: None, earliest: false, left, answer });
            state.waiting.push_back(Work::Job(job));
            self.asked.notify_all();
        }
        answered.recv_timeout(PATIENCE).unwrap_or(Err(ReadError::Failed))
    }

    /// Runs something that takes no longer than a slice; blocks until its turn, which is that
    /// of a search. Only downloads use it, and there are few.
    ///
    /// # Errors
    ///
    /// [`ReadError::Failed`].
    pub(crate) fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Past) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (answer, answered) = bounded(1);
        // The requester may be gone.
        let look = move |past: &Past| drop(answer.send(look(past)));
        {
            let mut state = self.state.lock();
            if state.is_closed {
                return Err(ReadError::Failed);
            }
            state.waiting.push_back(Work::Look(Box::new(look)));
            self.asked.notify_all();
        }
        match answered.recv_timeout(PATIENCE) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::error!(%error, "failed to read the journal");
                Err(ReadError::Failed)
            }
            Err(_) => Err(ReadError::Failed),
        }
    }

    /// Starts the thread, which ends when the reader is [closed](Self::close).
    ///
    /// # Errors
    ///
    /// If the system can't create a thread.
    pub(crate) fn start(self: Arc<Self>, past: Past) -> io::Result<JoinHandle<()>> {
        thread::Builder::new().name("history".into()).spawn(move || {
            be_nice();
            while let Some(work) = self.next() {
                let mut job = match work {
                    Work::Job(job) => job,
                    Work::Look(look) => {
                        look(&past);
                        continue;
                    }
                };
                match job.slice(&past) {
                    Ok(false) => self.state.lock().waiting.push_back(Work::Job(job)),
                    // The requester may be gone.
                    Ok(true) => {
                        let found = job.found.take().ok_or(ReadError::Failed);
                        drop(job.answer.send(found));
                    }
                    Err(error) => {
                        tracing::error!(%error, "failed to read the journal");
                        drop(job.answer.send(Err(ReadError::Failed)));
                    }
                }
            }
        })
    }

    /// Answers no more requests.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        for work in state.waiting.drain(..) {
            if let Work::Job(job) = work {
                drop(job.answer.send(Err(ReadError::Failed)));
            }
        }
        self.asked.notify_all();
    }

    /// The number of waiting requests.
    #[cfg(all(test, not(feature = "shuttle")))]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// The most urgent work; of equally urgent ones, the oldest.
    fn next(&self) -> Option<Work> {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return None;
            }
            let waiting = state.waiting.iter().enumerate();
            let first = waiting.min_by_key(|(at, work)| (work.urgency(), *at));
            if let Some((at, _)) = first {
                return state.waiting.remove(at);
            }
            self.asked.wait(&mut state);
        }
    }
}

impl Job {
    /// Continues for a slice of time; returns whether it is done.
    fn slice(&mut self, past: &Past) -> rusqlite::Result<bool> {
        let Request { kind, span, reach, events, bytes, keep } = &mut self.request;
        let began = Instant::now();
        let bounds =
            ReadBounds { events: *events, bytes: *bytes, deadline: began + SLICE.min(self.left) };
        let is_forward = matches!(kind, ReadKind::Beginning);
        if is_forward && self.found.is_none() {
            let first = past.first_since(span.room, span.since)?;
            span.after = span.after.max(first.map_or(u64::MAX, |first| first - 1));
            let before = past.last_up_to(span.room, span.after)?;
            self.earliest = before.is_none_or(|time| time < *reach);
        }
        let mut more = match kind {
            ReadKind::Search(query) => past.search(span, query, bounds, keep)?,
            ReadKind::History => past.newest(span, bounds, keep)?,
            ReadKind::Beginning => past.first(span, bounds, keep)?,
        };
        more.earliest |= self.earliest;
        if !matches!(kind, ReadKind::Search(_)) {
            // Up to both ends of the span, where there is nothing more; not before what may be
            // read.
            let is_unlimited = span.since.as_millis() == 0;
            let from = match more.is_all && is_unlimited || is_forward {
                true => span.after.saturating_add(1),
                false => more.looked_to,
            };
            let is_up_to_there = is_forward && !more.is_all;
            let to = if is_up_to_there { more.looked_to } else { span.before };
            more.gaps = past.holes_within(span.room, from, to)?;
        }
        *events -= more.events.len();
        let taken = more.events.iter().map(Event::encoded_bytes).sum();
        *bytes = bytes.saturating_sub(taken);
        *(if is_forward { &mut span.after } else { &mut span.before }) = more.looked_to;
        self.left = self.left.saturating_sub(began.elapsed());
        let is_done = more.is_all || more.is_full || self.left.is_zero();
        self.found = Some(match self.found.take() {
            None => more,
            Some(found) => more.joined_to(found, !is_forward),
        });
        Ok(is_done)
    }
}

/// Lowers the thread's priority, in case it shares a core with the conversation.
fn be_nice() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "failed to lower the priority of reading");
    }
}
