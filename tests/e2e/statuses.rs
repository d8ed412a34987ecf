//! Rooms over HTTP: which status each method gets in each state of a room, and what a request
//! must look like to be read at all.

use madang_tests::{TestClient, TestServer};

use crate::web::answer;

/// The methods in the order of the table's columns. All others are like the last ones.
const METHODS: [&str; 9] =
    ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "BREW"];

/// A request, without its method, and the status of GET, of POST and of all other methods.
struct Row {
    what: &'static str,
    target: &'static str,
    host: &'static str,
    headers: String,
    statuses: [u16; 3],
}

impl Row {
    fn new(what: &'static str, target: &'static str, statuses: [u16; 3]) -> Row {
        Row { what, target, host: "localhost", headers: String::new(), statuses }
    }

    fn private(what: &'static str, key: &str, statuses: [u16; 3]) -> Row {
        Row::new(what, "/rooms/private", statuses).with(&format!("X-Room-Key: {key}"))
    }

    fn with(mut self, header: &str) -> Row {
        self.headers += &format!("{header}\r\n");
        self
    }

    /// By a name that nobody else has, unless the row has one.
    fn check(&self, server: &TestServer, number: usize) {
        // They keep their names until all methods were tried.
        let mut streams = Vec::new();
        for (column, method) in METHODS.into_iter().enumerate() {
            let Row { what, target, host, headers, .. } = self;
            let name = match headers.contains("Name:") {
                true => String::new(),
                false => format!("Name: r{number}-{column}\r\n"),
            };
            let body = if method == "POST" { "Content-Length: 2\r\n\r\nhi" } else { "\r\n" };
            let request =
                format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{name}{headers}{body}");
            let expected = self.statuses[column.min(2)];
            let mut client = TestClient::connect(server.web_address());
            client.send(request);
            if (method, expected) == ("GET", 200) {
                client.expect("HTTP/1.1 200 OK\r\n");
                streams.push(client);
                continue;
            }
            let answer = client.expect_rest();
            let begin = format!("HTTP/1.1 {expected} ");
            assert!(answer.starts_with(&begin), "{method} of {what}: {answer}");
            let (head, text) = answer.split_once("\r\n\r\n").expect("it has a head");
            assert_eq!(text.lines().count(), usize::from(method != "HEAD"), "{method}: {answer}");
            let is_allowed = head.contains("\r\nAllow: GET, POST");
            assert_eq!(is_allowed, expected == 405, "{method} of {what}: {answer}");
            for header in ["Cache-Control: no-store", "Connection: close"] {
                assert!(head.contains(&format!("\r\n{header}")), "{method} of {what}: {answer}");
            }
            assert!(!head.contains("Access-Control"), "{method} of {what}: {answer}");
        }
    }
}

#[test]
fn every_method_has_its_status_in_every_state_of_a_room() {
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut math = server.login("math-owner");
    math.send("/join 수학\n").expect("[math-owner]님이 입장했습니다.\n");
    let mut owners = ["open", "locked", "full"].map(|name| server.login(name));
    let keys = owners.each_mut().map(|owner| owner.make_room());
    let [open, locked, full] = &mut owners;
    let mut zoe = server.login("zoe");
    zoe.send(format!("/join #{}\n", keys[0])).expect("[zoe]님이 입장했습니다.\n");
    open.send("/kick zoe\n").expect("zoe");
    open.send("/ping done\n").expect("퐁 done\n");
    locked.send("/lock\n/ping done\n").expect("퐁 done\n");
    full.send("/limit 1\n/ping done\n").expect("퐁 done\n");
    zoe.send("/quit\n").expect_rest();
    server.operate("/ban mallory");
    let mut last = server.login("last");
    let ended = last.make_room();
    last.send("/end\n/ping done\n").expect("퐁 done\n");

    let wrong = "0".repeat(26);
    let rows = [
        Row::new("a public room", "/rooms/lobby", [200, 200, 405]),
        Row::new("one below a prefix", "/any/prefix/rooms/lobby?x=1", [200, 200, 405]),
        Row::new("one in Korean", "/rooms/수학", [200, 200, 405]),
        Row::new("one in Korean, encoded", "/rooms/%EC%88%98%ED%95%99", [200, 200, 405]),
        Row::new("a name in Korean, encoded", "/rooms/lobby", [200, 409, 405])
            .with("Name: %EC%B2%A0%EC%88%98"),
        Row::private("a private room", &keys[0], [200, 200, 405]),
        Row::private("one by a link", &format!("#{}", keys[0]), [200, 200, 405]),
        Row::private("one that is locked", &keys[1], [403, 403, 405]),
        Row::private("one that is full", &keys[2], [503, 503, 405]),
        Row::private("one that has ended", &ended, [404, 404, 405]),
        Row::private("a wrong key", &wrong, [404, 404, 405]),
        Row::private("what is no key", "x", [404, 404, 405]),
        Row::private("two keys", &format!("{wrong}\r\nX-Room-Key: {}", keys[0]), [404, 404, 405]),
        Row::private("one that kicked you", &keys[0], [403, 403, 405]).with("Name: zoe"),
        Row::new("no key", "/rooms/private", [404, 404, 405]),
        Row::new("an unknown room", "/rooms/none", [404, 404, 405]),
        Row::new("no room", "/rooms/", [404, 404, 405]),
        Row::new("what is no name of a room", "/rooms/a%2fb", [404, 404, 405]),
        Row::new("a wrong encoding", "/rooms/%zz", [404, 404, 405]),
        Row::new("a public room with a key", "/rooms/lobby", [400, 400, 405])
            .with(&format!("X-Room-Key: {}", keys[0])),
        Row::new("a banned name", "/rooms/lobby", [403, 403, 405]).with("Name: mallory"),
        Row::new("a name in use", "/rooms/lobby", [409, 409, 405]).with("Name: open"),
        Row::new("a wrong name", "/rooms/lobby", [400, 400, 405]).with("Name: two words"),
        Row::new("no name", "/rooms/lobby", [200, 400, 405]).with("Name:"),
        Row { host: "evil.example", ..Row::new("a wrong host", "/rooms/lobby", [403; 3]) },
        Row { host: "", ..Row::new("no host", "/rooms/lobby", [403; 3]) },
        Row::new("another site", "/rooms/lobby", [403; 3]).with("Origin: https://evil.example"),
        Row::new("a file", "/rooms/lobby", [403; 3]).with("Origin: null"),
        Row::new("a picture of another site", "/rooms/lobby", [403; 3])
            .with("Sec-Fetch-Site: cross-site"),
    ];
    for (number, row) in rows.iter().enumerate() {
        row.check(&server, number);
    }
}

#[test]
fn malformed_requests_are_refused_before_anybody_joins() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let long = "x".repeat(9_000);
    let many = "A: b\r\n".repeat(70);
    for (status, begin, headers) in [
        ("431", "GET /rooms/lobby HTTP/1.1", &*format!("Host: localhost\r\nName: {long}\r\n")),
        ("431", "POST /rooms/lobby HTTP/1.1", &*format!("Host: localhost\r\nToken: {long}\r\n")),
        ("431", "GET /rooms/lobby HTTP/1.1", &*format!("Host: localhost\r\n{many}")),
        ("414", &*format!("GET /rooms/{long} HTTP/1.1"), "Host: localhost\r\n"),
        ("400", "GET /rooms/lobby HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n"),
        ("400", "GET /rooms/lobby HTTP/1.1", "Host: localhost\r\nName: a\0b\r\n"),
        ("400", "GET /rooms/lobby HTTP/1.1", "Host: localhost\r\nName: a\r\n b\r\n"),
        ("400", "GET /rooms/lobby HTTP/1.1", "Host: localhost\r\nName : a\r\n"),
        ("400", "GET /rooms/lob by HTTP/1.1", "Host: localhost\r\n"),
        ("400", "GET /rooms/lobby", "Host: localhost\r\n"),
        ("400", "PRI * HTTP/2.0", ""),
        ("400", "GET /rooms/lobby HTTP/9.9", "Host: localhost\r\n"),
    ] {
        let answer = answer(server.web_address(), &format!("{begin}\r\n{headers}\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{begin:.60}: {answer}");
    }
    alice.expect_nothing();
}

#[test]
fn a_message_is_answered_once_and_the_connection_closed_by_every_version() {
    let server = TestServer::start(|config| config.rate_limit = None);
    let mut alice = server.login("alice");
    for (number, (version, connection)) in [
        ("HTTP/1.1", ""),
        ("HTTP/1.1", "Connection: keep-alive\r\n"),
        ("HTTP/1.0", ""),
        ("HTTP/1.0", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = format!(
            "POST /rooms/lobby {version}\r\nHost: localhost\r\nName: n{number}\r\n{connection}\
             Content-Length: 2\r\n\r\nhi"
        );
        let answer = answer(server.web_address(), &(request.clone() + &request));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        alice.expect_next(format!("[n{number}]님이 입장했습니다.\n"));
        alice.expect_next(format!("[n{number}] hi\n"));
    }
    alice.expect_nothing();
}

#[test]
fn an_id_of_another_time_is_taken_and_what_is_none_is_refused() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    alice.send("before\n").expect_next("[alice] before\n");
    let get = |id: &str| {
        let mut client = TestClient::connect(server.web_address());
        client.send(format!(
            "GET /rooms/lobby HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
             Last-Event-ID: {id}\r\n\r\n"
        ));
        client
    };
    let long = "9".repeat(400);
    for junk in ["x", "-1", "+1", "1.5", "0x10", "1 2", "1,2", "%31", "１", "\u{7f}", &long] {
        let answer = get(junk).expect_rest();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{junk}: {answer}");
    }
    // Of the future, as after a clock that was set back; and of long ago.
    for (id, is_told) in [("18446744073709551615", false), ("9007199254740993", false), ("0", true)]
    {
        let mut client = get(id);
        client.expect("HTTP/1.1 200 OK\r\n");
        alice.expect("입장했습니다.\n");
        alice.send(format!("after {id}\n")).expect(format!("[alice] after {id}\n"));
        let shown = client.expect(format!("after {id}"));
        assert_eq!(shown.contains("\"before\""), is_told, "{id}: {shown}");
        drop(client);
        alice.expect("퇴장했습니다.\n");
    }
}
