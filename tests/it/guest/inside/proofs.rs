//! What clients see, with lvsbox as the director: exact shares of round robin and of weights, persistence, tunnels, and
//! what becomes of the connections of a server that fails, as the kernel is set to treat them.
//!
//! `expire_nodest_conn` and `expire_quiescent_template`: Linux, `Documentation/networking/ipvs-sysctl.rst`.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use lab::http;
use lab::netns::Host;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};

use super::traffic::{begin, end, server_dies_and_returns};
use super::{SERVICE, Site, VIP, weight};
use crate::rig::{Make, Service, http_check};

/// Both web servers and the director, ready.
struct Running {
    servers: [WebServer; 2],
    _director: Process,
    _scratch: Scratch,
}

/// Starts them with `scheduler` and further lines of the service.
fn start(site: &Site, scheduler: &str, lines: &[&str], check: &str) -> Running {
    let scratch = Scratch::new("proofs");
    let servers = [site.serve(0), site.serve(1)];
    let (first, second) = (site.real(0), site.real(1));
    let mut service = Service::new("10.0.1.100 80", scheduler, site.method, &[&first, &second])
        .line("delay_loop 1")
        .check(&http_check())
        .check(check);
    for line in lines {
        service = service.line(line);
    }
    let director = Make::Lvsbox.start(&site.director, &site.text(&service), &scratch);
    site.wait_ready();
    wait::until("a first answer", secs(10), || site.ask().starts_with("web").then_some(()));
    Running { servers, _director: director, _scratch: scratch }
}

/// Who answers the client on `host`.
fn ask_from(host: &Host) -> String {
    http::get(host, SERVICE, "/", secs(10)).map_or_else(|error| error.to_string(), |answer| answer.body)
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn tunnels_serve_while_a_server_dies_and_returns() {
    server_dies_and_returns(Make::Lvsbox, &Site::tunnel());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn weights_share_requests_exactly_whatever_the_forwarding_method() {
    for site in [Site::nat(), Site::direct(), Site::tunnel()] {
        let running = start(&site, "wrr", &[], "");
        // A cycle of weights 1 and 2 is three requests, and begins anywhere.
        assert_eq!(site.ask_times(30), [10, 20, 0], "{}", site.method);
        drop(running);
    }
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn persistence_keeps_a_client_and_its_network_at_one_server() {
    let site = Site::direct();
    let (near, far) =
        (site.lan().host("near", &["10.0.1.77/24"]), site.lan().host("far", &["10.0.1.200/24"]));
    let lines = ["persistence_timeout 60", "persistence_granularity 255.255.255.128"];
    let running = start(&site, "rr", &lines, "");
    let first = site.ask();
    let share = site.ask_times(9);
    assert!(share[0] == 9 || share[1] == 9, "one server for one client: {share:?}");
    assert_eq!(ask_from(&near).trim(), first, "10.0.1.9 and 10.0.1.77 are of one network of 25 bits");
    let other = ask_from(&far);
    assert!(other.starts_with("web") && other.trim() != first, "10.0.1.200 is of another: {other}");
    assert!(site.director.run("ipvsadm -Ln").contains("persistent 60 mask 255.255.255.128"));
    drop(running);
}

/// A connection to the first server that is open when the server fails its checks and leaves the table.
fn orphan(site: &Site, running: &Running) -> TcpStream {
    // Round robin: of two connections one is at web0, and that is the one that the server has not read to its end.
    let both = [begin(site), begin(site)];
    let key = format!("{}:80", site.addresses[0]);
    wait::until("a connection at each server", secs(10), || {
        let table = site.director.run("ipvsadm -Lnc");
        let held =
            |server: &str| table.lines().any(|line| line.contains("ESTABLISHED") && line.ends_with(server));
        (held(&key) && held(&format!("{}:80", site.addresses[1]))).then_some(())
    });
    let table = site.director.run("ipvsadm -Lnc");
    let port_at_first = table
        .lines()
        .find(|line| line.contains("ESTABLISHED") && line.trim_end().ends_with(&key))
        .and_then(|line| line.split_whitespace().nth(3)?.rsplit_once(':')?.1.parse::<u16>().ok());
    running.servers[0].behave(Behaviour::Unavailable);
    site.wait_weight(0, None, secs(15));
    let mut both = both.into_iter();
    both.find(|stream| stream.local_addr().ok().map(|own| own.port()) == port_at_first)
        .expect("the connection at the first server")
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn connections_of_a_removed_server_wait_for_its_return() {
    let site = Site::nat();
    site.director.sysctl("net.ipv4.vs.expire_nodest_conn", "0");
    let running = start(&site, "rr", &[], "");
    let mut stream = orphan(&site, &running);
    stream.set_read_timeout(Some(secs(2))).unwrap();
    stream.write_all(b"\r\n").unwrap();
    let silence = stream.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    running.servers[0].behave(Behaviour::Normal);
    site.wait_weight(0, Some(1), secs(15));
    stream.set_read_timeout(Some(secs(30))).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    // The behaviour was chosen when the server took the connection's head, after it had failed.
    assert!(text.starts_with("HTTP/1.0 "), "the server's own answer, late: {text}");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn connections_of_a_removed_server_end_at_once_with_expire_nodest_conn() {
    let site = Site::nat();
    site.director.sysctl("net.ipv4.vs.expire_nodest_conn", "1");
    let running = start(&site, "rr", &[], "");
    let stream = orphan(&site, &running);
    stream.set_read_timeout(Some(secs(20))).unwrap();
    let said = end(stream);
    assert!(said.contains("reset"), "the director's own refusal: {said}");
}

/// Whether a persistent client is sent to a server of weight 0.
fn quiescent(expire: &str) -> String {
    let site = Site::nat();
    site.director.sysctl("net.ipv4.vs.expire_quiescent_template", expire);
    let running = start(&site, "rr", &["persistence_timeout 600"], "inhibit_on_failure\n");
    let first = site.ask();
    let index = usize::from(first == "web1");
    running.servers[index].behave(Behaviour::Unavailable);
    site.wait_weight(index, Some(0), secs(15));
    let second = site.ask();
    assert!(second == "web0" || second == "web1" || second.is_empty(), "{second}");
    if second == first || second.is_empty() { "the same".to_owned() } else { "the other".to_owned() }
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_persistent_client_stays_at_a_server_of_weight_0() {
    assert_eq!(quiescent("0"), "the same");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_persistent_client_leaves_a_server_of_weight_0_with_expire_quiescent_template() {
    assert_eq!(quiescent("1"), "the other");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn the_virtual_address_itself_serves_nobody_but_its_clients() {
    // What arrives for another port of the address is the director's own to refuse.
    let site = Site::direct();
    let running = start(&site, "rr", &[], "");
    let refused = site.client.enter(|| TcpStream::connect((VIP, 81))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(weight(&site.director, &format!("{}:80", site.addresses[0])).is_some());
    drop(running);
}
