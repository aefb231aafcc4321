//! What instances and groups track: interfaces, ping groups, services, and variables of the console in the role of
//! `track_file`. Lines as written, and what they stand for.

use core::fmt;
use core::net::IpAddr;
use std::rc::Rc;

use super::appliance::ApplianceDraft;
use super::build::{Tables, row};
use super::codes::{LIMIT, TRACKED, USELESS_TRACKER};
use super::group::GroupDraft;
use super::ids::{AddressId, Id, LinkId, PingGroupId, Range, ServiceId, TrackedRouteId, VariableId};
use super::instance::InstanceDraft;
use super::iproute::{self, TABLES};
use super::model::{Assumption, PingGroup, Probe, Terms, TrackTarget, TrackedRoute, Tracker, Variable};
use super::own;
use super::rows::{ignored, link, weight, words};
use super::static_build::{self, StaticDraft};
use crate::check::Checker;
use crate::check::ping_check::PingCheck;
use crate::limits::MAX_TRACKED_ROUTES;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::INVALID;
use crate::syntax::value;
use crate::syntax::{Context, Given, Keyword, Line, NodeId, Position, Table, Walk, Word};
use crate::time::Duration;
use crate::wire::genl_ipvs::ServiceKey;
use crate::wire::link::LinkName;
use crate::wire::rtnetlink::route::{Network, RT_TABLE_MAIN};

/// What is tracked, as written.
#[derive(Clone, Debug)]
pub(super) enum TargetDraft {
    Link(LinkName),
    Ping(String),
    Service(IpAddr, u16),
    Mark(u32),
    Variable(String),
    Route(RouteDraft),
}

/// What a route must be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteDraft {
    destination: Network,
    table: u32,
    link: Option<Given<LinkName>>,
    gateway: Option<IpAddr>,
}

impl fmt::Display for TargetDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(name) => f.write_str(name.as_str()),
            Self::Ping(name) | Self::Variable(name) => write!(f, "{}", Quoted(name)),
            Self::Service(address, port) => write!(f, "{address} {port}"),
            Self::Mark(mark) => write!(f, "fwmark {mark}"),
            Self::Route(route) => write!(f, "{}/{}", route.destination.0, route.destination.1),
        }
    }
}

/// A line of a block of trackers.
#[derive(Clone, Debug)]
pub(super) struct TrackerDraft {
    pub(super) target: TargetDraft,
    pub(super) at: Position,
    pub(super) weight: Option<i16>,
    pub(super) reverse: bool,
    rise: Duration,
    fall: Duration,
    init_fail: bool,
}

/// Why `track_link` is refused: a [`TrackTarget`] of its own comes with what speaks over a serial link.
pub(super) const NO_LINK: &str =
    "serial links are not spoken over yet: track an interface, a ping_group or a route instead";

/// A `track_file` of the top level.
#[derive(Debug, Default)]
pub(super) struct VariableDraft {
    name: String,
    at: Position,
    weight: Option<i16>,
    initial: i16,
}

/// Largest weight: it keeps a priority between 1 and 254.
const WEIGHT: i16 = 253;
/// Largest weight of a variable, as with keepalived: one more, which means FAULT.
const FACTOR: i16 = 254;
/// Longest `rise` and `fall`.
const LONGEST_HOLD: Duration = Duration::from_secs(3_600);
/// Largest value of a variable: more than any priority.
const MAX_VALUE: i16 = 10_000;

pub(super) static TRACK_FILE: Table<ApplianceDraft> = Table { name: "track_file", rows: &[VARIABLE_ROWS] };

const VARIABLE_ROWS: &[Keyword<ApplianceDraft>] = &[
    ignored(
        "file|none|path of the file",
        0,
        "no file is read: `set track NAME VALUE` on the console sets it",
    ),
    words(
        "weight|1|what its number is multiplied by, -254 to 254",
        "a number from -254 to 254",
        |b, line| {
            let weight = weight(line, FACTOR);
            if let Some(draft) = b.variables.last_mut() {
                draft.weight = weight.map(|given| given.value).or(draft.weight);
            }
        },
    ),
    words("init_file|0|number to begin with", "a number", |b, line| {
        let initial = number(line);
        line.take("overwrite");
        if let (Some(draft), Some(initial)) = (b.variables.last_mut(), initial) {
            draft.initial = initial;
        }
    }),
];

fn number(line: &mut Line<'_, '_>) -> Option<i16> {
    let word = line.need("a number from -10000 to 10000")?;
    let number = value::signed(&word.text, MAX_VALUE).ok();
    if number.is_none() {
        line.invalid(&word, "a number from -10000 to 10000");
    }
    number
}

/// Reads a `track_file` block of the top level.
pub(super) fn variable(draft: &mut ApplianceDraft, cx: &mut Context<'_>, node: NodeId) {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let Some(name) = line.need("the name of the variable") else { return };
    line.end();
    let name = name.text.into_owned();
    draft.variables.push(VariableDraft { name, at, ..VariableDraft::default() });
    Walk::block(cx, node, &TRACK_FILE, draft);
}

/// A line of `track_interface`.
pub(super) fn of_link(line: &mut Line<'_, '_>) -> Option<TrackerDraft> {
    let Some(name) = link(line) else {
        line.rest();
        return None;
    };
    options(line, TargetDraft::Link(name.value), name.at)
}

/// A line of `track_ping_group`.
pub(super) fn of_ping(line: &mut Line<'_, '_>) -> Option<TrackerDraft> {
    let word = line.need("the name of a ping_group")?;
    let at = word.at;
    options(line, TargetDraft::Ping(word.text.into_owned()), at)
}

/// A line of `track_file`.
pub(super) fn of_variable(line: &mut Line<'_, '_>) -> Option<TrackerDraft> {
    let word = line.need("the name of a track_file")?;
    let at = word.at;
    options(line, TargetDraft::Variable(word.text.into_owned()), at)
}

/// A line of `track_service`: `ADDRESS PORT` or `fwmark N`.
pub(super) fn of_service(line: &mut Line<'_, '_>) -> Option<TrackerDraft> {
    let at = line.keyword().at;
    let target = if line.take("fwmark") {
        TargetDraft::Mark(line.integer(1, u32::MAX)?.value)
    } else {
        let address = line.address()?;
        let port = line.integer(0, 65_535)?;
        TargetDraft::Service(address.value, u16::try_from(port.value).unwrap_or(0))
    };
    options(line, target, at)
}

/// A line of `track_route`: `NETWORK|default [table N] [dev IF] [via ROUTER]` and what any tracker may say.
pub(super) fn of_route(line: &mut Line<'_, '_>) -> Option<TrackerDraft> {
    let word = line.word()?;
    let at = word.at;
    let mut route = RouteDraft { destination: ANY, table: RT_TABLE_MAIN, link: None, gateway: None };
    let given = iproute::parse_network(&word.text).map(iproute::masked);
    if given.is_none() && word.text != "default" {
        line.invalid(&word, "a network such as 198.51.100.0/24, or `default`");
        line.rest();
        return None;
    }
    while let Some(word) = line.peek().filter(|word| matches!(&*word.text, "table" | "dev" | "via" | "gw")) {
        line.word();
        let read = match &*word.text {
            "table" => {
                let table = iproute::number(line, &word, (u32::MAX, TABLES), "a table's number or name");
                table.map(|table| route.table = table)
            }
            "dev" => iproute::device(line, &word).map(|link| route.link = Some(link)),
            _ => iproute::address(line, &word).map(|gateway| route.gateway = Some(gateway)),
        };
        if read.is_none() {
            line.rest();
            return None;
        }
    }
    let everything = if route.gateway.is_some_and(|gateway| gateway.is_ipv6()) { ANY6 } else { ANY };
    route.destination = given.unwrap_or(everything);
    options(line, TargetDraft::Route(route), at)
}

/// The default routes.
const ANY: Network = (IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
const ANY6: Network = (IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED), 0);

fn options(line: &mut Line<'_, '_>, target: TargetDraft, at: Position) -> Option<TrackerDraft> {
    let none = Duration::ZERO;
    // A variable is set by hand, an interface has `interface_up_down_delays`: both count at once.
    let holds = !matches!(target, TargetDraft::Link(_) | TargetDraft::Variable(_));
    let most = if matches!(target, TargetDraft::Variable(_)) { FACTOR } else { WEIGHT };
    let mut tracker =
        TrackerDraft { target, at, weight: None, reverse: false, rise: none, fall: none, init_fail: false };
    while let Some(word) = line.keyword_next() {
        match &*word.text {
            "weight" => tracker.weight = Some(weight(line, most).map_or(0, |given| given.value)),
            "reverse" => tracker.reverse = true,
            "rise" if holds => tracker.rise = hold(line),
            "fall" if holds => tracker.fall = hold(line),
            "init_fail" if holds => tracker.init_fail = true,
            _ => unknown(line, &word, holds),
        }
    }
    if tracker.init_fail && tracker.rise.is_zero() {
        line.cx.warn(
            USELESS_TRACKER,
            at,
            format_args!("init_fail without `rise` changes nothing"),
            format_args!("write for how many seconds it must be up first, such as `rise 5`, or remove it"),
        );
        tracker.init_fail = false;
    }
    Some(tracker)
}

fn hold(line: &mut Line<'_, '_>) -> Duration {
    line.timer(Duration::ZERO, LONGEST_HOLD).map_or(Duration::ZERO, |given| given.value)
}

fn unknown(line: &mut Line<'_, '_>, word: &Word<'_>, holds: bool) {
    let hint = if holds || !matches!(&*word.text, "rise" | "fall" | "init_fail") {
        "write one on each line, such as `eth1 weight -20`; it is left out"
    } else {
        "an interface has `interface_up_down_delays`, a track_file counts at once; it is left out"
    };
    line.cx.error(
        INVALID,
        word.at,
        format_args!("{} is no option of what is tracked", Quoted(&word.text)),
        format_args!("{hint}"),
    );
}

/// Adds ping groups and variables to the tables, before the instances that track them.
pub(super) fn prepare(draft: &ApplianceDraft, tables: &mut Tables, cx: &mut Context<'_>) {
    for ping in &draft.pings {
        let name = tables.texts.intern(&ping.name);
        if tables.ping_groups.iter().any(|one| one.name == name) {
            twice(&ping.name, ping.at, cx);
            continue;
        }
        let group = ping_group(ping, name, tables);
        tables.ping_groups.push(group);
    }
    for variable in &draft.variables {
        let name = tables.texts.intern(&variable.name);
        if tables.variables.iter().any(|one| one.name == name) {
            twice(&variable.name, variable.at, cx);
            continue;
        }
        let weight = variable.weight.unwrap_or(1);
        tables.variables.push(Variable { name, weight, initial: variable.initial });
    }
}

fn twice(name: &str, at: Position, cx: &mut Context<'_>) {
    cx.error(
        TRACKED,
        at,
        format_args!("{} is defined already; this one is left out", Quoted(name)),
        format_args!("give each a name of its own"),
    );
}

/// Every host is a probe like that of a `PING_CHECK`, and shared with one that is equal. Requests are half answer time
/// and half pause, and `fall` of them may be lost, or as many as fit into `dead`.
fn ping_group(ping: &own::Draft, name: super::model::Text, tables: &mut Tables) -> PingGroup {
    let interval = ping.interval.map_or(Duration::from_secs(1), |given| given.value);
    let half = interval.divided_by(2);
    let (fall, rise) = (ping.fall.unwrap_or(0), ping.rise.unwrap_or(1));
    let dead = match fall {
        0 => ping.dead.map_or(Duration::from_secs(5), |given| given.value),
        _ => interval.times(u64::from(fall)) + half,
    };
    let assumption = if ping.init_fail { Assumption::Down } else { Assumption::Up };
    let tries = match fall {
        0 => (dead.as_micros() - half.as_micros().min(dead.as_micros())) / interval.as_micros().max(1),
        _ => fall.into(),
    };
    let start = tables.probe_uses.len();
    for host in &ping.hosts {
        let probe = Probe {
            address: host.value,
            port: 0,
            terms: Rc::new(Terms {
                interval,
                timeout: half,
                retry: u32::try_from(tries.saturating_sub(1)).unwrap_or(0),
                rise,
                retry_delay: half,
                warmup: Duration::ZERO,
                assumption,
                bind: None,
                checker: Checker::Ping(PingCheck),
            }),
        };
        if let Some(id) = tables.probe(probe, host.at)
            && tables.probe_uses.get(start..).is_some_and(|uses| !uses.contains(&id))
        {
            tables.probe_uses.push(id);
        }
    }
    PingGroup {
        name,
        probes: row(start)..row(tables.probe_uses.len()),
        interval,
        dead,
        fall,
        rise,
        assumption,
    }
}

/// What a line stands for, and the weight if it says none; nothing for something that is not defined, which is
/// reported.
pub(super) fn resolve(
    draft: &TrackerDraft,
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> Option<(TrackTarget, i16)> {
    let (found, what, write) = match &draft.target {
        TargetDraft::Link(name) => return Some((TrackTarget::Link(tables.link(*name, draft.at)?), 0)),
        TargetDraft::Ping(name) => {
            let text = tables.texts.find(name);
            let found = tables.ping_groups.iter().position(|one| Some(one.name) == text);
            (
                found.map(|id| (TrackTarget::Ping(PingGroupId::from_index(id)), 0)),
                "ping_group",
                "ping_group NAME",
            )
        }
        TargetDraft::Variable(name) => {
            let text = tables.texts.find(name);
            let found = tables.variables.iter().position(|one| Some(one.name) == text);
            let found = found.and_then(|id| {
                let target = TrackTarget::Variable(VariableId::from_index(id));
                Some((target, tables.variables.get(id)?.weight))
            });
            (found, "track_file", "track_file NAME { weight 1 }")
        }
        TargetDraft::Route(route) => return tracked_route(route, draft.at, tables, cx),
        TargetDraft::Service(..) | TargetDraft::Mark(_) => {
            let found = tables.services.iter().position(|one| is(&one.key, &draft.target));
            let found = found.map(|id| (TrackTarget::Service(ServiceId::from_index(id)), 0));
            (found, "virtual_server", "virtual_server ADDRESS PORT")
        }
    };
    if found.is_none() {
        cx.error(
            TRACKED,
            draft.at,
            format_args!("there is no such {what}: it is not tracked"),
            format_args!("write a `{write}` block, or remove the line"),
        );
    }
    found
}

/// The row of a route that is tracked; equal ones share it.
fn tracked_route(
    draft: &RouteDraft,
    at: Position,
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> Option<(TrackTarget, i16)> {
    let RouteDraft { destination, table, gateway, .. } = *draft;
    let link = match draft.link {
        Some(given) => Some(tables.link(given.value, given.at)?),
        None => None,
    };
    let route = TrackedRoute { destination, table, link, gateway };
    let known = tables.tracked_routes.iter().position(|one| *one == route);
    let id = known.unwrap_or(tables.tracked_routes.len());
    if id >= MAX_TRACKED_ROUTES {
        cx.error(
            LIMIT,
            at,
            format_args!("more than {MAX_TRACKED_ROUTES} routes are tracked"),
            format_args!("track fewer; this one is not"),
        );
        return None;
    }
    if known.is_none() {
        tables.tracked_routes.push(route);
    }
    Some((TrackTarget::Route(TrackedRouteId::from_index(id)), 0))
}

fn is(key: &ServiceKey, target: &TargetDraft) -> bool {
    match (key, target) {
        (ServiceKey::Address { address, port, .. }, TargetDraft::Service(of, at)) => {
            (address, port) == (of, at)
        }
        (ServiceKey::Mark { mark, .. }, TargetDraft::Mark(number)) => mark.get() == *number,
        (ServiceKey::Address { .. } | ServiceKey::Mark { .. }, _) => false,
    }
}

/// The own interface, the interfaces of the addresses, then what is asked for. Weight 0: down means FAULT.
pub(super) fn add_trackers(
    (draft, group): (&InstanceDraft, Option<&GroupDraft>),
    (own, priority): (LinkId, u8),
    (addresses, fixed): (Range<AddressId>, &StaticDraft),
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> core::ops::Range<u32> {
    let start = tables.trackers.len();
    tables.trackers.push(Tracker::of_link(own, 0));
    let quiet: Vec<_> =
        draft.addresses.iter().chain(&draft.excluded).filter(|address| address.no_track).collect();
    let mut devices: Vec<LinkId> = tables
        .addresses
        .get(addresses.rows())
        .unwrap_or(&[])
        .iter()
        .filter(|address| quiet.iter().all(|quiet| quiet.address != address.address))
        .map(|address| address.link)
        .collect();
    for given in draft.routes.iter().filter(|route| !route.no_track).flat_map(static_build::route_links) {
        devices.extend(tables.link(given.value, given.at));
    }
    for rule in draft.rules.iter().filter(|rule| !rule.no_track) {
        devices.extend(static_build::rule_links(rule, tables));
    }
    for given in fixed.tracked_by(&draft.name) {
        devices.extend(tables.link(given.value, given.at));
    }
    for link in devices {
        add_tracker(Tracker::of_link(link, 0), start, tables);
    }
    let shared = group.map(|group| group.trackers.as_slice()).unwrap_or_default();
    for draft in draft.trackers.iter().chain(shared) {
        let Some((target, usual)) = resolve(draft, tables, cx) else { continue };
        let given = draft.weight.unwrap_or(usual);
        let (mut weight, mut useless) = (given, None);
        if given != 0 && group.is_some_and(|group| !group.weighted) {
            weight = 0;
            useless = Some("in a sync group down means FAULT, unless it has `sync_group_tracking_weight`");
        } else if given != 0 && priority == u8::MAX {
            useless = Some("the priority of an owner (255) never changes");
        } else if given != 0 && target == TrackTarget::Link(own) {
            useless = Some("the interface of the adverts means FAULT when it is down");
        }
        if let Some(why) = useless {
            cx.warn(
                USELESS_TRACKER,
                draft.at,
                format_args!("the weight of {} changes nothing", draft.target),
                format_args!("{why}; remove it"),
            );
        }
        let TrackerDraft { reverse, rise, fall, init_fail, .. } = *draft;
        add_tracker(Tracker { target, weight, reverse, rise, fall, init_fail }, start, tables);
    }
    row(start)..row(tables.trackers.len())
}

fn add_tracker(tracker: Tracker, start: usize, tables: &mut Tables) {
    if tables.trackers.get(start..).is_some_and(|known| !known.contains(&tracker)) {
        tables.trackers.push(tracker);
    }
}
