//! What the server answers to a request for a room over HTTP, in Korean and in English: one line
//! that says what to do. The status is the server's business.

use crate::{
    limits::{LINE_BYTES, MESSAGE_BYTES},
    text::Lang,
};

use super::number::grouped;

/// Why a request for a room was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpNotice<'a> {
    /// The server may not be called by this name; none if the request names no host.
    UnknownHost(Option<&'a str>),
    /// A page of another site sent the request.
    OtherSite,
    /// Neither GET nor POST.
    WrongMethod,
    /// There is no public room of that name.
    NoPublicRoom,
    /// A key came with the name of a public room.
    KeyAtPublicRoom,
    /// There is not exactly one name, and one is needed.
    NoName,
    /// The name is not UTF-8, percent-encoded or not.
    UnreadableName,
    /// `history` is not a number.
    NotACount,
    /// `Last-Event-ID` is not the id of an event.
    NotAnId,
    /// `Token` is not a token.
    NotAToken,
    /// The token belongs to another name.
    TokenOfAnother,
    /// The body's length is not stated.
    NoLength,
    /// The body's length is stated wrongly or several times.
    BadLength,
    /// The body is longer than a message may be.
    BodyTooLong,
    /// The body has not arrived in time.
    BodyTooSlow {
        /// The time allowed, in seconds.
        seconds: u64,
    },
    /// The body is something else than text in UTF-8.
    NotText,
    /// The request expects something that the server does not do.
    UnknownExpectation,
    /// The rate limit lets nothing pass for a while.
    TooFast,
}

impl HttpNotice<'_> {
    /// The text.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ko => self.korean(),
            Lang::En => self.english(),
        }
    }

    fn english(&self) -> String {
        match self {
            HttpNotice::UnknownHost(Some(host)) => format!(
                "Rooms can't be reached as {host}. Use the server's IP address, or have the operator \
                 start it with --allow-host {host}"
            ),
            HttpNotice::UnknownHost(None) => {
                "Send the server's IP address in a Host header, or a name that the operator allows \
                 with --allow-host"
                    .into()
            }
            HttpNotice::OtherSite => {
                "Pages of other sites can't use rooms. The operator can let them read with \
                 --allow-origin"
                    .into()
            }
            HttpNotice::WrongMethod => "Only GET and POST are supported here.".into(),
            HttpNotice::NoPublicRoom => {
                "No such room. A public room exists only while someone is in it.".into()
            }
            HttpNotice::KeyAtPublicRoom => {
                "X-Room-Key opens a private room: send it to /rooms/private".into()
            }
            HttpNotice::NoName => "Send exactly one Name header: curl -H 'Name: alice' …".into(),
            HttpNotice::UnreadableName => {
                "Send the name in UTF-8, percent-encoded if need be: %EC%B2%A0%EC%88%98".into()
            }
            HttpNotice::NotACount => "history takes a number, as in ?history=20".into(),
            HttpNotice::NotAnId => "Last-Event-ID takes the id of an event.".into(),
            HttpNotice::NotAToken => "Token takes 32 hexadecimal digits.".into(),
            HttpNotice::TokenOfAnother => {
                "That token belongs to another name. Send the Name that it came with.".into()
            }
            HttpNotice::NoLength => {
                "Send the message with a Content-Length, not in chunks: curl --data-binary @- …"
                    .into()
            }
            HttpNotice::BadLength => {
                "Send one Content-Length, in digits: the bytes of the message.".into()
            }
            HttpNotice::BodyTooLong => format!(
                "A message has at most {} bytes, and a line {}. It was not sent.",
                grouped(MESSAGE_BYTES),
                grouped(LINE_BYTES)
            ),
            HttpNotice::BodyTooSlow { seconds } => {
                format!("The message did not arrive within {seconds} seconds. It was not sent.")
            }
            HttpNotice::NotText => {
                "Send the message itself, as Content-Type: text/plain; charset=utf-8".into()
            }
            HttpNotice::UnknownExpectation => "Only Expect: 100-continue is supported.".into(),
            HttpNotice::TooFast => "Too many messages. Wait a moment, then send it again.".into(),
        }
    }

    fn korean(&self) -> String {
        match self {
            HttpNotice::UnknownHost(Some(host)) => format!(
                "{host} 주소로는 방에 접속할 수 없습니다. 서버의 IP 주소로 접속하거나, 운영자가 서버를 \
                 --allow-host {host} 옵션으로 시작해야 합니다."
            ),
            HttpNotice::UnknownHost(None) => {
                "Host 헤더에 서버의 IP 주소를 넣어 보내세요. 이름으로 접속하려면 운영자가 \
                 --allow-host 옵션으로 허용해야 합니다."
                    .into()
            }
            HttpNotice::OtherSite => {
                "다른 사이트의 페이지에서는 방을 이용할 수 없습니다. 운영자가 --allow-origin 옵션으로 \
                 읽기를 허용할 수 있습니다."
                    .into()
            }
            HttpNotice::WrongMethod => "여기서는 GET과 POST만 쓸 수 있습니다.".into(),
            HttpNotice::NoPublicRoom => {
                "그런 방이 없습니다. 공개 방은 누군가 들어와 있는 동안에만 있습니다.".into()
            }
            HttpNotice::KeyAtPublicRoom => {
                "X-Room-Key는 비공개 방의 열쇠입니다. /rooms/private로 보내세요.".into()
            }
            HttpNotice::NoName => {
                "Name 헤더를 하나만 넣어 보내세요: curl -H 'Name: 철수' …".into()
            }
            HttpNotice::UnreadableName => {
                "이름을 UTF-8로 보내세요. 퍼센트 인코딩도 됩니다: %EC%B2%A0%EC%88%98".into()
            }
            HttpNotice::NotACount => "history에는 숫자를 넣으세요: ?history=20".into(),
            HttpNotice::NotAnId => "Last-Event-ID에는 이벤트의 id를 넣으세요.".into(),
            HttpNotice::NotAToken => "Token에는 16진수 32자리를 넣으세요.".into(),
            HttpNotice::TokenOfAnother => {
                "다른 이름의 Token입니다. 그 Token을 받은 Name으로 보내세요.".into()
            }
            HttpNotice::NoLength => {
                "메시지를 나누지 말고 Content-Length와 함께 보내세요: curl --data-binary @- …".into()
            }
            HttpNotice::BadLength => "Content-Length에 메시지의 바이트 수를 숫자로 한 번만 넣어 보내세요.".into(),
            HttpNotice::BodyTooLong => format!(
                "메시지는 {}바이트, 한 줄은 {}바이트까지 보낼 수 있습니다. 보내지 않았습니다.",
                grouped(MESSAGE_BYTES),
                grouped(LINE_BYTES)
            ),
            HttpNotice::BodyTooSlow { seconds } => {
                format!("메시지가 {seconds}초 안에 도착하지 않아 보내지 않았습니다.")
            }
            HttpNotice::NotText => {
                "메시지를 그대로 보내세요. Content-Type: text/plain; charset=utf-8".into()
            }
            HttpNotice::UnknownExpectation => "Expect는 100-continue만 쓸 수 있습니다.".into(),
            HttpNotice::TooFast => {
                "메시지가 너무 많습니다. 잠시 기다렸다가 다시 보내세요.".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_that_says_what_to_do() {
        #[track_caller]
        fn check(notice: HttpNotice<'_>, english: &str, korean: &str) {
            for (lang, part) in [(Lang::En, english), (Lang::Ko, korean)] {
                let text = notice.text(lang);
                assert!(text.contains(part) && !text.contains('\n'), "{text}");
            }
        }
        let (host, flag) = ("evil.example", "--allow-host evil.example");
        check(HttpNotice::UnknownHost(Some(host)), flag, flag);
        check(HttpNotice::UnknownHost(None), "--allow-host", "--allow-host");
        check(HttpNotice::OtherSite, "--allow-origin", "--allow-origin");
        check(HttpNotice::WrongMethod, "GET and POST", "GET과 POST");
        check(HttpNotice::NoPublicRoom, "while someone is in it", "들어와 있는 동안");
        check(HttpNotice::KeyAtPublicRoom, "/rooms/private", "/rooms/private");
        check(HttpNotice::NoName, "curl -H 'Name: alice'", "curl -H 'Name: 철수'");
        check(HttpNotice::UnreadableName, "percent-encoded", "퍼센트 인코딩");
        check(HttpNotice::NotACount, "?history=20", "?history=20");
        check(HttpNotice::NotAnId, "id of an event", "이벤트의 id");
        check(HttpNotice::NotAToken, "32 hexadecimal digits", "16진수 32자리");
        check(HttpNotice::TokenOfAnother, "another name", "다른 이름");
        check(HttpNotice::NoLength, "Content-Length", "Content-Length");
        check(HttpNotice::BadLength, "bytes of the message", "한 번만");
        check(HttpNotice::BodyTooLong, "16,384 bytes, and a line 4,096", "16,384바이트");
        check(HttpNotice::BodyTooSlow { seconds: 10 }, "10 seconds", "10초");
        check(HttpNotice::NotText, "text/plain", "text/plain");
        check(HttpNotice::UnknownExpectation, "100-continue", "100-continue");
        check(HttpNotice::TooFast, "Wait a moment", "잠시 기다렸다가");
    }
}
