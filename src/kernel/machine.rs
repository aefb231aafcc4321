//! The machine as PID 1 sees it: its name, its end, and children that nobody else waits for (reboot(2), wait(2)).

use rustix::process::WaitOptions;
use rustix::system::RebootCommand;
use rustix::thread::{NanosleepRelativeResult, Timespec, nanosleep};

use super::error::Error;
use crate::time::Duration;

/// The process the kernel starts, whose end is a panic of the kernel.
pub const FIRST: u32 = 1;

/// How the machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It starts again.
    Reboot,
    /// It is switched off.
    PowerOff,
}

/// Sets the host's name, at most 64 bytes.
///
/// # Errors
/// `PERM`, `INVAL`.
pub fn set_host_name(name: &str) -> Result<(), Error> {
    rustix::system::sethostname(name.as_bytes()).map_err(|errno| Error::new("set host name", name, errno))
}

/// The host's name, up to its first point.
pub fn host_label() -> String {
    let names = rustix::system::uname();
    let name = names.nodename().to_str().unwrap_or("");
    name.split('.').next().unwrap_or("").to_owned()
}

/// Ctrl-Alt-Del becomes SIGINT to PID 1 instead of an end on the spot.
///
/// # Errors
/// `PERM`.
pub fn take_control_alt_delete() -> Result<(), Error> {
    rustix::system::reboot(RebootCommand::CadOff).map_err(|errno| Error::new("take", "Ctrl-Alt-Del", errno))
}

/// Writes what is not written yet, and ends the machine. Returns only if the kernel refuses.
pub fn end(end: End) -> Error {
    rustix::fs::sync();
    let (command, name) = match end {
        End::Reboot => (RebootCommand::Restart, "reboot"),
        End::PowerOff => (RebootCommand::PowerOff, "power off"),
    };
    match rustix::system::reboot(command) {
        Ok(()) => Error::new(name, "", rustix::io::Errno::INVAL),
        Err(errno) => Error::new(name, "", errno),
    }
}

/// Takes the status of one child that has ended; `None` if there is none. As PID 1 every orphan is a child.
pub fn reap() -> Option<u32> {
    let (pid, _) = rustix::process::wait(WaitOptions::NOHANG).ok()??;
    u32::try_from(pid.as_raw_nonzero().get()).ok()
}

/// Does nothing for a while. Only where no loop runs: after one has failed, before the next try.
pub fn pause(span: Duration) {
    let mut left = Timespec {
        tv_sec: i64::try_from(span.as_micros() / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(span.as_micros() % 1_000_000).unwrap_or(0) * 1_000,
    };
    while let NanosleepRelativeResult::Interrupted(rest) = nanosleep(&left) {
        left = rest;
    }
}
