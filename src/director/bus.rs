//! What subsystems share while they work: facts for each other, timers, the journal.
//!
//! A fact says only *that* something changed; whoever cares reads the level from its owner. So facts are idempotent,
//! their order does not matter, and they cannot overflow. `Director::settle` carries each to its consumers.

use super::action::Epoch;
use super::dirty::DirtySet;
use super::garp::Pace;
use super::journal::{Journal, Reason};
use super::timers::Timers;
use crate::config::Config;
use crate::config::ids::{AddressId, DestinationId, GroupId, Id, InstanceId, LinkId, ProbeId, ServiceId};
use crate::time::Instant;

/// Facts, timers, journal; handed to every subsystem.
#[derive(Debug)]
pub(crate) struct Bus {
    /// An interface's state, primary address or socket changed.
    pub(crate) links: DirtySet,
    /// An instance's tracked interfaces changed.
    pub(crate) tracks: DirtySet,
    /// A member of a group changed its state, or whether it can or wants to be MASTER.
    pub(crate) groups: DirtySet,
    /// A member's group goes where the member is not yet.
    pub(crate) followers: DirtySet,
    /// An instance's state or its wish to announce changed.
    pub(crate) instances: DirtySet,
    /// An address became present in the kernel.
    pub(crate) installed: DirtySet,
    /// A probe's verdict changed.
    pub(crate) verdicts: DirtySet,
    /// A service's quorum state changed, or which of its destinations are alive.
    pub(crate) services: DirtySet,
    /// All timers.
    timers: Timers,
    layout: Layout,
    /// All records.
    pub(crate) journal: Journal,
    /// Questions asked in an earlier epoch get no hearing.
    pub(crate) epoch: Epoch,
    /// Answers that came too late.
    pub(crate) stale_total: u64,
}

/// Back-off rungs: 1, 2, 4 ... 64 seconds.
pub(crate) const RUNGS: u8 = 7;

/// A timer by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Objects of the address family waiting on a rung.
    AddressRung(u8),
    /// Objects of the IPVS family waiting on a rung.
    IpvsRung(u8),
    /// The next look at all interfaces and addresses.
    RouteAudit,
    /// The next look at the IPVS table, or for IPVS itself.
    IpvsAudit,
    /// Sockets that could not be opened.
    SocketRetry,
    /// The next look at nf_tables, or the next try.
    Filter,
    /// The next look at the tables of `firewall`, or the next try.
    Firewall,
    /// The delay of the start is over.
    Startup,
    /// An instance's advertisement interval or master-down interval.
    Protocol(InstanceId),
    /// An instance's second burst of announcements.
    SecondBurst(InstanceId),
    /// An instance's periodic announcements.
    Refresh(InstanceId),
    /// A change of something that an instance tracks has lasted long enough to count.
    Track(InstanceId),
    /// A change of an interface has lasted long enough to count.
    LinkSettled(LinkId),
    /// The next announcement may leave by the interfaces that share this one's pace.
    Pace(LinkId, Pace),
    /// A probe's next try.
    Probe(ProbeId),
    /// The time of servers that are no longer configured is over.
    Drain,
    /// The next step of a server's slow start.
    Rise(DestinationId),
}

const SINGLE: usize = 2 * RUNGS as usize + 7;
const PER_INSTANCE: usize = 4;
const PER_LINK: usize = 3;

/// How timers are numbered: single ones, then four per instance, three per interface, one per probe, and one per
/// destination if any has a slow start.
#[derive(Debug, Clone, Copy)]
struct Layout {
    instances: usize,
    links: usize,
    probes: usize,
}

impl Layout {
    fn id(self, timer: Timer) -> usize {
        let rungs = usize::from(RUNGS);
        let instance = |id: InstanceId, kind: usize| SINGLE + id.index() * PER_INSTANCE + kind;
        let links = SINGLE + self.instances * PER_INSTANCE;
        let link = |id: LinkId, kind: usize| links + id.index() * PER_LINK + kind;
        match timer {
            Timer::AddressRung(rung) => usize::from(rung).min(rungs - 1),
            Timer::IpvsRung(rung) => rungs + usize::from(rung).min(rungs - 1),
            Timer::RouteAudit => 2 * rungs,
            Timer::IpvsAudit => 2 * rungs + 1,
            Timer::SocketRetry => 2 * rungs + 2,
            Timer::Filter => 2 * rungs + 3,
            Timer::Startup => 2 * rungs + 4,
            Timer::Firewall => 2 * rungs + 6,
            Timer::Protocol(id) => instance(id, 0),
            Timer::SecondBurst(id) => instance(id, 1),
            Timer::Refresh(id) => instance(id, 2),
            Timer::Track(id) => instance(id, 3),
            Timer::LinkSettled(id) => link(id, 0),
            Timer::Pace(id, pace) => link(id, 1 + pace as usize),
            Timer::Probe(id) => links + self.links * PER_LINK + id.index(),
            Timer::Drain => 2 * rungs + 5,
            Timer::Rise(id) => links + self.links * PER_LINK + self.probes + id.index(),
        }
    }

    fn timer(self, id: usize) -> Timer {
        let rungs = usize::from(RUNGS);
        let rung = |place: usize| u8::try_from(place).unwrap_or(0);
        if id < rungs {
            return Timer::AddressRung(rung(id));
        }
        if id < 2 * rungs {
            return Timer::IpvsRung(rung(id - rungs));
        }
        if id < SINGLE {
            return match id - 2 * rungs {
                0 => Timer::RouteAudit,
                1 => Timer::IpvsAudit,
                2 => Timer::SocketRetry,
                3 => Timer::Filter,
                4 => Timer::Startup,
                5 => Timer::Drain,
                _ => Timer::Firewall,
            };
        }
        let rest = id - SINGLE;
        if rest < self.instances * PER_INSTANCE {
            let instance = InstanceId::from_index(rest / PER_INSTANCE);
            return match rest % PER_INSTANCE {
                0 => Timer::Protocol(instance),
                1 => Timer::SecondBurst(instance),
                2 => Timer::Refresh(instance),
                _ => Timer::Track(instance),
            };
        }
        let rest = rest - self.instances * PER_INSTANCE;
        if rest < self.links * PER_LINK {
            let link = LinkId::from_index(rest / PER_LINK);
            return match rest % PER_LINK {
                0 => Timer::LinkSettled(link),
                1 => Timer::Pace(link, Pace::Arp),
                _ => Timer::Pace(link, Pace::Advertisement),
            };
        }
        let rest = rest - self.links * PER_LINK;
        match rest.checked_sub(self.probes) {
            None => Timer::Probe(ProbeId::from_index(rest)),
            Some(rest) => Timer::Rise(DestinationId::from_index(rest)),
        }
    }
}

impl Bus {
    /// A bus for `config`, without facts or timers.
    pub(crate) fn new(config: &Config, epoch: Epoch) -> Self {
        let (instances, links, probes) = (config.instances.len(), config.links.len(), config.probes.len());
        let layout = Layout { instances, links, probes };
        let slow = config.destinations.iter().any(|one| !one.slow_start.is_zero());
        let rising = if slow { config.destinations.len() } else { 0 };
        let timers = layout.id(Timer::Rise(DestinationId(0))) + rising;
        Self {
            links: DirtySet::new(config.links.len()),
            tracks: DirtySet::new(config.instances.len()),
            groups: DirtySet::new(config.groups.len()),
            followers: DirtySet::new(config.instances.len()),
            instances: DirtySet::new(config.instances.len()),
            installed: DirtySet::new(config.addresses.len()),
            verdicts: DirtySet::new(config.probes.len()),
            services: DirtySet::new(config.services.len()),
            timers: Timers::new(timers),
            layout,
            journal: Journal::new(),
            epoch,
            stale_total: 0,
        }
    }

    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.timers.set(self.layout.id(timer), at);
    }

    /// Sets a timer unless it is set already.
    pub(crate) fn set_if_idle(&mut self, timer: Timer, at: Instant) {
        if self.deadline(timer).is_none() {
            self.set(timer, at);
        }
    }

    /// Sets a timer, or moves it if it would fire later.
    pub(crate) fn set_no_later(&mut self, timer: Timer, at: Instant) {
        if self.deadline(timer).is_none_or(|set| at < set) {
            self.set(timer, at);
        }
    }

    /// Stops a timer.
    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.timers.cancel(self.layout.id(timer));
    }

    /// When a timer fires.
    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.timers.deadline(self.layout.id(timer))
    }

    /// When the first timer fires.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.timers.next()
    }

    /// Takes a timer that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        self.timers.pop_due(now).map(|id| self.layout.timer(id))
    }

    /// True if a fact waits for its consumers.
    pub(crate) fn has_facts(&self) -> bool {
        let Self { links, tracks, groups, followers, instances, installed, verdicts, services, .. } = self;
        [links, tracks, groups, followers, instances, installed, verdicts, services]
            .iter()
            .any(|facts| !facts.is_empty())
    }

    /// Writes a record.
    pub(crate) fn record(&mut self, now: Instant, reason: Reason) {
        self.journal.push(now, reason);
    }

    /// An interface changed.
    pub(crate) fn link_changed(&mut self, link: LinkId) {
        self.links.insert(link.index());
    }

    /// A member of a group changed.
    pub(crate) fn group_changed(&mut self, group: GroupId) {
        self.groups.insert(group.index());
    }

    /// An instance changed.
    pub(crate) fn instance_changed(&mut self, instance: InstanceId) {
        self.instances.insert(instance.index());
    }

    /// An address is there now.
    pub(crate) fn address_installed(&mut self, address: AddressId) {
        self.installed.insert(address.index());
    }

    /// A service's pool changed.
    pub(crate) fn service_changed(&mut self, service: ServiceId) {
        self.services.insert(service.index());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_has_its_own_number() {
        let layout = Layout { instances: 3, links: 2, probes: 5 };
        let last = SINGLE + 3 * PER_INSTANCE + 2 * PER_LINK + 5 + 4;
        for id in 0..last {
            assert_eq!(layout.id(layout.timer(id)), id);
        }
        assert_eq!(layout.timer(last - 5), Timer::Probe(ProbeId(4)));
        assert_eq!(layout.timer(last - 1), Timer::Rise(DestinationId(3)));
    }
}
