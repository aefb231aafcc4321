//! What is configured is what is installed: addresses that somebody else removed come back, and the log says so.

use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Instance, Make};

fn a_deleted_address_comes_back(make: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("drift");
    let director = make.start(
        &pair.first,
        &Instance::new(150, &["10.9.0.100/24", "10.9.0.101/24"]).to_string(),
        &scratch,
    );
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    let holds = |address: &str| pair.first.has_address("eth0", address);
    wait::until("both addresses", secs(2), || (holds("10.9.0.100") && holds("10.9.0.101")).then_some(()));
    let said = director.log().len();
    pair.first.ip("addr del 10.9.0.101/24 dev eth0");
    wait::until("the address to come back", secs(5), || holds("10.9.0.101").then_some(()));
    wait::until("a line about it", secs(2), || {
        director.log().get(said..).is_some_and(|text| text.contains("10.9.0.101")).then_some(())
    });
    assert!(holds("10.9.0.100"));
}

#[test]
fn laboratory_address_deleted_by_hand_comes_back() {
    a_deleted_address_comes_back(Make::Keepalived);
}

#[test]
fn address_deleted_by_hand_comes_back_and_the_log_says_so() {
    a_deleted_address_comes_back(Make::Lvsbox);
}

/// The neighbours must hear of a repaired address: what they had learnt may be gone.
#[test]
fn repaired_address_is_announced() {
    let pair = Pair::new();
    let scratch = Scratch::new("announce");
    let director =
        Make::Lvsbox.start(&pair.first, &Instance::new(150, &["10.9.0.100/24"]).to_string(), &scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    let announced = || pair.capture.frames().iter().filter(|frame| frame.gratuitous_arp().is_some()).count();
    // Both bursts of the election: what comes after them is the repair's.
    wait::until("both bursts", secs(9), || (announced() == 10).then_some(()));
    pair.first.ip("addr del 10.9.0.100/24 dev eth0");
    wait::until("an announcement", secs(5), || (announced() > 10).then_some(()));
}

/// Going down takes an interface's IPv6 addresses away and leaves the IPv4 ones: both must be there again.
#[test]
fn ipv6_address_that_went_with_its_interface_is_back_with_it_and_announced() {
    let pair = Pair::new();
    let scratch = Scratch::new("six");
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let (body, _) = text.rsplit_once('}').unwrap();
    let text = format!("{body}    virtual_ipaddress_excluded {{\n        2001:db8::100/64\n    }}\n}}\n");
    let director = Make::Lvsbox.start(&pair.first, &text, &scratch);
    let holds = |address: &str| pair.first.has_address("eth0", address);
    let both = || (holds("10.9.0.100") && holds("2001:db8::100")).then_some(());
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    wait::until("both addresses", secs(2), both);
    pair.first.ip("link set eth0 down");
    director.wait_line("(VI_1) Entering FAULT STATE", secs(3));
    wait::until("no address", secs(3), || (!holds("10.9.0.100") && !holds("2001:db8::100")).then_some(()));
    // An unsolicited neighbour advertisement goes to the multicast address of all nodes.
    let announced = || {
        let frames = pair.capture.frames();
        frames.iter().filter(|frame| frame.bytes.starts_with(&[0x33, 0x33, 0, 0, 0, 1])).count()
    };
    let before = announced();
    pair.first.ip("link set eth0 up");
    director.wait_lines("(VI_1) Entering MASTER STATE", 2, secs(10));
    wait::until("both addresses again", secs(3), both);
    wait::until("five advertisements", secs(3), || (announced() >= before + 5).then_some(()));
}

/// Renumbering a director in service: the new address is there before the old one goes.
#[test]
fn master_whose_own_address_is_replaced_stays_master_and_sends_from_the_new_one() {
    let pair = Pair::new();
    let scratch = Scratch::new("renumbered");
    let director =
        Make::Lvsbox.start(&pair.first, &Instance::new(150, &["10.9.0.100/24"]).to_string(), &scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    pair.first.sysctl("net.ipv4.conf.all.promote_secondaries", "1");
    for address in ["10.9.0.7/24", "10.7.0.7/24"] {
        pair.first.ip(&format!("addr add {address} dev eth0"));
    }
    pair.first.ip("addr del 10.9.0.1/24 dev eth0");
    pair.capture.wait_advert("an advert from a new address", secs(3), |advert| {
        [[10, 9, 0, 7], [10, 7, 0, 7]].contains(&advert.source.octets())
    });
    assert_eq!(director.count("Entering FAULT STATE"), 0);
    assert!(pair.capture.adverts().iter().all(|advert| advert.priority == 150), "no farewell");
    wait::until("the virtual address", secs(5), || {
        pair.first.has_address("eth0", "10.9.0.100").then_some(())
    });
}

/// An interface that loses its name under a MASTER: the peer takes over, so the address must not stay behind.
#[test]
fn address_does_not_stay_on_an_interface_that_was_renamed() {
    let pair = Pair::new();
    let scratch = Scratch::new("renamed");
    let director =
        Make::Lvsbox.start(&pair.first, &Instance::new(150, &["10.9.0.100/24"]).to_string(), &scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    wait::until("the address", secs(2), || pair.first.has_address("eth0", "10.9.0.100").then_some(()));
    pair.first.ip("link set eth0 name other0");
    director.wait_line("(VI_1) Entering FAULT STATE", secs(3));
    wait::until("the address to go", secs(3), || {
        (!pair.first.has_address("other0", "10.9.0.100")).then_some(())
    });
    pair.first.ip("link set other0 name eth0");
    director.wait_lines("(VI_1) Entering MASTER STATE", 2, secs(8));
    wait::until("the address again", secs(2), || pair.first.has_address("eth0", "10.9.0.100").then_some(()));
}
