//! Interfaces and addresses: the channel of requests and dumps on the routing socket. Monitoring has a socket of its
//! own (`monitor`), so that a storm of notifications cannot push out answers.

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

fn render(shell: &Shell, action: Action, writer: &mut Writer<'_>, seq: u32) -> Rendered {
    let request = if let Action::Dump { what, .. } = action {
        Some(if what == Dump::Links { Request::DumpLinks } else { Request::DumpAddresses })
    } else {
        shell.director.borrow().route_request(action)
    };
    request.map_or(Rendered::Nothing, |request| request.emit(writer, seq).into())
}

fn show(shell: &Shell, message: &Message<'_>, payload: &[u8]) -> Result<(), Malformed> {
    hand_over(shell, message.kind, payload, Source::Dump)
}

/// Makes an event of what the kernel says of an interface or an address.
pub(super) fn hand_over(shell: &Shell, kind: u16, payload: &[u8], source: Source) -> Result<(), Malformed> {
    match rtnetlink::parse(kind, payload)? {
        rtnetlink::Message::NewLink(entry) => shell.handle(Event::Link(&entry)),
        rtnetlink::Message::DelLink(entry) => shell.handle(Event::LinkGone(&entry)),
        rtnetlink::Message::NewAddress(entry) => shell.handle(Event::Address { entry: &entry, source }),
        rtnetlink::Message::DelAddress(entry) => shell.handle(Event::AddressGone { entry: &entry, source }),
        rtnetlink::Message::Other => {}
    }
    Ok(())
}
