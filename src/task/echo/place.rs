//! Where to ask who has an address: the interface on whose network it is, with its hardware address, and the address to
//! ask from. The director knows the interfaces of the configuration only, so the kernel's lists are read.

use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr};
use core::task::{Context, Poll};

use rustix::io::Errno as Code;

use super::socket::watch;
use crate::kernel::clock;
use crate::kernel::netlink::{Incoming, NetlinkSocket, Protocol};
use crate::task::reactor::{Source, Timer};
use crate::task::shell::Shell;
use crate::time::Duration;
use crate::wire::link::{LinkIndex, MacAddress};
use crate::wire::netlink::{Content, Writer, messages};
use crate::wire::rtnetlink::{AddressEntry, Message, Request, parse};

/// The longest the kernel may take for both lists.
const PATIENCE: Duration = Duration::from_secs(2);
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

/// The place for `asked`, if there is one.
pub(super) async fn find(shell: &Shell, asked: Ipv4Addr, timer: &Timer) -> Result<Option<Place>, Code> {
    let socket = NetlinkSocket::open(Protocol::Route, 0);
    let socket = socket.map_err(|error| Code::from_raw_os_error(error.number().into()))?;
    let socket = watch(&shell.reactor, socket)?;
    let (mut best, mut ours): (Candidate, bool) = (None, false);
    list(shell, &socket, Request::DumpAddresses, timer, &mut |message| {
        if let Message::NewAddress(entry) = message {
            ours |= entry.address == asked;
            weigh(shell, asked, &entry, &mut best);
        }
    })
    .await?;
    let Some((_, link, own)) = best else { return Ok(None) };
    let source = if own == asked { Ipv4Addr::UNSPECIFIED } else { own };
    let mut place = None;
    list(shell, &socket, Request::DumpLinks, timer, &mut |message| {
        if let Message::NewLink(entry) = message
            && entry.index == link
            && entry.mac != MacAddress::default()
        {
            place = Some(Place { link, mac: entry.mac, source, ours });
        }
    })
    .await?;
    Ok(place)
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

/// Reads one of the kernel's lists.
async fn list(
    shell: &Shell,
    socket: &Source<NetlinkSocket>,
    request: Request,
    timer: &Timer,
    each: &mut dyn FnMut(Message),
) -> Result<(), Code> {
    {
        let mut buffer = shell.datagram.borrow_mut();
        let mut writer = Writer::new(&mut buffer);
        request.emit(&mut writer, 1).map_err(|_| Code::MSGSIZE)?;
        socket.io().send(writer.as_bytes())?;
    }
    let deadline = clock::now() + PATIENCE;
    poll_fn(|context| match poll_list(shell, socket, each, context) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => timer.poll_until(context, deadline).map(|()| Err(Code::TIMEDOUT)),
    })
    .await
}

/// Takes one datagram, then leaves the turn to others.
fn poll_list(
    shell: &Shell,
    socket: &Source<NetlinkSocket>,
    each: &mut dyn FnMut(Message),
    context: &Context<'_>,
) -> Poll<Result<(), Code>> {
    let mut buffer = shell.datagram.borrow_mut();
    let received = socket.poll_read(context, |socket| match socket.receive(&mut buffer)? {
        Incoming::Empty => Err(Code::WOULDBLOCK),
        incoming @ (Incoming::Datagram(_) | Incoming::Cut | Incoming::Stranger | Incoming::Overrun) => {
            Ok(incoming)
        }
    });
    let length = match received {
        Poll::Pending => return Poll::Pending,
        Poll::Ready(Err(code)) => return Poll::Ready(Err(code)),
        Poll::Ready(Ok(Incoming::Datagram(length))) => length,
        Poll::Ready(Ok(Incoming::Stranger | Incoming::Empty)) => 0,
        Poll::Ready(Ok(Incoming::Cut | Incoming::Overrun)) => return Poll::Ready(Err(Code::NOBUFS)),
    };
    for message in messages(buffer.get(..length).unwrap_or(&[])) {
        match message.map(|message| (message.kind, message.content)) {
            Ok((kind, Content::Data(payload))) => {
                if let Ok(message) = parse(kind, payload) {
                    each(message);
                }
            }
            Ok((_, Content::Done { .. })) => return Poll::Ready(Ok(())),
            Ok((_, Content::Noop)) => {}
            Ok((_, Content::Acknowledgement { .. } | Content::Overrun)) | Err(_) => {
                return Poll::Ready(Err(Code::PROTO));
            }
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}
