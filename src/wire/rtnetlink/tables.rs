//! What an operator asks the routing socket for (`linux/if_link.h`, `linux/neighbour.h`, `linux/rtnetlink.h`):
//! interfaces with their counters, neighbours, routes.
//!
//! The director needs none of it: these are dumps for people, read with [`parse_row`]. A row borrows from the
//! datagram, so that a route with hundreds of next hops needs no memory.

use core::net::IpAddr;

use super::route::{self, ROUTE_HEADER_LEN, RT_TABLE_MAIN, RTM_GETROUTE, RTM_NEWROUTE, address};
pub use super::route::{NextHop, NextHops, RouteEntry, RouteKind};
use super::{
    ADDRESS_HEADER_LEN, AF_INET, AF_INET6, AF_UNSPEC, AddressEntry, IFLA_INFO_DATA, IFLA_INFO_KIND,
    IFLA_LINK, IFLA_LINKINFO, IFLA_VLAN_ID, LINK_HEADER_LEN, LinkEntry, RTM_GETADDR, RTM_GETLINK,
    RTM_NEWADDR, RTM_NEWLINK, parse_address, parse_link,
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

// linux/rtnetlink.h
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;

const IFF_LOWER_UP: u32 = 1 << 16;
/// `struct rtnl_link_stats64`.
const IFLA_STATS64: u16 = 23;

/// `struct ndmsg`: family, padding, index, state, flags, type.
const NEIGHBOUR_HEADER_LEN: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

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
        (RTM_NEWROUTE, AF_INET | AF_INET6) => Ok(match route::parse(family, payload)? {
            Some(entry) if entry.table == RT_TABLE_MAIN => Row::Route(entry),
            Some(_) | None => Row::Other,
        }),
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

#[cfg(test)]
mod tests;
