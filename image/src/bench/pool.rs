//! The load of [`super::scale`]: services by NAT whose real servers are all in the director's own namespace and all
//! accept connections, so that a check is what it costs and nothing else; and a count of those connections, which is
//! the same for every program.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::netns::Namespace;

/// Where a real server accepts.
pub const PORT: u16 = 8_080;

/// How many services and real servers, and how they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Virtual services, at most 4,096.
    pub services: u16,
    /// Real servers of each, at most 256.
    pub servers: u16,
    /// Seconds between two checks of a real server; `None`: no checks.
    pub delay: Option<u32>,
}

/// Which weights a configuration has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// All this one.
    All(u8),
    /// All the first, but that of the last real server.
    But(u8, u8),
}

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
                let delay = self.delay.unwrap_or(60);
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
            text.push_str(if self.delay.is_some() {
                "  TCP_CHECK {\n   connect_timeout 5\n  }\n"
            } else {
                ""
            });
            text.push_str(if server + 1 == self.servers { " }\n}\n" } else { " }\n" });
        }
        text
    }

    /// The weights in the kernel's table, in its order.
    pub fn installed(namespace: &Namespace) -> Vec<u32> {
        let table =
            namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs")).unwrap_or_default();
        let rows = table.lines().filter(|line| line.starts_with("  -> ") && !line.contains("RemoteAddress"));
        // `  -> 0A800001:1F90      Masq    1      0          0`
        rows.filter_map(|line| line.split_whitespace().nth(3)?.parse().ok()).collect()
    }

    /// True if all real servers are in the table with the weights.
    pub fn is_installed(self, namespace: &Namespace, weights: Weights) -> bool {
        let found = Self::installed(namespace);
        let (all, last) = match weights {
            Weights::All(weight) => (u32::from(weight), u32::from(weight)),
            Weights::But(weight, last) => (u32::from(weight), u32::from(last)),
        };
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
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                drop(listener.accept());
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { ended, accepted, thread: Some(thread) }
    }

    /// Connections so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Ends the thread, which waits for one more connection.
    pub fn stop(mut self, namespace: &Namespace) {
        self.ended.store(true, Ordering::Relaxed);
        namespace
            .enter(|| TcpStream::connect(("10.128.0.1", PORT)).map(drop))
            .expect("connect to a real server");
        self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_real_server_once_and_the_weights_asked_for() {
        let pool = Pool { services: 300, servers: 3, delay: Some(2) };
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
        assert!(!Pool { delay: None, ..pool }.text(Weights::All(1)).contains("TCP_CHECK"));
    }
}
