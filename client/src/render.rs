//! A Madang server's messages as lines for people; pure. They become fit for a
//! terminal where they are shown, in [`stdio`](crate::stdio).

use madang_protocol::{
    event::ServerMessage,
    text::{Lang, LineEnd, Notice, write_event},
};

use crate::words::Words;

/// The lines of `message`, each with its LF; empty if it tells people nothing.
pub(crate) fn render(message: &ServerMessage<'_>, lang: Lang) -> String {
    let mut text = match message {
        ServerMessage::Event(event) => {
            let mut lines = Vec::new();
            write_event(event, lang, LineEnd::Lf, &mut lines);
            return String::from_utf8(lines).expect("it is made of strings alone");
        }
        ServerMessage::Notice { text, .. } | ServerMessage::Error { text, .. } => {
            text.clone().into_owned()
        }
        ServerMessage::Who { count, members, .. } => {
            let names: Vec<&str> = members.iter().map(|name| &**name).collect();
            Notice::Who { count: *count, names: &names }.text(lang)
        }
        ServerMessage::Gap { from, to, .. } => {
            let events = to.saturating_sub(*from).saturating_add(1);
            Notice::Skipped { lines: usize::try_from(events).unwrap_or(usize::MAX) }.text(lang)
        }
        ServerMessage::Welcome { user, room, members, .. } => {
            Words::Welcome { user, room, members: *members }.text(lang)
        }
        ServerMessage::Hello { .. } | ServerMessage::Ack { .. } | ServerMessage::Bye { .. } => {
            return String::new();
        }
    };
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_lines() {
        #[track_caller]
        fn check(json: &str, korean: &str, english: &str) {
            let message = ServerMessage::parse(json).expect("it is known");
            assert_eq!(render(&message, Lang::Ko), korean);
            assert_eq!(render(&message, Lang::En), english);
        }
        check(
            r#"{"type":"said","id":1,"time":"2026-11-22T18:59:00Z","room":"lobby","user":"a","text":"1\n2"}"#,
            "[a] 1\n[a] 2\n",
            "[a] 1\n[a] 2\n",
        );
        check(
            r#"{"type":"joined","id":1,"time":"2026-11-22T18:59:00Z","room":"lobby","user":"a"}"#,
            "[a]님이 입장했습니다.\n",
            "[a] joined.\n",
        );
        check(r#"{"type":"notice","text":"one\ntwo"}"#, "one\ntwo\n", "one\ntwo\n");
        check(r#"{"type":"error","code":"usage","text":"no"}"#, "no\n", "no\n");
        check(
            r#"{"type":"who","room":"lobby","count":2,"members":["a","나"],"more":false}"#,
            "대화 참여자 2명: a, 나\n",
            "2 here: a, 나\n",
        );
        check(
            r#"{"type":"gap","room":"lobby","from":50,"to":86}"#,
            "-- 37줄 건너뜀 --\n",
            "-- 37 lines skipped --\n",
        );
        check(
            r#"{"type":"gap","room":"lobby","from":9,"to":3}"#,
            "-- 1줄 건너뜀 --\n",
            "-- 1 line skipped --\n",
        );
        check(r#"{"type":"ack","nonce":"1","id":3}"#, "", "");
        check(r#"{"type":"bye","reason":"quit"}"#, "", "");
    }
}
