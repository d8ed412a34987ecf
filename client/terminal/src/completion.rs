//! Tab completion, and the dimmed hint after the cursor: commands from the protocol's table,
//! and the names and rooms that a [`Source`] knows.

use madang_protocol::{
    command::{COMMANDS, CommandSpec},
    text::Lang,
};
use rustyline::GraphemeClusterMode;
use unicode_normalization::UnicodeNormalization as _;

use crate::layout::columns_of;

/// How many names are offered before any letter of one is typed.
const OFFERED_NAMES: usize = 8;

/// What a teacher may do with the open poll, in Korean and in English.
const OF_POLL: [&str; 6] = ["공개", "끝", "취소", "show", "end", "cancel"];

/// The names and rooms that can complete a word; all are safe for a terminal.
pub trait Source: Send + Sync {
    /// Whether the person typing may use this command.
    fn may_use(&self, spec: &CommandSpec) -> bool;

    /// The people in the room, the likeliest first. May block for a moment.
    fn names(&self) -> Vec<String>;

    /// The rooms. May block for a moment.
    fn rooms(&self) -> Vec<String>;

    /// Whether the person typing is a teacher.
    fn teaches(&self) -> bool {
        false
    }

    /// The people whose hands are up, the first first.
    fn hands(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the command with this name would choose in the open poll, if one is open.
    fn choice(&self, _command: &str) -> Option<String> {
        None
    }

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
        Kind::Hand => {
            let hands = source.hands();
            let others = source.names().into_iter().filter(|name| !hands.contains(name));
            hands.iter().cloned().chain(others).filter(begins).map(word).collect()
        }
        Kind::Room => source.rooms().into_iter().filter(begins).map(word).collect(),
        Kind::OneOf(words) => {
            words.into_iter().map(str::to_owned).filter(begins).map(word).collect()
        }
        Kind::OfPoll(lang) => {
            let has_poll = source.teaches() && source.choice("/1").is_some();
            let (korean, english) = OF_POLL.split_at(OF_POLL.len() / 2);
            let words = if lang == Lang::Ko { korean } else { english };
            let words = words.iter().filter(|_| has_poll).map(|word| (*word).to_owned());
            words.filter(begins).map(word).collect()
        }
        Kind::Nothing => Vec::new(),
    };
    (start, candidates)
}

/// The kind of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A command with its slash.
    Command,
    /// The name of a person.
    Name,
    /// Text, which may contain a name.
    Mention,
    /// A room.
    Room,
    /// The name of a person, most likely of one whose hand is up.
    Hand,
    /// One of several words, such as `한국어|영어`.
    OneOf(Vec<&'static str>),
    /// What a teacher does with the open poll.
    OfPoll(Lang),
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
    (start, kind_of(spec, lang, words.count()))
}

/// The kind of the argument at `at`, by its name in the table: `NAME`, `[방]`, `ko|en`.
fn kind_of(spec: &'static CommandSpec, lang: Lang, at: usize) -> Kind {
    let [shown, choices] = [lang, Lang::En].map(|lang| argument_at(spec.arguments(lang), at));
    let is_one_of = |name: &str| choices.contains(&name);
    let is_made_up = |choice: &str| choice.contains(|c: char| c.is_uppercase() || c == '#');
    match spec.name {
        "/call" if at == 0 => Kind::Hand,
        "/poll" if at == 0 => Kind::OfPoll(lang),
        _ if is_one_of("NAME") => Kind::Name,
        _ if is_one_of("ROOM") => Kind::Room,
        _ if is_one_of("CMD") => Kind::Command,
        _ if is_one_of("N") || is_one_of("CODE") => Kind::Nothing,
        _ if choices.iter().any(|choice| !choice.is_empty() && !is_made_up(choice)) => {
            let to_type = shown.into_iter().zip(choices).filter(|(_, choice)| !is_made_up(choice));
            Kind::OneOf(to_type.map(|(word, _)| word).collect())
        }
        _ => Kind::Mention,
    }
}

/// The arguments, and the word that may stand in place of all of them: `off` in
/// `5m [TEXT]|off`.
fn either(arguments: &str) -> (&str, Option<&str>) {
    match arguments.rsplit_once('|') {
        Some((arguments, instead)) if arguments.ends_with(']') => (arguments, Some(instead)),
        _ => (arguments, None),
    }
}

/// What may stand there: of `5m [TEXT]|off`, first `5m` or `off`, then `TEXT`.
fn argument_at(arguments: &'static str, at: usize) -> Vec<&'static str> {
    let (arguments, instead) = either(arguments);
    let choices = arguments.split(' ').nth(at).into_iter();
    let choices = choices.flat_map(|argument| argument.trim_matches(['[', ']']).split('|'));
    choices.chain(instead.filter(|_| at == 0)).collect()
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

/// Ends a list with that many empty rows. Below a list, the editor clears the rows that its line
/// takes besides one, as if the line still stood there.
pub(crate) fn end_with_rows(candidates: &mut [Candidate], columns: u16, rows: u16) {
    if candidates.len() < 2 {
        // It is no list.
        return;
    }
    // The rows are counted to the width of a name, which may make the columns fewer.
    for _ in 0..=candidates.len() {
        let last = last_shown(candidates, columns);
        if candidates[last].shown.ends_with('\n') || rows == 0 {
            return;
        }
        for candidate in &mut *candidates {
            candidate.shown.truncate(candidate.shown.trim_end_matches('\n').len());
        }
        candidates[last].shown.extend(std::iter::repeat_n('\n', rows.into()));
    }
}

/// The last candidate of the list's last row: the editor fills column after column.
fn last_shown(candidates: &[Candidate], columns: u16) -> usize {
    let mode = GraphemeClusterMode::from_env();
    let widest = candidates.iter().map(|candidate| mode.width(&candidate.shown)).max();
    let in_a_row = columns / widest.unwrap_or(0).saturating_add(2).min(columns).max(1);
    let rows = candidates.len().div_ceil(usize::from(in_a_row).max(1));
    candidates.len() / rows * rows - 1
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
    let all = arguments_for(source, spec, lang);
    let (arguments, instead) = either(all);
    let first = line.split_whitespace().nth(1);
    let is_keyword = |word| spec.name == "/poll" && OF_POLL.contains(&word);
    let missing = match first {
        None => all.to_owned(),
        Some(word) if instead == Some(word) || is_keyword(word) => return None,
        Some(_) => arguments.split(' ').skip(given).collect::<Vec<_>>().join(" "),
    };
    if missing.is_empty() {
        return None;
    }
    let space = if ends_in_space { "" } else { " " };
    Some(Hint { shown: format!("{space}{missing}"), completion: None })
}

fn hint_for_command(source: &dyn Source, typed: &str) -> Option<Hint> {
    let typed = folded(typed);
    if let Some((spec, lang)) = find(&typed).filter(|(spec, _)| source.may_use(spec)) {
        if let Some(choice) = source.choice(spec.name) {
            return Some(Hint { shown: format!("  {choice}"), completion: None });
        }
        let arguments = arguments_for(source, spec, lang);
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
    let shown = format!("{rest} {}", arguments_for(source, spec, lang)).trim_end().to_owned();
    Some(Hint { shown, completion: Some(rest.to_owned()) })
}

/// The arguments that the person typing may give: only teachers open polls.
fn arguments_for(source: &dyn Source, spec: &CommandSpec, lang: Lang) -> &'static str {
    match spec.name {
        "/poll" if !source.teaches() => "",
        _ => spec.arguments(lang),
    }
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
        check("/invite ", 8, &["qr ", "words "]);
        check("/history ", 9, &[]);
        check("/지난말 ", "/지난말 ".len(), &[]);
        // A search may be for a person's name.
        check("/search al", 8, &["alice ", "alina "]);
        check("/찾기 앨", "/찾기 ".len(), &["앨리스 "]);
    }

    #[test]
    fn new_names_are_not_completed() {
        for line in ["/history ", "/지난말 ", "/show ", "/질문공개 ", "/teach ", "/교사 "]
        {
            let (_, candidates) = complete(&Teacher, line, line.len());
            assert_eq!(candidates, [], "{line}");
        }
        // Both languages of a row have the same form.
        for spec in COMMANDS {
            for at in 0..4 {
                let [ko, en] =
                    [Lang::Ko, Lang::En].map(|lang| argument_at(spec.arguments(lang), at).len());
                assert_eq!(ko, en, "{} at {at}", spec.name);
            }
        }
    }

    /// A teacher with an open poll, to whom two hands are up.
    struct Teacher;

    impl Source for Teacher {
        fn may_use(&self, spec: &CommandSpec) -> bool {
            !spec.roles.contains(&Role::Operator) || spec.roles.contains(&Role::Teacher)
        }

        fn names(&self) -> Vec<String> {
            ["bob", "alice", "철수"].map(String::from).to_vec()
        }

        fn rooms(&self) -> Vec<String> {
            Vec::new()
        }

        fn teaches(&self) -> bool {
            true
        }

        fn hands(&self) -> Vec<String> {
            ["철수", "alice"].map(String::from).to_vec()
        }

        fn choice(&self, command: &str) -> Option<String> {
            (command == "/1").then(|| "김밥".to_owned())
        }
    }

    #[test]
    fn a_lesson_is_completed_by_what_goes_on_in_it() {
        #[track_caller]
        fn check(source: &dyn Source, line: &str, expected: &[&str]) {
            let (_, candidates) = complete(source, line, line.len());
            let shown: Vec<&str> = candidates.iter().map(|c| &*c.shown).collect();
            assert_eq!(shown, expected, "{line}");
        }
        // Raised hands first, in their order.
        check(&Teacher, "/call ", &["철수", "alice", "bob"]);
        check(&Teacher, "/호명 ", &["철수", "alice", "bob"]);
        check(&Teacher, "/call a", &["alice"]);
        check(&Teacher, "/lesson ", &["end"]);
        check(&Teacher, "/수업 ", &["끝"]);
        check(&Teacher, "/hand ", &["down"]);
        check(&Teacher, "/손 ", &["내리기"]);
        check(&Teacher, "/손목록 ", &["비우기"]);
        check(&Teacher, "/poll ", &["show", "end", "cancel"]);
        check(&Teacher, "/투표 ", &["공개", "끝", "취소"]);
        check(&MEMBER, "/poll ", &[]);
        check(&Teacher, "/slow ", &["10s", "off"]);
        check(&Teacher, "/듣기 ", &["켜기", "끄기"]);
        check(&Teacher, "/timer ", &["5m", "off"]);
        check(&Teacher, "/타이머 ", &["5분", "끄기"]);
        check(&Teacher, "/timer 5m a", &["alice"]);
        let hint = |source, line: &str| super::hint(source, line, line.len()).map(|it| it.shown);
        assert_eq!(hint(&Teacher, "/1").as_deref(), Some("  김밥"));
        assert_eq!(hint(&Teacher, "/2"), None);
        assert_eq!(hint(&Teacher, "/poll").as_deref(), Some(" Q / A / B"));
        assert_eq!(hint(&Teacher, "/poll end"), None);
        assert_eq!(hint(&Teacher, "/timer ").as_deref(), Some("5m [TEXT]|off"));
        assert_eq!(hint(&Teacher, "/timer 5m").as_deref(), Some(" [TEXT]"));
        assert_eq!(hint(&Teacher, "/타이머 끄기"), None);
        assert_eq!(hint(&Known(Role::Pupil), "/poll"), None);
        assert_eq!(hint(&Known(Role::Pupil), "/질문").as_deref(), Some(" 질문"));
        assert_eq!(hint(&Known(Role::Pupil), "/손").as_deref(), Some(" [질문|내리기]"));
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
    fn a_list_ends_with_the_rows_that_are_cleared_below_it() {
        #[track_caller]
        fn check(names: &[&str], columns: u16, last: usize) {
            let candidate =
                |name: &&str| Candidate { shown: (*name).into(), replacement: (*name).into() };
            let mut candidates: Vec<Candidate> = names.iter().map(candidate).collect();
            end_with_rows(&mut candidates, columns, 2);
            let ends = candidates.iter().map(|candidate| candidate.shown.ends_with("\n\n"));
            let ends: Vec<usize> =
                ends.enumerate().filter(|(_, is)| *is).map(|(at, _)| at).collect();
            assert_eq!(ends, [last], "{names:?} in {columns} columns");
        }
        // One row; three of two, filled column by column; one name a row.
        check(&["bob", "철수", "alice"], 80, 2);
        check(&["bob", "eve", "amy", "kim", "lee"], 14, 2);
        check(&["bob", "eve", "amy", "kim"], 14, 3);
        check(&["bob", "eve", "amy"], 5, 2);
        let mut one = vec![Candidate { shown: "bob".into(), replacement: "bob".into() }];
        end_with_rows(&mut one, 80, 2);
        assert_eq!(one[0].shown, "bob");
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
