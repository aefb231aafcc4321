//! What the kernel's answers to our requests mean.

use super::{Availability, FIND_INTERVAL, IpvsPlan, Next, Setup};
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::config::via::is_reserved;
use crate::director::action::{Action, Change, DestinationRef, Dump, Epoch, ServiceRef};
use crate::director::bus::{Bus, Timer};
use crate::director::event::Errno;
use crate::director::journal::Reason;
use crate::director::ledger::{Gravity, Settled, rung_delay};
use crate::time::Instant;
use crate::wire::genl_ipvs::{DestinationSpec, ServiceKey, ServiceSpec};

/// No destination has this weight: one that is there with an unknown spec differs from every wish.
pub(super) const UNKNOWN_WEIGHT: u32 = u32::MAX;

impl IpvsPlan {
    /// The kernel answered one of our requests.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        action: Action,
        result: Result<(), Errno>,
        config: &Config,
        bus: &mut Bus,
    ) {
        match action {
            Action::FindIpvs { epoch } => self.found(now, epoch, result, bus),
            Action::FlushIpvs { epoch } | Action::SetTimeouts { epoch } | Action::ReadTimeouts { epoch } => {
                self.set_up(now, epoch, result, bus)
            }
            Action::Service { epoch, service, change } => {
                self.service_answered(now, service, (change, epoch), result, config, bus);
            }
            Action::Destination { destination: DestinationRef::Configured(id), epoch, change } => {
                self.destination_answered(now, id, (change, epoch), result, config, bus);
            }
            Action::Destination { destination: DestinationRef::Stranger(row), epoch, .. } => {
                self.stranger_answered(row, epoch, bus);
            }
            Action::Destination { destination: DestinationRef::Draining(row), epoch, change } => {
                if let Some(service) = self.drain_answered(now, row, (change, epoch), result, bus) {
                    self.audit.removed(Dump::Destinations(service));
                }
            }
            Action::Daemon { epoch, role, change } => {
                let settled = self.daemon_answered(now, role, (change, epoch), result, bus);
                climb_later(now, settled, bus);
            }
            Action::SendAdvert { .. }
            | Action::Announce { .. }
            | Action::OpenSocket { .. }
            | Action::CloseSocket { .. }
            | Action::AddAddress { .. }
            | Action::RemoveAddress { .. }
            | Action::Routing { .. }
            | Action::Dump { .. }
            | Action::Probe { .. }
            | Action::Filter { .. }
            | Action::Firewall { .. }
            | Action::AbortProbe { .. } => debug_assert!(false, "{action:?} is not of IPVS"),
        }
    }

    fn found(&mut self, now: Instant, epoch: Epoch, result: Result<(), Errno>, bus: &mut Bus) {
        if self.availability != Availability::Asking(epoch) {
            bus.stale_total += 1;
            return;
        }
        match result {
            Ok(()) => {
                bus.record(now, Reason::IpvsFound);
                self.absence_told = false;
                let first = if core::mem::take(&mut self.flush) { Setup::Flush } else { Setup::Timeouts };
                self.availability = Availability::Present(first);
                // Another kernel module, another chance.
                self.services.mark_all();
                self.destinations.mark_all();
            }
            Err(errno) => self.lose(now, errno, bus),
        }
    }

    /// There is no IPVS, or not any more. Said once; asked for again and again.
    pub(super) fn lose(&mut self, now: Instant, errno: Errno, bus: &mut Bus) {
        if !core::mem::replace(&mut self.absence_told, true) {
            bus.record(now, Reason::IpvsAbsent(errno));
        }
        self.availability = Availability::Absent(errno);
        bus.set(Timer::IpvsAudit, now + FIND_INTERVAL);
    }

    fn set_up(&mut self, now: Instant, epoch: Epoch, result: Result<(), Errno>, bus: &mut Bus) {
        let Availability::Present(Setup::Asked(asked, next)) = self.availability else {
            bus.stale_total += 1;
            return;
        };
        if asked != epoch {
            bus.stale_total += 1;
            return;
        }
        if result == Err(Errno::LOST) {
            self.availability = Availability::Present(match next {
                Next::Timeouts => Setup::Flush,
                Next::SetTimeouts => Setup::Timeouts,
                Next::Done => Setup::SetTimeouts,
            });
            return;
        }
        match result {
            Err(errno) => bus.record(now, Reason::IpvsSetupFailed(errno)),
            Ok(()) if next == Next::Timeouts => self.flushed(),
            Ok(()) => {}
        }
        self.availability = Availability::Present(match next {
            Next::Timeouts => Setup::Timeouts,
            Next::SetTimeouts => Setup::SetTimeouts,
            Next::Done => Setup::Done,
        });
        if next == Next::Done {
            self.audit.begin();
        }
    }

    /// The table is empty.
    fn flushed(&mut self) {
        self.service_mirror.fill(None);
        self.destination_mirror.fill(None);
    }

    fn service_answered(
        &mut self,
        now: Instant,
        service: ServiceRef,
        (change, epoch): (Change, Epoch),
        result: Result<(), Errno>,
        config: &Config,
        bus: &mut Bus,
    ) {
        let (row, id) = match service {
            ServiceRef::Configured(id) => (id.index(), Some(id)),
            ServiceRef::Retired(row) => (config.services.len() + row as usize, None),
        };
        if (change, result) == (Change::Remove, Ok(())) {
            self.audit.removed(Dump::Services);
        }
        let asked = self.service_mirror.get(row).copied().flatten();
        let (outcome, mirror) = match (change, result) {
            (Change::Remove, Ok(()) | Err(Errno::ESRCH)) => (Ok(()), None),
            (Change::Add | Change::Set, Ok(())) => (Ok(()), asked),
            // Carried out or not: as long as nobody knows it counts as there, since what is forgotten is never removed.
            (_, Err(Errno::LOST)) => (Ok(()), asked.map(unlike)),
            // There already, in what shape the next comparison shows: a changed spec, then a dump of its destinations.
            (Change::Add, Err(Errno::EEXIST)) => (Ok(()), asked.map(unlike)),
            (Change::Set, Err(Errno::ESRCH)) => (Ok(()), None),
            (Change::Add, Err(errno)) => (Err((errno, gravity(errno))), None),
            (Change::Set | Change::Remove, Err(errno)) => (Err((errno, gravity(errno))), asked.map(unlike)),
        };
        let settled = self.services.answered(row, epoch, outcome);
        if settled == Settled::Stale {
            bus.stale_total += 1;
            return;
        }
        if let Some(known) = self.service_mirror.get_mut(row) {
            *known = mirror;
        }
        if let (Err((errno, _)), Some(id)) = (outcome, id) {
            bus.record(now, Reason::ServiceFailed(id, change, errno));
        }
        let retired = row.checked_sub(config.services.len()).and_then(|row| self.retired.get(row));
        let is_told =
            |key: &ServiceKey| !matches!(key, ServiceKey::Mark { mark, .. } if is_reserved(mark.get()));
        if retired.is_some_and(is_told) && settled == Settled::Done && mirror.is_none() {
            bus.record(now, Reason::ServiceRetired);
        }
        climb_later(now, settled, bus);
        if let Some(id) = id {
            self.service_settled(id, (change, mirror.is_some()), config);
            // Asked for before the stop that keeps the others: only now is it known that it is to go.
            if self.keep && mirror.is_some() && config.is_hidden(id) {
                self.services.removals.insert(row);
            }
            if result == Err(Errno::EEXIST) {
                self.audit.begin();
            }
        }
    }

    /// A service came or went: its destinations follow.
    pub(super) fn service_settled(
        &mut self,
        id: ServiceId,
        (change, there): (Change, bool),
        config: &Config,
    ) {
        for row in config.services.get(id.index()).map(|one| one.destinations.rows()).unwrap_or_default() {
            if !there && let Some(mirror) = self.destination_mirror.get_mut(row) {
                *mirror = None;
                self.destinations.touch(row);
            }
            if there && change == Change::Add {
                self.destinations.release(row);
            }
            self.destinations.mark(row);
        }
    }

    fn destination_answered(
        &mut self,
        now: Instant,
        id: DestinationId,
        (change, epoch): (Change, Epoch),
        result: Result<(), Errno>,
        config: &Config,
        bus: &mut Bus,
    ) {
        let row = id.index();
        let asked = self.destination_mirror.get(row).copied().flatten();
        let unknown = asked.map(|spec| DestinationSpec { weight: UNKNOWN_WEIGHT, ..spec });
        let (outcome, mirror) = match (change, result) {
            (Change::Remove, Ok(()) | Err(Errno::ENOENT | Errno::ESRCH)) => (Ok(()), None),
            (Change::Add | Change::Set, Ok(())) => (Ok(()), asked),
            (_, Err(Errno::LOST)) => (Ok(()), unknown),
            (Change::Add, Err(Errno::EEXIST)) => (Ok(()), unknown),
            (Change::Set, Err(Errno::ENOENT)) => (Ok(()), None),
            (Change::Add, Err(errno)) => (Err((errno, gravity(errno))), None),
            (Change::Set | Change::Remove, Err(errno)) => (Err((errno, gravity(errno))), unknown),
        };
        let service = config.destinations.get(row).map(|one| one.service);
        if let (Change::Remove, Ok(()), Some(service)) = (change, result, service) {
            self.audit.removed(Dump::Destinations(service));
        }
        let settled = self.destinations.answered(row, epoch, outcome);
        if settled == Settled::Stale {
            bus.stale_total += 1;
            return;
        }
        if let Some(known) = self.destination_mirror.get_mut(row) {
            *known = mirror;
        }
        climb_later(now, settled, bus);
        let Err((errno, _)) = outcome else { return };
        let service_there = service.and_then(|id| self.service(id)).is_some();
        if errno != Errno::ESRCH {
            bus.record(now, Reason::DestinationFailed(id, change, errno));
        } else if service_there {
            // The service went away under us: look.
            self.audit.begin();
        }
    }

    fn stranger_answered(&mut self, row: u16, epoch: Epoch, bus: &mut Bus) {
        if epoch != bus.epoch {
            bus.stale_total += 1;
            return;
        }
        if let Some(stranger) = self.strangers.get(usize::from(row)) {
            self.audit.removed(Dump::Destinations(stranger.service));
        }
        self.strangers_answered += 1;
        if self.strangers_answered >= self.strangers.len() {
            self.strangers.clear();
            (self.strangers_asked, self.strangers_answered) = (0, 0);
        }
    }

    /// The timer of a rung fired.
    pub(crate) fn climb(&mut self, rung: u8) {
        self.daemons.ledger.climb(rung);
        self.services.climb(rung);
        self.destinations.climb(rung);
    }
}

fn climb_later(now: Instant, settled: Settled, bus: &mut Bus) {
    if let Settled::Waiting(rung) = settled {
        bus.set_if_idle(Timer::IpvsRung(rung), now + rung_delay(rung));
    }
}

/// A spec that differs from `spec`, so that the next comparison sets it.
pub(super) fn unlike(spec: ServiceSpec) -> ServiceSpec {
    ServiceSpec { flags: !spec.flags, ..spec }
}

/// An unknown scheduler (ENOENT), nonsense and missing rights do not pass by themselves.
fn gravity(errno: Errno) -> Gravity {
    match errno {
        Errno::EPERM
        | Errno::EACCES
        | Errno::EINVAL
        | Errno::ENOENT
        | Errno::EOPNOTSUPP
        | Errno::EAFNOSUPPORT => Gravity::Permanent,
        _ => Gravity::Transient,
    }
}
