//! What one member is told about a lesson, in words: for lines, and for clients that show them.

use crate::{
    event::{ServerMessage, Time},
    notice::{LessonNotice, Notice},
    text::Lang,
};

/// The words of a message about a lesson; none if it has none for people. To somebody who
/// comes, what is going on follows another message, which has words of its own.
pub fn lesson_answer(message: &ServerMessage<'_>, lang: Lang, now: Time) -> Option<String> {
    let text = |notice: LessonNotice<'_>| Some(Notice::Lesson(notice).text(lang));
    match message {
        ServerMessage::Welcome { lesson, .. } | ServerMessage::Entered { lesson, .. } => {
            let lesson = lesson.as_deref().filter(|lesson| lesson.running)?;
            text(LessonNotice::Now { lesson, now })
        }
        ServerMessage::Teacher { lesson, .. } => {
            let running = lesson.running;
            let teacher = text(LessonNotice::NowTeacher { running })?;
            let going_on =
                lesson.running.then(|| text(LessonNotice::Now { lesson, now })).flatten();
            Some([Some(teacher), going_on].into_iter().flatten().collect::<Vec<_>>().join("\n"))
        }
        ServerMessage::Hands { hands, count, .. } => {
            text(LessonNotice::Hands { hands, count: *count, now })
        }
        ServerMessage::HandText { user, text: question } => {
            text(LessonNotice::HandText { user, text: question })
        }
        ServerMessage::Ballot { poll, .. } => text(LessonNotice::Ballot(poll)),
        ServerMessage::Tally { answered, members, waiting, counts, .. } => {
            let names: Option<Vec<&str>> =
                waiting.as_ref().map(|names| names.iter().map(|name| &**name).collect());
            text(LessonNotice::Tally {
                answered: *answered,
                members: *members,
                waiting: names.as_deref(),
                counts: counts.as_deref(),
            })
        }
        ServerMessage::Asked { number, text: question } => {
            text(LessonNotice::Question { number: *number, text: question })
        }
        ServerMessage::Attendance { people, count, missing, link, .. } => {
            let missing: Vec<&str> = missing.iter().map(|name| &**name).collect();
            let (count, link) = (*count, link.as_deref());
            text(LessonNotice::Attendance { people, count, missing: &missing, link })
        }
        _ => None,
    }
}
