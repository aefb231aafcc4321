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

/// Standard input.
pub fn input() -> BorrowedFd<'static> {
    // SAFETY: as for standard output.
    unsafe { BorrowedFd::borrow_raw(0) }
}
