//! The way to text and back: whatever was loaded is the same when its canonical text is loaded, and the text itself
//! says nothing that the tables of keywords do not know.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::config::keywords::keywords;
use crate::config::load;
use crate::syntax::Severity;

fn shown(config: &Config, style: Style) -> String {
    let (mut text, mut place) = (String::new(), Some(Place::default()));
    while let Some(here) = place {
        place = row(config, style, here, &mut text).unwrap();
    }
    text
}

const WHOLE: Style = Style { passwords: Passwords::Shown, longest: usize::MAX };

/// The canonical text without an error in it, and the configuration that it stands for.
#[track_caller]
fn again(text: &str) -> Config {
    let loaded = load(text, "canonical");
    let severe = loaded.diagnostics.worst() >= Some(Severity::Error);
    assert!(!severe, "{}\n{text}", loaded.diagnostics);
    loaded.config.unwrap()
}

/// The canonical text of `text`, having made sure that it is one.
#[track_caller]
fn round(text: &str) -> String {
    let config = load(text, "written").config.unwrap();
    let canonical = shown(&config, WHOLE);
    let second = again(&canonical);
    assert_eq!(second, config, "{text}\n{canonical}");
    assert_eq!(shown(&second, WHOLE), canonical, "{text}");
    // What is said to be the default changes nothing when it is written.
    assert_eq!(again(&spoken(&canonical)), config, "{canonical}");
    let hidden = Style { passwords: Passwords::Hidden, ..WHOLE };
    let (open, closed) = (lines(&canonical), shown(&config, hidden));
    again(&closed);
    let differing: Vec<&str> = lines(&closed).into_iter().filter(|line| !open.contains(line)).collect();
    let password =
        |line: &&str| line.trim() == "auth_pass ***    # hidden" || line.starts_with("# Passwords");
    assert!(differing.iter().all(password), "{differing:?}");
    canonical
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// With the defaults as lines instead of comments.
fn spoken(text: &str) -> String {
    let line = |line: &str| {
        let (indent, comment) = line.split_once("# ")?;
        let comment = comment.strip_suffix(" (default)").filter(|_| indent.trim().is_empty())?;
        Some(format!("{indent}{comment}\n"))
    };
    text.lines().map(|whole| line(whole).unwrap_or_else(|| format!("{whole}\n"))).collect()
}

#[test]
fn files_of_the_tests_are_the_same_again() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/config");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            let text = std::fs::read_to_string(&path).unwrap();
            if load(&text, "t").config.is_some() {
                round(&text);
                tried += 1;
            }
        }
    }
    assert!(tried >= 3, "{tried}");
}

#[test]
fn effective_values_stand_for_what_they_were_derived_from() {
    let text = round(
        "global_defs {\n vrrp_min_garp\n lvs_timeouts udp 7 tcp 3\n}
vrrp_instance \"VI 1\" {\n state MASTER\n interface eth0\n virtual_router_id 5
authentication {\n auth_type PASS\n auth_pass \"a # b\"\n}
virtual_ipaddress {\n 192.0.2.1\n 192.0.2.2/24 brd + dev eth1 no_track\n}\n}
virtual_server 192.0.2.1 80 {\n lvs_method DR\n delay_loop 0.000001\n delay_loop 2.50025\n protocol tcp
 weight 4\n inhibit_on_failure\n real_server 192.0.2.9 8080 {\n weight 0\n TCP_CHECK {\n}\n}\n}",
    );
    assert_eq!(
        text,
        "\
# Effective values; what would be so without a line is a comment.
global_defs {
    lvs_timeouts tcp 3 udp 7
    # vrrp_startup_delay 0 (default)\n    # vrrp_delay_after_boot 0 (default)
}

vrrp_instance \"VI 1\" {
    interface eth0
    virtual_router_id 5
    priority 255
    # preempt (default)
    # version 2 (default)
    # v3_checksum_as_v2 off (default)
    # advert_int 1 (default)
    authentication {
        auth_type PASS
        auth_pass \"a # b\"
    }
    # mcast_dst_ip 224.0.0.18 (default)
    # check_unicast_src off (default)
    # preempt_delay 0 (default)
    # down_timer_adverts 3 (default)
    # lower_prio_no_advert off (default)
    # higher_prio_send_advert off (default)
    # owner_ignore_adverts off (default)
    garp_master_delay 0
    garp_master_repeat 1
    # garp_master_refresh 0 (default)
    # garp_master_refresh_repeat 1 (default)
    # garp_lower_prio_delay 0 (default)
    # garp_lower_prio_repeat 1 (default)
    virtual_ipaddress {
        192.0.2.1/32
        192.0.2.2/24 dev eth1 brd 192.0.2.255 no_track
    }
}

virtual_server 192.0.2.1 80 {
    protocol TCP
    # lb_algo wlc (default)
    lb_kind DR
    # quorum 1 (default)
    # hysteresis 0 (default)
    real_server 192.0.2.9 80 {
        weight 0
        inhibit_on_failure on
        # uthreshold 0 (default)
        # lthreshold 0 (default)\n        # slow_start 0 (default)\n        # drain_time 0 (default)
        TCP_CHECK {
            connect_port 8080
            # alpha off (default)
            delay_loop 2.50025
            # connect_timeout 5 (default)
            # retry 1 (default)
            # delay_before_retry 1 (default)
            # warmup 1 (default)
        }
    }
}
"
    );
}

#[test]
fn every_checker_is_the_same_again() {
    let checkers = [
        "SMTP_CHECK {\nhelo_name lb.example.org\n}",
        "DNS_CHECK {\ntype AAAA\nname example.org\nalpha\n}",
        "UDP_CHECK {\npayload 00ff\nrequire_reply 1xff\nmin_reply_length 2\nmax_reply_length 9\n}",
        "PING_CHECK {\nbind_if eth1\nfwmark 7\nbindto 192.0.2.5\n}",
        "SEND_EXPECT {\nsend \"PING # {1}\\r\\n\"\nexpect \"+PONG\"\n}",
        "HTTP_GET {\nurl {\npath /\nregex \"^a #{1}!\\\\d\\042$\"\nregex_no_match\n}\n}",
        "HTTP_GET {\nhttp_protocol 1.1\nurl {\npath /\ndigest 9b3a0c85a887a256d6939da88aabd8cd\n}\n}",
        #[cfg(feature = "tls")]
        "SSL_GET {\nenable_sni\nvirtualhost a.example\nfast_recovery\nurl {\npath /\n}\n}",
        #[cfg(feature = "tls")]
        "SSL_GET {\nsni_name a.example\nurl {\npath /\n}\nurl {\npath /b\nvirtualhost b\n}\n}",
    ];
    for checker in checkers {
        let text = format!(
            "virtual_server 192.0.2.1 80 {{\nprotocol TCP\nreal_server 192.0.2.9 80 {{\n{checker}\n}}\n}}\n"
        );
        assert_eq!(again(&text).probes.len(), 1, "{checker}");
        assert!(round(&text).contains(checker.split(' ').next().unwrap()), "{checker}");
    }
}

#[test]
fn a_check_through_the_virtual_address_is_the_same_again_and_its_hidden_service_is_not_written() {
    let text = round(
        "virtual_server 192.0.2.1 80 {\nprotocol TCP\nlb_kind DR\nvia_vip\nreal_server 192.0.2.8 80 {\nTCP_CHECK {\n}\n}
real_server 192.0.2.9 80 {\nTCP_CHECK {\nvia_vip off\n}\nTCP_CHECK {\nconnect_port 8080\nbindto 192.0.2.5\n}\n}\n}\n",
    );
    assert_eq!(
        (text.matches("virtual_server").count(), text.matches("via_vip on").count()),
        (1, 2),
        "{text}"
    );
    assert!(!text.contains("fwmark 1") && !text.contains("connect_ip"), "{text}");
    assert!(text.contains("            connect_port 8080\n            bindto 192.0.2.5\n"), "{text}");
}

#[test]
fn the_services_of_a_group_are_written_one_by_one() {
    let text = "virtual_server_group G {\n192.0.2.1 80\n192.0.2.2-3\nfwmark 7\n}
virtual_server group G {\nlb_kind NAT\nprotocol TCP\nsorry_server 192.0.2.8 80
real_server 192.0.2.9 80 {\nTCP_CHECK {\n}\n}\n}\n";
    let canonical = round(text);
    for line in ["192.0.2.1 80", "192.0.2.2 0", "192.0.2.3 0", "fwmark 7"] {
        assert!(canonical.contains(&format!("\nvirtual_server {line} {{\n")), "{line}: {canonical}");
    }
}

#[test]
fn version_3_over_ipv6_is_the_same_again() {
    let text = "vrrp_instance A {\ninterface eth0\nversion 3\nadvert_int 0.37\nvirtual_router_id 5\nmcast_dst_ip ff02::50\n\
                virtual_ipaddress {\nfe80::1\n2001:db8::1/64\n}\n}\n";
    assert_eq!(again(text).instances.len(), 1);
    let canonical = round(text);
    for line in
        ["    version 3", "    advert_int 0.37", "    mcast_dst_ip ff02::50", "        2001:db8::1/64"]
    {
        assert!(canonical.lines().any(|it| it == line), "{line}: {canonical}");
    }
}

#[test]
fn a_hidden_password_is_marked_and_the_text_still_loads() {
    let secret = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {\n192.0.2.1\n}\n\
        authentication {\nauth_type PASS\nauth_pass hunter2\n}\n}\n";
    let config = load(secret, "t").config.unwrap();
    let text = shown(&config, Style { passwords: Passwords::Hidden, ..WHOLE });
    assert!(!text.contains("hunter2") && text.contains("        auth_pass ***    # hidden\n"), "{text}");
    assert!(text.lines().nth(1).unwrap().starts_with("# Passwords are shown as ***"), "{text}");
    let loaded = load(&text, "t");
    assert!(loaded.diagnostics.worst().is_none(), "{}", loaded.diagnostics);
    assert!(shown(&config, WHOLE).contains("auth_pass hunter2\n"));
}

#[test]
fn a_password_whose_eighth_byte_cuts_a_character_is_the_same_again() {
    for password in
        ["1234567\u{e4}", "1234567\u{800}", "1234567\u{10000}", "123456\u{d7ff}", "12345\u{10ffff}", "\u{e4}"]
    {
        round(&format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n192.0.2.1\n}}\n\
             authentication {{\nauth_type PASS\nauth_pass {password}\n}}\n}}\n"
        ));
    }
}

#[test]
fn trackers_keep_their_order_whatever_was_tracked_because_of_an_address() {
    let of = |items: &str, tracked: &str| {
        round(&format!(
            "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n{items}\n}}\n\
             track_interface {{\n{tracked}\n}}\n}}\n"
        ))
    };
    let plain = of("192.0.2.1 dev eth1\n192.0.2.2 dev eth2", "eth3 weight -20\neth1");
    assert!(
        !plain.contains("no_track") && plain.contains("track_interface {\n        eth3 weight -20\n    }")
    );
    let mixed = of("192.0.2.1 dev eth1 no_track\n192.0.2.2 dev eth2", "eth1");
    assert!(
        mixed.contains("no_track") && mixed.contains("track_interface {\n        eth2\n        eth1\n    }")
    );
    of("192.0.2.1\n192.0.2.2 dev eth2 no_track", "eth0 weight 3");
}

#[test]
fn everything_that_is_tracked_is_the_same_again() {
    let text = round(
        "ping_group \"up link\" {\n192.0.2.1\n2001:db8::1 init_fail dead 7.5\n}\nping_group b { 192.0.2.1 interval 0.5 fall 3 rise 2 }\n
track_file drain {\nweight -3\ninit_file 4\n}\ntrack_file x {\n}\n
vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {\n192.0.2.1\n}
track_file {\ndrain\nx weight 0\n}\ntrack_interface {\neth1 reverse\n}\ntrack_service {\n192.0.2.1 80\nfwmark 7 weight 9\n}
track_ping_group {\n\"up link\" weight -20 reverse\nb rise 2 fall 0.5 init_fail\n}
track_route {\ndefault\n198.51.100.9/24 table 7 dev eth1 via 192.0.2.3 weight 9 fall 1\ndefault via fe80::1\n}\ntrack_interface {\neth2 weight 4\n}\n}
vrrp_sync_group G {\ngroup {\nA\n}\nsync_group_tracking_weight\ntrack_ping_group {\nb weight 3\n}\n}
virtual_server 192.0.2.1 80 {\nprotocol TCP\nreal_server 192.0.2.9 80 {\n}\n}
virtual_server fwmark 7 {\nlb_kind DR\nreal_server 192.0.2.9 {\n}\n}\n",
    );
    for line in [
        "        198.51.100.0/24 table 7 dev eth1 via 192.0.2.3 weight 9 fall 1",
        "        ::/0 via fe80::1",
        "        b rise 2 fall 0.5 init_fail",
        "        fwmark 7 weight 9",
        "        b weight 3",
        "        \"up link\" weight -20 reverse",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
}

#[test]
fn every_word_at_the_start_of_a_line_is_a_keyword_of_the_tables() {
    let text = round(include_str!("../../../tests/data/config/dr.conf"))
        + &round(include_str!("../../../tests/data/config/nat.conf"))
        + &round(include_str!("../../../tests/data/config/fwmark.conf"));
    for line in spoken(&text).lines().filter(|line| !line.starts_with('#')) {
        let word = line.split_whitespace().next().unwrap_or("}");
        // Items of lists begin with an address or an interface.
        let item = word == "}" || word.starts_with(|it: char| it.is_ascii_digit()) || word.starts_with("eth");
        assert!(item || keywords().any(|(_, known)| known == word), "{line}");
    }
}

#[test]
fn a_bounded_row_cuts_long_words_and_counts_what_it_leaves_out() {
    let many = "status_code 200 201 202 203 204 205 206 207 208 209\n".repeat(10);
    let text = format!(
        "vrrp_instance {0} {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n192.0.2.1\n}}\n}}
virtual_server 192.0.2.1 80 {{\nlb_kind NAT\nprotocol TCP\nreal_server 192.0.2.2 80 {{\nHTTP_GET {{\nurl {{
path /{0}\nvirtualhost {0}\n{many}}}\n}}\n}}\n}}\n",
        "x".repeat(3_000)
    );
    let config = load(&text, "t").config.unwrap();
    let style = Style { longest: 512, ..WHOLE };
    let (mut place, mut whole) = (Some(Place::default()), String::new());
    while let Some(here) = place {
        let mut piece = String::new();
        place = row(&config, style, here, &mut piece).unwrap();
        assert!(piece.len() <= 700 + 2 * 512, "{piece}");
        whole += &piece;
    }
    assert!(whole.contains(&format!("{}... {{\n", "x".repeat(512))) && whole.contains("# and 36 more\n"));
    round(&text);
}

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

fn instance(number: usize) -> BoxedStrategy<String> {
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

fn service() -> BoxedStrategy<String> {
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

fn machine() -> BoxedStrategy<String> {
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
    some(vec![
        block(flag("global_defs"), some(global)),
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

fn groups() -> BoxedStrategy<String> {
    let members = some(vec![flag("VI_0"), flag("VI_1"), flag("VI_2"), flag("VI_3")]);
    let tracked = block(flag("track_interface"), some(vec![flag("eth3"), flag("eth1 weight 7")]));
    let lines = vec![flag("sync_group_tracking_weight"), tracked, block(flag("group"), members)];
    vec(block(line("vrrp_sync_group", text(1)), some(lines)), 0..3)
        .prop_map(|all| all.join("\n") + "\n")
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_is_loaded_is_the_same_when_its_canonical_text_is(
        machine in machine(),
        instances in (0..4_usize).prop_flat_map(|count| (0..count).map(instance).collect::<Vec<_>>()),
        groups in groups(),
        services in vec(service(), 0..4),
    ) {
        round(&format!("{machine}{groups}{}\n{}\n", instances.join("\n"), services.join("\n")));
    }
}
