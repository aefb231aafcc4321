//! The VRRP socket of one interface: protocol 112, IPv4 header written by us, bound to the device, in the multicast
//! groups it is told. One socket per interface and family, because a socket may join 20 groups
//! (`net.ipv4.igmp_max_memberships`) and an error on one interface must not silence another.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::error::Error;
use super::sys;
use crate::wire::link::{LinkIndex, LinkName};

/// The socket.
#[derive(Debug)]
pub struct RawSocket(OwnedFd);

impl RawSocket {
    /// Opens the socket of the interface `name` with `index`, and joins `groups` there.
    ///
    /// # Errors
    /// Names the step: `PERM` without `CAP_NET_RAW`, `NODEV` without the interface, `NOBUFS` for too many groups.
    pub fn open(index: LinkIndex, name: &LinkName, groups: &[Ipv4Addr]) -> Result<Self, Error> {
        let step = |operation: &'static str| move |errno| Error::new(operation, name, errno);
        let protocol = core::num::NonZeroU32::new(u32::from(crate::wire::vrrp::PROTOCOL));
        let socket = rustix::net::socket_with(
            AddressFamily::INET,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            protocol.map(Protocol::from_raw),
        )
        .map_err(step("open VRRP socket on"))?;
        sys::sockopt::set_bind_to_device(&socket, name.as_str())
            .map_err(step("bind VRRP socket to device"))?;
        sys::sockopt::set_header_included(&socket).map_err(step("set IP_HDRINCL on"))?;
        sys::sockopt::set_own_groups_only(&socket).map_err(step("clear IP_MULTICAST_ALL on"))?;
        sockopt::set_ip_multicast_loop(&socket, false).map_err(step("clear IP_MULTICAST_LOOP on"))?;
        let any = Ipv4Addr::UNSPECIFIED;
        sockopt::set_ip_multicast_if_with_ifindex(&socket, &any, &any, index.0)
            .map_err(step("set IP_MULTICAST_IF on"))?;
        for group in groups {
            sockopt::set_ip_add_membership_with_ifindex(&socket, group, &any, index.0).map_err(|errno| {
                Error::new("join multicast group", format_args!("{group} on {name}"), errno)
            })?;
        }
        Ok(Self(socket))
    }

    /// Reads one packet with its IPv4 header; a longer one than `buffer` is cut.
    ///
    /// # Errors
    /// `WOULDBLOCK` without one; `NETDOWN` or `NODEV` once when the interface goes.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::net::recv(&self.0, buffer, RecvFlags::empty()).map(|(_, length)| length)
    }

    /// Sends a whole IPv4 packet. A multicast packet never consults the routing table: it must leave by this
    /// interface even while the table has no route for it.
    ///
    /// # Errors
    /// `NETDOWN`, `NETUNREACH`, `NODEV`, `NOBUFS`, `PERM` (a local packet filter).
    pub fn send(&self, packet: &[u8], destination: Ipv4Addr) -> Result<(), Errno> {
        let mut flags = SendFlags::NOSIGNAL;
        if destination.is_multicast() {
            flags |= SendFlags::DONTROUTE;
        }
        rustix::net::sendto(&self.0, packet, flags, &SocketAddrV4::new(destination, 0)).map(|_| ())
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_errors_name_operation_and_interface() {
        let name = LinkName::new("nosuch0").unwrap();
        let error = RawSocket::open(LinkIndex(999_999), &name, &[]).unwrap_err();
        assert_eq!(error.to_string(), "bind VRRP socket to device nosuch0: no such device");
    }

    #[test]
    fn a_packet_written_by_us_comes_back_on_loopback_to_its_own_address() {
        let name = LinkName::new("lo").unwrap();
        let socket = RawSocket::open(LinkIndex(1), &name, &[]).unwrap();
        // The kernel fills in total length, identification, checksum (raw(7)).
        let mut packet = [0_u8; 40];
        packet[0] = 0x45;
        packet[8] = 255;
        packet[9] = 112;
        packet[12..16].copy_from_slice(&[127, 0, 0, 1]);
        packet[16..20].copy_from_slice(&[127, 0, 0, 1]);
        packet[20..24].copy_from_slice(b"test");
        socket.send(&packet, Ipv4Addr::LOCALHOST).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(socket.receive(&mut buffer), Ok(40));
        assert_eq!(&buffer[20..24], b"test");
        assert_eq!(socket.receive(&mut buffer), Err(Errno::WOULDBLOCK));
    }
}
