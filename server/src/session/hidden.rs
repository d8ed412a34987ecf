//! The people on an ignore list, and what that hides of them.

use std::sync::Arc;

use madang_protocol::event::Event;

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
