//! `show interfaces`, `show arp`, `show routes`: rows of the kernel's tables, for the operator of a box without a
//! shell. This is his `ip addr`, `ip neigh` and `ip route`.
//!
//! The shell dumps the kernel and feeds rows here, one call each, as for [`super::ipvs`]. Every row fits a piece of an
//! answer. Lines of IPv4 fit the 80 columns of a serial terminal; IPv6 may push a column to the right.

use core::fmt::{self, Display, Write};
use core::net::IpAddr;

use super::json::{Shown, Value};
use super::lines::Names;
use super::text::Line;
use crate::config::ids::{AddressId, Id};
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
    let (row, ours) =
        director.config().addresses.iter().enumerate().find(|(_, ours)| ours.address == address)?;
    let of_role = director.config().is_of_role(AddressId::from_index(row));
    let fixed = if of_role { "real_server_role" } else { "static_ipaddress" };
    let owner = ours.instance.map_or(fixed, |id| names.instance(id));
    (names.link(ours.link) == link.as_str()).then_some(owner)
}

/// Names of interfaces by their index.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a>(pub &'a [InterfaceEntry]);

impl Links<'_> {
    /// The name; its number for an interface that is not in the list.
    fn name(self, index: LinkIndex) -> LinkName {
        if let Some(known) = self.0.iter().find(|entry| entry.link.index == index) {
            return known.link.name;
        }
        let mut number: heapless::String<15> = heapless::String::new();
        // Eleven bytes at most.
        let _ = write!(number, "#{}", index.0);
        LinkName::new(&number).unwrap_or_default()
    }
}

/// An interface's first line.
pub fn interface(out: &mut dyn Write, links: Links<'_>, entry: &InterfaceEntry) -> fmt::Result {
    let state = match (entry.link.admin_up, entry.carrier, entry.link.running) {
        (false, ..) => "down",
        (true, false, _) => "up, no carrier",
        (true, true, false) => "up, dormant",
        (true, true, true) => "up, carrier",
    };
    let (name, mac, mtu) = (entry.link.name, Mac(mac(entry), " "), entry.link.mtu);
    write!(out, "{name:<8} {state:<15} {mac}  mtu {mtu}")?;
    if let Some((id, parent)) = entry.vlan {
        write!(out, "  vlan {id} on {}", links.name(parent))?;
    }
    out.write_char('\n')
}

/// One of its addresses; `owner` is the instance whose virtual address it is.
pub fn address(out: &mut dyn Write, entry: &AddressEntry, owner: Option<&str>) -> fmt::Result {
    let mut line = Line::new(out);
    let mark = Part("  VIP of ", shown(&owner));
    write!(line, "  {}/{}{mark}", entry.address, entry.prefix)?;
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
    let InterfaceEntry { link, carrier, vlan, .. } = entry;
    let (id, parent) = (vlan.map(|(id, _)| id), vlan.map(|(_, parent)| links.name(parent)));
    write!(
        out,
        r#"{{"name":{},"index":{},"up":{},"carrier":{carrier},"running":{},"mac":{},"mtu":{},"vlan":{},"parent":{},"#,
        Quoted(Some(&link.name)),
        link.index.0,
        link.admin_up,
        link.running,
        Quoted(shown(&mac(entry))),
        link.mtu,
        Bare(shown(&id)),
        Quoted(shown(&parent)),
    )?;
    for (name, counters) in [("in", &entry.received), ("out", &entry.sent)] {
        let Counters { packets, bytes, errors, dropped } = *counters;
        write!(
            out,
            r#""{name}":{{"packets":{packets},"bytes":{bytes},"errors":{errors},"dropped":{dropped}}},"#
        )?;
    }
    out.write_str(r#""addresses":["#)
}

/// An address of the interface that is open.
pub fn address_json(out: &mut dyn Write, entry: &AddressEntry, owner: Option<&str>) -> fmt::Result {
    let (AddressEntry { address, prefix, .. }, owner) = (entry, Quoted(shown(&owner)));
    write!(out, r#"{{"address":"{address}","prefix":{prefix},"vip_of":{owner}}}"#)
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
    let (link, mac, state) = (links.name(entry.link), Mac(entry.mac, "-"), state(entry.state));
    writeln!(out, "{:<16} {link:<16} {mac}  {state}", entry.address)
}

/// The same as an object.
pub fn neighbour_json(out: &mut dyn Write, links: Links<'_>, entry: &NeighbourEntry) -> fmt::Result {
    write!(
        out,
        r#"{{"address":"{}","interface":{},"mac":{},"state":"{}"}}"#,
        entry.address,
        Quoted(Some(&links.name(entry.link))),
        Quoted(shown(&entry.mac)),
        state(entry.state),
    )
}

/// A route: one line, and one more for each next hop if it has several.
pub fn route(out: &mut dyn Write, links: Links<'_>, entry: &RouteEntry<'_>) -> fmt::Result {
    let (network, prefix) = entry.destination;
    if entry.kind != RouteKind::Unicast {
        write!(out, "{} ", Kind(entry.kind))?;
    }
    match (prefix, network.is_ipv4()) {
        (0, _) => out.write_str("default")?,
        (32, true) | (128, false) => write!(out, "{network}")?,
        _ => write!(out, "{network}/{prefix}")?,
    }
    // Of the kernel's own and those of `ip route` nothing is to be said.
    let maker = (!matches!(entry.protocol, 0 | 2..=4)).then_some(Maker(entry.protocol));
    writeln!(
        out,
        "{}{}{}{}{}{}",
        Part(" via ", shown(&entry.gateway)),
        Part(" dev ", shown(&entry.link.map(|link| links.name(link)))),
        Part(" src ", shown(&entry.source)),
        Part(" proto ", shown(&maker)),
        Part(" metric ", shown(&Some(entry.metric).filter(|metric| *metric > 0))),
        linkdown(entry.unusable),
    )?;
    let mut hops = entry.next_hops();
    for NextHop { gateway, link, weight, unusable, .. } in hops.by_ref().take(MAX_HOPS) {
        let (via, dev, down) = (Part(" via ", shown(&gateway)), links.name(link), linkdown(unusable));
        writeln!(out, "  {via} dev {dev} weight {weight}{down}")?;
    }
    match hops.count() {
        0 => Ok(()),
        more => writeln!(out, "   and {more} more"),
    }
}

/// The same as an object; `next_hops` is empty for a route with one, `more_hops` counts those that are left out.
pub fn route_json(out: &mut dyn Write, links: Links<'_>, entry: &RouteEntry<'_>) -> fmt::Result {
    let (network, prefix) = entry.destination;
    write!(
        out,
        r#"{{"destination":"{network}/{prefix}","type":"{}","gateway":{},"interface":{},"source":{},"protocol":"{}","metric":{},"linkdown":{},"next_hops":["#,
        Kind(entry.kind),
        Quoted(shown(&entry.gateway)),
        Quoted(shown(&entry.link.map(|link| links.name(link)))),
        Quoted(shown(&entry.source)),
        Maker(entry.protocol),
        entry.metric,
        entry.unusable,
    )?;
    let mut hops = entry.next_hops();
    for (place, hop) in hops.by_ref().take(MAX_HOPS).enumerate() {
        let NextHop { gateway, link, weight, unusable, .. } = hop;
        let comma = if place == 0 { "" } else { "," };
        let (gateway, link) = (Quoted(shown(&gateway)), links.name(link));
        let link = Quoted(Some(&link));
        write!(
            out,
            r#"{comma}{{"gateway":{gateway},"interface":{link},"weight":{weight},"linkdown":{unusable}}}"#
        )?;
    }
    write!(out, r#"],"more_hops":{}}}"#, hops.count())
}

/// Opens the JSON document whose one list has this name: rows follow, each behind [`separator`], then [`json_end`].
pub fn json_begin(out: &mut dyn Write, name: &str) -> fmt::Result {
    write!(out, r#"{{"{name}":["#)
}

/// Between two rows of a list, and before the first one.
pub fn separator(out: &mut dyn Write, is_first: bool) -> fmt::Result {
    out.write_str(if is_first { "\n" } else { ",\n" })
}

/// Closes the document, with what went wrong.
pub fn json_end(out: &mut dyn Write, trouble: Option<Trouble>) -> fmt::Result {
    out.write_str("\n]")?;
    if let Some(trouble) = trouble {
        write!(out, r#","error":"{trouble}""#)?;
    }
    out.write_str("}\n")
}

fn mac(entry: &InterfaceEntry) -> Option<MacAddress> {
    Some(entry.link.mac).filter(|mac| *mac != MacAddress::default())
}

fn linkdown(unusable: bool) -> &'static str {
    if unusable { " linkdown" } else { "" }
}

/// Anything that may be absent, without its type: what shows it is there once.
fn shown<T: Display>(value: &Option<T>) -> Option<&dyn Display> {
    value.as_ref().map(|value| value as &dyn Display)
}

/// What is there, behind its word.
struct Part<'a>(&'static str, Option<&'a dyn Display>);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(value) => write!(f, "{}{value}", self.0),
            None => Ok(()),
        }
    }
}

/// A JSON string, or null.
struct Quoted<'a>(Option<&'a dyn Display>);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map(Shown).write(f)
    }
}

/// A JSON number, or null.
struct Bare<'a>(Option<&'a dyn Display>);

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.unwrap_or(&"null").fmt(f)
    }
}

/// A hardware address, or a word in as many columns.
struct Mac(Option<MacAddress>, &'static str);

impl Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(mac) => mac.fmt(f),
            None => write!(f, "{:<17}", self.1),
        }
    }
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
