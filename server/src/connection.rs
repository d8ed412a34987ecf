//! The life of one socket, on its own thread: greet, log in, converse, leave.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{Input, LessonCommand, Switch},
    event::WireNote,
    message::check_rendered,
    name::UserName,
    notice::{Goodbye, Notice},
    request::Request,
    text::{Lang, SAID_OVERHEAD},
};

use crate::{
    admission::bucket_pool::PooledBucket,
    clock,
    close_reason::CloseReason,
    connection::login::Choice,
    delivery::outbox::{Outbox, Until},
    dialect::{DialectId, Stage},
    room::mailbox::ROUND_BYTES,
    room::recorder::Recorder,
    room::{self, HistorySpan, Room, Speech},
    session::{Quiet, Session},
    shared::{Admission, Shared},
    system,
    transport::{Line, ReadOutcome, Transport, WriteSide},
};

mod login;
pub(crate) mod claim;
mod resume;
pub(crate) mod stream;
pub(crate) mod post;
mod command;
mod answers;
mod ending;

/// If a packet peer's first line with a line end comes this soon after the login, it belongs to
/// the name.
const NAME_PAUSE: Duration = Duration::from_secs(2);

/// The rendered size at which what was said is posted before the rest of its read is parsed. A
/// full read of lines of 64 bytes stays below it: in two rounds, it would take twice the system
/// calls.
const MOST_SAID_BYTES: usize = 2 * ROUND_BYTES;

/// How long a connection may keep stack pages that it no longer uses.
const STACK_PAUSE: Duration = Duration::from_secs(1);

/// A connection and its user, owned by its thread.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    address: IpAddr,
    /// The server's address that the peer connected to.
    came_by: Option<SocketAddr>,
    /// Whether the peer is on this machine, and not a proxy that forwards somebody else.
    is_local: bool,
    transport: Box<dyn Transport>,
    outbox: Arc<Outbox>,
    /// How long sending the queue may take when the connection ends.
    drain_timeout: Duration,
    bucket: Option<PooledBucket>,
    lang: Lang,
    dialect: DialectId,
    /// The session, once the user is known.
    session: Option<Arc<Session>>,
    /// When the session was claimed or resumed.
    named_at: Option<Instant>,
    /// The room that messages go to. Only its pump knows whether the session is a member.
    room: Option<Arc<Room>>,
    /// Where a user without a name wants to go.
    choice: Choice,
    /// The message given with `/quit`.
    last_word: Option<String>,
    /// How many wrong teacher's codes this connection has sent.
    wrong_codes: u32,
    /// Messages that have not been posted yet.
    speeches: Vec<Speech>,
    speech_bytes: usize,
    /// What reading the current line has charged.
    paid_bytes: usize,
    /// When unused stack pages were last given back.
    stack_given_back: Option<Instant>,
    /// Whether it has asked a question, whose answer must be sent before more is read.
    has_asked: bool,
    /// Whether the connection is explained to its member.
    explains: Switch,
    /// The last field, so that its place is freed after the socket is closed.
    admission: Admission,
}

impl Connection {
    /// Takes over a socket: its reading side, and its outbox, whose form tells whether the peer
    /// speaks JSON from the start. When the connection ends, its queue is sent for at most
    /// `drain_timeout`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        admission: Admission,
        address: IpAddr,
        mut transport: Box<dyn Transport>,
        outbox: Arc<Outbox>,
        drain_timeout: Duration,
    ) -> Connection {
        let lang = shared.config.lang;
        let form = outbox.form();
        if form.is_for_programs() {
            transport.become_program();
        }
        let bucket = shared.buckets.as_ref().map(|pool| pool.take(address, Instant::now()));
        Connection {
            shared,
            admission,
            address,
            came_by: transport.input().local_address(),
            is_local: address.to_canonical().is_loopback(),
            transport,
            outbox,
            drain_timeout,
            bucket,
            lang,
            dialect: form.dialect(),
            session: None,
            named_at: None,
            room: None,
            choice: Choice::Open,
            last_word: None,
            wrong_codes: 0,
            speeches: Vec::new(),
            speech_bytes: 0,
            paid_bytes: 0,
            stack_given_back: None,
            has_asked: false,
            explains: Switch::Off,
        }
    }

    /// A proxy forwards the peer, who counts as remote whatever its address is.
    pub(crate) fn pass_on(&mut self) {
        self.is_local = false;
    }

    /// How a quiet session is treated in rooms over this connection.
    fn quiet(&self) -> Quiet {
        if self.is_local { Quiet::Speaking } else { Quiet::ReadOnly }
    }

    /// Runs the connection to its end; the socket may be closed afterwards.
    pub(crate) fn run(self: Box<Self>) {
        self.run_with(Connection::live);
    }

    /// The same with another life.
    fn run_with(
        mut self: Box<Self>,
        live: impl FnOnce(&mut Connection) -> Result<Infallible, CloseReason>,
    ) {
        let reason = match catch_unwind(AssertUnwindSafe(|| live(&mut self))) {
            Ok(Err(reason)) => reason,
            Ok(Ok(never)) => match never {},
            Err(_) => CloseReason::Told(Goodbye::Internal),
        };
        self.finish(reason);
    }

    /// Greets, logs in and converses until there is a reason to end.
    fn live(&mut self) -> Result<Infallible, CloseReason> {
        let deadline = Instant::now() + self.shared.config.handshake_timeout;
        self.transport.input().shake_hands(deadline)?;
        // Checked again: a ban issued since the connection was accepted may not have found it.
        if self.shared.bans.bans_address(self.address) {
            return Err(CloseReason::Told(Goodbye::Banned));
        }
        self.greet();
        let entrance = self.log_in()?;
        // A user who reads the welcome may open the next connection at once.
        self.admission.logged_in();
        if let Some(entrance) = entrance {
            self.go_in(&entrance)?;
        }
        self.named_at = Some(Instant::now());
        self.converse()
    }

    /// Handles messages and commands until there is a reason to end.
    fn converse(&mut self) -> Result<Infallible, CloseReason> {
        loop {
            while let Some(line) = self.next_line(None)? {
                self.take_line(line)?;
            }
            self.post_speeches();
            if let Some(end) = self.transport.peer_end() {
                return Err(end.reason());
            }
            self.give_back_stack();
            self.read(None)?;
        }
    }

    /// Gives back unused stack pages before waiting. The deepest calls (logging in, pumping a
    /// room) use a page or two that would otherwise stay resident for the life of the
    /// connection. At most once a second, because a busy connection soon needs the same pages
    /// again.
    fn give_back_stack(&mut self) {
        let now = Instant::now();
        if self.stack_given_back.is_none_or(|at| now - at >= STACK_PAUSE) {
            self.stack_given_back = Some(now);
            system::give_back_stack();
        }
    }

    fn take_line(&mut self, line: Line) -> Result<(), CloseReason> {
        if let Line::AfterPackets(text) = &line
            && self.named_at.is_some_and(|named_at| is_rest_of_name(text, named_at.elapsed()))
        {
            self.explain_name(text);
            return Ok(());
        }
        let line = match line.text() {
            Ok(line) => line,
            Err(notice) => {
                self.notice(&notice, None);
                return Ok(());
            }
        };
        #[cfg(all(test, not(feature = "shuttle")))]
        assert_ne!(line, tests::PANIC, "as the test asked");
        match self.dialect.parse(line, Stage::Conversation) {
            Ok(Some(request)) => return self.take_request(request),
            Ok(None) => {}
            Err(error) => self.refuse_request(error),
        }
        Ok(())
    }

    /// Tells users who may have continued typing their name what it is now.
    fn explain_name(&self, rest: &str) {
        let Some(session) = &self.session else { return };
        let name = session.name();
        let whole = UserName::parse(&format!("{name}{}", rest.trim())).ok();
        let proposal = whole.as_ref().map(UserName::as_str);
        self.notice(&Notice::NameSettled { user: name.as_str(), proposal }, None);
    }

    fn take_request(&mut self, request: Request) -> Result<(), CloseReason> {
        if request.nonce().is_some_and(|nonce| self.acknowledge_again(nonce)) {
            return Ok(());
        }
        match request {
            Request::Say { room: Some(room), nonce, .. }
            | Request::Command { room: Some(room), nonce, .. }
                if !self.is_in(&room) =>
            {
                self.notice(&Notice::OtherRoom, nonce.as_deref());
            }
            Request::Say { text, nonce, .. } if self.gives_away_code(&text, nonce.as_deref()) => {}
            Request::Say { text, nonce, .. } => match self.dialect.check_said(text) {
                Ok(Some(text)) => self.say(text, false, nonce),
                Ok(None) => {}
                Err(notice) => self.notice(&notice, nonce.as_deref()),
            },
            Request::Command { line, nonce, .. } => {
                return self.take_command_line(&line, nonce.as_deref());
            }
            Request::History { before, after, limit, nonce } => {
                self.post_speeches();
                let limit = limit.unwrap_or(usize::MAX);
                let span = HistorySpan { before, after, since: None, limit };
                return self.ask_for_history(span, nonce.as_deref());
            }
            Request::Vote { choice, nonce } => {
                let command = LessonCommand::Vote(choice);
                return self.take_lesson_request(command, nonce.as_deref());
            }
            Request::Hand { up, text, nonce } => {
                return self.take_hand(up, text.as_deref(), nonce.as_deref());
            }
            Request::Watch { off, nonce } => {
                let switch = if off { Switch::Off } else { Switch::On };
                return self.take_lesson_request(LessonCommand::Watch(switch), nonce.as_deref());
            }
            Request::Login { nonce, .. } => {
                self.notice(&Notice::LoggedInAlready, nonce.as_deref());
            }
        }
        Ok(())
    }

    /// Acknowledges a request that was carried out already, whose ack was lost with a
    /// connection; whether it was. Whatever its sender may not do by now, it was done.
    fn acknowledge_again(&self, nonce: &str) -> bool {
        let Some(session) = &self.session else { return false };
        room::acknowledge_again(self.recorder(), session, nonce)
    }

    /// Who keeps on disk what is said.
    fn recorder(&self) -> Option<&dyn Recorder> {
        self.shared.journal.as_deref().map(|journal| journal as &dyn Recorder)
    }

    /// Whether messages go to the room with this name.
    fn is_in(&self, room: &str) -> bool {
        self.room.as_ref().is_none_or(|current| *current.name == *room)
    }

    /// Collects a message for the next post.
    fn say(&mut self, text: String, me: bool, nonce: Option<String>) {
        let Some(name) = self.session.as_ref().map(|session| session.name()) else { return };
        let rendered_bytes = match check_rendered(name.as_str(), &text, SAID_OVERHEAD) {
            Ok(bytes) => bytes,
            Err(notice) => return self.notice(&notice, nonce.as_deref()),
        };
        self.owe(rendered_bytes);
        self.speech_bytes += rendered_bytes;
        self.speeches.push(Speech { text, me, nonce, rendered_bytes });
        if self.speech_bytes >= MOST_SAID_BYTES {
            self.post_speeches();
        }
    }

    /// Charges what a message costs its recipients beyond the bytes read: many short lines are
    /// many lines to deliver.
    fn owe(&mut self, rendered_bytes: usize) {
        if let Some(bucket) = &mut self.bucket {
            bucket.owe(rendered_bytes.saturating_sub(self.paid_bytes));
        }
    }

    /// Posts the messages collected since the last post, so that all messages of one read
    /// travel together.
    fn post_speeches(&mut self) {
        if self.speeches.is_empty() {
            return;
        }
        self.speech_bytes = 0;
        let speeches = std::mem::take(&mut self.speeches);
        let Some(session) = &self.session else { return };
        match &self.room {
            Some(room) => {
                session.note_spoke(clock::now());
                room.say(session, speeches);
                self.shared.check_histories();
            }
            None => {
                let Shared { metrics, .. } = &*self.shared;
                room::refuse_outside(metrics, self.recorder(), session, speeches);
            }
        }
    }

    /// The next complete line, paid for; `None` if more must be read. Earlier messages are
    /// posted before waiting for the rate limit, but not beyond `deadline`.
    fn next_line(
        &mut self,
        deadline: Option<(Instant, CloseReason)>,
    ) -> Result<Option<Line>, CloseReason> {
        loop {
            let Some(bytes) = self.transport.next_line_bytes().map_err(CloseReason::Told)? else {
                return Ok(None);
            };
            self.wait_for_space(deadline.map(|(deadline, _)| deadline))?;
            self.pay(bytes, deadline)?;
            if let Some(line) = self.transport.take_line() {
                self.paid_bytes = bytes;
                self.admission.traffic.lines.add(1);
                return Ok(Some(line));
            }
        }
    }

    /// Waits until the peer has read enough of its answers, and charges them.
    fn wait_for_space(&mut self, deadline: Option<Instant>) -> Result<(), CloseReason> {
        let until = match std::mem::take(&mut self.has_asked) {
            true => Until::Answered,
            false => Until::Space,
        };
        let answered_bytes = self.outbox.wait_for_space(until, deadline)?;
        if let Some(bucket) = &mut self.bucket {
            bucket.owe(answered_bytes);
        }
        Ok(())
    }

    /// Waits until the rate limit allows `bytes` more, and charges them. Earlier messages are
    /// posted first.
    fn pay(
        &mut self,
        bytes: usize,
        deadline: Option<(Instant, CloseReason)>,
    ) -> Result<(), CloseReason> {
        loop {
            let Some(bucket) = &mut self.bucket else { return Ok(()) };
            let now = Instant::now();
            let Err(wait) = bucket.charge(bytes, now) else { return Ok(()) };
            self.post_speeches();
            match deadline {
                Some((deadline, timed_out)) if deadline < now + wait => {
                    self.transport.input().pause(deadline.saturating_duration_since(now))?;
                    return Err(timed_out);
                }
                _ => self.transport.input().pause(wait)?,
            }
            if self.explains == Switch::On {
                let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                self.outbox.clone().explain(WireNote::Wait { waits: 1, milliseconds });
            }
        }
    }

    /// Reads once. Blocks until something arrives or `until`, and before that while the peer
    /// does not read its answers.
    fn read(&mut self, until: Option<Instant>) -> Result<ReadOutcome, CloseReason> {
        self.wait_for_space(until)?;
        Ok(self.transport.read(until)?)
    }
}

/// Whether the first line that a peer ends after packets belongs to its name, which was taken
/// from the last packet this long ago.
fn is_rest_of_name(text: &str, since_login: Duration) -> bool {
    since_login < NAME_PAUSE && matches!(Input::parse(text), Input::Text(_))
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::test_server::{Peer, start};

    /// A line, or a message with `/quit`, that makes a connection's thread panic.
    pub(super) const PANIC: &str = "panic, please";

    #[test]
    fn text_soon_after_a_name_belongs_to_it_unless_it_is_a_command() {
        let (soon, late) = (NAME_PAUSE / 2, NAME_PAUSE);
        assert!(is_rest_of_name("rol", soon));
        assert!(!is_rest_of_name("hello", late));
        assert!(!is_rest_of_name("/quit", soon) && !is_rest_of_name(" ", soon));
    }

    #[test]
    fn a_panic_in_a_connection_ends_only_that_connection() {
        let (server, _console) = start();
        let login = |name: &str| {
            let mut peer = Peer::connect(&server);
            peer.say(name).expect(&format!("[{name}] joined."));
            peer
        };
        let mut bob = login("bob");
        // While reading, and while ending.
        for (name, line) in [("alice", PANIC), ("carol", &format!("/quit {PANIC}"))] {
            let mut peer = login(name);
            peer.say(&format!("before it\n{line}"));
            bob.expect(&format!("[{name}] before it"));
            peer.expect("Server error.");
            bob.expect(&format!("[{name}] left."));
        }
        bob.say("still here").expect("[bob] still here");
        assert!(server.stop());
    }
}
