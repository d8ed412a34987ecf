//! Which names are valid, which count as the same, and who gets a name that several want.

use std::sync::Barrier;

use madang_protocol::{
    notice::{Goodbye, Notice},
    text::Lang,
};
use madang_tests::{TestClient, TestServer, who};

const IN_USE: &str = "이미 등록된 사용자입니다.\n";

#[test]
fn good_names_are_shown_as_written() {
    let server = TestServer::start(|_| {});
    for name in
        ["alice", "Bob.b-c_d", "007", "홍길동", "ㅋㅋㅋ", "山田", "Ωμέγα", "다".repeat(12).as_str()]
    {
        let mut client = server.connect();
        client.expect("로그인ID:");
        client.send(format!("  {name} \n")).expect_next(format!("[{name}]님이 입장했습니다.\n"));
    }
}

#[test]
fn hangul_composed_and_decomposed_is_one_name() {
    let (composed, decomposed) = ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}");
    for (first, second) in [(composed, decomposed), (decomposed, composed)] {
        let server = TestServer::start(|_| {});
        let mut one = server.connect();
        one.expect("로그인ID:");
        one.send(format!("{first}\n")).expect_next("[한글]님이 입장했습니다.\n");
        let mut two = server.connect();
        two.expect("로그인ID:");
        two.send(format!("{second}\n")).expect_next(IN_USE).expect("로그인ID:");
    }
}

#[test]
fn names_that_look_or_read_the_same_are_in_use() {
    let server = TestServer::start(|_| {});
    let _members = ["alice", "국가", "straße", "Bob"].map(|name| server.login(name));
    let mut client = server.connect();
    client.expect("로그인ID:");
    for name in [
        "ALICE",
        "aIice",
        "\u{430}lice",
        "ａｌｉｃｅ",
        "al\u{456}ce",
        "STRASSE",
        "bob",
        "B\u{43e}b",
    ] {
        client.send(format!("{name}\n")).expect_next(IN_USE).expect("로그인ID:");
    }
    // Hangul that looks alike is not the same.
    client.send("구까\n").expect_next("[구까]님이 입장했습니다.\n");
}

#[test]
fn a_bad_name_is_refused_with_the_reason_and_asked_for_again() {
    let server = TestServer::start(|config| config.login_tries = 100);
    let mut client = server.connect();
    client.expect("로그인ID:");
    let mut check = |name: &str, why: &str| {
        client.send(format!("{name}\n"));
        let answer = client.expect("로그인ID:");
        assert!(answer.contains(why), "{name:?}: {answer:?} has no {why:?}");
        assert_eq!(answer.matches('\n').count(), 1, "{answer:?}");
    };
    for reserved in [
        "server",
        "system",
        "admin",
        "administrator",
        "operator",
        "op",
        "root",
        "madang",
        "서버",
        "시스템",
        "관리자",
        "운영자",
        "방장",
        "Admin",
        "ADM\u{406}N",
        "adm1n",
        "\u{1109}\u{1165}\u{1107}\u{1165}",
    ] {
        check(reserved, "서버가 쓰는 이름");
    }
    check("홍 길동", "홍_길동");
    check("a b  c", "a_b_c");
    check("\u{3164}", "U+3164");
    check("홍\u{115f}길동", "U+115F");
    check("a\u{ffa0}b", "U+FFA0");
    check("a\u{200b}b", "U+200B");
    check("[server]", "[");
    check("a/b", "/");
    check("-a", "-");
    check("👍", "👍");
    check(&"a".repeat(25), "25");
    check(&"가".repeat(13), "26");
    check(&format!("a{}", "\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}"), "4");
}

#[test]
fn five_wrong_names_close_and_a_name_in_use_is_no_wrong_one() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let mut client = server.connect();
    client.expect("로그인ID:");
    for _ in 0..4 {
        for _ in 0..3 {
            client.send("alice\n").expect_next(IN_USE).expect("로그인ID:");
        }
        client.send("a b\n").expect("로그인ID:");
    }
    client.send("a/b\n");
    let words = client.expect_rest();
    let lines: Vec<&str> = words.split_terminator('\n').collect();
    assert_eq!(lines.len(), 2, "why, and goodbye: {words:?}");
    assert_eq!(lines[1], Notice::Goodbye(Goodbye::LoginTries).text(Lang::Ko));
    server.console_expect("(#2: 쓸 수 없는 이름을 여러 번 보냄)\n");
    alice.send("/who\n").expect_next(who(&["alice"]));

    // The fifth attempt may still succeed.
    let mut client = server.connect();
    client.expect("로그인ID:");
    client.send("a b\n".repeat(4) + "bob\n").expect("[bob]님이 입장했습니다.\n");
}

#[test]
fn a_name_is_free_when_its_bearer_has_left() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    for _ in 0..20 {
        let mut alice = server.login_when_free("alice");
        bob.expect_next("[alice]님이 입장했습니다.\n");
        alice.send("/quit\n").expect_closed();
        bob.expect_next("[alice]님이 퇴장했습니다.\n");
    }
}

#[test]
fn of_a_hundred_who_want_one_name_one_gets_it() {
    let server = TestServer::start(|_| {});
    let mut witness = server.login("witness");
    let mut clients: Vec<TestClient> = (0..100).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.expect("로그인ID:");
    }
    let start = Barrier::new(clients.len());
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                start.wait();
                client.send("홍길동\n");
            });
        }
    });
    let mut winners = 0;
    for client in &mut clients {
        match client.expect_line().as_str() {
            "[홍길동]님이 입장했습니다." => winners += 1,
            line => {
                assert_eq!(line, "이미 등록된 사용자입니다.");
                client.expect("\n로그인ID:");
            }
        }
    }
    assert_eq!(winners, 1);
    witness.expect_next("[홍길동]님이 입장했습니다.\n");
    witness.send("/who\n").expect_next(who(&["witness", "홍길동"]));
}
