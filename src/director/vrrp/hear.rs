//! What an acceptable advert does to a virtual router (RFC 3768 sections 6.4.2 and 6.4.3, RFC 9568 sections 6.4.2 and
//! 6.4.3): a BACKUP follows or discards it, a MASTER answers or gives way.

use super::{AdvertKind, Heard, LEAST_GAP, OWNER, Occasion, State, VirtualRouter, Vrrp};
use crate::config::ids::{Id, InstanceId};
use crate::config::model::{Instance, Preemption};
use crate::director::bus::{Bus, Timer};
use crate::director::journal::{Entry, Reason, Rival};
use crate::time::Instant;

impl Vrrp {
    /// An advert that was found acceptable (RFC 3768 section 6.4.2 and 6.4.3).
    pub(super) fn hear(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        Heard { rival, interval, ours }: Heard,
        bus: &mut Bus,
    ) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        router.counters.received_total += 1;
        router.counters.zero_received_total += u64::from(rival.theirs == 0);
        match router.state {
            State::Init | State::Fault(_) => {}
            State::Backup => {
                let stays = instance.preemption == Preemption::Stay;
                // A flood of adverts is not to become a flood of records.
                let gap = instance.advert_interval.divided_by(2).max(LEAST_GAP);
                let is_news = |at: Option<Instant>| at.is_none_or(|at| now.since(at) >= gap);
                if rival.theirs == 0 {
                    if is_news(router.farewell_at) {
                        router.farewell_at = Some(now);
                        bus.record(now, Reason::ReceivedFarewell(id, rival.from));
                    }
                    bus.set(Timer::Protocol(id), now + router.skew_time(instance));
                } else if rival.theirs >= rival.ours || stays {
                    router.note_active(rival, now);
                    router.follow(now, id, interval, bus);
                    bus.set(Timer::Protocol(id), now + router.master_down_interval(instance));
                } else {
                    router.note_active(rival, now);
                    if is_news(router.answered_at) {
                        router.answered_at = Some(now);
                        bus.record(now, Reason::LowerDiscarded(id, rival));
                    }
                }
            }
            State::Master if rival.theirs == 0 => self.reassure(now, id, instance, bus),
            State::Master if rival.theirs > rival.ours => {
                router.follow(now, id, interval, bus);
                self.yield_to(now, id, instance, rival, Reason::HigherAdvert(id, rival), bus);
            }
            State::Master if rival.theirs == rival.ours && rival.from > ours => {
                router.follow(now, id, interval, bus);
                self.yield_to(now, id, instance, rival, Reason::EqualAdvert(id, rival), bus);
            }
            State::Master => self.answer(now, id, instance, rival, bus),
        }
    }

    /// A MASTER heard a farewell: the others wait for their skew time only, so it shows itself at once. Those of lower
    /// priority than ours wait longer than our own skew time; twice in that time is enough, however many are said.
    fn reassure(&mut self, now: Instant, id: InstanceId, instance: &Instance, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        let gap = router.skew_time(instance).divided_by(2);
        if let Some(at) = router.farewell_at.filter(|at| now.since(*at) < gap) {
            return bus.set_no_later(Timer::Protocol(id), at + gap);
        }
        router.farewell_at = Some(now);
        self.send(id, AdvertKind::Present);
        bus.set(Timer::Protocol(id), now + instance.advert_interval);
    }

    /// A MASTER heard a lesser one: it shows itself and announces its addresses again, at most once an interval, so
    /// that a flood of forged adverts does not become a flood of ours.
    fn answer(&mut self, now: Instant, id: InstanceId, instance: &Instance, rival: Rival, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        if router.answered_at.is_some_and(|at| now.since(at) < instance.advert_interval.divided_by(2)) {
            return;
        }
        router.answered_at = Some(now);
        if rival.theirs == OWNER && rival.ours == OWNER {
            bus.record(now, Reason::TwoOwners(id, rival.from));
        }
        bus.record(now, Reason::LowerAnswered(id, rival));
        router.announcement.serial = router.announcement.serial.wrapping_add(1);
        router.announcement.occasion = Occasion::LesserRouter;
        bus.instance_changed(id);
        self.send(id, AdvertKind::Present);
        bus.set(Timer::Protocol(id), now + instance.advert_interval);
    }

    /// MASTER to BACKUP because of a better router: without a farewell (RFC 3768 section 6.4.3).
    fn yield_to(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        rival: Rival,
        why: Reason,
        bus: &mut Bus,
    ) {
        bus.record(now, why);
        if let Some(router) = self.table.get_mut(id.index()) {
            router.note_active(rival, now);
        }
        self.become_backup(now, id, instance, (Entry::Defeated, why), bus);
        self.release(now, id, bus);
    }
}

impl VirtualRouter {
    /// This is the router that is or was better, or would be MASTER.
    fn note_active(&mut self, rival: Rival, now: Instant) {
        if self.state == State::Master || self.active.is_none_or(|(from, ..)| from != rival.from) {
            self.active_since = now;
        }
        self.active = Some((rival.from, rival.theirs, now));
    }
}
