//! The daemon's `log::Log`: rings in memory for the console, and standard error for whoever watches the process.
//!
//! It never waits, never allocates and never fails: a line that standard error does not take now (a full disk, a
//! reader that stopped) is counted, and the count is reported when it works again. One ring has every line, a smaller
//! one what an operator wants to be told unasked: changes of state, warnings, errors.

use core::fmt::Write;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

pub use super::ring::Cursor;
use super::ring::Ring;
use super::text::{Text, Timestamp};
use crate::kernel::{clock, output};
use crate::limits::{MAX_CHANGE_BYTES, MAX_LOG_BYTES};

/// Target of a line about a change of state.
pub const CHANGE: &str = "change";

/// What can be read, and followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Every line.
    Log,
    /// Changes of state, warnings and errors, with the time of day.
    Changes,
}

/// The rings and the writer. In static memory: 72 KiB that cost pages only as they are used.
static LOGGER: Logger = Logger(Mutex::new(State {
    ring: Ring::new(),
    changes: Ring::new(),
    sink: Sink::new(),
    written_total: 0,
}));

/// Standard error gets nothing. Not behind the lock, because a panic asks too.
static HELD: AtomicBool = AtomicBool::new(false);

struct Logger(Mutex<State>);

/// Bytes of a stamp, and where in it the time of day stands.
const STAMP: usize = 24;
const TIME: core::ops::Range<usize> = 11..19;

struct State {
    ring: Ring<MAX_LOG_BYTES>,
    changes: Ring<MAX_CHANGE_BYTES>,
    sink: Sink,
    written_total: u64,
}

/// Installs the logger for the `log` macros at `level`. A second call changes the level only.
pub fn install(level: LevelFilter) {
    // The only error is that a logger, this one, is installed already.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(level);
}

/// Copies whole lines after `cursor` into `out`, which holds 1,024 bytes: how many bytes, and how many were lost before
/// them.
pub fn read_lines(topic: Topic, cursor: &mut Cursor, out: &mut [u8]) -> (usize, u64) {
    let state = LOGGER.lock();
    match topic {
        Topic::Log => state.ring.read_lines(cursor, out),
        Topic::Changes => state.changes.read_lines(cursor, out),
    }
}

/// Behind the newest line.
pub fn end(topic: Topic) -> Cursor {
    let state = LOGGER.lock();
    match topic {
        Topic::Log => state.ring.end(),
        Topic::Changes => state.changes.end(),
    }
}

/// Nothing more to standard error while an instance of it lives: its terminal belongs to somebody who shows the lines
/// himself. The rings have them all.
#[derive(Debug)]
pub struct Hold(());

impl Hold {
    /// From now on.
    pub fn new() -> Self {
        HELD.store(true, Ordering::Relaxed);
        Self(())
    }
}

/// True while somebody shows the lines himself on the terminal that is standard error.
pub fn is_held() -> bool {
    HELD.load(Ordering::Relaxed)
}

impl Default for Hold {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        HELD.store(false, Ordering::Relaxed);
    }
}

/// Lines that are logged while an instance of it lives go to standard error together, as many as one write takes.
#[derive(Debug)]
pub struct Sheaf(());

impl Sheaf {
    /// From now on.
    pub fn new() -> Self {
        LOGGER.lock().sink.gathers = true;
        Self(())
    }
}

impl Default for Sheaf {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sheaf {
    fn drop(&mut self) {
        let mut state = LOGGER.lock();
        state.sink.gathers = false;
        state.sink.flush(output::standard_error());
    }
}

/// Figures of the log since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Lines written to the ring.
    pub written_total: u64,
    /// Lines that standard error has not taken.
    pub lost_total: u64,
    /// Bytes that the ring holds now.
    pub held: usize,
}

/// The figures now.
pub fn figures() -> Figures {
    let state = LOGGER.lock();
    Figures {
        written_total: state.written_total,
        lost_total: state.sink.outlet.lost_total,
        held: state.ring.held(),
    }
}

impl Logger {
    /// One thread, and nothing inside logs: the lock is never contended. It is there because a static must be.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (at, word) = (Timestamp(clock::wall()), prefix(record.level()));
        let mut text = Text::default();
        // A line that does not fit is cut.
        let _ = write!(text, "{at} {word}{}", record.args());
        let line = text.finish();
        let mut state = self.lock();
        state.ring.write(line);
        state.written_total += 1;
        if record.level() <= Level::Warn || record.target() == CHANGE {
            state.changes.write(line.get(TIME).unwrap_or(&[]));
            state.changes.write(line.get(STAMP..).unwrap_or(&[]));
        }
        if !is_held() {
            state.sink.write(output::standard_error(), line);
        }
    }

    fn flush(&self) {}
}

/// Ordinary lines carry no word, so that keepalived's lines are found as they are.
const fn prefix(level: Level) -> &'static str {
    match level {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        Level::Info => "",
        Level::Debug | Level::Trace => "debug: ",
    }
}

/// Lines on their way to a descriptor that may refuse.
struct Sink {
    outlet: Outlet,
    /// Lines wait in `sheaf` for others.
    gathers: bool,
    sheaf: [u8; output::MAX_WRITE],
    held: usize,
}

impl Sink {
    const fn new() -> Self {
        let outlet = Outlet { lost: 0, lost_total: 0, torn: false };
        Self { outlet, gathers: false, sheaf: [0; output::MAX_WRITE], held: 0 }
    }

    fn write(&mut self, to: BorrowedFd<'_>, line: &[u8]) {
        if !self.gathers {
            return self.outlet.write(to, line);
        }
        if self.held + line.len() > self.sheaf.len() {
            self.flush(to);
        }
        if let Some(room) = self.sheaf.get_mut(self.held..self.held + line.len()) {
            room.copy_from_slice(line);
            self.held += line.len();
        }
    }

    /// Writes what was gathered.
    fn flush(&mut self, to: BorrowedFd<'_>) {
        let held = core::mem::take(&mut self.held);
        if held > 0 {
            self.outlet.write(to, self.sheaf.get(..held).unwrap_or(&[]));
        }
    }
}

/// What became of lines that were written.
struct Outlet {
    /// Lines refused since the last that was taken.
    lost: u64,
    lost_total: u64,
    /// The last write took only part of its last line: the next begins with a newline.
    torn: bool,
}

impl Outlet {
    /// Writes whole lines.
    fn write(&mut self, to: BorrowedFd<'_>, lines: &[u8]) {
        if self.torn {
            self.torn = output::write_now(to, b"\n") != Ok(1);
        }
        let taken = if self.torn || (self.lost > 0 && !self.report(to)) { 0 } else { self.put(to, lines) };
        for _ in lines.iter().skip(taken).filter(|byte| **byte == b'\n') {
            self.lost += 1;
            self.lost_total += 1;
        }
    }

    /// True if the loss could be told.
    fn report(&mut self, to: BorrowedFd<'_>) -> bool {
        let mut text = Text::default();
        let _ = write!(text, "{} warning: {} log lines lost", Timestamp(clock::wall()), self.lost);
        let line = text.finish();
        let told = self.put(to, line) == line.len();
        if told {
            self.lost = 0;
        }
        told
    }

    /// Bytes that were taken.
    fn put(&mut self, to: BorrowedFd<'_>, lines: &[u8]) -> usize {
        let taken = output::write_now(to, lines).unwrap_or(0);
        let last = taken.checked_sub(1).and_then(|last| lines.get(last));
        self.torn = last.is_some_and(|byte| *byte != b'\n');
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_full_disk_loses_lines_but_not_their_number() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut sink = Sink::new();
        for _ in 0..3 {
            sink.write(full.as_fd(), b"unheard\n");
        }
        assert_eq!(sink.outlet.lost_total, 3);
        let (mut reader, writer) = std::io::pipe().unwrap();
        sink.write(writer.as_fd(), b"heard\n");
        sink.write(writer.as_fd(), b"again\n");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].ends_with("warning: 3 log lines lost"));
        assert_eq!(&lines[1..], ["heard", "again"]);
    }

    #[test]
    fn a_reader_that_stops_reading_does_not_stop_the_writer() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut sink = Sink::new();
        let line = "x".repeat(499) + "\n";
        while sink.outlet.lost_total < 10 {
            sink.write(writer.as_fd(), line.as_bytes());
        }
        let mut chunk = vec![0; 256 << 10];
        assert!(reader.read(&mut chunk).unwrap() > 0);
        sink.write(writer.as_fd(), b"later\n");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.contains("10 log lines lost\nlater\n"), "{text}");
    }

    #[test]
    fn gathered_lines_leave_together_and_each_that_is_refused_is_counted() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut sink = Sink { gathers: true, ..Sink::new() };
        for n in 0..100 {
            sink.write(writer.as_fd(), format!("{n:99}\n").as_bytes());
        }
        let mut chunk = [0; 16 << 10];
        assert_eq!(reader.read(&mut chunk).unwrap(), 8_000, "as many as one write takes, twice");
        sink.flush(writer.as_fd());
        assert_eq!(reader.read(&mut chunk).unwrap(), 2_000);
        assert!(chunk.starts_with(format!("{:99}\n", 80).as_bytes()));
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        (0..3).for_each(|_| sink.write(full.as_fd(), b"unheard\n"));
        sink.flush(full.as_fd());
        assert_eq!(sink.outlet.lost_total, 3);
    }

    #[test]
    fn every_line_is_in_the_ring_whatever_standard_error_says() {
        install(LevelFilter::Info);
        log::warn!("a line for the ring {}", 4711);
        log::debug!("not at this level");
        log::info!(target: CHANGE, "a change of state");
        log::info!("an ordinary line");
        let mut text = vec![0; MAX_LOG_BYTES];
        let (count, _) = read_lines(Topic::Log, &mut Cursor::default(), &mut text);
        let text = String::from_utf8_lossy(&text[..count]);
        let mut changes = [0; MAX_CHANGE_BYTES];
        let (told, _) = read_lines(Topic::Changes, &mut Cursor::default(), &mut changes);
        let changes = String::from_utf8_lossy(&changes[..told]);
        let told = changes.lines().find(|line| line.ends_with(" warning: a line for the ring 4711")).unwrap();
        assert_eq!(told.len(), "06:59:20 warning: a line for the ring 4711".len(), "{told}");
        assert!(
            changes.contains(" a change of state\n") && !changes.contains("an ordinary line"),
            "{changes}"
        );
        assert!(figures().written_total > 0 && figures().held >= count);
        assert!(text.contains("Z warning: a line for the ring 4711\n"), "{text}");
        assert!(!text.contains("not at this level"));
    }
}
