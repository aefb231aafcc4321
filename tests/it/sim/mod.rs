//! Level 1: boxes in virtual time, on a segment that loses, doubles and delays, with kernels that refuse, forget and
//! are changed by hand. Every story is told by a seed.

mod growth;
mod schedules;

use core::net::IpAddr;

use lvsbox::config::Config;
use lvsbox::config::ids::InstanceId;
use lvsbox::config::model::Preemption;
use lvsbox::director::action::{Action, AdvertKind};
use lvsbox::director::event::{Errno, Keep};
use lvsbox::director::vrrp::{master_down_interval, skew_time};
use lvsbox::time::{Duration, Instant};
use lvsbox::wire::genl_ipvs::{DestinationKey, DestinationSpec, ForwardingMethod};
use lvsbox::wire::vrrp::Version;

use crate::support::{Builder, Dice, Fault, Lan, Node, Rs, Server, Vr, Vs, World, at};

const SECOND: Duration = Duration::from_secs(1);
/// What the promise allows on top of the protocol's bound.
const SLACK: Duration = Duration::from_millis(2);

/// `SIM_SEEDS` tells more stories than the usual number of each.
fn seeds(usual: u64) -> core::ops::Range<u64> {
    let more = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok());
    0..more.unwrap_or(usual)
}

fn vips(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("198.51.{}.{}/32", n / 250, n % 250 + 1)).collect()
}

fn pair_config(priority: u8, preemption: Preemption) -> Config {
    Builder::new().instance(Vr { priority, preemption, vips: vips(4), ..Vr::default() }).build()
}

/// `count` boxes; the first has the highest priority.
fn boxes(count: u8, preemption: Preemption) -> Vec<Node> {
    let node = |n: u8| Node::new(pair_config(200 - 20 * n, preemption), &format!("192.0.2.{}", 11 + n));
    (0..count).map(node).collect()
}

fn bad_lan(dice: &mut Dice) -> Lan {
    Lan { loss: dice.below(15), doubled: dice.below(20), delay: dice.below(20_000) }
}

/// The interval after which a lone box of this priority takes over.
fn down(priority: u8) -> Duration {
    master_down_interval(Version::V2, SECOND, priority, 3)
}

#[test]
fn in_a_healthy_segment_exactly_one_is_master_after_master_down() {
    for (seed, count) in [(1, 2), (2, 3), (3, 5)] {
        let mut world = World::new(boxes(count, Preemption::Preempt), Lan::default(), seed);
        world.run_until(Instant::ZERO + down(200) + SLACK, |_| {});
        assert_eq!(world.masters(), [0], "{count} boxes");
        world.run_until(at(60_000), |world| assert!(world.masters().len() <= 1));
        assert_eq!(world.masters(), [0]);
        for node in world.nodes.iter().flatten() {
            node.assert_addresses_as_wished();
        }
    }
}

#[test]
fn a_master_that_dies_is_replaced_within_the_protocols_bound_and_two_milliseconds() {
    for seed in seeds(50) {
        let count = 2 + u8::try_from(seed % 4).unwrap();
        let mut world = World::new(boxes(count, Preemption::Preempt), Lan::default(), seed);
        world.run_until(at(10_000 + seed * 37), |_| {});
        world.nodes[0] = None;
        let bound = world.now + down(180) + SLACK;
        world.run_until(bound, |_| {});
        assert_eq!(world.masters(), [1], "seed {seed}");
        world.node(1).run_millis(5);
        world.node(1).assert_addresses_as_wished();
    }
}

#[test]
fn a_master_that_leaves_is_replaced_after_the_skew_time() {
    let mut world = World::new(boxes(3, Preemption::Preempt), Lan::default(), 1);
    world.run_until(at(10_000), |_| {});
    world.node(0).stop(Keep::default());
    let bound = world.now + skew_time(Version::V2, SECOND, 180) + SLACK;
    world.run_until(bound, |_| {});
    assert_eq!(world.masters(), [1]);
    let first = world.node(0);
    assert!(first.director.is_stopped() && first.vips().is_empty());
}

#[test]
fn two_masters_of_a_healed_partition_settle_within_two_intervals() {
    for seed in seeds(40) {
        let mut dice = Dice::new(seed);
        let mut world = World::new(boxes(5, Preemption::Preempt), Lan::default(), seed);
        world.run_until(at(5_000), |_| {});
        world.part = (0..5).map(|_| u8::try_from(dice.below(2)).unwrap()).collect();
        world.run(Duration::from_secs(5) + Duration::from_millis(dice.below(1_000)));
        let parts: std::collections::BTreeSet<u8> = world.part.iter().copied().collect();
        assert_eq!(world.masters().len(), parts.len(), "one in each part, seed {seed}");
        world.part = vec![0; 5];
        // Each MASTER is heard by the others within an interval; the best one answers at once.
        let settled = world.now + SECOND + SLACK;
        world.run_until(settled, |_| {});
        world
            .run_until(world.now + SECOND.times(20), |world| assert_eq!(world.masters(), [0], "seed {seed}"));
        for node in world.nodes.iter().flatten() {
            node.assert_addresses_as_wished();
        }
    }
}

#[test]
fn equal_priorities_settle_on_the_higher_address() {
    for seed in seeds(20) {
        let node = |n: u8| Node::new(pair_config(100, Preemption::Preempt), &format!("192.0.2.{}", 11 + n));
        let mut world = World::new((0..3).map(node).collect(), Lan { delay: 900, ..Lan::default() }, seed);
        world.run_until(at(8_000), |_| {});
        assert_eq!(world.masters(), [2], "all start at once, so all become MASTER at once, seed {seed}");
    }
}

#[test]
fn with_nopreempt_the_one_that_works_stays() {
    let mut world = World::new(boxes(2, Preemption::Stay), Lan::default(), 1);
    world.part = vec![0, 1];
    world.run_until(at(2_000), |_| {});
    let second = world.nodes[0].take();
    world.run_until(at(8_000), |_| {});
    assert_eq!(world.masters(), [1]);
    drop(second);
    let mut back = Node::with_kernel(
        pair_config(200, Preemption::Stay),
        crate::support::Kernel::new("192.0.2.11".parse().unwrap()),
        world.now,
    );
    back.outbox.clear();
    world.nodes[0] = Some(back);
    world.part = vec![0, 0];
    world.run_until(at(60_000), |world| assert_eq!(world.masters(), [1]));
}

#[test]
fn on_a_bad_segment_someone_always_serves_and_a_good_one_brings_peace_back() {
    for seed in seeds(60) {
        let mut dice = Dice::new(seed);
        let count = 2 + u8::try_from(dice.below(4)).unwrap();
        let mut world = World::new(boxes(count, Preemption::Preempt), bad_lan(&mut dice), seed);
        world.run_until(Instant::ZERO + down(200) + SLACK, |_| {});
        for _ in 0..20 {
            let victim = usize::try_from(dice.below(u64::from(count))).unwrap();
            match dice.below(5) {
                0 => world.part = (0..count).map(|_| u8::try_from(dice.below(2)).unwrap()).collect(),
                1 => world.part = vec![0; usize::from(count)],
                2 => world.node(victim).set_carrier("eth0", false),
                3 => world.node(victim).set_carrier("eth0", true),
                _ => world.node(victim).overrun(),
            }
            world.run(Duration::from_millis(dice.below(3_000)));
        }
        world.part = vec![0; usize::from(count)];
        world.lan = Lan::default();
        for id in 0..usize::from(count) {
            world.node(id).set_carrier("eth0", true);
        }
        world.run(Duration::from_secs(8));
        world.run_until(world.now + SECOND.times(5), |world| assert_eq!(world.masters(), [0], "seed {seed}"));
        for node in world.nodes.iter().flatten() {
            node.assert_addresses_as_wished();
        }
    }
}

/// Version 3 in both families under one VRID; every box has an interval of its own.
#[test]
fn version_3_in_both_families_settles_on_a_bad_segment_whatever_the_intervals() {
    for seed in seeds(30) {
        let mut dice = Dice::new(seed);
        let node = |n: u8, interval: u64| {
            let vr = |name, vips: &[&str]| Vr {
                name,
                priority: 200 - 20 * n,
                v3: Some(interval),
                vips: vips.iter().map(|vip| (*vip).to_owned()).collect(),
                ..Vr::default()
            };
            let config = Builder::new()
                .instance(vr("VI_4", &["198.51.100.1/32"]))
                .instance(vr("VI_6", &["fe80::100/64", "2001:db8::100/64"]))
                .build();
            let primary = format!("192.0.2.{}", 11 + n).parse().unwrap();
            Node::with_kernel(config, crate::support::Kernel::dual(primary), Instant::ZERO)
        };
        let count = 2 + u8::try_from(dice.below(3)).unwrap();
        let nodes = (0..count).map(|n| node(n, 10 + 10 * dice.below(50))).collect();
        let mut world = World::new(nodes, bad_lan(&mut dice), seed);
        for _ in 0..10 {
            let victim = usize::try_from(dice.below(u64::from(count))).unwrap();
            match dice.below(3) {
                0 => world.part = (0..count).map(|_| u8::try_from(dice.below(2)).unwrap()).collect(),
                1 => world.node(victim).set_carrier("eth0", false),
                _ => world.node(victim).set_carrier("eth0", true),
            }
            world.run(Duration::from_millis(dice.below(1_500)));
        }
        world.part = vec![0; usize::from(count)];
        world.lan = Lan::default();
        for id in 0..usize::from(count) {
            world.node(id).set_carrier("eth0", true);
        }
        world.run(Duration::from_secs(6));
        world.run_until(world.now + SECOND, |world| {
            for (id, node) in world.nodes.iter().flatten().enumerate() {
                assert_eq!((node.is_master(0), node.is_master(1)), (id == 0, id == 0), "seed {seed}");
            }
        });
        for node in world.nodes.iter().flatten() {
            node.assert_addresses_as_wished();
        }
    }
}

#[test]
fn two_hundred_addresses_are_all_announced_five_times_twice_and_never_before_they_are_there() {
    let config = Builder::new().instance(Vr { vips: vips(200), ..Vr::default() }).build();
    let mut node = Node::new(config, "192.0.2.11");
    node.run_until(at(3_600));
    assert!(node.announced.is_empty());
    node.run_until(at(3_620));
    assert!(node.is_master(0));
    assert_eq!(node.announced.len(), 1_000, "the first burst");
    let first_advert =
        node.actions.iter().find(|(_, one)| matches!(one, Action::SendAdvert { .. })).unwrap().0;
    let last = node.announced.last().unwrap().0;
    assert!(last.since(first_advert) < Duration::from_millis(10), "all within 10 ms of the advert");
    node.run_until(at(20_000));
    assert_eq!(node.announced.len(), 2_000, "the second burst");
    assert!(node.announced.iter().all(|(_, _, there)| *there));
    let order: Vec<IpAddr> = node.director.config().addresses.iter().map(|one| one.address).collect();
    for round in node.announced.chunks(200) {
        let heard: Vec<IpAddr> = round.iter().map(|(_, address, _)| *address).collect();
        assert_eq!(heard, order, "a round over all addresses, then the next");
    }
}

fn services(count: usize, servers: usize) -> Vec<Vs> {
    let server = |service: usize, n: usize| Rs {
        inhibit: n.is_multiple_of(3),
        retry: u32::try_from(n % 3).unwrap(),
        urls: [Some(0), Some(1), Some(2), None][n % 4],
        weight: u32::try_from(n % 5).unwrap(),
        ..Rs::new(format!("10.0.{service}.{}:80", n + 1))
    };
    let service = |id: usize| Vs {
        quorum: u32::try_from(1 + id % 3).unwrap(),
        sorry: id.is_multiple_of(2).then(|| Rs { inhibit: id.is_multiple_of(4), ..Rs::new("10.9.9.9:80") }),
        ..Vs::new(format!("203.0.113.{}:80", id + 1), (0..servers).map(|n| server(id, n)).collect())
    };
    (0..count).map(service).collect()
}

/// The last kind of meddling: a service that we have not added, or not yet.
const ADDS_SERVICES: u64 = 6;

/// Something an operator, a script or a rival does to the table.
fn meddle(node: &mut Node, dice: &mut Dice, kinds: u64) {
    let services = node.director.config().services.clone();
    let service = &services[usize::try_from(dice.below(services.len() as u64)).unwrap()];
    let Some(table) = &mut node.kernel.ipvs else { return };
    let weight = u32::try_from(dice.below(9)).unwrap();
    let spec = DestinationSpec { method: ForwardingMethod::Masquerade, weight, upper: 0, lower: 0 };
    match dice.below(kinds) {
        0 => table.clear(),
        1 => drop(table.remove(&service.key)),
        2 => {
            if let Some((spec, _)) = table.get_mut(&service.key) {
                spec.flags ^= 0x8;
            }
        }
        3 => {
            if let Some((_, pool)) = table.get_mut(&service.key) {
                pool.pop_first();
            }
        }
        4 => {
            if let Some((_, pool)) = table.get_mut(&service.key) {
                pool.values_mut().for_each(|spec| spec.weight = weight);
            }
        }
        kind => {
            let port = u16::try_from(dice.below(99)).unwrap();
            let key = DestinationKey { address: "10.66.6.6".parse().unwrap(), port };
            if kind == ADDS_SERVICES {
                table.entry(service.key).or_insert((service.spec, Default::default()));
            }
            if let Some((_, pool)) = table.get_mut(&service.key) {
                pool.insert(key, spec);
            }
        }
    }
}

fn unlucky(seed: u64, percent: u64) -> impl FnMut(&Action) -> Option<Fault> {
    let mut dice = Dice::new(seed);
    move |_| {
        let errnos = [Errno::ENOBUFS, Errno(12), Errno(16)];
        dice.percent(percent).then(|| match dice.below(3) {
            0 => Fault::LoseAnswer,
            1 => Fault::LoseRequest,
            _ => Fault::Refuse(errnos[usize::try_from(dice.below(3)).unwrap()]),
        })
    }
}

#[test]
fn tables_and_addresses_become_as_wished_whatever_hands_and_kernels_do() {
    for seed in seeds(40) {
        let mut dice = Dice::new(seed);
        let mut builder = Builder::new().instance(Vr { vips: vips(5), ..Vr::default() });
        builder.services = services(4, 6);
        let mut node = Node::new(builder.build(), "192.0.2.11");
        node.fault = Box::new(unlucky(seed, 20));
        for _ in 0..60 {
            node.run(Duration::from_micros(dice.below(1_500_000) >> dice.below(14)));
            let target = format!("10.0.{}.{}:80", dice.below(4), dice.below(6) + 1).parse().unwrap();
            let vip = format!("198.51.0.{}", dice.below(5) + 1);
            match dice.below(9) {
                0..3 => meddle(&mut node, &mut dice, ADDS_SERVICES + 1),
                3 => drop(node.servers.insert(target, Server::Refuses)),
                4 => drop(node.servers.insert(target, Server::Urls(1))),
                5 => drop(node.servers.remove(&target)),
                6 => node.delete_by_hand(&vip),
                7 => node.overrun(),
                _ => node.set_carrier("eth0", dice.percent(80)),
            }
        }
        node.set_carrier("eth0", true);
        node.fault = Box::new(|_| None);
        node.run(SECOND.times(150));
        assert!(node.is_master(0), "seed {seed}");
        node.assert_addresses_as_wished();
        node.assert_table_as_wished();
        let before = node.actions.len();
        node.run(SECOND.times(20));
        let changes = node.actions[before..].iter().filter(|(_, one)| is_change(one)).count();
        assert_eq!(changes, 0, "a world at rest is left alone, seed {seed}");
    }
}

fn is_change(action: &Action) -> bool {
    matches!(
        action,
        Action::AddAddress { .. }
            | Action::RemoveAddress { .. }
            | Action::Routing { .. }
            | Action::Service { .. }
            | Action::Destination { .. }
            | Action::OpenSocket { .. }
    )
}

#[test]
fn reloads_in_the_middle_of_everything_lose_nothing() {
    for seed in seeds(40) {
        let mut dice = Dice::new(seed);
        let random = |dice: &mut Dice| {
            let mut builder = Builder::new();
            let mut all = services(6, 5);
            for id in 0..3_u8 {
                if dice.percent(70) {
                    let count = usize::try_from(dice.below(6)).unwrap();
                    let first = usize::from(id) * 10;
                    builder = builder.instance(Vr {
                        vrid: 51 + id,
                        vips: vips(first + count).split_off(first),
                        ..Vr::default()
                    });
                }
            }
            while builder.services.len() < 3 {
                let mut one = all.swap_remove(usize::try_from(dice.below(all.len() as u64)).unwrap());
                one.servers.truncate(usize::try_from(dice.below(5)).unwrap() + 1);
                builder = builder.service(one);
            }
            builder.build()
        };
        let mut node = Node::new(random(&mut dice), "192.0.2.11");
        node.fault = Box::new(unlucky(seed, 10));
        let mut seen = Vec::new();
        for _ in 0..12 {
            node.run_until(node.now + Duration::from_micros(dice.below(6_000_000) >> dice.below(16)));
            if dice.percent(20) {
                meddle(&mut node, &mut dice, ADDS_SERVICES);
            }
            seen.extend(node.director.config().addresses.iter().map(|one| one.address));
            node.reload(random(&mut dice));
        }
        node.fault = Box::new(|_| None);
        node.run(SECOND.times(150));
        node.assert_addresses_as_wished();
        node.assert_table_as_wished();
        let ours: Vec<IpAddr> = node.director.config().addresses.iter().map(|one| one.address).collect();
        for address in seen.into_iter().filter(|one| !ours.contains(one)) {
            assert!(!node.kernel.has(address), "{address} was left behind, seed {seed}");
        }
        let keys: Vec<_> = node.director.config().services.iter().map(|one| one.key).collect();
        for key in node.kernel.ipvs.iter().flatten().map(|(key, _)| key) {
            assert!(keys.contains(key), "{key} was left behind, seed {seed}");
        }
    }
}

#[test]
fn a_stop_at_any_moment_takes_everything_down() {
    for seed in seeds(60) {
        let mut dice = Dice::new(seed);
        let mut builder = Builder::new().instance(Vr { vips: vips(5), ..Vr::default() });
        builder.services = services(4, 6);
        let mut node = Node::new(builder.build(), "192.0.2.11");
        node.run_until(Instant::from_micros(3_600_000 + dice.below(12_000)));
        node.stop(Keep::default());
        node.run_millis(50);
        assert!(node.director.is_stopped(), "seed {seed}");
        assert!(node.vips().is_empty() && node.kernel.table().is_empty(), "seed {seed}");
    }
}

#[test]
fn an_interface_that_is_replaced_takes_nothing_along_but_time() {
    for seed in seeds(40) {
        let mut dice = Dice::new(seed);
        let mut node = Node::new(pair_config(100, Preemption::Preempt), "192.0.2.11");
        node.run_until(Instant::from_micros(3_600_000 + dice.below(12_000)));
        for _ in 0..4 {
            node.remove_link("eth0");
            node.run(Duration::from_micros(dice.below(4_000)));
            node.add_link("eth0", "192.0.2.11".parse().unwrap());
            node.run(Duration::from_micros(dice.below(5_000_000)));
        }
        node.run(SECOND.times(70));
        assert!(node.is_master(0), "seed {seed}");
        node.assert_addresses_as_wished();
    }
}

#[test]
fn forged_adverts_in_floods_neither_stop_the_master_nor_flood_segment_or_log() {
    let forge = |kind| {
        let mut lesser = Node::new(pair_config(50, Preemption::Preempt), "192.0.2.66");
        lesser.run_until(at(100));
        let mut bytes = [0; 200];
        let len = lesser.director.advert(InstanceId(0), 0, kind, &mut bytes).unwrap().len;
        bytes[..len].to_vec()
    };
    let (present, farewell) = (forge(AdvertKind::Present), forge(AdvertKind::Farewell));
    for (as_master, warm_up) in [(true, 4_000), (false, 1_000)] {
        let mut node = Node::new(pair_config(100, Preemption::Preempt), "192.0.2.11");
        node.run_until(at(warm_up));
        assert_eq!(node.is_master(0), as_master);
        node.take_records();
        node.outbox.clear();
        for n in 0..20_000 {
            node.hear(if n % 2 == 0 { &present } else { &farewell });
            node.run(Duration::from_micros(50));
        }
        let records = node.take_records();
        assert!(records.len() <= 12, "{} records: {records:?}", records.len());
        assert!(node.outbox.len() <= 12, "{} adverts", node.outbox.len());
    }
}

#[test]
fn random_packets_never_disturb() {
    let mut dice = Dice::new(7);
    let mut node = Node::new(pair_config(100, Preemption::Preempt), "192.0.2.11");
    node.run_until(at(4_000));
    let mut bytes = [0; 200];
    let len = node.director.advert(InstanceId(0), 0, AdvertKind::Present, &mut bytes).unwrap().len;
    for _ in 0..20_000 {
        let mut packet = bytes[..len].to_vec();
        for _ in 0..=dice.below(3) {
            let place = usize::try_from(dice.below(len as u64)).unwrap();
            packet[place] = u8::try_from(dice.below(256)).unwrap();
        }
        packet.truncate(usize::try_from(dice.below(2 * len as u64)).unwrap().max(1));
        node.hear(&packet);
        node.run(Duration::from_micros(100));
    }
    let rejects =
        node.director.vrrp().get(InstanceId(0)).unwrap().rejects.sum() + node.director.vrrp().strays.sum();
    assert!(rejects > 10_000, "{rejects}");
    // One whose source was forged is a better router until it is found silent.
    node.run(down(100) + SLACK);
    assert!(node.is_master(0));
    node.assert_addresses_as_wished();
}
