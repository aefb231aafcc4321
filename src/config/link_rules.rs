//! What is configured for interfaces beyond their names: pauses between announcements (`garp_group`,
//! `vrrp_garp_interval`, `vrrp_gna_interval`) and how long a change must last (`interface_up_down_delays`).

use super::build::Tables;
use super::codes::MANNERS;
use super::global::GlobalDraft;
use super::ids::{Id, LinkId};
use super::keywords::RootDraft;
use super::model::{Instance, LinkRules};
use super::rows::{link, list, timer, words};
use crate::limits::MAX_LINKS;
use crate::syntax::keyword::MISSING;
use crate::syntax::{Context, Given, Keyword, Line, NodeId, Position, Table, Walk};
use crate::time::Duration;
use crate::wire::link::LinkName;

/// Pauses between two announcements: the limits of keepalived.
const SHORTEST_PAUSE: Duration = Duration::from_micros(1);
const LONGEST_PAUSE: Duration = Duration::from_micros(4_294_967_295);
/// From here on a pause makes a takeover slow.
const LONG_PAUSE: Duration = Duration::from_secs(1);
/// Longest delay of a change.
const LONGEST_DELAY: Duration = Duration::from_secs(255);

/// Pauses, `None` where nothing is said.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pauses {
    arp: Option<Given<Duration>>,
    advertisement: Option<Given<Duration>>,
}

/// A `garp_group`.
#[derive(Debug, Default)]
pub(super) struct GarpGroupDraft {
    pauses: Pauses,
    links: Vec<Given<LinkName>>,
}

/// A line of `interface_up_down_delays`.
#[derive(Debug, Clone, Copy)]
pub(super) struct DelayDraft {
    link: Given<LinkName>,
    down: Duration,
    up: Duration,
}

const fn pause<B>(text: &'static str, least: Duration, set: fn(&mut B, Given<Duration>)) -> Keyword<B> {
    timer(text, least, LONGEST_PAUSE, set)
}

pub(super) const GLOBAL: &[Keyword<GlobalDraft>] = &[
    pause(
        "vrrp_garp_interval|0 s|pause between gratuitous ARPs of one interface",
        SHORTEST_PAUSE,
        |b, given| b.pauses.arp = Some(given),
    ),
    pause(
        "vrrp_gna_interval|0 s|pause between neighbour advertisements of one interface",
        SHORTEST_PAUSE,
        |b, given| b.pauses.advertisement = Some(given),
    ),
];

pub(super) static GARP_GROUP: Table<GarpGroupDraft> = Table { name: "garp_group", rows: &[GROUP_ROWS] };

const GROUP_ROWS: &[Keyword<GarpGroupDraft>] = &[
    pause("garp_interval|0 s|pause between gratuitous ARPs", Duration::ZERO, |b, given| {
        b.pauses.arp = Some(given)
    }),
    pause("gna_interval|0 s|pause between neighbour advertisements", Duration::ZERO, |b, given| {
        b.pauses.advertisement = Some(given)
    }),
    words("interface|none|an interface of the group", "the name of an interface", |b, line| {
        b.links.extend(link(line))
    }),
    list("interfaces|none|interfaces that share the pauses", |b, line| b.links.extend(link(line))),
];

/// Reads a `garp_group` block.
pub(super) fn group(root: &mut RootDraft, cx: &mut Context<'_>, node: NodeId) {
    let mut draft = GarpGroupDraft::default();
    Walk::block(cx, node, &GARP_GROUP, &mut draft);
    let at = cx.tree.position(node);
    if draft.links.is_empty() {
        cx.error(
            MISSING,
            at,
            format_args!("this garp_group has no interface and is left out"),
            format_args!("write `interface eth0`, or `interfaces` with one on each line"),
        );
    } else if draft.pauses.arp.is_none() && draft.pauses.advertisement.is_none() {
        cx.warn(
            MANNERS,
            at,
            format_args!("this garp_group has no pause and changes nothing"),
            format_args!("write `garp_interval 0.001` or `gna_interval 0.001`"),
        );
    }
    report_long(draft.pauses, cx);
    root.garp_groups.push(draft);
}

fn report_long(pauses: Pauses, cx: &mut Context<'_>) {
    for given in [pauses.arp, pauses.advertisement].into_iter().flatten().filter(|it| it.value > LONG_PAUSE) {
        cx.warn(
            MANNERS,
            given.at,
            format_args!("{} s between two announcements make a takeover slow", given.value),
            format_args!("neighbours send to the old router until then; write some milliseconds"),
        );
    }
}

/// An interface, and for how long it must be down, and up, before that counts.
pub(super) fn delay(root: &mut RootDraft, line: &mut Line<'_, '_>) {
    let Some(link) = link(line) else { return line.rest() };
    let next = |line: &mut Line<'_, '_>| Some(line.timer(Duration::ZERO, LONGEST_DELAY)?.value);
    let Some(down) = next(line) else { return line.rest() };
    let up = if line.peek().is_some() { next(line) } else { Some(down) };
    if let Some(up) = up {
        root.delays.push(DelayDraft { link, down, up });
    }
}

/// A row for each interface; none at all where nothing is said of any.
pub(super) fn finish(root: &RootDraft, tables: &Tables, cx: &mut Context<'_>) -> Vec<LinkRules> {
    report_long(root.global.pauses, cx);
    let value = |given: Option<Given<Duration>>| given.map_or(Duration::ZERO, |given| given.value);
    let plain = |id| LinkRules {
        arp_pause: value(root.global.pauses.arp),
        na_pause: value(root.global.pauses.advertisement),
        ..LinkRules::of(id)
    };
    let mut rules: Vec<LinkRules> =
        (0..tables.links().len()).map(|id| plain(LinkId::from_index(id))).collect();
    let place = |name: LinkName| tables.links().iter().position(|known| *known == name);
    let mut taken = vec![false; rules.len()];
    for group in &root.garp_groups {
        if value(group.pauses.arp).is_zero() && value(group.pauses.advertisement).is_zero() {
            continue;
        }
        let mut members = Vec::new();
        for link in &group.links {
            let Some(id) = place(link.value) else { continue };
            match taken.get_mut(id).filter(|taken| !**taken) {
                Some(taken) => {
                    *taken = true;
                    members.insert(members.partition_point(|member| *member < id), id);
                }
                None => twice(*link, cx),
            }
        }
        let Some(first) = members.first().copied() else { continue };
        for id in members {
            let Some(rule) = rules.get_mut(id) else { continue };
            rule.pace = LinkId::from_index(first);
            rule.arp_pause = value(group.pauses.arp);
            rule.na_pause = value(group.pauses.advertisement);
        }
    }
    for delay in &root.delays {
        let Some(id) = place(delay.link.value) else { continue };
        let users = tables.instances.iter().filter(|one| one.link.index() == id);
        if let Some(limit) = users.map(longest_delay).min().filter(|limit| delay.down >= *limit) {
            too_long(delay, limit, delay.link.at, cx);
        }
        if let Some(rule) = rules.get_mut(id) {
            (rule.down_delay, rule.up_delay) = (delay.down, delay.up);
        }
    }
    let is_plain = |(id, rule): (usize, &LinkRules)| *rule == LinkRules::of(LinkId::from_index(id));
    if rules.len() > MAX_LINKS || rules.iter().enumerate().all(is_plain) { Vec::new() } else { rules }
}

/// An interface has one pace.
fn twice(link: Given<LinkName>, cx: &mut Context<'_>) {
    cx.warn(
        MANNERS,
        link.at,
        format_args!("{} is in a garp_group already", link.value),
        format_args!("the first one counts: remove it here or there"),
    );
}

/// What a change may last at most before another router becomes MASTER as well.
fn longest_delay(instance: &Instance) -> Duration {
    instance.advert_interval.times(u64::from(instance.manners.down_adverts).saturating_sub(1))
}

fn too_long(delay: &DelayDraft, limit: Duration, at: Position, cx: &mut Context<'_>) {
    cx.warn(
        MANNERS,
        at,
        format_args!(
            "a change of {} must last {} s, and another router may be MASTER before",
            delay.link.value, delay.down
        ),
        format_args!("write less than {limit} s: one advertisement interval less than the others wait"),
    );
}
