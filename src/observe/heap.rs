//! The counting allocator: the system's, with three counters. Bounded memory is a promise, so it is measured all
//! the time and not only in tests. The second home of `unsafe` besides `kernel::sys`.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};

/// Counts, then asks the system.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Figures of the heap since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap {
    /// Bytes that are allocated now, as asked for (the system's overhead not included).
    pub live: usize,
    /// The most there ever were.
    pub peak: usize,
    /// Calls that allocated or grew.
    pub allocations_total: usize,
}

/// The figures now.
pub fn figures() -> Heap {
    Heap {
        live: LIVE.load(Ordering::Relaxed),
        peak: PEAK.load(Ordering::Relaxed),
        allocations_total: TOTAL.load(Ordering::Relaxed),
    }
}

/// Bytes that are allocated now.
pub fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

fn took(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    PEAK.fetch_max(live, Ordering::Relaxed);
    TOTAL.fetch_add(1, Ordering::Relaxed);
}

fn gave(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::Relaxed);
}

// SAFETY: every call is handed unchanged to the system's allocator, whose contract is the same; the counters touch
// no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            took(layout.size());
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            took(layout.size());
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) };
        gave(layout.size());
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if !moved.is_null() {
            gave(layout.size());
            took(size);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Other tests allocate at the same time, so the block is larger than all they do together.
    const BLOCK: usize = 1 << 30;

    #[test]
    fn allocated_bytes_are_counted_and_given_back() {
        let before = figures();
        let block: Vec<u8> = Vec::with_capacity(BLOCK);
        let during = figures();
        assert!(during.live > BLOCK && during.live >= before.live + BLOCK / 2);
        assert!(during.peak > BLOCK);
        assert!(during.allocations_total > before.allocations_total);
        drop(block);
        assert!(live() < BLOCK);
    }
}
