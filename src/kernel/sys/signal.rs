//! `signalfd(2)` and `sigprocmask(2)`.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;

/// Blocks `signals` for the calling thread and returns a non-blocking descriptor that delivers them.
///
/// # Errors
/// The kernel's: no descriptor, no memory.
pub fn open(signals: &[i32]) -> Result<OwnedFd, Errno> {
    let mask = set(signals)?;
    // SAFETY: `mask` is initialised and outlives the call; the old mask is not asked for.
    super::check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const mask, core::ptr::null_mut()) })?;
    // SAFETY: as above; -1 asks for a new descriptor.
    let fd =
        super::check(unsafe { libc::signalfd(-1, &raw const mask, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })?;
    // SAFETY: the kernel has just returned this descriptor and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn set(signals: &[i32]) -> Result<libc::sigset_t, Errno> {
    let mut mask = core::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the whole set behind a valid pointer.
    super::check(unsafe { libc::sigemptyset(mask.as_mut_ptr()) })?;
    // SAFETY: initialised by the line above.
    let mut mask = unsafe { mask.assume_init() };
    for signal in signals {
        // SAFETY: a valid, initialised set; a number out of range is refused with EINVAL.
        super::check(unsafe { libc::sigaddset(&raw mut mask, *signal) })?;
    }
    Ok(mask)
}
