//! Checks over TLS are in what `check --memory` says, with servers that hold as many sessions open as there can be, and
//! files of certificates that are as large as they may be.

use std::fs;
use std::path::Path;

use lab::process::Process;
use lab::wait::{self, secs};

use super::checks::Site;
use super::memory::{Said, number, said};
use crate::rig::{Make, Service, configuration, ctl};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");
/// Sessions there are at most.
const SESSIONS: usize = lvsbox::limits::MAX_TLS_SESSIONS;

/// A file that repeats one of the tests' `times`.
fn repeated(site: &Site, from: &str, times: usize) -> std::path::PathBuf {
    let text = fs::read_to_string(Path::new(DATA).join(from)).unwrap();
    site.scratch.write(&format!("{times}.{from}"), &text.repeat(times))
}

fn stall(site: &Site, chain: usize) -> Process {
    let mut command = site.server.command("python3");
    command.arg(format!("{DATA}/stall.py")).args(["10.9.0.2", "443"]);
    command.arg(repeated(site, "server.pem", chain)).arg(format!("{DATA}/server.key"));
    let server = Process::spawn(command, "stall.py", &site.scratch.join("stall.log"));
    wait::until("port 443", secs(20), || {
        site.server.enter(|| std::net::TcpStream::connect(("10.9.0.2", 443)).ok()).map(drop)
    });
    server
}

/// So many checks of one server, none of which ends before a minute.
fn checks(count: usize) -> String {
    let check = |n: usize| {
        let block = format!("SSL_GET {{\n connect_timeout 60\n retry 0\n url {{\n path /{n}\n }}\n}}");
        let key = format!("10.9.1.{} {}", n % 200 + 1, n / 200 + 80);
        Service::new(&key, "rr", "NAT", &["10.9.0.2 443"]).line("delay_loop 3600").check(&block).to_string()
    };
    (0..count).map(check).collect()
}

/// Starts and reloads it, and compares while servers stall: the figures while it runs.
fn compare(count: usize, chain: usize, ssl: impl Fn(&Site) -> String) -> (u64, u64) {
    let site = Site::new("tls-need");
    let server = stall(&site, chain);
    let text = ssl(&site) + &checks(count);
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    let Said { program, running, need } = said(&configuration(&site.director, &site.scratch));
    let held = count.min(SESSIONS);
    let (mut most, mut resident) = (0, 0);
    for round in [1, 2] {
        wait::until(&format!("{held} sessions, {round}"), secs(60), || {
            (server.count("held") >= round * held).then_some(())
        });
        let json = ctl(&site.director, "show memory json");
        most = most.max(number(&json, "heap_live"));
        resident = resident.max(director.status("VmRSS") << 10);
        if round == 1 {
            ctl(&site.director, "reload");
        }
    }
    let peak = number(&ctl(&site.director, "show memory json"), "heap_peak");
    let highest = director.status("VmHWM") << 10;
    println!(
        "{count} checks: heap {most} of {}, peak {peak} of {}; resident {resident} of {running}, peak {highest} of {need}",
        running - program,
        need - program
    );
    assert!(resident <= running && highest <= need, "{count} checks: {resident}, {highest}");
    assert!(most <= running - program, "{count} checks: {most} of {}", running - program);
    assert!(peak <= need - program, "{count} checks: at most {peak} of {}", need - program);
    (most, running - program)
}

#[test]
fn sessions_that_servers_hold_open_are_in_what_is_said() {
    let plain = |_: &Site| String::new();
    let one = compare(1, 60, plain);
    let some = compare(64, 60, plain);
    let many = compare(512, 60, plain);
    println!("{one:?} {some:?} {many:?}");
    // They were there: each holds a record of full length at least.
    assert!(some.0 > one.0 + 31 * (16 << 10) / 2, "{one:?} {some:?}");
}

#[test]
fn certificates_that_are_trusted_and_our_own_are_in_what_is_said() {
    let large = compare(64, 2, |site| {
        let ca = repeated(site, "ca.pem", 1_000);
        let own = repeated(site, "server.pem", 150);
        let (ca, own) = (ca.display(), own.display());
        format!("SSL {{\n ca {ca}\n certificate {own}\n key {DATA}/server.key\n}}\n")
    });
    assert!(large.0 > 1_000_000, "{large:?}");
}

#[test]
fn what_was_made_of_the_files_of_ssl_is_gone_after_a_reload_without_them() {
    let site = Site::new("tls-gone");
    let server = stall(&site, 2);
    let ca = repeated(&site, "ca.pem", 1_000);
    let text = format!("SSL {{\n ca {}\n}}\n{}", ca.display(), checks(1));
    let _director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    wait::until("a session", secs(60), || (server.count("held") > 0).then_some(()));
    let live = || number(&ctl(&site.director, "show memory json"), "heap_live");
    let before = live();
    fs::write(configuration(&site.director, &site.scratch), "").unwrap();
    ctl(&site.director, "reload");
    wait::until("less memory", secs(20), || (live() + 500_000 < before).then_some(()));
}
