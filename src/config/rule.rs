//! Items of `virtual_rules` and `static_rules`: what `ip rule add` would be told, in keepalived's words.

use core::net::IpAddr;

use super::codes::ROUTE;
use super::iproute::{self, OWN_PROTOCOL, PROTOCOLS, TRANSPORTS};
use super::route::table;
use crate::syntax::{Context, Given, Line, Position, Word};
use crate::wire::link::LinkName;
use crate::wire::rtnetlink::rule::{RuleAction, RuleSpec};
use crate::wire::vrrp::Family;

/// A rule as written.
#[derive(Debug, Clone)]
pub(super) struct RuleDraft {
    pub(super) at: Position,
    /// Without a preference it is 0 until [`number`] gives it one.
    pub(super) spec: RuleSpec,
    pub(super) numbered: bool,
    pub(super) no_track: bool,
    pub(super) group: Option<Given<Box<str>>>,
}

const OPTIONS: &[&str] = &[
    "not",
    "from",
    "to",
    "table",
    "lookup",
    "preference",
    "priority",
    "order",
    "tos",
    "fwmark",
    "iif",
    "dev",
    "oif",
    "uidrange",
    "ipproto",
    "sport",
    "dport",
    "suppress_prefixlength",
    "suppress_ifgroup",
    "type",
    "goto",
    "nop",
    "blackhole",
    "unreachable",
    "prohibit",
    "protocol",
    "inet",
    "inet6",
    "no_track",
    "track_group",
    "realms",
    "tun_id",
    "l3mdev",
];

/// What the first rule without a preference gets; the next one gets one less. keepalived's numbers.
pub(super) const FIRST_PREFERENCE: u32 = 16_384;

/// Reads one item; nothing if anything is wrong with it.
pub(super) fn rule(line: &mut Line<'_, '_>) -> Option<RuleDraft> {
    let read = read(line);
    if read.is_none() {
        line.rest();
    }
    read
}

fn read(line: &mut Line<'_, '_>) -> Option<RuleDraft> {
    let at = line.peek()?.at;
    let spec = RuleSpec {
        family: Family::Ipv4,
        invert: false,
        preference: 0,
        action: RuleAction::Other(0),
        from: None,
        to: None,
        tos: 0,
        mark: None,
        input: None,
        output: None,
        users: None,
        transport: 0,
        source_ports: None,
        ports: None,
        suppress_prefix: None,
        suppress_group: None,
        protocol: OWN_PROTOCOL,
    };
    let mut draft = RuleDraft { at, spec, numbered: false, no_track: false, group: None };
    let mut family = None;
    while let Some(word) = line.word() {
        option(&mut draft, &mut family, line, &word)?;
    }
    let spec = &mut draft.spec;
    let networks = [spec.from, spec.to].into_iter().flatten().map(|(address, _)| Family::of(address));
    let all: Vec<Family> = networks.chain(family).collect();
    let wrong = if all.iter().any(|one| Some(one) != all.first()) {
        "the rule has addresses of both families"
    } else if spec.action == RuleAction::Other(0) {
        "the rule does not say what becomes of a packet"
    } else if matches!(spec.action, RuleAction::Goto(target) if !draft.numbered || target <= spec.preference)
    {
        "`goto` needs a preference, and leads forward only, to a larger one"
    } else {
        spec.family = all.first().copied().unwrap_or(Family::Ipv4);
        return Some(draft);
    };
    line.cx.error(
        ROUTE,
        draft.at,
        format_args!("{wrong}"),
        format_args!("write a rule such as `from 198.51.100.0/24 table 100`; the line is left out"),
    );
    None
}

fn option(
    draft: &mut RuleDraft,
    family: &mut Option<Family>,
    line: &mut Line<'_, '_>,
    word: &Word<'_>,
) -> Option<()> {
    let spec = &mut draft.spec;
    match &*word.text {
        "not" => spec.invert = true,
        "inet" => *family = Some(Family::Ipv4),
        "inet6" => *family = Some(Family::Ipv6),
        "from" => spec.from = network(line, word)?,
        "to" => spec.to = network(line, word)?,
        "table" | "lookup" => spec.action = RuleAction::Table(table(line, word)?),
        "preference" | "priority" | "order" => {
            spec.preference = iproute::number(line, word, (u32::MAX, &[]), "a number")?;
            draft.numbered = true;
        }
        "tos" | "dsfield" => spec.tos = iproute::byte(line, word, &[], "a number up to 255")?,
        "fwmark" => spec.mark = Some(mark(line, word)?),
        "iif" | "dev" => spec.input = Some(iproute::device(line, word)?.value),
        "oif" => spec.output = Some(iproute::device(line, word)?.value),
        "uidrange" => spec.users = Some(range(line, word, u32::MAX - 1)?),
        "ipproto" => {
            spec.transport = iproute::byte(line, word, TRANSPORTS, "tcp, udp, icmp or a number up to 255")?;
        }
        "sport" => spec.source_ports = Some(ports(line, word)?),
        "dport" => spec.ports = Some(ports(line, word)?),
        "suppress_prefixlength" | "sup_pl" => {
            spec.suppress_prefix = Some(iproute::number(line, word, (128, &[]), "a number up to 128")?);
        }
        "suppress_ifgroup" | "sup_group" => {
            spec.suppress_group = Some(iproute::number(line, word, (u32::MAX - 1, &[]), "a number")?);
        }
        "goto" => {
            spec.action = RuleAction::Goto(iproute::number(line, word, (u32::MAX, &[]), "a preference")?);
        }
        "type" => {
            let kind = iproute::value(line, word, "blackhole, unreachable or prohibit")?;
            spec.action = action(line, &kind)?;
        }
        "protocol" => {
            spec.protocol =
                iproute::byte(line, word, PROTOCOLS, "static, boot, kernel, ra or a number up to 255")?;
        }
        "no_track" => draft.no_track = true,
        "track_group" => draft.group = Some(iproute::group(line, word)?),
        "realms" | "tun_id" | "l3mdev" | "table_id" => {
            iproute::unsupported(line, word);
            return None;
        }
        _ => spec.action = action(line, word)?,
    }
    Some(())
}

fn action(line: &mut Line<'_, '_>, word: &Word<'_>) -> Option<RuleAction> {
    match &*word.text {
        "nop" => Some(RuleAction::Nop),
        "blackhole" => Some(RuleAction::Blackhole),
        "unreachable" => Some(RuleAction::Unreachable),
        "prohibit" => Some(RuleAction::Prohibit),
        _ => {
            iproute::unknown(line, word, "rule", OPTIONS);
            None
        }
    }
}

/// Everything is written by no network.
fn network(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<Option<(IpAddr, u8)>> {
    if line.take("all") || line.take("any") || line.take("default") {
        return Some(None);
    }
    iproute::network(line, option).map(|network| Some(iproute::masked(network)))
}

/// `MARK` or `MARK/MASK`.
fn mark(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<(u32, u32)> {
    const EXPECTED: &str = "a mark such as 7 or 7/0xff";
    let word = iproute::value(line, option, EXPECTED)?;
    let (mark, mask) = word.text.split_once('/').unwrap_or((&word.text, "0xffffffff"));
    let number = |text| iproute::parse_number(text, u32::MAX, &[]);
    let both = number(mark).zip(number(mask)).filter(|(_, mask)| *mask != 0);
    if both.is_none() {
        iproute::invalid(line, option, &word, EXPECTED);
    }
    // The kernel compares what is left of the mark under its mask (net/core/fib_rules.c).
    both
}

/// `FIRST-LAST`.
fn range(line: &mut Line<'_, '_>, option: &Word<'_>, most: u32) -> Option<(u32, u32)> {
    const EXPECTED: &str = "a range such as 1000-2000";
    let word = iproute::value(line, option, EXPECTED)?;
    let (first, last) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= most);
    let range = number(first).zip(number(last)).filter(|(first, last)| first <= last);
    if range.is_none() {
        iproute::invalid(line, option, &word, EXPECTED);
    }
    range
}

fn ports(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<(u16, u16)> {
    let at = line.peek();
    let (first, last) = range(line, option, 65_534)?;
    let ports = u16::try_from(first).ok().zip(u16::try_from(last).ok()).filter(|(first, _)| *first > 0);
    if let (None, Some(word)) = (ports, at) {
        iproute::invalid(line, option, &word, "ports from 1 to 65534");
    }
    ports
}

/// Gives a preference to the rules that have none, in the order of the file: `next` is that of the next one of each
/// family.
pub(super) fn number(rules: &mut [RuleDraft], next: &mut [u32; 2], cx: &mut Context<'_>) {
    for draft in rules.iter_mut().filter(|draft| !draft.numbered) {
        let [ipv4, ipv6] = next;
        let counter = if draft.spec.family == Family::Ipv4 { ipv4 } else { ipv6 };
        let preference = *counter;
        *counter = preference.saturating_sub(1);
        (draft.spec.preference, draft.numbered) = (preference, true);
        cx.warn(
            ROUTE,
            draft.at,
            format_args!("the rule has no preference and gets {preference}"),
            format_args!("write `preference {preference}`, so that it does not depend on the other rules"),
        );
    }
}

/// The interfaces that a rule names; `lo` always is.
pub(super) fn links(spec: &RuleSpec) -> impl Iterator<Item = LinkName> {
    [spec.input, spec.output].into_iter().flatten().filter(|name| name.as_str() != "lo")
}
