//! The tables of a configuration while they grow: interning, limits, and the last step to a [`Config`].
//!
//! `instance_build.rs` and `service_build.rs` add rows; nothing is added that does not fit its limit.

use core::net::IpAddr;
use std::rc::Rc;

use super::codes::LIMIT;
use super::counts::{BIND, Counts, POLICY, TERMS, parameters};
use super::ids::{Id, InstanceId, LinkId, ProbeId, ServiceId};
use super::keywords::RootDraft;
use super::known::{Known, hash_of};
use super::model::{
    Config, Destination, Global, Group, Instance, LinkRules, Peer, PingGroup, Policy, Probe, Service,
    SyncDaemon, TextsBuilder, TrackedRoute, Tracker, Variable, VirtualAddress,
};
use super::routing::{Route, RoutePlace, Rule};
use super::via::Vias;
use crate::check::Checker;
use crate::limits;
use crate::syntax::tree::doubling;
use crate::syntax::{Context, Position};
use crate::wire::genl_ipvs::ServiceKey;
use crate::wire::link::LinkName;
use crate::wire::nftables::firewall::FirewallRule;

/// How many rows are looked at for one that shares what is equal: the servers and checks of a service stand together.
const NEWEST: usize = 16;

/// Objects of one kind, counted against their limit.
#[derive(Debug)]
pub(super) struct Count {
    what: &'static str,
    limit: usize,
    seen: usize,
    over: Option<Position>,
}

impl Count {
    pub(super) const fn new(what: &'static str, limit: usize) -> Self {
        Self { what, limit, seen: 0, over: None }
    }

    /// Counts one; false if it does not fit any more.
    pub(super) fn admit(&mut self, at: Position) -> bool {
        self.admit_all(1, at)
    }

    /// Counts some; false if the last of them does not fit any more.
    pub(super) fn admit_all(&mut self, count: usize, at: Position) -> bool {
        self.seen = self.seen.saturating_add(count);
        if self.seen > self.limit {
            self.over.get_or_insert(at);
        }
        self.seen <= self.limit
    }

    /// True if none fits any more.
    pub(super) fn is_full(&self) -> bool {
        self.seen >= self.limit
    }

    /// Takes back one that was counted and then left out for another reason.
    pub(super) fn release(&mut self, count: usize) {
        self.seen = self.seen.saturating_sub(count);
    }

    fn report(&self, cx: &mut Context<'_>) {
        let Some(at) = self.over else { return };
        let Self { what, limit, seen, .. } = self;
        cx.error(
            LIMIT,
            at,
            format_args!("{seen} {what}: the limit is {limit}"),
            format_args!("from here on they are left out: spread them over several directors"),
        );
    }
}

/// All tables.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) texts: TextsBuilder,
    pub(super) instances: Vec<Instance>,
    pub(super) groups: Vec<Group>,
    pub(super) members: Vec<InstanceId>,
    pub(super) addresses: Vec<VirtualAddress>,
    pub(super) link_rules: Vec<LinkRules>,
    pub(super) peers: Vec<Peer>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<Rule>,
    pub(super) trackers: Vec<Tracker>,
    pub(super) ping_groups: Vec<PingGroup>,
    pub(super) variables: Vec<Variable>,
    pub(super) tracked_routes: Vec<TrackedRoute>,
    pub(super) firewall: Vec<FirewallRule>,
    pub(super) role: Option<u32>,
    pub(super) tunnel: bool,
    pub(super) services: Vec<Service>,
    pub(super) destinations: Vec<Destination>,
    pub(super) probes: Vec<Probe>,
    pub(super) probe_uses: Vec<ProbeId>,
    pub(super) vias: Vias,
    pub(super) names: Known<String>,
    pub(super) vrids: Known<(LinkId, u32, bool), String>,
    pub(super) placed: Known<(LinkId, IpAddr)>,
    pub(super) route_places: Known<RoutePlace>,
    pub(super) keys: Known<ServiceKey>,
    /// Real servers that get packets as they are (DR, TUN), and a service of each.
    pub(super) direct: Known<IpAddr, ServiceId>,
    pub(super) instance_count: Count,
    pub(super) address_count: Count,
    pub(super) route_count: Count,
    pub(super) rule_count: Count,
    pub(super) service_count: Count,
    pub(super) server_count: Count,
    /// Statements that are read again for a further address of a group.
    pub(super) repeat_count: Count,
    /// Lines of groups.
    pub(super) entry_count: Count,
    pub(super) sync_daemon: Option<SyncDaemon>,
    pub(super) firewall_count: Count,
    link_count: Count,
    probe_count: Count,
    #[cfg(feature = "tls")]
    pub(super) tls: super::tls::Tls,
    links: Vec<LinkName>,
    link_ids: Known<LinkName, LinkId>,
    /// By the hash of the probe; what is found is compared before it is used.
    probe_ids: Known<u64, u32>,
    checkers: Known<Checker>,
    /// Bytes of what they ask for and expect, and of how they leave.
    pub(super) parameters: usize,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            texts: TextsBuilder::default(),
            sync_daemon: None,
            instances: Vec::new(),
            groups: Vec::new(),
            members: Vec::new(),
            addresses: Vec::new(),
            link_rules: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            peers: Vec::new(),
            trackers: Vec::new(),
            ping_groups: Vec::new(),
            variables: Vec::new(),
            tracked_routes: Vec::new(),
            firewall: Vec::new(),
            role: None,
            tunnel: false,
            services: Vec::new(),
            destinations: Vec::new(),
            probes: Vec::new(),
            probe_uses: Vec::new(),
            vias: Vias::default(),
            names: Known::default(),
            vrids: Known::default(),
            placed: Known::default(),
            route_places: Known::default(),
            keys: Known::default(),
            direct: Known::default(),
            instance_count: Count::new("vrrp instances", limits::MAX_INSTANCES),
            address_count: Count::new("virtual addresses", limits::MAX_ADDRESSES),
            route_count: Count::new("routes", limits::MAX_ROUTES),
            rule_count: Count::new("rules", limits::MAX_RULES),
            service_count: Count::new("virtual services", limits::MAX_SERVICES),
            server_count: Count::new("real servers", limits::MAX_REAL_SERVERS),
            repeat_count: Count::new("lines for all addresses of groups", limits::MAX_STATEMENTS),
            entry_count: Count::new("lines in groups of virtual servers", limits::MAX_SERVICES),
            firewall_count: Count::new("rules of the firewall", limits::MAX_FIREWALL_RULES),
            link_count: Count::new("interfaces", limits::MAX_LINKS),
            probe_count: Count::new("distinct checks", limits::MAX_PROBES),
            #[cfg(feature = "tls")]
            tls: super::tls::Tls::default(),
            links: Vec::new(),
            link_ids: Known::default(),
            probe_ids: Known::default(),
            checkers: Known::default(),
            parameters: 0,
        }
    }
}

impl Tables {
    /// Room for what was counted, so that no slice of work has to move a large table and none is larger than it will
    /// be.
    pub(super) fn reserve(&mut self, counts: &Counts) {
        self.probe_ids.reserve(counts.probes + Counts::SPARE);
        self.probes.reserve_exact(counts.probes + Counts::SPARE);
        self.probe_uses.reserve_exact(counts.uses + Counts::SPARE);
        self.destinations.reserve_exact(counts.destinations + Counts::SPARE);
        self.services.reserve_exact(counts.services + Counts::SPARE);
        self.trackers.reserve_exact(counts.trackers);
    }

    /// Bytes that one more step may take: a service of a group is read again for each of its addresses, which was not
    /// counted.
    pub(super) fn growth(&self) -> usize {
        let rows = |rows: usize, capacity| doubling(rows, capacity, 1, Counts::SPARE);
        let counts = Counts {
            destinations: rows(self.destinations.len(), self.destinations.capacity()),
            services: rows(self.services.len(), self.services.capacity()),
            probes: rows(self.probes.len(), self.probes.capacity()),
            uses: rows(self.probe_uses.len(), self.probe_uses.capacity()),
            ..Counts::default()
        };
        // As many rows as there are probes were made for them.
        let ids = if counts.probes > 0 { self.probe_ids.growth() } else { 0 };
        // What the allocator rounds up is not seen otherwise.
        let pieces = self.parameters / 4;
        let trackers =
            doubling(self.trackers.len(), self.trackers.capacity(), size_of::<Tracker>(), Counts::SPARE);
        counts.rows()
            + trackers
            + ids
            + pieces
            + self.checkers.growth()
            + self.keys.growth()
            + self.direct.growth()
    }

    /// The id of an interface; nothing if there are too many, which is reported at the end.
    pub(super) fn link(&mut self, name: LinkName, at: Position) -> Option<LinkId> {
        if let Some((_, id)) = self.link_ids.get(&name) {
            return Some(*id);
        }
        if !self.link_count.admit(at) {
            return None;
        }
        let id = LinkId::from_index(self.links.len());
        self.links.push(name);
        self.link_ids.insert(name, id);
        Some(id)
    }

    /// All interfaces.
    pub(super) fn links(&self) -> &[LinkName] {
        &self.links
    }

    /// The id of a probe, the same for equal probes; nothing if there are too many.
    pub(super) fn probe(&mut self, probe: Probe, at: Position) -> Option<ProbeId> {
        let hash = hash_of(&probe);
        let found = self.probe_ids.get(&hash).map(|known| ProbeId(known.1));
        if let Some(id) = found.filter(|id| self.probes.get(id.index()) == Some(&probe)) {
            return Some(id);
        }
        if !self.probe_count.admit(at) {
            return None;
        }
        let id = ProbeId::from_index(self.probes.len());
        let probe = self.on_known_terms(probe);
        self.probes.push(probe);
        self.probe_ids.insert(hash, id.0);
        Some(id)
    }

    /// The same with the terms of one of the newest probes if they are equal. Not with those of a way through a
    /// virtual address: they get its mark in the end.
    fn on_known_terms(&mut self, probe: Probe) -> Probe {
        let bind = probe.bind.as_ref();
        let newest = if bind.is_some_and(|bind| bind.via.is_some()) { 0 } else { NEWEST };
        let mut newest = self.probes.iter().rev().take(newest);
        match newest.find(|one| one.terms == probe.terms) {
            Some(one) => Probe { terms: Rc::clone(&one.terms), ..probe },
            None => {
                self.parameters += TERMS + bind.map_or(0, |_| BIND);
                probe
            }
        }
    }

    /// The policy of one of the newest destinations if it is equal, or a new one.
    pub(super) fn policy(&mut self, policy: Policy) -> Rc<Policy> {
        let mut newest = self.destinations.iter().rev().take(NEWEST);
        match newest.find(|one| *one.policy == policy) {
            Some(one) => Rc::clone(&one.policy),
            None => {
                self.parameters += POLICY;
                Rc::new(policy)
            }
        }
    }

    /// Drops the newest probes; what still points at them is not found any more.
    pub(super) fn truncate_probes(&mut self, len: usize) {
        self.probe_count.release(self.probes.len().saturating_sub(len));
        self.probes.truncate(len);
    }

    /// One copy of the parameters of equal checkers.
    pub(super) fn checker(&mut self, checker: Checker) -> Checker {
        if let Some((found, ())) = self.checkers.get(&checker) {
            return found.clone();
        }
        self.parameters += parameters(&checker);
        self.checkers.add(checker.clone());
        checker
    }

    /// Reports every limit that was exceeded.
    pub(super) fn report_limits(&self, cx: &mut Context<'_>) {
        for count in [
            &self.instance_count,
            &self.address_count,
            &self.route_count,
            &self.rule_count,
            &self.service_count,
            &self.server_count,
            &self.repeat_count,
            &self.entry_count,
            &self.firewall_count,
            &self.link_count,
            &self.probe_count,
            self.vias.count(),
        ] {
            count.report(cx);
        }
    }

    /// Gives table number `table` the size that it will keep, or frees what was needed for building only; false when
    /// there is no such number. Each may copy or free some megabytes.
    pub(super) fn seal(&mut self, table: u8) -> bool {
        match table {
            0 => self.probes.shrink_to_fit(),
            1 => self.destinations.shrink_to_fit(),
            2 => {
                self.probe_uses.shrink_to_fit();
                self.services.shrink_to_fit();
            }
            3 => self.probe_ids = Known::default(),
            4 => {
                self.names = Known::default();
                self.placed = Known::default();
                self.keys = Known::default();
                self.checkers = Known::default();
            }
            5 => {
                self.addresses.shrink_to_fit();
                self.routes.shrink_to_fit();
            }
            _ => return false,
        }
        true
    }

    /// The configuration.
    pub(super) fn finish(mut self, root: RootDraft) -> Config {
        let global = &root.global;
        let router_id = self.texts.intern(&global.router_id);
        let hidden = core::mem::take(&mut self.vias).finish(&mut self);
        Config {
            global: Global {
                router_id,
                timeouts: global.timeouts,
                flush_at_start: global.flush,
                startup_delay: global.behaviour.startup_delay,
                delay_after_boot: global.behaviour.delay_after_boot,
                flush_on_stop: global.flush_on_stop,
                sync_daemon: self.sync_daemon,
            },
            texts: self.texts.finish(),
            links: self.links.into(),
            link_rules: self.link_rules.into(),
            instances: self.instances.into(),
            groups: self.groups.into(),
            members: self.members.into(),
            addresses: self.addresses.into(),
            routes: self.routes.into(),
            rules: self.rules.into(),
            peers: self.peers.into(),
            trackers: self.trackers.into(),
            ping_groups: self.ping_groups.into(),
            variables: self.variables.into(),
            tracked_routes: self.tracked_routes.into(),
            services: self.services.into(),
            destinations: self.destinations.into(),
            hidden,
            probes: self.probes.into(),
            probe_uses: self.probe_uses.into(),
            appliance: root.appliance.finish(),
            interfaces: root.interfaces.into(),
            firewall: self.firewall.into(),
            role: self.role,
            tunnel: self.tunnel,
            #[cfg(feature = "tls")]
            tls: self.tls,
        }
    }
}

/// Table indices and sizes are far below `u32::MAX`.
pub(super) fn row(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
