//! Quorum, hysteresis, weights, `alpha`, `inhibit_on_failure` and sorry servers: one configuration with a service for
//! each case goes through keepalived and through lvsbox at the same time, in two namespaces that see the same real
//! servers fail and return. After every step the tables of both must be what the case says.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fs, thread};

use lab::netns::{Host, Lan};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::secs;
use rustix::process::Signal;

use super::saved;
use crate::rig::{Make, configuration};

mod cases;
use cases::{CASES, Case};

const WEB: &str = "10.9.0.1";
/// The real servers by name. Those from `S` on are sorry servers, and `Z` never listens.
const SERVERS: [(char, u16); 9] = [
    ('A', 801),
    ('B', 802),
    ('C', 803),
    ('D', 811),
    ('E', 812),
    ('F', 813),
    ('S', 901),
    ('T', 902),
    ('Z', 999),
];

/// Which servers listen, step by step. `*`: both read the second configuration, `!`: the first one again, in the middle
/// of failures. Of A to C, and of D to F, only some fail or only some return in one step: with hysteresis it would
/// matter which check comes first.
const STEPS: [&str; 15] = [
    "ABCF", "BC", "CD", "DE", "BDEF", "AB", "ABCDEF", "BE", "BE*", "BCDE", "", "ABCDEF", "CF", "CF!",
    "ABCDEF",
];

/// How long a state must last to be the one that a step leads to: two checks of every server.
const SETTLED: Duration = Duration::from_millis(2_500);

/// A port that accepts connections and says nothing.
struct Port {
    listener: Arc<TcpListener>,
    thread: Option<JoinHandle<()>>,
}

impl Port {
    fn open(host: &Host, port: u16) -> Self {
        let listener = Arc::new(host.enter(|| TcpListener::bind((WEB, port))).unwrap());
        let accepting = Arc::clone(&listener);
        let thread = thread::spawn(move || while accepting.accept().is_ok() {});
        Self { listener, thread: Some(thread) }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // accept(2) fails with EINVAL then.
        rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn place(server: &str) -> String {
    let port = SERVERS.iter().find(|(name, _)| server.starts_with(*name)).unwrap().1;
    format!("{WEB} {port}")
}

/// The service of a case. `SORRY X` in its lines stands for `sorry_server` and the place of X.
fn service(number: usize, lines: &str, servers: &[&str]) -> String {
    let mut text = format!("virtual_server 10.9.1.1 {} {{\n", 1_000 + number);
    text += " lb_algo wrr\n lb_kind NAT\n protocol TCP\n delay_loop 1\n";
    for line in lines.split(';').map(str::trim) {
        match line.strip_prefix("SORRY ") {
            Some(name) => text += &format!(" sorry_server {}\n", place(name)),
            None => text += &format!(" {line}\n"),
        }
    }
    for server in servers {
        let (name, options) = server.split_at(1);
        let options = options.replace(',', "\n  ");
        let check = if options.contains("unchecked") {
            ""
        } else {
            "TCP_CHECK {\n   connect_timeout 1\n   retry 0\n   delay_before_retry 1\n  }"
        };
        let options = options.replace("unchecked", "");
        text += &format!(" real_server {} {{\n  {options}\n  {check}\n }}\n", place(name));
    }
    text + "}\n"
}

fn configuration_text(reloaded: bool) -> String {
    let of = |(number, case): (usize, &Case)| match case.reload {
        Some((lines, servers)) if reloaded => service(number, lines, servers),
        _ => service(number, case.lines, case.servers),
    };
    CASES.iter().enumerate().map(of).collect()
}

/// What the table holds for each case, such as `A1 S0`, and the lines of the services themselves.
fn states(director: &Host) -> (BTreeMap<usize, String>, Vec<String>) {
    let mut states: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut services = Vec::new();
    for line in saved(director) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let case = usize::from(number(words[2])) - 1_000;
        let servers = states.entry(case).or_default();
        if words[0] == "-A" {
            services.push(line);
            continue;
        }
        let port = number(words[4]);
        // A method that cannot change the port leaves the service's own.
        let name = SERVERS.iter().find(|(_, known)| *known == port).map_or('P', |(name, _)| *name);
        let method = if words[5] == "-m" { "" } else { words[5] };
        servers.push(format!("{name}{}{method}", words[7]));
    }
    let joined = states.into_iter().map(|(case, mut servers)| {
        servers.sort();
        (case, if servers.is_empty() { "-".to_owned() } else { servers.join("+") })
    });
    (joined.collect(), services)
}

struct Pair {
    web: Host,
    /// keepalived's and ours.
    hosts: [Host; 2],
    directors: [Process; 2],
    scratch: Scratch,
    _lan: Lan,
}

impl Pair {
    fn start(lan: Lan, web: Host) -> Self {
        let scratch = Scratch::new("quorum");
        let hosts = [lan.host("theirs", &["10.9.0.2/24"]), lan.host("ours", &["10.9.0.3/24"])];
        let text = configuration_text(false);
        let makes = [Make::Keepalived, Make::Lvsbox];
        let directors = [0, 1].map(|side| makes[side].start(&hosts[side], &text, &scratch));
        Self { web, hosts, directors, scratch, _lan: lan }
    }

    fn reload(&self, second: bool) {
        for (host, director) in self.hosts.iter().zip(&self.directors) {
            fs::write(configuration(host, &self.scratch), configuration_text(second)).unwrap();
            director.signal(Signal::HUP);
        }
    }

    /// Waits until both tables have been as expected for long enough; what differs after the deadline.
    fn settle(&self, step: usize) -> Vec<String> {
        let deadline = Instant::now() + secs(40);
        let mut since = Instant::now();
        let mut before = [BTreeMap::new(), BTreeMap::new()];
        loop {
            let (theirs, their_services) = states(&self.hosts[0]);
            let (ours, our_services) = states(&self.hosts[1]);
            let mut wrong: Vec<String> = CASES
                .iter()
                .enumerate()
                .flat_map(|(number, case)| {
                    let seen = [&theirs, &ours].map(|all| all.get(&number).map_or("none", String::as_str));
                    case.judge(step, seen)
                })
                .collect();
            if their_services != our_services {
                wrong.push(format!("the services differ: {their_services:#?} {our_services:#?}"));
            }
            let now = [theirs, ours];
            if now != before {
                (since, before) = (Instant::now(), now);
            }
            if (wrong.is_empty() && since.elapsed() >= SETTLED) || Instant::now() > deadline {
                return wrong;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Case {
    /// What is wrong with what keepalived and lvsbox have.
    fn judge(&self, step: usize, [theirs, ours]: [&str; 2]) -> Vec<String> {
        let at = |list: &str| list.split_whitespace().nth(step).unwrap_or("?").to_owned();
        let expected = at(self.theirs);
        let wished = if self.ours.is_empty() { expected.clone() } else { at(self.ours) };
        let mut wrong = Vec::new();
        for (make, seen, expected) in [("keepalived", theirs, expected), ("lvsbox", ours, wished)] {
            if expected.split('|').all(|one| one != seen) {
                wrong.push(format!("{} ({make}): step {step}: {seen}, expected {expected}", self.what));
            }
        }
        wrong
    }
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn every_case_ends_as_with_keepalived_or_as_the_list_of_differences_says() {
    for case in CASES {
        assert!(case.ours.is_empty() || case.ours != case.theirs, "{}: nothing differs any more", case.what);
        assert_eq!(case.ours.is_empty(), case.because.is_empty(), "{}", case.what);
    }
    let lan = Lan::new();
    let web = lan.host("web", &["10.9.0.1/24"]);
    let mut open: BTreeMap<char, Port> = BTreeMap::new();
    let listen = |open: &mut BTreeMap<char, Port>, web: &Host, names: &str| {
        open.retain(|name, _| names.contains(*name));
        for (name, port) in SERVERS.iter().filter(|(name, _)| names.contains(*name)) {
            open.entry(*name).or_insert_with(|| Port::open(web, *port));
        }
    };
    listen(&mut open, &web, STEPS[0]);
    let pair = Pair::start(lan, web);
    let mut wrong = Vec::new();
    let mut seen: Vec<[Vec<String>; 2]> = CASES.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    for (step, names) in STEPS.iter().enumerate() {
        listen(&mut open, &pair.web, names);
        if names.ends_with(['*', '!']) {
            pair.reload(names.ends_with('*'));
        }
        wrong.extend(pair.settle(step));
        let found = [states(&pair.hosts[0]).0, states(&pair.hosts[1]).0];
        for (number, lists) in seen.iter_mut().enumerate() {
            for (list, found) in lists.iter_mut().zip(&found) {
                list.push(found.get(&number).cloned().unwrap_or_else(|| "none".into()));
            }
        }
        println!("step {step} {names}: {} wrong so far", wrong.len());
    }
    for (case, [theirs, ours]) in CASES.iter().zip(&seen) {
        let (theirs, ours) = (theirs.join(" "), ours.join(" "));
        println!(
            "{}: {theirs:?}{}",
            case.what,
            if ours == theirs { String::new() } else { format!(" OURS {ours:?}") }
        );
    }
    let logs = if wrong.is_empty() { String::new() } else { pair.directors[1].log() };
    assert!(wrong.is_empty(), "{wrong:#?}\n{logs}");
}
