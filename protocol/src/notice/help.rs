//! `/help`: the commands needed most, all others, an owner's, and the explanation of one. Each
//! fits a terminal of 24 rows and 40 columns, with the prompt.

use unicode_width::UnicodeWidthStr;

use crate::{
    command::{COMMANDS, CommandSpec, Role},
    text::Lang,
};

/// The commands that members need most.
const MEMBERS_BASICS: [&str; 8] =
    ["/who", "/msg", "/nick", "/rooms", "/join", "/new", "/invite", "/quit"];

/// The commands that operators need most.
const OPERATORS_BASICS: [&str; 8] =
    ["/who", "/rooms", "/say", "/kick", "/mute", "/ban", "/unban", "/stop"];

/// What pupils need in a lesson.
const PUPILS_WORDS: [&str; 3] = ["/hand", "/1", "/ask"];

/// Where the column of explanations begins. A command that leaves no blank before it has its
/// explanation in the next row.
const HELP_COLUMN: usize = 20;

/// The commands that `role` needs most, and how to see the others.
pub(super) fn basics(role: Role, lang: Lang) -> String {
    let more = match lang {
        Lang::Ko => "모든 명령: /도움말 전체\n자세히: /도움말 초대",
        Lang::En => "All commands: /help all\nAbout one command: /help invite",
    };
    let about = match role {
        Role::Operator => more.replace("초대", "추방").replace("invite", "ban"),
        _ => more.to_owned(),
    };
    let basics = basics_of(role).iter().filter_map(|name| CommandSpec::find(name));
    let mut lines: Vec<String> = basics.map(|spec| row(spec, lang)).collect();
    lines.push(about);
    lines.join("\n")
}

/// All other commands that `role` may use, and how to see an owner's.
pub(super) fn others(role: Role, lang: Lang) -> String {
    let (slash, owners) = match lang {
        Lang::Ko => (columns("//말", "'/말'이라고 말합니다"), "방장의 명령: /도움말 관리"),
        Lang::En => (columns("//text", "say '/text'"), "For the room's owner: /help manage"),
    };
    let others = commands_of(role).filter(|spec| !basics_of(role).contains(&spec.name));
    let others = others.filter(|spec| spec.lesson_role().is_none());
    let mut lines: Vec<String> = others.map(|spec| row(spec, lang)).collect();
    if role != Role::Operator {
        lines.extend([slash, owners.to_owned()]);
    }
    lines.join("\n")
}

/// The commands of a room's owner.
pub(super) fn owners(lang: Lang) -> String {
    let title = match lang {
        Lang::Ko => "비공개 방의 방장:",
        Lang::En => "Owner of a private room:",
    };
    let mut lines = vec![title.to_owned()];
    lines.extend(commands_of(Role::Owner).map(|spec| row(spec, lang)));
    lines.join("\n")
}

/// What members need most, and a pupil's three words before that.
pub(super) fn in_lesson(lang: Lang) -> String {
    let words = PUPILS_WORDS.iter().filter_map(|name| CommandSpec::find(name));
    let mut lines: Vec<String> = words.map(|spec| row(spec, lang)).collect();
    lines.push(basics(Role::Member, lang));
    lines.join("\n")
}

/// The commands of a lesson: a pupil's, and a teacher's with them.
pub(super) fn lesson(role: Role, lang: Lang) -> String {
    let titles = match lang {
        Lang::Ko => ["수업 중에 누구나:", "교사:"],
        Lang::En => ["Everyone, in a lesson:", "Teachers:"],
    };
    let list = |of: Role| {
        let listed = commands_of(of).filter(|spec| !spec.is_another_digit());
        listed.map(|spec| row(spec, lang))
    };
    if role == Role::Operator {
        let operators = commands_of(role).filter(|spec| spec.lesson_role().is_some());
        return operators.map(|spec| row(spec, lang)).collect::<Vec<_>>().join("\n");
    }
    let mut lines = vec![titles[0].to_owned()];
    lines.extend(list(Role::Pupil));
    if role == Role::Teacher {
        lines.push(titles[1].to_owned());
        lines.extend(list(Role::Teacher));
    }
    lines.join("\n")
}

/// The explanation of one command.
pub(super) fn on(spec: &CommandSpec, lang: Lang) -> String {
    let usage = spec.usage(lang);
    let mut text = match usage.width() < HELP_COLUMN {
        true => row(spec, lang),
        false => format!("{usage}  {}", spec.help(lang)),
    };
    for line in spec.details(lang).lines() {
        text.push('\n');
        text.push_str(line);
    }
    text
}

/// The commands in the order of the table. An owner is a member too, and has both lists.
fn commands_of(role: Role) -> impl Iterator<Item = &'static CommandSpec> {
    COMMANDS.iter().filter(move |spec| spec.roles.contains(&role))
}

fn basics_of(role: Role) -> &'static [&'static str] {
    match role {
        Role::Operator => &OPERATORS_BASICS,
        _ => &MEMBERS_BASICS,
    }
}

fn row(spec: &CommandSpec, lang: Lang) -> String {
    columns(&spec.usage(lang), spec.help(lang))
}

fn columns(command: &str, help: &str) -> String {
    match HELP_COLUMN.checked_sub(command.width()) {
        None | Some(0) => format!("{command}\n{:HELP_COLUMN$}{help}", ""),
        Some(padding) => format!("{command}{:padding$}{help}", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANGS: [Lang; 2] = [Lang::Ko, Lang::En];
    const ROLES: [Role; 2] = [Role::Member, Role::Operator];

    #[track_caller]
    fn check_size(text: &str) {
        // The last row is the prompt's.
        assert!(text.lines().count() <= 23, "{} rows:\n{text}", text.lines().count());
        for line in text.lines() {
            assert!(line.width() <= 40, "{} columns: {line}", line.width());
        }
    }

    #[test]
    fn help_fits_24_rows_and_40_columns() {
        for lang in LANGS {
            for role in ROLES {
                check_size(&basics(role, lang));
                check_size(&others(role, lang));
                check_size(&in_lesson(lang));
                check_size(&lesson(Role::Teacher, lang));
                check_size(&lesson(Role::Operator, lang));
            }
            check_size(&owners(lang));
            COMMANDS.iter().for_each(|spec| check_size(&on(spec, lang)));
        }
    }

    #[test]
    fn every_explanation_in_a_list_begins_in_the_same_column() {
        for lang in LANGS {
            for spec in COMMANDS {
                let row = row(spec, lang);
                let (command, help) = row.split_at(row.len() - spec.help(lang).len());
                let before = command.rsplit('\n').next().expect("one row at least");
                assert_eq!((before.width(), help), (HELP_COLUMN, spec.help(lang)), "{row}");
                assert!(before.ends_with(' '), "{row}");
            }
        }
    }

    #[test]
    fn the_commands_needed_most_take_one_row_each() {
        for lang in LANGS {
            for text in ROLES.map(|role| basics(role, lang)) {
                assert!(text.lines().all(|line| !line.starts_with(' ')), "{text}");
            }
        }
    }

    #[test]
    fn help_begins_with_eight_commands_and_lists_every_other_on_request() {
        for lang in LANGS {
            for role in ROLES {
                let mut rest = others(role, lang);
                let first = basics(role, lang);
                if role != Role::Operator {
                    rest = rest + "\n" + &owners(lang);
                }
                let count = |text: &str| text.lines().filter(|line| line.starts_with('/')).count();
                assert_eq!(count(&first), 8, "{first}");
                let is_there = |spec: &CommandSpec| match role {
                    Role::Operator => spec.is_operators(),
                    _ => spec.is_members(),
                };
                for spec in COMMANDS.iter().filter(|spec| spec.lesson_role().is_none()) {
                    let row = row(spec, lang);
                    let times: usize = [&first, &rest]
                        .iter()
                        .map(|text| format!("\n{text}\n").matches(&format!("\n{row}\n")).count())
                        .sum();
                    assert_eq!(times, usize::from(is_there(spec)), "{row}");
                }
            }
        }
    }

    #[test]
    fn a_lesson_has_a_page_of_its_own_with_three_words_for_pupils() {
        for lang in LANGS {
            let (pupils, teachers) = (lesson(Role::Member, lang), lesson(Role::Teacher, lang));
            assert!(teachers.starts_with(&pupils), "{teachers}");
            for spec in COMMANDS.iter().filter(|spec| !spec.is_another_digit()) {
                let row = format!("\n{}\n", row(spec, lang));
                let is_on = |text: &str| format!("\n{text}\n").contains(&row);
                assert_eq!(
                    is_on(&pupils),
                    spec.lesson_role() == Some(Role::Pupil),
                    "{}",
                    spec.name
                );
                assert_eq!(is_on(&teachers), spec.lesson_role().is_some(), "{}", spec.name);
            }
            let first: Vec<&str> = pupils.lines().skip(1).take(3).collect();
            for (line, name) in first.iter().zip(["/hand", "/ask", "/1"]) {
                let spec = CommandSpec::find(name).expect("a command");
                assert!(line.starts_with(spec.name_in(lang)), "{line}");
            }
        }
    }

    #[test]
    fn help_is_in_its_readers_language() {
        for role in ROLES {
            let korean = basics(role, Lang::Ko) + &others(role, Lang::Ko) + &owners(Lang::Ko);
            // "QR" and "IP" are Korean too, and so are the ends of files' names.
            let korean = ["qr", "IP", "txt", "html", "jsonl"]
                .iter()
                .fold(korean, |korean, word| korean.replace(word, ""));
            assert!(!korean.contains(|c: char| c.is_ascii_alphabetic()), "{korean}");
            let english = basics(role, Lang::En) + &others(role, Lang::En) + &owners(Lang::En);
            assert!(english.is_ascii(), "{english}");
        }
    }
}
