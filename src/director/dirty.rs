//! A set of dense ids: a three-level bitset. Insert is O(1); `pop` goes through the ids in order from where it last
//! stopped, so that everyone gets a turn and a list is served in the order of the configuration.

use core::ops::Range;

/// Ids below the capacity given at creation, at most 262,144.
#[derive(Debug)]
pub(crate) struct DirtySet {
    leaves: Box<[u64]>,
    branches: Box<[u64]>,
    root: u64,
    cursor: usize,
}

impl DirtySet {
    /// Bytes of a set of ids `0..capacity`.
    pub(crate) const fn bytes(capacity: usize) -> usize {
        let leaves = capacity.div_ceil(64);
        (leaves + leaves.div_ceil(64)) * size_of::<u64>()
    }

    /// An empty set of ids `0..capacity`.
    pub(crate) fn new(capacity: usize) -> Self {
        let leaves = capacity.div_ceil(64);
        Self {
            leaves: vec![0; leaves].into_boxed_slice(),
            branches: vec![0; leaves.div_ceil(64)].into_boxed_slice(),
            root: 0,
            cursor: 0,
        }
    }

    /// Adds all of `ids`, which are within the capacity.
    pub(crate) fn insert_all(&mut self, ids: Range<usize>) {
        fn ones(words: &mut [u64], (start, end): (usize, usize)) {
            for (word, from) in words.iter_mut().zip((0..end).step_by(64)).skip(start / 64) {
                *word |=
                    u64::MAX << start.saturating_sub(from) & u64::MAX >> 64_usize.saturating_sub(end - from);
            }
        }
        if ids.is_empty() {
            return;
        }
        debug_assert!(ids.end <= self.leaves.len() * 64, "ids up to {} beyond the set", ids.end);
        let above = |(start, end): (usize, usize)| (start / 64, end.div_ceil(64));
        let ids = (ids.start, ids.end);
        ones(&mut self.leaves, ids);
        ones(&mut self.branches, above(ids));
        ones(core::slice::from_mut(&mut self.root), above(above(ids)));
    }

    /// Adds `id`; an id beyond the capacity is a bug of ours and ignored.
    pub(crate) fn insert(&mut self, id: usize) {
        let (leaf, branch) = (id / 64, id / 4096);
        let Some(word) = self.leaves.get_mut(leaf) else {
            debug_assert!(false, "id {id} beyond the set");
            return;
        };
        *word |= 1 << (id % 64);
        if let Some(word) = self.branches.get_mut(branch) {
            *word |= 1 << (leaf % 64);
        }
        self.root |= 1 << (branch % 64);
    }

    /// Takes `id` out.
    pub(crate) fn remove(&mut self, id: usize) {
        let (leaf, branch) = (id / 64, id / 4096);
        let Some(word) = self.leaves.get_mut(leaf) else { return };
        *word &= !(1 << (id % 64));
        if *word == 0
            && let Some(word) = self.branches.get_mut(branch)
        {
            *word &= !(1 << (leaf % 64));
            if *word == 0 {
                self.root &= !(1 << (branch % 64));
            }
        }
    }

    /// True if `id` is in the set.
    pub(crate) fn contains(&self, id: usize) -> bool {
        self.leaves.get(id / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    /// True without ids.
    pub(crate) fn is_empty(&self) -> bool {
        self.root == 0
    }

    /// The smallest id in the set that is not below `from`.
    pub(crate) fn next_from(&self, from: usize) -> Option<usize> {
        let leaf = from / 64;
        let found = above(*self.leaves.get(leaf)?, from % 64);
        if let Some(bit) = found {
            return Some(leaf * 64 + bit);
        }
        let branch = leaf / 64;
        let leaf = match self.branches.get(branch).and_then(|word| above(*word, leaf % 64 + 1)) {
            Some(bit) => branch * 64 + bit,
            None => {
                let branch = above(self.root, branch + 1)?;
                branch * 64 + above(*self.branches.get(branch)?, 0)?
            }
        };
        Some(leaf * 64 + above(*self.leaves.get(leaf)?, 0)?)
    }

    /// True if the set holds an id of `range`.
    pub(crate) fn any_in(&self, range: Range<usize>) -> bool {
        self.next_from(range.start).is_some_and(|id| id < range.end)
    }

    /// Takes out the next id behind the one taken last, wrapping around.
    pub(crate) fn pop(&mut self) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let id = self.next_from(self.cursor).or_else(|| self.next_from(0))?;
        self.remove(id);
        self.cursor = id + 1;
        Some(id)
    }

    /// The next id at or behind the place where [`Self::pop`] last stopped for which `accept` says yes. `accept` may
    /// say from where to go on instead, which must be further on. Nothing is taken out.
    pub(crate) fn peek(&self, accept: impl Fn(usize) -> Result<(), usize>) -> Option<usize> {
        let search = |mut from: usize, to: usize| {
            while let Some(id) = self.next_from(from).filter(|id| *id < to) {
                match accept(id) {
                    Ok(()) => return Some(id),
                    Err(next) => from = next.max(id + 1),
                }
            }
            None
        };
        search(self.cursor, usize::MAX).or_else(|| search(0, self.cursor))
    }

    /// Takes out `id` as if [`Self::pop`] had chosen it.
    pub(crate) fn take(&mut self, id: usize) {
        self.remove(id);
        self.cursor = id + 1;
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) {
        self.leaves.fill(0);
        self.branches.fill(0);
        self.root = 0;
    }
}

/// The lowest bit of `word` at or above `from`.
fn above(word: u64, from: usize) -> Option<usize> {
    let masked = if from >= 64 { 0 } else { word & (u64::MAX << from) };
    (masked != 0).then(|| masked.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn pop_serves_in_order_and_gives_everyone_a_turn() {
        let mut set = DirtySet::new(10_000);
        for id in [5, 4_097, 9_999, 0] {
            set.insert(id);
        }
        assert_eq!((set.pop(), set.pop()), (Some(0), Some(5)));
        set.insert(0);
        assert_eq!((set.pop(), set.pop(), set.pop(), set.pop()), (Some(4_097), Some(9_999), Some(0), None));
    }

    #[test]
    fn peek_goes_on_where_pop_stopped_and_skips_what_is_not_accepted() {
        let mut set = DirtySet::new(10_000);
        [1, 2, 3, 5_000].into_iter().for_each(|id| set.insert(id));
        assert_eq!((set.pop(), set.peek(|_| Ok(()))), (Some(1), Some(2)));
        assert_eq!(set.peek(|id| if id >= 5_000 { Ok(()) } else { Err(4) }), Some(5_000));
        set.take(5_000);
        assert_eq!(set.peek(|id| if id == 3 { Ok(()) } else { Err(0) }), Some(3), "around the end");
        assert_eq!(set.peek(|_| Err(0)), None);
        set.take(2);
        assert_eq!((set.pop(), set.pop()), (Some(3), None));
    }

    #[test]
    fn a_range_is_added_and_nothing_else() {
        for count in [0, 1, 63, 64, 65, 4_095, 4_096, 4_097, 65_536] {
            for start in [0, 1, 63, 64, 4_095, 4_097].into_iter().filter(|start| *start <= count) {
                let mut set = DirtySet::new(count);
                set.insert_all(start..count);
                assert_eq!(set.is_empty(), start == count);
                assert!(core::iter::from_fn(|| set.pop()).eq(start..count), "{start}..{count}");
                assert!(set.is_empty());
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((0_usize..65_536, 0..4_u8), 0..300)) {
            let (mut set, mut model) = (DirtySet::new(65_536), BTreeSet::new());
            for (id, what) in steps {
                match what {
                    0 => { set.insert(id); model.insert(id); }
                    1 => { set.remove(id); model.remove(&id); }
                    2 => {
                        let ids = id..65_536.min(id + id % 200);
                        set.insert_all(ids.clone());
                        model.extend(ids);
                    }
                    _ => prop_assert_eq!(set.next_from(id), model.range(id..).next().copied()),
                }
                prop_assert_eq!(set.contains(id), model.contains(&id));
                prop_assert_eq!(set.is_empty(), model.is_empty());
            }
            let mut left: Vec<_> = core::iter::from_fn(|| set.pop()).collect();
            left.sort_unstable();
            prop_assert_eq!(left, model.into_iter().collect::<Vec<_>>());
        }
    }
}
