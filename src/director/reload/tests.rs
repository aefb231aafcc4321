//! Another configuration: what stays, what goes, and in which order.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use crate::config::ids::{InstanceId, LinkId, ProbeId};
use crate::config::model::{Announce, Preemption};
use crate::director::Director;
use crate::director::action::{Action, AdvertKind};
use crate::director::event::Event;
use crate::director::health::Belief;
use crate::director::journal::Reason;
use crate::director::reload::Reload;
use crate::director::testing::{Builder, Fault, Kernel, Node, Rs, Server, Vr, Vs, at, ip};
use crate::director::vrrp::State;
use crate::time::{Duration, Instant};

fn vr(vrid: u8, vip: &str) -> Vr {
    Vr { vrid, vips: vec![vip.into()], ..Vr::default() }
}

fn vs(n: u8, servers: &[&str]) -> Vs {
    Vs::new(format!("203.0.113.{n}:80"), servers.iter().map(|at| Rs::new(*at)).collect())
}

fn full() -> Builder {
    Builder::new()
        .instance(vr(51, "192.0.2.100/24"))
        .instance(vr(52, "192.0.2.101/24"))
        .service(vs(1, &["10.0.0.1:80", "10.0.0.2:80"]))
        .service(vs(2, &["10.0.0.3:80"]))
}

/// The same in another order: every id is another one.
fn reversed() -> Builder {
    let mut builder = full();
    builder.instances.reverse();
    builder.services.reverse();
    builder.services[1].servers.reverse();
    builder
}

fn running() -> Node {
    let mut node = Node::new(full().build(), "192.0.2.11");
    node.servers.insert("10.0.0.1:80".parse().unwrap(), Server::Refuses);
    node.run_until(at(12_300));
    assert!(node.is_master(0) && node.is_master(1));
    node.assert_table_as_wished();
    node.take_actions();
    node.take_records();
    node.announced.clear();
    node
}

fn is_change(action: &Action) -> bool {
    !matches!(action, Action::SendAdvert { kind: AdvertKind::Present, .. })
}

#[test]
fn the_same_in_another_order_changes_nothing_anywhere() {
    let mut node = running();
    let before: Vec<_> = (0..2).map(|id| *node.director.vrrp().get(InstanceId(id)).unwrap()).collect();
    let deadline = node.director.protocol_deadline(InstanceId(0));
    let (checks, table) = (node.director.health().checks_total(), node.kernel.table());
    node.reload(reversed().build());
    assert_eq!(node.director.protocol_deadline(InstanceId(1)), deadline);
    assert_eq!(node.director.health().checks_total(), checks);
    for (id, old) in before.iter().rev().enumerate() {
        let new = node.director.vrrp().get(InstanceId(u32::try_from(id).unwrap())).unwrap();
        assert_eq!(
            (new.state, new.since, new.counters.sent_total),
            (State::Master, old.since, old.counters.sent_total)
        );
    }
    assert_eq!(node.take_records(), [Reason::Reloaded]);
    node.run(Duration::from_secs(30));
    assert_eq!(node.take_actions().iter().filter(|one| is_change(one)).count(), 0);
    assert_eq!(node.take_records(), []);
    assert_eq!(node.kernel.table(), table);
    assert!(node.announced.is_empty());
}

#[test]
fn what_a_check_found_and_when_it_is_due_survive() {
    let mut node = running();
    let find = |node: &Node, text: &str| {
        let target = text.parse().unwrap();
        ProbeId(
            u32::try_from(
                node.director.config().probes.iter().position(|one| one.target() == target).unwrap(),
            )
            .unwrap(),
        )
    };
    let old = find(&node, "10.0.0.1:80");
    let (due, since) = (node.director.probe_due(old), node.director.health().get(old).unwrap().since);
    node.reload(reversed().build());
    let new = find(&node, "10.0.0.1:80");
    assert_ne!(old, new);
    let state = node.director.health().get(new).unwrap();
    assert_eq!((state.belief, state.since), (Belief::Down, since));
    assert_eq!(node.director.probe_due(new), due);
    node.run_millis(10);
    node.assert_table_as_wished();
}

#[test]
fn what_a_check_finds_between_the_preparation_and_the_swap_is_not_lost() {
    let mut node = running();
    let target = "10.0.0.3:80".parse().unwrap();
    let row = |director: &Director| {
        let probes = &director.config().probes;
        ProbeId(u32::try_from(probes.iter().position(|one| one.target() == target).unwrap()).unwrap())
    };
    let mut reload = Reload::new(reversed().build(), &node.director, node.now);
    while !reload.step(&node.director) {}
    node.servers.insert(target, Server::Refuses);
    node.run(Duration::from_secs(20));
    let old = row(&node.director);
    let (now, mut director) = (node.now, node.director);
    let due = director.probe_due(old);
    let before = *director.health().get(old).unwrap();
    assert_eq!(before.belief, Belief::Down);
    director.adopt(now, reload);
    let new = row(&director);
    assert_ne!(old, new);
    let after = director.health().get(new).unwrap();
    assert_eq!((after.belief, after.since, after.last), (Belief::Down, before.since, before.last));
    assert_eq!(director.probe_due(new), due);
    assert!(!director.services().is_alive(director.services().users(new)[0]));
}

#[test]
fn a_full_pass_goes_on_where_it_was() {
    let config = |name| {
        let rs = Rs { urls: Some(3), ..Rs::new("10.0.0.1:80") };
        Builder::new()
            .instance(Vr { name, ..Vr::default() })
            .service(Vs::new("203.0.113.1:80", vec![rs]))
            .build()
    };
    let mut node = Node::new(config("A"), "192.0.2.11");
    node.servers.insert("10.0.0.1:80".parse().unwrap(), Server::Refuses);
    node.run_until(at(1_000));
    node.servers.clear();
    // The failed one at 1.2 s, then all three, two seconds apart.
    node.run_until(at(5_000));
    node.reload(config("B"));
    node.run_until(at(7_100));
    assert_eq!(node.director.health().get(ProbeId(0)).unwrap().belief, Belief::Down);
    node.run_until(at(7_400));
    assert_eq!(node.director.health().get(ProbeId(0)).unwrap().belief, Belief::Up);
    let steps = node.actions.iter().filter_map(|(_, action)| match action {
        Action::Probe { step, .. } => Some(*step),
        _ => None,
    });
    assert_eq!(steps.collect::<Vec<_>>(), [0, 0, 0, 1, 2]);
}

#[test]
fn a_master_that_stays_says_no_farewell_and_one_that_goes_says_it() {
    let mut node = running();
    node.outbox.clear();
    let mut builder = full();
    builder.instances.remove(0);
    node.reload(builder.build());
    let kinds: Vec<(u8, u8)> = node.outbox.iter().map(|one| (one.bytes[21], one.bytes[22])).collect();
    assert_eq!(kinds, [(51, 0)], "VRID and priority");
    node.run_millis(10);
    assert!(node.is_master(0));
    assert!(!node.has_vip("192.0.2.100") && node.has_vip("192.0.2.101"));
}

#[test]
fn what_is_no_longer_configured_leaves_the_kernel() {
    let mut node = running();
    let mut builder = full();
    builder.instances[0].vips = vec!["192.0.2.150/24".into()];
    builder.services.remove(1);
    builder.services[0].servers.remove(1);
    node.reload(builder.build());
    node.run_millis(10);
    assert!(!node.has_vip("192.0.2.100") && node.has_vip("192.0.2.150"));
    assert_eq!(node.kernel.table(), ["[203.0.113.1]:tcp:80 wlc"], "the one that is left is down");
    let records = node.take_records();
    assert!(records.contains(&Reason::ServiceRetired), "{records:?}");
    assert!(!records.iter().any(|one| matches!(one, Reason::DestinationStrange(..))));
    node.run(Duration::from_secs(20));
    assert_eq!(node.announced.iter().filter(|one| one.1 == ip("192.0.2.150")).count(), 10);
}

#[test]
fn what_could_not_be_removed_and_is_configured_again_is_kept() {
    let mut node = running();
    node.fault = Box::new(|action| match action {
        Action::RemoveAddress { .. } | Action::Service { .. } => {
            Some(Fault::Refuse(crate::director::event::Errno(12)))
        }
        _ => None,
    });
    let mut builder = full();
    builder.instances[0].vips = vec!["192.0.2.150/24".into()];
    builder.services.remove(1);
    node.reload(builder.build());
    node.run_millis(10);
    assert!(node.has_vip("192.0.2.100"));
    node.fault = Box::new(|_| None);
    node.reload(full().build());
    node.run(Duration::from_secs(90));
    node.assert_addresses_as_wished();
    node.assert_table_as_wished();
    assert!(!node.has_vip("192.0.2.150"));
}

#[test]
fn the_frames_a_burst_still_owes_are_sent_after_the_reload() {
    let mut node = Node::new(full().build(), "192.0.2.11");
    node.latency = Duration::from_millis(50);
    node.run_until(at(3_700));
    assert!(node.is_master(0) && node.announced.is_empty());
    node.reload(reversed().build());
    node.run_until(at(20_000));
    assert_eq!(node.announced.len(), 2 * 10);
}

#[test]
fn a_refresh_that_is_switched_off_is_off() {
    let announce = Announce { refresh: Duration::from_secs(60), ..Vr::default().announce };
    let mut builder = full();
    builder.instances.iter_mut().for_each(|one| one.announce = announce);
    let mut node = Node::new(builder.build(), "192.0.2.11");
    node.run_until(at(20_000));
    node.reload(full().build());
    node.announced.clear();
    node.run(Duration::from_secs(100));
    assert!(node.announced.is_empty());
}

#[test]
fn an_ipvs_that_was_absent_is_still_looked_for() {
    let kernel = Kernel { ipvs: None, ..Kernel::new(ip("192.0.2.11")) };
    let mut node = Node::with_kernel(full().build(), kernel, Instant::ZERO);
    node.run_until(at(1_000));
    node.reload(reversed().build());
    node.run_until(at(20_000));
    node.kernel.ipvs = Some(Default::default());
    node.run_until(at(30_000));
    node.assert_table_as_wished();
}

#[test]
fn an_interface_that_is_new_to_the_configuration_is_asked_for_before_it_is_missed() {
    let mut node = running();
    node.add_link("eth1", ip("198.51.100.11"));
    node.run_millis(10);
    let mut builder = full();
    builder.instances.insert(0, Vr { link: "eth1", ..vr(60, "198.51.100.100/24") });
    node.take_records();
    node.reload(builder.build());
    node.run_millis(100);
    assert_eq!(node.state(0), State::Backup);
    assert!(node.is_master(1) && node.is_master(2));
    let records = node.take_records();
    assert!(
        !records.iter().any(|one| matches!(one, Reason::EnteredFault(..) | Reason::LinkAbsent(_))),
        "{records:?}"
    );
}

#[test]
fn a_socket_joins_the_groups_of_the_new_configuration() {
    let mut builder = full();
    builder.instances.truncate(1);
    builder.instances[0].peers = vec!["192.0.2.12".parse().unwrap()];
    let mut node = Node::new(builder.build(), "192.0.2.11");
    node.run_until(at(5_000));
    node.take_actions();
    builder.instances[0].peers.clear();
    node.reload(builder.build());
    let opened = |one: &Action| matches!(one, Action::OpenSocket { .. });
    assert_eq!(node.take_actions().into_iter().filter(opened).count(), 1);
    node.run_millis(10);
    assert!(node.is_master(0), "a socket that is opened anew is no fault");
    node.reload(builder.build());
    assert_eq!(node.take_actions().into_iter().filter(opened).count(), 0);
}

#[test]
fn a_changed_list_or_priority_is_shown_at_once() {
    for change in [0, 1] {
        let mut node = running();
        let mut builder = full();
        match change {
            0 => builder.instances[0].vips.push("192.0.2.103/24".into()),
            _ => builder.instances[0].priority = 120,
        }
        node.outbox.clear();
        node.reload(builder.build());
        let kinds: Vec<(u8, u8)> = node.outbox.iter().map(|one| (one.bytes[21], one.bytes[22])).collect();
        assert_eq!(kinds, [(51, if change == 0 { 100 } else { 120 })]);
        node.run_millis(10);
        node.assert_addresses_as_wished();
    }
}

#[test]
fn a_backup_keeps_its_timer_and_a_shorter_interval_shortens_it() {
    let backup = |interval| {
        Builder::new().instance(Vr { interval, preemption: Preemption::Stay, ..Vr::default() }).build()
    };
    let mut node = Node::new(backup(10), "192.0.2.11");
    node.run_until(at(1_000));
    let due = node.director.protocol_deadline(InstanceId(0)).unwrap();
    node.reload(backup(10));
    assert_eq!(node.director.protocol_deadline(InstanceId(0)), Some(due));
    node.reload(backup(1));
    node.run_until(at(4_700));
    assert!(node.is_master(0));
}

#[test]
fn of_two_families_of_a_vrid_the_one_that_goes_says_farewell() {
    let four = Vr { v3: Some(1_000), ..vr(51, "192.0.2.100/24") };
    let six = Vr { name: "VI_6", v3: Some(1_000), ..vr(51, "fe80::100/64") };
    let both = Builder::new().instance(four.clone()).instance(six).build();
    let mut node = Node::with_kernel(both, Kernel::dual(ip("192.0.2.11")), Instant::ZERO);
    node.run_until(at(10_000));
    assert!(node.is_master(0) && node.is_master(1));
    node.take_actions();
    node.reload(Builder::new().instance(four).build());
    let farewell = |one: &Action| matches!(one, Action::SendAdvert { kind: AdvertKind::Farewell, .. });
    assert_eq!(node.take_actions().into_iter().filter(farewell).count(), 1);
}

#[test]
fn addresses_that_a_restart_left_stay_when_a_reload_comes_before_the_start_is_over() {
    let config = || {
        let mut config = Builder::new().instance(Vr::default()).build();
        config.global.startup_delay = Duration::from_secs(10);
        config
    };
    let mut node = Node::new(config(), "192.0.2.11");
    node.director.expect_leftovers();
    node.kernel.add_address("eth0", ip("192.0.2.100"), 24);
    node.run_millis(2_000);
    assert!(node.has_vip("192.0.2.100"));
    node.reload(config());
    node.run_millis(2_000);
    assert!(node.has_vip("192.0.2.100"));
    node.run_until(at(12_000));
    assert!(node.is_master(0));
}

#[test]
fn a_fault_that_goes_on_is_no_new_one_though_its_interface_has_another_id() {
    let two = || Vr { name: "VI_2", link: "eth1", ..vr(52, "198.51.100.100/24") };
    let mut node = Node::new(Builder::new().instance(two()).build(), "192.0.2.11");
    node.add_link("eth1", ip("198.51.100.11"));
    node.run_until(at(10_000));
    node.set_carrier("eth1", false);
    node.run_millis(10_000);
    let since = node.director.vrrp().get(InstanceId(0)).unwrap().since;
    assert!(matches!(node.state(0), State::Fault(_)));
    node.take_records();
    node.reload(Builder::new().instance(Vr::default()).instance(two()).build());
    node.run_millis(100);
    let router = node.director.vrrp().get(InstanceId(1)).unwrap();
    assert_eq!(
        (router.since, router.state),
        (since, State::Fault(crate::director::vrrp::Fault::LinkDown(LinkId(1))))
    );
    let records = node.take_records();
    assert!(!records.iter().any(|one| matches!(one, Reason::EnteredFault(..))), "{records:?}");
}

/// Measures a reload of the largest configuration: `cargo test --release -- --ignored --nocapture largest`.
#[test]
#[ignore = "a measurement"]
fn the_largest_reload_in_its_steps() {
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let text = |weight: u8| -> String {
        let server = |a: usize, b: usize, n: usize| {
            format!("real_server 10.{}.{b}.{n} 80 {{\nweight {weight}\nTCP_CHECK {{\n}}\n}}\n", 100 + a)
        };
        let service = |id: usize| {
            let (a, b) = (id / 256, id % 256);
            let servers: String = (0..16).map(|n| server(a, b, n)).collect();
            format!("virtual_server 10.{a}.{b}.1 80 {{\nlb_kind DR\nprotocol TCP\n{servers}}}\n")
        };
        (0..4_096).map(service).collect()
    };
    let config = |weight| crate::config::load(&text(weight), "t").config.unwrap();
    let mut director = Director::new(config(1), at(0));
    let next = config(2);
    let mut reload = Reload::new(next, &director, at(1));
    let mut steps = Vec::new();
    loop {
        let (start, stage) = (now(), reload.stage);
        let done = reload.step(&director);
        steps.push((now().saturating_sub(start), format!("{stage:?}")));
        if done {
            break;
        }
    }
    steps.sort();
    let start = now();
    let former = director.adopt(at(2), reload);
    let adopted = now();
    let config = former.free();
    let freed = now();
    drop(config);
    println!("longest steps {:?}", &steps[steps.len() - 6..]);
    println!("adopt {:?}, free {:?} and {:?}", adopted - start, freed - adopted, now() - freed);
}

#[test]
fn probes_of_one_target_that_go_different_ways_keep_what_each_of_them_found() {
    let service = |n: u8, mark: u32| {
        let check = format!("TCP_CHECK {{\nfwmark {mark}\n}}\n");
        format!(
            "virtual_server 203.0.113.{n} 80 {{\nlb_kind NAT\nprotocol TCP\ndelay_loop 1\nreal_server 10.0.0.1 80 {{\n{check}}}\n}}\n"
        )
    };
    let load = |text: &str| crate::config::load(text, "t").config.unwrap();
    let running = Director::new(load(&(service(1, 5) + &service(2, 6))), at(0));
    let maps = |text: &str| {
        let mut reload = Reload::new(load(text), &running, at(0));
        while !reload.step(&running) {}
        reload.maps.probes.to_vec()
    };
    assert_eq!(maps(&(service(1, 5) + &service(2, 6))), [Some(0), Some(1)]);
    assert_eq!(maps(&(service(2, 6) + &service(1, 5))), [Some(1), Some(0)]);
    let other = maps(&service(1, 7));
    assert!(other[0].is_some(), "another way to the same server: what is known of it is better than nothing");
}

/// Counts a reload that changes every weight, 256 services of 16 servers, from the new configuration to the last
/// answer: `valgrind --tool=callgrind` on `--ignored every_weight` says which function costs what.
#[test]
#[ignore = "a measurement"]
fn every_weight_of_4096_servers_changes() {
    let text = |weight: u8| -> String {
        let server = |a: usize, n: usize| {
            format!("real_server 10.100.{a}.{n} 80 {{\nweight {weight}\nTCP_CHECK {{\n}}\n}}\n")
        };
        let service = |a: usize| {
            let servers: String = (0..16).map(|n| server(a, n)).collect();
            format!("virtual_server 10.0.{a}.1 80 {{\nlb_algo wlc\nlb_kind NAT\nprotocol TCP\n{servers}}}\n")
        };
        (0..256).map(service).collect()
    };
    let mut director = Director::new(read_it(&text(1)), at(0));
    let first = ask_all(&mut director);
    let mut reload = Reload::new(read_it(&text(2)), &director, at(1));
    prepare_it(&mut reload, &director);
    let former = adopt_it(&mut director, reload);
    let second = ask_all_again(&mut director);
    drop(former);
    assert_eq!((first, second), (256 + 4_096, 4_096));
}

#[inline(never)]
fn read_it(text: &str) -> crate::config::Config {
    crate::config::load(text, "t").config.unwrap()
}

#[inline(never)]
fn prepare_it(reload: &mut Reload, director: &Director) {
    while !reload.step(director) {}
}

#[inline(never)]
fn adopt_it(director: &mut Director, reload: Reload) -> crate::director::reload::Former {
    director.adopt(at(2), reload)
}

#[inline(never)]
fn ask_all_again(director: &mut Director) -> usize {
    ask_all(director)
}

/// Services and destinations that were asked for and rendered; the kernel has nothing and agrees to all.
#[inline(never)]
fn ask_all(director: &mut Director) -> usize {
    use crate::director::action::{Actions, Budget};
    let (mut asked, mut bytes) = (0, vec![0; 16 << 10]);
    let budget = Budget { route: 64, ipvs: 64, announcements: 0, probes: 0, probes_meanwhile: 0 };
    loop {
        let mut actions = Actions::new();
        director.poll_actions(at(3), budget, &mut actions);
        if actions.is_empty() {
            return asked;
        }
        let mut writer = crate::wire::netlink::Writer::new(&mut bytes);
        for (action, seq) in actions.iter().zip(1..) {
            if matches!(action, Action::Service { .. } | Action::Destination { .. }) {
                director.ipvs_request(*action).unwrap().emit(&mut writer, 30, seq).unwrap();
                asked += 1;
            }
        }
        for action in actions {
            director.handle(
                at(3),
                match action {
                    Action::Dump { .. } => Event::Dumped { action, result: Ok(()) },
                    _ => Event::Applied { action, result: Ok(()) },
                },
            );
        }
    }
}
