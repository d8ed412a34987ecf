//! What a chat client says and waits for, in lines and in JSON.

use serde_json::{Value, json};

use super::TestClient;

impl TestClient {
    /// Waits for the prompt, logs in as `name` and waits for its own announcement.
    #[track_caller]
    pub fn login(&mut self, name: &str) -> &mut TestClient {
        self.label = name.to_owned();
        self.expect("ID:");
        self.send(format!("{name}\n"));
        self.expect_joined(name);
        self
    }

    /// Waits for the line that `name` has joined.
    #[track_caller]
    pub fn expect_joined(&mut self, name: &str) {
        let lines = [format!("[{name}]님이 입장했습니다."), format!("[{name}] joined.")];
        while !lines.contains(&self.expect_line()) {}
    }

    /// Makes a private room in lines, and returns its key.
    #[track_caller]
    pub fn make_room(&mut self) -> String {
        self.send("/new\n/ping made\n").expect(" made\n");
        self.invite_key()
    }

    /// Requests the key of the private room in lines, and takes the answer.
    #[track_caller]
    pub fn invite_key(&mut self) -> String {
        let ways = self.send("/invite\n/ping invited\n").expect(" invited\n");
        let (_, key) = ways.split_once("/#").expect("madang comes by the key");
        key.lines().next().expect("it is not empty").to_owned()
    }

    /// Chooses a room at the prompt in lines, logs in, and waits for its own announcement there.
    #[track_caller]
    pub fn login_to(&mut self, destination: &str, name: &str) -> &mut TestClient {
        self.expect("ID:");
        self.send(format!("/join {destination}\n"));
        self.login(name)
    }

    /// Changes to JSON at the prompt, takes the hello, and returns it.
    #[track_caller]
    pub fn become_json(&mut self) -> Value {
        self.expect("ID:");
        self.send("/json\n");
        self.expect_next("\n");
        self.expect_message("hello")
    }

    /// Changes to JSON, logs in without history, waits for its own `joined`, and returns the
    /// welcome.
    #[track_caller]
    pub fn login_json(&mut self, name: &str) -> Value {
        self.label = name.to_owned();
        self.become_json();
        self.send_json(json!({"type": "login", "name": name, "history": 0}));
        let welcome = self.expect_message("welcome");
        let joined = self.expect_message("joined");
        assert_eq!(joined["user"], welcome["user"], "the first event is one's own");
        assert_eq!(joined["id"], welcome["id"], "the first event is one's own");
        welcome
    }

    /// Sends one object as a line.
    #[track_caller]
    pub fn send_json(&mut self, message: Value) {
        self.send(format!("{message}\n"));
    }

    /// The next line, as JSON.
    #[track_caller]
    pub fn expect_json(&mut self) -> Value {
        let line = self.expect_line();
        match serde_json::from_str(&line) {
            Ok(message) => message,
            Err(error) => self.fail(&format!("expected JSON, not {line:?}: {error}")),
        }
    }

    /// The next line, which is a message of type `kind`.
    #[track_caller]
    pub fn expect_message(&mut self, kind: &str) -> Value {
        let message = self.expect_json();
        if message["type"] != kind {
            self.fail(&format!("expected a {kind} next, not {message}"));
        }
        message
    }

    /// The next line, which is `user` saying `text`; returns its id.
    #[track_caller]
    pub fn expect_said(&mut self, user: &str, text: &str) -> u64 {
        let said = self.expect_message("said");
        if said["user"] != user || said["text"] != text {
            self.fail(&format!("expected {user:?} saying {text:?}, not {said}"));
        }
        said["id"].as_u64().unwrap_or_else(|| self.fail("expected an id"))
    }

    /// The next line, which is an error with this `code` and `nonce`; returns its text.
    #[track_caller]
    pub fn expect_error(&mut self, code: &str, nonce: Option<&str>) -> String {
        let error = self.expect_message("error");
        if error["code"] != code || error.get("nonce").and_then(Value::as_str) != nonce {
            self.fail(&format!("expected an error {code} with nonce {nonce:?}, not {error}"));
        }
        error["text"].as_str().unwrap_or_else(|| self.fail("expected words")).to_owned()
    }
}
