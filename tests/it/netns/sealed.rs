//! `auth_type AH` (RFC 2338 section 5.3.6.3) against keepalived in both roles: what one sends the other hears, and
//! what is replayed, or made with another password, is refused.

use lab::frames::Frame;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair, SECOND};
use crate::rig::{Instance, Make, ctl};
use Make::{Keepalived, Lvsbox};

const VIP: &str = "10.9.0.100";
const MASTER: &str = "(VI_1) Entering MASTER STATE";
const BACKUP: &str = "(VI_1) Entering BACKUP STATE";
/// IP header and authentication header behind the Ethernet header.
const VRRP_AT: usize = 14 + 20 + 24;

/// A sealed advert on the wire.
#[derive(Debug)]
struct Sealed {
    frame: Frame,
    source: [u8; 4],
    sequence: u32,
    priority: u8,
}

fn sealed(frame: Frame) -> Option<Sealed> {
    let bytes = &frame.bytes;
    let is_one = bytes.len() >= VRRP_AT + 20 && bytes[12..14] == [8, 0] && bytes[23] == 51;
    is_one.then(|| Sealed {
        source: bytes[26..30].try_into().unwrap(),
        sequence: u32::from_be_bytes(bytes[42..46].try_into().unwrap()),
        priority: bytes[VRRP_AT + 2],
        frame: frame.clone(),
    })
}

fn heard(pair: &Pair) -> Vec<Sealed> {
    pair.capture.frames().into_iter().filter_map(sealed).collect()
}

fn text(priority: u8, unicast: Option<(&str, &str)>, password: &'static str) -> String {
    let mut instance = Instance::new(priority, &["10.9.0.100/24"]).password(password);
    if let Some((own, peer)) = unicast {
        instance = instance.unicast(own, peer);
    }
    instance.to_string().replace("auth_type PASS", "auth_type AH")
}

fn high(unicast: bool) -> String {
    text(150, unicast.then_some(("10.9.0.1", "10.9.0.2")), "s3cret")
}

fn low(unicast: bool) -> String {
    text(100, unicast.then_some(("10.9.0.2", "10.9.0.1")), "s3cret")
}

/// Election, crash of the master, takeover, its return with a count that begins anew.
fn life_of_a_sealed_pair(first: Make, second: Make, unicast: bool) {
    let pair = Pair::new();
    let scratch = Scratch::new("sealed");
    let master = first.start(&pair.first, &high(unicast), &scratch);
    master.wait_line(MASTER, secs(8));
    let backup = second.start(&pair.second, &low(unicast), &scratch);
    backup.wait_line(BACKUP, secs(5));
    let so_far = heard(&pair).len();
    wait::until("five more adverts", secs(10), || (heard(&pair).len() >= so_far + 5).then_some(()));
    assert_eq!(backup.count(MASTER), 0, "the lower priority heard the higher one");
    assert!(!pair.second.has_address("eth0", VIP));
    let sent: Vec<u32> = heard(&pair).iter().map(|one| one.sequence).collect();
    assert_eq!(sent[..4], [1, 2, 3, 4], "the count begins at 1");

    // Every frame is lost from now on; then it starts anew, and its count with it.
    pair.lan.isolate(&pair.first);
    backup.wait_line(MASTER, secs(8));
    drop(master);
    pair.lan.restore(&pair.first);
    pair.first.ip("addr flush dev eth0");
    pair.first.ip("addr add 10.9.0.1/24 dev eth0");
    let again = Scratch::new("sealed-again");
    let master = first.start(&pair.first, &high(unicast), &again);
    master.wait_line(MASTER, secs(10));
    backup.wait_lines(BACKUP, 2, secs(4));
    let all = heard(&pair);
    let of = |source: [u8; 4]| all.iter().filter(move |one| one.source == source).map(|one| one.sequence);
    let (before, after) = (of(SECOND.octets()).max().unwrap(), of(FIRST.octets()).next_back().unwrap());
    assert!(after > before, "it goes on from what it heard: {before}, {after}");
}

/// Keepalived with itself proves the laboratory; the others are the test.
#[test]
fn laboratory_keepalived_understands_its_own_seals() {
    life_of_a_sealed_pair(Keepalived, Keepalived, false);
}

#[test]
fn sealed_lvsbox_over_keepalived() {
    life_of_a_sealed_pair(Lvsbox, Keepalived, false);
}

#[test]
fn sealed_keepalived_over_lvsbox() {
    life_of_a_sealed_pair(Keepalived, Lvsbox, false);
}

#[test]
fn sealed_unicast_lvsbox_over_keepalived() {
    life_of_a_sealed_pair(Lvsbox, Keepalived, true);
}

#[test]
fn sealed_unicast_keepalived_over_lvsbox() {
    life_of_a_sealed_pair(Keepalived, Lvsbox, true);
}

/// The first adverts of a director alone on its LAN, from the IP header on.
fn sent_by(make: Make, unicast: bool) -> Vec<Vec<u8>> {
    let pair = Pair::new();
    let scratch = Scratch::new("seals");
    let mut director = make.start(&pair.first, &high(unicast), &scratch);
    wait::until("two adverts", secs(9), || (heard(&pair).len() >= 2).then_some(()));
    director.stop(secs(5));
    wait::until("the farewell", secs(3), || heard(&pair).iter().any(|one| one.priority == 0).then_some(()));
    heard(&pair).into_iter().map(|one| one.frame.bytes[14..].to_vec()).collect()
}

#[test]
fn sealed_adverts_are_keepaliveds_byte_for_byte() {
    for unicast in [false, true] {
        let (theirs, ours) = (sent_by(Keepalived, unicast), sent_by(Lvsbox, unicast));
        assert_eq!(ours[..2], theirs[..2], "unicast: {unicast}");
    }
}

/// True if `show vrrp` counts a refusal for this reason.
fn refuses(pair: &Pair, reason: &str) -> bool {
    let shown = ctl(&pair.second, "show vrrp");
    shown.lines().any(|line| line.contains("refused") && line.contains(reason))
}

#[test]
fn a_replayed_advert_is_refused_and_does_not_hold_a_backup_down() {
    let pair = Pair::new();
    let scratch = Scratch::new("replay");
    let mut master = Keepalived.start(&pair.first, &high(false), &scratch);
    master.wait_line(MASTER, secs(8));
    let backup = Lvsbox.start(&pair.second, &low(false), &scratch);
    backup.wait_line(BACKUP, secs(5));
    let so_far = heard(&pair).len();
    let old = wait::until("two adverts more", secs(6), || {
        let all = heard(&pair);
        (all.len() >= so_far + 2).then(|| all.into_iter().next_back().unwrap().frame.bytes)
    });
    assert!(!refuses(&pair, "replay"));
    pair.lan.isolate(&pair.first);
    // Forged by someone who has listened: if it counted, the backup would wait for ever.
    wait::until("the takeover", secs(8), || {
        pair.capture.send(&old);
        (backup.count(MASTER) == 1).then_some(())
    });
    // Now it would depose a master of priority 100.
    pair.capture.send(&old);
    wait::until("the refusals", secs(3), || refuses(&pair, "replay").then_some(()));
    assert_eq!((backup.count(MASTER), backup.count(BACKUP)), (1, 1));
    assert_eq!(backup.count("IPSEC-AH : sequence number already processed"), 2, "once in each state");
    master.stop(secs(5));
}

fn both_are_master(one: &Process, other: &Process) {
    one.wait_line(MASTER, secs(8));
    other.wait_line(MASTER, secs(8));
}

#[test]
fn another_password_is_refused_by_both_and_said() {
    let pair = Pair::new();
    let scratch = Scratch::new("unsealed");
    let backup = Lvsbox.start(&pair.second, &low(false), &scratch);
    let master = Keepalived.start(&pair.first, &text(150, None, "another"), &scratch);
    both_are_master(&master, &backup);
    backup.wait_line("(VI_1) IPSEC-AH : invalid IPSEC HMAC-MD5 value", secs(5));
    master.wait_line("IPSEC-AH : invalid", secs(5));
    assert!(refuses(&pair, "password"));
}
