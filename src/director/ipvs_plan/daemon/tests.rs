//! Sync daemons, timeouts and the flush at the stop, in virtual time.

use crate::config::model::Timeouts;
use crate::director::event::{Errno, Event, Keep};
use crate::director::journal::Reason;
use crate::director::testing::{Builder, Kernel, Node, Rs, Vr, Vs, at};
use crate::time::Instant;
use crate::wire::genl_ipvs::{DaemonRole, DaemonSpec};
use crate::wire::link::LinkName;

const STOP: Event<'static> = Event::Stop { keep: Keep { addresses: false, services: false } };

fn bound() -> Builder {
    Builder { sync: Some(("eth0", Some(0), 51)), ..Builder::new().instance(Vr::default()) }
}

/// Which daemons run, as ipvsadm would tell: `m51`, `b51`.
fn running(node: &Node) -> String {
    let words = ["m", "b"].iter().zip(node.kernel.daemons).filter_map(|(role, spec)| {
        let spec = spec?;
        Some(format!("{role}{}", spec.id))
    });
    words.collect::<Vec<_>>().join(" ")
}

fn spec(id: u8) -> DaemonSpec {
    DaemonSpec { id, maxlen: 1_472, ..DaemonSpec::new(LinkName::new("eth0").unwrap()) }
}

fn stop(node: &mut Node) {
    node.handle(STOP);
    node.run_millis(1_000);
}

#[test]
fn without_an_instance_both_daemons_run_until_the_stop() {
    let mut node =
        Node::new(Builder { sync: Some(("eth0", None, 0)), ..Builder::new() }.build(), "192.0.2.11");
    node.run_until(at(1_000));
    assert_eq!(running(&node), "m0 b0");
    stop(&mut node);
    assert_eq!(running(&node), "");
    assert!(node.director.is_stopped());
}

#[test]
fn a_bound_daemon_follows_its_instance() {
    let mut node = Node::new(bound().build(), "192.0.2.11");
    node.run_until(at(2_000));
    assert_eq!(running(&node), "b51");
    node.run_until(at(6_000));
    assert_eq!(running(&node), "m51");
    let told: Vec<Reason> =
        node.take_records().into_iter().filter(|one| matches!(one, Reason::DaemonChanged(..))).collect();
    use crate::director::action::Change::{Add, Remove};
    let [master, backup] = DaemonRole::ALL;
    let expected = [(backup, Add), (backup, Remove), (master, Add)];
    assert_eq!(told, expected.map(|(role, change)| Reason::DaemonChanged(role, change)), "one goes first");
}

#[test]
fn what_a_former_process_left_is_adopted_or_taken_down_first() {
    let mut kernel = Kernel::new("192.0.2.11".parse().unwrap());
    kernel.daemons = [Some(spec(7)), Some(spec(51))];
    let mut node = Node::with_kernel(bound().build(), kernel, Instant::ZERO);
    node.run_until(at(1_000));
    assert_eq!(running(&node), "b51");
    let records = node.take_records();
    assert!(!records.iter().any(|one| matches!(one, Reason::DaemonDiffers(_))), "the start is no drift");
    let backup = |one: &Reason| matches!(one, Reason::DaemonChanged(DaemonRole::Backup, _));
    assert!(!records.iter().any(backup), "what fits is not touched");
}

#[test]
fn a_daemon_stopped_or_changed_by_hand_is_repaired_and_the_log_says_so() {
    let mut node = Node::new(bound().build(), "192.0.2.11");
    node.run_until(at(6_000));
    node.take_records();
    node.kernel.daemons = [None, Some(spec(51))];
    node.run_until(at(14_000));
    assert_eq!(running(&node), "m51");
    let records = node.take_records();
    assert!(records.contains(&Reason::DaemonMissing(DaemonRole::Master)));
    assert!(records.contains(&Reason::DaemonDiffers(DaemonRole::Backup)));
    node.kernel.daemons = [Some(DaemonSpec { ttl: 9, ..spec(51) }), None];
    node.run_until(at(22_000));
    assert_eq!(node.kernel.daemons, [Some(spec(51)), None]);
}

#[test]
fn a_reload_starts_again_only_what_changed_and_stops_what_is_gone() {
    let mut node = Node::new(bound().build(), "192.0.2.11");
    node.run_until(at(6_000));
    let reload = |node: &mut Node, builder: Builder| {
        node.take_records();
        node.reload(builder.build());
        node.run_millis(3_000);
        node.take_records().iter().filter(|one| matches!(one, Reason::DaemonChanged(..))).count()
    };
    assert_eq!(reload(&mut node, bound()), 0);
    assert_eq!(running(&node), "m51");
    assert_eq!(reload(&mut node, Builder { sync: Some(("eth0", Some(0), 9)), ..bound() }), 2);
    assert_eq!(running(&node), "m9");
    reload(&mut node, Builder { sync: None, ..bound() });
    assert_eq!(running(&node), "");
    node.kernel.daemons = [Some(spec(1)), None];
    node.run_millis(20_000);
    assert_eq!(running(&node), "m1", "nobody's business without a line");
}

#[test]
fn a_stop_that_keeps_the_table_keeps_daemons_and_timeouts() {
    let timeouts = Timeouts { tcp: Some(50), ..Timeouts::default() };
    let mut node = Node::new(Builder { timeouts, flush_on_stop: true, ..bound() }.build(), "192.0.2.11");
    node.run_until(at(1_000));
    node.handle(Event::Stop { keep: Keep { addresses: false, services: true } });
    node.run_millis(1_000);
    assert_eq!((running(&node).as_str(), node.kernel.timeouts.0), ("b51", Some(50)));
    assert!(node.director.is_stopped());
}

#[test]
fn a_daemon_that_the_kernel_refuses_is_tried_again_and_told_once() {
    let mut node = Node::new(bound().build(), "192.0.2.11");
    node.fault = Box::new(|action| {
        let daemon = matches!(action, crate::director::action::Action::Daemon { .. });
        daemon.then_some(crate::director::testing::Fault::Refuse(Errno::EINVAL))
    });
    node.run_until(at(3_500));
    let failed = |one: &&Reason| matches!(one, Reason::DaemonFailed(..));
    assert_eq!(node.take_records().iter().filter(failed).count(), 1);
    assert_eq!(node.director.ipvs_plan().daemon_error(DaemonRole::Backup), Some(Errno::EINVAL));
    node.fault = Box::new(|_| None);
    node.run_until(at(12_000));
    assert_eq!(running(&node), "m51");
}

#[test]
fn timeouts_go_back_at_the_stop_to_what_they_were() {
    let mut kernel = Kernel::new("192.0.2.11".parse().unwrap());
    kernel.timeouts = (Some(800), Some(100), Some(200));
    let timeouts = Timeouts { tcp: Some(50), udp: Some(60), ..Timeouts::default() };
    let builder = Builder {
        timeouts,
        ..Builder::new().service(Vs::new("203.0.113.1:80", vec![Rs::new("10.0.0.1:80")]))
    };
    let mut node = Node::with_kernel(builder.build(), kernel, Instant::ZERO);
    node.run_until(at(1_000));
    assert_eq!(node.kernel.timeouts, (Some(50), Some(100), Some(60)));
    let other = Builder { timeouts: Timeouts { tcp: Some(40), ..Timeouts::default() }, ..builder };
    node.reload(other.build());
    node.run_millis(1_000);
    assert_eq!(node.kernel.timeouts, (Some(40), Some(100), Some(200)), "a line that is gone is undone");
    stop(&mut node);
    assert_eq!(node.kernel.timeouts, (Some(800), Some(100), Some(200)));
}

#[test]
fn a_flush_at_the_stop_takes_services_of_others_along() {
    let vs = || Vs::new("203.0.113.1:80", vec![Rs::new("10.0.0.1:80")]);
    for (flush_on_stop, left) in [(false, 1), (true, 0)] {
        let mut node =
            Node::new(Builder { flush_on_stop, ..Builder::new().service(vs()) }.build(), "192.0.2.11");
        node.run_until(at(1_000));
        let table = node.kernel.ipvs.as_mut().unwrap();
        let other = table.values().next().unwrap().clone();
        table.insert(crate::director::testing::tcp_key("198.51.100.1:25"), other);
        stop(&mut node);
        assert_eq!(node.kernel.ipvs.as_ref().unwrap().len(), left);
        assert!(node.director.is_stopped());
    }
}
