//! What an instance does beyond the protocol: delays, manners towards lesser and better routers, two owners.

use super::*;
use crate::director::vrrp::Fault;

fn mannered(change: impl Fn(&mut Manners), until: u64) -> Node {
    let mut vr = Vr::default();
    change(&mut vr.manners);
    with(vr, until)
}

/// Hears a router of this priority once a second for so many seconds.
fn hear_for(node: &mut Node, priority: u8, seconds: u64) {
    for _ in 0..seconds {
        hear(node, Ok(advert(99, priority)));
        node.run(SECOND);
    }
}

fn delayed() -> Node {
    mannered(|it| it.preempt_delay = Duration::from_secs(3), 500)
}

#[test]
fn a_lesser_master_is_followed_until_preempt_delay_is_over_and_then_preempted() {
    let mut node = delayed();
    let began = node.now;
    hear(&mut node, Ok(advert(99, 50)));
    let started = Reason::PreemptDelayStarted(InstanceId(0), Duration::from_secs(3));
    assert_eq!(node.take_records(), [started]);
    assert_eq!(left(&node), DOWN, "followed");
    let router = *node.director.vrrp().get(InstanceId(0)).unwrap();
    assert_eq!(router.preempt_at, Some(began + Duration::from_secs(3)));
    while !node.is_master(0) {
        node.run(SECOND);
        hear(&mut node, Ok(advert(99, 50)));
    }
    // The advert after two seconds is the last one that is followed.
    let taken = node.director.vrrp().get(InstanceId(0)).unwrap().since.since(began);
    assert_eq!(taken, Duration::from_micros(2_000_000 + 3_609_375));
}

#[test]
fn preempt_delay_waits_for_nobody_that_is_silent_or_leaves_and_ends_with_a_better_router() {
    let node = mannered(|it| it.preempt_delay = Duration::from_secs(1_000), 4_000);
    assert!(node.is_master(0), "no master was heard at all");
    let mut node = delayed();
    hear(&mut node, Ok(advert(99, 50)));
    hear(&mut node, Ok(advert(99, 0)));
    assert_eq!(left(&node), SKEW);
    let mut node = delayed();
    hear_for(&mut node, 50, 2);
    node.take_records();
    hear(&mut node, Ok(advert(98, 150)));
    assert_eq!(node.take_records(), [Reason::PreemptDelayStopped(InstanceId(0))]);
    let now = node.now;
    hear(&mut node, Ok(advert(99, 50)));
    let at = node.director.vrrp().get(InstanceId(0)).unwrap().preempt_at;
    assert_eq!(at, Some(now + Duration::from_secs(3)), "it begins anew");
}

#[test]
fn a_reload_goes_on_with_a_preempt_delay() {
    let mut node = delayed();
    let config = || {
        let manners = Manners { preempt_delay: Duration::from_secs(3), ..Manners::default() };
        Builder::new().instance(Vr { manners, ..Vr::default() }).build()
    };
    hear_for(&mut node, 50, 2);
    let at = node.director.vrrp().get(InstanceId(0)).unwrap().preempt_at;
    node.reload(config());
    assert!(at.is_some());
    assert_eq!(node.director.vrrp().get(InstanceId(0)).unwrap().preempt_at, at);
    hear_for(&mut node, 50, 1);
    assert_eq!(node.state(0), State::Backup);
    hear_for(&mut node, 50, 4);
    assert!(node.is_master(0));
}

#[test]
fn vrrp_is_ignored_until_the_delay_of_the_start_or_that_of_the_boot_is_over() {
    for (startup, boot, begins) in [(5, 0, 5), (0, 7, 7), (5, 7, 7), (9, 7, 9)] {
        let mut config = Builder::new().instance(Vr { priority: 255, ..Vr::default() }).build();
        config.global.startup_delay = Duration::from_secs(startup);
        config.global.delay_after_boot = Duration::from_secs(boot);
        let mut node = Node::new(config, ME);
        let delayed = Reason::StartDelayed(Duration::from_secs(begins));
        assert_eq!(node.take_records().first(), Some(&delayed));
        node.run_until(at(begins * 1_000 - 1));
        hear(&mut node, Ok(advert(99, 50)));
        assert_eq!((node.state(0), sent(&mut node)), (State::Init, vec![]));
        let router = node.director.vrrp().get(InstanceId(0)).unwrap();
        assert_eq!((router.counters.received_total, router.rejects.sum()), (0, 0));
        node.run_until(at(begins * 1_000));
        assert!(node.is_master(0));
    }
}

#[test]
fn a_start_long_after_the_boot_is_not_delayed_by_it_and_a_reload_is_no_start() {
    let config = || {
        let mut config = Builder::new().instance(Vr { priority: 255, ..Vr::default() }).build();
        config.global.delay_after_boot = Duration::from_secs(60);
        config.global.startup_delay = Duration::from_secs(2);
        config
    };
    let kernel = crate::director::testing::Kernel::new(ME.parse().unwrap());
    let mut node = Node::with_kernel(config(), kernel, at(600_000));
    node.run_until(at(601_000));
    node.reload(config());
    node.run_until(at(601_999));
    assert_eq!(node.state(0), State::Init, "the delay goes on");
    node.run_until(at(602_000));
    assert!(node.is_master(0));
    node.reload(config());
    assert!(node.is_master(0), "and does not begin anew");
}

#[test]
fn down_timer_adverts_are_how_many_adverts_a_backup_misses() {
    let mut node = mannered(|it| it.down_adverts = 5, 500);
    hear(&mut node, Ok(advert(99, 150)));
    assert_eq!(left(&node), Some(5_609_375));
    node.run(Duration::from_micros(5_609_374));
    assert_eq!(node.state(0), State::Backup);
    node.run(Duration::from_micros(1));
    assert!(node.is_master(0));
}

#[test]
fn with_lower_prio_no_advert_a_lesser_router_gets_announcements_and_no_advert() {
    let mut node = mannered(|it| it.answers_lesser = false, 4_000);
    node.announced.clear();
    let before = left(&node);
    hear(&mut node, Ok(advert(99, 50)));
    assert_eq!(sent(&mut node), []);
    assert_eq!(left(&node), before);
    node.run_millis(50);
    assert_eq!(node.announced.len(), 5);
    hear(&mut node, Ok(advert(99, 0)));
    assert_eq!(sent(&mut node), [AdvertKind::Present], "RFC 9568 6.4.3: a farewell is answered nevertheless");
}

#[test]
fn with_higher_prio_send_advert_a_master_that_gives_way_shows_itself_once_more() {
    for (from, priority) in [(99, 150), (99, 100)] {
        let mut node = mannered(|it| it.last_word = true, 4_000);
        node.outbox.clear();
        hear(&mut node, Ok(advert(from, priority)));
        assert_eq!(node.state(0), State::Backup);
        assert_eq!(sent(&mut node), [AdvertKind::Present]);
        let bytes = &node.outbox[0].bytes;
        assert_eq!((node.outbox.len(), bytes[22]), (1, 100), "with its own priority");
        assert_eq!(left(&node), DOWN);
    }
}

#[test]
fn an_owner_may_ignore_adverts_and_nobody_else_does() {
    let ignores = Manners { owner_ignores: true, ..Manners::default() };
    let mut node = with(Vr { priority: 255, manners: ignores, ..Vr::default() }, 500);
    for priority in [0, 50, 254, 255] {
        hear(&mut node, Ok(advert(99, priority)));
    }
    assert!(node.is_master(0) && sent(&mut node).is_empty() && node.take_records().is_empty());
    assert_eq!(node.director.vrrp().get(InstanceId(0)).unwrap().counters.received_total, 4);
    let mut node = with(Vr { manners: ignores, ..Vr::default() }, 4_000);
    hear(&mut node, Ok(advert(99, 150)));
    assert_eq!(node.state(0), State::Backup);
}

fn owner() -> Node {
    with(Vr { priority: 255, ..Vr::default() }, 500)
}

#[test]
fn of_two_owners_the_lower_address_gives_in_at_once() {
    let mut node = owner();
    hear(&mut node, Ok(advert(99, 255)));
    assert_eq!(node.state(0), State::Backup);
    let two = Reason::TwoOwners(InstanceId(0), IpAddr::from([192, 0, 2, 99]));
    assert!(node.take_records().contains(&two));
    assert_eq!(node.director.vrrp().get(InstanceId(0)).unwrap().priority, 255);
    node.run_millis(3_100);
    assert!(node.is_master(0), "it takes over when the other one is gone");
}

#[test]
fn the_higher_owner_takes_back_its_priority_if_the_lower_one_does_not_give_in() {
    let mut node = owner();
    let two = Reason::TwoOwners(InstanceId(0), IpAddr::from([192, 0, 2, 5]));
    for round in 0..4 {
        hear(&mut node, Ok(advert(5, 255)));
        assert!(node.is_master(0), "{round}");
        node.run(SECOND);
    }
    let said = node.take_records();
    assert_eq!(said.iter().filter(|one| **one == two).count(), 1, "said once: {said:?}");
    hear(&mut node, Ok(advert(5, 255)));
    assert_eq!(node.state(0), State::Backup);
    assert!(node.take_records().contains(&Reason::OwnerDemoted(InstanceId(0))));
    node.run_millis(4_000);
    let router = node.director.vrrp().get(InstanceId(0)).unwrap();
    assert_eq!((router.state, router.priority), (State::Master, 254));
}

#[test]
fn an_owner_that_was_heard_long_ago_is_a_new_one() {
    let mut node = owner();
    hear(&mut node, Ok(advert(5, 255)));
    node.run_millis(60_000);
    hear(&mut node, Ok(advert(5, 255)));
    assert!(node.is_master(0));
}

#[test]
fn adverts_to_peers_have_the_configured_time_to_live_and_those_to_the_group_255() {
    let manners = Manners { unicast_ttl: 64, ..Manners::default() };
    for (peers, ttl) in [(vec![IpAddr::from([192, 0, 2, 12])], 64), (vec![], 255)] {
        let node = with(Vr { peers, manners, ..Vr::default() }, 4_000);
        assert_eq!(node.outbox[0].bytes[8], ttl);
    }
}

#[test]
fn without_peers_an_instance_of_unicast_stays_in_fault() {
    let mut config = Builder::new().instance(Vr::default()).build();
    config.instances[0].transport = crate::config::model::Transport::Unicast { peers: 0..0 };
    let mut node = Node::new(config, ME);
    node.run_until(at(10_000));
    assert_eq!(node.state(0), State::Fault(Fault::NoPeers));
    assert!(node.outbox.is_empty());
}

#[test]
fn dont_track_primary_goes_on_while_the_interface_is_down_and_not_without_it() {
    let mut node = mannered(|it| it.track_primary = false, 4_000);
    node.set_carrier("eth0", false);
    node.run_millis(5_000);
    assert!(node.is_master(0) && node.has_vip("192.0.2.100"));
    node.remove_link("eth0");
    node.run_millis(10);
    assert_eq!(node.state(0), State::Fault(Fault::LinkAbsent(LinkId(0))));
}

#[test]
fn an_owner_that_gave_in_has_its_priority_again_after_a_reload() {
    let mut node = owner();
    for _ in 0..5 {
        hear(&mut node, Ok(advert(5, 255)));
        node.run(SECOND);
    }
    node.run_millis(4_000);
    let router = |node: &Node| *node.director.vrrp().get(InstanceId(0)).unwrap();
    assert!(router(&node).demoted);
    node.reload(Builder::new().instance(Vr { priority: 255, ..Vr::default() }).build());
    node.run_millis(10);
    assert_eq!((router(&node).state, router(&node).priority), (State::Master, 255));
    assert!(!router(&node).demoted);
}

#[test]
fn a_reload_without_preempt_delay_ends_it_and_one_with_less_shortens_it() {
    let config = |seconds| {
        let manners = Manners { preempt_delay: Duration::from_secs(seconds), ..Manners::default() };
        Builder::new().instance(Vr { manners, ..Vr::default() }).build()
    };
    for (next, wanted) in [(0, false), (2, true), (500, true)] {
        let mut node = mannered(|it| it.preempt_delay = Duration::from_secs(300), 500);
        hear_for(&mut node, 50, 2);
        node.reload(config(next));
        let until = node.director.vrrp().get(InstanceId(0)).unwrap().preempt_at;
        let longest = Duration::from_secs(next.min(300));
        assert_eq!(until.is_some(), wanted, "{next}");
        assert!(until.is_none_or(|at| at <= node.now + longest), "{next}: {until:?}");
        node.take_records();
        hear(&mut node, Ok(advert(99, 200)));
        let said = node.take_records().contains(&Reason::PreemptDelayStopped(InstanceId(0)));
        assert_eq!(said, wanted, "{next}");
    }
}

#[test]
fn no_advert_has_the_identification_0_which_the_kernel_would_replace() {
    let mut node = master();
    node.director.parts.vrrp.table[0].ip_id = u16::MAX - 1;
    node.outbox.clear();
    node.run_millis(3_000);
    let ids: Vec<[u8; 2]> = node.outbox.iter().map(|one| [one.bytes[4], one.bytes[5]]).collect();
    assert_eq!(ids, [[255, 255], [0, 1], [0, 2]]);
}

#[test]
fn with_timer_expired_backup_a_master_that_wakes_too_late_listens_first() {
    for (adverts, late, stays) in [(0, 60_000, true), (3, 3_900, true), (3, 4_100, false), (1, 2_100, false)]
    {
        let mut node = mannered(|it| it.late_adverts = adverts, 4_000);
        assert!(node.is_master(0));
        node.take_actions();
        // As if the process had been stopped: nothing between the last advert and now.
        let asleep =
            node.director.protocol_deadline(InstanceId(0)).unwrap() + Duration::from_millis(late - 1_000);
        node.now = asleep;
        node.handle(Event::Tick);
        assert_eq!(node.is_master(0), stays, "{adverts} adverts, {late} ms");
        if !stays {
            assert_eq!(sent(&mut node), [], "neither an advert nor a farewell");
            node.run_millis(10);
            assert!(!node.has_vip("192.0.2.100"));
            node.run_millis(4_000);
            assert!(node.is_master(0), "nobody else is there");
        }
    }
}

#[test]
fn before_the_delay_of_the_start_is_over_that_is_the_reason() {
    let mut config = Builder::new().instance(Vr::default()).build();
    config.global.startup_delay = Duration::from_secs(5);
    let mut node = Node::new(config, ME);
    let why = |node: &Node| node.director.vrrp().get(InstanceId(0)).unwrap().why;
    node.run_until(at(3_000));
    assert_eq!(why(&node), Some(Reason::StartDelayed(Duration::from_secs(5))));
    node.run_until(at(6_000));
    assert!(matches!(why(&node), Some(Reason::EnteredBackup(..))));
}
