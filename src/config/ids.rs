//! Dense identifiers: each is an index into one table of a [`Config`](super::Config) and means nothing without it.
//!
//! A service's destinations, an instance's addresses and a destination's probes are contiguous, so a [`Range`] of
//! ids stands for a list without allocating one.

use core::marker::PhantomData;

/// An index into a table of the configuration.
pub trait Id: Copy + Eq + Ord + core::fmt::Debug {
    /// The id of row `index`. Tables hold at most `u32::MAX` rows; a larger index saturates and finds no row.
    fn from_index(index: usize) -> Self;
    /// The row.
    fn index(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u32);

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// An interface named by the configuration.
    LinkId;
    /// A VRRP instance: one virtual router as seen by this box.
    InstanceId;
    /// A group of instances that change their states together.
    GroupId;
    /// A group of hosts that are pinged.
    PingGroupId;
    /// A variable of the console that instances track.
    VariableId;
    /// A route that instances track.
    TrackedRouteId;
    /// A virtual address of an instance.
    AddressId;
    /// A route, virtual or static.
    RouteId;
    /// A routing rule, virtual or static.
    RuleId;
    /// A virtual service.
    ServiceId;
    /// A real server or a sorry server in one service.
    DestinationId;
    /// A deduplicated probe of one target.
    ProbeId;
}

/// The ids `start..end` of one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range<T> {
    start: u32,
    end: u32,
    kind: PhantomData<T>,
}

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self { start: 0, end: 0, kind: PhantomData }
    }
}

impl<T: Id> Range<T> {
    /// The rows from `start` up to but not including `end`.
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end).max(clamp(start)), kind: PhantomData }
    }

    /// How many rows.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// True without rows.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The ids in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + Clone {
        (self.start as usize..self.end as usize).map(T::from_index)
    }

    /// The rows as a slice range, for `table.get(range.rows())`.
    pub fn rows(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The `nth` id of the range.
    pub fn nth(self, nth: usize) -> Option<T> {
        (nth < self.len()).then(|| T::from_index(self.start as usize + nth))
    }

    /// True if `id` is one of the rows.
    pub fn contains(self, id: T) -> bool {
        self.rows().contains(&id.index())
    }
}
