//! Changes of an interface that must last before they count (`interface_up_down_delays`): one that bounces moves
//! nothing. An interface that appears or vanishes counts at once.

use super::{Link, Links};
use crate::config::Config;
use crate::config::ids::{Id, LinkId};
use crate::director::bus::{Bus, Timer};
use crate::director::journal::Reason;
use crate::time::{Duration, Instant};

impl Links {
    /// The kernel says whether an interface that it had before runs: what counts for now.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        (id, before): (LinkId, Link),
        (running, longest): (bool, &dyn Fn(LinkId) -> Duration),
        bus: &mut Bus,
    ) -> bool {
        let [down, up] = self.delays.get(id.index()).copied().unwrap_or_default();
        let delay = (if running { up } else { down }).min(longest(id));
        if running == before.running || !before.known || delay.is_zero() {
            bus.cancel(Timer::LinkSettled(id));
            return running;
        }
        if bus.deadline(Timer::LinkSettled(id)).is_none() {
            bus.record(now, Reason::LinkUnsettled(id, running, delay));
            bus.set(Timer::LinkSettled(id), now + delay);
        }
        before.running
    }

    /// A change has lasted.
    pub(crate) fn handle_settled(&mut self, now: Instant, id: LinkId, bus: &mut Bus) {
        let Some(link) = self.table.get_mut(id.index()).filter(|link| link.exists()) else { return };
        if core::mem::replace(&mut link.running, link.reported) != link.reported {
            bus.record(now, if link.reported { Reason::LinkUp(id) } else { Reason::LinkDown(id) });
            bus.link_changed(id);
            bus.set(Timer::RouteAudit, now);
        }
    }

    /// Takes over a change that is under way.
    pub(super) fn adopt_settling(&self, (from, old): (LinkId, &Bus), id: LinkId, bus: &mut Bus) {
        if let Some(at) = old.deadline(Timer::LinkSettled(from)) {
            bus.set(Timer::LinkSettled(id), at);
        }
    }
}

/// Delays of going down and of coming up, by interface; empty if there are none.
pub(super) fn delays(config: &Config) -> Box<[[Duration; 2]]> {
    config.link_rules.iter().map(|rule| [rule.down_delay, rule.up_delay]).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::ids::LinkId;
    use crate::config::model::LinkRules;
    use crate::director::testing::{Builder, Node, Vr, at};
    use crate::director::vrrp::State;
    use crate::time::Duration;

    fn node() -> Node {
        let mut config = Builder::new().instance(Vr::default()).build();
        let rule = LinkRules {
            down_delay: Duration::from_millis(800),
            up_delay: Duration::from_millis(1_500),
            ..LinkRules::of(LinkId(0))
        };
        config.link_rules = [rule].into();
        let mut node = Node::new(config, "192.0.2.11");
        node.run_until(at(4_000));
        assert!(node.is_master(0), "the first state of an interface counts at once");
        node
    }

    #[test]
    fn an_interface_that_bounces_within_its_delay_moves_nothing() {
        let mut node = node();
        for _ in 0..5 {
            node.set_carrier("eth0", false);
            node.run_millis(700);
            assert!(node.is_master(0));
            node.set_carrier("eth0", true);
            node.run_millis(100);
        }
        node.run_millis(2_000);
        assert!(node.is_master(0) && node.has_vip("192.0.2.100"));
    }

    #[test]
    fn a_change_that_lasts_counts_after_its_delay_down_and_up() {
        let mut node = node();
        node.set_carrier("eth0", false);
        node.run_millis(790);
        assert!(node.is_master(0));
        node.run_millis(20);
        assert!(matches!(node.state(0), State::Fault(_)));
        node.set_carrier("eth0", true);
        node.run_millis(1_490);
        assert!(matches!(node.state(0), State::Fault(_)));
        node.run_millis(20);
        assert_eq!(node.state(0), State::Backup);
    }

    #[test]
    fn a_reload_goes_on_with_a_change_under_way_and_an_interface_that_vanishes_counts_at_once() {
        let mut node = node();
        let again = Builder::new().instance(Vr::default()).build();
        let rules = node.director.config().link_rules.clone();
        node.set_carrier("eth0", false);
        node.run_millis(400);
        node.reload(crate::config::Config { link_rules: rules, ..again });
        node.run_millis(390);
        assert!(node.is_master(0));
        node.run_millis(30);
        assert!(matches!(node.state(0), State::Fault(_)));

        let mut node = self::node();
        node.remove_link("eth0");
        node.run_millis(10);
        assert!(matches!(node.state(0), State::Fault(_)));
    }

    #[test]
    fn a_delay_ends_before_a_faster_active_router_is_missed() {
        use crate::director::event::Event;
        use crate::wire::vrrp::{Addresses, Advert, Channel, Checksum, GROUP, Received, Version};

        let mut config = Builder::new().instance(Vr::default()).build();
        config.instances[0].version = Version::V3;
        config.link_rules =
            [LinkRules { down_delay: Duration::from_millis(1_900), ..LinkRules::of(LinkId(0)) }].into();
        let mut node = Node::new(config, "192.0.2.11");
        node.run_until(at(500));
        let advert = Advert {
            version: 3,
            kind: 1,
            vrid: 51,
            priority: 200,
            auth_type: 0,
            interval: Duration::from_millis(200),
            checksum: Checksum::Right,
            addresses: Addresses::V4(&[[192, 0, 2, 100]]),
            auth_data: [0; 8],
        };
        let (source, destination) = ("192.0.2.12".parse().unwrap(), GROUP.into());
        let packet = Ok(Received { source, destination, ttl: 255, seal: None, advert });
        node.handle(Event::Advert { link: LinkId(0), channel: Channel::Ipv4, packet });
        node.set_carrier("eth0", false);
        node.run_millis(390);
        assert_eq!(node.state(0), State::Backup);
        node.run_millis(20);
        assert!(matches!(node.state(0), State::Fault(_)), "two of its intervals, not 1.9 s");
    }
}
