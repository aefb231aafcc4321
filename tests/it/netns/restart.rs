//! A restart without an outage (`--keep-vips`): the address is there all the time, and nobody else becomes MASTER.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{FIRST, Pair, SECOND};
use crate::rig::{Instance, Make, lvsbox_run};

const VIP: &str = "10.9.0.100";
const MASTER: &str = "(VI_1) Entering MASTER STATE";
const BACKUP: &str = "(VI_1) Entering BACKUP STATE";

fn keeping(pair: &Pair, text: &str, scratch: &Scratch) -> Process {
    let mut command = lvsbox_run(&pair.first, text, scratch);
    command.arg("--keep-vips");
    Process::spawn(command, "lvsbox --keep-vips", &scratch.join("keep.log"))
}

fn text(priority: u8) -> String {
    Instance::new(priority, &["10.9.0.100/24"]).to_string()
}

/// Addresses of IPv4 in a namespace as the kernel lists them (`/proc/net/fib_trie`), which costs no process.
fn holds(trie: &str) -> bool {
    let lines: Vec<&str> = trie.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| pair[0].ends_with(VIP) && pair[1].contains("host LOCAL"))
}

#[test]
fn a_restart_with_keep_vips_is_no_outage() {
    let pair = Pair::new();
    let (scratch, other) = (Scratch::new("restart"), Scratch::new("restart-other"));
    let mut director = keeping(&pair, &text(150), &scratch);
    director.wait_line(MASTER, secs(8));
    wait::until("the address", secs(2), || pair.first.has_address("eth0", VIP).then_some(()));
    let peer = Make::Keepalived.start(&pair.second, &text(100), &other);
    peer.wait_line(BACKUP, secs(5));
    pair.capture.clear();
    pair.capture.wait_advert("an advert", secs(3), |advert| advert.source == FIRST);

    let (over, missing) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pair.first.enter(|| {
                while !over.load(Ordering::Relaxed) {
                    let trie = fs::read_to_string("/proc/thread-self/net/fib_trie").unwrap();
                    missing.fetch_or(!holds(&trie), Ordering::Relaxed);
                }
            });
        });
        assert!(director.stop(secs(10)).success());
        assert_eq!(director.count("sent 0 priority"), 0);
        let again = Scratch::new("restart-again");
        let director = keeping(&pair, &text(150), &again);
        director.wait_line(MASTER, secs(3));
        // Long enough for a peer that was about to take over.
        let so_far = pair.capture.adverts().iter().filter(|advert| advert.source == FIRST).count();
        wait::until("five adverts more", secs(8), || {
            let sent = pair.capture.adverts();
            (sent.iter().filter(|advert| advert.source == FIRST).count() >= so_far + 5).then_some(())
        });
        over.store(true, Ordering::Relaxed);
        assert_eq!(director.count("removing VIPs"), 0);
    });
    assert!(!missing.load(Ordering::Relaxed), "the address was missing for a while");
    let adverts = pair.capture.adverts();
    assert_eq!(adverts.iter().filter(|advert| advert.source == SECOND).count(), 0, "nobody took over");
    assert!(adverts.iter().all(|advert| advert.priority != 0), "no farewell");
    assert_eq!(peer.count(MASTER), 0);
    let gaps = adverts.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(gaps.max().unwrap() < Duration::from_secs(3), "adverts go on within the master-down time");
}

/// It was away for too long: another one is MASTER, and what was left is not ours to hold.
#[test]
fn addresses_that_were_left_go_if_another_master_is_heard() {
    let pair = Pair::new();
    let (scratch, other) = (Scratch::new("late"), Scratch::new("late-other"));
    let peer = Make::Keepalived.start(&pair.second, &text(150), &other);
    peer.wait_line(MASTER, secs(8));
    pair.first.ip(&format!("addr add {VIP}/24 dev eth0"));
    let director = keeping(&pair, &text(100), &scratch);
    director.wait_line("(VI_1) VIPs are still here", secs(5));
    director.wait_line("(VI_1) removing VIPs", secs(3));
    wait::until("the address to go", secs(2), || (!pair.first.has_address("eth0", VIP)).then_some(()));
    assert_eq!(director.count(MASTER), 0);
}

/// Nobody asked for it: what is found is a crash's, and goes before the election.
#[test]
fn without_keep_vips_what_is_left_goes_at_once() {
    let pair = Pair::new();
    let scratch = Scratch::new("leftover");
    pair.first.ip(&format!("addr add {VIP}/24 dev eth0"));
    let director = Make::Lvsbox.start(&pair.first, &text(100), &scratch);
    wait::until("the address to go", secs(3), || (!pair.first.has_address("eth0", VIP)).then_some(()));
    assert_eq!(director.count(MASTER), 0);
}
