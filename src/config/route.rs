//! Items of `virtual_routes` and `static_routes`: what `ip route add` would be told, in keepalived's words.

use core::net::IpAddr;

use super::codes::{LIMIT, ROUTE};
use super::iproute::{self, OWN_PROTOCOL, PROTOCOLS, SCOPES, TABLES};
use crate::limits::MAX_NEXT_HOPS;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, OLD_NAME};
use crate::syntax::{Given, Line, Position, Word};
use crate::wire::link::LinkName;
use crate::wire::rtnetlink::route::{Network, RT_TABLE_MAIN, RTAX_HOPLIMIT, RTAX_MTU, RouteKind};

/// One of several next hops as written.
#[derive(Debug, Clone)]
pub(super) struct HopDraft {
    pub(super) gateway: Option<IpAddr>,
    pub(super) link: Option<Given<LinkName>>,
    pub(super) weight: u16,
    pub(super) onlink: bool,
}

/// A route as written.
#[derive(Debug, Clone)]
pub(super) struct RouteDraft {
    pub(super) at: Position,
    pub(super) destination: Network,
    pub(super) from: Option<Network>,
    pub(super) tos: u8,
    pub(super) kind: RouteKind,
    pub(super) gateway: Option<IpAddr>,
    pub(super) link: Option<Given<LinkName>>,
    pub(super) onlink: bool,
    pub(super) source: Option<IpAddr>,
    pub(super) table: u32,
    pub(super) metric: u32,
    pub(super) protocol: u8,
    pub(super) scope: u8,
    pub(super) metrics: Vec<(u16, u32)>,
    pub(super) locked: u32,
    pub(super) congestion: Box<str>,
    pub(super) preference: Option<u8>,
    pub(super) hops: Vec<HopDraft>,
    pub(super) no_track: bool,
    pub(super) group: Option<Given<Box<str>>>,
}

const OPTIONS: &[&str] = &[
    "to",
    "via",
    "dev",
    "src",
    "table",
    "metric",
    "priority",
    "preference",
    "scope",
    "protocol",
    "tos",
    "from",
    "onlink",
    "mtu",
    "advmss",
    "window",
    "cwnd",
    "ssthresh",
    "initcwnd",
    "initrwnd",
    "rto_min",
    "hoplimit",
    "quickack",
    "congctl",
    "pref",
    "features",
    "nexthop",
    "no_track",
    "track_group",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "unicast",
    "local",
    "default",
    "encap",
    "realms",
    "expires",
    "rtt",
    "rttvar",
    "reordering",
];

/// Options with one number: `RTAX_*` and the largest value.
const METRICS: &[(&str, u16, u32)] = &[
    ("window", 3, u32::MAX),
    ("ssthresh", 6, u32::MAX),
    ("cwnd", 7, u32::MAX),
    // net/ipv4/metrics.c: 40 bytes of headers fit a packet with it.
    ("advmss", 8, 65_495),
    ("reordering", 9, u32::MAX),
    ("hoplimit", RTAX_HOPLIMIT, 255),
    ("initcwnd", 11, u32::MAX),
    ("initrwnd", 14, u32::MAX),
    ("quickack", 15, 1),
];
/// `RTN_LOCAL`.
pub(super) const LOCAL: u8 = 2;

/// All `RTAX_*` that have a word.
pub(super) const METRIC_NAMES: &[(u16, &str)] = &[
    (RTAX_MTU, "mtu"),
    (3, "window"),
    (6, "ssthresh"),
    (7, "cwnd"),
    (8, "advmss"),
    (9, "reordering"),
    (RTAX_HOPLIMIT, "hoplimit"),
    (11, "initcwnd"),
    (FEATURES.0, "features"),
    (RTAX_RTO_MIN, "rto_min"),
    (14, "initrwnd"),
    (15, "quickack"),
    (NO_COOKIE, "fastopen_no_cookie"),
];

/// `RTAX_FEATURES` and `RTAX_FEATURE_ECN`.
const FEATURES: (u16, u32) = (12, 1);
const RTAX_RTO_MIN: u16 = 13;
/// `RTAX_FASTOPEN_NO_COOKIE`.
const NO_COOKIE: u16 = 17;

/// While a line is read.
struct Reading {
    draft: RouteDraft,
    destination: Option<Network>,
    /// `default` was written: of the family of whatever else is.
    default: bool,
}

/// Reads one item; nothing if anything is wrong with it.
pub(super) fn route(line: &mut Line<'_, '_>) -> Option<RouteDraft> {
    let read = read(line);
    if read.is_none() {
        line.rest();
    }
    read
}

fn read(line: &mut Line<'_, '_>) -> Option<RouteDraft> {
    let at = line.peek()?.at;
    let draft = RouteDraft {
        at,
        destination: (IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0),
        from: None,
        tos: 0,
        kind: RouteKind::Unicast,
        gateway: None,
        link: None,
        onlink: false,
        source: None,
        table: RT_TABLE_MAIN,
        metric: 0,
        protocol: OWN_PROTOCOL,
        scope: 0,
        metrics: Vec::new(),
        locked: 0,
        congestion: "".into(),
        preference: None,
        hops: Vec::new(),
        no_track: false,
        group: None,
    };
    let mut reading = Reading { draft, destination: None, default: false };
    while let Some(word) = line.word() {
        reading.option(line, &word)?;
    }
    reading.finish(line)
}

impl Reading {
    fn option(&mut self, line: &mut Line<'_, '_>, word: &Word<'_>) -> Option<()> {
        let draft = &mut self.draft;
        match &*word.text {
            "unicast" => draft.kind = RouteKind::Unicast,
            "blackhole" => draft.kind = RouteKind::Blackhole,
            "unreachable" => draft.kind = RouteKind::Unreachable,
            "prohibit" => draft.kind = RouteKind::Prohibit,
            "throw" => draft.kind = RouteKind::Throw,
            // RTN_LOCAL: packets that a firewall mark sends here are taken in.
            "local" => draft.kind = RouteKind::Other(LOCAL),
            "via" => draft.gateway = Some(iproute::address(line, word)?),
            "gw" => {
                old(line, word, "via");
                draft.gateway = Some(iproute::address(line, word)?);
            }
            "dev" | "oif" => draft.link = Some(iproute::device(line, word)?),
            "onlink" => draft.onlink = true,
            "src" => draft.source = Some(iproute::address(line, word)?),
            "from" => draft.from = Some(iproute::network(line, word)?),
            "tos" | "dsfield" => draft.tos = iproute::byte(line, word, &[], "a number up to 255")?,
            "table" => draft.table = table(line, word)?,
            "metric" | "priority" | "preference" => {
                draft.metric = iproute::number(line, word, (u32::MAX, &[]), "a number")?;
            }
            "scope" => {
                let expected = "global, site, link, host or a number up to 255";
                draft.scope = iproute::byte(line, word, SCOPES, expected)?;
            }
            "protocol" => {
                let expected = "static, boot, kernel, ra or a number up to 255";
                draft.protocol = iproute::byte(line, word, PROTOCOLS, expected)?;
            }
            "no_track" => draft.no_track = true,
            "track_group" => draft.group = Some(iproute::group(line, word)?),
            "nexthop" => self.hop(line)?,
            "or" => {
                old(line, word, "nexthop");
                self.alternative(line, word)?;
            }
            "encap" | "realms" | "expires" | "rtt" | "rttvar" | "ttl-propagate" | "vrf" | "add"
            | "prepend" | "append" => {
                iproute::unsupported(line, word);
                return None;
            }
            "to" => {
                let network = iproute::value(line, word, "a network such as 198.51.100.0/24")?;
                self.destination(line, &network)?;
            }
            _ => return self.metric(line, word),
        }
        Some(())
    }

    /// What a route says of connections; any other word is its destination.
    fn metric(&mut self, line: &mut Line<'_, '_>, word: &Word<'_>) -> Option<()> {
        let draft = &mut self.draft;
        if let Some((_, kind, most)) = METRICS.iter().find(|(name, ..)| *name == word.text) {
            let number = iproute::number(line, word, (*most, &[]), "a number in its range")?;
            set(&mut draft.metrics, *kind, number);
            return Some(());
        }
        match &*word.text {
            "mtu" => {
                draft.locked = if line.take("lock") { 1 << RTAX_MTU } else { 0 };
                let mtu = iproute::number(line, word, (65_535, &[]), "a number of bytes up to 65535")?;
                set(&mut draft.metrics, RTAX_MTU, mtu);
            }
            "rto_min" => set(&mut draft.metrics, RTAX_RTO_MIN, milliseconds(line, word)?),
            "features" => {
                let value = iproute::value(line, word, "ecn")?;
                if value.text != "ecn" {
                    iproute::invalid(line, word, &value, "ecn");
                    return None;
                }
                set(&mut draft.metrics, FEATURES.0, FEATURES.1);
            }
            "fastopen_no_cookie" => {
                let number = iproute::number(line, word, (1, &[]), "0 or 1")?;
                set(&mut draft.metrics, NO_COOKIE, number);
            }
            "congctl" => {
                // A lock keeps the socket from choosing another one; there is nothing to lock in ours.
                line.take("lock");
                let value = iproute::value(line, word, "the name of a congestion control")?;
                // TCP_CA_NAME_MAX with its NUL.
                if value.text.len() > 15 || !value.text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    iproute::invalid(line, word, &value, "a name of up to 15 characters");
                    return None;
                }
                draft.congestion = value.text.into();
            }
            "pref" => {
                let expected = "low, medium or high";
                let names = &[("medium", 0), ("high", 1), ("low", 3)];
                draft.preference = Some(iproute::byte(line, word, names, expected)?);
            }
            _ => self.destination(line, word)?,
        }
        Some(())
    }

    fn destination(&mut self, line: &mut Line<'_, '_>, word: &Word<'_>) -> Option<()> {
        if self.default || self.destination.is_some() {
            iproute::unknown(line, word, "route", OPTIONS);
            return None;
        }
        self.default = matches!(&*word.text, "default" | "any" | "all");
        self.destination = iproute::parse_network(&word.text);
        if !self.default && self.destination.is_none() {
            iproute::unknown(line, word, "route", OPTIONS);
            return None;
        }
        Some(())
    }

    fn room(&self, line: &mut Line<'_, '_>) -> Option<()> {
        if self.draft.hops.len() < MAX_NEXT_HOPS {
            return Some(());
        }
        line.cx.error(
            LIMIT,
            self.draft.at,
            format_args!("a route has more than {MAX_NEXT_HOPS} next hops"),
            format_args!("write fewer; the line is left out"),
        );
        None
    }

    /// `nexthop [via A] [dev IF] [weight N] [onlink]`.
    fn hop(&mut self, line: &mut Line<'_, '_>) -> Option<()> {
        self.room(line)?;
        let mut hop = HopDraft { gateway: None, link: None, weight: 1, onlink: false };
        while let Some(word) = line.peek() {
            match &*word.text {
                "via" | "gw" => {
                    line.word();
                    hop.gateway = Some(iproute::address(line, &word)?);
                }
                "dev" | "oif" => {
                    line.word();
                    hop.link = Some(iproute::device(line, &word)?);
                }
                "weight" => {
                    line.word();
                    let weight = iproute::number(line, &word, (256, &[]), "a number from 1 to 256")?;
                    hop.weight = u16::try_from(weight.max(1)).ok()?;
                }
                "onlink" => {
                    line.word();
                    hop.onlink = true;
                }
                "encap" | "realms" => {
                    iproute::unsupported(line, &word);
                    return None;
                }
                _ => break,
            }
        }
        self.draft.hops.push(hop);
        Some(())
    }

    /// `via A or B`: two next hops of equal weight.
    fn alternative(&mut self, line: &mut Line<'_, '_>, word: &Word<'_>) -> Option<()> {
        self.room(line)?;
        if let Some(gateway) = self.draft.gateway.take() {
            self.draft.hops.push(HopDraft { gateway: Some(gateway), link: None, weight: 1, onlink: false });
        }
        self.room(line)?;
        let gateway = Some(iproute::address(line, word)?);
        self.draft.hops.push(HopDraft { gateway, link: None, weight: 1, onlink: false });
        Some(())
    }

    fn finish(self, line: &mut Line<'_, '_>) -> Option<RouteDraft> {
        let mut draft = self.draft;
        let others = [draft.gateway, draft.source, draft.from.map(|(address, _)| address)];
        let hops = draft.hops.iter().filter_map(|hop| hop.gateway);
        let ipv6 = others.into_iter().flatten().chain(hops).any(|address| address.is_ipv6());
        let everything =
            if ipv6 { IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED) } else { draft.destination.0 };
        let wrong = |line: &mut Line<'_, '_>, message: &str, hint: &str| {
            line.cx.error(
                ROUTE,
                draft.at,
                format_args!("{message}"),
                format_args!("{hint}; the line is left out"),
            );
        };
        let Some(destination) = self.destination.or(self.default.then_some((everything, 0))) else {
            wrong(
                line,
                "the route has no destination",
                "write a network such as 198.51.100.0/24, or `default`",
            );
            return None;
        };
        let ipv4 = destination.0.is_ipv4();
        if draft.source.is_some_and(|source| source.is_ipv4() != ipv4)
            || draft.from.is_some_and(|(from, _)| from.is_ipv4() != ipv4)
            || (!ipv4 && draft.gateway.is_some_and(|gateway| gateway.is_ipv4()))
        {
            wrong(line, "the route has addresses of both families", "write addresses of one family");
            return None;
        }
        if draft.from.is_some() && ipv4 {
            wrong(line, "an IPv4 route has no `from`", "write a rule: `from NETWORK table N`");
            return None;
        }
        // One interface for all next hops that name none.
        if let (false, Some(link)) = (draft.hops.is_empty(), draft.link.take_if(|_| !draft.hops.is_empty())) {
            draft.hops.iter_mut().for_each(|hop| hop.link = hop.link.or(Some(link)));
        }
        let leads = draft.gateway.is_some() || draft.link.is_some() || !draft.hops.is_empty();
        let must = matches!(draft.kind, RouteKind::Unicast | RouteKind::Other(_));
        if must && !leads {
            wrong(
                line,
                "the route leads nowhere",
                "write `via ADDRESS` or `dev INTERFACE`, or say `blackhole`",
            );
            return None;
        }
        if !must && leads {
            wrong(line, "a route that drops packets leads nowhere", "remove `via`, `dev` and `nexthop`");
            return None;
        }
        if draft.gateway.is_some() && !draft.hops.is_empty() {
            wrong(
                line,
                "the route has both `via` and `nexthop`",
                "write `nexthop via ADDRESS` for each router",
            );
            return None;
        }
        mask(&mut draft, destination, line);
        Some(draft)
    }
}

/// Puts the destination in, without bits behind its prefix.
fn mask(draft: &mut RouteDraft, destination: Network, line: &mut Line<'_, '_>) {
    draft.destination = iproute::masked(destination);
    draft.from = draft.from.map(iproute::masked);
    if draft.destination != destination {
        let (network, prefix) = draft.destination;
        line.cx.warn(
            INVALID,
            draft.at,
            format_args!("{}/{prefix} has bits behind its prefix: {network}/{prefix} is used", destination.0),
            format_args!("write {network}/{prefix}"),
        );
    }
}

fn set(metrics: &mut Vec<(u16, u32)>, kind: u16, number: u32) {
    metrics.retain(|(known, _)| *known != kind);
    metrics.insert(metrics.partition_point(|(known, _)| *known < kind), (kind, number));
}

/// The value of `table`, of routes and rules.
pub(super) fn table(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<u32> {
    const EXPECTED: &str = "main, local, default or a number from 1 to 4294967295";
    let word = line.peek();
    let table = iproute::number(line, option, (u32::MAX, TABLES), EXPECTED)?;
    if let (0, Some(word)) = (table, word) {
        iproute::invalid(line, option, &word, EXPECTED);
        return None;
    }
    Some(table)
}

/// `50ms`, `1s` or a number of milliseconds.
fn milliseconds(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<u32> {
    const EXPECTED: &str = "a time such as 200ms";
    let word = iproute::value(line, option, EXPECTED)?;
    let text = &*word.text;
    let (digits, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1_000),
        (None, None) => (text, 1),
    };
    let time = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    let time = time.filter(|time| (1..=3_600_000).contains(time));
    if time.is_none() {
        iproute::invalid(line, option, &word, EXPECTED);
    }
    time
}

fn old(line: &mut Line<'_, '_>, word: &Word<'_>, new: &str) {
    line.cx.warn(
        OLD_NAME,
        word.at,
        format_args!("{} is an old spelling of `{new}`", Quoted(&word.text)),
        format_args!("write `{new}`"),
    );
}
