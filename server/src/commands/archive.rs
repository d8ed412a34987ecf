//! What commands read from disk: searches, and for [`history`](super::history) what a room no
//! longer remembers. The same search again goes further back.

use std::sync::Arc;

use madang_protocol::{
    event::{Event, ServerMessage, Time},
    name::UserName,
    notice::Notice,
    room::{Destination, RoomName},
};

use super::{
    caller::{Caller, Reply, Standing},
    elsewhere::{Elsewhere, Forgetting, KeptOrder},
};
use crate::{
    dialect::HistoryHead,
    room::{
        By, HistorySpan, Op, Room,
        lesson::{Asker, LessonOp},
        refusal::Refusal,
    },
    session::{Hidden, Reading},
    sync::Mutex,
};

/// How many messages a search shows at once.
const FOUND_EVENTS: usize = 10;

/// What is kept on disk about public rooms.
pub(crate) trait Archive {
    /// Reads the events of a room that are wanted. Blocks until they are there.
    ///
    /// # Errors
    ///
    /// [`Unread`].
    fn read(&self, room: &Room, wanted: Wanted<'_>) -> Result<Excerpt, Unread>;

    /// Deletes what was said in the rooms of that name from disk, or only what one person said
    /// there. Blocks until it is gone; returns how many events there were.
    ///
    /// # Errors
    ///
    /// The system's error message.
    fn forget(&self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String>;

    /// The same for an archive of several servers, which deletes it after what it has still to write.
    /// Does not block.
    fn forget_later(&self, forgetting: &Forgetting);

    /// Each public room that ever had this name, as it is kept, oldest first. Blocks until they
    /// are known; none if they can't be read.
    fn rooms_named(&self, name: &RoomName) -> Vec<(u64, Arc<str>)>;

    /// The earliest time that members may read back to.
    fn members_reach(&self) -> Time;

    /// How far the operator has read back.
    fn operators_reading(&self) -> &Mutex<Option<Reading>>;
}

/// How far back a caller may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// As far as members.
    Members,
    /// To the beginning.
    Everything,
}

/// Which events are wanted, and for whom.
pub(crate) struct Wanted<'a> {
    pub(crate) span: HistorySpan,
    pub(crate) reach: Reach,
    /// Only messages that contain these words.
    pub(crate) words: Option<&'a str>,
    /// Only what people are shown, without messages from those they ignore. Programs get
    /// everything.
    pub(crate) hidden: Option<Vec<Hidden>>,
}

/// A piece of history, oldest first.
pub(crate) struct Excerpt {
    pub(crate) events: Vec<Event>,
    /// The first id that was examined, and the last if the request named where to begin.
    pub(crate) looked_to: u64,
    /// Whether this is the start of what the caller may read.
    pub(crate) earliest: bool,
    /// What could not be saved: the first and last id of each gap.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// When the server was restarted.
    pub(crate) restarts: Vec<Event>,
}

impl Excerpt {
    /// What is missing of what was read after that id: the first and last id of each gap, in order.
    /// Ids that nobody was given are none.
    pub(crate) fn missing_after(&self, after: u64) -> Vec<(u64, u64)> {
        let first_told = match self.events.first() {
            // What came before may be gone, or is not for the reader. A restart leaves out ids itself.
            Some(first) if self.earliest && !matches!(first, Event::Restarted { .. }) => first.id(),
            _ => after.saturating_add(1),
        };
        let before = (after + 1 < first_told).then(|| (after + 1, first_told - 1));
        let gaps = self.gaps.iter().filter(|(_, to)| *to >= first_told);
        let gaps = gaps.map(|(from, to)| ((*from).max(first_told), *to));
        before.into_iter().chain(gaps).collect()
    }
}

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The room is not kept on disk, or the disk fails: only its memory can answer.
    NotKept,
    /// Too many reads at once.
    Busy,
    /// No words to search for.
    NoWords,
}

impl Caller<'_> {
    /// The room whose history the caller reads, and the people they ignore.
    ///
    /// # Errors
    ///
    /// The refusal, if they are in no room.
    pub(super) fn reads_in(&self) -> Result<(&Arc<Room>, Vec<Hidden>), Reply> {
        if let Standing::Operator(room) = self.standing {
            return Ok((room, Vec::new()));
        }
        let member = self.member()?;
        let room = member.room.ok_or_else(|| self.refuse(&Notice::NoRoom))?;
        Ok((room, member.session.hidden().to_vec()))
    }

    /// How far back the caller may read: to the beginning for the operator and for teachers, who
    /// own every room that is kept.
    pub(super) fn allowed_reach(&self) -> Reach {
        match self.standing {
            Standing::Operator(_) => Reach::Everything,
            Standing::Member(member) if member.session.is_teacher() => Reach::Everything,
            Standing::Member(_) | Standing::Newcomer => Reach::Members,
        }
    }

    /// How far the caller has read back in a room.
    pub(super) fn reading(&self, archive: &dyn Archive, room: &Room) -> Option<Reading> {
        let reading = match self.standing {
            Standing::Member(member) => member.session.reading(),
            _ => archive.operators_reading().lock().clone(),
        };
        reading.filter(|reading| reading.room == room.number)
    }

    /// Notes how far the caller has read back.
    pub(super) fn note_reading(&self, archive: &dyn Archive, reading: Reading) {
        match self.standing {
            Standing::Member(member) => member.session.note_reading(reading),
            _ => *archive.operators_reading().lock() = Some(reading),
        }
    }
}

/// Searches the caller's room for words.
pub(super) fn search(caller: &Caller<'_>, words: Option<&str>) -> Result<Reply, Reply> {
    let (room, hidden) = caller.reads_in()?;
    let not_kept = || caller.refuse(&Notice::NotKept);
    let archive = caller.chat.archive.ok_or_else(not_kept)?;
    let last = caller.reading(archive, room);
    let last = last.and_then(|last| Some((last.words?, last.before)));
    let (words, before) = match (words, last) {
        (None, None) => return Err(caller.refuse(&Notice::NoSearch)),
        (None, Some((words, before))) => (words, Some(before)),
        // The same words continue further back; at the end, they start over.
        (Some(words), Some((same, before))) if *words == *same && before > 0 => {
            (same, Some(before))
        }
        (Some(words), _) => (words.into(), None),
    };
    let span = HistorySpan { before, ..HistorySpan::newest(FOUND_EVENTS) };
    let (reach, hidden) = (caller.allowed_reach(), Some(hidden));
    let wanted = Wanted { span, reach, words: Some(&words), hidden };
    let excerpt = archive.read(room, wanted).map_err(|unread| match unread {
        Unread::Busy => caller.refuse(&Notice::Busy),
        Unread::NotKept => not_kept(),
        Unread::NoWords => caller.refuse(&Notice::NoSearch),
    })?;
    let Excerpt { events, looked_to, earliest, .. } = excerpt;
    let before = if earliest { 0 } else { looked_to };
    let reading = Reading { room: room.number, words: Some(words), before };
    caller.note_reading(archive, reading);
    let mut answer = caller.begin();
    if caller.form.is_for_programs() {
        answer.message(&ServerMessage::Found {
            room: (&*room.name).into(),
            events: events.iter().map(std::borrow::Cow::Borrowed).collect(),
            before: (!earliest).then_some(looked_to),
            nonce: caller.nonce.map(Into::into),
        });
        return Ok(caller.answered(answer));
    }
    if !events.is_empty() {
        let head = HistoryHead { earliest, ..HistoryHead::of(&room.name) };
        answer.history(head, events.iter().rev());
    }
    answer.notice(&Notice::Found { count: events.len(), is_all: earliest });
    Ok(caller.answered(answer))
}

/// Deletes what was said in a room, or only what one person said.
pub(super) fn forget(
    caller: &Caller<'_>,
    room: &RoomName,
    name: Option<&UserName>,
) -> Result<Reply, Reply> {
    if let Some(others) = caller.chat.elsewhere {
        return forget_everywhere(caller, others, room, name);
    }
    let archive = caller.chat.archive.ok_or_else(|| caller.refuse(&Notice::NotKept))?;
    match archive.forget(room, name) {
        Ok(count) => Ok(caller.tell(&Notice::Forgotten(count))),
        Err(cause) => Err(caller.refuse(&Notice::NotForgotten(&cause))),
    }
}

/// The same on all servers: from their memories, in the order of what is said there, and from the
/// archives, also those that are away.
fn forget_everywhere(
    caller: &Caller<'_>,
    others: &dyn Elsewhere,
    room: &RoomName,
    name: Option<&UserName>,
) -> Result<Reply, Reply> {
    let unavailable = || caller.refuse(&Notice::Unavailable);
    let rooms = caller.chat.rooms;
    let until = others.time().ok_or_else(unavailable)?;
    let forgetting = Forgetting { room: room.clone(), name: name.cloned(), until };
    others.note(&KeptOrder::Forget(forgetting.clone()));
    others.hand_orders_over();
    let living = rooms.reach(&Destination::Public(room.clone())).map_err(|_| unavailable())?;
    if let Some(living) = living {
        match living.act(By::Operator, Op::Forget { name: name.cloned() }) {
            // One that has just ended is remembered by nobody.
            Ok(()) | Err(Refusal::Ended) => {}
            Err(refusal) => return Err(caller.not_done(refusal)),
        }
    }
    let (operator, of) = (Asker::new(By::Operator, None), name.cloned());
    // Without a lesson, there are no hands.
    let _ = rooms.lesson.act(&operator, LessonOp::ForgetHandTexts { of }, Vec::new);
    // Rooms of that name that have ended are in no log.
    caller.chat.archive.into_iter().for_each(|archive| archive.forget_later(&forgetting));
    others.announce_orders();
    Ok(caller.tell(&Notice::ForgottenEverywhere))
}

#[cfg(test)]
mod tests {
    use madang_protocol::event::Stamp;

    use super::*;

    #[test]
    fn what_was_never_given_is_not_missing() {
        #[track_caller]
        fn check(
            after: u64,
            ids: &[u64],
            earliest: bool,
            gaps: &[(u64, u64)],
            missing: &[(u64, u64)],
        ) {
            let events = ids.iter().map(|id| {
                let stamp = Stamp { id: *id, time: Time::from_millis(0), room: "lobby".into() };
                match id % 1_000 {
                    // Only to have another kind of event.
                    999 => Event::Restarted { stamp },
                    _ => Event::Joined { stamp, user: "bob".into(), stream: false },
                }
            });
            let excerpt = Excerpt {
                events: events.collect(),
                looked_to: 0,
                earliest,
                gaps: gaps.into(),
                restarts: Vec::new(),
            };
            assert_eq!(excerpt.missing_after(after), missing, "{ids:?} after {after}");
        }
        check(40, &[41, 42], false, &[], &[]);
        check(40, &[41, 900, 901], false, &[], &[]);
        check(40, &[900], false, &[], &[]);
        check(40, &[41, 900], false, &[(42, 50)], &[(42, 50)]);
        check(40, &[900], false, &[(38, 50), (890, 899)], &[(41, 50), (890, 899)]);
        // What is not readable before the first is missing, also what could not be saved.
        check(40, &[900], true, &[], &[(41, 899)]);
        check(40, &[900, 910], true, &[(38, 50), (901, 909)], &[(41, 899), (901, 909)]);
        check(40, &[41], true, &[], &[]);
        check(40, &[999], true, &[], &[]);
    }
}
