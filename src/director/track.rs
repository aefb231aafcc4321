//! What instances track: interfaces, hosts that are pinged, virtual services, variables of the console. For each instance
//! the first tracker that means FAULT, and what the others add to its priority.

use super::bus::Bus;
use super::health::Health;
use super::journal::Reason;
use super::links::Links;
use super::services::{Quorum, Services};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId, PingGroupId, ProbeId, ServiceId, VariableId};
use crate::config::model::{TrackTarget, Tracker};
use crate::time::Instant;

/// At or below this a variable means FAULT whatever the priority (keepalived's rule for `track_file`).
const FAULT: i32 = -254;

/// What the trackers say of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Track {
    /// Row of `Config::trackers` of the first one that means FAULT.
    pub down: Option<u32>,
    /// Added to the base priority.
    pub delta: i32,
}

/// What a tracker comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The instance must not take part.
    Fault,
    /// Added to its priority; 0 for one that is well.
    Adds(i32),
}

/// All instances, and the values of the variables.
#[derive(Debug)]
pub struct Tracks {
    table: Box<[Track]>,
    values: Box<[i16]>,
    /// Some instance tracks a service: else their many changes are not looked at.
    any_service: bool,
}

/// Whose state is tracked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched<'a> {
    pub(crate) config: &'a Config,
    pub(crate) links: &'a Links,
    pub(crate) health: &'a Health,
    pub(crate) services: &'a Services,
}

impl Tracks {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            table: vec![Track::default(); config.instances.len()].into_boxed_slice(),
            any_service: config.trackers.iter().any(|one| matches!(one.target, TrackTarget::Service(_))),
            values: config.variables.iter().map(|variable| variable.initial).collect(),
        }
    }

    /// What is known for an instance.
    pub fn get(&self, id: InstanceId) -> Track {
        self.table.get(id.index()).copied().unwrap_or_default()
    }

    /// The value of a variable.
    pub fn value(&self, id: VariableId) -> i16 {
        self.values.get(id.index()).copied().unwrap_or_default()
    }

    /// The operator sets a variable.
    pub(crate) fn set(
        &mut self,
        now: Instant,
        (id, value): (VariableId, i16),
        around: Watched<'_>,
        bus: &mut Bus,
    ) {
        let Some(known) = self.values.get_mut(id.index()) else { return };
        *known = value;
        bus.record(now, Reason::VariableSet(id, value));
        self.changed(TrackTarget::Variable(id), around, bus);
    }

    /// A probe's verdict changed: it may be that of a host of a ping group.
    pub(crate) fn verdict_changed(&mut self, probe: ProbeId, around: Watched<'_>, bus: &mut Bus) {
        for (id, group) in around.config.ping_groups.iter().enumerate() {
            if around.config.pings_of(group).contains(&probe) {
                self.changed(TrackTarget::Ping(PingGroupId::from_index(id)), around, bus);
            }
        }
    }

    /// A service's quorum may have changed.
    pub(crate) fn service_changed(&mut self, service: ServiceId, around: Watched<'_>, bus: &mut Bus) {
        if self.any_service {
            self.changed(TrackTarget::Service(service), around, bus);
        }
    }

    /// Something changed: whoever tracks it is looked at again. A change of an instance's own interface (its address,
    /// its socket) concerns it even if the track stays the same.
    pub(crate) fn changed(&mut self, target: TrackTarget, around: Watched<'_>, bus: &mut Bus) {
        for (id, instance) in around.config.instances.iter().enumerate() {
            if around.config.trackers_of(instance).iter().any(|tracker| tracker.target == target) {
                self.weigh(id, around, bus);
            }
        }
    }

    /// Looks at every instance, after a reload.
    pub(crate) fn take_stock(&mut self, around: Watched<'_>, bus: &mut Bus) {
        (0..around.config.instances.len()).for_each(|id| self.weigh(id, around, bus));
    }

    /// Takes over the values of variables that both configurations have.
    pub(crate) fn adopt(&mut self, old: &Self, before: &Config, config: &Config) {
        for (variable, value) in config.variables.iter().zip(&mut self.values) {
            let name = config.texts.get(variable.name);
            let same = before.variables.iter().position(|one| before.texts.get(one.name) == name);
            *value = same.and_then(|row| old.values.get(row).copied()).unwrap_or(*value);
        }
    }

    /// What one tracker comes to.
    pub(crate) fn effect(&self, tracker: &Tracker, around: Watched<'_>) -> Effect {
        let weight = i32::from(tracker.weight);
        if let TrackTarget::Variable(id) = tracker.target {
            let value = i32::from(self.value(id));
            let sum = value * if tracker.reverse { -weight } else { weight };
            let fault = if weight == 0 { value != 0 } else { sum <= FAULT };
            return if fault { Effect::Fault } else { Effect::Adds(sum.min(-FAULT)) };
        }
        match (weight, around.is_up(tracker.target) != tracker.reverse) {
            (0, false) => Effect::Fault,
            (_, up) => Effect::Adds(if (weight > 0) == up { weight } else { 0 }),
        }
    }

    fn weigh(&mut self, id: usize, around: Watched<'_>, bus: &mut Bus) {
        let Some(instance) = around.config.instances.get(id) else { return };
        let mut track = Track::default();
        // The first one is the interface of the adverts.
        let quiet = usize::from(!instance.manners.track_primary);
        let trackers = instance.trackers.clone().zip(around.config.trackers_of(instance));
        for (row, tracker) in trackers.skip(quiet) {
            match self.effect(tracker, around) {
                Effect::Fault => track.down = track.down.or(Some(row)),
                Effect::Adds(share) => track.delta += share,
            }
        }
        if let Some(known) = self.table.get_mut(id) {
            *known = track;
        }
        bus.tracks.insert(id);
    }
}

impl Watched<'_> {
    /// Whether what is tracked is up; of a variable this is never asked.
    pub(crate) fn is_up(&self, target: TrackTarget) -> bool {
        match target {
            TrackTarget::Link(link) => self.links.get(link).running,
            TrackTarget::Ping(id) => self.config.ping_groups.get(id.index()).is_some_and(|group| {
                self.config.pings_of(group).iter().any(|probe| self.health.is_up(*probe))
            }),
            TrackTarget::Service(id) => self.services.pool(id).is_some_and(|pool| pool.quorum == Quorum::Met),
            TrackTarget::Variable(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
