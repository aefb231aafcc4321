//! `epoll_pwait2(2)`: waiting with a resolution below a millisecond. rustix has it behind a feature that gives up on
//! kernels before 5.11; there this falls back to milliseconds, rounded up.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// Waits for events on `epoll` until `timeout` (`None`: for ever) and fills `events` from the front.
///
/// # Errors
/// The kernel's; `INTR` if a signal handler ran.
pub fn wait(
    epoll: BorrowedFd<'_>,
    events: &mut [epoll::Event],
    timeout: Option<&Timespec>,
) -> Result<usize, Errno> {
    let capacity = libc::c_long::try_from(events.len()).map_err(|_| Errno::INVAL)?;
    let timeout_pointer = timeout.map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: `events` is valid for `capacity` records of the kernel's layout (rustix asserts that its `Event` is
    // `epoll_event`), `Timespec` is `__kernel_timespec` (two 64-bit fields), both outlive the call; the signal mask
    // is absent. All arguments are passed as longs, as the variadic `syscall` requires.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            libc::c_long::from(epoll.as_raw_fd()),
            events.as_mut_ptr(),
            capacity,
            timeout_pointer,
            core::ptr::null::<libc::sigset_t>(),
            core::mem::size_of::<u64>(),
        )
    };
    match usize::try_from(returned) {
        Ok(count) => Ok(count),
        Err(_) => match super::last_error() {
            // EPERM: a seccomp filter older than the call (containers).
            Errno::NOSYS | Errno::PERM => epoll::wait(epoll, events, timeout),
            errno => Err(errno),
        },
    }
}
