//! What trackers come to, in virtual time, from the text of a configuration.

use super::{Effect, Watched};
use crate::config::ids::VariableId;
use crate::config::{Config, load};
use crate::director::Parts;
use crate::director::action::{Action, Dump};
use crate::director::event::{Errno, Event, Source};
use crate::director::journal::Reason;
use crate::director::testing::{Fault as Mishap, Node, Server, at};
use crate::director::vrrp::{Fault, State};
use crate::wire::link::LinkIndex;
use crate::wire::rtnetlink::route::{Hops, RT_TABLE_MAIN, RouteKind, RouteSpec};

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
        assert_eq!(node.director.effect(1) == Effect::Fault, first, "{word}: nobody was asked yet");
        node.run_until(at(2_000));
        assert_eq!(node.director.effect(1), Effect::Adds(0), "{word}");
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

fn say_route(node: &mut Node, there: bool, via: &str) {
    let mut spec = RouteSpec {
        table: RT_TABLE_MAIN,
        destination: ("198.51.100.0".parse().unwrap(), 24),
        from: None,
        tos: 0,
        kind: RouteKind::Unicast,
        gateway: Some(via.parse().unwrap()),
        link: LinkIndex(0),
        onlink: false,
        source: None,
        metric: 0,
        protocol: 4,
        scope: 0,
    };
    spec.link = node.director.links().get(crate::config::ids::LinkId(0)).index;
    if there {
        node.kernel.routes.push((spec, Hops::default()));
    } else {
        node.kernel.routes.retain(|(one, _)| *one != spec);
    }
    node.say_route((&spec, &Hops::default()), there, Source::Foreign);
    node.run_millis(20);
}

#[test]
fn a_route_is_missed_when_the_table_has_none_of_that_kind_any_more() {
    for (line, met) in [
        ("198.51.100.0/24", true),
        ("198.51.100.7/24 dev eth0", true),
        ("198.51.100.0/24 via 192.0.2.1 dev eth0", true),
        ("198.51.100.0/24 via 192.0.2.9", false),
        ("198.51.100.0/24 table 7", false),
        ("198.51.0.0/16", false),
        ("default", false),
    ] {
        let mut node = node("", &format!("track_route {{\n{line} weight -20\n}}"));
        node.run_until(at(5_000));
        assert_eq!(priority(&node), 80, "{line}: there is none");
        say_route(&mut node, true, "192.0.2.1");
        assert_eq!(priority(&node), if met { 100 } else { 80 }, "{line}");
        say_route(&mut node, false, "192.0.2.1");
        assert_eq!(priority(&node), 80, "{line}");
    }
    let mut node = node("", "track_route {\n198.51.100.0/24\n}");
    node.run_until(at(5_000));
    assert_eq!(node.state(0), State::Fault(Fault::Tracked(1)));
    say_route(&mut node, true, "192.0.2.1");
    say_route(&mut node, true, "192.0.2.2");
    assert_eq!(node.state(0), State::Backup);
    node.run_millis(2_000);
    say_route(&mut node, false, "192.0.2.1");
    assert_eq!(node.state(0), State::Backup, "the other one serves");
    node.run_millis(2_000);
    say_route(&mut node, false, "192.0.2.2");
    assert_eq!(node.state(0), State::Fault(Fault::Tracked(1)));
    let told: Vec<bool> = node
        .take_records()
        .into_iter()
        .filter_map(|it| if let Reason::RouteTracked(_, there) = it { Some(there) } else { None })
        .collect();
    assert_eq!(told, [false, true, false]);
}

#[test]
fn nobody_is_master_or_in_fault_before_the_routes_are_known_and_a_reload_knows_them() {
    let mut node = node("", "track_route {\n198.51.100.0/24\n}");
    node.run_until(at(4_900));
    say_route(&mut node, true, "192.0.2.1");
    node.run_millis(5_000);
    assert_eq!(node.state(0), State::Master);
    node.take_records();
    node.reload(config("", "track_route {\n198.51.100.0/24\n203.0.113.0/24 reverse\n}"));
    node.run_millis(3_000);
    assert_eq!(node.state(0), State::Master);
    let fault = |it: &Reason| matches!(it, Reason::EnteredFault(..) | Reason::EnteredBackup(..));
    assert!(!node.take_records().iter().any(fault), "it never was anything else");
}

/// A dump whose row for the route was already passed when the route came.
#[test]
fn a_route_that_comes_during_a_dump_is_not_missed_by_its_end() {
    let mut node = node("", "track_route {\n198.51.100.0/24\n}");
    node.run_until(at(5_000));
    assert_eq!(node.state(0), State::Fault(Fault::Tracked(1)));
    node.director.parts.tracks.begin_route_dump();
    say_route(&mut node, true, "192.0.2.1");
    let (config, Parts { tracks, links, health, services, bus, .. }) =
        (&node.director.config, &mut node.director.parts);
    tracks.end_route_dump(node.now, Watched { config, links, health, services }, bus);
    node.run_millis(50);
    assert_eq!(node.state(0), State::Backup);
}

/// A reload adds the route while no list of routes can be had.
#[test]
fn an_interface_that_is_down_means_fault_also_while_a_route_is_not_known() {
    let mut node = node("", "");
    node.run_until(at(5_000));
    assert_eq!(node.state(0), State::Master);
    node.fault = Box::new(|action| {
        let routes = matches!(action, Action::Dump { what: Dump::Routes, .. });
        routes.then_some(Mishap::Refuse(Errno::EPERM))
    });
    node.reload(config("", "track_route {\n198.51.100.0/24\n}"));
    node.run_millis(3_000);
    assert_eq!(node.state(0), State::Master, "nothing is known against it");
    node.set_carrier("eth0", false);
    node.run_millis(1_000);
    assert!(matches!(node.state(0), State::Fault(Fault::LinkDown(_))), "{:?}", node.state(0));
}

#[test]
fn what_is_tracked_must_be_up_or_down_for_so_long_before_it_counts() {
    let mut node = node("", "track_route {\n198.51.100.0/24 weight 20 rise 3 fall 2\n}");
    node.run_until(at(5_000));
    assert_eq!(priority(&node), 100);
    say_route(&mut node, true, "192.0.2.1");
    node.run_millis(2_900);
    assert_eq!(priority(&node), 100);
    node.run_millis(100);
    assert_eq!(priority(&node), 120, "3 s after it came");
    for _ in 0..3 {
        say_route(&mut node, false, "192.0.2.1");
        node.run_millis(1_500);
        say_route(&mut node, true, "192.0.2.1");
        node.run_millis(1_500);
        assert_eq!(priority(&node), 120, "it bounces");
    }
    say_route(&mut node, false, "192.0.2.1");
    node.run_millis(1_000);
    node.reload(config("", "track_route {\n198.51.100.0/24 weight 20 rise 3 fall 2\n}"));
    node.run_millis(900);
    assert_eq!(priority(&node), 120);
    node.run_millis(1_200);
    assert_eq!(priority(&node), 100, "the time goes on across a reload");
}

#[test]
fn with_init_fail_it_is_down_until_it_was_up_for_rise() {
    const SERVICE: &str = "virtual_server 192.0.2.100 80 {\nprotocol TCP\nlb_kind DR\n\
        real_server 10.0.0.1 80 {\nTCP_CHECK {\nretry 0\n}\n}\n}";
    for (word, first) in [("", State::Master), ("init_fail", State::Fault(Fault::Tracked(1)))] {
        let mut node = node(SERVICE, &format!("track_service {{\n192.0.2.100 80 rise 8 {word}\n}}"));
        node.run_until(at(5_000));
        assert_eq!(node.state(0), first, "{word}");
        node.run_until(at(13_000));
        assert_eq!(node.state(0), State::Master, "{word}");
    }
}

#[test]
fn a_host_is_down_after_fall_losses_and_up_after_rise_answers() {
    let blocks = "ping_group up { 10.0.0.1 interval 1 fall 3 rise 4 }";
    let mut node = node(blocks, "track_ping_group {\nup weight 20\n}");
    let host = "10.0.0.1:0".parse().unwrap();
    node.run_until(at(5_000));
    assert_eq!(priority(&node), 120);
    node.servers.insert(host, Server::Refuses);
    node.run_millis(950);
    assert_eq!(priority(&node), 120);
    node.run_millis(1_200);
    assert_eq!(priority(&node), 100, "three losses");
    node.servers.insert(host, Server::Good);
    node.run_millis(2_900);
    assert_eq!(priority(&node), 100);
    node.run_millis(1_600);
    assert_eq!(priority(&node), 120, "four answers");
}
