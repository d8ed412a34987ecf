//! The command line. Nothing else knows how flags are read.

use clap::Parser as _;
use madang_protocol::text::Lang;

use crate::{
    address::Address,
    exit_code::{self, ExitCode},
    words,
};

const ABOUT: &str = "\
Talk on a Madang chat server, or on any other that speaks lines.

On a terminal, type and press Enter; /help lists the commands, /quit or Ctrl-D leaves. \
In a pipe, each line of the input is said, and the server has confirmed all of them \
before madang exits: echo hi | madang HOST --name bot";

/// What the command line asks for.
#[derive(Debug, clap::Parser)]
#[command(
    name = "madang",
    version,
    about = "Talk on a Madang chat server, or on any other that speaks lines",
    long_about = ABOUT,
    after_help = exit_code::HELP,
    max_term_width = 100
)]
pub struct Options {
    /// The server, by default localhost:9009, and port 9009 on any other host; IPv6 as `[::1]:9009`
    #[arg(
        value_name = "HOST[:PORT]",
        env = "MADANG_HOST",
        hide_env_values = true,
        default_value = "localhost:9009",
        hide_default_value = true
    )]
    pub address: Address,

    /// The name to log in with; by default it is asked for on a terminal, and a guest name in a
    /// pipe
    #[arg(long, env = "MADANG_NAME", hide_env_values = true, value_parser = parse_name)]
    pub name: Option<String>,

    /// The language of the client and of what the server says to it, by default the locale's: ko
    /// or en
    #[arg(long, value_name = "ko|en", env = "MADANG_LANG", hide_env_values = true)]
    lang: Option<Lang>,
}

impl Options {
    /// Reads the process's command line and environment.
    ///
    /// # Errors
    ///
    /// The code to exit with, after help, the version, or what is wrong was printed.
    pub fn parse() -> Result<Options, ExitCode> {
        Options::try_parse().map_err(|error| {
            // Where it can't be printed, the exit code still tells.
            let _ = error.print();
            if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done }
        })
    }

    /// The language in which to speak.
    pub fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(|| words::lang_of_locale(sys_locale::get_locale().as_deref()))
    }
}

/// Which names are good is the server's to say; but to a server without JSON a
/// name is a line, and must not become two.
fn parse_name(name: &str) -> Result<String, &'static str> {
    if name.contains(char::is_control) {
        return Err("a name has no line ends or other control characters");
    }
    Ok(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn flags_are_read_or_refused() {
        #[track_caller]
        fn check(args: &[&str], expected: Result<(&str, Option<&str>, Option<Lang>), &str>) {
            let parsed = Options::try_parse_from([&["madang"], args].concat());
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
    }
}
