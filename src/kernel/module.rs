//! Kernel modules: one file after the other into the kernel (finit_module(2)). Their order is the caller's.

use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::Error;

/// Inserts the module in `path`, an uncompressed `.ko`. One that is there already is fine.
///
/// # Errors
/// `NOENT` without the file or with a symbol that no module has, `NODEV` if its hardware is not there, `NOEXEC` for
/// another kernel's module.
pub fn insert(path: &Path) -> Result<(), Error> {
    let fail = |errno| Error::new("insert module", path.display(), errno);
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
        .map_err(fail)?;
    match rustix::system::finit_module(&file, c"", 0) {
        Err(Errno::EXIST) => Ok(()),
        done => done.map_err(fail),
    }
}
