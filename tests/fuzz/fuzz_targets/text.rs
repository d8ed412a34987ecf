//! `cargo fuzz` for [`madang_fuzz::text`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::text::run(bytes));
