//! The specification in the README is complete: its tables name every type, field, code,
//! reason and limit that the sources define, and no other; its examples are what is sent.

use std::collections::{BTreeMap, BTreeSet};

use madang_protocol::{
    event::{Event, ServerMessage, write_json_line},
    request::Request,
    text::{Lang, LineEnd, write_event},
};

const README: &str = include_str!("../README.md");
const REQUEST: &str = include_str!("../src/request.rs");
const EVENT: &str = include_str!("../src/event.rs");
const SERVER_MESSAGE: &str = include_str!("../src/event/server_message.rs");
const WIRE: &str = include_str!("../src/event/wire.rs");
const LESSON: &str = include_str!("../src/event/lesson.rs");
const LESSON_NOTICE: &str = include_str!("../src/notice/lesson.rs");
const NOTICE: &str = include_str!("../src/notice/code.rs");
const GOODBYE: &str = include_str!("../src/notice/goodbye.rs");
const NAME: &str = include_str!("../src/name.rs");
const FOREIGN: &str = include_str!("../src/foreign.rs");
const LIMITS: &str = include_str!("../src/limits.rs");

/// Each field, and whether it may be missing.
type Fields = BTreeMap<String, bool>;

/// The JSON examples behind `arrow`.
fn examples(arrow: &str) -> impl Iterator<Item = &'static str> {
    let before = format!("{arrow} ");
    README
        .lines()
        .filter_map(move |line| line.strip_prefix(&before).filter(|json| json.starts_with('{')))
}

/// The section under `heading`, up to the next heading.
#[track_caller]
fn section(heading: &str) -> &'static str {
    let start = README.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}"));
    let body = &README[start + heading.len() + 2..];
    body.split("\n#").next().expect("it is split into one part at least")
}

/// The cells of each row of the tables in `text` whose first cell is code.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

fn code(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The fields in the table in `text`.
#[track_caller]
fn documented_fields(text: &str) -> Fields {
    let rows = rows(text).into_iter();
    rows.map(|row| {
        assert_eq!(row.len(), 4, "field, type, sent, meaning: {row:?}");
        assert!(matches!(row[2], "always" | "optional"), "{row:?}");
        (code(row[0]), row[2] == "optional")
    })
    .collect()
}

/// The source between `start` and the line that closes it, as rustfmt lays it out.
#[track_caller]
fn block<'a>(source: &'a str, start: &str) -> &'a str {
    let (_, rest) = source.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    rest.split_once("\n}\n").expect("it is closed").0
}

/// The fields that stand at `indent`, by whether they may be left out.
fn source_fields(block: &str, indent: &str) -> Fields {
    let mut fields = Fields::new();
    let mut is_optional = false;
    for line in block.lines() {
        let Some(line) = line.strip_prefix(indent) else { continue };
        if line.starts_with("///") {
            continue;
        } else if line.starts_with("#[") {
            is_optional = line.contains("skip_serializing_if");
        } else if let Some((name, _)) = line.split_once(": ").filter(|_| line.ends_with(',')) {
            fields.insert(name.trim_start_matches("pub ").to_owned(), is_optional);
            is_optional = false;
        }
    }
    fields
}

/// Each variant of an enum, as JSON calls it, with its fields.
#[track_caller]
fn variants(source: &str, start: &str) -> BTreeMap<String, Fields> {
    let block = block(source, start);
    let variants = block.split("\n    }").filter_map(|variant| {
        let (before, fields) = variant.split_once(" {\n")?;
        let name = before.lines().last().expect("it has a line").trim();
        Some((snake_case(name), source_fields(fields, "        ")))
    });
    variants.collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn events() -> BTreeMap<String, Fields> {
    let mut events = variants(EVENT, "pub enum Event {");
    events.extend(variants(LESSON, "pub enum LessonEvent {"));
    events
}

fn answers() -> BTreeMap<String, Fields> {
    let mut answers = variants(SERVER_MESSAGE, "pub enum ServerMessage<'a> {");
    // The note's fields stand in its place.
    let wire = answers.get_mut("wire").expect("it is one");
    assert!(wire.remove("note").is_some(), "{wire:?}");
    wire.extend(wire_fields());
    answers
}

/// The fields of all notes about a connection; each note has some of them.
fn wire_fields() -> Fields {
    let mut fields: Fields = variants(WIRE, "pub enum WireNote {")
        .into_values()
        .flatten()
        .map(|it| (it.0, true))
        .collect();
    assert!(fields.remove("frame").is_some(), "its fields stand in its place");
    let frame = source_fields(block(WIRE, "pub struct WireFrame {"), "    ");
    fields.extend(frame.into_keys().map(|name| (name, true)));
    fields.insert("what".to_owned(), false);
    fields
}

/// The arms of the match that is the body of the last function that begins with `start`: the
/// variants of the pattern, and the value.
#[track_caller]
fn arms<'a>(source: &'a str, start: &str) -> Vec<(Vec<&'a str>, &'a str)> {
    let (_, body) = source.rsplit_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    let (body, _) = body.split_once("\n    }\n").expect("it ends");
    let mut parts = body.split(" => ");
    let mut pattern = parts.next().expect("one part at least");
    let mut arms = Vec::new();
    for part in parts {
        let names = pattern.split("::").skip(1).map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric()).next().expect("one part at least")
        });
        let (value, following) = part.split_once('\n').unwrap_or((part, ""));
        arms.push((names.collect(), value.trim_end_matches(',')));
        pattern = following;
    }
    arms
}

/// The words that a function of the sources gives.
#[track_caller]
fn words(source: &str, start: &str) -> BTreeSet<String> {
    let values = arms(source, start).into_iter().map(|(_, value)| value);
    values.filter(|value| value.starts_with('"')).map(|value| value.replace('"', "")).collect()
}

#[test]
fn every_request_and_each_of_its_fields_is_documented() {
    let requests = variants(REQUEST, "pub enum Request {");
    assert_eq!(requests.len(), 7, "{requests:?}");
    for (kind, fields) in requests {
        assert_eq!(documented_fields(section(&format!("### `{kind}`"))), fields, "{kind}");
    }
}

#[test]
fn every_event_and_each_of_its_fields_is_documented() {
    let stamp = source_fields(block(EVENT, "pub struct Stamp {"), "    ");
    assert_eq!(documented_fields(section("### Every event")), stamp);
    let events = events();
    assert!(events.len() >= 15, "{events:?}");
    for (kind, mut fields) in events {
        assert!(fields.remove("stamp").is_some(), "{kind} has a stamp");
        // A request has the same name.
        let of_event = if kind == "hand" { " (event)" } else { "" };
        let section = section(&format!("### `{kind}`{of_event}"));
        assert_eq!(documented_fields(section), fields, "{kind}");
    }
}

#[test]
fn every_answer_and_each_of_its_fields_is_documented() {
    let answers = answers();
    assert!(answers.len() >= 17, "{answers:?}");
    for (kind, fields) in answers {
        // A request has the same name.
        let of_answer = if kind == "history" { " (answer)" } else { "" };
        let section = section(&format!("### `{kind}`{of_answer}"));
        let (own, nested) = section.split_once("\nThe fields of ").unwrap_or((section, ""));
        assert_eq!(documented_fields(own), fields, "{kind}");
        let (source, of) = match &*kind {
            "hello" => (SERVER_MESSAGE, "pub struct Limits {"),
            "rooms" => (SERVER_MESSAGE, "pub struct RoomSummary<'a> {"),
            "teacher" => (LESSON, "pub struct LessonNow<'a> {"),
            "ballot" => (LESSON, "pub struct OpenPoll<'a> {"),
            "hands" => (LESSON, "pub struct RaisedHand<'a> {"),
            "attendance" => (LESSON, "pub struct Attendee<'a> {"),
            _ => {
                assert_eq!(nested, "", "{kind}");
                continue;
            }
        };
        assert_eq!(documented_fields(nested), source_fields(block(source, of), "    "), "{kind}");
    }
}

#[test]
fn every_type_of_message_has_an_example_as_it_is_sent() {
    let mut shown = BTreeSet::new();
    for line in examples("←") {
        let message = ServerMessage::parse(line).unwrap_or_else(|| panic!("no message: {line}"));
        let mut written = Vec::new();
        write_json_line(&message, &mut written);
        assert_eq!(String::from_utf8_lossy(&written).trim_end(), line, "as it is sent");
        let (_, rest) = line.split_once("{\"type\":\"").expect("the type comes first");
        shown.insert(rest.split('"').next().expect("one part at least").to_owned());
    }
    let all: BTreeSet<String> = events().into_keys().chain(answers().into_keys()).collect();
    assert_eq!(shown, all);
}

#[test]
fn every_example_of_a_request_is_one() {
    let mut shown = BTreeSet::new();
    for line in examples("→") {
        let request = Request::parse(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        shown.insert(match request {
            Request::Login { new_room: true, .. } => "login to a new room",
            Request::Login { session: Some(_), .. } => "login with a session",
            Request::Login { previous: Some(_), .. } => "login with a lost session's name",
            Request::Login { .. } => "login",
            Request::Say { .. } => "say",
            Request::History { .. } => "history",
            Request::Vote { .. } => "vote",
            Request::Hand { .. } => "hand",
            Request::Watch { .. } => "watch",
            Request::Command { .. } => "command",
        });
    }
    assert_eq!(shown.len(), 10, "{shown:?}");
}

#[test]
fn no_event_takes_more_than_it_counts() {
    for line in examples("←") {
        let Some(ServerMessage::Event(event)) = ServerMessage::parse(line) else { continue };
        let counted = Event::encoded_bytes(&event);
        assert!(line.len() < counted, "{counted} bytes counted for {line}");
        for lang in [Lang::Ko, Lang::En] {
            let mut lines = Vec::new();
            write_event(&event, lang, LineEnd::CrLf, &mut lines);
            assert!(lines.len() <= counted, "{counted} bytes counted for {line}");
        }
    }
}

#[test]
fn every_error_code_is_documented() {
    let mut codes = words(NOTICE, "pub fn code(&self)");
    codes.extend(words(LESSON_NOTICE, "pub fn code(&self)"));
    codes.extend(words(NAME, "pub fn code(&self)"));
    codes.extend(words(REQUEST, "pub fn code(&self)"));
    // The last arm of a name's code is for every other error.
    assert!(codes.contains("name_invalid") && codes.len() >= 40, "{codes:?}");
    let documented = rows(section("## Error codes")).into_iter().map(|row| code(row[0]));
    assert_eq!(documented.collect::<BTreeSet<_>>(), codes);
}

#[test]
fn every_reason_of_a_bye_is_documented_with_its_close_code() {
    let close_codes: BTreeMap<&str, &str> = arms(GOODBYE, "pub fn close_code(self)")
        .into_iter()
        .flat_map(|(reasons, code)| reasons.into_iter().map(move |reason| (reason, code)))
        .collect();
    let reasons = arms(GOODBYE, "pub fn code(self)");
    let mut expected = BTreeMap::new();
    for (variants, word) in &reasons {
        let [variant] = variants[..] else { panic!("one word for {variants:?}") };
        if variant == "Foreign" {
            assert_eq!(*word, "foreign.code()");
        } else {
            expected.insert(word.replace('"', ""), close_codes[variant].to_owned());
        }
    }
    assert!(expected.len() >= 18, "{expected:?}");
    let table = rows(section("## Reasons of a bye"));
    let documented = table.into_iter().map(|row| (code(row[0]), row[1].to_owned()));
    assert_eq!(documented.collect::<BTreeMap<_, _>>(), expected);

    let mut by_code = BTreeMap::<String, BTreeSet<String>>::new();
    for (reason, code) in expected {
        by_code.entry(code).or_default().insert(reason);
    }
    let table = section("## Close codes").lines().filter_map(|line| {
        let (code, reasons) = line.strip_prefix("| ")?.split_once(" | ")?;
        let reasons = reasons.split('`').skip(1).step_by(2).map(str::to_owned);
        code.parse::<u16>().ok().map(|_| (code.to_owned(), reasons.collect()))
    });
    assert_eq!(table.collect::<BTreeMap<_, _>>(), by_code);
}

#[test]
fn every_other_protocol_is_documented() {
    let codes = words(FOREIGN, "pub fn code(self)");
    assert!(codes.len() >= 18, "{codes:?}");
    for code in codes {
        assert!(section("## Lines").contains(&format!("(`{code}`)")), "{code}");
    }
}

#[test]
fn every_limit_is_documented_with_its_value() {
    let mut limits = BTreeMap::<String, u64>::new();
    for line in LIMITS.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = line.split_once(": ").expect("it has a type");
        let (_, value) = rest.trim_end_matches(';').split_once(" = ").expect("it has a value");
        let operand = |word: &str| {
            word.replace('_', "").parse().unwrap_or_else(|_| *limits.get(word).expect("a limit"))
        };
        let value = match value.split(' ').collect::<Vec<_>>()[..] {
            [value] => operand(value),
            [left, "*", right] => operand(left) * operand(right),
            [left, "-", right] => operand(left) - operand(right),
            _ => panic!("can't read {value:?}"),
        };
        limits.insert(name.to_owned(), value);
    }
    assert_eq!(limits.get("RENDERED_BYTES"), Some(&(63 * 1_024)), "{limits:?}");
    let rows = rows(section("## Limits")).into_iter();
    let documented = rows.map(|row| (code(row[0]), row[1].parse().expect("a number")));
    assert_eq!(documented.collect::<BTreeMap<_, _>>(), limits);
}
