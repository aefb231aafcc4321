//! `static_ipaddress`, `static_routes`, `static_rules` and `track_group`: drafts that wait until all of the file is
//! read, and routes and rules as written to those of the tables, static or of an instance.

use super::address::AddressDraft;
use super::build::Tables;
use super::codes::{INCOMPLETE, ROUTE, TRACK_GROUP};
use super::ids::{Id, InstanceId, LinkId};
use super::route::RouteDraft;
use super::routing::{Hop, Route, Rule};
use super::rule::{self, RuleDraft};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::MISSING;
use crate::syntax::{Context, Given, Keyword, NodeId, Table, Walk};
use crate::wire::link::LinkIndex;
use crate::wire::link::LinkName;
use crate::wire::rtnetlink::route::RouteSpec;

/// A `track_group` as written.
#[derive(Debug, Default)]
pub(super) struct GroupDraft {
    pub(super) name: Box<str>,
    pub(super) members: Vec<Given<Box<str>>>,
}

/// Everything static as written.
#[derive(Debug)]
pub(super) struct StaticDraft {
    pub(super) addresses: Vec<AddressDraft>,
    pub(super) routes: Vec<RouteDraft>,
    pub(super) rules: Vec<RuleDraft>,
    pub(super) groups: Vec<GroupDraft>,
    /// Preferences of the next rules that have none, IPv4 and IPv6.
    pub(super) preferences: [u32; 2],
}

impl Default for StaticDraft {
    fn default() -> Self {
        let preferences = [rule::FIRST_PREFERENCE; 2];
        let (addresses, routes, rules, groups) = Default::default();
        Self { addresses, routes, rules, groups, preferences }
    }
}

pub(super) static TRACK_GROUP_TABLE: Table<GroupDraft> = Table { name: "track_group", rows: &[GROUP_ROWS] };

const GROUP_ROWS: &[Keyword<GroupDraft>] =
    &[super::rows::list("group|none|instances that the static addresses and routes matter to", |b, line| {
        while let Some(word) = line.word() {
            b.members.push(Given { value: word.text.into(), at: word.at });
        }
    })];

/// Reads a `track_group` block.
pub(super) fn read_group(cx: &mut Context<'_>, node: NodeId, drafts: &mut StaticDraft) {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let Some(name) = line.need("the name of the group") else { return };
    line.end();
    let mut draft = GroupDraft { name: name.text.into(), members: Vec::new() };
    Walk::block(cx, node, &TRACK_GROUP_TABLE, &mut draft);
    if draft.members.is_empty() {
        cx.error(
            MISSING,
            at,
            format_args!("track_group {} has no instances", Quoted(&draft.name)),
            format_args!("write `group {{ VI_1 }}` in it; it is left out"),
        );
        return;
    }
    drafts.groups.push(draft);
}

impl StaticDraft {
    /// Every use of a group, with the interfaces that must be up for what uses it.
    fn uses(&self) -> impl Iterator<Item = (&Given<Box<str>>, Vec<Given<LinkName>>)> {
        let addresses = self.addresses.iter().map(|one| (one.group.as_ref(), one.link.into_iter().collect()));
        let routes = self.routes.iter().map(|one| (one.group.as_ref(), route_links(one).collect()));
        let rules = self.rules.iter().map(|one| {
            let links = rule::links(&one.spec).map(|value| Given { value, at: one.at });
            (one.group.as_ref(), links.collect())
        });
        addresses.chain(routes).chain(rules).filter_map(|(group, links)| Some((group?, links)))
    }

    /// The interfaces that an instance needs because of its groups.
    pub(super) fn tracked_by(&self, instance: &str) -> Vec<Given<LinkName>> {
        let mine = |name: &str| {
            let groups = self.groups.iter().filter(|group| *group.name == *name);
            groups.flat_map(|group| &group.members).any(|member| &*member.value == instance)
        };
        self.uses().filter(|(name, _)| mine(&name.value)).flat_map(|(_, links)| links).collect()
    }

    /// Reports groups and members that nobody knows.
    fn check(&self, instances: &dyn Fn(&str) -> bool, cx: &mut Context<'_>) {
        for (name, _) in self.uses() {
            if self.groups.iter().all(|group| group.name != name.value) {
                cx.error(
                    TRACK_GROUP,
                    name.at,
                    format_args!("there is no track_group {}", Quoted(&name.value)),
                    format_args!(
                        "write `track_group NAME {{ group {{ VI_1 }} }}`; nothing depends on it now"
                    ),
                );
            }
        }
        for member in self.groups.iter().flat_map(|group| &group.members) {
            if !instances(&member.value) {
                cx.error(
                    TRACK_GROUP,
                    member.at,
                    format_args!("there is no instance {}", Quoted(&member.value)),
                    format_args!("write the name of a vrrp_instance; it is left out"),
                );
            }
        }
    }
}

/// The interfaces that a route names.
pub(super) fn route_links(route: &RouteDraft) -> impl Iterator<Item = Given<LinkName>> {
    route.link.into_iter().chain(route.hops.iter().filter_map(|hop| hop.link))
}

/// Adds what belongs to no instance, behind what does.
pub(super) fn finish(
    drafts: &StaticDraft,
    interface: Option<LinkName>,
    tables: &mut Tables,
    cx: &mut Context<'_>,
) {
    let names = core::mem::take(&mut tables.names);
    drafts.check(&|name| names.contains(name), cx);
    for address in &drafts.addresses {
        let given = address.link.or(interface.map(|value| Given { value, at: address.at }));
        let Some(given) = given else {
            cx.error(
                INCOMPLETE,
                address.at,
                format_args!("{} has no interface", address.address),
                format_args!("write `dev eth0` behind it; the line is left out"),
            );
            continue;
        };
        if let Some(link) = tables.link(given.value, given.at) {
            super::instance_build::add_address(address, (None, link), tables, cx);
        }
    }
    for route in &drafts.routes {
        add_route(route, None, tables, cx);
    }
    for rule in &drafts.rules {
        add_rule(rule, None, tables, cx);
    }
}

/// Adds a route; true if it is there now.
pub(super) fn add_route(
    draft: &RouteDraft,
    instance: Option<InstanceId>,
    tables: &mut Tables,
    cx: &mut Context<'_>,
) {
    let mut find = |given: Option<Given<LinkName>>| match given {
        Some(given) => tables.link(given.value, given.at).map(Some),
        None => Some(None),
    };
    let Some(link) = find(draft.link) else { return };
    let mut hops = Vec::with_capacity(draft.hops.len());
    for hop in &draft.hops {
        let Some(link) = find(hop.link) else { return };
        hops.push(Hop { gateway: hop.gateway, link, weight: hop.weight, onlink: hop.onlink });
    }
    let spec = RouteSpec {
        table: draft.table,
        destination: draft.destination,
        from: draft.from,
        tos: draft.tos,
        kind: draft.kind,
        gateway: draft.gateway,
        link: LinkIndex(0),
        onlink: draft.onlink,
        source: draft.source,
        metric: draft.metric,
        protocol: draft.protocol,
        scope: draft.scope,
    };
    let route = Route {
        instance,
        link,
        spec,
        metrics: draft.metrics.clone().into(),
        locked: draft.locked,
        congestion: tables.texts.intern(&draft.congestion),
        preference: draft.preference,
        hops: hops.into(),
    };
    if !tables.route_places.add(route.place()) {
        let (network, prefix) = draft.destination;
        cx.error(
            ROUTE,
            draft.at,
            format_args!("there is a route to {network}/{prefix} with this table and metric already"),
            format_args!("write another `metric`, or one route with two `nexthop`; the line is left out"),
        );
        return;
    }
    if tables.route_count.admit(draft.at) {
        tables.routes.push(route);
    }
}

/// Adds a rule.
pub(super) fn add_rule(
    draft: &RuleDraft,
    instance: Option<InstanceId>,
    tables: &mut Tables,
    cx: &mut Context<'_>,
) {
    if tables.rules.iter().any(|one| one.spec == draft.spec) {
        cx.error(
            ROUTE,
            draft.at,
            format_args!("the same rule stands here already"),
            format_args!("a rule belongs to one instance: remove one of the two lines"),
        );
        return;
    }
    if tables.rule_count.admit(draft.at) {
        tables.rules.push(Rule { instance, spec: draft.spec });
    }
}

/// The interfaces of a rule as ids, made known.
pub(super) fn rule_links(draft: &RuleDraft, tables: &mut Tables) -> Vec<LinkId> {
    rule::links(&draft.spec).filter_map(|name| tables.link(name, draft.at)).collect()
}

/// The row that comes next in a table that an instance owns a part of.
pub(super) fn owner(tables: &Tables) -> InstanceId {
    InstanceId::from_index(tables.instances.len())
}
