//! One connection to the web port, on a thread of its own: reads one request,
//! answers it, and closes, or goes on as WebSocket.

use std::{
    net::{IpAddr, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use madang_protocol::notice::Goodbye;

use crate::{
    assets,
    batch::Form,
    carrier::Carrier,
    close_reason::CloseReason,
    config::WebSocketLimits,
    connection::Connection,
    connections::Admission,
    echo::Echo,
    outbox::Outbox,
    server::Shared,
    transport::{
        Reader,
        http::{self, HEAD_BYTES, Head, Method, Refusal, Status, origin, proxy},
        linger, read_until,
        websocket::{MessageReader, handshake},
    },
};

/// What a read of a head takes at once.
const READ_BYTES: usize = 1_024;

/// A connection whose request was not read yet.
pub(crate) struct WebConnection {
    shared: Arc<Shared>,
    stream: Arc<TcpStream>,
    address: IpAddr,
    outbox: Arc<Outbox>,
    /// Last, so that its place is given away when the socket is closed.
    admission: Admission,
}

/// What becomes of a connection whose request was read.
enum Next {
    /// A conversation in the chat.
    Chat(Box<MessageReader>),
    /// Echoes.
    Echo(Box<MessageReader>),
    /// It was answered, or is gone.
    Close,
}

impl WebConnection {
    /// Takes over an accepted socket.
    pub(crate) fn new(
        shared: Arc<Shared>,
        admission: Admission,
        stream: Arc<TcpStream>,
        address: IpAddr,
    ) -> WebConnection {
        let outbox = shared.new_outbox(&admission, stream.clone());
        outbox.change_carrier(Carrier::Http);
        WebConnection { shared, stream, address, outbox, admission }
    }

    /// Lives the connection's life; returns when its socket may be closed.
    pub(crate) fn run(mut self) {
        let next = catch_unwind(AssertUnwindSafe(|| self.take_request())).unwrap_or_else(|_| {
            self.outbox.end(CloseReason::Told(Goodbye::Internal));
            Next::Close
        });
        match next {
            Next::Chat(reader) => self.into_chat(reader).run(),
            Next::Echo(reader) => self.into_echo(reader).run(),
            Next::Close => self.finish(),
        }
    }

    // Here and below: inlined, the frames of what is over would stay under what
    // follows.
    #[inline(never)]
    fn into_chat(self, reader: Box<MessageReader>) -> Box<Connection> {
        let WebConnection { shared, address, outbox, admission, .. } = self;
        Box::new(Connection::new(shared, admission, address, Reader::Messages(reader), outbox))
    }

    #[inline(never)]
    fn into_echo(self, reader: Box<MessageReader>) -> Box<Echo> {
        let WebConnection { shared, outbox, mut admission, .. } = self;
        // It has no login to be waited for.
        admission.logged_in();
        Box::new(Echo::new(shared, admission, *reader, outbox))
    }

    /// Sees to it that the answer gets out.
    #[inline(never)]
    fn finish(self) {
        let config = &self.shared.config;
        self.outbox.close(CloseReason::Told(Goodbye::Closed), b"");
        // An answer may be long, and its way slow: who takes nothing of it for a
        // while is ended by the drainer.
        self.outbox.wait_drained(Instant::now() + config.stall_timeout);
        linger(&self.stream, Instant::now() + config.linger);
        self.outbox.release();
    }

    #[inline(never)]
    fn take_request(&mut self) -> Next {
        let (head, rest) = match self.read_head() {
            Ok(Some(read)) => read,
            Ok(None) => return Next::Close,
            Err(refusal) => return self.refuse(&refusal, Method::Get),
        };
        let method = head.method;
        self.answer(&head, &rest).unwrap_or_else(|refusal| self.refuse(&refusal, method))
    }

    /// Reads the head, and what has come behind it; `None` if the peer has gone.
    fn read_head(&self) -> Result<Option<(Head, Vec<u8>)>, Refusal> {
        let deadline = Instant::now() + self.shared.config.head_timeout;
        let mut bytes = Vec::new();
        loop {
            let read = bytes.len();
            bytes.resize((read + READ_BYTES).min(HEAD_BYTES), 0);
            let count = match read_until(&self.stream, &mut bytes[read..], deadline) {
                Ok(Some(count)) => count,
                Ok(None) if read > 0 => {
                    let seconds = self.shared.config.head_timeout.as_secs();
                    let reason = format!("no whole request within {seconds} seconds");
                    return Err(Refusal::new(Status::RequestTimeout, reason));
                }
                // A browser connects in advance and may have nothing to ask.
                Ok(None) | Err(_) => return Ok(None),
            };
            bytes.truncate(read + count);
            if count == 0 {
                return Ok(None);
            }
            if let Some((head, length)) = Head::parse(&bytes)? {
                return Ok(Some((head, bytes.split_off(length))));
            }
        }
    }

    /// Answers a request, or has it become WebSocket.
    fn answer(&mut self, head: &Head, rest: &[u8]) -> Result<Next, Refusal> {
        self.find_person(head)?;
        let name = head.name();
        match name {
            "ws" => return self.open_chat(head, rest),
            "" if handshake::is_wanted(head) => return self.open_chat(head, rest),
            "echo" => return self.open_echo(head, rest),
            _ => {}
        }
        let (content_type, bytes) = match (name, assets::find(name)) {
            ("healthz", _) => ("text/plain; charset=utf-8", &b"ok\n"[..]),
            (_, Some(asset)) => (asset.content_type, asset.bytes),
            (_, None) => {
                return Err(Refusal::new(Status::NotFound, "there is nothing of that name here"));
            }
        };
        if head.method == Method::Other {
            return Err(Refusal::new(Status::MethodNotAllowed, "this is to be read alone"));
        }
        self.outbox.push_bytes(&http::response(Status::Ok, content_type, bytes, head.method));
        Ok(Next::Close)
    }

    /// Finds out who is behind a proxy, and counts them as who they are.
    fn find_person(&mut self, head: &Head) -> Result<(), Refusal> {
        let hops: Vec<&str> = head.list("X-Forwarded-For").collect();
        let trusted = &self.shared.config.trust_proxy;
        self.address = proxy::person(self.address, hops.into_iter(), trusted);
        if self.shared.bans.bans_address(self.address) {
            return Err(refusal_of(Goodbye::Banned));
        }
        self.admission.count_under(self.address).map_err(refusal_of)
    }

    fn open_chat(&mut self, head: &Head, rest: &[u8]) -> Result<Next, Refusal> {
        let config = &self.shared.config;
        let allowed = config.allowed_origins();
        origin::check(head, &allowed, &self.shared.own_name).inspect_err(|refusal| {
            let Refusal { status, reason } = refusal;
            tracing::info!(address = %self.address, ?status, "refused a page: {reason}");
        })?;
        let json = handshake::offers_json(head).then_some(handshake::JSON);
        let answer = handshake::accept(head, json)?;
        if json.is_some() {
            self.outbox.change_form(Form::Json);
        }
        Ok(Next::Chat(self.upgrade(&answer, rest, Carrier::WebSocket, config.websocket)))
    }

    fn open_echo(&mut self, head: &Head, rest: &[u8]) -> Result<Next, Refusal> {
        let answer = handshake::accept(head, None)?;
        let limits = self.shared.config.echo.websocket;
        Ok(Next::Echo(self.upgrade(&answer, rest, Carrier::Echo, limits)))
    }

    fn upgrade(
        &self,
        answer: &[u8],
        rest: &[u8],
        carrier: Carrier,
        limits: WebSocketLimits,
    ) -> Box<MessageReader> {
        self.outbox.push_bytes(answer);
        self.outbox.change_carrier(carrier);
        let (stream, outbox) = (self.stream.clone(), self.outbox.clone());
        Box::new(MessageReader::new(stream, outbox, limits, rest))
    }

    fn refuse(&self, refusal: &Refusal, method: Method) -> Next {
        tracing::debug!(address = %self.address, reason = refusal.reason, "refused a request");
        self.outbox.push_bytes(&http::refusal(refusal, method));
        Next::Close
    }
}

/// What somebody is told over HTTP for whom there is no place.
pub(crate) fn refusal_of(goodbye: Goodbye) -> Refusal {
    match goodbye {
        Goodbye::Banned => Refusal::new(Status::Forbidden, "you are banned from this server"),
        Goodbye::AddressFull => {
            Refusal::new(Status::TooManyRequests, "too many connections from your address")
        }
        _ => Refusal::new(Status::ServiceUnavailable, "the server is full"),
    }
}
