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
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path(name), flags, Mode::empty()).map_err(fail)?;
    rustix::io::write(&file, value.as_bytes()).map_err(fail)?;
    Ok(())
}

/// True if the setting, named as for [`set`], is there and begins with another digit than 0.
pub fn is_set(name: &str) -> bool {
    digit(name).is_some_and(|digit| digit != b'0')
}

/// The first byte of the setting, named as for [`set`]; nothing if it is not there.
pub fn digit(name: &str) -> Option<u8> {
    let mut value = [0];
    let file = rustix::fs::open(path(name), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let read = file.and_then(|file| rustix::io::read(&file, &mut value));
    let [digit] = value;
    (read == Ok(1)).then_some(digit)
}

/// What the setting, named as for [`set`], says, without the end of the line and cut to `buffer`; nothing if it is not
/// there.
pub fn read<'a>(name: &str, buffer: &'a mut [u8]) -> Option<&'a str> {
    text(&path(name), buffer)
}

/// `conn_tab_bits` of the module `ip_vs`, likewise; nothing while it is not loaded.
pub fn table_bits(buffer: &mut [u8]) -> Option<&str> {
    text("/sys/module/ip_vs/parameters/conn_tab_bits", buffer)
}

fn text<'a>(file: &str, buffer: &'a mut [u8]) -> Option<&'a str> {
    let file = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let length = rustix::io::read(&file, &mut *buffer).ok()?;
    core::str::from_utf8(buffer.get(..length)?.trim_ascii_end()).ok()
}

fn path(name: &str) -> String {
    let file = if name.contains('/') { name.to_owned() } else { name.replace('.', "/") };
    format!("/proc/sys/{file}")
}
