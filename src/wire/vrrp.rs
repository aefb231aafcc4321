//! VRRP version 2 (RFC 3768 section 5) with the authentication fields of RFC 2338, and version 3 (RFC 9568 section 5)
//! over IPv4 and IPv6. Packets are whole: what a socket delivers without its header gets one before it comes here.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ah::{self, Seal, Sealing};
use super::bytes::Output;
use super::ipv4::{self, Sum};
use super::ipv6;
use crate::time::Duration;

/// IP protocol number.
pub const PROTOCOL: u8 = 112;
/// 224.0.0.18 (RFC 3768 section 5.2.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// ff02::12 (RFC 9568 section 5.1.2.2).
pub const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// The unit of intervals in version 3: a centisecond in 12 bits (RFC 9568 section 5.2.7).
pub const CENTISECOND: Duration = Duration::from_millis(10);

/// What a virtual router speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// RFC 3768: IPv4, whole seconds, authentication data.
    V2,
    /// RFC 9568: IPv4 or IPv6, centiseconds.
    V3,
}

impl Version {
    /// As it stands in packets.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// What a virtual router's packets travel in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Family {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6; version 3 only.
    Ipv6,
}

impl Family {
    /// Of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }
}

/// The socket that packets of one kind come through.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// Protocol 112 over IPv4.
    Ipv4,
    /// Protocol 112 over IPv6.
    Ipv6,
    /// Protocol 112 in an authentication header over IPv4.
    Ah,
}

impl Channel {
    /// All of them; the place of one is its number.
    pub const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Ah];

    /// What its packets travel in.
    pub const fn family(self) -> Family {
        match self {
            Self::Ipv4 | Self::Ah => Family::Ipv4,
            Self::Ipv6 => Family::Ipv6,
        }
    }

    /// The IP protocol of its packets.
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Ipv4 | Self::Ipv6 => PROTOCOL,
            Self::Ah => ah::PROTOCOL,
        }
    }
}

/// The addresses of an advertisement: as many as its count field says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addresses<'a> {
    /// Of a packet over IPv4.
    V4(&'a [[u8; 4]]),
    /// Of a packet over IPv6.
    V6(&'a [[u8; 16]]),
}

impl Addresses<'_> {
    /// How many.
    pub const fn len(&self) -> usize {
        match self {
            Self::V4(list) => list.len(),
            Self::V6(list) => list.len(),
        }
    }

    /// True without any.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In the packet's order.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + Clone {
        (0..self.len()).filter_map(|at| match self {
            Self::V4(list) => list.get(at).map(|bytes| IpAddr::from(*bytes)),
            Self::V6(list) => list.get(at).map(|bytes| IpAddr::from(*bytes)),
        })
    }
}

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
    /// Authentication type: 0 none, 1 PASS, 2 AH; 0 in version 3.
    pub auth_type: u8,
    /// Advertisement interval.
    pub interval: Duration,
    /// Whether the checksum is right.
    pub checksum: Checksum,
    /// Virtual addresses.
    pub addresses: Addresses<'a>,
    /// Authentication data; zeros in version 3.
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
    pub source: IpAddr,
    /// Group or own address.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// The authentication header around the advertisement.
    pub seal: Option<Seal<'a>>,
    /// The advertisement.
    pub advert: Advert<'a>,
}

/// A packet that is no advertisement at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Not a whole IP header, or its length fields do not fit the packet.
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
            Self::Header => f.write_str("bad IP header"),
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
/// Authentication data of version 2: there always, zeros if unused (RFC 3768 section 5.3.10).
const AUTH_LEN: usize = 8;
/// Type ADVERTISEMENT, in the low half of the first byte.
const ADVERTISEMENT: u8 = 1;
/// Internetwork control: what routers give their protocols, and keepalived its adverts.
const TOS: u8 = 0xc0;

/// Reads a whole packet. What makes the rest unreadable is an error; everything that can be judged, the checksum
/// included, is left to the director, which counts each kind of refusal.
pub fn parse(packet: &[u8]) -> Result<Received<'_>, Malformed> {
    let (source, destination, ttl, protocol, message) = match packet.first().map(|first| first >> 4) {
        Some(6) => {
            let (header, message) = ipv6::parse(packet).ok_or(Malformed::Header)?;
            let ipv6::Header { source, destination, hop_limit, next_header, .. } = header;
            (IpAddr::V6(source), IpAddr::V6(destination), hop_limit, next_header, message)
        }
        _ => {
            let (header, message) = ipv4::parse(packet).map_err(|_| Malformed::Header)?;
            let ipv4::Header { source, destination, ttl, protocol, .. } = header;
            (IpAddr::V4(source), IpAddr::V4(destination), ttl, protocol, message)
        }
    };
    let (seal, message) = match protocol {
        PROTOCOL => (None, message),
        ah::PROTOCOL if source.is_ipv4() => {
            let (seal, message) = ah::parse(packet, message, PROTOCOL).ok_or(Malformed::Header)?;
            (Some(seal), message)
        }
        _ => return Err(Malformed::Header),
    };
    let advert = parse_message(message, source, destination)?;
    Ok(Received { source, destination, ttl, seal, advert })
}

fn parse_message(message: &[u8], source: IpAddr, destination: IpAddr) -> Result<Advert<'_>, Malformed> {
    let (fixed, rest) = message
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(Malformed::Short { vrid: message.get(1).copied() })?;
    let [first, vrid, priority, count, fifth, sixth, _, _] = *fixed;
    let (version, kind) = (first >> 4, first & 0x0f);
    let mut auth_data = [0; AUTH_LEN];
    let (list, auth_type, interval) = match version {
        2 if source.is_ipv4() => {
            let (list, data) =
                rest.split_last_chunk::<AUTH_LEN>().ok_or(Malformed::Short { vrid: Some(vrid) })?;
            auth_data = *data;
            (list, fifth, Duration::from_secs(sixth.into()))
        }
        3 => (rest, 0, CENTISECOND.times(u16::from_be_bytes([fifth & 0x0f, sixth]).into())),
        _ => return Err(Malformed::Version { vrid, version }),
    };
    let (addresses, remainder) = match source {
        IpAddr::V4(_) => {
            let (list, remainder) = list.as_chunks::<4>();
            (Addresses::V4(list), remainder)
        }
        IpAddr::V6(_) => {
            let (list, remainder) = list.as_chunks::<16>();
            (Addresses::V6(list), remainder)
        }
    };
    if addresses.len() != usize::from(count) || !remainder.is_empty() {
        return Err(Malformed::Count { vrid });
    }
    // Over IPv4 version 3 is found with (RFC 5798 as deployed) and without (RFC 9568 section 5.2.8) the pseudo-header.
    let plain = source.is_ipv4() && ipv4::checksum(message) == 0;
    let right = plain
        || version == 3 && pseudo_header(source, destination, message.len()).with(message).finish() == 0;
    let checksum = if right { Checksum::Right } else { Checksum::Wrong };
    Ok(Advert { version, kind, vrid, priority, auth_type, interval, checksum, addresses, auth_data })
}

/// The sum of the pseudo-header: addresses, protocol and length. The order of 16-bit words is all the same to it, so
/// that one form serves IPv4 and IPv6 (RFC 8200 section 8.1).
fn pseudo_header(source: IpAddr, destination: IpAddr, length: usize) -> Sum {
    let add = |sum: Sum, address: IpAddr| match address {
        IpAddr::V4(address) => sum.with(&address.octets()),
        IpAddr::V6(address) => sum.with(&address.octets()),
    };
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    add(add(Sum::default(), source), destination).with(&[0, PROTOCOL]).with(&length)
}

/// What differs between the versions in an advertisement to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Version 2.
    V2 {
        /// Authentication type: 0 none, 1 PASS, 2 AH.
        auth_type: u8,
        /// Authentication data: the password of PASS padded with zeros, else all zeros.
        auth_data: [u8; 8],
        /// Advertisement interval in seconds.
        interval: u8,
    },
    /// Version 3.
    V3 {
        /// Advertisement interval in centiseconds, 1 to 4,095.
        interval: u16,
        /// What the checksum covers.
        coverage: Coverage,
    },
}

/// What a checksum of version 3 over IPv4 covers; over IPv6 it is always the pseudo-header too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coverage {
    /// Pseudo-header and message: RFC 5798 as deployed, keepalived's way.
    PseudoHeader,
    /// The message only, as in version 2 (RFC 9568 section 5.2.8; `v3_checksum_as_v2`).
    Message,
}

/// An advertisement to send, but for its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Sender: the interface's primary address, or as configured.
    pub source: IpAddr,
    /// Group or peer, of the same family.
    pub destination: IpAddr,
    /// Time to live: 255 for a group (RFC 3768 section 5.2.3).
    pub ttl: u8,
    /// IPv4 identification: one more for each advert, the same to every peer of one round.
    pub id: u16,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Priority; 0: we leave.
    pub priority: u8,
    /// The authentication header around it; over IPv4 only.
    pub sealing: Option<Sealing>,
    /// What depends on the version.
    pub dialect: Dialect,
}

impl Outgoing {
    /// Writes the whole packet, for a socket that takes the header from us. Its length; `None` if it does not fit, for
    /// more than 255 addresses, or for addresses of two families.
    pub fn emit(&self, addresses: impl Iterator<Item = IpAddr>, packet: &mut [u8]) -> Option<usize> {
        let header_len = if self.source.is_ipv6() { ipv6::HEADER_LEN } else { ipv4::HEADER_LEN };
        let before = header_len + if self.sealing.is_some() { ah::HEADER_LEN } else { 0 };
        let (head, body) = packet.split_at_mut_checked(before)?;
        let length = before - header_len + self.emit_message(addresses, body)?;
        let mut out = Output::new(head);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (tos, id, ttl) = (TOS, self.id, self.ttl);
                let protocol = if self.sealing.is_some() { ah::PROTOCOL } else { PROTOCOL };
                ipv4::emit(&ipv4::Header { tos, id, ttl, protocol, source, destination }, length, &mut out)?;
                if let Some(sealing) = &self.sealing {
                    ah::emit(sealing, PROTOCOL, source, &mut out);
                }
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (traffic_class, hop_limit, next_header) = (TOS, self.ttl, PROTOCOL);
                let header = ipv6::Header { traffic_class, hop_limit, next_header, source, destination };
                ipv6::emit(&header, length, &mut out)?;
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        }
        (out.finish()? == before).then_some(())?;
        let whole = header_len + length;
        if let Some(sealing) = &self.sealing {
            ah::seal(sealing, packet.get_mut(..whole)?)?;
        }
        Some(whole)
    }

    fn emit_message(&self, addresses: impl Iterator<Item = IpAddr>, message: &mut [u8]) -> Option<usize> {
        let mut out = Output::new(message);
        let (version, [fifth, sixth]) = match self.dialect {
            Dialect::V2 { auth_type, interval, .. } => (Version::V2, [auth_type, interval]),
            Dialect::V3 { interval, .. } => (Version::V3, interval.min(0x0fff).to_be_bytes()),
        };
        let first = version.number() << 4 | ADVERTISEMENT;
        out.put(&[first, self.vrid, self.priority, 0, fifth, sixth, 0, 0]);
        let mut count: u8 = 0;
        for address in addresses {
            count = count.checked_add(1)?;
            match address {
                IpAddr::V4(address) if self.source.is_ipv4() => out.put(&address.octets()),
                IpAddr::V6(address) if self.source.is_ipv6() => out.put(&address.octets()),
                IpAddr::V4(_) | IpAddr::V6(_) => return None,
            };
        }
        if let Dialect::V2 { auth_data, .. } = self.dialect {
            out.put(&auth_data);
        }
        let length = out.patch(3, &[count]).finish()?;
        let message_only = match self.dialect {
            Dialect::V2 { .. } => true,
            Dialect::V3 { coverage, .. } => coverage == Coverage::Message && self.source.is_ipv4(),
        };
        let sum =
            if message_only { Sum::default() } else { pseudo_header(self.source, self.destination, length) };
        let checksum = sum.with(out.written_from(0)).finish();
        out.patch(6, &checksum.to_be_bytes()).finish()
    }
}

#[cfg(test)]
mod tests;
