//! How earlier messages are shown: more history, with a heading; and search results, with
//! dates, times and the search words in bold.

use std::borrow::Cow;

use madang_protocol::{
    command::{Command, Input},
    event::{Event, IdRange},
    notice::Notice,
    sanitize::{sanitize_label, sanitize_message},
    search::Query,
};
use madang_terminal::style::paint;

use super::{Form, Renderer, Utterance};
use crate::words::Words;

/// The most events of one answer that are collected for its heading. No Madang server sends
/// more.
const COLLECTED_EVENTS: usize = 1_000;

/// Of a found message with more lines than this, only the matching lines are shown.
const FOUND_LINES: usize = 5;

/// The state of answers about earlier messages.
#[derive(Default)]
pub(super) struct Past {
    /// The words of the last search.
    searched: Option<(String, Query)>,
    /// Whether the current search continues the last one.
    goes_on: bool,
    /// The events so far of an answer that arrives in several messages.
    collected: Vec<Event>,
    /// What of it could not be saved.
    gaps: Vec<IdRange>,
}

impl Renderer {
    /// Notes the command that is being answered: the words of a search are highlighted in its
    /// results.
    pub(crate) fn note_answered(&mut self, line: &str) {
        if let Input::Command(line) = Input::parse(line)
            && let Ok(Command::Search(words)) = Command::parse(&line)
        {
            self.past.goes_on = words.is_none();
            if let Some(words) = words {
                self.past.searched = Query::parse(words).map(|query| (words.to_owned(), query));
            }
        }
    }

    /// The lines of a `history`. Answers, which have a nonce, get a heading.
    pub(super) fn history(
        &mut self,
        events: &[Cow<'_, Event>],
        gaps: &[IdRange],
        more: bool,
        nonce: Option<&str>,
    ) -> String {
        if nonce.is_none() {
            return self.past_events(events.iter().map(|event| &**event), gaps);
        }
        self.past.gaps.extend(gaps);
        self.past.collected.extend(events.iter().map(|event| event.clone().into_owned()));
        if more && self.past.collected.len() < COLLECTED_EVENTS {
            return String::new();
        }
        let collected = std::mem::take(&mut self.past.collected);
        let gaps = std::mem::take(&mut self.past.gaps);
        let heading = match collected.len() {
            0 => Notice::NothingEarlier,
            lines => Notice::Earlier { lines },
        };
        self.notice(&heading.text(self.lang)) + &self.past_events(collected.iter(), &gaps)
    }

    /// The results of a search; `is_all` if nothing older is left to search.
    pub(super) fn found(&mut self, events: &[Cow<'_, Event>], is_all: bool) -> String {
        let mut text = String::new();
        if let Some((words, _)) = self.past.searched.as_ref().filter(|_| !events.is_empty()) {
            text = self.notice(&Words::SearchedFor { words }.text(self.lang));
        }
        self.clock.begin_today();
        for event in events {
            let time = event.stamp().time;
            text += &self.day(time);
            let lines = self.found_event(event);
            text += &match self.clock.moment_if_hidden(time) {
                Some(moment) => self.dated(&moment, &lines),
                None => lines,
            };
        }
        let found = match events.is_empty() && is_all && self.past.goes_on {
            true => Words::NothingOlder.text(self.lang),
            false => Notice::Found { count: events.len(), is_all }.text(self.lang),
        };
        text + &self.notice(&found)
    }

    fn past_events<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
        gaps: &[IdRange],
    ) -> String {
        self.clock.begin_today();
        let (mut text, mut gaps) = (String::new(), gaps.iter().peekable());
        for event in events {
            while let Some(gap) = gaps.next_if(|gap| gap.from < event.id()) {
                text += &self.gap(gap);
            }
            text += &self.event(event).text;
        }
        gaps.for_each(|gap| text += &self.gap(gap));
        text
    }

    fn gap(&self, gap: &IdRange) -> String {
        let lines = gap.to.saturating_sub(gap.from).saturating_add(1);
        self.notice(&Notice::NotSaved { lines }.text(self.lang))
    }

    fn found_event(&mut self, event: &Event) -> String {
        let Event::Said { stamp, user, text, me, teacher } = event else {
            return self.event(event).text;
        };
        let (user, text) = (sanitize_label(user), self.found_lines(&sanitize_message(text)));
        let style = |words: &str| match &self.past.searched {
            Some((_, query)) => self.marked(words, query),
            None => words.to_owned(),
        };
        let said = Utterance { user: &user, words: &text, me: *me, teacher: *teacher };
        self.said_by(&self.clock.show(stamp.time), said, self.own_mark(&user), style)
    }

    /// The lines of `text` to show: all, or the matching ones with the number of the others.
    fn found_lines(&self, text: &str) -> String {
        let count = text.split('\n').count();
        let query = match &self.past.searched {
            Some((_, query)) if count > FOUND_LINES => query,
            _ => return text.to_owned(),
        };
        let found = text.split('\n').filter(|line| !query.places(line).is_empty());
        let mut lines: Vec<String> = found.take(FOUND_LINES).map(str::to_owned).collect();
        lines.push(format!("… +{}", count - lines.len()));
        lines.join("\n")
    }

    /// `text` with the words of a query in bold.
    fn marked(&self, text: &str, query: &Query) -> String {
        let mut marked = String::with_capacity(text.len() + 16);
        let mut end = 0;
        for place in query.places(text) {
            marked += &text[end..place.start];
            marked += &paint(self.palette.mention(), &text[place.clone()]);
            end = place.end;
        }
        marked + &text[end..]
    }

    /// Lines without times, each with date and time in front.
    fn dated(&self, moment: &str, lines: &str) -> String {
        let moment = paint(self.palette.dim(), moment);
        // A person's lines begin with a mark or a blank.
        let blank = if self.form == Form::Program { " " } else { "" };
        lines.split_inclusive('\n').map(|line| format!("{moment}{blank}{line}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use madang_protocol::{event::ServerMessage, text::Lang};
    use madang_terminal::style::Palette;

    use super::*;
    use crate::{
        clock::{Clock, TimeFormat},
        render::Attention,
    };

    /// A renderer in Seoul, on 28 November 2026.
    fn renderer(palette: Palette, format: TimeFormat, form: Form) -> Renderer {
        let clock = Clock::in_seoul(format, || "2026-11-28T06:00:00Z".parse().expect("a moment"));
        let mut renderer = Renderer::new(Lang::En, palette, clock, form);
        renderer.me = "me".into();
        renderer
    }

    fn said(id: u64, time: &str, user: &str, text: &str) -> String {
        format!(
            r#"{{"type":"said","id":{id},"time":"{time}","room":"math","user":"{user}","text":"{text}"}}"#
        )
    }

    /// A `found` or `history` with these events and further fields.
    fn answer(kind: &str, events: &[String], fields: &str) -> ServerMessage<'static> {
        let events = events.join(",");
        let json = format!(r#"{{"type":"{kind}","room":"math","events":[{events}]{fields}}}"#);
        ServerMessage::parse(&json).expect("it is known")
    }

    fn found(events: &[String]) -> ServerMessage<'static> {
        answer("found", events, "")
    }

    fn three() -> [String; 3] {
        [
            said(3, "2026-11-26T05:00:00Z", "bob", "회의는 3시"),
            said(7, "2026-11-27T23:30:00Z", "me", r"no\n회의 is over"),
            said(9, "2026-11-28T00:10:00Z", "bob", "me: 회의?"),
        ]
    }

    #[test]
    fn results_have_dates_and_times_and_say_how_to_continue() {
        let mut renderer = renderer(Palette::Plain, TimeFormat::Minutes, Form::Person);
        renderer.note_answered("/search 회의");
        let shown = renderer.render(&answer("found", &three(), r#","before":3"#));
        assert_eq!(
            shown.text,
            "-- search: 회의 --\n\
             -- Thursday, 26 November 2026 --\n\
             14:00 [bob] 회의는 3시\n\
             -- Saturday, 28 November 2026 --\n\
             08:30>[me] no\n     >[me] 회의 is over\n\
             09:10 [bob] me: 회의?\n\
             -- 3 found so far; older ones: /search --\n"
        );
        assert_eq!(shown.attention, Attention::None, "a mention that was found is no alert");
        assert_eq!(renderer.render(&found(&[])).text, "No messages found.\n");
        renderer.note_answered("/search");
        assert_eq!(renderer.render(&found(&[])).text, "-- no older results --\n");
    }

    #[test]
    fn a_date_heading_is_shown_unless_all_is_from_today() {
        let mut renderer = renderer(Palette::Plain, TimeFormat::Minutes, Form::Person);
        let [older, _, today] = three();
        let shown = renderer.render(&found(std::slice::from_ref(&today))).text;
        assert_eq!(shown, "09:10 [bob] me: 회의?\n-- 1 found; there are no older ones --\n");
        for _ in 0..2 {
            let history = answer("history", std::slice::from_ref(&older), r#","more":false"#);
            let shown = renderer.render(&history).text;
            assert_eq!(shown, "-- Thursday, 26 November 2026 --\n14:00 [bob] 회의는 3시\n");
        }
        let message = ServerMessage::parse(&today).expect("it is known");
        let shown = renderer.render(&message).text;
        assert_eq!(shown, "-- Saturday, 28 November 2026 --\n09:10*[bob] me: 회의?\n");
    }

    #[test]
    fn search_words_are_bold_if_there_are_colours() {
        let events = [said(9, "2026-11-28T00:10:00Z", "rust", "Rust and Rust")];
        let shown = |palette| {
            let mut renderer = renderer(palette, TimeFormat::Minutes, Form::Person);
            renderer.note_answered("/찾기 rust");
            // Continuing needs no words.
            renderer.note_answered("/search");
            renderer.render(&found(&events)).text
        };
        let bold = shown(Palette::Sixteen);
        assert!(bold.contains("] \x1b[1mRust\x1b[0m and \x1b[1mRust\x1b[0m\n"), "{bold:?}");
        assert!(!shown(Palette::Plain).contains('\x1b'));
    }

    #[test]
    fn only_matching_lines_of_a_long_message_are_shown() {
        let mut renderer = renderer(Palette::Plain, TimeFormat::Minutes, Form::Person);
        renderer.note_answered("/search x3 x4");
        let lines: Vec<String> = (0..300).map(|number| format!("x{number}")).collect();
        let message = said(9, "2026-11-28T00:10:00Z", "bob", &lines.join("\\n"));
        let shown = renderer.render(&found(&[message])).text;
        let expected = ["x3", "x4", "x30", "x31", "x32", "… +295"];
        let told: Vec<&str> = shown.lines().filter_map(|line| line.split("] ").nth(1)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn results_have_dates_even_if_times_are_off() {
        let shown = |form| {
            let mut renderer = renderer(Palette::Plain, TimeFormat::Never, form);
            renderer.render(&found(&three()[1..2])).text
        };
        assert_eq!(
            shown(Form::Program),
            "2026-11-28 08:30 [me] no\n2026-11-28 08:30 [me] 회의 is over\n\
             -- 1 found; there are no older ones --\n"
        );
        assert_eq!(
            shown(Form::Person),
            "2026-11-28 08:30>[me] no\n2026-11-28 08:30>[me] 회의 is over\n\
             -- 1 found; there are no older ones --\n"
        );
    }

    #[test]
    fn an_answer_in_several_messages_has_one_heading() {
        let mut renderer = renderer(Palette::Plain, TimeFormat::Minutes, Form::Person);
        let [first, rest @ ..] = three();
        let (more, last) = (r#","more":true,"nonce":"4""#, r#","more":false,"nonce":"4""#);
        assert_eq!(renderer.render(&answer("history", &[first], more)).text, "");
        let shown = renderer.render(&answer("history", &rest, last)).text;
        let heading = Notice::Earlier { lines: 3 }.text(Lang::En);
        assert!(shown.starts_with(&(heading + "\n-- Thursday, 26")), "{shown}");
        let shown = renderer.render(&answer("history", &[], last)).text;
        assert_eq!(shown, Notice::NothingEarlier.text(Lang::En) + "\n");
    }

    #[test]
    fn an_endless_answer_is_shown_as_it_arrives() {
        let mut renderer = renderer(Palette::Plain, TimeFormat::Minutes, Form::Program);
        let events: Vec<String> =
            (0..300).map(|id| said(id, "2026-11-28T00:10:00Z", "bob", "hi")).collect();
        let endless = answer("history", &events, r#","more":true,"nonce":"4""#);
        let mut lines = 0;
        for _ in 0..20 {
            lines += renderer.render(&endless).text.lines().count();
            assert!(renderer.past.collected.len() < COLLECTED_EVENTS);
        }
        assert_eq!(lines, 5 * (1 + 4 * 300));
    }

    #[test]
    fn no_control_sequence_gets_through() {
        let evil = r"\u001b[2J\u009b31m\u202ered\r";
        let mut renderer = renderer(Palette::Plain, TimeFormat::Minutes, Form::Person);
        renderer.note_answered("/search \u{1b}[2Jred");
        let text = renderer.render(&found(&[said(1, "2026-11-28T00:10:00Z", evil, evil)])).text;
        let is_bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(text.contains("red") && !text.contains(is_bad), "{text:?}");
    }
}
