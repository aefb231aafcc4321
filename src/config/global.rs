//! `global_defs`: its keywords and the draft that they fill.

use core::net::IpAddr;

use super::instance::version;
use super::model::Timeouts;
use super::rows::{Announcing, GarpDraft, boolean, flag, garp_rows, ignored, off, only, unsupported, words};
use crate::syntax::keyword::INVALID;
use crate::syntax::{Given, Keyword, Kind, Line, Table};
use crate::time::Duration;
use crate::wire::vrrp::{Family, Version};

/// `global_defs` as written.
#[derive(Debug, Default)]
pub(super) struct GlobalDraft {
    pub(super) router_id: String,
    pub(super) timeouts: Timeouts,
    pub(super) flush: bool,
    pub(super) garp: GarpDraft,
    pub(super) min_garp: bool,
    pub(super) check_source: bool,
    pub(super) version_3: bool,
    pub(super) checksum_as_v2: bool,
    /// Multicast groups by family.
    pub(super) group4: Option<IpAddr>,
    pub(super) group6: Option<IpAddr>,
}

impl Announcing for GlobalDraft {
    fn garp(&mut self) -> &mut GarpDraft {
        &mut self.garp
    }
}

pub(super) static GLOBAL: Table<GlobalDraft> =
    Table { name: "global_defs", rows: &[OWN, &GARP, MAIL, OTHER_MACHINERY, VRRP, IPVS] };

const GARP: [Keyword<GlobalDraft>; 6] = garp_rows([
    "vrrp_garp_master_delay",
    "vrrp_garp_master_repeat",
    "vrrp_garp_master_refresh",
    "vrrp_garp_master_refresh_repeat",
    "vrrp_garp_lower_prio_delay",
    "vrrp_garp_lower_prio_repeat",
]);

const OWN: &[Keyword<GlobalDraft>] = &[
    Keyword { word: "router_id", kind: Kind::Text(|b, given| b.router_id = given.value.into()) },
    Keyword { word: "lvs_id", kind: Kind::OldName("router_id") },
    words("lvs_timeouts", "`tcp N`, `tcpfin N` or `udp N` in seconds", timeouts),
    flag("lvs_flush", |b, _| b.flush = true),
    boolean("vrrp_min_garp", |b, given| b.min_garp = given.value),
    boolean("vrrp_check_unicast_src", |b, given| b.check_source = given.value),
    words("vrrp_version", "2 or 3", set_version),
    boolean("v3_checksum_as_v2", |b, given| b.checksum_as_v2 = given.value),
    words("vrrp_mcast_group4", "a multicast address", |b, line| set_group(&mut b.group4, line, Family::Ipv4)),
    words("vrrp_mcast_group6", "a multicast address", |b, line| set_group(&mut b.group6, line, Family::Ipv6)),
];

const MAIL_WHY: &str = "no mail is sent, see the log";
const SCRIPTS: &str = "no scripts run, see the event log";
const SNMP: &str = "there is no SNMP here; see `lvsbox ctl json status`";
const DBUS: &str = "there is no D-Bus here; see `lvsbox ctl json status`";
const PROCESS: &str = "there is one process with one event loop";
const FILES: &str = "no such files are written; the console shows the state";
const BUFFERS: &str = "receive buffers are sized by the configuration, and a lost message is recovered";
const NFT: &str = "no packet filter rules are needed for what this version supports";
const RELOAD: &str = "a reload is always checked as a whole before anything changes";
const VMAC: &str = "virtual hardware addresses are not used by this version";

const MAIL: &[Keyword<GlobalDraft>] = &[
    ignored("notification_email", 0, MAIL_WHY),
    ignored("notification_email_from", 1, MAIL_WHY),
    ignored("smtp_server", 1, MAIL_WHY),
    ignored("smtp_helo_name", 1, MAIL_WHY),
    ignored("smtp_connect_timeout", 1, MAIL_WHY),
    ignored("smtp_alert", 0, MAIL_WHY),
    ignored("smtp_alert_vrrp", 0, MAIL_WHY),
    ignored("smtp_alert_checker", 0, MAIL_WHY),
    ignored("no_email_faults", 0, MAIL_WHY),
    ignored("no_checker_emails", 0, MAIL_WHY),
];

const OTHER_MACHINERY: &[Keyword<GlobalDraft>] = &[
    ignored("checker_log_all_failures", 0, "every failure is kept with its reason, see `show checks`"),
    ignored("startup_script", 0, SCRIPTS),
    ignored("startup_script_timeout", 0, SCRIPTS),
    ignored("shutdown_script", 0, SCRIPTS),
    ignored("shutdown_script_timeout", 0, SCRIPTS),
    ignored("script_user", 0, SCRIPTS),
    ignored("enable_script_security", 0, SCRIPTS),
    ignored("notify_fifo", 0, SCRIPTS),
    ignored("notify_fifo_script", 0, SCRIPTS),
    ignored("vrrp_notify_fifo", 0, SCRIPTS),
    ignored("vrrp_notify_fifo_script", 0, SCRIPTS),
    ignored("lvs_notify_fifo", 0, SCRIPTS),
    ignored("lvs_notify_fifo_script", 0, SCRIPTS),
    ignored("vrrp_notify_priority_changes", 0, SCRIPTS),
    ignored("fifo_write_vrrp_states_on_reload", 0, SCRIPTS),
    ignored("rs_init_notifies", 0, SCRIPTS),
    ignored("snmp_socket", 0, SNMP),
    ignored("enable_traps", 0, SNMP),
    ignored("enable_snmp_vrrp", 0, SNMP),
    ignored("enable_snmp_checker", 0, SNMP),
    ignored("enable_snmp_rfc", 0, SNMP),
    ignored("enable_snmp_rfcv2", 0, SNMP),
    ignored("enable_snmp_rfcv3", 0, SNMP),
    ignored("enable_snmp_keepalived", 0, SNMP),
    ignored("snmp_vs_stats_update_interval", 0, SNMP),
    ignored("snmp_rs_stats_update_interval", 0, SNMP),
    ignored("enable_dbus", 0, DBUS),
    ignored("dbus_service_name", 0, DBUS),
    ignored("dbus_no_interface_name", 0, DBUS),
    ignored("max_auto_priority", 0, PROCESS),
    ignored("min_auto_priority_delay", 0, PROCESS),
    ignored("process_name", 0, PROCESS),
    ignored("process_names", 0, PROCESS),
    ignored("vrrp_process_name", 0, PROCESS),
    ignored("checker_process_name", 0, PROCESS),
    ignored("lvs_process_name", 0, PROCESS),
    ignored("bfd_process_name", 0, PROCESS),
    ignored("vrrp_priority", 0, PROCESS),
    ignored("checker_priority", 0, PROCESS),
    ignored("bfd_priority", 0, PROCESS),
    ignored("vrrp_no_swap", 0, PROCESS),
    ignored("checker_no_swap", 0, PROCESS),
    ignored("bfd_no_swap", 0, PROCESS),
    ignored("vrrp_rt_priority", 0, PROCESS),
    ignored("checker_rt_priority", 0, PROCESS),
    ignored("bfd_rt_priority", 0, PROCESS),
    ignored("vrrp_cpu_affinity", 0, PROCESS),
    ignored("checker_cpu_affinity", 0, PROCESS),
    ignored("bfd_cpu_affinity", 0, PROCESS),
    ignored("vrrp_rlimit_rttime", 0, PROCESS),
    ignored("checker_rlimit_rttime", 0, PROCESS),
    ignored("bfd_rlimit_rttime", 0, PROCESS),
    ignored("vrrp_rlimit_rtime", 0, PROCESS),
    ignored("checker_rlimit_rtime", 0, PROCESS),
    ignored("bfd_rlimit_rtime", 0, PROCESS),
    ignored("vrrp_netlink_cmd_rcv_bufs", 0, BUFFERS),
    ignored("vrrp_netlink_cmd_rcv_bufs_force", 0, BUFFERS),
    ignored("vrrp_netlink_monitor_rcv_bufs", 0, BUFFERS),
    ignored("vrrp_netlink_monitor_rcv_bufs_force", 0, BUFFERS),
    ignored("lvs_netlink_cmd_rcv_bufs", 0, BUFFERS),
    ignored("lvs_netlink_cmd_rcv_bufs_force", 0, BUFFERS),
    ignored("lvs_netlink_monitor_rcv_bufs", 0, BUFFERS),
    ignored("lvs_netlink_monitor_rcv_bufs_force", 0, BUFFERS),
    ignored("process_monitor_rcv_bufs", 0, BUFFERS),
    ignored("process_monitor_rcv_bufs_force", 0, BUFFERS),
    ignored("vrrp_rx_bufs_policy", 0, BUFFERS),
    ignored("vrrp_rx_bufs_multiplier", 0, BUFFERS),
    ignored("umask", 0, FILES),
    ignored("config_save_dir", 0, FILES),
    ignored("tmp_config_directory", 0, FILES),
    ignored("data_use_instance", 0, FILES),
    ignored("state_dump_file", 0, FILES),
    ignored("stats_dump_file", 0, FILES),
    ignored("json_dump_file", 0, FILES),
    ignored("json_version", 0, FILES),
    ignored("iproute_usr_dir", 0, "names of tables are not read from files"),
    ignored("iproute_etc_dir", 0, "names of tables are not read from files"),
    ignored("use_symlink_paths", 0, SCRIPTS),
    ignored("set_supplementary_groups", 0, SCRIPTS),
    ignored("random_seed", 0, "nothing here is random"),
    ignored("reload_check_config", 0, RELOAD),
    ignored("reload_time_file", 0, "a reload is asked for by SIGHUP or on the console"),
    ignored("reload_repeat", 0, "a reload is asked for by SIGHUP or on the console"),
    ignored("reload_file", 0, "a reload is asked for by SIGHUP or on the console"),
    ignored("include_check", 0, "the inclusion of files is refused by this version"),
];

const VRRP: &[Keyword<GlobalDraft>] = &[
    ignored("dynamic_interfaces", 0, "an interface may always appear later"),
    ignored("default_interface", 1, "it is used by static addresses only"),
    ignored("disable_local_igmp", 0, VMAC),
    ignored("vmac_prefix", 0, VMAC),
    ignored("vmac_addr_prefix", 0, VMAC),
    ignored("vrrp_garp_extra_if", 0, VMAC),
    ignored("vrrp_vmac_garp_intvl", 0, VMAC),
    ignored("vrrp_skip_check_adv_addr", 0, "an advert with other addresses is accepted, with an alarm"),
    ignored("log_unknown_vrids", 0, "adverts of other virtual routers are counted, see `show vrrp`"),
    ignored("vrrp_garp_interval", 1, "announcements are sent without a pause between them"),
    ignored("vrrp_gna_interval", 1, "announcements are sent without a pause between them"),
    ignored("vrrp_iptables", 0, NFT),
    ignored("vrrp_ipsets", 0, NFT),
    ignored("nftables", 0, NFT),
    ignored("nftables_priority", 0, NFT),
    ignored("nftables_ifindex", 0, NFT),
    ignored("nftables_counters", 0, NFT),
    ignored("nftables_ipvs", 0, NFT),
    ignored("nftables_ipvs_priority", 0, NFT),
    ignored("nftables_ipvs_start_fwmark", 0, NFT),
    unsupported("vrrp_strict", "remove it: with virtual servers it does harm (addresses would not answer)"),
    unsupported("vrrp_startup_delay", "instances take part in the election at once"),
    unsupported("vrrp_delay_after_boot", "instances take part in the election at once"),
    only("vrrp_down_timer_adverts", &["3"], "a master is given up after 3 missed adverts"),
    off("vrrp_lower_prio_no_advert", "an advert of lower priority is answered with an advert"),
    off("vrrp_higher_prio_send_advert", "a router that gives way sends no last advert"),
    off("vrrp_owner_ignore_adverts", "adverts are always looked at"),
];

const IPVS: &[Keyword<GlobalDraft>] = &[
    ignored("lvs_flush_on_stop", 0, "at the stop the own services are removed, others are left alone"),
    ignored("lvs_flush_onstop", 0, "at the stop the own services are removed, others are left alone"),
    unsupported("lvs_sync_daemon", "connections are not passed on to the other director at a takeover"),
];

fn timeouts(draft: &mut GlobalDraft, line: &mut Line<'_, '_>) {
    // The kernel multiplies by HZ and refuses what overflows; ipvsadm's limit is 31 days.
    const MAX: u32 = 2_678_400;
    while let Some(word) = line.word() {
        if !matches!(&*word.text, "tcp" | "tcpfin" | "udp") {
            return line.invalid(&word, "`tcp`, `tcpfin` or `udp`");
        }
        let Some(Given { value, .. }) = line.integer(0, MAX) else { return };
        let value = Some(value).filter(|seconds| *seconds > 0);
        match &*word.text {
            "tcp" => draft.timeouts.tcp = value,
            "tcpfin" => draft.timeouts.tcp_fin = value,
            _ => draft.timeouts.udp = value,
        }
    }
}

fn set_version(draft: &mut GlobalDraft, line: &mut Line<'_, '_>) {
    if let Some(given) = version(line) {
        draft.version_3 = given.value == Version::V3;
    }
}

fn set_group(group: &mut Option<IpAddr>, line: &mut Line<'_, '_>, family: Family) {
    let Some(given) = multicast(line) else { return };
    if Family::of(given.value) == family {
        *group = Some(given.value);
    } else {
        line.cx.error(
            INVALID,
            given.at,
            format_args!("{} is no {} address", given.value, family.name()),
            format_args!("the line is left out"),
        );
    }
}

/// The next word as a multicast address.
pub(super) fn multicast(line: &mut Line<'_, '_>) -> Option<Given<IpAddr>> {
    let word = line.word()?;
    let address = word.text.parse().ok().filter(IpAddr::is_multicast);
    if address.is_none() {
        line.cx.error(
            INVALID,
            word.at,
            format_args!("{} is no multicast address", crate::syntax::diagnostic::Quoted(&word.text)),
            format_args!("write an address such as 224.0.0.18 or ff02::12; the line is left out"),
        );
    }
    address.map(|value| Given { value, at: word.at })
}

/// `vrrp_min_garp`: one announcement and no second burst, unless the lines for these say otherwise.
pub(super) fn announce_defaults(draft: &GlobalDraft) -> (Duration, u32) {
    if draft.min_garp { (Duration::ZERO, 1) } else { (Duration::from_secs(5), 5) }
}
