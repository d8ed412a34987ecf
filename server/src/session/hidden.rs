//! Ignore lists, and which events they hide.

use std::sync::Arc;

use madang_protocol::{command::Switch, event::Event, name::UserName};

use super::Session;

/// The maximum length of an ignore list.
pub(crate) const MOST_HIDDEN: usize = 100;

/// An ignored person: by session, and by name in case they reconnect.
#[derive(Debug, Clone)]
pub(crate) struct Hidden {
    pub(super) session: u64,
    pub(super) name: Arc<str>,
}

impl Hidden {
    /// Whether messages of `session` under `name` are hidden.
    pub(crate) fn hides(hidden: &[Hidden], session: u64, name: &str) -> bool {
        hidden.iter().any(|hidden| hidden.session == session || *hidden.name == *name)
    }

    /// Whether `event`, caused by `session`, is hidden. Only messages are.
    pub(crate) fn hides_event(hidden: &[Hidden], session: u64, event: &Event) -> bool {
        matches!(event, Event::Said { user, .. } if Hidden::hides(hidden, session, user))
    }

    /// The same for events whose speaker is known only by name.
    pub(crate) fn hides_past(hidden: &[Hidden], event: &Event) -> bool {
        // No session has the number 0.
        Hidden::hides_event(hidden, 0, event)
    }
}

impl Session {
    /// Whose messages they are not sent: people on their ignore list, and perhaps themselves.
    pub(crate) fn hidden(&self) -> Arc<[Hidden]> {
        let state = self.state.lock();
        match state.own_lines {
            Switch::On => state.hidden.clone(),
            Switch::Off => {
                // Without a name, so that their own earlier messages are still shown.
                let own = Hidden { session: self.number, name: "".into() };
                state.hidden.iter().cloned().chain([own]).collect()
            }
        }
    }

    /// Sets whether their own messages are sent to them; false if nothing changed.
    pub(crate) fn set_own_lines(&self, own_lines: Switch) -> bool {
        let before = std::mem::replace(&mut self.state.lock().own_lines, own_lines);
        before != own_lines
    }

    /// The names on their ignore list.
    pub(crate) fn hidden_names(&self) -> Vec<Arc<str>> {
        self.state.lock().hidden.iter().map(|hidden| hidden.name.clone()).collect()
    }

    /// Adds somebody to the ignore list; false if it is full.
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

    /// Removes somebody from the ignore list; false if they were not on it.
    pub(crate) fn show(&self, session: Option<u64>, name: &UserName) -> bool {
        let mut state = self.state.lock();
        let count = state.hidden.len();
        let is_kept =
            |hidden: &&Hidden| session != Some(hidden.session) && *hidden.name != *name.as_str();
        state.hidden = state.hidden.iter().filter(is_kept).cloned().collect();
        state.hidden.len() < count
    }
}
