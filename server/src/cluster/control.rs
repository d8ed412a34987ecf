//! Questions to the other servers: one is published to all of them, and each publishes its answer
//! on the asker's own channel. Nothing of this is stored in Redis.
//!
//! # Guarantees
//!
//! 1. A question ends after [`PATIENCE`] at the latest, however many answers are missing.
//! 2. A question that is repeated under the same [`Once`] has its effect once; it is answered as
//!    the first time, as long as that is remembered.

use std::{
    collections::{HashMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use crossbeam_channel::{Sender, unbounded};
use redis::{Connection, RedisResult};

use super::{
    connection::{PATIENCE, Redis},
    keys::{CONTROL, wake_channel},
};
use crate::sync::Mutex;

/// How many answers are remembered for repeated questions.
const REMEMBERED: usize = 1_024;

/// How many connections are kept for the next question.
const KEPT_CONNECTIONS: usize = 4;

/// Identifies a question that may be repeated: its asker's session, and the hash of its nonce.
pub(crate) type Once = (u64, u64);

/// The answers to a question.
pub(crate) struct Answers {
    pub(crate) answers: Vec<Vec<u8>>,
    /// Whether no server's answer is missing that could still matter.
    pub(crate) is_complete: bool,
}

/// Asks the other servers, and knows who waits for their answers.
pub(super) struct Control {
    redis: Redis,
    origin: u64,
    last_number: AtomicU64,
    connections: Mutex<Vec<Connection>>,
    waiting: Mutex<HashMap<u64, Sender<Vec<u8>>>>,
    remembered: Mutex<VecDeque<(Once, Vec<u8>)>>,
}

/// An answer, and the channel on which its asker waits.
pub(super) struct ControlAnswer {
    pub(super) channel: String,
    pub(super) message: Vec<u8>,
}

impl Control {
    pub(super) fn new(redis: Redis, origin: u64) -> Control {
        Control {
            redis,
            origin,
            last_number: AtomicU64::new(0),
            connections: Mutex::default(),
            waiting: Mutex::default(),
            remembered: Mutex::default(),
        }
    }

    /// Asks all other servers, and blocks until all have answered, or `is_enough` is true of an
    /// answer.
    pub(super) fn ask(
        &self,
        question: &[u8],
        once: Option<Once>,
        is_enough: &dyn Fn(&[u8]) -> bool,
    ) -> Answers {
        let deadline = Instant::now() + PATIENCE;
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = unbounded();
        self.waiting.lock().insert(number, answer);
        let (session, nonce) = once.unwrap_or_default();
        let mut message = format!("{} {number} {session} {nonce}\n", self.origin).into_bytes();
        message.extend_from_slice(question);
        let mut answers: Vec<Vec<u8>> = Vec::new();
        let asked = self.publish(CONTROL, &message);
        let is_complete = match &asked {
            // This server hears it, too.
            Ok(hearers) => loop {
                if answers.len() + 1 >= *hearers || answers.last().is_some_and(|it| is_enough(it)) {
                    break true;
                }
                match answered.recv_deadline(deadline) {
                    Ok(answer) => answers.push(answer),
                    Err(_) => break false,
                }
            },
            Err(error) => {
                tracing::warn!(%error, "failed to ask the other servers");
                false
            }
        };
        self.waiting.lock().remove(&number);
        Answers { answers, is_complete }
    }

    /// Asks one other server something; `question` gets the number for its answer. Blocks until it
    /// has answered; none if it does not hear that, or a moment has passed.
    pub(super) fn ask_server(
        &self,
        origin: u64,
        question: impl FnOnce(u64) -> Vec<u8>,
    ) -> Option<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = unbounded();
        self.waiting.lock().insert(number, answer);
        let answer = match self.publish(&wake_channel(origin), &question(number)) {
            Ok(0) => None,
            Ok(_) => answered.recv_deadline(deadline).ok(),
            Err(error) => {
                tracing::warn!(%error, "failed to ask another server");
                None
            }
        };
        self.waiting.lock().remove(&number);
        answer
    }

    /// Tells one other server something; blocks for that for a moment at most.
    pub(super) fn tell_server(&self, origin: u64, message: &[u8]) {
        if let Err(error) = self.publish(&wake_channel(origin), message) {
            tracing::warn!(%error, "failed to tell another server");
        }
    }

    /// Publishes a question; returns how many servers hear it.
    fn publish(&self, channel: &str, message: &[u8]) -> RedisResult<usize> {
        self.use_connection(|it| redis::cmd("PUBLISH").arg(channel).arg(message).query(it))
    }

    /// Does something over a connection that works.
    pub(super) fn use_connection<T>(
        &self,
        act: impl FnOnce(&mut Connection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let mut kept = self.connections.lock().pop();
        // It may have ended meanwhile, and a question must not be published twice.
        kept.take_if(|kept| redis::cmd("PING").exec(kept).is_err());
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.redis.connect()?,
        };
        let result = act(&mut connection)?;
        let mut connections = self.connections.lock();
        if connections.len() < KEPT_CONNECTIONS {
            connections.push(connection);
        }
        Ok(result)
    }

    /// Takes a question of another server, and has it answered by `answer`; none if this is no
    /// question, or this server's own.
    pub(super) fn hear(
        &self,
        message: &[u8],
        answer: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Option<ControlAnswer> {
        let (head, question) = split(message)?;
        let mut numbers = head.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (origin, number, once) = (next()?, next()?, (next()?, next()?));
        if origin == self.origin {
            return None;
        }
        let before = match once {
            (0, _) => None,
            once => self.remembered.lock().iter().find(|(it, _)| *it == once).cloned(),
        };
        let answer = before.map_or_else(|| self.remember(once, answer(question)), |(_, it)| it);
        let mut message = format!("{number}\n").into_bytes();
        message.extend_from_slice(&answer);
        Some(ControlAnswer { channel: wake_channel(origin), message })
    }

    fn remember(&self, once: Once, answer: Vec<u8>) -> Vec<u8> {
        if once.0 != 0 {
            let mut remembered = self.remembered.lock();
            remembered.truncate(REMEMBERED - 1);
            remembered.push_front((once, answer.clone()));
        }
        answer
    }

    /// Takes an answer for somebody who asked on this server.
    pub(super) fn take_answer(&self, message: &[u8]) {
        let Some((number, answer)) = split(message) else { return };
        let Ok(number) = number.parse() else { return };
        if let Some(waiting) = self.waiting.lock().get(&number) {
            // It may have given up.
            let _ = waiting.send(answer.to_vec());
        }
    }
}

/// What a question asks, without the number for its answer.
pub(super) fn question_in(message: &[u8]) -> Option<&[u8]> {
    split(message).map(|(_, question)| question)
}

/// The first line, and the rest.
fn split(message: &[u8]) -> Option<(&str, &[u8])> {
    let end = message.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&message[..end]).ok()?, &message[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(origin: u64) -> Control {
        Control::new(Redis::at("redis://localhost", None).expect("an address"), origin)
    }

    #[test]
    fn a_question_is_answered_on_the_askers_channel_and_has_its_effect_once() {
        let control = control(1);
        let answers = std::cell::Cell::new(0);
        let hear = |message: &str| {
            let answered = control.hear(message.as_bytes(), |question| {
                answers.set(answers.get() + 1);
                [question, b"!"].concat()
            });
            answered.map(|it| (it.channel, String::from_utf8_lossy(&it.message).into_owned()))
        };
        let channel = wake_channel(2);
        assert_eq!(hear("2 7 0 0\nwho"), Some((channel.clone(), "7\nwho!".into())));
        assert_eq!(hear("2 8 0 0\nwho"), Some((channel.clone(), "8\nwho!".into())));
        assert_eq!(answers.get(), 2);
        assert_eq!(hear("2 9 5 6\npsst"), Some((channel.clone(), "9\npsst!".into())));
        assert_eq!(hear("2 10 5 6\npsst"), Some((channel, "10\npsst!".into())));
        assert_eq!(answers.get(), 3);
        // Its own, and what is none.
        for message in ["1 7 0 0\nwho", "2 7 0\nwho", "2 7 0 0", "", "\n", "two 7 0 0\n"] {
            assert_eq!(hear(message), None, "{message:?}");
        }
    }

    #[test]
    fn an_answer_reaches_whoever_waits_for_it() {
        let control = control(1);
        let (answer, answered) = unbounded();
        control.waiting.lock().insert(7, answer);
        for message in ["8\nnobody waits", "x\n", "", "7\nhere"] {
            control.take_answer(message.as_bytes());
        }
        assert_eq!(answered.try_iter().collect::<Vec<_>>(), [b"here".to_vec()]);
    }

    /// Asks while another server answers and a third is silent; expects the question to end.
    #[cfg(unix)]
    #[test]
    #[ignore = "needs redis-server"]
    fn a_question_ends_although_an_answer_is_missing() {
        let redis = madang_tests::redis::TestRedis::start();
        let at = Redis::at(&redis.url(), None).expect("an address");
        let control = std::sync::Arc::new(Control::new(at.clone(), 1));
        let mut hearers = [1, 2, 3].map(|_| at.connect().expect("it runs"));
        let mut hearers = hearers.each_mut().map(|hearer| hearer.as_pubsub());
        for hearer in &mut hearers {
            hearer.subscribe(&[CONTROL, &wake_channel(3)]).expect("it is heard");
        }
        let (ended, ends) = unbounded();
        let asking = control.clone();
        std::thread::spawn(move || {
            let answers = asking.ask(b"who", None, &|_| false);
            let of_one = asking.ask_server(3, |number| format!("{number}").into_bytes());
            ended.send((answers.answers, answers.is_complete, of_one))
        });
        let question = hearers[1].get_message().expect("a question");
        assert_eq!(question.get_payload_bytes(), b"1 1 0 0\nwho");
        control.take_answer(b"1\nme");
        let answers = ends.recv_timeout(madang_tests::DEADLINE);
        assert_eq!(answers, Ok((vec![b"me".to_vec()], false, None)), "it waits without end");
        assert!(control.waiting.lock().is_empty(), "nobody waits any more");
    }
}
