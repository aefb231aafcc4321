//! Routes through netlink-packet-route, an independent implementation, and back.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use super::*;
use crate::wire::netlink::{Content, messages};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope,
    RouteType, RouteVia,
};

const SPEC: RouteSpec = RouteSpec {
    table: 1_000,
    destination: (IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 0)), 24),
    from: None,
    tos: 0x10,
    kind: RouteKind::Unicast,
    gateway: Some(IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1))),
    link: LinkIndex(7),
    onlink: true,
    source: Some(IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 9))),
    metric: 50,
    protocol: 18,
    scope: 200,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn request(change: RouteChange, spec: RouteSpec) -> RouteRequest<'static> {
    RouteRequest { change, spec, details: RouteDetails::default(), hops: Hops::new() }
}

fn emitted(request: &RouteRequest<'_>) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    request.emit(&mut writer, 1).unwrap();
    writer.as_bytes().to_vec()
}

fn oracle(bytes: &[u8]) -> (u16, RouteMessage) {
    let message: NetlinkMessage<RouteNetlinkMessage> = NetlinkMessage::deserialize(bytes).unwrap();
    match message.payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route),
        ) => (message.header.flags, route),
        other => panic!("{other:?}"),
    }
}

/// The request as the kernel would describe it in a dump.
fn described(bytes: &[u8]) -> RouteEntry<'_> {
    let Content::Data(payload) = messages(bytes).next().unwrap().unwrap().content else { panic!() };
    parse(payload[0], payload).unwrap().unwrap()
}

#[test]
fn a_route_says_everything_that_was_asked_for() {
    let details = RouteDetails {
        metrics: &[(RTAX_MTU, 1_400), (8, 1_360), (RTAX_HOPLIMIT, 30)],
        locked: 1 << RTAX_MTU,
        congestion: "reno",
        preference: None,
    };
    let bytes = emitted(&RouteRequest { details, ..request(RouteChange::Add, SPEC) });
    let (flags, route) = oracle(&bytes);
    assert_eq!(flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    let RouteHeader { destination_prefix_length, tos, protocol, scope, kind, flags, .. } = route.header;
    assert_eq!((destination_prefix_length, tos, flags.bits()), (24, 0x10, 4));
    assert_eq!((protocol, scope, kind), (RouteProtocol::KeepAlived, RouteScope::Site, RouteType::Unicast));
    for wanted in [
        RouteAttribute::Table(1_000),
        RouteAttribute::Destination(RouteAddress::Inet("198.51.100.0".parse().unwrap())),
        RouteAttribute::Priority(50),
        RouteAttribute::Gateway(RouteAddress::Inet("192.0.2.1".parse().unwrap())),
        RouteAttribute::Oif(7),
        RouteAttribute::PrefSource(RouteAddress::Inet("192.0.2.9".parse().unwrap())),
    ] {
        assert!(route.attributes.contains(&wanted), "{wanted:?} in {route:?}");
    }
    let metrics = route.attributes.iter().find_map(|one| match one {
        RouteAttribute::Metrics(metrics) => Some(metrics.clone()),
        _ => None,
    });
    let metrics = metrics.unwrap();
    for wanted in
        [RouteMetric::Lock(4), RouteMetric::Mtu(1_400), RouteMetric::Advmss(1_360), RouteMetric::Hoplimit(30)]
    {
        assert!(metrics.contains(&wanted), "{wanted:?} in {metrics:?}");
    }
    let entry = described(&bytes);
    assert!(SPEC.is_described(&Hops::new(), &entry));
    for other in [
        RouteSpec { gateway: None, ..SPEC },
        RouteSpec { link: LinkIndex(8), ..SPEC },
        RouteSpec { source: Some(ip("192.0.2.8")), ..SPEC },
        RouteSpec { protocol: 3, ..SPEC },
        RouteSpec { kind: RouteKind::Throw, ..SPEC },
    ] {
        assert!(other.is_place(&entry) && !other.is_described(&Hops::new(), &entry), "{other:?}");
    }
    assert!(!RouteSpec { metric: 51, ..SPEC }.is_place(&entry));
    assert!(!RouteSpec { table: 254, ..SPEC }.is_place(&entry));
}

#[test]
fn a_removal_is_of_any_scope_and_a_replacement_may_create() {
    let (flags, route) = oracle(&emitted(&request(RouteChange::Remove, SPEC)));
    assert_eq!((flags, route.header.scope), (NLM_F_REQUEST | NLM_F_ACK, RouteScope::NoWhere));
    let (flags, _) = oracle(&emitted(&request(RouteChange::Replace, SPEC)));
    assert_eq!(flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
}

#[test]
fn an_ipv4_route_may_have_an_ipv6_router() {
    let spec = RouteSpec { gateway: Some(ip("fe80::7")), ..SPEC };
    let bytes = emitted(&request(RouteChange::Add, spec));
    let via = RouteAttribute::Via(RouteVia::Inet6("fe80::7".parse().unwrap()));
    assert!(oracle(&bytes).1.attributes.contains(&via));
    assert!(spec.is_described(&Hops::new(), &described(&bytes)));
}

#[test]
fn an_ipv6_route_has_a_source_network_a_preference_and_the_metric_of_the_kernel() {
    let from = Some((ip("2001:db8:1::"), 48));
    let spec = RouteSpec {
        destination: (ip("::"), 0),
        from,
        gateway: Some(ip("fe80::1")),
        source: None,
        metric: 0,
        ..SPEC
    };
    let details = RouteDetails { preference: Some(3), ..RouteDetails::default() };
    let bytes = emitted(&RouteRequest { details, ..request(RouteChange::Add, spec) });
    let (_, route) = oracle(&bytes);
    assert_eq!(route.header.source_prefix_length, 48);
    let source = RouteAttribute::Source(RouteAddress::Inet6("2001:db8:1::".parse().unwrap()));
    assert!(route.attributes.contains(&source));
    assert!(
        route
            .attributes
            .contains(&RouteAttribute::Preference(netlink_packet_route::route::RoutePreference::Low))
    );
    // The kernel names its default: 1,024.
    let entry = RouteEntry { metric: IPV6_METRIC, ..described(&bytes) };
    assert!(spec.is_described(&Hops::new(), &entry));
}

#[test]
fn next_hops_have_weights_and_may_come_in_any_order() {
    let hop = |gateway: &str, link, weight| NextHop {
        gateway: Some(ip(gateway)),
        link: LinkIndex(link),
        weight,
        unusable: false,
        onlink: false,
    };
    let hops = |list: &[NextHop]| list.iter().copied().collect::<Hops>();
    let spec = RouteSpec { gateway: None, link: LinkIndex(0), ..SPEC };
    let (one, two) = (hop("192.0.2.1", 7, 1), hop("192.0.2.2", 8, 20));
    let bytes = emitted(&RouteRequest { hops: hops(&[one, two]), ..request(RouteChange::Add, spec) });
    let (_, route) = oracle(&bytes);
    let several = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::MultiPath(hops) => Some(hops.clone()),
        _ => None,
    });
    let several = several.unwrap();
    let told: Vec<(u8, u32)> = several.iter().map(|hop| (hop.hops, hop.interface_index)).collect();
    assert_eq!(told, [(0, 7), (19, 8)]);
    let entry = described(&bytes);
    assert!(spec.is_described(&hops(&[two, one]), &entry));
    assert!(!spec.is_described(&hops(&[one]), &entry));
    assert!(!spec.is_described(&hops(&[one, hop("192.0.2.2", 8, 21)]), &entry));
}
