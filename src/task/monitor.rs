//! The monitoring socket: what happens to interfaces and addresses, and to routes and rules if the configuration has
//! any, whoever does it. Its only queue is the kernel's receive buffer; an overrun makes everything unknown, and the
//! director lists it anew.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::rc::Rc;

use super::answers::{BURST, PIECE};
use super::meter::Work;
use super::reactor;
use super::route;
use super::shell::{Priority, Shell};
use crate::director::event::{Event, Source};
use crate::kernel::clock;
use crate::kernel::error::Error;
use crate::kernel::netlink::{GROUPS_LINKS, GROUPS_ROUTES, GROUPS_RULES, Incoming, NetlinkSocket, Protocol};
use crate::wire::netlink::{Content, messages};

/// Opens the socket and reads notifications for ever.
///
/// # Errors
/// There is no routing netlink, or no descriptor left.
pub(super) fn start(shell: &Rc<Shell>) -> Result<(), Error> {
    let socket = shell.reactor.register(NetlinkSocket::open(Protocol::Route, GROUPS_LINKS)?)?;
    // The only start.
    let _ = shell.monitored.set(socket);
    follow(shell);
    shell.spawn(Priority::Ordinary, run(Rc::clone(shell)));
    Ok(())
}

async fn run(shell: Rc<Shell>) {
    let Some(socket) = shell.monitored.get() else { return };
    poll_fn(|context| shell.meter.measure(Work::Route, || poll_notifications(&shell, socket, context))).await;
}

/// Hears of routes and of rules if the configuration in force has any: the tables of a box with a routing daemon
/// change all the time.
pub(super) fn follow(shell: &Shell) {
    let Some(socket) = shell.monitored.get() else { return };
    let director = shell.director.borrow();
    let config = director.config();
    for (unused, groups) in [
        (config.routes.len() + config.tracked_routes.len() == 0, GROUPS_ROUTES),
        (config.rules.is_empty(), GROUPS_RULES),
    ] {
        let done = if unused { socket.io().leave(&groups) } else { socket.io().join(&groups) };
        if let Err(error) = done {
            log::warn!("{error}: what others change is found late");
        }
    }
}

fn poll_notifications(
    shell: &Shell,
    socket: &reactor::Source<NetlinkSocket>,
    context: &Context<'_>,
) -> Poll<()> {
    let own = shell.route.borrow().port();
    let end = clock::now() + PIECE;
    for place in 0..BURST {
        if place > 0 && clock::now() >= end {
            break;
        }
        let mut buffer = shell.datagram.borrow_mut();
        match socket.io().receive(&mut buffer) {
            Ok(Incoming::Datagram(length)) => read(shell, own, buffer.get(..length).unwrap_or(&[])),
            Ok(Incoming::Stranger) => {}
            Ok(Incoming::Empty) => {
                socket.wake_when_readable(context);
                return Poll::Pending;
            }
            Ok(Incoming::Cut | Incoming::Overrun) | Err(_) => shell.handle(Event::Overrun),
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

/// `own` is the port id of our request socket: the kernel names in each notification who caused it.
fn read(shell: &Shell, own: u32, datagram: &[u8]) {
    for message in messages(datagram) {
        let done = message.and_then(|message| match message.content {
            Content::Data(payload) => {
                let source = if message.port == own { Source::Own } else { Source::Foreign };
                route::hand_over(shell, message.kind, payload, source)
            }
            Content::Overrun => {
                shell.handle(Event::Overrun);
                Ok(())
            }
            Content::Noop | Content::Acknowledgement { .. } | Content::Done { .. } => Ok(()),
        });
        // One that cannot be read may be about an object of ours; the audit will find out, so nothing is lost but
        // time.
        if let Err(malformed) = done {
            log::debug!("a notification of the kernel cannot be read: {malformed:?}");
        }
    }
}
