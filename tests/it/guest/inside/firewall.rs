//! Our own `firewall mark` before IPVS, masquerading beside it, and real servers that are boxes of ours: by
//! `real_server_role`, or by `redirect` without the address.

use std::net::TcpListener;

use lab::capture::Capture;
use lab::http;
use lab::netns::{Host, Lan};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};

use super::{Site, VIP, table};
use crate::rig::{Instance, Make, configuration, ctl};

/// The virtual router, a service by mark over two ports, round robin, and these rules.
fn text(site: &Site, more: &str) -> String {
    let servers: String = site
        .addresses
        .iter()
        .map(|address| {
            format!("real_server {address} 0 {{\nTCP_CHECK {{\nconnect_port 80\nconnect_timeout 2\n}}\n}}\n")
        })
        .collect();
    format!(
        "{}virtual_server fwmark 1 {{\nlb_algo rr\nlb_kind {}\nprotocol TCP\ndelay_loop 1\n{servers}}}\n\
         firewall {{\nmark 1 to {VIP} tcp 80\nmark 1 to {VIP} tcp 8080-8081\n{more}\n}}\n",
        Instance::new(150, &["10.0.1.100/24"]),
        site.method
    )
}

/// Both ports of both real servers.
fn serve(site: &Site) -> Vec<WebServer> {
    let ports = ["0.0.0.0:80", "0.0.0.0:8080"];
    let one = |index: usize| {
        ports.map(|port| WebServer::start(&site.web[index], port, Behaviour::Normal, &format!("web{index}")))
    };
    [one(0), one(1)].into_iter().flatten().collect()
}

fn ask(site: &Site, port: u16) -> String {
    http::get(&site.client, &format!("{VIP}:{port}"), "/", secs(5))
        .map_or_else(|error| error.to_string(), |answer| answer.body.trim().to_owned())
}

/// Waits until both real servers are in the table and one answers.
fn start(site: &Site, text: &str, scratch: &Scratch) -> Process {
    let director = Make::Lvsbox.start(&site.director, text, scratch);
    wait::until("both servers", secs(15), || {
        let table = table(&site.director);
        (table.contains("FWM  1 rr") && site.addresses.iter().all(|one| table.contains(*one))).then_some(())
    });
    wait::until("an answer", secs(15), || ask(site, 80).starts_with("web").then_some(()));
    director
}

/// Turn by turn whatever the port, since it is one service.
fn is_balanced(site: &Site) {
    for port in [80, 8080] {
        let mut answers: Vec<String> = (0..10).map(|_| ask(site, port)).collect();
        answers.sort();
        assert_eq!(answers[..5], ["web0"; 5], "{port}: {answers:?}");
        assert_eq!(answers[5..], ["web1"; 5], "{port}: {answers:?}");
    }
    let pair = [ask(site, 80), ask(site, 8080)];
    assert!(pair[0] != pair[1] && pair.iter().all(|one| one.starts_with("web")), "{pair:?}");
    assert!(!ask(site, 81).starts_with("web"), "a port without a mark is not balanced");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn nat_by_mark_balances_two_ports_while_its_servers_reach_the_outside_masqueraded() {
    let site = Site::nat();
    let scratch = Scratch::new("mark");
    let _servers = serve(&site);
    let outside = site.client.enter(|| TcpListener::bind("10.0.1.9:7").unwrap());
    let director = start(&site, &text(&site, "masquerade from 10.0.2.0/24 out eth0"), &scratch);
    is_balanced(&site);
    // The client knows no way to the real servers' network.
    let stream = site.web[0].enter(|| std::net::TcpStream::connect("10.0.1.9:7"));
    let (_accepted, from) = outside.accept().unwrap();
    assert!(stream.is_ok());
    assert_eq!(from.ip().to_string(), "10.0.1.1");
    // A change of the rules and somebody's blow leave open connections alone, and what is new is balanced again.
    let more = "masquerade from 10.0.2.0/24 out eth0\nredirect to 10.0.1.101";
    std::fs::write(configuration(&site.director, &scratch), text(&site, more)).unwrap();
    ctl(&site.director, "reload");
    is_balanced(&site);
    site.director.run("nft flush ruleset");
    director.wait_line("nf_tables table lvsbox_mark was changed by somebody: making it again", secs(8));
    wait::until("an answer", secs(5), || ask(&site, 80).starts_with("web").then_some(()));
    is_balanced(&site);
    let shown = ctl(&site.director, "show firewall");
    let packets =
        shown.lines().find(|line| line.ends_with("tcp 80")).and_then(|line| line.split_whitespace().next());
    assert!(packets.and_then(|text| text.parse::<u64>().ok()) > Some(20), "{shown}");
}

/// A director and two real servers on one LAN that are boxes of ours, and know nothing of the address by hand.
fn boxes() -> (Site, Lan) {
    let lan = Lan::new();
    let client = lan.host("client", &["10.0.1.9/24"]);
    let director = lan.host("director", &["10.0.1.1/24"]);
    let web = ["10.0.1.11/24", "10.0.1.12/24"].map(|address| lan.host("web", &[address]));
    let addresses = ["10.0.1.11", "10.0.1.12"];
    let site = Site { lans: Vec::new(), client, director, web, addresses, forward: "Route", method: "DR" };
    (site, lan)
}

/// The MAC address of a host's interface.
fn mac(host: &Host) -> Vec<u8> {
    let text = host.run("cat /sys/class/net/eth0/address");
    text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Who said by ARP that he has the virtual address: MAC addresses of senders.
fn claims(capture: &Capture) -> Vec<Vec<u8>> {
    let frames = capture.frames();
    let ours = frames
        .iter()
        .map(|frame| &frame.bytes)
        .filter(|bytes| bytes.get(12..14) == Some(&[8, 6]) && bytes.get(28..32) == Some(&[10, 0, 1, 100]));
    ours.map(|bytes| bytes[22..28].to_vec()).collect()
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn boxes_of_ours_serve_directly_routed_packets_and_the_director_alone_is_heard_of() {
    let (site, _lan) = boxes();
    let scratch = Scratch::new("role");
    let _servers = serve(&site);
    let role = format!("real_server_role {{ virtual_ipaddress {{ {VIP} }} }}\n");
    let redirect = format!("firewall {{ redirect to {VIP} }}\n");
    let mut holder = Make::Lvsbox.start(&site.web[0], &role, &scratch);
    let mut taker = Make::Lvsbox.start(&site.web[1], &redirect, &scratch);
    wait::until("the address", secs(30), || site.web[0].has_address("lo", VIP).then_some(()));
    let capture = Capture::open(&site.client, "eth0");
    let _director = start(&site, &text(&site, ""), &scratch);
    is_balanced(&site);
    assert!(!site.web[1].has_address("lo", VIP) && !site.web[1].has_address("eth0", VIP));
    for _ in 0..5 {
        site.client.ip("neigh flush dev eth0");
        assert!(ask(&site, 80).starts_with("web"));
    }
    let (claims, director) = (claims(&capture), mac(&site.director));
    assert!(claims.len() >= 5 && claims.iter().all(|sender| *sender == director), "{claims:?} {director:?}");
    // One is flushed, the other loses its address: both mend themselves.
    site.web[1].run("nft flush ruleset");
    site.web[0].ip(&format!("addr del {VIP}/32 dev lo"));
    taker.wait_line("nf_tables table lvsbox_redirect was changed by somebody: making it again", secs(8));
    wait::until("the address", secs(8), || site.web[0].has_address("lo", VIP).then_some(()));
    is_balanced(&site);
    assert!(holder.stop(secs(8)).success() && taker.stop(secs(8)).success());
    assert!(!site.web[0].has_address("lo", VIP));
    assert_eq!(site.web[1].run("nft list ruleset").trim(), "");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn boxes_of_ours_serve_tunnelled_packets() {
    let (mut site, _lan) = boxes();
    (site.method, site.forward) = ("TUN", "Tunnel");
    let scratch = Scratch::new("tunnel");
    let _servers = serve(&site);
    let role = format!("real_server_role {{ tunnel ipip  virtual_ipaddress {{ {VIP} }} }}\n");
    let boxes = [0, 1].map(|index| {
        // Distributions that filter strictly do it for all interfaces.
        site.web[index].sysctl("net.ipv4.conf.all.rp_filter", "1");
        Make::Lvsbox.start(&site.web[index], &role, &scratch)
    });
    for (host, server) in site.web.iter().zip(&boxes) {
        server.wait_line("tunl0 is set up for real_server_role", secs(30));
        wait::until("the address", secs(30), || host.has_address("tunl0", VIP).then_some(()));
    }
    let _director = start(&site, &text(&site, ""), &scratch);
    assert!(table(&site.director).contains("Tunnel"));
    is_balanced(&site);
}

/// What `help keyword masquerade` says.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn packets_of_ipvs_are_masqueraded_with_conntrack_only() {
    let site = Site::nat();
    let scratch = Scratch::new("conntrack");
    let servers: Vec<TcpListener> =
        (0..2).map(|index| site.web[index].enter(|| TcpListener::bind("0.0.0.0:80").unwrap())).collect();
    let service = crate::rig::Service::new("10.0.1.100 80", "rr", "NAT", &["10.0.2.11 80"]);
    let text = format!("{}firewall {{ masquerade from 10.0.1.0/24 out eth1 }}\n", site.text(&service));
    let _director = Make::Lvsbox.start(&site.director, &text, &scratch);
    wait::until("the server", secs(10), || table(&site.director).contains("10.0.2.11:80").then_some(()));
    wait::until("the address", secs(10), || site.director.has_address("eth0", VIP).then_some(()));
    for (conntrack, seen) in [("0", "10.0.1.9"), ("1", "10.0.2.1")] {
        site.director.sysctl("net.ipv4.vs.conntrack", conntrack);
        let stream = site.client.enter(|| std::net::TcpStream::connect("10.0.1.100:80").unwrap());
        let (_accepted, from) = servers[0].accept().unwrap();
        assert_eq!(from.ip().to_string(), seen, "vs.conntrack {conntrack}");
        drop(stream);
    }
}
