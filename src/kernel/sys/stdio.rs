//! Standard output and error as descriptors. They may be closed; a write then says so.

use std::os::fd::{AsRawFd, BorrowedFd};

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

/// Bytes that a terminal was given and has not sent; 0 for what is no terminal (`TIOCOUTQ`, ioctl_tty(2)).
pub fn unsent(terminal: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the number is valid for writing.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if done < 0 { 0 } else { usize::try_from(count).unwrap_or(0) }
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
