//! What instances and groups track: interfaces, ping groups, services, and variables of the console in the role of
//! `track_file`. Lines as written, and what they stand for.

use core::fmt;
use core::net::IpAddr;

use super::appliance::ApplianceDraft;
use super::build::{Tables, row};
use super::codes::{TRACKED, USELESS_TRACKER};
use super::group::GroupDraft;
use super::ids::{AddressId, Id, LinkId, PingGroupId, Range, ServiceId, VariableId};
use super::instance::InstanceDraft;
use super::model::{Assumption, PingGroup, Probe, TrackTarget, Tracker, Variable};
use super::own;
use super::rows::{ignored, link, weight, words};
use super::static_build::{self, StaticDraft};
use crate::check::Checker;
use crate::check::ping_check::PingCheck;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::INVALID;
use crate::syntax::value;
use crate::syntax::{Context, Keyword, Line, NodeId, Position, Table, Walk};
use crate::time::Duration;
use crate::wire::genl_ipvs::ServiceKey;
use crate::wire::link::LinkName;

/// What is tracked, as written.
#[derive(Clone, Debug)]
pub(super) enum TargetDraft {
    Link(LinkName),
    Ping(String),
    Service(IpAddr, u16),
    Mark(u32),
    Variable(String),
}

impl fmt::Display for TargetDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(name) => f.write_str(name.as_str()),
            Self::Ping(name) | Self::Variable(name) => write!(f, "{}", Quoted(name)),
            Self::Service(address, port) => write!(f, "{address} {port}"),
            Self::Mark(mark) => write!(f, "fwmark {mark}"),
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
}

/// A `track_file` of the top level.
#[derive(Debug, Default)]
pub(super) struct VariableDraft {
    name: String,
    at: Position,
    weight: Option<i16>,
    initial: i16,
}

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
        "weight|1|what its number is multiplied by, -253 to 253",
        "a number from -253 to 253",
        |b, line| {
            let weight = weight(line);
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

fn options(line: &mut Line<'_, '_>, target: TargetDraft, at: Position) -> Option<TrackerDraft> {
    let mut tracker = TrackerDraft { target, at, weight: None, reverse: false };
    while let Some(word) = line.word() {
        match &*word.text {
            "weight" => tracker.weight = Some(weight(line).map_or(0, |given| given.value)),
            "reverse" => tracker.reverse = true,
            _ => {
                line.cx.error(
                    INVALID,
                    word.at,
                    format_args!("{} is no option of what is tracked", Quoted(&word.text)),
                    format_args!("write one on each line, such as `eth1 weight -20`; it is left out"),
                );
            }
        }
    }
    Some(tracker)
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
/// and half pause, and as many may be lost as fit into `dead`.
fn ping_group(ping: &own::Draft, name: super::model::Text, tables: &mut Tables) -> PingGroup {
    let interval = ping.interval.map_or(Duration::from_secs(1), |given| given.value);
    let dead = ping.dead.map_or(Duration::from_secs(5), |given| given.value);
    let assumption = if ping.init_fail { Assumption::Down } else { Assumption::Up };
    let half = interval.divided_by(2);
    let tries = (dead.as_micros() - half.as_micros().min(dead.as_micros())) / interval.as_micros().max(1);
    let start = tables.probe_uses.len();
    for host in &ping.hosts {
        let probe = Probe {
            target: (host.value, 0).into(),
            bind: None,
            interval,
            timeout: half,
            retry: u32::try_from(tries.saturating_sub(1)).unwrap_or(0),
            retry_delay: half,
            warmup: Duration::ZERO,
            assumption,
            checker: Checker::Ping(PingCheck),
        };
        if let Some(id) = tables.probe(probe, host.at)
            && tables.probe_uses.get(start..).is_some_and(|uses| !uses.contains(&id))
        {
            tables.probe_uses.push(id);
        }
    }
    PingGroup { name, probes: row(start)..row(tables.probe_uses.len()), interval, dead, assumption }
}

/// What a line stands for, and the weight if it says none; nothing for something that is not defined, which is reported.
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
        add_tracker(Tracker { target, weight, reverse: draft.reverse }, start, tables);
    }
    row(start)..row(tables.trackers.len())
}

fn add_tracker(tracker: Tracker, start: usize, tables: &mut Tables) {
    if tables.trackers.get(start..).is_some_and(|known| !known.contains(&tracker)) {
        tables.trackers.push(tracker);
    }
}
