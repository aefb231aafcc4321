//! `show interfaces`, `show arp`, `show routes` of a running director, with `ip` as the witness.

use lab::netns::Host;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::Pair;
use crate::rig::{Instance, Make, ctl};

const MASTER: &str = "(VI_1) Entering MASTER STATE";

fn master(pair: &Pair, scratch: &Scratch) -> Process {
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let director = Make::Lvsbox.start(&pair.first, &text, scratch);
    director.wait_line(MASTER, secs(8));
    wait::until("the address", secs(2), || pair.first.has_address("eth0", "10.9.0.100").then_some(()));
    director
}

/// The values of a member in a JSON text, in order, without quotes.
fn members<'a>(json: &'a str, name: &str) -> Vec<&'a str> {
    let key = format!("\"{name}\":");
    let ends = |value: &str| match value.strip_prefix('"') {
        Some(text) => text.find('"').map(|end| end + 2),
        None => value.find([',', '}', ']']),
    };
    json.match_indices(&key)
        .map(|(at, _)| {
            let value = json[at + key.len()..].trim_start();
            value[..ends(value).expect("a value ends")].trim_matches('"')
        })
        .collect()
}

fn ip_json(host: &Host, words: &str) -> String {
    host.ip(&format!("-j {words}"))
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

fn owned(list: Vec<&str>) -> Vec<String> {
    sorted(list.into_iter().map(str::to_owned).collect())
}

#[test]
fn interfaces_have_what_ip_says_of_them_and_name_the_owner_of_a_virtual_address() {
    let pair = Pair::new();
    let scratch = Scratch::new("interfaces");
    let _director = master(&pair, &scratch);
    pair.lan.attach(&pair.first, "eth1");
    pair.first.ip("link set eth1 down");
    pair.first.ip("link set eth1 mtu 1400");
    pair.first.ip("addr add 2001:db8::11/64 dev eth0 nodad");
    let shown = ctl(&pair.first, "show interfaces json");
    let witness = ip_json(&pair.first, "addr show");
    assert_eq!(owned(members(&shown, "name")), owned(members(&witness, "ifname")));
    assert_eq!(owned(members(&shown, "address")), owned(members(&witness, "local")));
    let mtus = |text: &str| owned(members(text, "mtu"));
    assert_eq!(mtus(&shown), mtus(&witness));
    let macs = members(&witness, "address");
    let ours = members(&shown, "mac");
    assert!(ours.iter().all(|mac| *mac == "null" || macs.contains(mac)), "{shown}\n{witness}");
    assert_eq!(members(&shown, "vip_of").into_iter().filter(|name| *name != "null").count(), 1);

    let text = ctl(&pair.first, "show interfaces");
    assert!(text.contains("\n  10.9.0.100/24  VIP of VI_1\n"), "{text}");
    assert!(text.contains("\n  10.9.0.1/24\n"), "{text}");
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("a line").to_owned();
    assert!(line("eth0").contains("up, carrier") && line("eth0").ends_with("mtu 1500"), "{text}");
    assert!(line("eth1").contains(" down ") && line("eth1").ends_with("mtu 1400"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    // The counters count: adverts go out.
    let sent = || members(&ctl(&pair.first, "show interfaces json"), "packets")[1..].join(" ");
    let before = sent();
    wait::until("packets that are counted", secs(5), || (sent() != before).then_some(()));

    pair.lan.cut(&pair.first);
    wait::until("a cable that is out", secs(5), || {
        let text = ctl(&pair.first, "show interfaces");
        text.lines().any(|line| line.starts_with("eth0") && line.contains("up, no carrier")).then_some(())
    });
}

#[test]
fn neighbours_are_those_of_ip_and_an_empty_table_is_a_sentence() {
    let pair = Pair::new();
    let scratch = Scratch::new("neighbours");
    let _director = master(&pair, &scratch);
    pair.first.ip("neigh flush all");
    assert_eq!(ctl(&pair.first, "show arp"), "no neighbours known\n");
    pair.first.ip("neigh add 10.9.0.77 lladdr 52:54:00:12:34:56 dev eth0 nud permanent");
    pair.first.ip("neigh add 10.9.0.78 dev eth0 nud failed");
    pair.first.ip("neigh add fe80::77 lladdr 52:54:00:12:34:57 dev eth0 nud permanent");
    pair.first.ip("neigh add 10.9.0.79 lladdr 52:54:00:12:34:58 dev eth0 nud noarp");
    let shown = ctl(&pair.first, "show arp json");
    let witness = ip_json(&pair.first, "neigh show");
    assert_eq!(owned(members(&shown, "address")), owned(members(&witness, "dst")));
    assert_eq!(owned(members(&shown, "interface")), owned(members(&witness, "dev")));
    let text = ctl(&pair.first, "show arp");
    let words = |address: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{address} "))).expect("its line");
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words("10.9.0.77"), "eth0 52:54:00:12:34:56 permanent");
    assert_eq!(words("10.9.0.78"), "eth0 - failed");
    assert_eq!(words("fe80::77"), "eth0 52:54:00:12:34:57 permanent");
    assert!(!text.contains("10.9.0.79"), "what needs no resolution is left out: {text}");
}

#[test]
fn routes_are_those_of_ip() {
    let pair = Pair::new();
    let scratch = Scratch::new("routes");
    let _director = master(&pair, &scratch);
    for words in [
        "route add default via 10.9.0.2 dev eth0",
        "route add blackhole 198.51.100.0/24",
        "route add 203.0.113.0/24 nexthop via 10.9.0.2 dev eth0 weight 2 nexthop via 10.9.0.9 dev eth0",
        "route add 192.0.2.0/24 via 10.9.0.2 dev eth0 table 77",
        "-6 route add 2001:db8:7::/48 dev eth0",
    ] {
        pair.first.ip(words);
    }
    let text = ctl(&pair.first, "show routes");
    // Line for line what `ip` says, without what only `ip` says.
    let plain = |text: String| -> Vec<String> {
        let text = text.replace("\n\tnexthop", "\n ");
        let keep = |line: &str| {
            let cut =
                line.replace(" proto kernel", "").replace(" scope link", "").replace(" pref medium", "");
            cut.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        text.lines().map(keep).filter(|line| !line.is_empty()).collect()
    };
    let witness = pair.first.ip("-4 route show") + &pair.first.ip("-6 route show");
    assert_eq!(plain(text.clone()), plain(witness), "{text}");
    assert!(text.starts_with("default via 10.9.0.2 dev eth0\n"), "{text}");
    assert!(text.contains("10.9.0.0/24 dev eth0 src 10.9.0.1\n"), "{text}");
    let json = ctl(&pair.first, "show routes json");
    assert!(members(&json, "destination").contains(&"0.0.0.0/0"), "{json}");
    assert_eq!(members(&json, "weight"), ["2", "1"]);
}

/// More than a datagram and many pieces: nothing is lost and nothing is twice, while adverts go on.
#[test]
fn a_table_of_thousands_is_whole() {
    let pair = Pair::new();
    let scratch = Scratch::new("many");
    let director = master(&pair, &scratch);
    let count = 3_000;
    let batch: String = (0..count)
        .map(|row| format!("route add 10.{}.{}.0/24 dev eth0\n", 20 + row / 256, row % 256))
        .collect();
    let file = scratch.write("routes", &batch);
    pair.first.ip(&format!("-batch {}", file.display()));
    let text = ctl(&pair.first, "show routes");
    let mut lines: Vec<&str> = text.lines().filter(|line| line.ends_with(".0/24 dev eth0")).collect();
    assert_eq!(lines.len(), count);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count, "no line is there twice");
    let json = ctl(&pair.first, "show routes json");
    assert!(json.ends_with("]}\n") && !json.contains("\"error\""), "{}", &json[json.len() - 200..]);
    assert!(members(&json, "destination").len() > count);
    assert_eq!(director.count("Entering BACKUP STATE"), 1, "nothing but the start");
    assert_eq!(director.status("Threads"), 1);
}
