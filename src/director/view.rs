//! What the shell and the console may read: values for actions, and each subsystem's state.

use core::net::IpAddr;

use super::action::{Action, AddressRef, AdvertKind, Epoch, FilterStep};
use super::duplicate::Duplicates;
use super::firewall_plan::FirewallPlan;
use super::garp::Announcements;
use super::groups::Groups;
use super::health::Health;
use super::ipvs_plan::IpvsPlan;
use super::journal::Journal;
use super::links::{Links, groups_of};
use super::net_plan::NetPlan;
use super::nftables_plan::NftablesPlan;
use super::route_plan::{RoutePlan, RoutingRequest};
use super::services::Services;
use super::track::{Effect, Tracks, Watched};
use super::vrrp::Vrrp;
use super::vrrp::packet::Datagram;
use super::{Director, Parts};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId, LinkId, ProbeId};
use crate::config::model::Probe;
use crate::time::Instant;
use crate::wire::link::{LinkIndex, LinkName};
use crate::wire::vrrp::Channel;
use crate::wire::{arp, genl_ipvs, ndisc, nftables, rtnetlink};

/// An Ethernet frame in the caller's buffer and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The interface.
    pub link: LinkIndex,
    /// Bytes written.
    pub len: usize,
}

/// A VRRP socket to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSpec {
    /// The interface's index.
    pub index: LinkIndex,
    /// Its name, to bind the socket to.
    pub name: LinkName,
    /// Multicast groups to join; without any the interface is used for unicast only.
    pub groups: heapless::Vec<IpAddr, MAX_GROUPS>,
}

/// Different multicast groups on one interface; more than one is rare.
pub const MAX_GROUPS: usize = 8;

impl Director {
    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Writes a whole IP packet for [`Action::SendAdvert`]; 1,500 bytes are always enough.
    pub fn advert(&self, id: InstanceId, peer: u16, kind: AdvertKind, out: &mut [u8]) -> Option<Datagram> {
        self.parts.vrrp.advert(id, peer, kind, (&self.config, &self.parts.links), out)
    }

    /// Writes a whole frame for [`Action::Announce`]; 128 bytes are always enough. `role` is what this host is on the
    /// interface now, for an IPv6 address.
    pub fn announcement(&self, id: AddressId, role: ndisc::Role, out: &mut [u8]) -> Option<Frame> {
        let address = self.config.addresses.get(id.index())?;
        let link = self.parts.links.get(address.link);
        let len = match address.address {
            IpAddr::V4(address) => arp::emit_gratuitous(link.mac, address, out),
            IpAddr::V6(address) => ndisc::emit_unsolicited(link.mac, address, role, out),
        };
        link.exists().then_some(Frame { link: link.index, len: len? })
    }

    /// What socket [`Action::OpenSocket`] means.
    pub fn socket(&self, id: LinkId, channel: Channel) -> Option<SocketSpec> {
        let (link, name) = (self.parts.links.get(id), *self.config.links.get(id.index())?);
        let groups = groups_of(&self.config, id, channel);
        link.exists().then_some(SocketSpec { index: link.index, name, groups })
    }

    /// What an action asks of the routing socket.
    pub fn route_request(&self, action: Action) -> Option<rtnetlink::Request> {
        self.parts.net_plan.request(action, &self.config)
    }

    /// What a step asks of nf_tables; nothing for a look.
    pub fn filter_transaction(&self, step: FilterStep) -> Option<nftables::Transaction<'_>> {
        self.parts.nftables_plan.transaction(step)
    }

    /// What an action asks of the routing socket about a route or a rule.
    pub fn routing_request(&self, action: Action) -> Option<RoutingRequest<'_>> {
        let Action::Routing { object, change, .. } = action else { return None };
        self.parts.route_plan.request((object, change), &self.config, &self.parts.links)
    }

    /// What an action asks of IPVS.
    pub fn ipvs_request(&self, action: Action) -> Option<genl_ipvs::Request> {
        self.parts.ipvs_plan.request(action, &self.config, &self.parts.services)
    }

    /// The interface whose kernel must keep other addresses when this one's network loses its first one
    /// (`promote_secondaries`), before the address is added.
    pub fn promotes(&self, action: Action) -> Option<(LinkIndex, LinkName)> {
        let Action::AddAddress { address: AddressRef::Configured(id), .. } = action else { return None };
        let address = self.config.addresses.get(id.index()).filter(|one| one.address.is_ipv4())?;
        let instance = self.config.instances.get(address.instance?.index())?;
        let (index, name) =
            (self.parts.links.get(address.link).index, self.config.links.get(address.link.index())?);
        instance.manners.promotes.then_some((index, *name))
    }

    /// True for a service in the kernel's table that leads our checks through virtual addresses.
    pub fn is_hidden(&self, key: &genl_ipvs::ServiceKey) -> bool {
        self.parts.ipvs_plan.find_service(key, &self.config).is_some_and(|id| self.config.is_hidden(id))
    }

    /// What shall run in a role of the sync daemon now.
    pub fn daemon_wish(&self, role: genl_ipvs::DaemonRole) -> Option<genl_ipvs::DaemonSpec> {
        self.parts.ipvs_plan.daemon_wish(role, (&self.parts.vrrp, &self.parts.links))
    }

    /// The probe of [`Action::Probe`].
    pub fn probe(&self, id: ProbeId) -> Option<&Probe> {
        self.config.probes.get(id.index())
    }

    /// When a probe is due next; `None` while it is under way.
    pub fn probe_due(&self, id: ProbeId) -> Option<Instant> {
        self.parts.bus.deadline(super::bus::Timer::Probe(id))
    }

    /// When an instance's protocol timer fires: the next advert of a MASTER, the takeover of a BACKUP.
    pub fn protocol_deadline(&self, id: InstanceId) -> Option<Instant> {
        self.parts.bus.deadline(super::bus::Timer::Protocol(id))
    }

    /// When to call [`Self::handle`] although nothing happens; [`Instant::NEVER`] if no timer is set.
    pub fn next_deadline(&self) -> Instant {
        let Parts { bus, ipvs_plan, .. } = &self.parts;
        if bus.has_facts() || ipvs_plan.is_behind() { Instant::ZERO } else { bus.next_deadline() }
    }

    /// What happened.
    pub fn journal(&self) -> &Journal {
        &self.parts.bus.journal
    }

    /// True if a poll with an unbounded budget would give an action now.
    pub fn has_work(&self) -> bool {
        let parts = &self.parts;
        parts.vrrp.has_work()
            || parts.links.has_socket_work()
            || parts.net_plan.has_work()
            || parts.route_plan.has_work((&self.config, &parts.vrrp, &parts.links), &parts.net_plan)
            || parts.garp.has_work(&self.config, &parts.net_plan)
            || (parts.ipvs_plan.has_work() && !parts.ipvs_plan.is_behind())
            || parts.nftables_plan.has_work()
            || parts.firewall_plan.has_work()
            || parts.health.has_work()
            || parts.survey.has_work()
    }

    /// True while an announcement can be sent now.
    pub fn is_announcing(&self) -> bool {
        self.parts.garp.has_work(&self.config, &self.parts.net_plan)
    }

    /// True when the kernel was listed once as a whole. A reload before that would forget what a predecessor that was
    /// killed left behind by the configuration that is going.
    pub fn knows_kernel(&self) -> bool {
        self.parts.survey.is_whole()
    }

    /// After [`Event::Stop`]: true when everything is taken down, or cannot be for now.
    pub fn is_stopped(&self) -> bool {
        let parts = &self.parts;
        !parts.vrrp.has_work()
            && parts.net_plan.is_done()
            && parts.route_plan.is_done()
            && parts.nftables_plan.is_done()
            && parts.firewall_plan.is_done()
            && parts.ipvs_plan.is_done()
    }

    /// The epoch of the actions given now.
    pub fn epoch(&self) -> Epoch {
        self.parts.bus.epoch
    }

    /// Answers dropped because they were of an earlier epoch.
    pub fn stale_total(&self) -> u64 {
        self.parts.bus.stale_total
    }

    /// Interfaces.
    pub fn links(&self) -> &Links {
        &self.parts.links
    }

    /// What the tracker in this row of `Config::trackers` comes to now.
    pub fn effect(&self, row: u32) -> Effect {
        let Parts { links, health, services, tracks, .. } = &self.parts;
        tracks.effect(row, Watched { config: &self.config, links, health, services })
    }

    /// What instances track.
    pub fn tracks(&self) -> &Tracks {
        &self.parts.tracks
    }

    /// Virtual routers.
    pub fn vrrp(&self) -> &Vrrp {
        &self.parts.vrrp
    }

    /// Addresses of ours that others speak for.
    pub fn duplicates(&self) -> &Duplicates {
        &self.parts.duplicates
    }

    /// Sync groups.
    pub fn groups(&self) -> &Groups {
        &self.parts.groups
    }

    /// Announcements.
    pub fn announcements(&self) -> &Announcements {
        &self.parts.garp
    }

    /// Probes.
    pub fn health(&self) -> &Health {
        &self.parts.health
    }

    /// Virtual services.
    pub fn services(&self) -> &Services {
        &self.parts.services
    }

    /// Addresses in the kernel.
    pub fn net_plan(&self) -> &NetPlan {
        &self.parts.net_plan
    }

    /// Addresses that do not answer.
    pub fn nftables_plan(&self) -> &NftablesPlan {
        &self.parts.nftables_plan
    }

    /// The tables of `firewall`.
    pub fn firewall_plan(&self) -> &FirewallPlan {
        &self.parts.firewall_plan
    }

    /// Routes and rules in the kernel.
    pub fn route_plan(&self) -> &RoutePlan {
        &self.parts.route_plan
    }

    /// Services and destinations in the kernel.
    pub fn ipvs_plan(&self) -> &IpvsPlan {
        &self.parts.ipvs_plan
    }
}
