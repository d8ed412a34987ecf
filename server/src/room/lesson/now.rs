//! The current lesson as one session may see it: with its own vote, and no other's.

use std::time::Duration;

use madang_protocol::event::{AskedQuestion, LessonNow, OpenPoll, RaisedHand, ServerMessage, Time};

use super::{
    op::Present,
    state::{LessonState, Poll, Running},
};

/// How many names one message contains.
const NAMES: usize = 200;

/// How many questions one message contains.
const QUESTIONS: usize = 50;

impl LessonState {
    /// The current lesson, for a session.
    pub(super) fn now(&self, session: u64, teacher: bool) -> LessonNow<'static> {
        let Some(running) = &self.running else {
            return LessonNow { teacher, ..LessonNow::default() };
        };
        let hands = running.hands.iter().take(NAMES);
        LessonNow {
            running: true,
            teacher,
            title: running.title.as_ref().map(|title| title.to_string().into()),
            since: Some(running.since),
            hands: hands.map(|hand| hand.user.to_string().into()).collect(),
            place: running.place(session),
            called: running.called.as_ref().map(|(_, user)| user.to_string().into()),
            poll: running.poll.as_ref().map(|poll| poll.now(session)),
            slow: running.slow,
            listen: running.listen,
            timer: running.timer.as_ref().map(|timer| timer.until),
            timer_text: running
                .timer
                .as_ref()
                .and_then(|timer| Some(timer.text.as_ref()?.to_string().into())),
            questions: if teacher { running.questions() } else { Vec::new() },
        }
    }

    /// The open poll, as a session may see it.
    pub(crate) fn ballot(&self, session: u64) -> Option<OpenPoll<'static>> {
        Some(self.running.as_ref()?.poll.as_ref()?.now(session))
    }

    /// The words of a choice of the open poll.
    pub(crate) fn choice(&self, choice: usize) -> Option<String> {
        let poll = self.running.as_ref()?.poll.as_ref()?;
        Some(poll.asked.choices.get(choice.checked_sub(1)?)?.to_string())
    }

    /// The state of the open poll, if `present` may vote. The sessions that have not voted are
    /// listed as long as no counts are shown.
    pub(crate) fn tally(&self, present: &Present) -> Option<Tally> {
        let poll = self.running.as_ref()?.poll.as_ref()?;
        let waiting = || {
            let has_voted = |session: &&u64| poll.votes.contains_key(session);
            present.iter().filter(|session| !has_voted(session)).copied().collect()
        };
        Some(Tally {
            answered: poll.votes.len(),
            members: poll.voters(present),
            waiting: (!poll.shown).then(waiting),
            counts: poll.shown.then(|| poll.counts()),
        })
    }

    /// The hands, as teachers see them.
    pub(crate) fn hands(&self) -> (Vec<RaisedHand<'static>>, usize) {
        let Some(running) = &self.running else { return (Vec::new(), 0) };
        let hands = running.hands.iter().take(NAMES).map(|hand| RaisedHand {
            user: hand.user.to_string().into(),
            text: hand.text.as_ref().map(|text| text.to_string().into()),
            since: hand.since,
        });
        (hands.collect(), running.hands.len())
    }

    /// The number of the question that a session just asked, unless its questions are dropped.
    pub(crate) fn last_question(&self, session: u64) -> Option<u64> {
        let running = self.running.as_ref()?;
        let mut questions = running.questions.iter().rev();
        let (number, _) = questions.find(|(_, question)| question.session == session)?;
        (!running.hushed.contains(&session)).then_some(*number)
    }

    /// When the running timer ends, and its full length.
    pub(crate) fn timer(&self) -> Option<(Time, Duration)> {
        let timer = self.running.as_ref()?.timer.as_ref()?;
        Some((timer.until, Duration::from_secs(timer.seconds)))
    }
}

/// The state of a poll.
pub(crate) struct Tally {
    pub(crate) answered: usize,
    pub(crate) members: usize,
    /// The sessions that have not voted.
    pub(crate) waiting: Option<Vec<u64>>,
    pub(crate) counts: Option<Vec<usize>>,
}

impl Tally {
    /// The message for teachers, with those who have not voted by `names`; for the wall,
    /// without them.
    pub(crate) fn message<'a>(
        &'a self,
        names: Option<&'a [String]>,
        nonce: Option<&'a str>,
    ) -> ServerMessage<'a> {
        let names = names.filter(|_| self.waiting.is_some());
        ServerMessage::Tally {
            answered: self.answered,
            members: self.members,
            waiting: names.map(|it| it.iter().take(NAMES).map(|it| (&**it).into()).collect()),
            counts: self.counts.clone(),
            nonce: nonce.map(Into::into),
        }
    }
}

impl Running {
    fn questions(&self) -> Vec<AskedQuestion<'static>> {
        let heard = self.questions.iter().filter(|(_, it)| !self.hushed.contains(&it.session));
        let newest = heard.rev().take(QUESTIONS).map(|(number, question)| AskedQuestion {
            number: *number,
            text: question.text.to_string().into(),
        });
        let mut questions: Vec<_> = newest.collect();
        questions.reverse();
        questions
    }
}

impl Poll {
    fn now(&self, session: u64) -> OpenPoll<'static> {
        OpenPoll {
            question: self.asked.question.to_string().into(),
            choices: self.asked.choices.iter().map(|it| it.to_string().into()).collect(),
            yes_no: self.asked.yes_no,
            vote: self.votes.get(&session).map(|vote| vote.choice),
            shown: self.shown,
        }
    }
}
