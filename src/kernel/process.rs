//! What the kernel says of this process (`/proc/self/status`, proc(5)), and its limit of open descriptors.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::Error;

/// Figures of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Resident memory in KiB, pages of the binary included.
    pub resident_kib: u64,
    /// Threads; this program promises one.
    pub threads: u64,
}

/// Reads the figures without allocating; a field that is not there is zero.
///
/// # Errors
/// `NOENT` without `/proc`.
pub fn status() -> Result<Status, Error> {
    let fail = |errno| Error::new("read", "/proc/self/status", errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open("/proc/self/status", flags, Mode::empty()).map_err(fail)?;
    let mut buffer = [0; 4_096];
    let length = rustix::io::read(&file, &mut buffer).map_err(fail)?;
    let text = buffer.get(..length).unwrap_or(&[]);
    let text = core::str::from_utf8(text).map_err(|_| fail(Errno::ILSEQ))?;
    Ok(Status { resident_kib: field(text, "VmRSS:"), threads: field(text, "Threads:") })
}

/// Raises the soft limit of open descriptors to `need`, and the hard limit if we may. Returns the limit that holds.
///
/// # Errors
/// The limit stays below `need`: `PERM`, with the need as object.
pub fn raise_descriptor_limit(need: u64) -> Result<u64, Error> {
    let held = getrlimit(Resource::Nofile);
    if held.current.is_none_or(|current| current >= need) {
        return Ok(held.current.unwrap_or(u64::MAX));
    }
    let maximum = held.maximum.map(|maximum| maximum.max(need));
    if setrlimit(Resource::Nofile, Rlimit { current: Some(need), maximum }).is_ok() {
        return Ok(need);
    }
    // Not allowed to raise the hard limit: take what there is, the rest is reported.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: held.maximum, maximum: held.maximum });
    Err(Error::new("raise the limit of open files to", need, Errno::PERM))
}

/// The soft limit of open descriptors.
pub fn descriptor_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Asks for timers without slack (`PR_SET_TIMERSLACK`, prctl(2)): by default the kernel may wake us 50 us late to
/// save a wake-up, and every advert would be.
pub fn wake_on_time() {
    // A kernel without it wakes as it did.
    let _ = rustix::thread::set_current_timer_slack(Some(core::num::NonZeroU64::MIN));
}

/// This process.
pub fn id() -> u32 {
    std::process::id()
}

/// The host's name, empty if it is not UTF-8. Allocates: to be asked at start.
pub fn host_name() -> Box<str> {
    rustix::system::uname().nodename().to_str().unwrap_or_default().into()
}

/// The effective user.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_the_kernel() {
        let status = status().unwrap();
        assert!(status.resident_kib > 100);
        assert!(status.threads >= 1);
    }

    #[test]
    fn timers_have_no_slack_once_it_was_asked_for() {
        wake_on_time();
        assert_eq!(rustix::thread::current_timer_slack(), Ok(1));
    }

    #[test]
    fn a_limit_that_suffices_is_left_alone() {
        let before = getrlimit(Resource::Nofile);
        raise_descriptor_limit(1).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, before.current);
    }
}
