//! One packet socket for the whole process that sends whole Ethernet frames: gratuitous ARP (RFC 5227 section 1.2)
//! and unsolicited neighbour advertisements. Protocol 0: it receives nothing (packet(7)).

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use super::error::Error;
use super::sys::sockaddr::LinkAddress;
use crate::wire::link::LinkIndex;

/// The socket.
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens it.
    ///
    /// # Errors
    /// `PERM` without `CAP_NET_RAW`.
    pub fn open() -> Result<Self, Error> {
        rustix::net::socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map(Self)
        .map_err(|errno| Error::new("open", "packet socket", errno))
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
