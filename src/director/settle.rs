//! Facts on the bus go from their owners to their consumers: who hears of what.

use super::track::Watched;
use super::vrrp::Surroundings;
use super::{Director, MAX_ROUNDS, Parts};
use crate::config::ids::{AddressId, GroupId, Id, InstanceId, LinkId, ProbeId, ServiceId};
use crate::config::model::TrackTarget;
use crate::time::Instant;

impl Director {
    /// Carries facts from their owners to their consumers.
    pub(super) fn settle(&mut self, now: Instant) {
        let config = &self.config;
        let Parts {
            bus,
            links,
            tracks,
            vrrp,
            groups,
            duplicates,
            garp,
            health,
            services,
            net_plan,
            route_plan,
            ipvs_plan,
            survey: _,
        } = &mut self.parts;
        for _ in 0..MAX_ROUNDS {
            while let Some(link) = bus.links.pop().map(LinkId::from_index) {
                tracks.changed(TrackTarget::Link(link), Watched { config, links, health, services }, bus);
                net_plan.link_changed(link, config, links);
                route_plan.link_changed(link, config, links);
            }
            while let Some(id) = bus.tracks.pop().map(InstanceId::from_index) {
                vrrp.evaluate(now, id, Surroundings { config, links, tracks, groups, net_plan }, bus);
            }
            while let Some(id) = bus.groups.pop().map(GroupId::from_index) {
                groups.member_changed(now, id, (config, vrrp), bus);
            }
            while let Some(id) = bus.followers.pop().map(InstanceId::from_index) {
                vrrp.follow_group(now, id, (config, groups), bus);
            }
            while let Some(id) = bus.instances.pop().map(InstanceId::from_index) {
                net_plan.instance_changed(id, config, vrrp);
                route_plan.instance_changed(id, config, vrrp);
                garp.instance_changed(now, id, config, vrrp, bus);
                duplicates.instance_changed(id, config, vrrp);
            }
            while let Some(id) = bus.installed.pop().map(AddressId::from_index) {
                garp.address_installed(id, config, vrrp);
                let owner = config.addresses.get(id.index()).and_then(|one| one.instance);
                route_plan.address_installed(owner, config);
            }
            while let Some(id) = bus.verdicts.pop().map(ProbeId::from_index) {
                services.verdict_changed(now, id, config, health, bus);
                tracks.verdict_changed(id, Watched { config, links, health, services }, bus);
            }
            while let Some(id) = bus.services.pop().map(ServiceId::from_index) {
                ipvs_plan.service_changed(id, config);
                tracks.service_changed(id, Watched { config, links, health, services }, bus);
            }
            if !bus.has_facts() {
                break;
            }
        }
    }
}
