//! One box in virtual time: a director, its clock, and what is on its way to it. The shell between it and its kernel,
//! which answers everything in order, is in `shell`; what happens by hand in `hand`, what a user sees in `seen`.

mod hand;
mod seen;
mod shell;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::net::{IpAddr, SocketAddr};
use lvsbox::check::Verdict;
use lvsbox::config::Config;
use lvsbox::config::ids::LinkId;
use lvsbox::director::Director;
use lvsbox::director::action::{Action, Actions, Budget, Dump, Epoch, SlotId};
use lvsbox::director::event::{DumpError, Errno, Event, Filtered, Keep, Source};
use lvsbox::director::journal::{Cursor, Record};
use lvsbox::director::reload::Reload;
use lvsbox::time::{Duration, Instant};
use lvsbox::wire::genl_ipvs::{DaemonEntry, DestinationEntry, ServiceEntry};
use lvsbox::wire::rtnetlink::route::{Hops, RouteSpec};
use lvsbox::wire::rtnetlink::rule::RuleSpec;
use lvsbox::wire::rtnetlink::{AddressEntry, LinkEntry};
use lvsbox::wire::vrrp::{self, Channel};

use super::Dice;
use super::kernel::{Fault, Kernel};

/// So many milliseconds after the start.
pub(crate) fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

/// How a real server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Good,
    Refuses,
    /// Answers `good` of its urls with 200, the others with 503 (bit per url).
    Urls(u32),
    /// We have no port left.
    Hindered,
}

/// A packet on its way from a box to the segment.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) bytes: Vec<u8>,
    pub(crate) destination: IpAddr,
}

/// What comes from the kernel.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a test has room")]
enum Coming {
    Applied(Action, Result<(), Errno>),
    Dump(Action, Result<(), DumpError>),
    Row(Row, Epoch),
    Dumped(Action, Result<(), DumpError>, u64),
    Link(LinkEntry),
    LinkGone(LinkEntry),
    Address(AddressEntry, bool, Source),
    Probed(SlotId, Epoch, Verdict),
    SendFailed(Action),
    Filtered(Filtered),
    Timeouts([u32; 3]),
}

/// Decides about every request.
pub(crate) type Luck = Box<dyn FnMut(&Action) -> Option<Fault>>;

/// A row of a dump.
#[derive(Debug, Clone)]
enum Row {
    Link(LinkEntry),
    Address(AddressEntry),
    Route(RouteSpec, Hops),
    Rule(RuleSpec),
    Service(ServiceEntry),
    Destination(DestinationEntry),
    Daemon(DaemonEntry),
}

/// One box.
pub(crate) struct Node {
    pub(crate) director: Director,
    pub(crate) kernel: Kernel,
    pub(crate) now: Instant,
    pub(crate) primary: IpAddr,
    /// Answers, in order; notifications, in order; results of probes.
    answers: VecDeque<(Instant, Coming)>,
    news: VecDeque<(Instant, Coming)>,
    /// Rows of the dumps under way: of interfaces and addresses, of IPVS.
    dumps: [VecDeque<(Instant, Coming)>; 2],
    probes: Vec<(Instant, Coming)>,
    busy_slots: BTreeSet<u16>,
    sockets: BTreeSet<(String, Channel)>,
    pub(crate) servers: BTreeMap<SocketAddr, Server>,
    /// Asked about every request; `None`: the usual.
    pub(crate) fault: Luck,
    /// From request to answer.
    pub(crate) latency: Duration,
    /// From change to notification.
    pub(crate) delay: Duration,
    /// Adverts to be taken by the segment.
    pub(crate) outbox: Vec<Heard>,
    pub(crate) actions: Vec<(Instant, Action)>,
    /// Announcements: when, for what, and whether the kernel had it.
    pub(crate) announced: Vec<(Instant, IpAddr, bool)>,
    pub(crate) records: Vec<Record>,
    cursor: Cursor,
    second: (u64, usize),
    pub(crate) dice: Dice,
}

const BUDGET: Budget = Budget { route: 64, ipvs: 64, announcements: 64, probes: 64, probes_meanwhile: 2 };
/// More actions in one virtual second than any configuration of these tests can want.
const MAX_ACTIONS_PER_SECOND: usize = 30_000;

impl Node {
    /// A box with a fresh kernel whose `eth0` has `primary`/24.
    pub(crate) fn new(config: Config, primary: &str) -> Self {
        Self::with_kernel(config, Kernel::new(primary.parse().unwrap()), Instant::ZERO)
    }

    pub(crate) fn with_kernel(config: Config, kernel: Kernel, now: Instant) -> Self {
        let primary = kernel.addresses[0].address;
        let mut node = Self {
            director: Director::new(config, now),
            kernel,
            now,
            primary,
            answers: VecDeque::new(),
            news: VecDeque::new(),
            dumps: Default::default(),
            probes: Vec::new(),
            busy_slots: BTreeSet::new(),
            sockets: BTreeSet::new(),
            servers: BTreeMap::new(),
            fault: Box::new(|_| None),
            latency: Duration::from_micros(100),
            delay: Duration::from_micros(150),
            outbox: Vec::new(),
            actions: Vec::new(),
            announced: Vec::new(),
            records: Vec::new(),
            cursor: Cursor::default(),
            second: (0, 0),
            dice: Dice::new(1),
        };
        node.poll();
        node
    }

    /// When something happens next without anything from outside.
    pub(crate) fn next(&self) -> Instant {
        let queues = [&self.answers, &self.news, &self.dumps[0], &self.dumps[1]];
        let queued = queues.into_iter().filter_map(VecDeque::front).map(|(at, _)| *at);
        let probes = self.probes.iter().map(|(at, _)| *at);
        queued.chain(probes).chain([self.director.next_deadline()]).min().unwrap().max(self.now)
    }

    /// Lets everything happen that is due until `until`.
    pub(crate) fn run_until(&mut self, until: Instant) {
        while self.next() <= until {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// Lets `span` pass.
    pub(crate) fn run(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Lets so many milliseconds pass.
    pub(crate) fn run_millis(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    /// The next thing happens.
    pub(crate) fn step(&mut self) {
        self.now = self.next();
        let now = self.now;
        let due = |queue: &VecDeque<(Instant, Coming)>| queue.front().is_some_and(|(at, _)| *at <= now);
        let coming = if due(&self.answers) {
            self.answers.pop_front()
        } else if due(&self.news) {
            self.news.pop_front()
        } else if let Some(dump) = self.dumps.iter().position(due) {
            self.dumps[dump].pop_front()
        } else {
            let place = self.probes.iter().position(|(at, _)| *at <= now);
            place.map(|place| self.probes.swap_remove(place))
        };
        match coming {
            None => self.handle(Event::Tick),
            Some((_, coming)) => self.deliver(coming),
        }
    }

    fn deliver(&mut self, coming: Coming) {
        match coming {
            Coming::Applied(action, result) => self.handle(Event::Applied { action, result }),
            Coming::Dump(action, result) => self.dump(action, result),
            // The shell hands over no row of a dump of an earlier epoch.
            Coming::Row(row, epoch) if epoch == self.director.epoch() => match row {
                Row::Link(entry) => self.handle(Event::Link(&entry)),
                Row::Address(entry) => self.handle(Event::Address { entry: &entry, source: Source::Dump }),
                Row::Route(spec, hops) => self.say_route((&spec, &hops), true, Source::Dump),
                Row::Rule(entry) => {
                    self.handle(Event::Rule { entry: &entry, there: true, source: Source::Dump });
                }
                Row::Service(entry) => self.handle(Event::Service(&entry)),
                Row::Destination(entry) => self.handle(Event::Destination(&entry)),
                Row::Daemon(entry) => self.handle(Event::Daemon(&entry)),
            },
            Coming::Row(..) => {}
            Coming::Dumped(action, result, generation) => {
                let route = matches!(action, Action::Dump { what: Dump::Links | Dump::Addresses, .. });
                let changed = route && generation != self.kernel.generation;
                let result = if changed { Err(DumpError::Interrupted) } else { result };
                self.handle(Event::Dumped { action, result });
            }
            Coming::Link(entry) => self.handle(Event::Link(&entry)),
            Coming::LinkGone(entry) => self.handle(Event::LinkGone(&entry)),
            Coming::Address(entry, true, source) => self.handle(Event::Address { entry: &entry, source }),
            Coming::Address(entry, false, source) => {
                self.handle(Event::AddressGone { entry: &entry, source });
            }
            Coming::Probed(slot, epoch, verdict) => {
                if epoch == self.director.epoch() {
                    assert!(self.busy_slots.remove(&slot.0), "slot {slot:?} was idle");
                }
                self.handle(Event::Probed { slot, epoch, verdict });
            }
            Coming::Timeouts(values) => self.handle(Event::Timeouts(values)),
            Coming::Filtered(what) => self.handle(Event::Filtered(what)),
            Coming::SendFailed(action) => self.handle(Event::SendFailed { action, errno: Errno(100) }),
        }
    }

    /// Tells the director and does what it wants.
    pub(crate) fn handle(&mut self, event: Event<'_>) {
        self.director.handle(self.now, event);
        self.poll();
    }

    /// A packet from the segment.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        let link = LinkId(0);
        let channel = if bytes[0] >> 4 == 6 { Channel::Ipv6 } else { Channel::Ipv4 };
        if self.sockets.contains(&(self.director.config().link_name(link).to_owned(), channel)) {
            self.handle(Event::Advert { link, channel, packet: vrrp::parse(bytes) });
        }
    }

    fn poll(&mut self) {
        loop {
            let mut out = Actions::new();
            self.director.poll_actions(self.now, BUDGET, &mut out);
            let second = self.now.as_micros() / 1_000_000;
            self.second =
                if self.second.0 == second { (second, self.second.1 + out.len()) } else { (second, 0) };
            assert!(self.second.1 < MAX_ACTIONS_PER_SECOND, "a livelock: {:?}", self.actions.last());
            if out.is_empty() {
                break;
            }
            for action in out {
                self.actions.push((self.now, action));
                self.execute(action);
            }
        }
        assert!(!self.director.has_work(), "work without an action");
        while let Some((lost, record)) = self.director.journal().read(&mut self.cursor) {
            assert_eq!(lost, 0, "more records in one turn than the ring holds");
            self.records.push(record);
        }
    }

    /// Waits for a moment at which nothing is under way, and forgets the story: what the box and its kernel hold then
    /// takes as much memory as the next time that they hold the same.
    pub(crate) fn rest(&mut self) {
        let is_idle = |node: &Self| {
            let queues = [&node.answers, &node.news, &node.dumps[0], &node.dumps[1]];
            queues.into_iter().all(VecDeque::is_empty) && node.probes.is_empty()
        };
        while !is_idle(self) {
            self.step();
        }
        (self.answers, self.news, self.dumps) = Default::default();
        (self.probes, self.outbox, self.actions) = Default::default();
        (self.announced, self.records) = Default::default();
        self.fault = Box::new(|_| None);
        self.busy_slots = BTreeSet::new();
        self.servers = core::mem::take(&mut self.servers).into_iter().collect();
        self.sockets = core::mem::take(&mut self.sockets).into_iter().collect();
        self.kernel.rest();
    }

    pub(crate) fn stop(&mut self, keep: Keep) {
        self.handle(Event::Stop { keep });
    }

    /// Loads another configuration as the shell does.
    pub(crate) fn reload(&mut self, config: Config) {
        let mut reload = Reload::new(config, &self.director, self.now);
        while !reload.step(&self.director) {}
        self.director.announce_departures(self.now, &reload);
        self.poll();
        let names: Vec<String> = reload.config().links.iter().map(|name| name.as_str().to_owned()).collect();
        self.sockets.retain(|(name, _)| names.contains(name));
        self.busy_slots.clear();
        self.dumps = Default::default();
        self.director.adopt(self.now, reload);
        self.poll();
    }
}
