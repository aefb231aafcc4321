//! ARP (RFC 826) of IPv4 over Ethernet. Gratuitous (RFC 5227 section 3) as a *request*: keepalived's form, which every
//! switch and host that runs behind it today has seen. The target hardware address is broadcast where the RFC leaves
//! it undefined. Requests and replies for the operator who asks who has an address.

use core::net::Ipv4Addr;

use super::bytes::{Output, array};
use super::ethernet;
use super::link::MacAddress;

/// Bytes of the frame; the driver pads it.
pub const FRAME_LEN: usize = 42;

/// Hardware type Ethernet, protocol IPv4, their address lengths, operation REQUEST.
const REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
/// The same, operation REPLY.
const REPLY: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 2];

/// "I have it."
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Who.
    pub mac: MacAddress,
    /// What.
    pub address: Ipv4Addr,
    /// Who asked.
    pub asked_by: MacAddress,
}

/// Writes the frame that says "`address` is at `mac`". Its length, or `None` if it does not fit.
pub fn emit_gratuitous(mac: MacAddress, address: Ipv4Addr, frame: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(frame);
    ethernet::Header { destination: MacAddress::BROADCAST, source: mac, ethertype: ethernet::ARP }
        .emit(&mut out);
    out.put(&REQUEST).put(&mac.0).put(&address.octets()).put(&MacAddress::BROADCAST.0).put(&address.octets());
    out.finish()
}

/// Writes the frame that asks everybody who has `address`, on behalf of `mac` with `source`; 0.0.0.0 asks without
/// being learned (RFC 5227 section 2.1.1). Its length, or `None` if it does not fit.
pub fn emit_request(mac: MacAddress, source: Ipv4Addr, address: Ipv4Addr, frame: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(frame);
    ethernet::Header { destination: MacAddress::BROADCAST, source: mac, ethertype: ethernet::ARP }
        .emit(&mut out);
    out.put(&REQUEST).put(&mac.0).put(&source.octets()).put(&[0; 6]).put(&address.octets());
    out.finish()
}

/// Who a frame says to be, request or reply: every host that hears it learns that. `None` for anything else, and for
/// the probe of a host that has no address yet (RFC 5227 section 2.1.1).
pub fn parse_claim(frame: &[u8]) -> Option<(MacAddress, Ipv4Addr)> {
    let (header, arp) = ethernet::Header::parse(frame.get(..FRAME_LEN)?)?;
    let kind = array::<8>(arp, 0)?;
    let address: Ipv4Addr = array::<4>(arp, 14)?.into();
    let fits = header.ethertype == ethernet::ARP && (kind == REPLY || kind == REQUEST);
    (fits && !address.is_unspecified()).then_some((MacAddress(array(arp, 8)?), address))
}

/// The reply in a frame; `None` for anything else.
pub fn parse_reply(frame: &[u8]) -> Option<Reply> {
    let (header, arp) = ethernet::Header::parse(frame.get(..FRAME_LEN)?)?;
    let fits = header.ethertype == ethernet::ARP && array::<8>(arp, 0)? == REPLY;
    fits.then_some(Reply {
        mac: MacAddress(array(arp, 8)?),
        address: array::<4>(arp, 14)?.into(),
        asked_by: MacAddress(array(arp, 18)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `tcpdump -n -i v0 -xx arp` (4.99) of a kernel that asks and one that answers.
    const ASKED: [u8; FRAME_LEN] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xa2, 0x03, 0xc6, 0xd9, 0x64, 0xc1, 0x08, 0x06, // Ethernet
        0, 1, 8, 0, 6, 4, 0, 1, // op 1
        0xa2, 0x03, 0xc6, 0xd9, 0x64, 0xc1, 10, 9, 0, 1, // sender
        0, 0, 0, 0, 0, 0, 10, 9, 0, 2, // target
    ];
    const ANSWERED: [u8; FRAME_LEN] = [
        0xa2, 0x03, 0xc6, 0xd9, 0x64, 0xc1, 0xce, 0xcd, 0x9d, 0x87, 0x70, 0x17, 0x08, 0x06, // Ethernet
        0, 1, 8, 0, 6, 4, 0, 2, // op 2
        0xce, 0xcd, 0x9d, 0x87, 0x70, 0x17, 10, 9, 0, 2, // sender
        0xa2, 0x03, 0xc6, 0xd9, 0x64, 0xc1, 10, 9, 0, 1, // target
    ];
    const ASKER: MacAddress = MacAddress([0xa2, 0x03, 0xc6, 0xd9, 0x64, 0xc1]);

    #[test]
    fn a_request_is_that_of_the_kernel_and_a_reply_is_understood() {
        let (one, two) = (Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 2));
        let mut frame = [0; FRAME_LEN];
        assert_eq!(emit_request(ASKER, one, two, &mut frame), Some(FRAME_LEN));
        assert_eq!(frame, ASKED);
        assert_eq!(emit_request(ASKER, one, two, &mut frame[1..]), None);
        let mac = MacAddress([0xce, 0xcd, 0x9d, 0x87, 0x70, 0x17]);
        assert_eq!(parse_reply(&ANSWERED), Some(Reply { mac, address: two, asked_by: ASKER }));
        assert_eq!(parse_reply(&ASKED), None);
    }

    #[test]
    fn requests_and_replies_claim_their_sender_and_a_probe_claims_nothing() {
        assert_eq!(parse_claim(&ASKED), Some((ASKER, Ipv4Addr::new(10, 9, 0, 1))));
        let other = MacAddress([0xce, 0xcd, 0x9d, 0x87, 0x70, 0x17]);
        assert_eq!(parse_claim(&ANSWERED), Some((other, Ipv4Addr::new(10, 9, 0, 2))));
        let mut frame = [0; FRAME_LEN];
        emit_request(ASKER, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 9, 0, 2), &mut frame).unwrap();
        assert_eq!(parse_claim(&frame), None);
        frame = ASKED;
        frame[21] = 3;
        assert_eq!(parse_claim(&frame), None, "neither request nor reply");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, cut in 0..FRAME_LEN) {
            let _ = parse_reply(&bytes);
            let _ = parse_claim(&bytes);
            prop_assert_eq!(parse_claim(&ANSWERED[..cut]), None);
            prop_assert_eq!(parse_reply(&ANSWERED[..cut]), None);
        }
    }

    #[test]
    fn the_frame_is_that_of_keepalived_2_2_7() {
        let mut frame = [0; FRAME_LEN];
        let mac = MacAddress([2, 0, 0, 0, 0, 0x0a]);
        assert_eq!(emit_gratuitous(mac, Ipv4Addr::new(10, 9, 0, 100), &mut frame), Some(FRAME_LEN));
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0x0a, 0x08, 0x06, // Ethernet
            0, 1, 8, 0, 6, 4, 0, 1, // op 1
            2, 0, 0, 0, 0, 0x0a, 10, 9, 0, 100, // sender
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 9, 0, 100, // target
        ];
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_short_buffer_is_refused() {
        assert_eq!(
            emit_gratuitous(MacAddress::default(), Ipv4Addr::LOCALHOST, &mut [0; FRAME_LEN - 1]),
            None
        );
    }
}
