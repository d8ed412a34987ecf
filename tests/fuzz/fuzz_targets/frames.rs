//! `cargo fuzz` for [`madang_fuzz::frames`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::frames::run(bytes));
