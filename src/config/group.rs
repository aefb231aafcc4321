//! `vrrp_sync_group`: instances that change their states together. Its trackers are those of every member.
//!
//! Groups are finished after the instances, whose names they hold; an instance asks for its group's trackers before
//! ([`of`]).

use super::build::{Tables, row};
use super::codes::GROUP;
use super::ids::{Id, InstanceId};
use super::instance::TRACK;
use super::known::Known;
use super::model::Group;
use super::rows::{block, flag, list, notify_rows, old, unsupported};
use super::track::{self, TrackerDraft};
use crate::syntax::diagnostic::Quoted;
use crate::syntax::{Context, Given, Keyword, Line, NodeId, Position, Table, Walk};

/// A group as written.
#[derive(Debug, Default)]
pub(super) struct GroupDraft {
    name: String,
    at: Position,
    members: Vec<Given<String>>,
    pub(super) trackers: Vec<TrackerDraft>,
    pub(super) weighted: bool,
}

pub(super) static SYNC_GROUP: Table<GroupDraft> = Table { name: "vrrp_sync_group", rows: &[ROWS, &NOTIFY] };

const NOTIFY: [Keyword<GroupDraft>; 7] = notify_rows();

const ROWS: &[Keyword<GroupDraft>] = &[
    block("group|none|instances that change their states together", |b, cx, node| {
        Walk::items(cx, node, member, b);
    }),
    flag("sync_group_tracking_weight|off|members may have trackers with a weight", |b, _| b.weighted = true),
    old("global_tracking", "sync_group_tracking_weight"),
    list("track_interface|none|interfaces that must be up, for every member", |b, line| {
        b.trackers.extend(track::of_link(line));
    }),
    list("track_ping_group|none|hosts of which one must answer, for every member", |b, line| {
        b.trackers.extend(track::of_ping(line));
    }),
    list("track_service|none|virtual services that need their quorum, for every member", |b, line| {
        b.trackers.extend(track::of_service(line));
    }),
    list("track_file|none|variables of the console, for every member", |b, line| {
        b.trackers.extend(track::of_variable(line));
    }),
    list("track_route|none|routes that must be in the kernel, for every member", |b, line| {
        b.trackers.extend(track::of_route(line));
    }),
    unsupported("track_link|none|serial links that must be up, for every member", track::NO_LINK),
    unsupported("track_script|none|scripts that must succeed", TRACK),
    unsupported("track_process|none|processes that must run", TRACK),
    unsupported("track_bfd|none|BFD sessions that must be up", TRACK),
];

/// One name on each line, or several.
fn member(draft: &mut GroupDraft, line: &mut Line<'_, '_>) {
    while let Some(word) = line.word() {
        draft.members.push(Given { value: word.text.into_owned(), at: word.at });
    }
}

/// Reads a `vrrp_sync_group` block.
pub(super) fn read(cx: &mut Context<'_>, node: NodeId) -> Option<GroupDraft> {
    let at = cx.tree.position(node);
    let mut line = cx.line(node);
    let name = line.need("the name of the group")?;
    line.end();
    let mut draft = GroupDraft { name: name.text.into_owned(), at, ..GroupDraft::default() };
    Walk::block(cx, node, &SYNC_GROUP, &mut draft);
    Some(draft)
}

/// The group that names an instance first.
pub(super) fn of<'a>(groups: &'a [GroupDraft], instance: &str) -> Option<&'a GroupDraft> {
    groups.iter().find(|group| group.members.iter().any(|member| member.value == instance))
}

/// Settles who is in which group, before instances ask: the first group of a name counts, and the first that names an
/// instance.
pub(super) fn prepare(drafts: &mut Vec<GroupDraft>, cx: &mut Context<'_>) {
    let (mut names, mut members) = (Known::default(), Known::default());
    drafts.retain_mut(|draft| {
        let is_new = names.add(draft.name.clone());
        if is_new {
            draft.members.retain(|member| {
                let free = members.add(member.value.clone());
                if !free {
                    let hint = "an instance belongs to one group: remove one of the lines";
                    not_a_member(member, "is in a group already", hint, cx);
                }
                free
            });
        } else {
            cx.error(
                GROUP,
                draft.at,
                format_args!("there is a group {} already; this one is left out", Quoted(&draft.name)),
                format_args!("give every group a name of its own"),
            );
        }
        is_new
    });
}

/// Adds the groups to the tables; whoever is no instance is reported and left out.
pub(super) fn finish(drafts: &[GroupDraft], tables: &mut Tables, cx: &mut Context<'_>) {
    for draft in drafts {
        let start = tables.members.len();
        for member in &draft.members {
            // What is left out leaves nothing behind in the texts.
            let text = tables.texts.find(&member.value);
            match tables.instances.iter().position(|one| Some(one.name) == text) {
                Some(id) => tables.members.push(InstanceId::from_index(id)),
                None => {
                    let hint = "write the name of a vrrp_instance of this file";
                    not_a_member(member, "is no instance", hint, cx);
                }
            }
        }
        let count = tables.members.len() - start;
        if count == 0 {
            cx.error(
                GROUP,
                draft.at,
                format_args!("group {} has no members and is left out", Quoted(&draft.name)),
                format_args!("write the names of instances in its `group` block, one on each line"),
            );
            continue;
        }
        if count == 1 {
            cx.warn(
                GROUP,
                draft.at,
                format_args!("group {} has one member only", Quoted(&draft.name)),
                format_args!("name the instances that go with it, or remove the group"),
            );
        }
        let name = tables.texts.intern(&draft.name);
        let members = row(start)..row(tables.members.len());
        tables.groups.push(Group { name, members, weighted: draft.weighted });
    }
}

fn not_a_member(member: &Given<String>, why: &str, hint: &str, cx: &mut Context<'_>) {
    cx.error(
        GROUP,
        member.at,
        format_args!("{} {why} and is left out of this group", Quoted(&member.value)),
        format_args!("{hint}"),
    );
}
