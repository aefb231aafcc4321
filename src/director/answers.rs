//! Which subsystem an answer of the kernel belongs to.

use super::action::{Action, Change, Dump};
use super::bus::Timer;
use super::event::{DumpError, Errno, Source};
use super::track::Watched;
use super::{Director, Parts};
use crate::config::ids::{AddressId, Id};
use crate::time::Instant;
use crate::wire::rtnetlink::AddressEntry;

impl Director {
    /// The kernel says that an address is there, or gone: one of ours, or another.
    pub(super) fn handle_address(
        &mut self,
        now: Instant,
        entry: &AddressEntry,
        (there, how): (bool, Source),
    ) {
        let (config, Parts { bus, links, vrrp, net_plan, nftables_plan, .. }) =
            (&self.config, &mut self.parts);
        // Routes from it go with it, and nobody says so (fib_sync_down_addr in net/ipv4/fib_semantics.c).
        if !there && how == Source::Foreign && config.routes.len() + config.tracked_routes.len() > 0 {
            bus.set_no_later(Timer::RouteAudit, now);
        }
        let ours = net_plan.find(entry, config, links);
        if let Some(id) = ours {
            net_plan.handle_address(now, id, (there, how), (config, vrrp, links), bus);
            nftables_plan.touch();
        }
        // Adverts come from any address that is not virtual, also from a static one that we set up.
        let is_virtual =
            |id: AddressId| config.addresses.get(id.index()).is_some_and(|one| one.instance.is_some());
        match ours.is_some_and(is_virtual) {
            true => {}
            false if there => links.handle_address(entry, bus),
            false => links.handle_address_gone(now, entry, bus),
        }
        self.note_presence(now, (entry.address, entry.link), (there, how));
    }

    pub(super) fn handle_applied(&mut self, now: Instant, action: Action, result: Result<(), Errno>) {
        let (config, Parts { bus, links, net_plan, route_plan, nftables_plan, firewall_plan, ipvs_plan, .. }) =
            (&self.config, &mut self.parts);
        match action {
            Action::AddAddress { epoch, address } => {
                net_plan.answered(now, (address, Change::Add, epoch), result, (config, links), bus);
                nftables_plan.touch();
            }
            Action::RemoveAddress { epoch, address } => {
                net_plan.answered(now, (address, Change::Remove, epoch), result, (config, links), bus);
                nftables_plan.touch();
            }
            Action::Routing { epoch, object, change } => {
                route_plan.answered(now, (object, change, epoch), result, config, bus);
            }
            Action::OpenSocket { epoch, link, channel } => {
                links.socket_answered(now, (link, channel), epoch, result, bus);
            }
            Action::FindIpvs { .. }
            | Action::FlushIpvs { .. }
            | Action::SetTimeouts { .. }
            | Action::ReadTimeouts { .. }
            | Action::Daemon { .. }
            | Action::Service { .. }
            | Action::Destination { .. } => ipvs_plan.answered(now, action, result, config, bus),
            Action::Filter { epoch, step } => nftables_plan.answered(now, (epoch, step), result, bus),
            Action::Firewall { epoch, part, step } => {
                firewall_plan.answered(now, (epoch, part, step), result, bus);
            }
            Action::SendAdvert { .. }
            | Action::Announce { .. }
            | Action::CloseSocket { .. }
            | Action::Dump { .. }
            | Action::Probe { .. }
            | Action::AbortProbe { .. } => debug_assert!(false, "{action:?} has no answer"),
        }
    }

    pub(super) fn handle_dumped(&mut self, now: Instant, action: Action, result: Result<(), DumpError>) {
        let Action::Dump { epoch, what } = action else { return };
        let (
            config,
            Parts {
                bus,
                links,
                tracks,
                vrrp,
                health,
                services,
                net_plan,
                route_plan,
                nftables_plan,
                ipvs_plan,
                survey,
                ..
            },
        ) = (&self.config, &mut self.parts);
        match what {
            Dump::Links => {
                if survey.handle_dumped(now, (epoch, what), result, bus) {
                    links.end_dump(now, bus);
                }
            }
            Dump::Addresses => {
                if survey.handle_dumped(now, (epoch, what), result, bus) {
                    links.end_address_dump(bus);
                    net_plan.end_dump(now, (config, vrrp, links), bus);
                    nftables_plan.touch();
                    self.end_presence_dump(now);
                }
            }
            Dump::Routes => {
                if survey.handle_dumped(now, (epoch, what), result, bus) {
                    tracks.end_route_dump(now, Watched { config, links, health, services }, bus);
                }
            }
            Dump::Rules => {
                if survey.handle_dumped(now, (epoch, what), result, bus) {
                    route_plan.end_dump(now, (config, vrrp, links), bus);
                }
            }
            Dump::Services | Dump::Destinations(_) | Dump::Daemons => {
                ipvs_plan.handle_dumped(now, (epoch, what), result, config, bus);
            }
        }
    }
}
