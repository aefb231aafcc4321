//! The table of the top level, and the register of all tables: which block a word belongs to, which words there are.

use super::appliance::{self, APPLIANCE, ApplianceDraft, INTERFACE};
use super::global::{GLOBAL, GlobalDraft};
use super::instance::{AUTHENTICATION, INSTANCE, InstanceDraft, read};
use super::model::Interface;
use super::rows::{block, ignored, unsupported};
use super::service::{SERVER, SERVICE};
use crate::check::FORMS;
use crate::check::keywords::{REFUSED, URL};
use crate::syntax::{Keyword, NodeId, Table, Walk};

/// The top level as written.
#[derive(Debug, Default)]
pub(super) struct RootDraft {
    pub(super) global: GlobalDraft,
    /// Instances wait until all of the file is read: what `global_defs` says may stand below.
    pub(super) instances: Vec<InstanceDraft>,
    /// The service to be read next.
    pub(super) service: Option<NodeId>,
    pub(super) appliance: ApplianceDraft,
    pub(super) interfaces: Vec<Interface>,
}

pub(super) static ROOT: Table<RootDraft> = Table { name: "the top level", rows: &[ROWS] };

const NAMESPACE: &str = "start lvsbox inside the network namespace";
const PROCESSES: &str = "there is one process, and it writes no pid file";
const GROUPS: &str = "members of the group change their states one by one";
const SCRIPTS: &str = "no scripts run here; track an interface with `track_interface`";
const STATIC: &str = "set it up with the other addresses and routes of the machine";
const OURS: &str = "set it up with the means of the machine";

const ROWS: &[Keyword<RootDraft>] = &[
    block("global_defs", |b, cx, node| Walk::block(cx, node, &GLOBAL, &mut b.global)),
    block("vrrp_instance", |b, cx, node| b.instances.extend(read(cx, node))),
    block("virtual_server", |b, _, node| b.service = Some(node)),
    block("appliance", |b, cx, node| appliance::read(cx, node, &mut b.appliance)),
    block("interface", |b, cx, node| appliance::read_interface(cx, node, &mut b.interfaces)),
    ignored("linkbeat_use_polling", 0, "the kernel reports the state of every interface"),
    ignored("linkbeat_interfaces", 0, "the kernel reports the state of every interface"),
    ignored("namespace_with_ipsets", 0, "no sets of addresses are used"),
    ignored("use_pid_dir", 0, PROCESSES),
    ignored("instance", 0, PROCESSES),
    ignored("child_wait_time", 0, PROCESSES),
    ignored("garp_group", 0, "announcements are sent without a pause between them"),
    unsupported("net_namespace", NAMESPACE),
    unsupported("net_namespace_ipvs", NAMESPACE),
    unsupported("track_group", STATIC),
    unsupported("static_ipaddress", STATIC),
    unsupported("static_routes", STATIC),
    unsupported("static_rules", STATIC),
    unsupported("vrrp_sync_group", GROUPS),
    unsupported("vrrp_script", SCRIPTS),
    unsupported("vrrp_track_process", SCRIPTS),
    unsupported("track_file", SCRIPTS),
    unsupported("vrrp_track_file", SCRIPTS),
    unsupported("bfd_instance", "track an interface with `track_interface`"),
    unsupported("interface_up_down_delays", "a change of an interface counts at once"),
    unsupported("SSL", "checks over TLS are not supported; use TCP_CHECK or HTTP_GET"),
    unsupported("virtual_server_group", "write one virtual_server block for each address"),
    unsupported("firewall", OURS),
    unsupported("real_server_role", OURS),
    unsupported("ping_group", OURS),
    unsupported("serial_link", OURS),
];

/// Keywords of blocks that are refused as a whole: so that they are not called unknown where they are misplaced.
const REFUSED_BLOCKS: &[(&str, &[&str])] = &[
    ("vrrp_sync_group", &["group", "global_tracking", "sync_group_tracking_weight"]),
    ("vrrp_script", &["script", "interval", "timeout", "rise", "fall", "user", "init_fail", "weight"]),
    (
        "vrrp_track_process",
        &[
            "process",
            "param_match",
            "quorum",
            "quorum_max",
            "delay",
            "terminate_delay",
            "fork_delay",
            "full_command",
        ],
    ),
    ("garp_group", &["garp_interval", "gna_interval", "interfaces"]),
    ("auth_hmac", &["key", "active_key", "time_window", "anti_replay", "mode"]),
    ("track_file", &["file", "init_file", "weight"]),
    (
        "bfd_instance",
        &[
            "weight",
            "neighbor_ip",
            "neighbour_ip",
            "source_ip",
            "min_rx",
            "min_tx",
            "idle_tx",
            "multiplier",
            "passive",
            "ttl",
            "hoplimit",
            "max_hops",
            "multihop",
            "vrrp",
            "checker",
        ],
    ),
    ("SSL", &["password", "ca", "certificate", "key"]),
];

/// Every keyword with its block, in the order of the tables.
pub fn keywords() -> impl Iterator<Item = (&'static str, &'static str)> {
    fn of<B>(table: &Table<B>) -> impl Iterator<Item = (&'static str, &'static str)> + use<B> {
        let name = table.name;
        table.words().map(move |word| (name, word))
    }
    let refused = REFUSED_BLOCKS.iter().chain(REFUSED);
    of(&ROOT)
        .chain(of(&GLOBAL))
        .chain(of(&INSTANCE))
        .chain(of(&AUTHENTICATION))
        .chain(of(&SERVICE))
        .chain(of(&SERVER))
        .chain(FORMS.iter().flat_map(|form| of(form.table)))
        .chain(of(&URL))
        .chain(of(&APPLIANCE))
        .chain(of(&INTERFACE))
        .chain(refused.flat_map(|(name, words)| words.iter().map(|word| (*name, *word))))
}

/// The block a word belongs to; the first one if there are several.
pub(super) fn home(word: &str) -> Option<&'static str> {
    keywords().find(|(_, known)| *known == word).map(|(name, _)| name)
}
