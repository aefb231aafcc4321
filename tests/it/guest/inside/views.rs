//! What the console shows of IPVS, beside ipvsadm: whole outputs. And what is set beside the table: timeouts, the sync
//! daemons.

use std::process::Command;

use lab::netns::{Host, Lan, Namespace};
use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::tables::EVERY_KIND;
use super::{Site, connections, saved};
use crate::rig::{Instance, Make, Service, configuration, ctl, lvsbox_run};

/// Asks both until they agree: counters move between two questions.
#[track_caller]
fn agree(namespace: &Namespace, ours: &str, theirs: &str) -> String {
    let mut last = (String::new(), String::new());
    let agreed = wait::maybe(secs(20), || {
        last = (timeless(&ctl(namespace, ours)), timeless(&namespace.run(theirs)));
        (last.0 == last.1).then_some(())
    });
    assert!(agreed.is_some(), "lvsbox, {ours}:\n{}\n{theirs}:\n{}", last.0, last.1);
    last.0
}

/// Without the time that a connection has left: it passes between two questions.
fn timeless(text: &str) -> String {
    let passing = |line: &str| match (line.split_at_checked(4), line.split_at_checked(9)) {
        (Some((protocol, time)), Some((_, rest))) if time.as_bytes().get(2) == Some(&b':') => {
            format!("{protocol}--:--{rest}")
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(passing).collect()
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn every_view_of_every_kind_of_service_is_ipvsadm_byte_for_byte() {
    let (namespace, scratch) = (Namespace::new("views"), Scratch::new("views"));
    let _director = Make::Lvsbox.start(&namespace, EVERY_KIND.0, &scratch);
    wait::until("all rows", secs(15), || (saved(&namespace).len() == EVERY_KIND.1).then_some(()));
    for (view, options) in [
        ("", ""),
        ("stats", "--stats"),
        ("rate", "--rate"),
        ("thresholds", "--thresholds"),
        ("persistent", "--persistent-conn"),
        ("tun-info", "--tun-info"),
    ] {
        agree(&namespace, &format!("show ipvs {view}"), &format!("ipvsadm -Ln {options}"));
        let ours = format!("show ipvs {view} [2001:db8::1]:80");
        agree(&namespace, &ours, &format!("ipvsadm -Ln -t [2001:db8::1]:80 {options}"));
        let ours = format!("show ipvs {view} fwmark 7");
        agree(&namespace, &ours, &format!("ipvsadm -Ln -f 7 {options}"));
        let json = ctl(&namespace, &format!("show ipvs {view} json"));
        assert!(json.starts_with('{') && json.ends_with("}\n"), "{json}");
    }
    agree(&namespace, "show ipvs timeouts", "ipvsadm -Ln --timeout");
    agree(&namespace, "show ipvs stats exact", "ipvsadm -Ln --stats --exact");
    // Thresholds are what ipvsadm forgets.
    let ours = ctl(&namespace, "show ipvs save");
    let without = |line: &str| line.split(" -x ").next().unwrap().split(" -y ").next().unwrap().to_owned();
    let stripped: Vec<String> = ours.lines().map(without).collect();
    let theirs = namespace.run("ipvsadm -Sn");
    assert_eq!(stripped, theirs.lines().collect::<Vec<_>>());
    assert!(ours.contains(" -x 10 -y 5\n"), "{ours}");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn counters_rates_and_connections_of_real_traffic_are_ipvsadm_byte_for_byte() {
    let site = Site::nat();
    let scratch = Scratch::new("counters");
    let _servers = [site.serve(0), site.serve(1)];
    let _director = Make::Lvsbox.start(&site.director, &site.text(&site.service()), &scratch);
    site.wait_ready();
    site.ask_times(20);
    wait::until("counters", secs(10), || (connections(&site.director, "10.0.2.11:80") > 0).then_some(()));
    let stats = agree(&site.director, "show ipvs stats", "ipvsadm -Ln --stats");
    assert!(stats.contains(" 20 "), "{stats}");
    agree(&site.director, "show ipvs rate", "ipvsadm -Ln --rate");
    let rows = agree(&site.director, "show ipvs connections", "ipvsadm -Lnc");
    assert_eq!(rows.lines().count(), 22, "{rows}");
    let ours = ctl(&site.director, "show ipvs connections 10.0.1.100:80");
    assert_eq!(ours.lines().count(), 22, "{ours}");
    assert_eq!(ctl(&site.director, "show ipvs connections 10.0.1.101:80").lines().count(), 2);
    let json = ctl(&site.director, "show ipvs connections json");
    assert_eq!(json.matches("\"virtual\":\"10.0.1.100:80\"").count(), 20, "{json}");
    ctl(&site.director, "zero ipvs 10.0.1.100:80");
    wait::until("zeros", secs(10), || (connections(&site.director, "10.0.2.11:80") == 0).then_some(()));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn thousands_of_connections_are_shown_and_cost_no_memory() {
    let site = Site::nat();
    let scratch = Scratch::new("many");
    let service = Service::new("10.0.1.100 53", "rr", "NAT", &["10.0.2.11 53"]).line("protocol UDP");
    let _director = Make::Lvsbox.start(&site.director, &site.text(&service), &scratch);
    wait::until("the address", secs(15), || site.director.has_address("eth0", super::VIP).then_some(()));
    let send = |count| {
        site.client.enter(|| {
            for _ in 0..count {
                let socket = std::net::UdpSocket::bind("10.0.1.9:0").unwrap();
                socket.send_to(b"x", "10.0.1.100:53").unwrap();
            }
        });
        ctl(&site.director, "show ipvs connections").lines().count()
    };
    let most = || {
        let memory = ctl(&site.director, "show memory json");
        let (_, peak) = memory.split_once("\"heap_peak\":").unwrap();
        peak.split(',').next().unwrap().parse::<u64>().unwrap()
    };
    // The same work with rows that fit a piece.
    let few = send(50);
    let before = most();
    let many = send(5_000);
    assert!((10..60).contains(&few) && many > 3_000, "{few}, {many}");
    assert!(most() < before + 4_096, "{before} -> {}", most());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn timeouts_are_what_they_were_after_the_stop() {
    let (namespace, scratch) = (Namespace::new("timeouts"), Scratch::new("timeouts"));
    namespace.run("ipvsadm --set 800 100 200");
    let text = "global_defs {\n lvs_timeouts tcp 50 udp 60\n}\n";
    let mut director = Make::Lvsbox.start(&namespace, text, &scratch);
    let shown = || namespace.run("ipvsadm -Ln --timeout");
    let is = |values: &str| shown().trim_end().ends_with(values).then_some(());
    wait::until("ours", secs(10), || is(": 50 100 60"));
    assert_eq!(ctl(&namespace, "show ipvs timeouts"), shown());
    assert!(director.stop(secs(10)).success());
    assert!(is(": 800 100 200").is_some(), "{}", shown());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_flush_at_the_stop_takes_what_others_have_along() {
    for (line, left) in [("lvs_flush_on_stop", 0), ("lvs_flush_on_stop VS", 1)] {
        for make in [Make::Keepalived, Make::Lvsbox] {
            let (namespace, scratch) = (Namespace::new("flush"), Scratch::new("flush"));
            namespace.run("ipvsadm -A -t 10.0.9.9:80 -s rr");
            let service = Service::new("10.0.1.100 80", "rr", "NAT", &["10.0.2.11 80"]);
            let text = format!("global_defs {{\n {line}\n}}\n{service}");
            let mut director = make.start(&namespace, &text, &scratch);
            wait::until("the service", secs(15), || (saved(&namespace).len() == 3).then_some(()));
            assert!(director.stop(secs(10)).success());
            assert_eq!(saved(&namespace).len(), left, "{make:?} with {line}");
        }
    }
}

/// `ipvsadm -Ln --daemon`.
fn daemons(namespace: &Namespace) -> String {
    namespace.run("ipvsadm -Ln --daemon")
}

/// A director on a LAN of its own with `lvs_sync_daemon` and what is behind it.
fn with_daemon(make: Make, host: &Host, words: &str, scratch: &Scratch) -> Process {
    make.start(host, &sync_text(words), scratch)
}

fn sync_text(words: &str) -> String {
    let service = Service::new("10.0.1.100 80", "rr", "DR", &["10.0.1.11 80"]);
    format!(
        "global_defs {{\n lvs_sync_daemon {words}\n}}\n{}{service}",
        Instance::new(150, &["10.0.1.100/24"])
    )
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn the_sync_daemon_runs_as_keepalived_runs_it() {
    for words in
        ["eth0", "eth0 VI_1", "eth0 VI_1 id 7 maxlen 1000 port 9000 ttl 3 group 224.0.0.99", "eth0 id 9"]
    {
        let seen = [Make::Keepalived, Make::Lvsbox].map(|make| {
            let (lan, scratch) = (Lan::new(), Scratch::new("sync"));
            let host = lan.host("director", &["10.0.1.1/24"]);
            let mut director = with_daemon(make, &host, words, &scratch);
            let up = || host.has_address("eth0", "10.0.1.100").then_some(());
            wait::until("MASTER", secs(20), up);
            let master = || Some(daemons(&host)).filter(|text| text.contains("master"));
            let running = wait::until("the master daemon", secs(5), master);
            if make == Make::Lvsbox {
                assert_eq!(ctl(&host, "show ipvs daemon"), running);
            }
            assert!(director.stop(secs(10)).success());
            assert_eq!(daemons(&host), "", "{make:?} leaves none");
            running
        });
        assert_eq!(seen[0], seen[1], "{words}");
    }
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn the_sync_daemon_follows_its_instance_is_repaired_and_changed_by_a_reload() {
    let (lan, scratch) = (Lan::new(), Scratch::new("follow"));
    let host = lan.host("director", &["10.0.1.1/24"]);
    // Left by somebody with other parameters.
    host.run("ipvsadm --start-daemon master --mcast-interface eth0 --syncid 3");
    host.run("ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 3");
    let director = with_daemon(Make::Lvsbox, &host, "eth0 VI_1", &scratch);
    let shows = |role: &'static str, id: u8| {
        let text = daemons(&host);
        (text.lines().count() == 1 && text.starts_with(role) && text.contains(&format!("syncid={id},")))
            .then_some(())
    };
    wait::until("the backup daemon", secs(10), || shows("backup", 51));
    wait::until("the master daemon", secs(20), || shows("master", 51));
    host.run("ipvsadm --stop-daemon master");
    wait::until("it again", secs(20), || shows("master", 51));
    assert!(
        director.log().contains("IPVS sync daemon: master was stopped by somebody"),
        "{}",
        director.log()
    );
    std::fs::write(configuration(&host, &scratch), sync_text("eth0 VI_1 id 9")).unwrap();
    ctl(&host, "reload");
    wait::until("the new id", secs(10), || shows("master", 9));
    host.ip("link set eth0 down");
    wait::until("the backup daemon in FAULT", secs(10), || shows("backup", 9));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn connections_are_told_to_the_other_director() {
    let site = Site::nat();
    let scratch = Scratch::new("told");
    let _servers = [site.serve(0), site.serve(1)];
    let twin = site.lan().host("twin", &["10.0.1.2/24"]);
    let text = format!("global_defs {{\n lvs_sync_daemon eth0 VI_1\n}}\n{}", site.text(&site.service()));
    site.director.sysctl("net.ipv4.vs.sync_threshold", "0 1");
    let _first = Make::Lvsbox.start(&site.director, &text, &scratch);
    site.wait_ready();
    let _second = Make::Lvsbox.start(&twin, &text.replace("priority 150", "priority 100"), &scratch);
    wait::until("the backup daemon", secs(20), || daemons(&twin).starts_with("backup").then_some(()));
    let told = wait::maybe(secs(30), || {
        site.ask();
        ctl(&twin, "show ipvs connections").contains("10.0.1.100:80").then_some(())
    });
    assert!(told.is_some(), "{}{}", daemons(&twin), twin.run("ipvsadm -Lnc"));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_matching_table_is_adopted_without_a_request_that_changes_it() {
    let (namespace, scratch) = (Namespace::new("adopt"), Scratch::new("adopt"));
    let kept = |mut command: Command, log: &str| {
        command.arg("--keep-ipvs");
        Process::spawn(command, "lvsbox", &scratch.join(log))
    };
    let mut first = kept(lvsbox_run(&namespace, EVERY_KIND.0, &scratch), "first.log");
    wait::until("all rows", secs(15), || (saved(&namespace).len() == EVERY_KIND.1).then_some(()));
    assert!(first.stop(secs(10)).success());
    let before = namespace.run("ipvsadm -Ln --nosort");
    let mut second = kept(lvsbox_run(&namespace, EVERY_KIND.0, &scratch), "second.log");
    wait::until("the table", secs(15), || second.log().contains("IPVS is there").then_some(()));
    wait::until("an answer", secs(10), || {
        (ctl(&namespace, "show ipvs") == namespace.run("ipvsadm -Ln")).then_some(())
    });
    // A service that was changed or made again stands elsewhere in the kernel's own order.
    assert_eq!(namespace.run("ipvsadm -Ln --nosort"), before);
    assert!(!second.log().contains("by somebody"), "{}", second.log());
    assert!(second.stop(secs(10)).success());
}
