//! VRRP version 2 (RFC 3768 section 5) with the authentication fields of RFC 2338.

use core::net::Ipv4Addr;

/// IP protocol number.
pub const PROTOCOL: u8 = 112;
/// 224.0.0.18 (RFC 3768 section 5.2.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// An advertisement as received: the fields as they stand in the packet, not yet judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert<'a> {
    /// Protocol version, 4 bits.
    pub version: u8,
    /// Packet type, 4 bits; 1 is ADVERTISEMENT.
    pub kind: u8,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Priority; 0: the sender leaves.
    pub priority: u8,
    /// Authentication type: 0 none, 1 PASS, 2 AH.
    pub auth_type: u8,
    /// Advertisement interval in seconds.
    pub interval: u8,
    /// Whether the checksum over the whole message is right.
    pub checksum: Checksum,
    /// Virtual addresses, four bytes each, as many as the count field says.
    pub addresses: &'a [[u8; 4]],
    /// Authentication data.
    pub auth_data: [u8; 8],
}

/// The verdict on a checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// As computed.
    Right,
    /// Not as computed.
    Wrong,
}

/// An advertisement with what its IP header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received<'a> {
    /// Sender.
    pub source: Ipv4Addr,
    /// Group or own address.
    pub destination: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// The advertisement.
    pub advert: Advert<'a>,
}

/// A packet that is no advertisement at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Not a whole IPv4 header, or its length fields do not fit the packet.
    Header,
    /// Shorter than an advertisement without addresses.
    Short {
        /// VRID, if the packet reaches that far.
        vrid: Option<u8>,
    },
    /// The address count does not fit the length.
    Count {
        /// VRID.
        vrid: u8,
    },
    /// Not a version this program reads, so that the layout of the rest is unknown.
    Version {
        /// VRID.
        vrid: u8,
        /// The version it claims.
        version: u8,
    },
}
