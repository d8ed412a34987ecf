//! Which folder of the server imports which, in the sources and in the table that allows it.
//! Imports used only by a file's tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Attribute, Item, UseTree,
    visit::{self, Visit},
};

use crate::Source;

/// For each folder of `server/src`, and each file beside the folders, what it may import.
/// Everything may import what [`EVERYWHERE`] lists; files that put the server together may
/// import everything.
pub(crate) const TABLE: &[(&str, &[&str])] = &[
    ("transport", &[]),
    ("dialect", &[]),
    ("admission", &[]),
    ("timekeeper", &[]),
    ("delivery", &["transport", "dialect"]),
    ("session", &["delivery", "dialect"]),
    ("room", &["session", "delivery", "dialect"]),
    ("journal", &["room", "session"]),
    ("cluster", &["room", "session"]),
    ("commands", &["room", "session", "admission", "dialect"]),
    (
        "connection",
        &[
            "transport",
            "admission",
            "dialect",
            "delivery",
            "session",
            "room",
            "commands",
            "expiry",
            "shared",
        ],
    ),
    ("web", &["connection", "transport", "admission", "delivery", "dialect", "shared"]),
    ("operator", &["commands", "dialect", "shared"]),
];

/// Small files without a folder of their own that everything may use.
const EVERYWHERE: &[&str] =
    &["clock", "close_reason", "config", "doors", "metrics", "sync", "system"];

/// Files that put the server together, or describe it.
const WHOLE: &[&str] =
    &["cli", "config", "expiry", "fuzzing", "lib", "main", "manual", "server", "shared", "task"];

/// Modules that are compiled for tests only, in files of their own.
const TEST_FILES: &[&str] = &[
    "dialect/tsv.rs",
    "model.rs",
    "model/simulator.rs",
    "model/cluster.rs",
    "patience.rs",
    "test_server.rs",
    "transport/chunks.rs",
];

/// What a folder may import.
pub(crate) fn allowed(from: &str) -> Vec<&'static str> {
    let own = TABLE.iter().find(|(folder, _)| *folder == from).map_or(&[][..], |(_, to)| to);
    EVERYWHERE.iter().chain(own).copied().collect()
}

/// Whether a file of a crate's `src` is compiled for its tests only.
pub(crate) fn is_test_file(path: &str) -> bool {
    let (_, path) = path.split_once("/src/").expect("a source of a crate");
    path.ends_with("tests.rs") || path.contains("/tests/") || TEST_FILES.contains(&path)
}

/// Each pair of folders where the first imports the second, with the files that do.
pub(crate) fn between_folders(sources: &[Source]) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let path = source.path.strip_prefix("server/src/").expect("a source of the server");
        let from = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
        if WHOLE.contains(&from) || is_test_file(&source.path) {
            continue;
        }
        let file = syn::parse_file(&source.text).expect("Rust");
        let mut imports = Imports::default();
        imports.visit_file(&file);
        for to in imports.roots.into_iter().filter(|to| to != from) {
            found.entry((from.to_owned(), to)).or_default().insert(path.to_owned());
        }
    }
    found
}

/// The modules at the root of the crate that a file names, without its tests.
#[derive(Default)]
struct Imports {
    roots: BTreeSet<String>,
}

impl Imports {
    fn note_use(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) if path.ident == "crate" => self.note_first(&path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_use(tree)),
            _ => {}
        }
    }

    fn note_first(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => drop(self.roots.insert(path.ident.to_string())),
            UseTree::Name(name) => drop(self.roots.insert(name.ident.to_string())),
            UseTree::Rename(name) => drop(self.roots.insert(name.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_first(tree)),
            UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_use(&item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if segments.next().is_some_and(|first| first.ident == "crate")
            && let Some(root) = segments.next()
        {
            self.roots.insert(root.ident.to_string());
        }
        visit::visit_path(self, path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether the attribute marks an item as for tests only.
pub(crate) fn is_for_tests(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    attribute.path().is_ident("cfg") && list.tokens.to_string().contains("test")
}
