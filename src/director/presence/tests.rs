//! `ha_suspend`: checks are made where the address is, and nowhere else.

use core::net::SocketAddr;

use crate::config::ids::{DestinationId, ProbeId, ServiceId};
use crate::director::action::Action;
use crate::director::journal::Reason;
use crate::director::services::{Quorum, wish};
use crate::director::testing::{Node, Server, at};

const VIP: &str = "192.0.2.100";
const ROUTER: &str =
    "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n192.0.2.100/24\n}\n}\n";

fn service(key: &str, lines: &str, server: &str) -> String {
    let check = "TCP_CHECK {\nretry 0\n}\n";
    format!(
        "virtual_server {key} {{\nlb_kind NAT\nprotocol TCP\ndelay_loop 1\nlb_algo rr\n{lines}\nreal_server {server} 80 {{\n{check}}}\n}}\n"
    )
}

fn node(text: &str) -> Node {
    let loaded = crate::config::load(text, "test");
    Node::new(loaded.config.unwrap(), "192.0.2.11")
}

fn set(node: &mut Node, server: Server) {
    node.servers.insert("10.0.0.1:80".parse::<SocketAddr>().unwrap(), server);
}

fn probes(node: &mut Node) -> usize {
    let all = core::mem::take(&mut node.actions);
    all.iter().filter(|(_, action)| matches!(action, Action::Probe { .. })).count()
}

fn weight(node: &Node, row: u32) -> Option<u32> {
    wish(node.director.config(), node.director.services(), DestinationId(row))
}

#[test]
fn checks_begin_when_the_address_comes_and_rest_when_it_goes() {
    let mut node = node(&service("192.0.2.100 80", "ha_suspend", "10.0.0.1"));
    set(&mut node, Server::Refuses);
    node.run_until(at(5_000));
    assert_eq!(probes(&mut node), 0, "nobody asks while the address is elsewhere");
    assert_eq!(weight(&node, 0), Some(1), "a server is assumed up, as with keepalived");
    assert!(node.take_records().contains(&Reason::ChecksSuspended(ServiceId(0))));
    node.add_by_hand(VIP);
    node.run_millis(2_100);
    assert!(probes(&mut node) >= 1);
    assert_eq!(weight(&node, 0), None, "it refuses");
    assert!(node.take_records().contains(&Reason::ChecksResumed(ServiceId(0))));
    node.delete_by_hand(VIP);
    node.run_millis(2_000);
    probes(&mut node);
    set(&mut node, Server::Good);
    node.run_millis(5_000);
    assert_eq!(probes(&mut node), 0);
    assert_eq!(weight(&node, 0), None, "the last verdict stays");
    assert!(node.director.services().is_resting(ServiceId(0)));
    node.add_by_hand(VIP);
    node.run_millis(2_100);
    assert_eq!(weight(&node, 0), Some(1));
    node.assert_table_as_wished();
}

#[test]
fn the_address_of_an_instance_wakes_its_service_when_the_instance_is_master() {
    let mut node = node(&format!("{ROUTER}{}", service("192.0.2.100 80", "ha_suspend", "10.0.0.1")));
    node.run_until(at(2_000));
    assert!(!node.is_master(0));
    assert_eq!(probes(&mut node), 0);
    node.run_until(at(8_000));
    assert!(node.is_master(0));
    assert!(probes(&mut node) >= 2);
    assert!(!node.director.services().is_resting(ServiceId(0)));
}

#[test]
fn a_shared_probe_goes_on_and_its_verdict_counts_where_the_address_is() {
    let other = service("192.0.2.101 80", "", "10.0.0.1");
    let mut node = node(&format!("{}{other}", service("192.0.2.100 80", "ha_suspend", "10.0.0.1")));
    assert_eq!(node.director.config().probes.len(), 1);
    set(&mut node, Server::Refuses);
    node.run_until(at(5_000));
    assert!(probes(&mut node) >= 2);
    assert!(!node.director.health().is_resting(ProbeId(0)));
    assert_eq!((weight(&node, 0), weight(&node, 1)), (Some(1), None));
    // What was learned meanwhile counts at once.
    node.add_by_hand(VIP);
    node.run_millis(10);
    assert_eq!((weight(&node, 0), weight(&node, 1)), (None, None));
    node.assert_table_as_wished();
}

#[test]
fn a_reload_finds_out_where_the_address_is_and_keeps_what_rests() {
    let plain = service("192.0.2.100 80", "", "10.0.0.1");
    let waiting = service("192.0.2.100 80", "ha_suspend", "10.0.0.1");
    let load = |text: &str| crate::config::load(text, "test").config.unwrap();
    let mut node = node(&plain);
    set(&mut node, Server::Refuses);
    node.run_until(at(3_000));
    assert_eq!(weight(&node, 0), None);
    probes(&mut node);
    node.reload(load(&waiting));
    node.run_millis(3_000);
    assert_eq!(probes(&mut node), 0);
    assert_eq!(weight(&node, 0), None, "what was known stays");
    node.add_by_hand(VIP);
    node.run_millis(3_000);
    assert!(probes(&mut node) >= 2);
    node.reload(load(&format!("{waiting}{}", service("192.0.2.101 80", "ha_suspend", "10.0.0.2"))));
    node.run_millis(3_000);
    assert!(probes(&mut node) >= 2, "the address is still here");
    assert!(node.director.health().is_resting(ProbeId(1)), "the other one is not");
    node.reload(load(&plain));
    node.delete_by_hand(VIP);
    node.run_millis(3_000);
    assert!(probes(&mut node) >= 2);
    assert_eq!(node.director.services().pool(ServiceId(0)).unwrap().quorum, Quorum::Lost);
}

#[test]
fn what_rests_is_hindered_by_nothing() {
    let mut node = node(&service("192.0.2.100 80", "ha_suspend", "10.0.0.1"));
    set(&mut node, Server::Hindered);
    node.add_by_hand(VIP);
    node.run_until(at(5_000));
    assert_eq!(node.director.health().hindered().map(|(count, ..)| count), Some(1));
    node.take_records();
    node.delete_by_hand(VIP);
    node.run_millis(2_000);
    assert_eq!(node.director.health().hindered(), None);
    assert_eq!(node.take_records(), [Reason::ProbesResumed, Reason::ChecksSuspended(ServiceId(0))]);
    node.add_by_hand(VIP);
    node.run_millis(3_000);
    assert_eq!(node.director.health().hindered().map(|(count, ..)| count), Some(1), "it is said again");
}
