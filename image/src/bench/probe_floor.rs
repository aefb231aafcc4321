//! What the kernel itself needs for checks: the same connections at the same pace, with the fewest system calls that do
//! not block, without anybody who keeps a schedule, a deadline or a verdict. No program that asks one server at a time
//! can be faster.
//!
//! Over the loopback the kernel does the server's part of a handshake inside the client's calls (softirq), so that most
//! of a check's processor time is spent there, whoever makes it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::floor::processor;
use super::pool::{PORT, Pool, Servers, real_server};
use crate::netns::Namespace;

/// Between two checks: a hundred a second, as [`super::scale`] has them.
const PACE: Duration = Duration::from_millis(10);

/// Checks `count` real servers of `pool` in turn and returns the processor time of it: socket, connect, wait, close, and
/// a sleep until the next. They are closed by FIN, as keepalived does.
pub fn check(pool: Pool, count: u16) -> Duration {
    let namespace = Namespace::new("floor");
    let servers = Servers::serve(&namespace);
    let all: Vec<Ipv4Addr> = (0..pool.services)
        .flat_map(|service| (0..pool.servers).map(move |server| real_server(service, server)))
        .collect();
    let turn = all.iter().copied().cycle().take(usize::from(count));
    let spent = namespace.enter(|| {
        let before = processor();
        for address in turn {
            one(address);
            std::thread::sleep(PACE);
        }
        processor().saturating_sub(before)
    });
    assert_eq!(servers.accepted(), u64::from(count), "every check is a connection");
    servers.stop(&namespace);
    spent
}

fn one(address: Ipv4Addr) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("open a socket");
    let target = SocketAddr::V4(SocketAddrV4::new(address, PORT));
    match connect(&socket, &target) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            let mut ready = [PollFd::new(&socket, PollFlags::OUT)];
            poll(&mut ready, None).expect("wait for a connection");
            assert_eq!(ready[0].revents(), PollFlags::OUT, "{address} accepts");
        }
        Err(error) => panic!("connect to {address}: {error}"),
    }
}
