//! What a command may look at: the director and the plain figures that the shell measures.
//!
//! The shell fills a [`View`] for each call of [`Answer::next`](super::Answer::next); nothing is kept.

use core::fmt;

use crate::director::Director;
use crate::time::{Duration, Instant};

/// Everything that can be shown, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// All state.
    pub director: &'a Director,
    /// The moment.
    pub now: Instant,
    /// Who we are.
    pub identity: Identity<'a>,
    /// The allocator's figures.
    pub heap: Heap,
    /// The kernel's figures of this process.
    pub process: Process,
    /// How the loop spends its time.
    pub turns: Turns<'a>,
    /// The log.
    pub log: LogFigures,
    /// The boot's stages in their order; none unless this is PID 1.
    pub boot: &'a [Stage],
    /// Diagnostics of the configuration in force.
    pub diagnostics: Diagnostics,
    /// Limits of the kernel that are too low for the configuration in force.
    pub short: usize,
    /// What the command is about; empty for most.
    pub argument: &'a str,
    /// The last reload; `None` if there was none.
    pub reload: Option<Reload>,
    /// The wall clock was set: it says something about whether a certificate is over.
    #[cfg(feature = "tls")]
    pub clock_set: bool,
}

/// Who we are.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The program's version.
    pub version: &'a str,
    /// The host's name.
    pub host: &'a str,
    /// The configuration's file.
    pub configuration: &'a str,
    /// When the program started.
    pub started: Instant,
    /// Process number.
    pub pid: u32,
}

/// The allocator's figures in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heap {
    /// In use now.
    pub live: usize,
    /// Most that was in use at once.
    pub peak: usize,
    /// Allocations since the start.
    pub allocations_total: usize,
}

/// What the kernel says of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process {
    /// `VmRSS` in KiB; 0 if unknown.
    pub resident_kib: usize,
    /// `Threads`; 0 if unknown.
    pub threads: usize,
    /// Bytes that the configuration needs at most; 0 if it was not worked out.
    pub need: usize,
    /// Bytes that may be had, and what says so; only for [`Answer::tells_memory`](super::Answer::tells_memory).
    pub room: (usize, &'static str),
}

/// How the loop spends its time.
#[derive(Debug, Clone, Copy)]
pub struct Turns<'a> {
    /// Since when the figures count.
    pub since: Instant,
    /// Turns of the loop.
    pub turns_total: u64,
    /// How late the loop woke for its deadlines.
    pub wakes: Tally,
    /// The worst wake-up; zero lateness if there was none.
    pub worst: Worst,
    /// Times of each kind of work.
    pub work: &'a [(&'static str, Tally)],
    /// System calls for the IPVS table.
    pub ipvs: Traffic,
    /// Wake-ups by lateness: up to this much, or (`None`) above all others.
    pub classes: &'a [(Option<Duration>, u64)],
}

/// What a netlink socket carried. A send holds up to 64 requests; a read brings the answers to several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests, dumps included.
    pub requests: u64,
    /// System calls that sent them.
    pub sends: u64,
    /// System calls that read answers.
    pub reads: u64,
}

/// Times of one kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// All together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}

/// The worst wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worst {
    /// How late.
    pub late: Duration,
    /// The kind of work that took most of the time before it.
    pub after: &'static str,
    /// When.
    pub at: Instant,
}

/// The log's figures.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogFigures {
    /// Lines written.
    pub written_total: u64,
    /// Lines that could not be written: a full disk, a reader that is too slow.
    pub lost_total: u64,
    /// Bytes kept for the console.
    pub held: usize,
}

/// A stage of the boot. Displays as its line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// What was done, in a few words.
    pub done: Box<str>,
    /// How long it took.
    pub took: Duration,
    /// What was missing, a sentence each.
    pub problems: Box<[Box<str>]>,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.done)?;
        match self.problems.len() {
            0 => {}
            1 => f.write_str(", 1 problem")?,
            count => write!(f, ", {count} problems")?,
        }
        write!(f, " ({})", Millis(self.took))
    }
}

/// Milliseconds with one decimal.
#[derive(Debug, Clone, Copy)]
pub struct Millis(pub Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{} ms", micros / 1_000, micros % 1_000 / 100)
    }
}

/// Diagnostics by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Diagnostics {
    /// Objects that cannot mean what was written.
    pub errors: usize,
    /// What is ignored without effect on forwarding.
    pub warnings: usize,
}

/// A reload that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// When it ended.
    pub at: Instant,
    /// How.
    pub outcome: Outcome,
}

/// What became of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The new configuration is in force.
    InForce,
    /// It has errors; nothing was changed.
    Refused(Diagnostics),
    /// The file could not be read; nothing was changed.
    Unreadable {
        /// The kernel's error number.
        errno: u16,
    },
}
