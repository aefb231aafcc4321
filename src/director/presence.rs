//! Which addresses of services with `ha_suspend` are on this box, on whatever interface and whoever put them there.
//!
//! Whoever asks gets a level: [`Presence::rests`] says whether a service's checks rest. What that means for probes is
//! the business of `health`, for real servers that of `services`.

use core::net::IpAddr;

use super::event::Source;
use super::{Director, Parts};
use crate::config::Config;
use crate::config::ids::{Id, ProbeId, ServiceId};
use crate::config::model::Service;
use crate::config::order::sort;
use crate::time::Instant;
use crate::wire::genl_ipvs::ServiceKey;
use crate::wire::link::LinkIndex;

/// Interfaces that can have one address at a time; on more of them it counts as gone when these four lost it.
const PLACES: usize = 4;

/// An address that is waited for.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    address: IpAddr,
    /// Where it is, and whether the running dump has shown it; index 0 is a free place.
    places: [(LinkIndex, bool); PLACES],
}

impl Awaited {
    fn is_here(&self) -> bool {
        self.places.iter().any(|(link, _)| *link != LinkIndex::default())
    }

    fn set(&mut self, link: LinkIndex, there: bool) {
        let known = self.places.iter().position(|(place, _)| *place == link);
        let free = || self.places.iter().position(|(place, _)| *place == LinkIndex::default());
        let row = if there { known.or_else(free) } else { known };
        if let Some(place) = row.and_then(|row| self.places.get_mut(row)) {
            *place = if there { (link, true) } else { Default::default() };
        }
    }
}

/// All addresses that are waited for, sorted.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    awaited: Box<[Awaited]>,
}

/// The address that a service's checks wait for.
fn awaited_by(service: &Service) -> Option<IpAddr> {
    match service.key {
        ServiceKey::Address { address, .. } if service.suspend => Some(address),
        ServiceKey::Address { .. } | ServiceKey::Mark { .. } => None,
    }
}

impl Presence {
    pub(crate) fn new(config: &Config) -> Self {
        let mut addresses: Vec<IpAddr> = config.services.iter().filter_map(awaited_by).collect();
        sort(&mut addresses, |a, b| a < b);
        addresses.dedup();
        let awaited = |address| Awaited { address, places: Default::default() };
        Self { awaited: addresses.into_iter().map(awaited).collect() }
    }

    /// True if no address is waited for: no checks rest.
    pub(crate) fn is_idle(&self) -> bool {
        self.awaited.is_empty()
    }

    fn find(&self, address: IpAddr) -> Option<usize> {
        self.awaited.binary_search_by_key(&address, |one| one.address).ok()
    }

    /// True if the checks of the service rest.
    pub(crate) fn rests(&self, service: &Service) -> bool {
        let awaited = awaited_by(service).and_then(|address| self.find(address));
        awaited.and_then(|row| self.awaited.get(row)).is_some_and(|one| !one.is_here())
    }

    /// The kernel says that an address is there, or gone; true if that changes something.
    fn handle(&mut self, address: IpAddr, link: LinkIndex, there: bool) -> bool {
        let Some(one) = self.find(address).and_then(|row| self.awaited.get_mut(row)) else { return false };
        let before = one.is_here();
        one.set(link, there);
        one.is_here() != before
    }

    /// A dump of addresses begins.
    pub(crate) fn begin_dump(&mut self) {
        let places = self.awaited.iter_mut().flat_map(|one| &mut one.places);
        places.for_each(|(_, seen)| *seen = false);
    }

    /// A whole dump ended: what it did not show is not there. Gives an address that is gone with it.
    fn drop_unseen(&mut self) -> Option<IpAddr> {
        self.awaited.iter_mut().find_map(|one| {
            let before = one.is_here();
            let unseen = one.places.iter_mut().filter(|(_, seen)| !*seen);
            unseen.for_each(|place| *place = Default::default());
            (before && !one.is_here()).then_some(one.address)
        })
    }

    /// The box stops: that its addresses go is no news any more.
    pub(crate) fn stop(&mut self) {
        self.awaited = Box::default();
    }

    /// Takes over where the addresses are. One that is waited for since now is found by the survey after the reload.
    pub(crate) fn adopt(&mut self, old: &Self) {
        for one in &mut self.awaited {
            if let Some(known) = old.find(one.address).and_then(|row| old.awaited.get(row)) {
                one.places = known.places;
            }
        }
    }
}

impl Parts {
    /// Sets what rests and what does not, before the first check is planned.
    pub(crate) fn rest(&mut self, config: &Config) {
        // Nothing does in a table that was just made.
        if self.presence.is_idle() {
            return;
        }
        for id in (0..config.probes.len()).map(ProbeId::from_index) {
            let rests = self.probe_rests(id, config);
            self.health.set_resting(id, rests);
        }
        for (id, service) in config.services.iter().enumerate() {
            self.services.set_resting(ServiceId::from_index(id), self.presence.rests(service));
        }
    }

    /// A probe rests if all whom it concerns do.
    fn probe_rests(&self, id: ProbeId, config: &Config) -> bool {
        let users = self.services.users(id);
        let rests = |row: usize| config.services.get(row).is_some_and(|service| self.presence.rests(service));
        let service = |user: usize| config.destinations.get(user).map(|one| one.service.index());
        let all = users.iter().all(|user| service(user.index()).is_some_and(rests));
        !users.is_empty() && all && !config.ping_groups.iter().any(|one| config.pings_of(one).contains(&id))
    }
}

impl Director {
    /// An address came or went, of whomever.
    pub(super) fn note_presence(
        &mut self,
        now: Instant,
        (address, link): (IpAddr, LinkIndex),
        (there, how): (bool, Source),
    ) {
        // What a dump does not show is told when it ends.
        let told = there || how != Source::Dump;
        if told && self.parts.presence.handle(address, link, there) {
            self.presence_changed(now, address);
        }
    }

    /// A dump of addresses ended.
    pub(super) fn end_presence_dump(&mut self, now: Instant) {
        while let Some(address) = self.parts.presence.drop_unseen() {
            self.presence_changed(now, address);
        }
    }

    fn presence_changed(&mut self, now: Instant, address: IpAddr) {
        let (config, parts) = (&self.config, &mut self.parts);
        let concerned = |service: &&Service| awaited_by(service) == Some(address);
        for service in config.services.iter().filter(concerned) {
            let rests = parts.presence.rests(service);
            for id in service.destinations.iter() {
                let probes = config.destinations.get(id.index()).map(|one| config.probes_of(one));
                for probe in probes.unwrap_or_default() {
                    let rests = parts.probe_rests(*probe, config);
                    parts.health.rest(now, *probe, rests, config, &mut parts.bus);
                }
            }
            let id = config.destinations.get(service.destinations.rows().start).map(|one| one.service);
            if let Some(id) = id {
                let Parts { services, health, bus, .. } = parts;
                services.rest(now, (id, rests), config, health, bus);
            }
        }
    }
}

#[cfg(test)]
mod tests;
