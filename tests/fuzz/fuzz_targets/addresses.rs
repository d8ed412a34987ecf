//! `cargo fuzz` for [`madang_fuzz::addresses`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::addresses::run(bytes));
