//! Signals as a descriptor: they are blocked and read, never handled asynchronously. SIGPIPE
//! is ignored by the standard library before `main`; sends carry `MSG_NOSIGNAL` all the same.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::error::Error;
use super::sys;

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: stop.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR2 to the appliance: switch the machine off, as with other programs that are PID 1.
    PowerOff,
    /// SIGCHLD to the appliance: a child has ended, perhaps several.
    Child,
}

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// SIGTERM, SIGINT and SIGHUP.
    Daemon,
    /// SIGUSR2 and SIGCHLD besides.
    Appliance,
}

/// The descriptor.
pub struct Signals(OwnedFd);

/// `sizeof(struct signalfd_siginfo)`; only its head is read.
const RECORD: usize = 128;

impl Signals {
    /// Blocks the signals of this program and opens the descriptor. To be called before anything else that a signal
    /// could interrupt.
    ///
    /// # Errors
    /// No descriptor or no memory.
    pub fn open(audience: Audience) -> Result<Self, Error> {
        const ALL: [i32; 5] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR2, libc::SIGCHLD];
        let [stop, interrupt, reload, ..] = ALL;
        let signals: &[i32] = match audience {
            Audience::Daemon => &[stop, interrupt, reload],
            Audience::Appliance => &ALL,
        };
        sys::signal::open(signals).map(Self).map_err(|errno| Error::new("open", "signalfd", errno))
    }

    /// The next signal and the process that sent it (0: the kernel, or one outside of our pid namespace).
    ///
    /// # Errors
    /// `WOULDBLOCK` without one.
    pub fn read(&self) -> Result<(Signal, u32), Errno> {
        loop {
            let mut record = [0; RECORD];
            rustix::io::read(&self.0, &mut record)?;
            // ssi_signo, ssi_errno, ssi_code, ssi_pid
            let [a, b, c, d, _, _, _, _, _, _, _, _, e, f, g, h, ..] = record;
            let sender = u32::from_ne_bytes([e, f, g, h]);
            match i32::try_from(u32::from_ne_bytes([a, b, c, d])) {
                Ok(libc::SIGHUP) => return Ok((Signal::Reload, sender)),
                Ok(libc::SIGTERM | libc::SIGINT) => return Ok((Signal::Stop, sender)),
                Ok(libc::SIGUSR2) => return Ok((Signal::PowerOff, sender)),
                Ok(libc::SIGCHLD) => return Ok((Signal::Child, sender)),
                // Not in our mask, so never delivered.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
