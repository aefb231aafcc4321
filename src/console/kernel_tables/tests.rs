//! What an operator reads of rows that the kernel may have, and what no row may do.

use super::*;
use crate::console::Buf;
use crate::console::fixture::{Bench, SMALL, config};
use crate::wire::netlink::Writer;
use crate::wire::rtnetlink::LinkEntry;
use crate::wire::rtnetlink::tables::{Row, parse_row};

fn name(text: &str) -> LinkName {
    LinkName::new(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn eth0() -> InterfaceEntry {
    let mac = MacAddress([0x52, 0x54, 0, 0, 1, 0]);
    let (index, mtu) = (LinkIndex(3), 1_500);
    InterfaceEntry {
        link: LinkEntry {
            index,
            name: name("eth0"),
            admin_up: true,
            running: true,
            loopback: false,
            mac,
            mtu,
        },
        carrier: true,
        vlan: None,
        received: Counters { packets: 1_234, bytes: 101_500, errors: 0, dropped: 2 },
        sent: Counters { packets: u64::MAX, bytes: u64::MAX, errors: 1, dropped: 0 },
    }
}

/// The lines of all states, and everything that an interface has.
#[test]
fn an_interface_is_three_lines_and_its_addresses() {
    let mut entry = eth0();
    let links = [entry];
    let mut out = String::new();
    let mut head = |entry: &InterfaceEntry| interface(&mut out, Links(&links), entry).unwrap();
    head(&entry);
    entry.link.running = false;
    head(&entry);
    entry.carrier = false;
    head(&entry);
    entry.link.admin_up = false;
    entry.link.mac = MacAddress::default();
    entry.vlan = Some((100, LinkIndex(3)));
    entry.link.name = name("fifteen-bytes-x");
    head(&entry);
    let address_of = |address, prefix| {
        let link = LinkIndex(3);
        AddressEntry { link, address, prefix, scope: 0, secondary: false }
    };
    address(&mut out, &address_of(ip("192.0.2.11"), 24), None).unwrap();
    address(&mut out, &address_of(ip("2001:db8::64"), 128), Some("VI_1\x1b[2J")).unwrap();
    counters(&mut out, &eth0()).unwrap();
    assert_eq!(
        out,
        "\
eth0     up, carrier     52:54:00:00:01:00  mtu 1500
eth0     up, dormant     52:54:00:00:01:00  mtu 1500
eth0     up, no carrier  52:54:00:00:01:00  mtu 1500
fifteen-bytes-x down                               mtu 1500  vlan 100 on eth0
  192.0.2.11/24
  2001:db8::64/128  VIP of VI_1?[2J
  in  1234 packets, 99.1 KiB, errors 0, dropped 2
  out 18446744073709551615 packets, 16777215.9 TiB, errors 1, dropped 0
"
    );
}

#[test]
fn an_interface_in_json_has_the_same_and_quotes_what_it_must() {
    let mut entry = eth0();
    entry.link.name = name("e\"0");
    entry.vlan = Some((7, LinkIndex(9)));
    entry.link.mac = MacAddress::default();
    entry.sent = Counters::default();
    let mut out = String::new();
    json_begin(&mut out, "interfaces").unwrap();
    separator(&mut out, true).unwrap();
    interface_json(&mut out, Links(&[]), &entry).unwrap();
    let address = ip("192.0.2.100");
    let row = AddressEntry { link: LinkIndex(3), address, prefix: 24, scope: 0, secondary: false };
    address_json(&mut out, &row, Some("a\"b")).unwrap();
    interface_json_end(&mut out).unwrap();
    json_end(&mut out, Some(Trouble::Changed)).unwrap();
    assert_eq!(
        out,
        r##"{"interfaces":[
{"name":"e\"0","index":3,"up":true,"carrier":true,"running":true,"mac":null,"mtu":1500,"vlan":7,"parent":"#9","in":{"packets":1234,"bytes":101500,"errors":0,"dropped":2},"out":{"packets":0,"bytes":0,"errors":0,"dropped":0},"addresses":[{"address":"192.0.2.100","prefix":24,"vip_of":"a\"b"}]}
],"error":"the table changed while it was read: ask again"}
"##
    );
}

#[test]
fn neighbours_are_columns_under_a_head() {
    let links = [eth0()];
    let mut out = String::new();
    neighbours_head(&mut out).unwrap();
    let mut row = |address: &str, link, mac, state| {
        let entry = NeighbourEntry { link: LinkIndex(link), address: ip(address), mac, state };
        neighbour(&mut out, Links(&links), &entry).unwrap();
        let mut json = String::new();
        neighbour_json(&mut json, Links(&links), &entry).unwrap();
        json
    };
    let mac = Some(MacAddress([0x52, 0x54, 0, 0x12, 0x34, 0x56]));
    let json = row("192.0.2.1", 3, mac, NeighbourState::Reachable);
    row("192.0.2.9", 8, None, NeighbourState::Incomplete);
    row("2001:db8:1111:2222:3333:4444:5555:6666", 3, mac, NeighbourState::Stale);
    assert_eq!(
        out,
        "\
ADDRESS          INTERFACE        MAC                STATE
192.0.2.1        eth0             52:54:00:12:34:56  reachable
192.0.2.9        #8               -                  incomplete
2001:db8:1111:2222:3333:4444:5555:6666 eth0             52:54:00:12:34:56  stale
"
    );
    assert_eq!(
        json,
        r#"{"address":"192.0.2.1","interface":"eth0","mac":"52:54:00:12:34:56","state":"reachable"}"#
    );
}

/// A route as the kernel would describe it: header, and what `fill` adds.
fn with_route(fill: impl FnOnce(&mut Writer<'_>), header: [u8; 12], each: impl FnOnce(&RouteEntry<'_>)) {
    let mut buffer = [0; 4_096];
    let mut writer = Writer::new(&mut buffer);
    writer.begin(24, 0, 0);
    writer.raw(&header);
    fill(&mut writer);
    writer.finish().unwrap();
    let Ok(Row::Route(route)) = parse_row(24, &writer.as_bytes()[16..]) else { panic!("no route") };
    each(&route);
}

fn line(fill: impl FnOnce(&mut Writer<'_>), header: [u8; 12]) -> String {
    let mut out = String::new();
    with_route(fill, header, |entry| route(&mut out, Links(&[eth0()]), entry).unwrap());
    out
}

#[test]
fn routes_read_like_ip_route() {
    let header = |prefix, kind, flags| [2, prefix, 0, 0, 254, 3, 0, kind, flags, 0, 0, 0];
    let via = |writer: &mut Writer<'_>| {
        writer.bytes(5, &[192, 0, 2, 1]);
        writer.u32(4, 3);
    };
    assert_eq!(line(via, header(0, 1, 0)), "default via 192.0.2.1 dev eth0\n");
    assert_eq!(line(via, header(0, 1, 16)), "default via 192.0.2.1 dev eth0 linkdown\n");
    let connected = |writer: &mut Writer<'_>| {
        writer.bytes(1, &[192, 0, 2, 0]);
        writer.bytes(7, &[192, 0, 2, 11]);
        writer.u32(4, 4);
        writer.u32(6, 100);
    };
    assert_eq!(line(connected, header(24, 1, 0)), "192.0.2.0/24 dev #4 src 192.0.2.11 metric 100\n");
    let host = |writer: &mut Writer<'_>| writer.bytes(1, &[192, 0, 2, 5]);
    assert_eq!(line(host, header(32, 6, 0)), "blackhole 192.0.2.5\n");
    let router = [10, 0, 0, 0, 254, 9, 0, 1, 0, 0, 0, 0];
    assert_eq!(line(|writer| writer.u32(4, 3), router), "default dev eth0 proto ra\n");
}

#[test]
fn a_route_of_many_next_hops_fits_a_piece_and_says_how_many_are_left_out() {
    let hop = [[16, 0, 16, 255, 3, 0, 0, 0], [8, 0, 5, 0, 192, 0, 2, 200]].concat();
    let hops = |writer: &mut Writer<'_>| writer.bytes(9, &hop.repeat(100));
    let header = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
    with_route(hops, header, |entry| {
        let links =
            [InterfaceEntry { link: LinkEntry { name: name("fifteen-bytes-x"), ..eth0().link }, ..eth0() }];
        let (mut text, mut json) = (Buf::new(), Buf::new());
        route(&mut text, Links(&links), entry).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), MAX_HOPS + 2);
        assert_eq!(lines[..2], ["default", "   via 192.0.2.200 dev fifteen-bytes-x weight 256 linkdown"]);
        assert_eq!(lines[MAX_HOPS + 1], "   and 76 more");
        route_json(&mut json, Links(&links), entry).unwrap();
        assert!(json.ends_with("}],\"more_hops\":76}"), "{json}");
        assert_eq!(json.matches("\"weight\":256").count(), MAX_HOPS);
    });
}

#[test]
fn a_virtual_address_of_ours_has_its_owner_on_its_own_interface_only() {
    let bench = Bench::new(config(SMALL));
    let director = &bench.director;
    let ours = &director.config().addresses[0];
    let instance = director.config().instance_name(ours.instance.unwrap());
    let link = name(director.config().link_name(ours.link));
    assert_eq!(owner(director, link, ours.address), Some(instance));
    assert_eq!(owner(director, name("other0"), ours.address), None);
    assert_eq!(owner(director, link, ip("203.0.113.77")), None);
}

#[test]
fn sizes_are_as_people_say_them() {
    let said = |bytes| Size(bytes).to_string();
    assert_eq!([said(0), said(1_023), said(1_024)], ["0 B", "1023 B", "1.0 KiB"]);
    assert_eq!([said((1 << 20) - 1), said(1 << 20), said(3 << 39)], ["1023.9 KiB", "1.0 MiB", "1.5 TiB"]);
}
