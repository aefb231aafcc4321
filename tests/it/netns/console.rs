//! `lvsbox console` on a pseudo-terminal, as somebody meets it who administers a running director.

use std::sync::LazyLock;

use lab::process::Process;
use lab::scratch::Scratch;
use lab::terminal::Terminal;
use lab::wait::{self, secs};
use rustix::process::Signal;

use super::Pair;
use crate::rig::{Instance, Make, binary, ctl, lvsbox_run};

/// The prompt on an empty line.
pub(super) static PROMPT: LazyLock<String> = LazyLock::new(|| prompt("\r", "\x1b[K"));

const MASTER: &str = "(VI_1) Entering MASTER STATE";

/// What is shown with the prompt in it, which has the host's name: this machine's.
fn prompt(before: &str, behind: &str) -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    format!("{before}{:.16}> {behind}", name.trim())
}

/// A running director, and a console at it.
pub(super) struct Desk {
    pub(super) terminal: Terminal,
    console: Process,
    director: Process,
    pub(super) pair: Pair,
    scratch: Scratch,
}

impl Desk {
    pub(super) fn new(label: &str) -> Self {
        let pair = Pair::new();
        let scratch = Scratch::new(label);
        let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
        let director = Make::Lvsbox.start(&pair.first, &text, &scratch);
        director.wait_line(MASTER, secs(8));
        let terminal = Terminal::new();
        let console = Self::open(&pair, &terminal, &scratch);
        terminal.wait_for(&PROMPT, secs(5));
        Self { terminal, console, director, pair, scratch }
    }

    fn open(pair: &Pair, terminal: &Terminal, scratch: &Scratch) -> Process {
        let mut command = pair.first.command(binary());
        command.arg("console").stdin(terminal.end()).stdout(terminal.end()).stderr(terminal.end());
        Process::spawn_as_is(command, "lvsbox console", &scratch.join("none"))
    }

    /// Types, waits for `needle`, and forgets what was shown.
    #[track_caller]
    pub(super) fn expect(&self, keys: &[u8], needle: &str) -> String {
        self.terminal.clear();
        self.terminal.send(keys);
        self.terminal.wait_for(needle, secs(5))
    }

    /// Types a command, turns the pages of its answer, and returns it.
    #[track_caller]
    pub(super) fn ask(&self, line: &str) -> String {
        const MORE: &str = "-- more: space, Enter for a line, q --";
        self.terminal.clear();
        self.terminal.send(format!("{line}\r").as_bytes());
        let mut pages = 0;
        let shown = wait::until(&format!("the answer to {line}"), secs(8), || {
            let shown = self.terminal.shown();
            if shown.matches(MORE).count() > pages {
                pages += 1;
                self.terminal.send(b" ");
            }
            shown.contains(&*PROMPT).then_some(shown)
        });
        let shown = shown.replace(&format!("{MORE}\r\x1b[K"), "");
        shown.replace('\r', "")
    }
}

#[test]
fn editing_history_and_completion_work_at_a_running_director() {
    let mut desk = Desk::new("keys");
    assert!(desk.ask("version").contains("\nlvsbox 0.1.0\n"));
    assert!(desk.expect(b"sttus\x1b[D\x1b[D\x1b[Da\r", "up ").contains("VI_1"), "the cursor moved");
    desk.terminal.wait_for(&PROMPT, secs(5));
    desk.expect(b"\x1b[A", &prompt("", "status"));
    desk.expect(b"\x1b[A", &prompt("", "version"));
    desk.expect(b"\x15sh\tvr\t", &prompt("", "show vrrp "));
    assert!(desk.expect(b"\r", &PROMPT).contains("MASTER on eth0"));
    desk.expect(b"s\t", "status  show  set\r\n");
    desk.expect(b"\x03", "^C\r\n");
    assert!(desk.ask("stauts").contains("did you mean `status`?"));
    assert!(desk.ask("show log").contains(MASTER));
    let why = desk.ask("why VI_1");
    assert!(why.contains("no advert in time") && why.contains(&format!("Z {MASTER}")), "{why}");
    assert!(!desk.terminal.echoes());
    desk.terminal.send(b"\x04");
    assert!(desk.console.wait_exit(secs(5)).success());
    assert!(desk.terminal.echoes(), "the terminal is as it was");
}

#[test]
fn a_change_of_state_appears_above_the_line_being_typed() {
    let desk = Desk::new("change");
    desk.expect(b"show v", "show v");
    desk.terminal.clear();
    desk.pair.first.ip("link set eth0 down");
    let shown = desk.terminal.wait_for(&prompt("", "show v\x1b[K"), secs(8));
    assert!(shown.starts_with("\r\x1b[K"), "{shown:?}");
    assert!(shown.contains("(VI_1) Entering FAULT STATE"), "{shown:?}");
    assert!(shown.contains(&prompt("\r\n\r", "show v\x1b[K")), "{shown:?}");
    let answer = desk.expect(b"rrp\r", &PROMPT);
    assert!(answer.contains("FAULT on eth0"), "the line was whole: {answer}");
}

#[test]
fn show_config_gives_effective_values_with_defaults_as_comments() {
    let desk = Desk::new("config");
    let shown = desk.ask("show config");
    for rows in [
        "vrrp_instance VI_1 {\n",
        "    priority 150\n    # preempt (default)\n",
        "        10.9.0.100/24\n    }\n}\n",
    ] {
        assert!(shown.contains(rows), "{shown}");
    }
}

#[test]
fn log_is_followed_until_a_key_is_pressed() {
    let desk = Desk::new("follow");
    desk.expect(b"log follow\r", "log follow\r\n");
    // The follower is there once its place is counted: a reload is seen by it sooner or later.
    wait::until("a line of the log", secs(8), || {
        ctl(&desk.pair.first, "reload");
        desk.terminal.shown().contains("Reload complete").then_some(())
    });
    desk.expect(b"q", &PROMPT);
    assert!(desk.ask("version").contains("\nlvsbox 0.1.0\n"));
}

#[test]
fn watch_paints_a_command_again_until_a_key_is_pressed() {
    let desk = Desk::new("watch");
    desk.terminal.clear();
    desk.terminal.send(b"watch status\r");
    let pages = || desk.terminal.shown().matches("\x1b[H\x1b[2Jlvsbox 0.1.0 on ").count();
    wait::until("three pages", secs(8), || (pages() >= 3).then_some(()));
    desk.expect(b"q", &PROMPT);
    assert!(desk.ask("watch reload").contains("only `show`, `status` and `why` can be watched"));
    assert!(desk.ask("watch show vrpp").contains("did you mean `vrrp`?"));
    // Without a terminal there is a blank line between two pages, until the client goes.
    let log = desk.scratch.join("watched");
    let mut command = desk.pair.first.command(binary());
    command.args(["ctl", "watch", "1", "show", "vrrp"]);
    let watched = Process::spawn(command, "lvsbox ctl watch", &log);
    wait::until("two pages", secs(8), || {
        (std::fs::read_to_string(&log).unwrap().matches("\n\nVI_1  MASTER on eth0").count() >= 2)
            .then_some(())
    });
    drop(watched);
    assert!(desk.ask("version").contains("\nlvsbox 0.1.0\n"));
}

#[test]
fn a_terminal_of_the_daemon_watches_too() {
    let pair = Pair::new();
    let scratch = Scratch::new("watching");
    let terminal = Terminal::new();
    let mut command = lvsbox_run(&pair.first, &Instance::new(150, &["10.9.0.100/24"]).to_string(), &scratch);
    command.args(["--console", terminal.path()]);
    let director = Process::spawn(command, "lvsbox with a terminal", &scratch.join("log"));
    terminal.wait_for(&PROMPT, secs(8));
    terminal.clear();
    terminal.send(b"watch show memory\r");
    let pages = || terminal.shown().matches("\x1b[H\x1b[2J").count();
    wait::until("three pages", secs(8), || (pages() >= 3).then_some(()));
    terminal.clear();
    terminal.send(b"x");
    terminal.wait_for(&PROMPT, secs(5));
    assert_eq!(director.status("Threads"), 1);
}

#[test]
fn a_stalled_terminal_delays_nobody() {
    let desk = Desk::new("stalled");
    // More than a pseudo-terminal and every buffer on the way hold, and nobody reads.
    let flood = b"show log\rhelp\rshow vrrp json\r".repeat(20);
    let mut sent = 0;
    wait::steady("typing at a terminal that nobody reads", secs(2), || {
        sent += desk.terminal.send_blindly(&flood);
        true
    });
    assert!(sent > 4_096, "{sent}");
    desk.pair.capture.clear();
    desk.pair.capture.wait_advert("an advert", secs(3), |advert| advert.priority == 150);
    wait::steady("adverts go on", secs(4), || true);
    let adverts = desk.pair.capture.adverts();
    let gaps = adverts.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(adverts.len() >= 4 && gaps.max().is_some_and(|gap| gap < secs(2)), "{adverts:?}");
    assert!(ctl(&desk.pair.first, "status").contains("MASTER"), "others are served");
    assert_eq!(desk.director.status("Threads"), 1);
    // It reads again: everything is as it was.
    desk.terminal.send(b"\x03");
    wait::until("a prompt", secs(20), || desk.terminal.shown().ends_with(&*PROMPT).then_some(()));
    assert!(desk.ask("version").contains("\nlvsbox 0.1.0\n"));
}

#[test]
fn a_mebibyte_of_junk_leaves_a_console_that_works() {
    let desk = Desk::new("junk");
    let mut state = 1_u64;
    let mut junk = vec![0; 1 << 20];
    for byte in &mut junk {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = state.to_be_bytes()[0];
        // The end of input would leave, as it should.
        if *byte == 4 {
            *byte = 5;
        }
    }
    desk.terminal.send(&junk);
    desk.terminal.send(b"~\r\x03\x15");
    let shown = desk.expect(b"version\r", "\r\nlvsbox 0.1.0\r\n");
    let fine = |byte: &u8| *byte >= b' ' || [b'\r', b'\n', 0x1b].contains(byte);
    assert!(shown.as_bytes().iter().all(fine));
    assert!(!desk.console.has_ended() && !desk.director.has_ended());
}

#[test]
fn the_terminal_is_restored_by_a_signal_and_the_daemon_may_go_and_come() {
    let mut desk = Desk::new("signal");
    assert!(!desk.terminal.echoes());
    desk.terminal.clear();
    assert!(desk.director.stop(secs(8)).success());
    desk.terminal.wait_for("the daemon is gone", secs(5));
    assert!(desk.ask("status").contains("is lvsbox running"));
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    desk.director = Make::Lvsbox.start(&desk.pair.first, &text, &desk.scratch);
    desk.director.wait_line(MASTER, secs(8));
    assert!(desk.ask("status").contains("VI_1"));
    desk.console.signal(Signal::TERM);
    desk.console.wait_exit(secs(5));
    assert!(desk.terminal.echoes());
}

#[test]
fn the_daemon_serves_a_terminal_itself_and_a_stalled_one_delays_no_advert() {
    let pair = Pair::new();
    let scratch = Scratch::new("served");
    let terminal = Terminal::new();
    let text = Instance::new(150, &["10.9.0.100/24"]).to_string();
    let mut command = lvsbox_run(&pair.first, &text, &scratch);
    command.args(["--console", terminal.path()]);
    let director = Process::spawn(command, "lvsbox with a terminal", &scratch.join("log"));
    // It starts, which appears above the empty line.
    terminal.wait_for(&prompt("(VI_1) Entering MASTER STATE\r\n\r", "\x1b[K"), secs(8));
    terminal.clear();
    terminal.send(b"sh vr\t\r");
    terminal.wait_for("MASTER on eth0", secs(5));
    terminal.send(b"reload\r");
    terminal.wait_for("in force", secs(5));
    // Nobody reads any more.
    let flood = b"show log\rhelp\rshow vrrp json\r".repeat(20);
    wait::steady("typing at a terminal that nobody reads", secs(2), || {
        terminal.send_blindly(&flood);
        true
    });
    pair.capture.clear();
    wait::steady("adverts go on", secs(4), || true);
    let adverts = pair.capture.adverts();
    let gaps = adverts.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(adverts.len() >= 3 && gaps.max().is_some_and(|gap| gap < secs(2)), "{adverts:?}");
    // It is read again.
    terminal.send(b"\x03");
    wait::until("a prompt", secs(20), || terminal.shown().ends_with(&*PROMPT).then_some(()));
    terminal.clear();
    terminal.send(b"version\r");
    terminal.wait_for("\r\nlvsbox 0.1.0\r\n", secs(5));
    assert_eq!(director.status("Threads"), 1);
}
