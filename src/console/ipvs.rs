//! `show ipvs`: the kernel's table byte for byte as `ipvsadm -Ln` 1.31 prints it, because scripts skip three lines
//! and take the rest apart; and the same as JSON.
//!
//! The shell dumps the kernel and feeds entries here: [`header`], then per service [`service_line`] and one
//! [`destination_line`] each, both sorted with [`sort`]. ipvsadm compares addresses by a 32-bit subtraction taken as
//! signed, so that addresses 2^31 or more apart come out the wrong way round. That is no order at all (it is not
//! transitive): what comes out depends on the sorting algorithm, and `slice::sort_by` may panic over it.

use core::cmp::Ordering;
use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr};

pub mod connections;
pub mod views;

pub use views::{Selection, View};

use super::json::{Object, Shown};
use crate::wire::errno;
use crate::wire::genl_ipvs::{
    DestinationEntry, DestinationKey, Family, ForwardingMethod, Info, PersistenceEngine, Protocol,
    ServiceEntry, ServiceKey, ServiceSpec, Stats,
};

/// `IP_VS_SVC_F_PERSISTENT` and its neighbours (`linux/ip_vs.h`).
const PERSISTENT: u32 = 0x1;
const ONE_PACKET: u32 = 0x4;
const SCHEDULER_FLAGS: [u32; 3] = [0x8, 0x10, 0x20];

/// The first line of the head.
pub fn version(out: &mut dyn Write, info: &Info) -> fmt::Result {
    writeln!(out, "IP Virtual Server version {} (size={})", info.version, info.table_size)
}

/// What stands above the services.
const HEAD: &str = concat!(
    "Prot LocalAddress:Port Scheduler Flags\n",
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
);

/// A service.
pub fn service_line(out: &mut dyn Write, entry: &ServiceEntry) -> fmt::Result {
    let spec = &entry.spec;
    match entry.key {
        ServiceKey::Address { protocol, address, port } => {
            write!(out, "{:<4} {} {}", word(protocol), Endpoint(address, port), spec.scheduler)?;
        }
        ServiceKey::Mark { mark, family } => {
            let suffix = if family == Family::Inet6 { " IPv6" } else { "" };
            write!(out, "FWM  {}{suffix} {}", mark.get().cast_signed(), spec.scheduler)?;
        }
    }
    scheduler_flags(out, spec)?;
    if spec.flags & PERSISTENT != 0 {
        write!(out, " persistent {}", spec.timeout)?;
        match entry.key.family() {
            Family::Inet if spec.netmask < 32 => write!(out, " mask {}", mask(spec.netmask))?,
            Family::Inet6 if spec.netmask != 128 => write!(out, " mask {}", spec.netmask)?,
            Family::Inet | Family::Inet6 => {}
        }
        match spec.engine {
            Some(PersistenceEngine::Sip) => out.write_str(" pe sip")?,
            Some(PersistenceEngine::Other) => out.write_str(" pe ?")?,
            None => {}
        }
    }
    out.write_str(if spec.flags & ONE_PACKET == 0 { "\n" } else { " ops\n" })
}

/// A destination, trailing blanks included.
pub fn destination_line(out: &mut dyn Write, entry: &DestinationEntry) -> fmt::Result {
    let mut name: heapless::String<64> = heapless::String::new();
    write!(name, "{}", Endpoint(entry.key.address, entry.key.port))?;
    let spec = &entry.spec;
    let (method, weight) = (forward(spec.method), spec.weight.cast_signed());
    writeln!(out, "  -> {name:<28} {method:<7} {weight:<6} {:<10} {:<10}", entry.active, entry.inactive)
}

/// What to say instead of a table when the kernel does not give one.
pub fn unavailable(out: &mut dyn Write, number: u16) -> fmt::Result {
    writeln!(out, "IPVS is not available: {} (is the module ip_vs there?)", errno::Text(number))
}

/// The same in JSON: a whole document.
pub fn unavailable_json(out: &mut dyn Write, number: u16) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("error", Shown(errno::Text(number)))?;
    object.end()?;
    out.write_char('\n')
}

/// Opens the JSON document: services follow, then [`json_end`].
pub fn json_begin(out: &mut dyn Write, info: &Info) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("version", Shown(info.version))?;
    object.field("size", info.table_size)?;
    object.open("services")?;
    out.write_char('[')
}

/// Opens a service: its destinations follow, then [`json_service_end`].
pub fn json_service(
    out: &mut dyn Write,
    (entry, stats): (&ServiceEntry, &Stats),
    view: View,
    place: usize,
) -> fmt::Result {
    out.write_str(if place == 0 { "\n" } else { ",\n" })?;
    let spec = &entry.spec;
    let mut object = Object::begin(out)?;
    object.field("service", Shown(entry.key))?;
    match entry.key {
        ServiceKey::Address { protocol, address, port } => {
            object.field("protocol", Shown(protocol))?;
            object.field("address", Shown(address))?;
            object.field("port", port)?;
        }
        ServiceKey::Mark { mark, .. } => object.field("fwmark", mark.get())?,
    }
    object.field("scheduler", spec.scheduler.as_str())?;
    object.field("flags", spec.flags)?;
    object.field("persistent", (spec.flags & PERSISTENT != 0).then_some(spec.timeout))?;
    object.field("netmask", spec.netmask)?;
    views::json_counters(&mut object, view, stats)?;
    object.open("destinations")?;
    out.write_char('[')
}

/// A destination of the service that is open.
pub fn json_destination(
    out: &mut dyn Write,
    (entry, stats): (&DestinationEntry, &Stats),
    view: View,
    place: usize,
) -> fmt::Result {
    out.write_str(if place == 0 { "\n  " } else { ",\n  " })?;
    let mut object = Object::begin(out)?;
    object.field("address", Shown(entry.key.address))?;
    object.field("port", entry.key.port)?;
    object.field("forward", forward(entry.spec.method))?;
    object.field("weight", entry.spec.weight)?;
    object.field("upper_threshold", entry.spec.upper)?;
    object.field("lower_threshold", entry.spec.lower)?;
    object.field("active", entry.active)?;
    object.field("inactive", entry.inactive)?;
    object.field("persistent", entry.persistent)?;
    if view == View::Tunnels {
        object.field("tunnel", Shown(views::TunnelInfo(entry.spec.method)))?;
    }
    views::json_counters(&mut object, view, stats)?;
    object.end()
}

/// Closes a service.
pub fn json_service_end(out: &mut dyn Write) -> fmt::Result {
    out.write_str("]}")
}

/// Closes the document.
///
/// Rates that the kernel does not estimate are said to be none.
pub fn json_end(out: &mut dyn Write, rates_off: bool) -> fmt::Result {
    out.write_str(if rates_off { "\n],\"estimated\":false}\n" } else { "\n]}\n" })
}

/// Stands below rates that are all 0.
pub fn rates_off(out: &mut dyn Write) -> fmt::Result {
    out.write_str("rates are not estimated and read 0: net.ipv4.vs.run_estimation is 0 (show sysctl)\n")
}

/// ipvsadm's comparison of services: mark, family, protocol, address, port.
pub fn compare_services(a: &ServiceKey, b: &ServiceKey) -> Ordering {
    let parts = |key: &ServiceKey| match *key {
        ServiceKey::Address { protocol, address, port } => (0, number(protocol), words(address), port),
        ServiceKey::Mark { mark, .. } => (mark.get(), 0, [0; 4], 0),
    };
    let ((mark_a, protocol_a, words_a, port_a), (mark_b, protocol_b, words_b, port_b)) = (parts(a), parts(b));
    subtract(mark_a, mark_b)
        .then_with(|| a.family().cmp(&b.family()))
        .then(protocol_a.cmp(&protocol_b))
        .then_with(|| subtract_all(words_a, words_b))
        .then(port_a.cmp(&port_b))
}

/// ipvsadm's comparison of destinations: address, port.
pub fn compare_destinations(a: &DestinationKey, b: &DestinationKey) -> Ordering {
    subtract_all(words(a.address), words(b.address)).then(a.port.cmp(&b.port))
}

/// Sorts as ipvsadm does, which uses the C library's `qsort`: a merge sort from the top down that splits in the
/// middle and prefers the left half. `entries` must be in the order of the kernel's dump; `scratch` is overwritten
/// and only grows to the length of `entries`.
pub fn sort<T: Copy>(entries: &mut [T], scratch: &mut Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) {
    if entries.len() < 2 {
        return;
    }
    let (left, right) = entries.split_at_mut(entries.len() / 2);
    sort(left, scratch, compare);
    sort(right, scratch, compare);
    scratch.clear();
    let (mut from_left, mut from_right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(first), Some(second)) = (from_left.peek(), from_right.peek()) {
        let next = if compare(first, second).is_le() { from_left.next() } else { from_right.next() };
        scratch.extend(next);
    }
    scratch.extend(from_left.chain(from_right));
    entries.copy_from_slice(scratch);
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`.
struct Endpoint(IpAddr, u16);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}:{}", self.1),
            IpAddr::V6(address) => write!(f, "[{address}]:{}", self.1),
        }
    }
}

fn scheduler_flags(out: &mut dyn Write, spec: &ServiceSpec) -> fmt::Result {
    let mut before = " (";
    for name in flag_names(spec) {
        write!(out, "{before}{name}")?;
        before = ",";
    }
    if before == "," { out.write_char(')') } else { Ok(()) }
}

/// The flags that are set, as the scheduler calls them.
fn flag_names(spec: &ServiceSpec) -> impl Iterator<Item = &'static str> {
    let names = match spec.scheduler.as_str() {
        "sh" => ["sh-fallback", "sh-port", "flag-3"],
        "mh" => ["mh-fallback", "mh-port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let flags = spec.flags;
    SCHEDULER_FLAGS.into_iter().zip(names).filter(move |(flag, _)| flags & flag != 0).map(|(_, name)| name)
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    }
}

fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

fn forward(method: ForwardingMethod) -> &'static str {
    match method {
        ForwardingMethod::Masquerade => "Masq",
        ForwardingMethod::Local => "Local",
        ForwardingMethod::Tunnel(_) => "Tunnel",
        ForwardingMethod::DirectRoute => "Route",
        ForwardingMethod::Bypass => "Bypass",
    }
}

fn mask(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0))
}

/// An address as ipvsadm compares it: one word of an IPv4 address, four of an IPv6 address.
fn words(address: IpAddr) -> [u32; 4] {
    match address {
        IpAddr::V4(address) => [address.to_bits(), 0, 0, 0],
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments().map(u32::from);
            [a << 16 | b, c << 16 | d, e << 16 | f, g << 16 | h]
        }
    }
}

/// The sign of a difference that C puts into an `int`.
fn subtract(a: u32, b: u32) -> Ordering {
    a.wrapping_sub(b).cast_signed().cmp(&0)
}

fn subtract_all(a: [u32; 4], b: [u32; 4]) -> Ordering {
    let differences = a.into_iter().zip(b).map(|(a, b)| subtract(a, b));
    differences.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests;
