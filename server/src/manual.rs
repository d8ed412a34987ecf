//! What `madang-server completions SHELL` and `madang-server man` print, made of the
//! definitions of the flags.

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;

use crate::cli::Cli;

/// A part of the manual. No flag and no value of one stands where its name does: the
/// program takes no arguments but flags.
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
    /// The part that a command line asks for, or what is wrong with how it does; `None`
    /// if it asks for none.
    pub fn asked(args: impl IntoIterator<Item = OsString>) -> Option<Result<Manual, clap::Error>> {
        let args: Vec<OsString> = args.into_iter().collect();
        let first = args.get(1)?;
        (first == "completions" || first == "man").then(|| Manual::try_parse_from(&args))
    }

    /// What is printed.
    pub fn text(self) -> Vec<u8> {
        let (mut command, mut text) = (Cli::command(), Vec::new());
        match self {
            Manual::Completions { shell } => {
                clap_complete::generate(shell, &mut command, "madang-server", &mut text);
            }
            Manual::Man => clap_mangen::Man::new(command.name("madang-server"))
                .render(&mut text)
                .expect("a Vec takes all"),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn asked(args: &[&str]) -> Option<Result<Manual, clap::Error>> {
        Manual::asked([&["madang-server"], args].concat().into_iter().map(OsString::from))
    }

    #[test]
    fn completions_and_the_page_name_every_flag() {
        #[track_caller]
        fn check(args: &[&str], parts: &[&str]) {
            let manual = asked(args).expect("it is asked for").expect("rightly");
            let text = String::from_utf8(manual.text()).expect("it is UTF-8");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        check(&["completions", "bash"], &["_madang__server()", "--rate-limit", "--no-web"]);
        check(&["completions", "zsh"], &["#compdef madang-server", "--rate-limit"]);
        check(&["man"], &[".TH madang-server 1", "rate\\-limit", "MADANG_LISTEN", "Exit codes"]);
    }

    #[test]
    fn what_else_is_asked_is_left_to_others() {
        assert!(asked(&[]).is_none());
        assert!(asked(&["--lang", "en"]).is_none());
        assert!(asked(&["completions", "cobol"]).is_some_and(|manual| manual.is_err()));
        assert!(asked(&["man", "page"]).is_some_and(|manual| manual.is_err()));
    }
}
