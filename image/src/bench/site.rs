//! A program with its configuration in a namespace of its own, and what can be done to it: started, given another
//! configuration, watched until it is idle, counted by strace.
//!
//! All of it shares the guest's one processor with the program, so that looking must be cheap: the real servers of the
//! last service are asked for every few milliseconds, those of some others when they are as wished, and at last the
//! whole table through another interface of the kernel's.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use super::floor::Table;
use super::pool::{Checks, LAST_PORT, Pool, Servers, Weights};
use super::usage::{Usage, cpu, is_busy, tree, usage};
use super::{Program, micros_between};
use crate::capture::Capture;
use crate::frames::Frame;
use crate::netns::{Host, Lan};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait::{self, secs};

/// Between two looks at the last service, at least; and how much longer than a look.
const LOOK: Duration = Duration::from_millis(4);
const LOOK_TIMES: u32 = 10;
/// How many services are looked at before the whole table is.
const SAMPLE: u16 = 8;
/// The longest that a table may take: keepalived's reload of the largest one that it is given takes a good part of it.
const TABLE: Duration = secs(900);
/// A program is idle if it uses less than this in each of [`WINDOWS`] windows of this length, and none of its threads
/// is on its way to the processor: a machine that gives it none must not look like work that is done.
const IDLE: Duration = Duration::from_millis(2);
const WINDOW: Duration = Duration::from_millis(500);
const WINDOWS: usize = 2;
/// For how long system calls are counted.
const COUNTED: Duration = secs(8);

/// The program and what is around it.
pub struct Site {
    _lan: Lan,
    director: Host,
    scratch: Scratch,
    /// The real servers.
    pub servers: Servers,
    pool: Pool,
    program: Program,
    process: Process,
    table: Table,
    /// From its start to a complete table.
    pub complete: Duration,
    /// Processor time until then.
    pub used: Duration,
    /// Processor time that it had used when it was started: what came before is not its own.
    zero: Duration,
}

impl Site {
    /// Starts `program` on `pool`, every weight 1, and waits for the table.
    pub fn new(program: &Program, pool: Pool) -> Self {
        let lan = Lan::new();
        let director = lan.host("scale", &["10.9.0.1/24"]);
        let scratch = Scratch::new("scale");
        let servers = Servers::serve(&director);
        let table = director.enter(Table::open);
        let (process, gate) = program.prepare(&director, &pool.text(Weights::All(1)), &scratch);
        let zero = cpu(process.pid());
        let begun = Instant::now();
        gate.open();
        let mut site = Self {
            _lan: lan,
            director,
            scratch,
            servers,
            pool,
            program: program.clone(),
            process,
            table,
            complete: Duration::ZERO,
            used: Duration::ZERO,
            zero,
        };
        site.complete = site.wait_table(begun, Weights::All(1));
        site.used = site.cpu();
        site
    }

    /// Processor time since the program's start, its children's included.
    pub fn cpu(&self) -> Duration {
        cpu(self.process.pid()).saturating_sub(self.zero)
    }

    /// What it uses now.
    pub fn usage(&self) -> Usage {
        usage(self.process.pid())
    }

    /// Bytes of its log.
    pub fn log_bytes(&self) -> usize {
        self.process.log().len()
    }

    /// Waits for the table, and says how long it took from `begun`.
    ///
    /// Who looks goes before who works: a program that goes on to its checks would hide that its table is complete.
    fn wait_table(&self, begun: Instant, weights: Weights) -> Duration {
        rustix::process::setpriority_process(None, -20).expect("go before others");
        let seen = self.watch_table(begun, weights);
        rustix::process::setpriority_process(None, 0).expect("go beside others");
        seen
    }

    fn watch_table(&self, begun: Instant, weights: Weights) -> Duration {
        let end = Instant::now() + TABLE;
        while Instant::now() < end && !self.process.has_ended() {
            let before = Instant::now();
            let looks_whole = self.is_sample_installed(weights);
            let (seen, cost) = (begun.elapsed(), before.elapsed());
            if looks_whole {
                if self.pool.is_installed(&self.director, weights) {
                    return seen;
                }
                std::thread::sleep(before.elapsed());
            }
            std::thread::sleep(LOOK.max(cost * LOOK_TIMES));
        }
        let count = Pool::installed(&self.director).len();
        let (name, all) = (self.program.name(), self.pool.len());
        panic!("{name}: {count} of {all} real servers as wished in the table after {:?}", begun.elapsed())
    }

    /// True if the last service is as wished, and some others: whoever goes by the configuration's order has come to
    /// its end then.
    fn is_sample_installed(&self, weights: Weights) -> bool {
        let last = self.pool.services - 1;
        let mut services = (0..SAMPLE).map(|part| last - last / SAMPLE * part);
        services.all(|service| self.pool.is_service_installed(service, &self.table.weights(service), weights))
    }

    /// Waits until it does nothing, and returns the processor time used so far, what was used while watching not
    /// included.
    pub fn calm(&self) -> Duration {
        let end = Instant::now() + secs(300);
        let (mut used, mut quiet) = (self.cpu(), 0);
        let mut done = used;
        while Instant::now() < end {
            std::thread::sleep(WINDOW);
            let now = self.cpu();
            let is_quiet = now.saturating_sub(used) < IDLE && !is_busy(self.process.pid());
            (quiet, done) = if is_quiet { (quiet + 1, done) } else { (0, now) };
            if quiet == WINDOWS {
                return done;
            }
            used = now;
        }
        panic!("{} is never idle", self.program.name())
    }

    /// Puts another configuration where it is read from.
    fn write(&self, weights: Weights) {
        let file = self.program.file(&self.director, &self.scratch);
        let next = file.with_extension("next");
        fs::write(&next, self.pool.text(weights)).expect("write the configuration");
        fs::rename(&next, &file).expect("replace the configuration");
    }

    /// Changes the configuration of an idle program: time until the table is as wished, processor time until all is
    /// done.
    pub fn reload(&self, weights: Weights) -> (Duration, Duration) {
        self.write(weights);
        let (before, begun) = (self.cpu(), Instant::now());
        self.process.signal(Signal::HUP);
        let wall = self.wait_table(begun, weights);
        // One that changes nothing has been read when the processor is idle again: not before it was begun.
        wait::maybe(secs(5), || (self.cpu() > before + IDLE).then_some(()));
        (wall, self.calm().saturating_sub(before))
    }

    /// The last real server gets a check, the only one, and refuses connections `runs` times: from the last refused one
    /// until it is out of the kernel's table, and the processor time from the server's end until then.
    pub fn failures(&mut self, weights: Weights, runs: usize) -> Vec<(Duration, Duration)> {
        let wire = Capture::open(&self.director, "lo");
        let mut server = self.listen();
        self.pool.checks = Checks::Last;
        self.write(weights);
        self.process.signal(Signal::HUP);
        let mut seen = Vec::new();
        for _ in 0..runs {
            let there = wait::maybe(secs(60), || self.has_whole_end().then_some(()));
            assert!(there.is_some(), "{}: the server does not come back", self.program.name());
            wire.clear();
            // The first one waits for the reload.
            let checked = wait::maybe(TABLE, || wire.take().iter().any(begins).then_some(()));
            assert!(checked.is_some(), "{} does not check", self.program.name());
            // That check is over; the next comes a second after it.
            std::thread::sleep(Duration::from_millis(300));
            wire.clear();
            seen.push(self.fail(&wire, server));
            server = self.listen();
        }
        seen
    }

    /// Nobody accepts here: the kernel makes the connections, and those that wait are few.
    fn listen(&self) -> TcpListener {
        let last = (self.pool.last(), LAST_PORT);
        self.director.enter(|| TcpListener::bind(last)).expect("listen")
    }

    fn has_whole_end(&self) -> bool {
        self.table.weights(self.pool.services - 1).len() == usize::from(self.pool.servers)
    }

    fn fail(&self, wire: &Capture, server: TcpListener) -> (Duration, Duration) {
        let before = self.cpu();
        drop(server);
        let end = Instant::now() + secs(60);
        while self.has_whole_end() {
            assert!(Instant::now() < end, "{}: the server stays in the table", self.program.name());
            std::thread::sleep(Duration::from_millis(1));
        }
        let out = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // What follows from it is done; the next check is later.
        std::thread::sleep(Duration::from_millis(200));
        let used = self.cpu().saturating_sub(before);
        let frames = wire.take();
        let refused = frames.iter().rfind(|frame| frame.at <= out && is_refusal(frame));
        let micros = micros_between(refused.expect("a connection that was refused").at, out);
        (Duration::from_micros(u64::try_from(micros).unwrap_or_default()), used)
    }

    /// System calls of the process tree while strace watches, and checks made meanwhile.
    pub fn system_calls(&self) -> Option<(u64, u64)> {
        let file = self.scratch.join("strace");
        let mut command = Command::new("strace");
        command.args(["-c", "-f", "-U", "calls,name", "-o"]).arg(&file);
        let all = tree(self.process.pid());
        for pid in &all {
            command.args(["-p", &pid.to_string()]);
        }
        command.stdout(Stdio::null());
        let mut strace = Process::spawn(command, "strace", &self.scratch.join("strace.log"));
        // What is counted before all are watched would be checks without calls.
        wait::maybe(secs(20), || all.iter().all(|pid| is_traced(*pid)).then_some(()))?;
        let before = self.servers.accepted();
        std::thread::sleep(COUNTED);
        let checks = self.servers.accepted() - before;
        strace.signal(Signal::INT);
        strace.wait_exit(secs(20));
        let text = fs::read_to_string(&file).ok()?;
        let mut rows =
            text.lines().rev().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        // The last row is the total.
        Some((rows.next()?, checks))
    }

    /// Executable and shared libraries, in bytes.
    pub fn mapped_files(&self) -> u64 {
        super::usage::mapped_files(self.process.pid())
    }

    /// Ends it.
    pub fn end(self) {
        let Self { mut process, .. } = self;
        process.stop(secs(300));
    }
}

fn is_traced(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|rest| rest.trim() != "0"))
}

/// Source port, destination port and flags of a TCP segment over IPv4 (RFC 9293 section 3.1).
fn segment(frame: &Frame) -> Option<(u16, u16, u8)> {
    let ip = frame.bytes.get(14..).filter(|_| frame.bytes.get(12..14) == Some(&[8, 0]))?;
    let tcp = ip.get(usize::from(ip.first()? & 0x0f) * 4..).filter(|_| ip.get(9) == Some(&6))?;
    let port = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
    Some((port(0)?, port(2)?, *tcp.get(13)?))
}

/// The first segment of a connection to the last real server: SYN alone.
fn begins(frame: &Frame) -> bool {
    segment(frame).is_some_and(|(_, to, flags)| to == LAST_PORT && flags & 0x12 == 0x02)
}

/// Its answer if nobody listens: RST.
fn is_refusal(frame: &Frame) -> bool {
    segment(frame).is_some_and(|(from, _, flags)| from == LAST_PORT && flags & 0x04 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tcpdump -xx -i lo` of a connection to a port where nobody listens.
    fn frame(ports: [u16; 2], flags: u8) -> Frame {
        let mut bytes = vec![0; 12];
        bytes.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        bytes.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        Frame { at: Duration::from_secs(1), bytes }
    }

    #[test]
    fn a_refused_connection_is_a_syn_and_a_reset() {
        let (syn, reset) = (frame([40_000, LAST_PORT], 0x02), frame([LAST_PORT, 40_000], 0x14));
        assert!(begins(&syn) && !is_refusal(&syn));
        assert!(!begins(&reset) && is_refusal(&reset));
        assert!(!begins(&frame([40_000, 8_080], 0x02)));
        assert!(!is_refusal(&frame([LAST_PORT, 40_000], 0x12)), "it accepts");
    }
}
