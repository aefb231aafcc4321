//! What the director wants done: `Copy`, ids only. The shell asks the director's views for the values.

use heapless::Vec;

use crate::config::ids::{AddressId, DestinationId, InstanceId, LinkId, ProbeId, RouteId, RuleId, ServiceId};
use crate::limits::MAX_BATCH;
use crate::wire::genl_ipvs::DaemonRole;
use crate::wire::nftables::firewall::Part;
use crate::wire::vrrp::Channel;

/// The actions of one poll.
pub type Actions = Vec<Action, MAX_BATCH>;

/// Counts the configurations and the resets of our knowledge: an answer to a question of an earlier epoch is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Epoch(pub u32);

/// One of the long-lived probe slots, 0 to [`crate::limits::MAX_SLOTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SlotId(pub u16);

/// Something to do. Each is answered by an event that carries it back, but those that say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send an advert ([`super::Director::advert`]). Not answered unless it fails.
    SendAdvert {
        /// Of this instance.
        instance: InstanceId,
        /// Row of the instance's peers; 0 for multicast.
        peer: u16,
        /// What it says.
        kind: AdvertKind,
    },
    /// Send one gratuitous ARP or neighbour advertisement ([`super::Director::announcement`]). Not answered unless
    /// it fails.
    Announce {
        /// For this address.
        address: AddressId,
    },
    /// Open a VRRP socket of an interface ([`super::Director::socket`]); one that is open is closed first.
    OpenSocket {
        /// Epoch.
        epoch: Epoch,
        /// The interface.
        link: LinkId,
        /// Which socket.
        channel: Channel,
    },
    /// Close it. Not answered.
    CloseSocket {
        /// The interface.
        link: LinkId,
        /// Which socket.
        channel: Channel,
    },
    /// Add an address ([`super::Director::route_request`]).
    AddAddress {
        /// Epoch.
        epoch: Epoch,
        /// The address.
        address: AddressRef,
    },
    /// Remove an address ([`super::Director::route_request`]).
    RemoveAddress {
        /// Epoch.
        epoch: Epoch,
        /// The address.
        address: AddressRef,
    },
    /// Add, replace or remove a route or a rule ([`super::Director::routing_request`]).
    Routing {
        /// Epoch.
        epoch: Epoch,
        /// The route or rule.
        object: RoutingRef,
        /// What.
        change: Change,
    },
    /// Look up the family of IPVS in the kernel: applied if it is there, an error if not.
    FindIpvs {
        /// Epoch.
        epoch: Epoch,
    },
    /// Set the IPVS timeouts ([`super::Director::ipvs_request`]).
    SetTimeouts {
        /// Epoch.
        epoch: Epoch,
    },
    /// Empty the IPVS table ([`super::Director::ipvs_request`]).
    FlushIpvs {
        /// Epoch.
        epoch: Epoch,
    },
    /// Add, change or remove a service ([`super::Director::ipvs_request`]).
    Service {
        /// Epoch.
        epoch: Epoch,
        /// The service.
        service: ServiceRef,
        /// What.
        change: Change,
    },
    /// Add, change or remove a destination ([`super::Director::ipvs_request`]).
    Destination {
        /// Epoch.
        epoch: Epoch,
        /// The destination.
        destination: DestinationRef,
        /// What.
        change: Change,
    },
    /// Change our nf_tables table, or look at it ([`super::Director::filter_transaction`]). What a look shows is an
    /// event of its own before the answer.
    Filter {
        /// Epoch.
        epoch: Epoch,
        /// What.
        step: FilterStep,
    },
    /// Change a table of `firewall`, or look at it ([`super::Director::config`] has the rules). What a look shows is an
    /// event of its own before the answer.
    Firewall {
        /// Epoch.
        epoch: Epoch,
        /// Which table; of no matter for [`FilterStep::Look`].
        part: Part,
        /// What; never [`FilterStep::Change`].
        step: FilterStep,
    },
    /// List something of the kernel's: every row is an event, the end is [`super::Event::Dumped`].
    Dump {
        /// Epoch.
        epoch: Epoch,
        /// What.
        what: Dump,
    },
    /// Run a probe's dialogue in a slot ([`super::Director::probe`]).
    Probe {
        /// Epoch.
        epoch: Epoch,
        /// The slot, which is idle.
        slot: SlotId,
        /// The probe.
        probe: ProbeId,
        /// Which of its dialogues: row of the checker's urls.
        step: u16,
    },
    /// Give up what runs in a slot. Not answered.
    AbortProbe {
        /// The slot.
        slot: SlotId,
    },
    /// Start or stop one of the kernel's sync daemons.
    Daemon {
        /// When it was asked.
        epoch: Epoch,
        /// Which of the two.
        role: DaemonRole,
        /// `Add` or `Remove`.
        change: Change,
    },
    /// Read the timeouts of IPVS; [`super::event::Event::Timeouts`] comes before the answer.
    ReadTimeouts {
        /// When it was asked.
        epoch: Epoch,
    },
}

/// What to do with our nf_tables table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterStep {
    /// Make it, whatever is there.
    Build,
    /// Change elements of it.
    Change,
    /// Remove it.
    Remove,
    /// Ask how often nf_tables was changed.
    Look,
    /// List its rules and elements.
    Verify,
}

/// What an advert says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvertKind {
    /// I am here, with my priority.
    Present,
    /// I leave: priority 0.
    Farewell,
}

/// What to do with an object of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is absent and shall be there.
    Add,
    /// It differs.
    Set,
    /// It shall not be there.
    Remove,
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// Interfaces.
    Links,
    /// Addresses.
    Addresses,
    /// Routes of all tables.
    Routes,
    /// Routing rules.
    Rules,
    /// Services.
    Services,
    /// Destinations of one service.
    Destinations(ServiceId),
    /// Sync daemons.
    Daemons,
}

/// A virtual address of the configuration, or one that a reload left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRef {
    /// Configured.
    Configured(AddressId),
    /// Row of the retired addresses.
    Retired(u32),
}

/// A route or rule of the configuration, or one that a reload left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutingRef {
    /// A route.
    Route(RouteId),
    /// A rule.
    Rule(RuleId),
    /// Row of the retired ones.
    Retired(u32),
}

/// A service of the configuration, or one that a reload left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceRef {
    /// Configured.
    Configured(ServiceId),
    /// Row of the retired services.
    Retired(u32),
}

/// A destination of the configuration, or one found in a service of ours that nobody configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationRef {
    /// Configured.
    Configured(DestinationId),
    /// Row of the strangers.
    Stranger(u16),
    /// Row of those that are not configured any more and are drained.
    Draining(u32),
}

/// How many actions of each kind a poll may take: what the shell can apply before it must look at the wire again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests to the routing socket.
    pub route: usize,
    /// Requests to IPVS.
    pub ipvs: usize,
    /// Announcements.
    pub announcements: usize,
    /// Probes.
    pub probes: usize,
    /// Probes in a poll that asks IPVS for something: fewer, or none if the turn has had them.
    pub probes_meanwhile: usize,
}

/// Takes up to `budget` actions from `next`, as long as there is room.
pub(super) fn fill(out: &mut Actions, budget: usize, mut next: impl FnMut() -> Option<Action>) {
    for _ in 0..budget.min(out.capacity() - out.len()) {
        match next() {
            Some(action) => {
                let _ = out.push(action);
            }
            None => break,
        }
    }
}
