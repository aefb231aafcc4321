//! The IPv4 header (RFC 791) and the Internet checksum (RFC 1071).
//!
//! What is parsed comes from a raw socket: the kernel has verified the header's checksum and reassembled fragments,
//! and hands over the header as it was on the wire, options included.

use core::net::Ipv4Addr;

use super::bytes::Output;

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;

/// The fields of a header that anyone here asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Type of service.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Sender.
    pub source: Ipv4Addr,
    /// Receiver.
    pub destination: Ipv4Addr,
}

/// Not a whole IPv4 packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer than 20 bytes.
    Short,
    /// The version is not 4.
    Version,
    /// The header's length or the total length does not fit the packet.
    Length,
    /// A fragment.
    Fragment,
}

/// Header and payload of a packet. The payload ends with the total length: what an Ethernet driver padded is cut.
pub fn parse(packet: &[u8]) -> Result<(Header, &[u8]), Malformed> {
    let fixed: &[u8; HEADER_LEN] = packet.first_chunk().ok_or(Malformed::Short)?;
    let [first, tos, l0, l1, i0, i1, f0, f1, ttl, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *fixed;
    if first >> 4 != 4 {
        return Err(Malformed::Version);
    }
    let header_len = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([l0, l1]));
    if header_len < HEADER_LEN {
        return Err(Malformed::Length);
    }
    let payload = packet.get(header_len..total).ok_or(Malformed::Length)?;
    // More fragments, or an offset.
    if u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return Err(Malformed::Fragment);
    }
    let header = Header {
        tos,
        id: u16::from_be_bytes([i0, i1]),
        ttl,
        protocol,
        source: Ipv4Addr::new(s0, s1, s2, s3),
        destination: Ipv4Addr::new(d0, d1, d2, d3),
    };
    Ok((header, payload))
}

/// Appends the header of a packet with `payload_len` bytes of payload: no options, DF clear, checksum filled in.
/// `None` if the packet would be longer than 65,535 bytes; otherwise see [`Output::finish`].
pub fn emit(header: &Header, payload_len: usize, out: &mut Output<'_>) -> Option<()> {
    let total = u16::try_from(payload_len.checked_add(HEADER_LEN)?).ok()?;
    let ([l0, l1], [i0, i1]) = (total.to_be_bytes(), header.id.to_be_bytes());
    let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (header.source.octets(), header.destination.octets());
    let Header { tos, ttl, protocol, .. } = *header;
    let bytes =
        |c0, c1| [0x45, tos, l0, l1, i0, i1, 0, 0, ttl, protocol, c0, c1, s0, s1, s2, s3, d0, d1, d2, d3];
    let [c0, c1] = checksum(&bytes(0, 0)).to_be_bytes();
    out.put(&bytes(c0, c1));
    Some(())
}

/// The Internet checksum of `bytes`; 0 if they contain a right checksum.
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::default().with(bytes).finish()
}

/// The Internet checksum of several pieces, each but the last of even length.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum(u64);

impl Sum {
    /// Adds a piece.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let (words, odd) = bytes.as_chunks::<2>();
        let words = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        let odd = odd.first().map_or(0, |byte| u64::from(*byte) << 8);
        Self(self.0 + words + odd)
    }

    /// The complement of the sum.
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn emitted(header: &Header, payload: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; HEADER_LEN + payload.len()];
        let mut out = Output::new(&mut buffer);
        emit(header, payload.len(), &mut out).unwrap();
        out.put(payload).finish().unwrap();
        buffer
    }

    prop_compose! {
        fn headers()(tos: u8, id: u16, ttl: u8, protocol: u8, source: [u8; 4], destination: [u8; 4]) -> Header {
            Header { tos, id, ttl, protocol, source: source.into(), destination: destination.into() }
        }
    }

    proptest! {
        #[test]
        fn parse_reverses_emit_and_cuts_padding(header in headers(), payload: Vec<u8>, padding: Vec<u8>) {
            let mut packet = emitted(&header, &payload);
            prop_assert_eq!(checksum(packet.first_chunk::<HEADER_LEN>().unwrap()), 0);
            packet.extend(padding);
            prop_assert_eq!(parse(&packet), Ok((header, &payload[..])));
        }

        #[test]
        fn no_input_panics(packet: Vec<u8>) {
            let _ = parse(&packet);
            let _ = checksum(&packet);
        }

        #[test]
        fn a_truncated_packet_is_refused(header in headers(), payload: Vec<u8>, cut in any::<prop::sample::Index>()) {
            let packet = emitted(&header, &payload);
            prop_assert!(parse(&packet[..cut.index(packet.len())]).is_err());
        }
    }

    #[test]
    fn options_are_skipped_and_impossible_lengths_refused() {
        let header =
            Header { tos: 0, id: 1, ttl: 2, protocol: 3, source: [4; 4].into(), destination: [5; 4].into() };
        let mut packet = emitted(&header, &[0x94, 4, 0, 0, 7, 8]);
        packet[0] = 0x46;
        assert_eq!(parse(&packet).unwrap().1, [7, 8]);
        packet[0] = 0x44;
        assert_eq!(parse(&packet), Err(Malformed::Length));
        packet[0] = 0x4f;
        assert_eq!(parse(&packet), Err(Malformed::Length));
        packet[0] = 0x65;
        assert_eq!(parse(&packet), Err(Malformed::Version));
    }

    #[test]
    fn a_fragment_is_refused_and_dont_fragment_is_none() {
        let header =
            Header { tos: 0, id: 1, ttl: 2, protocol: 3, source: [4; 4].into(), destination: [5; 4].into() };
        let mut packet = emitted(&header, &[7]);
        for (flags, fragment) in [([0x20, 0], true), ([0, 1], true), ([0x1f, 0xff], true), ([0x40, 0], false)]
        {
            packet[6..8].copy_from_slice(&flags);
            assert_eq!(parse(&packet).is_err(), fragment, "{flags:?}");
        }
    }

    #[test]
    fn checksum_of_the_example_in_rfc1071_3() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0x01]), !0x0100);
    }

    #[test]
    fn a_packet_longer_than_the_length_field_can_say_is_not_made() {
        let header =
            Header { tos: 0, id: 1, ttl: 2, protocol: 3, source: [4; 4].into(), destination: [5; 4].into() };
        let mut buffer = [0; 32];
        assert_eq!(emit(&header, 65_515, &mut Output::new(&mut buffer)), Some(()));
        assert_eq!(emit(&header, 65_516, &mut Output::new(&mut buffer)), None);
    }
}
