//! The program's view of itself: heap figures, the log, and its last words.
//!
//! Everything here works without allocating and without waiting, because it must work when nothing else does.

pub mod heap;
pub mod log;
pub mod panic;
pub mod ring;
pub mod text;
