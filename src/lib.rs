//! lvsbox: an LVS director in one process, one thread and one event loop.
//!
//! A keepalived configuration goes in; VRRP elects the active director, the kernel's IPVS table is kept as configured,
//! real servers are checked, virtual addresses are announced. [`director`] takes every decision without doing any
//! I/O; everything else brings it events and carries out its actions.
//!
//! # How data flows
//!
//! - an advert: `kernel::raw` reads a packet, `wire::vrrp` parses it, `task::adverts` makes an event of it,
//!   `director::vrrp` decides, `director::net_plan` and `director::garp` follow, `task::apply` calls the kernel;
//! - a check: `director::health` says when, `task::slots` runs the dialogue of `check`, the verdict is an event,
//!   `director::services` decides, `director::ipvs_plan` compares with the kernel, `task::apply` calls it;
//! - a file: `syntax` reads text into blocks, `config` makes a typed [`config::Config`], `director::reload` prepares
//!   tables beside the running ones and swaps them in one event;
//! - a command: `task::control` reads a line, `console` finds the row of its table and renders the director's state.
//!
//! # Where things are
//!
//! | folder | what it is |
//! |---|---|
//! | [`limits`], [`time`] | every capacity with its reason; instants that nothing can read from a clock |
//! | [`wire`] | bytes to types and back |
//! | [`syntax`] | text to a tree of blocks with positions; diagnostics |
//! | [`check`] | one file per checker: keywords, dialogue, tests |
//! | [`config`] | blocks to a typed, bounded configuration: keyword tables, defaults, cross-checks |
//! | [`director`] | every decision, all state; pure |
//! | [`console`] | the line editor, the commands, and rendering of the director's state as text and JSON; log lines |
//! | [`kernel`] | everything that makes a system call; `kernel::sys` is the only home of `unsafe` but the allocator |
//! | [`observe`] | the counting allocator, the log |
//! | [`task`] | the loop, the reactor, one event source per file, `apply` |
//! | [`boot`] | PID 1 of the appliance: stages, sysctls, interfaces, the end of the machine |
//! | [`cli`] | arguments and the short-lived commands |
//!
//! The same basename on every layer is one feature: `find src -name 'vrrp*'`. Which layer may name which is checked
//! by `tests/it/layering.rs`.

#[cfg(test)]
extern crate self as lvsbox;

pub mod boot;
pub mod check;
pub mod cli;
pub mod config;
pub mod console;
pub mod director;
pub mod kernel;
pub mod limits;
pub mod observe;
pub mod syntax;
pub mod task;
pub mod time;
pub mod wire;
