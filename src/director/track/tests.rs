//! What trackers come to, in virtual time, from the text of a configuration.

use super::Effect;
use crate::config::ids::VariableId;
use crate::config::{Config, load};
use crate::director::event::Event;
use crate::director::journal::Reason;
use crate::director::testing::{Node, Server, at};
use crate::director::vrrp::{Fault, State};

fn config(blocks: &str, trackers: &str) -> Config {
    let text = format!(
        "{blocks}\nvrrp_instance VI {{\ninterface eth0\nvirtual_router_id 51\n{trackers}\n\
         virtual_ipaddress {{\n192.0.2.100/24\n}}\n}}\n"
    );
    let loaded = load(&text, "t");
    assert_eq!(loaded.diagnostics.iter().len(), 0, "{}", loaded.diagnostics);
    loaded.config.unwrap()
}

fn node(blocks: &str, trackers: &str) -> Node {
    Node::new(config(blocks, trackers), "192.0.2.11")
}

fn priority(node: &Node) -> u8 {
    node.director.vrrp().get(crate::config::ids::InstanceId(0)).unwrap().priority
}

fn set(node: &mut Node, value: i16) {
    node.handle(Event::SetVariable { variable: VariableId(0), value });
    node.run_millis(10);
}

/// Two hosts, and what each of these lines comes to with both, one or none of them answering.
#[test]
fn a_ping_group_is_up_while_one_host_answers() {
    const PINGS: &str = "ping_group up { 10.0.0.1 10.0.0.2 interval 1 dead 5 }";
    for (line, up, down) in [
        ("up weight 20", Some(120), Some(100)),
        ("up weight -20", Some(100), Some(80)),
        ("up weight 20 reverse", Some(100), Some(120)),
        ("up weight -20 reverse", Some(80), Some(100)),
        ("up", Some(100), None),
        ("up reverse", None, Some(100)),
    ] {
        let mut node = node(PINGS, &format!("track_ping_group {{\n{line}\n}}"));
        let seen = |node: &Node| match node.state(0) {
            State::Fault(fault) => {
                assert_eq!(fault, Fault::Tracked(1));
                None
            }
            State::Init | State::Backup | State::Master => Some(priority(node)),
        };
        node.run_until(at(5_000));
        assert_eq!(seen(&node), up, "{line}");
        node.servers.insert("10.0.0.1:0".parse().unwrap(), Server::Refuses);
        node.run_millis(10_000);
        assert_eq!(seen(&node), up, "{line}: the other host answers");
        node.servers.insert("10.0.0.2:0".parse().unwrap(), Server::Refuses);
        node.run_millis(6_000);
        assert_eq!(seen(&node), down, "{line}");
        node.servers.insert("10.0.0.1:0".parse().unwrap(), Server::Good);
        node.run_millis(2_000);
        assert_eq!(seen(&node), up, "{line}");
    }
}

#[test]
fn hosts_with_init_fail_are_down_until_they_answer() {
    for (word, first) in [("", false), ("init_fail", true)] {
        let mut node = node(&format!("ping_group up {{ 10.0.0.1 {word} }}"), "track_ping_group {\nup\n}");
        let tracker = node.director.config().trackers[1];
        assert_eq!(node.director.effect(&tracker) == Effect::Fault, first, "{word}: nobody was asked yet");
        node.run_until(at(2_000));
        assert_eq!(node.director.effect(&tracker), Effect::Adds(0), "{word}");
        assert_eq!(node.state(0), State::Backup);
    }
}

#[test]
fn a_service_counts_with_its_quorum() {
    const SERVICE: &str = "virtual_server 192.0.2.100 80 {\nprotocol TCP\nlb_kind DR\n\
        real_server 10.0.0.1 80 {\nTCP_CHECK {\nretry 0\n}\n}\n}";
    let mut node = node(SERVICE, "track_service {\n192.0.2.100 80 weight -30\n}");
    node.run_until(at(5_000));
    assert_eq!(priority(&node), 100);
    node.servers.insert("10.0.0.1:80".parse().unwrap(), Server::Refuses);
    node.run_millis(70_000);
    assert_eq!(priority(&node), 70);
}

#[test]
fn a_variable_is_multiplied_and_means_fault_at_minus_254() {
    let mut node = node("track_file drain {\nweight -10\ninit_file 1\n}", "track_file {\ndrain\n}");
    node.run_until(at(5_000));
    assert_eq!((priority(&node), node.state(0)), (90, State::Master));
    set(&mut node, 5);
    assert_eq!(priority(&node), 50);
    set(&mut node, -5);
    assert_eq!(priority(&node), 150);
    set(&mut node, 25);
    assert_eq!((priority(&node), node.state(0)), (1, State::Master));
    set(&mut node, 26);
    assert_eq!(node.state(0), State::Fault(Fault::Tracked(1)));
    set(&mut node, 0);
    assert_eq!((priority(&node), node.state(0)), (100, State::Backup));
    let told = node.take_records().into_iter().filter(|it| matches!(it, Reason::VariableSet(..))).count();
    assert_eq!(told, 5);
}

#[test]
fn a_variable_keeps_its_value_across_a_reload() {
    let text = "track_file drain {\nweight -10\n}";
    let mut node = node(text, "track_file {\ndrain\n}");
    node.run_until(at(5_000));
    set(&mut node, 4);
    let other = format!("track_file other {{\n}}\n{text}");
    node.reload(config(&other, "track_file {\ndrain\n}"));
    node.run_millis(3_000);
    assert_eq!((priority(&node), node.state(0)), (60, State::Master));
    assert_eq!(node.director.tracks().value(VariableId(1)), 4);
}

#[test]
fn an_interface_that_is_reversed_means_fault_while_it_is_up() {
    let mut node = node("", "track_interface {\neth1 reverse\n}");
    node.run_until(at(5_000));
    assert_eq!(node.state(0), State::Master, "there is no eth1");
    node.add_link("eth1", "10.0.0.1".parse().unwrap());
    node.run_millis(100);
    assert_eq!(node.state(0), State::Fault(Fault::Tracked(1)));
    node.set_carrier("eth1", false);
    node.run_millis(100);
    assert_eq!(node.state(0), State::Backup);
}
