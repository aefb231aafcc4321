//! One timer per dense id: an indexed 4-ary heap. `next` is O(1), everything else O(log n), nothing allocates after
//! creation, and a timer that is set again simply moves.

use crate::time::Instant;

const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

/// Timers `0..capacity`.
#[derive(Debug)]
pub struct Timers {
    /// Deadline by id; meaningful while `position` is not `ABSENT`.
    at: Box<[Instant]>,
    /// Place in `heap` by id.
    position: Box<[u32]>,
    /// Ids, the earliest first.
    heap: Box<[u32]>,
    len: usize,
}

impl Timers {
    /// Bytes of `capacity` timers.
    pub const fn bytes(capacity: usize) -> usize {
        capacity * (size_of::<Instant>() + 2 * size_of::<u32>())
    }

    /// No timer set; ids are below `capacity`.
    pub fn new(capacity: usize) -> Self {
        Self {
            at: vec![Instant::ZERO; capacity].into_boxed_slice(),
            position: vec![ABSENT; capacity].into_boxed_slice(),
            heap: vec![0; capacity].into_boxed_slice(),
            len: 0,
        }
    }

    /// Sets or moves timer `id`.
    pub fn set(&mut self, id: usize, at: Instant) {
        let Some(slot) = self.at.get_mut(id) else {
            debug_assert!(false, "timer {id} beyond the table");
            return;
        };
        *slot = at;
        if let Some(place) = self.place(id) {
            self.sift_up(place);
            if let Some(place) = self.place(id) {
                self.sift_down(place);
            }
        } else {
            let place = self.len;
            self.len += 1;
            self.put(place, id);
            self.sift_up(place);
        }
    }

    /// Stops timer `id`; one that is not set stays so.
    pub fn cancel(&mut self, id: usize) {
        let Some(place) = self.place(id) else { return };
        self.len -= 1;
        let last = self.id_at(self.len);
        if let Some(position) = self.position.get_mut(id) {
            *position = ABSENT;
        }
        if last != id {
            self.put(place, last);
            self.sift_up(place);
            if let Some(place) = self.place(last) {
                self.sift_down(place);
            }
        }
    }

    /// When timer `id` fires, if it is set.
    pub fn deadline(&self, id: usize) -> Option<Instant> {
        self.place(id)?;
        self.at.get(id).copied()
    }

    /// The earliest deadline; [`Instant::NEVER`] if none is set.
    pub fn next(&self) -> Instant {
        if self.len == 0 { Instant::NEVER } else { self.time_at(0) }
    }

    /// Takes the earliest timer if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        if self.len == 0 || self.time_at(0) > now {
            return None;
        }
        let id = self.id_at(0);
        self.cancel(id);
        Some(id)
    }

    fn place(&self, id: usize) -> Option<usize> {
        self.position.get(id).filter(|place| **place != ABSENT).map(|place| *place as usize)
    }

    fn id_at(&self, place: usize) -> usize {
        self.heap.get(place).map_or(0, |id| *id as usize)
    }

    fn time_at(&self, place: usize) -> Instant {
        self.at.get(self.id_at(place)).copied().unwrap_or(Instant::NEVER)
    }

    fn put(&mut self, place: usize, id: usize) {
        let clamp = |index: usize| u32::try_from(index).unwrap_or(ABSENT);
        if let Some(slot) = self.heap.get_mut(place) {
            *slot = clamp(id);
        }
        if let Some(position) = self.position.get_mut(id) {
            *position = clamp(place);
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        let (id_a, id_b) = (self.id_at(a), self.id_at(b));
        self.put(a, id_b);
        self.put(b, id_a);
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.time_at(parent) <= self.time_at(place) {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let children = place * ARITY + 1..(place * ARITY + 1 + ARITY).min(self.len);
            let Some(least) = children.min_by_key(|child| self.time_at(*child)) else { break };
            if self.time_at(place) <= self.time_at(least) {
                break;
            }
            self.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn timers_fire_in_order_and_only_when_due(
            steps in proptest::collection::vec((0_usize..50, 0_u64..1_000, 0..3_u8), 0..400),
        ) {
            let (mut timers, mut model) = (Timers::new(50), BTreeMap::new());
            for (id, at, what) in steps {
                let at = Instant::from_micros(at);
                match what {
                    0 => { timers.set(id, at); model.insert(id, at); }
                    1 => { timers.cancel(id); model.remove(&id); }
                    _ => {
                        let fired = timers.pop_due(at);
                        let least = model.values().min().copied();
                        match fired {
                            Some(id) => {
                                prop_assert_eq!(model.remove(&id), least);
                                prop_assert!(least <= Some(at));
                            }
                            None => prop_assert!(least.is_none_or(|least| least > at)),
                        }
                    }
                }
                prop_assert_eq!(timers.next(), model.values().min().copied().unwrap_or(Instant::NEVER));
                prop_assert_eq!(timers.deadline(id), model.get(&id).copied());
            }
        }
    }
}
