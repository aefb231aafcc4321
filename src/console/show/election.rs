//! The election in words: who is MASTER and by what, why not this box, what happens next and when.

use core::fmt::{self, Write};
use core::net::IpAddr;

use super::labelled;
use crate::config::ids::InstanceId;
use crate::config::model::{Instance, Preemption, Transport};
use crate::console::text::{Ago, Count, Span, Until};
use crate::console::view::View;
use crate::director::vrrp::{State, VirtualRouter};
use crate::time::Instant;

/// Who is MASTER, since when, by which advert.
pub(super) fn active(view: &View<'_>, router: &VirtualRouter, out: &mut dyn Write) -> fmt::Result {
    match (router.state, router.active) {
        (State::Master, _) => labelled(out, "active", format_args!("this box")),
        (State::Init | State::Backup | State::Fault(_), None) => {
            labelled(out, "active", format_args!("none heard"))
        }
        (State::Init | State::Backup | State::Fault(_), Some((from, priority, at))) => {
            let (ago, span) = (Ago { now: view.now, at }, Span(view.now.since(router.active_since)));
            labelled(
                out,
                "active",
                format_args!("{from}, priority {priority}, for {span}; last advert {ago}"),
            )
        }
    }
}

/// Why this box is not MASTER; nothing if it is.
pub(super) fn why_not(
    view: &View<'_>,
    router: &VirtualRouter,
    instance: &Instance,
    out: &mut dyn Write,
) -> fmt::Result {
    let (ours, wait) = (router.priority, router.master_down_interval(instance));
    let mut say = |what: fmt::Arguments<'_>| labelled(out, "why not we", what);
    match (router.state, router.active) {
        (State::Master, _) => return Ok(()),
        (State::Init, _) if view.director.vrrp().held_until(view.now).is_some() => {
            return say(format_args!("the delay of the start is not over"));
        }
        (State::Init, _) => return say(format_args!("interface, address or socket are not there yet")),
        (State::Fault(_), _) => return say(format_args!("a router with a fault takes no part")),
        (State::Backup, None) => say(format_args!("it listens first, {wait} s, whether somebody is MASTER"))?,
        (State::Backup, Some((from, theirs, _))) if theirs > ours => {
            say(format_args!("our priority {ours} is less than {theirs} of {from}"))?;
        }
        (State::Backup, Some((from, theirs, _))) if theirs == ours => {
            say(format_args!("{from} has priority {theirs} too, and who is MASTER stays it"))?;
        }
        (State::Backup, Some((from, theirs, _))) if instance.preemption == Preemption::Stay => {
            say(format_args!("nopreempt: {from} stays MASTER in spite of its lesser {theirs}"))?;
        }
        (State::Backup, Some((from, theirs, _))) if waiting(view, router).is_some() => {
            say(format_args!("preempt_delay: {from} with its lesser {theirs} is followed so long"))?;
        }
        (State::Backup, Some((_, theirs, _))) => {
            say(format_args!("it waits {wait} s for a router better than {ours}; {theirs} does not count"))?;
            return Ok(());
        }
    }
    labelled(out, "", format_args!("it would take over {wait} s after the last advert that counts"))
}

/// What is spoken, from where to whom, by which times.
pub(super) fn protocol(
    view: &View<'_>,
    instance: &Instance,
    router: &VirtualRouter,
    out: &mut dyn Write,
) -> fmt::Result {
    let (version, family) = (instance.version.number(), instance.family.name());
    let source = fmt::from_fn(|f| match source(view, instance) {
        Some(address) => write!(f, "from {address} "),
        None => Ok(()),
    });
    match &instance.transport {
        Transport::Multicast(group) => {
            labelled(out, "protocol", format_args!("version {version} over {family}, {source}to {group}"))?;
        }
        Transport::Unicast { .. } => {
            let peers = Count(view.director.config().peers_of(instance).len(), "peer");
            labelled(out, "protocol", format_args!("version {version} over {family}, {source}to {peers}"))?;
        }
    }
    let (own, followed) = (instance.advert_interval, router.master_interval);
    let theirs =
        fmt::from_fn(|f| if own == followed { Ok(()) } else { write!(f, " (goes by {followed} s)") });
    let (skew, down) = (router.skew_time(instance), router.master_down_interval(instance));
    labelled(out, "times", format_args!("advert {own} s{theirs}, skew {skew} s, master down {down} s"))
}

/// Where its adverts come from.
pub(super) fn source(view: &View<'_>, instance: &Instance) -> Option<IpAddr> {
    instance.source.or_else(|| view.director.links().get(instance.link).source(instance.family))
}

/// What happens next, and when.
pub(super) fn next(
    view: &View<'_>,
    id: InstanceId,
    instance: &Instance,
    router: &VirtualRouter,
    out: &mut dyn Write,
) -> fmt::Result {
    let due = Until { now: view.now, at: view.director.protocol_deadline(id).unwrap_or(Instant::NEVER) };
    match router.state {
        State::Master => labelled(out, "next", format_args!("advert {due}")),
        State::Backup if waiting(view, router).is_some() => {
            let at = waiting(view, router).unwrap_or(Instant::NEVER);
            // From then on adverts are discarded, and the wait goes on from the last one that was not.
            let latest = at + router.master_down_interval(instance);
            let (end, latest) = (Until { now: view.now, at }, Until { now: view.now, at: latest });
            labelled(out, "next", format_args!("preempt_delay ends {end}, takeover {latest} at the latest"))
        }
        State::Backup if instance.preemption == Preemption::Stay => {
            labelled(out, "next", format_args!("takeover {due} unless an advert comes (nopreempt)"))
        }
        State::Backup => {
            let least = router.priority;
            labelled(out, "next", format_args!("takeover {due} unless an advert of {least} or more comes"))
        }
        State::Init if view.director.vrrp().held_until(view.now).is_some() => {
            let at = view.director.vrrp().held_until(view.now).unwrap_or(Instant::NEVER);
            labelled(out, "next", format_args!("delay of the start ends {}", Until { now: view.now, at }))
        }
        State::Init => labelled(out, "next", format_args!("BACKUP when interface and socket are there")),
        State::Fault(_) => labelled(out, "next", format_args!("BACKUP when the fault is over")),
    }
}

/// Until when a lesser MASTER is followed.
pub(super) fn waiting(view: &View<'_>, router: &VirtualRouter) -> Option<Instant> {
    router.preempt_at.filter(|at| view.now < *at)
}
