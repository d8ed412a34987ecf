//! `cargo fuzz` for [`madang_fuzz::openings`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::openings::run(bytes));
