//! `why NAME`: everything about what is called so: an instance, an address, a service, a real server. State, since when,
//! because of what, what happens next. What led to it is in the log, whose lines the shell adds ([`mentions`]).

use core::fmt::{self, Write};

use super::{checks, labelled, line, state_word, vrrp};
use crate::config::ids::{AddressId, DestinationId, Id, ServiceId};
use crate::console::answer::{Next, Place};
use crate::console::lines::Names;
use crate::console::lines::why::Why;
use crate::console::view::View;
use crate::wire::errno::Text;

const INSTANCES: u8 = 0;
const ADDRESSES: u8 = 1;
const SERVICES: u8 = 2;
const SERVERS: u8 = 3;

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
    let row = place.row;
    let seen = match place.phase {
        INSTANCES => instance(view, row, out)?,
        ADDRESSES => address(view, row, out)?,
        SERVICES => service(view, row, out)?,
        _ => server(view, row, out)?,
    };
    match seen {
        Some(found) => {
            Ok(Some(Place { leaf: place.leaf.max(usize::from(found)), ..place.next_row(place.phase) }))
        }
        None if place.phase < SERVERS => {
            Ok(Some(Place { leaf: place.leaf, ..Place::phase(place.phase + 1) }))
        }
        None => {
            if place.leaf == 0 {
                line(out, format_args!("nothing configured is called {}", view.argument))?;
                out.write_str(
                    "names are those of `show vrrp` and `show checks`: VI_1, 192.0.2.100, FWM 1\n",
                )?;
            }
            Ok(None)
        }
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
    let (link, owner) = (names.link(address.link), names.instance(address.instance));
    line(out, format_args!("{}/{} on {link}: {standing}", address.address, address.prefix))?;
    if let Some(errno) = plan.error(id) {
        labelled(out, "refused", format_args!("by the kernel: {}", Text(errno.0)))?;
    }
    if let Some(router) = view.director.vrrp().get(address.instance) {
        let state = state_word(router.state);
        labelled(out, "why", format_args!("{owner} is {state}: {}", Why::of_state(names, router.why)))?;
    }
    Ok(Some(true))
}

fn service(view: &View<'_>, row: usize, out: &mut dyn Write) -> Result<Option<bool>, fmt::Error> {
    let Some((id, service)) = checks::service(view, row) else { return Ok(None) };
    let found = is_called(view, format_args!("{}", service.key));
    if found {
        checks::service_line(view, id, service, out)?;
        labelled(
            out,
            "quorum",
            format_args!("weight {} is needed, {} to lose it", service.quorum, {
                service.quorum.saturating_sub(service.hysteresis)
            }),
        )?;
        for id in service.destinations.iter().take(MOST) {
            server_lines(view, id, out)?;
        }
        if service.destinations.len() > MOST {
            line(out, format_args!("  and {} more: show checks", service.destinations.len() - MOST))?;
        }
    }
    Ok(Some(found))
}

/// Real servers shown with their service: they fit a screen.
const MOST: usize = 16;

fn server(view: &View<'_>, row: usize, out: &mut dyn Write) -> Result<Option<bool>, fmt::Error> {
    let config = view.director.config();
    let Some(destination) = config.destinations.get(row) else { return Ok(None) };
    let id = DestinationId::from_index(row);
    let found = is_called(view, format_args!("{}", Names(config).server(id)));
    if found {
        let service: ServiceId = destination.service;
        if let Some((_, service)) = checks::service(view, service.index()) {
            line(out, format_args!("real server of VS {}", service.key))?;
        }
        server_lines(view, id, out)?;
    }
    Ok(Some(found))
}

fn server_lines(view: &View<'_>, id: DestinationId, out: &mut dyn Write) -> fmt::Result {
    let config = view.director.config();
    let Some(destination) = config.destinations.get(id.index()) else { return Ok(()) };
    let probes = config.probes_of(destination);
    checks::destination_line(view, id, destination, probes.first().copied(), out)?;
    for probe in probes.iter().skip(1).take(MOST) {
        checks::destination_line(view, id, destination, Some(*probe), out)?;
    }
    if let Some(errno) = view.director.ipvs_plan().destination_error(id) {
        line(out, format_args!("    the kernel refused it: {}", Text(errno.0)))?;
    }
    Ok(())
}
