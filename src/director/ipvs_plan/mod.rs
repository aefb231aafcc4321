//! Services and destinations: what shall be in the kernel's IPVS table, what is, and the requests that close the gap.
//!
//! IPVS says nothing by itself, so the table is listed again and again: all services, then the destinations of each
//! service in turn, one dump at a time (`audit.rs`). What a dump shows differently from what was last known is drift:
//! it is recorded and repaired.

mod adopt;
mod answer;
mod audit;
mod daemon;
mod drain;
mod hidden;
mod poll;
mod request;
mod setup;
#[cfg(test)]
#[path = "story/tests.rs"]
mod story;
#[cfg(test)]
mod tests;

use super::action::Epoch;
use super::event::Errno;
use super::index::Index;
use super::ledger::{Ledger, RepairLimit, Stage};
use super::services::{Services, wish};
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::config::model::Timeouts;
use crate::limits::MAX_STRANGERS;
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::{DestinationKey, DestinationSpec, ServiceKey, ServiceSpec, TimeoutValues};
use audit::Audit;
use daemon::Daemons;
pub(crate) use daemon::Views;
use drain::Drain;
pub use drain::Draining;
pub(crate) use hidden::Way;

/// Whether there is an IPVS to speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// Nobody has asked: there is nothing to program.
    Unneeded,
    /// To be asked for.
    Unknown,
    /// Asked for.
    Asking(Epoch),
    /// Not there; asked for again later.
    Absent(Errno),
    /// There; what comes first: the flush, the timeouts.
    Present(Setup),
}

/// What is set once, when IPVS is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The table is to be emptied.
    Flush,
    /// The timeouts are to be read, if any are to be set: what they were is put back at the stop.
    Timeouts,
    /// The timeouts are to be set.
    SetTimeouts,
    /// A request is under way; what comes after it.
    Asked(Epoch, Next),
    /// All done.
    Done,
}

/// What follows a setup request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Reading the timeouts.
    Timeouts,
    /// Setting them.
    SetTimeouts,
    /// Nothing.
    Done,
}

/// A destination that nobody configured, in a service of ours.
#[derive(Debug, Clone, Copy)]
struct Stranger {
    service: ServiceId,
    key: DestinationKey,
}

/// Asked for again after this time while the kernel has no IPVS.
const FIND_INTERVAL: Duration = Duration::from_secs(5);

/// Services and destinations of the configuration.
///
/// The mirror holds what was last asked for or shown: a request that is under way is counted as done, so that a
/// service and its destinations travel in one batch; a refusal corrects it. Rows behind the configured services are
/// those a reload left behind.
#[derive(Debug)]
pub struct IpvsPlan {
    availability: Availability,
    timeouts: Timeouts,
    /// What the timeouts were before any was set.
    originals: Option<TimeoutValues>,
    flush: bool,
    flush_on_stop: bool,
    /// What is left to be done at the stop.
    parting: Option<Setup>,
    daemons: Daemons,
    services: Ledger,
    service_mirror: Box<[Option<ServiceSpec>]>,
    retired: Box<[ServiceKey]>,
    destinations: Ledger,
    destination_mirror: Box<[Option<DestinationSpec>]>,
    /// Never beyond its first capacity.
    strangers: Vec<Stranger>,
    strangers_asked: usize,
    strangers_answered: usize,
    drain: Drain,
    service_index: Index,
    destination_index: Index,
    audit: Audit,
    limit: RepairLimit,
    repairs_total: u64,
    /// The absence of IPVS was recorded; it is not said again until it was there.
    absence_told: bool,
    stopping: bool,
    keep: bool,
    /// Destinations that this poll may still look at.
    looks: usize,
}

impl IpvsPlan {
    /// A plan for `config`; its rows are still to be entered by [`Self::enter`].
    pub(crate) fn new(config: &Config) -> Self {
        let (rows, global) = (config.services.len(), &config.global);
        let needed = rows > 0
            || config.global.timeouts != Timeouts::default()
            || global.flush_at_start
            || global.flush_on_stop
            || global.sync_daemon.is_some();
        Self {
            availability: if needed { Availability::Unknown } else { Availability::Unneeded },
            timeouts: config.global.timeouts,
            originals: None,
            flush: config.global.flush_at_start,
            flush_on_stop: config.global.flush_on_stop,
            parting: None,
            daemons: Daemons::new(config),
            services: Ledger::new(rows),
            service_mirror: vec![None; rows].into_boxed_slice(),
            retired: Box::default(),
            destinations: Ledger::new(config.destinations.len()),
            destination_mirror: vec![None; config.destinations.len()].into_boxed_slice(),
            strangers: Vec::with_capacity(MAX_STRANGERS),
            strangers_asked: 0,
            strangers_answered: 0,
            drain: Drain::new(Vec::new()),
            service_index: Index::new(config.services.len()),
            destination_index: Index::new(config.destinations.len()),
            audit: Audit::default(),
            limit: RepairLimit::new(1),
            repairs_total: 0,
            absence_told: false,
            stopping: false,
            keep: false,
            looks: poll::MAX_LOOKS,
        }
    }

    /// Enters the keys of some rows: a slice of the work, so that a reload holds nobody up.
    pub(crate) fn enter(&mut self, config: &Config, services: core::ops::Range<usize>) {
        for (id, service) in (services.start..).zip(config.services.get(services).unwrap_or(&[])) {
            let id = ServiceId::from_index(id);
            self.service_index.insert(&service.key, id.0);
            for row in service.destinations.iter() {
                if let Some(destination) = config.destinations.get(row.index()) {
                    self.destination_index.insert(&(id, destination.key), row.0);
                }
            }
        }
    }

    /// The configured service of a key.
    pub(crate) fn find_service(&self, key: &ServiceKey, config: &Config) -> Option<ServiceId> {
        let is_it = |id: u32| config.services.get(id as usize).is_some_and(|one| one.key == *key);
        self.service_index.find(key, is_it).map(ServiceId)
    }

    /// The configured destination of a key.
    pub(crate) fn find_destination(
        &self,
        key: (ServiceId, DestinationKey),
        config: &Config,
    ) -> Option<DestinationId> {
        let is_it =
            |id: u32| config.destinations.get(id as usize).is_some_and(|one| (one.service, one.key) == key);
        self.destination_index.find(&key, is_it).map(DestinationId)
    }

    /// Whether there is an IPVS to speak to.
    pub fn availability(&self) -> Availability {
        self.availability
    }

    /// Services of the configuration, and those that a reload left behind.
    pub(crate) fn rows(&self) -> usize {
        self.service_mirror.len()
    }

    /// What the kernel holds for a service, as far as we know.
    pub fn service(&self, id: ServiceId) -> Option<ServiceSpec> {
        self.service_mirror.get(id.index()).copied().flatten()
    }

    /// What the kernel holds for a destination, as far as we know.
    pub fn destination(&self, id: DestinationId) -> Option<DestinationSpec> {
        self.destination_mirror.get(id.index()).copied().flatten()
    }

    /// The kernel's last error for a service.
    pub fn service_error(&self, id: ServiceId) -> Option<Errno> {
        self.services.error(id.index())
    }

    /// The kernel's last error for a destination.
    pub fn destination_error(&self, id: DestinationId) -> Option<Errno> {
        self.destinations.error(id.index())
    }

    /// True if the kernel refused the service for good: it is not tried again by itself.
    pub fn is_service_parked(&self, id: ServiceId) -> bool {
        self.services.stage(id.index()) == Stage::Parked
    }

    /// True if the kernel refused the destination for good: it is not tried again by itself.
    pub fn is_destination_parked(&self, id: DestinationId) -> bool {
        self.destinations.stage(id.index()) == Stage::Parked
    }

    /// How many services and destinations are held back by an error.
    pub fn troubled(&self) -> usize {
        self.services.troubled() + self.destinations.troubled()
    }

    /// How often the table was found changed by someone else.
    pub fn repairs_total(&self) -> u64 {
        self.repairs_total
    }

    /// True while repairs are held because somebody keeps changing the table.
    pub fn repairs_held(&self) -> bool {
        self.limit.is_held()
    }

    /// A service's pool changed.
    pub(crate) fn service_changed(&mut self, id: ServiceId, config: &Config) {
        self.services.mark(id.index());
        for row in config.services.get(id.index()).map(|one| one.destinations.rows()).unwrap_or_default() {
            // One that is in the table and could not be changed: the wish may be another one now.
            if self.destination_mirror.get(row).is_some_and(Option::is_some) {
                self.destinations.release(row);
            }
            self.destinations.mark(row);
        }
    }

    /// When a hold is over, what was not repaired meanwhile is compared again.
    fn lapse(&mut self, now: Instant) {
        if self.limit.lapse(now) {
            (0..self.services.len()).for_each(|row| self.services.mark(row));
            (0..self.destinations.len()).for_each(|row| self.destinations.mark(row));
            (0..self.daemons.ledger.len()).for_each(|row| self.daemons.ledger.mark(row));
        }
    }

    /// The timer for the next look.
    pub(crate) fn handle_audit_timer(&mut self, now: Instant) {
        match self.availability {
            Availability::Absent(_) => self.availability = Availability::Unknown,
            Availability::Present(_) => {
                self.audit.begin();
                self.lapse(now);
            }
            Availability::Unneeded | Availability::Unknown | Availability::Asking(_) => {}
        }
    }

    /// A service's wish: its spec, or absence.
    fn service_wish(&self, row: usize, config: &Config) -> Option<ServiceSpec> {
        let hidden = config.is_hidden(ServiceId::from_index(row));
        let ends = self.stopping && (!self.keep || hidden);
        if ends { None } else { config.services.get(row).map(|service| service.spec) }
    }

    fn destination_wish(&self, row: usize, config: &Config, services: &Services) -> Option<DestinationSpec> {
        let destination = config.destinations.get(row)?;
        let weight = wish(config, services, DestinationId::from_index(row)).filter(|_| !self.stopping)?;
        Some(DestinationSpec {
            method: destination.method,
            weight,
            upper: destination.upper,
            lower: destination.lower,
        })
    }

    /// True if a request waits to be made.
    pub(crate) fn has_work(&self) -> bool {
        match self.availability {
            Availability::Unknown => true,
            Availability::Present(Setup::Asked(..)) => false,
            Availability::Present(setup) if setup != Setup::Done => true,
            Availability::Present(_) if self.keep => !self.services.removals.is_empty(),
            Availability::Present(_) if self.parting.is_some() => true,
            Availability::Present(_) => self.has_changes() || self.audit.wants_dump(),
            Availability::Unneeded | Availability::Asking(_) | Availability::Absent(_) => false,
        }
    }

    fn has_changes(&self) -> bool {
        !(self.audit.first_pass_pending()
            || self.services.dirty.is_empty()
                && !self.daemons.has_work()
                && self.services.removals.is_empty()
                && self.destinations.dirty.is_empty()
                && self.destinations.removals.is_empty()
                && self.strangers_asked == self.strangers.len()
                && (self.stopping || !self.drain.has_work()))
    }

    /// True if everything is as wished or cannot be for now.
    pub(crate) fn is_done(&self) -> bool {
        let idle = self.services.is_answered()
            && self.destinations.is_answered()
            && self.daemons.ledger.is_answered()
            && self.parting.is_none();
        match self.availability {
            Availability::Present(_) if self.keep => {
                self.services.removals.is_empty() && self.services.is_answered()
            }
            Availability::Present(setup) => idle && setup == Setup::Done && !self.has_changes(),
            Availability::Unneeded
            | Availability::Unknown
            | Availability::Asking(_)
            | Availability::Absent(_) => true,
        }
    }
}
