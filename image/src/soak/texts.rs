//! The configurations of the soak: the first one, two that differ from it in everything, and some that are refused.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Services.
pub const SERVICES: u8 = 20;
/// Real servers of each.
pub const SERVERS: u8 = 12;
/// Ports of the web servers whose behaviour changes.
pub const WEB: std::ops::Range<u16> = 8_001..8_009;
/// Where `hostile.py` listens, from this port on, one behaviour a port.
pub const HOSTILE: Ipv4Addr = Ipv4Addr::new(10, 129, 0, 1);
/// Its ports.
pub const HOSTILE_PORTS: std::ops::Range<u16> = 8_001..8_026;
/// Where the server over TLS listens.
pub const SECURE: u16 = 8_443;

/// The most seconds between two checks of a real server.
pub const LONGEST_DELAY: u64 = 15;

/// What a real server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp(u16),
    Http(u16),
    Secure,
    Ping(u16),
    /// Nobody listens.
    Refused,
    /// It speaks another protocol than the check.
    Mail(u16),
}

fn kind(service: u8, server: u8) -> Kind {
    let web = WEB.start + u16::from(service.wrapping_mul(7).wrapping_add(server)) % 8;
    match server {
        0..=3 => Kind::Http(web),
        4..=7 => Kind::Tcp(web),
        8 if service.is_multiple_of(4) => Kind::Secure,
        8 | 9 => Kind::Ping(web),
        10 => Kind::Refused,
        _ => Kind::Mail(web),
    }
}

/// The address of a real server.
pub fn address(service: u8, server: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 128, service, server + 1)
}

fn port(kind: Kind) -> u16 {
    match kind {
        Kind::Tcp(port) | Kind::Http(port) | Kind::Mail(port) | Kind::Ping(port) => port,
        Kind::Secure => SECURE,
        Kind::Refused => 8_999,
    }
}

/// The virtual address of a service.
pub fn vip(service: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, 100 + service)
}

/// The real servers that are in the kernel's table when all servers are well, `SERVICE SERVER` each; those of
/// `hostile.py` are not counted.
pub fn expected() -> Vec<String> {
    let mut rows = Vec::new();
    for service in 0..SERVICES {
        for server in 0..SERVERS {
            let kind = kind(service, server);
            if !matches!(kind, Kind::Refused | Kind::Mail(_)) {
                rows.push(format!("{} {}:{}", vip(service), address(service, server), port(kind)));
            }
        }
    }
    rows.sort();
    rows
}

/// A configuration; 0 is the one at rest.
pub fn text(turn: u8) -> String {
    let mut text = String::from(
        "static_routes {\n 10.77.0.0/16 via 10.0.1.9 dev eth0\n 10.128.0.0/15 via 10.0.2.11 dev eth1\n}\n",
    );
    let _ = writeln!(
        text,
        "firewall {{\n mark {} to 10.0.1.250 tcp 80\n masquerade from 10.128.0.0/16 out eth0\n}}",
        7 + turn
    );
    let _ = writeln!(
        text,
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 100\n advert_int 1\n \
         virtual_ipaddress {{"
    );
    for service in 0..SERVICES {
        let _ = writeln!(text, "  {}/24", vip(service));
    }
    text.push_str(" }\n virtual_rules {\n  from 10.66.0.0/24 table 6 preference 200\n }\n}\n");
    if turn != 1 {
        let _ = writeln!(
            text,
            "vrrp_instance VI_2 {{\n state BACKUP\n interface eth1\n virtual_router_id 52\n version 3\n priority 100\n \
             advert_int 0.2\n no_accept\n virtual_ipaddress {{\n  10.0.2.100/24\n }}\n}}"
        );
    }
    for service in 0..SERVICES {
        if turn == 0 || service % 3 != turn % 3 {
            virtual_server(turn, service, &mut text);
        }
    }
    hostile(turn, &mut text);
    text
}

fn virtual_server(turn: u8, service: u8, text: &mut String) {
    let scheduler = ["wlc", "rr", "wrr"][usize::from((turn + service) % 3)];
    let _ = writeln!(
        text,
        "virtual_server {} 80 {{\n delay_loop {}\n lb_algo {scheduler}\n lb_kind NAT\n protocol TCP\n drain_time 3",
        vip(service),
        3 + service % 4
    );
    for server in 0..SERVERS {
        if turn != 0 && (server + service + turn).is_multiple_of(5) {
            continue;
        }
        let (kind, weight) = (kind(service, server), 1 + (turn * 3 + server) % 7);
        let _ =
            writeln!(text, " real_server {} {} {{\n  weight {weight}", address(service, server), port(kind));
        text.push_str(match kind {
            Kind::Tcp(_) | Kind::Refused => "  TCP_CHECK {\n   connect_timeout 2\n  }\n }\n",
            Kind::Http(_) => {
                "  HTTP_GET {\n   url {\n    path /check\n    status_code 200\n   }\n   connect_timeout 2\n   retry 1\n   \
                 delay_before_retry 1\n  }\n }\n"
            }
            Kind::Secure => {
                "  SSL_GET {\n   url {\n    path /\n    status_code 200\n   }\n   connect_timeout 4\n   retry 2\n   \
                 delay_before_retry 2\n  }\n }\n"
            }
            Kind::Ping(_) => "  PING_CHECK {\n   connect_timeout 2\n  }\n }\n",
            Kind::Mail(_) => "  SMTP_CHECK {\n   connect_timeout 2\n   retry 1\n  }\n }\n",
        });
    }
    text.push_str("}\n");
}

/// Servers that break the protocol in all ways.
fn hostile(turn: u8, text: &mut String) {
    let _ = writeln!(
        text,
        "virtual_server 10.0.1.250 81 {{\n delay_loop {LONGEST_DELAY}\n lb_kind NAT\n protocol TCP"
    );
    for port in HOSTILE_PORTS.skip(usize::from(turn) * 3) {
        let _ = writeln!(
            text,
            " real_server {HOSTILE} {port} {{\n  HTTP_GET {{\n   url {{\n    path /\n    status_code 200\n   }}\n   \
             connect_timeout 2\n   retry 0\n  }}\n }}"
        );
    }
    text.push_str("}\n");
}

/// One that is refused.
pub fn refused(turn: u64) -> String {
    let text = text(0);
    match turn % 4 {
        0 => text.replace("virtual_router_id 51", "virtual_router_id 999"),
        1 => text.get(..text.len() / 2).unwrap_or_default().to_owned() + "\"",
        2 => format!("include *.conf\n{text}nonsense {{\n"),
        _ => "\0\u{fffd}{{{{ } \"".repeat(300),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_have_no_errors_and_the_refused_ones_have() {
        let errors = |text: &str| {
            use lvsbox::syntax::Severity;
            let loaded = lvsbox::config::load(text, "soak.conf");
            let count = loaded.diagnostics.count(Severity::Error) + loaded.diagnostics.count(Severity::Fatal);
            (count, loaded.diagnostics.to_string())
        };
        for turn in 0..3 {
            let (count, text) = errors(&text(turn));
            assert_eq!(count, 0, "{turn}: {text}");
        }
        for turn in 0..4 {
            assert!(errors(&refused(turn)).0 > 0, "{turn}");
        }
        assert!(expected().len() > 180);
    }
}
