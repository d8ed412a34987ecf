//! What a person types: text, or a command with a slash before it. One table has every
//! command's names, arguments, help and roles; all doors, the operator's console and the
//! client's completion share it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::{
    address_range::AddressRange,
    invisible::{is_invisible, trim_start},
    name::{NameError, UserName},
    room::{Destination, RoomName},
    text::Lang,
};

pub use lesson::{LessonCommand, MOST_CHOICES};
pub use table::COMMANDS;

pub use history_part::HistoryPart;
pub use input::Input;
pub use transcript_format::{TranscriptFormat, UnknownFormat};

use arguments::ArgumentError;

mod input;
mod arguments;
mod history_part;
mod transcript_format;
mod table;
mod lesson;

/// A command, its arguments read. Text in it is as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Lists or explains commands.
    Help(Help),
    /// Leaves, with or without words, and ends the connection.
    Quit(Option<&'a str>),
    /// Lists who is in a room, without one in one's own; those who came after somebody.
    Who(Option<RoomName>, Option<UserName>),
    /// Looks somebody up.
    Whois(UserName),
    /// Lists the public rooms.
    Rooms,
    /// Goes to another room.
    Join(Destination),
    /// Goes back to the lobby.
    Leave,
    /// Makes a private room, perhaps with a topic, and goes there.
    New(Option<&'a str>),
    /// Shows how to invite others to this room.
    Invite(InviteBy),
    /// Whispers to somebody.
    Msg(UserName, &'a str),
    /// Whispers to the last person who whispered.
    Reply(&'a str),
    /// Changes the member's name.
    Nick(UserName),
    /// Says what the member does.
    Me(&'a str),
    /// Shows the room's topic, or sets it.
    Topic(Option<&'a str>),
    /// Shows what was said before.
    History(Option<HistoryPart>),
    /// Looks for words in what was said; without them, goes on looking further back.
    Search(Option<&'a str>),
    /// Gets what was said as a file, in one's own room; the operator, in any public one.
    Transcript(Option<RoomName>, TranscriptFormat),
    /// Ignores somebody, or lists the ignore list.
    Ignore(Option<UserName>),
    /// Stops ignoring somebody.
    Unignore(UserName),
    /// Changes the language in which the server speaks to this member.
    Lang(Lang),
    /// Sets whether the member's own lines are sent back.
    Own(Switch),
    /// Sets whether the member's connection is explained to it.
    Wire(Switch),
    /// Checks the connection: answered after everything that this member sent before.
    Ping(Option<&'a str>),
    /// Removes somebody from the room.
    Kick(UserName),
    /// Lets somebody join again who was removed.
    Unkick(UserName),
    /// Mutes somebody, perhaps for a time.
    Mute(UserName, Option<Duration>),
    /// Unmutes somebody.
    Unmute(UserName),
    /// Mutes everyone, perhaps for a time.
    MuteAll(Option<Duration>),
    /// Unmutes everyone.
    UnmuteAll,
    /// Locks the room.
    Lock,
    /// Unlocks the room.
    Unlock,
    /// Limits the number of members.
    Limit(usize),
    /// Closes the room for everyone.
    End,
    /// Makes somebody the owner.
    Owner(UserName),
    /// Bans a name or an address, perhaps for a time.
    Ban(Banned, Option<Duration>),
    /// Lifts a ban.
    Unban(Banned),
    /// Lists the bans.
    Bans,
    /// Forgets what was said in a room, by one person if one is named.
    Forget(RoomName, Option<UserName>),
    /// Says something to everyone, as the server.
    Say(&'a str),
    /// Stops the server.
    Stop,
    /// Has to do with a lesson.
    Lesson(LessonCommand<'a>),
}

/// How `/invite` says to invite others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteBy {
    /// By the room's link.
    Link,
    /// By the link, and as a QR code too.
    Qr,
    /// By three words to be said aloud.
    Words,
}

/// What `/help` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Help {
    /// The commands that are needed most.
    Basics,
    /// All other commands.
    Others,
    /// Those of a room's owner.
    Owners,
    /// Those of a lesson.
    Lesson,
    /// One command.
    On(&'static CommandSpec),
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// What a ban keeps out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Banned {
    /// A name, and names that look like it.
    Name(UserName),
    /// An address, or a range of them.
    Address(AddressRange),
}

impl fmt::Display for Banned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Banned::Name(name) => name.fmt(out),
            Banned::Address(address) => address.fmt(out),
        }
    }
}

/// Why a line is not a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// The requester has no such command.
    Unknown {
        /// The command that they probably meant, if one is like it.
        nearest: Option<&'static CommandSpec>,
    },
    /// Members have this command, and the operator's console has no use for it.
    ForMembers(&'static CommandSpec),
    /// The arguments are wrong.
    Usage(&'static CommandSpec),
    /// The new name of a person or a room breaks a rule.
    Name(NameError),
    /// Nobody can have that name.
    Nobody,
    /// The text after the `#` of a link or a key is not a key.
    BrokenLink,
    /// The link makes a teacher, and leads to no room.
    TeachersLink,
}

/// Who may give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everyone.
    Member,
    /// Everyone, in a lesson.
    Pupil,
    /// The owner of a private room, there; a teacher, in every public room.
    Owner,
    /// Whoever entered the teacher's code.
    Teacher,
    /// The operator, at the server's console.
    Operator,
}

/// One row of the table of commands.
#[derive(Debug)]
pub struct CommandSpec {
    /// The name, with its slash.
    pub name: &'static str,
    /// The Korean name, with its slash.
    pub alias: &'static str,
    /// The arguments as help shows them, in Korean and in English; empty if there are none.
    arguments: [&'static str; 2],
    /// Who may use it. An owner is a member too.
    pub roles: &'static [Role],
    /// What it does, in a few words, in Korean and in English.
    help: [&'static str; 2],
    /// Further explanation, in lines of at most 40 columns; perhaps empty.
    details: [&'static str; 2],
    parse: for<'a> fn(&'a str) -> Result<Command<'a>, ArgumentError>,
}

/// The rows that a member may use, as JSON for programs that complete them: a list of
/// `{"name", "alias", "arguments", "arguments_ko", "ko", "en", "owner"}`, the last for
/// those that only the owner of a private room may use; those of a lesson have `lesson`,
/// which is `pupil` or `teacher`.
pub fn table_as_json() -> Vec<u8> {
    let rows: Vec<_> = COMMANDS
        .iter()
        .filter(|spec| spec.is_members())
        .map(|spec| {
            let mut row = serde_json::json!({
                "name": spec.name,
                "alias": spec.alias,
                "arguments": spec.arguments(Lang::En),
                "arguments_ko": spec.arguments(Lang::Ko),
                "ko": spec.help(Lang::Ko),
                "en": spec.help(Lang::En),
                "owner": spec.roles.contains(&Role::Owner),
            });
            if let Some(lesson) = spec.lesson_role() {
                row["lesson"] = match lesson {
                    Role::Teacher => "teacher".into(),
                    _ => "pupil".into(),
                };
            }
            row
        })
        .collect();
    serde_json::Value::from(rows).to_string().into_bytes()
}

/// Rows are told apart by their names.
impl PartialEq for CommandSpec {
    fn eq(&self, other: &CommandSpec) -> bool {
        self.name == other.name
    }
}

impl Eq for CommandSpec {}

impl CommandSpec {
    /// Its name in that language, with its slash.
    pub fn name_in(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Ko => self.alias,
            Lang::En => self.name,
        }
    }

    /// The arguments as help shows them; empty if there are none.
    pub fn arguments(&self, lang: Lang) -> &'static str {
        self.arguments[index(lang)]
    }

    /// What the command does, in a few words.
    pub fn help(&self, lang: Lang) -> &'static str {
        self.help[index(lang)]
    }

    /// Further explanation, in lines of at most 40 columns; perhaps empty.
    pub fn details(&self, lang: Lang) -> &'static str {
        self.details[index(lang)]
    }

    /// The command with its arguments: `/lang ko|en`, `/언어 한국어|영어`.
    pub fn usage(&self, lang: Lang) -> String {
        format!("{} {}", self.name_in(lang), self.arguments(lang)).trim_end().to_owned()
    }

    /// The command of this name, which may lack its slash, be in any case and be
    /// decomposed.
    pub fn find(name: &str) -> Option<&'static CommandSpec> {
        let name = folded(name);
        let name = lesson::synonym(name.strip_prefix('/').unwrap_or(&name));
        COMMANDS.iter().find(|spec| spec.name[1..] == *name || spec.alias[1..] == *name)
    }

    /// The command of a line, whether its arguments are right or not.
    pub fn of(line: &str) -> Option<&'static CommandSpec> {
        CommandSpec::find(split(line).0)
    }

    /// Whether the operator may use it, at the console.
    pub fn is_operators(&self) -> bool {
        self.roles.contains(&Role::Operator)
    }

    /// Whether a member may use it, if only as the owner of a room or in a lesson.
    pub fn is_members(&self) -> bool {
        self.roles.iter().any(|role| *role != Role::Operator)
    }

    /// Who may use it in a lesson, if it is a lesson's.
    pub fn lesson_role(&self) -> Option<Role> {
        self.roles.iter().copied().find(|role| matches!(role, Role::Pupil | Role::Teacher))
    }

    /// Whether it is one of several that differ in a digit: help shows the first of them.
    pub fn is_another_digit(&self) -> bool {
        matches!(self.name.as_bytes(), [b'/', b'2'..=b'9'])
    }
}

/// The index of that language's texts in a row of the table.
fn index(lang: Lang) -> usize {
    match lang {
        Lang::Ko => 0,
        Lang::En => 1,
    }
}

impl<'a> Command<'a> {
    /// Reads a member's line that begins with a slash and is sanitized. Case and white
    /// space around the words don't matter.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; what only the operator may use is unknown here.
    pub fn parse(line: &'a str) -> Result<Command<'a>, CommandError> {
        parse(line, CommandSpec::is_members)
    }

    /// Reads a line of the operator's; the slash may be missing.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; what only members may use is unknown here.
    pub fn parse_operators(line: &'a str) -> Result<Command<'a>, CommandError> {
        let parsed = parse(line, CommandSpec::is_operators);
        match (&parsed, CommandSpec::of(line)) {
            (Err(CommandError::Unknown { .. }), Some(spec)) => Err(CommandError::ForMembers(spec)),
            _ => parsed,
        }
    }
}

fn parse(line: &str, may_use: impl Fn(&CommandSpec) -> bool) -> Result<Command<'_>, CommandError> {
    let (word, arguments) = split(line);
    let Some(spec) = CommandSpec::find(word).filter(|spec| may_use(spec)) else {
        return Err(CommandError::Unknown { nearest: nearest(word, may_use) });
    };
    (spec.parse)(arguments).map_err(|error| match error {
        ArgumentError::Usage => CommandError::Usage(spec),
        ArgumentError::Name(error) => CommandError::Name(error),
        ArgumentError::Nobody => CommandError::Nobody,
        ArgumentError::BrokenLink => CommandError::BrokenLink,
        ArgumentError::TeachersLink => CommandError::TeachersLink,
    })
}

/// The word of a command's line and its arguments.
fn split(line: &str) -> (&str, &str) {
    let line = trim_start(line);
    let (word, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, arguments.trim())
}

/// A command's word for comparison: in small letters, composed, without invisible
/// characters.
fn folded(word: &str) -> String {
    word.chars().filter(|c| !is_invisible(*c)).nfc().flat_map(char::to_lowercase).collect()
}

/// The command that was probably meant by `word`: the first in the table whose name begins
/// with it, or else the one whose name takes the fewest edits. None if more than half of the
/// letters would have to change.
fn nearest(word: &str, may_use: impl Fn(&CommandSpec) -> bool) -> Option<&'static CommandSpec> {
    // Only the beginning counts: a pasted path costs no more than a typing error.
    let word: String = folded(word).chars().take(16).collect();
    let word = format!("/{}", word.trim_start_matches('/'));
    // One key is a vote: nobody is led to cast one.
    let usable = || COMMANDS.iter().filter(|spec| may_use(spec) && spec.name.len() > 2);
    let begins = |spec: &&CommandSpec| {
        word.len() > 1 && [spec.name, spec.alias].iter().any(|name| name.starts_with(&*word))
    };
    let letters = |name: &str| name.chars().count() - 1;
    let edits = |spec: &'static CommandSpec| {
        let names = [spec.name, spec.alias].into_iter();
        let edits = names.map(|name| (strsim::damerau_levenshtein(name, &word), name)).min()?;
        let is_like = 2 * edits.0 <= letters(edits.1).min(letters(&word));
        is_like.then_some((edits.0, spec))
    };
    let fewest = || usable().filter_map(edits).min_by_key(|(edits, _)| *edits);
    usable().find(begins).or_else(|| fewest().map(|(_, spec)| spec))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::{invisible::is_blank, sanitize::sanitize_message};

    fn name(text: &str) -> UserName {
        UserName::parse(text).expect("a name")
    }

    #[test]
    fn input_is_parsed_as_the_shared_table_says() {
        #[derive(serde::Deserialize)]
        struct Case {
            input: String,
            means: String,
            word: Option<String>,
            argument: Option<String>,
            text: Option<String>,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/cases/commands.json")).expect("cases");
        assert!(cases.len() > 40);
        for Case { input, means, word, argument, text } in cases {
            let found = match Input::parse(&input) {
                Input::Nothing => ("nothing", None, None, None),
                Input::Text(text) => ("text", None, None, Some(text.into_owned())),
                Input::Command(line) => {
                    let (word, argument) = split(&line);
                    let word = folded(word).trim_start_matches('/').to_owned();
                    ("command", Some(word), Some(argument.to_owned()), None)
                }
            };
            assert_eq!(found, (&*means, word, argument, text), "of {input:?}");
        }
    }

    #[test]
    fn unchanged_input_is_borrowed() {
        for line in ["hello", " 안녕", "//home", "  /who ", "/msg bob a\nb"] {
            match Input::parse(line) {
                Input::Text(Cow::Borrowed(_)) | Input::Command(Cow::Borrowed(_)) => {}
                other => panic!("{line:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn commands_are_read() {
        #[track_caller]
        fn check(line: &str, expected: Command<'_>) {
            assert_eq!(Command::parse(line), Ok(expected), "{line}");
        }
        let math = RoomName::parse("수학").ok();
        check("/WHO  ", Command::Who(None, None));
        check("/누구 수학", Command::Who(math.clone(), None));
        check("/who after bob", Command::Who(None, Some(name("bob"))));
        check("/누구 수학  다음 bob", Command::Who(math, Some(name("bob"))));
        // A room may be called so.
        check("/who after", Command::Who(RoomName::parse("after").ok(), None));
        check("/quit", Command::Quit(None));
        check("/나가기 see  you ", Command::Quit(Some("see  you")));
        check("/lang  en ", Command::Lang(Lang::En));
        check("/언어 KO", Command::Lang(Lang::Ko));
        check("/언어 영어", Command::Lang(Lang::En));
        check("/lang 한국어", Command::Lang(Lang::Ko));
        let msg = Help::On(CommandSpec::find("/msg").expect("a command"));
        check("/help", Command::Help(Help::Basics));
        check("/help ALL", Command::Help(Help::Others));
        check("/도움말 전체", Command::Help(Help::Others));
        check("/help manage", Command::Help(Help::Owners));
        check("/도움말 관리", Command::Help(Help::Owners));
        check("/help /MSG", Command::Help(msg));
        check("/도움말 귓", Command::Help(msg));
        check("/msg bob  psst, you", Command::Msg(name("bob"), "psst, you"));
        check("/귓 홍길동 a\nb", Command::Msg(name("홍길동"), "a\nb"));
        check("/msg bob\na\n b", Command::Msg(name("bob"), "a\n b"));
        check("/\u{1100}\u{1171}\u{11BA} bob a", Command::Msg(name("bob"), "a"));
        for written in ["@bob", "bob:", "bob,", "[bob]", "@bob:", "[bob]:", "\u{200B}@bob"] {
            check(&format!("/msg {written} hi"), Command::Msg(name("bob"), "hi"));
        }
        check("/mute [bob] 10m", Command::Mute(name("bob"), Some(Duration::from_secs(600))));
        check("/own off", Command::Own(Switch::Off));
        check("/OWN On", Command::Own(Switch::On));
        check("/내말 끄기", Command::Own(Switch::Off));
        check("/내말 켜기", Command::Own(Switch::On));
        check("/wire on", Command::Wire(Switch::On));
        check("/통신보기 끄기", Command::Wire(Switch::Off));
        check("/reply ok", Command::Reply("ok"));
        check("/join 로비", Command::Join(Destination::Public(RoomName::lobby())));
        check("/invite", Command::Invite(InviteBy::Link));
        check("/invite QR", Command::Invite(InviteBy::Qr));
        for words in ["/invite words", "/초대 단어", "/초대 말"] {
            check(words, Command::Invite(InviteBy::Words));
        }
        check("/mute bob 10m", Command::Mute(name("bob"), Some(Duration::from_secs(600))));
        for time in ["90분", "1시간 30분", "1h 30m", "1h30m"] {
            let mute = Command::Mute(name("bob"), Some(Duration::from_secs(5_400)));
            check(&format!("/조용히 bob {time}"), mute);
        }
        check("/mute bob", Command::Mute(name("bob"), None));
        check("/mute ALL 5m", Command::MuteAll(Some(Duration::from_secs(300))));
        check("/조용히 모두", Command::MuteAll(None));
        check("/조용히해제 모두", Command::UnmuteAll);
        // Somebody may be called so.
        check("/mute @all", Command::Mute(name("all"), None));
        check("/limit 30", Command::Limit(30));
        check("/history", Command::History(None));
        check("/history 50", Command::History(Some(HistoryPart::Last(50))));
        check("/지난말 9:05", Command::History(Some(HistoryPart::Time { hour: 9, minute: 5 })));
        check("/history 11-28", Command::History(Some(HistoryPart::Day { month: 11, day: 28 })));
        check("/transcript", Command::Transcript(None, TranscriptFormat::Txt));
        check("/기록 HTML", Command::Transcript(None, TranscriptFormat::Html));
        let math = RoomName::parse("수학").ok();
        check("/기록 수학", Command::Transcript(math.clone(), TranscriptFormat::Txt));
        check("/transcript 수학  jsonl", Command::Transcript(math, TranscriptFormat::Jsonl));
        // A room may be called so.
        let named = Command::Transcript(RoomName::parse("html").ok(), TranscriptFormat::Txt);
        check("/transcript html txt", named);
        check("/topic", Command::Topic(None));
        check("/ignore", Command::Ignore(None));
        check("/ping t1", Command::Ping(Some("t1")));
    }

    #[test]
    fn the_operators_commands_are_the_operators() {
        assert_eq!(Command::parse_operators("say  hi all"), Ok(Command::Say("hi all")));
        assert_eq!(Command::parse_operators("/stop"), Ok(Command::Stop));
        let v4 = Banned::Address("192.0.2.7".parse().expect("an address"));
        assert_eq!(
            Command::parse_operators("/ban ::ffff:192.0.2.7 1h"),
            Ok(Command::Ban(v4.clone(), Some(Duration::from_secs(3_600))))
        );
        for written in ["[192.0.2.7]", "192.0.2.7:40000", "[::ffff:192.0.2.7]:9009", "192.0.2.7,"] {
            let line = format!("/ban {written}");
            assert_eq!(
                Command::parse_operators(&line),
                Ok(Command::Ban(v4.clone(), None)),
                "{written}"
            );
        }
        for mistyped in ["192.0.2.300", "010.0.0.1", "[1.2.3.04]"] {
            let line = format!("/ban {mistyped}");
            let command = Command::parse_operators(&line);
            assert!(matches!(command, Err(CommandError::Usage(_))), "{mistyped}");
        }
        assert!(Command::parse_operators("/ban 1.2.3").is_ok(), "a name");
        assert_eq!(Command::parse_operators("/unban 192.0.2.7"), Ok(Command::Unban(v4)));
        assert_eq!(
            Command::parse_operators("/ban bob"),
            Ok(Command::Ban(Banned::Name(name("bob")), None))
        );
        for line in ["/stop", "/ban bob", "/say hi"] {
            assert!(matches!(Command::parse(line), Err(CommandError::Unknown { .. })), "{line}");
        }
        for line in ["/reply hi", "/nick x", "/end"] {
            let spec = CommandSpec::of(line).expect("a member's command");
            assert_eq!(
                Command::parse_operators(line),
                Err(CommandError::ForMembers(spec)),
                "{line}"
            );
        }
        let mistyped = Command::parse_operators("/stpo");
        assert!(matches!(mistyped, Err(CommandError::Unknown { nearest: Some(_) })));
    }

    #[test]
    fn unknown_commands_name_the_nearest() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            let nearest = CommandSpec::find(expected);
            assert!(nearest.is_some(), "{expected}");
            assert_eq!(Command::parse(line), Err(CommandError::Unknown { nearest }), "{line}");
        }
        // What a name begins with comes before what is only alike.
        check("/q", "/quit");
        check("/h", "/help");
        check("/w", "/who");
        check("/ig", "/ignore");
        check("/hist", "/history");
        check("/차단ㅎ", "/ignore");
        check("/새", "/new");
        check("/도움", "/help");
        // Then the fewest edits.
        check("/hlep", "/help");
        check("/qiut", "/quit");
        check("/exit", "/quit");
        check("/whom", "/who");
        check("/도음말", "/help");
        // Whoever wants to say a command writes two slashes: it must not be carried out.
        check("//quit", "/quit");
        check("//나가기", "/quit");
        // Operators' commands are not proposed to members.
        for line in ["/ban", "/stop", "/bans", "/추방"] {
            let Err(CommandError::Unknown { nearest }) = Command::parse(line) else {
                panic!("{line}");
            };
            assert!(nearest.is_none_or(CommandSpec::is_members), "{line}: {nearest:?}");
        }
        // Nothing is proposed that is hardly like it.
        for line in ["/rj", "/xyz", "/nope", "/enter", "/안녕하세요", "/tmp/file.txt"] {
            assert_eq!(
                Command::parse(line),
                Err(CommandError::Unknown { nearest: None }),
                "{line}"
            );
        }
        let long = format!("/{}", "x".repeat(4_000));
        assert!(matches!(Command::parse(&long), Err(CommandError::Unknown { .. })));
    }

    #[test]
    fn wrong_arguments_name_the_usage() {
        #[track_caller]
        fn check(line: &str, usage: &str) {
            match Command::parse(line) {
                Err(CommandError::Usage(spec)) => assert_eq!(spec.usage(Lang::En), usage, "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
        for line in ["/lang", "/lang fr", "/lang en ko"] {
            check(line, "/lang ko|en");
        }
        check("/msg", "/msg NAME TEXT");
        check("/msg bob", "/msg NAME TEXT");
        check("/msg bob  ", "/msg NAME TEXT");
        check("/msg bob \u{3164}\u{200B}", "/msg NAME TEXT");
        check("/msg @: hi", "/msg NAME TEXT");
        check("/me \u{2800}", "/me TEXT");
        check("/join", "/join ROOM|LINK");
        check("/nick", "/nick NAME");
        check("/limit 0", "/limit N");
        check("/limit -1", "/limit N");
        for wrong in
            ["x", "0", "24:00", "9:60", "9:", ":9", "13-01", "02-30", "1-2-3", "-1", "+9:05"]
        {
            check(&format!("/history {wrong}"), "/history [N|WHEN]");
        }
        check("/help dance", "/help [CMD|all]");
        check("/invite qrs", "/invite [qr|words]");
        for line in ["/own", "/own maybe"] {
            check(line, "/own on|off");
        }
        check("/wire tap", "/wire on|off");
        for duration in ["10", "0s", "m", "-1m", "1y", "400d", "99999999999999999999d", "10m x"] {
            check(&format!("/mute bob {duration}"), "/mute NAME [10m]");
        }
    }

    #[test]
    fn invalid_names_get_an_error_that_fits_the_command() {
        assert_eq!(Command::parse("/msg a! hi"), Err(CommandError::Nobody));
        assert_eq!(Command::parse("/whois admin"), Err(CommandError::Nobody));
        assert_eq!(Command::parse("/nick admin"), Err(CommandError::Name(NameError::Reserved)));
        assert_eq!(Command::parse("/join #123"), Err(CommandError::BrokenLink));
        assert!(matches!(
            Command::parse("/join a b"),
            Err(CommandError::Name(NameError::Spaces { .. }))
        ));
    }

    #[test]
    fn names_are_told_apart_and_begin_with_a_slash() {
        let mut names: Vec<&str> =
            COMMANDS.iter().flat_map(|spec| [spec.name, spec.alias]).collect();
        assert!(names.iter().all(|name| name.starts_with('/') && name.to_lowercase() == *name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn programs_are_given_what_members_may_use() {
        let rows: Vec<serde_json::Value> =
            serde_json::from_slice(&table_as_json()).expect("it is JSON");
        let row = |name: &str| rows.iter().find(|row| row["name"] == name);
        assert_eq!(rows.len(), COMMANDS.iter().filter(|spec| spec.is_members()).count());
        let msg = row("/msg").expect("it is a member's");
        assert_eq!((&msg["alias"], &msg["arguments"]), (&"/귓".into(), &"NAME TEXT".into()));
        assert_eq!(msg["arguments_ko"], "이름 말");
        assert_eq!(
            (&msg["owner"], &row("/lock").expect("an owner's")["owner"]),
            (&false.into(), &true.into())
        );
        assert_eq!(row("/ban"), None);
    }

    #[test]
    fn every_command_has_a_role_and_a_help_text() {
        for spec in COMMANDS {
            assert!(!spec.roles.is_empty() && spec.roles.is_sorted(), "{}", spec.name);
            assert!(spec.help.iter().all(|help| !help.is_empty()), "{}", spec.name);
        }
    }
    /// What sanitizing takes away, or trimming: alone it says nothing.
    fn junk() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "\0",
                "\x07",
                "\x08",
                "\t",
                "\n",
                "\r",
                "\x0B",
                "\x0C",
                "\x7F",
                "\u{85}",
                "\u{9B}",
                "\x1B[A",
                "\x1B[31m",
                "\x1B]0;t\x07",
                "\u{9B}1m",
                " ",
                "\u{A0}",
                "\u{3000}",
            ])
            .prop_map(String::from),
            prop::sample::select(
                ('\0'..=char::MAX).filter(|c| is_invisible(*c)).collect::<Vec<_>>()
            )
            .prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..20)
            .prop_map(|pieces| pieces.concat())
            .prop_filter("it says something", |junk| is_blank(&sanitize_message(junk)))
    }

    proptest! {
        #[test]
        fn nothing_before_a_command_says_it_aloud(
            before in junk(),
            command in prop::sample::select(vec!["/msg bob x", "/join #KEY", "/quit", "/귓 bob x"]),
            after in junk(),
        ) {
            let typed = format!("{before}{command}{after}");
            match Input::parse(&typed) {
                Input::Command(line) => {
                    let expected = CommandSpec::of(command).map(|spec| spec.name);
                    prop_assert_eq!(CommandSpec::of(&line).map(|spec| spec.name), expected);
                }
                // It was the text of a control string (OSC … BEL), and is gone whole.
                Input::Nothing => {}
                Input::Text(text) => prop_assert!(false, "{:?} says {:?}", typed, text),
            }
        }

        #[test]
        fn parsing_a_parsed_command_changes_nothing(typed in "[/ \\PCa-z\u{200B}\n]{0,12}") {
            if let Input::Command(line) = Input::parse(&typed) {
                prop_assert_eq!(Input::parse(&line), Input::Command(line.clone()));
            }
        }
    }
}
