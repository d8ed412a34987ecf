//! Commands about people: whispers, names, ignore lists.

use madang_protocol::{
    command::Switch,
    event::Time,
    message::check_rendered,
    name::{NameError, UserName},
    notice::{LessonNotice, Notice},
    text::WHISPERED_OVERHEAD,
};

use super::{
    caller::{Caller, Effect, Membership, Reply, Standing},
    elsewhere::{Finding, Inquiry, Recipient},
    lesson,
    locating::{Located, Search},
};
use crate::{
    clock,
    room::{Op, refusal::Refusal},
    session::{
        LastWhisperer, MOST_HIDDEN, Quiet, Sender, Session, Whispered, Whisperer,
        user_manager::NameRefusal,
    },
};

/// Why a whisper did not arrive.
enum Unwhispered {
    /// Nobody was found, on any server.
    Nobody(Reply),
    /// Something else.
    Refused(Reply),
}

impl Unwhispered {
    fn and(self, effect: Effect) -> Unwhispered {
        match self {
            Unwhispered::Nobody(refusal) => Unwhispered::Nobody(refusal.and(effect)),
            Unwhispered::Refused(refusal) => Unwhispered::Refused(refusal.and(effect)),
        }
    }
}

impl From<Reply> for Unwhispered {
    fn from(refusal: Reply) -> Unwhispered {
        Unwhispered::Refused(refusal)
    }
}

/// Whispers to somebody.
pub(super) fn whisper(caller: &Caller<'_>, target: &UserName, text: &str) -> Result<Reply, Reply> {
    let users = caller.chat.users;
    follow(caller, target, || match users.find(target).filter(|other| users.stays(other)) {
        Some(other) if caller.is_operator() => whisper_as_operator(caller, &other, text),
        Some(other) => whisper_to(caller, caller.member()?, &other, text),
        None => whisper_elsewhere(caller, Recipient::Named(target.clone()), target, text),
    })
}

/// Whispers to the last person who whispered.
pub(super) fn answer_whisper(caller: &Caller<'_>, text: &str) -> Result<Reply, Reply> {
    let member = caller.member()?;
    let Some(LastWhisperer { session, user }) = member.session.last_whisperer() else {
        return Err(caller.refuse(&Notice::NoWhisper));
    };
    let users = caller.chat.users;
    follow(caller, &user, || match users.numbered(session).filter(|other| users.stays(other)) {
        Some(other) => whisper_to(caller, member, &other, text),
        None => whisper_elsewhere(caller, Recipient::Session(session), &user, text),
    })
}

/// Whispers again to somebody who was found nowhere, as long as they may be passing from one server
/// to another.
fn follow(
    caller: &Caller<'_>,
    user: &UserName,
    whisper: impl Fn() -> Result<Reply, Unwhispered>,
) -> Result<Reply, Reply> {
    let mut search = Search::of(&caller.chat, user);
    loop {
        match whisper() {
            Ok(reply) => return Ok(reply),
            Err(Unwhispered::Nobody(_)) if search.goes_on() => {}
            Err(Unwhispered::Nobody(refusal) | Unwhispered::Refused(refusal)) => {
                return Err(refusal);
            }
        }
    }
}

/// Whispers to somebody who may be on another server, and was last called `user`.
fn whisper_elsewhere(
    caller: &Caller<'_>,
    to: Recipient,
    user: &UserName,
    text: &str,
) -> Result<Reply, Unwhispered> {
    // Whoever whispered may have left.
    let nobody = match &to {
        Recipient::Named(_) => Notice::Nobody,
        Recipient::Session(_) => Notice::NoWhisper,
    };
    if caller.chat.elsewhere.is_none() {
        return Err(Unwhispered::Nobody(caller.refuse(&nobody)));
    }
    let (mut from, mut longest, mut to_teachers) = (None, user.as_str().to_owned(), false);
    if !caller.is_operator() {
        let session = caller.member()?.session;
        check_speaks(caller, caller.member()?)?;
        to_teachers = lesson::must_whisper_to_teachers(caller, session);
        let name = session.name();
        if name.as_str().len() > longest.len() {
            longest = name.to_string();
        }
        let is_teacher = session.is_teacher();
        from = Some(Sender { session: session.number, user: name, is_teacher });
    }
    let rendered_bytes = check_rendered(&longest, text, WHISPERED_OVERHEAD)
        .map_err(|notice| caller.refuse(&notice))?;
    let time = clock::now();
    if let Standing::Member(member) = caller.standing {
        member.session.note_spoke(time);
    }
    let inquiry = Inquiry::Whisper { to, from, text: text.to_owned(), time, to_teachers };
    let reply = match caller.ask_elsewhere(&inquiry).one() {
        Ok(Finding::Whispered { outcome, user }) => {
            tell_whispered(caller, outcome, user.as_str(), text)
        }
        Ok(Finding::NoTeacher) => {
            Err(caller.refuse(&Notice::Lesson(LessonNotice::Listening)).into())
        }
        Ok(_) | Err(Notice::Nobody) => Err(Unwhispered::Nobody(caller.refuse(&nobody))),
        Err(notice) => Err(caller.refuse(&notice).into()),
    };
    owing(rendered_bytes, reply)
}

/// With what the whisper costs, whether it arrived or not.
fn owing(bytes: usize, reply: Result<Reply, Unwhispered>) -> Result<Reply, Unwhispered> {
    let owed = Effect::Owe(bytes);
    match reply {
        Ok(reply) => Ok(reply.and(owed)),
        Err(refusal) => Err(refusal.and(owed)),
    }
}

fn whisper_to(
    caller: &Caller<'_>,
    member: Membership<'_>,
    other: &Session,
    text: &str,
) -> Result<Reply, Unwhispered> {
    if other.number == member.session.number {
        return Err(caller.refuse(&Notice::Oneself).into());
    }
    check_speaks(caller, member)?;
    lesson::check_whispers(caller, member, other)?;
    let (name, user) = (member.session.name(), other.name());
    let user = user.as_str();
    // The sender sees it too, with the recipient's name.
    let longest = if user.len() > name.as_str().len() { user } else { name.as_str() };
    let rendered_bytes = check_rendered(longest, text, WHISPERED_OVERHEAD)
        .map_err(|notice| caller.refuse(&notice))?;
    let now = clock::now();
    member.session.note_spoke(now);
    let from = Whisperer::Member(member.session, &name);
    owing(rendered_bytes, deliver(caller, other, from, user, text, now))
}

/// Whispers as the server: it can't be ignored or answered.
fn whisper_as_operator(
    caller: &Caller<'_>,
    other: &Session,
    text: &str,
) -> Result<Reply, Unwhispered> {
    let user = other.name();
    let user = user.as_str();
    check_rendered(user, text, WHISPERED_OVERHEAD).map_err(|notice| caller.refuse(&notice))?;
    deliver(caller, other, Whisperer::Operator, user, text, clock::now())
}

/// Whispers to `other`, whose name is `user`, and tells the caller whether it arrived.
fn deliver(
    caller: &Caller<'_>,
    other: &Session,
    from: Whisperer<'_>,
    user: &str,
    text: &str,
    now: Time,
) -> Result<Reply, Unwhispered> {
    let outcome = other.whisper(from, text, now);
    caller.chat.services.note_whispered(other);
    tell_whispered(caller, outcome, user, text)
}

/// Tells the caller whether what they whispered arrived.
fn tell_whispered(
    caller: &Caller<'_>,
    outcome: Whispered,
    user: &str,
    text: &str,
) -> Result<Reply, Unwhispered> {
    let away = match outcome {
        Whispered::Sent => false,
        Whispered::Kept => true,
        Whispered::Refused => return Err(caller.refuse(&Notice::WhisperRefused { user }).into()),
        Whispered::Hidden => return Err(caller.refuse(&Notice::Ignored { user }).into()),
        Whispered::Gone => return Err(Unwhispered::Nobody(caller.refuse(&Notice::Nobody))),
    };
    let mut answer = caller.begin();
    let sent = Notice::WhisperSent { user, text, away };
    match away {
        true => answer.notice_to(&sent, caller.nonce),
        false => answer.hint(&sent),
    }
    Ok(caller.done_with(answer))
}

/// Gives the caller another name.
pub(super) fn rename(caller: &Caller<'_>, name: UserName) -> Result<Reply, Reply> {
    let (member, chat) = (caller.member()?, caller.chat);
    let session = member.session;
    // A room refuses that too, but the caller may be in none.
    check_speaks(caller, member)?;
    let old = session.name();
    if old == name {
        return Err(caller.refuse(&Notice::NameKept));
    }
    if chat.bans.bans_name(&name) {
        return Err(caller.refuse(&Notice::NameBanned));
    }
    if !session.is_teacher() && chat.users.teachers.reserve(&name) {
        return Err(caller.refuse(&Notice::NameRefused(&NameError::Reserved)));
    }
    match chat.users.claim_another(session, &name) {
        Ok(()) => {}
        Err(NameRefusal::Unavailable) => return Err(caller.refuse(&Notice::Unavailable)),
        Err(NameRefusal::InUse) => {
            let proposal = chat.users.free_name_like(&name);
            let proposal = proposal.as_ref().map(UserName::as_str);
            return Err(caller.refuse(&Notice::NameInUse { proposal }));
        }
    }
    // Checked again: a ban in between could not find the name.
    if chat.bans.bans_name(&name) {
        chat.users.give_up(session, &name);
        return Err(caller.refuse(&Notice::NameBanned));
    }
    let told = caller.act(Op::Rename(name.clone()));
    // In no room, there is nobody else to tell.
    let is_alone = matches!(told, Err(Refusal::NoMember | Refusal::Ended));
    if let Err(refusal) = told
        && !is_alone
    {
        chat.users.give_up(session, &name);
        return Err(caller.not_done(refusal));
    }
    session.rename(name.clone());
    lesson::rename_in_lesson(&chat, session, &name);
    chat.users.give_up(session, &old);
    chat.services.note_renamed(&old, &name);
    let mut answer = caller.begin();
    if is_alone {
        answer.notice_to(&Notice::Renamed { user: name.as_str() }, caller.nonce);
    }
    Ok(caller.done_with(answer))
}

/// Puts somebody on the caller's ignore list.
pub(super) fn ignore(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let session = caller.member()?.session;
    let (number, user) = match caller.find_anywhere(target) {
        Ok(other) => (other.number(), other.name()),
        Err(notice) => {
            let (_, absent) = caller.absent(target, notice)?;
            (absent.session, absent.user)
        }
    };
    if number == session.number {
        return Err(caller.refuse(&Notice::Oneself));
    }
    if !session.hide(number, &user) {
        return Err(caller.refuse(&Notice::TooManyHidden { limit: MOST_HIDDEN }));
    }
    tell_room_of_hidden(caller, session);
    Ok(told_and_done(caller, &Notice::Hiding { user: user.as_str() }))
}

/// Takes somebody off the caller's ignore list.
pub(super) fn unignore(caller: &Caller<'_>, target: &UserName) -> Result<Reply, Reply> {
    let session = caller.member()?.session;
    // Whoever was ignored under another name has this one now.
    let other = caller.find_anywhere(target);
    if !session.show(other.as_ref().ok().map(Located::number), target) {
        let is_unknown = other.is_err_and(|notice| notice == Notice::Unanswered);
        let refusal = if is_unknown { Notice::Unanswered } else { Notice::Already };
        return Err(caller.refuse(&refusal));
    }
    tell_room_of_hidden(caller, session);
    Ok(told_and_done(caller, &Notice::Showing { user: target.as_str() }))
}

/// Sets whether the caller's own lines are sent back.
pub(super) fn own_lines(caller: &Caller<'_>, switch: Switch) -> Result<Reply, Reply> {
    let session = caller.member()?.session;
    if session.token.is_some() {
        return Err(caller.refuse(&Notice::TextOnly));
    }
    if !session.set_own_lines(switch) {
        return Err(caller.refuse(&Notice::Already));
    }
    tell_room_of_hidden(caller, session);
    Ok(told_and_done(caller, &Notice::OwnLines(switch)))
}

fn tell_room_of_hidden(caller: &Caller<'_>, session: &Session) {
    caller.chat.services.note_hidden(session);
    if let Standing::Member(Membership { room: Some(room), .. }) = caller.standing {
        // In no room, there is nothing to update; the next room gets the list on joining.
        let _ = room.hide(session.number, session.hidden());
    }
}

fn told_and_done(caller: &Caller<'_>, notice: &Notice<'_>) -> Reply {
    let mut answer = caller.begin();
    answer.notice_to(notice, caller.nonce);
    caller.done_with(answer)
}

/// Whether a member may say something outside their room: not a quiet session on another machine,
/// and not muted by the operator.
pub(super) fn check_speaks(caller: &Caller<'_>, member: Membership<'_>) -> Result<(), Reply> {
    if member.session.quiet() == Some(Quiet::ReadOnly) {
        return Err(caller.refuse(&Notice::ReadOnly));
    }
    let Some(mute) = member.session.muted() else { return Ok(()) };
    Err(caller.refuse(&Refusal::muted(mute, clock::now()).notice()))
}
