//! Leaving: what a stop says, and what a reload takes over for the instances that both configurations have.

use super::{Misfits, Occasion, Program, State, VirtualRouter, Vrrp, master_down_interval};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId};
use crate::config::model::Instance;
use crate::director::action::AdvertKind;
use crate::director::bus::{Bus, Timer};
use crate::director::journal::Reason;
use crate::time::{Duration, Instant};

impl Vrrp {
    /// The box stops: every MASTER says farewell, and nothing is heard any more.
    pub(crate) fn stop(&mut self, now: Instant, bus: &mut Bus) {
        self.stopping = true;
        for id in (0..self.table.len()).map(InstanceId::from_index) {
            let was_master = self.is_master(id);
            if was_master {
                self.farewell(now, id, bus);
            }
            self.enter(now, id, State::Init, Reason::Stopping, bus);
            if was_master {
                self.release(now, id, bus);
            }
            bus.cancel(Timer::Protocol(id));
        }
    }

    /// Takes over the states of instances that both configurations have. A MASTER stays MASTER and says no farewell;
    /// one whose advert changes shows the new one at once.
    pub(crate) fn adopt(&mut self, now: Instant, from: Predecessor<'_>, config: &Config, bus: &mut Bus) {
        self.strays = from.vrrp.strays;
        for (id, instance) in config.instances.iter().enumerate() {
            let id = InstanceId::from_index(id);
            let Some(old) = from.find(instance, config) else { continue };
            let (Some(router), Some(before)) = (self.table.get_mut(id.index()), from.vrrp.get(old)) else {
                continue;
            };
            *router = VirtualRouter { program: Program::Idle, ..*before };
            if !from.follows_another(old, before.master_interval, instance) {
                router.master_interval = instance.advert_interval;
            }
            if let Some(deadline) = from.bus.deadline(Timer::Protocol(old)) {
                let longest = match router.state {
                    State::Master => instance.advert_interval,
                    State::Init | State::Backup | State::Fault(_) => {
                        master_down_interval(instance.version, router.master_interval, instance.priority)
                    }
                };
                bus.set(Timer::Protocol(id), deadline.min(now + longest));
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
        let link = config.link_name(instance.link);
        let same = |old: &Instance| {
            (old.vrid, old.family) == (instance.vrid, instance.family)
                && self.config.link_name(old.link) == link
        };
        self.config.instances.iter().position(same).map(InstanceId::from_index)
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
