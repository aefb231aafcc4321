//! A raw ICMP or ICMPv6 socket (raw(7), RFC 3542), for as long as somebody pings. The kernel hands over every packet of
//! the types it is told to; which ones answer us is the caller's to see.

use core::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};

use super::sys::sockopt;
use crate::wire::icmp::Family;

/// All types but echo reply, destination unreachable, time exceeded (RFC 792).
const REFUSED_V4: u32 = !(1 | 1 << 3 | 1 << 11);
/// The same of ICMPv6: 129, 1, 3 (RFC 4443). The words are in the host's order.
const REFUSED_V6: [u8; 32] = {
    let low = (!(1_u32 << 1 | 1 << 3)).to_ne_bytes();
    let replies = (!(1_u32 << (129 % 32))).to_ne_bytes();
    let mut bytes = [0xff; 32];
    let mut place = 0;
    while place < 4 {
        bytes[place] = low[place];
        bytes[129 / 32 * 4 + place] = replies[place];
        place += 1;
    }
    bytes
};

/// The socket.
#[derive(Debug)]
pub struct IcmpSocket(OwnedFd);

impl IcmpSocket {
    /// Opens it for echo replies and errors.
    ///
    /// # Errors
    /// `PERM` without `CAP_NET_RAW`; `AFNOSUPPORT` without IPv6.
    pub fn open(family: Family) -> Result<Self, Errno> {
        raw(family).map(Self)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// `NETUNREACH`, `HOSTUNREACH` without a way; `ACCESS` for a broadcast; `PERM` by a local packet filter.
    pub fn send(&self, message: &[u8], target: IpAddr) -> Result<(), Errno> {
        rustix::net::sendto(&self.0, message, SendFlags::NOSIGNAL, &SocketAddr::new(target, 0)).map(|_| ())
    }

    /// Reads one packet and who sent it; a longer one than `buffer` is cut. IPv4 has its header in front.
    ///
    /// # Errors
    /// `WOULDBLOCK` without one; an error of an earlier send.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<(usize, IpAddr), Errno> {
        let (length, _, from) = rustix::net::recvfrom(&self.0, buffer, RecvFlags::empty())?;
        let from = from.and_then(|from| SocketAddr::try_from(from).ok()).ok_or(Errno::AFNOSUPPORT)?;
        Ok((length, from.ip()))
    }
}

/// The socket alone, never blocking.
///
/// # Errors
/// As [`IcmpSocket::open`].
pub(super) fn raw(family: Family) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (domain, protocol) = match family {
        Family::V4 => (AddressFamily::INET, ipproto::ICMP),
        Family::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let socket = rustix::net::socket_with(domain, SocketType::RAW, flags, Some(protocol))?;
    match family {
        Family::V4 => sockopt::set_icmp_filter(&socket, REFUSED_V4)?,
        Family::V6 => sockopt::set_icmpv6_filter(&socket, &REFUSED_V6)?,
    }
    Ok(socket)
}

impl AsFd for IcmpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::icmp::{Echo, Message, emit_request, parse};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Our own request comes by on loopback, too: only the reply is handed over.
    #[test]
    fn this_host_answers_and_only_the_reply_is_heard() {
        for (family, target) in [(Family::V4, "127.0.0.1"), (Family::V6, "::1")] {
            let (target, echo) = (target.parse().unwrap(), Echo { id: 0x4c56, seq: 7 });
            let socket = IcmpSocket::open(family).unwrap();
            let mut buffer = [0; 128];
            let length = emit_request(family, echo, &[1, 2, 3], &mut buffer).unwrap();
            socket.send(&buffer[..length], target).unwrap();
            // Others may ping on this host, too.
            loop {
                let patience = Timespec { tv_sec: 2, tv_nsec: 0 };
                let ready = poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&patience)).unwrap();
                assert_eq!(ready, 1, "an answer from {target}");
                let (length, from) = socket.receive(&mut buffer).unwrap();
                let message = parse(family, &buffer[..length]).expect("a type that was asked for");
                if message == Message::Reply(echo) {
                    assert_eq!(from, target);
                    break;
                }
            }
        }
    }
}
