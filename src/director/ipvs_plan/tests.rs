//! The kernel's IPVS table: first looked at, then kept as configured.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use crate::config::ids::{DestinationId, ServiceId};
use crate::config::model::Timeouts;
use crate::director::Director;
use crate::director::action::{Action, Actions, Budget, Change, DestinationRef, Dump, ServiceRef};
use crate::director::event::{Errno, Event, Keep};
use crate::director::ipvs_plan::Availability;
use crate::director::journal::{Cursor, Reason};
use crate::director::reload::Reload;
use crate::director::testing::{Builder, Fault, Kernel, Node, Rs, Server, Vs, at, ip, tcp_key};
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::{
    DestinationEntry, DestinationKey, DestinationSpec, ForwardingMethod, Request, ServiceEntry,
};

const VS: &str = "203.0.113.1:80";

fn two_servers() -> Vs {
    Vs::new(VS, vec![Rs { weight: 3, ..Rs::new("10.0.0.1:80") }, Rs { weight: 5, ..Rs::new("10.0.0.2:80") }])
}

fn builder() -> Builder {
    Builder::new().service(two_servers())
}

const AS_WISHED: [&str; 3] = ["[203.0.113.1]:tcp:80 wlc", "  10.0.0.1:80 3", "  10.0.0.2:80 5"];

/// A director whose table is as wished.
fn settled() -> Node {
    let mut node = Node::new(builder().build(), "192.0.2.11");
    node.run_until(at(1_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
    node.take_actions();
    node.take_records();
    node
}

fn pool(node: &mut Node) -> &mut std::collections::BTreeMap<DestinationKey, DestinationSpec> {
    &mut node.kernel.ipvs.as_mut().unwrap().get_mut(&tcp_key(VS)).unwrap().1
}

fn rs(text: &str) -> DestinationKey {
    DestinationKey { address: ip(text), port: 80 }
}

fn changes(node: &mut Node) -> Vec<(Change, u32)> {
    let change = |action| match action {
        Action::Service { service: ServiceRef::Configured(id), change, .. } => Some((change, 100 + id.0)),
        Action::Destination { destination: DestinationRef::Configured(id), change, .. } => {
            Some((change, id.0))
        }
        Action::Destination { destination: DestinationRef::Stranger(_), change, .. } => Some((change, 999)),
        _ => None,
    };
    node.take_actions().into_iter().filter_map(change).collect()
}

#[test]
fn the_table_is_listed_before_anything_is_changed() {
    let timeouts = Timeouts { tcp: Some(900), ..Timeouts::default() };
    let mut node = Node::new(Builder { flush: true, timeouts, ..builder() }.build(), "192.0.2.11");
    node.run_until(at(100));
    let told = |(_, action): &(Instant, Action)| match action {
        Action::FindIpvs { .. } => Some("find"),
        Action::FlushIpvs { .. } => Some("flush"),
        Action::SetTimeouts { .. } => Some("timeouts"),
        Action::Dump { what: Dump::Services, .. } => Some("list services"),
        Action::Dump { what: Dump::Destinations(_), .. } => Some("list destinations"),
        Action::Service { .. } => Some("service"),
        Action::Destination { .. } => Some("destination"),
        _ => None,
    };
    let story: Vec<&str> = node.actions.iter().filter_map(told).collect();
    let wished = ["find", "flush", "timeouts", "list services", "service", "destination", "destination"];
    assert_eq!(story, wished);
    assert_eq!(node.kernel.timeouts.0, Some(900));
}

#[test]
fn a_table_that_is_right_already_is_not_touched() {
    let kernel = settled().kernel;
    let mut node = Node::with_kernel(builder().build(), kernel, Instant::ZERO);
    node.run_until(at(60_000));
    assert_eq!(changes(&mut node), []);
    assert!(!node.take_records().iter().any(|one| matches!(one, Reason::ServiceMissing(_))));
}

#[test]
fn what_an_earlier_life_left_is_set_right_without_being_taken_down() {
    let mut kernel = settled().kernel;
    let table = kernel.ipvs.as_mut().unwrap();
    let (spec, pool) = table.get_mut(&tcp_key(VS)).unwrap();
    spec.timeout = 7;
    pool.get_mut(&rs("10.0.0.1")).unwrap().weight = 1;
    pool.insert(rs("10.0.0.9"), *pool.values().next().unwrap());
    pool.remove(&rs("10.0.0.2"));
    let mut node = Node::with_kernel(builder().build(), kernel, Instant::ZERO);
    node.run_until(at(100));
    let expected = [(Change::Set, 100), (Change::Set, 0), (Change::Add, 1), (Change::Remove, 999)];
    assert_eq!(changes(&mut node), expected);
    assert_eq!(node.kernel.table(), AS_WISHED);
}

#[test]
fn a_service_of_somebody_else_is_left_alone() {
    let mut node = settled();
    let other = node.kernel.ipvs.as_ref().unwrap()[&tcp_key(VS)].clone();
    node.kernel.ipvs.as_mut().unwrap().insert(tcp_key("198.51.100.1:25"), other);
    node.run_until(at(30_000));
    assert_eq!(changes(&mut node), []);
    node.stop(Keep::default());
    node.run_millis(10);
    assert_eq!(node.kernel.table()[0], "[198.51.100.1]:tcp:25 wlc");
    assert_eq!(node.kernel.ipvs.as_ref().unwrap().len(), 1);
}

#[test]
fn a_flush_by_hand_is_healed_within_a_pass_and_recorded() {
    let mut node = settled();
    node.kernel.ipvs.as_mut().unwrap().clear();
    node.run_until(at(6_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
    assert_eq!(node.take_records(), [Reason::ServiceMissing(ServiceId(0))]);
    assert_eq!(node.director.ipvs_plan().repairs_total(), 1);
}

#[test]
fn weight_server_and_stranger_changed_by_hand_are_set_back_and_named() {
    let mut node = settled();
    pool(&mut node).get_mut(&rs("10.0.0.1")).unwrap().weight = 0;
    node.run_until(at(6_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
    assert_eq!(node.take_records(), [Reason::DestinationDiffers(DestinationId(0), 0)]);
    pool(&mut node).remove(&rs("10.0.0.2"));
    node.run_until(at(12_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
    assert_eq!(node.take_records(), [Reason::DestinationMissing(DestinationId(1))]);
    let spec = DestinationSpec { method: ForwardingMethod::Masquerade, weight: 9, upper: 0, lower: 0 };
    for n in 1..=100 {
        pool(&mut node).insert(rs(&format!("10.6.6.{n}")), spec);
    }
    node.run_until(at(30_000));
    assert_eq!(node.kernel.table(), AS_WISHED, "more strangers than are held at once");
    assert!(node.take_records().contains(&Reason::DestinationStrange(ServiceId(0), rs("10.6.6.100"))));
    assert_eq!(node.director.ipvs_plan().troubled(), 0);
}

#[test]
fn requests_that_meet_a_table_changed_by_hand_end_well() {
    // What a hand did before the director, which does not know, asks for the opposite.
    let mut node = settled();
    pool(&mut node).remove(&rs("10.0.0.1"));
    node.servers.insert("10.0.0.1:80".parse().unwrap(), Server::Refuses);
    node.run_until(at(4_500));
    assert_eq!(node.kernel.table(), ["[203.0.113.1]:tcp:80 wlc", "  10.0.0.2:80 5"], "remove: no such entry");
    let spec = *pool(&mut node).values().next().unwrap();
    pool(&mut node).insert(rs("10.0.0.1"), spec);
    node.servers.clear();
    node.run_until(at(6_500));
    assert_eq!(node.kernel.table(), AS_WISHED, "add: exists already, in another shape");
    node.kernel.ipvs.as_mut().unwrap().clear();
    node.servers.insert("10.0.0.2:80".parse().unwrap(), Server::Refuses);
    node.run_until(at(9_500));
    node.servers.clear();
    node.run_until(at(20_000));
    assert_eq!(node.kernel.table(), AS_WISHED, "the service itself was gone");
    assert_eq!(node.director.ipvs_plan().troubled(), 0);
}

#[test]
fn a_scheduler_that_the_kernel_has_not_is_said_once_and_holds_up_nobody() {
    let other = Vs { scheduler: "nosuch", ..Vs::new("203.0.113.2:80", vec![Rs::new("10.0.0.3:80")]) };
    let mut node = Node::new(Builder::new().service(other).service(two_servers()).build(), "192.0.2.11");
    node.run_until(at(200_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
    let failed = Reason::ServiceFailed(ServiceId(0), Change::Add, Errno::ENOENT);
    assert_eq!(node.take_records().iter().filter(|one| **one == failed).count(), 1);
    assert_eq!(node.director.ipvs_plan().service_error(ServiceId(0)), Some(Errno::ENOENT));
    assert_eq!(changes(&mut node).iter().filter(|one| **one == (Change::Add, 100)).count(), 1);
}

#[test]
fn an_ipvs_that_comes_late_is_found_and_one_that_goes_is_missed_once() {
    let kernel = Kernel { ipvs: None, ..Kernel::new(ip("192.0.2.11")) };
    let mut node = Node::with_kernel(builder().build(), kernel, Instant::ZERO);
    node.run_until(at(60_000));
    let absent = Reason::IpvsAbsent(Errno::ENOENT);
    assert_eq!(node.take_records().iter().filter(|one| **one == absent).count(), 1);
    node.kernel.ipvs = Some(Default::default());
    node.run_until(at(66_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
    assert!(node.take_records().contains(&Reason::IpvsFound));
    node.kernel.ipvs = None;
    node.run_until(at(90_000));
    assert!(matches!(node.director.ipvs_plan().availability(), Availability::Absent(Errno::ENOENT)));
    assert_eq!(node.take_records().iter().filter(|one| **one == absent).count(), 1);
    node.kernel.ipvs = Some(Default::default());
    node.run_until(at(100_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
}

#[test]
fn what_is_added_comes_before_what_is_removed() {
    let sorry = Some(Rs::new("10.9.9.9:80"));
    let vs = Vs { sorry, quorum: 8, ..two_servers() };
    let mut node = Node::new(Builder::new().service(vs).build(), "192.0.2.11");
    node.run_until(at(1_500));
    assert_eq!(node.kernel.table(), AS_WISHED);
    node.take_actions();
    node.servers.insert("10.0.0.1:80".parse().unwrap(), Server::Refuses);
    node.run_until(at(4_500));
    assert_eq!(changes(&mut node), [(Change::Add, 2), (Change::Remove, 0), (Change::Remove, 1)]);
    node.servers.clear();
    node.run_until(at(8_500));
    assert_eq!(changes(&mut node), [(Change::Add, 0), (Change::Add, 1), (Change::Remove, 2)]);
}

#[test]
fn a_stop_removes_the_services_whole_unless_they_are_to_be_kept() {
    let mut node = settled();
    node.stop(Keep::default());
    node.run_millis(10);
    assert_eq!(changes(&mut node), [(Change::Remove, 100)]);
    assert!(node.director.is_stopped() && node.kernel.table().is_empty());
    let mut node = settled();
    node.stop(Keep { addresses: false, services: true });
    assert!(node.director.is_stopped());
    node.run_until(at(60_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
}

#[test]
fn a_removal_that_was_refused_is_not_forgotten_when_the_server_is_down_for_good() {
    let mut node = settled();
    node.fault = Box::new(|action| {
        let hit = matches!(action, Action::Destination { change: Change::Set | Change::Remove, .. });
        hit.then_some(Fault::Refuse(Errno::EINVAL))
    });
    pool(&mut node).get_mut(&rs("10.0.0.1")).unwrap().weight = 9;
    node.run_until(at(7_000));
    assert_eq!(node.director.ipvs_plan().destination_error(DestinationId(0)), Some(Errno::EINVAL));
    node.fault = Box::new(|_| None);
    node.servers.insert("10.0.0.1:80".parse().unwrap(), Server::Refuses);
    node.run(Duration::from_secs(3));
    assert_eq!(node.kernel.table(), ["[203.0.113.1]:tcp:80 wlc", "  10.0.0.2:80 5"]);
}

#[test]
fn a_dump_that_always_fails_is_said_once_and_tried_again() {
    let mut node = Node::new(builder().build(), "192.0.2.11");
    node.fault =
        Box::new(|action| matches!(action, Action::Dump { .. }).then_some(Fault::Refuse(Errno::ENOBUFS)));
    node.run_until(at(60_000));
    let failed = |one: &&Reason| matches!(one, Reason::DumpFailed(..));
    assert_eq!(node.take_records().iter().filter(failed).count(), 2, "one for each family");
    node.fault = Box::new(|_| None);
    node.run_until(at(62_000));
    assert_eq!(node.kernel.table(), AS_WISHED);
}

#[test]
fn a_request_says_what_was_asked_for_even_if_the_wish_changes_before_it_is_written() {
    let mut node = settled();
    let spec = pool(&mut node)[&rs("10.0.0.2")];
    let director = &mut node.director;
    let (now, budget) =
        (at(10_000), Budget { route: 0, ipvs: 1, announcements: 0, probes: 0, probes_meanwhile: 0 });
    let ask = |director: &mut Director| {
        let mut out = Actions::new();
        director.poll_actions(now, budget, &mut out);
        out.into_iter().find(|one| !matches!(one, Action::SendAdvert { .. })).unwrap()
    };
    director.handle(now, Event::Tick);
    let dump = ask(director);
    let service = ServiceEntry { key: tcp_key(VS), spec: director.config().services[0].spec };
    director.handle(now, Event::Service(&service));
    director.handle(now, Event::Dumped { action: dump, result: Ok(()) });
    let dump = ask(director);
    let entry = DestinationEntry { key: rs("10.0.0.2"), spec, active: 0, inactive: 0, persistent: 0 };
    director.handle(now, Event::Destination(&entry));
    director.handle(now, Event::Dumped { action: dump, result: Ok(()) });
    let action = ask(director);
    assert!(matches!(action, Action::Destination { change: Change::Add, .. }), "{action:?}");
    director.handle(now, Event::Stop { keep: Keep::default() });
    let wanted = Request::NewDestination(tcp_key(VS), rs("10.0.0.1"), DestinationSpec { weight: 3, ..spec });
    assert_eq!(director.ipvs_request(action), Some(wanted));
}

/// The kernel's listing goes on by count: while services are removed it passes over others.
#[test]
fn a_listing_during_which_we_removed_a_service_proves_nothing_and_is_made_again() {
    let second = Vs::new("203.0.113.2:80", vec![Rs::new("10.0.0.3:80")]);
    let mut node = Node::new(builder().service(second).build(), "192.0.2.11");
    node.run_until(at(1_000));
    node.take_records();
    let (now, mut node) = (node.now, node.director);
    let mut reload = Reload::new(builder().build(), &node, now);
    while !reload.step(&node) {}
    node.adopt(now, reload);
    let budget = Budget { route: 0, ipvs: 8, announcements: 0, probes: 0, probes_meanwhile: 0 };
    let ask = |node: &mut Director, now| {
        let mut out = Actions::new();
        node.poll_actions(now, budget, &mut out);
        out.into_iter().collect::<Vec<_>>()
    };
    let is_dump = |one: &Action| matches!(one, Action::Dump { what: Dump::Services, .. });
    let is_removal = |one: &Action| matches!(one, Action::Service { change: Change::Remove, .. });
    let asked = ask(&mut node, now);
    let removal = *asked.iter().find(|one| is_removal(one)).unwrap();
    let listing = *asked.iter().find(|one| is_dump(one)).unwrap();
    let mut cursor = Cursor::default();
    let mut says_missing = |node: &Director| {
        let records = core::iter::from_fn(|| node.journal().read(&mut cursor));
        records.filter(|(_, one)| matches!(one.reason, Reason::ServiceMissing(_))).count()
    };
    node.handle(now, Event::Applied { action: removal, result: Ok(()) });
    node.handle(now, Event::Dumped { action: listing, result: Ok(()) });
    assert_eq!(says_missing(&node), 0, "the service that it passed over is there");
    assert!(!ask(&mut node, now).iter().any(is_dump), "not at once");
    let later = now + Duration::from_secs(1);
    node.handle(later, Event::Tick);
    let listing = *ask(&mut node, later).iter().find(|one| is_dump(one)).unwrap();
    node.handle(later, Event::Dumped { action: listing, result: Ok(()) });
    assert_eq!(says_missing(&node), 1, "a listing without removals proves it");
}

/// What it held before is still in it.
#[test]
fn a_service_whose_removal_was_refused_is_listed_at_once_when_it_is_configured_again() {
    let with = |servers: &[&str]| {
        let servers = servers.iter().map(|one| Rs::new(*one)).collect();
        builder().service(Vs::new("203.0.113.2:80", servers)).build()
    };
    let mut node = Node::new(with(&["10.0.0.3:80", "10.0.0.4:80"]), "192.0.2.11");
    node.run_until(at(1_000));
    node.fault = Box::new(|action| {
        let hit = matches!(action, Action::Service { change: Change::Remove, .. });
        hit.then_some(Fault::Refuse(Errno::EPERM))
    });
    node.reload(builder().build());
    node.run(Duration::from_secs(2));
    assert_eq!(node.kernel.table().len(), 6, "it is still there");
    node.fault = Box::new(|_| None);
    node.reload(with(&["10.0.0.3:80"]));
    node.run_millis(100);
    assert_eq!(node.kernel.table()[3..], ["[203.0.113.2]:tcp:80 wlc", "  10.0.0.3:80 1"]);
}
