//! `via_vip`: a check that connects to the virtual address and is answered by one real server of DR or TUN.
//!
//! IPVS balances whatever goes to a virtual service, a check of our own included, and on the MASTER the address is ours
//! besides. A mark of its own takes a packet out of that: for each real server there is a service with this mark (IPVS
//! looks for marks before addresses, `ip_vs_service_find`) and with that server alone. These services stand
//! behind the written ones and are hidden. The virtual address itself plays no part in them: the packets bring it
//! along.

use core::hash::Hash;
use core::net::IpAddr;
use core::num::NonZeroU32;
use std::rc::Rc;

use super::build::{Count, Tables, row};
use super::codes::VIA;
use super::ids::{DestinationId, Id, Range, ServiceId};
use super::known::{Known, hash_of};
use super::model::{Destination, OnFailure, Policy, Service, Via};
use super::service::Header;
use super::service_build::{ServiceBuild, family_of};
use crate::check::Transport;
use crate::check::keywords::Draft;
use crate::limits::MAX_VIA;
use crate::syntax::{Context, Given, Position, Severity};
use crate::time::Duration;
use crate::wire::genl_ipvs::{DestinationKey, Family, ForwardingMethod, Scheduler, ServiceKey, ServiceSpec};

/// The first mark of hidden services, `L` in its first byte; below 2^31, above which `ipvsadm` shows it as negative.
const FIRST: u32 = 0x4c00_0000;
/// How many there are: with 1,024 of them in use two rarely want the same one.
const MARKS: u32 = 1 << 24;

/// True for a mark that is kept for hidden services.
pub fn is_reserved(mark: u32) -> bool {
    (FIRST..FIRST + MARKS).contains(&mark)
}

/// What a hidden service does: packets of this family to this real server in this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Way {
    family: Family,
    server: IpAddr,
    method: ForwardingMethod,
}

/// The real servers that are checked through virtual addresses, each once.
#[derive(Debug)]
pub(super) struct Vias {
    ways: Vec<Way>,
    /// By the hash of the way; what is found is compared before it is used.
    rows: Known<u64, u32>,
    count: Count,
}

impl Default for Vias {
    fn default() -> Self {
        let count = Count::new("real servers with via_vip", MAX_VIA);
        Self { ways: Vec::new(), rows: Known::default(), count }
    }
}

impl Vias {
    pub(super) fn len(&self) -> usize {
        self.ways.len()
    }

    pub(super) fn count(&self) -> &Count {
        &self.count
    }

    /// The way to a real server; nothing if there are too many. Until [`Self::finish`] its id is the row here.
    pub(super) fn admit(
        &mut self,
        vip: IpAddr,
        (server, method): (IpAddr, ForwardingMethod),
        at: Position,
    ) -> Option<Via> {
        let way = Way { family: family_of(vip), server, method };
        let hash = hash_of(&way);
        let known = self
            .rows
            .get(&hash)
            .map(|known| known.1)
            .filter(|row| self.ways.get(*row as usize) == Some(&way));
        let row = match known {
            Some(row) => row,
            None if !self.count.admit(at) => return None,
            None => {
                let row = row(self.ways.len());
                self.ways.push(way);
                self.rows.insert(hash, row);
                row
            }
        };
        Some(Via { service: ServiceId(row), server })
    }

    /// Drops the newest ones.
    pub(super) fn truncate(&mut self, len: usize) {
        self.count.release(self.ways.len().saturating_sub(len));
        self.ways.truncate(len);
    }

    /// Adds the hidden services, and their marks to the probes. How many there are.
    pub(super) fn finish(self, tables: &mut Tables) -> u32 {
        if self.ways.is_empty() {
            return 0;
        }
        let first = tables.services.len();
        let mut taken = marks_in_use(tables);
        let marks: Vec<NonZeroU32> = self.ways.iter().map(|way| mark(way, &mut taken)).collect();
        for probe in &mut tables.probes {
            if probe.bind.as_ref().is_none_or(|bind| bind.via.is_none()) {
                continue;
            }
            // Terms with a way are of one probe only (see `Tables::on_known_terms`): nothing is copied.
            let Some(bind) = Rc::make_mut(&mut probe.terms).bind.as_mut().map(Rc::make_mut) else { continue };
            let Some(via) = &mut bind.via else { continue };
            bind.mark = marks.get(via.service.index()).map_or(0, |mark| mark.get());
            via.service = ServiceId::from_index(first + via.service.index());
        }
        for (way, mark) in self.ways.iter().zip(marks) {
            add(way, mark, tables);
        }
        row(self.ways.len())
    }
}

/// Marks that the configuration itself uses, as keys.
fn marks_in_use(tables: &Tables) -> Known<u64, u32> {
    let mut used = Known::default();
    for service in &tables.services {
        if let ServiceKey::Mark { mark, .. } = service.key {
            used.insert(u64::from(mark.get()), 0);
        }
    }
    for bind in tables.probes.iter().filter_map(|probe| probe.bind.as_ref()) {
        used.insert(u64::from(bind.mark), 0);
    }
    used
}

/// A mark that follows from the way alone, unless two want the same one: a reload, and the next start, find it again.
fn mark(way: &Way, taken: &mut Known<u64, u32>) -> NonZeroU32 {
    let wanted = u32::try_from(hash_of(way) & u64::from(MARKS - 1)).unwrap_or(0);
    let mut all = (0..MARKS).map(|step| FIRST + (wanted + step) % MARKS);
    // There are far more marks than things that can have one.
    let free = all.find(|mark| taken.insert(u64::from(*mark), 0)).unwrap_or(FIRST);
    NonZeroU32::new(free).unwrap_or(NonZeroU32::MIN)
}

fn add(way: &Way, mark: NonZeroU32, tables: &mut Tables) {
    let Some(scheduler) = Scheduler::new("rr") else { return };
    let netmask = match way.family {
        Family::Inet => 32,
        Family::Inet6 => 128,
    };
    let destination = DestinationId::from_index(tables.destinations.len());
    let policy = tables.policy(Policy {
        method: way.method,
        upper: 0,
        lower: 0,
        on_failure: OnFailure::Inhibit,
        slow_start: Duration::ZERO,
        drain_time: Duration::ZERO,
    });
    tables.destinations.push(Destination {
        service: ServiceId::from_index(tables.services.len()),
        key: DestinationKey { address: way.server, port: 0 },
        // At 0 IPVS refuses the connection, whatever the server is.
        weight: 1,
        probes: 0..0,
        policy,
    });
    tables.services.push(Service {
        key: ServiceKey::Mark { mark, family: way.family },
        spec: ServiceSpec { scheduler, flags: 0, timeout: 0, netmask, engine: None },
        destinations: Range::new(destination.index(), destination.index() + 1),
        sorry: Range::default(),
        quorum: 1,
        hysteresis: 0,
        suspend: false,
    });
}

impl ServiceBuild {
    /// The virtual address and port that a check goes through, if it shall and can. `given` is what stands in the
    /// check's own block, and what counts.
    pub(super) fn through(
        &self,
        check: &Draft,
        given: (Option<Given<bool>>, Option<Given<bool>>),
        (server, method): (IpAddr, ForwardingMethod),
        cx: &mut Context<'_>,
    ) -> Option<(IpAddr, u16)> {
        let at = given.1.filter(|given| given.value)?.at;
        let form = check.checker.form();
        let stream = matches!(form.transport, Transport::Stream { .. });
        let address = match self.draft.header {
            Header::Address(vip, port) => Some((vip, port)),
            Header::Mark(_) => None,
        };
        let source = check.bind_ip.map(|given| given.value).filter(|own| !own.is_unspecified());
        let reason = match address {
            _ if !stream => "it does not connect over TCP",
            None => "a service with a fwmark has no virtual address",
            Some(_) if !matches!(method, ForwardingMethod::DirectRoute | ForwardingMethod::Tunnel(_)) => {
                "a real server behind NAT does not have the virtual address"
            }
            Some(_) if check.connect_ip.is_some() => "its connect_ip is another address",
            Some(_) if check.mark.is_some_and(|mark| mark != 0) => "its fwmark is another mark",
            Some((vip, _)) if source == Some(vip) => "its bindto is the virtual address itself",
            // The source that the kernel takes on the way to the server is of the other family.
            Some((vip, _)) if source.is_none() && family_of(vip) != family_of(server) => {
                "a tunnel of the other family needs a bindto"
            }
            Some(found) => return Some(found),
        };
        // A value for all checks of a server or service may meet some that it is not for.
        let severity = if given.0.is_none() && !stream { Severity::Warning } else { Severity::Error };
        cx.diagnostics.report(
            cx.tree,
            (severity, VIA, at),
            format_args!("via_vip is left out of this {}: {reason}", form.keyword),
            format_args!("the real server is checked at its own address; remove the line"),
        );
        None
    }
}
