//! The manual page, printed by `madang man`. The flags come from their definitions, and the
//! chat commands from the protocol's table; `manual.roff` has the sections after them.

use std::io;

use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use madang_protocol::{
    command::{COMMANDS, CommandSpec, Role},
    text::Lang,
};

use crate::exit_code::exit_codes;

/// How to start the program, in place of a list of all flags.
const SYNOPSIS: &str = "\
.SH SYNOPSIS
\\fBmadang\\fR [\\fIOPTIONS\\fR] [\\fIADDRESS\\fR]
.br
\\fBmadang completions\\fR \\fISHELL\\fR
.br
\\fBmadang man\\fR
";

const FILES_AND_ENVIRONMENT: &str = include_str!("manual/files.roff");
const EXAMPLES: &str = include_str!("manual/examples.roff");

/// The whole page, in roff.
pub(crate) fn page(options: clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(options).manual("Madang");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    page.extend_from_slice(SYNOPSIS.as_bytes());
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    commands().to_writer(&mut page)?;
    page.extend_from_slice(FILES_AND_ENVIRONMENT.as_bytes());
    exit_status().to_writer(&mut page)?;
    page.extend_from_slice(EXAMPLES.as_bytes());
    Ok(page)
}

fn commands() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    let own = [
        ("completions SHELL", "Prints completions of the flags for bash, zsh, fish and others."),
        ("man", "Prints this manual page, in roff."),
    ];
    for (command, what) in own {
        roff.control("TP", []).text([bold(command)]).text([roman(what)]);
    }
    let everyone =
        |spec: &&CommandSpec| spec.lesson_role().is_none() && spec.roles.contains(&Role::Member);
    let owner = |spec: &&CommandSpec| spec.roles.contains(&Role::Owner);
    let lesson = |spec: &&CommandSpec| spec.lesson_role().is_some() && !spec.is_another_digit();
    add_table(&mut roff, "Typed at the prompt", COMMANDS.iter().filter(everyone));
    add_table(&mut roff, "For the owner of a private room", COMMANDS.iter().filter(owner));
    add_table(&mut roff, "In a lesson", COMMANDS.iter().filter(lesson));
    roff
}

/// Adds chat commands under a heading.
fn add_table(roff: &mut Roff, heading: &str, commands: impl Iterator<Item = &'static CommandSpec>) {
    roff.control("SS", [heading]);
    for spec in commands {
        roff.control("TP", []);
        roff.text([bold(spec.name), roman(format!(" {}", spec.arguments(Lang::En)))])
            .text([roman(spec.help(Lang::En))]);
    }
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for line in exit_codes!().lines().skip(1) {
        if let Some((code, meaning)) = line.trim().split_once("  ") {
            roff.control("TP", []).text([bold(code)]).text([roman(meaning.trim())]);
        }
    }
    roff
}

// The manual page is made on Unix, where the helper of the tests is at hand.
#[cfg(all(test, unix))]
mod tests {
    use clap::CommandFactory as _;
    use madang_tests::manual_sections;

    use super::*;
    use crate::cli::Options;

    #[test]
    fn the_page_has_the_sections_of_a_manual_page_and_every_exit_code() {
        let page = page(Options::command()).expect("a Vec takes all");
        let page = String::from_utf8(page).expect("it is UTF-8");
        let expected = "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, IN A PIPE, COMMANDS, FILES, \
                        ENVIRONMENT, EXIT STATUS, EXAMPLES, SEE ALSO";
        assert_eq!(manual_sections(&page), expected);
        for line in exit_codes!().lines().skip(1) {
            let code = line.split_whitespace().next().expect("a code");
            assert!(page.contains(&format!("\n\\fB{code}\\fR\n")), "no exit status {code}");
        }
    }
}
