//! Unsolicited neighbour advertisements (RFC 4861 sections 4.4 and 7.2.6): IPv6's gratuitous ARP.
//!
//! The whole Ethernet frame is made here, because the source must be the virtual address, which the kernel may not
//! have finished adding when the frame is sent through a packet socket.

use core::net::Ipv6Addr;

use super::bytes::{Output, array};
use super::ethernet;
use super::ipv4::Sum;
use super::ipv6;
use super::link::MacAddress;

/// Bytes of the frame.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + 40 + ICMP_LEN;

/// ff02::1, and the hardware address that carries it (RFC 2464 section 7).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: MacAddress = MacAddress([0x33, 0x33, 0, 0, 0, 1]);

/// The advertisement (24) and its link-layer option (8).
const ICMP_LEN: usize = 32;
const ICMP_LEN_BYTES: [u8; 2] = [0, 32];
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
/// Target link-layer address, one unit of eight bytes.
const TARGET_LINK_LAYER: [u8; 2] = [2, 1];
/// A receiver drops anything less (RFC 4861 section 7.1.2).
const HOP_LIMIT: u8 = 255;

/// What the sender is to the hosts of the segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Forwards no packets.
    Host,
    /// Forwards packets (`net.ipv6.conf.*.forwarding`): the router flag is set, or hosts would drop it from their
    /// list of default routers.
    Router,
}

/// Writes the frame that says "`address` is at `mac`". Its length, or `None` if it does not fit.
pub fn emit_unsolicited(mac: MacAddress, address: Ipv6Addr, role: Role, frame: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(frame);
    ethernet::Header { destination: ALL_NODES_MAC, source: mac, ethertype: ethernet::IPV6 }.emit(&mut out);
    out.put(&[0x60, 0, 0, 0]).put(&ICMP_LEN_BYTES).put(&[ICMPV6, HOP_LIMIT]);
    out.put(&address.octets()).put(&ALL_NODES.octets());
    let flags = OVERRIDE | if role == Role::Router { ROUTER } else { 0 };
    let icmp = ethernet::HEADER_LEN + 40;
    out.put(&[NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]).put(&address.octets());
    out.put(&TARGET_LINK_LAYER).put(&mac.0);
    // RFC 8200 section 8.1: the pseudo-header is addresses, length, next header.
    let checksum = Sum::default()
        .with(&address.octets())
        .with(&ALL_NODES.octets())
        .with(&ICMP_LEN_BYTES)
        .with(&[0, ICMPV6])
        .with(out.written_from(icmp));
    out.patch(icmp + 2, &checksum.finish().to_be_bytes());
    out.finish()
}

/// Who a neighbour advertisement says to be, solicited or not: the link-layer option, without one the frame's sender.
/// `None` for anything else, one that a receiver drops included (RFC 4861 section 7.1.2).
pub fn parse_claim(frame: &[u8]) -> Option<(MacAddress, Ipv6Addr)> {
    let (header, packet) = ethernet::Header::parse(frame)?;
    let (ip, icmp) = ipv6::parse(packet).filter(|_| header.ethertype == ethernet::IPV6)?;
    let [kind, code, ..] = array::<8>(icmp, 0)?;
    let fits = ip.next_header == ICMPV6 && ip.hop_limit == HOP_LIMIT;
    if !fits || (kind, code) != (NEIGHBOUR_ADVERTISEMENT, 0) {
        return None;
    }
    let length = u16::try_from(icmp.len()).ok()?;
    let sum = Sum::default().with(&ip.source.octets()).with(&ip.destination.octets());
    if sum.with(&length.to_be_bytes()).with(&[0, ICMPV6]).with(icmp).finish() != 0 {
        return None;
    }
    let target = Ipv6Addr::from(array::<16>(icmp, 8)?);
    // Options in units of eight bytes; one of none would never end.
    let mut rest = icmp.get(24..)?;
    while let Some([kind, units]) = array::<2>(rest, 0) {
        let length = usize::from(units) * 8;
        let option = rest.get(..length).filter(|_| length > 0)?;
        if [kind, units] == TARGET_LINK_LAYER {
            return Some((MacAddress(array(option, 2)?), target));
        }
        rest = rest.get(length..)?;
    }
    Some((header.source, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x0a]);
    const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x64);

    #[test]
    fn hop_limit_source_and_link_layer_option_are_as_rfc4861_asks() {
        let mut frame = [0; FRAME_LEN];
        assert_eq!(emit_unsolicited(MAC, VIP, Role::Host, &mut frame), Some(86));
        assert_eq!(frame[..14], [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x0a, 0x86, 0xdd]);
        assert_eq!(frame[14..22], [0x60, 0, 0, 0, 0, 32, 58, 255]);
        assert_eq!(frame[22..38], VIP.octets());
        assert_eq!(frame[38..54], ALL_NODES.octets());
        assert_eq!((frame[54], frame[55], frame[58]), (136, 0, 0x20));
        assert_eq!(frame[62..78], VIP.octets());
        assert_eq!(frame[78..], [2, 1, 2, 0, 0, 0, 0, 0x0a]);
    }

    #[test]
    fn the_checksum_covers_the_pseudo_header() {
        // The value that makes `tcpdump -vvv` (4.99) print "icmp6 sum ok" for this frame.
        let mut frame = [0; FRAME_LEN];
        emit_unsolicited(MAC, VIP, Role::Host, &mut frame).unwrap();
        assert_eq!(frame[56..58], [0xf8, 0x5b]);
    }

    #[test]
    fn an_advertisement_claims_its_target_unless_it_is_damaged_or_from_afar() {
        let mut frame = [0; FRAME_LEN];
        emit_unsolicited(MAC, VIP, Role::Host, &mut frame).unwrap();
        assert_eq!(parse_claim(&frame), Some((MAC, VIP)));
        for at in [12, 14, 20, 21, 54, 55, 56, 60, 70, 80] {
            let mut other = frame;
            other[at] ^= 0x10;
            assert_eq!(parse_claim(&other), None, "byte {at}");
        }
        for length in 0..FRAME_LEN {
            assert_eq!(parse_claim(&frame[..length]), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, at in 0..FRAME_LEN, value: u8) {
            let _ = parse_claim(&bytes);
            let mut frame = [0; FRAME_LEN];
            emit_unsolicited(MAC, VIP, Role::Host, &mut frame).unwrap();
            frame[at] = value;
            let _ = parse_claim(&frame);
        }
    }

    #[test]
    fn a_router_says_so() {
        let mut frame = [0; FRAME_LEN];
        emit_unsolicited(MAC, VIP, Role::Router, &mut frame).unwrap();
        assert_eq!(frame[58], 0xa0);
        assert_eq!(emit_unsolicited(MAC, VIP, Role::Router, &mut frame[..85]), None);
    }
}
