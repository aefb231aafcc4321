//! One line of configuration each, and what is said and done about it.

use super::*;

pub(super) fn says(text: &str, expected: &str) -> Config {
    let (config, messages) = loaded(text);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    assert!(messages[0].contains(expected), "{messages:?}");
    config
}

#[test]
fn state_master_cancels_nopreempt() {
    let config = says(
        &instance("state MASTER\npriority 150\nnopreempt"),
        "4:1: warning[W0207]: nopreempt does not go with state MASTER and is cancelled",
    );
    assert_eq!(config.instances[0].preemption, Preemption::Preempt);
    says(&instance("priority 255\nnopreempt"), "nopreempt does not go with priority 255");
}

#[test]
fn no_accept_on_the_address_of_a_virtual_server_starves_its_clients() {
    let server = service(SERVER);
    says(
        &format!("{server}{}", instance("no_accept")),
        "no_accept of `VI` drops all packets to virtual server [192.0.2.100]:tcp:80",
    );
    clean(&format!("{server}{}", instance("accept")));
    clean(&format!("{}{}", server.replace("192.0.2.100", "192.0.2.99"), instance("no_accept")));
}

#[test]
fn state_master_without_priority_is_the_owner() {
    let config = says(&instance("state MASTER"), "makes this router the owner, priority 255");
    assert_eq!(config.instances[0].priority, 255);
    assert_eq!(clean(&instance("state BACKUP")).instances[0].priority, 100);
}

#[test]
fn a_long_password_is_cut_to_eight_bytes() {
    let config = says(
        &instance("authentication {\nauth_type PASS\nauth_pass 123456789\n}"),
        "4:1: warning[W0201]: auth_pass is longer than 8 characters; the first 8 count",
    );
    assert!(config.instances[0].authentication == Authentication::Pass(*b"12345678"));
}

#[test]
fn the_header_has_the_same_password_and_no_router_starts_as_master() {
    let lines = "authentication {\nauth_type AH\nauth_pass s3cret\n}";
    let config = load(&instance(lines), "t").config.unwrap();
    assert!(config.instances[0].authentication == Authentication::Ah(*b"s3cret\0\0"));
    let config = says(
        &instance(&format!("state MASTER\npriority 150\n{lines}")),
        "warning[W0219]: state MASTER does not go with",
    );
    assert!(config.instances[0].authentication == Authentication::Ah(*b"s3cret\0\0"));
    let config = says(
        &instance(&format!("version 3\n{lines}")),
        "warning[W0202]: VRRP version 3 has no authentication",
    );
    assert!(config.instances[0].authentication == Authentication::None);
}

#[test]
fn a_password_that_is_not_ascii_is_said_and_one_that_cannot_be_read_is_none() {
    let password = |word: &str| instance(&format!("authentication {{\nauth_type PASS\nauth_pass {word}\n}}"));
    let config = says(&password("caf\u{e9}"), "warning[W0201]: auth_pass has a character that is not ASCII");
    assert!(config.instances[0].authentication == Authentication::Pass(*b"caf\xc3\xa9\0\0\0"));
    let loaded = load(&password("caf\u{1a}"), "t");
    assert!(loaded.diagnostics.to_string().contains("auth_pass has a byte that is no UTF-8"));
    assert!(loaded.config.unwrap().instances[0].authentication == Authentication::None);
}

#[test]
fn half_an_authentication_is_an_error_and_none() {
    for lines in ["authentication {\nauth_type PASS\n}", "authentication {\nauth_pass 1\n}"] {
        let config = says(&instance(lines), "error[E0209]");
        assert!(config.instances[0].authentication == Authentication::None);
    }
}

#[test]
fn the_interval_is_rounded_to_whole_seconds() {
    for (given, seconds) in [("1.4", 1), ("1.5", 2), ("0.25", 1)] {
        let config = says(&instance(&format!("advert_int {given}")), "warning[W0206]");
        assert_eq!(config.instances[0].advert_interval, Duration::from_secs(seconds));
    }
}

#[test]
fn what_version_2_cannot_do_leaves_the_instance_out() {
    let config = says(&instance("auth_hmac {\nkey 1 abc\n}"), "error[E0202]: auth_hmac is not supported");
    assert_eq!(config.instances.len(), 0);
}

#[test]
fn the_version_is_the_instance_s_else_the_global_one_and_3_over_ipv6() {
    use crate::wire::vrrp::{Coverage, Family, Version};
    let of = |config: &Config| (config.instances[0].version, config.instances[0].family);
    assert_eq!(of(&clean(&instance(""))), (Version::V2, Family::Ipv4));
    let global = "global_defs {\nvrrp_version 3\nv3_checksum_as_v2\n}\n".to_owned();
    let config = clean(&(global.clone() + &instance("")));
    assert_eq!((of(&config), config.instances[0].coverage), ((Version::V3, Family::Ipv4), Coverage::Message));
    assert_eq!(of(&clean(&(global + &instance("version 2")))), (Version::V2, Family::Ipv4));
    let six = |lines: &str| instance(lines).replace("192.0.2.100", "fe80::100\n2001:db8::100/64");
    let config = clean(&six(""));
    assert_eq!(of(&config), (Version::V3, Family::Ipv6));
    assert_eq!(config.instances[0].transport, Transport::Multicast("ff02::12".parse().unwrap()));
    assert_eq!(of(&says(&six("version 2"), "warning[W0202]: VRRP version 2 has no IPv6")), of(&config));
    let both = instance("") + &six("").replace("VI", "V6");
    assert_eq!(clean(&both).instances.len(), 2, "one VRID on one interface in both families");
}

#[test]
fn version_3_has_hundredths_of_a_second_and_no_authentication() {
    for (given, millis, message) in [("0.014", 10, "W0206"), ("41", 40_950, "W0206")] {
        let config = says(&instance(&format!("version 3\nadvert_int {given}")), message);
        assert_eq!(config.instances[0].advert_interval, Duration::from_millis(millis));
    }
    let config = clean(&instance("advert_int 0.25\nversion 3"));
    assert_eq!(config.instances[0].advert_interval, Duration::from_millis(250));
    let lines = "version 3\nauthentication {\nauth_type PASS\nauth_pass 1111\n}";
    let config = says(&instance(lines), "warning[W0202]: VRRP version 3 has no authentication");
    assert!(config.instances[0].authentication == Authentication::None);
}

#[test]
fn peers_and_sources_are_of_the_family_of_the_addresses() {
    for lines in
        ["unicast_src_ip fe80::1", "mcast_dst_ip ff02::99", "unicast_peer {\n2001:db8::2\n10.0.0.2\n}"]
    {
        let config = says(&instance(lines), "error[E0307]");
        assert_eq!((config.instances.len(), config.instances[0].source), (1, None));
        assert!(config.peers.iter().all(|peer| peer.address.is_ipv4()));
    }
    let six = instance("unicast_src_ip 2001:db8::1\nunicast_peer {\n2001:db8::2\n}")
        .replace("192.0.2.100", "fe80::100");
    assert_eq!(clean(&six).peers[0].address, "2001:db8::2".parse::<IpAddr>().unwrap());
}

#[test]
fn an_instance_without_what_it_needs_is_left_out() {
    let (config, messages) = loaded("vrrp_instance VI {\n}\n");
    assert!(config.instances.is_empty());
    assert_eq!(
        messages,
        [
            "1:1: error[E0203]: instance `VI` has no valid `interface` and is left out",
            "1:1: error[E0203]: instance `VI` has no valid `virtual_router_id` and is left out",
            "1:1: error[E0203]: instance `VI` has no valid `virtual_ipaddress` and is left out",
        ]
    );
}

#[test]
fn the_second_of_two_equal_instances_is_left_out() {
    let twice = instance("") + &instance("").replace("VI", "VJ").replace(".100", ".101");
    let config = says(&twice, "error[E0204]: instance `VI` has this VRID on eth0 already");
    assert_eq!(config.instances.len(), 1);
    let named = instance("") + &instance("").replace("51", "52").replace(".100", ".101");
    assert_eq!(says(&named, "there is an instance `VI` already").instances.len(), 1);
    clean(
        &(instance("") + &instance("").replace("VI", "VJ").replace(".100", ".101").replace("eth0", "eth1")),
    );
}

#[test]
fn an_address_belongs_to_one_instance() {
    let second = instance("virtual_ipaddress {\n192.0.2.101\n}").replace("VI", "VJ").replace("51", "52");
    let config =
        says(&(instance("") + &second), "error[E0205]: 192.0.2.100 stands on this interface already");
    assert_eq!(config.addresses.len(), 2);
}

#[test]
fn an_empty_list_of_peers_means_multicast() {
    let config = says(&instance("unicast_peer {\n}"), "warning[W0210]: unicast_peer names nobody");
    assert!(matches!(config.instances[0].transport, Transport::Multicast(_)));
    let lines = "unicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.1\n10.0.0.2\n}";
    let config = says(&instance(lines), "10.0.0.1 is this router and is left out");
    assert_eq!(config.peers.len(), 1);
    assert_eq!(config.peers[0].address, "10.0.0.2".parse::<IpAddr>().unwrap());
}

#[test]
fn a_tracker_that_changes_nothing_is_a_warning() {
    says(&instance("track_interface {\neth0 weight 10\n}"), "the weight of eth0 changes nothing");
    says(
        &instance("priority 255\ntrack_interface {\neth1 weight 10\n}"),
        "the weight of eth1 changes nothing",
    );
    says(&instance("track_interface {\neth1 weight 300\n}"), "error[E0105]: `300` is no weight");
    let config = clean(&instance("track_interface {\neth1 weight 10 reverse\n}"));
    assert!(config.trackers[1].reverse && !config.trackers[0].reverse);
}

#[test]
fn defaults_of_announcements_come_from_global_defs_wherever_it_stands() {
    let text = instance("garp_master_repeat 3")
        + "global_defs {\nvrrp_garp_master_repeat 9\nvrrp_garp_master_delay 0\nvrrp_garp_lower_prio_repeat 0\n}\n";
    let announce = clean(&text).instances[0].announce;
    assert_eq!((announce.repeat, announce.delay, announce.lower_repeat), (3, Duration::ZERO, 0));
    let announce = clean(&(instance("") + "global_defs {\nvrrp_min_garp\n}\n")).instances[0].announce;
    assert_eq!((announce.repeat, announce.delay), (1, Duration::ZERO));
}

#[test]
fn options_of_an_address() {
    let list = |item: &str| instance(&format!("virtual_ipaddress {{\n{item}\n}}"));
    let config = clean(&list("10.0.0.1/30 brd - scope link peer 10.0.0.2 no_track dev eth7"));
    let address = &config.addresses[0];
    assert_eq!((address.broadcast, address.scope), (Some("10.0.0.0".parse().unwrap()), 253));
    assert_eq!(address.peer, Some("10.0.0.2".parse::<IpAddr>().unwrap()));
    assert_eq!(config.trackers.len(), 1, "no_track");
    says(&list("10.0.0.1 dve eth1 extra").replace(" eth1 extra", ""), "error[E0101]: `dve` is no option");
    says(&list("10.0.0.1/33"), "error[E0104]: `33` is no prefix length: 32 is used");
    says(&list("10.0.0.1 label sixteen-chars-xx"), "error[E0104]: label: `sixteen-chars-xx` is not a label");
}

#[test]
fn a_port_that_the_method_cannot_change_is_reset() {
    let server = "real_server 192.0.2.1 8080 {\nTCP_CHECK {\n}\n}";
    let config = says(
        &service(server).replace("NAT", "DR"),
        "2:23: warning[W0305]: DR and TUN cannot change the port: 80 is used, not 8080",
    );
    assert_eq!(destination(&config, 0), "192.0.2.1:80 DirectRoute 1");
    assert_eq!(config.probes[0].port, 8080, "checked where it was said to listen");
    let config = clean(&service("real_server 192.0.2.1 0 {\n}"));
    assert_eq!(destination(&config, 0), "192.0.2.1:80 Masquerade 1");
    let mark = service(server).replace("NAT", "DR").replace("192.0.2.100 80", "fwmark 1");
    let config = says(&mark, "warning[W0305]");
    assert_eq!((config.destinations[0].key.port, config.probes[0].port), (0, 8080));
}

#[test]
fn port_0_forces_persistence() {
    let text = service("real_server 192.0.2.1 {\n}").replace("100 80", "100 0");
    let config = says(&text, "warning[W0306]: port 0 needs persistence: persistence_timeout 360 is used");
    assert_eq!((config.services[0].spec.timeout, config.services[0].spec.flags), (360, 1));
}

#[test]
fn a_check_without_a_port_is_left_out() {
    let mark = service("real_server 192.0.2.1 {\nTCP_CHECK {\n}\n}").replace("192.0.2.100 80", "fwmark 1");
    let config = says(&mark, "error[E0311]: this check has no port to connect to");
    assert_eq!((config.destinations.len(), config.probes.len()), (1, 0));
}

#[test]
fn duplicates_of_servers_and_services_are_left_out() {
    let config =
        says(&service(&format!("{SERVER}\n{SERVER}")), "192.0.2.1:80 is a real server of this service");
    assert_eq!(config.destinations.len(), 1);
    let check = "real_server 192.0.2.9 80 {\nTCP_CHECK {\n}\n}";
    let twice = service(SERVER) + &service(check) + &service(check).replace("100 80", "100 81");
    let config = says(&twice, "there is a virtual server [192.0.2.100]:tcp:80 already");
    assert_sound(&config);
    assert_eq!((config.services.len(), config.destinations.len(), config.probes.len()), (2, 2, 1));
}

#[test]
fn a_service_without_servers_is_left_out_with_a_warning() {
    let config = says(&service("sorry_server 192.0.2.9 80"), "warning[W0303]");
    assert_eq!((config.services.len(), config.destinations.len()), (0, 0));
}

#[test]
fn an_absent_protocol_is_udp_and_an_absent_method_is_nat() {
    let text = service(SERVER).replace("protocol TCP", "");
    let config = says(&text, "warning[W0304]: the service has no valid protocol: UDP is used");
    assert_eq!(config.services[0].key.to_string(), "[192.0.2.100]:udp:80");
    let config = says(&service(SERVER).replace("lb_kind NAT", ""), "no valid lb_kind: NAT is used");
    assert_eq!(config.destinations[0].method, ForwardingMethod::Masquerade);
}

#[test]
fn a_quorum_is_cut_to_what_can_be_reached() {
    let with = |lines: &str| service(&format!("{lines}\n{SERVER}\nreal_server 192.0.2.2 80 {{ }}"));
    let config = says(&with("quorum 5"), "quorum 5 is above the sum of all weights and is cut to 2");
    assert_eq!(config.services[0].quorum, 2);
    let config = says(&with("hysteresis 1"), "hysteresis 1 is not below the quorum and is cut to 0");
    assert_eq!(config.services[0].hysteresis, 0);
    says(&with("quorum 2\nhysteresis 1"), "a service that lost its quorum never gets it back");
    says(&service("real_server 192.0.2.1 80 {\nweight 0\n}"), "all weights are 0");
}

#[test]
fn flags_belong_to_their_scheduler_and_protocol() {
    let config = says(&service(&format!("lb_algo rr\nsh-port\n{SERVER}")), "a flag of the scheduler sh");
    assert_eq!(config.services[0].spec.flags, 0);
    says(&service(&format!("ops\n{SERVER}")), "warning[W0309]: ops is for UDP and is ignored");
}

#[test]
fn families_mix_through_tunnels_only() {
    let other = "real_server 2001:db8::1 80 {\n}";
    let config = says(&service(&format!("{SERVER}\n{other}")), "error[E0307]");
    assert_eq!(config.destinations.len(), 1);
    assert_eq!(clean(&service(other).replace("NAT", "TUN")).destinations.len(), 1);
}

#[test]
fn a_sorry_server_is_not_one_of_the_real_servers() {
    let config =
        says(&service(&format!("{SERVER}\nsorry_server 192.0.2.1 80")), "the sorry server is a real server");
    assert_eq!(config.services[0].sorry.len(), 0);
}

#[test]
fn thresholds_that_contradict_each_other_are_ignored() {
    says(&service("real_server 192.0.2.1 80 {\nlthreshold 5\n}"), "lthreshold 5 is above uthreshold 0");
}

#[test]
fn a_second_keyword_on_a_line_is_an_error_and_junk_is_a_warning() {
    let config = says(&instance("priority 101   <---- higher"), "2:16: warning[W0111]");
    assert_eq!(config.instances[0].priority, 101);
    says(
        &instance("priority 101 nopreempt"),
        "2:14: error[E0110]: `nopreempt` stands on the line of `priority` and is left out",
    );
}

#[test]
fn numbers_out_of_range_are_errors_and_the_default_is_used() {
    let config =
        says(&instance("priority 256"), "priority: `256` is out of range, not a number from 1 to 255");
    assert_eq!(config.instances[0].priority, 100);
    let config = says(&service("real_server 192.0.2.1 80 {\nweight 70000\n}"), "3:8: error[E0105]");
    assert_eq!(config.destinations[0].weight, 1);
}

#[test]
fn the_last_of_two_values_counts() {
    let config =
        says(&instance("priority 10\npriority 20"), "3:1: warning[W0114]: `priority` stands in this block");
    assert_eq!(config.instances[0].priority, 20);
}

#[test]
fn an_unknown_block_is_skipped_as_a_whole() {
    let config = says(
        &instance("bogus2 {\n state x\n deeper {\n }\n}\npriority 7"),
        "2:1: error[E0101]: unknown keyword `bogus2` in `vrrp_instance`",
    );
    assert_eq!(config.instances[0].priority, 7);
}

#[test]
fn blocks_and_braces_must_fit_the_keyword() {
    let (_, messages) = loaded("global_defs\nvrrp_instance VI {\npriority 1 {\n}\n}\n");
    assert!(
        messages[0].contains("1:1: error[E0106]: `global_defs` opens a block: expected `{`"),
        "{messages:?}"
    );
    assert!(messages.iter().any(|it| it.contains("error[E0107]: `priority` has no block")), "{messages:?}");
}

#[test]
fn a_keyword_of_another_block_is_sent_home() {
    let loaded = load(&instance("auth_pass 1234"), "t");
    let message = loaded.diagnostics.iter().next().unwrap();
    assert_eq!(message.message(), "`auth_pass` has no meaning in `vrrp_instance`");
    assert_eq!(message.hint(), "it belongs in `authentication`; the line is left out");
}

#[test]
fn what_is_generated_is_configured_and_blamed_where_it_was_written() {
    let text = service("~SEQ(i,1,3) real_server 192.0.2.$i 80 { weight ${W} }");
    let loaded = load(&format!("$W=5\n{text}").replace("192.0.2.$i", "192.0.2.${i}"), "t");
    let config = loaded.config.unwrap();
    assert_eq!(config.destinations.len(), 3);
    let loaded = load(&format!("$W=heavy\n{text}").replace("192.0.2.$i", "192.0.2.${i}"), "t");
    let first = loaded.diagnostics.iter().find(|it| it.message().contains("heavy")).unwrap();
    assert_eq!(first.position().line, 3, "{first}");
    assert_eq!(first.notes().lines().next(), Some("expanded from $W defined at t:1"));
    assert!(first.notes().contains("with $i = 1"), "{first}");
}

#[test]
fn http_checks_need_a_sound_path() {
    let check = |url: &str| service(&format!("real_server 192.0.2.1 80 {{\nHTTP_GET {{\n{url}\n}}\n}}"));
    for url in ["", "url {\n}", "url {\npath \"/a b\"\n}", "url {\npath a\n}"] {
        let (config, messages) = loaded(&check(url));
        assert!(messages.iter().any(|it| it.contains("HTTP_GET has no valid `url`")), "{messages:?}");
        assert_eq!(config.probes.len(), 0);
    }
    let config = says(
        &check("url {\npath /\nstatus_code 200 99 300-200\n}").replace(" 300-200", ""),
        "`99` is no status",
    );
    let Checker::Http(http) = &config.probes[0].checker else { panic!() };
    assert_eq!(*http.urls[0].statuses, [(200, 200)]);
}

#[test]
fn an_unsupported_check_says_that_the_server_is_unchecked() {
    let loaded = load(&service("real_server 192.0.2.1 80 {\nMISC_CHECK {\nmisc_path x\n}\n}"), "t");
    let message = loaded.diagnostics.iter().next().unwrap();
    assert!(message.hint().contains("unchecked"), "{}", message.hint());
    assert_eq!(loaded.config.unwrap().destinations.len(), 1);
}
