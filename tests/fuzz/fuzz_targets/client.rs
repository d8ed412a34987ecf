//! `cargo fuzz` for [`madang_fuzz::client`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| madang_fuzz::client::run(bytes));
