//! Sockets with a receive buffer of 4 KiB: acknowledgements and dumps get lost, and nothing else may.

use std::fs;

use lab::netns::{Lan, Namespace};
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::saved;
use crate::rig::{Make, Service, most_addresses};

/// Every socket opened from now on, in the whole guest.
fn shrink_buffers() {
    assert!(lab::guest::is_inside(), "this would change the host");
    for name in ["rmem_default", "rmem_max"] {
        fs::write(format!("/proc/sys/net/core/{name}"), "4096").unwrap();
    }
}

#[test]
#[ignore = "changes the whole kernel: runs in a guest"]
fn four_thousand_and_ninety_six_addresses_with_a_buffer_of_4_kib() {
    shrink_buffers();
    let lan = Lan::new();
    let host = lan.host("many", &["10.9.0.1/24"]);
    let scratch = Scratch::new("many");
    let mut director = Make::Lvsbox.start(&host, &most_addresses(), &scratch);
    let count =
        || host.ip("-o -4 addr show dev eth0").lines().filter(|line| line.contains(" 10.64.")).count();
    wait::until("all addresses", secs(90), || (count() == 4_096).then_some(()));
    assert!(director.stop(secs(60)).success());
    assert_eq!(count(), 0);
}

#[test]
#[ignore = "changes the whole kernel: runs in a guest"]
fn two_hundred_services_with_a_buffer_of_4_kib() {
    shrink_buffers();
    let namespace = Namespace::new("services");
    let scratch = Scratch::new("services");
    let text: String = (1..=200)
        .map(|last| {
            Service::new(&format!("10.0.0.{last} 80"), "rr", "DR", &["10.0.1.1 80", "10.0.1.2 80"])
                .to_string()
        })
        .collect();
    let mut director = Make::Lvsbox.start(&namespace, &text, &scratch);
    wait::until("all rows", secs(60), || (saved(&namespace).len() == 600).then_some(()));
    assert!(director.stop(secs(30)).success());
    assert_eq!(saved(&namespace), [""; 0]);
}
