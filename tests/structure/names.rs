//! Types and free functions that share a name. Each word means one thing in a crate.
//!
//! A method belongs to its type, and a trait's function to the trait, so only free functions are
//! compared. Three kinds of namesakes are versions of one thing: a file for each operating system
//! and the file above them, a file for each language, and a function that appears twice in a file
//! under `#[cfg]`. Types and helpers of tests are ignored.

use std::collections::BTreeMap;

use syn::{
    Item,
    visit::{self, Visit},
};

use crate::{Source, imports::is_for_tests};

/// Functions that each module may have: the entry point of a program, or of one of its modes.
/// Callers name the module: `pipe::run`.
const ENTRY_POINTS: &[&str] = &["main", "run"];

/// Each name that several types of these sources have, with their files.
pub(crate) fn shared_types(sources: &[Source]) -> Vec<String> {
    shared(sources, |names| names.types)
}

/// Each name that several free functions of these sources have, with their files.
pub(crate) fn shared_functions(sources: &[Source]) -> Vec<String> {
    let mut functions = shared(sources, |names| names.functions);
    functions
        .retain(|fault| !ENTRY_POINTS.iter().any(|name| fault.starts_with(&format!("{name}:"))));
    functions
}

fn shared(sources: &[Source], of: impl Fn(Names) -> Vec<String>) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        let file = syn::parse_file(&source.text).expect("Rust");
        let mut names = Names::default();
        names.visit_file(&file);
        let place = place_of(&source.path);
        for name in of(names) {
            let places = found.entry(name).or_default();
            if !places.contains(&place) {
                places.push(place.clone());
            }
        }
    }
    let shared = found.into_iter().filter(|(_, places)| places.len() > 1);
    shared.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

/// A file; for one of several versions, the file above them.
fn place_of(path: &str) -> String {
    let versions = ["linux", "unix", "windows", "english", "korean"];
    let front = versions.iter().find_map(|file| path.strip_suffix(&format!("/{file}.rs")));
    front.map_or_else(|| path.to_owned(), |folder| format!("{folder}.rs"))
}

/// The definitions in a file, without its tests.
#[derive(Default)]
struct Names {
    types: Vec<String>,
    functions: Vec<String>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name, list) = match item {
            Item::Struct(item) => (&item.attrs, Some(&item.ident), &mut self.types),
            Item::Enum(item) => (&item.attrs, Some(&item.ident), &mut self.types),
            Item::Union(item) => (&item.attrs, Some(&item.ident), &mut self.types),
            Item::Trait(item) => (&item.attrs, Some(&item.ident), &mut self.types),
            Item::Type(item) => (&item.attrs, Some(&item.ident), &mut self.types),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident), &mut self.functions),
            Item::Mod(item) => (&item.attrs, None, &mut self.types),
            Item::Impl(item) => (&item.attrs, None, &mut self.types),
            _ => return,
        };
        if attributes.iter().any(is_for_tests) {
            return;
        }
        list.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

#[test]
fn a_name_of_two_types_is_found_and_tests_are_left_alone() {
    let sources = [
        source("a.rs", "struct Place; mod inner { pub enum Other {} }"),
        source("b.rs", "type Place = u8; #[cfg(test)] mod tests { struct Other; }"),
    ];
    assert_eq!(shared_types(&sources), ["Place: a.rs, b.rs"]);
}

#[test]
fn a_name_of_two_functions_is_found_and_versions_of_one_are_one() {
    let sources = [
        source("a.rs", "fn main() {} fn write() {} struct A; impl A { fn read() {} }"),
        source("a/unix.rs", "fn write() {} fn read() {}"),
        source("a/windows.rs", "fn read() {}"),
        source("b.rs", "fn main() {} mod inner { pub fn write() {} } fn send() { fn part() {} }"),
        source("c.rs", "#[cfg(unix)] fn own() {} #[cfg(not(unix))] fn own() {} fn part() {}"),
        source("d.rs", "#[cfg(test)] mod tests { fn own() {} }"),
    ];
    assert_eq!(shared_functions(&sources), ["part: b.rs, c.rs", "write: a.rs, b.rs"]);
}
