//! The IPVS table: the channel of requests and dumps on a generic netlink socket, and the look-up of its family.
//!
//! The family's number is asked for by [`Action::FindIpvs`]; the kernel loads the module inside that call. Without
//! a number no request can be made, and each is answered as one that asks for nothing.

use super::answers::Channel;
use super::meter::Work;
use super::requests::Rendered;
use super::shell::Shell;
use crate::config::ids::Id;
use crate::director::action::{Action, Dump};
use crate::director::event::Event;
use crate::wire::genetlink;
use crate::wire::genl_ipvs::{self, Request};
use crate::wire::netlink::{Malformed, Message, Writer};

/// The channel.
pub(super) static CHANNEL: Channel =
    Channel { requests: |shell| &shell.ipvs, work: Work::Ipvs, render, show };

fn render(shell: &Shell, action: Action, writer: &mut Writer<'_>, seq: u32) -> Rendered {
    if matches!(action, Action::FindIpvs { .. }) {
        return genetlink::emit_find_family(genl_ipvs::FAMILY_NAME, writer, seq).into();
    }
    let director = shell.director.borrow();
    let request = if let Action::Dump { what, .. } = action {
        match what {
            Dump::Destinations(service) => {
                let service = director.config().services.get(service.index());
                service.map(|service| Request::DumpDestinations(service.key))
            }
            Dump::Daemons => Some(Request::DumpDaemons),
            Dump::Services | Dump::Links | Dump::Addresses | Dump::Routes | Dump::Rules => {
                Some(Request::DumpServices)
            }
        }
    } else {
        director.ipvs_request(action)
    };
    match request.zip(shell.ipvs_family.get()) {
        Some((request, family)) => request.emit(writer, family, seq).into(),
        None => Rendered::Nothing,
    }
}

fn show(shell: &Shell, message: &Message<'_>, payload: &[u8]) -> Result<(), Malformed> {
    if shell.ipvs_family.get() != Some(message.kind) {
        shell.ipvs_family.set(Some(genetlink::parse_family(payload)?));
        return Ok(());
    }
    if let Some(values) = genl_ipvs::parse_timeouts(payload) {
        shell.handle(Event::Timeouts(values));
        return Ok(());
    }
    let dumped = shell.ipvs.borrow_mut().outstanding.dump(message.seq).map(|dump| dump.action);
    match dumped {
        Some(Action::Dump { what: Dump::Services, .. }) => {
            shell.handle(Event::Service(&genl_ipvs::parse_service(payload)?));
        }
        Some(Action::Dump { what: Dump::Destinations(service), .. }) => {
            let family =
                shell.director.borrow().config().services.get(service.index()).map(|one| one.key.family());
            let entry = genl_ipvs::parse_destination(payload, family.ok_or(Malformed::Unknown)?)?;
            shell.handle(Event::Destination(&entry));
        }
        Some(Action::Dump { what: Dump::Daemons, .. }) => {
            shell.handle(Event::Daemon(&genl_ipvs::parse_daemon(payload)?));
        }
        // The rest of a dump that was given up.
        _ => {}
    }
    Ok(())
}
