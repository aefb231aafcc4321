//! What `why` says, and how overrides, drains and rising weights are shown.

use super::*;
use crate::config::Config;
use crate::config::model::{TrackTarget, Tracker};
use crate::wire::genl_ipvs::{DestinationEntry, DestinationSpec};

#[test]
fn why_says_why_this_box_is_not_master_and_when_it_would_be() {
    let mut bench = master();
    hear(&mut bench, 200, |_| ());
    bench.now = at(9_000);
    let asked = |bench: &mut Bench, line: &str| {
        let shown = bench.ask("why VI_1");
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    };
    asked(&mut bench, "  why not we    our priority 100 is less than 200 of 10.9.0.66");
    asked(&mut bench, "                it would take over 3.609 s after the last advert that counts");
    hear(&mut bench, 100, |_| ());
    asked(&mut bench, "  why not we    10.9.0.66 has priority 100 too, and who is MASTER stays it");
    hear(&mut bench, 50, |_| ());
    asked(&mut bench, "  why not we    it waits 3.609 s for a router better than 100; 50 does not count");
}

#[test]
fn why_shows_what_has_the_name_and_nothing_else() {
    let bench = master();
    let instance = bench.ask("why VI_1");
    assert!(
        instance.starts_with("VI_1  MASTER on eth0, VRID 1, for 3.7 s\n  why           no advert in time\n")
    );
    assert!(instance.contains("  next          advert in ") && !instance.contains("VI_2"), "{instance}");
    let expected = "10.9.0.100/24 on eth0: present\n  why           VI_1 is MASTER: no advert in time\n";
    assert_eq!(bench.ask("why 10.9.0.100"), expected);
    let service = bench.ask("why [10.0.0.100]:tcp:80");
    assert!(service.contains("VS [10.0.0.100]:tcp:80 wrr: up for") && service.contains("[10.0.0.12]:tcp:80"));
    let server = bench.ask("why 10.0.0.11");
    assert!(
        server.starts_with("real server of VS [10.0.0.100]:tcp:80\n  [10.0.0.11]:tcp:80     up"),
        "{server}"
    );
    assert!(bench.ask("why 10.0.0.1").starts_with("nothing configured is called 10.0.0.1\n"));
}

#[test]
fn show_vrrp_and_why_say_that_an_owner_gave_in_to_another_one() {
    let mut config = config(SMALL);
    config.instances[0].priority = 255;
    let mut bench = Bench::new(config);
    bench.run(at(8_400));
    for second in 0..5 {
        bench.run(at(8_400 + second * 1_000));
        hear(&mut bench, 255, |received| received.source = Ipv4Addr::new(10, 9, 0, 0).into());
    }
    for command in ["show vrrp", "why VI_1"] {
        let shown = bench.ask(command);
        let line = "  priority      254 (base 255, demoted: two owners)";
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    assert!(bench.ask("show vrrp json").contains("\"demoted\":true"));
}

#[test]
fn what_is_tracked_with_a_weight_is_an_alarm_when_it_is_down_and_part_of_the_json() {
    let mut config = config(SMALL);
    let (target, weight) = (TrackTarget::Link(LinkId(0)), -20);
    config.trackers = config
        .trackers
        .iter()
        .flat_map(|one| [*one, Tracker { weight, reverse: true, ..Tracker::of(target) }])
        .collect();
    for (row, instance) in (0..).zip(&mut config.instances) {
        instance.trackers = 2 * row..2 * row + 2;
    }
    let mut bench = Bench::new(config);
    bench.run(at(8_400));
    let status = bench.ask("status");
    assert!(status.contains("  VI_1: interface eth0 is up, weight -20 and 1 more (show vrrp)\n"), "{status}");
    let why = bench.ask("why eth0");
    assert!(why.contains("VI_1 tracks interface eth0: adds -20 to its priority\n"), "{why}");
    let json = bench.ask("show vrrp json");
    let tracker = "{\"target\":\"interface eth0\",\"weight\":-20,\"reverse\":true,\"fault\":false,\"adds\":-20,\"changes\":null}";
    assert!(json.contains(tracker), "{json}");
    assert_json(&json);
}

/// An override of the first real server in the only service.
fn set_weight(bench: &mut Bench, weight: Option<u16>) {
    let server = bench.director.config().destinations[0].key;
    bench.handle(Event::Override(Order { server, service: None, weight }));
}

#[test]
fn an_override_is_shown_with_its_server_counted_and_explained() {
    let mut bench = master();
    assert!(!bench.ask("status").contains("override"));
    set_weight(&mut bench, Some(0));
    bench.now = at(13_400);
    let shown = bench.ask("show checks");
    let line = shown.lines().skip_while(|line| !line.contains("[10.0.0.11]")).nth(1).unwrap();
    assert_eq!(line, "    override: drained by the console 5.0 s ago, configured 1");
    let status = bench.ask("status");
    assert!(status.contains("IPVS    1 service, 2 of 2 real servers alive, 1 override\n"), "{status}");
    let why = bench.ask("why 10.0.0.11:80");
    let expected = "\
  weight        1 configured, 0 in the kernel
    override: drained by the console 5.0 s ago, configured 1
  because       drained: its connections end by themselves
";
    assert!(why.ends_with(expected), "{why}");
    for command in ["show checks json", "status json"] {
        assert_json(&bench.ask(command));
    }
    assert!(bench.ask("show checks json").contains("\"override\":0,\"override_since\":5.000000"));
    assert!(bench.ask("status json").contains("\"overrides\":1"));
    set_weight(&mut bench, Some(40_000));
    assert!(
        bench
            .ask("show checks")
            .contains("    override: weight 40000 by the console 0.0 s ago, configured 1\n")
    );
    set_weight(&mut bench, None);
    assert!(!bench.ask("show checks").contains("override"));
}

#[test]
fn why_says_which_check_failed_since_when_and_what_became_of_the_server() {
    let mut bench = Bench::new(config(SMALL));
    bench.verdict = |_| Verdict::Fail(Failure::Connect { errno: 111 });
    bench.run(at(8_400));
    let why = bench.ask("why 10.0.0.11:80");
    assert!(why.starts_with("real server of VS [10.0.0.100]:tcp:80\n  [10.0.0.11]:tcp:80     DOWN"), "{why}");
    assert!(why.contains("\n  down          by TCP_CHECK of 10.0.0.11:80 for 7.4 s\n"), "{why}");
    assert!(why.ends_with("  weight        1 configured, not in the kernel\n  because       a check failed: taken out of the table\n"), "{why}");
    let why = bench.ask("why [10.0.0.12]:80");
    assert!(why.ends_with("  weight        1 configured, 0 in the kernel\n  because       a check failed: kept at weight 0\n"), "{why}");
    let pool = bench.ask("why 10.0.0.100:80");
    assert!(pool.contains("QUORUM LOST") && pool.contains("sorry server"), "{pool}");
    bench.ipvs = Err(Errno::ENOENT);
    let mut bench = Bench::new(config(SMALL));
    bench.ipvs = Err(Errno::ENOENT);
    bench.run(at(8_400));
    let why = bench.ask("why 10.0.0.11:80");
    assert!(
        why.contains("not in the kernel\n  to be set     when there is IPVS: no such file or entry"),
        "{why}"
    );
}

#[test]
fn names_are_offered_for_what_takes_them() {
    let bench = master();
    assert_eq!(bench.ask("complete real 10.0.0.11"), "10.0.0.11:80\n");
    let all: Vec<String> = bench.ask("complete why").lines().map(str::to_owned).collect();
    assert_eq!(all.len(), 2 + 4 + 1 + 3, "{all:?}");
    assert!(all.contains(&"VI_2".to_owned()) && all.contains(&"2001:db8::1".to_owned()));
    assert_eq!(bench.ask("complete service 10"), "10.0.0.100:80\n");
    assert_eq!(bench.ask("complete nonsense"), "");
    assert!(!bench.ask("help").contains("complete"));
}

#[test]
fn a_server_on_its_way_out_is_shown_with_what_keeps_it() {
    let with_time = || {
        let mut config = config(SMALL);
        config
            .destinations
            .iter_mut()
            .for_each(|one| Rc::make_mut(&mut one.policy).drain_time = Duration::from_secs(300));
        config
    };
    let mut bench = Bench::new(with_time());
    bench.run(at(2_000));
    let mut other = with_time();
    other.destinations[0].key.port = 81;
    let (mut key, method) = (other.destinations[0].key, other.destinations[0].method);
    key.port = 80;
    let spec = DestinationSpec { method, weight: 0, upper: 0, lower: 0 };
    bench.leaving = vec![DestinationEntry { key, spec, active: 3, inactive: 0, persistent: 0 }];
    bench.reload(other);
    bench.run(at(12_000));
    let line = "  [10.0.0.11]:tcp:80 draining, 3 active connections, gone in 00:04:50\n";
    assert!(line.len() <= 81, "80 columns");
    let shown = bench.ask("show checks");
    assert!(shown.ends_with(line), "{shown}");
    assert!(bench.ask("status").contains(", 1 draining\n"));
    let why = bench.ask("why 10.0.0.11:80");
    assert!(
        why.starts_with("[10.0.0.11]:tcp:80 is no longer configured in VS [10.0.0.100]:tcp:80\n"),
        "{why}"
    );
    assert!(
        bench
            .ask("show checks json")
            .contains("\"draining\":[{\"server\":\"[10.0.0.11]:tcp:80\",\"active\":3,\"left\":290.000000}]")
    );
    assert_json(&bench.ask("show checks json"));
}

#[test]
fn a_rising_weight_is_shown_with_its_end() {
    let mut config = config(SMALL);
    config.destinations[0].weight = 100;
    Rc::make_mut(&mut config.destinations[0].policy).slow_start = Duration::from_secs(50);
    let mut bench = Bench::new(config);
    bench.verdict = |_| Verdict::Fail(Failure::ConnectTimeout);
    bench.run(at(4_000));
    bench.verdict = |_| Verdict::Pass { status: 0 };
    bench.run(at(20_000));
    let shown = bench.ask("show checks");
    let line = shown.lines().find(|line| line.contains("slow start")).unwrap();
    assert!(line.starts_with("    slow start: weight ") && line.contains(", all of 100 in 3"), "{line}");
    assert_json(&bench.ask("show checks json"));
    bench.run(at(90_000));
    assert!(!bench.ask("show checks").contains("slow start"));
}

/// A service whose checks go through its virtual address, each of its servers with so many checks.
fn through_the_vip(servers: u8, checks: u16) -> Config {
    let check = |n: u16| format!("TCP_CHECK {{\nconnect_timeout {}\n}}\n", n + 1);
    let checks: String = (0..checks).map(check).collect();
    let server = |n: u8| format!("real_server 10.0.0.{n} 80 {{\n{checks}}}\n");
    let servers: String = (1..=servers).map(server).collect();
    let head = "virtual_server 203.0.113.1 80 {\nprotocol TCP\nlb_kind DR\ndelay_loop 1\nvia_vip\n";
    crate::config::load(&format!("{head}{servers}}}\n"), "t").config.unwrap()
}

#[test]
fn why_of_a_service_with_many_servers_and_checks_comes_in_pieces() {
    let mut bench = Bench::new(through_the_vip(20, 10));
    bench.run(at(8_000));
    for row in 0..20 {
        let server = bench.director.config().destinations[row].key;
        bench.handle(Event::Override(Order { server, service: None, weight: Some(7) }));
    }
    let why = bench.ask("why 203.0.113.1:80");
    let count = |part: &str| why.matches(part).count();
    assert_eq!((count("override: weight 7"), count("and 2 more checks: show checks")), (16, 16), "{why}");
    assert!(why.ends_with("  and 4 more: show checks\n"), "{why}");
    let why = bench.ask("why 10.0.0.20:80");
    assert!(why.contains("through VIP 203.0.113.1:80") && why.contains("override: weight 7"), "{why}");
    assert!(!why.contains("nothing configured"), "{why}");
}

#[test]
fn services_that_nobody_wrote_are_not_offered() {
    let bench = Bench::new(through_the_vip(2, 1));
    assert_eq!(bench.ask("complete real"), "10.0.0.1:80\n10.0.0.2:80\n");
}
