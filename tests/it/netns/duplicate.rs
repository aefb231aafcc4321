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

fn alarmed(host: &Host, text: &str) -> bool {
    ctl(host, "status").lines().any(|line| line.contains(ALARM) && line.contains(text))
}

/// keepalived with another VRID and the same address: neither hears the other's adverts as its own.
fn a_stranger_is_an_alarm_until_we_are_master_no_more(instance: &Instance, vip: &str) {
    let pair = Pair::new();
    let scratch = Scratch::new("duplicate");
    let director = Lvsbox.start(&pair.first, &instance.to_string(), &scratch);
    director.wait_line(MASTER, secs(8));
    assert!(!alarmed(&pair.first, vip));
    let stranger = Keepalived.start(&pair.second, &instance.clone().named("VI_2", 52).to_string(), &scratch);
    stranger.wait_line("(VI_2) Entering MASTER STATE", secs(8));
    let who = mac(&pair.second);
    director.wait_line(&format!("{vip} on eth0 is used by {who}, too"), secs(5));
    assert!(alarmed(&pair.first, &who) && alarmed(&pair.first, vip));
    assert!(ctl(&pair.first, "show vrrp").contains(&format!("also at {who}")));
    wait::until("its other announcements", secs(8), || {
        let shown = ctl(&pair.first, "status");
        shown.lines().any(|line| line.contains("(5 times, ")).then_some(())
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
    a_stranger_is_an_alarm_until_we_are_master_no_more(&Instance::new(100, &["10.9.0.100/24"]), "10.9.0.100");
}

#[test]
fn another_host_with_our_ipv6_address_is_an_alarm() {
    let instance = Instance::new(100, &["2001:db8:9::100/64"]).v3("1");
    a_stranger_is_an_alarm_until_we_are_master_no_more(&instance, "2001:db8:9::100");
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
