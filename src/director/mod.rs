//! Every decision, all state, no I/O: events in, actions and records out.

pub mod action;
pub mod event;
