//! Configurations at random, as text: every keyword of the canonical form, most of them now and then.

use core::fmt;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Some of these lines, in their order.
fn some(lines: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    let optional: Vec<_> = lines.into_iter().map(option::of).collect();
    optional.prop_map(|lines| lines.into_iter().flatten().map(|line| line + "\n").collect()).boxed()
}

fn line<T: core::fmt::Debug + fmt::Display + 'static>(
    word: &'static str,
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<String> {
    value.prop_map(move |value| format!("{word} {value}")).boxed()
}

fn block(
    head: impl Strategy<Value = String> + 'static,
    body: BoxedStrategy<String>,
) -> BoxedStrategy<String> {
    (head, body).prop_map(|(head, body)| format!("{head} {{\n{body}}}")).boxed()
}

fn of(words: &'static [&'static str]) -> BoxedStrategy<String> {
    select(words).prop_map(str::to_owned).boxed()
}

fn flag(word: &'static str) -> BoxedStrategy<String> {
    Just(word.to_owned()).boxed()
}

/// Seconds, most with decimals.
fn time(most: u64) -> BoxedStrategy<String> {
    (0..most, 0..1_000_000_u32, 0..7_usize)
        .prop_map(|(whole, rest, digits)| {
            if digits == 0 {
                format!("{}", whole + 1)
            } else {
                format!("{whole}.{:.digits$}", format!("{rest:06}"))
            }
        })
        .boxed()
}

/// A word between quotes: whatever may stand there.
fn text(least: usize) -> BoxedStrategy<String> {
    let odd = "[ -~\u{e4}\u{20ac}\t]";
    vec(odd, least..20).prop_map(|all| format!("\"{}\"", all.concat().replace('"', "'"))).boxed()
}

const LINKS: &[&str] = &["eth0", "eth1", "eth2.100", "bond0", "wg#1"];

fn link() -> BoxedStrategy<String> {
    select(LINKS).prop_map(|name| format!("\"{name}\"")).boxed()
}

fn paces() -> Vec<BoxedStrategy<String>> {
    vec![
        line("delay_loop", time(90_000)),
        line("connect_timeout", time(999)),
        line("retry", 0..9_u32),
        line("delay_before_retry", time(999)),
        line("warmup", time(9)),
        line("via_vip", of(&["", "off"])),
    ]
}

fn garp(prefix: &'static str) -> Vec<BoxedStrategy<String>> {
    let name = move |line: BoxedStrategy<String>| line.prop_map(move |it| format!("{prefix}{it}")).boxed();
    vec![
        name(line("garp_master_delay", time(90))),
        name(line("garp_master_repeat", 1..256_u32)),
        name(line("garp_master_refresh", time(90))),
        name(line("garp_master_refresh_repeat", 1..256_u32)),
        name(line("garp_lower_prio_delay", time(90))),
        name(line("garp_lower_prio_repeat", 0..256_u32)),
    ]
}

fn item(number: usize) -> BoxedStrategy<String> {
    let options = vec![
        line("dev", link()),
        line("brd", of(&["+", "-", "10.255.255.255"])),
        line("scope", of(&["global", "site", "link", "host", "nowhere", "17"])),
        line("label", of(&["eth0:1", "a#b", "x"])),
        line("peer", of(&["10.9.9.9", "10.9.9.9/30"])),
        flag("no_track"),
    ];
    let prefix = of(&["", "/24", "/0", "/32"]);
    (prefix, some(options))
        .prop_map(move |(prefix, options)| format!("10.0.{number}.1{prefix} {}", options.replace('\n', " ")))
        .boxed()
}

/// Some routes with some of their words, each in a place of its own: of two in one the second is an error.
fn routes(owner: usize) -> BoxedStrategy<String> {
    let target = of(&["10.6.1.0/24", "10.6.2.0/24", "default", "10.6.3.1", "192.0.2.0/26"]);
    let words = some_words(vec![
        of(&["via 10.0.0.250", "via 10.0.0.251", "gw 10.0.0.252"]),
        line("dev", link()),
        line("table", of(&["main", "100", "4000000000", "local"])),
        line("scope", of(&["link", "global", "site"])),
        line("src", of(&["10.0.0.1"])),
        line("mtu", of(&["1400", "lock 1300"])),
        line("advmss", 500..600_u32),
        line("protocol", of(&["static", "18", "boot"])),
        of(&["no_track", "onlink"]),
    ]);
    let kind = of(&["", "", "", "blackhole ", "unreachable ", "prohibit "]);
    vec((kind, target, words), 0..4)
        .prop_map(move |rows| {
            let row = |(at, (kind, to, words))| format!("{kind}{to} metric {} {words}\n", owner * 10 + at);
            rows.into_iter().enumerate().map(row).collect()
        })
        .boxed()
}

fn rules(owner: usize) -> BoxedStrategy<String> {
    let words = some_words(vec![
        of(&["from 10.6.0.0/16", "from 10.0.0.1"]),
        of(&["to 10.7.0.0/16", "to 192.0.2.1"]),
        of(&["fwmark 7", "fwmark 8/255"]),
        line("iif", link()),
        of(&["ipproto tcp", "ipproto udp"]),
        of(&["dport 80", "dport 8000-8080"]),
        of(&["suppress_prefixlength 0", "tos 16"]),
        of(&["no_track"]),
    ]);
    let table = of(&["table 100", "lookup main", "blackhole", "goto 2000", "nop"]);
    vec((words, table), 0..4)
        .prop_map(move |rows| {
            let row =
                |(at, (words, table))| format!("{words} preference {} {table}\n", 100 + owner * 10 + at);
            rows.into_iter().enumerate().map(row).collect()
        })
        .boxed()
}

/// Some of them, on one line.
fn some_words(words: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    some(words).prop_map(|lines| lines.replace('\n', " ")).boxed()
}

pub(super) fn instance(number: usize) -> BoxedStrategy<String> {
    let first = number * 8;
    let list = some;
    let option = (option::of(-253..254_i32), of(&["", " reverse"]));
    let tracked = |name: BoxedStrategy<String>| {
        let line = (name, option.clone()).prop_map(|(name, (weight, reverse))| match weight {
            Some(weight) => format!("{name} weight {weight}{reverse}\n"),
            None => format!("{name}{reverse}\n"),
        });
        vec(line, 0..4).prop_map(|all| all.concat()).boxed()
    };
    let mut lines = vec![
        line("state", of(&["MASTER", "BACKUP"])),
        line("priority", 1..256_u32),
        line("advert_int", of(&["1", "2", "255", "0.37", "2.5"])),
        line("version", of(&["2", "3"])),
        line("v3_checksum_as_v2", of(&["on", "off", ""])),
        flag("nopreempt"),
        line("check_unicast_src", of(&["on", "off"])),
        line("mcast_dst_ip", of(&["224.0.0.18", "224.0.0.50"])),
        line("unicast_src_ip", of(&["10.8.0.1"])),
        block(
            flag("unicast_peer"),
            list(vec![flag("10.8.0.1"), flag("10.8.0.2 min_ttl 64"), flag("10.8.0.3 max_ttl 9 min_ttl 7")]),
        ),
        line("preempt_delay", time(999)),
        line("down_timer_adverts", 1..101_u32),
        line("lower_prio_no_advert", of(&["", "off"])),
        line("higher_prio_send_advert", of(&["", "off"])),
        line("owner_ignore_adverts", of(&["", "off"])),
        line("unicast_ttl", 0..256_u32),
        flag("unicast_fault_no_peer"),
        flag("track_src_ip"),
        flag("no_accept"),
        flag("accept"),
        flag("dont_track_primary"),
        flag("promote_secondaries"),
        line("timer_expired_backup", of(&["", "1", "254"])),
        block(flag("track_ping_group"), tracked(of(&["p", "q"]))),
        block(flag("track_interface"), tracked(link())),
        block(
            flag("track_route"),
            tracked(of(&["default", "10.9.0.0/16 table 7 dev eth1", "::/0 via fe80::1"])),
        ),
        block(flag("track_service"), tracked(of(&["10.0.0.1 80", "10.0.0.2 80", "fwmark 1"]))),
        block(flag("track_file"), tracked(of(&["f"]))),
        block(
            flag("authentication"),
            (line("auth_type", of(&["PASS", "AH"])), line("auth_pass", text(0)))
                .prop_map(|(kind, password)| kind + "\n" + &password + "\n")
                .boxed(),
        ),
        block(
            flag("virtual_ipaddress_excluded"),
            list(vec![item(first + 4), item(first + 5), flag("2001:db8::7/64 dev eth1")]),
        ),
    ];
    lines
        .extend([block(flag("virtual_routes"), routes(number)), block(flag("virtual_rules"), rules(number))]);
    lines.extend(garp(""));
    let needed = (link(), item(first), vec(item(first + 1), 0..2), item(first + 2)).prop_map(
        move |(link, one, two, three)| {
            let two = two.concat();
            let vrid = number + 1;
            format!("interface {link}\nvirtual_router_id {vrid}\nvirtual_ipaddress {{\n{one}\n{two}\n{three}\n}}\n")
        },
    );
    let body = (some(lines), needed).prop_map(|(lines, needed)| lines + &needed).boxed();
    let name = prop_oneof![text(0), Just(format!("VI_{number}"))];
    block(line("vrrp_instance", name), body)
}

fn regex() -> BoxedStrategy<String> {
    let patterns = of(&["ok", "\"^a b$\"", r"(\\d+|\\.)~x", "'it #{2} is'", "\\042\\n", "\"a#b!{}$x\""]);
    let lines = some(vec![
        line("regex_options", of(&["caseless", "caseless multiline", "\"dotall extended\"", "ungreedy"])),
        flag("regex_no_match"),
        line("regex_min_offset", of(&["0", "7"])),
        line("regex_max_offset", of(&["7", "4294967294"])),
        line("regex_stack", of(&["1000 2000"])),
    ]);
    (line("regex", patterns), lines).prop_map(|(regex, lines)| regex + &lines).boxed()
}

fn checker() -> BoxedStrategy<String> {
    let mut tcp = paces();
    tcp.extend([
        line("connect_ip", of(&["10.7.0.1", "10.7.0.2"])),
        line("connect_port", 1..65_536_u32),
        line("bindto", of(&["10.7.0.9", "0.0.0.0"])),
        line("bind_port", 1..65_536_u32),
    ]);
    let statuses = of(&["200", "200-299", "200 301-302", "299-299 100"]);
    let url =
        some(vec![line("virtualhost", of(&["www", "\"a#b{\""])), line("status_code", statuses), regex()]);
    let path = of(&["/", "\"/a?b=c#d!{}\"", "/$x~y"]);
    let url = (path, url).prop_map(|(path, lines)| format!("url {{\npath {path}\n{lines}}}\n"));
    let host = some(vec![line("virtualhost", of(&["h"])), line("fast_recovery", of(&["on", "off", ""]))]);
    let http = (some(tcp.clone()), host, vec(url, 1..4))
        .prop_map(|(lines, host, urls)| format!("{lines}{host}{}", urls.concat()))
        .boxed();
    prop_oneof![block(flag("TCP_CHECK"), some(tcp)), block(flag("HTTP_GET"), http)].boxed()
}

fn method() -> BoxedStrategy<String> {
    of(&["NAT", "DR", "TUN", "TUN type gue port 6080 csum", "TUN type gre remcsum", "TUN nocsum"])
}

fn server() -> BoxedStrategy<String> {
    let mut lines = paces();
    lines.extend([
        line("weight", 0..65_536_u32),
        line("inhibit_on_failure", of(&["", "off"])),
        line("lb_kind", method()),
        line("uthreshold", 0..100_u32),
        line("lthreshold", 0..100_u32),
        line("virtualhost", of(&["server"])),
        line("slow_start", time(3_600)),
        line("drain_time", time(3_600)),
        checker(),
        checker(),
    ]);
    let address = of(&["10.7.0.1", "10.7.0.2", "10.7.0.3", "2001:db8::1", "2001:db8::2"]);
    let port = of(&["", "80", "0", "8080"]);
    block((address, port).prop_map(|(address, port)| format!("real_server {address} {port}")), some(lines))
}

fn sorry(places: &'static [&'static str]) -> BoxedStrategy<String> {
    let mut lines = paces();
    lines.extend([
        line("weight", 0..3_u32),
        line("inhibit_on_failure", of(&["", "off"])),
        line("lvs_method", method()),
        line("uthreshold", 0..100_u32),
        checker(),
    ]);
    prop_oneof![line("sorry_server", of(places)), block(line("sorry_server", of(places)), some(lines))]
        .boxed()
}

pub(super) fn service() -> BoxedStrategy<String> {
    let mut lines = paces();
    let algorithm = of(&["rr", "wlc", "sh", "mh", "sh sh-port", "mh mh-fallback flag-3", "rr flag-1 flag-2"]);
    let granularity = of(&["255.255.255.0", "0.0.0.0", "64", "128", "24"]);
    lines.extend([
        line("lb_algo", algorithm),
        line("lb_kind", method()),
        line("protocol", of(&["tcp", "UDP", "SCTP"])),
        line("persistence_timeout", of(&["", "1", "3600"])),
        line("persistence_granularity", granularity),
        flag("persistence_engine sip"),
        line("ip_family", of(&["inet", "inet6"])),
        flag("ops"),
        line("quorum", 1..200_000_u32),
        line("hysteresis", 0..200_000_u32),
        line("weight", 1..65_536_u32),
        flag("inhibit_on_failure"),
        line("virtualhost", of(&["service"])),
        sorry(&["10.7.0.9 80", "10.7.0.9", "2001:db8::9 0"]),
        sorry(&["10.7.0.8 80", "10.7.0.8"]),
        flag("ha_suspend"),
        line("sorry_server_inhibit", of(&["", "off"])),
        line("slow_start", time(3_600)),
        line("drain_time", time(3_600)),
        line("sorry_server_lvs_method", method()),
        server(),
        server(),
        server(),
    ]);
    let head = of(&[
        "10.0.0.1 80",
        "10.0.0.1 0",
        "10.0.0.1",
        "10.0.0.2 80",
        "2001:db8::100 80",
        "fwmark 1",
        "fwmark 9",
    ]);
    block(line("virtual_server", head), some(lines))
}

fn group() -> BoxedStrategy<String> {
    let members = vec(link(), 0..3).prop_map(|links| links.join("\n") + "\n").boxed();
    let lines = some(vec![
        line("garp_interval", time(9)),
        line("gna_interval", time(9)),
        line("interface", link()),
        block(flag("interfaces"), members),
    ]);
    block(flag("garp_group"), lines)
}

pub(super) fn machine() -> BoxedStrategy<String> {
    let settings = some(vec![
        flag("net.ipv4.ip_forward 1"),
        flag("net.ipv4.tcp_rmem 4096 131072 6291456"),
        line("kernel.core_pattern", text(0)),
    ]);
    let appliance = some(vec![
        flag("hostname lb1"),
        flag("console ttyS0"),
        flag("console ttyS1 9600"),
        block(flag("sysctl"), settings),
        block(flag("modules"), some(vec![flag("softdog usb-storage"), flag("ip_vs")])),
    ]);
    let ports =
        some(vec![flag("address 192.0.2.1"), flag("address 2001:db8::1/64"), line("mtu", 68..9_000_u32)]);
    let vlan = some(vec![flag("vlan 7 parent eth0"), flag("address 192.0.2.1/24")]);
    some(vec![
        block(flag("global_defs"), global()),
        block(flag("appliance"), appliance),
        block(flag("interface eth0"), ports),
        block(
            flag("static_ipaddress"),
            some(vec![flag("10.7.0.1/24 dev eth1"), flag("2001:db8:7::1/64 dev eth2")]),
        ),
        block(flag("static_routes"), routes(90)),
        block(flag("static_rules"), rules(90)),
        flag("ping_group p { 10.0.0.9 interval 2 }"),
        flag("ping_group q { 10.0.0.9 10.0.0.8 dead 7 init_fail }"),
        flag("track_file f {\nweight -7\n}"),
        block(flag("interface eth0.7"), vlan),
        block(flag("firewall"), firewall()),
        block(flag("real_server_role"), role()),
        group(),
        group(),
        block(
            flag("interface_up_down_delays"),
            vec((link(), time(200), option::of(time(200))), 0..4)
                .prop_map(|rows| {
                    rows.into_iter()
                        .map(|(link, down, up)| format!("{link} {down} {}\n", up.unwrap_or_default()))
                        .collect()
                })
                .boxed(),
        ),
    ])
}

fn global() -> BoxedStrategy<String> {
    let mut global = vec![
        line("router_id", text(0)),
        line("lvs_timeouts", of(&["tcp 5", "udp 7 tcp 9", "tcpfin 1 udp 0"])),
        flag("lvs_flush"),
        line("lvs_flush_on_stop", of(&["", "VS"])),
        line(
            "lvs_sync_daemon",
            of(&[
                "eth0",
                "eth1 VI_1",
                "eth7 inst VI_1 id 3",
                "eth1 ttl 3 port 9000 group 224.0.0.9",
                "eth0 maxlen 900",
            ]),
        ),
        line("vrrp_min_garp", of(&["on", "off"])),
        flag("vrrp_check_unicast_src"),
        flag("vrrp_mcast_group4 224.0.0.99"),
        line("vrrp_startup_delay", time(90)),
        line("vrrp_delay_after_boot", time(90)),
        line("vrrp_down_timer_adverts", 1..101_u32),
        flag("vrrp_lower_prio_no_advert"),
        flag("vrrp_higher_prio_send_advert"),
        flag("vrrp_owner_ignore_adverts"),
        line("vrrp_garp_interval", time(9)),
        line("vrrp_gna_interval", time(9)),
    ];
    global.extend(garp("vrrp_"));
    some(global)
}

fn firewall() -> BoxedStrategy<String> {
    some(vec![
        line("mark", of(&["1 to 10.0.0.1 tcp 80", "4294967295 to 2001:db8::1", "9 to 10.0.0.1"])),
        flag("mark 1 to 10.0.0.1 udp 5-9  mark 1 to 10.0.0.1 sctp 65535"),
        line("masquerade", of(&["from 10.7.0.3/9", "from 2001:db8::1/33", "from 0.0.0.0/0"])),
        line("masquerade from 203.0.113.0/24 out", link()),
        line("redirect", of(&["to 10.0.0.1", "to 2001:db8::1 tcp 443-444"])),
    ])
}

fn role() -> BoxedStrategy<String> {
    let addresses =
        some(vec![flag("10.8.0.1"), flag("10.8.0.2/24 label lo:1"), flag("2001:db8:8::1 dev eth5")]);
    some(vec![flag("tunnel ipip"), block(flag("virtual_ipaddress"), addresses)])
}

pub(super) fn groups() -> BoxedStrategy<String> {
    let members = some(vec![flag("VI_0"), flag("VI_1"), flag("VI_2"), flag("VI_3")]);
    let tracked = block(flag("track_interface"), some(vec![flag("eth3"), flag("eth1 weight 7")]));
    let lines = vec![flag("sync_group_tracking_weight"), tracked, block(flag("group"), members)];
    vec(block(line("vrrp_sync_group", text(1)), some(lines)), 0..3)
        .prop_map(|all| all.join("\n") + "\n")
        .boxed()
}
