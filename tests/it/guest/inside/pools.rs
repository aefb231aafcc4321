//! `ha_suspend` beside keepalived, checked sorry servers in the kernel's table, and the largest table there can be.

use std::fmt::Write as _;
use std::net::TcpListener;

use lab::netns::{Host, Lan};
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::{saved, weight};
use crate::rig::{Make, ctl};

const CHECK: &str = "TCP_CHECK {\n connect_timeout 1\n retry 0\n delay_before_retry 1\n}";

fn service(lines: &str, servers: &[&str]) -> String {
    let head = "virtual_server 10.9.1.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n delay_loop 1";
    let mut text = format!("{head}\n{lines}\n");
    for server in servers {
        writeln!(text, "real_server {server} {{\n{CHECK}\n}}").unwrap();
    }
    text + "}\n"
}

/// A director and the host of all servers, none of which listens.
fn site() -> (Lan, Host, Host) {
    let lan = Lan::new();
    let (director, web) = (lan.host("director", &["10.9.0.2/24"]), lan.host("web", &["10.9.0.1/24"]));
    (lan, director, web)
}

fn checks_follow_the_address(make: Make) {
    let (_lan, director, web) = site();
    let scratch = Scratch::new("suspend");
    let other = service("", &["10.9.0.1 8080"]).replace("10.9.1.1 80", "10.9.1.2 80");
    let text = service("ha_suspend", &["10.9.0.1 8081"]) + &other;
    let process = make.start(&director, &text, &scratch);
    let (suspended, checked) = ("10.9.0.1:8081", "10.9.0.1:8080");
    let wait = |key: &str, expected: Option<u32>| {
        wait::until(&format!("{key} {expected:?} {make:?}"), secs(30), || {
            (weight(&director, key) == expected).then_some(())
        });
    };
    wait(suspended, Some(1));
    // Whatever is checked all the time is down by then, the other one twice over.
    wait(checked, None);
    wait::steady("the server is assumed up", secs(3), || weight(&director, suspended) == Some(1));
    director.ip("addr add 10.9.1.1/32 dev eth0");
    wait(suspended, None);
    process.wait_line(
        "Activating healthchecker for service [10.9.0.1]:tcp:8081 for VS [10.9.1.1]:tcp:80",
        secs(5),
    );
    director.ip("addr del 10.9.1.1/32 dev eth0");
    process.wait_line(
        "Suspending healthchecker for service [10.9.0.1]:tcp:8081 for VS [10.9.1.1]:tcp:80",
        secs(5),
    );
    let _listener = web.enter(|| TcpListener::bind("10.9.0.1:8081")).unwrap();
    wait::steady("the last verdict stays", secs(3), || weight(&director, suspended).is_none());
    // Any interface will do.
    director.ip("link set lo up");
    director.ip("addr add 10.9.1.1/32 dev lo");
    wait(suspended, Some(1));
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn laboratory_checks_follow_the_address() {
    checks_follow_the_address(Make::Keepalived);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn checks_are_made_where_the_address_is() {
    checks_follow_the_address(Make::Lvsbox);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn of_several_sorry_servers_those_serve_that_live() {
    let (_lan, director, web) = site();
    let scratch = Scratch::new("sorries");
    let checked = |port: u16| format!("sorry_server 10.9.0.1 {port} {{\n{CHECK}\n}}\n");
    let lines = checked(9001) + &checked(9002);
    let mut first = Some(web.enter(|| TcpListener::bind("10.9.0.1:9001")).unwrap());
    let _second = web.enter(|| TcpListener::bind("10.9.0.1:9002")).unwrap();
    let process = Make::Lvsbox.start(&director, &service(&lines, &["10.9.0.1 8080"]), &scratch);
    let table = |ports: &[u16]| {
        let mut expected = vec!["-A -t 10.9.1.1:80 -s rr".to_owned()];
        expected.extend(ports.iter().map(|port| format!("-a -t 10.9.1.1:80 -r 10.9.0.1:{port} -m -w 1")));
        wait::until(&format!("{ports:?}"), secs(20), || (saved(&director) == expected).then_some(()));
    };
    table(&[9001, 9002]);
    first.take();
    table(&[9002]);
    process.wait_line("Removing sorry server [10.9.0.1]:tcp:9001 from VS [10.9.1.1]:tcp:80", secs(5));
    let _real = web.enter(|| TcpListener::bind("10.9.0.1:8080")).unwrap();
    table(&[8080]);
    assert!(ctl(&director, "show checks").contains("sorry, "));
}

/// Batches: far fewer system calls than objects, and the command says how many.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn the_largest_table_is_installed_in_batches() {
    const SERVICES: usize = 4_096;
    const EACH: usize = 16;
    let director = lab::netns::Namespace::new("largest");
    let scratch = Scratch::new("largest");
    let mut text = String::new();
    for service in 0..SERVICES {
        let (high, low) = (service / 256, service % 256);
        writeln!(text, "virtual_server 10.{high}.{low}.1 80 {{\nlb_algo rr\nlb_kind NAT\nprotocol TCP")
            .unwrap();
        for server in 0..EACH {
            writeln!(text, "real_server 10.{}.{low}.{server} 80 {{\n}}", 100 + high).unwrap();
        }
        text += "}\n";
    }
    let process = Make::Lvsbox.start(&director, &text, &scratch);
    let objects = SERVICES * (EACH + 1);
    wait::until("the whole table", secs(200), || {
        let lines = director.run("wc -l /proc/net/ip_vs");
        // Three lines are a head.
        let seen: usize = lines.split_whitespace().next()?.parse().ok()?;
        (seen == objects + 3).then_some(())
    });
    let said = ctl(&director, "show loop");
    let line = said.lines().find(|line| line.starts_with("ipvs      ")).unwrap_or_else(|| panic!("{said}"));
    println!("{objects} objects, {line}");
    let numbers: Vec<usize> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [requests, sends, reads] = numbers[..] else { panic!("{line}") };
    assert!(requests >= objects, "{line}");
    assert!(sends * 4 < requests, "{line}");
    assert!(reads < 2 * requests, "{line}");
    drop(process);
}
