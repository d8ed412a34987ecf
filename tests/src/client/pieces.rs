//! How a client's input and output are cut into pieces: by the server's reads, and by the kernels
//! in between.

use std::{
    io::{ErrorKind, Write},
    time::{Duration, Instant},
};

use super::TestClient;
use crate::{DEADLINE, kernel};

impl TestClient {
    /// Waits until the server has read everything sent so far, so that the next piece is in a
    /// read of its own.
    #[track_caller]
    pub fn wait_until_read(&self) -> &TestClient {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let addresses = (self.stream.local_addr(), self.stream.peer_addr());
            // A connection that was reset has no addresses, and nothing is waiting in it.
            let (Ok(own), Ok(server)) = addresses else { return self };
            match kernel::has_been_read(own, server) {
                Ok(true) => return self,
                Ok(false) if Instant::now() < deadline => std::thread::yield_now(),
                Ok(false) => self.fail("the server did not read what was sent"),
                Err(error) => self.fail(&format!("the kernel does not tell: {error}")),
            }
        }
    }

    /// An upper bound for the number of segments in which everything so far arrived; `None` if
    /// the kernel does not count them.
    #[track_caller]
    pub fn received_segments(&self) -> Option<u32> {
        let addresses = (self.stream.local_addr(), self.stream.peer_addr());
        let (Ok(own), Ok(server)) = addresses else { self.fail("not connected") };
        kernel::sent_segments(server, own)
            .unwrap_or_else(|error| self.fail(&format!("the kernel does not tell: {error}")))
    }

    /// Sends byte by byte, each when the server has read the one before.
    #[track_caller]
    pub fn send_byte_by_byte(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]).wait_until_read();
        }
    }

    /// Sends character by character, as a terminal in character mode does.
    #[track_caller]
    pub fn type_characters(&mut self, text: &str) {
        for character in text.chars() {
            self.send(character.to_string()).wait_until_read();
        }
    }

    /// Sends as much of this as the server reads and the kernels buffer: until nothing has gone
    /// out for `pause`. Returns how much was sent, and how much of everything ever sent the
    /// server has read, if the kernel tells.
    #[track_caller]
    pub fn flood(&mut self, bytes: &[u8], pause: Duration) -> (usize, Option<u64>) {
        let (mut sent, mut since) = (0, Instant::now());
        self.stream.set_nonblocking(true).expect("a socket takes it");
        while sent < bytes.len() && since.elapsed() < pause {
            match (&self.stream).write(&bytes[sent..]) {
                Ok(count) => (sent, since) = (sent + count, Instant::now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => self.fail(&format!("{error} after {sent} bytes")),
            }
        }
        self.stream.set_nonblocking(false).expect("a socket takes it");
        let addresses = (self.stream.local_addr(), self.stream.peer_addr());
        let (Ok(own), Ok(server)) = addresses else { self.fail("not connected") };
        let read = kernel::read_bytes(own, server);
        (
            sent,
            read.unwrap_or_else(|error| self.fail(&format!("the kernel does not tell: {error}"))),
        )
    }
}
