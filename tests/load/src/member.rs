//! One member: how far its login is, and what of its bytes is still to be read or sent.
//!
//! The socket is read and written by the clients; here is what the bytes mean to the member.

use std::os::fd::OwnedFd;

use anyhow::{Result, bail};

use crate::{
    observer::{News, Observer},
    protocol::{Heard, Protocol, Question},
};

/// How far a member is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    LoggingIn,
    In,
    /// In, and reads no more.
    Stalled,
    /// Has closed its half and reads what still comes.
    LeavePhase,
    Gone,
}

/// One connection to the server under load.
pub(crate) struct Member {
    pub(crate) socket: OwnedFd,
    pub(crate) state: State,
    pub(crate) room: usize,
    /// Whether it has told its name: who chooses a room before is asked again.
    has_answered: bool,
    /// The beginning of a line whose end has not come.
    pub(crate) carry: Vec<u8>,
    /// What the socket has not taken yet.
    pub(crate) unsent: Vec<u8>,
}

impl Member {
    /// A member that has begun to connect.
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

    /// Begins to log in: the connection stands.
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

    /// Answers what stands without a line end, if that is a prompt; gives whether it was.
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

    /// Does what a line without a text asks for, and tells the observer the rest.
    ///
    /// # Errors
    ///
    /// If the server won't have this member, or what it said.
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
