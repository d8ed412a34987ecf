//! A room that is chosen before the login: if it is refused, the login waits, and text meant
//! for that room is not said in the lobby.

use std::time::Duration;

use madang_protocol::{
    command::{CommandError, CommandSpec},
    notice::Notice,
    room::RoomName,
    text::Lang,
};
use madang_tests::{TestClient, TestServer, WebSocketClient, told};
use serde_json::json;

use crate::commands::{Say, in_both_languages, words};

/// Commands at the prompt, and how each is refused.
fn refused(say: Say) -> [(&'static str, String); 12] {
    let command = |error: CommandError| words(say, Notice::CommandRefused(&error));
    let join = CommandSpec::find("/join").expect("a command");
    let name = RoomName::parse("a!b").expect_err("it has a mark");
    let broken = words(say, Notice::BrokenLink);
    let locked = words(say, Notice::RoomLocked);
    let full = words(say, Notice::RoomFull { limit: 1 });
    let unknown = |nearest| command(CommandError::Unknown { nearest });
    [
        ("/join #broken", broken.clone()),
        ("\u{feff}/방 #00000-00000-00000-00000-00000-0", words(say, Notice::NoSuchRoom)),
        ("/join a!b", command(CommandError::Name(name))),
        ("/JOIN", command(CommandError::Usage(join))),
        ("/join #LOCKED", locked.clone()),
        ("/join http://192.0.2.1:9998/#FULL", full.clone()),
        // A link without the command, and a mistyped command.
        ("#LOCKED", locked),
        ("\u{200b} http://192.0.2.1:9998/#FULL입니다", full),
        ("#7zzzz-0abcd", broken),
        ("/jion #FULL", unknown(Some(join))),
        ("/jion math", unknown(Some(join))),
        ("/goto #FULL", unknown(None)),
    ]
}

const ROOM_FIRST: (&str, &str) = (
    "이름을 입력하기 전에 들어갈 방을 고르세요. 로비로 가려면: /방 로비\n",
    "Choose a room before you type a name. For the lobby: /join lobby\n",
);

/// A client at the prompt, in lines.
enum Peer {
    Lines(TestClient),
    /// A packet peer.
    Packets(TestClient),
    WebSocket(WebSocketClient),
}

impl Peer {
    fn at_every_door(server: &TestServer) -> [Peer; 3] {
        let mut peers = [
            Peer::Lines(server.connect()),
            Peer::Packets(server.connect()),
            Peer::WebSocket(server.connect_websocket()),
        ];
        for peer in &mut peers {
            peer.expect("ID:");
        }
        peers
    }

    #[track_caller]
    fn send(&mut self, line: &str) {
        match self {
            Peer::Lines(client) => _ = client.send(format!("{line}\n")),
            Peer::Packets(client) => _ = client.send(line),
            Peer::WebSocket(client) => _ = client.send(line),
        }
    }

    /// Waits for a line or a part of one; on WebSocket, for a message that begins with `text`.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        match self {
            Peer::Lines(client) | Peer::Packets(client) => _ = client.expect(text),
            Peer::WebSocket(client) => while !client.expect_message().contains(text.trim_end()) {},
        }
    }
}

/// Two private rooms, one locked and one full, and their members.
fn closed_rooms(server: &TestServer) -> ([String; 2], [TestClient; 2]) {
    let mut owners = ["owner-1", "owner-2"].map(|name| server.login(name));
    let keys = owners.each_mut().map(TestClient::make_room);
    owners[0].send("/lock\n").expect_line();
    owners[1].send("/limit 1\n").expect_line();
    (keys, owners)
}

#[test]
fn after_a_refused_room_no_name_is_taken_until_another_room_is_chosen() {
    in_both_languages(|server, say| {
        let ([locked, full], owners) = closed_rooms(server);
        let mut lobby = server.login("watcher");
        for (at, (line, refusal)) in refused(say).into_iter().enumerate() {
            let line = line.replace("LOCKED", &locked).replace("FULL", &full);
            for (door, mut peer) in Peer::at_every_door(server).into_iter().enumerate() {
                let name = format!("carol-{at}-{door}");
                peer.send(&line);
                peer.expect(&refusal);
                peer.expect(say(ROOM_FIRST.0, ROOM_FIRST.1));
                peer.expect("ID:");
                for line in [name.as_str(), "a secret of the room", ""] {
                    // An empty packet can't be sent.
                    if matches!(&peer, Peer::Packets(_)) && line.is_empty() {
                        continue;
                    }
                    peer.send(line);
                    peer.expect(say(ROOM_FIRST.0, ROOM_FIRST.1));
                    peer.expect("ID:");
                }
                peer.send(say("/join 로비", "/join lobby"));
                peer.expect("ID:");
                peer.send(&name);
                lobby.expect_joined(&name);
                peer.send("/quit");
                lobby.expect_next(format!("[{name}]"));
                lobby.expect_line();
            }
        }
        drop(owners);
    });
}

/// How the answer to the choice of a private room begins.
fn chosen() -> String {
    let chosen = Notice::RoomChosen { room: "private-" }.text(Lang::Ko);
    chosen.split("private-").next().unwrap_or_default().to_owned()
}

#[test]
fn a_link_that_is_pasted_at_the_prompt_chooses_its_room() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut owner = server.login("owner");
    let key = owner.make_room();
    let chosen = chosen();
    for (at, mut peer) in Peer::at_every_door(&server).into_iter().enumerate() {
        peer.send(&format!("http://192.0.2.1:9998/#{key} 로 오세요"));
        peer.expect(&chosen);
        peer.expect("ID:");
        peer.send(&format!("carol-{at}"));
        owner.expect_joined(&format!("carol-{at}"));
    }
    // `/new` does not work before the login, and text meant for the new room is not said in the
    // lobby.
    for mut peer in Peer::at_every_door(&server) {
        for line in ["/new a secret", "carol", "the secret"] {
            peer.send(line);
            peer.expect(ROOM_FIRST.0);
            peer.expect("ID:");
        }
    }
    let nearest = CommandSpec::find("/help");
    let unknown = told(Notice::CommandRefused(&CommandError::Unknown { nearest }));
    // A mistake in another command neither chooses nor refuses a room.
    for (at, mut peer) in Peer::at_every_door(&server).into_iter().enumerate() {
        peer.send("/hlep");
        peer.expect(&unknown);
        peer.expect("ID:");
        peer.send(&format!("dave-{at}"));
        peer.expect(&format!("[dave-{at}]님이 입장했습니다."));
    }
}

#[test]
fn a_room_that_has_gone_since_it_was_chosen_leads_nowhere_either() {
    let server = TestServer::start(|config| config.packet_pause = Duration::from_millis(50));
    let mut lobby = server.login("watcher");
    let mut owner = server.login("owner");
    lobby.expect_joined("owner");
    let key = owner.make_room();
    lobby.expect_next("[owner]");
    lobby.expect_line();
    let chosen = chosen();
    let mut peers = Peer::at_every_door(&server);
    for peer in &mut peers {
        peer.send(&format!("/join #{key}"));
        peer.expect(&chosen);
        peer.expect("ID:");
    }
    owner.send("/end\n");
    lobby.expect_joined("owner");
    for (at, mut peer) in peers.into_iter().enumerate() {
        for line in ["carol", "a secret of the room"] {
            peer.send(line);
            peer.expect(&told(Notice::NoSuchRoom));
            peer.expect(ROOM_FIRST.0);
            peer.expect("ID:");
        }
        peer.send("/join lobby");
        peer.expect("ID:");
        peer.send(&format!("carol-{at}"));
        lobby.expect_joined(&format!("carol-{at}"));
        peer.send("/quit");
        lobby.expect_next(format!("[carol-{at}]"));
        lobby.expect_line();
    }
}

#[test]
fn json_says_where_to_with_the_login_or_with_a_join_before_it() {
    let server = TestServer::start(|_| {});
    let mut lobby = server.login("watcher");
    let mut web = WebSocketClient::open_json(server.web_address());
    web.expect_json("hello");
    let mut carol = server.connect();
    carol.become_json();
    let mut ask = |message: serde_json::Value| {
        carol.send_json(message.clone());
        let one = carol.expect_json();
        web.send_json(&message);
        let other: serde_json::Value =
            serde_json::from_str(&web.expect_message()).expect("an object");
        assert_eq!(one, other);
        one
    };
    let join =
        |room: &str| json!({"type": "command", "line": format!("/join {room}"), "nonce": "n"});
    let login = json!({"type": "login", "name": "", "nonce": "l"});
    let refused = |message: serde_json::Value| (message["code"].clone(), message["nonce"].clone());
    assert_eq!(refused(ask(join("#broken"))), (json!("broken_link"), json!("n")));
    assert_eq!(refused(ask(login.clone())), (json!("room_first"), json!("l")));
    assert_eq!(refused(ask(join("#00000000000000000000000000"))).0, "no_such_room");
    assert_eq!(refused(ask(login.clone())).0, "room_first");
    // The choice applies to a login without a room.
    ask(join("math"));
    for (client, name) in [(true, "carol"), (false, "dave")] {
        let message = json!({"type": "login", "name": name});
        let welcome = if client {
            assert_eq!(carol.expect_json()["type"], "ack");
            carol.send_json(message);
            carol.expect_message("welcome")
        } else {
            web.expect_json("ack");
            web.send_json(&message);
            web.expect_json("welcome")
        };
        assert_eq!(welcome["room"], "math");
    }
    lobby.expect_nothing();
}
