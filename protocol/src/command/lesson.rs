//! The commands of a lesson: their rows of the table, and how their arguments are read.

use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use super::{
    Command, CommandSpec, Role, Switch,
    arguments::{ArgumentError, count, nothing, optional, person, switch, wants_qr, words},
};
use crate::{duration::parse_duration, name::UserName};

const PUPIL: &[Role] = &[Role::Pupil];
const TEACHER: &[Role] = &[Role::Teacher];
const TEACHER_AND_OPERATOR: &[Role] = &[Role::Teacher, Role::Operator];
const OPERATOR: &[Role] = &[Role::Operator];

/// The most choices of a poll.
pub const MOST_CHOICES: usize = 9;

/// What `/slow` and `/timer` take at most.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// How many words a duration has at most: `1 h 30 m`.
const TIME_WORDS: usize = 4;

/// A command of a lesson, its arguments read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LessonCommand<'a> {
    /// Makes one a teacher, by the code or by a link's ticket.
    Teach(&'a str),
    /// Makes somebody a teacher.
    MakeTeacher(UserName),
    /// Shows the teacher's code.
    Code {
        /// With a QR code of the link.
        qr: bool,
    },
    /// Begins a lesson; shows the one that runs, or gives it another title.
    Lesson(Option<&'a str>),
    /// Ends the lesson.
    EndLesson,
    /// Raises a hand, or adds a question to one that is up.
    Hand(Option<&'a str>),
    /// Lowers it.
    LowerHand,
    /// Lists the hands.
    Hands,
    /// Lowers all.
    ClearHands,
    /// Calls on the first in the queue, or on somebody.
    Call(Option<UserName>),
    /// Tells of the open poll.
    Poll,
    /// Opens a poll; without choices, they are yes and no.
    OpenPoll {
        /// What is asked.
        question: &'a str,
        /// The choices.
        choices: Vec<&'a str>,
    },
    /// Shows how the poll stands.
    ShowPoll,
    /// Ends it.
    EndPoll,
    /// Ends it without a result.
    CancelPoll,
    /// Chooses one of the choices, from 1.
    Vote(usize),
    /// Chooses yes or no.
    VoteYesNo(Switch),
    /// Whether what is sent is for the wall; programs only.
    Watch(Switch),
    /// Has each say one message in that time; none: as often as they like.
    Slow(Option<Duration>),
    /// Whether only teachers and whoever is called may speak.
    Listen(Switch),
    /// Asks teachers a question without a name.
    Ask(&'a str),
    /// Shows a question to everyone.
    Show(u64),
    /// Stops whoever asked a question from asking.
    Hush(u64),
    /// Starts a clock.
    Timer(Duration, Option<&'a str>),
    /// Stops it.
    StopTimer,
    /// Lists who attended.
    Attendance {
        /// Whether as CSV; the operator only.
        csv: bool,
    },
}

fn of_lesson(command: LessonCommand<'_>) -> Command<'_> {
    Command::Lesson(command)
}

pub(super) const TEACH: CommandSpec = CommandSpec {
    name: "/teach",
    alias: "/교사",
    arguments: ["코드", "CODE"],
    roles: PUPIL,
    help: ["교사가 됩니다", "become a teacher"],
    details: [
        "코드는 서버를 켠 사람이 알려 줍니다.\n연결이 끝날 때까지 교사입니다.",
        "Whoever runs the server has the code.\nYou stay a teacher until you leave.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::Teach(words(text)?))),
};

pub(super) const HAND: CommandSpec = CommandSpec {
    name: "/hand",
    alias: "/손",
    arguments: ["[질문|내리기]", "[TEXT|down]"],
    roles: PUPIL,
    help: ["손을 듭니다", "raise your hand"],
    details: [
        "질문을 쓰면 함께 보입니다.\n예: /손 포인터가 뭔가요?\n내리려면: /손 내리기",
        "TEXT is shown with it.\nExample: /hand What is a pointer?\nTo lower it: /hand down",
    ],
    parse: hand,
};

pub(super) const ASK: CommandSpec = CommandSpec {
    name: "/ask",
    alias: "/질문",
    arguments: ["질문", "TEXT"],
    roles: PUPIL,
    help: ["이름 없이 묻습니다", "ask without a name"],
    details: [
        "교사에게만 보이고, 누가 물었는지는\n교사도 알 수 없습니다.",
        "Only teachers see it, and not even they\nsee who asked.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::Ask(words(text)?))),
};

/// The row of a choice by its number.
const fn vote<const CHOICE: usize>(name: &'static str, alias: &'static str) -> CommandSpec {
    CommandSpec {
        name,
        alias,
        arguments: ["", ""],
        roles: PUPIL,
        help: ["투표합니다 (/1 ~ /9)", "vote (/1 to /9)"],
        details: [
            "끝날 때까지 바꿀 수 있습니다.\n누가 무엇을 골랐는지는 아무도 모릅니다.",
            "You can change it until the end.\nNobody sees who chose what.",
        ],
        parse: |text| nothing(text, of_lesson(LessonCommand::Vote(CHOICE))),
    }
}

pub(super) const VOTE_1: CommandSpec = vote::<1>("/1", "/1번");
pub(super) const VOTE_2: CommandSpec = vote::<2>("/2", "/2번");
pub(super) const VOTE_3: CommandSpec = vote::<3>("/3", "/3번");
pub(super) const VOTE_4: CommandSpec = vote::<4>("/4", "/4번");
pub(super) const VOTE_5: CommandSpec = vote::<5>("/5", "/5번");
pub(super) const VOTE_6: CommandSpec = vote::<6>("/6", "/6번");
pub(super) const VOTE_7: CommandSpec = vote::<7>("/7", "/7번");
pub(super) const VOTE_8: CommandSpec = vote::<8>("/8", "/8번");
pub(super) const VOTE_9: CommandSpec = vote::<9>("/9", "/9번");

pub(super) const VOTE_YES: CommandSpec = CommandSpec {
    name: "/o",
    alias: "/네",
    arguments: ["", ""],
    roles: PUPIL,
    help: ["'네'를 고릅니다", "vote yes"],
    details: ["", ""],
    parse: |text| nothing(text, of_lesson(LessonCommand::VoteYesNo(Switch::On))),
};

pub(super) const VOTE_NO: CommandSpec = CommandSpec {
    name: "/x",
    alias: "/아니요",
    arguments: ["", ""],
    roles: PUPIL,
    help: ["'아니요'를 고릅니다", "vote no"],
    details: ["", ""],
    parse: |text| nothing(text, of_lesson(LessonCommand::VoteYesNo(Switch::Off))),
};

pub(super) const LESSON: CommandSpec = CommandSpec {
    name: "/lesson",
    alias: "/수업",
    arguments: ["[제목|끝]", "[TITLE|end]"],
    roles: TEACHER_AND_OPERATOR,
    help: ["수업을 시작합니다", "begin a lesson"],
    details: [
        "수업 중에 쓰면 제목을 보여 주거나\n바꿉니다. 끝내려면: /수업 끝",
        "In a lesson, shows it or changes its\ntitle. To end it: /lesson end",
    ],
    parse: |text| {
        Ok(of_lesson(match &*keyword(text) {
            "end" | "끝" => LessonCommand::EndLesson,
            _ => LessonCommand::Lesson(optional(text)),
        }))
    },
};

pub(super) const HANDS: CommandSpec = CommandSpec {
    name: "/hands",
    alias: "/손목록",
    arguments: ["[비우기]", "[clear]"],
    roles: TEACHER,
    help: ["손 든 사람을 봅니다", "list the hands"],
    details: ["", ""],
    parse: |text| match &*keyword(text) {
        "" => Ok(of_lesson(LessonCommand::Hands)),
        "clear" | "비우기" => Ok(of_lesson(LessonCommand::ClearHands)),
        _ => Err(ArgumentError::Usage),
    },
};

pub(super) const CALL: CommandSpec = CommandSpec {
    name: "/call",
    alias: "/호명",
    arguments: ["[이름]", "[NAME]"],
    roles: TEACHER,
    help: ["호명합니다", "call on someone"],
    details: [
        "이름을 쓰지 않으면 먼저 손을 든\n사람입니다. 듣는 시간에도 호명된\n사람은 말할 수 있습니다.",
        "Without NAME, the first in the queue.\nWhoever is called can speak while the\nothers listen.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::Call(optional(text).map(person).transpose()?))),
};

pub(super) const POLL: CommandSpec = CommandSpec {
    name: "/poll",
    alias: "/투표",
    arguments: ["질문 / 1 / 2", "Q / A / B"],
    roles: PUPIL,
    help: ["투표를 열고 봅니다", "open or show a poll"],
    details: [
        "교사: /투표 점심? / 김밥 / 라면\n보기를 안 쓰면 네·아니요입니다.\n/투표 공개, /투표 끝, /투표 취소\n/투표: 열린 투표를 봅니다.",
        "Teachers: /poll Lunch? / rice / soup\nWithout choices: yes and no.\n/poll show, /poll end, /poll cancel\n/poll: shows the open poll.",
    ],
    parse: poll,
};

pub(super) const SLOW: CommandSpec = CommandSpec {
    name: "/slow",
    alias: "/천천히",
    arguments: ["10초|끄기", "10s|off"],
    roles: TEACHER_AND_OPERATOR,
    help: ["천천히 말하게 합니다", "slow everyone down"],
    details: [
        "그 시간에 한 사람이 한 번만 말할 수\n있습니다.",
        "Each person can send one message in\nthat time.",
    ],
    parse: |text| match is_off(text) {
        true => Ok(of_lesson(LessonCommand::Slow(None))),
        false => Ok(of_lesson(LessonCommand::Slow(Some(time(text)?)))),
    },
};

pub(super) const LISTEN: CommandSpec = CommandSpec {
    name: "/listen",
    alias: "/듣기",
    arguments: ["켜기|끄기", "on|off"],
    roles: TEACHER_AND_OPERATOR,
    help: ["듣게 합니다", "have everyone listen"],
    details: [
        "교사와 호명된 사람만 말할 수 있습니다.",
        "Only teachers, and whoever they call\non, can speak.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::Listen(switch(text)?))),
};

pub(super) const SHOW: CommandSpec = CommandSpec {
    name: "/show",
    alias: "/질문공개",
    arguments: ["번호", "N"],
    roles: TEACHER,
    help: ["질문을 공개합니다", "show a question"],
    details: ["", ""],
    parse: |text| Ok(of_lesson(LessonCommand::Show(question_number(text)?))),
};

pub(super) const HUSH: CommandSpec = CommandSpec {
    name: "/hush",
    alias: "/질문차단",
    arguments: ["번호", "N"],
    roles: TEACHER,
    help: ["그 질문자를 막습니다", "mute that person"],
    details: [
        "누구인지 알려지지 않은 채, 수업이\n끝날 때까지 질문이 오지 않습니다.",
        "Who it is stays unknown; you get no\nmore questions from them in this lesson.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::Hush(question_number(text)?))),
};

pub(super) const TIMER: CommandSpec = CommandSpec {
    name: "/timer",
    alias: "/타이머",
    arguments: ["5분 [내용]|끄기", "5m [TEXT]|off"],
    roles: TEACHER,
    help: ["시간을 잽니다", "start a timer"],
    details: [
        "시작할 때, 1분 남았을 때, 끝났을 때\n모두에게 알립니다.",
        "Everyone is told at the start, with\na minute left, and at the end.",
    ],
    parse: timer,
};

pub(super) const ATTENDANCE: CommandSpec = CommandSpec {
    name: "/attendance",
    alias: "/출석",
    arguments: ["", ""],
    roles: TEACHER_AND_OPERATOR,
    help: ["출석을 봅니다", "see who attended"],
    details: [
        "표로 내려받는 링크도 줍니다. 한 번,\n10분 안에 쓸 수 있습니다.\n운영자: /출석 csv",
        "With a link to a table, which works\nonce, within 10 minutes.\nThe operator: /attendance csv",
    ],
    parse: |text| match &*keyword(text) {
        "" => Ok(of_lesson(LessonCommand::Attendance { csv: false })),
        "csv" => Ok(of_lesson(LessonCommand::Attendance { csv: true })),
        _ => Err(ArgumentError::Usage),
    },
};

pub(super) const TEACHER_NAME: CommandSpec = CommandSpec {
    name: "/teacher",
    alias: "/교사지정",
    arguments: ["이름", "NAME"],
    roles: OPERATOR,
    help: ["교사로 정합니다", "make a teacher"],
    details: [
        "코드 없이 그 사람이 교사가 됩니다.",
        "That person becomes a teacher without\nthe code.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::MakeTeacher(person(text)?))),
};

pub(super) const CODE: CommandSpec = CommandSpec {
    name: "/code",
    alias: "/교사코드",
    arguments: ["[qr]", "[qr]"],
    roles: OPERATOR,
    help: ["교사 코드를 봅니다", "show teacher's code"],
    details: [
        "코드와 링크를 30초 동안 보여 줍니다.\n링크는 10분 안에 한 번 쓸 수 있습니다.\nQR 코드로 보려면: /교사코드 qr",
        "Shows the code and a link for 30\nseconds. The link works once, within\n10 minutes. /code qr draws a QR code.",
    ],
    parse: |text| Ok(of_lesson(LessonCommand::Code { qr: wants_qr(text)? })),
};

/// Other words for the commands that vote: what is on the keys of `o` and `x` in Korean
/// too.
pub(super) fn synonym(word: &str) -> &str {
    match word {
        "예" | "ㅇ" | "ㅐ" => "o",
        "아니" | "ㄴ" | "ㅌ" => "x",
        word => word,
    }
}

/// An argument as keywords are compared.
fn keyword(text: &str) -> String {
    text.trim().nfc().collect::<String>().to_lowercase()
}

fn is_off(text: &str) -> bool {
    matches!(&*keyword(text), "off" | "끄기")
}

fn hand(text: &str) -> Result<Command<'_>, ArgumentError> {
    Ok(of_lesson(match &*keyword(text) {
        "down" | "내리기" => LessonCommand::LowerHand,
        _ => LessonCommand::Hand(optional(text)),
    }))
}

/// A question and its choices stand in lines of their own, or have a slash with blanks on
/// both sides between them. A keyword counts only as the whole argument.
fn poll(text: &str) -> Result<Command<'_>, ArgumentError> {
    match &*keyword(text) {
        "" => return Ok(of_lesson(LessonCommand::Poll)),
        "show" | "공개" => return Ok(of_lesson(LessonCommand::ShowPoll)),
        "end" | "끝" => return Ok(of_lesson(LessonCommand::EndPoll)),
        "cancel" | "취소" => return Ok(of_lesson(LessonCommand::CancelPoll)),
        _ => {}
    }
    let parts = text.split('\n').flat_map(split_at_slashes).map(words);
    let mut parts = parts.collect::<Result<Vec<_>, _>>()?.into_iter();
    let question = parts.next().ok_or(ArgumentError::Usage)?;
    let choices: Vec<&str> = parts.collect();
    match choices.len() {
        0 | 2..=MOST_CHOICES => Ok(of_lesson(LessonCommand::OpenPoll { question, choices })),
        _ => Err(ArgumentError::Usage),
    }
}

/// The parts of a line between slashes that have blanks, or the line's end, on both sides.
fn split_at_slashes(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in line.match_indices('/') {
        let before = line[..at].chars().next_back();
        let after = line[at + 1..].chars().next();
        if before.is_some_and(char::is_whitespace) && after.is_none_or(char::is_whitespace) {
            parts.push(&line[start..at]);
            start = at + 1;
        }
    }
    parts.push(&line[start..]);
    parts
}

fn timer(text: &str) -> Result<Command<'_>, ArgumentError> {
    if is_off(text) {
        return Ok(of_lesson(LessonCommand::StopTimer));
    }
    // `1시간 30분 쪽지 시험`: as many words as are a duration together. None has more than four.
    let ends = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
    let is_time = |end: &usize| parse_duration(&text[..*end]).is_some();
    let end = ends.chain([text.len()]).take(TIME_WORDS).filter(is_time).max();
    let end = end.ok_or(ArgumentError::Usage)?;
    let (duration, rest) = (time(&text[..end])?, text[end..].trim());
    Ok(of_lesson(LessonCommand::Timer(duration, optional(rest))))
}

fn time(text: &str) -> Result<Duration, ArgumentError> {
    parse_duration(text).filter(|time| *time <= LONGEST).ok_or(ArgumentError::Usage)
}

fn question_number(text: &str) -> Result<u64, ArgumentError> {
    count(text).map(|number| number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CommandError;

    #[track_caller]
    fn check(line: &str, expected: LessonCommand<'_>) {
        assert_eq!(Command::parse(line), Ok(Command::Lesson(expected)), "{line}");
    }

    fn open<'a>(question: &'a str, choices: &[&'a str]) -> LessonCommand<'a> {
        LessonCommand::OpenPoll { question, choices: choices.to_vec() }
    }

    #[test]
    fn a_poll_is_parted_by_slashes_between_blanks_or_by_lines() {
        check("/poll Lunch? / rice / soup", open("Lunch?", &["rice", "soup"]));
        check("/투표 점심?\n김밥\n라면", open("점심?", &["김밥", "라면"]));
        check("/poll tea/coffee? / tea / and/or", open("tea/coffee?", &["tea", "and/or"]));
        check("/poll Clear so far?", open("Clear so far?", &[]));
        check("/poll end it now?", open("end it now?", &[]));
        check("/투표 끝", LessonCommand::EndPoll);
        check("/poll SHOW", LessonCommand::ShowPoll);
        check("/투표 취소", LessonCommand::CancelPoll);
        check("/poll", LessonCommand::Poll);
        for line in ["/poll Q / A", "/poll / A / B", "/poll Q / A /", "/poll Q / A /  / B"] {
            assert!(matches!(Command::parse(line), Err(CommandError::Usage(_))), "{line}");
        }
        let ten = format!("/poll Q{}", " / a".repeat(MOST_CHOICES + 1));
        assert!(matches!(Command::parse(&ten), Err(CommandError::Usage(_))));
    }

    #[test]
    fn a_vote_is_one_key_and_nothing_behind_it() {
        check("/1", LessonCommand::Vote(1));
        check("/9번", LessonCommand::Vote(9));
        for yes in ["/o", "/O", "/네", "/예", "/ㅇ", "/ㅐ"] {
            check(yes, LessonCommand::VoteYesNo(Switch::On));
        }
        for no in ["/x", "/X", "/아니", "/아니요", "/ㄴ", "/ㅌ"] {
            check(no, LessonCommand::VoteYesNo(Switch::Off));
        }
        for line in ["/1 because", "/o yes", "/x\nno"] {
            assert!(matches!(Command::parse(line), Err(CommandError::Usage(_))), "{line}");
        }
        assert!(matches!(Command::parse("/0"), Err(CommandError::Unknown { .. })));
    }

    #[test]
    fn times_and_words_are_told_apart() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        check("/timer 5m", LessonCommand::Timer(minutes(5), None));
        check("/타이머 1시간 30분 쪽지 시험", LessonCommand::Timer(minutes(90), Some("쪽지 시험")));
        check("/timer 5m 10 questions", LessonCommand::Timer(minutes(5), Some("10 questions")));
        check("/timer off", LessonCommand::StopTimer);
        check("/천천히 10초", LessonCommand::Slow(Some(Duration::from_secs(10))));
        check("/slow off", LessonCommand::Slow(None));
        check("/listen on", LessonCommand::Listen(Switch::On));
        check("/듣기 끄기", LessonCommand::Listen(Switch::Off));
        for line in ["/timer", "/timer soon", "/slow", "/slow 2d", "/listen", "/show x", "/show 0"]
        {
            assert!(matches!(Command::parse(line), Err(CommandError::Usage(_))), "{line}");
        }
    }

    #[test]
    fn keywords_count_only_as_the_whole_argument() {
        check("/손", LessonCommand::Hand(None));
        check("/손 내리기", LessonCommand::LowerHand);
        check("/hand down the stairs?", LessonCommand::Hand(Some("down the stairs?")));
        check("/수업 끝", LessonCommand::EndLesson);
        check("/lesson end of term", LessonCommand::Lesson(Some("end of term")));
        check("/수업", LessonCommand::Lesson(None));
        check("/손목록 비우기", LessonCommand::ClearHands);
        check("/질문 뭐예요?", LessonCommand::Ask("뭐예요?"));
    }

    #[test]
    fn the_code_is_the_operators_to_show() {
        assert!(matches!(Command::parse("/code"), Err(CommandError::Unknown { .. })));
        assert!(matches!(Command::parse("/teacher bob"), Err(CommandError::Unknown { .. })));
        for (line, qr) in [("/code", false), ("/code qr", true), ("/교사코드 큐알", true)] {
            let code = Command::Lesson(LessonCommand::Code { qr });
            assert_eq!(Command::parse_operators(line), Ok(code), "{line}");
        }
        let bob = UserName::parse("bob").expect("a name");
        assert_eq!(
            Command::parse_operators("/교사지정 bob"),
            Ok(Command::Lesson(LessonCommand::MakeTeacher(bob)))
        );
    }
}
