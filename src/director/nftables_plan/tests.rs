//! Wishes of the table, one transaction at a time, and what somebody else may do to it.

use std::vec::Vec;

use super::*;
use crate::config::model::Manners;
use crate::director::event::{Event, Keep};
use crate::director::reload::Reload;
use crate::director::testing::{Builder, Fault, Kernel, Node, Vr};
use crate::wire::link::LinkIndex;

/// Without wishes of its own but for its addresses: it does not answer.
fn silent() -> Vr {
    Vr { manners: Manners { accepts: false, ..Manners::default() }, ..Vr::default() }
}

fn node(vr: Vr) -> Node {
    Node::new(Builder::new().instance(vr).build(), "192.0.2.11")
}

fn filters(node: &Node) -> Vec<FilterStep> {
    let step = |action: &Action| if let Action::Filter { step, .. } = action { Some(*step) } else { None };
    node.actions.iter().filter_map(|(_, action)| step(action)).collect()
}

/// The configured addresses of a box as elements.
fn elements(node: &Node) -> Vec<Element> {
    let config = node.director.config();
    config.addresses.iter().map(|one| Element::new(one.address, LinkIndex(2))).collect()
}

#[test]
fn nothing_is_asked_of_nf_tables_unless_an_instance_does_not_accept() {
    for vr in [Vr::default(), Vr { priority: 255, ..silent() }] {
        let mut node = node(vr);
        node.run_millis(20_000);
        node.handle(Event::Stop { keep: Keep::default() });
        node.run_millis(1_000);
        assert!(filters(&node).is_empty() && node.director.is_stopped());
    }
}

#[test]
fn the_rule_is_there_before_the_address_and_goes_with_it() {
    let mut node = node(silent());
    node.run_millis(100);
    assert_eq!(node.kernel.dropped(), Some(Vec::new()), "a BACKUP drops nothing");
    node.run_millis(4_000);
    assert!(node.is_master(0));
    assert_eq!(node.kernel.dropped(), Some(elements(&node)));
    let place = |wanted: fn(&Action) -> bool| node.actions.iter().position(|(_, one)| wanted(one)).unwrap();
    let rule = place(|one| matches!(one, Action::Filter { step: FilterStep::Change, .. }));
    assert!(rule < place(|one| matches!(one, Action::AddAddress { .. })));
    node.handle(Event::Stop { keep: Keep::default() });
    while !node.director.is_stopped() {
        let address = node.director.config().addresses[0].address;
        assert!(!node.kernel.has(address) || node.kernel.dropped() == Some(elements(&node)));
        node.step();
    }
    assert_eq!(node.kernel.dropped(), None, "the table goes, too");
    let said: Vec<Reason> = node.records.iter().map(|record| record.reason).collect();
    let rules: Vec<_> = said.iter().filter(|one| matches!(one, Reason::DropRule(..))).collect();
    assert_eq!(rules.len(), 2);
}

#[test]
fn addresses_that_a_stop_leaves_stay_silent() {
    let mut node = node(silent());
    node.run_millis(4_000);
    node.handle(Event::Stop { keep: Keep { addresses: true, services: false } });
    node.run_millis(1_000);
    assert!(node.director.is_stopped());
    assert_eq!(node.kernel.dropped(), Some(elements(&node)));
}

#[test]
fn a_table_that_somebody_changed_is_made_again_and_others_tables_are_none_of_our_business() {
    let mut node = node(silent());
    node.run_millis(12_000);
    let before = filters(&node).len();
    node.kernel.filter.as_mut().unwrap().generation += 1;
    node.run_millis(11_000);
    let since = filters(&node).split_off(before);
    assert!(since.contains(&FilterStep::Verify) && !since.contains(&FilterStep::Build), "{since:?}");
    let hits: [fn(&mut Kernel); 3] = [
        |kernel| kernel.filter.as_mut().unwrap().table = None,
        |kernel| kernel.filter.as_mut().unwrap().table.as_mut().unwrap().clear(),
        |kernel| kernel.filter.as_mut().unwrap().rules += 7,
    ];
    for hit in hits {
        node.records.clear();
        hit(&mut node.kernel);
        node.kernel.filter.as_mut().unwrap().generation += 1;
        let rules = node.kernel.filter.as_ref().unwrap().rules;
        node.run_millis(6_000);
        assert_eq!(node.kernel.dropped(), Some(elements(&node)));
        assert_eq!(node.kernel.filter.as_ref().unwrap().rules, rules + 1);
        let named = node.records.iter().filter(|one| one.reason == Reason::FilterDiffers).count();
        assert_eq!(named, 1);
    }
}

#[test]
fn a_kernel_without_nf_tables_is_named_once_and_tried_again_while_the_rest_goes_on() {
    let mut kernel = Kernel::new("192.0.2.11".parse().unwrap());
    kernel.filter = None;
    let config = Builder::new().instance(silent()).build();
    let mut node = Node::with_kernel(config, kernel, Instant::ZERO);
    node.run_millis(40_000);
    assert!(node.is_master(0) && node.kernel.has(node.director.config().addresses[0].address));
    let failed =
        |node: &Node| node.records.iter().filter(|one| matches!(one.reason, Reason::FilterFailed(_))).count();
    assert_eq!(failed(&node), 1);
    assert_eq!(node.director.nftables_plan().error(), Some(Errno::EOPNOTSUPP));
    assert!((5..8).contains(&filters(&node).len()), "1, 2, 4, 8, 16 seconds apart: {:?}", filters(&node));
    node.kernel.filter = Some(Default::default());
    node.run_millis(40_000);
    assert_eq!(node.kernel.dropped(), Some(elements(&node)));
    assert!(node.records.iter().any(|one| one.reason == Reason::FilterBuilt));
    assert_eq!(node.director.nftables_plan().error(), None);
}

#[test]
fn more_addresses_than_one_transaction_holds_follow_in_the_next() {
    let vips = (0..200).map(|n| format!("192.0.3.{n}/32")).collect();
    let vr = Vr { vips, ..silent() };
    let mut node = node(vr);
    node.run_millis(5_000);
    assert_eq!(node.kernel.dropped().unwrap().len(), 200);
    let changes = filters(&node).iter().filter(|one| **one == FilterStep::Change).count();
    assert_eq!(changes, 200_usize.div_ceil(MAX_ELEMENTS));
}

#[test]
fn a_reload_keeps_what_stays_and_removes_the_table_with_the_last_wish() {
    let mut node = node(silent());
    node.run_millis(12_000);
    let builds = |node: &Node| filters(node).iter().filter(|one| **one == FilterStep::Build).count();
    let reload = |node: &mut Node, vr: Vr| {
        let config = Builder::new().instance(vr).build();
        let reload = Reload::new(config, &node.director, node.now);
        node.director.adopt(node.now, reload);
        node.handle(Event::Tick);
        node.run_millis(1_000);
        assert!(node.is_master(0));
    };
    reload(&mut node, silent());
    assert_eq!((builds(&node), node.kernel.dropped()), (1, Some(elements(&node))));
    reload(&mut node, Vr::default());
    assert_eq!(node.kernel.dropped(), None);
    reload(&mut node, silent());
    assert_eq!((builds(&node), node.kernel.dropped()), (2, Some(elements(&node))));
}

/// From now on these steps are refused.
fn refuse(node: &mut Node, steps: &'static [FilterStep]) {
    let is_hit = |one: &Action| matches!(one, Action::Filter { step, .. } if steps.contains(step));
    node.fault = Box::new(move |one| is_hit(one).then_some(Fault::Refuse(Errno::EPERM)));
}

/// What is said of a table that stays, once the box has stopped.
fn left_by_stop(node: &mut Node) -> Vec<Reason> {
    node.handle(Event::Stop { keep: Keep::default() });
    node.run_millis(2_000);
    assert!(node.director.is_stopped());
    let all = node.records.iter().map(|record| record.reason);
    all.filter(|one| matches!(one, Reason::TableLeft(..))).collect()
}

#[test]
fn a_table_that_stays_at_the_stop_is_named_whatever_is_known_of_what_it_holds() {
    use FilterStep::{Build, Remove, Verify};
    let left = [Reason::TableLeft(TABLE, Errno::EPERM)];
    // Seen as we made it; made, and no look was answered; and the same after a reload.
    for (steps, reload) in [(&[Remove][..], false), (&[Remove, Verify], false), (&[Remove, Verify], true)] {
        let mut node = node(silent());
        refuse(&mut node, steps);
        node.run_millis(1_000);
        if reload {
            node.reload(Builder::new().instance(silent()).build());
        }
        assert_eq!(left_by_stop(&mut node), left, "{steps:?}");
        assert!(node.kernel.dropped().is_some());
    }
    // Changed by somebody, and not made again yet.
    let mut node = node(silent());
    node.run_millis(12_000);
    refuse(&mut node, &[Build, Remove]);
    let filter = node.kernel.filter.as_mut().unwrap();
    (filter.rules, filter.generation) = (filter.rules + 7, filter.generation + 1);
    node.run_millis(6_000);
    assert!(node.records.iter().any(|one| one.reason == Reason::FilterDiffers));
    assert_eq!(left_by_stop(&mut node), left);
    assert!(node.kernel.dropped().is_some());
}

#[test]
fn no_table_is_named_at_the_stop_that_the_kernel_never_took_or_does_not_have_any_more() {
    for had in [false, true] {
        let mut node = node(if had { silent() } else { Vr::default() });
        node.run_millis(6_000);
        node.reload(Builder::new().instance(Vr::default()).build());
        node.run_millis(1_000);
        refuse(&mut node, &[FilterStep::Build, FilterStep::Remove]);
        node.reload(Builder::new().instance(silent()).build());
        node.run_millis(1_000);
        assert_eq!((left_by_stop(&mut node), node.kernel.dropped()), (Vec::new(), None));
    }
}
