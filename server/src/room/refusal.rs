//! Why a room or a session refuses a request; sent only to the requester.

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
    /// The target is no member.
    NotHere,
    /// The room is locked.
    Locked,
    /// The maximum number of members is reached.
    Full { limit: usize },
    /// Only the owner may do this.
    OwnerOnly,
    /// The request makes no sense for oneself.
    Oneself,
    /// Nothing to change.
    Already,
    /// The requester is muted, perhaps for this many more seconds.
    Muted { seconds: Option<u64> },
    /// The requester was kicked, and is kept out for this many more seconds.
    Kicked { seconds: u64 },
    /// Somebody with this name was kicked; the name is kept out.
    NameKicked { seconds: u64 },
    /// A quiet session can't join a private room.
    PublicOnly,
    /// A quiet session on another machine can't speak.
    ReadOnly,
    /// Slow mode: the requester may speak again after this many seconds.
    Slow { seconds: u64 },
    /// Listening mode: only teachers and whoever was called may speak.
    Listening,
    /// During a lesson, only a teacher may do this.
    TeacherOnly,
    /// The other machines that share the room can't be reached.
    Unavailable,
    /// Whether it was carried out is not known.
    Unknown,
    /// Who is meant may not speak all the same: the operator keeps them from it.
    MutedByOperator,
}

impl Refusal {
    /// The refusal for a muted person who speaks at `now`.
    pub(crate) fn muted(mute: Mute, now: Time) -> Refusal {
        Refusal::Muted { seconds: mute.until.map(|until| whole_seconds(until.since(now))) }
    }

    /// The refusal for somebody who is kept out for `left`.
    pub(crate) fn kicked_for(left: Duration) -> Refusal {
        Refusal::Kicked { seconds: whole_seconds(left) }
    }

    /// The same for a name.
    pub(crate) fn name_kicked_for(left: Duration) -> Refusal {
        Refusal::NameKicked { seconds: whole_seconds(left) }
    }

    /// The notice for it.
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
            Refusal::Unknown => Notice::Unanswered,
            Refusal::MutedByOperator => Notice::Silenced,
            Refusal::Slow { seconds } => Notice::Lesson(LessonNotice::Slow { seconds }),
            Refusal::Listening => Notice::Lesson(LessonNotice::Listening),
            Refusal::TeacherOnly => Notice::Lesson(LessonNotice::TeacherOnly),
        }
    }
}

/// Whole seconds, rounded up, so that waiting this long is enough.
pub(crate) fn whole_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time_is_rounded_up_to_whole_seconds() {
        let nanos = Duration::from_nanos;
        for (left, seconds) in [(0, 0), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
            assert_eq!(whole_seconds(nanos(left)), seconds, "{left} ns");
        }
    }
}
