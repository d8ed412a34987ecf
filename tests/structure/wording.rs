//! Sentences of the server's notices that tests in several files repeat. One file asserts the
//! wording, byte for byte; elsewhere a test asks for the notice by name, so that a better
//! sentence changes only its table and one test.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ItemMod, LitStr, Macro,
    visit::{self, Visit},
};

use crate::{
    Source,
    imports::{is_for_tests, is_test_file},
};

/// Lines of the server that Madang comes from, which stay as they are.
const SEED: &[&str] = &["이미 등록된 사용자입니다."];

/// Shorter sentences are too common to be recognized.
const FEWEST_WORDS: usize = 3;

/// Each sentence of `notices` that tests in several files contain, with the files.
pub(crate) fn repeated(notices: &[Source], tests: &[Source]) -> Vec<String> {
    let sentences: BTreeSet<String> = notices
        .iter()
        .flat_map(|source| literals(source, Part::Program))
        .flat_map(|text| {
            let parts = text.split(['{', '}', '\n']).map(|part| part.trim().to_owned());
            parts.collect::<Vec<_>>()
        })
        .filter(|part| is_sentence(part))
        .collect();
    let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in tests {
        let is_program = source.path.contains("/src/") && !source.path.starts_with("tests/");
        let is_whole = !is_program || is_test_file(&source.path);
        let part = if is_whole { Part::Whole } else { Part::OwnTests };
        for text in literals(source, part) {
            let said = text.trim();
            if said.split_whitespace().count() < FEWEST_WORDS {
                continue;
            }
            let is_part = is_sentence(said);
            for sentence in &sentences {
                if text.contains(&**sentence) || (is_part && sentence.contains(said)) {
                    places.entry(sentence).or_default().insert(&source.path);
                }
            }
        }
    }
    let are_several =
        |(sentence, files): &(&str, BTreeSet<&str>)| files.len() > 1 && !SEED.contains(sentence);
    let shown = |(sentence, files): (&str, BTreeSet<&str>)| {
        format!("{sentence:?}: {}", files.into_iter().collect::<Vec<_>>().join(", "))
    };
    places.into_iter().filter(are_several).map(shown).collect()
}

/// Whether a part of a text is long enough to be recognized: five words, or three if they end
/// like a sentence or are Korean, which needs fewer.
fn is_sentence(part: &str) -> bool {
    // A flag is not a word.
    let is_word = |word: &&str| word.contains(char::is_alphanumeric) && !word.starts_with('-');
    let words = part.split_whitespace().filter(is_word).count();
    let is_korean = part.contains(|letter| ('가'..='힣').contains(&letter));
    let ends = [".", "?", "--"].iter().any(|end| part.ends_with(end));
    words >= if ends || is_korean { FEWEST_WORDS } else { 5 }
}

/// The string literals of a source: of its program, of its tests, or all.
fn literals(source: &Source, of: Part) -> Vec<String> {
    let file = syn::parse_file(&source.text).expect("Rust");
    let mut literals = Literals { found: Vec::new(), is_wanted: of != Part::OwnTests, of };
    literals.visit_file(&file);
    literals.found
}

/// The part of a file to look at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A file that is only for tests.
    Whole,
    /// The part that is not for tests.
    Program,
    /// The part that is for tests only.
    OwnTests,
}

struct Literals {
    found: Vec<String>,
    is_wanted: bool,
    of: Part,
}

impl Literals {
    /// Takes the literals in a macro's arguments.
    fn take(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.take(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(literal) = syn::parse_str::<LitStr>(&literal.to_string()) {
                        self.found.push(literal.value());
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let around = self.is_wanted;
        if module.attrs.iter().any(is_for_tests) {
            self.is_wanted = self.of != Part::Program;
        }
        visit::visit_item_mod(self, module);
        self.is_wanted = around;
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        if self.is_wanted {
            self.found.push(literal.value());
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if self.is_wanted {
            self.take(call.tokens.clone());
        }
    }

    /// Comments are attributes too.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

#[test]
fn a_sentence_in_two_files_is_found_and_a_name_of_it_is_not() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let notices = [source(
        "protocol/src/notice.rs",
        r#"fn text() { format!("{user} is locked out.\n방이 잠겨 있어 {room}"); "No such room." }
           #[cfg(test)] mod tests { const IN_A_TEST: &str = "not a notice at all"; }"#,
    )];
    let tests = [
        source(
            "tests/e2e/a.rs",
            r#"fn a() { assert_eq!(b(), ["bob is locked out.", "한 번에"]); }"#,
        ),
        source(
            "server/tests/b.rs",
            r#"const C: &str = "carol is locked out. not a notice at all";"#,
        ),
        source("server/src/c.rs", r#"const C: &str = "dave is locked out.";"#),
        source("server/src/d.rs", r#"#[cfg(test)] mod tests { const D: &str = "No such room."; }"#),
        source(
            "server/src/room/tests.rs",
            r#"/// No such room.
           fn e() { told(Notice::NoSuchRoom) }"#,
        ),
    ];
    assert_eq!(
        repeated(&notices, &tests),
        [r#""is locked out.": server/tests/b.rs, tests/e2e/a.rs"#]
    );
}
