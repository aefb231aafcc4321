//! The state of kernel objects of one family between wish and kernel: ready, in flight, waiting on a back-off rung, or
//! parked. What the wish is and how it is compared is the plan's business (`net_plan`, `ipvs_plan`).
//!
//! An object that fails goes to the next rung and never delays another; there is one timer per rung, not per object.

use core::ops::Range;

use super::action::Epoch;
use super::bus::{Bus, RUNGS, Timer};
use super::dirty::DirtySet;
use super::event::Errno;
use super::journal::{Family, Reason};
use crate::time::{Duration, Instant};

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Nothing is under way.
    #[default]
    Ready,
    /// The kernel has been asked and has not answered.
    InFlight(Epoch),
    /// A transient error; tried again when the rung's timer fires.
    Waiting(u8),
    /// A permanent error: not tried again until the configuration or the kernel changes.
    Parked,
}

impl Stage {
    /// An error holds it back.
    const fn is_held(self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Parked)
    }
}

/// One object.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    stage: Stage,
    /// The next rung to wait on.
    rung: u8,
    /// The last error, 0 for none.
    error: Errno,
    /// Shown by the running dump.
    seen: bool,
    /// Changed since the running dump began: the dump's word on it is old.
    touched: bool,
    /// Someone else changed it while the kernel was being asked: the answer does not tell which came last.
    doubted: bool,
}

impl Entry {
    /// Ready, if an error held it back. True if one did.
    const fn release(&mut self) -> bool {
        let held = self.stage.is_held();
        if held {
            (self.stage, self.rung) = (Stage::Ready, 0);
        }
        held
    }
}

/// All objects of a family.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: Box<[Entry]>,
    /// May differ from the wish: to be compared.
    pub(crate) dirty: DirtySet,
    /// To be removed once nothing is left to be added.
    pub(crate) removals: DirtySet,
    /// Waiting for the kernel's answer.
    flying: DirtySet,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The change is in force.
    Done,
    /// To be tried again after this time; the rung's timer is to be set.
    Waiting(u8),
    /// Not to be tried again.
    Parked,
    /// The answer is of an earlier epoch.
    Stale,
}

impl Ledger {
    /// Bytes of a ledger of `objects` objects.
    pub(crate) const fn bytes(objects: usize) -> usize {
        objects * size_of::<Entry>() + 3 * DirtySet::bytes(objects)
    }

    pub(crate) fn new(objects: usize) -> Self {
        Self {
            entries: vec![Entry::default(); objects].into_boxed_slice(),
            dirty: DirtySet::new(objects),
            removals: DirtySet::new(objects),
            flying: DirtySet::new(objects),
        }
    }

    /// One in which everything is to be compared.
    pub(crate) fn unproven(objects: usize) -> Self {
        let mut ledger = Self::new(objects);
        ledger.dirty.insert_all(0..objects);
        ledger
    }

    /// How many objects.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where the object stands.
    pub(crate) fn stage(&self, id: usize) -> Stage {
        self.entries.get(id).map_or(Stage::Parked, |entry| entry.stage)
    }

    /// The object's last error.
    pub(crate) fn error(&self, id: usize) -> Option<Errno> {
        self.entries.get(id).map(|entry| entry.error).filter(|error| *error != Errno::default())
    }

    /// True while no object waits for the kernel's answer.
    pub(crate) fn is_answered(&self) -> bool {
        self.flying.is_empty()
    }

    /// True while an object of `rows` is to be compared or waits for the kernel's answer.
    pub(crate) fn is_busy(&self, rows: Range<usize>) -> bool {
        self.flying.any_in(rows.clone()) || self.dirty.any_in(rows)
    }

    /// How many objects are held back by an error.
    pub(crate) fn troubled(&self) -> usize {
        self.entries.iter().filter(|entry| entry.stage.is_held()).count()
    }

    /// The wish or the mirror of a ready object may have changed.
    pub(crate) fn mark(&mut self, id: usize) {
        if self.stage(id) == Stage::Ready {
            self.dirty.insert(id);
        }
    }

    /// Everything may have changed, and what failed deserves another try.
    pub(crate) fn mark_all(&mut self) {
        self.mark_rows(0..self.entries.len());
    }

    /// The same of these rows.
    pub(crate) fn mark_rows(&mut self, rows: Range<usize>) {
        let Some(entries) = self.entries.get_mut(rows.clone()) else { return };
        for entry in entries {
            entry.release();
        }
        // Those under way are passed over, and marked again when they are answered.
        self.dirty.insert_all(rows);
    }

    /// A held object deserves another try.
    pub(crate) fn release(&mut self, id: usize) {
        if self.entries.get_mut(id).is_some_and(Entry::release) {
            self.dirty.insert(id);
        }
    }

    /// The kernel is being asked to change the object.
    pub(crate) fn sent(&mut self, id: usize, epoch: Epoch) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.stage = Stage::InFlight(epoch);
            entry.touched = true;
            entry.doubted = false;
            self.flying.insert(id);
        }
    }

    /// The kernel answered.
    pub(crate) fn answered(
        &mut self,
        id: usize,
        epoch: Epoch,
        outcome: Result<(), (Errno, Gravity)>,
    ) -> Settled {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.stage == Stage::InFlight(epoch))
        else {
            return Settled::Stale;
        };
        self.flying.remove(id);
        entry.touched = true;
        match outcome {
            Ok(()) => {
                *entry = Entry { stage: Stage::Ready, rung: 0, error: Errno::default(), ..*entry };
                self.dirty.insert(id);
                Settled::Done
            }
            Err((error, Gravity::Transient)) => {
                let rung = entry.rung;
                *entry =
                    Entry { stage: Stage::Waiting(rung), rung: (rung + 1).min(RUNGS - 1), error, ..*entry };
                Settled::Waiting(rung)
            }
            Err((error, Gravity::Permanent)) => {
                *entry = Entry { stage: Stage::Parked, error, ..*entry };
                Settled::Parked
            }
        }
    }

    /// The timer of `rung` fired: its objects are compared again. Each keeps its next rung until it succeeds.
    pub(crate) fn climb(&mut self, rung: u8) {
        for (id, entry) in self.entries.iter_mut().enumerate() {
            if entry.stage == Stage::Waiting(rung) {
                entry.stage = Stage::Ready;
                self.dirty.insert(id);
            }
        }
    }

    /// A dump of `range` begins.
    pub(crate) fn begin_dump(&mut self, range: core::ops::Range<usize>) {
        for entry in self.entries.get_mut(range).unwrap_or(&mut []) {
            entry.seen = false;
            entry.touched = matches!(entry.stage, Stage::InFlight(_));
        }
    }

    /// A dump shows the object: true if the dump's word on it is good.
    pub(crate) fn see(&mut self, id: usize) -> bool {
        self.entries.get_mut(id).is_some_and(|entry| {
            entry.seen = true;
            !entry.touched
        })
    }

    /// At the end of a dump: true if the object is not in the kernel.
    pub(crate) fn proven_absent(&self, id: usize) -> bool {
        self.entries.get(id).is_some_and(|entry| !entry.seen && !entry.touched)
    }

    /// Someone else changed the object. While the kernel is being asked nobody can tell whose word is the last.
    pub(crate) fn doubt(&mut self, id: usize) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.doubted = true;
        }
    }

    /// True once after an answer if someone else changed the object meanwhile: the kernel is to be asked again.
    pub(crate) fn take_doubt(&mut self, id: usize) -> bool {
        self.entries.get_mut(id).is_some_and(|entry| core::mem::take(&mut entry.doubted))
    }

    /// The mirror changed by other means than an answer; the running dump is not to undo it.
    pub(crate) fn touch(&mut self, id: usize) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.touched = true;
        }
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// It can.
    Transient,
    /// Not until the configuration or the kernel changes.
    Permanent,
}

/// How long objects wait on `rung`.
pub(crate) fn rung_delay(rung: u8) -> Duration {
    Duration::from_secs(1 << rung.min(RUNGS - 1))
}

/// Somebody took an object of ours away, or put one where it must not be: it is put right now, or looked at again when
/// repairs are no longer held. For what the survey of addresses and routes shows.
pub(crate) fn repair(
    now: Instant,
    row: usize,
    (ledger, limit): (&mut Ledger, &mut RepairLimit),
    family: Family,
    bus: &mut Bus,
) {
    lapse(now, ledger, limit);
    match limit.ask(now, row) {
        Permit::Granted => ledger.mark(row),
        Permit::Refused { until, first } => {
            if first {
                bus.record(now, Reason::RepairsHeld(family));
            }
            bus.set_no_later(Timer::RouteAudit, until);
        }
    }
}

/// When a hold is over, what was not repaired meanwhile is compared again.
pub(crate) fn lapse(now: Instant, ledger: &mut Ledger, limit: &mut RepairLimit) {
    if limit.lapse(now) {
        (0..ledger.len()).for_each(|row| ledger.mark(row));
    }
}

/// Repairs of drift are rate-limited: more than five of one object in ten seconds mean that someone fights us, and the
/// next wait. Each object has its own count: two hundred addresses flushed at once are put back at once.
#[derive(Debug)]
pub(crate) struct RepairLimit {
    window_start: Instant,
    /// Repairs in this window by object.
    repairs: Box<[u8]>,
    held: bool,
}

/// Whether a repair may go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// It may.
    Granted,
    /// It waits until then; the first refusal of a window is to be recorded.
    Refused {
        /// When repairs are allowed again.
        until: Instant,
        /// Whether this is the first refusal.
        first: bool,
    },
}

const REPAIR_WINDOW: Duration = Duration::from_secs(10);
const MAX_REPAIRS: u8 = 5;

impl RepairLimit {
    /// Of `objects` objects.
    pub(crate) fn new(objects: usize) -> Self {
        Self { window_start: Instant::ZERO, repairs: vec![0; objects].into_boxed_slice(), held: false }
    }

    /// Asks for one repair of an object at `now`. Whoever asks looks at [`Self::lapse`] first.
    pub(crate) fn ask(&mut self, now: Instant, object: usize) -> Permit {
        if !self.held && now.since(self.window_start) >= REPAIR_WINDOW {
            self.window_start = now;
            self.repairs.fill(0);
        }
        let Some(repairs) = self.repairs.get_mut(object) else { return Permit::Granted };
        if *repairs < MAX_REPAIRS {
            *repairs += 1;
            return Permit::Granted;
        }
        let first = !self.held;
        self.held = true;
        Permit::Refused { until: self.window_start + REPAIR_WINDOW, first }
    }

    /// True once when a hold is over: what was not repaired meanwhile is to be looked at.
    pub(crate) fn lapse(&mut self, now: Instant) -> bool {
        let over = self.held && now.since(self.window_start) >= REPAIR_WINDOW;
        if over {
            (self.window_start, self.held) = (now, false);
            self.repairs.fill(0);
        }
        over
    }

    /// When repairs are allowed again, while they wait.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.held.then(|| self.window_start + REPAIR_WINDOW)
    }

    /// True while repairs wait.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Epoch = Epoch(7);
    const NO_MEMORY: (Errno, Gravity) = (Errno(12), Gravity::Transient);

    #[test]
    fn an_answer_of_another_epoch_or_to_no_question_is_stale() {
        let mut ledger = Ledger::new(2);
        ledger.sent(0, NOW);
        assert_eq!(ledger.answered(0, Epoch(6), Ok(())), Settled::Stale);
        assert_eq!(ledger.answered(1, NOW, Ok(())), Settled::Stale);
        assert!(!ledger.is_answered() && ledger.is_busy(0..1) && !ledger.is_busy(1..2));
        assert_eq!(ledger.answered(0, NOW, Ok(())), Settled::Done);
        assert_eq!(ledger.answered(0, NOW, Ok(())), Settled::Stale, "once");
        assert!(ledger.is_answered());
    }

    #[test]
    fn each_failure_climbs_a_rung_up_to_64_seconds_and_a_success_starts_anew() {
        let mut ledger = Ledger::new(1);
        let mut waits = Vec::new();
        for _ in 0..9 {
            ledger.sent(0, NOW);
            let Settled::Waiting(rung) = ledger.answered(0, NOW, Err(NO_MEMORY)) else {
                panic!("not waiting")
            };
            ledger.mark(0);
            assert!(ledger.dirty.is_empty(), "a waiting object is not asked for");
            waits.push(rung_delay(rung).as_secs());
            ledger.climb(rung);
            assert_eq!(ledger.dirty.pop(), Some(0));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        ledger.sent(0, NOW);
        ledger.answered(0, NOW, Ok(()));
        assert_eq!(ledger.error(0), None);
        ledger.sent(0, NOW);
        assert_eq!(ledger.answered(0, NOW, Err(NO_MEMORY)), Settled::Waiting(0));
    }

    #[test]
    fn what_is_parked_stays_so_until_it_is_released() {
        let mut ledger = Ledger::new(1);
        ledger.sent(0, NOW);
        let refused = Err((Errno::EPERM, Gravity::Permanent));
        assert_eq!(ledger.answered(0, NOW, refused), Settled::Parked);
        (0..RUNGS).for_each(|rung| ledger.climb(rung));
        ledger.mark(0);
        assert!(ledger.dirty.is_empty());
        assert_eq!((ledger.error(0), ledger.troubled()), (Some(Errno::EPERM), 1));
        ledger.release(0);
        assert_eq!((ledger.dirty.pop(), ledger.stage(0)), (Some(0), Stage::Ready));
    }

    #[test]
    fn a_dump_has_no_say_about_what_changed_since_it_began() {
        let mut ledger = Ledger::new(4);
        ledger.sent(0, NOW);
        ledger.begin_dump(0..4);
        ledger.answered(0, NOW, Ok(()));
        ledger.touch(1);
        assert!(!ledger.see(1) && ledger.see(2));
        let absent: Vec<bool> = (0..4).map(|id| ledger.proven_absent(id)).collect();
        assert_eq!(absent, [false, false, false, true]);
        ledger.begin_dump(0..4);
        assert!(ledger.see(0), "the next dump has");
    }

    #[test]
    fn a_change_by_someone_else_while_we_ask_is_remembered_once() {
        let mut ledger = Ledger::new(1);
        ledger.doubt(0);
        ledger.sent(0, NOW);
        assert!(!ledger.take_doubt(0), "what was before the question does not count");
        ledger.doubt(0);
        ledger.answered(0, NOW, Ok(()));
        assert!(ledger.take_doubt(0) && !ledger.take_doubt(0));
    }

    #[test]
    fn five_repairs_of_one_object_in_ten_seconds_are_enough() {
        let at = |seconds: u64| Instant::ZERO + Duration::from_secs(seconds);
        let mut limit = RepairLimit::new(2);
        (0..5).for_each(|n| assert_eq!(limit.ask(at(20 + n), 0), Permit::Granted));
        let refused = |first| Permit::Refused { until: at(30), first };
        assert_eq!(limit.ask(at(26), 0), refused(true));
        assert_eq!(limit.ask(at(27), 0), refused(false));
        assert_eq!(limit.ask(at(27), 1), Permit::Granted, "another object has its own count");
        assert!(!limit.lapse(at(29)) && limit.is_held());
        assert!(limit.lapse(at(30)) && !limit.lapse(at(30)));
        assert_eq!(limit.ask(at(31), 0), Permit::Granted);
    }
}
