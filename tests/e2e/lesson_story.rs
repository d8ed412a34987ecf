//! The lesson in the manual: each line that it tells people to type is typed, and answered as it
//! says. The lesson in the READMEs is part of it.

use std::collections::HashMap;

use madang_protocol::text::Lang;
use madang_server::config::TeacherCode;
use madang_tests::{TestClient, TestServer};

const STORY: &str = include_str!("../../server/LESSON.md");
const README: &str = include_str!("../../README.md");

const CODE: &str = "7F3K-9Q2M";

/// A row of the story: who types what, and the line they see then.
struct Step<'s> {
    who: &'s str,
    typed: &'s str,
    seen: &'s str,
}

/// The text between backquotes.
fn code(cell: &str) -> Option<&str> {
    cell.trim().strip_prefix('`')?.strip_suffix('`')
}

/// The rows of the table in `text`.
fn steps(text: &str) -> Vec<Step<'_>> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let (who, typed, seen) = (cells.next()?, cells.next()?, cells.next()?);
        Some(Step { who: who.trim(), typed: code(typed)?, seen: code(seen)? })
    });
    rows.collect()
}

fn story_in(lang: Lang) -> &'static str {
    let (english, korean) = STORY.split_once("\n## ").expect("the Korean part follows");
    if lang == Lang::En { english } else { korean }
}

#[test]
fn the_lesson_of_the_manual_takes_place_as_it_says() {
    for lang in [Lang::En, Lang::Ko] {
        let server = TestServer::start(|config| {
            config.lang = lang;
            config.teacher_code = TeacherCode::parse(CODE).ok();
        });
        let steps = steps(story_in(lang));
        assert!(steps.len() > 20, "{} steps", steps.len());
        let mut people: HashMap<&str, TestClient> = HashMap::new();
        for Step { who, .. } in &steps {
            people.entry(who).or_insert_with(|| server.login(who));
        }
        for Step { who, typed, seen } in steps {
            let typed = typed.replace("CODE", CODE).replace("/교사 코드", &format!("/교사 {CODE}"));
            let person = people.get_mut(who).expect("everyone is here");
            person.send(format!("{typed}\n"));
            match seen.strip_suffix('…') {
                Some(beginning) => person.expect(beginning),
                None => person.expect(format!("{seen}\n")),
            };
        }
    }
}

#[test]
fn the_readme_tells_the_same_lesson() {
    let steps: Vec<&str> = [Lang::En, Lang::Ko]
        .into_iter()
        .flat_map(|lang| steps(story_in(lang)))
        .map(|it| it.typed)
        .collect();
    for (start, end) in [("\n## A lesson\n", "\n#"), ("\n**수업.** ", "\n\n")] {
        let (_, section) = README.split_once(start).expect("it is there");
        let (section, _) = section.split_once(end).expect("something follows");
        let spans = section.split('`').skip(1).step_by(2).filter(|span| span.starts_with('/'));
        let told: Vec<&str> = spans.collect();
        assert!(told.len() >= 14, "{told:?}");
        for line in told {
            // Only the console shows this, and only on a terminal.
            let is_known = ["/code", "/교사코드"].contains(&line) || steps.contains(&line);
            assert!(is_known, "{line} is not in server/LESSON.md");
        }
    }
}
