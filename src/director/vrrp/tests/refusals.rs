//! What is refused (RFC 3768 and RFC 9568 section 7.1): counted each time, said once, without effect.

use super::*;
use core::net::Ipv4Addr;

use crate::wire::vrrp::GROUP;

#[test]
fn every_refusal_is_counted_each_time_said_once_and_moves_nothing() {
    let right = advert(99, 150);
    let changed = |change: &dyn Fn(&mut Received<'static>)| {
        let mut packet = right;
        change(&mut packet);
        Ok(packet)
    };
    let cases: Vec<(Reject, Result<Received<'static>, Malformed>)> = vec![
        (Reject::Length, Err(Malformed::Short { vrid: Some(51) })),
        (Reject::Count, Err(Malformed::Count { vrid: 51 })),
        (Reject::Version, Err(Malformed::Version { vrid: 51, version: 3 })),
        (Reject::Ttl, changed(&|one| one.ttl = 254)),
        (Reject::AuthType, changed(&|one| one.advert.auth_type = 3)),
        (Reject::AuthMismatch, changed(&|one| one.advert.auth_type = 0)),
        (Reject::Password, changed(&|one| one.advert.auth_data[7] = 1)),
        (Reject::Interval, changed(&|one| one.advert.interval = Duration::from_secs(2))),
        (Reject::Type, changed(&|one| one.advert.kind = 2)),
        (Reject::Checksum, changed(&|one| one.advert.checksum = Checksum::Wrong)),
        (Reject::Destination, changed(&|one| one.destination = Ipv4Addr::new(224, 0, 0, 19).into())),
        (Reject::Own, changed(&|one| one.source = Ipv4Addr::new(192, 0, 2, 11).into())),
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
    let mut node = backup();
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
    let mut node = backup();
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
fn a_list_that_names_one_of_our_addresses_twice_is_another_list() {
    let vips = vec!["192.0.2.100/24".into(), "192.0.2.101/24".into()];
    let mut node = Node::new(Builder::new().instance(Vr { vips, ..Vr::default() }).build(), ME);
    node.run_until(at(500));
    let differs = |node: &Node| node.director.vrrp().get(InstanceId(0)).unwrap().counters.list_differs_total;
    let mut other = advert(99, 150);
    other.advert.addresses = Addresses::V4(&[[192, 0, 2, 101], [192, 0, 2, 100]]);
    hear(&mut node, Ok(other));
    assert_eq!(differs(&node), 0, "the order does not matter");
    other.advert.addresses = Addresses::V4(&[[192, 0, 2, 100], [192, 0, 2, 100]]);
    hear(&mut node, Ok(other));
    assert_eq!(differs(&node), 1);
}

#[test]
fn a_peer_may_be_so_near_and_so_far_and_others_any_distance() {
    let peers = vec![IpAddr::from([192, 0, 2, 12]), IpAddr::from([192, 0, 2, 13])];
    let mut config = Builder::new().instance(Vr { peers, ..Vr::default() }).build();
    config.peers[0].ttls = Some(crate::config::model::Ttls { min: 64, max: 70 });
    let mut node = Node::new(config, ME);
    node.run_until(at(500));
    node.take_records();
    let from = |last, ttl| Received { destination: IpAddr::from([192, 0, 2, 11]), ttl, ..advert(last, 150) };
    for (last, ttl, accepted) in
        [(12, 63, false), (12, 64, true), (12, 70, true), (12, 71, false), (12, 255, false), (13, 1, true)]
    {
        let before = node.director.vrrp().get(InstanceId(0)).unwrap().counters.received_total;
        hear(&mut node, Ok(from(last, ttl)));
        let after = node.director.vrrp().get(InstanceId(0)).unwrap().counters.received_total;
        assert_eq!(after - before, u64::from(accepted), "{last} {ttl}");
    }
    let rejects = node.director.vrrp().get(InstanceId(0)).unwrap().rejects;
    assert_eq!((rejects.total(Reject::TtlRange), rejects.sum()), (3, 3));
    let said = Reason::Rejected(InstanceId(0), Reject::TtlRange, IpAddr::from([192, 0, 2, 12]), 63);
    assert_eq!(node.take_records(), [said], "said once");
}
