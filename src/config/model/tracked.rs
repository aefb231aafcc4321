//! Groups of instances, and what instances track.

use core::fmt;
use core::net::IpAddr;

use super::{Assumption, Config, Text, rows};
use crate::config::ids::{
    GroupId, Id, InstanceId, LinkId, PingGroupId, ProbeId, ServiceId, TrackedRouteId, VariableId,
};
use crate::time::Duration;
use crate::wire::link::LinkIndex;
use crate::wire::rtnetlink::route::{Network, RT_TABLE_MAIN, RouteEntry, RouteKind};

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
    /// its value is multiplied by, -254 to 254; 0: any value but 0 means FAULT.
    pub weight: i16,
    /// Up counts as down and the other way round; of a variable: the sign is changed.
    pub reverse: bool,
    /// For how long what is tracked must be up before that counts; zero: at once. Not of an interface or a variable.
    pub rise: Duration,
    /// The same for down.
    pub fall: Duration,
    /// It counts as down from the start until it was up for `rise`.
    pub init_fail: bool,
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
    /// A route of the kernel's, whoever made it.
    Route(TrackedRouteId),
    // `track_link NAME` (a `serial_link`) belongs here: up while the other end is heard, an event tells.
}

/// A line of `track_route`: met by a unicast route that is usable and fits all that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackedRoute {
    /// Exactly this network; `0.0.0.0/0` or `::/0` is the default route.
    pub destination: Network,
    /// In this routing table.
    pub table: u32,
    /// Out of this interface, one of several next hops included.
    pub link: Option<LinkId>,
    /// By this router, one of several next hops included.
    pub gateway: Option<IpAddr>,
}

impl TrackedRoute {
    /// As it is written; `link` is the name of the interface.
    pub fn write(&self, f: &mut fmt::Formatter<'_>, link: Option<&dyn fmt::Display>) -> fmt::Result {
        let (network, prefix) = self.destination;
        write!(f, "{network}/{prefix}")?;
        if self.table != RT_TABLE_MAIN {
            write!(f, " table {}", self.table)?;
        }
        link.map_or(Ok(()), |link| write!(f, " dev {link}"))?;
        self.gateway.map_or(Ok(()), |gateway| write!(f, " via {gateway}"))
    }

    /// True if the entry is about the place where this route is looked for.
    pub fn is_place(&self, entry: &RouteEntry<'_>) -> bool {
        (self.table, self.destination) == (entry.table, entry.destination)
    }

    /// True if the entry is such a route, and usable. One that refuses or drops packets is none.
    pub fn is_met(&self, entry: &RouteEntry<'_>, index: impl Fn(LinkId) -> LinkIndex) -> bool {
        let leads = |gateway: Option<IpAddr>, link: Option<LinkIndex>| {
            self.gateway.is_none_or(|wanted| gateway == Some(wanted))
                && self.link.is_none_or(|wanted| link == Some(index(wanted)))
        };
        let mut hops = entry.next_hops().peekable();
        entry.kind == RouteKind::Unicast
            && self.is_place(entry)
            && match hops.peek() {
                None => !entry.unusable && leads(entry.gateway, entry.link),
                Some(_) => hops.any(|hop| !hop.unusable && leads(hop.gateway, Some(hop.link))),
            }
    }
}

impl Tracker {
    /// Without weight, sign and delays.
    pub const fn of(target: TrackTarget) -> Self {
        let none = Duration::ZERO;
        Self { target, weight: 0, reverse: false, rise: none, fall: none, init_fail: false }
    }

    /// An interface, not reversed.
    pub const fn of_link(link: LinkId, weight: i16) -> Self {
        Self { weight, ..Self::of(TrackTarget::Link(link)) }
    }

    /// The interface, if it is one.
    pub const fn link(&self) -> Option<LinkId> {
        match self.target {
            TrackTarget::Link(link) => Some(link),
            TrackTarget::Ping(_)
            | TrackTarget::Service(_)
            | TrackTarget::Variable(_)
            | TrackTarget::Route(_) => None,
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
    /// How many requests in a row are lost then; 0: as many as fit into `dead`.
    pub fall: u8,
    /// How many answers in a row make a host up again.
    pub rise: u8,
    /// Whether a host is up before it answered (`init_fail`).
    pub assumption: Assumption,
}

/// A `track_file`: a number that the operator sets on the console, since there is no file to write it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name behind `track_file`.
    pub name: Text,
    /// Weight of trackers that do not say another, -254 to 254.
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
