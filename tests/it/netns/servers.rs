//! Hostile and odd servers, and troubles of our own: for each a verdict and a reason on the console.

use lab::netns::Host;
use lab::process::Process;
use lab::wait::{self, secs};
use rustix::process::Signal;

use super::checks::Site;
use crate::rig::{Make, Service, binary};

const HOSTILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/check/hostile.py");
const LATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/check/late.py");
const SERVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/check/servers.py");

impl Site {
    fn python(&self, host: &Host, words: &[&str]) -> Process {
        let mut command = host.command("python3");
        command.args(words);
        Process::spawn(
            command,
            words[0],
            &self.scratch.join(&format!("python.{}.log", words.join("_").len())),
        )
    }

    /// The same when it listens on `port`: what is refused before is a verdict, too.
    fn serve(&self, host: &Host, words: &[&str], port: u16) -> Process {
        let server = self.python(host, words);
        let listens = || host.run("ss -Hltn").contains(&format!(":{port} ")).then_some(());
        wait::until("a server that listens", secs(10), listens);
        server
    }

    fn run(&self, text: &str) -> Process {
        Make::Lvsbox.start(&self.director, text, &self.scratch)
    }

    /// What a command shows; nothing while the director does not answer yet.
    fn shown(&self, words: &str) -> String {
        let mut command = self.director.command(binary());
        let output = command.arg("ctl").args(words.split(' ')).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the lines about a server hold these words.
    #[track_caller]
    fn wait_row(&self, server: &str, words: &[&str]) {
        let mut last = String::new();
        let found = wait::maybe(secs(20), || {
            let shown = self.shown("show checks");
            let mut lines = shown.lines().skip_while(|line| !line.contains(server));
            last = lines.next().unwrap_or_default().to_owned();
            // What it said stands below it.
            last += lines.next().filter(|line| line.starts_with("    ")).unwrap_or_default();
            words.iter().all(|word| last.contains(word)).then_some(())
        });
        assert!(found.is_some(), "{server}: {words:?} in {last}");
    }

    #[track_caller]
    fn wait_status(&self, words: &str) {
        wait::until(words, secs(20), || self.shown("status").contains(words).then_some(()));
    }
}

fn service(key: &str, server: &str, check: &str) -> String {
    Service::new(key, "rr", "NAT", &[server]).line("delay_loop 0.5").check(check).to_string()
}

fn get(lines: &str) -> String {
    format!("HTTP_GET {{\n connect_timeout 1\n retry 0\n {lines}\n}}")
}

/// What [`HOSTILE`] does, port by port from 8001, what the url demands, and what the console says.
const CASES: &[(&str, &str, &[&str])] = &[
    ("a reset at once", "", &["DOWN", "connection reset"]),
    ("a reset behind the request", "", &["DOWN", "broken: connection reset"]),
    ("a reset within the body", "", &["DOWN", "broken: connection reset", "it said: HTTP/1.1 200 OK\\r\\n"]),
    ("a reset behind the reply", "", &[" up ", "status 200"]),
    ("a reply, then a half-close", "regex ^hello$", &[" up ", "status 200"]),
    ("a half-close at once", "", &["DOWN", "closed too early"]),
    (
        "a half-close within the head",
        "",
        &["DOWN", "closed too early", "it said: HTTP/1.1 200 OK\\r\\nServer: x"],
    ),
    ("a byte at a time", "regex ^hello$", &[" up ", "status 200"]),
    ("a byte at a time, for ever", "regex x", &["DOWN", "no whole reply in time"]),
    ("an endless body", "", &[" up ", "status 200"]),
    ("an endless head", "", &["DOWN", "the reply is too long"]),
    ("endless interim replies", "", &["DOWN", "the reply is too long"]),
    ("chunks", "regex ^hello$\n digest 5d41402abc4b2a76b9719d911017c592", &[" up ", "status 200"]),
    ("chunks that are none", "", &["DOWN", "not understood"]),
    ("fewer bytes than were announced", "", &[" up ", "status 200"]),
    ("more bytes than were announced", "regex ^hello$", &[" up ", "status 200"]),
    ("interim replies first", "regex ^hello$", &[" up ", "status 200"]),
    ("HTTP/0.9", "", &["DOWN", "not understood", "it said: <html>hello</html>"]),
    ("line feeds alone", "regex ^hello$", &[" up ", "status 200"]),
    ("a folded header", "regex ^hello$", &[" up ", "status 200"]),
    ("chunks and a length", "regex ^hello$", &[" up ", "status 200"]),
    ("bytes of all kinds", "", &["DOWN", "not understood"]),
    ("silence", "", &["DOWN", "no whole reply in time"]),
    ("another status", "", &["DOWN", "status 503", "it said: HTTP/1.1 503 Service Unavailable"]),
    ("another page", "regex \"is up\"", &["DOWN", "regex does not match", "it said: .[2Jdatabase is down"]),
];

#[test]
fn every_misbehaviour_has_its_verdict_and_its_reason() {
    let site = Site::new("hostile-servers");
    let _servers = site.serve(&site.server, &[HOSTILE, "10.9.0.2"], 8_025);
    let mut text = String::new();
    for (row, (_, url, _)) in CASES.iter().enumerate() {
        let port = 8_001 + row;
        let check = get(&format!("http_protocol 1.1\n url {{\n path /\n {url}\n }}"));
        text += &service(&format!("10.9.1.1 {port}"), &format!("10.9.0.2 {port}"), &check);
    }
    let director = site.run(&text);
    for (row, (what, _, words)) in CASES.iter().enumerate() {
        let server = format!("[10.9.0.2]:tcp:{}", 8_001 + row);
        println!("{what}");
        site.wait_row(&server, words);
    }
    // The same under `why`, and one bad server is no other's.
    let why = site.shown("why [10.9.0.2]:tcp:8024");
    assert!(why.contains("it said: HTTP/1.1 503") && why.contains("status 503"), "{why}");
    assert!(!director.has_ended());
}

#[test]
fn icmp_errors_end_a_check_at_once_and_a_black_hole_at_its_timeout() {
    let site = Site::new("icmp-errors");
    site.director.ip("route add 10.9.2.0/24 via 10.9.0.2");
    site.server.sysctl("net.ipv4.ip_forward", "1");
    site.server.sysctl("net.ipv4.icmp_ratelimit", "0");
    for (kind, last) in [("unreachable", 1), ("prohibit", 2), ("blackhole", 3)] {
        site.server.ip(&format!("route add {kind} 10.9.2.{last}"));
    }
    let mut text = String::new();
    for last in 1..=3 {
        let tcp = "TCP_CHECK {\n connect_timeout 2\n retry 0\n}";
        text += &service(&format!("10.9.1.1 8{last}"), &format!("10.9.2.{last} 8{last}"), tcp);
        let udp = "UDP_CHECK {\n connect_timeout 2\n retry 0\n require_reply\n}";
        text += &service(&format!("10.9.1.1 5{last}"), &format!("10.9.2.{last} 5{last}"), udp);
    }
    text += &service("10.9.1.1 90", "10.9.0.2 90", "TCP_CHECK {\n retry 0\n}");
    let _director = site.run(&text);
    for last in [1, 2] {
        site.wait_row(&format!("[10.9.2.{last}]:tcp:8{last}"), &["DOWN", "no route to host"]);
        site.wait_row(&format!("[10.9.2.{last}]:tcp:5{last}"), &["DOWN", "no route to host"]);
    }
    site.wait_row("[10.9.2.3]:tcp:83", &["DOWN", "no connection in time"]);
    site.wait_row("[10.9.2.3]:tcp:53", &["DOWN", "no whole reply in time"]);
    site.wait_row("[10.9.0.2]:tcp:90", &["DOWN", "connection refused"]);
    // With our own interface down nothing is reached, and that is said of the servers as keepalived says it.
    site.director.ip("link set eth0 down");
    site.wait_row("[10.9.0.2]:tcp:90", &["DOWN", "network unreachable"]);
}

/// An answer that comes when its check is over belongs to nobody, also where the next check has the same ports.
#[test]
fn a_late_answer_to_an_earlier_check_never_counts_for_a_later_one() {
    let site = Site::new("late-answers");
    // Nobody else is that address: the server's kernel would answer in time.
    let late = site.python(&site.server, &[LATE, "eth0", "10.9.0.7"]);
    late.wait_line("listens", secs(20));
    let check = |lines: &str| format!("TCP_CHECK {{\n connect_timeout 1\n retry 0\n {lines}\n}}");
    let text = service("10.9.1.1 110", "10.9.0.7 110", &check(""))
        + &service("10.9.1.1 111", "10.9.0.7 111", &check("connect_port 110\n bind_port 40000"));
    let director = site.run(&text);
    for server in ["[10.9.0.7]:tcp:110", "[10.9.0.7]:tcp:111"] {
        site.wait_row(server, &["DOWN", "no connection in time"]);
    }
    late.wait_lines("answered late", 6, secs(20));
    assert_eq!(director.count("success"), 0);
    late.signal(Signal::USR1);
    late.wait_line("prompt", secs(10));
    for server in ["[10.9.0.7]:tcp:110", "[10.9.0.7]:tcp:111"] {
        site.wait_row(server, &[" up ", "connected"]);
    }
}

#[test]
fn descriptors_that_run_out_are_our_fault_said_once_and_no_verdict() {
    let site = Site::new("descriptors");
    let _banner = site.serve(&site.server, &[SERVERS, "banner", "10.9.0.2", "110"], 110);
    let mut text = String::new();
    for port in 1..=4 {
        let check = "TCP_CHECK {\n connect_port 110\n connect_timeout 1\n retry 0\n}";
        text += &service(&format!("10.9.1.1 {port}"), &format!("10.9.0.2 {port}"), check);
    }
    let director = site.run(&text);
    site.wait_row("[10.9.0.2]:tcp:4", &[" up ", "connected"]);
    // `ctl` needs no descriptor of a director that does not accept: the log tells meanwhile.
    let limit = |soft: &str| {
        let mut command = std::process::Command::new("prlimit");
        command.args(["--pid", &director.pid().to_string(), &format!("--nofile={soft}:")]);
        assert!(command.status().unwrap().success());
    };
    limit("4");
    director.wait_line("not made: too many open files on this side", secs(5));
    limit("1024");
    director.wait_line("Every check can be made again", secs(5));
    site.wait_row("[10.9.0.2]:tcp:4", &[" up ", "connected"]);
    assert_eq!(director.count("not made: too many open files"), 1);
    assert_eq!(director.count("failed"), 0, "it was no verdict");
}

#[test]
fn ports_that_run_out_are_our_fault_an_alarm_and_no_verdict() {
    let site = Site::new("ports");
    let _banner = site.serve(&site.server, &[SERVERS, "banner", "10.9.0.2", "110"], 110);
    let check = "TCP_CHECK {\n connect_timeout 1\n retry 0\n}";
    let director = site.run(&service("10.9.1.1 110", "10.9.0.2 110", check));
    site.wait_row("[10.9.0.2]:tcp:110", &[" up ", "connected"]);
    site.director.sysctl("net.ipv4.ip_local_port_range", "40000 40001");
    let held = [
        site.python(&site.director, &["-m", "http.server", "40000"]),
        site.python(&site.director, &["-m", "http.server", "40001"]),
    ];
    site.wait_status("1 check not made: address not available");
    site.wait_row("[10.9.0.2]:tcp:110", &[" up ", "not made"]);
    drop(held);
    site.wait_row("[10.9.0.2]:tcp:110", &[" up ", "connected"]);
    assert!(!site.shown("status").contains("not made"));
    assert_eq!(director.count("failed"), 0, "it was no verdict");
}
