//! The stages up to the configuration. Each says what it did and what it could not do; none of them stops the boot.

use core::fmt::Write;
use std::path::Path;

use super::facts::Facts;
use super::{Boot, CONFIGURATION, Found, Report, read_configuration};
use crate::config::Config;
use crate::kernel::files::TextFile;
use crate::kernel::{clock, console, machine, module, mount};
use crate::task::load;

/// Where `mkimage` puts the facts.
const FACTS: &str = "/etc/board";
/// A clock before 2024 was never set: this program is younger.
const OLDEST_MICROS: u64 = 1_704_067_200_000_000;
/// The host's name without one in the configuration.
const HOST_NAME: &str = "lvsbox";

/// The kernel's file systems. Orphans and Ctrl-Alt-Del are ours from here on.
pub(super) fn mounts(_: &mut Boot, report: &mut Report) {
    let wanted = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];
    for (kind, target) in wanted {
        match mount::mount(kind, target) {
            Ok(()) => add(&mut report.done, target),
            Err(error) => report.problem(error),
        }
    }
    if let Err(error) = machine::take_control_alt_delete() {
        report.problem(error);
    }
}

/// What the image knows about the board.
pub(super) fn board(boot: &mut Boot, report: &mut Report) {
    match TextFile::read(Path::new(FACTS)) {
        Ok(bytes) => boot.facts = Facts::parse(&load::text(bytes)),
        Err(error) => report.problem(error),
    }
    let name = if boot.facts.name.is_empty() { "unknown" } else { &*boot.facts.name };
    add(&mut report.done, name);
}

/// The console's device, or what the kernel opened for PID 1. Framing is that of the kernel's command line.
pub(super) fn console(boot: &mut Boot, report: &mut Report) {
    let device = match &*boot.facts.console {
        "" => "/dev/console".to_owned(),
        name => format!("/dev/{name}"),
    };
    match console::become_console(&device, boot.facts.baud).or_else(|error| {
        report.problem(error);
        console::become_console("/dev/console", None)
    }) {
        Ok(()) => add(&mut report.done, &device),
        Err(error) => report.problem(error),
    }
}

/// The modules of the image, in its order. One that is refused is named; what depends on it will be as well.
pub(super) fn modules(boot: &mut Boot, report: &mut Report) {
    let mut inserted = 0;
    for name in &boot.facts.modules {
        match module::insert(Path::new(&format!("/lib/modules/{name}.ko"))) {
            Ok(()) => inserted += 1,
            Err(error) => report.problem(error),
        }
    }
    // Writing to a string cannot fail.
    let _ = write!(report.done, "{inserted} of {}", boot.facts.modules.len());
}

/// The kernel has read the board's clock already, if there is one. Nothing but the log's stamps depends on it.
pub(super) fn clock(_: &mut Boot, report: &mut Report) {
    if clock::wall() < OLDEST_MICROS {
        report.problem("the time is not set: stamps in the log count from the start");
    } else {
        add(&mut report.done, "set");
    }
}

/// The configuration of the image. Without one that can be understood the box runs with an empty one.
pub(super) fn configuration(boot: &mut Boot, report: &mut Report) {
    (boot.config, boot.found) = (Config::default(), Found::default());
    let loaded = match read_configuration() {
        Ok(loaded) => loaded,
        Err(error) => {
            report.problem(error);
            return add(&mut report.done, "running with an empty configuration");
        }
    };
    load::Report::of(&loaded).log();
    boot.found = Found::of(&loaded.diagnostics);
    let totals = loaded.diagnostics.totals().to_string();
    if boot.found.errors > 0 {
        report.problem(format_args!("{CONFIGURATION}: {totals}"));
    }
    match loaded.config {
        Some(config) => {
            let (instances, services) = (config.instances.len(), config.services.len());
            let _ = write!(report.done, "{totals}, VRRP instances {instances}, virtual servers {services}");
            boot.config = config;
        }
        None => add(&mut report.done, "it cannot be understood: running with an empty configuration"),
    }
    for wanted in &boot.config.appliance.modules {
        if !boot.facts.modules.contains(wanted) {
            report.problem(format_args!("module {wanted} is not in this image: make a new one"));
        }
    }
}

/// The console that the configuration names, if that is another one. It is said on both.
pub(super) fn own_console(boot: &mut Boot, report: &mut Report) {
    let mut rows = boot.config.appliance.consoles.iter();
    let Some((device, baud)) = rows.next() else { return add(&mut report.done, "as before") };
    let _ = write!(report.done, "{device} {baud}");
    if rows.next().is_some() {
        report.problem("only the first `console` of the configuration is used by this version");
    }
    if (device, Some(*baud)) == (&boot.facts.console, boot.facts.baud) {
        return;
    }
    log::info!("Boot {}: going on at {device}", report.stage);
    if let Err(error) = console::become_console(&format!("/dev/{device}"), Some(*baud)) {
        report.problem(error);
    }
}

/// The host's name.
pub(super) fn hostname(boot: &mut Boot, report: &mut Report) {
    let name = match &*boot.config.appliance.hostname {
        "" => HOST_NAME,
        name => name,
    };
    match machine::set_host_name(name) {
        Ok(()) => add(&mut report.done, name),
        Err(error) => report.problem(error),
    }
}

/// One more word.
fn add(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}
