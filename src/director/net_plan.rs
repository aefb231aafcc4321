//! Virtual addresses: which shall be in the kernel, which are, and the requests that close the gap.
//!
//! The wish is a pure function of an instance's state; the mirror is what the last answer, notification or dump said.

use core::net::IpAddr;

use super::action::{Action, AddressRef, Change, Epoch};
use super::bus::{Bus, Timer};
use super::dirty::DirtySet;
use super::event::{Errno, Source};
use super::index::Index;
use super::journal::{Family, Reason};
use super::ledger::{self, Gravity, Ledger, RepairLimit, Settled, Stage, rung_delay};
use super::links::Links;
use super::vrrp::{Holding, Predecessor, Vrrp};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId, LinkId};
use crate::config::model::{Instance, VirtualAddress};
use crate::time::{Duration, Instant};
use crate::wire::link::LinkIndex;
use crate::wire::rtnetlink::{AddressEntry, AddressSpec, LabelName, Request};

/// How often interfaces and addresses are listed although nothing was reported.
const AUDIT_INTERVAL: Duration = Duration::from_secs(60);

/// Addresses of the configuration, and those a reload left behind (rows behind the configured ones).
#[derive(Debug)]
pub struct NetPlan {
    ledger: Ledger,
    /// What the kernel is believed to have.
    present: Box<[bool]>,
    /// An answer was lost: `present` may be wrong, so whatever is wished is asked for.
    unsure: Box<[bool]>,
    /// On which interface `present` and the request under way are meant: an index is never another interface's.
    place: Box<[LinkIndex]>,
    /// What each instance wanted when it was last looked at.
    wanted: Box<[Option<Holding>]>,
    /// Addresses that are no longer configured and still present.
    retired: Box<[AddressSpec]>,
    index: Index,
    limit: RepairLimit,
    keep: bool,
    stopping: bool,
}

impl NetPlan {
    /// A plan for `config`.
    pub(crate) fn new(config: &Config) -> Self {
        let configured = config.addresses.len();
        let mut index = Index::new(configured);
        for (id, address) in (0..).zip(&config.addresses) {
            index.insert(&address.address, id);
        }
        Self {
            ledger: Ledger::new(configured),
            present: vec![false; configured].into_boxed_slice(),
            unsure: vec![false; configured].into_boxed_slice(),
            place: vec![LinkIndex::default(); configured].into_boxed_slice(),
            wanted: vec![None; config.instances.len()].into_boxed_slice(),
            retired: Box::default(),
            index,
            limit: RepairLimit::new(configured),
            keep: false,
            stopping: false,
        }
    }

    /// True if the kernel has the address, as far as we know.
    pub fn is_present(&self, id: AddressId) -> bool {
        self.present.get(id.index()).copied().unwrap_or(false)
    }

    /// True if the kernel has one of the instance's addresses, as far as we know.
    pub(crate) fn has_any(&self, instance: &Instance) -> bool {
        self.present.get(instance.addresses.rows()).is_some_and(|rows| rows.contains(&true))
    }

    /// The kernel's last error for the address.
    pub fn error(&self, id: AddressId) -> Option<Errno> {
        self.ledger.error(id.index())
    }

    /// True if the kernel refused the address for good: it is not tried again by itself.
    pub fn is_parked(&self, id: AddressId) -> bool {
        self.ledger.stage(id.index()) == Stage::Parked
    }

    /// How many addresses are held back by an error.
    pub fn troubled(&self) -> usize {
        self.ledger.troubled()
    }

    /// True while repairs are held because somebody keeps removing what we add.
    pub fn repairs_held(&self) -> bool {
        self.limit.is_held()
    }

    /// True when none of the instance's addresses is about to change: the moment to announce them.
    pub(crate) fn is_settled(&self, config: &Config, id: InstanceId) -> bool {
        let rows =
            config.instances.get(id.index()).map(|instance| instance.addresses.rows()).unwrap_or_default();
        !self.ledger.is_busy(rows)
    }

    /// The configured address that the kernel's row describes.
    pub(crate) fn find(&self, entry: &AddressEntry, config: &Config, links: &Links) -> Option<AddressId> {
        let is_it = |id: u32| {
            config.addresses.get(id as usize).is_some_and(|one| {
                one.address == entry.address
                    && one.prefix == entry.prefix
                    && links.get(one.link).index == entry.link
            })
        };
        self.index.find(&entry.address, is_it).map(AddressId)
    }

    /// An instance's state changed, or only its wish to announce, which is no reason to try again what failed.
    pub(crate) fn instance_changed(&mut self, id: InstanceId, config: &Config, vrrp: &Vrrp) {
        let wanted = Some(vrrp.holding(id));
        let Some(known) = self.wanted.get_mut(id.index()) else { return };
        if core::mem::replace(known, wanted) == wanted {
            return;
        }
        let rows = config.instances.get(id.index()).map(|one| one.addresses.rows());
        self.ledger.mark_rows(rows.unwrap_or_default());
    }

    /// An interface changed: what waited for it is tried again; what was on one that was replaced is gone with it. One
    /// that only lost its name may still carry our addresses: they are removed from where they are.
    pub(crate) fn link_changed(&mut self, link: LinkId, config: &Config, links: &Links) {
        let index = links.get(link).index;
        for (row, _) in config.addresses.iter().enumerate().filter(|(_, address)| address.link == link) {
            let in_flight = matches!(self.ledger.stage(row), Stage::InFlight(_));
            let left_behind = index == LinkIndex::default() && self.present.get(row) == Some(&true);
            if !in_flight && !left_behind {
                self.move_to(row, index);
            }
            self.ledger.release(row);
            self.ledger.mark(row);
        }
    }

    /// The row is about the interface of this index from now on; true if it was not before.
    fn move_to(&mut self, row: usize, index: LinkIndex) -> bool {
        let (Some(place), Some(present)) = (self.place.get_mut(row), self.present.get_mut(row)) else {
            return false;
        };
        let moved = core::mem::replace(place, index) != index;
        *present &= !moved;
        if let (true, Some(unsure)) = (moved, self.unsure.get_mut(row)) {
            *unsure = false;
        }
        moved
    }

    /// The kernel says that one of our addresses is there, or gone.
    pub(crate) fn handle_address(
        &mut self,
        now: Instant,
        id: AddressId,
        (there, source): (bool, Source),
        (config, vrrp, links): (&Config, &Vrrp, &Links),
        bus: &mut Bus,
    ) {
        let row = id.index();
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
        if let Some(address) = config.addresses.get(row) {
            self.move_to(row, links.get(address.link).index);
        }
        if source != Source::Dump {
            self.ledger.touch(row);
        }
        let Some(present) = self.present.get_mut(row).filter(|present| **present != there) else { return };
        *present = there;
        let wished = self.wish(row, config, vrrp, links).unwrap_or(there);
        match (wished, source) {
            // One of our own requests took it along (the primary address of a subnet takes its secondaries).
            (_, Source::Own) => self.ledger.mark(row),
            (true, Source::Foreign | Source::Dump) if there => bus.address_installed(id),
            (true, Source::Foreign | Source::Dump) => self.repair(now, id, Reason::AddressMissing(id), bus),
            (false, Source::Foreign | Source::Dump) if there => {
                self.repair(now, id, Reason::AddressUnwanted(id), bus);
            }
            (false, Source::Foreign | Source::Dump) => self.ledger.mark(row),
        }
    }

    /// Somebody took an address of ours away, or put one where it must not be.
    fn repair(&mut self, now: Instant, id: AddressId, reason: Reason, bus: &mut Bus) {
        bus.record(now, reason);
        ledger::repair(now, id.index(), (&mut self.ledger, &mut self.limit), Family::Addresses, bus);
    }

    /// A dump of addresses begins.
    pub(crate) fn begin_dump(&mut self) {
        let rows = 0..self.ledger.len();
        self.ledger.begin_dump(rows);
    }

    /// A whole dump of addresses ended: what it did not show is not there.
    pub(crate) fn end_dump(&mut self, now: Instant, around: (&Config, &Vrrp, &Links), bus: &mut Bus) {
        for row in 0..around.0.addresses.len() {
            if self.ledger.proven_absent(row) {
                self.handle_address(now, AddressId::from_index(row), (false, Source::Dump), around, bus);
            }
        }
        ledger::lapse(now, &mut self.ledger, &mut self.limit);
        match self.limit.held_until() {
            None => (0..self.ledger.len()).for_each(|row| self.ledger.mark(row)),
            Some(until) => bus.set_no_later(Timer::RouteAudit, until),
        }
        bus.set_if_idle(Timer::RouteAudit, now + AUDIT_INTERVAL);
    }

    /// The wish for a row: present or not; `None` while its interface is missing and nothing is left to be done.
    fn wish(&self, row: usize, config: &Config, vrrp: &Vrrp, links: &Links) -> Option<bool> {
        let Some(address) = config.addresses.get(row) else { return Some(false) };
        if self.stopping && self.keep {
            return None;
        }
        if !links.get(address.link).exists() {
            return self.present.get(row).filter(|present| **present).map(|_| false);
        }
        let Some(instance) = address.instance else { return Some(!self.stopping) };
        match vrrp.holding(instance) {
            Holding::AsTheyAre if !self.stopping => None,
            Holding::All => Some(!self.stopping),
            Holding::AsTheyAre | Holding::Nothing => Some(false),
        }
    }

    /// The next request to the kernel.
    pub(crate) fn poll(&mut self, config: &Config, vrrp: &Vrrp, links: &Links, bus: &Bus) -> Option<Action> {
        while let Some(row) = self.ledger.dirty.pop() {
            if self.ledger.stage(row) != Stage::Ready {
                continue;
            }
            let present = self.present.get(row).copied().unwrap_or(false);
            let unsure = self.unsure.get(row).copied().unwrap_or(false);
            let change = match self.wish(row, config, vrrp, links) {
                Some(true) if unsure || !present => Change::Add,
                Some(false) if unsure || present => Change::Remove,
                Some(_) | None => continue,
            };
            let index = config.addresses.get(row).map(|address| links.get(address.link).index);
            if let (Some(place), Some(index @ LinkIndex(1..))) = (self.place.get_mut(row), index) {
                *place = index;
            }
            self.ledger.sent(row, bus.epoch);
            let (epoch, address) = (bus.epoch, reference(row, config));
            return Some(match change {
                Change::Remove => Action::RemoveAddress { epoch, address },
                Change::Add | Change::Set => Action::AddAddress { epoch, address },
            });
        }
        None
    }

    /// True if a request waits to be made.
    pub(crate) fn has_work(&self) -> bool {
        !self.ledger.dirty.is_empty()
    }

    /// True if everything is as wished or cannot be for now.
    pub(crate) fn is_done(&self) -> bool {
        self.ledger.dirty.is_empty() && self.ledger.is_answered()
    }

    /// What an action asks of the kernel.
    pub(crate) fn request(&self, action: Action, config: &Config) -> Option<Request> {
        match action {
            Action::AddAddress { address, .. } => self.spec(address, config).map(Request::AddAddress),
            Action::RemoveAddress { address, .. } => self.spec(address, config).map(Request::RemoveAddress),
            Action::SendAdvert { .. }
            | Action::Announce { .. }
            | Action::OpenSocket { .. }
            | Action::CloseSocket { .. }
            | Action::Routing { .. }
            | Action::FindIpvs { .. }
            | Action::SetTimeouts { .. }
            | Action::FlushIpvs { .. }
            | Action::Service { .. }
            | Action::Destination { .. }
            | Action::Dump { .. }
            | Action::Probe { .. }
            | Action::AbortProbe { .. }
            | Action::Daemon { .. }
            | Action::ReadTimeouts { .. }
            | Action::Filter { .. }
            | Action::Firewall { .. } => None,
        }
    }

    /// The kernel answered a request.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        (address, change, epoch): (AddressRef, Change, Epoch),
        result: Result<(), Errno>,
        (config, links): (&Config, &Links),
        bus: &mut Bus,
    ) {
        let row = row_of(address, config);
        if result == Err(Errno::LOST) {
            // Asked again, this way or the other: a request that was carried out meets its own work.
            match (self.ledger.answered(row, epoch, Ok(())), self.unsure.get_mut(row)) {
                (Settled::Stale, _) => bus.stale_total += 1,
                (_, Some(unsure)) => *unsure = true,
                (_, None) => {}
            }
            return;
        }
        let outcome = match (change, result) {
            // Someone was faster, or our own earlier request was applied although its answer was lost.
            // An interface that is gone took its addresses along.
            (Change::Add | Change::Set, Err(Errno::EEXIST))
            | (Change::Remove, Err(Errno::EADDRNOTAVAIL | Errno::ENODEV)) => Ok(()),
            (_, Ok(())) => Ok(()),
            (_, Err(errno)) => Err((errno, gravity(errno))),
        };
        let settled = self.ledger.answered(row, epoch, outcome);
        if settled != Settled::Stale && self.ledger.take_doubt(row) {
            bus.set(Timer::RouteAudit, now);
        }
        // The interface was replaced while the kernel was being asked: this is the old one's answer.
        let index = config.addresses.get(row).map(|one| links.get(one.link).index);
        if let (Some(index), true) = (index, settled != Settled::Stale)
            && self.move_to(row, index)
        {
            self.ledger.release(row);
            return;
        }
        match settled {
            Settled::Stale => bus.stale_total += 1,
            Settled::Done => {
                if let (Some(present), Some(unsure)) = (self.present.get_mut(row), self.unsure.get_mut(row)) {
                    (*present, *unsure) = (change != Change::Remove, false);
                }
                if let (AddressRef::Configured(id), true) = (address, change != Change::Remove) {
                    bus.address_installed(id);
                }
            }
            Settled::Waiting(_) | Settled::Parked => {
                if let (AddressRef::Configured(id), Err((errno, _))) = (address, outcome) {
                    bus.record(now, Reason::AddressFailed(id, change, errno));
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

    /// The box stops; `keep` leaves the addresses where they are.
    pub(crate) fn stop(&mut self, keep: bool) {
        (self.stopping, self.keep) = (true, keep);
        self.ledger.mark_all();
    }

    /// Takes over what is known of the addresses that both configurations have; those that are present and no longer
    /// configured are to be removed.
    pub(crate) fn adopt(&mut self, old: &Self, from: Predecessor<'_>, config: &Config, links: &Links) {
        let is_present = |row: usize| old.present.get(row) == Some(&true);
        // A request that is under way may leave its address behind after all.
        let is_unsure = |row: usize| {
            matches!(old.ledger.stage(row), Stage::InFlight(_)) || old.unsure.get(row) == Some(&true)
        };
        let mut left = DirtySet::new(old.present.len());
        for row in (0..old.present.len()).filter(|row| is_present(*row) || is_unsure(*row)) {
            left.insert(row);
        }
        for (row, address) in config.addresses.iter().enumerate() {
            let index = links.get(address.link).index;
            let before = old.former(address, config, from.config);
            if let (Some(present), Some(place)) = (self.present.get_mut(row), self.place.get_mut(row)) {
                *place = index;
                *present = before.is_some_and(|row| is_present(row) && old.place.get(row) == Some(&index));
            }
            if let (Some(before), Some(unsure)) = (before, self.unsure.get_mut(row)) {
                *unsure = is_unsure(before);
                left.remove(before);
            }
        }
        let configured = |index: &Index, spec: &AddressSpec| {
            let is_it = |id: u32| {
                config.addresses.get(id as usize).is_some_and(|one| {
                    (one.address, one.prefix, links.get(one.link).index)
                        == (spec.address, spec.prefix, spec.link)
                })
            };
            index.find(&spec.address, is_it)
        };
        let mut retired = Vec::new();
        while let Some(row) = left.pop() {
            let Some(spec) = old.spec(reference(row, from.config), from.config) else { continue };
            // A row that an earlier reload left behind may be configured again.
            match configured(&self.index, &spec).and_then(|id| self.unsure.get_mut(id as usize)) {
                Some(unsure) => *unsure = true,
                None => retired.push(spec),
            }
        }
        self.retired = retired.into();
        let rows = config.addresses.len() + self.retired.len();
        self.present = (0..rows).map(|row| self.present.get(row).copied().unwrap_or(true)).collect();
        self.unsure = (0..rows).map(|row| self.unsure.get(row).copied().unwrap_or(false)).collect();
        self.ledger = Ledger::new(rows);
        self.ledger.mark_all();
    }

    /// The row of this plan for an address of another configuration.
    pub(crate) fn former(&self, address: &VirtualAddress, config: &Config, ours: &Config) -> Option<usize> {
        let same = |one: &VirtualAddress| {
            one.address == address.address
                && one.prefix == address.prefix
                && ours.link_name(one.link) == config.link_name(address.link)
        };
        let is_it = |id: u32| ours.addresses.get(id as usize).is_some_and(same);
        self.index.find(&address.address, is_it).map(|id| id as usize)
    }

    /// What the kernel needs to know of an address.
    fn spec(&self, address: AddressRef, config: &Config) -> Option<AddressSpec> {
        match address {
            AddressRef::Retired(row) => self.retired.get(row as usize).copied(),
            AddressRef::Configured(id) => {
                Some(spec(config.addresses.get(id.index())?, *self.place.get(id.index())?, config))
            }
        }
    }
}

fn reference(row: usize, config: &Config) -> AddressRef {
    match row.checked_sub(config.addresses.len()) {
        None => AddressRef::Configured(AddressId::from_index(row)),
        Some(retired) => AddressRef::Retired(u32::try_from(retired).unwrap_or(u32::MAX)),
    }
}

fn row_of(address: AddressRef, config: &Config) -> usize {
    match address {
        AddressRef::Configured(id) => id.index(),
        AddressRef::Retired(row) => config.addresses.len() + row as usize,
    }
}

fn spec(address: &VirtualAddress, link: LinkIndex, config: &Config) -> AddressSpec {
    AddressSpec {
        link,
        address: address.address,
        prefix: address.prefix,
        scope: address.scope,
        broadcast: address.broadcast.filter(|_| matches!(address.address, IpAddr::V4(_))),
        peer: address.peer,
        label: LabelName::new(config.texts.get(address.label)),
        flags: address.flags,
        preferred: address.preferred,
    }
}

/// Missing rights and nonsense do not pass by themselves; a missing device or lack of memory may.
fn gravity(errno: Errno) -> Gravity {
    match errno {
        Errno::EPERM | Errno::EACCES | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => {
            Gravity::Permanent
        }
        _ => Gravity::Transient,
    }
}

#[cfg(test)]
mod tests;
