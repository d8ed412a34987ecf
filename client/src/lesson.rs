//! What is known of the lesson in the room: what the row above the prompt shows, and what
//! completions need. What was said of it stands in the conversation.

use std::time::Duration;

use madang_protocol::{
    command::{LessonCommand, Switch},
    event::{
        Event, LessonEvent, LessonNow, LessonState, OpenPoll, ServerMessage, Time, TimerState,
    },
    sanitize::sanitize_label,
    text::{CHOSEN, Lang, with_commands},
};
use madang_terminal::prompt::Pinned;

use crate::words::Words;

/// The most hands that are remembered, whatever a server sends.
const HANDS: usize = 1_000;

/// The clock is shown in minutes, and in its last minute in steps of so many seconds: each step
/// repaints the line being typed.
const MINUTE: u64 = 60;
const LAST_STEP: u64 = 10;

/// The lesson, as far as the server has told of it.
#[derive(Debug, Default)]
pub(crate) struct Lesson {
    /// Whether this person is a teacher, with a lesson or without.
    pub(crate) is_teacher: bool,
    /// Whether one runs here.
    pub(crate) is_running: bool,
    /// Whose hands are up, the first first.
    pub(crate) hands: Vec<String>,
    poll: Option<Poll>,
    timer: Option<Timer>,
}

/// The open poll.
#[derive(Debug)]
struct Poll {
    question: String,
    choices: Vec<String>,
    is_yes_no: bool,
    /// One's own choice, from 1.
    vote: Option<usize>,
    /// To a teacher: how many have answered, of how many.
    answered: Option<(usize, usize)>,
}

/// The clock.
#[derive(Debug)]
struct Timer {
    until: Time,
    text: String,
}

impl Lesson {
    /// Takes in what the server sends. Returns whether it concerns the lesson.
    pub(crate) fn note(&mut self, message: &ServerMessage<'_>) -> bool {
        match message {
            ServerMessage::Welcome { lesson, .. } | ServerMessage::Entered { lesson, .. } => {
                self.enter(lesson.as_deref());
            }
            ServerMessage::Teacher { lesson, .. } => self.enter(Some(lesson)),
            ServerMessage::Ballot { poll, .. } => self.poll = Some(Poll::of(poll)),
            ServerMessage::Tally { answered, members, .. } => {
                if let Some(poll) = &mut self.poll {
                    poll.answered = Some((*answered, *members));
                }
            }
            ServerMessage::Hands { hands, .. } => {
                self.hands = all_safe(hands.iter().map(|hand| &*hand.user));
            }
            ServerMessage::Event(event) => return self.note_event(event),
            _ => return false,
        }
        true
    }

    /// A command was carried out.
    pub(crate) fn note_done(&mut self, command: &LessonCommand<'_>) {
        let choice = match command {
            LessonCommand::Vote(choice) => *choice,
            LessonCommand::VoteYesNo(Switch::On) => 1,
            LessonCommand::VoteYesNo(Switch::Off) => 2,
            _ => return,
        };
        if let Some(poll) = &mut self.poll {
            poll.vote = Some(choice);
        }
    }

    /// The room is left, and no other entered.
    pub(crate) fn leave(&mut self) {
        self.enter(None);
    }

    /// The row above the prompt, if something is going on that stays.
    pub(crate) fn pinned(&self, lang: Lang, now: Time) -> Option<Pinned> {
        let timer = self.timer.as_ref().filter(|timer| timer.until > now).map(|timer| {
            let seconds = in_steps(timer.until.since(now)).as_secs();
            Words::Timer { seconds, text: &timer.text }.text(lang)
        });
        let poll = self.poll.as_ref().map(|poll| {
            let Poll { question, answered, .. } = poll;
            Words::Poll { question, answered: *answered }.text(lang)
        });
        let title = [timer, poll].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let items = self.poll.as_ref().map(|poll| poll.items(lang)).unwrap_or_default();
        (!title.is_empty()).then_some(Pinned { title, items })
    }

    /// When that row changes next without a message.
    pub(crate) fn changes_in(&self, now: Time) -> Option<Duration> {
        let timer = self.timer.as_ref().filter(|timer| timer.until > now)?;
        let left = timer.until.since(now);
        let shown = in_steps(left);
        let next = shown.saturating_sub(step_of(left));
        // A little later, or it would be looked at before it has changed.
        Some((left.saturating_sub(next) + Duration::from_millis(1)).min(step_of(left)))
    }

    /// What the command with this name would choose in the open poll.
    pub(crate) fn choices(&self, lang: Lang) -> Vec<(String, String)> {
        let Some(poll) = &self.poll else { return Vec::new() };
        let commands = poll.commands(lang);
        let pairs = commands.iter().filter_map(|item| item.split_once(' '));
        pairs.map(|(command, choice)| (command.to_owned(), choice.to_owned())).collect()
    }

    fn enter(&mut self, lesson: Option<&LessonNow<'_>>) {
        let Some(lesson) = lesson else {
            *self = Lesson::default();
            return;
        };
        *self = Lesson {
            is_teacher: lesson.teacher,
            is_running: lesson.running,
            hands: all_safe(lesson.hands.iter().map(|name| &**name)),
            poll: lesson.poll.as_ref().map(Poll::of),
            timer: lesson.timer.map(|until| Timer {
                until,
                text: safe(lesson.timer_text.as_deref().unwrap_or_default()),
            }),
        };
    }

    fn note_event(&mut self, event: &Event) -> bool {
        match event {
            Event::Lesson(event) => self.note_lesson(event),
            Event::Left { user, .. } | Event::Kicked { user, .. } => self.lower(user),
            Event::Renamed { user, to, .. } => {
                let renamed = self.hands.iter_mut().filter(|hand| **hand == **user);
                renamed.for_each(|hand| *hand = safe(to));
            }
            _ => return false,
        }
        true
    }

    fn note_lesson(&mut self, event: &LessonEvent) {
        match event {
            LessonEvent::Lesson { state: LessonState::Ended, .. } => {
                *self = Lesson { is_teacher: self.is_teacher, ..Lesson::default() };
            }
            LessonEvent::Lesson { .. } => self.is_running = true,
            LessonEvent::Hand { user, up: true, .. } => {
                if self.hands.len() < HANDS && !self.hands.iter().any(|hand| **hand == **user) {
                    self.hands.push(safe(user));
                }
            }
            LessonEvent::Hand { user, up: false, .. } if user.is_empty() => self.hands.clear(),
            LessonEvent::Hand { user, .. } | LessonEvent::Called { user, .. } => self.lower(user),
            LessonEvent::Poll { question, choices, yes_no, counts: None, .. } => {
                let mut poll = Poll {
                    question: safe(question),
                    choices: all_safe(choices.iter().map(|choice| &**choice)),
                    is_yes_no: *yes_no,
                    vote: None,
                    answered: None,
                };
                // After a lost connection, it may come again behind what `welcome` told of it.
                if let Some(known) = &self.poll
                    && (&known.question, &known.choices) == (&poll.question, &poll.choices)
                {
                    poll.vote = known.vote;
                }
                self.poll = Some(poll);
            }
            LessonEvent::PollEnded { .. } => self.poll = None,
            LessonEvent::Timer { state: TimerState::Ended | TimerState::Off, .. } => {
                self.timer = None;
            }
            LessonEvent::Timer { until, text, .. } => {
                self.timer = until
                    .map(|until| Timer { until, text: safe(text.as_deref().unwrap_or_default()) });
            }
            LessonEvent::Poll { .. }
            | LessonEvent::Slow { .. }
            | LessonEvent::Listen { .. }
            | LessonEvent::Question { .. } => {}
        }
    }

    fn lower(&mut self, user: &str) {
        self.hands.retain(|hand| hand != user);
    }
}

impl Poll {
    fn of(poll: &OpenPoll<'_>) -> Poll {
        Poll {
            question: safe(&poll.question),
            choices: all_safe(poll.choices.iter().map(|choice| &**choice)),
            is_yes_no: poll.yes_no,
            vote: poll.vote,
            answered: None,
        }
    }

    fn commands(&self, lang: Lang) -> Vec<String> {
        with_commands(self.choices.iter().map(String::as_str), self.is_yes_no, lang)
    }

    /// The choices, each after its command, with one's own marked.
    fn items(&self, lang: Lang) -> Vec<String> {
        let mut items = self.commands(lang);
        let chosen = self.vote.and_then(|vote| items.get_mut(vote.checked_sub(1)?));
        if let Some(item) = chosen {
            item.insert(0, CHOSEN);
        }
        items
    }
}

/// How the time that is left is shown: rounded up to whole steps.
fn in_steps(left: Duration) -> Duration {
    let step = step_of(left).as_secs();
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Duration::from_secs(seconds.div_ceil(step).saturating_mul(step))
}

fn step_of(left: Duration) -> Duration {
    Duration::from_secs(if left.as_secs() < MINUTE { LAST_STEP } else { MINUTE })
}

/// Text from a server, if it is safe to be shown.
fn safe(text: &str) -> String {
    sanitize_label(text).into_owned()
}

fn all_safe<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<String> {
    texts.take(HANDS).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(lesson: &mut Lesson, json: &str) {
        lesson.note(&ServerMessage::parse(json).expect("it is known"));
    }

    fn event(kind: &str, fields: &str) -> String {
        format!(
            r#"{{"type":"{kind}","id":1,"time":"2026-11-28T05:01:00Z","room":"lobby",{fields}}}"#
        )
    }

    const POLL: &str = r#""question":"Lunch?","choices":["rice","soup"]"#;

    #[track_caller]
    fn check(lesson: &Lesson, expected: Option<(&str, &[&str])>) {
        let pinned = lesson.pinned(Lang::En, Time::from_millis(0));
        let pinned = pinned.map(|pinned| (pinned.title, pinned.items));
        let expected = expected.map(|(title, items)| {
            (title.to_owned(), items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(pinned, expected);
    }

    #[test]
    fn an_open_poll_is_pinned_with_ones_own_vote_until_it_ends() {
        let mut lesson = Lesson::default();
        check(&lesson, None);
        hear(&mut lesson, &event("poll", POLL));
        check(&lesson, Some(("poll: Lunch?", &["/1 rice", "/2 soup"])));
        lesson.note_done(&LessonCommand::Vote(2));
        lesson.note_done(&LessonCommand::LowerHand);
        check(&lesson, Some(("poll: Lunch?", &["/1 rice", "✓/2 soup"])));
        lesson.note_done(&LessonCommand::Vote(1));
        check(&lesson, Some(("poll: Lunch?", &["✓/1 rice", "/2 soup"])));
        // Shown, it is still open.
        hear(&mut lesson, &event("poll", &format!(r#"{POLL},"counts":[1,0]"#)));
        // Told again, after a lost connection.
        hear(&mut lesson, &event("poll", POLL));
        check(&lesson, Some(("poll: Lunch?", &["✓/1 rice", "/2 soup"])));
        let ended = format!(r#"{POLL},"answered":1,"members":2,"counts":[1,0]"#);
        hear(&mut lesson, &event("poll_ended", &ended));
        check(&lesson, None);
        // Yes and no have words of their own, and another poll has no vote.
        let yes_no = r#""question":"Clear?","choices":["네(O)","아니요(X)"],"yes_no":true"#;
        hear(&mut lesson, &event("poll", yes_no));
        check(&lesson, Some(("poll: Clear?", &["/o yes", "/x no"])));
        lesson.note_done(&LessonCommand::VoteYesNo(Switch::Off));
        check(&lesson, Some(("poll: Clear?", &["/o yes", "✓/x no"])));
        hear(&mut lesson, &event("lesson", r#""state":"ended","seconds":60"#));
        check(&lesson, None);
    }

    #[test]
    fn a_teacher_sees_how_many_have_answered() {
        let mut lesson = Lesson::default();
        let now = format!(r#"{{"running":true,"teacher":true,"poll":{{{POLL}}}}}"#);
        hear(&mut lesson, &format!(r#"{{"type":"teacher","user":"Kim","lesson":{now}}}"#));
        assert!(lesson.is_teacher && lesson.is_running);
        hear(&mut lesson, r#"{"type":"tally","answered":3,"members":30}"#);
        check(&lesson, Some(("poll, 3 of 30: Lunch?", &["/1 rice", "/2 soup"])));
    }

    #[test]
    fn the_clock_is_shown_in_minutes_and_then_in_tens_of_seconds() {
        let mut lesson = Lesson::default();
        let at =
            r#""state":"started","seconds":300,"until":"1970-01-01T00:05:00Z","text":"groups""#;
        hear(&mut lesson, &event("timer", at));
        let check = |millis, title: &str, next: u64| {
            let now = Time::from_millis(millis);
            let pinned = lesson.pinned(Lang::En, now).expect("it runs");
            assert_eq!((&*pinned.title, pinned.items.len()), (title, 0));
            assert_eq!(lesson.changes_in(now), Some(Duration::from_millis(next)));
        };
        check(0, "timer 5 minutes: groups", 60_000);
        check(1, "timer 5 minutes: groups", 60_000);
        check(59_500, "timer 5 minutes: groups", 501);
        check(60_001, "timer 4 minutes: groups", 60_000);
        check(240_500, "timer 1 minute: groups", 9_501);
        check(255_000, "timer 50 seconds: groups", 5_001);
        check(299_999, "timer 10 seconds: groups", 2);
        let over = Time::from_millis(300_000);
        assert_eq!((lesson.pinned(Lang::En, over), lesson.changes_in(over)), (None, None));
        // A clock that never ends does not overflow anything.
        let never = r#""state":"started","seconds":300,"until":"2900-12-31T23:59:59.000Z""#;
        hear(&mut lesson, &event("timer", never));
        assert!(lesson.changes_in(Time::from_millis(0)) <= Some(Duration::from_secs(60)));
        hear(&mut lesson, &event("timer", r#""state":"off","seconds":300"#));
        assert_eq!(lesson.changes_in(Time::from_millis(0)), None);
    }

    #[test]
    fn hands_keep_their_order() {
        let mut lesson = Lesson::default();
        for user in ["a", "b", "c"] {
            hear(&mut lesson, &event("hand", &format!(r#""user":"{user}","up":true"#)));
        }
        hear(&mut lesson, &event("hand", r#""user":"a","up":true,"text":"why?""#));
        hear(&mut lesson, &event("renamed", r#""user":"b","to":"bea""#));
        assert_eq!(lesson.hands, ["a", "bea", "c"]);
        hear(&mut lesson, &event("called", r#""user":"a""#));
        hear(&mut lesson, &event("left", r#""user":"c""#));
        assert_eq!(lesson.hands, ["bea"]);
        hear(&mut lesson, &event("hand", r#""up":false"#));
        assert!(lesson.hands.is_empty());
    }
}
