//! Checks through the virtual address, by two directors at once, against what a plain check does not see.

use std::fs;

use lab::netns::{Host, Lan};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};
use rustix::process::Signal;

use super::{SERVICE, Site, VIP, table, weight};
use crate::rig::{Instance, Make, Service, binary, configuration, ctl};

/// Two directors and two real servers on one LAN.
struct Pair {
    site: Site,
    backup: Host,
}

impl Pair {
    /// The real servers hold the address on `device`, where packets of the forwarding method arrive.
    fn new(method: &'static str, forward: &'static str, device: &str) -> Self {
        let lan = Lan::new();
        let client = lan.host("client", &["10.0.1.9/24"]);
        let [director, backup] =
            ["10.0.1.1/24", "10.0.1.2/24"].map(|address| lan.host("director", &[address]));
        let web = ["10.0.1.11/24", "10.0.1.12/24"].map(|address| {
            let host = lan.host("web", &[address]);
            if device == "tunl0" {
                host.ip("link set tunl0 up");
                host.sysctl("net.ipv4.conf.tunl0.rp_filter", "0");
            }
            for scope in ["all", "eth0"] {
                host.sysctl(&format!("net.ipv4.conf.{scope}.arp_ignore"), "1");
                host.sysctl(&format!("net.ipv4.conf.{scope}.arp_announce"), "2");
                host.sysctl(&format!("net.ipv4.conf.{scope}.rp_filter"), "0");
            }
            host.ip(&format!("addr add {VIP}/32 dev {device}"));
            host
        });
        for host in [&director, &backup] {
            for scope in ["all", "eth0"] {
                host.sysctl(&format!("net.ipv4.conf.{scope}.rp_filter"), "0");
            }
        }
        let addresses = ["10.0.1.11", "10.0.1.12"];
        let site = Site { lans: vec![lan], client, director, web, addresses, forward, method };
        Self { site, backup }
    }

    fn accept_local(&self, value: &str) {
        for host in [&self.site.director, &self.backup] {
            host.sysctl("net.ipv4.conf.eth0.accept_local", value);
        }
    }

    fn text(&self, priority: u8, service: &Service) -> String {
        format!("{}{service}", Instance::new(priority, &["10.0.1.100/24"]))
    }

    fn service(&self) -> Service {
        self.site.service().line("via_vip")
    }

    fn start(&self, scratch: &Scratch) -> [Process; 2] {
        let service = self.service();
        let master = Make::Lvsbox.start(&self.site.director, &self.text(150, &service), scratch);
        let backup = Make::Lvsbox.start(&self.backup, &self.text(100, &service), scratch);
        self.site.wait_ready();
        wait::until("checks on both", secs(20), || {
            self.hosts()
                .iter()
                .all(|host| passed(host, "10.0.1.11") && passed(host, "10.0.1.12"))
                .then_some(())
        });
        assert!(!self.backup.has_address("eth0", VIP), "one of the two is BACKUP");
        [master, backup]
    }

    fn hosts(&self) -> [&Host; 2] {
        [&self.site.director, &self.backup]
    }

    /// Waits until both directors have the real server `index` in their tables, or not.
    #[track_caller]
    fn wait_both(&self, index: usize, wanted: Option<u32>) {
        let key = format!("{}:80", self.site.addresses[index]);
        for host in self.hosts() {
            wait::until(&format!("{key} {wanted:?} on {}", host.name()), secs(20), || {
                (weight(host, &key) == wanted).then_some(())
            });
        }
    }
}

/// The line of the checks of a real server; empty while the director does not answer yet.
fn row(host: &Host, server: &str) -> String {
    let output = host.command(binary()).args(["ctl", "show", "checks"]).output().unwrap();
    let checks = String::from_utf8_lossy(&output.stdout);
    checks.lines().find(|line| line.contains(server)).unwrap_or_default().to_owned()
}

fn passed(host: &Host, server: &str) -> bool {
    row(host, server).contains("status 200")
}

/// The rows of firewall marks and what they lead to.
fn marks(table: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut inside = false;
    for line in table.lines() {
        inside = line.starts_with("FWM") || inside && line.starts_with("  ->");
        if inside {
            lines.push(line.split_whitespace().take(5).collect::<Vec<_>>().join(" "));
        }
    }
    lines
}

/// Kills one server, then takes the address from the other's device: each time its check fails on both directors, and
/// the other's does not; clients are served throughout.
fn only_the_check_of_the_server_that_fails_does(pair: &Pair, device: &str) {
    let scratch = Scratch::new("via");
    pair.accept_local("1");
    let site = &pair.site;
    let servers = (site.serve(0), site.serve(1));
    let directors = pair.start(&scratch);
    assert_eq!(site.ask_times(20), [10, 10, 0], "round robin gives each half");
    for host in pair.hosts() {
        let seen = marks(&table(host));
        assert_eq!(seen.len(), 4, "{}", table(host));
        for address in site.addresses {
            let way = format!("-> {address}:0 {} 1", site.forward);
            assert!(seen.iter().any(|line| line.starts_with(&way)), "{way}: {seen:?}");
        }
        assert!(marks(&ctl(host, "show ipvs")).is_empty());
        assert!(!ctl(host, "show ipvs json").contains("fwmark"));
        assert_eq!(marks(&ctl(host, "show ipvs all")), seen);
        assert!(!ctl(host, "show checks").contains("FWM") && !ctl(host, "status").contains("FWM"));
        assert!(
            ctl(host, "why 10.0.1.11").contains("through VIP 10.0.1.100:80"),
            "{}",
            ctl(host, "why 10.0.1.11")
        );
    }
    drop(servers.1);
    pair.wait_both(1, None);
    assert_eq!(site.ask_times(6), [6, 0, 0], "clients get the one that lives");
    for host in pair.hosts() {
        assert!(passed(host, "10.0.1.11"), "{}", row(host, "10.0.1.11"));
    }
    let _back = site.serve(1);
    pair.wait_both(1, Some(2));
    site.web[0].ip(&format!("addr del {VIP}/32 dev {device}"));
    pair.wait_both(0, None);
    assert!(servers.0.requests("/check") > 0, "the server itself still runs");
    for host in pair.hosts() {
        assert!(passed(host, "10.0.1.12"), "{}", row(host, "10.0.1.12"));
    }
    assert_eq!(site.ask_times(6), [0, 6, 0], "no client meets the server without the address");
    site.web[0].ip(&format!("addr add {VIP}/32 dev {device}"));
    pair.wait_both(0, Some(1));
    drop(directors);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn direct_routing_only_the_check_of_the_failed_server_fails_on_both_directors() {
    only_the_check_of_the_server_that_fails_does(&Pair::new("DR", "Route", "lo"), "lo");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn tunnel_only_the_check_of_the_failed_server_fails_on_both_directors() {
    only_the_check_of_the_server_that_fails_does(&Pair::new("TUN", "Tunnel", "tunl0"), "tunl0");
}

/// The address is missing on a real server: a plain check sees nothing of it.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn plain_check_does_not_see_that_the_address_is_missing() {
    let pair = Pair::new("DR", "Route", "lo");
    let scratch = Scratch::new("plain");
    let site = &pair.site;
    let servers = (site.serve(0), site.serve(1));
    let _director = Make::Lvsbox.start(&site.director, &pair.text(150, &site.service()), &scratch);
    site.wait_ready();
    site.web[0].ip(&format!("addr del {VIP}/32 dev lo"));
    let before = servers.0.requests("/check");
    wait::until("five more checks", secs(20), || (servers.0.requests("/check") >= before + 5).then_some(()));
    assert_eq!(weight(&site.director, "10.0.1.11:80"), Some(1));
}

/// Without `accept_local` the MASTER hears no reply: that is no verdict on the servers, and it is said.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn replies_that_this_kernel_drops_take_no_server_down_and_are_an_alarm() {
    let pair = Pair::new("DR", "Route", "lo");
    let scratch = Scratch::new("dropped");
    pair.accept_local("0");
    let site = &pair.site;
    let _servers = (site.serve(0), site.serve(1));
    let director = Make::Lvsbox.start(&site.director, &pair.text(150, &pair.service()), &scratch);
    director.wait_line("net.ipv4.conf.eth0.accept_local to 1", secs(10));
    site.wait_ready();
    wait::until("the alarm", secs(30), || {
        ctl(&site.director, "status").contains("not made: set accept_local 1").then_some(())
    });
    for server in ["10.0.1.11", "10.0.1.12"] {
        wait::until("the reason", secs(10), || {
            row(&site.director, server).contains("not made").then_some(())
        });
    }
    assert_eq!(
        (weight(&site.director, "10.0.1.11:80"), weight(&site.director, "10.0.1.12:80")),
        (Some(1), Some(2))
    );
    pair.accept_local("1");
    wait::until("checks", secs(20), || passed(&site.director, "10.0.1.11").then_some(()));
    wait::until("no alarm", secs(10), || (!ctl(&site.director, "status").contains("not made")).then_some(()));
}

/// A reload keeps the marks; a stop that keeps the services takes the hidden ones along.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn reload_keeps_the_marks_and_a_stop_leaves_none() {
    let pair = Pair::new("DR", "Route", "lo");
    let scratch = Scratch::new("marks");
    pair.accept_local("1");
    let site = &pair.site;
    let _servers = (site.serve(0), site.serve(1));
    let service = pair.service();
    let mut command = crate::rig::lvsbox_run(&site.director, &pair.text(150, &service), &scratch);
    command.arg("--keep-ipvs");
    let mut director = Process::spawn(command, "lvsbox", &scratch.join("log"));
    site.wait_ready();
    wait::until("checks", secs(20), || passed(&site.director, "10.0.1.12").then_some(()));
    let before = marks(&table(&site.director));
    assert_eq!(before.len(), 4);
    let mut more = pair.service();
    more.real_servers.insert(0, "10.0.1.13 80".to_owned());
    fs::write(configuration(&site.director, &scratch), pair.text(150, &more)).unwrap();
    director.signal(Signal::HUP);
    let after = wait::until("a third one", secs(20), || {
        Some(marks(&table(&site.director))).filter(|rows| rows.len() == 6)
    });
    assert!(before.iter().all(|row| after.contains(row)), "{before:?} {after:?}");
    wait::until("the new one is down", secs(20), || {
        weight(&site.director, "10.0.1.13:80").is_none().then_some(())
    });
    assert!(passed(&site.director, "10.0.1.11") && passed(&site.director, "10.0.1.12"));
    assert!(director.stop(secs(10)).success());
    let left = table(&site.director);
    assert!(marks(&left).is_empty() && left.contains(SERVICE), "{left}");
}

/// Hundreds of checks through one address and port: none ever reaches another server than its own.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn ports_that_come_back_do_not_lead_a_check_to_another_server() {
    let pair = Pair::new("DR", "Route", "lo");
    let scratch = Scratch::new("ports");
    pair.accept_local("1");
    let site = &pair.site;
    // Few ports: taken at random, they would come back while IPVS still knows where they led.
    site.director.sysctl("net.ipv4.ip_local_port_range", "40000 41999");
    let _first = site.serve(0);
    let second = WebServer::start(&site.web[1], "0.0.0.0:80", Behaviour::Unavailable, "web1");
    let mut service = pair.service();
    service.lines.retain(|line| !line.starts_with("delay_loop"));
    service.check = service.check.replace("delay_before_retry 1", "delay_before_retry 0.2");
    let service = service.line("delay_loop 0.2");
    let director = Make::Lvsbox.start(&site.director, &pair.text(150, &service), &scratch);
    wait::until("the first", secs(20), || passed(&site.director, "10.0.1.11").then_some(()));
    wait::until("the second to be down", secs(20), || {
        weight(&site.director, "10.0.1.12:80").is_none().then_some(())
    });
    wait::until("many checks", secs(60), || (second.requests("/check") >= 60).then_some(()));
    assert_eq!(director.count("Adding service"), 0, "{}", director.log());
    assert!(passed(&site.director, "10.0.1.11"));
    assert_eq!(weight(&site.director, "10.0.1.12:80"), None);
}
