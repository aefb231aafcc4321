//! What the matrix reads from the wire: adverts of every variant, told apart by the Ethernet address that sent them.
//!
//! RFC 3768 and 9568 section 5, RFC 2402 (authentication header), RFC 8200. Not the product's own parser on purpose.

use std::time::Duration;

use lab::frames::Frame;

/// The IP protocols of the authentication header and of VRRP.
const AH: u8 = 51;
const VRRP: u8 = 112;
const ETHERNET: usize = 14;

/// An advert of any variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// When the kernel saw it, since the Unix epoch.
    pub(super) at: Duration,
    pub(super) mac: [u8; 6],
    pub(super) vrid: u8,
    /// 0 is the farewell.
    pub(super) priority: u8,
}

/// The advert in a frame.
pub(super) fn advert(frame: &Frame) -> Option<Seen> {
    let bytes = &frame.bytes;
    let ip = bytes.get(ETHERNET..)?;
    let (protocol, payload) = match bytes.get(12..ETHERNET)? {
        [0x08, 0x00] => (*ip.get(9)?, ip.get(usize::from(ip.first()? & 0x0f) * 4..)?),
        [0x86, 0xdd] => (*ip.get(6)?, ip.get(40..)?),
        _ => return None,
    };
    let vrrp = match protocol {
        VRRP => payload,
        AH if payload.first() == Some(&VRRP) => payload.get((usize::from(*payload.get(1)?) + 2) * 4..)?,
        _ => return None,
    };
    let mac = bytes.get(6..12)?.try_into().ok()?;
    Some(Seen { at: frame.at, mac, vrid: *vrrp.get(1)?, priority: *vrrp.get(2)? })
}

/// The longest time for which two senders spoke for one virtual router at once. A sender speaks from one advert to the
/// next unless a farewell or more than two intervals are between them.
pub(super) fn two_masters(adverts: &[Seen], vrid: u8, interval: Duration) -> Duration {
    let mut reigns: Vec<([u8; 6], Duration, Duration)> = Vec::new();
    for one in adverts.iter().filter(|one| one.vrid == vrid && one.priority != 0) {
        let left = |end: Duration| {
            let farewell = |of: &&Seen| of.mac == one.mac && of.vrid == vrid && of.priority == 0;
            adverts.iter().filter(farewell).any(|of| of.at >= end && of.at <= one.at)
        };
        match reigns.iter_mut().rev().find(|reign| reign.0 == one.mac) {
            Some(reign) if one.at - reign.2 <= 2 * interval && !left(reign.2) => reign.2 = one.at,
            _ => reigns.push((one.mac, one.at, one.at)),
        }
    }
    let overlap = |one: &([u8; 6], Duration, Duration), other: &([u8; 6], Duration, Duration)| {
        let foreign = one.0 != other.0;
        if foreign { one.2.min(other.2).saturating_sub(one.1.max(other.1)) } else { Duration::ZERO }
    };
    let pairs = reigns.iter().flat_map(|one| reigns.iter().map(move |other| overlap(one, other)));
    pairs.max().unwrap_or_default()
}

#[test]
fn two_masters_at_once_are_found() {
    let ms = Duration::from_millis;
    let seen = |at, who, priority| Seen { at: ms(at), mac: [who; 6], vrid: 51, priority };
    let row = [seen(0, 1, 9), seen(100, 1, 9), seen(200, 1, 0), seen(220, 2, 8), seen(320, 2, 8)];
    assert_eq!(two_masters(&row, 51, ms(100)), Duration::ZERO);
    let row = [seen(0, 1, 9), seen(50, 2, 8), seen(100, 1, 9), seen(150, 2, 8), seen(250, 2, 8)];
    assert_eq!(two_masters(&row, 51, ms(100)), ms(50));
    assert_eq!(two_masters(&row, 52, ms(100)), Duration::ZERO);
}
