//! Adverts to send: the whole IPv4 packet, from the configuration and the state at the moment of sending.

use core::net::{IpAddr, Ipv4Addr};

use super::Vrrp;
use crate::config::Config;
use crate::config::ids::Id;
use crate::config::ids::{InstanceId, LinkId};
use crate::config::model::{Authentication, Transport};
use crate::director::action::AdvertKind;
use crate::director::links::Links;
use crate::wire::vrrp::Outgoing;

/// A packet in the caller's buffer and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// The interface whose socket sends it.
    pub link: LinkId,
    /// Group or peer.
    pub destination: Ipv4Addr,
    /// Bytes written.
    pub len: usize,
}

impl Vrrp {
    /// Writes an advert of `instance`; `peer` is the row of its unicast peers. `None` if there is no such instance or
    /// peer, no address to send from, or no room in `out` (1,056 bytes are always enough).
    pub(crate) fn advert(
        &self,
        id: InstanceId,
        peer: u16,
        kind: AdvertKind,
        (config, links): (&Config, &Links),
        out: &mut [u8],
    ) -> Option<Datagram> {
        let (router, instance) = (self.get(id)?, config.instances.get(id.index())?);
        let destination = match &instance.transport {
            Transport::Multicast(group) => *group,
            Transport::Unicast { .. } => *config.peers_of(instance).get(usize::from(peer))?,
        };
        let (auth_type, auth_data) = match instance.authentication {
            Authentication::None => (0, [0; 8]),
            Authentication::Pass(password) => (1, password),
        };
        let packet = Outgoing {
            source: instance.source.or(links.get(instance.link).primary)?,
            destination,
            ttl: 255,
            id: router.ip_id,
            vrid: instance.vrid.get(),
            priority: match kind {
                AdvertKind::Present => router.priority,
                AdvertKind::Farewell => 0,
            },
            auth_type,
            auth_data,
            interval: u8::try_from(instance.advert_interval.as_secs()).unwrap_or(u8::MAX),
        };
        let addresses = config.advertised(instance).iter().filter_map(|one| match one.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        Some(Datagram { link: instance.link, destination, len: packet.emit(addresses, out)? })
    }
}
