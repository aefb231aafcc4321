//! What the kernel itself needs for checks: the same connections at the same pace, with the fewest system calls that do
//! not block, without anybody who keeps a schedule, a deadline or a verdict.
//!
//! Over the loopback the kernel does the server's part of a handshake inside the client's calls (softirq), and half of
//! the time of a check that is alone goes into waking up for it: how many share a wake-up decides, so it is an
//! argument.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::floor::processor;
use super::pool::{PORT, Pool, Servers, real_server};
use crate::netns::Namespace;
use crate::wait::{self, secs};

/// Between two checks: two hundred a second, as [`super::scale`] has them.
const PACE: Duration = Duration::from_millis(5);

/// Checks `count` real servers of `pool` in turn, `together` of them at each wake-up, and returns the processor time of
/// it: socket, connect, one wait for all, close, and a sleep until the next. They are closed by FIN, as keepalived
/// does.
pub fn check(pool: Pool, count: usize, together: usize) -> Duration {
    let namespace = Namespace::new("floor");
    let servers = Servers::serve(&namespace);
    let all: Vec<Ipv4Addr> = (0..pool.services)
        .flat_map(|service| (0..pool.servers).map(move |server| real_server(service, server)))
        .cycle()
        .take(count)
        .collect();
    let pause = PACE * u32::try_from(together).expect("a few");
    let spent = namespace.enter(|| {
        let before = processor();
        for some in all.chunks(together) {
            connect_to(some);
            std::thread::sleep(pause);
        }
        processor().saturating_sub(before)
    });
    let made = wait::maybe(secs(10), || (servers.accepted() == count as u64).then_some(()));
    assert!(made.is_some(), "{} of {count} connections", servers.accepted());
    spent
}

fn connect_to(addresses: &[Ipv4Addr]) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let begin = |address: &Ipv4Addr| {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("open a socket");
        match connect(&socket, &SocketAddr::V4(SocketAddrV4::new(*address, PORT))) {
            Ok(()) | Err(Errno::INPROGRESS) => socket,
            Err(error) => panic!("connect to {address}: {error}"),
        }
    };
    let sockets: Vec<OwnedFd> = addresses.iter().map(begin).collect();
    let mut ready: Vec<_> = sockets.iter().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
    while poll(&mut ready, None).expect("wait for connections") < ready.len() {}
    assert!(ready.iter().all(|one| one.revents() == PollFlags::OUT), "all accept");
}
