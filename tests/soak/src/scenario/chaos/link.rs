//! A connection by any door: it sends messages, and gives what it receives as lines. It can also
//! behave badly.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use madang_tests::frame;
use rustix::net::sockopt;
use rustls::{ClientConnection, StreamOwned};

use super::{door::Door, site::Open};
use crate::connection::Input;

/// How long one read blocks.
const LOOK: Duration = Duration::from_millis(50);

/// How long connecting and the handshakes may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// The receive buffer of a member that is to notice its own slowness, in bytes.
const SMALL_BUFFER: usize = 4 * 1_024;

/// The pause between two pieces of a message that drips.
const DRIP: Duration = Duration::from_millis(15);

/// WebSocket's opcodes with FIN (RFC 6455 §5.2).
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// The bytes on their way, encrypted or not.
enum Channel {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection.
pub(crate) struct Link {
    channel: Channel,
    door: Door,
    /// What has arrived and is no line yet: frames over WebSocket.
    raw: Vec<u8>,
    received: Vec<u8>,
    taken: usize,
    /// Whether the server has sent its Close frame.
    has_closed: bool,
}

impl Link {
    /// Connects; over WebSocket, also upgrades.
    pub(crate) fn open(door: Door, open: &Open, small_buffer: bool) -> Result<Link> {
        let encrypted = match door {
            Door::TlsLines | Door::TlsJson => open.addresses.tls,
            _ => open.addresses.web.filter(|_| door.is_web() && open.is_encrypted),
        };
        let plain = match door.is_web() {
            true => open.addresses.web.context("no web port")?,
            false => open.addresses.lines,
        };
        let address = encrypted.unwrap_or(plain);
        let stream = TcpStream::connect_timeout(&address, HANDSHAKE).context("no connection")?;
        stream.set_nodelay(true).context("failed to set up the socket")?;
        stream.set_write_timeout(Some(HANDSHAKE)).context("failed to set up the socket")?;
        stream.set_read_timeout(Some(LOOK)).context("failed to set up the socket")?;
        if small_buffer {
            sockopt::set_socket_recv_buffer_size(&stream, SMALL_BUFFER)
                .context("failed to set up the socket")?;
        }
        let channel = match encrypted {
            None => Channel::Plain(stream),
            Some(_) => {
                let session = open.authority.client(address);
                Channel::Encrypted(Box::new(StreamOwned::new(session, stream)))
            }
        };
        let (raw, received) = (Vec::new(), Vec::new());
        let mut link = Link { channel, door, raw, received, taken: 0, has_closed: false };
        if door.is_web() {
            link.upgrade(&address.to_string())?;
        }
        Ok(link)
    }

    fn upgrade(&mut self, host: &str) -> Result<()> {
        let protocol = match self.door {
            Door::WebJson => "Sec-WebSocket-Protocol: madang.json.v1\r\n",
            _ => "",
        };
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {protocol}\r\n"
        );
        ensure!(self.write(request.as_bytes()), "the connection ended before the upgrade");
        let deadline = Instant::now() + HANDSHAKE;
        loop {
            if let Some(end) = self.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                ensure!(self.raw.starts_with(b"HTTP/1.1 101 "), "no upgrade");
                self.raw.drain(..end + 4);
                return self.unframe();
            }
            ensure!(Instant::now() < deadline, "the upgrade takes too long");
            if self.receive()? == Input::End {
                bail!("the connection ended before the upgrade");
            }
        }
    }

    /// Sends a message; returns whether the connection still accepts it.
    pub(crate) fn send(&mut self, message: &str) -> bool {
        let bytes = self.framed(message);
        self.write(&bytes)
    }

    /// Sends a message in small pieces.
    pub(crate) fn drip(&mut self, message: &str) -> bool {
        let bytes = self.framed(message);
        bytes.chunks(9).all(|piece| {
            let accepted = self.write(piece);
            thread::sleep(DRIP);
            accepted
        })
    }

    fn framed(&self, message: &str) -> Vec<u8> {
        match self.door.is_web() {
            true => frame(TEXT, message),
            false => format!("{message}{}", self.door.end()).into_bytes(),
        }
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let written = match &mut self.channel {
            Channel::Plain(stream) => stream.write_all(bytes),
            Channel::Encrypted(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        written.is_ok()
    }

    /// Reads what has arrived; blocks for a moment if that is nothing.
    pub(crate) fn read(&mut self) -> Result<Input> {
        self.received.drain(..std::mem::take(&mut self.taken));
        let input = self.receive()?;
        if input == Input::Some {
            self.unframe()?;
        }
        Ok(if self.has_closed && self.received.is_empty() { Input::End } else { input })
    }

    fn receive(&mut self) -> Result<Input> {
        let mut chunk = [0; 16 * 1_024];
        let read = match &mut self.channel {
            Channel::Plain(stream) => stream.read(&mut chunk),
            Channel::Encrypted(stream) => stream.read(&mut chunk),
        };
        match read {
            Ok(0) => Ok(Input::End),
            Ok(count) => {
                self.raw.extend_from_slice(&chunk[..count]);
                Ok(Input::Some)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    Ok(Input::Nothing)
                }
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof => Ok(Input::End),
                _ => Err(error).context("failed to read"),
            },
        }
    }

    /// Moves what has arrived to the received lines, without WebSocket's frames.
    fn unframe(&mut self) -> Result<()> {
        if !self.door.is_web() {
            self.received.append(&mut self.raw);
            return Ok(());
        }
        while let Some((first, payload, length)) = first_frame(&self.raw)? {
            match first {
                TEXT => {
                    self.received.extend_from_slice(&self.raw[payload..length]);
                    self.received.push(b'\n');
                }
                PING => {
                    let pong = frame(PONG, &self.raw[payload..length]);
                    self.write(&pong);
                }
                CLOSE => self.has_closed = true,
                PONG => {}
                other => bail!("a frame that begins with {other:#x}"),
            }
            self.raw.drain(..length);
        }
        Ok(())
    }

    /// The next complete line, without its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let rest = &self.received[self.taken..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..end]).trim_end_matches('\r').to_owned();
        self.taken += end + 1;
        Some(line)
    }

    /// Whether what was received, a line or the beginning of one, ends with `text`.
    pub(crate) fn is_at(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.received[self.taken..]).trim_end().ends_with(text)
    }

    /// Waits until [it is at](Self::is_at) `text`, which is taken.
    pub(crate) fn wait_for_prompt(&mut self, text: &str) -> Result<()> {
        let deadline = Instant::now() + HANDSHAKE;
        while !self.is_at(text) {
            ensure!(Instant::now() < deadline, "no {text:?} within {HANDSHAKE:?}");
            if self.read()? == Input::End {
                bail!("the connection ended before {text:?}");
            }
        }
        self.taken = self.received.len();
        Ok(())
    }

    /// Closes the sending direction.
    pub(crate) fn finish(&mut self) {
        if let Channel::Encrypted(stream) = &mut self.channel {
            stream.conn.send_close_notify();
            // An error means that the connection has ended already; the same below.
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Has the system reset the connection when it is dropped (RST).
    pub(crate) fn reset(self) {
        let _ = sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO));
    }

    fn socket(&self) -> &TcpStream {
        match &self.channel {
            Channel::Plain(stream) => stream,
            Channel::Encrypted(stream) => &stream.sock,
        }
    }
}

/// The first whole frame in `bytes`: its first byte, and where its payload begins and ends.
fn first_frame(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>> {
    let [first, length, rest @ ..] = bytes else { return Ok(None) };
    let (begin, length) = match *length {
        126 => match rest.first_chunk() {
            Some(length) => (4, u64::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (10, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        length @ ..126 => (2, u64::from(length)),
        masked => bail!("a masked frame, or worse: {masked:#x}"),
    };
    let end = begin + usize::try_from(length).context("a frame too long for this machine")?;
    Ok((bytes.len() >= end).then_some((*first, begin, end)))
}

/// The certificate that a server presents.
pub(crate) fn certificate(open: &Open) -> Result<Option<Vec<u8>>> {
    let Some(address) = open.addresses.tls else { return Ok(None) };
    let mut stream = TcpStream::connect_timeout(&address, HANDSHAKE).context("no connection")?;
    stream.set_read_timeout(Some(HANDSHAKE)).context("failed to set up the socket")?;
    let mut session = open.authority.client(address);
    while session.is_handshaking() {
        let (read, _) = session.complete_io(&mut stream).context("no TLS handshake")?;
        if read == 0 && session.is_handshaking() {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(session.peer_certificates().and_then(|chain| Some(chain.first()?.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        for (length, begin) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut bytes = vec![TEXT];
            match begin {
                2 => bytes.push(length as u8),
                4 => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            bytes.resize(begin + length, b'x');
            for cut in [0, 1, begin - 1, (begin + length).saturating_sub(1)] {
                if cut < begin + length {
                    assert_eq!(first_frame(&bytes[..cut]).expect("right so far"), None, "{length}");
                }
            }
            bytes.extend([TEXT, 1, b'y']);
            let first = first_frame(&bytes).expect("right");
            assert_eq!(first, Some((TEXT, begin, begin + length)));
        }
        assert!(first_frame(&[TEXT, 0x80 | 3]).is_err(), "a server masks nothing");
    }
}
