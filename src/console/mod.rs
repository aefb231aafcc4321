//! What operators read: the commands of the console, the director's state as text and JSON, and log lines.
//!
//! Pure: bytes in, bytes out. A command is found in one table ([`table`]); what it shows is made row by row into a
//! small buffer ([`answer`]), so that a table of 65,536 real servers neither holds up the loop nor needs memory.
//! A terminal is served by a [`session`], whose line [`editor`] reads [`keys`]. Commands that act are returned as
//! values; nothing here changes anything. Records become log lines in [`lines`], in keepalived's words where operators
//! grep for them. Read `view.rs` and `table.rs` first.

pub mod answer;
pub mod editor;
pub mod endpoint;
pub mod ipvs;
mod json;
pub mod kernel_tables;
pub mod keys;
pub mod lines;
pub mod log;
mod nearest;
mod offer;
mod pager;
pub mod session;
mod show;
pub mod table;
mod text;
pub mod view;

pub use answer::{Answer, Buf};
pub use show::sysctl;
pub use show::weights::weight_line;
pub use table::{Command, Format, Mistake, Request, parse};
pub use view::View;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
