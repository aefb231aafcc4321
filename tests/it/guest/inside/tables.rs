//! The same configuration through keepalived and through lvsbox: the same table.

use lab::netns::Namespace;
use lab::scratch::Scratch;
use lab::wait::{self, secs};

use super::saved;
use crate::rig::{Make, Service};

/// Runs both makes on `services` and compares; `lines` is how many lines `ipvsadm -Sn` must have.
#[track_caller]
fn same_table(services: &[Service], lines: usize) {
    same_table_of(&services.iter().map(ToString::to_string).collect::<String>(), lines);
}

/// The same with the text of the configuration.
#[track_caller]
fn same_table_of(text: &str, lines: usize) {
    let scratch = Scratch::new("tables");
    let installed = |make: Make| {
        let namespace = Namespace::new("table");
        let mut director = make.start(&namespace, text, &scratch);
        let what = format!("{lines} lines of {make:?}");
        let whole = wait::maybe(secs(15), || (saved(&namespace).len() == lines).then_some(()));
        let table = saved(&namespace);
        assert!(whole.is_some(), "{what}: {table:#?}\n{}", director.log());
        assert!(director.stop(secs(10)).success());
        assert_eq!(saved(&namespace), [""; 0], "{make:?} leaves an empty table");
        table
    };
    let theirs = installed(Make::Keepalived);
    assert_eq!(installed(Make::Lvsbox), theirs);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn laboratory_ipvsadm_reads_back_what_it_wrote() {
    assert!(lab::guest::is_inside());
    let namespace = Namespace::new("readback");
    namespace.run("ipvsadm -A -t 10.0.0.1:80 -s wrr -p 300");
    namespace.run("ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 3");
    let expected = ["-A -t 10.0.0.1:80 -s wrr -p 300", "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 3"];
    assert_eq!(saved(&namespace), expected);
    assert_eq!(saved(&Namespace::new("other")), [""; 0], "each namespace has a table of its own");
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn dr_nat_and_tun_are_as_keepalived_installs_them() {
    let real = ["10.0.0.11 80", "10.0.0.12 80"];
    let nat = Service::new("10.0.0.2 80", "wlc", "NAT", &["10.0.0.11 8080", "10.0.0.12 8081"]);
    let udp = Service {
        lines: vec!["lb_algo rr".into(), "lb_kind NAT".into(), "protocol UDP".into()],
        ..nat.clone()
    };
    same_table(
        &[
            Service::new("10.0.0.1 80", "wrr", "DR", &real),
            nat,
            udp,
            Service::new("10.0.0.3 80", "rr", "TUN", &real),
        ],
        12,
    );
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn ipv6_is_as_keepalived_installs_it() {
    let real = ["2001:db8::11 80", "2001:db8::12 80"];
    let services = ["DR", "TUN"]
        .map(|method| Service::new(&format!("2001:db8::{} 80", method.len()), "wrr", method, &real));
    let nat = Service::new("2001:db8::9 443", "lc", "NAT", &["2001:db8::11 8443", "2001:db8::12 8444"]);
    same_table(&[services.to_vec(), vec![nat.line("persistence_timeout 60")]].concat(), 9);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn firewall_marks_are_as_keepalived_installs_them() {
    let first = Service::new("fwmark 7", "wrr", "DR", &["10.0.0.11 0", "10.0.0.12 0"]);
    let second = Service::new("fwmark 8", "rr", "NAT", &["10.0.0.11 80", "10.0.0.12 81"])
        .line("persistence_timeout 30");
    same_table(&[first, second], 6);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn groups_are_as_keepalived_installs_them() {
    let group = "virtual_server_group G {\n 10.0.0.1 80\n 10.0.0.4-6 443\n 10.0.0.8/30 81\n fwmark 9\n}\n";
    let real = ["10.0.0.11 80", "10.0.0.12 80"];
    let nat = Service::new("group G", "wrr", "NAT", &real).line("persistence_timeout 30");
    same_table_of(&format!("{group}{nat}"), 27);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn groups_and_marks_of_ipv6_are_as_keepalived_installs_them() {
    let group = "virtual_server_group G {\n 2001:db8::1-3 80\n}\n";
    let real = ["2001:db8::11 80", "2001:db8::12 80"];
    let nat = Service::new("group G", "rr", "NAT", &real);
    let mark = Service::new("fwmark 8", "rr", "NAT", &real).line("ip_family inet6");
    same_table_of(&format!("{group}{nat}{mark}"), 12);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn persistence_is_as_keepalived_installs_it() {
    let real = ["10.0.0.11 0", "10.0.0.12 0"];
    let all_ports = Service::new("10.0.0.1 0", "rr", "DR", &real).line("persistence_timeout 300");
    let one_port = Service::new("10.0.0.1 80", "rr", "DR", &["10.0.0.11 80"]).line("persistence_timeout 50");
    let default = Service::new("10.0.0.2 80", "rr", "DR", &["10.0.0.11 80"]).line("persistence_timeout");
    same_table(&[all_ports, one_port, default], 7);
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn every_scheduler_of_the_kernel_is_installed_as_keepalived_does() {
    let names = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];
    let services: Vec<Service> = (1..)
        .zip(names)
        .map(|(last, name): (u8, _)| {
            Service::new(&format!("10.0.0.{last} 80"), name, "DR", &["10.0.0.101 80", "10.0.0.102 80"])
        })
        .collect();
    same_table(&services, 3 * names.len());
}

/// Every kind of service and of real server, and how many lines `ipvsadm -Sn` has for them.
pub(super) const EVERY_KIND: (&str, usize) = (
    "
virtual_server 10.0.0.1 80 {
 lvs_sched wrr\n lvs_method NAT\n protocol TCP
 persistence_timeout 300\n persistence_granularity 255.255.255.0
 real_server 10.0.0.11 80 {\n weight 0\n }
 real_server 10.0.0.12 8080 {\n weight 65535\n uthreshold 10\n lthreshold 5\n }
 real_server 192.168.77.1 80 {\n weight 3\n lvs_method DR\n }
 real_server 10.0.0.14 80 {\n lvs_method TUN type gre csum\n }
}
virtual_server 10.0.0.1 443 {
 lvs_sched sh\n sh-port\n sh-fallback\n lvs_method DR\n protocol TCP
 real_server 10.0.0.11 443 {\n weight 2\n }
}
virtual_server 10.0.0.2 80 {
 lvs_sched mh\n mh-port\n mh-fallback\n lvs_method DR\n protocol TCP
 real_server 10.0.0.11 80 {\n }
}
virtual_server 10.0.0.3 53 {
 lvs_sched rr\n ops\n lvs_method NAT\n protocol UDP
 real_server 10.0.0.11 53 {\n }
}
virtual_server 10.0.0.4 5060 {
 lvs_sched rr\n lvs_method NAT\n protocol UDP\n persistence_timeout 30\n persistence_engine sip
 real_server 10.0.0.11 5060 {\n }
}
virtual_server 10.0.0.5 99 {
 lvs_sched wlc\n lvs_method NAT\n protocol SCTP
 real_server 10.0.0.11 99 {\n }
}
virtual_server 10.0.0.6 80 {
 lvs_sched wlc\n flag-1\n flag-2\n flag-3\n lvs_method TUN\n protocol TCP
 real_server 10.0.0.11 80 {\n }
 real_server 10.0.0.12 80 {\n lvs_method TUN type ipip\n }
 real_server 10.0.0.13 80 {\n lvs_method TUN type gue port 6080\n }
 real_server 10.0.0.14 80 {\n lvs_method TUN type gue port 6081 csum\n }
 real_server 10.0.0.15 80 {\n lvs_method TUN type gue port 6082 remcsum\n }
 real_server 10.0.0.16 80 {\n lvs_method TUN type gre nocsum\n }
}
virtual_server 10.0.0.7 80 {
 lvs_sched rr\n lvs_method TUN\n protocol TCP
 real_server 2001:db8::11 80 {\n }
 real_server 10.0.0.11 80 {\n }
}
virtual_server 2001:db8::1 80 {
 lvs_sched wrr\n lvs_method TUN\n protocol TCP\n persistence_timeout 60\n persistence_granularity 64
 real_server 10.0.0.11 80 {\n weight 7\n }
 real_server 2001:db8::12 80 {\n }
}
virtual_server fwmark 7 {
 lvs_sched lc\n lvs_method NAT
 real_server 10.0.0.11 80 {\n }
}
virtual_server fwmark 8 {
 ip_family inet6\n lvs_sched rr\n lvs_method DR\n persistence_timeout 60
 real_server 2001:db8::11 {\n }
}
",
    32,
);

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn every_kind_of_service_and_server_is_as_keepalived_installs_it() {
    let views = ["-Sn", "-Ln", "-Ln --tun-info", "-Ln --thresholds"];
    let [theirs, ours] = [Make::Keepalived, Make::Lvsbox].map(|make| {
        let (namespace, scratch) = (Namespace::new("kinds"), Scratch::new("kinds"));
        let mut director = make.start(&namespace, EVERY_KIND.0, &scratch);
        let whole = wait::maybe(secs(15), || (saved(&namespace).len() == EVERY_KIND.1).then_some(()));
        assert!(whole.is_some(), "{make:?}: {:#?}\n{}", saved(&namespace), director.log());
        let seen = views.map(|options| namespace.run(&format!("ipvsadm {options}")));
        assert!(director.stop(secs(10)).success());
        seen
    });
    for ((ours, theirs), options) in ours.iter().zip(&theirs).zip(views) {
        assert_eq!(ours, theirs, "ipvsadm {options}");
    }
}

#[test]
#[ignore = "needs IPVS: runs in a guest"]
fn a_scheduler_that_the_kernel_lacks_is_named_and_the_rest_goes_on() {
    let (namespace, scratch) = (Namespace::new("lacks"), Scratch::new("lacks"));
    let text = ["twos", "rr"].map(|name| {
        Service::new(&format!("10.0.0.{} 80", name.len()), name, "DR", &["10.0.0.11 80"]).to_string()
    });
    let director = Make::Lvsbox.start(&namespace, &text.concat(), &scratch);
    wait::until("the other service", secs(10), || (saved(&namespace).len() == 2).then_some(()));
    wait::until("a line", secs(5), || director.log().contains("twos").then_some(()));
    assert!(crate::rig::ctl(&namespace, "status").contains("refused by the kernel"), "{}", director.log());
}
