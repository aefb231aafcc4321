//! Weights set on the console, without an IPVS: what is said of them, and what TAB knows.

use lab::netns::{Host, Lan};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::terminal::Terminal;
use lab::wait::{self, secs};

use super::console::PROMPT;
use crate::rig::{Make, Service, binary, ctl};

/// A running director with two services of the same two real servers.
struct Site {
    _lan: Lan,
    host: Host,
    scratch: Scratch,
    _director: Process,
}

impl Site {
    fn new(label: &str) -> Self {
        let lan = Lan::new();
        let host = lan.host("op", &["10.9.0.1/24"]);
        let scratch = Scratch::new(label);
        let real = ["10.9.1.1 80", "10.9.1.2 80"];
        let text: String = ["10.9.0.100 80", "10.9.0.101 80"]
            .map(|key| Service::new(key, "wrr", "NAT", &real).to_string())
            .concat();
        let director = Make::Lvsbox.start(&host, &text, &scratch);
        let answers = || host.command(binary()).args(["ctl", "version"]).output().unwrap().status.success();
        wait::until("the control socket", secs(10), || answers().then_some(()));
        Self { _lan: lan, host, scratch, _director: director }
    }

    fn ctl(&self, words: &str) -> String {
        ctl(&self.host, words)
    }

    /// A command that is refused: what it says, and its status.
    fn refused(&self, words: &str) -> (String, Option<i32>) {
        let output = self.host.command(binary()).arg("ctl").args(words.split_whitespace()).output().unwrap();
        let text = [&*output.stdout, &*output.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), output.status.code())
    }
}

#[test]
fn weights_are_set_shown_explained_and_kept() {
    let site = Site::new("weights");
    let told = site.ctl("real 10.9.1.2:80 drain");
    let line = |vip: &str, what: &str| format!("[10.9.1.2]:tcp:80 of VS [{vip}]:tcp:80: {what}\n");
    assert_eq!(
        told,
        line("10.9.0.100", "weight 0, configured 2") + &line("10.9.0.101", "weight 0, configured 2")
    );
    assert_eq!(
        site.ctl("real [10.9.1.2]:tcp:80 weight 9 of 10.9.0.101:80"),
        line("10.9.0.101", "weight 9, configured 2")
    );
    site.ctl("reload");
    let shown = site.ctl("show checks");
    assert!(shown.contains("    override: drained by the console "), "{shown}");
    assert!(shown.contains("    override: weight 9 by the console "), "{shown}");
    assert!(site.ctl("status").contains("real servers alive, 2 overrides"));
    let why = site.ctl("why 10.9.1.2:80");
    assert_eq!(why.matches("real server of VS ").count(), 2, "{why}");
    assert!(why.contains("2 configured, not in the kernel") && why.contains("when there is IPVS"), "{why}");
    assert!(why.contains("of VS [10.9.0.100]:tcp:80 drained by the console (configured 2)"), "{why}");
    let why = site.ctl("why 10.9.0.100:80");
    assert!(why.contains("weight 1") && why.contains("override: drained"), "{why}");
    let json: serde_json::Value = serde_json::from_str(&site.ctl("show checks json")).unwrap();
    let weights = |row: usize| json["services"][row]["destinations"][1]["override"].as_u64();
    assert_eq!((weights(0), weights(1)), (Some(0), Some(9)));
    site.ctl("real 10.9.1.2:80 enable");
    assert!(!site.ctl("status").contains("override"));
    assert_eq!(site.refused("real 10.9.1.2:80 weight 65536").1, Some(2));
    let (text, status) = site.refused("real 10.9.1.9:80 drain");
    assert!(text.contains("no service has a real server 10.9.1.9:80") && status == Some(2), "{text}");
    assert!(site.refused("real 10.9.1.2:80 drain of 10.9.0.9:80").0.contains("there is no service"));
    assert!(site.refused("real web drain").0.contains("web is not a real server such as"));
}

#[test]
fn tab_completes_the_names_of_what_is_configured() {
    let site = Site::new("tab");
    let terminal = Terminal::new();
    let mut command = site.host.command(binary());
    command.arg("console").stdin(terminal.end()).stdout(terminal.end()).stderr(terminal.end());
    let _console = Process::spawn_as_is(command, "lvsbox console", &site.scratch.join("none"));
    terminal.wait_for(&PROMPT, secs(5));
    let expect = |keys: &[u8], needle: &str| {
        terminal.clear();
        terminal.send(keys);
        terminal.wait_for(needle, secs(5))
    };
    expect(b"real 1\t", "real 10.9.1.");
    expect(b"\t", "10.9.1.1:80  10.9.1.2:80\r\n");
    expect(b"2\td\t\t", "real 10.9.1.2:80 drain 10.9.0.10");
    expect(b"1\t\r", "weight 0, configured 2\r\n");
    terminal.wait_for(&PROMPT, secs(5));
    expect(b"why 10.9.0.101\t\r", "override: drained by the console");
}
