//! Version 3 over IPv4 and IPv6 (RFC 9568), against keepalived in both roles: elections, intervals, bytes.

use std::time::{Duration, Instant};

use lab::frames::Frame;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Instance, Make, ctl};
use Make::{Keepalived, Lvsbox};

const MASTER: &str = "(VI_1) Entering MASTER STATE";
const BACKUP: &str = "(VI_1) Entering BACKUP STATE";
const IPV4: &[&str] = &["10.9.0.100/24", "10.9.0.101/24"];
const IPV6: &[&str] = &["fe80::100/64", "2001:db8::100/64"];

/// The address that proves who is master.
fn proof(addresses: &[&str]) -> String {
    addresses.last().and_then(|text| text.split('/').next()).unwrap().to_owned()
}

/// Election, clean stop, return and preemption, silence. The directors have different intervals, as RFC 9568 section
/// 6.4.2 allows.
fn life_of_a_pair(high: Make, low: Make, addresses: &[&str], unicast: bool) {
    let pair = Pair::new();
    let scratch = Scratch::new("v3life");
    let vip = proof(addresses);
    let text = |priority, advert_int, own: &str, peer: &str| {
        let instance = Instance::new(priority, addresses).v3(advert_int);
        if unicast { instance.unicast(own, peer) } else { instance }.to_string()
    };
    let high_text = text(150, "0.3", "10.9.0.1", "10.9.0.2");
    let low_text = text(100, "0.5", "10.9.0.2", "10.9.0.1");
    let mut first = high.start(&pair.first, &high_text, &scratch);
    first.wait_line(MASTER, secs(8));
    let second = low.start(&pair.second, &low_text, &scratch);
    second.wait_line("advertisement interval updated from 500ms to 300ms by master", secs(5));
    let holds = |host: &lab::netns::Namespace| host.has_address("eth0", &vip);
    wait::until("the address on the first", secs(3), || holds(&pair.first).then_some(()));
    wait::steady("the lower priority listens", secs(2), || second.count(MASTER) == 0);

    let stopped = Instant::now();
    assert!(first.stop(secs(5)).success(), "a clean stop ends with status 0");
    second.wait_line("(VI_1) Backup received priority 0 advertisement", secs(2));
    second.wait_line(MASTER, secs(2));
    assert!(stopped.elapsed() < Duration::from_millis(2_500), "a skew of 0.18 s: {:?}", stopped.elapsed());
    wait::until("the address on the second", secs(2), || holds(&pair.second).then_some(()));

    let first = high.start(&pair.first, &high_text, &scratch);
    first.wait_line(MASTER, secs(8));
    second.wait_lines(BACKUP, 2, secs(3));
    wait::until("the second to give the address up", secs(2), || (!holds(&pair.second)).then_some(()));

    pair.lan.isolate(&pair.first);
    second.wait_lines(MASTER, 2, secs(4));
    wait::until("the address on the second", secs(2), || holds(&pair.second).then_some(()));
    assert_eq!(second.count("checksum"), 0);
    assert_eq!(first.count("checksum"), 0);
}

/// The IP packet of the first advert on the wire of either family, without what rightly differs between two senders:
/// IPv4 identification and header checksum, IPv6 flow label and source with the checksum over it.
fn first_advert(make: Make, text: &str) -> Vec<u8> {
    let pair = Pair::new();
    let scratch = Scratch::new("v3bytes");
    let _director = make.start(&pair.first, text, &scratch);
    pair.capture.wait("an advert", secs(9), |Frame { bytes, .. }| {
        let mut ip = bytes.get(14..).unwrap_or(&[]).to_vec();
        match (bytes.get(12..14)?, ip.get(6)?, ip.get(9)?) {
            ([0x08, 0x00], _, 112) => {
                ip[4..6].fill(0);
                ip[10..12].fill(0);
            }
            ([0x86, 0xdd], 112, _) => {
                ip[1] &= 0xf0;
                ip[2..4].fill(0);
                ip[8..24].fill(0);
                ip[46..48].fill(0);
            }
            _ => return None,
        }
        Some(ip)
    })
}

fn same_bytes(instance: &Instance) {
    let text = instance.to_string();
    let theirs = first_advert(Keepalived, &text);
    assert_eq!(first_advert(Lvsbox, &text), theirs);
}

#[test]
fn advert_of_version_3_over_ipv4_is_keepaliveds_byte_for_byte() {
    same_bytes(&Instance::new(150, IPV4).v3("0.25"));
}

#[test]
fn advert_over_ipv6_is_keepaliveds_byte_for_byte() {
    same_bytes(&Instance::new(150, IPV6).v3("0.5"));
}

#[test]
fn adverts_a_hundredth_of_a_second_apart_are_sent_and_followed() {
    let pair = Pair::new();
    let scratch = Scratch::new("v3fast");
    let text = |priority| Instance::new(priority, IPV4).v3("0.01").to_string();
    let first = Lvsbox.start(&pair.first, &text(150), &scratch);
    first.wait_line(MASTER, secs(5));
    pair.capture.clear();
    let began = Instant::now();
    wait::until("a hundred adverts", secs(5), || (pair.capture.adverts().len() >= 100).then_some(()));
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
}

/// One VRID on one interface in both families, and 255 instances on it in one process.
#[test]
fn two_families_share_a_vrid_and_255_instances_a_process() {
    let pair = Pair::new();
    let scratch = Scratch::new("v3many");
    let mut text = String::new();
    for vrid in 1..=254_u8 {
        let address = format!("10.64.0.{vrid}/32");
        text += &Instance::new(150, &[&address]).v3("0.1").named(&format!("V{vrid}"), vrid).to_string();
    }
    text += &Instance::new(150, IPV6).v3("0.1").named("SIX", 1).to_string();
    let director = Lvsbox.start(&pair.first, &text, &scratch);
    director.wait_line("(SIX) Entering MASTER STATE", secs(8));
    wait::until("all addresses", secs(10), || {
        let present = (1..=254).all(|last| pair.first.has_address("eth0", &format!("10.64.0.{last}")));
        (present && pair.first.has_address("eth0", "2001:db8::100")).then_some(())
    });
    let shown = ctl(&pair.first, "show vrrp json");
    assert_eq!(shown.matches("\"state\":\"MASTER\"").count(), 255);
}

/// A scenario once per row, each a test of its own.
macro_rules! scenarios {
    ($($name:ident: $call:expr;)*) => { $(#[test] fn $name() { $call; })* };
}

scenarios! {
    laboratory_pair_of_keepalived_version_3: life_of_a_pair(Keepalived, Keepalived, IPV4, false);
    laboratory_pair_of_keepalived_ipv6: life_of_a_pair(Keepalived, Keepalived, IPV6, false);

    lvsbox_above_keepalived_version_3: life_of_a_pair(Lvsbox, Keepalived, IPV4, false);
    lvsbox_below_keepalived_version_3: life_of_a_pair(Keepalived, Lvsbox, IPV4, false);
    lvsbox_above_keepalived_version_3_unicast: life_of_a_pair(Lvsbox, Keepalived, IPV4, true);
    lvsbox_below_keepalived_version_3_unicast: life_of_a_pair(Keepalived, Lvsbox, IPV4, true);
    lvsbox_above_keepalived_ipv6: life_of_a_pair(Lvsbox, Keepalived, IPV6, false);
    lvsbox_below_keepalived_ipv6: life_of_a_pair(Keepalived, Lvsbox, IPV6, false);
    lvsbox_above_lvsbox_ipv6: life_of_a_pair(Lvsbox, Lvsbox, IPV6, false);
}
