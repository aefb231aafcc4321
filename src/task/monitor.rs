//! The monitoring socket: what happens to interfaces and addresses, whoever does it. Its only queue is the kernel's
//! receive buffer; an overrun makes everything unknown, and the director lists it anew.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::rc::Rc;

use super::answers::BURST;
use super::meter::Work;
use super::reactor;
use super::route;
use super::shell::Shell;
use crate::director::event::{Event, Source};
use crate::kernel::netlink::{Incoming, NetlinkSocket};
use crate::wire::netlink::{Content, messages};

/// Reads notifications for ever.
pub(super) async fn run(shell: Rc<Shell>, socket: reactor::Source<NetlinkSocket>) {
    poll_fn(|context| shell.meter.measure(Work::Route, || poll_notifications(&shell, &socket, context)))
        .await;
}

fn poll_notifications(
    shell: &Shell,
    socket: &reactor::Source<NetlinkSocket>,
    context: &Context<'_>,
) -> Poll<()> {
    let own = shell.route.borrow().port();
    for _ in 0..BURST {
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
