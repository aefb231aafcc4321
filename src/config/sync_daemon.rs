//! `lvs_sync_daemon`: the kernel tells connections to the other director. One line in `global_defs`, or the old
//! `lvs_sync_daemon_interface` of an instance.

use core::net::IpAddr;

use super::build::Tables;
use super::codes::SYNC_DAEMON;
use super::global::{GlobalDraft, multicast};
use super::ids::{Id, InstanceId};
use super::instance::InstanceDraft;
use super::keywords::RootDraft;
use super::model::SyncDaemon;
use super::rows::{link, words};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::keyword::OLD_NAME;
use crate::syntax::{Context, Given, Keyword, Line};
use crate::wire::genl_ipvs::DaemonSpec;
use crate::wire::link::LinkName;

const EXPECTED: &str =
    "an interface, an instance and `id N`, `maxlen N`, `port N`, `ttl N` or `group ADDRESS`";

pub(super) const ROW: Keyword<GlobalDraft> =
    words("lvs_sync_daemon|none|the kernel tells connections to the other director", EXPECTED, set);

/// Most bytes of a UDP datagram over IPv4.
const MAX_LENGTH: u32 = 65_507;

/// As written.
#[derive(Debug)]
pub(super) struct SyncDraft {
    link: Given<LinkName>,
    instance: Option<Given<String>>,
    id: Option<u8>,
    spec: DaemonSpec,
}

impl SyncDraft {
    fn new(link: Given<LinkName>) -> Self {
        Self { link, instance: None, id: None, spec: DaemonSpec::new(link.value) }
    }
}

fn set(global: &mut GlobalDraft, line: &mut Line<'_, '_>) {
    let keyword = line.keyword().at;
    let Some(link) = link(line) else { return };
    let mut draft = SyncDraft::new(link);
    while let Some(word) = line.word() {
        let done = match &*word.text {
            "id" => line.integer(0, 255).and_then(|given| narrow(given.value)).map(|id| draft.id = Some(id)),
            "maxlen" => number(line, MAX_LENGTH).map(|value| draft.spec.maxlen = value),
            "port" => number(line, 65_535).map(|value| draft.spec.port = value),
            "ttl" => {
                line.integer(1, 255).and_then(|given| narrow(given.value)).map(|ttl| draft.spec.ttl = ttl)
            }
            "group" => group(line).map(|group| draft.spec.group = group),
            _ if draft.instance.is_none() => {
                let named =
                    if word.text == "inst" { line.need("the name of an instance") } else { Some(word) };
                named.map(|name| {
                    draft.instance = Some(Given { value: name.text.to_string(), at: name.at });
                    old_id(&mut draft, line);
                })
            }
            _ => return line.invalid(&word, EXPECTED),
        };
        if done.is_none() {
            return line.rest();
        }
    }
    if global.sync_daemon.is_some() {
        return line.cx.error(
            SYNC_DAEMON,
            keyword,
            format_args!("a second lvs_sync_daemon is left out"),
            format_args!("there is one for all; remove this line or the one above"),
        );
    }
    global.sync_daemon = Some(draft);
}

/// Once the number stood alone.
fn old_id(draft: &mut SyncDraft, line: &mut Line<'_, '_>) {
    let Some(word) = line.peek() else { return };
    if let (Ok(id), None) = (word.text.parse(), draft.id) {
        line.word();
        draft.id = Some(id);
        line.cx.warn(
            OLD_NAME,
            word.at,
            format_args!("{id} is the id of the sync daemon"),
            format_args!("write `id {id}`"),
        );
    }
}

fn group(line: &mut Line<'_, '_>) -> Option<IpAddr> {
    if line.peek().is_none() {
        line.need("a multicast address")?;
    }
    multicast(line).map(|given| given.value)
}

fn number(line: &mut Line<'_, '_>, max: u32) -> Option<u16> {
    line.integer(1, max).and_then(|given| u16::try_from(given.value).ok())
}

fn narrow(value: u32) -> Option<u8> {
    u8::try_from(value).ok()
}

/// `lvs_sync_daemon_interface` of an instance: the first one counts, unless `global_defs` has a line.
pub(super) fn prepare(root: &mut RootDraft, instances: &[InstanceDraft]) {
    for (instance, link) in instances.iter().filter_map(|one| Some((one, one.sync_interface?))) {
        if root.global.sync_daemon.is_none() {
            let name = Given { value: instance.name.clone(), at: link.at };
            root.global.sync_daemon = Some(SyncDraft { instance: Some(name), ..SyncDraft::new(link) });
        }
    }
}

/// The daemon, once all instances are known; one bound to an instance that is not there is left out.
pub(super) fn finish(root: &RootDraft, tables: &mut Tables, cx: &mut Context<'_>) -> Option<SyncDaemon> {
    let draft = root.global.sync_daemon.as_ref()?;
    let instance = match &draft.instance {
        None => None,
        Some(name) => {
            let text = tables.texts.find(&name.value);
            let found = tables.instances.iter().position(|one| Some(one.name) == text);
            if found.is_none() {
                cx.error(
                    SYNC_DAEMON,
                    name.at,
                    format_args!("{} is no instance: the sync daemon is left out", Quoted(&name.value)),
                    format_args!(
                        "write the name of a vrrp_instance of this file, or none for both daemons at once"
                    ),
                );
            }
            Some(found?)
        }
    };
    // What is left out leaves no interface behind.
    let link = tables.link(draft.link.value, draft.link.at)?;
    let vrid = instance.and_then(|row| tables.instances.get(row)).map(|one| one.vrid.get());
    let spec = DaemonSpec { id: draft.id.or(vrid).unwrap_or(0), ..draft.spec };
    Some(SyncDaemon { link, instance: instance.map(InstanceId::from_index), spec })
}
