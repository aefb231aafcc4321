//! The typed, bounded configuration: what the director works from. Built by `config/build.rs`, never changed after.
//!
//! Every table is a boxed slice indexed by an id of [`super::ids`]; lists are ranges of ids; text is interned in one
//! arena. A value that exists here is valid: ranges are within their tables, names are known, numbers in range.

mod behaviour;
mod global;

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU8;
use std::rc::Rc;

use super::ids::{AddressId, DestinationId, Id, InstanceId, LinkId, ProbeId, Range, RouteId, RuleId};
use super::known::Known;
use super::routing::{Route, Rule};
use crate::check::Checker;
use crate::time::Duration;
use crate::wire::genl_ipvs::{ServiceKey, ServiceSpec};
use crate::wire::link::LinkName;
use crate::wire::nftables::firewall::FirewallRule;
use crate::wire::vrrp::{Channel, Coverage, Family, Version};
pub use global::{Global, SyncDaemon, Timeouts};

pub use behaviour::{LinkRules, Manners, Peer, Ttls};

mod bind;
mod destination;
mod tracked;

pub use bind::{Bind, Via};
pub use destination::{Destination, OnFailure, Policy};
pub use tracked::{Group, PingGroup, TrackTarget, TrackedRoute, Tracker, Variable};

/// A whole configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `global_defs`.
    pub global: Global,
    /// All strings.
    pub texts: Texts,
    /// Every interface that is named anywhere, once.
    pub links: Box<[LinkName]>,
    /// What is configured for interfaces, by their ids; empty if nothing is (see [`Config::link_rules`]).
    pub link_rules: Box<[LinkRules]>,
    /// `vrrp_instance` blocks in order of the file.
    pub instances: Box<[Instance]>,
    /// `vrrp_sync_group` blocks in order of the file.
    pub groups: Box<[Group]>,
    /// Members of groups, contiguous per group (indexed by `Group::members`); an instance is in one group at most.
    pub members: Box<[InstanceId]>,
    /// Virtual addresses, contiguous per instance: first the advertised ones, then the excluded ones. Static ones
    /// behind them.
    pub addresses: Box<[VirtualAddress]>,
    /// Routes, contiguous per instance, static ones behind them.
    pub routes: Box<[Route]>,
    /// Rules, contiguous per instance, static ones behind them.
    pub rules: Box<[Rule]>,
    /// Unicast peers, contiguous per instance (indexed by `Instance::peers`, not by an id).
    pub peers: Box<[Peer]>,
    /// What is tracked, contiguous per instance (indexed by `Instance::trackers`).
    pub trackers: Box<[Tracker]>,
    /// `ping_group` blocks in order of the file.
    pub ping_groups: Box<[PingGroup]>,
    /// Top-level `track_file` blocks in order of the file.
    pub variables: Box<[Variable]>,
    /// Routes that are tracked, each once.
    pub tracked_routes: Box<[TrackedRoute]>,
    /// `virtual_server` blocks in order of the file, and behind them the hidden ones ([`Self::hidden`]).
    pub services: Box<[Service]>,
    /// Destinations, contiguous per service: its real servers, then its sorry servers.
    pub destinations: Box<[Destination]>,
    /// How many services at the end of `services`, each with one destination at the end of `destinations`, nobody
    /// wrote: they lead checks through virtual addresses (`via_vip`) and are not shown.
    pub hidden: u32,
    /// Distinct probes.
    pub probes: Box<[Probe]>,
    /// Which probes a destination needs or a ping group has, contiguous for each (indexed by `Destination::probes` and
    /// `PingGroup::probes`).
    pub probe_uses: Box<[ProbeId]>,
    /// `appliance`: what only PID 1 acts on.
    pub appliance: Appliance,
    /// `interface` blocks in order of the file: what only PID 1 acts on.
    pub interfaces: Box<[Interface]>,
    /// `firewall`, in order of the file.
    pub firewall: Box<[FirewallRule]>,
    /// There is a `real_server_role`: the addresses from this row on are its.
    pub role: Option<u32>,
    /// `tunnel` in it: packets may come through IP-in-IP tunnels.
    pub tunnel: bool,
    /// `SSL`.
    #[cfg(feature = "tls")]
    pub tls: super::tls::Tls,
}

/// `appliance`: the box itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Appliance {
    /// There is such a block.
    pub given: bool,
    /// `hostname`, empty if absent.
    pub hostname: Box<str>,
    /// `console` lines: device below `/dev` and speed in baud.
    pub consoles: Box<[(Box<str>, u32)]>,
    /// `sysctl`: name (`net.ipv4.ip_forward`) and value. No component of a name is empty or `..`.
    pub sysctls: Box<[(Box<str>, Box<str>)]>,
    /// `modules`, to be inserted after the board's own.
    pub modules: Box<[Box<str>]>,
}

/// An `interface` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: LinkName,
    /// Addresses with prefix lengths.
    pub addresses: Box<[(IpAddr, u8)]>,
    /// MTU in bytes; `None` leaves the kernel's.
    pub mtu: Option<u32>,
    /// A VLAN to be made; `None` for a device that exists.
    pub vlan: Option<Vlan>,
}

/// An 802.1Q VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// 1 to 4,094.
    pub id: u16,
    /// The interface that carries it.
    pub parent: LinkName,
}

/// A VRRP instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The name behind `vrrp_instance`.
    pub name: Text,
    /// The interface of the adverts.
    pub link: LinkId,
    /// Virtual router identifier.
    pub vrid: NonZeroU8,
    /// What is spoken.
    pub version: Version,
    /// What it is spoken over; the advertised addresses are of this family.
    pub family: Family,
    /// What the checksum of version 3 over IPv4 covers (`v3_checksum_as_v2`).
    pub coverage: Coverage,
    /// 1 to 255; 255 is the address owner, which starts as MASTER.
    pub priority: u8,
    /// Advertisement interval: whole seconds in VRRP version 2, whole centiseconds up to 40.95 s in version 3.
    pub advert_interval: Duration,
    /// What happens when a router with a lower priority is MASTER.
    pub preemption: Preemption,
    /// RFC 2338 authentication; none in version 3.
    pub authentication: Authentication,
    /// Source address of the adverts; `None` takes the interface's primary or link-local address.
    pub source: Option<IpAddr>,
    /// Where adverts go.
    pub transport: Transport,
    /// Accept only adverts of configured peers (`check_unicast_src`).
    pub source_check: SourceCheck,
    /// All virtual addresses.
    pub addresses: Range<AddressId>,
    /// How many of them, counted from the first, are in the adverts.
    pub advertised: u8,
    /// Routes of the MASTER.
    pub routes: Range<RouteId>,
    /// Rules of the MASTER.
    pub rules: Range<RuleId>,
    /// What is tracked, rows of `Config::trackers`. The instance's own interface is always the first one.
    pub trackers: core::ops::Range<u32>,
    /// Gratuitous ARP.
    pub announce: Announce,
    /// How it behaves beyond the protocol.
    pub manners: Manners,
}

/// `preempt` or `nopreempt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preemption {
    /// A higher priority takes over.
    Preempt,
    /// The active router stays, whatever its priority.
    Stay,
}

/// Authentication of VRRP version 2. PASS travels in clear text: it guards against mistakes, not against attackers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Type 0.
    None,
    /// Type 1: up to eight bytes, padded with zeros.
    Pass([u8; 8]),
    /// Type 2, an authentication header with a key of up to eight bytes, padded with zeros; over IPv4.
    Ah([u8; 8]),
}

impl Authentication {
    /// As it stands in adverts (RFC 2338 section 5.3.6).
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pass(_) => 1,
            Self::Ah(_) => 2,
        }
    }
}

/// The password is not for logs.
impl core::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Pass(_) => "Pass(***)",
            Self::Ah(_) => "Ah(***)",
        })
    }
}

/// Where adverts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To this group, 224.0.0.18 or ff02::12 unless configured.
    Multicast(IpAddr),
    /// One datagram to each peer, rows of `Config::peers`. Without any (`unicast_fault_no_peer`) it stays in FAULT.
    Unicast {
        /// Rows of `Config::peers`.
        peers: core::ops::Range<u32>,
    },
}

/// Whether the sender of a unicast advert must be a configured peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceCheck {
    /// Any sender.
    Any,
    /// Configured peers only.
    Peers,
}

/// When virtual addresses are announced by gratuitous ARP or unsolicited neighbour advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// Rounds of one burst (`garp_master_repeat`, 5).
    pub repeat: u8,
    /// Time to the second burst (`garp_master_delay`, 5 s); zero: no second burst.
    pub delay: Duration,
    /// Period of the refresh as MASTER (`garp_master_refresh`); zero: none.
    pub refresh: Duration,
    /// Rounds of a refresh (`garp_master_refresh_repeat`, 1).
    pub refresh_repeat: u8,
    /// Time to the second burst after an advert of lower priority (`garp_lower_prio_delay`).
    pub lower_delay: Duration,
    /// Rounds of that burst (`garp_lower_prio_repeat`).
    pub lower_repeat: u8,
}

/// A virtual address with what `ip address add` would need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualAddress {
    /// The instance it belongs to; none for a static one.
    pub instance: Option<InstanceId>,
    /// The address.
    pub address: IpAddr,
    /// Prefix length, 0 to 32 or 0 to 128.
    pub prefix: u8,
    /// The interface that carries it.
    pub link: LinkId,
    /// Broadcast address, if one was asked for.
    pub broadcast: Option<Ipv4Addr>,
    /// The other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// Kernel scope: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// Label, empty if none; at most 15 bytes.
    pub label: Text,
    /// `IFA_F_*`; IPv6 without duplicate address detection unless it is asked for.
    pub flags: u32,
    /// Seconds for which it may be chosen as a source; `None`: for ever.
    pub preferred: Option<u32>,
}

/// A virtual service: one service of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Address, port and protocol, or firewall mark.
    pub key: ServiceKey,
    /// Scheduler, persistence, flags.
    pub spec: ServiceSpec,
    /// Real servers, then the sorry servers.
    pub destinations: Range<DestinationId>,
    /// The sorry servers, the last of `destinations`; mostly none.
    pub sorry: Range<DestinationId>,
    /// Weight sum needed for the service to be up.
    pub quorum: u32,
    /// Distance between going up and going down.
    pub hysteresis: u32,
    /// `ha_suspend`: its checks rest while its address is not on this box.
    pub suspend: bool,
}

/// A probe of one target, shared by every destination that asks for the same. It reads as its [`Terms`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Probe {
    /// Where to connect.
    pub address: IpAddr,
    /// Its port; of a checker without ports 0. Together with the address [`Probe::target`].
    pub port: u16,
    /// How: mostly the same for all servers of a service, so that it is there once for all of them.
    pub terms: Rc<Terms>,
}

const _: () = assert!(size_of::<Probe>() <= 32, "4,096 probes are in 128 KiB");

/// How a target is checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Terms {
    /// `delay_loop`: between checks.
    pub interval: Duration,
    /// `connect_timeout`.
    pub timeout: Duration,
    /// `retry`: failed tries that are forgiven on the way from up to down.
    pub retry: u32,
    /// `rise` of a ping group: answers in a row on the way from down to up, at least 1.
    pub rise: u8,
    /// `delay_before_retry`.
    pub retry_delay: Duration,
    /// `warmup`: the first check is spread over this time after start.
    pub warmup: Duration,
    /// What is believed before the first check.
    pub assumption: Assumption,
    /// What the socket is bound to and marked with, if anything.
    pub bind: Option<Rc<Bind>>,
    /// What is checked.
    pub checker: Checker,
}

/// `alpha`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Assumption {
    /// Up, as with keepalived.
    Up,
    /// Down until a check passes.
    Down,
}

/// A string in the arena of [`Texts`]. The default is the empty string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Text {
    start: u32,
    len: u32,
}

impl Text {
    /// True for the empty string.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// All strings of a configuration in one piece of memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Texts(Box<str>);

impl Texts {
    /// Bytes of all strings.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The string; empty for a `Text` of another arena.
    pub fn get(&self, text: Text) -> &str {
        let start = text.start as usize;
        self.0.get(start..start + text.len as usize).unwrap_or("")
    }
}

/// Collects strings, equal ones once, and becomes [`Texts`].
#[derive(Debug, Default)]
pub struct TextsBuilder {
    bytes: String,
    known: Known<Box<str>, Text>,
}

impl TextsBuilder {
    /// The id of `string`.
    pub fn intern(&mut self, string: &str) -> Text {
        if string.is_empty() {
            return Text::default();
        }
        if let Some((_, text)) = self.known.get(string) {
            return *text;
        }
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let text = Text { start: clamp(self.bytes.len()), len: clamp(string.len()) };
        self.bytes.push_str(string);
        self.known.insert(string.into(), text);
        text
    }

    /// The id of `string` if it is known.
    pub fn find(&self, string: &str) -> Option<Text> {
        if string.is_empty() { Some(Text::default()) } else { self.known.get(string).map(|known| known.1) }
    }

    /// The arena.
    pub fn finish(self) -> Texts {
        Texts(self.bytes.into_boxed_str())
    }
}

impl Instance {
    /// The socket of its packets.
    pub const fn channel(&self) -> Channel {
        match (self.family, self.authentication) {
            (Family::Ipv4, Authentication::Ah(_)) => Channel::Ah,
            (Family::Ipv4, _) => Channel::Ipv4,
            (Family::Ipv6, _) => Channel::Ipv6,
        }
    }
}

impl Config {
    /// The instance's unicast peers; empty for multicast.
    pub fn peers_of(&self, instance: &Instance) -> &[Peer] {
        match &instance.transport {
            Transport::Multicast(_) => &[],
            Transport::Unicast { peers } => rows(&self.peers, peers),
        }
    }

    /// What is configured for an interface.
    pub fn link_rules(&self, id: LinkId) -> LinkRules {
        self.link_rules.get(id.index()).copied().unwrap_or(LinkRules::of(id))
    }

    /// What an instance tracks, its own interface first.
    pub fn trackers_of(&self, instance: &Instance) -> &[Tracker] {
        rows(&self.trackers, &instance.trackers)
    }

    /// The addresses in an instance's adverts, in order.
    pub fn advertised(&self, instance: &Instance) -> &[VirtualAddress] {
        let rows = instance.addresses.rows();
        let end = (rows.start + usize::from(instance.advertised)).min(rows.end);
        self.addresses.get(rows.start..end).unwrap_or(&[])
    }

    /// The probes a destination needs.
    pub fn probes_of(&self, destination: &Destination) -> &[ProbeId] {
        rows(&self.probe_uses, &destination.probes)
    }

    /// The instance's name.
    pub fn instance_name(&self, id: InstanceId) -> &str {
        self.instances.get(id.index()).map_or("?", |instance| self.texts.get(instance.name))
    }

    /// The interface's name.
    pub fn link_name(&self, id: LinkId) -> &str {
        self.links.get(id.index()).map_or("?", LinkName::as_str)
    }
}

fn rows<'a, T>(table: &'a [T], range: &core::ops::Range<u32>) -> &'a [T] {
    table.get(range.start as usize..range.end as usize).unwrap_or(&[])
}
