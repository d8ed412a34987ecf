//! A session: who somebody is, with a name, a room and private messages. A JSON session
//! outlives its connection for a while, so that the next one can resume it. Sessions know rooms
//! only by their numbers.
//!
//! # Guarantees
//!
//! 1. One connection at a time holds a session; the next gets it when that has let
//!    it go ([`UserManager`](crate::session::user_manager::UserManager) hands it over).
//! 2. A whisper reaches the outbox that is attached, or waits for the next one, or is
//!    refused: it is never lost and never comes twice.
//! 3. The lock of a session is held for moments, and of other locks only an outbox's
//!    is taken under it.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use madang_protocol::{
    command::Switch,
    event::{Event, Time},
    name::UserName,
    text::Lang,
};
use serde::{Deserialize, Serialize};

use crate::{
    delivery::outbox::Outbox,
    dialect::{Form, answer::Answer},
    session::memory::{Memory, WhisperBudget},
    session::nonces::NonceKey,
    session::token::Token,
    sync::Mutex,
};

pub(crate) use reading::Reading;

pub(crate) use hidden::{Hidden, MOST_HIDDEN};
pub(crate) use whisper::{LastWhisperer, Sender, Whispered, Whisperer};

pub(crate) mod user_manager;
pub(crate) mod teachers;
mod hidden;
mod whisper;
mod mute_of_all;
pub(crate) mod memory;
pub(crate) mod nonces;
pub(crate) mod token;
pub(crate) mod stored;
mod reading;

/// Missed messages are sent in parts of this many bytes, or single events.
const PART_BYTES: usize = 32 * 1_024;

/// A room, as sessions see it.
pub(crate) trait RoomHandle: Send + Sync {
    /// Unique among the rooms of a server.
    fn number(&self) -> u64;
}

/// A mute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mute {
    /// When it ends; `None` if it lasts until it is lifted.
    pub(crate) until: Option<Time>,
}

/// A quiet session joins and leaves without an announcement. It can join only public rooms, and
/// is marked in lists of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Quiet {
    /// On this machine: it may speak.
    Speaking,
    /// Elsewhere: it only reads.
    ReadOnly,
}

/// A session of somebody on the server.
pub(crate) struct Session {
    /// Unique on the server.
    pub(crate) number: u64,
    /// When they logged in.
    pub(crate) since: Time,
    /// Lets a JSON client resume; people in text dialects have none.
    pub(crate) token: Option<Token>,
    /// When they last spoke, in milliseconds; initially when they logged in.
    spoke_at: AtomicI64,
    /// Whether they are a teacher, until the session ends.
    is_teacher: AtomicBool,
    /// Whether this is a teacher's projector.
    is_watching: AtomicBool,
    /// Whether this is a stream over HTTP, which only reads.
    is_stream: AtomicBool,
    /// Whether another server has it now.
    has_moved: AtomicBool,
    state: Mutex<SessionState>,
}

struct SessionState {
    name: UserName,
    lang: Lang,
    /// The connection's outbox; `None` while they are disconnected.
    outbox: Option<Arc<Outbox>>,
    /// The form of the last message to them.
    form: Form,
    /// The number of the room that they are in.
    room: Option<u64>,
    /// The private rooms that they own.
    owned: Vec<Weak<dyn RoomHandle>>,
    hidden: Arc<[Hidden]>,
    /// Whether their own messages are sent to them too.
    own_lines: Switch,
    last_whisperer: Option<LastWhisperer>,
    /// How far they have read back.
    reading: Option<Box<Reading>>,
    /// The operator's mute.
    muted: Option<Mute>,
    /// Whether and how they are quiet.
    quiet: Option<Quiet>,
    /// Data needed only by clients that can resume.
    memory: Option<Box<Memory>>,
}

impl Session {
    /// A session under a claimed name. It can be resumed if it has a `token`.
    pub(crate) fn new(number: u64, name: UserName, token: Option<Token>, since: Time) -> Session {
        let memory = token.is_some().then(Box::default);
        Session {
            number,
            since,
            token,
            spoke_at: AtomicI64::new(since.as_millis()),
            is_teacher: AtomicBool::new(false),
            is_watching: AtomicBool::new(false),
            is_stream: AtomicBool::new(false),
            has_moved: AtomicBool::new(false),
            state: Mutex::new(SessionState {
                name,
                lang: Lang::default(),
                outbox: None,
                form: Form::JSON,
                room: None,
                owned: Vec::new(),
                hidden: Arc::new([]),
                own_lines: Switch::On,
                last_whisperer: None,
                reading: None,
                muted: None,
                quiet: None,
                memory,
            }),
        }
    }

    /// The same, with the size of kept whispers limited by a shared budget.
    pub(crate) fn keeping_within(self, budget: Arc<WhisperBudget>) -> Session {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.budget = budget;
        }
        self
    }

    /// The same, with nonces hashed using the server's secret.
    pub(crate) fn hashing_nonces_by(self, key: NonceKey) -> Session {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.nonce_key = key;
        }
        self
    }

    /// The same, after a restart.
    pub(crate) fn restored(self) -> Session {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.is_restored = true;
        }
        self
    }

    /// The token's text for the client; empty for people.
    pub(crate) fn token_text(&self) -> &str {
        self.token.as_ref().map_or("", Token::text)
    }

    pub(crate) fn name(&self) -> UserName {
        self.state.lock().name.clone()
    }

    pub(crate) fn rename(&self, name: UserName) {
        self.state.lock().name = name;
    }

    /// The language of the server's messages to them.
    pub(crate) fn lang(&self) -> Lang {
        self.state.lock().lang
    }

    /// Changes the language of the server's messages to them.
    pub(crate) fn change_lang(&self, lang: Lang) {
        self.state.lock().lang = lang;
    }

    /// Whether and how they are quiet.
    pub(crate) fn quiet(&self) -> Option<Quiet> {
        self.state.lock().quiet
    }

    /// Sets how they are treated in rooms that they join from now on.
    pub(crate) fn set_quiet(&self, quiet: Option<Quiet>) {
        self.state.lock().quiet = quiet;
    }

    /// Whether this is a stream over HTTP, which only reads.
    pub(crate) fn is_stream(&self) -> bool {
        self.is_stream.load(Ordering::Relaxed)
    }

    /// This is a stream, before it joins a room.
    pub(crate) fn become_stream(&self) {
        self.is_stream.store(true, Ordering::Relaxed);
    }

    /// Whether another server has the session now: here, nothing may follow from its end.
    pub(crate) fn has_moved(&self) -> bool {
        self.has_moved.load(Ordering::Relaxed)
    }

    /// Another server has the session now.
    pub(crate) fn move_away(&self) {
        self.has_moved.store(true, Ordering::Relaxed);
    }

    /// The number of the room that they are in.
    pub(crate) fn room(&self) -> Option<u64> {
        self.state.lock().room
    }

    /// They are a member of `room` now; called by its pump. Returns the operator's mute for the
    /// room; later mutes are sent to the room they are in.
    pub(crate) fn enter(&self, room: u64) -> Option<Mute> {
        let mut state = self.state.lock();
        state.room = Some(room);
        if let Some(memory) = &mut state.memory {
            memory.removal = None;
        }
        state.muted
    }

    /// They were removed from their room by `event`, which is kept until they come back.
    pub(crate) fn note_removal(&self, event: Option<&Event>) {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.removal = event.cloned();
        }
    }

    /// The event that removed them from their room, if they have joined none since.
    pub(crate) fn removal(&self) -> Option<Event> {
        self.state.lock().memory.as_ref()?.removal.clone()
    }

    /// They are no longer a member of `room`, if they were; called by its pump.
    pub(crate) fn exit(&self, room: u64) {
        let mut state = self.state.lock();
        if state.room == Some(room) {
            state.room = None;
        }
    }

    /// Whether they are disconnected.
    pub(crate) fn is_away(&self) -> bool {
        self.state.lock().outbox.is_none()
    }

    /// The outbox of their connection.
    pub(crate) fn outbox(&self) -> Option<Arc<Outbox>> {
        self.state.lock().outbox.clone()
    }

    /// Attaches a connection: it is sent `welcome`, then whispers after the private event
    /// `last`.
    pub(crate) fn attach(&self, outbox: Arc<Outbox>, welcome: Vec<u8>, last: u64) {
        let mut state = self.state.lock();
        let mut part = welcome;
        state.form = outbox.form();
        let form = state.form;
        if let Some(memory) = &mut state.memory {
            memory.go_on_after(last);
        }
        let missed = state.memory.iter().flat_map(|memory| memory.after(last, form));
        for line in missed {
            // In parts, so that the queue can free each one after sending.
            if !part.is_empty() && part.len() + line.len() > PART_BYTES {
                outbox.push(&std::mem::take(&mut part));
            }
            part.extend_from_slice(&line);
        }
        if !part.is_empty() {
            outbox.push(&part);
        }
        // A connection that has ended meanwhile counts as disconnected; nobody would detach it.
        if outbox.is_open() {
            state.outbox = Some(outbox);
        }
    }

    /// Detaches this connection, if it is attached.
    pub(crate) fn detach(&self, connection: u64) {
        let mut state = self.state.lock();
        if state.outbox.as_ref().is_some_and(|outbox| outbox.number() == connection) {
            state.outbox = None;
        }
    }

    /// Sends them something privately, if they are connected.
    pub(crate) fn tell(&self, write: impl FnOnce(&mut Answer)) {
        if let Some(outbox) = self.outbox() {
            let mut answer = Answer::new(outbox.form()).in_lang(self.lang());
            write(&mut answer);
            outbox.push(&answer.into_bytes());
        }
    }

    /// Sends them something unrequested that is not charged to them, if they are connected and
    /// there is space.
    pub(crate) fn remark(&self, write: impl FnOnce(&mut Answer)) {
        if let Some(outbox) = self.outbox() {
            let mut answer = Answer::new(outbox.form()).in_lang(self.lang());
            write(&mut answer);
            outbox.try_push(&answer.into_bytes());
        }
    }

    /// They own `room` from now on.
    pub(crate) fn own(&self, room: Weak<dyn RoomHandle>) {
        let mut state = self.state.lock();
        // A room that they own again is kept once.
        state.owned.retain(|owned| owned.strong_count() > 0 && !owned.ptr_eq(&room));
        state.owned.push(room);
    }

    /// The numbers of rooms that they own, or owned.
    pub(crate) fn owned(&self) -> Vec<u64> {
        let state = self.state.lock();
        state.owned.iter().filter_map(|room| Some(room.upgrade()?.number())).collect()
    }

    /// The same, once.
    pub(crate) fn take_owned(&self) -> Vec<u64> {
        let owned = std::mem::take(&mut self.state.lock().owned);
        owned.iter().filter_map(|room| Some(room.upgrade()?.number())).collect()
    }

    /// They have said something.
    pub(crate) fn note_spoke(&self, now: Time) {
        self.spoke_at.store(now.as_millis(), Ordering::Relaxed);
    }

    /// When they last spoke; initially when they logged in.
    pub(crate) fn spoke_at(&self) -> Time {
        Time::from_millis(self.spoke_at.load(Ordering::Relaxed))
    }

    /// The operator's mute, which also covers whispers.
    pub(crate) fn muted(&self) -> Option<Mute> {
        self.state.lock().muted
    }

    /// Mutes them. Their room is notified separately.
    pub(crate) fn mute(&self, mute: Mute) {
        self.state.lock().muted = Some(mute);
    }

    /// Unmutes them; false if they were not muted. With `until`, only if the mute was to end
    /// then.
    pub(crate) fn unmute(&self, until: Option<Time>) -> bool {
        let muted = &mut self.state.lock().muted;
        if until.is_some() && *muted != Some(Mute { until }) {
            return false;
        }
        muted.take().is_some()
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use madang_protocol::{
        notice::Goodbye,
        text::{Lang, LineEnd},
    };

    use super::*;
    use crate::{
        close_reason::CloseReason,
        delivery::sink::fake::{FakeSocket, connect},
    };

    const TEXT: Form = Form::text(Lang::En, LineEnd::Lf);
    const NOW: fn() -> Time = || Time::from_millis(0);

    fn session(number: u64, name: &str, form: Form) -> Session {
        let name = UserName::parse(name).expect("a name");
        let token = (form == Form::JSON).then(|| Token::new(format!("token-{number}")));
        Session::new(number, name, token, NOW())
    }

    fn whisper(to: &Session, text: &str) -> Whispered {
        whisper_from(&Arc::new(session(2, "bob", TEXT)), to, text)
    }

    fn whisper_from(bob: &Arc<Session>, to: &Session, text: &str) -> Whispered {
        to.whisper(Whisperer::Member(bob, &bob.name()), text, NOW())
    }

    /// The numbers and texts of whispers that a client got, and its gaps.
    fn private(socket: &FakeSocket) -> Vec<String> {
        let text = socket.text();
        let messages = text.lines().filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
            match message["type"].as_str()? {
                "whisper" => Some(format!("{} {}", message["private"], message["text"])),
                "private_gap" => Some(format!("gap {}-{}", message["from"], message["to"])),
                _ => None,
            }
        });
        messages.collect()
    }

    #[test]
    fn a_connection_that_ended_while_joining_counts_as_disconnected() {
        let alice = session(1, "alice", Form::JSON);
        let (_, outbox) = connect(1, Form::JSON);
        outbox.close(CloseReason::Told(Goodbye::Closed), b"");
        alice.attach(outbox, b"\n".to_vec(), 0);
        assert!(alice.is_away());
        assert_eq!(whisper(&alice, "psst"), Whispered::Kept);
    }

    #[test]
    fn an_owned_room_is_kept_once_and_a_former_one_is_dropped() {
        struct FakeRoom(u64);
        impl RoomHandle for FakeRoom {
            fn number(&self) -> u64 {
                self.0
            }
        }
        let alice = session(1, "alice", TEXT);
        let rooms: [Arc<dyn RoomHandle>; 2] = [Arc::new(FakeRoom(1)), Arc::new(FakeRoom(2))];
        for _ in 0..3 {
            alice.own(Arc::downgrade(&(Arc::new(FakeRoom(3)) as Arc<dyn RoomHandle>)));
            rooms.iter().for_each(|room| alice.own(Arc::downgrade(room)));
        }
        assert_eq!(alice.state.lock().owned.len(), 2);
        assert_eq!(alice.take_owned(), [1, 2]);
    }

    #[test]
    fn a_whisper_is_sent_or_kept_or_refused() {
        #[track_caller]
        fn check(
            form: Form,
            prepare: impl FnOnce(&Session, &FakeSocket, &Arc<Outbox>),
            expected: Whispered,
        ) {
            let alice = session(1, "alice", form);
            let (socket, outbox) = connect(1, form);
            alice.attach(outbox.clone(), b"\n".to_vec(), 0);
            prepare(&alice, &socket, &outbox);
            let bob = Arc::new(session(2, "bob", TEXT));
            assert_eq!(whisper_from(&bob, &alice, "psst"), expected, "{form:?}");
            let replies_to = alice.last_whisperer().map(|it| it.user.to_string());
            let is_known = matches!(expected, Whispered::Sent | Whispered::Kept);
            assert_eq!(replies_to, is_known.then(|| "bob".to_owned()), "{form:?}");
            assert_eq!(socket.text().contains("psst"), expected == Whispered::Sent, "{form:?}");
        }
        let full = |_: &Session, socket: &FakeSocket, outbox: &Arc<Outbox>| {
            socket.change(|state| state.space = 0);
            outbox.push(&[b'x'; 1_000]);
        };
        let ended =
            |_: &Session, _: &FakeSocket, outbox: &Arc<Outbox>| outbox.end(CloseReason::Stalled);
        let said_goodbye = |_: &Session, _: &FakeSocket, outbox: &Arc<Outbox>| {
            outbox.close(CloseReason::Told(Goodbye::Closed), b"");
        };
        let away = |alice: &Session, _: &FakeSocket, _: &Arc<Outbox>| alice.detach(1);
        let hiding = |alice: &Session, _: &FakeSocket, _: &Arc<Outbox>| {
            // By session or by name.
            assert!(alice.hide(7, &UserName::parse("bob").expect("a name")));
        };
        let nothing = |_: &Session, _: &FakeSocket, _: &Arc<Outbox>| {};
        for form in [TEXT, Form::JSON] {
            check(form, nothing, Whispered::Sent);
            check(form, full, Whispered::Refused);
            check(form, hiding, Whispered::Hidden);
        }
        check(Form::JSON, ended, Whispered::Kept);
        check(Form::JSON, said_goodbye, Whispered::Kept);
        check(Form::JSON, away, Whispered::Kept);
        check(TEXT, ended, Whispered::Refused);
        check(TEXT, away, Whispered::Refused);
    }

    #[test]
    fn the_next_connection_gets_missed_whispers() {
        #[track_caller]
        fn check(last: u64, expected: &[&str]) {
            let alice = session(1, "alice", Form::JSON);
            let (first, outbox) = connect(1, Form::JSON);
            alice.attach(outbox, Vec::new(), 0);
            whisper(&alice, "one");
            whisper(&alice, "two");
            alice.detach(1);
            whisper(&alice, "three");
            let (second, outbox) = connect(2, Form::JSON);
            alice.attach(outbox, b"{\"type\":\"welcome\"}\n".to_vec(), last);
            assert!(second.text().starts_with("{\"type\":\"welcome\"}\n"));
            // The first connection's thread is late.
            alice.detach(1);
            whisper(&alice, "four");
            assert_eq!(private(&first), ["1 \"one\"", "2 \"two\""]);
            assert_eq!(private(&second), expected, "after {last}");
        }
        check(0, &["1 \"one\"", "2 \"two\"", "3 \"three\"", "4 \"four\""]);
        check(1, &["2 \"two\"", "3 \"three\"", "4 \"four\""]);
        check(2, &["3 \"three\"", "4 \"four\""]);
        check(3, &["4 \"four\""]);
        // The client can't have received what was not whispered yet.
        check(u64::MAX, &["4 \"four\""]);
    }

    #[test]
    fn numbers_of_whispers_go_on_after_a_restart() {
        #[track_caller]
        fn check(last: u64, expected: &[&str]) {
            let alice = session(1, "alice", Form::JSON).restored();
            whisper(&alice, "one \"more\"");
            let (first, outbox) = connect(1, Form::JSON);
            alice.attach(outbox, Vec::new(), last);
            whisper(&alice, "two");
            alice.detach(1);
            let (second, outbox) = connect(2, Form::JSON);
            // This connection's numbers are known.
            alice.attach(outbox, Vec::new(), 0);
            assert_eq!(private(&first), expected, "after {last}");
            let text = second.text();
            assert!(last == 0 || !text.contains("\"private\":1,"), "{text}");
            let state = alice.state.lock();
            let memory = state.memory.as_ref().expect("it has a token");
            let held: usize = memory.privates.iter().map(Vec::len).sum();
            assert_eq!(held, memory.private_bytes);
        }
        check(0, &["1 \"one \\\"more\\\"\"", "2 \"two\""]);
        check(5, &["6 \"one \\\"more\\\"\"", "7 \"two\""]);
        check(99, &["100 \"one \\\"more\\\"\"", "101 \"two\""]);
    }

    #[test]
    fn a_client_that_has_impossible_numbers_harms_nobody() {
        let alice = session(1, "alice", Form::JSON).restored();
        whisper(&alice, "one");
        let (socket, outbox) = connect(1, Form::JSON);
        alice.attach(outbox, Vec::new(), u64::MAX);
        whisper(&alice, "two");
        assert_eq!(private(&socket), ["2 \"two\""]);
    }

    #[test]
    fn only_the_last_whispers_are_kept_and_the_rest_is_a_gap() {
        #[track_caller]
        fn check(count: usize, bytes: usize, last: u64, first: &str, kept: usize) {
            let alice = session(1, "alice", Form::JSON);
            for _ in 0..count {
                assert_eq!(whisper(&alice, &"x".repeat(bytes)), Whispered::Kept);
            }
            let state = alice.state.lock();
            let memory = state.memory.as_ref().expect("it has a token");
            let lines = memory.after(last, Form::JSON).collect::<Vec<_>>().concat();
            let held: usize = memory.privates.iter().map(Vec::len).sum();
            assert_eq!(held, memory.private_bytes);
            let text = String::from_utf8(lines).expect("UTF-8");
            assert!(text.starts_with(first), "{}", &text[..text.len().min(80)]);
            assert_eq!(text.matches("\"whisper\"").count(), kept);
        }
        let gap = |to| format!("{{\"type\":\"private_gap\",\"from\":1,\"to\":{to}}}\n");
        check(64, 1, 0, "{\"type\":\"whisper\",\"private\":1,", 64);
        check(65, 1, 0, &gap(1), 64);
        check(200, 1, 0, &gap(136), 64);
        check(200, 1, 136, "{\"type\":\"whisper\",\"private\":137,", 64);
        check(200, 1, 199, "{\"type\":\"whisper\",\"private\":200,", 1);
        check(200, 1, 200, "", 0);
        check(0, 1, 5, "", 0);
        check(64, 16_000, 0, &gap(48), 16);
        check(2, 300_000, 0, &gap(1), 1);
    }

    #[test]
    fn missed_whispers_are_sent_in_parts_of_32_kib() {
        #[track_caller]
        fn check(bytes: usize, parts: usize) {
            let alice = session(1, "alice", Form::JSON);
            for _ in 0..64 {
                assert_eq!(whisper(&alice, &"x".repeat(bytes)), Whispered::Kept);
            }
            let (socket, outbox) = connect(1, Form::JSON);
            alice.attach(outbox, b"{\"type\":\"welcome\"}\n".to_vec(), 0);
            let sent: Vec<usize> = socket.state.lock().taken.iter().map(Vec::len).collect();
            assert_eq!(sent.len(), parts, "{sent:?}");
            assert!(sent.iter().all(|part| *part <= PART_BYTES.max(2 * bytes)), "{sent:?}");
            assert_eq!(private(&socket).last(), Some(&format!("64 \"{}\"", "x".repeat(bytes))));
        }
        check(1, 1);
        check(1_000, 3);
        // Only the last of them are kept.
        check(16_000, 8);
        check(40_000, 7);
    }

    #[test]
    fn only_resumable_sessions_know_nonces() {
        let alice = session(1, "alice", Form::JSON);
        alice.note_nonce("n");
        assert_eq!(alice.knows_nonce("n"), Some(None));
        let text = session(2, "bob", TEXT);
        text.note_nonce("n");
        assert_eq!(text.knows_nonce("n"), None, "nobody comes back to it");
    }

    #[test]
    fn kept_whispers_of_all_sessions_share_one_budget() {
        let budget = Arc::new(WhisperBudget::of(1_000));
        let left = || budget.0.load(Ordering::Relaxed);
        let away = |number, name| session(number, name, Form::JSON).keeping_within(budget.clone());
        let [alice, carol] = [away(1, "alice"), away(3, "carol")];
        assert_eq!(whisper(&alice, &"x".repeat(700)), Whispered::Kept);
        assert!(left() < 300);
        // She has nothing of her own to drop for it.
        assert_eq!(whisper(&carol, &"x".repeat(400)), Whispered::Refused);
        // One's own oldest are dropped.
        assert_eq!(whisper(&alice, &"y".repeat(600)), Whispered::Kept);
        // A connected person gets it all the same; it is not kept.
        let (socket, outbox) = connect(3, Form::JSON);
        carol.attach(outbox, Vec::new(), 0);
        assert_eq!(whisper(&carol, &"z".repeat(400)), Whispered::Sent);
        assert!(socket.text().contains("\"private\":1,"));
        carol.detach(3);
        let (again, outbox) = connect(4, Form::JSON);
        carol.attach(outbox, Vec::new(), 0);
        assert_eq!(private(&again), ["gap 1-1"]);
        drop(alice);
        assert_eq!(left(), 1_000);
    }

    #[test]
    fn the_ignore_list_is_limited() {
        let alice = session(1, "alice", TEXT);
        let name = |at: usize| UserName::parse(&format!("n{at}")).expect("a name");
        for at in 0..MOST_HIDDEN {
            assert!(alice.hide(at as u64 + 10, &name(at)));
        }
        assert!(!alice.hide(5, &name(999)));
        assert!(alice.hide(10, &name(0)), "it is hidden already");
        assert!(!alice.show(None, &name(999)));
        assert!(alice.show(None, &name(3)));
        assert!(alice.hide(5, &name(999)));
        assert_eq!(alice.hidden_names().len(), MOST_HIDDEN);
    }

    #[test]
    fn a_mute_ends_on_time_unless_it_was_extended() {
        let alice = session(1, "alice", TEXT);
        let [first, second] = [60_000, 120_000].map(|at| Some(Time::from_millis(at)));
        alice.mute(Mute { until: first });
        alice.mute(Mute { until: second });
        assert!(!alice.unmute(first) && alice.muted().is_some());
        assert!(alice.unmute(second) && alice.muted().is_none());
        assert!(!alice.unmute(second));
        alice.mute(Mute { until: None });
        assert!(!alice.unmute(second) && alice.muted().is_some());
        assert!(alice.unmute(None) && alice.muted().is_none());
        assert!(!alice.unmute(None));
    }
}
