//! Why a room or a session does not do what it was asked; sent only to the requester.

use std::time::Duration;

use madang_protocol::{
    event::Time,
    notice::{LessonNotice, Notice},
};

use crate::session::Mute;

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
    /// The other machines that share the room can't be reached.
    Unavailable,
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
            Refusal::Unavailable => Notice::Unavailable,
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
