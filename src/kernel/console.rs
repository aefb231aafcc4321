//! The console's device as standard streams of PID 1.

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::error::Error;
use super::output::standard_error;
use super::sys::stdio;
use super::{clock, machine};
use crate::time::Duration;

/// The longest that the end of the machine waits for its console: a port's queue holds 4 KiB, 0.36 s at 115,200 baud.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is looked at.
const STEP: Duration = Duration::from_millis(2);

/// Makes the terminal `path` standard input, output and error, and sets its speed in baud if one is given. It does not
/// become the controlling terminal: a ^C on the line is a byte and no signal.
///
/// # Errors
/// `NOENT`, `NXIO`, `IO` without such a device; `INVAL` for a speed that it does not have.
pub fn become_console(path: &str, baud: Option<u32>) -> Result<(), Error> {
    let fail = |errno| Error::new("open console", path, errno);
    // Non-blocking for the open only: without it a port without carrier may be waited for.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
    let device = rustix::fs::open(path, flags, Mode::empty()).map_err(fail)?;
    let flags = fcntl_getfl(&device).map_err(fail)?;
    fcntl_setfl(&device, flags.difference(OFlags::NONBLOCK)).map_err(fail)?;
    match tcgetattr(&device) {
        Ok(mut settings) => {
            if let Some(baud) = baud {
                settings.set_speed(baud).map_err(fail)?;
                tcsetattr(&device, OptionalActions::Now, &settings).map_err(fail)?;
            }
        }
        // Some consoles are no terminals and have no speed.
        Err(Errno::NOTTY) => {}
        // A port without hardware can be opened: what is written to it is lost.
        Err(errno) => return Err(fail(errno)),
    }
    rustix::stdio::dup2_stdin(&device).map_err(fail)?;
    rustix::stdio::dup2_stdout(&device).map_err(fail)?;
    rustix::stdio::dup2_stderr(&device).map_err(fail)
}

/// Sets the speed of the terminal `path` in baud.
///
/// # Errors
/// Those of [`become_console`], and `NOTTY` for what is no terminal.
pub fn set_speed(path: &str, baud: u32) -> Result<(), Error> {
    let fail = |errno| Error::new("open console", path, errno);
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let device = rustix::fs::open(path, flags, Mode::empty()).map_err(fail)?;
    let mut settings = tcgetattr(&device).map_err(fail)?;
    settings.set_speed(baud).map_err(fail)?;
    tcsetattr(&device, OptionalActions::Now, &settings).map_err(fail)
}

/// From now on a console that takes nothing loses output instead of holding the process.
///
/// # Errors
/// The kernel's.
pub fn stop_waiting() -> Result<(), Error> {
    let fail = |errno| Error::new("set", "console non-blocking", errno);
    let flags = fcntl_getfl(standard_error()).map_err(fail)?;
    fcntl_setfl(standard_error(), flags | OFlags::NONBLOCK).map_err(fail)
}

/// Waits, for [`PATIENCE`] at most, until the console has sent what it was given: what is still in the port's queue
/// when the machine ends is lost, and what is written to a full one as well.
pub fn settle() {
    let end = clock::now() + PATIENCE;
    while stdio::unsent(standard_error()) > 0 && clock::now() < end {
        machine::pause(STEP);
    }
}
