//! Where weights come from, and why the kernel has another one: the operator, slow start, a failed check, the quorum.
//! And real servers that are not configured any more and still have connections.

use core::fmt::{self, Write};

use super::{labelled, line};
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::config::model::{Destination, OnFailure};
use crate::console::endpoint::Endpoint;
use crate::console::json::{Object, Shown, Value, until};
use crate::console::lines::{Names, RealServer};
use crate::console::text::{Count, Span, Until};
use crate::console::view::View;
use crate::director::Director;
use crate::director::ipvs_plan::{Availability, Draining};
use crate::director::overrides::Load;
use crate::director::services::{Quorum, wish};
use crate::time::{Duration, Instant};
use crate::wire::errno::Text;

/// Servers on their way out that are shown with their service.
const MOST: usize = 8;

/// One line about a weight that is set or has been given back, for who did it.
pub fn weight_line(director: &Director, id: DestinationId, out: &mut dyn Write) -> fmt::Result {
    let (config, overrides) = (director.config(), director.services().overrides());
    let Some(destination) = config.destinations.get(id.index()) else { return Ok(()) };
    let (names, weight) = (Names(config), overrides.weight(id, destination));
    let (server, service) = (names.server(id), names.service_of(id));
    match overrides.get(id) {
        Load::Override { .. } => {
            let configured = destination.weight;
            writeln!(out, "{server} of VS {service}: weight {weight}, configured {configured}")
        }
        Load::Configured | Load::Rising { .. } => {
            writeln!(out, "{server} of VS {service}: weight {weight} as configured")
        }
    }
}

/// What stands below a real server whose weight is not the configured one.
pub(super) fn origin(
    view: &View<'_>,
    id: DestinationId,
    destination: &Destination,
    out: &mut dyn Write,
) -> fmt::Result {
    let overrides = view.director.services().overrides();
    let (weight, configured) = (overrides.weight(id, destination), destination.weight);
    match overrides.get(id) {
        Load::Configured => Ok(()),
        Load::Override { weight: 0, since } => {
            let ago = Span(view.now.since(since));
            line(out, format_args!("    override: drained by the console {ago} ago, configured {configured}"))
        }
        Load::Override { since, .. } => {
            let ago = Span(view.now.since(since));
            line(
                out,
                format_args!(
                    "    override: weight {weight} by the console {ago} ago, configured {configured}"
                ),
            )
        }
        Load::Rising { since, .. } => {
            let full = Until { now: view.now, at: since + destination.slow_start };
            line(out, format_args!("    slow start: weight {weight}, all of {configured} {full}"))
        }
    }
}

/// The servers of a service that are on their way out.
fn drains<'a>(view: &View<'a>, service: ServiceId) -> impl Iterator<Item = &'a Draining> + use<'a> {
    view.director.ipvs_plan().draining_of(service)
}

/// The same as lines.
pub(super) fn drain_lines(view: &View<'_>, service: ServiceId, out: &mut dyn Write) -> fmt::Result {
    let names = Names(view.director.config());
    for one in drains(view, service).take(MOST) {
        let server = RealServer { key: one.key, protocol: names.protocol(service) };
        let gone = Until { now: view.now, at: one.until.unwrap_or(view.now) };
        match one.active {
            Some(active) => {
                let active = Count(active, "active connection");
                line(out, format_args!("  {server} draining, {active}, gone {gone}"))?;
            }
            None => line(out, format_args!("  {server} draining, gone {gone}"))?,
        }
    }
    match drains(view, service).skip(MOST).count() {
        0 => Ok(()),
        more => line(out, format_args!("  and {more} more draining")),
    }
}

/// Services that are looked at for a server on its way out: one may leave each of them.
const LEAVING: usize = 16;

/// The same for `why`, of one that is not configured any more. True if it is there.
pub(super) fn explain_drain(view: &View<'_>, out: &mut dyn Write) -> Result<bool, fmt::Error> {
    let Some(key) = Endpoint::parse(view.argument).map(Endpoint::server) else { return Ok(false) };
    let names = Names(view.director.config());
    let mut found = false;
    for one in view.director.ipvs_plan().draining().filter(|one| one.key == key).take(LEAVING) {
        found = true;
        let server = RealServer { key, protocol: names.protocol(one.service) };
        line(out, format_args!("{server} is no longer configured in VS {}", names.service(one.service)))?;
        let gone = Until { now: view.now, at: one.until.unwrap_or(view.now) };
        let active = Count(one.active.unwrap_or(0), "active connection");
        labelled(out, "weight", format_args!("0: drained, {active}, gone {gone}"))?;
    }
    Ok(found)
}

/// How many servers are on their way out.
pub(super) fn draining(view: &View<'_>) -> usize {
    view.director.ipvs_plan().draining().count()
}

struct Leaving<'a>(&'a View<'a>, &'a Draining);

impl Value for Leaving<'_> {
    fn write(&self, out: &mut dyn Write) -> fmt::Result {
        let Self(view, one) = self;
        let protocol = Names(view.director.config()).protocol(one.service);
        let mut object = Object::begin(out)?;
        object.field("server", Shown(RealServer { key: one.key, protocol }))?;
        object.field("active", one.active)?;
        object.field("left", until(view.now, one.until.unwrap_or(Instant::NEVER)))?;
        object.end()
    }
}

/// The same as a member of a service.
pub(super) fn drains_json(view: &View<'_>, service: ServiceId, object: &mut Object<'_>) -> fmt::Result {
    object.field("draining_total", drains(view, service).count())?;
    object.list("draining", |list| {
        drains(view, service).take(MOST).try_for_each(|one| list.item(Leaving(view, one)))
    })
}

/// Members of a real server.
pub(super) fn weights_json(
    view: &View<'_>,
    id: DestinationId,
    destination: &Destination,
    object: &mut Object<'_>,
) -> fmt::Result {
    let services = view.director.services();
    let load = services.overrides().get(id);
    let (over, since, rising) = match load {
        Load::Configured => (None, None, None),
        Load::Override { weight, since } => (Some(weight), Some(view.now.since(since)), None),
        Load::Rising { since, .. } => {
            let left = (since + destination.slow_start).since(view.now);
            (None, None, Some(left))
        }
    };
    object.field("override", over)?;
    object.field("override_since", since)?;
    object.field("slow_start_left", rising.map(|left: Duration| left))?;
    object.field("wished_weight", wish(view.director.config(), services, id))
}

/// For `why`: each of the weights, and what makes the kernel's another one than the configured one.
pub(super) fn explain(view: &View<'_>, id: DestinationId, out: &mut dyn Write) -> fmt::Result {
    let (config, services, plan) =
        (view.director.config(), view.director.services(), view.director.ipvs_plan());
    let Some(destination) = config.destinations.get(id.index()) else { return Ok(()) };
    let Some(service) = config.services.get(destination.service.index()) else { return Ok(()) };
    let (wished, there) = (wish(config, services, id), plan.destination(id).map(|spec| spec.weight));
    let mut kernel: heapless::String<32> = heapless::String::new();
    match there {
        Some(weight) => write!(kernel, "{weight} in the kernel")?,
        None => kernel.write_str("not in the kernel")?,
    }
    labelled(out, "weight", format_args!("{} configured, {kernel}", destination.weight))?;
    origin(view, id, destination, out)?;
    let pool = services.pool(destination.service);
    let lost = pool.is_some_and(|pool| pool.quorum == Quorum::Lost);
    let (sorry, alive) = (service.is_sorry(id), services.is_alive(id));
    let aside = match destination.on_failure {
        OnFailure::Remove => "taken out of the table",
        OnFailure::Inhibit => "kept at weight 0",
    };
    let drained = services.overrides().is_drained(id);
    if sorry && !lost {
        labelled(out, "because", format_args!("the quorum is met: the sorry server is not needed"))?;
    } else if !alive {
        labelled(out, "because", format_args!("a check failed: {aside}"))?;
    } else if drained {
        labelled(out, "because", format_args!("drained: its connections end by themselves"))?;
    } else if !sorry
        && lost
        && view.director.services().pool(destination.service).is_some_and(|pool| pool.relief)
    {
        labelled(out, "because", format_args!("quorum lost, the sorry server serves: {aside}"))?;
    }
    if there != wished {
        differs(view, id, destination.service, wished, out)?;
    }
    Ok(())
}

/// Why the kernel has not what is wished.
fn differs(
    view: &View<'_>,
    id: DestinationId,
    service: ServiceId,
    wished: Option<u32>,
    out: &mut dyn Write,
) -> fmt::Result {
    let plan = view.director.ipvs_plan();
    let wish = match wished {
        Some(_) => "to be set",
        None => "to be removed",
    };
    if let Availability::Absent(errno) = plan.availability() {
        return labelled(out, wish, format_args!("when there is IPVS: {}", Text(errno.0)));
    }
    let (errno, parked) = match plan.destination_error(id) {
        Some(errno) => (Some(errno), plan.is_destination_parked(id)),
        None => (plan.service_error(service), plan.is_service_parked(service)),
    };
    match errno {
        Some(errno) if parked => {
            let text = Text(errno.0);
            labelled(out, wish, format_args!("refused for good: {text}; tried again after a reload"))
        }
        Some(errno) => labelled(out, wish, format_args!("tried again soon: {}", Text(errno.0))),
        None if plan.repairs_held() => {
            labelled(out, wish, format_args!("later: somebody keeps changing the table"))
        }
        None => labelled(out, wish, format_args!("at once")),
    }
}
