//! Groups of instances, and what instances track.

use super::{Assumption, Config, Text, rows};
use crate::config::ids::{GroupId, Id, InstanceId, LinkId, PingGroupId, ProbeId, ServiceId, VariableId};
use crate::time::Duration;

/// A sync group: instances that change their states together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name behind `vrrp_sync_group`.
    pub name: Text,
    /// Rows of `Config::members`, at least one.
    pub members: core::ops::Range<u32>,
    /// Trackers of its members may have a weight (`sync_group_tracking_weight`).
    pub weighted: bool,
}

/// Something whose state matters to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracker {
    /// What is tracked.
    pub target: TrackTarget,
    /// 0: down means FAULT. Above 0: added while up. Below 0: subtracted while down. -253 to 253. Of a variable: what
    /// its value is multiplied by; 0: any value but 0 means FAULT.
    pub weight: i16,
    /// Up counts as down and the other way round; of a variable: the sign is changed.
    pub reverse: bool,
}

/// What is tracked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackTarget {
    /// An interface: up with carrier.
    Link(LinkId),
    /// Hosts outside: one of them answers.
    Ping(PingGroupId),
    /// A virtual service: it has its quorum.
    Service(ServiceId),
    /// A variable that the operator sets (`set track`).
    Variable(VariableId),
}

impl Tracker {
    /// An interface, not reversed.
    pub const fn of_link(link: LinkId, weight: i16) -> Self {
        Self { target: TrackTarget::Link(link), weight, reverse: false }
    }

    /// The interface, if it is one.
    pub const fn link(&self) -> Option<LinkId> {
        match self.target {
            TrackTarget::Link(link) => Some(link),
            TrackTarget::Ping(_) | TrackTarget::Service(_) | TrackTarget::Variable(_) => None,
        }
    }
}

/// A `ping_group`: up while at least one of its hosts answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingGroup {
    /// The name behind `ping_group`.
    pub name: Text,
    /// Rows of `Config::probe_uses`: one probe for each host.
    pub probes: core::ops::Range<u32>,
    /// Between two requests.
    pub interval: Duration,
    /// A host that was silent so long is down.
    pub dead: Duration,
    /// Whether a host is up before it answered (`init_fail`).
    pub assumption: Assumption,
}

/// A `track_file`: a number that the operator sets on the console, since there is no file to write it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name behind `track_file`.
    pub name: Text,
    /// Weight of trackers that do not say another, -253 to 253.
    pub weight: i16,
    /// Its value at the start.
    pub initial: i16,
}

impl Config {
    /// The members of a group, in order.
    pub fn members_of(&self, group: &Group) -> &[InstanceId] {
        rows(&self.members, &group.members)
    }

    /// The group an instance is in.
    pub fn group_of(&self, instance: InstanceId) -> Option<GroupId> {
        let holds = |group: &Group| self.members_of(group).contains(&instance);
        self.groups.iter().position(holds).map(GroupId::from_index)
    }

    /// The group's name.
    pub fn group_name(&self, id: GroupId) -> &str {
        self.groups.get(id.index()).map_or("?", |group| self.texts.get(group.name))
    }

    /// The probes of a ping group.
    pub fn pings_of(&self, group: &PingGroup) -> &[ProbeId] {
        rows(&self.probe_uses, &group.probes)
    }

    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<VariableId> {
        let is = |one: &Variable| self.texts.get(one.name) == name;
        self.variables.iter().position(is).map(VariableId::from_index)
    }
}
