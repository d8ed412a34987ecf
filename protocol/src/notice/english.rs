//! Every notice in English.

use crate::{
    address_range::WIDEST,
    command::{CommandError, Switch},
    duration::{show_about, show_duration},
    foreign::Foreign,
    limits::{CARRIER_BYTES, LINE_BYTES, MESSAGE_BYTES, MESSAGE_LINES, PROTOCOL_VERSION},
    room::LOBBY,
    text::{Lang, teacher_mark},
};

use super::{
    Goodbye, HttpNotice, LessonNotice, Notice, help, list,
    number::{HANGUL_BYTES, UNCOUNTED_LINES, grouped},
    people, prefixed, share,
    utf8::not_utf8,
    version, wire,
};

pub(super) fn text(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Greeting { version } => {
            format!("Madang/{PROTOCOL_VERSION} {version} · help: /help · 한국어: /lang ko")
        }
        Notice::LoginPrompt => "Login ID:".into(),
        Notice::SavingFails => {
            "-- messages can't be saved at the moment; the chat goes on --".into()
        }
        Notice::NotSaved { lines: 1 } => "-- 1 line was not saved here --".into(),
        Notice::NotSaved { lines } if *lines >= UNCOUNTED_LINES as u64 => {
            "-- lines were not saved here --".into()
        }
        Notice::NotSaved { lines } => format!("-- {lines} lines were not saved here --"),
        Notice::SavedAgain => "-- messages are saved again --".into(),
        Notice::Recorded => "Messages in this room are saved on the server.".into(),
        Notice::NowRecorded => {
            "-- from now on, messages in this room are saved on the server --".into()
        }
        Notice::NoLongerRecorded => {
            "-- messages in this room are no longer saved on the server --".into()
        }
        Notice::NotKept => "Messages in this room are not saved on the server.".into(),
        Notice::OutOfReach(since) => format!("Members can only read back to {since}."),
        Notice::NothingSince => "Nothing has been said since then.".into(),
        Notice::HistoryBegins => "-- start of available history --".into(),
        Notice::NoSearch => "Type the words to search for: /search WORDS".into(),
        Notice::Found { count: 0, is_all: true } => "No messages found.".into(),
        Notice::Found { count, is_all: true } => {
            format!("-- {count} found; there are no older ones --")
        }
        Notice::Found { count, is_all: false } => {
            format!("-- {count} found so far; older ones: /search --")
        }
        Notice::Transcript { link, apart } => {
            let space = if *apart { "\n" } else { " " };
            format!("The messages as a file (once, within 10 minutes):{space}{link}")
        }
        Notice::NoDownload(Some(room)) => format!(
            "There is no web port to download from. On the server's machine, the operator can \
             run: madang-server transcript --data DIR --room {room}"
        ),
        Notice::NoDownload(None) => {
            "There is no web port to download from, and the messages are not saved on the server."
                .into()
        }
        Notice::Forgotten(count) => format!("Deleted {} saved events.", grouped(*count)),
        Notice::ForgottenEverywhere => {
            "Deleted from the memory of all servers; archives delete it from their disks, those that \
             are away when they are back."
                .into()
        }
        Notice::NotForgotten(cause) => format!("Not deleted: {cause}"),
        Notice::NameInUse { proposal: None } => "That name is already in use.".into(),
        // On a line of its own: programs compare the first one.
        Notice::NameInUse { proposal: Some(name) } => {
            format!("That name is already in use.\nThis one is free: {name}")
        }
        Notice::NameRefused(error) => error.message_en(),
        Notice::PressEnter => "Type a name and press Enter.".into(),
        Notice::Help(role) => help::basics(*role, Lang::En),
        Notice::HelpAll(role) => help::others(*role, Lang::En),
        Notice::HelpOwners => help::owners(Lang::En),
        Notice::HelpOn(spec) => help::on(spec, Lang::En),
        Notice::HelpInLesson => help::in_lesson(Lang::En),
        Notice::HelpLesson(role) => help::lesson(*role, Lang::En),
        Notice::Lesson(notice) => notice.text(Lang::En),
        Notice::CommandRefused(CommandError::Unknown { nearest: None }) => {
            "Unknown command. All commands: /help".into()
        }
        Notice::CommandRefused(CommandError::Unknown { nearest: Some(nearest) }) => {
            format!("Unknown command. Did you mean {}? (all commands: /help)", nearest.name)
        }
        Notice::CommandRefused(CommandError::ForMembers(spec)) => {
            format!("{} is for members; the console can't use it.", spec.name)
        }
        Notice::CommandRefused(CommandError::Usage(spec)) => {
            format!("Usage: {}", spec.usage(Lang::En))
        }
        Notice::CommandRefused(CommandError::Name(error)) => error.message_en(),
        Notice::CommandRefused(CommandError::Nobody) | Notice::Nobody => {
            "No one on this server has that name. (who is here: /who)".into()
        }
        Notice::CommandRefused(CommandError::BrokenLink) | Notice::BrokenLink => {
            "This link is incomplete or damaged. Copy the whole link again.".into()
        }
        Notice::CommandRefused(CommandError::TeachersLink) => {
            text(&Notice::Lesson(LessonNotice::TeachersLink))
        }
        Notice::NoSuchRoom => "No such room. The link is wrong, or the room was closed.".into(),
        Notice::NoPublicRoom => HttpNotice::NoPublicRoom.text(Lang::En),
        Notice::RangeTooWide(range) => {
            let share = match range.prefix_bits() {
                0 => "all".into(),
                _ => format!("{} of all", share(range)),
            };
            let [v4, v6] = WIDEST;
            format!(
                "Nothing was banned: {range} is {share} {} addresses. The widest range is a /{v4} \
                 in IPv4, a /{v6} in IPv6.",
                version(range)
            )
        }
        Notice::OwnMachineBanned => {
            "This machine is banned too, with everyone who comes through a proxy on it.".into()
        }
        Notice::LoginFirst => "Type a name first.".into(),
        Notice::RoomFirst => {
            "Choose a room before you type a name. For the lobby: /join lobby".into()
        }
        Notice::LangSet => "Messages from the server are now in English.".into(),
        Notice::Who { count: 0, .. } => "Nobody is here.".into(),
        Notice::Who { count, names, quiet, streams } => {
            let marks = [(*quiet, " (quiet)"), (*streams, " (read only)")];
            format!("{count} here: {}", list::names_in_row(names, &marks))
        }
        Notice::WhoMore { room, after } => {
            format!("More: {}", list::who_after(*room, after, Lang::En))
        }
        Notice::LineTooLong { bytes } => {
            format!("That line has {}. It was not sent.", over(*bytes, LINE_BYTES))
        }
        Notice::MessageTooLong { bytes } => {
            format!("That message has {}. It was not sent.", over(*bytes, MESSAGE_BYTES))
        }
        Notice::TooManyLines { lines } => format!(
            "That message has {} lines; the limit is {MESSAGE_LINES}. It was not sent.",
            grouped(*lines)
        ),
        Notice::RenderedTooLong { bytes, limit } => format!(
            "That message has too many short lines: with your name on each, it would take {} \
             bytes; the limit is {}. It was not sent. Use fewer lines.",
            grouped(*bytes),
            grouped(*limit)
        ),
        Notice::NothingSaid => "Message is empty.".into(),
        Notice::NotUtf8(hint) => not_utf8(*hint),
        Notice::NameSettled { user, proposal: Some(proposal) } => {
            format!("Your name is {user}. To change it: /nick {proposal}")
        }
        Notice::NameSettled { user, proposal: None } => {
            format!("Your name is {user} (to change it: /nick NAME). That line was not sent.")
        }
        Notice::Skipped { lines: 1 } => "-- 1 line skipped --".into(),
        Notice::Skipped { lines } if *lines >= UNCOUNTED_LINES => "-- lines skipped --".into(),
        Notice::Skipped { lines } => format!("-- {lines} lines skipped --"),
        Notice::SessionUnknown => "That session has ended. Log in with a name.".into(),
        Notice::RoomChosen { room } => {
            format!("Type your name to join {}.", place(room))
        }
        Notice::Entered { room, members, topic } => {
            let topic = topic.map(|topic| format!(", topic: {topic}")).unwrap_or_default();
            format!("-- you are in {}; {members} here{topic} --", place(room))
        }
        Notice::RoomMade => {
            "-- private room created; invite others: /invite, back to the lobby: /leave --".into()
        }
        Notice::InRoomAlready => "You are already in that room.".into(),
        Notice::OtherRoom => "Not sent: it was written for another room.".into(),
        Notice::NoRoom => "You are not in a room. Back to the lobby: /join lobby".into(),
        Notice::RoomLocked => "The room is locked. No one can join now.".into(),
        Notice::RoomFull { limit } => format!("The room is full (limit: {limit})."),
        Notice::Unavailable => {
            "Not connected to the other servers right now. Try again in a moment.".into()
        }
        Notice::Unanswered => {
            "Another server did not answer in time, so it is not known whether this was done. You \
             can repeat it."
                .into()
        }
        Notice::OrderWaits => "Not connected to the other servers right now. They will be told as \
            soon as the connection is back."
            .into(),
        Notice::ServersAway => {
            "-- the connection to the other servers is lost: what was just said \
            may not have been sent --"
                .into()
        }
        Notice::ServersRestored => {
            "The latest messages were lost and have been restored from memory. Some may be missing."
                .into()
        }
        Notice::ServersBack => "-- connected to the other servers again --".into(),
        Notice::TooManyRooms { limit } => {
            format!("The server already has {} rooms, its limit. Try again later.", grouped(*limit))
        }
        Notice::RoomsTooFast { seconds } => format!(
            "Too many new rooms from your address. Try again in {}.",
            show_about(*seconds, Lang::En)
        ),
        Notice::Earlier { lines: 1 } => "-- 1 earlier line --".into(),
        Notice::Earlier { lines } => format!("-- {lines} earlier lines --"),
        Notice::NothingEarlier => "There are no earlier messages.".into(),
        Notice::Rooms(rooms) => list::rooms_list(rooms, "Public rooms:", |room| {
            (room.room.to_string(), room.members.to_string())
        }),
        Notice::Whois { user, room, seconds, away, quiet, stream } => {
            let place = match room {
                Some(room) => format!("in {}", place(room)),
                None => "not in a public room".into(),
            };
            let away = if *away { ", disconnected" } else { "" };
            let quiet = if *quiet { ", quiet" } else { "" };
            let stream = if *stream { ", read only" } else { "" };
            let time = seconds.map(|it| format!(", connected for {}", show_about(it, Lang::En)));
            let time = time.unwrap_or_default();
            format!("{user}: {place}{time}{away}{quiet}{stream}")
        }
        Notice::NotHere => "No one in this room has that name. (who is here: /who)".into(),
        Notice::InNoRoom { user } => {
            format!("{user} is not in a room. To ban them from the server: /ban {user}")
        }
        Notice::Announced(text) => prefixed("[server] ", text),
        Notice::Whispered { user, teacher, text } => {
            let mark = if *teacher { teacher_mark(Lang::En) } else { "" };
            prefixed(&format!("[whisper {user}{mark}] "), text)
        }
        Notice::WhisperSent { user, text, away } => {
            let sent = prefixed(&format!("[whisper → {user}] "), text);
            match away {
                true => format!(
                    "{sent}\n{user} is disconnected. It will be delivered if they come back."
                ),
                false => sent,
            }
        }
        Notice::WhisperRefused { user } => {
            format!("Not delivered: {user} has too many unread whispers.")
        }
        Notice::Ignored { user } => format!("Not delivered: {user} is ignoring you."),
        Notice::NoWhisper => "No whisper to answer, or its sender has left.".into(),
        Notice::Oneself => "You can't do that to yourself.".into(),
        Notice::NameKept => "That is already your name.".into(),
        Notice::Renamed { user } => format!("Your name is now {user}."),
        Notice::TopicIs(topic) => format!("Topic: {topic}"),
        Notice::NoTopic => "There is no topic. To set one: /topic TEXT".into(),
        Notice::TextTooLong { bytes, limit } => format!("Too long: {}.", over(*bytes, *limit)),
        Notice::Hiding { user } => {
            format!("You are now ignoring {user}. To stop: /unignore {user}")
        }
        Notice::Showing { user } => format!("You are no longer ignoring {user}."),
        Notice::Hidden([]) => "Nobody is ignored.".into(),
        Notice::Hidden(users) => format!("Ignored: {}", users.join(", ")),
        Notice::TooManyHidden { limit } => format!("You can ignore at most {limit} people."),
        Notice::OwnLines(Switch::On) => "What you say is shown to you too.".into(),
        Notice::OwnLines(Switch::Off) => {
            "What you say is no longer sent back to you. To undo: /own on".into()
        }
        Notice::Wire(Switch::On) => {
            "Your connection is explained to you, and only to you. To stop: /wire off".into()
        }
        Notice::Wire(Switch::Off) => "Your connection is no longer explained.".into(),
        Notice::Explained(note) => wire::explained(note, Lang::En),
        Notice::TextOnly => "Only for text connections; programs decide for themselves.".into(),
        Notice::Pong(None) => "pong".into(),
        Notice::Pong(Some(token)) => format!("pong {token}"),
        Notice::Muted { seconds: None } => "You are muted and can't speak now.".into(),
        Notice::Muted { seconds: Some(seconds) } => {
            format!("You are muted for another {}.", show_about(*seconds, Lang::En))
        }
        Notice::Kicked { seconds } => format!(
            "You were removed from that room. You can join again in {}.",
            show_about(*seconds, Lang::En)
        ),
        Notice::NameKicked { seconds } => format!(
            "Someone with that name was removed. The name can be used again in {}.",
            show_about(*seconds, Lang::En)
        ),
        Notice::Silenced => "Your mute is lifted, but the operator's still holds.".into(),
        Notice::OwnerOnly => "Only the owner of a private room can do that.".into(),
        Notice::WordsArePrivate => {
            "Words open private rooms only. Anyone can join this room by its name.".into()
        }
        Notice::NoSuchWords => {
            "These words open no room. Words work for 10 minutes; ask for new ones.".into()
        }
        Notice::TooManyWords { seconds } => {
            format!("Too many wrong words. Try again in {}.", show_duration(*seconds, Lang::En))
        }
        Notice::PublicOnly => "A quiet session can only be in public rooms.".into(),
        Notice::ReadOnly => "A quiet session from another computer can only read.".into(),
        Notice::Already => "Nothing to change.".into(),
        Notice::NameBanned => "That name is banned from this server.".into(),
        Notice::Invite(invitation) => invitation.text(Lang::En),
        Notice::QrOnRequest => "For a QR code, type /invite.".into(),
        Notice::QrTooLarge { columns, rows } => {
            format!(
                "The QR code needs {columns} columns and {rows} rows. A smaller one: /invite qr"
            )
        }
        Notice::People { count, people } => people::table(*count, people, Lang::En),
        Notice::Done(done) => done.text(Lang::En),
        Notice::NoCommand { text } => {
            format!("Not a command (list: /help). To talk to everyone: /say {text}")
        }
        Notice::Busy => "The server is busy. Try again in a moment.".into(),
        Notice::LoggedInAlready => "You are already logged in.".into(),
        Notice::Goodbye(goodbye) => goodbye_text(*goodbye),
    }
}

fn goodbye_text(goodbye: Goodbye) -> String {
    match goodbye {
        Goodbye::Quit => "Goodbye.".into(),
        Goodbye::Closed => "Connection closed.".into(),
        Goodbye::Shutdown => "The server is shutting down.".into(),
        Goodbye::LoginTimeout { seconds } => {
            format!("No login within {}.", show_duration(seconds, Lang::En))
        }
        Goodbye::LoginTries => "Too many invalid names.".into(),
        Goodbye::CodeTries => "Too many wrong codes.".into(),
        Goodbye::EndlessLine => {
            format!("No line end within {} bytes.", grouped(CARRIER_BYTES))
        }
        Goodbye::BrokenFrame => "Invalid WebSocket frame.".into(),
        Goodbye::NotText => "Only text messages are supported.".into(),
        Goodbye::NotUtf8 => "A message was not UTF-8.".into(),
        Goodbye::MessageTooBig => "A message was too long.".into(),
        Goodbye::UnfinishedMessage => "A message took too long.".into(),
        Goodbye::Foreign { foreign, web_port } => foreign_peer(foreign, web_port),
        Goodbye::NoTls => "This port accepts only TLS. Connect with madang --tls, or with \
             openssl s_client -quiet -connect HOST:PORT."
            .into(),
        Goodbye::ServerFull => "Sorry, the server is full. Try again later.".into(),
        Goodbye::AddressFull => "Sorry, too many connections from your address.".into(),
        Goodbye::Banned => "You are banned from this server.".into(),
        Goodbye::Kicked { seconds } => {
            format!("You were removed. You can join again in {}.", show_about(seconds, Lang::En))
        }
        Goodbye::RoomEnded => "The room was closed.".into(),
        Goodbye::Replaced => "This session continues on another connection.".into(),
        Goodbye::NameTaken => {
            "Somebody on another server has your name, too. Come back with another one.".into()
        }
        Goodbye::Internal => "Server error.".into(),
    }
}

/// The answer to a peer that takes this port for that of another protocol.
fn foreign_peer(foreign: Foreign, web_port: Option<u16>) -> String {
    let in_browser = match web_port {
        Some(port) => format!(" In a browser, open port {port}."),
        None => String::new(),
    };
    match foreign {
        Foreign::Http => {
            format!("This is a chat port, not a web page. Connect with nc or madang.{in_browser}")
        }
        Foreign::Tls => {
            format!("This port does not use TLS. Connect without it.{in_browser}")
        }
        Foreign::Proxy => "This port does not accept the PROXY protocol. Turn it off in the \
                           proxy (send-proxy, proxy_protocol)."
            .into(),
        Foreign::LengthPrefix => "That begins with a length (as Java's writeUTF does). Send plain \
                                  UTF-8 text with a newline after each line."
            .into(),
        Foreign::JavaObjects | Foreign::Pickle | Foreign::Binary => format!(
            "That is {}, not text. Send plain UTF-8 text with a newline after each line.",
            foreign.name()
        ),
        _ => format!(
            "This is a chat port, not {}. Connect with nc or madang.{in_browser}",
            foreign.name()
        ),
    }
}

/// A room in a sentence.
pub(super) fn place(room: &str) -> &str {
    if room == LOBBY { "the lobby" } else { room }
}

/// A length and its limit, in bytes and in letters.
fn over(bytes: usize, limit: usize) -> String {
    format!(
        "{} bytes; the limit is {} (about {} Korean or {} English letters)",
        grouped(bytes),
        grouped(limit),
        grouped(limit / HANGUL_BYTES),
        grouped(limit)
    )
}
