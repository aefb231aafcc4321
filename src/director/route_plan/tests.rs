//! Routes and rules in the kernel, beside the addresses they need.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use crate::config::Config;
use crate::config::ids::{RouteId, RuleId};
use crate::director::action::{Action, Change, Dump, RoutingRef};
use crate::director::event::{Errno, Event, Keep, Source};
use crate::director::journal::{Family, Reason};
use crate::director::testing::{Fault, Kernel, Node, at, ip};
use crate::time::Instant;
use crate::wire::rtnetlink::route::{Hops, RouteSpec};

fn config(inside: &str, outside: &str) -> Config {
    let text = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority 100\n virtual_ipaddress {{\n \
         192.0.2.100/24\n 192.0.2.101/24\n }}\n{inside}\n}}\n{outside}\n"
    );
    let loaded = crate::config::load(&text, "test");
    let found: Vec<String> = loaded.diagnostics.iter().map(|one| one.message().to_owned()).collect();
    assert!(found.is_empty(), "{found:?}");
    loaded.config.unwrap()
}

const ROUTES: &str = "virtual_routes {\n 198.51.100.0/24 via 192.0.2.1 src 192.0.2.100\n blackhole 203.0.113.0/24\n }\n\
                      virtual_rules {\n from 198.51.100.0/24 table 5 preference 100\n }";
const STATIC: &str = "static_routes {\n 10.0.0.0/8 via 192.0.2.1 dev eth0\n }\nstatic_rules {\n fwmark 7 table 100 preference 50\n }\n\
                      static_ipaddress {\n 192.0.2.50/24 dev eth0\n }";

const FIRST: RoutingRef = RoutingRef::Route(RouteId(0));

fn node(config: Config) -> Node {
    Node::new(config, "192.0.2.11")
}

/// A MASTER at rest.
fn master(inside: &str, outside: &str) -> Node {
    let mut node = node(config(inside, outside));
    node.run_until(at(10_000));
    assert!(node.is_master(0));
    node.take_actions();
    node.take_records();
    node
}

fn destinations(node: &Node) -> Vec<String> {
    node.kernel
        .routes
        .iter()
        .map(|(spec, _)| format!("{}/{}", spec.destination.0, spec.destination.1))
        .collect()
}

fn remove(node: &mut Node, row: usize) {
    let (spec, hops) = node.kernel.routes.remove(row);
    node.say_route((&spec, &hops), false, Source::Foreign);
}

#[test]
fn routes_come_behind_the_addresses_and_leave_before_them() {
    let mut node = node(config(ROUTES, ""));
    node.run_until(at(3_000));
    assert!(node.kernel.routes.is_empty() && node.kernel.rules.is_empty());
    node.run_until(at(10_000));
    assert_eq!(destinations(&node), ["198.51.100.0/24", "203.0.113.0/24"]);
    assert_eq!(node.kernel.rules.len(), 1);
    let kinds = |actions: &[Action]| -> Vec<&'static str> {
        let kind = |action: &Action| match action {
            Action::AddAddress { .. } | Action::RemoveAddress { .. } => Some("address"),
            Action::Routing { .. } => Some("routing"),
            _ => None,
        };
        actions.iter().filter_map(kind).collect()
    };
    assert_eq!(kinds(&node.take_actions()), ["address", "address", "routing", "routing", "routing"]);
    node.stop(Keep::default());
    node.run_millis(100);
    assert_eq!(kinds(&node.take_actions()), ["routing", "routing", "routing", "address", "address"]);
    assert!(node.director.is_stopped() && node.kernel.routes.is_empty() && node.kernel.rules.is_empty());
}

#[test]
fn static_ones_are_there_whatever_the_state_and_go_at_the_stop() {
    let mut node = node(config("", STATIC));
    node.run_until(at(3_000));
    assert!(!node.is_master(0) && node.has_vip("192.0.2.50"));
    assert_eq!((destinations(&node), node.kernel.rules.len()), (vec!["10.0.0.0/8".to_owned()], 1));
    node.run_until(at(10_000));
    assert!(!node.announced.iter().any(|(_, address, _)| *address == ip("192.0.2.50")), "nobody's VIP");
    node.stop(Keep::default());
    node.run_millis(100);
    assert!(node.kernel.routes.is_empty() && node.kernel.rules.is_empty() && !node.has_vip("192.0.2.50"));
}

#[test]
fn what_is_kept_stays() {
    let mut node = master(ROUTES, STATIC);
    node.stop(Keep { addresses: true, services: false });
    node.run_millis(100);
    assert!(node.director.is_stopped());
    assert_eq!((node.kernel.routes.len(), node.kernel.rules.len()), (3, 2));
}

#[test]
fn a_route_removed_by_hand_is_put_back_and_logged_and_the_master_stays() {
    let mut node = master(ROUTES, "");
    remove(&mut node, 0);
    node.run_millis(1);
    assert_eq!(node.kernel.routes.len(), 2);
    assert!(node.take_records().contains(&Reason::RoutingMissing(FIRST)) && node.is_master(0));
}

#[test]
fn a_rule_removed_by_hand_is_put_back() {
    let mut node = master(ROUTES, "");
    let entry = node.kernel.rules.remove(0);
    node.handle(Event::Rule { entry: &entry, there: false, source: Source::Foreign });
    assert_eq!(node.kernel.rules, [entry]);
    assert!(node.take_records().contains(&Reason::RoutingMissing(RoutingRef::Rule(RuleId(0)))));
}

#[test]
fn a_route_that_somebody_changed_is_replaced_in_one_step() {
    let mut node = master(ROUTES, "");
    let ours = node.kernel.routes[0].0;
    let theirs = RouteSpec { gateway: Some(ip("192.0.2.77")), protocol: 3, ..ours };
    node.kernel.routes[0].0 = theirs;
    node.say_route((&theirs, &Hops::new()), true, Source::Foreign);
    node.run_millis(10);
    assert_eq!(node.kernel.routes.iter().filter(|(spec, _)| *spec == ours).count(), 1);
    assert_eq!(node.kernel.routes.len(), 2);
    let changes: Vec<_> = node
        .take_actions()
        .iter()
        .filter_map(|one| match one {
            Action::Routing { change, .. } => Some(*change),
            _ => None,
        })
        .collect();
    assert_eq!(changes, [Change::Set]);
}

#[test]
fn a_route_of_somebody_elses_is_not_replaced_and_delays_no_other() {
    let mut kernel = Kernel::new(ip("192.0.2.11"));
    let config = config(ROUTES, "");
    let theirs =
        RouteSpec { gateway: Some(ip("192.0.2.77")), protocol: 3, source: None, ..config.routes[0].spec };
    kernel.routes.push((theirs, Hops::new()));
    let mut node = Node::with_kernel(config, kernel, Instant::ZERO);
    node.run_until(at(10_000));
    assert_eq!(node.kernel.routes[0].0, theirs);
    assert_eq!((node.kernel.routes.len(), node.kernel.rules.len()), (2, 1));
    assert!(node.take_records().contains(&Reason::RoutingFailed(FIRST, Change::Add, Errno::EEXIST)));
    let plan = node.director.route_plan();
    assert_eq!(plan.first_troubled(node.director.config()), Some(FIRST));
    // Once it is gone, ours comes.
    node.kernel.routes.remove(0);
    node.say_route((&theirs, &Hops::new()), false, Source::Foreign);
    node.run_until(at(80_000));
    assert_eq!((node.kernel.routes.len(), node.director.route_plan().troubled()), (2, 0));
}

#[test]
fn what_an_earlier_life_left_is_taken_over_or_removed() {
    let config_of = || config(ROUTES, STATIC);
    let mut kernel = Kernel::new(ip("192.0.2.11"));
    let left = config_of();
    for route in &left.routes {
        let index = kernel.link("eth0").index;
        kernel.routes.push(route.resolved(|_| index));
    }
    // One of ours that led elsewhere before the configuration was changed.
    kernel.routes.last_mut().unwrap().0.gateway = Some(ip("192.0.2.99"));
    kernel.rules.extend(left.rules.iter().map(|rule| rule.spec));
    let mut node = Node::with_kernel(config_of(), kernel, Instant::ZERO);
    node.run_until(at(3_000));
    assert_eq!(destinations(&node), ["10.0.0.0/8"]);
    assert_eq!(node.kernel.routes[0].0.gateway, Some(ip("192.0.2.1")));
    assert_eq!(node.kernel.rules.iter().map(|rule| rule.preference).collect::<Vec<_>>(), [50]);
}

#[test]
fn who_fights_us_is_left_alone_for_a_while_and_named_once() {
    let mut node = master(ROUTES, "");
    for _ in 0..90 {
        if let Some(row) = node.kernel.routes.iter().position(|(spec, _)| spec.source.is_some()) {
            remove(&mut node, row);
        }
        node.run_millis(100);
    }
    let adds = node.take_actions().iter().filter(|one| matches!(one, Action::Routing { .. })).count();
    assert_eq!(adds, 5, "within ten seconds");
    let held = |one: &&Reason| **one == Reason::RepairsHeld(Family::Routes);
    assert_eq!(node.take_records().iter().filter(held).count(), 1);
    node.run_millis(1_500);
    assert_eq!(node.kernel.routes.len(), 2);
}

#[test]
fn an_answer_that_is_lost_is_found_in_the_table() {
    let mut node = node(config(ROUTES, STATIC));
    let mut lost = 0;
    node.fault = Box::new(move |action| {
        lost += usize::from(matches!(action, Action::Routing { .. }));
        (matches!(action, Action::Routing { .. }) && lost <= 4).then_some(Fault::LoseAnswer)
    });
    node.run_until(at(80_000));
    assert_eq!((node.kernel.routes.len(), node.kernel.rules.len()), (3, 2));
    assert_eq!(node.director.route_plan().troubled(), 0);
    assert_eq!(node.director.route_plan().first_troubled(node.director.config()), None);
}

#[test]
fn a_reload_changes_by_difference() {
    let mut node = master(ROUTES, STATIC);
    let other = "virtual_routes {\n 198.51.100.0/24 via 192.0.2.2 src 192.0.2.100\n blackhole 203.0.113.0/24\n }\n\
                 virtual_rules {\n from 198.51.100.0/24 table 6 preference 100\n }";
    node.reload(config(other, ""));
    node.run_millis(100);
    assert!(node.is_master(0));
    let changes: Vec<_> = node
        .take_actions()
        .iter()
        .filter_map(|one| match one {
            Action::Routing { object, change, .. } => Some((*object, *change)),
            _ => None,
        })
        .collect();
    let (set, add) = ((FIRST, Change::Set), (RoutingRef::Rule(RuleId(0)), Change::Add));
    assert!(changes.contains(&set) && changes.contains(&add), "{changes:?}");
    let removed = changes.iter().filter(|(_, change)| *change == Change::Remove).count();
    assert_eq!((removed, changes.len()), (3, 5), "the static ones and the rule of before: {changes:?}");
    assert_eq!(destinations(&node).len(), 2);
    assert_eq!(node.kernel.rules.len(), 1);
    assert!(!node.has_vip("192.0.2.50"));
}

#[test]
fn a_route_waits_for_its_interface() {
    let mut node = node(config("", "static_routes {\n 10.0.0.0/8 via 10.1.0.1 dev eth7\n }"));
    node.run_until(at(1_000));
    assert!(node.kernel.routes.is_empty() && node.director.route_plan().troubled() == 0);
    let link = node.kernel.add_link("eth7");
    node.handle(Event::Link(&link));
    node.run_millis(10);
    assert_eq!(destinations(&node), ["10.0.0.0/8"]);
}

#[test]
fn a_restart_that_keeps_the_addresses_never_misses_the_routes_and_rules() {
    let mut node = master(ROUTES, "");
    node.stop(Keep { addresses: true, services: false });
    node.run_millis(100);
    let (routes, rules) = (node.kernel.routes.len(), node.kernel.rules.len());
    assert_eq!((routes, rules), (2, 1));
    let kernel = core::mem::replace(&mut node.kernel, Kernel::new(ip("192.0.2.11")));
    let mut next = Node::with_kernel(config(ROUTES, ""), kernel, node.now);
    next.director.expect_leftovers();
    for _ in 0..400 {
        next.run_millis(10);
        assert_eq!((next.kernel.routes.len(), next.kernel.rules.len()), (routes, rules), "{:?}", next.now);
    }
    assert!(next.is_master(0));
}

#[test]
fn routes_that_were_left_and_whose_addresses_are_not_here_go() {
    let mut node = master(ROUTES, "");
    node.stop(Keep { addresses: true, services: false });
    node.run_millis(100);
    let mut kernel = core::mem::replace(&mut node.kernel, Kernel::new(ip("192.0.2.11")));
    kernel.links.iter_mut().for_each(|link| link.running = false);
    let mut next = Node::with_kernel(config(ROUTES, ""), kernel, node.now);
    next.director.expect_leftovers();
    next.run_millis(1_000);
    assert!(next.kernel.routes.is_empty() && next.kernel.rules.is_empty());
}

#[test]
fn somebody_who_changes_a_route_in_place_of_ours_all_the_time_starts_one_survey_a_second() {
    let mut node = master("", STATIC);
    let (spec, hops) = node.kernel.routes[0].clone();
    let theirs = RouteSpec { protocol: 186, ..spec };
    for _ in 0..100 {
        node.say_route((&theirs, &hops), true, Source::Foreign);
        node.run_millis(50);
    }
    let is_dump = |one: &Action| matches!(one, Action::Dump { what: Dump::Routes, .. });
    let dumps = node.actions.iter().filter(|(_, one)| is_dump(one)).count();
    assert!((4..=6).contains(&dumps), "{dumps} in 5 s");
}
