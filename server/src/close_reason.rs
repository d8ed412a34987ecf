//! Why a connection ends: recorded once, sent to the peer, and logged once.

use std::io;

use madang_protocol::{notice::Goodbye, text::Lang};
use rustls::AlertDescription;

/// Why a connection ends. The first recorded reason is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The server has told the peer why.
    Told(Goodbye),
    /// The request was refused, and the refusal was its answer.
    Refused,
    /// The peer is gone: reset, timed out, unreachable.
    Lost(io::ErrorKind),
    /// The peer did not read its queued messages.
    Stalled,
    /// TLS failed, so nothing more can be sent.
    Tls(TlsFault),
}

/// How TLS failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsFault {
    /// The handshake was not finished in time.
    TimedOut,
    /// The peer refused to continue, for example because it does not trust the certificate.
    Refused(AlertDescription),
    /// The two sides have no version or cipher in common.
    Incompatible,
    /// The input violates the TLS protocol.
    Broken,
    /// The peer closed the connection without announcing it (RFC 8446 section 6.1).
    Cut,
}

impl From<io::Error> for CloseReason {
    fn from(error: io::Error) -> CloseReason {
        match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(error) => CloseReason::Tls(TlsFault::from(error)),
            None => CloseReason::Lost(error.kind()),
        }
    }
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> TlsFault {
        tracing::debug!(%error, "TLS has failed");
        match error {
            rustls::Error::AlertReceived(alert) => TlsFault::Refused(*alert),
            rustls::Error::PeerIncompatible(_) => TlsFault::Incompatible,
            _ => TlsFault::Broken,
        }
    }
}

impl TlsFault {
    fn text(self, lang: Lang) -> String {
        let words = match (self, lang) {
            (TlsFault::TimedOut, Lang::Ko) => "TLS 협상이 제시간에 끝나지 않음",
            (TlsFault::TimedOut, Lang::En) => "unfinished TLS handshake",
            (TlsFault::Refused(alert), Lang::Ko) => return format!("상대가 TLS를 거절: {alert:?}"),
            (TlsFault::Refused(alert), Lang::En) => return format!("TLS refused: {alert:?}"),
            (TlsFault::Incompatible, Lang::Ko) => "서로 지원하는 TLS 버전이나 암호가 없음",
            (TlsFault::Incompatible, Lang::En) => "no TLS version or cipher in common",
            (TlsFault::Broken, Lang::Ko) => "잘못된 TLS 레코드",
            (TlsFault::Broken, Lang::En) => "invalid TLS record",
            (TlsFault::Cut, Lang::Ko) => "close_notify 없이 닫음",
            (TlsFault::Cut, Lang::En) => "closed without close_notify",
        };
        words.into()
    }
}

impl CloseReason {
    /// The reason as an identifier, the same in every language.
    pub(crate) fn code(self) -> &'static str {
        match self {
            CloseReason::Told(goodbye) => goodbye.code(),
            CloseReason::Refused => "refused",
            CloseReason::Lost(_) => "lost",
            CloseReason::Stalled => "stalled",
            CloseReason::Tls(TlsFault::TimedOut) => "tls_timeout",
            CloseReason::Tls(TlsFault::Refused(_)) => "tls_refused",
            CloseReason::Tls(TlsFault::Incompatible) => "tls_incompatible",
            CloseReason::Tls(TlsFault::Broken) => "tls_broken",
            CloseReason::Tls(TlsFault::Cut) => "tls_cut",
        }
    }

    /// The reason in a few words for the operator.
    pub(crate) fn text(self, lang: Lang) -> String {
        let goodbye = match self {
            CloseReason::Told(goodbye) => goodbye,
            CloseReason::Tls(fault) => return fault.text(lang),
            CloseReason::Refused => {
                return match lang {
                    Lang::Ko => "요청을 거절함".into(),
                    Lang::En => "request refused".into(),
                };
            }
            CloseReason::Lost(kind) => {
                return match lang {
                    Lang::Ko => format!("연결 끊김: {kind}"),
                    Lang::En => format!("connection lost: {kind}"),
                };
            }
            CloseReason::Stalled => {
                return match lang {
                    Lang::Ko => "읽지 않음".into(),
                    Lang::En => "stopped reading".into(),
                };
            }
        };
        let words = match (goodbye, lang) {
            (Goodbye::Quit, Lang::Ko) => "나감",
            (Goodbye::Quit, Lang::En) => "quit",
            (Goodbye::Closed, Lang::Ko) => "상대가 닫음",
            (Goodbye::Closed, Lang::En) => "closed by peer",
            (Goodbye::Shutdown, Lang::Ko) => "서버 종료",
            (Goodbye::Shutdown, Lang::En) => "server shutdown",
            (Goodbye::LoginTimeout { seconds }, Lang::Ko) => {
                return format!("{seconds}초 안에 로그인하지 않음");
            }
            (Goodbye::LoginTimeout { seconds }, Lang::En) => {
                return format!("no login within {seconds} s");
            }
            (Goodbye::LoginTries, Lang::Ko) => "쓸 수 없는 이름을 여러 번 보냄",
            (Goodbye::LoginTries, Lang::En) => "too many unusable names",
            (Goodbye::CodeTries, Lang::Ko) => "틀린 교사 코드를 여러 번 보냄",
            (Goodbye::CodeTries, Lang::En) => "too many wrong teacher's codes",
            (Goodbye::EndlessLine, Lang::Ko) => "끝나지 않는 줄",
            (Goodbye::EndlessLine, Lang::En) => "line without an end",
            (Goodbye::BrokenFrame, Lang::Ko) => "잘못된 WebSocket 프레임",
            (Goodbye::BrokenFrame, Lang::En) => "invalid WebSocket frame",
            (Goodbye::NotText, Lang::Ko) => "글이 아닌 메시지",
            (Goodbye::NotText, Lang::En) => "not a text message",
            (Goodbye::NotUtf8, Lang::Ko) => "UTF-8이 아닌 메시지",
            (Goodbye::NotUtf8, Lang::En) => "message that is not UTF-8",
            (Goodbye::MessageTooBig, Lang::Ko) => "너무 긴 메시지",
            (Goodbye::MessageTooBig, Lang::En) => "message too long",
            (Goodbye::UnfinishedMessage, Lang::Ko) => "끝나지 않는 메시지",
            (Goodbye::UnfinishedMessage, Lang::En) => "message without an end",
            (Goodbye::Foreign { foreign, .. }, Lang::Ko) => {
                return format!("채팅이 아니라 {}", foreign.name());
            }
            (Goodbye::Foreign { foreign, .. }, Lang::En) => {
                return format!("{}, not chat", foreign.name());
            }
            (Goodbye::NoTls, Lang::Ko) => "TLS가 아님",
            (Goodbye::NoTls, Lang::En) => "not TLS",
            (Goodbye::ServerFull, Lang::Ko) => "서버가 가득 참",
            (Goodbye::ServerFull, Lang::En) => "server is full",
            (Goodbye::AddressFull, Lang::Ko) => "한 주소의 연결이 너무 많음",
            (Goodbye::AddressFull, Lang::En) => "too many connections from the address",
            (Goodbye::Banned, Lang::Ko) => "추방됨",
            (Goodbye::Banned, Lang::En) => "banned",
            (Goodbye::Kicked { .. }, Lang::Ko) => "로비에서 내보냄",
            (Goodbye::Kicked { .. }, Lang::En) => "removed from the lobby",
            (Goodbye::RoomEnded, Lang::Ko) => "방이 닫힘",
            (Goodbye::RoomEnded, Lang::En) => "room closed",
            (Goodbye::Replaced, Lang::Ko) => "다른 연결에서 이어 감",
            (Goodbye::Replaced, Lang::En) => "taken over by another connection",
            (Goodbye::NameTaken, Lang::Ko) => "다른 서버에 같은 이름이 있음",
            (Goodbye::NameTaken, Lang::En) => "name in use on another server",
            (Goodbye::Internal, Lang::Ko) => "서버 오류",
            (Goodbye::Internal, Lang::En) => "server error",
        };
        words.into()
    }
}
