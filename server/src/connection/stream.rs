//! A stream: a member over HTTP who only reads. The login comes with the request, and a refusal
//! is its response; everything else is as for any other member.

use std::{convert::Infallible, time::Instant};

use madang_protocol::{
    event::{Event, ServerMessage},
    notice::{Goodbye, Notice},
    room::Destination,
    text::Lang,
};

use super::{
    Connection,
    claim::{FirstRoom, NewLogin, NotClaimed},
};
use crate::{
    close_reason::CloseReason,
    commands::{
        archive::{Archive, Reach, Wanted},
        lesson, rooms,
    },
    delivery::{carrier::Carrier, outbox::Until},
    room::{Coming, Going, Greeting, HistorySpan, Missed, Room},
    session::Session,
};

/// A request for a stream.
pub(crate) struct StreamRequest {
    /// The language of texts for people.
    pub(crate) lang: Lang,
    /// The name; empty to get a guest name.
    pub(crate) name: String,
    pub(crate) room: Destination,
    /// How many earlier messages to show.
    pub(crate) shown: usize,
    /// The last event that the client has, after which it gets everything.
    pub(crate) after: Option<u64>,
    /// How long the request was, in bytes.
    pub(crate) bytes: usize,
    /// The head of the response.
    pub(crate) head: Vec<u8>,
    /// The response in place of it, if the request is refused.
    pub(crate) refusal: fn(&Notice<'_>, &Destination, Lang) -> Vec<u8>,
}

/// Why there is no stream.
enum NotBegun {
    Refused(NotClaimed),
    Ended(CloseReason),
}

impl From<CloseReason> for NotBegun {
    fn from(reason: CloseReason) -> NotBegun {
        NotBegun::Ended(reason)
    }
}

impl From<NotClaimed> for NotBegun {
    fn from(refusal: NotClaimed) -> NotBegun {
        NotBegun::Refused(refusal)
    }
}

impl Connection {
    /// Runs a connection whose request is for a stream.
    pub(crate) fn run_stream(self: Box<Self>, request: Box<StreamRequest>) {
        self.run_with(move |connection| connection.stream(*request));
    }

    /// Joins the room, and stays until there is a reason to end.
    fn stream(&mut self, mut request: StreamRequest) -> Result<Infallible, CloseReason> {
        self.lang = request.lang;
        match self.begin_stream(&mut request) {
            Ok(()) => {}
            Err(NotBegun::Ended(reason)) => return Err(reason),
            Err(NotBegun::Refused(refused)) => {
                let notice = refused.notice();
                self.shared.metrics.refused.count_notice(&notice);
                self.outbox.change_carrier(Carrier::Http);
                let response = (request.refusal)(&notice, &request.room, request.lang);
                self.outbox.push_bytes(&response);
                return Err(CloseReason::Refused);
            }
        }
        self.admission.logged_in();
        drop(request);
        self.converse()
    }

    // Not inlined: server/README.md, "A connection waits on two pages of stack".
    #[inline(never)]
    fn begin_stream(&mut self, request: &mut StreamRequest) -> Result<(), NotBegun> {
        self.pay(request.bytes, None)?;
        // A public room is never made for a stream, and a key opens one that is there.
        let there = self.shared.rooms.reach(&request.room);
        let there = there.map_err(|error| NotClaimed::Room(rooms::not_made(error)))?;
        let room = there.ok_or(NotClaimed::Room(Notice::NoSuchRoom))?;
        let login = NewLogin {
            name: request.name.clone(),
            place: FirstRoom::of(request.room.clone()),
            quiet: None,
            shown: request.shown,
            previous: None,
            nonce: None,
        };
        let (session, _) = self.newcomer().claim(login, None)?;
        session.become_stream();
        self.session = Some(session.clone());
        self.named_at = Some(Instant::now());
        let mut missed = request.after.map(|after| Missed { after, sent: after });
        if let Some(missed) = &mut missed {
            missed.sent = self.catch_up(&room, missed.after, &mut request.head)?;
        }
        if room.key.is_none() {
            lesson::return_to_lesson(&self.shared.chat(), &session);
        }
        let head = request.head.clone();
        let entered = room.enter(Coming {
            session: session.clone(),
            outbox: self.outbox.clone(),
            greeting: Greeting::Response { head, missed },
            shown: request.shown,
        });
        match entered {
            Ok(()) => {
                self.shared.keep_renderings(&room);
                self.room = Some(room);
                Ok(())
            }
            Err(refusal) => Err(self.give_up(&session, refusal.notice(), request)),
        }
    }

    /// Ends a session that a room has refused. If the response has begun, the refusal ends it.
    fn give_up(
        &mut self,
        session: &Session,
        notice: Notice<'static>,
        request: &StreamRequest,
    ) -> NotBegun {
        self.session = None;
        let how = Some((self.address, CloseReason::Refused));
        self.shared.end_session(session, None, Going::Expires, how);
        if !request.head.is_empty() {
            return NotBegun::Refused(NotClaimed::Room(notice));
        }
        self.notice(&notice, None);
        NotBegun::Ended(CloseReason::Told(Goodbye::Closed))
    }

    /// Sends what is on disk of the events after `after` and no longer in memory, in parts that
    /// the peer takes one by one; the head comes first. Returns the last event sent.
    fn catch_up(
        &self,
        room: &Room,
        mut after: u64,
        head: &mut Vec<u8>,
    ) -> Result<u64, CloseReason> {
        let Some(first) = room.kept_as() else { return Ok(after) };
        // What happened in an earlier room of that name is not missing here.
        after = after.max(first - 1);
        loop {
            let oldest = room.remembered().ok().and_then(|events| events.first().map(Event::id));
            if oldest.is_none_or(|oldest| oldest <= after.saturating_add(1)) {
                return Ok(after);
            }
            let span = HistorySpan { after: Some(after), ..HistorySpan::newest(usize::MAX) };
            let wanted = Wanted { span, reach: Reach::Members, words: None, hidden: None };
            // What can't be read is told as a gap when the room is joined.
            let Ok(excerpt) = self.shared.read(room, wanted) else { return Ok(after) };
            if excerpt.events.is_empty() {
                return Ok(after);
            }
            let mut answer = self.begin_answer();
            let mut missing = excerpt.missing_after(after).into_iter().peekable();
            for event in excerpt.events {
                while let Some((from, to)) = missing.next_if(|(from, _)| *from < event.id()) {
                    let room = (&*room.name).into();
                    answer.message(&ServerMessage::Gap { room, from, to, reason: None });
                }
                after = event.id();
                answer.message(&ServerMessage::Event(event));
            }
            self.outbox.push_bytes(&std::mem::take(head));
            self.send(answer);
            self.outbox.wait_for_space(Until::Answered, None)?;
        }
    }
}
