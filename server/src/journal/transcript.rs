//! Formats a room's messages as plain text, as one HTML page, or as JSON lines. Works event by
//! event, so that a long transcript needs no more memory than a short one.

use std::io::{self, Write};

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};
use madang_protocol::{
    command::TranscriptFormat,
    event::{Event, ServerMessage, Time},
    notice::Notice,
    text::{Lang, LineEnd, teacher_mark, write_event},
};

/// The heading of a transcript, and its language and time zone.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) room: String,
    pub(crate) lang: Lang,
    /// The time zone of its times.
    pub(crate) zone: TimeZone,
}

/// Writes one transcript.
pub(crate) struct Transcript<W> {
    out: W,
    format: TranscriptFormat,
    heading: Heading,
    day: Option<Date>,
}

impl<W: Write> Transcript<W> {
    /// Begins a transcript.
    ///
    /// # Errors
    ///
    /// Errors of `out`.
    pub(crate) fn begin(
        mut out: W,
        format: TranscriptFormat,
        heading: Heading,
    ) -> io::Result<Self> {
        match format {
            TranscriptFormat::Txt => writeln!(out, "# {}", heading.room)?,
            TranscriptFormat::Html => {
                let (lang, room) = (heading.lang, escape(&heading.room));
                write!(
                    out,
                    "<!doctype html>\n<html lang=\"{lang}\">\n<meta charset=\"utf-8\">\n\
                     <meta http-equiv=\"Content-Security-Policy\" \
                     content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
                     <meta name=\"viewport\" content=\"width=device-width\">\n\
                     <title>{room}</title>\n<style>{STYLE}</style>\n<h1><bdi>{room}</bdi></h1>\n"
                )?;
            }
            TranscriptFormat::Jsonl => {}
        }
        Ok(Transcript { out, format, heading, day: None })
    }

    /// Writes the next event.
    ///
    /// # Errors
    ///
    /// Errors of the output.
    pub(crate) fn event(&mut self, event: &Event) -> io::Result<()> {
        if self.format == TranscriptFormat::Jsonl {
            serde_json::to_writer(&mut self.out, event)?;
            return self.out.write_all(b"\n");
        }
        let moment = self.moment(event.stamp().time);
        self.begin_day(moment.date())?;
        let time = moment.strftime("%H:%M:%S");
        let mut lines = Vec::new();
        write_event(event, self.heading.lang, LineEnd::Lf, &mut lines);
        // Sanitized before it was saved: UTF-8 without cursor movements.
        let lines = String::from_utf8_lossy(&lines);
        match (self.format, event) {
            (TranscriptFormat::Html, Event::Said { user, text, me, teacher, .. }) => {
                let class = if *me { "me" } else { "said" };
                let mark = if *teacher { teacher_mark(self.heading.lang) } else { "" };
                let (user, text) = (escape(user), escape(text));
                writeln!(
                    self.out,
                    "<p class=\"{class}\"><time datetime=\"{iso}\">{time}</time> \
                     <b><bdi>{user}</bdi>{mark}</b> <span dir=\"auto\">{text}</span>",
                    iso = event.stamp().time
                )
            }
            (TranscriptFormat::Html, _) => {
                let (iso, text) = (event.stamp().time, escape(lines.trim_end()));
                writeln!(
                    self.out,
                    "<p class=\"note\"><time datetime=\"{iso}\">{time}</time> {text}"
                )
            }
            _ => lines.lines().try_for_each(|line| writeln!(self.out, "{time} {line}")),
        }
    }

    /// Writes that the events with these ids, both included, are missing because they could not
    /// be saved.
    ///
    /// # Errors
    ///
    /// Errors of the output.
    pub(crate) fn hole(&mut self, first: u64, last: u64) -> io::Result<()> {
        let lines = last.saturating_sub(first).saturating_add(1);
        let text = Notice::NotSaved { lines }.text(self.heading.lang);
        match self.format {
            TranscriptFormat::Txt => writeln!(self.out, "{text}"),
            TranscriptFormat::Html => writeln!(self.out, "<p class=\"note hole\">{text}"),
            TranscriptFormat::Jsonl => {
                let room = self.heading.room.as_str().into();
                let gap = ServerMessage::Gap { room, from: first, to: last, reason: None };
                serde_json::to_writer(&mut self.out, &gap)?;
                self.out.write_all(b"\n")
            }
        }
    }

    /// The output.
    pub(crate) fn output(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends it, and returns the output.
    ///
    /// # Errors
    ///
    /// Errors of the output.
    pub(crate) fn end(mut self) -> io::Result<W> {
        if self.day.is_none() && self.format != TranscriptFormat::Jsonl {
            let nothing = match self.heading.lang {
                Lang::Ko => "남아 있는 대화가 없습니다.",
                Lang::En => "Nothing was said.",
            };
            match self.format {
                TranscriptFormat::Html => writeln!(self.out, "<p class=\"note\">{nothing}")?,
                _ => writeln!(self.out, "{nothing}")?,
            }
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn moment(&self, time: Time) -> Zoned {
        let timestamp = Timestamp::from_millisecond(time.as_millis());
        timestamp.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.heading.zone.clone())
    }

    fn begin_day(&mut self, day: Date) -> io::Result<()> {
        if self.day == Some(day) {
            return Ok(());
        }
        self.day = Some(day);
        match self.format {
            TranscriptFormat::Html => writeln!(self.out, "<h2>{day}</h2>"),
            _ => writeln!(self.out, "\n## {day}\n"),
        }
    }
}

/// Readable on screens of any size, at night and on paper.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
h2{font-size:1rem;border-bottom:1px solid;margin:2rem 0 .5rem}\
p{margin:.15rem 0;padding-left:5rem;text-indent:-5rem;overflow-wrap:anywhere}\
time{display:inline-block;width:5rem;text-indent:0;opacity:.65;font-variant-numeric:tabular-nums}\
span{white-space:pre-wrap}.me{font-style:italic}.note{opacity:.75}";

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use madang_protocol::event::Stamp;

    use super::*;

    fn transcript(format: TranscriptFormat, lang: Lang, events: &[Event]) -> String {
        let heading =
            Heading { room: "a<b".into(), lang, zone: TimeZone::fixed(jiff::tz::offset(9)) };
        let mut transcript = Transcript::begin(Vec::new(), format, heading).expect("memory");
        events.iter().for_each(|event| transcript.event(event).expect("memory"));
        if events.len() > 1 {
            transcript.hole(7, 18).expect("memory");
        }
        String::from_utf8(transcript.end().expect("memory")).expect("UTF-8")
    }

    fn events() -> [Event; 3] {
        // 23:59:59 and 00:00:01 in Korea.
        let stamp = |id, time| Stamp { id, time: Time::from_millis(time), room: "a<b".into() };
        let (user, text) = ("철수".into(), "<script>\n둘째 줄".into());
        [
            Event::Joined {
                stamp: stamp(1, 1_795_877_999_000),
                user: "철수".into(),
                stream: false,
            },
            Event::Said {
                stamp: stamp(2, 1_795_877_999_000),
                user,
                text,
                me: false,
                teacher: false,
            },
            Event::Said {
                stamp: stamp(3, 1_795_878_001_000),
                user: "a&b".into(),
                text: "waves".into(),
                me: true,
                teacher: false,
            },
        ]
    }

    #[test]
    fn text_has_a_time_per_line_and_a_heading_per_day() {
        assert_eq!(
            transcript(TranscriptFormat::Txt, Lang::Ko, &events()),
            "# a<b\n\n## 2026-11-28\n\n\
             23:59:59 [철수]님이 입장했습니다.\n23:59:59 [철수] <script>\n23:59:59 [철수] 둘째 줄\n\
             \n## 2026-11-29\n\n00:00:01 * a&b waves\n\
             -- 여기서 12줄이 저장되지 않았습니다 --\n"
        );
    }

    #[test]
    fn a_page_executes_nothing_from_messages() {
        let page = transcript(TranscriptFormat::Html, Lang::En, &events());
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
        assert!(!page.contains("<script"), "{page}");
        assert!(
            page.contains("<bdi>철수</bdi></b> <span dir=\"auto\">&lt;script&gt;\n둘째 줄</span>")
        );
        assert!(page.contains("<title>a&lt;b</title>") && page.contains("a&amp;b"), "{page}");
        assert!(page.contains("<h2>2026-11-29</h2>"), "{page}");
        assert!(page.contains("12 lines were not saved here"), "{page}");
    }

    #[test]
    fn json_has_the_original_events() {
        let lines = transcript(TranscriptFormat::Jsonl, Lang::En, &events());
        let (read, gap) = lines.rsplit_once("{\"type\":\"gap\"").expect("the gap comes last");
        let read: Vec<Event> =
            read.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        assert_eq!(read, events());
        assert!(gap.contains("\"from\":7,\"to\":18"), "{gap}");
    }

    #[test]
    fn an_empty_transcript_says_so() {
        assert!(transcript(TranscriptFormat::Txt, Lang::En, &[]).ends_with("Nothing was said.\n"));
        assert!(
            transcript(TranscriptFormat::Html, Lang::Ko, &[])
                .ends_with("남아 있는 대화가 없습니다.\n")
        );
        assert_eq!(transcript(TranscriptFormat::Jsonl, Lang::Ko, &[]), "");
    }
}
