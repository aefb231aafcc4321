//! Requests that the kernel has not answered: which sequence number belongs to which action, and since when.
//!
//! At most [`MAX_BATCH`] requests and one dump. A sequence number holds its slot in the low six bits and a count
//! above, so that an answer that comes after its slot was given up finds nothing.

use crate::director::action::Action;
use crate::limits::MAX_BATCH;
use crate::time::{Duration, Instant};

/// A request without an answer for this long is taken for lost.
pub const PATIENCE: Duration = Duration::from_secs(2);

const SLOT_BITS: u32 = 6;
const _: () = assert!(1 << SLOT_BITS == MAX_BATCH, "a slot is found by the low bits of the sequence number");

/// The table of one socket.
#[derive(Debug)]
pub struct Outstanding {
    slots: [Option<Request>; MAX_BATCH],
    dump: Option<Dump>,
    used: usize,
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

impl Default for Outstanding {
    fn default() -> Self {
        Self { slots: [None; MAX_BATCH], dump: None, used: 0, count: 0 }
    }
}

impl Outstanding {
    /// Requests without an answer.
    pub const fn len(&self) -> usize {
        self.used
    }

    /// True if every request was answered. The dump does not count.
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// A sequence number for `action`; `None` if the table is full.
    pub fn begin(&mut self, now: Instant, action: Action) -> Option<u32> {
        let index = self.slots.iter().position(Option::is_none)?;
        let seq = self.next_seq(u32::try_from(index).ok()?);
        let slot = self.slots.get_mut(index)?;
        *slot = Some(Request { seq, action, sent_at: now });
        self.used += 1;
        Some(seq)
    }

    /// The action that `seq` was given to. Its slot is free again.
    pub fn answer(&mut self, seq: u32) -> Option<Action> {
        let index = usize::try_from(seq).ok()? % MAX_BATCH;
        let request = self.slots.get_mut(index)?.take_if(|request| request.seq == seq)?;
        self.used -= 1;
        Some(request.action)
    }

    /// The next action that will not be answered: one sent more than [`PATIENCE`] ago. Its slot is free again.
    pub fn pop_overdue(&mut self, now: Instant) -> Option<Action> {
        let slot = self
            .slots
            .iter_mut()
            .find(|slot| slot.is_some_and(|request| now >= request.sent_at + PATIENCE))?;
        let action = slot.take()?.action;
        self.used -= 1;
        Some(action)
    }

    /// The next action, whatever its age. Its slot is free again.
    pub fn pop_any(&mut self) -> Option<Action> {
        let action = self.slots.iter_mut().find_map(Option::take)?.action;
        self.used -= 1;
        Some(action)
    }

    /// When the first request or the dump is overdue.
    pub fn next_deadline(&self) -> Instant {
        let requests = self.slots.iter().flatten().map(|request| request.sent_at);
        let dump = self.dump.iter().map(|dump| dump.heard_at);
        requests.chain(dump).min().map_or(Instant::NEVER, |sent_at| sent_at + PATIENCE)
    }

    /// A sequence number for a dump; `None` while one is running.
    pub fn begin_dump(&mut self, now: Instant, action: Action) -> Option<u32> {
        if self.dump.is_some() {
            return None;
        }
        let seq = self.next_seq(0);
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

    fn next_seq(&mut self, slot: u32) -> u32 {
        // Zero is the number of notifications, so the count never stands at zero.
        self.count = self.count.wrapping_add(1) % (1 << (u32::BITS - SLOT_BITS));
        self.count = self.count.max(1);
        self.count << SLOT_BITS | slot
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
    fn every_answer_finds_its_action_once_in_any_order() {
        let mut table = Outstanding::default();
        let mut seqs: Vec<(u32, Action)> =
            (0..64).map(|id| (table.begin(at(0), action(id)).unwrap(), action(id))).collect();
        assert_eq!(table.begin(at(0), action(64)), None, "the 65th is refused");
        seqs.reverse();
        for (seq, action) in &seqs {
            assert_eq!(table.answer(*seq), Some(*action));
            assert_eq!(table.answer(*seq), None);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn a_late_answer_does_not_settle_the_next_request_in_its_slot() {
        let mut table = Outstanding::default();
        let old = table.begin(at(0), action(1)).unwrap();
        assert_eq!(table.pop_overdue(at(1_999)), None);
        assert_eq!(table.next_deadline(), at(2_000));
        assert_eq!(table.pop_overdue(at(2_000)), Some(action(1)));
        let new = table.begin(at(2_000), action(2)).unwrap();
        assert_eq!(table.answer(old), None);
        assert_eq!(table.answer(new), Some(action(2)));
        assert_eq!(table.next_deadline(), Instant::NEVER);
    }

    #[test]
    fn one_dump_at_a_time_and_its_patience_starts_anew_with_every_part() {
        let mut table = Outstanding::default();
        let seq = table.begin_dump(at(0), action(1)).unwrap();
        assert_eq!(table.begin_dump(at(0), action(2)), None);
        let request = table.begin(at(0), action(3)).unwrap();
        assert_ne!(seq, request);
        assert!(table.dump(request).is_none());
        table.dump(seq).unwrap().heard_at = at(1_500);
        assert_eq!(table.end_overdue_dump(at(2_000)), None);
        assert_eq!(table.end_overdue_dump(at(3_500)).map(|dump| dump.action), Some(action(1)));
        assert!(!table.is_dumping());
    }

    #[test]
    fn numbers_wrap_without_ever_being_zero() {
        let mut table = Outstanding { count: (1 << 26) - 2, ..Outstanding::default() };
        for id in 0..4 {
            let seq = table.begin(at(0), action(id)).unwrap();
            assert_ne!(seq, 0);
            assert_eq!(table.answer(seq), Some(action(id)));
        }
    }
}
