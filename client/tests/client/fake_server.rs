//! A server that does only what a test tells it to.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use madang_protocol::request::Request;

use crate::DEADLINE;

/// A listener on a free port. Each connection is a [`Peer`].
pub(crate) struct FakeServer {
    pub(crate) address: String,
    accepted: mpsc::Receiver<TcpStream>,
}

impl FakeServer {
    pub(crate) fn start() -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (sender, accepted) = mpsc::channel();
        // This thread ends with the test process.
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        FakeServer { address, accepted }
    }

    /// The next client.
    #[track_caller]
    pub(crate) fn accept(&self) -> Peer {
        let stream = self.accepted.recv_timeout(DEADLINE).expect("a client connects");
        stream.set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
        stream.set_nodelay(true).expect("it is connected");
        Peer { stream, unread: Vec::new(), last_id: 1 }
    }

    /// Whether another client has connected by now.
    #[cfg(unix)]
    pub(crate) fn is_asked_again(&self) -> bool {
        self.accepted.try_recv().is_ok()
    }

    /// The next client, after the greeting and the change to JSON in English.
    #[track_caller]
    pub(crate) fn accept_json(&self) -> Peer {
        let mut peer = self.accept();
        peer.send("Madang/1 0.1.0\n로그인ID:");
        peer.expect("/lang en\n/json\n");
        peer.send("The server now speaks English to you.\nLogin ID:\n");
        peer.send(concat!(
            r#"{"type":"hello","server":"madang","version":"0.1.0","protocol":1,"#,
            r#""limits":{"line_bytes":4096,"message_bytes":16384,"carrier_bytes":65536,"#,
            r#""name_columns":24}}"#,
            "\n"
        ));
        peer
    }

    /// The next client, logged in with the name it asks for.
    #[track_caller]
    pub(crate) fn accept_member(&self, name: &str) -> Peer {
        let mut peer = self.accept_json();
        peer.expect_login(&format!("\"name\":\"{name}\""));
        peer.welcome(name);
        peer
    }
}

/// The server's side of one connection.
pub(crate) struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    /// The lobby's last event.
    pub(crate) last_id: u64,
}

impl Peer {
    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes());
    }

    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the client is there");
    }

    /// The same; returns false if the client has gone.
    #[cfg(unix)]
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    #[track_caller]
    pub(crate) fn welcome(&mut self, name: &str) {
        self.welcome_in(name, "lobby", 1, false);
    }

    /// Welcomes the client to `room`, with `last` as the id of its last event.
    #[track_caller]
    pub(crate) fn welcome_in(&mut self, name: &str, room: &str, last: u64, resumed: bool) {
        self.send(&format!(
            "{{\"type\":\"welcome\",\"user\":\"{name}\",\"room\":\"{room}\",\"session\":\"t\",\
             \"id\":{last},\"members\":1,\"resumed\":{resumed}}}\n"
        ));
    }

    /// Refuses the login, or the request with this nonce.
    #[track_caller]
    pub(crate) fn refuse(&mut self, nonce: &str, code: &str) {
        self.send(&format!(
            "{{\"type\":\"error\",\"code\":\"{code}\",\"text\":\"No.\",\"nonce\":\"{nonce}\"}}\n"
        ));
    }

    /// Resumes the session where the client left off.
    #[track_caller]
    pub(crate) fn resume(&mut self, name: &str, last: u64) {
        self.last_id = last;
        self.welcome_in(name, "lobby", last, true);
    }

    #[track_caller]
    pub(crate) fn said(&mut self, user: &str, text: &str) {
        self.event("said", &format!("\"user\":\"{user}\",\"text\":\"{text}\""));
    }

    /// Sends the lobby's next event.
    #[track_caller]
    pub(crate) fn event(&mut self, kind: &str, fields: &str) {
        self.last_id += 1;
        self.send(&format!(
            "{{\"type\":\"{kind}\",\"id\":{},\"time\":\"2026-11-22T18:59:00.123Z\",\
             \"room\":\"lobby\",{fields}}}\n",
            self.last_id
        ));
    }

    /// Expects a login with these `fields`, and returns the whole request.
    #[track_caller]
    pub(crate) fn expect_login(&mut self, fields: &str) -> String {
        let line = self.line();
        assert!(line.starts_with("{\"type\":\"login\",") && line.contains(fields), "{line}");
        assert!(line.ends_with("\"nonce\":\"0\"}"), "{line}");
        line
    }

    /// Expects a `say`, and confirms it.
    #[track_caller]
    pub(crate) fn expect_say(&mut self) -> String {
        let (text, nonce) = self.say();
        self.ack(&nonce);
        text
    }

    /// Expects a `say` without answering it. Returns the text and the nonce.
    #[track_caller]
    pub(crate) fn say(&mut self) -> (String, String) {
        let line = self.line();
        match Request::parse(&line) {
            Ok(Request::Say { text, nonce: Some(nonce), .. }) => (text, nonce),
            _ => panic!("the client sent {line}"),
        }
    }

    #[track_caller]
    pub(crate) fn ack(&mut self, nonce: &str) {
        self.send(&format!("{{\"type\":\"ack\",\"nonce\":\"{nonce}\"}}\n"));
    }

    /// Expects exactly `text` next.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        while self.unread.len() < text.len() {
            let read = self.read();
            assert!(read, "the client sent {:?} and closed, not {text:?}", self.unread());
        }
        let rest = self.unread.split_off(text.len());
        assert_eq!(self.unread(), text, "followed by {:?}", String::from_utf8_lossy(&rest));
        self.unread = rest;
    }

    /// The next line, without its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.unread.iter().position(|&byte| byte == b'\n') {
                let rest = self.unread.split_off(at + 1);
                let line = std::mem::replace(&mut self.unread, rest);
                return String::from_utf8(line).expect("clients send UTF-8").trim_end().into();
            }
            let read = self.read();
            assert!(read, "the client sent {:?} and closed", self.unread());
        }
    }

    /// Whether anything more has arrived by now.
    #[track_caller]
    pub(crate) fn has_more(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("it is connected");
        let arrived = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).expect("it is connected");
        arrived || !self.unread.is_empty()
    }

    /// Expects that nothing arrives for this long.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self, span: Duration) {
        self.stream.set_read_timeout(Some(span)).expect("the time is not zero");
        let arrived = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
        assert!(self.unread.is_empty() && arrived.is_err(), "{arrived:?}: {:?}", self.unread());
    }

    /// Expects the end of the client's input.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        while self.read() {}
        assert_eq!(self.unread(), "");
    }

    /// Expects `/quit`.
    #[track_caller]
    pub(crate) fn expect_quit(mut self) {
        self.expect("{\"type\":\"command\",\"line\":\"/quit\"}\n");
        self.send("{\"type\":\"bye\",\"reason\":\"quit\"}\n");
    }

    /// Closes the sending side.
    pub(crate) fn close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("it is connected");
    }

    fn unread(&self) -> String {
        String::from_utf8_lossy(&self.unread).into()
    }

    /// Reads once. Returns false at the end.
    #[track_caller]
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4_096];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) => panic!("after {:?}: {error}", self.unread()),
        }
    }
}
