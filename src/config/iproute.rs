//! Words that routes and rules share with `ip route` and `ip rule`: names of tables, protocols and scopes, numbers in
//! three bases, networks. A line with a wrong word is left out as a whole: half of a route leads somewhere else.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rows;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, MISSING, UNKNOWN, UNSUPPORTED};
use crate::syntax::nearest::nearest;
use crate::syntax::{Given, Line, Word};
use crate::wire::link::LinkName;

/// Names for numbers.
pub(super) type Names = &'static [(&'static str, u32)];

/// `linux/rtnetlink.h`, `enum rt_class_t`.
pub(super) const TABLES: Names = &[("main", 254), ("default", 253), ("local", 255)];

/// `linux/rtnetlink.h`, `RTPROT_*`.
pub(super) const PROTOCOLS: Names = &[
    ("keepalived", 18),
    ("static", 4),
    ("kernel", 2),
    ("boot", 3),
    ("redirect", 1),
    ("ra", 9),
    ("gated", 8),
    ("mrt", 10),
    ("zebra", 11),
    ("bird", 12),
    ("dhcp", 16),
    ("babel", 42),
    ("bgp", 186),
    ("isis", 187),
    ("ospf", 188),
    ("rip", 189),
    ("eigrp", 192),
];

/// `linux/rtnetlink.h`, `enum rt_scope_t`.
pub(super) const SCOPES: Names =
    &[("global", 0), ("universe", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)];

/// `linux/in.h`.
pub(super) const TRANSPORTS: Names = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("sctp", 132),
];

/// `RTPROT_KEEPALIVED`: what keepalived and we make by ourselves.
pub(super) const OWN_PROTOCOL: u8 = 18;

/// A number in decimal, octal (`0...`) or hexadecimal (`0x...`), or a name for one.
pub(super) fn parse_number(text: &str, most: u32, names: Names) -> Option<u32> {
    if let Some((_, number)) = names.iter().find(|(name, _)| *name == text) {
        return Some(*number);
    }
    let (digits, base) = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        (None, _) => (text, 10),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u32::from_str_radix(digits, base).ok().filter(|number| plain && *number <= most)
}

/// A network, `default` (of no family yet) apart.
pub(super) fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) => prefix.parse().ok().filter(|length| *length <= longest)?,
    };
    Some((address, prefix))
}

/// Without the bits behind the prefix: the kernel refuses a route that has some.
pub(super) fn masked((address, prefix): (IpAddr, u8)) -> (IpAddr, u8) {
    let address = match address {
        IpAddr::V4(address) => {
            let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !hosts))
        }
        IpAddr::V6(address) => {
            let hosts = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !hosts))
        }
    };
    (address, prefix)
}

/// The value of an option; an error if there is none.
pub(super) fn value<'t>(line: &mut Line<'_, 't>, option: &Word<'_>, expected: &str) -> Option<Word<'t>> {
    let word = line.word();
    if word.is_none() {
        line.cx.error(
            MISSING,
            option.at,
            format_args!("{} lacks its value", Quoted(&option.text)),
            format_args!("write {expected} behind it; the line is left out"),
        );
    }
    word
}

/// Reports a value that is not what was expected.
pub(super) fn invalid(line: &mut Line<'_, '_>, option: &Word<'_>, word: &Word<'_>, expected: &str) {
    line.cx.error(
        INVALID,
        word.at,
        format_args!("{}: {} is not {expected}", option.text, Quoted(&word.text)),
        format_args!("write {expected}; the line is left out"),
    );
}

/// The value of an option as a number up to `most`, or a name for one.
pub(super) fn number(
    line: &mut Line<'_, '_>,
    option: &Word<'_>,
    (most, names): (u32, Names),
    expected: &str,
) -> Option<u32> {
    let word = value(line, option, expected)?;
    let number = parse_number(&word.text, most, names);
    if number.is_none() {
        let near = nearest(&word.text, &mut names.iter().map(|(name, _)| *name));
        match near {
            None => invalid(line, option, &word, expected),
            Some(near) => line.cx.error(
                INVALID,
                word.at,
                format_args!("{}: {} is not {expected}", option.text, Quoted(&word.text)),
                format_args!("did you mean `{near}`? the line is left out"),
            ),
        }
    }
    number
}

/// The same for a number of one byte.
pub(super) fn byte(line: &mut Line<'_, '_>, option: &Word<'_>, names: Names, expected: &str) -> Option<u8> {
    number(line, option, (255, names), expected).and_then(|number| u8::try_from(number).ok())
}

/// The value of an option as the name of an interface.
pub(super) fn device(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<Given<LinkName>> {
    if line.peek().is_some() {
        return rows::link(line);
    }
    value(line, option, "the name of an interface")?;
    None
}

/// The value of an option as an address, in front of which its family may stand.
pub(super) fn address(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<IpAddr> {
    const EXPECTED: &str = "an IP address";
    let family = if line.take("inet") {
        Some(true)
    } else if line.take("inet6") {
        Some(false)
    } else {
        None
    };
    let word = value(line, option, EXPECTED)?;
    let address = word.text.parse::<IpAddr>().ok();
    let address = address.filter(|address| family.is_none_or(|ipv4| address.is_ipv4() == ipv4));
    if address.is_none() {
        invalid(line, option, &word, EXPECTED);
    }
    address
}

/// The value of an option as a network.
pub(super) fn network(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<(IpAddr, u8)> {
    const EXPECTED: &str = "a network such as 198.51.100.0/24";
    let word = value(line, option, EXPECTED)?;
    let network = parse_network(&word.text);
    if network.is_none() {
        invalid(line, option, &word, EXPECTED);
    }
    network
}

/// Reports a word that keepalived knows and this version does not support.
pub(super) fn unsupported(line: &mut Line<'_, '_>, word: &Word<'_>) {
    line.cx.error(
        UNSUPPORTED,
        word.at,
        format_args!("{} is not supported by this version", Quoted(&word.text)),
        format_args!("the line is left out"),
    );
}

/// Reports a word that nobody knows; `known` are those that could stand there.
pub(super) fn unknown(line: &mut Line<'_, '_>, word: &Word<'_>, what: &str, known: &[&'static str]) {
    let near = nearest(&word.text, &mut known.iter().copied());
    line.cx.error(
        UNKNOWN,
        word.at,
        format_args!("{} is no option of a {what}", Quoted(&word.text)),
        format_args!(
            "{}{}the line is left out; one {what} stands on one line",
            near.map_or("", |_| "did you mean "),
            near.map_or(String::new(), |near| format!("`{near}`? ")),
        ),
    );
}

/// The name of a group, of which nothing more is known yet.
pub(super) fn group(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<Given<Box<str>>> {
    let word = value(line, option, "the name of a track_group")?;
    Some(Given { value: word.text.into(), at: word.at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_bases_and_names() {
        for (text, number) in [
            ("10", Some(10)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("main", Some(254)),
            ("256", None),
            ("0x+1", None),
            ("-1", None),
            ("", None),
            ("mian", None),
        ] {
            assert_eq!(parse_number(text, 255, TABLES), number, "{text}");
        }
    }

    #[test]
    fn a_network_ends_behind_its_prefix() {
        let network =
            |text| parse_network(text).map(masked).map(|(address, prefix)| format!("{address}/{prefix}"));
        assert_eq!(network("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(network("10.1.2.3/0").as_deref(), Some("0.0.0.0/0"));
        assert_eq!(network("10.1.2.3").as_deref(), Some("10.1.2.3/32"));
        assert_eq!(network("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!(network("::1/0").as_deref(), Some("::/0"));
        assert_eq!(network("10.0.0.0/33"), None);
        assert_eq!(network("10.0.0.0/"), None);
    }
}
