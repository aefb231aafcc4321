//! What the tests beside the code share with the simulation.

#[path = "../../tests/it/support/mod.rs"]
mod support;

pub(crate) use support::*;
