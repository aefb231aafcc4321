//! Which addresses adverts come from, and what an interface that bounces takes along.

use crate::config::Config;
use crate::config::ids::LinkId;
use crate::config::model::LinkRules;
use crate::director::event::Keep;
use crate::director::journal::Reason;
use crate::director::testing::{Kernel, Node, at, ip};
use crate::time::{Duration, Instant};

const ROUTER: &str = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority 100\n \
                      virtual_ipaddress {\n 192.0.2.100/24\n }\n";

fn load(text: &str) -> Config {
    crate::config::load(text, "test").config.unwrap()
}

/// A box whose interface has no address but the one that the configuration gives it.
fn bare(config: Config) -> Node {
    let mut kernel = Kernel::new(ip("192.0.2.11"));
    kernel.add_link("eth1");
    kernel.add_address("eth1", ip("198.51.100.11"), 24);
    kernel.remove_address(ip("192.0.2.11"));
    Node::with_kernel(config, kernel, Instant::ZERO)
}

#[test]
fn adverts_come_from_a_static_address_that_is_there_or_that_we_add() {
    let text = format!("static_ipaddress {{\n 192.0.2.11/24 dev eth0\n}}\n{ROUTER}}}\n");
    for mut node in [Node::new(load(&text), "192.0.2.11"), bare(load(&text))] {
        node.run_until(at(10_000));
        assert!(node.is_master(0) && node.has_vip("192.0.2.100"), "{:?}", node.state(0));
        assert_eq!(
            node.director.links().get(LinkId(0)).source(crate::wire::vrrp::Family::Ipv4),
            Some(ip("192.0.2.11"))
        );
        node.take_records();
        node.reload(load(&text));
        node.run_millis(5_000);
        node.stop(Keep::default());
        node.run_millis(100);
        assert!(node.director.is_stopped());
        let faulty = |one: &Reason| matches!(one, Reason::EnteredFault(..));
        assert!(!node.take_records().iter().any(faulty), "its own end is no fault");
    }
}

#[test]
fn a_source_address_that_is_tracked_may_be_a_static_one() {
    let tracked = "mcast_src_ip 192.0.2.50\n track_src_ip\n";
    let text = format!("static_ipaddress {{\n 192.0.2.50/24 dev eth0\n}}\n{ROUTER}{tracked}}}\n");
    let mut node = Node::new(load(&text), "192.0.2.11");
    node.run_until(at(10_000));
    assert!(node.is_master(0) && node.has_vip("192.0.2.50"), "{:?}", node.state(0));
}

/// The kernel throws the IPv4 routes of an interface away the moment it goes down (`fib_sync_down_dev` in
/// `net/ipv4/fib_semantics.c`) and tells nobody.
#[test]
fn routes_that_a_bounce_took_come_back_at_once_whatever_the_delays() {
    for delay in [0, 2] {
        let mut config = load("static_routes {\n 10.0.0.0/8 via 192.0.2.1 dev eth0\n}\n");
        let span = Duration::from_secs(delay);
        config.link_rules =
            [LinkRules { down_delay: span, up_delay: span, ..LinkRules::of(LinkId(0)) }].into();
        let mut node = Node::new(config, "192.0.2.11");
        node.run_until(at(5_000));
        assert_eq!(node.kernel.routes.len(), 1);
        node.set_carrier("eth0", false);
        node.kernel.routes.clear();
        node.run_millis(500);
        node.kernel.routes.clear();
        node.set_carrier("eth0", true);
        node.run_millis(200);
        assert_eq!(node.kernel.routes.len(), 1, "delays of {delay} s");
    }
}
