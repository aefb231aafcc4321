//! Limits of the whole kernel, each at its figure and one beyond: the table of neighbours, tracked connections, and the
//! estimators of IPVS.

use std::fs;

use lab::netns::{Host, Lan, Namespace};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};

use super::neighbours::table_of;
use crate::rig::{Make, Service, configuration, ctl};

const TOO_LOW: &str = "1 limit of the kernel too low (show sysctl)";
const TRACKED: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// A director and a host with web servers.
struct Site {
    _lan: Lan,
    director: Host,
    server: Host,
    _web: WebServer,
    scratch: Scratch,
}

impl Site {
    fn new(servers: u32) -> Self {
        let lan = Lan::new();
        let director = lan.host("dir", &["10.9.0.1/24"]);
        let addresses: Vec<String> = (0..servers).map(|row| format!("10.9.0.{}/24", 100 + row)).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let server = lan.host("srv", &addresses);
        let web = WebServer::start(&server, "0.0.0.0:80", Behaviour::Normal, "web");
        Self { _lan: lan, director, server, _web: web, scratch: Scratch::new("limits") }
    }

    fn start(&self, text: &str) -> Process {
        Make::Lvsbox.start(&self.director, text, &self.scratch)
    }

    fn reload(&self, text: &str) {
        fs::write(configuration(&self.director, &self.scratch), text).unwrap();
        ctl(&self.director, "reload");
    }

    /// Waits until so many servers are up.
    fn wait_up(&self, count: usize) {
        wait::until("servers that are up", secs(60), || (alive(&self.director) == count).then_some(()));
    }
}

/// Servers whose last check connected.
fn alive(director: &Namespace) -> usize {
    ctl(director, "show checks")
        .lines()
        .filter(|line| line.contains(" up ") && line.contains("connected"))
        .count()
}

/// A service of so many servers, checked by TCP.
fn service(servers: u32, delay: u32) -> String {
    let servers: Vec<String> = (0..servers).map(|row| format!("10.9.0.{} 80", 100 + row)).collect();
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    Service::new("10.9.1.1 80", "rr", "NAT", &servers)
        .line(&format!("delay_loop {delay}"))
        .check("TCP_CHECK {\n connect_timeout 2\n retry 1\n}")
        .to_string()
}

#[test]
#[ignore = "changes the whole kernel: runs in a guest"]
fn half_of_the_neighbour_table_is_for_the_servers_and_one_more_is_told() {
    // Below 1,024 nobody is told of less than the kernel has by itself.
    table_of([128, 512, 1_024]);
    let many = |count: u32| {
        let servers: String = (0..count)
            .map(|row| format!("    real_server 10.7.{}.{} 80 {{\n    }}\n", row / 250, row % 250 + 1))
            .collect();
        format!("virtual_server 10.9.1.2 80 {{\n    lb_kind NAT\n    protocol TCP\n{servers}}}\n")
    };
    let site = Site::new(1);
    let director = site.start(&many(512));
    director.wait_line("Gained quorum", secs(30));
    wait::until("the table", secs(20), || {
        ctl(&site.director, "show sysctl")
            .contains("gc_thresh3                 1024  1024 or more")
            .then_some(())
    });
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    site.reload(&many(513));
    let name = "net.ipv4.neigh.default.gc_thresh3";
    let told =
        director.wait_line(&format!("{name} is 1024, and this configuration needs 1026 or more"), secs(20));
    assert!(told.contains(&format!("sysctl -w {name}=\"1026\"")), "{told}");
    assert!(ctl(&site.director, "status").contains(TOO_LOW));
    table_of([128, 512, 1_026]);
    assert!(ctl(&site.director, "show sysctl").contains("gc_thresh3                 1026  1026 or more"));
    assert!(!ctl(&site.director, "status").contains(TOO_LOW));
    table_of([128, 512, 1_024]);
}

#[test]
#[ignore = "changes the whole kernel: runs in a guest"]
fn tracked_connections_of_checks_fit_half_of_their_table_and_a_full_one_is_no_verdict() {
    const SERVERS: u32 = 10;
    let site = Site::new(SERVERS);
    // Each checked every 5 s and remembered for 10 s: two, and one that is open.
    let need = SERVERS * 3 * 2;
    let before = fs::read_to_string(TRACKED).unwrap();
    fs::write(TRACKED, need.to_string()).unwrap();
    let text = format!("firewall {{ masquerade from 203.0.113.0/24 out eth0 }}\n{}", service(SERVERS, 5));
    let director = site.start(&text);
    director.wait_line("Gained quorum", secs(20));
    site.wait_up(SERVERS as usize);
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    assert_eq!(director.count("not made"), 0, "{}", director.log());
    fs::write(TRACKED, (need - 1).to_string()).unwrap();
    ctl(&site.director, "reload");
    let told = director.wait_line(
        &format!("nf_conntrack_max is {}, and this configuration needs {need}", need - 1),
        secs(5),
    );
    assert!(told.contains(&format!("sysctl -w net.netfilter.nf_conntrack_max=\"{need}\"")), "{told}");
    assert!(ctl(&site.director, "status").contains(TOO_LOW));
    // With hardly any room packets to healthy servers are dropped here.
    fs::write(TRACKED, "1").unwrap();
    director.wait_line("not made: table of tracked connections full on this side", secs(60));
    wait::until("the alarm", secs(30), || {
        let status = ctl(&site.director, "status");
        status.contains("not made: table of tracked connections full (nf_conntrack_max)").then_some(())
    });
    assert!(!ctl(&site.director, "show checks").contains("DOWN"), "{}", ctl(&site.director, "show checks"));
    fs::write(TRACKED, before.trim()).unwrap();
    director.wait_line("Every check can be made again", secs(60));
    assert_eq!(director.count("failed. ("), 0, "it was no verdict");
    // A server that is silent while there is room is down as ever.
    site.server.ip("addr del 10.9.0.109/24 dev eth0");
    wait::until("down", secs(60), || ctl(&site.director, "show checks").contains("DOWN").then_some(()));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn rates_of_8192_are_estimated_and_one_more_is_told_as_are_rates_that_are_not() {
    let text = |count: u32| -> String {
        // Eight services of as many servers as fill the figure up.
        let share = count / 8 - 1;
        (0..8_u32)
            .map(|service| {
                let more = if service == 0 { count - 8 * (share + 1) } else { 0 };
                let servers: String = (0..share + more)
                    .map(|row| {
                        format!("    real_server 10.7.{}.{} 80 {{\n    }}\n", row / 250, row % 250 + 1)
                    })
                    .collect();
                format!(
                    "virtual_server 10.9.1.{} 80 {{\n    lb_kind NAT\n    protocol TCP\n{servers}}}\n",
                    service + 1
                )
            })
            .collect()
    };
    table_of([128, 2_048, 4_096]);
    let site = Site::new(1);
    let director = site.start(&text(8_192));
    director.wait_lines("Gained quorum", 8, secs(60));
    assert_eq!(director.count("this configuration needs"), 0, "{}", director.log());
    let shown = ctl(&site.director, "show sysctl");
    assert!(!shown.contains("run_estimation"), "{shown}");
    site.reload(&text(8_193));
    let name = "net.ipv4.vs.run_estimation";
    let told = director.wait_line(&format!("{name} is 1, and this configuration needs 0"), secs(60));
    assert!(told.contains(&format!("sysctl -w {name}=\"0\"")), "{told}");
    let note = "rates are not estimated and read 0";
    assert!(!ctl(&site.director, "show ipvs rate 10.9.1.1:80").contains(note));
    site.director.sysctl(name, "0");
    assert!(ctl(&site.director, "show ipvs rate 10.9.1.1:80").contains(note));
    assert!(ctl(&site.director, "show ipvs rate 10.9.1.1:80 json").ends_with("],\"estimated\":false}\n"));
    assert!(!ctl(&site.director, "show ipvs stats 10.9.1.1:80").contains(note));
    let row = ctl(&site.director, "show sysctl");
    assert!(row.lines().any(|line| line.starts_with("  net.ipv4.vs.run_estimation")), "{row}");
    table_of([128, 512, 1_024]);
}

#[test]
#[ignore = "changes the whole kernel: runs in a guest"]
fn table_of_connections_is_shown_once_servers_let_in_more_than_it_has_rows() {
    let site = Site::new(1);
    let with = |limit: u32| service(1, 5).replace("weight 1\n", &format!("weight 1\n uthreshold {limit}\n"));
    let director = site.start(&with(4_096));
    director.wait_line("Gained quorum", secs(20));
    assert!(ctl(&site.director, "show ipvs thresholds").contains("4096"), "{}", with(4_096));
    assert!(!ctl(&site.director, "show sysctl").contains("conn_tab_bits"));
    site.reload(&with(4_097));
    let shown = ctl(&site.director, "show sysctl");
    assert!(
        shown.contains("! ip_vs.conn_tab_bits                                 12  13 or more"),
        "{shown}"
    );
}
