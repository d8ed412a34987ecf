//! `cargo fuzz` for [`madang_fuzz::lines`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::lines::run(bytes));
