//! `/echo` returns each message. It suits a learner's first WebSocket program, and shows
//! whether WebSocket works through a proxy. There is no login, and there are no rooms.
//! `/echo?explain` tells what every frame looked like, too.

use std::{
    convert::Infallible,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use madang_protocol::notice::Goodbye;

use crate::{
    admission::bucket_pool::PooledBucket,
    close_reason::CloseReason,
    delivery::outbox::{Outbox, Until},
    shared::{Admission, DISMISSAL, Shared},
    transport::{
        Transport,
        websocket::{Message, MessageTransport, frame},
    },
    web::explained,
};

/// How much a connection explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Explains {
    Nothing,
    /// Every frame.
    Frames,
    /// Every frame, and binary messages as the bytes of a connection.
    Bytes,
}

/// A connection to the echo service.
pub(crate) struct Echo {
    shared: Arc<Shared>,
    transport: MessageTransport,
    outbox: Arc<Outbox>,
    bucket: Option<PooledBucket>,
    explains: Explains,
    /// The last field, so that its place is freed after the socket is closed.
    admission: Admission,
}

impl Echo {
    /// Takes over a connection after its upgrade to WebSocket.
    pub(crate) fn new(
        shared: Arc<Shared>,
        admission: Admission,
        address: IpAddr,
        mut transport: MessageTransport,
        outbox: Arc<Outbox>,
        explains: Explains,
    ) -> Echo {
        if explains != Explains::Nothing {
            transport.watch_frames();
        }
        let bucket = shared.buckets.as_ref().map(|pool| pool.take(address, Instant::now()));
        Echo { shared, transport, outbox, bucket, explains, admission }
    }

    /// Runs the connection to its end; the socket may be closed afterwards.
    pub(crate) fn run(mut self: Box<Self>) {
        let reason = match catch_unwind(AssertUnwindSafe(|| self.echo())) {
            Ok(Err(reason)) => reason,
            Ok(Ok(never)) => match never {},
            Err(_) => CloseReason::Told(Goodbye::Internal),
        };
        self.bucket = None;
        self.shared.metrics.ended.count(self.outbox.reason().unwrap_or(reason).code());
        let config = &self.shared.config;
        match reason {
            CloseReason::Told(_) | CloseReason::Refused | CloseReason::Tls(_) => {
                self.outbox.close(reason, b"");
                self.outbox.wait_drained(Instant::now() + config.close_timeout);
                if self.outbox.take_dismissal() {
                    // An error means that the connection is gone.
                    let _ = self.transport.input().pause(DISMISSAL);
                }
                self.outbox.shut_down_write();
                self.transport.input().linger(Instant::now() + config.linger);
            }
            CloseReason::Lost(_) | CloseReason::Stalled => self.outbox.end(reason),
        }
        self.outbox.release();
    }

    fn echo(&mut self) -> Result<Infallible, CloseReason> {
        loop {
            while let Some(bytes) = self.next_message_bytes()? {
                self.pay(bytes)?;
                self.outbox.wait_for_space(Until::Space, None)?;
                if let Some(message) = self.transport.take_message() {
                    self.admission.traffic.lines.add(1);
                    self.echo_back(&message);
                }
            }
            if let Some(end) = self.transport.peer_end() {
                return Err(end.reason());
            }
            self.outbox.wait_for_space(Until::Space, None)?;
            self.transport.read(None)?;
        }
    }

    /// The length of the next message; what has arrived is explained first, and an error, too.
    fn next_message_bytes(&mut self) -> Result<Option<usize>, CloseReason> {
        let found = self.transport.next_message_bytes();
        if self.explains != Explains::Nothing {
            explained::arrived(self.transport.take_seen()).for_each(|text| self.tell(&text));
            if let Err(goodbye) = found {
                self.tell(&explained::closed(goodbye));
            }
        }
        found.map_err(CloseReason::Told)
    }

    fn tell(&self, text: &str) {
        let mut frame = Vec::new();
        frame::write_text(text.as_bytes(), &mut frame);
        self.outbox.push_bytes(&frame);
    }

    /// Waits until the rate limit allows `bytes` more, and charges them.
    fn pay(&mut self, bytes: usize) -> Result<(), CloseReason> {
        while let Some(bucket) = &mut self.bucket
            && let Err(wait) = bucket.charge(bytes, Instant::now())
        {
            self.transport.input().pause(wait)?;
        }
        Ok(())
    }

    fn echo_back(&self, message: &Message) {
        let prefix = self.shared.config.echo.prefix.as_bytes();
        let mut bytes = Vec::new();
        match message {
            Message::Binary(payload) if self.explains == Explains::Bytes => {
                return self.tell(&explained::judge(payload, self.shared.config.echo.websocket));
            }
            Message::Text(text) => {
                frame::write_text(&[prefix, text.as_bytes()].concat(), &mut bytes);
            }
            Message::Binary(payload) => frame::write_binary(payload, &mut bytes),
        }
        if self.explains != Explains::Nothing
            && let Some(text) = explained::answered(&bytes)
        {
            self.tell(&text);
        }
        self.outbox.push_bytes(&bytes);
    }
}
