//! Rooms over HTTP, for whoever has no more than curl: GET streams a room, POST says something in
//! it. Here is what a request must be like; its sender is a member like any other.

use madang_protocol::{
    limits::SHOWN_EVENTS,
    notice::{Goodbye, HttpNotice, LessonNotice, Notice},
    read_buffer::ReadBuffer,
    room::{Destination, RoomKey, RoomName},
    text::{Lang, LineEnd},
};

use crate::{
    connection::{Connection, stream::StreamRequest},
    delivery::carrier::Carrier,
    dialect::{DialectId, Form},
    shared::Shared,
    transport::{
        http::{
            Head, Method, Rejection, StatusCode,
            origin::{self, Origin},
            percent,
            room::{accepts, preferred_lang, room_refusal, stream_head},
        },
        reader::{Heartbeat, ReaderTransport},
    },
    web::{AfterRequest, WebConnection},
};

/// What the last but one segment of a room's path is.
pub(super) const FOLDER: &str = "rooms";

/// What stands in place of a private room's name; the key is in a header.
const PRIVATE: &str = "private";

/// The methods that there are for a room.
const ALLOW: &str = "Allow: GET, POST\r\n";

/// A stream that may begin, unless the room refuses it.
pub(super) struct Stream {
    dialect: DialectId,
    request: Box<StreamRequest>,
}

impl WebConnection {
    /// Answers a request for a room, or lets a stream begin; the head was `bytes` long.
    pub(super) fn serve_room(
        &mut self,
        head: &Head,
        bytes: usize,
        rest: ReadBuffer,
    ) -> AfterRequest {
        let lang = preferred_lang(head).unwrap_or(self.shared.config.lang);
        let served = check_sender(&self.shared, head, lang).and_then(|page| match head.method {
            Method::Get => self.stream(head, bytes, page.as_ref(), lang).map(AfterRequest::Stream),
            Method::Post => self.say(head, bytes, rest, lang).map(|response| {
                self.outbox.push_bytes(&response);
                AfterRequest::Close
            }),
            Method::Head | Method::Other => {
                let (status, notice) = (StatusCode::MethodNotAllowed, HttpNotice::WrongMethod);
                Err(rejection(status, notice, lang).with_headers(ALLOW))
            }
        });
        served.unwrap_or_else(|refusal| {
            // The reason may quote a header, and is not logged.
            tracing::debug!(address = %self.address, status = ?refusal.status, "refused a request");
            self.shared.metrics.refused.count(refusal.status.code());
            self.outbox.push_bytes(&room_refusal(&refusal, head.method));
            AfterRequest::Close
        })
    }

    fn stream(
        &mut self,
        head: &Head,
        bytes: usize,
        page: Option<&Origin>,
        lang: Lang,
    ) -> Result<Stream, Rejection> {
        let bad = |notice| rejection(StatusCode::BadRequest, notice, lang);
        let name = name_of(head).map_err(bad)?.unwrap_or_default();
        let number = |text: Option<&str>, notice: HttpNotice<'static>| match text {
            None | Some("") => Ok(None),
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse::<u64>().map(Some).map_err(|_| bad(notice))
            }
            Some(_) => Err(bad(notice)),
        };
        let shown = number(head.parameter("history"), HttpNotice::NotACount)?;
        let shown =
            shown.map_or(SHOWN_EVENTS, |shown| usize::try_from(shown).unwrap_or(usize::MAX));
        let after = number(head.values("Last-Event-ID").last(), HttpNotice::NotAnId)?;
        let room = destination(head, lang)?;
        self.admission
            .begin_login()
            .map_err(|goodbye| rejection_of(Notice::Goodbye(goodbye), lang))?;
        let dialect = DialectId::streamed(|media_type| accepts(head, media_type));
        let head = stream_head(dialect.media_type().unwrap_or_default(), page);
        let refusal = |notice: &Notice<'_>, room: &Destination, lang| {
            room_refusal(&rejection_at(room, *notice, lang), Method::Get)
        };
        let request = StreamRequest { lang, name, room, shown, after, bytes, head, refusal };
        Ok(Stream { dialect, request: Box::new(request) })
    }

    // Not inlined: server/README.md, "A connection waits on two pages of stack".
    #[inline(never)]
    pub(super) fn into_stream(self, stream: Stream) -> (Box<Connection>, Box<StreamRequest>) {
        let WebConnection { shared, input, address, outbox, is_passed_on, admission, .. } = self;
        let Stream { dialect, request } = stream;
        outbox.change_form(Form::new(dialect, request.lang, LineEnd::Lf));
        outbox.change_carrier(Carrier::Lines);
        let interval = shared.config.heartbeat_interval;
        let heartbeat = dialect.heartbeat().map(|bytes| Heartbeat::new(bytes, interval));
        let transport = Box::new(ReaderTransport::new(input, outbox.clone(), heartbeat));
        let drain_timeout = shared.config.drain_timeout;
        let mut connection =
            Box::new(Connection::new(shared, admission, address, transport, outbox, drain_timeout));
        if is_passed_on {
            connection.pass_on();
        }
        (connection, request)
    }
}

/// Checks what the request calls the server, and which page sent it. Returns the page, if it
/// may read the response.
fn check_sender(shared: &Shared, head: &Head, lang: Lang) -> Result<Option<Origin>, Rejection> {
    let config = &shared.config;
    let hosts = config.allowed_hosts();
    let forbidden = |notice| rejection(StatusCode::Forbidden, notice, lang);
    let mut authorities = head.authorities().peekable();
    if authorities.peek().is_none() {
        return Err(forbidden(HttpNotice::UnknownHost(None)));
    }
    for authority in authorities {
        let host = origin::host_of(authority);
        let is_known = |host: &String| origin::is_known_host(host, &hosts, &shared.own_name);
        if !host.as_ref().is_some_and(is_known) {
            return Err(forbidden(HttpNotice::UnknownHost(host.as_deref())));
        }
    }
    let other_site = || forbidden(HttpNotice::OtherSite);
    origin::check(head, &config.allowed_origins(), &shared.own_name).map_err(|_| other_site())?;
    let page = head.values("Origin").find_map(|text| text.parse().ok());
    // Browsers send no Origin where a page may not read the response anyway. To some servers,
    // they send this.
    let is_own = |site: &str| matches!(site, "same-origin" | "none");
    if page.is_none() && !head.values("Sec-Fetch-Site").all(is_own) {
        return Err(other_site());
    }
    Ok(page)
}

/// The name in the header, if there is one.
pub(super) fn name_of(head: &Head) -> Result<Option<String>, HttpNotice<'static>> {
    let mut names = head.values("Name");
    let name = match (names.next(), names.next()) {
        (None, _) => return Ok(None),
        (Some(name), None) => name,
        (Some(_), Some(_)) => return Err(HttpNotice::NoName),
    };
    let is_text = |name: &String| !name.contains(char::REPLACEMENT_CHARACTER);
    let name = percent::decoded(name).filter(is_text).ok_or(HttpNotice::UnreadableName)?;
    Ok(Some(name).filter(|name| !name.is_empty()))
}

/// The room that the request is about. A key that is none is refused like one that opens
/// nothing.
pub(super) fn destination(head: &Head, lang: Lang) -> Result<Destination, Rejection> {
    let name = percent::decoded(head.name());
    let has_key = head.values("X-Room-Key").next().is_some();
    if name.as_deref() == Some(PRIVATE) {
        let key = head.value("X-Room-Key").map(|key| RoomKey::parse(key.trim_start_matches('#')));
        return match key {
            Some(Ok(key)) => Ok(Destination::Private(key)),
            _ => Err(rejection_of(Notice::NoSuchRoom, lang)),
        };
    }
    if has_key {
        return Err(rejection(StatusCode::BadRequest, HttpNotice::KeyAtPublicRoom, lang));
    }
    match name.and_then(|name| RoomName::parse(&name).ok()) {
        Some(name) => Ok(Destination::Public(name)),
        None => Err(rejection(StatusCode::NotFound, HttpNotice::NoPublicRoom, lang)),
    }
}

pub(super) fn rejection(status: StatusCode, notice: HttpNotice<'_>, lang: Lang) -> Rejection {
    Rejection::new(status, notice.text(lang))
}

/// The rejection that says the same as a notice about this room.
pub(super) fn rejection_at(room: &Destination, notice: Notice<'_>, lang: Lang) -> Rejection {
    match (notice, room) {
        (Notice::NoSuchRoom, Destination::Public(_)) => {
            rejection(StatusCode::NotFound, HttpNotice::NoPublicRoom, lang)
        }
        (notice, _) => rejection_of(notice, lang),
    }
}

/// The rejection that says the same as a notice, in one line.
pub(super) fn rejection_of(notice: Notice<'_>, lang: Lang) -> Rejection {
    let status = match notice {
        Notice::NameInUse { .. } => StatusCode::Conflict,
        Notice::NoSuchRoom | Notice::NoPublicRoom => StatusCode::NotFound,
        Notice::NameBanned
        | Notice::Kicked { .. }
        | Notice::NameKicked { .. }
        | Notice::RoomLocked
        | Notice::Muted { .. }
        | Notice::Lesson(LessonNotice::Listening) => StatusCode::Forbidden,
        Notice::Lesson(LessonNotice::Slow { .. }) | Notice::Goodbye(Goodbye::AddressFull) => {
            StatusCode::TooManyRequests
        }
        Notice::LineTooLong { .. }
        | Notice::MessageTooLong { .. }
        | Notice::TooManyLines { .. }
        | Notice::RenderedTooLong { .. } => StatusCode::ContentTooLarge,
        Notice::RoomFull { .. } | Notice::Unavailable | Notice::Busy | Notice::Goodbye(_) => {
            StatusCode::ServiceUnavailable
        }
        _ => StatusCode::BadRequest,
    };
    let text = notice.text(lang).lines().collect::<Vec<_>>().join(" ");
    let rejection = Rejection::new(status, text);
    match notice.wait_seconds() {
        Some(seconds) => rejection.with_headers(format!("Retry-After: {seconds}\r\n")),
        None => rejection,
    }
}
