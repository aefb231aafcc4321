//! Requests against those of ipvsadm 1.31, answers as the kernel lays them out, and what no answer may do.
//!
//! The golden requests were taken from `ipvsadm` with its `sendmsg` traced; the command stands with each. The family
//! has the number 0x1d in all of them.

use super::*;
use crate::wire::netlink::tests::hex;
use crate::wire::netlink::{Attributes, Full, Malformed, Writer};
use proptest::prelude::*;

fn emitted(request: &Request) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    request.emit(&mut writer, 0x1d, 1).unwrap();
    writer.as_bytes().to_vec()
}

/// Without sequence number and port, which are the sender's own.
fn body(message: &[u8]) -> Vec<u8> {
    [&message[..8], &message[16..]].concat()
}

#[track_caller]
fn assert_same(request: &Request, golden: &str) {
    assert_eq!(body(&emitted(request)), body(&hex(golden)));
}

/// The attributes of one nest of a message, without the types in `but`.
fn nest(message: &[u8], kind: u16, but: &[u16]) -> Vec<(u16, Vec<u8>)> {
    let nest = Attributes::new(&message[20..]).nest(kind).unwrap();
    nest.iter().filter(|a| !but.contains(&a.kind)).map(|a| (a.kind, a.value.to_vec())).collect()
}

/// ipvsadm describes the service whole and the tunnel always: the request is the same but for what the kernel then
/// does not look at.
#[track_caller]
fn assert_same_destination(request: &Request, golden: &str, but: &[u16]) {
    let (ours, golden) = (emitted(request), hex(golden));
    assert_eq!(ours[4..8], golden[4..8]);
    assert_eq!(ours[16..20], golden[16..20]);
    let persistence = [code::SVC_SCHED_NAME, code::SVC_FLAGS, code::SVC_TIMEOUT, code::SVC_NETMASK];
    assert_eq!(nest(&ours, code::ATTR_SERVICE, &[]), nest(&golden, code::ATTR_SERVICE, &persistence));
    assert_eq!(nest(&ours, code::ATTR_DEST, &[]), nest(&golden, code::ATTR_DEST, but));
}

const TUNNEL: [u16; 3] = [code::DEST_TUN_TYPE, code::DEST_TUN_PORT, code::DEST_TUN_FLAGS];

fn service(protocol: Protocol, address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol, address: address.parse().unwrap(), port }
}

fn web() -> ServiceKey {
    service(Protocol::Tcp, "10.0.0.100", 80)
}

fn mark(family: Family) -> ServiceKey {
    ServiceKey::Mark { mark: NonZeroU32::new(7).unwrap(), family }
}

fn spec(scheduler: &str, flags: u32, timeout: u32, netmask: u8) -> ServiceSpec {
    ServiceSpec { scheduler: Scheduler::new(scheduler).unwrap(), flags, timeout, netmask, engine: None }
}

fn server(address: &str, port: u16) -> DestinationKey {
    DestinationKey { address: address.parse().unwrap(), port }
}

fn plain(method: ForwardingMethod, weight: u32) -> DestinationSpec {
    DestinationSpec { method, weight, upper: 0, lower: 0 }
}

#[test]
fn a_persistent_service_is_added_as_ipvsadm_does() {
    // ipvsadm -A -t 10.0.0.100:80 -s wrr -p 300 -M 255.255.255.0
    assert_same(
        &Request::NewService(web(), spec("wrr", 1, 300, 24)),
        "680000001d000500f243016b1f2bc0ed010100005400018006000100020000000600020006000000140003000a0000640000000000\
         00000000000000060004000050000008000600777272000c00070001000000ffffffff080008002c01000008000900ffffff00",
    );
}

#[test]
fn an_ipv6_service_with_an_engine_is_added_as_ipvsadm_does() {
    // ipvsadm -A -u [2001:db8::1]:5060 -s rr -p 30 --pe sip
    let engine = Some(PersistenceEngine::Sip);
    assert_same(
        &Request::NewService(
            service(Protocol::Udp, "2001:db8::1", 5060),
            ServiceSpec { engine, ..spec("rr", 1, 30, 128) },
        ),
        "700000001d000500f243016b222bc0ed010100005c000180060001000a00000006000200110000001400030020010db80000000000\
         000000000000010600040013c40000070006007272000008000b00736970000c00070001000000ffffffff080008001e00000008000\
         90080000000",
    );
}

#[test]
fn a_marked_service_is_added_and_a_service_changed_as_ipvsadm_does() {
    // ipvsadm -A -f 7 -s sh -b sh-port
    assert_same(
        &Request::NewService(mark(Family::Inet), spec("sh", 0x10, 0, 32)),
        "4c0000001d000500f243016b252bc0ed01010000380001800600010002000000080005000700000007000600736800000c00070010\
         000000ffffffff080008000000000008000900ffffffff",
    );
    // ipvsadm -E -t 10.0.0.100:80 -s wlc
    assert_same(
        &Request::SetService(web(), spec("wlc", 0, 0, 32)),
        "680000001d000500f243016b282bc0ed020100005400018006000100020000000600020006000000140003000a0000640000000000\
         00000000000000060004000050000008000600776c63000c00070000000000ffffffff080008000000000008000900ffffffff",
    );
}

#[test]
fn the_table_is_emptied_and_timeouts_are_set_as_ipvsadm_does() {
    // ipvsadm -C
    assert_same(&Request::Flush, "140000001d000500f243016b3d2bc0ed11010000");
    // ipvsadm --set 30 5 60
    assert_same(
        &Request::SetTimeouts { tcp: Some(30), tcp_fin: Some(5), udp: Some(60) },
        "2c0000001d000500f243016b402bc0ed0c010000080004001e0000000800050005000000080006003c000000",
    );
    // The first thing ipvsadm sends.
    assert_same(&Request::GetInfo, "140000001d000500f243016b1f2b00bb0f010000");
    let some = emitted(&Request::SetTimeouts { tcp: None, tcp_fin: Some(5), udp: None });
    assert_eq!(Attributes::new(&some[20..]).iter().count(), 1);
}

#[test]
fn a_nat_destination_is_added_as_ipvsadm_does() {
    // ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11:8080 -m -w 5 -x 100 -y 50
    let spec = DestinationSpec { upper: 100, lower: 50, ..plain(ForwardingMethod::Masquerade, 5) };
    assert_same_destination(
        &Request::NewDestination(web(), server("10.0.0.11", 8080), spec),
        "c80000001d000500f243016b2e2bc0ed050100005400018006000100020000000600020006000000140003000a0000640000000000\
         00000000000000060004000050000005000600000000000c00070000000000ffffffff080008000000000008000900ffffffff60000\
         28006000b0002000000140001000a00000b000000000000000000000000060002001f90000008000300000000000800040005000000\
         05000d000000000006000e000000000006000f000000000008000500640000000800060032000000",
        &TUNNEL,
    );
}

#[test]
fn a_direct_ipv6_destination_of_a_mark_is_added_as_ipvsadm_does() {
    // ipvsadm -a -f 7 -6 -r [2001:db8::11]:0 -g -w 1
    assert_same_destination(
        &Request::NewDestination(
            mark(Family::Inet6),
            server("2001:db8::11", 0),
            plain(ForwardingMethod::DirectRoute, 1),
        ),
        "ac0000001d000500f243016b312bc0ed0501000038000180060001000a000000080005000700000005000600000000000c00070000\
         000000ffffffff080008000000000008000900800000006000028006000b000a0000001400010020010db8000000000000000000000\
         01106000200000000000800030003000000080004000100000005000d000000000006000e000000000006000f000000000008000500\
         000000000800060000000000",
        &TUNNEL,
    );
}

#[test]
fn a_tunnel_is_added_as_ipvsadm_does() {
    // ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11:80 -i --tun-type gue --tun-port 6080 --tun-csum
    let tunnel = ForwardingMethod::Tunnel(Tunnel { kind: 1, port: 6080, flags: 1 });
    assert_same_destination(
        &Request::NewDestination(web(), server("10.0.0.11", 80), plain(tunnel, 1)),
        "c80000001d000500f243016b342bc0ed050100005400018006000100020000000600020006000000140003000a0000640000000000\
         00000000000000060004000050000005000600000000000c00070000000000ffffffff080008000000000008000900ffffffff60000\
         28006000b0002000000140001000a00000b000000000000000000000000060002000050000008000300020000000800040001000000\
         05000d000100000006000e0017c0000006000f000100000008000500000000000800060000000000",
        &[],
    );
}

#[test]
fn a_destination_is_changed_and_removed_as_ipvsadm_does() {
    // ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 0
    assert_same_destination(
        &Request::SetDestination(web(), server("10.0.0.11", 80), plain(ForwardingMethod::DirectRoute, 0)),
        "c80000001d000500f243016b372bc0ed060100005400018006000100020000000600020006000000140003000a0000640000000000\
         00000000000000060004000050000005000600000000000c00070000000000ffffffff080008000000000008000900ffffffff60000\
         28006000b0002000000140001000a00000b000000000000000000000000060002000050000008000300030000000800040000000000\
         05000d000000000006000e000000000006000f000000000008000500000000000800060000000000",
        &TUNNEL,
    );
    // ipvsadm -d -t 10.0.0.100:80 -r 10.0.0.11:80; the kernel looks at address and port only.
    let values = [code::DEST_FWD_METHOD, code::DEST_WEIGHT, code::DEST_U_THRESH, code::DEST_L_THRESH];
    assert_same_destination(
        &Request::DelDestination(web(), server("10.0.0.11", 80)),
        "c80000001d000500f243016b3a2bc0ed070100005400018006000100020000000600020006000000140003000a0000640000000000\
         00000000000000060004000050000005000600000000000c00070000000000ffffffff080008000000000008000900ffffffff60000\
         28006000b0002000000140001000a00000b000000000000000000000000060002000050000008000300030000000800040001000000\
         05000d000000000006000e000000000006000f000000000008000500000000000800060000000000",
        &[&values[..], &TUNNEL].concat(),
    );
}

#[test]
fn dumps_are_dumps_and_a_service_is_removed_by_its_key() {
    assert_eq!(emitted(&Request::DumpServices)[4..8], [0x1d, 0, 0x01, 0x03]);
    let dump = emitted(&Request::DumpDestinations(web()));
    assert_eq!((&dump[4..8], dump[16]), (&[0x1d, 0, 0x01, 0x03][..], code::CMD_GET_DEST));
    let remove = emitted(&Request::DelService(web()));
    assert_eq!((&remove[4..8], remove[16]), (&[0x1d, 0, 0x05, 0x00][..], code::CMD_DEL_SERVICE));
    assert_eq!(nest(&remove, 1, &[]), nest(&dump, 1, &[]));
    let kinds: Vec<_> = nest(&remove, 1, &[]).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [code::SVC_AF, code::SVC_PROTOCOL, code::SVC_ADDR, code::SVC_PORT]);
}

#[test]
fn a_request_that_does_not_fit_is_refused_and_the_one_before_it_kept() {
    let request = Request::NewService(web(), spec("wrr", 0, 0, 32));
    let length = emitted(&request).len();
    let mut buffer = vec![0; 2 * length - 1];
    let mut writer = Writer::new(&mut buffer);
    assert_eq!(request.emit(&mut writer, 0x1d, 1), Ok(()));
    assert_eq!(request.emit(&mut writer, 0x1d, 2), Err(Full));
    assert_eq!(writer.as_bytes(), emitted(&request));
}

/// A message payload: generic header, then what `fill` writes.
fn answer(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    writer.begin(0x1d, 2, 1);
    writer.raw(&[1, 1, 0, 0]);
    fill(&mut writer);
    writer.finish().unwrap();
    writer.as_bytes()[16..].to_vec()
}

fn service_answer(protocol: u16, netmask: u32) -> Vec<u8> {
    answer(|writer| {
        writer.nested(code::ATTR_SERVICE, |nest| {
            nest.u16(code::SVC_AF, 2);
            nest.u16(code::SVC_PROTOCOL, protocol);
            nest.bytes(code::SVC_ADDR, &[10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            nest.be16(code::SVC_PORT, 80);
            nest.str(code::SVC_SCHED_NAME, "wrr");
            nest.str(code::SVC_PE_NAME, "other");
            nest.bytes(code::SVC_FLAGS, &[3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
            nest.u32(code::SVC_TIMEOUT, 300);
            nest.bytes(code::SVC_NETMASK, &netmask.to_be_bytes());
            nest.nested(10, |statistics| statistics.u32(1, 77));
        });
    })
}

#[test]
fn the_kernel_s_own_flag_is_not_in_a_service_read() {
    let entry = parse_service(&service_answer(6, 0xffff_ff00)).unwrap();
    let engine = Some(PersistenceEngine::Other);
    let expected = ServiceSpec { engine, ..spec("wrr", 1, 300, 24) };
    assert_eq!(entry, ServiceEntry { key: service(Protocol::Tcp, "10.0.0.1", 80), spec: expected });
}

#[test]
fn masks_become_prefix_lengths_by_their_leading_ones() {
    for (mask, length) in [(u32::MAX, 32), (0, 0), (0x8000_0000, 1), (0xff00_ff00, 8), (0x00ff_ffff, 0)] {
        assert_eq!(parse_service(&service_answer(6, mask)).unwrap().spec.netmask, length, "{mask:08x}");
    }
}

#[test]
fn a_service_of_a_protocol_without_a_name_is_unknown() {
    assert_eq!(parse_service(&service_answer(47, 0)), Err(Malformed::Unknown));
    assert_eq!(parse_service(&answer(|_| {})), Err(Malformed::Missing));
    assert_eq!(parse_service(&[1, 1, 0]), Err(Malformed::Truncated));
}

fn destination_answer(family: Option<u16>) -> Vec<u8> {
    answer(|writer| {
        writer.nested(code::ATTR_DEST, |nest| {
            nest.bytes(code::DEST_ADDR, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
            nest.be16(code::DEST_PORT, 8080);
            nest.u32(code::DEST_FWD_METHOD, 0x0103);
            nest.u32(code::DEST_WEIGHT, 5);
            nest.u32(code::DEST_U_THRESH, 6);
            nest.u32(code::DEST_L_THRESH, 7);
            nest.u32(code::DEST_ACTIVE_CONNS, 8);
            nest.u32(code::DEST_INACT_CONNS, 9);
            nest.u32(code::DEST_PERSIST_CONNS, 10);
            if let Some(family) = family {
                nest.u16(code::DEST_ADDR_FAMILY, family);
            }
        });
    })
}

#[test]
fn a_destination_s_family_is_its_own_or_else_its_service_s() {
    let read = |own, service| parse_destination(&destination_answer(own), service).map(|entry| entry.key);
    assert_eq!(read(Some(10), Family::Inet), Ok(server("2001:db8::9", 8080)));
    assert_eq!(read(None, Family::Inet6), Ok(server("2001:db8::9", 8080)));
    assert_eq!(read(None, Family::Inet), Ok(server("32.1.13.184", 8080)));
    assert_eq!(read(Some(3), Family::Inet), Err(Malformed::Unknown));
}

#[test]
fn a_destination_is_read_with_its_counters_and_without_connection_flags() {
    let entry = parse_destination(&destination_answer(None), Family::Inet6).unwrap();
    let method = ForwardingMethod::DirectRoute;
    assert_eq!(entry.spec, DestinationSpec { method, weight: 5, upper: 6, lower: 7 });
    assert_eq!((entry.active, entry.inactive, entry.persistent), (8, 9, 10));
}

#[test]
fn the_version_reads_as_ipvsadm_prints_it() {
    let payload = answer(|writer| {
        writer.u32(code::INFO_VERSION, 0x0001_0201);
        writer.u32(code::INFO_CONN_TAB_SIZE, 4096);
    });
    let info = parse_info(&payload).unwrap();
    assert_eq!((info.version.to_string().as_str(), info.table_size), ("1.2.1", 4096));
    assert_eq!(parse_info(&payload[..12]), Err(Malformed::Missing));
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn service_keys() -> impl Strategy<Value = ServiceKey> {
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let family = prop::sample::select(vec![Family::Inet, Family::Inet6]);
    prop_oneof![
        (protocol, addresses(), any::<u16>()).prop_map(|(protocol, address, port)| ServiceKey::Address {
            protocol,
            address,
            port
        }),
        (1..=u32::MAX, family)
            .prop_map(|(mark, family)| ServiceKey::Mark { mark: NonZeroU32::new(mark).unwrap(), family }),
    ]
}

fn service_entries() -> impl Strategy<Value = ServiceEntry> {
    let engine = prop::sample::select(vec![None, Some(PersistenceEngine::Sip)]);
    let rest = ("[a-z]{1,15}", 0..64_u32, any::<u32>(), 0..=128_u8, engine);
    (service_keys(), rest).prop_map(|(key, (scheduler, flags, timeout, netmask, engine))| {
        let longest = if key.family() == Family::Inet { 32 } else { 128 };
        let spec = spec(&scheduler, flags & !2, timeout, netmask.min(longest));
        ServiceEntry { key, spec: ServiceSpec { engine, ..spec } }
    })
}

fn destination_specs() -> impl Strategy<Value = DestinationSpec> {
    let method = prop_oneof![
        Just(ForwardingMethod::Masquerade),
        Just(ForwardingMethod::Local),
        Just(ForwardingMethod::DirectRoute),
        Just(ForwardingMethod::Bypass),
        any::<(u8, u16, u16)>().prop_map(|(kind, port, flags)| ForwardingMethod::Tunnel(Tunnel {
            kind,
            port,
            flags
        })),
    ];
    (method, any::<[u32; 3]>()).prop_map(|(method, [weight, upper, lower])| DestinationSpec {
        method,
        weight,
        upper,
        lower,
    })
}

proptest! {
    #[test]
    fn a_service_sent_is_the_service_read(entry in service_entries()) {
        let bytes = emitted(&Request::NewService(entry.key, entry.spec));
        prop_assert_eq!(parse_service(&bytes[16..]), Ok(entry));
    }

    #[test]
    fn a_destination_sent_is_the_destination_read(
        service in service_keys(), address in addresses(), port: u16, spec in destination_specs(),
    ) {
        let key = DestinationKey { address, port };
        let bytes = emitted(&Request::SetDestination(service, key, spec));
        let entry = DestinationEntry { key, spec, active: 0, inactive: 0, persistent: 0 };
        prop_assert_eq!(parse_destination(&bytes[16..], service.family()), Ok(entry));
    }

    #[test]
    fn no_payload_panics(payload: Vec<u8>) {
        let _ = (parse_service(&payload), parse_destination(&payload, Family::Inet6), parse_info(&payload));
    }

    #[test]
    fn truncated_and_damaged_answers_panic_nowhere(
        cut in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        for mut payload in [service_answer(6, 0), destination_answer(Some(10))] {
            let bit = bit.index(payload.len() * 8);
            payload[bit / 8] ^= 1 << (bit % 8);
            let _ = (parse_service(&payload), parse_destination(&payload, Family::Inet));
            let cut = &payload[..cut.index(payload.len())];
            let _ = (parse_service(cut), parse_destination(cut, Family::Inet));
        }
    }
}
