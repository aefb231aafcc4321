//! What lvsbox is compared with keepalived in, both in the same run on the same machine: absolute times say little on a
//! machine that does other things as well, so every figure stands beside the other program's.
//!
//! [`command`] is `tests/bench`, which is all of [`scale`] (what the kernel's table, memory, checks and reloads cost,
//! at five sizes), [`takeover`] (how late and how fast a BACKUP takes over) and [`boot`]; its rows are [`row`]'s, its
//! page [`report`]'s. [`config`] is the largest configuration; [`lateness`] how regular adverts are under load.

pub mod boot;
pub mod command;
pub mod config;
pub mod floor;
pub mod lateness;
pub mod load;
pub mod pool;
pub mod probe_floor;
pub mod report;
pub mod row;
pub mod scale;
pub mod site;
pub mod takeover;
pub mod usage;

use std::fs::{self, File};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::keepalived;
use crate::netns::Namespace;
use crate::process::Process;
use crate::scratch::Scratch;

/// A program under comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// lvsbox, this file.
    Lvsbox(PathBuf),
    /// Debian's keepalived.
    Keepalived,
}

impl Program {
    /// Its name in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Lvsbox(_) => "lvsbox",
            Self::Keepalived => "keepalived",
        }
    }

    /// Starts it in `namespace` on the configuration `text`, which stands in the file `NAMESPACE.conf` of `scratch`.
    pub fn start(&self, namespace: &Namespace, text: &str, scratch: &Scratch) -> Process {
        let Self::Lvsbox(binary) = self else { return keepalived::start_terse(namespace, text, scratch) };
        let file = self.file(namespace, scratch);
        fs::write(&file, text).expect("write the configuration");
        let mut command = namespace.command(binary);
        command.arg("run").arg(file);
        Process::spawn(command, "lvsbox", &scratch.join(&format!("{}.log", namespace.name())))
    }

    /// Starts it as [`Self::start`] does, but it begins only when [`Gate::open`] is called: what it costs to get a
    /// process into a namespace is not the program's.
    pub fn prepare(&self, namespace: &Namespace, text: &str, scratch: &Scratch) -> (Process, Gate) {
        let (stem, fifo) = (namespace.name(), scratch.join("gate"));
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("make a named pipe");
        let mut command = namespace.command("sh");
        command.args(["-c", "read go <\"$0\" && exec \"$@\""]).arg(&fifo);
        match self {
            Self::Lvsbox(binary) => {
                let file = self.file(namespace, scratch);
                fs::write(&file, text).expect("write the configuration");
                command.arg(binary).arg("run").arg(file);
            }
            Self::Keepalived => {
                command.arg("keepalived").args(keepalived::arguments(namespace, text, scratch));
            }
        }
        let process = Process::spawn(command, self.name(), &scratch.join(&format!("{stem}.log")));
        // Opening waits until the shell is there.
        let pipe = File::options().write(true).open(&fifo).expect("open the gate");
        (process, Gate(pipe))
    }

    /// Where its configuration is.
    pub fn file(&self, namespace: &Namespace, scratch: &Scratch) -> PathBuf {
        scratch.join(&format!("{}.conf", namespace.name()))
    }
}

/// What holds a process back that was started: see [`Program::prepare`].
#[derive(Debug)]
pub struct Gate(File);

impl Gate {
    /// The program begins.
    pub fn open(mut self) {
        self.0.write_all(b"go\n").expect("open the gate");
    }
}

/// Calls `work`, and returns what it said if it panicked: a row that fails must not take the others along.
///
/// # Errors
/// The panic's message.
pub fn attempt<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "a panic without a message".to_owned())
    })
}

/// Some measured values, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures(Vec<i64>);

impl Figures {
    /// The value that `thousandths` of a thousand do not exceed, in microseconds; 0 if there is none.
    pub fn quantile(&self, thousandths: usize) -> i64 {
        let place = (self.0.len() * thousandths).div_ceil(1_000).max(1) - 1;
        self.0.get(place).copied().unwrap_or_default()
    }

    /// The middle one, in microseconds.
    pub fn median(&self) -> i64 {
        self.quantile(500)
    }

    /// The largest, in microseconds.
    pub fn worst(&self) -> i64 {
        self.quantile(1_000)
    }

    /// How many exceed `micros`.
    pub fn above(&self, micros: i64) -> usize {
        self.0.iter().filter(|value| **value > micros).count()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<i64> for Figures {
    fn from_iter<T: IntoIterator<Item = i64>>(values: T) -> Self {
        let mut values: Vec<i64> = values.into_iter().collect();
        values.sort_unstable();
        Self(values)
    }
}

/// `late` minus `early` in microseconds: negative if it is the other way round.
fn micros_between(early: Duration, late: Duration) -> i64 {
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    micros(late) - micros(early)
}

/// Microseconds as milliseconds.
fn millis(micros: i64) -> f64 {
    // Far from where a float is not exact.
    f64::from(i32::try_from(micros).unwrap_or(i32::MAX)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_row_said_is_kept() {
        assert_eq!(attempt(|| 7), Ok(7));
        assert_eq!(attempt(|| -> u8 { panic!("no {}", 7) }), Err("no 7".to_owned()));
    }

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let figures: Figures = (1..=1_000).rev().collect();
        assert_eq!((figures.median(), figures.quantile(990), figures.worst()), (500, 990, 1_000));
        let few: Figures = [7, 3, 5].into_iter().collect();
        assert_eq!((few.median(), few.quantile(990), few.worst(), few.above(3)), (5, 7, 7, 2));
        assert_eq!(Figures::default().worst(), 0);
    }
}
