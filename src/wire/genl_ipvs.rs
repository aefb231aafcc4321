//! IPVS over generic netlink (`linux/ip_vs.h`): services, destinations, and what the kernel says of them.
//!
//! The types are here, requests are written in `emit.rs`, answers read in `parse.rs`. The kernel accepts what it should
//! not (a port 0 without persistence, any protocol, a direct route to another port): the configuration is what keeps
//! such things out.

use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU32;

mod daemon;
mod emit;
mod parse;
mod stats;

pub use daemon::{DaemonEntry, DaemonRole, DaemonSpec, SYNC_GROUP, parse_daemon};
pub use stats::{Stats, TimeoutValues, parse_stats, parse_timeouts};

pub use parse::{parse_destination, parse_info, parse_service};

/// The name that generic netlink knows IPVS by.
pub const FAMILY_NAME: &str = "IPVS";

/// Transport protocol of a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// 6
    Tcp,
    /// 17
    Udp,
    /// 132
    Sctp,
}

/// Address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4
    Inet,
    /// IPv6
    Inet6,
}

/// What identifies a service in the kernel's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServiceKey {
    /// A virtual address and port.
    Address {
        /// Protocol.
        protocol: Protocol,
        /// Virtual address.
        address: IpAddr,
        /// Port; 0 for every port of a persistent service.
        port: u16,
    },
    /// A firewall mark.
    Mark {
        /// The mark.
        mark: NonZeroU32,
        /// Family of the packets; the same mark may exist once for each.
        family: Family,
    },
}

/// Schedulers of the kernel, by the name it knows them by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Scheduler(pub(super) [u8; 16]);

/// Everything about a service but its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ServiceSpec {
    /// Scheduler.
    pub scheduler: Scheduler,
    /// `IP_VS_SVC_F_*`: persistent 0x1, one-packet 0x4, scheduler flags 0x8, 0x10, 0x20. Never HASHED (0x2).
    pub flags: u32,
    /// Persistence timeout in seconds; 0 without persistence.
    pub timeout: u32,
    /// Persistence granularity as prefix length: 0 to 32, 0 to 128.
    pub netmask: u8,
    /// Persistence engine; `sip` is the only one the kernel has.
    pub engine: Option<PersistenceEngine>,
}

/// Persistence engines of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PersistenceEngine {
    /// By SIP Call-ID.
    Sip,
    /// One that this program has no name for; read from the kernel, never configured.
    Other,
}

/// How packets reach a destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ForwardingMethod {
    /// NAT.
    Masquerade,
    /// This host.
    Local,
    /// Encapsulated.
    Tunnel(Tunnel),
    /// By the destination's hardware address, the packet unchanged.
    DirectRoute,
    /// Cache bypass.
    Bypass,
}

/// Encapsulation of a tunnel (`IP_VS_CONN_F_TUNNEL_TYPE_*`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Tunnel {
    /// 0 ipip, 1 gue, 2 gre.
    pub kind: u8,
    /// Destination port of gue.
    pub port: u16,
    /// 1 checksum, 2 remote checksum.
    pub flags: u16,
}

/// What identifies a destination within its service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DestinationKey {
    /// Address; under a tunnel it may be of the other family.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// Everything about a destination but its key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DestinationSpec {
    /// How packets get there.
    pub method: ForwardingMethod,
    /// 0 takes no new connections.
    pub weight: u32,
    /// Upper connection threshold, 0 for none.
    pub upper: u32,
    /// Lower connection threshold, 0 for none.
    pub lower: u32,
}

/// A service as the kernel dumps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceEntry {
    /// Key.
    pub key: ServiceKey,
    /// The rest.
    pub spec: ServiceSpec,
}

/// A destination as the kernel dumps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DestinationEntry {
    /// Key.
    pub key: DestinationKey,
    /// The rest.
    pub spec: DestinationSpec,
    /// Active connections.
    pub active: u32,
    /// Inactive connections.
    pub inactive: u32,
    /// Persistence templates.
    pub persistent: u32,
}

/// What the kernel's IPVS says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// Version.
    pub version: Version,
    /// Buckets of the connection table.
    pub table_size: u32,
}

/// A version of IPVS: three bytes of a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, major, minor, patch] = self.0.to_be_bytes();
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// A request to the kernel's IPVS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Version and table size; answered, not only acknowledged.
    GetInfo,
    /// Add a service.
    NewService(ServiceKey, ServiceSpec),
    /// Change a service in place; its connections stay.
    SetService(ServiceKey, ServiceSpec),
    /// Remove a service with its destinations.
    DelService(ServiceKey),
    /// Add a destination.
    NewDestination(ServiceKey, DestinationKey, DestinationSpec),
    /// Change a destination in place.
    SetDestination(ServiceKey, DestinationKey, DestinationSpec),
    /// Remove a destination.
    DelDestination(ServiceKey, DestinationKey),
    /// List all services.
    DumpServices,
    /// List a service's destinations; a missing service gives an empty list, not an error.
    DumpDestinations(ServiceKey),
    /// Set the timeouts that are given, in seconds.
    SetTimeouts {
        /// An established TCP connection.
        tcp: Option<u32>,
        /// TCP after FIN.
        tcp_fin: Option<u32>,
        /// UDP.
        udp: Option<u32>,
    },
    /// Empty the whole table.
    Flush,
    /// Start a sync daemon.
    NewDaemon(DaemonRole, DaemonSpec),
    /// Stop a sync daemon.
    DelDaemon(DaemonRole),
    /// List the sync daemons.
    DumpDaemons,
    /// The timeouts; answered, not only acknowledged.
    GetTimeouts,
    /// Set counters to zero: those of a service and its destinations, or all.
    Zero(Option<ServiceKey>),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// keepalived's notation: `[192.0.2.100]:tcp:80`, `FWM 7`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => write!(f, "[{address}]:{protocol}:{port}"),
            Self::Mark { mark, family: Family::Inet } => write!(f, "FWM {mark}"),
            Self::Mark { mark, family: Family::Inet6 } => write!(f, "FWM {mark} IPv6"),
        }
    }
}

impl Scheduler {
    /// The scheduler of this name, 1 to 15 bytes. Whether the kernel has it only the kernel can tell.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let valid =
            !name.is_empty() && name.len() < bytes.len() && name.bytes().all(|byte| byte.is_ascii_graphic());
        bytes.get_mut(..name.len()).filter(|_| valid)?.copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        let name = self.0.split(|byte| *byte == 0).next().unwrap_or(&[]);
        core::str::from_utf8(name).unwrap_or("?")
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Family {
    /// Of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Inet,
            IpAddr::V6(_) => Self::Inet6,
        }
    }
}

impl ServiceKey {
    /// Of the service's packets.
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Mark { family, .. } => *family,
        }
    }
}

/// Commands and attributes as `linux/ip_vs.h` numbers them.
mod code {
    pub(super) const VERSION: u8 = 1;

    pub(super) const CMD_NEW_SERVICE: u8 = 1;
    pub(super) const CMD_SET_SERVICE: u8 = 2;
    pub(super) const CMD_DEL_SERVICE: u8 = 3;
    pub(super) const CMD_GET_SERVICE: u8 = 4;
    pub(super) const CMD_NEW_DEST: u8 = 5;
    pub(super) const CMD_SET_DEST: u8 = 6;
    pub(super) const CMD_DEL_DEST: u8 = 7;
    pub(super) const CMD_GET_DEST: u8 = 8;
    pub(super) const CMD_NEW_DAEMON: u8 = 9;
    pub(super) const CMD_DEL_DAEMON: u8 = 10;
    pub(super) const CMD_GET_DAEMON: u8 = 11;
    pub(super) const CMD_SET_CONFIG: u8 = 12;
    pub(super) const CMD_GET_CONFIG: u8 = 13;
    pub(super) const CMD_GET_INFO: u8 = 15;
    pub(super) const CMD_ZERO: u8 = 16;
    pub(super) const CMD_FLUSH: u8 = 17;

    pub(super) const ATTR_SERVICE: u16 = 1;
    pub(super) const ATTR_DEST: u16 = 2;
    pub(super) const ATTR_DAEMON: u16 = 3;
    pub(super) const ATTR_TIMEOUT_TCP: u16 = 4;
    pub(super) const ATTR_TIMEOUT_TCP_FIN: u16 = 5;
    pub(super) const ATTR_TIMEOUT_UDP: u16 = 6;

    pub(super) const SVC_AF: u16 = 1;
    pub(super) const SVC_PROTOCOL: u16 = 2;
    pub(super) const SVC_ADDR: u16 = 3;
    pub(super) const SVC_PORT: u16 = 4;
    pub(super) const SVC_FWMARK: u16 = 5;
    pub(super) const SVC_SCHED_NAME: u16 = 6;
    pub(super) const SVC_FLAGS: u16 = 7;
    pub(super) const SVC_TIMEOUT: u16 = 8;
    pub(super) const SVC_NETMASK: u16 = 9;
    pub(super) const SVC_STATS: u16 = 10;
    pub(super) const SVC_PE_NAME: u16 = 11;
    pub(super) const SVC_STATS64: u16 = 12;

    pub(super) const DEST_ADDR: u16 = 1;
    pub(super) const DEST_PORT: u16 = 2;
    pub(super) const DEST_FWD_METHOD: u16 = 3;
    pub(super) const DEST_WEIGHT: u16 = 4;
    pub(super) const DEST_U_THRESH: u16 = 5;
    pub(super) const DEST_L_THRESH: u16 = 6;
    pub(super) const DEST_ACTIVE_CONNS: u16 = 7;
    pub(super) const DEST_INACT_CONNS: u16 = 8;
    pub(super) const DEST_PERSIST_CONNS: u16 = 9;
    pub(super) const DEST_STATS: u16 = 10;
    pub(super) const DEST_ADDR_FAMILY: u16 = 11;
    pub(super) const DEST_STATS64: u16 = 12;
    pub(super) const DEST_TUN_TYPE: u16 = 13;
    pub(super) const DEST_TUN_PORT: u16 = 14;
    pub(super) const DEST_TUN_FLAGS: u16 = 15;

    pub(super) const DAEMON_STATE: u16 = 1;
    pub(super) const DAEMON_LINK: u16 = 2;
    pub(super) const DAEMON_ID: u16 = 3;
    pub(super) const DAEMON_MAXLEN: u16 = 4;
    pub(super) const DAEMON_GROUP: u16 = 5;
    pub(super) const DAEMON_GROUP6: u16 = 6;
    /// In host order, unlike every other port.
    pub(super) const DAEMON_PORT: u16 = 7;
    pub(super) const DAEMON_TTL: u16 = 8;

    /// Connections; nine more numbers follow.
    pub(super) const STATS_FIRST: u16 = 1;

    pub(super) const INFO_VERSION: u16 = 1;
    pub(super) const INFO_CONN_TAB_SIZE: u16 = 2;

    pub(super) const AF_INET: u16 = 2;
    pub(super) const AF_INET6: u16 = 10;
    pub(super) const IPPROTO_TCP: u16 = 6;
    pub(super) const IPPROTO_UDP: u16 = 17;
    pub(super) const IPPROTO_SCTP: u16 = 132;

    /// `IP_VS_SVC_F_HASHED`: the kernel's own mark on every service.
    pub(super) const F_HASHED: u32 = 0x2;
    /// Of the method's number: the rest are flags of connections.
    pub(super) const FWD_MASK: u32 = 0x7;
    pub(super) const FWD_MASQ: u32 = 0;
    pub(super) const FWD_LOCALNODE: u32 = 1;
    pub(super) const FWD_TUNNEL: u32 = 2;
    pub(super) const FWD_DROUTE: u32 = 3;
    pub(super) const FWD_BYPASS: u32 = 4;
}

#[cfg(test)]
mod tests;
