//! The world around the directors: a guest on one port of a switch, with a client and two real web servers in network
//! namespaces, started and questioned from here.
//!
//! The guest ([`inside`]) talks over its second serial port, a line at a time ([`line`]): every request of the client
//! with its result, and what became of what it was told. Here those lines are collected by one thread.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::guest::{Guest, Running};
use crate::modules;
use crate::wait;

pub mod client;
pub mod inside;
pub mod line;

use line::{Order, Said};

/// The virtual address that the client asks and both servers have on `lo`.
pub const VIP: &str = "192.0.2.100";
/// What the client asks unless told otherwise.
pub const TARGET: &str = "192.0.2.100:80";
/// The client's address; the LAN is 192.0.2.0/24.
pub const CLIENT: &str = "192.0.2.50";
/// The real servers, by name and address.
pub const SERVERS: [(&str, &str); 2] = [("web1", "192.0.2.21"), ("web2", "192.0.2.22")];
/// The serial port of the guest that the world talks over.
pub const CONTROL: &str = "/dev/ttyS1";
/// The Ethernet address of the guest's card; none of a [`crate::machine::Machine`]'s, which have a 0 for its 1.
pub const MAC: &str = "52:54:00:01:00:00";

/// Memory of the guest in MiB: Debian's kernel, the initramfs, and room for the cache of what it reads of the host.
const MEMORY: u32 = 256;
/// Answers kept, about three hours of them.
const MAX_ANSWERS: usize = 100_000;
/// How long a server's end or return may take on a busy machine.
const PATIENCE: Duration = wait::secs(30);

/// How one request of the client ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When the answer was complete or was given up: whole milliseconds since the world was ready, by its own clock.
    pub at: Duration,
    /// How long it took, in whole milliseconds; it was asked at `at - took`.
    pub took: Duration,
    /// Who answered, or why nobody did.
    pub outcome: Result<String, String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3} s  ", self.at.as_secs_f64())?;
        match &self.outcome {
            Ok(name) => write!(f, "{name} in {} ms", self.took.as_millis()),
            Err(reason) => write!(f, "-- {reason} after {} ms", self.took.as_millis()),
        }
    }
}

/// The longest time from one successful answer to the next, by when they were received. Zero for less than two.
pub fn longest_gap(answers: &[Answer]) -> Duration {
    // Answers overlap and so may come here out of order.
    let mut times: Vec<Duration> =
        answers.iter().filter(|answer| answer.outcome.is_ok()).map(|answer| answer.at).collect();
    times.sort_unstable();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// What the guest has said so far.
#[derive(Debug, Default)]
struct Heard {
    ready: bool,
    answers: VecDeque<Answer>,
    /// Answers that were too old to be kept.
    dropped: usize,
    /// `killed` and `restored` lines.
    done: Vec<Said>,
    last_error: Option<String>,
}

impl Heard {
    fn take(&mut self, said: Said) {
        match said {
            Said::Ready => self.ready = true,
            Said::Answer(answer) => {
                if self.answers.len() == MAX_ANSWERS {
                    self.answers.pop_front();
                    self.dropped += 1;
                }
                self.answers.push_back(answer);
            }
            Said::Killed(_) | Said::Restored(_) => self.done.push(said),
            Said::Error(text) => self.last_error = Some(text),
        }
    }

    fn since(&self, index: usize) -> Vec<Answer> {
        self.answers.iter().skip(index.saturating_sub(self.dropped)).cloned().collect()
    }
}

/// A running world. Dropped, its guest is killed.
#[derive(Debug)]
pub struct World {
    guest: Running,
    port: UnixStream,
    heard: Arc<Mutex<Heard>>,
    reader: Option<JoinHandle<()>>,
}

impl World {
    /// Starts the guest with its cable in the switch's port `wire`, where somebody listens already, and returns when
    /// QEMU runs. `lab` is the path of the program of that name. The guest dies with the thread that calls this.
    ///
    /// # Panics
    /// If QEMU does not start.
    #[track_caller]
    pub fn boot(wire: &Path, lab: &Path) -> Self {
        let lab = std::path::absolute(lab).expect("the path of lab");
        Self::boot_with(wire, &[lab.to_str().expect("a path in UTF-8"), "world"])
    }

    /// The same, with any command that calls [`inside::run`] on [`CONTROL`].
    ///
    /// # Panics
    /// If QEMU does not start.
    #[track_caller]
    pub fn boot_with(wire: &Path, argv: &[&str]) -> Self {
        let guest = Guest::new().modules(modules::WORLD).memory(MEMORY).wire(wire, MAC).control();
        let guest = guest.spawn(argv);
        let port = wait::maybe(wait::secs(20), || {
            assert!(!guest.has_ended(), "the world's QEMU has ended:\n{}", guest.complaint());
            UnixStream::connect(guest.control()).ok()
        });
        let port = port.expect("the world's serial port");
        let heard = Arc::<Mutex<Heard>>::default();
        let (reading, hearing) =
            (port.try_clone().expect("share the world's serial port"), Arc::clone(&heard));
        let reader = thread::spawn(move || read_lines(reading, &hearing));
        Self { guest, port, heard, reader: Some(reader) }
    }

    /// Waits until the servers listen and the client asks.
    ///
    /// # Panics
    /// If that does not happen `within`; the message holds what the guest said.
    #[track_caller]
    pub fn wait_ready(&self, within: Duration) {
        self.wait("ready", within, || self.heard().ready.then_some(Ok(())));
    }

    /// True if [`Self::wait_ready`] would return at once.
    pub fn is_ready(&self) -> bool {
        self.heard().ready
    }

    /// Kills the web server `name` and waits for its end.
    ///
    /// # Panics
    /// If there is no such server, or the world does not answer within half a minute. The same holds for
    /// [`Self::restore`].
    #[track_caller]
    pub fn kill(&self, name: &str) {
        self.order(&Order::Kill(name.to_owned()), &Said::Killed(name.to_owned()));
    }

    /// Starts the web server `name` again and waits until it listens.
    #[track_caller]
    pub fn restore(&self, name: &str) {
        self.order(&Order::Restore(name.to_owned()), &Said::Restored(name.to_owned()));
    }

    /// Every answer kept, in the order of their arrival; at most the last 100,000.
    pub fn answers(&self) -> Vec<Answer> {
        self.heard().since(0)
    }

    /// The answers from number `index` on, counted from the world's start; see [`Self::count`].
    pub fn answers_since(&self, index: usize) -> Vec<Answer> {
        self.heard().since(index)
    }

    /// How many answers there have been.
    pub fn count(&self) -> usize {
        let heard = self.heard();
        heard.dropped + heard.answers.len()
    }

    /// What the world complained of last.
    pub fn last_error(&self) -> Option<String> {
        self.heard().last_error.clone()
    }

    /// Writes `line` to the serial port as it is.
    ///
    /// # Panics
    /// If the guest is gone.
    #[track_caller]
    pub fn send_line(&self, line: &str) {
        (&self.port).write_all(format!("{line}\n").as_bytes()).expect("write to the world");
    }

    /// The guest.
    pub fn guest(&self) -> &Running {
        &self.guest
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    #[track_caller]
    fn order(&self, order: &Order, done: &Said) {
        let line = order.emit();
        {
            let mut heard = self.heard();
            heard.done.clear();
            heard.last_error = None;
        }
        self.send_line(&line);
        self.wait(&format!("an answer to {line:?}"), PATIENCE, || {
            let heard = self.heard();
            let refused = heard.last_error.clone().map(Err);
            heard.done.contains(done).then_some(Ok(())).or(refused)
        });
    }

    #[track_caller]
    fn wait(&self, what: &str, within: Duration, probe: impl Fn() -> Option<Result<(), String>>) {
        let result = wait::maybe(within, || {
            let ended = self.guest.has_ended().then(|| Err("the guest has ended".to_owned()));
            probe().or(ended)
        });
        let why = match result {
            Some(Ok(())) => return,
            Some(Err(why)) => why,
            None => format!("nothing within {within:?}"),
        };
        let (output, console) = (self.guest.output(), self.guest.console());
        let error = self.last_error().unwrap_or_default();
        panic!("the world: waited for {what}: {why}\n{error}\n{output}\n-- console --\n{console}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Ends the reader; the guest itself is killed with its value.
        self.port.shutdown(std::net::Shutdown::Both).ok();
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

fn read_lines(port: UnixStream, heard: &Mutex<Heard>) {
    let mut port = BufReader::new(port);
    let mut line = Vec::new();
    while port.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        // What is no line of the world is noise of a serial port: nobody waits for it.
        if let Some(said) = Said::parse(&String::from_utf8_lossy(&line)) {
            heard.lock().unwrap().take(said);
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at: u64, outcome: Result<&str, &str>) -> Answer {
        let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
        Answer { at: Duration::from_millis(at), took: Duration::from_millis(3), outcome }
    }

    #[test]
    fn longest_gap_is_between_successes_only() {
        let ok = |at| answer(at, Ok("web1"));
        let failed = |at| answer(at, Err("timed out"));
        let gap = |answers: &[Answer]| u64::try_from(longest_gap(answers).as_millis()).unwrap();
        assert_eq!(gap(&[]), 0);
        assert_eq!(gap(&[ok(500)]), 0);
        assert_eq!(gap(&[failed(1), failed(900)]), 0);
        assert_eq!(gap(&[ok(100), ok(200), ok(350)]), 150);
        assert_eq!(gap(&[ok(100), failed(200), failed(300), ok(1_200), ok(1_300)]), 1_100);
        // What lies before the first and behind the last success has no end that was seen.
        assert_eq!(gap(&[failed(5_000), ok(5_100), ok(5_200), failed(9_000)]), 100);
        // In the order of arrival, which is not that of the times.
        assert_eq!(gap(&[ok(300), ok(100), ok(200)]), 100);
    }

    #[test]
    fn oldest_answers_go_when_too_many_and_numbers_stay() {
        let mut heard = Heard::default();
        let total = u64::try_from(MAX_ANSWERS).unwrap() + 2;
        (0..total).for_each(|at| heard.take(Said::Answer(answer(at, Ok("web1")))));
        assert_eq!(heard.answers.len(), MAX_ANSWERS);
        let last = heard.since(MAX_ANSWERS + 1);
        assert_eq!(last, [answer(total - 1, Ok("web1"))]);
        assert_eq!(heard.since(0)[0].at, Duration::from_millis(2));
        assert!(heard.since(MAX_ANSWERS + 9).is_empty());
    }
}
