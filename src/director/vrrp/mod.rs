//! VRRP (RFC 3768, RFC 9568 section 6): the state machine of every virtual router this box takes part in.
//!
//! Where RFC and keepalived differ we do as keepalived does on the wire: everyone but the address owner starts as
//! BACKUP, a MASTER answers a lesser advert at once, and equal priorities are settled by address only between two
//! masters. What is received is judged in `judge.rs`; what is sent is made in `packet.rs`.

mod condition;
mod group;
mod handover;
mod hear;
mod interval;
mod judge;
mod late;
mod leftovers;
mod misfits;
pub mod packet;
#[cfg(test)]
mod tests;

use core::net::IpAddr;

use super::action::AdvertKind;
use super::bus::{Bus, Timer};
use super::dirty::DirtySet;
use super::event::Errno;
use super::groups::Groups;
use super::journal::{Entry, Reason, Rival};
use super::links::Links;
use super::net_plan::NetPlan;
use super::track::Tracks;
use crate::config::Config;
use crate::config::ids::{GroupId, Id, InstanceId, LinkId};
use crate::config::model::Instance;
use crate::time::{Duration, Instant};
use crate::wire::vrrp::Family;
use condition::{Condition, condition};
pub use group::Ability;
pub(crate) use handover::{Predecessor, is_same};
use interval::centiseconds;
pub use interval::{master_down_interval, skew_time};
pub use judge::{Reject, Rejects};
pub use misfits::{Field, Misfit, Misfits};

/// The address owner's priority (RFC 3768 section 5.3.4).
pub const OWNER: u8 = 255;
/// Adverts that a BACKUP discards are reported no more often.
const LEAST_GAP: Duration = Duration::from_millis(500);

/// A virtual router's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is known yet, or the box is stopping.
    Init,
    /// Another router is active.
    Backup,
    /// This router is active.
    Master,
    /// It cannot take part.
    Fault(Fault),
}

/// Why a virtual router cannot take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no such interface.
    LinkAbsent(LinkId),
    /// The interface is down or without carrier.
    LinkDown(LinkId),
    /// The interface has no address of this family to send from.
    NoAddress(LinkId, Family),
    /// The VRRP socket could not be opened.
    Socket(LinkId, Errno),
    /// The configured source address is not on the interface (`track_src_ip`).
    NoSource(LinkId, IpAddr),
    /// Adverts are to go to peers, and there are none (`unicast_fault_no_peer`).
    NoPeers,
    /// What this row of `Config::trackers` tracks is down, or up if it is reversed.
    Tracked(u32),
    /// This member of its group cannot take part.
    Group(InstanceId),
}

/// What an instance wants announced; a new serial is a new wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announcement {
    /// Counts the wishes.
    pub serial: u32,
    /// What brought the last one about.
    pub occasion: Occasion,
}

/// What brings a burst of announcements about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Occasion {
    /// It became MASTER, or its addresses changed.
    #[default]
    Mastership,
    /// A lesser router advertised itself: neighbours may have learned its hardware address.
    LesserRouter,
}

/// Counters of one instance since the program's start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Adverts accepted.
    pub received_total: u64,
    /// Adverts sent, farewells included.
    pub sent_total: u64,
    /// Farewells received.
    pub zero_received_total: u64,
    /// Farewells sent.
    pub zero_sent_total: u64,
    /// Times it became MASTER.
    pub became_master_total: u64,
    /// Times it left MASTER.
    pub released_master_total: u64,
    /// Adverts that list other addresses than ours.
    pub list_differs_total: u64,
    /// Adverts that could not be sent.
    pub send_failed_total: u64,
}

/// What is being sent: a program with a cursor over the peers. A new one supersedes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Idle,
    Send { kind: AdvertKind, peer: u16 },
}

/// One virtual router.
#[derive(Debug, Clone, Copy)]
pub struct VirtualRouter {
    /// State.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// What led to it; `None` before the first state.
    pub why: Option<Reason>,
    /// Effective priority.
    pub priority: u8,
    /// The last router heard that was or is better, and when.
    pub active: Option<(IpAddr, u8, Instant)>,
    /// Since when it has been that router.
    pub active_since: Instant,
    /// Announcements wanted.
    pub announcement: Announcement,
    /// Counters.
    pub counters: Counters,
    /// Adverts refused, by reason.
    pub rejects: Rejects,
    /// Peers whose configuration does not fit ours.
    pub misfits: Misfits,
    /// The interval that the skew and the wait of a BACKUP go by: the active router's in version 3 once it was heard
    /// (RFC 9568 section 6.1, `Active_Adver_Interval`), else our own.
    pub master_interval: Duration,
    /// Its sync group.
    group: Option<GroupId>,
    /// Whether it could take part if it were in no group.
    pub ability: Ability,
    /// A BACKUP that nobody keeps from being MASTER but its group.
    pub wants: bool,
    program: Program,
    /// A lesser router is MASTER: it is followed until then (`preempt_delay`), and preempted after.
    pub preempt_at: Option<Instant>,
    /// Another owner of the addresses was heard as MASTER: first and last time.
    other_owner: Option<(Instant, Instant)>,
    /// Two owners: this one has given up its priority of 255.
    pub demoted: bool,
    /// When a MASTER was to show itself next.
    due_at: Instant,
    /// IP identification: counts adverts, the same for every peer of one round; not 0, which the kernel replaces
    /// (raw(7)).
    ip_id: u16,
    /// The highest sequence number of an authentication header that was sent or accepted. One for all routers, as with
    /// keepalived: whoever hears goes on counting from there, so that a router that was restarted, whose own count
    /// begins anew, is heard again as soon as it has heard the others.
    sequence: u32,
    /// The number of the round that is being sent, the same for every peer.
    sealed_as: u32,
    /// When a lesser advert was last answered, or as BACKUP reported.
    answered_at: Option<Instant>,
    /// When a farewell was last answered, or as BACKUP reported.
    farewell_at: Option<Instant>,
    /// A list of addresses differed for which there is no room among the misfits, and was reported.
    list_reported: bool,
    /// The active router's interval differed and was reported.
    interval_reported: bool,
    /// Sending failed and was reported.
    send_reported: bool,
    /// A BACKUP that was MASTER before a restart, as far as we know, and still has its addresses.
    resuming: bool,
}

/// All virtual routers.
#[derive(Debug)]
pub struct Vrrp {
    table: Box<[VirtualRouter]>,
    outgoing: DirtySet,
    stopping: bool,
    /// No VRRP before that (`vrrp_startup_delay`, `vrrp_delay_after_boot`).
    held_until: Instant,
    /// What a former process left is looked at before it is removed.
    resumes: bool,
    /// Packets refused that belong to no instance of ours.
    pub strays: Rejects,
}

/// The interface and everything else an instance depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a Config,
    pub(crate) links: &'a Links,
    pub(crate) tracks: &'a Tracks,
    pub(crate) groups: &'a Groups,
    pub(crate) net_plan: &'a NetPlan,
}

/// What an instance wants of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holding {
    /// None of them may be here.
    Nothing,
    /// Those that are here stay until it is known whose they are.
    AsTheyAre,
    /// All shall be here.
    All,
}

/// An advert that was found acceptable.
#[derive(Debug, Clone, Copy)]
struct Heard {
    rival: Rival,
    interval: Duration,
    /// The address we send from.
    ours: IpAddr,
}

impl Vrrp {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let router = |(id, instance): (usize, &Instance)| VirtualRouter {
            state: State::Init,
            since: now,
            why: None,
            priority: instance.priority,
            active: None,
            active_since: now,
            misfits: Misfits::default(),
            announcement: Announcement::default(),
            counters: Counters::default(),
            rejects: Rejects::default(),
            master_interval: instance.advert_interval,
            preempt_at: None,
            other_owner: None,
            demoted: false,
            due_at: now,
            group: config.group_of(InstanceId::from_index(id)),
            ability: Ability::Unknown,
            wants: false,
            program: Program::Idle,
            ip_id: 0,
            sequence: 0,
            sealed_as: 0,
            answered_at: None,
            farewell_at: None,
            list_reported: false,
            interval_reported: false,
            send_reported: false,
            resuming: false,
        };
        Self {
            table: config.instances.iter().enumerate().map(router).collect(),
            outgoing: DirtySet::new(config.instances.len()),
            stopping: false,
            held_until: Instant::ZERO,
            resumes: false,
            strays: Rejects::default(),
        }
    }

    /// The router; `None` for an id of another configuration.
    pub fn get(&self, id: InstanceId) -> Option<&VirtualRouter> {
        self.table.get(id.index())
    }

    /// The operator has seen who did not fit: how many are forgotten. Whoever still does not is found again.
    pub(crate) fn clear_misfits(&mut self) -> u32 {
        let misfits = self.table.iter_mut().map(|router| core::mem::take(&mut router.misfits));
        misfits.map(|misfits| u32::try_from(misfits.iter().count()).unwrap_or(0)).sum()
    }

    /// True while the instance is MASTER.
    pub fn is_master(&self, id: InstanceId) -> bool {
        self.get(id).is_some_and(|router| router.state == State::Master)
    }

    /// What an instance wants of its addresses.
    pub(crate) fn holding(&self, id: InstanceId) -> Holding {
        match self.get(id) {
            Some(router) if router.state == State::Master => Holding::All,
            Some(router) if router.state == State::Init && self.resumes => Holding::AsTheyAre,
            Some(router) if router.state == State::Backup && router.resuming => Holding::AsTheyAre,
            Some(_) | None => Holding::Nothing,
        }
    }

    /// What an instance depends on changed: its interface, its socket, its tracked interfaces.
    pub(crate) fn evaluate(&mut self, now: Instant, id: InstanceId, around: Surroundings<'_>, bus: &mut Bus) {
        let Some(instance) = around.config.instances.get(id.index()).filter(|_| !self.stopping) else {
            return;
        };
        if now < self.held_until {
            return;
        }
        self.weigh(now, id, instance, around.tracks.get(id).delta, bus);
        let Some(state) = self.get(id).map(|router| router.state) else { return };
        let condition = self.join_group(id, condition(id, instance, around), around.groups, bus);
        match (state, condition) {
            (_, Condition::Pending) => {}
            (State::Init, Condition::Good) => {
                self.begin(now, id, instance, Entry::Initial, bus);
                if self.resumes && around.net_plan.has_any(instance) {
                    self.resume(now, id, instance, bus);
                }
            }
            (State::Fault(_), Condition::Good) => self.begin(now, id, instance, Entry::Recovered, bus),
            (State::Backup | State::Master, Condition::Good) => {}
            (State::Fault(before), Condition::Bad(fault)) if before == fault => {}
            (State::Fault(_), Condition::Bad(fault @ Fault::Group(_))) => self.blame(id, fault),
            (State::Init | State::Backup | State::Fault(_), Condition::Bad(fault)) => {
                self.fail(now, id, fault, bus);
            }
            (State::Master, Condition::Bad(fault)) => {
                self.farewell(now, id, bus);
                self.fail(now, id, fault, bus);
                self.release(now, id, bus);
            }
        }
        self.stand(id, state, around.groups, bus);
    }

    /// The protocol timer of an instance fired.
    pub(crate) fn handle_timer(&mut self, now: Instant, id: InstanceId, config: &Config, bus: &mut Bus) {
        let Some(instance) = config.instances.get(id.index()) else { return };
        match self.get(id).map(|router| router.state) {
            Some(State::Master) if self.gives_up_late(now, id, instance, bus) => {}
            Some(State::Master) => {
                self.send(id, AdvertKind::Present);
                self.set_due(id, now + instance.advert_interval, bus);
            }
            Some(State::Backup) if self.waits_for_group(now, id, instance, bus) => {}
            Some(State::Backup) => {
                bus.record(now, Reason::MasterSilent(id));
                self.become_master(now, id, instance, Reason::MasterSilent(id), bus);
            }
            Some(State::Init | State::Fault(_)) | None => {}
        }
    }

    /// Out of INIT or FAULT.
    fn begin(&mut self, now: Instant, id: InstanceId, instance: &Instance, entry: Entry, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        router.master_interval = instance.advert_interval;
        if router.priority == OWNER && router.group.is_none() {
            self.become_master(now, id, instance, Reason::EnteredMaster(id), bus);
        } else {
            self.become_backup(now, id, instance, (entry, Reason::EnteredBackup(id, entry)), bus);
        }
    }

    fn become_backup(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        (entry, why): (Entry, Reason),
        bus: &mut Bus,
    ) {
        let Some(router) = self.enter(now, id, State::Backup, why, bus) else { return };
        bus.set(Timer::Protocol(id), now + router.master_down_interval(instance));
        bus.record(now, Reason::EnteredBackup(id, entry));
    }

    fn become_master(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        why: Reason,
        bus: &mut Bus,
    ) {
        if self.enter(now, id, State::Master, why, bus).is_none() {
            return;
        }
        bus.record(now, Reason::EnteredMaster(id));
        bus.record(now, Reason::SettingAddresses(id));
        if let Some(router) = self.table.get_mut(id.index()) {
            router.counters.became_master_total += 1;
            let own = instance.advert_interval;
            let before = core::mem::replace(&mut router.master_interval, own);
            if before != own {
                bus.record(now, Reason::IntervalRestored(id, centiseconds(before), centiseconds(own)));
            }
            router.announcement.serial = router.announcement.serial.wrapping_add(1);
            router.announcement.occasion = Occasion::Mastership;
        }
        self.send(id, AdvertKind::Present);
        self.set_due(id, now + instance.advert_interval, bus);
    }

    fn set_due(&mut self, id: InstanceId, at: Instant, bus: &mut Bus) {
        bus.set(Timer::Protocol(id), at);
        if let Some(router) = self.table.get_mut(id.index()) {
            router.due_at = at;
        }
    }

    fn fail(&mut self, now: Instant, id: InstanceId, fault: Fault, bus: &mut Bus) {
        let why = Reason::EnteredFault(id, fault);
        if self.enter(now, id, State::Fault(fault), why, bus).is_some() {
            bus.record(now, why);
            bus.cancel(Timer::Protocol(id));
        }
    }

    /// The state changes.
    fn enter(
        &mut self,
        now: Instant,
        id: InstanceId,
        state: State,
        why: Reason,
        bus: &mut Bus,
    ) -> Option<&mut VirtualRouter> {
        let router = self.table.get_mut(id.index())?;
        router.counters.released_master_total +=
            u64::from(router.state == State::Master && state != State::Master);
        router.state = state;
        router.since = now;
        router.why = Some(why);
        router.answered_at = None;
        router.farewell_at = None;
        router.preempt_at = None;
        router.wants = false;
        if let Some(group) = router.group {
            bus.group_changed(group);
        }
        // Only a MASTER shows itself.
        if state != State::Master && matches!(router.program, Program::Send { kind: AdvertKind::Present, .. })
        {
            router.program = Program::Idle;
        }
        router.resuming = false;
        router.list_reported = false;
        router.interval_reported = false;
        router.send_reported = false;
        router.rejects.report_again();
        bus.instance_changed(id);
        Some(router)
    }

    /// What a MASTER held is taken away.
    fn release(&mut self, now: Instant, id: InstanceId, bus: &mut Bus) {
        bus.record(now, Reason::RemovingAddresses(id));
    }

    /// Base priority and tracked interfaces give the effective one. The owner's never changes.
    fn weigh(&mut self, now: Instant, id: InstanceId, instance: &Instance, delta: i32, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()) else { return };
        let wanted = match instance.priority {
            OWNER => OWNER - u8::from(router.demoted),
            base => u8::try_from((i32::from(base) + delta).clamp(1, 254)).unwrap_or(1),
        };
        if router.priority != wanted {
            bus.record(now, Reason::PriorityChanged(id, router.priority, wanted));
            router.priority = wanted;
        }
    }

    fn farewell(&mut self, now: Instant, id: InstanceId, bus: &mut Bus) {
        self.send(id, AdvertKind::Farewell);
        bus.record(now, Reason::SentFarewell(id));
    }

    /// Starts the sending program; it supersedes one that is not done.
    fn send(&mut self, id: InstanceId, kind: AdvertKind) {
        if let Some(router) = self.table.get_mut(id.index()) {
            router.program = Program::Send { kind, peer: 0 };
            router.ip_id = router.ip_id.checked_add(1).unwrap_or(1);
            self.outgoing.insert(id.index());
        }
    }
}
