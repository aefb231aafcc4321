//! `show ipvs connections`: lines of `/proc/net/ip_vs_conn` as `ipvsadm -Lnc` prints them. The kernel writes numbers in
//! hexadecimal, IPv6 addresses in full.

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Endpoint;
use crate::console::json::{Object, Shown};

/// A connection or a persistence template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: &'a str,
    /// Client, virtual service, real server.
    pub ends: [(IpAddr, u16); 3],
    /// As the kernel calls it.
    pub state: &'a str,
    /// Seconds until it is forgotten.
    pub expires: u32,
}

impl<'a> Connection<'a> {
    /// A line of the file; `None` for its head.
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let protocol = words.next()?;
        let mut end = || Some((address(words.next()?)?, u16::from_str_radix(words.next()?, 16).ok()?));
        let ends = [end()?, end()?, end()?];
        Some(Self { protocol, ends, state: words.next()?, expires: words.next()?.parse().ok()? })
    }
}

fn address(word: &str) -> Option<IpAddr> {
    match word.len() {
        8 => u32::from_str_radix(word, 16).ok().map(|bits| Ipv4Addr::from_bits(bits).into()),
        _ => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

/// The head of the list.
pub fn head(out: &mut dyn Write) -> fmt::Result {
    out.write_str("IPVS connection entries\n")?;
    writeln!(out, "pro expire {:<11} {:<18} {:<18} destination", "state", "source", "virtual")
}

/// A connection.
pub fn line(out: &mut dyn Write, connection: &Connection<'_>) -> fmt::Result {
    let Connection { protocol, ends: [source, service, server], state, expires } = *connection;
    write!(out, "{protocol:<3} {:02}:{:02}  {state:<11} ", expires / 60, expires % 60)?;
    for (address, port) in [source, service] {
        let mut name: heapless::String<64> = heapless::String::new();
        write!(name, "{}", Endpoint(address, port))?;
        write!(out, "{name:<18} ")?;
    }
    writeln!(out, "{}", Endpoint(server.0, server.1))
}

/// The same in JSON.
pub fn json(out: &mut dyn Write, connection: &Connection<'_>) -> fmt::Result {
    let Connection { protocol, ends, state, expires } = *connection;
    let mut object = Object::begin(out)?;
    object.field("protocol", protocol)?;
    object.field("expires", expires)?;
    object.field("state", state)?;
    for (name, (address, port)) in ["source", "virtual", "destination"].into_iter().zip(ends) {
        object.field(name, Shown(Endpoint(address, port)))?;
    }
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "TCP 0A010002 93C0 0A000001 1F90 C0A84D01 0051 TIME_WAIT       114                                ";

    #[test]
    fn a_line_of_the_kernel_becomes_one_of_ipvsadm() {
        let mut out = String::new();
        head(&mut out).unwrap();
        line(&mut out, &Connection::parse(LINE).unwrap()).unwrap();
        let expected = "IPVS connection entries\n\
                        pro expire state       source             virtual            destination\n\
                        TCP 01:54  TIME_WAIT   10.1.0.2:37824     10.0.0.1:8080      192.168.77.1:81\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn the_head_of_the_file_and_half_a_line_are_no_connections() {
        let head = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData";
        assert_eq!(Connection::parse(head), None);
        for (at, _) in LINE.trim_end().char_indices().filter(|(at, _)| *at < 52) {
            assert_eq!(Connection::parse(&LINE[..at]), None, "{at}");
        }
    }

    #[test]
    fn ipv6_has_brackets() {
        let text = "UDP 2001:0db8:0000:0000:0000:0000:0000:0009 0035 2001:0db8:0000:0000:0000:0000:0000:0001 0035 \
                    fd00:0000:0000:0000:0000:0000:0000:0002 0035 UDP             300";
        let connection = Connection::parse(text).unwrap();
        let mut out = String::new();
        line(&mut out, &connection).unwrap();
        assert_eq!(out, "UDP 05:00  UDP         [2001:db8::9]:53   [2001:db8::1]:53   [fd00::2]:53\n");
    }
}
