//! Every checker against a server that is none of ours, as an operator sees it: `show checks` and the log.

use std::path::Path;

use lab::netns::{Host, Lan};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use rustix::process::Signal;

use crate::rig::{Make, Service, binary};

const SERVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/check/servers.py");
const TIMES: &str = "connect_timeout 1\n retry 0\n";

fn serve(host: &Host, scratch: &Scratch, kind: &str, port: u16) -> Process {
    assert!(Path::new(SERVERS).exists());
    let mut command = host.command("python3");
    command.args([SERVERS, kind, "10.9.0.2", &port.to_string()]);
    Process::spawn(command, kind, &scratch.join(&format!("{kind}.{port}.log")))
}

/// The line of the check of this port; empty while the director does not answer yet.
fn row(director: &Host, server: &str) -> String {
    let output = director.command(binary()).args(["ctl", "show", "checks"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    shown.lines().find(|line| line.contains(server)).unwrap_or_default().to_owned()
}

#[track_caller]
fn wait_row(director: &Host, server: &str, words: &[&str]) {
    wait::until(&format!("{server}: {words:?}"), secs(15), || {
        let row = row(director, server);
        words.iter().all(|word| row.contains(word)).then_some(())
    });
}

fn service(key: &str, server: &str, check: &str) -> String {
    Service::new(key, "rr", "NAT", &[server]).line("delay_loop 0.5").check(check).to_string()
}

/// A director and a host for servers on one LAN, and a folder.
pub(super) struct Site {
    _lan: Lan,
    pub(super) director: Host,
    pub(super) server: Host,
    pub(super) scratch: Scratch,
}

impl Site {
    pub(super) fn new(label: &str) -> Self {
        let lan = Lan::new();
        let director = lan.host("dir", &["10.9.0.1/24"]);
        let server = lan.host("srv", &["10.9.0.2/24"]);
        Self { _lan: lan, director, server, scratch: Scratch::new(label) }
    }
}

#[test]
fn every_checker_follows_a_real_server_down_and_up() {
    let site = Site::new("checkers");
    let cases = [
        ("smtp", 25, "SMTP_CHECK", "helo_name lb1", "reply 421", "Remote SMTP server"),
        ("banner", 110, "SEND_EXPECT", "expect \"+OK\"", "not as expected", "SEND_EXPECT on service"),
        ("dns", 53, "DNS_CHECK", "name example.org\n type A", "response code 2", "DNS_CHECK on service"),
        (
            "echo",
            7,
            "UDP_CHECK",
            "payload 01 02 03\n require_reply 01 xx 03",
            "not as expected",
            "UDP connection to",
        ),
    ];
    let mut text = String::new();
    let servers: Vec<Process> =
        cases.iter().map(|case| serve(&site.server, &site.scratch, case.0, case.1)).collect();
    for (_, port, word, lines, _, _) in cases {
        let check = format!("{word} {{\n {TIMES} {lines}\n}}");
        text += &service(&format!("10.9.1.1 {port}"), &format!("10.9.0.2 {port}"), &check);
    }
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    for ((_, port, word, _, failure, success), server) in cases.iter().zip(&servers) {
        let name = format!("[10.9.0.2]:tcp:{port}");
        wait_row(&site.director, &name, &[" up ", "answered"]);
        server.signal(Signal::USR1);
        wait_row(&site.director, &name, &["DOWN", failure]);
        director.wait_line(&format!("{word} on service {name} failed. ({failure})"), secs(2));
        server.signal(Signal::USR2);
        wait_row(&site.director, &name, &[" up ", "answered"]);
        director.wait_line(&format!("{success} {name} succe"), secs(2));
    }
    drop(servers);
    for (_, port, ..) in cases {
        wait_row(&site.director, &format!("[10.9.0.2]:tcp:{port}"), &["DOWN", "connection refused"]);
    }
}

#[test]
fn a_silent_udp_service_is_up_until_its_port_closes_and_a_host_is_up_while_it_answers_pings() {
    let site = Site::new("udp");
    let mute = serve(&site.server, &site.scratch, "mute", 514);
    let text = service("10.9.1.1 514", "10.9.0.2 514", &format!("UDP_CHECK {{\n {TIMES}\n}}"))
        + &service("10.9.1.1 9", "10.9.0.2 9", &format!("PING_CHECK {{\n {TIMES}\n}}"));
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    wait_row(&site.director, "[10.9.0.2]:tcp:514", &[" up ", "no error"]);
    wait_row(&site.director, "[10.9.0.2]:tcp:9", &[" up ", "answered"]);
    drop(mute);
    wait_row(&site.director, "[10.9.0.2]:tcp:514", &["DOWN", "connection refused"]);
    site.server.sysctl("net.ipv4.icmp_echo_ignore_all", "1");
    wait_row(&site.director, "[10.9.0.2]:tcp:9", &["DOWN", "no whole reply in time"]);
    director.wait_line("PING_CHECK on service [10.9.0.2]:tcp:9 failed.", secs(2));
    site.server.sysctl("net.ipv4.icmp_echo_ignore_all", "0");
    director.wait_line("ICMP connection to [10.9.0.2]:tcp:9 success.", secs(5));
}

#[test]
fn bind_if_and_fwmark_are_those_of_the_packets() {
    let site = Site::new("bound");
    let _banner = serve(&site.server, &site.scratch, "banner", 110);
    let check = |lines: &str| format!("TCP_CHECK {{\n {TIMES} {lines}\n}}");
    let text = service("10.9.1.1 110", "10.9.0.2 110", &check("bind_if eth0"))
        + &service("10.9.1.1 111", "10.9.0.2 111", &check("connect_port 110\n bind_if lo"))
        + &service("10.9.1.1 112", "10.9.0.2 112", &check("connect_port 110\n fwmark 7"));
    // Only marked packets find no way.
    site.director.ip("rule add fwmark 7 unreachable");
    let _director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    wait_row(&site.director, "[10.9.0.2]:tcp:110", &[" up ", "connected"]);
    wait_row(&site.director, "[10.9.0.2]:tcp:111", &["DOWN"]);
    wait_row(&site.director, "[10.9.0.2]:tcp:112", &["DOWN", "unreachable"]);
    site.director.ip("rule del fwmark 7 unreachable");
    wait_row(&site.director, "[10.9.0.2]:tcp:112", &[" up ", "connected"]);
}

/// What `lvsbox digest` prints is what `digest` takes.
#[test]
fn a_digest_of_the_command_passes_the_check_until_the_page_changes() {
    let site = Site::new("digest");
    let pages = site.scratch.join("pages");
    std::fs::create_dir_all(&pages).unwrap();
    std::fs::write(pages.join("index.html"), "hello world").unwrap();
    let mut command = site.server.command("python3");
    command.args(["-m", "http.server", "80", "--bind", "10.9.0.2", "--directory"]).arg(&pages);
    let _web = Process::spawn(command, "web server", &site.scratch.join("web.log"));
    let digest = wait::until("a digest", secs(10), || {
        let mut command = site.director.command(binary());
        let output = command.args(["digest", "10.9.0.2:80", "/index.html"]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    });
    // `printf 'hello world' | md5sum`
    assert_eq!(digest, "5eb63bbbe01eeed093cb22bb8f5acdc3\n");
    let check = format!("HTTP_GET {{\n {TIMES} url {{\n path /index.html\n digest {digest} }}\n}}");
    let text = service("10.9.1.1 80", "10.9.0.2 80", &check);
    let _director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    wait_row(&site.director, "[10.9.0.2]:tcp:80", &[" up ", "status 200"]);
    std::fs::write(pages.join("index.html"), "defaced").unwrap();
    wait_row(&site.director, "[10.9.0.2]:tcp:80", &["DOWN", "another digest"]);
}
