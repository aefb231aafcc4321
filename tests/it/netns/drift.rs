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
