//! Rules about the sources themselves: which folder may import which, what every file
//! begins with, how long one may be, and words that STYLE forbids.
//!
//! A failure says which line broke which rule and what to do. The rules are those of the
//! architecture page (`server/README.md`); change them there and here together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

mod imports;
mod links;
mod names;
mod packages;
mod wording;
mod words;

/// A file of the repository: its path from the root, with `/`, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The lines before the file's own tests.
    fn lines_without_tests(&self) -> usize {
        let tests = ["#[cfg(test)]\nmod tests {", "#[cfg(all(test"];
        let end = tests.iter().filter_map(|tests| self.text.find(tests)).min();
        self.text[..end.unwrap_or(self.text.len())].lines().count()
    }
}

/// The most lines that a file may have, without its tests.
const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files with one of the extensions below these folders, or these files.
fn sources(places: &[&str], extensions: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut left: Vec<PathBuf> = places.iter().map(|place| root().join(place)).collect();
    while let Some(path) = left.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["target", "node_modules", ".venv", "results"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the repository");
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if extensions.iter().any(|wanted| path.extension().is_some_and(|it| it == *wanted)) {
            let text = fs::read_to_string(&path).expect("a text file");
            let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().into();
            sources.push(Source { path, text });
        }
    }
    assert!(!sources.is_empty(), "nothing found in {places:?}");
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn rust_sources() -> Vec<Source> {
    sources(&["protocol", "server", "client", "tests"], &["rs"])
}

/// Fails with all faults, one per line.
#[track_caller]
fn report(faults: Vec<String>, advice: &str) {
    assert!(faults.is_empty(), "\n{}\n{advice}\n", faults.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is() {
    let faults = rust_sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    let faults = faults.map(|source| source.path).collect();
    report(faults, "Begin the file with `//!`: what it is, and what lives elsewhere.");
}

#[test]
fn no_source_file_is_too_long() {
    let faults = rust_sources().into_iter().filter_map(|source| {
        let lines = source.lines_without_tests();
        let is_tests = source.path.contains("/tests") || source.path.starts_with("tests/e2e");
        (lines > MOST_LINES && !is_tests).then(|| format!("{}: {lines} lines", source.path))
    });
    report(
        faults.collect(),
        "A file is one noun. Find the second one in it and give it a file of its own.",
    );
}

#[test]
fn folders_of_the_server_import_only_what_the_table_allows() {
    let found = imports::between_folders(&sources(&["server/src"], &["rs"]));
    let mut faults = Vec::new();
    for ((from, to), places) in &found {
        let allowed = imports::allowed(from);
        if !allowed.contains(&to.as_str()) {
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            faults.push(format!("{from} imports {to}: {}", places.join(", ")));
        }
    }
    report(faults, "Move the code to where its imports point, or invert the call with a trait.");
}

#[test]
fn allowed_imports_have_no_cycle() {
    let graph: BTreeMap<&str, BTreeSet<&str>> =
        imports::TABLE.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < graph.len() {
        let free = graph.iter().find(|(from, to)| {
            !done.contains(*from)
                && to.iter().all(|to| done.contains(to) || !graph.contains_key(to))
        });
        let Some((from, _)) = free else {
            let rest: Vec<_> = graph.keys().filter(|from| !done.contains(*from)).collect();
            panic!("these folders may import each other in a circle: {rest:?}");
        };
        done.insert(from);
    }
}

/// The sources of each crate, without files that only tests need.
fn crates() -> impl Iterator<Item = Vec<Source>> {
    let folders = [
        "protocol/src",
        "server/src",
        "client/src",
        "client/terminal/src",
        "tests/src",
        "tests/load/src",
        "tests/soak/src",
        "tests/fuzz/src",
    ];
    folders.into_iter().map(|folder| {
        let mut sources = sources(&[folder], &["rs"]);
        sources.retain(|source| !imports::is_test_file(&source.path));
        sources
    })
}

const ONE_MEANING: &str = "A word means one thing: DESIGN's glossary has the words.";

#[test]
fn no_two_types_of_a_crate_share_a_name() {
    report(crates().flat_map(|sources| names::shared_types(&sources)).collect(), ONE_MEANING);
}

#[test]
fn no_two_functions_of_a_crate_share_a_name() {
    report(crates().flat_map(|sources| names::shared_functions(&sources)).collect(), ONE_MEANING);
}

#[test]
fn only_the_command_line_knows_clap_and_only_main_exits() {
    let faults = sources(&["server/src", "client/src"], &["rs"]).into_iter().flat_map(|source| {
        let file = source.path.rsplit('/').next().unwrap_or_default().to_owned();
        let knows_clap = ["cli.rs", "main.rs", "manual.rs", "task.rs"].contains(&&*file);
        // The value of a flag may be named where it is defined.
        let rules = [("clap::", knows_clap), ("process::exit(", file == "main.rs")];
        let text = source.text.clone();
        let lines: Vec<String> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .filter(|(_, line)| !line.contains("clap::ValueEnum"))
            .filter(|(_, line)| rules.iter().any(|(what, may)| !may && line.contains(what)))
            .map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim()))
            .collect();
        lines
    });
    report(faults.collect(), "Only cli.rs parses flags; return an error to main.rs instead.");
}

#[test]
fn the_wording_of_a_notice_is_asserted_in_one_file() {
    let notices = sources(&["protocol/src/notice", "protocol/src/notice.rs"], &["rs"]);
    let mut tests = sources(&["protocol", "server", "client", "tests"], &["rs"]);
    // Excluded: the rules themselves, and programs that recognize several servers by their
    // messages.
    let others = ["tests/structure", "tests/load", "tests/soak"];
    tests.retain(|source| !others.iter().any(|folder| source.path.starts_with(folder)));
    report(
        wording::repeated(&notices, &tests),
        "Ask for the notice by its name: `told(Notice::…)`, `.text(lang)`.",
    );
}

#[test]
fn sources_and_docs_are_plain_english() {
    let places = ["protocol", "server", "client", "tests", "README.md", "CHANGELOG.md", ".github"];
    let faults = sources(&places, &["rs", "md", "js", "mjs", "html", "css"])
        .iter()
        // This list itself.
        .filter(|source| !source.path.starts_with("tests/structure"))
        .flat_map(words::faults)
        .collect();
    report(
        faults,
        "Say it directly: subject, verb, object. STYLE, \"Plain English\", has examples.",
    );
}
