//! When IPv4 addresses come and go in a namespace: a thread that listens to the kernel's own announcements.
//!
//! rtnetlink(7), group `RTMGRP_IPV4_IFADDR`. The time is that of the reader, which waits for nothing else: some tens of
//! microseconds after the kernel's. On purpose not the product's own parser.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size_force, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::netns::Namespace;

/// `RTMGRP_IPV4_IFADDR` of `linux/rtnetlink.h`.
const GROUP: u32 = 0x10;
/// `RTM_NEWADDR`, `RTM_DELADDR`.
const NEW: u16 = 20;
const GONE: u16 = 21;
/// `IFA_LOCAL`.
const LOCAL: u16 = 2;

type Present = Arc<Mutex<BTreeMap<Ipv4Addr, Duration>>>;

/// The addresses that came since it was opened and are still there.
#[derive(Debug)]
pub struct AddressMonitor {
    present: Present,
    ended: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl AddressMonitor {
    /// Starts to listen in `namespace`.
    pub fn open(namespace: &Namespace) -> Self {
        let socket = namespace.enter(open).expect("open a routing socket");
        let (present, ended) = (Present::default(), Arc::new(AtomicBool::new(false)));
        let (ours, end) = (Arc::clone(&present), Arc::clone(&ended));
        let reader = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                read(&socket, &ours);
            }
        });
        Self { present, ended, reader: Some(reader) }
    }

    /// When each present address came, since the Unix epoch.
    pub fn present(&self) -> BTreeMap<Ipv4Addr, Duration> {
        self.present.lock().expect("the reader does not panic").clone()
    }

    /// How many came and are there.
    pub fn count(&self) -> usize {
        self.present.lock().expect("the reader does not panic").len()
    }
}

impl Drop for AddressMonitor {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.reader.take().map(JoinHandle::join);
    }
}

fn open() -> Result<OwnedFd, Errno> {
    // NETLINK_ROUTE is protocol 0, which is what no protocol means.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    set_socket_recv_buffer_size_force(&socket, 8 << 20)?;
    // How long the end of the thread may take.
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(200)))?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUP))?;
    Ok(socket)
}

fn read(socket: &OwnedFd, present: &Present) {
    let mut buffer = [0_u8; 8_192];
    let Ok((length, _)) = recv(socket, &mut buffer[..], RecvFlags::empty()) else { return };
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut rest = buffer.get(..length).unwrap_or_default();
    let mut present = present.lock().expect("nobody panics with it");
    while let Some((kind, payload, next)) = message(rest) {
        // struct ifaddrmsg has 8 bytes.
        match (kind, payload.get(8..).and_then(local)) {
            (NEW, Some(address)) => drop(present.entry(address).or_insert(at)),
            (GONE, Some(address)) => drop(present.remove(&address)),
            _ => {}
        }
        rest = next;
    }
}

/// The first message: type, payload, and what follows. struct nlmsghdr has 16 bytes.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, bytes.get(16..length)?, next))
}

/// The value of `IFA_LOCAL` among attributes.
fn local(mut attributes: &[u8]) -> Option<Ipv4Addr> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        if u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?) == LOCAL {
            return Some(Ipv4Addr::from(<[u8; 4]>::try_from(attributes.get(4..8)?).ok()?));
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::{self, secs};

    #[test]
    fn an_address_that_comes_and_one_that_goes_are_seen() {
        let namespace = Namespace::new("monitor");
        let monitor = AddressMonitor::open(&namespace);
        namespace.ip("addr add 192.0.2.1/32 dev lo");
        namespace.ip("addr add 192.0.2.2/32 dev lo");
        wait::until("two addresses", secs(5), || (monitor.count() == 2).then_some(()));
        namespace.ip("addr del 192.0.2.1/32 dev lo");
        wait::until("one address", secs(5), || (monitor.count() == 1).then_some(()));
        assert!(monitor.present().contains_key(&Ipv4Addr::new(192, 0, 2, 2)));
    }
}
