//! Lines about weights that are not the configured ones, and about servers on their way out.

use super::names::RealServer;
use super::{Info, Teller};
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::console::text::Count;
use crate::director::journal::Reason;
use crate::wire::genl_ipvs::DestinationKey;

#[expect(clippy::wildcard_enum_match_arm, reason = "the caller says which reasons come here")]
pub(super) fn tell(teller: &mut Teller<'_>, reason: Reason) {
    match reason {
        Reason::Overridden(id, weight) => overridden(teller, id, weight),
        Reason::RiseStarted(id) => rise(teller, id),
        Reason::DrainStarted(service, key, time) => {
            let line = format_args!("no longer configured: drained for at most {time} s");
            about(teller, (service, key), line);
        }
        Reason::DrainEnded(service, key, 0) => {
            about(teller, (service, key), format_args!("no connections are left: removing it"));
        }
        Reason::DrainEnded(service, key, left) => {
            let left = Count(left, "active connection");
            about(teller, (service, key), format_args!("drain_time is over with {left}: removing it"));
        }
        _ => {}
    }
}

fn about(
    teller: &mut Teller<'_>,
    (service, key): (ServiceId, DestinationKey),
    what: core::fmt::Arguments<'_>,
) {
    let names = teller.names;
    let server = RealServer { key, protocol: names.protocol(service) };
    teller.say(Info, format_args!("Service {server} of VS {} {what}", names.service(service)));
}

fn overridden(teller: &mut Teller<'_>, id: DestinationId, weight: Option<u16>) {
    let names = teller.names;
    let Some(destination) = names.0.destinations.get(id.index()) else { return };
    let (server, service, configured) = (names.server(id), names.service_of(id), destination.weight);
    let head = format_args!("Service {server} of VS {service}");
    match weight {
        Some(0) => teller.say(Info, format_args!("{head} drained by the console (configured {configured})")),
        Some(weight) => {
            teller.say(Info, format_args!("{head} weight {weight} by the console (configured {configured})"));
        }
        None => {
            teller.say(Info, format_args!("{head} weight {configured} as configured, by the console"));
        }
    }
}

fn rise(teller: &mut Teller<'_>, id: DestinationId) {
    let names = teller.names;
    let Some(destination) = names.0.destinations.get(id.index()) else { return };
    let (weight, time) = (destination.weight, destination.slow_start);
    let (server, service) = (names.server(id), names.service_of(id));
    teller.say(
        Info,
        format_args!("Service {server} of VS {service} rises to weight {weight} in {time} s (slow_start)"),
    );
}
