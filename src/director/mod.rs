//! Every decision, all state, no I/O: events in, actions and records out.
//!
//! [`Director::handle`] takes one [`Event`]; [`Director::poll_actions`] gives what is to be done because of it, the
//! most urgent first; [`Director::next_deadline`] says when to come back without an event. `now` is an argument
//! everywhere, so that any number of directors run in one test in virtual time.
//!
//! Three kinds of output: *differences* between wish and kernel ([`net_plan`], [`ipvs_plan`], sockets), which cannot
//! overflow because the difference is still there; *programs* for what is an edge (adverts in [`vrrp`], announcements
//! in [`garp`]), which may be superseded but never queue; *records* ([`journal`]) of what happened and why.
//!
//! Each subsystem owns its tables and never changes another's: it leaves a fact on the [`bus`], and whoever cares
//! reads the level from its owner. This file only routes: a new subsystem is a file, a field of [`Parts`], and lines
//! in `handle`, `fire` and `settle` (`settle.rs`), `poll_actions` (`poll.rs`). Read `event.rs`, `action.rs` and
//! `bus.rs` first.

pub mod action;
mod answers;
mod bus;
mod dirty;
pub mod duplicate;
pub mod event;
pub mod firewall_plan;
pub mod garp;
pub mod groups;
pub mod health;
mod index;
pub mod ipvs_plan;
pub mod journal;
mod large;
pub mod ledger;
pub mod links;
pub mod need;
pub mod net_plan;
pub mod nftables_plan;
mod orders;
pub mod overrides;
mod poll;
mod presence;
pub mod reload;
pub mod route_plan;
pub mod services;
mod settle;
mod survey;
#[cfg(test)]
mod testing;
pub mod timers;
pub mod track;
mod users;
mod view;
pub mod vrrp;

use action::{Action, Epoch};
use bus::{Bus, Timer};
use duplicate::Duplicates;
use event::Event;
use firewall_plan::FirewallPlan;
use garp::Announcements;
use groups::Groups;
use health::Health;
use ipvs_plan::IpvsPlan;
use large::Large;
use links::Links;
use net_plan::NetPlan;
use nftables_plan::NftablesPlan;
use presence::Presence;
use route_plan::RoutePlan;
use services::Services;
use survey::Survey;
use track::{Tracks, Watched};
pub use view::{Frame, MAX_GROUPS, SocketSpec};
use vrrp::Vrrp;
pub use vrrp::packet::Datagram;

use crate::config::Config;
use crate::time::Instant;

/// All state of one director.
#[derive(Debug)]
pub struct Director {
    config: Config,
    parts: Parts,
}

/// The subsystems.
#[derive(Debug)]
pub(crate) struct Parts {
    bus: Bus,
    links: Links,
    tracks: Tracks,
    vrrp: Vrrp,
    duplicates: Duplicates,
    groups: Groups,
    garp: Announcements,
    health: Health,
    services: Services,
    net_plan: NetPlan,
    nftables_plan: NftablesPlan,
    firewall_plan: FirewallPlan,
    route_plan: RoutePlan,
    ipvs_plan: IpvsPlan,
    survey: Survey,
    presence: Presence,
}

impl Parts {
    /// Empty tables for `config` around those that were made one by one.
    fn of(large: Large, config: &Config, now: Instant) -> Self {
        Self {
            bus: large.bus.unwrap_or_else(|| Bus::new(config, Epoch::default())),
            links: Links::new(config),
            tracks: Tracks::new(config),
            vrrp: Vrrp::new(config, now),
            duplicates: Duplicates::default(),
            groups: Groups::new(config, now),
            garp: Announcements::new(config),
            health: large.health.unwrap_or_else(|| Health::new(config, now)),
            services: large.services.unwrap_or_else(|| Services::new(config, now)),
            net_plan: NetPlan::new(config),
            nftables_plan: NftablesPlan::new(config),
            firewall_plan: FirewallPlan::new(config),
            route_plan: RoutePlan::new(config),
            ipvs_plan: large.ipvs_plan.unwrap_or_else(|| IpvsPlan::new(config)),
            survey: Survey::new(config.routes.len() + config.rules.len() + config.tracked_routes.len() > 0),
            presence: Presence::new(config),
        }
    }
}

impl Director {
    /// A director for `config`. It knows nothing of the kernel yet; its first actions ask.
    pub fn new(config: Config, now: Instant) -> Self {
        let mut parts = Parts::new(&config, now);
        parts.ipvs_plan.enter(&config, 0..config.services.len());
        parts.rest(&config);
        let Parts { bus, vrrp, health, services, .. } = &mut parts;
        vrrp.hold(now, &config, bus);
        services.begin(now, &config, health, bus);
        health.begin(now, &config, bus);
        Self { config, parts }
    }

    /// Takes note of what happened. Timers that are due at `now` fire.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) {
        let config = &self.config;
        let Parts {
            bus,
            links,
            tracks,
            vrrp,
            duplicates,
            garp,
            health,
            services,
            nftables_plan,
            firewall_plan,
            route_plan,
            ipvs_plan,
            ..
        } = &mut self.parts;
        match event {
            Event::Tick => {}
            Event::Filtered(what) => nftables_plan.handle_filtered(now, what, bus),
            Event::Firewall(what) => firewall_plan.handle_firewalled(now, what, config, bus),
            Event::Claim(claim) => duplicates.handle_claim(now, claim, (config, links, vrrp), bus),
            Event::Advert { link, channel: by, packet } => {
                vrrp.receive(now, (link, by), packet, (config, links), bus)
            }
            Event::Link(entry) => links.handle_link(now, entry, &|id| vrrp.longest_delay(id, config), bus),
            Event::LinkGone(entry) => links.handle_gone(now, entry, bus),
            Event::Address { entry, source } => self.handle_address(now, entry, (true, source)),
            Event::AddressGone { entry, source } => self.handle_address(now, entry, (false, source)),
            Event::Route { entry, there, source } => {
                route_plan.handle_route(now, entry, (there, source), (config, vrrp, links), bus);
                let watched = Watched { config, links, health, services };
                tracks.handle_route(now, entry, (there, source), watched, bus);
            }
            Event::Rule { entry, there, source } => {
                route_plan.handle_rule(now, entry, (there, source), (config, vrrp, links), bus);
            }
            Event::Service(entry) => ipvs_plan.handle_service(now, entry, config, bus),
            Event::Destination(entry) => ipvs_plan.handle_destination(now, entry, config, bus),
            Event::Daemon(entry) => ipvs_plan.handle_daemon(now, entry, config, bus),
            Event::Timeouts(values) => ipvs_plan.handle_timeouts(values),
            Event::Dumped { action, result } => self.handle_dumped(now, action, result),
            Event::Applied { action, result } => self.handle_applied(now, action, result),
            Event::SendFailed { action: Action::SendAdvert { instance, .. }, errno } => {
                vrrp.send_failed(now, instance, errno, bus);
            }
            Event::SendFailed { action: Action::Announce { address }, errno } => {
                garp.send_failed(now, address, errno, bus);
            }
            Event::SendFailed { .. } => debug_assert!(false, "only adverts and announcements are sent"),
            Event::Seen { slot, epoch, evidence } => health.handle_evidence((slot, epoch), evidence, bus),
            Event::Probed { slot, epoch, verdict } => {
                health.handle_result(now, (slot, epoch), verdict, config, bus);
            }
            Event::SetVariable { variable, value } => {
                tracks.set(now, (variable, value), Watched { config, links, health, services }, bus);
            }
            Event::ClearAlarms => self.clear_alarms(now),
            Event::Override(order) => services.handle_order(now, order, (config, ipvs_plan), bus),
            Event::Overrun => bus.set(Timer::RouteAudit, now),
            Event::Stop { keep } => self.stop(now, keep),
        }
        self.fire(now);
        self.settle(now);
    }
}
