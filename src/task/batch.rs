//! How many netlink requests go into one send. The kernel works inside the call, and how long depends on what it
//! holds: one changed weight costs microseconds or a millisecond. So the size follows the processor time of the last
//! send.

use crate::limits::MAX_BATCH;
use crate::time::Duration;

/// Below this the batch grows.
const SHORT: Duration = Duration::from_millis(1);
/// Above this it shrinks: a turn may cost 2 ms.
const LONG: Duration = Duration::from_millis(2);

/// The size, 1 to [`MAX_BATCH`], or less if the socket showed that it cannot hold the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    size: usize,
    most: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self { size: 1, most: MAX_BATCH }
    }
}

impl Batch {
    /// Requests that the next send may hold while `outstanding` are unanswered.
    pub fn room(self, outstanding: usize) -> usize {
        self.size.min(self.most.saturating_sub(outstanding))
    }

    /// Answers were lost: so many do not fit the receive buffer, which will not grow. Half as many from now on.
    pub fn shrink(&mut self) {
        self.most = (self.size / 2).max(1);
        self.size = self.most;
    }

    /// The last send held `count` requests and took `time` of the processor. Only a full batch may grow: a short one
    /// proves nothing.
    pub fn sent(&mut self, count: usize, time: Duration) {
        if time > LONG {
            self.size = (self.size / 2).max(1);
        } else if time < SHORT && count >= self.size {
            self.size = (self.size * 2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: usize) -> Batch {
        Batch { size, ..Batch::default() }
    }

    #[test]
    fn the_batch_doubles_while_sends_are_short_and_stops_at_its_limit() {
        let mut batch = Batch::default();
        let sizes: Vec<usize> = (0..8)
            .map(|_| {
                let size = batch.room(0);
                batch.sent(size, Duration::from_micros(999));
                size
            })
            .collect();
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 64]);
    }

    #[test]
    fn a_long_send_halves_it_down_to_one_and_a_middling_one_leaves_it() {
        let mut batch = of(64);
        batch.sent(64, Duration::from_micros(1_500));
        assert_eq!(batch.room(0), 64);
        let sizes: Vec<usize> = (0..8)
            .map(|_| {
                batch.sent(1, Duration::from_micros(2_001));
                batch.room(0)
            })
            .collect();
        assert_eq!(sizes, [32, 16, 8, 4, 2, 1, 1, 1]);
    }

    #[test]
    fn a_send_that_was_not_full_proves_nothing() {
        let mut batch = of(8);
        batch.sent(3, Duration::from_micros(10));
        assert_eq!(batch.room(0), 8);
    }

    #[test]
    fn never_more_than_the_limit_is_outstanding() {
        assert_eq!(of(64).room(60), 4);
        assert_eq!(of(64).room(64), 0);
        assert_eq!(of(64).room(65), 0);
    }

    #[test]
    fn a_batch_whose_answers_were_lost_is_never_tried_again() {
        let mut batch = of(16);
        batch.shrink();
        for _ in 0..4 {
            batch.sent(batch.room(0), Duration::from_micros(10));
            assert_eq!(batch.room(0), 8);
        }
        (0..5).for_each(|_| batch.shrink());
        assert_eq!(batch.room(0), 1, "one request's answer always fits");
    }
}
