//! The state machine as a table, its times, its refusals.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use core::net::{IpAddr, Ipv4Addr};

use super::{Reject, State, master_down_interval, skew_time};
use crate::config::ids::{InstanceId, LinkId};
use crate::config::model::Preemption;
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

#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    Backup,
    Staying,
    Master,
    Fault,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Higher,
    EqualBelow,
    EqualAbove,
    Lower,
    Zero,
    Timer,
    LinkDown,
    LinkUp,
    Stop,
}

fn node(from: From) -> Node {
    let preemption = if from == From::Staying { Preemption::Stay } else { Preemption::Preempt };
    let config = Builder::new().instance(Vr { preemption, ..Vr::default() }).build();
    let mut node = Node::new(config, ME);
    node.run_until(at(if from == From::Master { 4_000 } else { 500 }));
    if from == From::Fault {
        node.set_carrier("eth0", false);
        node.run_millis(10);
    }
    sent(&mut node);
    node
}

fn happen(node: &mut Node, what: What) {
    match what {
        What::Higher => hear(node, Ok(advert(99, 150))),
        What::EqualBelow => hear(node, Ok(advert(5, 100))),
        What::EqualAbove => hear(node, Ok(advert(99, 100))),
        What::Lower => hear(node, Ok(advert(99, 50))),
        What::Zero => hear(node, Ok(advert(99, 0))),
        What::Timer => {
            let due = node.director.protocol_deadline(InstanceId(0)).unwrap();
            node.run_until(due);
        }
        What::LinkDown => {
            node.delay = Duration::ZERO;
            node.set_carrier("eth0", false);
            node.run(Duration::ZERO);
        }
        What::LinkUp => {
            node.delay = Duration::ZERO;
            node.set_carrier("eth0", true);
            node.run(Duration::ZERO);
        }
        What::Stop => node.stop(Keep::default()),
    }
}

/// From where, what, where to, which adverts are sent, and when the timer fires after.
type Row = (From, What, &'static str, &'static [AdvertKind], Option<u64>);

/// RFC 3768 section 6.4 as keepalived does it; `KEPT`: the timer goes on as it was.
#[test]
fn every_event_in_every_state_leads_where_the_protocol_says() {
    use AdvertKind::{Farewell, Present};
    const KEPT: Option<u64> = Some(u64::MAX);
    let table: &[Row] = &[
        (From::Backup, What::Higher, "BACKUP", &[], DOWN),
        (From::Backup, What::EqualBelow, "BACKUP", &[], DOWN),
        (From::Backup, What::EqualAbove, "BACKUP", &[], DOWN),
        (From::Backup, What::Lower, "BACKUP", &[], KEPT),
        (From::Backup, What::Zero, "BACKUP", &[], SKEW),
        (From::Backup, What::Timer, "MASTER", &[Present], INTERVAL),
        (From::Backup, What::LinkDown, "FAULT", &[], None),
        (From::Backup, What::LinkUp, "BACKUP", &[], KEPT),
        (From::Backup, What::Stop, "INIT", &[], None),
        (From::Staying, What::Higher, "BACKUP", &[], DOWN),
        (From::Staying, What::Lower, "BACKUP", &[], DOWN),
        (From::Staying, What::Zero, "BACKUP", &[], SKEW),
        (From::Staying, What::Timer, "MASTER", &[Present], INTERVAL),
        (From::Master, What::Higher, "BACKUP", &[], DOWN),
        (From::Master, What::EqualBelow, "MASTER", &[Present], INTERVAL),
        (From::Master, What::EqualAbove, "BACKUP", &[], DOWN),
        (From::Master, What::Lower, "MASTER", &[Present], INTERVAL),
        (From::Master, What::Zero, "MASTER", &[Present], INTERVAL),
        (From::Master, What::Timer, "MASTER", &[Present], INTERVAL),
        (From::Master, What::LinkDown, "FAULT", &[Farewell], None),
        (From::Master, What::LinkUp, "MASTER", &[], KEPT),
        (From::Master, What::Stop, "INIT", &[Farewell], None),
        (From::Fault, What::Higher, "FAULT", &[], None),
        (From::Fault, What::Lower, "FAULT", &[], None),
        (From::Fault, What::Zero, "FAULT", &[], None),
        (From::Fault, What::LinkDown, "FAULT", &[], None),
        (From::Fault, What::LinkUp, "BACKUP", &[], DOWN),
        (From::Fault, What::Stop, "INIT", &[], None),
    ];
    for (from, what, to, adverts, timer) in table {
        let mut node = node(*from);
        let before = left(&node);
        happen(&mut node, *what);
        let state = match node.state(0) {
            State::Init => "INIT",
            State::Backup => "BACKUP",
            State::Master => "MASTER",
            State::Fault(_) => "FAULT",
        };
        assert_eq!((state, &sent(&mut node)[..]), (*to, *adverts), "{from:?} {what:?}");
        let timer = if *timer == KEPT { before } else { *timer };
        assert_eq!(left(&node), timer, "{from:?} {what:?}");
    }
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
    assert_eq!(master_down_interval(Version::V2, SECOND.times(1), 150), Duration::from_micros(3_414_062));
    assert_eq!(master_down_interval(Version::V2, SECOND.times(4), 100), Duration::from_micros(12_609_375));
}

#[test]
fn v58_in_version_3_the_skew_is_of_the_active_router_s_interval() {
    let tenth = Duration::from_millis(100);
    assert_eq!(skew_time(Version::V3, tenth, 100), Duration::from_micros(60_937));
    assert_eq!(skew_time(Version::V3, Duration::from_millis(10), 254), Duration::from_micros(78));
    assert_eq!(master_down_interval(Version::V3, tenth, 100), Duration::from_micros(360_937));
}

fn v3_node() -> Node {
    let mut node = Node::new(Builder::new().instance(Vr { v3: Some(100), ..Vr::default() }).build(), ME);
    node.run_until(at(50));
    node
}

fn v3_advert(priority: u8, interval: u64) -> Received<'static> {
    let mut packet = advert(99, priority);
    (packet.advert.version, packet.advert.interval) = (3, Duration::from_millis(interval));
    packet
}

fn interval(node: &Node) -> Duration {
    node.director.vrrp().get(InstanceId(0)).unwrap().master_interval
}

#[test]
fn v30_v56_a_backup_goes_by_the_interval_of_the_router_it_follows() {
    let mut node = v3_node();
    let wait = left(&node).unwrap();
    assert!((310_937..=360_937).contains(&wait), "V41: our own interval before any is heard: {wait}");
    node.take_records();
    for _ in 0..2 {
        hear(&mut node, Ok(v3_advert(150, 250)));
    }
    assert_eq!(left(&node), Some(750_000 + 152_343));
    assert_eq!(node.take_records(), [Reason::IntervalAdopted(InstanceId(0), 10, 25)], "said once");
    hear(&mut node, Ok(v3_advert(0, 250)));
    assert_eq!(left(&node), Some(152_343), "V55: the skew of that interval");
    hear(&mut node, Ok(v3_advert(50, 4_000)));
    assert_eq!(interval(&node), Duration::from_millis(250), "V57: a lesser router is not followed");
}

#[test]
fn v54_a_new_master_goes_by_its_own_interval_again() {
    let mut node = v3_node();
    hear(&mut node, Ok(v3_advert(150, 250)));
    node.run(Duration::from_millis(910));
    assert!(node.is_master(0));
    assert!(node.take_records().contains(&Reason::IntervalRestored(InstanceId(0), 25, 10)));
    assert!(left(&node).unwrap() <= 100_000);
    hear(&mut node, Ok(v3_advert(150, 300)));
    assert_eq!(node.state(0), State::Backup);
    assert_eq!(left(&node), Some(900_000 + 182_812), "V67: the interval of the one it gives way to");
}

#[test]
fn v10_v21_v29_version_3_refuses_no_addresses_no_interval_and_version_2() {
    for (reject, change) in [
        (Reject::Version, (|one| one.advert.version = 2) as fn(&mut Received<'static>)),
        (Reject::Interval, |one| one.advert.interval = Duration::ZERO),
        (Reject::Count, |one| one.advert.addresses = Addresses::V4(&[])),
    ] {
        let mut node = v3_node();
        let before = left(&node);
        let mut packet = v3_advert(150, 100);
        change(&mut packet);
        hear(&mut node, Ok(packet));
        let rejects = node.director.vrrp().get(InstanceId(0)).unwrap().rejects;
        assert_eq!((rejects.total(reject), rejects.sum()), (1, 1), "{reject:?}");
        assert_eq!(left(&node), before);
    }
}

#[test]
fn the_same_vrid_of_the_other_family_is_another_virtual_router() {
    use crate::director::testing::Kernel;
    let vips = vec!["fe80::100/128".into(), "2001:db8::100/64".into()];
    let six = Vr { name: "VI_6", v3: Some(1_000), vips, priority: 150, ..Vr::default() };
    let config = Builder::new().instance(Vr::default()).instance(six).build();
    let kernel = Kernel::dual(ME.parse().unwrap());
    let mut node = Node::with_kernel(config, kernel, Instant::ZERO);
    node.run_until(at(4_000));
    assert!(node.is_master(0) && node.is_master(1));
    assert!(node.has_vip("fe80::100") && node.has_vip("192.0.2.100"));
    let from = |heard: &crate::director::testing::Heard| heard.bytes[0] >> 4;
    assert!(node.outbox.iter().any(|one| from(one) == 4) && node.outbox.iter().any(|one| from(one) == 6));
    let mut packet = v3_advert(200, 1_000);
    (packet.source, packet.destination) = ("fe80::9".parse().unwrap(), crate::wire::vrrp::GROUP6.into());
    packet.advert.addresses = Addresses::V6(&[[1; 16]]);
    node.handle(Event::Advert { link: LinkId(0), channel: Channel::Ipv6, packet: Ok(packet) });
    assert_eq!((node.state(0), node.state(1)), (State::Master, State::Backup));
}

#[test]
fn over_ipv6_an_interface_without_a_link_local_address_is_a_fault() {
    use crate::wire::vrrp::Family;
    let vips = vec!["fe80::100/128".to_owned()];
    let config = Builder::new().instance(Vr { v3: Some(1_000), vips, ..Vr::default() }).build();
    let mut node = Node::new(config, ME);
    node.run_until(at(500));
    assert_eq!(node.state(0), State::Fault(super::Fault::NoAddress(LinkId(0), Family::Ipv6)));
    node.add_by_hand("2001:db8::1");
    node.run_millis(10);
    assert!(matches!(node.state(0), State::Fault(_)), "a global address does not do");
    node.add_by_hand("fe80::1");
    node.run_millis(10);
    assert_eq!(node.state(0), State::Backup);
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
fn every_refusal_is_counted_each_time_said_once_and_moves_nothing() {
    let right = advert(99, 150);
    let with = |change: &dyn Fn(&mut Received<'static>)| {
        let mut packet = right;
        change(&mut packet);
        Ok(packet)
    };
    let cases: Vec<(Reject, Result<Received<'static>, Malformed>)> = vec![
        (Reject::Length, Err(Malformed::Short { vrid: Some(51) })),
        (Reject::Count, Err(Malformed::Count { vrid: 51 })),
        (Reject::Version, Err(Malformed::Version { vrid: 51, version: 3 })),
        (Reject::Ttl, with(&|one| one.ttl = 254)),
        (Reject::AuthType, with(&|one| one.advert.auth_type = 3)),
        (Reject::AuthMismatch, with(&|one| one.advert.auth_type = 0)),
        (Reject::Password, with(&|one| one.advert.auth_data[7] = 1)),
        (Reject::Interval, with(&|one| one.advert.interval = Duration::from_secs(2))),
        (Reject::Type, with(&|one| one.advert.kind = 2)),
        (Reject::Checksum, with(&|one| one.advert.checksum = Checksum::Wrong)),
        (Reject::Destination, with(&|one| one.destination = Ipv4Addr::new(224, 0, 0, 19).into())),
        (Reject::Own, with(&|one| one.source = Ipv4Addr::new(192, 0, 2, 11).into())),
    ];
    for (reject, packet) in cases {
        let config = Builder::new().instance(Vr { password: Some("1111"), ..Vr::default() }).build();
        let mut node = Node::new(config, ME);
        node.run_until(at(500));
        node.take_records();
        let packet = packet.map(|mut one| {
            if !matches!(reject, Reject::AuthMismatch | Reject::AuthType) {
                one.advert.auth_type = 1;
            }
            one.advert.auth_data[..4].copy_from_slice(b"1111");
            one
        });
        let before = left(&node);
        for _ in 0..3 {
            hear(&mut node, packet);
        }
        let rejects = node.director.vrrp().get(InstanceId(0)).unwrap().rejects;
        assert_eq!((rejects.total(reject), rejects.sum()), (3, 3), "{reject:?}");
        assert_eq!(left(&node), before, "{reject:?}");
        let records = node.take_records();
        assert!(
            matches!(records[..], [Reason::Rejected(_, said, ..)] if said == reject),
            "{reject:?}: {records:?}"
        );
    }
}

#[test]
fn what_belongs_to_nobody_is_counted_apart_and_not_said() {
    let mut node = node(From::Backup);
    node.take_records();
    let mut other = advert(99, 150);
    other.advert.vrid = 52;
    hear(&mut node, Ok(other));
    hear(&mut node, Err(Malformed::Header));
    let strays = node.director.vrrp().strays;
    assert_eq!((strays.total(Reject::UnknownVrid), strays.total(Reject::Header), strays.sum()), (1, 1, 2));
    assert!(node.take_records().is_empty());
}

#[test]
fn unicast_hears_any_ttl_and_with_the_check_only_its_peers() {
    let peers = vec![IpAddr::from([192, 0, 2, 12]), IpAddr::from([192, 0, 2, 13])];
    let config = Builder::new().instance(Vr { peers, check_source: true, ..Vr::default() }).build();
    let mut node = Node::new(config, ME);
    node.run_until(at(500));
    let to_me = Received { destination: IpAddr::from([192, 0, 2, 11]), ttl: 61, ..advert(12, 150) };
    hear(&mut node, Ok(to_me));
    assert_eq!(left(&node), DOWN);
    hear(&mut node, Ok(Received { source: IpAddr::from([192, 0, 2, 99]), ..to_me }));
    hear(&mut node, Ok(Received { destination: GROUP.into(), ..to_me }));
    let rejects = node.director.vrrp().get(InstanceId(0)).unwrap().rejects;
    assert_eq!((rejects.total(Reject::Source), rejects.total(Reject::Destination)), (1, 1));
    node.outbox.clear();
    node.run_until(at(4_200));
    let to: Vec<IpAddr> = node.outbox.iter().map(|one| one.destination).collect();
    assert_eq!(to, [[192, 0, 2, 12], [192, 0, 2, 13]].map(IpAddr::from), "one to each peer");
    assert_eq!(node.outbox[0].bytes[4..6], node.outbox[1].bytes[4..6], "the same id in a round");
}

#[test]
fn another_list_of_addresses_is_said_once_and_the_advert_counts() {
    let mut node = node(From::Backup);
    node.take_records();
    let mut other = advert(99, 150);
    other.advert.addresses = Addresses::V4(&[[192, 0, 2, 101]]);
    for _ in 0..3 {
        hear(&mut node, Ok(other));
    }
    assert_eq!(left(&node), DOWN);
    let from = IpAddr::from([192, 0, 2, 99]);
    assert_eq!(node.take_records(), [Reason::AddressListDiffers(InstanceId(0), from, 1)]);
    assert_eq!(node.director.vrrp().get(InstanceId(0)).unwrap().counters.list_differs_total, 3);
}

#[test]
fn lesser_adverts_are_answered_at_most_twice_an_interval() {
    let mut node = node(From::Master);
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
    let mut node = node(From::Master);
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
    let mut node = node(From::Master);
    let due = node.director.protocol_deadline(InstanceId(0)).unwrap();
    // Both in one turn: the timer makes an advert, the packet makes it worthless.
    node.director.handle(due, Event::Tick);
    node.now = due;
    hear(&mut node, Ok(advert(99, 150)));
    assert_eq!(sent(&mut node), []);
}

#[test]
fn two_owners_are_said_and_the_lower_address_gives_in() {
    let mut node = Node::new(Builder::new().instance(Vr { priority: 255, ..Vr::default() }).build(), ME);
    node.run_millis(10);
    hear(&mut node, Ok(advert(5, 255)));
    assert!(node.is_master(0));
    let two = Reason::TwoOwners(InstanceId(0), IpAddr::from([192, 0, 2, 5]));
    assert!(node.take_records().contains(&two));
    hear(&mut node, Ok(advert(99, 255)));
    assert_eq!(node.state(0), State::Backup);
}
