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
use crate::kernel::machine::{self, End};
use crate::kernel::{clock, console};
use crate::observe::{log as logger, panic};
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
}

/// What a stage has to say for itself.
struct Report {
    stage: &'static str,
    /// What was done, in a few words.
    done: String,
    problems: u32,
}

impl Report {
    /// Something is missing; the stage goes on.
    fn problem(&mut self, what: impl fmt::Display) {
        self.problems += 1;
        log::error!("Boot {}: {what}", self.stage);
    }
}

/// A stage: its name in the log, and what it does.
type Stage = (&'static str, fn(&mut Boot, &mut Report));

/// All stages. The console comes as early as its device can be there.
const STAGES: [Stage; 10] = [
    ("mounts", stages::mounts),
    ("board", stages::board),
    ("console", stages::console),
    ("modules", stages::modules),
    ("clock", stages::clock),
    ("configuration", stages::configuration),
    ("own console", stages::own_console),
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
    log::info!(
        "Boot: done in {}, {} after the kernel's start",
        Millis(now.since(start)),
        Millis(uptime(now))
    );
    loop {
        if let Err(error) = console::stop_waiting() {
            log::warn!("{error}");
        }
        let options = Options::appliance(Path::new(CONFIGURATION), boot.found);
        match run::run(core::mem::take(&mut boot.config), options) {
            Ok(end) => end_machine(end.unwrap_or(End::Reboot)),
            Err(error) => log::error!("{error}: trying again in {RETRY} s"),
        }
        machine::pause(RETRY);
        run_stage(&mut boot, "configuration", stages::configuration);
    }
}

fn run_stage(boot: &mut Boot, stage: &'static str, work: fn(&mut Boot, &mut Report)) {
    let start = clock::now();
    let mut report = Report { stage, done: String::new(), problems: 0 };
    work(boot, &mut report);
    let took = Millis(clock::now().since(start));
    let Report { done, problems, .. } = report;
    match problems {
        0 => log::info!("Boot {stage}: {done} ({took})"),
        1 => log::warn!("Boot {stage}: {done}, 1 problem ({took})"),
        _ => log::warn!("Boot {stage}: {done}, {problems} problems ({took})"),
    }
}

/// The monotonic clock starts with the kernel.
fn uptime(now: Instant) -> Duration {
    now.since(Instant::from_micros(0))
}

/// Everything is taken down: nothing is left but to end the machine.
fn end_machine(end: End) {
    // The last lines matter, and nobody waits behind them any more.
    let _ = console::wait_again();
    log::info!(
        "{}",
        match end {
            End::Reboot => "Rebooting",
            End::PowerOff => "Powering off",
        }
    );
    log::error!("{}", machine::end(end));
}

/// Milliseconds with one decimal, for the log.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{} ms", micros / 1_000, micros % 1_000 / 100)
    }
}

/// Reads the configuration of the image.
fn read_configuration() -> Result<crate::config::Loaded, crate::kernel::error::Error> {
    load::read(Path::new(CONFIGURATION))
}
