//! Ethernet II frames: the header in front of what a packet socket sends (`linux/if_ether.h`).

use super::bytes::{Output, array};
use super::link::MacAddress;

/// Bytes of a header without VLAN tag.
pub const HEADER_LEN: usize = 14;

/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Receiver.
    pub destination: MacAddress,
    /// Sender.
    pub source: MacAddress,
    /// What follows.
    pub ethertype: u16,
}

impl Header {
    /// Appends the header.
    pub fn emit(&self, out: &mut Output<'_>) {
        out.put(&self.destination.0).put(&self.source.0).put(&self.ethertype.to_be_bytes());
    }

    /// Header and payload; `None` for less than a header.
    pub fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let header = Self {
            destination: MacAddress(array(frame, 0)?),
            source: MacAddress(array(frame, 6)?),
            ethertype: u16::from_be_bytes(array(frame, 12)?),
        };
        Some((header, frame.get(HEADER_LEN..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parse_reverses_emit(destination: [u8; 6], source: [u8; 6], ethertype: u16, payload: Vec<u8>) {
            let header =
                Header { destination: MacAddress(destination), source: MacAddress(source), ethertype };
            let mut buffer = vec![0; HEADER_LEN + payload.len()];
            let mut out = Output::new(&mut buffer);
            header.emit(&mut out);
            out.put(&payload).finish().unwrap();
            prop_assert_eq!(Header::parse(&buffer), Some((header, &payload[..])));
        }

        #[test]
        fn no_input_panics(frame: Vec<u8>) {
            prop_assert_eq!(Header::parse(&frame).is_some(), frame.len() >= HEADER_LEN);
        }
    }
}
