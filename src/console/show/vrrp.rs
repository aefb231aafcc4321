//! `show vrrp`: what each instance is, why, since when, what happens next; its addresses, counters, refused adverts.
//!
//! Refusals stand one reason to a line, the count first, so that a script can follow one of them.

use core::fmt::{self, Write};

use super::{election, labelled, line, misfits, state_word};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, InstanceId};
use crate::config::model::{Instance, Preemption, VirtualAddress};
use crate::console::answer::{Next, Place};
use crate::console::json::{Object, Shown, until};
use crate::console::lines::why::Why;
use crate::console::lines::{Names, Routing};
use crate::console::text::{Ago, Count, Line, Span, Until};
use crate::console::view::View;
use crate::director::action::RoutingRef;
use crate::director::groups::Standing;
use crate::director::track::Effect;
use crate::director::vrrp::{Reject, Rejects, State, VirtualRouter};
use crate::time::Instant;
use crate::wire::errno::Text;

const HEAD: u8 = 0;
const ADDRESS: u8 = 1;
const REFUSALS: u8 = 2;
const OPEN: u8 = 3;
const TRACKER: u8 = 4;
const ROUTING: u8 = 5;

pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let config = view.director.config();
    let Some((id, instance, router)) = find(view, place.row) else {
        return strays(view, place, out);
    };
    match place.phase {
        HEAD => {
            head(view, id, instance, router, false, out)?;
            Ok(Some(place.turn_to(ADDRESS)))
        }
        ADDRESS => match address(config, instance, place.sub) {
            Some((id, address)) => {
                address_line(view, id, address, out)?;
                Ok(Some(place.next_sub(ADDRESS)))
            }
            None => Ok(Some(place.turn_to(REFUSALS))),
        },
        _ => {
            refusals(view.now, &router.rejects, out)?;
            out.write_char('\n')?;
            Ok(Some(place.next_row(HEAD)))
        }
    }
}

pub(super) fn find<'a>(view: &View<'a>, row: usize) -> Option<(InstanceId, &'a Instance, &'a VirtualRouter)> {
    let id = InstanceId::from_index(row);
    Some((id, view.director.config().instances.get(row)?, view.director.vrrp().get(id)?))
}

fn address<'a>(
    config: &'a Config,
    instance: &Instance,
    place: usize,
) -> Option<(AddressId, &'a VirtualAddress)> {
    let id = instance.addresses.nth(place)?;
    Some((id, config.addresses.get(id.index())?))
}

pub(super) fn head(
    view: &View<'_>,
    id: InstanceId,
    instance: &Instance,
    router: &VirtualRouter,
    explain: bool,
    out: &mut dyn Write,
) -> fmt::Result {
    let names = Names(view.director.config());
    let (name, link) = (names.instance(id), names.link(instance.link));
    let state = state_word(router.state);
    let span = Span(view.now.since(router.since));
    line(out, format_args!("{name}  {state} on {link}, VRID {}, for {span}", instance.vrid))?;
    labelled(out, "why", format_args!("{}", Why::of_state(names, router.why)))?;
    let base = instance.priority;
    let note = if router.demoted { ", demoted: two owners" } else { "" };
    labelled(out, "priority", format_args!("{} (base {base}{note})", router.priority))?;
    trackers(view, instance, out)?;
    if let Some(group) = view.director.config().group_of(id) {
        let state = view.director.groups().get(group);
        let span = Span(view.now.since(state.since));
        labelled(
            out,
            "group",
            format_args!("{}, {} for {span}", names.group(group), standing(state.standing)),
        )?;
    }
    election::active(view, router, out)?;
    if explain {
        election::why_not(view, router, instance, out)?;
    }
    election::next(view, id, instance, router, out)?;
    misfits::text(view, instance, &router.misfits, out)?;
    election::protocol(view, instance, router, out)?;
    let count = &router.counters;
    let (sent, received, failed) = (count.sent_total, count.received_total, count.send_failed_total);
    labelled(out, "adverts", format_args!("{sent} sent, {received} received, {failed} not sent"))?;
    let (became, left) = (count.became_master_total, count.released_master_total);
    let (gone, heard) = (count.zero_sent_total, count.zero_received_total);
    labelled(
        out,
        "MASTER",
        format_args!("became {became}, left {left}; priority 0: {gone} sent, {heard} received"),
    )?;
    if count.list_differs_total > 0 {
        labelled(out, "VIP list", format_args!("{} adverts list other VIPs", count.list_differs_total))?;
    }
    let announced = view.director.announcements().sent(id);
    labelled(out, "announced", format_args!("{announced} gratuitous ARPs or neighbour advertisements"))?;
    let present = instance.addresses.iter().filter(|id| view.director.net_plan().is_present(*id)).count();
    labelled(out, "addresses", format_args!("{}, {present} present", instance.addresses.len()))?;
    let (config, plan) = (view.director.config(), view.director.route_plan());
    let there = |object: &RoutingRef| plan.is_present(*object, config);
    let (routes, rules) = (instance.routes, instance.rules);
    if routes.len() + rules.len() == 0 {
        return Ok(());
    }
    let (routes_there, rules_there) = (
        routes.iter().map(RoutingRef::Route).filter(there).count(),
        rules.iter().map(RoutingRef::Rule).filter(there).count(),
    );
    labelled(
        out,
        "routing",
        format_args!(
            "{}, {routes_there} present; {}, {rules_there} present",
            Count(routes.len(), "route"),
            Count(rules.len(), "rule")
        ),
    )
}

/// The word for what a group has come to.
fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Init => "INIT",
        Standing::Backup => "BACKUP",
        Standing::Master => "MASTER",
        Standing::Fault(_) => "FAULT",
    }
}

/// The trackers that count: those that mean FAULT, and those that change the priority.
fn trackers(view: &View<'_>, instance: &Instance, out: &mut dyn Write) -> fmt::Result {
    let names = Names(view.director.config());
    let config = view.director.config();
    for (row, tracker) in instance.trackers.clone().zip(config.trackers_of(instance)) {
        let turns_at = view.director.tracks().turns_at(row, config);
        let what = fmt::from_fn(|f| {
            write!(f, "{}", names.tracked(tracker.target))?;
            turns_at.map_or(Ok(()), |at| write!(f, " (changes {})", Until { now: view.now, at }))
        });
        match view.director.effect(row) {
            Effect::Fault => labelled(out, "tracks", format_args!("{what}: FAULT"))?,
            Effect::Adds(0) if tracker.weight == 0 && turns_at.is_none() => {}
            Effect::Adds(share) => labelled(out, "tracks", format_args!("{what} adds {share}"))?,
        }
    }
    Ok(())
}

fn address_line(
    view: &View<'_>,
    id: AddressId,
    address: &VirtualAddress,
    out: &mut dyn Write,
) -> fmt::Result {
    let plan = view.director.net_plan();
    let mut line = Line::new(out);
    write!(line, "    {}/{}", address.address, address.prefix)?;
    line.to(28)?;
    line.write_str(view.director.config().link_name(address.link))?;
    line.to(44)?;
    line.write_str(if plan.is_present(id) { "present" } else { "absent" })?;
    if let Some(row) = view.director.duplicates().get(id) {
        write!(line, ", also at {}", row.mac)?;
    }
    if view.director.nftables_plan().is_dropped(id) {
        line.write_str(", does not answer")?;
    }
    if let Some(errno) = plan.error(id) {
        write!(line, ": {}", Text(errno.0))?;
    }
    line.end()
}

/// Words of a reason; scripts look for them.
fn refusal(reject: Reject) -> &'static str {
    match reject {
        Reject::Header => "bad IP header",
        Reject::Length => "too short",
        Reject::Count => "address count does not fit",
        Reject::Ttl => "ttl below 255",
        Reject::Version => "version",
        Reject::UnknownVrid => "unknown VRID",
        Reject::AuthType => "authentication unknown",
        Reject::AuthMismatch => "authentication differs",
        Reject::Password => "password",
        Reject::Replay => "replayed sequence number",
        Reject::Interval => "advertisement interval",
        Reject::Type => "packet type",
        Reject::Checksum => "checksum",
        Reject::Destination => "multicast against unicast",
        Reject::Source => "source is not a peer",
        Reject::Own => "own address",
        Reject::TtlRange => "ttl out of the peer's range",
    }
}

pub(super) fn refusals(now: Instant, rejects: &Rejects, out: &mut dyn Write) -> fmt::Result {
    for reject in Reject::ALL.into_iter().filter(|reject| rejects.total(*reject) > 0) {
        labelled(out, "refused", format_args!("{:>8}  {}", rejects.total(reject), refusal(reject)))?;
    }
    match last_refusal(now, rejects) {
        Some(last) => labelled(out, "last refused", format_args!("{last}")),
        None => labelled(out, "refused", format_args!("none")),
    }
}

/// The last refusal as a phrase: `password from 10.9.0.66, 3.4 s ago`.
pub(super) fn last_refusal(now: Instant, rejects: &Rejects) -> Option<impl fmt::Display> {
    rejects.last.map(|(reject, from, at)| {
        fmt::from_fn(move |f| {
            f.write_str(refusal(reject))?;
            if !from.is_unspecified() {
                write!(f, " from {from}")?;
            }
            write!(f, ", {}", Ago { now, at })
        })
    })
}

fn strays(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    if place.row == 0 {
        out.write_str("no instance is configured\n")?;
    }
    out.write_str("packets for no instance of this box\n")?;
    refusals(view.now, &view.director.vrrp().strays, out)?;
    Ok(None)
}

pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let found = find(view, place.row);
    match (place.phase, found) {
        (HEAD, _) => {
            out.write_str("{\"instances\":[")?;
            Ok(Some(Place::phase(OPEN)))
        }
        (OPEN, Some(found)) => {
            out.write_str(if place.row == 0 { "\n" } else { ",\n" })?;
            open_json(view, found, out)?;
            Ok(Some(place.turn_to(ADDRESS)))
        }
        (OPEN, None) => {
            out.write_str("\n],\"strays\":")?;
            refusals_json(view.now, &view.director.vrrp().strays, out)?;
            out.write_str("}\n")?;
            Ok(None)
        }
        (ADDRESS, found) => {
            let config = view.director.config();
            match found.and_then(|(_, instance, _)| address(config, instance, place.sub)) {
                Some((id, address)) => {
                    out.write_str(if place.sub == 0 { "\n  " } else { ",\n  " })?;
                    address_json(view, id, address, out)?;
                    Ok(Some(place.next_sub(ADDRESS)))
                }
                None => {
                    out.write_str("],\"trackers\":[")?;
                    Ok(Some(Place { sub: 0, ..place.turn_to(TRACKER) }))
                }
            }
        }
        (TRACKER, Some((_, instance, _))) if place.sub < instance.trackers.len() => {
            tracker_json(view, instance, place.sub, out)?;
            Ok(Some(place.next_sub(TRACKER)))
        }
        (TRACKER, _) => {
            out.write_str("],\"routing\":[")?;
            Ok(Some(Place { sub: 0, ..place.turn_to(ROUTING) }))
        }
        (ROUTING, Some((_, instance, _))) if routing(instance, place.sub).is_some() => {
            routing_json(view, instance, place.sub, out)?;
            Ok(Some(place.next_sub(ROUTING)))
        }
        (_, found) => {
            out.write_str("],\"misfits\":")?;
            misfits::json(view, &found.map(|(_, _, router)| router.misfits).unwrap_or_default(), out)?;
            out.write_str(",\"refused\":")?;
            refusals_json(view.now, &found.map(|(_, _, router)| router.rejects).unwrap_or_default(), out)?;
            out.write_char('}')?;
            Ok(Some(place.next_row(OPEN)))
        }
    }
}

/// Its routes, then its rules.
fn routing(instance: &Instance, place: usize) -> Option<RoutingRef> {
    let rule = || Some(RoutingRef::Rule(instance.rules.nth(place.checked_sub(instance.routes.len())?)?));
    instance.routes.nth(place).map(RoutingRef::Route).or_else(rule)
}

fn begin_row(place: usize, out: &mut dyn Write) -> fmt::Result {
    out.write_str(if place == 0 { "\n  " } else { ",\n  " })
}

fn tracker_json(view: &View<'_>, instance: &Instance, place: usize, out: &mut dyn Write) -> fmt::Result {
    let config = view.director.config();
    let Some(tracker) = config.trackers_of(instance).get(place) else { return Ok(()) };
    let Some(row) = instance.trackers.clone().nth(place) else { return Ok(()) };
    begin_row(place, out)?;
    let mut object = Object::begin(out)?;
    object.field("target", Shown(Names(config).tracked(tracker.target)))?;
    object.field("weight", tracker.weight)?;
    object.field("reverse", tracker.reverse)?;
    let effect = view.director.effect(row);
    object.field("fault", effect == Effect::Fault)?;
    if let Effect::Adds(share) = effect {
        object.field("adds", share)?;
    }
    let turns_at = view.director.tracks().turns_at(row, config);
    object.field("changes", turns_at.and_then(|at| until(view.now, at)))?;
    object.end()
}

fn routing_json(view: &View<'_>, instance: &Instance, place: usize, out: &mut dyn Write) -> fmt::Result {
    let (config, plan) = (view.director.config(), view.director.route_plan());
    let Some(object) = routing(instance, place) else { return Ok(()) };
    begin_row(place, out)?;
    let error = plan.error(object, config).map(|errno| Shown(Text(errno.0)));
    let (text, present) = (Routing(config, object), plan.is_present(object, config));
    let mut row = Object::begin(out)?;
    row.field("text", Shown(text))?;
    row.field("present", present)?;
    row.field("error", error)?;
    row.end()
}

fn open_json(
    view: &View<'_>,
    (id, instance, router): (InstanceId, &Instance, &VirtualRouter),
    out: &mut dyn Write,
) -> fmt::Result {
    let names = Names(view.director.config());
    let mut object = Object::begin(out)?;
    object.field("name", names.instance(id))?;
    object.field("interface", names.link(instance.link))?;
    object.field("vrid", instance.vrid.get())?;
    object.field("state", state_word(router.state))?;
    object.field("since", view.now.since(router.since))?;
    object.field("why", Shown(Why::of_state(names, router.why)))?;
    object.field("base_priority", instance.priority)?;
    object.field("effective_priority", router.priority)?;
    object.field("demoted", router.demoted)?;
    let group = view.director.config().group_of(id);
    object.field("group", group.map(|group| names.group(group)))?;
    object.field("version", instance.version.number())?;
    object.field("family", instance.family.name())?;
    object.field("advert_interval", instance.advert_interval)?;
    object.field("active_interval", router.master_interval)?;
    object.field("source", election::source(view, instance).map(Shown))?;
    object.field("skew_time", router.skew_time(instance))?;
    object.field("master_down_interval", router.master_down_interval(instance))?;
    object.field("nopreempt", instance.preemption == Preemption::Stay)?;
    let active = router.active.filter(|_| router.state != State::Master);
    object.field("active_router", active.map(|(from, ..)| Shown(from)))?;
    object.field("active_priority", active.map(|(_, priority, _)| priority))?;
    object.field("active_since", active.map(|_| view.now.since(router.active_since)))?;
    object.field("active_heard", active.map(|(.., at)| view.now.since(at)))?;
    let due = view.director.protocol_deadline(id).and_then(|at| until(view.now, at));
    object.field("next_advert", due.filter(|_| router.state == State::Master))?;
    object.field("takeover", due.filter(|_| router.state == State::Backup))?;
    object.field("preempt_delay_left", election::waiting(view, router).and_then(|at| until(view.now, at)))?;
    let count = &router.counters;
    object.field("advert_sent", count.sent_total)?;
    object.field("advert_rcvd", count.received_total)?;
    object.field("advert_not_sent", count.send_failed_total)?;
    object.field("become_master", count.became_master_total)?;
    object.field("release_master", count.released_master_total)?;
    object.field("pri_zero_sent", count.zero_sent_total)?;
    object.field("pri_zero_rcvd", count.zero_received_total)?;
    object.field("addr_list_err", count.list_differs_total)?;
    object.field("announced", view.director.announcements().sent(id))?;
    object.open("addresses")?;
    out.write_char('[')
}

fn address_json(
    view: &View<'_>,
    id: AddressId,
    address: &VirtualAddress,
    out: &mut dyn Write,
) -> fmt::Result {
    let plan = view.director.net_plan();
    let mut object = Object::begin(out)?;
    object.field("address", Shown(address.address))?;
    object.field("prefix", address.prefix)?;
    object.field("interface", view.director.config().link_name(address.link))?;
    object.field("present", plan.is_present(id))?;
    object.field("silent", view.director.nftables_plan().is_dropped(id))?;
    object.field("error", plan.error(id).map(|errno| Shown(Text(errno.0))))?;
    object.end()
}

fn refusals_json(now: Instant, rejects: &Rejects, out: &mut dyn Write) -> fmt::Result {
    let mut object = Object::begin(out)?;
    for reject in Reject::ALL.into_iter().filter(|reject| rejects.total(*reject) > 0) {
        object.field(reject.name(), rejects.total(reject))?;
    }
    if let Some((reject, from, at)) = rejects.last {
        object.object("last", |last| {
            last.field("reason", reject.name())?;
            last.field("from", (!from.is_unspecified()).then_some(Shown(from)))?;
            last.field("ago", now.since(at))
        })?;
    }
    object.end()
}
