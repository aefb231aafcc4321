//! rtnetlink (`linux/rtnetlink.h`): interfaces and addresses. Routes and rules have files of their own, and what only
//! people ask for is in [`tables`].

pub mod route;
pub mod rule;
pub mod tables;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use self::route::RouteEntry;
use self::rule::RuleSpec;
use super::bytes::array;
use super::link::{LinkIndex, LinkName, MacAddress};
use super::netlink::{
    Attributes, Full, Malformed, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, Writer,
};

/// An interface as the kernel describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEntry {
    /// Index.
    pub index: LinkIndex,
    /// Name.
    pub name: LinkName,
    /// Administratively up (`IFF_UP`).
    pub admin_up: bool,
    /// Frames can be sent and received: `IFF_RUNNING`, or a carrier of which the kernel has not taken notice yet.
    pub running: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// Hardware address; zero for a device without one.
    pub mac: MacAddress,
    /// MTU in bytes.
    pub mtu: u32,
}

/// An address on an interface as the kernel describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressEntry {
    /// The interface.
    pub link: LinkIndex,
    /// The local address (`IFA_LOCAL` where there is one, else `IFA_ADDRESS`).
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// `IFA_F_SECONDARY`: not the first address of its IPv4 subnet (for IPv6: temporary).
    pub secondary: bool,
}

/// An address to add or remove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressSpec {
    /// The interface.
    pub link: LinkIndex,
    /// The local address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// `IFA_LABEL`, IPv4 only.
    pub label: Option<LabelName>,
    /// `IFA_F_*`.
    pub flags: u32,
    /// Seconds for which it may be chosen as a source; `None`: for ever.
    pub preferred: Option<u32>,
}

impl AddressSpec {
    /// As addresses that move between routers are added. IPv6 without duplicate address detection: the address moves in
    /// less time than that takes, and the router that loses it may still answer for it while it does. A single IPv6
    /// address is never chosen as a source.
    pub const fn new(link: LinkIndex, address: IpAddr, prefix: u8) -> Self {
        let (flags, preferred) = match address {
            IpAddr::V4(_) => (0, None),
            IpAddr::V6(_) if prefix == 128 => (IFA_F_NODAD, Some(0)),
            IpAddr::V6(_) => (IFA_F_NODAD, None),
        };
        let (broadcast, peer, label) = (None, None, None);
        Self { link, address, prefix, scope: 0, broadcast, peer, label, flags, preferred }
    }
}

/// An address label: 1 to 15 bytes. By the kernel's custom it starts with the interface's name, and may hold a colon.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LabelName {
    pub(super) bytes: [u8; 15],
    pub(super) len: u8,
}

/// A request to the routing socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// List interfaces.
    DumpLinks,
    /// List addresses of both families.
    DumpAddresses,
    /// List routes of all families and tables.
    DumpRoutes,
    /// List rules of all families.
    DumpRules,
    /// Add an address.
    AddAddress(AddressSpec),
    /// Remove an address.
    RemoveAddress(AddressSpec),
    /// Set an interface administratively up.
    SetLinkUp(LinkIndex),
    /// Set an interface's MTU in bytes.
    SetLinkMtu(LinkIndex, u32),
    /// Make an 802.1Q VLAN.
    AddVlan {
        /// Its name.
        name: LinkName,
        /// 1 to 4,094.
        id: u16,
        /// The interface that carries it.
        parent: LinkIndex,
    },
}

/// What a routing socket says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// `RTM_NEWLINK`.
    NewLink(LinkEntry),
    /// `RTM_DELLINK`.
    DelLink(LinkEntry),
    /// `RTM_NEWADDR`.
    NewAddress(AddressEntry),
    /// `RTM_DELADDR`.
    DelAddress(AddressEntry),
    /// `RTM_NEWROUTE`.
    NewRoute(RouteEntry<'a>),
    /// `RTM_DELROUTE`.
    DelRoute(RouteEntry<'a>),
    /// `RTM_NEWRULE`.
    NewRule(RuleSpec),
    /// `RTM_DELRULE`.
    DelRule(RuleSpec),
    /// Something this program does not follow.
    Other,
}

impl LabelName {
    /// The label, if the kernel could hold it.
    pub fn new(label: &str) -> Option<Self> {
        let valid = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic());
        let mut bytes = [0; 15];
        bytes.get_mut(..label.len()).filter(|_| valid)?.copy_from_slice(label.as_bytes());
        Some(Self { bytes, len: u8::try_from(label.len()).ok()? })
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|label| core::str::from_utf8(label).ok())
            .unwrap_or("")
    }
}

impl fmt::Display for LabelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

// linux/if.h and linux/if_link.h
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;
const IFF_LOWER_UP: u32 = 0x1_0000;
const IFLA_OPERSTATE: u16 = 16;
/// `IF_OPER_DOWN` (RFC 2863): not dormant, not being tested, not waiting for a lower layer.
const OPER_DOWN: u8 = 2;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_EXT_MASK: u16 = 29;
/// Without it an interface takes 1.1 KB of a dump, most of it counters.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
/// `struct ifinfomsg`: family, padding, type, index, flags, change mask.
const LINK_HEADER_LEN: usize = 16;

// linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_F_SECONDARY: u32 = 0x01;
/// `IFA_F_NODAD`: no duplicate address detection.
pub const IFA_F_NODAD: u32 = 0x02;
/// `IFA_F_HOMEADDRESS` (RFC 6275).
pub const IFA_F_HOMEADDRESS: u32 = 0x10;
/// `IFA_F_NOPREFIXROUTE`: no route to its subnet comes with it.
pub const IFA_F_NOPREFIXROUTE: u32 = 0x200;
/// `IFA_F_MCAUTOJOIN`: joins a multicast group.
pub const IFA_F_MCAUTOJOIN: u32 = 0x400;
/// `struct ifaddrmsg`: family, prefix length, flags, scope, index.
const ADDRESS_HEADER_LEN: usize = 8;

impl Request {
    /// Appends the request as one message. A dump is answered by messages and an end, the others by an
    /// acknowledgement with the same sequence number.
    pub fn emit(&self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        match self {
            Self::DumpLinks => {
                writer.begin(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, seq);
                writer.raw(&[0; LINK_HEADER_LEN]);
                writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
            }
            Self::DumpAddresses => {
                writer.begin(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, seq);
                writer.raw(&[0; ADDRESS_HEADER_LEN]);
            }
            Self::DumpRoutes => {
                writer.begin(route::RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, seq);
                writer.raw(&[0; route::ROUTE_HEADER_LEN]);
            }
            Self::DumpRules => {
                writer.begin(rule::RTM_GETRULE, NLM_F_REQUEST | NLM_F_DUMP, seq);
                writer.raw(&[0; rule::RULE_HEADER_LEN]);
            }
            Self::AddAddress(spec) => {
                writer.begin(RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, seq);
                emit_identity(spec, writer);
                emit_details(spec, writer);
            }
            Self::RemoveAddress(spec) => {
                writer.begin(RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK, seq);
                emit_identity(spec, writer);
            }
            Self::SetLinkUp(link) => {
                writer.begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, seq);
                emit_link_header(*link, IFF_UP, writer);
            }
            Self::SetLinkMtu(link, mtu) => {
                writer.begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, seq);
                emit_link_header(*link, 0, writer);
                writer.u32(IFLA_MTU, *mtu);
            }
            Self::AddVlan { name, id, parent } => {
                writer.begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, seq);
                emit_link_header(LinkIndex(0), 0, writer);
                writer.str(IFLA_IFNAME, name.as_str());
                writer.u32(IFLA_LINK, parent.0);
                writer.nested(IFLA_LINKINFO, |writer| {
                    writer.str(IFLA_INFO_KIND, "vlan");
                    writer.nested(IFLA_INFO_DATA, |writer| writer.u16(IFLA_VLAN_ID, *id));
                });
            }
        }
        writer.finish()
    }
}

/// `struct ifinfomsg`; `flags` are set, all others stay as they are.
fn emit_link_header(link: LinkIndex, flags: u32, writer: &mut Writer<'_>) {
    writer.raw(&[0; 4]);
    writer.raw(&link.0.to_ne_bytes());
    writer.raw(&flags.to_ne_bytes());
    writer.raw(&flags.to_ne_bytes());
}

/// What the kernel finds an address by.
fn emit_identity(spec: &AddressSpec, writer: &mut Writer<'_>) {
    let family = if spec.address.is_ipv4() { AF_INET } else { AF_INET6 };
    let [i0, i1, i2, i3] = spec.link.0.to_ne_bytes();
    writer.raw(&[family, spec.prefix, 0, spec.scope, i0, i1, i2, i3]);
    emit_address(IFA_LOCAL, spec.address, writer);
    // A peer of the other family has no meaning: the address is then its own, as without one.
    let peer = spec.peer.filter(|peer| peer.is_ipv4() == spec.address.is_ipv4());
    emit_address(IFA_ADDRESS, peer.unwrap_or(spec.address), writer);
}

fn emit_details(spec: &AddressSpec, writer: &mut Writer<'_>) {
    if spec.address.is_ipv4() {
        if let Some(broadcast) = spec.broadcast {
            writer.bytes(IFA_BROADCAST, &broadcast.octets());
        }
        if let Some(label) = spec.label {
            writer.str(IFA_LABEL, label.as_str());
        }
    }
    if spec.flags != 0 {
        writer.u32(IFA_FLAGS, spec.flags);
    }
    if let Some(preferred) = spec.preferred {
        // `struct ifa_cacheinfo`: valid for ever; two stamps that are the kernel's.
        let [p0, p1, p2, p3] = preferred.to_ne_bytes();
        writer.bytes(IFA_CACHEINFO, &[p0, p1, p2, p3, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}

fn emit_address(kind: u16, address: IpAddr, writer: &mut Writer<'_>) {
    match address {
        IpAddr::V4(address) => writer.bytes(kind, &address.octets()),
        IpAddr::V6(address) => writer.bytes(kind, &address.octets()),
    }
}

/// Reads the payload of a message by its type.
pub fn parse(kind: u16, payload: &[u8]) -> Result<Message<'_>, Malformed> {
    let family = *payload.first().ok_or(Malformed::Truncated)?;
    match (kind, family) {
        // Bridge ports are described under the same types, as AF_BRIDGE: a port that leaves its bridge is no
        // interface that is gone.
        (RTM_NEWLINK, AF_UNSPEC) => parse_link(payload).map(Message::NewLink),
        (RTM_DELLINK, AF_UNSPEC) => parse_link(payload).map(Message::DelLink),
        (RTM_NEWADDR, AF_INET | AF_INET6) => parse_address(family, payload).map(Message::NewAddress),
        (RTM_DELADDR, AF_INET | AF_INET6) => parse_address(family, payload).map(Message::DelAddress),
        (route::RTM_NEWROUTE, AF_INET | AF_INET6) => {
            Ok(route::parse(family, payload)?.map_or(Message::Other, Message::NewRoute))
        }
        (route::RTM_DELROUTE, AF_INET | AF_INET6) => {
            Ok(route::parse(family, payload)?.map_or(Message::Other, Message::DelRoute))
        }
        (rule::RTM_NEWRULE, AF_INET | AF_INET6) => rule::parse(family, payload).map(Message::NewRule),
        (rule::RTM_DELRULE, AF_INET | AF_INET6) => rule::parse(family, payload).map(Message::DelRule),
        _ => Ok(Message::Other),
    }
}

fn parse_link(payload: &[u8]) -> Result<LinkEntry, Malformed> {
    let (header, rest) = payload.split_first_chunk::<LINK_HEADER_LEN>().ok_or(Malformed::Truncated)?;
    let [_, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..] = *header;
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let attributes = Attributes::new(rest);
    // `IFF_RUNNING` follows a carrier that is there before the interface is set up only within a second, because the
    // kernel collects such news (net/core/link_watch.c); its queue sends from the start (net/sched/sch_generic.c).
    let unnoticed = flags & IFF_LOWER_UP != 0 && attributes.u8(IFLA_OPERSTATE) == Some(OPER_DOWN);
    // The hardware address of a tunnel is its IP address: only six bytes are Ethernet's.
    let mac = attributes.bytes(IFLA_ADDRESS).and_then(|mac| mac.try_into().ok()).unwrap_or_default();
    Ok(LinkEntry {
        index: LinkIndex(u32::from_ne_bytes([i0, i1, i2, i3])),
        name: attributes.str(IFLA_IFNAME).and_then(LinkName::new).ok_or(Malformed::Missing)?,
        admin_up: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0 || unnoticed,
        loopback: flags & IFF_LOOPBACK != 0,
        mac: MacAddress(mac),
        mtu: attributes.u32(IFLA_MTU).unwrap_or(0),
    })
}

fn parse_address(family: u8, payload: &[u8]) -> Result<AddressEntry, Malformed> {
    let (header, rest) = payload.split_first_chunk::<ADDRESS_HEADER_LEN>().ok_or(Malformed::Truncated)?;
    let [_, prefix, flags, scope, i0, i1, i2, i3] = *header;
    let attributes = Attributes::new(rest);
    let address = attributes.bytes(IFA_LOCAL).or_else(|| attributes.bytes(IFA_ADDRESS));
    let address = address.and_then(|bytes| ip_address(family, bytes)).ok_or(Malformed::Missing)?;
    let flags = attributes.u32(IFA_FLAGS).unwrap_or(u32::from(flags));
    Ok(AddressEntry {
        link: LinkIndex(u32::from_ne_bytes([i0, i1, i2, i3])),
        address,
        prefix,
        scope,
        secondary: flags & IFA_F_SECONDARY != 0,
    })
}

// Many callers: inlined it would be half of them.
#[inline(never)]
fn ip_address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => array::<4>(bytes, 0).map(IpAddr::from),
        _ => array::<16>(bytes, 0).map(IpAddr::from),
    }
}

#[cfg(test)]
mod tests;
