//! Quiet sessions: they join and leave public rooms unannounced, are marked in lists, and may
//! speak only from this machine.

use madang_protocol::{notice::Notice, text::Lang};
use madang_tests::{TestClient, TestServer, WebSocketClient};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Sec-WebSocket-Protocol", "madang.json.v1");

/// A program at one of the doors.
enum Bot {
    Lines(TestClient),
    WebSocket(WebSocketClient),
}

impl Bot {
    /// One at each door, before the login.
    fn by_each_door(server: &TestServer) -> [Bot; 2] {
        let mut lines = server.connect();
        lines.become_json();
        let mut websocket = WebSocketClient::open_json(server.web_address());
        websocket.expect_json("hello");
        [Bot::Lines(lines), Bot::WebSocket(websocket)]
    }

    /// The same through TLS.
    fn by_each_door_over_tls(server: &TestServer) -> [Bot; 2] {
        let mut lines = server.connect_tls();
        lines.become_json();
        let mut websocket = server.connect_wss("/", &[JSON]);
        websocket.expect_json("hello");
        [Bot::Lines(lines), Bot::WebSocket(websocket)]
    }

    /// A bot behind a proxy, before the login.
    fn through_proxy(server: &TestServer, header: (&str, &str)) -> Bot {
        let mut websocket = WebSocketClient::open(server.web_address(), "/", &[JSON, header]);
        websocket.expect_json("hello");
        Bot::WebSocket(websocket)
    }

    #[track_caller]
    fn send(&mut self, message: Value) {
        match self {
            Bot::Lines(client) => client.send_json(message),
            Bot::WebSocket(client) => {
                client.send_json(&message);
            }
        }
    }

    /// The next message, which must have this type.
    #[track_caller]
    fn expect(&mut self, kind: &str) -> Value {
        match self {
            Bot::Lines(client) => client.expect_message(kind),
            Bot::WebSocket(client) => client.expect_json(kind),
        }
    }

    /// Logs in quietly, and returns the welcome.
    #[track_caller]
    fn log_in(&mut self) -> Value {
        self.send(json!({"type": "login", "name": "logbot", "quiet": true, "history": 0}));
        self.expect("welcome")
    }

    #[track_caller]
    fn command(&mut self, line: &str) {
        self.send(json!({"type": "command", "line": line, "nonce": line}));
    }

    #[track_caller]
    fn say(&mut self, text: &str) {
        self.send(json!({"type": "say", "text": text}));
    }

    /// Expects that a request with this nonce is refused, and that nothing else follows.
    #[track_caller]
    fn expect_refused(&mut self, code: &str, nonce: &str) {
        let error = self.expect("error");
        assert_eq!((&error["code"], &error["nonce"]), (&json!(code), &json!(nonce)), "{error}");
        self.expect_nothing();
    }

    /// The same before the login.
    #[track_caller]
    fn expect_refused_login(&mut self, code: &str) {
        let error = self.expect("error");
        assert_eq!((&error["code"], &error["nonce"]), (&json!(code), &json!("1")), "{error}");
    }

    /// Expects that nothing has come yet.
    #[track_caller]
    fn expect_nothing(&mut self) {
        self.send(json!({"type": "command", "line": "/ping"}));
        self.expect("pong");
    }

    /// Quits, and waits for the end, when the name is free again.
    #[track_caller]
    fn quit(mut self) {
        self.send(json!({"type": "command", "line": "/quit goodbye"}));
        self.expect("bye");
        match self {
            Bot::Lines(mut client) => client.expect_closed(),
            Bot::WebSocket(mut client) => assert_eq!(client.expect_close(), Some(1000)),
        }
    }
}

/// The answer to `/who` while bob and logbot are here.
fn who_of_both() -> String {
    let (count, names, quiet) = (2, &["bob", "logbot"][..], &["logbot"][..]);
    Notice::Who { count, names, quiet, streams: &[] }.text(Lang::Ko) + "\n"
}

/// The same when only bob is left.
fn who_of_bob() -> String {
    let (count, names, quiet) = (1, &["bob"][..], &[][..]);
    Notice::Who { count, names, quiet, streams: &[] }.text(Lang::Ko) + "\n"
}

#[test]
fn a_quiet_session_comes_and_goes_without_a_word_by_every_door() {
    let [open, encrypted] = [TestServer::start(|_| {}), TestServer::start_with_tls(|_| {})];
    let with_bots =
        [(&open, Bot::by_each_door(&open)), (&encrypted, Bot::by_each_door_over_tls(&encrypted))];
    for (server, bots) in with_bots {
        let mut bob = server.login("bob");
        for mut bot in bots {
            let welcome = bot.log_in();
            assert_eq!((&welcome["members"], &welcome["room"]), (&json!(2), &json!("lobby")));
            bob.send("/who\n").expect_next(who_of_both());
            // Its own joining is not an event either: the next event has the next id.
            bob.send("hi\n").expect_next("[bob] hi\n");
            let said = bot.expect("said");
            let ids = [&said, &welcome].map(|message| message["id"].as_u64().expect("an id"));
            assert_eq!(ids[0], ids[1] + 1);
            // From this machine, it may speak.
            bot.say("backup done");
            bob.expect_next("[logbot] backup done\n");
            bot.expect("said");
            bot.quit();
            bob.send("/who\n").expect_next(who_of_bob());
        }
    }
}

#[test]
fn from_another_machine_a_quiet_session_only_reads() {
    let server = TestServer::start(|config| {
        config.trust_proxy = vec!["127.0.0.1".parse().expect("a range")];
    });
    let untrusting = TestServer::start(|_| {});
    // Clients of a proxy count as remote, whether or not the proxy is trusted.
    for (server, header) in [
        (&server, ("X-Forwarded-For", "203.0.113.9")),
        (&server, ("X-Forwarded-For", "127.0.0.1")),
        (&untrusting, ("X-Forwarded-For", "203.0.113.9")),
        (&untrusting, ("Forwarded", "for=203.0.113.9")),
        (&untrusting, ("X-Real-IP", "203.0.113.9")),
        (&untrusting, ("Via", "1.1 proxy")),
    ] {
        let mut bob = server.login("bob");
        let mut bot = Bot::through_proxy(server, header);
        bot.log_in();
        bot.send(json!({"type": "say", "text": "hi", "nonce": "1"}));
        bot.expect_refused("read_only", "1");
        for line in ["/me waves", "/msg bob psst", "/reply psst", "/topic mine", "/nick loud"] {
            if line == "/reply psst" {
                bob.send("/msg logbot answer me\n").expect("answer me\n");
                bot.expect("whisper");
            }
            bot.command(line);
            bot.expect_refused("read_only", line);
        }
        // It reads everything, and asks.
        bob.send("hello\n").expect_next("[bob] hello\n");
        assert_eq!(bot.expect("said")["text"], "hello");
        bot.command("/who");
        assert_eq!(bot.expect("who")["quiet"], json!(["logbot"]));
        bot.expect("ack");
        bot.quit();
        bob.send("/who\n").expect_next(who_of_bob()).send("/quit\n");
        bob.expect_closed();
    }
}

#[test]
fn a_quiet_session_is_kept_out_of_private_rooms_however_it_asks() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login("alice");
    let key = alice.make_room();
    let wrong_key = "0123456789abcdefghjkmnpqrs";
    let places =
        [format!("#{key}"), format!("http://localhost:9998/#{key}"), format!("#{wrong_key}")];
    for mut bot in Bot::by_each_door(&server) {
        let login = |room: &str| json!({"type": "login", "name": "logbot", "quiet": true, "room": room, "nonce": "1"});
        for place in &places {
            bot.send(login(place));
            bot.expect_refused_login("public_only");
        }
        bot.send(json!({"type": "login", "quiet": true, "new_room": true, "nonce": "1"}));
        bot.expect_refused_login("public_only");
        // A room chosen before the login counts, too.
        bot.command(&format!("/join #{key}"));
        bot.expect("notice");
        bot.expect("ack");
        bot.send(json!({"type": "login", "name": "logbot", "quiet": true, "nonce": "1"}));
        bot.expect_refused_login("public_only");

        bot.send(login("news"));
        assert_eq!(bot.expect("welcome")["room"], "news");
        bot.expect("ack");
        for place in &places {
            let line = format!("/join {place}");
            bot.command(&line);
            bot.expect_refused("public_only", &line);
        }
        for line in ["/new", "/new plans"] {
            bot.command(line);
            bot.expect_refused("public_only", line);
        }
        // Public rooms stay open to it, and the refusals did not make it leave its room.
        bot.command("/who");
        assert_eq!(bot.expect("who")["room"], "news");
        bot.expect("ack");
        bot.command("/leave");
        assert_eq!(bot.expect("entered")["room"], "lobby");
        bot.expect("ack");
        bot.quit();
    }
    // Nobody in the room has noticed.
    let (count, names, quiet) = (1, &["alice"][..], &[][..]);
    let who = Notice::Who { count, names, quiet, streams: &[] }.text(Lang::Ko);
    alice.send("/who\n").expect_next(format!("{who}\n"));
}

#[test]
fn a_quiet_session_stays_quiet_when_it_is_cut_and_comes_back() {
    let server = TestServer::start(|_| {});
    let mut bob = server.login("bob");
    let mut bot = server.connect();
    bot.become_json();
    bot.send_json(json!({"type": "login", "name": "logbot", "quiet": true}));
    let welcome = bot.expect_message("welcome");
    bot.reset();
    server.console_expect("[logbot] 연결 끊김");
    bob.send("missed\n").expect_next("[bob] missed\n");

    // Nothing has happened since it joined: the id in the welcome is its last.
    let back = json!({
        "type": "login", "session": welcome["session"], "room": "lobby", "last": welcome["id"],
    });
    let mut bot = server.connect();
    bot.become_json();
    bot.send_json(back.clone());
    let again = bot.expect_message("welcome");
    assert_eq!((&again["resumed"], &again["id"]), (&json!(true), &welcome["id"]));
    bot.expect_said("bob", "missed");
    bot.send_json(json!({"type": "say", "text": "I am here"}));
    bot.expect_said("logbot", "I am here");
    bob.expect_next("[logbot] I am here\n");
    bob.send("/who\n").expect_next(who_of_both());

    // From another machine it can only read from then on.
    let mut elsewhere = Bot::through_proxy(&server, ("X-Forwarded-For", "203.0.113.9"));
    elsewhere.send(back);
    elsewhere.expect("welcome");
    assert_eq!(bot.expect_message("bye")["reason"], "replaced");
    for text in ["missed", "I am here"] {
        assert_eq!(elsewhere.expect("said")["text"], text);
    }
    elsewhere.send(json!({"type": "say", "text": "and here", "nonce": "1"}));
    elsewhere.expect_refused("read_only", "1");
    elsewhere.command("/msg bob and here");
    elsewhere.expect_refused("read_only", "/msg bob and here");
    elsewhere.quit();
    bob.send("/who\n").expect_next(who_of_bob());
}

#[test]
fn quiet_members_are_marked_for_everyone_who_asks() {
    let server = TestServer::start(|_| {});
    let mut alice = server.login_json("alice");
    let [mut bot, _] = Bot::by_each_door(&server);
    bot.log_in();
    alice.send_json(json!({"type": "command", "line": "/who"}));
    let who = alice.expect_message("who");
    assert_eq!((&who["count"], &who["quiet"]), (&json!(2), &json!(["logbot"])));
    assert_eq!(who["members"], json!(["alice", "logbot"]));
    for (name, quiet) in [("logbot", json!(true)), ("alice", Value::Null)] {
        alice.send_json(json!({"type": "command", "line": format!("/whois {name}")}));
        assert_eq!(alice.expect_message("whois")["quiet"], quiet);
    }
    server.operate("/lang en");
    server.operate("/who");
    server.console_expect("  quiet\n");

    // What happens to it is announced.
    bot.command("/nick newsbot");
    assert_eq!(bot.expect("renamed")["to"], "newsbot");
    assert_eq!(alice.expect_message("renamed")["to"], "newsbot");
    server.operate("/kick newsbot");
    assert_eq!(alice.expect_message("kicked")["user"], "newsbot");
}
