//! For tests: small configurations built by hand, a director driven to a quiet state against a kernel that obeys, a
//! view of it, and a reader that accepts nothing but JSON.

use core::net::IpAddr;
use core::num::{NonZeroU8, NonZeroU32};
use std::rc::Rc;

use super::view::{
    Diagnostics, Heap, Identity, LogFigures, Outcome, Process, Reload, Tally, Traffic, Turns, View, Worst,
};
use super::{Answer, Buf, Request, parse};
use crate::check::http_get::{HttpGet, Recovery, Url, Version};
use crate::check::tcp_check::TcpCheck;
use crate::check::{Checker, Verdict};
use crate::config::Config;
use crate::config::ids::{InstanceId, LinkId, ProbeId, Range, ServiceId};
use crate::config::model::{
    Announce, Assumption, Authentication, Destination, Instance, OnFailure, Policy, Preemption, Probe,
    Service, SourceCheck, Terms, TextsBuilder, Tracker, Transport, VirtualAddress,
};
use crate::director::action::{Action, Actions, Budget, Dump};
use crate::director::event::{Errno, Event, Source};
use crate::director::{Director, reload};
use crate::time::{Duration, Instant};
use crate::wire::genl_ipvs::{
    DestinationEntry, DestinationKey, Family, ForwardingMethod, Protocol, Scheduler, ServiceKey, ServiceSpec,
};
use crate::wire::link::{LinkIndex, LinkName, MacAddress};
use crate::wire::rtnetlink::{AddressEntry, LinkEntry};
use crate::wire::vrrp;

/// How large a configuration is.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) instances: u8,
    pub(super) services: u16,
    /// Of each service, without the sorry server.
    pub(super) servers: u8,
}

/// Two instances, VI_1 and VI_2, with two addresses each, and one service of two servers and a sorry server: the first
/// server is checked by TCP and removed, the second one by HTTP and inhibited.
pub(super) const SMALL: Size = Size { instances: 2, services: 1, servers: 2 };

pub(super) fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

pub(super) fn config(size: Size) -> Config {
    let mut texts = TextsBuilder::default();
    let mut config = Config { links: Box::new([LinkName::new("eth0").unwrap()]), ..Config::default() };
    config.instances = (0..size.instances).map(|id| instance(id, &mut texts)).collect();
    config.trackers = (0..size.instances).map(|_| Tracker::of_link(LinkId(0), 0)).collect();
    config.addresses = (0..u32::from(size.instances) * 2).map(address).collect();
    let each = u32::from(size.servers) + 1;
    config.services = (0..size.services).map(|id| service(id, each)).collect();
    config.destinations = (0..u32::from(size.services) * each).map(|id| destination(id, each)).collect();
    config.probes = (0..u32::from(size.services) * (each - 1)).map(|id| probe(id, each - 1)).collect();
    config.probe_uses = (0..u32::try_from(config.probes.len()).unwrap()).map(ProbeId).collect();
    config.texts = texts.finish();
    config
}

fn instance(id: u8, texts: &mut TextsBuilder) -> Instance {
    let first = usize::from(id) * 2;
    Instance {
        name: texts.intern(&format!("VI_{}", id + 1)),
        link: LinkId(0),
        vrid: NonZeroU8::new(id + 1).unwrap(),
        version: vrrp::Version::V2,
        family: vrrp::Family::Ipv4,
        coverage: vrrp::Coverage::PseudoHeader,
        priority: 100,
        advert_interval: Duration::from_secs(1),
        preemption: Preemption::Preempt,
        authentication: Authentication::Pass(*b"s3cret\0\0"),
        source: None,
        transport: Transport::Multicast(vrrp::GROUP.into()),
        source_check: SourceCheck::Any,
        addresses: Range::new(first, first + 2),
        advertised: 1,
        routes: Range::default(),
        rules: Range::default(),
        trackers: u32::from(id)..u32::from(id) + 1,
        announce: Announce {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_delay: Duration::from_secs(5),
            lower_repeat: 5,
        },
        manners: crate::config::model::Manners::default(),
    }
}

fn address(id: u32) -> VirtualAddress {
    let low = u16::try_from(id / 2).unwrap();
    let (address, prefix) = match id % 2 {
        0 => (IpAddr::from([10, 9, low.to_be_bytes()[1], 100]), 24),
        _ => (IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, low + 1]), 64),
    };
    VirtualAddress {
        instance: Some(InstanceId(id / 2)),
        address,
        prefix,
        link: LinkId(0),
        broadcast: None,
        peer: None,
        scope: 0,
        label: crate::config::model::Text::default(),
        flags: 0,
        preferred: None,
    }
}

fn service(id: u16, each: u32) -> Service {
    let first = usize::from(id) * each as usize;
    let key = match id {
        7 => ServiceKey::Mark { mark: NonZeroU32::new(7).unwrap(), family: Family::Inet },
        _ => ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: IpAddr::from([10, 0, id.to_be_bytes()[0], 100 + id.to_be_bytes()[1] % 100]),
            port: 80 + id,
        },
    };
    Service {
        key,
        spec: ServiceSpec {
            scheduler: Scheduler::new("wrr").unwrap(),
            flags: 0,
            timeout: 0,
            netmask: 32,
            engine: None,
        },
        destinations: Range::new(first, first + each as usize),
        sorry: Range::new(first + each as usize - 1, first + each as usize),
        quorum: 1,
        hysteresis: 0,
        suspend: false,
    }
}

/// The last destination of each service is its sorry server.
fn destination(id: u32, each: u32) -> Destination {
    let (service, place) = (id / each, id % each);
    let sorry = place == each - 1;
    let probe = id - service;
    let low = u8::try_from(11 + place).unwrap();
    Destination {
        service: ServiceId(service),
        key: DestinationKey { address: IpAddr::from([10, 0, 0, low]), port: 80 },
        weight: 1,
        probes: if sorry { probe..probe } else { probe..probe + 1 },
        policy: Rc::new(Policy {
            method: ForwardingMethod::DirectRoute,
            upper: 0,
            lower: 0,
            on_failure: if place % 2 == 1 { OnFailure::Inhibit } else { OnFailure::Remove },
            slow_start: Duration::ZERO,
            drain_time: Duration::ZERO,
        }),
    }
}

fn probe(id: u32, each: u32) -> Probe {
    let place = id % each;
    let low = u8::try_from(11 + place).unwrap();
    let url =
        Url { path: "/".into(), host: None, statuses: Box::new([(200, 299)]), digest: None, regex: None };
    Probe {
        address: IpAddr::from([10, 0, 0, low]),
        port: 80,
        terms: Rc::new(Terms {
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            retry: if place % 2 == 1 { 3 } else { 2 },
            rise: 1,
            retry_delay: Duration::from_secs(1),
            warmup: Duration::ZERO,
            assumption: Assumption::Up,
            bind: None,
            checker: match place % 2 {
                1 => Checker::Http(HttpGet {
                    urls: Rc::new([url]),
                    recovery: Recovery::Fast,
                    protocol: Version::V10,
                }),
                _ => Checker::Tcp(TcpCheck),
            },
        }),
    }
}

/// A director and a world that does what it asks.
pub(super) struct Bench {
    pub(super) director: Director,
    pub(super) now: Instant,
    /// How each probe ends.
    pub(super) verdict: fn(ProbeId) -> Verdict,
    /// Whether eth0 is up.
    pub(super) running: bool,
    /// Whether there is an IPVS.
    pub(super) ipvs: Result<(), Errno>,
    pub(super) filter: Result<(), Errno>,
    /// What a listing of destinations shows.
    pub(super) leaving: Vec<DestinationEntry>,
}

impl Bench {
    pub(super) fn new(config: Config) -> Self {
        let director = Director::new(config, at(1_000));
        Self {
            director,
            now: at(1_000),
            verdict: |_| Verdict::Pass { status: 0 },
            running: true,
            ipvs: Ok(()),
            filter: Ok(()),
            leaving: Vec::new(),
        }
    }

    /// Puts another configuration in force.
    pub(super) fn reload(&mut self, config: Config) {
        let mut reload = reload::Reload::new(config, &self.director, self.now);
        while !reload.step(&self.director) {}
        self.director.announce_departures(self.now, &reload);
        self.director.adopt(self.now, reload);
        self.settle();
    }

    /// Lets time pass until `until`, doing what is asked.
    pub(super) fn run(&mut self, until: Instant) {
        loop {
            self.settle();
            let next = self.director.next_deadline();
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            self.director.handle(self.now, Event::Tick);
        }
        self.now = until;
    }

    pub(super) fn handle(&mut self, event: Event<'_>) {
        self.director.handle(self.now, event);
        self.settle();
    }

    fn settle(&mut self) {
        let budget = Budget { route: 64, ipvs: 64, announcements: 64, probes: 64, probes_meanwhile: 2 };
        loop {
            let mut actions = Actions::new();
            self.director.poll_actions(self.now, budget, &mut actions);
            if actions.is_empty() && !self.director.has_work() {
                return;
            }
            actions.into_iter().for_each(|action| self.carry_out(action));
        }
    }

    fn carry_out(&mut self, action: Action) {
        let (now, ok) = (self.now, Ok(()));
        match action {
            Action::Dump { what, .. } => {
                match what {
                    Dump::Links => self.director.handle(now, Event::Link(&link(self.running))),
                    Dump::Addresses => {
                        let entry = AddressEntry {
                            link: LinkIndex(2),
                            address: IpAddr::from([10, 9, 0, 1]),
                            prefix: 24,
                            scope: 0,
                            secondary: false,
                        };
                        self.director.handle(now, Event::Address { entry: &entry, source: Source::Dump });
                    }
                    Dump::Destinations(_) => {
                        for entry in &self.leaving {
                            self.director.handle(now, Event::Destination(entry));
                        }
                    }
                    Dump::Routes | Dump::Rules | Dump::Services | Dump::Daemons => {}
                }
                self.director.handle(now, Event::Dumped { action, result: Ok(()) });
            }
            Action::Probe { epoch, slot, probe, .. } => {
                let verdict = (self.verdict)(probe);
                self.director.handle(now, Event::Probed { slot, epoch, verdict });
            }
            Action::FindIpvs { .. } => {
                self.director.handle(now, Event::Applied { action, result: self.ipvs })
            }
            Action::Filter { .. } => {
                self.director.handle(now, Event::Applied { action, result: self.filter })
            }
            Action::Firewall { .. } => {
                self.director.handle(now, Event::Applied { action, result: self.filter })
            }
            Action::SendAdvert { .. }
            | Action::Announce { .. }
            | Action::CloseSocket { .. }
            | Action::AbortProbe { .. } => {}
            Action::OpenSocket { .. }
            | Action::AddAddress { .. }
            | Action::RemoveAddress { .. }
            | Action::Routing { .. }
            | Action::FlushIpvs { .. }
            | Action::SetTimeouts { .. }
            | Action::Service { .. }
            | Action::Daemon { .. }
            | Action::ReadTimeouts { .. }
            | Action::Destination { .. } => {
                self.director.handle(now, Event::Applied { action, result: ok });
            }
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            director: &self.director,
            boot: &[],
            short: 0,
            now: self.now,
            identity: Identity {
                version: "0.1.0",
                host: "lb1",
                configuration: "/etc/lvsbox.conf",
                started: at(1_000),
                pid: 4711,
            },
            heap: Heap { live: 200_000, peak: 260_000, allocations_total: 1_234 },
            process: Process { resident_kib: 1_204, threads: 1, need: 2 << 20, room: (8 << 20, "ulimit -v") },
            turns: Turns {
                since: at(1_000),
                turns_total: 321,
                wakes: Tally { count: 40, total: Duration::from_micros(4_000), longest: LATE },
                worst: Worst { late: LATE, after: "ipvs", at: at(2_000) },
                work: &[("adverts", TALLY), ("ipvs", TALLY)],
                ipvs: Traffic { requests: 70_000, sends: 1_100, reads: 1_200 },
                classes: &CLASSES,
            },
            log: LogFigures { written_total: 55, lost_total: 0, held: 2_048 },
            argument: "",
            diagnostics: Diagnostics { errors: 0, warnings: 1 },
            reload: Some(Reload { at: self.now, outcome: Outcome::InForce }),
            #[cfg(feature = "tls")]
            clock_set: true,
        }
    }

    /// The whole answer to a command; every piece is held against the size of a buffer.
    pub(super) fn ask(&self, line: &str) -> String {
        let mut answer = Answer::new(request(line));
        let (mut whole, mut piece) = (String::new(), Buf::new());
        loop {
            let more = answer.next(&self.view(), &mut piece);
            assert!(!more || !piece.is_empty(), "an answer stands still");
            whole.push_str(&piece);
            piece.clear();
            if !more {
                return whole;
            }
        }
    }
}

const CLASSES: [(Option<Duration>, u64); 2] = [(Some(Duration::from_micros(100)), 39), (None, 1)];
const LATE: Duration = Duration::from_micros(3_400);
const TALLY: Tally = Tally { count: 20, total: Duration::from_micros(9_000), longest: LATE };

pub(super) fn request(line: &str) -> Request {
    parse(line.as_bytes()).unwrap_or_else(|mistake| panic!("{line}: {mistake}"))
}

/// eth0.
pub(super) fn link(running: bool) -> LinkEntry {
    LinkEntry {
        index: LinkIndex(2),
        name: LinkName::new("eth0").unwrap(),
        admin_up: true,
        running,
        loopback: false,
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        mtu: 1_500,
    }
}

/// Panics unless `text` is one JSON value and a newline.
pub(super) fn assert_json(text: &str) {
    let bytes = text.as_bytes();
    let end = value(bytes, 0).unwrap_or_else(|place| panic!("no JSON at {place}: {}", near(text, place)));
    assert_eq!(&bytes[end..], b"\n", "nothing behind the value");
}

fn near(text: &str, place: usize) -> String {
    String::from_utf8_lossy(&text.as_bytes()[place.saturating_sub(60)..(place + 40).min(text.len())]).into()
}

fn skip(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The end of the value at `from`, or where it is broken.
fn value(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let from = skip(bytes, from);
    match bytes.get(from).ok_or(from)? {
        b'{' => members(bytes, from + 1, b'}', true),
        b'[' => members(bytes, from + 1, b']', false),
        b'"' => string(bytes, from),
        b'-' | b'0'..=b'9' => {
            let end =
                from + bytes[from..].iter().take_while(|byte| b"+-.eE0123456789".contains(byte)).count();
            let number = core::str::from_utf8(&bytes[from..end]).unwrap();
            number.parse::<f64>().map(|_| end).map_err(|_| from)
        }
        _ => [&b"true"[..], b"false", b"null"]
            .iter()
            .find(|word| bytes[from..].starts_with(word))
            .map(|word| from + word.len())
            .ok_or(from),
    }
}

fn members(bytes: &[u8], from: usize, close: u8, named: bool) -> Result<usize, usize> {
    let mut place = skip(bytes, from);
    if bytes.get(place) == Some(&close) {
        return Ok(place + 1);
    }
    loop {
        if named {
            place = skip(bytes, string(bytes, skip(bytes, place))?);
            if bytes.get(place) != Some(&b':') {
                return Err(place);
            }
            place += 1;
        }
        place = skip(bytes, value(bytes, place)?);
        match bytes.get(place) {
            Some(b',') => place += 1,
            Some(byte) if *byte == close => return Ok(place + 1),
            _ => return Err(place),
        }
    }
}

fn string(bytes: &[u8], from: usize) -> Result<usize, usize> {
    if bytes.get(from) != Some(&b'"') {
        return Err(from);
    }
    let mut place = from + 1;
    loop {
        match bytes.get(place).ok_or(place)? {
            b'"' => return Ok(place + 1),
            b'\\' => place += 2,
            0..32 => return Err(place),
            _ => place += 1,
        }
    }
}
