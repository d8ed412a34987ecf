//! `/echo` returns each message. It suits a learner's first WebSocket program, and shows
//! whether WebSocket works through a proxy. There is no login, and there are no rooms.

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
};

/// A connection to the echo service.
pub(crate) struct Echo {
    shared: Arc<Shared>,
    transport: MessageTransport,
    outbox: Arc<Outbox>,
    bucket: Option<PooledBucket>,
    /// The last field, so that its place is freed after the socket is closed.
    admission: Admission,
}

impl Echo {
    /// Takes over a connection after its upgrade to WebSocket.
    pub(crate) fn new(
        shared: Arc<Shared>,
        admission: Admission,
        address: IpAddr,
        transport: MessageTransport,
        outbox: Arc<Outbox>,
    ) -> Echo {
        let bucket = shared.buckets.as_ref().map(|pool| pool.take(address, Instant::now()));
        Echo { shared, transport, outbox, bucket, admission }
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
            CloseReason::Told(_) | CloseReason::Tls(_) => {
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
            while let Some(bytes) =
                self.transport.next_message_bytes().map_err(CloseReason::Told)?
            {
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
            Message::Text(text) => {
                frame::write_text(&[prefix, text.as_bytes()].concat(), &mut bytes);
            }
            Message::Binary(payload) => frame::write_binary(payload, &mut bytes),
        }
        self.outbox.push_bytes(&bytes);
    }
}
