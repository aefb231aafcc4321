//! The comparison with the kernel's table: all services, then the destinations of each service, one dump at a time.

use super::hidden::is_about_hidden;
use super::{Availability, IpvsPlan, Setup, Stranger};
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::director::action::{Action, Change, Dump, Epoch};
use crate::director::bus::{Bus, Timer};
use crate::director::event::{DumpError, Errno};
use crate::director::journal::{Family, Reason};
use crate::director::ledger::{Permit, Stage};
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::{DestinationEntry, ServiceEntry};

/// From the end of one pass to the start of the next, at least.
const INTERVAL: Duration = Duration::from_secs(5);
/// A large table takes longer to list: at least so many times what the pass took lie between it and the next, so that
/// the comparison takes a hundredth of the time at most.
const REST: u64 = 99;
/// And at most this.
const LONGEST: Duration = Duration::from_secs(300);
/// After a dump that failed.
const RETRY: Duration = Duration::from_secs(1);

/// How far the running pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Progress {
    /// No pass is running.
    #[default]
    Idle,
    /// The sync daemons are to be dumped, if they concern us.
    Daemons,
    /// The services are to be dumped.
    Services,
    /// The destinations of this service, or the next one that is there, are to be dumped.
    Destinations(usize),
}

/// One pass after another.
#[derive(Debug, Default)]
pub(super) struct Audit {
    progress: Progress,
    /// The dump under way.
    asked: Option<(Epoch, Dump)>,
    /// Something of what is being dumped was removed by us. Between the parts of a dump the kernel finds its place by
    /// count (`ip_vs_genl_dump_services`, `ip_vs_genl_dump_dests`): it passed over as many others.
    disturbed: bool,
    /// A whole pass has ended: from now on a difference is drift.
    passed: bool,
    /// Drift was found in this pass; one pass counts as one repair.
    permit: Option<Permit>,
    /// The last dump failed and was reported.
    failed: bool,
    stopped: bool,
    /// When the running pass began.
    began: Instant,
}

impl Audit {
    /// Starts a pass unless one is running.
    pub(super) fn begin(&mut self) {
        if self.progress == Progress::Idle && !self.stopped {
            (self.progress, self.permit) = (Progress::Daemons, None);
        }
    }

    /// The table has never been listed as a whole: nothing is to be changed before.
    pub(super) fn first_pass_pending(&self) -> bool {
        !self.passed
    }

    /// True if a dump waits to be asked for.
    pub(super) fn wants_dump(&self) -> bool {
        self.progress != Progress::Idle && self.asked.is_none() && !self.stopped
    }

    /// We removed one of the entries that `what` lists.
    pub(super) fn removed(&mut self, what: Dump) {
        self.disturbed |= self.asked.is_some_and(|(_, asked)| asked == what);
    }

    /// After a reload: what was listed stays known, and a new pass begins unless one is `planned`.
    pub(super) fn resume(&mut self, old: &Self, planned: bool) {
        self.passed = old.passed;
        if !(planned && old.passed && old.progress == Progress::Idle) {
            self.begin();
        }
    }

    /// The box stops: the mirror is what counts.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }
}

/// The time to the next pass after one that took `pass`.
fn pause(pass: Duration) -> Duration {
    pass.times(REST).clamp(INTERVAL, LONGEST)
}

impl IpvsPlan {
    /// The next dump of the running pass.
    pub(super) fn poll_audit(&mut self, now: Instant, config: &Config, bus: &mut Bus) -> Option<Action> {
        if !self.audit.wants_dump() {
            return None;
        }
        let what = match self.audit.progress {
            Progress::Idle => return None,
            Progress::Daemons if self.daemons.concern_us() => {
                self.daemons.ledger.begin_dump(0..self.daemons.ledger.len());
                Dump::Daemons
            }
            Progress::Daemons | Progress::Services => {
                self.audit.progress = Progress::Services;
                self.audit.began = now;
                self.services.begin_dump(0..self.services.len());
                Dump::Services
            }
            Progress::Destinations(from) => {
                let there = |row: &usize| self.service_mirror.get(*row).is_some_and(Option::is_some);
                let Some(row) = (from..config.services.len()).find(there) else {
                    self.audit.progress = Progress::Idle;
                    self.end_pass();
                    bus.set(Timer::IpvsAudit, now + pause(now.since(self.audit.began)));
                    return None;
                };
                self.audit.progress = Progress::Destinations(row);
                let rows = config.services.get(row).map(|one| one.destinations.rows()).unwrap_or_default();
                self.destinations.begin_dump(rows);
                self.drain.begin_listing();
                Dump::Destinations(ServiceId::from_index(row))
            }
        };
        (self.audit.asked, self.audit.disturbed) = (Some((bus.epoch, what)), false);
        Some(Action::Dump { epoch: bus.epoch, what })
    }

    /// A whole pass ended. At the first one everything is compared; later only what differs.
    fn end_pass(&mut self) {
        if !core::mem::replace(&mut self.audit.passed, true) {
            (0..self.services.len()).for_each(|row| self.services.mark(row));
            (0..self.destinations.len()).for_each(|row| self.destinations.mark(row));
            (0..self.daemons.ledger.len()).for_each(|row| self.daemons.ledger.mark(row));
        }
    }

    /// A dump shows a service.
    pub(crate) fn handle_service(
        &mut self,
        now: Instant,
        entry: &ServiceEntry,
        config: &Config,
        bus: &mut Bus,
    ) {
        let row = match self.find_service(&entry.key, config) {
            Some(id) => id.index(),
            // Not ours, unless a reload left it behind.
            None => match self.retired.iter().position(|key| *key == entry.key) {
                Some(retired) => config.services.len() + retired,
                None => return,
            },
        };
        if !self.services.see(row) || matches!(self.services.stage(row), Stage::InFlight(_)) {
            return;
        }
        let Some(known) = self.service_mirror.get_mut(row).filter(|known| **known != Some(entry.spec)) else {
            return;
        };
        let before = known.replace(entry.spec);
        if self.audit.passed && row < config.services.len() && before.is_some() {
            let id = ServiceId::from_index(row);
            self.drift(now, Reason::ServiceDiffers(id), config, bus);
        }
        if before.is_none() && row < config.services.len() {
            // Somebody else added it: its destinations have waited for it.
            self.service_settled(ServiceId::from_index(row), (Change::Add, true), config);
        }
        self.allow(row, None);
    }

    /// A dump of the running service shows a destination.
    pub(crate) fn handle_destination(
        &mut self,
        now: Instant,
        entry: &DestinationEntry,
        config: &Config,
        bus: &mut Bus,
    ) {
        let Some((_, Dump::Destinations(service))) = self.audit.asked else { return };
        let Some(row) = self.find_destination((service, entry.key), config).map(Id::index) else {
            if !self.drain.see(service, entry) {
                self.handle_stranger(now, (service, entry), config, bus);
            }
            return;
        };
        if !self.destinations.see(row) || matches!(self.destinations.stage(row), Stage::InFlight(_)) {
            return;
        }
        let Some(known) = self.destination_mirror.get_mut(row).filter(|known| **known != Some(entry.spec))
        else {
            return;
        };
        let before = known.replace(entry.spec);
        if self.audit.passed && before.is_some() {
            let id = DestinationId::from_index(row);
            self.drift(now, Reason::DestinationDiffers(id, entry.spec.weight), config, bus);
        }
        self.allow(row, Some(()));
    }

    fn handle_stranger(
        &mut self,
        now: Instant,
        (service, entry): (ServiceId, &DestinationEntry),
        config: &Config,
        bus: &mut Bus,
    ) {
        let stranger = Stranger { service, key: entry.key };
        let known = |one: &Stranger| (one.service, one.key) == (stranger.service, stranger.key);
        if self.stopping
            || self.strangers.len() == self.strangers.capacity()
            || self.strangers.iter().any(known)
        {
            return;
        }
        self.drift(now, Reason::DestinationStrange(service, entry.key), config, bus);
        if self.audit.permit == Some(Permit::Granted) {
            self.strangers.push(stranger);
        }
    }

    /// Drift: recorded, counted, and repaired if repairs are allowed. A whole pass counts as one repair.
    pub(super) fn drift(&mut self, now: Instant, reason: Reason, config: &Config, bus: &mut Bus) {
        if self.audit.permit.is_none() {
            self.repairs_total += 1;
            self.lapse(now);
            let permit = self.limit.ask(now, 0);
            if let Permit::Refused { first: true, .. } = permit {
                bus.record(now, Reason::RepairsHeld(Family::Ipvs));
            }
            self.audit.permit = Some(permit);
        }
        if !is_about_hidden(reason, config) {
            bus.record(now, reason);
        }
    }

    /// Marks a row for comparison if repairs are allowed in this pass; `destination` tells which table.
    fn allow(&mut self, row: usize, destination: Option<()>) {
        if matches!(self.audit.permit, None | Some(Permit::Granted)) {
            match destination {
                None => self.services.mark(row),
                Some(()) => self.destinations.mark(row),
            }
        }
    }

    /// The same for a sync daemon.
    pub(super) fn allow_daemon(&mut self, row: usize) {
        if matches!(self.audit.permit, None | Some(Permit::Granted)) {
            self.daemons.ledger.mark(row);
        }
    }

    /// A dump ended.
    pub(crate) fn handle_dumped(
        &mut self,
        now: Instant,
        (epoch, what): (Epoch, Dump),
        result: Result<(), DumpError>,
        config: &Config,
        bus: &mut Bus,
    ) {
        if self.audit.asked != Some((epoch, what)) {
            bus.stale_total += 1;
            return;
        }
        self.audit.asked = None;
        if let Err(error) = result {
            if !core::mem::replace(&mut self.audit.failed, true) {
                bus.record(now, Reason::DumpFailed(Family::Ipvs, error));
            }
            self.audit.progress = Progress::Idle;
            match error {
                DumpError::Failed(errno @ (Errno::ENOENT | Errno::EOPNOTSUPP)) => self.lose(now, errno, bus),
                DumpError::Failed(_) | DumpError::Interrupted => bus.set(Timer::IpvsAudit, now + RETRY),
            }
            return;
        }
        self.audit.failed = false;
        if self.audit.disturbed {
            // What it did not show may be there all the same.
            self.audit.progress = Progress::Idle;
            bus.set(Timer::IpvsAudit, now + RETRY);
            return;
        }
        match what {
            Dump::Daemons => {
                self.end_daemons(now, config, bus);
                self.audit.progress = Progress::Services;
            }
            Dump::Services => self.end_services(now, config, bus),
            Dump::Destinations(service) => self.end_destinations(now, service, config, bus),
            Dump::Links | Dump::Addresses | Dump::Routes | Dump::Rules => {}
        }
    }

    fn end_services(&mut self, now: Instant, config: &Config, bus: &mut Bus) {
        for row in 0..self.services.len() {
            let there = self.service_mirror.get(row).is_some_and(Option::is_some);
            if there && self.services.proven_absent(row) {
                if let Some(mirror) = self.service_mirror.get_mut(row) {
                    *mirror = None;
                }
                if row < config.services.len() {
                    let id = ServiceId::from_index(row);
                    if self.audit.passed {
                        self.drift(now, Reason::ServiceMissing(id), config, bus);
                    }
                    self.service_settled(id, (Change::Remove, false), config);
                }
            }
            let gone = there && self.services.proven_absent(row);
            if gone || row >= config.services.len() {
                self.allow(row, None);
            }
        }
        self.audit.progress = Progress::Destinations(0);
        if self.availability != Availability::Present(Setup::Done) {
            self.audit.progress = Progress::Idle;
        }
    }

    fn end_destinations(&mut self, now: Instant, service: ServiceId, config: &Config, bus: &mut Bus) {
        for row in config.services.get(service.index()).map(|one| one.destinations.rows()).unwrap_or_default()
        {
            let there = self.destination_mirror.get(row).is_some_and(Option::is_some);
            if there && self.destinations.proven_absent(row) {
                if let Some(mirror) = self.destination_mirror.get_mut(row) {
                    *mirror = None;
                }
                if self.audit.passed {
                    self.drift(now, Reason::DestinationMissing(DestinationId::from_index(row)), config, bus);
                }
                self.allow(row, Some(()));
            }
        }
        self.drain.end_listing(service);
        self.audit.progress = Progress::Destinations(service.index() + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_stretches_with_the_table_so_that_a_hundredth_of_the_time_is_spent_on_it() {
        // A dump takes about 50 us of the kernel's and our time; a pass is one for the services and one for each.
        for (services, seconds) in [(0, 5), (1, 5), (100, 5), (1_024, 5), (4_096, 20)] {
            let pass = Duration::from_micros(50).times(services + 1);
            assert_eq!(pause(pass).as_secs(), seconds, "{services} services");
        }
        let busy = Duration::from_secs(1);
        assert!(busy.times(100) <= pause(busy) + busy, "1 % at most");
        assert_eq!(pause(Duration::from_secs(60)), LONGEST, "a change by hand is found some time");
    }
}
