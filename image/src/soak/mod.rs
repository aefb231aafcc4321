//! lvsbox under everything that happens to a director in a year, for some minutes: `lab soak BINARY MINUTES [SEED]`
//! boots a guest with IPVS, `lab soak-inside` is what runs in it.
//!
//! [`site`] is a director with some hundred real servers, a client and Debian's keepalived as its rival; [`faults`]
//! what is done to them, by a seed; [`sample`] what the process takes, every second; [`plot`] shows it. First every
//! fault happens once, and all checks at once, everything heals, and the process is measured at rest; then faults
//! happen for as long as was asked for, everything heals, and it is measured again: memory, descriptors and what the
//! kernel holds must be what they were.

pub mod command;
pub mod faults;
pub mod plot;
pub mod sample;
pub mod site;
pub mod texts;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::wait::{self, secs};
use faults::{Dice, Faults, KINDS};
use plot::Mark;
use sample::{Calm, Sample};
use site::Site;

/// What the program may take more at the end than after the first round, in KiB: the allocator gives pages back or not.
const SPARE_KIB: u64 = 128;
/// The same of the bytes it allocated itself: one block of the executor's.
const SPARE_BYTES: u64 = 512;

/// A story: samples of each second, and when what was done.
#[derive(Debug, Default)]
pub struct Story {
    /// One a second.
    pub samples: Vec<Sample>,
    /// Faults, by second.
    pub marks: Vec<Mark>,
}

impl Story {
    /// Takes the sample of this second, once.
    fn look(&mut self, site: &Site, begun: Instant) {
        let second = begun.elapsed().as_secs();
        if self.samples.last().is_none_or(|sample| sample.second != second) {
            self.samples.extend(Sample::of(site, second));
        }
    }
}

/// Runs the soak on this machine, which is a guest's. Lines are given to `tell` as they come. True if all is as it was.
///
/// # Panics
/// If the director ends, or does not heal.
pub fn run(binary: &Path, minutes: u64, seed: u64, tell: &mut dyn FnMut(&str)) -> bool {
    tell(&format!("seed {seed}, {minutes} minutes: lab soak {} {minutes} {seed}\n", binary.display()));
    let site = Site::new(binary);
    let mut faults = Faults::new(&site, Dice::new(seed));
    faults.wait_well(&mut || {});
    let (mut story, begun) = (Story::default(), Instant::now());
    for kind in KINDS {
        step(&mut faults, &mut story, begun, Some(kind.name), tell);
        faults.repair();
    }
    faults.heal(&mut || story.look(&site, begun));
    faults.crowd();
    faults.heal(&mut || story.look(&site, begun));
    let before = Calm::of(&site, None, SPARE_BYTES);
    tell(&format!("at rest after the first round: {}\n", before.line()));
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut told = Instant::now();
    while Instant::now() < end {
        step(&mut faults, &mut story, begun, None, &mut |_| {});
        if told.elapsed() > secs(30) {
            told = Instant::now();
            let last = story.samples.last().map_or_else(String::new, Sample::line);
            tell(&format!("{:5} s  {last}\n", begun.elapsed().as_secs()));
        }
    }
    faults.heal(&mut || story.look(&site, begun));
    let after = Calm::of(&site, Some(&before), SPARE_BYTES);
    tell(&format!("at rest at the end:             {}\n", after.line()));
    tell(&faults.summary());
    tell(&plot::text(&story));
    let mut wrong = compare(&before, &after);
    if after.answered * 5 < after.asked * 4 || after.answered == 0 {
        wrong.push(format!("at rest {} of {} requests were answered", after.answered, after.asked));
    }
    let log = site.log_end();
    wrong.extend(site.end());
    tell(&format!("{}\n{}{}\n", command::BEGIN, plot::svg(&story), command::END));
    for what in &wrong {
        tell(&format!("FAILED: {what}\n"));
    }
    if !wrong.is_empty() {
        tell(&format!("the end of the director's log:\n{log}\n"));
    }
    tell(if wrong.is_empty() { "soak: ok\n" } else { "soak: FAILED\n" });
    wrong.is_empty()
}

/// One fault, and the seconds until the next.
fn step(
    faults: &mut Faults<'_>,
    story: &mut Story,
    begun: Instant,
    kind: Option<&'static str>,
    tell: &mut dyn FnMut(&str),
) {
    let name = faults.strike(kind);
    story.marks.push(Mark { second: begun.elapsed().as_secs(), name });
    let until = Instant::now() + Duration::from_millis(500 + faults.below(2_500));
    wait::maybe(until.saturating_duration_since(Instant::now()), || {
        story.look(faults.site(), begun);
        None::<()>
    });
    let sample = story.samples.last().map_or_else(String::new, Sample::line);
    tell(&format!("{:5} s  {name:24} {sample}\n", begun.elapsed().as_secs()));
}

/// What differs between two moments of rest.
fn compare(before: &Calm, after: &Calm) -> Vec<String> {
    let mut wrong = Vec::new();
    if after.rss_kib > before.rss_kib + SPARE_KIB {
        wrong.push(format!("RSS grew from {} to {} KiB", before.rss_kib, after.rss_kib));
    }
    if after.heap > before.heap + SPARE_BYTES {
        wrong.push(format!(
            "the heap grew from {} to {} bytes\n{}\nbecame\n{}",
            before.heap, after.heap, before.memory, after.memory
        ));
    }
    if after.descriptors != before.descriptors {
        wrong.push(format!("{} descriptors became {}", before.descriptors, after.descriptors));
    }
    for (one, other) in before.objects.iter().zip(&after.objects) {
        if one != other {
            let only = |a: &str, b: &str| {
                let lines = a.lines().filter(|line| !b.lines().any(|other| other == *line));
                lines.collect::<Vec<_>>().join("; ")
            };
            wrong.push(format!("the kernel held [{}] and holds [{}]", only(one, other), only(other, one)));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_beyond_what_is_spared_is_named_and_so_is_what_is_left_behind() {
        let calm = Calm {
            rss_kib: 2_000,
            heap: 700_000,
            descriptors: 15,
            objects: vec!["a".to_owned()],
            ..Calm::default()
        };
        let spared = Calm { rss_kib: 2_128, heap: 700_512, ..calm.clone() };
        assert!(compare(&calm, &spared).is_empty() && compare(&spared, &calm).is_empty());
        let grown = [
            Calm { rss_kib: 2_129, ..calm.clone() },
            Calm { heap: 700_513, ..calm.clone() },
            Calm { descriptors: 16, ..calm.clone() },
            Calm { objects: vec!["a\nb".to_owned()], ..calm.clone() },
        ];
        assert!(grown.iter().all(|grown| compare(&calm, grown).len() == 1));
    }
}
