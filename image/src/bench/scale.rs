//! How what lvsbox and keepalived need grows with the number of real servers: the same configuration through each in
//! turn, in one guest that has IPVS.
//!
//! Times and processor time of an emulated machine say little by themselves; the ratio of two programs in one run does.
//! System calls are strace's count of the whole process tree, divided by the connections that the real servers saw.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::pool::{Checks, Pool, Weights};
use super::row::{Row, Section, what};
use super::site::Site;
use super::{Program, attempt, floor, probe_floor};
use crate::wait::{self, secs};

/// Real servers of each run: services and servers of each.
pub const SIZES: [(u16, u16); 4] = [(5, 8), (125, 8), (256, 16), (1_024, 16)];
/// What lvsbox does alone: as much as it can.
pub const LARGEST: (u16, u16) = (4_096, 16);
/// For how long checks are counted at least.
const WINDOW: u32 = 20;
/// How often a server fails.
const FAILURES: usize = 3;

/// The values of one program, in the order of the rows.
type Values = Vec<(&'static str, &'static str, f64)>;

/// What is measured of a program with so many real servers; what was measured before it fails is kept.
type Measure = fn(&Program, Pool, &mut Values);

/// The executable with what it maps.
fn files(program: &Program, pool: Pool, values: &mut Values) {
    let site = Site::new(program, pool);
    values.push(("executable and the libraries it maps", "KiB", kib(site.mapped_files())));
    site.end();
}

/// Without checks: the table, memory, reloads, and the end of a server.
fn tables(program: &Program, pool: Pool, values: &mut Values) {
    let (mut site, seen) = start(program, pool);
    push(values, [what::TABLE, "start: processor time until idle"], &seen);
    let used = site.usage();
    let log = u64::try_from(site.log_bytes()).unwrap_or(u64::MAX);
    values.extend([
        (what::PSS, "KiB", whole(used.pss_kib)),
        ("memory (RSS)", "KiB", whole(used.rss_kib)),
        ("memory (peak RSS)", "KiB", whole(used.peak_kib)),
        ("processes", "", whole(used.processes)),
        ("threads", "", whole(used.threads)),
        ("log written so far", "KiB", kib(log)),
    ]);
    let repeats = repeats(pool);
    let reloads = |weights: &dyn Fn(u8) -> Weights| -> Vec<_> {
        (1..=repeats).map(|turn| site.reload(weights(turn))).collect()
    };
    let all = reloads(&|turn| Weights::All(1 + turn));
    push(values, ["reload, every weight: table after", what::ALL], &all);
    let one = reloads(&|turn| Weights::But(1 + repeats, 10 + turn));
    push(values, ["reload, one weight: table after", what::ONE], &one);
    let last = Weights::But(1 + repeats, 10 + repeats);
    let nothing = reloads(&|_| last);
    values.push((what::NOTHING, "ms", middle(nothing.iter().map(|(_, used)| millis(*used)))));
    let used = site.usage();
    values.push(("memory after reloads (PSS)", "KiB", whole(used.pss_kib)));
    values.push(("memory after reloads (peak RSS)", "KiB", whole(used.peak_kib)));
    let seen = site.failures(last, FAILURES);
    push(values, ["a server fails: out after the refused check", what::FAILED], &seen);
    site.end();
}

/// How often what is short is done: the middle one counts.
fn repeats(pool: Pool) -> u8 {
    if pool.len() > 4_096 { 1 } else { 3 }
}

/// Starts it, and a small one several times: what it took, and what the last one is.
fn start(program: &Program, pool: Pool) -> (Site, Vec<(Duration, Duration)>) {
    let pool = Pool { checks: Checks::None, ..pool };
    let mut seen = Vec::new();
    loop {
        let site = Site::new(program, pool);
        seen.push((site.complete, site.calm()));
        if pool.len() > 1_000 || seen.len() == 3 {
            return (site, seen);
        }
        site.end();
    }
}

/// Time and processor time, the middle of each.
fn push(values: &mut Values, [wall, cpu]: [&'static str; 2], seen: &[(Duration, Duration)]) {
    values.push((wall, "ms", middle(seen.iter().map(|(wall, _)| millis(*wall)))));
    values.push((cpu, "ms", middle(seen.iter().map(|(_, used)| millis(*used)))));
}

/// With checks: what each costs.
fn checks(program: &Program, pool: Pool, values: &mut Values) {
    let (delay, window) = pace(pool.len());
    let site = Site::new(program, Pool { checks: Checks::All(delay), ..pool });
    values.push((what::TABLE_CHECKS, "ms", millis(site.complete)));
    values.push(("start with checks: processor time until then", "ms", millis(site.used)));
    let all = u64::try_from(pool.len()).unwrap_or(u64::MAX);
    // In the first round both may hurry; in the second each has its place in the interval. The largest has one round.
    let rounds = if pool.len() > MAX_ROUNDS { 1 } else { 2 };
    wait::until("the first checks", secs(u64::from(delay) * rounds * 2 + 600), || {
        (site.servers.accepted() >= all * rounds).then_some(())
    });
    let (before, used, begun) = (site.servers.accepted(), site.cpu(), Instant::now());
    std::thread::sleep(Duration::from_secs(window.into()));
    let (made, spent) = (site.servers.accepted() - before, site.cpu().saturating_sub(used));
    let due = whole(all) * begun.elapsed().as_secs_f64() / f64::from(delay);
    let memory = site.usage();
    values.extend([
        (what::CHECK, "ms", millis(spent) * 1_000.0 / whole(made.max(1))),
        ("checks made, of those due", "%", 100.0 * whole(made) / due),
        (what::PSS_CHECKING, "KiB", whole(memory.pss_kib)),
        ("memory while checking (RSS)", "KiB", whole(memory.rss_kib)),
        ("memory while checking (peak RSS)", "KiB", whole(memory.peak_kib)),
        ("threads while checking", "", whole(memory.threads)),
    ]);
    let (calls, checks) = site.system_calls().expect("strace counts");
    values.push(("system calls for a check", "", whole(calls) / whole(checks.max(1))));
    site.end();
}

/// More real servers than this are checked once before checks are counted.
const MAX_ROUNDS: usize = 16_384;

/// Seconds between two checks of a real server, and for how long they are counted: two hundred checks a second, which
/// both programs manage, and whole intervals, in which each real server has its turn as often as any other.
fn pace(servers: usize) -> (u32, u32) {
    let second = if servers > MAX_ROUNDS { 100 } else { 200 };
    let delay = u32::try_from(servers / second).unwrap_or(u32::MAX).max(2);
    (delay, if servers > MAX_ROUNDS { WINDOW * 2 } else { delay * WINDOW.div_ceil(delay) })
}

/// Both programs, or lvsbox alone; the rows are given to `tell`.
fn compare(
    measure: (&str, Measure),
    pool: Pool,
    section: Section,
    programs: &[Program],
    tell: &mut dyn FnMut(Row),
) -> Vec<Row> {
    let mut both: [Values; 2] = Default::default();
    let mut rows = Vec::new();
    for (program, values) in programs.iter().zip(&mut both) {
        if let Err(why) = attempt(|| measure.1(program, pool, values)) {
            rows.push(Row::failed(section, &format!("{}: {}", program.name(), measure.0), &why));
        }
    }
    let [ours, theirs] = &both;
    let value =
        |values: &Values, name: &str| values.iter().find(|(other, ..)| *other == name).map(|row| row.2);
    let names = ours.iter().chain(theirs.iter().skip(ours.len()));
    let merged =
        names.map(|(name, unit, _)| Row::new(section, name, unit, value(ours, name), value(theirs, name)));
    rows.extend(merged);
    rows.iter().cloned().for_each(tell);
    rows
}

/// A row of what the kernel itself needs, in milliseconds of processor time.
fn kernel_row(
    section: Section,
    name: &str,
    measure: impl FnOnce() -> Duration,
    tell: &mut dyn FnMut(Row),
) -> Option<f64> {
    match attempt(measure) {
        Ok(floor) => {
            tell(Row::new(section, name, "ms", Some(millis(floor)), None));
            Some(millis(floor))
        }
        Err(why) => {
            tell(Row::failed(section, name, &why));
            None
        }
    }
}

/// What remains of the row `of` above the kernel's floor.
fn above((name, of): (&str, &str), floor: f64, section: Section, measured: &[Row]) -> Option<Row> {
    let row = measured.iter().find(|row| row.what == of)?;
    let above = |value: Option<f64>| value.map(|value| (value - floor).max(0.0));
    Some(Row::new(section, name, "ms", above(row.ours), above(row.theirs)))
}

/// Runs everything of `sizes`; the rows are given to `tell` as they come.
pub fn run(binary: &Path, sizes: &[(u16, u16)], tell: &mut dyn FnMut(Row)) {
    let programs = [Program::Lvsbox(PathBuf::from(binary)), Program::Keepalived];
    let small = Pool { services: 1, servers: 2, checks: Checks::None };
    compare(("files", files), small, Section::Files, &programs, tell);
    for (services, servers) in sizes.iter().copied() {
        let pool = Pool { services, servers, checks: Checks::None };
        let programs = if (services, servers) == LARGEST { &programs[..1] } else { &programs[..] };
        let section = Section::Servers(pool.len());
        let rows = compare(("without checks", tables), pool, section, programs, tell);
        let floor = kernel_row(section, what::FLOOR, || floor::change_all_weights(pool), tell);
        let reload = (what::ABOVE, what::ALL);
        floor.and_then(|floor| above(reload, floor, section, &rows)).into_iter().for_each(&mut *tell);
        let rows = compare(("with checks", checks), pool, section, programs, tell);
        kernel_row(section, what::CHECK_FLOOR, || probe_floor::check(pool, 1_000, 1), tell);
        let floor = kernel_row(section, what::CHECK_FLOOR_PAIRS, || probe_floor::check(pool, 1_000, 2), tell);
        let check = (what::CHECK_ABOVE, what::CHECK);
        floor.and_then(|floor| above(check, floor, section, &rows)).into_iter().for_each(&mut *tell);
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

fn whole(number: u64) -> f64 {
    // Far from where a float is not exact.
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn kib(bytes: u64) -> f64 {
    whole(bytes) / 1_024.0
}

/// The middle one; 0 if there is none.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_that_the_clock_puts_below_the_floor_is_on_it() {
        let section = Section::Servers(4_096);
        let rows = [Row::new(section, what::ALL, "ms", Some(90.0), Some(500.0))];
        let row = above((what::ABOVE, what::ALL), 100.0, section, &rows).unwrap();
        assert_eq!((row.ours, row.theirs, row.is_met()), (Some(0.0), Some(400.0), Some(true)));
        assert_eq!(above((what::ABOVE, what::ALL), 100.0, section, &[]), None);
    }

    #[test]
    fn checks_are_counted_over_whole_intervals() {
        for (services, servers) in SIZES {
            let (delay, window) = pace(usize::from(services) * usize::from(servers));
            assert!(window >= WINDOW && window.is_multiple_of(delay), "{delay} {window}");
        }
    }

    #[test]
    fn what_a_program_had_before_it_failed_is_kept() {
        fn measure(program: &Program, _: Pool, values: &mut Values) {
            values.push(("first", "ms", 1.0));
            assert!(*program != Program::Keepalived, "it fell over");
            values.push(("second", "ms", 2.0));
        }
        let pool = Pool { services: 1, servers: 1, checks: Checks::None };
        let programs = [Program::Lvsbox(PathBuf::new()), Program::Keepalived];
        let rows = compare(("tables", measure), pool, Section::Servers(1), &programs, &mut |_| {});
        assert_eq!(rows[0].failed.as_deref(), Some("it fell over"));
        let values: Vec<_> = rows[1..].iter().map(|row| (&*row.what, row.ours, row.theirs)).collect();
        assert_eq!(values, [("first", Some(1.0), Some(1.0)), ("second", Some(2.0), None)]);
    }
}
