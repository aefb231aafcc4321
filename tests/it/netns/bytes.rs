//! Whole frames, from the Ethernet destination to the last byte: for the same configuration on the same host lvsbox
//! sends what keepalived sends. Adverts of every variant, gratuitous ARP, unsolicited neighbour advertisements, their
//! order.
//!
//! Both makes run on hosts with the same Ethernet addresses. Left out is the IPv6 flow label, which the kernel chooses,
//! and of a farewell what counts the adverts before it: the IPv4 identification and the header checksum over it.
//! Checksums are judged on their own, too.

use std::time::Duration;

use lab::capture::Capture;
use lab::frames::{Frame, checksum};
use lab::netns::{Host, Lan};
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use crate::rig::{Instance, Make};
use Make::{Keepalived, Lvsbox};

const ETHERNET: usize = 14;
const DIRECTOR: [u8; 6] = [2, 0, 0, 0, 9, 1];
const IPV4: &[&str] = &["10.9.0.100/24", "10.9.0.101/24"];
const IPV6: &[&str] = &["fe80::100/64", "2001:db8:9::100/64"];
/// Two bursts of announcements in a second.
const BURSTS: &str = "    garp_master_repeat 2\n    garp_master_delay 1\n";
const EXCLUDED: &str = "    virtual_ipaddress_excluded {\n        10.9.0.120/24\n        2001:db8:9::120/64\n        10.9.0.110/32\n        2001:db8:9::110/128\n        10.9.1.1/24 dev eth1\n        2001:db8:91::1/64 dev eth1\n    }\n";

/// What is compared of one director.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    /// The first two adverts and the farewell.
    adverts: Vec<Vec<u8>>,
    /// All announcements, in their order.
    announcements: Vec<Vec<u8>>,
}

/// A host with an Ethernet address that is known, and so with a link-local address that is.
fn host(lan: &Lan, label: &str, last: u8) -> Host {
    let host = lan.host(label, &[]);
    lan.attach(&host, "eth1");
    for (interface, tail) in [("eth0", last), ("eth1", last + 16)] {
        host.ip(&format!("link set {interface} down"));
        host.ip(&format!("link set {interface} address 02:00:00:00:09:{tail:02x}"));
        host.ip(&format!("link set {interface} up"));
    }
    host.ip(&format!("addr add 10.9.0.{last}/24 dev eth0"));
    host.ip(&format!("addr add fd00:9::{last}/64 dev eth0 nodad"));
    host
}

/// A frame without what the kernel chooses or time does.
fn comparable(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.bytes.clone();
    match bytes[12..ETHERNET] {
        [0x08, 0x00] => {
            assert_eq!(checksum(&bytes[ETHERNET..ETHERNET + 20]), 0, "header checksum");
            if advert(frame) == Some(0) {
                for at in [4, 5, 10, 11] {
                    bytes[ETHERNET + at] = 0;
                }
            }
        }
        [0x86, 0xdd] => {
            assert_eq!(checksum(&pseudo(&bytes[ETHERNET..])), 0, "checksum over the pseudo-header");
            bytes[ETHERNET + 1] &= 0xf0;
            bytes[ETHERNET + 2..ETHERNET + 4].fill(0);
        }
        _ => {}
    }
    bytes
}

/// What the checksum of an IPv6 packet covers (RFC 8200 section 8.1).
fn pseudo(ip: &[u8]) -> Vec<u8> {
    let mut covered = ip[8..40].to_vec();
    covered.extend([0, 0, ip[4], ip[5], 0, 0, 0, ip[6]]);
    covered.extend(&ip[40..]);
    covered
}

/// The priority of the advert in a frame.
fn advert(frame: &Frame) -> Option<u8> {
    let ip = frame.bytes.get(ETHERNET..)?;
    match (frame.bytes.get(12..ETHERNET)?, ip.get(9)?, ip.get(6)?) {
        ([0x08, 0x00], 112, _) => ip.get(20 + 2).copied(),
        ([0x08, 0x00], 51, _) => ip.get(20 + 24 + 2).copied(),
        ([0x86, 0xdd], _, 112) => ip.get(40 + 2).copied(),
        _ => None,
    }
}

/// A gratuitous ARP for, or an unsolicited neighbour advertisement of, one of the virtual addresses.
fn is_announcement(frame: &Frame) -> bool {
    let bytes = &frame.bytes;
    let advertised = bytes.get(12..ETHERNET) == Some(&[0x86, 0xdd]) && bytes.get(ETHERNET + 6) == Some(&58);
    // The kernel announces nothing of its own: ndisc_notify and arp_notify are off.
    frame.gratuitous_arp().is_some() || (advertised && bytes.get(ETHERNET + 40) == Some(&136))
}

/// What a director alone on its LAN sends from its start to its stop, whose announcements are `count`.
fn sent_by(make: Make, text: &str, count: usize, forwarding: bool) -> Sent {
    let lan = Lan::new();
    let (director, _peer) = (host(&lan, "a", 1), host(&lan, "b", 2));
    let observer = lan.host("eye", &["10.9.0.9/24"]);
    if forwarding {
        director.sysctl("net.ipv6.conf.all.forwarding", "1");
    }
    let capture = Capture::open(&observer, "eth0");
    let scratch = Scratch::new("bytes");
    let from = |frame: &Frame| frame.bytes[6..11] == DIRECTOR[..5] && [1, 17].contains(&frame.bytes[11]);
    let all = || -> Vec<Frame> { capture.frames().into_iter().filter(from).collect() };
    let mut process = make.start(&director, text, &scratch);
    let announced = || all().iter().filter(|frame| is_announcement(frame)).count();
    wait::until("the announcements", secs(12), || (announced() >= count).then_some(()));
    wait::until("two adverts", secs(5), || (all().iter().filter_map(advert).count() >= 2).then_some(()));
    wait::steady("and no more announcements", Duration::from_millis(500), || announced() == count);
    process.stop(secs(5));
    wait::until("the farewell", secs(3), || all().iter().any(|frame| advert(frame) == Some(0)).then_some(()));
    let all = all();
    let (farewells, adverts): (Vec<&Frame>, Vec<&Frame>) =
        all.iter().filter(|frame| advert(frame).is_some()).partition(|frame| advert(frame) == Some(0));
    let mut compared: Vec<Vec<u8>> = adverts.iter().take(2).map(|frame| comparable(frame)).collect();
    let sealed = farewells[0].bytes[ETHERNET + 9] == 51 && farewells[0].bytes[12] == 8;
    // The sequence number of a sealed farewell is the count of adverts before it, which depends on when it was stopped.
    compared.extend(farewells.iter().filter(|_| !sealed).map(|frame| comparable(frame)));
    assert_eq!(farewells.len(), 1);
    let announcements = all.iter().filter(|frame| is_announcement(frame)).map(comparable).collect();
    Sent { adverts: compared, announcements }
}

fn hex(frames: &[Vec<u8>]) -> String {
    let line = |frame: &Vec<u8>| frame.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    frames.iter().map(line).collect()
}

/// The instance with more lines.
fn with(instance: &Instance, lines: &str) -> String {
    let lines = format!("    state BACKUP\n{BURSTS}{lines}");
    instance.to_string().replacen("    state BACKUP\n", &lines, 1)
}

fn sealed(instance: &Instance) -> String {
    with(instance, "").replace("auth_type PASS", "auth_type AH")
}

fn same_on(text: &str, count: usize, forwarding: bool) {
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| sent_by(Keepalived, text, count, forwarding));
        let ours = sent_by(Lvsbox, text, count, forwarding);
        (theirs.join().unwrap(), ours)
    });
    assert!(theirs.adverts.len() >= 2 && theirs.announcements.len() == count);
    assert_eq!(hex(&ours.adverts), hex(&theirs.adverts), "adverts");
    assert_eq!(hex(&ours.announcements), hex(&theirs.announcements), "announcements");
}

/// A row is a configuration and how many announcements it makes.
macro_rules! rows {
    ($($name:ident: $text:expr, $count:expr;)*) => {
        $(#[test] fn $name() { same_on(&$text, $count, false); })*
    };
}

fn v4() -> Instance {
    Instance::new(150, IPV4)
}

fn v6() -> Instance {
    Instance::new(150, IPV6).v3("0.3")
}

rows! {
    v2_multicast: with(&v4(), ""), 8;
    v2_multicast_pass: with(&Instance::new(254, IPV4).password("s3cret"), ""), 8;
    v2_multicast_ah: sealed(&Instance::new(1, IPV4).password("s3cret")), 8;
    v2_unicast: with(&v4().unicast("10.9.0.1", "10.9.0.2"), ""), 8;
    v2_unicast_pass: with(&v4().password("s3cret").unicast("10.9.0.1", "10.9.0.2"), ""), 8;
    v2_unicast_ah: sealed(&v4().password("s3cret").unicast("10.9.0.1", "10.9.0.2")), 8;
    v2_owner: with(&Instance::new(255, IPV4), ""), 8;
    v2_excluded_of_both_families_and_two_interfaces: with(&v4(), EXCLUDED), 32;
    v2_mcast_src_ip: with(&v4(), "    mcast_src_ip 10.9.0.1\n"), 8;
    v3_multicast: with(&v4().v3("0.3"), ""), 8;
    v3_unicast: with(&v4().v3("0.3").unicast("10.9.0.1", "10.9.0.2"), ""), 8;
    v3_long_interval: with(&v4().v3("1.5"), ""), 8;
    v6_multicast: with(&v6(), ""), 8;
    v6_unicast: with(&v6().unicast("fd00:9::1", "fd00:9::2"), "    unicast_ttl 255\n"), 8;
    v6_unicast_link_local: with(&v6().unicast("fe80::ff:fe00:901", "fe80::ff:fe00:902"), "    unicast_ttl 255\n"), 8;
    v6_excluded_of_both_families_and_two_interfaces: with(&v6(), EXCLUDED), 32;
    v6_unicast_ttl: with(&v6().unicast("fd00:9::1", "fd00:9::2"), "    unicast_ttl 33\n"), 8;
    v3_unicast_ttl: with(&v4().v3("0.3").unicast("10.9.0.1", "10.9.0.2"), "    unicast_ttl 33\n"), 8;
}

/// The one intended difference, and the only one in these bytes: RFC 9568 section 5.1.2.3.
#[test]
fn v6_unicast_without_a_ttl_has_a_hop_limit_of_255() {
    let text = with(&v6().unicast("fd00:9::1", "fd00:9::2"), "");
    let [theirs, ours] = [Keepalived, Lvsbox].map(|make| sent_by(make, &text, 8, false).adverts);
    let differing = |index: usize| {
        let pairs = theirs[index].iter().zip(&ours[index]).enumerate();
        pairs
            .filter(|(_, (their, our))| their != our)
            .map(|(at, (their, our))| (at, *their, *our))
            .collect::<Vec<_>>()
    };
    for index in 0..3 {
        assert_eq!(differing(index), [(ETHERNET + 7, 64, 255)]);
    }
}

/// RFC 4861 section 7.2.6: the router flag.
#[test]
fn v6_of_a_host_that_forwards() {
    same_on(&with(&v6(), ""), 8, true);
}
