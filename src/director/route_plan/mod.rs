//! Routes and rules: which shall be in the kernel, which are, and the requests that close the gap.
//!
//! The same ledger, rungs and repair limit as for addresses (`net_plan`). Those of an instance are added when its
//! addresses are settled and removed before them; static ones are always wished. A route whose place another one holds
//! is left to its owner, unless it was ours or is marked as ours: then it is replaced. What a route says of connections
//! (MTU, windows) is set and not compared.

mod adopt;
mod pace;
mod request;

pub(super) use pace::Pace;
pub use request::RoutingRequest;

use super::action::{Action, Change, Epoch, RoutingRef};
use super::bus::{Bus, Timer};
use super::event::{Errno, Source};
use super::index::Index;
use super::journal::{Family, Reason};
use super::ledger::{self, Gravity, Ledger, RepairLimit, Settled, Stage, rung_delay};
use super::links::Links;
use super::net_plan::NetPlan;
use super::vrrp::{Holding, Vrrp};
use crate::config::Config;
use crate::config::ids::{Id, InstanceId, LinkId, RouteId, RuleId};
use crate::config::model::Instance;
use crate::config::routing::Route;
use crate::time::Instant;
use crate::wire::rtnetlink::route::{RouteEntry, RouteSpec};
use crate::wire::rtnetlink::rule::RuleSpec;

/// Routes of the configuration, then rules, then what a reload left behind.
#[derive(Debug)]
pub struct RoutePlan {
    ledger: Ledger,
    rows: Box<[Row]>,
    /// What the instances wanted of what is theirs when they were last looked at.
    masters: Box<[Holding]>,
    /// What is no longer configured and still present.
    retired: Box<[Retired]>,
    /// Routes by table and destination.
    routes: Index,
    /// Rules by preference.
    rules: Index,
    limit: RepairLimit,
    /// Of looking at the table because somebody else changed it.
    pace: Pace,
    /// The kernel has listed its routes and rules once: before that nobody knows what an earlier life left.
    known: bool,
    keep: bool,
    stopping: bool,
}

/// The mirror of one route or rule.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// What the kernel is believed to have.
    present: bool,
    /// An answer was lost: `present` may be wrong, so whatever is wished is asked for.
    unsure: bool,
    /// The running dump shows another route in its place.
    other: bool,
    /// One that is marked as ours.
    marked: bool,
    /// Another route is in its place and may be replaced.
    displaced: bool,
}

#[derive(Debug, Clone, Copy)]
enum Retired {
    Route(RouteSpec),
    Rule(RuleSpec),
}

/// What a decision looks at.
pub(crate) type Around<'a> = (&'a Config, &'a Vrrp, &'a Links);

impl RoutePlan {
    /// A plan for `config`.
    pub(crate) fn new(config: &Config) -> Self {
        let rows = config.routes.len() + config.rules.len();
        let mut routes = Index::new(config.routes.len());
        for (id, route) in (0..).zip(&config.routes) {
            routes.insert(&key(&route.spec), id);
        }
        let mut rules = Index::new(config.rules.len());
        for (id, rule) in (0..).zip(&config.rules) {
            rules.insert(&rule.spec.preference, id);
        }
        Self {
            ledger: Ledger::new(rows),
            rows: vec![Row::default(); rows].into_boxed_slice(),
            masters: vec![Holding::AsTheyAre; config.instances.len()].into_boxed_slice(),
            retired: Box::default(),
            routes,
            rules,
            limit: RepairLimit::new(rows),
            pace: Pace::default(),
            known: false,
            keep: false,
            stopping: false,
        }
    }

    /// True if the kernel has it, as far as we know.
    pub fn is_present(&self, object: RoutingRef, config: &Config) -> bool {
        self.rows.get(row_of(object, config)).is_some_and(|row| row.present)
    }

    /// The kernel's last error for it.
    pub fn error(&self, object: RoutingRef, config: &Config) -> Option<Errno> {
        self.ledger.error(row_of(object, config))
    }

    /// True if the kernel refused it for good: it is not tried again by itself.
    pub fn is_parked(&self, object: RoutingRef, config: &Config) -> bool {
        self.ledger.stage(row_of(object, config)) == Stage::Parked
    }

    /// How many are held back by an error.
    pub fn troubled(&self) -> usize {
        self.ledger.troubled()
    }

    /// The first one that is held back by an error.
    pub fn first_troubled(&self, config: &Config) -> Option<RoutingRef> {
        let held = |row: &usize| matches!(self.ledger.stage(*row), Stage::Waiting(_) | Stage::Parked);
        (0..self.rows.len()).find(held).map(|row| reference(row, config))
    }

    /// True while repairs are held because somebody keeps removing what we add.
    pub fn repairs_held(&self) -> bool {
        self.limit.is_held()
    }

    /// An instance's state changed: what failed deserves another try.
    pub(crate) fn instance_changed(&mut self, id: InstanceId, config: &Config, vrrp: &Vrrp) {
        let holding = vrrp.holding(id);
        let Some(known) = self.masters.get_mut(id.index()) else { return };
        if core::mem::replace(known, holding) == holding {
            return;
        }
        if let Some(instance) = config.instances.get(id.index()) {
            for row in rows_of(instance, config) {
                self.ledger.release(row);
                self.ledger.mark(row);
            }
        }
    }

    /// An address is there: routes that it is the source of may be possible now.
    pub(crate) fn address_installed(&mut self, owner: Option<InstanceId>, config: &Config) {
        match owner.and_then(|id| config.instances.get(id.index())) {
            Some(instance) => rows_of(instance, config).for_each(|row| self.ledger.release(row)),
            None if self.ledger.troubled() > 0 => {
                (0..self.rows.len()).for_each(|row| self.ledger.release(row));
            }
            None => {}
        }
    }

    /// An interface changed: what waited for it is tried again; what was on one that is gone is gone with it.
    pub(crate) fn link_changed(&mut self, link: LinkId, config: &Config, links: &Links) {
        let gone = !links.get(link).exists();
        for (row, _) in
            config.routes.iter().enumerate().filter(|(_, route)| route.links().any(|one| one == link))
        {
            let in_flight = matches!(self.ledger.stage(row), Stage::InFlight(_));
            if let Some(mirror) = self.rows.get_mut(row).filter(|_| gone && !in_flight) {
                *mirror = Row::default();
            }
            self.ledger.release(row);
            self.ledger.mark(row);
        }
    }

    /// The kernel says that a route is there, or gone.
    pub(crate) fn handle_route(
        &mut self,
        now: Instant,
        entry: &RouteEntry<'_>,
        (there, source): (bool, Source),
        around: Around<'_>,
        bus: &mut Bus,
    ) {
        let (config, _, links) = around;
        let at = |id: u32| config.routes.get(id as usize);
        let is_place = |id: u32| at(id).is_some_and(|route| route.spec.is_place(entry));
        let key = (entry.table, entry.destination);
        let Some(row) = self.routes.find(&key, is_place).map(|id| id as usize) else { return };
        let Some(route) = config.routes.get(row) else { return };
        let (spec, hops) = route.resolved(|id| links.get(id).index);
        if spec.is_described(&hops, entry) {
            return self.handle(now, row, (there, source), around, bus);
        }
        match source {
            Source::Dump => {
                if let Some(mirror) = self.rows.get_mut(row) {
                    mirror.other = true;
                    mirror.marked |= entry.protocol == spec.protocol;
                }
            }
            // Whether ours is still there beside it, or was replaced, only the table tells.
            Source::Foreign => bus.set_no_later(Timer::RouteAudit, self.pace.next(now)),
            Source::Own => {}
        }
    }

    /// The kernel says that a rule is there, or gone.
    pub(crate) fn handle_rule(
        &mut self,
        now: Instant,
        entry: &RuleSpec,
        said: (bool, Source),
        around: Around<'_>,
        bus: &mut Bus,
    ) {
        let config = around.0;
        let same = |id: u32| config.rules.get(id as usize).is_some_and(|rule| rule.spec == *entry);
        if let Some(id) = self.rules.find(&entry.preference, same) {
            self.handle(now, config.routes.len() + id as usize, said, around, bus);
        }
    }

    fn handle(
        &mut self,
        now: Instant,
        row: usize,
        (there, source): (bool, Source),
        around: Around<'_>,
        bus: &mut Bus,
    ) {
        let fresh = if source == Source::Dump && there { self.ledger.see(row) } else { true };
        if matches!(self.ledger.stage(row), Stage::InFlight(_)) {
            if source == Source::Foreign {
                self.ledger.doubt(row);
            }
            return;
        }
        if !fresh {
            return;
        }
        if source != Source::Dump {
            self.ledger.touch(row);
        }
        let wished = self.wish(row, around);
        let Some(mirror) = self.rows.get_mut(row).filter(|mirror| mirror.present != there) else { return };
        (mirror.present, mirror.unsure) = (there, false);
        let object = reference(row, around.0);
        match (wished, source) {
            (Some(true), _) if there => self.ledger.release(row),
            (Some(true), Source::Foreign | Source::Dump) => {
                self.repair(now, row, Reason::RoutingMissing(object), bus);
            }
            (Some(false), Source::Foreign | Source::Dump) if there => {
                self.repair(now, row, Reason::RoutingUnwanted(object), bus);
            }
            (Some(_), _) => self.ledger.mark(row),
            // Its interface is down: what comes and goes meanwhile is the kernel's doing.
            (None, _) => {}
        }
    }

    /// Somebody took something of ours away, or put it where it must not be.
    fn repair(&mut self, now: Instant, row: usize, reason: Reason, bus: &mut Bus) {
        bus.record(now, reason);
        ledger::repair(now, row, (&mut self.ledger, &mut self.limit), Family::Routes, bus);
    }

    /// Dumps of routes and rules begin.
    pub(crate) fn begin_dump(&mut self) {
        self.ledger.begin_dump(0..self.rows.len());
        self.rows.iter_mut().for_each(|row| (row.other, row.marked) = (false, false));
    }

    /// Both dumps ended: what they did not show is not there.
    pub(crate) fn end_dump(&mut self, now: Instant, around: Around<'_>, bus: &mut Bus) {
        let configured = around.0.routes.len() + around.0.rules.len();
        for row in 0..configured {
            if self.ledger.proven_absent(row) {
                if let Some(mirror) = self.rows.get_mut(row) {
                    mirror.displaced = mirror.other && (mirror.present || mirror.marked || mirror.displaced);
                }
                self.handle(now, row, (false, Source::Dump), around, bus);
            } else if let Some(mirror) = self.rows.get_mut(row) {
                mirror.displaced = false;
            }
        }
        self.known = true;
        ledger::lapse(now, &mut self.ledger, &mut self.limit);
        match self.limit.held_until() {
            None => (0..self.ledger.len()).for_each(|row| self.ledger.mark(row)),
            Some(until) => bus.set_no_later(Timer::RouteAudit, until),
        }
    }

    /// The wish for a row: present or not; `None` while it may stay as it is: its interfaces are down, or nobody knows
    /// whose it is.
    fn wish(&self, row: usize, (config, vrrp, links): Around<'_>) -> Option<bool> {
        if self.stopping && self.keep {
            return None;
        }
        let Some(object) = config_row(row, config) else { return Some(false) };
        match object.owner().map_or(Holding::All, |id| vrrp.holding(id)) {
            Holding::AsTheyAre if !self.stopping => None,
            Holding::All if !self.stopping => object.links().all(|id| links.get(id).running).then_some(true),
            Holding::Nothing | Holding::AsTheyAre | Holding::All => Some(false),
        }
    }

    /// True if the row is not to wait for the addresses of its instance.
    fn may_go(&self, row: usize, around: Around<'_>, addresses: &NetPlan) -> bool {
        let owner = config_row(row, around.0).and_then(|object| object.owner());
        owner.is_none_or(|id| !around.1.is_master(id) || addresses.is_settled(around.0, id))
    }

    fn next(&self, around: Around<'_>, addresses: &NetPlan) -> Option<usize> {
        if !self.known && !self.stopping {
            return None;
        }
        self.ledger.dirty.peek(|row| if self.may_go(row, around, addresses) { Ok(()) } else { Err(row + 1) })
    }

    /// The next request to the kernel.
    pub(crate) fn poll(&mut self, around: Around<'_>, addresses: &NetPlan, bus: &Bus) -> Option<Action> {
        while let Some(row) = self.next(around, addresses) {
            self.ledger.dirty.take(row);
            if self.ledger.stage(row) != Stage::Ready {
                continue;
            }
            let mirror = self.rows.get(row).copied().unwrap_or_default();
            let change = match self.wish(row, around) {
                Some(true) if mirror.displaced => Change::Set,
                Some(true) if mirror.unsure || !mirror.present => Change::Add,
                Some(false) if mirror.unsure || mirror.present => Change::Remove,
                Some(_) | None => continue,
            };
            self.ledger.sent(row, bus.epoch);
            let (epoch, object) = (bus.epoch, reference(row, around.0));
            return Some(Action::Routing { epoch, object, change });
        }
        None
    }

    /// True if a request waits to be made.
    pub(crate) fn has_work(&self, around: Around<'_>, addresses: &NetPlan) -> bool {
        self.next(around, addresses).is_some()
    }

    /// True if everything is as wished or cannot be for now.
    pub(crate) fn is_done(&self) -> bool {
        self.ledger.dirty.is_empty() && self.ledger.is_answered()
    }

    /// The kernel answered a request.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        (object, change, epoch): (RoutingRef, Change, Epoch),
        result: Result<(), Errno>,
        config: &Config,
        bus: &mut Bus,
    ) {
        let row = row_of(object, config);
        if result == Err(Errno::LOST) {
            match (self.ledger.answered(row, epoch, Ok(())), self.rows.get_mut(row)) {
                (Settled::Stale, _) => bus.stale_total += 1,
                (_, Some(mirror)) => mirror.unsure = true,
                (_, None) => {}
            }
            return;
        }
        let is_rule = matches!(object, RoutingRef::Rule(_));
        let outcome = match (change, result) {
            // An equal rule is the rule; what is gone already is gone.
            (Change::Add, Err(Errno::EEXIST)) if is_rule => Ok(()),
            (Change::Remove, Err(Errno::ESRCH | Errno::ENOENT | Errno::ENODEV)) => Ok(()),
            (_, Ok(())) => Ok(()),
            (_, Err(errno)) => Err((errno, gravity(errno))),
        };
        let settled = self.ledger.answered(row, epoch, outcome);
        if settled != Settled::Stale
            && (self.ledger.take_doubt(row) || (change == Change::Add && result == Err(Errno::EEXIST)))
        {
            // Whose it is shows in the table only.
            bus.set_no_later(Timer::RouteAudit, now);
        }
        match settled {
            Settled::Stale => bus.stale_total += 1,
            Settled::Done => {
                if let Some(mirror) = self.rows.get_mut(row) {
                    *mirror = Row { present: change != Change::Remove, ..Row::default() };
                }
            }
            Settled::Waiting(_) | Settled::Parked => {
                if let (RoutingRef::Route(_) | RoutingRef::Rule(_), Err((errno, _))) = (object, outcome) {
                    bus.record(now, Reason::RoutingFailed(object, change, errno));
                }
                if let Settled::Waiting(rung) = settled {
                    bus.set_if_idle(Timer::AddressRung(rung), now + rung_delay(rung));
                }
            }
        }
    }

    /// The timer of a rung fired.
    pub(crate) fn climb(&mut self, rung: u8) {
        self.ledger.climb(rung);
    }

    /// The box stops; `keep` leaves everything where it is.
    pub(crate) fn stop(&mut self, keep: bool) {
        (self.stopping, self.keep) = (true, keep);
        self.ledger.mark_all();
    }
}

/// A row of the configuration.
enum Object<'a> {
    Route(&'a Route),
    Rule(Option<InstanceId>),
}

impl Object<'_> {
    const fn owner(&self) -> Option<InstanceId> {
        match self {
            Self::Route(route) => route.instance,
            Self::Rule(owner) => *owner,
        }
    }

    /// Interfaces that must be up. A rule may name one that is not there.
    fn links(&self) -> impl Iterator<Item = LinkId> {
        let route = match self {
            Self::Route(route) => Some(*route),
            Self::Rule(_) => None,
        };
        route.into_iter().flat_map(Route::links)
    }
}

fn config_row(row: usize, config: &Config) -> Option<Object<'_>> {
    match row.checked_sub(config.routes.len()) {
        None => config.routes.get(row).map(Object::Route),
        Some(row) => config.rules.get(row).map(|rule| Object::Rule(rule.instance)),
    }
}

fn rows_of(instance: &Instance, config: &Config) -> impl Iterator<Item = usize> + use<> {
    let first = config.routes.len();
    instance.routes.rows().chain(instance.rules.rows().map(move |row| first + row))
}

fn reference(row: usize, config: &Config) -> RoutingRef {
    let Some(rule) = row.checked_sub(config.routes.len()) else {
        return RoutingRef::Route(RouteId::from_index(row));
    };
    match rule.checked_sub(config.rules.len()) {
        None => RoutingRef::Rule(RuleId::from_index(rule)),
        Some(retired) => RoutingRef::Retired(u32::try_from(retired).unwrap_or(u32::MAX)),
    }
}

fn row_of(object: RoutingRef, config: &Config) -> usize {
    match object {
        RoutingRef::Route(id) => id.index(),
        RoutingRef::Rule(id) => config.routes.len() + id.index(),
        RoutingRef::Retired(row) => config.routes.len() + config.rules.len() + row as usize,
    }
}

/// What routes are found by; the rest of their place is compared.
const fn key(spec: &RouteSpec) -> (u32, (core::net::IpAddr, u8)) {
    (spec.table, spec.destination)
}

/// Missing rights do not pass by themselves; a missing source address, router or interface may.
const fn gravity(errno: Errno) -> Gravity {
    match errno {
        Errno::EPERM | Errno::EACCES | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => Gravity::Permanent,
        _ => Gravity::Transient,
    }
}

#[cfg(test)]
mod tests;
