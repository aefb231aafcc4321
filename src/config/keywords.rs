//! The table of the top level, and the register of all tables: which block a word belongs to, which words there are.

use std::collections::VecDeque;

use super::address::address;
use super::appliance::{self, APPLIANCE, ApplianceDraft, INTERFACE};
use super::global::{GLOBAL, GlobalDraft};
use super::group::{self, GroupDraft, SYNC_GROUP};
use super::instance::{AUTHENTICATION, INSTANCE, InstanceDraft, TRACK, read};
use super::link_rules::{self, DelayDraft, GarpGroupDraft};
use super::model::Interface;
use super::own;
use super::refused;
use super::route::route;
use super::rows::{COUNT, block, idle, ignored, list, old, unsupported};
use super::rule::{number, rule};
use super::service::{SERVER, SERVICE};
use super::service_group::Groups;
use super::static_build::{StaticDraft, TRACK_GROUP_TABLE, read_group};
use super::track::{self, TRACK_FILE};
use crate::check::FORMS;
use crate::check::keywords::{REFUSED, URL};
use crate::syntax::{Keyword, NodeId, Row, Rows, Shape, Table, Walk};

/// The top level as written.
#[derive(Debug, Default)]
pub(super) struct RootDraft {
    pub(super) global: GlobalDraft,
    /// Instances wait until all of the file is read: what `global_defs` says may stand below.
    pub(super) instances: Vec<InstanceDraft>,
    /// The service to be read next.
    pub(super) service: Option<NodeId>,
    pub(super) groups: Vec<GroupDraft>,
    pub(super) service_groups: Groups,
    /// Services whose groups were not there when they were met.
    pub(super) waiting: VecDeque<NodeId>,
    /// What belongs to no instance waits likewise.
    pub(super) fixed: StaticDraft,
    pub(super) appliance: ApplianceDraft,
    pub(super) interfaces: Vec<Interface>,
    pub(super) garp_groups: Vec<GarpGroupDraft>,
    pub(super) delays: Vec<DelayDraft>,
    #[cfg(feature = "tls")]
    pub(super) tls: super::tls::TlsDraft,
}

pub(super) static ROOT: Table<RootDraft> = Table { name: "the top level", rows: &[ROWS] };

const NAMESPACE: &str = "start lvsbox inside the network namespace";
const PROCESSES: &str = "there is one process, and it writes no pid file";

const ROWS: &[Keyword<RootDraft>] = &[
    block("global_defs|none|what holds for the whole director", |b, cx, node| {
        Walk::block(cx, node, &GLOBAL, &mut b.global)
    }),
    block("vrrp_instance|none|a virtual router: name and block", |b, cx, node| {
        if let Some(mut draft) = read(cx, node) {
            number(&mut draft.rules, &mut b.fixed.preferences, cx);
            b.instances.push(draft);
        }
    }),
    block("vrrp_sync_group|none|instances that change their states together", |b, cx, node| {
        b.groups.extend(group::read(cx, node))
    }),
    block("virtual_server|none|a service: address and port, `fwmark N` or `group NAME`", |b, _, node| {
        b.service = Some(node)
    }),
    block("track_file|none|a number that instances track, set by `set track NAME VALUE`", |b, cx, node| {
        track::variable(&mut b.appliance, cx, node)
    }),
    block(
        "track_group|none|instances that need static addresses and routes: name and block",
        |b, cx, node| read_group(cx, node, &mut b.fixed),
    ),
    list("static_ipaddress|none|addresses that are always there", |b, line| {
        b.fixed.addresses.extend(address(line))
    }),
    list("static_routes|none|routes that are always there", |b, line| b.fixed.routes.extend(route(line))),
    list("static_rules|none|routing rules that are always there", |b, line| {
        let mut rule = rule(line);
        number(rule.as_mut_slice(), &mut b.fixed.preferences, line.cx);
        b.fixed.rules.extend(rule);
    }),
    block("appliance|none|the box itself, where lvsbox is all there is", |b, cx, node| {
        appliance::read(cx, node, &mut b.appliance)
    }),
    block("interface|none|an interface of the box: name and block", |b, cx, node| {
        appliance::read_interface(cx, node, &mut b.interfaces)
    }),
    ignored(
        "linkbeat_use_polling|off|ask drivers for the state of links",
        0,
        "the kernel reports the state of every interface",
    ),
    ignored(
        "linkbeat_interfaces|none|interfaces that are asked for their state",
        0,
        "the kernel reports the state of every interface",
    ),
    ignored(
        "namespace_with_ipsets|off|allow address sets in a network namespace",
        0,
        "no sets of addresses are used",
    ),
    ignored("use_pid_dir|off|write pid files to a directory of their own", 0, PROCESSES),
    ignored("instance|none|name of this daemon among several", 1, PROCESSES),
    idle("child_wait_time|5 s|how long children may take to stop", COUNT, PROCESSES),
    block("garp_group|none|pauses between announcements of some interfaces", link_rules::group),
    unsupported("net_namespace|none|network namespace to run in", NAMESPACE),
    unsupported("net_namespace_ipvs|none|network namespace of the IPVS table", NAMESPACE),
    unsupported("vrrp_script|none|a script that instances can track", TRACK),
    unsupported("vrrp_track_process|none|a process that instances can track", TRACK),
    old("vrrp_track_file", "track_file"),
    unsupported("bfd_instance|none|a BFD session", TRACK),
    list("interface_up_down_delays|none|how long a change of an interface must last", link_rules::delay),
    #[cfg(feature = "tls")]
    block("SSL|none|keys and certificates of checks over TLS", |b, cx, node| {
        super::tls::read(cx, node, &mut b.tls)
    }),
    #[cfg(not(feature = "tls"))]
    unsupported(
        "SSL|none|keys and certificates of checks over TLS",
        "this lvsbox was built without the feature `tls`; use TCP_CHECK or HTTP_GET",
    ),
    block("virtual_server_group|none|addresses and marks that are one service", |b, cx, node| {
        b.service_groups.read(cx, node)
    }),
    block("firewall|none|packet filter rules: marks, masquerading, redirection", |b, cx, node| {
        own::firewall(&mut b.appliance, cx, node)
    }),
    block("real_server_role|none|this box as a DR or TUN real server", |b, cx, node| {
        own::role(&mut b.appliance, cx, node)
    }),
    block("ping_group|none|hosts outside whose answers show that the net works", |b, cx, node| {
        own::ping(&mut b.appliance, cx, node)
    }),
    block("serial_link|none|heartbeat over a serial line|later", |b, cx, node| {
        own::serial(&mut b.appliance, cx, node)
    }),
];

/// Tables of all blocks that are read.
static TABLES: &[&(dyn Rows + Sync)] = &[
    &ROOT,
    &GLOBAL,
    &INSTANCE,
    &AUTHENTICATION,
    &link_rules::GARP_GROUP,
    &SYNC_GROUP,
    &TRACK_FILE,
    &TRACK_GROUP_TABLE,
    &SERVICE,
    &SERVER,
    &URL,
    &APPLIANCE,
    &INTERFACE,
    &own::FIREWALL,
    &own::ROLE,
    &own::PING,
    &own::SERIAL,
    #[cfg(feature = "tls")]
    &super::tls::SSL,
];

/// The rows of all tables, see [`rows`]. One type for all: a chain of one iterator per table was 80 KB of code.
#[derive(Debug)]
pub struct AllRows {
    table: usize,
    row: usize,
}

impl Iterator for AllRows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            let checkers = self.table.checked_sub(TABLES.len()).and_then(|index| FORMS.get(index));
            let found = match (TABLES.get(self.table), checkers) {
                (Some(table), _) => table.row(self.row),
                (None, Some(form)) => form.table.row(self.row),
                (None, None) => {
                    let index = self.table - TABLES.len() - FORMS.len();
                    let (block, texts) = refused::BLOCKS.iter().chain(REFUSED).nth(index)?;
                    let shape = Shape::Unsupported("its block is left out as a whole");
                    texts.split('\n').nth(self.row).map(|text| Row { block, text, shape })
                }
            };
            if found.is_some() {
                self.row += 1;
                return found;
            }
            (self.table, self.row) = (self.table + 1, 0);
        }
    }
}

/// Every keyword, in the order of the tables.
pub fn rows() -> AllRows {
    AllRows { table: 0, row: 0 }
}

/// Every keyword with its block, in the order of the tables.
pub fn keywords() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows().map(|row| (row.block, row.word()))
}

/// The block a word belongs to; the first one if there are several.
pub(super) fn home(word: &str) -> Option<&'static str> {
    rows().find(|row| row.word() == word).map(|row| row.block)
}
