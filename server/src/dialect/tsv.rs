//! A third dialect (a kind and a text, separated by a tab), for a test. It needs only this file
//! and a line in [`DIALECTS`](super::DIALECTS).

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
    fn name(&self) -> Option<&'static str> {
        Some("tsv")
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
    use crate::test_server::{Peer, start};

    #[test]
    fn a_third_dialect_needs_no_more_than_its_own_file() {
        let (server, _console) = start();
        let connect = || Peer::connect(&server);
        let (mut alice, mut bob, mut carol) = (connect(), connect(), connect());
        bob.say("bob").expect("[bob] joined.");
        carol.say("/json").expect("\"hello\"");
        carol.say("{\"type\":\"login\",\"name\":\"carol\"}").expect("\"joined\"");

        alice.say("/tsv").expect("hello");
        alice.say("say\ttoo early").expect("error\tlogin_first");
        alice.say("login\talice").expect("welcome\tlobby");
        alice.say("say\thi all").expect("[alice] hi all");
        bob.say("hi alice").expect("[bob] hi alice");
        alice.say("command\t/who").expect("who\tlobby");
        alice.say("command\t/history").expect("history\tlobby");
        alice.say("dance\t").expect("error\tunknown_type");
        let whisper = r#"{"type":"command","line":"/msg alice psst","nonce":"n"}"#;
        carol.say(whisper).expect("\"ack\"");
        alice.say("say\tthanks").expect("whisper\tpsst");
        alice.say("command\t/quit").expect("bye");
        assert!(server.stop());
    }
}
