//! What an acceptable advert does to a virtual router (RFC 3768 sections 6.4.2 and 6.4.3, RFC 9568 sections 6.4.2 and
//! 6.4.3): a BACKUP follows or discards it, a MASTER answers or gives way.

use super::{AdvertKind, Heard, LEAST_GAP, OWNER, Occasion, State, VirtualRouter, Vrrp};
use crate::config::ids::{Id, InstanceId};
use crate::config::model::{Instance, Preemption};
use crate::director::bus::{Bus, Timer};
use crate::director::journal::{Entry, Reason, Rival};
use crate::time::{Duration, Instant};

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
            State::Backup => self.hear_as_backup(now, id, instance, (rival, interval), bus),
            // RFC 3768 section 7.1 wants it, RFC 9568 does not (erratum 8298).
            State::Master if rival.ours == OWNER && instance.manners.owner_ignores => {}
            State::Master if rival.theirs == 0 => self.reassure(now, id, instance, bus),
            State::Master if rival.theirs == OWNER && rival.ours == OWNER => {
                self.hear_other_owner(now, id, instance, Heard { rival, interval, ours }, bus);
            }
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

    /// Follows the other router, or lets the timer run in order to preempt it.
    fn hear_as_backup(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        (rival, interval): (Rival, Duration),
        bus: &mut Bus,
    ) {
        if rival.theirs > 0 {
            self.give_up_leftovers(now, id, instance, bus);
            if self.resumes {
                self.group_gives_up(now, id, bus);
            }
        }
        let Some(router) = self.table.get_mut(id.index()) else { return };
        // A flood of adverts is not to become a flood of records.
        let gap = instance.advert_interval.divided_by(2).max(LEAST_GAP);
        let is_news = |at: Option<Instant>| at.is_none_or(|at| now.since(at) >= gap);
        if rival.theirs == 0 {
            if is_news(router.farewell_at) {
                router.farewell_at = Some(now);
                bus.record(now, Reason::ReceivedFarewell(id, rival.from));
            }
            return bus.set(Timer::Protocol(id), now + router.skew_time(instance));
        }
        router.note_active(rival, now);
        if rival.theirs >= rival.ours {
            if router.preempt_at.take().is_some() {
                bus.record(now, Reason::PreemptDelayStopped(id));
            }
        } else if instance.preemption == Preemption::Preempt && !router.waits(now, id, instance, bus) {
            if is_news(router.answered_at) {
                router.answered_at = Some(now);
                bus.record(now, Reason::LowerDiscarded(id, rival));
            }
            return;
        }
        router.wants = false;
        router.follow(now, id, interval, bus);
        bus.set(Timer::Protocol(id), now + router.master_down_interval(instance));
    }

    /// Two owners cannot both be right. The one of the lower address gives way at once, as between equals; the other
    /// one, which does so if the first one does not, takes back its priority (keepalived).
    fn hear_other_owner(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        Heard { rival, interval, ours }: Heard,
        bus: &mut Bus,
    ) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        let longer = instance.advert_interval.max(interval);
        let known = router.other_owner.filter(|(_, last)| now.since(*last) <= longer.times(3));
        if known.is_none() {
            bus.record(now, Reason::TwoOwners(id, rival.from));
        }
        let since = known.map_or(now, |(first, _)| first);
        router.other_owner = Some((since, now));
        if rival.from > ours {
            router.follow(now, id, interval, bus);
            return self.yield_to(now, id, instance, rival, Reason::EqualAdvert(id, rival), bus);
        }
        // Time enough for it to hear us twice and to have stopped: 1.2 times the longer interval.
        let patience = instance.advert_interval.times(2) + longer.times(6).divided_by(5);
        if now < since + patience {
            return self.answer(now, id, instance, rival, bus);
        }
        (router.demoted, router.priority) = (true, OWNER - 1);
        router.follow(now, id, interval, bus);
        bus.record(now, Reason::OwnerDemoted(id));
        let rival = Rival { ours: OWNER - 1, ..rival };
        self.yield_to(now, id, instance, rival, Reason::HigherAdvert(id, rival), bus);
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
        bus.record(now, Reason::LowerAnswered(id, rival));
        router.announcement.serial = router.announcement.serial.wrapping_add(1);
        router.announcement.occasion = Occasion::LesserRouter;
        bus.instance_changed(id);
        if instance.manners.answers_lesser {
            self.send(id, AdvertKind::Present);
            bus.set(Timer::Protocol(id), now + instance.advert_interval);
        }
    }

    /// MASTER to BACKUP because of a better router: without a farewell (RFC 3768 section 6.4.3). With
    /// `higher_prio_send_advert` it shows itself once more, so that the better one announces its addresses again.
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
        if instance.manners.last_word {
            self.send(id, AdvertKind::Present);
        }
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

    /// Whether a lesser router is still followed (`preempt_delay`), which begins with its first advert.
    fn waits(&mut self, now: Instant, id: InstanceId, instance: &Instance, bus: &mut Bus) -> bool {
        let delay = instance.manners.preempt_delay;
        if delay.is_zero() {
            return false;
        }
        let until = *self.preempt_at.get_or_insert_with(|| {
            bus.record(now, Reason::PreemptDelayStarted(id, delay));
            now + delay
        });
        now < until
    }
}
