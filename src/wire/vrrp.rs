//! VRRP version 2 (RFC 3768 section 5) with the authentication fields of RFC 2338.

use core::fmt;
use core::net::Ipv4Addr;

use super::bytes::Output;
use super::ipv4;

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

/// What is wrong, as the tail of a sentence about a packet.
impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("bad IPv4 header"),
            Self::Short { .. } => f.write_str("too short"),
            Self::Count { .. } => f.write_str("address count does not fit the length"),
            Self::Version { version, .. } => write!(f, "version {version}"),
        }
    }
}

impl Malformed {
    /// The virtual router that the packet claims to be of, if it reaches that far.
    pub const fn vrid(&self) -> Option<u8> {
        match self {
            Self::Header => None,
            Self::Short { vrid } => *vrid,
            Self::Count { vrid } | Self::Version { vrid, .. } => Some(*vrid),
        }
    }
}

/// Fixed part of an advertisement.
const HEADER_LEN: usize = 8;
/// Authentication data: there always, zeros if unused (RFC 3768 section 5.3.10).
const AUTH_LEN: usize = 8;
/// Version 2, type ADVERTISEMENT.
const VERSION_AND_TYPE: u8 = 0x21;
/// Internetwork control: what routers give their protocols, and keepalived its adverts.
const TOS: u8 = 0xc0;

/// Reads a whole IPv4 packet as a raw socket delivers it. What makes the rest unreadable is an error; everything
/// that can be judged, the checksum included, is left to the director, which counts each kind of refusal.
pub fn parse(packet: &[u8]) -> Result<Received<'_>, Malformed> {
    let (header, message) = ipv4::parse(packet).map_err(|_| Malformed::Header)?;
    if header.protocol != PROTOCOL {
        return Err(Malformed::Header);
    }
    let (fixed, rest) = message
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(Malformed::Short { vrid: message.get(1).copied() })?;
    let [first, vrid, priority, count, auth_type, interval, _, _] = *fixed;
    let (version, kind) = (first >> 4, first & 0x0f);
    // Version 3 has no authentication data and its shortest advert is shorter than ours: the version goes first.
    if version != 2 {
        return Err(Malformed::Version { vrid, version });
    }
    let (list, auth_data) =
        rest.split_last_chunk::<AUTH_LEN>().ok_or(Malformed::Short { vrid: Some(vrid) })?;
    let (addresses, remainder) = list.as_chunks::<4>();
    if addresses.len() != usize::from(count) || !remainder.is_empty() {
        return Err(Malformed::Count { vrid });
    }
    let checksum = if ipv4::checksum(message) == 0 { Checksum::Right } else { Checksum::Wrong };
    let auth_data = *auth_data;
    let advert =
        Advert { version, kind, vrid, priority, auth_type, interval, checksum, addresses, auth_data };
    Ok(Received { source: header.source, destination: header.destination, ttl: header.ttl, advert })
}

/// An advertisement to send, but for its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Sender: the interface's primary address, or as configured.
    pub source: Ipv4Addr,
    /// Group or peer.
    pub destination: Ipv4Addr,
    /// Time to live: 255 for a group (RFC 3768 section 5.2.3).
    pub ttl: u8,
    /// Identification: one more for each advert, the same to every peer of one round.
    pub id: u16,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Priority; 0: we leave.
    pub priority: u8,
    /// Authentication type: 0 none, 1 PASS.
    pub auth_type: u8,
    /// Authentication data: the password padded with zeros, all zeros without.
    pub auth_data: [u8; 8],
    /// Advertisement interval in seconds.
    pub interval: u8,
}

impl Outgoing {
    /// Bytes of the packet with `addresses` addresses.
    pub const fn emit_len(addresses: u8) -> usize {
        ipv4::HEADER_LEN + HEADER_LEN + 4 * addresses as usize + AUTH_LEN
    }

    /// Writes the whole IPv4 packet, for a socket with `IP_HDRINCL`. Its length; `None` if it does not fit, or for
    /// more than 255 addresses.
    pub fn emit(&self, addresses: impl IntoIterator<Item = Ipv4Addr>, packet: &mut [u8]) -> Option<usize> {
        let (head, body) = packet.split_at_mut_checked(ipv4::HEADER_LEN)?;
        let length = self.emit_message(addresses, body)?;
        let header = ipv4::Header {
            tos: TOS,
            id: self.id,
            ttl: self.ttl,
            protocol: PROTOCOL,
            source: self.source,
            destination: self.destination,
        };
        let mut out = Output::new(head);
        ipv4::emit(&header, length, &mut out)?;
        Some(out.finish()? + length)
    }

    fn emit_message(
        &self,
        addresses: impl IntoIterator<Item = Ipv4Addr>,
        message: &mut [u8],
    ) -> Option<usize> {
        let mut out = Output::new(message);
        out.put(&[VERSION_AND_TYPE, self.vrid, self.priority, 0, self.auth_type, self.interval, 0, 0]);
        let mut count: u8 = 0;
        for address in addresses {
            count = count.checked_add(1)?;
            out.put(&address.octets());
        }
        out.put(&self.auth_data).patch(3, &[count]);
        let checksum = ipv4::checksum(out.written_from(0));
        out.patch(6, &checksum.to_be_bytes()).finish()
    }
}

#[cfg(test)]
mod tests;
