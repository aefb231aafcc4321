//! Items of `virtual_ipaddress`: an address and what `ip address add` would be told.

use core::net::{IpAddr, Ipv4Addr};

use super::rows;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, MISSING, UNKNOWN, UNSUPPORTED};
use crate::syntax::nearest::nearest;
use crate::syntax::value::integer;
use crate::syntax::{Given, Line, Position, Word};
use crate::wire::link::{LinkIndex, LinkName};
use crate::wire::rtnetlink::{
    AddressSpec, IFA_F_HOMEADDRESS, IFA_F_MCAUTOJOIN, IFA_F_NODAD, IFA_F_NOPREFIXROUTE,
};

/// A virtual address as written.
#[derive(Debug, Clone)]
pub(super) struct AddressDraft {
    pub(super) at: Position,
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
    pub(super) link: Option<Given<LinkName>>,
    pub(super) broadcast: Option<Ipv4Addr>,
    pub(super) peer: Option<IpAddr>,
    pub(super) scope: u8,
    pub(super) label: Box<str>,
    /// `IFA_F_*`.
    pub(super) flags: u32,
    /// `preferred_lft`, as asked for or as usual.
    pub(super) preferred: Option<u32>,
    pub(super) no_track: bool,
    pub(super) group: Option<Given<Box<str>>>,
}

const OPTIONS: [&str; 14] = [
    "dev",
    "brd",
    "broadcast",
    "scope",
    "label",
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "preferred_lft",
    "no_track",
    "track_group",
];

/// Reads one item. Nothing if the address itself is wrong; a wrong option is left out and the address stays.
pub(super) fn address(line: &mut Line<'_, '_>) -> Option<AddressDraft> {
    let word = line.word()?;
    let Some((address, prefix)) = network(line, &word) else {
        line.cx.error(
            INVALID,
            word.at,
            format_args!("{} is no address", Quoted(&word.text)),
            format_args!("write one address per line, such as 192.0.2.100/24; the line is left out"),
        );
        return None;
    };
    let full: u8 = if address.is_ipv4() { 32 } else { 128 };
    let mut draft = AddressDraft {
        at: word.at,
        address,
        prefix: prefix.unwrap_or(full),
        link: None,
        broadcast: None,
        peer: None,
        scope: 0,
        label: "".into(),
        flags: AddressSpec::new(LinkIndex::default(), address, 0).flags,
        preferred: None,
        no_track: false,
        group: None,
    };
    let mut preferred = None;
    while let Some(word) = line.word() {
        match &*word.text {
            "dev" => draft.link = Some(device(line, &word)?),
            "preferred_lft" => preferred = lifetime(line, &word),
            _ => option(&mut draft, line, &word),
        }
    }
    let usual = AddressSpec::new(LinkIndex::default(), draft.address, draft.prefix).preferred;
    draft.preferred = preferred.unwrap_or(usual);
    Some(draft)
}

/// A number of seconds, or for ever.
fn lifetime(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<Option<u32>> {
    const EXPECTED: &str = "`forever` or a number of seconds";
    let word = needed(line, option, EXPECTED)?;
    if word.text == "forever" {
        return Some(None);
    }
    // The largest number is how the kernel says "for ever".
    let seconds = integer(&word.text, 0, u32::MAX - 1).ok();
    if seconds.is_none() {
        invalid(line, option, &word, EXPECTED);
    }
    seconds.map(Some)
}

/// Flags that IPv6 addresses only have.
fn ipv6(draft: &mut AddressDraft, line: &mut Line<'_, '_>, word: &Word<'_>, (set, clear): (u32, u32)) {
    if draft.address.is_ipv6() {
        draft.flags = (draft.flags | set) & !clear;
        return;
    }
    line.cx.warn(
        INVALID,
        word.at,
        format_args!("{} does not concern IPv4", Quoted(&word.text)),
        format_args!("remove it; the address is added without it"),
    );
}

fn option(draft: &mut AddressDraft, line: &mut Line<'_, '_>, word: &Word<'_>) {
    match &*word.text {
        "brd" | "broadcast" => broadcast(draft, line, word),
        "scope" => scope(draft, line, word),
        "label" => label(draft, line, word),
        "peer" => peer(draft, line, word),
        "no_track" => draft.no_track = true,
        "home" => ipv6(draft, line, word, (IFA_F_HOMEADDRESS, 0)),
        "-nodad" => ipv6(draft, line, word, (0, IFA_F_NODAD)),
        "noprefixroute" => draft.flags |= IFA_F_NOPREFIXROUTE,
        "autojoin" => draft.flags |= IFA_F_MCAUTOJOIN,
        "track_group" => {
            draft.group = needed(line, word, "the name of a track_group")
                .map(|word| Given { value: word.text.into(), at: word.at });
        }
        "mngtmpaddr" | "use_vmac" => refuse(line, word),
        text => {
            let near = nearest(text, &mut OPTIONS.into_iter());
            line.cx.error(
                UNKNOWN,
                word.at,
                format_args!("{} is no option of an address", Quoted(text)),
                format_args!(
                    "{}{}it is left out; one address stands on one line",
                    near.map_or("", |_| "did you mean "),
                    near.map_or(String::new(), |near| format!("`{near}`? ")),
                ),
            );
        }
    }
}

fn refuse(line: &mut Line<'_, '_>, word: &Word<'_>) {
    line.cx.error(
        UNSUPPORTED,
        word.at,
        format_args!("{} is not supported by this version", Quoted(&word.text)),
        format_args!("the address is added without it"),
    );
}

/// An address on another interface than the one that was meant does harm: without it the whole line is left out.
fn device(line: &mut Line<'_, '_>, option: &Word<'_>) -> Option<Given<LinkName>> {
    if line.peek().is_some() {
        return rows::link(line).or_else(|| {
            line.rest();
            None
        });
    }
    line.cx.error(
        MISSING,
        option.at,
        format_args!("`dev` lacks its value"),
        format_args!("write the name of an interface behind it; the line is left out"),
    );
    None
}

/// The value of an option. The address is good without it.
fn needed<'t>(line: &mut Line<'_, 't>, option: &Word<'_>, expected: &str) -> Option<Word<'t>> {
    let word = line.word();
    if word.is_none() {
        line.cx.error(
            MISSING,
            option.at,
            format_args!("{} lacks its value", Quoted(&option.text)),
            format_args!("write {expected} behind it; the address is added without it"),
        );
    }
    word
}

fn invalid(line: &mut Line<'_, '_>, option: &Word<'_>, word: &Word<'_>, expected: &str) {
    line.cx.error(
        INVALID,
        word.at,
        format_args!("{}: {} is not {expected}", option.text, Quoted(&word.text)),
        format_args!("write {expected}; the address is added without it"),
    );
}

fn broadcast(draft: &mut AddressDraft, line: &mut Line<'_, '_>, option: &Word<'_>) {
    const EXPECTED: &str = "an IPv4 address, `+` or `-`";
    let Some(word) = needed(line, option, EXPECTED) else { return };
    let IpAddr::V4(address) = draft.address else {
        return line.cx.error(
            INVALID,
            option.at,
            format_args!("an IPv6 address has no broadcast address"),
            format_args!("remove {}; the address is added without it", Quoted(&option.text)),
        );
    };
    let hosts = u32::MAX.checked_shr(u32::from(draft.prefix)).unwrap_or(0);
    match &*word.text {
        "+" => draft.broadcast = Some(Ipv4Addr::from_bits(address.to_bits() | hosts)),
        "-" => draft.broadcast = Some(Ipv4Addr::from_bits(address.to_bits() & !hosts)),
        text => match text.parse() {
            Ok(address) => draft.broadcast = Some(address),
            Err(_) => invalid(line, option, &word, EXPECTED),
        },
    }
}

/// `linux/rtnetlink.h`, `enum rt_scope_t`.
fn scope(draft: &mut AddressDraft, line: &mut Line<'_, '_>, option: &Word<'_>) {
    const EXPECTED: &str = "global, site, link, host or a number up to 255";
    let Some(word) = needed(line, option, EXPECTED) else { return };
    match &*word.text {
        "global" => draft.scope = 0,
        "site" => draft.scope = 200,
        "link" => draft.scope = 253,
        "host" => draft.scope = 254,
        "nowhere" => draft.scope = 255,
        text => match text.parse() {
            Ok(scope) => draft.scope = scope,
            Err(_) => invalid(line, option, &word, EXPECTED),
        },
    }
}

fn label(draft: &mut AddressDraft, line: &mut Line<'_, '_>, option: &Word<'_>) {
    let Some(word) = needed(line, option, "a label such as eth0:1") else { return };
    // IFNAMSIZ with its NUL.
    if (1..=15).contains(&word.text.len()) && word.text.bytes().all(|byte| byte.is_ascii_graphic()) {
        draft.label = word.text.into();
    } else {
        invalid(line, option, &word, "a label of 1 to 15 characters");
    }
}

fn peer(draft: &mut AddressDraft, line: &mut Line<'_, '_>, option: &Word<'_>) {
    let Some(word) = needed(line, option, "the address of the other end") else { return };
    match network(line, &word).filter(|(peer, _)| peer.is_ipv4() == draft.address.is_ipv4()) {
        Some((peer, prefix)) => {
            draft.peer = Some(peer);
            draft.prefix = prefix.unwrap_or(draft.prefix);
        }
        None => invalid(line, option, &word, "an address of the same family"),
    }
}

/// `ADDRESS[/PREFIX]`. A prefix that is none is reported and, as keepalived does it, not used.
pub(super) fn network(line: &mut Line<'_, '_>, word: &Word<'_>) -> Option<(IpAddr, Option<u8>)> {
    let Some((address, prefix)) = word.text.split_once('/') else {
        return Some((word.text.parse().ok()?, None));
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    if let Some(length) = integer(prefix, 0, most).ok().and_then(|length| u8::try_from(length).ok()) {
        return Some((address, Some(length)));
    }
    line.cx.error(
        INVALID,
        word.at,
        format_args!("{} is no prefix length: {most} is used", Quoted(prefix)),
        format_args!("write a number from 0 to {most} behind the slash"),
    );
    Some((address, u8::try_from(most).ok()))
}
