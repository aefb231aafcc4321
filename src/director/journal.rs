//! Records: what happened and why, in a ring of fixed size. Every reader holds a [`Cursor`] and is told how many
//! records it came too late for. Text is made elsewhere (`console/lines.rs`).

use core::net::IpAddr;

use super::action::{Change, RoutingRef};
use super::event::{DumpError, Errno};
use super::groups::Standing;
use super::vrrp::{Fault, Reject};
use crate::check::Failure;
use crate::config::ids::{
    AddressId, DestinationId, GroupId, InstanceId, LinkId, ProbeId, ServiceId, TrackedRouteId, VariableId,
};
use crate::limits::MAX_RECORDS;
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::{DaemonRole, DestinationKey};
use crate::wire::link::MacAddress;
use crate::wire::nftables::Presence;
use crate::wire::nftables::firewall::Part;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// What and why.
    pub reason: Reason,
}

/// What happened to what, and why. Ids belong to the configuration that is loaded while the record is read: readers
/// drain the journal before a reload swaps it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// An interface came up.
    LinkUp(LinkId),
    /// An interface went down: administratively or by carrier.
    LinkDown(LinkId),
    /// An interface came up or went down and must stay so for this time before it counts.
    LinkUnsettled(LinkId, bool, Duration),
    /// An interface is not there.
    LinkAbsent(LinkId),
    /// The VRRP socket of an interface could not be opened.
    SocketFailed(LinkId, Errno),
    /// An instance is BACKUP from the start, or again.
    EnteredBackup(InstanceId, Entry),
    /// An instance is MASTER.
    EnteredMaster(InstanceId),
    /// An instance cannot take part.
    EnteredFault(InstanceId, Fault),
    /// A group brings its members to one state.
    GroupSynced(GroupId, Standing),
    /// A BACKUP heard nothing for the master-down time.
    MasterSilent(InstanceId),
    /// An instance is about to have its addresses added.
    SettingAddresses(InstanceId),
    /// An instance is about to have its addresses removed.
    RemovingAddresses(InstanceId),
    /// An instance stops and leaves its addresses for the next start.
    LeavingAddresses(InstanceId),
    /// An instance found the addresses that it left, and listens for an interval before it goes on as MASTER.
    Resuming(InstanceId),
    /// A MASTER said that it leaves.
    SentFarewell(InstanceId),
    /// The active router said that it leaves.
    ReceivedFarewell(InstanceId, IpAddr),
    /// A MASTER heard a better router.
    HigherAdvert(InstanceId, Rival),
    /// A MASTER heard an equal router with a higher address.
    EqualAdvert(InstanceId, Rival),
    /// A preempting BACKUP heard a lesser router and lets the timer run.
    LowerDiscarded(InstanceId, Rival),
    /// A MASTER heard a lesser router and answers.
    LowerAnswered(InstanceId, Rival),
    /// The operator set a variable.
    VariableSet(VariableId, i16),
    /// What is tracked changed the priority.
    PriorityChanged(InstanceId, u8, u8),
    /// An advert was refused; said once per state and reason, counted always. The last value is what stood in the field
    /// that was found wrong (TTL, version, type, interval, authentication type), 0 for the other reasons.
    Rejected(InstanceId, Reject, IpAddr, u8),
    /// An advert lists other addresses than ours; accepted.
    AddressListDiffers(InstanceId, IpAddr, u8),
    /// Adverts of a peer fit that did not.
    PeerMended(InstanceId, IpAddr),
    /// A BACKUP goes by the active router's interval: from, to, in centiseconds.
    IntervalAdopted(InstanceId, u16, u16),
    /// A new MASTER goes by its own interval again: from, to, in centiseconds.
    IntervalRestored(InstanceId, u16, u16),
    /// Two owners of the addresses (priority 255) on one segment.
    TwoOwners(InstanceId, IpAddr),
    /// The other owner does not give way: this one takes back its priority to 254.
    OwnerDemoted(InstanceId),
    /// A lesser router is MASTER: it is followed for this time before it is preempted.
    PreemptDelayStarted(InstanceId, Duration),
    /// A router that is not lesser is MASTER: there is nobody to preempt.
    PreemptDelayStopped(InstanceId),
    /// No VRRP for this time after the start.
    StartDelayed(Duration),
    /// An advert could not be sent.
    AdvertFailed(InstanceId, Errno),
    /// The first announcement of a burst.
    Announcing(AddressId),
    /// An announcement could not be sent.
    AnnounceFailed(AddressId, Errno),
    /// Somebody removed an address of ours; it is put back.
    AddressMissing(AddressId),
    /// Another host speaks for an address that we hold.
    AddressDuplicate(AddressId, MacAddress),
    /// Somebody else's address turned out to be one that must not be here; it is removed.
    AddressUnwanted(AddressId),
    /// The kernel refused to add or remove an address.
    AddressFailed(AddressId, Change, Errno),
    /// What is sent to an instance's addresses is dropped from now on, or not any more (`no_accept`).
    DropRule(InstanceId, Presence),
    /// Our nf_tables table cannot be made or removed.
    FilterFailed(Errno),
    /// It can after all.
    FilterBuilt,
    /// Somebody changed our nf_tables table; it is made again.
    FilterDiffers,
    /// A part of `firewall` cannot be made or removed.
    FirewallFailed(Part, Errno),
    /// It can after all.
    FirewallBuilt(Part),
    /// Somebody changed the table of a part of `firewall`; it is made again.
    FirewallDiffers(Part),
    /// A table of ours in nf_tables could not be removed at the stop.
    TableLeft(&'static str, Errno),
    /// Somebody removed a route or rule of ours; it is put back.
    RoutingMissing(RoutingRef),
    /// A route or rule of ours is there though it must not be; it is removed.
    RoutingUnwanted(RoutingRef),
    /// The kernel refused to add or remove a route or rule.
    RoutingFailed(RoutingRef, Change, Errno),
    /// A family of objects was repaired too often: someone is fighting us. Repairs wait.
    RepairsHeld(Family),
    /// The kernel has no IPVS, or none for us.
    IpvsAbsent(Errno),
    /// The kernel has IPVS.
    IpvsFound,
    /// The timeouts or the flush were refused.
    IpvsSetupFailed(Errno),
    /// A service of ours was missing from the kernel's table.
    ServiceMissing(ServiceId),
    /// A service of ours was changed by someone.
    ServiceDiffers(ServiceId),
    /// The kernel refused a service.
    ServiceFailed(ServiceId, Change, Errno),
    /// A destination of ours was missing from the kernel's table.
    DestinationMissing(DestinationId),
    /// A destination of ours was changed by someone: the weight that was found.
    DestinationDiffers(DestinationId, u32),
    /// A destination in a service of ours that nobody configured; it is removed.
    DestinationStrange(ServiceId, DestinationKey),
    /// The kernel refused a destination.
    DestinationFailed(DestinationId, Change, Errno),
    /// A dump did not end well and is repeated.
    DumpFailed(Family, DumpError),
    /// A probe failed and its retries are used up.
    ProbeDown(ProbeId, Failure, u32),
    /// A probe that was down succeeds.
    ProbeUp(ProbeId),
    /// A probe could not be made for a reason of our own.
    ProbeHindered(ProbeId, Errno),
    /// A real server left the pool or got weight 0.
    DestinationDown(DestinationId),
    /// A real server is back in the pool.
    DestinationUp(DestinationId),
    /// A service has the weight it needs.
    QuorumGained(ServiceId, u32),
    /// A service lost the weight it needs.
    QuorumLost(ServiceId, u32),
    /// A service starts without the weight it needs.
    QuorumAbsent(ServiceId, u32),
    /// A new configuration is in force.
    Reloaded,
    /// A service that is no longer configured leaves the kernel.
    ServiceRetired,
    /// A sync daemon was started or stopped.
    DaemonChanged(DaemonRole, Change),
    /// The kernel refused to start or to stop a sync daemon.
    DaemonFailed(DaemonRole, Change, Errno),
    /// Somebody stopped a sync daemon of ours.
    DaemonMissing(DaemonRole),
    /// A sync daemon runs otherwise than configured, or where none shall.
    DaemonDiffers(DaemonRole),
    /// The director is going down.
    Stopping,
    /// A route that is tracked is there, or missing.
    RouteTracked(TrackedRouteId, bool),
    /// A MASTER showed itself so late that it gives up (`timer_expired_backup`).
    WokeLate(InstanceId, Duration),
    /// The operator cleared so many alarms.
    AlarmsCleared(u32),
    /// The last sorry server that was alive went down while the quorum is lost, or the first one came back.
    ReliefChanged(ServiceId, bool),
    /// The checks of a service's servers rest, because its address is not on this box.
    ChecksSuspended(ServiceId),
    /// They are made again.
    ChecksResumed(ServiceId),
    /// The operator set the weight of a real server, or gave it back to the configuration.
    Overridden(DestinationId, Option<u16>),
    /// A real server returned: its weight rises in steps (`slow_start`).
    RiseStarted(DestinationId),
    /// A real server that is no longer configured gets no new connections for at most this time (`drain_time`).
    DrainStarted(ServiceId, DestinationKey, Duration),
    /// It leaves the table, with so many active connections.
    DrainEnded(ServiceId, DestinationKey, u32),
    /// No probe is hindered by a fault of our own any more.
    ProbesResumed,
}

/// The other router in an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rival {
    /// Its address.
    pub from: IpAddr,
    /// Its priority.
    pub theirs: u8,
    /// Our effective priority.
    pub ours: u8,
}

/// How an instance came to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// At start or after a fault.
    Initial,
    /// From MASTER.
    Defeated,
    /// From FAULT.
    Recovered,
}

/// A family of kernel objects that is compared with the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Interfaces.
    Links,
    /// Addresses.
    Addresses,
    /// Routes and rules.
    Routes,
    /// IPVS services and destinations.
    Ipvs,
    /// Our nf_tables table.
    Filter,
}

/// Where a reader of the journal stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor(u64);

/// The ring.
#[derive(Debug)]
pub struct Journal {
    ring: Box<[Record]>,
    written: u64,
}

impl Journal {
    pub(crate) fn new() -> Self {
        let blank = Record { at: Instant::ZERO, reason: Reason::Stopping };
        Self { ring: vec![blank; MAX_RECORDS].into_boxed_slice(), written: 0 }
    }

    pub(crate) fn push(&mut self, at: Instant, reason: Reason) {
        let place = self.place(self.written);
        if let Some(slot) = self.ring.get_mut(place) {
            *slot = Record { at, reason };
            self.written += 1;
        }
    }

    /// The next record behind `cursor` and how many before it were overwritten unread; `None` at the end.
    pub fn read(&self, cursor: &mut Cursor) -> Option<(u64, Record)> {
        let oldest = self.written.saturating_sub(self.ring.len() as u64);
        let lost = oldest.saturating_sub(cursor.0);
        let at = cursor.0.max(oldest);
        if at >= self.written {
            return None;
        }
        cursor.0 = at + 1;
        self.ring.get(self.place(at)).map(|record| (lost, *record))
    }

    /// Records behind `cursor`.
    pub fn unread(&self, cursor: &Cursor) -> u64 {
        self.written.saturating_sub(cursor.0)
    }

    /// Records written since the start.
    pub fn written_total(&self) -> u64 {
        self.written
    }

    fn place(&self, serial: u64) -> usize {
        usize::try_from(serial % self.ring.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let mut journal = Journal::new();
        let mut cursor = Cursor::default();
        assert_eq!(journal.read(&mut cursor), None);
        for n in 0..MAX_RECORDS as u64 + 3 {
            journal.push(Instant::from_micros(n), Reason::Stopping);
        }
        let (lost, first) = journal.read(&mut cursor).unwrap();
        assert_eq!((lost, first.at), (3, Instant::from_micros(3)));
        let rest = core::iter::from_fn(|| journal.read(&mut cursor))
            .inspect(|(lost, _)| assert_eq!(*lost, 0))
            .count();
        assert_eq!(rest, MAX_RECORDS - 1);
    }
}
