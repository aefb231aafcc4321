//! Services that lead checks through virtual addresses (`via_vip`): rows like all others, but nobody is told of them, and
//! they never outlive the process.

use super::{Availability, IpvsPlan, Setup};
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::director::journal::Reason;
use crate::director::ledger::Stage;

impl IpvsPlan {
    /// True if a packet with the mark of this service gets to its real server and to no other.
    pub(crate) fn leads(&self, id: ServiceId, config: &Config) -> bool {
        let Some(service) = config.services.get(id.index()) else { return false };
        let there = |id: DestinationId| {
            let (wish, known) = (config.destinations.get(id.index()), self.destination(id));
            self.destinations.stage(id.index()) == Stage::Ready
                && wish
                    .zip(known)
                    .is_some_and(|(wish, known)| (wish.method, wish.weight) == (known.method, known.weight))
        };
        self.availability == Availability::Present(Setup::Done)
            && self.services.stage(id.index()) == Stage::Ready
            && self.service(id) == Some(service.spec)
            && service.destinations.iter().all(there)
            && !self.strangers.iter().any(|one| one.service == id)
    }

    /// The box stops; `keep` leaves the table as it is but for the hidden services: without our checks they are of no
    /// use, and the next start may not know their marks any more.
    pub(crate) fn stop(&mut self, keep: bool, config: &Config) {
        (self.stopping, self.keep) = (true, keep);
        self.audit.stop();
        if !keep {
            return self.services.mark_all();
        }
        self.services.removals.clear();
        self.destinations.removals.clear();
        self.strangers_asked = self.strangers.len();
        for row in config.written_services().len()..config.services.len() {
            self.services.removals.insert(row);
        }
    }
}

/// True for what nobody is to hear of.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others name no entry of the table that differs")]
pub(super) fn is_about_hidden(reason: Reason, config: &Config) -> bool {
    let is_written = |id: DestinationId| id.index() < config.written_destinations().len();
    match reason {
        Reason::ServiceDiffers(id) | Reason::ServiceMissing(id) | Reason::DestinationStrange(id, _) => {
            config.is_hidden(id)
        }
        Reason::DestinationDiffers(id) | Reason::DestinationMissing(id) => !is_written(id),
        _ => false,
    }
}
