//! What a check through a virtual address needs of this host: an own address to come from, and an interface that takes
//! packets whose source is an address of this host, since the virtual one is, on the MASTER.
//!
//! IPv4 only drops such packets (`fib_validate_source` in net/ipv4/fib_frontend.c): all of them unless `accept_local`
//! is set, and those that would not leave by the same interface where `rp_filter` is 1. IPv6 has no such test.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::sysctl;
use crate::wire::link::LinkName;

/// Bytes of the routing table that are looked through: some 500 routes.
const MOST: usize = 64 << 10;
/// Of a route (`RTF_UP`, `RTF_REJECT` in `linux/route.h`).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// The address of this host that the kernel takes for packets to `server`. Nothing is sent.
///
/// # Errors
/// `NETUNREACH` without a route, `MFILE` without a descriptor.
pub fn source_towards(server: IpAddr) -> Result<IpAddr, Errno> {
    let socket = datagrams(server)?;
    rustix::net::connect(&socket, &SocketAddr::new(server, 9))?;
    let name = SocketAddr::try_from(rustix::net::getsockname(&socket)?).map_err(|_| Errno::AFNOSUPPORT)?;
    Ok(name.ip())
}

/// True for an address of this host; with `ip_nonlocal_bind` for every address.
pub fn is_local(address: IpAddr) -> bool {
    datagrams(address).and_then(|socket| rustix::net::bind(&socket, &SocketAddr::new(address, 0))).is_ok()
}

fn datagrams(address: IpAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

/// Any address, of the family of `address`.
pub fn any(address: IpAddr) -> IpAddr {
    if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// The interface on the way to `server`, if it drops what comes from an address of this host. Nothing if that is
/// unknown, as it is with rules for routing.
pub fn dropping_link(server: IpAddr) -> Option<LinkName> {
    let IpAddr::V4(server) = server else { return None };
    let table = routes().ok()?;
    let link = link_towards(server, core::str::from_utf8(&table).ok()?)?;
    // The larger one of both counts, of accept_local either (linux/inetdevice.h).
    let setting = |name: &str| {
        let value = |scope: &str| sysctl::digit(&format!("net/ipv4/conf/{scope}/{name}")).unwrap_or(b'0');
        value("all").max(value(link.as_str()))
    };
    (setting("accept_local") == b'0' || setting("rp_filter") == b'1').then_some(link)
}

fn routes() -> Result<Vec<u8>, Errno> {
    let file = rustix::fs::open("/proc/net/route", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut table = vec![0; MOST];
    let mut length = 0;
    while let Some(room) = table.get_mut(length..).filter(|room| !room.is_empty()) {
        match rustix::io::read(&file, room)? {
            0 => break,
            more => length += more,
        }
    }
    table.truncate(length);
    Ok(table)
}

/// The interface of the most specific route (proc(5), `/proc/net/route`): name, destination, gateway, flags, reference
/// count, use, metric, mask; addresses are hexadecimal numbers whose bytes stand in memory as on the wire.
fn link_towards(server: Ipv4Addr, table: &str) -> Option<LinkName> {
    let number = |word: Option<&str>| u32::from_str_radix(word?, 16).ok();
    let bits = |word: Option<&str>| number(word).map(|bits| u32::from_be_bytes(bits.to_ne_bytes()));
    let fitting = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (name, network) = (LinkName::new(words.next()?)?, bits(words.next())?);
        let flags = number(words.nth(1))?;
        let mask = bits(words.nth(3))?;
        let usable = flags & (UP | REJECT) == UP && server.to_bits() & mask == network;
        usable.then_some((mask, name))
    });
    // Of equal ones the first has the least metric.
    fitting.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cat /proc/net/route` on a host of two networks with a gateway.
    const TABLE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t0101000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t0001000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        eth1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        eth2\t0002000A\t00000000\t0001\t0\t0\t9\t00FFFFFF\t0\t0\t0\n\
        *\t0002000A\t00000000\t0201\t0\t0\t0\t80FFFFFF\t0\t0\t0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_most_specific_route_says_the_interface() {
        for (server, link) in [("10.0.1.11", "eth0"), ("10.0.2.11", "eth1"), ("192.0.2.1", "eth0")] {
            let found = link_towards(server.parse().unwrap(), TABLE);
            assert_eq!(found, LinkName::new(link), "{server}");
        }
        let networks: Vec<&str> =
            TABLE.lines().filter(|line| !line.contains("\t00000000\t0101000A")).collect();
        assert_eq!(link_towards("192.0.2.1".parse().unwrap(), &networks.join("\n")), None);
        assert_eq!(link_towards("192.0.2.1".parse().unwrap(), "Iface\neth0\tx\n\neth0\t00000000\n"), None);
    }

    #[test]
    fn a_host_speaks_to_itself_from_the_same_address() {
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(source_towards(loopback), Ok(loopback));
        assert!(is_local(loopback) && !is_local("192.0.2.1".parse().unwrap()));
    }
}
