//! Kernel settings below `/proc/sys`.

use rustix::fs::{Mode, OFlags};

use super::error::Error;

/// Writes `value` to the setting `name`: `net.ipv4.ip_forward`, or with slashes where a part of the name holds a dot
/// (`net/ipv4/conf/eth0.100/arp_ignore`), as in sysctl(8).
///
/// # Errors
/// `NOENT` for a setting that this kernel does not have, `INVAL` for a value that it refuses.
pub fn set(name: &str, value: &str) -> Result<(), Error> {
    let fail = |errno| Error::new("set", name, errno);
    let file = if name.contains('/') { name.to_owned() } else { name.replace('.', "/") };
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(format!("/proc/sys/{file}"), flags, Mode::empty()).map_err(fail)?;
    rustix::io::write(&file, value.as_bytes()).map_err(fail)?;
    Ok(())
}
