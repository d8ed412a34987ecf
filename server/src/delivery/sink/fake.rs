//! A fake socket for tests: takes as many bytes as it is allowed to, records them, and is its
//! own [`Waker`], which records that somebody waits.

use std::{
    io::{self, IoSlice},
    net::TcpStream,
    sync::Arc,
};

use super::{Sent, Sink};
use crate::{
    delivery::outbox::{Outbox, Waker},
    sync::{Condvar, Mutex},
};
#[cfg(not(feature = "shuttle"))]
use {
    crate::{delivery::outbox::Bounds, dialect::Form},
    std::time::Duration,
};

#[derive(Default)]
pub(crate) struct FakeSocket {
    pub(crate) state: Mutex<FakeState>,
    /// Signalled at every change of the state.
    pub(crate) changed: Condvar,
}

#[derive(Default)]
pub(crate) struct FakeState {
    /// How many more bytes it takes.
    pub(crate) space: usize,
    /// What it took, one piece per send; empty if it does not record.
    pub(crate) taken: Vec<Vec<u8>>,
    pub(crate) forgets: bool,
    /// Whether somebody waits for it to take more.
    pub(crate) armed: bool,
    pub(crate) gone: bool,
    pub(crate) panics: bool,
}

/// An outbox with a fake socket that is never full.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn connect(number: u64, form: Form) -> (Arc<FakeSocket>, Arc<Outbox>) {
    let socket = FakeSocket::with_space(usize::MAX);
    let bounds = Arc::new(Bounds::new(1_000, 1_000, Duration::ZERO));
    let outbox = Outbox::new(number, form, socket.sink(), bounds, socket.clone(), Arc::default());
    (socket, outbox)
}

impl FakeSocket {
    pub(crate) fn with_space(space: usize) -> Arc<FakeSocket> {
        let socket = FakeSocket::default();
        socket.state.lock().space = space;
        Arc::new(socket)
    }

    pub(crate) fn sink(self: &Arc<Self>) -> Box<dyn Sink> {
        Box::new(FakeSink { socket: self.clone(), calls: 0 })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut FakeState)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    /// Everything it took, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.state.lock().taken.concat()).expect("UTF-8 was sent")
    }
}

/// It wakes nobody: a test that gives the socket space drains the outbox itself.
impl Waker for FakeSocket {
    fn arm(&self, _: &Arc<Outbox>, _: Option<&TcpStream>, _: bool) -> io::Result<()> {
        self.change(|state| state.armed = true);
        Ok(())
    }

    fn disarm(&self, _: u64, _: Option<&TcpStream>) {
        self.change(|state| state.armed = false);
    }
}

struct FakeSink {
    socket: Arc<FakeSocket>,
    calls: usize,
}

impl Sink for FakeSink {
    fn send(&mut self, bytes: &[u8]) -> Sent {
        self.calls += 1;
        let mut state = self.socket.state.lock();
        assert!(!state.panics, "as the test asked");
        if state.gone {
            return Sent::Gone(io::ErrorKind::ConnectionReset.into());
        }
        let count = bytes.len().min(state.space);
        state.space -= count;
        if count > 0 && !state.forgets {
            state.taken.push(bytes[..count].to_vec());
        }
        Sent::Taken(count)
    }

    fn send_all(&mut self, pieces: &[IoSlice<'_>]) -> Sent {
        self.send(&pieces.iter().flat_map(|piece| piece.iter().copied()).collect::<Vec<u8>>())
    }

    fn shut_down(&mut self) {
        self.socket.change(|state| state.gone = true);
    }

    fn socket(&self) -> Option<&TcpStream> {
        None
    }

    fn calls(&self) -> usize {
        self.calls
    }
}
