//! Addresses in the kernel and their announcements.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use crate::config::ids::AddressId;
use crate::config::model::Announce;
use crate::director::action::{Action, AddressRef, Change};
use crate::director::event::{Errno, Keep};
use crate::director::journal::{Family, Reason};
use crate::director::testing::{Builder, Fault, Kernel, Node, Vr, at, ip};
use crate::director::vrrp::State;
use crate::time::{Duration, Instant};

fn vips(count: u8) -> Vec<String> {
    (0..count).map(|n| format!("192.0.2.{}/24", 100 + n)).collect()
}

/// A MASTER whose second burst is over.
fn master(vr: Vr) -> Node {
    let mut node = Node::new(Builder::new().instance(vr).build(), "192.0.2.11");
    node.run_until(at(10_000));
    assert!(node.is_master(0));
    node.announced.clear();
    node.take_actions();
    node.take_records();
    node
}

#[test]
fn a_lone_backup_is_master_after_master_down_and_holds_its_addresses() {
    let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
    node.run_until(at(3_600));
    assert!(!node.is_master(0) && node.vips().is_empty());
    node.run_until(at(3_615));
    assert!(node.is_master(0));
    node.assert_addresses_as_wished();
    node.stop(Keep { addresses: true, services: false });
    node.run_millis(100);
    assert!(node.director.is_stopped() && node.has_vip("192.0.2.100"));
}

/// Their removal interrupts the first survey, which is no reason to stand aside for a second.
#[test]
fn a_start_over_addresses_left_behind_removes_them_and_takes_part_at_once() {
    let mut kernel = Kernel::new(ip("192.0.2.11"));
    kernel.add_address("eth0", ip("192.0.2.100"), 24);
    let config = Builder::new().instance(Vr::default()).build();
    let mut node = Node::with_kernel(config, kernel, Instant::ZERO);
    node.run_until(at(10));
    assert!(!node.has_vip("192.0.2.100"));
    assert_eq!(node.state(0), State::Backup);
    node.run_until(at(3_620));
    assert!(node.is_master(0));
    node.assert_addresses_as_wished();
}

#[test]
fn an_address_removed_by_hand_is_put_back_and_announced_alone() {
    let mut node = master(Vr { vips: vips(3), ..Vr::default() });
    node.delete_by_hand("192.0.2.101");
    node.run_millis(1);
    node.assert_addresses_as_wished();
    assert_eq!(node.take_records()[0], Reason::AddressMissing(AddressId(1)));
    node.run_until(at(30_000));
    let announced: Vec<_> = node.announced.iter().map(|(_, address, _)| *address).collect();
    assert_eq!(announced, [ip("192.0.2.101"); 5]);
}

#[test]
fn two_hundred_addresses_removed_at_once_are_put_back_at_once() {
    let mut node = master(Vr { vips: vips(100), ..Vr::default() });
    (0..100).for_each(|n| node.delete_by_hand(&format!("192.0.2.{}", 100 + n)));
    node.run_millis(1);
    node.assert_addresses_as_wished();
    assert!(!node.director.net_plan().repairs_held());
}

#[test]
fn who_fights_us_is_left_alone_for_a_while_and_named_once() {
    let mut node = master(Vr::default());
    for _ in 0..90 {
        node.delete_by_hand("192.0.2.100");
        node.run_millis(100);
    }
    let adds = node.take_actions().iter().filter(|one| matches!(one, Action::AddAddress { .. })).count();
    assert_eq!(adds, 5, "within ten seconds");
    let records = node.take_records();
    assert_eq!(records.iter().filter(|one| **one == Reason::RepairsHeld(Family::Addresses)).count(), 1);
    assert!(node.director.net_plan().repairs_held() && !node.has_vip("192.0.2.100"));
    node.run_millis(1_500);
    node.assert_addresses_as_wished();
    assert!(!node.director.net_plan().repairs_held());
}

#[test]
fn an_address_that_a_backup_finds_is_removed() {
    let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
    node.run_until(at(1_000));
    node.add_by_hand("192.0.2.100");
    node.run_millis(1);
    assert!(node.vips().is_empty());
    assert!(node.take_records().contains(&Reason::AddressUnwanted(AddressId(0))));
}

#[test]
fn what_an_earlier_life_left_behind_is_removed_at_the_start_and_is_no_source() {
    let mut kernel = Kernel::new(ip("192.0.2.11"));
    for n in 0..50 {
        kernel.add_address("eth0", ip(&format!("192.0.2.{}", 100 + n)), 24);
    }
    kernel.addresses.rotate_left(1);
    let config = Builder::new().instance(Vr { vips: vips(50), ..Vr::default() }).build();
    let mut node = Node::with_kernel(config, kernel, Instant::ZERO);
    node.run_until(at(10));
    assert!(node.vips().is_empty());
    let primary =
        node.director.links().get(crate::config::ids::LinkId(0)).source(crate::wire::vrrp::Family::Ipv4);
    assert_eq!(primary, Some(ip("192.0.2.11")));
}

#[test]
fn nothing_is_announced_before_all_addresses_of_the_instance_are_there() {
    let config = Builder::new().instance(Vr { vips: vips(3), ..Vr::default() }).build();
    let mut node = Node::new(config, "192.0.2.11");
    node.latency = Duration::from_millis(3);
    node.run_until(at(20_000));
    let last_add = node.actions.iter().rfind(|(_, one)| matches!(one, Action::AddAddress { .. })).unwrap().0;
    assert_eq!(node.announced.first().unwrap().0.since(last_add), Duration::from_millis(3));
    let times: Vec<u64> = node.announced.iter().map(|(at, _, _)| at.as_micros() / 1_000).collect();
    assert_eq!((times.len(), times[29] - times[0]), (30, 4_997), "five rounds, and again five seconds after");
    let order = [ip("192.0.2.100"), ip("192.0.2.101"), ip("192.0.2.102")];
    assert!(node.announced.chunks(3).all(|round| round.iter().map(|one| one.1).eq(order)));
}

#[test]
fn an_address_that_the_kernel_refuses_delays_no_other_and_is_announced_when_it_comes() {
    let config = Builder::new().instance(Vr { vips: vips(3), ..Vr::default() }).build();
    let mut node = Node::new(config, "192.0.2.11");
    let second = AddressRef::Configured(AddressId(1));
    node.fault = Box::new(move |action| {
        let hit = matches!(action, Action::AddAddress { address, .. } if *address == second);
        hit.then_some(Fault::Refuse(Errno(12)))
    });
    node.run_until(at(9_000));
    assert_eq!(node.vips(), [ip("192.0.2.100"), ip("192.0.2.102")]);
    assert_eq!(node.announced.len(), 20);
    let failed = Reason::AddressFailed(AddressId(1), Change::Add, Errno(12));
    assert_eq!(node.take_records().iter().filter(|one| **one == failed).count(), 3, "at 3.6, 4.6 and 6.6 s");
    node.fault = Box::new(|_| None);
    node.announced.clear();
    node.run_until(at(12_000));
    assert_eq!(node.announced.iter().map(|one| one.1).collect::<Vec<_>>(), [ip("192.0.2.101"); 5]);
}

#[test]
fn what_was_refused_for_good_is_not_tried_again_because_a_lesser_router_speaks() {
    let mut lesser = master(Vr { priority: 50, ..Vr::default() });
    lesser.outbox.clear();
    let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.12");
    node.fault =
        Box::new(|action| matches!(action, Action::AddAddress { .. }).then_some(Fault::Refuse(Errno::EPERM)));
    node.run_until(at(4_000));
    lesser.run_millis(1_000);
    let packet = lesser.outbox[0].bytes.clone();
    for _ in 0..20 {
        node.hear(&packet);
        node.run_millis(1_000);
    }
    let failed = |one: &&Reason| matches!(one, Reason::AddressFailed(..));
    assert_eq!(node.take_records().iter().filter(failed).count(), 1);
}

#[test]
fn the_refresh_announces_once_a_period_and_is_no_news() {
    let announce = Announce { refresh: Duration::from_secs(60), refresh_repeat: 2, ..Vr::default().announce };
    let mut node = master(Vr { announce, vips: vips(2), ..Vr::default() });
    node.run(Duration::from_secs(180));
    assert_eq!(node.announced.len(), 3 * 2 * 2);
    assert!(!node.take_records().iter().any(|one| matches!(one, Reason::Announcing(_))));
}

#[test]
fn a_lesser_router_makes_the_addresses_be_announced_again() {
    let config = Builder::new().instance(Vr { priority: 50, ..Vr::default() }).build();
    let mut lesser = Node::new(config, "192.0.2.12");
    lesser.run_millis(5_000);
    let mut node = master(Vr::default());
    node.hear(&lesser.outbox.last().unwrap().bytes.clone());
    node.run_millis(10_000);
    assert_eq!(node.announced.len(), 10);
    assert_eq!(node.announced[9].0.since(node.announced[0].0), Duration::from_secs(5));
}

#[test]
fn a_rival_script_that_strikes_while_we_ask_is_noticed() {
    for strike in 0..30 {
        let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
        node.latency = Duration::from_micros(700);
        node.delay = Duration::from_micros(100);
        node.run_until(at(3_600));
        while !node.has_vip("192.0.2.100") {
            node.step();
        }
        node.run(Duration::from_micros(strike * 30));
        node.delete_by_hand("192.0.2.100");
        node.run_millis(1_100);
        node.assert_addresses_as_wished();
    }
}

#[test]
fn a_dump_that_is_overtaken_by_events_is_made_again_and_not_mistaken_for_the_next() {
    let mut node = master(Vr::default());
    node.latency = Duration::from_millis(1);
    node.overrun();
    node.run(Duration::from_micros(1_003));
    // In the middle of the dump of interfaces: what it has shown so far is only a part.
    node.overrun();
    node.run_millis(50);
    assert!(node.is_master(0));
    assert!(!node.take_records().contains(&Reason::LinkAbsent(crate::config::ids::LinkId(0))));
    assert_eq!(node.director.stale_total(), 0);
}

#[test]
fn an_answer_of_an_interface_that_was_replaced_says_nothing_of_the_new_one() {
    let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
    node.latency = Duration::from_millis(4);
    node.run_until(at(3_500));
    while !node.has_vip("192.0.2.100") {
        node.step();
    }
    // Added on the old interface; the answer comes when the new one is there.
    node.remove_link("eth0");
    node.add_link("eth0", ip("192.0.2.11"));
    node.run_millis(20);
    assert!(!node.has_vip("192.0.2.100") && !node.director.net_plan().is_present(AddressId(0)));
    node.run(Duration::from_secs(6));
    assert!(node.is_master(0));
    node.assert_addresses_as_wished();
}
