//! Tables with a row for each probe, destination or service, made one by one: a reload has a turn for each.

use super::Parts;
use super::action::Epoch;
use super::bus::Bus;
use super::health::Health;
use super::ipvs_plan::IpvsPlan;
use super::services::Services;
use crate::config::Config;
use crate::time::Instant;

/// The tables with a row for each real server or probe: milliseconds of work together, so a reload makes them one by
/// one.
#[derive(Debug, Default)]
pub(crate) struct Large {
    pub(super) bus: Option<Bus>,
    pub(super) health: Option<Health>,
    pub(super) services: Option<Services>,
    pub(super) ipvs_plan: Option<IpvsPlan>,
}

impl Large {
    /// Makes the next one, or a slice of it; false if nothing is left to do.
    pub(super) fn step(&mut self, config: &Config, now: Instant) -> bool {
        if self.bus.is_none() {
            self.bus = Some(Bus::new(config, Epoch::default()));
        } else if self.health.is_none() {
            self.health = Some(Health::new(config, now));
        } else if self.services.is_none() {
            self.services = Some(Services::new(config, now));
        } else if self.ipvs_plan.is_none() {
            self.ipvs_plan = Some(IpvsPlan::new(config));
        } else {
            return self.services.as_mut().is_some_and(|services| services.enter(config));
        }
        true
    }
}

impl Parts {
    /// Empty tables for `config`, but for the keys of its services ([`IpvsPlan::enter`]).
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let mut large = Large::default();
        while large.step(config, now) {}
        Self::of(large, config, now)
    }
}
