//! The IPv6 header (RFC 8200 section 3), without extension headers.
//!
//! A raw IPv6 socket delivers no header. The shell puts the one that [`emit`] makes before the payload, from what the
//! kernel says beside the packet, so that a packet is whole in both families wherever it is looked at.

use core::net::Ipv6Addr;

use super::bytes::{Output, array};

/// Bytes of the header.
pub const HEADER_LEN: usize = 40;

/// The fields that anyone here asks for; the flow label is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Traffic class.
    pub traffic_class: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Protocol of the payload.
    pub next_header: u8,
    /// Sender.
    pub source: Ipv6Addr,
    /// Receiver.
    pub destination: Ipv6Addr,
}

/// Header and payload of a packet, cut to the length in the header; `None` if it is not a whole IPv6 packet.
pub fn parse(packet: &[u8]) -> Option<(Header, &[u8])> {
    let [v, t, _, _, l0, l1, next_header, hop_limit] = array::<8>(packet, 0)?;
    if v >> 4 != 6 {
        return None;
    }
    let end = HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
    let header = Header {
        traffic_class: v << 4 | t >> 4,
        hop_limit,
        next_header,
        source: Ipv6Addr::from(array::<16>(packet, 8)?),
        destination: Ipv6Addr::from(array::<16>(packet, 24)?),
    };
    Some((header, packet.get(HEADER_LEN..end)?))
}

/// Appends the header of a packet with `payload_len` bytes of payload. `None` for more than 65,535; otherwise see
/// [`Output::finish`].
pub fn emit(header: &Header, payload_len: usize, out: &mut Output<'_>) -> Option<()> {
    let [l0, l1] = u16::try_from(payload_len).ok()?.to_be_bytes();
    let class = header.traffic_class;
    out.put(&[0x60 | class >> 4, class << 4, 0, 0, l0, l1, header.next_header, header.hop_limit]);
    out.put(&header.source.octets()).put(&header.destination.octets());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parse_reverses_emit_and_cuts_padding(
            traffic_class: u8, hop_limit: u8, next_header: u8, source: u128, destination: u128,
            payload: Vec<u8>, padding: Vec<u8>,
        ) {
            let (source, destination) = (Ipv6Addr::from_bits(source), Ipv6Addr::from_bits(destination));
            let header = Header { traffic_class, hop_limit, next_header, source, destination };
            let mut packet = vec![0; HEADER_LEN + payload.len()];
            let mut out = Output::new(&mut packet);
            emit(&header, payload.len(), &mut out).unwrap();
            out.put(&payload).finish().unwrap();
            prop_assert!(packet.len() <= HEADER_LEN || parse(&packet[..packet.len() - 1]).is_none());
            packet.extend(padding);
            prop_assert_eq!(parse(&packet), Some((header, &payload[..])));
        }

        #[test]
        fn no_input_panics(packet: Vec<u8>) {
            let _ = parse(&packet);
        }
    }

    #[test]
    fn another_version_and_a_payload_beyond_the_length_field_are_refused() {
        assert_eq!(parse(&[0x40; 60]), None);
        let header = Header {
            traffic_class: 0,
            hop_limit: 255,
            next_header: 112,
            source: Ipv6Addr::LOCALHOST,
            destination: Ipv6Addr::LOCALHOST,
        };
        assert_eq!(emit(&header, 65_536, &mut Output::new(&mut [0; 64])), None);
    }
}
