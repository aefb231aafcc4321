//! Where to ask who has an address: the interface on whose network it is, with its hardware address, and the address to
//! ask from. The director knows the interfaces of the configuration only, so the kernel's lists are read.

use core::net::{IpAddr, Ipv4Addr};
use core::task::{Context, Poll};

use rustix::io::Errno as Code;

use crate::kernel::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::task::shell::Shell;
use crate::wire::link::{LinkIndex, MacAddress};
use crate::wire::netlink::{Content, Malformed, Writer, messages};
use crate::wire::rtnetlink::{AddressEntry, Message, Request, parse};

/// `RT_SCOPE_HOST`: nobody else can reach it.
const SCOPE_HOST: u8 = 254;

/// The place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) link: LinkIndex,
    pub(super) mac: MacAddress,
    /// 0.0.0.0 if this host has no address there but the one that is asked about.
    pub(super) source: Ipv4Addr,
    /// This host has the address that is asked about.
    pub(super) ours: bool,
}

/// An address to ask from, and how good it is.
type Candidate = Option<((u8, bool, bool, bool), LinkIndex, Ipv4Addr)>;

/// A search that is going on.
pub(super) struct Finder {
    socket: NetlinkSocket,
    asked: Ipv4Addr,
    best: Candidate,
    ours: bool,
    mac: MacAddress,
    /// The list of addresses has ended, that of interfaces is read.
    links: bool,
}

impl Finder {
    /// Begins to look for the place of `asked`.
    pub(super) fn new(shell: &Shell, asked: Ipv4Addr) -> Result<Self, Code> {
        let socket = NetlinkSocket::open(Protocol::Route, 0);
        let socket = socket.map_err(|error| Code::from_raw_os_error(error.number().into()))?;
        let finder =
            Self { socket, asked, best: None, ours: false, mac: MacAddress::default(), links: false };
        finder.ask(shell, Request::DumpAddresses)?;
        Ok(finder)
    }

    fn ask(&self, shell: &Shell, request: Request) -> Result<(), Code> {
        let mut buffer = shell.datagram.borrow_mut();
        let mut writer = Writer::new(&mut buffer);
        request.emit(&mut writer, 1).map_err(|_| Code::MSGSIZE)?;
        self.socket.send(writer.as_bytes())
    }

    /// Takes one datagram, then leaves the turn to others. The kernel makes each of them when it is read: to find none
    /// is an error.
    pub(super) fn poll(&mut self, shell: &Shell, context: &Context<'_>) -> Poll<Result<Option<Place>, Code>> {
        context.waker().wake_by_ref();
        let mut buffer = shell.datagram.borrow_mut();
        let length = match self.socket.receive(&mut buffer)? {
            Incoming::Datagram(length) => length,
            Incoming::Stranger => return Poll::Pending,
            Incoming::Empty | Incoming::Cut | Incoming::Overrun => return Poll::Ready(Err(Code::NOBUFS)),
        };
        let mut ended = false;
        for message in messages(buffer.get(..length).unwrap_or(&[])).flatten() {
            match message.content {
                Content::Data(payload) => self.note(shell, parse(message.kind, payload)),
                Content::Noop => {}
                Content::Done { .. } | Content::Acknowledgement { .. } | Content::Overrun => ended = true,
            }
        }
        drop(buffer);
        match (ended, self.best) {
            (false, _) => Poll::Pending,
            (true, Some(_)) if !self.links => {
                self.links = true;
                self.ask(shell, Request::DumpLinks)?;
                Poll::Pending
            }
            (true, Some((_, link, own))) if self.mac != MacAddress::default() => {
                let source = if own == self.asked { Ipv4Addr::UNSPECIFIED } else { own };
                Poll::Ready(Ok(Some(Place { link, mac: self.mac, source, ours: self.ours })))
            }
            (true, _) => Poll::Ready(Ok(None)),
        }
    }

    fn note(&mut self, shell: &Shell, message: Result<Message, Malformed>) {
        match (message, self.best) {
            (Ok(Message::NewAddress(entry)), _) => {
                self.ours |= entry.address == self.asked;
                weigh(shell, self.asked, &entry, &mut self.best);
            }
            (Ok(Message::NewLink(entry)), Some((_, link, _))) if entry.index == link => self.mac = entry.mac,
            _ => {}
        }
    }
}

/// The longest prefix; then not the address that is asked about, not a virtual one, the first of its network.
fn weigh(shell: &Shell, asked: Ipv4Addr, entry: &AddressEntry, best: &mut Candidate) {
    let IpAddr::V4(own) = entry.address else { return };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(entry.prefix.into())).unwrap_or(0);
    let differs = (own.to_bits() ^ asked.to_bits()) & mask != 0;
    if differs || entry.prefix >= 32 || entry.scope == SCOPE_HOST {
        return;
    }
    let is_virtual = shell.director.borrow().config().addresses.iter().any(|one| one.address == own);
    let rank = (entry.prefix, own != asked, !is_virtual, !entry.secondary);
    if best.is_none_or(|(held, ..)| rank > held) {
        *best = Some((rank, entry.link, own));
    }
}
