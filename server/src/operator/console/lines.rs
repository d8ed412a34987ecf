//! The console's lines about events of the server: one for each person who joins or leaves.

use std::{error::Error, net::IpAddr};

use madang_protocol::{duration::show_about, name::UserName, text::Lang};

use super::Console;
use crate::close_reason::CloseReason;

/// A certificate that expires within this many seconds (two weeks) is warned about.
const EXPIRES_SOON: i64 = 14 * 86_400;

impl Console {
    pub(crate) fn joined(&self, user: &UserName, address: IpAddr, present: usize) {
        let address = address.to_canonical();
        self.say_of(
            Some(address),
            match self.lang() {
                Lang::Ko => format!("+++ 대화 참여자 수 [{present}] · [{user}] 입장 ({address})"),
                Lang::En => format!("+++ {present} here · [{user}] joined ({address})"),
            },
        );
    }

    /// Somebody left; with their address and the reason, if they were connected until now.
    pub(crate) fn left(&self, user: &UserName, present: usize, how: Option<(IpAddr, CloseReason)>) {
        let how = how.map(|(address, reason)| (address.to_canonical(), reason));
        let reason = how.map(|(address, reason)| self.why(address, reason)).unwrap_or_default();
        self.say_of(
            how.map(|(address, _)| address),
            match self.lang() {
                Lang::Ko => format!("--- 대화 참여자 수 [{present}] · [{user}] 퇴장{reason}"),
                Lang::En => format!("--- {present} here · [{user}] left{reason}"),
            },
        );
    }

    /// Somebody has become a teacher, by code or by link.
    pub(crate) fn became_teacher(&self, user: &UserName) {
        self.say(match self.lang() {
            Lang::Ko => format!("=== [{user}] 교사가 됨"),
            Lang::En => format!("=== [{user}] became a teacher"),
        });
    }

    /// Somebody lost their connection, and may come back.
    pub(crate) fn cut(&self, user: &UserName, address: IpAddr, reason: CloseReason) {
        let address = address.to_canonical();
        let reason = self.why(address, reason);
        self.say_of(
            Some(address),
            match self.lang() {
                Lang::Ko => format!("=== [{user}] 연결 끊김{reason}"),
                Lang::En => format!("=== [{user}] disconnected{reason}"),
            },
        );
    }

    pub(crate) fn resumed(&self, user: &UserName, address: IpAddr) {
        let address = address.to_canonical();
        self.say_of(
            Some(address),
            match self.lang() {
                Lang::Ko => format!("=== [{user}] 다시 연결됨 ({address})"),
                Lang::En => format!("=== [{user}] came back ({address})"),
            },
        );
    }

    /// A connection ended before the login.
    pub(crate) fn closed_unnamed(&self, address: IpAddr, number: u64, reason: CloseReason) {
        let address = address.to_canonical();
        let reason = reason.text(self.lang());
        self.say_of(
            Some(address),
            match self.lang() {
                Lang::Ko => format!("[{address}] 접속종료 (#{number}: {reason})"),
                Lang::En => format!("[{address}] disconnected (#{number}: {reason})"),
            },
        );
    }

    pub(crate) fn refused(&self, address: IpAddr, reason: CloseReason) {
        let address = address.to_canonical();
        let reason = reason.text(self.lang());
        self.say_of(
            Some(address),
            match self.lang() {
                Lang::Ko => format!("[{address}] 연결 거절 ({reason})"),
                Lang::En => format!("[{address}] refused ({reason})"),
            },
        );
    }

    pub(crate) fn renamed(&self, user: &UserName, to: &UserName) {
        self.say_of(
            None,
            match self.lang() {
                Lang::Ko => format!("=== 이름 변경: [{user}] → [{to}]"),
                Lang::En => format!("=== [{user}] is now [{to}]"),
            },
        );
    }

    pub(crate) fn room_ended(&self, room: &str) {
        self.say_of(
            None,
            match self.lang() {
                Lang::Ko => format!("=== {room} 방이 닫혔습니다."),
                Lang::En => format!("=== {room} closed."),
            },
        );
    }

    /// Redis can't be used, and why.
    pub(crate) fn redis_away(&self, why: &str) {
        self.say(match self.lang() {
            Lang::Ko => format!("--- Redis를 쓸 수 없어 메시지와 로그인을 받지 못합니다: {why}"),
            Lang::En => format!("--- Redis can't be used, so nobody can speak or log in: {why}"),
        });
    }

    /// It can be used, and there are so many servers in the cluster.
    pub(crate) fn linked(&self, servers: usize) {
        self.say(match self.lang() {
            Lang::Ko => format!("+++ 클러스터의 서버: {servers}대"),
            Lang::En => format!("+++ Servers in the cluster: {servers}"),
        });
    }

    /// The other servers of the cluster took this one for dead.
    pub(crate) fn fenced(&self) {
        self.say(match self.lang() {
            Lang::Ko => {
                "=== 클러스터에서 제외되었습니다. 서버가 오래 응답하지 않았거나 Redis가 데이터를 \
                 잃었습니다. 서버를 끝냅니다."
                    .into()
            }
            Lang::En => {
                "=== The cluster does not know this server any more: it was silent for too long, \
                 or Redis has lost its data. The server stops."
                    .into()
            }
        });
    }

    /// The certificate was renewed, and is in use for new connections.
    pub(crate) fn certificate_taken(&self) {
        self.say(match self.lang() {
            Lang::Ko => "+++ 새 인증서를 씁니다.".into(),
            Lang::En => "+++ The new certificate is in use.".into(),
        });
    }

    /// Warns if the certificate in use has expired or does so soon, at `expires_at` seconds
    /// since 1970.
    pub(crate) fn certificate_expires(&self, expires_at: i64, now: i64) {
        let left = expires_at.saturating_sub(now);
        if left >= EXPIRES_SOON {
            return;
        }
        let lang = self.lang();
        let how_long = show_about(u64::try_from(left).unwrap_or_default(), lang);
        self.say(match (lang, left > 0) {
            (Lang::Ko, true) => {
                format!("--- 인증서가 {how_long} 안에 만료됩니다. 새 인증서를 준비하세요.")
            }
            (Lang::En, true) => {
                format!("--- The certificate expires within {how_long}. Renew it soon.")
            }
            (Lang::Ko, false) => {
                "--- 인증서가 만료되었습니다. 접속이 거부되지 않게 새 인증서로 바꾸세요.".into()
            }
            (Lang::En, false) => {
                "--- The certificate has expired. Renew it, or clients refuse to connect.".into()
            }
        });
    }

    /// The certificate was changed, but can't be used.
    pub(crate) fn certificate_kept(&self, error: &dyn Error) {
        self.say(match self.lang() {
            Lang::Ko => format!("--- 새 인증서를 쓸 수 없어 이전 것을 그대로 씁니다: {error}"),
            Lang::En => {
                format!("--- The new certificate can't be used; the old one stays: {error}")
            }
        });
    }

    /// Reports that messages can't be saved, and why.
    pub(crate) fn journal_degraded(&self, why: Option<&str>) {
        let lang = self.lang();
        let why = why.unwrap_or(match lang {
            Lang::Ko => "디스크가 응답하지 않습니다",
            Lang::En => "the disk does not answer",
        });
        self.say(match lang {
            Lang::Ko => format!("--- 대화를 저장할 수 없습니다. 채팅은 계속됩니다: {why}"),
            Lang::En => format!("--- Messages can't be saved; the chat goes on: {why}"),
        });
    }

    /// Reports that messages are saved again.
    pub(crate) fn journal_recovered(&self) {
        self.say(match self.lang() {
            Lang::Ko => "--- 대화가 다시 저장됩니다.".into(),
            Lang::En => "--- Messages are saved again.".into(),
        });
    }

    fn why(&self, address: IpAddr, reason: CloseReason) -> String {
        format!(" ({address}: {})", reason.text(self.lang()))
    }
}
