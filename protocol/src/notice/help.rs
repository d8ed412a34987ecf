//! `/help`: the list of commands, and what one of them is for.

use unicode_width::UnicodeWidthStr;

use crate::{
    command::{COMMANDS, CommandSpec, Role},
    text::Lang,
};

/// The commands that `role` may use, the owner's with the members'.
pub(super) fn help(role: Role, lang: Lang) -> String {
    let (title, owners, say, say_help) = match lang {
        Lang::Ko => ("명령:", "비공개 방의 방장은:", "//말", "'/말'이라고 말합니다"),
        Lang::En => ("Commands:", "The owner of a private room:", "//text", "says '/text'"),
    };
    let of = |role: Role| {
        COMMANDS.iter().filter(move |spec| spec.roles.contains(&role)).map(move |spec| {
            let names = format!("{}, {}", spec.usage(), spec.alias);
            row(&names, spec.help(lang))
        })
    };
    let mut lines = vec![title.to_owned()];
    lines.extend(of(role));
    if role == Role::Member {
        lines.push(row(say, say_help));
        lines.push(owners.to_owned());
        lines.extend(of(Role::Owner));
    }
    lines.join("\n")
}

fn row(names: &str, help: &str) -> String {
    let padding = 26usize.saturating_sub(names.width());
    format!("  {names}{:padding$}  {help}", "")
}

pub(super) fn help_on(spec: &CommandSpec, lang: Lang) -> String {
    format!("{}, {}: {}", spec.usage(), spec.alias, spec.help(lang))
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::notice::Notice;

    #[test]
    fn help_lists_every_command() {
        for lang in [Lang::Ko, Lang::En] {
            let help = Notice::Help(Role::Member).text(lang);
            for spec in COMMANDS.iter().filter(|spec| spec.is_members()) {
                assert!(help.contains(&spec.usage()) && help.contains(spec.help(lang)), "{help}");
            }
        }
    }

    #[test]
    fn help_fits_a_terminal() {
        for role in [Role::Member, Role::Operator] {
            for lang in [Lang::Ko, Lang::En] {
                for line in Notice::Help(role).text(lang).lines() {
                    assert!(line.width() <= 80, "{} columns: {line}", line.width());
                }
            }
        }
    }
}
