//! Text to a tree of blocks with positions, tables of keywords as a mechanism, and diagnostics.
//!
//! This layer knows the lexical rules of keepalived's grammar and how a diagnostic looks; it owns no keyword and opens
//! no file. Reading is done in slices ([`Reader::step`]) and without recursion, so that a reload of a large file never
//! holds the event loop. Read [`tree`], then [`reader`], then [`keyword`].

pub mod diagnostic;
pub mod keyword;
pub mod nearest;
pub mod reader;
pub mod shape;
pub mod tree;
pub mod value;
pub mod walk;

mod define;
mod excerpt;
pub mod expand;
mod feed;
mod generate;
mod include;
pub mod inclusion;
mod line;
mod plain;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use expand::Facts;
pub use keyword::{Context, Given, Keyword, Kind, Line, Table};
pub use reader::{Progress, Reader, Want};
pub use shape::{Row, Rows, Shape};
pub use tree::{Cursor, FileId, NodeId, Position, Tree, Word};
pub use walk::Walk;
