//! A probe's TCP connection, never blocking: connect, learn how it went, read, write, close.

use core::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

/// A connection, or one on its way.
#[derive(Debug)]
pub struct TcpStream(OwnedFd);

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connecting {
    /// The peer has accepted.
    Done,
    /// The answer is on its way; writable means decided.
    Pending,
}

impl TcpStream {
    /// A new socket of `target`'s family, bound to `source` if there is one.
    ///
    /// # Errors
    /// Our own faults: `MFILE`, `NFILE`, `NOBUFS`, `ADDRNOTAVAIL` for a source that this host does not have.
    pub fn open(target: SocketAddr, source: Option<SocketAddr>) -> Result<Self, Errno> {
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        if let Some(source) = source {
            sockopt::set_socket_reuseaddr(&socket, source.port() != 0)?;
            rustix::net::bind(&socket, &source)?;
        }
        Ok(Self(socket))
    }

    /// Starts to connect.
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

    /// How connecting went so far. To be asked when the socket has become writable.
    ///
    /// # Errors
    /// Why there is no connection: `CONNREFUSED`, `HOSTUNREACH`, `TIMEDOUT`.
    pub fn connected(&self) -> Result<Connecting, Errno> {
        sockopt::socket_error(&self.0)??;
        match rustix::net::getpeername(&self.0) {
            Ok(_) => Ok(Connecting::Done),
            Err(Errno::NOTCONN) => Ok(Connecting::Pending),
            Err(errno) => Err(errno),
        }
    }

    /// Reads what is there; 0 at the end of the stream.
    ///
    /// # Errors
    /// `WOULDBLOCK` without bytes, `CONNRESET`.
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

    /// Dropping it closes with a reset instead of FIN (`SO_LINGER` 0), so that no port stays in TIME_WAIT: a box that checks a
    /// thousand servers each second would else run out of ports.
    pub fn reset_on_close(&self) {
        // If it is refused the close is an ordinary one.
        let _ = sockopt::set_socket_linger(&self.0, Some(core::time::Duration::ZERO));
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
