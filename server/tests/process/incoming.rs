//! The output of a socket or a pipe, awaited with a deadline. Nothing is read unless a test waits
//! for it: a pipe that nobody waits for is a blocked pipe.

use std::{
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec};

/// How long an expected output may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes read from one stream.
pub(crate) struct Incoming {
    name: String,
    source: OwnedFd,
    bytes: Vec<u8>,
    /// How many of them a test has consumed.
    seen: usize,
}

impl Incoming {
    pub(crate) fn new(name: impl Into<String>, source: impl Into<OwnedFd>) -> Incoming {
        Incoming { name: name.into(), source: source.into(), bytes: Vec::new(), seen: 0 }
    }

    /// Waits until `text` has arrived, and returns what came before it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.expect_any([text]).1
    }

    /// Waits until one of `texts` has arrived; returns which, and what came before it.
    #[track_caller]
    pub(crate) fn expect_any<const N: usize>(&mut self, texts: [&str; N]) -> (usize, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new = &self.bytes[self.seen..];
            let found = texts.iter().enumerate().filter_map(|(which, text)| {
                let at = new.windows(text.len()).position(|window| window == text.as_bytes())?;
                Some((at, which))
            });
            if let Some((at, which)) = found.min() {
                let before = String::from_utf8_lossy(&new[..at]).into_owned();
                self.seen += at + texts[which].len();
                return (which, before);
            }
            match self.read(deadline) {
                Ok(0) => panic!("{} ended without {texts:?}\n{self}", self.name),
                Ok(_) => {}
                Err(error) => panic!("{}: {error}, without {texts:?}\n{self}", self.name),
            }
        }
    }

    /// Waits for the end of the stream, and returns what came before it.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> String {
        if let Err(error) = self.read_to_end(Instant::now() + PATIENCE) {
            panic!("{}: {error}, not its end\n{self}", self.name);
        }
        let rest = String::from_utf8_lossy(&self.bytes[self.seen..]).into_owned();
        self.seen = self.bytes.len();
        rest
    }

    /// Everything read so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn read_to_end(&mut self, deadline: Instant) -> io::Result<()> {
        while self.read(deadline)? > 0 {}
        Ok(())
    }

    /// Waits until a pipe holds this many unread bytes.
    #[track_caller]
    pub(crate) fn expect_unread(&self, bytes: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unread = rustix::io::ioctl_fionread(&self.source).expect("a pipe knows");
            if unread >= bytes {
                return;
            }
            assert!(Instant::now() < deadline, "{} holds {unread} bytes, not {bytes}", self.name);
            std::thread::yield_now();
        }
    }

    /// Reads once; 0 is the end.
    pub(crate) fn read(&mut self, deadline: Instant) -> io::Result<usize> {
        // Available bytes are read even if this thread is late.
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).expect("a few seconds");
        let mut fds = [PollFd::new(&self.source, PollFlags::IN)];
        if rustix::event::poll(&mut fds, Some(&timeout))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut buffer = [0; 16 * 1_024];
        let count = rustix::io::read(&self.source, &mut buffer)?;
        self.bytes.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

/// The transcript for a failure, escaped so that it can't disturb the terminal.
impl std::fmt::Display for Incoming {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(formatter, "all that has come from {}:", self.name)?;
        for line in self.bytes.split_inclusive(|byte| *byte == b'\n') {
            writeln!(formatter, "  {:?}", String::from_utf8_lossy(line))?;
        }
        Ok(())
    }
}
