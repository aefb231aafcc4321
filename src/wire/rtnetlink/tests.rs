//! What `ip` sends and the kernel says, and the same through netlink-packet-route, an independent implementation.

use super::*;
use crate::wire::netlink::tests::hex;
use crate::wire::netlink::{Content, messages};
use core::net::Ipv6Addr;
use netlink_packet_core::{Emitable, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, State};
use proptest::prelude::*;

const VIP: AddressSpec = AddressSpec::new(LinkIndex(1), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100)), 24);

fn emitted(request: &Request, seq: u32) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    request.emit(&mut writer, seq).unwrap();
    writer.as_bytes().to_vec()
}

/// Header and attributes of a request, the attributes sorted: `ip` has an order of its own.
fn sorted(request: &[u8]) -> (Vec<u8>, Vec<(u16, Vec<u8>)>) {
    let mut list: Vec<_> =
        Attributes::new(&request[24..]).iter().map(|a| (a.kind, a.value.to_vec())).collect();
    list.sort();
    // The sequence number is the sender's own.
    ([&request[..8], &request[12..24]].concat(), list)
}

#[test]
fn an_ipv4_address_is_added_as_ip_does() {
    // ip addr add 10.0.0.100/24 brd 10.0.0.255 dev lo label lo:1 (iproute2 6.1)
    let ip = hex(
        "3c000000140005064b44016b000000000218000001000000080002000a000064080004000a0000ff090003006c6f3a310000000008\
         0001000a000064",
    );
    let broadcast = Some(Ipv4Addr::new(10, 0, 0, 255));
    let spec = AddressSpec { broadcast, label: LabelName::new("lo:1"), ..VIP };
    assert_eq!(sorted(&emitted(&Request::AddAddress(spec), 0x6b01_444b)), sorted(&ip));
}

#[test]
fn a_single_ipv6_address_is_never_preferred_and_skips_duplicate_detection() {
    // ip addr add 2001:db8::64/128 dev lo nodad preferred_lft 0 (iproute2 6.1)
    let ip = hex(
        "54000000140005064b44016b000000000a800200010000001400020020010db800000000000000000000006414000100\
         20010db80000000000000000000000641400060000000000ffffffff0000000000000000",
    );
    let address = "2001:db8::64".parse().unwrap();
    let ours = emitted(&Request::AddAddress(AddressSpec::new(VIP.link, address, 128)), 1);
    let ((header, mut list), (mut ip_header, ip_list)) = (sorted(&ours), sorted(&ip));
    // The flag that `ip` says in the header's byte is an attribute of ours, as the newer flags must be.
    list.retain(|(kind, value)| !(*kind == IFA_FLAGS && value == &2_u32.to_ne_bytes()));
    assert_eq!(ip_header[14], 2);
    ip_header[14] = 0;
    ip_header[0] += 8;
    assert_eq!((header, list), (ip_header, ip_list));
    let wider = emitted(&Request::AddAddress(AddressSpec::new(VIP.link, address, 64)), 1);
    assert!(Attributes::new(&wider[24..]).bytes(IFA_CACHEINFO).is_none());
}

fn oracle(bytes: &[u8]) -> NetlinkMessage<RouteNetlinkMessage> {
    NetlinkMessage::deserialize(bytes).unwrap()
}

fn oracle_address(bytes: &[u8]) -> AddressMessage {
    let NetlinkPayload::InnerMessage(
        RouteNetlinkMessage::NewAddress(message) | RouteNetlinkMessage::DelAddress(message),
    ) = oracle(bytes).payload
    else {
        panic!()
    };
    message
}

#[test]
fn dumps_ask_for_both_families_and_no_statistics() {
    let request = emitted(&Request::DumpLinks, 5);
    assert_eq!(Attributes::new(&request[32..]).u32(IFLA_EXT_MASK), Some(8));
    let links = oracle(&request);
    assert_eq!((links.header.flags, links.header.sequence_number), (0x301, 5));
    let NetlinkPayload::InnerMessage(RouteNetlinkMessage::GetLink(message)) = links.payload else { panic!() };
    assert_eq!((message.header, message.attributes.len()), (Default::default(), 1));
    let addresses = oracle(&emitted(&Request::DumpAddresses, 6));
    assert_eq!((addresses.header.flags, addresses.header.sequence_number), (0x301, 6));
    let NetlinkPayload::InnerMessage(RouteNetlinkMessage::GetAddress(message)) = addresses.payload else {
        panic!()
    };
    assert_eq!(message, AddressMessage::default());
}

fn specs() -> impl Strategy<Value = AddressSpec> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| (IpAddr::from(bytes), 32)),
        any::<[u8; 16]>().prop_map(|bytes| (IpAddr::from(bytes), 128)),
    ];
    let label = prop::option::of("[a-z]{1,10}(:[0-9]{1,4})?");
    (address, any::<u8>(), any::<(u32, u8, Option<[u8; 4]>, bool)>(), label).prop_map(
        |((address, longest), prefix, (link, scope, broadcast, peer), label)| AddressSpec {
            scope,
            broadcast: broadcast.map(Ipv4Addr::from).filter(|_| address.is_ipv4()),
            peer: peer.then(|| match address {
                IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            }),
            label: label.and_then(|label| LabelName::new(&label)).filter(|_| address.is_ipv4()),
            ..AddressSpec::new(LinkIndex(link), address, prefix % (longest + 1))
        },
    )
}

proptest! {
    #[test]
    fn an_independent_reader_finds_what_was_asked_for(spec in specs(), seq: u32) {
        let bytes = emitted(&Request::AddAddress(spec), seq);
        let header = oracle(&bytes).header;
        prop_assert_eq!((header.flags, header.sequence_number), (0x605, seq));
        let message = oracle_address(&bytes);
        prop_assert_eq!((message.header.index, message.header.prefix_len), (spec.link.0, spec.prefix));
        prop_assert_eq!(u8::from(message.header.scope), spec.scope);
        let mut expected = vec![
            AddressAttribute::Local(spec.address),
            AddressAttribute::Address(spec.peer.unwrap_or(spec.address)),
        ];
        expected.extend(spec.broadcast.map(AddressAttribute::Broadcast));
        expected.extend(spec.label.map(|label| AddressAttribute::Label(label.to_string())));
        if spec.address.is_ipv6() {
            expected.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        if spec.prefix == 128 {
            let mut never = CacheInfo::default();
            (never.ifa_preferred, never.ifa_valid) = (0, u32::MAX);
            expected.push(AddressAttribute::CacheInfo(never));
        }
        prop_assert_eq!(message.attributes, expected);
    }

    #[test]
    fn what_removes_an_address_names_the_same_address(spec in specs()) {
        let add = oracle_address(&emitted(&Request::AddAddress(spec), 1));
        let remove = oracle_address(&emitted(&Request::RemoveAddress(spec), 1));
        prop_assert_eq!(&remove.header, &add.header);
        prop_assert_eq!(&remove.attributes[..], &add.attributes[..2]);
    }

    #[test]
    fn an_address_added_is_the_address_read_back(spec in specs()) {
        let bytes = emitted(&Request::AddAddress(spec), 1);
        let entry = AddressEntry {
            link: spec.link, address: spec.address, prefix: spec.prefix, scope: spec.scope, secondary: false,
        };
        prop_assert_eq!(parse(RTM_NEWADDR, &bytes[16..]), Ok(Message::NewAddress(entry)));
        prop_assert_eq!(parse(RTM_DELADDR, &bytes[16..]), Ok(Message::DelAddress(entry)));
    }

    #[test]
    fn a_link_of_an_independent_writer_is_understood(
        index: u32, flags in any::<u16>(), mac: [u8; 6], mtu: u32, name in "[a-z][a-z0-9.]{0,14}",
    ) {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::from_bits_retain(u32::from(flags));
        link.attributes = vec![
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::IfName(name.clone()),
            LinkAttribute::Mtu(mtu),
        ];
        let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(link));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let entry = LinkEntry {
            index: LinkIndex(index),
            name: LinkName::new(&name).unwrap(),
            admin_up: flags & 1 != 0,
            running: flags & 0x40 != 0,
            loopback: flags & 8 != 0,
            mac: MacAddress(mac),
            mtu,
        };
        prop_assert_eq!(parse(RTM_NEWLINK, &bytes[16..]), Ok(Message::NewLink(entry)));
    }

    #[test]
    fn no_payload_panics(kind in 0..40_u16, payload: Vec<u8>) {
        let _ = parse(kind, &payload);
    }

    #[test]
    fn truncated_and_damaged_answers_panic_nowhere(cut in 0..460_usize, bit in 0..460 * 8_usize) {
        let mut answer = hex(ADDRESSES);
        answer[bit / 8] ^= 1 << (bit % 8);
        for message in messages(&answer[..cut]).flatten() {
            if let Content::Data(payload) = message.content {
                let _ = (parse(message.kind, payload), parse(RTM_NEWLINK, payload));
            }
        }
    }
}

/// The kernel's (6.18) answer to RTM_GETADDR in a namespace with: `ip link set lo up; ip addr add 10.0.0.100/24 brd
/// 10.0.0.255 dev lo label lo:1; ip addr add 2001:db8::64/128 dev lo; ip addr add 10.0.0.101/24 dev lo;
/// ip addr add 10.0.0.1 peer 10.0.0.2/32 dev lo`.
const ADDRESSES: &str = "\
    4c00000014000200060000008e2c0000020880fe01000000080001007f000001080002007f000001070003006c6f000008000800\
    8000000014000600ffffffffffffffff685d0400685d04005800000014000200060000008e2c0000021880000100000008000100\
    0a000064080002000a000064080004000a0000ff090003006c6f3a3100000000080008008000000014000600ffffffffffffffff\
    715d0400715d04004c00000014000200060000008e2c00000220800001000000080001000a000002080002000a00000107000300\
    6c6f0000080008008000000014000600ffffffffffffffff725d0400725d04004c00000014000200060000008e2c000002188100\
    01000000080001000a000065080002000a000065070003006c6f0000080008008100000014000600ffffffffffffffff725d0400\
    725d04004800000014000200060000008e2c00000a808000010000001400010020010db800000000000000000000006414000600\
    ffffffffffffffff715d0400715d040008000800800000005000000014000200060000008e2c00000a8080fe0100000014000100\
    0000000000000000000000000000000114000600ffffffffffffffff685d0400685d0400080008008000000005000b0001000000";

#[test]
fn a_dump_of_addresses_gives_local_addresses_and_marks_secondaries() {
    let answer = hex(ADDRESSES);
    let entries: Vec<_> = messages(&answer)
        .map(|message| {
            let message = message.unwrap();
            let Content::Data(payload) = message.content else { panic!() };
            let Ok(Message::NewAddress(entry)) = parse(message.kind, payload) else { panic!() };
            (entry.address.to_string(), entry.prefix, entry.scope, entry.secondary)
        })
        .collect();
    let row = |address: &str, prefix, scope, secondary| (address.to_string(), prefix, scope, secondary);
    assert_eq!(
        entries,
        [
            row("127.0.0.1", 8, 254, false),
            row("10.0.0.100", 24, 0, false),
            row("10.0.0.1", 32, 0, false),
            row("10.0.0.101", 24, 0, true),
            row("2001:db8::64", 128, 0, false),
            row("::1", 128, 254, false),
        ]
    );
}

#[test]
fn a_port_that_leaves_its_bridge_is_no_link_that_is_gone() {
    let mut payload = [0; 16];
    payload[0] = 7;
    assert_eq!(parse(RTM_DELLINK, &payload), Ok(Message::Other));
    payload[0] = 0;
    assert_eq!(parse(RTM_DELLINK, &payload), Err(Malformed::Missing));
    assert_eq!(parse(RTM_DELLINK, &payload[..15]), Err(Malformed::Truncated));
    assert_eq!(parse(RTM_DELLINK, &[]), Err(Malformed::Truncated));
    assert_eq!(parse(24, &payload), Ok(Message::Other));
}

#[test]
fn the_flags_attribute_goes_before_the_header_s_byte() {
    for (byte, attribute, secondary) in [(1, Some(0_u32), false), (0, Some(1), true), (1, None, true)] {
        let mut buffer = [0; 128];
        let mut writer = Writer::new(&mut buffer);
        writer.begin(RTM_NEWADDR, 0, 0);
        writer.raw(&[AF_INET, 24, byte, 0, 1, 0, 0, 0]);
        writer.bytes(IFA_ADDRESS, &[10, 0, 0, 1]);
        if let Some(flags) = attribute {
            writer.u32(IFA_FLAGS, flags);
        }
        writer.finish().unwrap();
        let Ok(Message::NewAddress(entry)) = parse(RTM_NEWADDR, &writer.as_bytes()[16..]) else { panic!() };
        assert_eq!(entry.secondary, secondary);
    }
}

#[test]
fn a_link_without_an_ethernet_address_has_none() {
    let mut buffer = [0; 128];
    let mut writer = Writer::new(&mut buffer);
    writer.begin(RTM_NEWLINK, 0, 0);
    writer.raw(&[0; 16]);
    writer.str(IFLA_IFNAME, "sit0");
    writer.bytes(IFLA_ADDRESS, &[10, 0, 0, 1]);
    writer.finish().unwrap();
    let Ok(Message::NewLink(link)) = parse(RTM_NEWLINK, &writer.as_bytes()[16..]) else { panic!() };
    assert_eq!((link.mac, link.mtu, link.name.as_str()), (MacAddress::default(), 0, "sit0"));
}

#[test]
fn a_label_may_hold_a_colon_and_at_most_fifteen_bytes() {
    assert_eq!(LabelName::new("eth1:100").map(|label| label.to_string()).as_deref(), Some("eth1:100"));
    assert!(LabelName::new("fifteen-bytes:x").is_some());
    assert!(LabelName::new("sixteen-bytes:xx").is_none());
    assert!(LabelName::new("").is_none());
    assert!(LabelName::new("a b").is_none());
}

#[test]
fn an_independent_reader_finds_vlan_flags_and_mtu_of_links() {
    use netlink_packet_route::link::{InfoData, InfoKind, InfoVlan, LinkInfo};
    let link = |request: &Request| {
        let NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::SetLink(link),
        ) = oracle(&emitted(request, 5)).payload
        else {
            panic!("no message about a link")
        };
        link
    };
    let vlan = Request::AddVlan { name: LinkName::new("eth0.7").unwrap(), id: 7, parent: LinkIndex(3) };
    let info = vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(7)]))];
    assert_eq!(
        link(&vlan).attributes,
        [LinkAttribute::IfName("eth0.7".to_owned()), LinkAttribute::Link(3), LinkAttribute::LinkInfo(info)]
    );
    let up = link(&Request::SetLinkUp(LinkIndex(3))).header;
    assert_eq!((up.index, up.flags, up.change_mask), (3, LinkFlags::Up, LinkFlags::Up));
    let mtu = link(&Request::SetLinkMtu(LinkIndex(3), 1_400));
    assert_eq!((mtu.header.flags, mtu.header.change_mask), (LinkFlags::empty(), LinkFlags::empty()));
    assert_eq!(mtu.attributes, [LinkAttribute::Mtu(1_400)]);
}

/// An interface that is set up and has a carrier, in an operational state.
fn with_carrier(state: State) -> LinkEntry {
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    link.attributes = vec![LinkAttribute::IfName("eth0".to_owned()), LinkAttribute::OperState(state)];
    let mut bytes = vec![0; link.buffer_len()];
    link.emit(&mut bytes);
    match parse(RTM_NEWLINK, &bytes) {
        Ok(Message::NewLink(entry)) => entry,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_carrier_counts_before_the_kernel_has_taken_notice_but_not_while_something_holds_it_back() {
    assert!(with_carrier(State::Down).running);
    assert!(!with_carrier(State::Dormant).running);
    assert!(!with_carrier(State::LowerLayerDown).running);
}
