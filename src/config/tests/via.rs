//! `via_vip`: which checks it is for, what it makes, and what is said of the others.

use super::*;
use crate::config::ids::ServiceId;
use crate::config::via::is_reserved;
use crate::wire::genl_ipvs::{DestinationSpec, ServiceKey};

const TCP: &str = "TCP_CHECK {\n}";

/// A DR service of this address with these servers, all checked through the address.
fn direct(vip: &str, servers: &[&str]) -> String {
    let server = |at: &&str| format!("real_server {at} {{\n{TCP}\n}}\n");
    let servers: String = servers.iter().map(server).collect();
    format!("virtual_server {vip} {{\nprotocol TCP\nlb_kind DR\nvia_vip\n{servers}}}\n")
}

/// What each probe connects to, its mark, and the address of the server that the mark leads to.
fn ways(config: &Config) -> Vec<(String, u32, String)> {
    let way = |probe: &crate::config::model::Probe| {
        let bind = probe.bind.as_ref().unwrap();
        let service = &config.services[bind.via.unwrap().service.index()];
        let ServiceKey::Mark { mark, .. } = service.key else { panic!("{}", service.key) };
        assert_eq!((mark.get(), service.destinations.len()), (bind.mark, 1));
        let server = &config.destinations[service.destinations.rows().start];
        assert_eq!((server.key.port, server.weight), (0, 1));
        (probe.target().to_string(), bind.mark, server.key.address.to_string())
    };
    config.probes.iter().map(way).collect()
}

/// The single message about the text, and the target of its single probe.
fn refused(text: &str) -> (String, String) {
    let (config, messages) = loaded(text);
    assert_eq!((messages.len(), config.probes.len(), config.hidden), (1, 1, 0), "{messages:?}");
    (messages[0].clone(), config.probes[0].target().to_string())
}

#[test]
fn each_real_server_has_a_hidden_service_of_its_own_whatever_addresses_it_serves() {
    let servers = ["192.0.2.8 80", "192.0.2.9 80"];
    let config = clean(&(direct("192.0.2.100 80", &servers) + &direct("192.0.2.101 81", &["192.0.2.8 81"])));
    let ways = ways(&config);
    let (first, second) = (ways[0].1, ways[1].1);
    assert!(first != second && is_reserved(first) && is_reserved(second), "{ways:?}");
    let expected = [
        ("192.0.2.100:80", first, "192.0.2.8"),
        ("192.0.2.100:80", second, "192.0.2.9"),
        ("192.0.2.101:81", first, "192.0.2.8"),
    ];
    let expected = expected.map(|(target, mark, server)| (target.to_owned(), mark, server.to_owned()));
    assert_eq!(ways, expected);
    assert_eq!((config.hidden, config.services.len(), config.written_services().len()), (2, 4, 2));
    assert_eq!((config.destinations.len(), config.written_destinations().len()), (5, 3));
    assert!(!config.is_hidden(ServiceId(1)) && config.is_hidden(ServiceId(2)));
}

#[test]
fn equal_checks_through_one_address_are_shared_and_a_tunnel_goes_its_own_way() {
    let tunnel = "lb_kind TUN type gue port 6080 csum\n";
    let text = |method: &str| direct("192.0.2.100 80", &["192.0.2.8 80"]).replace("lb_kind DR\n", method);
    let other = |method: &str| {
        text(method).replace("100 80 {", "100 0 {").replace(TCP, "TCP_CHECK {\nconnect_port 80\n}")
    };
    let (config, _) = loaded(&(text("lb_kind DR\n") + &other("lb_kind DR\n")));
    assert_eq!((config.probes.len(), config.hidden, config.written_services().len()), (1, 1, 2));
    let (config, _) = loaded(&(text("lb_kind DR\n") + &other(tunnel)));
    assert_eq!((config.probes.len(), config.hidden), (2, 2));
    let hidden = &config.destinations[3];
    assert_eq!(hidden.method, ForwardingMethod::Tunnel(Tunnel { kind: 1, port: 6080, flags: 1 }));
    let spec = DestinationSpec { method: hidden.method, weight: 1, upper: 0, lower: 0 };
    assert_eq!((spec.weight, spec.upper), (hidden.weight, hidden.upper));
}

#[test]
fn a_mark_stays_when_others_come_and_is_none_that_the_file_uses() {
    let text = direct("192.0.2.100 80", &["192.0.2.9 80"]);
    let mark = ways(&clean(&text))[0].1;
    let more = direct("192.0.2.99 80", &["192.0.2.7 80", "192.0.2.8 80"]) + &text;
    assert_eq!(ways(&clean(&more))[2].1, mark);
    let used = format!("virtual_server fwmark {mark} {{\nlb_kind NAT\nreal_server 192.0.2.9 80 {{\n}}\n}}\n");
    let other = ways(&clean(&(used + &text)))[0].1;
    assert!(other != mark && is_reserved(other));
    let checked = format!("TCP_CHECK {{\nfwmark {mark}\n}}");
    let used = service(&format!("real_server 192.0.2.9 80 {{\n{checked}\n}}")).replace("100 80", "98 80");
    let config = clean(&(used + &text));
    assert_ne!(config.probes[1].bind.as_ref().unwrap().mark, mark);
}

#[test]
fn the_nearest_value_counts() {
    let text = direct("192.0.2.100 80", &["192.0.2.8 80"]);
    let inner = |lines: &str| text.replace("TCP_CHECK {", lines);
    assert_eq!(clean(&inner("via_vip off\nTCP_CHECK {")).hidden, 0);
    assert_eq!(clean(&inner("via_vip off\nTCP_CHECK {\nvia_vip")).hidden, 1);
    assert_eq!(clean(&inner("TCP_CHECK {\nvia_vip no")).hidden, 0);
    let mail = inner("SMTP_CHECK {");
    assert_eq!(clean(&mail).probes[0].target().to_string(), "192.0.2.100:25");
}

#[test]
fn where_there_is_no_way_through_the_address_the_line_is_an_error_and_the_server_is_checked_itself() {
    let text = direct("192.0.2.100 80", &["192.0.2.8 80"]);
    let without = text.replace("via_vip\n", "");
    let inside = |lines: &str| without.replace("TCP_CHECK {", &format!("TCP_CHECK {{\nvia_vip\n{lines}"));
    let marked = text.replace("192.0.2.100 80 {\nprotocol TCP", "fwmark 7 {");
    let tunnel = text.replace("192.0.2.100 80", "2001:db8::1 80").replace("DR", "TUN");
    for (text, target, reason) in [
        (text.replace("DR", "NAT"), "192.0.2.8:80", "behind NAT"),
        (marked.replace("8 80", "8"), "192.0.2.8:80", "a service with a fwmark"),
        (inside("connect_ip 192.0.2.7"), "192.0.2.7:80", "its connect_ip"),
        (inside("fwmark 7"), "192.0.2.8:80", "its fwmark"),
        (inside("bindto 192.0.2.100"), "192.0.2.8:80", "its bindto is the virtual address"),
        (tunnel, "192.0.2.8:80", "needs a bindto"),
        (inside("").replace("TCP_CHECK", "UDP_CHECK"), "192.0.2.8:80", "it does not connect over TCP"),
        (inside("").replace("TCP_CHECK", "PING_CHECK"), "192.0.2.8:0", "it does not connect over TCP"),
    ] {
        let text = if text.contains("fwmark 7 {") {
            text.replace("TCP_CHECK {", "TCP_CHECK {\nconnect_port 80")
        } else {
            text
        };
        let (message, checked) = refused(&text);
        assert!(message.contains("error[E0318]") && message.contains(reason), "{message}");
        assert_eq!(checked, target, "{message}");
    }
    let (message, _) = refused(&text.replace("TCP_CHECK", "PING_CHECK"));
    assert!(message.contains("warning[W0318]"), "for all checks of the service: {message}");
}

#[test]
fn one_real_server_more_than_the_limit_is_named() {
    let servers = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("10.0.{}.{} 80", n / 256, n % 256)).collect();
        direct("192.0.2.100 80", &all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let most = clean(&servers(limits::MAX_VIA));
    assert_eq!(most.hidden as usize, limits::MAX_VIA);
    let marks: std::collections::HashSet<u32> = ways(&most).into_iter().map(|way| way.1).collect();
    assert_eq!(marks.len(), limits::MAX_VIA);
    let (config, messages) = loaded(&servers(limits::MAX_VIA + 1));
    assert_eq!(config.hidden as usize, limits::MAX_VIA);
    assert!(messages.len() == 1 && messages[0].contains("1025 real servers with via_vip: the limit is 1024"));
    let last = config.written_destinations().last().unwrap();
    let [probe] = config.probes_of(last) else { panic!("without a check it would be up for ever") };
    assert_eq!(config.probes[probe.index()].target().to_string(), "10.0.4.0:80");
}
