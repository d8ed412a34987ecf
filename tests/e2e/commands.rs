//! Every command for members, accepted and refused, byte for byte in Korean and in English. The
//! owner's commands are in `moderation`.

use madang_protocol::{command::Switch, notice::Notice, text::Lang};
use madang_tests::{TestClient, TestServer};
use serde_json::json;

/// Picks the text in the server's language.
pub(crate) type Say = for<'a> fn(&'a str, &'a str) -> &'a str;

pub(crate) fn in_both_languages(check: fn(&TestServer, Say)) {
    let korean: Say = |korean, _| korean;
    let english: Say = |_, english| english;
    for (lang, say) in [(Lang::Ko, korean), (Lang::En, english)] {
        check(&TestServer::start(|config| config.lang = lang), say);
    }
}

/// The text of a notice in that language. The wording itself is asserted once, where the notice
/// first appears.
pub(crate) fn words(say: Say, notice: Notice<'_>) -> String {
    say(&notice.text(Lang::Ko), &notice.text(Lang::En)).to_owned()
}

#[track_caller]
fn check(client: &mut TestClient, line: &str, answer: &str) {
    client.send(format!("{line}\n")).expect_next(format!("{answer}\n"));
}

#[test]
fn help_explains_one_command_by_any_of_its_names() {
    in_both_languages(|server, say| {
        let mut alice = server.login("alice");
        let invite = say(
            "/초대 [qr|단어]     초대 링크를 봅니다\n이 방의 링크와 터미널에서 쓸 명령을\n\
             보여 줍니다.\nQR 코드까지 보려면: /초대 qr\n/초대 단어: 말로 알려 줄 단어 세 개\n\
             (비공개 방, 10분 동안)",
            "/invite [qr|words]  invite others here\nShows this room's link and the commands\n\
             for terminals. /invite qr draws a\nQR code too. /invite words: three words\n\
             to say aloud, which open a private room\nfor 10 minutes.",
        );
        for line in ["/help invite", "/help /초대", "/도움말 INVITE"] {
            check(&mut alice, line, invite);
        }
        check(
            &mut alice,
            "/help dance",
            say("사용법: /도움말 [명령|전체]", "Usage: /help [CMD|all]"),
        );
    });
}

#[test]
fn who_lists_another_public_room_and_no_private_one() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        bob.send("/join math\n").expect_joined("bob");
        alice.expect_line();
        check(&mut alice, "/who MATH", say("대화 참여자 1명: bob", "1 here: bob"));
        check(&mut alice, "/누구 로비", say("대화 참여자 1명: alice", "1 here: alice"));
        check(&mut alice, "/who chess", &words(say, Notice::NoPublicRoom));
        bob.make_room();
        alice.send("/who private-0000\n");
        assert!(!alice.expect_line().contains("bob"));
    });
}

#[test]
fn whois_tells_the_public_room_and_nothing_of_a_private_one() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        #[track_caller]
        fn check_whois(alice: &mut TestClient, name: &str, place: &str) {
            alice.send(format!("/whois {name}\n")).expect_next(place);
            let since = alice.expect_line();
            assert!(since.ends_with('초') || since.contains(" second"), "{since}");
        }
        let lobby = say("bob: 로비, 접속한 지 ", "bob: in the lobby, connected for ");
        check_whois(&mut alice, "BOB", lobby);
        bob.make_room();
        alice.expect_line();
        let nowhere =
            say("bob: 공개 방에 없음, 접속한 지 ", "bob: not in a public room, connected for ");
        check_whois(&mut alice, "bob", nowhere);
        let nobody = say(
            "그런 이름을 쓰는 사람이 없습니다. (방에 있는 사람: /누구)",
            "No one on this server has that name. (who is here: /who)",
        );
        for name in ["carol", "admin", "a!"] {
            check(&mut alice, &format!("/정보 {name}"), nobody);
        }
        check(&mut alice, "/whois", say("사용법: /정보 이름", "Usage: /whois NAME"));
    });
}

#[test]
fn rooms_lists_the_public_ones_the_lobby_first_and_then_the_fullest() {
    in_both_languages(|server, say| {
        let mut alice = server.login("alice");
        let mut others: Vec<TestClient> =
            ["b", "c", "d"].map(|name| server.login(name)).into_iter().collect();
        for (other, room) in others.iter_mut().zip(["art", "수학", "수학"]) {
            other.send(format!("/join {room}\n"));
            other.expect("--");
            other.expect("--\n");
        }
        others[1].send("/topic 덧셈\n").expect(say("정한 주제: 덧셈", "set the topic: 덧셈"));
        others[2].send("/ping\n").expect(say("퐁", "pong"));
        alice.send("/방목록\n").expect(say("공개 방:\n", "Public rooms:\n"));
        alice.expect_next(say(
            "  로비 (1명)\n  수학 (2명) · 덧셈\n  art (1명)\n",
            "  lobby (1)\n  수학 (2) · 덧셈\n  art (1)\n",
        ));
        others[0].send("/new secret\n").expect(say("/로비", "/leave"));
        alice.send("/rooms\n/ping\n");
        let list = alice.expect(say("퐁", "pong"));
        assert!(!list.contains("secret") && !list.contains("private"), "{list}");
    });
}

#[test]
fn join_goes_to_a_public_room_and_leave_goes_back() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        let joined = say("님이 입장했습니다.\n", " joined.\n");
        let left = say("님이 퇴장했습니다.\n", " left.\n");
        alice.send("before\n").expect_next("[alice] before\n");
        alice.send("/join 수학\n");
        alice.expect_next(say(
            "-- 수학 방에 들어왔습니다. 대화 참여자 1명 --\n",
            "-- you are in 수학; 1 here --\n",
        ));
        alice.expect_next(format!("[alice]{joined}"));
        bob.expect_next(format!("[alice] before\n[alice]{left}"));
        bob.send("not heard\n").expect_next("[bob] not heard\n");
        alice.send("3+4?\n").expect_next("[alice] 3+4?\n");
        alice.send("/topic 덧셈\n").expect_line();

        bob.send("/방 수학\n");
        bob.expect_next(say(
            "-- 수학 방에 들어왔습니다. 대화 참여자 2명, 주제: 덧셈 --\n-- 이전 대화 1줄 --\n",
            "-- you are in 수학; 2 here, topic: 덧셈 --\n-- 1 earlier line --\n",
        ));
        bob.expect_next(format!("[alice] 3+4?\n[bob]{joined}"));
        alice.expect_next(format!("[bob]{joined}"));
        let there = say("이미 그 방에 있습니다.", "You are already in that room.");
        check(&mut bob, "/join 수학", there);

        bob.send("/로비\n");
        alice.expect_next(format!("[bob]{left}"));
        bob.expect_next(say(
            "-- 로비에 들어왔습니다. 대화 참여자 1명 --\n-- 이전 대화 2줄 --\n",
            "-- you are in the lobby; 1 here --\n-- 2 earlier lines --\n",
        ));
        bob.expect_next(format!("[alice] before\n[bob] not heard\n[bob]{joined}"));
        check(&mut bob, "/leave", there);
        check(
            &mut bob,
            "/join a b",
            say(
                "이름에는 빈칸을 쓸 수 없습니다. a_b는 어떨까요?",
                "A name can't have spaces. How about a_b?",
            ),
        );
        let usage = say("사용법: /방 방|링크", "Usage: /join ROOM|LINK");
        check(&mut bob, "/join", usage);
        check(&mut bob, "/leave now", say("사용법: /로비", "Usage: /leave"));
    });
}

#[test]
fn join_at_the_prompt_holds_until_a_name_is_good() {
    in_both_languages(|server, say| {
        let mut lobby = server.login("lobbyist");
        let mut alice = server.login("alice");
        lobby.expect_joined("alice");
        alice.send("/join math\n").expect_joined("alice");
        lobby.expect_line();
        let mut bob = server.connect();
        bob.expect("ID:");
        bob.send("/join math\n").expect_next(say(
            "이름을 입력하면 math 방으로 들어갑니다.\n로그인ID:",
            "Type your name to join math.\nLogin ID:",
        ));
        // With a name in use and with an invalid one, the chosen room is kept.
        bob.send("alice\n").expect("ID:");
        bob.send("a b\n").expect("ID:");
        bob.send("bob\n").expect_next(say(
            "-- math 방에 들어왔습니다. 대화 참여자 2명 --\n",
            "-- you are in math; 2 here --\n",
        ));
        bob.expect_joined("bob");
        alice.expect_joined("bob");
        lobby.send("/ping\n").expect_next(say("퐁\n", "pong\n"));
    });
}

#[test]
fn msg_reaches_one_and_reply_goes_back_whatever_they_are_called_now() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        let nothing = say(
            "답할 귓속말이 없거나, 보낸 사람이 나갔습니다.",
            "No whisper to answer, or its sender has left.",
        );
        check(&mut bob, "/reply hm", nothing);
        check(
            &mut alice,
            "/msg BOB 쉿, 비밀",
            say("[귓속말 → bob] 쉿, 비밀", "[whisper → bob] 쉿, 비밀"),
        );
        bob.expect_next(say("[귓속말 alice] 쉿, 비밀\n", "[whisper alice] 쉿, 비밀\n"));
        alice.send("/nick alicia\n").expect_line();
        bob.expect_line();
        // Somebody else with the old name is not the sender of the whisper.
        let mut other = server.login_when_free("alice");
        alice.expect_joined("alice");
        bob.expect_joined("alice");
        check(&mut bob, "/답 알았어", say("[귓속말 → alicia] 알았어", "[whisper → alicia] 알았어"));
        alice.expect_next(say("[귓속말 bob] 알았어\n", "[whisper bob] 알았어\n"));
        other.send("/ping\n").expect_next(say("퐁\n", "pong\n"));

        // To another room, but not to somebody who has left.
        alice.make_room();
        bob.expect_line();
        check(
            &mut bob,
            "/귓 alicia 어디?",
            say("[귓속말 → alicia] 어디?", "[whisper → alicia] 어디?"),
        );
        alice.expect(say("[귓속말 bob] 어디?\n", "[whisper bob] 어디?\n"));
        alice.send("/quit\n").expect_closed();
        server.console_expect(say("[alicia] 퇴장", "[alicia] left"));
        check(&mut bob, "/reply gone", nothing);
        let nobody = &words(say, Notice::Nobody);
        check(&mut bob, "/msg alicia hi", nobody);
        let oneself = say("자기 자신에게는 할 수 없습니다.", "You can't do that to yourself.");
        check(&mut bob, "/msg bob hi", oneself);
        check(&mut bob, "/msg alice", say("사용법: /귓 이름 말", "Usage: /msg NAME TEXT"));
        check(&mut bob, "/reply", say("사용법: /답 말", "Usage: /reply TEXT"));
    });
}

#[test]
fn nick_changes_a_name_for_all_and_frees_the_old_one() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        alice.send("/nick 앨리스\n");
        let renamed = say(
            "-- [alice]님의 이름이 [앨리스]로 바뀌었습니다 --\n",
            "-- [alice] is now [앨리스] --\n",
        );
        alice.expect_next(renamed);
        bob.expect_next(renamed);
        alice.send("나야\n").expect_next("[앨리스] 나야\n");
        bob.expect_next("[앨리스] 나야\n");
        let _new = server.login_when_free("alice");
        alice.expect_joined("alice");
        for (name, free) in [("bob", "bob-2"), ("B0B", "B0B-2"), ("ALICE", "ALICE-2")] {
            let in_use = say(
                "이미 등록된 사용자입니다.\n쓸 수 있는 이름: ",
                "That name is already in use.\nThis one is free: ",
            );
            check(&mut alice, &format!("/이름 {name}"), &format!("{in_use}{free}"));
        }
        check(
            &mut alice,
            "/nick 앨리스",
            say("지금 쓰는 이름과 같습니다.", "That is already your name."),
        );
        check(
            &mut alice,
            "/nick 운영자",
            say(
                "서버가 쓰는 이름이거나 그렇게 보이는 이름입니다. 다른 이름을 고르세요.",
                "That name is reserved for the server, or looks like one that is. Choose another.",
            ),
        );
        check(&mut alice, "/nick", say("사용법: /이름 새이름", "Usage: /nick NAME"));
        bob.expect_joined("alice");
        bob.send("/누구\n").expect_next(say(
            "대화 참여자 3명: 앨리스, bob, alice\n",
            "3 here: 앨리스, bob, alice\n",
        ));
        server.console_expect(say("[alice] → [앨리스]", "[alice] is now [앨리스]"));
    });
}

#[test]
fn me_shows_an_action_and_quit_can_carry_last_words() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        bob.send("/me 손을 흔든다\n").expect_next("* bob 손을 흔든다\n");
        bob.send("/나  웃는다\n").expect_next("* bob 웃는다\n");
        alice.expect_next("* bob 손을 흔든다\n* bob 웃는다\n");
        check(&mut bob, "/me", say("사용법: /나 말", "Usage: /me TEXT"));
        let long = format!("/quit {}", "x".repeat(401));
        check(
            &mut bob,
            &long,
            say(
                "400바이트(한글 약 133자)까지 쓸 수 있습니다. 이 글은 401바이트입니다.",
                "Too long: 401 bytes; the limit is 400 (about 133 Korean or 400 English letters).",
            ),
        );
        bob.send("/나가기 내일 봐요\n").expect_closed();
        alice
            .expect_next(say("[bob]님이 퇴장했습니다. (내일 봐요)\n", "[bob] left. (내일 봐요)\n"));
    });
}

#[test]
fn topic_is_shown_set_and_cleared() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        let none = say(
            "주제가 없습니다. 정하려면: /주제 내용",
            "There is no topic. To set one: /topic TEXT",
        );
        check(&mut alice, "/주제", none);
        let set = say(
            "-- [alice]님이 정한 주제: 오늘의 숙제 --",
            "-- [alice] set the topic: 오늘의 숙제 --",
        );
        check(&mut alice, "/topic 오늘의 숙제", set);
        bob.expect_next(format!("{set}\n"));
        check(&mut bob, "/topic", say("주제: 오늘의 숙제", "Topic: 오늘의 숙제"));
        let already = say("바꿀 것이 없습니다.", "Nothing to change.");
        check(&mut bob, "/topic 오늘의 숙제", already);
        check(
            &mut bob,
            &format!("/topic {}", "가".repeat(134)),
            say(
                "400바이트(한글 약 133자)까지 쓸 수 있습니다. 이 글은 402바이트입니다.",
                "Too long: 402 bytes; the limit is 400 (about 133 Korean or 400 English letters).",
            ),
        );
        let cleared = say("-- [bob]님이 주제를 지웠습니다 --", "-- [bob] cleared the topic --");
        check(&mut bob, "/topic -", cleared);
        alice.expect_next(format!("{cleared}\n"));
        check(&mut bob, "/topic -", already);
        check(&mut bob, "/topic", none);
    });
}

#[test]
fn history_shows_what_was_said_with_times() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        check(
            &mut alice,
            "/history",
            say("이전 대화가 없습니다.", "There are no earlier messages."),
        );
        for at in 1..=3 {
            alice.send(format!("말 {at}\n")).expect_next(format!("[alice] 말 {at}\n"));
        }
        alice.send("/me 잔다\n").expect_next("* alice 잔다\n");
        alice.send("/topic 주제\n").expect_line();
        bob.expect("--\n");
        let mut history = |line: &str, expected: &[&str]| {
            bob.send(format!("{line}\n/ping\n"));
            let shown = bob.expect(say("퐁\n", "pong\n"));
            let untimed: Vec<&str> = shown
                .lines()
                .map(|line| {
                    let (time, rest) = line.split_once(' ').expect("a time");
                    let digits = time.split_once(':').expect("hours and minutes");
                    assert!(digits.0.len() == 2 && digits.1.len() == 2, "{time}");
                    rest
                })
                .collect();
            assert_eq!(untimed, expected);
        };
        history("/지난말", &["[alice] 말 1", "[alice] 말 2", "[alice] 말 3", "* alice 잔다"]);
        history("/history 2", &["[alice] 말 3", "* alice 잔다"]);
        history(
            "/history 999999",
            &["[alice] 말 1", "[alice] 말 2", "[alice] 말 3", "* alice 잔다"],
        );
        let usage = say("사용법: /지난말 [개수|언제]", "Usage: /history [N|WHEN]");
        for wrong in ["/history 0", "/history -1", "/history all"] {
            check(&mut bob, wrong, usage);
        }
    });
}

#[test]
fn ignore_hides_all_that_somebody_says_and_nothing_else() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        let mut carol = server.login("carol");
        alice.expect_joined("carol");
        bob.expect_joined("carol");
        check(&mut alice, "/ignore", say("차단한 사람이 없습니다.", "Nobody is ignored."));
        check(
            &mut alice,
            "/ignore BOB",
            say(
                "bob님을 차단했습니다. 풀려면: /차단해제 bob",
                "You are now ignoring bob. To stop: /unignore bob",
            ),
        );
        check(&mut alice, "/차단", say("차단한 사람: bob", "Ignored: bob"));
        bob.send("one\n/me two\n").expect_next("[bob] one\n* bob two\n");
        check(
            &mut bob,
            "/msg alice hi",
            say(
                "alice님이 나를 차단해서 전하지 못했습니다.",
                "Not delivered: alice is ignoring you.",
            ),
        );
        bob.send("/topic 주제\n").expect_line();
        carol.expect("--\n");
        carol.send("three\n").expect_next("[carol] three\n");
        alice.expect(say("정한 주제: 주제 --\n", "set the topic: 주제 --\n"));
        alice.expect_next("[carol] three\n");
        // Also after a change of name, in the history, and after a new login.
        bob.expect("[carol] three\n");
        alice.send("/history\n/ping\n");
        let history = alice.expect(say("퐁\n", "pong\n"));
        assert!(history.contains("three") && !history.contains("bob"), "{history}");
        alice.send("/join math\n").expect_joined("alice");
        alice.send("/leave\n");
        let shown = alice.expect("[alice]");
        assert!(shown.contains("three") && !shown.contains("bob"), "{shown}");
        alice.expect_line();
        bob.send("/nick robert\nfour\n").expect("[robert] four\n");
        alice.expect_next(say(
            "-- [bob]님의 이름이 [robert]로 바뀌었습니다 --\n",
            "-- [bob] is now [robert] --\n",
        ));
        check(
            &mut alice,
            "/차단해제 robert",
            say("robert님의 차단을 풀었습니다.", "You are no longer ignoring robert."),
        );
        bob.send("five\n");
        alice.expect_next("[robert] five\n");
        check(&mut alice, "/unignore robert", &words(say, Notice::Already));
        let oneself = &words(say, Notice::Oneself);
        check(&mut alice, "/ignore alice", oneself);
        let nobody = &words(say, Notice::Nobody);
        check(&mut alice, "/ignore dave", nobody);
        check(&mut alice, "/unignore", say("사용법: /차단해제 이름", "Usage: /unignore NAME"));
    });
}

#[test]
fn own_off_keeps_ones_own_lines_and_nothing_else() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        let off = words(say, Notice::OwnLines(Switch::Off));
        // One read, so one round.
        alice.send("before\n/own off\none\n/me two\n/ping\n");
        alice.expect_next(format!("[alice] before\n{off}\n{}", say("퐁\n", "pong\n")));
        bob.expect_next("[alice] before\n[alice] one\n* alice two\n");
        bob.send("three\n").expect_next("[bob] three\n");
        // Other people's messages, refusals and answers still come.
        alice.expect_next("[bob] three\n");
        check(&mut alice, "/내말 끄기", &words(say, Notice::Already));
        let long = "x".repeat(4_097);
        check(&mut alice, &long, &words(say, Notice::LineTooLong { bytes: 4_097 }));
        alice.send("/topic x\n").expect(say("정한 주제: x --\n", "set the topic: x --\n"));
        // It also holds in another room, under another name, and for earlier messages.
        alice.send("/nick alicia\n").expect(" --\n");
        alice.send("/history\n/ping\n");
        let history = alice.expect(say("퐁\n", "pong\n"));
        assert!(history.contains("[alice] one") && history.contains("three"), "{history}");
        alice.send("/join math\n").expect_joined("alicia");
        alice
            .send("four\n/own on\nfive\n")
            .expect_next(format!("{}\n[alicia] five\n", words(say, Notice::OwnLines(Switch::On))));
        let usage = say("사용법: /내말 켜기|끄기", "Usage: /own on|off");
        check(&mut alice, "/own", usage);
    });
}

#[test]
fn own_off_holds_for_text_over_websocket_and_telnet_and_is_refused_in_json() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut web = server.login_websocket("web");
    let mut telnet = server.connect();
    telnet.expect("ID:");
    telnet.send(b"\xff\xf1telnet\r\n").expect("[telnet]님이 입장했습니다.\r\n");
    server.settle();
    let off = Notice::OwnLines(Switch::Off).text(Lang::Ko);
    telnet.send("/own off\r\n").expect(format!("{off}\r\n"));
    web.send("/own off");
    while web.expect_message() != off {}
    web.send("from the web").send("/ping").expect_next("퐁");
    telnet.expect("[web] from the web\r\n");
    telnet.send("from telnet\r\n/ping\r\n");
    telnet.expect_next("퐁\r\n");
    bob.expect("[web] from the web\n");
    bob.expect("[telnet] from telnet\n");
    let mut json = server.login_json("json");
    json.send_json(json!({"type": "command", "line": "/own off", "nonce": "o"}));
    json.expect_error("text_only", Some("o"));
}

#[test]
fn ping_comes_after_all_that_was_said_before() {
    in_both_languages(|server, say| {
        let (mut alice, mut bob) = server.login_two("alice", "bob");
        alice.send("one\ntwo\n/ping\nthree\n/핑 t-1 x\n");
        alice.expect_next(format!(
            "[alice] one\n[alice] two\n{}[alice] three\n{}",
            say("퐁\n", "pong\n"),
            say("퐁 t-1 x\n", "pong t-1 x\n"),
        ));
        bob.expect_next("[alice] one\n[alice] two\n[alice] three\n");
    });
}

#[test]
fn the_operators_commands_are_unknown_to_members() {
    in_both_languages(|server, say| {
        let mut alice = server.login("alice");
        let unknown =
            say("없는 명령입니다. 명령 목록: /도움말", "Unknown command. All commands: /help");
        check(&mut alice, "/abracadabra", unknown);
        // The answer to a command that resembles a member's suggests that one.
        let begins = unknown.split_inclusive('.').next().unwrap_or_default();
        for line in ["/stop", "/ban alice", "/say hi", "/bans", "/종료"] {
            alice.send(format!("{line}\n"));
            let answer = alice.expect_line();
            assert!(answer.starts_with(begins), "{answer}");
        }
        alice.send("still here\n").expect_next("[alice] still here\n");
    });
}
