//! Interfaces: what the kernel says of each one the configuration names, its primary address, its VRRP socket.

use core::net::{IpAddr, Ipv4Addr};

use super::action::{Action, Epoch};
use super::bus::{Bus, Timer};
use super::dirty::DirtySet;
use super::event::Errno;
use super::journal::Reason;
use super::view::MAX_GROUPS;
use crate::config::Config;
use crate::config::ids::{Id, LinkId};
use crate::config::model::Transport;
use crate::time::{Duration, Instant};
use crate::wire::link::{LinkIndex, LinkName, MacAddress};
use crate::wire::rtnetlink::{AddressEntry, LinkEntry};

/// A socket that could not be opened is tried again after this time.
const SOCKET_RETRY: Duration = Duration::from_secs(5);

/// One interface of the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// The kernel's index; 0 while there is no such interface.
    pub index: LinkIndex,
    /// `IFF_UP` and carrier.
    pub running: bool,
    /// Hardware address.
    pub mac: MacAddress,
    /// MTU in bytes.
    pub mtu: u32,
    /// The first IPv4 address that is not a virtual one: the source of adverts.
    pub primary: Option<Ipv4Addr>,
    /// Candidate for `primary` of the running address dump.
    candidate: Option<Ipv4Addr>,
    /// Some other address: serves when the primary one goes.
    spare: Option<Ipv4Addr>,
    /// The kernel has been asked for this interface and its addresses.
    known: bool,
    /// Where the socket that is being opened belongs.
    opening_on: LinkIndex,
    /// The last error of the socket that was reported; 0 for none.
    reported: Errno,
    /// Adverts are sent and heard here.
    wants_socket: bool,
    /// The VRRP socket.
    pub socket: Socket,
}

/// The VRRP socket of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Socket {
    /// Not open.
    #[default]
    Closed,
    /// Being opened.
    Opening(Epoch),
    /// Open, on the interface of this index.
    Open(LinkIndex),
    /// Could not be opened; tried again.
    Failed(Errno),
}

impl Link {
    /// True if the kernel has the interface.
    pub fn exists(&self) -> bool {
        self.index != LinkIndex(0)
    }

    /// True once the kernel has been asked for it.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// The same interface of the configuration on another interface of the kernel.
    fn renewed(&self) -> Self {
        let Self { known, opening_on, reported, wants_socket, socket, .. } = *self;
        Self { known, opening_on, reported, wants_socket, socket, ..Self::default() }
    }
}

/// All interfaces.
#[derive(Debug)]
pub struct Links {
    table: Box<[Link]>,
    names: Box<[LinkName]>,
    /// Sockets to open or close.
    sockets: DirtySet,
    /// Interfaces that the kernel has shown since the running dump began.
    shown: DirtySet,
    known: bool,
}

impl Links {
    pub(crate) fn new(config: &Config) -> Self {
        let mut table = vec![Link::default(); config.links.len()].into_boxed_slice();
        for instance in &config.instances {
            if let Some(link) = table.get_mut(instance.link.index()) {
                link.wants_socket = true;
            }
        }
        let links = config.links.len();
        Self {
            table,
            names: config.links.clone(),
            sockets: DirtySet::new(links),
            shown: DirtySet::new(links),
            known: false,
        }
    }

    /// The interface; an absent one for an id of another configuration.
    pub fn get(&self, id: LinkId) -> Link {
        self.table.get(id.index()).copied().unwrap_or_default()
    }

    /// True once the kernel has listed its interfaces and addresses.
    pub fn known(&self) -> bool {
        self.known
    }

    /// The configured interface of a kernel index.
    pub(crate) fn by_index(&self, index: LinkIndex) -> Option<LinkId> {
        self.table.iter().position(|link| link.exists() && link.index == index).map(LinkId::from_index)
    }

    /// The kernel describes an interface.
    pub(crate) fn handle_link(&mut self, now: Instant, entry: &LinkEntry, bus: &mut Bus) {
        let named = self.names.iter().position(|name| *name == entry.name).map(LinkId::from_index);
        // An interface that was renamed away is gone under its old name.
        if let Some(old) = self.by_index(entry.index).filter(|old| Some(*old) != named) {
            self.vanish(now, old, bus);
        }
        let Some(id) = named else { return };
        self.shown.insert(id.index());
        let Some(link) = self.table.get_mut(id.index()) else { return };
        let before = *link;
        let running = entry.admin_up && entry.running;
        if before.index != entry.index {
            *link = before.renewed();
            self.sockets.insert(id.index());
        }
        (link.index, link.running, link.mac, link.mtu) = (entry.index, running, entry.mac, entry.mtu);
        if before.running != running && (before.exists() || !running) {
            bus.record(now, if running { Reason::LinkUp(id) } else { Reason::LinkDown(id) });
        }
        if before.index != link.index || before.running != running || before.mac != link.mac {
            bus.link_changed(id);
        }
        // Going down takes the IPv6 addresses along, coming back may bring others: look.
        if (before.running != running || before.index != entry.index) && self.known {
            bus.set(Timer::RouteAudit, now);
        }
    }

    /// The kernel removed an interface.
    pub(crate) fn handle_gone(&mut self, now: Instant, entry: &LinkEntry, bus: &mut Bus) {
        if let Some(id) = self.by_index(entry.index) {
            self.vanish(now, id, bus);
        }
    }

    fn vanish(&mut self, now: Instant, id: LinkId, bus: &mut Bus) {
        let Some(link) = self.table.get_mut(id.index()) else { return };
        *link = link.renewed();
        self.sockets.insert(id.index());
        bus.record(now, Reason::LinkAbsent(id));
        bus.link_changed(id);
    }

    /// A dump of interfaces begins: those it does not show are gone.
    pub(crate) fn begin_dump(&mut self) {
        self.shown.clear();
    }

    /// A whole dump of interfaces ended.
    pub(crate) fn end_dump(&mut self, now: Instant, bus: &mut Bus) {
        for id in (0..self.table.len()).map(LinkId::from_index) {
            let absent = !self.shown.contains(id.index());
            if absent && self.get(id).exists() {
                self.vanish(now, id, bus);
            } else if absent && !self.get(id).known {
                bus.record(now, Reason::LinkAbsent(id));
            }
        }
    }

    /// An address that is not one of ours appeared.
    pub(crate) fn handle_address(&mut self, entry: &AddressEntry, bus: &mut Bus) {
        let (Some(id), IpAddr::V4(address)) = (self.by_index(entry.link), entry.address) else { return };
        let Some(link) = self.table.get_mut(id.index()) else { return };
        if !entry.secondary {
            link.candidate = link.candidate.or(Some(address));
            if link.primary.is_none() {
                link.primary = Some(address);
                bus.link_changed(id);
            }
        }
        if link.primary != Some(address) {
            link.spare = link.spare.or(Some(address));
        }
    }

    /// An address that is not one of ours went away. Which one comes next only the kernel's list can tell; until it
    /// does, another of the interface serves, so that a director that is renumbered stays MASTER.
    pub(crate) fn handle_address_gone(&mut self, now: Instant, entry: &AddressEntry, bus: &mut Bus) {
        let Some(id) = self.by_index(entry.link) else { return };
        let Some(link) = self.table.get_mut(id.index()) else { return };
        let stays = |one: &Ipv4Addr| IpAddr::V4(*one) != entry.address;
        (link.candidate, link.spare) = (link.candidate.filter(stays), link.spare.filter(stays));
        if link.primary.map(IpAddr::V4) == Some(entry.address) {
            link.primary = link.spare.take();
            bus.link_changed(id);
            bus.set(Timer::RouteAudit, now);
        }
    }

    /// A dump of addresses begins.
    pub(crate) fn begin_address_dump(&mut self) {
        self.table.iter_mut().for_each(|link| (link.candidate, link.spare) = (None, None));
    }

    /// A whole dump of addresses ended: the first address it showed is the primary one, a secondary only without any
    /// other.
    pub(crate) fn end_address_dump(&mut self, bus: &mut Bus) {
        for (index, link) in self.table.iter_mut().enumerate() {
            let first = link.candidate.or(link.spare);
            if link.primary != first {
                link.primary = first;
                bus.link_changed(LinkId::from_index(index));
            }
            if !core::mem::replace(&mut link.known, true) {
                self.sockets.insert(index);
                bus.link_changed(LinkId::from_index(index));
            }
        }
        self.known = true;
    }

    /// The next socket to open or close.
    pub(crate) fn poll_socket(&mut self, bus: &Bus) -> Option<Action> {
        while let Some(id) = self.sockets.pop() {
            let Some(link) = self.table.get_mut(id) else { continue };
            let id = LinkId::from_index(id);
            let wanted = link.wants_socket && link.exists();
            match link.socket {
                Socket::Open(index) if wanted && index == link.index => {}
                Socket::Opening(epoch) if wanted && epoch == bus.epoch => {}
                Socket::Closed | Socket::Failed(_) if !wanted => link.socket = Socket::Closed,
                Socket::Open(_) | Socket::Opening(_) if !wanted => {
                    link.socket = Socket::Closed;
                    return Some(Action::CloseSocket { link: id });
                }
                Socket::Open(_) | Socket::Opening(_) | Socket::Closed | Socket::Failed(_) => {
                    link.socket = Socket::Opening(bus.epoch);
                    link.opening_on = link.index;
                    return Some(Action::OpenSocket { epoch: bus.epoch, link: id });
                }
            }
        }
        None
    }

    /// True if a socket waits to be opened or closed.
    pub(crate) fn has_socket_work(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// A socket was opened, or not.
    pub(crate) fn socket_answered(
        &mut self,
        now: Instant,
        id: LinkId,
        epoch: Epoch,
        result: Result<(), Errno>,
        bus: &mut Bus,
    ) {
        let Some(link) = self.table.get_mut(id.index()) else { return };
        if link.socket != Socket::Opening(epoch) {
            bus.stale_total += 1;
            return;
        }
        link.socket = match result {
            Ok(()) => {
                link.reported = Errno::default();
                if link.opening_on != link.index {
                    self.sockets.insert(id.index());
                }
                Socket::Open(link.opening_on)
            }
            Err(errno) => {
                if core::mem::replace(&mut link.reported, errno) != errno {
                    bus.record(now, Reason::SocketFailed(id, errno));
                }
                bus.set_if_idle(Timer::SocketRetry, now + SOCKET_RETRY);
                Socket::Failed(errno)
            }
        };
        bus.link_changed(id);
    }

    /// Time to try sockets again.
    pub(crate) fn retry_sockets(&mut self) {
        for (id, link) in self.table.iter().enumerate() {
            if matches!(link.socket, Socket::Failed(_)) {
                self.sockets.insert(id);
            }
        }
    }

    /// Takes over what is known of the interfaces that both configurations name.
    pub(crate) fn adopt(&mut self, old: &Self, before: &Config, config: &Config) {
        for (id, link) in self.table.iter_mut().enumerate() {
            self.sockets.insert(id);
            let row = self.names.get(id).and_then(|name| old.names.iter().position(|other| other == name));
            let Some((row, known)) = row.and_then(|row| Some((row, old.table.get(row)?))) else { continue };
            *link = Link { wants_socket: link.wants_socket, ..*known };
            // A socket has joined the groups of the configuration it was opened for.
            let same =
                groups_of(before, LinkId::from_index(row)) == groups_of(config, LinkId::from_index(id));
            if let (false, Socket::Open(_)) = (same, link.socket) {
                link.socket = Socket::Open(LinkIndex(0));
            }
        }
        self.known = old.known;
    }
}

/// The multicast groups that instances on an interface speak to, each once, in order of the configuration.
pub(crate) fn groups_of(config: &Config, id: LinkId) -> heapless::Vec<Ipv4Addr, MAX_GROUPS> {
    let mut groups = heapless::Vec::new();
    for instance in config.instances.iter().filter(|one| one.link == id) {
        if let Transport::Multicast(group) = instance.transport
            && !groups.contains(&group)
        {
            let _ = groups.push(group);
        }
    }
    groups
}
