//! The names and rooms that Tab completes, the latest speaker first.
//!
//! The vocabulary is filled by the main thread and read by the editor's. The server is asked
//! for members and rooms when Tab needs them, not before.

use std::{collections::VecDeque, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded};
use madang_protocol::{
    command::{CommandSpec, Role},
    limits::{LINE_BYTES, MESSAGE_BYTES},
    sanitize::sanitize_label,
    text::Lang,
};
use madang_terminal::completion::Source;
use parking_lot::{Condvar, Mutex};

use crate::{lesson::Lesson, words::Words};

/// How long a completion waits for the server.
const PATIENCE: Duration = Duration::from_millis(300);

/// How many speakers are remembered.
const SPEAKERS: usize = 200;

/// The maximum number of members and rooms, whatever a server sends.
const MEMBERS: usize = 20_000;
const ROOMS: usize = 20_000;

/// A question that a completion has for the main thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The members of the room.
    Members,
    /// The public rooms.
    Rooms,
}

/// The names and rooms known so far.
pub(crate) struct Vocabulary {
    known: Mutex<Known>,
    answered: Condvar,
    wishes: Sender<Wish>,
}

#[derive(Debug, Default)]
struct Known {
    lang: Lang,
    me: String,
    is_owner: bool,
    /// Whether the member is a teacher, in a public room.
    is_teacher: bool,
    /// Whether a lesson runs here.
    is_lesson: bool,
    /// Whose hands are up, the first first.
    hands: Vec<String>,
    /// What each command chooses in the open poll.
    choices: Vec<(String, String)>,
    /// The speakers, the latest first.
    speakers: VecDeque<String>,
    /// The members, if the server has been asked.
    members: Option<Vec<String>>,
    rooms: Vec<String>,
    /// The number of the last answer.
    answers: u64,
}

impl Vocabulary {
    /// An empty vocabulary, and the channel of its questions.
    pub(crate) fn new() -> (Vocabulary, Receiver<Wish>) {
        let (wishes, receiver) = bounded(1);
        let vocabulary = Vocabulary { known: Mutex::default(), answered: Condvar::new(), wishes };
        (vocabulary, receiver)
    }

    /// Notes the room and the client's own name. The other members are not known yet.
    pub(crate) fn enter(&self, me: &str, room: Option<&str>, is_owner: bool) {
        let mut known = self.known.lock();
        known.me = fit(me);
        known.is_owner = is_owner;
        known.members = None;
        known.speakers.clear();
        known.add_rooms(room.map(fit));
    }

    /// Notes the language of the client.
    pub(crate) fn set_lang(&self, lang: Lang) {
        self.known.lock().lang = lang;
    }

    /// Notes whether the member owns the room.
    pub(crate) fn set_owner(&self, is_owner: bool) {
        self.known.lock().is_owner = is_owner;
    }

    /// Notes what goes on in the lesson.
    pub(crate) fn learn_lesson(&self, lesson: &Lesson) {
        let mut known = self.known.lock();
        known.is_teacher = lesson.is_teacher;
        known.is_lesson = lesson.is_running;
        known.hands.clone_from(&lesson.hands);
        known.choices = lesson.choices(known.lang);
    }

    /// Notes that somebody spoke.
    pub(crate) fn spoke(&self, name: &str) {
        let name = fit(name);
        let mut known = self.known.lock();
        known.speakers.retain(|speaker| *speaker != name);
        known.speakers.push_front(name);
        known.speakers.truncate(SPEAKERS);
    }

    /// Notes that somebody joined.
    pub(crate) fn came(&self, name: &str) {
        let name = fit(name);
        let mut known = self.known.lock();
        if let Some(members) = known.members.as_mut()
            && members.len() < MEMBERS
            && !members.contains(&name)
        {
            members.push(name);
        }
    }

    /// Notes that somebody left.
    pub(crate) fn went(&self, name: &str) {
        let name = fit(name);
        let mut known = self.known.lock();
        known.speakers.retain(|speaker| *speaker != name);
        if let Some(members) = &mut known.members {
            members.retain(|member| *member != name);
        }
    }

    /// Notes that somebody has a new name.
    pub(crate) fn renamed(&self, from: &str, to: &str) {
        let (from, to) = (fit(from), fit(to));
        let mut known = self.known.lock();
        if known.me == from {
            known.me.clone_from(&to);
        }
        let Known { speakers, members, .. } = &mut *known;
        for name in speakers.iter_mut().chain(members.iter_mut().flatten()) {
            if *name == from {
                name.clone_from(&to);
            }
        }
    }

    /// Adds members of the room; a long list arrives in several parts.
    pub(crate) fn learn_members<'n>(&self, names: impl Iterator<Item = &'n str>, is_last: bool) {
        let mut known = self.known.lock();
        let members = known.members.get_or_insert_default();
        let space = MEMBERS.saturating_sub(members.len());
        members.extend(names.take(space).map(fit));
        if is_last {
            known.answers += 1;
            self.answered.notify_all();
        }
    }

    /// Begins a new list of members.
    pub(crate) fn forget_members(&self) {
        self.known.lock().members = None;
    }

    /// Adds public rooms; the list may be incomplete.
    pub(crate) fn learn_rooms<'n>(&self, names: impl Iterator<Item = &'n str>, is_last: bool) {
        let mut known = self.known.lock();
        known.add_rooms(names.map(fit));
        if is_last {
            known.answers += 1;
            self.answered.notify_all();
        }
    }

    fn ask(&self, wish: Wish) {
        let mut known = self.known.lock();
        let before = known.answers;
        if self.wishes.try_send(wish).is_err() {
            return;
        }
        self.answered.wait_while_for(&mut known, |known| known.answers == before, PATIENCE);
    }
}

impl Source for Vocabulary {
    /// A message that is too long would not be sent, so the person is warned while typing.
    fn objection(&self, line: &str) -> Option<String> {
        let longest = line.lines().map(|line| letters_beyond(line, LINE_BYTES)).max();
        let letters = letters_beyond(line, MESSAGE_BYTES).max(longest.unwrap_or_default());
        (letters > 0).then(|| Words::TooLong { letters }.text(self.known.lock().lang))
    }

    fn may_use(&self, spec: &CommandSpec) -> bool {
        let known = self.known.lock();
        let is_teaching = known.is_teacher && !matches!(spec.name, "/end" | "/owner");
        spec.roles.iter().any(|role| match role {
            Role::Member => true,
            Role::Pupil => known.is_lesson || spec.name == "/teach",
            Role::Owner => known.is_owner || is_teaching,
            Role::Teacher => known.is_teacher,
            Role::Operator => false,
        })
    }

    fn teaches(&self) -> bool {
        self.known.lock().is_teacher
    }

    fn hands(&self) -> Vec<String> {
        self.known.lock().hands.clone()
    }

    fn choice(&self, command: &str) -> Option<String> {
        let known = self.known.lock();
        let choice = known.choices.iter().find(|(it, _)| it == command);
        choice.map(|(_, choice)| choice.clone())
    }

    /// Blocks for at most [`PATIENCE`] if the server has to be asked first.
    fn names(&self) -> Vec<String> {
        if self.known.lock().members.is_none() {
            self.ask(Wish::Members);
        }
        self.known.lock().names().map(str::to_owned).collect()
    }

    /// Asks the server, and blocks for at most [`PATIENCE`].
    fn rooms(&self) -> Vec<String> {
        self.ask(Wish::Rooms);
        self.known.lock().rooms.clone()
    }
}

impl Known {
    fn add_rooms(&mut self, rooms: impl IntoIterator<Item = String>) {
        let space = ROOMS.saturating_sub(self.rooms.len());
        self.rooms.extend(rooms.into_iter().take(space));
        self.rooms.sort_unstable();
        self.rooms.dedup();
    }

    /// All other members, the latest speaker first.
    fn names(&self) -> impl Iterator<Item = &str> {
        let silent = self.members.iter().flatten().filter(|name| !self.speakers.contains(name));
        self.speakers.iter().chain(silent).map(String::as_str).filter(|name| *name != self.me)
    }
}

/// How many letters at the end of a text have to go so that `limit` bytes are left at most.
fn letters_beyond(text: &str, limit: usize) -> usize {
    let surplus = text.len().saturating_sub(limit);
    let mut bytes = 0;
    let is_surplus = |c: &char| {
        let is_surplus = bytes < surplus;
        bytes += c.len_utf8();
        is_surplus
    };
    text.chars().rev().take_while(is_surplus).count()
}

/// A name from a server, if it is safe to be shown and typed.
fn fit(name: &str) -> String {
    sanitize_label(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_reported_in_letters() {
        let (vocabulary, _wishes) = Vocabulary::new();
        vocabulary.set_lang(Lang::En);
        let line = "가".repeat(LINE_BYTES / 3);
        let lines = format!("{}\n", "x".repeat(LINE_BYTES - 1)).repeat(4);
        assert_eq!(lines.len(), MESSAGE_BYTES);
        for (fits, more, told) in [
            (&line, "나다a", "3 letters too long"),
            (&line, "aa", "1 letter too long"),
            (&lines, "하나", "2 letters too long"),
        ] {
            assert_eq!(vocabulary.objection(fits), None);
            assert_eq!(vocabulary.objection(&format!("{fits}{more}")).as_deref(), Some(told));
        }
    }

    #[test]
    fn the_latest_speaker_comes_first_and_the_user_never() {
        let (vocabulary, _wishes) = Vocabulary::new();
        vocabulary.enter("me", Some("lobby"), false);
        let members = ["alina", "me", "alice", "앨리스", "bob"];
        vocabulary.learn_members(members.into_iter(), true);
        vocabulary.spoke("alice");
        vocabulary.spoke("bob");
        assert_eq!(vocabulary.names(), ["bob", "alice", "alina", "앨리스"]);
    }

    #[test]
    fn the_owner_of_a_room_may_use_more() {
        let (vocabulary, _wishes) = Vocabulary::new();
        let may = |name| CommandSpec::find(name).is_some_and(|spec| vocabulary.may_use(spec));
        assert!(may("/who") && !may("/kick") && !may("/stop"));
        vocabulary.set_owner(true);
        assert!(may("/who") && may("/kick") && !may("/stop"));
    }

    #[test]
    fn names_are_fit_for_a_terminal_before_they_get_there() {
        let (vocabulary, _wishes) = Vocabulary::new();
        vocabulary.learn_members(["a\u{1b}[2Jb\n"].into_iter(), true);
        vocabulary.spoke("a\u{9b}31mc");
        vocabulary.came("a\u{7}d");
        assert_eq!(vocabulary.names(), ["ac", "ab", "ad"]);
    }

    #[test]
    fn no_server_fills_memory_with_names() {
        let (vocabulary, _wishes) = Vocabulary::new();
        for part in 0..5 {
            let names: Vec<String> = (0..8_000).map(|name| format!("n{part}-{name}")).collect();
            vocabulary.learn_members(names.iter().map(String::as_str), false);
            vocabulary.learn_rooms(names.iter().map(String::as_str), false);
        }
        vocabulary.came("one-more");
        vocabulary.enter("me", Some("one-more"), false);
        assert!(vocabulary.known.lock().rooms.len() <= ROOMS);
        let names: Vec<String> = (0..MEMBERS + 1).map(|name| format!("n{name}")).collect();
        vocabulary.learn_members(names.iter().map(String::as_str), true);
        vocabulary.came("one-more");
        assert_eq!(vocabulary.known.lock().members.as_ref().map(Vec::len), Some(MEMBERS));
    }

    #[test]
    fn unknown_names_are_requested_with_a_short_wait() {
        let (vocabulary, wishes) = Vocabulary::new();
        assert!(vocabulary.names().is_empty());
        assert_eq!(wishes.try_recv(), Ok(Wish::Members));
        assert!(vocabulary.rooms().is_empty());
        assert_eq!(wishes.try_recv(), Ok(Wish::Rooms));
    }
}
