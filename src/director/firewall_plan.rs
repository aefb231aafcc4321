//! `firewall`: which of its parts shall be in the kernel, which are, and the transactions that close the gap.
//!
//! Each part ([`Part`]) is a table of its own, made or replaced in one transaction: what one of them lacks in this
//! kernel does not concern the others. An error is tried again, slower each time, and at once when the configuration
//! changes. Without rules nothing is ever sent.

use super::action::{Action, Epoch, FilterStep};
use super::bus::{Bus, RUNGS, Timer};
use super::event::{Errno, Firewalled};
use super::journal::{Family, Reason};
use super::ledger::{Permit, RepairLimit, rung_delay};
use crate::config::Config;
use crate::time::{Duration, Instant};
use crate::wire::nftables::firewall::{Counter, Part, PartSeen};

/// How often the kernel is asked whether anybody changed nf_tables: one number.
const AUDIT_INTERVAL: Duration = Duration::from_secs(5);
/// At a stop a table that cannot be removed is tried again so often, and so soon.
pub(super) const LAST_TRIES: u8 = 5;
/// See [`LAST_TRIES`].
pub(super) const LAST_WAIT: Duration = Duration::from_millis(100);

/// A part's table in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// None of ours.
    Absent,
    /// Not known, or not as it should be.
    Unsure,
    /// As we made it.
    Built,
}

/// A part.
#[derive(Debug, Clone, Copy)]
struct State {
    /// The configuration has rules for it.
    wanted: bool,
    table: Table,
    /// An error; tried again then.
    retry_at: Option<Instant>,
    rung: u8,
    error: Option<Errno>,
    /// The table as the kernel showed it after we made it.
    digest: Option<u64>,
    /// A look at it is due.
    verify: bool,
    /// The kernel took it from us, and has not said since that it is gone.
    made: bool,
    /// Tries to remove it at the stop that failed.
    tries: u8,
}

/// The tables of `firewall`.
#[derive(Debug)]
pub struct FirewallPlan {
    parts: [State; Part::ALL.len()],
    /// By rule of the configuration, as of the last look.
    counters: Box<[Counter]>,
    in_flight: Option<(Epoch, Part, FilterStep)>,
    /// Changes of nf_tables as of the last look; `None`: not known.
    generation: Option<u32>,
    look: bool,
    audit_at: Instant,
    limit: RepairLimit,
    stopping: bool,
}

impl FirewallPlan {
    /// A plan for `config`.
    pub(crate) fn new(config: &Config) -> Self {
        let parts = Part::ALL.map(|part| {
            let wanted = config.firewall.iter().any(|rule| rule.part() == part);
            let table = if wanted { Table::Unsure } else { Table::Absent };
            let (retry_at, error, digest) = (None, None, None);
            State { wanted, table, retry_at, rung: 0, error, digest, verify: false, made: false, tries: 0 }
        });
        Self {
            parts,
            counters: vec![Counter::default(); config.firewall.len()].into_boxed_slice(),
            in_flight: None,
            generation: None,
            look: false,
            audit_at: Instant::ZERO,
            limit: RepairLimit::new(Part::ALL.len()),
            stopping: false,
        }
    }

    fn state(&self, part: Part) -> &State {
        let [mark, masquerade, redirect] = &self.parts;
        match part {
            Part::Mark => mark,
            Part::Masquerade => masquerade,
            Part::Redirect => redirect,
        }
    }

    fn state_mut(&mut self, part: Part) -> &mut State {
        let [mark, masquerade, redirect] = &mut self.parts;
        match part {
            Part::Mark => mark,
            Part::Masquerade => masquerade,
            Part::Redirect => redirect,
        }
    }

    /// Why the kernel does not have a part as it should be.
    pub fn error(&self, part: Part) -> Option<Errno> {
        self.state(part).error
    }

    /// True if a part's rules are in force.
    pub fn is_built(&self, part: Part) -> bool {
        self.state(part).table == Table::Built
    }

    /// What a rule of the configuration has met, as of the last look.
    pub fn counter(&self, row: usize) -> Counter {
        self.counters.get(row).copied().unwrap_or_default()
    }

    /// True while repairs are held because somebody keeps changing a table.
    pub fn repairs_held(&self) -> bool {
        self.limit.is_held()
    }

    fn wish(&self, state: &State) -> bool {
        state.wanted && !self.stopping
    }

    /// The next request to the kernel.
    pub(crate) fn poll(&mut self, bus: &Bus) -> Option<Action> {
        let (part, step) = self.next_step()?;
        let epoch = bus.epoch;
        self.in_flight = Some((epoch, part, step));
        if step == FilterStep::Look {
            self.look = false;
        }
        self.state_mut(part).verify &= step != FilterStep::Verify;
        Some(Action::Firewall { epoch, part, step })
    }

    fn next_step(&self) -> Option<(Part, FilterStep)> {
        if self.in_flight.is_some() {
            return None;
        }
        let mut ready = Part::ALL.into_iter().filter(|part| self.state(*part).retry_at.is_none());
        let step = ready.find_map(|part| {
            let state = self.state(part);
            let step = match (self.wish(state), state.table) {
                (true, Table::Built) if state.verify => FilterStep::Verify,
                (true, Table::Built) | (false, Table::Absent) => return None,
                (true, Table::Absent | Table::Unsure) => FilterStep::Build,
                (false, Table::Built | Table::Unsure) => FilterStep::Remove,
            };
            Some((part, step))
        });
        step.or_else(|| self.look.then_some((Part::Mark, FilterStep::Look)))
    }

    /// What the kernel shows of nf_tables.
    pub(crate) fn handle_firewalled(
        &mut self,
        now: Instant,
        what: Firewalled<'_>,
        config: &Config,
        bus: &mut Bus,
    ) {
        match what {
            Firewalled::Generation(seen) => self.handle_generation(seen),
            Firewalled::Seen(part, seen) => self.handle_seen(now, (part, seen), config, bus),
        }
    }

    /// How often nf_tables was changed by anybody.
    fn handle_generation(&mut self, seen: u32) {
        if self.generation.replace(seen) != Some(seen) {
            self.parts.iter_mut().for_each(|state| state.verify = true);
        }
    }

    /// What a look at a part's table showed. The answer to its action comes behind it; a look may also be somebody's at
    /// the console.
    fn handle_seen(&mut self, now: Instant, (part, seen): (Part, &PartSeen), config: &Config, bus: &mut Bus) {
        let state = self.state_mut(part);
        if state.table != Table::Built {
            return;
        }
        if *state.digest.get_or_insert(seen.digest) != seen.digest {
            return self.repair(now, part, bus);
        }
        let rules = config.firewall.iter().zip(&mut self.counters).filter(|(rule, _)| rule.part() == part);
        for ((_, counter), seen) in rules.zip(&seen.counters) {
            *counter = *seen;
        }
    }

    /// Somebody changed a table: it is made again, in one piece.
    fn repair(&mut self, now: Instant, part: Part, bus: &mut Bus) {
        self.limit.lapse(now);
        match self.limit.ask(now, part as usize) {
            Permit::Granted => {
                bus.record(now, Reason::FirewallDiffers(part));
                self.state_mut(part).table = Table::Unsure;
            }
            // The next look finds it again; it is not said at each.
            Permit::Refused { first, .. } => {
                self.generation = None;
                if first {
                    bus.record(now, Reason::FirewallDiffers(part));
                    bus.record(now, Reason::RepairsHeld(Family::Filter));
                }
            }
        }
    }

    /// The kernel answered.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        (epoch, part, step): (Epoch, Part, FilterStep),
        result: Result<(), Errno>,
        bus: &mut Bus,
    ) {
        if self.in_flight != Some((epoch, part, step)) {
            bus.stale_total += 1;
            return;
        }
        self.in_flight = None;
        let state = self.state_mut(part);
        match (step, result) {
            (FilterStep::Build, Ok(())) => {
                (state.table, state.digest, state.verify) = (Table::Built, None, true);
                (state.made, state.rung) = (true, 0);
                if state.error.take().is_some() {
                    bus.record(now, Reason::FirewallBuilt(part));
                }
            }
            (FilterStep::Remove, Ok(())) => {
                (state.table, state.error, state.rung, state.made) = (Table::Absent, None, 0, false);
            }
            // A kernel that never took the table need not remove it.
            (FilterStep::Remove, Err(_)) if !state.made => {
                (state.table, state.error, state.rung) = (Table::Absent, None, 0);
            }
            (FilterStep::Build | FilterStep::Remove | FilterStep::Change, Err(errno)) => {
                // Without an answer it may have been made.
                state.made |= step == FilterStep::Build && errno == Errno::LOST;
                self.failed(now, part, errno, bus);
            }
            (FilterStep::Verify, Err(Errno::ENOENT)) => self.repair(now, part, bus),
            // Asked again at the next look.
            (FilterStep::Verify | FilterStep::Look, Err(_)) => self.generation = None,
            (FilterStep::Verify | FilterStep::Look | FilterStep::Change, Ok(())) => {}
        }
        self.arm(now, bus);
    }

    fn failed(&mut self, now: Instant, part: Part, errno: Errno, bus: &mut Bus) {
        let stopping = self.stopping;
        let state = self.state_mut(part);
        if stopping {
            state.tries += 1;
            if state.tries == LAST_TRIES && state.made {
                bus.record(now, Reason::TableLeft(part.table(), errno));
            }
            state.retry_at = Some(now + LAST_WAIT);
            return;
        }
        if state.error.replace(errno) != Some(errno) {
            bus.record(now, Reason::FirewallFailed(part, errno));
        }
        state.retry_at = Some(now + rung_delay(state.rung));
        state.rung = (state.rung + 1).min(RUNGS - 1);
    }

    /// Sets the timer to what comes first.
    fn arm(&mut self, now: Instant, bus: &mut Bus) {
        let retries = self.parts.iter().filter_map(|state| state.retry_at).min();
        let audit = self.parts.iter().any(|state| state.table == Table::Built).then(|| {
            if self.audit_at < now {
                self.audit_at = now + AUDIT_INTERVAL;
            }
            self.audit_at
        });
        match retries.into_iter().chain(audit).min() {
            Some(at) => bus.set(Timer::Firewall, at),
            None => bus.cancel(Timer::Firewall),
        }
    }

    /// The timer fired: what failed is tried again, and what is there is looked at.
    pub(crate) fn handle_timer(&mut self, now: Instant, bus: &mut Bus) {
        for state in &mut self.parts {
            if state.retry_at.is_some_and(|at| at <= now) && state.tries < LAST_TRIES {
                state.retry_at = None;
            }
        }
        if self.audit_at <= now && !self.stopping {
            self.look = true;
            self.audit_at = now + AUDIT_INTERVAL;
        }
        // What was given up at the stop has no timer any more.
        if self.parts.iter().all(|state| state.tries < LAST_TRIES) {
            self.arm(now, bus);
        }
    }

    /// The box stops: the tables go, unless what they serve stays.
    pub(crate) fn stop(&mut self, keep: bool) {
        self.look = false;
        if !keep {
            self.stopping = true;
            self.parts.iter_mut().for_each(|state| state.retry_at = None);
        }
    }

    /// True if a request may be waiting to be made.
    pub(crate) fn has_work(&self) -> bool {
        self.next_step().is_some()
    }

    /// True if everything is as wished or cannot be for now.
    pub(crate) fn is_done(&self) -> bool {
        let gone = |state: &State| state.table == Table::Absent || state.tries >= LAST_TRIES;
        !self.stopping || self.parts.iter().all(gone)
    }

    /// Takes over the tables. Those whose rules are others now are made again in place.
    pub(crate) fn adopt(
        &mut self,
        old: &Self,
        (before, config): (&Config, &Config),
        now: Instant,
        bus: &mut Bus,
    ) {
        for (part, (new, old)) in Part::ALL.into_iter().zip(self.parts.iter_mut().zip(&old.parts)) {
            let rules = |config: &Config| {
                let rules = config.firewall.iter().filter(|rule| rule.part() == part);
                rules.copied().collect::<heapless::Vec<_, { crate::limits::MAX_FIREWALL_RULES }>>()
            };
            let same = rules(before) == rules(config);
            let table =
                if same || old.table == Table::Absent || !new.wanted { old.table } else { Table::Unsure };
            let table = if new.wanted && table == Table::Absent { Table::Unsure } else { table };
            *new = State { wanted: new.wanted, table, retry_at: None, rung: 0, ..*old };
            new.error = old.error.filter(|_| new.wanted);
        }
        if let Some((_, part, _)) = old.in_flight {
            let state = self.state_mut(part);
            if state.table == Table::Built {
                state.table = Table::Unsure;
            }
        }
        for (rule, counter) in config.firewall.iter().zip(&mut self.counters) {
            let row = before.firewall.iter().position(|one| one == rule);
            *counter = row.map_or(Counter::default(), |row| old.counter(row));
        }
        self.generation = old.generation;
        self.arm(now, bus);
    }
}

#[cfg(test)]
mod tests;
