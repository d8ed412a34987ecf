//! Every property over its corpus, and over as many random changes of it as a plain test has time
//! for. `FUZZ_EXECUTIONS=1000000 FUZZ_SEED=2` asks for more, and for different ones.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    str::FromStr,
};

use madang_fuzz::{TARGETS, Target, mutation::Random};

/// How many changed inputs each target gets by default.
const EXECUTIONS: usize = 1_000;

/// The same for a target that reads a whole database each time.
const RECOVERIES: usize = 50;

/// The longest changed input.
const MOST_BYTES: usize = 4_096;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn asked<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The files of a target's corpus, sorted by name.
fn corpus(target: &Target) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("corpus").join(target.name)).expect("it has one");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

/// Checks one input; a failure shows how to reproduce it.
fn check(target: &Target, input: &[u8], what: &str) {
    let checked = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if checked.is_err() {
        panic!("{} does not hold for {what}: b\"{}\"", target.name, input.escape_ascii());
    }
}

#[track_caller]
fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("there is one");
    let paths = corpus(target);
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).expect("a file")).collect();
    for (path, seed) in paths.iter().zip(&seeds) {
        check(target, seed, &path.display().to_string());
    }
    let few = if name == "recovery" { RECOVERIES } else { EXECUTIONS };
    let executions = asked("FUZZ_EXECUTIONS").unwrap_or(few);
    let seed: u64 = asked("FUZZ_SEED").unwrap_or(1);
    let mut random = Random::new(seed);
    for number in 0..executions {
        let input = random.mutate(&seeds, MOST_BYTES);
        check(target, &input, &format!("change {number} with FUZZ_SEED={seed}"));
    }
}

/// A test for each target, named after it.
macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

tests! {
    lines openings frames heads addresses text names commands requests entries recovery client
}

#[test]
fn every_target_has_a_test_a_corpus_and_a_program() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("a manifest");
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    for target in TARGETS {
        let program = format!("path = \"fuzz_targets/{}.rs\"", target.name);
        assert!(manifest.contains(&program), "no {program}");
        assert!(folder().join("fuzz_targets").join(format!("{}.rs", target.name)).is_file());
        let paths = corpus(target);
        assert!(paths.len() >= 5, "{} inputs for {}", paths.len(), target.name);
        let sizes = paths.iter().map(|path| fs::metadata(path).expect("a file").len());
        assert!(sizes.max() <= Some(8_192), "an input for {} is too long", target.name);
    }
}
