//! Types that share a name. Each word means one thing in a crate.

use std::collections::BTreeMap;

use syn::{
    Item,
    visit::{self, Visit},
};

use crate::{Source, imports::is_for_tests};

/// Each name that several types of these sources have, with the files where they stand.
pub(crate) fn shared(sources: &[Source]) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources {
        let file = syn::parse_file(&source.text).expect("Rust");
        let mut types = Types::default();
        types.visit_file(&file);
        for name in types.names {
            let places = found.entry(name).or_default();
            // Twice in one place, it stands there for two systems.
            if !places.contains(&place_of(&source.path)) {
                places.push(place_of(&source.path));
            }
        }
    }
    let shared = found.into_iter().filter(|(_, places)| places.len() > 1);
    shared.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

/// A file; for one that each operating system has its own of, their folder.
fn place_of(path: &str) -> &str {
    let for_system = ["/unix.rs", "/windows.rs"];
    for_system.iter().find_map(|file| path.strip_suffix(file)).unwrap_or(path)
}

/// The types that a file defines, its tests aside.
#[derive(Default)]
struct Types {
    names: Vec<String>,
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Mod(item) => (&item.attrs, None),
            Item::Fn(item) => (&item.attrs, None),
            Item::Impl(item) => (&item.attrs, None),
            _ => return,
        };
        if attributes.iter().any(is_for_tests) {
            return;
        }
        self.names.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }
}

#[test]
fn a_name_of_two_types_is_found_and_tests_are_left_alone() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let sources = [
        source("a.rs", "struct Place; mod inner { pub enum Other {} }"),
        source("b.rs", "type Place = u8; #[cfg(test)] mod tests { struct Other; }"),
    ];
    assert_eq!(shared(&sources), ["Place: a.rs, b.rs"]);
}
