//! What Tab completes and what stands dimmed behind the cursor: commands from the
//! protocol's table, names with the latest speaker first, rooms.
//!
//! The vocabulary is filled by the main thread and read by the editor's. Who is here
//! and which rooms there are is asked when Tab needs it, not before.

use std::{collections::VecDeque, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded};
use madang_protocol::{
    command::{COMMANDS, CommandSpec, Role},
    sanitize::sanitize_label,
};
use parking_lot::{Condvar, Mutex};
use unicode_normalization::UnicodeNormalization as _;

use crate::layout::columns_of;

/// How long a completion waits for the server.
const PATIENCE: Duration = Duration::from_millis(300);

/// Speakers that are remembered.
const SPEAKERS: usize = 200;

/// Members and rooms that are known at the most, whatever a server tells.
const MEMBERS: usize = 20_000;
const ROOMS: usize = 20_000;

/// Names offered where nothing has been typed of one.
const OFFERED_NAMES: usize = 8;

/// What a completion would like the main thread to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Who is in the room.
    Members,
    /// Which rooms there are.
    Rooms,
}

/// One way to complete a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// As the list shows it.
    pub(crate) shown: String,
    /// What takes the place of the word.
    pub(crate) replacement: String,
}

/// What could follow what has been typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) shown: String,
    /// What the right arrow puts there.
    pub(crate) completion: Option<String>,
}

/// The words that are known by now.
pub(crate) struct Vocabulary {
    known: Mutex<Known>,
    answered: Condvar,
    wishes: Sender<Wish>,
}

#[derive(Debug, Default)]
struct Known {
    me: String,
    is_owner: bool,
    /// Who spoke, the latest first.
    speakers: VecDeque<String>,
    /// Who is here, if it has been asked for.
    members: Option<Vec<String>>,
    rooms: Vec<String>,
    /// The last answer's number.
    answers: u64,
    columns: u16,
    rows: u16,
}

impl Vocabulary {
    /// An empty one, and what it will ask.
    pub(crate) fn new() -> (Vocabulary, Receiver<Wish>) {
        let (wishes, receiver) = bounded(1);
        let known = Known { columns: 80, rows: 24, ..Known::default() };
        let vocabulary = Vocabulary { known: Mutex::new(known), answered: Condvar::new(), wishes };
        (vocabulary, receiver)
    }

    /// One is in a room, under a name; who else is there is not known yet.
    pub(crate) fn enter(&self, me: &str, room: Option<&str>, is_owner: bool) {
        let mut known = self.known.lock();
        known.me = fit(me);
        known.is_owner = is_owner;
        known.members = None;
        known.speakers.clear();
        known.add_rooms(room.map(fit));
    }

    /// Whether one owns the room has changed.
    pub(crate) fn set_owner(&self, is_owner: bool) {
        self.known.lock().is_owner = is_owner;
    }

    /// Somebody spoke.
    pub(crate) fn spoke(&self, name: &str) {
        let name = fit(name);
        let mut known = self.known.lock();
        known.speakers.retain(|speaker| *speaker != name);
        known.speakers.push_front(name);
        known.speakers.truncate(SPEAKERS);
    }

    /// Somebody came.
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

    /// Somebody went.
    pub(crate) fn went(&self, name: &str) {
        let name = fit(name);
        let mut known = self.known.lock();
        known.speakers.retain(|speaker| *speaker != name);
        if let Some(members) = &mut known.members {
            members.retain(|member| *member != name);
        }
    }

    /// Somebody has another name.
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

    /// These are the members of the room, or some of them and then others.
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

    /// A list of the members begins.
    pub(crate) fn forget_members(&self) {
        self.known.lock().members = None;
    }

    /// These are the public rooms, or some of them.
    pub(crate) fn learn_rooms<'n>(&self, names: impl Iterator<Item = &'n str>, is_last: bool) {
        let mut known = self.known.lock();
        known.add_rooms(names.map(fit));
        if is_last {
            known.answers += 1;
            self.answered.notify_all();
        }
    }

    /// How much of a list fits on the terminal.
    pub(crate) fn set_dimensions(&self, columns: u16, rows: u16) {
        let mut known = self.known.lock();
        (known.columns, known.rows) = (columns, rows);
    }

    /// Editor: how the word before the cursor could go on: where it begins, and the
    /// candidates. Blocks for at most [`PATIENCE`], to ask the server.
    pub(crate) fn complete(&self, line: &str, cursor: usize) -> (usize, Vec<Candidate>) {
        let (start, kind) = word_at(line, cursor);
        let typed = &line[start..cursor];
        match kind {
            Kind::Name | Kind::Mention if self.known.lock().members.is_none() => {
                self.ask(Wish::Members);
            }
            Kind::Room => self.ask(Wish::Rooms),
            _ => {}
        }
        let known = self.known.lock();
        let mut candidates = known.candidates(kind, typed);
        cut_to_screen(&mut candidates, known.columns, known.rows);
        (start, candidates)
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

impl Known {
    fn add_rooms(&mut self, rooms: impl IntoIterator<Item = String>) {
        let space = ROOMS.saturating_sub(self.rooms.len());
        self.rooms.extend(rooms.into_iter().take(space));
        self.rooms.sort_unstable();
        self.rooms.dedup();
    }

    fn candidates(&self, kind: Kind, typed: &str) -> Vec<Candidate> {
        let begins = |word: &str| folded(word).starts_with(&folded(typed));
        let word =
            |word: &str| Candidate { shown: word.to_owned(), replacement: format!("{word} ") };
        match kind {
            Kind::Command => COMMANDS
                .iter()
                .filter(|spec| self.may_use(spec))
                .filter_map(|spec| command_candidate(spec, typed))
                .collect(),
            Kind::Name => self.names().filter(|name| begins(name)).map(word).collect(),
            Kind::Mention if typed.is_empty() => {
                self.names().take(OFFERED_NAMES).map(word).collect()
            }
            Kind::Mention => match typed.strip_prefix('@') {
                Some(typed) => {
                    let begins = |name: &&str| folded(name).starts_with(&folded(typed));
                    self.names().filter(begins).map(|name| word(&format!("@{name}"))).collect()
                }
                None => self.names().filter(|name| begins(name)).map(word).collect(),
            },
            Kind::Room => self
                .rooms
                .iter()
                .map(String::as_str)
                .filter(|room| begins(room))
                .map(word)
                .collect(),
            Kind::OneOf(words) => words
                .split('|')
                .filter(|choice| !choice.contains(|c: char| c.is_uppercase() || c == '#'))
                .filter(|choice| begins(choice))
                .map(word)
                .collect(),
            Kind::Nothing => Vec::new(),
        }
    }

    fn may_use(&self, spec: &CommandSpec) -> bool {
        spec.roles.contains(&Role::Member) || (self.is_owner && spec.roles.contains(&Role::Owner))
    }

    /// Everyone but oneself, the latest speaker first.
    fn names(&self) -> impl Iterator<Item = &str> {
        let silent = self.members.iter().flatten().filter(|name| !self.speakers.contains(name));
        self.speakers.iter().chain(silent).map(String::as_str).filter(|name| *name != self.me)
    }
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A command with its slash.
    Command,
    /// The name of a person.
    Name,
    /// Something said, in which a name may stand.
    Mention,
    /// A room.
    Room,
    /// One of several words, as the command's arguments have them: `ko|en`.
    OneOf(&'static str),
    /// Something that we know nothing of.
    Nothing,
}

/// Where the word before `cursor` begins, and what it is.
fn word_at(line: &str, cursor: usize) -> (usize, Kind) {
    let before = &line[..cursor];
    let start = before
        .char_indices()
        .rev()
        .find(|(_, c)| c.is_whitespace())
        .map_or(0, |(at, c)| at + c.len_utf8());
    if !before.starts_with('/') || before.starts_with("//") {
        return (start, Kind::Mention);
    }
    if start == 0 {
        return (0, Kind::Command);
    }
    let mut words = before[..start].split_whitespace();
    let Some(spec) = words.next().and_then(find) else {
        return (start, Kind::Nothing);
    };
    let at = words.count();
    (start, spec.arguments.split(' ').nth(at).map_or(Kind::Mention, kind_of))
}

/// What an argument is, by its name in the table: `NAME`, `[ROOM]`, `ko|en`.
fn kind_of(argument: &'static str) -> Kind {
    let argument = argument.trim_start_matches('[').trim_end_matches(']');
    let mut choices = argument.split('|');
    if choices.clone().any(|choice| choice == "NAME") {
        Kind::Name
    } else if choices.clone().any(|choice| choice == "ROOM") {
        Kind::Room
    } else if argument == "CMD" {
        Kind::Command
    } else if choices.any(|choice| choice.starts_with(char::is_lowercase)) {
        Kind::OneOf(argument)
    } else {
        Kind::Mention
    }
}

/// The command of this name, which has its slash.
fn find(name: &str) -> Option<&'static CommandSpec> {
    let name = folded(name);
    COMMANDS.iter().find(|spec| spec.name == name || spec.alias == name)
}

/// By its name, or by its alias where that is what was begun.
fn command_candidate(spec: &'static CommandSpec, typed: &str) -> Option<Candidate> {
    let typed = folded(typed);
    // `/help` takes a command without its slash too.
    let typed = if typed.starts_with('/') { typed } else { format!("/{typed}") };
    let name = [spec.name, spec.alias].into_iter().find(|name| name.starts_with(&typed))?;
    let space = if spec.arguments.is_empty() { "" } else { " " };
    let shown = match typed.as_str() {
        "/" => format!("{} {}", spec.name, spec.alias),
        _ => name.to_owned(),
    };
    Some(Candidate { shown, replacement: format!("{name}{space}") })
}

/// A name as a server gave it, fit to be shown and typed.
fn fit(name: &str) -> String {
    sanitize_label(name).into_owned()
}

/// As words are compared: composed, in small letters.
fn folded(word: &str) -> String {
    word.nfc().collect::<String>().to_lowercase()
}

/// Cuts a list to what the terminal can show without a page that waits for a key.
fn cut_to_screen(candidates: &mut Vec<Candidate>, columns: u16, rows: u16) {
    let widest = |all: &[Candidate]| {
        all.iter().map(|candidate| columns_of(&candidate.shown) + 2).max().unwrap_or(1)
    };
    loop {
        let in_a_row = (usize::from(columns) / widest(candidates)).max(1);
        let room = in_a_row * usize::from(rows.saturating_sub(2)).max(1);
        if candidates.len() <= room {
            return;
        }
        candidates.truncate(room.max(candidates.len() - 1));
    }
}

/// What could follow: the rest of a command that can only be one, and the arguments
/// that it still wants. Nothing while the cursor is not at the end.
pub(crate) fn hint(line: &str, cursor: usize) -> Option<Hint> {
    if cursor != line.len() || !line.starts_with('/') || line.starts_with("//") {
        return None;
    }
    let mut words = line.split_whitespace();
    let command = words.next()?;
    let given = words.count();
    let ends_in_space = line.ends_with(char::is_whitespace);
    if given == 0 && !ends_in_space {
        return hint_for_command(command);
    }
    let arguments: Vec<&str> = find(command)?.arguments.split(' ').collect();
    let missing = arguments.get(given..)?.join(" ");
    if missing.is_empty() {
        return None;
    }
    let space = if ends_in_space { "" } else { " " };
    Some(Hint { shown: format!("{space}{missing}"), completion: None })
}

fn hint_for_command(typed: &str) -> Option<Hint> {
    let typed = folded(typed);
    if let Some(spec) = find(&typed) {
        let shown = format!(" {}", spec.arguments);
        return (!spec.arguments.is_empty()).then_some(Hint { shown, completion: None });
    }
    let names = COMMANDS
        .iter()
        .filter(|spec| !spec.roles.iter().all(|role| *role == Role::Operator))
        .flat_map(|spec| [(spec.name, spec), (spec.alias, spec)]);
    let mut fitting = names.filter(|(name, _)| name.starts_with(&typed) && typed.len() > 1);
    let (name, spec) = fitting.next()?;
    if fitting.next().is_some() {
        return None;
    }
    let rest = &name[typed.len()..];
    let shown = format!("{rest} {}", spec.arguments).trim_end().to_owned();
    Some(Hint { shown, completion: Some(rest.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let (vocabulary, _wishes) = Vocabulary::new();
        vocabulary.enter("me", Some("lobby"), false);
        let members = ["alina", "me", "alice", "앨리스", "bob"];
        vocabulary.learn_members(members.into_iter(), true);
        vocabulary.spoke("alice");
        vocabulary.spoke("bob");
        vocabulary.learn_rooms(["수학", "math"].into_iter(), true);
        vocabulary
    }

    #[track_caller]
    fn check(line: &str, start: usize, expected: &[&str]) {
        let (found, candidates) = vocabulary().complete(line, line.len());
        let replacements: Vec<&str> = candidates.iter().map(|c| &*c.replacement).collect();
        assert_eq!((found, &*replacements), (start, expected), "{line}");
    }

    #[test]
    fn names_are_completed_with_the_latest_speaker_first() {
        check("", 0, &["bob ", "alice ", "alina ", "앨리스 "]);
        check("al", 0, &["alice ", "alina "]);
        check("AL", 0, &["alice ", "alina "]);
        check("hi @al", 3, &["@alice ", "@alina "]);
        check("@", 0, &["@bob ", "@alice ", "@alina ", "@앨리스 "]);
        check("안녕 앨", 7, &["앨리스 "]);
        // Decomposed, as a Mac's keyboard may send it.
        check("\u{110b}\u{1162}\u{11af}", 0, &["앨리스 "]);
        check("m", 0, &[]);
        check("/msg b", 5, &["bob "]);
        check("/귓 앨", 5, &["앨리스 "]);
        check("/msg bob al", 9, &["alice ", "alina "]);
    }

    #[test]
    fn commands_are_completed_by_both_their_names() {
        check("/wh", 0, &["/who ", "/whois "]);
        check("/누", 0, &["/누구 "]);
        check("/help /wh", 6, &["/who ", "/whois "]);
        check("/nosuch x", 8, &[]);
        check("//wh", 0, &[]);
        let (_, all) = vocabulary().complete("/", 1);
        assert!(all.iter().any(|candidate| candidate.shown == "/who /누구"), "{all:?}");
        let all: Vec<&str> = all.iter().map(|candidate| candidate.replacement.trim()).collect();
        assert!(!all.contains(&"/kick") && !all.contains(&"/stop"), "{all:?}");
        let owner = vocabulary();
        owner.set_owner(true);
        assert_eq!(owner.complete("/ki", 3).1[0].replacement, "/kick ");
    }

    #[test]
    fn arguments_are_completed_by_what_they_are() {
        check("/join m", 6, &["math "]);
        check("/방 수", 5, &["수학 "]);
        check("/lang ", 6, &["ko ", "en "]);
        check("/lang e", 6, &["en "]);
        check("/invite ", 8, &["qr "]);
        check("/history ", 9, &["bob ", "alice ", "alina ", "앨리스 "]);
    }

    #[test]
    fn a_list_is_cut_to_the_screen() {
        let (vocabulary, _wishes) = Vocabulary::new();
        let names: Vec<String> =
            (0..500).map(|number| format!("a-rather-long-name-{number}")).collect();
        vocabulary.learn_members(names.iter().map(String::as_str), true);
        vocabulary.set_dimensions(40, 10);
        assert_eq!(vocabulary.complete("a", 1).1.len(), 8);
        vocabulary.set_dimensions(80, 24);
        assert_eq!(vocabulary.complete("a", 1).1.len(), 66);
    }

    #[test]
    fn names_are_fit_for_a_terminal_before_they_get_there() {
        let (vocabulary, _wishes) = Vocabulary::new();
        vocabulary.learn_members(["a\u{1b}[2Jb\n"].into_iter(), true);
        vocabulary.spoke("a\u{9b}31mc");
        vocabulary.came("a\u{7}d");
        let (_, candidates) = vocabulary.complete("a", 1);
        let replacements: Vec<String> = candidates.into_iter().map(|c| c.replacement).collect();
        assert_eq!(replacements, ["ac ", "ab ", "ad "]);
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
    fn what_is_not_known_is_asked_for_and_not_waited_for_long() {
        let (vocabulary, wishes) = Vocabulary::new();
        assert_eq!(vocabulary.complete("a", 1), (0, Vec::new()));
        assert_eq!(wishes.try_recv(), Ok(Wish::Members));
        assert_eq!(vocabulary.complete("/join m", 7), (6, Vec::new()));
        assert_eq!(wishes.try_recv(), Ok(Wish::Rooms));
    }

    #[test]
    fn hints_tell_what_is_missing() {
        #[track_caller]
        fn check(line: &str, shown: Option<&str>) {
            let hint = hint(line, line.len());
            assert_eq!(hint.as_ref().map(|hint| &*hint.shown), shown, "{line}");
        }
        check("/msg", Some(" NAME TEXT"));
        check("/msg ", Some("NAME TEXT"));
        check("/msg bob", Some(" TEXT"));
        check("/msg bob ", Some("TEXT"));
        check("/msg bob hi", None);
        check("/귓 ", Some("NAME TEXT"));
        check("/wh", None);
        check("/top", Some("ic [TEXT]"));
        check("/", None);
        check("hello", None);
        check("//msg", None);
        check("/sto", None);
        assert_eq!(super::hint("/msg", 2), None);
        assert_eq!(super::hint("/top", 4).and_then(|hint| hint.completion).as_deref(), Some("ic"));
    }
}
