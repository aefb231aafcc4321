//! The comparison with the kernel's interfaces and addresses: at the start, after an overrun, and now and then.

use super::action::{Action, Dump, Epoch};
use super::bus::{Bus, Timer};
use super::event::DumpError;
use super::journal::{Family, Reason};
use crate::time::{Duration, Instant};

/// After a dump that failed or was interrupted.
const RETRY: Duration = Duration::from_secs(1);

/// How far the running survey is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Idle,
    Wanted(Dump),
    Asked(Epoch, Dump),
}

/// Interfaces first, then addresses, then routes and rules if there are any to be compared.
#[derive(Debug)]
pub(crate) struct Survey {
    progress: Progress,
    /// What the running dump shows may be old: once it has ended, all begins anew. There is never more than one dump
    /// under way, since nobody could tell their rows apart. Routes and rules count nevertheless and the survey goes on
    /// to its end first: where a routing daemon changes a large table all the time, each of its dumps is old by its
    /// end.
    again: bool,
    /// This survey was interrupted and begun anew at once: our own requests may do that, as when a start finds
    /// addresses that a predecessor left behind, and no instance takes part before the survey is whole.
    interrupted: bool,
    /// The last dump failed and was reported.
    failed: bool,
    /// There are routes or rules to be compared.
    routing: bool,
    /// One survey was whole: what a predecessor left is known.
    whole: bool,
}

impl Survey {
    /// A survey that is about to begin.
    pub(crate) fn new(routing: bool) -> Self {
        let progress = Progress::Wanted(Dump::Links);
        Self { progress, again: false, interrupted: false, failed: false, routing, whole: false }
    }

    /// True when the kernel was listed as a whole once, by this configuration or one that it took over from.
    pub(crate) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes over that the kernel was listed: what an earlier configuration left is known by the plans.
    pub(crate) const fn adopt(&mut self, old: &Self) {
        self.whole = old.whole;
    }

    /// Begins a survey; one that is running begins anew, since what it saw may be old.
    pub(crate) fn begin(&mut self) {
        match self.progress {
            Progress::Asked(..) => self.again = true,
            Progress::Idle | Progress::Wanted(_) => self.progress = Progress::Wanted(Dump::Links),
        }
    }

    /// The next dump.
    pub(crate) fn poll(&mut self, bus: &Bus) -> Option<(Action, Dump)> {
        let Progress::Wanted(what) = self.progress else { return None };
        self.progress = Progress::Asked(bus.epoch, what);
        Some((Action::Dump { epoch: bus.epoch, what }, what))
    }

    /// True if a dump waits to be asked for.
    pub(crate) fn has_work(&self) -> bool {
        matches!(self.progress, Progress::Wanted(_))
    }

    /// A dump ended: true if it is the one asked for, and whole.
    pub(crate) fn handle_dumped(
        &mut self,
        now: Instant,
        (epoch, what): (Epoch, Dump),
        result: Result<(), DumpError>,
        bus: &mut Bus,
    ) -> bool {
        if self.progress != Progress::Asked(epoch, what) {
            bus.stale_total += 1;
            return false;
        }
        if !matches!(what, Dump::Routes | Dump::Rules) && core::mem::take(&mut self.again) {
            self.progress = Progress::Wanted(Dump::Links);
            return false;
        }
        if result == Err(DumpError::Interrupted) && !core::mem::replace(&mut self.interrupted, true) {
            self.progress = Progress::Wanted(Dump::Links);
            return false;
        }
        if let Err(error) = result {
            let family = match what {
                Dump::Links => Family::Links,
                Dump::Routes | Dump::Rules => Family::Routes,
                Dump::Addresses | Dump::Services | Dump::Destinations(_) | Dump::Daemons => Family::Addresses,
            };
            if !core::mem::replace(&mut self.failed, true) {
                bus.record(now, Reason::DumpFailed(family, error));
            }
            (self.progress, self.again) = (Progress::Idle, false);
            bus.set_no_later(Timer::RouteAudit, now + RETRY);
            return false;
        }
        self.failed = false;
        self.progress = match what {
            Dump::Links => Progress::Wanted(Dump::Addresses),
            Dump::Addresses if self.routing => Progress::Wanted(Dump::Routes),
            Dump::Routes => Progress::Wanted(Dump::Rules),
            Dump::Addresses | Dump::Rules | Dump::Services | Dump::Destinations(_) | Dump::Daemons => {
                Progress::Idle
            }
        };
        let ended = self.progress == Progress::Idle;
        self.interrupted &= !ended;
        self.whole |= ended;
        if ended && core::mem::take(&mut self.again) {
            self.progress = Progress::Wanted(Dump::Links);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    /// A routing daemon that changes a large table: notifications are lost during each of the dumps.
    #[test]
    fn a_survey_comes_to_its_end_although_every_dump_of_routes_is_old_by_its_own() {
        let config = load("", "t").config.unwrap();
        let mut bus = Bus::new(&config, Epoch(1));
        let mut survey = Survey::new(true);
        let mut seen = Vec::new();
        for _ in 0..8 {
            let (action, what) = survey.poll(&bus).unwrap();
            assert_eq!(action, Action::Dump { epoch: Epoch(1), what });
            if what == Dump::Routes {
                survey.begin();
            }
            let counts = survey.handle_dumped(Instant::ZERO, (Epoch(1), what), Ok(()), &mut bus);
            seen.push((what, counts));
        }
        let once = [Dump::Links, Dump::Addresses, Dump::Routes, Dump::Rules].map(|what| (what, true));
        assert_eq!(seen, [once, once].concat());
        assert!(survey.is_whole());
        assert_eq!(
            survey.poll(&bus).map(|(_, what)| what),
            Some(Dump::Links),
            "what was lost is listed at once"
        );
        survey.begin();
        let done = (Epoch(1), Dump::Links);
        assert!(
            !survey.handle_dumped(Instant::ZERO, done, Ok(()), &mut bus),
            "a list of interfaces is not believed"
        );
    }
}
