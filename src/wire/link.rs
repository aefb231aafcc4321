//! Names, indices and hardware addresses of interfaces (`linux/if.h`, `linux/if_ether.h`).

use core::fmt;

/// An interface's name: 1 to 15 bytes without blank, slash or NUL (`dev_valid_name` in the kernel).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LinkName {
    bytes: [u8; 15],
    len: u8,
}

impl LinkName {
    /// The name, if the kernel could have an interface of this name.
    pub fn new(name: &str) -> Option<Self> {
        let valid = !matches!(name, "" | "." | "..")
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':'));
        let mut bytes = [0; 15];
        bytes.get_mut(..name.len()).filter(|_| valid)?.copy_from_slice(name.as_bytes());
        Some(Self { bytes, len: u8::try_from(name.len()).ok()? })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or("")
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The kernel's index of an interface, 1 and up; 0 means "no interface".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LinkIndex(pub u32);

/// A 48-bit hardware address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Everyone on the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_the_kernel_would_refuse_is_no_name() {
        for bad in ["", ".", "..", "a/b", "a b", "eth0:1", "sixteen-bytes-xx", "na\u{ef}ve", "x\0"] {
            assert_eq!(LinkName::new(bad), None, "{bad:?}");
        }
        assert_eq!(
            LinkName::new("fifteen-bytes-x").map(|name| name.to_string()).as_deref(),
            Some("fifteen-bytes-x")
        );
    }
}
