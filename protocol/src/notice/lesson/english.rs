//! Every notice about a lesson in English.

use crate::{
    duration::show_about,
    text::{Lang, choice_in},
};

use super::{
    LessonNotice,
    lists::{attendance, ballot, joined_code, listed, now_in_lines, numbers},
};

pub(super) fn lesson_in_english(notice: &LessonNotice<'_>) -> String {
    let about = |seconds: u64| show_about(seconds, Lang::En);
    match *notice {
        LessonNotice::TeacherOnly => "Only a teacher can do that.".into(),
        LessonNotice::WrongCode => {
            "That code is wrong, or the link was used or has expired.".into()
        }
        LessonNotice::TooManyCodes { seconds } => {
            format!("Too many wrong codes from your address. Try again in {}.", about(seconds))
        }
        LessonNotice::CodeInText => {
            "Not sent: it contains the teacher's code. To become a teacher: /teach CODE".into()
        }
        LessonNotice::TeachersLink => {
            "That link makes you a teacher. Type a name first, then /teach and the link.".into()
        }
        LessonNotice::NowTeacher { running: false } => {
            "You are a teacher now. To begin a lesson: /lesson (all commands: /help lesson)".into()
        }
        LessonNotice::NowTeacher { running: true } => {
            "You are a teacher now. A lesson is running. (all commands: /help lesson)".into()
        }
        LessonNotice::MadeTeacher { user } => format!("{user} is a teacher now."),
        LessonNotice::NoPlaceForCode => "The code is shown only on a terminal, where it can \
             be hidden again. Without one: --teacher-code FILE or /teacher NAME"
            .into(),
        LessonNotice::CodeQrTooLarge { columns, rows } => {
            format!("The QR code needs {columns} columns and {rows} rows.")
        }
        LessonNotice::Code { code, link } => joined_code(code, link, "teacher's code"),
        LessonNotice::NoLesson => {
            "There is no lesson now. A teacher begins one with /lesson".into()
        }
        LessonNotice::NotInLesson => {
            "The lesson is in the public rooms. Back to the lobby: /leave".into()
        }
        LessonNotice::Running { title: Some(title), seconds } => {
            format!("Lesson: {title} (for {})", about(seconds))
        }
        LessonNotice::Running { title: None, seconds } => {
            format!("A lesson has been running for {}.", about(seconds))
        }
        LessonNotice::Now { lesson, now } => now_in_lines(lesson, now, Lang::En),
        LessonNotice::Slow { seconds } => {
            format!("Slow mode: you can send a message in {}.", about(seconds))
        }
        LessonNotice::Listening => "It is time to listen. To speak, raise your hand: /hand".into(),
        LessonNotice::HandUp { place } => {
            format!("Your hand is already raised (number {place}). To lower it: /hand down")
        }
        LessonNotice::HandNotUp => "Your hand is not raised.".into(),
        LessonNotice::HandTooSoon { seconds } => {
            format!("You can change that in {}.", about(seconds))
        }
        LessonNotice::HandForTeachers => "Only teachers see your question.".into(),
        LessonNotice::HandText { user, text } => format!("-- [{user}] asks: {text} --"),
        LessonNotice::Hands { hands, count, now } => {
            listed(hands, now, Lang::En, format!("Hands: {count}"))
        }
        LessonNotice::NoHands => "No hand is raised.".into(),
        LessonNotice::IsTeacher => "That person is a teacher.".into(),
        LessonNotice::NoPoll => "There is no open poll.".into(),
        LessonNotice::PollOpen => "A poll is open already. First: /poll end or /poll cancel".into(),
        LessonNotice::PollOver => "The poll takes no more votes.".into(),
        LessonNotice::NoChoice { choices: Some(choices) } => {
            format!("This poll has the choices /1 to /{choices}.")
        }
        LessonNotice::NoChoice { choices: None } => {
            "This poll has the choices /o (yes) and /x (no).".into()
        }
        LessonNotice::TeachersDontVote => "Teachers don't vote.".into(),
        LessonNotice::Voted { choice } => {
            let choice = choice_in(choice, Lang::En);
            format!("Your vote: {choice}. You can change it until the poll ends.")
        }
        LessonNotice::OpenPoll(poll) => format!("-- poll: {} --", ballot(poll, Lang::En)),
        LessonNotice::Ballot(poll) => {
            let vote = poll.vote.and_then(|vote| poll.choices.get(vote.checked_sub(1)?));
            let vote = match vote {
                Some(choice) => format!("Your vote: {}", choice_in(choice, Lang::En)),
                None => "You have not voted.".to_owned(),
            };
            format!("-- poll: {} --\n{vote}", ballot(poll, Lang::En))
        }
        LessonNotice::Tally { answered, members, waiting, counts } => {
            let mut text = format!("{answered} of {members} have voted.");
            if let Some(counts) = counts {
                text.push_str(&format!(" {}", numbers(counts)));
            }
            if let Some(waiting) = waiting.filter(|waiting| !waiting.is_empty()) {
                text.push_str(&format!("\nNot yet: {}", waiting.join(", ")));
            }
            text
        }
        LessonNotice::Asked => "Only teachers see it. Your name is not passed on.".into(),
        LessonNotice::AskTooSoon { seconds } => {
            format!("You can ask again in {}.", about(seconds))
        }
        LessonNotice::Question { number, text } => {
            format!("-- anonymous question {number}: {text} (to show it: /show {number}) --")
        }
        LessonNotice::NoQuestion => "There is no question with that number.".into(),
        LessonNotice::Hushed { number } => {
            format!("You will get no more questions from the person who asked question {number}.")
        }
        LessonNotice::NoTimer => "No timer is running.".into(),
        LessonNotice::Attendance { people, count, missing, link } => {
            let titles = ["Here", "Left", "Missing", "As a table, once within 10 minutes"];
            attendance(format!("Attendance: {count}"), titles, people, missing, link)
        }
    }
}
