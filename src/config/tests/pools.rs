//! Sorry servers, `ha_suspend`, and directors that are real servers.

use super::fixups::says;
use super::*;

const SORRY: &str = "sorry_server 192.0.2.9 80";

#[test]
fn sorry_servers_are_as_many_as_are_written_and_have_options_of_their_own() {
    let checked = "sorry_server 192.0.2.8 80 {\nweight 7\nTCP_CHECK {\n}\n}";
    let lines = format!(
        "{SORRY}\nsorry_server_lvs_method DR\n{checked}\nsorry_server_inhibit\n{SERVER}\nsorry_server 192.0.2.7"
    );
    let config = clean(&service(&lines));
    let service = &config.services[0];
    assert_eq!((service.real_servers().rows(), service.sorry.rows()), (0..1, 1..4));
    let seen: Vec<_> = (1..4).map(|row| destination(&config, row)).collect();
    assert_eq!(
        seen,
        ["192.0.2.9:80 DirectRoute 1", "192.0.2.8:80 Masquerade 7", "192.0.2.7:80 Masquerade 1"]
    );
    let inhibited =
        |row: usize| config.destinations[row].on_failure == crate::config::model::OnFailure::Inhibit;
    assert_eq!([1, 2, 3].map(inhibited), [false, true, false]);
    assert_eq!([1, 2, 3].map(|row| config.probes_of(&config.destinations[row]).len()), [0, 1, 0]);
}

#[test]
fn an_option_of_a_sorry_server_stands_behind_it() {
    for option in ["sorry_server_inhibit", "sorry_server_lvs_method DR"] {
        says(&service(&format!("{option}\n{SORRY}\n{SERVER}")), "error[E0315]");
        clean(&service(&format!("{SORRY}\n{option}\n{SERVER}")));
    }
    says(&service(&format!("{SORRY}\n{SORRY}\n{SERVER}")), "error[E0302]");
}

#[test]
fn ha_suspend_is_not_for_marks() {
    let text = service(&format!("ha_suspend\n{SERVER}"));
    assert!(clean(&text).services[0].suspend);
    let config = says(&text.replace("192.0.2.100 80", "fwmark 1"), "warning[W0313]: ha_suspend is ignored");
    assert!(!config.services[0].suspend);
}

#[test]
fn an_instance_does_not_track_the_service_that_waits_for_its_address() {
    // Its virtual address is 192.0.2.100.
    let of = |service_at: &str, suspend: &str| {
        let text = instance(&format!("track_service {{\n{service_at} 80\n}}"))
            + &service(&format!("{suspend}\n{SERVER}"));
        text.replace("virtual_server 192.0.2.100", &format!("virtual_server {service_at}"))
    };
    let said = "warning[W0313]: VS [192.0.2.100]:tcp:80 has ha_suspend and is tracked";
    says(&of("192.0.2.100", "ha_suspend"), said);
    clean(&of("192.0.2.101", "ha_suspend"));
    clean(&of("192.0.2.100", ""));
}

#[test]
fn a_director_that_is_a_real_server_by_dr_or_tun_is_named() {
    let of = |lines: &str, method: &str| {
        instance(lines) + &service("real_server 192.0.2.12 80 {\n}").replace("NAT", method)
    };
    let peer = "unicast_peer {\n192.0.2.12\n}";
    let own = "unicast_src_ip 192.0.2.12\nunicast_peer {\n192.0.2.13\n}";
    let vip = "virtual_ipaddress {\n192.0.2.12\n}";
    for (lines, who) in [(peer, "the peer"), (own, "this director"), (vip, "the virtual address")] {
        for method in ["DR", "TUN"] {
            let said = format!("warning[W0314]: {who} is a real server of VS [192.0.2.100]:tcp:80");
            says(&of(lines, method), &said);
        }
        clean(&of(lines, "NAT"));
    }
}
