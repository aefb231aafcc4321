//! `why NAME`: everything about what is called so: an instance, an address, a service, a real server. State, since
//! when, because of what, what happens next. What led to it is in the log, whose lines the shell adds ([`mentions`]).

use core::fmt::{self, Write};

use super::{checks, daemon, labelled, line, state_word, vrrp, weights};
use crate::config::ids::{AddressId, DestinationId, Id, InstanceId, ProbeId, RouteId, RuleId, ServiceId};
use crate::config::model::Destination;
use crate::console::answer::{Next, Place};
use crate::console::endpoint::{Endpoint, names_service};
use crate::console::lines::why::Why;
use crate::console::lines::{Names, Routing};
use crate::console::text::Span;
use crate::console::view::View;
use crate::director::action::RoutingRef;
use crate::director::health::Belief;
use crate::director::track::Effect;
use crate::wire::errno::Text;

const INSTANCES: u8 = 0;
const ADDRESSES: u8 = 1;
const SERVICES: u8 = 2;
const SERVERS: u8 = 3;
const ROUTING: u8 = 4;
const TRACKED: u8 = 5;

/// True if `name` stands in `line` as a whole word: `VI_1` is not in `VI_10`, nor `10.0.0.1` in `10.0.0.11`.
pub(in crate::console) fn mentions(line: &str, name: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    !name.is_empty()
        && line.match_indices(name).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + name.len()..).and_then(|text| text.chars().next());
            !before.is_some_and(part) && !after.is_some_and(part)
        })
}

/// A row looks at one object; `leaf` says whether something was found.
pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    if view.argument == "lvs_sync_daemon" {
        daemon::explain(view, out)?;
        return Ok(None);
    }
    let row = place.row;
    let seen = match place.phase {
        INSTANCES => instance(view, row, out)?.map(Seen::whole),
        ADDRESSES => address(view, row, out)?.map(Seen::whole),
        SERVICES => service(view, (row, place.sub), out)?,
        SERVERS => server(view, (row, place.sub), out)?,
        ROUTING => routing(view, row, out)?.map(Seen::whole),
        _ => tracked(view, row, out)?.map(Seen::whole),
    };
    match seen {
        Some(Seen::Part) => Ok(Some(Place { leaf: 1, ..place.next_sub(place.phase) })),
        Some(seen) => {
            let found = usize::from(seen == Seen::It);
            Ok(Some(Place { leaf: place.leaf.max(found), ..place.next_row(place.phase) }))
        }
        None if place.phase < TRACKED => {
            Ok(Some(Place { leaf: place.leaf, ..Place::phase(place.phase + 1) }))
        }
        None => {
            if place.leaf == 0 && !weights::explain_drain(view, out)? {
                line(out, format_args!("nothing configured is called {}", view.argument))?;
                out.write_str(
                    "names are those of `show vrrp` and `show checks`: VI_1, 192.0.2.100, FWM 1\n",
                )?;
            }
            Ok(None)
        }
    }
}

/// What a row turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Something else.
    Another,
    /// What was asked for, to its end.
    It,
    /// The same, and there is more of it: a buffer holds a part.
    Part,
}

impl Seen {
    fn whole(is_it: bool) -> Self {
        if is_it { Self::It } else { Self::Another }
    }
}

fn is_called(view: &View<'_>, shown: fmt::Arguments<'_>) -> bool {
    let mut name: heapless::String<128> = heapless::String::new();
    name.write_fmt(shown).is_ok() && mentions(&name, view.argument)
}

/// `None` behind the last one, else whether it is the one.
fn instance(view: &View<'_>, row: usize, out: &mut dyn Write) -> Result<Option<bool>, fmt::Error> {
    let Some((id, instance, router)) = vrrp::find(view, row) else { return Ok(None) };
    let found = view.director.config().instance_name(id) == view.argument;
    if found {
        vrrp::head(view, id, instance, router, true, out)?;
        vrrp::refusals(view.now, &router.rejects, out)?;
        if view.director.config().global.sync_daemon.is_some_and(|daemon| daemon.instance == Some(id)) {
            daemon::explain(view, out)?;
        }
    }
    Ok(Some(found))
}

fn address(view: &View<'_>, row: usize, out: &mut dyn Write) -> Result<Option<bool>, fmt::Error> {
    let config = view.director.config();
    let Some(address) = config.addresses.get(row) else { return Ok(None) };
    if !is_called(view, format_args!("{}", address.address)) {
        return Ok(Some(false));
    }
    let (id, names, plan) = (AddressId::from_index(row), Names(config), view.director.net_plan());
    let standing = if plan.is_present(id) { "present" } else { "absent" };
    let link = names.link(address.link);
    line(out, format_args!("{}/{} on {link}: {standing}", address.address, address.prefix))?;
    if let Some(errno) = plan.error(id) {
        labelled(out, "refused", format_args!("by the kernel: {}", Text(errno.0)))?;
    }
    if view.director.nftables_plan().is_dropped(id) {
        labelled(
            out,
            "no_accept",
            format_args!("what is sent to it is dropped, and nothing leaves from it"),
        )?;
    }
    if config.is_of_role(id) {
        labelled(
            out,
            "why",
            format_args!("real_server_role: the director sends what goes to it, ARP is silent"),
        )?;
    } else {
        owner(view, address.instance, out)?;
    }
    for rule in config.firewall.iter().filter(|rule| rule.network == address.address) {
        labelled(out, "firewall", format_args!("{rule}"))?;
    }
    Ok(Some(true))
}

/// Whose it is, and why that wants it or not.
fn owner(view: &View<'_>, owner: Option<InstanceId>, out: &mut dyn Write) -> fmt::Result {
    let names = Names(view.director.config());
    let Some(id) = owner else {
        return labelled(out, "why", format_args!("it is static and always there"));
    };
    if let Some(router) = view.director.vrrp().get(id) {
        let (state, owner) = (state_word(router.state), names.instance(id));
        labelled(out, "why", format_args!("{owner} is {state}: {}", Why::of_state(names, router.why)))?;
    }
    Ok(())
}

/// What an instance tracks, in a word of its name, and what it comes to.
fn tracked(view: &View<'_>, row: usize, out: &mut dyn Write) -> Result<Option<bool>, fmt::Error> {
    let (config, id) = (view.director.config(), InstanceId::from_index(row));
    let (Some(instance), names) = (config.instances.get(row), Names(config)) else { return Ok(None) };
    let mut found = false;
    for (row, tracker) in instance.trackers.clone().zip(config.trackers_of(instance)) {
        let what = names.tracked(tracker.target);
        if is_called(view, format_args!("{what}")) {
            found = true;
            let name = names.instance(id);
            match view.director.effect(row) {
                Effect::Fault => line(out, format_args!("{name} tracks {what}: FAULT"))?,
                Effect::Adds(share) => {
                    line(out, format_args!("{name} tracks {what}: adds {share} to its priority"))?;
                }
            }
        }
    }
    Ok(Some(found))
}

/// Routes are called by their destination, rules by their preference.
fn routing(view: &View<'_>, row: usize, out: &mut dyn Write) -> Result<Option<bool>, fmt::Error> {
    let (config, plan) = (view.director.config(), view.director.route_plan());
    let (object, found) = match (config.routes.get(row), row.checked_sub(config.routes.len())) {
        (Some(route), _) => {
            let (network, prefix) = route.spec.destination;
            let found = is_called(view, format_args!("{network}/{prefix}"));
            (RoutingRef::Route(RouteId::from_index(row)), found)
        }
        (None, Some(rule)) => {
            let Some(one) = config.rules.get(rule) else { return Ok(None) };
            let found = is_called(view, format_args!("rule {}", one.spec.preference));
            (RoutingRef::Rule(RuleId::from_index(rule)), found)
        }
        (None, None) => return Ok(None),
    };
    if found {
        let it = Routing(config, object);
        let standing = if plan.is_present(object, config) { "present" } else { "absent" };
        line(out, format_args!("{it}: {standing}"))?;
        if let Some(errno) = plan.error(object, config) {
            labelled(out, "refused", format_args!("by the kernel: {}", Text(errno.0)))?;
        }
        owner(view, it.owner(), out)?;
    }
    Ok(Some(found))
}

fn service(
    view: &View<'_>,
    (row, part): (usize, usize),
    out: &mut dyn Write,
) -> Result<Option<Seen>, fmt::Error> {
    let Some((id, service)) = checks::service(view, row) else { return Ok(None) };
    let Some(part) = part.checked_sub(1) else {
        let found =
            is_called(view, format_args!("{}", service.key)) || names_service(view.argument, service.key);
        if !found {
            return Ok(Some(Seen::Another));
        }
        checks::service_line(view, id, service, out)?;
        labelled(
            out,
            "quorum",
            format_args!(
                "gained at weight {}, lost below {}",
                service.quorum.saturating_add(service.hysteresis),
                service.quorum.saturating_sub(service.hysteresis).max(1)
            ),
        )?;
        if view.director.services().is_resting(id) {
            labelled(out, "suspended", format_args!("ha_suspend, and its address is not on this box"))?;
        }
        return Ok(Some(Seen::Part));
    };
    if let Some(server) = service.destinations.nth(part).filter(|_| part < MOST) {
        server_lines(view, server, out)?;
        if let Some(destination) = view.director.config().destinations.get(server.index()) {
            weights::origin(view, server, destination, out)?;
        }
        return Ok(Some(Seen::Part));
    }
    if service.destinations.len() > MOST {
        line(out, format_args!("  and {} more: show checks", service.destinations.len() - MOST))?;
    }
    weights::drain_lines(view, id, out)?;
    Ok(Some(Seen::It))
}

/// Real servers shown with their service: they fit a screen.
const MOST: usize = 16;
/// Checks of a real server: with what each said they fit a buffer.
const CHECKS: usize = 8;

fn server(
    view: &View<'_>,
    (row, part): (usize, usize),
    out: &mut dyn Write,
) -> Result<Option<Seen>, fmt::Error> {
    let config = view.director.config();
    let Some(destination) = config.written_destinations().get(row) else { return Ok(None) };
    let id = DestinationId::from_index(row);
    if part > 0 {
        failures(view, destination, out)?;
        weights::explain(view, id, out)?;
        return Ok(Some(Seen::It));
    }
    let found = is_called(view, format_args!("{}", Names(config).server(id)))
        || Endpoint::parse(view.argument).is_some_and(|one| one.server() == destination.key);
    if !found {
        return Ok(Some(Seen::Another));
    }
    let service: ServiceId = destination.service;
    if let Some((_, service)) = checks::service(view, service.index()) {
        line(out, format_args!("real server of VS {}", service.key))?;
    }
    server_lines(view, id, out)?;
    Ok(Some(Seen::Part))
}

/// Which checks failed, and since when.
fn failures(view: &View<'_>, destination: &Destination, out: &mut dyn Write) -> fmt::Result {
    for probe in view.director.config().probes_of(destination).iter().take(MOST) {
        let (what, state) = (view.director.probe(*probe), view.director.health().get(*probe));
        if let (Some(what), Some(state)) = (what, state.filter(|state| state.belief == Belief::Down)) {
            let (name, span) = (what.checker.name(), Span(view.now.since(state.since)));
            labelled(out, "down", format_args!("by {name} of {} for {span}", what.target()))?;
        }
    }
    Ok(())
}

/// How a check gets to the real server through the virtual address.
fn through(view: &View<'_>, id: ProbeId, out: &mut dyn Write) -> fmt::Result {
    let Some(probe) = view.director.probe(id) else { return Ok(()) };
    match probe.bind.as_ref().filter(|bind| bind.via.is_some()) {
        None => Ok(()),
        Some(bind) => line(out, format_args!("    through VIP {}, by mark {}", probe.target(), bind.mark)),
    }
}

fn server_lines(view: &View<'_>, id: DestinationId, out: &mut dyn Write) -> fmt::Result {
    let config = view.director.config();
    let Some(destination) = config.destinations.get(id.index()) else { return Ok(()) };
    let probes = config.probes_of(destination);
    if probes.is_empty() {
        checks::destination_line(view, id, None, out)?;
    }
    for probe in probes.iter().take(CHECKS) {
        checks::destination_line(view, id, Some(*probe), out)?;
        through(view, *probe, out)?;
    }
    if let Some(more @ 1..) = probes.len().checked_sub(CHECKS) {
        line(out, format_args!("    and {more} more checks: show checks"))?;
    }
    #[cfg(feature = "tls")]
    if probes.iter().any(|probe| view.director.probe(*probe).is_some_and(checks::is_secure)) {
        line(out, format_args!("    SSL_GET: {}", checks::Verified(view)))?;
    }
    if let Some(errno) = view.director.ipvs_plan().destination_error(id) {
        line(out, format_args!("    the kernel refused it: {}", Text(errno.0)))?;
    }
    Ok(())
}
