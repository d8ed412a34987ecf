//! The command line. Only this file parses flags.

use std::{env, ffi::OsStr, io, num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser as _,
    builder::{FalseyValueParser, Resettable},
};
use clap_complete::Shell;
use madang_protocol::{
    room::{Destination, DestinationError},
    text::Lang,
};

use crate::{
    address::Address,
    clock::TimeFormat,
    exit_code::{ExitCode, exit_codes},
    manual,
    since::Since,
    words,
};

const ABOUT: &str = "\
Chat on a Madang server, or on any other line-based server.

On a terminal, type and press Enter. /help lists the commands, Tab completes them, and /quit or \
Ctrl-D leaves. In a pipe, each line of the input is sent as a message, and madang exits when the \
server has confirmed all of them:

  make 2>&1 | madang HOST --name ci --room build";

/// The end of the help text.
const AFTER_HELP: &str = concat!(
    "Each flag can be set in the environment too: MADANG_NO_RECONNECT for --no-reconnect.\n",
    "The lines you type are kept in the file MADANG_HISTORY (default: \
     ~/.local/state/madang/history); if it is empty, they are not kept.\n\n",
    exit_codes!(),
    "\n\nmadang completions SHELL prints completions for a shell, madang man the manual page."
);

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment has `NO_COLOR` or `TERM=dumb`.
    #[default]
    Auto,
    /// Always, even if stdout is not a terminal.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to use colours; `None` if that depends on stdout.
    pub(crate) fn wanted(self) -> Option<bool> {
        match self {
            ColorChoice::Auto => None,
            ColorChoice::Always => Some(true),
            ColorChoice::Never => Some(false),
        }
    }
}

/// The options on the command line.
#[derive(Debug, clap::Parser)]
#[command(
    name = "madang",
    version,
    about = "Chat on a Madang server, or on any other line-based server",
    long_about = ABOUT,
    after_help = AFTER_HELP,
    max_term_width = 100
)]
pub struct Options {
    /// The server: HOST, HOST:PORT, `[::1]:9009`, madang://HOST/ROOM, or the link of a room.
    /// The default is localhost:9009, and port 9009 on other hosts
    #[arg(
        value_name = "ADDRESS",
        env = "MADANG_HOST",
        hide_env_values = true,
        default_value = "localhost:9009",
        hide_default_value = true
    )]
    pub address: Address,

    /// The name to log in with. By default, a terminal asks for it, and a pipe gets a guest
    /// name
    #[arg(long, env = "MADANG_NAME", hide_env_values = true, value_parser = parse_name)]
    pub name: Option<String>,

    /// The room to join: a name, a link or #KEY. The default is the address's room, or the
    /// lobby
    #[arg(long, env = "MADANG_ROOM", hide_env_values = true, value_parser = parse_room)]
    pub room: Option<String>,

    /// The language of the client and of the server's messages: ko or en. The default is the
    /// locale's
    #[arg(long, value_name = "ko|en", env = "MADANG_LANG", hide_env_values = true)]
    lang: Option<Lang>,

    /// Connect with TLS, to port 9010 by default; https:// links use TLS without this flag
    #[arg(long, env = "MADANG_TLS", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub tls: bool,

    /// With TLS: also trust the certificates in this PEM file
    #[arg(long, value_name = "FILE", env = "MADANG_CA", hide_env_values = true)]
    pub ca: Option<PathBuf>,

    /// When to use colours
    #[arg(
        long,
        value_name = "WHEN",
        env = "MADANG_COLOR",
        hide_env_values = true,
        default_value = "auto"
    )]
    pub color: ColorChoice,

    /// How to show times. The default is minutes on a terminal, and never in a pipe
    #[arg(long, value_name = "FORM", env = "MADANG_TIME", hide_env_values = true)]
    pub time: Option<TimeFormat>,

    /// When to ring the terminal's bell
    #[arg(
        long,
        value_name = "WHEN",
        env = "MADANG_BELL",
        hide_env_values = true,
        default_value = "mention"
    )]
    pub bell: Bell,

    /// Exit when the connection is lost, instead of reconnecting
    #[arg(long, env = "MADANG_NO_RECONNECT", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub no_reconnect: bool,

    /// Treat the connection as lost after this many seconds without an answer
    #[arg(
        long,
        value_name = "SECONDS",
        env = "MADANG_ANSWER_TIMEOUT",
        hide_env_values = true,
        default_value = "60",
        value_parser = parse_seconds
    )]
    pub answer_timeout: Duration,

    /// Send all of stdin as one message
    #[arg(long, env = "MADANG_BLOCK", hide_env_values = true, value_parser = FalseyValueParser::new(), conflicts_with_all = ["read", "commands"], help_heading = "In a pipe")]
    pub block: bool,

    /// Treat lines of stdin that begin with a slash as commands, as on a terminal
    #[arg(long, env = "MADANG_COMMANDS", hide_env_values = true, value_parser = FalseyValueParser::new(), conflicts_with = "read", help_heading = "In a pipe")]
    pub commands: bool,

    /// Send nothing: print messages until Ctrl-C
    #[arg(long, env = "MADANG_READ", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "In a pipe")]
    pub read: bool,

    /// With --read: exit after this many messages
    #[arg(
        long,
        value_name = "N",
        env = "MADANG_COUNT",
        hide_env_values = true,
        requires = "read",
        help_heading = "In a pipe"
    )]
    pub count: Option<NonZeroU64>,

    /// With --read: print events as JSON, one per line
    #[arg(long, env = "MADANG_JSON", hide_env_values = true, value_parser = FalseyValueParser::new(), requires = "read", help_heading = "In a pipe")]
    pub json: bool,

    /// With --read: start after the event with this id, or at this time (14:00, 2026-11-28,
    /// 2026-11-28T14:00), as far back as the server has it
    #[arg(
        long,
        value_name = "ID|TIME",
        env = "MADANG_SINCE",
        hide_env_values = true,
        requires = "read",
        help_heading = "In a pipe"
    )]
    pub since: Option<Since>,

    /// With --read: join public rooms without an announcement
    #[arg(long, env = "MADANG_QUIET", hide_env_values = true, value_parser = FalseyValueParser::new(), requires = "read", help_heading = "In a pipe")]
    pub quiet: bool,
}

/// When the terminal's bell rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Bell {
    /// Never.
    Never,
    /// For whispers, and when somebody mentions your name.
    Mention,
    /// For every message of others.
    All,
}

/// Subcommands that print something and exit. A host with such a name can be reached as
/// `man:9009`.
#[derive(Debug, clap::Parser)]
#[command(name = "madang", disable_help_subcommand = true)]
enum Print {
    /// Prints the completions of these flags for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page, in roff
    Man,
}

impl Options {
    /// Reads the process's command line and environment. An empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// The exit code, once help, the version or an error has been printed.
    pub fn parse() -> Result<Options, ExitCode> {
        let first = env::args_os().nth(1).unwrap_or_default();
        if first == "completions" || first == "man" {
            let print = Print::try_parse().map_err(refusal)?;
            return Err(match print.print(&mut io::stdout()) {
                Ok(()) => ExitCode::Done,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
                Err(_) => ExitCode::Failed,
            });
        }
        Options::read().and_then(Options::settle).map_err(refusal)
    }

    fn read() -> Result<Options, clap::Error> {
        let is_empty =
            |variable: &OsStr| env::var_os(variable).is_some_and(|value| value.is_empty());
        let mut command = Options::command().mut_args(|flag| match flag.get_env() {
            Some(variable) if is_empty(variable) => flag.env(Resettable::Reset),
            _ => flag,
        });
        let matches = command.try_get_matches_from_mut(env::args_os())?;
        Options::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Applies the flags about the connection to the address.
    fn settle(mut self) -> Result<Options, clap::Error> {
        let conflict =
            |text: &str| Options::command().error(clap::error::ErrorKind::ArgumentConflict, text);
        if self.tls {
            self.address = self.address.over_tls().ok_or_else(|| {
                conflict("--tls encrypts lines; for a link of the web, write https:// in it")
            })?;
        }
        if self.ca.is_some() && !self.address.door.is_encrypted() {
            // Refuse rather than talk unencrypted.
            return Err(conflict(
                "--ca is for encrypted connections; use --tls or an https:// link",
            ));
        }
        self.address.ca = self.ca.take().map(PathBuf::into_boxed_path);
        Ok(self)
    }

    /// The language to use.
    pub fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(|| words::lang_of_locale(sys_locale::get_locale().as_deref()))
    }
}

impl Print {
    fn print(self, out: &mut impl io::Write) -> io::Result<()> {
        let mut text = Vec::new();
        match self {
            Print::Completions { shell } => {
                clap_complete::generate(shell, &mut Options::command(), "madang", &mut text);
            }
            Print::Man => text = manual::page(Options::command())?,
        }
        out.write_all(&text)
    }
}

/// Prints help, the version, or an error.
fn refusal(error: clap::Error) -> ExitCode {
    // If it can't be printed, the exit code remains.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done }
}

/// Parses whole seconds, at least one.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} is no number of seconds")),
    }
}

/// The server decides which names are valid. But a server without JSON reads the name as a
/// line, so it must not contain a line end.
fn parse_name(name: &str) -> Result<String, &'static str> {
    if name.contains(char::is_control) {
        return Err("a name has no line ends or other control characters");
    }
    Ok(name.trim().to_owned())
}

/// Parses a room in the form that the server takes, without the text around a key.
fn parse_room(room: &str) -> Result<String, DestinationError> {
    Destination::parse(room).map(|destination| destination.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Options::command().debug_assert();
        Print::command().debug_assert();
    }

    #[test]
    fn every_flag_is_a_variable_too() {
        let command = Options::command();
        for flag in command.get_arguments().filter(|flag| flag.get_long().is_some()) {
            let name = flag.get_long().expect("they were chosen by it");
            if !matches!(name, "help" | "version") {
                let variable = format!("MADANG_{}", name.to_uppercase().replace('-', "_"));
                assert_eq!(flag.get_env().and_then(|env| env.to_str()), Some(&*variable));
            }
        }
    }

    #[test]
    fn the_manual_page_tells_of_every_flag_and_exit_code_and_no_other() {
        const MANUAL: &str = include_str!("../README.md");

        /// The first cells of the table under `heading`.
        fn first_cells(heading: &str) -> impl Iterator<Item = &'static str> {
            let (_, section) = MANUAL.split_once(heading).expect("it is there");
            let section = section.split("\n## ").next().expect("one part at least");
            section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        }
        let told: BTreeSet<&str> = first_cells("\n## Flags\n")
            .filter_map(|cell| cell.strip_prefix("`--")?.split([' ', '`']).next())
            .collect();
        let command = Options::command();
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        let flags = flags.filter(|flag| !matches!(*flag, "help" | "version"));
        assert_eq!(told, flags.collect());
        let codes = |text: &'static str| {
            let words = text.lines().filter_map(|line| line.split_whitespace().next());
            words.filter_map(|word| word.parse::<u8>().ok()).collect::<Vec<_>>()
        };
        let told = first_cells("\n## Exit codes\n").filter_map(|cell| cell.parse().ok());
        assert_eq!(told.collect::<Vec<u8>>(), codes(exit_codes!()));
    }

    #[test]
    fn completions_and_the_manual_are_printed() {
        #[track_caller]
        fn check(args: &[&str], parts: &[&str]) {
            let print = Print::try_parse_from([&["madang"], args].concat()).expect("it prints");
            let mut text = Vec::new();
            print.print(&mut text).expect("a Vec takes all");
            let text = String::from_utf8(text).expect("it is UTF-8");
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        check(&["completions", "bash"], &["_madang()", "--no-reconnect"]);
        check(&["completions", "zsh"], &["#compdef madang"]);
        check(&["man"], &[".TH madang 1", "MADANG_COLOR", "MADANG_HISTORY", "name refused"]);
    }

    #[test]
    fn flags_are_read_or_refused() {
        #[track_caller]
        fn check(args: &[&str], expected: Result<(&str, Option<&str>, Option<Lang>), &str>) {
            let parsed = Options::try_parse_from([&["madang"], args].concat());
            let parsed = parsed.and_then(Options::settle);
            match (&parsed, expected) {
                (Ok(options), Ok(expected)) => {
                    let address = options.address.to_string();
                    assert_eq!((&*address, options.name.as_deref(), options.lang), expected);
                }
                (Err(error), Err(part)) => {
                    let text = error.to_string();
                    assert!(text.contains(part), "{text}");
                }
                _ => panic!("{parsed:?}"),
            }
        }
        check(&[], Ok(("localhost:9009", None, None)));
        check(
            &["chat", "--name", " 앨리스 ", "--lang=ko"],
            Ok(("chat:9009", Some("앨리스"), Some(Lang::Ko))),
        );
        check(&["--lang", "fr"], Err("use ko or en"));
        check(&["--name", "a\n/quit"], Err("--name"));
        check(&["host:99999"], Err("between 1 and 65535"));
        check(&["a", "b"], Err("unexpected argument"));
        check(&["--count", "3"], Err("--read"));
        check(&["--read", "--since", "1795580427316005"], Ok(("localhost:9009", None, None)));
        check(&["--read", "--since", "2026-11-28T14:00"], Ok(("localhost:9009", None, None)));
        check(&["--read", "--since", "yesterday"], Err("2026-11-28T14:00"));
        check(&["--read", "--count", "0"], Err("--count"));
        check(&["--read", "--block"], Err("--block"));
        check(&["--quiet"], Err("--read"));
        check(&["--color", "pink"], Err("auto, always, never"));
        check(&["chat", "--tls", "--ca=x"], Ok(("chat:9010", None, None)));
        check(&["https://chat", "--tls", "--ca=x"], Ok(("chat:443", None, None)));
        check(&["http://chat", "--tls"], Err("write https://"));
        check(&["chat", "--ca=x"], Err("use --tls"));
        check(&["--bell=mention", "--time=seconds"], Ok(("localhost:9009", None, None)));
    }
}
