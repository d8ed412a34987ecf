//! One connection to the web port, on its own thread: reads one request, answers it, and
//! closes, or continues as WebSocket.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use madang_protocol::{
    notice::Goodbye,
    read_buffer::ReadBuffer,
    text::{Lang, LineEnd},
};

use crate::{
    close_reason::CloseReason,
    config::Binary,
    connection::Connection,
    delivery::carrier::Carrier,
    delivery::outbox::Outbox,
    dialect::{DialectId, Form},
    doors::Door,
    shared::{Admission, Shared, downloads::Downloads},
    transport::{
        Received,
        http::{self, Head, Method, Rejection, StatusCode, origin, proxy},
        input::Input,
        tls,
        websocket::{MessageTransport, frame, handshake},
    },
    web::echo::{Echo, Explains},
};

pub(crate) mod assets;
pub(crate) mod echo;
mod explained;
mod download;
mod metrics_page;
mod rooms;
mod posts;

/// A connection whose request has not been read yet.
pub(crate) struct WebConnection {
    shared: Arc<Shared>,
    door: Door,
    input: Input,
    address: IpAddr,
    outbox: Arc<Outbox>,
    /// Whether the peer connected without TLS to a port that requires it.
    lacks_tls: bool,
    /// Whether a proxy forwarded the request.
    is_passed_on: bool,
    /// The last field, so that its place is freed after the socket is closed.
    admission: Admission,
}

/// What to do with a connection after its request.
enum AfterRequest {
    /// The chat over WebSocket, with bytes that followed the request.
    Chat(ReadBuffer),
    /// The echo service, with bytes that followed the request.
    Echo(ReadBuffer, Explains),
    /// A room, streamed.
    Stream(rooms::Stream),
    /// Nothing: it was answered, or the peer is gone.
    Close,
}

impl WebConnection {
    /// Takes over an accepted socket.
    pub(crate) fn new(
        shared: Arc<Shared>,
        door: Door,
        admission: Admission,
        input: Input,
        address: IpAddr,
        outbox: Arc<Outbox>,
    ) -> WebConnection {
        outbox.change_carrier(Carrier::Http);
        let (lacks_tls, is_passed_on) = (false, false);
        WebConnection { shared, door, input, address, outbox, lacks_tls, is_passed_on, admission }
    }

    /// Runs the connection to its end; the socket may be closed afterwards.
    pub(crate) fn run(mut self) {
        let next = catch_unwind(AssertUnwindSafe(|| self.take_request())).unwrap_or_else(|_| {
            self.outbox.end(CloseReason::Told(Goodbye::Internal));
            AfterRequest::Close
        });
        match next {
            AfterRequest::Chat(first) => self.into_chat(first).run(),
            AfterRequest::Echo(first, explains) => self.into_echo(first, explains).run(),
            AfterRequest::Stream(stream) => {
                let (connection, request) = self.into_stream(stream);
                connection.run_stream(request);
            }
            AfterRequest::Close => self.finish(),
        }
    }

    // This and the following are not inlined: server/README.md, "A connection waits on two
    // pages of stack".
    #[inline(never)]
    fn into_chat(self, first: ReadBuffer) -> Box<Connection> {
        let WebConnection { shared, input, address, outbox, is_passed_on, admission, .. } = self;
        let limits = shared.config.websocket;
        let drain_timeout = shared.config.close_timeout;
        let transport = Box::new(MessageTransport::new(input, outbox.clone(), limits, first));
        let mut connection =
            Box::new(Connection::new(shared, admission, address, transport, outbox, drain_timeout));
        if is_passed_on {
            connection.pass_on();
        }
        connection
    }

    #[inline(never)]
    fn into_echo(self, first: ReadBuffer, explains: Explains) -> Box<Echo> {
        let WebConnection { shared, input, address, outbox, mut admission, .. } = self;
        let mut limits = shared.config.echo.websocket;
        if explains == Explains::Bytes {
            limits.binary = Binary::Taken;
        }
        let transport = MessageTransport::new(input, outbox.clone(), limits, first);
        // The echo service has no login.
        admission.logged_in();
        Box::new(Echo::new(shared, admission, address, transport, outbox, explains))
    }

    /// Makes sure that the response is sent.
    #[inline(never)]
    fn finish(self) {
        let config = &self.shared.config;
        self.outbox.close(CloseReason::Told(Goodbye::Closed), b"");
        // A response may be long and its path slow. The drainer ends peers that take none of it
        // for a while.
        self.outbox.wait_drained(Instant::now() + config.stall_timeout);
        self.outbox.shut_down_write();
        self.input.linger(Instant::now() + config.linger);
        self.outbox.release();
    }

    #[inline(never)]
    fn take_request(&mut self) -> AfterRequest {
        let deadline = match self.begin() {
            Ok(deadline) => deadline,
            Err(reason) => {
                let reason_text = reason.text(Lang::En);
                tracing::info!(address = %self.address, "ended before a request: {reason_text}");
                self.outbox.close(reason, b"");
                return AfterRequest::Close;
            }
        };
        let (head, length, rest) = match self.read_head(deadline) {
            Ok(Some(read)) => read,
            Ok(None) => return AfterRequest::Close,
            Err(refusal) => return self.refuse(&refusal, Method::Get),
        };
        let method = head.method;
        self.respond(&head, length, rest).unwrap_or_else(|refusal| self.refuse(&refusal, method))
    }

    /// Performs the TLS handshake, if one is due, and returns the deadline for the request.
    fn begin(&mut self) -> Result<Instant, CloseReason> {
        let config = &self.shared.config;
        let deadline = Instant::now() + config.handshake_timeout;
        match self.input.shake_hands(deadline) {
            Ok(()) => Ok(Instant::now() + config.head_timeout),
            // It gets a response if it sends a request.
            Err(CloseReason::Told(Goodbye::NoTls)) => {
                self.lacks_tls = true;
                Ok(deadline)
            }
            Err(reason) => Err(reason),
        }
    }

    /// Reads the head, and any bytes after it; `None` if the peer is gone. Returns the head with
    /// its length.
    fn read_head(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<(Head, usize, ReadBuffer)>, Rejection> {
        let mut buffer = ReadBuffer::default();
        loop {
            let received = match self.input.wait_readable(deadline) {
                Ok(true) => self.input.read(buffer.spare()),
                Ok(false) if !buffer.waiting().is_empty() => {
                    let seconds = self.shared.config.head_timeout.as_secs();
                    let reason = format!("no complete request within {seconds} seconds");
                    return Err(Rejection::new(StatusCode::RequestTimeout, reason));
                }
                // Browsers open connections in advance that may never send a request.
                Ok(false) | Err(_) => return Ok(None),
            };
            let count = match received {
                Ok(Received::Bytes(count)) => count,
                Ok(Received::Nothing) => 0,
                Ok(Received::End(_)) | Err(_) => return Ok(None),
            };
            buffer.filled(count);
            if buffer.waiting().first() == Some(&tls::HANDSHAKE) {
                tracing::info!(address = %self.address, "refused TLS on a port that takes none");
                let reason = "this port uses http and ws, not https and wss";
                return Err(Rejection::new(StatusCode::BadRequest, reason));
            }
            if let Some((head, length)) = Head::parse(buffer.waiting())? {
                buffer.take(length);
                return Ok(Some((head, length, buffer)));
            }
        }
    }

    /// Answers a request, or upgrades the connection to WebSocket.
    fn respond(
        &mut self,
        head: &Head,
        length: usize,
        rest: ReadBuffer,
    ) -> Result<AfterRequest, Rejection> {
        if self.door == Door::Metrics {
            return self.report(head);
        }
        self.find_person(head)?;
        if self.lacks_tls {
            return self.redirect(head);
        }
        if head.folder() == rooms::FOLDER {
            return Ok(self.serve_room(head, length, rest));
        }
        let name = head.name();
        match name {
            "ws" => return self.open_chat(head, rest),
            "" if handshake::is_wanted(head) => return self.open_chat(head, rest),
            "echo" if handshake::is_wanted(head) => return self.open_echo(head, rest),
            _ => {}
        }
        if Downloads::has_folder(head.folder()) {
            return download::hand_out(&self.shared, &self.outbox, head);
        }
        let asset = assets::find(name);
        if name != "healthz" && asset.is_none() {
            return Err(Rejection::new(StatusCode::NotFound, "not found"));
        }
        if !head.method.reads() {
            return Err(Rejection::new(
                StatusCode::MethodNotAllowed,
                "only GET and HEAD are supported",
            ));
        }
        let is_linked = self.shared.cluster.as_ref().is_none_or(|cluster| cluster.is_linked());
        let answer = match asset {
            Some(asset) => http::file(head, asset.content_type, asset.bytes),
            None if !is_linked => {
                let status = StatusCode::ServiceUnavailable;
                http::response(status, "text/plain; charset=utf-8", b"not linked\n", head.method)
            }
            None => {
                http::response(StatusCode::Ok, "text/plain; charset=utf-8", b"ok\n", head.method)
            }
        };
        self.outbox.push_bytes(&answer);
        Ok(AfterRequest::Close)
    }

    /// Finds the client behind a proxy, and counts the connection under its address.
    fn find_person(&mut self, head: &Head) -> Result<(), Rejection> {
        self.is_passed_on = proxy::HEADERS.iter().any(|header| head.value(header).is_some());
        let hops: Vec<&str> = head.list("X-Forwarded-For").collect();
        let trusted = &self.shared.config.trust_proxy;
        self.address = proxy::person(self.address, hops.into_iter(), trusted);
        self.admission.count_under(self.address).map_err(refusal_of)?;
        // Checked again, now that a ban can find the connection by its address.
        if self.shared.bans.bans_address(self.address) {
            return Err(refusal_of(Goodbye::Banned));
        }
        Ok(())
    }

    /// Responds with the metrics.
    fn report(&self, head: &Head) -> Result<AfterRequest, Rejection> {
        if head.name() != "metrics" {
            return Err(Rejection::new(StatusCode::NotFound, "the metrics are at /metrics"));
        }
        if !head.method.reads() {
            return Err(Rejection::new(
                StatusCode::MethodNotAllowed,
                "only GET and HEAD are supported",
            ));
        }
        let text = metrics_page::report(&self.shared);
        let content_type = metrics_page::CONTENT_TYPE;
        let answer = http::response(StatusCode::Ok, content_type, text.as_bytes(), head.method);
        self.outbox.push_bytes(&answer);
        Ok(AfterRequest::Close)
    }

    /// Redirects a browser to the same address with https.
    fn redirect(&self, head: &Head) -> Result<AfterRequest, Rejection> {
        tracing::info!(address = %self.address, "redirected http to https");
        let no_host =
            || Rejection::new(StatusCode::BadRequest, "this port accepts only https and wss");
        let host =
            head.value("Host").filter(|host| http::is_authority(host)).ok_or_else(no_host)?;
        let location = format!("https://{host}{}", head.path);
        self.outbox.push_bytes(&http::redirect(&location, head.method));
        Ok(AfterRequest::Close)
    }

    fn open_chat(&mut self, head: &Head, rest: ReadBuffer) -> Result<AfterRequest, Rejection> {
        let config = &self.shared.config;
        let allowed = config.allowed_origins();
        origin::check(head, &allowed, &self.shared.own_name).inspect_err(|refusal| {
            let Rejection { status, reason, .. } = refusal;
            tracing::info!(address = %self.address, ?status, "refused a page: {reason:.300}");
        })?;
        let dialect = DialectId::offered(|subprotocol| handshake::offers(head, subprotocol));
        let subprotocol = dialect.and_then(|dialect| dialect.subprotocol());
        let answer = handshake::accept(head, subprotocol)?;
        self.admission.begin_login().map_err(refusal_of)?;
        if let Some(dialect) = dialect {
            self.outbox.change_form(Form::new(dialect, self.shared.config.lang, LineEnd::Lf));
        }
        self.upgrade(&answer, Carrier::WebSocket);
        Ok(AfterRequest::Chat(rest))
    }

    fn open_echo(&mut self, head: &Head, rest: ReadBuffer) -> Result<AfterRequest, Rejection> {
        let answer = handshake::accept(head, None)?;
        self.admission.begin_login().map_err(refusal_of)?;
        self.upgrade(&answer, Carrier::Echo);
        let explains = match (head.asks_for("explain"), head.asks_for("raw")) {
            (false, _) => Explains::Nothing,
            (true, false) => Explains::Frames,
            (true, true) => Explains::Bytes,
        };
        if explains != Explains::Nothing {
            let mut frame = Vec::new();
            frame::write_text(explained::handshake(head, &answer).as_bytes(), &mut frame);
            self.outbox.push_bytes(&frame);
        }
        Ok(AfterRequest::Echo(rest, explains))
    }

    fn upgrade(&self, answer: &[u8], carrier: Carrier) {
        self.outbox.push_bytes(answer);
        self.outbox.change_carrier(carrier);
    }

    fn refuse(&self, refusal: &Rejection, method: Method) -> AfterRequest {
        tracing::debug!(address = %self.address, reason = refusal.reason, "refused a request");
        self.shared.metrics.refused.count(refusal.status.code());
        self.outbox.push_bytes(&http::refusal(refusal, method));
        AfterRequest::Close
    }
}

/// The HTTP response that corresponds to a goodbye.
pub(crate) fn refusal_of(goodbye: Goodbye) -> Rejection {
    match goodbye {
        Goodbye::Banned => Rejection::new(StatusCode::Forbidden, "you are banned from this server"),
        Goodbye::AddressFull => {
            Rejection::new(StatusCode::TooManyRequests, "too many connections from your address")
        }
        _ => Rejection::new(StatusCode::ServiceUnavailable, "the server is full"),
    }
}
