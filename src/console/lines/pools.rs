//! Lines about sorry servers whose checks changed, and about checks that rest (`ha_suspend`); keepalived's words where
//! it has some.

use super::Severity::{Info, Warning};
use super::Teller;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::director::journal::Reason;

/// Real servers that are named when the checks of a whole service rest.
const MAX_CHECK_LINES: usize = 32;

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller sends no others")]
pub(super) fn tell(teller: &mut Teller<'_>, reason: Reason) {
    match reason {
        Reason::ReliefChanged(id, there) => teller.relief_changed(id, there),
        Reason::ChecksSuspended(id) => teller.checks_moved("Suspending", id),
        Reason::ChecksResumed(id) => teller.checks_moved("Activating", id),
        _ => debug_assert!(false, "no reason of this family"),
    }
}

impl Teller<'_> {
    /// True if a sorry server of the service can serve.
    pub(super) fn has_relief(&self, id: ServiceId) -> bool {
        self.director.services().pool(id).is_some_and(|pool| pool.relief)
    }

    fn relief_changed(&mut self, id: ServiceId, there: bool) {
        let vs = self.names.service(id);
        if there {
            self.say(Info, format_args!("Removing alive servers from the pool for VS {vs}"));
        } else {
            let line = format_args!("No sorry server of VS {vs} is alive: its alive servers go on");
            self.say(Warning, line);
            self.say(Info, format_args!("Adding alive servers to the pool for VS {vs}"));
        }
    }

    /// A line for each server that is checked, as operators look for it; the first ones of many.
    fn checks_moved(&mut self, word: &str, id: ServiceId) {
        let (names, vs) = (self.names, self.names.service(id));
        let Some(service) = names.0.services.get(id.index()) else { return };
        let checked = |id: &DestinationId| {
            names.0.destinations.get(id.index()).is_some_and(|one| !one.probes.is_empty())
        };
        for id in service.destinations.iter().filter(checked).take(MAX_CHECK_LINES) {
            let server = names.server(id);
            self.say(Info, format_args!("{word} healthchecker for service {server} for VS {vs}"));
        }
        let rest = service.destinations.iter().filter(checked).count().saturating_sub(MAX_CHECK_LINES);
        if rest > 0 {
            self.say(Info, format_args!("{word} healthchecker for {rest} more services for VS {vs}"));
        }
    }
}
