//! Sync groups against Debian's keepalived with the same group: all members are in one state, whichever of them loses
//! its link, and change it together. Also what is tracked besides interfaces.

use lab::netns::Host;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Instance, Make};
use Make::{Keepalived, Lvsbox};

const VIPS: [&str; 2] = ["10.9.0.100", "10.9.0.101"];

/// A group of two instances; the second one also needs `eth1`.
fn text(priority: u8) -> String {
    let first = Instance::new(priority, &["10.9.0.100/24"]);
    let second = Instance::new(priority, &["10.9.0.101/24"]).named("VI_2", 52).to_string();
    let second = second.trim_end().trim_end_matches('}');
    format!(
        "vrrp_sync_group G {{\n    group {{\n        VI_1\n        VI_2\n    }}\n}}\n\
         {first}{second}    track_interface {{\n        eth1\n    }}\n}}\n"
    )
}

/// Which of the two addresses a host has.
fn held(host: &Host) -> [bool; 2] {
    VIPS.map(|vip| host.has_address("eth0", vip))
}

#[track_caller]
fn wait_held(first: (&Host, bool), second: (&Host, bool)) {
    wait::until("both addresses where they belong", secs(8), || {
        let whole = held(first.0) == [first.1; 2] && held(second.0) == [second.1; 2];
        whole.then_some(())
    });
}

/// How often each member became MASTER.
fn masters(director: &Process) -> [usize; 2] {
    ["(VI_1) Entering MASTER STATE", "(VI_2) Entering MASTER STATE"].map(|line| director.count(line))
}

fn members_go_together(high: Make, low: Make) {
    let pair = Pair::new();
    let scratch = Scratch::new("groups");
    for host in [&pair.first, &pair.second] {
        pair.lan.attach(host, "eth1");
    }
    let second = low.start(&pair.second, &text(100), &scratch);
    let mut first = high.start(&pair.first, &text(150), &scratch);
    wait_held((&pair.first, true), (&pair.second, false));
    assert_eq!(masters(&second), [0, 0]);

    pair.first.ip("link set eth1 down");
    wait_held((&pair.first, false), (&pair.second, true));
    for line in ["(VI_1) Entering FAULT STATE", "(VI_2) Entering FAULT STATE"] {
        first.wait_line(line, secs(2));
    }
    first.wait_line("VRRP_Group(G) Syncing instances to FAULT state", secs(2));
    second.wait_line("VRRP_Group(G) Syncing instances to MASTER state", secs(2));

    pair.first.ip("link set eth1 up");
    wait_held((&pair.first, true), (&pair.second, false));
    second.wait_lines("VRRP_Group(G) Syncing instances to BACKUP state", 1, secs(2));
    // Longer than any of their times: nobody changes its mind.
    wait::steady("the group is stable", secs(4), || masters(&first) == [2, 2] && masters(&second) == [1, 1]);

    assert!(first.stop(secs(5)).success());
    wait_held((&pair.first, false), (&pair.second, true));
    assert_eq!(masters(&second), [2, 2]);
}

/// VI_1 with these lines, below a block.
fn tracking(priority: u8, block: &str, lines: &str) -> String {
    let text = Instance::new(priority, &["10.9.0.100/24"]).to_string();
    format!("{block}\n{}{lines}\n}}\n", text.trim_end().trim_end_matches('}'))
}

#[test]
fn a_ping_group_without_an_answer_gives_the_addresses_to_keepalived_and_takes_them_back() {
    let pair = Pair::new();
    let scratch = Scratch::new("pings");
    pair.observer.ip("addr add 10.9.0.50/24 dev eth0");
    let block = "ping_group uplink { 10.9.0.50 10.9.0.51 interval 0.2 dead 1 }";
    let text = tracking(150, block, "track_ping_group {\nuplink weight -100\n}");
    let first = Lvsbox.start(&pair.first, &text, &scratch);
    let second =
        Keepalived.start(&pair.second, &Instance::new(100, &["10.9.0.100/24"]).to_string(), &scratch);
    first.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    // Longer than the silence that counts: the host that is not there counts for nothing as long as the other answers.
    wait::steady("one of two hosts is enough", secs(2), || first.count("Changing effective priority") == 0);
    pair.observer.ip("addr del 10.9.0.50/24 dev eth0");
    first.wait_line("(VI_1) Changing effective priority from 150 to 50", secs(3));
    second.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    let why = crate::rig::ctl(&pair.first, "why VI_1");
    assert!(why.contains("ping_group uplink adds -100"), "{why}");
    pair.observer.ip("addr add 10.9.0.50/24 dev eth0");
    first.wait_line("(VI_1) Changing effective priority from 50 to 150", secs(5));
    first.wait_lines("(VI_1) Entering MASTER STATE", 2, secs(8));
}

#[test]
fn a_variable_set_on_the_console_drains_a_director_and_fills_it_again() {
    let pair = Pair::new();
    let scratch = Scratch::new("drain");
    let text = tracking(150, "track_file drain {\nweight -1\n}", "track_file {\ndrain\n}");
    let first = Lvsbox.start(&pair.first, &text, &scratch);
    let second =
        Keepalived.start(&pair.second, &Instance::new(100, &["10.9.0.100/24"]).to_string(), &scratch);
    first.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    crate::rig::ctl(&pair.first, "set track drain 100");
    first.wait_line("(VI_1) Changing effective priority from 150 to 50", secs(2));
    second.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    crate::rig::ctl(&pair.first, "set track drain 254");
    first.wait_line("(VI_1) Entering FAULT STATE (track_file drain says so)", secs(2));
    crate::rig::ctl(&pair.first, "set track drain 0");
    first.wait_lines("(VI_1) Entering MASTER STATE", 2, secs(8));
}

/// A scenario once per row, each a test of its own.
macro_rules! scenarios {
    ($($name:ident: $call:expr;)*) => { $(#[test] fn $name() { $call; })* };
}

scenarios! {
    laboratory_group: members_go_together(Keepalived, Keepalived);
    lvsbox_group_above_keepalived: members_go_together(Lvsbox, Keepalived);
    lvsbox_group_below_keepalived: members_go_together(Keepalived, Lvsbox);
    lvsbox_group_above_lvsbox: members_go_together(Lvsbox, Lvsbox);
}
