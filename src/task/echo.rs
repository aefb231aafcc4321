//! `ping` and `arping`: one task for as long as the process lives, idle until somebody asks; one probe at a time.
//!
//! The task owns the probe's socket, which is open for the probe only; who asked holds an [`Asker`], and dropping that
//! ends the probe. What is learned is written as lines to a ring of 2 KiB that the asker reads: at most [`MAX_TOLD`]
//! answers are told, so what strangers send fills nothing. Reads are bounded per turn as everywhere.

use core::cell::RefCell;
use core::fmt::{self, Write};
use core::future::poll_fn;
use core::net::{IpAddr, Ipv4Addr};
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use rustix::io::Errno as Code;

use super::meter::Work;
use super::reactor::{Timer, store};
use super::shell::{Priority, Shell};
use crate::console::{Buf, Command, Request};
use crate::kernel::clock;
use crate::kernel::error::{Error, number};
use crate::observe::ring::{Cursor, Ring};
use crate::observe::text::Text;
use crate::task::answer::{STATUS_FAILED, STATUS_OK, STATUS_USAGE};
use crate::time::{Duration, Instant};
use crate::wire::errno;
use crate::wire::link::MacAddress;

mod place;
mod socket;

use place::{Finder, Place};
use socket::{Heard, Socket};

/// Between two requests, and how long the last one is waited for.
const PAUSE: Duration = Duration::from_secs(1);
/// Requests of `ping`.
const PINGS: u16 = 5;
/// Requests of `arping`.
const ARPINGS: u16 = 3;
/// Packets that are read before others get their turn.
const BURST: usize = 32;
/// Answers to ARP that are told, those of a flood of forged ones included.
const MAX_TOLD: u16 = 32;
/// Owners of one address that are told apart.
const MAX_OWNERS: usize = 8;
/// Bytes of lines that wait for who asked; the longest probe has about as many.
const RING: usize = 2_048;

/// What the task and who asks share.
#[derive(Default)]
pub(super) struct Echo {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    lines: Ring<RING>,
    /// What is to be probed, until the task has taken it.
    job: Option<Job>,
    /// Counts the probes: an old one has nothing to say.
    run: u16,
    busy: bool,
    status: Option<u8>,
    task: Option<Waker>,
}

/// A probe.
#[derive(Debug, Clone, Copy)]
enum Job {
    Ping(IpAddr),
    Arping(Ipv4Addr),
}

/// What there is for who asked.
pub(super) enum Told {
    /// Something was written, and there may be more.
    Lines,
    /// Nothing yet.
    Nothing,
    /// Nothing more.
    End(u8),
}

/// Who asked. Dropped, the probe ends.
pub(super) struct Asker {
    echo: Rc<Echo>,
    run: u16,
    cursor: Cursor,
}

/// Starts the task.
///
/// # Errors
/// No timer.
pub(super) fn start(shell: &Rc<Shell>) -> Result<(), Error> {
    shell.spawn(Priority::Ordinary, run(Rc::clone(shell), shell.reactor.timer()?));
    Ok(())
}

/// Starts the probe that `request` is about.
///
/// # Errors
/// A status; why not is written to `piece`.
pub(super) fn ask(shell: &Shell, request: &Request, piece: &mut Buf) -> Result<Asker, u8> {
    let word = request.argument.as_str();
    let job = match (word.parse(), request.command == Command::Arping) {
        (Ok(IpAddr::V4(address)), true) => Job::Arping(address),
        (Ok(address), false) => Job::Ping(address),
        (Ok(IpAddr::V6(_)), true) => {
            let _ = piece.push_str("ARP is for IPv4: ping it, then `show arp`\n");
            return Err(STATUS_USAGE);
        }
        (Err(_), _) => {
            let _ = writeln!(piece, "`{word}` is no IP address");
            return Err(STATUS_USAGE);
        }
    };
    shell.echo.begin(job).ok_or_else(|| {
        let _ = piece.push_str("another ping is running\n");
        STATUS_FAILED
    })
}

impl Echo {
    fn begin(self: &Rc<Self>, job: Job) -> Option<Asker> {
        let mut state = self.state.borrow_mut();
        // Whoever has not read the end of a probe that is over may never do so: a terminal that stalls.
        if state.busy && state.status.is_none() {
            return None;
        }
        (state.busy, state.job, state.status) = (true, Some(job), None);
        state.run = state.run.wrapping_add(1);
        let (cursor, run, task) = (state.lines.end(), state.run, state.task.take());
        drop(state);
        task.into_iter().for_each(Waker::wake);
        Some(Asker { echo: Rc::clone(self), run, cursor })
    }

    /// A probe to make, and the number of its run.
    fn poll_job(&self, context: &Context<'_>) -> Poll<(Job, u16)> {
        let mut state = self.state.borrow_mut();
        store(&mut state.task, context);
        state.job.take().map_or(Poll::Pending, |job| Poll::Ready((job, state.run)))
    }

    /// True while somebody wants to know.
    fn is_wanted(&self, run: u16, context: &Context<'_>) -> bool {
        let mut state = self.state.borrow_mut();
        store(&mut state.task, context);
        state.busy && state.run == run
    }
}

impl Asker {
    /// Writes what is new.
    pub(super) fn read(&mut self, piece: &mut Buf) -> Told {
        let mut bytes = [0; 1_024];
        let state = self.echo.state.borrow();
        if state.run != self.run {
            return Told::End(STATUS_FAILED);
        }
        let (count, _) = state.lines.read_lines(&mut self.cursor, &mut bytes);
        let lines = bytes.get(..count).and_then(|lines| core::str::from_utf8(lines).ok()).unwrap_or("");
        let _ = piece.push_str(lines);
        match (count, state.status) {
            (1.., _) => Told::Lines,
            (0, None) => Told::Nothing,
            (0, Some(status)) => Told::End(status),
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        let mut state = self.echo.state.borrow_mut();
        if state.run != self.run {
            return;
        }
        (state.busy, state.job) = (false, None);
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }
}

/// What the task does.
enum Stage {
    Idle,
    Finding(Job, u16, Finder),
    Probing(Probe),
}

async fn run(shell: Rc<Shell>, timer: Timer) {
    let mut stage = Stage::Idle;
    poll_fn(|context| shell.meter.measure(Work::Control, || poll(&mut stage, &shell, &timer, context))).await;
}

/// Never ready: the task ends with the process.
fn poll(stage: &mut Stage, shell: &Shell, timer: &Timer, context: &Context<'_>) -> Poll<()> {
    loop {
        let (job, run, opened) = match stage {
            Stage::Idle => match shell.echo.poll_job(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready((job, run)) => match job {
                    Job::Ping(address) => (job, run, Socket::open_icmp(shell, address)),
                    Job::Arping(address) => match Finder::new(shell, address) {
                        Ok(finder) => {
                            *stage = Stage::Finding(job, run, finder);
                            continue;
                        }
                        Err(code) => (job, run, Err(code)),
                    },
                },
            },
            Stage::Finding(job, run, finder) => match finder.poll(shell, context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Some(place))) => (*job, *run, Socket::open_arp(shell, place)),
                // A place that does not exist.
                Poll::Ready(Ok(None)) => (*job, *run, Err(Code::NODEV)),
                Poll::Ready(Err(code)) => (*job, *run, Err(code)),
            },
            Stage::Probing(probe) => match probe.poll(shell, timer, context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => {
                    timer.cancel();
                    *stage = Stage::Idle;
                    continue;
                }
            },
        };
        *stage = match (opened, job) {
            (Ok(socket), _) => Stage::Probing(Probe::new(job, run, socket)),
            (Err(Code::NODEV), Job::Arping(address)) => {
                end(shell, run, format_args!("no interface is on the network of {address}"));
                Stage::Idle
            }
            (Err(code), _) => {
                end(shell, run, format_args!("open socket: {}", errno::Text(number(code))));
                Stage::Idle
            }
        };
    }
}

/// The last words of a probe that came to nothing.
fn end(shell: &Shell, run: u16, line: fmt::Arguments<'_>) {
    tell(shell, run, line, Some(STATUS_FAILED));
}

/// A line for who asked, and perhaps the end.
fn tell(shell: &Shell, run: u16, line: fmt::Arguments<'_>, status: Option<u8>) {
    let mut state = shell.echo.state.borrow_mut();
    if !state.busy || state.run != run {
        return;
    }
    let mut text = Text::default();
    let _ = text.write_fmt(line);
    state.lines.write(text.finish());
    state.status = status;
    shell.feed.news();
}

/// A probe that is being made.
struct Probe {
    asked: IpAddr,
    socket: Socket,
    run: u16,
    /// Tells our requests from those of others and of earlier runs.
    id: u16,
    count: u16,
    sent: u16,
    sent_at: [Instant; PINGS as usize],
    next_at: Instant,
    /// Requests that were answered, as bits; the first is bit 1. A doubled answer is told once, a late one as well.
    answered: u16,
    /// Those of which somebody said why they were not.
    excused: u16,
    /// Answers to ARP that were told.
    told: u16,
    times: Times,
    owners: heapless::Vec<MacAddress, MAX_OWNERS>,
}

/// Times of the answers.
#[derive(Default)]
struct Times {
    least: Duration,
    sum: Duration,
    most: Duration,
}

/// Milliseconds with three decimals.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1_000, micros % 1_000)
    }
}

impl Probe {
    fn new(job: Job, run: u16, socket: Socket) -> Self {
        let now = clock::now();
        let [low, high, ..] = now.as_micros().to_le_bytes();
        let (asked, count) = match job {
            Job::Ping(address) => (address, PINGS),
            Job::Arping(address) => (address.into(), ARPINGS),
        };
        Self {
            asked,
            socket,
            run,
            id: u16::from_le_bytes([low, high]),
            count,
            sent: 0,
            sent_at: [now; PINGS as usize],
            next_at: now,
            answered: 0,
            excused: 0,
            told: 0,
            times: Times::default(),
            owners: heapless::Vec::new(),
        }
    }

    fn poll(&mut self, shell: &Shell, timer: &Timer, context: &Context<'_>) -> Poll<()> {
        if !shell.echo.is_wanted(self.run, context) {
            return Poll::Ready(());
        }
        let mut more = true;
        for _ in 0..BURST {
            match self.socket.poll_heard(self.asked, self.id, context) {
                Poll::Pending => {
                    more = false;
                    break;
                }
                Poll::Ready(Some(heard)) => self.hear(shell, heard),
                Poll::Ready(None) => {}
            }
        }
        if more {
            context.waker().wake_by_ref();
        }
        while self.is_over() || timer.poll_until(context, self.next_at).is_ready() {
            if !self.go_on(shell) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// True if nothing more can be learned. There may always be another owner, so ARP is waited for.
    fn is_over(&self) -> bool {
        let all = ((1 << self.count) - 1) << 1;
        self.socket.place().is_none() && (self.answered | self.excused) == all
    }

    /// It is time for the next request, or for the last words. False at the end.
    fn go_on(&mut self, shell: &Shell) -> bool {
        if let (0, Some(Place { ours: true, mac, .. })) = (self.sent, self.socket.place()) {
            self.say(shell, format_args!("{} is ours, at {mac}", self.asked));
        }
        if self.sent > 0 && (self.answered | self.excused) & 1 << self.sent == 0 {
            self.say(shell, format_args!("no answer: {}", self.sent));
        }
        if self.sent == self.count {
            self.sum_up(shell);
            return false;
        }
        let now = clock::now();
        self.sent += 1;
        self.next_at = now + PAUSE;
        if let Some(at) = self.sent_at.get_mut(usize::from(self.sent - 1)) {
            *at = now;
        }
        let sent = self.socket.send(self.asked, self.id, self.sent);
        if let Err(code) = sent {
            end(shell, self.run, format_args!("send: {}", errno::Text(number(code))));
        }
        sent.is_ok()
    }

    fn hear(&mut self, shell: &Shell, heard: Heard) {
        // ARP does not say which request is answered: the last one.
        let seq = heard.seq().unwrap_or(self.sent);
        let at = self.sent_at.get(usize::from(seq.wrapping_sub(1))).filter(|_| seq <= self.sent);
        let Some(at) = at else { return };
        let (time, bit) = (clock::now().since(*at), 1 << seq);
        let new = self.answered & bit == 0;
        match heard {
            Heard::Error { reason, from, .. } => {
                if self.excused & bit == 0 {
                    self.excused |= bit;
                    self.say(shell, format_args!("{from} says: {reason} ({seq})"));
                }
                return;
            }
            Heard::Reply { .. } if new => {
                self.say(shell, format_args!("answer from {}: {seq} in {} ms", self.asked, Millis(time)));
            }
            Heard::Owner(mac) if self.told < MAX_TOLD => {
                self.told += 1;
                if !self.owners.contains(&mac) {
                    let _ = self.owners.push(mac);
                }
                let (asked, time) = (self.asked, Millis(time));
                self.say(shell, format_args!("{asked} is at {mac}: {seq} in {time} ms"));
            }
            Heard::Reply { .. } | Heard::Owner(_) => {
                self.answered |= bit;
                return;
            }
        }
        let times = &mut self.times;
        times.least = if self.answered == 0 { time } else { times.least.min(time) };
        (times.sum, times.most) = (times.sum + time, times.most.max(time));
        self.answered |= bit;
    }

    fn sum_up(&self, shell: &Shell) {
        let (sent, answered) = (self.sent, self.answered.count_ones());
        let mut line: heapless::String<128> = heapless::String::new();
        let _ = write!(line, "{sent} sent, {answered} answered");
        let _ = match self.socket.place() {
            None if answered > 0 => {
                let Times { least, sum, most } = self.times;
                let mean = sum.divided_by(answered.into());
                write!(line, ", {}/{}/{} ms", Millis(least), Millis(mean), Millis(most))
            }
            None => Ok(()),
            Some(place) => self.count_owners(place.ours, &mut line),
        };
        let status = if answered > 0 { STATUS_OK } else { STATUS_FAILED };
        tell(shell, self.run, format_args!("{line}"), Some(status));
    }

    fn count_owners(&self, ours: bool, line: &mut dyn Write) -> fmt::Result {
        let hosts = self.owners.len();
        if hosts > 0 {
            write!(line, " by {hosts} host{}", if hosts == 1 { "" } else { "s" })?;
        }
        match hosts + usize::from(ours) {
            0 | 1 => Ok(()),
            2 => line.write_str(": the address has two owners"),
            _ => line.write_str(": the address has several owners"),
        }
    }

    fn say(&self, shell: &Shell, line: fmt::Arguments<'_>) {
        tell(shell, self.run, line, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_is_over_makes_room_although_its_end_was_not_read() {
        let echo = Rc::new(Echo::default());
        let begin = || echo.begin(Job::Arping(Ipv4Addr::LOCALHOST));
        let mut first = begin().unwrap();
        assert!(begin().is_none(), "one at a time");
        echo.state.borrow_mut().status = Some(STATUS_OK);
        let second = begin().unwrap();
        assert!(matches!(first.read(&mut Buf::new()), Told::End(STATUS_FAILED)));
        drop(first);
        assert!(begin().is_none(), "who came first does not end the probe of who came second");
        drop(second);
        assert!(begin().is_some());
    }
}
