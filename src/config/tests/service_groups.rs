//! `virtual_server_group`: each address and each mark is a service of its own, with the same real servers and checks.

use super::*;
use crate::wire::genl_ipvs::{Family, ServiceKey};

const NAT: &str = "lb_kind NAT\nprotocol TCP\n";
const SERVERS: &str =
    "real_server 10.0.0.1 80 {\nTCP_CHECK {\n}\n}\nreal_server 10.0.0.2 80 {\nTCP_CHECK {\n}\n}\n";

fn group(lines: &str) -> String {
    format!("virtual_server_group G {{\n{lines}\n}}\n")
}

fn user(lines: &str) -> String {
    format!("virtual_server group G {{\n{lines}}}\n")
}

fn keys(config: &Config) -> Vec<String> {
    config.services.iter().map(|service| service.key.to_string()).collect()
}

#[test]
fn every_address_and_mark_of_a_group_is_a_service_and_checked_once() {
    let lines = "192.0.2.1 80\n192.0.2.8-10 443\n192.0.2.16/31 81\nfwmark 7";
    let text = group(lines) + &user(&format!("{NAT}quorum 2\nsorry_server 10.0.0.9 80\n{SERVERS}"));
    let config = clean(&text);
    assert_eq!(config.services.len(), 7);
    let ports: Vec<u16> = config
        .services
        .iter()
        .filter_map(|service| match service.key {
            ServiceKey::Address { port, .. } => Some(port),
            ServiceKey::Mark { .. } => None,
        })
        .collect();
    assert_eq!(ports, [80, 443, 443, 443, 81, 81]);
    // Two real servers and the sorry server in each, in a range of its own; two checks for all of them.
    assert_eq!((config.destinations.len(), config.probes.len()), (21, 2));
    for (row, service) in config.services.iter().enumerate() {
        assert_eq!(service.destinations.rows(), row * 3..row * 3 + 3);
        assert_eq!(service.sorry.rows(), row * 3 + 2..row * 3 + 3);
        assert_eq!(service.quorum, 2);
        for destination in &config.destinations[row * 3..row * 3 + 2] {
            assert_eq!((destination.service.index(), config.probes_of(destination).len()), (row, 1));
        }
    }
}

#[test]
fn a_group_may_stand_behind_its_users_and_have_two_of_them() {
    let udp = SERVERS.replace("80 {\nTCP_CHECK {\n}\n", "53 {\n");
    let tcp = user(&format!("{NAT}{SERVERS}"));
    let text =
        tcp + &user(&format!("lb_kind NAT\nprotocol UDP\n{udp}")) + &group("192.0.2.1 53\n192.0.2.2 53");
    let config = clean(&text);
    assert_eq!(keys(&config).len(), 4);
    let first = |row: usize| match config.services[row].key {
        ServiceKey::Address { protocol, .. } => format!("{protocol:?}"),
        ServiceKey::Mark { .. } => String::new(),
    };
    assert_eq!([first(0), first(1), first(2), first(3)], ["Tcp", "Tcp", "Udp", "Udp"]);
}

#[test]
fn marks_of_a_group_have_the_family_they_say_or_that_of_the_servers() {
    let families = |lines: &str, text: &str| {
        let config = clean(&(group(lines) + &user(text)));
        config.services.iter().map(|service| service.key.family()).collect::<Vec<_>>()
    };
    let six = "lb_kind NAT\nreal_server 2001:db8::9 80 {\n}\n";
    assert_eq!(families("fwmark 1\nfwmark 2", six), [Family::Inet6, Family::Inet6]);
    assert_eq!(
        families("fwmark 1 inet\nfwmark 2 inet6", &six.replace("NAT", "TUN").replace(" 80", "")),
        [Family::Inet, Family::Inet6]
    );
    assert_eq!(families("fwmark 1", &format!("ip_family inet6\n{six}")), [Family::Inet6]);
}

#[test]
fn what_is_wrong_with_the_block_is_said_once_and_what_is_wrong_with_an_address_at_its_line() {
    let say = |lines: &str, text: &str, expected: &[&str], services: usize| {
        let (config, messages) = loaded(&(group(lines) + &user(text)));
        assert_eq!(messages.len(), expected.len(), "{messages:#?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.contains(expected), "{expected}: {messages:#?}");
        }
        assert_eq!(config.services.len(), services, "{messages:#?}");
    };
    let two = "192.0.2.1 80\n192.0.2.2 80";
    let wrong = "lb_kind NAT\nprotocol TCP\nquorum 9\nbogus\nreal_server 10.0.0.1 80 {\nbogus\n}\n";
    say(two, wrong, &["W0308]: quorum 9", "E0101", "E0101"], 2);
    let plain = format!("{NAT}{SERVERS}");
    say("192.0.2.1 80\n192.0.2.1 80", &plain, &["3:1: error[E0302]"], 1);
    say("192.0.2.1 80\n2001:db8::1 80", &plain, &["3:1: error[E0307]: 2 real servers"], 1);
    say("192.0.2.1 80\n2001:db8::1-ff 80", &plain, &["3:1: error[E0307]: 2 real servers"], 1);
    say("192.0.2.9-1 80\n192.0.2.1 80", &plain, &["2:1: error[E0104]: `192.0.2.9-1` is no address"], 1);
    say("192.0.2.1 65536\n192.0.2.2 80", &plain, &["2:11: error[E0105]"], 1);
    say("fwmark 0\n192.0.2.2 80", &plain, &["2:8: error[E0105]"], 1);
    say("fwmark\n192.0.2.2 80", &plain, &["2:1: error[E0103]: `fwmark` lacks its value"], 1);
    say("fwmark 1 inet4\n192.0.2.2 80", &plain, &["2:10: error[E0104]"], 1);
    say("192.0.2.1", &plain, &["W0306]: port 0 needs persistence"], 1);
    say("", &plain, &["W0303]: there is no valid address in this group"], 0);
    say("192.0.2.1 80\n192.0.2.1 443", "lb_kind DR\nprotocol TCP\nreal_server 10.0.0.1 80 {\n}\n", &[], 2);
    let (_, messages) = loaded(&user(&plain));
    assert!(messages[0].contains("1:22: error[E0104]: there is no virtual_server_group `G`"), "{messages:?}");
    let (_, messages) = loaded(&(group("192.0.2.1 80") + &group("192.0.2.2 80") + &user(&plain)));
    assert!(
        messages[0].contains("error[E0302]: there is a virtual_server_group `G` already"),
        "{messages:?}"
    );
}

#[test]
fn a_group_beyond_the_limits_is_counted_and_not_made() {
    let limit = |lines: &str, text: &str, expected: &str| {
        let (config, messages) = loaded(&(group(lines) + &user(text)));
        assert_eq!(messages.len(), 1, "{messages:#?}");
        assert!(messages[0].contains(expected), "{messages:#?}");
        (config.services.len(), config.destinations.len())
    };
    let one = format!("{NAT}real_server 10.0.0.1 80 {{\n}}\n");
    assert_eq!(clean(&(group("10.1.0.0/20 80") + &user(&one))).services.len(), 4_096);
    let expected = "2:1: error[E0401]: 65536 virtual services: the limit is 4096";
    assert_eq!(limit("10.1.0.0/16 80", &one, expected), (4_096, 4_096));
    limit("10.1.0.0/20 80\n10.2.0.1 80", &one, "3:1: error[E0401]: 4097 virtual services: the limit is 4096");
    // Of IPv6 there are more than can be counted.
    let six = one.replace("10.0.0.1", "2001:db8::1");
    limit("::/0 80", &six, "error[E0401]: 18446744073709551615 virtual services");
    let servers: String = (0..64).map(|n| format!("real_server 10.0.0.{n} 80 {{\n}}\n")).collect();
    let expected = "2:1: error[E0401]: 131072 real servers: the limit is 65536";
    assert_eq!(limit("10.1.0.0/21 80", &format!("{NAT}{servers}"), expected), (1_024, 65_536));
    let lines: String = (0..4_097).map(|n| format!("10.1.{}.{} 80\n", n / 256, n % 256)).collect();
    limit(&lines, &one, "error[E0401]: 4097 lines in groups of virtual servers: the limit is 4096");
    // A block of many lines for many addresses: what would be read again and again has a limit, too.
    let idle = format!("{one}{}", "smtp_alert on\n".repeat(2_000));
    let (config, messages) = loaded(&(group("10.1.0.0/20 80") + &user(&idle)));
    let expected = "lines for all addresses of groups: the limit is 1572864";
    assert!(messages.iter().any(|message| message.contains(expected)), "{}", messages.len());
    assert!(config.services.len() > 700);
}
