//! Somebody else speaks for an address that a MASTER holds: an alarm that names who, once in the log, until it is
//! MASTER no more. keepalived's announcements, heard by a BACKUP or in an election, are none.

use lab::netns::Host;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Instance, Make, ctl};
use Make::{Keepalived, Lvsbox};

const MASTER: &str = "(VI_1) Entering MASTER STATE";
const ALARM: &str = "is used by";

fn mac(host: &Host) -> String {
    let shown = host.ip("-o link show dev eth0");
    shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
}

/// Gives the host an address, and has it announced until `what` is so: the kernel announces a new address by itself
/// if it is told to, by ARP or by a neighbour advertisement.
fn announce_until(host: &Host, address: &str, mut done: impl FnMut() -> bool) {
    host.sysctl("net.ipv4.conf.eth0.arp_notify", "1");
    host.sysctl("net.ipv6.conf.eth0.ndisc_notify", "1");
    let nodad = if address.contains(':') { " nodad" } else { "" };
    wait::until("the alarm", secs(10), || {
        host.ip("link set eth0 down");
        host.ip("link set eth0 up");
        // An IPv6 address goes with the interface.
        if !host.addresses("eth0").iter().any(|row| row == address) {
            host.ip(&format!("addr add {address} dev eth0{nodad}"));
        }
        wait::maybe(secs(1), || done().then_some(()))
    });
}

fn alarmed(host: &Host, text: &str) -> bool {
    ctl(host, "status").lines().any(|line| line.contains(ALARM) && line.contains(text))
}

fn a_stranger_is_an_alarm_until_we_are_master_no_more(text: &str, vip: &str, stranger: &str) {
    let pair = Pair::new();
    let scratch = Scratch::new("duplicate");
    let director = Lvsbox.start(&pair.first, text, &scratch);
    director.wait_line(MASTER, secs(8));
    assert!(!alarmed(&pair.first, vip));
    announce_until(&pair.observer, stranger, || alarmed(&pair.first, vip));
    let who = mac(&pair.observer);
    director.wait_line(&format!("{vip} on eth0 is used by {who}, too"), secs(2));
    assert!(alarmed(&pair.first, &who));
    assert!(ctl(&pair.first, "show vrrp").contains(&format!("also at {who}")));
    announce_until(&pair.observer, stranger, || {
        ctl(&pair.first, "status").lines().any(|line| line.contains(ALARM) && !line.contains("heard 1 times"))
    });
    assert_eq!(director.count(ALARM), 1, "once, not once a packet");
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
    assert!(pair.first.has_address("eth0", vip));

    pair.lan.cut(&pair.first);
    director.wait_line("(VI_1) Entering FAULT STATE", secs(5));
    assert!(!alarmed(&pair.first, vip), "who holds nothing has no alarm");
}

#[test]
fn another_host_with_our_address_is_an_alarm() {
    let text = Instance::new(100, &["10.9.0.100/24"]).to_string();
    a_stranger_is_an_alarm_until_we_are_master_no_more(&text, "10.9.0.100", "10.9.0.100/24");
}

#[test]
fn another_host_with_our_ipv6_address_is_an_alarm() {
    let text = Instance::new(100, &["2001:db8:9::100/64"]).v3("1").to_string();
    a_stranger_is_an_alarm_until_we_are_master_no_more(&text, "2001:db8:9::100", "2001:db8:9::100/64");
}

#[test]
fn the_other_director_s_announcements_are_no_alarm() {
    let pair = Pair::new();
    let scratch = Scratch::new("no-duplicate");
    let text = |priority| Instance::new(priority, &["10.9.0.100/24"]).to_string();
    let other = Keepalived.start(&pair.first, &text(100), &scratch);
    other.wait_line(MASTER, secs(8));
    let ours = Lvsbox.start(&pair.second, &text(150), &scratch);
    ours.wait_line(MASTER, secs(8));
    other.wait_lines("(VI_1) Entering BACKUP STATE", 2, secs(3));
    let mut ours = ours;
    ours.stop(secs(5));
    other.wait_lines(MASTER, 2, secs(5));
    let again = Scratch::new("no-duplicate-again");
    let ours = Lvsbox.start(&pair.second, &text(150), &again);
    ours.wait_line(MASTER, secs(8));
    wait::until("the other to give way", secs(3), || {
        (!pair.first.has_address("eth0", "10.9.0.100")).then_some(())
    });
    assert!(!alarmed(&pair.second, ""));
    assert_eq!(ours.count(ALARM), 0);
}
