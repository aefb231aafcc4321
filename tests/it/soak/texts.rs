//! The configurations that the soak alternates between: what one has, another has not, or has it otherwise.

use std::fmt::Write as _;

/// How many there are that can be loaded; the first is the one before and after everything.
pub(crate) const COUNT: usize = 12;

/// The `turn`th configuration. Writing to a string cannot fail.
pub(crate) fn text(turn: usize) -> String {
    text_with(turn, 100)
}

/// The same with another priority of VI_1: that of a peer.
pub(crate) fn text_with(turn: usize, priority: u8) -> String {
    let mut text = String::from("$NET=203.0.113\n");
    machine(turn, &mut text);
    if turn != 7 {
        instance(turn, priority, &mut text);
    }
    if turn.is_multiple_of(2) {
        second(turn, &mut text);
    }
    services(turn, &mut text);
    text
}

/// What belongs to no instance.
fn machine(turn: usize, text: &mut String) {
    if turn % 5 != 4 && turn != 7 {
        let _ = writeln!(text, "global_defs {{\n lvs_sync_daemon eth0 VI_1 id {}\n}}", 51 + turn % 2);
    }
    // The interface of the first link is that of all adverts.
    let _ = writeln!(text, "static_routes {{\n 10.77.0.0/16 via 192.0.2.{} dev eth0\n}}", 1 + turn % 3);
    if turn % 3 != 1 {
        let _ = writeln!(text, "static_rules {{\n from 10.77.{turn}.0/24 table 5 preference 100\n}}");
    }
    let _ = writeln!(text, "vrrp_track_file load {{\n file /dev/null\n}}");
    let _ = writeln!(text, "ping_group uplink {{ 192.0.2.1 192.0.2.{} interval 1 dead 5 }}", 2 + turn % 4);
    if turn % 4 < 2 {
        let _ = writeln!(
            text,
            "firewall {{\n mark 7 to 203.0.113.200 tcp 443\n masquerade from 10.0.{turn}.0/24 out eth0\n}}"
        );
    }
}

fn instance(turn: usize, priority: u8, text: &mut String) {
    let _ = writeln!(
        text,
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n \
         priority {priority}\n advert_int 0.1\n garp_master_delay 1\n track_file {{\n  load weight 1\n }}\n \
         virtual_ipaddress {{"
    );
    for address in 0..3 + turn % 4 * 3 {
        let _ = writeln!(text, "  198.51.100.{}/32 dev eth0", address + 1);
    }
    text.push_str(" }\n");
    if turn % 3 != 2 {
        let _ = writeln!(text, " virtual_routes {{\n  10.66.{turn}.0/24 via 192.0.2.9 dev eth0\n }}");
        let _ = writeln!(text, " virtual_rules {{\n  from 10.66.{turn}.0/24 table 6 preference 200\n }}");
    }
    text.push_str("}\n");
}

/// An instance that is there in every other configuration, in a group of its own.
fn second(turn: usize, text: &mut String) {
    let _ = writeln!(text, "vrrp_sync_group G {{\n group {{\n  VI_2\n }}\n}}");
    let _ = writeln!(
        text,
        "vrrp_instance VI_2 {{\n state BACKUP\n interface eth1\n virtual_router_id 52\n priority 150\n \
         advert_int 1\n no_accept\n track_interface {{\n  eth0{}\n }}\n virtual_ipaddress {{\n  \
         198.51.101.{}/24\n }}\n}}",
        if turn.is_multiple_of(4) { "" } else { " weight -10" },
        turn + 1
    );
}

fn services(turn: usize, text: &mut String) {
    let _ = writeln!(text, "virtual_server_group web {{\n 203.0.113.240-242 80\n fwmark 9\n}}");
    for service in (0..14).filter(|service| service % 7 != 6 || turn % 2 == 1) {
        let key = match service {
            3 => "fwmark 7".to_owned(),
            4 => "group web".to_owned(),
            _ => format!("${{NET}}.{} 80", service + 1),
        };
        let scheduler = ["wlc", "rr", "sh"][(turn / 2 + service) % 3];
        let _ = writeln!(
            text,
            "virtual_server {key} {{\n delay_loop 1\n lb_algo {scheduler}\n lb_kind NAT\n protocol TCP\n \
             quorum {}\n alpha\n omega\n slow_start 3\n drain_time 5",
            1 + service % 3
        );
        if service % 2 == turn % 2 {
            text.push_str(" sorry_server 10.9.9.9 80\n");
        }
        for server in 0..6 + (service + turn) % 3 {
            real_server(turn, service, server, text);
        }
        text.push_str("}\n");
    }
}

fn real_server(turn: usize, service: usize, server: usize, text: &mut String) {
    let weight = 1 + (turn + server) % 5;
    let _ = writeln!(text, " real_server 10.0.{service}.{} 80 {{\n  weight {weight}", server + 1);
    if server % 4 == 1 {
        text.push_str("  inhibit_on_failure\n");
    }
    let http =
        "url {\n    path /\n    status_code 200\n   }\n   url {\n    path /a\n    regex \"we+l\"\n   }\n";
    let retry = (turn + server) % 3;
    let check = match (server + turn / 6) % 6 {
        0 | 1 => "TCP_CHECK {\n   connect_timeout 2\n".to_owned(),
        2 => format!("HTTP_GET {{\n   {http}   nb_get_retry {retry}\n   delay_before_retry 1\n"),
        #[cfg(feature = "tls")]
        3 => "SSL_GET {\n   url {\n    path /\n    status_code 200\n   }\n".to_owned(),
        #[cfg(not(feature = "tls"))]
        3 => "PING_CHECK {\n".to_owned(),
        4 => format!("SMTP_CHECK {{\n   retry {retry}\n"),
        _ => "DNS_CHECK {\n   name example.org\n   type A\n".to_owned(),
    };
    let _ = writeln!(text, "  {check}  }}\n }}");
}

/// One that is refused: an error, one that cannot be understood, and one that includes itself.
pub(crate) fn refused(turn: usize) -> String {
    let text = text(turn % COUNT);
    match turn % 3 {
        0 => {
            text.replace("virtual_router_id 51", "virtual_router_id 999").replace("virtual_router_id 52", "")
        }
        1 => format!("{text}virtual_server 192.0.2.1 80 {{\n lb_algo \"wl"),
        _ => format!("{text}MISC\nvrrp_instance VI_9 {{\n priority 7\n}}\ninclude soak.conf\n"),
    }
}
