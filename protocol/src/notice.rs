//! What the server says to one person only, in Korean and in English. Every
//! `match` is exhaustive, so that no language lacks a sentence.

use crate::{
    address_range::AddressRange,
    command::{CommandError, CommandSpec, Role, Switch},
    event::{RoomSummary, WireNote},
    name::NameError,
    text::Lang,
};

pub use done::Done;
pub use goodbye::Goodbye;
pub use http::HttpNotice;
pub use invitation::Invitation;
pub use lesson::{LessonNotice, lesson_answer};
pub use number::grouped;
pub use people::Present;
pub use utf8::Utf8Hint;

use phrases::{prefixed, share, version};

mod code;
mod english;
mod done;
mod goodbye;
mod help;
mod http;
mod invitation;
mod korean;
mod list;
mod lesson;
mod number;
mod people;
mod utf8;
mod wire;
mod phrases;

/// Something that the server says to one person. All are whole lines but the prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Notice<'a> {
    /// The first line of every connection.
    Greeting {
        /// The server's version.
        version: &'a str,
    },
    /// Asks for a name; the only text without a line end.
    LoginPrompt,
    /// The name is in use.
    NameInUse {
        /// A similar one that is free.
        proposal: Option<&'a str>,
    },
    /// The name breaks a rule.
    NameRefused(&'a NameError),
    /// The first line has no end: press Enter.
    PressEnter,
    /// The commands that this role needs most.
    Help(Role),
    /// The other commands that this role may use.
    HelpAll(Role),
    /// The commands of a room's owner.
    HelpOwners,
    /// Explains one command.
    HelpOn(&'a CommandSpec),
    /// Something about a lesson.
    Lesson(LessonNotice<'a>),
    /// The commands that members need most while a lesson runs.
    HelpInLesson,
    /// The commands of a lesson that this role may use.
    HelpLesson(Role),
    /// The command is unknown or incomplete.
    CommandRefused(&'a CommandError),
    /// The command needs a name first.
    LoginFirst,
    /// At the prompt, after a room was refused: another must be chosen before the login.
    RoomFirst,
    /// The language was changed to this one.
    LangSet,
    /// Who is here: the number, then the names.
    Who {
        /// How many there are in all.
        count: usize,
        /// The names.
        names: &'a [&'a str],
        /// Those of them who are quiet.
        quiet: &'a [&'a str],
        /// Those of them who are streams over HTTP, and only read.
        streams: &'a [&'a str],
    },
    /// How to list the members after the first page.
    WhoMore {
        /// The public room, unless it is the requester's own.
        room: Option<&'a str>,
        /// The last name listed.
        after: &'a str,
    },
    /// The line is too long.
    LineTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The message is too long.
    MessageTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The message has too many lines.
    TooManyLines {
        /// How many.
        lines: usize,
    },
    /// The message would take too many bytes for each member.
    RenderedTooLong {
        /// How many.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The message is empty.
    NothingSaid,
    /// The line is not UTF-8, and what to do about it.
    NotUtf8(Utf8Hint),
    /// The name is settled, though its owner may still be typing it; how to change it.
    NameSettled {
        /// The name.
        user: &'a str,
        /// The name with the next line attached, if that is a name. The line was not sent.
        proposal: Option<&'a str>,
    },
    /// Lines that a slow reader missed.
    Skipped {
        /// How many.
        lines: usize,
    },
    /// There is no such session, or no longer.
    SessionUnknown,
    /// There is no such room, or the key opens none.
    NoSuchRoom,
    /// There is no public room of that name.
    NoPublicRoom,
    /// The text after the `#` of a link is not a key.
    BrokenLink,
    /// At the prompt: the room that the login will join.
    RoomChosen {
        /// Its name, or its mark if it is private.
        room: &'a str,
    },
    /// The member is in another room now.
    Entered {
        /// Its name, or its mark if it is private.
        room: &'a str,
        /// How many members it has.
        members: usize,
        /// Its topic, if it has one.
        topic: Option<&'a str>,
    },
    /// The private room was made.
    RoomMade,
    /// The member is in that room already.
    InRoomAlready,
    /// The member is in no room; how to join one.
    NoRoom,
    /// The message was written for another room and is not sent in this one.
    OtherRoom,
    /// The room is locked.
    RoomLocked,
    /// The room is full.
    RoomFull {
        /// The limit.
        limit: usize,
    },
    /// The other servers that share the room can't be reached.
    Unavailable,
    /// Another server did not answer in time: whether the request was carried out is not known.
    Unanswered,
    /// To the operator: the other servers can't be reached, and are told of the order later.
    OrderWaits,
    /// To everyone in a room: from now on, they can't be reached.
    ServersAway,
    /// The same: they can be reached again.
    ServersBack,
    /// The servers have restored what the place that they share had lost.
    ServersRestored,
    /// The server has too many rooms.
    TooManyRooms {
        /// The limit.
        limit: usize,
    },
    /// This address has made too many rooms, and has to wait.
    RoomsTooFast {
        /// For how many seconds.
        seconds: u64,
    },
    /// A heading: earlier lines follow.
    Earlier {
        /// How many.
        lines: usize,
    },
    /// There are no earlier messages.
    NothingEarlier,
    /// The public rooms, and how many members each has.
    Rooms(&'a [RoomSummary<'a>]),
    /// What may be known about somebody.
    Whois {
        /// Who it is.
        user: &'a str,
        /// The public room where they are.
        room: Option<&'a str>,
        /// For how long they have been on the server, in seconds, if that is known.
        seconds: Option<u64>,
        /// Whether their connection is cut.
        away: bool,
        /// Whether they are quiet.
        quiet: bool,
        /// Whether they are a stream over HTTP, and only read.
        stream: bool,
    },
    /// Nobody has that name.
    Nobody,
    /// Nobody in this room has that name.
    NotHere,
    /// To the operator: somebody is on the server and in no room.
    InNoRoom {
        /// Who it is.
        user: &'a str,
    },
    /// An announcement of the operator, to somebody who is in no room.
    Announced(&'a str),
    /// A whisper to this member.
    Whispered {
        /// Who sent it.
        user: &'a str,
        /// Whether a teacher sent it.
        teacher: bool,
        /// The text: one line or several.
        text: &'a str,
    },
    /// A whisper of this member was sent.
    WhisperSent {
        /// To whom.
        user: &'a str,
        /// The text.
        text: &'a str,
        /// Whether it waits until they come back.
        away: bool,
    },
    /// The recipient has too many unread whispers.
    WhisperRefused {
        /// Who it is.
        user: &'a str,
    },
    /// The recipient ignores this member.
    Ignored {
        /// Who they are.
        user: &'a str,
    },
    /// There is no whisper to answer.
    NoWhisper,
    /// This can't be done to oneself.
    Oneself,
    /// The new name is the same as the old one.
    NameKept,
    /// The member has another name now, in no room where others are told.
    Renamed {
        /// The name.
        user: &'a str,
    },
    /// The room's topic.
    TopicIs(&'a str),
    /// The room has no topic.
    NoTopic,
    /// The text is too long.
    TextTooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Somebody is ignored now.
    Hiding {
        /// Who it is.
        user: &'a str,
    },
    /// Somebody is no longer ignored.
    Showing {
        /// Who it is.
        user: &'a str,
    },
    /// The ignore list.
    Hidden(&'a [&'a str]),
    /// The ignore list is full.
    TooManyHidden {
        /// The limit.
        limit: usize,
    },
    /// Whether the member's own lines are sent back from now on.
    OwnLines(Switch),
    /// Whether the member's connection is explained from now on.
    Wire(Switch),
    /// Something about it.
    Explained(&'a WireNote),
    /// The command is for text connections; programs decide for themselves.
    TextOnly,
    /// The answer to `/ping`.
    Pong(Option<&'a str>),
    /// The member is muted.
    Muted {
        /// For how many more seconds; until it is lifted if there is none.
        seconds: Option<u64>,
    },
    /// The member was removed from that room, and is kept out for a while.
    Kicked {
        /// For how many more seconds.
        seconds: u64,
    },
    /// Somebody with that name was removed from the room; the name is kept out for a while.
    NameKicked {
        /// For how many more seconds.
        seconds: u64,
    },
    /// The owner's mute is lifted, but the operator's is not.
    Silenced,
    /// Only the owner of a private room may do this.
    OwnerOnly,
    /// A quiet session can't be in a private room.
    PublicOnly,
    /// Words open private rooms; this one is public.
    WordsArePrivate,
    /// The three words open no room, or no longer.
    NoSuchWords,
    /// Too many wrong words were sent, by this address or by all.
    TooManyWords {
        /// In how many seconds the next may be sent.
        seconds: u64,
    },
    /// A quiet session from another machine can't say anything.
    ReadOnly,
    /// There is nothing to change.
    Already,
    /// To the operator: the range of addresses is too wide to be banned.
    RangeTooWide(AddressRange),
    /// To the operator: the ban includes this machine.
    OwnMachineBanned,
    /// The name is banned.
    NameBanned,
    /// How to invite others to this room.
    Invite(Invitation<'a>),
    /// What is said in this room is kept on disk.
    Recorded,
    /// From now on, what is said in this room is kept on disk.
    NowRecorded,
    /// From now on, it is not.
    NoLongerRecorded,
    /// Nothing is kept on disk here.
    NotKept,
    /// Messages can't be kept at the moment, for those whose rooms these are.
    SavingFails,
    /// They are kept again.
    SavedAgain,
    /// Among earlier messages: so many could not be kept.
    NotSaved {
        /// How many.
        lines: u64,
    },
    /// Nothing older may be read.
    HistoryBegins,
    /// Members may read back to this moment only.
    OutOfReach(&'a str),
    /// Nobody has spoken since the moment that was asked for.
    NothingSince,
    /// No words were given to look for, or none can be looked for.
    NoSearch,
    /// What a search has come to.
    Found {
        /// How many messages were found, and told before.
        count: usize,
        /// Whether everything that may be read was looked at.
        is_all: bool,
    },
    /// The link to what was said, as a file: once, within ten minutes.
    Transcript {
        /// The link.
        link: &'a str,
        /// Whether it has a line of its own, for terminals on which a longer one would be broken.
        apart: bool,
    },
    /// There is no port to get a file from; what to do instead, if this room is kept on disk.
    NoDownload(Option<&'a str>),
    /// To the operator: what was said is gone, from disk too: so many events.
    Forgotten(usize),
    /// To the operator: what was said is gone on all servers, and soon in their archives.
    ForgottenEverywhere,
    /// To the operator: it is not; why, in the system's words.
    NotForgotten(&'a str),
    /// To the operator: how to see a QR code.
    QrOnRequest,
    /// To the operator: the window is too small for a QR code.
    QrTooLarge {
        /// How many columns it needs.
        columns: usize,
        /// How many rows it needs.
        rows: usize,
    },
    /// The server has too much to send, and does not answer now.
    Busy,
    /// Already logged in.
    LoggedInAlready,
    /// To the operator: who is on the server.
    People {
        /// How many there are, if that is to be told.
        count: Option<usize>,
        /// Who they are.
        people: &'a [Present<'a>],
    },
    /// To the operator: what was done.
    Done(Done<'a>),
    /// To the operator: this is not a command; how to say it to everyone.
    NoCommand {
        /// What was typed.
        text: &'a str,
    },
    /// Why the server closes the connection.
    Goodbye(Goodbye),
}

impl Notice<'_> {
    /// A name that is free instead of the one that is not.
    pub fn proposal(&self) -> Option<&str> {
        match self {
            Notice::NameInUse { proposal } => *proposal,
            _ => None,
        }
    }

    /// After how many seconds one may try again, where that is known.
    pub fn wait_seconds(&self) -> Option<u64> {
        match self {
            Notice::Lesson(notice) => notice.wait_seconds(),
            Notice::TooManyWords { seconds } => Some(*seconds),
            _ => None,
        }
    }

    /// The words, without the last line end; several lines have LF between them.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ko => korean::text(self),
            Lang::En => english::text(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::LOBBY;

    #[test]
    fn the_greeting_begins_as_specified_in_every_language() {
        for lang in [Lang::Ko, Lang::En] {
            let greeting = Notice::Greeting { version: "0.1.0" }.text(lang);
            assert!(greeting.starts_with("Madang/1 "), "{greeting}");
            assert!(greeting.contains("/help") && !greeting.contains('\n'), "{greeting}");
        }
    }

    #[test]
    fn limits_are_told_in_letters_too() {
        let notice = Notice::LineTooLong { bytes: 5_000 };
        assert_eq!(
            notice.text(Lang::Ko),
            "한 줄은 4,096바이트(한글 약 1,365자)까지 쓸 수 있습니다. \
             이 줄은 5,000바이트라서 보내지 않았습니다."
        );
        assert_eq!(
            notice.text(Lang::En),
            "That line has 5,000 bytes; the limit is 4,096 (about 1,365 Korean or 4,096 \
             English letters). It was not sent."
        );
    }

    #[test]
    fn particles_fit_the_name_before_them() {
        #[track_caller]
        fn check(notice: Notice<'_>, expected: &str) {
            assert_eq!(notice.text(Lang::Ko), expected);
        }
        let settled = |user| Notice::NameSettled { user, proposal: Some("carol") };
        check(settled("ca"), "이름이 ca로 정해졌습니다. 바꾸려면 /이름 carol");
        check(settled("민"), "이름이 민으로 정해졌습니다. 바꾸려면 /이름 carol");
        check(Notice::RoomChosen { room: LOBBY }, "이름을 입력하면 로비로 들어갑니다.");
        check(Notice::RoomChosen { room: "수학" }, "이름을 입력하면 수학 방으로 들어갑니다.");
        check(
            Notice::RoomChosen { room: "private-k3f9" },
            "이름을 입력하면 비공개 방(private-k3f9)으로 들어갑니다.",
        );
        let hiding = Notice::Hiding { user: "선생님" }.text(Lang::Ko);
        assert!(hiding.starts_with("선생님을 "), "{hiding}");
    }

    #[test]
    fn lines_are_counted_up_to_a_number_that_ids_may_leave_out() {
        for (lines, is_counted) in [(2, true), (37, true), ((1 << 20) - 1, true), (1 << 20, false)]
        {
            for lang in [Lang::Ko, Lang::En] {
                let not_saved = Notice::NotSaved { lines: lines as u64 };
                for notice in [Notice::Skipped { lines }, not_saved] {
                    let text = notice.text(lang);
                    assert_eq!(text.contains(&lines.to_string()), is_counted, "{text}");
                    assert_eq!(text.contains(char::is_numeric), is_counted, "{text}");
                }
            }
        }
    }

    /// Korean sentences name commands in Korean.
    #[test]
    fn korean_names_commands_in_korean() {
        let spec = CommandSpec::find("/msg").expect("a command");
        for notice in [
            Notice::CommandRefused(&CommandError::Unknown { nearest: Some(spec) }),
            Notice::CommandRefused(&CommandError::Usage(spec)),
            Notice::Nobody,
            Notice::NotHere,
            Notice::RoomFirst,
            Notice::NoRoom,
            Notice::RoomMade,
            Notice::NoTopic,
            Notice::Hiding { user: "철수" },
            Notice::InNoRoom { user: "철수" },
            Notice::WhoMore { room: None, after: "철수" },
            Notice::WhoMore { room: Some("수학"), after: "철수" },
        ] {
            let text = notice.text(Lang::Ko);
            assert!(!text.contains(|c: char| c.is_ascii_alphabetic()), "{text}");
        }
    }
}
