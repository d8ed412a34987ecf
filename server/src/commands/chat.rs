//! The chat as commands see it: the tables that they read and change, and the services of
//! the server around them.

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

use super::archive::Archive;
use crate::{
    admission::{allowance::AddressAllowance, bans::Bans, spoken::SpokenWords},
    doors::Doors,
    metrics::Metrics,
    room::{Room, directory::Rooms},
    session::{Session, user_manager::UserManager},
};

/// What commands work on.
#[derive(Clone, Copy)]
pub(crate) struct Chat<'a> {
    pub(crate) users: &'a UserManager,
    pub(crate) rooms: &'a Rooms,
    pub(crate) bans: &'a Bans,
    pub(crate) room_allowance: &'a AddressAllowance,
    /// How many wrong teacher's codes an address may send.
    pub(crate) code_allowance: &'a AddressAllowance,
    /// The words that open private rooms.
    pub(crate) spoken: &'a SpokenWords,
    pub(crate) doors: &'a Doors,
    pub(crate) metrics: &'a Metrics,
    /// Who should attend lessons.
    pub(crate) roster: &'a [String],
    /// How long a kick keeps somebody out.
    pub(crate) kick_window: Duration,
    /// What is kept on disk, if anything is.
    pub(crate) archive: Option<&'a dyn Archive>,
    pub(crate) services: &'a dyn Services,
}

/// For how long a file can be downloaded that was offered.
pub(crate) const DOWNLOAD_TIME: Duration = Duration::from_secs(600);

/// What was said in a room, to be downloaded.
pub(crate) struct TalkOffer<'a> {
    pub(crate) name: &'a str,
    /// None if it has ended.
    pub(crate) room: Option<&'a Arc<Room>>,
    /// What of it is kept on disk, by number and name; nothing of what only a room remembers.
    pub(crate) saved: Vec<(u64, Arc<str>)>,
    pub(crate) format: TranscriptFormat,
    pub(crate) lang: Lang,
}

/// The server's services for commands: timers, connections, the console. None of them
/// blocks.
pub(crate) trait Services {
    /// Ends a room once it has been empty for long enough.
    fn end_when_empty(&self, room: &Arc<Room>);

    /// Schedules the end of an owner's mute that lasts until then.
    fn end_mute_at(&self, at: Instant, until: Time, room: &Arc<Room>, session: &Arc<Session>);

    /// Schedules the end of an operator's mute that lasts until then.
    fn end_operators_mute_at(&self, at: Instant, until: Time, session: &Arc<Session>);

    /// Schedules the end of the operator's mute of everyone.
    fn end_mute_of_all_at(&self, at: Instant, until: Time);

    /// The address of the connection that holds a session, if one does.
    fn address_of(&self, session: &Session) -> Option<IpAddr>;

    /// Closes the connection that holds a session, if one does.
    fn close_connection_of(&self, session: &Session, goodbye: Goodbye);

    /// Closes every connection that is banned now. Returns their names and addresses.
    fn close_banned(&self, banned: &Banned) -> Vec<(UserName, IpAddr)>;

    /// Tells the operator that somebody changed their name.
    fn note_renamed(&self, old: &UserName, new: &UserName);

    /// Sends teachers how far the open poll has come: at once, or when the last time is long
    /// enough ago.
    fn tally(&self);

    /// Tells everyone at that time how far the lesson's clock has come that is to end then.
    fn tell_timer_at(&self, at: Instant, until: Time, state: TimerState);

    /// Offers a table to whoever has its path on the port for browsers, once and for a while:
    /// the path. `by` is the number of the requester's session, if it is not the operator.
    fn offer_table(&self, by: Option<u64>, table: Vec<u8>) -> String;

    /// The same for what is said in a room.
    fn offer_talk(&self, by: Option<u64>, talk: TalkOffer<'_>) -> String;

    /// Tells the operator that somebody is a teacher now.
    fn note_teacher(&self, user: &UserName);

    /// Keeps over a restart that somebody is a teacher, or a teacher's screen on the wall, or
    /// muted by the operator.
    fn keep_standing(&self, session: &Session);

    /// Tells the operator that a room has ended.
    fn note_room_ended(&self, room: &str);
}
