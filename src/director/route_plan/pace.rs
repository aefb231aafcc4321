//! How often the table is looked at because somebody else changed a route in the place of one of ours: a routing daemon
//! may do so many times a second, and each look lists the whole table.

use crate::time::{Duration, Instant};

const LEAST_GAP: Duration = Duration::from_secs(1);

/// When the table was or will be looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace(Option<Instant>);

impl Pace {
    /// When to look because of what happened now: at once, but not sooner than a second after the last time.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        let at = self.0.map_or(now, |last| if last > now { last } else { now.max(last + LEAST_GAP) });
        self.0 = Some(at);
        at
    }
}
