//! One connection that sends and receives JSON lines.

use std::{
    borrow::Cow,
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// How long one read blocks, so that its caller can do other things.
const LOOK: Duration = Duration::from_millis(50);

/// How long the greeting may take.
const GREETING: Duration = Duration::from_secs(30);

/// The parts of a server message that the soak needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    pub(crate) id: Option<u64>,
    pub(crate) private: Option<u64>,
    #[serde(borrow)]
    pub(crate) user: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) nonce: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) session: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) key: Option<Cow<'a, str>>,
    pub(crate) durable: Option<bool>,
    pub(crate) resumed: Option<bool>,
    pub(crate) from: Option<u64>,
    /// The id where a gap ends, or somebody's new name.
    to: Option<Value>,
}

impl Message<'_> {
    /// The last id of a gap.
    pub(crate) fn last_missing(&self) -> Option<u64> {
        self.to.as_ref()?.as_u64()
    }

    /// The new name of whoever was renamed.
    pub(crate) fn new_name(&self) -> Option<&str> {
        self.to.as_ref()?.as_str()
    }
}

/// The outcome of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// There may be complete lines now.
    Some,
    /// Nothing at the moment.
    Nothing,
    /// The input has ended.
    End,
}

/// A connection to the server.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// How many bytes of it were taken already.
    taken: usize,
}

impl Connection {
    /// Connects, and switches to JSON.
    pub(crate) fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).context("failed to connect")?;
        stream.set_nodelay(true).context("failed to set up the socket")?;
        stream.set_read_timeout(Some(LOOK)).context("failed to set up the socket")?;
        let mut connection = Connection { stream, received: Vec::new(), taken: 0 };
        if !connection.send("/json\n") {
            bail!("the connection ended before the greeting");
        }
        connection.wait_for("hello", |_| Some(()))?;
        Ok(connection)
    }

    /// Sends lines; returns whether the connection still accepts them.
    pub(crate) fn send(&mut self, lines: &str) -> bool {
        self.stream.write_all(lines.as_bytes()).is_ok()
    }

    /// Closes the sending direction.
    pub(crate) fn finish(&mut self) {
        // An error means that the connection has ended already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads what has arrived; blocks for a moment if that is nothing.
    pub(crate) fn read(&mut self) -> Result<Input> {
        self.received.drain(..std::mem::take(&mut self.taken));
        let mut chunk = [0; 64 * 1_024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(Input::End),
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                Ok(Input::Some)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    Ok(Input::Nothing)
                }
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(Input::End),
                _ => Err(error).context("failed to read"),
            },
        }
    }

    /// The next complete line.
    pub(crate) fn line(&mut self) -> Option<&[u8]> {
        let rest = &self.received[self.taken..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        self.taken += end + 1;
        Some(&rest[..end])
    }

    /// Waits for a message that `take` accepts; earlier messages are ignored.
    pub(crate) fn wait_for<T>(
        &mut self,
        kind: &str,
        take: impl Fn(&Message<'_>) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + GREETING;
        while Instant::now() < deadline {
            while let Some(line) = self.line() {
                // The prompt and the greeting above it are not JSON.
                let Ok(message) = serde_json::from_slice::<Message<'_>>(line) else { continue };
                if message.kind == "error" || message.kind == "bye" {
                    bail!("the server refuses: {}", String::from_utf8_lossy(line));
                }
                if message.kind == kind
                    && let Some(taken) = take(&message)
                {
                    return Ok(taken);
                }
            }
            if self.read()? == Input::End {
                bail!("the connection ended before {kind} came");
            }
        }
        bail!("{kind} has not come within {GREETING:?}")
    }
}
