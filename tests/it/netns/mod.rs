//! Level 2: elections, packets, signals and hostile input in network namespaces.

mod adverts;
mod arp;
mod behaviour;
mod bytes;
mod checks;
mod compare;
mod console;
mod daemon;
mod drift;
mod duplicate;
mod echo;
mod election;
mod firewall;
mod groups;
mod hostile;
mod large;
mod limits;
mod matrix;
mod memory;
mod operate;
mod restart;
mod routes;
mod sealed;
#[cfg(feature = "tls")]
mod secure;
#[cfg(feature = "tls")]
mod secure_memory;
mod servers;
mod silent;
mod soak;
mod tables;
mod takeover;
mod version3;

use std::net::Ipv4Addr;

use lab::capture::Capture;
use lab::netns::{Host, Lan};

/// The directors' addresses, in the order of [`Pair::hosts`].
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// Two hosts and an observer on one LAN.
struct Pair {
    lan: Lan,
    first: Host,
    second: Host,
    observer: Host,
    capture: Capture,
}

impl Pair {
    fn new() -> Self {
        let lan = Lan::new();
        let first = lan.host("a", &["10.9.0.1/24"]);
        let second = lan.host("b", &["10.9.0.2/24"]);
        let observer = lan.host("eye", &["10.9.0.9/24"]);
        let capture = Capture::open(&observer, "eth0");
        Self { lan, first, second, observer, capture }
    }
}
