//! What goes beyond the protocol and others see: delays of a takeover, manners towards lesser and better routers,
//! limits of the time to live, pauses between announcements. Each against Debian's keepalived, or as it does it.

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::capture::Capture;
use lab::frames::{Advert, Forged};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair, SECOND};
use crate::rig::{Instance, Make, ctl};
use Make::{Keepalived, Lvsbox};

/// Nobody's address.
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 77);
const VIP: &str = "10.9.0.100/24";
const MASTER: &str = "(VI_1) Entering MASTER STATE";
const BACKUP: &str = "(VI_1) Entering BACKUP STATE";
/// How early a clock may seem to fire, and how late a loaded machine may be.
const EARLY: Duration = Duration::from_millis(30);
const LATE: Duration = Duration::from_millis(900);

/// The instance with more lines.
fn with(instance: &Instance, lines: &str) -> String {
    let text = instance.to_string();
    let whole = text.replacen("    state BACKUP\n", &format!("    state BACKUP\n{lines}\n"), 1);
    assert_ne!(whole, text);
    whole
}

fn start(make: Make, host: &lab::netns::Namespace, text: &str, scratch: &Scratch) -> Process {
    make.start(host, text, scratch)
}

#[track_caller]
fn assert_between(span: Duration, least: Duration, most: Duration, what: &str) {
    assert!(
        span + EARLY >= least && span <= most + LATE,
        "{what} took {span:?}, due in {least:?} to {most:?}"
    );
}

/// A better router comes back and lets the lesser one be MASTER for its `preempt_delay`.
fn preempt_delay_is_waited_for(high: Make, low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("delay");
    let second = start(low, &pair.second, &Instance::new(100, &[VIP]).to_string(), &scratch);
    second.wait_line(MASTER, secs(8));
    let text = with(&Instance::new(150, &[VIP]), "    preempt_delay 3");
    let first = start(high, &pair.first, &text, &scratch);
    first.wait_line("(VI_1) start preempt delay (3.000000)", secs(4));
    let began = pair.capture.adverts().last().unwrap().at;
    if high == Lvsbox {
        let why = ctl(&pair.first, "why VI_1");
        assert!(why.contains("preempt_delay ends in ") && why.contains(" at the latest"), "{why}");
    }
    let taken = pair.capture.wait_advert("the takeover", secs(10), |advert| advert.source == FIRST);
    // The wait of priority 150 starts again with the last advert within the delay, which may be a second old then.
    let wait = Duration::from_micros(3_414_062);
    let least = secs(2) + wait;
    assert_between(taken.at - began, least, secs(3) + wait, "takeover");
    first.wait_line(MASTER, secs(2));
    second.wait_lines(BACKUP, 2, secs(3));
}

#[test]
fn laboratory_keepalived_waits_for_its_preempt_delay() {
    preempt_delay_is_waited_for(Keepalived, Lvsbox);
}

#[test]
fn lvsbox_waits_for_its_preempt_delay_and_why_says_until_when() {
    preempt_delay_is_waited_for(Lvsbox, Keepalived);
}

/// A MASTER falls silent; the other one waits for as many adverts as it is told.
fn missed_adverts_are_counted(high: Make, low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("missed");
    let text = with(&Instance::new(100, &[VIP]), "    down_timer_adverts 5");
    let _second = start(low, &pair.second, &text, &scratch);
    let first = start(high, &pair.first, &Instance::new(150, &[VIP]).to_string(), &scratch);
    first.wait_line(MASTER, secs(8));
    pair.capture.clear();
    pair.capture.wait_advert("an advert in peace", secs(3), |advert| advert.source == FIRST);
    pair.lan.isolate(&pair.first);
    let next = pair.capture.wait_advert("the takeover", secs(9), |advert| advert.source == SECOND);
    let sent = pair.capture.adverts();
    let last = sent.iter().rev().find(|advert| advert.source == FIRST && advert.at < next.at).unwrap();
    let wait = Duration::from_micros(5_609_375);
    assert_between(next.at - last.at, wait, wait, "takeover after five missed adverts");
}

#[test]
fn laboratory_keepalived_waits_for_down_timer_adverts() {
    missed_adverts_are_counted(Lvsbox, Keepalived);
}

#[test]
fn lvsbox_waits_for_down_timer_adverts() {
    missed_adverts_are_counted(Keepalived, Lvsbox);
}

/// The first sends with a time to live of 64; the second accepts 64 or more, or 65 or more.
fn ttl_range_of_a_peer_is_kept(sender: Make, receiver: Make) {
    for (least, accepted) in [(64, true), (65, false)] {
        let pair = Pair::new();
        let scratch = Scratch::new("ttl");
        let sending = Instance::new(150, &[VIP]).unicast("10.9.0.1", "10.9.0.2");
        let first = start(sender, &pair.first, &with(&sending, "    unicast_ttl 64"), &scratch);
        first.wait_line(MASTER, secs(8));
        let peer = format!("10.9.0.1 min_ttl {least}");
        let receiving = Instance::new(100, &[VIP]).unicast("10.9.0.2", &peer).to_string();
        let second = start(receiver, &pair.second, &receiving, &scratch);
        second.wait_line(BACKUP, secs(5));
        let advert = pair.capture.wait_advert("an advert", secs(3), |advert| advert.source == FIRST);
        assert_eq!(advert.ttl(), 64);
        let said = format!("(VI_1) TTL/HL 64 not in range {least} - 255");
        if accepted {
            wait::steady("the peer is heard", secs(5), || second.count(MASTER) == 0);
            assert_eq!(second.count(&said), 0);
        } else {
            second.wait_line(&said, secs(3));
            second.wait_line(MASTER, secs(6));
        }
        if receiver == Lvsbox && !accepted {
            let shown = ctl(&pair.second, "show vrrp");
            assert!(shown.contains("ttl out of the peer's range"), "{shown}");
        }
    }
}

#[test]
fn laboratory_keepalived_keeps_the_ttl_range_of_a_peer() {
    ttl_range_of_a_peer_is_kept(Lvsbox, Keepalived);
}

#[test]
fn lvsbox_keeps_the_ttl_range_of_a_peer() {
    ttl_range_of_a_peer_is_kept(Keepalived, Lvsbox);
}

fn of(capture: &Capture, source: Ipv4Addr) -> Vec<Advert> {
    capture.adverts().into_iter().filter(|advert| advert.source == source).collect()
}

/// A MASTER hears a lesser router between two adverts of its own: it announces its addresses again, and shows itself at
/// once or at its usual time only.
fn lesser_router_is_answered(high: Make, low: Make, answers: bool) {
    let pair = Pair::new();
    let scratch = Scratch::new("quiet");
    let lines = format!("    lower_prio_no_advert {}", if answers { "off" } else { "on" });
    let text = with(&Instance::new(150, &[VIP]), &format!("{lines}\n    garp_master_delay 0"));
    let first = start(high, &pair.first, &text, &scratch);
    first.wait_line(MASTER, secs(8));
    let second = start(low, &pair.second, &Instance::new(100, &[VIP]).to_string(), &scratch);
    second.wait_line(BACKUP, secs(5));
    wait::until("the first announcements", secs(3), || {
        pair.capture.frames().iter().any(|frame| frame.gratuitous_arp().is_some()).then_some(())
    });
    pair.capture.clear();
    let before = pair.capture.wait_advert("an advert", secs(3), |advert| advert.source == FIRST);
    pair.capture.send(&Forged::new(STRANGER, 51, 50, &[Ipv4Addr::new(10, 9, 0, 100)]).frame());
    let line =
        first.wait_line("(VI_1) Received advert from 10.9.0.77 with lower priority 50, ours 150", secs(3));
    assert_eq!(line.contains(", forcing new election"), answers, "{line}");
    let of_first = |advert: &Advert| advert.source == FIRST && advert.at > before.at;
    let next = pair.capture.wait_advert("the next advert", secs(3), of_first);
    let gap = next.at - before.at;
    assert_eq!(gap < Duration::from_millis(900), answers, "{gap:?} between two adverts");
    wait::until("announcements", secs(3), || {
        pair.capture.frames().iter().any(|frame| frame.gratuitous_arp().is_some()).then_some(())
    });
    assert_eq!((first.count(BACKUP), second.count(MASTER)), (1, 0));
}

#[test]
fn laboratory_keepalived_answers_a_lesser_router_unless_lower_prio_no_advert() {
    lesser_router_is_answered(Keepalived, Lvsbox, true);
    lesser_router_is_answered(Keepalived, Lvsbox, false);
}

#[test]
fn lvsbox_answers_a_lesser_router_unless_lower_prio_no_advert() {
    lesser_router_is_answered(Lvsbox, Keepalived, true);
    lesser_router_is_answered(Lvsbox, Keepalived, false);
}

/// A MASTER is preempted and sends one advert more.
fn last_word_is_sent(high: Make, low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("last");
    let text = with(&Instance::new(100, &[VIP]), "    higher_prio_send_advert");
    let second = start(low, &pair.second, &text, &scratch);
    second.wait_line(MASTER, secs(8));
    let first = start(high, &pair.first, &Instance::new(150, &[VIP]).to_string(), &scratch);
    first.wait_line(MASTER, secs(8));
    let line = "(VI_1) Received advert from 10.9.0.2 with lower priority 100, ours 150, forcing new election";
    first.wait_line(line, secs(3));
    second.wait_lines(BACKUP, 2, secs(3));
    let better = of(&pair.capture, FIRST)[0].at;
    let after = || of(&pair.capture, SECOND).into_iter().filter(|advert| advert.at > better).collect();
    wait::steady("one advert and no more", secs(2), || Vec::<Advert>::len(&after()) == 1);
    assert_eq!(after()[0].priority, 100);
    assert!(after()[0].at - better < Duration::from_millis(500), "at once");
}

#[test]
fn laboratory_keepalived_with_higher_prio_send_advert_has_the_last_word() {
    last_word_is_sent(Lvsbox, Keepalived);
}

#[test]
fn lvsbox_with_higher_prio_send_advert_has_the_last_word() {
    last_word_is_sent(Keepalived, Lvsbox);
}

/// Two addresses, two rounds, a tenth of a second between two announcements.
fn announcements_keep_their_pause(make: Make, pause: &str) {
    let pair = Pair::new();
    let scratch = Scratch::new("pause");
    let instance = Instance::new(150, &[VIP, "10.9.0.101/24"]);
    let text = format!("{pause}\n{}", with(&instance, "    garp_master_repeat 2\n    garp_master_delay 0"));
    let _director = start(make, &pair.first, &text, &scratch);
    let seen =
        || -> Vec<_> { pair.capture.frames().iter().filter_map(|frame| frame.gratuitous_arp()).collect() };
    // keepalived keeps no count of what it queues: it sends one announcement of an address behind a pause, however many
    // were to follow.
    let count = if make == Keepalived { 3 } else { 4 };
    wait::until("the announcements", secs(9), || (seen().len() >= count).then_some(()));
    wait::steady("and no more", secs(1), || seen().len() == count);
    let all = seen();
    let order: Vec<u8> = all.iter().map(|arp| arp.address.octets()[3]).collect();
    assert!(make == Keepalived || order == [100, 101, 100, 101], "{order:?}");
    let pauses: Vec<Duration> = all.windows(2).map(|two| two[1].at - two[0].at).collect();
    assert!(pauses.iter().all(|pause| (95..400).contains(&pause.as_millis())), "{pauses:?}");
}

const EVERYWHERE: &str = "global_defs {\n    vrrp_garp_interval 0.1\n}";
const GROUP: &str = "garp_group {\n    garp_interval 0.1\n    interface eth0\n}";

#[test]
fn laboratory_keepalived_pauses_between_announcements() {
    announcements_keep_their_pause(Keepalived, EVERYWHERE);
}

#[test]
fn lvsbox_pauses_between_announcements() {
    announcements_keep_their_pause(Lvsbox, EVERYWHERE);
}

#[test]
fn lvsbox_pauses_between_announcements_of_a_group() {
    announcements_keep_their_pause(Lvsbox, GROUP);
}
