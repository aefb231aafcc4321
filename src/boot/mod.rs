//! PID 1: from the kernel's hand-over to the loop, and from the loop to the end of the machine.
//!
//! Stages run in the order of [`STAGES`], each timed and logged. One that fails says why, and the next one runs: a box
//! without a network card, a kernel module or a readable configuration is still up and says on its console what it
//! lacks. Nothing here returns, because the end of PID 1 is a panic of the kernel; a bug's last words are on the
//! console, and the kernel's command line carries `panic=3`.

mod facts;
mod links;
mod stages;
mod sysctl;

use core::fmt;
use std::path::Path;

use crate::config::Config;
use crate::console::view::{Millis, Stage};
use crate::kernel::files::TextFile;
use crate::kernel::machine::{self, End};
use crate::kernel::{clock, console};
use crate::observe::{log as logger, panic};
use crate::task::birth::Birth;
use crate::task::load::{self, Found};
use crate::task::run;
use crate::task::shell::Options;
use crate::time::{Duration, Instant};
use facts::Facts;

/// The configuration inside the image.
const CONFIGURATION: &str = "/etc/lvsbox.conf";
/// How long PID 1 waits after the loop could not run, before it tries again.
const RETRY: Duration = Duration::from_secs(5);

/// What the stages find out for those after them.
#[derive(Default)]
struct Boot {
    facts: Facts,
    config: Config,
    found: Found,
    /// Paths of the terminals that are served; the first is standard error's.
    consoles: Vec<Box<str>>,
    /// What was done so far, for `show boot`.
    stages: Vec<Stage>,
}

impl Boot {
    /// Keeps what a stage did. One that runs again takes its old place: tries may go on for years.
    fn note(&mut self, stage: Stage) {
        match self.stages.iter_mut().find(|known| known.name == stage.name) {
            Some(known) => *known = stage,
            None => self.stages.push(stage),
        }
    }
}

/// What a stage has to say for itself.
struct Report {
    stage: &'static str,
    /// What was done, in a few words.
    done: String,
    problems: Vec<Box<str>>,
}

impl Report {
    /// Something is missing; the stage goes on.
    fn problem(&mut self, what: impl fmt::Display) {
        let what = what.to_string();
        log::error!("Boot {}: {what}", self.stage);
        self.problems.push(what.into());
    }
}

/// What a stage does.
type Work = fn(&mut Boot, &mut Report);

/// All stages. The console comes as early as its device can be there.
const STAGES: [(&str, Work); 10] = [
    ("mounts", stages::mounts),
    ("board", stages::board),
    ("console", stages::console),
    ("modules", stages::modules),
    ("clock", stages::clock),
    ("configuration", stages::configuration),
    ("own consoles", stages::own_consoles),
    ("hostname", stages::hostname),
    ("sysctl", sysctl::set),
    ("interfaces", links::set_up),
];

/// Boots and runs, for ever.
pub fn run() -> ! {
    panic::install();
    logger::install(log::LevelFilter::Info);
    log::info!("Starting lvsbox {} as PID 1", env!("CARGO_PKG_VERSION"));
    let start = clock::now();
    let mut boot = Boot::default();
    for (stage, work) in STAGES {
        run_stage(&mut boot, stage, work);
    }
    let now = clock::now();
    let (took, uptime) = (Millis(now.since(start)), Millis(uptime(now)));
    log::info!("Boot: done in {took}, {uptime} after the kernel's start");
    crash_if_asked();
    loop {
        if let Err(error) = console::stop_waiting() {
            log::warn!("{error}");
        }
        let birth = Birth { at: start, stages: boot.stages.clone() };
        let consoles = boot.consoles.clone().into();
        let budget = boot.facts.memory;
        let options =
            Options { budget, ..Options::appliance(Path::new(CONFIGURATION), boot.found, consoles, birth) };
        match run::run(core::mem::take(&mut boot.config), options) {
            Ok(end) => end_machine(end.unwrap_or(End::Reboot)),
            Err(error) => log::error!("{error}: trying again in {RETRY} s"),
        }
        machine::pause(RETRY);
        run_stage(&mut boot, "configuration", stages::configuration);
    }
}

fn run_stage(boot: &mut Boot, stage: &'static str, work: Work) {
    let start = clock::now();
    let mut report = Report { stage, done: String::new(), problems: Vec::new() };
    work(boot, &mut report);
    let took = clock::now().since(start);
    let Report { done, problems, .. } = report;
    let stage = Stage { name: stage, done: done.trim_end().into(), took, problems: problems.into() };
    let level = if stage.problems.is_empty() { log::Level::Info } else { log::Level::Warn };
    log::log!(level, "Boot {stage}");
    boot.note(stage);
}

/// `lvsbox.crash=1` on the kernel's command line: whoever sets the box up sees that its last words reach the console,
/// and that it starts again.
#[expect(clippy::panic, reason = "it is what was asked for")]
fn crash_if_asked() {
    let line = TextFile::read(Path::new("/proc/cmdline")).map(load::text).unwrap_or_default();
    if line.split_ascii_whitespace().any(|word| word == "lvsbox.crash=1") {
        panic!("lvsbox.crash=1 on the kernel's command line");
    }
}

/// The monotonic clock starts with the kernel.
fn uptime(now: Instant) -> Duration {
    now.since(Instant::from_micros(0))
}

/// Everything is taken down: nothing is left but to end the machine.
fn end_machine(end: End) {
    // The last lines matter, and nobody waits behind them any more.
    console::settle();
    log::info!(
        "{}",
        match end {
            End::Reboot => "Rebooting",
            End::PowerOff => "Powering off",
        }
    );
    console::settle();
    log::error!("{}", machine::end(end));
}

/// Reads the configuration of the image. `@id` in it is compared with the host's name, which stands in it: a later
/// reload finds it in the kernel, but now a text with `@id` has to be read twice.
fn read_configuration(memory: usize) -> Result<crate::config::Loaded, crate::kernel::error::Error> {
    let (path, purpose) = (Path::new(CONFIGURATION), load::Purpose::Run(memory));
    let loaded = load::read(path, Some(stages::HOST_NAME), purpose)?;
    let name = loaded.config.as_ref().map_or("", |config| &*config.appliance.hostname);
    match name.split('.').next().unwrap_or("") {
        _ if !loaded.uses_id => Ok(loaded),
        "" | stages::HOST_NAME => Ok(loaded),
        label => load::read(path, Some(label), purpose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_runs_again_is_kept_once() {
        let mut boot = Boot::default();
        for (stage, done) in [("board", "one"), ("clock", "two"), ("board", "three")] {
            run_stage(&mut boot, stage, |_, _| {});
            boot.note(Stage { name: stage, done: done.into(), took: RETRY, problems: Box::default() });
        }
        let kept: Vec<_> = boot.stages.iter().map(|stage| (stage.name, &*stage.done)).collect();
        assert_eq!(kept, [("board", "three"), ("clock", "two")]);
    }
}
