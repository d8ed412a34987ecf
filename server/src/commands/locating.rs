//! How commands reach somebody, or all servers: whoever is looked for may be on any of them. Those
//! whose server is gone are found [elsewhere](super::absent).

use std::sync::Arc;

use madang_protocol::{name::UserName, notice::Notice};

use super::{
    caller::{Caller, Reply},
    chat::Chat,
    elsewhere::{Finding, Findings, Inquiry, Profile},
};
use crate::session::Session;

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
        if let Some(session) = self.chat.users.find(name) {
            return Ok(Located::Here(session));
        }
        let found = match self.chat.elsewhere {
            Some(others) => others.ask(&Inquiry::Find(name.clone()), None).one()?,
            None => return Err(Notice::Nobody),
        };
        match found {
            Finding::Person(profile) => Ok(Located::Elsewhere(profile)),
            _ => Err(Notice::Nobody),
        }
    }
}
