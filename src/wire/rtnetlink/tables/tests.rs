//! What the kernel says (6.18), and the same through netlink-packet-route, an independent implementation.

use super::*;
use crate::wire::netlink::tests::hex;
use crate::wire::netlink::{Content, messages};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Stats64,
};
use proptest::prelude::*;

/// The kernel's answer to RTM_GETROUTE, IPv4, main table: `ip route add default via 192.0.2.1 dev eth0; ip route add
/// 10.1.0.0/16 via inet6 fe80::7 dev eth0 proto ra; ip addr add 192.0.2.11/24 dev eth0; ip route add blackhole
/// 198.51.100.0/24 metric 7; ip route add 203.0.113.0/24 nexthop via 192.0.2.2 dev eth0 weight 2 nexthop via
/// 192.0.2.3 dev eth0`; eth0 is number 3.
const ROUTES4: &str = "\
    340000001800020001000000a619000002000000fe0300010000000008000f00fe00000008000500c0000201080004000300000\
    04c0000001800020001000000a619000002100000fe0900010000000008000f00fe000000080001000a010000160012000a00fe\
    800000000000000000000000000007000008000400030000003c0000001800020001000000a619000002180000fe02fd0100000\
    00008000f00fe00000008000100c000020008000700c000020b0800040003000000340000001800020001000000a61900000218\
    0000fe0300060000000008000f00fe00000008000100c63364000800060007000000500000001800020001000000a6190000021\
    80000fe0300010000000008000f00fe00000008000100cb00710024000900100000010300000008000500c00002021000000003\
    00000008000500c0000203";

/// `ip -6 route add default via fe80::1 dev eth0`.
const ROUTE6: &str = "\
    740000001800020001000000a61900000a000000fe0300010000000008000f00fe000000080006000004000014000500fe80000\
    00000000000000000000000010800040003000000240\
    00c0000000000000000000000000000000000000000000000000000000000000000000500140000000000";

/// `ip neigh add 192.0.2.1 lladdr 52:54:00:12:34:56 dev eth0 nud permanent; ip neigh add 192.0.2.9 dev eth0 nud
/// failed; ip neigh add 2001:db8::1 lladdr 52:54:00:12:34:57 dev eth0 nud stale`, and a multicast group.
const NEIGHBOURS: &str = "\
    4c0000001c00020001000000a619000002000000030000008000000108000100c00002010a00020052540012345600000800040\
    0000000001400030009000000090000000900000000000000400000001c00020001000000a6190000020000000300000020000\
    00108000100c000020908000400000000001400030079170000090000000900000000000000580000001c00020001000000a619\
    00000a00000003000000040000011400010020010db80000000000000000000000010a000200525400123457000008000400000\
    000001400030079170000090000000900000000000000580000001c00020001000000a61900000a000000030000004000000514\
    000100ff0200000000000000000000000000160a000200333300000016000008000400000000001400030079170000090000000\
    900000000000000";

/// Calls `each` for every row of a datagram.
fn rows(datagram: &[u8], mut each: impl FnMut(Row<'_>)) {
    for message in messages(datagram) {
        let message = message.unwrap();
        let Content::Data(payload) = message.content else { panic!() };
        each(parse_row(message.kind, payload).unwrap());
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn routes_have_gateway_interface_source_metric_and_next_hops() {
    let mut seen = Vec::new();
    let mut hops = Vec::new();
    let all = [hex(ROUTES4), hex(ROUTE6)].concat();
    rows(&all, |row| {
        let Row::Route(route) = row else { panic!("{row:?}") };
        let RouteEntry {
            destination: (network, prefix), kind, gateway, link, source, metric, protocol, ..
        } = route;
        assert!(!route.unusable);
        seen.push((format!("{network}/{prefix}"), kind, gateway, link, source, metric, protocol));
        hops.extend(route.next_hops());
    });
    let (eth0, unicast) = (Some(LinkIndex(3)), RouteKind::Unicast);
    let name = String::from;
    assert_eq!(
        seen,
        [
            (name("0.0.0.0/0"), unicast, Some(ip("192.0.2.1")), eth0, None, 0, 3),
            (name("10.1.0.0/16"), unicast, Some(ip("fe80::7")), eth0, None, 0, 9),
            (name("192.0.2.0/24"), unicast, None, eth0, Some(ip("192.0.2.11")), 0, 2),
            (name("198.51.100.0/24"), RouteKind::Blackhole, None, None, None, 7, 3),
            (name("203.0.113.0/24"), unicast, None, None, None, 0, 3),
            (name("::/0"), unicast, Some(ip("fe80::1")), eth0, None, 1_024, 3),
        ]
    );
    let hop =
        |gateway, weight| NextHop { gateway, link: LinkIndex(3), weight, unusable: false, onlink: false };
    assert_eq!(hops, [hop(Some(ip("192.0.2.2")), 2), hop(Some(ip("192.0.2.3")), 1)]);
}

#[test]
fn only_the_main_table_counts_and_no_route_of_the_cache() {
    let route = &hex(ROUTE6)[16..];
    assert!(matches!(parse_row(RTM_NEWROUTE, route), Ok(Row::Route(_))));
    let mut cached = route.to_vec();
    cached[9] |= 2;
    assert!(matches!(parse_row(RTM_NEWROUTE, &cached), Ok(Row::Other)));
    // The attribute goes before the header's byte, which holds no number above 255.
    let mut other = route.to_vec();
    other[17] = 1;
    assert!(matches!(parse_row(RTM_NEWROUTE, &other), Ok(Row::Other)));
    let mut dead = route.to_vec();
    dead[8] |= 16;
    assert!(matches!(parse_row(RTM_NEWROUTE, &dead), Ok(Row::Route(RouteEntry { unusable: true, .. }))));
}

#[test]
fn neighbours_have_state_and_hardware_address() {
    let mut seen = Vec::new();
    rows(&hex(NEIGHBOURS), |row| {
        let Row::Neighbour(entry) = row else { panic!("{row:?}") };
        assert_eq!(entry.link, LinkIndex(3));
        seen.push((entry.address, entry.mac.map(|mac| mac.to_string()), entry.state));
    });
    let mac = |text: &str| Some(text.to_owned());
    assert_eq!(
        seen,
        [
            (ip("192.0.2.1"), mac("52:54:00:12:34:56"), NeighbourState::Permanent),
            (ip("192.0.2.9"), None, NeighbourState::Failed),
            (ip("2001:db8::1"), mac("52:54:00:12:34:57"), NeighbourState::Stale),
            (ip("ff02::16"), mac("33:33:00:00:00:16"), NeighbourState::NoArp),
        ]
    );
}

#[test]
fn requests_are_dumps_of_the_table_that_an_independent_reader_finds() {
    let family = |table: Table| {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        table.emit(&mut writer, 9).unwrap();
        let message: NetlinkMessage<RouteNetlinkMessage> =
            NetlinkMessage::deserialize(writer.as_bytes()).unwrap();
        assert_eq!((message.header.flags, message.header.sequence_number), (0x301, 9));
        let NetlinkPayload::InnerMessage(inner) = message.payload else { panic!() };
        #[allow(clippy::wildcard_enum_match_arm, reason = "no other is asked for")]
        match inner {
            RouteNetlinkMessage::GetLink(link) => {
                assert!(link.attributes.is_empty(), "counters are not left out");
                (18, u8::from(link.header.interface_family))
            }
            RouteNetlinkMessage::GetAddress(address) => (22, u8::from(address.header.family)),
            RouteNetlinkMessage::GetNeighbour(neighbour) => (30, u8::from(neighbour.header.family)),
            RouteNetlinkMessage::GetRoute(route) => (26, u8::from(route.header.address_family)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(family(Table::Interfaces), (18, 0));
    assert_eq!(family(Table::Addresses), (22, 0));
    assert_eq!(family(Table::Neighbours), (30, 0));
    assert_eq!(family(Table::Routes4), (26, 2));
    assert_eq!(family(Table::Routes6), (26, 10));
}

proptest! {
    #[test]
    fn an_interface_of_an_independent_writer_is_understood(
        up: bool, carrier: bool, counters: [u64; 8], vlan in prop::option::of(1..4_095_u16),
    ) {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        let flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        link.header.flags = if carrier { flags | LinkFlags::LowerUp } else { flags };
        let mut stats = Stats64::default();
        let [rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped] = counters;
        (stats.rx_packets, stats.tx_packets) = (rx_packets, tx_packets);
        (stats.rx_bytes, stats.tx_bytes) = (rx_bytes, tx_bytes);
        (stats.rx_errors, stats.tx_errors) = (rx_errors, tx_errors);
        (stats.rx_dropped, stats.tx_dropped) = (rx_dropped, tx_dropped);
        link.attributes = vec![
            LinkAttribute::IfName("eth0.7".to_owned()),
            LinkAttribute::Link(3),
            LinkAttribute::Stats64(stats),
        ];
        link.attributes.extend(vlan.map(|id| LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)])),
        ])));
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(link));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let Ok(Row::Interface(entry)) = parse_row(RTM_NEWLINK, &bytes[16..]) else { panic!() };
        prop_assert_eq!((entry.link.index, entry.link.admin_up, entry.carrier), (LinkIndex(7), up, carrier));
        prop_assert_eq!(entry.vlan, vlan.map(|id| (id, LinkIndex(3))));
        let direction = |packets, bytes, errors, dropped| Counters { packets, bytes, errors, dropped };
        prop_assert_eq!(entry.received, direction(rx_packets, rx_bytes, rx_errors, rx_dropped));
        prop_assert_eq!(entry.sent, direction(tx_packets, tx_bytes, tx_errors, tx_dropped));
    }

    #[test]
    fn no_payload_panics(kind in 0..40_u16, family in 0..12_u8, mut payload: Vec<u8>) {
        payload.insert(0, family);
        if let Ok(Row::Route(route)) = parse_row(kind, &payload) {
            let _ = route.next_hops().count();
        }
    }

    #[test]
    fn truncated_and_damaged_answers_panic_nowhere(cut in 0..700_usize, bit in 0..700 * 8_usize) {
        let mut answer = [hex(ROUTES4), hex(NEIGHBOURS)].concat();
        prop_assert!(answer.len() >= 500);
        let place = bit / 8 % answer.len();
        answer[place] ^= 1 << (bit % 8);
        for message in messages(&answer[..cut.min(answer.len())]).flatten() {
            if let Content::Data(payload) = message.content
                && let Ok(Row::Route(route)) = parse_row(message.kind, payload)
            {
                let _ = route.next_hops().count();
            }
        }
    }
}
