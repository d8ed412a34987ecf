//! Who someone is: a name, a room, and what was said to them alone. A session that
//! speaks JSON outlives its connection for a while, to be taken over by the next. What a
//! room is, is no business of a session: it knows rooms by their numbers.
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
pub(crate) use whisper::{Whispered, Whisperer};

pub(crate) mod user_manager;
pub(crate) mod teachers;
mod hidden;
mod whisper;
mod mute_of_all;
pub(crate) mod memory;
pub(crate) mod nonces;
pub(crate) mod token;
mod reading;

/// Whoever comes back is sent them in parts of so many bytes, or one event.
const PART_BYTES: usize = 32 * 1_024;

/// A room, as sessions know it.
pub(crate) trait RoomHandle: Send + Sync {
    /// No two rooms of a server have the same.
    fn number(&self) -> u64;
}

/// What keeps somebody from speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mute {
    /// When it is over; if that is not known, it holds until it is lifted.
    pub(crate) until: Option<Time>,
}

/// How somebody is in rooms whose joining and leaving is told to nobody. They are members of
/// public rooms only, and marked where members are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Quiet {
    /// On this machine: they may speak.
    Speaking,
    /// Elsewhere: they only read.
    ReadOnly,
}

/// Somebody on the server.
pub(crate) struct Session {
    /// No two of a server are the same.
    pub(crate) number: u64,
    /// Since when they are here.
    pub(crate) since: Time,
    /// Brings a JSON client back; text members have none.
    pub(crate) token: Option<Token>,
    /// When they last said something, in milliseconds; when they came, if they have not.
    spoke_at: AtomicI64,
    /// Whether they are a teacher, until they have gone.
    is_teacher: AtomicBool,
    /// Whether they are a teacher's screen on the wall.
    is_watching: AtomicBool,
    state: Mutex<SessionState>,
}

struct SessionState {
    name: UserName,
    lang: Lang,
    /// The connection that is told; none while they are away.
    outbox: Option<Arc<Outbox>>,
    /// The form in which they were told last.
    form: Form,
    /// The number of the room where they are.
    room: Option<u64>,
    /// The private rooms that they own.
    owned: Vec<Weak<dyn RoomHandle>>,
    hidden: Arc<[Hidden]>,
    /// Whether what they say in a room is sent to them too.
    own_lines: Switch,
    last_whisperer: Weak<Session>,
    /// How far they have read back.
    reading: Option<Box<Reading>>,
    /// Whether the operator keeps them from speaking.
    muted: Option<Mute>,
    /// Whether their joining and leaving is told to nobody.
    quiet: Option<Quiet>,
    /// What only clients that come back need.
    memory: Option<Box<Memory>>,
}

impl Session {
    /// A session under a claimed name. Who has a `token` may come back by it.
    pub(crate) fn new(number: u64, name: UserName, token: Option<Token>, since: Time) -> Session {
        let memory = token.is_some().then(Box::default);
        Session {
            number,
            since,
            token,
            spoke_at: AtomicI64::new(since.as_millis()),
            is_teacher: AtomicBool::new(false),
            is_watching: AtomicBool::new(false),
            state: Mutex::new(SessionState {
                name,
                lang: Lang::default(),
                outbox: None,
                form: Form::JSON,
                room: None,
                owned: Vec::new(),
                hidden: Arc::new([]),
                own_lines: Switch::On,
                last_whisperer: Weak::new(),
                reading: None,
                muted: None,
                quiet: None,
                memory,
            }),
        }
    }

    /// The same, which keeps whispers out of a budget that others have too.
    pub(crate) fn keeping_within(self, budget: Arc<WhisperBudget>) -> Session {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.budget = budget;
        }
        self
    }

    /// The same, whose nonces are hashed by the server's secret.
    pub(crate) fn hashing_nonces_by(self, key: NonceKey) -> Session {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.nonce_key = key;
        }
        self
    }

    /// What brings its client back; empty for people.
    pub(crate) fn token_text(&self) -> &str {
        self.token.as_ref().map_or("", Token::text)
    }

    pub(crate) fn name(&self) -> UserName {
        self.state.lock().name.clone()
    }

    pub(crate) fn rename(&self, name: UserName) {
        self.state.lock().name = name;
    }

    /// The language in which the server speaks to them.
    pub(crate) fn lang(&self) -> Lang {
        self.state.lock().lang
    }

    /// The server speaks `lang` to them from now on.
    pub(crate) fn change_lang(&self, lang: Lang) {
        self.state.lock().lang = lang;
    }

    /// Whether their joining and leaving is told to nobody.
    pub(crate) fn quiet(&self) -> Option<Quiet> {
        self.state.lock().quiet
    }

    /// Sets how they are in the rooms that they join from now on.
    pub(crate) fn set_quiet(&self, quiet: Option<Quiet>) {
        self.state.lock().quiet = quiet;
    }

    /// The number of the room that they are in.
    pub(crate) fn room(&self) -> Option<u64> {
        self.state.lock().room
    }

    /// They are a member of `room` now; called by its pump. Returns the operator's mute,
    /// for the room to know of: any later one is given where they are from now on.
    pub(crate) fn enter(&self, room: u64) -> Option<Mute> {
        let mut state = self.state.lock();
        state.room = Some(room);
        if let Some(memory) = &mut state.memory {
            memory.removal = None;
        }
        state.muted
    }

    /// They were taken out of their room by `event`, which is kept until they come back.
    pub(crate) fn note_removal(&self, event: Option<&Event>) {
        if let Some(memory) = &mut self.state.lock().memory {
            memory.removal = event.cloned();
        }
    }

    /// What took them out of their room, if they have been in none since.
    pub(crate) fn removal(&self) -> Option<Event> {
        self.state.lock().memory.as_ref()?.removal.clone()
    }

    /// They are no member of `room` any more, if they still were; called by its pump.
    pub(crate) fn exit(&self, room: u64) {
        let mut state = self.state.lock();
        if state.room == Some(room) {
            state.room = None;
        }
    }

    /// Whether their connection is cut.
    pub(crate) fn is_away(&self) -> bool {
        self.state.lock().outbox.is_none()
    }

    /// The connection that is told.
    pub(crate) fn outbox(&self) -> Option<Arc<Outbox>> {
        self.state.lock().outbox.clone()
    }

    /// From now on, `outbox` is told: first `welcome`, then what was whispered after
    /// the private event `last`.
    pub(crate) fn attach(&self, outbox: Arc<Outbox>, welcome: Vec<u8>, last: u64) {
        let mut state = self.state.lock();
        let mut part = welcome;
        state.form = outbox.form();
        let form = state.form;
        let missed = state.memory.iter().flat_map(|memory| memory.after(last, form));
        for line in missed {
            // In parts: the queue frees each as it goes.
            if !part.is_empty() && part.len() + line.len() > PART_BYTES {
                outbox.push(&std::mem::take(&mut part));
            }
            part.extend_from_slice(&line);
        }
        if !part.is_empty() {
            outbox.push(&part);
        }
        // Who has ended on its way in is away; nobody would detach it any more.
        if outbox.is_open() {
            state.outbox = Some(outbox);
        }
    }

    /// Nobody is told from now on, if that was `outbox`'s connection.
    pub(crate) fn detach(&self, connection: u64) {
        let mut state = self.state.lock();
        if state.outbox.as_ref().is_some_and(|outbox| outbox.number() == connection) {
            state.outbox = None;
        }
    }

    /// Tells them something alone, if they are here.
    pub(crate) fn tell(&self, write: impl FnOnce(&mut Answer)) {
        if let Some(outbox) = self.outbox() {
            let mut answer = Answer::new(outbox.form()).in_lang(self.lang());
            write(&mut answer);
            outbox.push(&answer.into_bytes());
        }
    }

    /// Tells them something alone that they have not asked for and are not charged for, if
    /// they are here and there is space.
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
        // One that they own again is kept once.
        state.owned.retain(|owned| owned.strong_count() > 0 && !owned.ptr_eq(&room));
        state.owned.push(room);
    }

    /// The numbers of the rooms that they own, or did.
    pub(crate) fn take_owned(&self) -> Vec<u64> {
        let owned = std::mem::take(&mut self.state.lock().owned);
        owned.iter().filter_map(|room| Some(room.upgrade()?.number())).collect()
    }

    /// They have said something.
    pub(crate) fn note_spoke(&self, now: Time) {
        self.spoke_at.store(now.as_millis(), Ordering::Relaxed);
    }

    /// When they last said something; when they came, if they have not.
    pub(crate) fn spoke_at(&self) -> Time {
        Time::from_millis(self.spoke_at.load(Ordering::Relaxed))
    }

    /// Whether the operator keeps them from speaking: in any room, and to one person alone.
    pub(crate) fn muted(&self) -> Option<Mute> {
        self.state.lock().muted
    }

    /// Keeps them from speaking. Their room is told apart from that.
    pub(crate) fn mute(&self, mute: Mute) {
        self.state.lock().muted = Some(mute);
    }

    /// Lets them speak again; false if they might anyway. With `until`, only if they were to
    /// be kept from it until then.
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

    /// The numbers and texts of the whispers that a client got, and its gaps.
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
    fn who_has_ended_on_the_way_in_is_away() {
        let alice = session(1, "alice", Form::JSON);
        let (_, outbox) = connect(1, Form::JSON);
        outbox.close(CloseReason::Told(Goodbye::Closed), b"");
        alice.attach(outbox, b"\n".to_vec(), 0);
        assert!(alice.is_away());
        assert_eq!(whisper(&alice, "psst"), Whispered::Kept);
    }

    #[test]
    fn a_room_that_is_owned_again_and_again_is_kept_once_and_a_former_one_not_at_all() {
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
            let replies_to = alice.last_whisperer().map(|bob| bob.name().to_string());
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
            // By the session or by the name.
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
    fn the_next_connection_is_told_what_the_last_one_does_not_have() {
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
            // The thread of the first connection is late.
            alice.detach(1);
            whisper(&alice, "four");
            assert_eq!(private(&first), ["1 \"one\"", "2 \"two\""]);
            assert_eq!(private(&second), expected, "after {last}");
        }
        check(0, &["1 \"one\"", "2 \"two\"", "3 \"three\"", "4 \"four\""]);
        check(1, &["2 \"two\"", "3 \"three\"", "4 \"four\""]);
        check(2, &["3 \"three\"", "4 \"four\""]);
        check(3, &["4 \"four\""]);
        // It can't have what was not whispered yet.
        check(u64::MAX, &["4 \"four\""]);
    }

    #[test]
    fn of_many_whispers_the_last_are_kept_and_the_others_are_a_gap() {
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
    fn who_comes_back_is_sent_what_was_whispered_in_parts_of_32_kib() {
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
        // The last of them alone are kept.
        check(16_000, 8);
        check(40_000, 7);
    }

    #[test]
    fn only_who_may_come_back_knows_nonces() {
        let alice = session(1, "alice", Form::JSON);
        alice.note_nonce("n");
        assert_eq!(alice.knows_nonce("n"), Some(None));
        let text = session(2, "bob", TEXT);
        text.note_nonce("n");
        assert_eq!(text.knows_nonce("n"), None, "nobody comes back to it");
    }

    #[test]
    fn all_sessions_keep_whispers_out_of_one_budget_and_give_it_back() {
        let budget = Arc::new(WhisperBudget::of(1_000));
        let left = || budget.0.load(Ordering::Relaxed);
        let away = |number, name| session(number, name, Form::JSON).keeping_within(budget.clone());
        let [alice, carol] = [away(1, "alice"), away(3, "carol")];
        assert_eq!(whisper(&alice, &"x".repeat(700)), Whispered::Kept);
        assert!(left() < 300);
        // Nothing of her own makes way for it.
        assert_eq!(whisper(&carol, &"x".repeat(400)), Whispered::Refused);
        // One's own oldest do.
        assert_eq!(whisper(&alice, &"y".repeat(600)), Whispered::Kept);
        // To whoever is here it is said all the same, and not kept.
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
    fn only_so_many_are_hidden() {
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
    fn a_mute_ends_when_it_is_due_unless_it_was_prolonged() {
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
