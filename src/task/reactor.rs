//! Readiness and time for futures: one epoll descriptor, a slab of sources and a heap of timers, all of fixed size.
//!
//! Sources are watched edge-triggered for both directions, so every operation is tried first and waited for only
//! after "would block". smol's own reactor is not used: it starts a second thread. Tables grow only in
//! [`Reactor::reserve`], which a load calls; nothing else here allocates. Wakers are taken out of the tables before
//! they are called, because dropping a task may come back to this file.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll as Answer, Waker};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use rustix::io::Errno;

use crate::director::timers::Timers;
use crate::kernel::clock;
use crate::kernel::error::Error;
use crate::kernel::poll::{Events, Poll, Readiness};
use crate::time::{Duration, Instant};

/// The kernel may end a wait late by a thousandth of its length, whatever the timer slack (`select_estimate_accuracy`
/// of `fs/select.c`): a backup that waits three seconds would take over three milliseconds late. A wait longer than
/// this is cut in two, the second part being one of [`LAST_PART`]: four times what the first can be late.
const LONG: Duration = Duration::from_millis(20);
const LAST_PART: u64 = 256;

/// The reactor. One per process, shared by everything that waits.
pub struct Reactor {
    poll: Poll,
    events: RefCell<Events>,
    sources: RefCell<Sources>,
    timers: RefCell<Sleepers>,
    woken_total: Cell<u64>,
}

#[derive(Default)]
struct Sources {
    /// Those that were used: there is room for `limit`, of which the kernel gives no pages as long as it is not used.
    slots: Vec<Slot>,
    /// Those of them that are not in use, the one that was given back last at the end.
    free: Vec<u32>,
    limit: usize,
}

#[derive(Default)]
struct Slot {
    /// Counts the users of this slot: an event that the kernel queued for an earlier one is dropped.
    generation: u32,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// What the kernel said last of writing, until it is asked for.
    decided: Option<Decided>,
}

/// How connecting ended, as far as the kernel's event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Writable and nothing else: there is a connection.
    Well,
    /// There is an error, or the connection has ended already: the socket has to be asked.
    InDoubt,
}

/// Bytes of a source and of a timer.
pub(super) const ROW: usize =
    size_of::<Slot>() + size_of::<Option<Waker>>() + 2 * size_of::<u32>() + Timers::bytes(1);

struct Sleepers {
    heap: Timers,
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
}

impl Reactor {
    /// A reactor with room for this many sources and timers.
    ///
    /// # Errors
    /// No descriptor.
    pub fn new(sources: usize, timers: usize) -> Result<Rc<Self>, Error> {
        let reactor = Self {
            poll: Poll::open()?,
            events: RefCell::default(),
            sources: RefCell::default(),
            timers: RefCell::new(Sleepers { heap: Timers::new(0), wakers: Vec::new(), free: Vec::new() }),
            woken_total: Cell::new(0),
        };
        reactor.reserve(sources, timers);
        Ok(Rc::new(reactor))
    }

    /// Makes room for this many sources and timers in all. To be called while a configuration is loaded.
    pub fn reserve(&self, sources: usize, timers: usize) {
        self.sources.borrow_mut().reserve(sources);
        self.timers.borrow_mut().reserve(timers);
    }

    /// Watches `io`, which owns its descriptor, until the returned source is dropped.
    ///
    /// # Errors
    /// `NOBUFS` if the table is full; the kernel's.
    pub fn register<T: AsFd>(self: &Rc<Self>, io: T) -> Result<Source<T>, Error> {
        let index = self.add(io.as_fd())?;
        Ok(Source { io, index, reactor: Rc::clone(self) })
    }

    /// Its place in the table. (Once for all types: inlined, each is two hundred bytes.)
    #[inline(never)]
    fn add(&self, io: BorrowedFd<'_>) -> Result<u32, Error> {
        let mut sources = self.sources.borrow_mut();
        let Some(index) = sources.claim() else {
            return Err(Error::new("watch", "descriptor: table of sources full", Errno::NOBUFS));
        };
        let generation = sources.slot(index).map_or(0, |slot| slot.generation);
        if let Err(error) = self.poll.add(io, token(index, generation)) {
            sources.free.push(index);
            return Err(error);
        }
        Ok(index)
    }

    /// A timer, not set.
    ///
    /// # Errors
    /// `NOBUFS` if the table is full.
    pub fn timer(self: &Rc<Self>) -> Result<Timer, Error> {
        let id = self.timers.borrow_mut().free.pop();
        let id = id.ok_or_else(|| Error::new("set", "timer: table of timers full", Errno::NOBUFS))?;
        Ok(Timer { id, reactor: Rc::clone(self) })
    }

    /// When the next timer is due; [`Instant::NEVER`] without one.
    pub fn next_deadline(&self) -> Instant {
        self.timers.borrow().heap.next()
    }

    /// Waits for events, for the next timer, or for `until`, whichever comes first, and wakes who waited for it.
    /// Never returns before `until` without an event, and less than a millisecond after it on an idle machine.
    ///
    /// # Errors
    /// A bug of ours.
    pub fn wait(&self, until: Instant) -> Result<(), Error> {
        let until = until.min(self.next_deadline());
        if until == Instant::NEVER {
            return self.look(None).map(drop);
        }
        let left = until.since(clock::now());
        if left > LONG && self.look(Some(left - left.divided_by(LAST_PART)))? {
            return Ok(());
        }
        self.look(Some(until.since(clock::now()))).map(drop)
    }

    /// Wakes whoever can go on now, without waiting.
    ///
    /// # Errors
    /// A bug of ours.
    pub fn glance(&self) -> Result<(), Error> {
        self.look(Some(Duration::ZERO)).map(drop)
    }

    /// Wakers called since the start.
    pub fn woken_total(&self) -> u64 {
        self.woken_total.get()
    }

    /// True if there was something.
    fn look(&self, timeout: Option<Duration>) -> Result<bool, Error> {
        let mut events = self.events.borrow_mut();
        self.poll.wait(&mut events, timeout)?;
        let mut any = false;
        for event in events.iter() {
            any = true;
            let (index, generation) = parts(event.token);
            let (reader, writer) = self.sources.borrow_mut().take(index, generation, event);
            self.wake(reader);
            self.wake(writer);
        }
        drop(events);
        let now = clock::now();
        loop {
            let mut timers = self.timers.borrow_mut();
            let Some(id) = timers.heap.pop_due(now) else { return Ok(any) };
            any = true;
            let waker = timers.wakers.get_mut(id).and_then(Option::take);
            drop(timers);
            self.wake(waker);
        }
    }

    fn wake(&self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.woken_total.set(self.woken_total.get().wrapping_add(1));
            waker.wake();
        }
    }
}

impl Sources {
    fn reserve(&mut self, count: usize) {
        if count > self.limit {
            self.limit = count;
            self.slots.reserve_exact(count - self.slots.len());
            self.free.reserve_exact(count - self.free.len());
        }
    }

    /// A place that is not in use.
    fn claim(&mut self) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            return Some(index);
        }
        let index = u32::try_from(self.slots.len()).ok().filter(|_| self.slots.len() < self.limit)?;
        self.slots.push(Slot::default());
        Some(index)
    }

    fn slot(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    fn take(&mut self, index: u32, generation: u32, event: Readiness) -> (Option<Waker>, Option<Waker>) {
        match self.slot(index) {
            Some(slot) if slot.generation == generation => {
                let reader = if event.readable { slot.reader.take() } else { None };
                if !event.writable {
                    return (reader, None);
                }
                slot.decided = Some(if event.broken { Decided::InDoubt } else { Decided::Well });
                (reader, slot.writer.take())
            }
            _ => (None, None),
        }
    }
}

impl Sleepers {
    fn reserve(&mut self, count: usize) {
        let held = self.wakers.len();
        if count <= held {
            return;
        }
        let mut heap = Timers::new(count);
        for id in 0..held {
            if let Some(at) = self.heap.deadline(id) {
                heap.set(id, at);
            }
        }
        self.heap = heap;
        self.wakers.reserve_exact(count - held);
        self.wakers.resize(count, None);
        self.free.reserve_exact(count - self.free.len());
        self.free.extend((held..count).rev().filter_map(|id| u32::try_from(id).ok()));
    }
}

fn token(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}

fn parts(token: u64) -> (u32, u32) {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0);
    (half(token), half(token >> 32))
}

/// A descriptor that is watched. Dropping it closes it, and with that the kernel ends the watch (epoll(7)).
pub struct Source<T: AsFd> {
    io: T,
    index: u32,
    reactor: Rc<Reactor>,
}

impl<T: AsFd> Source<T> {
    /// The descriptor's owner.
    pub const fn io(&self) -> &T {
        &self.io
    }

    /// Tries `operation`; if it would block, `context` is woken when reading may succeed.
    ///
    /// # Errors
    /// The operation's.
    pub fn poll_read<R>(
        &self,
        context: &Context<'_>,
        operation: impl FnOnce(&T) -> Result<R, Errno>,
    ) -> Answer<Result<R, Errno>> {
        match operation(&self.io) {
            Err(Errno::WOULDBLOCK) => {
                self.wake_when_readable(context);
                Answer::Pending
            }
            done => Answer::Ready(done),
        }
    }

    /// Tries `operation`; if it would block, `context` is woken when writing may succeed.
    ///
    /// # Errors
    /// The operation's.
    pub fn poll_write<R>(
        &self,
        context: &Context<'_>,
        operation: impl FnOnce(&T) -> Result<R, Errno>,
    ) -> Answer<Result<R, Errno>> {
        match operation(&self.io) {
            Err(Errno::WOULDBLOCK) => {
                self.remember(context, |slot| &mut slot.writer);
                Answer::Pending
            }
            done => Answer::Ready(done),
        }
    }

    /// How connecting went, once the kernel has said that it is decided; until then `context` is woken at it. A socket
    /// that is watched from the moment it began to connect is not writable before (`tcp_poll` in net/ipv4/tcp.c), so
    /// that in the usual case no system call asks for what the event has said.
    pub fn poll_decided(&self, context: &Context<'_>) -> Answer<Decided> {
        let decided = self.reactor.sources.borrow_mut().slot(self.index).and_then(|slot| slot.decided.take());
        if let Some(decided) = decided {
            return Answer::Ready(decided);
        }
        self.remember(context, |slot| &mut slot.writer);
        Answer::Pending
    }

    /// Wakes `context` at the next change of readability. The caller has met "would block".
    pub fn wake_when_readable(&self, context: &Context<'_>) {
        self.remember(context, |slot| &mut slot.reader);
    }

    /// Repeats `operation` until it does not block.
    ///
    /// # Errors
    /// The operation's.
    pub async fn read<R>(&self, mut operation: impl FnMut(&T) -> Result<R, Errno>) -> Result<R, Errno> {
        poll_fn(|context| self.poll_read(context, &mut operation)).await
    }

    fn remember(&self, context: &Context<'_>, place: impl FnOnce(&mut Slot) -> &mut Option<Waker>) {
        if let Some(slot) = self.reactor.sources.borrow_mut().slot(self.index) {
            store(place(slot), context);
        }
    }
}

impl<T: AsFd> Drop for Source<T> {
    fn drop(&mut self) {
        let mut sources = self.reactor.sources.borrow_mut();
        let Some(slot) = sources.slot(self.index) else { return };
        slot.generation = slot.generation.wrapping_add(1);
        slot.decided = None;
        let wakers = (slot.reader.take(), slot.writer.take());
        sources.free.push(self.index);
        drop(sources);
        drop(wakers);
    }
}

/// A timer of one task.
pub struct Timer {
    id: u32,
    reactor: Rc<Reactor>,
}

impl Timer {
    /// Ready at `at` or later; until then `context` is woken at it. Polling again with another instant moves it.
    pub fn poll_until(&self, context: &Context<'_>, at: Instant) -> Answer<()> {
        if clock::now() >= at {
            self.cancel();
            return Answer::Ready(());
        }
        let mut timers = self.reactor.timers.borrow_mut();
        timers.heap.set(self.index(), at);
        if let Some(place) = timers.wakers.get_mut(self.index()) {
            store(place, context);
        }
        Answer::Pending
    }

    /// Sleeps until `at`.
    pub async fn until(&self, at: Instant) {
        poll_fn(|context| self.poll_until(context, at)).await;
    }

    /// Stops the timer.
    pub fn cancel(&self) {
        let mut timers = self.reactor.timers.borrow_mut();
        timers.heap.cancel(self.index());
        let waker = timers.wakers.get_mut(self.index()).and_then(Option::take);
        drop(timers);
        drop(waker);
    }

    fn index(&self) -> usize {
        usize::try_from(self.id).unwrap_or(usize::MAX)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
        self.reactor.timers.borrow_mut().free.push(self.id);
    }
}

/// Replaces a waker unless it is the same.
pub fn store(place: &mut Option<Waker>, context: &Context<'_>) {
    if !place.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
        *place = Some(context.waker().clone());
    }
}

#[cfg(test)]
mod tests;
