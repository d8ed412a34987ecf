//! Whether this server takes part in the cluster, and in which run of Redis: what the keeper, the
//! hearer and the server itself know of it.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::sync::Mutex;

/// Whether this server takes part, and with how many others.
pub(super) struct Link {
    /// Whether its lease was renewed the last time it tried.
    is_linked: AtomicBool,
    /// How many servers there are, with this one.
    servers: AtomicUsize,
    /// Until when the cluster counts as archived; none if no server archived it.
    archived_until: Mutex<Option<Instant>>,
    /// Whether the others have taken it for dead.
    is_fenced: AtomicBool,
    /// The run of Redis that the hearer is connected to, the one that this server has offered what it
    /// has, and the one that the keeper is connected to.
    runs: Mutex<[String; 3]>,
    /// Sent to when the hearer comes to another run.
    other_run: Sender<()>,
    comes_to_run: Receiver<()>,
    /// Sent to once the others have taken it for dead.
    fence: Sender<()>,
    fenced: Receiver<()>,
}

impl Link {
    pub(super) fn new() -> Link {
        let (fence, fenced) = bounded(1);
        let (is_linked, servers) = (AtomicBool::new(false), AtomicUsize::new(0));
        let is_fenced = AtomicBool::new(false);
        let (other_run, comes_to_run) = bounded(1);
        let (runs, archived_until) = (Mutex::default(), Mutex::default());
        Link {
            is_linked,
            servers,
            archived_until,
            is_fenced,
            runs,
            other_run,
            comes_to_run,
            fence,
            fenced,
        }
    }

    /// The lease was renewed, and there are so many servers.
    pub(super) fn note_renewed(&self, servers: usize) {
        self.servers.store(servers, Ordering::Relaxed);
        self.is_linked.store(true, Ordering::Relaxed);
    }

    /// A server archives the cluster, which counts as archived until then.
    pub(super) fn note_archived_until(&self, until: Instant) {
        *self.archived_until.lock() = Some(until);
    }

    /// Whether a server archives the cluster, or did a moment ago.
    pub(super) fn is_archived(&self) -> bool {
        self.archived_until.lock().is_some_and(|until| Instant::now() < until)
    }

    /// The lease could not be renewed.
    pub(super) fn note_away(&self) {
        self.is_linked.store(false, Ordering::Relaxed);
    }

    /// The others have taken this server for dead.
    pub(super) fn note_fenced(&self) {
        self.is_linked.store(false, Ordering::Relaxed);
        self.is_fenced.store(true, Ordering::Relaxed);
    }

    /// Says so where that is waited for.
    pub(super) fn tell_fenced(&self) {
        // It holds one, and one was said.
        let _ = self.fence.try_send(());
    }

    /// Where it is said that the hearer has come to another run.
    pub(super) fn comes_to_run(&self) -> &Receiver<()> {
        &self.comes_to_run
    }

    /// From now on, rooms hear nothing but what this run of Redis has, once it was offered what they
    /// have.
    pub(super) fn hear_run(&self, run: &str) {
        let mut runs = self.runs.lock();
        if runs[0] != run {
            run.clone_into(&mut runs[0]);
            // One that is not taken yet will do.
            let _ = self.other_run.try_send(());
        }
    }

    /// Whether that is this run.
    pub(super) fn hears_run(&self, run: &str) -> bool {
        self.runs.lock()[0] == run
    }

    /// The keeper is connected to this run.
    pub(super) fn keep_to(&self, run: &str) {
        run.clone_into(&mut self.runs.lock()[2]);
    }

    /// Whether the keeper is connected to another run than the hearer: a primary that has become a
    /// replica ends no connection, and repeats what its own primary publishes.
    pub(super) fn is_left_behind(&self) -> bool {
        let runs = self.runs.lock();
        !runs[2].is_empty() && runs[2] != runs[0]
    }

    /// This run has been offered what rooms have.
    pub(super) fn note_offered(&self, run: &str) {
        run.clone_into(&mut self.runs.lock()[1]);
    }

    /// Whether this run has been offered what rooms have.
    pub(super) fn has_offered(&self, run: &str) -> bool {
        self.runs.lock()[1] == run
    }

    /// Whether this server reaches Redis and counts as alive.
    pub(super) fn is_linked(&self) -> bool {
        self.is_linked.load(Ordering::Relaxed)
    }

    /// Whether the others have taken it for dead.
    pub(super) fn is_fenced(&self) -> bool {
        self.is_fenced.load(Ordering::Relaxed)
    }

    /// Where it is said that the others have taken it for dead.
    pub(super) fn fenced(&self) -> Receiver<()> {
        self.fenced.clone()
    }

    pub(super) fn servers(&self) -> usize {
        self.servers.load(Ordering::Relaxed)
    }
}
