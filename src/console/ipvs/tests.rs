//! Against what `ipvsadm -Ln` 1.31 printed for the same tables.

use core::num::NonZeroU32;

use super::*;
use crate::wire::genl_ipvs::{DestinationSpec, Scheduler, Tunnel, Version};

fn service(key: ServiceKey, scheduler: &str, flags: u32, timeout: u32, netmask: u8) -> ServiceEntry {
    let scheduler = Scheduler::new(scheduler).unwrap();
    ServiceEntry { key, spec: ServiceSpec { scheduler, flags, timeout, netmask, engine: None } }
}

fn key(protocol: Protocol, address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol, address: address.parse().unwrap(), port }
}

fn mark(mark: u32, family: Family) -> ServiceKey {
    ServiceKey::Mark { mark: NonZeroU32::new(mark).unwrap(), family }
}

fn destination(
    address: &str,
    port: u16,
    method: ForwardingMethod,
    weight: u32,
    inactive: u32,
) -> DestinationEntry {
    DestinationEntry {
        key: DestinationKey { address: address.parse().unwrap(), port },
        spec: DestinationSpec { method, weight, upper: 0, lower: 0 },
        active: 0,
        inactive,
        persistent: 0,
    }
}

fn info() -> Info {
    Info { version: Version(0x10201), table_size: 4_096 }
}

/// The captured table, in the order of the kernel's dump: newest first.
fn table() -> Vec<(ServiceEntry, Vec<DestinationEntry>)> {
    use ForwardingMethod::{DirectRoute, Tunnel as Tunneled};
    let sip = |entry: ServiceEntry| {
        let spec = ServiceSpec { engine: Some(PersistenceEngine::Sip), ..entry.spec };
        ServiceEntry { spec, ..entry }
    };
    vec![
        (service(mark(8, Family::Inet6), "rr", 1, 60, 64), vec![]),
        (service(mark(7, Family::Inet), "rr", 0, 0, 32), vec![]),
        (service(key(Protocol::Tcp, "2001:db8::1", 80), "wrr", 0, 0, 128), vec![]),
        (service(key(Protocol::Sctp, "10.0.0.1", 99), "rr", 0, 0, 32), vec![]),
        (sip(service(key(Protocol::Udp, "10.0.0.1", 5060), "rr", 1, 30, 32)), vec![]),
        (service(key(Protocol::Udp, "10.0.0.1", 53), "rr", 4, 0, 32), vec![]),
        (
            service(key(Protocol::Tcp, "10.0.0.1", 443), "sh", 0x18, 0, 32),
            vec![destination("192.168.77.2", 443, Tunneled(Tunnel::default()), 1, 0)],
        ),
        (
            service(key(Protocol::Tcp, "10.0.0.1", 80), "wrr", 1, 300, 24),
            vec![
                destination("10.0.0.3", 80, DirectRoute, 0, 0),
                destination("192.168.77.1", 80, DirectRoute, 3, 3),
            ],
        ),
    ]
}

fn sorted() -> Vec<(ServiceEntry, Vec<DestinationEntry>)> {
    let mut table = table();
    let mut order: Vec<usize> = (0..table.len()).collect();
    let by_key = |a: &usize, b: &usize| compare_services(&table[*a].0.key, &table[*b].0.key);
    sort(&mut order, &mut Vec::new(), &by_key);
    for (_, destinations) in &mut table {
        sort(destinations, &mut Vec::new(), &|a, b| compare_destinations(&a.key, &b.key));
    }
    order.into_iter().map(|row| table[row].clone()).collect()
}

#[test]
fn the_table_is_ipvsadms_byte_for_byte() {
    let mut out = String::new();
    version(&mut out, &info()).and_then(|()| out.write_str(HEAD)).unwrap();
    for (service, destinations) in &sorted() {
        service_line(&mut out, service).unwrap();
        destinations.iter().for_each(|entry| destination_line(&mut out, entry).unwrap());
    }
    let expected = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.1:80 wrr persistent 300 mask 255.255.255.0
  -> 192.168.77.1:80              Route   3      0          3         \n  \
  -> 10.0.0.3:80                  Route   0      0          0         \n\
TCP  10.0.0.1:443 sh (sh-fallback,sh-port)
  -> 192.168.77.2:443             Tunnel  1      0          0         \n\
UDP  10.0.0.1:53 rr ops
UDP  10.0.0.1:5060 rr persistent 30 pe sip
SCTP 10.0.0.1:99 rr
TCP  [2001:db8::1]:80 wrr
FWM  7 rr
FWM  8 IPv6 rr persistent 60 mask 64
";
    assert_eq!(out, expected);
}

#[test]
fn addresses_half_the_space_apart_are_compared_as_signed() {
    let key = |address: &str| DestinationKey { address: address.parse().unwrap(), port: 80 };
    let compare = |a, b| compare_destinations(&key(a), &key(b));
    assert_eq!(compare("10.0.0.3", "10.0.0.4"), Ordering::Less);
    assert_eq!(compare("192.168.77.1", "10.0.0.3"), Ordering::Less);
    assert_eq!(compare("10.0.0.3", "192.168.77.1"), Ordering::Greater);
    // Not transitive: each is less than the next, around the circle.
    let circle = ["10.0.0.1", "100.0.0.1", "192.0.0.1", "10.0.0.1"];
    assert!(circle.windows(2).all(|pair| compare(pair[0], pair[1]) == Ordering::Less));
    assert_eq!(compare("2001:db8::2", "2001:db8::10"), Ordering::Less);
}

/// Where the comparison is no order, the order of the dump decides, as it does for ipvsadm.
#[test]
fn sort_merges_from_the_top_down_and_prefers_the_left() {
    let sorted = |dump: [&str; 3]| {
        let mut keys = dump.map(|address| DestinationKey { address: address.parse().unwrap(), port: 80 });
        sort(&mut keys, &mut Vec::new(), &compare_destinations);
        keys.map(|key| key.address.to_string())
    };
    let [a, b, c] = ["10.0.0.1", "100.0.0.1", "192.0.0.1"];
    assert_eq!(sorted([a, b, c]), [a, b, c]);
    assert_eq!(sorted([c, b, a]), [c, a, b]);
    assert_eq!(sorted([b, a, c]), [b, c, a]);
}

#[test]
fn sort_of_what_has_an_order_gives_that_order() {
    for length in 0..70_u32 {
        let mut numbers: Vec<u32> = (0..length).map(|n| n * 29 % 64).collect();
        let mut expected = numbers.clone();
        expected.sort_unstable();
        sort(&mut numbers, &mut Vec::new(), &Ord::cmp);
        assert_eq!(numbers, expected);
    }
}

#[test]
fn json_is_one_document() {
    let mut out = String::new();
    json_begin(&mut out, &info()).unwrap();
    for (place, (service, destinations)) in sorted().iter().enumerate() {
        json_service(&mut out, (service, &Stats::default()), View::Plain, place).unwrap();
        for (place, entry) in destinations.iter().enumerate() {
            json_destination(&mut out, (entry, &Stats::default()), View::Plain, place).unwrap();
        }
        json_service_end(&mut out).unwrap();
    }
    json_end(&mut out, false).unwrap();
    super::super::fixture::assert_json(&out);
    assert!(out.contains(r#""service":"[10.0.0.1]:tcp:80""#) && out.contains(r#""forward":"Tunnel""#));
    assert!(out.contains(r#""fwmark":8"#));
}
