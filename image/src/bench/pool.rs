//! The load of [`super::scale`]: services by NAT whose real servers are all in the director's own namespace and all
//! accept connections, so that a check is what it costs and nothing else; and a count of those connections, which is
//! the same for every program.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rustix::net::{Shutdown, shutdown};

use crate::netns::Namespace;

/// Where a real server accepts.
pub const PORT: u16 = 8_080;

/// Where the last real server of [`Checks::Last`] is checked.
pub const LAST_PORT: u16 = 8_081;

/// How many services and real servers, and how they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Virtual services, at most 4,096.
    pub services: u16,
    /// Real servers of each, at most 256.
    pub servers: u16,
    /// Which are checked.
    pub checks: Checks,
}

/// Which real servers are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// None.
    None,
    /// All, every so many seconds.
    All(u32),
    /// The last, every second, at [`LAST_PORT`]; it is out when a second attempt a second later has failed as well.
    Last,
}

/// Which weights a configuration has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// All this one.
    All(u8),
    /// All the first, but that of the last real server.
    But(u8, u8),
}

impl Weights {
    /// That of all others, and that of the last real server.
    fn numbers(self) -> (u32, u32) {
        match self {
            Self::All(weight) => (weight.into(), weight.into()),
            Self::But(weight, last) => (weight.into(), last.into()),
        }
    }
}

/// The check of [`Checks::Last`]; the port is [`LAST_PORT`].
const LAST_CHECK: &str = "  TCP_CHECK {\n   connect_port 8081\n   connect_timeout 5\n   retry 1\n   \
                          delay_before_retry 1\n  }\n";

impl Pool {
    /// Real servers of all services.
    pub fn len(self) -> usize {
        usize::from(self.services) * usize::from(self.servers)
    }

    /// True without any.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The configuration, without instances.
    pub fn text(self, weights: Weights) -> String {
        let mut text = String::new();
        let all =
            (0..self.services).flat_map(|service| (0..self.servers).map(move |server| (service, server)));
        for (number, (service, server)) in all.enumerate() {
            if server == 0 {
                let delay = match self.checks {
                    Checks::All(delay) => delay,
                    Checks::None | Checks::Last => 1,
                };
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "virtual_server {} 80 {{\n delay_loop {delay}\n lb_algo wlc\n lb_kind NAT\n protocol TCP",
                    virtual_server(service)
                );
            }
            let weight = match weights {
                Weights::All(weight) => weight,
                Weights::But(_, last) if number + 1 == self.len() => last,
                Weights::But(weight, _) => weight,
            };
            let _ =
                write!(text, " real_server {} {PORT} {{\n  weight {weight}\n", real_server(service, server));
            text.push_str(match self.checks {
                Checks::All(_) => "  TCP_CHECK {\n   connect_timeout 5\n  }\n",
                Checks::Last if number + 1 == self.len() => LAST_CHECK,
                Checks::None | Checks::Last => "",
            });
            text.push_str(if server + 1 == self.servers { " }\n}\n" } else { " }\n" });
        }
        text
    }

    /// The address of the last real server.
    pub fn last(self) -> Ipv4Addr {
        real_server(self.services - 1, self.servers - 1)
    }

    /// The weights in the kernel's table, in its order.
    pub fn installed(namespace: &Namespace) -> Vec<u32> {
        let table =
            namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs")).unwrap_or_default();
        let rows = table.lines().filter(|line| line.starts_with("  -> ") && !line.contains("RemoteAddress"));
        // `  -> 0A800001:1F90      Masq    1      0          0`
        rows.filter_map(|line| line.split_whitespace().nth(3)?.parse().ok()).collect()
    }

    /// True if `found`, the weights of the real servers of `service`, are as wished.
    pub fn is_service_installed(self, service: u16, found: &[u32], weights: Weights) -> bool {
        let (all, last) = weights.numbers();
        let last = if service + 1 == self.services { last } else { all };
        let others = found.iter().filter(|weight| **weight == all).count();
        let servers = usize::from(self.servers);
        found.len() == servers && others >= servers - usize::from(all != last) && found.contains(&last)
    }

    /// True if all real servers are in the table with the weights.
    pub fn is_installed(self, namespace: &Namespace, weights: Weights) -> bool {
        let found = Self::installed(namespace);
        let (all, last) = weights.numbers();
        let others = found.iter().filter(|weight| **weight == all).count();
        found.len() == self.len() && others >= self.len() - usize::from(all != last) && found.contains(&last)
    }
}

/// The address of a service.
pub fn virtual_server(service: u16) -> Ipv4Addr {
    address(32, service, 1)
}

/// The address of one of its real servers.
pub fn real_server(service: u16, server: u16) -> Ipv4Addr {
    address(128, service, server)
}

fn address(network: u8, service: u16, server: u16) -> Ipv4Addr {
    let [high, low] = service.to_be_bytes();
    let [_, host] = server.to_be_bytes();
    Ipv4Addr::new(10, network + high, low, host)
}

/// Accepts and closes for all real servers until it is dropped, and counts.
#[derive(Debug)]
pub struct Servers {
    listener: TcpListener,
    ended: Arc<AtomicBool>,
    accepted: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Servers {
    /// Makes `namespace` answer for its real servers.
    pub fn serve(namespace: &Namespace) -> Self {
        namespace.ip("route add local 10.128.0.0/9 dev lo");
        namespace.sysctl("net.core.somaxconn", "4096");
        let listener = namespace.enter(|| TcpListener::bind(("0.0.0.0", PORT))).expect("listen");
        let (ended, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, count) = (Arc::clone(&ended), Arc::clone(&accepted));
        let socket = listener.try_clone().expect("share the listener");
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let made = socket.accept().is_ok();
                count.fetch_add(u64::from(made), Ordering::Relaxed);
            }
        });
        Self { listener, ended, accepted, thread: Some(thread) }
    }

    /// Connections so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Whoever waits for a connection is told that none will come.
        shutdown(&self.listener, Shutdown::Both).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::wait::{self, secs};

    #[test]
    fn only_the_last_real_server_has_the_other_weight() {
        let pool = Pool { services: 2, servers: 2, checks: Checks::None };
        let is_installed =
            |service, found: &[u32]| pool.is_service_installed(service, found, Weights::But(5, 7));
        assert!(is_installed(1, &[5, 7]) && is_installed(1, &[7, 5]) && is_installed(0, &[5, 5]));
        assert!(!is_installed(1, &[5, 5]) && !is_installed(0, &[5, 7]) && !is_installed(0, &[5]));
        assert!(!is_installed(1, &[7, 7]));
    }

    /// Needs root, as every namespace.
    #[test]
    fn real_servers_that_are_dropped_accept_no_more() {
        let namespace = Namespace::new("servers");
        let servers = Servers::serve(&namespace);
        let connect = || namespace.enter(|| TcpStream::connect((real_server(0, 1), PORT)).is_ok());
        assert!(connect() && connect());
        wait::until("both connections", secs(10), || (servers.accepted() == 2).then_some(()));
        drop(servers);
        assert!(!connect());
    }

    #[test]
    fn the_text_has_every_real_server_once_and_the_weights_asked_for() {
        let pool = Pool { services: 300, servers: 3, checks: Checks::All(2) };
        let text = pool.text(Weights::But(5, 7));
        assert_eq!(
            (text.matches("virtual_server 10.").count(), text.matches("TCP_CHECK").count()),
            (300, 900)
        );
        assert_eq!((text.matches("weight 5").count(), text.matches("weight 7").count()), (899, 1));
        assert!(
            text.contains("virtual_server 10.33.43.1 80") && text.contains("real_server 10.129.43.2 8080")
        );
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        assert!(!Pool { checks: Checks::None, ..pool }.text(Weights::All(1)).contains("TCP_CHECK"));
        let last = Pool { checks: Checks::Last, ..pool }.text(Weights::All(1));
        assert_eq!(last.matches("TCP_CHECK").count(), 1);
        assert!(
            last.split("TCP_CHECK")
                .next()
                .unwrap()
                .lines()
                .rev()
                .nth(2)
                .unwrap()
                .contains(&pool.last().to_string())
        );
        assert!(last.contains(&format!("connect_port {LAST_PORT}\n")));
    }
}
