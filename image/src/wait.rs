//! Waiting for a condition with a deadline; the only place where a test sleeps. The bench does for itself: its windows.
//!
//! A test never waits for a fixed time: it names what it waits for, and the name is the message when it never comes.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(10);

/// Waits until `probe` gives a value, and returns it.
///
/// # Panics
/// If that takes longer than `within`; the message carries `what`.
#[track_caller]
pub fn until<T>(what: &str, within: Duration, probe: impl FnMut() -> Option<T>) -> T {
    match maybe(within, probe) {
        Some(value) => value,
        None => panic!("waited {within:?} in vain for {what}"),
    }
}

/// Waits until `probe` gives a value, or `None` after `within`.
pub fn maybe<T>(within: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + within;
    loop {
        // The clock is read before the probe: a probe that is itself slow still gets its last look.
        let last = Instant::now() >= end;
        if let Some(value) = probe() {
            return Some(value);
        }
        if last {
            return None;
        }
        sleep(PERIOD);
    }
}

/// Watches for `span` that `holds` stays true, for what must not happen.
///
/// # Panics
/// As soon as it does not hold; the message carries `what`.
#[track_caller]
pub fn steady(what: &str, span: Duration, mut holds: impl FnMut() -> bool) {
    if maybe(span, || (!holds()).then_some(())).is_some() {
        panic!("did not hold for {span:?}: {what}");
    }
}

/// Seconds, for short calls.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_holds_fails_with_its_name() {
        let failure =
            std::panic::catch_unwind(|| until("the moon", Duration::from_millis(20), || None::<()>));
        let text = *failure.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("the moon"), "{text}");
    }

    #[test]
    fn a_condition_that_stops_holding_is_seen() {
        let mut left = 2;
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            steady("two looks", secs(5), || {
                left -= 1;
                left > 0
            });
        }));
        assert!(seen.is_err());
    }
}
