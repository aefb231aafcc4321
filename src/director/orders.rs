//! What the operator, or the end of the program, wants of several subsystems at once.

use super::event::Keep;
use super::journal::Reason;
use super::{Director, Parts};
use crate::time::Instant;

impl Director {
    /// The alarms that stay were seen: they come again if their reason does.
    pub(super) fn clear_alarms(&mut self, now: Instant) {
        let Parts { bus, duplicates, vrrp, .. } = &mut self.parts;
        let count = duplicates.clear() + vrrp.clear_misfits();
        bus.record(now, Reason::AlarmsCleared(count));
    }

    /// Everything that is installed goes, but what is kept.
    pub(super) fn stop(&mut self, now: Instant, keep: Keep) {
        let config = &self.config;
        let Parts {
            bus, vrrp, net_plan, nftables_plan, firewall_plan, route_plan, ipvs_plan, presence, ..
        } = &mut self.parts;
        presence.stop();
        bus.record(now, Reason::Stopping);
        vrrp.stop(now, keep, bus);
        net_plan.stop(keep.addresses);
        nftables_plan.stop();
        firewall_plan.stop(keep.services);
        route_plan.stop(keep.addresses);
        ipvs_plan.stop(keep.services, config);
    }
}
