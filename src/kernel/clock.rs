//! The only clock. Everything that decides receives `now` as an argument; only the loop and the log read it here.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::Instant;

/// `CLOCK_MONOTONIC`: never set, never backwards, stands still while the machine sleeps.
pub fn now() -> Instant {
    Instant::from_micros(micros(clock_gettime(ClockId::Monotonic)))
}

/// Processor time of this thread so far, its system calls included: unlike [`now`] it stands still while others run.
pub fn spent() -> Instant {
    Instant::from_micros(micros(clock_gettime(ClockId::ThreadCPUTime)))
}

/// Microseconds since 1970 by the wall clock. For people's eyes only: it jumps when someone sets it.
pub fn wall() -> u64 {
    micros(clock_gettime(ClockId::Realtime))
}

fn micros(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_run_backwards() {
        let first = now();
        assert!(now() >= first);
        assert!(first.as_micros() > 0);
    }
}
