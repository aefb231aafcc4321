//! Oddities of files that have been edited for years: what is left out, and that the message says exactly that.

use super::*;

/// Messages with their hints, each as one line.
fn explained(text: &str) -> Vec<String> {
    load(text, "t").diagnostics.iter().map(|it| format!("{}; {}", it.summary(), it.hint())).collect()
}

#[test]
fn a_service_whose_port_is_no_number_is_left_out_and_not_given_every_port() {
    for header in ["virtual_server 192.0.2.1 http {", "virtual_server 192.0.2.1 80-90 {"] {
        let text = format!("{header}\nlb_kind NAT\nprotocol TCP\n{SERVER}\n}}\n");
        let messages = explained(&text);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains("t:1:26: error[E0104]"), "{messages:?}");
        assert!(messages[0].ends_with("the whole block is left out"), "{messages:?}");
        assert_eq!(loaded(&text).0.services.len(), 0);
    }
    let (config, messages) =
        loaded(&service("real_server 192.0.2.1 http {\n}\nreal_server 192.0.2.2 80 {\n}"));
    assert_eq!((config.destinations.len(), messages.len()), (1, 1), "{messages:?}");
}

#[test]
fn a_prefix_behind_the_address_of_a_host_is_read_over() {
    let text = "unicast_src_ip 192.0.2.11/24\nunicast_peer {\n192.0.2.12/24\n}";
    let (config, messages) = loaded(&instance(text));
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages.iter().all(|it| it.contains("warning[W0111]: the `/24` behind")), "{messages:?}");
    assert_eq!(config.instances[0].source, Some("192.0.2.11".parse().unwrap()));
    assert_eq!(config.peers[0].address, "192.0.2.12".parse::<IpAddr>().unwrap());
    assert_eq!(config.peers.len(), 1);
    let (config, messages) = loaded(&instance("unicast_src_ip 192.0.2.11/33"));
    assert!(messages[0].contains("error[E0104]"), "{messages:?}");
    assert_eq!(config.instances[0].source, None);
}

#[test]
fn a_wrong_option_costs_the_option_and_a_wrong_device_the_address() {
    let of = |item: &str| {
        let text = format!("virtual_ipaddress_excluded {{\n{item}\n}}");
        let (config, _) = loaded(&instance(&text));
        (explained(&instance(&text)), config.addresses.len() - 1)
    };
    for (item, message) in [
        ("192.0.2.5/24 label eth0:averylonglabel", "label: `eth0:averylonglabel` is not a label"),
        ("192.0.2.5/24 dev eth1 label", "`label` lacks its value"),
        ("192.0.2.5/24 brd 192.0.2.999", "brd: `192.0.2.999` is not an IPv4 address"),
        ("192.0.2.5/24 scope wide", "scope: `wide` is not global"),
    ] {
        let (messages, added) = of(item);
        assert_eq!((messages.len(), added), (1, 1), "{messages:?}");
        assert!(messages[0].contains(message), "{messages:?}");
        assert!(messages[0].ends_with("the address is added without it"), "{messages:?}");
    }
    for (item, message) in [
        ("192.0.2.5/24 dev", "`dev` lacks its value"),
        ("192.0.2.5/24 dev eth0:1 label x", "`eth0:1` is not"),
    ] {
        let (messages, added) = of(item);
        assert_eq!((messages.len(), added), (1, 0), "{messages:?}");
        assert!(messages[0].contains(message), "{messages:?}");
        assert!(messages[0].ends_with("the line is left out"), "{messages:?}");
    }
}

#[test]
fn a_wrong_prefix_length_leaves_a_host_address_as_in_keepalived() {
    for item in ["192.0.2.5/33", "192.0.2.5/255.255.255.0", "192.0.2.5/"] {
        let (config, messages) = loaded(&instance(&format!("virtual_ipaddress_excluded {{\n{item}\n}}")));
        assert!(messages[0].contains("is no prefix length: 32 is used"), "{messages:?}");
        assert_eq!(
            (config.addresses[1].address, config.addresses[1].prefix),
            ("192.0.2.5".parse().unwrap(), 32)
        );
    }
}

#[test]
fn an_ipv6_address_among_ipv4_ones_is_left_out_alone() {
    let text = "vrrp_instance VI {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n192.0.2.100\n\
                2001:db8::1\n}\n}\n";
    let (config, messages) = loaded(text);
    assert_eq!(messages, ["6:1: error[E0307]: 2001:db8::1 is no IPv4 address, as the instance's others are"]);
    assert_eq!((config.instances.len(), config.addresses.len()), (1, 1));
}

#[test]
fn a_missing_brace_is_reported_where_it_is_missing_and_not_at_every_line_behind() {
    let body = "state BACKUP\ninterface eth0\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n";
    let text = format!("vrrp_instance VI\n{body}{}", instance(""));
    let (config, messages) = loaded(&text);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].starts_with("1:1: error[E0106]: `vrrp_instance` opens a block"), "{messages:?}");
    assert!(messages[1].starts_with("7:1: error[E0003]: this `}` closes nothing"), "{messages:?}");
    assert_eq!(config.instances.len(), 1);
    // What stands behind the next block is judged again.
    let (_, messages) = loaded(&format!("vrrp_instance A\n{}bogus\n", instance("")));
    assert!(messages[1].contains("unknown keyword `bogus`"), "{messages:?}");
}

#[test]
fn the_lines_of_a_block_that_a_comment_swallowed_are_not_reported_one_by_one() {
    let text = "!vrrp_instance VI {\nstate BACKUP\ninterface eth0\nlinkbeat_use_polling\n}\n";
    let (_, messages) = loaded(text);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].contains("line 1 is a comment"), "{messages:?}");
}

#[test]
fn a_byte_order_mark_and_a_long_comment_mean_nothing() {
    let text = format!("\u{feff}global_defs {{\nrouter_id A\n}}\n  # {}\n", "x".repeat(200_000));
    let config = clean(&text);
    assert_eq!(config.texts.get(config.global.router_id), "A");
}

#[test]
fn a_value_glued_to_its_keyword_is_not_shown_and_what_to_write_is_said() {
    for (line, near) in
        [("priority=100", "priority"), ("auth_pass=hunter2", "auth_pass"), ("priorty: 9", "priority")]
    {
        let loaded = load(&instance(line), "t");
        let shown = loaded.diagnostics.to_string();
        assert!(shown.contains(&format!("write `{near}`, a blank and the value")), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
