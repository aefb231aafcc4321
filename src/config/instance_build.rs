//! `vrrp_instance` as written to an [`Instance`]: defaults, what keepalived corrects, what cannot mean anything.
//!
//! An instance is added whole or not at all: nobody elects a master with half of an instance.

use core::net::IpAddr;
use core::num::NonZeroU8;

use super::address::AddressDraft;
use super::behaviour::{manners, warn_of_silent_services};
use super::build::{Tables, row};
use super::codes::{
    AH_STARTS_AS_BACKUP, DUPLICATE_ADDRESS, DUPLICATE_INSTANCE, FAMILY, IMPLIED_OWNER, INCOMPLETE, LIMIT,
    NO_PASSWORD, NOPREEMPT, OTHER_PROTOCOL, PEERS, WHOLE_SECONDS,
};
use super::global::{GlobalDraft, announce_defaults};
use super::group::{self, GroupDraft};
use super::ids::{AddressId, InstanceId, LinkId, Range, RouteId, RuleId};
use super::instance::{AuthType, InstanceDraft, State};
use super::model::{Announce, Authentication, Instance, Preemption, SourceCheck, Transport, VirtualAddress};
use super::service_lints;
use super::static_build::{self, StaticDraft};
use super::track;
use crate::limits;
use crate::syntax::diagnostic::Quoted;
use crate::syntax::{Context, Given, Position};
use crate::time::Duration;
use crate::wire::vrrp::{CENTISECOND, Coverage, Family, GROUP, GROUP6, Version};

/// Adds the instance to the tables, or says why not.
pub(super) fn finish(
    draft: &InstanceDraft,
    (global, groups, fixed): (&GlobalDraft, &[GroupDraft], &StaticDraft),
    tables: &mut Tables,
    cx: &mut Context<'_>,
) {
    if !tables.names.add(draft.name.clone()) {
        cx.error(
            DUPLICATE_INSTANCE,
            draft.at,
            format_args!("there is an instance {} already; this one is left out", Quoted(&draft.name)),
            format_args!("give every instance a name of its own"),
        );
        return;
    }
    if !complete(draft, cx) || !tables.instance_count.admit(draft.at) {
        return;
    }
    let (Some(name), Some(vrid)) = (draft.link, draft.vrid) else { return };
    let Some(link) = tables.link(name.value, name.at) else { return };
    let Some(nonzero) = u8::try_from(vrid.value).ok().and_then(NonZeroU8::new) else { return };
    let family = family(draft);
    if let Some((_, other)) = tables.vrids.get(&(link, vrid.value, family == Family::Ipv6)) {
        cx.error(
            DUPLICATE_INSTANCE,
            vrid.at,
            format_args!("instance {} has this VRID on {} already", Quoted(other), name.value),
            format_args!("write another virtual_router_id; {} is left out", Quoted(&draft.name)),
        );
        return;
    }
    let Some((addresses, advertised)) = add_addresses(draft, (link, family), tables, cx) else { return };
    let (routes, rules) = add_routing(draft, tables, cx);
    tables.vrids.insert((link, vrid.value, family == Family::Ipv6), draft.name.clone());
    let (priority, preemption) = election(draft, cx);
    let version = version(draft, global, family, cx);
    let message_only = draft.checksum_as_v2.unwrap_or(global.checksum_as_v2);
    let transport = transport(draft, (global, family), tables, cx);
    let (announce, has_peers) = (announce(draft, global), matches!(transport, Transport::Unicast { .. }));
    let instance = Instance {
        name: tables.texts.intern(&draft.name),
        link,
        vrid: nonzero,
        version,
        family,
        coverage: if message_only { Coverage::Message } else { Coverage::PseudoHeader },
        priority,
        advert_interval: interval(draft, version, cx),
        preemption,
        authentication: authentication(draft, version, cx),
        source: draft.source.filter(|given| fits(*given, family, cx)).map(|given| given.value),
        transport,
        source_check: source_check(draft, global),
        addresses,
        advertised,
        routes,
        rules,
        trackers: track::add_trackers(
            (draft, group::of(groups, &draft.name)),
            (link, priority),
            (addresses, fixed),
            tables,
            cx,
        ),
        announce,
        manners: manners(draft, (preemption, priority), has_peers, global, cx),
    };
    warn_of_silent_services(&instance, draft, tables, cx);
    service_lints::look(&instance, draft, tables, cx);
    tables.instances.push(instance);
}

/// The first address says what the instance is; those of the other family are left out one by one.
fn family(draft: &InstanceDraft) -> Family {
    draft.addresses.first().map_or(Family::Ipv4, |first| Family::of(first.address))
}

/// True for an address of the instance's family; another one is reported.
fn fits(given: Given<IpAddr>, family: Family, cx: &mut Context<'_>) -> bool {
    let fits = Family::of(given.value) == family;
    if !fits {
        cx.error(
            FAMILY,
            given.at,
            format_args!("{} is no {} address, as the virtual ones are", given.value, family.name()),
            format_args!("an instance speaks to its peers over one family; it is left out"),
        );
    }
    fits
}

/// `version`, else `vrrp_version`; over IPv6 always 3, as version 2 has no room for its addresses.
fn version(draft: &InstanceDraft, global: &GlobalDraft, family: Family, cx: &mut Context<'_>) -> Version {
    match (draft.version, family) {
        (Some(Given { value: Version::V2, at }), Family::Ipv6) => {
            cx.warn(
                OTHER_PROTOCOL,
                at,
                format_args!("VRRP version 2 has no IPv6: version 3 is used"),
                format_args!("write `version 3` or remove the line"),
            );
            Version::V3
        }
        (Some(given), _) => given.value,
        (None, Family::Ipv6) => Version::V3,
        (None, Family::Ipv4) if global.version_3 => Version::V3,
        (None, Family::Ipv4) => Version::V2,
    }
}

/// True if there is everything the protocol needs and nothing that this version cannot do.
fn complete(draft: &InstanceDraft, cx: &mut Context<'_>) -> bool {
    let name = Quoted(&draft.name);
    let mut complete = !draft.left_out;
    for (missing, what, write) in [
        (draft.link.is_none(), "interface", "interface eth0"),
        (draft.vrid.is_none(), "virtual_router_id", "virtual_router_id 51"),
        (draft.addresses.is_empty(), "virtual_ipaddress", "virtual_ipaddress { 192.0.2.100/24 }"),
    ] {
        if missing {
            complete = false;
            cx.error(
                INCOMPLETE,
                draft.at,
                format_args!("instance {name} has no valid `{what}` and is left out"),
                format_args!("write a line such as `{write}` in its block"),
            );
        }
    }
    complete
}

fn add_addresses(
    draft: &InstanceDraft,
    (own, family): (LinkId, Family),
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> Option<(Range<AddressId>, u8)> {
    let limit = match family {
        Family::Ipv4 => limits::MAX_ADVERTISED,
        Family::Ipv6 => limits::MAX_ADVERTISED_IPV6,
    };
    let start = tables.addresses.len();
    let mut advertised = 0_u8;
    for address in &draft.addresses {
        if Family::of(address.address) != family {
            cx.error(
                FAMILY,
                address.at,
                format_args!(
                    "{} is no {} address, as the instance's others are",
                    address.address,
                    family.name()
                ),
                format_args!("write it in virtual_ipaddress_excluded; it is left out"),
            );
            continue;
        }
        if usize::from(advertised) >= limit {
            cx.error(
                LIMIT,
                address.at,
                format_args!(
                    "{} addresses in virtual_ipaddress: the limit is {limit}",
                    draft.addresses.len()
                ),
                format_args!("from here on they are left out: put them into virtual_ipaddress_excluded"),
            );
            break;
        }
        let owner = static_build::owner(tables);
        advertised += u8::from(add_address(address, (Some(owner), own), tables, cx));
    }
    if advertised == 0 {
        cx.error(
            INCOMPLETE,
            draft.at,
            format_args!("no address of instance {} is left; it is left out", Quoted(&draft.name)),
            format_args!("give it an address of its own"),
        );
        return None;
    }
    for address in &draft.excluded {
        let owner = static_build::owner(tables);
        add_address(address, (Some(owner), own), tables, cx);
    }
    Some((Range::new(start, tables.addresses.len()), advertised))
}

/// The routes and rules of the instance that comes next.
fn add_routing(
    draft: &InstanceDraft,
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> (Range<RouteId>, Range<RuleId>) {
    let owner = Some(static_build::owner(tables));
    let (routes, rules) = (tables.routes.len(), tables.rules.len());
    draft.routes.iter().for_each(|route| static_build::add_route(route, owner, tables, cx));
    draft.rules.iter().for_each(|rule| static_build::add_rule(rule, owner, tables, cx));
    (Range::new(routes, tables.routes.len()), Range::new(rules, tables.rules.len()))
}

/// Adds an address of an instance, or a static one, on `own` unless it names another interface.
pub(super) fn add_address(
    address: &AddressDraft,
    (instance, own): (Option<InstanceId>, LinkId),
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> bool {
    let link = match address.link {
        Some(given) => tables.link(given.value, given.at),
        None => Some(own),
    };
    let Some(link) = link else { return false };
    if tables.placed.contains(&(link, address.address)) {
        cx.error(
            DUPLICATE_ADDRESS,
            address.at,
            format_args!("{} stands on this interface already and is left out", address.address),
            format_args!("an address belongs to one instance: remove one of the two lines"),
        );
        return false;
    }
    if !tables.address_count.admit(address.at) {
        return false;
    }
    tables.placed.add((link, address.address));
    let label = tables.texts.intern(&address.label);
    tables.addresses.push(VirtualAddress {
        instance,
        address: address.address,
        prefix: address.prefix,
        link,
        broadcast: address.broadcast,
        peer: address.peer,
        scope: address.scope,
        label,
        flags: address.flags,
        preferred: address.preferred,
    });
    true
}

/// `state`, `priority` and `nopreempt` go together: an owner, or who wishes to be MASTER, always preempts.
fn election(draft: &InstanceDraft, cx: &mut Context<'_>) -> (u8, Preemption) {
    let master = draft.state.filter(|state| state.value == State::Master);
    let given = draft.priority.and_then(|priority| u8::try_from(priority.value).ok());
    let priority = given.unwrap_or(if master.is_some() { u8::MAX } else { 100 });
    if let Some(state) = master.filter(|_| given.is_none()) {
        cx.warn(
            IMPLIED_OWNER,
            state.at,
            format_args!("state MASTER without priority makes this router the owner, priority 255"),
            format_args!("write a priority from 1 to 254 unless the addresses are the router's own"),
        );
    }
    let Some(at) = draft.nopreempt else { return (priority, Preemption::Preempt) };
    if master.is_none() && priority < u8::MAX {
        return (priority, Preemption::Stay);
    }
    let why = if master.is_some() { "state MASTER" } else { "priority 255" };
    cx.warn(
        NOPREEMPT,
        at,
        format_args!("nopreempt does not go with {why} and is cancelled"),
        format_args!("write `state BACKUP` and a priority below 255 on all routers for nopreempt to work"),
    );
    (priority, Preemption::Preempt)
}

/// One byte of whole seconds on the wire (RFC 3768 section 5.3.7), or 12 bits of centiseconds (RFC 9568 section 5.2.7).
fn interval(draft: &InstanceDraft, version: Version, cx: &mut Context<'_>) -> Duration {
    let Some(Given { value, at }) = draft.advert_int else { return Duration::from_secs(1) };
    let (unit, most, what) = match version {
        Version::V2 => (Duration::from_secs(1), 255, "whole seconds"),
        Version::V3 => (CENTISECOND, 4_095, "hundredths of a second up to 40.95"),
    };
    let units = (value + unit.divided_by(2)).as_micros() / unit.as_micros();
    let whole = unit.times(units.clamp(1, most));
    if whole != value {
        let number = version.number();
        cx.warn(
            WHOLE_SECONDS,
            at,
            format_args!("advert_int {value} is rounded to {whole}"),
            format_args!("VRRP version {number} knows {what} only; write the same number on all routers"),
        );
    }
    whole
}

fn authentication(draft: &InstanceDraft, version: Version, cx: &mut Context<'_>) -> Authentication {
    let given = draft.auth_type.map(|kind| kind.at).or(draft.password.as_ref().map(|password| password.at));
    if let (Version::V3, Some(at)) = (version, given) {
        cx.warn(
            OTHER_PROTOCOL,
            at,
            format_args!("VRRP version 3 has no authentication: the instance runs without"),
            format_args!("remove the `authentication` block"),
        );
        return Authentication::None;
    }
    let missing: (Position, &str) = match (draft.auth_type, &draft.password) {
        (Some(kind), Some(password)) => return authenticated(draft, kind.value, password.value.0, cx),
        (None, None) => return Authentication::None,
        (Some(kind), None) => (kind.at, "auth_type has no valid auth_pass"),
        (None, Some(password)) => (password.at, "auth_pass has no valid auth_type"),
    };
    cx.error(
        NO_PASSWORD,
        missing.0,
        format_args!("{}: the instance runs without authentication", missing.1),
        format_args!("write both lines, `auth_type PASS` and `auth_pass`, or none"),
    );
    Authentication::None
}

fn authenticated(
    draft: &InstanceDraft,
    kind: AuthType,
    key: [u8; 8],
    cx: &mut Context<'_>,
) -> Authentication {
    if kind == AuthType::Pass {
        return Authentication::Pass(key);
    }
    // Its sequence numbers go on from those it hears. An owner does not wait for them: the others hear it as soon as
    // it has heard one of theirs.
    let owner = draft.priority.is_none_or(|priority| priority.value == u32::from(u8::MAX));
    if let Some(state) = draft.state.filter(|state| state.value == State::Master && !owner) {
        cx.warn(
            AH_STARTS_AS_BACKUP,
            state.at,
            format_args!("state MASTER does not go with auth_type AH and is cleared"),
            format_args!("write `state BACKUP`; who becomes MASTER is settled by the priority"),
        );
    }
    Authentication::Ah(key)
}

fn transport(
    draft: &InstanceDraft,
    (global, family): (&GlobalDraft, Family),
    tables: &mut Tables,
    cx: &mut Context<'_>,
) -> Transport {
    let start = tables.peers.len();
    for it in draft.peers.iter().filter(|it| fits(it.address, family, cx)).copied().collect::<Vec<_>>() {
        let peer = it.address;
        let own = draft.source.is_some_and(|source| source.value == peer.value);
        let mut before = tables.peers.iter().skip(start);
        let seen = before.any(|known| known.address == peer.value);
        if own || seen {
            cx.warn(
                PEERS,
                peer.at,
                format_args!(
                    "{} is {} and is left out",
                    peer.value,
                    if own { "this router" } else { "here twice" }
                ),
                format_args!("list the other routers of the group, each once"),
            );
        } else if tables.peers.len() - start >= limits::MAX_PEERS {
            cx.error(
                LIMIT,
                peer.at,
                format_args!("{} unicast peers: the limit is {}", draft.peers.len(), limits::MAX_PEERS),
                format_args!("from here on they are left out; use multicast for so many routers"),
            );
            break;
        } else {
            tables.peers.push(it.finish());
        }
    }
    let (common, standard) = match family {
        Family::Ipv4 => (global.group4, IpAddr::V4(GROUP)),
        Family::Ipv6 => (global.group6, IpAddr::V6(GROUP6)),
    };
    let own = draft.group.filter(|given| fits(*given, family, cx)).map(|given| given.value);
    let group = own.or(common).unwrap_or(standard);
    let nobody = tables.peers.len() == start && draft.behaviour.fault_without_peers;
    if let Some(at) = draft.peers_at.filter(|_| nobody) {
        cx.warn(
            PEERS,
            at,
            format_args!("unicast_peer names nobody; the instance stays in FAULT"),
            format_args!("write the addresses of the other routers, one on each line"),
        );
    }
    if nobody || tables.peers.len() > start {
        return Transport::Unicast { peers: row(start)..row(tables.peers.len()) };
    }
    if let Some(at) = draft.peers_at {
        cx.warn(
            PEERS,
            at,
            format_args!("unicast_peer names nobody; adverts go to {group} by multicast"),
            format_args!("write the addresses of the other routers, one on each line, or remove the block"),
        );
    }
    Transport::Multicast(group)
}

/// Limits of a peer's time to live ask for the check of its address.
fn source_check(draft: &InstanceDraft, global: &GlobalDraft) -> SourceCheck {
    let limited = draft.peers.iter().any(|peer| peer.ttls.is_some());
    if limited || draft.check_source.unwrap_or(global.check_source) {
        SourceCheck::Peers
    } else {
        SourceCheck::Any
    }
}

fn announce(draft: &InstanceDraft, global: &GlobalDraft) -> Announce {
    let (own, outer) = (draft.garp, global.garp);
    let (default_delay, default_repeat) = announce_defaults(global);
    let time = |given: Option<Given<Duration>>, default| given.map_or(default, |given| given.value);
    let count = |given: Option<Given<u32>>, default: u32| {
        u8::try_from(given.map_or(default, |given| given.value)).unwrap_or(u8::MAX)
    };
    let delay = time(own.delay.or(outer.delay), default_delay);
    let repeat = count(own.repeat.or(outer.repeat), default_repeat);
    Announce {
        repeat,
        delay,
        refresh: time(own.refresh.or(outer.refresh), Duration::ZERO),
        refresh_repeat: count(own.refresh_repeat.or(outer.refresh_repeat), 1),
        lower_delay: time(own.lower_delay.or(outer.lower_delay), delay),
        lower_repeat: count(own.lower_repeat.or(outer.lower_repeat), u32::from(repeat)),
    }
}
