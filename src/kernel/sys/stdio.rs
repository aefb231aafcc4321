//! Standard output and error as descriptors. They may be closed; a write then says so.

use std::os::fd::BorrowedFd;

/// Standard output.
pub fn output() -> BorrowedFd<'static> {
    // SAFETY: number 1 is never closed by this program; if it was closed before the start, system calls on it return
    // an error, which is what the callers expect.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// Standard error.
pub fn error() -> BorrowedFd<'static> {
    // SAFETY: as for standard output.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// A terminal for tests: whoever reads it, and the end that a program writes to.
#[cfg(test)]
pub fn pseudo_terminal() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    use std::os::fd::{FromRawFd, OwnedFd};
    let (mut reader, mut terminal) = (-1, -1);
    let none = core::ptr::null_mut();
    // SAFETY: both numbers are valid for writing; name, settings and size are not asked for and not set.
    let done = unsafe {
        libc::openpty(&raw mut reader, &raw mut terminal, none, core::ptr::null_mut(), core::ptr::null_mut())
    };
    assert_eq!(done, 0, "openpty");
    // SAFETY: the call has just returned both, and nobody else owns them.
    unsafe { (OwnedFd::from_raw_fd(reader), OwnedFd::from_raw_fd(terminal)) }
}

/// Standard input.
pub fn input() -> BorrowedFd<'static> {
    // SAFETY: as for standard output.
    unsafe { BorrowedFd::borrow_raw(0) }
}
