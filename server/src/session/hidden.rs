//! The people on an ignore list, and what that hides of them.

use std::sync::Arc;

use madang_protocol::{command::Switch, event::Event, name::UserName};

use super::Session;

/// How many people one may hide.
pub(crate) const MOST_HIDDEN: usize = 100;

/// Somebody who is hidden: by their session, and by their name if they come again.
#[derive(Debug, Clone)]
pub(crate) struct Hidden {
    pub(super) session: u64,
    pub(super) name: Arc<str>,
}

impl Hidden {
    /// Whether what `session` says under `name` is hidden by one of `hidden`.
    pub(crate) fn hides(hidden: &[Hidden], session: u64, name: &str) -> bool {
        hidden.iter().any(|hidden| hidden.session == session || *hidden.name == *name)
    }

    /// Whether `event`, which comes from `session`, is hidden. Only what people say
    /// is.
    pub(crate) fn hides_event(hidden: &[Hidden], session: u64, event: &Event) -> bool {
        matches!(event, Event::Said { user, .. } if Hidden::hides(hidden, session, user))
    }

    /// The same for what is only known by its speaker's name any more.
    pub(crate) fn hides_past(hidden: &[Hidden], event: &Event) -> bool {
        // No session has the number 0.
        Hidden::hides_event(hidden, 0, event)
    }
}

impl Session {
    /// Whose lines they are not sent: the people that they ignore, and perhaps themselves.
    pub(crate) fn hidden(&self) -> Arc<[Hidden]> {
        let state = self.state.lock();
        match state.own_lines {
            Switch::On => state.hidden.clone(),
            Switch::Off => {
                // Without a name: what they said before is shown to them like everything.
                let own = Hidden { session: self.number, name: "".into() };
                state.hidden.iter().cloned().chain([own]).collect()
            }
        }
    }

    /// Whether what they say is sent to them too from now on; false if it was so before.
    pub(crate) fn set_own_lines(&self, own_lines: Switch) -> bool {
        let before = std::mem::replace(&mut self.state.lock().own_lines, own_lines);
        before != own_lines
    }

    /// The names of the people that they ignore.
    pub(crate) fn hidden_names(&self) -> Vec<Arc<str>> {
        self.state.lock().hidden.iter().map(|hidden| hidden.name.clone()).collect()
    }

    /// Ignores somebody; false if the list is full.
    pub(crate) fn hide(&self, session: u64, name: &UserName) -> bool {
        let mut state = self.state.lock();
        if Hidden::hides(&state.hidden, session, name.as_str()) {
            return true;
        }
        let more = Hidden { session, name: name.as_str().into() };
        if state.hidden.len() < MOST_HIDDEN {
            state.hidden = state.hidden.iter().cloned().chain([more]).collect();
            return true;
        }
        false
    }

    /// Stops ignoring somebody; false if they were not ignored.
    pub(crate) fn show(&self, session: Option<u64>, name: &UserName) -> bool {
        let mut state = self.state.lock();
        let count = state.hidden.len();
        let is_kept =
            |hidden: &&Hidden| session != Some(hidden.session) && *hidden.name != *name.as_str();
        state.hidden = state.hidden.iter().filter(is_kept).cloned().collect();
        state.hidden.len() < count
    }
}
