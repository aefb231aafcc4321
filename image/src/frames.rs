//! What tests read from captured frames, and the forged ones they send. On purpose not the product's own parser:
//! a mistake there must not hide itself here.
//!
//! RFC 3768 section 5 (adverts), RFC 791, RFC 826.

use std::net::Ipv4Addr;
use std::time::Duration;

/// The length of an Ethernet header.
const ETHERNET: usize = 14;
/// The IP protocol of VRRP (RFC 3768 section 5.2.4).
const VRRP: u8 = 112;

/// A captured frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When the kernel saw it, since the Unix epoch.
    pub at: Duration,
    /// From the Ethernet destination on.
    pub bytes: Vec<u8>,
}

/// A captured IPv4 advert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// When the kernel saw it.
    pub at: Duration,
    /// The IPv4 header, options included.
    pub ip: Vec<u8>,
    /// Sender.
    pub source: Ipv4Addr,
    /// 224.0.0.18, or a unicast peer.
    pub destination: Ipv4Addr,
    /// The virtual router.
    pub vrid: u8,
    /// Its priority; 0 is the farewell.
    pub priority: u8,
    /// The VRRP part as it was on the wire.
    pub vrrp: Vec<u8>,
}

/// A captured gratuitous ARP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GratuitousArp {
    /// When the kernel saw it.
    pub at: Duration,
    /// 1 request, 2 reply.
    pub operation: u8,
    /// Sender and target protocol address alike.
    pub address: Ipv4Addr,
    /// Source of the Ethernet header.
    pub source: [u8; 6],
    /// The ARP part as it was on the wire, 28 bytes.
    pub arp: Vec<u8>,
}

impl Frame {
    /// The advert in it.
    pub fn advert(&self) -> Option<Advert> {
        let ip = self.bytes.get(ETHERNET..).filter(|_| self.ethertype() == Some(0x0800))?;
        let header = usize::from(ip.first()? & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
        let vrrp = ip.get(header..total.min(ip.len())).filter(|_| ip.get(9) == Some(&VRRP))?;
        Some(Advert {
            at: self.at,
            ip: ip.get(..header)?.to_vec(),
            source: address(ip.get(12..16)?)?,
            destination: address(ip.get(16..20)?)?,
            vrid: *vrrp.get(1)?,
            priority: *vrrp.get(2)?,
            vrrp: vrrp.to_vec(),
        })
    }

    /// The gratuitous ARP in it: an ARP whose sender and target address are the same.
    pub fn gratuitous_arp(&self) -> Option<GratuitousArp> {
        let arp = self.bytes.get(ETHERNET..ETHERNET + 28).filter(|_| self.ethertype() == Some(0x0806))?;
        let (sender, target) = (address(arp.get(14..18)?)?, address(arp.get(24..28)?)?);
        let source = self.bytes.get(6..12)?.try_into().ok()?;
        let operation = *arp.get(7)?;
        (sender == target).then(|| GratuitousArp {
            at: self.at,
            operation,
            address: sender,
            source,
            arp: arp.to_vec(),
        })
    }

    fn ethertype(&self) -> Option<u16> {
        Some(u16::from_be_bytes([*self.bytes.get(12)?, *self.bytes.get(13)?]))
    }
}

impl Advert {
    /// TTL of the IPv4 header.
    pub fn ttl(&self) -> u8 {
        self.ip.get(8).copied().unwrap_or_default()
    }

    /// The IPv4 header without what rightly differs between two senders: identification and header checksum.
    pub fn comparable_ip(&self) -> Vec<u8> {
        let mut ip = self.ip.clone();
        for index in [4, 5, 10, 11] {
            if let Some(byte) = ip.get_mut(index) {
                *byte = 0;
            }
        }
        ip
    }

    /// True if the header checksum and the VRRP checksum of version 2 are right (RFC 1071: the sum over all is ones).
    pub fn checksums_are_right(&self) -> bool {
        checksum(&self.ip) == 0 && checksum(&self.vrrp) == 0
    }
}

/// An advert to be sent: everything can be forged, and lengths and checksums are right unless said otherwise.
#[derive(Debug, Clone)]
pub struct Forged {
    /// Sender.
    pub source: Ipv4Addr,
    /// Receiver.
    pub destination: Ipv4Addr,
    /// TTL, rightly 255.
    pub ttl: u8,
    /// Version and type, rightly 0x21.
    pub version_type: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// Count of addresses that is claimed; `None` for the truth.
    pub count: Option<u8>,
    /// Authentication type.
    pub auth_type: u8,
    /// Interval in seconds.
    pub interval: u8,
    /// Added to the right checksum.
    pub checksum_error: u16,
    /// Addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// Authentication data.
    pub auth: [u8; 8],
    /// Bytes of the VRRP part that are cut off at the end.
    pub cut: usize,
}

impl Forged {
    /// A right advert without authentication, interval 1 s.
    pub fn new(source: Ipv4Addr, vrid: u8, priority: u8, addresses: &[Ipv4Addr]) -> Self {
        Self {
            source,
            destination: Ipv4Addr::new(224, 0, 0, 18),
            ttl: 255,
            version_type: 0x21,
            vrid,
            priority,
            count: None,
            auth_type: 0,
            interval: 1,
            checksum_error: 0,
            addresses: addresses.to_vec(),
            auth: [0; 8],
            cut: 0,
        }
    }

    /// The whole frame, to the multicast group's Ethernet address from a locally administered one.
    pub fn frame(&self) -> Vec<u8> {
        let truth = u8::try_from(self.addresses.len()).unwrap_or(u8::MAX);
        let count = self.count.unwrap_or(truth);
        let mut vrrp =
            vec![self.version_type, self.vrid, self.priority, count, self.auth_type, self.interval, 0, 0];
        self.addresses.iter().for_each(|address| vrrp.extend(address.octets()));
        vrrp.extend(self.auth);
        let sum = checksum(&vrrp).wrapping_add(self.checksum_error).to_be_bytes();
        vrrp.splice(6..8, sum);
        vrrp.truncate(vrrp.len().saturating_sub(self.cut));
        ip_frame(self.source, self.destination, self.ttl, &vrrp)
    }
}

/// An Ethernet frame with an IPv4 packet of VRRP's protocol number around `payload`.
pub fn ip_frame(source: Ipv4Addr, destination: Ipv4Addr, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x02, 0, 0, 0, 0, 0x66, 0x08, 0x00];
    let total = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut ip = vec![0x45, 0xc0, total[0], total[1], 0, 0, 0, 0, ttl, VRRP, 0, 0];
    ip.extend(source.octets());
    ip.extend(destination.octets());
    let sum = checksum(&ip).to_be_bytes();
    ip.splice(10..12, sum);
    frame.extend(ip);
    frame.extend(payload);
    frame
}

/// The Internet checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// keepalived 2.2.7, VRID 51, priority 150, two addresses, PASS 1111: `tcpdump -xx -i br0 proto 112`.
    const CAPTURED: [u8; 24] = [
        0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0xd0, 0x8b, 0x0a, 0x09, 0x00, 0x64, 0x0a, 0x09, 0x00, 0x65, 0x31,
        0x31, 0x31, 0x31, 0, 0, 0, 0,
    ];

    #[test]
    fn a_forged_advert_without_errors_is_what_keepalived_sends() {
        let addresses = [Ipv4Addr::new(10, 9, 0, 100), Ipv4Addr::new(10, 9, 0, 101)];
        let mut forged = Forged::new(Ipv4Addr::new(10, 9, 0, 1), 51, 150, &addresses);
        (forged.auth_type, forged.auth) = (1, *b"1111\0\0\0\0");
        let frame = Frame { at: Duration::ZERO, bytes: forged.frame() };
        let advert = frame.advert().unwrap();
        assert_eq!(advert.vrrp, CAPTURED);
        assert!(advert.checksums_are_right());
        assert_eq!((advert.vrid, advert.priority, advert.ttl()), (51, 150, 255));
    }

    #[test]
    fn a_wrong_checksum_is_noticed() {
        let mut forged = Forged::new(Ipv4Addr::new(10, 9, 0, 1), 51, 150, &[]);
        forged.checksum_error = 1;
        let frame = Frame { at: Duration::ZERO, bytes: forged.frame() };
        assert!(!frame.advert().unwrap().checksums_are_right());
    }

    #[test]
    fn an_ordinary_arp_is_not_gratuitous() {
        let mut bytes = vec![0xff; 12];
        bytes.extend([
            8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
        ]);
        assert!(Frame { at: Duration::ZERO, bytes: bytes.clone() }.gratuitous_arp().is_none());
        bytes[41] = 1;
        assert!(Frame { at: Duration::ZERO, bytes }.gratuitous_arp().is_some());
    }
}
