//! `cargo fuzz` for [`madang_fuzz::requests`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::requests::run(bytes));
