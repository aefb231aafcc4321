//! Writing to standard error (or output) without ever waiting for the reader, and without changing flags that other
//! processes share: a terminal or a pipe is asked by `poll` whether it has room, a socket is sent to with
//! `MSG_DONTWAIT`.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// Bytes of one write. A pipe that polls writable takes at least this many at once (`PIPE_BUF` is 4,096).
pub const MAX_WRITE: usize = 4_096;

/// Writes `bytes`, at most [`MAX_WRITE`] of them, and returns how many the kernel took.
///
/// # Errors
/// `AGAIN` if it would have to wait; else what the kernel says (`NOSPC`, `BADF`, `PIPE`).
pub fn write_now(to: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    let bytes = bytes.get(..MAX_WRITE).unwrap_or(bytes);
    match rustix::net::send(to, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Err(Errno::NOTSOCK) => {}
        done => return done,
    }
    let mut ready = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ready, Some(&none))?;
    let [ready] = ready;
    if ready.revents().contains(PollFlags::NVAL) {
        return Err(Errno::BADF);
    }
    if !ready.revents().intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP) {
        return Err(Errno::AGAIN);
    }
    rustix::io::write(to, bytes)
}

/// Writes all of `bytes`, waiting for the reader. For the short-lived commands only, never for the daemon.
///
/// # Errors
/// What the kernel says; part of the text may have been written.
pub fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let taken = match rustix::io::write(to, bytes) {
            Err(Errno::INTR) => 0,
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None)?;
                0
            }
            Ok(0) => return Err(Errno::IO),
            taken => taken?,
        };
        bytes = bytes.get(taken..).unwrap_or(&[]);
    }
    Ok(())
}

/// Standard output.
pub fn standard_output() -> BorrowedFd<'static> {
    super::sys::stdio::output()
}

/// Standard error.
pub fn standard_error() -> BorrowedFd<'static> {
    super::sys::stdio::error()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_is_not_waited_for() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let line = [b'x'; 1_000];
        let mut written = 0;
        let refused = loop {
            match write_now(writer.as_fd(), &line) {
                Ok(taken) => written += taken,
                Err(errno) => break errno,
            }
        };
        assert_eq!(refused, Errno::AGAIN);
        assert!(written >= 4_096);
    }

    #[test]
    fn a_full_disk_and_a_closed_pipe_are_errors_and_no_signal() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(write_now(full.as_fd(), b"x"), Err(Errno::NOSPC));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(write_now(writer.as_fd(), b"x"), Err(Errno::PIPE));
    }
}
