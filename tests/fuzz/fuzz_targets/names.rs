//! `cargo fuzz` for [`madang_fuzz::names`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::names::run(bytes));
