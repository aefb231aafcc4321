//! Addresses that shall not answer (`no_accept`): which elements our nf_tables table shall hold, which it holds, and
//! the transactions that close the gap.
//!
//! One transaction at a time: all of it is in force or nothing. An element is there before its address and stays until
//! the address is gone. Without an instance that asks for it nothing is ever sent.

use heapless::Vec;

use super::action::{Action, Epoch, FilterStep};
use super::bus::{Bus, RUNGS, Timer};
use super::event::{Errno, Filtered};
use super::firewall_plan::{LAST_TRIES, LAST_WAIT};
use super::journal::{Family, Reason};
use super::ledger::{Permit, RepairLimit, rung_delay};
use super::links::Links;
use super::net_plan::NetPlan;
use super::vrrp::{Holding, Vrrp};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId};
use crate::time::{Duration, Instant};
use crate::wire::nftables::{Census, Element, MAX_ELEMENTS, Presence, TABLE, Transaction};

/// How often the kernel is asked whether anybody changed nf_tables: one number.
const AUDIT_INTERVAL: Duration = Duration::from_secs(5);

/// What the plan reads.
pub(crate) type Around<'a> = (&'a Config, &'a Vrrp, &'a Links, &'a NetPlan);

/// The table in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// None of ours.
    Absent,
    /// Not known, or not as it should be.
    Unsure,
    /// As we made it.
    Built,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ready,
    InFlight(Epoch, FilterStep),
    /// An error; tried again when the timer fires.
    Waiting,
}

/// The table of addresses that do not answer.
#[derive(Debug)]
pub struct NftablesPlan {
    /// There are addresses that shall not answer.
    asked: bool,
    /// By address: the element that the kernel has for it.
    present: Box<[Option<Element>]>,
    /// By instance: what it wanted when it was last looked at.
    wanted: Box<[bool]>,
    /// The elements of the transaction under way, and their rows.
    changes: Vec<(Element, Presence), MAX_ELEMENTS>,
    rows: Vec<usize, MAX_ELEMENTS>,
    table: Table,
    stage: Stage,
    /// Wish and mirror may differ.
    dirty: bool,
    /// A look at the kernel is due.
    due: Option<FilterStep>,
    /// The next wait after an error.
    rung: u8,
    error: Option<Errno>,
    /// Changes of nf_tables as of our last one or our last look; `None`: not known.
    generation: Option<u32>,
    /// The generation that was seen last, of which it is not known what it changed.
    seen: u32,
    /// The rules as the kernel showed them after we made them.
    rules: Option<u64>,
    /// The kernel took the table from us, and has not said since that it is gone.
    made: bool,
    limit: RepairLimit,
    stopping: bool,
    /// Tries to remove the table at the stop that failed.
    tries: u8,
}

impl NftablesPlan {
    /// A plan for `config`.
    pub(crate) fn new(config: &Config) -> Self {
        let asked = config.instances.iter().any(|one| one.is_silent() && !one.addresses.is_empty());
        Self {
            present: vec![None; config.addresses.len()].into_boxed_slice(),
            wanted: vec![false; config.instances.len()].into_boxed_slice(),
            asked,
            changes: Vec::new(),
            rows: Vec::new(),
            table: if asked { Table::Unsure } else { Table::Absent },
            stage: Stage::Ready,
            dirty: asked,
            due: None,
            rung: 0,
            error: None,
            generation: None,
            seen: 0,
            rules: None,
            made: false,
            limit: RepairLimit::new(1),
            stopping: false,
            tries: 0,
        }
    }

    /// True if an instance has addresses that shall not answer, or had, and the kernel still has our table.
    pub fn is_used(&self) -> bool {
        self.table != Table::Absent || self.asked
    }

    /// Why the kernel does not have the table as it should be.
    pub fn error(&self) -> Option<Errno> {
        self.error
    }

    /// True if what is sent to this address is dropped.
    pub fn is_dropped(&self, id: AddressId) -> bool {
        self.table == Table::Built && self.present.get(id.index()).is_some_and(Option::is_some)
    }

    /// True while repairs are held because somebody keeps changing the table.
    pub fn repairs_held(&self) -> bool {
        self.limit.is_held()
    }

    /// An instance's state changed.
    pub(crate) fn instance_changed(
        &mut self,
        now: Instant,
        id: InstanceId,
        around: (&Config, &Vrrp),
        bus: &mut Bus,
    ) {
        let (config, vrrp) = around;
        if !config.instances.get(id.index()).is_some_and(|one| one.is_silent()) {
            return;
        }
        let Some(known) = self.wanted.get_mut(id.index()) else { return };
        let wanted = vrrp.holding(id) != Holding::Nothing;
        if core::mem::replace(known, wanted) != wanted {
            self.dirty = true;
            bus.record(now, Reason::DropRule(id, if wanted { Presence::Present } else { Presence::Absent }));
        }
    }

    /// Addresses of ours came or went, or interfaces did.
    pub(crate) fn touch(&mut self) {
        self.dirty |= self.is_used();
    }

    /// The element that the kernel shall have for an address.
    fn wish(&self, row: usize, (config, vrrp, links, net_plan): Around<'_>) -> Option<Element> {
        let address = config.addresses.get(row)?;
        let owner = address.instance?;
        config.instances.get(owner.index()).filter(|one| one.is_silent())?;
        let link = links.get(address.link);
        let held = vrrp.holding(owner) != Holding::Nothing && !self.stopping;
        let there = net_plan.is_present(AddressId::from_index(row));
        (there || held && link.exists()).then(|| Element::new(address.address, link.index))
    }

    /// The next request to the kernel.
    pub(crate) fn poll(&mut self, around: Around<'_>, bus: &Bus) -> Option<Action> {
        if self.stage != Stage::Ready || !(self.dirty || self.due.is_some()) {
            return None;
        }
        let step = self.next_step(around)?;
        self.stage = Stage::InFlight(bus.epoch, step);
        Some(Action::Filter { epoch: bus.epoch, step })
    }

    fn next_step(&mut self, around: Around<'_>) -> Option<FilterStep> {
        let build = self.table != Table::Built;
        if build {
            self.present.fill(None);
        }
        self.dirty = !self.fill(around);
        let asked = self.asked && !(self.stopping && self.is_empty());
        if !asked {
            self.due = None;
            return (self.table != Table::Absent).then_some(FilterStep::Remove);
        }
        if build {
            return Some(FilterStep::Build);
        }
        if self.changes.is_empty() { self.due.take() } else { Some(FilterStep::Change) }
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.present.iter().all(Option::is_none)
    }

    /// Collects differences; true if these are all.
    fn fill(&mut self, around: Around<'_>) -> bool {
        self.changes.clear();
        self.rows.clear();
        for row in 0..self.present.len() {
            let (has, wish) = (self.present.get(row).copied().flatten(), self.wish(row, around));
            if has == wish {
                continue;
            }
            // An element of another interface goes first; the new one is next time's.
            let change = match (has, wish) {
                (Some(has), _) => (has, Presence::Absent),
                (None, Some(wish)) => (wish, Presence::Present),
                (None, None) => continue,
            };
            if self.rows.push(row).is_err() || self.changes.push(change).is_err() {
                return false;
            }
        }
        true
    }

    /// What [`FilterStep::Build`], [`FilterStep::Change`] or [`FilterStep::Remove`] ask of the kernel.
    pub(crate) fn transaction(&self, step: FilterStep) -> Option<Transaction<'_>> {
        match step {
            FilterStep::Build => Some(Transaction::Build(&self.changes)),
            FilterStep::Change => Some(Transaction::Change(&self.changes)),
            FilterStep::Remove => Some(Transaction::Remove),
            FilterStep::Look | FilterStep::Verify => None,
        }
    }

    /// What a look at the kernel showed. The answer to its action comes behind it.
    pub(crate) fn handle_filtered(&mut self, now: Instant, what: Filtered, bus: &mut Bus) {
        match what {
            Filtered::Generation(seen) => {
                self.seen = seen;
                if self.generation != Some(seen) || self.rules.is_none() {
                    self.due = Some(FilterStep::Verify);
                }
            }
            Filtered::Census(census) => self.compare(now, census, bus),
        }
    }

    fn compare(&mut self, now: Instant, census: Census, bus: &mut Bus) {
        let mut ours = Census { rules: *self.rules.get_or_insert(census.rules), ..Census::default() };
        self.present.iter().flatten().for_each(|element| ours.add(*element));
        self.generation = Some(self.seen);
        if census != ours {
            self.repair(now, bus);
        }
    }

    /// Somebody changed our table: it is made again, in one piece.
    fn repair(&mut self, now: Instant, bus: &mut Bus) {
        self.limit.lapse(now);
        match self.limit.ask(now, 0) {
            Permit::Granted => {
                bus.record(now, Reason::FilterDiffers);
                self.rebuild();
            }
            // The next look finds it again; it is not said at each.
            Permit::Refused { first, .. } => {
                self.generation = None;
                if first {
                    bus.record(now, Reason::FilterDiffers);
                    bus.record(now, Reason::RepairsHeld(Family::Filter));
                }
            }
        }
    }

    fn rebuild(&mut self) {
        (self.table, self.generation, self.rules, self.dirty) = (Table::Unsure, None, None, true);
    }

    /// The kernel answered.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        (epoch, step): (Epoch, FilterStep),
        result: Result<(), Errno>,
        bus: &mut Bus,
    ) {
        if self.stage != Stage::InFlight(epoch, step) {
            bus.stale_total += 1;
            return;
        }
        self.stage = Stage::Ready;
        self.dirty |= step != FilterStep::Look && step != FilterStep::Verify;
        match (step, result) {
            (FilterStep::Build, Ok(())) => {
                (self.table, self.made) = (Table::Built, true);
                (self.generation, self.rules, self.due) = (None, None, Some(FilterStep::Look));
                self.keep_changes();
                self.succeeded(now, bus);
            }
            (FilterStep::Change, Ok(())) => {
                self.generation = self.generation.map(|generation| generation.wrapping_add(1));
                self.keep_changes();
            }
            (FilterStep::Remove, Ok(())) => {
                (self.table, self.made) = (Table::Absent, false);
                self.present.fill(None);
                self.succeeded(now, bus);
            }
            // What was changed is not what we thought it was.
            (FilterStep::Change, Err(errno)) => {
                if errno == Errno::ENOENT {
                    bus.record(now, Reason::FilterDiffers);
                }
                self.rebuild();
            }
            (FilterStep::Verify, Err(Errno::ENOENT)) => self.repair(now, bus),
            // Asked again at the next look.
            (FilterStep::Look | FilterStep::Verify, Err(_)) => self.generation = None,
            (FilterStep::Look | FilterStep::Verify, Ok(())) => {}
            (FilterStep::Build | FilterStep::Remove, Err(errno)) => self.failed(now, errno, bus),
        }
        if self.stage == Stage::Ready && self.is_used() {
            bus.set_if_idle(Timer::Filter, now + AUDIT_INTERVAL);
        }
    }

    /// The kernel has what it was asked for.
    fn keep_changes(&mut self) {
        for (row, (element, presence)) in self.rows.iter().zip(&self.changes) {
            if let Some(present) = self.present.get_mut(*row) {
                *present = (*presence == Presence::Present).then_some(*element);
            }
        }
    }

    fn succeeded(&mut self, now: Instant, bus: &mut Bus) {
        self.rung = 0;
        if self.error.take().is_some() {
            bus.record(now, Reason::FilterBuilt);
        }
    }

    fn failed(&mut self, now: Instant, errno: Errno, bus: &mut Bus) {
        self.stage = Stage::Waiting;
        if self.stopping {
            self.tries += 1;
            if self.tries == LAST_TRIES && self.made {
                bus.record(now, Reason::TableLeft(TABLE, errno));
            }
            bus.set(Timer::Filter, now + LAST_WAIT);
            return;
        }
        if self.error.replace(errno) != Some(errno) {
            bus.record(now, Reason::FilterFailed(errno));
        }
        bus.set(Timer::Filter, now + rung_delay(self.rung));
        self.rung = (self.rung + 1).min(RUNGS - 1);
    }

    /// The timer fired: what failed is tried again, and what is there is looked at.
    pub(crate) fn handle_timer(&mut self) {
        match self.stage {
            Stage::Waiting if self.tries == LAST_TRIES => {}
            Stage::Waiting => (self.stage, self.dirty) = (Stage::Ready, true),
            Stage::Ready | Stage::InFlight(..) => self.due = Some(FilterStep::Look),
        }
    }

    /// The box stops. The table goes with the last address in it.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        if self.stage == Stage::Waiting {
            self.stage = Stage::Ready;
        }
        self.touch();
    }

    /// True if a request may be waiting to be made.
    pub(crate) fn has_work(&self) -> bool {
        self.stage == Stage::Ready && (self.dirty || self.due.is_some())
    }

    /// True if everything is as wished or cannot be for now.
    pub(crate) fn is_done(&self) -> bool {
        !self.dirty && !matches!(self.stage, Stage::InFlight(..))
            || self.stage == Stage::Waiting && (!self.stopping || self.tries == LAST_TRIES)
    }

    /// Takes over the table: what it holds of addresses that are no longer configured goes with it, and it is made
    /// again.
    pub(crate) fn adopt(&mut self, old: &Self, (before, config): (&Config, &Config), bus: &mut Bus) {
        if !old.is_used() {
            return;
        }
        (self.error, self.rung) = (old.error, old.rung);
        (self.generation, self.seen, self.rules) = (old.generation, old.seen, old.rules);
        (self.table, self.made, self.dirty) = (old.table, old.made, true);
        let mut kept = 0;
        for (address, present) in config.addresses.iter().zip(&mut self.present) {
            let same = before.addresses.iter().position(|one| {
                one.address == address.address && before.link_name(one.link) == config.link_name(address.link)
            });
            *present = same.and_then(|row| old.present.get(row).copied().flatten());
            kept += usize::from(present.is_some());
        }
        for (instance, wanted) in config.instances.iter().zip(&mut self.wanted) {
            let same = before.instances.iter().position(|one| {
                one.vrid == instance.vrid && before.link_name(one.link) == config.link_name(instance.link)
            });
            *wanted = same.and_then(|row| old.wanted.get(row).copied()).unwrap_or(false);
        }
        let lost = old.present.iter().flatten().count() != kept;
        if lost || matches!(old.stage, Stage::InFlight(..)) {
            self.rebuild();
        }
        bus.set(Timer::Filter, Instant::ZERO);
    }
}

#[cfg(test)]
mod tests;
