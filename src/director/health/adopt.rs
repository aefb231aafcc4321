//! What a reload takes over of the probes: most of it is copied beside the running director, in slices; the swap copies
//! again what changed since.

use super::{Health, ProbeState, spread};
use crate::config::Config;
use crate::config::ids::{Id, ProbeId};
use crate::director::bus::{Bus, Timer};
use crate::director::dirty::DirtySet;
use crate::time::Instant;

impl Health {
    /// Changes of states since the start; see [`Self::catch_up`].
    pub(crate) const fn changes(&self) -> usize {
        self.changes
    }

    /// Takes over what is known of the probes of `rows` that both configurations have, and when they are due; the first
    /// checks of the others are planned. What runs in the slots belongs to the old epoch and is made again.
    pub(crate) fn copy(
        &mut self,
        rows: core::ops::Range<usize>,
        (old, from): (&Self, &Bus),
        (probes, config): (&[Option<u32>], &Config),
        now: Instant,
        bus: &mut Bus,
    ) {
        for row in rows {
            let before = probes.get(row).copied().flatten();
            self.copy_one(row, before, (old, from), config, now, bus);
        }
    }

    fn copy_one(
        &mut self,
        row: usize,
        before: Option<u32>,
        (old, from): (&Self, &Bus),
        config: &Config,
        now: Instant,
        bus: &mut Bus,
    ) {
        let (id, before) =
            (ProbeId::from_index(row), before.map(|before| ProbeId::from_index(before as usize)));
        let known = before.and_then(|before| old.get(before));
        let (Some(state), Some(probe)) = (self.table.get_mut(row), config.probes.get(row)) else { return };
        self.hindered -= usize::from(state.hindered);
        if let Some(known) = known {
            let hindered = known.hindered && !state.resting;
            *state =
                ProbeState { slot: None, resting: state.resting, secure: state.secure, hindered, ..*known };
        }
        self.hindered += usize::from(state.hindered);
        if state.resting {
            bus.cancel(Timer::Probe(id));
            return;
        }
        let Some(before) = before.filter(|_| known.is_some()) else {
            bus.set_if_idle(Timer::Probe(id), now + spread(row, probe.warmup));
            return;
        };
        match old.evidences.of(before) {
            Some(evidence) => self.evidences.keep(id, *evidence),
            None => self.evidences.forget(id),
        }
        let at = from.deadline(Timer::Probe(before)).unwrap_or(now);
        // A shorter interval counts from now on.
        bus.set(Timer::Probe(id), at.min(now + probe.interval.max(probe.warmup)));
    }

    /// What was copied while the old table stood at `changes` is brought up to date; all of it for
    /// `None`.
    pub(crate) fn catch_up(
        &mut self,
        changes: Option<usize>,
        (old, from): (&Self, &Bus),
        (probes, config): (&[Option<u32>], &Config),
        now: Instant,
        bus: &mut Bus,
    ) {
        (self.checks_total, self.failures_total) = (old.checks_total, old.failures_total);
        let missed = changes.map(|changes| old.changes.wrapping_sub(changes));
        if let Some(missed) = missed.filter(|missed| *missed <= old.changed.len()) {
            let mut stale = DirtySet::new(old.table.len());
            let places = (0..missed).map(|back| old.changes.wrapping_sub(back + 1) % old.changed.len());
            places.filter_map(|place| old.changed.get(place)).for_each(|id| stale.insert(id.index()));
            for (row, before) in probes.iter().enumerate().filter(|_| missed > 0) {
                if before.is_some_and(|before| stale.contains(before as usize)) {
                    self.copy_one(row, *before, (old, from), config, now, bus);
                }
            }
        } else {
            self.copy(0..probes.len(), (old, from), (probes, config), now, bus);
        }
        self.hindrance = old.hindrance.filter(|_| self.hindered > 0);
    }
}
