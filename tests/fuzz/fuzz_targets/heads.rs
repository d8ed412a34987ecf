//! `cargo fuzz` for [`madang_fuzz::heads`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::heads::run(bytes));
