//! What was seen already: keys, each once, with a value. Open addressing over rows, so that a further type of key costs
//! little code: the standard library's maps cost a kilobyte each.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};

use crate::syntax::tree::doubling;

/// Of a slot; others hold the number of a row and 1 more. Zeroes come from the system as they are.
const EMPTY: u32 = 0;
/// Keys that one step of work adds.
const FEW: usize = 256;

/// A map of keys to values; with `()` a set.
#[derive(Debug)]
pub(crate) struct Known<K, V = ()> {
    rows: Vec<(K, V)>,
    /// Rows by the hash of their key; at least twice as many, a power of two.
    slots: Vec<u32>,
}

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self { rows: Vec::new(), slots: Vec::new() }
    }
}

impl<K: Hash + Eq, V> Known<K, V> {
    /// Bytes that it may take more when a few keys are added.
    pub(crate) fn growth(&self) -> usize {
        let rows = |more| doubling(self.rows.len(), self.rows.capacity(), size_of::<(K, V)>(), more);
        if self.slots.len() > (self.rows.len() + FEW) * 2 {
            return rows(FEW);
        }
        // Both get twice the size.
        rows(self.rows.len() + FEW) + self.rows.len().max(FEW) * 4 * size_of::<u32>()
    }

    /// Makes room for `additional` more keys.
    pub(crate) fn reserve(&mut self, additional: usize) {
        self.rows.reserve(additional);
        let wanted = (self.rows.len() + additional).saturating_mul(2).next_power_of_two();
        if wanted <= self.slots.len() {
            return;
        }
        self.slots = empty(wanted);
        for (row, (key, _)) in self.rows.iter().enumerate() {
            put(&mut self.slots, hash_of(key), row);
        }
    }

    /// The row of a key, or the slot for it.
    fn row<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        find(&self.slots, hash_of(key), &mut |row| {
            self.rows.get(row).is_some_and(|one| one.0.borrow() == key)
        })
    }

    /// A key as it was inserted, and its value.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&(K, V)>
    where
        K: Borrow<Q>,
    {
        self.rows.get(self.row(key).ok()?)
    }

    /// True if the key is known.
    pub(crate) fn contains<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.row(key).is_ok()
    }

    /// Adds a key, or gives a known one another value; true if it is new.
    pub(crate) fn insert(&mut self, key: K, value: V) -> bool {
        if self.slots.len() < (self.rows.len() + 1) * 2 {
            self.reserve(self.rows.len().max(8));
        }
        match self.row(&key) {
            Ok(row) => {
                if let Some(one) = self.rows.get_mut(row) {
                    one.1 = value;
                }
                false
            }
            Err(place) => {
                fill(&mut self.slots, place, self.rows.len());
                self.rows.push((key, value));
                true
            }
        }
    }

    /// Forgets all keys.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.slots.fill(EMPTY);
    }
}

impl<K: Hash + Eq> Known<K> {
    /// Adds a key; true if it is new.
    pub(crate) fn add(&mut self, key: K) -> bool {
        self.insert(key, ())
    }
}

#[inline(never)]
fn empty(count: usize) -> Vec<u32> {
    vec![EMPTY; count]
}

#[inline(never)]
fn put(slots: &mut [u32], hash: u64, row: usize) {
    if let Err(place) = find(slots, hash, &mut |_| false) {
        fill(slots, place, row);
    }
}

fn fill(slots: &mut [u32], place: usize, row: usize) {
    if let Some(slot) = slots.get_mut(place) {
        *slot = super::build::row(row + 1);
    }
}

/// The first row of this hash for which `is_it` holds, or the free slot for it. At least half of the slots are free.
fn find(slots: &[u32], hash: u64, is_it: &mut dyn FnMut(usize) -> bool) -> Result<usize, usize> {
    let mask = slots.len().wrapping_sub(1);
    let mut place = usize::try_from((hash ^ (hash >> 32)) & 0xffff_ffff).unwrap_or(0) & mask;
    loop {
        match slots.get(place).and_then(|slot| slot.checked_sub(1)).map(|row| row as usize) {
            Some(row) if is_it(row) => return Ok(row),
            Some(_) => place = place.wrapping_add(1) & mask,
            None => return Err(place),
        }
    }
}

/// The same for equal values, also after the next start. Keys come from a configuration, not from the network, so
/// nobody can choose collisions.
pub(crate) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = Quick(0);
    value.hash(&mut hasher);
    hasher.finish()
}

/// A multiplication for each field, by an odd number without pattern (2^64 divided by the golden ratio).
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(n.into());
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(n.into());
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(23) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_usize(n.cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0_u32..200, 0_u8..9), 0..400)) {
            let (mut known, mut model) = (Known::default(), HashMap::new());
            for (key, value) in steps {
                if value == 8 && key < 20 {
                    known.clear();
                    model.clear();
                } else {
                    prop_assert_eq!(known.insert(key, value), model.insert(key, value).is_none());
                }
                for key in 0..200 {
                    prop_assert_eq!(known.get(&key).map(|one| &one.1), model.get(&key));
                }
            }
        }
    }

    /// Memory is asked for before it is taken.
    #[test]
    fn a_large_table_grows_by_no_more_than_it_said_before() {
        let bytes = |known: &Known<u32, u32>| known.rows.capacity() * 8 + known.slots.capacity() * 4;
        for room in [0, 1_500, 4_096, 5_000] {
            let mut known = Known::default();
            known.reserve(room);
            let mut keys = 0..20_000;
            while keys.start < 20_000 {
                let (before, said, first) = (bytes(&known), known.growth(), keys.start);
                keys.by_ref().take(FEW).for_each(|key| assert!(known.insert(key, 0)));
                let more = bytes(&known) - before;
                assert!(more <= said || first < 1_000, "room for {room}: {more} at {first}, not {said}");
            }
        }
    }
}
