//! Sync groups: who is in one, what their trackers mean, what is wrong with them.

use super::*;

/// VI_1 and VI_2 with further lines for the first one, below a group.
fn grouped(group: &str, lines: &str) -> String {
    let first = instance(lines).replace("vrrp_instance VI ", "vrrp_instance VI_1 ");
    let second = instance("").replace("vrrp_instance VI ", "vrrp_instance VI_2 ").replace(" 51", " 52");
    format!("vrrp_sync_group G {{\n{group}\n}}\n{first}{}", second.replace(".100", ".101"))
}

fn weights(config: &Config, instance: usize) -> Vec<(&str, i16)> {
    let trackers = config.trackers_of(&config.instances[instance]);
    trackers.iter().map(|it| (config.link_name(it.link().unwrap()), it.weight)).collect()
}

const BOTH: &str = "group {\nVI_1\nVI_2\n}";

#[test]
fn a_group_holds_its_members_in_order_wherever_it_stands() {
    for text in [grouped(BOTH, ""), grouped("group {\nVI_1 VI_2\n}\nsmtp_alert off", "")] {
        let loaded = load(&text, "t");
        let config = loaded.config.unwrap();
        assert_eq!(config.texts.get(config.groups[0].name), "G");
        let ids = config.members_of(&config.groups[0]).iter().map(|id| id.index()).collect::<Vec<_>>();
        assert_eq!(ids, [0, 1]);
        assert!(config.group_of(ids::InstanceId(1)) == Some(ids::GroupId(0)));
    }
}

#[test]
fn scripts_and_mail_of_a_group_are_passed_over_with_a_warning() {
    for line in ["notify /bin/x", "notify_master /bin/x", "notify_fault \"/bin/x y\"", "smtp_alert"] {
        let (config, messages) = loaded(&grouped(&format!("{BOTH}\n{line}"), ""));
        assert_eq!((config.groups.len(), messages.len()), (1, 1), "{messages:?}");
        assert!(messages[0].contains("warning[W0112]"), "{messages:?}");
    }
    for (line, code) in
        [("notify_priority_changes perhaps", "error[E0104]"), ("notify_master", "error[E0103]")]
    {
        let (_, messages) = loaded(&grouped(&format!("{BOTH}\n{line}"), ""));
        assert!(messages.len() == 1 && messages[0].contains(code), "{messages:?}");
    }
    let (config, messages) = loaded(&grouped(&format!("{BOTH}\ntrack_script {{\nx\n}}"), ""));
    assert_eq!(config.groups.len(), 1);
    assert!(messages[0].contains("error[E0108]: `track_script` is not supported"), "{messages:?}");
}

#[test]
fn trackers_of_a_group_are_those_of_every_member() {
    let config = clean(&grouped(&format!("{BOTH}\ntrack_interface {{\neth7\n}}"), ""));
    assert_eq!(weights(&config, 0), [("eth0", 0), ("eth7", 0)]);
    assert_eq!(weights(&config, 1), [("eth0", 0), ("eth7", 0)]);
}

#[test]
fn a_weight_means_fault_in_a_group_unless_the_group_counts_weights() {
    let tracked = "track_interface {\neth7 weight -20\n}";
    let (config, messages) = loaded(&grouped(BOTH, tracked));
    assert_eq!(weights(&config, 0), [("eth0", 0), ("eth7", 0)]);
    assert!(
        messages.len() == 1 && messages[0].contains("the weight of eth7 changes nothing"),
        "{messages:?}"
    );
    let config = clean(&grouped(&format!("{BOTH}\nsync_group_tracking_weight"), tracked));
    assert_eq!(weights(&config, 0), [("eth0", 0), ("eth7", -20)]);
    let (config, messages) = loaded(&grouped(&format!("{BOTH}\nglobal_tracking"), tracked));
    assert!(config.groups[0].weighted && messages[0].contains("old spelling"), "{messages:?}");
}

#[test]
fn members_that_are_none_are_named_and_a_group_of_nobody_is_left_out() {
    let (config, messages) = loaded(&grouped("group {\nVI_1\nVI_9\nVI_1\n}", ""));
    assert_eq!(config.members.len(), 1);
    for (message, expected) in messages.iter().zip([
        "warning[W0216]: group `G` has one member only",
        "error[E0216]: `VI_9` is no instance and is left out of this group",
        "error[E0216]: `VI_1` is in a group already and is left out of this group",
    ]) {
        assert!(message.contains(expected), "{messages:?}");
    }
    let (config, messages) = loaded("vrrp_sync_group G {\n}\n");
    assert!(config.groups.is_empty());
    assert_eq!(messages, ["1:1: error[E0216]: group `G` has no members and is left out"]);
    let twice = grouped(BOTH, "") + "vrrp_sync_group G {\ngroup {\nVI_1\n}\n}\n";
    assert!(loaded(&twice).1[0].contains("there is a group `G` already"));
}
