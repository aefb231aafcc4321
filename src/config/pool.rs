//! What follows from a service's destinations: which are real servers, which are sorry servers, how packets get there.

use super::Config;
use super::ids::{DestinationId, Id, Range};
use super::model::Service;
use crate::wire::genl_ipvs::ForwardingMethod;

impl Service {
    /// The real servers.
    pub fn real_servers(&self) -> Range<DestinationId> {
        let rows = self.destinations.rows();
        Range::new(rows.start, rows.end.saturating_sub(self.sorry.len()))
    }

    /// True for one of its sorry servers.
    pub fn is_sorry(&self, id: DestinationId) -> bool {
        self.sorry.contains(id)
    }
}

impl Config {
    /// True for a sorry server.
    pub fn is_sorry(&self, id: DestinationId) -> bool {
        let service =
            self.destinations.get(id.index()).and_then(|one| self.services.get(one.service.index()));
        service.is_some_and(|service| service.is_sorry(id))
    }

    /// True if a real server gets packets as they came (DR, TUN).
    pub fn forwards_unchanged(&self) -> bool {
        self.destinations.iter().any(|one| one.method != ForwardingMethod::Masquerade)
    }
}
