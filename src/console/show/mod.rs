//! What the commands show: one file each with its text and its JSON, row by row ([`super::answer`]).

pub(super) mod boot;
pub(super) mod checks;
pub(super) mod complete;
pub(super) mod config;
mod daemon;
mod election;
pub(super) mod firewall;
pub(super) mod memory;
mod misfits;
pub(super) mod other;
pub(super) mod status;
pub mod sysctl;
pub(super) mod turns;
pub(super) mod vrrp;
pub(super) mod weights;
pub(super) mod why;

use core::fmt::{self, Write};

use super::text::Line;
use crate::director::vrrp::State;

/// A state as operators know it.
pub(super) fn state_word(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
        State::Fault(_) => "FAULT",
    }
}

/// A line of its own, cleaned.
fn line(out: &mut dyn Write, content: fmt::Arguments<'_>) -> fmt::Result {
    let mut line = Line::new(out);
    line.write_fmt(content)?;
    line.end()
}

/// A label and what belongs to it.
fn labelled(out: &mut dyn Write, label: &str, content: fmt::Arguments<'_>) -> fmt::Result {
    let mut line = Line::new(out);
    write!(line, "  {label}")?;
    line.to(16)?;
    line.write_fmt(content)?;
    line.end()
}
