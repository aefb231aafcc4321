//! Several sorry servers, with and without checks: who serves while the quorum is lost.

use core::net::SocketAddr;

use crate::config::ids::{DestinationId, ServiceId};
use crate::director::journal::Reason;
use crate::director::services::wish;
use crate::director::testing::{Node, Server};

const CHECK: &str = "TCP_CHECK {\nretry 0\nwarmup 0\n}\n";

/// Two real servers (rows 0 and 1) that need a quorum of 2; `sorry` stands behind them.
fn node(sorry: &str) -> Node {
    let real = |n: u8| format!("real_server 10.0.0.{n} 80 {{\n{CHECK}}}\n");
    let text = format!(
        "virtual_server 192.0.2.100 80 {{\nlb_algo rr\nlb_kind NAT\nprotocol TCP\ndelay_loop 1\nquorum 2\n{}{}{sorry}}}\n",
        real(1),
        real(2),
    );
    let loaded = crate::config::load(&text, "test");
    assert_eq!(loaded.diagnostics.count(crate::syntax::Severity::Error), 0);
    Node::new(loaded.config.unwrap(), "192.0.2.11")
}

/// Only these of 10.0.0.1 to .9 answer; the weights that the table has then.
fn weights(node: &mut Node, alive: &[u8]) -> Vec<Option<u32>> {
    for n in 1..=9 {
        let server = if alive.contains(&n) { Server::Good } else { Server::Refuses };
        node.servers.insert(SocketAddr::from(([10, 0, 0, n], 80)), server);
    }
    node.run_millis(2_500);
    node.assert_table_as_wished();
    let (config, services) = (node.director.config(), node.director.services());
    (0..).zip(&config.destinations).map(|(row, _)| wish(config, services, DestinationId(row))).collect()
}

#[test]
fn all_sorry_servers_serve_while_the_quorum_is_lost() {
    let mut node = node("sorry_server 10.0.0.8 80\nsorry_server 10.0.0.9 80 {\nweight 3\n}\n");
    assert_eq!(weights(&mut node, &[1, 2]), [Some(1), Some(1), None, None]);
    assert_eq!(weights(&mut node, &[1]), [None, None, Some(1), Some(3)]);
    assert_eq!(weights(&mut node, &[1, 2]), [Some(1), Some(1), None, None]);
}

#[test]
fn a_sorry_server_whose_check_fails_does_not_serve_and_without_any_the_living_go_on() {
    let sorry = |n: u8| format!("sorry_server 10.0.0.{n} 80 {{\n{CHECK}}}\n");
    let mut node = node(&(sorry(8) + &sorry(9) + "sorry_server_inhibit\n"));
    assert_eq!(weights(&mut node, &[1, 2, 8, 9]), [Some(1), Some(1), None, Some(0)]);
    assert_eq!(weights(&mut node, &[1, 8, 9]), [None, None, Some(1), Some(1)]);
    node.take_records();
    assert_eq!(weights(&mut node, &[1, 9]), [None, None, None, Some(1)]);
    assert!(node.take_records().contains(&Reason::DestinationDown(DestinationId(2))));
    assert_eq!(weights(&mut node, &[1]), [Some(1), None, None, Some(0)]);
    assert!(node.take_records().contains(&Reason::ReliefChanged(ServiceId(0), false)));
    assert_eq!(weights(&mut node, &[1, 8]), [None, None, Some(1), Some(0)]);
    assert!(node.take_records().contains(&Reason::ReliefChanged(ServiceId(0), true)));
    assert_eq!(weights(&mut node, &[1, 2, 8]), [Some(1), Some(1), None, Some(0)]);
    node.take_records();
    assert_eq!(weights(&mut node, &[1, 2]), [Some(1), Some(1), None, Some(0)]);
    let records = node.take_records();
    assert!(!records.contains(&Reason::DestinationDown(DestinationId(2))), "it did not serve: {records:?}");
}

#[test]
fn checks_of_sorry_servers_do_not_count_for_the_quorum() {
    let mut node = node(&format!("sorry_server 10.0.0.9 80 {{\nweight 9\n{CHECK}}}\n"));
    assert_eq!(weights(&mut node, &[9]), [None, None, Some(9)]);
    let pool = *node.director.services().pool(ServiceId(0)).unwrap();
    assert_eq!((pool.weight, pool.alive, pool.relief), (0, 0, true));
}
