//! `lvs_sync_daemon` and its old forms.

use super::*;
use crate::config::ids::InstanceId;
use crate::wire::genl_ipvs::SYNC_GROUP;

const INSTANCE: &str =
    "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\n192.0.2.1\n}\n";

fn with(global: &str, instance: &str) -> (crate::config::Config, Vec<String>) {
    let text = format!("global_defs {{\n{global}\n}}\n{INSTANCE}{instance}}}\n");
    let (config, messages) = loaded(&text);
    (config, messages)
}

#[test]
fn the_id_defaults_to_that_of_the_instance_and_the_rest_to_the_kernel_s() {
    for (line, instance, id) in [
        ("lvs_sync_daemon eth1", None, 0),
        ("lvs_sync_daemon eth1 VI_1", Some(InstanceId(0)), 51),
        ("lvs_sync_daemon eth1 inst VI_1 id 0", Some(InstanceId(0)), 0),
        ("lvs_sync_daemon eth1 id 7", None, 7),
    ] {
        let (config, messages) = with(line, "");
        assert_eq!(messages, [""; 0], "{line}");
        let daemon = config.global.sync_daemon.unwrap();
        assert_eq!((daemon.instance, daemon.spec.id, daemon.spec.maxlen), (instance, id, 0), "{line}");
        assert_eq!((daemon.spec.port, daemon.spec.ttl, daemon.spec.group), (8848, 1, SYNC_GROUP));
        assert_eq!(config.link_name(daemon.link), "eth1");
    }
}

#[test]
fn old_forms_are_understood_with_a_warning() {
    for (global, instance) in [("lvs_sync_daemon eth1 VI_1 51", ""), ("", "lvs_sync_daemon_interface eth1\n")]
    {
        let (config, messages) = with(global, instance);
        assert!(messages.len() == 1 && messages[0].contains("warning[W0113]"), "{messages:?}");
        let daemon = config.global.sync_daemon.unwrap();
        assert_eq!((daemon.instance, daemon.spec.id), (Some(InstanceId(0)), 51));
    }
}

#[test]
fn what_cannot_be_is_an_error_and_left_out() {
    for (line, code) in [
        ("lvs_sync_daemon", "E0103"),
        ("lvs_sync_daemon eth1 VI_1 id", "E0103"),
        ("lvs_sync_daemon eth1 VI_1 id 256", "E0105"),
        ("lvs_sync_daemon eth1 VI_1 port 0", "E0105"),
        ("lvs_sync_daemon eth1 VI_1 group 10.0.0.1", "E0104"),
        ("lvs_sync_daemon eth1 VI_1 bogus", "E0104"),
        ("lvs_sync_daemon eth1 VI_9", "E0312"),
    ] {
        let (config, messages) = with(line, "");
        assert!(messages.len() == 1 && messages[0].contains(code), "{line}: {messages:?}");
        assert_eq!(config.global.sync_daemon, None, "{line}");
    }
    let (config, messages) = with("lvs_sync_daemon eth1\nlvs_sync_daemon eth2", "");
    assert!(messages.len() == 1 && messages[0].contains("E0312"), "{messages:?}");
    assert_eq!(config.global.sync_daemon.map(|one| config.link_name(one.link)), Some("eth1"));
}
