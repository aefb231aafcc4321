//! The only home of `unsafe` besides the allocator: what rustix 1.1 lacks, each behind a safe function.
//!
//! Nothing here knows what it is used for. Numbers are the kernel's (`asm-generic/socket.h`, `linux/in.h`).
#![allow(unsafe_code)]

pub mod epoll;
pub mod filter;
pub mod message;
pub mod signal;
pub mod sockaddr;
pub mod sockopt;
pub mod stdio;
#[cfg(all(panic = "abort", target_env = "musl"))]
mod unwind;

use rustix::io::Errno;

/// The C library's verdict as a result.
fn check(returned: libc::c_int) -> Result<libc::c_int, Errno> {
    if returned < 0 { Err(last_error()) } else { Ok(returned) }
}

/// `errno` of the call just made.
fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
