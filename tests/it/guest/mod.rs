//! Level 3a: the laboratory inside a guest whose kernel has IPVS.
//!
//! The tests under [`inside`] are ignored on the host. Each test here boots one guest, which runs this very binary
//! on one group of them; what they say is printed, and one that fails fails its group.

mod inside;

use std::time::Duration;

use lab::guest::Guest;
use lab::wait::secs;

/// Runs the tests of `group` in `guest`, `threads` at a time.
#[track_caller]
fn run(group: &str, guest: Guest, threads: u32, within: Duration) {
    let program = std::env::current_exe().unwrap();
    let filter = format!("guest::inside::{group}::");
    let threads = format!("--test-threads={threads}");
    let binary = std::path::absolute(crate::rig::binary()).unwrap();
    let guest = guest.env("LVSBOX_BIN", binary.to_str().unwrap()).env("RUST_BACKTRACE", "0");
    // For work on one of them: `LAB_INSIDE=nat cargo test --test it guest::traffic`.
    let filter = std::env::var("LAB_INSIDE").map_or(filter.clone(), |name| format!("{filter}{name}"));
    let outcome =
        guest.run(&[program.to_str().unwrap(), "--ignored", "--show-output", &filter, &threads], within);
    for line in outcome.output.lines() {
        println!("{group}: {line}");
    }
    let summary = outcome.output.lines().rev().find(|line| line.starts_with("test result: "));
    let summary = summary.unwrap_or_else(|| panic!("the tests of {group} did not end:\n{}", outcome.output));
    assert!(!summary.starts_with("test result: ok. 0 passed"), "no test is called {filter}*");
    assert_eq!(outcome.status, 0, "in the guest: {summary}");
}

#[test]
fn tables() {
    run("tables", Guest::new(), 2, secs(240));
}

#[test]
fn views() {
    run("views", Guest::new(), 4, secs(400));
}

#[test]
fn traffic() {
    run("traffic", Guest::new(), 4, secs(300));
}

#[test]
fn proofs() {
    run("proofs", Guest::new(), 4, secs(300));
}

#[test]
fn checks() {
    run("checks", Guest::new(), 4, secs(300));
}

#[test]
fn daemon() {
    run("daemon", Guest::new(), 4, secs(300));
}

#[test]
fn pools() {
    run("pools", Guest::new(), 4, secs(400));
}

/// One configuration for all cases, so one test: it has a guest to itself.
#[test]
fn quorum() {
    run("quorum", Guest::new(), 2, secs(600));
}

#[test]
fn operate() {
    run("operate", Guest::new(), 2, secs(300));
}

#[test]
fn via() {
    run("via", Guest::new(), 2, secs(400));
}

#[test]
fn firewall() {
    run("firewall", Guest::new(), 4, secs(300));
}

#[test]
fn kernel_without_masquerading() {
    run("parts", Guest::new().without("nft_masq"), 1, secs(120));
}

/// The buffers of sockets are a setting of the whole kernel, so these have a guest to themselves.
#[test]
fn buffers() {
    run("buffers", Guest::new(), 1, secs(240));
}

/// So is the table of neighbours.
#[test]
fn neighbours() {
    run("neighbours", Guest::new(), 1, secs(240));
}

/// And others, in which the same holds for several.
#[test]
fn limits() {
    run("limits", Guest::new(), 1, secs(400));
}

#[test]
fn kernel_without_ipvs() {
    run("bare", Guest::new().without("ip_vs"), 1, secs(120));
}
