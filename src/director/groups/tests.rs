//! Sync groups in virtual time: two and three members, both directions, farewell, loss and return of a link, reload.

use super::*;
use crate::config::ids::LinkId;
use crate::director::event::{Event, Keep};
use crate::director::testing::{Builder, Kernel, Lan, Node, Vr, World, at};
use crate::time::Duration;
use crate::wire::vrrp::{Addresses, Advert, Channel, Checksum, Family, GROUP, Received};

const NAMES: [&str; 3] = ["VI_1", "VI_2", "VI_3"];
const TRACKED: [&str; 3] = ["eth1", "eth2", "eth3"];

/// Instance VI_n of VRID 50 + n; it is in FAULT without the n-th further interface.
fn member(n: usize, priority: u8) -> Vr {
    Vr {
        name: NAMES[n],
        vrid: 51 + u8::try_from(n).unwrap(),
        priority,
        vips: vec![format!("192.0.2.10{n}/24")],
        track: vec![(TRACKED[n], 0)],
        ..Vr::default()
    }
}

fn builder(priorities: &[u8]) -> Builder {
    let members: Vec<u32> = (0..u32::try_from(priorities.len()).unwrap()).collect();
    let instances = priorities.iter().enumerate().map(|(n, priority)| member(n, *priority)).collect();
    Builder { instances, ..Builder::new() }.group("G", &members)
}

fn node(builder: &Builder, primary: &str) -> Node {
    let mut kernel = Kernel::new(primary.parse().unwrap());
    for link in TRACKED {
        kernel.add_link(link);
    }
    Node::with_kernel(builder.build(), kernel, Instant::ZERO)
}

/// Two boxes with these priorities.
fn pair(first: &[u8], second: &[u8]) -> World {
    let nodes = vec![node(&builder(first), "192.0.2.11"), node(&builder(second), "192.0.2.12")];
    World::new(nodes, Lan::default(), 7)
}

fn states(node: &Node) -> Vec<State> {
    (0..).map_while(|id| Some(node.director.vrrp().get(InstanceId(id))?.state)).collect()
}

/// The only state of all members.
#[track_caller]
fn state(world: &World, id: usize) -> State {
    let states = states(world.nodes[id].as_ref().unwrap());
    let first = states[0];
    let same = |state: &State| core::mem::discriminant(state) == core::mem::discriminant(&first);
    assert!(states.iter().all(same), "{states:?}");
    first
}

/// Runs and makes sure that after every step the members of each box are in one state.
fn run(world: &mut World, millis: u64) {
    let until = world.now + Duration::from_millis(millis);
    world.run_until(until, |world| {
        let on = |id: &usize| world.nodes[*id].is_some();
        (0..world.nodes.len())
            .filter(on)
            .for_each(|id| assert!(state(world, id) != State::Init || world.now < at(500)));
    });
}

fn synced(node: &mut Node) -> Vec<Standing> {
    let records = node.take_records().into_iter();
    records
        .filter_map(|reason| if let Reason::GroupSynced(_, to) = reason { Some(to) } else { None })
        .collect()
}

#[test]
fn all_members_become_master_in_the_same_instant_when_the_last_one_may() {
    for priorities in [&[100, 90][..], &[100, 90, 80]] {
        let mut node = node(&builder(priorities), "192.0.2.11");
        // Skew of the least priority decides: (256 - 80) / 256 s behind three seconds.
        let least = u64::from(*priorities.last().unwrap());
        let due = 3_000 + (256 - least) * 1_000 / 256;
        node.run_until(at(due));
        assert!(states(&node).iter().all(|state| *state == State::Backup), "{priorities:?}");
        node.run_until(at(due + 10));
        assert!(states(&node).iter().all(|state| *state == State::Master), "{priorities:?}");
        assert_eq!(node.vips().len(), priorities.len());
        assert_eq!(synced(&mut node), [Standing::Backup, Standing::Master]);
    }
}

#[test]
fn a_lesser_group_follows_a_better_one_and_takes_over_as_a_whole_after_its_farewells() {
    for (first, second) in [(&[150, 150][..], &[100, 100][..]), (&[150, 150, 150], &[100, 100, 100])] {
        let mut world = pair(first, second);
        run(&mut world, 8_000);
        assert_eq!((state(&world, 0), state(&world, 1)), (State::Master, State::Backup));
        synced(world.node(1));
        world.node(0).stop(Keep::default());
        world.collect();
        world.nodes[0] = None;
        let until = world.now + Duration::from_millis(620);
        world.run_until(until, |_| {});
        assert_eq!(state(&world, 1), State::Master, "the skew time is enough");
        assert_eq!(synced(world.node(1)), [Standing::Master]);
    }
}

#[test]
fn a_better_group_preempts_as_a_whole_and_once() {
    let mut world = pair(&[150, 150], &[100, 100]);
    world.part[0] = 1;
    run(&mut world, 8_000);
    assert_eq!((state(&world, 0), state(&world, 1)), (State::Master, State::Master), "they hear nothing");
    synced(world.node(0));
    synced(world.node(1));
    world.part[0] = 0;
    run(&mut world, 30_000);
    assert_eq!((state(&world, 0), state(&world, 1)), (State::Master, State::Backup));
    assert_eq!(synced(world.node(0)), []);
    assert_eq!(synced(world.node(1)), [Standing::Backup]);
}

#[test]
fn a_member_that_hears_a_better_router_holds_the_others_back_without_thrashing() {
    // Better in one half, worse in the other, and later: the first to be MASTER of all stays it.
    let mut world = pair(&[100, 100], &[150, 50]);
    run(&mut world, 60_000);
    assert_eq!((state(&world, 0), state(&world, 1)), (State::Master, State::Backup));
    assert_eq!(synced(world.node(0)), [Standing::Backup, Standing::Master]);
    assert_eq!(synced(world.node(1)), [Standing::Backup]);
}

#[test]
fn one_lost_link_takes_all_members_to_fault_and_the_peer_takes_all_of_them() {
    for (first, second) in [(&[150, 150][..], &[100, 100][..]), (&[150, 150, 150], &[100, 100, 100])] {
        let mut world = pair(first, second);
        run(&mut world, 8_000);
        synced(world.node(0));
        synced(world.node(1));
        let last = first.len() - 1;
        world.node(0).set_carrier(TRACKED[last], false);
        run(&mut world, 800);
        let culprit = InstanceId::from_index(last);
        assert!(matches!(state(&world, 0), State::Fault(_)));
        assert_eq!(states(world.node(0))[0], State::Fault(crate::director::vrrp::Fault::Group(culprit)));
        assert_eq!(synced(world.node(0)), [Standing::Fault(culprit)]);
        assert_eq!(world.node(0).vips(), Vec::<core::net::IpAddr>::new());
        assert_eq!(state(&world, 1), State::Master, "farewells of all members were heard");

        world.node(0).set_carrier(TRACKED[last], true);
        run(&mut world, 20_000);
        assert_eq!((state(&world, 0), state(&world, 1)), (State::Master, State::Backup));
        assert_eq!(synced(world.node(0)), [Standing::Backup, Standing::Master]);
        assert_eq!(synced(world.node(1)), [Standing::Master, Standing::Backup]);
    }
}

#[test]
fn a_group_leaves_fault_only_when_all_members_can() {
    let mut world = pair(&[150, 150, 150], &[100, 100, 100]);
    run(&mut world, 8_000);
    world.node(0).set_carrier("eth1", false);
    world.node(0).set_carrier("eth2", false);
    run(&mut world, 1_000);
    world.node(0).take_records();
    world.node(0).set_carrier("eth1", true);
    run(&mut world, 10_000);
    assert_eq!(states(world.node(0))[0], State::Fault(crate::director::vrrp::Fault::Group(InstanceId(1))));
    assert_eq!(synced(world.node(0)), [], "no news as long as one of them cannot");
    world.node(0).set_carrier("eth2", true);
    run(&mut world, 10_000);
    assert_eq!((state(&world, 0), state(&world, 1)), (State::Master, State::Backup));
}

#[test]
fn a_crash_is_noticed_by_all_members_and_nobody_goes_alone() {
    let mut world = pair(&[150, 150], &[100, 100]);
    run(&mut world, 8_000);
    world.nodes[0] = None;
    run(&mut world, 3_700);
    assert_eq!(state(&world, 1), State::Master);
}

#[test]
fn an_owner_waits_for_its_group_and_for_nobody_else() {
    let mut node = node(&builder(&[255, 255]), "192.0.2.11");
    node.run_until(at(100));
    assert_eq!(states(&node), [State::Master, State::Master]);
    let mut node = self::node(&builder(&[255, 100]), "192.0.2.11");
    node.run_until(at(100));
    assert_eq!(states(&node), [State::Backup, State::Backup]);
    node.run_until(at(3_700));
    assert_eq!(states(&node), [State::Master, State::Master]);
}

#[test]
fn a_reload_keeps_the_group_master_and_a_new_member_joins_it() {
    let mut node = node(&builder(&[100, 100]), "192.0.2.11");
    node.run_until(at(8_000));
    node.take_records();
    node.reload(builder(&[100, 100]).build());
    node.run_millis(5_000);
    assert_eq!(states(&node), [State::Master; 2]);
    assert_eq!(synced(&mut node), []);
    node.reload(builder(&[100, 100, 100]).build());
    node.run_millis(1_000);
    assert_eq!(states(&node), [State::Master; 3]);
    assert_eq!(synced(&mut node), []);
    assert_eq!(node.vips().len(), 3);
}

#[test]
fn instances_that_become_a_group_stay_master_and_leave_it_so() {
    let apart = Builder { groups: Vec::new(), ..builder(&[100, 100]) };
    let mut node = node(&apart, "192.0.2.11");
    node.run_until(at(8_000));
    for next in [builder(&[100, 100]), apart] {
        node.take_records();
        node.reload(next.build());
        node.run_millis(10_000);
        assert_eq!(states(&node), [State::Master; 2]);
        assert_eq!(synced(&mut node), []);
    }
}

#[test]
fn members_over_both_families_go_together() {
    let mut six = member(1, 100);
    six.v3 = Some(1_000);
    six.vips = vec!["fe80::100/64".into()];
    let builder = Builder { instances: vec![member(0, 100), six], ..Builder::new() }.group("G", &[0, 1]);
    let config = builder.build();
    assert_eq!(config.instances[1].family, Family::Ipv6);
    let mut kernel = Kernel::new("192.0.2.11".parse().unwrap());
    for link in TRACKED {
        kernel.add_link(link);
    }
    let mut node = Node::with_kernel(config, kernel, Instant::ZERO);
    node.run_until(at(5_000));
    // No link-local address: the IPv6 member cannot, so the IPv4 one must not.
    assert!(states(&node).iter().all(|state| matches!(state, State::Fault(_))), "{:?}", states(&node));
}

#[test]
fn a_member_whose_own_fault_is_over_blames_the_other_one() {
    let mut node = node(&builder(&[100, 100]), "192.0.2.11");
    node.run_until(at(8_000));
    node.set_carrier(TRACKED[0], false);
    node.run_millis(100);
    node.set_carrier(TRACKED[1], false);
    node.run_millis(100);
    assert!(matches!(node.state(1), State::Fault(Fault::LinkDown(_))));
    node.set_carrier(TRACKED[1], true);
    node.run_millis(100);
    assert_eq!(node.state(1), State::Fault(Fault::Group(InstanceId(0))));
}

#[test]
fn what_a_restart_left_goes_from_the_whole_group_when_one_member_hears_a_better_router() {
    let mut node = node(&builder(&[100, 100]), "192.0.2.11");
    node.director.expect_leftovers();
    let vips = ["192.0.2.100", "192.0.2.101"];
    for vip in vips {
        node.kernel.add_address("eth0", vip.parse().unwrap(), 24);
    }
    node.run_millis(1_000);
    assert!(vips.iter().all(|vip| node.has_vip(vip)));
    let advert = Advert {
        version: 2,
        kind: 1,
        vrid: 52,
        priority: 200,
        auth_type: 0,
        interval: Duration::from_secs(1),
        checksum: Checksum::Right,
        addresses: Addresses::V4(&[[192, 0, 2, 101]]),
        auth_data: [0; 8],
    };
    let source = "192.0.2.12".parse().unwrap();
    let packet = Ok(Received { source, destination: GROUP.into(), ttl: 255, seal: None, advert });
    node.handle(Event::Advert { link: LinkId(0), channel: Channel::Ipv4, packet });
    node.run_millis(10);
    assert!(!vips.iter().any(|vip| node.has_vip(vip)));
}
