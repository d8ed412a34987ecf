//! `/search` over what is on disk, as a program uses it: page by page, until nothing older is
//! left. It must find what the simplest possible search of the same messages finds.

use std::cell::RefCell;

use madang_server::journal::JournalConfig;
use madang_tests::{TestClient, TestFolder, TestServer};
use proptest::prelude::*;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

/// Somebody who says things and searches for them.
struct Searcher {
    client: TestClient,
    /// What was said in the room: ids and texts as members saw them.
    said: Vec<(u64, String)>,
    requests: usize,
}

fn start(folder: &TestFolder) -> TestServer {
    TestServer::start(|config| {
        config.journal = Some(JournalConfig::of(&folder.path().join("data")));
    })
}

impl Searcher {
    fn log_in(server: &TestServer) -> Searcher {
        Searcher { client: server.login_json("alice"), said: Vec::new(), requests: 0 }
    }

    #[track_caller]
    fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.client.expect_json();
            assert_ne!(message["type"], "error", "{message}");
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Says texts, and waits until all of them are on disk.
    #[track_caller]
    fn say<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        let (mut lines, mut owed) = (String::new(), 0);
        for text in texts {
            self.requests += 1;
            let nonce = format!("n{}", self.requests);
            lines += &format!("{}\n", json!({"type": "say", "text": text, "nonce": nonce}));
            owed += 1;
        }
        self.client.send(lines);
        while owed > 0 {
            let message = self.client.expect_json();
            match message["type"].as_str() {
                Some("said") => {
                    let id = message["id"].as_u64().expect("an id");
                    self.said.push((id, message["text"].as_str().expect("a text").to_owned()));
                }
                Some("ack") => {
                    assert_eq!(message["durable"], Value::Null);
                    owed -= 1;
                }
                _ => panic!("{message}"),
            }
        }
    }

    fn ask(&mut self, line: &str) {
        self.client.send_json(json!({"type": "command", "line": line}));
    }

    /// Goes to a room where nothing has been said yet.
    #[track_caller]
    fn go_to(&mut self, room: &str) {
        self.ask(&format!("/join {room}"));
        self.next_of("joined");
        self.said.clear();
    }

    /// All ids that a search finds, oldest first.
    #[track_caller]
    fn search(&mut self, query: &str) -> Vec<u64> {
        let mut ids = Vec::new();
        self.ask(&format!("/search {query}"));
        loop {
            let found = self.next_of("found");
            let events = found["events"].as_array().expect("events");
            assert!(events.len() <= 10, "{found}");
            ids.splice(0..0, events.iter().map(|event| event["id"].as_u64().expect("an id")));
            if found["before"].is_null() {
                return ids;
            }
            self.ask("/search");
        }
    }

    /// The same by looking at each text.
    fn look(&self, query: &str) -> Vec<u64> {
        let words = words(query);
        let holds = |text: &str| words.iter().all(|word| is_in(word, text));
        let found = self.said.iter().filter(|(_, text)| holds(text));
        found.map(|(id, _)| *id).collect()
    }
}

/// The words of a query; text in quotes is one word.
fn words(query: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in query.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.trim().to_owned()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn fold(text: &str) -> Vec<char> {
    let composed: String = text.nfc().collect();
    caseless::default_case_fold_str(&composed).nfc().collect()
}

fn is_in(word: &str, text: &str) -> bool {
    let (word, text) = (fold(word), fold(text));
    let fits =
        |part: &[char]| word.iter().zip(part).all(|(wanted, letter)| stands(*wanted, *letter));
    text.windows(word.len()).any(fits)
}

/// Whether a letter of a query matches a letter of a text: itself, or the consonant that a
/// syllable begins with.
fn stands(wanted: char, letter: char) -> bool {
    let keys = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
    let conjoining = "ᄀᄁᄂᄃᄄᄅᄆᄇᄈᄉᄊᄋᄌᄍᄎᄏᄐᄑᄒ";
    let initial = [letter].iter().collect::<String>().nfd().next();
    let key = keys.chars().zip(conjoining.chars()).find(|(key, _)| *key == wanted);
    let is_syllable = ('가'..='힣').contains(&letter);
    wanted == letter || is_syllable && key.is_some_and(|(_, begins)| Some(begins) == initial)
}

/// What is said, among much else.
const SAID: [&str; 34] = [
    "내일 회의는 3시에 시작합니다",
    "회의록을 올렸어요",
    "회 드실 분?",
    "오늘은 회식이 아니라 회의",
    "소프트웨어공학 과제는 금요일까지",
    "데이터베이스 수업 자료입니다",
    "ㅋㅋㅋ 그러게요",
    "쿠키 먹을 사람",
    "꼭 오세요!",
    "히어로 영화 봤어요?",
    "\u{1112}\u{116c}\u{110b}\u{1174}\u{1102}\u{1173}\u{11ab} 끝났나요",
    "we use Rust here",
    "RUST and rust and rUsT",
    "Straße und STRASSE",
    "ΣΊΣΥΦΟΣ rolls",
    "un cafe\u{301} s'il vous plaît",
    "café au lait",
    "it's fine",
    "x and y",
    "y or x AND z",
    "NOT NEAR(a, b) OR c*",
    "100% sure",
    "100 percent",
    "a_b",
    "axb",
    "2 * 3 = 6",
    "fine 😀",
    "the 👨‍👩‍👧 family",
    "-- note --",
    "she said \"hello\" twice",
    "SELECT * FROM event; DROP TABLE event",
    "여러 줄입니다\n둘째 줄: 회의",
    "C:\\temp\\회의.txt",
    "하늘 색과 하늘색",
];

/// Queries, and whether they find anything.
const QUERIES: [(&str, bool); 48] = [
    // Hangul of one to five syllables, with particles.
    ("회", true),
    ("회의", true),
    ("회의는", true),
    ("회의록을", true),
    ("의는", true),
    ("소프트웨어", true),
    ("데이터베이스", true),
    ("하늘색", true),
    ("하늘 색", true),
    ("\"하늘 색\"", true),
    ("내일회의", false),
    ("까지", true),
    // Initials.
    ("ㅎㅇ", true),
    ("ㅎㅇㄹ", true),
    ("회ㅇ", true),
    ("ㅋㅋ", true),
    ("ㅋㅋㅋ", true),
    ("ㄲ", true),
    ("ㄱㅈ ㄱㅇㅇ", true),
    ("ㅎㅎㅎㅎ", false),
    // Decomposed, in the query or in the message.
    ("\u{1112}\u{116c}\u{110b}\u{1174}", true),
    ("끝났나요 회의는", true),
    ("cafe\u{301}", true),
    ("café", true),
    // Latin and other scripts, in any case.
    ("rust", true),
    ("RUST", true),
    ("strasse", true),
    ("STRAßE", true),
    ("σίσυφος", true),
    ("usr", false),
    // Emoji.
    ("😀", true),
    ("👨‍👩‍👧", true),
    ("👨", true),
    // No character has a special meaning.
    ("x AND", true),
    ("NOT", true),
    ("OR", true),
    ("NEAR(a,", true),
    ("c*", true),
    ("%", true),
    ("100%", true),
    ("_", true),
    ("a_b", true),
    ("it's", true),
    ("--", true),
    ("'; DROP TABLE event", false),
    ("\\temp", true),
    // Quotes, also unclosed ones.
    ("\"회의는 3시\"", true),
    ("\"3시 내일", false),
];

#[test]
fn a_search_finds_what_looking_at_each_message_finds() {
    let folder = TestFolder::new();
    let server = start(&folder);
    let mut alice = Searcher::log_in(&server);
    // Several pages of each, with other messages between them.
    for round in 0..3 {
        let other = format!("{round}번째 다른 이야기, some letters");
        alice.say(SAID.into_iter().flat_map(|text| [text, &other]));
    }
    for (query, finds) in QUERIES {
        let expected = alice.look(query);
        assert_eq!(!expected.is_empty(), finds, "{query:?}: {expected:?}");
        assert_eq!(alice.search(query), expected, "{query:?}");
    }
}

#[test]
fn a_search_of_random_messages_finds_what_looking_at_each_finds() {
    let folder = TestFolder::new();
    let server = start(&folder);
    let alice = RefCell::new(Searcher::log_in(&server));
    let letters = "[가각회횎의ㅎㅇㄱaAbBßẞéE%_'*\\-😀\u{1112}\u{1161}\u{11a8} ]";
    let is_no_blank = |text: &String| !text.trim().is_empty();
    let texts = prop::collection::vec(
        prop::string::string_regex(&format!("{letters}{{1,12}}"))
            .expect("it is right")
            .prop_filter("something is said", is_no_blank),
        1..12,
    );
    let word = format!("({letters}{{1,3}}|\"{letters}{{1,4}}\")");
    let query = prop::string::string_regex(&format!("{word}( {word})?")).expect("it is right");
    let query = query.prop_filter("a search has words", |query| !words(query).is_empty());
    let mut rooms = 0..;
    let rooms = RefCell::new(&mut rooms);
    let config = ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() };
    proptest!(config, |(texts in texts, query in query)| {
        let mut alice = alice.borrow_mut();
        let room: u32 = rooms.borrow_mut().next().expect("there are more");
        alice.go_to(&format!("r{room}"));
        alice.say(texts.iter().map(String::as_str));
        let expected = alice.look(&query);
        prop_assert_eq!(alice.search(&query), expected, "{:?} in {:?}", query, texts);
    });
}
