//! Mutes of people whose connection was cut: they hold, also across a restart of the server, and
//! end on time.

use std::net::SocketAddr;

use madang_protocol::{
    notice::{Done, Notice},
    text::Lang,
};
use madang_tests::{TestClient, TestFolder};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    journal::wait_for,
    reach::{CODE, start_at_terminal},
    terminal::Terminal,
};

/// Somebody whose client reconnects.
struct Program {
    client: TestClient,
    token: String,
    last: u64,
}

impl Program {
    #[track_caller]
    fn log_in(address: SocketAddr, name: &str) -> Program {
        let mut client = TestClient::connect(address);
        let welcome = client.login_json(name);
        let token = welcome["session"].as_str().expect("a token").to_owned();
        Program { client, token, last: welcome["id"].as_u64().expect("an id") }
    }

    /// Cuts the connection; returns when the operator has seen that.
    #[track_caller]
    fn lose_connection(self, terminal: &mut Terminal, name: &str) -> (String, u64) {
        self.client.reset();
        terminal.expect(&format!("=== [{name}] disconnected"));
        (self.token, self.last)
    }

    /// Resumes a session.
    #[track_caller]
    fn comes_back(address: SocketAddr, (token, last): (String, u64)) -> Program {
        let mut client = TestClient::connect(address);
        client.become_json();
        client.send_json(json!({
            "type": "login", "session": token, "room": "lobby", "last": last, "last_private": 0,
        }));
        assert_eq!(client.expect_message("welcome")["resumed"], true);
        Program { client, token, last }
    }

    /// Says something; returns the answer.
    #[track_caller]
    fn say(&mut self, nonce: &str) -> Value {
        self.client.send_json(json!({"type": "say", "text": "may I?", "nonce": nonce}));
        loop {
            let message = self.client.expect_json();
            if message["nonce"] == nonce {
                return message;
            }
        }
    }
}

#[test]
fn the_operator_mutes_whoever_is_away_also_over_a_restart() {
    for signal in [Signal::TERM, Signal::KILL] {
        let folder = TestFolder::new();
        let data = folder.path().join("data");
        let (mut terminal, address, _) = start_at_terminal(&folder, &data);
        let mut bob = Program::log_in(address, "bob");
        let alice = Program::log_in(address, "alice").lose_connection(&mut terminal, "alice");
        let muted = Done::Muted { user: "alice", seconds: Some(3_600) };
        terminal.enter("/mute alice 1h", &Notice::Done(muted).text(Lang::En));
        // Those who return are told what they missed.
        let mut back = Program::comes_back(address, alice.clone());
        assert_eq!(wait_for(&mut back.client, "muted")["user"], "alice");
        assert_eq!(back.say("a1")["code"], "muted");
        back.lose_connection(&mut terminal, "alice");
        // What happened before is on the disk.
        assert_eq!(bob.say("b1")["type"], "ack");
        match signal {
            Signal::KILL => terminal.screen.kill(),
            _ => {
                rustix::process::kill_process(terminal.pid(), signal).expect("it runs");
                assert_eq!(terminal.expect_exit(), 0);
            }
        }

        let (mut terminal, address, _) = start_at_terminal(&folder, &data);
        let mut back = Program::comes_back(address, alice);
        assert_eq!(wait_for(&mut back.client, "muted")["user"], "alice");
        let refused = back.say("a2");
        assert_eq!(refused["code"], "muted", "{signal:?}: {refused}");
        let unmuted = Done::Unmuted { user: "alice" };
        terminal.enter("/unmute alice", &Notice::Done(unmuted).text(Lang::En));
        assert_eq!(back.say("a3")["type"], "ack");
    }
}

#[test]
fn a_teachers_mute_ends_when_it_is_due_also_over_a_restart() {
    let folder = TestFolder::new();
    let data = folder.path().join("data");
    let (mut terminal, address, _) = start_at_terminal(&folder, &data);
    let mut kim = Program::log_in(address, "kim");
    kim.client.send_json(json!({"type": "command", "line": format!("/teach {CODE}")}));
    wait_for(&mut kim.client, "teacher");
    let mut bob = Program::log_in(address, "bob");
    for (name, time) in [("bob", "1s"), ("carol", "1h")] {
        let mut other = (name != "bob").then(|| Program::log_in(address, name));
        let mute =
            json!({"type": "command", "line": format!("/mute {name} {time}"), "nonce": name});
        kim.client.send_json(mute);
        let heard = other.as_mut().unwrap_or(&mut bob);
        assert_eq!(wait_for(&mut heard.client, "muted")["user"], name);
    }
    assert_eq!(kim.say("k1")["type"], "ack");
    let (token, last) = (bob.token.clone(), bob.last);
    terminal.screen.kill();
    let (_terminal, address, _) = start_at_terminal(&folder, &data);
    let mut bob = Program::comes_back(address, (token, last));
    while wait_for(&mut bob.client, "unmuted")["user"] != "bob" {}
    assert_eq!(bob.say("b1")["type"], "ack");
}
