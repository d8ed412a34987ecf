//! Properties that must hold for any bytes: one module for each kind of input, with a function
//! `run` that panics if a property fails. `fuzz_targets/` gives each to `cargo fuzz`;
//! `tests/corpus.rs` runs each over its corpus and over mutations of it. See `README.md`.

pub mod lines;
pub mod openings;
pub mod frames;
pub mod heads;
pub mod addresses;

pub mod text;
pub mod names;
pub mod commands;
pub mod requests;

pub mod entries;
pub mod recovery;
pub mod client;

pub mod chunks;
pub mod cost;
pub mod mutation;

/// One kind of input.
pub struct Target {
    /// Its name, which is also that of its corpus folder.
    pub name: &'static str,
    /// Panics if a property fails for these bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "lines", run: lines::run },
    Target { name: "openings", run: openings::run },
    Target { name: "frames", run: frames::run },
    Target { name: "heads", run: heads::run },
    Target { name: "addresses", run: addresses::run },
    Target { name: "text", run: text::run },
    Target { name: "names", run: names::run },
    Target { name: "commands", run: commands::run },
    Target { name: "requests", run: requests::run },
    Target { name: "entries", run: entries::run },
    Target { name: "recovery", run: recovery::run },
    Target { name: "client", run: client::run },
];
