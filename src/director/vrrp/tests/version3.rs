//! Version 3 (RFC 9568): intervals that are followed, families, what it refuses.

use super::*;
use crate::wire::vrrp::Version;

#[test]
fn v58_in_version_3_the_skew_is_of_the_active_router_s_interval() {
    let tenth = Duration::from_millis(100);
    assert_eq!(skew_time(Version::V3, tenth, 100), Duration::from_micros(60_937));
    assert_eq!(skew_time(Version::V3, Duration::from_millis(10), 254), Duration::from_micros(78));
    assert_eq!(master_down_interval(Version::V3, tenth, 100, 3), Duration::from_micros(360_937));
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
    assert_eq!(node.state(0), State::Fault(crate::director::vrrp::Fault::NoAddress(LinkId(0), Family::Ipv6)));
    node.add_by_hand("2001:db8::1");
    node.run_millis(10);
    assert!(matches!(node.state(0), State::Fault(_)), "a global address does not do");
    node.add_by_hand("fe80::1");
    node.run_millis(10);
    assert_eq!(node.state(0), State::Backup);
}
