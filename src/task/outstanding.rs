//! Requests that the kernel has not answered: which sequence number belongs to which action, and since when.
//!
//! At most [`MAX_BATCH`] requests and one dump. The kernel works on requests in the order in which they were sent and
//! answers every failure (`netlink_rcv_skb` in net/netlink/af_netlink.c), so an answer to one says of all before it
//! that they were carried out. A number is never given twice in a row of 2^32: an answer that comes after its request
//! was given up finds nothing.

use heapless::Deque;

use crate::director::action::Action;
use crate::limits::MAX_BATCH;
use crate::time::{Duration, Instant};

/// A request without an answer for this long is taken for lost.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The table of one socket.
#[derive(Debug, Default)]
pub struct Outstanding {
    /// The oldest first.
    requests: Deque<Request, MAX_BATCH>,
    dump: Option<Dump>,
    count: u32,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    seq: u32,
    action: Action,
    sent_at: Instant,
}

/// The running dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dump {
    /// Its sequence number.
    pub seq: u32,
    /// What asked for it.
    pub action: Action,
    /// The last sign of life.
    pub heard_at: Instant,
    /// What it showed so far cannot be trusted to be all.
    pub flawed: bool,
}

impl Outstanding {
    /// Requests without an answer.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// True if every request was answered. The dump does not count.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// A sequence number for `action`; `None` if the table is full.
    pub fn begin(&mut self, now: Instant, action: Action) -> Option<u32> {
        let seq = self.next_seq();
        self.requests.push_back(Request { seq, action, sent_at: now }).ok().map(|()| seq)
    }

    /// Takes the request back that was begun last: it was not sent.
    pub fn take_back(&mut self) -> Option<Action> {
        self.requests.pop_back().map(|request| request.action)
    }

    /// True while the request of this number has no answer.
    pub fn has(&self, seq: u32) -> bool {
        self.requests.iter().any(|request| request.seq == seq)
    }

    /// The oldest request: its number and its action.
    pub fn pop(&mut self) -> Option<(u32, Action)> {
        self.requests.pop_front().map(|request| (request.seq, request.action))
    }

    /// The next action that will not be answered: one sent more than [`PATIENCE`] ago.
    pub fn pop_overdue(&mut self, now: Instant) -> Option<Action> {
        self.requests.front().filter(|request| now >= request.sent_at + PATIENCE)?;
        self.pop().map(|(_, action)| action)
    }

    /// When the first request or the dump is overdue.
    pub fn next_deadline(&self) -> Instant {
        let request = self.requests.front().map(|request| request.sent_at);
        let dump = self.dump.map(|dump| dump.heard_at);
        request.into_iter().chain(dump).min().map_or(Instant::NEVER, |sent_at| sent_at + PATIENCE)
    }

    /// A sequence number for a dump; `None` while one is running.
    pub fn begin_dump(&mut self, now: Instant, action: Action) -> Option<u32> {
        if self.dump.is_some() {
            return None;
        }
        let seq = self.next_seq();
        self.dump = Some(Dump { seq, action, heard_at: now, flawed: false });
        Some(seq)
    }

    /// The running dump, if `seq` is its number.
    pub fn dump(&mut self, seq: u32) -> Option<&mut Dump> {
        self.dump.as_mut().filter(|dump| dump.seq == seq)
    }

    /// True while a dump is running.
    pub const fn is_dumping(&self) -> bool {
        self.dump.is_some()
    }

    /// Ends the dump.
    pub fn end_dump(&mut self) -> Option<Dump> {
        self.dump.take()
    }

    /// Ends the dump if nothing was heard of it for [`PATIENCE`].
    pub fn end_overdue_dump(&mut self, now: Instant) -> Option<Dump> {
        self.dump.take_if(|dump| now >= dump.heard_at + PATIENCE)
    }

    /// Zero is the number of notifications.
    fn next_seq(&mut self) -> u32 {
        self.count = self.count.wrapping_add(1).max(1);
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ids::AddressId;
    use crate::director::action::{AddressRef, Epoch};

    fn action(id: u32) -> Action {
        Action::AddAddress { epoch: Epoch(1), address: AddressRef::Configured(AddressId(id)) }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn requests_come_back_once_the_oldest_first() {
        let mut table = Outstanding::default();
        let seqs: Vec<(u32, Action)> =
            (0..64).map(|id| (table.begin(at(0), action(id)).unwrap(), action(id))).collect();
        assert_eq!(table.begin(at(0), action(64)), None, "the 65th is refused");
        for (seq, action) in &seqs {
            assert!(table.has(*seq));
            assert_eq!(table.pop(), Some((*seq, *action)));
            assert!(!table.has(*seq));
        }
        assert!(table.is_empty());
    }

    #[test]
    fn what_was_not_sent_is_taken_back_and_the_others_stay() {
        let mut table = Outstanding::default();
        let first = table.begin(at(0), action(1)).unwrap();
        table.begin(at(0), action(2)).unwrap();
        assert_eq!(table.take_back(), Some(action(2)));
        let third = table.begin(at(0), action(3)).unwrap();
        assert_eq!((table.pop(), table.pop()), (Some((first, action(1))), Some((third, action(3)))));
    }

    #[test]
    fn a_late_answer_does_not_settle_the_next_request() {
        let mut table = Outstanding::default();
        let old = table.begin(at(0), action(1)).unwrap();
        assert_eq!(table.pop_overdue(at(1_999)), None);
        assert_eq!(table.next_deadline(), at(2_000));
        assert_eq!(table.pop_overdue(at(2_000)), Some(action(1)));
        let new = table.begin(at(2_000), action(2)).unwrap();
        assert!(!table.has(old) && table.has(new));
        assert_eq!(table.pop(), Some((new, action(2))));
        assert_eq!(table.next_deadline(), Instant::NEVER);
    }

    #[test]
    fn one_dump_at_a_time_and_its_patience_starts_anew_with_every_part() {
        let mut table = Outstanding::default();
        let seq = table.begin_dump(at(0), action(1)).unwrap();
        assert_eq!(table.begin_dump(at(0), action(2)), None);
        let request = table.begin(at(0), action(3)).unwrap();
        assert_ne!(seq, request);
        assert!(table.dump(request).is_none() && !table.has(seq));
        table.dump(seq).unwrap().heard_at = at(1_500);
        assert_eq!(table.end_overdue_dump(at(2_000)), None);
        assert_eq!(table.end_overdue_dump(at(3_500)).map(|dump| dump.action), Some(action(1)));
        assert!(!table.is_dumping());
    }

    #[test]
    fn numbers_wrap_without_ever_being_zero() {
        let mut table = Outstanding { count: u32::MAX - 1, ..Outstanding::default() };
        for id in 0..4 {
            let seq = table.begin(at(0), action(id)).unwrap();
            assert_ne!(seq, 0);
            assert_eq!(table.pop(), Some((seq, action(id))));
        }
    }
}
