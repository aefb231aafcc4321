//! What runs inside a guest: the sites of these tests, and the kernel's table as `ipvsadm` shows it.

mod bare;
mod buffers;
mod checks;
mod daemon;
mod firewall;
mod limits;
mod neighbours;
mod operate;
mod parts;
mod pools;
mod proofs;
mod quorum;
mod tables;
mod traffic;
mod via;
mod views;

use std::time::Duration;

use lab::http;
use lab::netns::{Host, Lan, Namespace};
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};

use crate::rig::{Instance, Service, http_check};

/// The virtual service of a [`Site`].
const VIP: &str = "10.0.1.100";
const SERVICE: &str = "10.0.1.100:80";

/// A client, a director and two real servers.
struct Site {
    /// The clients' first; kept, because their ends are the namespaces' links.
    lans: Vec<Lan>,
    client: Host,
    director: Host,
    web: [Host; 2],
    /// Addresses of the real servers.
    addresses: [&'static str; 2],
    /// The word `ipvsadm` has for the forwarding method, and keepalived's.
    forward: &'static str,
    method: &'static str,
}

impl Site {
    /// Network address translation: the real servers are behind the director.
    fn nat() -> Self {
        let (front, back) = (Lan::new(), Lan::new());
        let client = front.host("client", &["10.0.1.9/24"]);
        let director = front.host("director", &["10.0.1.1/24"]);
        back.attach(&director, "eth1");
        director.ip("addr add 10.0.2.1/24 dev eth1");
        director.sysctl("net.ipv4.ip_forward", "1");
        let web = ["10.0.2.11/24", "10.0.2.12/24"].map(|address| {
            let host = back.host("web", &[address]);
            host.ip("route add default via 10.0.2.1");
            host
        });
        let lans = vec![front, back];
        Self {
            lans,
            client,
            director,
            web,
            addresses: ["10.0.2.11", "10.0.2.12"],
            forward: "Masq",
            method: "NAT",
        }
    }

    /// Direct routing: all on one LAN, the real servers hold the address silently.
    fn direct() -> Self {
        Self::silent(("Route", "DR"), "lo", |_| {})
    }

    /// Tunnels: as with direct routing, but what reaches a real server is in a packet of its own.
    fn tunnel() -> Self {
        Self::silent(("Tunnel", "TUN"), "tunl0", |host| {
            host.ip("link set tunl0 up");
            // What comes out of the tunnel has come from elsewhere than where answers go.
            for scope in ["all", "tunl0"] {
                host.sysctl(&format!("net.ipv4.conf.{scope}.rp_filter"), "0");
            }
        })
    }

    /// All on one LAN; the real servers have the address on `device`, and each is made ready by `prepare` before.
    fn silent((forward, method): (&'static str, &'static str), device: &str, prepare: fn(&Host)) -> Self {
        let lan = Lan::new();
        let client = lan.host("client", &["10.0.1.9/24"]);
        let director = lan.host("director", &["10.0.1.1/24"]);
        let web = ["10.0.1.11/24", "10.0.1.12/24"].map(|address| {
            let host = lan.host("web", &[address]);
            for scope in ["all", "eth0"] {
                // Only the director answers for the address, and nobody asks in its name.
                host.sysctl(&format!("net.ipv4.conf.{scope}.arp_ignore"), "1");
                host.sysctl(&format!("net.ipv4.conf.{scope}.arp_announce"), "2");
            }
            prepare(&host);
            host.ip(&format!("addr add {VIP}/32 dev {device}"));
            host
        });
        Self {
            lans: vec![lan],
            client,
            director,
            web,
            addresses: ["10.0.1.11", "10.0.1.12"],
            forward,
            method,
        }
    }

    /// The LAN of the clients.
    fn lan(&self) -> &Lan {
        &self.lans[0]
    }

    /// The real server `index` in the form of the configuration.
    fn real(&self, index: usize) -> String {
        format!("{} 80", self.addresses[index])
    }

    /// The service with both real servers, round robin, checked by HTTP every second.
    fn service(&self) -> Service {
        let (first, second) = (self.real(0), self.real(1));
        let service = Service::new("10.0.1.100 80", "rr", self.method, &[&first, &second]);
        service.line("delay_loop 1").check(&http_check())
    }

    /// The virtual router and the service.
    fn text(&self, service: &Service) -> String {
        format!("{}{service}", Instance::new(150, &["10.0.1.100/24"]))
    }

    /// The web server `index`, well behaved, named `web0` or `web1`. In direct routing it answers for the virtual
    /// address too.
    fn serve(&self, index: usize) -> WebServer {
        self.serve_as(index, Behaviour::Normal)
    }

    fn serve_as(&self, index: usize, behaviour: Behaviour) -> WebServer {
        WebServer::start(&self.web[index], "0.0.0.0:80", behaviour, &format!("web{index}"))
    }

    /// One request through the virtual service: who answered.
    fn ask(&self) -> String {
        match http::get(&self.client, SERVICE, "/", secs(10)) {
            Ok(answer) => answer.body.trim().to_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    /// How many of `count` requests were answered by `web0`, by `web1`, and otherwise.
    fn ask_times(&self, count: u32) -> [u32; 3] {
        let mut answers = [0; 3];
        for _ in 0..count {
            match self.ask().as_str() {
                "web0" => answers[0] += 1,
                "web1" => answers[1] += 1,
                _ => answers[2] += 1,
            }
        }
        answers
    }

    /// Waits until the real server `index` is in the kernel's table with `weight`, or for `None` is not.
    #[track_caller]
    fn wait_weight(&self, index: usize, weight: Option<u32>, within: Duration) {
        let key = format!("{}:80", self.addresses[index]);
        let what = format!("{key} with weight {weight:?}");
        wait::until(&what, within, || (self::weight(&self.director, &key) == weight).then_some(()));
    }

    /// Waits until the address is up and both real servers are in the table.
    #[track_caller]
    fn wait_ready(&self) {
        self.wait_weight(0, Some(1), secs(15));
        self.wait_weight(1, Some(2), secs(5));
        wait::until("the virtual address", secs(15), || self.director.has_address("eth0", VIP).then_some(()));
        assert!(table(&self.director).contains(self.forward));
    }
}

/// `ipvsadm -Ln`.
fn table(namespace: &Namespace) -> String {
    namespace.run("ipvsadm -Ln")
}

/// `ipvsadm -Sn`, sorted.
fn saved(namespace: &Namespace) -> Vec<String> {
    let mut lines: Vec<String> = namespace.run("ipvsadm -Sn").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The weight of a real server (`ADDRESS:PORT`) in the kernel's table.
fn weight(namespace: &Namespace, key: &str) -> Option<u32> {
    let table = table(namespace);
    let row =
        table.lines().find(|line| line.split_whitespace().nth(1) == Some(key) && line.starts_with("  ->"))?;
    row.split_whitespace().nth(3)?.parse().ok()
}

/// Connections that the kernel has counted for a real server.
fn connections(namespace: &Namespace, key: &str) -> u64 {
    let stats = namespace.run("ipvsadm -Ln --stats --exact");
    let row =
        stats.lines().find(|line| line.split_whitespace().nth(1) == Some(key) && line.starts_with("  ->"));
    row.and_then(|row| row.split_whitespace().nth(2)?.parse().ok()).unwrap_or_default()
}
