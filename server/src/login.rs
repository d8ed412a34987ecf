//! The way in: the greeting, the prompt, and all that may be said before one has
//! a name.

use std::time::Instant;

use madang_protocol::{
    command::{Command, Input},
    event::{Limits, ServerMessage},
    limits::PROTOCOL_VERSION,
    name::UserName,
    request::Request,
    text::{Goodbye, LineEnd, Notice},
};

use crate::{
    batch::Form,
    close_reason::CloseReason,
    connection::Connection,
    mailbox::Ended,
    outbox::Pieces,
    server::LOBBY,
    transport::{Line, ReadOutcome},
};

/// A login that was accepted.
pub(crate) struct Login {
    /// What its `ack` returns.
    nonce: Option<String>,
}

impl Connection {
    /// Says who speaks, and asks for a name, in one write.
    #[inline(never)]
    pub(crate) fn greet(&mut self) {
        if self.json {
            return self.say_hello("");
        }
        let mut answer = self.answer();
        answer.notice(&Notice::Greeting { version: env!("CARGO_PKG_VERSION") });
        if let Some(motd) = &self.shared.config.motd {
            answer.lines(motd, LineEnd::Lf);
        }
        answer.prompt(&Notice::LoginPrompt.text(self.lang));
        self.send(answer);
    }

    /// Asks for a name until one was claimed.
    #[inline(never)]
    pub(crate) fn log_in(&mut self) -> Result<Login, CloseReason> {
        let timeout = self.shared.config.login_timeout;
        let timed_out = CloseReason::Told(Goodbye::LoginTimeout { seconds: timeout.as_secs() });
        let deadline = Instant::now() + timeout;
        let mut hint_at = None;
        let mut tries_left = self.shared.config.login_tries;
        let mut first_line = true;
        loop {
            if first_line && self.reader.peek_line().is_some_and(is_http_request) {
                return Err(CloseReason::Told(Goodbye::Http));
            }
            while let Some(line) = self.next_line(Some((deadline, timed_out)))? {
                (first_line, hint_at) = (false, None);
                if let Some(login) = self.take_login_line(line, &mut tries_left)? {
                    return Ok(login);
                }
            }
            if self.reader.at_end() {
                return Err(CloseReason::Told(Goodbye::Closed));
            }
            let until = hint_at.map_or(deadline, |hint_at| deadline.min(hint_at));
            match self.read(Some(until), Some((deadline, timed_out)))? {
                ReadOutcome::Something => {}
                ReadOutcome::TimedOut if Instant::now() >= deadline => return Err(timed_out),
                ReadOutcome::TimedOut => {
                    self.notice(&Notice::PressEnter, None);
                    hint_at = Some(deadline);
                }
            }
            if self.reader.opens_tls() {
                return Err(CloseReason::Told(Goodbye::Tls));
            }
            if self.reader.may_be_packets()
                && self.reader.settle_framing(self.shared.config.packet_pause)?
            {
                self.outbox.change_pieces(Pieces::Lines);
            }
            if hint_at.is_none() && self.reader.holds_unfinished_line() {
                hint_at = Some(Instant::now() + self.shared.config.enter_hint_pause);
            }
        }
    }

    /// Takes one line at the prompt.
    #[inline(never)]
    fn take_login_line(
        &mut self,
        line: Line,
        tries_left: &mut u32,
    ) -> Result<Option<Login>, CloseReason> {
        let line = match line.text() {
            Ok(line) => line,
            Err(notice) => {
                self.refuse_login(&notice, None, tries_left)?;
                return Ok(None);
            }
        };
        if self.json {
            return self.take_login_request(&line, tries_left);
        }
        // A byte order mark is what some Windows programs say first.
        let line = line.trim_start_matches('\u{feff}').trim();
        if line == "/json" {
            self.become_json();
            return Ok(None);
        }
        match Input::parse(line) {
            Input::Text(name) => self.claim(name, None, tries_left),
            Input::Command(command) => {
                match command {
                    Ok(Command::Who) => self.notice(&Notice::LoginFirst, None),
                    command => self.take_command(command, None)?,
                }
                self.prompt();
                Ok(None)
            }
        }
    }

    /// Takes one JSON line before the login.
    #[inline(never)]
    fn take_login_request(
        &mut self,
        line: &str,
        tries_left: &mut u32,
    ) -> Result<Option<Login>, CloseReason> {
        match Request::parse(line) {
            Ok(Request::Login { name, room, session, nonce }) => {
                let nonce = nonce.as_deref();
                if session.is_some() {
                    self.notice(&Notice::SessionUnknown, nonce);
                } else if room.is_some_and(|room| room != LOBBY) {
                    self.notice(&Notice::NoSuchRoom, nonce);
                } else {
                    return self.claim(name.as_deref().unwrap_or_default(), nonce, tries_left);
                }
            }
            Ok(Request::Command { line, nonce }) => match Command::parse(&line) {
                Ok(Command::Who) => self.notice(&Notice::LoginFirst, nonce.as_deref()),
                command => self.take_command(command, nonce.as_deref())?,
            },
            Ok(Request::Say { nonce, .. }) => self.notice(&Notice::LoginFirst, nonce.as_deref()),
            Err(error) => self.refuse_request(error),
        }
        Ok(None)
    }

    /// Claims a name, or a guest name if it is empty.
    #[inline(never)]
    fn claim(
        &mut self,
        name: &str,
        nonce: Option<&str>,
        tries_left: &mut u32,
    ) -> Result<Option<Login>, CloseReason> {
        let (user, present) = if name.trim().is_empty() {
            self.shared.users.claim_guest(self.lang)
        } else {
            let user = match UserName::parse(name) {
                Ok(user) => user,
                Err(error) => {
                    self.refuse_login(&Notice::NameRefused(&error), nonce, tries_left)?;
                    return Ok(None);
                }
            };
            match self.shared.users.claim(&user) {
                Ok(present) => (user, present),
                Err(_) => {
                    self.notice_and_prompt(&Notice::NameInUse, nonce);
                    return Ok(None);
                }
            }
        };
        self.shared.console.joined(&user, present);
        self.user = Some(user);
        Ok(Some(Login { nonce: nonce.map(str::to_owned) }))
    }

    /// Joins the lobby under the name that was claimed.
    #[inline(never)]
    pub(crate) fn join(&mut self, login: Login) -> Result<(), CloseReason> {
        let Some(user) = &self.user else { return Ok(()) };
        let token = if self.json { Some(new_token()?) } else { None };
        let joined = self.shared.lobby.join(self.outbox.clone(), user.as_str(), token);
        self.joined = joined.is_ok();
        joined.map_err(|Ended| CloseReason::Told(Goodbye::Shutdown))?;
        if login.nonce.is_some() {
            let mut answer = self.answer();
            answer.ack(login.nonce.as_deref());
            self.send(answer);
        }
        Ok(())
    }

    /// Refuses what is no name, and asks again, but not for ever.
    fn refuse_login(
        &mut self,
        notice: &Notice<'_>,
        nonce: Option<&str>,
        tries_left: &mut u32,
    ) -> Result<(), CloseReason> {
        *tries_left = tries_left.saturating_sub(1);
        if *tries_left == 0 {
            self.notice(notice, nonce);
            return Err(CloseReason::Told(Goodbye::LoginTries));
        }
        self.notice_and_prompt(notice, nonce);
        Ok(())
    }

    fn become_json(&mut self) {
        self.json = true;
        self.outbox.change_form(Form::Json);
        // Ends the prompt, so that every object has a line of its own.
        self.say_hello("\n");
    }

    /// Says in JSON who speaks, after what ends the prompt.
    fn say_hello(&mut self, prompt_end: &str) {
        let mut answer = self.answer();
        answer.prompt(prompt_end);
        answer.message(&ServerMessage::Hello {
            server: "madang".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL_VERSION,
            limits: Limits::CURRENT,
        });
        self.send(answer);
    }

    /// Sends a notice, and to people the prompt again, in one write.
    fn notice_and_prompt(&self, notice: &Notice<'_>, nonce: Option<&str>) {
        let mut answer = self.answer();
        answer.notice_to(notice, nonce);
        if !self.json {
            answer.prompt(&Notice::LoginPrompt.text(self.lang));
        }
        self.send(answer);
    }

    fn prompt(&self) {
        let mut answer = self.answer();
        answer.prompt(&Notice::LoginPrompt.text(self.lang));
        self.send(answer);
    }
}

/// Whether a first line is the request line of HTTP (RFC 9112 section 3).
fn is_http_request(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let is_method = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_uppercase);
    method.is_some_and(is_method)
        && target.is_some_and(|target| !target.is_empty())
        && version.is_some_and(|version| version.starts_with(b"HTTP/"))
        && words.next().is_none()
}

/// A new session's token: 128 random bits in hexadecimal.
fn new_token() -> Result<String, CloseReason> {
    let mut bits = [0; 16];
    if let Err(error) = getrandom::fill(&mut bits) {
        tracing::error!(%error, "failed to draw a token");
        return Err(CloseReason::Told(Goodbye::Internal));
    }
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_told_from_names() {
        #[track_caller]
        fn check(line: &str, expected: bool) {
            assert_eq!(is_http_request(line.as_bytes()), expected);
        }
        check("GET / HTTP/1.1", true);
        check("POST /a?b=c HTTP/1.0", true);
        check("GET http://example.com/ HTTP/1.1", true);
        check("GET", false);
        check("GET /", false);
        check("GET / HTTP/1.1 x", false);
        check("alice", false);
        check("홍 길 동", false);
    }
}
