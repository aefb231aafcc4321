//! Terminals: raw mode (termios(3)), and back to what it was whatever happens.
//!
//! A terminal is opened anew even if it is standard input: `O_NONBLOCK` belongs to an open file that other processes
//! may share, and a terminal that polls writable may still make a large write wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::error::Error;

/// A terminal in raw mode. Dropped, it is as it was before.
#[derive(Debug)]
pub struct Tty {
    fd: OwnedFd,
    before: Termios,
}

impl Tty {
    /// Opens a terminal by its path, never as our controlling one, and does not wait for a modem.
    ///
    /// # Errors
    /// `NOENT`, `ACCESS`, `IO` if there is none; `NOTTY` if it is something else.
    pub fn open(path: &str) -> Result<Self, Error> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fail = |errno| Error::new("open terminal", path, errno);
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(fail)?;
        let before = tcgetattr(&fd).map_err(fail)?;
        let mut raw = before.clone();
        raw.make_raw();
        raw.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
        tcsetattr(&fd, OptionalActions::Now, &raw).map_err(fail)?;
        Ok(Self { fd, before })
    }

    /// The terminal that is standard input.
    ///
    /// # Errors
    /// `NOTTY` if it is none; those of [`Self::open`].
    pub fn of_input() -> Result<Self, Error> {
        if !isatty(super::sys::stdio::input()) {
            return Err(Error::new("use", "standard input as a terminal", Errno::NOTTY));
        }
        Self::open("/proc/self/fd/0")
    }

    /// Reads what was typed; 0 at a hang-up.
    ///
    /// # Errors
    /// `WOULDBLOCK` if it is nothing, `IO` at a hang-up.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::io::read(&self.fd, buffer)
    }

    /// Writes what the terminal takes now.
    ///
    /// # Errors
    /// `WOULDBLOCK` if it takes nothing.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        rustix::io::write(&self.fd, bytes)
    }

    /// Its columns and rows; 0 where it does not say, as a serial line.
    pub fn size(&self) -> (usize, usize) {
        tcgetwinsize(&self.fd).map_or((0, 0), |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A terminal that is gone has no state to restore. What is still to be written is not waited for.
        let _ = tcsetattr(&self.fd, OptionalActions::Now, &self.before);
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits until one of the descriptors can be read, or `output` be written. For the short-lived commands only.
///
/// # Errors
/// `NOMEM`; a signal (`INTR`) is none.
pub fn wait(inputs: &[BorrowedFd<'_>], output: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    let inputs = inputs.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN));
    let output = output.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT));
    let mut all: heapless::Vec<PollFd<'_>, 8> = inputs.chain(output).take(8).collect();
    match poll(&mut all, None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
