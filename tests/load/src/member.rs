//! One member: the state of its login, and its bytes still to be parsed or sent.
//!
//! [`clients`](super::clients) reads and writes the socket; this file knows what the bytes
//! mean.

use std::os::fd::OwnedFd;

use anyhow::{Result, bail};

use crate::{
    observer::{News, Observer},
    protocol::{Heard, Protocol, Question},
};

/// The state of a member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    LoggingIn,
    In,
    /// Logged in, and no longer reading.
    Stalled,
    /// Has closed its half, and reads what still arrives.
    LeavePhase,
    Gone,
}

/// One connection to the server under load.
pub(crate) struct Member {
    pub(crate) socket: OwnedFd,
    pub(crate) state: State,
    pub(crate) room: usize,
    /// Whether it has sent its name. After choosing a room, it is asked again.
    has_answered: bool,
    /// The beginning of an unfinished line.
    pub(crate) carry: Vec<u8>,
    /// Bytes that the socket has not taken yet.
    pub(crate) unsent: Vec<u8>,
}

impl Member {
    /// A member that is connecting.
    pub(crate) fn new(socket: OwnedFd, room: usize) -> Self {
        Self {
            socket,
            state: State::Connecting,
            room,
            has_answered: false,
            carry: Vec::new(),
            unsent: Vec::new(),
        }
    }

    /// Begins the login on the established connection.
    pub(crate) fn begin(
        &mut self,
        protocol: &dyn Protocol,
        index: usize,
        observer: &mut impl Observer,
    ) {
        self.state = State::LoggingIn;
        self.unsent.extend_from_slice(&protocol.opening(self.room));
        if protocol.enters_by_connecting() {
            self.enter(index, observer);
        }
    }

    /// Answers an unfinished line if it is a prompt, and returns whether it was one.
    pub(crate) fn answer_prompt(
        &mut self,
        protocol: &dyn Protocol,
        index: usize,
        rest: &[u8],
    ) -> bool {
        let is_prompt = self.state == State::LoggingIn && protocol.is_prompt(rest);
        let is_first = is_prompt && !self.has_answered;
        if is_first {
            self.has_answered = true;
            self.answer(protocol, index, Question::Prompt);
        }
        is_first
    }

    /// Reacts to a line without a text of this run, and passes the rest to the observer.
    ///
    /// # Errors
    ///
    /// If the server refuses this member, or something it said.
    pub(crate) fn hear(
        &mut self,
        protocol: &dyn Protocol,
        index: usize,
        line: &[u8],
        observer: &mut impl Observer,
    ) -> Result<()> {
        match protocol.hear(line) {
            Heard::Asked(question) => self.answer(protocol, index, question),
            Heard::Entered => self.enter(index, observer),
            Heard::Joined(joined) => {
                if joined == index {
                    self.enter(index, observer);
                }
                observer.told(index, News::Joined(joined));
            }
            Heard::Left(left) => observer.told(index, News::Left(left)),
            Heard::Skipped(lines) => observer.told(index, News::Skipped(lines)),
            Heard::Refused(words) if self.state != State::LeavePhase => {
                bail!("the server refused member {index}: {}", String::from_utf8_lossy(words));
            }
            Heard::Refused(_) | Heard::Other => {}
        }
        Ok(())
    }

    fn answer(&mut self, protocol: &dyn Protocol, index: usize, question: Question) {
        self.unsent.extend_from_slice(&protocol.answer(question, index, self.room));
    }

    fn enter(&mut self, index: usize, observer: &mut impl Observer) {
        if self.state == State::LoggingIn {
            self.state = State::In;
            observer.told(index, News::Entered);
        }
    }
}
