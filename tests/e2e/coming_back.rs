//! Sessions that are resumed: what they get, what they keep, and when they can't be resumed.

use std::time::{Duration, Instant};

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_tests::{DEADLINE, TestClient, TestServer, told};
use serde_json::{Value, json};

/// A client that has logged in, and what it needs to resume its session.
pub(crate) struct Member {
    pub(crate) client: TestClient,
    pub(crate) token: String,
    pub(crate) last: u64,
}

impl Member {
    #[track_caller]
    pub(crate) fn login(server: &TestServer, name: &str) -> Member {
        let mut client = server.connect();
        let welcome = client.login_json(name);
        let token = welcome["session"].as_str().expect("a token").to_owned();
        Member { client, token, last: welcome["id"].as_u64().expect("an id") }
    }

    /// Makes a private room; returns its name and key.
    #[track_caller]
    fn make_room(&mut self) -> (String, String) {
        self.client.send_json(json!({"type": "command", "line": "/new"}));
        let entered = self.client.expect_message("entered");
        let room = entered["room"].as_str().expect("a room").to_owned();
        self.last = self.client.expect_message("joined")["id"].as_u64().expect("an id");
        self.client.send_json(json!({"type": "command", "line": "/invite"}));
        let key = self.client.expect_message("invite")["key"].as_str().expect("a key").to_owned();
        (room, key)
    }

    #[track_caller]
    fn enter(&mut self, key: &str) {
        self.client.send_json(json!({"type": "command", "line": format!("/join #{key}")}));
        self.client.expect_message("entered");
        self.last = self.client.expect_message("joined")["id"].as_u64().expect("an id");
    }

    /// Resets the connection without a goodbye. The server has noticed when this returns.
    #[track_caller]
    fn cut(self, server: &TestServer) -> (String, u64) {
        let before = server.console().matches("연결 끊김").count();
        self.client.reset();
        server.console_expect_count("연결 끊김", before + 1);
        (self.token, self.last)
    }
}

/// A connection that has presented a token and waits for the answer.
#[track_caller]
pub(crate) fn present(
    server: &TestServer,
    token: &str,
    room: &str,
    last: u64,
    private: u64,
) -> TestClient {
    let mut client = server.connect();
    client.become_json();
    client.send_json(json!({
        "type": "login", "session": token, "room": room, "last": last, "last_private": private,
    }));
    client
}

/// Expects that the session is gone: the client is told so, and its name is free. Others may
/// see it leave before that.
#[track_caller]
fn expect_gone(server: &TestServer, token: &str, name: &str) {
    let mut client = present(server, token, "lobby", 0, 0);
    client.expect_error("session_unknown", None);
    let deadline = Instant::now() + DEADLINE;
    loop {
        client.send_json(json!({"type": "login", "name": name}));
        let answer = client.expect_json();
        if answer["code"] != "name_taken" {
            assert_eq!(answer["type"], "welcome", "{answer}");
            assert_eq!(answer["resumed"], false, "{answer}");
            return;
        }
        assert!(Instant::now() < deadline, "{name} stays in use");
    }
}

#[track_caller]
fn id(message: &Value) -> u64 {
    message["id"].as_u64().unwrap_or_else(|| panic!("no id in {message}"))
}

#[test]
fn a_member_who_reconnects_gets_what_it_missed_and_nobody_is_told() {
    let server = TestServer::start(|_| {});
    let alice = Member::login(&server, "alice");
    let mut bob = server.login("bob");
    let (token, last) = alice.cut(&server);
    bob.send("한 줄\n둘째 줄\n").expect_next("[bob] 한 줄\n[bob] 둘째 줄\n");

    let mut alice = present(&server, &token, "lobby", last, 0);
    let welcome = alice.expect_message("welcome");
    assert_eq!(
        (&welcome["user"], &welcome["session"], &welcome["resumed"], &welcome["members"]),
        (&json!("alice"), &json!(token), &json!(true), &json!(2))
    );
    assert_eq!(id(&welcome), last);
    assert_eq!(id(&alice.expect_message("joined")), last + 1);
    assert_eq!(alice.expect_said("bob", "한 줄"), last + 2);
    assert_eq!(alice.expect_said("bob", "둘째 줄"), last + 3);
    alice.send_json(json!({"type": "say", "text": "다시 왔어요", "nonce": "n1"}));
    assert_eq!(id(&alice.expect_message("ack")), last + 4);
    alice.expect_said("alice", "다시 왔어요");
    bob.expect_next("[alice] 다시 왔어요\n");
}

#[test]
fn the_connection_that_is_taken_over_is_told_so_and_closed() {
    let server = TestServer::start(|_| {});
    let mut first = Member::login(&server, "alice");
    let mut bob = server.login("bob");
    let mut second = present(&server, &first.token, "lobby", first.last, 0);
    assert_eq!(second.expect_message("welcome")["resumed"], true);
    assert_eq!(second.expect_message("joined")["user"], "bob");
    assert_eq!(first.client.expect_message("joined")["user"], "bob");
    assert_eq!(first.client.expect_message("bye")["reason"], "replaced");
    first.client.expect_closed();
    bob.send("hi\n").expect_next("[bob] hi\n");
    second.expect_said("bob", "hi");
}

/// A client that is dismissed while it is sending must not get a reset: that could overtake its
/// goodbye.
#[test]
fn a_dismissed_client_that_goes_on_sending_is_read_until_it_closes() {
    let server = TestServer::start(|config| config.linger = DEADLINE);
    let go_on = |client: &mut TestClient| {
        for _ in 0..20 {
            client.send("too late\n");
        }
        client.expect_closed();
    };
    let mut alice = Member::login(&server, "alice");
    let _second = present(&server, &alice.token, "lobby", alice.last, 0);
    let bye = loop {
        alice.client.send_json(json!({"type": "say", "text": "talk"}));
        let message = alice.client.expect_json();
        if message["type"] != "said" {
            break message;
        }
    };
    assert_eq!(bye["reason"], "replaced");
    go_on(&mut alice.client);

    let mut bob = server.login("bob");
    server.operate("/ban bob");
    bob.send("talk\n");
    bob.expect_next(told(Notice::Goodbye(Goodbye::Banned)));
    go_on(&mut bob);
}

#[test]
fn of_two_that_come_back_at_once_both_are_served_and_one_stays() {
    let server = TestServer::start(|_| {});
    let alice = Member::login(&server, "alice");
    let mut bob = server.login("bob");
    let (token, last) = alice.cut(&server);
    let mut comers: Vec<TestClient> =
        (0..6).map(|_| present(&server, &token, "lobby", last, 0)).collect();
    let mut staying = Vec::new();
    bob.send("who is it?\n").expect_next("[bob] who is it?\n");
    for mut comer in comers.drain(..) {
        // A connection that is taken over before its welcome gets only the bye.
        let mut rest = comer.expect_json();
        while rest["type"] != "bye" && rest["text"] != "who is it?" {
            rest = comer.expect_json();
        }
        match &rest["type"] {
            bye if bye == "bye" => assert_eq!(rest["reason"], "replaced"),
            _ => staying.push(comer),
        }
    }
    // All but one of the welcomed connections were taken over later.
    bob.send("/quit\n");
    let mut left = 0;
    for mut comer in staying {
        let message = comer.expect_json();
        assert!(message["type"] == "left" || message["reason"] == "replaced", "{message}");
        left += usize::from(message["type"] == "left");
    }
    assert_eq!(left, 1);
}

#[test]
fn a_name_is_kept_for_its_token() {
    let server = TestServer::start(|_| {});
    let (token, last) = Member::login(&server, "alice").cut(&server);
    let mut other = server.connect();
    other.expect("ID:");
    other.send("alice\n").expect_next("이미 등록된 사용자입니다.\n");

    let mut back = present(&server, &token, "lobby", last, 0);
    assert_eq!(back.expect_message("welcome")["resumed"], true);
}

#[test]
fn a_name_that_was_kept_in_vain_is_free() {
    let server = TestServer::start(|config| config.resume_window = Duration::from_millis(200));
    let mut bob = server.login("bob");
    let alice = Member::login(&server, "alice");
    bob.expect_next("[alice]님이 입장했습니다.\n");
    let (token, _) = alice.cut(&server);
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
    drop(server.login_when_free("alice"));
    bob.expect_next("[alice]님이 입장했습니다.\n[alice]님이 퇴장했습니다.\n");
    expect_gone(&server, &token, "alice");
}

#[test]
fn quitting_ends_the_session_at_once() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = Member::login(&server, "alice");
    alice.client.send_json(json!({"type": "command", "line": "/quit 안녕", "nonce": "q"}));
    assert_eq!(alice.client.expect_message("ack")["nonce"], "q");
    assert_eq!(alice.client.expect_message("bye")["reason"], "quit");
    alice.client.expect_closed();
    bob.expect_next("[alice]님이 입장했습니다.\n[alice]님이 퇴장했습니다. (안녕)\n");
    server.console_expect("[alice] 퇴장");
    expect_gone(&server, &alice.token, "alice");
}

#[test]
fn a_text_member_that_is_cut_frees_its_name_at_once() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    server.login("alice").reset();
    bob.expect_next("[alice]님이 입장했습니다.\n[alice]님이 퇴장했습니다.\n");
    server.login_when_free("alice");
}

#[test]
fn a_token_that_nobody_has_is_refused_and_a_name_may_be_asked_for() {
    let server = TestServer::start(|_| {});
    for (at, token) in ["", "00000000000000000000000000000000", "로비", "\u{0}"].iter().enumerate()
    {
        expect_gone(&server, token, &format!("alice-{at}"));
    }
}

#[test]
fn a_member_who_reconnects_is_told_of_forgotten_events_as_a_gap() {
    let server = TestServer::start(|_| {});
    let alice = Member::login(&server, "alice");
    let mut bob = server.login("bob");
    let (token, last) = alice.cut(&server);
    for at in 0..300 {
        bob.send(format!("{at}\n"));
        bob.expect_next(format!("[bob] {at}\n"));
    }
    // One event for bob joining, and 300 lines; 200 are kept.
    let mut alice = present(&server, &token, "lobby", last, 0);
    assert_eq!(id(&alice.expect_message("welcome")), last);
    let gap = alice.expect_message("gap");
    assert_eq!((gap["from"].as_u64(), gap["to"].as_u64()), (Some(last + 1), Some(last + 101)));
    for at in 100..300 {
        assert_eq!(alice.expect_said("bob", &at.to_string()), last + 2 + at);
    }
}

#[test]
fn whispers_wait_for_a_disconnected_member_up_to_a_limit() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = Member::login(&server, "alice");
    bob.expect_next("[alice]님이 입장했습니다.\n");
    bob.send("/귓 alice 첫째\n").expect_next("[귓속말 → alice] 첫째\n");
    let first = alice.client.expect_message("whisper");
    assert_eq!((&first["private"], &first["user"]), (&json!(1), &json!("bob")));
    let (token, last) = alice.cut(&server);
    for at in 2..=71 {
        bob.send(format!("/msg alice w{at}\n"));
        bob.expect_next(format!("[귓속말 → alice] w{at}\n"));
        assert!(bob.expect_line().contains("alice"), "the sender is told that she is away");
    }
    for (last_private, first) in [(1, 8), (7, 8), (40, 41)] {
        let mut alice = present(&server, &token, "lobby", last, last_private);
        alice.expect_message("welcome");
        if last_private + 1 < first {
            let gap = alice.expect_message("private_gap");
            assert_eq!((&gap["from"], &gap["to"]), (&json!(last_private + 1), &json!(first - 1)));
        }
        for at in first..=71 {
            let whisper = alice.expect_message("whisper");
            assert_eq!(whisper["private"], at);
            assert_eq!(whisper["text"], format!("w{at}"));
        }
    }
}

#[test]
fn ownership_and_ignores_are_kept() {
    let server = TestServer::start(|_| {});
    let mut alice = Member::login(&server, "alice");
    let mut bob = server.login("bob");
    alice.client.expect_message("joined");
    let (room, key) = alice.make_room();
    bob.send(format!("/join #{key}\n"));
    bob.expect("[bob]님이 입장했습니다.\n");
    alice.client.expect_message("joined");
    alice.client.send_json(json!({"type": "command", "line": "/ignore bob", "nonce": "i"}));
    alice.client.expect_message("notice");
    assert_eq!(alice.client.expect_message("ack")["nonce"], "i");
    alice.last += 1;
    let (token, last) = alice.cut(&server);

    let mut alice = present(&server, &token, &room, last, 0);
    let welcome = alice.expect_message("welcome");
    assert_eq!((&welcome["room"], &welcome["owner"]), (&json!(room), &json!("alice")));
    bob.send("/msg alice psst\n");
    assert!(bob.expect_line().contains("alice"));
    alice.send_json(json!({"type": "command", "line": "/ignore"}));
    assert_eq!(alice.expect_message("ignored")["users"], json!(["bob"]));
    alice.send_json(json!({"type": "command", "line": "/lock"}));
    alice.expect_message("locked");
    bob.expect("[alice]님이 방을 잠갔습니다");
}

#[test]
fn an_owner_who_does_not_come_back_is_replaced_by_the_longest_standing_member() {
    let server = TestServer::start(|config| config.resume_window = Duration::from_millis(200));
    let mut alice = Member::login(&server, "alice");
    let (_, key) = alice.make_room();
    let [mut bob, mut carol] = ["bob", "carol"].map(|name| {
        let mut client = server.login(name);
        client.send(format!("/join #{key}\n"));
        client.expect(format!("[{name}]님이 입장했습니다.\n"));
        client
    });
    bob.expect("[carol]님이 입장했습니다.\n");
    alice.cut(&server);
    let gone = "[alice]님이 퇴장했습니다.\n-- [bob]님이 방장이 되었습니다 --\n";
    bob.expect_next(gone);
    carol.expect_next(gone);
    bob.send("/lock\n").expect_next("-- [bob]님이 방을 잠갔습니다 --\n");
}

#[test]
fn a_member_kicked_or_whose_room_closed_while_away_comes_back_to_no_room() {
    for (command, told) in [("/kick bob", "내보냈습니다"), ("/end", "방을 닫았습니다")]
    {
        let server = TestServer::start(|_| {});
        let mut alice = server.login("alice");
        alice.send("/new\n").expect("/초대");
        alice.send("/invite\n").expect("/join #");
        let key = alice.expect("\n");
        let mut bob = Member::login(&server, "bob");
        bob.enter(&key);
        let (token, last) = bob.cut(&server);
        alice.send(format!("{command}\n"));
        alice.expect(told);

        let mut bob = present(&server, &token, "private-0000", last, 0);
        let welcome = bob.expect_message("welcome");
        assert_eq!((&welcome["room"], &welcome["resumed"]), (&Value::Null, &json!(true)));
        let removed = &welcome["removed"];
        match command {
            "/end" => {
                assert_eq!((&removed["type"], &removed["user"]), (&json!("ended"), &json!("alice")))
            }
            _ => {
                assert_eq!((&removed["type"], &removed["by"]), (&json!("kicked"), &json!("alice")))
            }
        }
        bob.expect_error("no_room", None);
        bob.send_json(json!({"type": "say", "text": "여보세요", "nonce": "s"}));
        bob.expect_error("no_room", Some("s"));
        bob.send_json(json!({"type": "command", "line": "/leave", "nonce": "l"}));
        assert_eq!(bob.expect_message("entered")["room"], "lobby");
        // The mute has ended by now.
        bob.expect_message("joined");
        let mut again = present(&server, &token, "lobby", 0, 0);
        assert_eq!(again.expect_message("welcome").get("removed"), None);
    }
}

#[test]
fn an_id_of_another_room_says_nothing_about_this_one() {
    let server = TestServer::start(|_| {});
    let mut alice = Member::login(&server, "alice");
    let in_lobby = alice.last;
    let (room, _) = alice.make_room();
    let (token, last) = alice.cut(&server);
    let mut alice = present(&server, &token, "lobby", in_lobby, 0);
    let welcome = alice.expect_message("welcome");
    assert_eq!(welcome["room"], room);
    // The first event it can see is its own joining.
    let joined = alice.expect_message("joined");
    assert_eq!((id(&joined), &joined["user"]), (last, &json!("alice")));
}

#[test]
fn a_command_whose_answer_was_lost_is_not_carried_out_twice() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = Member::login(&server, "alice");
    bob.expect_next("[alice]님이 입장했습니다.\n");
    let nick = json!({"type": "command", "line": "/nick alicia", "nonce": "n"});
    let whisper = json!({"type": "command", "line": "/msg bob psst", "nonce": "w"});
    let say = json!({"type": "say", "text": "hi", "nonce": "s"});
    for request in [&nick, &whisper, &say] {
        alice.client.send_json(request.clone());
    }
    bob.expect("psst\n[alicia] hi\n");
    let (token, last) = alice.cut(&server);
    let mut alice = present(&server, &token, "lobby", last, 0);
    assert_eq!(alice.expect_message("welcome")["user"], "alicia");
    alice.expect_message("renamed");
    let said = alice.expect_said("alicia", "hi");
    for (request, nonce) in [(nick, "n"), (whisper, "w"), (say, "s")] {
        alice.send_json(request);
        let ack = alice.expect_message("ack");
        assert_eq!(ack["nonce"], nonce);
        assert!(nonce != "s" || id(&ack) == said, "{ack}");
    }
    bob.send("/ping\n").expect_next("퐁\n");
}

#[test]
fn a_member_kicked_from_the_lobby_while_away_is_sent_away() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let bob = Member::login(&server, "bob");
    alice.expect_joined("bob");
    let (token, last) = bob.cut(&server);
    server.operate("/kick bob");
    alice.expect_next("-- 운영자가 [bob]님을 내보냈습니다 --\n");
    for _ in 0..2 {
        let mut bob = present(&server, &token, "lobby", last, 0);
        let told = bob.expect_json();
        match told["type"].as_str() {
            Some("bye") => {
                assert_eq!(told["reason"], "kicked");
                assert!(told["seconds"].as_u64().is_some_and(|left| left <= 600), "{told}");
                bob.expect_closed();
            }
            _ => assert_eq!(told["code"], "kicked", "the session has ended: {told}"),
        }
        server.console_expect("[bob] 퇴장");
    }
    server.operate("/unkick bob");
    alice.expect_next("-- 운영자가 [bob]님을 다시 들어올 수 있게 했습니다 --\n");
    server.login("bob");
}

#[test]
fn a_previous_session_gives_its_name_back_and_nothing_else() {
    let server = TestServer::start(|_| {});
    let mut alice = Member::login(&server, "alice");
    let (mark, key) = alice.make_room();
    let mut bob = server.connect();
    bob.login_to(&format!("#{key}"), "bob");
    let (token, _) = alice.cut(&server);
    bob.send("/msg alice 비밀\n").expect("alice");

    // Without the right token, or under another name, a client gets nothing.
    let login = |name: &str, previous: &str| {
        let mut client = server.connect();
        client.become_json();
        client.send_json(json!({"type": "login", "name": name, "previous": previous}));
        client
    };
    login("alice", &token.replace(|c| c != '0', "0")).expect_error("name_taken", None);
    login("bob", &token).expect_error("name_taken", None);

    let mut alice = login("Alice", &token);
    let welcome = alice.expect_message("welcome");
    assert_eq!(
        (&welcome["user"], &welcome["room"], &welcome["resumed"]),
        (&json!("Alice"), &json!("lobby"), &json!(false))
    );
    assert_ne!(welcome["session"], json!(token));
    bob.expect("[alice]님이 퇴장했습니다.\n");
    bob.expect("[bob]님이 방장이 되었습니다");
    alice.expect_message("joined");
    alice.send_json(json!({"type": "say", "text": "새로 왔어요"}));
    alice.expect_said("Alice", "새로 왔어요");

    // She does not get the earlier whispers, and the old token is useless.
    present(&server, &token, &mark, 0, 0).expect_error("session_unknown", None);
    // A session with a connection keeps its name.
    let token = welcome["session"].as_str().expect("a token");
    login("alice", token).expect_error("name_taken", None);
    alice.send_json(json!({"type": "say", "text": "아직 여기"}));
    alice.expect_said("Alice", "아직 여기");
}

#[test]
fn a_name_in_use_is_refused_with_one_that_is_free() {
    let server = TestServer::start(|_| {});
    let _here = server.login("철수");
    let mut other = server.connect();
    other.expect("로그인ID:");
    other
        .send("철수\n")
        .expect_next(told(Notice::NameInUse { proposal: Some("철수-2") }) + "로그인ID:");
    let in_use = Notice::NameInUse { proposal: Some("철수-2") }.text(Lang::En);
    other.send("/lang en\n철수\n").expect(in_use + "\nLogin ID:");
    other.send("철수-2\n").expect_joined("철수-2");
    let mut json = server.connect();
    json.become_json();
    json.send_json(json!({"type": "login", "name": "철수", "nonce": "1"}));
    let error = json.expect_message("error");
    assert_eq!((&error["code"], &error["proposal"]), (&json!("name_taken"), &json!("철수-3")));
    json.send_json(json!({"type": "login", "name": "영희"}));
    json.expect_message("welcome");
    json.expect_message("joined");
    json.send_json(json!({"type": "command", "line": "/nick 철수-2"}));
    assert_eq!(json.expect_message("error")["proposal"], "철수-3");
}
