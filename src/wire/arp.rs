//! Gratuitous ARP (RFC 826, RFC 5227 section 3), as a *request*: keepalived's form, which every switch and host that
//! runs behind it today has seen. The target hardware address is broadcast where the RFC leaves it undefined.

use core::net::Ipv4Addr;

use super::bytes::Output;
use super::ethernet;
use super::link::MacAddress;

/// Bytes of the frame; the driver pads it.
pub const FRAME_LEN: usize = 42;

/// Hardware type Ethernet, protocol IPv4, their address lengths, operation REQUEST.
const REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];

/// Writes the frame that says "`address` is at `mac`". Its length, or `None` if it does not fit.
pub fn emit_gratuitous(mac: MacAddress, address: Ipv4Addr, frame: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(frame);
    ethernet::Header { destination: MacAddress::BROADCAST, source: mac, ethertype: ethernet::ARP }
        .emit(&mut out);
    out.put(&REQUEST).put(&mac.0).put(&address.octets()).put(&MacAddress::BROADCAST.0).put(&address.octets());
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

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
