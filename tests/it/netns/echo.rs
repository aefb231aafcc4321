//! `ping` and `arping` at a running director: who answers is seen, who does not is told, and adverts are not late.

use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdout, Stdio};

use lab::frames::{Frame, checksum};
use lab::netns::Namespace;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::terminal::Terminal;
use lab::wait::{self, secs};

use super::console::{Desk, PROMPT};
use super::{FIRST, Pair, SECOND};
use crate::rig::{Instance, Make, binary, lvsbox_run};

const VIP: &str = "10.9.0.100";
/// An address on the LAN that nobody has.
const NOBODY: &str = "10.9.0.77";

/// A running director, MASTER of [`VIP`].
fn director(pair: &Pair, scratch: &Scratch) -> Process {
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let director = Make::Lvsbox.start(&pair.first, &text, scratch);
    director.wait_line("(VI_1) Entering MASTER STATE", secs(8));
    director
}

/// `lvsbox ctl WORDS`: its status and what it printed.
fn ask(namespace: &Namespace, words: &str) -> (i32, String) {
    let mut command = namespace.command(binary());
    let output = command.arg("ctl").args(words.split_whitespace()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// `lvsbox ctl ping` of [`NOBODY`], which has told about its first request; the rest of what it prints.
#[track_caller]
fn ping_nobody(namespace: &Namespace) -> (Child, BufReader<ChildStdout>) {
    let mut command = namespace.command(binary());
    let mut child = command.args(["ctl", "ping", NOBODY]).stdout(Stdio::piped()).spawn().unwrap();
    let (mut output, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "no answer: 1\n");
    (child, output)
}

fn mac(namespace: &Namespace) -> String {
    let listing = namespace.ip("-o link show eth0");
    listing.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
}

/// The echo requests that somebody sent to `target`.
fn requests(pair: &Pair, target: Ipv4Addr) -> usize {
    let is_request = |frame: &Frame| {
        let bytes = &frame.bytes;
        bytes.get(12..14) == Some(&[8, 0])
            && bytes.get(23) == Some(&1)
            && bytes.get(30..34) == Some(&target.octets())
            && bytes.get(34) == Some(&8)
    };
    pair.capture.frames().iter().filter(|frame| is_request(frame)).count()
}

/// Every `line` is `head`, the request's number, and a time.
fn assert_answers(text: &str, head: &str) {
    let answers: Vec<&str> = text.lines().filter(|line| line.starts_with(head)).collect();
    assert_eq!(answers.len(), 5, "{text}");
    for (number, line) in (1..).zip(answers) {
        let time =
            line.strip_prefix(&format!("{head}: {number} in ")).and_then(|rest| rest.strip_suffix(" ms"));
        let time: f64 = time.and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        assert!(time > 0.0 && time < 1_000.0, "{line}");
    }
}

#[test]
fn ping_is_answered_over_both_families() {
    let pair = Pair::new();
    let scratch = Scratch::new("ping");
    let _director = director(&pair, &scratch);
    pair.first.ip("addr add fd00::1/64 dev eth0 nodad");
    pair.second.ip("addr add fd00::2/64 dev eth0 nodad");
    for target in ["10.9.0.2", "fd00::2"] {
        let (status, text) = ask(&pair.first, &format!("ping {target}"));
        assert_eq!(status, 0, "{text}");
        assert_answers(&text, &format!("answer from {target}"));
        let last = text.lines().last().unwrap();
        let times = last.strip_prefix("5 sent, 5 answered, ").and_then(|rest| rest.strip_suffix(" ms"));
        let times: Vec<f64> = times.unwrap().split('/').map(|time| time.parse().unwrap()).collect();
        assert!(times.len() == 3 && times.is_sorted(), "{last}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }
    assert_eq!(requests(&pair, SECOND), 5);
}

#[test]
fn what_is_not_answered_is_told_and_only_one_may_ask() {
    let pair = Pair::new();
    let scratch = Scratch::new("unanswered");
    let _director = director(&pair, &scratch);
    let (mut first, mut output) = ping_nobody(&pair.first);
    let refused = (1, "another ping is running\n".to_owned());
    assert_eq!(ask(&pair.first, "ping 127.0.0.1"), refused);
    assert_eq!(ask(&pair.first, "arping 10.9.0.2"), refused);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1));
    assert!(text.starts_with("no answer: 2\n"), "{text}");
    assert!(text.ends_with("\n5 sent, 0 answered\n"), "{text}");
    // The kernel gave up asking for the hardware address, and says so.
    assert!(text.contains("10.9.0.1 says: host unreachable (1)\n"), "{text}");
    let silence = "no answer: 1\nno answer: 2\nno answer: 3\n3 sent, 0 answered\n".to_owned();
    assert_eq!(ask(&pair.first, &format!("arping {NOBODY}")), (1, silence));
}

#[test]
fn a_router_that_refuses_is_quoted() {
    let pair = Pair::new();
    let scratch = Scratch::new("refused");
    let _director = director(&pair, &scratch);
    pair.second.sysctl("net.ipv4.ip_forward", "1");
    // One error a second by default, and the first ones at once.
    pair.second.sysctl("net.ipv4.icmp_ratelimit", "0");
    pair.second.ip("route add prohibit 198.51.100.0/24");
    pair.first.ip("route add 198.51.100.0/24 via 10.9.0.2");
    let (status, text) = ask(&pair.first, "ping 198.51.100.7");
    let mut expected = String::new();
    for number in 1..=5 {
        expected += &format!("10.9.0.2 says: prohibited by a filter ({number})\n");
    }
    assert_eq!((status, text), (1, expected + "5 sent, 0 answered\n"));
}

#[test]
fn mistakes_are_one_line() {
    let pair = Pair::new();
    let scratch = Scratch::new("mistakes");
    let _director = director(&pair, &scratch);
    for (words, status, text) in [
        ("ping foo", 2, "`foo` is no IP address"),
        ("arping 10.9.0", 2, "`10.9.0` is no IP address"),
        ("arping fd00::2", 2, "ARP is for IPv4: ping it, then `show arp`"),
        ("arping 203.0.113.9", 1, "no interface is on the network of 203.0.113.9"),
        ("arping 127.0.0.1", 1, "no interface is on the network of 127.0.0.1"),
        ("ping 203.0.113.9", 1, "send: network unreachable"),
        ("ping 2001:db8::1", 1, "send: network unreachable"),
    ] {
        assert_eq!(ask(&pair.first, words), (status, format!("{text}\n")), "{words}");
    }
}

#[test]
fn a_key_ends_a_ping_and_no_more_requests_leave() {
    let desk = Desk::new("ping-key");
    for key in [b"q", b"\x03"] {
        desk.pair.capture.clear();
        desk.expect(b"ping 10.9.0.2\r", "answer from 10.9.0.2: 1 in ");
        let shown = desk.expect(key, &PROMPT);
        assert!(!shown.contains("sent"), "{shown}");
        let sent = requests(&desk.pair, SECOND);
        assert!((1..5).contains(&sent), "{sent}");
        wait::steady("no request leaves", secs(2), || requests(&desk.pair, SECOND) == sent);
    }
    desk.expect(b"arping 10.9.0.2\r", "10.9.0.2 is at ");
    desk.expect(b"q", &PROMPT);
    assert!(desk.ask("version").contains("\nlvsbox 0.1.0\n"));
    // Whoever goes away ends it, too.
    let (mut gone, _) = ping_nobody(&desk.pair.first);
    gone.kill().unwrap();
    gone.wait().unwrap();
    let (mut next, _) = ping_nobody(&desk.pair.first);
    next.kill().unwrap();
    next.wait().unwrap();
}

#[test]
fn arping_shows_the_owner_and_a_second_one() {
    let pair = Pair::new();
    let scratch = Scratch::new("arping");
    let _director = director(&pair, &scratch);
    let (second, observer) = (mac(&pair.second), mac(&pair.observer));
    let (status, text) = ask(&pair.first, "arping 10.9.0.2");
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in (1..=3).zip(&lines) {
        assert!(line.starts_with(&format!("10.9.0.2 is at {second}: {number} in ")), "{text}");
    }
    assert_eq!((status, &lines[3..]), (0, &["3 sent, 3 answered by 1 host"][..]));

    pair.second.ip("addr add 10.9.0.50/24 dev eth0");
    pair.observer.ip("addr add 10.9.0.50/24 dev eth0");
    let (status, text) = ask(&pair.first, "arping 10.9.0.50");
    for owner in [&second, &observer] {
        assert_eq!(text.matches(&format!("10.9.0.50 is at {owner}: ")).count(), 3, "{text}");
    }
    assert_eq!(status, 0);
    assert!(text.ends_with("\n3 sent, 3 answered by 2 hosts: the address has two owners\n"), "{text}");
    let asked = |frame: &Frame| {
        frame.bytes.get(20..22) == Some(&[0, 1]) && frame.bytes.get(38..42) == Some(&[10, 9, 0, 50])
    };
    for frame in pair.capture.frames().iter().filter(|frame| asked(frame)) {
        assert_eq!(frame.bytes[28..32], FIRST.octets(), "never from a virtual address");
    }
}

#[test]
fn arping_of_our_own_address_finds_who_has_it_too() {
    let pair = Pair::new();
    let scratch = Scratch::new("arping-own");
    let _director = director(&pair, &scratch);
    let ours = format!("{VIP} is ours, at {}\n", mac(&pair.first));
    let (status, text) = ask(&pair.first, &format!("arping {VIP}"));
    assert_eq!(status, 1);
    assert!(text.starts_with(&ours) && text.ends_with("\n3 sent, 0 answered\n"), "{text}");
    pair.observer.ip(&format!("addr add {VIP}/24 dev eth0"));
    let (status, text) = ask(&pair.first, &format!("arping {VIP}"));
    assert_eq!(status, 0);
    assert!(text.starts_with(&ours), "{text}");
    assert!(text.contains(&format!("{VIP} is at {}: 1 in ", mac(&pair.observer))), "{text}");
    assert!(text.ends_with("\n3 sent, 3 answered by 1 host: the address has two owners\n"), "{text}");
}

/// An echo reply that nobody asked for.
fn stray_reply(director: &Namespace) -> Vec<u8> {
    let mut frame = Vec::new();
    for part in mac(director).split(':') {
        frame.push(u8::from_str_radix(part, 16).unwrap());
    }
    frame.extend([2, 0, 0, 0, 0, 9, 8, 0]);
    let mut header = vec![0x45, 0, 0, 36, 0, 0, 0, 0, 64, 1, 0, 0];
    header.extend(SECOND.octets());
    header.extend(FIRST.octets());
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    frame.extend(header);
    let mut icmp = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let sum = checksum(&icmp).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    frame.extend(icmp);
    frame
}

#[test]
fn a_ping_under_a_flood_of_strange_replies_delays_no_advert() {
    let desk = Desk::new("ping-flood");
    let stray = stray_reply(&desk.pair.first);
    desk.pair.capture.clear();
    desk.terminal.clear();
    desk.terminal.send(b"ping 10.9.0.77\r");
    desk.terminal.wait_for("ping 10.9.0.77\r\n", secs(3));
    let mut adverts = Vec::new();
    wait::until("the end of the ping", secs(15), || {
        for _ in 0..100 {
            desk.pair.capture.send(&stray);
        }
        adverts = desk.pair.capture.adverts();
        desk.terminal.shown().contains("5 sent, 0 answered").then_some(())
    });
    assert!(!desk.terminal.shown().contains("answer from"), "{}", desk.terminal.shown());
    let gaps: Vec<_> = adverts.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    let late = gaps.iter().max().unwrap();
    assert!(adverts.len() >= 4 && *late < std::time::Duration::from_millis(1_250), "{gaps:?}");
}

/// A terminal that hangs up takes its ping with it, although the terminal never comes back.
#[test]
fn a_ping_of_a_terminal_that_hung_up_is_in_nobodys_way() {
    let pair = Pair::new();
    let scratch = Scratch::new("hung-up");
    let terminal = Terminal::new();
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let mut command = lvsbox_run(&pair.first, &text, &scratch);
    command.args(["--console", terminal.path()]);
    let _director = Process::spawn(command, "lvsbox with a terminal", &scratch.join("log"));
    terminal.wait_for("Entering MASTER STATE", secs(8));
    terminal.send(format!("ping {NOBODY}\r").as_bytes());
    terminal.wait_for("no answer: 1", secs(5));
    assert!(ask(&pair.first, "ping 127.0.0.1").1.contains("another ping is running"));
    drop(terminal);
    // Long before that ping would be over.
    wait::until("a ping of somebody else's", secs(2), || {
        (!ask(&pair.first, "ping 127.0.0.1").1.contains("another ping is running")).then_some(())
    });
}
