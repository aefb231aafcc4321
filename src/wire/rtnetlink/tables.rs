//! What an operator asks the routing socket for (`linux/if_link.h`, `linux/neighbour.h`, `linux/rtnetlink.h`):
//! interfaces with their counters, neighbours, routes.
//!
//! The director needs none of it: these are dumps for people, read with [`parse_row`]. A row borrows from the
//! datagram, so that a route with hundreds of next hops needs no memory.

use core::net::IpAddr;

use super::{
    ADDRESS_HEADER_LEN, AF_INET, AF_INET6, AF_UNSPEC, AddressEntry, IFLA_INFO_DATA, IFLA_INFO_KIND,
    IFLA_LINK, IFLA_LINKINFO, IFLA_VLAN_ID, LINK_HEADER_LEN, LinkEntry, RTM_GETADDR, RTM_GETLINK,
    RTM_NEWADDR, RTM_NEWLINK, ip_address, parse_address, parse_link,
};
use crate::wire::bytes::array;
use crate::wire::link::{LinkIndex, MacAddress};
use crate::wire::netlink::{Attributes, Full, Malformed, NLM_F_DUMP, NLM_F_REQUEST, Writer};

/// A table of the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// Interfaces with counters: 1.3 KB each.
    Interfaces,
    /// Addresses of both families.
    Addresses,
    /// Neighbours of both families.
    Neighbours,
    /// IPv4 routes of all routing tables.
    Routes4,
    /// IPv6 routes of all routing tables.
    Routes6,
}

/// A row of one.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// `RTM_NEWLINK`.
    Interface(InterfaceEntry),
    /// `RTM_NEWADDR`.
    Address(AddressEntry),
    /// `RTM_NEWNEIGH`.
    Neighbour(NeighbourEntry),
    /// `RTM_NEWROUTE`, of the main table and no cache entry.
    Route(RouteEntry<'a>),
    /// Something else.
    Other,
}

/// An interface with what an operator wants to know of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceEntry {
    /// Name, state, MAC, MTU.
    pub link: LinkEntry,
    /// There is a carrier (`IFF_LOWER_UP`); never, while it is administratively down.
    pub carrier: bool,
    /// 802.1Q tag and the interface that carries it.
    pub vlan: Option<(u16, LinkIndex)>,
    /// Received.
    pub received: Counters,
    /// Sent.
    pub sent: Counters,
}

/// Counters of one direction since the interface is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes, link headers included.
    pub bytes: u64,
    /// Bad packets.
    pub errors: u64,
    /// Packets that nobody had room for or wanted.
    pub dropped: u64,
}

/// A neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighbourEntry {
    /// The interface behind which it is.
    pub link: LinkIndex,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address, if it is known and Ethernet's.
    pub mac: Option<MacAddress>,
    /// What the kernel thinks of that.
    pub state: NeighbourState,
}

/// `NUD_*`, RFC 4861 section 7.3.2 and the kernel's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeighbourState {
    /// Asked for, no answer yet.
    Incomplete,
    /// Answered lately.
    Reachable,
    /// Not used lately.
    Stale,
    /// Used again, to be asked soon.
    Delay,
    /// Being asked.
    Probe,
    /// Did not answer.
    Failed,
    /// Needs no resolution: multicast, loopback.
    NoArp,
    /// Set by somebody.
    Permanent,
    /// None of these: just made.
    None,
}

/// A route of the main table.
#[derive(Clone, Copy, Debug)]
pub struct RouteEntry<'a> {
    /// Where it leads: network and prefix length; `0.0.0.0/0` or `::/0` is the default route.
    pub destination: (IpAddr, u8),
    /// What it does.
    pub kind: RouteKind,
    /// The router, which for an IPv4 route may have an IPv6 address (`RTA_VIA`).
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub link: Option<LinkIndex>,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Priority; the lowest is used.
    pub metric: u32,
    /// `RTPROT_*`: who made it.
    pub protocol: u8,
    /// The interface has no carrier, or the next hop is dead.
    pub unusable: bool,
    hops: &'a [u8],
}

/// `RTN_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteKind {
    /// To a router or an interface.
    Unicast,
    /// Dropped in silence.
    Blackhole,
    /// Refused: host unreachable.
    Unreachable,
    /// Refused: administratively prohibited.
    Prohibit,
    /// The next rule decides.
    Throw,
    /// Any other: `local`, `multicast` and the like belong into other tables.
    Other(u8),
}

/// One of several next hops (`struct rtnexthop`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NextHop {
    /// The router, if it is one.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub link: LinkIndex,
    /// Share of the traffic, 1 to 256.
    pub weight: u16,
    /// As for a route.
    pub unusable: bool,
}

// linux/rtnetlink.h
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;

const IFF_LOWER_UP: u32 = 1 << 16;
/// `struct rtnl_link_stats64`.
const IFLA_STATS64: u16 = 23;

/// `struct ndmsg`: family, padding, index, state, flags, type.
const NEIGHBOUR_HEADER_LEN: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

/// `struct rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type, flags.
const ROUTE_HEADER_LEN: usize = 12;
const RT_TABLE_MAIN: u32 = 254;
/// An exception, learnt from ICMP. A dump of IPv6 has them unless it is a strict one.
const RTM_F_CLONED: u32 = 0x200;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
/// `RTNH_F_DEAD | RTNH_F_LINKDOWN`, in `rtm_flags` and `rtnh_flags`.
const UNUSABLE: u8 = 1 | 16;
/// `struct rtnexthop`: length, flags, weight less one, index.
const HOP_HEADER_LEN: usize = 8;

impl Table {
    /// Appends the request for all of it as one message.
    pub fn emit(self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        let (kind, length) = match self {
            Self::Interfaces => (RTM_GETLINK, LINK_HEADER_LEN),
            Self::Addresses => (RTM_GETADDR, ADDRESS_HEADER_LEN),
            Self::Neighbours => (RTM_GETNEIGH, NEIGHBOUR_HEADER_LEN),
            Self::Routes4 | Self::Routes6 => (RTM_GETROUTE, ROUTE_HEADER_LEN),
        };
        let family = match self {
            Self::Interfaces | Self::Addresses | Self::Neighbours => AF_UNSPEC,
            Self::Routes4 => AF_INET,
            Self::Routes6 => AF_INET6,
        };
        writer.begin(kind, NLM_F_REQUEST | NLM_F_DUMP, seq);
        writer.raw(&[family, 0, 0, 0]);
        writer.raw([0; LINK_HEADER_LEN].get(4..length).unwrap_or(&[]));
        writer.finish()
    }
}

/// Reads the payload of a message by its type. [`Row::Other`] for what is not to be shown: other routing tables,
/// cached routes, forwarding entries of bridges.
pub fn parse_row(kind: u16, payload: &[u8]) -> Result<Row<'_>, Malformed> {
    let family = *payload.first().ok_or(Malformed::Truncated)?;
    match (kind, family) {
        (RTM_NEWLINK, AF_UNSPEC) => parse_interface(payload),
        (RTM_NEWADDR, AF_INET | AF_INET6) => parse_address(family, payload).map(Row::Address),
        (RTM_NEWNEIGH, AF_INET | AF_INET6) => parse_neighbour(payload),
        (RTM_NEWROUTE, AF_INET | AF_INET6) => parse_route(family, payload),
        _ => Ok(Row::Other),
    }
}

// Rows are large: each of the three readers writes its own into the caller's place, and inlined would copy it there.
#[inline(never)]
fn parse_interface(payload: &[u8]) -> Result<Row<'_>, Malformed> {
    let link = parse_link(payload)?;
    let flags = array(payload, 8).map_or(0, u32::from_ne_bytes);
    let attributes = Attributes::new(payload.get(LINK_HEADER_LEN..).unwrap_or(&[]));
    let counters = attributes.bytes(IFLA_STATS64).unwrap_or(&[]);
    let counter = |row: usize| array(counters, 8 * row).map_or(0, u64::from_ne_bytes);
    let info = attributes.nest(IFLA_LINKINFO).filter(|info| info.str(IFLA_INFO_KIND) == Some("vlan"));
    let vlan = info.and_then(|info| info.nest(IFLA_INFO_DATA)?.u16(IFLA_VLAN_ID));
    // rx_packets, tx_packets, rx_bytes, tx_bytes and so on: the directions alternate.
    let direction = |first| Counters {
        packets: counter(first),
        bytes: counter(first + 2),
        errors: counter(first + 4),
        dropped: counter(first + 6),
    };
    Ok(Row::Interface(InterfaceEntry {
        link,
        carrier: flags & IFF_LOWER_UP != 0,
        vlan: vlan.zip(attributes.u32(IFLA_LINK).map(LinkIndex)),
        received: direction(0),
        sent: direction(1),
    }))
}

#[inline(never)]
fn parse_neighbour(payload: &[u8]) -> Result<Row<'_>, Malformed> {
    let (header, rest) = payload.split_first_chunk::<NEIGHBOUR_HEADER_LEN>().ok_or(Malformed::Truncated)?;
    let [_, _, _, _, i0, i1, i2, i3, s0, s1, ..] = *header;
    let attributes = Attributes::new(rest);
    let destination = address(attributes, NDA_DST);
    let mac = attributes.bytes(NDA_LLADDR).and_then(|mac| mac.try_into().ok());
    Ok(Row::Neighbour(NeighbourEntry {
        link: LinkIndex(u32::from_ne_bytes([i0, i1, i2, i3])),
        address: destination.ok_or(Malformed::Missing)?,
        mac: mac.map(MacAddress),
        state: match u16::from_ne_bytes([s0, s1]) {
            0x01 => NeighbourState::Incomplete,
            0x02 => NeighbourState::Reachable,
            0x04 => NeighbourState::Stale,
            0x08 => NeighbourState::Delay,
            0x10 => NeighbourState::Probe,
            0x20 => NeighbourState::Failed,
            0x40 => NeighbourState::NoArp,
            0x80 => NeighbourState::Permanent,
            _ => NeighbourState::None,
        },
    }))
}

#[inline(never)]
fn parse_route(family: u8, payload: &[u8]) -> Result<Row<'_>, Malformed> {
    let (header, rest) = payload.split_first_chunk::<ROUTE_HEADER_LEN>().ok_or(Malformed::Truncated)?;
    let [_, prefix, _, _, table, protocol, _, kind, f0, f1, f2, f3] = *header;
    let attributes = Attributes::new(rest);
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let table = attributes.u32(RTA_TABLE).unwrap_or(u32::from(table));
    if table != RT_TABLE_MAIN || flags & RTM_F_CLONED != 0 {
        return Ok(Row::Other);
    }
    let network = address(attributes, RTA_DST).or_else(|| ip_address(family, &[0; 16]));
    Ok(Row::Route(RouteEntry {
        destination: (network.ok_or(Malformed::Missing)?, prefix),
        kind: match kind {
            1 => RouteKind::Unicast,
            6 => RouteKind::Blackhole,
            7 => RouteKind::Unreachable,
            8 => RouteKind::Prohibit,
            9 => RouteKind::Throw,
            other => RouteKind::Other(other),
        },
        gateway: gateway(attributes),
        link: attributes.u32(RTA_OIF).map(LinkIndex),
        source: address(attributes, RTA_PREFSRC),
        metric: attributes.u32(RTA_PRIORITY).unwrap_or(0),
        protocol,
        unusable: flags & u32::from(UNUSABLE) != 0,
        hops: attributes.bytes(RTA_MULTIPATH).unwrap_or(&[]),
    }))
}

/// An address of either family: its length tells.
#[inline(never)]
fn address(attributes: Attributes<'_>, kind: u16) -> Option<IpAddr> {
    let bytes = attributes.bytes(kind)?;
    // `RTA_VIA` has its family in two bytes before the address.
    let bytes = if kind == RTA_VIA { bytes.get(2..)? } else { bytes };
    ip_address(if bytes.len() == 4 { AF_INET } else { AF_INET6 }, bytes)
}

fn gateway(attributes: Attributes<'_>) -> Option<IpAddr> {
    address(attributes, RTA_GATEWAY).or_else(|| address(attributes, RTA_VIA))
}

impl<'a> RouteEntry<'a> {
    /// The next hops of a route that has several, none for any other. It ends where a length does not fit.
    pub const fn next_hops(&self) -> NextHops<'a> {
        NextHops { rest: self.hops }
    }
}

/// See [`RouteEntry::next_hops`].
#[derive(Clone, Copy, Debug)]
pub struct NextHops<'a> {
    rest: &'a [u8],
}

impl Iterator for NextHops<'_> {
    type Item = NextHop;

    #[inline(never)]
    fn next(&mut self) -> Option<NextHop> {
        let [l0, l1, flags, weight, i0, i1, i2, i3]: [u8; HOP_HEADER_LEN] = array(self.rest, 0)?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let hop = self.rest.get(HOP_HEADER_LEN..length)?;
        self.rest = self.rest.get(length.saturating_add(3) & !3..).unwrap_or(&[]);
        Some(NextHop {
            gateway: gateway(Attributes::new(hop)),
            link: LinkIndex(u32::from_ne_bytes([i0, i1, i2, i3])),
            weight: u16::from(weight) + 1,
            unusable: flags & UNUSABLE != 0,
        })
    }
}

#[cfg(test)]
mod tests;
