//! The load of [`super::lateness`]: real servers that are all in the director's own namespace, most of which answer and
//! some of which do not, and two configurations of them that a reload changes one into the other.
//!
//! Of eight real servers, six accept a connection, one refuses it, and one is an address that nobody has. Between the
//! two configurations every weight changes, and every fourth service comes or goes. In every fourth service one of the
//! six is asked for a page over TLS.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::netns::Namespace;
use crate::process::{Process, output_of};
use crate::scratch::Scratch;
use crate::wait::{self, secs};

/// Instances: as many as VRIDs.
pub const INSTANCES: u8 = 255;
/// Where a real server accepts.
const PORT: u16 = 8_080;
/// Where it speaks TLS.
const SECURE: u16 = 8_443;
/// Real servers that answer have addresses of this network, all of which the namespace takes for its own.
const OWN: &str = "10.128.0.0/10";

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Virtual services.
    pub services: usize,
    /// Real servers of each.
    pub servers: usize,
    /// Scheduler of every service.
    pub scheduler: &'static str,
    /// Seconds between two checks of a real server.
    pub delay: usize,
}

/// 255 instances of version 3 that send ten adverts a second each, with an address each.
pub fn instances() -> String {
    let mut text = String::new();
    for vrid in 1..=INSTANCES {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "vrrp_instance VI_{vrid} {{\n state BACKUP\n interface eth0\n version 3\n virtual_router_id {vrid}\n \
             priority 150\n advert_int 0.1\n virtual_ipaddress {{\n  10.64.0.{vrid}/32 dev eth0\n }}\n}}\n"
        );
    }
    text
}

impl Load {
    /// The services of the first (0) or second (1) configuration.
    pub fn text(self, turn: usize) -> String {
        let mut text = String::new();
        let Self { scheduler, delay, .. } = self;
        for service in (0..self.services).filter(|service| service % 4 != 3 || turn == 0) {
            let (high, low) = (service / 256, service % 256);
            let _ = writeln!(
                text,
                "virtual_server 10.{}.{low}.1 80 {{\n delay_loop {delay}\n lb_algo {scheduler}\n lb_kind NAT\n \
                 protocol TCP",
                32 + high
            );
            for server in 0..self.servers {
                let (network, port) = match server % 8 {
                    // Nobody has it: the LAN is asked for its hardware address in vain.
                    6 => (9, u16::try_from(server).unwrap_or_default()),
                    7 => (128 + high, PORT + 1),
                    5 if service % 4 == 0 => (128 + high, SECURE),
                    _ => (128 + high, PORT),
                };
                let (host, middle) = if network == 9 { (10 + service % 240, 0) } else { (server, low) };
                let (check, url) = match port {
                    SECURE => ("SSL_GET", "  url {\n   path /\n   status_code 200\n  }\n"),
                    _ => ("TCP_CHECK", ""),
                };
                let _ = writeln!(
                    text,
                    " real_server 10.{network}.{middle}.{host} {port} {{\n  weight {}\n  {check} {{\n   \
                     connect_timeout 3\n{url}  }}\n }}",
                    1 + turn
                );
            }
            text.push_str("}\n");
        }
        text
    }
}

/// Accepts and closes for the real servers that answer, until it is dropped.
#[derive(Debug)]
pub struct RealServers {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _secure: Process,
}

impl RealServers {
    /// Makes `namespace` answer for its real servers. `scratch` is for a key and a certificate.
    pub fn serve(namespace: &Namespace, scratch: &Scratch) -> Self {
        namespace.ip(&format!("route add local {OWN} dev lo"));
        namespace.sysctl("net.core.somaxconn", "4096");
        let listener = namespace.enter(|| TcpListener::bind(("0.0.0.0", PORT))).expect("listen");
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                drop(listener.accept());
            }
        });
        namespace_knock(namespace);
        Self { ended, thread: Some(thread), _secure: secure(namespace, scratch) }
    }

    /// Ends the thread, which waits for one more connection.
    pub fn stop(mut self, namespace: &Namespace) {
        self.ended.store(true, Ordering::Relaxed);
        namespace_knock(namespace);
        self.thread.take().map(JoinHandle::join);
    }
}

/// OpenSSL's server, one connection after the other, with a key of 2,048 bits of RSA.
fn secure(namespace: &Namespace, scratch: &Scratch) -> Process {
    let (key, certificate) = (scratch.join("key.pem"), scratch.join("certificate.pem"));
    let mut command = namespace.command("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=load", "-keyout"]);
    output_of({
        command.arg(&key).arg("-out").arg(&certificate);
        command
    });
    let mut command = namespace.command("openssl");
    command.args(["s_server", "-accept", &SECURE.to_string(), "-quiet", "-www", "-key"]);
    command.arg(&key).arg("-cert").arg(&certificate);
    let server = Process::spawn(command, "s_server", &scratch.join("s_server.log"));
    wait::until("the server over TLS", secs(10), || {
        namespace.enter(|| std::net::TcpStream::connect(("10.128.0.1", SECURE)).ok()).map(drop)
    });
    server
}

fn namespace_knock(namespace: &Namespace) {
    let connected = namespace.enter(|| std::net::TcpStream::connect(("10.128.0.1", PORT)).map(drop));
    connected.expect("connect to a real server");
}
