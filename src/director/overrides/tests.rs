//! The operator's weights and rising ones, as the kernel gets them.

use super::*;
use crate::director::event::Event;
use crate::director::services::{Quorum, wish};
use crate::director::testing::{Builder, Node, Rs, Server, Vs, at, ip};

const RS: &str = "10.0.0.1:80";

fn key(last: u8) -> DestinationKey {
    DestinationKey { address: ip(&format!("10.0.0.{last}")), port: 80 }
}

fn order(node: &mut Node, server: DestinationKey, service: Option<u32>, weight: Option<u16>) {
    let order = Order { server, service: service.map(ServiceId), weight };
    node.handle(Event::Override(order));
    node.run_millis(1);
}

fn set(node: &mut Node, last: u8, server: Server) {
    node.servers.insert(format!("10.0.0.{last}:80").parse().unwrap(), server);
}

/// The weights of the first service's servers in the kernel's table, by the last byte of their address.
fn table(node: &Node) -> Vec<String> {
    node.kernel.table().into_iter().map(|line| line.replace("203.0.113.", "").trim().to_owned()).collect()
}

fn quorum(node: &Node) -> (Quorum, u32) {
    let pool = node.director.services().pool(ServiceId(0)).unwrap();
    (pool.quorum, pool.weight)
}

fn two_services() -> Builder {
    let servers = || vec![Rs { weight: 3, ..Rs::new(RS) }, Rs { weight: 5, ..Rs::new("10.0.0.2:80") }];
    Builder::new().service(Vs::new("203.0.113.1:80", servers())).service(Vs::new("203.0.113.2:80", servers()))
}

fn running(builder: &Builder) -> Node {
    let mut node = Node::new(builder.build(), "192.0.2.11");
    node.run_until(at(3_000));
    node.take_records();
    node.take_actions();
    node
}

#[test]
fn a_weight_is_set_in_one_service_or_in_all_and_given_back() {
    let mut node = running(&two_services());
    order(&mut node, key(1), None, Some(0));
    assert_eq!(
        table(&node),
        [
            "[1]:tcp:80 wlc",
            "10.0.0.1:80 0",
            "10.0.0.2:80 5",
            "[2]:tcp:80 wlc",
            "10.0.0.1:80 0",
            "10.0.0.2:80 5"
        ]
    );
    assert_eq!(quorum(&node), (Quorum::Met, 5), "it is alive, and carries no weight");
    assert_eq!(node.director.services().pool(ServiceId(0)).unwrap().alive, 2);
    let told = [Reason::Overridden(DestinationId(0), Some(0)), Reason::Overridden(DestinationId(2), Some(0))];
    assert_eq!(node.take_records(), told);
    order(&mut node, key(1), Some(1), Some(65_535));
    assert_eq!(table(&node)[4], "10.0.0.1:80 65535");
    assert_eq!(table(&node)[1], "10.0.0.1:80 0");
    assert_eq!(node.director.services().overrides().count(), 2);
    order(&mut node, key(1), None, None);
    assert_eq!((&*table(&node)[1], &*table(&node)[4]), ("10.0.0.1:80 3", "10.0.0.1:80 3"));
    assert_eq!(node.director.services().overrides().count(), 0);
    node.take_records();
    order(&mut node, key(1), None, None);
    order(&mut node, key(9), None, Some(1));
    assert_eq!(node.take_records(), [], "nothing changed, so nothing is said");
}

#[test]
fn an_override_outlives_checks_and_reloads_and_goes_with_its_server() {
    let mut node = running(&two_services());
    order(&mut node, key(1), Some(0), Some(0));
    set(&mut node, 1, Server::Refuses);
    node.run(Duration::from_secs(4));
    assert_eq!(table(&node)[1], "10.0.0.2:80 5", "checks go on");
    set(&mut node, 1, Server::Good);
    node.run(Duration::from_secs(4));
    assert_eq!(table(&node)[1], "10.0.0.1:80 0");
    let mut other = two_services();
    other.services.reverse();
    other.services[1].servers.reverse();
    other.services[1].servers[1].weight = 9;
    node.reload(other.build());
    node.run_millis(100);
    assert_eq!((&*table(&node)[1], &*table(&node)[4]), ("10.0.0.1:80 0", "10.0.0.1:80 3"));
    let mut without = other.clone();
    without.services[1].servers.pop();
    node.reload(without.build());
    node.run_millis(100);
    node.reload(other.build());
    node.run_millis(100);
    assert_eq!(table(&node)[1], "10.0.0.1:80 9", "it was not configured meanwhile");
    assert_eq!(node.director.services().overrides().count(), 0);
}

#[test]
fn draining_the_last_server_calls_the_sorry_server_and_keeps_the_drained_one_for_its_connections() {
    let vs = Vs { sorry: Some(Rs::new("10.9.9.9:80")), ..Vs::new("203.0.113.1:80", vec![Rs::new(RS)]) };
    let mut node = running(&Builder::new().service(vs));
    order(&mut node, key(1), None, Some(0));
    assert_eq!(quorum(&node), (Quorum::Lost, 0));
    assert_eq!(table(&node), ["[1]:tcp:80 wlc", "10.0.0.1:80 0", "10.9.9.9:80 1"]);
    order(&mut node, key(1), None, None);
    assert_eq!(quorum(&node), (Quorum::Met, 1));
    assert_eq!(table(&node), ["[1]:tcp:80 wlc", "10.0.0.1:80 1"]);
    let sorry = DestinationKey { address: ip("10.9.9.9"), port: 80 };
    order(&mut node, sorry, None, Some(7));
    assert_eq!(node.director.services().overrides().count(), 0, "a sorry server is no real server");
}

fn slow(weight: u32, seconds: u64) -> Builder {
    let first = Rs { weight, slow_start: seconds, ..Rs::new(RS) };
    Builder::new().service(Vs::new("203.0.113.1:80", vec![first, Rs::new("10.0.0.2:80")]))
}

/// A director whose first server came back this moment.
fn returned(builder: &Builder) -> Node {
    let mut node = running(builder);
    set(&mut node, 1, Server::Refuses);
    node.run(Duration::from_secs(4));
    assert_eq!(table(&node).len(), 2, "it is gone");
    set(&mut node, 1, Server::Good);
    let weight =
        |node: &Node| node.director.ipvs_plan().destination(DestinationId(0)).map(|spec| spec.weight);
    while weight(&node).is_none() {
        node.run_millis(10);
    }
    node
}

/// Weights that the kernel had one after the other, with the milliseconds from the first, for so long.
fn weights(node: &mut Node, millis: u64) -> Vec<(u64, Option<u32>)> {
    let mut seen: Vec<(u64, Option<u32>)> = Vec::new();
    for step in 0..=millis / 10 {
        let weight = node.director.ipvs_plan().destination(DestinationId(0)).map(|spec| spec.weight);
        if seen.last().is_none_or(|(_, last)| *last != weight) {
            seen.push((step * 10, weight));
        }
        node.run_millis(10);
    }
    seen
}

#[test]
fn the_weight_of_a_returned_server_rises_in_steps_of_a_second_at_least() {
    let mut node = running(&slow(100, 5));
    assert_eq!(table(&node)[1], "10.0.0.1:80 100", "not at the start");
    node = returned(&slow(100, 5));
    assert_eq!(quorum(&node), (Quorum::Met, 101), "the quorum counts all of it from the return on");
    let seen: Vec<_> = weights(&mut node, 8_000).into_iter().map(|(_, weight)| weight.unwrap()).collect();
    assert_eq!(seen, [1, 20, 40, 60, 80, 100]);
    // Few weights, few steps; a long time, no more than sixteen.
    let mut node = returned(&slow(3, 60));
    let seen = weights(&mut node, 61_000);
    let expected: [(u64, Option<u32>); 3] = [(0, Some(1)), (30_000, Some(2)), (60_000, Some(3))];
    assert!(seen.iter().zip(expected).all(|(a, b)| a.0.abs_diff(b.0) < 50 && a.1 == b.1), "{seen:?}");
    let mut node = returned(&slow(1_000, 300));
    assert_eq!(weights(&mut node, 301_000).len(), 17);
    for (weight, seconds) in [(1, 60), (100, 0)] {
        let node = returned(&slow(weight, seconds));
        assert_eq!(table(&node)[1], format!("10.0.0.1:80 {weight}"));
        assert_eq!(node.director.services().overrides().get(DestinationId(0)), Load::Configured);
    }
}

#[test]
fn the_first_success_of_a_server_that_was_awaited_is_no_return() {
    let mut builder = slow(100, 50);
    builder.services[0].servers[0].alpha = true;
    let mut node = Node::new(builder.build(), "192.0.2.11");
    node.run(Duration::from_secs(4));
    assert_eq!(table(&node)[1], "10.0.0.1:80 100");
}

#[test]
fn a_failure_ends_a_rise_and_the_next_return_begins_another() {
    let mut node = returned(&slow(100, 50));
    node.run(Duration::from_secs(20));
    set(&mut node, 1, Server::Refuses);
    node.run(Duration::from_secs(4));
    assert_eq!(table(&node).len(), 2);
    set(&mut node, 1, Server::Good);
    node.run(Duration::from_secs(4));
    let weight = node.director.ipvs_plan().destination(DestinationId(0)).unwrap().weight;
    assert!(weight < 10, "from the start again: {weight}");
}

#[test]
fn the_operator_beats_a_rise_and_a_reload_carries_it() {
    let mut node = returned(&slow(100, 50));
    node.run(Duration::from_secs(20));
    order(&mut node, key(1), None, Some(77));
    node.run(Duration::from_secs(60));
    assert_eq!(table(&node)[1], "10.0.0.1:80 77");
    order(&mut node, key(1), None, None);
    assert_eq!(table(&node)[1], "10.0.0.1:80 100", "enabled at once");
    let mut node = returned(&slow(100, 50));
    node.take_records();
    order(&mut node, key(1), None, None);
    assert_eq!(table(&node)[1], "10.0.0.1:80 100", "a rise is cut short");
    assert_eq!(node.take_records(), [Reason::Overridden(DestinationId(0), None)]);
    node.run(Duration::from_secs(20));
    assert_eq!(table(&node)[1], "10.0.0.1:80 100", "and does not go on");
    let mut node = returned(&slow(100, 50));
    node.run(Duration::from_secs(24));
    // Twice the weight: the same share of it.
    node.reload(slow(200, 50).build());
    node.run_millis(100);
    let weight = node.director.ipvs_plan().destination(DestinationId(0)).unwrap().weight;
    assert!((85..=100).contains(&weight), "{weight}");
    node.run(Duration::from_secs(27));
    assert_eq!(table(&node)[1], "10.0.0.1:80 200");
    let mut node = returned(&slow(100, 50));
    node.reload(slow(100, 0).build());
    node.run_millis(100);
    assert_eq!(table(&node)[1], "10.0.0.1:80 100");
}

/// Every combination of what the wish is made of. A drain by a reload concerns what is not configured any more, and is
/// tested in `ipvs_plan`.
#[test]
fn the_wish_in_all_cases() {
    for case in 0..256_u32 {
        let bit = |place: u32| case >> place & 1 == 1;
        let (alive, inhibit, sorry, met) = (bit(0), bit(1), bit(2), bit(3));
        let (rising, over, drained, unweighted) = (bit(4), bit(5), bit(6), bit(7));
        let configured = if unweighted { 0 } else { 8 };
        let first =
            Rs { weight: configured, inhibit, slow_start: if rising { 300 } else { 0 }, ..Rs::new(RS) };
        let other = Rs { urls: None, weight: 50, ..Rs::new("10.0.0.2:80") };
        let vs = Vs {
            quorum: if met { 1 } else { 1_000_000 },
            sorry: sorry.then(|| Rs::new("10.9.9.9:80")),
            ..Vs::new("203.0.113.1:80", vec![first, other])
        };
        let mut node = Node::new(Builder::new().service(vs).build(), "192.0.2.11");
        node.run_until(at(3_000));
        if rising {
            set(&mut node, 1, Server::Refuses);
            node.run(Duration::from_secs(4));
            set(&mut node, 1, Server::Good);
            node.run(Duration::from_secs(4));
        }
        if over {
            order(&mut node, key(1), None, Some(if drained { 0 } else { 5 }));
        }
        if !alive {
            set(&mut node, 1, Server::Refuses);
            node.run(Duration::from_secs(4));
        }
        let full = match (over, rising && alive && !unweighted) {
            (true, _) if drained => 0,
            (true, _) => 5,
            (false, true) => 1,
            (false, false) => configured,
        };
        let set_aside = inhibit.then_some(0);
        let expected = match (alive, sorry && !met) {
            (false, _) => set_aside,
            (true, true) if over && drained => Some(0),
            (true, true) => set_aside,
            (true, false) => Some(full),
        };
        let what = format!(
            "alive {alive} inhibit {inhibit} sorry {sorry} met {met} rising {rising} over {over} drained {drained} \
             weight {configured}"
        );
        let (config, services) = (node.director.config(), node.director.services());
        assert_eq!(quorum(&node).0 == Quorum::Met, met, "{what}");
        assert_eq!(wish(config, services, DestinationId(0)), expected, "{what}");
        if sorry {
            assert_eq!(wish(config, services, DestinationId(2)), (!met).then_some(1), "{what}");
        }
        assert_eq!(
            wish(config, services, DestinationId(1)),
            if sorry && !met { None } else { Some(50) },
            "{what}"
        );
        node.assert_table_as_wished();
    }
}
