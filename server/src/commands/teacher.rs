//! Commands that make a teacher, and the code's place on the console.

use std::{sync::Arc, time::Instant};

use madang_protocol::{
    name::UserName,
    notice::{LessonNotice, Notice},
    room::is_teachers_link,
};

use super::{
    caller::{Caller, Effect, Reply},
    chat::Chat,
    elsewhere::{Finding, Inquiry},
    lesson,
    locating::Located,
};
use crate::{admission::connection_table::owner_of, dialect::answer::Answer, session::Session};

/// Makes the caller a teacher, with the code or with a link's ticket.
pub(super) fn teach(caller: &Caller<'_>, given: &str) -> Result<Reply, Reply> {
    let (member, chat) = (caller.member()?, caller.chat);
    let session = member.session;
    if session.is_teacher() {
        return Err(caller.refuse(&Notice::Already));
    }
    let (teachers, now) = (&chat.users.teachers, Instant::now());
    // A ticket can't be guessed, and others' wrong guesses must not block its holder.
    if !teachers.take_ticket(given, now) && !is_ticket_elsewhere(caller, given) {
        let address = chat.services.address_of(session).map(owner_of);
        let allowed = address.map_or(Ok(()), |it| chat.code_allowance.check(it, now));
        if let Err(wait) = allowed {
            let notice = LessonNotice::TooManyCodes { seconds: wait.as_secs() + 1 };
            return Err(caller.refuse(&Notice::Lesson(notice)));
        }
        if !teachers.knows(given) {
            if let Some(address) = address {
                // If several arrive at once, all beyond the limit count as wrong.
                let _ = chat.code_allowance.take(address, now);
            }
            let refused = caller.refuse(&Notice::Lesson(LessonNotice::WrongCode));
            return Err(refused.and(Effect::CountWrongCode));
        }
    }
    lesson::become_teacher(&chat, session);
    chat.services.note_teacher(&session.name());
    chat.services.keep_standing(session);
    let mut answer = caller.begin();
    welcome(&chat, session, &mut answer, caller.nonce);
    Ok(caller.done_with(answer))
}

/// Whether this is the ticket of another server's link; it is used up then.
fn is_ticket_elsewhere(caller: &Caller<'_>, given: &str) -> bool {
    let asks = is_teachers_link(given);
    asks && caller.ask_elsewhere(&Inquiry::TakeTicket(given.to_owned())).one().is_ok()
}

/// Makes somebody a teacher, without a code; the operator only.
pub(super) fn make_teacher(caller: &Caller<'_>, name: &UserName) -> Result<Reply, Reply> {
    let (made, user) = match caller.locate(name)? {
        Located::Here(session) => (appoint(&caller.chat, &session), session.name()),
        Located::Elsewhere(profile) => {
            let session = profile.session;
            let asked = caller.ask_elsewhere(&Inquiry::MakeTeacher { session }).one();
            let finding = asked.map_err(|notice| caller.refuse(&notice))?;
            (matches!(finding, Finding::Done), profile.user)
        }
    };
    if !made {
        return Err(caller.refuse(&Notice::Already));
    }
    Ok(caller.tell(&Notice::Lesson(LessonNotice::MadeTeacher { user: user.as_str() })))
}

/// Makes somebody on this server a teacher, and tells them; false if they are one.
pub(super) fn appoint(chat: &Chat<'_>, session: &Arc<Session>) -> bool {
    let is_new = lesson::become_teacher(chat, session);
    if is_new {
        chat.services.keep_standing(session);
        session.tell(|answer| welcome(chat, session, answer, None));
    }
    is_new
}

/// Shows the operator the code, and a link with a ticket.
pub(super) fn show_code(caller: &Caller<'_>, qr: bool) -> Reply {
    if !caller.is_operator() {
        return caller.refuse(&Notice::Lesson(LessonNotice::TeacherOnly));
    }
    caller.silence().and(Effect::ShowCode { qr })
}

/// Tells somebody that they are a teacher, and what is going on.
pub(super) fn welcome(
    chat: &Chat<'_>,
    session: &Session,
    answer: &mut Answer,
    nonce: Option<&str>,
) {
    let lesson = chat.rooms.lesson.now(session).unwrap_or_default();
    answer.teacher(session.name().as_str(), lesson, nonce);
}
