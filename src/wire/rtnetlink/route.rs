//! Routes (`linux/rtnetlink.h`, `struct rtmsg`): one request to add, replace or remove, and what a dump or a
//! notification says.
//!
//! The kernel tells routes of a table apart by destination, source (IPv6), TOS and metric ([`RouteEntry::is_place`]);
//! everything else is where a route leads. An entry borrows from the datagram, so that a route with hundreds of next
//! hops needs no memory.

use core::net::IpAddr;

use super::{AF_INET, AF_INET6, ip_address};
use crate::limits::MAX_NEXT_HOPS;
use crate::wire::bytes::array;
use crate::wire::link::LinkIndex;
use crate::wire::netlink::{
    Attributes, Full, Malformed, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, Writer,
};

/// A network: address and prefix length.
pub type Network = (IpAddr, u8);

/// A route as the kernel describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteEntry<'a> {
    /// The routing table, 254 is the main one.
    pub table: u32,
    /// Where it leads: network and prefix length; `0.0.0.0/0` or `::/0` is the default route.
    pub destination: Network,
    /// For packets from here only (IPv6).
    pub from: Option<Network>,
    /// For packets with this type of service only, 0 for all.
    pub tos: u8,
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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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
    /// The router is behind the interface whatever its addresses say (`RTNH_F_ONLINK`).
    pub onlink: bool,
}

/// What to do with a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteChange {
    /// Add it; an error if its place is taken.
    Add,
    /// Add it, or put it in the place of the one that is there.
    Replace,
    /// Remove it.
    Remove,
}

/// A route to add or remove.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteSpec {
    /// The routing table.
    pub table: u32,
    /// Where it leads; says of which family it is.
    pub destination: Network,
    /// For packets from here only (IPv6).
    pub from: Option<Network>,
    /// For packets with this type of service only, 0 for all.
    pub tos: u8,
    /// What it does.
    pub kind: RouteKind,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// The interface; index 0 for none.
    pub link: LinkIndex,
    /// The router is behind the interface whatever its addresses say.
    pub onlink: bool,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Priority; 0 is 1,024 for IPv6.
    pub metric: u32,
    /// `RTPROT_*`.
    pub protocol: u8,
    /// `RT_SCOPE_*` (IPv4).
    pub scope: u8,
}

/// What a route says of the connections that use it, and how one router is preferred to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RouteDetails<'a> {
    /// `RTAX_*` and value.
    pub metrics: &'a [(u16, u32)],
    /// Bit mask of the metrics that the kernel must not change (`RTAX_LOCK`).
    pub locked: u32,
    /// Congestion control, empty for the default.
    pub congestion: &'a str,
    /// RFC 4191 preference: 0 medium, 1 high, 3 low.
    pub preference: Option<u8>,
}

/// Next hops of one route.
pub type Hops = heapless::Vec<NextHop, MAX_NEXT_HOPS>;

/// One request about a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteRequest<'a> {
    /// What.
    pub change: RouteChange,
    /// The route.
    pub spec: RouteSpec,
    /// More of it.
    pub details: RouteDetails<'a>,
    /// Instead of one router and interface.
    pub hops: Hops,
}

/// The main routing table.
pub const RT_TABLE_MAIN: u32 = 254;
/// `IP6_RT_PRIO_USER`: metric of an IPv6 route that names none.
pub const IPV6_METRIC: u32 = 1_024;

/// `RTAX_MTU`, the only metric that may be locked by word.
pub const RTAX_MTU: u16 = 2;
/// `RTAX_HOPLIMIT`.
pub const RTAX_HOPLIMIT: u16 = 10;

pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_GETROUTE: u16 = 26;
/// `struct rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type, flags.
pub(super) const ROUTE_HEADER_LEN: usize = 12;
/// An exception, learnt from ICMP. A dump of IPv6 has them unless it is a strict one.
const RTM_F_CLONED: u32 = 0x200;
const RT_SCOPE_NOWHERE: u8 = 255;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTAX_LOCK: u16 = 1;
const RTAX_CC_ALGO: u16 = 16;
/// In `rtm_flags` and `rtnh_flags`.
const RTNH_F_ONLINK: u8 = 4;
/// `RTNH_F_DEAD | RTNH_F_LINKDOWN`, in `rtm_flags` and `rtnh_flags`.
const UNUSABLE: u8 = 1 | 16;
/// `struct rtnexthop`: length, flags, weight less one, index.
const HOP_HEADER_LEN: usize = 8;

impl RouteKind {
    /// `RTN_*`.
    pub const fn number(self) -> u8 {
        match self {
            Self::Unicast => 1,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
            Self::Prohibit => 8,
            Self::Throw => 9,
            Self::Other(number) => number,
        }
    }

    /// The kind of a number.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Unicast,
            6 => Self::Blackhole,
            7 => Self::Unreachable,
            8 => Self::Prohibit,
            9 => Self::Throw,
            other => Self::Other(other),
        }
    }
}

impl RouteRequest<'_> {
    /// Appends the request as one message; it is answered by an acknowledgement.
    pub fn emit(&self, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
        let (kind, flags) = match self.change {
            RouteChange::Add => (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL),
            RouteChange::Replace => (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE),
            RouteChange::Remove => (RTM_DELROUTE, 0),
        };
        writer.begin(kind, NLM_F_REQUEST | NLM_F_ACK | flags, seq);
        let spec = &self.spec;
        let family = if spec.destination.0.is_ipv4() { AF_INET } else { AF_INET6 };
        // Which scope it has does not tell a route from others: any is removed.
        let scope = if self.change == RouteChange::Remove { RT_SCOPE_NOWHERE } else { spec.scope };
        let from = spec.from.map_or(0, |(_, prefix)| prefix);
        writer.raw(&[
            family,
            spec.destination.1,
            from,
            spec.tos,
            0,
            spec.protocol,
            scope,
            spec.kind.number(),
        ]);
        writer.raw(&u32::from(if spec.onlink { RTNH_F_ONLINK } else { 0 }).to_ne_bytes());
        writer.u32(RTA_TABLE, spec.table);
        emit_ip(RTA_DST, Some(spec.destination.0), writer);
        emit_ip(RTA_SRC, spec.from.map(|(address, _)| address), writer);
        if spec.metric != 0 {
            writer.u32(RTA_PRIORITY, spec.metric);
        }
        emit_gateway(spec.gateway, family, writer);
        if spec.link != LinkIndex(0) {
            writer.u32(RTA_OIF, spec.link.0);
        }
        emit_ip(RTA_PREFSRC, spec.source, writer);
        if self.change != RouteChange::Remove {
            self.emit_details(family, writer);
        }
        writer.finish()
    }

    fn emit_details(&self, family: u8, writer: &mut Writer<'_>) {
        let RouteDetails { metrics, locked, congestion, preference } = self.details;
        if !metrics.is_empty() || !congestion.is_empty() {
            writer.nested(RTA_METRICS, |writer| {
                if locked != 0 {
                    writer.u32(RTAX_LOCK, locked);
                }
                metrics.iter().for_each(|(kind, value)| writer.u32(*kind, *value));
                if !congestion.is_empty() {
                    writer.str(RTAX_CC_ALGO, congestion);
                }
            });
        }
        if let Some(preference) = preference {
            writer.u8(RTA_PREF, preference);
        }
        if self.hops.is_empty() {
            return;
        }
        writer.nested(RTA_MULTIPATH, |writer| {
            for hop in &self.hops {
                let flags = if hop.onlink { RTNH_F_ONLINK } else { 0 };
                let weight = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
                writer.counted(|writer| {
                    // Two bytes of length are before: so the six are padded to eight.
                    let [i0, i1, i2, i3] = hop.link.0.to_ne_bytes();
                    writer.raw(&[flags, weight, i0, i1, i2, i3]);
                    emit_gateway(hop.gateway, family, writer);
                });
            }
        });
    }
}

fn emit_ip(kind: u16, address: Option<IpAddr>, writer: &mut Writer<'_>) {
    if let Some(address) = address {
        super::emit_address(kind, address, writer);
    }
}

/// A router of the other family has its family in front (`struct rtvia`).
fn emit_gateway(gateway: Option<IpAddr>, family: u8, writer: &mut Writer<'_>) {
    match gateway {
        Some(IpAddr::V6(address)) if family == AF_INET => {
            let [o0, o1, o2, o3, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, o14, o15] = address.octets();
            let [f0, f1] = u16::from(AF_INET6).to_ne_bytes();
            let via = [f0, f1, o0, o1, o2, o3, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, o14, o15];
            writer.bytes(RTA_VIA, &via);
        }
        gateway => emit_ip(RTA_GATEWAY, gateway, writer),
    }
}

impl RouteSpec {
    /// The metric that the kernel gives it.
    pub const fn effective_metric(&self) -> u32 {
        if self.metric == 0 && self.destination.0.is_ipv6() { IPV6_METRIC } else { self.metric }
    }

    /// True if the kernel cannot hold this route and the one it describes at the same time.
    pub fn is_place(&self, entry: &RouteEntry<'_>) -> bool {
        (self.table, self.destination, self.from, self.tos, self.effective_metric())
            == (entry.table, entry.destination, entry.from, entry.tos, entry.metric)
    }

    /// True if the entry is this route: it leads where this one does and was made by whom this one is.
    pub fn is_described(&self, hops: &Hops, entry: &RouteEntry<'_>) -> bool {
        let link = self.link == LinkIndex(0) || entry.link == Some(self.link);
        let several = !hops.is_empty();
        let leads = if several {
            // The kernel may sort them; a route of one hop is described as if it had none of several.
            let described = entry.next_hops().count();
            described == hops.len() && hops.iter().all(|hop| entry.next_hops().any(|one| one.is_same(hop)))
        } else {
            self.gateway == entry.gateway && link && entry.next_hops().next().is_none()
        };
        leads
            && self.is_place(entry)
            && (self.kind, self.protocol) == (entry.kind, entry.protocol)
            && (self.source.is_none() || self.source == entry.source)
    }
}

impl NextHop {
    fn is_same(&self, other: &Self) -> bool {
        (self.gateway, self.weight) == (other.gateway, other.weight)
            && (self.link == other.link || other.link == LinkIndex(0))
    }
}

impl<'a> RouteEntry<'a> {
    /// The next hops of a route that has several, none for any other. It ends where a length does not fit.
    pub const fn next_hops(&self) -> NextHops<'a> {
        NextHops { rest: self.hops }
    }
}

/// Reads a route. `None` for what is learnt and not made: an exception for one destination.
#[inline(never)]
pub(super) fn parse(family: u8, payload: &[u8]) -> Result<Option<RouteEntry<'_>>, Malformed> {
    let (header, rest) = payload.split_first_chunk::<ROUTE_HEADER_LEN>().ok_or(Malformed::Truncated)?;
    let [_, prefix, from, tos, table, protocol, _, kind, f0, f1, f2, f3] = *header;
    let attributes = Attributes::new(rest);
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    if flags & RTM_F_CLONED != 0 {
        return Ok(None);
    }
    let network = address(attributes, RTA_DST).or_else(|| ip_address(family, &[0; 16]));
    Ok(Some(RouteEntry {
        table: attributes.u32(RTA_TABLE).unwrap_or(u32::from(table)),
        destination: (network.ok_or(Malformed::Missing)?, prefix),
        from: address(attributes, RTA_SRC).map(|address| (address, from)),
        tos,
        kind: RouteKind::from_number(kind),
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
pub(super) fn address(attributes: Attributes<'_>, kind: u16) -> Option<IpAddr> {
    let bytes = attributes.bytes(kind)?;
    // `RTA_VIA` has its family in two bytes before the address.
    let bytes = if kind == RTA_VIA { bytes.get(2..)? } else { bytes };
    ip_address(if bytes.len() == 4 { AF_INET } else { AF_INET6 }, bytes)
}

fn gateway(attributes: Attributes<'_>) -> Option<IpAddr> {
    address(attributes, RTA_GATEWAY).or_else(|| address(attributes, RTA_VIA))
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
            onlink: flags & RTNH_F_ONLINK != 0,
        })
    }
}

#[cfg(test)]
mod tests;
