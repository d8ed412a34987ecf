//! A connection over WebSocket (RFC 6455): each line is a text message. The server is
//! asked for JSON at once, so that its first line is the hello.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use madang_protocol::{
    event::{ServerMessage, write_json_line},
    notice::Goodbye,
};
use parking_lot::Mutex;
use tungstenite::{
    ClientRequestBuilder, Error, HandshakeError, Message, WebSocket,
    client::client_with_config,
    http::Uri,
    protocol::{
        WebSocketConfig,
        frame::{
            CloseFrame, Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use crate::{
    connection::{Carrier, Incoming},
    stream::Stream,
};

/// What is asked for: JSON, as after `/json` on a connection of lines.
const SUBPROTOCOL: &str = "madang.json.v1";

/// How long the server may take to agree.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest message that is taken; no server of version 1 sends one so long.
const MESSAGE_BYTES: usize = 1 << 20;

/// What one read takes at most.
const READ_BYTES: usize = 16 * 1_024;

/// The part of the server's answer that is told when it does not agree.
const REASON_CHARS: usize = 200;

/// The half that sends.
pub(crate) struct Sending {
    stream: Stream,
    /// Held while a frame is written: the receiving half answers pings.
    writing: Mutex<()>,
}

/// The half that receives, and what it reads from and answers to.
pub(crate) struct Receiving(WebSocket<Duplex>);

struct Duplex(Arc<Sending>);

/// Has `stream` become WebSocket at `path` of `authority`, a host and a port.
///
/// # Errors
///
/// The server does not agree, for the reason that it gave, or the connection ended.
pub(crate) fn open(
    stream: Stream,
    authority: &str,
    path: &str,
) -> io::Result<(Arc<Sending>, Receiving)> {
    let uri: Uri = format!("ws://{authority}{path}").parse().map_err(io::Error::other)?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    stream.set_deadline(Some(Instant::now() + HANDSHAKE_TIMEOUT))?;
    let sending = Arc::new(Sending { stream, writing: Mutex::new(()) });
    let agreed = client_with_config(request, Duplex(sending.clone()), Some(config));
    let (websocket, _response) = agreed.map_err(|error| match error {
        HandshakeError::Failure(error) => refused(error),
        // The read has timed out.
        HandshakeError::Interrupted(_) => io::ErrorKind::TimedOut.into(),
    })?;
    sending.stream.set_deadline(None)?;
    Ok((sending, Receiving(websocket)))
}

/// Why there is no WebSocket, with what the server has said.
fn refused(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let body: String =
                String::from_utf8_lossy(body).trim().chars().take(REASON_CHARS).collect();
            let status = response.status();
            io::Error::other(if body.is_empty() { status.to_string() } else { body })
        }
        error => io::Error::other(error),
    }
}

impl Receiving {
    /// The receive thread: tells each message as a line; ends with the connection,
    /// or when nobody listens any more.
    pub(crate) fn receive(mut self, sender: &Sender<Incoming>) {
        loop {
            let incoming = match self.0.read() {
                Ok(Message::Text(text)) => {
                    let mut line = Vec::from(text.as_bytes());
                    line.push(b'\n');
                    Incoming::Bytes(line)
                }
                // Whatever was too big on this connection is too big on the next one: the
                // same as the goodbye that says so.
                Ok(Message::Close(Some(close))) if close.code == CloseCode::Size => {
                    let reason = Goodbye::MessageTooBig.code().into();
                    let mut line = Vec::new();
                    write_json_line(&ServerMessage::Bye { reason, seconds: None }, &mut line);
                    Incoming::Bytes(line)
                }
                // Pings are answered, and a Close frame too, by the next read.
                Ok(_) => continue,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Incoming::End(None),
                Err(Error::Io(error)) => Incoming::End(Some(error)),
                Err(error) => Incoming::End(Some(io::Error::other(error))),
            };
            let is_end = matches!(incoming, Incoming::End(_));
            if sender.send(incoming).is_err() || is_end {
                return;
            }
        }
    }
}

impl Sending {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock();
        self.stream.write_all(bytes)
    }
}

impl Carrier for Sending {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut frames = Vec::with_capacity(bytes.len() + 16);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let message = Frame::message(line.to_vec(), OpCode::Data(Data::Text), true);
            write_masked(message, &mut frames)?;
        }
        self.write(&frames)
    }

    fn half_close(&self) -> io::Result<()> {
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let mut frame = Vec::new();
        write_masked(Frame::close(Some(close)), &mut frame)?;
        self.write(&frame)
    }

    fn shut_down(&self) {
        self.stream.shut_down();
    }
}

/// Appends a frame with a mask, as a client's must have (RFC 6455 §5.3).
fn write_masked(mut frame: Frame, out: &mut Vec<u8>) -> io::Result<()> {
    let mut mask = [0; 4];
    getrandom::fill(&mut mask)?;
    frame.header_mut().mask = Some(mask);
    frame.format(out).map_err(io::Error::other)
}

impl Read for Duplex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.stream.read(buffer)
    }
}

impl Write for Duplex {
    // What comes here is a request or whole frames.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
