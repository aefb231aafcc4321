//! What is followed: the log, and the changes of state. A ring each, a cursor for each reader, who is told what it
//! lost; readers are woken once a turn. A terminal that stalls costs nobody anything.

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write};
use core::task::{Context, Waker};

use super::reactor::store;
use crate::kernel::clock;
use crate::limits::{MAX_CHANGE_BYTES, MAX_CLIENTS, MAX_CONSOLES, MAX_FOLLOWERS};
use crate::observe::log;
use crate::observe::ring::{Cursor, Ring};
use crate::observe::text::{Text, Timestamp};

/// Tasks that may wait here: those of the control socket first, then those of terminals.
const ROWS: usize = MAX_CLIENTS + MAX_CONSOLES;
/// Where the time of day stands in a timestamp.
const TIME: core::ops::Range<usize> = 11..19;

/// What can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Every line.
    Log,
    /// Changes of state.
    Changes,
}

/// The changes, and who waits for news of either kind.
pub(super) struct Feed {
    changes: RefCell<Ring<MAX_CHANGE_BYTES>>,
    changed: Cell<bool>,
    logged: Cell<u64>,
    wakers: RefCell<[Option<Waker>; ROWS]>,
    followers: Cell<usize>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            changes: RefCell::new(Ring::new()),
            changed: Cell::default(),
            logged: Cell::default(),
            wakers: RefCell::default(),
            followers: Cell::default(),
        }
    }
}

impl Feed {
    /// A change of state.
    pub(super) fn change(&self, line: fmt::Arguments<'_>) {
        let mut stamp: heapless::String<32> = heapless::String::new();
        let _ = write!(stamp, "{}", Timestamp(clock::wall()));
        let mut text = Text::default();
        let _ = write!(text, "{} {line}", stamp.get(TIME).unwrap_or(""));
        self.changes.borrow_mut().write(text.finish());
        self.changed.set(true);
    }

    /// There is something to read elsewhere for those who wait here.
    pub(super) fn news(&self) {
        self.changed.set(true);
    }

    /// Wakes who waits, if there is news. True if somebody was woken.
    pub(super) fn wake(&self) -> bool {
        let written = log::figures().written_total;
        if self.logged.replace(written) == written && !self.changed.take() {
            return false;
        }
        let wakers = core::mem::take(&mut *self.wakers.borrow_mut());
        wakers.into_iter().flatten().map(Waker::wake).count() > 0
    }

    /// Behind what there is.
    pub(super) fn end(&self, topic: Topic) -> Cursor {
        match topic {
            Topic::Log => log::end(),
            Topic::Changes => self.changes.borrow().end(),
        }
    }

    /// Whole lines after the cursor: how many bytes, and how many were lost before them.
    pub(super) fn read(&self, topic: Topic, cursor: &mut Cursor, out: &mut [u8]) -> (usize, u64) {
        match topic {
            Topic::Log => log::read_lines(cursor, out),
            Topic::Changes => self.changes.borrow().read_lines(cursor, out),
        }
    }

    /// Has the task of this row woken by the next news.
    pub(super) fn wait(&self, row: usize, context: &Context<'_>) {
        if let Some(place) = self.wakers.borrow_mut().get_mut(row) {
            store(place, context);
        }
    }

    /// A place for a client that follows; false without one. To be given back by [`Self::leave`].
    pub(super) fn enter(&self) -> bool {
        let free = self.followers.get() < MAX_FOLLOWERS;
        self.followers.set(self.followers.get() + usize::from(free));
        free
    }

    /// Gives back a place.
    pub(super) fn leave(&self) {
        self.followers.set(self.followers.get().saturating_sub(1));
    }
}
