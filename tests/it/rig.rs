//! What levels 2 and 3a share: a director of either make on a host of the laboratory, and configurations as text.
//!
//! Scenarios take the make as an argument. Run with keepalived in every role they prove the laboratory; with lvsbox
//! in one role and keepalived in the other they are the test.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lab::netns::Namespace;
use lab::process::Process;
use lab::scratch::Scratch;

/// Whose program a director runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    Keepalived,
    Lvsbox,
}

impl Make {
    /// Starts it in `namespace` on the configuration `text`.
    pub(crate) fn start(self, namespace: &Namespace, text: &str, scratch: &Scratch) -> Process {
        match self {
            Self::Keepalived => lab::keepalived::start(namespace, text, scratch),
            Self::Lvsbox => start_lvsbox(namespace, text, scratch),
        }
    }
}

/// The program under test: what `tests/run` built for release, or what cargo built for these tests.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("LVSBOX_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_lvsbox")), PathBuf::from)
}

/// Where the configuration of a director in `namespace` is, to be rewritten before a reload.
pub(crate) fn configuration(namespace: &Namespace, scratch: &Scratch) -> PathBuf {
    scratch.join(&format!("{}.conf", namespace.name()))
}

/// `lvsbox run FILE` in `namespace`, not yet started.
pub(crate) fn lvsbox_run(namespace: &Namespace, text: &str, scratch: &Scratch) -> Command {
    let file = configuration(namespace, scratch);
    fs::write(&file, text).unwrap();
    let mut command = namespace.command(binary());
    command.arg("run").arg(file);
    command
}

fn start_lvsbox(namespace: &Namespace, text: &str, scratch: &Scratch) -> Process {
    let log = scratch.join(&format!("{}.log", namespace.name()));
    let what = format!("lvsbox in {}", namespace.name());
    Process::spawn(lvsbox_run(namespace, text, scratch), &what, &log)
}

/// `lvsbox ctl WORDS` in `namespace`: its standard output. It must succeed.
#[track_caller]
pub(crate) fn ctl(namespace: &Namespace, words: &str) -> String {
    let mut command = namespace.command(binary());
    command.arg("ctl").args(words.split_whitespace());
    lab::process::output_of(command)
}

/// A `vrrp_instance`.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) interface: String,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) nopreempt: bool,
    /// Password of `auth_type PASS`.
    pub(crate) password: Option<&'static str>,
    /// Version 3 with this `advert_int`.
    pub(crate) v3: Option<&'static str>,
    /// Own address and peer, for unicast.
    pub(crate) unicast: Option<(String, String)>,
    /// Lines of `virtual_ipaddress`.
    pub(crate) addresses: Vec<String>,
}

impl Instance {
    /// `VI_1` with VRID 51 on `eth0`.
    pub(crate) fn new(priority: u8, addresses: &[&str]) -> Self {
        Self {
            name: "VI_1".to_owned(),
            interface: "eth0".to_owned(),
            vrid: 51,
            priority,
            nopreempt: false,
            password: None,
            v3: None,
            unicast: None,
            addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    pub(crate) fn nopreempt(mut self) -> Self {
        self.nopreempt = true;
        self
    }

    pub(crate) fn password(mut self, password: &'static str) -> Self {
        self.password = Some(password);
        self
    }

    pub(crate) fn v3(mut self, advert_int: &'static str) -> Self {
        self.v3 = Some(advert_int);
        self
    }

    pub(crate) fn unicast(mut self, own: &str, peer: &str) -> Self {
        self.unicast = Some((own.to_owned(), peer.to_owned()));
        self
    }

    pub(crate) fn on(mut self, interface: &str) -> Self {
        interface.clone_into(&mut self.interface);
        self
    }

    pub(crate) fn named(mut self, name: &str, vrid: u8) -> Self {
        name.clone_into(&mut self.name);
        self.vrid = vrid;
        self
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "vrrp_instance {} {{", self.name)?;
        writeln!(
            f,
            "    state BACKUP\n    interface {}\n    virtual_router_id {}",
            self.interface, self.vrid
        )?;
        writeln!(f, "    priority {}\n    advert_int {}", self.priority, self.v3.unwrap_or("1"))?;
        if self.v3.is_some() {
            writeln!(f, "    version 3")?;
        }
        if self.nopreempt {
            writeln!(f, "    nopreempt")?;
        }
        if let Some(password) = self.password {
            writeln!(
                f,
                "    authentication {{\n        auth_type PASS\n        auth_pass {password}\n    }}"
            )?;
        }
        if let Some((own, peer)) = &self.unicast {
            writeln!(f, "    unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}")?;
        }
        writeln!(f, "    virtual_ipaddress {{")?;
        for address in &self.addresses {
            writeln!(f, "        {address}")?;
        }
        writeln!(f, "    }}\n}}")
    }
}

/// A `virtual_server` whose real servers have the lines `check` inside (a checker, `inhibit_on_failure`, nothing).
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// What follows `virtual_server`: `10.0.0.1 80` or `fwmark 7`.
    pub(crate) key: String,
    /// Further lines of the service: scheduler, method, persistence, `delay_loop`, `sorry_server`.
    pub(crate) lines: Vec<String>,
    /// `ADDRESS PORT`; the weights are 1, 2, ... in this order.
    pub(crate) real_servers: Vec<String>,
    /// Lines of every real server.
    pub(crate) check: String,
}

impl Service {
    /// A TCP service.
    pub(crate) fn new(key: &str, scheduler: &str, method: &str, real_servers: &[&str]) -> Self {
        let lines = [format!("lb_algo {scheduler}"), format!("lb_kind {method}"), "protocol TCP".to_owned()];
        let real_servers = real_servers.iter().map(|text| (*text).to_owned()).collect();
        Self { key: key.to_owned(), lines: lines.into(), real_servers, check: String::new() }
    }

    /// With one more line.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// With lines in every real server.
    pub(crate) fn check(mut self, lines: &str) -> Self {
        self.check.push_str(lines);
        self.check.push('\n');
        self
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "virtual_server {} {{", self.key)?;
        for line in &self.lines {
            writeln!(f, "    {line}")?;
        }
        for (weight, server) in (1..).zip(&self.real_servers) {
            writeln!(f, "    real_server {server} {{\n        weight {weight}\n{}    }}", self.check)?;
        }
        writeln!(f, "}}")
    }
}

/// `HTTP_GET` of `/check` with quick deadlines: the worst case to be declared down is about 1 + 2 x (1 + 1) seconds.
pub(crate) fn http_check() -> String {
    let mut text = String::new();
    writeln!(text, "HTTP_GET {{\n url {{\n path /check\n status_code 200\n }}").unwrap();
    writeln!(text, " connect_timeout 1\n nb_get_retry 1\n delay_before_retry 1\n}}").unwrap();
    text
}

/// As many addresses as the program takes: 4,096 in 17 instances, since one advert names at most 255.
pub(crate) fn most_addresses() -> String {
    let mut text = String::new();
    for number in 0_u8..17 {
        let last = if number == 16 { 16 } else { 255 };
        let addresses: Vec<String> = (0..last).map(|index| format!("10.64.{number}.{index}/32")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let instance = Instance::new(150, &addresses).named(&format!("VI_{}", number + 1), number + 1);
        text += &instance.to_string();
    }
    text
}
