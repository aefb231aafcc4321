//! Block tree to typed, bounded [`Config`]: keyword tables, defaults, cross-checks, lints, differences.
//!
//! Read [`model`] first: it is what the rest of the program sees.

pub mod ids;
pub mod model;

pub use model::Config;
