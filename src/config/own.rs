//! Blocks of our own: `ping_group`, `firewall`, `real_server_role`, and those that this version reads and does not act
//! on: `serial_link`, and some lines of `appliance` and `interface`.
//!
//! The grammar of the latter is checked in full, so that a mistake inside is named today; then an error says that the
//! block or the line is not supported. Inside these blocks several keywords may share a line.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{address, network};
use super::appliance::ApplianceDraft;
use super::build::{Tables, row};
use super::codes::{FIREWALL as FIREWALL_CODE, USELESS_TRACKER};
use super::ids::AddressId;
use super::model::Config;
use super::rows::{flag, integer, link, list, timer, words};
use crate::limits::MAX_FIREWALL_RULES;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, MISSING, RANGE};
use crate::syntax::{Context, Given, Keyword, Kind, Line, NodeId, Position, Table, Walk};
use crate::time::Duration;
use crate::wire::genl_ipvs::{Protocol, ServiceKey};
use crate::wire::link::LinkName;
use crate::wire::nftables::firewall::{Act, FirewallRule, Part};

/// What a block of ours must have, or must agree in.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) at: Position,
    pub(super) hosts: Vec<Given<IpAddr>>,
    pub(super) interval: Option<Given<Duration>>,
    pub(super) dead: Option<Given<Duration>>,
    pub(super) fall: Option<u8>,
    pub(super) rise: Option<u8>,
    pub(super) init_fail: bool,
}

const NOT_YET: &str = "what stands in it was checked; set it up with the means of the machine";
const LINE: &str = "its form was checked; remove it: the box runs without it";

pub(super) static FIREWALL: Table<ApplianceDraft> = Table { name: "firewall", rows: &[FIREWALL_ROWS] };
pub(super) static ROLE: Table<ApplianceDraft> = Table { name: "real_server_role", rows: &[ROLE_ROWS] };
pub(super) static PING: Table<ApplianceDraft> = Table { name: "ping_group", rows: &[PING_ROWS] };
pub(super) static SERIAL: Table<ApplianceDraft> = Table { name: "serial_link", rows: &[SERIAL_ROWS] };

const FIREWALL_ROWS: &[Keyword<ApplianceDraft>] = &[
    words(
        "mark|none|mark what goes to an address, for `virtual_server fwmark N`",
        "`N to ADDRESS [tcp PORT]`",
        |b, line| rule(b, line, mark),
    ),
    words(
        "masquerade|none|hide senders of a network; IPVS's packets need vs.conntrack 1",
        "`from NETWORK [out INTERFACE]`",
        |b, line| rule(b, line, masquerade),
    ),
    words(
        "redirect|none|take in what goes to an address that is not here, as a DR real server",
        "`to ADDRESS [tcp PORT]`",
        |b, line| rule(b, line, |line| to(line, Act::Redirect)),
    ),
];

const ROLE_ROWS: &[Keyword<ApplianceDraft>] = &[
    list("virtual_ipaddress|none|virtual addresses on lo, with ARP for them off", role_address),
    words("tunnel|none|for `lb_kind TUN`, too: addresses stand on tunl0 and ip6tnl0", "`ipip`", |b, line| {
        b.tunnel |= needs(line, "ipip").is_some();
    }),
];

const PING_ROWS: &[Keyword<ApplianceDraft>] = &[
    timer("interval|1 s|time between two echo requests", Duration::from_millis(100), MINUTE, |b, given| {
        b.own.interval = Some(given);
    }),
    timer("dead|5 s|silence after which a host is down", Duration::from_millis(200), HOUR, |b, given| {
        b.own.dead = Some(given);
    }),
    integer("fall|by `dead`|requests lost in a row that make a host down", 2, 255, |b, given| {
        b.own.fall = u8::try_from(given.value).ok();
    }),
    integer("rise|1|answers in a row that make a host up again", 1, 255, |b, given| {
        b.own.rise = u8::try_from(given.value).ok();
    }),
    flag("init_fail|off|hosts are down until they answer", |b, _| b.own.init_fail = true),
];

const SERIAL_ROWS: &[Keyword<ApplianceDraft>] = &[
    integer("baud|115200|speed of the line, in bits a second|later", 300, 4_000_000, |_, _| {}),
    timer(
        "interval|0.25 s|time between two heartbeats|later",
        Duration::from_millis(50),
        MINUTE,
        |b, given| {
            b.own.interval = Some(given);
        },
    ),
    timer(
        "dead|1.5 s|silence after which the link is down|later",
        Duration::from_millis(100),
        HOUR,
        |b, given| {
            b.own.dead = Some(given);
        },
    ),
    Keyword {
        text: "auth_key|none|signs the heartbeats|later",
        kind: Kind::Words { expected: "a key", set: key },
    },
];

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// `firewall { … }`
pub(super) fn firewall(draft: &mut ApplianceDraft, cx: &mut Context<'_>, node: NodeId) {
    cx.line(node).end();
    Walk::shared(cx, node, &FIREWALL, draft);
}

/// `real_server_role { … }`
pub(super) fn role(draft: &mut ApplianceDraft, cx: &mut Context<'_>, node: NodeId) {
    cx.line(node).end();
    draft.role.get_or_insert_default();
    Walk::shared(cx, node, &ROLE, draft);
}

impl Config {
    /// True for an address of `real_server_role`.
    pub fn is_of_role(&self, id: AddressId) -> bool {
        self.role.is_some_and(|first| id.0 >= first)
    }

    /// The devices of IP-in-IP tunnels that packets for addresses of `real_server_role` come by, IPv4 and IPv6.
    pub fn tunnels(&self) -> impl Iterator<Item = &'static str> {
        let first = self.role.filter(|_| self.tunnel).map_or(usize::MAX, |first| first as usize);
        let ours = self.addresses.get(first..).unwrap_or(&[]);
        let used = |four: bool| ours.iter().any(|one| one.address.is_ipv4() == four);
        [("tunl0", used(true)), ("ip6tnl0", used(false))]
            .into_iter()
            .filter(|(_, used)| *used)
            .map(|(name, _)| name)
    }

    /// True if packets of others leave with an address of this box.
    pub fn masquerades(&self) -> bool {
        self.firewall.iter().any(|rule| rule.part() == Part::Masquerade)
    }
}

/// A line of `firewall`.
fn rule(
    draft: &mut ApplianceDraft,
    line: &mut Line<'_, '_>,
    read: fn(&mut Line<'_, '_>) -> Option<FirewallRule>,
) {
    let at = line.keyword().at;
    let Some(value) = read(line) else { return };
    let same = |one: &Given<FirewallRule>| {
        let (one, act) = (one.value, one.value.part() == value.part());
        act && FirewallRule { act: value.act, ..one } == value
    };
    if let Some(other) = draft.firewall.iter().find(|one| same(one)) {
        return line.cx.error(
            FIREWALL_CODE,
            at,
            format_args!("the same packets are meant by `{}` already", other.value),
            format_args!("remove one of the two; this one is left out"),
        );
    }
    // What is beyond the limit is counted, and not kept.
    if draft.firewall.len() <= MAX_FIREWALL_RULES {
        draft.firewall.push(Given { value, at });
    }
}

/// A line of `real_server_role`.
fn role_address(draft: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    let Some(mut address) = address(line) else { return };
    let full = if address.address.is_ipv4() { 32 } else { 128 };
    if address.prefix != full {
        line.cx.warn(
            INVALID,
            address.at,
            format_args!(
                "{}/{}: the whole network would be taken for this box",
                address.address, address.prefix
            ),
            format_args!("write /{full} or no prefix; /{full} is used"),
        );
        address.prefix = full;
    }
    draft.role.get_or_insert_default().push(address);
}

/// Adds the rules, and the addresses of the role behind all others.
pub(super) fn finish(draft: &mut ApplianceDraft, tables: &mut Tables, cx: &mut Context<'_>) {
    for Given { value, at } in core::mem::take(&mut draft.firewall) {
        if tables.firewall_count.admit(at) {
            tables.firewall.push(value);
            if let Act::Mark(number) = value.act {
                lint(number, at, tables, cx);
            }
        }
    }
    let Some(role) = draft.role.take() else { return };
    (tables.role, tables.tunnel) = (Some(row(tables.addresses.len())), draft.tunnel);
    for address in &role {
        let device = match (draft.tunnel, address.address.is_ipv4()) {
            (false, _) => "lo",
            (true, true) => "tunl0",
            (true, false) => "ip6tnl0",
        };
        let link = LinkName::new(device).and_then(|name| tables.link(name, address.at));
        if let Some(link) = link {
            super::instance_build::add_address(address, (None, link), tables, cx);
        }
    }
}

/// A mark that no service and no rule asks for.
fn lint(number: u32, at: Position, tables: &Tables, cx: &mut Context<'_>) {
    let service = |key: &ServiceKey| matches!(key, ServiceKey::Mark { mark, .. } if mark.get() == number);
    let asked = |mark: Option<(u32, u32)>| mark.is_some_and(|(mark, mask)| number & mask == mark & mask);
    if !tables.services.iter().any(|one| service(&one.key))
        && !tables.rules.iter().any(|one| asked(one.spec.mark))
    {
        cx.warn(
            FIREWALL_CODE,
            at,
            format_args!("nothing asks for mark {number}"),
            format_args!("write `virtual_server fwmark {number}`, or remove the line"),
        );
    }
}

/// `ping_group NAME { ADDRESS… [interval S] [dead S] }`
pub(super) fn ping(draft: &mut ApplianceDraft, cx: &mut Context<'_>, node: NodeId) {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let name = line.need("the name of the group").map(|word| word.text.into_owned());
    line.end();
    draft.own = Draft { at, ..Draft::default() };
    Walk::items(cx, node, hosts, draft);
    if draft.own.hosts.is_empty() {
        cx.error(
            MISSING,
            at,
            format_args!("this `ping_group` has no valid address"),
            format_args!("write addresses of hosts outside, such as that of the next router"),
        );
    }
    let sound = draft.own.fall.is_some()
        || patience(cx, &draft.own, (Duration::from_secs(1), Duration::from_secs(5)));
    if let (Some(_), Some(dead)) = (draft.own.fall, draft.own.dead) {
        cx.warn(
            USELESS_TRACKER,
            dead.at,
            format_args!("`dead` changes nothing beside `fall`"),
            format_args!("one of them says when a host is down: remove the other"),
        );
    }
    let own = core::mem::take(&mut draft.own);
    if let Some(name) = name.filter(|_| sound && !own.hosts.is_empty()) {
        draft.pings.push(Draft { name, ..own });
    }
}

/// Addresses and keywords in any order.
fn hosts(draft: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    while let Some(word) = line.keyword_next() {
        if let Ok(value) = word.text.parse::<IpAddr>() {
            draft.own.hosts.push(Given { value, at: word.at });
        } else if word.text == "init_fail" {
            draft.own.init_fail = true;
        } else if let Some((_, Keyword { kind: Kind::Timer { min, max, set }, .. })) = PING.find(&word.text) {
            match line.timer(*min, *max) {
                Some(given) => set(draft, given),
                None => return line.rest(),
            }
        } else if let Some((_, Keyword { kind: Kind::Integer { min, max, set }, .. })) = PING.find(&word.text)
        {
            match line.integer(*min, *max) {
                Some(given) => set(draft, given),
                None => return line.rest(),
            }
        } else {
            line.cx.error(
                INVALID,
                word.at,
                format_args!("{} is neither an address nor a keyword of a ping_group", Quoted(&word.text)),
                format_args!("write addresses such as 192.0.2.1; the rest of the line is left out"),
            );
            return line.rest();
        }
    }
}

/// `serial_link DEVICE { … }`
pub(super) fn serial(draft: &mut ApplianceDraft, cx: &mut Context<'_>, node: NodeId) {
    const DEVICE: &str = "a device of /dev such as ttyS1";
    let mut line = cx.line(node);
    if let Some(word) = line.need(DEVICE) {
        // What an interface may be called is what a file of /dev may be called.
        match LinkName::new(&word.text) {
            Some(_) => line.end(),
            None => line.invalid(&word, DEVICE),
        }
    }
    draft.own = Draft::default();
    Walk::shared(cx, node, &SERIAL, draft);
    patience(cx, &draft.own, (Duration::from_millis(250), Duration::from_millis(1_500)));
    cx.unsupported(node, 0, NOT_YET);
}

/// One lost packet is no outage.
fn patience(cx: &mut Context<'_>, draft: &Draft, (interval, dead): (Duration, Duration)) -> bool {
    let Some(at) = draft.dead.map(|it| it.at).or(draft.interval.map(|it| it.at)) else { return true };
    let interval = draft.interval.map_or(interval, |given| given.value);
    let dead = draft.dead.map_or(dead, |given| given.value);
    let least = interval + interval;
    if dead < least {
        cx.error(
            RANGE,
            at,
            format_args!("`dead` is {dead} s and `interval` is {interval} s: one lost packet would count"),
            format_args!("write a `dead` of at least {least} seconds"),
        );
    }
    dead >= least
}

/// `N to ADDRESS [tcp|udp|sctp PORT[-PORT]]`
fn mark(line: &mut Line<'_, '_>) -> Option<FirewallRule> {
    let number = line.integer(1, u32::MAX).or_else(|| rest(line))?;
    to(line, Act::Mark(number.value))
}

/// `to ADDRESS [tcp|udp|sctp PORT[-PORT]]`
fn to(line: &mut Line<'_, '_>, act: Act) -> Option<FirewallRule> {
    needs(line, "to")?;
    let network = line.address().or_else(|| rest(line))?.value;
    let protocols = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp), ("sctp", Protocol::Sctp)];
    let ports = match protocols.into_iter().find(|(word, _)| line.take(word)) {
        Some((_, protocol)) => Some(ports(line, protocol)?),
        None => None,
    };
    Some(FirewallRule { act, network, prefix: if network.is_ipv4() { 32 } else { 128 }, ports, link: None })
}

fn ports(line: &mut Line<'_, '_>, protocol: Protocol) -> Option<(Protocol, u16, u16)> {
    let word = line.need("a port, or a range such as 8000-8080")?;
    let (low, high) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    match (port(low), port(high)) {
        (Some(low), Some(high)) if low <= high => Some((protocol, low, high)),
        _ => {
            line.invalid(&word, "a port from 1 to 65535, or a range such as 8000-8080");
            None
        }
    }
}

/// `from NETWORK [out INTERFACE]`
fn masquerade(line: &mut Line<'_, '_>) -> Option<FirewallRule> {
    const EXPECTED: &str = "a network such as 203.0.113.0/24";
    needs(line, "from")?;
    let word = line.need(EXPECTED)?;
    let Some((address, prefix)) = network(line, &word) else {
        line.invalid(&word, EXPECTED);
        return rest(line);
    };
    let link = if line.take("out") { Some(link(line)?.value) } else { None };
    let prefix = prefix.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
    Some(FirewallRule {
        act: Act::Masquerade,
        network: truncated(address, prefix),
        prefix,
        ports: None,
        link,
    })
}

/// Without the bits behind the prefix.
fn truncated(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            (address & Ipv4Addr::from_bits(mask)).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            (address & Ipv6Addr::from_bits(mask)).into()
        }
    }
}

/// Where the next keyword begins is unknown behind a wrong word.
fn rest<T>(line: &mut Line<'_, '_>) -> Option<T> {
    line.rest();
    None
}

/// Takes this very word.
fn needs(line: &mut Line<'_, '_>, word: &str) -> Option<()> {
    if line.take(word) {
        return Some(());
    }
    let expected = format!("`{word}`");
    let found = line.need(&expected)?;
    line.invalid(&found, &expected);
    rest(line)
}

/// The key is a secret: no message shows it, nor what may be its second word.
fn key(_: &mut ApplianceDraft, line: &mut Line<'_, '_>) {
    const MAX: usize = 64;
    let Some(word) = line.word() else { return };
    let split = line.peek().is_some_and(|next| SERIAL.find(&next.text).is_none());
    if !split && (1..=MAX).contains(&word.text.len()) {
        return;
    }
    let at = line.keyword().at;
    line.cx.error(
        INVALID,
        at,
        format_args!("auth_key: a key has 1 to {MAX} characters, and stands in quotes if it has blanks"),
        format_args!("write the same key at both ends; the line is left out"),
    );
    line.rest();
}

/// `console_password HASH`. What stands there may be the password itself: no message shows it.
pub(super) fn console_password(line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    let at = line.keyword().at;
    if word.text.starts_with("$pbkdf2") && word.text.split('$').count() >= 4 {
        return line.unsupported(LINE);
    }
    line.cx.error(
        INVALID,
        at,
        format_args!("console_password: this is no hash of a password"),
        format_args!("write a hash that begins with `$pbkdf2`; the line is left out"),
    );
    line.rest();
}

/// `watchdog SECONDS [identity TEXT]`
pub(super) fn watchdog(line: &mut Line<'_, '_>) {
    if line.integer(1, 3_600).is_none() {
        return line.rest();
    }
    if line.take("identity") && line.need("the driver's name in quotes, such as \"i6300ESB timer\"").is_none()
    {
        return;
    }
    line.unsupported(LINE);
}

/// `syslog ADDRESS [PORT]`
pub(super) fn syslog(line: &mut Line<'_, '_>) {
    if line.address().is_none() {
        return line.rest();
    }
    let number = line.peek().is_some_and(|word| word.text.bytes().all(|byte| byte.is_ascii_digit()));
    if number && line.integer(1, 65_535).is_none() {
        return line.rest();
    }
    line.unsupported(LINE);
}

/// `bond MODE`, by the names that the kernel's bonding driver gives its modes.
pub(super) fn bond(line: &mut Line<'_, '_>) {
    const MODES: &str =
        "one of 802.3ad active-backup balance-rr balance-xor broadcast balance-tlb balance-alb";
    let Some(word) = line.word() else { return };
    if MODES.split(' ').skip(2).any(|mode| word.text == mode) {
        line.unsupported("its form was checked; set it up without bonding");
    } else {
        line.invalid(&word, MODES);
    }
}

/// `member INTERFACE`
pub(super) fn member(line: &mut Line<'_, '_>) {
    if link(line).is_some() {
        line.unsupported("its form was checked; set it up without bonding");
    }
}
