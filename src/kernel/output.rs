//! Writing to standard error (or output) without ever waiting for the reader, and without changing flags that other
//! processes share: a terminal or a pipe is opened once more for ourselves, non-blocking, and asked by `poll` whether
//! it has room; a socket is sent to with `MSG_DONTWAIT`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};
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
    if DIRECT.load(Ordering::Relaxed) == to.as_raw_fd() {
        return rustix::io::write(to, bytes);
    }
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

/// Writes a line into the kernel's own log (`/dev/kmsg`), as a warning.
///
/// # Errors
/// `NOENT`, `PERM`, `AGAIN`.
pub fn write_kernel_log(line: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let log = rustix::fs::open("/dev/kmsg", flags, Mode::empty())?;
    rustix::io::write(&log, line).map(|_| ())
}

/// Standard output.
pub fn standard_output() -> BorrowedFd<'static> {
    super::sys::stdio::output()
}

/// Standard error; our own opening of it after [`own_standard_error`].
pub fn standard_error() -> BorrowedFd<'static> {
    OWN.get().map_or_else(super::sys::stdio::error, AsFd::as_fd)
}

/// Standard error, opened once more.
static OWN: OnceLock<OwnedFd> = OnceLock::new();

/// A descriptor of which it is known that writing to it is all that is needed: it is non-blocking and ours, or a file.
static DIRECT: AtomicI32 = AtomicI32::new(-1);

/// Opens standard error once more, non-blocking, if it is a terminal, a device or a pipe. A terminal polls writable
/// as long as it has room for one byte, and a longer write then waits for its reader: a stopped terminal would stop
/// the adverts. Without `/proc`, or if it may not be opened, everything stays as it was.
pub fn own_standard_error() {
    let error = super::sys::stdio::error();
    if let Ok(own) = reopen(error) {
        // A second call finds the first one's.
        let _ = OWN.set(own);
    }
    let is_file = rustix::fs::fstat(error).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    if OWN.get().is_some() || is_file {
        DIRECT.store(standard_error().as_raw_fd(), Ordering::Relaxed);
    }
}

/// A descriptor of our own for the device or pipe behind `to`. Not for files: it would have a position of its own.
fn reopen(to: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(to)?.st_mode);
    if !kind.is_char_device() && !kind.is_fifo() {
        return Err(Errno::NOTSUP);
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/self/fd/{}", to.as_raw_fd()), flags, Mode::empty())
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_terminal_that_nobody_reads_is_not_waited_for() {
        let (_reader, terminal) = crate::kernel::sys::stdio::pseudo_terminal();
        let own = reopen(terminal.as_fd()).unwrap();
        let line = [b'x'; 1_000];
        let mut written = 0;
        let refused = loop {
            match write_now(own.as_fd(), &line) {
                Ok(taken) => written += taken,
                Err(errno) => break errno,
            }
        };
        assert_eq!(refused, Errno::AGAIN);
        assert!(written >= 1_000);
    }

    #[test]
    fn flags_that_others_share_stay_as_they_are_and_a_file_keeps_its_position() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let own = reopen(writer.as_fd()).unwrap();
        let non_blocking = |fd| rustix::fs::fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK);
        assert!(non_blocking(own.as_fd()) && !non_blocking(writer.as_fd()));
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert_eq!(reopen(file.as_fd()).unwrap_err(), Errno::NOTSUP);
    }
}
