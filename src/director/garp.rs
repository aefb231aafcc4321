//! Announcements: gratuitous ARP and unsolicited neighbour advertisements for the addresses of a MASTER.
//!
//! Each address owes a number of frames. Addresses are served in turn, one frame each, which gives keepalived's order
//! by itself: a whole round over all addresses, then the next. The first round waits until the addresses are in the
//! kernel (RFC 9568 section 7.2: nothing is announced before it is there).

use super::action::Action;
use super::bus::{Bus, Timer};
use super::dirty::DirtySet;
use super::journal::Reason;
use super::net_plan::NetPlan;
use super::vrrp::{Occasion, Vrrp};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId};
use crate::time::{Duration, Instant};

/// What one instance has under way.
#[derive(Debug, Clone, Copy, Default)]
struct Burst {
    /// The wish that was last acted on.
    serial: u32,
    /// Rounds of the second burst.
    second: u8,
}

/// All announcements.
#[derive(Debug)]
pub struct Announcements {
    /// Frames owed, by address.
    owed: Box<[u8]>,
    queue: DirtySet,
    /// Addresses whose next frame is the first of a burst.
    untold: DirtySet,
    bursts: Box<[Burst]>,
    sent_total: u64,
    failed_total: u64,
}

impl Announcements {
    pub(crate) fn new(config: &Config) -> Self {
        let addresses = config.addresses.len();
        Self {
            owed: vec![0; addresses].into_boxed_slice(),
            queue: DirtySet::new(addresses),
            untold: DirtySet::new(addresses),
            bursts: vec![Burst::default(); config.instances.len()].into_boxed_slice(),
            sent_total: 0,
            failed_total: 0,
        }
    }

    /// Frames sent since the start.
    pub fn sent_total(&self) -> u64 {
        self.sent_total
    }

    /// Frames that could not be sent.
    pub fn failed_total(&self) -> u64 {
        self.failed_total
    }

    /// An instance's state or wish to announce changed.
    pub(crate) fn instance_changed(
        &mut self,
        now: Instant,
        id: InstanceId,
        config: &Config,
        vrrp: &Vrrp,
        bus: &mut Bus,
    ) {
        let Some(instance) = config.instances.get(id.index()) else { return };
        let wish = vrrp.get(id).map(|router| router.announcement).unwrap_or_default();
        let Some(burst) = self.bursts.get_mut(id.index()) else { return };
        if !vrrp.is_master(id) {
            burst.serial = wish.serial;
            bus.cancel(Timer::SecondBurst(id));
            bus.cancel(Timer::Refresh(id));
            self.owe(id, 0, config);
            return;
        }
        let policy = instance.announce;
        if policy.refresh != Duration::ZERO {
            bus.set_if_idle(Timer::Refresh(id), now + policy.refresh);
        }
        if burst.serial == wish.serial {
            return;
        }
        let (rounds, delay) = match wish.occasion {
            Occasion::Mastership => (policy.repeat, policy.delay),
            Occasion::LesserRouter => (policy.lower_repeat, policy.lower_delay),
        };
        *burst = Burst { serial: wish.serial, second: rounds };
        if delay == Duration::ZERO {
            bus.cancel(Timer::SecondBurst(id));
        } else {
            bus.set(Timer::SecondBurst(id), now + delay);
        }
        self.owe(id, rounds, config);
    }

    /// The time for the second burst has come.
    pub(crate) fn handle_second(&mut self, id: InstanceId, config: &Config) {
        let rounds = self.bursts.get(id.index()).map_or(0, |burst| burst.second);
        self.owe(id, rounds, config);
    }

    /// The time for a refresh has come.
    pub(crate) fn handle_refresh(&mut self, now: Instant, id: InstanceId, config: &Config, bus: &mut Bus) {
        let instance = config.instances.get(id.index());
        // A reload may have switched the refresh off.
        let Some(instance) = instance.filter(|one| !one.announce.refresh.is_zero()) else { return };
        bus.set(Timer::Refresh(id), now + instance.announce.refresh);
        self.owe(id, instance.announce.refresh_repeat, config);
        // A refresh is no news.
        instance.addresses.rows().for_each(|row| self.untold.remove(row));
    }

    /// An address became present. One that was put back after the bursts is announced by itself.
    pub(crate) fn address_installed(&mut self, id: AddressId, config: &Config, vrrp: &Vrrp) {
        let Some(owner) =
            config.addresses.get(id.index()).and_then(|one| one.instance).filter(|id| vrrp.is_master(*id))
        else {
            return;
        };
        let rounds = config.instances.get(owner.index()).map_or(0, |one| one.announce.repeat);
        if let Some(owed) = self.owed.get_mut(id.index()) {
            *owed = (*owed).max(rounds);
            self.queue.insert(id.index());
            self.untold.insert(id.index());
        }
    }

    /// Each address of the instance owes at least `rounds` frames; none at all for zero.
    fn owe(&mut self, id: InstanceId, rounds: u8, config: &Config) {
        let rows = config.instances.get(id.index()).map(|one| one.addresses.rows()).unwrap_or_default();
        for row in rows {
            if let Some(owed) = self.owed.get_mut(row) {
                *owed = if rounds == 0 { 0 } else { rounds.max(*owed) };
            }
            if rounds > 0 {
                self.queue.insert(row);
                self.untold.insert(row);
            } else {
                self.queue.remove(row);
            }
        }
    }

    /// The next frame to send.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        config: &Config,
        plan: &NetPlan,
        bus: &mut Bus,
    ) -> Option<Action> {
        while let Some(row) = self.next(config, plan) {
            self.queue.take(row);
            let (id, Some(owed)) = (AddressId::from_index(row), self.owed.get_mut(row)) else { continue };
            // An address that the kernel refused owes its frames until it is installed.
            if !plan.is_present(id) || *owed == 0 {
                continue;
            }
            if self.untold.contains(row) {
                self.untold.remove(row);
                bus.record(now, Reason::Announcing(id));
            }
            *owed -= 1;
            if *owed > 0 {
                self.queue.insert(row);
            }
            self.sent_total += 1;
            return Some(Action::Announce { address: id });
        }
        None
    }

    /// The next row in turn whose instance has all its addresses in the kernel, as far as they can be.
    fn next(&self, config: &Config, plan: &NetPlan) -> Option<usize> {
        self.queue.peek(|row| {
            let instance = config.addresses.get(row).and_then(|one| one.instance).ok_or(row + 1)?;
            let end = config.instances.get(instance.index()).map_or(row, |one| one.addresses.rows().end);
            if plan.is_settled(config, instance) { Ok(()) } else { Err(end) }
        })
    }

    /// True if a frame can be sent now.
    pub(crate) fn has_work(&self, config: &Config, plan: &NetPlan) -> bool {
        self.next(config, plan).is_some()
    }

    /// A frame could not be sent.
    pub(crate) fn send_failed(
        &mut self,
        now: Instant,
        id: AddressId,
        errno: super::event::Errno,
        bus: &mut Bus,
    ) {
        self.failed_total += 1;
        if self.failed_total.is_power_of_two() {
            bus.record(now, Reason::AnnounceFailed(id, errno));
        }
    }

    /// Takes over the bursts that are under way; `plan` is the old one.
    pub(crate) fn adopt(
        &mut self,
        old: &Self,
        from: super::vrrp::Predecessor<'_>,
        (config, plan): (&Config, &NetPlan),
        bus: &mut Bus,
    ) {
        (self.sent_total, self.failed_total) = (old.sent_total, old.failed_total);
        for (id, instance) in config.instances.iter().enumerate() {
            let id = InstanceId::from_index(id);
            let Some(before) = from.find(instance, config) else { continue };
            if let (Some(burst), Some(known)) =
                (self.bursts.get_mut(id.index()), old.bursts.get(before.index()))
            {
                *burst = *known;
            }
            if let Some(at) = from.bus.deadline(Timer::SecondBurst(before)) {
                bus.set(Timer::SecondBurst(id), at);
            }
            let refresh = instance.announce.refresh;
            if let Some(at) = from.bus.deadline(Timer::Refresh(before)).filter(|_| !refresh.is_zero()) {
                bus.set(Timer::Refresh(id), at);
            }
            for row in instance.addresses.rows() {
                let former = config.addresses.get(row).and_then(|one| plan.former(one, config, from.config));
                let Some(former) = former.filter(|former| old.queue.contains(*former)) else { continue };
                if let (Some(owed), Some(rest)) = (self.owed.get_mut(row), old.owed.get(former)) {
                    *owed = *rest;
                    self.queue.insert(row);
                }
            }
        }
    }
}
