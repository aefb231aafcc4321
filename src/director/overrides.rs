//! Weights other than the configured ones: set by the operator (`real RIP:PORT drain`), or rising after a return
//! (`slow_start`). One row per destination, sized by the configuration; the operator's word beats the rise.
//!
//! The quorum counts what the operator set, so that draining the last server calls the sorry server. It does not count
//! the rise: a server that is back carries its whole weight from then on, or a service that needs it would stay with
//! its sorry server until the rise is over.

use super::bus::{Bus, Timer};
use super::health::{Belief, Health};
use super::ipvs_plan::IpvsPlan;
use super::journal::Reason;
use super::services::Services;
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ProbeId, ServiceId};
use crate::config::model::Destination;
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::DestinationKey;

/// Steps of a rise at most: each is a request to the kernel.
const MAX_STEPS: u64 = 16;

/// Where the weight of a destination comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Load {
    /// The configuration.
    #[default]
    Configured,
    /// The operator.
    Override {
        /// The weight; 0 drains it.
        weight: u16,
        /// Since when.
        since: Instant,
    },
    /// Slow start.
    Rising {
        /// Steps made so far.
        step: u16,
        /// When the server returned.
        since: Instant,
    },
}

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The real server.
    pub server: DestinationKey,
    /// In which service; `None`: in all that have it.
    pub service: Option<ServiceId>,
    /// Its weight; `None`: the configured one again.
    pub weight: Option<u16>,
}

/// All destinations.
#[derive(Debug)]
pub struct Overrides {
    /// Up to the last row that ever differed: the rest of the room, which is for all rows, takes no pages.
    loads: Vec<Load>,
    /// A check failed and the server has not been back since.
    down: Box<[bool]>,
}

/// How many steps a rise takes: none is shorter than a second, and each changes the weight.
fn steps(destination: &Destination) -> u64 {
    let most = destination.slow_start.as_secs().min(MAX_STEPS);
    most.min(u64::from(destination.weight.saturating_sub(1)))
}

/// The steps that are over after `elapsed`.
fn steps_after(destination: &Destination, elapsed: Duration) -> u64 {
    let whole = destination.slow_start.as_micros().max(1);
    elapsed.as_micros().saturating_mul(steps(destination)) / whole
}

/// When the next step comes, counted from the return.
fn step_time(destination: &Destination, step: u64) -> Duration {
    let whole = destination.slow_start.as_micros();
    // Rounded up: at that moment the step is over.
    Duration::from_micros((whole * (step + 1)).div_ceil(steps(destination).max(1)))
}

impl Overrides {
    pub(crate) fn new(config: &Config) -> Self {
        let rows = config.destinations.len();
        Self { loads: Vec::with_capacity(rows), down: vec![false; rows].into_boxed_slice() }
    }

    /// Where the weight of a destination comes from.
    pub fn get(&self, id: DestinationId) -> Load {
        self.loads.get(id.index()).copied().unwrap_or_default()
    }

    /// How many weights the operator set.
    pub fn count(&self) -> usize {
        self.loads.iter().filter(|load| matches!(load, Load::Override { .. })).count()
    }

    /// The weight that a destination has while it serves.
    pub fn weight(&self, id: DestinationId, destination: &Destination) -> u32 {
        match self.get(id) {
            Load::Rising { step, .. } => {
                let rest = u64::from(destination.weight.saturating_sub(1));
                let part = rest * u64::from(step) / steps(destination).max(1);
                u32::try_from(1 + part).unwrap_or(u32::MAX).min(destination.weight)
            }
            Load::Configured | Load::Override { .. } => self.counted(id, destination),
        }
    }

    /// The weight that the quorum counts while a destination is alive.
    pub fn counted(&self, id: DestinationId, destination: &Destination) -> u32 {
        match self.get(id) {
            Load::Override { weight, .. } => weight.into(),
            Load::Configured | Load::Rising { .. } => destination.weight,
        }
    }

    /// True if the operator drains the destination: it stays in the table for the connections that it has.
    pub fn is_drained(&self, id: DestinationId) -> bool {
        matches!(self.get(id), Load::Override { weight: 0, .. })
    }

    fn put(&mut self, id: DestinationId, load: Load) {
        let row = id.index();
        if row >= self.loads.len() && load != Load::Configured && row < self.down.len() {
            self.loads.resize(row + 1, Load::Configured);
        }
        if let Some(place) = self.loads.get_mut(row) {
            *place = load;
        }
    }

    /// Takes over what both configurations have; a rise goes on by the new configuration.
    pub(crate) fn adopt(
        &mut self,
        now: Instant,
        old: &Self,
        (destinations, config): (&[Option<u32>], &Config),
        health: &Health,
        bus: &mut Bus,
    ) {
        for (row, destination) in config.destinations.iter().enumerate() {
            let id = DestinationId::from_index(row);
            if let Some(down) = self.down.get_mut(row) {
                // Only a return that is followed by a rise asks for it.
                *down = !destination.slow_start.is_zero() && is_down(destination, config, health);
            }
            let before = destinations.get(row).copied().flatten();
            match before.map(|before| old.get(DestinationId(before))).unwrap_or_default() {
                Load::Override { .. } if config.is_sorry(id) => {}
                Load::Rising { since, .. } => self.rise(now, id, since, destination, bus),
                load @ (Load::Configured | Load::Override { .. }) => self.put(id, load),
            }
        }
    }

    /// Goes on with a rise, or ends it.
    fn rise(
        &mut self,
        now: Instant,
        id: DestinationId,
        since: Instant,
        destination: &Destination,
        bus: &mut Bus,
    ) {
        let step = steps_after(destination, now.since(since));
        if step >= steps(destination) {
            self.put(id, Load::Configured);
        } else {
            self.put(id, Load::Rising { step: u16::try_from(step).unwrap_or(u16::MAX), since });
            bus.set(Timer::Rise(id), since + step_time(destination, step));
        }
    }

    /// Checks of the destination said that it is down (`down`), or that it serves (`alive`).
    fn follow(
        &mut self,
        now: Instant,
        id: DestinationId,
        (down, alive): (bool, bool),
        destination: &Destination,
        bus: &mut Bus,
    ) {
        let Some(known) = self.down.get_mut(id.index()) else { return };
        let was = core::mem::replace(known, down || (*known && !alive));
        match self.get(id) {
            Load::Configured if was && alive && steps(destination) > 0 => {
                bus.record(now, Reason::RiseStarted(id));
                self.rise(now, id, now, destination, bus);
            }
            Load::Rising { .. } if down => {
                bus.cancel(Timer::Rise(id));
                self.put(id, Load::Configured);
            }
            Load::Configured | Load::Override { .. } | Load::Rising { .. } => {}
        }
    }
}

/// True if a check says that the destination is down; one that has not said anything yet does not.
fn is_down(destination: &Destination, config: &Config, health: &Health) -> bool {
    let says = |probe: &ProbeId| health.get(*probe).is_some_and(|one| one.belief == Belief::Down);
    config.probes_of(destination).iter().any(says)
}

/// The destinations that an order is about.
pub fn meant<'a>(
    order: Order,
    config: &'a Config,
    plan: &'a IpvsPlan,
) -> impl Iterator<Item = DestinationId> + use<'a> {
    // A hidden service keeps its one server at its weight: its port is 0, and a written one may be called so, too.
    let written = config.written_services().len();
    // One that is named is not looked for among all others.
    let rows = match order.service {
        Some(id) => id.index()..written.min(id.index() + 1),
        None => 0..written,
    };
    rows.map(ServiceId::from_index).filter_map(move |service| {
        let id = plan.find_destination((service, order.server), config)?;
        (!config.is_sorry(id)).then_some(id)
    })
}

impl Services {
    /// Weights that are not the configured ones.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The operator sets weights, or gives them back to the configuration.
    pub(crate) fn handle_order(
        &mut self,
        now: Instant,
        order: Order,
        (config, plan): (&Config, &IpvsPlan),
        bus: &mut Bus,
    ) {
        for id in meant(order, config, plan) {
            let same = match self.overrides.get(id) {
                Load::Override { weight, .. } => order.weight == Some(weight),
                Load::Configured => order.weight.is_none(),
                // Whoever enables a server that rises wants all of its weight at once.
                Load::Rising { .. } => false,
            };
            if same {
                continue;
            }
            bus.cancel(Timer::Rise(id));
            let load = order.weight.map_or(Load::Configured, |weight| Load::Override { weight, since: now });
            self.overrides.put(id, load);
            bus.record(now, Reason::Overridden(id, order.weight));
            if let Some(destination) = config.destinations.get(id.index()) {
                self.judge(now, destination.service, config, bus);
            }
        }
    }

    /// A server that a probe is about may have returned, or failed. To be called when the services know it.
    pub(crate) fn follow_verdict(
        &mut self,
        now: Instant,
        probe: ProbeId,
        (config, health): (&Config, &Health),
        bus: &mut Bus,
    ) {
        for user in 0..self.users(probe).len() {
            let Some(id) = self.users(probe).get(user).copied() else { continue };
            let Some(destination) = config.destinations.get(id.index()) else { continue };
            let verdict = (is_down(destination, config, health), self.is_alive(id));
            self.overrides.follow(now, id, verdict, destination, bus);
        }
    }

    /// The next step of a rise is due.
    pub(crate) fn handle_rise(&mut self, now: Instant, id: DestinationId, config: &Config, bus: &mut Bus) {
        let Some(destination) = config.destinations.get(id.index()) else { return };
        if let Load::Rising { since, .. } = self.overrides.get(id) {
            self.overrides.rise(now, id, since, destination, bus);
            bus.service_changed(destination.service);
        }
    }
}

#[cfg(test)]
mod tests;
