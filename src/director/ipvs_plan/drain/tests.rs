//! What a reload takes out of the configuration leaves the kernel when its connections are over.

use super::{Drain, Draining};
use crate::config::ids::{DestinationId, ServiceId};
use crate::director::event::Errno;
use crate::director::journal::Reason;
use crate::director::testing::{Builder, Fault, Node, Rs, Vs, at, ip, tcp_key};
use crate::time::Duration;
use crate::wire::genl_ipvs::{DestinationKey, DestinationSpec, ForwardingMethod};

const VS: &str = "203.0.113.1:80";

fn server(last: u8) -> Rs {
    Rs { weight: 5, drain_time: 60, ..Rs::new(format!("10.0.0.{last}:80")) }
}

fn key(last: u8) -> DestinationKey {
    DestinationKey { address: ip(&format!("10.0.0.{last}")), port: 80 }
}

fn config(servers: &[u8]) -> crate::config::Config {
    Builder::new().service(Vs::new(VS, servers.iter().map(|last| server(*last)).collect())).build()
}

/// A director with these servers, and so many connections at the second one.
fn running(connections: u32) -> Node {
    let mut node = Node::new(config(&[1, 2]), "192.0.2.11");
    node.run_until(at(1_000));
    node.kernel.active.insert(key(2), connections);
    node.take_records();
    node
}

fn table(node: &Node) -> Vec<String> {
    node.kernel.table().into_iter().skip(1).map(|line| line.trim().to_owned()).collect()
}

fn drains(node: &mut Node) -> Vec<Reason> {
    let is_one = |one: &Reason| matches!(one, Reason::DrainStarted(..) | Reason::DrainEnded(..));
    node.take_records().into_iter().filter(is_one).collect()
}

#[test]
fn a_server_that_is_no_longer_configured_stays_at_weight_0_until_its_connections_are_over() {
    let mut node = running(3);
    node.reload(config(&[1]));
    node.run_millis(100);
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 0"]);
    let started = Reason::DrainStarted(ServiceId(0), key(2), Duration::from_secs(60));
    assert_eq!(drains(&mut node), [started]);
    node.run(Duration::from_secs(30));
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 0"], "as long as it has some");
    let seen: Vec<_> = node.director.ipvs_plan().draining().map(|one| (one.key, one.active)).collect();
    assert_eq!(seen, [(key(2), Some(3))]);
    node.kernel.active.clear();
    node.run(Duration::from_secs(6));
    assert_eq!(table(&node), ["10.0.0.1:80 5"]);
    assert_eq!(drains(&mut node), [Reason::DrainEnded(ServiceId(0), key(2), 0)]);
    assert_eq!(node.director.ipvs_plan().draining().count(), 0);
    assert_eq!(node.director.ipvs_plan().repairs_total(), 0, "none of it is drift");
}

#[test]
fn its_time_ends_also_with_connections_and_without_drain_time_it_goes_at_once() {
    let mut node = running(3);
    node.reload(config(&[1]));
    node.run(Duration::from_millis(59_900));
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 0"]);
    node.run_millis(300);
    assert_eq!(table(&node), ["10.0.0.1:80 5"]);
    assert_eq!(drains(&mut node).last(), Some(&Reason::DrainEnded(ServiceId(0), key(2), 3)));
    let plain = |servers: &[u8]| {
        let plain = |last: &u8| Rs { drain_time: 0, ..server(*last) };
        Builder::new().service(Vs::new(VS, servers.iter().map(plain).collect())).build()
    };
    let mut node = Node::new(plain(&[1, 2]), "192.0.2.11");
    node.kernel.active.insert(key(2), 3);
    node.run_until(at(1_000));
    node.reload(plain(&[1]));
    node.run_millis(100);
    assert_eq!(table(&node), ["10.0.0.1:80 5"]);
}

#[test]
fn configured_again_it_is_simply_a_server_and_a_further_reload_goes_on_with_the_others() {
    let mut node = running(3);
    node.reload(config(&[1]));
    node.run(Duration::from_secs(30));
    // The time goes on, it does not begin again.
    node.reload(config(&[1, 3]));
    node.run(Duration::from_secs(20));
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 0", "10.0.0.3:80 5"]);
    node.reload(config(&[1, 2, 3]));
    node.run_millis(100);
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 5", "10.0.0.3:80 5"]);
    node.run(Duration::from_secs(60));
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 5", "10.0.0.3:80 5"]);
    assert_eq!(drains(&mut node).len(), 1, "it began once");
    node.kernel.active.extend([(key(1), 1), (key(3), 1)]);
    node.reload(config(&[2]));
    node.run_millis(100);
    assert_eq!(table(&node), ["10.0.0.1:80 0", "10.0.0.2:80 5", "10.0.0.3:80 0"]);
    node.kernel.active.clear();
    node.run(Duration::from_secs(6));
    assert_eq!(table(&node), ["10.0.0.2:80 5"]);
    node.assert_table_as_wished();
}

#[test]
fn with_its_service_a_drained_server_goes_at_once() {
    let mut node = running(3);
    node.reload(config(&[1]));
    node.run_millis(100);
    node.reload(Builder::new().service(Vs::new("203.0.113.2:80", vec![server(1)])).build());
    node.run(Duration::from_secs(6));
    assert!(!node.kernel.ipvs.as_ref().unwrap().contains_key(&tcp_key(VS)));
    assert_eq!(node.director.ipvs_plan().draining().count(), 0);
}

#[test]
fn what_is_refused_lost_or_undone_by_hand_is_asked_again() {
    let mut node = running(3);
    node.reload(config(&[1]));
    node.run_millis(100);
    let there = |node: &mut Node, weight: Option<u32>| {
        let pool = &mut node.kernel.ipvs.as_mut().unwrap().get_mut(&tcp_key(VS)).unwrap().1;
        match weight {
            Some(weight) => pool.get_mut(&key(2)).unwrap().weight = weight,
            None => drop(pool.remove(&key(2))),
        }
    };
    there(&mut node, Some(9));
    node.run(Duration::from_secs(6));
    assert_eq!(table(&node), ["10.0.0.1:80 5", "10.0.0.2:80 0"]);
    node.kernel.active.clear();
    let mut times = 0;
    node.fault = Box::new(move |action| {
        let removal = format!("{action:?}").contains("Draining(0), change: Remove");
        times += u32::from(removal);
        match times {
            1 if removal => Some(Fault::Refuse(Errno::ENOBUFS)),
            2 if removal => Some(Fault::LoseAnswer),
            _ => None,
        }
    });
    node.run(Duration::from_secs(60));
    assert_eq!(table(&node), ["10.0.0.1:80 5"]);
    assert_eq!(node.director.ipvs_plan().draining().count(), 0);
    let mut node = running(3);
    node.reload(config(&[1]));
    node.run_millis(100);
    there(&mut node, None);
    node.run(Duration::from_secs(6));
    assert_eq!(node.director.ipvs_plan().draining().count(), 0, "somebody was faster");
    assert_eq!(node.director.ipvs_plan().destination(DestinationId(0)).unwrap().weight, 5);
}

#[test]
fn rows_are_in_order_however_they_come() {
    for count in 0..40_u32 {
        let spec = DestinationSpec { method: ForwardingMethod::Masquerade, weight: 1, upper: 0, lower: 0 };
        let one = |place: u32| {
            let mixed = place * 17 % 41;
            let last = u8::try_from(mixed / 3).unwrap();
            Draining::new(ServiceId(mixed % 3), key(last), (spec, Duration::ZERO))
        };
        let drain = Drain::new((0..count).map(one).collect());
        assert_eq!(drain.iter().count(), count as usize);
        assert!(drain.rows.is_sorted_by_key(|one| (one.service, one.key)), "{count}");
    }
}
