//! A person at a terminal, and a Madang server: asks for a name until one is
//! taken, then carries lines until either has enough.

use std::io;

use crossbeam_channel::{never, select};
use madang_protocol::{
    command::{Command, Input},
    event::ServerMessage,
};

use crate::{
    connection::Incoming,
    failure::Failure,
    input::Line,
    render::render,
    session::{LOGIN, Session},
    stdio::Stdio,
    words::Words,
};

/// What the next line typed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A name.
    Asking,
    /// Nothing yet: the server has to answer first.
    LoggingIn,
    /// Something for the room.
    Talking,
    /// Nothing: the person has left, as soon as all is answered.
    Leaving,
}

struct App<'a> {
    session: Session,
    stdio: &'a mut Stdio,
    stage: Stage,
}

/// Carries on the conversation until it ends; quits before it returns, unless
/// the connection has ended.
pub(crate) fn run(
    session: Session,
    name: Option<String>,
    stdio: &mut Stdio,
) -> Result<(), Failure> {
    stdio.show(session.motd())?;
    let mut app = App { session, stdio, stage: Stage::Asking };
    let result = app.converse(name);
    if !matches!(&result, Err(failure) if failure.ends_connection()) {
        let App { session, stdio, .. } = &mut app;
        // What comes after the end is shown if it can be, and missed by nobody.
        session.leave(|message| drop(stdio.show(&render(message, stdio.lang))));
    }
    result
}

impl App<'_> {
    fn converse(&mut self, name: Option<String>) -> Result<(), Failure> {
        match name {
            Some(name) => self.login(&name),
            None => self.ask()?,
        }
        loop {
            let takes_lines = match self.stage {
                Stage::Asking => true,
                Stage::Talking => !self.session.is_full(),
                Stage::LoggingIn => false,
                Stage::Leaving if self.session.unanswered().is_none() => return Ok(()),
                Stage::Leaving => false,
            };
            let lines = if takes_lines { self.stdio.lines.clone() } else { never() };
            select! {
                recv(lines) -> line => match line {
                    Ok(line) => self.typed(line)?,
                    Err(_) => self.stage = Stage::Leaving,
                },
                recv(self.session.incoming()) -> incoming => {
                    self.heard(incoming.unwrap_or(Incoming::End(None)))?;
                }
                recv(self.stdio.interrupts) -> _ => return Err(self.stdio.interrupted()),
                recv(self.session.silence()) -> _ => return Err(Failure::Silent),
            }
        }
    }

    fn ask(&mut self) -> Result<(), Failure> {
        self.stage = Stage::Asking;
        self.stdio.show(&Words::AskName.text(self.stdio.lang))
    }

    fn login(&mut self, name: &str) {
        self.stage = Stage::LoggingIn;
        self.session.login(name);
    }

    fn typed(&mut self, line: io::Result<Line>) -> Result<(), Failure> {
        let Line { number, text } = line.map_err(Failure::Stdin)?;
        match text {
            Err(error) => {
                self.stdio.refuse(number, &Words::Refused(&error).text(self.stdio.lang));
                if self.stage == Stage::Asking {
                    self.ask()?;
                }
            }
            Ok(text) if Input::parse(&text) == Input::Command(Ok(Command::Quit)) => {
                self.stage = Stage::Leaving;
            }
            Ok(text) if self.stage == Stage::Asking => self.login(text.trim()),
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => self.session.send_line(number, &text),
        }
        Ok(())
    }

    fn heard(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let mut text = String::new();
        let mut login_refused = false;
        for message in self.session.take(incoming)? {
            let settled = self.session.settle(&message);
            match &message {
                ServerMessage::Bye { reason } => {
                    self.stdio.show(&text)?;
                    return Err(Failure::Bye(reason.clone().into_owned()));
                }
                ServerMessage::Welcome { .. } if self.stage == Stage::LoggingIn => {
                    self.stage = Stage::Talking;
                }
                ServerMessage::Error { .. } if settled == Some(LOGIN) => login_refused = true,
                _ => {}
            }
            text += &render(&message, self.stdio.lang);
        }
        self.stdio.show(&text)?;
        if login_refused && self.stage == Stage::LoggingIn { self.ask() } else { Ok(()) }
    }
}
