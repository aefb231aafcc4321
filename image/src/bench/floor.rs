//! What the kernel itself needs to change the weight of every real server: the same table and the same requests, 64 to
//! a system call, without anybody who reads a configuration or decides anything. No program can be faster.

use std::net::IpAddr;
use std::time::Duration;

use lvsbox::kernel::netlink::{Incoming, NetlinkSocket, Protocol as Netlink};
use lvsbox::wire::genetlink;
use lvsbox::wire::genl_ipvs::{
    DestinationKey, DestinationSpec, FAMILY_NAME, Family, ForwardingMethod, Protocol, Request, Scheduler,
    ServiceKey, ServiceSpec, parse_destination,
};
use lvsbox::wire::netlink::{Content, Writer, messages};
use rustix::time::{ClockId, clock_gettime};

use super::pool::{PORT, Pool, real_server, virtual_server};
use crate::netns::Namespace;

/// Requests in one system call, as many as lvsbox has outstanding at most.
const BATCH: usize = 64;

/// Installs the table of `pool` in a namespace of its own, changes every weight three times, and returns the processor
/// time of the calls that change them once: the least of the three.
pub fn change_all_weights(pool: Pool) -> Duration {
    let namespace = Namespace::new("floor");
    namespace.enter(|| {
        let table = Table::open();
        let services = (0..pool.services).map(|service| Request::NewService(key(service), spec()));
        table.ask(services);
        table.ask(
            destinations(pool).map(|(service, server)| Request::NewDestination(service, server, weight(1))),
        );
        let change = |to| {
            destinations(pool)
                .map(move |(service, server)| Request::SetDestination(service, server, weight(to)))
        };
        (2..5).map(|to| table.ask(change(to))).min().unwrap_or_default()
    })
}

fn destinations(pool: Pool) -> impl Iterator<Item = (ServiceKey, DestinationKey)> {
    (0..pool.services).flat_map(move |service| {
        (0..pool.servers).map(move |server| {
            let address = IpAddr::V4(real_server(service, server));
            (key(service), DestinationKey { address, port: PORT })
        })
    })
}

fn key(service: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: IpAddr::V4(virtual_server(service)), port: 80 }
}

fn spec() -> ServiceSpec {
    let scheduler = Scheduler::new("wlc").expect("a name");
    ServiceSpec { scheduler, flags: 0, timeout: 0, netmask: 32, engine: None }
}

fn weight(weight: u32) -> DestinationSpec {
    DestinationSpec { method: ForwardingMethod::Masquerade, weight, upper: 0, lower: 0 }
}

/// The kernel's table and how to speak to it.
#[derive(Debug)]
pub(super) struct Table {
    socket: NetlinkSocket,
    family: u16,
}

impl Table {
    /// That of the calling thread's namespace.
    pub(super) fn open() -> Self {
        let socket = NetlinkSocket::open(Netlink::Generic, 0).expect("open a netlink socket");
        let mut bytes = [0; 256];
        let mut writer = Writer::new(&mut bytes);
        genetlink::emit_find_family(FAMILY_NAME, &mut writer, 1).expect("room for a short message");
        socket.send(writer.as_bytes()).expect("ask for the family of IPVS");
        let mut reply = [0; 8_192];
        let Ok(Incoming::Datagram(length)) = socket.receive(&mut reply) else {
            panic!("no answer about IPVS")
        };
        let family = messages(&reply[..length]).flatten().find_map(|message| match message.content {
            Content::Data(payload) => genetlink::parse_family(payload).ok(),
            Content::Noop | Content::Acknowledgement { .. } | Content::Done { .. } | Content::Overrun => None,
        });
        let table = Self { socket, family: family.expect("a kernel with IPVS") };
        table.drain();
        table
    }

    /// The weights of the real servers of a service, in the kernel's order: a look that costs the same however large
    /// the table is.
    pub(super) fn weights(&self, service: u16) -> Vec<u32> {
        let mut bytes = [0; 256];
        let mut writer = Writer::new(&mut bytes);
        Request::DumpDestinations(key(service))
            .emit(&mut writer, self.family, 3)
            .expect("room for a request");
        self.socket.send(writer.as_bytes()).expect("ask for the real servers of a service");
        let (mut weights, mut reply) = (Vec::new(), vec![0; 64 << 10]);
        while let Ok(Incoming::Datagram(length)) = self.socket.receive(&mut reply) {
            for message in messages(&reply[..length]).flatten() {
                match message.content {
                    Content::Data(payload) => weights
                        .extend(parse_destination(payload, Family::Inet).map(|entry| entry.spec.weight)),
                    Content::Done { .. } => return weights,
                    Content::Noop | Content::Acknowledgement { .. } | Content::Overrun => {}
                }
            }
        }
        weights
    }

    /// Makes all requests, and returns the processor time of the calls that carry them.
    fn ask(&self, requests: impl Iterator<Item = Request>) -> Duration {
        let mut bytes = vec![0; 64 << 10];
        let mut spent = Duration::ZERO;
        let mut requests = requests.peekable();
        while requests.peek().is_some() {
            let mut writer = Writer::new(&mut bytes);
            for request in requests.by_ref().take(BATCH) {
                request.emit(&mut writer, self.family, 2).expect("room for a batch");
            }
            let before = processor();
            self.socket.send(writer.as_bytes()).expect("send the requests");
            spent += processor().saturating_sub(before);
            self.drain();
        }
        spent
    }

    /// Reads the answers that are there.
    fn drain(&self) {
        let mut reply = [0; 8_192];
        while let Ok(Incoming::Datagram(length)) = self.socket.receive(&mut reply) {
            for message in messages(&reply[..length]) {
                let content = message.expect("a whole message").content;
                assert_eq!(content, Content::Acknowledgement { errno: 0 }, "a request of the bench");
            }
        }
    }
}

/// Processor time of this thread.
pub(super) fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}
