//! What a lesson's notices list, in either language: hands, choices, people.

use crate::{
    duration::{show_about, show_duration},
    event::{Attendee, LessonNow, OpenPoll, RaisedHand, Time},
    text::{Lang, lesson::with_commands},
};

/// What is going on, in lines as events have them.
pub(super) fn now_in_lines(now: &LessonNow<'_>, lang: Lang) -> String {
    let title = now.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    let mut lines = match lang {
        Lang::Ko => vec![format!("-- 수업 중입니다{title} (손 들기: /손, 질문: /질문) --")],
        Lang::En => {
            vec![format!("-- a lesson is running{title} (/hand to raise your hand, /ask) --")]
        }
    };
    if let Some(poll) = &now.poll {
        lines.push(match lang {
            Lang::Ko => format!("-- 투표: {} --", ballot(poll)),
            Lang::En => format!("-- poll: {} --", ballot(poll)),
        });
    }
    if let Some(seconds) = now.slow {
        let time = show_duration(seconds, lang);
        lines.push(match lang {
            Lang::Ko => format!("-- 한 사람이 {time}에 한 번 말할 수 있습니다 --"),
            Lang::En => format!("-- each person can send one message every {time} --"),
        });
    }
    if now.listen {
        lines.push(match lang {
            Lang::Ko => "-- 듣는 시간입니다 --".to_owned(),
            Lang::En => "-- it is time to listen --".to_owned(),
        });
    }
    lines.join("\n")
}

pub(super) fn joined_code(code: &str, link: Option<&str>, title: &str) -> String {
    let link = link.map(|link| format!(" · {link}")).unwrap_or_default();
    format!("{title} {code}{link}")
}

/// Who attended, each list behind its title.
pub(super) fn attendance(
    heading: String,
    [here, gone, absent, table]: [&str; 4],
    people: &[Attendee<'_>],
    missing: &[&str],
    link: Option<&str>,
) -> String {
    let named = |is_here: bool| {
        let people = people.iter().filter(|attendee| attendee.here == is_here);
        people.map(|attendee| &*attendee.user).collect::<Vec<_>>()
    };
    let mut lines = vec![heading];
    for (title, names) in [(here, &*named(true)), (gone, &*named(false)), (absent, missing)] {
        if !names.is_empty() {
            lines.push(format!("  {title} {}: {}", names.len(), names.join(", ")));
        }
    }
    lines.extend(link.map(|link| format!("  {table}: {link}")));
    lines.join("\n")
}

pub(super) fn bracketed(user: &str) -> String {
    format!("[{user}]{}", crate::josa::nim(user))
}

pub(super) fn quoted(choice: &str) -> String {
    format!("'{choice}'")
}

pub(super) fn numbers(counts: &[usize]) -> String {
    let each = counts.iter().enumerate();
    each.map(|(at, votes)| format!("/{} {votes}", at + 1)).collect::<Vec<_>>().join(" · ")
}

/// The question and its choices, each after the command that chooses it.
pub(super) fn ballot(poll: &OpenPoll<'_>) -> String {
    let choices = poll.choices.iter().map(|choice| &**choice);
    format!("{}  {}", poll.question, with_commands(choices, poll.yes_no))
}

/// The hands, one a line, with how long each has been up.
pub(super) fn listed(hands: &[RaisedHand<'_>], now: Time, lang: Lang, heading: String) -> String {
    let mut lines = vec![heading];
    for (at, hand) in hands.iter().enumerate() {
        let time = show_about(now.since(hand.since).as_secs(), lang);
        let text = hand.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        lines.push(format!("  {}. {} ({time}){text}", at + 1, hand.user));
    }
    lines.join("\n")
}
