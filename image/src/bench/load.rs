//! The load of [`super::lateness`]: real servers that are all in the director's own namespace, most of which answer and
//! some of which do not, and two configurations of them that a reload changes one into the other.
//!
//! Of eight real servers, six accept a connection, one refuses it, and one is an address that nobody has. Between the
//! two configurations every weight changes, and every fourth service comes or goes. In every fourth service one of the
//! six is asked for a page over TLS.

use std::fmt::Write as _;

use super::pool::{PORT, Servers};
use crate::netns::Namespace;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::secure;

/// Instances: as many as VRIDs.
pub const INSTANCES: u8 = 255;
/// Where a real server speaks TLS; elsewhere it accepts at [`PORT`].
const SECURE: u16 = 8_443;

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

/// The real servers that answer, until they are dropped.
#[derive(Debug)]
pub struct RealServers {
    _plain: Servers,
    _secure: Process,
}

impl RealServers {
    /// Makes `namespace` answer for its real servers. `scratch` is for a key and a certificate.
    pub fn serve(namespace: &Namespace, scratch: &Scratch) -> Self {
        Self { _plain: Servers::serve(namespace), _secure: secure::serve(namespace, SECURE, scratch) }
    }
}
