//! Stories of a pool told by a seed: reloads among configurations with everything that concerns one, orders, failing
//! servers, a table changed by hand, lost answers, an IPVS that goes and comes. Afterwards the table is as wished.

use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::config::via::is_reserved;
use crate::config::{Config, load};
use crate::director::event::{Errno, Event, Keep};
use crate::director::overrides::Order;
use crate::director::testing::{Dice, Fault, Node, Server, ip};
use crate::time::Duration;
use crate::wire::genl_ipvs::{DestinationKey, ServiceKey};

/// Real servers are 10.0.0.1 to here.
const SERVERS: u64 = 5;

fn pick(dice: &mut Dice, percent: u64, text: &str) -> String {
    if dice.percent(percent) { format!("{text}\n") } else { String::new() }
}

fn server(dice: &mut Dice, n: u64) -> String {
    let weight = dice.below(40);
    let check = ["", "TCP_CHECK {\nretry 1\n}\n", "HTTP_GET {\nurl {\npath /\nstatus_code 200\n}\n}\n"];
    let check = check[usize::try_from(dice.below(3)).unwrap()];
    let inhibit = pick(dice, 30, "inhibit_on_failure");
    format!("real_server 10.0.0.{n} 80 {{\nweight {weight}\n{inhibit}{check}}}\n")
}

fn service(dice: &mut Dice, head: &str) -> String {
    let mut text = format!("virtual_server {head} {{\nlb_algo wrr\nprotocol TCP\ndelay_loop 1\n");
    text += if dice.percent(60) { "lb_kind DR\n" } else { "lb_kind NAT\n" };
    for (percent, line) in [
        (40, "via_vip"),
        (30, "ha_suspend"),
        (30, "alpha"),
        (50, "slow_start 20"),
        (50, "drain_time 15"),
        (30, "quorum 20"),
        (30, "hysteresis 5"),
        (40, "persistence_timeout 60"),
        (40, "sorry_server 10.9.9.1 80"),
        (20, "sorry_server 10.9.9.2 80"),
    ] {
        text += &pick(dice, percent, line);
    }
    for n in 1..=SERVERS {
        if dice.percent(60) {
            text += &server(dice, n);
        }
    }
    text + "}\n"
}

fn config(dice: &mut Dice) -> Config {
    let mut text = String::from("global_defs {\n");
    text += &pick(dice, 50, "lvs_sync_daemon eth0 VI_1 id 7");
    text += &pick(dice, 40, "lvs_timeouts tcp 100 udp 50");
    text += &pick(dice, 30, "lvs_flush_on_stop");
    text += "}\nvrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n203.0.113.1/24\n203.0.113.2/24\n}\n}\n";
    for head in ["203.0.113.1 80", "203.0.113.2 80", "fwmark 7"] {
        if dice.percent(70) {
            text += &service(dice, head);
        }
    }
    load(&text, "t").config.unwrap_or_else(|| panic!("{text}"))
}

fn disturb(node: &mut Node, dice: &mut Dice) {
    let last = u8::try_from(1 + dice.below(SERVERS)).unwrap();
    let server = DestinationKey { address: ip(&format!("10.0.0.{last}")), port: 80 };
    match dice.below(12) {
        0..=2 => {
            let config = config(dice);
            node.reload(config);
        }
        3 | 4 => {
            let weight = [None, Some(0), Some(9), Some(65_535)][usize::try_from(dice.below(4)).unwrap()];
            let service = dice.percent(30).then_some(ServiceId(0));
            node.handle(Event::Override(Order { server, service, weight }));
        }
        5..=7 => {
            let state = [Server::Good, Server::Refuses, Server::Hindered, Server::Good];
            let state = state[usize::try_from(dice.below(4)).unwrap()];
            for place in [format!("10.0.0.{last}:80"), "203.0.113.1:80".into()] {
                node.servers.insert(place.parse().unwrap(), state);
            }
        }
        8 => {
            if let Some(table) = &mut node.kernel.ipvs {
                table.clear();
            }
        }
        9 => {
            for (_, (_, pool)) in node.kernel.ipvs.iter_mut().flatten() {
                if let Some(mut spec) = pool.remove(&server) {
                    spec.weight = 3;
                    pool.insert(DestinationKey { port: 81, ..server }, spec);
                }
            }
        }
        10 => {
            node.kernel.ipvs = if node.kernel.ipvs.is_some() { None } else { Some(Default::default()) };
            node.kernel.daemons = [None; 2];
        }
        _ => {
            if node.kernel.has(ip("203.0.113.2")) {
                node.delete_by_hand("203.0.113.2");
            }
        }
    }
}

/// What must hold when nobody disturbs any more.
fn assert_settled(node: &Node, seed: u64) {
    node.assert_table_as_wished();
    let (config, director) = (node.director.config(), &node.director);
    let table = node.kernel.ipvs.as_ref().unwrap();
    assert_eq!(table.len(), config.services.len(), "{seed}: {:?}", node.kernel.table());
    assert_eq!(director.ipvs_plan().draining().count(), 0, "{seed}");
    assert_eq!(director.health().hindered(), None, "{seed}");
    assert_eq!(director.ipvs_plan().troubled(), 0, "{seed}");
    for service in &config.services {
        for row in service.destinations.rows() {
            let known = director.ipvs_plan().destination(DestinationId::from_index(row));
            let there = table[&service.key].1.get(&config.destinations[row].key);
            assert_eq!(known.as_ref(), there, "{seed}: what is believed of the table");
        }
    }
    let daemons = node.kernel.daemons.iter().flatten().count();
    assert_eq!(
        daemons,
        usize::from(config.global.sync_daemon.is_some()),
        "{seed}: {:?}",
        node.kernel.daemons
    );
}

fn tell(seed: u64) {
    let mut dice = Dice::new(seed + 1);
    let first = config(&mut dice);
    let mut node = Node::new(first, "192.0.2.11");
    node.latency = Duration::from_micros(dice.below(30_000));
    for _ in 0..40 {
        node.run_millis(dice.below(4_000));
        disturb(&mut node, &mut dice);
        let mut luck = Dice::new(dice.below(1 << 40));
        let bad = if dice.percent(30) { 15 } else { 0 };
        node.fault = Box::new(move |_| match luck.below(100) {
            n if n >= bad => None,
            0..=4 => Some(Fault::LoseAnswer),
            5..=9 => Some(Fault::LoseRequest),
            _ => Some(Fault::Refuse(Errno(12))),
        });
    }
    node.fault = Box::new(|_| None);
    node.kernel.ipvs.get_or_insert_default();
    node.servers.clear();
    node.run(Duration::from_secs(400));
    assert_settled(&node, seed);
    node.records.clear();
    node.run(Duration::from_secs(60));
    let said = node.take_records();
    assert!(said.is_empty(), "{seed}: nothing happens any more: {said:?}");
    if dice.percent(50) {
        let config = config(&mut dice);
        node.reload(config);
        node.run_millis(dice.below(20));
        end(node, dice.percent(50), seed);
        return;
    }
    let written = node.director.config().written_services().len();
    let kept = dice.percent(50);
    let left = end(node, kept, seed).len();
    assert_eq!(left, if kept { written } else { 0 }, "{seed}");
}

/// Stops; what is left of the table.
fn end(mut node: Node, kept: bool, seed: u64) -> Vec<ServiceKey> {
    node.stop(Keep { addresses: false, services: kept });
    node.run(Duration::from_secs(10));
    assert!(node.director.is_stopped(), "{seed}: it ends");
    let left: Vec<_> = node.kernel.ipvs.iter().flatten().map(|(key, _)| *key).collect();
    let reserved = |key: &ServiceKey| matches!(key, ServiceKey::Mark { mark, .. } if is_reserved(mark.get()));
    assert!(!left.iter().any(reserved), "{seed}: hidden services never outlive the process: {left:?}");
    if !kept {
        assert!(left.is_empty(), "{seed}: {left:?}");
        assert_eq!(node.kernel.daemons, [None; 2], "{seed}");
    }
    left
}

#[test]
fn whatever_happened_to_a_pool_the_table_is_as_wished_afterwards_and_goes_with_the_process() {
    let stories = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    (0..stories).for_each(tell);
}
