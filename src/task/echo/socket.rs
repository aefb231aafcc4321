//! The socket of a probe, ICMP or ARP: what goes out, and what of all that comes in is meant for us.

use core::net::IpAddr;
use core::task::{Context, Poll};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::place::Place;
use crate::kernel::icmp::IcmpSocket;
use crate::kernel::packet::PacketSocket;
use crate::task::reactor::{Reactor, Source};
use crate::task::shell::Shell;
use crate::wire::arp;
use crate::wire::icmp::{self, Echo, Family, Message};
use crate::wire::link::MacAddress;

/// Payload of a request, in bytes: as much as every other ping sends.
const PAYLOAD: [u8; 56] = [0; 56];
/// Longest packet that is looked at; an error quotes our header within it.
const MAX_PACKET: usize = 256;

/// The socket, which is watched.
pub(super) struct Socket(Source<Port>);

/// The socket by its kind.
pub(super) enum Port {
    Icmp(IcmpSocket),
    Arp(PacketSocket, Place),
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Icmp(socket) => socket.as_fd(),
            Self::Arp(socket, _) => socket.as_fd(),
        }
    }
}

/// What came in.
pub(super) enum Heard {
    /// The address answered the request of this number.
    Reply { seq: u16 },
    /// Somebody says why it cannot be answered.
    Error { seq: u16, reason: &'static str, from: IpAddr },
    /// This host has the address.
    Owner(MacAddress),
}

impl Heard {
    /// The number of the request, if that is told.
    pub(super) fn seq(&self) -> Option<u16> {
        match self {
            Self::Reply { seq } | Self::Error { seq, .. } => Some(*seq),
            Self::Owner(_) => None,
        }
    }
}

impl Socket {
    pub(super) fn open_icmp(shell: &Shell, target: IpAddr) -> Result<Self, Code> {
        watch(&shell.reactor, Port::Icmp(IcmpSocket::open(Family::of(target))?))
    }

    pub(super) fn open_arp(shell: &Shell, place: Place) -> Result<Self, Code> {
        watch(&shell.reactor, Port::Arp(PacketSocket::open_arp(place.link)?, place))
    }

    /// The place of an ARP socket.
    pub(super) fn place(&self) -> Option<&Place> {
        match self.0.io() {
            Port::Icmp(_) => None,
            Port::Arp(_, place) => Some(place),
        }
    }

    pub(super) fn send(&self, target: IpAddr, id: u16, seq: u16) -> Result<(), Code> {
        let mut bytes = [0; 128];
        match (self.0.io(), target) {
            (Port::Icmp(socket), _) => {
                let family = Family::of(target);
                let length = icmp::emit_request(family, Echo { id, seq }, &PAYLOAD, &mut bytes);
                socket.send(written(&bytes, length)?, target)
            }
            (Port::Arp(socket, place), IpAddr::V4(address)) => {
                let length = arp::emit_request(place.mac, place.source, address, &mut bytes);
                socket.send(place.link, written(&bytes, length)?)
            }
            (Port::Arp(..), IpAddr::V6(_)) => Err(Code::AFNOSUPPORT),
        }
    }

    /// Reads one packet. `None` for one that is no answer to us, and for an error of the socket, which the next send
    /// meets again.
    pub(super) fn poll_heard(&self, asked: IpAddr, id: u16, context: &Context<'_>) -> Poll<Option<Heard>> {
        let mut bytes = [0; MAX_PACKET];
        let received = self.0.poll_read(context, |port| match port {
            Port::Icmp(socket) => socket.receive(&mut bytes),
            Port::Arp(socket, _) => socket.receive(&mut bytes).map(|length| (length, asked)),
        });
        received.map(|received| {
            let (length, from) = received.ok()?;
            let packet = bytes.get(..length)?;
            let Some(place) = self.place() else { return understand(asked, id, packet, from) };
            let reply = arp::parse_reply(packet)?;
            (reply.address == asked && reply.asked_by == place.mac).then_some(Heard::Owner(reply.mac))
        })
    }
}

/// What a packet says about a request of this run.
fn understand(asked: IpAddr, id: u16, packet: &[u8], from: IpAddr) -> Option<Heard> {
    match icmp::parse(Family::of(asked), packet)? {
        Message::Reply(echo) if echo.id == id && from == asked => Some(Heard::Reply { seq: echo.seq }),
        Message::Error { echo, target, reason } if echo.id == id && target == asked => {
            Some(Heard::Error { seq: echo.seq, reason, from })
        }
        Message::Reply(_) | Message::Error { .. } => None,
    }
}

fn written(bytes: &[u8], length: Option<usize>) -> Result<&[u8], Code> {
    length.and_then(|length| bytes.get(..length)).ok_or(Code::MSGSIZE)
}

fn watch(reactor: &Rc<Reactor>, port: Port) -> Result<Socket, Code> {
    reactor.register(port).map(Socket).map_err(|error| Code::from_raw_os_error(error.number().into()))
}
