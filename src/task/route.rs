//! Interfaces, addresses, routes and rules: the channel of requests and dumps on the routing socket. Monitoring has a
//! socket of its own (`monitor`), so that a storm of notifications cannot push out answers.

use super::answers::Channel;
use super::meter::Work;
use super::requests::Rendered;
use super::shell::Shell;
use crate::director::action::{Action, Dump};
use crate::director::event::{Event, Source};
use crate::wire::netlink::{Malformed, Message, Writer};
use crate::wire::rtnetlink::{self, Request};

/// The channel.
pub(super) static CHANNEL: Channel =
    Channel { requests: |shell| &shell.route, work: Work::Route, render, show };

#[expect(clippy::wildcard_enum_match_arm, reason = "the others are no dumps")]
fn render(shell: &Shell, action: Action, writer: &mut Writer<'_>, seq: u32) -> Rendered {
    let director = shell.director.borrow();
    if let Some(request) = director.routing_request(action) {
        return request.emit(writer, seq).into();
    }
    let request = match action {
        Action::Dump { what: Dump::Links, .. } => Some(Request::DumpLinks),
        Action::Dump { what: Dump::Routes, .. } => Some(Request::DumpRoutes),
        Action::Dump { what: Dump::Rules, .. } => Some(Request::DumpRules),
        Action::Dump { .. } => Some(Request::DumpAddresses),
        _ => director.route_request(action),
    };
    request.map_or(Rendered::Nothing, |request| request.emit(writer, seq).into())
}

fn show(shell: &Shell, message: &Message<'_>, payload: &[u8]) -> Result<(), Malformed> {
    hand_over(shell, message.kind, payload, Source::Dump)
}

/// Makes an event of what the kernel says.
pub(super) fn hand_over(shell: &Shell, kind: u16, payload: &[u8], source: Source) -> Result<(), Malformed> {
    match rtnetlink::parse(kind, payload)? {
        rtnetlink::Message::NewRoute(entry) => {
            shell.handle(Event::Route { entry: &entry, there: true, source });
        }
        rtnetlink::Message::DelRoute(entry) => {
            shell.handle(Event::Route { entry: &entry, there: false, source });
        }
        rtnetlink::Message::NewRule(entry) => {
            shell.handle(Event::Rule { entry: &entry, there: true, source })
        }
        rtnetlink::Message::DelRule(entry) => {
            shell.handle(Event::Rule { entry: &entry, there: false, source });
        }
        rtnetlink::Message::NewLink(entry) => shell.handle(Event::Link(&entry)),
        rtnetlink::Message::DelLink(entry) => shell.handle(Event::LinkGone(&entry)),
        rtnetlink::Message::NewAddress(entry) => shell.handle(Event::Address { entry: &entry, source }),
        rtnetlink::Message::DelAddress(entry) => shell.handle(Event::AddressGone { entry: &entry, source }),
        rtnetlink::Message::Other => {}
    }
    Ok(())
}
