//! `cargo fuzz` for [`madang_fuzz::commands`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::commands::run(bytes));
