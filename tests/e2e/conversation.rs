//! A conversation over `nc`, byte for byte, in both languages.

use std::net::{Ipv4Addr, Ipv6Addr};

use madang_protocol::{command::Role, notice::Notice, text::Lang};
use madang_server::config::Listen;
use madang_tests::{TestClient, TestServer};

/// The server's texts in one language.
struct Words {
    lang: Lang,
    prompt: &'static str,
    joined: &'static str,
    left: &'static str,
    who: fn(usize, &str) -> String,
    unknown: &'static str,
    login_first: &'static str,
    guest: &'static str,
    help: &'static str,
}

const KOREAN: Words = Words {
    lang: Lang::Ko,
    prompt: "로그인ID:",
    joined: "님이 입장했습니다.\n",
    left: "님이 퇴장했습니다.\n",
    who: |count, names| format!("대화 참여자 {count}명: {names}\n"),
    unknown: "없는 명령입니다. 혹시 /도움말인가요? (명령 목록: /도움말)\n",
    login_first: "먼저 이름을 입력하세요.\n",
    guest: "손님",
    help: "/도움말",
};

const ENGLISH: Words = Words {
    lang: Lang::En,
    prompt: "Login ID:",
    joined: " joined.\n",
    left: " left.\n",
    who: |count, names| format!("{count} here: {names}\n"),
    unknown: "Unknown command. Did you mean /help? (all commands: /help)\n",
    login_first: "Type a name first.\n",
    guest: "guest",
    help: "/help",
};

impl Words {
    fn name_in_use(&self) -> String {
        Notice::NameInUse { proposal: None }.text(self.lang) + "\n"
    }
}

fn in_both_languages(check: fn(&TestServer, &Words)) {
    for words in [KOREAN, ENGLISH] {
        let server = TestServer::start(|config| config.lang = words.lang);
        check(&server, &words);
    }
}

#[test]
fn greeting_motd_and_prompt_come_in_one_write() {
    for words in [KOREAN, ENGLISH] {
        for motd in [None, Some("환영합니다!\nBe kind.")] {
            let server = TestServer::start(|config| {
                config.lang = words.lang;
                config.motd = motd.map(str::to_owned);
            });
            let mut client = server.connect();
            let opening = client.expect_read();
            let (greeting, rest) = opening.split_once('\n').expect("the greeting is a line");
            assert!(greeting.starts_with("Madang/1 "), "{greeting}");
            assert!(greeting.contains("/help"), "{greeting}");
            let motd = motd.map(|motd| format!("{motd}\n")).unwrap_or_default();
            assert_eq!(rest, format!("{motd}{}", words.prompt));
            assert!(client.received_segments().is_none_or(|count| count == 1));
            client.send("/quit\n").expect_closed();
        }
    }
}

#[test]
fn a_conversation_goes_as_in_the_seed() {
    in_both_languages(|server, words| {
        let Words { prompt, joined, left, .. } = words;
        let mut alice = server.connect();
        alice.expect(prompt);
        alice.send("alice\n").expect_next(format!("[alice]{joined}"));

        let mut bob = server.connect();
        bob.expect(prompt);
        bob.send("alice\n").expect_next(words.name_in_use()).expect(prompt);
        bob.send("홍길동\n").expect_next(format!("[홍길동]{joined}"));
        alice.expect_next(format!("[홍길동]{joined}"));

        alice.send("hello\n");
        bob.send("안녕하세요, 반갑습니다!\n");
        let mut said = [alice.expect_line(), alice.expect_line()];
        assert_eq!([bob.expect_line(), bob.expect_line()], said, "everyone sees one order");
        said.sort();
        assert_eq!(said, ["[alice] hello", "[홍길동] 안녕하세요, 반갑습니다!"]);

        bob.send("  indented\tand kept  \n");
        for member in [&mut alice, &mut bob] {
            member.expect_next("[홍길동]   indented\tand kept  \n");
        }
        bob.send("/quit\n").expect_closed();
        alice.expect_next(format!("[홍길동]{left}"));
        alice.send("alone\n").expect_next("[alice] alone\n");
        alice.finish_sending();
        alice.expect_closed();
    });
}

#[test]
fn everyone_else_sees_who_comes_and_goes() {
    in_both_languages(|server, Words { joined, left, .. }| {
        let mut members = vec![server.login("m1")];
        for at in 2..=4 {
            let name = format!("m{at}");
            let member = server.login(&name);
            for other in &mut members {
                other.expect_next(format!("[{name}]{joined}"));
            }
            members.push(member);
        }
        for at in (2..=4).rev() {
            let mut member = members.pop().expect("there is one left");
            member.send("/quit\n").expect_closed();
            for other in &mut members {
                other.expect_next(format!("[m{at}]{left}"));
            }
        }
    });
}

#[test]
fn an_empty_line_at_the_prompt_gives_a_free_guest_name() {
    in_both_languages(|server, Words { joined, guest, .. }| {
        let mut first = server.connect();
        first.expect("ID:");
        first.send("\n").expect_next(format!("[{guest}-1]{joined}"));
        let _taken = server.login(&format!("{guest}-2"));
        let mut third = server.connect();
        third.expect("ID:");
        third.send("  \r\n").expect_next(format!("[{guest}-3]{joined}"));
        third.send("hi\n").expect_next(format!("[{guest}-3] hi\n"));
    });
}

#[test]
fn help_lists_every_command_to_its_sender_alone() {
    in_both_languages(|server, words| {
        let mut alice = server.login("alice");
        let mut bob = server.login("bob");
        for (command, notice) in [
            ("/help", Notice::Help(Role::Member)),
            ("/도움말", Notice::Help(Role::Member)),
            ("/HELP all", Notice::HelpAll(Role::Member)),
            ("/도움말 전체", Notice::HelpAll(Role::Member)),
            ("/help manage", Notice::HelpOwners),
            ("/도움말 관리", Notice::HelpOwners),
        ] {
            bob.send(format!("{command}\n")).expect_next(notice.text(words.lang) + "\n");
        }
        bob.send("/who\n").expect_next((words.who)(2, "alice, bob"));
        bob.send("done\n");
        alice.expect_next(format!("[bob]{}[bob] done\n", words.joined));
    });
}

#[test]
fn who_tells_number_and_names_in_the_order_of_coming() {
    in_both_languages(|server, words| {
        let mut alice = server.login("alice");
        alice.send("/who\n").expect_next((words.who)(1, "alice"));
        let _zoe = server.login("zoe");
        let bob = server.login("bob");
        alice.expect(format!("[bob]{}", words.joined));
        alice.send("/누구\n").expect_next((words.who)(3, "alice, zoe, bob"));
        drop(bob);
        alice.expect_next(format!("[bob]{}", words.left));
        alice.send("/who\n").expect_next((words.who)(2, "alice, zoe"));
    });
}

#[test]
fn commands_at_the_prompt_are_answered_and_the_prompt_comes_again() {
    in_both_languages(|server, words| {
        let Words { prompt, login_first, .. } = words;
        let mut client = server.connect();
        client.expect(prompt);
        client.send("/who\n").expect_next(format!("{login_first}{prompt}"));
        client.send("/hlep\n").expect_next(format!("{}{prompt}", words.unknown));
        client.send("/help\n");
        client.expect_next(Notice::Help(Role::Member).text(words.lang) + "\n" + prompt);
        client.send("/quit\n").expect_closed();
    });
}

#[test]
fn lang_at_the_prompt_changes_it_for_oneself_alone() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut bob = server.connect();
    bob.expect("로그인ID:");
    bob.send("/lang en\n").expect_next("Messages from the server are now in English.\nLogin ID:");
    bob.send("/lang ko\n").expect_next("이제 한국어로 안내합니다.\n로그인ID:");
    bob.send("/lang en\n").expect("Login ID:");
    bob.send("alice\n").expect_next(ENGLISH.name_in_use()).expect("Login ID:");
    bob.send("\n").expect_next("[guest-1] joined.\n");
    alice.expect_next("[guest-1]님이 입장했습니다.\n");
}

#[test]
fn lang_in_the_room_changes_it_for_oneself_alone() {
    let server = TestServer::start(|config| config.lang = Lang::En);
    let mut alice = server.login("alice");
    alice.send("/lang ko\n").expect_next("이제 한국어로 안내합니다.\n");
    let mut bob = server.login("bob");
    alice.expect_next("[bob]님이 입장했습니다.\n");
    alice.send("/lang\n").expect_next("사용법: /언어 한국어|영어\n");
    alice.send("/언어 EN\n").expect_next("Messages from the server are now in English.\n");
    alice.send("/lang fr\n").expect_next("Usage: /lang ko|en\n");
    bob.send("/who\n").expect_next("2 here: alice, bob\n");
    bob.send("/quit\n").expect_closed();
    alice.expect_next("[bob] left.\n");
}

#[test]
fn two_slashes_say_one() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("//quit\n").expect_next("[alice] /quit\n");
    alice.send("///\n").expect_next("[alice] //\n");
    alice.send(" //quit\n").expect_next("[alice]  /quit\n");
    alice.send("// quit\n").expect_next("[alice] // quit\n");
}

#[test]
fn empty_lines_in_a_room_say_nothing() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut bob = server.login("bob");
    alice.expect("[bob]님이 입장했습니다.\n");
    alice.send("\n\r\n\r\0   \n\t\n\u{3000}\nend\n").expect_next("[alice] end\n");
    bob.expect_next("[alice] end\n");
}

#[test]
fn an_unknown_command_is_answered_to_its_sender_alone_with_the_nearest() {
    in_both_languages(|server, words| {
        let mut alice = server.login("alice");
        let mut bob = server.login("bob");
        bob.send("/hlep\n").expect_next(words.unknown);
        bob.send("/도움\n");
        assert!(bob.expect_line().contains(words.help));
        bob.send("/q_iut\n").expect_line();
        bob.send("done\n");
        alice.expect_next(format!("[bob]{}[bob] done\n", words.joined));
    });
}

#[test]
fn lines_sent_before_a_command_come_before_its_answer() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("one\n/who\ntwo\n/hlep\nthree\n/quit\nfour\n");
    alice.expect_next("[alice] one\n대화 참여자 1명: alice\n[alice] two\n없는 명령");
    alice.expect("\n");
    alice.expect_next("[alice] three\n").expect_closed();
}

#[test]
fn name_and_words_may_come_in_one_read() {
    let server = TestServer::start(|_| {});
    let mut alice = server.connect();
    alice.send("alice\nhello\n/quit\n");
    alice.expect("로그인ID:");
    alice.expect_next("[alice]님이 입장했습니다.\n[alice] hello\n").expect_closed();
}

#[test]
fn a_goodbye_of_ones_own_needs_no_words() {
    in_both_languages(|server, Words { prompt, .. }| {
        let mut nobody = server.connect();
        nobody.expect(prompt);
        nobody.finish_sending();
        nobody.expect_closed();
        server.console_expect("(#1:");
    });
}

#[test]
fn one_port_takes_ipv4_and_ipv6() {
    let server = TestServer::start(|config| config.listen = vec![Listen::Everywhere(0)]);
    let port = server.address().port();
    let mut alice = TestClient::connect((Ipv4Addr::LOCALHOST, port).into());
    alice.login("alice");
    server.console_expect("[alice] 입장 (127.0.0.1)\n");
    if server.address().is_ipv6() {
        let mut bob = TestClient::connect((Ipv6Addr::LOCALHOST, port).into());
        bob.login("bob");
        alice.expect_next("[bob]님이 입장했습니다.\n");
        server.console_expect("[bob] 입장 (::1)\n");
    }
}

#[test]
fn the_operator_is_told_who_comes_and_goes_in_korean() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut bob = server.login("홍길동");
    alice.send("비밀 이야기\n").expect("[alice] 비밀 이야기\n");
    bob.send("/quit\n").expect("[alice] 비밀 이야기\n");
    bob.expect_closed();
    server.console_expect("[홍길동] 퇴장 (127.0.0.1: 나감)\n");
    alice.expect("[홍길동]님이 퇴장했습니다.\n");
    drop(alice);
    server.console_expect("[alice] 퇴장 (127.0.0.1: 상대가 닫음)\n");
    assert_eq!(
        server.console(),
        "+++ 대화 참여자 수 [1] · [alice] 입장 (127.0.0.1)\n\
         +++ 대화 참여자 수 [2] · [홍길동] 입장 (127.0.0.1)\n\
         --- 대화 참여자 수 [1] · [홍길동] 퇴장 (127.0.0.1: 나감)\n\
         --- 대화 참여자 수 [0] · [alice] 퇴장 (127.0.0.1: 상대가 닫음)\n"
    );
}

#[test]
fn the_operator_is_told_who_comes_and_goes_in_english() {
    let server = TestServer::start(|config| config.lang = Lang::En);
    let mut alice = server.login("alice");
    alice.send("/lang ko\n").expect("\n");
    alice.send("a secret\n/quit\n").expect("[alice] a secret\n");
    alice.expect_closed();
    server.console_expect("left");
    assert_eq!(
        server.console(),
        "+++ 1 here · [alice] joined (127.0.0.1)\n\
         --- 0 here · [alice] left (127.0.0.1: quit)\n"
    );
}
