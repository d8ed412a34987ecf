//! Every notice about a lesson in Korean.

use crate::{duration::show_about, josa::with_nim, text::Lang};

use super::{
    LessonNotice,
    lists::{attendance, ballot, bracketed, joined_code, listed, now_in_lines, numbers, quoted},
};

pub(super) fn lesson_in_korean(notice: &LessonNotice<'_>) -> String {
    let about = |seconds: u64| show_about(seconds, Lang::Ko);
    match *notice {
        LessonNotice::TeacherOnly => "교사만 할 수 있습니다.".into(),
        LessonNotice::WrongCode => "코드가 틀렸거나, 이미 썼거나 기한이 지난 링크입니다.".into(),
        LessonNotice::TooManyCodes { seconds } => format!(
            "이 주소에서 틀린 코드를 너무 많이 보냈습니다. {} 뒤에 다시 해 보세요.",
            about(seconds)
        ),
        LessonNotice::CodeInText => {
            "교사 코드가 들어 있어서 보내지 않았습니다. 교사가 되려면: /교사 코드".into()
        }
        LessonNotice::TeachersLink => {
            "교사가 되는 링크입니다. 먼저 이름을 입력한 뒤 /교사 다음에 링크를 붙여 넣으세요."
                .into()
        }
        LessonNotice::NowTeacher { running: false } => {
            "교사가 되었습니다. 수업을 시작하려면 /수업 (모든 명령: /도움말 수업)".into()
        }
        LessonNotice::NowTeacher { running: true } => {
            "교사가 되었습니다. 수업 중입니다. (모든 명령: /도움말 수업)".into()
        }
        LessonNotice::MadeTeacher { user } => {
            format!("{}이 교사가 되었습니다.", with_nim(user))
        }
        LessonNotice::NoPlaceForCode => "코드는 다시 숨길 수 있는 터미널에만 보여 줍니다. \
             터미널이 없으면: --teacher-code 파일, 또는 /교사지정 이름"
            .into(),
        LessonNotice::CodeQrTooLarge { columns, rows } => {
            format!("QR 코드를 표시하려면 {columns}칸 {rows}줄이 필요합니다.")
        }
        LessonNotice::Code { code, link } => joined_code(code, link, "교사 코드"),
        LessonNotice::NoLesson => {
            "지금은 수업 중이 아닙니다. 교사가 수업을 시작할 수 있습니다: /수업".into()
        }
        LessonNotice::NotInLesson => "수업은 공개 방에서 합니다. 로비로 돌아가려면: /로비".into(),
        LessonNotice::Running { title: Some(title), seconds } => {
            format!("수업: {title} ({}째)", about(seconds))
        }
        LessonNotice::Running { title: None, seconds } => {
            format!("수업 중입니다. ({}째)", about(seconds))
        }
        LessonNotice::Now { lesson, now } => now_in_lines(lesson, now, Lang::Ko),
        LessonNotice::Slow { seconds } => format!("{} 뒤에 보낼 수 있습니다.", about(seconds)),
        LessonNotice::Listening => "듣는 시간입니다. 말하고 싶으면 손을 드세요: /손".into(),
        LessonNotice::HandUp { place } => {
            format!("이미 손을 들었습니다. ({place}번째) 내리려면: /손 내리기")
        }
        LessonNotice::HandNotUp => "손을 들고 있지 않습니다.".into(),
        LessonNotice::HandTooSoon { seconds } => {
            format!("{} 뒤에 바꿀 수 있습니다.", about(seconds))
        }
        LessonNotice::HandForTeachers => "질문은 교사에게만 보입니다.".into(),
        LessonNotice::HandText { user, text } => {
            format!("-- {}의 질문: {text} --", bracketed(user))
        }
        LessonNotice::Hands { hands, count, now } => {
            listed(hands, now, Lang::Ko, format!("손 든 사람 {count}명"))
        }
        LessonNotice::NoHands => "손을 든 사람이 없습니다.".into(),
        LessonNotice::IsTeacher => "그 사람은 교사입니다.".into(),
        LessonNotice::NoPoll => "열린 투표가 없습니다.".into(),
        LessonNotice::PollOpen => "이미 열린 투표가 있습니다. 먼저 /투표 끝 또는 /투표 취소".into(),
        LessonNotice::PollOver => "투표가 마감되어 더는 투표할 수 없습니다.".into(),
        LessonNotice::NoChoice { choices: Some(choices) } => {
            format!("이 투표의 보기: /1 ~ /{choices}")
        }
        LessonNotice::NoChoice { choices: None } => "이 투표의 보기: /네, /아니요".into(),
        LessonNotice::TeachersDontVote => "교사는 투표하지 않습니다.".into(),
        LessonNotice::Voted { choice } => {
            format!("{}에 투표했습니다. 끝날 때까지 바꿀 수 있습니다.", quoted(choice))
        }
        LessonNotice::OpenPoll(poll) => format!("-- 투표: {} --", ballot(poll, Lang::Ko)),
        LessonNotice::Ballot(poll) => {
            let vote = poll.vote.and_then(|vote| poll.choices.get(vote.checked_sub(1)?));
            let vote = match vote {
                Some(choice) => format!("나의 선택: {choice}"),
                None => "아직 투표하지 않았습니다.".to_owned(),
            };
            format!("-- 투표: {} --\n{vote}", ballot(poll, Lang::Ko))
        }
        LessonNotice::Tally { answered, members, waiting, counts } => {
            let mut text = format!("{members}명 가운데 {answered}명이 투표했습니다.");
            if let Some(counts) = counts {
                text.push_str(&format!(" {}", numbers(counts)));
            }
            if let Some(waiting) = waiting.filter(|waiting| !waiting.is_empty()) {
                text.push_str(&format!("\n아직: {}", waiting.join(", ")));
            }
            text
        }
        LessonNotice::Asked => "선생님께만 보입니다. 이름은 전해지지 않습니다.".into(),
        LessonNotice::AskTooSoon { seconds } => {
            format!("{} 뒤에 다시 질문할 수 있습니다.", about(seconds))
        }
        LessonNotice::Question { number, text } => {
            format!("-- 이름 없는 질문 {number}: {text} (공개: /질문공개 {number}) --")
        }
        LessonNotice::NoQuestion => "그런 번호의 질문이 없습니다.".into(),
        LessonNotice::Hushed { number } => {
            format!("이제 {number}번 질문을 한 사람의 질문을 받지 않습니다.")
        }
        LessonNotice::NoTimer => "켜져 있는 타이머가 없습니다.".into(),
        LessonNotice::Attendance { people, count, missing, link } => {
            let titles = ["있음", "나감", "안 옴", "표(10분 안에 한 번)"];
            attendance(format!("출석 {count}명"), titles, people, missing, link)
        }
    }
}
