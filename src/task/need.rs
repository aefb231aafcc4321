//! What a configuration takes as a whole, and what there is for it: memory is admitted before it is taken.
//!
//! The sum: the program as it is mapped, what every daemon has, the tables ([`need::tables`]), the slots of checks, TLS
//! at its worst, and what reading the next configuration takes beside the running one. [`Bounds`] is asked before each
//! step of reading, so that no allocation fails.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::load::Purpose;
use super::slots;
use crate::config::Loader;
use crate::config::counts::Counts;
use crate::director::need::{self, Row};
use crate::kernel::process::{self, Room};
#[cfg(feature = "tls")]
use crate::limits;
use crate::limits::{
    DAEMON_BYTES, MAX_LOG_BYTES, MAX_SLOTS, MAX_TLS_SESSION_BYTES, MAX_TLS_SESSIONS, PROGRAM_BYTES,
    READING_BYTES, STEP_BYTES,
};
use crate::observe::heap;

/// Rows beside those of the director.
const OTHERS: usize = 5;

/// What a configuration takes, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The director's tables.
    pub tables: [Row; 10],
    /// What else there is while it runs.
    pub others: [Row; OTHERS],
    /// The sum of both.
    pub running: usize,
    /// What reading and putting in force a configuration of the same size takes besides.
    pub reload: usize,
}

impl Need {
    /// Of what was counted, in a program of which `program` bytes are mapped without its heap.
    pub fn of(counts: &Counts, program: usize) -> Self {
        let tables = need::tables(counts);
        let sum = |rows: &[Row]| rows.iter().map(|row| row.bytes).sum::<usize>();
        let sessions = if counts.secure { counts.probes.min(MAX_TLS_SESSIONS) } else { 0 };
        let others = [
            Row::new("slots of checks", counts.probes.min(MAX_SLOTS), slots::bytes()),
            Row {
                name: "TLS sessions",
                count: sessions,
                bytes: sessions * MAX_TLS_SESSION_BYTES + besides(counts),
            },
            Row::new("log", 1, MAX_LOG_BYTES),
            Row::new("buffers and tasks", 1, DAEMON_BYTES),
            Row::new("program and stack", 1, program),
        ];
        #[cfg(feature = "tls")]
        let files = limits::TLS_FILE_COPIES * counts.files;
        #[cfg(not(feature = "tls"))]
        let files = 0;
        let building = counts.reading_peak.max(counts.reading + counts.drafts() + files);
        let reload = READING_BYTES + building.max(sum(&tables) + need::maps(counts));
        Self { running: sum(&tables) + sum(&others), tables, others, reload }
    }

    /// The most there will be at once.
    pub const fn whole(&self) -> usize {
        self.running + self.reload
    }
}

/// Bytes of TLS besides its sessions: what they share, twice while a reload replaces it; the dialogues of slots, which
/// wait for a place; our own certificates in the handshakes.
#[cfg(feature = "tls")]
fn besides(counts: &Counts) -> usize {
    if !counts.secure {
        return 0;
    }
    let dialogues = counts.probes.min(limits::MAX_TLS_SLOTS) * slots::secure_bytes();
    let own = (counts.probes.min(limits::MAX_TLS_HANDSHAKES) + limits::TLS_OWN_COPIES) * counts.own;
    2 * limits::TLS_SHARED_BYTES + dialogues + own
}

#[cfg(not(feature = "tls"))]
const fn besides(_: &Counts) -> usize {
    0
}

/// Bytes of the program that are mapped and are not its heap, as they were when this was asked first: later there are
/// holes in the heap, which it uses again.
pub fn program() -> usize {
    static PROGRAM: AtomicUsize = AtomicUsize::new(0);
    if PROGRAM.load(Ordering::Relaxed) == 0 {
        let mapped = process::status().map_or(0, |status| status.mapped);
        PROGRAM.store(mapped.checked_sub(heap::live()).unwrap_or(PROGRAM_BYTES), Ordering::Relaxed);
    }
    PROGRAM.load(Ordering::Relaxed)
}

/// What there is, while a configuration is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    room: Room,
    program: usize,
    runs: bool,
}

/// What is missing.
pub(super) struct Shortage {
    need: usize,
    /// Of it, what a reload takes; 0 where it is not known yet how much more will be needed.
    reload: usize,
    room: Room,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (need, there) = (self.need.div_ceil(1_024), self.room.bytes / 1_024);
        match self.reload {
            0 => write!(f, "needs more than {need} KiB")?,
            bytes => write!(f, "needs {need} KiB ({} of it while it is read again)", bytes / 1_024)?,
        }
        write!(f, ", {there} are there: {}", self.room.bound)
    }
}

impl Bounds {
    /// As they are now.
    pub(super) fn now(purpose: Purpose) -> Self {
        let (budget, runs) = match purpose {
            Purpose::Look => (usize::MAX, false),
            Purpose::Run(budget) => (budget, true),
        };
        Self { room: process::room(budget), program: program(), runs }
    }

    /// Bytes that are left beside all that is held.
    pub(super) fn left(&self) -> usize {
        self.room.bytes.saturating_sub(self.program + heap::live())
    }

    /// What is missing for `bytes` more, and the small things of a step of work.
    pub(super) fn further(&self, bytes: usize) -> Option<Shortage> {
        let need = self.program + heap::live() + bytes + STEP_BYTES;
        (need > self.room.bytes).then_some(Shortage { need, reload: 0, room: self.room })
    }

    /// What is missing for the tables that `loader` is about to make.
    pub(super) fn tables(&self, loader: &Loader) -> Option<Shortage> {
        self.whole(loader.counted()?)
    }

    /// What is missing to run what was counted.
    fn whole(&self, counts: &Counts) -> Option<Shortage> {
        let need = Need::of(counts, self.program);
        let short = self.runs && need.whole() > self.room.bytes;
        short.then_some(Shortage { need: need.whole(), reload: need.reload, room: self.room })
    }

    /// What is missing to run what was read, beside what is running; and the need.
    pub(super) fn read(&self, counts: &Counts) -> (usize, Option<Shortage>) {
        if !self.runs {
            return (0, None);
        }
        let need = Need::of(counts, self.program);
        let tables: usize = need.tables.iter().map(|row| row.bytes).sum();
        let more = (tables + need::maps(counts)).saturating_sub(counts.rows());
        (need.whole(), self.whole(counts).or_else(|| self.further(more)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn need_is_the_sum_of_its_rows_and_a_reload_and_a_bound_is_exact() {
        let counts =
            Counts { services: 256, destinations: 4_096, probes: 4_096, uses: 4_096, ..Counts::default() };
        let need = Need::of(&counts, 1 << 20);
        let rows: usize = need.tables.iter().chain(&need.others).map(|row| row.bytes).sum();
        assert_eq!((need.running, need.whole()), (rows, rows + need.reload));
        let bounds =
            |bytes, runs| Bounds { room: Room { bytes, bound: "ulimit -v" }, program: 1 << 20, runs };
        assert!(bounds(need.whole(), true).whole(&counts).is_none());
        let short = bounds(need.whole() - 1, true).whole(&counts).unwrap();
        let (whole, reload, there) =
            (need.whole().div_ceil(1_024), need.reload / 1_024, (need.whole() - 1) / 1_024);
        let text = format!(
            "needs {whole} KiB ({reload} of it while it is read again), {there} are there: ulimit -v"
        );
        assert_eq!(short.to_string(), text);
        assert!(bounds(1, false).whole(&counts).is_none(), "who only looks needs to read it");
        assert!(bounds(1, false).further(0).is_some());
        // TLS counts if there is any.
        let secure = Need::of(&Counts { secure: true, ..counts }, 1 << 20);
        let more = MAX_TLS_SESSIONS * MAX_TLS_SESSION_BYTES + besides(&Counts { secure: true, ..counts });
        assert_eq!(secure.running - need.running, more);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn own_certificates_and_dialogues_of_slots_count_with_tls_and_files_while_they_are_read() {
        let of = |probes, own, files| {
            let counts = Counts { secure: true, probes, own, files, ..Counts::default() };
            (besides(&counts), Need::of(&counts, 0).reload)
        };
        assert_eq!(besides(&Counts { secure: false, own: 9, ..Counts::default() }), 0);
        let (most, slot) = (limits::MAX_TLS_SLOTS, of(1, 0, 0).0 - of(0, 0, 0).0);
        assert!(slot > 512, "{slot}");
        assert_eq!(of(most, 0, 0).0 - of(most - 1, 0, 0).0, slot);
        assert_eq!(of(most + 1, 0, 0).0, of(most, 0, 0).0, "no more of them run at once");
        let copies = limits::MAX_TLS_HANDSHAKES + limits::TLS_OWN_COPIES;
        assert_eq!(of(most, 1_000, 0).0 - of(most, 0, 0).0, 1_000 * copies);
        // Where they are more than everything that stands later.
        assert_eq!(of(1, 0, 999_000).1 - of(1, 0, 990_000).1, 9_000 * limits::TLS_FILE_COPIES);
    }

    #[test]
    fn four_mebibytes_hold_4_096_real_servers() {
        let counts =
            Counts { services: 256, destinations: 4_096, probes: 4_096, uses: 4_096, ..Counts::default() };
        // Beside the program itself.
        assert!(Need::of(&counts, 0).running < 4 << 20);
    }
}
