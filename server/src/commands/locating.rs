//! How commands reach somebody, or all servers: whoever is looked for may be on any of them. Those
//! whose server is gone are found [elsewhere](super::absent).

use std::{sync::Arc, time::Duration};

use madang_protocol::{name::UserName, notice::Notice};

use super::{
    caller::{Caller, Reply},
    chat::Chat,
    elsewhere::{Elsewhere, Finding, Findings, Inquiry, Profile},
};
use crate::session::Session;

/// How long somebody is looked for again who may be passing from one server to another: at first for
/// so long, then twice as long each time, up to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(320)];

/// A search for somebody who is on neither server for a moment while they pass from one to another.
pub(crate) struct Search<'a> {
    elsewhere: Option<&'a dyn Elsewhere>,
    name: &'a UserName,
    pause: Duration,
}

impl<'a> Search<'a> {
    pub(crate) fn of(chat: &Chat<'a>, name: &'a UserName) -> Search<'a> {
        Search { elsewhere: chat.elsewhere, name, pause: PAUSES[0] }
    }

    /// Whether somebody who was found on no server is to be looked for once more: then a server has
    /// claimed the name. Blocks for a moment before that.
    pub(crate) fn goes_on(&mut self) -> bool {
        let is_claimed = |others: &dyn Elsewhere| others.is_claimed(self.name);
        if self.pause > PAUSES[1] || !self.elsewhere.is_some_and(is_claimed) {
            return false;
        }
        std::thread::park_timeout(self.pause);
        self.pause *= 2;
        true
    }
}

/// Somebody on any of the servers.
pub(crate) enum Located {
    Here(Arc<Session>),
    Elsewhere(Box<Profile>),
}

impl Located {
    /// The number of their session.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Located::Here(session) => session.number,
            Located::Elsewhere(profile) => profile.session,
        }
    }

    pub(crate) fn name(&self) -> UserName {
        match self {
            Located::Here(session) => session.name(),
            Located::Elsewhere(profile) => profile.user.clone(),
        }
    }

    /// Their profile, if it is not to be looked up here.
    pub(crate) fn profile(self, chat: &Chat<'_>) -> Profile {
        match self {
            Located::Here(session) => Profile::of(chat, &session),
            Located::Elsewhere(profile) => *profile,
        }
    }
}

impl Caller<'_> {
    /// Asks the other servers, if there are any.
    pub(crate) fn ask_elsewhere(&self, inquiry: &Inquiry) -> Findings {
        let once = self.session_number().zip(self.nonce);
        self.chat.elsewhere.map_or_else(Findings::none, |others| others.ask(inquiry, once))
    }

    /// Has an order kept that was noted, and the other servers carry it out. Returns their answers,
    /// and what the operator is to know if it is not certain that all of them have.
    pub(crate) fn order_elsewhere(
        &self,
        inquiry: &Inquiry,
    ) -> (Vec<Finding>, Option<Notice<'static>>) {
        let Some(others) = self.chat.elsewhere else { return (Vec::new(), None) };
        if !others.hand_orders_over() {
            return (Vec::new(), Some(Notice::OrderWaits));
        }
        let Findings { findings, is_complete } = self.ask_elsewhere(inquiry);
        others.announce_orders();
        (findings, (!is_complete).then_some(Notice::Unanswered))
    }

    /// Finds somebody by their name, on any server.
    ///
    /// # Errors
    ///
    /// The refusal, if nobody has it.
    pub(crate) fn locate(&self, name: &UserName) -> Result<Located, Reply> {
        self.find_anywhere(name).map_err(|notice| self.refuse(&notice))
    }

    /// The number of the session of somebody who was looked for under this name, or is
    /// [absent](Self::absent).
    ///
    /// # Errors
    ///
    /// The refusal, if there is none.
    pub(crate) fn number_of(
        &self,
        name: &UserName,
        found: Result<Located, Notice<'static>>,
    ) -> Result<u64, Reply> {
        match found {
            Ok(found) => Ok(found.number()),
            Err(notice) => self.absent(name, notice).map(|(_, bearer)| bearer.session),
        }
    }

    /// Finds somebody as [`locate`](Self::locate) does.
    ///
    /// # Errors
    ///
    /// Why nobody was found.
    pub(crate) fn find_anywhere(&self, name: &UserName) -> Result<Located, Notice<'static>> {
        let mut search = Search::of(&self.chat, name);
        loop {
            if let Some(session) = self.chat.users.find(name) {
                return Ok(Located::Here(session));
            }
            let Some(others) = self.chat.elsewhere else { return Err(Notice::Nobody) };
            match others.ask(&Inquiry::Find(name.clone()), None).one() {
                Ok(Finding::Person(profile)) => return Ok(Located::Elsewhere(profile)),
                Ok(_) | Err(Notice::Nobody) if search.goes_on() => {}
                Ok(_) => return Err(Notice::Nobody),
                Err(notice) => return Err(notice),
            }
        }
    }
}
