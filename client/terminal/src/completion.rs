//! Tab completion, and the dimmed hint after the cursor: commands from the protocol's table,
//! and the names and rooms that a [`Source`] knows.

use madang_protocol::{
    command::{COMMANDS, CommandSpec},
    text::Lang,
};
use unicode_normalization::UnicodeNormalization as _;

use crate::layout::columns_of;

/// How many names are offered before any letter of one is typed.
const OFFERED_NAMES: usize = 8;

/// The names and rooms that can complete a word; all are safe for a terminal.
pub trait Source: Send + Sync {
    /// Whether the person typing may use this command.
    fn may_use(&self, spec: &CommandSpec) -> bool;

    /// The people in the room, the likeliest first. May block for a moment.
    fn names(&self) -> Vec<String>;

    /// The rooms. May block for a moment.
    fn rooms(&self) -> Vec<String>;

    /// What is wrong with a line as far as it has been typed, in a few words.
    fn objection(&self, _line: &str) -> Option<String> {
        None
    }
}

/// One way to complete a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The text in the list.
    pub shown: String,
    /// The text that replaces the word.
    pub replacement: String,
}

/// A hint: text that could follow the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The text shown.
    pub shown: String,
    /// The text that the right arrow inserts.
    pub completion: Option<String>,
}

/// Where the word before the cursor begins, and its completions.
pub fn complete(source: &dyn Source, line: &str, cursor: usize) -> (usize, Vec<Candidate>) {
    let (start, kind) = word_at(line, cursor);
    let typed = &line[start..cursor];
    let begins = |word: &String| folded(word).starts_with(&folded(typed));
    let word = |word: String| Candidate { replacement: format!("{word} "), shown: word };
    let candidates = match kind {
        Kind::Command => COMMANDS
            .iter()
            .filter(|spec| source.may_use(spec))
            .filter_map(|spec| command_candidate(spec, typed))
            .collect(),
        Kind::Mention if typed.is_empty() => {
            source.names().into_iter().take(OFFERED_NAMES).map(word).collect()
        }
        Kind::Mention if typed.starts_with('@') => {
            let names = source.names().into_iter().map(|name| format!("@{name}"));
            names.filter(begins).map(word).collect()
        }
        Kind::Name | Kind::Mention => source.names().into_iter().filter(begins).map(word).collect(),
        Kind::Room => source.rooms().into_iter().filter(begins).map(word).collect(),
        Kind::OneOf(words) => words
            .split('|')
            .filter(|choice| !choice.contains(|c: char| c.is_uppercase() || c == '#'))
            .map(str::to_owned)
            .filter(begins)
            .map(word)
            .collect(),
        Kind::Nothing => Vec::new(),
    };
    (start, candidates)
}

/// The kind of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A command with its slash.
    Command,
    /// The name of a person.
    Name,
    /// Text, which may contain a name.
    Mention,
    /// A room.
    Room,
    /// One of several words, such as `ko|en`.
    OneOf(&'static str),
    /// Anything else.
    Nothing,
}

/// Where the word before `cursor` begins, and its kind.
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
    let Some((spec, lang)) = words.next().and_then(find) else {
        return (start, Kind::Nothing);
    };
    let at = words.count();
    (start, spec.arguments(lang).split(' ').nth(at).map_or(Kind::Mention, kind_of))
}

/// The kind of an argument, by its name in the table: `NAME`, `[방]`, `ko|en`.
fn kind_of(argument: &'static str) -> Kind {
    let argument = argument.trim_start_matches('[').trim_end_matches(']');
    let choices = || argument.split('|');
    let is_one_of = |names: [&str; 2]| choices().any(|choice| names.contains(&choice));
    let is_to_type = |choice: &str| choice.starts_with(char::is_lowercase);
    if is_one_of(["NAME", "이름"]) {
        Kind::Name
    } else if is_one_of(["ROOM", "방"]) {
        Kind::Room
    } else if is_one_of(["CMD", "명령"]) {
        Kind::Command
    } else if is_one_of(["N", "개수"]) {
        Kind::Nothing
    } else if choices().any(is_to_type) || choices().count() > 1 {
        Kind::OneOf(argument)
    } else {
        Kind::Mention
    }
}

/// The command with this name, slash included, and the language of the name.
fn find(name: &str) -> Option<(&'static CommandSpec, Lang)> {
    let name = folded(name);
    let has_name = |spec: &'static CommandSpec| {
        [Lang::En, Lang::Ko].into_iter().find(|lang| spec.name_in(*lang) == name)
    };
    COMMANDS.iter().find_map(|spec| Some((spec, has_name(spec)?)))
}

/// Its name, or its alias if that is what was typed.
fn command_candidate(spec: &'static CommandSpec, typed: &str) -> Option<Candidate> {
    let typed = folded(typed);
    // `/help` takes a command without its slash too.
    let typed = if typed.starts_with('/') { typed } else { format!("/{typed}") };
    let name = [spec.name, spec.alias].into_iter().find(|name| name.starts_with(&typed))?;
    let space = if spec.arguments(Lang::En).is_empty() { "" } else { " " };
    let shown = match typed.as_str() {
        "/" => format!("{} {}", spec.name, spec.alias),
        _ => name.to_owned(),
    };
    Some(Candidate { shown, replacement: format!("{name}{space}") })
}

/// The form in which words are compared: NFC, lower case.
fn folded(word: &str) -> String {
    word.nfc().collect::<String>().to_lowercase()
}

/// Shortens a list to what the terminal can show on one page.
pub(crate) fn cut_to_screen(candidates: &mut Vec<Candidate>, columns: u16, rows: u16) {
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

/// The hint: the rest of an unambiguous command, and the arguments that it still needs. None if
/// the cursor is not at the end.
pub fn hint(source: &dyn Source, line: &str, cursor: usize) -> Option<Hint> {
    if let Some(objection) = source.objection(line).filter(|_| cursor == line.len()) {
        return Some(Hint { shown: format!("  {objection}"), completion: None });
    }
    if cursor != line.len() || !line.starts_with('/') || line.starts_with("//") {
        return None;
    }
    let mut words = line.split_whitespace();
    let command = words.next()?;
    let given = words.count();
    let ends_in_space = line.ends_with(char::is_whitespace);
    if given == 0 && !ends_in_space {
        return hint_for_command(source, command);
    }
    let (spec, lang) = find(command).filter(|(spec, _)| source.may_use(spec))?;
    let arguments: Vec<&str> = spec.arguments(lang).split(' ').collect();
    let missing = arguments.get(given..)?.join(" ");
    if missing.is_empty() {
        return None;
    }
    let space = if ends_in_space { "" } else { " " };
    Some(Hint { shown: format!("{space}{missing}"), completion: None })
}

fn hint_for_command(source: &dyn Source, typed: &str) -> Option<Hint> {
    let typed = folded(typed);
    if let Some((spec, lang)) = find(&typed).filter(|(spec, _)| source.may_use(spec)) {
        let arguments = spec.arguments(lang);
        let shown = format!(" {arguments}");
        return (!arguments.is_empty()).then_some(Hint { shown, completion: None });
    }
    let names = COMMANDS
        .iter()
        .filter(|spec| source.may_use(spec))
        .flat_map(|spec| [Lang::En, Lang::Ko].map(|lang| (spec, lang)));
    let mut fitting =
        names.filter(|(spec, lang)| spec.name_in(*lang).starts_with(&typed) && typed.len() > 1);
    let (spec, lang) = fitting.next()?;
    if fitting.next().is_some() {
        return None;
    }
    let rest = &spec.name_in(lang)[typed.len()..];
    let shown = format!("{rest} {}", spec.arguments(lang)).trim_end().to_owned();
    Some(Hint { shown, completion: Some(rest.to_owned()) })
}

#[cfg(test)]
mod tests {
    use madang_protocol::command::Role;

    use super::*;

    struct Known(Role);

    impl Source for Known {
        fn may_use(&self, spec: &CommandSpec) -> bool {
            spec.roles.contains(&self.0)
        }

        fn names(&self) -> Vec<String> {
            ["bob", "alice", "alina", "앨리스"].map(String::from).to_vec()
        }

        fn rooms(&self) -> Vec<String> {
            ["math", "수학"].map(String::from).to_vec()
        }
    }

    const MEMBER: Known = Known(Role::Member);

    #[track_caller]
    fn check(line: &str, start: usize, expected: &[&str]) {
        let (found, candidates) = complete(&MEMBER, line, line.len());
        let replacements: Vec<&str> = candidates.iter().map(|c| &*c.replacement).collect();
        assert_eq!((found, &*replacements), (start, expected), "{line}");
    }

    #[test]
    fn names_are_completed_in_their_order() {
        check("", 0, &["bob ", "alice ", "alina ", "앨리스 "]);
        check("al", 0, &["alice ", "alina "]);
        check("AL", 0, &["alice ", "alina "]);
        check("hi @al", 3, &["@alice ", "@alina "]);
        check("@", 0, &["@bob ", "@alice ", "@alina ", "@앨리스 "]);
        check("안녕 앨", 7, &["앨리스 "]);
        // NFD, as a Mac's keyboard may send it.
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
        let (_, all) = complete(&MEMBER, "/", 1);
        assert!(all.iter().any(|candidate| candidate.shown == "/who /누구"), "{all:?}");
        let all: Vec<&str> = all.iter().map(|candidate| candidate.replacement.trim()).collect();
        assert!(!all.contains(&"/kick") && !all.contains(&"/stop"), "{all:?}");
        check("/sea", 0, &["/search "]);
        check("/찾", 0, &["/찾기 "]);
        let (_, operators) = complete(&Known(Role::Operator), "/st", 3);
        assert_eq!(operators[0].replacement, "/stop");
    }

    #[test]
    fn arguments_are_completed_by_their_kind() {
        check("/join m", 6, &["math "]);
        check("/방 수", 5, &["수학 "]);
        check("/lang ", 6, &["ko ", "en "]);
        check("/lang e", 6, &["en "]);
        check("/invite ", 8, &["qr "]);
        check("/history ", 9, &[]);
        check("/지난말 ", "/지난말 ".len(), &[]);
        // A search may be for a person's name.
        check("/search al", 8, &["alice ", "alina "]);
        check("/찾기 앨", "/찾기 ".len(), &["앨리스 "]);
    }

    #[test]
    fn new_names_are_not_completed() {
        for argument in ["N", "[N]", "[개수]", "[N|WHEN]", "[개수|언제]"] {
            assert_eq!(kind_of(argument), Kind::Nothing, "{argument}");
        }
        assert_eq!(kind_of("[txt|html|jsonl]"), Kind::OneOf("txt|html|jsonl"));
    }

    #[test]
    fn a_list_is_cut_to_the_screen() {
        let names = (0..500).map(|number| format!("a-rather-long-name-{number}"));
        let all: Vec<Candidate> =
            names.map(|name| Candidate { shown: name.clone(), replacement: name }).collect();
        for (columns, rows, expected) in [(40, 10, 8), (80, 24, 66)] {
            let mut candidates = all.clone();
            cut_to_screen(&mut candidates, columns, rows);
            assert_eq!(candidates.len(), expected);
        }
    }

    #[test]
    fn hints_show_the_missing_arguments() {
        #[track_caller]
        fn check(line: &str, shown: Option<&str>) {
            let hint = hint(&MEMBER, line, line.len());
            assert_eq!(hint.as_ref().map(|hint| &*hint.shown), shown, "{line}");
        }
        check("/msg", Some(" NAME TEXT"));
        check("/msg ", Some("NAME TEXT"));
        check("/msg bob", Some(" TEXT"));
        check("/msg bob ", Some("TEXT"));
        check("/msg bob hi", None);
        check("/귓 ", Some("이름 말"));
        check("/sea", Some("rch [WORDS]"));
        check("/찾기", Some(" [낱말]"));
        check("/wh", None);
        check("/top", Some("ic [TEXT]"));
        check("/", None);
        check("hello", None);
        check("//msg", None);
        check("/sto", None);
        check("/stop", None);
        assert_eq!(super::hint(&MEMBER, "/msg", 2), None);
        assert_eq!(
            super::hint(&MEMBER, "/top", 4).and_then(|hint| hint.completion).as_deref(),
            Some("ic")
        );
    }
}
