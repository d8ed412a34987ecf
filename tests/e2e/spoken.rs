//! Three words that open a private room, at each door.

use madang_protocol::{notice::Notice, room::RoomKey, text::Lang, words::RoomWords};
use madang_tests::{TestClient, TestServer};
use serde_json::{Value, json};

use crate::commands::in_both_languages;

/// Asks for words in JSON; returns them, and the room's mark.
#[track_caller]
fn words_json(client: &mut TestClient) -> (String, String) {
    client.send_json(json!({"type": "command", "line": "/invite words"}));
    let invite = client.expect_message("invite");
    assert!(invite["words_seconds"].as_u64().is_some_and(|left| left <= 600), "{invite}");
    let text = |field: &str| invite[field].as_str().expect("a text").to_owned();
    (text("words"), text("room"))
}

/// A JSON client in a private room of its own, and the words that open it.
fn host(server: &TestServer) -> (TestClient, String, String) {
    let mut host = server.login_json("host");
    host.send_json(json!({"type": "command", "line": "/new"}));
    host.expect_message("entered");
    host.expect_message("joined");
    let (words, mark) = words_json(&mut host);
    (host, words, mark)
}

#[test]
fn words_are_told_in_the_language_of_whoever_asks() {
    in_both_languages(|server, say| {
        let mut alice = server.login("alice");
        alice.send("/invite words\n");
        assert_eq!(
            alice.expect_line().trim_end(),
            say(&Notice::WordsArePrivate.text(Lang::Ko), &Notice::WordsArePrivate.text(Lang::En),)
        );
        alice.make_room();
        alice.send("/초대 단어\n");
        let line = alice.expect_line();
        let words = line.split_whitespace().nth(1).expect("the words").to_owned();
        assert_eq!(words.is_ascii(), say("", "en") == "en", "{line}");
        assert!(RoomWords::parse(&words).is_some(), "{line}");
        alice.expect(format!("{words}\n"));
        alice.expect_line();
        // With blanks, in capitals, at the prompt: they are never seen in the lobby.
        let mut lobby = server.login("lobbyist");
        let mut bob = server.connect();
        bob.login_to(&words.replace('-', " ").to_uppercase(), "bob");
        alice.expect_joined("bob");
        lobby.send("/ping\n");
        assert!(!lobby.expect(say("퐁\n", "pong\n")).contains("bob"));
        // A second request returns the same words.
        alice.send("/invite words\n").expect(words);
    });
}

#[test]
fn words_open_the_room_at_every_door() {
    let server = TestServer::start(|_| {});
    let (mut host, words, mark) = host(&server);
    let spaced = words.replace('-', " ");

    let mut member = server.login("member");
    member.send(format!("/join {spaced}\n")).expect_joined("member");
    host.expect_message("joined");

    let mut json = server.login_json("json");
    json.send_json(json!({"type": "command", "line": format!("/join {words}")}));
    assert_eq!(json.expect_message("entered")["room"], *mark);
    host.expect_message("joined");

    let mut new_json = server.connect();
    new_json.become_json();
    new_json.send_json(json!({"type": "login", "name": "straight", "room": spaced}));
    assert_eq!(new_json.expect_message("welcome")["room"], *mark);
    host.expect_message("joined");

    // One word too many, or a word in no list, is the name of a public room or no name at all.
    member.send(format!("/join {words}-x\n"));
    member.expect_joined("member");
}

#[test]
fn words_never_name_a_public_room() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    for words in ["파란-고래-우산", "파란 고래 우산", "brave-otter-lantern", "파란-otter-우산"]
    {
        alice.send(format!("/join {words}\n"));
        alice.expect_next(Notice::NoSuchWords.text(Lang::Ko) + "\n");
    }
    alice.send("/rooms\nstill here\n");
    assert!(!alice.expect("[alice] still here\n").contains("고래"));
}

#[test]
fn unknown_and_ended_words_get_one_answer_and_one_stays() {
    let server = TestServer::start(|_| {});
    let (mut host, words, _) = host(&server);
    host.send_json(json!({"type": "command", "line": "/end"}));
    server.console_expect("방이 닫혔습니다.\n");
    let mut bob = server.login_json("bob");
    let mut answers = Vec::new();
    for tried in [&words[..], "brave-otter-lantern"] {
        bob.send_json(json!({"type": "command", "line": format!("/join {tried}"), "nonce": "n"}));
        answers.push(bob.expect_error("no_such_words", Some("n")));
    }
    let mut early = server.connect();
    early.become_json();
    early.send_json(json!({"type": "login", "name": "carol", "room": words, "nonce": "n"}));
    answers.push(early.expect_error("no_such_words", Some("n")));
    answers.dedup();
    assert_eq!(answers, [Notice::NoSuchWords.text(Lang::Ko)]);
    bob.send_json(json!({"type": "say", "text": "here"}));
    assert_eq!(bob.expect_message("said")["room"], "lobby");
}

#[test]
fn guessing_is_stopped_whatever_the_door_and_the_name() {
    let server = TestServer::start(|_| {});
    let (_host, words, _) = host(&server);
    let mut bob = server.login("bob");
    let mut refused = 0;
    // A new connection does not reset the count.
    while refused < 5 {
        let mut guesser = server.connect();
        guesser.expect("ID:");
        guesser.send("/join brave-otter-lantern\n");
        guesser.expect(Notice::NoSuchWords.text(Lang::Ko));
        refused += 1;
    }
    bob.send(format!("/join {words}\n"));
    let seconds = |line: &str| {
        (1..=60).find(|seconds| {
            line.trim_end() == Notice::TooManyWords { seconds: *seconds }.text(Lang::Ko)
        })
    };
    let line = bob.expect_line();
    assert!(seconds(&line).is_some(), "{line}");
    let mut json = server.login_json("json");
    json.send_json(json!({"type": "command", "line": format!("/join {words}"), "nonce": "n"}));
    let error: Value = json.expect_message("error");
    assert_eq!(error["code"], "too_many_words", "{error}");
    assert!(error["wait_seconds"].as_u64().is_some_and(|seconds| seconds <= 60), "{error}");
    // A key is not a guess.
    let wrong_key = RoomKey::from_bits(7).show();
    bob.send(format!("/join #{wrong_key}\n"));
    bob.expect(Notice::NoSuchRoom.text(Lang::Ko));
}

#[test]
fn a_quiet_session_does_not_learn_whether_words_are_right() {
    let server = TestServer::start(|_| {});
    let (_host, words, _) = host(&server);
    for tried in [&words[..], "brave-otter-lantern"] {
        let mut bot = server.connect();
        bot.become_json();
        bot.send_json(json!({"type": "login", "name": "bot", "room": tried, "quiet": true}));
        bot.expect_error("public_only", None);
    }
}

#[test]
fn words_are_in_no_log() {
    let server = TestServer::start(|_| {});
    let (_host, words, _) = host(&server);
    let mut bob = server.login("bob");
    bob.send(format!("/join {words}\n")).expect_joined("bob");
    bob.send("/quit\n").expect_closed();
    server.console_expect("bob");
    let log = server.console();
    assert!(!log.contains(&words), "{log}");
}
