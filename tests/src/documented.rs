//! What the project's documents say: the commands to type, for the tests that run them, and the
//! sections of a manual page. `tests/e2e/readme.rs` lists which test runs each command, and why some
//! are not run.

use std::{collections::BTreeSet, fs, path::Path};

/// The documents that tell people to type something.
pub const PAGES: [&str; 15] = [
    "README.md",
    "server/CLUSTER.md",
    "server/EXERCISES.md",
    "server/EXERCISES.ko.md",
    "server/LESSON.md",
    "server/OPERATING.md",
    "server/README.md",
    "server/web/README.md",
    "client/README.md",
    "protocol/README.md",
    "tests/fuzz/README.md",
    "tests/load/README.md",
    "tests/mutations/README.md",
    "tests/soak/README.md",
    ".github/CONTRIBUTING.md",
];

/// The beginnings of commands within sentences. Such a word on its own only names the program.
const PROGRAMS: &str = " apt cargo chcp curl git journalctl madang madang-server madang.exe make \
                        nc ncat node openssl podman rustup sudo systemctl telnet ";

/// Every command in the [`PAGES`], once: those in blocks of `sh`, those within sentences, and
/// each block of `js` as a whole.
///
/// # Panics
///
/// If a page is missing.
pub fn documented_commands() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = PAGES.iter().map(|page| {
        fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
    });
    pages.flat_map(|page| commands(&page)).collect()
}

/// The command once both programs are installed, in place of one that builds first.
pub fn as_installed(command: &str) -> String {
    let mut installed = command.to_owned();
    for package in ["madang-server", "madang"] {
        for start in ["cargo run --release -p ", "cargo run -p "] {
            let built = format!("{start}{package}");
            installed = installed.replace(&format!("{built} -- "), &format!("{package} "));
            if let Some(before) = installed.strip_suffix(&built) {
                installed = format!("{before}{package}");
            }
        }
    }
    installed
}

/// The headings of a manual page in roff, as they are read.
pub fn manual_sections(page: &str) -> String {
    let sections = page.lines().filter_map(|line| line.strip_prefix(".SH "));
    sections.map(|section| section.trim_matches('"')).collect::<Vec<_>>().join(", ")
}

fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    // Every second part is inside fences, with its language on the first line.
    for (at, part) in page.split("```").enumerate() {
        let (kind, block) = part.split_once('\n').unwrap_or((part, ""));
        match (at % 2, kind) {
            (0, _) => found.extend(within_sentences(part)),
            (_, "sh") => found.extend(
                block
                    .replace("\\\n", " ")
                    .lines()
                    .map(without_comment)
                    .filter(|line| !line.is_empty()),
            ),
            (_, "js") => found.push(block.to_owned()),
            _ => {}
        }
    }
    found
}

/// The code between backticks, if it is a command.
fn within_sentences(text: &str) -> impl Iterator<Item = String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.map(without_comment).filter(|span| {
        let is_setting = |word: &&str| word.contains('=');
        let mut words = span.split(' ').skip_while(is_setting);
        let Some(first) = words.next() else { return false };
        (first.starts_with(".ci/") && !first.ends_with('/'))
            || (PROGRAMS.contains(&format!(" {first} ")) && words.next().is_some())
    })
}

/// The command with single blanks, without a trailing comment.
fn without_comment(line: &str) -> String {
    let line = line.split("  # ").next().expect("one part at least");
    // In a table, a bar is written with a backslash.
    line.replace("\\|", "|").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_blocks_and_sentences() {
        let page = "Run `nc HOST 9009`, not `nc`, then `A=1 cargo test`, see `/help`.\n\
                    ```sh\nmake 2>&1 \\\n    | madang HOST     # all of it\n\nmadang x/#KEY\n```\n\
                    ```text\nnot this\n```\n| `madang a\\|b` | `.ci/run` |\n```js\na = 1;\nb\n```\n";
        let expected = [
            "nc HOST 9009",
            "A=1 cargo test",
            "make 2>&1 | madang HOST",
            "madang x/#KEY",
            "madang a|b",
            ".ci/run",
            "a = 1;\nb\n",
        ];
        assert_eq!(commands(page), expected);
    }

    #[test]
    fn cargo_run_becomes_the_installed_program() {
        #[track_caller]
        fn check(command: &str, expected: &str) {
            assert_eq!(as_installed(command), expected);
        }
        check("cargo run --release -p madang-server -- --lang en", "madang-server --lang en");
        check("cargo run -p madang-server", "madang-server");
        check("make | cargo run --release -p madang -- localhost", "make | madang localhost");
        check("cargo run -p madang-load -- compare", "cargo run -p madang-load -- compare");
    }
}
