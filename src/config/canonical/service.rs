//! `virtual_server` with its real servers and their checks.

use core::fmt::{self, Display};
use core::net::{IpAddr, Ipv4Addr};

use super::page::Page;
use super::{Next, Place, phase};
use crate::check::http_get::Url;
use crate::check::http_get::regex::{Regex, Wish};
use crate::check::pattern::Window;
use crate::check::text;
use crate::config::Config;
use crate::config::ids::{DestinationId, Id};
use crate::config::model::{Assumption, Destination, OnFailure, Probe, Service};
use crate::time::Duration;
use crate::wire::genl_ipvs::{
    Family, ForwardingMethod, PersistenceEngine, Protocol, ServiceKey, ServiceSpec,
};

/// Ranges of statuses on one line.
const STATUSES: usize = 8;
/// The same of a url whose row is bounded; more are counted.
const MAX_STATUSES: usize = 64;

/// Some lines of a service. `row` is the service for the head of it, the destination for all else.
pub(super) fn row(config: &Config, place: Place, page: &mut Page<'_>) -> Next {
    if place.phase == phase::SERVICE {
        let Some(service) = config.written_services().get(place.row) else { return Ok(None) };
        head(config, service, page)?;
        return Ok(Some(Place::at(phase::SERVER, service.destinations.rows().start)));
    }
    let Some(destination) = config.destinations.get(place.row) else { return Ok(None) };
    let Some(service) = config.services.get(destination.service.index()) else { return Ok(None) };
    if place.phase == phase::SERVER {
        let sorry = service.is_sorry(DestinationId::from_index(place.row));
        if sorry && is_plain(config, destination) {
            plain_sorry(config, (service, destination), page)?;
            return behind(config, place.row, page).map(Some);
        }
        let keyword = if sorry { "sorry_server" } else { "real_server" };
        server(config, (service, destination), keyword, page)?;
        return Ok(Some(Place::at(phase::PROBE, place.row)));
    }
    let id = config.probes_of(destination).get(place.sub);
    let Some(probe) = id.and_then(|id| config.probes.get(id.index())) else {
        page.close(1)?;
        return behind(config, place.row, page).map(Some);
    };
    check(probe, destination, place, page).map(Some)
}

/// True if a sorry server needs no block.
fn is_plain(config: &Config, sorry: &Destination) -> bool {
    config.probes_of(sorry).is_empty() && (sorry.weight, sorry.upper, sorry.lower) == (1, 0, 0)
}

/// A sorry server as keepalived writes it.
fn plain_sorry(
    config: &Config,
    (service, sorry): (&Service, &Destination),
    page: &mut Page<'_>,
) -> fmt::Result {
    page.line(1, "sorry_server", &Target(sorry))?;
    if sorry.method != method_of(config, service) {
        page.line(1, "sorry_server_lvs_method", &Method(sorry.method))?;
    }
    page.switch(1, "sorry_server_inhibit", sorry.on_failure == OnFailure::Inhibit)
}

/// What stands behind a server: another one, or the end of the service.
fn behind(config: &Config, row: usize, page: &mut Page<'_>) -> Result<Place, fmt::Error> {
    let next = Place::at(phase::SERVER, row + 1);
    let Some(destination) = config.destinations.get(row) else { return Ok(next) };
    let Some(service) = config.services.get(destination.service.index()) else { return Ok(next) };
    if row + 1 < service.destinations.rows().end {
        return Ok(next);
    }
    page.close(0)?;
    Ok(Place::at(phase::SERVICE, destination.service.index() + 1))
}

/// What all servers of a service have in common as far as it is known: the method of the first one.
fn method_of(config: &Config, service: &Service) -> ForwardingMethod {
    let first = config.destinations.get(service.destinations.rows().start);
    first.map_or(ForwardingMethod::Masquerade, |first| first.method)
}

fn head(config: &Config, service: &Service, page: &mut Page<'_>) -> fmt::Result {
    page.gap()?;
    match service.key {
        ServiceKey::Address { protocol, address, port } => {
            page.open(0, "virtual_server", &format_args!("{address} {port}"))?;
            let protocol = match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
                Protocol::Sctp => "SCTP",
            };
            page.line(1, "protocol", &protocol)?;
        }
        ServiceKey::Mark { mark, family } => {
            page.open(0, "virtual_server", &format_args!("fwmark {mark}"))?;
            let family = match family {
                Family::Inet => "inet",
                Family::Inet6 => "inet6",
            };
            page.line(1, "ip_family", &family)?;
        }
    }
    let method = method_of(config, service);
    spec(&service.spec, service.key.family(), page)?;
    page.line(1, "lb_kind", &Method(method))?;
    page.numbers(1, &[("quorum", service.quorum, 1), ("hysteresis", service.hysteresis, 0)])?;
    if service.suspend { page.flag(1, "ha_suspend") } else { Ok(()) }
}

fn spec(spec: &ServiceSpec, family: Family, page: &mut Page<'_>) -> fmt::Result {
    let name = spec.scheduler.as_str();
    page.rated(1, "lb_algo", &name, name == "wlc")?;
    // IP_VS_SVC_F_* (linux/ip_vs.h), with the names that sh and mh give to the scheduler's own.
    let flags = match name {
        "sh" => ["sh-fallback", "sh-port", "flag-3"],
        "mh" => ["mh-fallback", "mh-port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    for (bit, flag) in [0x8, 0x10, 0x20].into_iter().zip(flags) {
        if spec.flags & bit != 0 {
            page.flag(1, flag)?;
        }
    }
    if spec.flags & 0x4 != 0 {
        page.flag(1, "ops")?;
    }
    if spec.flags & 0x1 != 0 {
        page.line(1, "persistence_timeout", &spec.timeout)?;
        let (mask, whole) = match family {
            Family::Inet => (true, 32),
            // A prefix length of 0 can only be written as a mask.
            Family::Inet6 => (spec.netmask == 0, 128),
        };
        let default = spec.netmask == whole;
        if mask {
            let bits = u32::MAX.checked_shl(32_u32.saturating_sub(spec.netmask.into())).unwrap_or(0);
            page.rated(1, "persistence_granularity", &Ipv4Addr::from_bits(bits), default)?;
        } else {
            page.rated(1, "persistence_granularity", &spec.netmask, default)?;
        }
    }
    match spec.engine {
        Some(PersistenceEngine::Sip) => page.line(1, "persistence_engine", &"sip"),
        Some(PersistenceEngine::Other) | None => Ok(()),
    }
}

fn server(
    config: &Config,
    (service, destination): (&Service, &Destination),
    keyword: &str,
    page: &mut Page<'_>,
) -> fmt::Result {
    page.open(1, keyword, &Target(destination))?;
    page.numbers(2, &[("weight", destination.weight, 1)])?;
    if destination.method != method_of(config, service) {
        page.line(2, "lb_kind", &Method(destination.method))?;
    }
    page.switch(2, "inhibit_on_failure", destination.on_failure == OnFailure::Inhibit)?;
    page.numbers(2, &[("uthreshold", destination.upper, 0), ("lthreshold", destination.lower, 0)])?;
    let (slow_start, drain_time) = (destination.slow_start, destination.drain_time);
    page.times(2, &[("slow_start", slow_start, Duration::ZERO), ("drain_time", drain_time, Duration::ZERO)])
}

/// The head of a checker, one url, or the end of a checker.
fn check(
    probe: &Probe,
    destination: &Destination,
    place: Place,
    page: &mut Page<'_>,
) -> Result<Place, fmt::Error> {
    let urls = probe.checker.urls();
    if place.leaf == 0 {
        check_head(probe, destination, page)?;
    } else if let Some(one) = urls.get(place.leaf - 1) {
        url(one, page)?;
    }
    if place.leaf < urls.len() {
        return Ok(Place { leaf: place.leaf + 1, ..place });
    }
    page.close(2)?;
    Ok(place.next_sub())
}

fn check_head(probe: &Probe, destination: &Destination, page: &mut Page<'_>) -> fmt::Result {
    let form = probe.checker.form();
    page.open(2, form.keyword, &"")?;
    let (ip, port) = (probe.address, probe.port);
    let via = probe.bind.as_ref().is_some_and(|bind| bind.via.is_some());
    if via {
        page.line(3, "via_vip", &"on")?;
    } else if ip != destination.key.address {
        page.line(3, "connect_ip", &ip)?;
    }
    // A checker without ports has 0.
    if port > 0 {
        page.rated(3, "connect_port", &port, port == destination.key.port)?;
    }
    if let Some(bind) = &probe.bind {
        if let Some(source) = bind.source {
            page.line(3, "bindto", &source.ip())?;
            if source.port() > 0 {
                page.line(3, "bind_port", &source.port())?;
            }
        }
        if let Some(link) = bind.link {
            page.line(3, "bind_if", &link)?;
        }
        page.numbers(3, &[("fwmark", if via { 0 } else { bind.mark }, 0)])?;
    }
    page.switch(3, "alpha", probe.assumption == Assumption::Down)?;
    let second = Duration::from_secs(1);
    page.times(
        3,
        &[
            ("delay_loop", probe.interval, Duration::from_secs(60)),
            ("connect_timeout", probe.timeout, Duration::from_secs(5)),
        ],
    )?;
    page.numbers(3, &[("retry", probe.retry, form.retry)])?;
    page.times(
        3,
        &[
            ("delay_before_retry", probe.retry_delay, form.pause.unwrap_or(probe.interval)),
            ("warmup", probe.warmup, probe.interval.min(second)),
        ],
    )?;
    probe.checker.lines().iter().try_for_each(|(keyword, value)| page.line(3, keyword, &page.word(value)))
}

fn url(url: &Url, page: &mut Page<'_>) -> fmt::Result {
    page.open(3, "url", &"")?;
    page.line(4, "path", &page.word(&url.path))?;
    if let Some(host) = &url.host {
        page.line(4, "virtualhost", &page.word(host))?;
    }
    let shown = if page.style.longest == usize::MAX { usize::MAX } else { MAX_STATUSES };
    let (shown, rest) = url.statuses.split_at_checked(shown).unwrap_or((&url.statuses, &[]));
    for statuses in shown.chunks(STATUSES) {
        page.rated(4, "status_code", &Statuses(statuses), *url.statuses == [(200, 299)])?;
    }
    if let Some(digest) = &url.digest {
        page.line(4, "digest", &text::digits(digest))?;
    }
    if let Some(regex) = &url.regex {
        body(regex, page)?;
    }
    if !rest.is_empty() {
        page.line(4, "#", &format_args!("and {} more", rest.len()))?;
    }
    page.close(3)
}

/// What is looked for in the body.
fn body(regex: &Regex, page: &mut Page<'_>) -> fmt::Result {
    page.line(4, "regex", &page.word(&text::shell_escaped(regex.pattern.text())))?;
    let options = regex.pattern.options();
    if !options.is_empty() {
        page.line(4, "regex_options", &options)?;
    }
    if regex.wish == Wish::NoMatch {
        page.flag(4, "regex_no_match")?;
    }
    let Window { min, max } = regex.window;
    if min > 0 {
        page.line(4, "regex_min_offset", &min)?;
    }
    if max < u32::MAX { page.line(4, "regex_max_offset", &max) } else { Ok(()) }
}

/// `200 300-302`
struct Statuses<'a>(&'a [(u16, u16)]);

impl Display for Statuses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blank = "";
        for (low, high) in self.0 {
            write!(f, "{blank}{low}")?;
            if high != low {
                write!(f, "-{high}")?;
            }
            blank = " ";
        }
        Ok(())
    }
}

/// Address and port.
struct Target<'a>(&'a Destination);

impl Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address: IpAddr = self.0.key.address;
        write!(f, "{address} {}", self.0.key.port)
    }
}

/// The words behind `lb_kind`.
struct Method(ForwardingMethod);

impl Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tunnel = match self.0 {
            // The other two are the kernel's own; a configuration has none of them.
            ForwardingMethod::Masquerade | ForwardingMethod::Local | ForwardingMethod::Bypass => {
                return f.write_str("NAT");
            }
            ForwardingMethod::DirectRoute => return f.write_str("DR"),
            ForwardingMethod::Tunnel(tunnel) => tunnel,
        };
        f.write_str("TUN")?;
        match tunnel.kind {
            1 => write!(f, " type gue port {}", tunnel.port)?,
            2 => f.write_str(" type gre")?,
            _ => {}
        }
        f.write_str(match tunnel.flags {
            1 => " csum",
            2 => " remcsum",
            _ => "",
        })
    }
}
