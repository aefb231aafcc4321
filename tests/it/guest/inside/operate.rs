//! Weights set by hand, servers that leave and servers that return, as `ipvsadm` and clients see them.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use lab::scratch::Scratch;
use lab::wait::{self, secs};
use rustix::process::Signal;

use super::{SERVICE, Site, table, weight};
use crate::rig::{Make, Service, configuration, ctl, http_check};

/// A request that is begun and not yet ended.
fn begin(site: &Site) -> TcpStream {
    site.client.enter(|| {
        let mut stream = TcpStream::connect(SERVICE).unwrap();
        stream.set_read_timeout(Some(secs(10))).unwrap();
        stream.write_all(b"GET /long HTTP/1.0\r\n").unwrap();
        stream
    })
}

/// Ends it: the last word of what the server says.
fn end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    let read = stream.write_all(b"\r\n").and_then(|()| stream.read_to_string(&mut text));
    read.map_or_else(|error| error.to_string(), |_| text.trim_end().rsplit('\n').next().unwrap_or("").into())
}

/// One request at each of the two, round robin.
fn begin_at_both(site: &Site) -> [TcpStream; 2] {
    let open = [begin(site), begin(site)];
    wait::until("both connections", secs(5), || {
        let listed = site.director.run("ipvsadm -Lnc");
        let at = |index: usize| {
            let server = format!("{}:80", site.addresses[index]);
            listed.lines().any(|line| line.contains("ESTABLISHED") && line.ends_with(&server))
        };
        (at(0) && at(1)).then_some(())
    });
    open
}

fn both_answered(open: [TcpStream; 2]) {
    let mut answers = open.map(end);
    answers.sort();
    assert_eq!(answers, ["web0", "web1"], "connections live on");
}

fn drained_and_enabled(site: &Site) {
    let scratch = Scratch::new("drain");
    let _servers = (site.serve(0), site.serve(1));
    let director = Make::Lvsbox.start(&site.director, &site.text(&site.service()), &scratch);
    site.wait_ready();
    wait::until("a first answer", secs(10), || site.ask().starts_with("web").then_some(()));
    let open = begin_at_both(site);
    let server = format!("{}:80", site.addresses[1]);
    let told = ctl(&site.director, &format!("real {server} drain"));
    assert!(told.contains("weight 0, configured 2"), "{told}");
    site.wait_weight(1, Some(0), secs(2));
    assert_eq!(site.ask_times(6), [6, 0, 0], "new ones go elsewhere");
    director.signal(Signal::HUP);
    director.wait_line("Reload complete", secs(10));
    assert_eq!(site.ask_times(6), [6, 0, 0], "kept across a reload");
    both_answered(open);
    assert!(ctl(&site.director, "status").contains(", 1 override"));
    let why = ctl(&site.director, &format!("why {server}"));
    assert!(why.contains("2 configured, 0 in the kernel") && why.contains("drained by the console"), "{why}");
    ctl(&site.director, &format!("real {server} weight 7 of {SERVICE}"));
    site.wait_weight(1, Some(7), secs(2));
    ctl(&site.director, &format!("real {server} enable"));
    site.wait_weight(1, Some(2), secs(2));
    assert_eq!(site.ask_times(10), [5, 5, 0]);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_drained_server_keeps_its_connections_and_gets_no_new_ones_nat() {
    drained_and_enabled(&Site::nat());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_drained_server_keeps_its_connections_and_gets_no_new_ones_dr() {
    drained_and_enabled(&Site::direct());
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_server_that_a_reload_removes_leaves_when_its_connections_are_over() {
    let (site, scratch) = (Site::nat(), Scratch::new("leave"));
    let _servers = (site.serve(0), site.serve(1));
    let with_time = |service: Service| service.line("drain_time 120");
    let director = Make::Lvsbox.start(&site.director, &site.text(&with_time(site.service())), &scratch);
    site.wait_ready();
    wait::until("a first answer", secs(10), || site.ask().starts_with("web").then_some(()));
    let open = begin_at_both(&site);
    let alone = Service::new("10.0.1.100 80", "rr", "NAT", &[&site.real(0)]).line("delay_loop 1");
    let text = site.text(&with_time(alone.check(&http_check())));
    std::fs::write(configuration(&site.director, &scratch), text).unwrap();
    director.signal(Signal::HUP);
    director.wait_line("no longer configured: drained for at most 120 s", secs(10));
    site.wait_weight(1, Some(0), secs(2));
    assert_eq!(site.ask_times(6), [6, 0, 0]);
    wait::until("its connection in show checks", secs(15), || {
        ctl(&site.director, "show checks").contains(":80 draining, 1 active connection, ").then_some(())
    });
    assert_eq!(weight(&site.director, "10.0.2.12:80"), Some(0), "{}", table(&site.director));
    both_answered(open);
    site.wait_weight(1, None, secs(20));
    director.wait_line("no connections are left: removing it", secs(5));
    assert!(!ctl(&site.director, "show checks").contains("draining"));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn the_weight_of_a_returned_server_rises_in_the_kernel() {
    let (site, scratch) = (Site::nat(), Scratch::new("rise"));
    let servers = (site.serve(0), site.serve(1));
    let service = site.service().check("weight 13\nslow_start 8");
    let _director = Make::Lvsbox.start(&site.director, &site.text(&service), &scratch);
    site.wait_weight(1, Some(13), secs(15));
    drop(servers.1);
    site.wait_weight(1, None, secs(15));
    let _back = site.serve(1);
    let mut seen = BTreeSet::new();
    wait::until("all of its weight", secs(30), || {
        let now = weight(&site.director, "10.0.2.12:80");
        seen.extend(now);
        (now == Some(13)).then_some(())
    });
    // Eight steps of a second; a busy guest may not be shown each.
    let steps = BTreeSet::from([1, 2, 4, 5, 7, 8, 10, 11, 13]);
    assert!(seen.is_subset(&steps) && seen.len() >= 6, "{seen:?}");
}
