//! Timers that are due and facts on the bus go to whom they concern: who hears of what.

use super::bus::Timer;
use super::track::Watched;
use super::vrrp::Surroundings;
use super::{Director, Parts};
use crate::config::ids::{AddressId, GroupId, Id, InstanceId, LinkId, ProbeId, ServiceId};
use crate::config::model::TrackTarget;
use crate::time::Instant;

/// Rounds of facts, and timers fired, in one turn; what is left is for the next.
const MAX_ROUNDS: usize = 4;
const MAX_TIMERS: usize = 4_096;

impl Director {
    /// Fires the timers that are due.
    pub(super) fn fire(&mut self, now: Instant) {
        let (
            config,
            Parts {
                bus,
                links,
                tracks,
                vrrp,
                garp,
                health,
                services,
                net_plan,
                nftables_plan,
                firewall_plan,
                route_plan,
                ipvs_plan,
                survey,
                ..
            },
        ) = (&self.config, &mut self.parts);
        for _ in 0..MAX_TIMERS {
            match bus.pop_due(now) {
                None => break,
                Some(Timer::AddressRung(rung)) => {
                    net_plan.climb(rung);
                    route_plan.climb(rung);
                }
                Some(Timer::IpvsRung(rung)) => ipvs_plan.climb(rung),
                Some(Timer::RouteAudit) => survey.begin(),
                Some(Timer::IpvsAudit) => ipvs_plan.handle_audit_timer(now),
                Some(Timer::Filter) => nftables_plan.handle_timer(),
                Some(Timer::Firewall) => firewall_plan.handle_timer(now, bus),
                Some(Timer::SocketRetry) => links.retry_sockets(),
                Some(Timer::Startup) => vrrp.handle_startup(bus),
                Some(Timer::LinkSettled(id)) => links.handle_settled(now, id, bus),
                Some(Timer::Pace(id, pace)) => garp.handle_pace(id, pace),
                Some(Timer::Protocol(id)) => vrrp.handle_timer(now, id, config, bus),
                Some(Timer::SecondBurst(id)) => garp.handle_second(id, config),
                Some(Timer::Refresh(id)) => garp.handle_refresh(now, id, config, bus),
                Some(Timer::Probe(id)) => health.handle_timer(id),
                Some(Timer::Track(id)) => {
                    tracks.handle_timer(now, id, Watched { config, links, health, services }, bus);
                }
                Some(Timer::Rise(id)) => services.handle_rise(now, id, config, bus),
                Some(Timer::Drain) => ipvs_plan.handle_drain_timer(now, bus),
            }
        }
    }

    /// Carries facts from their owners to their consumers.
    pub(super) fn settle(&mut self, now: Instant) {
        // Most events, the kernel's answers for one, leave none.
        if !self.parts.bus.has_facts() {
            return;
        }
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
            nftables_plan,
            route_plan,
            ipvs_plan,
            survey: _,
            presence: _,
            firewall_plan: _,
        } = &mut self.parts;
        for _ in 0..MAX_ROUNDS {
            while let Some(link) = bus.links.pop().map(LinkId::from_index) {
                let watched = Watched { config, links, health, services };
                tracks.changed(now, TrackTarget::Link(link), watched, bus);
                tracks.link_changed(now, bus);
                net_plan.link_changed(link, config, links);
                nftables_plan.touch();
                route_plan.link_changed(link, config, links);
                ipvs_plan.link_changed(link);
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
                nftables_plan.instance_changed(now, id, (config, vrrp), bus);
                route_plan.instance_changed(id, config, vrrp);
                ipvs_plan.instance_changed(id);
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
                services.follow_verdict(now, id, (config, health), bus);
                tracks.verdict_changed(now, id, Watched { config, links, health, services }, bus);
            }
            while let Some(id) = bus.services.pop().map(ServiceId::from_index) {
                ipvs_plan.service_changed(id, config);
                tracks.service_changed(now, id, Watched { config, links, health, services }, bus);
            }
            if !bus.has_facts() {
                break;
            }
        }
    }
}
