//! What a request was written for. Text that waits for a connection, or for the answer to
//! `/join`, is sent to the room or person it was written for, or not at all.

use madang_protocol::{command::CommandSpec, request::Request, room::is_private};

use super::requests::Asked;

/// What a request was written for. It is sent nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WrittenFor {
    /// A question of the client itself.
    Anywhere,
    /// A room, as events name it; `None` if its author was in no room.
    Room(Option<String>),
    /// The room that the command with this number leads to.
    RoomAfter(u64),
    /// A person, or anything else whose name may belong to somebody else in the next session.
    Session,
}

impl WrittenFor {
    /// What a command is for, given that text is for `here`.
    pub(super) fn of_command(line: &str, here: WrittenFor) -> WrittenFor {
        let Some(spec) = CommandSpec::of(line) else { return WrittenFor::Session };
        match spec.name {
            "/me" | "/topic" | "/invite" | "/kick" | "/unkick" | "/mute" | "/unmute" | "/lock"
            | "/unlock" | "/limit" | "/transcript" | "/end" | "/owner" => here,
            _ => WrittenFor::Session,
        }
    }

    /// The room that is named in the request.
    pub(super) fn room(&self) -> Option<String> {
        match self {
            WrittenFor::Room(room) => room.clone(),
            _ => None,
        }
    }

    /// Whether a connection that has entered `room` is the right one, in the same session or a
    /// new one. In a new session, another private room may have the same mark.
    fn is_met(&self, room: Option<&str>, resumed: bool) -> bool {
        match self {
            WrittenFor::Anywhere => true,
            WrittenFor::Room(Some(meant)) => room == Some(meant) && (resumed || !is_private(meant)),
            WrittenFor::Room(None) => resumed && room.is_none(),
            WrittenFor::RoomAfter(_) | WrittenFor::Session => resumed,
        }
    }
}

impl Asked {
    /// Whether it leads to another room when it is carried out.
    pub(crate) fn moves(&self) -> bool {
        let Request::Command { line, .. } = &self.request else { return false };
        CommandSpec::of(line)
            .is_some_and(|spec| matches!(spec.name, "/join" | "/leave" | "/new" | "/end"))
    }

    /// Whether it becomes a message in the room when it is carried out.
    pub(crate) fn speaks(&self) -> bool {
        match &self.request {
            Request::Say { .. } => true,
            Request::Command { line, .. } => {
                CommandSpec::of(line).is_some_and(|spec| spec.name == "/me")
            }
            Request::Login { .. }
            | Request::History { .. }
            | Request::Vote { .. }
            | Request::Hand { .. }
            | Request::Watch { .. } => false,
        }
    }

    /// Whether it may be sent on a connection that has entered `room`, in the same session or a
    /// new one. In a new session, a person's name may belong to somebody else.
    pub(super) fn may_go_to(&self, room: Option<&str>, resumed: bool) -> bool {
        let is_command = matches!(self.request, Request::Command { .. });
        let is_own = self.written_for == WrittenFor::Anywhere;
        self.written_for.is_met(room, resumed) && (resumed || is_own || !is_command)
    }

    /// Replaces the pending room with `room`, now that it is known.
    pub(super) fn go_to(&mut self, to: Option<String>) {
        self.written_for = WrittenFor::Room(to.clone());
        match &mut self.request {
            Request::Say { room, .. } | Request::Command { room, .. } => *room = to,
            Request::Login { .. }
            | Request::History { .. }
            | Request::Vote { .. }
            | Request::Hand { .. }
            | Request::Watch { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queued_text_goes_only_where_it_was_written_for() {
        #[track_caller]
        fn check(written_for: &WrittenFor, room: Option<&str>, resumed: bool, expected: bool) {
            assert_eq!(written_for.is_met(room, resumed), expected, "{written_for:?} {room:?}");
        }
        let (lobby, private) = (Some("lobby"), Some("private-k3f9"));
        for resumed in [true, false] {
            check(&WrittenFor::Anywhere, None, resumed, true);
            check(&WrittenFor::Room(lobby.map(Into::into)), lobby, resumed, true);
            check(&WrittenFor::Room(lobby.map(Into::into)), Some("math"), resumed, false);
            check(&WrittenFor::Room(private.map(Into::into)), lobby, resumed, false);
            // In another session, the same mark may belong to another room.
            check(&WrittenFor::Room(private.map(Into::into)), private, resumed, resumed);
            // Text that was written in no room is for no room.
            check(&WrittenFor::Room(None), lobby, resumed, false);
            check(&WrittenFor::Room(None), None, resumed, resumed);
            // By now, bob may be somebody else.
            check(&WrittenFor::Session, lobby, resumed, resumed);
        }
    }

    #[test]
    fn commands_about_a_room_are_for_that_room() {
        #[track_caller]
        fn check(line: &str, expected: Option<&str>) {
            let here = WrittenFor::Room(Some("math".into()));
            assert_eq!(WrittenFor::of_command(line, here).room().as_deref(), expected, "{line}");
        }
        check("/me waves", Some("math"));
        check("/주제 시험", Some("math"));
        check("/kick bob", Some("math"));
        check("/기록 html", Some("math"));
        check("/msg bob psst", None);
        check("/join art", None);
        check("/nosuch", None);
    }
}
