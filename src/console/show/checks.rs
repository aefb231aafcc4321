//! `show checks`: per service its pool, per real server each of its checks: state, last result, next check.

use core::fmt::{self, Write};

use super::{line, weights};
#[cfg(feature = "tls")]
use crate::check::Checker;
use crate::check::Verdict;
use crate::config::ids::{DestinationId, Id, ProbeId, ServiceId};
#[cfg(feature = "tls")]
use crate::config::model::Probe;
use crate::config::model::{Destination, Service};
use crate::console::answer::{Next, Place};
use crate::console::json::{Object, Shown, until};
use crate::console::lines::why::Why;
use crate::console::lines::{Cause, Names};
use crate::console::text::{Ago, Count, Line, Said, Span, Until};
use crate::console::view::View;
use crate::director::health::{Belief, ProbeState};
use crate::director::services::{Pool, Quorum};
use crate::time::Instant;
use crate::wire::errno::Text;

const OPEN: u8 = 0;
const SERVICE: u8 = 1;
const DESTINATION: u8 = 2;
const PROBE: u8 = 3;

pub(in crate::console) fn text(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    match place.phase {
        OPEN => {
            summary(view, out)?;
            Ok(Some(Place::phase(SERVICE)))
        }
        SERVICE => {
            let Some((id, service)) = service(view, place.row) else { return Ok(None) };
            service_line(view, id, service, out)?;
            Ok(Some(place.turn_to(DESTINATION)))
        }
        _ => {
            let found =
                service(view, place.row).and_then(|(_, service)| destination(view, service, place.sub));
            let Some((id, destination)) = found else {
                weights::drain_lines(view, ServiceId::from_index(place.row), out)?;
                return Ok(Some(place.next_row(SERVICE)));
            };
            let probes = view.director.config().probes_of(destination);
            destination_line(view, id, probes.get(place.leaf).copied(), out)?;
            let more = place.leaf + 1 < probes.len();
            if place.leaf == 0
                && let Some(errno) = view.director.ipvs_plan().destination_error(id)
            {
                line(out, format_args!("    the kernel refused it: {}", Text(errno.0)))?;
            }
            if !more {
                weights::origin(view, id, destination, out)?;
            }
            Ok(Some(if more { place.next_leaf() } else { place.next_sub(DESTINATION) }))
        }
    }
}

pub(super) fn service<'a>(view: &View<'a>, row: usize) -> Option<(ServiceId, &'a Service)> {
    Some((ServiceId::from_index(row), view.director.config().written_services().get(row)?))
}

fn destination<'a>(
    view: &View<'a>,
    service: &Service,
    place: usize,
) -> Option<(DestinationId, &'a Destination)> {
    let id = service.destinations.nth(place)?;
    Some((id, view.director.config().destinations.get(id.index())?))
}

fn summary(view: &View<'_>, out: &mut dyn Write) -> fmt::Result {
    let (config, health) = (view.director.config(), view.director.health());
    let (busy, slots) = health.slots();
    let (done, failed) = (health.checks_total(), health.failures_total());
    let probes = Count(config.probes.len(), "probe");
    line(out, format_args!("{probes}, {busy} of {slots} slots busy; {done} checks done, {failed} failed"))?;
    #[cfg(feature = "tls")]
    if config.probes.iter().any(is_secure) {
        line(out, format_args!("SSL_GET: {}", Verified(view)))?;
    }
    Ok(())
}

/// Whether it looks at a certificate.
#[cfg(feature = "tls")]
pub(super) fn is_secure(probe: &Probe) -> bool {
    matches!(probe.checker, Checker::Ssl(_))
}

/// What is said about certificates.
#[cfg(feature = "tls")]
pub(super) struct Verified<'a>(pub(super) &'a View<'a>);

#[cfg(feature = "tls")]
impl fmt::Display for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(file) = &self.0.director.config().tls.ca else {
            return f.write_str("certificate not verified");
        };
        let dates = if self.0.clock_set { "" } else { " but for its dates, as the clock is not set," };
        write!(f, "certificate verified{dates} by {file}")
    }
}

pub(super) fn quorum_word(pool: &Pool) -> &'static str {
    match pool.quorum {
        Quorum::Met => "up",
        Quorum::Lost => "QUORUM LOST",
    }
}

pub(super) fn service_line(
    view: &View<'_>,
    id: ServiceId,
    service: &Service,
    out: &mut dyn Write,
) -> fmt::Result {
    out.write_char('\n')?;
    let mut line = Line::new(out);
    write!(line, "VS {} {}", service.key, service.spec.scheduler)?;
    if let Some(pool) = view.director.services().pool(id) {
        write!(line, ": {} for {}, ", quorum_word(pool), Span(view.now.since(pool.since)))?;
        write!(line, "{} of {} alive, weight {}", pool.alive, service.real_servers().len(), pool.weight)?;
    }
    if view.director.services().is_resting(id) {
        line.write_str(", suspended")?;
    }
    line.end()?;
    if let Some(errno) = view.director.ipvs_plan().service_error(id) {
        let cause = Cause { errno, spec: Some(service.spec) };
        super::line(out, format_args!("  the kernel refused it: {cause}"))?;
    }
    Ok(())
}

pub(super) fn destination_line(
    view: &View<'_>,
    id: DestinationId,
    probe: Option<ProbeId>,
    out: &mut dyn Write,
) -> fmt::Result {
    let config = view.director.config();
    let mut line = Line::new(out);
    write!(line, "  {}", Names(config).server(id))?;
    line.to(25)?;
    let known = probe
        .and_then(|probe| Some((probe, view.director.probe(probe)?, view.director.health().get(probe)?)));
    let Some((probe, what, state)) = known else {
        line.write_str(if config.is_sorry(id) { "sorry server, never checked" } else { "up, not checked" })?;
        return line.end();
    };
    let sorry = if config.is_sorry(id) { "sorry, " } else { "" };
    write!(line, "{sorry}{}", Standing(state, what.retry))?;
    line.to(36)?;
    // What keeps us from asking is a sentence: it stands below.
    let own = match state.last {
        Some((_, verdict @ Verdict::Local { .. })) => Some(verdict),
        Some((_, Verdict::Pass { .. } | Verdict::Fail(_))) | None => None,
    };
    match state.last {
        Some((at, verdict)) => {
            match own {
                Some(_) => line.write_str("not made")?,
                None => write!(line, "{}", Why::of_verdict(verdict))?,
            }
            line.to(58)?;
            write!(line, "{}", Ago { now: view.now, at })?;
        }
        None => line.write_str("not checked yet")?,
    }
    line.to(69)?;
    match view.director.probe_due(probe) {
        Some(at) => write!(line, "{}", Until { now: view.now, at })?,
        None if view.director.health().is_resting(probe) => line.write_str("suspended")?,
        None => line.write_str("checking")?,
    }
    line.end()?;
    if let Some(verdict) = own {
        super::line(out, format_args!("    {}", Why::of_verdict(verdict)))?;
    }
    match view.director.health().evidence(probe) {
        Some(said) => super::line(out, format_args!("    it said: {}", Said(said))),
        None => Ok(()),
    }
}

/// What is believed of a probe's target.
struct Standing<'a>(&'a ProbeState, u32);

impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.belief {
            Belief::Unproven => f.write_str("assumed up"),
            Belief::Awaited => f.write_str("awaited"),
            Belief::Up if self.0.failures > 0 => write!(f, "up, {}/{}", self.0.failures, self.1),
            Belief::Up => f.write_str("up"),
            Belief::Down => f.write_str("DOWN"),
        }
    }
}

pub(in crate::console) fn json(view: &View<'_>, place: Place, out: &mut dyn Write) -> Next {
    let found = service(view, place.row);
    match place.phase {
        OPEN => {
            open_json(view, out)?;
            Ok(Some(Place::phase(SERVICE)))
        }
        SERVICE => {
            let Some((id, service)) = found else {
                out.write_str("\n]}\n")?;
                return Ok(None);
            };
            out.write_str(if place.row == 0 { "\n" } else { ",\n" })?;
            service_json(view, id, service, out)?;
            Ok(Some(place.turn_to(DESTINATION)))
        }
        DESTINATION => {
            let Some((id, one)) = found.and_then(|(_, service)| destination(view, service, place.sub)) else {
                out.write_str("]}")?;
                return Ok(Some(place.next_row(SERVICE)));
            };
            out.write_str(if place.sub == 0 { "\n  " } else { ",\n  " })?;
            destination_json(view, id, one, out)?;
            Ok(Some(place.turn_to(PROBE)))
        }
        _ => {
            let one = found.and_then(|(_, service)| destination(view, service, place.sub));
            let probes = one.map_or(&[][..], |(_, one)| view.director.config().probes_of(one));
            let Some(probe) = probes.get(place.leaf) else {
                out.write_str("]}")?;
                return Ok(Some(place.next_sub(DESTINATION)));
            };
            out.write_str(if place.leaf == 0 { "" } else { "," })?;
            probe_json(view, *probe, out)?;
            Ok(Some(place.next_leaf()))
        }
    }
}

fn open_json(view: &View<'_>, out: &mut dyn Write) -> fmt::Result {
    let health = view.director.health();
    let (busy, slots) = health.slots();
    let mut object = Object::begin(out)?;
    object.field("probes", view.director.config().probes.len())?;
    object.field("slots_busy", busy)?;
    object.field("slots", slots)?;
    object.field("checks_total", health.checks_total())?;
    object.field("failures_total", health.failures_total())?;
    object.open("services")?;
    out.write_char('[')
}

fn service_json(view: &View<'_>, id: ServiceId, service: &Service, out: &mut dyn Write) -> fmt::Result {
    let mut object = Object::begin(out)?;
    object.field("service", Shown(service.key))?;
    object.field("scheduler", service.spec.scheduler.as_str())?;
    if let Some(pool) = view.director.services().pool(id) {
        object.field("up", pool.quorum == Quorum::Met)?;
        object.field("since", view.now.since(pool.since))?;
        object.field("alive", pool.alive)?;
        object.field("weight", pool.weight)?;
    }
    object.field("suspended", view.director.services().is_resting(id))?;
    object.field("quorum", service.quorum)?;
    object.field("real_servers", service.real_servers().len())?;
    let error = view.director.ipvs_plan().service_error(id);
    let cause = error.map(|errno| Shown(Cause { errno, spec: Some(service.spec) }));
    object.field("error", cause)?;
    weights::drains_json(view, id, &mut object)?;
    object.open("destinations")?;
    out.write_char('[')
}

fn destination_json(
    view: &View<'_>,
    id: DestinationId,
    destination: &Destination,
    out: &mut dyn Write,
) -> fmt::Result {
    let (config, plan) = (view.director.config(), view.director.ipvs_plan());
    let mut object = Object::begin(out)?;
    object.field("server", Shown(Names(config).server(id)))?;
    object.field("sorry", config.is_sorry(id))?;
    object.field("alive", view.director.services().is_alive(id))?;
    object.field("weight", destination.weight)?;
    weights::weights_json(view, id, destination, &mut object)?;
    object.field("installed_weight", plan.destination(id).map(|spec| spec.weight))?;
    object.field("error", plan.destination_error(id).map(|errno| Shown(Text(errno.0))))?;
    object.open("checks")?;
    out.write_char('[')
}

fn probe_json(view: &View<'_>, id: ProbeId, out: &mut dyn Write) -> fmt::Result {
    let mut object = Object::begin(out)?;
    if let (Some(what), Some(state)) = (view.director.probe(id), view.director.health().get(id)) {
        object.field("check", what.checker.name())?;
        object.field("target", Shown(what.target()))?;
        object.field("via_vip", what.bind.as_ref().is_some_and(|bind| bind.via.is_some()))?;
        object.field("state", Shown(Standing(state, what.retry)))?;
        object.field("since", view.now.since(state.since))?;
        object.field("passed", state.last.map(|(_, verdict)| matches!(verdict, Verdict::Pass { .. })))?;
        object.field("result", state.last.map(|(_, verdict)| Shown(Why::of_verdict(verdict))))?;
        object.field("ago", state.last.map(|(at, _)| view.now.since(at)))?;
        let due = view.director.probe_due(id).unwrap_or(Instant::NEVER);
        object.field("next", until(view.now, due))?;
        object.field("suspended", view.director.health().is_resting(id))?;
        object.field("said", view.director.health().evidence(id).map(|said| Shown(Said(said))))?;
        #[cfg(feature = "tls")]
        if is_secure(what) {
            object.field("verified_by", view.director.config().tls.ca.as_deref())?;
        }
    }
    object.end()
}
