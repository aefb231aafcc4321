//! When checks begin: spread over their interval, and in company of others, so that few wake-ups make many of them.

use crate::time::{Duration, Instant};

/// Checks that are repeated begin at whole multiples of one of these since the start of the clock, so that those which
/// are due within a few milliseconds share a wake-up: waking is half of what a check costs. Each is a multiple of the
/// next, so that checks of different intervals meet as well. The nearest one counts: 10 ms late or early at most, and a
/// check that is over sooner than that is made exactly once an interval.
const GRAINS: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(10),
    Duration::from_millis(5),
    Duration::from_millis(1),
];

/// The instant next to `at` at which others begin, too; it differs from `at` by half a hundredth of `interval` at most.
pub(super) fn in_company(at: Instant, interval: Duration) -> Instant {
    let Some(grain) = GRAINS.into_iter().find(|grain| grain.times(100) <= interval) else { return at };
    let (micros, grain) = (at.since(Instant::ZERO).as_micros(), grain.as_micros());
    Instant::from_micros((micros + grain / 2) / grain * grain)
}

/// A share of `window` that differs from probe to probe: multiples of the golden ratio are spread evenly however
/// many there are.
pub(super) fn spread(id: usize, window: Duration) -> Duration {
    let fraction = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    Duration::from_micros(window.as_micros().saturating_mul(fraction) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_moved_by_half_a_hundredth_of_its_interval_at_most() {
        for (millis, most) in [(50, 0), (100, 500), (500, 2_500), (1_000, 5_000), (60_000, 10_000)] {
            for micros in (0..60_000).step_by(37).map(|micros| 7_000_000 + micros) {
                let wanted = Instant::from_micros(micros);
                let got = in_company(wanted, Duration::from_millis(millis));
                let moved = got.since(wanted).max(wanted.since(got)).as_micros();
                assert!(moved <= most, "{millis} ms: {moved} us");
            }
        }
    }
}
