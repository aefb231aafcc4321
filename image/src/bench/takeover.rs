//! How late a BACKUP notices that the MASTER has gone, and how long it takes from its first advert until all virtual
//! addresses are in the kernel and announced: lvsbox beside keepalived.
//!
//! The MASTER is the laboratory itself, so that both programs meet the same one: adverts of version 2 that end at an
//! instant that the wire tells, either in silence or with a farewell. Each program has a LAN of its own and is measured
//! in turn with the other; between its runs it is MASTER. All times are the kernel's, taken at the director's end of
//! the wire, but those of addresses, which are a reader's.
//!
//! RFC 3768 sections 6.1 (`Skew_Time`, `Master_Down_Interval`) and 6.4.2.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use super::{Figures, Program, micros_between, millis};
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
}

/// One takeover, in microseconds: what is in [`Takeovers`], in this order.
type Takeover = [i64; 3];

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
    fn new(program: &Program, count: u8) -> Self {
        let lan = Lan::new();
        let master = lan.host("master", &["10.9.0.1/24"]);
        let director = lan.host("backup", &["10.9.0.2/24"]);
        let scratch = Scratch::new("takeover");
        let vips: Vec<Ipv4Addr> = (1..=count).map(|last| Ipv4Addr::new(10, 64, 0, last)).collect();
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
        wait::until("all addresses", secs(20), || (self.kernel.count() == self.vips.len()).then_some(()));
        self.be_calm();
    }

    /// Waits until nothing but adverts was on the wire for [`CALM`].
    fn be_calm(&self) {
        wait::until("the end of the announcements", secs(20), || {
            self.wire.clear();
            wait::maybe(CALM, || self.wire.frames().iter().find_map(|frame| frame.gratuitous_arp()))
                .is_none()
                .then_some(())
        });
    }

    /// Makes the director BACKUP, ends, and measures how it takes over.
    fn run(&self, ending: Ending) -> Takeover {
        self.settle();
        wait::until("the director to give way", secs(20), || {
            self.advertise(255);
            wait::maybe(Duration::from_millis(700), || (self.kernel.count() == 0).then_some(()))
        });
        self.be_calm();
        self.wire.clear();
        self.advertise(255);
        if ending == Ending::Farewell {
            self.advertise(0);
        }
        let done = || {
            let round: BTreeSet<Ipv4Addr> = self.round().iter().map(|(_, address)| *address).collect();
            (round.len() == self.vips.len() && self.kernel.count() == self.vips.len()).then_some(())
        };
        if wait::maybe(secs(12), done).is_none() {
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
        let announced = self.round().iter().map(|(at, _)| *at).max().unwrap_or_default();
        let installed = self.kernel.present().into_values().max().unwrap_or_default();
        let detected = micros_between(last.at + ending.bound(), first);
        [detected, micros_between(first, installed), micros_between(first, announced)]
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

/// Has `programs` take over `runs` times each, in turn. `vips` is how many virtual addresses there are, up to 254.
///
/// # Panics
/// If one does not take over.
pub fn compare(programs: &[Program], vips: u8, ending: Ending, runs: usize) -> Vec<Takeovers> {
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
    });
    all.collect()
}

/// One line for each figure of two programs: medians and worst values in milliseconds, and the ratio of the medians.
pub fn rows(title: &str, both: &[Takeovers]) -> String {
    let [first, second] = both else { return String::new() };
    let figures = [
        ("first advert beyond the bound", &first.detected, &second.detected),
        ("last address in the kernel", &first.installed, &second.installed),
        ("last announcement of the round", &first.announced, &second.announced),
    ];
    let mut text = String::new();
    for (what, one, other) in figures {
        let ratio = millis(one.median()) / millis(other.median().max(1));
        let _ = writeln!(
            text,
            "{title:18} {what:31} {:8.2} {:8.2} {:10.2} {:8.2} {ratio:7.2}",
            millis(one.median()),
            millis(one.worst()),
            millis(other.median()),
            millis(other.worst()),
        );
    }
    text
}

/// Measures everything: 1 and 200 addresses, silence and farewell, 11 runs of each program. `binary` is lvsbox, built
/// for release. The rows are given to `tell` as they come.
pub fn run(binary: &Path, tell: &mut dyn FnMut(&str)) {
    let programs = [Program::Lvsbox(binary.to_owned()), Program::Keepalived];
    tell(&format!(
        "{:50} {:>17} {:>19} {:>7}\n{:50} {:>8} {:>8} {:>10} {:>8} {:>7}\n",
        "milliseconds", "lvsbox", "keepalived", "", "", "median", "worst", "median", "worst", "ratio"
    ));
    for (ending, word) in [(Ending::Silence, "silence"), (Ending::Farewell, "farewell")] {
        for vips in [1, 200] {
            let title = format!("{word}, {vips} VIP{}", if vips == 1 { "" } else { "s" });
            tell(&rows(&title, &compare(&programs, vips, ending, 11)));
        }
    }
}
