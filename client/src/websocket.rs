//! A connection over WebSocket (RFC 6455): each line is a text message. The client asks for
//! JSON in the handshake, so the server's first line is the hello.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use madang_protocol::{
    event::{ServerMessage, write_json_line},
    limits::CARRIER_BYTES,
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

/// The subprotocol: JSON, as after `/json` on a line connection.
const SUBPROTOCOL: &str = "madang.json.v1";

/// The timeout of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of one read.
const READ_BYTES: usize = 16 * 1_024;

/// How much of the server's answer is shown when it refuses.
const REASON_CHARS: usize = 200;

/// The sending half.
pub(crate) struct Sending {
    stream: Stream,
    /// Held while a frame is written, because the receiving half answers pings.
    writing: Mutex<()>,
}

/// The receiving half, and the stream it reads from and answers on.
pub(crate) struct Receiving(WebSocket<Duplex>);

struct Duplex(Arc<Sending>);

/// Does the WebSocket handshake on `stream`, for `path` at `authority` (host and port).
///
/// # Errors
///
/// The server refuses, with its reason, or the connection ends.
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
        .max_message_size(Some(CARRIER_BYTES))
        .max_frame_size(Some(CARRIER_BYTES));
    stream.set_deadline(Some(Instant::now() + HANDSHAKE_TIMEOUT))?;
    let sending = Arc::new(Sending { stream, writing: Mutex::new(()) });
    let agreed = client_with_config(request, Duplex(sending.clone()), Some(config));
    let (websocket, _response) = agreed.map_err(|error| match error {
        HandshakeError::Failure(error) => handshake_failure(error),
        // The read timed out.
        HandshakeError::Interrupted(_) => io::ErrorKind::TimedOut.into(),
    })?;
    sending.stream.set_deadline(None)?;
    Ok((sending, Receiving(websocket)))
}

/// The reason why the handshake failed, with the server's answer.
fn handshake_failure(error: Error) -> io::Error {
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
    /// The receive thread: passes on each message as a line. It ends with the connection, or
    /// when the channel's receiver is gone.
    pub(crate) fn receive(mut self, sender: &Sender<Incoming>) {
        loop {
            let incoming = match self.0.read() {
                Ok(Message::Text(text)) => {
                    let mut line = Vec::from(text.as_bytes());
                    line.push(b'\n');
                    Incoming::Bytes(line)
                }
                // A message that is too big now would be too big on the next connection too, so
                // this is treated like a goodbye for that reason.
                Ok(Message::Close(Some(close))) if close.code == CloseCode::Size => {
                    let reason = Goodbye::MessageTooBig.code().into();
                    let mut line = Vec::new();
                    write_json_line(&ServerMessage::Bye { reason, seconds: None }, &mut line);
                    Incoming::Bytes(line)
                }
                // The next read answers Pings and Close frames.
                Ok(_) => continue,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Incoming::End(None),
                Err(Error::Capacity(_)) => Incoming::TooLong,
                Err(Error::Io(error)) => Incoming::End(Some(error)),
                Err(error) => Incoming::End(Some(io::Error::other(error))),
            };
            let is_end = matches!(incoming, Incoming::TooLong | Incoming::End(_));
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

/// Appends a masked frame, as clients must send (RFC 6455 §5.3).
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
    // Only a request, or whole frames, are written here.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
