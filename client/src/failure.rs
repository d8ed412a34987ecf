//! How a conversation can fail, with the message and the exit code for each way.

use std::{io, path::Path};

use madang_protocol::{
    notice::{Goodbye, Notice},
    sanitize::sanitize_line,
    text::Lang,
};
use rustls::AlertDescription;

use crate::{address::Address, exit_code::ExitCode};

/// Why the client ends before everything is done.
#[derive(Debug)]
pub enum Failure {
    /// The host name could not be resolved.
    UnknownHost {
        /// What was asked for.
        address: Address,
        /// The resolver's error.
        cause: io::Error,
    },
    /// No address of the host accepted the connection.
    NotConnected {
        /// What was asked for.
        address: Address,
        /// The error of the last address.
        cause: io::Error,
    },
    /// The TLS handshake failed, or the certificate is not trusted.
    NotEncrypted {
        /// What was asked for.
        address: Address,
        /// Why not.
        cause: Box<rustls::Error>,
    },
    /// There are no trusted certificates to check the server's against.
    NoTrust {
        /// The file with certificates, if one was given.
        ca: Option<Box<Path>>,
        /// Why none could be used.
        cause: TrustError,
    },
    /// The server sent Madang's greeting, but no `hello`.
    NoHello,
    /// The server refused the name, with its reason.
    NameRefused(String),
    /// The server refused the room, with its reason.
    RoomRefused(String),
    /// The connection ended, with the cause if that was an error.
    Lost(Option<io::Error>),
    /// The connection came back too late: the session had ended.
    SessionOver,
    /// The room of the input is gone, or the client was removed from it.
    RoomGone,
    /// A request was not answered for a long time.
    Silent,
    /// The operator or a teacher removed the client, which may not come back for a while.
    Kicked {
        /// For how long.
        seconds: u64,
    },
    /// The server ended the session, with a reason code.
    Bye(String),
    /// The server sent a line longer than a line may be. A new connection would bring the
    /// same line.
    LineTooLong,
    /// Some lines were refused. Each was reported at the time.
    Undelivered {
        /// How many.
        lines: u64,
    },
    /// Some lines were delivered, but the server's disk failed. Each was reported at the time.
    Unsaved {
        /// How many.
        lines: u64,
    },
    /// stdin can't be read.
    Stdin(io::Error),
    /// stdout can't be written.
    Stdout(io::Error),
    /// Ctrl-C.
    Interrupted,
}

/// Why there are no trusted certificates.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The file is not PEM, or has no certificate.
    #[error("it contains no PEM certificate")]
    NoCertificate,
    /// The system has no certificates, or one in the file is broken.
    #[error(transparent)]
    Roots(#[from] rustls::Error),
}

impl Failure {
    /// The server's goodbye, with the time until coming back is allowed, if it says so.
    pub(crate) fn bye(reason: &str, seconds: Option<u64>) -> Failure {
        match seconds {
            Some(seconds) if reason == (Goodbye::Kicked { seconds }).code() => {
                Failure::Kicked { seconds }
            }
            _ => Failure::Bye(reason.to_owned()),
        }
    }

    /// A login that was refused with this error code, because of the name or the room.
    pub(crate) fn login_refused(code: &str, reason: &str) -> Failure {
        let reason = reason.replace('\n', " ");
        match code.starts_with("name_") {
            true => Failure::NameRefused(reason),
            false => Failure::RoomRefused(reason),
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::UnknownHost { .. }
            | Failure::NotConnected { .. }
            | Failure::NotEncrypted { .. }
            | Failure::NoTrust { .. }
            | Failure::NoHello => ExitCode::NotConnected,
            Failure::NameRefused(_) => ExitCode::NameRefused,
            Failure::RoomRefused(_) => ExitCode::RoomRefused,
            Failure::Lost(_)
            | Failure::SessionOver
            | Failure::Silent
            | Failure::Kicked { .. }
            | Failure::Bye(_)
            | Failure::LineTooLong => ExitCode::Lost,
            Failure::Stdout(cause) if cause.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
            Failure::Undelivered { .. }
            | Failure::RoomGone
            | Failure::Stdin(_)
            | Failure::Stdout(_) => ExitCode::Failed,
            Failure::Unsaved { .. } => ExitCode::NotSaved,
            Failure::Interrupted => ExitCode::Interrupted,
        }
    }

    /// Whether the connection is gone, so that there is nothing to say goodbye on.
    pub(crate) fn ends_connection(&self) -> bool {
        self.exit_code() == ExitCode::Lost
    }

    /// Whether it makes sense to connect again.
    pub(crate) fn invites_return(&self) -> bool {
        match self {
            Failure::Lost(_) | Failure::Silent => true,
            Failure::Bye(reason) => {
                [Goodbye::Shutdown, Goodbye::Internal, Goodbye::ServerFull, Goodbye::AddressFull]
                    .iter()
                    .any(|goodbye| goodbye.code() == reason)
            }
            _ => false,
        }
    }

    /// One line for people, safe for a terminal; `None` if there is nothing to explain.
    pub fn text(&self, lang: Lang) -> Option<String> {
        match self.exit_code() {
            ExitCode::Done | ExitCode::Interrupted => None,
            _ => {
                let text = match lang {
                    Lang::Ko => self.korean(),
                    Lang::En => self.english(),
                };
                // Parts of it may come from a server.
                Some(sanitize_line(&text).into_owned())
            }
        }
    }

    fn korean(&self) -> String {
        match self {
            Failure::UnknownHost { address, cause } => format!(
                "`{}` 호스트를 찾을 수 없습니다: {cause}. 철자를 확인하거나 IP 주소로 접속하세요",
                address.host
            ),
            Failure::NotConnected { address, cause } => match cause.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "{address}에 연결할 수 없습니다: 연결이 거부되었습니다. \
                     madang-server가 실행 중인지 확인하세요. 포트를 적지 않으면 {}번입니다",
                    address.door.default_port()
                ),
                io::ErrorKind::TimedOut => format!(
                    "{address}에 연결할 수 없습니다: 응답이 없습니다. \
                     주소가 맞는지, 방화벽이 {}번 포트를 막지 않는지 확인하세요",
                    address.port
                ),
                _ => format!("{address}에 연결할 수 없습니다: {cause}"),
            },
            Failure::NotEncrypted { address, cause } => {
                format!("{address}에 안전하게 연결할 수 없습니다: {}", fault(cause, Lang::Ko))
            }
            Failure::NoTrust { ca: Some(ca), cause } => {
                format!("--ca: {} 파일을 쓸 수 없습니다: {cause}", ca.display())
            }
            Failure::NoTrust { ca: None, cause } => format!(
                "서버의 인증서를 확인할 수 없습니다: {cause}. \
                 ca-certificates를 설치하거나 --ca로 신뢰할 인증서를 지정하세요"
            ),
            Failure::NoHello => "서버가 /json에 답하지 않습니다. `nc`로 접속하세요".into(),
            Failure::NameRefused(reason) => {
                format!("이름을 쓸 수 없습니다: {reason} --name으로 다른 이름을 지정하세요")
            }
            Failure::RoomRefused(reason) => format!("방에 들어갈 수 없습니다: {reason}"),
            Failure::Lost(None) => "서버가 연결을 끊었습니다".into(),
            Failure::Lost(Some(cause)) => format!("서버와의 연결이 끊어졌습니다: {cause}"),
            Failure::SessionOver => "연결이 너무 오래 끊겨 있어 세션이 끝났습니다".into(),
            Failure::RoomGone => "방에서 나와 나머지를 보내지 않았습니다".into(),
            Failure::Silent => "서버가 오랫동안 답하지 않아 연결을 끊습니다".into(),
            Failure::Kicked { seconds } => {
                Notice::Goodbye(Goodbye::Kicked { seconds: *seconds }).text(Lang::Ko)
            }
            Failure::Bye(reason) => {
                format!("서버가 연결을 끊었습니다: {}", goodbye(reason, Lang::Ko))
            }
            Failure::LineTooLong => "서버가 64KiB가 넘는 줄을 보내 연결을 끊습니다".into(),
            Failure::Undelivered { lines } => format!("{lines}줄을 보내지 못했습니다"),
            Failure::Unsaved { lines } => {
                format!("{lines}줄을 전달했지만 서버가 저장하지 못했습니다")
            }
            Failure::Stdin(cause) => format!("표준 입력을 읽을 수 없습니다: {cause}"),
            Failure::Stdout(cause) => format!("표준 출력에 쓸 수 없습니다: {cause}"),
            Failure::Interrupted => "중단했습니다".into(),
        }
    }

    fn english(&self) -> String {
        match self {
            Failure::UnknownHost { address, cause } => format!(
                "failed to find the host `{}`: {cause}; check the spelling, or try the IP address",
                address.host
            ),
            Failure::NotConnected { address, cause } => match cause.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "failed to connect to {address}: connection refused; \
                     is madang-server running there? the default port is {}",
                    address.door.default_port()
                ),
                io::ErrorKind::TimedOut => format!(
                    "failed to connect to {address}: no answer; \
                     check the address, and whether a firewall blocks port {}",
                    address.port
                ),
                _ => format!("failed to connect to {address}: {cause}"),
            },
            Failure::NotEncrypted { address, cause } => {
                format!("failed to connect to {address} securely: {}", fault(cause, Lang::En))
            }
            Failure::NoTrust { ca: Some(ca), cause } => {
                format!("--ca: failed to use {}: {cause}", ca.display())
            }
            Failure::NoTrust { ca: None, cause } => format!(
                "failed to find certificates to trust: {cause}; \
                 install ca-certificates, or use --ca"
            ),
            Failure::NoHello => "the server does not answer /json; try `nc` instead".into(),
            Failure::NameRefused(reason) => {
                format!("the name was refused: {reason} Use another with --name")
            }
            Failure::RoomRefused(reason) => format!("failed to enter the room: {reason}"),
            Failure::Lost(None) => "the server closed the connection".into(),
            Failure::Lost(Some(cause)) => format!("the connection to the server was lost: {cause}"),
            Failure::SessionOver => {
                "the connection was lost for too long, and the session has ended".into()
            }
            Failure::RoomGone => "no longer in the room; the rest was not sent".into(),
            Failure::Silent => "the server has not answered for too long; disconnected".into(),
            Failure::Kicked { seconds } => {
                Notice::Goodbye(Goodbye::Kicked { seconds: *seconds }).text(Lang::En)
            }
            Failure::Bye(reason) => {
                format!("the server closed the connection: {}", goodbye(reason, Lang::En))
            }
            Failure::LineTooLong => {
                "the server sent a line of more than 64 KiB; disconnected".into()
            }
            Failure::Undelivered { lines: 1 } => "1 line was not delivered".into(),
            Failure::Undelivered { lines } => format!("{lines} lines were not delivered"),
            Failure::Unsaved { lines: 1 } => {
                "1 line was delivered, but the server could not save it".into()
            }
            Failure::Unsaved { lines } => {
                format!("{lines} lines were delivered, but the server could not save them")
            }
            Failure::Stdin(cause) => format!("failed to read stdin: {cause}"),
            Failure::Stdout(cause) => format!("failed to write to stdout: {cause}"),
            Failure::Interrupted => "interrupted".into(),
        }
    }
}

/// Why TLS failed or the certificate is not trusted, and what to try.
fn fault(cause: &rustls::Error, lang: Lang) -> String {
    use rustls::CertificateError as Certificate;
    let words = match (cause, lang) {
        (rustls::Error::InvalidCertificate(fault), lang) => match (fault, lang) {
            (Certificate::Expired | Certificate::ExpiredContext { .. }, Lang::Ko) => {
                "인증서가 만료되었습니다. 이 컴퓨터의 시계가 맞다면 서버 운영자가 \
                 인증서를 갱신해야 합니다"
            }
            (Certificate::Expired | Certificate::ExpiredContext { .. }, Lang::En) => {
                "its certificate has expired; if this machine's clock is right, the operator \
                 must renew it"
            }
            (
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
                Lang::Ko,
            ) => "인증서의 이름이 다릅니다. 인증서에 적힌 이름으로 접속하세요",
            (
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
                Lang::En,
            ) => "its certificate is for another name; connect with the name in the certificate",
            (Certificate::UnknownIssuer, Lang::Ko) => {
                "이 컴퓨터가 신뢰하지 않는 인증서입니다. 서버를 신뢰한다면 운영자에게서 \
                 인증서를 받아 --ca FILE로 지정하세요"
            }
            (Certificate::UnknownIssuer, Lang::En) => {
                "this machine does not trust its certificate; if you trust the server, get the \
                 certificate from the operator and use --ca FILE"
            }
            (fault, Lang::Ko) => {
                return format!("인증서를 신뢰할 수 없습니다: {fault}. 서버 운영자에게 알리세요");
            }
            (fault, Lang::En) => {
                return format!("its certificate is invalid: {fault}; tell the operator");
            }
        },
        (rustls::Error::InvalidMessage(_), Lang::Ko) => {
            "서버의 그 포트는 TLS를 쓰지 않습니다. 포트를 확인하거나, 암호화하지 않아도 \
             괜찮다면 --tls나 https 없이 접속하세요"
        }
        (rustls::Error::InvalidMessage(_), Lang::En) => {
            "the server does not use TLS on that port; check the port, or, if encryption is \
             not needed, try without --tls or https"
        }
        (rustls::Error::AlertReceived(AlertDescription::InternalError), Lang::Ko) => {
            "서버가 연결을 받지 않습니다. 가득 찼을 수 있으니 나중에 다시 접속하세요"
        }
        (rustls::Error::AlertReceived(AlertDescription::InternalError), Lang::En) => {
            "the server does not accept the connection; it may be full, try again later"
        }
        (cause, Lang::Ko) => {
            return format!("{cause}. 서버나 madang이 오래된 버전인지 확인하세요");
        }
        (cause, Lang::En) => {
            return format!("{cause}; is the server, or madang, an old version?");
        }
    };
    words.into()
}

/// The sentence for the reason of a `bye`, or the reason itself if it is unknown here.
fn goodbye(reason: &str, lang: Lang) -> String {
    const KNOWN: [Goodbye; 13] = [
        Goodbye::Quit,
        Goodbye::Shutdown,
        Goodbye::LoginTries,
        Goodbye::CodeTries,
        Goodbye::EndlessLine,
        Goodbye::MessageTooBig,
        Goodbye::ServerFull,
        Goodbye::AddressFull,
        Goodbye::Banned,
        Goodbye::Replaced,
        Goodbye::NameTaken,
        Goodbye::Internal,
        Goodbye::Closed,
    ];
    match (KNOWN.into_iter().find(|known| known.code() == reason), reason, lang) {
        (Some(known), _, _) => Notice::Goodbye(known).text(lang),
        (None, "login_timeout", Lang::Ko) => "제시간에 로그인하지 않았습니다.".into(),
        (None, "login_timeout", Lang::En) => "No login in time.".into(),
        (None, other, _) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_say_what_to_try() {
        #[track_caller]
        fn check(failure: &Failure, lang: Lang, parts: &[&str]) {
            let text = failure.text(lang).expect("it is explained");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert!(!text.contains(['\n', '\x1b']), "{text}");
        }
        let address = "chat".parse().expect("an address");
        let cause = io::ErrorKind::ConnectionRefused.into();
        let refused = Failure::NotConnected { address, cause };
        check(&refused, Lang::En, &["chat:9009", "is madang-server running there?", "9009"]);
        check(&refused, Lang::Ko, &["chat:9009", "madang-server가 실행 중인지"]);
        check(&Failure::Bye("shutdown".into()), Lang::En, &["shutting down"]);
        check(&Failure::Bye("shutdown".into()), Lang::Ko, &["종료"]);
        check(&Failure::bye("kicked", Some(600)), Lang::En, &["You were removed", "10 minutes"]);
        check(&Failure::bye("kicked", Some(600)), Lang::Ko, &["10분"]);
        check(&Failure::Bye("x\n\x1b[31my".into()), Lang::En, &["xy"]);
        let taken = Failure::login_refused("name_taken", "In use.\nFree: bob-2");
        check(&taken, Lang::En, &["In use. Free: bob-2"]);
    }

    #[test]
    fn tls_faults_are_explained_in_both_languages() {
        use rustls::{CertificateError, Error, InvalidMessage};
        #[track_caller]
        fn check(cause: Error, english: &str, korean: &str) {
            let address = "https://chat/".parse().expect("an address");
            let failure = Failure::NotEncrypted { address, cause: Box::new(cause) };
            assert_eq!(failure.exit_code(), ExitCode::NotConnected);
            for (lang, part) in [(Lang::En, english), (Lang::Ko, korean)] {
                let text = failure.text(lang).expect("it is explained");
                assert!(text.contains("chat:443") && text.contains(part), "{text}");
            }
        }
        check(CertificateError::Expired.into(), "has expired; if", "만료되었습니다");
        check(CertificateError::NotValidForName.into(), "another name; connect", "이름이 다릅니다");
        check(CertificateError::UnknownIssuer.into(), "--ca FILE", "--ca FILE");
        check(CertificateError::BadSignature.into(), "invalid", "신뢰할 수 없습니다");
        let no_tls = InvalidMessage::InvalidContentType;
        check(no_tls.into(), "does not use TLS on that port", "TLS를 쓰지 않습니다");
        let full = Error::AlertReceived(AlertDescription::InternalError);
        check(full, "it may be full", "가득 찼을 수");
        check(Error::DecryptError, "old version", "오래된 버전");
    }

    #[test]
    fn a_reader_that_has_gone_is_success() {
        let gone = Failure::Stdout(io::ErrorKind::BrokenPipe.into());
        assert_eq!((gone.exit_code(), gone.text(Lang::En)), (ExitCode::Done, None));
        let full = Failure::Stdout(io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit_code(), ExitCode::Failed);
    }
}
