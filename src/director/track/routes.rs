//! Routes that instances track: whether the kernel has them. A dump is what proves that one is missing: a notification
//! that a route is gone does not tell whether another one serves as well, and of routes that go with their interface or
//! address nobody tells (`fib_sync_down_dev` in net/ipv4/fib_semantics.c).

use crate::config::Config;
use crate::config::ids::{Id, TrackedRouteId};
use crate::config::model::TrackTarget;
use crate::director::bus::{Bus, Timer};
use crate::director::event::Source;
use crate::director::journal::Reason;
use crate::director::route_plan::Pace;
use crate::time::Instant;
use crate::wire::rtnetlink::route::RouteEntry;

use super::{Tracks, Watched};

/// What is known of one route.
#[derive(Debug, Clone, Copy, Default)]
struct Sight {
    there: Option<bool>,
    /// The running dump showed it.
    seen: bool,
}

/// All routes of `Config::tracked_routes`.
#[derive(Debug)]
pub(super) struct Routes {
    table: Box<[Sight]>,
    pace: Pace,
}

impl Routes {
    pub(super) fn new(config: &Config) -> Self {
        let table = vec![Sight::default(); config.tracked_routes.len()].into_boxed_slice();
        Self { table, pace: Pace::default() }
    }

    /// Whether the kernel has it; `None` before it was asked.
    pub(super) fn is_there(&self, id: TrackedRouteId) -> Option<bool> {
        self.table.get(id.index())?.there
    }

    pub(super) fn is_known(&self, id: TrackedRouteId) -> bool {
        self.is_there(id).is_some()
    }

    pub(super) fn adopt(&mut self, old: &Self, before: &Config, config: &Config) {
        self.pace = old.pace;
        for (new, sight) in self.table.iter_mut().enumerate() {
            let new = TrackedRouteId::from_index(new);
            let same = (0..old.table.len())
                .find(|id| is_same((TrackedRouteId::from_index(*id), before), (new, config)));
            if let Some(known) = same.and_then(|id| old.table.get(id)) {
                sight.there = known.there;
            }
        }
    }

    /// The table is to be looked at, and soon.
    fn doubt(&mut self, now: Instant, bus: &mut Bus) {
        bus.set_no_later(Timer::RouteAudit, self.pace.next(now));
    }
}

impl Tracks {
    /// The kernel says that a route is there, or gone.
    pub(crate) fn handle_route(
        &mut self,
        now: Instant,
        entry: &RouteEntry<'_>,
        (there, source): (bool, Source),
        around: Watched<'_>,
        bus: &mut Bus,
    ) {
        for (id, route) in around.config.tracked_routes.iter().enumerate() {
            if !route.is_place(entry) {
                continue;
            }
            let met = route.is_met(entry, |link| around.links.get(link).index);
            match source {
                Source::Dump => {
                    if let Some(sight) = self.routes.table.get_mut(id).filter(|_| met) {
                        sight.seen = true;
                    }
                }
                Source::Own | Source::Foreign if there && met => {
                    // A dump that is under way may be beyond its place.
                    if let Some(sight) = self.routes.table.get_mut(id) {
                        sight.seen = true;
                    }
                    self.conclude(now, id, true, around, bus);
                }
                // Gone, or replaced by one that leads elsewhere.
                Source::Own | Source::Foreign => self.routes.doubt(now, bus),
            }
        }
    }

    /// An interface changed: routes may have gone with it.
    pub(crate) fn link_changed(&mut self, now: Instant, bus: &mut Bus) {
        if !self.routes.table.is_empty() {
            self.routes.doubt(now, bus);
        }
    }

    /// A dump of routes begins.
    pub(crate) fn begin_route_dump(&mut self) {
        self.routes.table.iter_mut().for_each(|sight| sight.seen = false);
    }

    /// It was whole: what it did not show is not there.
    pub(crate) fn end_route_dump(&mut self, now: Instant, around: Watched<'_>, bus: &mut Bus) {
        for id in 0..self.routes.table.len() {
            if let Some(seen) = self.routes.table.get(id).map(|sight| sight.seen) {
                self.conclude(now, id, seen, around, bus);
            }
        }
    }

    fn conclude(&mut self, now: Instant, id: usize, there: bool, around: Watched<'_>, bus: &mut Bus) {
        let Some(sight) = self.routes.table.get_mut(id) else { return };
        let before = sight.there.replace(there);
        if before == Some(there) {
            return;
        }
        let id = TrackedRouteId::from_index(id);
        if before.is_some() || !there {
            bus.record(now, Reason::RouteTracked(id, there));
        }
        self.changed(now, TrackTarget::Route(id), around, bus);
    }
}

/// True if both configurations mean the same route.
pub(super) fn is_same(
    (one, of): (TrackedRouteId, &Config),
    (other, config): (TrackedRouteId, &Config),
) -> bool {
    let (Some(a), Some(b)) = (of.tracked_routes.get(one.index()), config.tracked_routes.get(other.index()))
    else {
        return false;
    };
    (a.destination, a.table, a.gateway) == (b.destination, b.table, b.gateway)
        && a.link.map(|link| of.link_name(link)) == b.link.map(|link| config.link_name(link))
}
