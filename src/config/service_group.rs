//! `virtual_server_group`: addresses, ranges of them and firewall marks that are one service to the operator, and a
//! service each to the kernel.
//!
//! A range is kept as it is written and counted out when a `virtual_server` uses the group, so that `::/64` costs
//! nothing but the message about the limit.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

use super::codes::DUPLICATE;
use super::service::Header;
use crate::limits::MAX_SERVICES;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::INVALID;
use crate::syntax::value;
use crate::syntax::{Context, Line, NodeId, Position, Walk};
use crate::wire::genl_ipvs::Family;

/// One line of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) at: Position,
    pub(super) first: Header,
    /// `inet` or `inet6` behind a mark.
    pub(super) family: Option<Family>,
    /// Addresses from the first one on; 1 for a mark. `u64::MAX` stands for more as well.
    pub(super) count: u64,
}

impl Entry {
    /// A service without a group.
    pub(super) fn alone(at: Position, first: Header) -> Self {
        Self { at, first, family: None, count: 1 }
    }

    /// The `nth` service, counted from 0.
    pub(super) fn nth(&self, nth: u64) -> Header {
        match self.first {
            Header::Address(first, port) => Header::Address(offset(first, nth), port),
            mark @ Header::Mark(_) => mark,
        }
    }
}

fn offset(first: IpAddr, nth: u64) -> IpAddr {
    match first {
        IpAddr::V4(first) => {
            let nth = u32::try_from(nth).unwrap_or(u32::MAX);
            Ipv4Addr::from_bits(first.to_bits().saturating_add(nth)).into()
        }
        IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits().saturating_add(nth.into())).into(),
    }
}

#[derive(Debug)]
struct Group {
    name: Box<str>,
    entries: Vec<Entry>,
}

/// All groups of a configuration.
#[derive(Debug, Default)]
pub(super) struct Groups {
    list: Vec<Group>,
    /// Lines of all groups, and the first one that does not fit.
    pub(super) lines: usize,
    pub(super) over: Option<Position>,
}

impl Groups {
    /// The lines of a group; nothing if there is none of this name (yet).
    pub(super) fn find(&self, name: &str) -> Option<&[Entry]> {
        self.list.iter().find(|group| *group.name == *name).map(|group| &*group.entries)
    }

    /// Reads a `virtual_server_group` block.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let at = cx.tree.position(node);
        let mut line = cx.line(node);
        let Some(name) = line.need("the name of the group") else { return };
        line.end();
        if self.find(&name.text).is_some() {
            return cx.error(
                DUPLICATE,
                at,
                format_args!("there is a virtual_server_group {} already", Quoted(&name.text)),
                format_args!("this one is left out; write all lines into one block"),
            );
        }
        self.list.push(Group { name: (&*name.text).into(), entries: Vec::new() });
        Walk::items(cx, node, item, self);
    }
}

/// `IP [PORT]`, a range of addresses in one of its forms, or `fwmark N [inet|inet6]`.
fn item(groups: &mut Groups, line: &mut Line<'_, '_>) {
    let Some(word) = line.peek() else { return };
    groups.lines += 1;
    if groups.lines > MAX_SERVICES {
        groups.over.get_or_insert(word.at);
        return line.rest();
    }
    match entry(line) {
        Some(entry) => {
            if let Some(group) = groups.list.last_mut() {
                group.entries.push(entry);
            }
        }
        None => line.rest(),
    }
}

fn entry(line: &mut Line<'_, '_>) -> Option<Entry> {
    let word = line.keyword_next()?;
    if word.text == "fwmark" {
        let mark = NonZeroU32::new(line.integer(1, u32::MAX)?.value)?;
        let family = match line.word() {
            None => None,
            Some(name) if name.text == "inet" => Some(Family::Inet),
            Some(name) if name.text == "inet6" => Some(Family::Inet6),
            Some(name) => {
                line.invalid(&name, "inet or inet6");
                return None;
            }
        };
        return Some(Entry { at: word.at, first: Header::Mark(mark), family, count: 1 });
    }
    let Some((first, count)) = range(&word.text) else {
        line.cx.error(
            INVALID,
            word.at,
            format_args!("{} is no address, no range of addresses and not `fwmark`", Quoted(&word.text)),
            format_args!("write 192.0.2.1, 192.0.2.1-9 or 192.0.2.8/29, and a port; the line is left out"),
        );
        return None;
    };
    let port = match line.peek() {
        Some(_) => u16::try_from(line.integer(0, 65_535)?.value).ok()?,
        None => 0,
    };
    Some(Entry { at: word.at, first: Header::Address(first, port), family: None, count })
}

/// The first address and how many there are: `A`, `A-B`, `A/LENGTH`, or `A-` and what the last byte (of IPv6: the
/// last sixteen bits, in hexadecimal) ends with. All of a network counts, its first and last address, too.
fn range(text: &str) -> Option<(IpAddr, u64)> {
    if let Some((first, length)) = text.split_once('/') {
        let (first, whole): (IpAddr, u32) = (first.parse().ok()?, if text.contains(':') { 128 } else { 32 });
        let rest = whole - value::integer(length, 0, whole).ok()?;
        let count = 1_u128.checked_shl(rest).unwrap_or(u128::MAX);
        let bits = bits(first);
        return (bits & count.wrapping_sub(1) == 0).then(|| (first, clamp(count)));
    }
    let Some((first, last)) = text.split_once('-') else { return Some((text.parse().ok()?, 1)) };
    let first: IpAddr = first.parse().ok()?;
    let last = match (first, last.parse::<IpAddr>()) {
        (_, Ok(last)) if last.is_ipv4() == first.is_ipv4() => bits(last),
        (_, Ok(_)) => return None,
        (IpAddr::V4(_), Err(_)) => bits(first) & !0xff | u128::from(value::integer(last, 0, 255).ok()?),
        (IpAddr::V6(_), Err(_)) => {
            let digits = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_hexdigit());
            bits(first) & !0xffff | u128::from(u16::from_str_radix(last, 16).ok().filter(|_| digits)?)
        }
    };
    let more = last.checked_sub(bits(first)).filter(|more| *more > 0)?;
    Some((first, clamp(more.saturating_add(1))))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn clamp(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_counted_with_both_ends() {
        for (text, first, count) in [
            ("192.0.2.1", "192.0.2.1", 1),
            ("192.0.2.1-9", "192.0.2.1", 9),
            ("192.0.2.250-192.0.3.10", "192.0.2.250", 17),
            ("192.0.2.8/29", "192.0.2.8", 8),
            ("192.0.2.8/32", "192.0.2.8", 1),
            ("0.0.0.0/0", "0.0.0.0", 1 << 32),
            ("2001:db8::1-f", "2001:db8::1", 15),
            ("2001:db8::10-1f", "2001:db8::10", 16),
            ("2001:db8::1-2001:db8::5", "2001:db8::1", 5),
            ("2001:db8::/126", "2001:db8::", 4),
            ("::/0", "::", u64::MAX),
        ] {
            assert_eq!(range(text), Some((first.parse().unwrap(), count)), "{text}");
        }
        for text in [
            "",
            "-",
            "/",
            "192.0.2.5-1",
            "192.0.2.1-1",
            "192.0.2.1-256",
            "192.0.2.1-",
            "192.0.2.1-::2",
            "192.0.2.5/24",
            "192.0.2.0/33",
            "192.0.2.0/",
            "2001:db8::1-10000",
            "2001:db8::1-g",
            "2001:db8::1/64",
            "2001:db8::1-+5",
            "::/129",
        ] {
            assert_eq!(range(text), None, "{text}");
        }
        assert_eq!(offset("192.0.2.255".parse().unwrap(), 1), "192.0.3.0".parse::<IpAddr>().unwrap());
        assert_eq!(offset("::ffff".parse().unwrap(), 1), "::1:0".parse::<IpAddr>().unwrap());
    }
}
