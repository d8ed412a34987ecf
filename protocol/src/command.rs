//! What a person may say: text, or a command with a slash before it. One table
//! gives every command's names, arguments and help; all doors share it.

use crate::text::Lang;

/// A line that a member typed, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// Words for the room.
    Text(&'a str),
    /// A command, or why there is none.
    Command(Result<Command, CommandError>),
}

impl<'a> Input<'a> {
    /// Reads a line: a slash starts a command, two say one.
    pub fn parse(line: &'a str) -> Input<'a> {
        match line.strip_prefix('/') {
            None => Input::Text(line),
            Some(rest) if rest.starts_with('/') => Input::Text(rest),
            Some(_) => Input::Command(Command::parse(line)),
        }
    }
}

/// A command, its arguments read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Lists the commands.
    Help,
    /// Leaves, and ends the connection.
    Quit,
    /// Lists who is in the room.
    Who,
    /// Changes the language in which the server speaks to this member.
    Lang(Lang),
}

/// Why a line is no [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandError {
    /// There is no such command.
    Unknown {
        /// The known name that comes nearest.
        nearest: &'static str,
    },
    /// The command is known and its arguments are not right.
    Usage(&'static CommandSpec),
}

/// One row of the table of commands.
#[derive(Debug)]
pub struct CommandSpec {
    /// The name, with its slash.
    pub name: &'static str,
    /// The Korean name, with its slash.
    pub alias: &'static str,
    /// The arguments as help shows them; empty if there are none.
    pub arguments: &'static str,
    help: [&'static str; 2],
    parse: fn(&str) -> Option<Command>,
}

/// Rows are told apart by their names.
impl PartialEq for CommandSpec {
    fn eq(&self, other: &CommandSpec) -> bool {
        self.name == other.name
    }
}

impl Eq for CommandSpec {}

impl CommandSpec {
    /// What the command does, in one line.
    pub fn help(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Ko => self.help[0],
            Lang::En => self.help[1],
        }
    }

    /// The command with its arguments: `/lang ko|en`.
    pub fn usage(&self) -> String {
        format!("{} {}", self.name, self.arguments).trim_end().to_owned()
    }
}

/// Every command, in the order in which help lists them.
pub static COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        name: "/help",
        alias: "/도움말",
        arguments: "",
        help: ["명령 목록을 보여 줍니다", "lists the commands"],
        parse: |_| Some(Command::Help),
    },
    CommandSpec {
        name: "/who",
        alias: "/누구",
        arguments: "",
        help: ["지금 있는 사람을 보여 줍니다", "lists who is here"],
        parse: |_| Some(Command::Who),
    },
    CommandSpec {
        name: "/lang",
        alias: "/언어",
        arguments: "ko|en",
        help: [
            "서버가 나에게 쓰는 언어를 바꿉니다",
            "changes the language in which the server speaks to you",
        ],
        parse: |arguments| arguments.parse().ok().map(Command::Lang),
    },
    CommandSpec {
        name: "/quit",
        alias: "/나가기",
        arguments: "",
        help: ["나갑니다", "leaves"],
        parse: |_| Some(Command::Quit),
    },
];

impl Command {
    /// Reads a line that begins with a slash. Case and white space around the
    /// words don't matter.
    ///
    /// # Errors
    ///
    /// [`CommandError`] names the nearest command, or the right usage.
    pub fn parse(line: &str) -> Result<Command, CommandError> {
        let line = line.trim();
        let (word, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let word = word.to_lowercase();
        match COMMANDS.iter().find(|spec| spec.name == word || spec.alias == word) {
            Some(spec) => (spec.parse)(arguments.trim()).ok_or(CommandError::Usage(spec)),
            None => Err(CommandError::Unknown { nearest: nearest(&word) }),
        }
    }
}

/// The known name that takes the fewest edits to make `word` of.
fn nearest(word: &str) -> &'static str {
    // Only the beginning counts: a pasted path costs no more than a typing error.
    let word: String = word.chars().take(16).collect();
    COMMANDS
        .iter()
        .flat_map(|spec| [spec.name, spec.alias])
        .min_by_key(|name| strsim::damerau_levenshtein(name, &word))
        .expect("the table has rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_text_or_commands() {
        #[track_caller]
        fn check(line: &str, expected: Input<'_>) {
            assert_eq!(Input::parse(line), expected);
        }
        check("hello", Input::Text("hello"));
        check("//home", Input::Text("/home"));
        check("///", Input::Text("//"));
        check(" /who", Input::Text(" /who"));
        check("/who", Input::Command(Ok(Command::Who)));
        check("/WHO  ", Input::Command(Ok(Command::Who)));
        check("/누구", Input::Command(Ok(Command::Who)));
        check("/quit now", Input::Command(Ok(Command::Quit)));
        check("/lang  en ", Input::Command(Ok(Command::Lang(Lang::En))));
        check("/언어 KO", Input::Command(Ok(Command::Lang(Lang::Ko))));
    }

    #[test]
    fn unknown_commands_name_the_nearest() {
        #[track_caller]
        fn check(line: &str, expected: &'static str) {
            assert_eq!(Command::parse(line), Err(CommandError::Unknown { nearest: expected }));
        }
        check("/hlep", "/help");
        check("/qiut", "/quit");
        check("/exit", "/quit");
        check("/whom", "/who");
        check("/도움", "/도움말");
        let long = format!("/{}", "x".repeat(4_000));
        assert!(matches!(Command::parse(&long), Err(CommandError::Unknown { .. })));
    }

    #[test]
    fn wrong_arguments_name_the_usage() {
        for line in ["/lang", "/lang fr", "/lang en ko"] {
            let Err(CommandError::Usage(spec)) = Command::parse(line) else {
                panic!("{line} was accepted");
            };
            assert_eq!(spec.usage(), "/lang ko|en");
        }
    }

    #[test]
    fn names_are_told_apart_and_begin_with_a_slash() {
        let mut names: Vec<&str> =
            COMMANDS.iter().flat_map(|spec| [spec.name, spec.alias]).collect();
        assert!(names.iter().all(|name| name.starts_with('/') && name.to_lowercase() == *name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
