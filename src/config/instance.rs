//! `vrrp_instance`: its keywords and the draft that they fill. What comes of the draft is in `instance_build.rs`.

use core::net::IpAddr;

use super::UNREADABLE;
use super::address::{AddressDraft, address};
use super::behaviour::{self, BehaviourDraft, PeerDraft};
use super::codes::{LONG_PASSWORD, OTHER_PROTOCOL};
use super::global::multicast;
use super::route::{RouteDraft, route};
use super::rows::{
    Announcing, COUNT, GarpDraft, SCRIPTS, block, boolean, flag, garp_rows, idle, ignored, integer, link,
    list, notify_rows, off, old, unsupported, words,
};
use super::rule::{RuleDraft, rule};
use super::track::{self, TrackerDraft};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::{INVALID, OLD_NAME, UNKNOWN, Value};
use crate::syntax::nearest::nearest;
use crate::syntax::{Context, Given, Keyword, Kind, Line, NodeId, Position, Table, Walk};
use crate::time::Duration;
use crate::wire::link::LinkName;
use crate::wire::vrrp::Version;

/// The initial state that is wished for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Master,
    Backup,
}

/// A password, not for messages.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Secret(pub(super) [u8; 8]);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("***")
    }
}

/// `auth_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthType {
    Pass,
    Ah,
}

/// An instance as written.
#[derive(Debug, Default)]
pub(super) struct InstanceDraft {
    pub(super) name: String,
    pub(super) at: Position,
    /// Something that changes the protocol was asked for and reported: the instance must not run without it.
    pub(super) left_out: bool,
    pub(super) state: Option<Given<State>>,
    pub(super) link: Option<Given<LinkName>>,
    pub(super) sync_interface: Option<Given<LinkName>>,
    pub(super) vrid: Option<Given<u32>>,
    pub(super) priority: Option<Given<u32>>,
    pub(super) advert_int: Option<Given<Duration>>,
    pub(super) version: Option<Given<Version>>,
    pub(super) checksum_as_v2: Option<bool>,
    pub(super) auth_type: Option<Given<AuthType>>,
    pub(super) password: Option<Given<Secret>>,
    pub(super) source: Option<Given<IpAddr>>,
    pub(super) group: Option<Given<IpAddr>>,
    pub(super) peers_at: Option<Position>,
    pub(super) peers: Vec<PeerDraft>,
    pub(super) check_source: Option<bool>,
    pub(super) nopreempt: Option<Position>,
    pub(super) addresses: Vec<AddressDraft>,
    pub(super) excluded: Vec<AddressDraft>,
    pub(super) routes: Vec<RouteDraft>,
    pub(super) rules: Vec<RuleDraft>,
    pub(super) trackers: Vec<TrackerDraft>,
    pub(super) garp: GarpDraft,
    pub(super) behaviour: BehaviourDraft,
}

impl Announcing for InstanceDraft {
    fn garp(&mut self) -> &mut GarpDraft {
        &mut self.garp
    }
}

pub(super) static INSTANCE: Table<InstanceDraft> = Table { name: "vrrp_instance", rows: TABLES };
pub(super) static AUTHENTICATION: Table<InstanceDraft> =
    Table { name: "authentication", rows: &[AUTHENTICATION_ROWS] };

const TABLES: &[&[Keyword<InstanceDraft>]] =
    &[OWN, &GARP, behaviour::OWN, &behaviour::COMMON, &NOTIFY, IGNORED, UNSUPPORTED_ROWS];

const GARP: [Keyword<InstanceDraft>; 6] = garp_rows([
    "garp_master_delay|vrrp_garp_master_delay|pause before the second burst of announcements",
    "garp_master_repeat|vrrp_garp_master_repeat|gratuitous ARPs per address and burst",
    "garp_master_refresh|vrrp_garp_master_refresh|pause between announcements of a MASTER; 0: none",
    "garp_master_refresh_repeat|vrrp_garp_master_refresh_repeat|gratuitous ARPs per address and refresh",
    "garp_lower_prio_delay|vrrp_garp_lower_prio_delay|second burst after an advert of lower priority",
    "garp_lower_prio_repeat|vrrp_garp_lower_prio_repeat|gratuitous ARPs after an advert of lower priority",
]);

const OWN: &[Keyword<InstanceDraft>] = &[
    words("state|BACKUP|state that is wished for; the election decides", "MASTER or BACKUP", state),
    words(
        "interface|none|interface of the adverts, and of addresses without `dev`",
        "the name of an interface",
        |b, line| b.link = link(line).or(b.link),
    ),
    integer("virtual_router_id|none|VRID, the same on all routers of the group", 1, 255, |b, given| {
        b.vrid = Some(given)
    }),
    integer("priority|100|the highest one is MASTER; 255 owns the addresses", 1, 255, |b, given| {
        b.priority = Some(given)
    }),
    Keyword {
        text: "advert_int|1 s|time between two adverts of the MASTER",
        kind: Kind::Timer {
            min: Duration::from_millis(10),
            max: Duration::from_secs(255),
            set: |b, given| b.advert_int = Some(given),
        },
    },
    words("version|vrrp_version|version of VRRP", "2 or 3", |b, line| {
        b.version = version(line).or(b.version)
    }),
    block("authentication|none|password of the adverts", authentication),
    list("virtual_ipaddress|none|addresses of the MASTER, told in its adverts", |b, line| {
        b.addresses.extend(address(line))
    }),
    list("virtual_ipaddress_excluded|none|addresses of the MASTER that adverts do not tell", |b, line| {
        b.excluded.extend(address(line))
    }),
    list("virtual_routes|none|routes of the MASTER", |b, line| b.routes.extend(route(line))),
    list("virtual_rules|none|routing rules of the MASTER", |b, line| b.rules.extend(rule(line))),
    words("unicast_src_ip|the interface's|source address of adverts", "an IP address", source),
    words("mcast_src_ip|the interface's|source address of adverts", "an IP address", source),
    words("mcast_dst_ip|vrrp_mcast_group4|multicast group of adverts", "a multicast address", |b, line| {
        b.group = multicast(line).or(b.group)
    }),
    block("unicast_peer|none|routers that get adverts instead of the group", |b, cx, node| {
        b.peers_at = Some(cx.tree.position(node));
        Walk::items(cx, node, peer, b);
    }),
    boolean(
        "check_unicast_src|vrrp_check_unicast_src|accept adverts from configured peers only",
        |b, given| b.check_source = Some(given.value),
    ),
    boolean(
        "v3_checksum_as_v2|v3_checksum_as_v2|checksum of version 3 over IPv4 without pseudo header",
        |b, given| b.checksum_as_v2 = Some(given.value),
    ),
    flag("nopreempt|off|do not take over from a MASTER of lower priority", |b, at| b.nopreempt = Some(at)),
    flag("preempt|on|take over from a MASTER of lower priority", |b, _| b.nopreempt = None),
    list("track_interface|none|interfaces that must be up, or that change the priority", |b, line| {
        b.trackers.extend(track::of_link(line));
    }),
    list("track_ping_group|none|hosts of which one must answer, or that change the priority", |b, line| {
        b.trackers.extend(track::of_ping(line));
    }),
    list("track_service|none|virtual services that need their quorum, or change the priority", |b, line| {
        b.trackers.extend(track::of_service(line));
    }),
    list("track_file|none|variables of the console that change the priority", |b, line| {
        b.trackers.extend(track::of_variable(line));
    }),
    list(
        "track_route|none|routes that must exist: `NET [via GW] [dev IF] [table N] [weight N]`",
        |b, line| {
            b.trackers.extend(track::of_route(line));
        },
    ),
    unsupported("track_link|none|serial links that must be up, or that change the priority", track::NO_LINK),
];

const AUTHENTICATION_ROWS: &[Keyword<InstanceDraft>] = &[
    words("auth_type|none|kind of authentication", "PASS or AH", auth_type),
    words("auth_pass|none|password; 8 characters count", "a password of up to 8 characters", auth_pass),
];

const VMAC: &str = "virtual hardware addresses are not used by this version";

const NOTIFY: [Keyword<InstanceDraft>; 7] = notify_rows();

const IGNORED: &[Keyword<InstanceDraft>] = &[
    ignored("notify_deleted|none|command when a reload removes the instance", 1, SCRIPTS),
    ignored("notify_master_rx_lower_pri|none|command when a MASTER hears a lower priority", 1, SCRIPTS),
    ignored(
        "linkbeat_use_polling|off|ask drivers for the state of a link",
        0,
        "the kernel reports the state of every interface",
    ),
    ignored("native_ipv6|off|use IPv6", 0, "it has had no effect for a long time"),
    ignored("garp_extra_if|off|announce on the parent of a VMAC as well", 0, VMAC),
    old("vmac_garp_intvl", "garp_extra_if"),
    idle(
        "kernel_rx_buf_size|the kernel's|receive buffer of adverts, bytes",
        COUNT,
        "receive buffers are sized by the configuration",
    ),
    idle(
        "debug|0|level of debugging",
        Value::Number(0, 4),
        "the level of the log is set for the whole program",
    ),
    idle(
        "skip_check_adv_addr|off|look at the addresses of an advert once per MASTER",
        Value::Bool,
        "an advert with other addresses is accepted, with an alarm",
    ),
    ignored(
        "old_unicast_checksum|off|checksum of version 3 as keepalived 1 made it",
        0,
        "both forms of the checksum are accepted",
    ),
];

/// What to use instead of a program that says whether something works.
pub(super) const TRACK: &str = "no programs run here: use `track_ping_group`, `track_service`, or `track_file` and `set track NAME VALUE`";
const NO_VMAC: &str = "adverts and addresses use the interface's own hardware address";

const UNSUPPORTED_ROWS: &[Keyword<InstanceDraft>] = &[
    block("auth_hmac|none|keys that sign adverts", |b, cx, node| {
        b.left_out = true;
        other_protocol(cx, cx.tree.position(node), "auth_hmac");
    }),
    unsupported(
        "no_virtual_ipaddress|off|run without a virtual address",
        "an instance needs at least one virtual address",
    ),
    old("thread_timer_expired", "timer_expired_backup"),
    unsupported("track_process|none|processes that must run, or that change the priority", TRACK),
    unsupported("track_bfd|none|BFD sessions that must be up, or change the priority", TRACK),
    unsupported("track_script|none|scripts that must succeed, or that change the priority", TRACK),
    off(
        "strict_mode|vrrp_strict|enforce the letter of the VRRP RFCs",
        "remove it: with virtual servers it does harm (addresses would not answer)",
    ),
    unsupported("use_vmac|off|hardware address of the virtual router", NO_VMAC),
    unsupported("vmac_xmit_base|off|adverts leave by the interface itself", NO_VMAC),
    unsupported("use_vmac_addr|off|VMACs on the interfaces of addresses", NO_VMAC),
    unsupported("use_ipvlan|off|addresses on an ipvlan interface", NO_VMAC),
    unsupported("vrf|none|virtual routing domain of the interface", "the interface is used as it is"),
    words(
        "lvs_sync_daemon_interface|none|old form of `lvs_sync_daemon` in `global_defs`",
        "the name of an interface",
        |b, line| {
            let keyword = line.keyword().at;
            b.sync_interface = link(line).or(b.sync_interface);
            line.cx.warn(
                OLD_NAME,
                keyword,
                format_args!("lvs_sync_daemon_interface is the old form of `lvs_sync_daemon`"),
                format_args!("write `lvs_sync_daemon INTERFACE INSTANCE` in `global_defs`"),
            );
        },
    ),
];

fn state(draft: &mut InstanceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    match &*word.text {
        "MASTER" => draft.state = Some(Given { value: State::Master, at: word.at }),
        "BACKUP" => draft.state = Some(Given { value: State::Backup, at: word.at }),
        _ => line.invalid(&word, "MASTER or BACKUP"),
    }
}

/// The next word as a version of VRRP.
pub(super) fn version(line: &mut Line<'_, '_>) -> Option<Given<Version>> {
    let word = line.word()?;
    let value = match &*word.text {
        "2" => Version::V2,
        "3" => Version::V3,
        _ => {
            line.invalid(&word, "2 or 3");
            return None;
        }
    };
    Some(Given { value, at: word.at })
}

fn other_protocol(cx: &mut Context<'_>, at: Position, what: &str) {
    cx.error(
        OTHER_PROTOCOL,
        at,
        format_args!("{what} is not supported by this version; the instance is left out"),
        format_args!("use VRRP version 2 with `auth_type PASS`, `AH` or none, on all routers of the group"),
    );
}

/// Reads the block. A line without a keyword in it may be a password on its own: it is neither quoted nor shown.
fn authentication(draft: &mut InstanceDraft, cx: &mut Context<'_>, node: NodeId) {
    let mut walk = Walk::new(cx.tree.children(node));
    while let Some(child) = walk.peek(cx.tree) {
        let word = cx.tree.keyword(child);
        if word.text.is_empty() || nearest(&word.text, &mut AUTHENTICATION.words()).is_some() {
            walk.step(cx, &AUTHENTICATION, draft);
            continue;
        }
        cx.error(
            UNKNOWN,
            cx.tree.position(node),
            format_args!("line {} in this block is neither auth_type nor auth_pass", word.at.line),
            format_args!("the line is left out; write `auth_pass` and the password on one line"),
        );
        walk.skip(cx.tree);
    }
}

fn auth_type(draft: &mut InstanceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    match &*word.text {
        "PASS" => draft.auth_type = Some(Given { value: AuthType::Pass, at: word.at }),
        "AH" => draft.auth_type = Some(Given { value: AuthType::Ah, at: word.at }),
        // Not quoted: it may be a password that slipped.
        _ => line.cx.error(
            INVALID,
            line.keyword().at,
            format_args!("auth_type: this is neither PASS nor AH"),
            format_args!("write `auth_type PASS` or `auth_type AH`; the line is left out"),
        ),
    }
}

fn auth_pass(draft: &mut InstanceDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.word() else { return };
    if word.text.contains(char::from(UNREADABLE)) {
        line.cx.error(
            INVALID,
            line.keyword().at,
            format_args!("auth_pass has a byte that is no UTF-8 and cannot be read"),
            format_args!("write a password of ASCII characters on all routers; the line is left out"),
        );
        return;
    }
    if !word.text.is_ascii() {
        line.cx.warn(
            LONG_PASSWORD,
            line.keyword().at,
            format_args!(
                "auth_pass has a character that is not ASCII: its bytes in UTF-8 count, each as one of 8"
            ),
            format_args!("the other routers must be given the same bytes; write ASCII characters"),
        );
    }
    let mut secret = Secret::default();
    for (to, from) in secret.0.iter_mut().zip(word.text.bytes()) {
        *to = from;
    }
    if word.text.len() > secret.0.len() {
        line.cx.warn(
            LONG_PASSWORD,
            line.keyword().at,
            format_args!("auth_pass is longer than 8 characters; the first 8 count"),
            format_args!("the protocol carries no more; write the same 8 characters on all routers"),
        );
    }
    draft.password = Some(Given { value: secret, at: word.at });
}

fn source(draft: &mut InstanceDraft, line: &mut Line<'_, '_>) {
    draft.source = ip(line).or(draft.source);
}

fn ip(line: &mut Line<'_, '_>) -> Option<Given<IpAddr>> {
    let word = line.word()?;
    let address = line.host(&word);
    if address.is_none() {
        line.cx.error(
            INVALID,
            word.at,
            format_args!("{} is no IP address", Quoted(&word.text)),
            format_args!("write an address such as 192.0.2.11; the line is left out"),
        );
    }
    address.map(|value| Given { value, at: word.at })
}

fn peer(draft: &mut InstanceDraft, line: &mut Line<'_, '_>) {
    let address = ip(line);
    let ttls = behaviour::ttls(line);
    draft.peers.extend(address.map(|address| PeerDraft { address, ttls }));
}

/// Reads a `vrrp_instance` block.
pub(super) fn read(cx: &mut Context<'_>, node: NodeId) -> Option<InstanceDraft> {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let name = line.need("the name of the instance")?;
    line.end();
    let mut draft = InstanceDraft { name: name.text.into_owned(), at, ..InstanceDraft::default() };
    Walk::block(cx, node, &INSTANCE, &mut draft);
    Some(draft)
}
