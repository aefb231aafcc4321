//! Leaving: what a stop says, and what a reload takes over for the instances that both configurations have.

use super::{Fault, Misfits, Occasion, Program, State, VirtualRouter, Vrrp, master_down_interval};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId, LinkId};
use crate::config::model::Instance;
use crate::director::action::AdvertKind;
use crate::director::bus::{Bus, Timer};
use crate::director::event::Keep;
use crate::director::journal::Reason;
use crate::time::{Duration, Instant};

impl Vrrp {
    /// The box stops: every MASTER says farewell, and nothing is heard any more. If the addresses stay for the next
    /// start, it shows itself once more instead: the others wait for their whole master-down time.
    pub(crate) fn stop(&mut self, now: Instant, keep: Keep, bus: &mut Bus) {
        self.stopping = true;
        for id in (0..self.table.len()).map(InstanceId::from_index) {
            let was_master = self.is_master(id);
            if was_master && !keep.addresses {
                self.farewell(now, id, bus);
            }
            self.enter(now, id, State::Init, Reason::Stopping, bus);
            if was_master && keep.addresses {
                self.send(id, AdvertKind::Present);
                bus.record(now, Reason::LeavingAddresses(id));
            } else if was_master {
                self.release(now, id, bus);
            }
            bus.cancel(Timer::Protocol(id));
        }
    }

    /// Takes over the states of instances that both configurations have. A MASTER stays MASTER and says no farewell;
    /// one whose advert changes shows the new one at once.
    pub(crate) fn adopt(&mut self, now: Instant, from: Predecessor<'_>, config: &Config, bus: &mut Bus) {
        self.strays = from.vrrp.strays;
        // The start is not over before every instance has found out what it is.
        let starts = |one: &VirtualRouter| one.state == State::Init || one.resuming;
        self.resumes = from.vrrp.resumes && from.vrrp.table.iter().any(starts);
        self.hold_until(from.vrrp.held_until, now, bus);
        for (id, instance) in config.instances.iter().enumerate() {
            let id = InstanceId::from_index(id);
            let Some(old) = from.find(instance, config) else { continue };
            let (Some(router), Some(before)) = (self.table.get_mut(id.index()), from.vrrp.get(old)) else {
                continue;
            };
            *router = VirtualRouter { program: Program::Idle, group: router.group, ..*before };
            // A reload is another try: as BACKUP it follows another owner, and as MASTER it finds out as before.
            router.demoted = false;
            let (delay, at) = (instance.manners.preempt_delay, router.preempt_at);
            router.preempt_at = at.filter(|_| !delay.is_zero()).map(|at| at.min(now + delay));
            if let State::Fault(fault) = before.state
                && let Some(fault) = from.translate(fault, (old, instance), config)
            {
                (router.state, router.why) = (State::Fault(fault), Some(Reason::EnteredFault(id, fault)));
            }
            if !from.follows_another(old, before.master_interval, instance) {
                router.master_interval = instance.advert_interval;
            }
            if let Some(deadline) = from.bus.deadline(Timer::Protocol(old)) {
                let longest = match router.state {
                    State::Master => instance.advert_interval,
                    State::Init | State::Backup | State::Fault(_) => {
                        let (interval, adverts) = (router.master_interval, instance.manners.down_adverts);
                        master_down_interval(instance.version, interval, instance.priority, adverts)
                    }
                };
                let at = deadline.min(now + longest);
                bus.set(Timer::Protocol(id), at);
                router.due_at = router.due_at.max(at);
            }
            let differs = from.speaks_differently(old, instance, config);
            if differs {
                // Who did not fit the old configuration may fit this one; who does not is found again.
                router.misfits = Misfits::default();
            }
            if router.state == State::Master && differs {
                router.announcement.serial = router.announcement.serial.wrapping_add(1);
                router.announcement.occasion = Occasion::Mastership;
                self.send(id, AdvertKind::Present);
            }
            bus.instance_changed(id);
        }
    }

    /// MASTERs that the new configuration does not know: they say farewell before the swap.
    pub(crate) fn farewell_unless(
        &mut self,
        now: Instant,
        stays: impl Fn(InstanceId) -> bool,
        bus: &mut Bus,
    ) {
        for id in (0..self.table.len()).map(InstanceId::from_index) {
            if self.is_master(id) && !stays(id) {
                self.farewell(now, id, bus);
                bus.record(now, Reason::RemovingAddresses(id));
            }
        }
    }
}

/// True if both configurations mean the same virtual router: VRID and family on one interface.
pub(crate) fn is_same((one, of): (&Instance, &Config), (other, config): (&Instance, &Config)) -> bool {
    (one.vrid, one.family) == (other.vrid, other.family)
        && of.link_name(one.link) == config.link_name(other.link)
}

/// What a reload takes over from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Predecessor<'a> {
    pub(crate) vrrp: &'a Vrrp,
    pub(crate) config: &'a Config,
    pub(crate) bus: &'a Bus,
}

impl Predecessor<'_> {
    /// The old instance of the same VRID and family on the same interface.
    pub(crate) fn find(&self, instance: &Instance, config: &Config) -> Option<InstanceId> {
        let same = |old: &Instance| is_same((old, self.config), (instance, config));
        self.config.instances.iter().position(same).map(InstanceId::from_index)
    }

    /// The same fault by the ids of the new configuration, so that it is no new one; `None` if it has nothing like it.
    fn translate(
        &self,
        fault: Fault,
        (old, instance): (InstanceId, &Instance),
        config: &Config,
    ) -> Option<Fault> {
        let link = |id: LinkId| {
            let name = self.config.link_name(id);
            config.links.iter().position(|one| one.as_str() == name).map(LinkId::from_index)
        };
        Some(match fault {
            Fault::LinkAbsent(id) => Fault::LinkAbsent(link(id)?),
            Fault::LinkDown(id) => Fault::LinkDown(link(id)?),
            Fault::NoAddress(id, family) => Fault::NoAddress(link(id)?, family),
            Fault::Socket(id, errno) => Fault::Socket(link(id)?, errno),
            Fault::NoSource(id, address) => Fault::NoSource(link(id)?, address),
            Fault::NoPeers => Fault::NoPeers,
            Fault::Tracked(row) => {
                let place = row.checked_sub(self.config.instances.get(old.index())?.trackers.start)?;
                let row = instance.trackers.start.checked_add(place)?;
                Fault::Tracked(Some(row).filter(|row| instance.trackers.contains(row))?)
            }
            Fault::Group(member) => {
                let member = self.config.instances.get(member.index())?;
                let same = |one: &Instance| is_same((member, self.config), (one, config));
                Fault::Group(InstanceId::from_index(config.instances.iter().position(same)?))
            }
        })
    }

    /// Whether the old instance went by the interval of an active router that is not its own.
    fn follows_another(&self, old: InstanceId, interval: Duration, instance: &Instance) -> bool {
        let before = self.config.instances.get(old.index());
        before.is_some_and(|before| interval != before.advert_interval && before.version == instance.version)
    }

    /// Whether the new advert differs from the old one.
    fn speaks_differently(&self, old: InstanceId, instance: &Instance, config: &Config) -> bool {
        self.config.instances.get(old.index()).is_none_or(|before| {
            let old_list = self.config.addresses.get(before.addresses.rows()).unwrap_or(&[]);
            let new_list = config.addresses.get(instance.addresses.rows()).unwrap_or(&[]);
            !old_list.iter().map(|one| one.address).eq(new_list.iter().map(|one| one.address))
                || before.priority != instance.priority
                || (before.version, before.coverage) != (instance.version, instance.coverage)
                || before.authentication != instance.authentication
                || before.advert_interval != instance.advert_interval
        })
    }
}
