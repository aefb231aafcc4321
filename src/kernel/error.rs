//! What went wrong in the kernel: which operation, on what, and its error number. Nothing here allocates, so that an
//! error can be reported from any place.

use core::fmt::{self, Write};

use rustix::io::Errno;

use crate::wire::errno;

/// A system call that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    operation: &'static str,
    object: Object,
    number: u16,
}

/// A name cut to what fits; long enough for an interface, an address and a port, or the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Object {
    bytes: [u8; 63],
    len: u8,
}

impl Error {
    /// `operation` ("open the VRRP socket") on `object` ("eth0") ended with `errno`.
    pub fn new(operation: &'static str, object: impl fmt::Display, errno: Errno) -> Self {
        let mut text = Object { bytes: [0; 63], len: 0 };
        // A name that does not fit is cut; the operation still says what it was about.
        let _ = write!(text, "{object}");
        Self { operation, object: text, number: number(errno) }
    }

    /// What was tried.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// On what.
    pub fn object(&self) -> &str {
        self.object.as_str()
    }

    /// The kernel's error number (`asm-generic/errno.h`).
    pub const fn number(&self) -> u16 {
        self.number
    }
}

/// The error number as the rest of the program carries it; 0 for one outside of the kernel's range.
pub fn number(errno: Errno) -> u16 {
    u16::try_from(errno.raw_os_error()).unwrap_or(0)
}

impl Object {
    fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|name| core::str::from_utf8(name).ok())
            .unwrap_or("?")
    }
}

impl Write for Object {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let start = usize::from(self.len);
            let end = start + character.len_utf8();
            let room = self.bytes.get_mut(start..end).ok_or(fmt::Error)?;
            character.encode_utf8(room);
            self.len = u8::try_from(end).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}

/// `open the VRRP socket eth0: operation not permitted`
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if self.object.len > 0 {
            write!(f, " {}", self.object.as_str())?;
        }
        write!(f, ": {}", errno::Text(self.number))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_operation_object_and_reason() {
        let error = Error::new("open the VRRP socket of", "eth0", Errno::PERM);
        assert_eq!(error.to_string(), "open the VRRP socket of eth0: operation not permitted");
        assert_eq!(Error::new("bind", "", Errno::from_raw_os_error(999)).to_string(), "bind: errno 999");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let error = Error::new("read", "\u{e9}".repeat(40), Errno::NOENT);
        assert_eq!(error.object(), "\u{e9}".repeat(31));
    }
}
