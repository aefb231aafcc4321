//! The daemon and the kernel's table: drift, reload, display, memory, the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::WebServer;
use rustix::process::Signal;

use super::{SERVICE, Site, connections, saved, table, weight};
use crate::rig::{Make, Service, configuration, ctl, lvsbox_run};

/// A NAT site with lvsbox running, ready.
struct Running {
    site: Site,
    scratch: Scratch,
    director: Process,
    _servers: [WebServer; 2],
}

impl Running {
    fn new() -> Self {
        let site = Site::nat();
        let scratch = Scratch::new("daemon");
        let servers = [site.serve(0), site.serve(1)];
        let director = Make::Lvsbox.start(&site.director, &site.text(&site.service()), &scratch);
        site.wait_ready();
        Self { site, scratch, director, _servers: servers }
    }

    fn reload(&self, service: &Service) {
        fs::write(configuration(&self.site.director, &self.scratch), self.site.text(service)).unwrap();
        self.director.signal(Signal::HUP);
    }
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn table_flushed_by_hand_is_whole_again_and_the_log_says_so() {
    let run = Running::new();
    let before = saved(&run.site.director);
    let said = run.director.log().len();
    run.site.director.run("ipvsadm -C");
    wait::until("the whole table", secs(30), || (saved(&run.site.director) == before).then_some(()));
    wait::until("a line about the service", secs(2), || {
        run.director.log().get(said..).is_some_and(|text| text.contains("[10.0.1.100]:tcp:80")).then_some(())
    });
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn destination_changed_by_hand_is_as_configured_again() {
    let run = Running::new();
    let before = saved(&run.site.director);
    run.site.director.run("ipvsadm -e -t 10.0.1.100:80 -r 10.0.2.11:80 -m -w 77");
    run.site.director.run("ipvsadm -d -t 10.0.1.100:80 -r 10.0.2.12:80");
    run.site.director.run("ipvsadm -a -t 10.0.1.100:80 -r 10.0.2.99:80 -m");
    wait::until("the table as configured", secs(30), || (saved(&run.site.director) == before).then_some(()));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn services_of_others_are_left_alone() {
    let mut run = Running::new();
    run.site.director.run("ipvsadm -A -t 10.0.3.1:80 -s rr");
    run.site.director.run("ipvsadm -C");
    run.site.director.run("ipvsadm -A -t 10.0.3.1:80 -s rr");
    run.site.wait_weight(0, Some(1), secs(30));
    assert!(table(&run.site.director).contains("10.0.3.1:80"));
    assert!(run.director.stop(secs(10)).success());
    assert_eq!(saved(&run.site.director), ["-A -t 10.0.3.1:80 -s rr"]);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn reload_keeps_connections_and_counters() {
    let run = Running::new();
    let site = &run.site;
    wait::until("a first answer", secs(10), || site.ask().starts_with("web").then_some(()));
    let mut open = site.client.enter(|| TcpStream::connect(SERVICE)).unwrap();
    let keys = ["10.0.2.11:80", "10.0.2.12:80"];
    let total = || keys.iter().map(|key| connections(&site.director, key)).sum::<u64>();
    let counted = wait::until("the counters", secs(10), || Some(total()).filter(|count| *count >= 2));
    let other = Service::new("10.0.1.100 8080", "wlc", "NAT", &["10.0.2.11 80"]);
    run.reload(&site.service());
    fs::write(configuration(&site.director, &run.scratch), format!("{}{other}", site.text(&site.service())))
        .unwrap();
    run.director.signal(Signal::HUP);
    wait::until("the new service", secs(10), || {
        table(&site.director).contains("10.0.1.100:8080").then_some(())
    });
    assert!(total() >= counted, "the counters were reset");
    assert!(site.director.has_address("eth0", super::VIP));
    let mut text = String::new();
    open.set_read_timeout(Some(secs(10))).unwrap();
    open.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    open.read_to_string(&mut text).unwrap();
    assert!(text.contains("200 OK"), "the connection lived through the reload: {text}");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn reload_removes_and_changes_what_the_file_says() {
    let run = Running::new();
    let (first, second) = (run.site.real(0), run.site.real(1));
    run.reload(&Service::new("10.0.1.100 80", "wrr", "NAT", &[&second]));
    let expected = ["-A -t 10.0.1.100:80 -s wrr", "-a -t 10.0.1.100:80 -r 10.0.2.12:80 -m -w 1"];
    wait::until("the new table", secs(10), || (saved(&run.site.director) == expected).then_some(()));
    run.reload(&Service::new("10.0.1.100 80", "wrr", "NAT", &[&second, &first]));
    wait::until("the server to return", secs(10), || weight(&run.site.director, "10.0.2.11:80"));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn show_ipvs_is_ipvsadm_byte_for_byte() {
    let run = Running::new();
    run.site.ask_times(4);
    // Connections leave the table while the two are asked: they must agree once.
    let mut last = (String::new(), String::new());
    let agreed = wait::maybe(secs(10), || {
        last = (ctl(&run.site.director, "show ipvs"), table(&run.site.director));
        (last.0 == last.1).then_some(())
    });
    assert!(agreed.is_some(), "lvsbox:\n{}\nipvsadm:\n{}", last.0, last.1);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn show_ipvs_has_the_layout_of_every_kind_of_row() {
    let site = Site::nat();
    let scratch = Scratch::new("layout");
    let services = [
        Service::new("10.0.0.1 80", "wrr", "DR", &["192.168.77.1 80", "10.0.0.3 80"])
            .line("persistence_timeout 300"),
        Service::new("10.0.0.1 443", "sh", "TUN", &["192.168.77.2 443"]),
        Service::new("fwmark 7", "rr", "NAT", &["10.0.0.3 80"]),
        Service::new("2001:db8::1 80", "wlc", "DR", &["2001:db8::11 80", "2001:db8::12 80"]),
    ];
    let text: String = services.iter().map(ToString::to_string).collect();
    let _director = Make::Lvsbox.start(&site.director, &text, &scratch);
    wait::until("all rows", secs(10), || (saved(&site.director).len() == 10).then_some(()));
    assert_eq!(ctl(&site.director, "show ipvs"), table(&site.director));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn every_view_is_answered_as_text_and_as_json() {
    let run = Running::new();
    for view in ["status", "show vrrp", "show ipvs", "show checks", "show memory", "show loop"] {
        assert!(!ctl(&run.site.director, view).trim().is_empty(), "{view}");
        let json = ctl(&run.site.director, &format!("{view} json"));
        assert!(
            json.trim_start().starts_with(['{', '[']) && json.trim_end().ends_with(['}', ']']),
            "{view}: {json}"
        );
    }
    assert!(ctl(&run.site.director, "show checks").contains("10.0.2.11"));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn stop_leaves_an_empty_table_and_no_address() {
    let mut run = Running::new();
    assert!(run.director.stop(secs(10)).success());
    assert_eq!(saved(&run.site.director), [""; 0]);
    assert!(!run.site.director.has_address("eth0", super::VIP));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn stop_with_keep_ipvs_leaves_the_table_and_the_next_start_takes_it_over() {
    let site = Site::nat();
    let scratch = Scratch::new("keep");
    let _servers = [site.serve(0), site.serve(1)];
    let text = site.text(&site.service());
    let mut command = lvsbox_run(&site.director, &text, &scratch);
    command.arg("--keep-ipvs");
    let mut first = Process::spawn(command, "lvsbox", &scratch.join("keep.log"));
    site.wait_ready();
    let before = saved(&site.director);
    assert!(first.stop(secs(10)).success());
    assert!(before.len() == 3 && saved(&site.director) == before, "{before:?}");
    let mut second = Make::Lvsbox.start(&site.director, &text, &scratch);
    site.wait_ready();
    assert_eq!(saved(&site.director), before);
    assert!(second.stop(secs(10)).success());
    assert_eq!(saved(&site.director), [""; 0]);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn service_of_port_0_gets_persistence_with_a_warning_that_names_it() {
    let site = Site::nat();
    let scratch = Scratch::new("port0");
    let bad = Service::new("10.0.1.101 0", "rr", "NAT", &["10.0.2.11 0"]);
    let text = format!("{}{bad}", site.text(&site.service()));
    let _servers = [site.serve(0), site.serve(1)];
    let director = Make::Lvsbox.start(&site.director, &text, &scratch);
    site.wait_ready();
    assert!(director.log().contains("warning[W0306]: port 0"), "{}", director.log());
    let service = saved(&site.director).into_iter().find(|line| line.starts_with("-A -t 10.0.1.101:0"));
    assert_eq!(service.as_deref(), Some("-A -t 10.0.1.101:0 -s rr -p 360"), "as keepalived does it");
}

/// The release binary, as `tests/run` builds it: an unoptimised one that links the C library is larger by itself.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn resident_memory_is_under_two_mebibytes_with_two_services() {
    let site = Site::nat();
    let scratch = Scratch::new("memory");
    let _servers = [site.serve(0), site.serve(1)];
    let (first, second) = (site.real(0), site.real(1));
    let other = Service::new("10.0.1.100 8080", "wlc", "NAT", &[&first, &second]).line("delay_loop 1");
    let text = format!("{}{other}", site.text(&site.service()));
    let director = Make::Lvsbox.start(&site.director, &text, &scratch);
    site.wait_ready();
    ctl(&site.director, "show checks");
    let resident = director.status("VmRSS");
    println!("VmRSS {resident} KiB");
    assert!(resident < 2_048, "{resident} KiB");
    assert_eq!(director.status("Threads"), 1);
}
