//! The owner of a private room: the owner's commands, who becomes owner, and who is told.

use std::time::Duration;

use madang_protocol::{
    notice::{Goodbye, Notice},
    room::LOBBY,
    text::Lang,
};
use madang_tests::{TestClient, TestServer, WebSocketClient, told};
use serde_json::{Value, json};

use crate::commands::{in_both_languages, words};

const NO_ROOM: (&str, &str) = (
    "지금은 방에 들어가 있지 않습니다. 로비로 가려면: /방 로비\n",
    "You are not in a room. Back to the lobby: /join lobby\n",
);

/// A member at one of the doors, with its token if it has one.
struct Member {
    door: Door,
    token: Option<String>,
}

enum Door {
    Lines(TestClient),
    Json(TestClient),
    WebSocketLines(WebSocketClient),
    WebSocketJson(WebSocketClient),
}

impl Member {
    /// Runs a test for each door, with `name` logged in there on a server of its own.
    fn at_every_door(name: &str, check: impl Fn(&TestServer, Member)) {
        type LogIn = fn(&TestServer, &str) -> (Door, Value);
        let doors: [LogIn; 4] = [
            |server, name| (Door::Lines(server.login(name)), Value::Null),
            |server, name| {
                let mut client = server.connect();
                let welcome = client.login_json(name);
                (Door::Json(client), welcome)
            },
            |server, name| (Door::WebSocketLines(server.login_websocket(name)), Value::Null),
            |server, name| {
                let mut client = WebSocketClient::open_json(server.web_address());
                let welcome = client.login_json(name);
                (Door::WebSocketJson(client), welcome)
            },
        ];
        for log_in in doors {
            let server = TestServer::start(|config| config.rate_limit = None);
            let (door, welcome) = log_in(&server, name);
            let token = welcome["session"].as_str().map(str::to_owned);
            check(&server, Member { door, token });
        }
    }

    fn speaks_json(&self) -> bool {
        matches!(self.door, Door::Json(_) | Door::WebSocketJson(_))
    }

    /// Sends text or a command.
    #[track_caller]
    fn send(&mut self, line: &str) {
        let request = match line.starts_with('/') {
            true => json!({"type": "command", "line": line}),
            false => json!({"type": "say", "text": line}),
        };
        match &mut self.door {
            Door::Lines(client) => drop(client.send(format!("{line}\n"))),
            Door::Json(client) => client.send_json(request),
            Door::WebSocketLines(client) => drop(client.send(line)),
            Door::WebSocketJson(client) => drop(client.send_json(&request)),
        }
    }

    /// The next line or message.
    #[track_caller]
    fn expect_one(&mut self) -> String {
        match &mut self.door {
            Door::Lines(client) | Door::Json(client) => client.expect_line(),
            Door::WebSocketLines(client) | Door::WebSocketJson(client) => {
                client.expect_message().trim_end().to_owned()
            }
        }
    }

    /// Sends a line and returns everything it leads to, after skipping what came before.
    #[track_caller]
    fn all_of(&mut self, line: &str) -> Vec<String> {
        self.send(line);
        self.send("/ping over");
        let pong =
            if self.speaks_json() { r#"{"type":"pong","token":"over"}"# } else { "퐁 over" };
        let mut heard = Vec::new();
        loop {
            match self.expect_one() {
                line if line == pong => return heard,
                line => heard.push(line),
            }
        }
    }

    /// Expects that `line` is refused with this code, and leads to nothing else.
    #[track_caller]
    fn expect_refused(&mut self, line: &str, code: &str, korean: &str) {
        let heard = self.all_of(line);
        let [answer] = &heard[..] else { panic!("{line}: {heard:?}") };
        if self.speaks_json() {
            let error: Value = serde_json::from_str(answer).expect("it is JSON");
            assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{line}");
            assert_eq!(error["text"], korean, "{line}");
        } else {
            assert_eq!(answer, korean, "{line}");
        }
    }
}

impl Member {
    /// Expects an orderly end of the connection, with only `last` before it.
    #[track_caller]
    fn expect_goodbye(&mut self, last: &[&str]) {
        for expected in last {
            assert_eq!(self.expect_one(), *expected);
        }
        match &mut self.door {
            Door::Lines(client) | Door::Json(client) => client.expect_closed(),
            Door::WebSocketLines(client) | Door::WebSocketJson(client) => {
                assert_eq!(client.expect_close(), Some(1008));
            }
        }
    }

    /// Handles the next line or message, without its id and time.
    #[track_caller]
    fn expect_event(&mut self, json: Value, korean: &str) {
        let line = self.expect_one();
        if !self.speaks_json() {
            return assert_eq!(line, korean);
        }
        let mut event: Value = serde_json::from_str(&line).expect("it is JSON");
        let fields = event.as_object_mut().expect("an object");
        for field in ["id", "time", "room"] {
            assert!(fields.remove(field).is_some(), "{line}");
        }
        assert_eq!(event, json);
    }
}

/// A private room of alice's with bob in it, and its key.
#[track_caller]
fn private_room(server: &TestServer) -> (TestClient, TestClient, String) {
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let mut bob = server.connect();
    bob.login_to(&format!("#{key}"), "bob");
    alice.expect_joined("bob");
    (alice, bob, key)
}

/// An event in `room`, as all its members see it.
#[track_caller]
fn check_told(members: &mut [&mut TestClient], line: &str) {
    for member in members {
        member.expect_next(format!("{line}\n"));
    }
}

#[test]
fn kick_removes_from_the_room_and_from_all_that_is_said_there() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, key) = private_room(server);
        alice.send("secret\n");
        check_told(&mut [&mut alice, &mut bob], "[alice] secret");
        alice.send("/kick BOB\n");
        let kicked = say("-- [alice]님이 [bob]님을 내보냈습니다 --", "-- [alice] removed [bob] --");
        check_told(&mut [&mut alice, &mut bob], kicked);
        let no_room = say(NO_ROOM.0, NO_ROOM.1);
        bob.expect_next(no_room);
        for line in ["hello?", "/who", "/topic", "/topic x", "/history", "/invite", "/me x"] {
            bob.send(format!("{line}\n")).expect_next(no_room);
        }
        bob.send("/ping\n").expect_next(say("퐁", "pong"));
        bob.expect_line();
        bob.send("/nick robert\n");
        bob.expect_next(say("이제 이름은 robert입니다.\n", "Your name is now robert.\n"));
        alice.send("still secret\n").expect_next("[alice] still secret\n");
        // The link no longer works for this session and this name.
        bob.send(format!("/join #{key}\n")).expect_next(say(
            "그 방에서 내보내졌습니다. 10분 뒤에 다시 들어갈 수 있습니다.\n",
            "You were removed from that room. You can join again in 10 minutes.\n",
        ));
        bob.send(say("/방 로비\n", "/join lobby\n")).expect_joined("robert");
        let mut again = server.connect();
        again.expect("ID:");
        let name_kicked = say(
            "내보내진 사람의 이름입니다. 10분 뒤에 다시 쓸 수 있습니다.\n로그인ID:",
            "Someone with that name was removed. The name can be used again in 10 minutes.\nLogin ID:",
        );
        again.send(format!("/join #{key}\n")).expect("ID:");
        for name in ["bob", "BOB", "b0b"] {
            again.send(format!("{name}\n")).expect_next(name_kicked);
        }
        again.send("another\n").expect_joined("another");
        alice.expect_joined("another");
        again
            .send("/nick Bob\n")
            .expect_next(name_kicked.split_inclusive('\n').next().unwrap_or(""));
        alice.send("/unkick robert\n");
        let unkicked = say(
            "-- [alice]님이 [bob]님을 다시 들어올 수 있게 했습니다 --",
            "-- [alice] allowed [bob] back in --",
        );
        check_told(&mut [&mut alice, &mut again], unkicked);
        server.settle();
        alice.send("/내보내기해제 bob\n").expect_next(words(say, Notice::Already));
        alice.expect_line();
        bob.send(format!("/join #{key}\n")).expect_joined("robert");
        alice.expect_joined("robert");
    });
}

#[test]
fn mute_keeps_from_speaking_in_the_room_until_it_is_over() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, key) = private_room(server);
        alice.send("/mute bob 10m\n");
        let muted = say(
            "-- [alice]님이 [bob]님의 채팅을 10분 동안 금지했습니다 --",
            "-- [alice] muted [bob] for 10 minutes --",
        );
        check_told(&mut [&mut alice, &mut bob], muted);
        let refused = say(
            "채팅이 금지되어 있습니다. 10분 남았습니다.\n",
            "You are muted for another 10 minutes.\n",
        );
        for line in ["hm", "/me hm", "/topic hm", "/nick hm"] {
            bob.send(format!("{line}\n")).expect_next(refused);
        }
        // Leaving and coming back changes nothing.
        bob.send("/leave\n").expect_joined("bob");
        bob.send("free\n").expect_next("[bob] free\n");
        bob.send(format!("/join #{key}\n")).expect_joined("bob");
        alice.expect_line();
        alice.expect_joined("bob");
        bob.send("hm\n").expect_next(refused);
        alice.send("/unmute bob\n");
        let unmuted =
            say("-- [bob]님의 채팅 금지가 풀렸습니다 --", "-- [bob] is no longer muted --");
        check_told(&mut [&mut alice, &mut bob], unmuted);
        bob.send("ah\n");
        check_told(&mut [&mut alice, &mut bob], "[bob] ah");
        alice.send("/unmute bob\n").expect_next(words(say, Notice::Already) + "\n");

        alice.send("/mute bob 1s\n").expect_line();
        bob.expect_line();
        check_told(&mut [&mut alice, &mut bob], unmuted);
        alice.send("/mute bob\n");
        let muted =
            say("-- [alice]님이 [bob]님의 채팅을 금지했습니다 --", "-- [alice] muted [bob] --");
        check_told(&mut [&mut alice, &mut bob], muted);
        bob.send("hm\n").expect_next(say(
            "채팅이 금지되어 있습니다.\n",
            "You are muted and can't speak now.\n",
        ));
        bob.send("/quit not this either\n").expect_closed();
        alice.expect_next(say("[bob]님이 퇴장했습니다.\n", "[bob] left.\n"));
    });
}

#[test]
fn lock_and_limit_let_nobody_new_in() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, key) = private_room(server);
        alice.send("/lock\n");
        let locked = say("-- [alice]님이 방을 잠갔습니다 --", "-- [alice] locked the room --");
        check_told(&mut [&mut alice, &mut bob], locked);
        let already = words(say, Notice::Already) + "\n";
        alice.send("/lock\n").expect_next(&already);
        let refused = say(
            "방이 잠겨 있어 들어갈 수 없습니다.\n",
            "The room is locked. No one can join now.\n",
        );
        let mut carol = server.connect();
        carol.expect("ID:");
        carol.send(format!("/join #{key}\n")).expect_next(refused);
        carol.login_to("lobby", "carol");
        carol.send(format!("/join #{key}\nstill here\n")).expect_next(refused);
        carol.expect_next("[carol] still here\n");
        // The owner may come back.
        alice.send("/leave\n").expect_joined("alice");
        bob.expect_line();
        alice.send(format!("/join #{key}\n")).expect_joined("alice");
        bob.expect_joined("alice");
        alice.send("/unlock\n");
        let unlocked =
            say("-- [alice]님이 방의 잠금을 풀었습니다 --", "-- [alice] unlocked the room --");
        check_told(&mut [&mut alice, &mut bob], unlocked);
        alice.send("/unlock\n").expect_next(&already);

        alice.send("/limit 2\n");
        let limited = say(
            "-- [alice]님이 정원을 2명으로 정했습니다 --",
            "-- [alice] limited the room to 2 people --",
        );
        check_told(&mut [&mut alice, &mut bob], limited);
        carol.expect_joined("alice");
        carol.expect_line();
        carol
            .send(format!("/join #{key}\n"))
            .expect_next(say("방이 가득 찼습니다. (정원 2명)\n", "The room is full (limit: 2).\n"));
        alice.send("/limit 3\n").expect_line();
        carol.send(format!("/join #{key}\n")).expect_joined("carol");
        alice.send("/limit 0\n");
        alice.expect(say("사용법: /정원 인원\n", "Usage: /limit N\n"));
    });
}

#[test]
fn end_closes_the_room_for_all_and_for_good() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, key) = private_room(server);
        alice.send("/end\n");
        let ended = say("-- [alice]님이 방을 닫았습니다 --", "-- [alice] closed the room --");
        let no_room = say(NO_ROOM.0, NO_ROOM.1);
        check_told(&mut [&mut alice, &mut bob], ended);
        bob.expect_next(no_room);
        // The owner moves to the lobby.
        let in_lobby = words(say, Notice::Entered { room: LOBBY, members: 1, topic: None }) + "\n";
        alice.expect_next(&in_lobby).expect_joined("alice");
        alice.send(format!("/join #{key}\n")).expect_next(words(say, Notice::NoSuchRoom));
        for line in ["hello?", "/who", "/history", "/invite", "/end", "/lock", "/ping"] {
            bob.send(format!("{line}\n"));
            let answer = bob.expect_line() + "\n";
            let pong = say("퐁\n", "pong\n");
            assert!(answer == no_room || (line == "/ping" && answer == pong), "{answer}");
        }
        bob.send(format!("/join #{key}\n")).expect_next(words(say, Notice::NoSuchRoom) + "\n");
        let in_lobby = words(say, Notice::Entered { room: LOBBY, members: 2, topic: None });
        bob.send("/leave\n").expect(in_lobby);
        server.console_expect(say(" 방이 닫혔습니다.\n", " closed.\n"));
    });
}

#[test]
fn only_the_owner_moderates_and_only_other_members() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, _key) = private_room(server);
        let _carol = server.login("carol");
        let owner_only = say(
            "비공개 방의 방장만 할 수 있습니다.\n",
            "Only the owner of a private room can do that.\n",
        );
        for line in [
            "/kick alice",
            "/mute alice",
            "/unmute alice",
            "/lock",
            "/unlock",
            "/limit 5",
            "/end",
            "/owner bob",
        ] {
            bob.send(format!("{line}\n")).expect_next(owner_only);
        }
        let not_here = say(
            "이 방에 그런 사람이 없습니다. (방에 있는 사람: /누구)\n",
            "No one in this room has that name. (who is here: /who)\n",
        );
        let nobody = words(say, Notice::Nobody) + "\n";
        let oneself = words(say, Notice::Oneself) + "\n";
        for command in ["/kick", "/mute", "/owner"] {
            alice.send(format!("{command} carol\n")).expect_next(not_here);
            alice.send(format!("{command} dave\n")).expect_next(&nobody);
            alice.send(format!("{command} alice\n")).expect_next(&oneself);
            alice.send(format!("{command}\n")).expect_next(say("사용법: ", "Usage: "));
            alice.expect_line();
        }
        // A public room has no owner, not even the member who made it.
        bob.send("/join math\n").expect_joined("bob");
        bob.send("/lock\n").expect_next(owner_only);
        bob.send("/leave\n").expect_joined("bob");
        bob.send("/kick carol\n").expect_next(owner_only);
    });
}

#[test]
fn owner_hands_the_room_over() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, _key) = private_room(server);
        alice.send("/owner bob\n");
        let owner =
            say("-- [bob]님이 방장이 되었습니다 --", "-- [bob] is now the owner of the room --");
        check_told(&mut [&mut alice, &mut bob], owner);
        alice.send("/lock\n").expect_next(words(say, Notice::OwnerOnly));
        bob.send("/내보내기 alice\n");
        bob.expect_next(say(
            "-- [bob]님이 [alice]님을 내보냈습니다 --\n",
            "-- [bob] removed [alice] --\n",
        ));
    });
}

#[test]
fn ownership_passes_to_the_longest_standing_member() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob, key) = private_room(server);
        let mut carol = server.connect();
        carol.login_to(&format!("#{key}"), "carol");
        bob.expect_joined("carol");
        // Members who leave and come back count as the newest.
        bob.send("/leave\n").expect_joined("bob");
        carol.expect_line();
        bob.send(format!("/join #{key}\n")).expect_joined("bob");
        carol.expect_joined("bob");
        let own = |name: &str| {
            let (korean, english) = (
                format!("-- [{name}]님이 방장이 되었습니다 --"),
                format!("-- [{name}] is now the owner of the room --"),
            );
            say(&korean, &english).to_owned()
        };
        // An owner in another room is still the owner, until they disconnect.
        alice.send("/leave\n").expect("[alice]");
        carol.expect_line();
        bob.expect_line();
        alice.send(format!("/join #{key}\n/lock\n/unlock\n/quit\n"));
        for member in [&mut bob, &mut carol] {
            member.expect_joined("alice");
            member.expect(say("잠금을 풀었습니다 --\n", "unlocked the room --\n"));
            member.expect_next(say("[alice]님이 퇴장했습니다.\n", "[alice] left.\n"));
            member.expect_next(own("carol") + "\n");
        }
        drop(carol);
        bob.expect_line();
        bob.expect_next(own("bob") + "\n");
        drop(bob);
        // The first to enter a room without an owner owns it.
        let mut dave = server.connect();
        server.console_expect(say("[bob] 퇴장", "[bob] left"));
        dave.login_to(&format!("#{key}"), "dave");
        dave.expect_next(own("dave") + "\n");
    });
}

#[test]
fn an_ended_mute_is_told_once_whoever_ends_it() {
    let server = TestServer::start(|config| config.lang = Lang::En);
    let (mut alice, mut bob, key) = private_room(&server);
    let mut carol = server.connect();
    carol.login_to(&format!("#{key}"), "carol");
    for client in [&mut alice, &mut bob] {
        client.expect_joined("carol");
    }
    alice.send("/mute bob 1s\n/unmute bob\n/mute bob 1d\n/mute carol 1s\n");
    for line in ["-- [alice] muted [bob] for 1 second --", "-- [bob] is no longer muted --"] {
        check_told(&mut [&mut alice, &mut bob], line);
    }
    check_told(&mut [&mut alice, &mut bob], "-- [alice] muted [bob] for 1 day --");
    // The first mute's deadline comes before carol's mute ends, and must not end the second
    // mute.
    for line in ["-- [alice] muted [carol] for 1 second --", "-- [carol] is no longer muted --"] {
        check_told(&mut [&mut alice, &mut bob], line);
    }
    let muted = Notice::Muted { seconds: Some(24 * 60 * 60) };
    bob.send("hm\n").expect_next(muted.text(Lang::En) + "\n");
}

#[test]
fn a_member_muted_by_the_operator_says_nothing_to_anybody_at_any_door() {
    Member::at_every_door("alice", |server, mut alice| {
        let mut bob = server.login("bob");
        bob.send("/msg alice hi\n").expect("hi\n");
        alice.all_of("/ping");
        server.operate("/mute alice 10m");
        bob.expect_next("-- 운영자가 [alice]님의 채팅을 10분 동안 금지했습니다 --\n");
        alice.all_of("/ping");
        let muted = &Notice::Muted { seconds: Some(600) }.text(Lang::Ko);
        let words = [
            "psst",
            "/me psst",
            "/msg bob psst",
            "/귓 bob psst",
            "/reply psst",
            "/topic psst",
            "/topic -",
            "/nick psst",
            "/new psst",
        ];
        for line in words {
            alice.expect_refused(line, "muted", muted);
        }
        // In a room of her own, and in no room.
        alice.all_of("/new");
        bob.expect_next("[alice]님이 퇴장했습니다.\n");
        for line in words {
            alice.expect_refused(line, "muted", muted);
        }
        server.operate("/kick alice");
        alice.all_of("/ping");
        for line in ["/msg bob psst", "/reply psst", "/nick psst", "/new psst"] {
            alice.expect_refused(line, "muted", muted);
        }
        alice.all_of("/leave");
        bob.expect_joined("alice");
        server.operate("/unmute alice");
        bob.expect_next("-- [alice]님의 채팅 금지가 풀렸습니다 --\n");
        alice.all_of("/msg bob at last");
        bob.expect_next("[귓속말 alice] at last\n");
        server.operate("/mute alice");
        bob.expect_next("-- 운영자가 [alice]님의 채팅을 금지했습니다 --\n");
        alice.all_of("/ping");
        let muted = &Notice::Muted { seconds: None }.text(Lang::Ko);
        alice.expect_refused("/msg bob psst", "muted", muted);
        alice.send("/quit psst");
        bob.expect_next("[alice]님이 퇴장했습니다.\n");
    });
}

#[test]
fn a_member_muted_by_the_owner_may_whisper_and_speak_elsewhere() {
    Member::at_every_door("bob", |server, mut bob| {
        let mut alice = server.login("alice");
        let key = alice.make_room();
        bob.all_of(&format!("/join #{key}"));
        alice.expect_joined("bob");
        alice.send("/mute bob\n").expect("금지했습니다 --\n");
        server.settle();
        bob.all_of("/ping");
        let muted = &Notice::Muted { seconds: None }.text(Lang::Ko);
        for line in ["psst", "/me psst", "/topic psst", "/nick psst"] {
            bob.expect_refused(line, "muted", muted);
        }
        bob.all_of("/msg alice why?");
        alice.expect_next("[귓속말 bob] why?\n");
        bob.all_of("/leave");
        alice.expect_next("[bob]님이 퇴장했습니다.\n");
        let heard = bob.all_of("free");
        assert!(heard.iter().any(|line| line.contains("free")), "{heard:?}");
    });
}

#[test]
fn a_kicked_member_is_kept_out_at_any_door_and_led_to_the_lobby() {
    Member::at_every_door("bob", |server, mut bob| {
        let mut alice = server.login("alice");
        let key = alice.make_room();
        bob.all_of(&format!("/join #{key}"));
        alice.expect_joined("bob");
        alice.send("/kick bob\n").expect("내보냈습니다 --\n");
        let kicked = json!({"type": "kicked", "user": "bob", "seconds": 600, "by": "alice"});
        bob.expect_event(kicked, "-- [alice]님이 [bob]님을 내보냈습니다 --");
        let no_room = NO_ROOM.0.trim_end();
        if !bob.speaks_json() {
            assert_eq!(bob.expect_one(), no_room);
        }
        bob.expect_refused("still here?", "no_room", no_room);
        let refused = &Notice::Kicked { seconds: 600 }.text(Lang::Ko);
        bob.expect_refused(&format!("/join #{key}"), "kicked", refused);
        bob.all_of("/방 로비");
        // If the room is refused, the member stays in the current one.
        bob.expect_refused(&format!("/join #{key}"), "kicked", refused);
        bob.all_of("/nick robert");
        bob.expect_refused(&format!("/join #{key}"), "kicked", refused);
        let heard = bob.all_of("in the lobby");
        assert!(heard.iter().any(|line| line.contains("in the lobby")), "{heard:?}");
        // The name, which is free now, at the other doors too.
        let name_kicked = &Notice::NameKicked { seconds: 600 }.text(Lang::Ko);
        let mut json = server.connect();
        json.become_json();
        let login =
            json!({"type": "login", "name": "BOB", "room": format!("#{key}"), "nonce": "1"});
        json.send_json(login);
        assert_eq!(json.expect_error("kicked", Some("1")), *name_kicked);
        // Members are told of a rename before the name is free.
        let welcome = loop {
            json.send_json(json!({"type": "login", "name": "bob", "history": 0}));
            let answer = json.expect_json();
            if answer["code"] != "name_taken" {
                break answer;
            }
        };
        assert_eq!((&welcome["type"], &welcome["room"]), (&json!("welcome"), &json!("lobby")));
        json.expect_message("joined");
        json.send_json(json!({"type": "command", "line": format!("/join #{key}"), "nonce": "2"}));
        assert_eq!(json.expect_error("kicked", Some("2")), *name_kicked);
        alice.send("/unkick bob\n").expect("들어올 수 있게 했습니다 --\n");
        server.settle();
        bob.all_of("/ping");
        bob.all_of(&format!("/join #{key}"));
        alice.expect_joined("robert");
    });
}

#[test]
fn a_member_kicked_from_the_lobby_is_sent_away_and_kept_out_at_every_door() {
    Member::at_every_door("bob", |server, mut bob| {
        let token = bob.token.take();
        let mut alice = server.login("alice");
        server.settle();
        bob.all_of("/ping");
        server.operate("/kick bob");
        alice.expect_next("-- 운영자가 [bob]님을 내보냈습니다 --\n");
        let kicked = json!({"type": "kicked", "user": "bob", "seconds": 600});
        bob.expect_event(kicked, "-- 운영자가 [bob]님을 내보냈습니다 --");
        // A teacher may have done it, so it does not say who.
        let goodbye = told(Notice::Goodbye(Goodbye::Kicked { seconds: 600 }));
        let bye = match bob.speaks_json() {
            true => r#"{"type":"bye","reason":"kicked","seconds":600}"#,
            false => goodbye.trim_end(),
        };
        bob.expect_goodbye(&[bye]);
        server.console_expect("[bob] 퇴장 (127.0.0.1: 로비에서 내보냄)");

        let refused = &Notice::NameKicked { seconds: 600 }.text(Lang::Ko);
        let mut text = server.connect();
        text.expect("ID:");
        for line in ["bob", "/join math", "BOB"] {
            let prompt = text.send(format!("{line}\n")).expect("ID:");
            assert_eq!(prompt.contains(refused), !line.starts_with('/'), "{prompt}");
        }
        let mut json = server.connect();
        json.become_json();
        for login in [
            json!({"type": "login", "name": "bob"}),
            json!({"type": "login", "name": "b0b", "room": "math"}),
            json!({"type": "login", "name": "bob", "new_room": true}),
        ] {
            json.send_json(login);
            assert_eq!(json.expect_error("kicked", None), *refused);
        }
        if let Some(token) = token {
            json.send_json(json!({"type": "login", "session": token, "room": "lobby"}));
            let refused = &Notice::Kicked { seconds: 600 }.text(Lang::Ko);
            assert_eq!(json.expect_error("kicked", None), *refused);
        }
        alice.send("/nick bob\n").expect_next(format!("{refused}\n"));
        server.operate("/unkick BOB");
        alice.expect_next("-- 운영자가 [bob]님을 다시 들어올 수 있게 했습니다 --\n");
        text.send("bob\n").expect_joined("bob");
        json.send_json(json!({"type": "login", "name": "carol"}));
        json.expect_message("welcome");
    });
}

#[test]
fn a_kick_from_a_public_room_outlives_the_room() {
    let window = Duration::from_millis(50);
    let server = TestServer::start(|config| config.empty_room_window = window);
    let mut bob = server.login("bob");
    bob.send("/join math\n").expect_joined("bob");
    server.operate("/kick bob");
    bob.expect(NO_ROOM.0);
    server.console_expect("math 방이 닫혔습니다");
    bob.send("/join MATH\n").expect_next(told(Notice::Kicked { seconds: 600 }));
    bob.send("/join lobby\n").expect_joined("bob");
    // The operator's announcement reaches the members of the closed room.
    server.operate("/unkick bob");
    bob.send("/join math\n").expect_joined("bob");
}

#[test]
fn an_owner_who_closes_the_room_is_taken_to_the_lobby_at_any_door() {
    Member::at_every_door("alice", |server, mut alice| {
        let mut bob = server.login("bob");
        alice.all_of("/new");
        bob.expect("퇴장했습니다.\n");
        let heard = alice.all_of("/end");
        let is_there = |text: &str| heard.iter().any(|line| line.contains(text));
        assert!(
            (is_there("lobby") || is_there("로비")) && !is_there("no_room") && !is_there(NO_ROOM.0),
            "{heard:?}"
        );
        bob.expect_joined("alice");
        alice.send("here");
        bob.expect_next("[alice] here\n");
    });
}

#[test]
fn announcements_also_reach_people_in_no_room() {
    Member::at_every_door("bob", |server, mut bob| {
        bob.all_of("/join math");
        server.operate("/kick bob");
        bob.all_of("/ping");
        bob.expect_refused("hello?", "no_room", NO_ROOM.0.trim_end());
        server.operate("/say 공지입니다");
        let told = bob.expect_one();
        if bob.speaks_json() {
            let told: Value = serde_json::from_str(&told).expect("it is JSON");
            assert_eq!(told, json!({"type": "notice", "text": "[서버] 공지입니다"}));
        } else {
            assert_eq!(told, "[서버] 공지입니다");
        }
    });
}

/// The answer to a client that comes back to the session of `token`.
#[track_caller]
fn come_back(server: &TestServer, token: &str) -> Value {
    let mut client = server.connect();
    client.become_json();
    client.send_json(json!({"type": "login", "session": token}));
    client.expect_json()
}

#[test]
fn a_banned_session_is_over() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut alice = server.connect();
    let token = alice.login_json("alice")["session"].as_str().expect("a token").to_owned();
    bob.expect_joined("alice");
    server.operate("/ban alice");
    assert_eq!(alice.expect_message("bye")["reason"], "banned");
    alice.expect_closed();
    // At once, not after its 60 s.
    bob.expect_next("[alice]님이 퇴장했습니다.\n");
    assert_eq!(come_back(&server, &token)["code"], "session_unknown");
    let mut again = server.connect();
    again.become_json();
    let login = json!({"type": "login", "name": "alice", "previous": token, "nonce": "1"});
    again.send_json(login.clone());
    again.expect_error("name_banned", Some("1"));
    server.operate("/unban alice");
    assert_eq!(come_back(&server, &token)["code"], "session_unknown");
    again.send_json(login);
    let welcome = again.expect_message("welcome");
    assert_eq!(welcome["resumed"], false);
    assert_ne!(welcome["session"], token);
}

#[test]
fn a_session_that_is_banned_while_it_is_away_is_over_too() {
    let server = TestServer::start(|_| {});
    let mut alice = server.connect();
    let token = alice.login_json("alice")["session"].as_str().expect("a token").to_owned();
    alice.reset();
    server.console_expect("[alice] 연결 끊김 (");
    server.operate("/ban alice");
    assert_eq!(come_back(&server, &token)["reason"], "banned");
    server.console_expect("[alice] 퇴장");
    server.operate("/unban alice");
    assert_eq!(come_back(&server, &token)["code"], "session_unknown");
}

#[test]
fn a_banned_range_holds_at_every_door() {
    for range in ["127.0.0.0/8", "127.0.0.1/31", "::ffff:127.0.0.0/104"] {
        let server = TestServer::start_with_tls(|_| {});
        server.operate("/ban 10.0.0.0/8");
        server.operate("/ban 127.0.0.2/32");
        let mut lines = server.login("lines");
        let mut json = server.login_json("json");
        let mut tls = server.login_tls("tls");
        let mut wss = server.connect_wss("/", &[]);
        wss.login("wss");
        let mut nameless = server.connect();
        nameless.expect("ID:");
        server.operate(&format!("/ban {range}"));
        let words = Notice::Goodbye(Goodbye::Banned).text(Lang::Ko) + "\n";
        for client in [&mut lines, &mut nameless] {
            client.expect(&words);
            client.expect_closed();
        }
        // Over TLS, a slow peer is cut off without a close_notify.
        tls.expect(&words);
        while json.expect_json()["type"] != "bye" {}
        while wss.peek_is_message() {
            wss.expect_message();
        }
        assert_eq!(wss.expect_close_code(), Some(1008));
        // Nobody gets in, by any door.
        let mut refused = server.connect();
        refused.expect_next(&words).expect_closed();
        assert!(server.connect_tls().shake_hands().is_err());
        server.operate(&format!("/unban {range}"));
        server.login("again");
        let told = server.console();
        assert!(!told.contains(&Notice::Already.text(Lang::Ko)), "{told}");
    }
}
