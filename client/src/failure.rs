//! How a conversation can fail, what to say of it, and the exit code of it.

use std::io;

use madang_protocol::{
    notice::{Goodbye, Notice},
    sanitize::sanitize_line,
    text::Lang,
};

use crate::{address::Address, exit_code::ExitCode};

/// Why the client ends before all was done.
#[derive(Debug)]
pub enum Failure {
    /// The host's name leads nowhere.
    UnknownHost {
        /// What was asked for.
        address: Address,
        /// What the name service said.
        cause: io::Error,
    },
    /// No address of the host let us in.
    NotConnected {
        /// What was asked for.
        address: Address,
        /// What the last one said.
        cause: io::Error,
    },
    /// This client can't go through the door that the address names.
    NoSuchDoor {
        /// What was asked for.
        address: Address,
    },
    /// Encryption was asked for, which this client can't do.
    NoTls,
    /// It greets as Madang does, but there was no hello.
    NoHello,
    /// The server did not take the name, for the reason that it gave.
    NameRefused(String),
    /// The connection ended; the cause is there if it ended in an error.
    Lost(Option<io::Error>),
    /// The connection came back too late: the session had ended.
    SessionOver,
    /// A request was not answered for a long time.
    Silent,
    /// The server said goodbye first, for a reason in a word.
    Bye(String),
    /// The server sent more than a line may have, without a line end.
    EndlessLine,
    /// So many lines were refused; each was reported when it was.
    Undelivered {
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

impl Failure {
    /// The exit code that tells it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::UnknownHost { .. }
            | Failure::NotConnected { .. }
            | Failure::NoSuchDoor { .. }
            | Failure::NoTls
            | Failure::NoHello => ExitCode::NotConnected,
            Failure::NameRefused(_) => ExitCode::NameRefused,
            Failure::Lost(_)
            | Failure::SessionOver
            | Failure::Silent
            | Failure::Bye(_)
            | Failure::EndlessLine => ExitCode::Lost,
            Failure::Stdout(cause) if cause.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
            Failure::Undelivered { .. } | Failure::Stdin(_) | Failure::Stdout(_) => {
                ExitCode::Failed
            }
            Failure::Interrupted => ExitCode::Interrupted,
        }
    }

    /// Whether there is no connection left on which to say goodbye.
    pub(crate) fn ends_connection(&self) -> bool {
        self.exit_code() == ExitCode::Lost
    }

    /// Whether the connection ended in a way that says nothing against another one.
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

    /// One line for people, fit for a terminal; `None` where there is nothing to explain.
    pub fn text(&self, lang: Lang) -> Option<String> {
        match self.exit_code() {
            ExitCode::Done | ExitCode::Interrupted => None,
            _ => {
                let text = match lang {
                    Lang::Ko => self.korean(),
                    Lang::En => self.english(),
                };
                // Some of it may be a server's.
                Some(sanitize_line(&text).into_owned())
            }
        }
    }

    fn korean(&self) -> String {
        match self {
            Failure::UnknownHost { address, cause } => format!(
                "`{}` 호스트를 찾을 수 없습니다: {cause}. 철자를 확인하거나 IP 주소로 접속해 보세요",
                address.host
            ),
            Failure::NotConnected { address, cause } => match cause.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "{address}에 연결할 수 없습니다: 연결이 거부되었습니다. \
                     그곳에 madang-server가 실행 중인가요? 포트는 따로 주지 않으면 {}입니다",
                    address.door.default_port()
                ),
                io::ErrorKind::TimedOut => format!(
                    "{address}에 연결할 수 없습니다: 응답이 없습니다. \
                     주소가 맞는지, 방화벽이 {} 포트를 막지 않는지 확인하세요",
                    address.port
                ),
                _ => format!("{address}에 연결할 수 없습니다: {cause}"),
            },
            Failure::NoSuchDoor { address } => format!(
                "{address}에 https://로는 아직 접속할 수 없습니다(TLS 미지원). \
                 http:// 링크나 madang HOST로 접속해 보세요"
            ),
            Failure::NoTls => {
                "암호화된 연결(--tls)은 아직 할 수 없어 연결하지 않습니다. ssh -L 9009:localhost:9009 HOST를 써 보세요".into()
            }
            Failure::NoHello => {
                "서버가 인사만 하고 /json에 답하지 않습니다. `nc`로 접속해 보세요".into()
            }
            Failure::NameRefused(reason) => {
                format!("이름을 쓸 수 없습니다: {reason} --name으로 다른 이름을 주세요")
            }
            Failure::Lost(None) => "서버가 연결을 끊었습니다".into(),
            Failure::Lost(Some(cause)) => format!("서버와의 연결이 끊어졌습니다: {cause}"),
            Failure::SessionOver => "연결이 너무 오래 끊겨 있어 세션이 끝났습니다".into(),
            Failure::Silent => "서버가 오랫동안 답하지 않아 연결을 끊습니다".into(),
            Failure::Bye(reason) => {
                format!("서버가 연결을 끝냈습니다: {}", goodbye(reason, Lang::Ko))
            }
            Failure::EndlessLine => "서버가 끝나지 않는 줄을 보내 연결을 끊습니다".into(),
            Failure::Undelivered { lines } => format!("{lines}줄을 보내지 못했습니다"),
            Failure::Stdin(cause) => format!("표준 입력을 읽을 수 없습니다: {cause}"),
            Failure::Stdout(cause) => format!("표준 출력에 쓸 수 없습니다: {cause}"),
            Failure::Interrupted => "중단했습니다".into(),
        }
    }

    fn english(&self) -> String {
        match self {
            Failure::UnknownHost { address, cause } => format!(
                "failed to find the host `{}`: {cause}; check its spelling, or try its IP address",
                address.host
            ),
            Failure::NotConnected { address, cause } => match cause.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "failed to connect to {address}: connection refused; \
                     is madang-server running there? the port is {} unless another was given",
                    address.door.default_port()
                ),
                io::ErrorKind::TimedOut => format!(
                    "failed to connect to {address}: no answer; \
                     is the address right, and does no firewall stop port {}?",
                    address.port
                ),
                _ => format!("failed to connect to {address}: {cause}"),
            },
            Failure::NoSuchDoor { address } => format!(
                "failed to connect to {address}: https:// is not supported yet by this build; \
                 try an http:// link, or madang HOST"
            ),
            Failure::NoTls => "did not connect: encrypted connections (--tls) can't be made yet; \
                 try ssh -L 9009:localhost:9009 HOST"
                .into(),
            Failure::NoHello => {
                "the server greets but does not answer /json; try `nc` instead".into()
            }
            Failure::NameRefused(reason) => {
                format!("the name was refused: {reason} Give another with --name")
            }
            Failure::Lost(None) => "the server closed the connection".into(),
            Failure::Lost(Some(cause)) => format!("the connection to the server was lost: {cause}"),
            Failure::SessionOver => {
                "the connection was lost for too long; the session has ended".into()
            }
            Failure::Silent => "the server has not answered for a long time; leaving".into(),
            Failure::Bye(reason) => {
                format!("the server ended the connection: {}", goodbye(reason, Lang::En))
            }
            Failure::EndlessLine => "the server sent a line without an end; leaving".into(),
            Failure::Undelivered { lines: 1 } => "1 line was not delivered".into(),
            Failure::Undelivered { lines } => format!("{lines} lines were not delivered"),
            Failure::Stdin(cause) => format!("failed to read stdin: {cause}"),
            Failure::Stdout(cause) => format!("failed to write to stdout: {cause}"),
            Failure::Interrupted => "interrupted".into(),
        }
    }
}

/// The sentence for a `bye`'s reason; the reason itself if it is not known here.
fn goodbye(reason: &str, lang: Lang) -> String {
    const KNOWN: [Goodbye; 11] = [
        Goodbye::Quit,
        Goodbye::Shutdown,
        Goodbye::LoginTries,
        Goodbye::EndlessLine,
        Goodbye::MessageTooBig,
        Goodbye::ServerFull,
        Goodbye::AddressFull,
        Goodbye::Banned,
        Goodbye::Replaced,
        Goodbye::Internal,
        Goodbye::Closed,
    ];
    match (KNOWN.into_iter().find(|known| known.code() == reason), reason, lang) {
        (Some(known), _, _) => Notice::Goodbye(known).text(lang),
        (None, "login_timeout", Lang::Ko) => "제시간에 이름을 입력하지 않았습니다.".into(),
        (None, "login_timeout", Lang::En) => "No name was given in time.".into(),
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
        check(&refused, Lang::Ko, &["chat:9009", "madang-server가 실행 중인가요?"]);
        check(&Failure::Bye("shutdown".into()), Lang::En, &["shutting down"]);
        check(&Failure::Bye("shutdown".into()), Lang::Ko, &["종료"]);
        check(&Failure::Bye("x\n\x1b[31my".into()), Lang::En, &["xy"]);
    }

    #[test]
    fn a_reader_that_has_gone_is_success() {
        let gone = Failure::Stdout(io::ErrorKind::BrokenPipe.into());
        assert_eq!((gone.exit_code(), gone.text(Lang::En)), (ExitCode::Done, None));
        let full = Failure::Stdout(io::ErrorKind::StorageFull.into());
        assert_eq!(full.exit_code(), ExitCode::Failed);
    }
}
