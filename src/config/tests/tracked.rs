//! What is tracked besides interfaces: what a line stands for, and what is wrong with it.

use super::*;
use crate::config::ids::{PingGroupId, ServiceId, VariableId};
use crate::config::model::{Assumption, TrackTarget};

const PINGS: &str = "ping_group uplink { 192.0.2.1 192.0.2.2  interval 1  dead 5 }\n";

fn tracked(text: &str) -> Vec<(TrackTarget, i16, bool)> {
    let config = clean(text);
    let all = config.trackers_of(&config.instances[0])[1..].iter();
    all.map(|it| (it.target, it.weight, it.reverse)).collect()
}

#[test]
fn a_line_stands_for_a_target_a_weight_and_its_sign() {
    let ping = TrackTarget::Ping(PingGroupId(0));
    for (lines, expected) in [
        ("track_ping_group {\nuplink\n}", (ping, 0, false)),
        ("track_ping_group {\nuplink weight -20 reverse\n}", (ping, -20, true)),
        ("track_service {\n192.0.2.100 80 weight 5\n}", (TrackTarget::Service(ServiceId(0)), 5, false)),
        ("track_service {\nfwmark 7\n}", (TrackTarget::Service(ServiceId(1)), 0, false)),
        ("track_file {\ndrain\n}", (TrackTarget::Variable(VariableId(0)), -3, false)),
        ("track_file {\ndrain weight 2 reverse\n}", (TrackTarget::Variable(VariableId(0)), 2, true)),
    ] {
        let mark = service(SERVER).replace("192.0.2.100 80", "fwmark 7");
        let variable = "track_file drain {\nweight -3\ninit_file 4\n}\n";
        let text = format!("{PINGS}{variable}{}{}{mark}", instance(lines), service(SERVER));
        assert_eq!(tracked(&text), [expected], "{lines}");
    }
}

#[test]
fn a_ping_group_is_made_of_one_probe_for_each_host_that_gives_up_within_dead() {
    for (block, retry) in [
        (PINGS, 3),
        ("ping_group uplink {\n192.0.2.1 192.0.2.2\n}\n", 3),
        ("ping_group uplink { 192.0.2.1 dead 2 192.0.2.2 init_fail }\n", 0),
        ("ping_group uplink { 192.0.2.1 interval 0.1 dead 60 192.0.2.2 }\n", 598),
    ] {
        let config = clean(block);
        let group = &config.ping_groups[0];
        assert_eq!(config.pings_of(group).len(), 2, "{block}");
        let probe = &config.probes[config.pings_of(group)[0].index()];
        assert_eq!(probe.retry, retry, "{block}");
        // From the last answer: an interval, then the tries and the pauses between them.
        let tries = probe.timeout.times(u64::from(retry) + 1) + probe.retry_delay.times(u64::from(retry));
        assert!(probe.interval + tries <= group.dead, "{block}");
        assert_eq!(probe.assumption == Assumption::Down, block.contains("init_fail"));
    }
}

#[test]
fn what_is_not_defined_is_named_and_not_tracked() {
    for (lines, message) in [
        ("track_ping_group {\nuplink\n}", "error[E0217]: there is no such ping_group: it is not tracked"),
        (
            "track_service {\n192.0.2.9 80\n}",
            "error[E0217]: there is no such virtual_server: it is not tracked",
        ),
        ("track_file {\nx weight 2\n}", "error[E0217]: there is no such track_file: it is not tracked"),
        ("track_service {\nfwmark 0\n}", "error[E0105]"),
        ("track_link {\nttyS1\n}", "error[E0108]: `track_link` is not supported by this version"),
        ("track_route {\n198.51.100.0/33\n}", "error[E0104]"),
        ("track_route {\ndefault via eth0\n}", "error[E0104]: via: `eth0` is not an IP address"),
        ("track_route {\ndefault table x\n}", "error[E0104]"),
        ("track_interface {\nlo rise 3\n}", "error[E0104]: `rise` is no option of what is tracked"),
        ("track_ping_group {\nuplink wieght 3\n}", "error[E0104]: `wieght` is no option of what is tracked"),
    ] {
        let (config, messages) = loaded(&instance(lines));
        assert!(messages.iter().any(|it| it.contains(message)), "{messages:?}");
        assert!(config.trackers.len() == 1 || lines.contains("lo rise"), "{lines}");
    }
    let (config, messages) = loaded(&(PINGS.to_owned() + PINGS));
    assert_eq!(config.ping_groups.len(), 1);
    assert_eq!(messages, ["2:1: error[E0217]: `uplink` is defined already; this one is left out"]);
}

#[test]
fn what_needs_a_program_names_what_replaces_it() {
    for (word, text) in [
        ("track_script", instance("track_script {\nx\n}")),
        ("track_process", instance("track_process {\nx\n}")),
        ("vrrp_script", "vrrp_script x {\nscript /bin/true\n}\n".to_owned()),
        ("vrrp_track_process", "vrrp_track_process x {\nprocess x\n}\n".to_owned()),
    ] {
        let shown = load(&text, "t").diagnostics.to_string();
        assert!(shown.contains(&format!("`{word}` is not supported by this version")), "{shown}");
        for instead in ["`track_ping_group`", "`track_service`", "`set track NAME VALUE`"] {
            assert!(shown.contains(instead), "{shown}");
        }
    }
}

#[test]
fn fall_counts_losses_instead_of_dead() {
    let config = clean("ping_group uplink { 192.0.2.1 interval 2 fall 4 rise 3 }\n");
    let (group, probe) = (&config.ping_groups[0], &config.probes[0]);
    assert_eq!((group.fall, group.rise, probe.retry, probe.rise), (4, 3, 3, 3));
    let (config, messages) = loaded("ping_group uplink { 192.0.2.1 fall 4 dead 20 }\n");
    assert_eq!(messages, ["1:43: warning[W0211]: `dead` changes nothing beside `fall`"]);
    assert_eq!(config.probes[0].retry, 3);
}

#[test]
fn init_fail_needs_a_rise_to_wait_for() {
    let text = format!("{PINGS}{}", instance("track_ping_group {\nuplink init_fail\n}"));
    let (config, messages) = loaded(&text);
    assert!(
        messages.iter().any(|it| it.ends_with("init_fail without `rise` changes nothing")),
        "{messages:?}"
    );
    assert!(!config.trackers[1].init_fail);
}

#[test]
fn the_weight_of_a_variable_goes_to_254_and_of_anything_else_to_253() {
    let variable = "track_file x {\nweight 254\n}\n";
    let text = format!("{variable}{}", instance("track_file {\nx weight -254\n}"));
    assert_eq!(tracked(&text)[0].1, -254);
    for line in ["track_interface {\nlo weight 254\n}", "track_file {\nx weight 255\n}"] {
        let (_, messages) = loaded(&format!("{variable}{}", instance(line)));
        assert!(messages.iter().any(|it| it.contains("error[E0105]")), "{line}: {messages:?}");
    }
}
