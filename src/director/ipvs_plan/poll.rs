//! The requests that close the gap between wish and table, one after the other, and what comes before what.

use super::{Availability, IpvsPlan, Setup, Views};
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::director::action::{Action, Change, DestinationRef, ServiceRef};
use crate::director::bus::Bus;
use crate::director::dirty::DirtySet;
use crate::director::ledger::Stage;
use crate::director::services::Services;
use crate::time::Instant;

/// After a reload every destination is looked at, most of them without a request. So many take a fraction of a
/// millisecond; then others get their turn.
pub(super) const MAX_LOOKS: usize = 2_048;

impl IpvsPlan {
    /// A poll begins: it looks at so many destinations and no more.
    pub(crate) fn begin_poll(&mut self) {
        self.looks = MAX_LOOKS;
    }

    /// True if the last poll ended before it had looked at everything.
    pub(crate) fn is_behind(&self) -> bool {
        self.looks == 0 && self.has_work()
    }

    /// The next request to the kernel: first whether it has IPVS, then services, then destinations, what is added
    /// before what is removed, so that a pool is never empty in between; at last the next dump.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        config: &Config,
        (services, views): (&Services, Views<'_>),
        bus: &mut Bus,
    ) -> Option<Action> {
        // What needs no request, the end of a pass for one, makes room for what comes after it.
        while self.has_work() && self.looks > 0 {
            let action = match self.availability {
                Availability::Unknown => {
                    self.availability = Availability::Asking(bus.epoch);
                    Some(Action::FindIpvs { epoch: bus.epoch })
                }
                Availability::Present(setup) if setup != Setup::Done => self.poll_setup(setup, bus),
                Availability::Present(_) if self.parting.is_some() => {
                    self.availability = Availability::Present(self.parting.take().unwrap_or(Setup::Done));
                    None
                }
                Availability::Present(_) if self.keep => self.poll_removal(config, services, bus),
                Availability::Present(_) if self.audit.first_pass_pending() => {
                    self.poll_audit(now, config, bus)
                }
                Availability::Present(_) => self
                    .poll_daemon(views, bus)
                    .or_else(|| self.poll_service(config, bus))
                    .or_else(|| self.poll_destination(config, services, bus))
                    .or_else(|| self.poll_rest(now, config, services, bus)),
                Availability::Unneeded | Availability::Asking(_) | Availability::Absent(_) => None,
            };
            if action.is_some() {
                return action;
            }
        }
        None
    }

    /// What comes when everything was looked at.
    fn poll_rest(
        &mut self,
        now: Instant,
        config: &Config,
        services: &Services,
        bus: &mut Bus,
    ) -> Option<Action> {
        if self.looks == 0 {
            return None;
        }
        self.poll_removal(config, services, bus)
            .or_else(|| if self.stopping { None } else { self.poll_drain(now, bus) })
            .or_else(|| self.poll_audit(now, config, bus))
    }

    fn poll_service(&mut self, config: &Config, bus: &Bus) -> Option<Action> {
        while let Some(row) = self.services.dirty.pop() {
            if self.services.stage(row) != Stage::Ready {
                continue;
            }
            let wished = self.service_wish(row, config);
            let Some(known) = self.service_mirror.get_mut(row) else { continue };
            let Some(change) = step(row, wished, known, &mut self.services.removals) else { continue };
            return Some(self.ask_service(row, change, config, bus));
        }
        None
    }

    fn poll_destination(&mut self, config: &Config, services: &Services, bus: &Bus) -> Option<Action> {
        while self.looks > 0
            && let Some(row) = self.destinations.dirty.pop()
        {
            self.looks -= 1;
            if self.destinations.stage(row) != Stage::Ready || !self.service_is_there(row, config) {
                continue;
            }
            let wished = self.destination_wish(row, config, services);
            let Some(known) = self.destination_mirror.get_mut(row) else { continue };
            let Some(change) = step(row, wished, known, &mut self.destinations.removals) else { continue };
            return Some(self.ask_destination(row, change, bus));
        }
        None
    }

    fn poll_removal(&mut self, config: &Config, services: &Services, bus: &Bus) -> Option<Action> {
        while let Some(row) = self.destinations.removals.pop() {
            let unwanted = self.destination_wish(row, config, services).is_none();
            let there = self.destination_mirror.get(row).is_some_and(Option::is_some);
            let whole = self.stopping && !self.keep;
            // Removing a service takes its destinations along.
            if unwanted && there && !whole && self.destinations.stage(row) == Stage::Ready {
                return Some(self.ask_destination(row, Change::Remove, bus));
            }
        }
        while let Some(row) = self.services.removals.pop() {
            let there = self.service_mirror.get(row).is_some_and(Option::is_some);
            if self.service_wish(row, config).is_none() && there && self.services.stage(row) == Stage::Ready {
                return Some(self.ask_service(row, Change::Remove, config, bus));
            }
        }
        if self.strangers_asked < self.strangers.len() {
            let row = u16::try_from(self.strangers_asked).unwrap_or(u16::MAX);
            self.strangers_asked += 1;
            let destination = DestinationRef::Stranger(row);
            return Some(Action::Destination { epoch: bus.epoch, destination, change: Change::Remove });
        }
        None
    }

    fn service_is_there(&self, destination: usize, config: &Config) -> bool {
        let service = config.destinations.get(destination).map(|one| one.service.index());
        service.and_then(|row| self.service_mirror.get(row)).is_some_and(Option::is_some)
    }

    fn ask_service(&mut self, row: usize, change: Change, config: &Config, bus: &Bus) -> Action {
        self.services.sent(row, bus.epoch);
        let service = match row.checked_sub(config.services.len()) {
            None => ServiceRef::Configured(ServiceId::from_index(row)),
            Some(retired) => ServiceRef::Retired(u32::try_from(retired).unwrap_or(u32::MAX)),
        };
        Action::Service { epoch: bus.epoch, service, change }
    }

    fn ask_destination(&mut self, row: usize, change: Change, bus: &Bus) -> Action {
        self.destinations.sent(row, bus.epoch);
        let destination = DestinationRef::Configured(DestinationId::from_index(row));
        Action::Destination { epoch: bus.epoch, destination, change }
    }
}

/// What is to be asked so that what is known of a row becomes what is wished, and is known from now on. What is to go
/// joins the `removals` instead.
fn step<T: Copy + PartialEq>(
    row: usize,
    wished: Option<T>,
    known: &mut Option<T>,
    removals: &mut DirtySet,
) -> Option<Change> {
    if wished == *known {
        return None;
    }
    if wished.is_none() {
        removals.insert(row);
        return None;
    }
    Some(if core::mem::replace(known, wished).is_none() { Change::Add } else { Change::Set })
}
