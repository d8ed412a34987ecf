//! Commands about people: who they are, what is said to them alone, what they are
//! called, whom one hides.

use std::{sync::Arc, time::Instant};

use madang_protocol::{
    event::ServerMessage, name::UserName, notice::Notice, room::is_private,
    text::WHISPERED_OVERHEAD,
};

use crate::{
    clock,
    connection::Connection,
    room::Action,
    room::refusal::Refusal,
    session::{MOST_HIDDEN, Session, Whispered},
};

impl Connection {
    pub(super) fn whois(&self, name: &UserName, nonce: Option<&str>) {
        let Some(session) = self.shared.users.find(name) else {
            return self.notice(&Notice::Nobody, nonce);
        };
        let (user, room) = (session.name(), session.room());
        let room = room.as_ref().map(|room| &*room.name).filter(|room| !is_private(room));
        let mut answer = self.answer();
        answer.message(&ServerMessage::Whois {
            user: user.as_str().into(),
            room: room.map(Into::into),
            since: session.since,
            away: session.is_away(),
            nonce: nonce.map(Into::into),
        });
        answer.ack(nonce);
        self.send(answer);
    }

    pub(super) fn whisper(
        &mut self,
        session: &Arc<Session>,
        name: &UserName,
        text: &str,
        nonce: Option<&str>,
    ) {
        match self.shared.users.find(name) {
            Some(other) => self.whisper_to(session, &other, text, nonce),
            None => self.notice(&Notice::Nobody, nonce),
        }
    }

    fn whisper_to(
        &mut self,
        session: &Arc<Session>,
        other: &Session,
        text: &str,
        nonce: Option<&str>,
    ) {
        if other.number == session.number {
            return self.notice(&Notice::Oneself, nonce);
        }
        if let Err(muted) = session.check_not_silenced(Instant::now()) {
            return self.notice(&muted.notice(), nonce);
        }
        let (name, user) = (session.name(), other.name());
        let user = user.as_str();
        // The sender is shown it too, after the other's name.
        let longest = if user.len() > name.as_str().len() { user } else { name.as_str() };
        if let Err(notice) = self.charge_rendered(longest, text, WHISPERED_OVERHEAD) {
            return self.notice(&notice, nonce);
        }
        let outcome = other.whisper(session, &name, text, clock::now());
        let away = match outcome {
            Whispered::Sent => false,
            Whispered::Kept => true,
            Whispered::Refused => return self.notice(&Notice::WhisperRefused { user }, nonce),
            Whispered::Hidden => return self.notice(&Notice::Ignored { user }, nonce),
        };
        let sent = Notice::WhisperSent { user, text, away };
        match away {
            true => self.notice(&sent, nonce),
            false => self.hint(&sent),
        }
        self.done(nonce);
    }

    pub(super) fn reply(&mut self, session: &Arc<Session>, text: &str, nonce: Option<&str>) {
        match session.last_whisperer() {
            Some(other) if self.shared.users.has(&other) => {
                self.whisper_to(session, &other, text, nonce);
            }
            _ => self.notice(&Notice::NoWhisper, nonce),
        }
    }

    pub(super) fn rename(&mut self, session: &Arc<Session>, name: &UserName, nonce: Option<&str>) {
        // The room knows that too, but who is in none has nobody else to refuse it.
        if let Err(muted) = session.check_not_silenced(Instant::now()) {
            return self.notice(&muted.notice(), nonce);
        }
        let old = session.name();
        if old == *name {
            return self.notice(&Notice::NameKept, nonce);
        }
        if self.shared.bans.bans_name(name) {
            return self.notice(&Notice::NameBanned, nonce);
        }
        if self.shared.users.claim_another(session, name).is_err() {
            let proposal = self.shared.users.free_name_like(name);
            let proposal = proposal.as_ref().map(UserName::as_str);
            return self.notice(&Notice::NameInUse { proposal }, nonce);
        }
        // Again: who banned it in between could not find it.
        if self.shared.bans.bans_name(name) {
            self.shared.users.give_up(session, name);
            return self.notice(&Notice::NameBanned, nonce);
        }
        let told = self.act(session, Action::Rename(name.as_str().into()));
        // In no room, there is nobody else who has to be told.
        let is_alone = matches!(told, Err(Refusal::NoMember | Refusal::Ended));
        if told.is_err() && !is_alone {
            self.shared.users.give_up(session, name);
            return self.settle(told, nonce);
        }
        session.rename(name.clone());
        self.shared.users.give_up(session, &old);
        self.shared.console.renamed(&old, name);
        if is_alone {
            self.notice(&Notice::Renamed { user: name.as_str() }, nonce);
        }
        self.done(nonce);
    }

    pub(super) fn ignore(
        &self,
        session: &Arc<Session>,
        name: Option<&UserName>,
        nonce: Option<&str>,
    ) {
        let Some(name) = name else { return self.list_hidden(session, nonce) };
        let Some(other) = self.shared.users.find(name) else {
            return self.notice(&Notice::Nobody, nonce);
        };
        if other.number == session.number {
            return self.notice(&Notice::Oneself, nonce);
        }
        let user = other.name();
        if !session.hide(other.number, &user) {
            return self.notice(&Notice::TooManyHidden { limit: MOST_HIDDEN }, nonce);
        }
        self.tell_room_of_hidden(session);
        self.notice(&Notice::Hiding { user: user.as_str() }, nonce);
        self.done(nonce);
    }

    pub(super) fn unignore(&self, session: &Arc<Session>, name: &UserName, nonce: Option<&str>) {
        let other = self.shared.users.find(name).map(|other| other.number);
        if !session.show(other, name) {
            return self.notice(&Notice::Already, nonce);
        }
        self.tell_room_of_hidden(session);
        self.notice(&Notice::Showing { user: name.as_str() }, nonce);
        self.done(nonce);
    }

    fn tell_room_of_hidden(&self, session: &Arc<Session>) {
        // Who is in no room is shown nothing anyway, and takes it along to the next.
        let _ = self.act(session, Action::Hide(session.hidden()));
    }

    fn list_hidden(&self, session: &Session, nonce: Option<&str>) {
        let names = session.hidden_names();
        let mut answer = self.answer();
        answer.message(&ServerMessage::Ignored {
            users: names.iter().map(|name| (&**name).into()).collect(),
            nonce: nonce.map(Into::into),
        });
        answer.ack(nonce);
        self.send(answer);
    }
}
