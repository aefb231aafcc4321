//! The delay of the start (`vrrp_startup_delay`, `vrrp_delay_after_boot`), and a MASTER that wakes too late
//! (`timer_expired_backup`).

use super::{Entry, Vrrp};
use crate::config::Config;
use crate::config::ids::InstanceId;
use crate::config::model::Instance;
use crate::director::bus::{Bus, Timer};
use crate::director::journal::Reason;
use crate::time::{Duration, Instant};

impl Vrrp {
    /// The program starts: no VRRP before the configured delays are over. A reload is no start.
    pub(crate) fn hold(&mut self, now: Instant, config: &Config, bus: &mut Bus) {
        let boot = Instant::ZERO + config.global.delay_after_boot;
        let until = boot.max(now + config.global.startup_delay);
        self.hold_until(until, now, bus);
        if now < until && !self.table.is_empty() {
            let why = Reason::StartDelayed(until.since(now));
            bus.record(now, why);
            self.table.iter_mut().for_each(|router| router.why = Some(why));
        }
    }

    pub(super) fn hold_until(&mut self, until: Instant, now: Instant, bus: &mut Bus) {
        self.held_until = until;
        if now < until {
            bus.set(Timer::Startup, until);
        }
    }

    /// When VRRP begins, if that is still to come.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        Some(self.held_until).filter(|until| now < *until)
    }

    /// The delay of the start is over.
    pub(crate) fn handle_startup(&mut self, bus: &mut Bus) {
        self.table
            .iter_mut()
            .filter(|router| matches!(router.why, Some(Reason::StartDelayed(_))))
            .for_each(|router| router.why = None);
        (0..self.table.len()).for_each(|id| bus.tracks.insert(id));
    }

    /// With `timer_expired_backup`: true if this MASTER wakes so late that another one must have taken over. It listens
    /// first; the addresses of two at once help nobody.
    pub(super) fn gives_up_late(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        bus: &mut Bus,
    ) -> bool {
        let adverts = instance.manners.late_adverts;
        let late = self.get(id).map_or(Duration::ZERO, |router| now.since(router.due_at));
        if adverts == 0 || late <= instance.advert_interval.times(adverts.into()) {
            return false;
        }
        let why = Reason::WokeLate(id, late);
        bus.record(now, why);
        self.become_backup(now, id, instance, (Entry::Defeated, why), bus);
        self.release(now, id, bus);
        true
    }
}
