//! Netlink sockets (netlink(7)): open, send a batch, read a datagram. What the bytes mean is `wire::netlink`'s.
//!
//! Of 1,000 acknowledgements the default receive buffer holds 256; it is forced to 8 MiB, or to what an
//! unprivileged process may have. An overrun is its own outcome: what the kernel holds is then unknown.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::error::Error;
use super::sys;

/// Which part of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Interfaces, addresses, routes.
    Route,
    /// Generic netlink: IPVS.
    Generic,
    /// Netfilter: nf_tables.
    Netfilter,
}

/// Interfaces and addresses of both families, as a mask: `RTNLGRP_LINK`, `_IPV4_IFADDR`, `_IPV6_IFADDR`
/// (`linux/rtnetlink.h`).
pub const GROUPS_LINKS: u32 = 0x1 | 0x10 | 0x100;
/// Routes of both families, by number: `RTNLGRP_IPV4_ROUTE`, `_IPV6_ROUTE`. A routing daemon beside us makes thousands
/// of messages of them.
pub const GROUPS_ROUTES: [i32; 2] = [7, 11];
/// Rules of both families, by number: `RTNLGRP_IPV4_RULE`, `_IPV6_RULE`.
pub const GROUPS_RULES: [i32; 2] = [8, 19];

/// Receive buffer that is asked for, in bytes; the kernel accounts for it when it is used, not when it is set.
const RECEIVE_BUFFER: usize = 8 << 20;

/// A non-blocking netlink socket.
#[derive(Debug)]
pub struct NetlinkSocket {
    fd: OwnedFd,
    port: u32,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// A datagram of the kernel's, this many bytes of the buffer.
    Datagram(usize),
    /// A datagram that does not fit the buffer and is lost.
    Cut,
    /// A datagram of another process, dropped.
    Stranger,
    /// The receive buffer was full: messages are lost.
    Overrun,
    /// Nothing more.
    Empty,
}

impl NetlinkSocket {
    /// Opens a socket that hears `groups` (bit mask, 0 for requests only).
    ///
    /// # Errors
    /// `AFNOSUPPORT`, `PROTONOSUPPORT` if the kernel has no such netlink; `MFILE`.
    pub fn open(protocol: Protocol, groups: u32) -> Result<Self, Error> {
        let (name, number) = match protocol {
            Protocol::Route => ("routing netlink", None),
            Protocol::Generic => ("generic netlink", Some(netlink::GENERIC)),
            Protocol::Netfilter => ("netfilter netlink", Some(netlink::NETFILTER)),
        };
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            number,
        )
        .map_err(|errno| Error::new("open", name, errno))?;
        rustix::net::bind(&fd, &SocketAddrNetlink::new(0, groups))
            .map_err(|errno| Error::new("bind", name, errno))?;
        let bound = rustix::net::getsockname(&fd).and_then(SocketAddrNetlink::try_from);
        let port = bound.map_err(|errno| Error::new("read the port of", name, errno))?.pid();
        force_receive_buffer(&fd);
        // Without it (before Linux 4.3) error replies are longer, nothing else.
        let _ = sys::sockopt::set_short_acks(&fd);
        Ok(Self { fd, port })
    }

    /// The port id that the kernel chose: notifications of changes made through this socket carry it.
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Hears these groups too, by number. One that is heard already stays.
    ///
    /// # Errors
    /// `INVAL` for a group that the kernel does not have.
    pub fn join(&self, groups: &[i32]) -> Result<(), Error> {
        groups
            .iter()
            .try_for_each(|group| sys::sockopt::set_netlink_member(&self.fd, *group))
            .map_err(|errno| Error::new("join", "groups of netlink", errno))
    }

    /// Does not hear these groups any more.
    ///
    /// # Errors
    /// As of [`Self::join`].
    pub fn leave(&self, groups: &[i32]) -> Result<(), Error> {
        groups
            .iter()
            .try_for_each(|group| sys::sockopt::set_netlink_stranger(&self.fd, *group))
            .map_err(|errno| Error::new("leave", "groups of netlink", errno))
    }

    /// Sends whole messages to the kernel, which works on them inside this call.
    ///
    /// # Errors
    /// `NOBUFS` or `AGAIN`: nothing of it was taken; `MSGSIZE` beyond the send buffer.
    pub fn send(&self, messages: &[u8]) -> Result<(), Errno> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.fd, messages, SendFlags::DONTWAIT, &kernel).map(|_| ())
    }

    /// Reads one datagram into `buffer`.
    ///
    /// # Errors
    /// None is expected besides those that [`Incoming`] names.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Incoming, Errno> {
        let room = buffer.len();
        match rustix::net::recvfrom(&self.fd, buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            Ok((_, length, _)) if length > room => Ok(Incoming::Cut),
            Ok((_, length, sender)) => {
                let from_kernel = sender
                    .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                    .is_some_and(|sender| sender.pid() == 0);
                Ok(if from_kernel { Incoming::Datagram(length) } else { Incoming::Stranger })
            }
            Err(Errno::WOULDBLOCK) => Ok(Incoming::Empty),
            Err(Errno::NOBUFS) => Ok(Incoming::Overrun),
            Err(errno) => Err(errno),
        }
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Forced needs `CAP_NET_ADMIN` in the initial user namespace; else as much as `net.core.rmem_max` allows.
fn force_receive_buffer(fd: &OwnedFd) {
    if sockopt::set_socket_recv_buffer_size_force(fd, RECEIVE_BUFFER).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(fd, RECEIVE_BUFFER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel says of our socket (`netlink_native_seq_show` in `net/netlink/af_netlink.c`).
    fn groups(socket: &NetlinkSocket) -> u32 {
        let table = std::fs::read_to_string("/proc/self/net/netlink").unwrap();
        let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let port = socket.port().to_string();
        let mut ours = rows.filter(|row| row.get(1..3) == Some(&["0", &port]));
        u32::from_str_radix(ours.next().unwrap()[3], 16).unwrap()
    }

    #[test]
    fn routes_and_rules_are_heard_when_they_are_joined_and_not_after_they_are_left() {
        let socket = NetlinkSocket::open(Protocol::Route, GROUPS_LINKS).unwrap();
        assert_eq!(groups(&socket), 0x111);
        socket.join(&GROUPS_ROUTES).unwrap();
        socket.join(&GROUPS_ROUTES).unwrap();
        assert_eq!(groups(&socket), 0x111 | 0x40 | 0x400);
        socket.join(&GROUPS_RULES).unwrap();
        socket.leave(&GROUPS_ROUTES).unwrap();
        assert_eq!(groups(&socket), 0x111 | 0x80 | 0x4_0000);
        socket.leave(&GROUPS_RULES).unwrap();
        socket.leave(&GROUPS_RULES).unwrap();
        assert_eq!(groups(&socket), 0x111);
    }

    /// `RTM_GETLINK | NLM_F_REQUEST | NLM_F_DUMP` with an empty `ifinfomsg` (rtnetlink(7)).
    fn link_dump(sequence: u32) -> [u8; 32] {
        let mut message = [0; 32];
        message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
        message[4..6].copy_from_slice(&18_u16.to_ne_bytes());
        message[6..8].copy_from_slice(&0x301_u16.to_ne_bytes());
        message[8..12].copy_from_slice(&sequence.to_ne_bytes());
        message
    }

    #[test]
    fn the_kernel_lists_the_loopback_interface() {
        let socket = NetlinkSocket::open(Protocol::Route, 0).unwrap();
        assert_ne!(socket.port(), 0);
        socket.send(&link_dump(7)).unwrap();
        let mut buffer = vec![0; 32 << 10];
        let mut seen = Vec::new();
        while let Incoming::Datagram(length) = socket.receive(&mut buffer).unwrap() {
            assert_eq!(&buffer[8..12], 7_u32.to_ne_bytes(), "the answer carries our sequence number");
            assert_eq!(&buffer[12..16], socket.port().to_ne_bytes());
            seen.extend_from_slice(&buffer[..length]);
        }
        assert!(seen.windows(3).any(|name| name == b"lo\0"));
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_reported_and_not_half_read() {
        let socket = NetlinkSocket::open(Protocol::Route, 0).unwrap();
        socket.send(&link_dump(1)).unwrap();
        assert_eq!(socket.receive(&mut [0; 64]), Ok(Incoming::Cut));
    }

    #[test]
    fn an_overrun_is_told_apart_from_every_other_error() {
        let socket = NetlinkSocket::open(Protocol::Route, 0).unwrap();
        sockopt::set_socket_recv_buffer_size(&socket, 1).unwrap();
        // A request for an interface that is not there is answered at once, each by its own datagram.
        let mut request = link_dump(1);
        request[6..8].copy_from_slice(&0x1_u16.to_ne_bytes());
        request[20..24].copy_from_slice(&999_999_u32.to_ne_bytes());
        for _ in 0..100 {
            socket.send(&request).unwrap();
        }
        let mut buffer = [0; 4_096];
        let mut overrun = false;
        loop {
            match socket.receive(&mut buffer).unwrap() {
                Incoming::Overrun => overrun = true,
                Incoming::Empty => break,
                Incoming::Datagram(_) | Incoming::Cut | Incoming::Stranger => {}
            }
        }
        assert!(overrun);
    }
}
