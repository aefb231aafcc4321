//! The journal's way into the log: records become lines once a turn, at most [`BURST`] of them.

use super::meter::Work;
use super::shell::Shell;
use crate::console::lines::{self, Severity};
use crate::director::Director;
use crate::director::journal::Record;
use crate::limits::MAX_RECORDS;
use crate::observe::log as logger;

/// Records that become lines in one turn; the ring holds sixteen times as many.
const BURST: usize = 64;

/// Unread records up to which lines wait while addresses are announced: three quarters of the ring.
const HURRY: u64 = MAX_RECORDS as u64 * 3 / 4;

/// Logs what is new, unless addresses are being announced: their neighbours wait, readers of the log do not, as long as
/// the ring has room. True if there is more.
pub(super) fn follow(shell: &Shell) -> bool {
    if !shell.director.borrow().is_announcing() {
        return drain(shell);
    }
    while unread(shell) >= HURRY {
        drain(shell);
    }
    true
}

fn unread(shell: &Shell) -> u64 {
    shell.director.borrow().journal().unread(&shell.journal.get())
}

/// Logs what is new. True if there is more.
pub(super) fn drain(shell: &Shell) -> bool {
    let director = shell.director.borrow();
    let mut cursor = shell.journal.get();
    let Some(first) = director.journal().read(&mut cursor) else { return false };
    let more = shell.meter.measure(Work::Log, || {
        let _together = logger::Sheaf::new();
        let rest = core::iter::from_fn(|| director.journal().read(&mut cursor));
        let mut count = 0;
        for (lost, record) in core::iter::once(first).chain(rest).take(BURST) {
            if lost > 0 {
                log::warn!("{lost} events were lost before they could be logged");
            }
            say(&director, &record);
            count += 1;
        }
        count == BURST
    });
    shell.journal.set(cursor);
    more
}

/// Logs everything: before a reload, because records hold ids of the configuration they were made under.
pub(super) fn drain_all(shell: &Shell) {
    while drain(shell) {}
}

fn say(director: &Director, record: &Record) {
    let target = if lines::is_change(&record.reason) { logger::CHANGE } else { "" };
    lines::tell(director, record, &mut |severity, text| {
        let level = match severity {
            Severity::Info => log::Level::Info,
            Severity::Warning => log::Level::Warn,
            Severity::Error => log::Level::Error,
        };
        log::log!(target: target, level, "{text}");
    });
}
