//! Moves bytes from the queue to the sink, in the pieces that the peer needs.

use std::io::IoSlice;

use super::OutboxState;
use crate::{
    delivery::sink::{Sent, Sink},
    transport::Pieces,
};

/// The most pieces sent in one system call.
const PIECES: usize = 64;

impl OutboxState {
    /// Offers `bytes`, which must not be empty, to the sink in the pieces that the peer needs.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Sent {
        match &mut self.sink {
            Some(sink) => send_pieces(&mut **sink, bytes, self.pieces),
            None => Sent::Taken(0),
        }
    }

    /// Offers the front of the queue to the sink; also returns how many bytes it offered.
    pub(super) fn send_queued(&mut self) -> (Sent, usize) {
        let OutboxState { sink: Some(sink), queue, pieces, .. } = self else {
            return (Sent::Taken(0), 0);
        };
        let parts = queue.pieces(match pieces {
            Pieces::Batches => PIECES,
            Pieces::Lines => 1,
        });
        let offered = parts.iter().map(|part| part.len()).sum();
        let sent = match parts[..] {
            [part] => send_pieces(&mut **sink, part, *pieces),
            _ => {
                let parts: Vec<IoSlice<'_>> = parts.into_iter().map(IoSlice::new).collect();
                sink.send_all(&parts)
            }
        };
        (sent, offered)
    }
}

fn send_pieces(sink: &mut dyn Sink, bytes: &[u8], pieces: Pieces) -> Sent {
    if pieces == Pieces::Batches {
        return sink.send(bytes);
    }
    let mut taken = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match sink.send(line) {
            Sent::Taken(count) if count == line.len() => taken += count,
            Sent::Taken(count) => return Sent::Taken(taken + count),
            gone => return gone,
        }
    }
    Sent::Taken(taken)
}
