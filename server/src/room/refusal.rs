//! Why a room or a session does not do what it was asked; sent only to the requester.

use std::time::Duration;

use madang_protocol::{
    event::{ServerMessage, Time},
    notice::{LessonNotice, Notice},
};

use super::op::Speech;
use crate::{
    dialect::answer::Answer,
    metrics::Metrics,
    session::{Mute, Session},
};

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The room has ended.
    Ended,
    /// The requester is no member.
    NoMember,
    /// Who is meant is no member.
    NotHere,
    /// Nobody new may come in.
    Locked,
    /// There are as many members as there may be.
    Full { limit: usize },
    /// Only the owner may do this.
    OwnerOnly,
    /// To oneself, this can't be done.
    Oneself,
    /// It is as asked for already.
    Already,
    /// The requester may not speak, perhaps for so many seconds more.
    Muted { seconds: Option<u64> },
    /// The requester was removed from there, and is kept out for so many seconds more.
    Kicked { seconds: u64 },
    /// Who had this name was removed from there; the name is kept out.
    NameKicked { seconds: u64 },
    /// Whose joining is told to nobody can't join a private room.
    PublicOnly,
    /// Whose joining was told to nobody may not say anything, from another machine.
    ReadOnly,
    /// The requester spoke a moment ago, and may speak again after so many seconds.
    Slow { seconds: u64 },
    /// Only teachers and whoever was called may speak.
    Listening,
    /// Only a teacher may do this, while a lesson runs.
    TeacherOnly,
    /// Who is meant may not speak all the same: the operator keeps them from it.
    MutedByOperator,
}

impl Refusal {
    /// Who is kept from speaking by this is refused at `now`.
    pub(crate) fn muted(mute: Mute, now: Time) -> Refusal {
        Refusal::Muted { seconds: mute.until.map(|until| whole_seconds(until.since(now))) }
    }

    /// Who is kept out for `left` is refused.
    pub(crate) fn kicked_for(left: Duration) -> Refusal {
        Refusal::Kicked { seconds: whole_seconds(left) }
    }

    /// The same for a name.
    pub(crate) fn name_kicked_for(left: Duration) -> Refusal {
        Refusal::NameKicked { seconds: whole_seconds(left) }
    }

    /// The words for it.
    pub(crate) fn notice(self) -> Notice<'static> {
        match self {
            Refusal::Ended => Notice::NoSuchRoom,
            Refusal::NoMember => Notice::NoRoom,
            Refusal::NotHere => Notice::NotHere,
            Refusal::Locked => Notice::RoomLocked,
            Refusal::Full { limit } => Notice::RoomFull { limit },
            Refusal::OwnerOnly => Notice::OwnerOnly,
            Refusal::Oneself => Notice::Oneself,
            Refusal::Already => Notice::Already,
            Refusal::Muted { seconds } => Notice::Muted { seconds },
            Refusal::Kicked { seconds } => Notice::Kicked { seconds },
            Refusal::NameKicked { seconds } => Notice::NameKicked { seconds },
            Refusal::PublicOnly => Notice::PublicOnly,
            Refusal::ReadOnly => Notice::ReadOnly,
            Refusal::MutedByOperator => Notice::Silenced,
            Refusal::Slow { seconds } => Notice::Lesson(LessonNotice::Slow { seconds }),
            Refusal::Listening => Notice::Lesson(LessonNotice::Listening),
            Refusal::TeacherOnly => Notice::Lesson(LessonNotice::TeacherOnly),
        }
    }
}

/// In whole seconds, rounded up: who waits for so long does not come too early.
pub(crate) fn whole_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// Tells who can't speak why, once, or for each request that has a nonce. What was
/// said before its connection was cut stays said: that is only acknowledged again.
pub(crate) fn refuse(metrics: &Metrics, session: &Session, speeches: &[Speech], refusal: Refusal) {
    session.tell(|answer| write_refusal(metrics, session, speeches, refusal, answer));
}

pub(super) fn write_refusal(
    metrics: &Metrics,
    session: &Session,
    speeches: &[Speech],
    refusal: Refusal,
    answer: &mut Answer,
) {
    let notice = refusal.notice();
    let mut is_told = false;
    for nonce in speeches.iter().map(|speech| speech.nonce.as_deref()) {
        match (nonce, nonce.and_then(|nonce| session.knows_nonce(nonce))) {
            (Some(nonce), Some(id)) => {
                answer.message(&ServerMessage::Ack { nonce: nonce.into(), id, durable: None });
            }
            (nonce, _) => {
                metrics.refused.count_notice(&notice);
                if nonce.is_some() || !std::mem::replace(&mut is_told, true) {
                    answer.notice_to(&notice, nonce);
                }
            }
        }
    }
}
