//! The real program again and again: reloads, commands over the control socket and at a terminal, links that go and
//! come, a better router that does. Afterwards heap, descriptors and the kernel are what they were. The same with more
//! of everything in virtual time is `tests/it/soak.rs`.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use lab::netns::Host;
use lab::process::Process;
use lab::scratch::Scratch;
use lab::terminal::Terminal;
use lab::wait::{self, secs};
use lvsbox::kernel::unix::{Connection, Mode};
use lvsbox::task::control::{END, MAX_MESSAGE};

use super::Pair;
use super::console::PROMPT;
use crate::rig::{Make, lvsbox_run};

/// Of each kind: in the warm-up, and then.
const RELOADS: [usize; 2] = [8, 300];
const COMMANDS: [usize; 2] = [200, 3_000];
const TYPED: [usize; 2] = [20, 200];
const LINKS: [usize; 2] = [2, 20];
const RIVALS: [usize; 2] = [1, 5];
/// The allocator's figure may differ by one block of the executor's.
const BLOCK: u64 = 512;

/// What the namespaces of the host do not have: every view of IPVS says so. What takes seconds by itself is left out.
const LINES: &[&str] = &[
    "status",
    "status json",
    "show vrrp",
    "show vrrp json",
    "show ipvs",
    "show ipvs stats json",
    "show checks",
    "show checks json",
    "show config",
    "show interfaces",
    "show interfaces json",
    "show arp",
    "show routes",
    "show firewall",
    "show memory",
    "show loop",
    "show boot",
    "show log",
    "show log json",
    "why VI_1",
    "why 10.9.0.100",
    "why 10.9.1.1:80",
    "why \u{1b}[2J",
    "real 10.9.0.1:8001 drain",
    "real 10.9.0.1:8001 weight 7",
    "real 10.9.0.1:8001 enable",
    "set track load 3",
    "set track load 0",
    "alarm clear",
    "complete why ",
    "help",
    "help show json",
    "version",
    "zero ipvs",
    "reboot",
    "watch reload",
    "nonsense of a sort",
    "",
];

/// One of three configurations; the first is that at rest.
fn text(turn: usize) -> String {
    let mut text = String::from("vrrp_track_file load {\n file /dev/null\n}\n");
    let _ = writeln!(text, "static_routes {{\n 10.77.{turn}.0/24 via 10.9.0.9 dev eth0\n}}");
    let _ = writeln!(text, "firewall {{\n mark {} to 10.9.0.100 tcp 80\n}}", 7 + turn);
    let _ = writeln!(
        text,
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n priority 100\n \
         advert_int 0.1\n track_file {{\n  load weight 1\n }}\n virtual_ipaddress {{"
    );
    for address in 0..4 + turn * 3 {
        let _ = writeln!(text, "  10.9.0.{}/24", 100 + address);
    }
    text.push_str(" }\n virtual_rules {\n  from 10.66.0.0/24 table 6 preference 200\n }\n}\n");
    for service in (0..10).filter(|service| turn == 0 || service % 3 != turn) {
        let _ = writeln!(
            text,
            "virtual_server 10.9.0.100 {} {{\n delay_loop 1\n lb_kind NAT\n protocol TCP",
            80 + service
        );
        for port in 8_001..8_006 {
            let _ = writeln!(
                text,
                " real_server 10.9.0.1 {port} {{\n  weight {}\n  TCP_CHECK {{\n  }}\n }}",
                1 + turn
            );
        }
        text.push_str("}\n");
    }
    text
}

/// What must be as it was.
#[derive(Debug, PartialEq, Eq)]
struct Census {
    heap: u64,
    descriptors: usize,
    objects: Vec<String>,
}

struct Soak {
    pair: Pair,
    scratch: Scratch,
    director: Process,
    terminal: Terminal,
    turn: usize,
    _server: [TcpListener; 2],
}

/// A command over the control socket: its status and what was said.
fn ask(host: &Host, lines: &[&str]) -> Vec<(u8, String)> {
    let converse = |line: &str| {
        let connection = Connection::open("lvsbox", Mode::Blocking).unwrap();
        connection.send(line.as_bytes()).unwrap();
        let (mut message, mut said) = ([0; MAX_MESSAGE], String::new());
        loop {
            let length = connection.receive(&mut message).unwrap();
            match &message[..length] {
                [END, status] => return (*status, said),
                [_, text @ ..] => said.push_str(&String::from_utf8_lossy(text)),
                [] => panic!("{line}: no end behind {said}"),
            }
        }
    };
    host.enter(|| lines.iter().map(|line| converse(line)).collect())
}

impl Soak {
    fn new() -> Self {
        let (pair, scratch, terminal) = (Pair::new(), Scratch::new("soak"), Terminal::new());
        // Of five real servers three refuse.
        let server = [8_001, 8_002]
            .map(|port| pair.first.enter(|| TcpListener::bind(("0.0.0.0", port))).expect("listen"));
        let mut command = lvsbox_run(&pair.first, &text(0), &scratch);
        command.args(["--console", terminal.path()]);
        let director = Process::spawn(command, "lvsbox", &scratch.join("log"));
        director.wait_line("(VI_1) Entering MASTER STATE", secs(10));
        Self { pair, scratch, director, terminal, turn: 0, _server: server }
    }

    fn configure(&self, text: &str) {
        fs::write(crate::rig::configuration(&self.pair.first, &self.scratch), text).unwrap();
    }

    /// Reloads, every fifth of which is refused.
    fn reload(&mut self, times: usize) {
        for _ in 0..times {
            self.turn += 1;
            let refused = self.turn.is_multiple_of(5);
            let text = text(self.turn % 3) + if refused { "nonsense 1\n" } else { "" };
            self.configure(&text);
            let answers = ask(&self.pair.first, &["reload"]);
            assert_eq!(answers[0].0, u8::from(refused), "{}", answers[0].1);
        }
    }

    fn command(&self, times: usize) {
        let lines: Vec<&str> = LINES.iter().copied().cycle().take(times).collect();
        let answers = ask(&self.pair.first, &lines);
        let good = answers.iter().filter(|(status, _)| *status == 0).count();
        assert!(answers.len() == times && good * 2 > times, "{good} of {times}");
    }

    /// At the terminal that the director serves itself: whole lines, half ones, pages, something that never ends.
    fn type_in(&self, times: usize) {
        let keys = [
            "status\r",
            "show vrrp\r",
            "sh\tche\t\r",
            "why VI\t\r",
            "nonsense\r",
            "log follow\r",
            "show conf",
        ];
        for (number, keys) in keys.iter().cycle().take(times).enumerate() {
            self.terminal.clear();
            self.terminal.send(keys.as_bytes());
            // What ends a command is no end of one that is still to begin.
            if keys.ends_with('\r') {
                self.terminal.wait_for("\r\n", secs(10));
            }
            if number.is_multiple_of(3) {
                self.terminal.send(b"  ");
            }
            self.terminal.send(b"\x03\x15version\r");
            self.terminal.wait_for("\r\nlvsbox 0.1.0\r\n", secs(10));
            self.terminal.wait_for(&PROMPT, secs(10));
        }
    }

    fn wait_vips(&self, there: bool) {
        let has = || self.pair.first.has_address("eth0", "10.9.0.100");
        wait::until("the addresses to come or go", secs(10), || (has() == there).then_some(()));
    }

    fn flap(&self, links: usize, rivals: usize) {
        for _ in 0..links {
            self.pair.lan.cut(&self.pair.first);
            self.wait_vips(false);
            self.pair.lan.join(&self.pair.first);
            self.wait_vips(true);
        }
        let better = text(0).replace("priority 100", "priority 200");
        let instance = &better[better.find("vrrp_instance").unwrap()..better.find(" virtual_rules").unwrap()];
        let better = instance.replace(" track_file {\n  load weight 1\n }\n", "") + "}\n";
        for _ in 0..rivals {
            let mut rival = Make::Lvsbox.start(&self.pair.second, &better, &self.scratch);
            self.wait_vips(false);
            rival.crash();
            self.wait_vips(true);
            for address in 0..4 {
                self.pair.second.ip(&format!("addr del 10.9.0.{}/24 dev eth0", 100 + address));
            }
        }
    }

    fn story(&mut self, phase: usize) {
        self.command(COMMANDS[phase] / 2);
        self.reload(RELOADS[phase]);
        self.configure(&text(0));
        ask(&self.pair.first, &["reload"]);
        self.flap(LINKS[phase], RIVALS[phase]);
        self.command(COMMANDS[phase] / 2);
        self.type_in(TYPED[phase]);
    }

    fn objects(&self) -> Vec<String> {
        let commands = ["ip -o addr show", "ip rule show", "ip route show table all", "nft -s list ruleset"];
        let sorted = |text: String| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            lines.join("\n")
        };
        commands.map(|words| sorted(self.pair.first.run(words))).into()
    }

    /// The first configuration, and nothing that somebody set; what there is then, of some looks the least.
    fn rest(&self) -> Census {
        self.configure(&text(0));
        // The second one takes nothing over from another configuration.
        let lines = ["real 10.9.0.1:8001 enable", "set track load 0", "alarm clear", "reload", "reload"];
        let answers = ask(&self.pair.first, &lines);
        assert!(answers.iter().all(|(status, _)| *status == 0), "{answers:?}");
        self.wait_vips(true);
        let (mut heap, mut descriptors) = (u64::MAX, usize::MAX);
        wait::maybe(secs(3), || {
            self.terminal.clear();
            let said = ask(&self.pair.first, &["show memory json"]).remove(0).1;
            let json: serde_json::Value = serde_json::from_str(&said).unwrap();
            heap = heap.min(json["heap_live"].as_u64().unwrap());
            let folder = fs::read_dir(format!("/proc/{}/fd", self.director.pid())).unwrap();
            descriptors = descriptors.min(folder.count());
            wait::maybe(Duration::from_millis(20), || None::<()>)
        });
        let mut objects = self.objects();
        // What is being added or looked at is there soon.
        wait::until("the kernel to be at rest", secs(10), || {
            let before = core::mem::replace(&mut objects, self.objects());
            wait::maybe(Duration::from_millis(300), || None::<()>);
            (before == objects).then_some(())
        });
        Census { heap, descriptors, objects }
    }
}

#[test]
fn reloads_commands_and_flaps_leave_heap_descriptors_and_kernel_as_they_were() {
    let mut soak = Soak::new();
    soak.story(0);
    let before = soak.rest();
    soak.story(1);
    let after = soak.rest();
    let log = soak.director.log();
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert!(count("Reload complete") >= RELOADS[1] * 4 / 5, "{}", count("Reload complete"));
    assert!(count("(VI_1) Entering MASTER STATE") > LINKS[1] + RIVALS[1]);
    assert_eq!(count("panicked"), 0);
    assert_eq!(after.objects, before.objects);
    assert_eq!(after.descriptors, before.descriptors);
    let heaps = (before.heap, after.heap);
    assert!(heaps.1.abs_diff(heaps.0) <= BLOCK, "bytes before and after: {heaps:?}");
    assert!(soak.director.stop(secs(10)).success());
}
