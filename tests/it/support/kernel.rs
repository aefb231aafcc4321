//! A kernel as far as the director sees it: interfaces, addresses, the IPVS table.

use std::collections::{BTreeMap, BTreeSet};

use core::net::IpAddr;
use lvsbox::director::action::FilterStep;
use lvsbox::director::event::{Errno, Filtered};
use lvsbox::director::route_plan::RoutingRequest;
use lvsbox::wire::genl_ipvs::{self, DestinationKey, DestinationSpec, ServiceKey, ServiceSpec};
use lvsbox::wire::link::{LinkIndex, LinkName, MacAddress};
use lvsbox::wire::nftables::{Census, Element, Presence, Transaction};
use lvsbox::wire::rtnetlink::route::{Hops, RouteChange, RouteSpec};
use lvsbox::wire::rtnetlink::rule::{RuleRequest, RuleSpec};
use lvsbox::wire::rtnetlink::{self, AddressEntry, LinkEntry};

/// What becomes of a request instead of the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused.
    Refuse(Errno),
    /// Carried out, but the answer is lost.
    LoseAnswer,
    /// Not carried out, and nobody says so.
    LoseRequest,
}

/// A service's spec and destinations.
pub(crate) type Pool = (ServiceSpec, BTreeMap<DestinationKey, DestinationSpec>);

/// nf_tables as far as our table goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// The elements; `None`: no such table.
    pub(crate) table: Option<BTreeSet<Element>>,
    /// Changes by anybody.
    pub(crate) generation: u32,
    /// The number of the rules.
    pub(crate) rules: u64,
}

/// A transaction that outlives its director.
#[derive(Debug)]
pub(crate) enum Asked {
    Build(Vec<(Element, Presence)>),
    Change(Vec<(Element, Presence)>),
    Remove,
}

impl Asked {
    pub(crate) fn of(transaction: Transaction<'_>) -> Self {
        match transaction {
            Transaction::Build(elements) => Self::Build(elements.to_vec()),
            Transaction::Change(elements) => Self::Change(elements.to_vec()),
            Transaction::Remove => Self::Remove,
        }
    }
}

impl Filter {
    fn carry_out(&mut self, asked: Asked) -> Result<(), Errno> {
        let changes = match asked {
            Asked::Remove => {
                self.table = None;
                Vec::new()
            }
            Asked::Build(elements) => {
                self.table = Some(BTreeSet::new());
                self.rules += 1;
                elements
            }
            Asked::Change(elements) => elements,
        };
        let before = self.table.clone();
        for (element, presence) in changes {
            let table = self.table.as_mut().ok_or(Errno::ENOENT)?;
            match presence {
                Presence::Present => drop(table.insert(element)),
                Presence::Absent if table.remove(&element) => {}
                Presence::Absent => {
                    self.table = before;
                    return Err(Errno::ENOENT);
                }
            }
        }
        self.generation += 1;
        Ok(())
    }

    fn show(&self, step: FilterStep) -> Result<Filtered, Errno> {
        if step == FilterStep::Look {
            return Ok(Filtered::Generation(self.generation));
        }
        let mut census = Census { rules: self.rules, ..Census::default() };
        self.table.as_ref().ok_or(Errno::ENOENT)?.iter().for_each(|element| census.add(*element));
        Ok(Filtered::Census(census))
    }
}

/// The kernel of one box.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kernel {
    pub(crate) links: Vec<LinkEntry>,
    pub(crate) addresses: Vec<AddressEntry>,
    pub(crate) routes: Vec<(RouteSpec, Hops)>,
    pub(crate) rules: Vec<RuleSpec>,
    /// `None`: no such module.
    pub(crate) ipvs: Option<BTreeMap<ServiceKey, Pool>>,
    /// `None`: no nf_tables.
    pub(crate) filter: Option<Filter>,
    /// Active connections of destinations.
    pub(crate) active: BTreeMap<DestinationKey, u32>,
    pub(crate) timeouts: (Option<u32>, Option<u32>, Option<u32>),
    /// Sync daemons: master, backup.
    pub(crate) daemons: [Option<genl_ipvs::DaemonSpec>; 2],
    /// Counts changes of interfaces and addresses: a dump that meets one says so.
    pub(crate) generation: u64,
    pub(crate) next_index: u32,
}

impl Kernel {
    /// IPVS and `eth0` with `primary`/24.
    pub(crate) fn new(primary: IpAddr) -> Self {
        let mut kernel = Self {
            ipvs: Some(BTreeMap::new()),
            filter: Some(Filter::default()),
            daemons: [None; 2],
            next_index: 2,
            ..Self::default()
        };
        kernel.add_link("eth0");
        kernel.add_address("eth0", primary, 24);
        kernel
    }

    /// The same with an IPv6 link-local address made of `primary`.
    pub(crate) fn dual(primary: IpAddr) -> Self {
        let mut kernel = Self::new(primary);
        let IpAddr::V4(own) = primary else { return kernel };
        kernel.add_address(
            "eth0",
            core::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(own.octets()[3])).into(),
            64,
        );
        kernel
    }

    pub(crate) fn add_link(&mut self, name: &str) -> LinkEntry {
        let index = self.next_index;
        self.next_index += 1;
        let entry = LinkEntry {
            index: LinkIndex(index),
            name: LinkName::new(name).unwrap(),
            admin_up: true,
            running: true,
            loopback: false,
            mac: MacAddress([2, 0, 0, 0, 0, u8::try_from(index % 256).unwrap()]),
            mtu: 1500,
        };
        self.links.push(entry);
        self.generation += 1;
        entry
    }

    /// Removes an interface with its addresses; what the kernel reports.
    pub(crate) fn remove_link(&mut self, name: &str) -> (LinkEntry, Vec<AddressEntry>) {
        let place = self.links.iter().position(|link| link.name.as_str() == name).unwrap();
        self.generation += 1;
        let link = self.links.remove(place);
        let gone = self.addresses.extract_if(.., |one| one.link == link.index).collect();
        (link, gone)
    }

    pub(crate) fn link(&self, name: &str) -> LinkEntry {
        *self.links.iter().find(|link| link.name.as_str() == name).unwrap()
    }

    pub(crate) fn add_address(&mut self, link: &str, address: IpAddr, prefix: u8) -> AddressEntry {
        let entry = self.entry(self.link(link).index, address, prefix);
        self.addresses.push(entry);
        self.generation += 1;
        entry
    }

    fn entry(&self, link: LinkIndex, address: IpAddr, prefix: u8) -> AddressEntry {
        let secondary = self
            .addresses
            .iter()
            .any(|one| one.link == link && one.prefix == prefix && same_net(one.address, address, prefix));
        AddressEntry { link, address, prefix, scope: 0, secondary }
    }

    pub(crate) fn filter(&mut self, asked: Asked) -> Result<(), Errno> {
        self.filter.as_mut().ok_or(Errno::EOPNOTSUPP)?.carry_out(asked)
    }

    pub(crate) fn show_filter(&self, step: FilterStep) -> Result<Filtered, Errno> {
        self.filter.as_ref().ok_or(Errno::EOPNOTSUPP)?.show(step)
    }

    /// The elements of our table; `None`: there is no table.
    pub(crate) fn dropped(&self) -> Option<Vec<Element>> {
        self.filter.as_ref()?.table.as_ref().map(|table| table.iter().copied().collect())
    }

    /// Takes an address out, if it is there.
    pub(crate) fn remove_address(&mut self, address: IpAddr) -> Option<AddressEntry> {
        let place = self.addresses.iter().position(|one| one.address == address)?;
        self.generation += 1;
        Some(self.addresses.remove(place))
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|one| one.address == address)
    }

    /// A request to the routing socket; what monitors hear of it.
    pub(crate) fn route(
        &mut self,
        request: rtnetlink::Request,
    ) -> Result<Option<(AddressEntry, bool)>, Errno> {
        match request {
            rtnetlink::Request::DumpLinks
            | rtnetlink::Request::DumpAddresses
            | rtnetlink::Request::DumpRoutes
            | rtnetlink::Request::DumpRules => Ok(None),
            // Requests of PID 1 before the loop; the director never makes them.
            rtnetlink::Request::SetLinkUp(_)
            | rtnetlink::Request::SetLinkMtu(..)
            | rtnetlink::Request::AddVlan { .. } => Err(Errno::EINVAL),
            rtnetlink::Request::AddAddress(spec) => {
                if !self.links.iter().any(|link| link.index == spec.link) {
                    return Err(Errno::ENODEV);
                }
                let same = |one: &AddressEntry| {
                    (one.link, one.address, one.prefix) == (spec.link, spec.address, spec.prefix)
                };
                if self.addresses.iter().any(same) {
                    return Err(Errno::EEXIST);
                }
                let entry = self.entry(spec.link, spec.address, spec.prefix);
                self.addresses.push(entry);
                self.generation += 1;
                Ok(Some((entry, true)))
            }
            rtnetlink::Request::RemoveAddress(spec) => {
                if !self.links.iter().any(|link| link.index == spec.link) {
                    return Err(Errno::ENODEV);
                }
                let same = |one: &AddressEntry| {
                    (one.link, one.address, one.prefix) == (spec.link, spec.address, spec.prefix)
                };
                let place = self.addresses.iter().position(same).ok_or(Errno::EADDRNOTAVAIL)?;
                self.generation += 1;
                Ok(Some((self.addresses.remove(place), false)))
            }
        }
    }

    /// A request about a route or a rule.
    pub(crate) fn routing(&mut self, request: &RoutingRequest<'_>) -> Result<(), Errno> {
        match request {
            RoutingRequest::Route(request) => {
                let place = |spec: &RouteSpec| {
                    (spec.table, spec.destination, spec.from, spec.tos, spec.effective_metric())
                };
                let same = |(spec, _): &(RouteSpec, Hops)| place(spec) == place(&request.spec);
                let there = self.routes.iter().position(same);
                let source = request.spec.source;
                match (request.change, there) {
                    (RouteChange::Add, Some(_)) => return Err(Errno::EEXIST),
                    (RouteChange::Add | RouteChange::Replace, _)
                        if source.is_some_and(|source| !self.has(source)) =>
                    {
                        return Err(Errno::EINVAL);
                    }
                    (RouteChange::Remove, None) => return Err(Errno::ESRCH),
                    (RouteChange::Add | RouteChange::Replace | RouteChange::Remove, there) => {
                        there.map(|at| self.routes.remove(at));
                    }
                }
                if request.change != RouteChange::Remove {
                    self.routes.push((request.spec, request.hops.clone()));
                }
            }
            RoutingRequest::Rule(RuleRequest::Add(spec)) => {
                if self.rules.contains(spec) {
                    return Err(Errno::EEXIST);
                }
                self.rules.push(*spec);
            }
            RoutingRequest::Rule(RuleRequest::Remove(spec)) => {
                let at = self.rules.iter().position(|one| one == spec).ok_or(Errno::ENOENT)?;
                self.rules.remove(at);
            }
        }
        Ok(())
    }

    /// A request to IPVS, with the errors of `net/netfilter/ipvs/ip_vs_ctl.c`.
    pub(crate) fn ipvs(&mut self, request: genl_ipvs::Request) -> Result<(), Errno> {
        use genl_ipvs::Request;
        let table = self.ipvs.as_mut().ok_or(Errno::ENOENT)?;
        match request {
            Request::GetInfo | Request::DumpServices | Request::DumpDestinations(_) => {}
            Request::NewService(key, spec) => {
                if table.contains_key(&key) {
                    return Err(Errno::EEXIST);
                }
                if spec.scheduler.as_str() == "nosuch" {
                    return Err(Errno::ENOENT);
                }
                table.insert(key, (spec, BTreeMap::new()));
            }
            Request::SetService(key, spec) => table.get_mut(&key).ok_or(Errno::ESRCH)?.0 = spec,
            Request::DelService(key) => drop(table.remove(&key).ok_or(Errno::ESRCH)?),
            Request::NewDestination(service, key, spec) => {
                let pool = table.get_mut(&service).ok_or(Errno::ESRCH)?;
                if pool.1.contains_key(&key) {
                    return Err(Errno::EEXIST);
                }
                pool.1.insert(key, spec);
            }
            Request::SetDestination(service, key, spec) => {
                let pool = table.get_mut(&service).ok_or(Errno::ESRCH)?;
                *pool.1.get_mut(&key).ok_or(Errno::ENOENT)? = spec;
            }
            Request::DelDestination(service, key) => {
                let pool = table.get_mut(&service).ok_or(Errno::ESRCH)?;
                pool.1.remove(&key).ok_or(Errno::ENOENT)?;
            }
            Request::SetTimeouts { tcp, tcp_fin, udp } => self.timeouts = (tcp, tcp_fin, udp),
            Request::Flush => table.clear(),
            Request::GetTimeouts | Request::DumpDaemons | Request::Zero(_) => {}
            Request::NewDaemon(role, spec) => {
                let maxlen = if spec.maxlen == 0 { 1_472 } else { spec.maxlen };
                let daemon = &mut self.daemons[usize::from(role == genl_ipvs::DaemonRole::Backup)];
                if daemon.is_some() {
                    return Err(Errno::EEXIST);
                }
                *daemon = Some(genl_ipvs::DaemonSpec { maxlen, ..spec });
            }
            Request::DelDaemon(role) => {
                let daemon = &mut self.daemons[usize::from(role == genl_ipvs::DaemonRole::Backup)];
                daemon.take().ok_or(Errno::ESRCH)?;
            }
        }
        Ok(())
    }

    /// Holds what it holds in as much memory as a kernel does that never held anything else.
    pub(crate) fn rest(&mut self) {
        self.links.shrink_to_fit();
        self.addresses.shrink_to_fit();
        self.routes.shrink_to_fit();
        self.rules.shrink_to_fit();
        let pools = |(key, (spec, pool)): (ServiceKey, Pool)| (key, (spec, pool.into_iter().collect()));
        self.ipvs = self.ipvs.take().map(|table| table.into_iter().map(pools).collect());
        if let Some(filter) = &mut self.filter {
            filter.table = filter.table.take().map(|table| table.into_iter().collect());
        }
    }

    /// Everything it holds, a line each, sorted; numbers that only count changes left out.
    pub(crate) fn objects(&self) -> Vec<String> {
        let mut lines = self.table();
        lines.extend(self.links.iter().map(|one| format!("link {} {}", one.name.as_str(), one.running)));
        lines.extend(self.addresses.iter().map(|one| format!("address {}/{}", one.address, one.prefix)));
        lines.extend(self.routes.iter().map(|one| format!("route {one:?}")));
        lines.extend(self.rules.iter().map(|one| format!("rule {one:?}")));
        lines.extend(self.daemons.iter().flatten().map(|one| format!("daemon {one:?}")));
        lines.extend(self.dropped().iter().flatten().map(|one| format!("element {one:?}")));
        lines.sort();
        lines
    }

    /// The table as text: one line per service, then one per destination with its weight.
    pub(crate) fn table(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, (spec, pool)) in self.ipvs.iter().flatten() {
            lines.push(format!("{key} {}", spec.scheduler));
            lines.extend(
                pool.iter().map(|(key, spec)| format!("  {}:{} {}", key.address, key.port, spec.weight)),
            );
        }
        lines
    }
}

fn same_net(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            (a.to_bits() ^ b.to_bits()) & mask == 0
        }
        _ => false,
    }
}
