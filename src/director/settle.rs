//! Facts on the bus go from their owners to their consumers: who hears of what.

use super::vrrp::Surroundings;
use super::{Director, MAX_ROUNDS, Parts};
use crate::config::ids::{AddressId, Id, InstanceId, LinkId, ProbeId, ServiceId};
use crate::time::Instant;

impl Director {
    /// Carries facts from their owners to their consumers.
    pub(super) fn settle(&mut self, now: Instant) {
        let (
            config,
            Parts {
                bus, links, tracks, vrrp, garp, health, services, net_plan, route_plan, ipvs_plan, ..
            },
        ) = (&self.config, &mut self.parts);
        for _ in 0..MAX_ROUNDS {
            while let Some(link) = bus.links.pop().map(LinkId::from_index) {
                tracks.link_changed(link, config, links, bus);
                net_plan.link_changed(link, config, links);
                route_plan.link_changed(link, config, links);
            }
            while let Some(id) = bus.tracks.pop().map(InstanceId::from_index) {
                vrrp.evaluate(now, id, Surroundings { config, links, tracks }, bus);
            }
            while let Some(id) = bus.instances.pop().map(InstanceId::from_index) {
                net_plan.instance_changed(id, config, vrrp);
                route_plan.instance_changed(id, config, vrrp);
                garp.instance_changed(now, id, config, vrrp, bus);
            }
            while let Some(id) = bus.installed.pop().map(AddressId::from_index) {
                garp.address_installed(id, config, vrrp);
                let owner = config.addresses.get(id.index()).and_then(|one| one.instance);
                route_plan.address_installed(owner, config);
            }
            while let Some(id) = bus.verdicts.pop().map(ProbeId::from_index) {
                services.verdict_changed(now, id, config, health, bus);
            }
            while let Some(id) = bus.services.pop().map(ServiceId::from_index) {
                ipvs_plan.service_changed(id, config);
            }
            if !bus.has_facts() {
                break;
            }
        }
    }
}
