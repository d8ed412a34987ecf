//! Every notice in English.

use crate::{
    address_range::WIDEST,
    command::CommandError,
    foreign::Foreign,
    limits::{CARRIER_BYTES, LINE_BYTES, MESSAGE_BYTES, MESSAGE_LINES, PROTOCOL_VERSION},
    text::Lang,
};

use super::{
    Goodbye, Notice, about,
    help::{help, help_on},
    not_utf8, prefixed, rooms_list, share, version, who_after,
};

pub(super) fn text(notice: &Notice<'_>) -> String {
    match notice {
        Notice::Greeting { version } => {
            format!("Madang/{PROTOCOL_VERSION} {version} · help: /help · 한국어: /lang ko")
        }
        Notice::LoginPrompt => "Login ID:".into(),
        Notice::NameInUse { proposal: None } => "That name is already in use.".into(),
        // In a line of its own: programs know the first one by heart.
        Notice::NameInUse { proposal: Some(name) } => {
            format!("That name is already in use.\nThis one is free: {name}")
        }
        Notice::NameRefused(error) => error.message_en(),
        Notice::PressEnter => "Type a name and press Enter.".into(),
        Notice::Help(role) => help(*role, Lang::En),
        Notice::HelpOn(spec) => help_on(spec, Lang::En),
        Notice::CommandRefused(CommandError::Unknown { nearest }) => {
            format!("There is no such command. Did you mean {nearest}? (/help lists them)")
        }
        Notice::CommandRefused(CommandError::Usage(spec)) => {
            format!("Usage: {}", spec.usage())
        }
        Notice::CommandRefused(CommandError::Name(error)) => error.message_en(),
        Notice::CommandRefused(CommandError::Nobody) | Notice::Nobody => {
            "Nobody has that name. (/who lists who is here)".into()
        }
        Notice::CommandRefused(CommandError::BrokenLink) | Notice::BrokenLink => {
            "This link is broken. Please copy all of it again.".into()
        }
        Notice::NoSuchRoom => {
            "There is no such room; the link is wrong, or the room has ended.".into()
        }
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
        Notice::LangSet => "The server now speaks English to you.".into(),
        Notice::Who { count, names } => format!("{count} here: {}", names.join(", ")),
        Notice::WhoMore { room, after } => format!("For the next: {}", who_after(*room, after)),
        Notice::LineTooLong { bytes } => {
            format!("A line may have {LINE_BYTES} bytes; yours had {bytes} and was not sent.")
        }
        Notice::MessageTooLong { bytes } => {
            format!("A message may have {MESSAGE_BYTES} bytes; yours had {bytes} and was not sent.")
        }
        Notice::TooManyLines { lines } => {
            format!("A message may have {MESSAGE_LINES} lines; yours had {lines} and was not sent.")
        }
        Notice::RenderedTooLong { bytes, limit } => format!(
            "With your name on every line, that message would be {bytes} bytes for each \
             reader, {limit} at most; it was not sent. Please use fewer lines."
        ),
        Notice::NothingSaid => "There is nothing to say in that.".into(),
        Notice::NotUtf8(hint) => not_utf8(*hint),
        Notice::NameSettled { user, proposal: Some(proposal) } => {
            format!("Your name is {user}. To change it: /nick {proposal}")
        }
        Notice::NameSettled { user, proposal: None } => {
            format!("Your name is {user} (to change it: /nick NAME). That line was not sent.")
        }
        Notice::Skipped { lines: 1 } => "-- 1 line skipped --".into(),
        Notice::Skipped { lines } => format!("-- {lines} lines skipped --"),
        Notice::SessionUnknown => "There is no such session; log in with a name.".into(),
        Notice::RoomChosen { room } => format!("You will be in {room} once you have a name."),
        Notice::Entered { room, members, topic } => {
            let topic = topic.map(|topic| format!(", topic: {topic}")).unwrap_or_default();
            format!("-- you are in {room}; {members} here{topic} --")
        }
        Notice::RoomMade => {
            "-- the private room is made; /invite gives its link, /leave goes back --".into()
        }
        Notice::InRoomAlready => "You are in that room already.".into(),
        Notice::OtherRoom => "Not sent: it was written for another room.".into(),
        Notice::NoRoom => "You are in no room now. Back to the lobby: /join lobby".into(),
        Notice::RoomLocked => "The room is locked; nobody new may come in.".into(),
        Notice::RoomFull { limit } => format!("The room is full; it may have {limit} members."),
        Notice::TooManyRooms { limit } => {
            format!("The server has {limit} rooms, as many as it may; try again later.")
        }
        Notice::RoomsTooFast { seconds } => {
            format!("Too many rooms were made from here; try again in {seconds} s.")
        }
        Notice::Earlier { lines: 1 } => "-- 1 earlier line --".into(),
        Notice::Earlier { lines } => format!("-- {lines} earlier lines --"),
        Notice::NothingEarlier => "Nothing was said before.".into(),
        Notice::Rooms(rooms) => rooms_list(rooms, "Public rooms:", |members| members.to_string()),
        Notice::Whois { user, room, seconds, away } => {
            let place = match room {
                Some(room) => format!("in {room}"),
                None => "in no public room".into(),
            };
            let away = if *away { ", connection cut" } else { "" };
            format!("{user}: {place}, connected for {}{away}", about(*seconds, Lang::En))
        }
        Notice::NotHere => "Nobody in this room has that name. (/who lists who is here)".into(),
        Notice::InNoRoom { user } => {
            format!("{user} is in no room. To keep them off the server: /ban {user}")
        }
        Notice::Announced(text) => prefixed("[server] ", text),
        Notice::Whispered { user, text } => prefixed(&format!("[whisper {user}] "), text),
        Notice::WhisperSent { user, text, away } => {
            let sent = prefixed(&format!("[whisper → {user}] "), text);
            match away {
                true => format!(
                    "{sent}\nThe connection of {user} is cut; they will have it if they come back."
                ),
                false => sent,
            }
        }
        Notice::WhisperRefused { user } => {
            format!("{user} does not read; the whisper was not delivered.")
        }
        Notice::Ignored { user } => format!("{user} hides what you say."),
        Notice::NoWhisper => "Nobody who is here has whispered to you.".into(),
        Notice::Oneself => "You can't do that to yourself.".into(),
        Notice::NameKept => "That is your name already.".into(),
        Notice::Renamed { user } => format!("Your name is {user} now."),
        Notice::TopicIs(topic) => format!("Topic: {topic}"),
        Notice::NoTopic => "There is no topic; /topic TEXT sets one.".into(),
        Notice::TextTooLong { bytes, limit } => {
            format!("At most {limit} bytes are allowed there; yours had {bytes}.")
        }
        Notice::Hiding { user } => {
            format!("What {user} says is hidden from you now; /unignore {user} shows it again.")
        }
        Notice::Showing { user } => format!("What {user} says is shown to you again."),
        Notice::Hidden([]) => "You hide nobody.".into(),
        Notice::Hidden(users) => format!("You hide: {}", users.join(", ")),
        Notice::TooManyHidden { limit } => format!("You can hide {limit} people at most."),
        Notice::Pong(None) => "pong".into(),
        Notice::Pong(Some(token)) => format!("pong {token}"),
        Notice::Muted { seconds: None } => "You may not speak now; you are muted.".into(),
        Notice::Muted { seconds: Some(seconds) } => {
            format!("You may not speak now; {} to go.", about(*seconds, Lang::En))
        }
        Notice::Kicked { seconds } => {
            format!(
                "You were removed from there; you may come in again in {}.",
                about(*seconds, Lang::En)
            )
        }
        Notice::NameKicked { seconds } => {
            format!(
                "That name was removed from there; it may come in again in {}.",
                about(*seconds, Lang::En)
            )
        }
        Notice::Silenced => {
            "Your mute is lifted, but the operator still keeps them from speaking.".into()
        }
        Notice::OwnerOnly => "Only the owner of a private room may do that.".into(),
        Notice::Already => "Nothing to change.".into(),
        Notice::NameBanned => "That name may not be used on this server.".into(),
        Notice::Invite(invitation) => invitation.text(Lang::En),
        Notice::Busy => "The server is busy; try again in a moment.".into(),
        Notice::LoggedInAlready => "You are logged in already.".into(),
        Notice::Goodbye(goodbye) => match goodbye {
            Goodbye::Quit => "Goodbye.".into(),
            Goodbye::Closed => "The connection has ended.".into(),
            Goodbye::Shutdown => "The server is shutting down.".into(),
            Goodbye::LoginTimeout { seconds } => {
                format!("No login within {seconds} seconds; closing.")
            }
            Goodbye::LoginTries => "Too many names that cannot be used; closing.".into(),
            Goodbye::EndlessLine => {
                format!("No line end within {CARRIER_BYTES} bytes; closing.")
            }
            Goodbye::BrokenFrame => "That breaks the rules of WebSocket; closing.".into(),
            Goodbye::NotText => "Only text messages are taken here; closing.".into(),
            Goodbye::NotUtf8 => "A message was not UTF-8; closing.".into(),
            Goodbye::MessageTooBig => "A message was too long; closing.".into(),
            Goodbye::UnfinishedMessage => "A message did not end in time; closing.".into(),
            Goodbye::Foreign { foreign, web_port } => foreign_peer(*foreign, *web_port),
            Goodbye::NoTls => {
                "This port speaks TLS alone; connect with madang --tls, or with openssl \
                 s_client -quiet -connect HOST:PORT."
                    .into()
            }
            Goodbye::ServerFull => "The server is full; try again later. (server is full)".into(),
            Goodbye::AddressFull => "There are too many connections from your address.".into(),
            Goodbye::Banned => "The operator has banned you from this server. (banned)".into(),
            Goodbye::Kicked { seconds } => format!(
                "The operator removed you; you may come in again in {}.",
                about(*seconds, Lang::En)
            ),
            Goodbye::Replaced => "Another connection has taken this session over.".into(),
            Goodbye::Internal => "Closing after an error of the server.".into(),
        },
    }
}

/// What somebody is told who took this port for one of another kind.
fn foreign_peer(foreign: Foreign, web_port: Option<u16>) -> String {
    let in_browser = match web_port {
        Some(port) => format!("; in a browser, use port {port}"),
        None => String::new(),
    };
    match foreign {
        Foreign::Http => {
            format!("This is a chat port, not a web page; connect with nc or madang{in_browser}.")
        }
        Foreign::Tls => {
            format!("This port does not speak TLS; connect without it{in_browser}.")
        }
        Foreign::Proxy => "This port does not take the PROXY protocol; turn it off in the proxy \
                           (send-proxy, proxy_protocol)."
            .into(),
        Foreign::LengthPrefix => "That begins with its length (writeUTF in Java); send UTF-8 text \
                                  alone, and a newline after each line."
            .into(),
        Foreign::JavaObjects | Foreign::Pickle | Foreign::Binary => format!(
            "That is {}, not text; send UTF-8 text, and a newline after each line.",
            foreign.name()
        ),
        _ => format!(
            "This is a chat port, not {}; connect with nc or madang{in_browser}.",
            foreign.name()
        ),
    }
}
