//! Everything that can happen to a box, again and again, in virtual time: adverts, checks, flaps, reloads, commands, a
//! kernel that forgets and refuses. Afterwards its heap, its descriptors and its kernel are what they were before. A
//! binary of its own, since the counters are of the whole process.
//!
//! The program's logic is whole: files are read and prepared as the shell does it, terminals are served by the real
//! session. Of the shell itself there is a soak in a network namespace, and one with traffic (`tests/soak`).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "soak/desk.rs"]
mod desk;
mod support;
#[path = "soak/texts.rs"]
mod texts;

use std::fs;
use std::path::Path;

use lab::scratch::Scratch;
use lvsbox::config::ids::{Id, InstanceId};
use lvsbox::config::{Config, load};
use lvsbox::console::{lines, view};
use lvsbox::director::action::{Action, AdvertKind};
use lvsbox::director::duplicate::Claim;
use lvsbox::director::event::{Errno, Event, Source};
use lvsbox::director::journal::Reason;
use lvsbox::observe::heap;
use lvsbox::task::load::{Loading, Purpose, Report};
use lvsbox::time::Duration;
use lvsbox::wire::genl_ipvs::{DestinationKey, DestinationSpec, ForwardingMethod};
use lvsbox::wire::link::MacAddress;

use desk::{Log, Site, Terminal};
use support::{Dice, Fault, Kernel, Node, Server};

/// How much has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    adverts: u64,
    checks: u64,
    /// VI_1 became MASTER.
    masterships: u64,
    /// A real server was found dead, or alive again.
    servers: u64,
    /// An interface lost its carrier, or went altogether.
    links: u64,
    reloads: u64,
    refused: u64,
    commands: u64,
    /// Somebody changed the kernel's tables, or a socket overran.
    drifts: u64,
    /// Requests that were refused or lost.
    faults: u64,
    sent: u64,
    lines: u64,
}

/// What must be there at least between the first and the last look.
const WANTED: Counts = Counts {
    adverts: 1_000_000,
    checks: 1_000_000,
    masterships: 10_000,
    servers: 10_000,
    links: 1_000,
    reloads: 1_000,
    refused: 200,
    commands: 10_000,
    drifts: 1_000,
    faults: 1_000,
    sent: 10_000,
    lines: 100_000,
};
/// Adverts of a second, half of them of a better box.
const ROUND: usize = 100;

impl Counts {
    fn all(&self) -> [u64; 12] {
        let Self { adverts, checks, masterships, servers, links, reloads, .. } = *self;
        let Self { refused, commands, drifts, faults, sent, lines, .. } = *self;
        [
            adverts,
            checks,
            masterships,
            servers,
            links,
            reloads,
            refused,
            commands,
            drifts,
            faults,
            sent,
            lines,
        ]
    }

    fn since(&self, before: &Self) -> [u64; 12] {
        let (now, before) = (self.all(), before.all());
        core::array::from_fn(|row| now[row] - before[row])
    }
}

/// What must be as it was.
#[derive(Debug, PartialEq, Eq)]
struct Census {
    heap: usize,
    descriptors: usize,
}

struct Soak {
    site: Site,
    terminals: [Terminal; 4],
    counts: Counts,
    dice: Dice,
    commands: Vec<String>,
    better: Vec<u8>,
    lesser: Vec<u8>,
    scratch: Scratch,
    /// Adverts that the instances of this configuration have counted so far.
    received: u64,
    turn: usize,
}

fn config(turn: usize, priority: u8) -> Config {
    let loaded = load(&texts::text_with(turn, priority), "soak.conf");
    loaded.config.unwrap_or_else(|| panic!("{}", loaded.diagnostics))
}

/// An advert of another box.
fn packet(priority: u8, primary: &str) -> Vec<u8> {
    let mut node = Node::new(config(0, priority), primary);
    node.run_millis(100);
    let mut bytes = [0; 1_056];
    let datagram = node.director.advert(InstanceId(0), 0, AdvertKind::Present, &mut bytes).unwrap();
    bytes[..datagram.len].to_vec()
}

impl Soak {
    fn new() -> Self {
        let scratch = Scratch::new("soak");
        let file = scratch.write("soak.conf", &texts::text(0));
        let mut kernel = Kernel::new("192.0.2.11".parse().unwrap());
        kernel.add_link("eth1");
        let node = Node::with_kernel(config(0, 100), kernel, lvsbox::time::Instant::ZERO);
        let site = Site {
            node,
            log: Log::new(),
            file: file.into(),
            outcome: None,
            found: view::Diagnostics::default(),
            wanted: None,
            reloads_total: 0,
        };
        let commands = desk::all_commands(&site);
        assert!(commands.len() > 40, "{commands:?}");
        Self {
            site,
            terminals: core::array::from_fn(|_| Terminal::new()),
            counts: Counts::default(),
            dice: Dice::new(1),
            commands,
            better: packet(200, "192.0.2.12"),
            lesser: packet(50, "192.0.2.13"),
            scratch,
            received: 0,
            turn: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap()
    }

    /// Takes what was recorded since: into the log and into the counts.
    fn harvest(&mut self) {
        let Site { node, log, .. } = &mut self.site;
        let mut line: heapless::String<512> = heapless::String::new();
        for record in node.records.drain(..) {
            let turned = matches!(record.reason, Reason::DestinationDown(_) | Reason::DestinationUp(_));
            self.counts.servers += u64::from(turned);
            self.counts.masterships += u64::from(matches!(record.reason, Reason::EnteredMaster(_)));
            lines::tell(&node.director, &record, &mut |_, text| {
                line.clear();
                let _ = core::fmt::write(&mut line, format_args!("{text}"));
                let _ = line.push('\n');
                log.write(line.as_bytes());
                self.counts.lines += 1;
            });
        }
        self.counts.checks +=
            node.actions.iter().filter(|(_, one)| matches!(one, Action::Probe { .. })).count() as u64;
        self.counts.sent += node.outbox.len() as u64;
        node.actions.clear();
        node.outbox.clear();
        node.announced.clear();
        let instances = 0..node.director.config().instances.len();
        let received =
            |row| node.director.vrrp().get(InstanceId::from_index(row)).unwrap().counters.received_total;
        let received = instances.map(received).sum();
        self.counts.adverts += received - self.received.min(received);
        self.received = received;
    }

    /// Reads the file again, as the shell does: in pieces, beside the running director, and in force at once or never.
    fn reload(&mut self, force: bool) {
        self.harvest();
        let mut loading = Loading::open(&self.site.file, Some("lb1"), Purpose::Run(usize::MAX)).unwrap();
        while !loading.step().unwrap() {}
        let loaded = loading.finish();
        let found = Report::of(&loaded).found;
        let size = |count: u64| usize::try_from(count).unwrap();
        let found = view::Diagnostics { errors: size(found.errors), warnings: size(found.warnings) };
        let config = loaded.config.filter(|_| found.errors == 0 || force);
        let outcome = match config {
            Some(config) => {
                self.site.node.reload(config);
                // They may name what is in neither configuration.
                self.site.node.records.clear();
                self.site.found = found;
                self.counts.reloads += 1;
                view::Outcome::InForce
            }
            None => {
                self.counts.refused += 1;
                view::Outcome::Refused(found)
            }
        };
        self.site.outcome = Some(view::Reload { at: self.site.node.now, outcome });
        self.site.reloads_total += 1;
        self.harvest();
    }

    /// Another configuration, now and then one that is refused.
    fn change(&mut self, turn: usize) {
        let refused = turn % 5 == 3;
        let text = if refused { texts::refused(turn) } else { texts::text(turn % texts::COUNT) };
        fs::write(&self.site.file, text).unwrap();
        self.reload(refused && turn % 10 == 8);
    }

    /// Something an operator, a script, a rival or a cable does.
    fn meddle(&mut self) {
        let (kind, percent) = (self.below(16), self.dice.percent(50));
        let node = &mut self.site.node;
        let services = node.director.config().services.clone();
        let key = services[usize::try_from(self.dice.below(services.len() as u64)).unwrap()].key;
        let weight = u32::try_from(self.dice.below(9)).unwrap();
        let spec = DestinationSpec { method: ForwardingMethod::Masquerade, weight, upper: 0, lower: 0 };
        let stranger = DestinationKey { address: "10.66.6.6".parse().unwrap(), port: 80 };
        let table = node.kernel.ipvs.as_mut().unwrap();
        self.counts.drifts += u64::from(kind < 12);
        self.counts.links += u64::from(kind >= 12);
        match kind {
            0 => table.clear(),
            1 => drop(table.remove(&key)),
            2 => table.values_mut().for_each(|(spec, _)| spec.flags ^= 0x8),
            3 => table.values_mut().for_each(|(_, pool)| _ = pool.pop_first()),
            4 => {
                table.values_mut().flat_map(|(_, pool)| pool.values_mut()).for_each(|one| one.weight = weight)
            }
            5 => table.values_mut().for_each(|(_, pool)| _ = pool.insert(stranger, spec)),
            6 => node.delete_by_hand("198.51.100.2"),
            7 => node.overrun(),
            8 => {
                if let Some((spec, hops)) = node.kernel.routes.pop() {
                    node.say_route((&spec, &hops), false, Source::Foreign);
                }
            }
            9 => node.kernel.rules.clear(),
            10 => node.kernel.daemons = [None; 2],
            11 => {
                let filter = node.kernel.filter.as_mut().unwrap();
                (filter.table, filter.generation) = (None, filter.generation + 1);
            }
            12 if node.kernel.links.iter().any(|link| link.name.as_str() == "eth1") => {
                node.remove_link("eth1")
            }
            12 => node.add_link("eth1", "192.0.3.11".parse().unwrap()),
            13 => node.set_carrier("eth1", percent),
            _ => node.set_carrier("eth0", false),
        }
    }

    /// Somebody else has an address of ours, or says so.
    fn claim(&mut self) {
        let (last, mac) = (self.below(20), self.below(200));
        let address = format!("198.51.100.{last}").parse().unwrap();
        let mac = MacAddress([2, 0, 0, 0, 9, u8::try_from(mac).unwrap()]);
        let link = self.site.node.kernel.link("eth0").index;
        self.site.node.handle(Event::Claim(Claim { link, mac, address }));
    }

    /// A server of one of the services behaves otherwise.
    fn turn_servers(&mut self) {
        let (service, server) = (self.below(14), self.below(6) + 1);
        let target = format!("10.0.{service}.{server}:80").parse().unwrap();
        let node = &mut self.site.node;
        if node.servers.remove(&target).is_none() {
            let how = [Server::Refuses, Server::Urls(1), Server::Hindered]
                [usize::try_from(self.dice.below(3)).unwrap()];
            node.servers.insert(target, how);
        }
    }

    fn type_something(&mut self) {
        let (command, terminal) = (self.below(self.commands.len()), self.below(self.terminals.len()));
        let keys = desk::keys(&self.commands[command], &mut self.dice);
        let before: &[u8] = [&b""[..], b"\x03", b"\x03", b"q", b" "][self.below(5)];
        self.terminals[terminal].type_in(before);
        self.terminals[terminal].type_in(&keys);
    }

    fn serve_terminals(&mut self) {
        for terminal in &mut self.terminals {
            let takes = [0, 40, 4_096, 16_384][usize::try_from(self.dice.below(4)).unwrap()];
            terminal.work(&mut self.site, takes);
        }
        if let Some(force) = self.site.wanted.take() {
            self.reload(force);
        }
        self.counts.commands = self.terminals.iter().map(|one| one.begun - one.asked).sum();
    }

    /// A second: half of it another box is MASTER, and then it is silent.
    fn round(&mut self, number: usize) {
        if number.is_multiple_of(9) {
            self.change(self.turn);
            self.turn += 1;
        }
        if number.is_multiple_of(3) {
            self.meddle();
            self.claim();
        }
        for _ in 0..2 {
            self.turn_servers();
            self.type_something();
        }
        for step in 0..ROUND {
            let bytes = if step < ROUND / 2 { &self.better } else { &self.lesser };
            self.site.node.hear(bytes);
            self.site.node.run_millis(10);
            if step.is_multiple_of(20) {
                self.serve_terminals();
            }
            if step == ROUND / 5 {
                self.site.node.set_carrier("eth0", true);
            }
        }
        self.harvest();
    }

    fn story(&mut self, until: &Counts) -> usize {
        let before = self.counts;
        let faults = std::rc::Rc::new(std::cell::Cell::new(0));
        let (mut dice, counter) = (Dice::new(self.counts.checks + 3), std::rc::Rc::clone(&faults));
        self.site.node.fault = Box::new(move |_| {
            let fault = dice.percent(2);
            counter.set(counter.get() + u64::from(fault));
            fault.then(|| match dice.below(4) {
                0 => Fault::LoseAnswer,
                1 => Fault::LoseRequest,
                2 => Fault::Refuse(Errno::ENOBUFS),
                _ => Fault::Refuse(Errno(12)),
            })
        });
        let mut rounds = 0;
        while self.counts.since(&before).iter().zip(until.all()).any(|(is, wanted)| *is < wanted) {
            self.round(rounds);
            self.counts.faults += faults.take();
            rounds += 1;
            assert!(rounds < 20_000, "{:?} of {until:?}", self.counts.since(&before));
        }
        rounds
    }

    /// Everything heals, the first configuration is in force, nobody types: what there is then.
    fn rest(&mut self) -> Census {
        self.site.node.fault = Box::new(|_| None);
        self.site.node.servers.clear();
        if !self.site.node.kernel.links.iter().any(|link| link.name.as_str() == "eth1") {
            self.site.node.add_link("eth1", "192.0.3.11".parse().unwrap());
        }
        if !self.site.node.kernel.has("192.0.3.11".parse().unwrap()) {
            let entry = self.site.node.kernel.add_address("eth1", "192.0.3.11".parse().unwrap(), 24);
            self.site.node.handle(Event::Address { entry: &entry, source: Source::Foreign });
        }
        ["eth0", "eth1"].iter().for_each(|link| self.site.node.set_carrier(link, true));
        for number in 0..self.terminals.len() {
            while !self.is_free(number) {
                self.terminals[number].type_in(b"\x03");
                self.terminals[number].work(&mut self.site, usize::MAX);
            }
        }
        let enable: Vec<String> = (0..14)
            .flat_map(|service| {
                (0..9).map(move |server| format!("\x15real 10.0.{service}.{server}:80 enable\r"))
            })
            .chain(["\x15set track load 0\r".to_owned(), "\x15alarm clear\r".to_owned()])
            .collect();
        for keys in enable {
            self.terminals[0].type_in(keys.as_bytes());
            self.terminals[0].work(&mut self.site, usize::MAX);
        }
        self.site.wanted = None;
        fs::write(&self.site.file, texts::text(0)).unwrap();
        // What a reload makes room for is also what the one before had: routes to be removed, services that drain.
        for _ in 0..2 {
            self.reload(false);
            for _ in 0..150 {
                self.site.node.run(Duration::from_secs(1));
                self.harvest();
            }
        }
        let node = &self.site.node;
        assert!(node.is_master(0) && node.is_master(1));
        node.assert_addresses_as_wished();
        node.assert_table_as_wished();
        self.terminals[1..].iter_mut().for_each(|terminal| terminal.work(&mut self.site, usize::MAX));
        self.terminals[0].work(&mut self.site, usize::MAX);
        self.site.node.rest();
        let live = heap::live();
        Census { heap: live, descriptors: descriptors() }
    }

    fn is_free(&self, number: usize) -> bool {
        self.terminals[number].begun == self.terminals[number].ended
    }

    /// What the kernel holds, into a file: between two looks it must not be in memory.
    fn write_objects(&self, name: &str) {
        fs::write(self.scratch.join(name), self.site.node.kernel.objects().join("\n")).unwrap();
    }
}

/// No test of its own: it must not run at the same time.
fn check_texts() {
    for turn in 0..texts::COUNT {
        let loaded = load(&texts::text(turn), "soak.conf");
        assert_eq!(Report::of(&loaded).found.errors, 0, "{turn}: {}", loaded.diagnostics);
    }
    for turn in 0..10 {
        let loaded = load(&texts::refused(turn), "soak.conf");
        assert!(Report::of(&loaded).found.errors > 0, "{turn}");
    }
}

/// Open descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir(Path::new("/proc/self/fd")).unwrap().count()
}

#[test]
fn a_million_of_everything_leaves_heap_descriptors_and_kernel_as_they_were() {
    check_texts();
    let mut soak = Soak::new();
    // Everything happens once, and every limit is reached.
    let some = Counts {
        adverts: 10_000,
        checks: 10_000,
        masterships: 100,
        servers: 100,
        links: 20,
        ..Counts::default()
    };
    soak.story(&Counts { reloads: 30, refused: 6, commands: 400, drifts: 30, faults: 30, ..some });
    let before = soak.rest();
    soak.write_objects("before");
    let counts = soak.counts;
    let rounds = soak.story(&WANTED);
    let after = soak.rest();
    soak.write_objects("after");
    println!("{rounds} seconds: {:?}", soak.counts);
    let happened = soak.counts.since(&counts);
    assert!(happened.iter().zip(WANTED.all()).all(|(is, wanted)| *is >= wanted), "{happened:?}");
    let read = |name: &str| fs::read_to_string(soak.scratch.join(name)).unwrap();
    assert_eq!(read("after"), read("before"), "what the kernel holds");
    assert_eq!(after, before);
    assert!(soak.terminals.iter().all(|one| one.begun == one.ended && one.shown > 100_000));
}
