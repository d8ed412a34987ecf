//! The thread that waits for full sockets, sends what is queued for them, and ends connections
//! whose peers do not read.

use std::{
    collections::HashMap,
    io,
    net::TcpStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use madang_protocol::notice::Goodbye;
use polling::{Event, Events, Poller};

use crate::{
    close_reason::CloseReason,
    delivery::outbox::{Outbox, Waker},
    sync::Mutex,
    transport::WriteSide as _,
};

/// The poller and the outboxes waiting for it.
pub(crate) struct Drainer {
    poller: Poller,
    /// Every outbox with queued bytes, by connection number. Numbers are never reused, so a
    /// late event cannot reach another connection.
    waiting: Mutex<HashMap<u64, Arc<Outbox>>>,
    stall_timeout: Duration,
    stopping: AtomicBool,
}

impl Drainer {
    /// Starts the thread. It ends after [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// If the system cannot create a poller or a thread.
    pub(crate) fn start(stall_timeout: Duration) -> io::Result<(Arc<Drainer>, JoinHandle<()>)> {
        let drainer = Arc::new(Drainer {
            poller: Poller::new()?,
            waiting: Mutex::new(HashMap::new()),
            stall_timeout,
            stopping: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new().name("drainer".into()).spawn({
            let drainer = drainer.clone();
            move || drainer.run()
        })?;
        Ok((drainer, thread))
    }

    /// Stops the thread. Queued bytes are not sent any more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = self.poller.notify() {
            tracing::error!(%error, "failed to wake the drainer");
        }
    }

    /// The number of outboxes waiting for their sockets.
    pub(crate) fn queue_len(&self) -> usize {
        self.waiting.lock().len()
    }

    fn run(&self) {
        let mut events = Events::new();
        let mut next_check = Instant::now() + self.stall_timeout;
        while !self.stopping.load(Ordering::Acquire) {
            events.clear();
            let patience = next_check.saturating_duration_since(Instant::now());
            if let Err(error) = self.poller.wait(&mut events, Some(patience)) {
                tracing::error!(%error, "failed to wait for full sockets");
                std::thread::sleep(Duration::from_millis(10));
            }
            for event in events.iter() {
                let outbox = self.waiting.lock().get(&(event.key as u64)).cloned();
                if let Some(outbox) = outbox
                    && catch_unwind(AssertUnwindSafe(|| outbox.drain())).is_err()
                {
                    outbox.end(CloseReason::Told(Goodbye::Internal));
                }
            }
            let now = Instant::now();
            if now >= next_check {
                next_check = self.end_stalled(now);
            }
        }
    }

    /// Ends connections with entries that have waited too long, and returns when to check
    /// again. Entries queued later are due later.
    fn end_stalled(&self, now: Instant) -> Instant {
        let waiting: Vec<Arc<Outbox>> = self.waiting.lock().values().cloned().collect();
        let mut next_check = now + self.stall_timeout;
        for outbox in waiting {
            match outbox.waiting_since() {
                Some(since) if since + self.stall_timeout <= now => {
                    outbox.end(CloseReason::Stalled);
                }
                Some(since) => next_check = next_check.min(since + self.stall_timeout),
                None => {}
            }
        }
        next_check
    }
}

impl Waker for Drainer {
    // A socket must be removed from the poller before it is closed. The outbox does this when
    // it releases its sink; nothing else drops a sink.
    #[allow(unsafe_code)]
    fn arm(&self, outbox: &Arc<Outbox>, socket: Option<&TcpStream>, first: bool) -> io::Result<()> {
        self.waiting.lock().insert(outbox.number(), outbox.clone());
        let Some(socket) = socket else { return Ok(()) };
        let event = Event::writable(outbox.number() as usize);
        if first {
            // SAFETY: see above.
            unsafe { self.poller.add(socket, event) }
        } else {
            self.poller.modify(socket, event)
        }
    }

    fn disarm(&self, number: u64, socket: Option<&TcpStream>) {
        self.waiting.lock().remove(&number);
        if let Some(socket) = socket
            && let Err(error) = self.poller.delete(socket)
        {
            tracing::error!(%error, "failed to remove a socket from the poller");
        }
    }
}
