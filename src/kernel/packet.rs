//! One packet socket for the whole process that sends whole Ethernet frames: gratuitous ARP (RFC 5227 section 1.2)
//! and unsolicited neighbour advertisements. Protocol 0: it receives nothing (packet(7)). Another one, for as long as
//! somebody asks who has an address, hears the ARP of one interface.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::error::Error;
use super::sys::sockaddr::LinkAddress;
use crate::wire::ethernet;
use crate::wire::link::LinkIndex;

/// The socket.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens it.
    ///
    /// # Errors
    /// `PERM` without `CAP_NET_RAW`.
    pub fn open() -> Result<Self, Error> {
        Self::open_plain().map_err(|errno| Error::new("open", "packet socket", errno))
    }

    /// Opens one that hears the ARP of `link`, too.
    ///
    /// # Errors
    /// `PERM` without `CAP_NET_RAW`; `NODEV` without the interface; `NETDOWN` while it is down.
    pub fn open_arp(link: LinkIndex) -> Result<Self, Errno> {
        let index = i32::try_from(link.0).map_err(|_| Errno::NODEV)?;
        let socket = Self::open_plain()?;
        rustix::net::bind(&socket.0, &LinkAddress { index, protocol: ethernet::ARP, mac: [0; 6] })?;
        Ok(socket)
    }

    fn open_plain() -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None).map(Self)
    }

    /// Reads one frame; a longer one than `buffer` is cut.
    ///
    /// # Errors
    /// `WOULDBLOCK` without one; `NETDOWN` once when the interface goes.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::net::recv(&self.0, buffer, RecvFlags::empty()).map(|(_, length)| length)
    }

    /// Sends `frame`, a whole Ethernet frame without checksum, through `link`.
    ///
    /// # Errors
    /// `INVAL` for less than a header; `NETDOWN`, `NXIO` for an interface that is down or gone; `AGAIN` or `NOBUFS`
    /// if its queue is full.
    pub fn send(&self, link: LinkIndex, frame: &[u8]) -> Result<(), Errno> {
        let Some(([a, b, c, d, e, g, .., high, low], _)) = frame.split_first_chunk::<14>() else {
            return Err(Errno::INVAL);
        };
        let address = LinkAddress {
            index: i32::try_from(link.0).map_err(|_| Errno::NODEV)?,
            protocol: u16::from_be_bytes([*high, *low]),
            mac: [*a, *b, *c, *d, *e, *g],
        };
        rustix::net::sendto(&self.0, frame, SendFlags::NOSIGNAL, &address).map(|_| ())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_leaves_and_an_absent_interface_is_named_by_its_error() {
        let Ok(socket) = PacketSocket::open() else { panic!("this test needs CAP_NET_RAW") };
        assert_eq!(socket.send(LinkIndex(1), &[0; 13]), Err(Errno::INVAL));
        assert_eq!(socket.send(LinkIndex(1), &[0; 42]), Ok(()));
        assert_eq!(socket.send(LinkIndex(999_999), &[0; 42]), Err(Errno::NXIO));
    }
}
