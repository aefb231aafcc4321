//! Who follows the log or the changes of state, and is woken for news once a turn. Each reader has a cursor of its own
//! and is told what it lost: a terminal that stalls costs nobody anything.

use core::cell::{Cell, RefCell};
use core::task::{Context, Waker};

use super::reactor::store;
use crate::limits::{MAX_CLIENTS, MAX_CONSOLES, MAX_FOLLOWERS};
use crate::observe::log;

/// Tasks that may wait here: those of the control socket first, then those of terminals.
const ROWS: usize = MAX_CLIENTS + MAX_CONSOLES;

/// Who waits for news.
#[derive(Default)]
pub(super) struct Feed {
    logged: Cell<u64>,
    changed: Cell<bool>,
    wakers: RefCell<[Option<Waker>; ROWS]>,
    followers: Cell<usize>,
    /// The terminal of this row has not taken everything.
    behind: Cell<[bool; ROWS]>,
}

impl Feed {
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

    /// Has the task of this row woken by the next news.
    pub(super) fn wait(&self, row: usize, context: &Context<'_>) {
        if let Some(place) = self.wakers.borrow_mut().get_mut(row) {
            store(place, context);
        }
    }

    /// The terminal of this row has still to take so many bytes.
    pub(super) fn owe(&self, row: usize, bytes: usize) {
        let mut behind = self.behind.get();
        if let Some(place) = behind.get_mut(row) {
            *place = bytes > 0;
        }
        self.behind.set(behind);
    }

    /// True while a terminal has not taken everything.
    pub(super) fn owes(&self) -> bool {
        self.behind.get().contains(&true)
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
