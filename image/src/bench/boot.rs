//! The image and its boot: how large it is, how long its stages take, and how long after its first line the machine is
//! the director, which its first advert on the wire shows.
//!
//! The instance has priority 255, which waits for nobody (RFC 9568 section 6.4.1): what is left is the machine's own
//! time. The first line and the advert are seen by one thread with one monotonic clock, which looks every millisecond.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::row::{Row, Section};
use super::{Figures, attempt, micros_between, millis};
use crate::demo::lan::{BOOT, CONFIGURATIONS, firmware};
use crate::firmware::Firmware;
use crate::guest;
use crate::machine::{Machine, Setup};
use crate::switch::Switch;

/// The first line of PID 1: nothing of ours runs before it.
const FIRST: &str = " as PID 1";
/// The line behind the last stage.
const DONE: &str = "Boot: done in ";

/// One boot: names and microseconds, in the order of the rows.
type Times = Vec<(String, i64)>;

/// Boots `runs` times. `binary` is lvsbox, built for release; `small` the one without TLS, if it was built.
pub fn run(binary: &Path, small: Option<&Path>, runs: usize, tell: &mut dyn FnMut(Row)) {
    let firmware = firmware(binary, &CONFIGURATIONS[0].replace("priority 150", "priority 255"));
    sizes(binary, small, &firmware, tell);
    let mut boots = Vec::new();
    for _ in 0..runs {
        match attempt(|| boot(&firmware)) {
            Ok(times) => boots.push(times),
            Err(why) => tell(Row::failed(Section::Boot, "boot", &why)),
        }
    }
    for (name, _) in boots.first().into_iter().flatten() {
        let all = boots.iter().flatten().filter(|(other, _)| other == name);
        let figures: Figures = all.map(|(_, micros)| *micros).collect();
        tell(Row::new(Section::Boot, name, "ms", Some(millis(figures.median())), None));
    }
}

fn sizes(binary: &Path, small: Option<&Path>, firmware: &Firmware, tell: &mut dyn FnMut(Row)) {
    let kernel = guest::kernel().0;
    let kib = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1_024.0;
    let of = |path: &Path| fs::metadata(path).map(|file| file.len()).map_err(|error| error.to_string());
    let initramfs = firmware.build().map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let rows = [
        ("lvsbox with TLS", Some(of(binary))),
        ("lvsbox without TLS", small.map(of)),
        ("image: kernel", Some(of(&kernel))),
        ("image: initramfs", Some(initramfs)),
    ];
    for (name, size) in rows {
        match size {
            Some(Ok(bytes)) => tell(Row::new(Section::Boot, name, "KiB", Some(kib(bytes)), None)),
            Some(Err(why)) => tell(Row::failed(Section::Boot, name, &why)),
            None => {}
        }
    }
}

/// Boots once, until the first advert.
fn boot(firmware: &Firmware) -> Times {
    let switch = Switch::new(1);
    let machine = Setup::new("boot").wire(switch.wire(0)).boot(firmware);
    let end = Instant::now() + BOOT;
    let (mut first, mut advert) = (None, None);
    while advert.is_none() {
        assert!(Instant::now() < end, "no advert within {BOOT:?}:\n{}", machine.console());
        if first.is_none() && machine.serial().text().contains(FIRST) {
            first = Some(Instant::now());
        }
        if !switch.adverts().is_empty() {
            advert = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let first = first.expect("the first line before the first advert");
    let reached = advert.unwrap_or(first).saturating_duration_since(first);
    let mut times = stages(&machine);
    times.push((
        "first line of PID 1 to first advert, median".to_owned(),
        micros_between(Duration::ZERO, reached),
    ));
    times
}

/// What the console says: `Boot mounts: proc sys dev (1.2 ms)`, `Boot: done in 50.1 ms, 900.0 ms after the kernel's
/// start`.
fn stages(machine: &Machine) -> Times {
    let done = machine.wait_line(DONE, BOOT);
    let mut times = Times::new();
    for line in machine.console().lines() {
        let stage = line.split_once("Boot ").and_then(|(_, rest)| rest.split_once(": "));
        let took = line.trim_end().strip_suffix(" ms)").and_then(|rest| rest.rsplit_once('('));
        if let (Some((name, _)), Some((_, took))) =
            (stage, took.and_then(|(_, number)| Some(((), micros(number)?))))
        {
            times.push((format!("boot: stage {name}"), took));
        }
    }
    let words = done.split_once(DONE).map_or("", |(_, rest)| rest);
    if let Some((took, uptime)) = words.split_once(" ms, ") {
        let uptime = uptime.split_once(" ms").and_then(|(number, _)| micros(number));
        if let (Some(took), Some(uptime)) = (micros(took), uptime) {
            times.insert(0, ("kernel's start to first line of PID 1".to_owned(), uptime - took));
            times.push(("boot: all stages".to_owned(), took));
        }
    }
    times
}

/// Milliseconds with a decimal, as microseconds.
fn micros(text: &str) -> Option<i64> {
    let (whole, tenth) = text.trim().split_once('.')?;
    Some(whole.parse::<i64>().ok()? * 1_000 + tenth.parse::<i64>().ok()? * 100)
}
