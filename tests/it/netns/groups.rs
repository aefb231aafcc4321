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

/// Somebody else's route is watched: by notifications, and by the table when its interface takes it along in silence.
#[test]
fn a_route_of_somebody_else_decides_who_is_master_and_a_reload_begins_to_watch_another_one() {
    let pair = Pair::new();
    let scratch = Scratch::new("tracked-route");
    let track = |route: &str| tracking(150, "", &format!("track_route {{\n{route} weight -100\n}}"));
    pair.first.ip("link add d0 type veth peer name d1");
    pair.first.ip("link set d1 up");
    pair.first.ip("link set d0 up");
    pair.first.ip("route add 198.51.100.0/24 dev d0");
    // The program starts without a route to watch: nothing tells it of routes.
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let first = Lvsbox.start(&pair.first, &text, &scratch);
    first.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    let reload = |text: &str| {
        std::fs::write(crate::rig::configuration(&pair.first, &scratch), text).unwrap();
        crate::rig::ctl(&pair.first, "reload");
    };
    reload(&track("198.51.100.0/24 dev d0"));
    pair.first.ip("route del 198.51.100.0/24 dev d0");
    first.wait_line("(VI_1) Changing effective priority from 150 to 50", secs(3));
    first.wait_line("route 198.51.100.0/24 dev d0 is missing", secs(1));
    let status = crate::rig::ctl(&pair.first, "status");
    assert!(status.contains("VI_1: route 198.51.100.0/24 dev d0 is down, weight -100"), "{status}");
    pair.first.ip("route add 198.51.100.0/24 dev d0 metric 7");
    first.wait_line("(VI_1) Changing effective priority from 50 to 150", secs(3));
    // Nobody says that the route is gone (fib_sync_down_dev).
    pair.first.ip("link set d0 down");
    first.wait_lines("(VI_1) Changing effective priority from 150 to 50", 2, secs(5));
    pair.first.ip("link set d0 up");
    pair.first.ip("route add 203.0.113.0/24 via 10.9.0.254");
    reload(&track("203.0.113.0/24 via 10.9.0.254"));
    first.wait_lines("(VI_1) Changing effective priority from 50 to 150", 2, secs(5));
    pair.first.ip("route del 203.0.113.0/24");
    first.wait_lines("(VI_1) Changing effective priority from 150 to 50", 3, secs(5));
    assert_eq!(first.count("Entering BACKUP STATE"), 1, "nobody else is there: MASTER all the time");
}

#[test]
fn with_promote_secondaries_the_kernel_keeps_the_other_addresses() {
    for (line, expected) in [("", "0"), ("promote_secondaries", "1")] {
        let pair = Pair::new();
        let scratch = Scratch::new("promote");
        pair.first.sysctl("net.ipv4.conf.all.promote_secondaries", "0");
        pair.first.sysctl("net.ipv4.conf.eth0.promote_secondaries", "0");
        let first = Lvsbox.start(&pair.first, &tracking(150, "", line), &scratch);
        first.wait_line("(VI_1) Entering MASTER STATE", secs(8));
        wait::until("the address", secs(2), || pair.first.has_address("eth0", "10.9.0.100").then_some(()));
        let mut command = pair.first.command("cat");
        command.arg("/proc/sys/net/ipv4/conf/eth0/promote_secondaries");
        assert_eq!(lab::process::output_of(command).trim(), expected);
    }
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
