//! A reload is prepared beside the running director, in slices, and put in force in one event.
//!
//! Rows of both configurations are matched by what they are (VRID, family and interface, service key, target of a
//! probe), so that states, programs, timers and what is known of the kernel survive; ids do not.

use core::hash::{Hash, Hasher};
use core::net::SocketAddr;

use super::action::Epoch;
use super::dirty::DirtySet;
use super::index::Index;
use super::journal::Reason;
use super::large::Large;
use super::track::Watched;
use super::vrrp::{Predecessor, is_same};
use super::{Director, Parts};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId};
use crate::config::model::Probe;
use crate::time::Instant;
use crate::wire::link::LinkName;

/// Rows handled in one step: a fraction of a millisecond.
const SLICE: usize = 1_024;

/// From rows of the new configuration to rows of the old one.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) services: Box<[Option<u32>]>,
    pub(crate) destinations: Box<[Option<u32>]>,
    pub(crate) probes: Box<[Option<u32>]>,
    /// Rows of the old configuration, and of what an earlier one left behind, that no row of the new one stands for.
    pub(crate) old_services: DirtySet,
    pub(crate) old_destinations: DirtySet,
}

/// A configuration that is being prepared.
#[derive(Debug)]
pub struct Reload {
    config: Config,
    large: Large,
    parts: Option<Parts>,
    maps: Maps,
    /// Probes of the running configuration by what they ask.
    probes: Index,
    stage: Stage,
    /// Changes of the running probes' states before the first of them was copied.
    changes: usize,
    now: Instant,
}

/// What is to be done next, and from which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Tables,
    OldProbes(usize),
    NewProbes(usize),
    Keys(usize),
    Services(usize),
    States(usize),
    Done,
}

impl Reload {
    /// Starts to prepare `config` beside `running`.
    pub fn new(config: Config, running: &Director, now: Instant) -> Self {
        let maps = Maps {
            services: vec![None; config.services.len()].into_boxed_slice(),
            destinations: vec![None; config.destinations.len()].into_boxed_slice(),
            probes: vec![None; config.probes.len()].into_boxed_slice(),
            old_services: full(running.ipvs_plan().rows()),
            old_destinations: full(running.config().destinations.len()),
        };
        let probes = Index::new(running.config().probes.len());
        Self {
            config,
            large: Large::default(),
            parts: None,
            maps,
            probes,
            stage: Stage::Tables,
            changes: 0,
            now,
        }
    }

    /// The configuration being prepared.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Does a slice of the work; true when nothing is left to do. `running` is the director given at the start.
    pub fn step(&mut self, running: &Director) -> bool {
        self.stage = match self.stage {
            Stage::Tables if self.large.step(&self.config, self.now) => Stage::Tables,
            Stage::Tables => {
                let large = core::mem::take(&mut self.large);
                self.parts = Some(Parts::of(large, &self.config, self.now));
                Stage::OldProbes(0)
            }
            Stage::OldProbes(from) => self.index_probes(from, running),
            Stage::NewProbes(from) => self.match_probes(from, running),
            Stage::Keys(from) => self.enter_keys(from),
            Stage::Services(from) => self.match_services(from, running),
            Stage::States(from) => self.copy_states(from, running),
            Stage::Done => Stage::Done,
        };
        self.stage == Stage::Done
    }

    fn index_probes(&mut self, from: usize, running: &Director) -> Stage {
        let probes = &running.config().probes;
        for (id, probe) in (from..).zip(probes.iter().skip(from).take(SLICE)) {
            self.probes.insert(&Question(probe), u32::try_from(id).unwrap_or(u32::MAX));
        }
        if from + SLICE < probes.len() { Stage::OldProbes(from + SLICE) } else { Stage::NewProbes(0) }
    }

    fn match_probes(&mut self, from: usize, running: &Director) -> Stage {
        let old = &running.config().probes;
        for (map, probe) in self.maps.probes.iter_mut().zip(&self.config.probes).skip(from).take(SLICE) {
            let same = |id: u32| {
                old.get(id as usize).filter(|one| {
                    Question(one).what() == Question(probe).what() && one.checker == probe.checker
                })
            };
            // Two may ask the same on different ways, and find different things. One whose way is another one now goes
            // on with what was found on the old one.
            let exact = |id| same(id).is_some_and(|one| Question(one).way() == Question(probe).way());
            let found = self.probes.find(&Question(probe), exact);
            *map = found.or_else(|| self.probes.find(&Question(probe), |id| same(id).is_some()));
        }
        if from + SLICE < self.config.probes.len() { Stage::NewProbes(from + SLICE) } else { Stage::Keys(0) }
    }

    fn enter_keys(&mut self, from: usize) -> Stage {
        let to = self.slice_of_services(from);
        if let Some(parts) = &mut self.parts {
            parts.ipvs_plan.enter(&self.config, from..to);
        }
        if to < self.config.services.len() { Stage::Keys(to) } else { Stage::Services(0) }
    }

    fn match_services(&mut self, from: usize, running: &Director) -> Stage {
        let to = self.slice_of_services(from);
        let (plan, old) = (running.ipvs_plan(), running.config());
        for (row, service) in (from..to).zip(self.config.services.get(from..to).unwrap_or(&[])) {
            let Some(before) = plan.find_service(&service.key, old) else { continue };
            if let Some(map) = self.maps.services.get_mut(row) {
                *map = Some(before.0);
                self.maps.old_services.remove(before.index());
            }
            for row in service.destinations.rows() {
                let key = self.config.destinations.get(row).map(|one| (before, one.key));
                let found = key.and_then(|key| plan.find_destination(key, old));
                if let (Some(map), Some(found)) = (self.maps.destinations.get_mut(row), found) {
                    *map = Some(found.0);
                    self.maps.old_destinations.remove(found.index());
                }
            }
        }
        if to < self.config.services.len() { Stage::Services(to) } else { Stage::States(0) }
    }

    /// The last, so that little changes until the swap.
    fn copy_states(&mut self, from: usize, running: &Director) -> Stage {
        let (to, old) = ((from + SLICE).min(self.config.probes.len()), &running.parts);
        if from == 0 {
            self.changes = old.health.changes();
        }
        if let Some(Parts { health, bus, .. }) = &mut self.parts {
            let new = (&*self.maps.probes, &self.config);
            health.copy(from..to, (&old.health, &old.bus), new, self.now, bus);
        }
        if to < self.config.probes.len() { Stage::States(to) } else { Stage::Done }
    }

    /// The end of a slice of services that starts at `from` and holds about [`SLICE`] destinations.
    fn slice_of_services(&self, from: usize) -> usize {
        let mut destinations = 0;
        let rest = self.config.services.iter().skip(from);
        let few = rest.take_while(|service| {
            let fits = destinations < SLICE;
            destinations += service.destinations.len();
            fits
        });
        from + few.count()
    }

    /// True if the new configuration has the instance.
    pub(crate) fn keeps(&self, running: &Director, id: InstanceId) -> bool {
        let old = running.config();
        old.instances.get(id.index()).is_some_and(|before| {
            self.config.instances.iter().any(|one| is_same((before, old), (one, &self.config)))
        })
    }

    /// What was prepared; the work that is left is done at once.
    pub(crate) fn finish(mut self, running: &Director) -> (Config, Parts, Maps, usize) {
        while !self.step(running) {}
        let parts = self.parts.take().unwrap_or_else(|| Parts::new(&self.config, self.now));
        (self.config, parts, self.maps, self.changes)
    }
}

impl Director {
    /// A former process of ours left its addresses on purpose: those that are found are not removed before it is known
    /// whose they are. To be called before the first event.
    pub fn expect_leftovers(&mut self) {
        self.parts.vrrp.expect_leftovers();
    }

    /// The moment before a reload is put in force: a MASTER that the new configuration does not have says farewell.
    /// Poll and send, then call [`Self::adopt`].
    pub fn announce_departures(&mut self, now: Instant, reload: &Reload) {
        let staying: Vec<bool> = (0..self.config.instances.len())
            .map(|id| reload.keeps(self, InstanceId::from_index(id)))
            .collect();
        let Parts { vrrp, bus, .. } = &mut self.parts;
        vrrp.farewell_unless(now, |id| staying.get(id.index()) == Some(&true), bus);
    }

    /// Puts a prepared configuration in force. Everything asked before is of an old epoch: slots are to be stopped,
    /// and readers of the journal must have read it, since ids change their meaning. This cannot be cut: half of it
    /// would meet events with tables of both configurations. It is bound by the rows of destinations that are copied,
    /// and the probes whose state changed since [`Reload::step`] copied it.
    /// What is replaced comes back, to be freed in another turn.
    pub fn adopt(&mut self, now: Instant, reload: Reload) -> Former {
        let (config, mut parts, mut maps, changes) = reload.finish(self);
        let old = &mut self.parts;
        let from = Predecessor { vrrp: &old.vrrp, config: &self.config, bus: &old.bus };
        parts.bus.epoch = Epoch(old.bus.epoch.0.wrapping_add(1));
        parts.links.adopt(&old.links, (&self.config, &config), (&old.bus, &mut parts.bus));
        parts.survey.adopt(&old.survey);
        parts.vrrp.adopt(now, from, &config, &mut parts.bus);
        parts.duplicates.adopt(&old.duplicates, &self.config, &config);
        parts.groups.adopt(&old.groups, (&self.config, &config), &parts.vrrp, &mut parts.bus);
        parts.garp.adopt(&old.garp, from, (&config, &old.net_plan), &mut parts.bus);
        parts.net_plan.adopt(&old.net_plan, from, &config, &parts.links);
        parts.nftables_plan.adopt(&old.nftables_plan, (&self.config, &config), &mut parts.bus);
        parts.firewall_plan.adopt(&old.firewall_plan, (&self.config, &config), now, &mut parts.bus);
        parts.route_plan.adopt(&old.route_plan, from, (&config, &parts.vrrp, &parts.links));
        parts.presence.adopt(&old.presence);
        parts.rest(&config);
        // Which probes rest was not known when they were copied.
        let changes = Some(changes).filter(|_| parts.presence.is_idle());
        let former = (&old.health, &old.bus);
        parts.health.catch_up(changes, former, (&maps.probes, &config), now, &mut parts.bus);
        parts.services.adopt(&old.services, &maps.services);
        let Parts { services, health, bus, .. } = &mut parts;
        services.overrides.adopt(now, &old.services.overrides, (&maps.destinations, &config), health, bus);
        parts.ipvs_plan.adopt(&old.ipvs_plan, &mut maps, (&self.config, &config), (&old.bus, &mut parts.bus));
        parts.bus.stale_total = old.bus.stale_total;
        core::mem::swap(&mut parts.bus.journal, &mut old.bus.journal);
        parts.bus.record(now, Reason::Reloaded);
        parts.services.resume(now, &config, &parts.health, &mut parts.bus);
        parts.tracks.adopt(&old.tracks, &self.config, &config);
        let Parts { links, health, services, tracks, bus, .. } = &mut parts;
        tracks.take_stock(now, Watched { config: &config, links, health, services }, bus);
        // All of the table is to be compared anyway, and what is tracked was just looked at.
        bus.services.clear();
        let former = Former(core::mem::replace(self, Self { config, parts }));
        self.settle(now);
        former
    }
}

/// The configuration and the state that a reload replaced.
#[derive(Debug)]
pub struct Former(Director);

impl Former {
    /// Frees them in two pieces: the tables now, the configuration when what is returned is dropped.
    pub fn free(self) -> Config {
        self.0.config
    }
}

fn full(rows: usize) -> DirtySet {
    let mut set = DirtySet::new(rows);
    set.insert_all(0..rows);
    set
}

/// What a probe asks of whom; how often does not matter.
struct Question<'a>(&'a Probe);

impl Question<'_> {
    /// The target, and which real server answers for it if it is a virtual address: the mark says how to get there.
    fn what(&self) -> (SocketAddr, Option<u32>) {
        let bind = self.0.bind.as_ref().filter(|bind| bind.via.is_some());
        (self.0.target(), bind.map(|bind| bind.mark))
    }

    /// Where it comes from and how it leaves.
    fn way(&self) -> Option<(Option<SocketAddr>, Option<LinkName>, u32)> {
        self.0.bind.as_ref().map(|bind| (bind.source, bind.link, bind.mark))
    }
}

impl Hash for Question<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.what().hash(state);
        // Parameters are compared, not hashed: targets with several checks of one kind are few.
        core::mem::discriminant(&self.0.checker).hash(state);
    }
}

#[cfg(test)]
mod tests;
