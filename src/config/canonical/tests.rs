//! The way to text and back: whatever was loaded is the same when its canonical text is loaded, and the text itself
//! says nothing that the tables of keywords do not know.

use proptest::collection::vec;
use proptest::prelude::*;
use texts::{groups, instance, machine, service};

use super::*;
use crate::config::keywords::keywords;
use crate::config::load;
use crate::syntax::Severity;

mod texts;

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
