//! `lvsbox check` as a whole.

#![no_main]

#[path = "../../it/fuzz/body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::whole(bytes));
