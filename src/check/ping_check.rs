//! `PING_CHECK`: the host answers an echo request (RFC 792, RFC 4443 section 4).
//!
//! The socket is raw, so that no `ping_group_range` has to be set; it hears every reply of the target, and the one to
//! another's request is told by its identifier.

use core::net::SocketAddr;

use super::form::{Check, Form, Recheck, Talk, Transport, as_written, whole};
use super::keywords::{COMMON, Draft, PACES};
use super::registry::{Checker, Dialogue};
use super::{ANSWERED, Progress, Verdict};
use crate::syntax::Table;
use crate::time::Duration;
use crate::wire::icmp::{self, Echo, Family, Message};

/// Its facts.
pub static FORM: Form = Form {
    keyword: "PING_CHECK",
    help: "PING_CHECK|none|up if an echo request is answered",
    name: "PING_CHECK",
    transport: Transport::Echo,
    port: 0,
    retry: 1,
    pause: Some(Duration::from_secs(1)),
    recheck: Recheck::Interval,
    success: ("ICMP connection to ", " success."),
    table: &TABLE,
    new: || Checker::Ping(PingCheck),
    complete: whole,
    build: as_written,
};

static TABLE: Table<Draft> = Table { name: "PING_CHECK", rows: &[PACES, COMMON] };

/// Bytes behind the header of a request: with it 128, as keepalived sends.
const PAYLOAD: [u8; 120] = [0; 120];

/// It has no parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PingCheck;

impl Check for PingCheck {
    fn form(&self) -> &'static Form {
        &FORM
    }

    fn begin(&self, _: usize, nonce: u32) -> Dialogue {
        let [a, b, c, d] = nonce.to_be_bytes();
        let echo = Echo { id: u16::from_be_bytes([a, b]), seq: u16::from_be_bytes([c, d]) };
        Dialogue::Ping(Echoing(echo))
    }
}

/// The request that is to be answered.
#[derive(Debug, Clone)]
pub struct Echoing(Echo);

impl Talk for Echoing {
    fn request(&self, target: SocketAddr, out: &mut [u8]) -> Option<usize> {
        icmp::emit_request(Family::of(target.ip()), self.0, &PAYLOAD, out)
    }

    fn feed(&mut self, target: SocketAddr, bytes: &[u8]) -> Progress {
        match icmp::parse(Family::of(target.ip()), bytes) {
            Some(Message::Reply(echo)) if echo == self.0 => {
                Progress::Done(Verdict::Pass { status: ANSWERED })
            }
            // Errors of routers do not reach a socket that hears its target only; one of the target's own is silence.
            Some(Message::Reply(_) | Message::Error { .. }) | None => Progress::NeedMore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Failure;
    use super::*;
    use crate::wire::ipv4;
    use proptest::prelude::*;

    fn target() -> SocketAddr {
        "[fd00::1]:0".parse().unwrap()
    }

    /// What the target would answer; IPv6 has no header in front.
    fn reply(talk: &dyn Talk) -> Vec<u8> {
        let mut out = [0; 256];
        let length = talk.request(target(), &mut out).unwrap();
        assert_eq!(length, 128);
        out[0] = 129;
        out[..length].to_vec()
    }

    #[test]
    fn its_own_reply_passes_and_another_s_does_not() {
        let mut dialogue = PingCheck.begin(0, 0x1234_5678);
        let good = reply(dialogue.talk());
        for byte in 4..8 {
            let mut other = good.clone();
            other[byte] ^= 1;
            assert_eq!(dialogue.talk().feed(target(), &other), Progress::NeedMore);
        }
        assert_eq!(dialogue.talk().feed(target(), &good), Progress::Done(Verdict::Pass { status: ANSWERED }));
        assert_eq!(dialogue.talk().expire(), Verdict::Fail(Failure::Deadline));
    }

    #[test]
    fn a_reply_of_ipv4_is_found_behind_its_header() {
        let target = "10.0.0.11:0".parse().unwrap();
        let mut dialogue = PingCheck.begin(0, 7);
        let mut packet = vec![0; 20 + 128];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&148_u16.to_be_bytes());
        (packet[8], packet[9]) = (64, 1);
        dialogue.talk().request(target, &mut packet[20..]).unwrap();
        packet[20] = 0;
        packet[22..24].fill(0);
        let sum = ipv4::checksum(&packet[20..]).to_be_bytes();
        packet[22..24].copy_from_slice(&sum);
        let sum = ipv4::checksum(&packet[..20]).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        assert_eq!(dialogue.talk().feed(target, &packet), Progress::Done(Verdict::Pass { status: ANSWERED }));
    }

    proptest! {
        #[test]
        fn no_packet_panics_and_none_passes_by_chance(packet: Vec<u8>, v6: bool) {
            let target = if v6 { target() } else { "10.0.0.11:0".parse().unwrap() };
            prop_assert_eq!(PingCheck.begin(0, 0xfeed_beef).talk().feed(target, &packet), Progress::NeedMore);
        }
    }
}
