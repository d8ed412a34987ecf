//! What happens in a lesson, as lines for people.

use std::sync::Arc;

use crate::{
    duration::show_duration,
    event::{LessonEvent, LessonState, TimerState},
    josa::nim,
    text::Lang,
};

/// The choices of a poll that names none, as events have them.
pub const YES_NO: [&str; 2] = ["네(O)", "아니요(X)"];

/// What stands before the choice that one has made.
pub const CHOSEN: char = '✓';

/// A choice of a poll in that language, if it is one of [`YES_NO`]; any other as it was written.
pub fn choice_in(choice: &str, lang: Lang) -> &str {
    match YES_NO.iter().position(|it| *it == choice) {
        Some(at) if lang == Lang::En => ["yes", "no"][at],
        _ => choice,
    }
}

/// The line of an event, between dashes, but for a question, which has lines of its own.
pub(super) fn lesson_line(event: &LessonEvent, lang: Lang) -> String {
    match lang {
        Lang::Ko => korean_line(event),
        Lang::En => english_line(event),
    }
}

/// The prefix of each line of an anonymous question; no name can look like it.
pub(super) fn question_mark(number: u64, lang: Lang) -> String {
    match lang {
        Lang::Ko => format!("[질문 {number}] "),
        Lang::En => format!("[question {number}] "),
    }
}

fn korean_line(event: &LessonEvent) -> String {
    let subject = |name: &str| format!("[{name}]{}이", nim(name));
    let of = |name: &str| format!("[{name}]{}의", nim(name));
    let who = |by: &Option<Arc<str>>| match by {
        Some(by) => subject(by),
        None => "운영자가".to_owned(),
    };
    let span = |seconds: u64| show_duration(seconds, Lang::Ko);
    match event {
        LessonEvent::Lesson { state: LessonState::Begun, title, by, .. } => {
            format!("{} 수업을 시작했습니다{}", who(by), after_colon(title))
        }
        LessonEvent::Lesson { state: LessonState::Renamed, title, .. } => {
            format!("수업 제목이 바뀌었습니다{}", after_colon(title))
        }
        LessonEvent::Lesson {
            state: LessonState::Ended, seconds, people, hands, polls, ..
        } => {
            format!(
                "수업이 끝났습니다: {} · {}명 · 손 {}번 · 투표 {}번",
                span(seconds.unwrap_or_default().max(1)),
                people.unwrap_or_default(),
                hands.unwrap_or_default(),
                polls.unwrap_or_default()
            )
        }
        LessonEvent::Hand { user, up: false, by, .. } => match (&**user, by) {
            ("", _) => "손을 모두 내렸습니다".to_owned(),
            (user, None) => format!("{} 손을 내렸습니다", subject(user)),
            (user, Some(by)) => format!("{} {} 손을 내렸습니다", subject(by), of(user)),
        },
        LessonEvent::Hand { user, text, place, .. } => {
            let place = place.unwrap_or_default();
            format!("{} 손을 들었습니다{} ({place}번째)", subject(user), after_colon(text))
        }
        LessonEvent::Called { user, by, .. } => {
            format!("{} [{user}]{}을 호명했습니다", who(by), nim(user))
        }
        LessonEvent::Poll { counts: Some(counts), answered, members, choices, .. } => format!(
            "지금까지의 투표 {}/{}명: {}",
            answered.unwrap_or_default(),
            members.unwrap_or_default(),
            result(choices, counts, Lang::Ko, |count| format!("{count}표"))
        ),
        LessonEvent::Poll { question, choices, yes_no, counts: None, .. } => {
            format!("투표: {question}  {}", ballot_of(choices, *yes_no, Lang::Ko))
        }
        LessonEvent::PollEnded { question, cancelled: true, .. } => {
            format!("투표를 취소했습니다: {question}")
        }
        LessonEvent::PollEnded { choices, counts, answered, members, .. } => format!(
            "투표 결과 {answered}/{members}명: {}",
            result(choices, counts.as_deref().unwrap_or_default(), Lang::Ko, |count| {
                format!("{count}표")
            })
        ),
        LessonEvent::Slow { seconds: Some(seconds), .. } => {
            format!("이제 한 사람이 {}에 한 번 말할 수 있습니다", span(*seconds))
        }
        LessonEvent::Slow { seconds: None, .. } => "이제 자유롭게 말할 수 있습니다".to_owned(),
        LessonEvent::Listen { on: true, .. } => {
            "듣는 시간입니다. 교사와 호명된 사람만 말할 수 있습니다".to_owned()
        }
        LessonEvent::Listen { on: false, .. } => "이제 모두 말할 수 있습니다".to_owned(),
        LessonEvent::Timer { state, seconds, text, .. } => {
            let text = after_colon(text);
            match state {
                TimerState::Started => format!("타이머 {}{text}", span(*seconds)),
                TimerState::Minute => format!("타이머가 1분 남았습니다{text}"),
                TimerState::Ended => format!("타이머가 끝났습니다{text}"),
                TimerState::Off => "타이머를 껐습니다".to_owned(),
            }
        }
        LessonEvent::Question { number, text, .. } => {
            format!("{}{text}", question_mark(*number, Lang::Ko))
        }
    }
}

fn english_line(event: &LessonEvent) -> String {
    let who = |by: &Option<Arc<str>>| match by {
        Some(by) => format!("[{by}]"),
        None => "the operator".to_owned(),
    };
    let span = |seconds: u64| show_duration(seconds, Lang::En);
    match event {
        LessonEvent::Lesson { state: LessonState::Begun, title, by, .. } => {
            format!("{} began the lesson{}", who(by), after_colon(title))
        }
        LessonEvent::Lesson { state: LessonState::Renamed, title, .. } => {
            format!("new title of the lesson{}", after_colon(title))
        }
        LessonEvent::Lesson {
            state: LessonState::Ended, seconds, people, hands, polls, ..
        } => {
            format!(
                "the lesson has ended: {} · people: {} · hands: {} · polls: {}",
                span(seconds.unwrap_or_default().max(1)),
                people.unwrap_or_default(),
                hands.unwrap_or_default(),
                polls.unwrap_or_default()
            )
        }
        LessonEvent::Hand { user, up: false, by, .. } => match (&**user, by) {
            ("", _) => "all hands were lowered".to_owned(),
            (user, None) => format!("[{user}] lowered their hand"),
            (user, Some(by)) => format!("[{by}] lowered the hand of [{user}]"),
        },
        LessonEvent::Hand { user, text, place, .. } => {
            let place = place.unwrap_or_default();
            format!("[{user}] raised a hand{} (number {place})", after_colon(text))
        }
        LessonEvent::Called { user, by, .. } => format!("{} called on [{user}]", who(by)),
        LessonEvent::Poll { counts: Some(counts), answered, members, choices, .. } => format!(
            "poll so far, {} of {}: {}",
            answered.unwrap_or_default(),
            members.unwrap_or_default(),
            result(choices, counts, Lang::En, |count| count.to_string())
        ),
        LessonEvent::Poll { question, choices, yes_no, counts: None, .. } => {
            format!("poll: {question}  {}", ballot_of(choices, *yes_no, Lang::En))
        }
        LessonEvent::PollEnded { question, cancelled: true, .. } => {
            format!("the poll was cancelled: {question}")
        }
        LessonEvent::PollEnded { choices, counts, answered, members, .. } => format!(
            "poll result, {answered} of {members}: {}",
            result(choices, counts.as_deref().unwrap_or_default(), Lang::En, |count| {
                count.to_string()
            })
        ),
        LessonEvent::Slow { seconds: Some(seconds), .. } => {
            format!("each person can now send one message every {}", span(*seconds))
        }
        LessonEvent::Slow { seconds: None, .. } => "slow mode is off".to_owned(),
        LessonEvent::Listen { on: true, .. } => {
            "time to listen: only teachers, and whoever they call on, can speak".to_owned()
        }
        LessonEvent::Listen { on: false, .. } => "everyone can speak now".to_owned(),
        LessonEvent::Timer { state, seconds, text, .. } => {
            let text = after_colon(text);
            match state {
                TimerState::Started => format!("timer: {}{text}", span(*seconds)),
                TimerState::Minute => format!("one minute left on the timer{text}"),
                TimerState::Ended => format!("the timer has ended{text}"),
                TimerState::Off => "the timer was stopped".to_owned(),
            }
        }
        LessonEvent::Question { number, text, .. } => {
            format!("{}{text}", question_mark(*number, Lang::En))
        }
    }
}

fn after_colon(text: &Option<Arc<str>>) -> String {
    text.as_ref().map(|text| format!(": {text}")).unwrap_or_default()
}

fn ballot_of(choices: &[Arc<str>], yes_no: bool, lang: Lang) -> String {
    with_commands(choices.iter().map(|choice| &**choice), yes_no, lang).join("  ")
}

/// The choices of a poll, each after the command that chooses it.
pub fn with_commands<'a>(
    choices: impl Iterator<Item = &'a str>,
    yes_no: bool,
    lang: Lang,
) -> Vec<String> {
    let command = |at: usize| match (yes_no, at) {
        (true, 0) => "o".to_owned(),
        (true, _) => "x".to_owned(),
        (false, at) => (at + 1).to_string(),
    };
    let each = choices.enumerate();
    each.map(|(at, choice)| format!("/{} {}", command(at), choice_in(choice, lang))).collect()
}

fn result(
    choices: &[Arc<str>],
    counts: &[usize],
    lang: Lang,
    count: impl Fn(usize) -> String,
) -> String {
    let each = choices.iter().zip(counts);
    each.map(|(choice, votes)| format!("{} {}", choice_in(choice, lang), count(*votes)))
        .collect::<Vec<_>>()
        .join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Stamp, Time};

    fn stamp() -> Stamp {
        Stamp { id: 1, time: Time::from_millis(0), room: "lobby".into() }
    }

    #[track_caller]
    fn check(event: &LessonEvent, ko: &str, en: &str) {
        assert_eq!(lesson_line(event, Lang::Ko), ko);
        assert_eq!(lesson_line(event, Lang::En), en);
    }

    #[test]
    fn hands_polls_and_results_read_as_specified() {
        let hand = LessonEvent::Hand {
            stamp: stamp(),
            user: "철수".into(),
            up: true,
            text: Some("포인터가 뭔가요?".into()),
            place: Some(2),
            by: None,
        };
        check(
            &hand,
            "[철수]님이 손을 들었습니다: 포인터가 뭔가요? (2번째)",
            "[철수] raised a hand: 포인터가 뭔가요? (number 2)",
        );
        let poll = |question: &str, choices: [&str; 2], yes_no, counts: Option<[usize; 2]>| {
            LessonEvent::Poll {
                stamp: stamp(),
                question: question.into(),
                choices: choices.map(Arc::from).into(),
                yes_no,
                answered: counts.map(|_| 23),
                members: counts.map(|_| 30),
                counts: counts.map(|counts| counts.into()),
                by: Some("김선생".into()),
            }
        };
        check(
            &poll("점심?", ["김밥", "라면"], false, None),
            "투표: 점심?  /1 김밥  /2 라면",
            "poll: 점심?  /1 김밥  /2 라면",
        );
        check(
            &poll("이해했나요?", ["네(O)", "아니요(X)"], true, None),
            "투표: 이해했나요?  /o 네(O)  /x 아니요(X)",
            "poll: 이해했나요?  /o yes  /x no",
        );
        check(
            &poll("점심?", ["김밥", "라면"], false, Some([14, 9])),
            "지금까지의 투표 23/30명: 김밥 14표 · 라면 9표",
            "poll so far, 23 of 30: 김밥 14 · 라면 9",
        );
        check(
            &poll("이해했나요?", ["네(O)", "아니요(X)"], true, Some([20, 3])),
            "지금까지의 투표 23/30명: 네(O) 20표 · 아니요(X) 3표",
            "poll so far, 23 of 30: yes 20 · no 3",
        );
        let ended = |cancelled: bool| LessonEvent::PollEnded {
            stamp: stamp(),
            question: "점심?".into(),
            choices: ["김밥", "라면"].map(Arc::from).into(),
            yes_no: false,
            counts: (!cancelled).then(|| [14, 9].into()),
            answered: 23,
            members: 30,
            cancelled,
            by: None,
        };
        check(
            &ended(false),
            "투표 결과 23/30명: 김밥 14표 · 라면 9표",
            "poll result, 23 of 30: 김밥 14 · 라면 9",
        );
        check(&ended(true), "투표를 취소했습니다: 점심?", "the poll was cancelled: 점심?");
    }
}
