//! The laboratory: what the tests and the demo run lvsbox in.
