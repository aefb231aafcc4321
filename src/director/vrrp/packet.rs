//! Adverts to send: whose turn it is, and the whole IP packet, from the configuration and the state at the moment of
//! sending.

use core::net::IpAddr;

use super::{Program, State, Vrrp, centiseconds};
use crate::config::Config;
use crate::config::ids::Id;
use crate::config::ids::{InstanceId, LinkId};
use crate::config::model::{Authentication, Transport};
use crate::director::action::{Action, AdvertKind};
use crate::director::bus::Bus;
use crate::director::event::Errno;
use crate::director::journal::Reason;
use crate::director::links::Links;
use crate::time::Instant;
use crate::wire::ah::Sealing;
use crate::wire::vrrp::{Channel, Dialect, Outgoing, Version};

/// A packet in the caller's buffer and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// The interface whose socket sends it.
    pub link: LinkId,
    /// Which of its sockets.
    pub channel: Channel,
    /// Group or peer.
    pub destination: IpAddr,
    /// Bytes written.
    pub len: usize,
}

impl Vrrp {
    /// Writes an advert of `instance`; `peer` is the row of its unicast peers. `None` if there is no such instance or
    /// peer, no address to send from, or no room in `out` (1,500 bytes are always enough).
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
            Transport::Unicast { .. } => config.peers_of(instance).get(usize::from(peer))?.address,
        };
        let dialect = match instance.version {
            Version::V2 => {
                let auth_type = instance.authentication.number();
                let auth_data = match instance.authentication {
                    Authentication::Pass(password) => password,
                    Authentication::None | Authentication::Ah(_) => [0; 8],
                };
                let interval = u8::try_from(instance.advert_interval.as_secs()).unwrap_or(u8::MAX);
                Dialect::V2 { auth_type, auth_data, interval }
            }
            Version::V3 => {
                let interval = centiseconds(instance.advert_interval);
                Dialect::V3 { interval, coverage: instance.coverage }
            }
        };
        let packet = Outgoing {
            source: instance.source.or(links.get(instance.link).source(instance.family))?,
            destination,
            ttl: match &instance.transport {
                Transport::Multicast(_) => 255,
                Transport::Unicast { .. } => instance.manners.unicast_ttl,
            },
            id: router.ip_id,
            vrid: instance.vrid.get(),
            priority: match kind {
                AdvertKind::Present => router.priority,
                AdvertKind::Farewell => 0,
            },
            sealing: match instance.authentication {
                Authentication::Ah(key) => Some(Sealing { key, sequence: router.sealed_as }),
                Authentication::None | Authentication::Pass(_) => None,
            },
            dialect,
        };
        let len = packet.emit(config.advertised(instance).iter().map(|one| one.address), out)?;
        Some(Datagram { link: instance.link, channel: instance.channel(), destination, len })
    }

    /// The next advert to send.
    pub(crate) fn poll_advert(&mut self, config: &Config) -> Option<Action> {
        loop {
            let id = InstanceId::from_index(self.outgoing.pop()?);
            let (Some(router), Some(instance)) =
                (self.table.get_mut(id.index()), config.instances.get(id.index()))
            else {
                continue;
            };
            let Program::Send { kind, peer } = router.program else { continue };
            if peer == 0 {
                router.counters.sent_total += 1;
                router.counters.zero_sent_total += u64::from(kind == AdvertKind::Farewell);
                router.sequence = router.sequence.saturating_add(1);
                router.sealed_as = router.sequence;
            }
            let receivers = match &instance.transport {
                Transport::Multicast(_) => 1,
                Transport::Unicast { peers } => peers.len(),
            };
            if usize::from(peer) + 1 < receivers {
                router.program = Program::Send { kind, peer: peer + 1 };
                self.outgoing.insert(id.index());
            } else {
                router.program = Program::Idle;
            }
            return Some(Action::SendAdvert { instance: id, peer, kind });
        }
    }

    /// True if an advert waits to be sent.
    pub(crate) fn has_work(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// An advert could not be sent. A farewell over a dead interface is no news.
    pub(crate) fn send_failed(&mut self, now: Instant, id: InstanceId, errno: Errno, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        router.counters.send_failed_total += 1;
        if !router.send_reported && !matches!(router.state, State::Fault(_)) {
            router.send_reported = true;
            bus.record(now, Reason::AdvertFailed(id, errno));
        }
    }
}
