//! `cargo fuzz` for [`madang_fuzz::entries`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::entries::run(bytes));
