//! Addresses and announcements.

use crate::director::testing::{Builder, Node, Vr, at};

#[test]
fn a_lone_backup_is_master_after_master_down_and_holds_its_addresses() {
    let mut node = Node::new(Builder::new().instance(Vr::default()).build(), "192.0.2.11");
    node.run_until(at(3_600));
    assert!(!node.is_master(0) && node.vips().is_empty());
    node.run_until(at(3_615));
    assert!(node.is_master(0));
    node.assert_addresses_as_wished();
}
