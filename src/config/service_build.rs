//! `virtual_server` as written to a [`Service`] with its destinations: defaults, what keepalived corrects, lints.
//!
//! A block is read twice: first what concerns the service, then its real servers one by one, so that nothing has to
//! be held back for values that stand further down, and so that the work can stop behind any line.

use core::net::{IpAddr, SocketAddr};

use super::build::{Tables, row};
use super::codes::{DEFAULTED, DUPLICATE, FAMILY, NO_SERVERS, PERSISTENCE, PORT, SUSPEND};
use super::ids::{DestinationId, Id, Range, ServiceId};
use super::known::Known;
use super::model::{Destination, Service};
use super::service::{Header, SERVICE, ServerDraft, ServiceDraft, header, server};
use super::service_group::{Entry, Groups};
use crate::check::keywords::Draft;
use crate::limits::MAX_REAL_SERVERS;
use crate::syntax::{Context, Cursor, Diagnostics, Given, NodeId, Position, Walk};
use crate::wire::genl_ipvs::{DestinationKey, Family, ForwardingMethod, Protocol, ServiceKey};

/// keepalived's and ipvsadm's default, in seconds.
const PERSISTENCE_SECONDS: u32 = 360;

/// What the second pass reads.
const REAL_SERVER: &[u8; 11] = b"real_server";

/// A service that is being read.
#[derive(Debug)]
pub(super) struct ServiceBuild {
    pub(super) draft: ServiceDraft,
    /// First pass, then second pass.
    own: Option<Walk>,
    servers: Cursor,
    keys: Known<DestinationKey>,
    /// Of the service; of a fwmark service without `ip_family` that of its first real server.
    pub(super) family: Option<Family>,
    pub(super) id: ServiceId,
    first: usize,
    first_probe: usize,
    first_use: usize,
    first_via: usize,
    pub(super) weights: u64,
    /// The block, the line of the group that is being worked on, and which of its addresses.
    node: NodeId,
    entry: usize,
    nth: u64,
    /// Real servers that the address cannot have, because they are of the other family.
    foreign: usize,
    /// Blocks of real servers.
    blocks: usize,
    /// Room for the checkers of one.
    checkers: Vec<Draft>,
}

impl ServiceBuild {
    /// Starts with a `virtual_server` block; nothing if its line is wrong.
    pub(super) fn new(cx: &mut Context<'_>, node: NodeId, tables: &Tables, groups: &Groups) -> Option<Self> {
        let draft = header(cx, node, groups)?;
        let servers = cx.tree.children(node);
        Some(Self {
            draft,
            own: Some(Walk::new(servers)),
            servers,
            keys: Known::default(),
            family: None,
            id: ServiceId::from_index(tables.services.len()),
            first: tables.destinations.len(),
            first_probe: tables.probes.len(),
            first_use: tables.probe_uses.len(),
            first_via: tables.vias.len(),
            weights: 0,
            node,
            entry: 0,
            nth: 0,
            foreign: 0,
            blocks: 0,
            checkers: Vec::new(),
        })
    }

    /// True for the first service of a group, and for one without: what is wrong with the block is said once.
    fn is_first(&self) -> bool {
        self.entry == 0 && self.nth == 0
    }

    /// Goes on to the next address of the group: its block is read again, without a word. False if there is none, or
    /// none that fits.
    fn next_member(&mut self, cx: &Context<'_>, tables: &mut Tables) -> bool {
        let Some(entry) = self.draft.members.get(self.entry) else { return false };
        let added = tables.destinations.len() - self.first;
        self.nth += 1;
        if self.nth >= entry.count {
            (self.entry, self.nth) = (self.entry + 1, 0);
        }
        let Some(entry) = self.draft.members.get(self.entry) else { return false };
        let full = (tables.service_count.is_full(), tables.server_count.is_full());
        if full.0 || full.1 {
            let rest = self.draft.members.get(self.entry..).unwrap_or(&[]).iter();
            let rest = rest.fold(0, |sum: u64, entry| sum.saturating_add(entry.count)) - self.nth;
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            match full {
                (true, _) => tables.service_count.admit_all(rest, entry.at),
                (false, _) => tables.server_count.admit_all(rest.saturating_mul(added), entry.at),
            };
            return false;
        }
        if !tables.repeat_count.admit_all(cx.tree.weight(self.node), entry.at) {
            return false;
        }
        self.draft.header = entry.nth(self.nth);
        self.family = self.family_of_member(entry);
        self.servers = cx.tree.children(self.node);
        self.keys.clear();
        self.id = ServiceId::from_index(tables.services.len());
        (self.first, self.first_probe) = (tables.destinations.len(), tables.probes.len());
        (self.first_use, self.weights, self.foreign) = (tables.probe_uses.len(), 0, 0);
        self.first_via = tables.vias.len();
        true
    }

    fn family_of_member(&self, entry: &Entry) -> Option<Family> {
        match entry.first {
            Header::Address(address, _) => Some(family_of(address)),
            Header::Mark(_) => entry.family.or(self.draft.family.map(|given| given.value)),
        }
    }

    /// Does `work` with the block: with messages for the first service of a group, without for the others.
    fn once<R>(&mut self, cx: &mut Context<'_>, work: impl FnOnce(&mut Self, &mut Context<'_>) -> R) -> R {
        if self.is_first() {
            return work(self, cx);
        }
        let mut unheard = Diagnostics::default();
        work(self, &mut Context { tree: cx.tree, diagnostics: &mut unheard, home: cx.home })
    }

    /// Reads about `budget` statements; true when the service is finished.
    pub(super) fn step(&mut self, cx: &mut Context<'_>, tables: &mut Tables, budget: &mut usize) -> bool {
        while *budget > 0 {
            *budget -= 1;
            if let Some(walk) = &mut self.own {
                // The second pass reads its real servers, when all values for the service as a whole are known.
                if walk.skip_block(cx.tree, REAL_SERVER) {
                    self.blocks += 1;
                } else if !walk.step(cx, &SERVICE, &mut self.draft) {
                    self.own = None;
                    self.keys.reserve(self.blocks.min(MAX_REAL_SERVERS));
                    self.settle(cx);
                }
                continue;
            }
            let Some(node) = cx.tree.next(&mut self.servers) else {
                self.finish(cx, tables);
                if self.next_member(cx, tables) {
                    continue;
                }
                return true;
            };
            if cx.tree.is_block(node, REAL_SERVER) {
                *budget = budget.saturating_sub(cx.tree.weight(node));
                self.once(cx, |this, cx| {
                    let mut draft = ServerDraft::new(core::mem::take(&mut this.checkers));
                    if server(cx, node, &mut draft) {
                        this.add_server(&draft, cx, tables);
                    }
                    core::mem::swap(&mut this.checkers, &mut draft.checkers);
                    this.checkers.clear();
                });
            }
        }
        false
    }

    /// What concerns the service as a whole, before its servers are read.
    fn settle(&mut self, cx: &mut Context<'_>) {
        self.family = self.draft.members.first().and_then(|entry| self.family_of_member(entry));
        let draft = &mut self.draft;
        let fits = |family| {
            draft.members.iter().any(|entry| match entry.first {
                Header::Address(address, _) => family_of(address) == family,
                Header::Mark(_) => true,
            })
        };
        if let Some(given) = draft.family.filter(|given| !fits(given.value)) {
            cx.error(
                FAMILY,
                given.at,
                format_args!("ip_family is not the family of the address and is left out"),
                format_args!("remove the line: it is for fwmark services"),
            );
        }
        if draft.method.is_none() {
            cx.warn(
                DEFAULTED,
                draft.at,
                format_args!("the service has no valid lb_kind: NAT is used"),
                format_args!("write `lb_kind NAT`, `lb_kind DR` or `lb_kind TUN`"),
            );
        }
        let ports = |entry: &Entry| match entry.first {
            Header::Address(_, port) => Some(port),
            Header::Mark(_) => None,
        };
        if draft.members.iter().any(|entry| ports(entry).is_some()) {
            if draft.protocol.is_none() {
                cx.warn(
                    DEFAULTED,
                    draft.at,
                    format_args!("the service has no valid protocol: UDP is used, as keepalived does"),
                    format_args!("write `protocol TCP` or `protocol UDP`"),
                );
            }
            let any = draft.members.iter().any(|entry| ports(entry) == Some(0));
            if any && draft.persistence.is_none() {
                draft.persistence = Some(PERSISTENCE_SECONDS);
                cx.warn(
                    PERSISTENCE,
                    draft.at,
                    format_args!(
                        "port 0 needs persistence: persistence_timeout {PERSISTENCE_SECONDS} is used"
                    ),
                    format_args!("write a port, or `persistence_timeout` with a time"),
                );
            }
        }
        if draft.persistence.is_none()
            && let Some(given) = draft.granularity
        {
            draft.persistence = Some(PERSISTENCE_SECONDS);
            cx.warn(
                PERSISTENCE,
                given.at,
                format_args!(
                    "granularity needs persistence: persistence_timeout {PERSISTENCE_SECONDS} is used"
                ),
                format_args!("write `persistence_timeout` with a time"),
            );
        }
    }

    fn method(&self) -> ForwardingMethod {
        self.draft.method.unwrap_or(ForwardingMethod::Masquerade)
    }

    /// The port of a destination in the kernel's table, by the rules of its forwarding method.
    fn port(
        &self,
        method: ForwardingMethod,
        given: Option<Given<u32>>,
        at: Position,
        cx: &mut Context<'_>,
    ) -> u16 {
        let wanted = given.map_or(0, |given| u16::try_from(given.value).unwrap_or(0));
        let at = given.map_or(at, |given| given.at);
        let rewrites = matches!(method, ForwardingMethod::Masquerade);
        match self.draft.header {
            Header::Address(_, own) if wanted == own => own,
            Header::Address(_, own) if rewrites => {
                if wanted == 0 {
                    own
                } else {
                    wanted
                }
            }
            Header::Address(_, own) => {
                if given.is_some() {
                    cx.warn(
                        PORT,
                        at,
                        format_args!("DR and TUN cannot change the port: {own} is used, not {wanted}"),
                        format_args!("write {own}; checks of another port have `connect_port {wanted}`"),
                    );
                }
                own
            }
            Header::Mark(_) if rewrites => wanted,
            Header::Mark(_) => {
                if wanted != 0 {
                    cx.warn(
                        PORT,
                        at,
                        format_args!("DR and TUN cannot change the port: it is used for checks only"),
                        format_args!("leave it out and write `connect_port` in the checks"),
                    );
                }
                0
            }
        }
    }

    /// True if the kernel can forward to this address: another family only through a tunnel.
    fn reachable(
        &mut self,
        address: IpAddr,
        method: ForwardingMethod,
        at: Position,
        cx: &mut Context<'_>,
    ) -> bool {
        let family = *self.family.get_or_insert(family_of(address));
        let fits = family == family_of(address) || matches!(method, ForwardingMethod::Tunnel(_));
        if !fits {
            self.foreign += 1;
            cx.error(
                FAMILY,
                at,
                format_args!("{address} is not of the service's address family and is left out"),
                format_args!("only TUN carries packets of one family to a server of the other"),
            );
        }
        fits
    }

    fn add_server(&mut self, server: &ServerDraft, cx: &mut Context<'_>, tables: &mut Tables) {
        let method = server.method.unwrap_or(self.method());
        if !self.reachable(server.address, method, server.at, cx) {
            return;
        }
        let key =
            DestinationKey { address: server.address, port: self.port(method, server.port, server.at, cx) };
        // One that does not fit is not known to the ones behind it.
        let full = tables.server_count.is_full();
        let known = if full { self.keys.contains(&key) } else { !self.keys.add(key) };
        if known {
            cx.error(
                DUPLICATE,
                server.at,
                format_args!(
                    "{} is a real server of this service already",
                    SocketAddr::new(key.address, key.port)
                ),
                format_args!("the second one is left out; remove it"),
            );
            return;
        }
        if !tables.server_count.admit(server.at) {
            return;
        }
        let policy = self.policy(server, method, cx);
        let weight = server.weight.or(self.draft.weight).unwrap_or(1);
        let first = tables.probe_uses.len();
        self.add_probes(server, (key, method), cx, tables);
        self.weights += u64::from(weight);
        let (probes, policy) = (row(first)..row(tables.probe_uses.len()), tables.policy(policy));
        tables.destinations.push(Destination { service: self.id, key, weight, probes, policy });
    }

    fn finish(&mut self, cx: &mut Context<'_>, tables: &mut Tables) {
        let servers = tables.destinations.len() - self.first;
        let Some(key) = self.admitted_key(servers, cx, tables) else {
            tables.server_count.release(servers);
            tables.destinations.truncate(self.first);
            tables.probe_uses.truncate(self.first_use);
            tables.truncate_probes(self.first_probe);
            tables.vias.truncate(self.first_via);
            return;
        };
        let (quorum, hysteresis, spec, sorry) = self.once(cx, |this, cx| {
            let (quorum, hysteresis) = this.quorum(cx);
            (quorum, hysteresis, this.spec(cx), this.add_sorry_servers(cx, tables))
        });
        tables.keys.add(key);
        let servers = tables.destinations.get(self.first..).unwrap_or(&[]);
        let direct = servers.iter().filter(|one| one.method != ForwardingMethod::Masquerade);
        for one in direct {
            tables.direct.insert(one.key.address, self.id);
        }
        let destinations = Range::new(self.first, tables.destinations.len());
        let suspend = self.suspend(cx);
        tables.services.push(Service { key, spec, destinations, sorry, quorum, hysteresis, suspend });
    }

    /// The key, if the service can be added.
    fn admitted_key(&self, servers: usize, cx: &mut Context<'_>, tables: &mut Tables) -> Option<ServiceKey> {
        let key = match self.draft.header {
            Header::Address(address, port) => {
                let protocol = self.draft.protocol.unwrap_or(Protocol::Udp);
                ServiceKey::Address { protocol, address, port }
            }
            Header::Mark(mark) => ServiceKey::Mark { mark, family: self.family.unwrap_or(Family::Inet) },
        };
        let at = self.draft.members.get(self.entry).map_or(self.draft.at, |entry| entry.at);
        if self.foreign > 0 && !self.is_first() && self.nth == 0 {
            cx.error(
                FAMILY,
                at,
                format_args!("{} real servers are not of the address family of {key}", self.foreign),
                format_args!(
                    "only TUN carries packets of one family to a server of the other: write two groups"
                ),
            );
        }
        if tables.keys.contains(&key) {
            cx.error(
                DUPLICATE,
                at,
                format_args!("there is a virtual server {key} already; this one is left out"),
                format_args!("put all real servers into one block"),
            );
            return None;
        }
        if servers == 0 && !self.is_first() {
            return None;
        }
        if servers == 0 {
            cx.warn(
                NO_SERVERS,
                self.draft.at,
                format_args!("virtual server {key} has no valid real server and is left out"),
                format_args!("write at least one `real_server ADDRESS PORT {{ }}` in its block"),
            );
            return None;
        }
        tables.service_count.admit(at).then_some(key)
    }

    /// The sorry servers, which follow the real servers.
    fn add_sorry_servers(&mut self, cx: &mut Context<'_>, tables: &mut Tables) -> Range<DestinationId> {
        let first = tables.destinations.len();
        let drafts = core::mem::take(&mut self.draft.sorry);
        for (nth, draft) in drafts.iter().enumerate() {
            // One for each service is not counted.
            if nth == 0 || tables.server_count.admit(draft.at) {
                self.add_sorry(draft, cx, tables);
            }
        }
        // They are read once and serve every address of a group.
        self.draft.sorry = drafts;
        Range::new(first, tables.destinations.len())
    }

    fn add_sorry(&mut self, server: &ServerDraft, cx: &mut Context<'_>, tables: &mut Tables) {
        let method = server.method.unwrap_or(self.method());
        if !self.reachable(server.address, method, server.at, cx) {
            return;
        }
        let at = server.port.map_or(server.at, |given| given.at);
        let key = DestinationKey { address: server.address, port: self.port(method, server.port, at, cx) };
        if self.keys.contains(&key) {
            cx.error(
                DUPLICATE,
                server.at,
                format_args!("the sorry server is a real server of this service and is left out"),
                format_args!("write the address or port of another server"),
            );
            return;
        }
        self.keys.add(key);
        let (policy, weight) = (self.sorry_policy(server, method, cx), server.weight.unwrap_or(1));
        let first = tables.probe_uses.len();
        self.add_probes(server, (key, method), cx, tables);
        let (probes, policy) = (row(first)..row(tables.probe_uses.len()), tables.policy(policy));
        tables.destinations.push(Destination { service: self.id, key, weight, probes, policy });
    }

    /// `ha_suspend`, unless the service is a mark, which is never on a box.
    fn suspend(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(at) = self.draft.suspend else { return false };
        let marked = self.draft.members.iter().any(|entry| matches!(entry.first, Header::Mark(_)));
        if marked && self.is_first() {
            cx.warn(
                SUSPEND,
                at,
                format_args!("ha_suspend is ignored: a service with a fwmark has no address to wait for"),
                format_args!("remove the line: the checks are made all the time"),
            );
        }
        !marked
    }
}

pub(super) fn family_of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Inet } else { Family::Inet6 }
}
