//! Block tree to typed, bounded [`Config`]: keyword tables, defaults, cross-checks, lints, differences.
//!
//! Read [`model`] first: it is what the rest of the program sees. Then the tables (`global`, [`instance`], [`service`],
//! `crate::check::keywords`): adding a keyword is adding a row. What comes of the drafts that they fill is in the files
//! that end in `_build`; [`loader`] drives all of it in slices; [`canonical`] is the way back to text.

pub mod canonical;
pub mod check;
pub mod codes;
pub mod counts;
pub mod differences;
pub mod explain;
pub mod help;
pub mod ids;
pub mod keywords;
pub mod loader;
pub mod model;
pub mod needs;
pub mod routing;
pub mod wishes;

mod address;
mod appliance;
mod behaviour;
mod build;
mod global;
mod group;
mod instance;
mod instance_build;
mod iproute;
pub(crate) mod known;
mod link_rules;
mod manner;
pub(crate) mod order;
mod own;
mod pool;
mod probe_build;
mod refused;
mod route;
mod rows;
mod rule;
mod service;
mod service_build;
mod service_group;
mod service_lints;
mod service_spec;
mod static_build;
mod sync_daemon;
#[cfg(feature = "tls")]
pub mod tls;
mod track;
pub mod via;

#[cfg(test)]
mod tests;

pub use check::{Outcome, report};
pub use loader::{Loaded, Loader, load};
pub use model::Config;

/// Stands for a byte that is no UTF-8 where a question mark would have a meaning of its own (ASCII's SUBSTITUTE).
pub const UNREADABLE: u8 = 0x1a;
