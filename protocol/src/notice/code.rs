//! The code of each refusal: one word, the same in every language, for programs.

use super::Notice;
use crate::command::CommandError;

impl Notice<'_> {
    /// The `code` of the JSON error that says the same; `None` where it is no error.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Notice::Lesson(notice) => return notice.code(),
            Notice::NameInUse { .. } => "name_taken",
            Notice::NameRefused(error) => error.code(),
            Notice::CommandRefused(CommandError::Unknown { .. }) => "unknown_command",
            Notice::CommandRefused(CommandError::ForMembers(_)) => "unknown_command",
            Notice::CommandRefused(CommandError::Usage(_)) | Notice::RangeTooWide(_) => "usage",
            Notice::CommandRefused(CommandError::Name(error)) => error.code(),
            Notice::CommandRefused(CommandError::Nobody) | Notice::Nobody => "nobody",
            Notice::CommandRefused(CommandError::TeachersLink) => "teachers_link",
            Notice::CommandRefused(CommandError::BrokenLink) | Notice::BrokenLink => "broken_link",
            Notice::InRoomAlready => "in_room_already",
            Notice::NoRoom => "no_room",
            Notice::OtherRoom => "other_room",
            Notice::RoomLocked => "room_locked",
            Notice::RoomFull { .. } => "room_full",
            Notice::TooManyRooms { .. } => "too_many_rooms",
            Notice::Unavailable | Notice::OrderWaits => "unavailable",
            Notice::Unanswered => "unknown",
            Notice::RoomsTooFast { .. } => "rooms_too_fast",
            Notice::NotHere | Notice::InNoRoom { .. } => "not_here",
            Notice::WhisperRefused { .. } => "whisper_refused",
            Notice::Ignored { .. } => "ignored",
            Notice::NoWhisper => "no_whisper",
            Notice::Oneself => "oneself",
            Notice::NameKept | Notice::Already => "already",
            Notice::TextTooLong { .. } => "text_too_long",
            Notice::TooManyHidden { .. } => "too_many_hidden",
            Notice::TextOnly => "text_only",
            Notice::Muted { .. } => "muted",
            Notice::Kicked { .. } | Notice::NameKicked { .. } => "kicked",
            Notice::Silenced => "silenced",
            Notice::OwnerOnly => "owner_only",
            Notice::PublicOnly => "public_only",
            Notice::WordsArePrivate => "private_only",
            Notice::NoSuchWords => "no_such_words",
            Notice::TooManyWords { .. } => "too_many_words",
            Notice::ReadOnly => "read_only",
            Notice::NameBanned => "name_banned",
            Notice::LoginFirst => "login_first",
            Notice::RoomFirst => "room_first",
            Notice::LineTooLong { .. } => "line_too_long",
            Notice::MessageTooLong { .. }
            | Notice::TooManyLines { .. }
            | Notice::RenderedTooLong { .. } => "message_too_long",
            Notice::NothingSaid => "nothing_said",
            Notice::NotUtf8(_) => "not_utf8",
            Notice::SessionUnknown => "session_unknown",
            Notice::NoSuchRoom | Notice::NoPublicRoom => "no_such_room",
            Notice::Busy => "busy",
            Notice::NotKept => "not_kept",
            Notice::OutOfReach(_) => "out_of_reach",
            Notice::NoSearch => "usage",
            Notice::NoDownload(_) => "no_download",
            Notice::NotForgotten(_) => "disk",
            Notice::LoggedInAlready => "logged_in_already",
            Notice::ServersAway
            | Notice::ServersBack
            | Notice::ServersRestored
            | Notice::Greeting { .. }
            | Notice::Recorded
            | Notice::NowRecorded
            | Notice::NoLongerRecorded
            | Notice::SavingFails
            | Notice::SavedAgain
            | Notice::NotSaved { .. }
            | Notice::HistoryBegins
            | Notice::NothingSince
            | Notice::Found { .. }
            | Notice::Transcript { .. }
            | Notice::Forgotten(_)
            | Notice::ForgottenEverywhere
            | Notice::LoginPrompt
            | Notice::PressEnter
            | Notice::Help(_)
            | Notice::HelpAll(_)
            | Notice::HelpOwners
            | Notice::HelpOn(_)
            | Notice::HelpInLesson
            | Notice::HelpLesson(_)
            | Notice::LangSet
            | Notice::Who { .. }
            | Notice::WhoMore { .. }
            | Notice::NameSettled { .. }
            | Notice::Skipped { .. }
            | Notice::RoomChosen { .. }
            | Notice::Entered { .. }
            | Notice::RoomMade
            | Notice::Earlier { .. }
            | Notice::NothingEarlier
            | Notice::Rooms(_)
            | Notice::Whois { .. }
            | Notice::Announced(_)
            | Notice::Whispered { .. }
            | Notice::WhisperSent { .. }
            | Notice::Renamed { .. }
            | Notice::TopicIs(_)
            | Notice::NoTopic
            | Notice::Hiding { .. }
            | Notice::Showing { .. }
            | Notice::Hidden(_)
            | Notice::OwnLines(_)
            | Notice::Wire(_)
            | Notice::Explained(_)
            | Notice::Pong(_)
            | Notice::Invite(_)
            | Notice::QrOnRequest
            | Notice::QrTooLarge { .. }
            | Notice::OwnMachineBanned
            | Notice::People { .. }
            | Notice::Done(_)
            | Notice::NoCommand { .. }
            | Notice::Goodbye(_) => return None,
        })
    }
}
