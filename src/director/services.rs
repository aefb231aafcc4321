//! Virtual services: which real servers are alive, whether the quorum is met, and what the kernel's table shall hold.
//!
//! The wish for a destination is one pure function, [`wish`]; nothing of it is stored.

use super::bus::Bus;
use super::health::Health;
use super::journal::Reason;
use super::overrides::Overrides;
use super::users::Users;
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ProbeId, ServiceId};
use crate::config::model::{OnFailure, Service};
use crate::time::Instant;

/// Whether a service has the weight it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// It has.
    Met,
    /// It has not: the sorry servers serve, if there are any.
    Lost,
}

/// One service.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Quorum state, with hysteresis.
    pub quorum: Quorum,
    /// Sum of the weights of the real servers that are alive.
    pub weight: u32,
    /// How many of them.
    pub alive: u32,
    /// A sorry server is there and not known to be down: the real servers can be set aside.
    pub relief: bool,
    /// Since when the quorum state holds.
    pub since: Instant,
}

/// All services.
#[derive(Debug)]
pub struct Services {
    pools: Box<[Pool]>,
    alive: Box<[bool]>,
    /// Services whose checks rest: verdicts do not concern them.
    resting: Box<[bool]>,
    /// When stock was taken: a quorum gained then is the first one.
    began: Instant,
    users: Users,
    pub(super) overrides: Overrides,
}

impl Services {
    /// Services of `config`; every real server counts as alive until a check says otherwise, as with keepalived.
    /// `users` are still to be entered ([`Users::step`]).
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let pool = Pool { quorum: Quorum::Lost, weight: 0, alive: 0, relief: false, since: now };
        Self {
            pools: vec![pool; config.services.len()].into_boxed_slice(),
            alive: vec![true; config.destinations.len()].into_boxed_slice(),
            resting: vec![false; config.services.len()].into_boxed_slice(),
            began: now,
            users: Users::new(config),
            overrides: Overrides::new(config),
        }
    }

    /// The pool of a service.
    pub fn pool(&self, id: ServiceId) -> Option<&Pool> {
        self.pools.get(id.index())
    }

    /// True if all checks of the destination pass, or it has none.
    pub fn is_alive(&self, id: DestinationId) -> bool {
        self.alive.get(id.index()).copied().unwrap_or(false)
    }

    /// When stock was taken, at start or after a reload: a quorum gained at that moment is the service's first.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The destinations that need a probe.
    pub fn users(&self, id: ProbeId) -> &[DestinationId] {
        self.users.of(id)
    }

    /// Enters the next users; false if all are.
    pub(crate) fn enter(&mut self, config: &Config) -> bool {
        self.users.step(config)
    }

    /// Takes stock of everything, at start and after a reload.
    pub(crate) fn begin(&mut self, now: Instant, config: &Config, health: &Health, bus: &mut Bus) {
        for (id, destination) in config.destinations.iter().enumerate() {
            if let Some(alive) = self.alive.get_mut(id) {
                *alive = config.probes_of(destination).iter().all(|probe| health.is_up(*probe));
            }
        }
        for (id, service) in config.services.iter().enumerate() {
            let id = ServiceId::from_index(id);
            self.count(id, service, config);
            let Some(pool) = self.pools.get_mut(id.index()) else { continue };
            if pool.weight >= service.quorum.saturating_add(service.hysteresis) {
                pool.quorum = Quorum::Met;
                if !config.is_hidden(id) {
                    bus.record(now, Reason::QuorumGained(id, pool.weight));
                }
            } else {
                bus.record(now, Reason::QuorumAbsent(id, pool.weight));
            }
            bus.service_changed(id);
            if self.is_resting(id) {
                bus.record(now, Reason::ChecksSuspended(id));
            }
        }
    }

    /// The verdict of a probe changed.
    pub(crate) fn verdict_changed(
        &mut self,
        now: Instant,
        probe: ProbeId,
        config: &Config,
        health: &Health,
        bus: &mut Bus,
    ) {
        let users = self.users(probe).len();
        for user in 0..users {
            let Some(id) = self.users(probe).get(user).copied() else { continue };
            let Some(destination) = config.destinations.get(id.index()) else { continue };
            if self.is_resting(destination.service) {
                continue;
            }
            let alive = config.probes_of(destination).iter().all(|probe| health.is_up(*probe));
            let Some(known) = self.alive.get_mut(id.index()).filter(|known| **known != alive) else {
                continue;
            };
            *known = alive;
            self.moved(now, (id, alive), destination.service, config, bus);
        }
    }

    /// True while the checks of the service rest: its address is not on this box.
    pub fn is_resting(&self, id: ServiceId) -> bool {
        self.resting.get(id.index()).copied().unwrap_or(false)
    }

    /// Says whether a service rests, before stock is taken.
    pub(crate) fn set_resting(&mut self, id: ServiceId, rests: bool) {
        if let Some(resting) = self.resting.get_mut(id.index()) {
            *resting = rests;
        }
    }

    /// A service's address left this box, or came: then what was learned meanwhile by the checks that it shares with
    /// others counts.
    pub(crate) fn rest(
        &mut self,
        now: Instant,
        (id, rests): (ServiceId, bool),
        config: &Config,
        health: &Health,
        bus: &mut Bus,
    ) {
        self.set_resting(id, rests);
        bus.record(now, if rests { Reason::ChecksSuspended(id) } else { Reason::ChecksResumed(id) });
        let destinations = config.services.get(id.index()).map(|one| one.destinations).unwrap_or_default();
        for one in destinations.iter().filter(|_| !rests) {
            let Some(destination) = config.destinations.get(one.index()) else { continue };
            let alive = config.probes_of(destination).iter().all(|probe| health.is_up(*probe));
            let known = self.alive.get_mut(one.index());
            if known.is_some_and(|known| core::mem::replace(known, alive) != alive) {
                self.moved(now, (one, alive), id, config, bus);
            }
        }
    }

    /// A server came back or went down.
    fn moved(
        &mut self,
        now: Instant,
        (id, alive): (DestinationId, bool),
        service: ServiceId,
        config: &Config,
        bus: &mut Bus,
    ) {
        let before = self.pool(service).copied();
        // A sorry server that does not serve anyway is not worth more than its check's own record.
        if !config.is_sorry(id) || before.is_some_and(|pool| pool.quorum == Quorum::Lost) {
            bus.record(now, if alive { Reason::DestinationUp(id) } else { Reason::DestinationDown(id) });
        }
        self.judge(now, service, config, bus);
        if let (Some(before), Some(after)) = (before, self.pool(service))
            && before.quorum == after.quorum
            && after.quorum == Quorum::Lost
            && before.relief != after.relief
        {
            bus.record(now, Reason::ReliefChanged(service, after.relief));
        }
    }

    /// Weighs the pool of a service; the quorum has a dead band of twice the hysteresis.
    pub(super) fn judge(&mut self, now: Instant, id: ServiceId, config: &Config, bus: &mut Bus) {
        let Some(service) = config.services.get(id.index()) else { return };
        self.count(id, service, config);
        let Some(pool) = self.pools.get_mut(id.index()) else { return };
        let next = match pool.quorum {
            Quorum::Lost if pool.weight >= service.quorum.saturating_add(service.hysteresis) => Quorum::Met,
            Quorum::Met
                if pool.weight == 0 || pool.weight < service.quorum.saturating_sub(service.hysteresis) =>
            {
                Quorum::Lost
            }
            Quorum::Lost => Quorum::Lost,
            Quorum::Met => Quorum::Met,
        };
        if next != pool.quorum {
            (pool.quorum, pool.since) = (next, now);
            let reason = match next {
                Quorum::Met => Reason::QuorumGained(id, pool.weight),
                Quorum::Lost => Reason::QuorumLost(id, pool.weight),
            };
            if !config.is_hidden(id) {
                bus.record(now, reason);
            }
        }
        bus.service_changed(id);
    }

    fn count(&mut self, id: ServiceId, service: &Service, config: &Config) {
        let (mut weight, mut alive) = (0_u32, 0_u32);
        for destination in service.real_servers().iter() {
            if self.is_alive(destination) {
                alive += 1;
                let counted = |one| self.overrides.counted(destination, one);
                weight =
                    weight.saturating_add(config.destinations.get(destination.index()).map_or(0, counted));
            }
        }
        let relief = service.sorry.iter().any(|id| self.is_alive(id));
        if let Some(pool) = self.pools.get_mut(id.index()) {
            (pool.weight, pool.alive, pool.relief) = (weight, alive, relief);
        }
    }

    /// Takes over the quorum states of the services that both configurations have.
    pub(crate) fn adopt(&mut self, old: &Self, services: &[Option<u32>]) {
        for (row, before) in services.iter().enumerate() {
            let known = before.and_then(|before| old.pools.get(before as usize));
            if let (Some(pool), Some(known)) = (self.pools.get_mut(row), known) {
                (pool.quorum, pool.since) = (known.quorum, known.since);
            }
        }
    }

    /// Takes stock after a reload: only what changed is recorded.
    pub(crate) fn resume(&mut self, now: Instant, config: &Config, health: &Health, bus: &mut Bus) {
        self.began = now;
        for (id, destination) in config.destinations.iter().enumerate() {
            if let Some(alive) = self.alive.get_mut(id) {
                *alive = config.probes_of(destination).iter().all(|probe| health.is_up(*probe));
            }
        }
        for id in (0..config.services.len()).map(ServiceId::from_index) {
            self.judge(now, id, config, bus);
        }
    }
}

/// The weight a destination shall have in the kernel's table; `None`: it shall not be there.
///
/// While the quorum is lost and a sorry server is alive, the real servers are set aside: at weight 0 if they are to be
/// inhibited, out of the table otherwise, and all sorry servers that are alive serve. Without one whatever is alive
/// goes on: too little is more than nothing. What the operator drains keeps its connections as long as it is alive,
/// whatever becomes of the quorum.
pub fn wish(config: &Config, services: &Services, id: DestinationId) -> Option<u32> {
    let destination = config.destinations.get(id.index())?;
    let service = config.services.get(destination.service.index())?;
    let pool = services.pool(destination.service)?;
    let lost = pool.quorum == Quorum::Lost;
    let inhibited = match destination.on_failure {
        OnFailure::Inhibit => Some(0),
        OnFailure::Remove => None,
    };
    let turn = if service.is_sorry(id) { lost } else { !(lost && pool.relief) };
    let serves = turn && services.is_alive(id);
    let weight = services.overrides.weight(id, destination);
    let drained = services.is_alive(id) && services.overrides.is_drained(id);
    if serves || drained { Some(weight) } else { inhibited }
}

#[cfg(test)]
mod tests;
