//! Who is master, and how long the others wait: RFC 3768 sections 6.4 and 8.1, against keepalived in both roles.
//!
//! Lower bounds of times are the protocol's; upper ones leave half a second for a loaded machine.

use std::time::Duration;

use lab::capture::Capture;
use lab::frames::Advert;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair, SECOND};
use crate::rig::{Instance, Make};
use Make::{Keepalived, Lvsbox};

const VIP: &str = "10.9.0.100";
const MASTER: &str = "(VI_1) Entering MASTER STATE";
const BACKUP: &str = "(VI_1) Entering BACKUP STATE";

/// Skew of priority 100 and the whole wait of a backup with it, at an interval of one second (RFC 3768 6.1).
const SKEW: Duration = Duration::from_micros(156 * 1_000_000 / 256);
const MASTER_DOWN: Duration = Duration::from_micros(3_000_000 + 156 * 1_000_000 / 256);
/// How early a clock may seem to fire, and how late a loaded machine may be.
const EARLY: Duration = Duration::from_millis(30);
const LATE: Duration = Duration::from_millis(900);

#[derive(Clone, Copy)]
struct Link {
    unicast: bool,
    password: Option<&'static str>,
}

impl Link {
    /// The configurations of the director with the higher priority and of the one with the lower.
    fn texts(self) -> (String, String) {
        let make = |priority, own: &str, peer: &str| {
            let mut instance = Instance::new(priority, &["10.9.0.100/24", "10.9.0.101/24"]);
            if self.unicast {
                instance = instance.unicast(own, peer);
            }
            if let Some(password) = self.password {
                instance = instance.password(password);
            }
            instance.to_string()
        };
        (make(150, "10.9.0.1", "10.9.0.2"), make(100, "10.9.0.2", "10.9.0.1"))
    }
}

#[track_caller]
fn assert_between(span: Duration, least: Duration, what: &str) {
    assert!(span + EARLY >= least && span <= least + LATE, "{what} took {span:?}, due after {least:?}");
}

/// The time from the last advert of the first director to the first one of the second after it.
fn gap(capture: &Capture, last: impl Fn(&Advert) -> bool) -> Duration {
    let end = wait::until("the last advert of the first", secs(5), || {
        capture.adverts().iter().rev().find(|advert| advert.source == FIRST && last(advert)).cloned()
    });
    let next = capture.wait_advert("an advert of the second", secs(6), |advert| {
        advert.source == SECOND && advert.priority == 100 && advert.at > end.at
    });
    // The first director may have sent once more in the meantime: what counts is its very last one before the change.
    let sent = capture.adverts();
    let end = sent.iter().rev().find(|advert| advert.source == FIRST && last(advert) && advert.at < next.at);
    next.at - end.unwrap().at
}

/// Election, clean stop, return, crash: the life of a pair.
fn life_of_a_pair(high: Make, low: Make, link: Link) {
    let pair = Pair::new();
    let scratch = Scratch::new("life");
    let (high_text, low_text) = link.texts();
    let second = low.start(&pair.second, &low_text, &scratch);
    let mut first = high.start(&pair.first, &high_text, &scratch);
    first.wait_line(MASTER, secs(8));
    let holds = |host: &lab::netns::Namespace| host.has_address("eth0", VIP);
    wait::until("the address on the first", secs(2), || holds(&pair.first).then_some(()));
    assert_eq!(second.count(MASTER), 0, "the lower priority became master at the start");
    assert!(!holds(&pair.second));

    pair.capture.clear();
    assert!(first.stop(secs(5)).success(), "a clean stop ends with status 0");
    assert_between(gap(&pair.capture, |advert| advert.priority == 0), SKEW, "takeover after a farewell");
    let farewells = pair.capture.adverts().iter().filter(|advert| advert.priority == 0).count();
    assert_eq!(farewells, 1, "a stopping master says farewell once");
    second.wait_line(MASTER, secs(2));
    assert!(!holds(&pair.first), "a stopped director keeps no address");
    wait::until("the address on the second", secs(2), || holds(&pair.second).then_some(()));

    let mut first = returns(&pair, high, &high_text, &second, &scratch);
    pair.capture.clear();
    match high {
        // Its children say farewell when the parent is killed; a cut wire is a crash for everybody else.
        Keepalived => pair.lan.isolate(&pair.first),
        Lvsbox => first.crash(),
    }
    pair.capture.wait_advert("the takeover", secs(6), |advert| advert.source == SECOND);
    assert_eq!(pair.capture.adverts().iter().filter(|advert| advert.priority == 0).count(), 0);
    second.wait_lines(MASTER, 2, secs(2));
    wait::until("the address on the second", secs(2), || holds(&pair.second).then_some(()));
}

/// The first director comes back, waits as a backup, removes nothing but its own leftovers, and preempts.
fn returns(pair: &Pair, high: Make, text: &str, second: &Process, scratch: &Scratch) -> Process {
    // What a crash leaves behind: the address on both.
    pair.first.ip(&format!("addr add {VIP}/24 dev eth0"));
    pair.capture.clear();
    let first = high.start(&pair.first, text, scratch);
    wait::until("the left-over address to go", secs(3), || {
        (!pair.first.has_address("eth0", VIP)).then_some(())
    });
    assert_eq!(first.count(MASTER), 0, "the left-over address went before the election");
    first.wait_line(MASTER, secs(8));
    second.wait_lines(BACKUP, 2, secs(3));
    wait::until("the second to give the address up", secs(2), || {
        (!pair.second.has_address("eth0", VIP)).then_some(())
    });
    assert!(!pair.capture.adverts().iter().any(|advert| advert.priority == 0), "giving way is no farewell");
    // The takeover time of a crash is taken from its adverts: one must have been seen in peace.
    pair.capture.wait_advert("an advert of the first", secs(3), |advert| advert.source == FIRST);
    first
}

/// Time from the last advert of a crashed master to the first of its backup.
fn crash_is_noticed_in_time(low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("crash");
    let (high_text, low_text) = Link { unicast: false, password: None }.texts();
    let _second = low.start(&pair.second, &low_text, &scratch);
    let first = Keepalived.start(&pair.first, &high_text, &scratch);
    first.wait_line(MASTER, secs(8));
    pair.capture.clear();
    pair.capture.wait_advert("an advert in peace", secs(3), |advert| advert.source == FIRST);
    pair.lan.isolate(&pair.first);
    assert_between(gap(&pair.capture, |_| true), MASTER_DOWN, "takeover after silence");
}

/// A better director that must not preempt stays backup, and is master when it is needed.
fn nopreempt_is_kept(high: Make, low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("nopreempt");
    let mut second = low.start(&pair.second, &Instance::new(100, &[VIP]).to_string(), &scratch);
    second.wait_line(MASTER, secs(8));
    let first = high.start(&pair.first, &Instance::new(150, &[VIP]).nopreempt().to_string(), &scratch);
    first.wait_line(BACKUP, secs(5));
    // Longer than its whole master_down interval of 3.4 s.
    wait::steady("nopreempt", Duration::from_millis(4_500), || first.count(MASTER) == 0);
    assert_eq!(second.count(BACKUP), 1, "the lower priority stayed master");
    second.stop(secs(5));
    first.wait_line(MASTER, secs(3));
}

/// Two masters of equal priority meet: the higher address stays.
fn equal_priority_is_settled_by_address(higher: Make, lower: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("equal");
    let text = Instance::new(100, &[VIP]).to_string();
    pair.lan.isolate(&pair.first);
    let first = lower.start(&pair.first, &text, &scratch);
    let second = higher.start(&pair.second, &text, &scratch);
    first.wait_line(MASTER, secs(8));
    second.wait_line(MASTER, secs(8));
    pair.lan.restore(&pair.first);
    first.wait_lines(BACKUP, 2, secs(5));
    wait::steady("the higher address is master", secs(2), || second.count(BACKUP) == 1);
    assert!(pair.second.has_address("eth0", VIP) && !pair.first.has_address("eth0", VIP));
}

/// A cable pulled at the master and put back.
fn lost_carrier_is_a_fault_and_heals(high: Make, low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("fault");
    let second = low.start(&pair.second, &Instance::new(100, &[VIP]).to_string(), &scratch);
    let first = high.start(&pair.first, &Instance::new(150, &[VIP]).to_string(), &scratch);
    first.wait_line(MASTER, secs(8));
    pair.lan.cut(&pair.first);
    first.wait_line("(VI_1) Entering FAULT STATE", secs(3));
    wait::until("the address to go", secs(2), || (!pair.first.has_address("eth0", VIP)).then_some(()));
    second.wait_line(MASTER, secs(6));
    pair.lan.join(&pair.first);
    first.wait_lines(BACKUP, 2, secs(3));
    first.wait_lines(MASTER, 2, secs(8));
    second.wait_lines(BACKUP, 2, secs(3));
}

/// The interface itself is switched off, which takes its IPv6 addresses with it, and on again.
fn interface_down_is_a_fault_and_heals(make: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("down");
    let director = make.start(&pair.first, &Instance::new(150, &[VIP]).to_string(), &scratch);
    director.wait_line(MASTER, secs(8));
    pair.first.ip("link set eth0 down");
    director.wait_line("eth0 down", secs(3));
    director.wait_line("(VI_1) Entering FAULT STATE", secs(3));
    pair.first.ip("link set eth0 up");
    director.wait_lines(MASTER, 2, secs(8));
    wait::until("the address", secs(2), || pair.first.has_address("eth0", VIP).then_some(()));
}

/// A scenario once per row, each a test of its own.
macro_rules! scenarios {
    ($($name:ident: $call:expr;)*) => { $(#[test] fn $name() { $call; })* };
}

const MULTICAST: Link = Link { unicast: false, password: None };
const MULTICAST_PASS: Link = Link { unicast: false, password: Some("s3cret") };
const UNICAST: Link = Link { unicast: true, password: None };
const UNICAST_PASS: Link = Link { unicast: true, password: Some("s3cret") };

scenarios! {
    laboratory_pair_of_keepalived_multicast: life_of_a_pair(Keepalived, Keepalived, MULTICAST);
    laboratory_pair_of_keepalived_unicast_pass: life_of_a_pair(Keepalived, Keepalived, UNICAST_PASS);
    laboratory_silence: crash_is_noticed_in_time(Keepalived);
    laboratory_nopreempt: nopreempt_is_kept(Keepalived, Keepalived);
    laboratory_equal_priority: equal_priority_is_settled_by_address(Keepalived, Keepalived);
    laboratory_lost_carrier: lost_carrier_is_a_fault_and_heals(Keepalived, Keepalived);
    laboratory_interface_down: interface_down_is_a_fault_and_heals(Keepalived);

    lvsbox_above_keepalived_multicast: life_of_a_pair(Lvsbox, Keepalived, MULTICAST);
    lvsbox_above_keepalived_multicast_pass: life_of_a_pair(Lvsbox, Keepalived, MULTICAST_PASS);
    lvsbox_above_keepalived_unicast: life_of_a_pair(Lvsbox, Keepalived, UNICAST);
    lvsbox_above_keepalived_unicast_pass: life_of_a_pair(Lvsbox, Keepalived, UNICAST_PASS);
    lvsbox_below_keepalived_multicast: life_of_a_pair(Keepalived, Lvsbox, MULTICAST);
    lvsbox_below_keepalived_multicast_pass: life_of_a_pair(Keepalived, Lvsbox, MULTICAST_PASS);
    lvsbox_below_keepalived_unicast: life_of_a_pair(Keepalived, Lvsbox, UNICAST);
    lvsbox_below_keepalived_unicast_pass: life_of_a_pair(Keepalived, Lvsbox, UNICAST_PASS);
    lvsbox_above_lvsbox_multicast_pass: life_of_a_pair(Lvsbox, Lvsbox, MULTICAST_PASS);
    lvsbox_notices_silence_after_three_intervals_and_skew: crash_is_noticed_in_time(Lvsbox);
    lvsbox_with_nopreempt_stays_backup: nopreempt_is_kept(Lvsbox, Keepalived);
    lvsbox_below_nopreempt_stays_master: nopreempt_is_kept(Keepalived, Lvsbox);
    lvsbox_of_equal_priority_and_higher_address_stays: equal_priority_is_settled_by_address(Lvsbox, Keepalived);
    lvsbox_of_equal_priority_and_lower_address_yields: equal_priority_is_settled_by_address(Keepalived, Lvsbox);
    lvsbox_without_carrier_is_in_fault_and_returns: lost_carrier_is_a_fault_and_heals(Lvsbox, Keepalived);
    lvsbox_takes_over_from_a_peer_without_carrier: lost_carrier_is_a_fault_and_heals(Keepalived, Lvsbox);
    lvsbox_with_interface_down_is_in_fault_and_returns: interface_down_is_a_fault_and_heals(Lvsbox);
}
