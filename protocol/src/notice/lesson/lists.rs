//! What a lesson's notices list, in either language: hands, choices, people.

use crate::{
    duration::{show_about, show_duration},
    event::{Attendee, LessonNow, OpenPoll, RaisedHand, Time},
    text::{CHOSEN, Lang, with_commands},
};

/// What is going on, in a line, and a second one for the open poll.
pub(super) fn now_in_lines(now: &LessonNow<'_>, at: Time, lang: Lang) -> String {
    let ko = lang == Lang::Ko;
    let title = now.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    let mut parts = vec![match lang {
        Lang::Ko => format!("수업 중입니다{title}"),
        Lang::En => format!("a lesson is running{title}"),
    }];
    if now.listen {
        parts.push(if ko { "듣는 시간" } else { "time to listen" }.to_owned());
    }
    if let Some(seconds) = now.slow {
        let time = show_duration(seconds, lang);
        parts.push(match lang {
            Lang::Ko => format!("{time}에 한 번 말하기"),
            Lang::En => format!("one message every {time}"),
        });
    }
    if !now.hands.is_empty() {
        let hands = now.hands.len();
        parts.push(if ko {
            format!("손 든 사람 {hands}명")
        } else {
            format!("hands: {hands}")
        });
    }
    if let Some(until) = now.timer {
        let text = now.timer_text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        let left = show_about(until.since(at).as_secs(), lang);
        parts.push(match lang {
            Lang::Ko => format!("타이머 {left}{text}"),
            Lang::En => format!("timer {left}{text}"),
        });
    }
    let commands = match (now.teacher, lang) {
        (true, _) => "",
        (false, Lang::Ko) => " (손 들기: /손, 질문: /질문)",
        (false, Lang::En) => " (/hand to raise your hand, /ask)",
    };
    let mut lines = format!("-- {}{commands} --", parts.join(" · "));
    if let Some(poll) = &now.poll {
        let title = if ko { "투표" } else { "poll" };
        lines.push_str(&format!("\n-- {title}: {} --", ballot(poll, lang)));
    }
    lines
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

/// The question and its choices, each after the command that chooses it, with one's own marked.
pub(super) fn ballot(poll: &OpenPoll<'_>, lang: Lang) -> String {
    let choices = poll.choices.iter().map(|choice| &**choice);
    let mut choices = with_commands(choices, poll.yes_no, lang);
    let chosen = poll.vote.and_then(|vote| choices.get_mut(vote.checked_sub(1)?));
    if let Some(choice) = chosen {
        choice.insert(0, CHOSEN);
    }
    format!("{}  {}", poll.question, choices.join("  "))
}

/// The hands, one per line, with how long each has been up.
pub(super) fn listed(hands: &[RaisedHand<'_>], now: Time, lang: Lang, heading: String) -> String {
    let mut lines = vec![heading];
    for (at, hand) in hands.iter().enumerate() {
        let time = show_about(now.since(hand.since).as_secs(), lang);
        let text = hand.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        lines.push(format!("  {}. {} ({time}){text}", at + 1, hand.user));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_lesson_and_its_poll_take_two_lines() {
        #[track_caller]
        fn check(lesson: &LessonNow<'_>, ko: &str, en: &str) {
            let now = Time::from_millis(0);
            assert_eq!(now_in_lines(lesson, now, Lang::Ko), ko);
            assert_eq!(now_in_lines(lesson, now, Lang::En), en);
        }
        let mut lesson = LessonNow { running: true, ..LessonNow::default() };
        check(
            &lesson,
            "-- 수업 중입니다 (손 들기: /손, 질문: /질문) --",
            "-- a lesson is running (/hand to raise your hand, /ask) --",
        );
        lesson = LessonNow {
            running: true,
            teacher: true,
            title: Some("포인터".into()),
            hands: vec!["철수".into(), "bob".into()],
            listen: true,
            slow: Some(10),
            timer: Some(Time::from_millis(299_500)),
            timer_text: Some("모둠".into()),
            poll: Some(OpenPoll {
                question: "점심?".into(),
                choices: vec!["네(O)".into(), "아니요(X)".into()],
                yes_no: true,
                vote: Some(2),
                shown: false,
            }),
            ..LessonNow::default()
        };
        check(
            &lesson,
            "-- 수업 중입니다: 포인터 · 듣는 시간 · 10초에 한 번 말하기 · 손 든 사람 2명 · \
             타이머 5분 (모둠) --\n\
             -- 투표: 점심?  /o 네(O)  ✓/x 아니요(X) --",
            "-- a lesson is running: 포인터 · time to listen · one message every 10 seconds · \
             hands: 2 · timer 5 minutes (모둠) --\n-- poll: 점심?  /o yes  ✓/x no --",
        );
    }
}
