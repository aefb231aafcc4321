//! The kernel's own file systems: proc, sysfs, devtmpfs.

use rustix::io::Errno;
use rustix::mount::MountFlags;

use super::error::Error;

/// Mounts a file system of `kind` on the directory `target`, which is made if it is not there. One that is mounted
/// already is fine.
///
/// # Errors
/// `NODEV` if the kernel has no such file system; `PERM`.
pub fn mount(kind: &str, target: &str) -> Result<(), Error> {
    let fail = |errno| Error::new("mount", target, errno);
    match rustix::fs::mkdir(target, rustix::fs::Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(fail(errno)),
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    match rustix::mount::mount(kind, target, kind, flags, None) {
        Err(Errno::BUSY) => Ok(()),
        done => done.map_err(fail),
    }
}
