//! `global_defs`: its keywords and the draft that they fill.

use core::net::IpAddr;

use super::behaviour::{self, GlobalBehaviour};
use super::instance::version;
use super::link_rules::{self, Pauses};
use super::model::Timeouts;
use super::rows::{
    Announcing, COUNT, GarpDraft, POSITIVE, SCRIPTS, SIGNED, boolean, flag, garp_rows, idle, ignored, link,
    old, unsupported, words,
};
use super::sync_daemon::{self, SyncDraft};
use crate::syntax::keyword::{INVALID, Value};
use crate::syntax::{Given, Keyword, Kind, Line, Table};
use crate::time::Duration;
use crate::wire::link::LinkName;
use crate::wire::vrrp::{Family, Version};

/// `global_defs` as written.
#[derive(Debug, Default)]
pub(super) struct GlobalDraft {
    pub(super) router_id: String,
    pub(super) timeouts: Timeouts,
    pub(super) flush: bool,
    pub(super) flush_on_stop: bool,
    pub(super) sync_daemon: Option<SyncDraft>,
    pub(super) garp: GarpDraft,
    pub(super) min_garp: bool,
    pub(super) check_source: bool,
    pub(super) version_3: bool,
    pub(super) checksum_as_v2: bool,
    pub(super) behaviour: GlobalBehaviour,
    pub(super) pauses: Pauses,
    /// Multicast groups by family.
    pub(super) group4: Option<IpAddr>,
    pub(super) group6: Option<IpAddr>,
    pub(super) interface: Option<LinkName>,
}

impl GlobalDraft {
    /// The interface of static addresses that name none.
    pub(super) fn static_interface(&self) -> Option<LinkName> {
        self.interface.or_else(|| LinkName::new("eth0"))
    }
}

impl Announcing for GlobalDraft {
    fn garp(&mut self) -> &mut GarpDraft {
        &mut self.garp
    }
}

pub(super) static GLOBAL: Table<GlobalDraft> = Table { name: "global_defs", rows: TABLES };

const TABLES: &[&[Keyword<GlobalDraft>]] = &[
    OWN,
    &GARP,
    &behaviour::GLOBAL_COMMON,
    behaviour::GLOBAL,
    link_rules::GLOBAL,
    MAIL,
    OTHER_MACHINERY,
    VRRP,
    IPVS,
];

const GARP: [Keyword<GlobalDraft>; 6] = garp_rows([
    "vrrp_garp_master_delay|5 s|pause before the second burst of announcements; 0: none",
    "vrrp_garp_master_repeat|5|gratuitous ARPs per address and burst",
    "vrrp_garp_master_refresh|0 s|pause between announcements of a MASTER; 0: none",
    "vrrp_garp_master_refresh_repeat|1|gratuitous ARPs per address and refresh",
    "vrrp_garp_lower_prio_delay|vrrp_garp_master_delay|second burst after an advert of lower priority",
    "vrrp_garp_lower_prio_repeat|vrrp_garp_master_repeat|gratuitous ARPs after an advert of lower priority",
]);

const OWN: &[Keyword<GlobalDraft>] = &[
    Keyword {
        text: "router_id|none|name of this director in messages",
        kind: Kind::Text(|b, given| b.router_id = given.value.into()),
    },
    old("lvs_id", "router_id"),
    words(
        "lvs_timeouts|the kernel's|seconds until idle connections are forgotten",
        "`tcp N`, `tcpfin N` or `udp N` in seconds",
        timeouts,
    ),
    flag("lvs_flush|off|empty the IPVS table at the start", |b, _| b.flush = true),
    boolean("vrrp_min_garp|off|announce once on becoming MASTER, without a second burst", |b, given| {
        b.min_garp = given.value
    }),
    boolean("vrrp_check_unicast_src|off|accept adverts from configured peers only", |b, given| {
        b.check_source = given.value
    }),
    words("vrrp_version|2|version of VRRP unless the instance says another", "2 or 3", set_version),
    boolean("v3_checksum_as_v2|off|checksum of version 3 over IPv4 without pseudo header", |b, given| {
        b.checksum_as_v2 = given.value
    }),
    words("vrrp_mcast_group4|224.0.0.18|multicast group of adverts", "a multicast address", |b, line| {
        set_group(&mut b.group4, line, Family::Ipv4)
    }),
    words(
        "default_interface|eth0|interface of static addresses without `dev`",
        "the name of an interface",
        |b, line| b.interface = link(line).map(|given| given.value).or(b.interface),
    ),
    words(
        "vrrp_mcast_group6|ff02::12|multicast group of adverts over IPv6",
        "a multicast address",
        |b, line| set_group(&mut b.group6, line, Family::Ipv6),
    ),
];

const MAIL_WHY: &str = "no mail is sent, see the log";
const SNMP: &str = "there is no SNMP here; programs read `lvsbox ctl status json`";
const DBUS: &str = "there is no D-Bus here; programs read `lvsbox ctl status json`";
const PROCESS: &str = "there is one process with one event loop";
const FILES: &str = "no such files are written; the console shows the state";
const BUFFERS: &str = "receive buffers are sized by the configuration, and a lost message is recovered";
const NFT: &str = "`no_accept` has an nf_tables table of its own, `inet lvsbox`";
const RELOAD: &str = "a reload is always checked as a whole before anything changes";
const VMAC: &str = "virtual hardware addresses are not used by this version";

const MAIL: &[Keyword<GlobalDraft>] = &[
    ignored("notification_email|none|who gets mail", 0, MAIL_WHY),
    ignored("notification_email_from|none|sender of mail", 1, MAIL_WHY),
    ignored("smtp_server|none|address and port of the mail relay", 1, MAIL_WHY),
    ignored("smtp_helo_name|host name|how the mail relay is greeted", 1, MAIL_WHY),
    idle("smtp_connect_timeout|30 s|time limit of the mail relay", Value::Number(1, 4294), MAIL_WHY),
    idle("smtp_alert|off|mail about all changes", Value::Bool, MAIL_WHY),
    idle("smtp_alert_vrrp|off|mail about changes of VRRP states", Value::Bool, MAIL_WHY),
    idle("smtp_alert_checker|off|mail about real servers", Value::Bool, MAIL_WHY),
    ignored("no_email_faults|off|no mail about FAULT", 0, MAIL_WHY),
    idle("no_checker_emails|off|no mail about checks", Value::Bool, MAIL_WHY),
];

const OTHER_MACHINERY: &[Keyword<GlobalDraft>] = &[
    idle(
        "checker_log_all_failures|off|log every failed try of a check",
        Value::Bool,
        "every failure is kept with its reason, see `show checks`",
    ),
    ignored("startup_script|none|command at the start", 1, SCRIPTS),
    idle("startup_script_timeout|10 s|its time limit", Value::Number(1, 1000), SCRIPTS),
    ignored("shutdown_script|none|command at the stop", 1, SCRIPTS),
    idle("shutdown_script_timeout|10 s|its time limit", Value::Number(1, 1000), SCRIPTS),
    ignored("script_user|none|user and group that scripts run as", 1, SCRIPTS),
    ignored("enable_script_security|off|refuse scripts that others may write", 0, SCRIPTS),
    ignored("notify_fifo|none|pipe that all changes of state are written to", 1, SCRIPTS),
    ignored("notify_fifo_script|none|command that reads that pipe", 1, SCRIPTS),
    ignored("vrrp_notify_fifo|none|pipe for changes of VRRP states", 1, SCRIPTS),
    ignored("vrrp_notify_fifo_script|none|command that reads that pipe", 1, SCRIPTS),
    ignored("lvs_notify_fifo|none|pipe for changes of real servers", 1, SCRIPTS),
    ignored("lvs_notify_fifo_script|none|command that reads that pipe", 1, SCRIPTS),
    idle("vrrp_notify_priority_changes|off|tell about changes of priority, too", Value::Bool, SCRIPTS),
    ignored("fifo_write_vrrp_states_on_reload|off|write all states to the pipe at a reload", 0, SCRIPTS),
    idle("rs_init_notifies|off|tell the state of real servers at the start", Value::Bool, SCRIPTS),
    ignored("snmp_socket|none|address of the SNMP master agent", 1, SNMP),
    ignored("enable_traps|off|send SNMP traps", 0, SNMP),
    ignored("enable_snmp_vrrp|off|answer SNMP about VRRP", 0, SNMP),
    ignored("enable_snmp_checker|off|answer SNMP about services", 0, SNMP),
    ignored("enable_snmp_rfc|off|answer the VRRP MIBs of the RFCs", 0, SNMP),
    ignored("enable_snmp_rfcv2|off|answer the MIB of RFC 2787", 0, SNMP),
    ignored("enable_snmp_rfcv3|off|answer the MIB of RFC 6527", 0, SNMP),
    old("enable_snmp_keepalived", "enable_snmp_vrrp"),
    ignored("snmp_vs_stats_update_interval|5 s|how long statistics of services are kept for SNMP", 0, SNMP),
    ignored(
        "snmp_rs_stats_update_interval|0 s|how long statistics of real servers are kept for SNMP",
        0,
        SNMP,
    ),
    ignored("enable_dbus|off|offer a D-Bus interface", 0, DBUS),
    ignored("dbus_service_name|none|its name", 1, DBUS),
    ignored("dbus_no_interface_name|off|its objects are not named by interface", 0, DBUS),
    idle(
        "max_auto_priority|0|how far a late process may raise its own priority",
        Value::Number(-1, 99),
        PROCESS,
    ),
    idle(
        "min_auto_priority_delay|1000000 us|how late it must be for that",
        Value::Number(1, 10_000_000),
        PROCESS,
    ),
    ignored("process_name|none|name of the parent process", 1, PROCESS),
    ignored("process_names|off|name processes by what they do", 0, PROCESS),
    ignored("vrrp_process_name|none|name of the VRRP process", 1, PROCESS),
    ignored("checker_process_name|none|name of the process that checks", 1, PROCESS),
    old("lvs_process_name", "checker_process_name"),
    ignored("bfd_process_name|none|name of the BFD process", 1, PROCESS),
    idle("vrrp_priority|0|nice value of the VRRP process", Value::Number(-20, 19), PROCESS),
    idle("checker_priority|0|nice value of the process that checks", Value::Number(-20, 19), PROCESS),
    idle("bfd_priority|0|nice value of the BFD process", Value::Number(-20, 19), PROCESS),
    ignored("vrrp_no_swap|off|keep the VRRP process in memory", 0, PROCESS),
    ignored("checker_no_swap|off|keep the process that checks in memory", 0, PROCESS),
    ignored("bfd_no_swap|off|keep the BFD process in memory", 0, PROCESS),
    idle("vrrp_rt_priority|none|real-time priority of the VRRP process", Value::Number(1, 99), PROCESS),
    idle(
        "checker_rt_priority|none|real-time priority of the process that checks",
        Value::Number(1, 99),
        PROCESS,
    ),
    idle("bfd_rt_priority|none|real-time priority of the BFD process", Value::Number(1, 99), PROCESS),
    idle("vrrp_cpu_affinity|all|processors of the VRRP process", COUNT, PROCESS),
    idle("checker_cpu_affinity|all|processors of the process that checks", COUNT, PROCESS),
    idle("bfd_cpu_affinity|all|processors of the BFD process", COUNT, PROCESS),
    idle(
        "vrrp_rlimit_rttime|10000 us|processor time of the VRRP process between two waits",
        POSITIVE,
        PROCESS,
    ),
    idle("checker_rlimit_rttime|10000 us|processor time of the checks between two waits", POSITIVE, PROCESS),
    idle("bfd_rlimit_rttime|10000 us|processor time of the BFD process between two waits", POSITIVE, PROCESS),
    old("vrrp_rlimit_rtime", "vrrp_rlimit_rttime"),
    old("checker_rlimit_rtime", "checker_rlimit_rttime"),
    old("bfd_rlimit_rtime", "bfd_rlimit_rttime"),
    idle("vrrp_netlink_cmd_rcv_bufs|the kernel's|receive buffer of netlink requests, bytes", COUNT, BUFFERS),
    idle("vrrp_netlink_cmd_rcv_bufs_force|off|even above the kernel's limit", Value::Bool, BUFFERS),
    idle(
        "vrrp_netlink_monitor_rcv_bufs|the kernel's|receive buffer of netlink events, bytes",
        COUNT,
        BUFFERS,
    ),
    idle("vrrp_netlink_monitor_rcv_bufs_force|off|even above the kernel's limit", Value::Bool, BUFFERS),
    idle("lvs_netlink_cmd_rcv_bufs|the kernel's|receive buffer of IPVS requests, bytes", COUNT, BUFFERS),
    idle("lvs_netlink_cmd_rcv_bufs_force|off|even above the kernel's limit", Value::Bool, BUFFERS),
    idle(
        "lvs_netlink_monitor_rcv_bufs|the kernel's|receive buffer of events for checks, bytes",
        COUNT,
        BUFFERS,
    ),
    idle("lvs_netlink_monitor_rcv_bufs_force|off|even above the kernel's limit", Value::Bool, BUFFERS),
    idle("process_monitor_rcv_bufs|the kernel's|receive buffer of process events, bytes", COUNT, BUFFERS),
    idle("process_monitor_rcv_bufs_force|off|even above the kernel's limit", Value::Bool, BUFFERS),
    ignored("vrrp_rx_bufs_policy|the kernel's|how the receive buffer of adverts is sized", 1, BUFFERS),
    idle("vrrp_rx_bufs_multiplier|3|how many adverts it holds", POSITIVE, BUFFERS),
    ignored("umask|none|mode of files that are written", 1, FILES),
    ignored("config_save_dir|none|where read configurations are kept", 1, FILES),
    ignored("tmp_config_directory|none|where temporary configurations are written", 1, FILES),
    idle("data_use_instance|off|name dump files by instance", Value::Bool, FILES),
    ignored("state_dump_file|none|file of the dump of states", 0, FILES),
    ignored("stats_dump_file|none|file of the dump of statistics", 0, FILES),
    ignored("json_dump_file|none|file of the dump as JSON", 0, FILES),
    ignored("json_version|1|layout of that JSON", 0, FILES),
    ignored(
        "iproute_usr_dir|none|where iproute2 has its names",
        0,
        "names of tables are not read from files",
    ),
    ignored(
        "iproute_etc_dir|none|where iproute2 has its names",
        0,
        "names of tables are not read from files",
    ),
    ignored("use_symlink_paths|off|do not resolve links in paths of scripts", 0, SCRIPTS),
    ignored("set_supplementary_groups|off|scripts get the groups of their user", 0, SCRIPTS),
    idle("random_seed|none|seed of the random numbers", COUNT, "nothing here is random"),
    ignored("reload_check_config|off|check a configuration before it is reloaded", 0, RELOAD),
    ignored(
        "reload_time_file|none|file that says when to reload",
        1,
        "a reload is asked for by SIGHUP or on the console",
    ),
    ignored(
        "reload_repeat|off|reload again at that time",
        0,
        "a reload is asked for by SIGHUP or on the console",
    ),
    ignored(
        "reload_file|none|file whose presence allows a reload",
        0,
        "a reload is asked for by SIGHUP or on the console",
    ),
    // The reader takes this line wherever it stands, and with it the `include` lines of its file.
    Keyword {
        text: "include_check|none|what about an include is an error",
        kind: Kind::Free(|_, line| line.rest()),
    },
];

const VRRP: &[Keyword<GlobalDraft>] = &[
    idle(
        "dynamic_interfaces|off|interfaces may appear later",
        Value::OneOf(&(&["allow_if_changes"] as &[_])),
        "an interface may always appear later",
    ),
    ignored("disable_local_igmp|off|no IGMP on virtual hardware addresses", 0, VMAC),
    ignored("vmac_prefix|vrrp|prefix of the names of VMAC interfaces", 1, VMAC),
    ignored("vmac_addr_prefix|vrrp|the same for addresses with a VMAC", 1, VMAC),
    ignored("vrrp_garp_extra_if|off|announce on the parent of a VMAC as well", 0, VMAC),
    old("vrrp_vmac_garp_intvl", "vrrp_garp_extra_if"),
    ignored(
        "vrrp_skip_check_adv_addr|off|look at the addresses of an advert once per MASTER",
        0,
        "an advert with other addresses is accepted, with an alarm",
    ),
    ignored(
        "log_unknown_vrids|off|log adverts of virtual routers that are not configured",
        0,
        "adverts of other virtual routers are counted, see `show vrrp`",
    ),
    ignored("vrrp_iptables|off|iptables chains for addresses that do not answer", 0, NFT),
    ignored("vrrp_ipsets|off|address sets for them", 0, NFT),
    ignored("nftables|off|nf_tables table for them", 0, NFT),
    idle("nftables_priority|-1|priority of its chains", SIGNED, NFT),
    ignored("nftables_ifindex|off|its rules name interfaces by index", 0, NFT),
    ignored("nftables_counters|off|its rules count", 0, NFT),
    ignored("nftables_ipvs|off|nf_tables table of marks for service groups", 0, NFT),
    idle("nftables_ipvs_priority|none|priority of its chains", SIGNED, NFT),
    idle("nftables_ipvs_start_fwmark|1000|first mark that it uses", POSITIVE, NFT),
    unsupported(
        "vrrp_strict|off|enforce the letter of the VRRP RFCs",
        "remove it: with virtual servers it does harm (addresses would not answer)",
    ),
];

const IPVS: &[Keyword<GlobalDraft>] = &[
    Keyword {
        text: "lvs_flush_on_stop|off|empty the IPVS table at the stop; VS: the own services only",
        // These go at every stop, whatever is said.
        kind: Kind::Free(|b, line| match line.word() {
            None => b.flush_on_stop = true,
            Some(word) if word.text == "VS" => {}
            Some(word) => line.invalid(&word, "VS"),
        }),
    },
    old("lvs_flush_onstop", "lvs_flush_on_stop"),
    sync_daemon::ROW,
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
