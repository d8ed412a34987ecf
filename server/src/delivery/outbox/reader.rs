//! The outbox as seen by the thread that reads the socket: its TLS session, and the
//! [`WriteSide`] of its transport.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{event::WireNote, text::LineEnd};

use super::Outbox;
use crate::{
    delivery::sink::TcpSink,
    transport::{
        Pieces, WriteSide,
        tls::{Decrypted, TlsSession},
    },
};

impl TlsSession for Outbox {
    fn receive(&self, space: &mut [u8]) -> io::Result<Decrypted> {
        let mut state = self.state.lock();
        match state.sink.as_mut().and_then(|sink| sink.tls()) {
            Some(session) => session.receive(space),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&self) -> io::Result<bool> {
        match self.state.lock().sink.as_mut().and_then(|sink| sink.tls()) {
            Some(session) => session.flush(),
            None => Ok(true),
        }
    }

    fn watch_records(&self, watched: bool) {
        if let Some(session) = self.state.lock().sink.as_mut().and_then(|sink| sink.tls()) {
            session.watch_records(watched);
        }
    }

    fn take_records(&self) -> Vec<usize> {
        let mut state = self.state.lock();
        let session = state.sink.as_mut().and_then(|sink| sink.tls());
        session.map(|session| session.take_records()).unwrap_or_default()
    }

    fn give_up(&self) {
        let mut state = self.state.lock();
        if let Some(session) = state.sink.as_mut().and_then(|sink| sink.tls()) {
            let stream = session.stream();
            state.sink = Some(Box::new(TcpSink::new(stream)));
        }
    }
}

impl WriteSide for Outbox {
    fn send_control(self: Arc<Self>, bytes: &[u8]) {
        self.push_bytes(bytes);
        self.explain_control(bytes);
    }

    fn note_close_frame(&self, code: Option<u16>) {
        self.state.lock().close_frame = Some(code);
    }

    fn waiting_since(&self) -> Option<Instant> {
        self.state.lock().queue.waiting_since()
    }

    fn held_up(&self) -> Duration {
        self.state.lock().held_up
    }

    fn end_lines_with(&self, line_end: LineEnd) {
        let mut state = self.state.lock();
        state.form = state.form.ending_with(line_end);
    }

    fn change_pieces(&self, pieces: Pieces) {
        self.state.lock().pieces = pieces;
    }

    fn explain(self: Arc<Self>, note: WireNote) {
        self.tell_note(note);
    }

    fn shows_details(&self, like: fn(&WireNote) -> bool) -> bool {
        self.shows_note(like)
    }
}
