//! ICMP echo (RFC 792, RFC 4443 section 4) and the errors that quote an echo request of ours, as a raw socket hands
//! them over: with the IPv4 header in front, without the IPv6 one.
//!
//! The checksum of ICMPv6 covers addresses that only the kernel knows: it writes and verifies it on raw sockets
//! (RFC 3542 section 3.1). That of ICMP is ours to write and to verify: raw sockets are served before ICMP itself.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{Output, array};
use super::ipv4;

/// Which of the two protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// ICMP.
    V4,
    /// ICMPv6.
    V6,
}

/// What tells one echo request from all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo {
    /// Identifier: the run of the sender.
    pub id: u16,
    /// Sequence number.
    pub seq: u16,
}

/// What a host says about an echo request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// It is answered.
    Reply(Echo),
    /// It did not arrive.
    Error {
        /// The request.
        echo: Echo,
        /// Where it was sent.
        target: IpAddr,
        /// Why, in words.
        reason: &'static str,
    },
}

/// Bytes in front of the payload of an echo, and of the quotation of an error.
const HEADER_LEN: usize = 8;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const IPV6_HEADER_LEN: usize = 40;

const UNREACHABLE: &str = "unreachable";
const PROHIBITED: &str = "prohibited by a filter";
const EXCEEDED: &str = "time exceeded";

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    const fn request(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }
}

/// Writes an echo request. Its length, or `None` if it does not fit.
pub fn emit_request(family: Family, echo: Echo, payload: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut out = Output::new(out);
    out.put(&[family.request(), 0, 0, 0]).put(&echo.id.to_be_bytes()).put(&echo.seq.to_be_bytes());
    out.put(payload);
    if family == Family::V4 {
        let checksum = ipv4::checksum(out.written_from(0));
        out.patch(2, &checksum.to_be_bytes());
    }
    out.finish()
}

/// What a packet says about an echo request of somebody's; `None` for anything else.
pub fn parse(family: Family, packet: &[u8]) -> Option<Message> {
    let message = match family {
        Family::V4 => {
            let (header, message) = ipv4::parse(packet).ok()?;
            (header.protocol == ICMP && ipv4::checksum(message) == 0).then_some(message)?
        }
        Family::V6 => packet,
    };
    let [kind, code] = array(message, 0)?;
    let reason = match (family, kind, code) {
        (Family::V4, 0, 0) | (Family::V6, 129, 0) => return Some(Message::Reply(echo(message)?)),
        (Family::V4, 3, 0 | 6 | 11) | (Family::V6, 1, 0) => "network unreachable",
        (Family::V4, 3, 1 | 7 | 12) | (Family::V6, 1, 3) => "host unreachable",
        (Family::V4, 3, 9 | 10 | 13) | (Family::V6, 1, 1) => PROHIBITED,
        (Family::V4, 3, _) | (Family::V6, 1, _) => UNREACHABLE,
        (Family::V4, 11, _) | (Family::V6, 3, _) => EXCEEDED,
        _ => return None,
    };
    let (target, request) = quoted(family, message.get(HEADER_LEN..)?)?;
    (request.first() == Some(&family.request())).then_some(())?;
    Some(Message::Error { echo: echo(request)?, target, reason })
}

fn echo(message: &[u8]) -> Option<Echo> {
    Some(Echo { id: u16::from_be_bytes(array(message, 4)?), seq: u16::from_be_bytes(array(message, 6)?) })
}

/// Receiver and message of the packet that an error quotes. The quotation may end early, so its lengths say nothing.
fn quoted(family: Family, packet: &[u8]) -> Option<(IpAddr, &[u8])> {
    let first = *packet.first()?;
    let (target, protocol, length) = match family {
        Family::V4 => {
            let target = Ipv4Addr::from(array::<4>(packet, 16)?).into();
            (target, (packet.get(9)?, ICMP), usize::from(first & 0x0f) * 4)
        }
        Family::V6 => {
            (Ipv6Addr::from(array::<16>(packet, 24)?).into(), (packet.get(6)?, ICMPV6), IPV6_HEADER_LEN)
        }
    };
    (*protocol.0 == protocol.1).then_some((target, packet.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `tcpdump -n -i v0 -xx` (4.99) of `ping -c 1 -s 16` (iputils) between two hosts, from the IPv4 header on.
    const REPLY: &str =
        "4500002c1a85000040014c380a0900020a0900010000cdab126d00010866016b0000000007150f0000000000";
    /// The same towards a router without a route.
    const UNREACHABLE_HOST: &str = "45c000481a86000040014b5b0a0900020a0900010301fcfe000000004500002ca19640004001\
        85280a0900010a080001080043ad127400010966016b00000000970c000000000000";
    /// ICMPv6, from behind the IPv6 header on.
    const REPLY_V6: &str = "81005246126e00010866016b0000000007220f0000000000";
    const NO_ROUTE_V6: &str = "010024ae00000000600d45b700183a40fd000000000000000000000000000001fd010000000000000000\
        00000000000180006e4b127500010966016b00000000fa15000000000000";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter_map(|char| char.to_digit(16))
            .filter_map(|one| u8::try_from(one).ok())
            .collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn a_request_is_that_of_ping() {
        // As above: the request that REPLY answers.
        let expected = hex("0800c5ab126d00010866016b0000000007150f0000000000");
        let (echo, payload) = (Echo { id: 0x126d, seq: 1 }, &expected[8..]);
        let mut out = [0; 24];
        assert_eq!(emit_request(Family::V4, echo, payload, &mut out), Some(24));
        assert_eq!(out, expected[..]);
        assert_eq!(emit_request(Family::V4, echo, payload, &mut out[..23]), None);
        // The kernel fills in the checksum.
        assert_eq!(emit_request(Family::V6, echo, payload, &mut out), Some(24));
        assert_eq!(out[..8], [128, 0, 0, 0, 0x12, 0x6d, 0, 1]);
    }

    #[test]
    fn replies_and_errors_name_the_request() {
        let reply = Message::Reply(Echo { id: 0x126d, seq: 1 });
        assert_eq!(parse(Family::V4, &hex(REPLY)), Some(reply));
        assert_eq!(
            parse(Family::V4, &hex(UNREACHABLE_HOST)),
            Some(Message::Error {
                echo: Echo { id: 0x1274, seq: 1 },
                target: Ipv4Addr::new(10, 8, 0, 1).into(),
                reason: "host unreachable",
            })
        );
        assert_eq!(parse(Family::V6, &hex(REPLY_V6)), Some(Message::Reply(Echo { id: 0x126e, seq: 1 })));
        assert_eq!(
            parse(Family::V6, &hex(NO_ROUTE_V6)),
            Some(Message::Error {
                echo: Echo { id: 0x1275, seq: 1 },
                target: "fd01::1".parse().unwrap(),
                reason: "network unreachable",
            })
        );
    }

    #[test]
    fn a_wrong_checksum_and_an_error_about_something_else_are_ignored() {
        let mut packet = hex(REPLY);
        packet[22] ^= 1;
        assert_eq!(parse(Family::V4, &packet), None);
        let mut packet = hex(NO_ROUTE_V6);
        packet[8 + 6] = 6;
        assert_eq!(parse(Family::V6, &packet), None, "about TCP");
        let mut packet = hex(NO_ROUTE_V6);
        packet[8 + 40] = 129;
        assert_eq!(parse(Family::V6, &packet), None, "about a reply");
    }

    proptest! {
        #[test]
        fn no_input_panics(packet: Vec<u8>, kind in 0_usize..6, v6: bool) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let _ = parse(family, &packet);
            let mut whole = hex(if v6 { NO_ROUTE_V6 } else { UNREACHABLE_HOST });
            let cut = whole.len().min(packet.len());
            let _ = parse(family, &whole[..cut]);
            if let Some(first) = whole.get_mut(if v6 { 0 } else { 20 }) {
                *first = [0, 3, 11, 129, 1, 3][kind];
            }
            let _ = parse(family, &whole);
            if !v6 {
                // Behind the checksum's check.
                whole[28..28 + cut.min(40)].copy_from_slice(&packet[..cut.min(40)]);
                whole[22..24].fill(0);
                let sum = ipv4::checksum(&whole[20..]).to_be_bytes();
                whole[22..24].copy_from_slice(&sum);
                let _ = parse(family, &whole);
            }
        }
    }
}
