//! A program under test: its output in a file, its lines waited for, its end certain.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::wait;

/// A running child. Dropped, it is killed; if the test is failing then, the end of its output is shown.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    what: String,
}

impl Process {
    /// Starts `command` with standard output and error in the file `log`. `what` names it in messages.
    pub fn spawn(mut command: Command, what: &str, log: &Path) -> Self {
        let out = File::create(log).expect("create the log file");
        let err = out.try_clone().expect("share the log file");
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Self::spawn_as_is(command, what, log)
    }

    /// Starts `command` with the streams it has; `log` is where its lines will be looked for.
    pub fn spawn_as_is(mut command: Command, what: &str, log: &Path) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("start {what}: {error}"));
        Self { child, log: log.to_owned(), what: what.to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn id(&self) -> Pid {
        i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id")
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// How many of its lines contain `needle`.
    pub fn count(&self, needle: &str) -> usize {
        self.log().lines().filter(|line| line.contains(needle)).count()
    }

    /// Waits for a line that contains `needle`, and returns it.
    #[track_caller]
    pub fn wait_line(&self, needle: &str, within: Duration) -> String {
        self.wait_lines(needle, 1, within)
    }

    /// Waits until `count` lines contain `needle`, and returns the last of them.
    #[track_caller]
    pub fn wait_lines(&self, needle: &str, count: usize, within: Duration) -> String {
        let mut ended = false;
        let found = wait::maybe(within, || {
            // The end is looked for before the log: what was written last is still read.
            ended = self.has_ended();
            let log = self.log();
            let mut matching = log.lines().filter(|line| line.contains(needle));
            match matching.nth(count - 1) {
                Some(line) => Some(Some(line.to_owned())),
                None => ended.then_some(None),
            }
        });
        match found.flatten() {
            Some(line) => line,
            None if ended => panic!("{} ended without a line {count} with {needle:?}", self.what),
            None => panic!("{}: no line {count} with {needle:?} within {within:?}", self.what),
        }
    }

    /// True if it has ended, whether or not somebody has waited for it yet.
    pub fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.id()), options), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap_or_else(|error| panic!("signal {}: {error}", self.what));
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.what);
        wait::until(&what, within, || self.child.try_wait().expect("wait for a child"))
    }

    /// SIGTERM, then its end.
    #[track_caller]
    pub fn stop(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_exit(within)
    }

    /// SIGKILL, then its end: a crash.
    #[track_caller]
    pub fn crash(&mut self) {
        self.signal(Signal::KILL);
        self.wait_exit(wait::secs(10));
    }

    /// The value of a line of `/proc/PID/status`, such as `Threads` or `VmRSS`, without its unit.
    #[track_caller]
    pub fn status(&self, key: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process runs");
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("no {key} in the status of {}", self.what))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
            eprintln!("---- {} wrote ----\n{}\n----", self.what, tail.join("\n"));
        }
    }
}

/// Runs `command` to its end and returns its standard output.
///
/// # Panics
/// If it cannot be started or fails; the message carries the command and its standard error.
#[track_caller]
pub fn output_of(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("{command:?}: {}: {said}{}", output.status, String::from_utf8_lossy(&output.stdout));
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}
