//! Items of `virtual_ipaddress`: an address and what `ip address add` would be told.

use core::net::{IpAddr, Ipv4Addr};

use super::rows;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, UNKNOWN, UNSUPPORTED};
use crate::syntax::nearest::nearest;
use crate::syntax::{Given, Line, Position, Word};
use crate::wire::link::LinkName;

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
    pub(super) no_track: bool,
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
    let Some((address, prefix)) = network(&word.text) else {
        line.cx.error(
            INVALID,
            word.at,
            format_args!("{} is no address", Quoted(&word.text)),
            format_args!("write one address per line, such as 192.0.2.100/24; the line is left out"),
        );
        return None;
    };
    let full = if address.is_ipv4() { 32 } else { 128 };
    let mut draft = AddressDraft {
        at: word.at,
        address,
        prefix: prefix.unwrap_or(full),
        link: None,
        broadcast: None,
        peer: None,
        scope: 0,
        label: "".into(),
        no_track: false,
    };
    while let Some(word) = line.word() {
        option(&mut draft, line, &word);
    }
    Some(draft)
}

fn option(draft: &mut AddressDraft, line: &mut Line<'_, '_>, word: &Word<'_>) {
    match &*word.text {
        "dev" => draft.link = rows::link(line).or(draft.link),
        "brd" | "broadcast" => broadcast(draft, line),
        "scope" => scope(draft, line),
        "label" => label(draft, line),
        "peer" => peer(draft, line),
        "no_track" => draft.no_track = true,
        // Both are how addresses are added anyway.
        "home" | "-nodad" => {}
        "mngtmpaddr" | "noprefixroute" | "autojoin" | "use_vmac" => refuse(line, word),
        "preferred_lft" | "track_group" => {
            line.word();
            refuse(line, word);
        }
        text => {
            let near = nearest(text, OPTIONS.into_iter());
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

fn broadcast(draft: &mut AddressDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.need("an address, `+` or `-`") else { return };
    let IpAddr::V4(address) = draft.address else {
        return line.invalid(&word, "possible: an IPv6 address has no broadcast address");
    };
    let hosts = u32::MAX.checked_shr(u32::from(draft.prefix)).unwrap_or(0);
    match &*word.text {
        "+" => draft.broadcast = Some(Ipv4Addr::from_bits(address.to_bits() | hosts)),
        "-" => draft.broadcast = Some(Ipv4Addr::from_bits(address.to_bits() & !hosts)),
        text => match text.parse() {
            Ok(address) => draft.broadcast = Some(address),
            Err(_) => line.invalid(&word, "an IPv4 address, `+` or `-`"),
        },
    }
}

/// `linux/rtnetlink.h`, `enum rt_scope_t`.
fn scope(draft: &mut AddressDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.need("global, site, link, host or a number") else { return };
    match &*word.text {
        "global" => draft.scope = 0,
        "site" => draft.scope = 200,
        "link" => draft.scope = 253,
        "host" => draft.scope = 254,
        "nowhere" => draft.scope = 255,
        text => match text.parse() {
            Ok(scope) => draft.scope = scope,
            Err(_) => line.invalid(&word, "global, site, link, host or a number up to 255"),
        },
    }
}

fn label(draft: &mut AddressDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.need("a label such as eth0:1") else { return };
    // IFNAMSIZ with its NUL.
    if (1..=15).contains(&word.text.len()) && word.text.bytes().all(|byte| byte.is_ascii_graphic()) {
        draft.label = word.text.into();
    } else {
        line.invalid(&word, "a label of 1 to 15 characters");
    }
}

fn peer(draft: &mut AddressDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.need("the address of the other end") else { return };
    match network(&word.text).filter(|(peer, _)| peer.is_ipv4() == draft.address.is_ipv4()) {
        Some((peer, prefix)) => {
            draft.peer = Some(peer);
            draft.prefix = prefix.unwrap_or(draft.prefix);
        }
        None => line.invalid(&word, "an address of the same family"),
    }
}

/// `ADDRESS[/PREFIX]`
pub(super) fn network(text: &str) -> Option<(IpAddr, Option<u8>)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(text) => Some(u8::try_from(crate::syntax::value::integer(text, 0, most).ok()?).ok()?),
        None => None,
    };
    Some((address, prefix))
}
