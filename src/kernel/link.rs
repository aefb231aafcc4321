//! Interfaces before the loop runs: one request after the other on a routing socket, each waited for.

use core::net::IpAddr;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::error::Error;
use super::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::wire::link::{LinkIndex, LinkName};
use crate::wire::netlink::{Content, Writer, messages};
use crate::wire::rtnetlink::{AddressSpec, Message, Request, parse};

/// The longest the kernel may take for one answer; it usually answers within the request.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// Bytes of one datagram of a dump at most (`NLMSG_GOODSIZE` and the cap of `netlink_dump`).
const DATAGRAM: usize = 32 << 10;

/// A routing socket and what the kernel said of its interfaces.
#[derive(Debug)]
pub struct Links {
    socket: NetlinkSocket,
    buffer: Box<[u8]>,
    seq: u32,
    known: Vec<(LinkName, LinkIndex)>,
}

impl Links {
    /// Opens the socket and lists the interfaces.
    ///
    /// # Errors
    /// `AFNOSUPPORT` without networking.
    pub fn open() -> Result<Self, Error> {
        let socket = NetlinkSocket::open(Protocol::Route, 0)?;
        let buffer = vec![0; DATAGRAM].into_boxed_slice();
        let mut links = Self { socket, buffer, seq: 0, known: Vec::new() };
        links.list()?;
        Ok(links)
    }

    /// The names of all interfaces, in the kernel's order.
    pub fn names(&self) -> impl Iterator<Item = LinkName> + '_ {
        self.known.iter().map(|(name, _)| *name)
    }

    /// Sets an interface up.
    ///
    /// # Errors
    /// `NODEV` without one of this name; the device's own.
    pub fn set_up(&mut self, name: LinkName) -> Result<(), Error> {
        let index = self.index(name, "set up")?;
        self.ask(&Request::SetLinkUp(index)).map_err(|errno| Error::new("set up", name, errno))
    }

    /// Sets an interface's MTU in bytes.
    ///
    /// # Errors
    /// `NODEV`; `INVAL` for what the device cannot do.
    pub fn set_mtu(&mut self, name: LinkName, mtu: u32) -> Result<(), Error> {
        let index = self.index(name, "set MTU of")?;
        self.ask(&Request::SetLinkMtu(index, mtu))
            .map_err(|errno| Error::new("set MTU of", format_args!("{name} to {mtu}"), errno))
    }

    /// Makes the VLAN `id` (1 to 4,094) of `parent`; one of this name that is there already stays.
    ///
    /// # Errors
    /// `NODEV` without the parent, `OPNOTSUPP` without the module 8021q.
    pub fn add_vlan(&mut self, name: LinkName, id: u16, parent: LinkName) -> Result<(), Error> {
        let parent = self.index(parent, "add a VLAN to")?;
        match self.ask(&Request::AddVlan { name, id, parent }) {
            Ok(()) | Err(Errno::EXIST) => self.list(),
            Err(errno) => Err(Error::new("add VLAN", name, errno)),
        }
    }

    /// Adds an address; one that is there already is fine.
    ///
    /// # Errors
    /// `NODEV`; `INVAL` for an address that no interface can have.
    pub fn add_address(&mut self, name: LinkName, address: IpAddr, prefix: u8) -> Result<(), Error> {
        let link = self.index(name, "add address to")?;
        let broadcast = match address {
            IpAddr::V4(address) if prefix < 31 => {
                let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                Some((address.to_bits() | hosts).into())
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        let spec = AddressSpec { broadcast, ..AddressSpec::new(link, address, prefix) };
        match self.ask(&Request::AddAddress(spec)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(Error::new("add address", format_args!("{address}/{prefix} on {name}"), errno)),
        }
    }

    fn index(&self, name: LinkName, operation: &'static str) -> Result<LinkIndex, Error> {
        let found = self.known.iter().find(|(known, _)| *known == name);
        found.map(|(_, index)| *index).ok_or_else(|| Error::new(operation, name, Errno::NODEV))
    }

    fn list(&mut self) -> Result<(), Error> {
        self.known.clear();
        self.ask(&Request::DumpLinks).map_err(|errno| Error::new("list", "interfaces", errno))
    }

    /// Sends a request and reads until it is answered.
    fn ask(&mut self, request: &Request) -> Result<(), Errno> {
        self.seq += 1;
        let mut writer = Writer::new(&mut self.buffer);
        request.emit(&mut writer, self.seq).map_err(|_| Errno::MSGSIZE)?;
        self.socket.send(writer.as_bytes())?;
        loop {
            match self.socket.receive(&mut self.buffer)? {
                Incoming::Datagram(length) => {
                    if let Some(errno) = self.read(length) {
                        return errno;
                    }
                }
                Incoming::Stranger => {}
                Incoming::Cut | Incoming::Overrun => return Err(Errno::NOBUFS),
                Incoming::Empty => {
                    let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
                    if poll(&mut ready, Some(&PATIENCE))? == 0 {
                        return Err(Errno::TIMEDOUT);
                    }
                }
            }
        }
    }

    /// Takes what a datagram says; the answer if it is the end of the request.
    fn read(&mut self, length: usize) -> Option<Result<(), Errno>> {
        let result = |errno: u16| match errno {
            0 => Ok(()),
            errno => Err(Errno::from_raw_os_error(i32::from(errno))),
        };
        for message in messages(self.buffer.get(..length).unwrap_or(&[])) {
            let Ok(message) = message else { return Some(Err(Errno::PROTO)) };
            if message.seq != self.seq {
                continue;
            }
            match message.content {
                Content::Acknowledgement { errno } | Content::Done { errno } => return Some(result(errno)),
                Content::Overrun => return Some(Err(Errno::NOBUFS)),
                Content::Noop => {}
                Content::Data(payload) => {
                    if let Ok(Message::NewLink(link)) = parse(message.kind, payload) {
                        self.known.push((link.name, link.index));
                    }
                }
            }
        }
        None
    }
}
