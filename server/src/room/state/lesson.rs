//! How a change of the lesson changes a room's part in it.

use std::sync::Arc;

use super::State;
use crate::room::fact::{Change, Fact};

impl State {
    pub(super) fn apply_to_class(&mut self, fact: &Fact) {
        let present = self.members.in_order().filter(|it| it.quiet.is_none());
        let present = present.map(|member| &member.user);
        match &fact.change {
            Change::Lesson(change) => {
                self.class.apply(change, fact.id.unwrap_or_default(), present);
            }
            Change::LessonIs(class) => self.class.catch_up(class, fact.time, present),
            _ => {}
        }
        if !self.class.is_running() {
            self.access.known = Arc::default();
        }
    }
}
