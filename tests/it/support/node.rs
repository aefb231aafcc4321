//! One box in virtual time: a director, its kernel, and the shell between them, which answers everything in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::net::{IpAddr, SocketAddr};
use lvsbox::check::{Failure, Verdict};
use lvsbox::config::Config;
use lvsbox::config::ids::{AddressId, Id, InstanceId, LinkId, ProbeId};
use lvsbox::director::Director;
use lvsbox::director::action::{Action, Actions, AdvertKind, Budget, Dump, Epoch, FilterStep, SlotId};
use lvsbox::director::event::{DumpError, Errno, Event, Filtered, Keep, Source};
use lvsbox::director::journal::{Cursor, Reason, Record};
use lvsbox::director::reload::Reload;
use lvsbox::director::vrrp::State;
use lvsbox::time::{Duration, Instant};
use lvsbox::wire::genl_ipvs::{DaemonEntry, DaemonRole, DestinationEntry, ServiceEntry};
use lvsbox::wire::netlink::Writer;
use lvsbox::wire::rtnetlink::route::{Hops, RouteChange, RouteDetails, RouteRequest, RouteSpec};
use lvsbox::wire::rtnetlink::rule::RuleSpec;
use lvsbox::wire::rtnetlink::{self, AddressEntry, LinkEntry};
use lvsbox::wire::vrrp::{self, Channel};

use super::Dice;
use super::kernel::{Asked, Fault, Kernel};

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

const BUDGET: Budget = Budget { route: 64, ipvs: 64, announcements: 64, probes: 64 };
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

    /// The kernel lists what it has when it is read, not when it was asked; reading takes its time.
    fn dump(&mut self, action: Action, result: Result<(), DumpError>) {
        let Action::Dump { epoch, what } = action else { panic!("{action:?}") };
        let kernel = &self.kernel;
        let rows: Vec<Row> = match what {
            Dump::Links => kernel.links.iter().map(|entry| Row::Link(*entry)).collect(),
            Dump::Addresses => kernel.addresses.iter().map(|entry| Row::Address(*entry)).collect(),
            Dump::Routes => {
                kernel.routes.iter().map(|(spec, hops)| Row::Route(*spec, hops.clone())).collect()
            }
            Dump::Rules => kernel.rules.iter().map(|entry| Row::Rule(*entry)).collect(),
            Dump::Services => {
                let entry =
                    |(key, (spec, _)): (&_, &super::kernel::Pool)| ServiceEntry { key: *key, spec: *spec };
                kernel.ipvs.iter().flatten().map(|row| Row::Service(entry(row))).collect()
            }
            Dump::Daemons => {
                let rows = DaemonRole::ALL.into_iter().zip(kernel.daemons);
                rows.filter_map(|(role, spec)| Some(Row::Daemon(DaemonEntry { role, spec: spec? }))).collect()
            }
            Dump::Destinations(_) if epoch != self.director.epoch() => Vec::new(),
            Dump::Destinations(id) => {
                let key = self.director.config().services[id.index()].key;
                let pool = kernel.ipvs.iter().filter_map(|table| table.get(&key));
                let entry = |(key, spec): (&_, &_)| DestinationEntry {
                    key: *key,
                    spec: *spec,
                    active: kernel.active.get(key).copied().unwrap_or(0),
                    inactive: 0,
                    persistent: 0,
                };
                pool.flat_map(|(_, pool)| pool.iter().map(|row| Row::Destination(entry(row)))).collect()
            }
        };
        let generation = self.kernel.generation;
        let family = usize::from(matches!(what, Dump::Services | Dump::Destinations(_) | Dump::Daemons));
        let queue = &mut self.dumps[family];
        let mut due = self.now;
        for row in rows {
            queue.push_back((due, Coming::Row(row, epoch)));
            due = due + Duration::from_micros(7);
        }
        queue.push_back((due, Coming::Dumped(action, result, generation)));
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

    fn execute(&mut self, action: Action) {
        let due = self.now + self.latency;
        match action {
            Action::SendAdvert { instance, peer, kind } => self.send((instance, peer, kind), action),
            Action::Announce { address } => {
                let mut bytes = [0; 128];
                assert!(
                    self.director
                        .announcement(address, lvsbox::wire::ndisc::Role::Host, &mut bytes)
                        .is_some()
                );
                let address = self.director.config().addresses[address.index()].address;
                self.announced.push((self.now, address, self.kernel.has(address)));
            }
            Action::OpenSocket { link, channel, .. } => {
                let spec = self.director.socket(link, channel);
                let result = self.faulty(&action, |_| match spec {
                    Some(_) => Ok(()),
                    None => Err(Errno::ENODEV),
                });
                let name = self.director.config().link_name(link).to_owned();
                if result.is_ok() {
                    self.sockets.insert((name, channel));
                }
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::CloseSocket { link, channel } => {
                let name = self.director.config().link_name(link).to_owned();
                self.sockets.remove(&(name, channel));
            }
            Action::AddAddress { .. } | Action::RemoveAddress { .. } => {
                let request = self.director.route_request(action).unwrap();
                let (mut news, when) = (None, self.now + self.delay);
                let result = self.faulty(&action, |kernel| kernel.route(request).map(|heard| news = heard));
                if let Some((entry, there)) = news {
                    self.news.push_back((when, Coming::Address(entry, there, Source::Own)));
                }
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::Routing { .. } => self.change_routing(action),
            Action::FindIpvs { .. } => {
                let found = |kernel: &mut Kernel| kernel.ipvs.as_ref().map(|_| ()).ok_or(Errno::ENOENT);
                let result = self.faulty(&action, found);
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::Filter { step, .. } => self.change_filter(action, step),
            Action::Firewall { .. } => self.answers.push_back((due, Coming::Applied(action, Ok(())))),
            Action::SetTimeouts { .. }
            | Action::FlushIpvs { .. }
            | Action::Service { .. }
            | Action::Daemon { .. }
            | Action::ReadTimeouts { .. }
            | Action::Destination { .. } => {
                if matches!(action, Action::ReadTimeouts { .. }) {
                    let (tcp, fin, udp) = self.kernel.timeouts;
                    let values = [tcp.unwrap_or(900), fin.unwrap_or(120), udp.unwrap_or(300)];
                    self.answers.push_back((due, Coming::Timeouts(values)));
                }
                let request = self.director.ipvs_request(action).unwrap();
                let result = self.faulty(&action, |kernel| kernel.ipvs(request));
                self.answers.push_back((due, Coming::Applied(action, result)));
            }
            Action::Dump { epoch, what } => self.list(action, epoch, what),
            Action::Probe { epoch, slot, probe, step } => self.check((epoch, slot), probe, step),
            Action::AbortProbe { slot } => {
                self.busy_slots.remove(&slot.0);
            }
        }
    }

    fn change_routing(&mut self, action: Action) {
        let request = self.director.routing_request(action).unwrap();
        let result = match (self.fault)(&action) {
            None => self.kernel.routing(&request),
            Some(Fault::Refuse(errno)) => Err(errno),
            Some(Fault::LoseRequest) => Err(Errno::LOST),
            Some(Fault::LoseAnswer) => {
                let _ = self.kernel.routing(&request);
                Err(Errno::LOST)
            }
        };
        self.answers.push_back((self.now + self.latency, Coming::Applied(action, result)));
    }

    fn change_filter(&mut self, action: Action, step: FilterStep) {
        let (due, mut shown) = (self.now + self.latency, None);
        let transaction = self.director.filter_transaction(step).map(Asked::of);
        let result = self.faulty(&action, |kernel| match transaction {
            Some(asked) => kernel.filter(asked),
            None => kernel.show_filter(step).map(|what| shown = Some(what)),
        });
        if let Some(what) = shown {
            self.answers.push_back((due, Coming::Filtered(what)));
        }
        self.answers.push_back((due, Coming::Applied(action, result)));
    }

    /// The kernel describes a route: as one that adds it would.
    pub(crate) fn say_route(&mut self, (spec, hops): (&RouteSpec, &Hops), there: bool, source: Source) {
        let mut buffer = [0; 1_024];
        let mut writer = Writer::new(&mut buffer);
        let spec = RouteSpec { metric: spec.effective_metric(), ..*spec };
        let (change, details) = (RouteChange::Add, RouteDetails::default());
        RouteRequest { change, spec, details, hops: hops.clone() }.emit(&mut writer, 1).unwrap();
        let bytes = writer.as_bytes();
        let message = rtnetlink::parse(24, &bytes[16..]).unwrap();
        let rtnetlink::Message::NewRoute(entry) = message else { panic!("{message:?}") };
        self.handle(Event::Route { entry: &entry, there, source });
    }

    fn send(&mut self, (instance, peer, kind): (InstanceId, u16, AdvertKind), action: Action) {
        let due = self.now + self.latency;
        let mut bytes = [0; 1_500];
        let link = self.director.config().instances[instance.index()].link;
        let datagram = self.director.advert(instance, peer, kind, &mut bytes);
        let name = self.director.config().link_name(link).to_owned();
        let up = |channel| self.is_up(link) && self.sockets.contains(&(name, channel));
        match datagram.filter(|datagram| up(datagram.channel)) {
            None => self.answers.push_back((due, Coming::SendFailed(action))),
            Some(datagram) => self
                .outbox
                .push(Heard { bytes: bytes[..datagram.len].to_vec(), destination: datagram.destination }),
        }
    }

    fn list(&mut self, action: Action, epoch: Epoch, what: Dump) {
        let due = self.now + self.latency;
        let ipvs = matches!(what, Dump::Services | Dump::Destinations(_) | Dump::Daemons);
        let result = match (self.fault)(&action) {
            _ if ipvs && self.kernel.ipvs.is_none() => Err(DumpError::Failed(Errno::ENOENT)),
            Some(Fault::Refuse(errno)) => Err(DumpError::Failed(errno)),
            Some(Fault::LoseAnswer | Fault::LoseRequest) => Err(DumpError::Interrupted),
            None => Ok(()),
        };
        let running = self.dumps[usize::from(ipvs)].iter().any(|(_, coming)| {
            matches!(coming, Coming::Dump(Action::Dump { epoch: of, .. }, _)
                | Coming::Dumped(Action::Dump { epoch: of, .. }, _, _) if *of == epoch)
        });
        assert!(!running, "two dumps at once");
        let when = self.dumps[usize::from(ipvs)].back().map_or(due, |(at, _)| due.max(*at));
        self.dumps[usize::from(ipvs)].push_back((when, Coming::Dump(action, result)));
    }

    fn check(&mut self, (epoch, slot): (Epoch, SlotId), probe: ProbeId, step: u16) {
        assert!(self.busy_slots.insert(slot.0), "slot {slot:?} is busy");
        let target = self.director.probe(probe).unwrap().target;
        let verdict = match self.servers.get(&target).copied().unwrap_or(Server::Good) {
            Server::Good => Verdict::Pass { status: 200 },
            Server::Refuses => Verdict::Fail(Failure::Connect { errno: 111 }),
            Server::Urls(good) if good & (1 << step) != 0 => Verdict::Pass { status: 200 },
            Server::Urls(_) => Verdict::Fail(Failure::Status(503)),
            Server::Hindered => Verdict::Local { errno: 99 },
        };
        self.probes.push((self.now + Duration::from_millis(1), Coming::Probed(slot, epoch, verdict)));
    }

    fn faulty(
        &mut self,
        action: &Action,
        work: impl FnOnce(&mut Kernel) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        match (self.fault)(action) {
            None => work(&mut self.kernel),
            Some(Fault::Refuse(errno)) => Err(errno),
            Some(Fault::LoseRequest) => Err(Errno::LOST),
            Some(Fault::LoseAnswer) => work(&mut self.kernel).and(Err(Errno::LOST)).or(Err(Errno::LOST)),
        }
    }

    fn is_up(&self, link: LinkId) -> bool {
        let name = self.director.config().link_name(link);
        self.kernel.links.iter().any(|one| one.name.as_str() == name && one.admin_up && one.running)
    }

    // What an operator may do by hand.

    pub(crate) fn set_carrier(&mut self, name: &str, running: bool) {
        let Some(link) = self.kernel.links.iter_mut().find(|link| link.name.as_str() == name) else { return };
        link.running = running;
        let link = *link;
        self.news.push_back((self.now + self.delay, Coming::Link(link)));
    }

    pub(crate) fn remove_link(&mut self, name: &str) {
        let (link, gone) = self.kernel.remove_link(name);
        let when = self.now + self.delay;
        for entry in gone {
            self.news.push_back((when, Coming::Address(entry, false, Source::Foreign)));
        }
        self.news.push_back((when, Coming::LinkGone(link)));
    }

    pub(crate) fn add_link(&mut self, name: &str, primary: IpAddr) {
        let link = self.kernel.add_link(name);
        let address = self.kernel.add_address(name, primary, 24);
        let when = self.now + self.delay;
        self.news.push_back((when, Coming::Link(link)));
        self.news.push_back((when, Coming::Address(address, true, Source::Foreign)));
    }

    pub(crate) fn delete_by_hand(&mut self, address: &str) {
        if let Some(entry) = self.kernel.remove_address(address.parse().unwrap()) {
            self.news.push_back((self.now + self.delay, Coming::Address(entry, false, Source::Foreign)));
        }
    }

    pub(crate) fn add_by_hand(&mut self, address: &str) {
        let address: IpAddr = address.parse().unwrap();
        if !self.kernel.has(address) {
            let entry = self.kernel.add_address("eth0", address, 24);
            self.news.push_back((self.now + self.delay, Coming::Address(entry, true, Source::Foreign)));
        }
    }

    /// The monitoring socket overran: what it would have said is lost.
    pub(crate) fn overrun(&mut self) {
        self.news.clear();
        self.handle(Event::Overrun);
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

    // What a user sees.

    pub(crate) fn state(&self, instance: u32) -> State {
        self.director.vrrp().get(InstanceId(instance)).unwrap().state
    }

    pub(crate) fn is_master(&self, instance: u32) -> bool {
        self.state(instance) == State::Master
    }

    /// Which of the configured addresses the kernel has.
    pub(crate) fn vips(&self) -> Vec<IpAddr> {
        let vips = self.director.config().addresses.iter().map(|one| one.address);
        vips.filter(|address| self.kernel.has(*address)).collect()
    }

    pub(crate) fn has_vip(&self, address: &str) -> bool {
        self.kernel.has(address.parse().unwrap())
    }

    /// Takes the records written since the last time.
    pub(crate) fn take_records(&mut self) -> Vec<Reason> {
        core::mem::take(&mut self.records).into_iter().map(|record| record.reason).collect()
    }

    /// Takes the actions of the last time, but for dumps and probes.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        let all = core::mem::take(&mut self.actions).into_iter().map(|(_, action)| action);
        all.filter(|one| !matches!(one, Action::Dump { .. } | Action::Probe { .. })).collect()
    }

    /// The kernel's table is what the configuration and the checks want.
    pub(crate) fn assert_table_as_wished(&self) {
        let (config, services) = (self.director.config(), self.director.services());
        let Some(table) = &self.kernel.ipvs else { return };
        for service in &config.services {
            let (spec, pool) =
                table.get(&service.key).unwrap_or_else(|| panic!("{} is missing", service.key));
            assert_eq!(*spec, service.spec);
            let mut wished = BTreeMap::new();
            for id in service.destinations.iter() {
                let key = config.destinations[id.index()].key;
                if let Some(weight) = lvsbox::director::services::wish(config, services, id) {
                    wished.insert(key, weight);
                }
            }
            let found: BTreeMap<_, _> = pool.iter().map(|(key, spec)| (*key, spec.weight)).collect();
            assert_eq!(found, wished, "of {} at {:?}", service.key, self.now);
        }
    }

    /// The kernel has the addresses of instances that are MASTER and no others.
    pub(crate) fn assert_addresses_as_wished(&self) {
        for (row, address) in self.director.config().addresses.iter().enumerate() {
            let exists = self.director.links().get(address.link).exists();
            let owner = address.instance;
            let wished = exists && owner.is_none_or(|id| self.director.vrrp().is_master(id));
            assert_eq!(self.kernel.has(address.address), wished, "{}", address.address);
            assert_eq!(self.director.net_plan().is_present(AddressId::from_index(row)), wished);
        }
    }
}
