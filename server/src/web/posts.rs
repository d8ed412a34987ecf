//! POST to a room: its body is said there.

use std::time::Instant;

use madang_protocol::{
    limits::MESSAGE_BYTES,
    message::check_message,
    notice::{HttpNotice, Notice, Utf8Hint},
    read_buffer::ReadBuffer,
    text::Lang,
    wide::Wide,
};

use crate::{
    admission::bucket_pool::PooledBucket,
    connection::post::{NotPosted, PostConnection, Posted, Saying},
    transport::{
        Received,
        http::{Head, Rejection, StatusCode, room::room_response},
    },
    web::{
        WebConnection,
        rooms::{destination, name_of, rejection, rejection_at, rejection_of},
    },
};

/// What a body may have beyond a message: a line end.
const LINE_END_BYTES: usize = 2;

/// The digits of a token.
const TOKEN_DIGITS: usize = 32;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl WebConnection {
    /// Says the body in the room, and returns the response; the head was `bytes` long.
    pub(super) fn say(
        &mut self,
        head: &Head,
        bytes: usize,
        rest: ReadBuffer,
        lang: Lang,
    ) -> Result<Vec<u8>, Rejection> {
        let bad = |notice| rejection(StatusCode::BadRequest, notice, lang);
        let name = name_of(head).map_err(bad)?.ok_or_else(|| bad(HttpNotice::NoName))?;
        let token = token_of(head).map_err(bad)?;
        let room = destination(head, lang)?;
        check_text(head).map_err(|(status, notice)| rejection(status, notice, lang))?;
        let length =
            body_length(head).map_err(|(status, notice)| rejection(status, notice, lang))?;
        self.admission
            .begin_login()
            .map_err(|goodbye| rejection_of(Notice::Goodbye(goodbye), lang))?;
        let deadline = Instant::now() + self.shared.config.head_timeout;
        let buckets = self.shared.buckets.as_ref();
        let mut bucket = buckets.map(|pool| pool.take(self.address, Instant::now()));
        if let Some(bucket) = &mut bucket {
            self.pay(bucket, bytes + length, deadline, lang)?;
        }
        if head.value("Expect").is_some() && rest.waiting().len() < length {
            self.outbox.push_bytes(CONTINUE);
        }
        let body = self.read_body(rest, length, deadline, lang)?;
        let text = text_of(&body).map_err(|hint| rejection_of(Notice::NotUtf8(hint), lang))?;
        let text = check_message(text).map_err(|notice| rejection_of(notice, lang))?;
        self.admission.logged_in();
        self.admission.traffic.lines.add(1);
        let saying = Saying { lang, name, token, room: room.clone(), text };
        let sender = PostConnection {
            shared: &self.shared,
            admission: &self.admission,
            address: self.address,
        };
        let Posted { token, durable, rendered_bytes } =
            sender.say(saying).map_err(|not_posted| match not_posted {
                NotPosted::Refused(refused) => {
                    let notice = refused.notice();
                    self.shared.metrics.refused.count_notice(&notice);
                    rejection_at(&room, notice, lang)
                }
                NotPosted::TokenOfAnother => {
                    rejection(StatusCode::Conflict, HttpNotice::TokenOfAnother, lang)
                }
            })?;
        if let Some(bucket) = &mut bucket {
            bucket.owe(rendered_bytes.saturating_sub(length));
        }
        let headers = if durable == Some(false) { "Durable: false\r\n" } else { "" };
        Ok(room_response(StatusCode::Ok, headers, &format!("{token}\n")))
    }

    /// Waits until the rate limit allows one message more, but not beyond the deadline.
    fn pay(
        &self,
        bucket: &mut PooledBucket,
        bytes: usize,
        deadline: Instant,
        lang: Lang,
    ) -> Result<(), Rejection> {
        loop {
            let now = Instant::now();
            let Err(wait) = bucket.charge(bytes, now) else { return Ok(()) };
            if now + wait > deadline || self.input.pause(wait).is_err() {
                let seconds = wait.as_secs() + 1;
                let refusal = rejection(StatusCode::TooManyRequests, HttpNotice::TooFast, lang);
                return Err(refusal.with_headers(format!("Retry-After: {seconds}\r\n")));
            }
        }
    }

    /// Reads so many bytes. Some may have come with the head.
    fn read_body(
        &mut self,
        mut rest: ReadBuffer,
        length: usize,
        deadline: Instant,
        lang: Lang,
    ) -> Result<Vec<u8>, Rejection> {
        while rest.waiting().len() < length {
            let received = match self.input.wait_readable(deadline) {
                Ok(true) => self.input.read(rest.spare()),
                Ok(false) => {
                    let seconds = self.shared.config.head_timeout.as_secs();
                    let notice = HttpNotice::BodyTooSlow { seconds };
                    return Err(rejection(StatusCode::RequestTimeout, notice, lang));
                }
                Err(error) => Err(error),
            };
            match received {
                Ok(Received::Bytes(count)) => rest.filled(count),
                Ok(Received::Nothing) => {}
                // It is shorter than the head says.
                Ok(Received::End(_)) | Err(_) => {
                    return Err(rejection(StatusCode::BadRequest, HttpNotice::BadLength, lang));
                }
            }
        }
        Ok(rest.take(length).to_vec())
    }
}

/// The token in the header, if there is one.
fn token_of(head: &Head) -> Result<Option<String>, HttpNotice<'static>> {
    let mut tokens = head.values("Token");
    match (tokens.next(), tokens.next()) {
        (None, _) => Ok(None),
        (Some(token), None)
            if token.len() == TOKEN_DIGITS && token.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            Ok(Some(token.to_ascii_lowercase()))
        }
        _ => Err(HttpNotice::NotAToken),
    }
}

/// Whether the body is text as it is: curl calls it a form unless told otherwise.
fn check_text(head: &Head) -> Result<(), (StatusCode, HttpNotice<'static>)> {
    let not_text = Err((StatusCode::UnsupportedMediaType, HttpNotice::NotText));
    if head.list("Content-Encoding").any(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return not_text;
    }
    let mut content_types = head.values("Content-Type");
    let content_type = match (content_types.next(), content_types.next()) {
        (None, _) => return Ok(()),
        (Some(content_type), None) => content_type.to_ascii_lowercase(),
        (Some(_), Some(_)) => return not_text,
    };
    let mut parts = content_type.split(';').map(str::trim);
    let is_text = matches!(parts.next(), Some("text/plain" | "application/x-www-form-urlencoded"));
    let mut charsets = parts.filter_map(|parameter| parameter.strip_prefix("charset="));
    let is_utf8 =
        |charset: &str| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii");
    if is_text && charsets.all(is_utf8) { Ok(()) } else { not_text }
}

/// The text of a body, without the byte order mark that some programs put before it.
fn text_of(body: &[u8]) -> Result<&str, Utf8Hint> {
    let text = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body);
    match Wide::of_bytes(text) {
        Some(wide) => Err(Utf8Hint::Wide(wide)),
        None => str::from_utf8(text).map_err(|_| Utf8Hint::None),
    }
}

/// How long the body is, as the head says (RFC 9112 section 6.3). A request that could be read
/// in two ways is refused.
fn body_length(head: &Head) -> Result<usize, (StatusCode, HttpNotice<'static>)> {
    let bad = (StatusCode::BadRequest, HttpNotice::BadLength);
    let mut lengths = head.values("Content-Length");
    let has_encoding = head.values("Transfer-Encoding").next().is_some();
    let digits = match (lengths.next(), lengths.next()) {
        (None, _) => return Err((StatusCode::LengthRequired, HttpNotice::NoLength)),
        (Some(digits), None) if !has_encoding => digits,
        _ => return Err(bad),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad);
    }
    match head.value("Expect") {
        Some(expected) if !expected.eq_ignore_ascii_case("100-continue") => {
            return Err((StatusCode::ExpectationFailed, HttpNotice::UnknownExpectation));
        }
        _ => {}
    }
    match digits.parse() {
        Ok(length) if length <= MESSAGE_BYTES + LINE_END_BYTES => Ok(length),
        _ => Err((StatusCode::ContentTooLarge, HttpNotice::BodyTooLong)),
    }
}
