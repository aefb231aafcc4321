//! Socket options that rustix has no function for. One generic setter and getter, and a named function for each use.

use core::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// `linux/socket.h`.
const SOL_NETLINK: i32 = 270;

/// The other end of a unix socket (`SO_PEERCRED`), as it was when the connection or the listener was made. rustix
/// declares the process id non-zero, but the kernel says 0 for a process of another pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Process, 0 if it has no number here.
    pub pid: u32,
    /// Effective user.
    pub uid: u32,
}

/// Receives and sends through the interface called `name` only (`SO_BINDTODEVICE`).
///
/// # Errors
/// `NODEV` without such an interface, `PERM` without `CAP_NET_RAW`.
pub fn set_bind_to_device(socket: impl AsFd, name: &str) -> Result<(), Errno> {
    set_bytes(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name.as_bytes())
}

/// Marks packets (`SO_MARK`) for policy routing and packet filters.
///
/// # Errors
/// `PERM` without `CAP_NET_ADMIN`.
pub fn set_mark(socket: impl AsFd, mark: u32) -> Result<(), Errno> {
    set_bytes(socket, libc::SOL_SOCKET, libc::SO_MARK, &mark.to_ne_bytes())
}

/// The port of a bound address is chosen when it connects (`IP_BIND_ADDRESS_NO_PORT`, ip(7)); for IPv6 as well.
///
/// # Errors
/// The kernel's.
pub fn set_bind_address_no_port(socket: impl AsFd) -> Result<(), Errno> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Every ICMP error about what was sent is an error of this connected UDP socket (`IP_RECVERR`, ip(7)); else only that
/// a port or protocol is unreachable is one, and of a host that is gone nothing is heard.
///
/// # Errors
/// The kernel's.
pub fn set_receive_errors(socket: impl AsFd, target: SocketAddr) -> Result<(), Errno> {
    match target {
        SocketAddr::V4(_) => set_int(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1),
        SocketAddr::V6(_) => set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1),
    }
}

/// We write the IPv4 header ourselves (`IP_HDRINCL`, raw(7)).
///
/// # Errors
/// The kernel's.
pub fn set_header_included(socket: impl AsFd) -> Result<(), Errno> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_HDRINCL, 1)
}

/// The same for IPv6 (`IPV6_HDRINCL`, `linux/in6.h`): on sending only, received packets come without.
///
/// # Errors
/// The kernel's.
pub fn set_ipv6_header_included(socket: impl AsFd) -> Result<(), Errno> {
    set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_HDRINCL, 1)
}

/// Says with every packet where it was sent to and its hop limit (`IPV6_RECVPKTINFO`, `IPV6_RECVHOPLIMIT`).
///
/// # Errors
/// The kernel's.
pub fn set_ipv6_receive_info(socket: impl AsFd) -> Result<(), Errno> {
    set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
    set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)
}

/// Multicast leaves by this interface (`IPV6_MULTICAST_IF`) and does not come back to this host
/// (`IPV6_MULTICAST_LOOP` off), and only groups joined on this very socket are delivered (`IPV6_MULTICAST_ALL` off,
/// Linux 4.20).
///
/// # Errors
/// The kernel's.
pub fn set_ipv6_multicast(socket: impl AsFd, index: i32) -> Result<(), Errno> {
    const IPV6_MULTICAST_ALL: i32 = 29;
    set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, index)?;
    set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP, 0)?;
    set_int(&socket, libc::IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
}

/// Delivers only groups joined on this very socket (`IP_MULTICAST_ALL` off); by default a socket gets every group
/// that any socket of the host has joined.
///
/// # Errors
/// The kernel's.
pub fn set_own_groups_only(socket: impl AsFd) -> Result<(), Errno> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0)
}

/// A raw ICMP socket does not hear the types whose bits are set, counted from the lowest of the word (`ICMP_FILTER`,
/// `linux/icmp.h`).
///
/// # Errors
/// The kernel's.
pub fn set_icmp_filter(socket: impl AsFd, refused: u32) -> Result<(), Errno> {
    const SOL_RAW: i32 = 255;
    const ICMP_FILTER: i32 = 1;
    set_bytes(socket, SOL_RAW, ICMP_FILTER, &refused.to_ne_bytes())
}

/// The same for a raw ICMPv6 socket (`ICMPV6_FILTER`, `linux/icmpv6.h`; RFC 3542 section 3.2): eight words in the
/// host's order.
///
/// # Errors
/// The kernel's.
pub fn set_icmpv6_filter(socket: impl AsFd, refused: &[u8; 32]) -> Result<(), Errno> {
    const ICMPV6_FILTER: i32 = 1;
    set_bytes(socket, libc::IPPROTO_ICMPV6, ICMPV6_FILTER, refused)
}

/// An error reply of netlink carries the header of the request only (`NETLINK_CAP_ACK`), so that a full batch of
/// refusals fits the receive buffer.
///
/// # Errors
/// The kernel's.
pub fn set_short_acks(socket: impl AsFd) -> Result<(), Errno> {
    const NETLINK_CAP_ACK: i32 = 10;
    set_int(socket, SOL_NETLINK, NETLINK_CAP_ACK, 1)
}

/// Hears a netlink group (`NETLINK_ADD_MEMBERSHIP`).
///
/// # Errors
/// `INVAL` without such a group.
pub fn set_netlink_member(socket: impl AsFd, group: i32) -> Result<(), Errno> {
    set_int(socket, SOL_NETLINK, 1, group)
}

/// Does not hear a netlink group any more (`NETLINK_DROP_MEMBERSHIP`).
///
/// # Errors
/// `INVAL` without such a group.
pub fn set_netlink_stranger(socket: impl AsFd, group: i32) -> Result<(), Errno> {
    set_int(socket, SOL_NETLINK, 2, group)
}

/// Who is at the other end of a unix socket.
///
/// # Errors
/// The kernel's.
pub fn peer(socket: impl AsFd) -> Result<Peer, Errno> {
    const LEN: libc::socklen_t = 12;
    const { assert!(core::mem::size_of::<libc::ucred>() == 12, "LEN is the structure's size") };
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = LEN;
    // SAFETY: `credentials` is valid for `length` bytes of this plain structure, and both outlive the call.
    super::check(unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    })?;
    Ok(Peer { pid: u32::try_from(credentials.pid).unwrap_or(0), uid: credentials.uid })
}

fn set_int(socket: impl AsFd, level: i32, option: i32, value: i32) -> Result<(), Errno> {
    set_bytes(socket, level, option, &value.to_ne_bytes())
}

fn set_bytes(socket: impl AsFd, level: i32, option: i32, value: &[u8]) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: `value` is valid for `length` bytes during the call and the kernel only reads it.
    super::check(unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, value.as_ptr().cast(), length)
    })?;
    Ok(())
}
