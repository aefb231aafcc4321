//! How regular adverts are under load: 255 instances at 100 ms in one namespace, alone, beside thousands of real
//! servers being checked, and with a reload of everything every few seconds besides. lvsbox and keepalived in turn.
//!
//! What counts is the gap between two adverts of an instance on the wire. How late the machine itself wakes a thread
//! that does nothing else is measured at the same time: below that nobody can be.
//!
//! With IPVS in the kernel (in a guest: `lab guest lab bench-lateness BINARY`) the services use the scheduler `mh`,
//! whose tables are built anew with every real server. Without it keepalived ends its checker, so it is measured
//! without that load, while lvsbox checks on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::load::{INSTANCES, Load, RealServers, instances};
use super::{Figures, Program, micros_between, millis};
use crate::capture::Capture;
use crate::netns::Lan;
use crate::process::{Process, output_of};
use crate::scratch::Scratch;
use crate::wait::{self, secs};

/// The interval of every instance, in microseconds.
const INTERVAL: i64 = 100_000;
/// Between two reloads.
const RELOADS: Duration = Duration::from_secs(4);
/// Period of the thread that watches the machine.
const BEAT: Duration = Duration::from_millis(10);

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Alone,
    Checks,
    Reloads,
}

/// The figures of a phase.
#[derive(Debug)]
pub struct Lateness {
    /// Gaps beyond the interval, in microseconds.
    pub late: Figures,
    /// Instances that sent nothing in the phase, or gave up mastership.
    pub silent: usize,
    /// How late the machine woke a thread that does nothing else, in microseconds.
    pub machine: Figures,
    /// Reloads asked for.
    pub reloads: usize,
}

/// A thread that wants to be woken every [`BEAT`], and notes how late it is.
struct Machine {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Figures>,
}

impl Machine {
    fn watch() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut late = Vec::new();
            while !end.load(Ordering::Relaxed) {
                let due = Instant::now() + BEAT;
                std::thread::sleep(BEAT);
                late.push(micros_between(Duration::ZERO, Instant::now().saturating_duration_since(due)));
            }
            late.into_iter().collect()
        });
        Self { ended, thread }
    }

    fn end(self) -> Figures {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watcher does not panic")
    }
}

/// Watches the wire for `span` while `work` is called again and again.
fn watch(wire: &Capture, span: Duration, mut work: impl FnMut() -> usize) -> Lateness {
    wire.clear();
    let machine = Machine::watch();
    let end = Instant::now() + span;
    let (mut sent, mut reloads) = (BTreeMap::<u8, Vec<Duration>>::new(), 0);
    while Instant::now() < end {
        reloads += work();
        std::thread::sleep(Duration::from_millis(200));
        for advert in wire.take().iter().filter_map(|frame| frame.advert()) {
            sent.entry(advert.vrid).or_default().push(advert.at);
        }
    }
    let gaps = sent.values().flat_map(|times| times.windows(2));
    let late = gaps.map(|two| micros_between(two[0], two[1]) - INTERVAL).collect();
    let silent = usize::from(INSTANCES) - sent.values().filter(|times| times.len() > 1).count();
    Lateness { late, silent, machine: machine.end(), reloads }
}

/// One program through all phases, each `span` long. What it has to say is given to `tell`.
fn measure(program: &Program, load: Load, span: Duration, tell: &mut dyn FnMut(&str)) {
    let lan = Lan::new();
    let director = lan.host("late", &["10.9.0.1/24"]);
    let observer = lan.host("eye", &["10.9.0.9/24"]);
    let scratch = Scratch::new("lateness");
    let wire = Capture::open(&observer, "eth0");
    let _servers = RealServers::serve(&director, &scratch);
    let process = program.start(&director, &instances(), &scratch);
    let file = program.file(&director, &scratch);
    wait_masters(&wire, &process);
    for phase in [Phase::Alone, Phase::Checks, Phase::Reloads] {
        if phase == Phase::Checks {
            reload(&process, &file, load, 0);
            // What the change itself costs belongs to the next phase.
            wait_masters(&wire, &process);
            std::thread::sleep(RELOADS * 2);
        }
        let (mut turn, mut last) = (0, Instant::now());
        let seen = watch(&wire, span, || {
            if phase != Phase::Reloads || last.elapsed() < RELOADS {
                return 0;
            }
            (turn, last) = (1 - turn, Instant::now());
            reload(&process, &file, load, turn);
            1
        });
        tell(&row(program.name(), phase, &seen));
    }
    if let Program::Lvsbox(binary) = program {
        let mut command = director.command(binary);
        command.args(["ctl", "show", "loop"]);
        tell(&format!("\n{}", output_of(command)));
    }
    assert_eq!(process.count("Reload refused"), 0, "a reload of the load");
}

/// Waits until every instance sends.
fn wait_masters(wire: &Capture, process: &Process) {
    let mut seen = std::collections::BTreeSet::new();
    wire.clear();
    let all = wait::maybe(secs(60), || {
        seen.extend(wire.take().iter().filter_map(|frame| frame.advert()).map(|advert| advert.vrid));
        (seen.len() == usize::from(INSTANCES)).then_some(())
    });
    assert!(all.is_some(), "{} of {INSTANCES} instances are MASTER:\n{}", seen.len(), process.log());
}

fn reload(process: &Process, file: &Path, load: Load, turn: usize) {
    // The last reload may still read the file.
    let next = file.with_extension("next");
    fs::write(&next, instances() + &load.text(turn)).expect("write the configuration");
    fs::rename(&next, file).expect("replace the configuration");
    process.signal(Signal::HUP);
}

fn row(program: &str, phase: Phase, seen: &Lateness) -> String {
    let phase = match phase {
        Phase::Alone => "alone",
        Phase::Checks => "checks",
        Phase::Reloads => "reloads",
    };
    let Lateness { late, silent, machine, reloads } = seen;
    let mut text = format!("{program:10} {phase:7} {:7}", late.len());
    for thousandths in [500, 990, 999, 1_000] {
        let _ = write!(text, " {:8.2}", millis(late.quantile(thousandths)));
    }
    let _ = write!(text, " {:6} {silent:6} {reloads:7}", late.above(20_000));
    let _ = writeln!(text, " {:7.2} {:7.2}", millis(machine.quantile(990)), millis(machine.worst()));
    text
}

/// What stands above the rows.
fn head(load: Load, has_ipvs: bool) -> String {
    let Load { services, servers, delay, .. } = load;
    format!(
        "{INSTANCES} instances at 100 ms; {services} services with {servers} real servers each, checked every {delay} s; \
         IPVS: {}\n\
         gap between two adverts of an instance beyond 100 ms, in milliseconds: alone, with checks, and with\n\
         reloads besides; `machine`: how late a thread woke that does nothing else\n\
         {:26} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>7} {:>15}\n\
         {:26} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>7} {:>7} {:>7}\n",
        if has_ipvs { "yes" } else { "no" },
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "machine",
        "                      gaps",
        "p50",
        "p99",
        "p99.9",
        "worst",
        ">20 ms",
        "silent",
        "reloads",
        "p99",
        "worst",
    )
}

/// Measures both programs. `binary` is lvsbox, built for release. Rows are given to `tell` as they come.
pub fn run(binary: &Path, tell: &mut dyn FnMut(&str)) {
    let has_ipvs = fs::exists("/proc/net/ip_vs").unwrap_or(false);
    let load = if has_ipvs {
        Load { services: 256, servers: 16, scheduler: "mh", delay: 4 }
    } else {
        Load { services: 4_096, servers: 16, scheduler: "wrr", delay: 30 }
    };
    let span = Duration::from_secs(20);
    tell(&head(load, has_ipvs));
    for program in [Program::Keepalived, Program::Lvsbox(PathBuf::from(binary))] {
        measure(&program, load, span, tell);
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::WIDTH;
    use super::*;

    #[test]
    fn lines_fit_and_figures_stand_under_their_names() {
        let figures: Figures = [99_999_000].into_iter().collect();
        let seen = Lateness { late: figures.clone(), silent: 255, machine: Figures::default(), reloads: 5 };
        let load = Load { services: 4_096, servers: 16, scheduler: "wrr", delay: 30 };
        let (head, row) = (head(load, false), row("keepalived", Phase::Reloads, &seen));
        assert!(head.lines().chain(row.lines()).all(|line| line.len() <= WIDTH), "{head}{row}");
        let end = |line: &str, word: &str| line.find(word).map(|at| at + word.len());
        let names = head.lines().last().unwrap();
        assert_eq!(end(&row, " 99999.00"), end(names, "p50"), "{head}{row}");
        assert_eq!(end(&row, " 255"), end(names, "silent"), "{head}{row}");
        assert_eq!(names.len() + 1, row.len(), "{head}{row}");
    }
}
