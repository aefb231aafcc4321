//! The state machine: its times, its refusals, its manners; the whole of it as a table in `table.rs`.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

mod manners;
mod refusals;
mod table;
mod version3;

use core::net::IpAddr;

use super::{Reject, State, master_down_interval, skew_time};
use crate::config::ids::{InstanceId, LinkId};
use crate::config::model::Manners;
use crate::director::Director;
use crate::director::action::{Action, AdvertKind};
use crate::director::event::{Event, Keep};
use crate::director::journal::Reason;
use crate::director::testing::{Builder, Node, Vr, at};
use crate::time::{Duration, Instant};
use crate::wire::vrrp::{Addresses, Advert, Channel, Checksum, GROUP, Malformed, Received, Version};

const SECOND: Duration = Duration::from_secs(1);
const ME: &str = "192.0.2.11";
const VIP: [[u8; 4]; 1] = [[192, 0, 2, 100]];
const DOWN: Option<u64> = Some(3_609_375);
const SKEW: Option<u64> = Some(609_375);
const INTERVAL: Option<u64> = Some(1_000_000);

fn advert(from: u8, priority: u8) -> Received<'static> {
    Received {
        source: IpAddr::from([192, 0, 2, from]),
        destination: GROUP.into(),
        ttl: 255,
        seal: None,
        advert: Advert {
            version: 2,
            kind: 1,
            vrid: 51,
            priority,
            auth_type: 0,
            interval: Duration::from_secs(1),
            checksum: Checksum::Right,
            addresses: Addresses::V4(&VIP),
            auth_data: [0; 8],
        },
    }
}

fn hear(node: &mut Node, packet: Result<Received<'_>, Malformed>) {
    node.handle(Event::Advert { link: LinkId(0), channel: Channel::Ipv4, packet });
}

/// Kinds of adverts sent since the last look.
fn sent(node: &mut Node) -> Vec<AdvertKind> {
    let kind = |action| match action {
        Action::SendAdvert { kind, .. } => Some(kind),
        _ => None,
    };
    node.take_actions().into_iter().filter_map(kind).collect()
}

/// Microseconds until the protocol timer fires.
fn left(node: &Node) -> Option<u64> {
    node.director.protocol_deadline(InstanceId(0)).map(|at| at.since(node.now).as_micros())
}

/// A box with this instance, the kernel known, what it has sent so far taken.
fn with(vr: Vr, until: u64) -> Node {
    let mut node = Node::new(Builder::new().instance(vr).build(), ME);
    node.run_until(at(until));
    sent(&mut node);
    node.take_records();
    node
}

fn backup() -> Node {
    with(Vr::default(), 500)
}

fn master() -> Node {
    with(Vr::default(), 4_000)
}

#[test]
fn before_the_kernel_has_answered_nothing_is_decided() {
    let mut director = Director::new(Builder::new().instance(Vr::default()).build(), Instant::ZERO);
    director.handle(
        Instant::ZERO,
        Event::Advert { link: LinkId(0), channel: Channel::Ipv4, packet: Ok(advert(99, 150)) },
    );
    assert_eq!(director.vrrp().get(InstanceId(0)).unwrap().state, State::Init);
    assert_eq!(director.protocol_deadline(InstanceId(0)), None);
}

#[test]
fn the_times_are_those_of_rfc_3768_section_6_1() {
    assert_eq!(skew_time(Version::V2, SECOND, 255), Duration::from_micros(3_906));
    assert_eq!(skew_time(Version::V2, SECOND, 150), Duration::from_micros(414_062));
    assert_eq!(skew_time(Version::V2, SECOND, 100), Duration::from_micros(609_375));
    assert_eq!(skew_time(Version::V2, SECOND, 1), Duration::from_micros(996_093));
    assert_eq!(master_down_interval(Version::V2, SECOND.times(1), 150, 3), Duration::from_micros(3_414_062));
    assert_eq!(master_down_interval(Version::V2, SECOND.times(4), 100, 3), Duration::from_micros(12_609_375));
}

#[test]
fn the_owner_is_master_at_once_and_its_priority_never_changes() {
    let owner = Vr { priority: 255, track: vec![("eth1", -50)], ..Vr::default() };
    let mut node = Node::new(Builder::new().instance(owner).build(), ME);
    node.run_millis(10);
    assert!(node.is_master(0));
    let router = node.director.vrrp().get(InstanceId(0)).unwrap();
    assert_eq!((router.priority, router.why), (255, Some(Reason::EnteredMaster(InstanceId(0)))));
}

#[test]
fn a_tracked_interface_with_a_weight_changes_the_priority_within_1_and_254() {
    for (weight, there, wanted) in [(-50, false, 50), (-50, true, 100), (30, true, 130), (30, false, 100)] {
        let config = Builder::new().instance(Vr { track: vec![("eth1", weight)], ..Vr::default() }).build();
        let mut node = Node::new(config, ME);
        if there {
            node.add_link("eth1", "198.51.100.11".parse().unwrap());
        }
        node.run_millis(10);
        let priority = node.director.vrrp().get(InstanceId(0)).unwrap().priority;
        assert_eq!(priority, wanted, "{weight} {there}");
    }
    let config = Builder::new().instance(Vr { track: vec![("eth1", -253)], ..Vr::default() }).build();
    let mut node = Node::new(config, ME);
    node.run_millis(10);
    assert_eq!(node.director.vrrp().get(InstanceId(0)).unwrap().priority, 1);
}

#[test]
fn a_tracked_interface_without_a_weight_means_fault_while_it_is_down() {
    let config = Builder::new().instance(Vr { track: vec![("eth1", 0)], ..Vr::default() }).build();
    let mut node = Node::new(config, ME);
    node.run_until(at(100));
    assert!(matches!(node.state(0), State::Fault(super::Fault::LinkAbsent(LinkId(1)))));
    node.add_link("eth1", "198.51.100.11".parse().unwrap());
    node.run_millis(10);
    assert_eq!(node.state(0), State::Backup);
    node.set_carrier("eth1", false);
    node.run_millis(10);
    assert!(matches!(node.state(0), State::Fault(super::Fault::LinkDown(LinkId(1)))));
}

#[test]
fn a_socket_that_cannot_be_opened_is_a_fault_said_once_and_tried_again() {
    use crate::director::event::Errno;
    use crate::director::testing::Fault;
    let mut node = Node::new(Builder::new().instance(Vr::default()).build(), ME);
    node.fault =
        Box::new(|action| matches!(action, Action::OpenSocket { .. }).then_some(Fault::Refuse(Errno::EPERM)));
    node.run_until(at(60_000));
    assert!(matches!(node.state(0), State::Fault(super::Fault::Socket(_, Errno::EPERM))));
    let said = |node: &mut Node| {
        node.take_records().iter().filter(|one| matches!(one, Reason::SocketFailed(..))).count()
    };
    assert_eq!(said(&mut node), 1);
    node.fault = Box::new(|_| None);
    node.run_until(at(62_000));
    assert_eq!(node.state(0), State::Backup);
}

#[test]
fn lesser_adverts_are_answered_at_most_twice_an_interval() {
    let mut node = master();
    node.take_records();
    for _ in 0..1_000 {
        hear(&mut node, Ok(advert(99, 50)));
        node.run(Duration::from_millis(1));
    }
    assert_eq!(sent(&mut node).len(), 2);
    let said = node.take_records();
    assert_eq!(said.iter().filter(|one| matches!(one, Reason::LowerAnswered(..))).count(), 2);
}

#[test]
fn farewells_are_answered_soon_enough_for_those_that_wait_their_skew_time() {
    let mut node = master();
    hear(&mut node, Ok(advert(99, 0)));
    assert_eq!(sent(&mut node), [AdvertKind::Present]);
    node.run(Duration::from_millis(100));
    hear(&mut node, Ok(advert(98, 0)));
    // A BACKUP of priority 99 takes over 613 ms after the second farewell.
    node.run(Duration::from_millis(400));
    assert_eq!(sent(&mut node), [AdvertKind::Present]);
}

#[test]
fn an_advert_that_was_not_sent_yet_is_not_sent_by_a_backup() {
    let mut node = master();
    let due = node.director.protocol_deadline(InstanceId(0)).unwrap();
    // Both in one turn: the timer makes an advert, the packet makes it worthless.
    node.director.handle(due, Event::Tick);
    node.now = due;
    hear(&mut node, Ok(advert(99, 150)));
    assert_eq!(sent(&mut node), []);
}
