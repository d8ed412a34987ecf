//! The output of `madang-server completions SHELL` and `madang-server man`. Flags come from their
//! definitions and console commands from the protocol's table; the rest of the manual page is in
//! the folder `manual`.

use std::{ffi::OsString, io};

use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use madang_protocol::{
    command::{self, Role},
    text::Lang,
};

use crate::cli::Cli;

/// How to start the program, in place of a list of all flags.
const SYNOPSIS: &str = "\
.SH SYNOPSIS
\\fBmadang\\-server\\fR [\\fIOPTIONS\\fR]
.br
\\fBmadang\\-server completions\\fR \\fISHELL\\fR
.br
\\fBmadang\\-server man\\fR
.br
\\fBmadang\\-server transcript\\fR \\fB\\-\\-data\\fR \\fIDIR\\fR [\\fIOPTIONS\\fR]
.br
\\fBmadang\\-server recover\\fR \\fB\\-\\-data\\fR \\fIDIR\\fR
";
const COMMANDS: &str = include_str!("manual/commands.roff");
const AFTER_COMMANDS: &str = include_str!("manual/after_commands.roff");

/// A part of the manual. Its name cannot be confused with a flag or a flag's value, because the
/// program takes no other arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Parser)]
#[command(name = "madang-server", disable_help_subcommand = true)]
pub enum Manual {
    /// Prints the completions of the flags for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page, in roff
    Man,
}

impl Manual {
    /// The part that the command line asks for, or the error in its arguments; `None` if it
    /// asks for none.
    pub fn asked(args: impl IntoIterator<Item = OsString>) -> Option<Result<Manual, clap::Error>> {
        let args: Vec<OsString> = args.into_iter().collect();
        let first = args.get(1)?;
        (first == "completions" || first == "man").then(|| Manual::try_parse_from(&args))
    }

    /// The text to print.
    pub fn text(self) -> Vec<u8> {
        let (mut command, mut text) = (Cli::command(), Vec::new());
        match self {
            Manual::Completions { shell } => {
                clap_complete::generate(shell, &mut command, "madang-server", &mut text);
            }
            Manual::Man => {
                write_page(command.name("madang-server"), &mut text).expect("a Vec takes all");
            }
        }
        text
    }
}

/// Writes the whole page, in roff.
fn write_page(command: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command).manual("Madang");
    man.render_title(page)?;
    man.render_name_section(page)?;
    page.extend_from_slice(SYNOPSIS.as_bytes());
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    page.extend_from_slice(COMMANDS.as_bytes());
    operators_commands().to_writer(page)?;
    page.extend_from_slice(AFTER_COMMANDS.as_bytes());
    Ok(())
}

/// The commands typed at the console.
fn operators_commands() -> Roff {
    let mut roff = Roff::new();
    let operators = command::COMMANDS.iter().filter(|spec| spec.roles.contains(&Role::Operator));
    for spec in operators {
        roff.control("TP", []);
        roff.text([bold(spec.name), roman(format!(" {}", spec.arguments(Lang::En)))])
            .text([roman(spec.help(Lang::En))]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use madang_tests::manual_sections;

    use super::*;

    #[track_caller]
    fn asked(args: &[&str]) -> Option<Result<Manual, clap::Error>> {
        Manual::asked([&["madang-server"], args].concat().into_iter().map(OsString::from))
    }

    #[test]
    fn completions_and_the_manual_page_name_every_flag() {
        #[track_caller]
        fn check(args: &[&str], parts: &[&str]) {
            let manual = asked(args).expect("it is asked for").expect("rightly");
            let text = String::from_utf8(manual.text()).expect("it is UTF-8");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        check(&["completions", "bash"], &["_madang__server()", "--rate-limit", "--no-web"]);
        check(&["completions", "zsh"], &["#compdef madang-server", "--rate-limit"]);
        check(&["man"], &[".TH madang-server 1", "rate\\-limit", "MADANG_LISTEN", "RUST_LOG"]);
    }

    #[test]
    fn the_page_has_the_sections_of_a_manual_page() {
        let text = String::from_utf8(Manual::Man.text()).expect("it is UTF-8");
        let expected = "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, COMMANDS, FILES, ENVIRONMENT, \
                        EXIT STATUS, EXAMPLES, SEE ALSO";
        assert_eq!(manual_sections(&text), expected);
    }

    #[test]
    fn the_operators_manual_has_every_flag_with_its_variable_and_no_other() {
        const MANUAL: &str = include_str!("../OPERATING.md");
        let (_, section) = MANUAL.split_once("\n## Flags\n").expect("it is there");
        let section = section.split("\n## ").next().expect("one part at least");
        let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let mut told: Vec<(String, Option<String>)> = Vec::new();
        for row in section.lines().filter_map(|line| line.strip_prefix("| `--")) {
            // `ko\|en` is a single cell.
            let row = format!("`--{}", row.replace("\\|", "/"));
            let mut cells = row.split(" | ");
            let flags: Vec<String> = code(cells.next().expect("a flag"));
            let variables: Vec<String> = code(cells.next().expect("a variable"));
            for (at, flag) in flags.iter().enumerate() {
                let flag = flag.split(' ').next().expect("a flag").trim_start_matches("--");
                told.push((flag.to_owned(), variables.get(at).cloned()));
            }
        }
        let command = Cli::command();
        let is_shown = |flag: &&clap::Arg| flag.get_long().is_some() && !flag.is_hide_set();
        let flags = command.get_arguments().filter(is_shown);
        let mut expected: Vec<(String, Option<String>)> = flags
            .map(|flag| {
                let variable = flag.get_env().map(|name| name.to_string_lossy().into_owned());
                (flag.get_long().expect("they were chosen by it").to_owned(), variable)
            })
            .filter(|(name, _)| !["help", "version"].contains(&name.as_str()))
            .collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected);
    }

    #[test]
    fn other_arguments_are_not_a_part_of_the_manual() {
        assert!(asked(&[]).is_none());
        assert!(asked(&["--lang", "en"]).is_none());
        assert!(asked(&["completions", "cobol"]).is_some_and(|manual| manual.is_err()));
        assert!(asked(&["man", "page"]).is_some_and(|manual| manual.is_err()));
    }
}
