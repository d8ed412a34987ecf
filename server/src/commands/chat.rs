//! The chat as commands see it: the tables they read and change, and the server's services.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_protocol::{
    command::{Banned, TranscriptFormat},
    event::{Time, TimerState},
    name::UserName,
    notice::Goodbye,
    text::Lang,
};

use super::{archive::Archive, elsewhere::Elsewhere};
use crate::{
    admission::{allowance::AddressAllowance, bans::Bans, spoken::SpokenWords},
    doors::Doors,
    metrics::Metrics,
    room::{Muter, Room, directory::Rooms},
    session::{Session, user_manager::UserManager},
};

/// What commands work on.
#[derive(Clone, Copy)]
pub(crate) struct Chat<'a> {
    pub(crate) users: &'a UserManager,
    pub(crate) rooms: &'a Rooms,
    pub(crate) bans: &'a Bans,
    pub(crate) room_allowance: &'a AddressAllowance,
    /// How many wrong teacher's codes each address may still send.
    pub(crate) code_allowance: &'a AddressAllowance,
    /// The words that open private rooms.
    pub(crate) spoken: &'a SpokenWords,
    pub(crate) doors: &'a Doors,
    pub(crate) metrics: &'a Metrics,
    /// The class list.
    pub(crate) roster: &'a [String],
    /// How long a kick keeps somebody out.
    pub(crate) kick_window: Duration,
    /// What is kept on disk, with `--data`.
    pub(crate) archive: Option<&'a dyn Archive>,
    /// The other servers, if there are any.
    pub(crate) elsewhere: Option<&'a dyn Elsewhere>,
    pub(crate) services: &'a dyn Services,
}

/// How long an offered file can be downloaded.
pub(crate) const DOWNLOAD_TIME: Duration = Duration::from_secs(600);

/// A room's conversation, offered for download.
pub(crate) struct TalkOffer<'a> {
    pub(crate) name: &'a str,
    /// None if it has ended.
    pub(crate) room: Option<&'a Arc<Room>>,
    /// Its parts on disk, by number and name; empty if only the room remembers it.
    pub(crate) saved: Vec<(u64, Arc<str>)>,
    pub(crate) format: TranscriptFormat,
    pub(crate) lang: Lang,
}

/// The server's services for commands: timers, connections, the console. None of them
/// blocks.
pub(crate) trait Services {
    /// Ends a room once it has been empty for long enough.
    fn end_when_empty(&self, room: &Arc<Room>);

    /// Schedules the end of a mute in a room, of the session with this number.
    fn end_mute_at(&self, at: Instant, until: Time, room: &Arc<Room>, muted: (u64, Muter));

    /// Schedules the end of an operator's mute.
    fn end_operators_mute_at(&self, at: Instant, until: Time, session: &Arc<Session>);

    /// Schedules the end of the operator's mute of everyone.
    fn end_mute_of_all_at(&self, at: Instant, until: Time);

    /// The address of the connection that holds a session, if one does.
    fn address_of(&self, session: &Session) -> Option<IpAddr>;

    /// Closes the connection that holds a session, if one does.
    fn close_connection_of(&self, session: &Session, goodbye: Goodbye);

    /// Closes every connection that is now banned. Returns their names and addresses.
    fn close_banned(&self, banned: &Banned) -> Vec<(UserName, IpAddr)>;

    /// Tells the operator that somebody changed their name.
    fn note_renamed(&self, old: &UserName, new: &UserName);

    /// Sends teachers the open poll's progress, at once or when the last update is long enough ago.
    fn tally(&self);

    /// Sends everyone this state of the lesson's timer at `at`, if it still ends at `until`.
    fn tell_timer_at(&self, at: Instant, until: Time, state: TimerState);

    /// Offers a table for one download within a limited time, and returns its path. `by` is the
    /// number of the requester's session, unless it is the operator.
    fn offer_table(&self, by: Option<u64>, table: Vec<u8>) -> String;

    /// The same for a room's conversation.
    fn offer_talk(&self, by: Option<u64>, talk: TalkOffer<'_>) -> String;

    /// Tells the operator that somebody is a teacher now.
    fn note_teacher(&self, user: &UserName);

    /// Remembers across a restart that somebody is a teacher, a teacher's screen on the wall, or
    /// muted by the operator.
    fn keep_standing(&self, session: &Session);

    /// Has other servers know the number of the last whisper to a session, which may be resumed
    /// there.
    fn note_whispered(&self, session: &Session);

    /// The same with a session's ignore list.
    fn note_hidden(&self, session: &Session);

    /// Tells the operator that a room has ended.
    fn note_room_ended(&self, room: &str);
}
