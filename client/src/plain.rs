//! Any other line server, such as the seed's: text is shown as it comes, and each write sends
//! one line.
//!
//! Such a server may treat each read as one message, so two lines must not arrive in one read:
//! the next line is held until something has come after the last one (the seed's server sends
//! everyone what is said, its speaker too), or until 200 ms have passed. Nothing in the text
//! says what it means, so time has to: an unfinished line followed by 200 ms of silence asks
//! for a name, and if the answer to the name ends with the same line, the name was refused.

use std::{
    io, process,
    time::{Duration, Instant},
};

use crossbeam_channel::{at, never, select};
use madang_terminal::{editor::Typed, screen::FULL_PAUSE};

use crate::{
    cli::Bell,
    connection::{Connection, Incoming},
    failure::Failure,
    input::Line,
    keyboard::{Keyboard, QUIT},
    mention::mentions,
    stdio::{Kind, Stdio},
    utf8::Utf8Decoder,
    words::Words,
};

/// The silence that ends a prompt or an answer, and the longest time that a line is held.
const PAUSE: Duration = Duration::from_millis(200);

/// A server that has not asked for a name by then does not ask at all.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// A server that has not answered the name by then does not answer at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// After the last line: the silence that ends the conversation, and the longest time to listen
/// to a server that is neither silent nor closes.
const CLOSING_PAUSE: Duration = Duration::from_secs(3);
const CLOSING_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bytes of the server's text are examined for a prompt or an answer.
const KEPT_BYTES: usize = 1_024;

/// What the client is waiting for.
#[derive(Debug, PartialEq, Eq)]
enum Awaited {
    /// The server's request for a name.
    Prompt,
    /// The person's answer to an unfinished line of the server.
    Name,
    /// The server's answer to the name, or the same request again.
    Answer { prompt: String },
    /// The next line of stdin.
    Line,
    /// Anything that comes after the line that was sent.
    Held,
    /// The end of the connection.
    End,
}

struct Plain<'a> {
    connection: Connection,
    stdio: &'a mut Stdio,
    /// The name to send when the server asks for one.
    name: Option<String>,
    /// The name that was sent.
    me: String,
    bell: Bell,
    decoder: Utf8Decoder,
    stage: Awaited,
    /// When the stage began, when text last arrived, and the end of that text.
    since: Instant,
    heard_at: Option<Instant>,
    heard: String,
}

/// Carries lines until either side ends. Shows `first`, the text that the server has already
/// sent, before anything else. In a pipe without a name, a prompt is answered with a guest
/// name.
pub(crate) fn run(
    connection: Connection,
    first: &[u8],
    name: Option<String>,
    bell: Bell,
    stdio: &mut Stdio,
) -> Result<(), Failure> {
    let name = name.filter(|name| !name.is_empty());
    // Without an editor, the answer to a prompt is a line like any other.
    let minds_prompt = name.is_some() || stdio.kind == Kind::Pipe || stdio.keyboard.is_some();
    let mut plain = Plain {
        connection,
        stdio,
        me: String::new(),
        bell,
        name,
        decoder: Utf8Decoder::default(),
        stage: if minds_prompt { Awaited::Prompt } else { Awaited::Line },
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
            let may_type = self.takes_lines() || self.stage == Awaited::Held;
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
                    // Lines are cut, however long.
                    Ok(Incoming::TooLong | Incoming::End(None)) | Err(_) => return self.ended(None),
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
                if self.stage == Awaited::End {
                    return Ok(());
                }
                self.go_on()?;
            }
        }
    }

    fn keyboard(&mut self) -> Option<&mut Keyboard> {
        self.stdio.keyboard.as_mut()
    }

    /// Whether a line may be sent now.
    fn takes_lines(&self) -> bool {
        matches!(self.stage, Awaited::Name | Awaited::Line)
    }

    /// When the server's unfinished line counts as a line of its own, if it is not a prompt.
    fn settles_at(&self) -> Option<Instant> {
        match self.stage {
            Awaited::Prompt | Awaited::Name | Awaited::Answer { .. } => None,
            Awaited::Line | Awaited::Held | Awaited::End => {
                self.stdio.keyboard.as_ref()?.settles_at()
            }
        }
    }

    /// When the stage ends.
    fn deadline(&self) -> Option<Instant> {
        let within = |pause: Duration, timeout: Duration| {
            let silent = self.heard_at.map(|heard_at| heard_at + pause);
            silent.unwrap_or(self.since + timeout).min(self.since + timeout)
        };
        match &self.stage {
            Awaited::Line => None,
            Awaited::Name => self.heard_at.map(|heard_at| heard_at + PAUSE),
            // A person can judge for themselves whether a prompt will come, and type in the
            // meantime.
            Awaited::Prompt if self.stdio.keyboard.is_some() && self.name.is_none() => {
                Some(within(PAUSE, PAUSE))
            }
            Awaited::Prompt if self.unfinished().is_empty() => Some(self.since + PROMPT_TIMEOUT),
            Awaited::Prompt => Some(within(PAUSE, PROMPT_TIMEOUT)),
            Awaited::Answer { .. } => Some(within(PAUSE, ANSWER_TIMEOUT)),
            Awaited::Held => Some(within(Duration::ZERO, PAUSE)),
            Awaited::End => Some(
                (self.heard_at.unwrap_or(self.since) + CLOSING_PAUSE)
                    .min(self.since + CLOSING_TIMEOUT),
            ),
        }
    }

    /// Moves on to the next stage.
    fn go_on(&mut self) -> Result<(), Failure> {
        let unfinished = self.unfinished().to_owned();
        match &self.stage {
            Awaited::Prompt if unfinished.is_empty() => {
                if self.name.is_some() {
                    self.stdio.remark(&Words::NameNotAsked.text(self.stdio.lang));
                }
                self.enter(Awaited::Line);
            }
            Awaited::Prompt if self.name.is_none() && self.stdio.kind == Kind::Terminal => {
                self.enter(Awaited::Name);
            }
            Awaited::Prompt => {
                let guest = || Words::GuestName { number: process::id() }.text(self.stdio.lang);
                let name = self.name.take().unwrap_or_else(guest);
                if let Some(keyboard) = self.keyboard() {
                    // Shown as if it had been typed there.
                    keyboard.show(&format!("{name}\n"));
                }
                self.connection.send(format!("{name}\n").as_bytes());
                self.me = name;
                self.enter(Awaited::Answer { prompt: unfinished });
            }
            Awaited::Answer { prompt } if is_again(prompt, &unfinished) => match self.stdio.kind {
                Kind::Pipe => {
                    let reason = self.heard.strip_suffix(prompt).unwrap_or(&self.heard);
                    return Err(Failure::NameRefused(reason.trim().to_owned()));
                }
                Kind::Terminal => self.enter(Awaited::Name),
            },
            // A line that has ended by now was not a prompt.
            Awaited::Name if !unfinished.is_empty() => self.enter(Awaited::Name),
            _ => self.enter(Awaited::Line),
        }
        Ok(())
    }

    fn enter(&mut self, stage: Awaited) {
        // If another line is sent now, the text since the last one is the answer to it.
        // Otherwise more of the answer may come.
        let goes_on = self.keyboard().is_some_and(|keyboard| keyboard.has_lines());
        let settles = stage == Awaited::Line && (self.stage != Awaited::Held || goes_on);
        self.stage = stage;
        self.since = Instant::now();
        self.heard_at = None;
        // The rest of a prompt may still come.
        if self.stage != Awaited::Name {
            self.heard.clear();
        }
        let is_asked = self.stage == Awaited::Name;
        match self.keyboard() {
            Some(keyboard) if is_asked => keyboard.prompt(),
            Some(keyboard) if settles => keyboard.settle(),
            _ => {}
        }
    }

    /// The server's unfinished line.
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
        let rings = text.lines().any(|line| self.rings_for(line));
        self.stdio.show(&text)?;
        if rings { self.stdio.ring() } else { Ok(()) }
    }

    /// Whether a line is worth the bell: written by somebody else, as far as that is known, and
    /// mentioning the user's name unless every line rings.
    fn rings_for(&self, line: &str) -> bool {
        // The form in which the seed's server writes the speaker.
        let said = line.strip_prefix('[').and_then(|line| line.split_once("] "));
        let (speaker, words) = said.unwrap_or_default();
        let is_anothers = !speaker.is_empty() && speaker != self.me;
        match self.bell {
            Bell::Never => false,
            Bell::Mention => is_anothers && mentions(words, &self.me),
            Bell::All => is_anothers,
        }
    }

    fn typed(&mut self, line: io::Result<Line>) -> Result<(), Failure> {
        let Line { number, text } = line.map_err(Failure::Stdin)?;
        match text {
            Err(error) => {
                self.stdio.refuse(number, &Words::Refused(&error).text(self.stdio.lang));
            }
            // The seed's server ends the connection at an empty line.
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                self.connection.send(format!("{text}\n").as_bytes());
                if text.trim() == QUIT {
                    self.end();
                } else if self.stage == Awaited::Name {
                    text.trim().clone_into(&mut self.me);
                    let prompt = self.unfinished().to_owned();
                    if let Some(keyboard) = self.keyboard() {
                        keyboard.answered();
                    }
                    self.enter(Awaited::Answer { prompt });
                } else {
                    self.enter(Awaited::Held);
                }
            }
        }
        Ok(())
    }

    /// Stops sending, and listens until the end.
    fn end(&mut self) {
        self.connection.half_close();
        self.enter(Awaited::End);
    }

    /// The result once the connection has ended, on purpose or not.
    fn ended(&mut self, cause: Option<io::Error>) -> Result<(), Failure> {
        let rest = self.decoder.finish();
        self.stdio.show(rest)?;
        match (&self.stage, cause) {
            (Awaited::End, None) => Ok(()),
            (_, cause) => Err(Failure::Lost(cause)),
        }
    }
}

/// Whether the server's unfinished line asks the same as `prompt` again.
fn is_again(prompt: &str, unfinished: &str) -> bool {
    !prompt.is_empty() && unfinished.ends_with(prompt)
}
