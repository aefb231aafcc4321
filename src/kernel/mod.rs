//! Everything that makes a system call. Nothing here decides anything or remembers more than a descriptor.
//!
//! Every function takes its parameters from the caller, never blocks after start (sockets are non-blocking, files
//! are read in pieces) and reports the operation, the object and the kernel's error number. `sys` is the only home
//! of `unsafe` besides the allocator. Read `error` first, then the socket you need.

pub mod claims;
pub mod clock;
pub mod console;
pub mod error;
pub mod files;
pub mod icmp;
pub mod link;
pub mod machine;
pub mod module;
pub mod mount;
pub mod neighbours;
pub mod netlink;
pub mod output;
pub mod packet;
pub mod poll;
pub mod probe;
pub mod process;
pub mod raw;
pub mod signals;
pub mod sys;
pub mod sysctl;
pub mod tracked;
pub mod tty;
pub mod unix;
pub mod via;
