//! The laboratory of the soak: the director between two LANs, a client and a rival on one of them, and on the other a
//! farm that plays all real servers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rustix::process::Signal;

use super::texts;
use crate::guest;
use crate::netns::{Host, Lan};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::secure;
use crate::terminal::Terminal;
use crate::wait::{self, secs};

/// Where every real server is.
const FARM: &str = "10.0.2.11";

/// The hosts and what runs on them all the time. The LANs live as long.
#[derive(Debug)]
pub struct Site {
    binary: PathBuf,
    /// Of the clients, of the real servers.
    pub lans: [Lan; 2],
    /// Under test.
    pub director: Host,
    /// Where keepalived comes and goes.
    pub rival: Host,
    /// Where web servers come and go.
    pub farm: Host,
    /// Which the director serves itself.
    pub terminal: Terminal,
    /// Files, gone afterwards.
    pub scratch: Scratch,
    process: Process,
    _secure: Process,
    _hostile: Option<Process>,
    traffic: Traffic,
}

impl Site {
    /// Everything is set up, and the director started; nothing is waited for.
    ///
    /// # Panics
    /// Outside of a guest: clocks are set, and tables emptied.
    pub fn new(binary: &Path) -> Self {
        assert!(guest::is_inside(), "the soak runs in a guest: lab soak BINARY MINUTES");
        let lans = [Lan::new(), Lan::new()];
        let client = lans[0].host("client", &["10.0.1.9/24"]);
        let rival = lans[0].host("rival", &["10.0.1.2/24"]);
        let director = lans[0].host("director", &["10.0.1.1/24"]);
        lans[1].attach(&director, "eth1");
        director.ip("addr add 10.0.2.1/24 dev eth1");
        director.sysctl("net.ipv4.ip_forward", "1");
        let farm = lans[1].host("farm", &[&format!("{FARM}/24")]);
        farm.ip("route add local 10.128.0.0/15 dev lo");
        farm.ip("route add default via 10.0.2.1");
        farm.sysctl("net.core.somaxconn", "4096");
        let scratch = Scratch::new("soak");
        let (_secure, hostile) = (secure::serve(&farm, texts::SECURE, &scratch), hostile(&farm, &scratch));
        let terminal = Terminal::new();
        let file = scratch.write("soak.conf", &texts::text(0));
        let mut command = director.command(binary);
        command.arg("run").arg(file).args(["--console", terminal.path()]);
        let process = Process::spawn(command, "lvsbox", &scratch.join("director.log"));
        let traffic = Traffic::start(client);
        let binary = binary.to_owned();
        Self {
            binary,
            lans,
            director,
            rival,
            farm,
            terminal,
            scratch,
            process,
            _secure,
            _hostile: hostile,
            traffic,
        }
    }

    /// The director's process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Rewrites its file at once, and has it read.
    pub fn configure(&self, text: &str) {
        let next = self.scratch.write("next", text);
        fs::rename(next, self.scratch.join("soak.conf")).expect("replace the configuration");
        self.signal(Signal::HUP);
    }

    /// What it says to a command, whatever its status.
    pub fn ctl(&self, words: &str) -> String {
        let mut command = self.director.command(&self.binary);
        command.arg("ctl").args(words.split_whitespace());
        let output = command.output().expect("start lvsbox ctl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command that goes on.
    pub fn follow(&self, words: &str) -> Process {
        let mut command = self.director.command(&self.binary);
        command.arg("ctl").args(words.split_whitespace());
        Process::spawn(command, words, &self.scratch.join("follower"))
    }

    /// Bytes that it has allocated.
    pub fn heap(&self) -> Option<u64> {
        let text = self.ctl("show memory json");
        let (_, rest) = text.split_once("\"heap_live\":")?;
        rest.trim_start().split(|byte: char| !byte.is_ascii_digit()).next()?.parse().ok()
    }

    /// Rows of the kernel's table, `SERVICE SERVER:PORT` each, those with weight 0 left out, sorted.
    pub fn table(&self) -> Vec<String> {
        let read = || fs::read_to_string("/proc/thread-self/net/ip_vs").unwrap_or_default();
        let text = self.director.enter(read);
        let (mut rows, mut service) = (Vec::new(), String::new());
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["TCP", key, ..] => service = key.split(':').next().map(dotted).unwrap_or_default(),
                ["->", key, _, weight, ..] if *weight != "0" && *weight != "Weight" => {
                    let (address, port) = key.split_once(':').unwrap_or_default();
                    let port = u16::from_str_radix(port, 16).unwrap_or_default();
                    rows.push(format!("{service} {}:{port}", dotted(address)));
                }
                _ => {}
            }
        }
        rows.sort();
        rows
    }

    /// How many addresses the director's host has.
    pub fn addresses(&self) -> usize {
        self.director.ip("-o -4 addr show").lines().count()
    }

    /// What the kernel holds of each kind, the services of servers that break the protocol left out.
    pub fn objects(&self) -> Vec<String> {
        let commands = [
            "ip -o addr show",
            "ip rule show",
            "ip route show table all",
            "nft -s list ruleset",
            "ipvsadm -Sn",
        ];
        let sorted = |text: String| {
            let mut lines: Vec<&str> = text.lines().filter(|line| !line.contains(" 10.0.1.250:81")).collect();
            lines.sort_unstable();
            lines.join("\n")
        };
        commands.map(|words| sorted(self.director.run(words))).into()
    }

    /// What is not as it should be when all servers are well; empty if nothing.
    pub fn misses(&self) -> Vec<String> {
        let (table, expected) = (self.table(), texts::expected());
        let ours: Vec<&String> = table.iter().filter(|row| !row.starts_with("10.0.1.250 ")).collect();
        let mut misses: Vec<String> =
            expected.iter().filter(|row| !ours.contains(row)).map(|row| format!("no {row}")).collect();
        misses.extend(ours.iter().filter(|row| !expected.contains(row)).map(|row| format!("a {row}")));
        let vips: Vec<String> = self.director.addresses("eth0");
        let vips = (0..texts::SERVICES).map(texts::vip).filter(|vip| !vips.contains(&format!("{vip}/24")));
        misses.extend(vips.map(|vip| format!("no address {vip}")));
        let vrrp = self.ctl("show vrrp");
        if vrrp.matches("MASTER on ").count() != 2 {
            misses.push(format!("not MASTER: {vrrp}"));
        }
        misses
    }

    /// Lines of its log about real servers that were lost.
    pub fn lost(&self) -> Vec<String> {
        let log = self.process.log();
        let lost = |line: &&str| line.contains("Removing service ") && !line.contains("10.0.1.250");
        log.lines().filter(lost).map(str::to_owned).collect()
    }

    /// Requests of the client that were answered, and all.
    pub fn requests(&self) -> (u64, u64) {
        (self.traffic.answered.load(Ordering::Relaxed), self.traffic.asked.load(Ordering::Relaxed))
    }

    /// The end of its log.
    pub fn log_end(&self) -> String {
        let log = self.process.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(60)..).unwrap_or_default().join("\n")
    }

    /// Ends everything. What was wrong.
    pub fn end(mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let requests = self.requests();
        self.traffic.stop();
        let log = self.process.log();
        let bad =
            |line: &&str| line.contains("panic") || line.contains("RefCell") || line.contains("overflow");
        wrong.extend(log.lines().filter(bad).map(|line| format!("in the log: {line}")));
        if requests.0 == 0 {
            wrong.push(format!("no request was answered of {}", requests.1));
        }
        if self.process.has_ended() {
            wrong.push("the director has ended".to_owned());
        }
        let status = self.process.stop(secs(30));
        if !status.success() {
            wrong.push(format!("the director ended with {status}"));
        }
        if !self.table().is_empty() {
            wrong.push("services are left".to_owned());
        }
        wrong
    }
}

/// An address as `/proc/net/ip_vs` has it.
fn dotted(hex: &str) -> String {
    u32::from_str_radix(hex, 16)
        .map(|bits| std::net::Ipv4Addr::from_bits(bits).to_string())
        .unwrap_or_default()
}

/// Web servers that break the protocol, if they are found from here.
fn hostile(farm: &Host, scratch: &Scratch) -> Option<Process> {
    let script = Path::new("tests/data/check/hostile.py");
    if !script.exists() {
        return None;
    }
    let mut command = farm.command("python3");
    command.arg(script).arg(texts::HOSTILE.to_string());
    Some(Process::spawn(command, "hostile.py", &scratch.join("hostile.log")))
}

/// One request, of whose answer only the beginning is read: there are servers that never end.
fn is_answered(service: u8) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&(texts::vip(service), 80).into(), secs(1))?;
        stream.set_read_timeout(Some(secs(1)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut bytes = [0; 64];
        let count = stream.read(&mut bytes)?;
        Ok(bytes[..count].starts_with(b"HTTP/1.0 200"))
    };
    ask().unwrap_or(false)
}

/// A client that asks one service after the other.
#[derive(Debug)]
struct Traffic {
    ended: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(client: Host) -> Self {
        let (ended, answered, asked) = (Arc::default(), Arc::default(), Arc::default());
        let shared: (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>) =
            (Arc::clone(&ended), Arc::clone(&answered), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let (ended, answered, asked) = shared;
            for service in (0..texts::SERVICES).cycle() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                asked.fetch_add(1, Ordering::Relaxed);
                answered.fetch_add(u64::from(client.enter(|| is_answered(service))), Ordering::Relaxed);
                wait::maybe(std::time::Duration::from_millis(150), || None::<()>);
            }
        });
        Self { ended, answered, asked, thread: Some(thread) }
    }

    fn stop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}
