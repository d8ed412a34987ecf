//! A program in front of a Madang server: every line of the input is said, in
//! order, and all of them are confirmed before the end.

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

struct Pipe<'a> {
    session: Session,
    stdio: &'a mut Stdio,
    logged_in: bool,
    input_ended: bool,
}

/// Delivers stdin under `name`, or a guest's; shows what is said meanwhile.
/// Quits before it returns, unless the connection has ended.
pub(crate) fn run(
    session: Session,
    name: Option<String>,
    stdio: &mut Stdio,
) -> Result<(), Failure> {
    let mut pipe = Pipe { session, stdio, logged_in: false, input_ended: false };
    let result = pipe.deliver(&name.unwrap_or_default());
    let Pipe { session, stdio, .. } = &mut pipe;
    match &result {
        Err(failure) if failure.ends_connection() => {
            if let Some((first, last)) = session.unanswered().filter(|&(first, _)| first != LOGIN) {
                stdio.remark(&Words::Unconfirmed { first, last }.text(stdio.lang));
            }
        }
        // What comes after the end is shown if it can be, and missed by nobody.
        _ => session.leave(|message| drop(stdio.show(&render(message, stdio.lang)))),
    }
    result.and_then(|()| stdio.outcome())
}

impl Pipe<'_> {
    fn deliver(&mut self, name: &str) -> Result<(), Failure> {
        self.session.login(name);
        loop {
            if self.input_ended && self.session.unanswered().is_none() {
                return Ok(());
            }
            let takes_lines = self.logged_in && !self.input_ended && !self.session.is_full();
            let lines = if takes_lines { self.stdio.lines.clone() } else { never() };
            select! {
                recv(lines) -> line => match line {
                    Ok(line) => self.send(line)?,
                    Err(_) => self.input_ended = true,
                },
                recv(self.session.incoming()) -> incoming => {
                    self.heard(incoming.unwrap_or(Incoming::End(None)))?;
                }
                recv(self.stdio.interrupts) -> _ => return Err(self.stdio.interrupted()),
                recv(self.session.silence()) -> _ => return Err(Failure::Silent),
            }
        }
    }

    fn send(&mut self, line: io::Result<Line>) -> Result<(), Failure> {
        let Line { number, text } = line.map_err(Failure::Stdin)?;
        match text {
            Err(error) => {
                self.stdio.refuse(number, &Words::Refused(&error).text(self.stdio.lang));
            }
            Ok(text) if Input::parse(&text) == Input::Command(Ok(Command::Quit)) => {
                self.input_ended = true;
            }
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => self.session.send_line(number, &text),
        }
        Ok(())
    }

    fn heard(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let mut said = String::new();
        for message in self.session.take(incoming)? {
            let settled = self.session.settle(&message);
            match (&message, settled) {
                (ServerMessage::Welcome { .. }, _) => self.logged_in = true,
                (ServerMessage::Error { text, .. }, Some(LOGIN)) => {
                    return Err(Failure::NameRefused(text.clone().into_owned()));
                }
                (ServerMessage::Error { text, .. }, Some(number)) => {
                    self.stdio.refuse(number, text);
                }
                (ServerMessage::Error { text, .. }, None) => self.stdio.remark(text),
                (ServerMessage::Bye { reason }, _) => {
                    self.stdio.show(&said)?;
                    return Err(Failure::Bye(reason.clone().into_owned()));
                }
                _ => said += &render(&message, self.stdio.lang),
            }
        }
        self.stdio.show(&said)
    }
}
