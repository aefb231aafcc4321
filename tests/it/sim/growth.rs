//! What one event costs does not grow with the number of real servers, and what a load or a reload asks of the kernel
//! grows as they do. Turns, polls and requests are counted; time is the least of many repetitions on the processor's
//! own clock for this thread, compared between a small and a large table in one run.

#![allow(clippy::wildcard_enum_match_arm, reason = "a few kinds among many are meant")]

use core::net::IpAddr;
use std::fmt::Write as _;

use lvsbox::check::{Failure, Verdict};
use lvsbox::config::Config;
use lvsbox::config::ids::{DestinationId, Id, InstanceId, LinkId, ServiceId};
use lvsbox::director::Director;
use lvsbox::director::action::{Action, Actions, AddressRef, AdvertKind, Budget, Dump, Epoch, SlotId};
use lvsbox::director::event::{Event, Source};
use lvsbox::director::overrides::Order;
use lvsbox::director::reload::Reload;
use lvsbox::time::Instant;
use lvsbox::wire::link::{LinkIndex, LinkName, MacAddress};
use lvsbox::wire::rtnetlink::{AddressEntry, LinkEntry};
use lvsbox::wire::vrrp::{self, Channel};
use rustix::time::{ClockId, clock_gettime};

use crate::support::ip;

/// Services of eight real servers each: 40 and 16,384 in all.
const SMALL: usize = 5;
const LARGE: usize = 2_048;
const SERVERS: usize = 8;
/// Services of 512, 4,096 and 16,384 real servers.
const SIZES: [usize; 3] = [64, 512, LARGE];
/// More than chance, and a hundredth of what a walk over all real servers would make of it.
const FACTOR: u64 = 4;
/// More than what chance, and a table that is larger than the processor's caches, make of the time for one of many.
const LINEAR: u64 = 3;
const BUDGET: Budget = Budget { route: 64, ipvs: 64, announcements: 64, probes: 64, probes_meanwhile: 2 };

/// All weights are `weight`, but that of the last real server.
fn text(services: usize, weight: u16, last: u16) -> String {
    let mut text = String::from(
        "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\npriority 100\nvirtual_ipaddress {\n192.0.2.100/24\n}\n}\n",
    );
    for service in 0..services {
        let (high, low) = (service / 256, service % 256);
        write!(
            text,
            "virtual_server 10.{high}.{low}.1 80 {{\ndelay_loop 60\nlb_algo wlc\nlb_kind NAT\nprotocol TCP\n"
        )
        .unwrap();
        for server in 0..SERVERS {
            let weight = if (service + 1, server + 1) == (services, SERVERS) { last } else { weight };
            write!(
                text,
                "real_server 10.{}.{low}.{server} 80 {{\nweight {weight}\nTCP_CHECK {{\n}}\n}}\n",
                128 + high
            )
            .unwrap();
        }
        text.push_str("}\n");
    }
    text
}

fn read(text: &str) -> Config {
    lvsbox::config::load(text, "growth").config.unwrap()
}

fn config(services: usize, weight: u16, last: u16) -> Config {
    read(&text(services, weight, last))
}

/// What an event, a load or a reload took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Work {
    /// Events that the director was told.
    turns: u64,
    /// Times that it was asked what is to be done.
    polls: u64,
    /// Steps in which a reload was prepared.
    slices: u64,
    /// What it wanted of the kernel's table: services, destinations, lists.
    services: usize,
    destinations: usize,
    dumps: usize,
    /// Everything else.
    others: usize,
}

/// A director, and a kernel that does at once and without a word what it is asked.
struct Rig {
    director: Director,
    primary: IpAddr,
    now: Instant,
    work: Work,
    probe: Option<(SlotId, Epoch)>,
    /// The most probes that began in one poll: with requests about the kernel's table beside them, and without.
    probes: [usize; 2],
}

impl Rig {
    fn new(config: Config, primary: &str) -> Self {
        let mut rig = Self::before(config, primary);
        rig.settle();
        rig
    }

    /// Nothing was done yet.
    fn before(config: Config, primary: &str) -> Self {
        let (director, primary) = (Director::new(config, Instant::ZERO), ip(primary));
        Self { director, primary, now: Instant::ZERO, work: Work::default(), probe: None, probes: [0; 2] }
    }

    fn handle(&mut self, event: Event<'_>) {
        self.work.turns += 1;
        self.director.handle(self.now, event);
    }

    /// Does what the director wants until it wants nothing and is not behind.
    fn settle(&mut self) {
        loop {
            let mut out = Actions::new();
            self.work.polls += 1;
            self.director.poll_actions(self.now, BUDGET, &mut out);
            let idle = out.is_empty();
            self.count_probes(&out);
            out.into_iter().for_each(|action| self.execute(action));
            if idle && self.director.next_deadline() > self.now {
                return;
            }
            if idle {
                self.handle(Event::Tick);
            }
        }
    }

    fn count_probes(&mut self, out: &Actions) {
        let is_of_table =
            |action: &&Action| matches!(action, Action::Service { .. } | Action::Destination { .. });
        let most = &mut self.probes[usize::from(out.iter().filter(is_of_table).count() == 0)];
        *most = (*most).max(out.iter().filter(|action| matches!(action, Action::Probe { .. })).count());
    }

    fn execute(&mut self, action: Action) {
        let kind = match action {
            Action::Service { .. } => &mut self.work.services,
            Action::Destination { .. } => &mut self.work.destinations,
            Action::Dump { what: Dump::Services | Dump::Destinations(_) | Dump::Daemons, .. } => {
                &mut self.work.dumps
            }
            _ => &mut self.work.others,
        };
        *kind += 1;
        let index = LinkIndex(2);
        match action {
            Action::Dump { what, .. } => {
                if what == Dump::Links {
                    let (name, mac) = (LinkName::new("eth0").unwrap(), MacAddress([2; 6]));
                    let entry = LinkEntry {
                        index,
                        name,
                        admin_up: true,
                        running: true,
                        loopback: false,
                        mac,
                        mtu: 1_500,
                    };
                    self.handle(Event::Link(&entry));
                } else if what == Dump::Addresses {
                    let entry = AddressEntry {
                        link: index,
                        address: self.primary,
                        prefix: 24,
                        scope: 0,
                        secondary: false,
                    };
                    self.handle(Event::Address { entry: &entry, source: Source::Dump });
                }
                self.handle(Event::Dumped { action, result: Ok(()) });
            }
            Action::Probe { epoch, slot, .. } => self.probe = Some((slot, epoch)),
            Action::AddAddress { address: AddressRef::Configured(id), .. } => {
                // The kernel tells everybody who listens, us included, and then answers.
                let address = self.director.config().addresses[id.index()].address;
                let entry = AddressEntry { link: index, address, prefix: 32, scope: 0, secondary: false };
                self.handle(Event::Address { entry: &entry, source: Source::Own });
                self.handle(Event::Applied { action, result: Ok(()) });
            }
            Action::RemoveAddress { .. }
            | Action::OpenSocket { .. }
            | Action::FindIpvs { .. }
            | Action::Service { .. }
            | Action::Destination { .. } => self.handle(Event::Applied { action, result: Ok(()) }),
            _ => {}
        }
    }

    fn reload(&mut self, config: Config) -> Work {
        self.work = Work::default();
        let mut reload = Reload::new(config, &self.director, self.now);
        while !reload.step(&self.director) {
            self.work.slices += 1;
        }
        drop(self.director.adopt(self.now, reload));
        self.settle();
        self.work
    }

    /// One event and all that follows from it: what was done, and the least time of several repetitions.
    fn measure(&mut self, act: &mut dyn FnMut(&mut Self, u16)) -> (Work, u64) {
        let mut least = (Work::default(), u64::MAX);
        for turn in 0..40 {
            self.work = Work::default();
            let before = processor();
            act(self, turn);
            self.settle();
            let spent = processor() - before;
            least = if spent < least.1 { (self.work, spent) } else { least };
        }
        least
    }

    /// Goes on until the first check of a probe begins.
    fn begin_probe(&mut self) {
        self.probe = None;
        while self.probe.is_none() {
            self.now = self.now.max(self.director.next_deadline());
            self.handle(Event::Tick);
            self.settle();
        }
    }
}

/// Processor time of this thread in nanoseconds.
fn processor() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

/// An event at both sizes: the same work, and not more time than chance makes of it.
fn independent(what: &str, run: &dyn Fn(&mut Rig) -> (Work, u64)) -> Work {
    let [small, large] =
        [SMALL, LARGE].map(|services| run(&mut Rig::new(config(services, 1, 1), "192.0.2.11")));
    println!("{what}: {} ns with 40 real servers, {} ns with 16,384", small.1, large.1);
    assert_eq!(small.0, large.0, "{what}");
    assert!(
        large.1 <= FACTOR * small.1,
        "{what}: {} ns with 40 real servers, {} ns with 16,384",
        small.1,
        large.1
    );
    large.0
}

#[test]
fn one_weight_on_the_console_is_one_request_however_many_real_servers_there_are() {
    let work = independent("one weight", &|rig| {
        let server = rig.director.config().destinations[DestinationId(3).index()].key;
        rig.measure(&mut |rig, turn| {
            let order = Order { server, service: Some(ServiceId(0)), weight: Some(10 + turn) };
            rig.handle(Event::Override(order));
        })
    });
    assert_eq!(work, Work { turns: 2, polls: 2, destinations: 1, ..Work::default() });
}

#[test]
fn one_failed_check_is_one_request_however_many_real_servers_there_are() {
    let work = independent("one failed check", &|rig| {
        let mut measured = Vec::new();
        for _ in 0..12 {
            rig.begin_probe();
            let (slot, epoch) = rig.probe.unwrap();
            rig.work = Work::default();
            let before = processor();
            let verdict = Verdict::Fail(Failure::Connect { errno: 111 });
            rig.handle(Event::Probed { slot, epoch, verdict });
            rig.settle();
            measured.push((processor() - before, rig.work));
        }
        let (time, work) = measured.into_iter().min_by_key(|one| one.0).unwrap();
        (work, time)
    });
    assert_eq!(work, Work { turns: 2, polls: 2, destinations: 1, ..Work::default() });
}

#[test]
fn one_advert_costs_the_same_however_many_real_servers_there_are() {
    let mut config = config(SMALL, 1, 1);
    config.instances.iter_mut().for_each(|instance| instance.priority = 200);
    let (peer, mut bytes) = (Rig::new(config, "192.0.2.12"), [0; 1_056]);
    let length = peer.director.advert(InstanceId(0), 0, AdvertKind::Present, &mut bytes).unwrap().len;
    let work = independent("one advert", &|rig| {
        rig.measure(&mut |rig, _| {
            let packet = vrrp::parse(&bytes[..length]);
            rig.handle(Event::Advert { link: LinkId(0), channel: Channel::Ipv4, packet });
        })
    });
    assert_eq!(work, Work { turns: 1, polls: 1, ..Work::default() });
}

#[test]
fn a_load_and_a_reload_of_every_weight_ask_once_for_each_real_server() {
    for services in [SMALL, 320] {
        let mut rig = Rig::new(config(services, 1, 1), "192.0.2.11");
        let (rows, first) = (services * SERVERS, rig.work);
        assert_eq!((first.services, first.destinations), (services, rows));
        let all = rig.reload(config(services, 2, 2));
        assert_eq!((all.services, all.destinations, all.dumps), (0, rows, 0));
        // A full poll of 64 for each batch, and one that says that there is no more.
        assert!(all.polls <= u64::try_from(rows / 64 + 3).unwrap(), "{all:?} for {rows}");
        let one = rig.reload(config(services, 2, 9));
        assert_eq!((one.services, one.destinations, one.dumps), (0, 1, 0));
        // Everything is looked at, so many at a time; five turns are the survey of interfaces and the answer.
        let looks = u64::try_from(rows / 2_048).unwrap();
        assert!(one.turns <= 5 + looks && one.polls <= 4 + 2 * looks, "{one:?} for {rows}");
        let none = rig.reload(config(services, 2, 9));
        assert_eq!((none.services, none.destinations, none.dumps), (0, 0, 0));
    }
}

/// Two that keep a table of so many services changing: every weight is another one each time.
struct Reloads {
    services: usize,
    texts: [String; 2],
    rig: Rig,
    /// Nanoseconds of a reading, and from there until all is done: the least of all times.
    least: [u64; 2],
    work: Work,
}

impl Reloads {
    fn new(services: usize) -> Self {
        let texts = [2, 1].map(|weight| text(services, weight, weight));
        let rig = Rig::new(read(&texts[1]), "192.0.2.11");
        Self { services, texts, rig, least: [u64::MAX; 2], work: Work::default() }
    }

    fn rows(&self) -> u64 {
        u64::try_from(self.services * SERVERS).unwrap()
    }

    /// What was asked of the kernel's table at last: services, real servers, lists.
    const fn asked(&self) -> [usize; 3] {
        [self.work.services, self.work.destinations, self.work.dumps]
    }

    /// Both, once.
    fn run(&mut self) {
        for text in &self.texts {
            let begun = processor();
            let config = read(text);
            let known = processor();
            self.work = self.rig.reload(config);
            for (least, spent) in self.least.iter_mut().zip([known - begun, processor() - known]) {
                *least = (*least).min(spent);
            }
        }
    }

    /// Nanoseconds for each real server.
    fn each(&self) -> [u64; 2] {
        self.least.map(|nanos| nanos / self.rows())
    }
}

/// A walk over all of them for each of them would cost each thirty times as much.
#[test]
fn a_reload_of_every_weight_costs_each_real_server_the_same_however_many_there_are() {
    let mut sizes = SIZES.map(Reloads::new);
    for _ in 0..3 {
        for size in &mut sizes {
            // What is short is done more often: the least of it has as good a chance to be undisturbed.
            (0..(LARGE / size.services).min(8)).for_each(|_| size.run());
        }
    }
    let figures = sizes.each_ref().map(|size| (size.rows(), size.each()));
    println!("real servers, and nanoseconds for each to read the file and to reload: {figures:?}");
    let [small, ..] = &sizes;
    for size in &sizes {
        assert_eq!(size.asked(), [0, size.services * SERVERS, 0]);
        let times = size.rows() / small.rows();
        for (work, first) in [
            (size.work.turns, small.work.turns),
            (size.work.polls, small.work.polls),
            (size.work.slices, small.work.slices),
        ] {
            assert!(work <= first * times, "{:?} for {}", size.work, size.rows());
        }
        assert_eq!(size.work.others, small.work.others);
        for (each, first) in size.each().into_iter().zip(small.each()) {
            assert!(each <= LINEAR * first, "{figures:?}");
        }
    }
}

#[test]
fn while_the_table_is_made_few_checks_begin_and_then_as_many_as_there_is_room_for() {
    let mut rig = Rig::before(config(SMALL * 50, 1, 1), "192.0.2.11");
    // So slow a machine that all first checks are due before the first request.
    rig.now = Instant::from_micros(2_000_000);
    rig.handle(Event::Tick);
    rig.settle();
    assert_eq!(rig.probes, [2, 64]);
}

#[test]
fn a_takeover_costs_each_address_the_same_however_many_there_are() {
    let takeover = |addresses: usize| {
        let rows = (0..addresses).fold(String::new(), |mut text, row| {
            writeln!(text, "10.64.{}.{}/32", row / 250, row % 250 + 1).unwrap();
            text
        });
        let text = format!(
            "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority 100\ngarp_master_delay 0\n\
             virtual_ipaddress {{\n192.0.2.100/32\n}}\nvirtual_ipaddress_excluded {{\n{rows}}}\n}}\n"
        );
        let mut rig = Rig::new(lvsbox::config::load(&text, "takeover").config.unwrap(), "192.0.2.11");
        rig.work = Work::default();
        rig.now = rig.director.next_deadline();
        let before = processor();
        rig.handle(Event::Tick);
        rig.settle();
        let spent = processor() - before;
        // Two events for each address; each is asked for once and announced.
        assert!(rig.work.turns > 2 * u64::try_from(addresses).unwrap() && rig.work.others > 2 * addresses);
        spent / u64::try_from(addresses).unwrap()
    };
    let [few, many] = [250, 4_000].map(|addresses| (0..5).map(|_| takeover(addresses)).min().unwrap());
    println!("a takeover: {few} ns for each of 250 addresses, {many} ns for each of 4,000");
    assert!(many <= FACTOR * few, "{few} ns for each of 250 addresses, {many} ns for each of 4,000");
}
