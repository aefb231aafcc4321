//! A VRRP socket of one interface: IP header written by us, bound to the device, in the multicast groups it is told.
//! One socket per interface and channel, because a socket may join 20 groups (`net.ipv4.igmp_max_memberships`) and an
//! error on one interface or in one family must not silence another.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::error::Error;
use super::sys;
use crate::wire::bytes::Output;
use crate::wire::ipv6;
use crate::wire::link::{LinkIndex, LinkName};
use crate::wire::vrrp::{Channel, Family, PROTOCOL};

/// The socket.
#[derive(Debug)]
pub struct RawSocket {
    socket: OwnedFd,
    family: Family,
    index: LinkIndex,
}

impl RawSocket {
    /// Opens a socket of the interface `name` with `index`, and joins those of `groups` that are of its family there.
    ///
    /// # Errors
    /// Names the step: `PERM` without `CAP_NET_RAW`, `NODEV` without the interface, `NOBUFS` for too many groups,
    /// `AFNOSUPPORT` without IPv6.
    pub fn open(
        channel: Channel,
        index: LinkIndex,
        name: &LinkName,
        groups: &[IpAddr],
    ) -> Result<Self, Error> {
        let step = |operation: &'static str| move |errno| Error::new(operation, name, errno);
        let protocol = core::num::NonZeroU32::new(u32::from(channel.protocol()));
        let family = channel.family();
        let domain = match family {
            Family::Ipv4 => AddressFamily::INET,
            Family::Ipv6 => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(domain, SocketType::RAW, flags, protocol.map(Protocol::from_raw))
                .map_err(step("open VRRP socket on"))?;
        sys::sockopt::set_bind_to_device(&socket, name.as_str())
            .map_err(step("bind VRRP socket to device"))?;
        match family {
            Family::Ipv4 => prepare_ipv4(&socket, index),
            Family::Ipv6 => prepare_ipv6(&socket, index),
        }
        .map_err(|(operation, errno)| Error::new(operation, name, errno))?;
        for group in groups {
            let any = Ipv4Addr::UNSPECIFIED;
            match (family, group) {
                (Family::Ipv4, IpAddr::V4(group)) => {
                    sockopt::set_ip_add_membership_with_ifindex(&socket, group, &any, index.0)
                }
                (Family::Ipv6, IpAddr::V6(group)) => {
                    sockopt::set_ipv6_add_membership(&socket, group, index.0)
                }
                (Family::Ipv4, IpAddr::V6(_)) | (Family::Ipv6, IpAddr::V4(_)) => Ok(()),
            }
            .map_err(|errno| Error::new("join multicast group", format_args!("{group} on {name}"), errno))?;
        }
        Ok(Self { socket, family, index })
    }

    /// Reads one packet with its IP header; a longer one than `buffer` is cut.
    ///
    /// # Errors
    /// `WOULDBLOCK` without one; `NETDOWN` or `NODEV` once when the interface goes.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self.family {
            Family::Ipv4 => {
                rustix::net::recv(&self.socket, buffer, RecvFlags::empty()).map(|(_, length)| length)
            }
            Family::Ipv6 => self.receive_ipv6(buffer),
        }
    }

    /// The kernel delivers no header: it is made again from what the kernel says.
    fn receive_ipv6(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (head, body) = buffer.split_at_mut_checked(ipv6::HEADER_LEN).ok_or(Errno::INVAL)?;
        let packet = sys::message::receive_ipv6(&self.socket, body)?;
        let header = ipv6::Header {
            traffic_class: 0,
            hop_limit: packet.hop_limit.unwrap_or(0),
            next_header: PROTOCOL,
            source: Ipv6Addr::from(packet.source),
            destination: packet.destination.map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from),
        };
        let mut out = Output::new(head);
        ipv6::emit(&header, packet.len, &mut out).ok_or(Errno::MSGSIZE)?;
        Ok(ipv6::HEADER_LEN + packet.len)
    }

    /// Sends a whole IP packet. A multicast packet over IPv4 never consults the routing table: it must leave by this
    /// interface even while the table has no route for it.
    ///
    /// # Errors
    /// `NETDOWN`, `NETUNREACH`, `NODEV`, `NOBUFS`, `PERM` (a local packet filter), `MSGSIZE` beyond the MTU.
    pub fn send(&self, packet: &[u8], destination: IpAddr) -> Result<(), Errno> {
        let mut flags = SendFlags::NOSIGNAL;
        let to = match destination {
            IpAddr::V4(_) => {
                if destination.is_multicast() {
                    flags |= SendFlags::DONTROUTE;
                }
                SocketAddr::new(destination, 0)
            }
            // The scope says which interface's link-local address it is.
            IpAddr::V6(address) => {
                let local = address.is_unicast_link_local() || address.is_multicast();
                SocketAddrV6::new(address, 0, 0, if local { self.index.0 } else { 0 }).into()
            }
        };
        rustix::net::sendto(&self.socket, packet, flags, &to).map(|_| ())
    }
}

type Step = (&'static str, Errno);

fn prepare_ipv4(socket: &OwnedFd, index: LinkIndex) -> Result<(), Step> {
    let step = |operation: &'static str| move |errno| (operation, errno);
    sys::sockopt::set_header_included(socket).map_err(step("set IP_HDRINCL on"))?;
    sys::sockopt::set_own_groups_only(socket).map_err(step("clear IP_MULTICAST_ALL on"))?;
    sockopt::set_ip_multicast_loop(socket, false).map_err(step("clear IP_MULTICAST_LOOP on"))?;
    let any = Ipv4Addr::UNSPECIFIED;
    sockopt::set_ip_multicast_if_with_ifindex(socket, &any, &any, index.0)
        .map_err(step("set IP_MULTICAST_IF on"))
}

fn prepare_ipv6(socket: &OwnedFd, index: LinkIndex) -> Result<(), Step> {
    let step = |operation: &'static str| move |errno| (operation, errno);
    sys::sockopt::set_ipv6_header_included(socket).map_err(step("set IPV6_HDRINCL on"))?;
    sys::sockopt::set_ipv6_receive_info(socket).map_err(step("set IPV6_RECVPKTINFO on"))?;
    let index = i32::try_from(index.0).unwrap_or(0);
    sys::sockopt::set_ipv6_multicast(socket, index).map_err(step("set IPV6_MULTICAST_IF on"))
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_errors_name_operation_and_interface() {
        let name = LinkName::new("nosuch0").unwrap();
        let error = RawSocket::open(Channel::Ipv4, LinkIndex(999_999), &name, &[]).unwrap_err();
        assert_eq!(error.to_string(), "bind VRRP socket to device nosuch0: no such device");
    }

    #[test]
    fn a_packet_written_by_us_comes_back_on_loopback_to_its_own_address() {
        let name = LinkName::new("lo").unwrap();
        let socket = RawSocket::open(Channel::Ipv4, LinkIndex(1), &name, &[]).unwrap();
        // The kernel fills in total length, identification, checksum (raw(7)).
        let mut packet = [0_u8; 40];
        packet[0] = 0x45;
        packet[8] = 255;
        packet[9] = 112;
        packet[12..16].copy_from_slice(&[127, 0, 0, 1]);
        packet[16..20].copy_from_slice(&[127, 0, 0, 1]);
        packet[20..24].copy_from_slice(b"test");
        socket.send(&packet, Ipv4Addr::LOCALHOST.into()).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(socket.receive(&mut buffer), Ok(40));
        assert_eq!(&buffer[20..24], b"test");
        assert_eq!(socket.receive(&mut buffer), Err(Errno::WOULDBLOCK));
    }

    #[test]
    fn an_ipv6_packet_comes_back_with_a_header_made_from_what_the_kernel_says() {
        let name = LinkName::new("lo").unwrap();
        let socket = RawSocket::open(Channel::Ipv6, LinkIndex(1), &name, &[]).unwrap();
        let sent = ipv6::Header {
            traffic_class: 0xc0,
            hop_limit: 254,
            next_header: PROTOCOL,
            source: Ipv6Addr::LOCALHOST,
            destination: Ipv6Addr::LOCALHOST,
        };
        let mut packet = [0_u8; 44];
        ipv6::emit(&sent, 4, &mut Output::new(&mut packet)).unwrap();
        packet[40..].copy_from_slice(b"test");
        socket.send(&packet, Ipv6Addr::LOCALHOST.into()).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(socket.receive(&mut buffer), Ok(44));
        let (header, payload) = ipv6::parse(&buffer[..44]).unwrap();
        assert_eq!(
            (header.hop_limit, header.source, header.destination),
            (254, sent.source, sent.destination)
        );
        assert_eq!(payload, b"test");
        assert_eq!(socket.receive(&mut buffer), Err(Errno::WOULDBLOCK));
    }
}
