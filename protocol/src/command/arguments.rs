//! How the arguments of commands are read: names, rooms, durations, words.

use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use super::{Banned, Command, CommandSpec, Help, HistoryPart, InviteBy, Switch, TranscriptFormat};
use crate::{
    address_range::AddressRange,
    duration::parse_duration,
    invisible::{is_blank, is_invisible},
    name::{NameError, UserName},
    room::{Destination, DestinationError, RoomName},
    text::is_number,
};

/// What is wrong with a command's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArgumentError {
    Usage,
    Name(NameError),
    Nobody,
    BrokenLink,
    TeachersLink,
}

/// The name of somebody who should be here, perhaps written as people address each
/// other or as it stands before what they say: `@name`, `name:`, `name,`, `[name]`.
pub(super) fn person(text: &str) -> Result<UserName, ArgumentError> {
    let around = |c: char| is_invisible(c) || matches!(c, '@' | '[' | ']' | ':' | ',');
    match UserName::parse(text.trim_matches(around)) {
        Ok(name) => Ok(name),
        Err(NameError::Empty | NameError::Spaces { .. }) => Err(ArgumentError::Usage),
        Err(_) => Err(ArgumentError::Nobody),
    }
}

/// Whether everyone is meant, and not somebody who is called so: `@all` is a person.
pub(super) fn is_everyone(text: &str) -> bool {
    matches!(&*text.trim().to_lowercase(), "all" | "모두")
}

/// A name that somebody wants to have.
pub(super) fn new_name(text: &str) -> Result<UserName, ArgumentError> {
    if is_blank(text) {
        return Err(ArgumentError::Usage);
    }
    UserName::parse(text).map_err(ArgumentError::Name)
}

/// The arguments of `/forget`: a room, and perhaps a person.
pub(super) fn room_and_person(text: &str) -> Result<Command<'_>, ArgumentError> {
    let (at, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok(Command::Forget(room(at)?, optional(name).map(person).transpose()?))
}

/// The arguments of `/transcript`: a room, and a format, or only one of them.
pub(super) fn transcript(text: &str) -> Result<Command<'_>, ArgumentError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (at, format) = match words[..] {
        [] => (None, None),
        [word] => match word.parse() {
            Ok(format) => (None, Some(format)),
            Err(_) => (Some(word), None),
        },
        [at, format] => (Some(at), Some(format.parse().map_err(|_| ArgumentError::Usage)?)),
        _ => return Err(ArgumentError::Usage),
    };
    let format: Option<TranscriptFormat> = format;
    Ok(Command::Transcript(at.map(room).transpose()?, format.unwrap_or_default()))
}

/// A person, and then words for them.
pub(super) fn person_and_text(text: &str) -> Result<(UserName, &str), ArgumentError> {
    let (name, text) = text.split_once(char::is_whitespace).ok_or(ArgumentError::Usage)?;
    Ok((person(name)?, words(text)?))
}

/// Words that are not all invisible.
pub(super) fn words(text: &str) -> Result<&str, ArgumentError> {
    optional(text.trim()).ok_or(ArgumentError::Usage)
}

pub(super) fn optional(text: &str) -> Option<&str> {
    (!is_blank(text)).then_some(text)
}

/// Splits off a duration at the end, if one stands there.
pub(super) fn with_duration(text: &str) -> Result<(&str, Option<Duration>), ArgumentError> {
    match text.split_once(char::is_whitespace) {
        None => Ok((text, None)),
        Some((first, rest)) => {
            let duration = parse_duration(rest).ok_or(ArgumentError::Usage)?;
            Ok((first, Some(duration)))
        }
    }
}

/// The argument of `/help`.
pub(super) fn help(text: &str) -> Result<Command<'_>, ArgumentError> {
    let help = match &*text.nfc().collect::<String>().to_lowercase() {
        "" => Help::Basics,
        "all" | "전체" | "모두" => Help::Others,
        "manage" | "관리" => Help::Owners,
        // The command of that name is explained there too.
        "lesson" | "수업" => Help::Lesson,
        name => Help::On(CommandSpec::find(name).ok_or(ArgumentError::Usage)?),
    };
    Ok(Command::Help(help))
}

/// The argument of `/own`.
pub(super) fn switch(text: &str) -> Result<Switch, ArgumentError> {
    match &*text.nfc().collect::<String>().to_lowercase() {
        "on" | "켜기" => Ok(Switch::On),
        "off" | "끄기" => Ok(Switch::Off),
        _ => Err(ArgumentError::Usage),
    }
}

/// The argument of `/invite`.
pub(super) fn invite(text: &str) -> Result<Command<'_>, ArgumentError> {
    match &*text.nfc().collect::<String>().to_lowercase() {
        "" => Ok(Command::Invite(InviteBy::Link)),
        "qr" | "큐알" => Ok(Command::Invite(InviteBy::Qr)),
        "words" | "단어" | "말" => Ok(Command::Invite(InviteBy::Words)),
        _ => Err(ArgumentError::Usage),
    }
}

/// The argument of `/code`: whether a QR code is wanted.
pub(super) fn wants_qr(text: &str) -> Result<bool, ArgumentError> {
    match &*text.nfc().collect::<String>().to_lowercase() {
        "" => Ok(false),
        "qr" | "큐알" => Ok(true),
        _ => Err(ArgumentError::Usage),
    }
}

/// The arguments of `/who`: a room, and after whom, or only one of them.
pub(super) fn who(text: &str) -> Result<Command<'_>, ArgumentError> {
    let is_after = |word: &str| matches!(&*word.to_lowercase(), "after" | "다음");
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [before, name] if is_after(before) => Ok(Command::Who(None, Some(person(name)?))),
        [at, before, name] if is_after(before) => {
            Ok(Command::Who(Some(room(at)?), Some(person(name)?)))
        }
        _ => Ok(Command::Who(optional(text).map(room).transpose()?, None)),
    }
}

fn room(text: &str) -> Result<RoomName, ArgumentError> {
    RoomName::parse(text).map_err(ArgumentError::Name)
}

pub(super) fn destination(text: &str) -> Result<Destination, ArgumentError> {
    if is_blank(text) {
        return Err(ArgumentError::Usage);
    }
    Destination::parse(text).map_err(|error| match error {
        DestinationError::Name(error) => ArgumentError::Name(error),
        DestinationError::Key(_) => ArgumentError::BrokenLink,
        DestinationError::Teachers => ArgumentError::TeachersLink,
    })
}

pub(super) fn banned(text: &str) -> Result<Banned, ArgumentError> {
    // As the console shows it, and as other programs do: `[192.0.2.7]`, `192.0.2.7:40000`.
    let without_port = match text.rsplit_once(':') {
        Some((v4, port))
            if is_number(port.as_bytes()) && (v4.ends_with(']') || !v4.contains(':')) =>
        {
            v4
        }
        _ => text,
    };
    let address = [text, without_port]
        .iter()
        .find_map(|address| AddressRange::to_ban(address.trim_matches(['[', ']', ','])).ok());
    match address {
        Some(address) => Ok(Banned::Address(address)),
        // Whoever means an address is not told that a name was banned.
        None if text.contains('/') || text.matches(':').count() > 1 => Err(ArgumentError::Usage),
        None if text
            .trim_matches(['[', ']'])
            .split('.')
            .filter(|part| is_number(part.as_bytes()))
            .count()
            == 4 =>
        {
            Err(ArgumentError::Usage)
        }
        None => Ok(Banned::Name(person(text)?)),
    }
}

pub(super) fn count(text: &str) -> Result<usize, ArgumentError> {
    text.parse().ok().filter(|count| *count > 0).ok_or(ArgumentError::Usage)
}

/// The argument of `/history`.
pub(super) fn history_part(text: &str) -> Result<HistoryPart, ArgumentError> {
    HistoryPart::parse(text.trim()).ok_or(ArgumentError::Usage)
}

/// Nothing may follow, though a word too many of most commands is no mistake.
pub(super) fn nothing<'a>(text: &str, command: Command<'a>) -> Result<Command<'a>, ArgumentError> {
    if is_blank(text) { Ok(command) } else { Err(ArgumentError::Usage) }
}
