//! A probe's socket, never blocking: a TCP connection, a connected UDP socket, or a raw ICMP socket that hears one
//! host.

use core::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::icmp;
use super::sys::sockopt as more;
use crate::wire::icmp::Family;

/// A socket that is connected, or on its way.
#[derive(Debug)]
pub struct ProbeSocket(OwnedFd);

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
    /// ICMP or ICMPv6 echo.
    Echo,
}

/// Where its packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin<'a> {
    /// Own address, port 0 for any.
    pub source: Option<SocketAddr>,
    /// The interface they leave and arrive through.
    pub link: Option<&'a str>,
    /// Their mark (`SO_MARK`), 0 for none.
    pub mark: u32,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connecting {
    /// The peer has accepted.
    Done,
    /// The answer is on its way; writable means decided.
    Pending,
}

impl ProbeSocket {
    /// A new socket of `target`'s family.
    ///
    /// # Errors
    /// Our own faults: `MFILE`, `NFILE`, `NOBUFS`, `ADDRNOTAVAIL` for a source that this host does not have, `NODEV`
    /// for such an interface, `PERM` for a mark without `CAP_NET_ADMIN` or an echo without `CAP_NET_RAW`.
    pub fn open(kind: Kind, target: SocketAddr, origin: Origin<'_>) -> Result<Self, Errno> {
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match kind {
            Kind::Stream => rustix::net::socket_with(family, SocketType::STREAM, flags, None)?,
            Kind::Datagram => rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?,
            Kind::Echo => icmp::raw(Family::of(target.ip()))?,
        };
        if kind == Kind::Datagram {
            more::set_receive_errors(&socket, target)?;
        }
        if origin.mark != 0 {
            more::set_mark(&socket, origin.mark)?;
        }
        if let Some(link) = origin.link {
            more::set_bind_to_device(&socket, link)?;
        }
        if let Some(source) = origin.source {
            // A raw socket has no ports.
            let port = if kind == Kind::Echo { 0 } else { source.port() };
            sockopt::set_socket_reuseaddr(&socket, port != 0)?;
            if kind == Kind::Stream && port == 0 {
                // Chosen at connecting, ports of one target follow each other; chosen now, any free one may come back
                // while IPVS still remembers where it led. Without the option it is as it was.
                let _ = more::set_bind_address_no_port(&socket);
            }
            rustix::net::bind(&socket, &SocketAddr::new(source.ip(), port))?;
        }
        Ok(Self(socket))
    }

    /// Starts to connect; without a connection it is done at once.
    ///
    /// # Errors
    /// The network's at once (`NETUNREACH`, `CONNREFUSED` on this host) or ours (`ADDRNOTAVAIL`: no free port).
    pub fn connect(&self, target: SocketAddr) -> Result<Connecting, Errno> {
        match rustix::net::connect(&self.0, &target) {
            Ok(()) => Ok(Connecting::Done),
            Err(Errno::INPROGRESS | Errno::INTR) => Ok(Connecting::Pending),
            Err(errno) => Err(errno),
        }
    }

    /// How connecting to `target` went so far: connect(2) asked once more says so in one call. To be asked when the
    /// socket has become writable.
    ///
    /// # Errors
    /// Why there is no connection: `CONNREFUSED`, `HOSTUNREACH`, `TIMEDOUT`.
    pub fn connected(&self, target: SocketAddr) -> Result<Connecting, Errno> {
        match rustix::net::connect(&self.0, &target) {
            Ok(()) | Err(Errno::ISCONN) => Ok(Connecting::Done),
            Err(Errno::ALREADY | Errno::INPROGRESS | Errno::INTR) => Ok(Connecting::Pending),
            Err(errno) => Err(errno),
        }
    }

    /// Reads what is there, or one datagram; 0 at the end of a stream.
    ///
    /// # Errors
    /// `WOULDBLOCK` without bytes, `CONNRESET`; without a connection `CONNREFUSED` and others that ICMP brought.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::net::recv(&self.0, buffer, RecvFlags::empty()).map(|(_, length)| length)
    }

    /// Writes what the kernel takes.
    ///
    /// # Errors
    /// `WOULDBLOCK` if it takes nothing, `PIPE` or `CONNRESET` from a closed peer.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)
    }

    /// Dropping it closes with a reset instead of FIN (`SO_LINGER` 0), so that no port stays in TIME_WAIT: a box that
    /// checks a thousand servers each second would else run out of ports.
    pub fn reset_on_close(&self) {
        // If it is refused the close is an ordinary one.
        let _ = sockopt::set_socket_linger(&self.0, Some(core::time::Duration::ZERO));
    }
}

impl AsFd for ProbeSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
