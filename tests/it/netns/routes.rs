//! Routes, rules and addresses with options: the same configuration through keepalived and through lvsbox leaves the
//! same in the kernel; what somebody removes comes back; a reload changes by difference.

use std::fs;

use lab::netns::Namespace;
use lab::process::{Process, output_of};
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Make, configuration, ctl};

/// Of the routes one has everything, and the default scope of a route without a router is keepalived's: global.
const STATIC: &str = "
static_ipaddress {
    10.9.0.70/24 dev eth0
    10.9.0.71/24 brd + dev eth0 label eth0:x
    2001:db8:9::70/64 dev eth0
    2001:db8:9::71 dev eth0
}
static_routes {
    198.51.100.0/24 via 10.9.0.254 dev eth0
    192.0.2.0/25 dev eth0
    blackhole 192.0.2.128/25
    203.0.113.0/24 via 10.9.0.253 dev eth0 table 100 metric 5 src 10.9.0.70 mtu lock 1400 advmss 1300 \
hoplimit 20 initcwnd 10 quickack 1 congctl reno
    198.18.0.0/16 nexthop via 10.9.0.2 dev eth0 weight 2 nexthop via 10.9.0.3 dev eth0
    198.19.0.0/16 scope link dev eth0 tos 0x10
    2001:db8:5::/48 via 2001:db8:9::9 dev eth0
}
static_rules {
    from 198.51.100.0/24 table 100
    fwmark 7 table 100
    fwmark 7/0xff lookup 101 preference 500
    to 198.51.100.0/24 blackhole priority 501
    not from 10.0.0.0/8 iif eth0 table main priority 502
    from 2001:db8::/32 table 100
    from 10.1.0.0/16 suppress_prefixlength 0 table main priority 503
    ipproto tcp dport 80-90 table 100 priority 504
    from 10.1.0.0/16 goto 600 priority 505
    from 10.2.0.0/16 nop priority 600
    tos 0x10 table 9 priority 506 uidrange 1000-2000
    iif lo table 9 priority 507
}
";

fn instance(routes: &str, rules: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {{
        10.9.0.100/24 dev eth0 brd + label eth0:v
        10.8.0.100/24 scope link
        10.9.0.101/24 noprefixroute
        10.9.0.104/24 brd -
        10.9.0.105
        10.9.0.106/32 peer 10.9.7.1
    }}
    virtual_ipaddress_excluded {{
        2001:db8:9::100/64
        2001:db8:9::101
        2001:db8:9::102/64 -nodad
        2001:db8:9::103/64 preferred_lft 0 home
        2001:db8:9::104/64 noprefixroute
    }}
    virtual_routes {{
{routes}
    }}
    virtual_rules {{
{rules}
    }}
}}
"
    )
}

const ROUTES: &str =
    "        198.51.101.0/24 via 10.9.0.254 dev eth0\n        198.51.102.0/24 dev eth0 table 7";
const RULES: &str = "        from 198.51.101.0/24 table 7\n        fwmark 8 table 7 preference 400";

fn ip(host: &Namespace, words: &str) -> String {
    let mut command = host.command("ip");
    command.args(words.split_whitespace());
    output_of(command)
}

/// What `ip` shows of routes, rules and addresses, sorted; without hardware addresses and the kernel's own routes.
fn shown(host: &Namespace) -> Vec<String> {
    let mut lines = Vec::new();
    for words in [
        "-4 -o route show table all",
        "-6 -o route show table all",
        "-4 rule",
        "-6 rule",
        "-o addr show dev eth0",
    ] {
        let text = ip(host, words);
        let ours = |line: &&str| {
            !line.contains("proto kernel") && !line.contains("fe80::") && !line.contains("ff00::")
        };
        // `-o addr` numbers interfaces; hosts have the same ones.
        lines.extend(
            text.lines().filter(ours).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")),
        );
    }
    lines.sort();
    lines
}

fn start(make: Make, host: &Namespace, text: &str, scratch: &Scratch) -> Process {
    let director = make.start(host, text, scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    director
}

fn has(host: &Namespace, words: &str, line: &str) -> bool {
    ip(host, words).contains(line)
}

#[test]
fn routes_rules_and_addresses_are_those_that_keepalived_makes() {
    let text = format!("global_defs {{\n    router_id x\n}}\n{STATIC}{}", instance(ROUTES, RULES));
    let result = |make: Make| {
        let pair = Pair::new();
        pair.first.ip("addr add 2001:db8:9::1/64 dev eth0 nodad");
        let before = shown(&pair.first);
        let scratch = Scratch::new("routes");
        let mut director = start(make, &pair.first, &text, &scratch);
        let last = || has(&pair.first, "rule", "16381:") || has(&pair.first, "rule", "16382:");
        wait::until("the rules of the MASTER", secs(5), || last().then_some(()));
        wait::until("no tentative address", secs(5), || {
            (!has(&pair.first, "addr show dev eth0", "tentative")).then_some(())
        });
        let there = shown(&pair.first);
        director.stop(secs(8));
        if make == Make::Lvsbox {
            // keepalived leaves addresses with a peer.
            assert_eq!(shown(&pair.first), before, "everything is taken back");
        }
        there
    };
    let (theirs, ours) = (result(Make::Keepalived), result(Make::Lvsbox));
    let only =
        |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
    assert_eq!((only(&theirs, &ours), only(&ours, &theirs)), (vec![], vec![]));
    assert!(ours.iter().any(|line| line.starts_with("198.51.101.0/24 via 10.9.0.254")), "{ours:?}");
}

#[test]
fn what_somebody_removes_comes_back_and_the_master_stays() {
    let pair = Pair::new();
    let scratch = Scratch::new("routes-drift");
    let director =
        start(Make::Lvsbox, &pair.first, &format!("{STATIC}{}", instance(ROUTES, RULES)), &scratch);
    let route = || has(&pair.first, "route show", "198.51.101.0/24 via 10.9.0.254");
    let rule = || has(&pair.first, "rule", "400:");
    let fixed = || has(&pair.first, "route show", "198.51.100.0/24 via 10.9.0.254");
    wait::until("all of it", secs(5), || (route() && rule() && fixed()).then_some(()));
    pair.first.ip("route del 198.51.101.0/24");
    director.wait_line("route 198.51.101.0/24 via 10.9.0.254 dev eth0 was removed or changed", secs(3));
    wait::until("the route", secs(3), || route().then_some(()));
    pair.first.ip("rule del preference 400");
    director.wait_line("rule preference 400 fwmark 0x8/0xffffffff table 7 was removed", secs(3));
    wait::until("the rule", secs(3), || rule().then_some(()));
    pair.first.ip("route replace 198.51.100.0/24 via 10.9.0.2 dev eth0");
    wait::until("the static route", secs(3), || fixed().then_some(()));
    // Interfaces that go down take IPv4 routes along, and the kernel says nothing of it.
    pair.first.ip("link set eth0 down");
    director.wait_line("(VI_1) Entering FAULT STATE", secs(3));
    pair.first.ip("link set eth0 up");
    wait::until("everything again", secs(10), || (route() && rule() && fixed()).then_some(()));
    assert_eq!(director.count("Entering MASTER STATE"), 2, "once, and after the interface came back");
}

#[test]
fn a_reload_changes_by_difference_and_a_refused_route_is_named() {
    let pair = Pair::new();
    let scratch = Scratch::new("routes-reload");
    let director = start(Make::Lvsbox, &pair.first, &instance(ROUTES, RULES), &scratch);
    let shows = |words: &str, line: &str| has(&pair.first, words, line);
    wait::until("the routes", secs(5), || {
        shows("route show", "198.51.101.0/24 via 10.9.0.254").then_some(())
    });
    let other =
        "        198.51.101.0/24 via 10.9.0.2 dev eth0\n        198.51.103.0/24 via 10.99.0.1 dev eth0";
    fs::write(
        configuration(&pair.first, &scratch),
        instance(other, "        fwmark 9 table 7 preference 401"),
    )
    .unwrap();
    ctl(&pair.first, "reload");
    wait::until("the other router", secs(3), || {
        shows("route show", "198.51.101.0/24 via 10.9.0.2").then_some(())
    });
    wait::until("the other rule", secs(3), || {
        (shows("rule", "401:") && !shows("rule", "400:")).then_some(())
    });
    wait::until("no old route", secs(3), || (!shows("route show table 7", "198.51.102.0/24")).then_some(()));
    let status = ctl(&pair.first, "status");
    assert!(status.contains("1 routes or rules refused by the kernel: route 198.51.103.0/24"), "{status}");
    let why = ctl(&pair.first, "why 198.51.103.0/24");
    assert!(why.contains("absent") && why.contains("VI_1 is MASTER"), "{why}");
    assert!(ctl(&pair.first, "why 198.51.101.0/24").contains("present"));
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
}
