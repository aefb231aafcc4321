//! The stages up to the configuration. Each says what it did and what it could not do; none of them stops the boot.

use core::fmt::Write;
use std::path::Path;

use super::facts::Facts;
use super::{Boot, CONFIGURATION, Found, Report, read_configuration};
use crate::config::Config;
use crate::kernel::files::TextFile;
use crate::kernel::{clock, console, machine, module, mount, output};
use crate::limits::MAX_CONSOLES;
use crate::task::load;

/// Where `mkimage` puts the facts.
const FACTS: &str = "/etc/board";
/// The console that the kernel's command line names.
const KERNELS: &str = "/dev/console";
/// A clock before 2024 was never set: this program is younger.
const OLDEST_MICROS: u64 = 1_704_067_200_000_000;
/// The host's name without one in the configuration.
pub(super) const HOST_NAME: &str = "lvsbox";

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
        "" => KERNELS.to_owned(),
        name => format!("/dev/{name}"),
    };
    for (device, baud) in [(&*device, boot.facts.baud), (KERNELS, None)] {
        match console::become_console(device, baud) {
            Ok(()) => {
                // Firmware turns it off, and then the end of a long line overwrites itself (DECAWM).
                let _ = output::write_now(output::standard_error(), b"\x1b[?7h");
                boot.consoles = vec![device.into()];
                return add(&mut report.done, device);
            }
            Err(error) => report.problem(error),
        }
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
    let loaded = match read_configuration(boot.facts.memory) {
        Ok(loaded) => loaded,
        Err(error) => {
            report.problem(error);
            return add(&mut report.done, "running with an empty configuration");
        }
    };
    let said = load::Report::of(&loaded);
    said.log();
    boot.found = Found::of(&loaded);
    let totals = loaded.diagnostics.totals().to_string();
    if let (None, Some(why)) = (&loaded.config, said.text.lines().next()) {
        report.problem(why);
    } else if boot.found.errors > 0 {
        report.problem(format_args!("{CONFIGURATION}: {totals}"));
    }
    match loaded.config {
        Some(config) => {
            let (instances, services) = (config.instances.len(), config.written_services().len());
            let _ = write!(report.done, "{totals}, VRRP instances {instances}, virtual servers {services}");
            boot.config = config;
        }
        None => add(&mut report.done, "it cannot be used: running with an empty configuration"),
    }
    for wanted in &boot.config.appliance.modules {
        if !boot.facts.modules.contains(wanted) {
            report.problem(format_args!("module {wanted} is not in this image: make a new one"));
        }
    }
}

/// The consoles that the configuration names instead of the board's. The first that is there has the log, too.
pub(super) fn own_consoles(boot: &mut Boot, report: &mut Report) {
    if boot.config.appliance.consoles.is_empty() {
        return add(&mut report.done, "as before");
    }
    let mut there: Vec<Box<str>> = Vec::new();
    for (device, baud) in &boot.config.appliance.consoles {
        let path = format!("/dev/{device}");
        // Two who read one line get half of what is typed each.
        if there.iter().any(|known| **known == *path) {
            report.problem(format_args!("console {device} is there already"));
            continue;
        }
        if there.len() == MAX_CONSOLES {
            report.problem(format_args!("console {device} is not served: {MAX_CONSOLES} are"));
            continue;
        }
        match console::set_speed(&path, *baud) {
            Ok(()) => {
                let _ = write!(report.done, "{device} {baud} ");
                there.push(path.into());
            }
            Err(error) => report.problem(error),
        }
    }
    let Some(first) = there.first() else { return add(&mut report.done, "as before") };
    if boot.consoles.first() != Some(first) {
        log::info!("Boot {}: going on at {first}", report.stage);
        if let Err(error) = console::become_console(first, None) {
            return report.problem(error);
        }
    }
    boot.consoles = there;
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::kernel::sys::stdio::pseudo_terminal;

    #[test]
    fn a_console_named_twice_is_served_once_and_those_beyond_the_limit_are_named() {
        let terminals: Vec<_> = (0..=MAX_CONSOLES).map(|_| pseudo_terminal()).collect();
        let path = |fd: i32| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
        let paths: Vec<String> =
            terminals.iter().map(|(_, fd)| path(fd.as_raw_fd()).display().to_string()).collect();
        let mut boot = Boot { consoles: vec![paths[0].as_str().into()], ..Boot::default() };
        let named = paths.iter().take(1).chain(&paths).map(|path| (path[5..].into(), 9_600));
        boot.config.appliance.consoles = named.collect();
        let mut report = Report { stage: "own consoles", done: String::new(), problems: Vec::new() };
        own_consoles(&mut boot, &mut report);
        assert_eq!(boot.consoles.iter().map(|path| &**path).collect::<Vec<_>>(), &paths[..MAX_CONSOLES]);
        let [twice, many] = &report.problems[..] else { panic!("{:?}", report.problems) };
        assert!(twice.ends_with("is there already") && many.ends_with("is not served: 4 are"), "{many}");
    }
}
