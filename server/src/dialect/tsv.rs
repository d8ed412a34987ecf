//! A third dialect, for a test that one more needs nothing but a file and a line in
//! [`DIALECTS`](super::DIALECTS): a kind and a text, with a tab between them.

use madang_protocol::{
    event::{Event, ServerMessage},
    message::check_message,
    notice::Notice,
    request::{Request, RequestError},
    text::{Lang, LineEnd, write_event},
};

use super::{Dialect, Stage, Words};

pub(super) struct TsvLines;

impl Dialect for TsvLines {
    fn name(&self) -> &'static str {
        "tsv"
    }

    fn parse(&self, message: String, _stage: Stage) -> Result<Option<Request>, RequestError> {
        let (kind, text) = message.split_once('\t').unwrap_or((&message, ""));
        let field = if kind == "login" { "name" } else { "text" };
        let field = if kind == "command" { "line" } else { field };
        Request::parse(&serde_json::json!({ "type": kind, field: text }).to_string()).map(Some)
    }

    fn check_said(&self, text: String) -> Result<Option<String>, Notice<'static>> {
        check_message(&text).map(Some)
    }

    fn write_event(&self, event: &Event, _words: Words, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("event\t{}\t", event.id()).as_bytes());
        write_event(event, Lang::En, LineEnd::Lf, out);
    }

    fn write_message(&self, message: &ServerMessage<'_>, _words: Words, out: &mut Vec<u8>) {
        let message = serde_json::to_value(message).expect("it is a message");
        let text = [&message["code"], &message["room"], &message["text"]].map(|it| it.as_str());
        let kind = message["type"].as_str().unwrap_or_default();
        let fields = text.into_iter().flatten().fold(kind.to_owned(), |line, it| line + "\t" + it);
        out.extend_from_slice(format!("{}\n", fields.replace('\n', " ")).as_bytes());
    }
}

#[cfg(not(feature = "shuttle"))]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpStream,
    };

    use super::*;
    use crate::{
        config::{Config, Listen},
        operator::console::{Console, Streams},
        patience::DEADLINE,
        server::Server,
    };

    /// Says a line, and reads until one comes that holds `expected`.
    #[track_caller]
    fn converse(reader: &mut BufReader<TcpStream>, line: &str, expected: &str) {
        writeln!(reader.get_mut(), "{line}").expect("it reads");
        let mut heard = String::new();
        while !heard.lines().last().is_some_and(|line| line.contains(expected)) {
            let count = reader.read_line(&mut heard).expect("a line in time");
            assert!(count > 0, "closed before {expected:?}: {heard}");
        }
    }

    #[test]
    fn a_third_dialect_needs_no_more_than_its_own_file() {
        let streams = Streams { out: Box::new(std::io::sink()), err: Box::new(std::io::sink()) };
        let (console, _thread) = Console::start(Lang::En, streams).expect("a thread");
        let listen = vec![Listen::At(([127, 0, 0, 1], 0).into())];
        let (web, lang, join_timeout) = (Vec::new(), Lang::En, DEADLINE);
        let config = Config { listen, web, lang, join_timeout, ..Config::default() };
        let server = Server::start(config, console).expect("a free port");
        let connect = || {
            let stream = TcpStream::connect(server.addresses()[0]).expect("it listens");
            stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
            BufReader::new(stream)
        };
        let (mut alice, mut bob, mut carol) = (connect(), connect(), connect());
        converse(&mut bob, "bob", "[bob] joined.");
        converse(&mut carol, "/json", "\"hello\"");
        converse(&mut carol, "{\"type\":\"login\",\"name\":\"carol\"}", "\"joined\"");

        converse(&mut alice, "/tsv", "hello");
        converse(&mut alice, "say\ttoo early", "error\tlogin_first");
        converse(&mut alice, "login\talice", "welcome\tlobby");
        converse(&mut alice, "say\thi all", "[alice] hi all");
        converse(&mut bob, "hi alice", "[bob] hi alice");
        converse(&mut alice, "command\t/who", "who\tlobby");
        converse(&mut alice, "command\t/history", "history\tlobby");
        converse(&mut alice, "dance\t", "error\tunknown_type");
        let whisper = r#"{"type":"command","line":"/msg alice psst","nonce":"n"}"#;
        converse(&mut carol, whisper, "\"ack\"");
        converse(&mut alice, "say\tthanks", "whisper\tpsst");
        converse(&mut alice, "command\t/quit", "bye");
        assert!(server.stop());
    }
}
