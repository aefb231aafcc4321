//! All tests that are not beside the code, in one binary.

mod sim;
mod support;
