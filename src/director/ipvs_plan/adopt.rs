//! What a reload takes over of the kernel's table.

use super::answer::unlike;
use super::{Availability, Drain, Draining, IpvsPlan, Setup, Stranger};
use crate::config::Config;
use crate::config::ids::Id;
use crate::director::bus::{Bus, Timer};
use crate::director::dirty::DirtySet;
use crate::director::ledger::Ledger;
use crate::director::reload::Maps;
use crate::limits::MAX_STRANGERS;
use crate::wire::genl_ipvs::ServiceKey;

impl IpvsPlan {
    /// Takes over what is known of the table; services and destinations that are no longer configured are to be
    /// removed. `maps` lead from rows of this configuration to rows of the old one.
    pub(crate) fn adopt(
        &mut self,
        old: &Self,
        maps: &mut Maps,
        (before, config): (&Config, &Config),
        (from, bus): (&Bus, &mut Bus),
    ) {
        self.originals = old.originals;
        self.daemons.mirror = old.daemons.mirror;
        let left = old.originals.is_some() || self.daemons.concern_us();
        let needed = left || self.availability != Availability::Unneeded;
        self.absence_told = old.absence_told;
        self.repairs_total = old.repairs_total;
        carry(&mut self.service_mirror, &maps.services, &old.service_mirror);
        carry(&mut self.destination_mirror, &maps.destinations, &old.destination_mirror);
        let key = |row: usize| match row.checked_sub(before.services.len()) {
            None => before.services.get(row).map(|service| service.key),
            Some(retired) => old.retired.get(retired).copied(),
        };
        let mut retired: Vec<(usize, ServiceKey)> = Vec::new();
        while let Some(row) = maps.old_services.pop() {
            let there = old.service_mirror.get(row).is_some_and(Option::is_some);
            let Some(key) = key(row).filter(|_| there) else { continue };
            match self.find_service(&key, config).and_then(|id| self.service_mirror.get_mut(id.index())) {
                // Left behind by an earlier reload and configured again, while its removal is perhaps under way.
                Some(mirror) => *mirror = old.service_mirror.get(row).copied().flatten().map(unlike),
                None => retired.push((row, key)),
            }
        }
        self.service_mirror = self
            .service_mirror
            .iter()
            .copied()
            .chain(retired.iter().map(|(row, _)| old.service_mirror.get(*row).copied().flatten()))
            .collect();
        self.retired = retired.iter().map(|(_, key)| *key).collect();
        self.services = Ledger::unproven(self.service_mirror.len());
        self.destinations.dirty.insert_all(0..self.destination_mirror.len());
        let mut drains = self.carry_drains(old, (before, config));
        self.strangers = self.left_behind(old, &mut maps.old_destinations, (before, config), &mut drains);
        self.drain = Drain::new(drains);
        if needed || !self.retired.is_empty() {
            self.availability = match old.availability {
                Availability::Present(Setup::Done) if self.timeouts != old.timeouts => {
                    Availability::Present(Setup::Timeouts)
                }
                Availability::Present(Setup::Done) => Availability::Present(Setup::Done),
                Availability::Present(_)
                | Availability::Absent(_)
                | Availability::Unneeded
                | Availability::Unknown
                | Availability::Asking(_) => Availability::Unknown,
            };
        }
        // Only a flush that was due at the start and has not been possible since is still to be made.
        self.flush &= old.flush;
        self.resume_audit(old, from, bus);
        self.daemons.ledger.mark_all();
    }

    /// What was listed stays known, and the next pass comes when it was due: a reload by itself is no reason to list
    /// the whole table. It is one if the kernel was being asked, since no answer to the old epoch is heard, and if
    /// something was left behind that a listing follows.
    fn resume_audit(&mut self, old: &Self, from: &Bus, bus: &mut Bus) {
        let nothing_left = self.retired.is_empty() && self.strangers.is_empty() && self.drain.is_empty();
        let due = from.deadline(Timer::IpvsAudit).filter(|_| nothing_left && old.is_settled());
        self.audit.resume(&old.audit, due.is_some());
        if let Some(due) = due {
            bus.set(Timer::IpvsAudit, due);
        }
    }

    /// True if the table is known, no answer is awaited, and nothing of an earlier configuration is left in it: what a
    /// service that is configured again still holds, only a listing shows.
    fn is_settled(&self) -> bool {
        let mut left = self.service_mirror.iter().rev().take(self.retired.len());
        left.all(Option::is_none)
            && self.availability == Availability::Present(Setup::Done)
            && self.services.is_answered()
            && self.destinations.is_answered()
            && self.daemons.ledger.is_answered()
            && self.strangers.is_empty()
            && self.drain.is_empty()
    }

    /// Destinations that were dropped from services that stay: those that have time join the `drains`.
    fn left_behind(
        &self,
        old: &Self,
        left: &mut DirtySet,
        (before, config): (&Config, &Config),
        drains: &mut Vec<Draining>,
    ) -> Vec<Stranger> {
        let mut stranger = |row: usize| {
            let destination = before.destinations.get(row)?;
            let service = before.services.get(destination.service.index())?;
            let (service, key) = (self.find_service(&service.key, config)?, destination.key);
            let spec = old.destination_mirror.get(row).copied().flatten()?;
            if destination.drain_time.is_zero() {
                return Some(Stranger { service, key });
            }
            drains.push(Draining::new(service, key, (spec, destination.drain_time)));
            None
        };
        let found: Vec<Stranger> = core::iter::from_fn(|| left.pop()).filter_map(&mut stranger).collect();
        let mut strangers = Vec::with_capacity(found.len().max(MAX_STRANGERS));
        strangers.extend(found);
        strangers
    }
}

/// What is known of rows that both configurations have.
fn carry<T: Copy>(mirror: &mut [Option<T>], map: &[Option<u32>], old: &[Option<T>]) {
    for (known, was) in mirror.iter_mut().zip(map) {
        *known = was.and_then(|was| old.get(was as usize).copied().flatten());
    }
}
