//! Reading back what is kept on disk: history further than a room remembers, and searches.
//! The same command again goes further back.

use madang_protocol::{
    event::{Event, ServerMessage},
    name::UserName,
    notice::Notice,
    room::RoomName,
};

use super::caller::{Caller, Membership, Reply};
use super::questions::HISTORY_EVENTS;
use crate::{
    room::Room,
    session::{Hidden, Reading},
};

/// How many messages a search shows at once.
const FOUND_EVENTS: usize = 10;

/// How somebody asks for history.
#[derive(Debug, Clone, Copy)]
pub(crate) enum HistoryAsked {
    /// The newest messages, so many.
    Newest(usize),
    /// Those before what was shown last; the newest if nothing was.
    Again,
    /// Those before an id, at most so many.
    Before(Option<u64>, Option<usize>),
}

/// What is kept on disk of public rooms.
pub(crate) trait Archive {
    /// Reads the newest events of a room that are wanted. Blocks until they are there.
    ///
    /// # Errors
    ///
    /// [`Unread`].
    fn read(&self, room: &Room, wanted: Wanted<'_>) -> Result<Excerpt, Unread>;

    /// Forgets what was said in the rooms of that name, by one person if one is named, on
    /// disk. Blocks until it is gone; returns how many events there were.
    ///
    /// # Errors
    ///
    /// What went wrong, in the system's words.
    fn forget(&self, room: &RoomName, name: Option<&UserName>) -> Result<usize, String>;
}

/// Which events are wanted.
pub(crate) struct Wanted<'a> {
    /// Only events with lower ids.
    pub(crate) before: Option<u64>,
    /// At most so many.
    pub(crate) limit: usize,
    /// Only messages that hold these words.
    pub(crate) words: Option<&'a str>,
    /// Only what people are shown, and nothing of those whom they ignore. Programs get
    /// everything.
    pub(crate) hidden: Option<Vec<Hidden>>,
}

/// A piece of history, in the order in which it happened.
pub(crate) struct Excerpt {
    pub(crate) events: Vec<Event>,
    /// From which id on everything was looked at.
    pub(crate) looked_from: u64,
    /// Whether nothing older may be read.
    pub(crate) is_all: bool,
}

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The room is kept nowhere, or the disk fails: what it remembers is all there is.
    NotKept,
    /// Too many read at once.
    Busy,
    /// There are no words to look for.
    NoWords,
}

/// Tells what happened before some id; `None` if the room's memory has to answer.
pub(super) fn saved_history(
    caller: &Caller<'_>,
    member: Membership<'_>,
    asked: HistoryAsked,
) -> Option<Result<Reply, Reply>> {
    let (archive, room) = (caller.chat.archive?, member.room?);
    let for_programs = caller.form.is_for_programs();
    let last = member.session.reading().filter(|last| last.is_history_of(room.number));
    let (before, limit) = match asked {
        HistoryAsked::Newest(count) => (None, count),
        HistoryAsked::Again => (last.map(|last| last.before), HISTORY_EVENTS),
        HistoryAsked::Before(before, limit) => (before, limit.unwrap_or(usize::MAX)),
    };
    let hidden = (!for_programs).then(|| member.session.hidden().to_vec());
    let read = archive.read(room, Wanted { before, limit, words: None, hidden });
    let excerpt = match read {
        Ok(excerpt) => excerpt,
        Err(Unread::Busy) => return Some(Err(caller.refuse(&Notice::Busy))),
        Err(_) => return None,
    };
    let reading = Reading { room: room.number, words: None, before: excerpt.looked_from };
    member.session.note_reading(reading);
    let mut answer = caller.begin();
    match &excerpt.events[..] {
        [] if !for_programs => answer.notice(&Notice::HistoryBegins),
        _ => answer.history(&room.name, excerpt.events.iter().rev(), caller.nonce),
    }
    if excerpt.is_all && !excerpt.events.is_empty() {
        answer.hint(&Notice::HistoryBegins);
    }
    Some(Ok(caller.answered(answer)))
}

/// Looks for words in what was said in the caller's room.
pub(super) fn search(caller: &Caller<'_>, words: Option<&str>) -> Result<Reply, Reply> {
    let member = caller.member()?;
    let room = member.room.ok_or_else(|| caller.refuse(&Notice::NoRoom))?;
    let not_kept = || caller.refuse(&Notice::NotKept);
    let archive = caller.chat.archive.ok_or_else(not_kept)?;
    let last = member.session.reading().filter(|last| last.room == room.number);
    let last = last.and_then(|last| Some((last.words?, last.before)));
    let (words, before) = match (words, last) {
        (None, None) => return Err(caller.refuse(&Notice::NoSearch)),
        (None, Some((words, before))) => (words, Some(before)),
        // The same words go further back, and from the end begin again.
        (Some(words), Some((same, before))) if *words == *same && before > 0 => {
            (same, Some(before))
        }
        (Some(words), _) => (words.into(), None),
    };
    let hidden = Some(member.session.hidden().to_vec());
    let wanted = Wanted { before, limit: FOUND_EVENTS, words: Some(&words), hidden };
    let excerpt = archive.read(room, wanted).map_err(|unread| match unread {
        Unread::Busy => caller.refuse(&Notice::Busy),
        Unread::NotKept => not_kept(),
        Unread::NoWords => caller.refuse(&Notice::NoSearch),
    })?;
    let Excerpt { events, looked_from, is_all } = excerpt;
    let before = if is_all { 0 } else { looked_from };
    let reading = Reading { room: room.number, words: Some(words), before };
    member.session.note_reading(reading);
    let mut answer = caller.begin();
    if caller.form.is_for_programs() {
        answer.message(&ServerMessage::Found {
            room: (&*room.name).into(),
            events: events.iter().map(std::borrow::Cow::Borrowed).collect(),
            before: (!is_all).then_some(looked_from),
            nonce: caller.nonce.map(Into::into),
        });
        return Ok(caller.answered(answer));
    }
    if !events.is_empty() {
        answer.history(&room.name, events.iter().rev(), None);
    }
    answer.notice(&Notice::Found { count: events.len(), is_all });
    Ok(caller.answered(answer))
}

/// Forgets what was said in a room, by one person if one is named.
pub(super) fn forget(
    caller: &Caller<'_>,
    room: &RoomName,
    name: Option<&UserName>,
) -> Result<Reply, Reply> {
    let archive = caller.chat.archive.ok_or_else(|| caller.refuse(&Notice::NotKept))?;
    match archive.forget(room, name) {
        Ok(count) => Ok(caller.tell(&Notice::Forgotten(count))),
        Err(cause) => Err(caller.refuse(&Notice::NotForgotten(&cause))),
    }
}
