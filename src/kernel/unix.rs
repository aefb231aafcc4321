//! The control socket: an abstract unix socket (unix(7)), one name per network namespace, message boundaries kept
//! (`SOCK_SEQPACKET`). Any user may bind an abstract name first, so both ends look at the other's user id.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, listen, socket_with,
};

use super::error::Error;
use super::sys::sockopt;
pub use super::sys::sockopt::Peer;

/// A listening socket.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// One connection.
#[derive(Debug)]
pub struct Connection(OwnedFd);

/// Whether calls wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They return `WOULDBLOCK`.
    NonBlocking,
    /// They return `WOULDBLOCK`, but [`Connection::open`] waits for [`BRIEFLY`] at most while the queue of the other
    /// end is full.
    Brief,
    /// They wait: for the short-lived commands.
    Blocking,
}

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 8;

/// How long a terminal's user may be kept waiting for a connection.
const BRIEFLY: core::time::Duration = core::time::Duration::from_secs(2);

impl Listener {
    /// Binds the abstract name and listens.
    ///
    /// # Errors
    /// `ADDRINUSE` if someone else has the name; [`Connection::open`] tells who.
    pub fn open(name: &str) -> Result<Self, Error> {
        let fail = |errno| Error::new("listen on control socket", format_args!("@{name}"), errno);
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(fail)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(fail)?;
        rustix::net::bind(&socket, &address).map_err(fail)?;
        listen(&socket, BACKLOG).map_err(fail)?;
        Ok(Self(socket))
    }

    /// The next connection.
    ///
    /// # Errors
    /// `WOULDBLOCK` without one; `MFILE`.
    pub fn accept(&self) -> Result<Connection, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::accept_with(&self.0, flags).map(Connection)
    }
}

impl Connection {
    /// Connects to the abstract name.
    ///
    /// # Errors
    /// `CONNREFUSED` if nobody listens, `WOULDBLOCK` if the queue is full.
    pub fn open(name: &str, mode: Mode) -> Result<Self, Error> {
        let fail = |errno| Error::new("connect to control socket", format_args!("@{name}"), errno);
        let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(fail)?;
        let flags = match mode {
            Mode::NonBlocking => SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Mode::Blocking | Mode::Brief => SocketFlags::CLOEXEC,
        };
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(fail)?;
        if mode == Mode::Brief {
            // unix(7): a full queue is waited for as long as a send would.
            set_socket_timeout(&socket, Timeout::Send, Some(BRIEFLY)).map_err(fail)?;
        }
        rustix::net::connect(&socket, &address).map_err(fail)?;
        if mode == Mode::Brief {
            rustix::io::ioctl_fionbio(&socket, true).map_err(fail)?;
        }
        Ok(Self(socket))
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// The kernel's.
    pub fn peer(&self) -> Result<Peer, Errno> {
        sockopt::peer(&self.0)
    }

    /// Reads one message; 0 at the end. A message longer than `buffer` is cut, and the returned length says so.
    ///
    /// # Errors
    /// `WOULDBLOCK`, `CONNRESET`.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        rustix::net::recv(&self.0, buffer, RecvFlags::TRUNC).map(|(_, length)| length)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `WOULDBLOCK` if the reader is slow, `PIPE` if it is gone.
    pub fn send(&self, message: &[u8]) -> Result<(), Errno> {
        rustix::net::send(&self.0, message, SendFlags::NOSIGNAL).map(|_| ())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_see_each_others_user_and_a_taken_name_is_refused() {
        let name = format!("lvsbox-unix-{}", std::process::id());
        let listener = Listener::open(&name).unwrap();
        assert_eq!(Listener::open(&name).unwrap_err().number(), 98);
        let client = Connection::open(&name, Mode::NonBlocking).unwrap();
        let server = listener.accept().unwrap();
        let own = Peer { pid: std::process::id(), uid: super::super::process::user() };
        assert_eq!(client.peer().unwrap(), own);
        assert_eq!(server.peer().unwrap(), own);
        client.send(b"status").unwrap();
        let mut buffer = [0; 4];
        assert_eq!(server.receive(&mut buffer), Ok(6), "a longer message is cut and says so");
        assert_eq!(server.receive(&mut buffer), Err(Errno::WOULDBLOCK));
    }

    #[test]
    fn a_full_queue_is_waited_for_and_what_follows_is_not() {
        let name = format!("lvsbox-queue-{}", std::process::id());
        let listener = Listener::open(&name).unwrap();
        let open = || Connection::open(&name, Mode::NonBlocking);
        let waiting: Vec<_> = core::iter::from_fn(|| open().ok()).collect();
        assert_eq!(i32::try_from(waiting.len()), Ok(BACKLOG + 1));
        assert_eq!(open().unwrap_err().number(), 11);
        let begun = crate::kernel::clock::now();
        let brief = || Connection::open(&name, Mode::Brief);
        assert_eq!(brief().unwrap_err().number(), 11);
        assert!(crate::kernel::clock::now() >= begun + crate::time::Duration::from_secs(1));
        let _taken = listener.accept().unwrap();
        assert_eq!(brief().unwrap().receive(&mut [0; 4]), Err(Errno::WOULDBLOCK));
    }
}
