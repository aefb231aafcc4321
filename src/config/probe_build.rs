//! Checkers as written to [`Probe`]s: target, times, and whatever is inherited from the real server and the service.

use core::net::SocketAddr;

use super::build::Tables;
use super::codes::{FAMILY, NO_PORT};
use super::model::Probe;
use super::service::ServerDraft;
use super::service_build::ServiceBuild;
use crate::check::Checker;
use crate::check::http_get::{HttpGet, Url};
use crate::check::keywords::{Draft, Form, Pace};
use crate::syntax::Context;
use crate::time::Duration;
use crate::wire::genl_ipvs::DestinationKey;

impl ServiceBuild {
    pub(super) fn add_probes(
        &self,
        server: &ServerDraft,
        key: DestinationKey,
        cx: &mut Context<'_>,
        tables: &mut Tables,
    ) {
        let first = tables.probe_uses.len();
        // A port that the forwarding method took away is still where the server listens.
        let written = server.port.and_then(|given| u16::try_from(given.value).ok()).filter(|port| *port > 0);
        let default_port = written.unwrap_or(key.port);
        for check in &server.checkers {
            let Some(target) = target(check, key, default_port, cx) else { continue };
            let pace = check.pace.or(server.pace).or(self.draft.pace);
            let host = server.host.as_deref().or(self.draft.host.as_deref());
            let probe = probe(check, target, pace, host, tables);
            let Some(probe) = bind(check, probe, cx) else { continue };
            if let Some(id) = tables.probe(probe, check.at)
                && tables.probe_uses.get(first..).is_some_and(|uses| !uses.contains(&id))
            {
                tables.probe_uses.push(id);
            }
        }
    }
}

fn target(check: &Draft, key: DestinationKey, default_port: u16, cx: &mut Context<'_>) -> Option<SocketAddr> {
    let address = check.connect_ip.map_or(key.address, |given| given.value);
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

fn bind(check: &Draft, mut probe: Probe, cx: &mut Context<'_>) -> Option<Probe> {
    let port = check.bind_port.and_then(|given| u16::try_from(given.value).ok()).unwrap_or(0);
    let any = if probe.target.is_ipv4() {
        core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED)
    } else {
        core::net::IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED)
    };
    let address = check.bind_ip.map_or(any, |given| given.value);
    if address.is_ipv4() != probe.target.is_ipv4() {
        cx.error(
            FAMILY,
            check.bind_ip.map_or(check.at, |given| given.at),
            format_args!("bindto and the checked address are not of one family; the check is left out"),
            format_args!("write an own address of the family of {}", probe.target.ip()),
        );
        return None;
    }
    if check.bind_ip.is_some() || port > 0 {
        probe.bind = Some(SocketAddr::new(address, port));
    }
    Some(probe)
}

fn probe(check: &Draft, target: SocketAddr, pace: Pace, host: Option<&str>, tables: &mut Tables) -> Probe {
    let interval = pace.delay_loop.map_or(Duration::from_secs(60), |given| given.value);
    let default_pause = match check.form {
        Form::Tcp => Duration::from_secs(1),
        Form::Http => Duration::from_secs(3),
    };
    Probe {
        target,
        bind: None,
        interval,
        timeout: pace.connect_timeout.map_or(Duration::from_secs(5), |given| given.value),
        retry: pace.retry.map_or(1, |given| given.value),
        retry_delay: pace.delay_before_retry.map_or(default_pause, |given| given.value),
        // keepalived spreads first checks over a whole delay_loop, up to a minute of sending clients to a dead server.
        warmup: pace.warmup.map_or(interval.min(Duration::from_secs(1)), |given| given.value),
        checker: checker(check, host, tables),
    }
}

fn checker(check: &Draft, host: Option<&str>, tables: &mut Tables) -> Checker {
    match check.form {
        Form::Tcp => Checker::Tcp,
        Form::Http => {
            let host = check.host.as_deref().or(host);
            let urls = check.urls.iter().map(|url| Url {
                path: url.path.clone().unwrap_or_else(|| "/".into()),
                host: url.host.as_deref().or(host).map(Into::into),
                statuses: if url.statuses.is_empty() {
                    [(200, 299)].into()
                } else {
                    url.statuses.as_slice().into()
                },
            });
            let urls = urls.collect();
            Checker::Http(HttpGet { urls: tables.urls(urls), recovery: check.recovery })
        }
    }
}
