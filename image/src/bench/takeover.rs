//! How late a BACKUP notices that the MASTER has gone, and how long it takes from its first advert until all virtual
//! addresses are in the kernel and announced: lvsbox beside keepalived.
//!
//! The MASTER is the laboratory itself, so that both programs meet the same one: adverts of version 2 that end at an
//! instant that the wire tells, either in silence or with a farewell. Each program has a LAN of its own and is measured
//! in turn with the other; between its runs it is MASTER. All times are the kernel's, taken at the director's end of
//! the wire, but those of addresses, which are a reader's.
//!
//! The laboratory looks at the wire only when the addresses are there: on one processor, looking would delay what it
//! looks at. The kernel keeps the frames and their times meanwhile.
//!
//! RFC 3768 sections 6.1 (`Skew_Time`, `Master_Down_Interval`) and 6.4.2.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::row::{Row, Section};
use super::{Figures, Program, attempt, micros_between, millis};
use crate::capture::Capture;
use crate::frames::Forged;
use crate::monitor::AddressMonitor;
use crate::netns::{Host, Lan};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait::{self, secs};

const MASTER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const BACKUP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// More of an instance's addresses than these are excluded ones: adverts do not tell them.
const ADVERTISED: usize = 20;
const VRID: u8 = 51;
const PRIORITY: u8 = 200;
/// RFC 3768 section 6.1: (256 - priority) / 256 s, and three intervals of a second more.
const SKEW: Duration = Duration::from_micros((256 - PRIORITY as u64) * 1_000_000 / 256);
const MASTER_DOWN: Duration = Duration::from_secs(3).saturating_add(SKEW);
/// The longest that a thousand addresses may take to come or go on an emulated machine.
const LONG: Duration = secs(60);
/// For how long nothing is said before a run begins.
const CALM: Duration = Duration::from_millis(300);

/// How the MASTER ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It falls silent: the BACKUP waits for three intervals and its skew.
    Silence,
    /// Its last advert has priority 0: the BACKUP waits for its skew.
    Farewell,
}

impl Ending {
    /// How long after the last advert the protocol wants the BACKUP to take over.
    const fn bound(self) -> Duration {
        match self {
            Self::Silence => MASTER_DOWN,
            Self::Farewell => SKEW,
        }
    }
}

/// The takeovers of one program, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeovers {
    /// Its name.
    pub program: &'static str,
    /// First advert, from the instant that the protocol sets.
    pub detected: Figures,
    /// Last address in the kernel, from the first advert.
    pub installed: Figures,
    /// Last gratuitous ARP of the first round, from the first advert.
    pub announced: Figures,
    /// The same from the first gratuitous ARP.
    pub spread: Figures,
}

/// One takeover, in microseconds: what is in [`Takeovers`], in this order.
type Takeover = [i64; 4];

/// A program as the BACKUP of the laboratory.
struct Site {
    program: Program,
    _lan: Lan,
    _master: Host,
    _director: Host,
    process: Process,
    _scratch: Scratch,
    /// The MASTER's end, for sending.
    port: Capture,
    wire: Capture,
    kernel: AddressMonitor,
    vips: Vec<Ipv4Addr>,
}

impl Site {
    fn new(program: &Program, count: u16) -> Self {
        let lan = Lan::new();
        let master = lan.host("master", &["10.9.0.1/24"]);
        let director = lan.host("backup", &["10.9.0.2/24"]);
        let scratch = Scratch::new("takeover");
        let address = |number: u16| Ipv4Addr::from((10 << 24 | 64 << 16) + u32::from(number));
        let vips: Vec<Ipv4Addr> = (1..=count).map(address).collect();
        let (port, wire) = (Capture::open(&master, "eth0"), Capture::open(&director, "eth0"));
        let kernel = AddressMonitor::open(&director);
        let process = program.start(&director, &configuration(&vips), &scratch);
        let program = program.clone();
        Self {
            program,
            _lan: lan,
            _master: master,
            _director: director,
            process,
            _scratch: scratch,
            port,
            wire,
            kernel,
            vips,
        }
    }

    /// Sends an advert of the MASTER.
    fn advertise(&self, priority: u8) {
        let told = self.vips.get(..ADVERTISED).unwrap_or(&self.vips);
        self.port.send(&Forged::new(MASTER, VRID, priority, told).frame());
    }

    /// Waits until the director is MASTER and has said all it has to say.
    fn settle(&self) {
        wait::until("all addresses", LONG, || (self.kernel.count() == self.vips.len()).then_some(()));
        self.be_calm(|| {});
    }

    /// Waits until nothing but adverts was on the wire for [`CALM`], and calls `meanwhile` again and again.
    fn be_calm(&self, meanwhile: impl Fn()) {
        wait::until("the end of the announcements", LONG, || {
            meanwhile();
            self.wire.clear();
            wait::maybe(CALM, || self.wire.take().iter().find_map(|frame| frame.gratuitous_arp()))
                .is_none()
                .then_some(())
        });
    }

    /// Makes the director BACKUP, ends, and measures how it takes over.
    fn run(&self, ending: Ending) -> Takeover {
        self.settle();
        wait::until("the director to give way", LONG, || {
            self.advertise(255);
            wait::maybe(Duration::from_millis(700), || (self.kernel.count() == 0).then_some(()))
        });
        self.be_calm(|| self.advertise(255));
        assert_eq!(self.kernel.count(), 0, "{} gave way and came back", self.program.name());
        self.wire.clear();
        self.advertise(255);
        if ending == Ending::Farewell {
            self.advertise(0);
        }
        let all = self.vips.len();
        let there = wait::maybe(LONG, || (self.kernel.count() == all).then_some(()));
        let announced = there.and_then(|()| {
            wait::maybe(LONG, || {
                std::thread::sleep(CALM);
                (self.round().len() == all).then_some(())
            })
        });
        if announced.is_none() {
            panic!("{} did not take over:\n{}", self.program.name(), self.process.log());
        }
        self.figures(ending)
    }

    /// The first announcement of each address, and when.
    fn round(&self) -> Vec<(Duration, Ipv4Addr)> {
        let mut seen = BTreeSet::new();
        let frames = self.wire.frames();
        let all = frames.iter().filter_map(|frame| frame.gratuitous_arp());
        let ours = all.filter(|arp| self.vips.contains(&arp.address) && seen.insert(arp.address));
        ours.map(|arp| (arp.at, arp.address)).collect()
    }

    fn figures(&self, ending: Ending) -> Takeover {
        let adverts = self.wire.adverts();
        let last = adverts.iter().rfind(|advert| advert.source == MASTER).expect("an advert of the MASTER");
        let first = adverts.iter().find(|advert| advert.source == BACKUP && advert.at > last.at);
        let first = first.expect("an advert of the director").at;
        let round = self.round();
        let begun = round.iter().map(|(at, _)| *at).min().unwrap_or_default();
        let announced = round.iter().map(|(at, _)| *at).max().unwrap_or_default();
        let installed = self.kernel.present().into_values().max().unwrap_or_default();
        let detected = micros_between(last.at + ending.bound(), first);
        let since = |at| micros_between(first, at);
        [detected, since(installed), since(announced), micros_between(begun, announced)]
    }
}

/// One instance with these addresses, no second burst of announcements.
fn configuration(vips: &[Ipv4Addr]) -> String {
    let mut text = format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id {VRID}\n priority {PRIORITY}\n \
         advert_int 1\n garp_master_delay 0\n"
    );
    let (told, excluded) = vips.split_at(vips.len().min(ADVERTISED));
    for (block, vips) in [("virtual_ipaddress", told), ("virtual_ipaddress_excluded", excluded)] {
        if !vips.is_empty() {
            let lines: String = vips.iter().map(|vip| format!("  {vip}/32 dev eth0\n")).collect();
            // Writing to a string cannot fail.
            let _ = write!(text, " {block} {{\n{lines} }}\n");
        }
    }
    text + "}\n"
}

/// Has `programs` take over `runs` times each, in turn. `vips` is how many virtual addresses there are, up to 4,000.
///
/// # Panics
/// If one does not take over.
pub fn compare(programs: &[Program], vips: impl Into<u16>, ending: Ending, runs: usize) -> Vec<Takeovers> {
    let vips = vips.into();
    let sites: Vec<Site> = programs.iter().map(|program| Site::new(program, vips)).collect();
    let mut seen: Vec<Vec<Takeover>> = vec![Vec::new(); sites.len()];
    for _ in 0..runs {
        for (site, seen) in sites.iter().zip(&mut seen) {
            seen.push(site.run(ending));
        }
    }
    let column =
        |seen: &[Takeover], index: usize| seen.iter().filter_map(|one| one.get(index).copied()).collect();
    let all = sites.iter().zip(&seen).map(|(site, seen)| Takeovers {
        program: site.program.name(),
        detected: column(seen, 0),
        installed: column(seen, 1),
        announced: column(seen, 2),
        spread: column(seen, 3),
    });
    all.collect()
}

/// What is measured, and how it is called.
fn figures(one: &Takeovers) -> [(&'static str, &Figures); 4] {
    [
        ("first advert", &one.detected),
        ("last address", &one.installed),
        ("last ARP", &one.announced),
        ("all ARPs within", &one.spread),
    ]
}

/// One line for each figure of two programs: medians and worst values in milliseconds.
pub fn rows(title: &str, both: &[Takeovers]) -> String {
    let rows = table(title, both);
    let line = |row: &Row| {
        let (ours, theirs) = (row.ours.unwrap_or_default(), row.theirs.unwrap_or_default());
        format!("{:46} {ours:10.2} {theirs:10.2}\n", row.what)
    };
    rows.iter().map(line).collect()
}

fn table(title: &str, both: &[Takeovers]) -> Vec<Row> {
    let [first, second] = both else { return Vec::new() };
    let pairs = figures(first).into_iter().zip(figures(second));
    pairs
        .flat_map(|((what, ours), (_, theirs))| {
            [("median", ours.median(), theirs.median()), ("worst", ours.worst(), theirs.worst())].map(
                |(word, ours, theirs)| {
                    let name = format!("{title}: {what}, {word}");
                    Row::new(Section::Takeover, &name, "ms", Some(millis(ours)), Some(millis(theirs)))
                },
            )
        })
        .collect()
}

/// Measures everything: 1, 200 and 1,000 addresses, both ways to lose the MASTER, `runs` takeovers of each program.
/// `binary` is lvsbox, built for release. The rows are given to `tell` as they come.
pub fn run(binary: &Path, runs: usize, tell: &mut dyn FnMut(Row)) {
    let programs = [Program::Lvsbox(binary.to_owned()), Program::Keepalived];
    for (ending, word) in [(Ending::Silence, "killed"), (Ending::Farewell, "priority 0")] {
        for vips in [1_u16, 200, 1_000] {
            let title = format!("{word}, {vips} VIP{}", if vips == 1 { "" } else { "s" });
            match attempt(|| compare(&programs, vips, ending, runs)) {
                Ok(both) => table(&title, &both).into_iter().for_each(&mut *tell),
                Err(why) => tell(Row::failed(Section::Takeover, &title, &why)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::row::Goal;

    #[test]
    fn medians_but_those_of_the_span_have_a_goal_and_names_fit() {
        let one = Takeovers {
            program: "p",
            detected: Figures::default(),
            installed: Figures::default(),
            announced: Figures::default(),
            spread: Figures::default(),
        };
        let rows = table("priority 0, 1000 VIPs", &[one.clone(), one]);
        assert!(rows.iter().all(|row| row.what.len() <= 46), "{rows:?}");
        let goals: Vec<_> = rows.iter().map(|row| row.goal() == Some(Goal::NotLater)).collect();
        assert_eq!(goals, [true, false, true, false, true, false, false, false]);
    }
}
