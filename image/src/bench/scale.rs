//! How what lvsbox and keepalived need grows with the number of real servers: the same configuration through each in
//! turn, in one guest that has IPVS. `lab bench BINARY` boots the guest; `lab bench-inside BINARY` is what runs in it.
//!
//! Times and processor time of an emulated machine say little by themselves; the ratio of two programs in one run does.
//! System calls are strace's count of the whole process tree, divided by the connections that the real servers saw.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::pool::{Pool, Servers, Weights};
use super::usage::{Usage, cpu, tree, usage};
use super::{Program, floor, probe_floor};
use crate::netns::{Host, Lan};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait::{self, secs};

/// Real servers of each run: services and servers of each.
pub const SIZES: [(u16, u16); 4] = [(5, 8), (125, 8), (256, 16), (1_024, 16)];
/// What lvsbox does alone: as much as it can.
pub const LARGEST: (u16, u16) = (4_096, 16);
/// For how long checks are counted.
const WINDOW: Duration = Duration::from_secs(15);
/// Nothing is done any more if less than this is used in [`CALM`].
const IDLE: Duration = Duration::from_millis(2);
const CALM: Duration = Duration::from_millis(700);

/// A measured value: its name, its unit, and what it was for lvsbox and for keepalived.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was measured.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Real servers of the configuration.
    pub servers: usize,
    /// lvsbox's.
    pub ours: f64,
    /// keepalived's; `None` if it was not measured.
    pub theirs: Option<f64>,
}

impl Row {
    /// A line of the table: value, value, ratio.
    pub fn line(&self) -> String {
        let Self { what, unit, servers, ours, theirs } = self;
        let other = theirs.map_or_else(String::new, |theirs| format!("{theirs:12.2} {:8.3}", ours / theirs));
        format!("{servers:7}  {what:42} {unit:5} {ours:12.2} {other}\n")
    }

    /// The same for programs: one object in JSON.
    pub fn json(&self) -> String {
        let Self { what, unit, servers, ours, theirs } = self;
        let theirs = theirs.map_or_else(|| "null".to_owned(), |value| value.to_string());
        format!(
            "{{\"real_servers\":{servers},\"what\":\"{what}\",\"unit\":\"{unit}\",\"lvsbox\":{ours},\"keepalived\":{theirs}}}"
        )
    }
}

/// The values of one program, in the order of the rows.
type Values = Vec<(&'static str, &'static str, f64)>;

/// A program with its configuration in a namespace of its own.
struct Site {
    _lan: Lan,
    director: Host,
    scratch: Scratch,
    servers: Servers,
    pool: Pool,
    program: Program,
    process: Process,
    /// From its start to a complete table, and processor time until it had nothing more to do.
    started: (Duration, Duration),
}

impl Site {
    fn new(program: &Program, pool: Pool) -> Self {
        let lan = Lan::new();
        let director = lan.host("scale", &["10.9.0.1/24"]);
        let scratch = Scratch::new("scale");
        let servers = Servers::serve(&director);
        let begun = Instant::now();
        let process = program.start(&director, &pool.text(Weights::All(1)), &scratch);
        let mut site = Self {
            _lan: lan,
            director,
            scratch,
            servers,
            pool,
            program: program.clone(),
            process,
            started: Default::default(),
        };
        let wall = site.complete(begun, Weights::All(1));
        site.started = (wall, site.cpu());
        if pool.delay.is_none() {
            site.started.1 = site.calm();
        }
        site
    }

    fn cpu(&self) -> Duration {
        cpu(self.process.pid())
    }

    fn usage(&self) -> Usage {
        usage(self.process.pid())
    }

    /// Waits for the table, and says how long it took from `begun`.
    fn complete(&self, begun: Instant, weights: Weights) -> Duration {
        let whole = wait::maybe(secs(300), || {
            // Looking costs the machine as well.
            std::thread::sleep(Duration::from_millis(40));
            self.pool.is_installed(&self.director, weights).then(|| begun.elapsed())
        });
        whole.unwrap_or_else(|| {
            let count = Pool::installed(&self.director).len();
            panic!("{}: {count} of {} real servers in the table", self.program.name(), self.pool.len())
        })
    }

    /// Waits until it does nothing, and returns the processor time used so far.
    fn calm(&self) -> Duration {
        let end = Instant::now() + secs(120);
        let mut used = self.cpu();
        while Instant::now() < end {
            std::thread::sleep(CALM);
            let now = self.cpu();
            if now.saturating_sub(used) < IDLE {
                return now;
            }
            used = now;
        }
        used
    }

    /// Changes the configuration: time until the table is as wished, processor time until all is done.
    fn reload(&self, weights: Weights) -> (Duration, Duration) {
        let file = self.program.file(&self.director, &self.scratch);
        let next = file.with_extension("next");
        fs::write(&next, self.pool.text(weights)).expect("write the configuration");
        fs::rename(&next, &file).expect("replace the configuration");
        let before = self.calm();
        let begun = Instant::now();
        self.process.signal(Signal::HUP);
        let wall = self.complete(begun, weights);
        // One that changes nothing has been read when the processor is idle again.
        (wall, self.calm().saturating_sub(before))
    }

    /// System calls of the process tree while strace watches, and checks made meanwhile.
    fn system_calls(&self) -> Option<(u64, u64)> {
        let file = self.scratch.join("strace");
        let mut command = Command::new("timeout");
        command.args(["-s", "INT", "10", "strace", "-c", "-f", "-U", "calls,name", "-o"]).arg(&file);
        for pid in tree(self.process.pid()) {
            command.args(["-p", &pid.to_string()]);
        }
        let before = self.servers.accepted();
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().ok()?;
        let checks = self.servers.accepted() - before;
        let text = fs::read_to_string(&file).ok()?;
        let mut rows =
            text.lines().rev().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        // The last row is the total.
        Some((rows.next()?, checks))
    }

    fn end(self) {
        let Self { mut process, servers, director, .. } = self;
        process.stop(secs(120));
        servers.stop(&director);
    }
}

/// Without checks: the table, memory, reloads.
fn tables(program: &Program, pool: Pool) -> Values {
    let site = Site::new(program, pool);
    let used = site.usage();
    let mut values = vec![
        ("table complete after", "ms", millis(site.started.0)),
        ("processor time until then and idle", "ms", millis(site.started.1)),
        ("memory (PSS)", "KiB", whole(used.pss_kib)),
        ("memory (RSS)", "KiB", whole(used.rss_kib)),
        ("processes", "", whole(used.processes)),
        ("threads", "", whole(used.threads)),
    ];
    let steps = [
        ("reload, every weight: table after", "reload, every weight: processor time", Weights::All(2)),
        ("reload, one weight: table after", "reload, one weight: processor time", Weights::But(2, 3)),
        ("reload, nothing: file read after", "reload, nothing: processor time", Weights::But(2, 3)),
    ];
    for (index, (wall_name, cpu_name, weights)) in steps.into_iter().enumerate() {
        let (wall, used) = site.reload(weights);
        if index < 2 {
            values.push((wall_name, "ms", millis(wall)));
        }
        values.push((cpu_name, "ms", millis(used)));
    }
    values.push(("memory after reloads, largest (peak RSS)", "KiB", whole(site.usage().peak_kib)));
    site.end();
    values
}

/// With checks: what each costs.
fn checks(program: &Program, pool: Pool) -> Values {
    let site = Site::new(program, pool);
    let delay = u64::from(pool.delay.unwrap_or(1));
    let all = u64::try_from(pool.len()).unwrap_or(u64::MAX);
    // Every real server was checked twice: what is allocated at first use is there.
    wait::until("the first checks", secs(delay * 6 + 120), || {
        (site.servers.accepted() >= all * 2).then_some(())
    });
    let (before, used) = (site.servers.accepted(), site.cpu());
    std::thread::sleep(WINDOW);
    let (made, spent) = (site.servers.accepted() - before, site.cpu().saturating_sub(used));
    let memory = site.usage();
    let per = millis(spent) * 1_000.0 / whole(made.max(1));
    let mut values = vec![
        ("1,000 checks: processor time", "ms", per),
        ("checks made in the window", "", whole(made)),
        ("memory (PSS) while checking", "KiB", whole(memory.pss_kib)),
        ("memory (peak RSS) while checking", "KiB", whole(memory.peak_kib)),
    ];
    if let Some((calls, checks)) = site.system_calls() {
        values.push(("system calls for a check", "", whole(calls) / whole(checks.max(1))));
    }
    site.end();
    values
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

fn whole(number: u64) -> f64 {
    // Far from where a float is not exact.
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn both(ours: Values, theirs: Option<Values>, servers: usize) -> Vec<Row> {
    let other =
        |what: &str| theirs.as_ref()?.iter().find(|(name, ..)| *name == what).map(|(.., value)| *value);
    ours.into_iter()
        .map(|(what, unit, ours)| Row { what, unit, servers, ours, theirs: other(what) })
        .collect()
}

/// Seconds between two checks of a real server: about a hundred checks a second, which both programs manage here.
fn delay(servers: usize) -> u32 {
    u32::try_from(servers / 100).unwrap_or(u32::MAX).max(2)
}

/// Runs everything of `sizes`; the lines are given to `tell` as they come. Returns the rows.
pub fn run(binary: &Path, sizes: &[(u16, u16)], tell: &mut dyn FnMut(&str)) -> Vec<Row> {
    tell(&format!(
        "{:>7}  {:42} {:5} {:>12} {:>12} {:>8}\n",
        "servers", "", "", "lvsbox", "keepalived", "ratio"
    ));
    let programs = [Program::Lvsbox(PathBuf::from(binary)), Program::Keepalived];
    let mut rows = Vec::new();
    for (services, servers) in sizes.iter().copied() {
        let idle = Pool { services, servers, delay: None };
        let busy = Pool { delay: Some(delay(idle.len())), ..idle };
        let is_alone = (services, servers) == LARGEST;
        for measure in
            [(&|program: &Program| tables(program, idle)) as &dyn Fn(&Program) -> Values, &|program| {
                checks(program, busy)
            }]
        {
            let ours = measure(&programs[0]);
            let theirs = (!is_alone).then(|| measure(&programs[1]));
            for row in both(ours, theirs, idle.len()) {
                tell(&row.line());
                rows.push(row);
            }
        }
        let row = Row {
            what: "kernel's floor of changing every weight",
            unit: "ms",
            servers: idle.len(),
            ours: millis(floor::change_all_weights(idle)),
            theirs: None,
        };
        tell(&row.line());
        rows.push(row);
        let row = Row {
            what: "kernel's floor of 1,000 checks, in pairs",
            unit: "ms",
            servers: idle.len(),
            ours: millis(probe_floor::check(busy, 1_000, 2)),
            theirs: None,
        };
        tell(&row.line());
        rows.push(row);
    }
    rows
}

/// All rows as one array in JSON.
pub fn json(rows: &[Row]) -> String {
    let mut text = String::from("[\n");
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "  {}{}", row.json(), if index + 1 == rows.len() { "" } else { "," });
    }
    text + "]\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_with_a_ratio_and_an_object() {
        let row = Row { what: "memory (PSS)", unit: "KiB", servers: 40, ours: 500.0, theirs: Some(4_000.0) };
        assert!(row.line().ends_with("500.00      4000.00    0.125\n"), "{}", row.line());
        assert_eq!(
            row.json(),
            r#"{"real_servers":40,"what":"memory (PSS)","unit":"KiB","lvsbox":500,"keepalived":4000}"#
        );
        let alone = Row { theirs: None, ..row };
        assert!(alone.json().ends_with("\"keepalived\":null}") && json(&[alone]).starts_with("[\n  {"));
    }
}
