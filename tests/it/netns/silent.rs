//! `no_accept`: the MASTER holds its addresses, forwards through them and does not answer at them. Against keepalived,
//! with `nft` as the witness of what is in the kernel.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use lab::netns::Host;
use lab::process::{Process, output_of};
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Instance, Make, configuration, ctl};
use Make::{Keepalived, Lvsbox};

const MASTER: &str = "(VI_1) Entering MASTER STATE";
const VIP: &str = "10.9.0.100";
const VIP6: &str = "2001:db8::100";
/// A port that nobody listens on: a host that answers refuses.
const CLOSED: u16 = 9;

/// The instance, which does not accept.
fn silent(instance: &Instance) -> String {
    let text = instance.to_string();
    let whole = text.replacen("    state BACKUP\n", "    state BACKUP\n    no_accept\n", 1);
    assert_ne!(whole, text);
    whole
}

/// The ruleset of a host.
fn ruleset(host: &Host) -> String {
    let mut command = host.command("nft");
    command.args(["list", "ruleset"]);
    output_of(command)
}

fn nft(host: &Host, words: &str) {
    let mut command = host.command("nft");
    command.args(words.split(' '));
    output_of(command);
}

fn answers_ping(from: &Host, address: &str) -> bool {
    from.command("ping").args(["-c1", "-W1", address]).output().unwrap().status.success()
}

/// How a connection to the closed port ends.
fn knock(from: &Host, address: &str) -> ErrorKind {
    let place = SocketAddr::new(address.parse::<IpAddr>().unwrap(), CLOSED);
    from.enter(|| TcpStream::connect_timeout(&place, Duration::from_millis(700)).unwrap_err().kind())
}

/// Whether a host has learned who has the address.
fn knows(host: &Host, address: &str) -> bool {
    host.ip(&format!("neigh show {address}")).contains("lladdr")
}

fn start(make: Make, pair: &Pair, instance: &Instance, scratch: &Scratch) -> Process {
    let director = make.start(&pair.first, &silent(instance), scratch);
    director.wait_line(MASTER, secs(8));
    let last = instance.addresses.last().unwrap().split('/').next().unwrap().to_owned();
    wait::until("the address", secs(3), || pair.first.has_address("eth0", &last).then_some(()));
    director
}

/// Found by their neighbours, and silent; the host's own address answers as ever.
fn addresses_are_found_and_do_not_answer(make: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("silent");
    for (host, address) in [(&pair.first, "2001:db8::1"), (&pair.observer, "2001:db8::9")] {
        host.ip(&format!("addr add {address}/64 dev eth0 nodad"));
    }
    let four = Instance::new(150, &["10.9.0.100/24"]);
    let six = Instance::new(150, &["fe80::100/64", "2001:db8::100/64"]).v3("1").named("VI_6", 66);
    let both = silent(&four) + &silent(&six);
    let mut director = make.start(&pair.first, &both, &scratch);
    director.wait_line(MASTER, secs(8));
    director.wait_line("(VI_6) Entering MASTER STATE", secs(8));
    director.wait_line("(VI_1) setting firewall drop rule", secs(2));
    for vip in [VIP, VIP6] {
        wait::until("the address", secs(3), || pair.first.has_address("eth0", vip).then_some(()));
        pair.observer.ip("neigh flush dev eth0");
        assert!(!answers_ping(&pair.observer, vip), "{make:?}: {vip}\n{}", ruleset(&pair.first));
        assert_eq!(knock(&pair.observer, vip), ErrorKind::TimedOut, "{make:?}: {vip}");
        assert!(knows(&pair.observer, vip), "{make:?}: {vip} is not found");
        assert!(!answers_ping(&pair.first, vip), "not even at home");
    }
    assert!(!answers_ping(&pair.observer, "fe80::100%eth0"));
    assert!(knows(&pair.observer, "fe80::100"));
    for own in ["10.9.0.1", "2001:db8::1"] {
        assert!(answers_ping(&pair.observer, own), "{make:?}: {own}");
        assert_eq!(knock(&pair.observer, own), ErrorKind::ConnectionRefused);
    }
    assert!(director.stop(secs(5)).success());
    assert!(!ruleset(&pair.first).contains(VIP), "{}", ruleset(&pair.first));
    if make == Lvsbox {
        assert_eq!(ruleset(&pair.first), "", "the table goes with the last address");
    }
}

#[test]
fn laboratory_keepalived_does_not_answer_at_an_address_with_no_accept() {
    addresses_are_found_and_do_not_answer(Keepalived);
}

#[test]
fn address_with_no_accept_is_found_and_does_not_answer() {
    addresses_are_found_and_do_not_answer(Lvsbox);
}

/// keepalived reads `no_accept` of an owner and does not act on it either.
fn owner_answers(make: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("owner");
    let _director = start(make, &pair, &Instance::new(255, &["10.9.0.100/24"]), &scratch);
    assert!(answers_ping(&pair.observer, VIP));
    assert!(!ruleset(&pair.first).contains(VIP));
}

#[test]
fn laboratory_keepalived_as_owner_answers_in_spite_of_no_accept() {
    owner_answers(Keepalived);
}

#[test]
fn owner_answers_in_spite_of_no_accept() {
    owner_answers(Lvsbox);
}

#[test]
fn rules_that_somebody_changed_come_back_and_the_log_says_so() {
    let pair = Pair::new();
    let scratch = Scratch::new("rules");
    let director = start(Lvsbox, &pair, &Instance::new(150, &["10.9.0.100/24"]), &scratch);
    let whole = ruleset(&pair.first);
    assert!(whole.contains(VIP) && whole.contains("table inet lvsbox"), "{whole}");
    let said = "nf_tables table lvsbox was changed by somebody: making it again";
    let blows = [
        "flush ruleset",
        "flush chain inet lvsbox in",
        "delete element inet lvsbox addresses4 { 10.9.0.100 }",
        "add element inet lvsbox addresses4 { 10.9.0.9 }",
    ];
    for (count, blow) in (1..).zip(blows) {
        nft(&pair.first, blow);
        director.wait_lines(said, count, secs(8));
        wait::until(blow, secs(3), || (ruleset(&pair.first) == whole).then_some(()));
    }
    assert!(!answers_ping(&pair.observer, VIP));
    // What others do in tables of their own is no matter of ours.
    nft(&pair.first, "add table inet theirs");
    wait::steady("quiet", secs(6), || director.count(said) == blows.len());
    assert!(ruleset(&pair.first).contains("table inet theirs"));
}

#[test]
fn without_no_accept_there_is_no_table_and_a_reload_makes_and_removes_it() {
    let pair = Pair::new();
    let scratch = Scratch::new("reload");
    let instance = Instance::new(150, &["10.9.0.100/24"]);
    let director = Lvsbox.start(&pair.first, &instance.to_string(), &scratch);
    director.wait_line(MASTER, secs(8));
    wait::until("an answer", secs(3), || answers_ping(&pair.observer, VIP).then_some(()));
    assert_eq!(ruleset(&pair.first), "");
    let descriptors = || {
        let folder = format!("/proc/{}/fd", director.pid());
        std::fs::read_dir(folder).unwrap().count()
    };
    let before = descriptors();
    for (text, dropped) in [(silent(&instance), true), (instance.to_string(), false)] {
        std::fs::write(configuration(&pair.first, &scratch), text).unwrap();
        ctl(&pair.first, "reload");
        wait::until("the table", secs(3), || (ruleset(&pair.first).contains(VIP) == dropped).then_some(()));
        assert_eq!(answers_ping(&pair.observer, VIP), !dropped);
        assert_eq!(descriptors(), before + 1, "one socket, from the first need on");
    }
    assert_eq!(ruleset(&pair.first), "");
    assert_eq!(director.count(MASTER), 1, "mastership survives");
}
