//! Any other line server, such as the one that Madang grew out of: text as it
//! comes, one line per write.
//!
//! Such a server may take each read for one message, so that lines must not
//! meet on the way: the next is held until something has come after the last
//! (the seed's server sends everyone what is said, its speaker too), or 200 ms
//! have passed. And nothing in its words says what they are, so that time must:
//! a line without an end, with 200 ms of silence after it, asks for a name; if
//! the answer to the name ends in the same line, the name was refused.

use std::{
    io, process,
    time::{Duration, Instant},
};

use crossbeam_channel::{at, never, select};
use madang_terminal::{editor::Typed, screen::FULL_PAUSE};

use crate::{
    connection::{Connection, Incoming},
    failure::Failure,
    input::Line,
    keyboard::{Keyboard, QUIT},
    stdio::{Kind, Stdio},
    utf8::Utf8Decoder,
    words::Words,
};

/// Silence that ends a prompt or an answer; and the longest that a line is held.
const PAUSE: Duration = Duration::from_millis(200);

/// A server that has not asked for a name by then does not.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// A server that has not answered the name by then does not.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// After the last line: silence that ends the conversation, and the longest
/// that a server is listened to which neither is silent nor closes.
const CLOSING_PAUSE: Duration = Duration::from_secs(3);
const CLOSING_TIMEOUT: Duration = Duration::from_secs(30);

/// The most of a server's words that is looked at for a prompt or an answer.
const KEPT_BYTES: usize = 1_024;

/// What is waited for.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The server asks for a name.
    Prompt,
    /// The person answers the server, which has begun a line.
    Name,
    /// The server answers the name, or asks again with the same words.
    Answer { prompt: String },
    /// The next line of stdin.
    Line,
    /// Something comes after the line that was sent.
    Held,
    /// The server closes.
    End,
}

struct Plain<'a> {
    connection: Connection,
    stdio: &'a mut Stdio,
    /// To be given when it is asked for.
    name: Option<String>,
    decoder: Utf8Decoder,
    stage: Stage,
    /// When the stage began, and what has come since: when last, and its end.
    since: Instant,
    heard_at: Option<Instant>,
    heard: String,
}

/// Carries lines until either side ends; what the server said `first` is shown
/// before all else. In a pipe without a name, a prompt is answered with a guest's.
pub(crate) fn run(
    connection: Connection,
    first: &[u8],
    name: Option<String>,
    stdio: &mut Stdio,
) -> Result<(), Failure> {
    let name = name.filter(|name| !name.is_empty());
    // Without an editor, the answer to a prompt is a line like any other.
    let minds_prompt = name.is_some() || stdio.kind == Kind::Pipe || stdio.keyboard.is_some();
    let mut plain = Plain {
        connection,
        stdio,
        name,
        decoder: Utf8Decoder::default(),
        stage: if minds_prompt { Stage::Prompt } else { Stage::Line },
        since: Instant::now(),
        heard_at: None,
        heard: String::new(),
    };
    plain.hear(first)?;
    plain.converse()?;
    plain.stdio.outcome()
}

impl Plain<'_> {
    fn converse(&mut self) -> Result<(), Failure> {
        loop {
            while self.takes_lines()
                && let Some(line) = self.keyboard().and_then(Keyboard::line)
            {
                self.typed(Ok(line))?;
            }
            if self.takes_lines() && self.keyboard().is_some_and(|keyboard| keyboard.has_ended()) {
                self.end();
            }
            let lines = if self.takes_lines() { self.stdio.lines.clone() } else { never() };
            let may_type = self.takes_lines() || self.stage == Stage::Held;
            let typed = match self.keyboard() {
                Some(keyboard) if may_type && !keyboard.is_ending() => keyboard.typed(),
                _ => never(),
            };
            let is_full = self.stdio.is_full();
            let incoming = if is_full { never() } else { self.connection.incoming().clone() };
            let full = is_full.then(|| Instant::now() + FULL_PAUSE);
            let moments = [self.deadline(), self.settles_at(), full];
            let timeout = moments.into_iter().flatten().min().map_or_else(never, at);
            select! {
                recv(lines) -> line => match line {
                    Ok(line) => self.typed(line)?,
                    Err(_) => self.end(),
                },
                recv(typed) -> typed => if let Some(keyboard) = self.keyboard() {
                    keyboard.take(typed.unwrap_or(Typed::End))?;
                },
                recv(incoming) -> incoming => match incoming {
                    Ok(Incoming::Bytes(bytes)) => self.hear(&bytes)?,
                    Ok(Incoming::End(Some(cause))) => return self.ended(Some(cause)),
                    Ok(Incoming::End(None)) | Err(_) => return self.ended(None),
                },
                recv(self.stdio.interrupts) -> _ => return Err(self.stdio.interrupted()),
                recv(timeout) -> _ => {}
            }
            let now = Instant::now();
            if self.settles_at().is_some_and(|at| at <= now)
                && let Some(keyboard) = self.keyboard()
            {
                keyboard.settle();
            }
            if self.deadline().is_some_and(|deadline| deadline <= now) {
                if self.stage == Stage::End {
                    return Ok(());
                }
                self.go_on()?;
            }
        }
    }

    fn keyboard(&mut self) -> Option<&mut Keyboard> {
        self.stdio.keyboard.as_mut()
    }

    /// Whether a line may go out now.
    fn takes_lines(&self) -> bool {
        matches!(self.stage, Stage::Name | Stage::Line)
    }

    /// When what the server has begun is a line of its own, if it is no prompt.
    fn settles_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Prompt | Stage::Name | Stage::Answer { .. } => None,
            Stage::Line | Stage::Held | Stage::End => self.stdio.keyboard.as_ref()?.settles_at(),
        }
    }

    /// When the stage is over.
    fn deadline(&self) -> Option<Instant> {
        let within = |pause, timeout| {
            let silent = self.heard_at.map(|heard_at| heard_at + pause);
            silent.unwrap_or(self.since + timeout).min(self.since + timeout)
        };
        match &self.stage {
            Stage::Line => None,
            Stage::Name => self.heard_at.map(|heard_at| heard_at + PAUSE),
            // A person can wait for a prompt as well as we can, and type meanwhile.
            Stage::Prompt if self.stdio.keyboard.is_some() && self.name.is_none() => {
                Some(within(PAUSE, PAUSE))
            }
            Stage::Prompt if self.unfinished().is_empty() => Some(self.since + PROMPT_TIMEOUT),
            Stage::Prompt => Some(within(PAUSE, PROMPT_TIMEOUT)),
            Stage::Answer { .. } => Some(within(PAUSE, ANSWER_TIMEOUT)),
            Stage::Held => Some(within(Duration::ZERO, PAUSE)),
            Stage::End => Some(
                (self.heard_at.unwrap_or(self.since) + CLOSING_PAUSE)
                    .min(self.since + CLOSING_TIMEOUT),
            ),
        }
    }

    /// Enters the stage after one that is over.
    fn go_on(&mut self) -> Result<(), Failure> {
        let unfinished = self.unfinished().to_owned();
        match &self.stage {
            Stage::Prompt if unfinished.is_empty() => {
                if self.name.is_some() {
                    self.stdio.remark(&Words::NameNotAsked.text(self.stdio.lang));
                }
                self.enter(Stage::Line);
            }
            Stage::Prompt if self.name.is_none() && self.stdio.kind == Kind::Terminal => {
                self.enter(Stage::Name);
            }
            Stage::Prompt => {
                let guest = || Words::GuestName { number: process::id() }.text(self.stdio.lang);
                let name = self.name.take().unwrap_or_else(guest);
                if let Some(keyboard) = self.keyboard() {
                    // As if it had been typed there.
                    keyboard.show(&format!("{name}\n"));
                }
                self.connection.send(format!("{name}\n").as_bytes());
                self.enter(Stage::Answer { prompt: unfinished });
            }
            Stage::Answer { prompt } if is_again(prompt, &unfinished) => match self.stdio.kind {
                Kind::Pipe => {
                    let reason = self.heard.strip_suffix(prompt).unwrap_or(&self.heard);
                    return Err(Failure::NameRefused(reason.trim().to_owned()));
                }
                Kind::Terminal => self.enter(Stage::Name),
            },
            // What has an end by now was no prompt.
            Stage::Name if !unfinished.is_empty() => self.enter(Stage::Name),
            _ => self.enter(Stage::Line),
        }
        Ok(())
    }

    fn enter(&mut self, stage: Stage) {
        // What has come since the last line is the answer to it if another goes out now;
        // else more of it may come.
        let goes_on = self.keyboard().is_some_and(|keyboard| keyboard.has_lines());
        let settles = stage == Stage::Line && (self.stage != Stage::Held || goes_on);
        self.stage = stage;
        self.since = Instant::now();
        self.heard_at = None;
        // Of a prompt, more may come.
        if self.stage != Stage::Name {
            self.heard.clear();
        }
        let is_asked = self.stage == Stage::Name;
        match self.keyboard() {
            Some(keyboard) if is_asked => keyboard.prompt(),
            Some(keyboard) if settles => keyboard.settle(),
            _ => {}
        }
    }

    /// The line that the server has begun and not ended.
    fn unfinished(&self) -> &str {
        self.heard.rsplit('\n').next().unwrap_or_default()
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let text = self.decoder.decode(bytes);
        self.heard_at = Some(Instant::now());
        self.heard.push_str(&text);
        let surplus = self.heard.len().saturating_sub(KEPT_BYTES);
        self.heard.drain(..self.heard.ceil_char_boundary(surplus));
        self.stdio.show(&text)
    }

    fn typed(&mut self, line: io::Result<Line>) -> Result<(), Failure> {
        let Line { number, text } = line.map_err(Failure::Stdin)?;
        match text {
            Err(error) => {
                self.stdio.refuse(number, &Words::Refused(&error).text(self.stdio.lang));
            }
            // To the seed's server, an empty line is the end.
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                self.connection.send(format!("{text}\n").as_bytes());
                if text.trim() == QUIT {
                    self.end();
                } else if self.stage == Stage::Name {
                    let prompt = self.unfinished().to_owned();
                    if let Some(keyboard) = self.keyboard() {
                        keyboard.answered();
                    }
                    self.enter(Stage::Answer { prompt });
                } else {
                    self.enter(Stage::Held);
                }
            }
        }
        Ok(())
    }

    /// Sends no more, and listens to the end.
    fn end(&mut self) {
        self.connection.half_close();
        self.enter(Stage::End);
    }

    /// The connection has ended: as was wished, or not.
    fn ended(&mut self, cause: Option<io::Error>) -> Result<(), Failure> {
        let rest = self.decoder.finish();
        self.stdio.show(rest)?;
        match (&self.stage, cause) {
            (Stage::End, None) => Ok(()),
            (_, cause) => Err(Failure::Lost(cause)),
        }
    }
}

/// Whether what the server has begun asks again for what `prompt` has asked for.
fn is_again(prompt: &str, unfinished: &str) -> bool {
    !prompt.is_empty() && unfinished.ends_with(prompt)
}
