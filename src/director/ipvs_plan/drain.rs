//! Real servers that a reload took out of the configuration and that have a `drain_time`: weight 0 at once, so that
//! they get no new connections, and out of the table when they have no active ones or the time is over.
//!
//! The rows are made by a reload, sorted by service and key, and only become fewer until the next one. How many
//! connections are active is what the audit's listing says; one that began before the weight was 0 says nothing.

use super::IpvsPlan;
use super::answer::UNKNOWN_WEIGHT;
use crate::config::Config;
use crate::config::ids::ServiceId;
use crate::config::order::sort;
use crate::director::action::{Action, Change, DestinationRef, Epoch};
use crate::director::bus::{Bus, Timer};
use crate::director::dirty::DirtySet;
use crate::director::event::Errno;
use crate::director::journal::Reason;
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::{DestinationEntry, DestinationKey, DestinationSpec};

#[cfg(test)]
mod tests;

/// A server on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Draining {
    /// Its service, which stays.
    pub service: ServiceId,
    /// Itself.
    pub key: DestinationKey,
    /// When it goes at the latest; `None` until it has begun.
    pub until: Option<Instant>,
    /// Its active connections when it was listed last.
    pub active: Option<u32>,
    spec: DestinationSpec,
    time: Duration,
    stage: Stage,
    /// The last listing that shows it.
    seen: u64,
    /// The listing that was the last one when it got weight 0.
    quiet_since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be set to weight 0.
    Loud,
    /// The kernel was asked.
    Asked(Epoch, Change),
    /// At weight 0.
    Quiet,
    /// To be removed.
    Over,
    /// Not in the table any more.
    Gone,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Drain {
    rows: Vec<Draining>,
    /// Rows about which the kernel is to be asked.
    pending: DirtySet,
    /// Listings of destinations begun so far.
    listings: u64,
}

impl Draining {
    /// One that is still to begin. `spec` is what the kernel holds.
    pub(super) fn new(
        service: ServiceId,
        key: DestinationKey,
        (spec, time): (DestinationSpec, Duration),
    ) -> Self {
        let (stage, seen, quiet_since) = (Stage::Loud, 0, 0);
        Self { service, key, until: None, active: None, spec, time, stage, seen, quiet_since }
    }

    /// The same in a new configuration, where its service has another number; what was asked before is asked again.
    pub(super) fn moved(self, service: ServiceId) -> Self {
        Self { service, stage: Stage::Loud, seen: 0, quiet_since: 0, ..self }
    }

    /// What the kernel holds of one that is configured again while a request about it may be under way.
    pub(super) fn spec(&self) -> DestinationSpec {
        DestinationSpec { weight: UNKNOWN_WEIGHT, ..self.spec }
    }
}

impl Drain {
    pub(super) fn new(mut rows: Vec<Draining>) -> Self {
        sort(&mut rows, |a, b| (a.service, a.key) < (b.service, b.key));
        let mut pending = DirtySet::new(rows.len());
        (0..rows.len()).for_each(|row| pending.insert(row));
        Self { rows, pending, listings: 0 }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Draining> {
        self.rows.iter().filter(|one| one.stage != Stage::Gone)
    }

    /// Those of one service.
    fn of(&self, service: ServiceId) -> impl Iterator<Item = &Draining> {
        let from = self.rows.partition_point(|one| one.service < service);
        let rows = self.rows.get(from..).unwrap_or(&[]).iter().take_while(move |one| one.service == service);
        rows.filter(|one| one.stage != Stage::Gone)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn has_work(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn begin_listing(&mut self) {
        self.listings += 1;
    }

    /// A listing shows a destination that is not configured: true if it is one of these.
    pub(super) fn see(&mut self, service: ServiceId, entry: &DestinationEntry) -> bool {
        let found = self.rows.binary_search_by_key(&(service, entry.key), |one| (one.service, one.key));
        let Some((row, one)) = found.ok().and_then(|row| Some((row, self.rows.get_mut(row)?))) else {
            return false;
        };
        if one.stage == Stage::Gone {
            return false;
        }
        (one.seen, one.active) = (self.listings, Some(entry.active));
        if one.stage == Stage::Quiet && entry.spec.weight > 0 && one.quiet_since < self.listings {
            one.stage = Stage::Loud;
            self.pending.insert(row);
        }
        true
    }

    /// The listing of a service is over and was whole.
    pub(super) fn end_listing(&mut self, service: ServiceId) {
        let from = self.rows.partition_point(|one| one.service < service);
        let rows = self.rows.iter_mut().enumerate().skip(from);
        for (row, one) in rows.take_while(|(_, one)| one.service == service) {
            match one.stage {
                Stage::Asked(..) | Stage::Gone => continue,
                Stage::Loud | Stage::Quiet | Stage::Over if one.seen != self.listings => {
                    one.stage = Stage::Gone;
                    continue;
                }
                Stage::Quiet if one.quiet_since < self.listings && one.active == Some(0) => {
                    one.stage = Stage::Over;
                }
                Stage::Quiet => continue,
                // What was refused is tried again.
                Stage::Loud | Stage::Over => {}
            }
            self.pending.insert(row);
        }
    }

    /// Ends those whose time is over; when the next one's is.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for (row, one) in self.rows.iter_mut().enumerate() {
            let Some(until) = one.until.filter(|_| one.stage != Stage::Gone) else { continue };
            match one.stage {
                Stage::Loud | Stage::Quiet if until <= now => {
                    one.stage = Stage::Over;
                    self.pending.insert(row);
                }
                Stage::Loud | Stage::Quiet => next = Some(next.map_or(until, |next| next.min(until))),
                Stage::Asked(..) | Stage::Over | Stage::Gone => {}
            }
        }
        next
    }
}

impl IpvsPlan {
    /// Servers that are not configured any more and still have connections.
    pub fn draining(&self) -> impl Iterator<Item = &Draining> {
        self.drain.iter()
    }

    /// Those of one service.
    pub fn draining_of(&self, service: ServiceId) -> impl Iterator<Item = &Draining> {
        self.drain.of(service)
    }

    /// The time of some is over.
    pub(crate) fn handle_drain_timer(&mut self, now: Instant, bus: &mut Bus) {
        if let Some(next) = self.drain.expire(now) {
            bus.set(Timer::Drain, next);
        }
    }

    /// The next request about one of them.
    pub(super) fn poll_drain(&mut self, now: Instant, bus: &mut Bus) -> Option<Action> {
        while let Some(row) = self.drain.pending.pop() {
            let Some(one) = self.drain.rows.get_mut(row) else { continue };
            let change = match one.stage {
                Stage::Loud => Change::Set,
                Stage::Over => Change::Remove,
                Stage::Asked(..) | Stage::Quiet | Stage::Gone => continue,
            };
            if one.until.is_none() {
                bus.record(now, Reason::DrainStarted(one.service, one.key, one.time));
            }
            let until = *one.until.get_or_insert(now + one.time);
            if change == Change::Set {
                bus.set_no_later(Timer::Drain, until);
            }
            one.stage = Stage::Asked(bus.epoch, change);
            let destination = DestinationRef::Draining(u32::try_from(row).unwrap_or(u32::MAX));
            return Some(Action::Destination { epoch: bus.epoch, destination, change });
        }
        None
    }

    /// What a request about one of them says.
    pub(super) fn drain_request(&self, row: u32) -> Option<(ServiceId, DestinationKey, DestinationSpec)> {
        let one = self.drain.rows.get(row as usize)?;
        Some((one.service, one.key, DestinationSpec { weight: 0, ..one.spec }))
    }

    /// The kernel answered. True if it removed one.
    pub(super) fn drain_answered(
        &mut self,
        now: Instant,
        row: u32,
        (change, epoch): (Change, Epoch),
        result: Result<(), Errno>,
        bus: &mut Bus,
    ) -> Option<ServiceId> {
        let asked = Stage::Asked(epoch, change);
        let place = row as usize;
        let Some(one) = self.drain.rows.get_mut(place).filter(|one| one.stage == asked) else {
            bus.stale_total += 1;
            return None;
        };
        let over = one.until.is_some_and(|until| until <= now);
        one.stage = match (change, result) {
            (_, Err(Errno::ENOENT | Errno::ESRCH)) | (Change::Remove, Ok(())) => Stage::Gone,
            (Change::Remove, Err(_)) => Stage::Over,
            (Change::Add | Change::Set, Err(Errno::LOST)) => Stage::Loud,
            (Change::Add | Change::Set, _) if over => Stage::Over,
            // If it was refused, the next listing shows its weight.
            (Change::Add | Change::Set, _) => Stage::Quiet,
        };
        one.quiet_since = self.drain.listings;
        if result == Err(Errno::LOST) || (over && change == Change::Set) {
            self.drain.pending.insert(place);
        }
        let removed = (change == Change::Remove && result.is_ok()).then_some(one.service);
        if removed.is_some() {
            bus.record(now, Reason::DrainEnded(one.service, one.key, one.active.unwrap_or(0)));
        }
        removed
    }

    /// After a reload: those of before that are still on their way out. One that is configured again is simply there.
    pub(super) fn carry_drains(&mut self, old: &Self, (before, config): (&Config, &Config)) -> Vec<Draining> {
        let mut carried = Vec::new();
        for one in old.drain.iter() {
            let key = before.services.get(one.service.0 as usize).map(|service| service.key);
            let Some(service) = key.and_then(|key| self.find_service(&key, config)) else { continue };
            match self.find_destination((service, one.key), config) {
                Some(id) => {
                    if let Some(mirror) = self.destination_mirror.get_mut(id.0 as usize) {
                        *mirror = Some(one.spec());
                    }
                }
                None => carried.push(one.moved(service)),
            }
        }
        carried
    }
}
