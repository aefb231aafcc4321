//! What a configuration needs of the kernel's limits, counted: neighbours, ports, memberships, descriptors, connections
//! that are tracked. What comes of the figures is in [`super::wishes`].
//!
//! Counted once a load, in slices, because 65,536 servers take longer than a turn of the loop may. Figures are upper
//! bounds where the kernel knows more than a configuration: servers that are reached through a router take no
//! neighbour.

use core::net::IpAddr;

use super::Config;
use super::ids::LinkId;
use super::known::{Known, hash_of};
use super::model::{Instance, Probe, Transport as Adverts};
use crate::check::Transport;
use crate::limits::{MAX_CLIENTS, MAX_CONSOLES, MAX_ESTIMATORS, MAX_HOSTS, MAX_SLOTS};
use crate::wire::vrrp::{Channel, Family};

/// Rows of each table that are counted in one step.
const SLICE: usize = 64;
/// Descriptors and sources besides links and slots: netlink 3, signals, control listener, its clients, with room to
/// spare for the standard streams, epoll, the packet sockets and a file.
const FEW: usize = 16 + MAX_CLIENTS + 2 * MAX_CONSOLES;
/// Seconds for which the kernel keeps the port of a connection that we closed first (`TCP_TIMEWAIT_LEN` in net/tcp.h).
const TIME_WAIT: u64 = 60;
/// The same in IPVS, of a connection that was reset (`IP_VS_TCP_S_CLOSE`), and in the table of tracked connections
/// (`nf_conntrack_tcp_timeout_close`).
const RESET: u64 = 10;
/// The most that `conn_tab_bits` may be.
const MAX_TABLE_BITS: u32 = 20;
/// Seconds for which a tracked connection is kept after both have closed it (`nf_conntrack_tcp_timeout_time_wait`).
const TRACKED: u64 = 120;
/// The same of a datagram (`nf_conntrack_udp_timeout`) and an echo (`nf_conntrack_icmp_timeout`).
const TRACKED_DATAGRAM: u64 = 30;

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Addresses that are sent to, each once: real servers, targets of checks, peers. IPv4, then IPv6.
    pub neighbours: [u32; 2],
    /// Addresses of the networks of `interface` blocks, at most [`MAX_HOSTS`]: who may be there. IPv4, then IPv6.
    pub hosts: [u32; 2],
    /// Multicast groups of the socket that joins most, over IPv4.
    pub memberships: u32,
    /// Sources that the loop waits for.
    pub sources: u32,
    /// Ports that checks of the target that is checked most hold at a time.
    pub ports: u32,
    /// Connections of checks that the kernel tracks at a time.
    pub tracked: u32,
    /// Services and destinations, each of which IPVS estimates rates of.
    pub estimators: u32,
    /// Connections that the limits of real servers (`uthreshold`) let in; those without a limit are not known.
    pub connections: u32,
    pub(super) owners: u16,
}

impl Needs {
    /// Descriptors: each source has one, and a quarter more are for what is open for a moment.
    pub const fn descriptors(&self) -> u32 {
        self.sources.saturating_mul(5) / 4
    }

    /// Bits of IPVS's table of connections: as many rows as connections (`IP_VS_TAB_BITS` in
    /// net/netfilter/ipvs/Kconfig), and what its parameter takes.
    pub fn table_bits(&self) -> u32 {
        self.connections.saturating_sub(1).checked_ilog2().map_or(0, |bits| bits + 1).min(MAX_TABLE_BITS)
    }

    /// True if there are so many destinations that the kernel is not to estimate rates.
    pub const fn too_many_estimators(&self) -> bool {
        self.estimators as usize > MAX_ESTIMATORS
    }
}

/// A configuration that is being counted.
#[derive(Debug, Default)]
pub struct Counting {
    row: usize,
    /// Addresses by their hash, which two of them never share as good as surely.
    addresses: Known<u64, u32>,
    /// Ports by the hash of their target.
    targets: Known<u64, u32>,
    needs: Needs,
}

/// Counts a whole configuration at once, for the start.
pub fn count(config: &Config) -> Needs {
    let mut counting = Counting::default();
    while !counting.step(config) {}
    counting.finish()
}

impl Counting {
    /// Does a piece of work of far less than a millisecond; true when there is no more.
    #[inline(never)]
    pub fn step(&mut self, config: &Config) -> bool {
        let (start, end) = (self.row, self.row + SLICE);
        if start == 0 {
            self.addresses.reserve(config.destinations.len());
            self.targets.reserve(config.probes.len());
        }
        let clamp = |end: usize, len: usize| start.min(len)..end.min(len);
        for one in config.destinations.get(clamp(end, config.destinations.len())).unwrap_or(&[]) {
            self.add_address(one.key.address);
            self.needs.connections = self.needs.connections.saturating_add(one.upper);
        }
        for probe in config.probes.get(clamp(end, config.probes.len())).unwrap_or(&[]) {
            self.add_probe(probe);
        }
        self.row = end;
        if end < config.destinations.len().max(config.probes.len()) {
            return false;
        }
        config.peers.iter().for_each(|peer| self.add_address(peer.address));
        self.add_rest(config);
        true
    }

    /// The figures, once [`Self::step`] said that it is done.
    pub fn finish(self) -> Needs {
        self.needs
    }

    fn add_address(&mut self, address: IpAddr) {
        let [four, six] = &mut self.needs.neighbours;
        if self.addresses.insert(hash_of(&address), 0) {
            *(if address.is_ipv4() { four } else { six }) += 1;
        }
    }

    fn add_probe(&mut self, probe: &Probe) {
        let via = probe.bind.as_ref().is_some_and(|bind| bind.via.is_some());
        let (port_for, tracked_for) = match probe.checker.form().transport {
            Transport::Stream { .. } if via => (RESET, RESET),
            Transport::Stream { reply: false } => (0, RESET),
            Transport::Stream { reply: true } => (TIME_WAIT, TRACKED),
            Transport::Datagram => (0, TRACKED_DATAGRAM),
            Transport::Echo => (0, TRACKED_DATAGRAM),
        };
        let steps = u64::try_from(probe.checker.steps()).unwrap_or(1);
        let interval = probe.interval.as_micros().max(1);
        // One that is open, and those that are remembered.
        let held = |seconds: u64| {
            let made = (seconds * 1_000_000).saturating_mul(steps).div_ceil(interval);
            u32::try_from(made).unwrap_or(u32::MAX).saturating_add(1)
        };
        self.needs.tracked = self.needs.tracked.saturating_add(held(tracked_for));
        if probe.port != 0 {
            let target = hash_of(&probe.target());
            let before = self.targets.get(&target).map_or(0, |known| known.1);
            let ports = before.saturating_add(held(port_for));
            self.targets.insert(target, ports);
            self.needs.ports = self.needs.ports.max(ports);
        }
        if !via {
            self.add_address(probe.address);
        }
    }

    fn add_rest(&mut self, config: &Config) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let needs = &mut self.needs;
        let slots = config.probes.len().min(MAX_SLOTS);
        needs.sources = number(config.links.len() * Channel::ALL.len() + slots + FEW);
        needs.estimators = number(config.services.len() + config.destinations.len());
        needs.memberships = number(memberships(config));
        let networks = config.interfaces.iter().flat_map(|one| &one.addresses);
        for (address, prefix) in networks {
            let [four, six] = &mut needs.hosts;
            let (place, bits) = if address.is_ipv4() { (four, 32_u8) } else { (six, 128) };
            let hosts = 1_u32.checked_shl(u32::from(bits.saturating_sub(*prefix))).unwrap_or(MAX_HOSTS);
            *place = place.saturating_add(hosts).min(MAX_HOSTS);
        }
        needs.owners = super::wishes::owners(config, needs);
    }
}

/// Groups of the fullest socket: instances of one interface and channel share theirs.
fn memberships(config: &Config) -> usize {
    type Place = (LinkId, Channel);
    let group_of = |one: &Instance| match one.transport {
        Adverts::Multicast(group) if one.family == Family::Ipv4 => Some(((one.link, one.channel()), group)),
        Adverts::Multicast(_) | Adverts::Unicast { .. } => None,
    };
    let mut groups: Vec<(Place, IpAddr)> = Vec::new();
    for group in config.instances.iter().filter_map(group_of) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let of = |place: Place| groups.iter().filter(|group| group.0 == place).count();
    groups.iter().map(|group| of(group.0)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn needs(text: &str) -> Needs {
        let loaded = load(text, "f");
        assert_eq!(loaded.diagnostics.iter().count(), 0, "{}", loaded.diagnostics);
        count(&loaded.config.unwrap())
    }

    fn service(port: u16, delay: &str, servers: u32, check: &str) -> String {
        let servers = (0..servers)
            .map(|row| format!("real_server 10.0.{}.{} 80 {{\n{check}\n}}\n", row / 200, row % 200 + 1));
        let servers: String = servers.collect();
        format!(
            "virtual_server 192.0.2.1 {port} {{\ndelay_loop {delay}\nlb_kind NAT\nprotocol TCP\n{servers}}}\n"
        )
    }

    const HTTP: &str = "HTTP_GET {\nurl {\npath /\nstatus_code 200\n}\nurl {\npath /b\nstatus_code 200\n}\n}";

    #[test]
    fn a_server_of_many_services_is_one_neighbour_and_every_target_and_peer_is_one() {
        let both = service(80, "6", 300, "TCP_CHECK {\n}") + &service(81, "6", 300, "TCP_CHECK {\n}");
        assert_eq!(needs(&both).neighbours, [300, 0]);
        let elsewhere = service(80, "6", 1, "TCP_CHECK {\nconnect_ip 10.0.9.9\n}");
        assert_eq!(needs(&elsewhere).neighbours, [2, 0]);
        let instance = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nunicast_peer {\n10.0.9.9\n}\n\
                        virtual_ipaddress {\n10.0.9.1\n}\n}\n";
        assert_eq!(needs(&(elsewhere + instance)).neighbours, [2, 0]);
    }

    #[test]
    fn ports_are_held_for_a_minute_where_we_may_close_first_and_counted_for_each_target() {
        // Two urls every 6 seconds, 60 seconds each.
        assert_eq!(needs(&service(80, "6", 9, HTTP)).ports, 21);
        assert_eq!(needs(&service(80, "6", 9, "TCP_CHECK {\n}")).ports, 1);
        let twice = HTTP.replace("/b", "/c");
        assert_eq!(needs(&(service(80, "6", 9, HTTP) + &service(81, "6", 9, &twice))).ports, 42);
    }

    #[test]
    fn connections_of_all_checks_are_tracked_for_two_minutes() {
        assert_eq!(needs(&service(80, "6", 9, HTTP)).tracked, 9 * 41);
        assert_eq!(needs(&service(80, "5", 9, "TCP_CHECK {\n}")).tracked, 9 * 3);
    }

    #[test]
    fn groups_count_once_for_each_interface_and_whoever_lives_in_its_networks_is_counted() {
        let instance = |vrid: u8, link: &str, group: u8| {
            format!(
                "vrrp_instance V{vrid} {{\ninterface {link}\nvirtual_router_id {vrid}\nmcast_dst_ip \
                 224.0.1.{group}\nvirtual_ipaddress {{\n10.0.9.{vrid}\n}}\n}}\n"
            )
        };
        let text = instance(1, "eth0", 1) + &instance(2, "eth0", 1) + &instance(3, "eth0", 2);
        let needs = needs(&(text + &instance(4, "eth1", 3)));
        assert_eq!((needs.memberships, needs.hosts), (2, [0, 0]));
        let of =
            |address: &str| super::tests::needs(&format!("interface eth0 {{ address {address} }}\n")).hosts;
        assert_eq!(of("10.0.0.1/24"), [256, 0]);
        assert_eq!(of("10.0.0.1/8"), [MAX_HOSTS, 0]);
        assert_eq!(of("2001:db8::1/64"), [0, MAX_HOSTS]);
    }
}
