//! Interfaces: what the kernel says of each one the configuration names, the addresses it sends from, its VRRP sockets.

mod settle;
mod watched;

use core::net::IpAddr;

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
use crate::wire::vrrp::{Channel, Family};
use watched::Watched;

/// A socket that could not be opened is tried again after this time.
const SOCKET_RETRY: Duration = Duration::from_secs(5);

/// One interface of the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// The kernel's index; 0 while there is no such interface.
    pub index: LinkIndex,
    /// `IFF_UP` and carrier, as far as a change has lasted long enough to count.
    pub running: bool,
    /// The same as the kernel said it last.
    pub reported: bool,
    /// Hardware address.
    pub mac: MacAddress,
    /// MTU in bytes.
    pub mtu: u32,
    /// Where adverts come from, by family.
    sources: [Sources; 2],
    /// The kernel has been asked for this interface and its addresses.
    known: bool,
    /// VRRP sockets by channel.
    ports: [Port; CHANNELS],
}

/// The addresses of one family that adverts may come from: IPv4 addresses and IPv6 link-local ones
/// (RFC 9568 section 5.1.2.1) that are not virtual.
#[derive(Debug, Clone, Copy, Default)]
struct Sources {
    /// The first one.
    primary: Option<IpAddr>,
    /// Candidate for `primary` of the running address dump.
    candidate: Option<IpAddr>,
    /// Some other address: serves when the primary one goes.
    spare: Option<IpAddr>,
}

/// A VRRP socket as wished and as it is.
#[derive(Debug, Clone, Copy, Default)]
struct Port {
    /// Adverts are sent and heard here.
    wanted: bool,
    /// Where the socket that is being opened belongs.
    opening_on: LinkIndex,
    /// The last error that was reported; 0 for none.
    reported: Errno,
    socket: Socket,
}

const CHANNELS: usize = Channel::ALL.len();

/// The place of a socket in the dirty set, and back.
fn place(link: usize, channel: Channel) -> usize {
    link * CHANNELS + channel as usize
}

/// A VRRP socket of an interface.
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

    /// Where adverts of a family come from, unless the configuration says.
    pub fn source(&self, family: Family) -> Option<IpAddr> {
        self.sources.get(family as usize).and_then(|sources| sources.primary)
    }

    /// A VRRP socket.
    pub fn socket(&self, channel: Channel) -> Socket {
        self.ports.get(channel as usize).map_or(Socket::Closed, |port| port.socket)
    }

    /// The same interface of the configuration on another interface of the kernel.
    fn renewed(&self) -> Self {
        Self { known: self.known, ports: self.ports, ..Self::default() }
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
    /// How long an interface must be down, and up, before that counts; empty if there are no delays.
    delays: Box<[[Duration; 2]]>,
    /// Source addresses that must be there.
    watched: Box<[Watched]>,
    known: bool,
}

impl Links {
    pub(crate) fn new(config: &Config) -> Self {
        let mut table = vec![Link::default(); config.links.len()].into_boxed_slice();
        for instance in &config.instances {
            let port = table
                .get_mut(instance.link.index())
                .and_then(|link| link.ports.get_mut(instance.channel() as usize));
            if let Some(port) = port {
                port.wanted = true;
            }
        }
        let links = config.links.len();
        Self {
            table,
            names: config.links.clone(),
            sockets: DirtySet::new(links * CHANNELS),
            shown: DirtySet::new(links),
            delays: settle::delays(config),
            watched: watched::watched(config),
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
    /// `longest` is how long a change of an interface may last at most before it counts.
    pub(crate) fn handle_link(
        &mut self,
        now: Instant,
        entry: &LinkEntry,
        longest: &dyn Fn(LinkId) -> Duration,
        bus: &mut Bus,
    ) {
        let named = self.names.iter().position(|name| *name == entry.name).map(LinkId::from_index);
        // An interface that was renamed away is gone under its old name.
        if let Some(old) = self.by_index(entry.index).filter(|old| Some(*old) != named) {
            self.vanish(now, old, bus);
        }
        let Some(id) = named else { return };
        self.shown.insert(id.index());
        let before = self.get(id);
        let reported = entry.admin_up && entry.running;
        let same = before.index == entry.index;
        let running = if same { self.settle(now, (id, before), (reported, longest), bus) } else { reported };
        let Some(link) = self.table.get_mut(id.index()) else { return };
        if before.index != entry.index {
            *link = before.renewed();
            look_at_sockets(&mut self.sockets, id.index());
        }
        (link.index, link.running, link.mac, link.mtu) = (entry.index, running, entry.mac, entry.mtu);
        link.reported = reported;
        if before.running != running && (before.exists() || !running) {
            bus.record(now, if running { Reason::LinkUp(id) } else { Reason::LinkDown(id) });
        }
        if before.index != link.index || before.running != running || before.mac != link.mac {
            bus.link_changed(id);
        }
        // Going down takes the IPv6 addresses along, coming back may bring others: look.
        // The kernel does not wait for a delay of ours.
        if (before.reported != reported || before.index != entry.index) && self.known {
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
        self.watch_gone(id);
        bus.cancel(Timer::LinkSettled(id));
        let Some(link) = self.table.get_mut(id.index()) else { return };
        *link = link.renewed();
        look_at_sockets(&mut self.sockets, id.index());
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

    /// An address that is not virtual appeared.
    pub(crate) fn handle_address(&mut self, entry: &AddressEntry, bus: &mut Bus) {
        if let Some(id) = self.by_index(entry.link) {
            self.watch(id, entry.address, true, bus);
        }
        if matches!(entry.address, IpAddr::V6(address) if !address.is_unicast_link_local()) {
            return;
        }
        let Some((id, sources)) = self.sources_of(entry) else { return };
        let address = Some(entry.address);
        if !entry.secondary {
            sources.candidate = sources.candidate.or(address);
            if sources.primary.is_none() {
                sources.primary = address;
                bus.link_changed(id);
            }
        }
        if sources.primary != address {
            sources.spare = sources.spare.or(address);
        }
    }

    /// An address that is not virtual went away. Which one comes next only the kernel's list can tell; until it
    /// does, another of the interface serves, so that a director that is renumbered stays MASTER.
    pub(crate) fn handle_address_gone(&mut self, now: Instant, entry: &AddressEntry, bus: &mut Bus) {
        if let Some(id) = self.by_index(entry.link) {
            self.watch(id, entry.address, false, bus);
        }
        let Some((id, sources)) = self.sources_of(entry) else { return };
        let stays = |one: &IpAddr| *one != entry.address;
        (sources.candidate, sources.spare) = (sources.candidate.filter(stays), sources.spare.filter(stays));
        if sources.primary == Some(entry.address) {
            sources.primary = sources.spare.take();
            bus.link_changed(id);
            bus.set(Timer::RouteAudit, now);
        }
    }

    fn sources_of(&mut self, entry: &AddressEntry) -> Option<(LinkId, &mut Sources)> {
        let id = self.by_index(entry.link)?;
        let link = self.table.get_mut(id.index())?;
        Some((id, link.sources.get_mut(Family::of(entry.address) as usize)?))
    }

    /// A dump of addresses begins.
    pub(crate) fn begin_address_dump(&mut self) {
        self.begin_watch_dump();
        for sources in self.table.iter_mut().flat_map(|link| &mut link.sources) {
            (sources.candidate, sources.spare) = (None, None);
        }
    }

    /// A whole dump of addresses ended: the first address it showed is the primary one, a secondary only without any
    /// other.
    pub(crate) fn end_address_dump(&mut self, bus: &mut Bus) {
        self.end_watch_dump(bus);
        for (index, link) in self.table.iter_mut().enumerate() {
            for sources in &mut link.sources {
                let first = sources.candidate.or(sources.spare);
                if sources.primary != first {
                    sources.primary = first;
                    bus.link_changed(LinkId::from_index(index));
                }
            }
            if !core::mem::replace(&mut link.known, true) {
                look_at_sockets(&mut self.sockets, index);
                bus.link_changed(LinkId::from_index(index));
            }
        }
        self.known = true;
    }

    /// The next socket to open or close.
    pub(crate) fn poll_socket(&mut self, bus: &Bus) -> Option<Action> {
        while let Some(place) = self.sockets.pop() {
            let (row, channel) = (place / CHANNELS, place % CHANNELS);
            let (Some(link), Some(channel)) = (self.table.get_mut(row), Channel::ALL.get(channel)) else {
                continue;
            };
            let (id, channel, index, exists) = (LinkId::from_index(row), *channel, link.index, link.exists());
            let Some(port) = link.ports.get_mut(channel as usize) else { continue };
            let wanted = port.wanted && exists;
            match port.socket {
                Socket::Open(on) if wanted && on == index => {}
                Socket::Opening(epoch) if wanted && epoch == bus.epoch => {}
                Socket::Closed | Socket::Failed(_) if !wanted => port.socket = Socket::Closed,
                Socket::Open(_) | Socket::Opening(_) if !wanted => {
                    port.socket = Socket::Closed;
                    return Some(Action::CloseSocket { link: id, channel });
                }
                Socket::Open(_) | Socket::Opening(_) | Socket::Closed | Socket::Failed(_) => {
                    port.socket = Socket::Opening(bus.epoch);
                    port.opening_on = index;
                    return Some(Action::OpenSocket { epoch: bus.epoch, link: id, channel });
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
        (id, channel): (LinkId, Channel),
        epoch: Epoch,
        result: Result<(), Errno>,
        bus: &mut Bus,
    ) {
        let Some(link) = self.table.get_mut(id.index()) else { return };
        let index = link.index;
        let Some(port) = link.ports.get_mut(channel as usize) else { return };
        if port.socket != Socket::Opening(epoch) {
            bus.stale_total += 1;
            return;
        }
        port.socket = match result {
            Ok(()) => {
                port.reported = Errno::default();
                if port.opening_on != index {
                    self.sockets.insert(place(id.index(), channel));
                }
                Socket::Open(port.opening_on)
            }
            Err(errno) => {
                if core::mem::replace(&mut port.reported, errno) != errno {
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
            for channel in Channel::ALL {
                if matches!(link.socket(channel), Socket::Failed(_)) {
                    self.sockets.insert(place(id, channel));
                }
            }
        }
    }

    /// Takes over what is known of the interfaces that both configurations name.
    pub(crate) fn adopt(
        &mut self,
        old: &Self,
        (before, config): (&Config, &Config),
        (from, bus): (&Bus, &mut Bus),
    ) {
        let names = &self.names;
        let former =
            |id: usize| names.get(id).and_then(|name| old.names.iter().position(|other| other == name));
        let former: Box<[Option<usize>]> = (0..self.table.len()).map(former).collect();
        for (id, link) in self.table.iter_mut().enumerate() {
            look_at_sockets(&mut self.sockets, id);
            let row = former.get(id).copied().flatten();
            let Some((row, known)) = row.and_then(|row| Some((row, old.table.get(row)?))) else { continue };
            let wanted = link.ports;
            *link = *known;
            for ((channel, port), wished) in Channel::ALL.into_iter().zip(&mut link.ports).zip(wanted) {
                port.wanted = wished.wanted;
                // A socket has joined the groups of the configuration it was opened for.
                let same = groups_of(before, LinkId::from_index(row), channel)
                    == groups_of(config, LinkId::from_index(id), channel);
                if let (false, Socket::Open(_)) = (same, port.socket) {
                    port.socket = Socket::Open(LinkIndex(0));
                }
            }
        }
        for (id, row) in former.iter().enumerate() {
            let Some(row) = row.map(LinkId::from_index) else { continue };
            self.adopt_settling((row, from), LinkId::from_index(id), bus);
        }
        self.adopt_watched(old, |id| former.get(id.index()).copied().flatten().map(LinkId::from_index));
        self.known = old.known;
    }
}

/// Something about an interface changed that its sockets depend on.
fn look_at_sockets(sockets: &mut DirtySet, link: usize) {
    for channel in Channel::ALL {
        sockets.insert(place(link, channel));
    }
}

/// The multicast groups that instances on an interface speak to through a channel, each once, in order of the
/// configuration.
pub(crate) fn groups_of(config: &Config, id: LinkId, channel: Channel) -> heapless::Vec<IpAddr, MAX_GROUPS> {
    let mut groups = heapless::Vec::new();
    for instance in config.instances.iter().filter(|one| one.link == id && one.channel() == channel) {
        if let Transport::Multicast(group) = instance.transport
            && !groups.contains(&group)
        {
            let _ = groups.push(group);
        }
    }
    groups
}

#[cfg(test)]
mod tests;
