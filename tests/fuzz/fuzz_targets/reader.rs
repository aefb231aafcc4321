//! The lexical rules: text to a tree of blocks.

#![no_main]

#[path = "../../it/fuzz/body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::reader(bytes));
