//! Blocks of our own: a mistake inside is named, and of those that are not acted on yet that the whole is not
//! supported.

use super::*;
use crate::limits::MAX_FIREWALL_RULES;

fn told(text: &str) -> Vec<String> {
    load(text, "t").diagnostics.iter().map(|it| it.message().to_owned()).collect()
}

fn later(word: &str, what: &str) -> String {
    format!("`{word}` is not supported by this version; the {what} is left out")
}

#[test]
fn blocks_of_ours_that_are_right_get_one_message_each() {
    for (word, text) in [
        ("serial_link", "serial_link ttyS1 { baud 115200  interval 0.25  dead 1.5  auth_key \"a b\" }"),
        ("serial_link", "serial_link ttyS1 { }"),
    ] {
        assert_eq!(told(text), [later(word, "whole block")], "{text}");
    }
}

#[test]
fn lines_of_ours_that_are_right_get_one_message_each_and_their_neighbours_count() {
    for (word, line) in [
        ("watchdog", "watchdog 10 identity \"i6300ESB timer\""),
        ("watchdog", "watchdog 10"),
        ("syslog", "syslog 192.0.2.5 514"),
        ("syslog", "syslog 2001:db8::5"),
        ("console_password", "console_password $pbkdf2$1000$abc$def"),
    ] {
        let text = format!("appliance {{ hostname lb1 {line} console ttyS0 }}");
        assert_eq!(told(&text), [later(word, "line")], "{text}");
        let config = load(&text, "t").config.unwrap();
        assert_eq!((&*config.appliance.hostname, config.appliance.consoles.len()), ("lb1", 1), "{text}");
    }
    let text = "interface bond0 { bond 802.3ad member eth2 member eth3 mtu 9000 }";
    let member = later("member", "line");
    assert_eq!(told(text), [later("bond", "line"), member.clone(), member]);
}

#[test]
fn rules_of_the_firewall_are_what_was_written_and_stand_once() {
    let text = "virtual_server fwmark 1 {\nlb_kind DR\nreal_server 192.0.2.2 80 {\n}\n}\n\
        firewall { mark 1 to 192.0.2.100 tcp 80  mark 1 to 192.0.2.100 udp 5000-5010  mark 2 to 192.0.2.100 tcp 80\n\
        mark 3 to 2001:db8::1  masquerade from 203.0.113.9/24 out eth0  redirect to 192.0.2.100\n\
        masquerade from 203.0.113.1/24 out eth0 }\n";
    let loaded = load(text, "t");
    let rules: Vec<String> = loaded.config.unwrap().firewall.iter().map(ToString::to_string).collect();
    let expected = [
        "mark 1 to 192.0.2.100 tcp 80",
        "mark 1 to 192.0.2.100 udp 5000-5010",
        "mark 3 to 2001:db8::1",
        "masquerade from 203.0.113.0/24 out eth0",
        "redirect to 192.0.2.100",
    ];
    assert_eq!(rules, expected);
    let mut messages: Vec<_> = loaded.diagnostics.iter().map(|it| it.message().to_owned()).collect();
    messages.retain(|it| !it.contains("default") && !it.contains("check"));
    let twice = |rule: &str| format!("the same packets are meant by `{rule}` already");
    let expected = [twice(expected[0]), "nothing asks for mark 3".to_owned(), twice(expected[3])];
    assert_eq!(messages, expected);
    // A routing rule asks, too.
    let rule =
        "firewall { mark 7 to 192.0.2.1 }\nstatic_rules { from 0.0.0.0/0 fwmark 7 table 9 priority 7 }";
    assert_eq!(told(rule), [""; 0]);
}

#[test]
fn addresses_of_a_real_server_are_static_ones_on_lo_and_never_a_whole_network() {
    let text = "static_ipaddress { 192.0.2.9/24 dev eth1 }\n\
        real_server_role { virtual_ipaddress {\n192.0.2.100 label lo:1\n192.0.2.101/24\n2001:db8::1 dev dummy0\n} }";
    let config = load(text, "t").config.unwrap();
    assert_eq!(config.role, Some(1));
    let shown = config.addresses.iter().skip(1);
    let shown: Vec<_> =
        shown.map(|one| format!("{}/{} {}", one.address, one.prefix, config.link_name(one.link))).collect();
    assert_eq!(shown, ["192.0.2.100/32 lo", "192.0.2.101/32 lo", "2001:db8::1/128 dummy0"]);
    assert!(config.addresses.iter().all(|one| one.instance.is_none()));
    assert_eq!(told(text), ["192.0.2.101/24: the whole network would be taken for this box"]);
    let text = text.replace("virtual_", "tunnel ipip virtual_");
    let config = load(&text, "t").config.unwrap();
    let links: Vec<_> = config.addresses.iter().map(|one| config.link_name(one.link).to_owned()).collect();
    assert_eq!(links, ["eth1", "tunl0", "tunl0", "dummy0"]);
    assert_eq!(load("real_server_role { }", "t").config.unwrap().role, Some(0));
}

#[test]
fn rules_beyond_the_limit_are_left_out_and_counted() {
    for count in [MAX_FIREWALL_RULES, MAX_FIREWALL_RULES + 1] {
        let rules: String = (0..count).map(|n| format!("redirect to 10.0.{n}.1\n")).collect();
        let loaded = load(&format!("firewall {{\n{rules}}}"), "t");
        assert_eq!(loaded.config.unwrap().firewall.len(), MAX_FIREWALL_RULES);
        let messages: Vec<_> = loaded.diagnostics.iter().map(|it| it.message().to_owned()).collect();
        let over = format!("{count} rules of the firewall: the limit is {MAX_FIREWALL_RULES}");
        assert_eq!(messages.contains(&over), count > MAX_FIREWALL_RULES, "{messages:?}");
    }
}

#[test]
fn a_mistake_inside_is_named_where_it_stands() {
    for (text, at, message) in [
        ("firewall {\nmark 0 to 192.0.2.1\n}", "2:6", "mark: `0` is out of range, not a number from 1"),
        ("firewall {\nmark 1 at 192.0.2.1\n}", "2:8", "mark: `at` is not `to`"),
        ("firewall {\nmark 1 to web\n}", "2:11", "mark: `web` is not an IP address such as 192.0.2.1"),
        (
            "firewall {\nmark 1 to 192.0.2.1 tcp 90-80\n}",
            "2:25",
            "mark: `90-80` is not a port from 1 to 65535, or a range such as 8000-8080",
        ),
        (
            "firewall {\nmasquerade from eth0\n}",
            "2:17",
            "masquerade: `eth0` is not a network such as 203.0.113.0/24",
        ),
        ("firewall {\nmasquerade\n}", "2:1", "`masquerade` lacks its value"),
        ("firewall {\nredirct to 192.0.2.1\n}", "2:1", "unknown keyword `redirct` in `firewall`"),
        ("firewall {\nredirect to\n}", "2:1", "`redirect` lacks its value"),
        ("real_server_role {\nvirtual_ipaddress {\n192.0.2.300\n}\n}", "3:1", "`192.0.2.300` is no address"),
        ("ping_group {\n192.0.2.1\n}", "1:1", "`ping_group` lacks its value"),
        ("ping_group a {\ninterval 1\n}", "1:1", "this `ping_group` has no valid address"),
        (
            "ping_group a {\n192.0.2.1 intervall 1\n}",
            "2:11",
            "`intervall` is neither an address nor a keyword of a ping_group",
        ),
        ("ping_group a {\n192.0.2.1 dead 1h\n}", "2:16", "dead: `1h` is not 0.2 to 3600 seconds"),
        (
            "ping_group a {\n192.0.2.1 interval 3\n}",
            "2:20",
            "`dead` is 5 s and `interval` is 3 s: one lost packet would count",
        ),
        ("serial_link tty/1 {\n}", "1:13", "serial_link: `tty/1` is not a device of /dev such as ttyS1"),
        (
            "serial_link ttyS1 {\nbaud 9600 interval 0\n}",
            "2:20",
            "interval: `0` is out of range, not 0.05 to 60 seconds",
        ),
        (
            "serial_link ttyS1 {\ndead 0.3\n}",
            "2:6",
            "`dead` is 0.3 s and `interval` is 0.25 s: one lost packet would count",
        ),
    ] {
        let block = text.split(' ').next().unwrap();
        let mut messages = loaded(text).1;
        messages.retain(|it| !it.contains(&later(block, "whole block")));
        assert_eq!(messages.len(), 1, "{text}: {messages:?}");
        assert!(messages[0].starts_with(&format!("{at}: error")), "{text}: {messages:?}");
        assert!(messages[0].ends_with(message), "{text}: {messages:?}");
    }
    for (line, message) in [
        ("watchdog 0", "watchdog: `0` is out of range, not a number from 1 to 3600"),
        ("watchdog 10 identity", "`watchdog` lacks its value"),
        ("watchdog 10 i6300ESB", "unknown keyword `i6300ESB` in `appliance`"),
        ("syslog loghost", "syslog: `loghost` is not an IP address such as 192.0.2.1"),
        ("syslog 192.0.2.5 0", "syslog: `0` is out of range, not a number from 1 to 65535"),
        ("console_password hunter2", "console_password: this is no hash of a password"),
    ] {
        let mut messages = told(&format!("appliance {{\n{line}\n}}"));
        messages.retain(|it| !it.contains("is not supported by this version"));
        assert_eq!(messages, [message], "{line}");
    }
}

#[test]
fn keys_and_passwords_of_ours_appear_nowhere() {
    for text in [
        "appliance { console_password hunter2 }".to_owned(),
        "appliance { hostname a console_password hunter2 hunter2 }".to_owned(),
        format!("serial_link ttyS1 {{ auth_key hunter2{} }}", "x".repeat(64)),
        "serial_link ttyS1 { auth_key hunter2 }".to_owned(),
        "serial_link ttyS1 { auth_key two hunter2 }".to_owned(),
        "serial_link ttyS1 { auth_key hunter2 dead 0 }".to_owned(),
    ] {
        let shown = load(&text, "t").diagnostics;
        assert!(shown.iter().len() > 0 && !format!("{shown} {shown:?}").contains("hunter2"), "{shown}");
    }
}
