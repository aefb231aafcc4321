//! VRRP sockets: one task for each interface that the configuration names, one socket for each channel it uses there.
//!
//! The task lives as long as the process and waits while its socket is closed; the director opens and closes the
//! socket by actions. Packets are handed on in one poll of at most [`BURST`], so that a flood on one interface
//! cannot keep the others, or our own adverts, waiting. The queue is the kernel's socket buffer and nothing else.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::meter::Work;
use super::reactor::{Source, store};
use super::shell::{Priority, Shell};
use crate::config::Config;
use crate::config::ids::{AddressId, Id, LinkId};
use crate::director::action::Action;
use crate::director::event::{Errno, Event};
use crate::kernel::error::{self, Error};
use crate::kernel::raw::RawSocket;
use crate::kernel::{clock, sysctl};
use crate::time::{Duration, Instant};
use crate::wire::link::LinkName;
use crate::wire::ndisc::Role;
use crate::wire::vrrp::{self, Channel};

/// Packets of one interface that are read before others get their turn.
const BURST: usize = 32;
/// Longest packet that is looked at; an advert over IPv6 fits an MTU of 1,500, a longer packet is malformed.
const MAX_PACKET: usize = 1_536;
/// Longest frame that announces an address: Ethernet, IPv6, neighbour advertisement.
const MAX_FRAME: usize = 128;
/// For how long the answer of the kernel serves: a burst of announcements is over by then.
const ROLE_LASTS: Duration = Duration::from_millis(100);

/// The sockets by interface of the running configuration.
#[derive(Default)]
pub(super) struct Ports(Vec<Port>);

/// One interface's sockets by channel and the task that reads them.
#[derive(Default)]
struct Port {
    sockets: Sockets,
    reader: Option<Waker>,
    /// Why each could not be opened the last time: the director tries again and again, and it is told once.
    told: [Option<Error>; Channel::ALL.len()],
    /// Whether it forwards IPv6, and when the kernel said so.
    role: Option<(Instant, Role)>,
}

type Sockets = [Option<Source<RawSocket>>; Channel::ALL.len()];

/// Starts a reader for every interface that has none yet. To be called while a configuration is loaded.
pub(super) fn grow(shell: &Rc<Shell>, links: usize) {
    let held = shell.ports.borrow().0.len();
    if links > held {
        let mut ports = shell.ports.borrow_mut();
        ports.0.reserve_exact(links - held);
        ports.0.resize_with(links, Port::default);
    }
    for link in (held..links).map(LinkId::from_index) {
        shell.spawn(Priority::Urgent, read(Rc::clone(shell), link));
    }
}

/// A reload gave the interfaces new ids: open sockets follow their interface's name, those of interfaces that are
/// no longer configured close.
pub(super) fn follow(shell: &Shell, before: &[LinkName], after: &Config) {
    let mut ports = shell.ports.borrow_mut();
    let mut open: Vec<Sockets> = ports.0.iter_mut().map(|port| core::mem::take(&mut port.sockets)).collect();
    for (port, name) in ports.0.iter_mut().zip(&after.links) {
        let old = before.iter().position(|old| old == name);
        port.sockets = old.and_then(|old| open.get_mut(old)).map(core::mem::take).unwrap_or_default();
    }
    // Every reader looks again at what it reads.
    let readers: Vec<Waker> = ports.0.iter_mut().filter_map(|port| port.reader.take()).collect();
    drop(ports);
    readers.into_iter().for_each(Waker::wake);
}

async fn read(shell: Rc<Shell>, link: LinkId) {
    let mut buffer = vec![0; MAX_PACKET].into_boxed_slice();
    poll_fn(|context| {
        shell.meter.measure(Work::Adverts, || poll_packets(&shell, link, &mut buffer, context))
    })
    .await;
}

/// Never ready: the task ends with the process.
fn poll_packets(shell: &Shell, link: LinkId, buffer: &mut [u8], context: &Context<'_>) -> Poll<()> {
    for _ in 0..BURST {
        let mut idle = true;
        for channel in Channel::ALL {
            let received = poll_packet(shell, (link, channel), buffer, context);
            idle &= received.is_pending();
            // An error is told once (the interface went down); the link's own events say what it means.
            if let Poll::Ready(Ok(length)) = received {
                let packet = vrrp::parse(buffer.get(..length).unwrap_or(&[]));
                shell.handle(Event::Advert { link, channel, packet });
            }
        }
        if idle {
            return Poll::Pending;
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

fn poll_packet(
    shell: &Shell,
    (link, channel): (LinkId, Channel),
    buffer: &mut [u8],
    context: &Context<'_>,
) -> Poll<Result<usize, Code>> {
    let mut ports = shell.ports.borrow_mut();
    let Some(port) = ports.0.get_mut(link.index()) else { return Poll::Pending };
    store(&mut port.reader, context);
    match port.sockets.get(channel as usize) {
        Some(Some(socket)) => socket.poll_read(context, |socket| socket.receive(buffer)),
        Some(None) | None => Poll::Pending,
    }
}

/// Opens a socket of an interface; one that is open is closed first.
pub(super) fn open(shell: &Shell, action: Action, link: LinkId, channel: Channel) {
    close(shell, link, channel);
    let opened = open_socket(shell, link, channel);
    let result = opened.as_ref().map(|_| ()).map_err(|error| Errno(error.number()));
    let mut ports = shell.ports.borrow_mut();
    if let Some(port) = ports.0.get_mut(link.index()) {
        let error = opened.as_ref().err().copied();
        let told = port.told.get_mut(channel as usize).and_then(|told| core::mem::replace(told, error));
        match opened {
            Ok(socket) => {
                if let Some(place) = port.sockets.get_mut(channel as usize) {
                    *place = Some(socket);
                }
            }
            Err(error) if told != Some(error) => log::warn!("{error}"),
            Err(_) => {}
        }
        let reader = port.reader.take();
        drop(ports);
        reader.into_iter().for_each(Waker::wake);
    }
    shell.handle(Event::Applied { action, result });
}

fn open_socket(shell: &Shell, link: LinkId, channel: Channel) -> Result<Source<RawSocket>, Error> {
    let spec = shell.director.borrow().socket(link, channel);
    let spec =
        spec.ok_or_else(|| Error::new("open VRRP socket on", "interface that is gone", Code::NODEV))?;
    let socket = RawSocket::open(channel, spec.index, &spec.name, &spec.groups)?;
    shell.reactor.register(socket)
}

/// Closes a socket of an interface.
pub(super) fn close(shell: &Shell, link: LinkId, channel: Channel) {
    let mut ports = shell.ports.borrow_mut();
    let port = ports.0.get_mut(link.index());
    let socket = port.and_then(|port| port.sockets.get_mut(channel as usize)).and_then(Option::take);
    drop(ports);
    drop(socket);
}

/// Sends one advert.
pub(super) fn send(shell: &Shell, action: Action) {
    let Action::SendAdvert { instance, peer, kind } = action else { return };
    let mut packet = [0; MAX_PACKET];
    let Some(datagram) = shell.director.borrow().advert(instance, peer, kind, &mut packet) else { return };
    let packet = packet.get(..datagram.len).unwrap_or(&[]);
    let ports = shell.ports.borrow();
    let port = ports.0.get(datagram.link.index());
    let socket = port.and_then(|port| port.sockets.get(datagram.channel as usize)).and_then(Option::as_ref);
    let sent = socket.map_or(Err(Code::NOTCONN), |socket| socket.io().send(packet, datagram.destination));
    drop(ports);
    if let Err(code) = sent {
        shell.handle(Event::SendFailed { action, errno: Errno(error::number(code)) });
    }
}

/// What neighbours are to think of the interface of an IPv6 address. The kernel tells nobody that forwarding was
/// switched, so it is asked, once in a while of a burst.
fn role(shell: &Shell, address: AddressId) -> Role {
    let director = shell.director.borrow();
    let Some(address) = director.config().addresses.get(address.index()) else { return Role::Host };
    let mut ports = shell.ports.borrow_mut();
    let port = ports.0.get_mut(address.link.index()).filter(|_| address.address.is_ipv6());
    let Some(port) = port else { return Role::Host };
    let now = clock::now();
    match port.role {
        Some((at, role)) if now.since(at) < ROLE_LASTS => role,
        _ => {
            let name = director.config().link_name(address.link);
            let forwards = sysctl::is_set(&format!("net/ipv6/conf/{name}/forwarding"));
            let role = if forwards { Role::Router } else { Role::Host };
            port.role = Some((now, role));
            role
        }
    }
}

/// Announces one address.
pub(super) fn announce(shell: &Shell, action: Action, address: AddressId) {
    let mut bytes = [0; MAX_FRAME];
    let role = role(shell, address);
    let Some(frame) = shell.director.borrow().announcement(address, role, &mut bytes) else { return };
    let bytes = bytes.get(..frame.len).unwrap_or(&[]);
    let sent = shell.frames.as_ref().map_or(Err(Code::NOTCONN), |socket| socket.send(frame.link, bytes));
    if let Err(code) = sent {
        shell.handle(Event::SendFailed { action, errno: Errno(error::number(code)) });
    }
}
