//! Real requests through NAT and direct routing while a server dies and returns.

use std::io::{Read, Write};
use std::net::TcpStream;

use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{SERVICE, Site, connections};
use crate::rig::Make;

/// A request that is begun and not yet ended.
pub(super) fn begin(site: &Site) -> TcpStream {
    site.client.enter(|| {
        let mut stream = TcpStream::connect(SERVICE).unwrap();
        stream.set_read_timeout(Some(secs(10))).unwrap();
        stream.write_all(b"GET /long HTTP/1.0\r\n").unwrap();
        stream
    })
}

/// Ends it: what the server says.
pub(super) fn end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream
        .write_all(b"\r\n")
        .and_then(|()| stream.read_to_string(&mut text))
        .map_or_else(|error| error.to_string(), |_| text)
}

pub(super) fn server_dies_and_returns(make: Make, site: &Site) {
    let scratch = Scratch::new("traffic");
    let servers = (site.serve(0), site.serve(1));
    let director = make.start(&site.director, &site.text(&site.service()), &scratch);
    site.wait_ready();
    wait::until("a first answer", secs(10), || site.ask().starts_with("web").then_some(()));
    assert_eq!(site.ask_times(20), [10, 10, 0], "round robin gives each half");
    assert!(servers.0.requests("/check") > 0 && servers.1.requests("/check") > 0, "both are checked");

    // Round robin: one of the two is at web0.
    let open = [begin(site), begin(site)];
    let key = format!("{}:80", site.addresses[0]);
    let counted = wait::until("the counters", secs(10), || {
        Some(connections(&site.director, &key)).filter(|count| *count >= 11)
    });
    drop(servers.1);
    site.wait_weight(1, None, secs(15));
    assert_eq!(site.ask_times(6), [6, 0, 0], "all by the one that lives");
    assert!(connections(&site.director, &key) >= counted, "its counters were not reset");
    let back = site.serve(1);
    site.wait_weight(1, Some(2), secs(15));
    assert_eq!(site.ask_times(10), [5, 5, 0], "each half again");
    assert!(back.requests("/") == 5);
    let answers = open.map(end);
    assert!(
        answers.iter().any(|answer| answer.ends_with("web0\n")),
        "a connection to web0 lived through it: {answers:?}"
    );
    assert!(connections(&site.director, &key) >= counted);
    drop(director);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn laboratory_nat_by_keepalived() {
    server_dies_and_returns(Make::Keepalived, &Site::nat());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn laboratory_direct_routing_by_keepalived() {
    server_dies_and_returns(Make::Keepalived, &Site::direct());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn nat_serves_while_a_server_dies_and_returns() {
    server_dies_and_returns(Make::Lvsbox, &Site::nat());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn direct_routing_serves_while_a_server_dies_and_returns() {
    server_dies_and_returns(Make::Lvsbox, &Site::direct());
}
