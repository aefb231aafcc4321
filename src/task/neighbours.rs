//! Whose fault a timeout is: while the kernel refuses neighbours, or drops packets because it cannot track more
//! connections, packets to healthy servers vanish on this side and connections stay on their way for ever.
//!
//! Asked only after a check timed out, and at most once a second. A rise since the last question makes timeouts ours
//! for as long as a dialogue usually takes; the check is made again a second later, so one doubtful rise costs no
//! verdict.

use core::net::SocketAddr;

use crate::check::{Failure, Transport, Verdict};
use crate::config::model::Probe;
use crate::kernel::{neighbours, tracked};
use crate::time::{Duration, Instant};
use crate::wire::errno::TRACKED_FULL;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a rise explains timeouts.
const MEMORY: Duration = Duration::from_secs(10);
/// `EOVERFLOW`, which no call on a socket of ours returns: the neighbour table is full.
const FULL: u16 = 75;

/// What is known of one table.
#[derive(Debug, Default)]
struct Table {
    refused_total: Option<u64>,
    asked_at: Option<Instant>,
    full_until: Option<Instant>,
}

/// What is known of all: neighbours of IPv4, of IPv6, and tracked connections.
#[derive(Debug, Default)]
pub(super) struct Neighbours([Table; 3]);

/// Asks how often a table was full.
type Ask = fn() -> Option<u64>;

/// Whom to ask about each, and the number of that trouble.
const TABLES: [(Ask, u16); 3] =
    [(|| refused_total(false), FULL), (|| refused_total(true), FULL), (tracked::dropped_total, TRACKED_FULL)];

impl Neighbours {
    /// Takes the figures from which a rise counts.
    pub(super) fn begin(&mut self) {
        for (table, (ask, _)) in self.0.iter_mut().zip(TABLES) {
            table.refused_total = table.refused_total.or_else(ask);
        }
    }

    /// The verdict, or that it is none.
    pub(super) fn judge(&mut self, now: Instant, probe: &Probe, verdict: Verdict) -> Verdict {
        let transport = probe.checker.form().transport;
        let silent = match verdict {
            Verdict::Fail(Failure::ConnectTimeout) => true,
            Verdict::Fail(Failure::Deadline) => !matches!(transport, Transport::Stream { .. }),
            Verdict::Fail(_) | Verdict::Pass { .. } | Verdict::Local { .. } => false,
        };
        let full = if silent { self.full(now, probe.target()) } else { None };
        full.map_or(verdict, |errno| Verdict::Local { errno })
    }

    /// The number of the first table that is full and matters for a target.
    fn full(&mut self, now: Instant, target: SocketAddr) -> Option<u16> {
        let others = usize::from(target.is_ipv4());
        let mut tables = self.0.iter_mut().zip(TABLES).enumerate().filter(|(place, _)| *place != others);
        tables.find_map(|(_, (table, (ask, errno)))| {
            if table.asked_at.is_none_or(|at| now.since(at) >= PAUSE) {
                table.take(now, ask());
            }
            table.full_until.is_some_and(|until| now < until).then_some(errno)
        })
    }
}

impl Table {
    fn take(&mut self, now: Instant, refused_total: Option<u64>) {
        self.asked_at = Some(now);
        if self.refused_total.zip(refused_total).is_some_and(|(before, after)| after > before) {
            self.full_until = Some(now + MEMORY);
        }
        self.refused_total = refused_total.or(self.refused_total);
    }
}

fn refused_total(ipv6: bool) -> Option<u64> {
    // Without an answer nothing is known to be our fault.
    neighbours::figures(ipv6).ok().flatten().map(|figures| figures.refused_total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_since_the_last_question_makes_timeouts_ours_for_ten_seconds() {
        let (mut table, start) = (Table::default(), Instant::from_micros(1_000_000));
        let full = |table: &Table, now| table.full_until.is_some_and(|until| now < until);
        table.take(start, Some(7));
        assert!(!full(&table, start), "the first figure is no rise");
        table.take(start + PAUSE, Some(7));
        assert!(!full(&table, start + PAUSE));
        table.take(start + PAUSE.times(2), Some(8));
        assert!(full(&table, start + PAUSE.times(11)) && !full(&table, start + PAUSE.times(12)));
        table.take(start + PAUSE.times(13), None);
        table.take(start + PAUSE.times(14), Some(8));
        assert!(!full(&table, start + PAUSE.times(14)), "what was not answered changes nothing");
    }
}
