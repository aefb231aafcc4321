//! Health checks: when each probe is due, which slot it gets, and what its results mean.
//!
//! The dialogue itself lives in one of a fixed number of slots in `task/slots.rs`. A probe that is due and finds no
//! slot waits in order; nothing is skipped and nothing is made twice.

mod adopt;
mod evidences;
mod pace;

use super::action::{Action, Epoch, SlotId};
use super::bus::{Bus, Timer};
use super::dirty::DirtySet;
use super::event::Errno;
use super::ipvs_plan::{IpvsPlan, Way};
use super::journal::Reason;
use crate::check::{Checker, Evidence, Failure, Recheck, Verdict};
use crate::config::Config;
use crate::config::ids::{Id, ProbeId};
use crate::config::model::{Assumption, Probe};
use crate::limits::{MAX_SLOTS, MAX_TLS_SLOTS};
use crate::time::{Duration, Instant};
use crate::wire::errno::NO_WAY;
use evidences::Evidences;
use pace::{in_company, spread};

/// After a failure of our own the probe is made again after this time.
const LOCAL_RETRY: Duration = Duration::from_secs(1);
/// Changes that are remembered: between the copy and the swap of a reload lie a few turns.
const MAX_CHANGED: usize = 4_096;
/// Time for the kernel's table to be programmed at the start.
const SETTLE: Duration = Duration::from_millis(200);

/// What is believed of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// Assumed up: no check has ended yet.
    Unproven,
    /// Assumed down (`alpha`): no check has ended yet.
    Awaited,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// One probe.
#[derive(Debug, Clone, Copy)]
pub struct ProbeState {
    /// Up or down.
    pub belief: Belief,
    /// Since when.
    pub since: Instant,
    /// The last dialogue's end and when it was.
    pub last: Option<(Instant, Verdict)>,
    /// Failed tries since the last success, while assumed up.
    pub failures: u32,
    /// The next dialogue of the checker (row of its urls).
    step: u16,
    /// Successes in a row while down; a full pass makes it up.
    passed: u16,
    slot: Option<SlotId>,
    hindered: bool,
    resting: bool,
    /// It speaks TLS.
    secure: bool,
}

/// All probes.
#[derive(Debug)]
pub struct Health {
    table: Box<[ProbeState]>,
    due: DirtySet,
    /// The same of those that speak TLS: they have [`MAX_TLS_SLOTS`] at most.
    due_secure: DirtySet,
    /// Slots that they have.
    secure: usize,
    /// What each slot works on.
    slots: Box<[Option<ProbeId>]>,
    free: heapless::Vec<SlotId, MAX_SLOTS>,
    checks_total: u64,
    failures_total: u64,
    evidences: Box<Evidences>,
    /// Probes whose last dialogue failed by our own fault.
    hindered: usize,
    hindrance: Option<(Errno, Instant)>,
    /// Whose state changed last: a reload that copied it before copies it again. The oldest go first.
    changed: Box<[ProbeId]>,
    /// Changes since the start.
    changes: usize,
}

/// How many slots a configuration needs.
pub fn slots_for(config: &Config) -> usize {
    config.probes.len().min(MAX_SLOTS)
}

impl Health {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let fresh = ProbeState {
            belief: Belief::Unproven,
            since: now,
            last: None,
            failures: 0,
            step: 0,
            passed: 0,
            slot: None,
            hindered: false,
            resting: false,
            secure: false,
        };
        let table = config.probes.iter().map(|probe| {
            let belief = match probe.assumption {
                Assumption::Up => Belief::Unproven,
                Assumption::Down => Belief::Awaited,
            };
            ProbeState { belief, secure: is_secure(&probe.checker), ..fresh }
        });
        let slots = slots_for(config);
        let ids = (0..slots).rev().filter_map(|slot| u16::try_from(slot).ok().map(SlotId));
        Self {
            table: table.collect(),
            due: DirtySet::new(config.probes.len()),
            due_secure: DirtySet::new(config.probes.len()),
            secure: 0,
            slots: vec![None; slots].into_boxed_slice(),
            free: ids.collect(),
            checks_total: 0,
            failures_total: 0,
            evidences: Box::default(),
            hindered: 0,
            hindrance: None,
            changed: vec![ProbeId::default(); config.probes.len().min(MAX_CHANGED)].into_boxed_slice(),
            changes: 0,
        }
    }

    /// What is known of a probe.
    pub fn get(&self, id: ProbeId) -> Option<&ProbeState> {
        self.table.get(id.index())
    }

    /// True unless the probe says that the target is down, or has to say that it is up and did not yet.
    pub fn is_up(&self, id: ProbeId) -> bool {
        self.get(id).is_some_and(|state| matches!(state.belief, Belief::Unproven | Belief::Up))
    }

    /// True while the probe is not made, because nobody whom it concerns has its address on this box.
    pub fn is_resting(&self, id: ProbeId) -> bool {
        self.get(id).is_some_and(|state| state.resting)
    }

    /// Checks ended since the start.
    pub fn checks_total(&self) -> u64 {
        self.checks_total
    }

    /// Checks that failed since the start.
    pub fn failures_total(&self) -> u64 {
        self.failures_total
    }

    /// The first bytes of the reply by which a probe failed, if its last dialogue did and they are among the last
    /// [`crate::limits::MAX_EVIDENCES`] of all probes; at most [`crate::limits::MAX_EVIDENCE`].
    pub fn evidence(&self, id: ProbeId) -> Option<&[u8]> {
        self.evidences.of(id).map(Evidence::bytes)
    }

    /// A dialogue failed by these bytes.
    pub(crate) fn handle_evidence(&mut self, (slot, epoch): (SlotId, Epoch), evidence: &Evidence, bus: &Bus) {
        let work = self.slots.get(usize::from(slot.0)).copied().flatten().filter(|_| epoch == bus.epoch);
        if let Some(id) = work.filter(|_| !evidence.bytes().is_empty()) {
            self.evidences.keep(id, *evidence);
        } else if let Some(id) = work {
            self.evidences.forget(id);
        }
    }

    /// Probes that cannot be made by our own fault, why (the last reason), and since when there are any.
    pub fn hindered(&self) -> Option<(usize, Errno, Instant)> {
        self.hindrance.map(|(errno, since)| (self.hindered, errno, since))
    }

    /// Slots in use and in all.
    pub fn slots(&self) -> (usize, usize) {
        (self.slots.len() - self.free.len(), self.slots.len())
    }

    /// Sets the first check of every probe that has none planned, spread over its warm-up time.
    pub(crate) fn begin(&self, now: Instant, config: &Config, bus: &mut Bus) {
        let awake = |(id, _): &(usize, _)| self.table.get(*id).is_some_and(|state| !state.resting);
        for (id, probe) in config.probes.iter().enumerate().filter(awake) {
            bus.set_if_idle(Timer::Probe(ProbeId::from_index(id)), now + spread(id, probe.warmup));
        }
    }

    /// Says whether a probe rests, before the first check is planned.
    pub(crate) fn set_resting(&mut self, id: ProbeId, rests: bool) {
        if let Some(state) = self.table.get_mut(id.index()) {
            state.resting = rests;
        }
    }

    /// A probe rests from now on, or is made again: at once, as at the start. One that is under way when it is sent to
    /// rest has no consequences; what is believed stays.
    pub(crate) fn rest(&mut self, now: Instant, id: ProbeId, rests: bool, config: &Config, bus: &mut Bus) {
        let Some(state) = self.table.get_mut(id.index()).filter(|state| state.resting != rests) else {
            return;
        };
        (state.resting, state.failures) = (rests, 0);
        if rests {
            bus.cancel(Timer::Probe(id));
            self.due.remove(id.index());
            self.due_secure.remove(id.index());
            // What is not to be made is hindered by nothing.
            if core::mem::take(&mut state.hindered) {
                self.free_one(now, bus);
            }
        } else {
            let warmup = config.probes.get(id.index()).map_or(Duration::ZERO, |probe| probe.warmup);
            bus.set(Timer::Probe(id), now + spread(id.index(), warmup));
        }
    }

    /// A probe's timer fired.
    pub(crate) fn handle_timer(&mut self, id: ProbeId) {
        let Some(state) = self.get(id).filter(|state| state.slot.is_none() && !state.resting) else { return };
        if state.secure { &mut self.due_secure } else { &mut self.due }.insert(id.index());
    }

    /// The next probe to make, if a slot is free.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        (config, plan): (&Config, &IpvsPlan),
        bus: &mut Bus,
    ) -> Option<Action> {
        let way = |id: ProbeId| {
            let bind = config.probes.get(id.index()).and_then(|probe| probe.bind.as_ref());
            bind.and_then(|bind| bind.via).map_or(Way::Clear, |via| plan.way(via.service, config))
        };
        while self.has_work() {
            // Those that have few slots first: they cannot take those of all others.
            let due = if self.has_secure_work() { &mut self.due_secure } else { &mut self.due };
            let id = ProbeId::from_index(due.pop()?);
            match way(id) {
                Way::Clear => return self.begin_probe(id, bus),
                way @ (Way::Coming | Way::Blocked) => self.put_off(now, id, way, bus),
            }
        }
        None
    }

    /// The hidden service of a probe through a virtual address is not in the kernel: any server might answer, or the
    /// box itself. It is told only if that does not pass by itself.
    fn put_off(&mut self, now: Instant, id: ProbeId, way: Way, bus: &mut Bus) {
        let Some(state) = self.table.get_mut(id.index()) else { return };
        let wait = if way == Way::Coming && state.last.is_none() { SETTLE } else { LOCAL_RETRY };
        if way == Way::Blocked {
            note((&mut self.changed, &mut self.changes), id);
            let verdict = Verdict::Local { errno: NO_WAY };
            state.last = Some((now, verdict));
            let before = core::mem::replace(&mut state.hindered, true);
            self.count_hindered(now, id, (before, verdict), bus);
        }
        bus.set(Timer::Probe(id), now + wait);
    }

    fn begin_probe(&mut self, id: ProbeId, bus: &Bus) -> Option<Action> {
        let slot = self.free.pop()?;
        let state = self.table.get_mut(id.index())?;
        state.slot = Some(slot);
        self.secure += usize::from(state.secure);
        if let Some(work) = self.slots.get_mut(usize::from(slot.0)) {
            *work = Some(id);
        }
        Some(Action::Probe { epoch: bus.epoch, slot, probe: id, step: state.step })
    }

    /// True if a probe is due and a slot is free.
    pub(crate) fn has_work(&self) -> bool {
        (!self.due.is_empty() || self.has_secure_work()) && !self.free.is_empty()
    }

    fn has_secure_work(&self) -> bool {
        self.secure < MAX_TLS_SLOTS && !self.due_secure.is_empty()
    }

    /// A dialogue ended.
    pub(crate) fn handle_result(
        &mut self,
        now: Instant,
        (slot, epoch): (SlotId, Epoch),
        verdict: Verdict,
        config: &Config,
        bus: &mut Bus,
    ) {
        let work =
            self.slots.get_mut(usize::from(slot.0)).filter(|_| epoch == bus.epoch).and_then(Option::take);
        let Some(id) = work else {
            bus.stale_total += 1;
            return;
        };
        let _ = self.free.push(slot);
        let Some(probe) = config.probes.get(id.index()) else { return };
        self.checks_total += 1;
        note((&mut self.changed, &mut self.changes), id);
        let Some(state) = self.table.get_mut(id.index()) else { return };
        state.slot = None;
        self.secure = self.secure.saturating_sub(usize::from(state.secure));
        if state.resting {
            return;
        }
        state.last = Some((now, verdict));
        let (before, hindered) = (state.belief, state.hindered);
        let retries = retries((before, id), probe, config);
        let wait = match verdict {
            Verdict::Pass { .. } => {
                self.evidences.forget(id);
                state.pass(now, probe)
            }
            Verdict::Fail(_) => state.fail(now, probe, retries),
            Verdict::Local { .. } => {
                state.hindered = true;
                LOCAL_RETRY
            }
        };
        let after = state.belief;
        let doubtful = state.failures > 0 || matches!(verdict, Verdict::Local { .. });
        // First checks come soon after the start, so all at once; from then on they are spread over their interval.
        let is_first = matches!(before, Belief::Unproven | Belief::Awaited) && before != after;
        let wait = if is_first { spread(id.index() + 1, wait) } else { wait };
        // A server about which there is doubt is asked exactly when it was configured to be.
        let at = if doubtful { now + wait } else { in_company(now + wait, probe.interval) };
        bus.set(Timer::Probe(id), at);
        self.count_hindered(now, id, (hindered, verdict), bus);
        if let Verdict::Fail(failure) = verdict {
            self.failures_total += 1;
            self.tell(now, id, (before, after), (failure, retries), bus);
        } else if matches!(before, Belief::Down | Belief::Awaited) && after == Belief::Up {
            bus.record(now, Reason::ProbeUp(id));
            bus.verdicts.insert(id.index());
        }
    }

    /// Says once for all probes what hinders them, and when nothing does any more.
    fn count_hindered(
        &mut self,
        now: Instant,
        id: ProbeId,
        (before, verdict): (bool, Verdict),
        bus: &mut Bus,
    ) {
        if let Verdict::Local { errno } = verdict {
            self.hindered += usize::from(!before);
            let errno = Errno(errno);
            // Of several reasons each is told when it comes, not in turns at every try.
            if self.hindrance.is_none_or(|(known, _)| known != errno && !before) {
                self.hindrance = Some((errno, self.hindrance.map_or(now, |(_, since)| since)));
                bus.record(now, Reason::ProbeHindered(id, errno));
            }
        } else if before {
            self.free_one(now, bus);
        }
    }

    /// One probe less is hindered.
    fn free_one(&mut self, now: Instant, bus: &mut Bus) {
        self.hindered = self.hindered.saturating_sub(1);
        if self.hindered == 0 {
            self.hindrance = None;
            bus.record(now, Reason::ProbesResumed);
        }
    }

    fn tell(
        &self,
        now: Instant,
        id: ProbeId,
        (before, after): (Belief, Belief),
        (failure, retries): (Failure, u32),
        bus: &mut Bus,
    ) {
        if after == Belief::Down && before != Belief::Down {
            bus.record(now, Reason::ProbeDown(id, failure, retries));
            bus.verdicts.insert(id.index());
        }
    }
}

/// Remembers that the state of a probe changed.
fn note((changed, changes): (&mut [ProbeId], &mut usize), id: ProbeId) {
    let rows = changed.len().max(1);
    if let Some(place) = changed.get_mut(*changes % rows) {
        *place = id;
    }
    *changes = changes.wrapping_add(1);
}

impl ProbeState {
    /// The time to the next check after a success.
    fn pass(&mut self, now: Instant, probe: &Probe) -> Duration {
        self.failures = 0;
        self.hindered = false;
        let steps = u16::try_from(probe.checker.steps()).unwrap_or(u16::MAX);
        match self.belief {
            Belief::Unproven | Belief::Up => {
                self.belief = Belief::Up;
                self.step = (self.step + 1) % steps;
            }
            Belief::Awaited if probe.rise <= 1 => {
                (self.belief, self.since) = (Belief::Up, now);
                self.step = (self.step + 1) % steps;
            }
            Belief::Awaited | Belief::Down => {
                self.passed = self.passed.saturating_add(1);
                // The first one is of the step that failed; a full pass is then every step once, from the first.
                self.step = if self.passed == 1 { 0 } else { (self.step + 1) % steps };
                if usize::from(self.passed) >= probe.checker.recovery().max(probe.rise.into()) {
                    (self.belief, self.since, self.passed, self.step) = (Belief::Up, now, 0, 0);
                }
            }
        }
        probe.interval
    }

    /// The time to the next check after a failure.
    fn fail(&mut self, now: Instant, probe: &Probe, retries: u32) -> Duration {
        self.hindered = false;
        self.passed = 0;
        if self.failures < retries {
            self.failures += 1;
            return probe.retry_delay;
        }
        if self.belief != Belief::Down {
            (self.belief, self.since, self.failures) = (Belief::Down, now, 0);
        }
        match probe.checker.form().recheck {
            Recheck::Interval => probe.interval,
            Recheck::Longer => probe.interval.max(probe.retry_delay),
        }
    }
}

/// How many failures are forgiven. The first check of a real server is final, as with keepalived; a host of a ping
/// group has its `dead` time also at the start: one lost echo must not take a MASTER down.
fn retries((belief, id): (Belief, ProbeId), probe: &Probe, config: &Config) -> u32 {
    match belief {
        Belief::Up => probe.retry,
        Belief::Unproven if config.ping_groups.iter().any(|one| config.pings_of(one).contains(&id)) => {
            probe.retry
        }
        Belief::Unproven | Belief::Awaited | Belief::Down => 0,
    }
}

/// Whether it speaks TLS.
#[cfg(feature = "tls")]
fn is_secure(checker: &Checker) -> bool {
    matches!(checker, Checker::Ssl(_))
}

#[cfg(not(feature = "tls"))]
fn is_secure(_: &Checker) -> bool {
    false
}

#[cfg(test)]
mod tests;
