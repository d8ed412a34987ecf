//! Commands, one function each. It takes the [`Caller`] and the command's arguments and
//! returns a [`Reply`]; members and the operator's console call the same functions. The
//! commands' names, roles and arguments are in the protocol's table.

use madang_protocol::{
    command::{Command, Help, LessonCommand},
    limits::TOPIC_BYTES,
    notice::{Goodbye, Notice},
};

use self::caller::{Caller, Effect, Reply, Standing};

pub(crate) mod archive;
pub(crate) mod history;
pub(crate) mod caller;
pub(crate) mod elsewhere;
mod locating;
pub(crate) mod absent;
pub(crate) mod chat;
pub(crate) mod moderation;
mod people;
mod teacher;
mod attendance;
mod transcript;
pub(crate) mod lesson;
pub(crate) mod rooms;
pub(crate) mod questions;
mod server;
pub(crate) mod invite;

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;

/// Carries out a command that the caller may give. May block until a room has done its part.
pub(crate) fn run(caller: &Caller<'_>, command: Command<'_>) -> Reply {
    let needs_name = !matches!(
        command,
        Command::Help(_) | Command::Lang(_) | Command::Quit(_) | Command::Join(_)
    );
    if matches!(caller.standing, Standing::Newcomer) && needs_name {
        return caller.refuse(&Notice::LoginFirst);
    }
    let reply = match command {
        Command::Help(Help::Basics) => Ok(caller.tell(&lesson::most_needed(caller))),
        Command::Help(Help::Others) => Ok(caller.tell(&Notice::HelpAll(caller.role()))),
        Command::Help(Help::Owners) => Ok(caller.tell(&Notice::HelpOwners)),
        Command::Help(Help::Lesson) => Ok(caller.tell(&Notice::HelpLesson(lesson::role(caller)))),
        Command::Help(Help::On(spec)) => Ok(caller.tell(&Notice::HelpOn(spec))),
        Command::Lang(lang) => Ok(caller.silence().and(Effect::Speak(lang))),
        Command::Quit(text) => Ok(quit(caller, text)),
        Command::Ping(token) => Ok(questions::ping(caller, token)),
        Command::Me(text) => Ok(caller.silence().and(Effect::Act(text.to_owned()))),

        Command::Who(room, after) => questions::who(caller, room.as_ref(), after.as_ref()),
        Command::Rooms => Ok(questions::list_rooms(caller)),
        Command::Whois(name) => questions::whois(caller, &name),
        Command::Topic(None) => Ok(questions::topic(caller)),
        Command::History(part) => history::history(caller, part),
        Command::Search(words) => archive::search(caller, words),
        Command::Invite(by) => questions::invite(caller, by),
        Command::Ignore(None) => questions::list_hidden(caller),

        Command::Join(destination) => Ok(rooms::join(caller, destination)),
        Command::Leave => rooms::leave(caller),
        Command::New(topic) => rooms::make(caller, topic),
        Command::Topic(Some(topic)) => Ok(rooms::set_topic(caller, topic)),

        Command::Msg(name, text) => people::whisper(caller, &name, text),
        Command::Reply(text) => people::answer_whisper(caller, text),
        Command::Nick(name) => people::rename(caller, name),
        Command::Ignore(Some(name)) => people::ignore(caller, &name),
        Command::Unignore(name) => people::unignore(caller, &name),
        Command::Own(switch) => people::own_lines(caller, switch),
        Command::Wire(switch) => Ok(caller.silence().and(Effect::Explain(switch))),

        Command::Kick(name) => moderation::kick(caller, &name),
        Command::Unkick(name) => Ok(moderation::unkick(caller, name)),
        Command::Mute(name, time) => moderation::mute(caller, &name, time),
        Command::MuteAll(time) => Ok(moderation::mute_all(caller, time)),
        Command::UnmuteAll => Ok(moderation::unmute_all(caller)),
        Command::Unmute(name) => moderation::unmute(caller, &name),
        Command::Lock => Ok(moderation::lock(caller)),
        Command::Unlock => Ok(moderation::unlock(caller)),
        Command::Transcript(room, format) => transcript::transcript(caller, room.as_ref(), format),
        Command::Limit(limit) => Ok(moderation::limit(caller, limit)),
        Command::End => moderation::end_room(caller),
        Command::Owner(name) => moderation::hand_over(caller, &name),

        Command::Ban(banned, time) => Ok(server::ban(caller, banned, time)),
        Command::Unban(banned) => Ok(server::unban(caller, &banned)),
        Command::Bans => Ok(server::list_bans(caller)),
        Command::Forget(room, name) => archive::forget(caller, &room, name.as_ref()),
        Command::Say(text) => Ok(server::announce(caller, text)),
        Command::Stop => Ok(caller.silence().and(Effect::End(Goodbye::Shutdown, None))),

        Command::Lesson(LessonCommand::Teach(given)) => teacher::teach(caller, given),
        Command::Lesson(LessonCommand::MakeTeacher(name)) => teacher::make_teacher(caller, &name),
        Command::Lesson(LessonCommand::Code { qr }) => Ok(teacher::show_code(caller, qr)),
        Command::Lesson(command) => lesson::run(caller, command),
    };
    reply.unwrap_or_else(|refused| refused)
}

fn quit(caller: &Caller<'_>, text: Option<&str>) -> Reply {
    let text = text.map(one_line);
    if let Some(bytes) = text.as_ref().map(String::len).filter(|bytes| *bytes > TOPIC_BYTES) {
        return caller.refuse(&Notice::TextTooLong { bytes, limit: TOPIC_BYTES });
    }
    caller.answered(caller.begin()).and(Effect::End(Goodbye::Quit, text))
}

/// Whether a command is a question with a long answer.
pub(crate) fn is_question(command: &Command<'_>) -> bool {
    matches!(
        command,
        Command::Help(_)
            | Command::Who(..)
            | Command::Whois(_)
            | Command::Rooms
            | Command::Topic(None)
            | Command::History(_)
            | Command::Search(_)
            | Command::Invite(_)
            | Command::Ignore(None)
    )
}

/// The text without line ends.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}
