//! What a verdict does to the kernel's table.

use lab::process::Process;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};

use super::{Site, table, weight};
use crate::rig::{Make, Service, ctl, http_check};

fn inhibited_server_stays_with_weight_zero(make: Make) {
    let site = Site::nat();
    let scratch = Scratch::new("inhibit");
    let servers = (site.serve(0), site.serve(1));
    let _director =
        make.start(&site.director, &site.text(&site.service().check("inhibit_on_failure")), &scratch);
    site.wait_ready();
    servers.1.behave(Behaviour::Unavailable);
    site.wait_weight(1, Some(0), secs(15));
    assert_eq!(site.ask_times(4), [4, 0, 0]);
    servers.1.behave(Behaviour::Normal);
    site.wait_weight(1, Some(2), secs(15));
}

fn sorry_server_takes_over_while_all_are_down(make: Make) {
    let site = Site::nat();
    let scratch = Scratch::new("sorry");
    let servers = (site.serve(0), site.serve(1));
    let sorry = WebServer::start(&site.web[1], "0.0.0.0:8080", Behaviour::Normal, "sorry");
    let service = site.service().line("sorry_server 10.0.2.12 8080");
    let _director = make.start(&site.director, &site.text(&service), &scratch);
    site.wait_ready();
    assert_eq!(weight(&site.director, "10.0.2.12:8080"), None, "no sorry server while others live");
    drop(servers);
    wait::until("the sorry server", secs(15), || weight(&site.director, "10.0.2.12:8080"));
    site.wait_weight(0, None, secs(5));
    site.wait_weight(1, None, secs(5));
    wait::until("its answer", secs(5), || (site.ask() == "sorry").then_some(()));
    assert!(sorry.requests("/") > 0);
    let _back = site.serve(0);
    site.wait_weight(0, Some(1), secs(15));
    wait::until("the sorry server to go", secs(5), || {
        weight(&site.director, "10.0.2.12:8080").is_none().then_some(())
    });
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn laboratory_inhibit_on_failure() {
    inhibited_server_stays_with_weight_zero(Make::Keepalived);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn laboratory_sorry_server() {
    sorry_server_takes_over_while_all_are_down(Make::Keepalived);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn inhibit_on_failure_keeps_the_server_with_weight_zero() {
    inhibited_server_stays_with_weight_zero(Make::Lvsbox);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn sorry_server_stands_in_while_all_are_down() {
    sorry_server_takes_over_while_all_are_down(Make::Lvsbox);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn tcp_check_follows_the_port() {
    let site = Site::nat();
    let scratch = Scratch::new("tcp");
    let servers = (site.serve(0), site.serve(1));
    let (first, second) = (site.real(0), site.real(1));
    let service = Service::new("10.0.1.100 80", "rr", "NAT", &[&first, &second]).line("delay_loop 1");
    let service = service.check("TCP_CHECK {\n connect_timeout 1\n retry 1\n delay_before_retry 1\n}");
    let _director = Make::Lvsbox.start(&site.director, &site.text(&service), &scratch);
    site.wait_ready();
    drop(servers.1);
    site.wait_weight(1, None, secs(15));
    let _back = site.serve(1);
    site.wait_weight(1, Some(2), secs(15));
    assert!(servers.0.connections() > 0);
}

/// Servers that hold a check up, each in its own way: down within the deadline, at bounded cost, and the good one
/// stays.
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn hostile_servers_are_down_within_the_deadline() {
    let site = Site::nat();
    let scratch = Scratch::new("hostile");
    let hostile = [Behaviour::Silent, Behaviour::Drip, Behaviour::EndlessHeaders, Behaviour::Garbage];
    let good = site.serve(0);
    let ports = [8001, 8002, 8003, 8004];
    let servers: Vec<WebServer> = ports
        .iter()
        .zip(hostile)
        .map(|(port, behaviour)| {
            WebServer::start(&site.web[1], &format!("0.0.0.0:{port}"), behaviour, "hostile")
        })
        .collect();
    let mut reals = vec![site.real(0)];
    reals.extend(ports.iter().map(|port| format!("10.0.2.12 {port}")));
    let reals: Vec<&str> = reals.iter().map(String::as_str).collect();
    let service =
        Service::new("10.0.1.100 80", "rr", "NAT", &reals).line("delay_loop 1").check(&http_check());
    let director = Make::Lvsbox.start(&site.director, &site.text(&service), &scratch);
    wait::until("the service", secs(10), || weight(&site.director, "10.0.2.11:80"));
    for port in ports {
        let key = format!("10.0.2.12:{port}");
        wait::until(&format!("{key} to be down"), secs(20), || {
            weight(&site.director, &key).is_none().then_some(())
        });
    }
    let memory = director.status("VmRSS");
    let rounds: Vec<u64> = servers.iter().map(WebServer::connections).collect();
    wait::until("ten more checks of each", secs(60), || {
        servers.iter().zip(&rounds).all(|(server, before)| server.connections() >= before + 10).then_some(())
    });
    let grown = director.status("VmRSS").saturating_sub(memory);
    assert!(grown <= 64, "grown by {grown} KiB");
    assert_eq!(weight(&site.director, "10.0.2.11:80"), Some(1), "{}", table(&site.director));
    assert!(good.requests("/check") > 0);
    assert!(ctl(&site.director, "show checks").contains("10.0.2.12"));
}

/// Servers that keepalived and lvsbox judge alike, and those they do not (`lvsbox help differences`).
#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn odd_web_servers_are_judged_as_keepalived_judges_them() {
    const HOSTILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/check/hostile.py");
    let site = Site::nat();
    let mut command = site.web[0].command("python3");
    command.args([HOSTILE, "10.0.2.11"]);
    let scratch = Scratch::new("odd");
    let _servers = Process::spawn(command, "web servers", &scratch.join("servers.log"));
    wait::until("the servers", secs(20), || site.web[0].run("ss -Hltn").contains(":8025 ").then_some(()));
    let check = "HTTP_GET {\n connect_timeout 1\n retry 0\n url {\n path /\n }\n}";
    let service = |port: u16| {
        let real = format!("10.0.2.11 {port}");
        Service::new(&format!("10.0.1.100 {port}"), "rr", "NAT", &[&real])
            .line("delay_loop 1")
            .check(check)
            .to_string()
    };
    let text: String = (8_001..=8_025).map(service).collect();
    // Seen with 2.2.7: a byte at a time (9) and endless interim replies (12) keep it waiting for ever and broken chunks
    // (14) are no matter; a reset behind the whole reply (4), an interim reply first (17) and bare line feeds (19) are.
    let ours = "1 2 3 6 7 9 11 12 14 18 22 23 24 ";
    let theirs = "1 2 3 4 6 7 11 17 18 19 22 23 24 ";
    for (make, expected) in [(Make::Lvsbox, ours), (Make::Keepalived, theirs)] {
        let mut director = make.start(&site.director, &text, &scratch);
        let down = || {
            let table = table(&site.director);
            // How far an endless body (10) is read in the time depends on the machine.
            let rows = (1..=25).filter(|row| *row != 10);
            let gone = rows.filter(|row| !table.contains(&format!("10.0.2.11:{} ", 8_000 + row)));
            gone.map(|row| format!("{row} ")).collect::<String>()
        };
        let judged = wait::maybe(secs(25), || (down() == expected).then_some(()));
        assert!(judged.is_some(), "{make:?} has taken out {}and not {expected}", down());
        director.stop(secs(20));
    }
}
