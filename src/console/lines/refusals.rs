//! Refused adverts, in keepalived's words where it has some. Each is said once per state and reason; the rest are
//! counted in `show vrrp`.

use core::fmt;
use core::net::IpAddr;

use super::{Severity, Teller};
use crate::config::ids::{Id, InstanceId};
use crate::director::vrrp::Reject;

/// `auth_type AH` in adverts.
const SEALED: u8 = 2;

/// Says why an advert from `from` was refused; `seen` is what stood in the field that was found wrong.
pub(super) fn tell(teller: &mut Teller<'_>, id: InstanceId, (reject, seen): (Reject, u8), from: IpAddr) {
    let Some(instance) = teller.names.0.instances.get(id.index()) else { return };
    let mine = instance.advert_interval;
    let expected = instance.authentication.number();
    let (tail, version) = (Sender(from), instance.version.number());
    let warn = |teller: &mut Teller<'_>, line: fmt::Arguments<'_>| {
        teller.about(Severity::Warning, id, format_args!("{line} ({tail})"));
    };
    match reject {
        Reject::Header => warn(teller, format_args!("received a packet with a bad IP header")),
        Reject::Length => warn(teller, format_args!("received a packet too short for an advert")),
        Reject::Count => {
            warn(teller, format_args!("received an ip number count that does not fit its length"))
        }
        Reject::Ttl => warn(teller, format_args!("invalid TTL/HL. Received {seen} and expect 255")),
        Reject::TtlRange => {
            let peers = teller.names.0.peers_of(instance);
            let ttls = peers.iter().find(|peer| peer.address == from).and_then(|peer| peer.ttls);
            let (min, max) = ttls.map_or((0, u8::MAX), |ttls| (ttls.min, ttls.max));
            warn(teller, format_args!("TTL/HL {seen} not in range {min} - {max}"));
        }
        Reject::Version => warn(teller, format_args!("wrong version. Received {seen} and expect {version}")),
        Reject::UnknownVrid => warn(teller, format_args!("received an unknown VRID")),
        Reject::AuthType => warn(teller, format_args!("invalid auth type {seen}")),
        Reject::AuthMismatch => warn(teller, format_args!("received a {seen} auth, expecting {expected}!")),
        Reject::Password if expected == SEALED => {
            warn(teller, format_args!("IPSEC-AH : invalid IPSEC HMAC-MD5 value, or another password"));
        }
        Reject::Replay => {
            warn(teller, format_args!("IPSEC-AH : sequence number already processed. Packet dropped"));
        }
        Reject::Password => warn(teller, format_args!("received an invalid passwd!")),
        Reject::Interval => {
            warn(teller, format_args!("advertisement interval mismatch mine={mine} sec rcv'd={seen} sec"));
        }
        Reject::Type => warn(teller, format_args!("invalid packet type {seen}")),
        Reject::Checksum => warn(teller, format_args!("Invalid VRRPv{version} checksum")),
        Reject::Destination => {
            warn(teller, format_args!("multicast where unicast is configured, or the reverse"))
        }
        Reject::Source => warn(teller, format_args!("unicast source address {from} not a unicast peer")),
        Reject::Own => {
            warn(teller, format_args!("received an advert from our own address: is it used twice?"))
        }
    }
}

/// Who sent it, if the packet reaches that far, and what becomes of it.
struct Sender(IpAddr);

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_unspecified() { f.write_str("dropped") } else { write!(f, "from {}, dropped", self.0) }
    }
}
