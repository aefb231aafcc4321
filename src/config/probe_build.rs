//! Checkers as written to [`Probe`]s: target, times, and whatever is inherited from the real server and the service.
//! What a check needs to go through the virtual address is added in `via.rs`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use super::build::Tables;
use super::codes::{FAMILY, NO_PORT};
use super::model::{Assumption, Bind, Probe, Terms};
use super::service::ServerDraft;
use super::service_build::ServiceBuild;
use crate::check::keywords::{Draft, Pace};
use crate::check::{Checker, Transport};
use crate::syntax::Context;
use crate::time::Duration;
use crate::wire::genl_ipvs::{DestinationKey, ForwardingMethod};

impl ServiceBuild {
    pub(super) fn add_probes(
        &self,
        server: &ServerDraft,
        (key, method): (DestinationKey, ForwardingMethod),
        cx: &mut Context<'_>,
        tables: &mut Tables,
    ) {
        if server.checkers.is_empty() {
            return;
        }
        let outer = server.pace.or(&self.draft.pace);
        let first = tables.probe_uses.len();
        // A port that the forwarding method took away is still where the server listens.
        let written = server.port.and_then(|given| u16::try_from(given.value).ok()).filter(|port| *port > 0);
        let default_port = written.unwrap_or(key.port);
        for check in &server.checkers {
            // Each `host` of an SMTP_CHECK is one of its own; the server is up while all of them pass.
            let places = if check.hosts.is_empty() { core::slice::from_ref(check) } else { &check.hosts };
            for place in places {
                let written = place.pace.or(&check.pace);
                let pace = written.or(&outer);
                let through = self.through(place, (written.via, pace.via), (key.address, method), cx);
                let aim = |through: Option<(IpAddr, u16)>, cx: &mut Context<'_>| {
                    let (address, port) = through.map_or((key.address, default_port), |(vip, port)| {
                        (vip, if port > 0 { port } else { default_port })
                    });
                    let target = target(place, address, port, cx)?;
                    Some((target, bind(place, target, cx)?))
                };
                let Some((mut target, mut bind)) = aim(through, cx) else { continue };
                if let Some((vip, _)) = through {
                    bind.via = tables.vias.admit(vip, (key.address, method), place.at);
                    // One too many is checked at its own address: without a check it would be up for ever.
                    if bind.via.is_none() {
                        let Some(direct) = aim(None, cx) else { continue };
                        (target, bind) = direct;
                    }
                }
                let bind = (bind != Bind::default()).then(|| Rc::new(bind));
                let host = server.host.as_deref().or(self.draft.host.as_deref());
                let checker = tables.checker((check.checker.form().build)(check, host));
                if let Some(id) = tables.probe(probe(checker, (target, bind), pace), check.at)
                    && tables.probe_uses.get(first..).is_some_and(|uses| !uses.contains(&id))
                {
                    tables.probe_uses.push(id);
                }
            }
        }
    }
}

fn target(check: &Draft, default: IpAddr, default_port: u16, cx: &mut Context<'_>) -> Option<SocketAddr> {
    let form = check.checker.form();
    let address = check.connect_ip.map_or(default, |given| given.value);
    if form.transport == Transport::Echo {
        return Some(SocketAddr::new(address, 0));
    }
    let default_port = if form.port == 0 { default_port } else { form.port };
    let port = check.connect_port.and_then(|given| u16::try_from(given.value).ok()).unwrap_or(default_port);
    if port == 0 {
        cx.error(
            NO_PORT,
            check.at,
            format_args!("this check has no port to connect to and is left out"),
            format_args!("write `connect_port` in it; the real server is not checked by it now"),
        );
        return None;
    }
    Some(SocketAddr::new(address, port))
}

/// `None` for a probe that cannot be bound so.
fn bind(check: &Draft, target: SocketAddr, cx: &mut Context<'_>) -> Option<Bind> {
    let port = check.bind_port.and_then(|given| u16::try_from(given.value).ok()).unwrap_or(0);
    let any: IpAddr =
        if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let address = check.bind_ip.map_or(any, |given| given.value);
    if address.is_ipv4() != target.is_ipv4() {
        cx.error(
            FAMILY,
            check.bind_ip.map_or(check.at, |given| given.at),
            format_args!("bindto and the checked address are not of one family; the check is left out"),
            format_args!("write an own address of the family of {}", target.ip()),
        );
        return None;
    }
    let source = (check.bind_ip.is_some() || port > 0).then(|| SocketAddr::new(address, port));
    Some(Bind { source, link: check.bind_link, mark: check.mark.unwrap_or(0), via: None })
}

fn probe(checker: Checker, (target, bind): (SocketAddr, Option<Rc<Bind>>), pace: Pace) -> Probe {
    let form = checker.form();
    let interval = pace.delay_loop.map_or(Duration::from_secs(60), |given| given.value);
    let alpha = pace.alpha.is_some_and(|given| given.value);
    Probe {
        address: target.ip(),
        port: target.port(),
        terms: Rc::new(Terms {
            interval,
            timeout: pace.connect_timeout.map_or(Duration::from_secs(5), |given| given.value),
            retry: pace.retry.map_or(form.retry, |given| given.value),
            rise: 1,
            retry_delay: pace.delay_before_retry.map_or(form.pause.unwrap_or(interval), |given| given.value),
            // keepalived spreads first checks over a whole delay_loop, up to a minute of sending clients to a dead
            // server.
            warmup: pace.warmup.map_or(interval.min(Duration::from_secs(1)), |given| given.value),
            assumption: if alpha { Assumption::Down } else { Assumption::Up },
            bind,
            checker,
        }),
    }
}
