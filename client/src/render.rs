//! Turns a Madang server's messages into lines for people. All text from the server is
//! sanitized here, before it gets colours.

use anstyle::Style;
use madang_protocol::{
    command::{CommandSpec, Input},
    event::{Event, GapReason, LessonEvent, ServerMessage, Stamp, Time},
    notice::{Notice, lesson_answer},
    sanitize::{sanitize_label, sanitize_line, sanitize_message},
    text::{Lang, LineEnd, teacher_mark, write_event},
};
use madang_terminal::{
    size::terminal_size,
    style::{Palette, paint},
};

use self::past::Past;
use crate::{clock::Clock, mention::mentions, words::Words};

mod invitation;
mod past;

/// Who the lines are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A person: a time and a mark before each line.
    Person,
    /// A program: the lines as `nc` would show them.
    Program,
}

/// How much attention a line needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Attention {
    #[default]
    None,
    /// Somebody said something.
    Said,
    /// Somebody mentioned you.
    Called,
}

/// Rendered lines, each with its LF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) attention: Attention,
}

/// Turns messages into lines.
pub(crate) struct Renderer {
    pub(crate) lang: Lang,
    palette: Palette,
    clock: Clock,
    form: Form,
    /// The client's own name, once it has one.
    pub(crate) me: String,
    past: Past,
}

/// What somebody said, safe for a terminal.
#[derive(Clone, Copy)]
struct Utterance<'a> {
    user: &'a str,
    words: &'a str,
    me: bool,
    teacher: bool,
}

impl Renderer {
    pub(crate) fn new(lang: Lang, palette: Palette, clock: Clock, form: Form) -> Renderer {
        Renderer { lang, palette, clock, form, me: String::new(), past: Past::default() }
    }

    /// The lines of `message`; none if it has nothing for people.
    pub(crate) fn render(&mut self, message: &ServerMessage<'_>) -> Shown {
        let notice = |text: String| Shown { text, attention: Attention::None };
        match message {
            ServerMessage::Event(event) => self.event(event),
            ServerMessage::History { events, more, gaps, nonce, .. } => {
                // A mention in the history is not an alert.
                let gaps = gaps.as_deref().unwrap_or_default();
                notice(self.history(events, gaps, *more, nonce.as_deref()))
            }
            ServerMessage::Found { events, before, .. } => {
                notice(self.found(events, before.is_none()))
            }
            ServerMessage::Whisper { time, user, teacher, text, .. } => {
                self.whisper(*time, user, *teacher, text)
            }
            ServerMessage::Notice { text, .. } => notice(self.notice(text)),
            ServerMessage::Error { text, .. } => notice(self.alarm(text)),
            ServerMessage::Who { count, members, quiet, streams, .. } => {
                let [names, quiet, streams] = [members, quiet, streams]
                    .map(|names| names.iter().map(|name| &**name).collect::<Vec<_>>());
                let who =
                    Notice::Who { count: *count, names: &names, quiet: &quiet, streams: &streams };
                notice(self.notice(&who.text(self.lang)))
            }
            ServerMessage::Rooms { rooms, .. } => {
                notice(self.notice(&Notice::Rooms(rooms).text(self.lang)))
            }
            ServerMessage::Whois { user, room, since, away, quiet, stream, .. } => {
                let seconds = since.map(|since| {
                    let millis = Clock::now().as_millis().saturating_sub(since.as_millis());
                    u64::try_from(millis / 1_000).unwrap_or(0)
                });
                let (room, away) = (room.as_deref(), *away);
                let (quiet, stream) = (*quiet, *stream);
                let whois = Notice::Whois { user, room, seconds, away, quiet, stream };
                notice(self.notice(&whois.text(self.lang)))
            }
            ServerMessage::Invite { .. } => notice(self.invite(message, terminal_size())),
            ServerMessage::Transcript { path, link, .. } => {
                let link = sanitize_line(link.as_deref().unwrap_or(path));
                let transcript = Notice::Transcript { link: &link, apart: true };
                notice(self.notice(&transcript.text(self.lang)))
            }
            ServerMessage::Ignored { users, .. } => {
                let names: Vec<&str> = users.iter().map(|name| &**name).collect();
                notice(self.notice(&Notice::Hidden(&names).text(self.lang)))
            }
            ServerMessage::Wire { note, .. } => {
                notice(self.notice(&sanitize_line(&Notice::Explained(note).text(self.lang))))
            }
            ServerMessage::Pong { token, .. } => {
                notice(self.notice(&Notice::Pong(token.as_deref()).text(self.lang)))
            }
            // The next event explains it.
            ServerMessage::Gap { reason: Some(GapReason::Restart), .. } => Shown::default(),
            ServerMessage::Gap { from, to, .. } | ServerMessage::PrivateGap { from, to } => {
                let events = to.saturating_sub(*from).saturating_add(1);
                let lines = usize::try_from(events).unwrap_or(usize::MAX);
                notice(self.notice(&Notice::Skipped { lines }.text(self.lang)))
            }
            ServerMessage::Welcome { user, room, members, topic, removed, .. } => {
                let welcome = Words::Welcome {
                    user,
                    room: room.as_deref(),
                    members: *members,
                    topic: topic.as_deref(),
                };
                let removed = removed.as_ref().map(|event| self.event(event).text);
                let welcome = remark(&welcome.text(self.lang), Style::new());
                let rest = self.going_on(message) + &self.recorded(message);
                notice(removed.unwrap_or_default() + &welcome + &rest)
            }
            ServerMessage::Entered { room, members, topic, .. } => {
                let topic = topic.as_deref();
                let entered = Notice::Entered { room, members: *members, topic };
                let rest = self.going_on(message) + &self.recorded(message);
                notice(remark(&entered.text(self.lang), Style::new()) + &rest)
            }
            // It comes with each vote, and stands above the prompt.
            ServerMessage::Tally { nonce: None, .. } => Shown::default(),
            ServerMessage::Teacher { .. }
            | ServerMessage::Hands { .. }
            | ServerMessage::HandText { .. }
            | ServerMessage::Ballot { .. }
            | ServerMessage::Tally { .. }
            | ServerMessage::Asked { .. }
            | ServerMessage::Attendance { .. } => notice(self.going_on(message)),
            ServerMessage::Hello { .. } | ServerMessage::Ack { .. } | ServerMessage::Bye { .. } => {
                Shown::default()
            }
        }
    }

    /// The local date and time.
    pub(crate) fn moment(&self, time: Time) -> String {
        self.clock.moment(time)
    }

    /// States that the room of a `welcome` or `entered` is saved, if it is.
    fn recorded(&self, message: &ServerMessage<'_>) -> String {
        match message.is_saved() {
            true => self.notice(&Notice::Recorded.text(self.lang)),
            false => String::new(),
        }
    }

    /// What `message` says of a lesson, if it does.
    fn going_on(&self, message: &ServerMessage<'_>) -> String {
        let text = lesson_answer(message, self.lang, Clock::now());
        text.map(|text| self.notice(&sanitize_message(&text))).unwrap_or_default()
    }

    /// A message of the client itself, or of the server to this client only.
    pub(crate) fn notice(&self, text: &str) -> String {
        remark(text, self.palette.dim())
    }

    /// An error.
    pub(crate) fn alarm(&self, text: &str) -> String {
        remark(text, self.palette.alarm())
    }

    /// A whisper that this client sent, as the server confirms it.
    pub(crate) fn own_whisper(&self, text: &str) -> String {
        let time = self.clock.show(Clock::now());
        self.lines(&time, Mark::Own, text, |line| paint(self.palette.whisper(), line))
    }

    fn whisper(&mut self, time: Time, user: &str, teacher: bool, text: &str) -> Shown {
        let (user, text) = (sanitize_label(user), sanitize_message(text));
        let text = Notice::Whispered { user: &user, teacher, text: &text }.text(self.lang);
        let mut shown = self.day(time);
        let time = self.clock.show(time);
        shown +=
            &self.lines(&time, Mark::Called, &text, |line| paint(self.palette.whisper(), line));
        Shown { text: shown, attention: Attention::Called }
    }

    fn event(&mut self, event: &Event) -> Shown {
        let Stamp { time, .. } = *event.stamp();
        let mut text = self.day(time);
        let stamp = self.clock.show(time);
        let attention = match event {
            Event::Said { user, text: words, me, teacher, .. } => {
                let user = sanitize_label(user);
                let words = sanitize_message(words);
                let (me, teacher) = (*me, *teacher);
                let said = Utterance { user: &user, words: &words, me, teacher };
                let (shown, attention) = self.said(&stamp, said);
                text += &shown;
                attention
            }
            Event::Announced { .. } => {
                text += &self.lines(&stamp, Mark::Called, &told(event, self.lang), |line| {
                    paint(self.palette.mention(), line)
                });
                Attention::Called
            }
            Event::Lesson(lesson) if matches!(&**lesson, LessonEvent::Called { user, .. } if **user == *self.me) =>
            {
                text += &self.lines(&stamp, Mark::Called, &told(event, self.lang), |line| {
                    paint(self.palette.mention(), line)
                });
                Attention::Called
            }
            other => {
                text += &self.lines(&stamp, Mark::None, &told(other, self.lang), |line| {
                    paint(self.palette.dim(), line)
                });
                Attention::None
            }
        };
        Shown { text, attention }
    }

    fn said(&self, stamp: &str, said: Utterance<'_>) -> (String, Attention) {
        let (mark, attention) = match self.own_mark(said.user) {
            Mark::None if mentions(said.words, &self.me) => (Mark::Called, Attention::Called),
            Mark::None => (Mark::None, Attention::Said),
            own => (own, Attention::None),
        };
        let style = |words: &str| match mark {
            Mark::Called => paint(self.palette.mention(), words),
            Mark::None | Mark::Own => words.to_owned(),
        };
        (self.said_by(stamp, said, mark, style), attention)
    }

    /// The mark of what `user` said, unless it mentions this client.
    fn own_mark(&self, user: &str) -> Mark {
        if user == self.me { Mark::Own } else { Mark::None }
    }

    /// The lines of what somebody said, with `style` for the words of each.
    fn said_by(
        &self,
        stamp: &str,
        said: Utterance<'_>,
        mark: Mark,
        style: impl Fn(&str) -> String,
    ) -> String {
        let Utterance { user, words, me, teacher } = said;
        let event = Event::Said {
            stamp: Stamp { id: 0, time: Time::from_millis(0), room: "".into() },
            user: user.into(),
            text: words.to_owned(),
            me,
            teacher,
        };
        let name = match mark {
            Mark::Own => self.palette.own_name(),
            Mark::None | Mark::Called => self.palette.name(user),
        };
        // `[name] ` or `* name `, as in the protocol.
        let (before_bytes, behind_bytes) = if me { (2, 1) } else { (1, 2) };
        // Behind the name of a teacher, what no name can have.
        let behind_bytes = behind_bytes + if teacher { teacher_mark(self.lang).len() } else { 0 };
        self.lines(stamp, mark, &told(&event, self.lang), |line| {
            let (before, rest) = line.split_at(before_bytes);
            let (user, rest) = rest.split_at(user.len());
            let (behind, words) = rest.split_at(rest.floor_char_boundary(behind_bytes));
            format!("{before}{}{behind}{}", paint(name, user), style(words))
        })
    }

    /// The line that announces a new day, if `time` is on one.
    fn day(&mut self, time: Time) -> String {
        match self.clock.change_of_day(time, self.lang) {
            Some(day) => self.notice(&format!("-- {day} --")),
            None => String::new(),
        }
    }

    /// `text`, line by line: the time is on the first, the mark on all.
    fn lines(&self, time: &str, mark: Mark, text: &str, style: impl Fn(&str) -> String) -> String {
        let mut shown = String::with_capacity(text.len() + 32);
        let width = self.clock.show(Time::from_millis(0)).len();
        for (index, line) in text.split('\n').enumerate() {
            if self.form == Form::Person {
                let time = if index == 0 { time } else { "" };
                shown += &paint(self.palette.dim(), &format!("{time:width$}"));
                shown += &match mark {
                    Mark::None => " ".to_owned(),
                    Mark::Own => ">".to_owned(),
                    Mark::Called => paint(self.palette.mark(), "*"),
                };
            }
            shown += &style(&sanitize_line(line));
            shown.push('\n');
        }
        shown
    }
}

/// Lines that are not part of the conversation: without time and mark.
fn remark(text: &str, style: Style) -> String {
    text.split('\n').map(|line| paint(style, &sanitize_line(line)) + "\n").collect()
}

/// The mark before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    /// `>`: said by this client.
    Own,
    /// `*`: meant for this client.
    Called,
}

/// `event` as lines for people, separated by LF.
fn told(event: &Event, lang: Lang) -> String {
    let mut lines = Vec::new();
    write_event(event, lang, LineEnd::Lf, &mut lines);
    let mut text = String::from_utf8(lines).expect("it is made of strings alone");
    text.truncate(text.trim_end_matches('\n').len());
    text
}

/// Whether a line is a whisper. It is shown once, not again when its answer comes.
pub(crate) fn is_whisper(line: &str) -> bool {
    match Input::parse(line) {
        Input::Command(line) => {
            CommandSpec::of(&line).is_some_and(|spec| matches!(spec.name, "/msg" | "/reply"))
        }
        Input::Nothing | Input::Text(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TimeFormat;

    fn message(json: &str) -> ServerMessage<'static> {
        ServerMessage::parse(json).expect("it is known")
    }

    fn renderer(lang: Lang, palette: Palette, form: Form) -> Renderer {
        let mut renderer = Renderer::new(lang, palette, Clock::new(TimeFormat::Never), form);
        renderer.me = "me".into();
        renderer
    }

    #[track_caller]
    fn check(json: &str, korean: &str, english: &str) {
        let text = |lang| renderer(lang, Palette::Plain, Form::Program).render(&message(json)).text;
        assert_eq!(text(Lang::Ko), korean);
        assert_eq!(text(Lang::En), english);
    }

    fn said(user: &str, text: &str) -> String {
        format!(
            r#"{{"type":"said","id":1,"time":"2026-11-22T18:59:00Z","room":"lobby","user":"{user}","text":"{text}"}}"#
        )
    }

    #[test]
    fn messages_become_lines() {
        check(&said("a", r"1\n2"), "[a] 1\n[a] 2\n", "[a] 1\n[a] 2\n");
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
        check(
            r#"{"type":"gap","room":"lobby","from":9,"to":1795844768581537}"#,
            "-- 건너뛴 대화가 있습니다 --\n",
            "-- lines skipped --\n",
        );
        // A gap with this reason is explained without a count.
        check(r#"{"type":"gap","room":"lobby","from":9,"to":90000,"reason":"restart"}"#, "", "");
        check(
            r#"{"type":"restarted","id":1,"time":"2026-11-22T18:59:00Z","room":"lobby"}"#,
            "-- 서버가 다시 시작되었습니다 --\n",
            "-- the server restarted --\n",
        );
        check(
            r#"{"type":"whisper","private":1,"time":"2026-11-22T18:59:00Z","user":"a","text":"psst"}"#,
            "[귓속말 a] psst\n",
            "[whisper a] psst\n",
        );
        // A link that stands alone can be copied.
        let link = "http://192.0.2.2:9998/transcript/5457fe9c94a686fb3820abb2563df2d7";
        let told = |lang| Notice::Transcript { link, apart: true }.text(lang) + "\n";
        assert!(told(Lang::En).ends_with(&format!(":\n{link}\n")));
        check(
            &format!(
                r#"{{"type":"transcript","room":"math","format":"txt","path":"/transcript/5457","link":"{link}\u001b[2J","seconds":600}}"#
            ),
            &told(Lang::Ko),
            &told(Lang::En),
        );
        check(r#"{"type":"ack","nonce":"1","id":3}"#, "", "");
        check(r#"{"type":"bye","reason":"quit"}"#, "", "");
    }

    #[test]
    fn lines_are_marked_if_they_concern_the_user() {
        #[track_caller]
        fn check(user: &str, text: &str, expected: &str, attention: Attention) {
            let mut renderer = renderer(Lang::En, Palette::Plain, Form::Person);
            let shown = renderer.render(&message(&said(user, text)));
            assert_eq!(shown, Shown { text: expected.into(), attention });
        }
        check("bob", "hi", " [bob] hi\n", Attention::Said);
        check("me", "hi", ">[me] hi\n", Attention::None);
        check("bob", "hi me", "*[bob] hi me\n", Attention::Called);
        check("bob", r"1\n2", " [bob] 1\n [bob] 2\n", Attention::Said);
    }

    #[test]
    fn no_control_sequence_gets_through() {
        let evil = r"\u001b[2J\u001b]0;title\u0007\u009b31m\u202ered\r\u0000";
        for json in [
            said(&format!("a{evil}"), evil),
            format!(r#"{{"type":"notice","text":"{evil}"}}"#),
            format!(r#"{{"type":"error","code":"x","text":"{evil}"}}"#),
            format!(
                r#"{{"type":"who","room":"{evil}","count":1,"members":["{evil}"],"more":false}}"#
            ),
            format!(
                r#"{{"type":"rooms","rooms":[{{"room":"{evil}","members":1,"topic":"{evil}"}}],"more":false}}"#
            ),
            format!(r#"{{"type":"entered","room":"{evil}","id":1,"members":1,"topic":"{evil}"}}"#),
            format!(
                r#"{{"type":"whisper","private":1,"time":"2026-11-22T18:59:00Z","user":"{evil}","text":"{evil}"}}"#
            ),
            format!(
                r#"{{"type":"topic","id":1,"time":"2026-11-22T18:59:00Z","room":"{evil}","user":"{evil}","topic":"{evil}"}}"#
            ),
            format!(
                r#"{{"type":"invite","room":"x","link":"{evil}","madang":"{evil}","nc":["{evil}","{evil}"],"encrypted":false,"qr":"{evil}"}}"#
            ),
        ] {
            let text =
                renderer(Lang::En, Palette::Plain, Form::Person).render(&message(&json)).text;
            let is_bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(text.contains("red") && !text.contains(is_bad), "{text:?}");
        }
    }

    #[test]
    fn colours_end_with_their_line() {
        let mut renderer = renderer(Lang::En, Palette::Many, Form::Person);
        let shown = renderer.render(&message(&said("bob", r"one\ntwo"))).text;
        for line in shown.lines() {
            assert!(line.contains('\x1b') && !line.ends_with('m'), "{line:?}");
        }
    }
}
