//! Announcements: gratuitous ARP and unsolicited neighbour advertisements for the addresses of a MASTER.
//!
//! Each address owes a number of frames. Addresses are served in turn, one frame each, which gives keepalived's order
//! by itself: a whole round over all addresses, then the next. The first round waits until the addresses are in the
//! kernel (RFC 9568 section 7.2: nothing is announced before it is there).
//!
//! Where a pause between two frames is configured (`vrrp_garp_interval`, `garp_group`), the interfaces that share a
//! pace are passed over from a frame until its pause is over; the others are served meanwhile.

use super::action::Action;
use super::bus::{Bus, Timer};
use super::dirty::DirtySet;
use super::journal::Reason;
use super::net_plan::NetPlan;
use super::vrrp::{Occasion, Vrrp};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId, LinkId};
use crate::config::model::VirtualAddress;
use crate::time::{Duration, Instant};

/// What one instance has under way.
#[derive(Debug, Clone, Copy, Default)]
struct Burst {
    /// The wish that was last acted on.
    serial: u32,
    /// Rounds of the second burst.
    second: u8,
}

/// Gratuitous ARPs and neighbour advertisements have a pace each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Arp,
    Advertisement,
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
    /// Frames sent, by instance.
    sent: Box<[u64]>,
    /// Paces that pause: two for each interface.
    paused: DirtySet,
    /// The row that each pace served last; rounds go on behind it, whatever was served meanwhile.
    last: Box<[usize]>,
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
            sent: vec![0; config.instances.len()].into_boxed_slice(),
            paused: DirtySet::new(config.link_rules.len() * 2),
            last: vec![usize::MAX; config.link_rules.len() * 2].into_boxed_slice(),
            failed_total: 0,
        }
    }

    /// Frames sent for an instance since the start.
    pub fn sent(&self, id: InstanceId) -> u64 {
        self.sent.get(id.index()).copied().unwrap_or(0)
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
        for owed in self.owed.get_mut(rows.clone()).unwrap_or_default() {
            *owed = if rounds == 0 { 0 } else { rounds.max(*owed) };
        }
        if rounds > 0 {
            self.queue.insert_all(rows.clone());
            self.untold.insert_all(rows);
        } else {
            rows.for_each(|row| self.queue.remove(row));
        }
    }

    /// A pause is over.
    pub(crate) fn handle_pace(&mut self, id: LinkId, pace: Pace) {
        self.paused.remove(id.index() * 2 + pace as usize);
    }

    /// A frame is sent: the next one of its pace waits, if a pause is configured.
    fn pause(&mut self, now: Instant, row: usize, config: &Config, bus: &mut Bus) {
        let Some(address) = config.addresses.get(row) else { return };
        let rules = config.link_rules(address.link);
        let pace = pace_of(address);
        let pause = if pace == Pace::Arp { rules.arp_pause } else { rules.na_pause };
        if !pause.is_zero() {
            self.paused.insert(place(address, config));
            if let Some(last) = self.last.get_mut(place(address, config)) {
                *last = row;
            }
            bus.set(Timer::Pace(rules.pace, pace), now + pause);
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
            let owner = config.addresses.get(row).and_then(|one| one.instance).map_or(0, InstanceId::index);
            if let Some(sent) = self.sent.get_mut(owner) {
                *sent += 1;
            }
            self.pause(now, row, config, bus);
            return Some(Action::Announce { address: id });
        }
        None
    }

    /// The next row in turn whose pace does not pause and whose instance has all its addresses in the kernel, as far as
    /// they can be.
    fn next(&self, config: &Config, plan: &NetPlan) -> Option<usize> {
        let row = self.queue.peek(|row| {
            let address = config.addresses.get(row).ok_or(row + 1)?;
            if self.paused.contains(place(address, config)) {
                return Err(row + 1);
            }
            let instance = address.instance.ok_or(row + 1)?;
            let end = config.instances.get(instance.index()).map_or(row, |one| one.addresses.rows().end);
            if plan.is_settled(config, instance) { Ok(()) } else { Err(end) }
        })?;
        Some(self.in_turn(row, config, plan))
    }

    /// The row whose turn it is in the rounds of the pace of `row`.
    fn in_turn(&self, row: usize, config: &Config, plan: &NetPlan) -> usize {
        let Some(pace) = config.addresses.get(row).map(|address| place(address, config)) else { return row };
        let Some(last) = self.last.get(pace).filter(|last| **last != usize::MAX) else { return row };
        let search = |mut from: usize, to: usize| {
            while let Some(id) = self.queue.next_from(from).filter(|id| *id < to) {
                let address = config.addresses.get(id)?;
                if place(address, config) == pace
                    && address.instance.is_some_and(|owner| plan.is_settled(config, owner))
                {
                    return Some(id);
                }
                from = id + 1;
            }
            None
        };
        search(last + 1, usize::MAX).or_else(|| search(0, last + 1)).unwrap_or(row)
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
        self.failed_total = old.failed_total;
        for (id, instance) in config.instances.iter().enumerate() {
            let id = InstanceId::from_index(id);
            let Some(before) = from.find(instance, config) else { continue };
            if let (Some(burst), Some(known)) =
                (self.bursts.get_mut(id.index()), old.bursts.get(before.index()))
            {
                *burst = *known;
            }
            if let Some(sent) = self.sent.get_mut(id.index()) {
                *sent = old.sent(before);
            }
            if let Some(at) = from.bus.deadline(Timer::SecondBurst(before)) {
                bus.set(Timer::SecondBurst(id), at);
            }
            let refresh = instance.announce.refresh;
            if let Some(at) = from.bus.deadline(Timer::Refresh(before)).filter(|_| !refresh.is_zero()) {
                bus.set(Timer::Refresh(id), at);
            }
            for row in instance.addresses.rows() {
                // Pauses that are under way end at once: a reload sends one frame early.
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

fn pace_of(address: &VirtualAddress) -> Pace {
    if address.address.is_ipv4() { Pace::Arp } else { Pace::Advertisement }
}

/// The place of an address's pace in the set of those that pause.
fn place(address: &VirtualAddress, config: &Config) -> usize {
    config.link_rules(address.link).pace.index() * 2 + pace_of(address) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::LinkRules;
    use crate::director::testing::{Builder, Node, Vr, at};

    /// Two instances on interfaces of their own; announcements of both in their order, with their times.
    fn announced(rules: [LinkRules; 2]) -> Vec<(u64, core::net::IpAddr)> {
        let second = Vr {
            name: "VI_2",
            link: "eth1",
            vrid: 52,
            vips: vec!["198.51.100.100/24".into(), "198.51.100.101/24".into()],
            ..Vr::default()
        };
        let mut config = Builder::new().instance(Vr::default()).instance(second).build();
        config.link_rules = rules.into();
        let mut node = Node::new(config, "192.0.2.11");
        node.add_link("eth1", "198.51.100.11".parse().unwrap());
        node.run_until(at(8_000));
        node.announced.iter().map(|(at, address, _)| (at.as_micros(), *address)).collect()
    }

    fn rule(pace: u32, pause: u64) -> LinkRules {
        LinkRules { arp_pause: Duration::from_millis(pause), ..LinkRules::of(LinkId(pace)) }
    }

    #[test]
    fn a_pause_spaces_the_announcements_of_its_interface_only_and_keeps_their_rounds() {
        let all = announced([rule(0, 0), rule(1, 50)]);
        let (first, second): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| one.1.to_string() == "192.0.2.100");
        assert_eq!((first.len(), second.len()), (5, 10));
        assert!(first[4].0 - first[0].0 < 1_000, "no pause: {first:?}");
        assert!(second.windows(2).all(|two| two[1].0 - two[0].0 == 50_000), "{second:?}");
        assert!(second.windows(2).all(|two| two[1].1 != two[0].1), "in turn: {second:?}");
    }

    #[test]
    fn interfaces_of_a_group_share_their_pause() {
        let all = announced([rule(0, 20), rule(0, 20)]);
        assert_eq!(all.len(), 15);
        assert!(all.windows(2).all(|two| two[1].0 - two[0].0 >= 20_000), "{all:?}");
    }
}
