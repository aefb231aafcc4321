//! A restart without an outage: a stopping MASTER leaves its addresses and shows itself once more, so that the others
//! wait for their whole master-down time; the next start finds the addresses, keeps them, listens for one interval,
//! and goes on as MASTER unless it heard another one. Only on request (`--keep-vips`): what a crash leaves is old.

use super::{State, VirtualRouter, Vrrp};
use crate::config::ids::{Id, InstanceId};
use crate::config::model::Instance;
use crate::director::bus::{Bus, Timer};
use crate::director::journal::Reason;
use crate::time::Instant;

impl Vrrp {
    /// What a former process left in place on purpose is not removed before it is known whose it is. To be called
    /// before anything is known.
    pub(crate) fn expect_leftovers(&mut self) {
        self.resumes = true;
    }

    /// A BACKUP that has its addresses was MASTER, and the others wait for their master-down time since its last
    /// advert. It listens for one interval, in which another MASTER would be heard, and goes on.
    pub(super) fn resume(&mut self, now: Instant, id: InstanceId, instance: &Instance, bus: &mut Bus) {
        let Some(router) = self.table.get_mut(id.index()).filter(|one| one.state == State::Backup) else {
            return;
        };
        router.resuming = true;
        bus.record(now, Reason::Resuming(id));
        bus.set(Timer::Protocol(id), now + instance.advert_interval + router.skew_time(instance));
    }

    /// A member heard a MASTER, so its group is BACKUP: what the others have is not theirs to hold, either, however
    /// long they wait for the group. Their own waits stay as they are: they heard nobody.
    pub(super) fn group_gives_up(&mut self, now: Instant, id: InstanceId, bus: &mut Bus) {
        let Some(group) = self.get(id).and_then(|router| router.group) else { return };
        for other in 0..self.table.len() {
            let held = |one: &&mut VirtualRouter| one.resuming && one.group == Some(group);
            if let Some(router) = self.table.get_mut(other).filter(held) {
                router.resuming = false;
                bus.instance_changed(InstanceId::from_index(other));
                self.release(now, InstanceId::from_index(other), bus);
            }
        }
    }

    /// A router that resumes heard a MASTER: the addresses are not ours to hold.
    pub(super) fn give_up_leftovers(
        &mut self,
        now: Instant,
        id: InstanceId,
        instance: &Instance,
        bus: &mut Bus,
    ) {
        let Some(router) = self.table.get_mut(id.index()).filter(|one| one.resuming) else { return };
        router.resuming = false;
        bus.set(Timer::Protocol(id), now + router.master_down_interval(instance));
        bus.instance_changed(id);
        self.release(now, id, bus);
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;
    use crate::config::ids::LinkId;
    use crate::director::action::{Action, AdvertKind};
    use crate::director::event::{Event, Keep};
    use crate::director::testing::{Builder, Node, Vr};
    use crate::time::Duration;
    use crate::wire::vrrp::{Addresses, Advert, Channel, Checksum, GROUP, Received};

    const KEEP: Keep = Keep { addresses: true, services: false };
    const VIP: &str = "192.0.2.100";
    const VIPS: [[u8; 4]; 1] = [[192, 0, 2, 100]];

    /// Just started with what the last process left, as it asked for.
    fn restarted(priority: u8, left: bool) -> Node {
        let config = Builder::new().instance(Vr { priority, ..Vr::default() }).build();
        let mut node = Node::new(config, "192.0.2.11");
        node.director.expect_leftovers();
        if left {
            node.kernel.add_address("eth0", VIP.parse().unwrap(), 24);
        }
        node
    }

    fn hear(node: &mut Node, priority: u8) {
        let advert = Advert {
            version: 2,
            kind: 1,
            vrid: 51,
            priority,
            auth_type: 0,
            interval: Duration::from_secs(1),
            checksum: Checksum::Right,
            addresses: Addresses::V4(&VIPS),
            auth_data: [0; 8],
        };
        let source = IpAddr::from([192, 0, 2, 12]);
        let packet = Received { source, destination: GROUP.into(), ttl: 255, seal: None, advert };
        node.handle(Event::Advert { link: LinkId(0), channel: Channel::Ipv4, packet: Ok(packet) });
    }

    #[test]
    fn a_master_that_leaves_its_addresses_shows_itself_and_says_no_farewell() {
        let mut node = restarted(100, false);
        node.run_millis(4_000);
        assert!(node.is_master(0));
        node.take_actions();
        node.stop(KEEP);
        node.run_millis(100);
        let sent = |one: &Action| if let Action::SendAdvert { kind, .. } = one { Some(*kind) } else { None };
        let kinds: Vec<AdvertKind> = node.take_actions().iter().filter_map(sent).collect();
        assert_eq!(kinds, [AdvertKind::Present]);
        assert!(node.director.is_stopped() && node.has_vip(VIP));
    }

    #[test]
    fn addresses_that_were_left_stay_and_their_router_is_master_after_an_interval_and_its_skew() {
        let mut node = restarted(100, true);
        node.run_millis(1_600);
        assert!(!node.is_master(0) && node.has_vip(VIP));
        node.run_millis(30);
        assert!(node.is_master(0) && node.has_vip(VIP));
        let removed = |one: &Action| matches!(one, Action::RemoveAddress { .. });
        assert!(!node.take_actions().iter().any(removed), "never missing");
    }

    #[test]
    fn addresses_that_were_left_go_when_another_master_is_heard() {
        for priority in [50, 150] {
            let mut node = restarted(100, true);
            node.run_millis(500);
            assert!(node.has_vip(VIP));
            hear(&mut node, priority);
            node.run_millis(10);
            assert!(!node.has_vip(VIP), "priority {priority}");
            node.run_millis(3_500);
            assert!(!node.is_master(0), "the usual wait counts from there");
        }
    }

    #[test]
    fn without_leftovers_or_without_the_request_it_is_a_start_like_any_other() {
        let mut node = restarted(100, false);
        node.run_millis(3_500);
        assert!(!node.is_master(0));
        let config = Builder::new().instance(Vr::default()).build();
        let mut node = Node::new(config, "192.0.2.11");
        node.kernel.add_address("eth0", VIP.parse().unwrap(), 24);
        node.run_millis(100);
        assert!(!node.has_vip(VIP));
        node.run_millis(3_400);
        assert!(!node.is_master(0));
    }

    #[test]
    fn leftovers_of_a_router_that_cannot_take_part_go() {
        let mut node = restarted(100, true);
        node.kernel.links.iter_mut().for_each(|link| link.running = false);
        node.run_millis(100);
        assert!(matches!(node.state(0), State::Fault(_)) && !node.has_vip(VIP));
    }
}
