//! Who speaks for our addresses: one task and at most two listeners, ARP and neighbour advertisements of all
//! interfaces; one is open if the configuration has addresses of its family.
//!
//! The task lives as long as the process. At most [`BURST`] frames are read in a poll, and it is none of the urgent
//! tasks: a flood delays nobody. The queue is the kernel's socket buffer; what overflows is one claim of many.

use core::future::poll_fn;
use core::net::IpAddr;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use super::meter::Work;
use super::reactor::{Source, store};
use super::shell::{Priority, Shell};
use crate::director::duplicate::Claim;
use crate::director::event::Event;
use crate::kernel::claims::ClaimSocket;
use crate::kernel::error::Error;
use crate::wire::vrrp::Family;
use crate::wire::{arp, ndisc};

/// Frames of one family that are read before others get their turn.
const BURST: usize = 16;
/// Longest frame that is looked at.
const MAX_FRAME: usize = 256;

const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// The listeners by family.
#[derive(Default)]
pub(super) struct Listeners {
    sockets: [Option<Source<ClaimSocket>>; FAMILIES.len()],
    reader: Option<Waker>,
}

/// Starts the task.
pub(super) fn start(shell: &Rc<Shell>) {
    follow(shell);
    shell.spawn(Priority::Ordinary, listen(Rc::clone(shell)));
}

/// Listens for the addresses of the configuration in force.
pub(super) fn follow(shell: &Rc<Shell>) {
    let director = shell.director.borrow();
    let mut listeners = shell.listeners.borrow_mut();
    for (family, place) in FAMILIES.into_iter().zip(&mut listeners.sockets) {
        let addresses = || director.config().addresses.iter().map(|one| one.address);
        if !addresses().any(|address| Family::of(address) == family) {
            *place = None;
            continue;
        }
        let set = place.as_ref().map(|socket| socket.io().set_addresses(addresses()));
        if set == Some(Ok(())) {
            continue;
        }
        match open(shell, family, addresses()) {
            Ok(socket) => *place = Some(socket),
            Err(error) => log::warn!("{error}: nobody is told if an address of ours is used twice"),
        }
    }
    listeners.reader.take().into_iter().for_each(Waker::wake);
}

fn open(
    shell: &Rc<Shell>,
    family: Family,
    addresses: impl Iterator<Item = IpAddr>,
) -> Result<Source<ClaimSocket>, Error> {
    shell.reactor.register(ClaimSocket::open(family, addresses)?)
}

async fn listen(shell: Rc<Shell>) {
    poll_fn(|context| shell.meter.measure(Work::Route, || poll_claims(&shell, context))).await;
}

/// Never ready: the task ends with the process.
fn poll_claims(shell: &Shell, context: &Context<'_>) -> Poll<()> {
    for _ in 0..BURST {
        let mut idle = true;
        for family in FAMILIES {
            if let Poll::Ready(claim) = poll_claim(shell, family, context) {
                idle = false;
                if let Some(claim) = claim {
                    shell.handle(Event::Claim(claim));
                }
            }
        }
        if idle {
            return Poll::Pending;
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

/// The next claim; `None` for a frame that is none, and for an error: an interface went down.
fn poll_claim(shell: &Shell, family: Family, context: &Context<'_>) -> Poll<Option<Claim>> {
    let mut buffer = [0; MAX_FRAME];
    let mut listeners = shell.listeners.borrow_mut();
    store(&mut listeners.reader, context);
    let Some(Some(socket)) = listeners.sockets.get(family as usize) else { return Poll::Pending };
    socket.poll_read(context, |socket| socket.receive(&mut buffer)).map(|received| {
        let (link, length) = received.ok()?;
        let frame = buffer.get(..length)?;
        let (mac, address) = match family {
            Family::Ipv4 => arp::parse_claim(frame).map(|(mac, address)| (mac, IpAddr::V4(address)))?,
            Family::Ipv6 => ndisc::parse_claim(frame).map(|(mac, address)| (mac, IpAddr::V6(address)))?,
        };
        Some(Claim { link, mac, address })
    })
}
