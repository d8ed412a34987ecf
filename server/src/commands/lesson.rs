//! A lesson's commands: hands, polls, calm, questions and the clock. What a lesson is, and its
//! rules, are in [`lesson`](crate::room::lesson).

use std::{sync::Arc, time::Duration};

use madang_protocol::{
    command::{LessonCommand, Role, Switch},
    event::ServerMessage,
    limits::TOPIC_BYTES,
    name::UserName,
    notice::{LessonNotice, Notice},
    room::is_private,
    text::YES_NO,
};

use self::tally::{present, write_tally};
use super::{
    attendance,
    caller::{Caller, Membership, Reply, Standing},
    chat::Chat,
    locating::Located,
    one_line, teacher,
};
use crate::{
    clock,
    room::{
        By, Op,
        lesson::{Asker, LessonOp},
        refusal::Refusal,
    },
    session::{Quiet, Session},
};

pub(super) use following::{become_teacher, note_watching, rename_in_lesson};
pub(crate) use following::{
    come_back, end_teaching, follow_up, know_elsewhere, leave_from, leave_lesson, return_to_lesson,
};
pub(crate) use tally::send_tallies;

mod following;
mod tally;

/// The longest choice of a poll.
const CHOICE_BYTES: usize = 120;

/// The shortest time between two tallies.
pub(crate) const TALLY_PAUSE: Duration = Duration::from_millis(500);

/// Whose commands a caller may use in a lesson.
pub(super) fn role(caller: &Caller<'_>) -> Role {
    match caller.standing {
        Standing::Operator(_) => Role::Operator,
        Standing::Member(member) if member.session.is_teacher() => Role::Teacher,
        Standing::Member(_) | Standing::Newcomer => Role::Member,
    }
}

/// The commands that the caller needs most; during a lesson, a pupil's first.
pub(super) fn most_needed(caller: &Caller<'_>) -> Notice<'static> {
    match role(caller) {
        Role::Member if caller.chat.rooms.lesson.is_running() => Notice::HelpInLesson,
        _ => Notice::Help(caller.role()),
    }
}

/// Carries out a lesson command.
pub(super) fn run(caller: &Caller<'_>, command: LessonCommand<'_>) -> Result<Reply, Reply> {
    match command {
        LessonCommand::Hand(text) => raise_hand(caller, text),
        LessonCommand::LowerHand => pupils(caller, LessonOp::LowerHand),
        LessonCommand::Vote(choice) => vote(caller, choice, false),
        LessonCommand::VoteYesNo(Switch::On) => vote(caller, 1, true),
        LessonCommand::VoteYesNo(Switch::Off) => vote(caller, 2, true),
        LessonCommand::Ask(text) => ask_teachers(caller, text),
        LessonCommand::Poll => show_ballot(caller),
        LessonCommand::Lesson(title) => begin(caller, title),
        LessonCommand::EndLesson => end_lesson(caller),
        LessonCommand::Hands => list_hands(caller),
        LessonCommand::ClearHands => teachers(caller, LessonOp::ClearHands),
        LessonCommand::Call(whom) => call(caller, whom.as_ref()),
        LessonCommand::OpenPoll { question, choices } => open_poll(caller, question, &choices),
        LessonCommand::ShowPoll => {
            teachers(caller, LessonOp::ShowPoll { present: present(&caller.chat) })
        }
        LessonCommand::EndPoll | LessonCommand::CancelPoll => {
            let (present, cancelled) =
                (present(&caller.chat), command == LessonCommand::CancelPoll);
            teachers(caller, LessonOp::EndPoll { present, cancelled })
        }
        LessonCommand::Slow(time) => {
            teachers(caller, LessonOp::Slow(time.map(|time| time.as_secs())))
        }
        LessonCommand::Listen(switch) => teachers(caller, LessonOp::Listen(switch == Switch::On)),
        LessonCommand::Show(number) => teachers(caller, LessonOp::Show(number)),
        LessonCommand::Hush(number) => {
            act(caller, &asker(caller)?, LessonOp::Hush(number))?;
            Ok(told(caller, LessonNotice::Hushed { number }))
        }
        LessonCommand::Timer(time, text) => start_timer(caller, time, text),
        LessonCommand::StopTimer => teachers(caller, LessonOp::StopTimer),
        LessonCommand::Watch(switch) => watch_on_the_wall(caller, switch),
        LessonCommand::Attendance { csv } => {
            asker(caller)?;
            attendance::list(caller, csv)
        }
        LessonCommand::Teach(_) | LessonCommand::MakeTeacher(_) | LessonCommand::Code { .. } => {
            unreachable!("commands::run has carried these out")
        }
    }
}

/// Begins a lesson, shows the running one, or gives it another title.
fn begin(caller: &Caller<'_>, title: Option<&str>) -> Result<Reply, Reply> {
    let lesson = &caller.chat.rooms.lesson;
    if title.is_none() && lesson.is_running() {
        let (title, since) = lesson.read(|state| (state.title().cloned(), state.since()));
        let seconds = since.map_or(0, |since| clock::now().since(since).as_secs());
        let title = title.as_deref();
        return Ok(told(caller, LessonNotice::Running { title, seconds }));
    }
    let title = title.map(|title| short(caller, title, TOPIC_BYTES)).transpose()?;
    teachers(caller, LessonOp::Begin { title })
}

/// Ends the lesson.
fn end_lesson(caller: &Caller<'_>) -> Result<Reply, Reply> {
    asker(caller)?;
    let people = attendance::attended(&caller.chat).len();
    teachers(caller, LessonOp::End { people })
}

/// Raises the caller's hand, or adds a question to a raised one.
fn raise_hand(caller: &Caller<'_>, text: Option<&str>) -> Result<Reply, Reply> {
    let member = pupil(caller)?;
    let text = text.map(|text| short(caller, text, TOPIC_BYTES)).transpose()?;
    // Everyone learns that these people may speak.
    let for_teachers = match caller.act(Op::MaySpeak) {
        Err(Refusal::Muted { .. } | Refusal::Listening) => text.is_some(),
        Ok(()) | Err(Refusal::Slow { .. }) => false,
        Err(refusal) => return Err(caller.not_done(refusal)),
    };
    let op = LessonOp::RaiseHand { text, for_teachers };
    act(caller, &Asker::of(member.session), op)?;
    let mut answer = caller.begin();
    if for_teachers {
        answer.notice_to(&Notice::Lesson(LessonNotice::HandForTeachers), caller.nonce);
    }
    Ok(caller.done_with(answer))
}

/// Votes.
fn vote(caller: &Caller<'_>, choice: usize, yes_no: bool) -> Result<Reply, Reply> {
    let member = pupil(caller)?;
    let chosen = caller.chat.rooms.lesson.read(|state| state.choice(choice));
    act(caller, &Asker::of(member.session), LessonOp::Vote { choice, yes_no })?;
    let mut answer = caller.begin();
    let choice = chosen.as_deref().unwrap_or_default();
    answer.hint(&Notice::Lesson(LessonNotice::Voted { choice }));
    Ok(caller.done_with(answer))
}

/// Sends teachers an anonymous question. It neither counts as speaking nor ends being idle.
fn ask_teachers(caller: &Caller<'_>, text: &str) -> Result<Reply, Reply> {
    let member = pupil(caller)?;
    if let Err(refusal @ Refusal::Muted { .. }) = caller.act(Op::MaySpeak) {
        return Err(caller.not_done(refusal));
    }
    let text = short(caller, text, TOPIC_BYTES)?;
    act(caller, &Asker::of(member.session), LessonOp::Ask(text))?;
    let mut answer = caller.begin();
    answer.notice_to(&Notice::Lesson(LessonNotice::Asked), caller.nonce);
    Ok(caller.done_with(answer))
}

/// Describes the open poll; teachers also get its progress.
fn show_ballot(caller: &Caller<'_>) -> Result<Reply, Reply> {
    let (member, lesson) = (caller.member()?, &caller.chat.rooms.lesson);
    let no_poll = || caller.refuse(&Notice::Lesson(LessonNotice::NoPoll));
    let mut answer = caller.begin();
    let poll = lesson.read(|state| state.ballot(member.session.number)).ok_or_else(no_poll)?;
    let nonce = caller.nonce.map(Into::into);
    if !member.session.is_teacher() {
        answer.message(&ServerMessage::Ballot { poll, nonce });
        return Ok(caller.answered(answer));
    }
    answer.hint(&Notice::Lesson(LessonNotice::OpenPoll(&poll)));
    write_tally(&caller.chat, member.session, caller.nonce, &mut answer);
    Ok(caller.answered(answer))
}

/// Lists the raised hands.
fn list_hands(caller: &Caller<'_>) -> Result<Reply, Reply> {
    asker(caller)?;
    let (hands, count) = caller.chat.rooms.lesson.read(|state| state.hands());
    if count == 0 {
        return Err(caller.refuse(&Notice::Lesson(LessonNotice::NoHands)));
    }
    let mut answer = caller.begin();
    answer.message(&ServerMessage::Hands { hands, count, nonce: caller.nonce.map(Into::into) });
    Ok(caller.answered(answer))
}

/// Calls on the first in the queue, or on a named pupil.
fn call(caller: &Caller<'_>, whom: Option<&UserName>) -> Result<Reply, Reply> {
    asker(caller)?;
    let whom = match whom {
        None => None,
        Some(name) => {
            let teaches =
                |session| caller.chat.rooms.lesson.read(|state| state.teaching(session).is_some());
            let is_public =
                |room: &Option<Arc<str>>| room.as_ref().is_some_and(|it| !is_private(it));
            let (whom, is_teacher, is_there) = match caller.find_anywhere(name) {
                Ok(Located::Here(it)) => {
                    ((it.number, it.name()), it.is_teacher(), is_in_public(&caller.chat, &it))
                }
                Ok(Located::Elsewhere(it)) => {
                    let (is_teacher, is_there) = (teaches(it.session), is_public(&it.room));
                    ((it.session, it.user), is_teacher, is_there)
                }
                Err(notice) => {
                    let (room, it) = caller.absent(name, notice)?;
                    ((it.session, it.user), teaches(it.session), room.key.is_none())
                }
            };
            if is_teacher {
                return Err(caller.refuse(&Notice::Lesson(LessonNotice::IsTeacher)));
            }
            if !is_there {
                return Err(caller.refuse(&Notice::NotHere));
            }
            Some(whom)
        }
    };
    teachers(caller, LessonOp::Call { whom })
}

/// Opens a poll.
fn open_poll(caller: &Caller<'_>, question: &str, choices: &[&str]) -> Result<Reply, Reply> {
    asker(caller)?;
    let question = short(caller, question, TOPIC_BYTES)?;
    let yes_no = choices.is_empty();
    let choices = if yes_no { &YES_NO[..] } else { choices };
    let choices = choices.iter().map(|choice| short(caller, choice, CHOICE_BYTES));
    let choices: Vec<Arc<str>> = choices.collect::<Result<_, _>>()?;
    teachers(caller, LessonOp::OpenPoll { question, choices: choices.into(), yes_no })
}

/// Starts the clock.
fn start_timer(caller: &Caller<'_>, time: Duration, text: Option<&str>) -> Result<Reply, Reply> {
    let text = text.map(|text| short(caller, text, TOPIC_BYTES)).transpose()?;
    teachers(caller, LessonOp::StartTimer { seconds: time.as_secs(), text })
}

/// Switches a teacher's wall screen: it is sent what everyone may see, or everything again,
/// including questions asked meanwhile.
fn watch_on_the_wall(caller: &Caller<'_>, switch: Switch) -> Result<Reply, Reply> {
    let member = caller.member()?;
    asker(caller)?;
    member.session.watch(switch == Switch::On);
    caller.chat.services.keep_standing(member.session);
    note_watching(&caller.chat, member.session);
    let mut answer = caller.begin();
    if switch == Switch::Off {
        teacher::welcome(&caller.chat, member.session, &mut answer, caller.nonce);
    }
    write_tally(&caller.chat, member.session, caller.nonce, &mut answer);
    Ok(caller.done_with(answer))
}

/// Whether the lesson forbids a member to whisper to another: pupils listen.
pub(super) fn check_whispers(
    caller: &Caller<'_>,
    member: Membership<'_>,
    other: &Session,
) -> Result<(), Reply> {
    let passes = other.is_teacher() || !must_whisper_to_teachers(caller, member.session);
    match passes {
        true => Ok(()),
        false => Err(caller.refuse(&Notice::Lesson(LessonNotice::Listening))),
    }
}

/// Whether the lesson lets somebody whisper to teachers only.
pub(super) fn must_whisper_to_teachers(caller: &Caller<'_>, session: &Session) -> bool {
    let lesson = &caller.chat.rooms.lesson;
    lesson.is_running()
        && !session.is_teacher()
        && lesson.read(|state| state.keeps_silent(session.number))
}

fn is_in_public(chat: &Chat<'_>, session: &Session) -> bool {
    chat.rooms.room_of(session).is_some_and(|room| room.key.is_none())
}

/// The caller as somebody in a public room.
fn pupil<'a>(caller: &Caller<'a>) -> Result<Membership<'a>, Reply> {
    let member = caller.member()?;
    if member.session.room().is_none() {
        return Err(caller.refuse(&Notice::NoRoom));
    }
    if !is_in_public(&caller.chat, member.session) {
        return Err(caller.refuse(&Notice::Lesson(LessonNotice::NotInLesson)));
    }
    if member.session.quiet() == Some(Quiet::ReadOnly) {
        return Err(caller.refuse(&Notice::ReadOnly));
    }
    Ok(member)
}

/// Carries out a pupil's op, and acknowledges it.
fn pupils(caller: &Caller<'_>, op: LessonOp) -> Result<Reply, Reply> {
    let member = pupil(caller)?;
    act(caller, &Asker::of(member.session), op)?;
    Ok(caller.done_with(caller.begin()))
}

/// Carries out a teacher's op, and acknowledges it.
fn teachers(caller: &Caller<'_>, op: LessonOp) -> Result<Reply, Reply> {
    act(caller, &asker(caller)?, op)?;
    Ok(caller.done_with(caller.begin()))
}

/// The caller as a teacher, or as the operator.
fn asker(caller: &Caller<'_>) -> Result<Asker, Reply> {
    if caller.is_operator() {
        return Ok(Asker::new(By::Operator, None));
    }
    let session = caller.member()?.session;
    match session.is_teacher() {
        true => Ok(Asker::of(session)),
        false => Err(caller.refuse(&Notice::Lesson(LessonNotice::TeacherOnly))),
    }
}

fn act(caller: &Caller<'_>, asker: &Asker, op: LessonOp) -> Result<(), Reply> {
    let (chat, rooms) = (&caller.chat, caller.chat.rooms);
    // Only another machine can be asked the same again.
    let nonce = caller.nonce.filter(|_| rooms.lesson.is_shared());
    let asker = Asker { nonce: nonce.map(|nonce| chat.users.hash_of(nonce)), ..asker.clone() };
    let facts = rooms.lesson.act(&asker, op, || rooms.public());
    follow_up(chat, &facts.map_err(|notice| caller.refuse(&notice))?);
    Ok(())
}

/// Shortens a text to one line of at most so many bytes.
fn short(caller: &Caller<'_>, text: &str, limit: usize) -> Result<Arc<str>, Reply> {
    let text = one_line(text);
    let bytes = text.len();
    match bytes > limit {
        true => Err(caller.refuse(&Notice::TextTooLong { bytes, limit })),
        false => Ok(text.into()),
    }
}

fn told(caller: &Caller<'_>, notice: LessonNotice<'_>) -> Reply {
    let mut answer = caller.begin();
    answer.notice_to(&Notice::Lesson(notice), caller.nonce);
    caller.done_with(answer)
}
