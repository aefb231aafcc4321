//! A neighbour table that is too small for the servers on the LAN: our fault and no verdict.

use std::fs;

use lab::netns::Lan;
use lab::scratch::Scratch;
use lab::wait::{self, secs};
use lab::web::{Behaviour, WebServer};

use crate::rig::{Make, Service, ctl};

/// Rows of the table, for all namespaces of the guest together.
pub(super) fn table_of(rows: [u32; 3]) {
    assert!(lab::guest::is_inside(), "this would change the host");
    for (number, rows) in (1..).zip(rows) {
        fs::write(format!("/proc/sys/net/ipv4/neigh/default/gc_thresh{number}"), rows.to_string()).unwrap();
    }
}

#[test]
#[ignore = "changes the whole kernel: runs in a guest"]
fn an_overflowing_neighbour_table_is_an_alarm_and_no_server_goes_down_for_it() {
    const SERVERS: u32 = 60;
    let lan = Lan::new();
    let director = lan.host("dir", &["10.9.0.1/24"]);
    let addresses: Vec<String> = (0..SERVERS).map(|row| format!("10.9.0.{}/24", 100 + row)).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let server = lan.host("srv", &addresses);
    let _web = WebServer::start(&server, "0.0.0.0:80", Behaviour::Normal, "web");
    table_of([4, 8, 16]);
    let scratch = Scratch::new("neighbours");
    let text: String = (0..SERVERS)
        .map(|row| {
            Service::new(&format!("10.9.1.{row} 80"), "rr", "NAT", &[&format!("10.9.0.{} 80", 100 + row)])
                .line("delay_loop 1")
                .check("TCP_CHECK {\n connect_timeout 1\n retry 0\n}")
                .to_string()
        })
        .collect();
    let running = Make::Lvsbox.start(&director, &text, &scratch);
    running.wait_line("net.ipv4.neigh.default.gc_thresh3 is 16, and this configuration needs", secs(5));
    running.wait_line("not made: neighbour table full on this side", secs(30));
    wait::until("the alarm", secs(30), || {
        ctl(&director, "status")
            .contains("not made: neighbour table full (neigh.default.gc_thresh3)")
            .then_some(())
    });
    // Servers that were checked meanwhile are up, and none of the others is down.
    assert!(!ctl(&director, "show checks").contains("DOWN"), "{}", ctl(&director, "show checks"));
    table_of([128, 512, 1_024]);
    running.wait_line("Every check can be made again", secs(60));
    assert_eq!(running.count("failed. ("), 0, "it was no verdict");
    // A server that is silent while there is room is down as ever.
    server.ip("addr del 10.9.0.100/24 dev eth0");
    wait::until("down", secs(40), || ctl(&director, "show checks").contains("DOWN").then_some(()));
}
