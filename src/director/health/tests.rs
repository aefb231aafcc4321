//! Health checks: when they are made, what their results mean, what the pools make of them.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for a few kinds among many")]

use core::net::SocketAddr;

use crate::check::{Evidence, Verdict};
use crate::config::ids::{DestinationId, Id, ProbeId, ServiceId};
use crate::director::action::Action;
use crate::director::health::Belief;
use crate::director::journal::Reason;
use crate::director::services::{Quorum, wish};
use crate::director::testing::{Builder, Node, Rs, Server, Vs, at};
use crate::director::{Director, Parts};
use crate::limits::MAX_EVIDENCES;
use crate::time::Duration;

const RS: &str = "10.0.0.1:80";

fn node_of(rs: Rs) -> Node {
    Node::new(Builder::new().service(Vs::new("203.0.113.1:80", vec![rs])).build(), "192.0.2.11")
}

fn set(node: &mut Node, server: Server) {
    node.servers.insert(RS.parse::<SocketAddr>().unwrap(), server);
}

/// Milliseconds between the next `count` checks and the one before each; which of the urls each asked.
fn gaps(node: &mut Node, count: usize) -> Vec<(u64, u16)> {
    let probes = |node: &Node| {
        let probe = |(at, action): &_| match action {
            Action::Probe { step, .. } => Some((*at, *step)),
            _ => None,
        };
        node.actions.iter().filter_map(probe).collect::<Vec<_>>()
    };
    let from = probes(node).len();
    while probes(node).len() < from + count {
        node.run_millis(100);
    }
    let all = probes(node);
    let gap =
        |pair: &[(crate::time::Instant, u16)]| (pair[1].0.since(pair[0].0).as_micros() / 1_000, pair[1].1);
    all[from - 1..].windows(2).map(gap).collect()
}

fn belief(node: &Node) -> Belief {
    node.director.health().get(ProbeId(0)).unwrap().belief
}

/// A check takes one millisecond here: seen when it is repeated because of a failure, while all others keep their
/// rhythm.
#[test]
fn tcp_retries_on_the_way_down_only_and_one_success_is_enough() {
    let mut node = node_of(Rs { retry: 2, interval: 5, retry_delay: 1, ..Rs::new(RS) });
    assert_eq!(belief(&node), Belief::Unproven);
    node.run_until(at(5_100));
    assert_eq!(belief(&node), Belief::Up);
    assert_eq!(gaps(&mut node, 2), [(5_000, 0), (5_000, 0)]);
    set(&mut node, Server::Refuses);
    assert_eq!(gaps(&mut node, 3), [(5_000, 0), (1_001, 0), (1_001, 0)]);
    assert_eq!(belief(&node), Belief::Down);
    let records = node.take_records();
    let down = |one: &&Reason| matches!(one, Reason::ProbeDown(_, _, 2));
    assert_eq!(records.iter().filter(down).count(), 1);
    assert!(records.contains(&Reason::DestinationDown(DestinationId(0))));
    assert!(records.contains(&Reason::QuorumLost(ServiceId(0), 0)));
    assert_eq!(gaps(&mut node, 2), [(4_998, 0), (5_000, 0)], "down: no retries, and back in step");
    set(&mut node, Server::Good);
    assert_eq!(gaps(&mut node, 1), [(5_000, 0)]);
    node.run_millis(2);
    assert_eq!(belief(&node), Belief::Up);
}

#[test]
fn the_retries_start_anew_after_each_success() {
    let mut node = node_of(Rs { retry: 1, interval: 3, retry_delay: 1, ..Rs::new(RS) });
    node.run_until(at(3_100));
    for _ in 0..5 {
        set(&mut node, Server::Refuses);
        gaps(&mut node, 1);
        set(&mut node, Server::Good);
        assert_eq!(gaps(&mut node, 1), [(1_001, 0)]);
        node.run_millis(2);
        assert_eq!(belief(&node), Belief::Up);
    }
}

#[test]
fn the_first_failure_after_the_start_is_final() {
    for urls in [0, 1] {
        let mut node = node_of(Rs { retry: 5, urls: Some(urls), ..Rs::new(RS) });
        set(&mut node, Server::Refuses);
        node.run_until(at(1_000));
        assert_eq!(node.director.health().checks_total(), 1);
        assert_eq!(belief(&node), Belief::Down);
    }
}

#[test]
fn http_asks_one_url_a_round_and_needs_the_failed_one_and_a_full_pass_to_come_back() {
    let rs = Rs { urls: Some(3), retry: 1, interval: 2, retry_delay: 4, ..Rs::new(RS) };
    let mut node = node_of(rs);
    node.run_until(at(2_100));
    let steps = gaps(&mut node, 6);
    assert!(steps.windows(2).all(|pair| pair[1].1 == (pair[0].1 + 1) % 3), "{steps:?}");
    assert!(steps.iter().all(|(gap, _)| *gap == 2_000));
    set(&mut node, Server::Urls(0b101));
    while belief(&node) != Belief::Down {
        node.run_millis(100);
    }
    assert_eq!(
        gaps(&mut node, 2),
        [(3_999, 1), (4_000, 1)],
        "the longer of delay_loop and delay_before_retry"
    );
    set(&mut node, Server::Good);
    assert_eq!(gaps(&mut node, 3), [(4_000, 1), (2_000, 0), (2_000, 1)]);
    node.run_millis(100);
    assert_eq!(belief(&node), Belief::Down, "one url is still to come");
    assert_eq!(gaps(&mut node, 1), [(2_000, 2)]);
    node.run_millis(2);
    assert_eq!(belief(&node), Belief::Up);
}

#[test]
fn a_relapse_during_the_full_pass_starts_it_anew_and_fast_recovery_skips_it() {
    let mut node = node_of(Rs { urls: Some(2), ..Rs::new(RS) });
    set(&mut node, Server::Urls(0b10));
    node.run_until(at(2_100));
    assert_eq!(belief(&node), Belief::Down);
    set(&mut node, Server::Good);
    gaps(&mut node, 2);
    set(&mut node, Server::Urls(0b01));
    gaps(&mut node, 1);
    set(&mut node, Server::Good);
    let steps: Vec<u16> = gaps(&mut node, 3).into_iter().map(|(_, step)| step).collect();
    assert_eq!(steps, [1, 0, 1]);
    let mut fast = node_of(Rs { urls: Some(2), fast: true, ..Rs::new(RS) });
    set(&mut fast, Server::Refuses);
    fast.run_until(at(2_100));
    set(&mut fast, Server::Good);
    gaps(&mut fast, 1);
    fast.run_millis(2);
    assert_eq!(belief(&fast), Belief::Up);
}

#[test]
fn an_error_of_our_own_is_no_verdict_and_is_said_once() {
    let mut node = node_of(Rs::new(RS));
    node.run_until(at(2_100));
    node.take_records();
    set(&mut node, Server::Hindered);
    gaps(&mut node, 1);
    assert_eq!(gaps(&mut node, 3), [(1_001, 0); 3]);
    assert_eq!(belief(&node), Belief::Up);
    assert_eq!(node.take_records().len(), 1);
}

#[test]
fn what_hinders_many_probes_is_said_once_counted_and_its_end_is_said() {
    let servers = (1..=20).map(|n| Rs::new(format!("10.1.0.{n}:80"))).collect();
    let mut node =
        Node::new(Builder::new().service(Vs::new("203.0.113.1:80", servers)).build(), "192.0.2.11");
    let all = |node: &mut Node, server: Server| {
        for n in 1..=20 {
            node.servers.insert(format!("10.1.0.{n}:80").parse().unwrap(), server);
        }
    };
    node.run_until(at(2_100));
    assert_eq!(node.director.health().hindered(), None);
    node.take_records();
    all(&mut node, Server::Hindered);
    node.run_millis(5_000);
    let (count, errno, _) = node.director.health().hindered().unwrap();
    assert_eq!((count, errno.0), (20, 99));
    let records = node.take_records();
    assert!(matches!(records[..], [Reason::ProbeHindered(..)]), "{records:?}");
    all(&mut node, Server::Good);
    node.run_millis(5_000);
    assert_eq!(node.director.health().hindered(), None);
    assert_eq!(node.take_records(), [Reason::ProbesResumed]);
}

#[test]
fn the_latest_replies_of_failed_checks_are_kept_and_one_of_each_probe() {
    let mut kept = super::Evidences::default();
    let of = |text: &str| {
        let mut evidence = Evidence::default();
        evidence.add(text.as_bytes());
        evidence
    };
    let many = u32::try_from(MAX_EVIDENCES).unwrap();
    (0..many).for_each(|id| kept.keep(ProbeId(id), of("old")));
    kept.keep(ProbeId(0), of("new"));
    assert_eq!(kept.of(ProbeId(0)), Some(&of("new")));
    assert!(kept.of(ProbeId(1)).is_some());
    kept.keep(ProbeId(many), of("one more"));
    assert_eq!((kept.of(ProbeId(1)), kept.list.len()), (None, MAX_EVIDENCES));
    kept.forget(ProbeId(0));
    assert_eq!((kept.of(ProbeId(0)), kept.list.len()), (None, MAX_EVIDENCES - 1));
    assert_eq!(kept.of(ProbeId(many)), Some(&of("one more")));
}

#[test]
fn more_probes_than_slots_all_get_their_turn_and_no_slot_is_lost() {
    let servers = (0..1_500).map(|n| Rs::new(format!("10.1.{}.{}:80", n / 250, n % 250 + 1))).collect();
    let mut node =
        Node::new(Builder::new().service(Vs::new("203.0.113.1:80", servers)).build(), "192.0.2.11");
    node.run_until(at(20_000));
    let health = node.director.health();
    assert!((0..1_500).all(|id| health.get(ProbeId(id)).unwrap().belief == Belief::Up));
    assert!(health.checks_total() >= 1_500 * 9);
    assert!(health.slots().0 < 100 && health.slots().1 == 1_024, "{:?}", health.slots());
}

#[test]
fn equal_probes_are_made_once_and_concern_all() {
    let service = |n: u32| Vs::new(format!("203.0.113.{n}:80"), vec![Rs::new(RS)]);
    let mut node = Node::new(Builder::new().service(service(1)).service(service(2)).build(), "192.0.2.11");
    node.run_until(at(2_100));
    set(&mut node, Server::Refuses);
    node.run_until(at(4_200));
    let down = |one: &&Reason| matches!(one, Reason::DestinationDown(_));
    assert_eq!(node.take_records().iter().filter(down).count(), 2);
    assert_eq!(node.director.health().failures_total(), 1);
}

#[test]
fn sixteen_services_over_the_same_hundred_servers_cost_a_hundred_checks_an_interval() {
    let mut builder = Builder::new();
    for vip in 1..=16 {
        let server = |host| Rs { interval: 10, ..Rs::new(format!("10.0.1.{host}:80")) };
        builder = builder.service(Vs::new(format!("203.0.113.{vip}:80"), (0..100).map(server).collect()));
    }
    let mut node = Node::new(builder.build(), "192.0.2.11");
    assert_eq!(
        (node.director.config().destinations.len(), node.director.config().probes.len()),
        (1_600, 100)
    );
    node.run_until(at(20_000));
    let before = node.director.health().checks_total();
    node.run_until(at(60_000));
    let made = node.director.health().checks_total() - before;
    assert!((396..=404).contains(&made), "{made} in four intervals");
}

#[test]
fn the_wish_follows_quorum_life_inhibition_and_the_sorry_server() {
    const OUT: Option<u32> = None;
    // quorum met, sorry server, alive, inhibit: real server (weight 7), sorry server, sorry server to be inhibited.
    let table = [
        (true, false, true, false, Some(7), OUT, OUT),
        (true, false, false, false, OUT, OUT, OUT),
        (true, false, true, true, Some(7), OUT, OUT),
        (true, false, false, true, Some(0), OUT, OUT),
        (true, true, true, false, Some(7), OUT, Some(0)),
        (true, true, false, false, OUT, OUT, Some(0)),
        (true, true, true, true, Some(7), OUT, Some(0)),
        (true, true, false, true, Some(0), OUT, Some(0)),
        (false, false, true, false, Some(7), OUT, OUT),
        (false, false, false, false, OUT, OUT, OUT),
        (false, false, true, true, Some(7), OUT, OUT),
        (false, false, false, true, Some(0), OUT, OUT),
        (false, true, true, false, OUT, Some(1), Some(1)),
        (false, true, false, false, OUT, Some(1), Some(1)),
        (false, true, true, true, Some(0), Some(1), Some(1)),
        (false, true, false, true, Some(0), Some(1), Some(1)),
    ];
    for (row, (met, sorry, alive, inhibit, real, plain, inhibited)) in table.into_iter().enumerate() {
        for sorry_inhibit in [false, true] {
            let other = Rs { urls: None, ..Rs::new("10.0.0.2:80") };
            let vs = Vs {
                quorum: if met { 1 } else { 100 },
                sorry: sorry.then(|| Rs { inhibit: sorry_inhibit, ..Rs::new("10.9.9.9:80") }),
                ..Vs::new("203.0.113.1:80", vec![Rs { weight: 7, inhibit, ..Rs::new(RS) }, other])
            };
            let mut node = Node::new(Builder::new().service(vs).build(), "192.0.2.11");
            set(&mut node, if alive { Server::Good } else { Server::Refuses });
            node.run_until(at(3_000));
            let (config, services) = (node.director.config(), node.director.services());
            let quorum = services.pool(ServiceId(0)).unwrap().quorum;
            assert_eq!(quorum, if met { Quorum::Met } else { Quorum::Lost });
            assert_eq!(wish(config, services, DestinationId(0)), real, "row {row}");
            if sorry {
                let wished = if sorry_inhibit { inhibited } else { plain };
                assert_eq!(wish(config, services, DestinationId(2)), wished, "row {row} {sorry_inhibit}");
            }
            node.assert_table_as_wished();
        }
    }
}

#[test]
fn the_quorum_has_a_dead_band_of_twice_the_hysteresis() {
    let servers = (1..=6).map(|n| Rs::new(format!("10.0.0.{n}:80"))).collect();
    let vs = Vs { quorum: 3, hysteresis: 1, ..Vs::new("203.0.113.1:80", servers) };
    let mut node = Node::new(Builder::new().service(vs).build(), "192.0.2.11");
    let mut alive = |count: u32| {
        for n in 1..=6 {
            let server = if n <= count { Server::Good } else { Server::Refuses };
            node.servers.insert(format!("10.0.0.{n}:80").parse().unwrap(), server);
        }
        node.run(Duration::from_secs(5));
        node.director.services().pool(ServiceId(0)).unwrap().quorum == Quorum::Met
    };
    let seen: Vec<bool> = [6, 3, 2, 1, 2, 3, 4, 2, 0, 3, 4].into_iter().map(&mut alive).collect();
    assert_eq!(seen, [true, true, true, false, false, false, true, true, false, false, true]);
}

#[test]
fn with_alpha_a_server_is_down_until_its_first_success_and_one_is_enough() {
    for urls in [0, 3] {
        let mut node = node_of(Rs { urls: Some(urls), alpha: true, interval: 5, ..Rs::new(RS) });
        assert_eq!(belief(&node), Belief::Awaited);
        assert!(!node.director.services().is_alive(DestinationId(0)));
        node.run_until(at(5_100));
        assert_eq!(belief(&node), Belief::Up);
        assert!(node.director.services().is_alive(DestinationId(0)));
        let records = node.take_records();
        assert!(records.contains(&Reason::QuorumAbsent(ServiceId(0), 0)), "{records:?}");
        assert!(
            records.contains(&Reason::ProbeUp(ProbeId(0)))
                && records.contains(&Reason::DestinationUp(DestinationId(0)))
        );
    }
    let mut node = node_of(Rs { alpha: true, retry: 3, interval: 5, ..Rs::new(RS) });
    set(&mut node, Server::Refuses);
    node.run_until(at(5_100));
    assert_eq!(belief(&node), Belief::Down, "the first failure is final here, too");
}

/// A MASTER that is told to watch a host, and does not know it yet.
#[test]
fn a_ping_group_is_down_after_its_dead_time_also_if_its_first_echo_is_lost() {
    let with = |group: &str, track: &str| {
        let router = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100\n }\n";
        crate::config::load(&format!("{group}{router}{track}}}\n"), "test").config.unwrap()
    };
    let group = "ping_group up {\n 192.0.2.1 interval 1 dead 5\n}\n";
    let tracked = || with(group, "track_ping_group {\n up\n }\n");
    for returns in [true, false] {
        let mut node = Node::new(with("", ""), "192.0.2.11");
        node.run_until(at(10_000));
        assert!(node.is_master(0));
        node.servers.insert("192.0.2.1:0".parse().unwrap(), Server::Refuses);
        node.reload(tracked());
        // An error comes at once here, so that tries follow one another twice as fast as echoes that are lost.
        node.run_millis(1_300);
        assert!(node.is_master(0), "three of four tries: {:?}", node.state(0));
        if returns {
            node.servers.clear();
        }
        node.run_millis(3_000);
        assert_eq!(node.is_master(0), returns, "{:?}", node.state(0));
        let down = |one: &Reason| matches!(one, Reason::ProbeDown(_, _, 3));
        assert_eq!(node.take_records().iter().any(down), !returns);
    }
}

/// A director that has checked so many servers of one service every `interval` seconds, the first within a second, for
/// `millis`.
fn checked(servers: u32, interval: u64, millis: u64) -> Node {
    let servers = (0..servers).map(|host| Rs { interval, ..Rs::new(format!("10.0.1.{host}:80")) }).collect();
    let mut config = Builder::new().service(Vs::new("203.0.113.1:80", servers)).build();
    for probe in &mut config.probes {
        std::rc::Rc::make_mut(&mut probe.terms).warmup = Duration::from_secs(1);
    }
    let mut node = Node::new(config, "192.0.2.11");
    node.run_until(at(millis));
    node
}

#[test]
fn checks_that_begin_together_are_spread_over_their_interval_from_the_second_on() {
    let node = checked(100, 10, 60_000);
    let mut seconds = [0; 60];
    for (at, action) in &node.actions {
        let second = usize::try_from(at.since(crate::time::Instant::ZERO).as_micros() / 1_000_000).unwrap();
        if matches!(action, Action::Probe { .. }) && second < 60 {
            seconds[second] += 1;
        }
    }
    assert!(seconds[..=1].iter().sum::<u32>() >= 100, "the first ones come at once: {seconds:?}");
    assert!(seconds[11..].iter().all(|count| (6..=20).contains(count)), "{seconds:?}");
}

/// Servers that stall in their handshakes keep their slots, and those that wait behind them keep theirs.
#[cfg(feature = "tls")]
#[test]
fn probes_over_tls_take_so_many_slots_and_leave_all_others_to_the_rest() {
    use crate::limits::MAX_TLS_SLOTS;
    let server = |n: usize, check: &str| format!("real_server 10.2.0.{n} 80 {{\n{check}\n}}\n");
    let secure = (1..=MAX_TLS_SLOTS + 40).map(|n| server(n, "SSL_GET {\nurl {\npath /\n}\n}"));
    let plain = (200..210).map(|n| server(n, "TCP_CHECK {\n}"));
    let all: String = secure.chain(plain).collect();
    let text = format!("virtual_server 203.0.113.1 80 {{\nprotocol TCP\nlb_kind DR\n{all}}}\n");
    let config = crate::config::load(&text, "t").config.unwrap();
    let mut node = Node::new(config, "192.0.2.11");
    let Director { config, parts: Parts { health, ipvs_plan, bus, .. } } = &mut node.director;
    (0..config.probes.len()).for_each(|id| health.handle_timer(ProbeId::from_index(id)));
    let mut begun = [Vec::new(), Vec::new()];
    while let Some(Action::Probe { probe, slot, .. }) = health.poll(at(1), (config, ipvs_plan), bus) {
        begun[usize::from(probe.index() < MAX_TLS_SLOTS + 40)].push(slot);
    }
    assert_eq!(begun.each_ref().map(Vec::len), [10, MAX_TLS_SLOTS]);
    let verdict = Verdict::Fail(crate::check::Failure::ConnectTimeout);
    for slot in &begun[1][..3] {
        health.handle_result(at(2), (*slot, bus.epoch), verdict, config, bus);
    }
    let next = core::iter::from_fn(|| health.poll(at(3), (config, ipvs_plan), bus)).count();
    assert_eq!(next, 3, "one for each that ended");
    assert!(!health.has_work());
}

#[test]
fn several_hindrances_are_each_told_once() {
    let servers = (1..=2).map(|n| Rs::new(format!("10.1.0.{n}:80"))).collect();
    let mut node =
        Node::new(Builder::new().service(Vs::new("203.0.113.1:80", servers)).build(), "192.0.2.11");
    let Director { config, parts: Parts { health, ipvs_plan, bus, .. } } = &mut node.director;
    let mut told = bus.journal.written_total();
    for turn in 1..=4 {
        for id in [0, 1].map(ProbeId) {
            health.handle_timer(id);
            let Some(Action::Probe { slot, .. }) = health.poll(at(turn), (config, ipvs_plan), bus) else {
                panic!("a slot is free")
            };
            let verdict = Verdict::Local { errno: if id.0 == 0 { 99 } else { 24 } };
            health.handle_result(at(turn), (slot, bus.epoch), verdict, config, bus);
        }
        assert_eq!(health.hindered().map(|(count, ..)| count), Some(2));
        let now = bus.journal.written_total();
        assert_eq!(now - core::mem::replace(&mut told, now), if turn == 1 { 2 } else { 0 });
    }
    health.rest(at(5), ProbeId(0), true, config, bus);
    assert_eq!(health.hindered().map(|(count, ..)| count), Some(1));
    health.rest(at(5), ProbeId(1), true, config, bus);
    assert_eq!(health.hindered(), None, "what rests is not hindered");
}

/// Two wake-ups for each check become fewer the more of them begin together.
#[test]
fn checks_share_their_wake_ups_and_keep_their_interval() {
    let node = checked(200, 2, 30_000);
    let mut begun = std::collections::BTreeMap::<ProbeId, Vec<crate::time::Instant>>::new();
    let mut moments = std::collections::BTreeMap::<crate::time::Instant, u32>::new();
    for (when, action) in node.actions.iter().filter(|(when, _)| *when >= at(10_000)) {
        if let Action::Probe { probe, .. } = action {
            begun.entry(*probe).or_default().push(*when);
            *moments.entry(*when).or_default() += 1;
        }
    }
    assert_eq!(begun.len(), 200);
    for (probe, times) in &begun {
        let even = times.windows(2).all(|pair| pair[1].since(pair[0]) == Duration::from_secs(2));
        assert!(even && times.len() >= 9, "{probe:?}: {times:?}");
    }
    let checks: u32 = moments.values().sum();
    let wakes = u32::try_from(moments.len()).unwrap();
    assert!(wakes * 3 <= checks * 2, "{checks} checks at {wakes} moments");
}
