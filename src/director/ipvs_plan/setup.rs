//! What is done once: the flush and the timeouts when IPVS is found, and at the stop the timeouts as they were and
//! perhaps another flush.

use super::{Availability, IpvsPlan, Next, Setup};
use crate::config::model::Timeouts;
use crate::director::action::Action;
use crate::director::bus::Bus;
use crate::wire::genl_ipvs::TimeoutValues;

impl IpvsPlan {
    pub(super) fn poll_setup(&mut self, setup: Setup, bus: &Bus) -> Option<Action> {
        let epoch = bus.epoch;
        let (action, next) = match setup {
            Setup::Flush => (Action::FlushIpvs { epoch }, Next::Timeouts),
            Setup::Timeouts if self.timeouts_wish() != Timeouts::default() => match self.originals {
                None => (Action::ReadTimeouts { epoch }, Next::SetTimeouts),
                Some(_) => (Action::SetTimeouts { epoch }, Next::Done),
            },
            Setup::SetTimeouts => (Action::SetTimeouts { epoch }, Next::Done),
            Setup::Timeouts => {
                self.availability = Availability::Present(Setup::Done);
                self.audit.begin();
                return None;
            }
            Setup::Asked(..) | Setup::Done => return None,
        };
        self.availability = Availability::Present(Setup::Asked(epoch, next));
        Some(action)
    }

    /// What the timeouts shall be; what is not configured, any more or at the stop, goes back to what it was.
    pub(super) fn timeouts_wish(&self) -> Timeouts {
        let [tcp, tcp_fin, udp] = self.originals.map_or([None; 3], |values| values.map(Some));
        let wish = if self.stopping { Timeouts::default() } else { self.timeouts };
        Timeouts { tcp: wish.tcp.or(tcp), tcp_fin: wish.tcp_fin.or(tcp_fin), udp: wish.udp.or(udp) }
    }

    /// The kernel told its timeouts.
    pub(crate) fn handle_timeouts(&mut self, values: TimeoutValues) {
        self.originals = self.originals.or(Some(values));
    }

    /// Everything goes, and the kernel's own settings come back.
    pub(super) fn depart(&mut self) {
        self.services.mark_all();
        self.daemons.ledger.mark_all();
        let restore = self.originals.map(|_| Setup::Timeouts);
        self.parting = if self.flush_on_stop { Some(Setup::Flush) } else { restore };
    }
}
