//! The socket of a probe, ICMP or ARP: what goes out, and what of all that comes in is meant for us.

use core::net::IpAddr;
use core::task::{Context, Poll};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::place::Place;
use crate::kernel::error::Error;
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

/// The socket.
pub(super) enum Socket {
    Icmp(Source<IcmpSocket>),
    Arp(Source<PacketSocket>, Place),
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
        let socket = IcmpSocket::open(Family::of(target))?;
        watch(&shell.reactor, socket).map(Self::Icmp)
    }

    pub(super) fn open_arp(shell: &Shell, place: Place) -> Result<Self, Code> {
        let socket = PacketSocket::open_arp(place.link)?;
        Ok(Self::Arp(watch(&shell.reactor, socket)?, place))
    }

    pub(super) fn send(&self, target: IpAddr, id: u16, seq: u16) -> Result<(), Code> {
        let mut bytes = [0; 128];
        let length = match (self, target) {
            (Self::Icmp(_), _) => {
                icmp::emit_request(Family::of(target), Echo { id, seq }, &PAYLOAD, &mut bytes)
            }
            (Self::Arp(_, place), IpAddr::V4(address)) => {
                arp::emit_request(place.mac, place.source, address, &mut bytes)
            }
            (Self::Arp(..), IpAddr::V6(_)) => None,
        };
        let bytes = length.and_then(|length| bytes.get(..length)).ok_or(Code::MSGSIZE)?;
        match self {
            Self::Icmp(socket) => socket.io().send(bytes, target),
            Self::Arp(socket, place) => socket.io().send(place.link, bytes),
        }
    }

    /// Reads one packet. `None` for one that is no answer to us, and for an error of the socket, which the next send
    /// meets again.
    pub(super) fn poll_heard(&self, asked: IpAddr, id: u16, context: &Context<'_>) -> Poll<Option<Heard>> {
        let mut bytes = [0; MAX_PACKET];
        match self {
            Self::Icmp(socket) => {
                socket.poll_read(context, |socket| socket.receive(&mut bytes)).map(|received| {
                    let (length, from) = received.ok()?;
                    // IPv4 drops what is not as long as its header says.
                    match icmp::parse(Family::of(asked), bytes.get(..length)?)? {
                        Message::Reply(echo) if echo.id == id && from == asked => {
                            Some(Heard::Reply { seq: echo.seq })
                        }
                        Message::Error { echo, target, reason } if echo.id == id && target == asked => {
                            Some(Heard::Error { seq: echo.seq, reason, from })
                        }
                        Message::Reply(_) | Message::Error { .. } => None,
                    }
                })
            }
            Self::Arp(socket, place) => {
                socket.poll_read(context, |socket| socket.receive(&mut bytes)).map(|received| {
                    let reply = arp::parse_reply(bytes.get(..received.ok()?)?)?;
                    (reply.address == asked && reply.asked_by == place.mac).then_some(Heard::Owner(reply.mac))
                })
            }
        }
    }
}

fn watch<T: std::os::fd::AsFd>(reactor: &Rc<Reactor>, socket: T) -> Result<Source<T>, Code> {
    reactor.register(socket).map_err(|error: Error| Code::from_raw_os_error(error.number().into()))
}
