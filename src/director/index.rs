//! Keys to dense ids: open addressing over a table that is built once. Keys stay in their own table; the index holds
//! ids only, and equality is asked of the caller.

use core::hash::Hash;

use crate::config::known::hash_of;

/// Of a slot; others hold the id and 1 more. Zeroes come from the system as they are, a page when it is touched.
const EMPTY: u32 = 0;

/// Ids by the hash of their key.
#[derive(Debug)]
pub(crate) struct Index {
    slots: Box<[u32]>,
}

impl Index {
    /// Bytes of an index for `capacity` ids.
    pub(crate) const fn bytes(capacity: usize) -> usize {
        (capacity * 2).next_power_of_two() * size_of::<u32>()
    }

    /// Room for `capacity` ids at a load of at most one half.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { slots: vec![EMPTY; (capacity * 2).next_power_of_two()].into_boxed_slice() }
    }

    /// Adds `id`, whose key is `key`. The caller adds each id once.
    pub(crate) fn insert(&mut self, key: &impl Hash, id: u32) {
        for place in self.places(key) {
            if let Some(slot) = self.slots.get_mut(place).filter(|slot| **slot == EMPTY) {
                *slot = id.wrapping_add(1);
                return;
            }
        }
        debug_assert!(false, "index is full");
    }

    /// The first id of `key` for which `is_it` holds.
    pub(crate) fn find(&self, key: &impl Hash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.places(key)
            .filter_map(|place| self.slots.get(place).copied())
            .map_while(|slot| slot.checked_sub(1))
            .find(|id| is_it(*id))
    }

    /// Places to look at, in order.
    fn places<K: Hash>(&self, key: &K) -> impl Iterator<Item = usize> + use<K> {
        let (mask, start) = (self.slots.len() - 1, hash_of(key));
        let start = usize::try_from((start ^ (start >> 32)) & 0xffff_ffff).unwrap_or(0);
        (0..=mask).map(move |step| start.wrapping_add(step) & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_no_other() {
        let keys: Vec<u32> = (0..1_000).map(|n| n * 7).collect();
        let mut index = Index::new(keys.len());
        for (id, key) in (0..).zip(&keys) {
            index.insert(key, id);
        }
        let find = |key: u32| index.find(&key, |id| keys.get(id as usize) == Some(&key));
        assert!((0..1_000).all(|id| find(id * 7) == Some(id)));
        assert_eq!(find(1), None);
    }
}
