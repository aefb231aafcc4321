//! `show interfaces`, `show arp`, `show routes`: rows of the kernel's tables, for the operator of a box without a
//! shell. This is his `ip addr`, `ip neigh` and `ip route`.
//!
//! The shell dumps the kernel and feeds rows here, one call each, as for [`super::ipvs`]. Every row fits a piece of an
//! answer. Lines of IPv4 fit the 80 columns of a serial terminal; IPv6 may push a column to the right.

use core::fmt::{self, Display, Write};
use core::net::IpAddr;

use super::json::{List, Object, Shown, Value};
use super::lines::Names;
use super::text::Line;
use crate::director::Director;
use crate::limits::{MAX_KERNEL_ADDRESSES, MAX_LINKS};
use crate::wire::errno;
use crate::wire::link::{LinkIndex, LinkName, MacAddress};
use crate::wire::rtnetlink::AddressEntry;
use crate::wire::rtnetlink::tables::{
    Counters, InterfaceEntry, NeighbourEntry, NeighbourState, NextHop, RouteEntry, RouteKind,
};

/// Next hops of one route that are shown: the longest row is then 3.5 KB.
const MAX_HOPS: usize = 24;

/// Why a table is not all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The kernel said this.
    Errno(u16),
    /// It changed while it was read.
    Changed,
    /// There is more than is read at once.
    TooLarge,
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Errno(number) => {
                write!(f, "the kernel's table was not read to its end: {}", errno::Text(number))
            }
            Self::Changed => f.write_str("the table changed while it was read: ask again"),
            Self::TooLarge => {
                write!(f, "only {MAX_LINKS} interfaces and {MAX_KERNEL_ADDRESSES} addresses are shown")
            }
        }
    }
}

/// The instance of ours whose virtual address this is.
pub fn owner(director: &Director, link: LinkName, address: IpAddr) -> Option<&str> {
    let names = Names(director.config());
    let ours = director.config().addresses.iter().find(|ours| ours.address == address)?;
    (names.link(ours.link) == link.as_str()).then(|| names.instance(ours.instance))
}

/// Names of interfaces by their index.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a>(pub &'a [InterfaceEntry]);

impl Links<'_> {
    /// The name; its number for an interface that is not in the list.
    fn name(self, index: LinkIndex) -> LinkShown {
        let known = self.0.iter().find(|entry| entry.link.index == index);
        LinkShown(known.map(|entry| entry.link.name), index)
    }
}

struct LinkShown(Option<LinkName>, LinkIndex);

impl Display for LinkShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => f.write_str(name.as_str()),
            None => write!(f, "#{}", self.1.0),
        }
    }
}

/// An interface's first line.
pub fn interface(out: &mut dyn Write, links: Links<'_>, entry: &InterfaceEntry) -> fmt::Result {
    let mut line = Line::new(out);
    line.write_str(entry.link.name.as_str())?;
    line.to(9)?;
    line.write_str(match (entry.link.admin_up, entry.carrier, entry.link.running) {
        (false, ..) => "down",
        (true, false, _) => "up, no carrier",
        (true, true, false) => "up, dormant",
        (true, true, true) => "up, carrier",
    })?;
    if let Some(mac) = mac(entry) {
        line.to(25)?;
        write!(line, "{mac}")?;
    }
    line.to(44)?;
    write!(line, "mtu {}", entry.link.mtu)?;
    if let Some((id, parent)) = entry.vlan {
        write!(line, "  vlan {id} on {}", links.name(parent))?;
    }
    line.end()
}

/// One of its addresses; `owner` is the instance whose virtual address it is.
pub fn address(out: &mut dyn Write, entry: &AddressEntry, owner: Option<&str>) -> fmt::Result {
    let mut line = Line::new(out);
    write!(line, "  {}/{}", entry.address, entry.prefix)?;
    if let Some(owner) = owner {
        write!(line, "  VIP of {owner}")?;
    }
    line.end()
}

/// Its counters.
pub fn counters(out: &mut dyn Write, entry: &InterfaceEntry) -> fmt::Result {
    for (word, counters) in [("in ", &entry.received), ("out", &entry.sent)] {
        let Counters { packets, bytes, errors, dropped } = *counters;
        writeln!(out, "  {word} {packets} packets, {}, errors {errors}, dropped {dropped}", Size(bytes))?;
    }
    Ok(())
}

/// An interface, up to its addresses: [`address_json`] follows, then [`interface_json_end`].
pub fn interface_json(out: &mut dyn Write, links: Links<'_>, entry: &InterfaceEntry) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("name", entry.link.name.as_str())?;
    object.field("index", entry.link.index.0)?;
    object.field("up", entry.link.admin_up)?;
    object.field("carrier", entry.carrier)?;
    object.field("running", entry.link.running)?;
    object.field("mac", mac(entry).map(Shown))?;
    object.field("mtu", entry.link.mtu)?;
    object.field("vlan", entry.vlan.map(|(id, _)| id))?;
    object.field("parent", entry.vlan.map(|(_, parent)| Shown(links.name(parent))))?;
    for (name, counters) in [("in", &entry.received), ("out", &entry.sent)] {
        object.object(name, |inner| {
            inner.field("packets", counters.packets)?;
            inner.field("bytes", counters.bytes)?;
            inner.field("errors", counters.errors)?;
            inner.field("dropped", counters.dropped)
        })?;
    }
    object.open("addresses")?;
    out.write_char('[')
}

/// An address of the interface that is open.
pub fn address_json(out: &mut dyn Write, entry: &AddressEntry, owner: Option<&str>) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("address", Shown(entry.address))?;
    object.field("prefix", entry.prefix)?;
    object.field("vip_of", owner)?;
    object.end()
}

/// Closes an interface.
pub fn interface_json_end(out: &mut dyn Write) -> fmt::Result {
    out.write_str("]}")
}

/// The head of the list of neighbours.
pub fn neighbours_head(out: &mut dyn Write) -> fmt::Result {
    out.write_str("ADDRESS          INTERFACE        MAC                STATE\n")
}

/// A neighbour.
pub fn neighbour(out: &mut dyn Write, links: Links<'_>, entry: &NeighbourEntry) -> fmt::Result {
    let mut line = Line::new(out);
    write!(line, "{}", entry.address)?;
    line.to(17)?;
    write!(line, "{}", links.name(entry.link))?;
    line.to(34)?;
    match entry.mac {
        Some(mac) => write!(line, "{mac}")?,
        None => line.write_char('-')?,
    }
    line.to(53)?;
    line.write_str(state(entry.state))?;
    line.end()
}

/// The same as an object.
pub fn neighbour_json(out: &mut dyn Write, links: Links<'_>, entry: &NeighbourEntry) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("address", Shown(entry.address))?;
    object.field("interface", Shown(links.name(entry.link)))?;
    object.field("mac", entry.mac.map(Shown))?;
    object.field("state", state(entry.state))?;
    object.end()
}

/// A route: one line, and one more for each next hop if it has several.
pub fn route(out: &mut dyn Write, links: Links<'_>, entry: &RouteEntry<'_>) -> fmt::Result {
    if entry.kind != RouteKind::Unicast {
        write!(out, "{} ", Kind(entry.kind))?;
    }
    let (network, prefix) = entry.destination;
    match (prefix, network.is_ipv4()) {
        (0, _) => out.write_str("default")?,
        (32, true) | (128, false) => write!(out, "{network}")?,
        _ => write!(out, "{network}/{prefix}")?,
    }
    towards(out, links, entry.gateway, entry.link)?;
    if let Some(source) = entry.source {
        write!(out, " src {source}")?;
    }
    // Of the kernel's own and those of `ip route` nothing is to be said.
    if !matches!(entry.protocol, 0 | 2..=4) {
        write!(out, " proto {}", Maker(entry.protocol))?;
    }
    if entry.metric > 0 {
        write!(out, " metric {}", entry.metric)?;
    }
    out.write_str(if entry.unusable { " linkdown\n" } else { "\n" })?;
    for hop in entry.next_hops().take(MAX_HOPS) {
        out.write_str("  ")?;
        towards(out, links, hop.gateway, Some(hop.link))?;
        writeln!(out, " weight {}{}", hop.weight, if hop.unusable { " linkdown" } else { "" })?;
    }
    match entry.next_hops().skip(MAX_HOPS).count() {
        0 => Ok(()),
        more => writeln!(out, "   and {more} more"),
    }
}

/// The same as an object; `next_hops` is empty for a route with one, `more_hops` counts those that are left out.
pub fn route_json(out: &mut dyn Write, links: Links<'_>, entry: &RouteEntry<'_>) -> fmt::Result {
    let mut object = Object::begin(out)?;
    let (network, prefix) = entry.destination;
    object.field("destination", Shown(format_args!("{network}/{prefix}")))?;
    object.field("type", Shown(Kind(entry.kind)))?;
    object.field("gateway", entry.gateway.map(Shown))?;
    object.field("interface", entry.link.map(|link| Shown(links.name(link))))?;
    object.field("source", entry.source.map(Shown))?;
    object.field("protocol", Shown(Maker(entry.protocol)))?;
    object.field("metric", entry.metric)?;
    object.field("linkdown", entry.unusable)?;
    object.list("next_hops", |list| hops_json(list, links, entry))?;
    object.field("more_hops", entry.next_hops().skip(MAX_HOPS).count())?;
    object.end()
}

fn hops_json(list: &mut List<'_>, links: Links<'_>, entry: &RouteEntry<'_>) -> fmt::Result {
    entry.next_hops().take(MAX_HOPS).try_for_each(|hop| list.item(HopShown(links, hop)))
}

struct HopShown<'a>(Links<'a>, NextHop);

impl Value for HopShown<'_> {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        let mut object = Object::begin(out)?;
        object.field("gateway", self.1.gateway.map(Shown))?;
        object.field("interface", Shown(self.0.name(self.1.link)))?;
        object.field("weight", self.1.weight)?;
        object.field("linkdown", self.1.unusable)?;
        object.end()
    }
}

/// Opens the JSON document whose one list has this name: rows follow, each behind [`separator`], then [`json_end`].
pub fn json_begin(out: &mut dyn Write, name: &str) -> fmt::Result {
    Object::begin(out)?.open(name)?;
    out.write_char('[')
}

/// Between two rows of a list, and before the first one.
pub fn separator(out: &mut dyn Write, is_first: bool) -> fmt::Result {
    out.write_str(if is_first { "\n" } else { ",\n" })
}

/// Closes the document, with what went wrong.
pub fn json_end(out: &mut dyn Write, trouble: Option<Trouble>) -> fmt::Result {
    out.write_str("\n]")?;
    if let Some(trouble) = trouble {
        out.write_str(",\"error\":")?;
        Shown(trouble).write(out)?;
    }
    out.write_str("}\n")
}

fn mac(entry: &InterfaceEntry) -> Option<MacAddress> {
    Some(entry.link.mac).filter(|mac| *mac != MacAddress::default())
}

fn towards(
    out: &mut dyn Write,
    links: Links<'_>,
    gateway: Option<IpAddr>,
    link: Option<LinkIndex>,
) -> fmt::Result {
    if let Some(gateway) = gateway {
        write!(out, " via {gateway}")?;
    }
    if let Some(link) = link {
        write!(out, " dev {}", links.name(link))?;
    }
    Ok(())
}

/// As ip-neigh(8) calls it.
fn state(state: NeighbourState) -> &'static str {
    match state {
        NeighbourState::Incomplete => "incomplete",
        NeighbourState::Reachable => "reachable",
        NeighbourState::Stale => "stale",
        NeighbourState::Delay => "delay",
        NeighbourState::Probe => "probe",
        NeighbourState::Failed => "failed",
        NeighbourState::NoArp => "noarp",
        NeighbourState::Permanent => "permanent",
        NeighbourState::None => "none",
    }
}

struct Kind(RouteKind);

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            RouteKind::Unicast => "unicast",
            RouteKind::Blackhole => "blackhole",
            RouteKind::Unreachable => "unreachable",
            RouteKind::Prohibit => "prohibit",
            RouteKind::Throw => "throw",
            RouteKind::Other(number) => return write!(f, "type {number}"),
        })
    }
}

/// Who made a route: `RTPROT_*` of `linux/rtnetlink.h`, those that a director may meet.
struct Maker(u8);

impl Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            2 => "kernel",
            3 => "boot",
            4 => "static",
            9 => "ra",
            12 => "bird",
            16 => "dhcp",
            18 => "keepalived",
            number => return write!(f, "{number}"),
        })
    }
}

/// Bytes: `900 B`, `99.1 KiB`, `1.0 TiB`.
struct Size(u64);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1_024 {
            return write!(f, "{} B", self.0);
        }
        let (mut rest, mut unit) = (self.0, "B");
        for next in ["KiB", "MiB", "GiB", "TiB"] {
            if rest >= 1_024 << 10 || unit == "B" {
                rest = if unit == "B" { rest } else { rest >> 10 };
                unit = next;
            }
        }
        write!(f, "{}.{} {unit}", rest >> 10, ((rest & 1_023) * 10) >> 10)
    }
}

#[cfg(test)]
mod tests;
