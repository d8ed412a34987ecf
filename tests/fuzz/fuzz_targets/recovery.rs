//! `cargo fuzz` for [`madang_fuzz::recovery`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::recovery::run(bytes));
