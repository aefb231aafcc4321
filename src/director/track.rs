//! What instances track: interfaces, hosts that are pinged, virtual services, routes, variables of the console. For
//! each instance the first tracker that means FAULT, and what the others add to its priority.
//!
//! One mechanism delays them all: what is tracked must be up for `rise` or down for `fall` before that counts, which a
//! row of [`Hold`] remembers and one timer per instance ends. Routes are watched in `track/routes.rs`.

mod routes;

use super::bus::{Bus, Timer};
use super::health::Health;
use super::journal::Reason;
use super::links::Links;
use super::services::{Quorum, Services};
use super::vrrp::is_same;
use crate::config::Config;
use crate::config::ids::{Id, InstanceId, PingGroupId, ProbeId, ServiceId, VariableId};
use crate::config::model::{TrackTarget, Tracker};
use crate::time::Instant;
use routes::Routes;

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

impl Track {
    /// Bytes of what is remembered of each tracker.
    pub(crate) const BYTES: usize = size_of::<Hold>();
}

/// What a tracker comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The instance must not take part.
    Fault,
    /// Added to its priority; 0 for one that is well.
    Adds(i32),
}

/// What counts of a tracker that has `rise` and `fall`, by the row of `Config::trackers`.
#[derive(Debug, Clone, Copy, Default)]
struct Hold {
    /// It was looked at.
    known: bool,
    /// What counts.
    up: bool,
    /// Since when it is the other way round.
    turned_at: Option<Instant>,
}

/// All instances, and the values of the variables.
#[derive(Debug)]
pub struct Tracks {
    table: Box<[Track]>,
    values: Box<[i16]>,
    holds: Box<[Hold]>,
    routes: Routes,
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
            holds: vec![Hold::default(); config.trackers.len()].into_boxed_slice(),
            routes: Routes::new(config),
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
        self.changed(now, TrackTarget::Variable(id), around, bus);
    }

    /// A probe's verdict changed: it may be that of a host of a ping group.
    pub(crate) fn verdict_changed(
        &mut self,
        now: Instant,
        probe: ProbeId,
        around: Watched<'_>,
        bus: &mut Bus,
    ) {
        for (id, group) in around.config.ping_groups.iter().enumerate() {
            if around.config.pings_of(group).contains(&probe) {
                self.changed(now, TrackTarget::Ping(PingGroupId::from_index(id)), around, bus);
            }
        }
    }

    /// A service's quorum may have changed.
    pub(crate) fn service_changed(
        &mut self,
        now: Instant,
        service: ServiceId,
        around: Watched<'_>,
        bus: &mut Bus,
    ) {
        if self.any_service {
            self.changed(now, TrackTarget::Service(service), around, bus);
        }
    }

    /// Something changed: whoever tracks it is looked at again. A change of an instance's own interface (its address,
    /// its socket) concerns it even if the track stays the same.
    pub(crate) fn changed(&mut self, now: Instant, target: TrackTarget, around: Watched<'_>, bus: &mut Bus) {
        for (id, instance) in around.config.instances.iter().enumerate() {
            if around.config.trackers_of(instance).iter().any(|tracker| tracker.target == target) {
                self.weigh(now, id, around, bus);
            }
        }
    }

    /// Looks at every instance, after a reload.
    pub(crate) fn take_stock(&mut self, now: Instant, around: Watched<'_>, bus: &mut Bus) {
        (0..around.config.instances.len()).for_each(|id| self.weigh(now, id, around, bus));
    }

    /// A tracker of this instance has been up or down for long enough, unless it changed again.
    pub(crate) fn handle_timer(&mut self, now: Instant, id: InstanceId, around: Watched<'_>, bus: &mut Bus) {
        self.weigh(now, id.index(), around, bus);
    }

    /// Takes over the values of variables that both configurations have, what is known of routes, and what counts of
    /// trackers of the same instance.
    pub(crate) fn adopt(&mut self, old: &Self, before: &Config, config: &Config) {
        for (variable, value) in config.variables.iter().zip(&mut self.values) {
            let name = config.texts.get(variable.name);
            let same = before.variables.iter().position(|one| before.texts.get(one.name) == name);
            *value = same.and_then(|row| old.values.get(row).copied()).unwrap_or(*value);
        }
        self.routes.adopt(&old.routes, before, config);
        for instance in &config.instances {
            let Some(from) = before.instances.iter().find(|one| is_same((one, before), (instance, config)))
            else {
                continue;
            };
            let known = before.trackers_of(from);
            for (row, tracker) in instance.trackers.clone().zip(config.trackers_of(instance)) {
                let same = known.iter().position(|one| is_target((one, before), (tracker, config)));
                let hold = same.and_then(|place| old.holds.get(from.trackers.start as usize + place));
                if let (Some(hold), Some(new)) = (hold, self.holds.get_mut(row as usize)) {
                    *new = *hold;
                }
            }
        }
    }

    /// What the tracker in this row of `Config::trackers` comes to.
    pub(crate) fn effect(&self, row: u32, around: Watched<'_>) -> Effect {
        let Some(tracker) = around.config.trackers.get(row as usize) else { return Effect::Adds(0) };
        let weight = i32::from(tracker.weight);
        if let TrackTarget::Variable(id) = tracker.target {
            let value = i32::from(self.value(id));
            let sum = value * if tracker.reverse { -weight } else { weight };
            let fault = if weight == 0 { value != 0 } else { sum <= FAULT };
            return if fault { Effect::Fault } else { Effect::Adds(sum.min(-FAULT)) };
        }
        match (weight, self.counts_as_up(row, tracker, around) != tracker.reverse) {
            (0, false) => Effect::Fault,
            (_, up) => Effect::Adds(if (weight > 0) == up { weight } else { 0 }),
        }
    }

    /// True if nothing is known yet of something that an instance tracks.
    pub(crate) fn awaits(&self, trackers: &[Tracker]) -> bool {
        trackers.iter().any(|one| matches!(one.target, TrackTarget::Route(id) if !self.routes.is_known(id)))
    }

    /// When what is tracked by this row will count the other way round, if it stays as it is.
    pub fn turns_at(&self, row: u32, config: &Config) -> Option<Instant> {
        let (hold, tracker) = (self.holds.get(row as usize)?, config.trackers.get(row as usize)?);
        Some(hold.turned_at? + if hold.up { tracker.fall } else { tracker.rise })
    }

    fn counts_as_up(&self, row: u32, tracker: &Tracker, around: Watched<'_>) -> bool {
        match self.holds.get(row as usize) {
            Some(hold) if hold.known => hold.up,
            Some(_) | None => !tracker.init_fail && self.is_up(tracker.target, around).unwrap_or(true),
        }
    }

    /// Whether what is tracked is up; `None` while nobody knows. Of a variable this is never asked.
    fn is_up(&self, target: TrackTarget, around: Watched<'_>) -> Option<bool> {
        if let TrackTarget::Route(id) = target {
            self.routes.is_there(id)
        } else {
            Some(around.is_up(target))
        }
    }

    /// Looks at what is tracked. When it is to be looked at again, if it is to count only then.
    fn look(&mut self, now: Instant, row: u32, tracker: &Tracker, around: Watched<'_>) -> Option<Instant> {
        if matches!(tracker.target, TrackTarget::Variable(_)) {
            return None;
        }
        let up = self.is_up(tracker.target, around)?;
        let hold = self.holds.get_mut(row as usize)?;
        if !hold.known {
            *hold = Hold { known: true, up: up && !tracker.init_fail, turned_at: None };
        }
        if hold.up == up {
            hold.turned_at = None;
            return None;
        }
        let at = *hold.turned_at.get_or_insert(now) + if up { tracker.rise } else { tracker.fall };
        if now < at {
            return Some(at);
        }
        (hold.up, hold.turned_at) = (up, None);
        None
    }

    fn weigh(&mut self, now: Instant, id: usize, around: Watched<'_>, bus: &mut Bus) {
        let Some(instance) = around.config.instances.get(id) else { return };
        let (mut track, mut next) = (Track::default(), None::<Instant>);
        // The first one is the interface of the adverts.
        let quiet = usize::from(!instance.manners.track_primary);
        let trackers = instance.trackers.clone().zip(around.config.trackers_of(instance));
        for (row, tracker) in trackers.skip(quiet) {
            if let Some(at) = self.look(now, row, tracker, around) {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
            match self.effect(row, around) {
                Effect::Fault => track.down = track.down.or(Some(row)),
                Effect::Adds(share) => track.delta += share,
            }
        }
        let timer = Timer::Track(InstanceId::from_index(id));
        match next {
            Some(at) => bus.set(timer, at),
            None => bus.cancel(timer),
        }
        if let Some(known) = self.table.get_mut(id) {
            *known = track;
        }
        bus.tracks.insert(id);
    }
}

/// True if both trackers are about the same thing, each by the names of its own configuration.
fn is_target((one, of): (&Tracker, &Config), (other, config): (&Tracker, &Config)) -> bool {
    match (one.target, other.target) {
        (TrackTarget::Link(a), TrackTarget::Link(b)) => of.link_name(a) == config.link_name(b),
        (TrackTarget::Ping(a), TrackTarget::Ping(b)) => {
            let name =
                |id: PingGroupId, config: &Config| config.ping_groups.get(id.index()).map(|it| it.name);
            let (a, b) = (name(a, of), name(b, config));
            a.is_some() && a.map(|it| of.texts.get(it)) == b.map(|it| config.texts.get(it))
        }
        (TrackTarget::Service(a), TrackTarget::Service(b)) => {
            let key = |id: ServiceId, config: &Config| config.services.get(id.index()).map(|it| it.key);
            key(a, of) == key(b, config)
        }
        (TrackTarget::Route(a), TrackTarget::Route(b)) => routes::is_same((a, of), (b, config)),
        // A variable has no delays.
        _ => false,
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
            // Their values are in `Tracks`.
            TrackTarget::Variable(_) | TrackTarget::Route(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
