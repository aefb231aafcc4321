//! Services that lead checks through virtual addresses (`via_vip`): rows like all others, but nobody is told of them,
//! and they never outlive the process.

use super::{Availability, IpvsPlan, Setup};
use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ServiceId};
use crate::director::journal::Reason;
use crate::director::ledger::Stage;

/// How a packet with the mark of a hidden service fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It gets to its real server.
    Clear,
    /// The service is still being added, or repaired.
    Coming,
    /// The kernel refuses the service, or has no IPVS.
    Blocked,
}

impl IpvsPlan {
    /// Whether a packet with the mark of this service gets to its real server and to no other.
    pub(crate) fn way(&self, id: ServiceId, config: &Config) -> Way {
        let Some(service) = config.services.get(id.index()) else { return Way::Blocked };
        let there = |id: DestinationId| {
            let (wish, known) = (config.destinations.get(id.index()), self.destination(id));
            self.destinations.stage(id.index()) == Stage::Ready
                && wish
                    .zip(known)
                    .is_some_and(|(wish, known)| (wish.method, wish.weight) == (known.method, known.weight))
        };
        let clear = self.availability == Availability::Present(Setup::Done)
            && self.services.stage(id.index()) == Stage::Ready
            && self.service(id) == Some(service.spec)
            && service.destinations.iter().all(there)
            && !self.strangers.iter().any(|one| one.service == id);
        let refused = self.service_error(id).is_some()
            || service.destinations.iter().any(|id| self.destination_error(id).is_some());
        match self.availability {
            _ if clear => Way::Clear,
            Availability::Absent(_) => Way::Blocked,
            _ if refused => Way::Blocked,
            Availability::Unneeded
            | Availability::Unknown
            | Availability::Asking(_)
            | Availability::Present(_) => Way::Coming,
        }
    }

    /// The box stops; `keep` leaves the table as it is but for the hidden services: without our checks they are of no
    /// use, and the next start may not know their marks any more.
    pub(crate) fn stop(&mut self, keep: bool, config: &Config) {
        (self.stopping, self.keep) = (true, keep);
        self.audit.stop();
        if !keep {
            return self.depart();
        }
        self.services.removals.clear();
        self.destinations.removals.clear();
        self.strangers_asked = self.strangers.len();
        for row in config.written_services().len()..config.services.len() {
            self.services.removals.insert(row);
        }
    }
}

/// True for what nobody is to hear of.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others name no entry of the table that differs")]
pub(super) fn is_about_hidden(reason: Reason, config: &Config) -> bool {
    let is_written = |id: DestinationId| id.index() < config.written_destinations().len();
    match reason {
        Reason::ServiceDiffers(id) | Reason::ServiceMissing(id) | Reason::DestinationStrange(id, _) => {
            config.is_hidden(id)
        }
        Reason::DestinationDiffers(id, _) | Reason::DestinationMissing(id) => !is_written(id),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::ids::ServiceId;
    use crate::config::{Config, load};
    use crate::director::action::{Action, Change, DestinationRef, ServiceRef};
    use crate::director::event::{Errno, Event, Keep};
    use crate::director::journal::Reason;
    use crate::director::overrides::Order;
    use crate::director::testing::{Fault, Kernel, Node, at, ip};
    use crate::time::{Duration, Instant};
    use crate::wire::errno::NO_WAY;
    use crate::wire::genl_ipvs::DestinationKey;

    fn config(servers: &[u8]) -> Config {
        let server = |n: &u8| format!("real_server 10.0.0.{n} 80 {{\nTCP_CHECK {{\n}}\n}}\n");
        let servers: String = servers.iter().map(server).collect();
        let head = "virtual_server 203.0.113.1 80 {\nprotocol TCP\nlb_kind DR\ndelay_loop 1\nvia_vip\n";
        load(&format!("{head}{servers}}}\n"), "t").config.unwrap()
    }

    fn mark_of(config: &Config, row: usize) -> String {
        format!(
            "{} rr",
            config.written_services().len().checked_add(row).map(|at| config.services[at].key).unwrap()
        )
    }

    /// With two servers, each checked once at least.
    fn settled() -> Node {
        let mut node = Node::new(config(&[1, 2]), "192.0.2.11");
        node.run_until(at(3_000));
        assert_eq!(node.kernel.table().len(), 3 + 2 * 2, "{:?}", node.kernel.table());
        node.take_records();
        node.actions.clear();
        node
    }

    fn is_change(one: &Action) -> bool {
        matches!(one, Action::Service { .. } | Action::Destination { .. })
    }

    #[test]
    fn no_check_is_made_before_its_hidden_service_is_in_the_kernel_and_nobody_hears_of_that() {
        let mut node = Node::new(config(&[1, 2]), "192.0.2.11");
        node.run_until(at(3_000));
        let first =
            |wanted: &dyn Fn(&Action) -> bool| node.actions.iter().position(|(_, one)| wanted(one)).unwrap();
        let last = node.actions.iter().rposition(|(_, one)| is_change(one)).unwrap();
        assert!(last < first(&|one| matches!(one, Action::Probe { .. })));
        let rows: Vec<String> = node.kernel.table();
        let config = node.director.config();
        for row in 0..2 {
            let head = mark_of(config, row);
            let place =
                rows.iter().position(|line| *line == head).unwrap_or_else(|| panic!("{head}: {rows:?}"));
            assert_eq!(rows[place + 1], format!("  10.0.0.{}:0 1", row + 1));
        }
        let gained = Reason::QuorumGained(ServiceId(0), 2);
        assert_eq!(node.take_records(), [gained, Reason::IpvsFound]);
    }

    #[test]
    fn without_a_way_no_server_is_judged_and_it_is_said_once() {
        let kernel = Kernel { ipvs: None, ..Kernel::new(ip("192.0.2.11")) };
        let mut node = Node::with_kernel(config(&[1]), kernel, Instant::ZERO);
        node.run_until(at(30_000));
        assert!(!node.actions.iter().any(|(_, one)| matches!(one, Action::Probe { .. })));
        let hindered =
            |one: &&Reason| matches!(one, Reason::ProbeHindered(_, errno) if *errno == Errno(NO_WAY));
        assert_eq!(node.take_records().iter().filter(hindered).count(), 1);
        assert!(node.director.services().is_alive(crate::config::ids::DestinationId(0)));
        node.kernel.ipvs = Some(Default::default());
        node.run_until(at(40_000));
        assert!(node.director.health().checks_total() > 0);
    }

    #[test]
    fn what_blocks_many_ways_is_said_once_counted_and_its_end_is_said_once() {
        let kernel = Kernel { ipvs: None, ..Kernel::new(ip("192.0.2.11")) };
        let mut node = Node::with_kernel(config(&[1, 2, 3]), kernel, Instant::ZERO);
        node.run_until(at(30_000));
        let about = |one: &Reason| matches!(one, Reason::ProbeHindered(..) | Reason::ProbesResumed);
        let mut told = node.take_records();
        told.retain(about);
        assert!(matches!(told[..], [Reason::ProbeHindered(_, Errno(NO_WAY))]), "{told:?}");
        assert_eq!(node.director.health().hindered().map(|(count, ..)| count), Some(3));
        node.kernel.ipvs = Some(Default::default());
        node.run_until(at(45_000));
        let mut told = node.take_records();
        told.retain(about);
        assert_eq!(told, [Reason::ProbesResumed]);
        assert_eq!(node.director.health().hindered(), None);
    }

    #[test]
    fn nobody_drains_the_server_of_a_hidden_service() {
        let mut node = settled();
        let whole = node.kernel.table();
        let server = DestinationKey { address: ip("10.0.0.1"), port: 0 };
        node.handle(Event::Override(Order { server, service: None, weight: Some(0) }));
        let checks = node.director.health().checks_total();
        node.run_millis(5_000);
        assert_eq!(node.kernel.table(), whole);
        assert!(node.director.health().checks_total() >= checks + 8, "both are checked every second");
    }

    #[test]
    fn one_that_is_being_added_when_the_others_are_kept_goes_too() {
        let mut node = Node::new(config(&[1, 2]), "192.0.2.11");
        node.latency = Duration::from_millis(50);
        let asked = |node: &Node| {
            let hidden = |one: &Action| {
                matches!(one, Action::Service { service: ServiceRef::Configured(ServiceId(1..)), .. })
            };
            node.actions.iter().any(|(_, one)| hidden(one))
        };
        while !asked(&node) {
            node.run_millis(1);
        }
        node.stop(Keep { addresses: false, services: true });
        node.run_millis(1_000);
        assert!(node.director.is_stopped());
        let marked: Vec<String> = node
            .kernel
            .table()
            .into_iter()
            .filter(|line| line.contains("FWM") || line.contains("fwmark") || line.contains(":0 "))
            .collect();
        assert!(marked.is_empty(), "{marked:?}");
    }

    #[test]
    fn a_destination_that_the_kernel_refuses_keeps_its_check_from_being_made() {
        let mut node = Node::new(config(&[1]), "192.0.2.11");
        node.fault = Box::new(|action| {
            let hidden = DestinationRef::Configured(crate::config::ids::DestinationId(1));
            let hit = matches!(action, Action::Destination { destination, .. } if *destination == hidden);
            hit.then_some(Fault::Refuse(Errno::EINVAL))
        });
        node.run_until(at(10_000));
        assert_eq!(node.director.health().checks_total(), 0);
    }

    #[test]
    fn what_was_changed_by_hand_is_repaired_and_only_written_services_are_named() {
        let mut node = settled();
        let whole = node.kernel.table();
        node.kernel.ipvs.as_mut().unwrap().clear();
        node.run_until(at(12_000));
        assert_eq!(node.kernel.table(), whole);
        assert!(node.take_records().iter().all(|one| *one == Reason::ServiceMissing(ServiceId(0))));
    }

    #[test]
    fn they_go_with_the_process_also_when_the_others_are_kept() {
        let mut node = settled();
        node.stop(Keep { addresses: false, services: true });
        assert!(!node.director.is_stopped());
        node.run_millis(100);
        assert!(node.director.is_stopped());
        assert_eq!(node.kernel.table(), ["[203.0.113.1]:tcp:80 wlc", "  10.0.0.1:80 1", "  10.0.0.2:80 1"]);
        let mut node = settled();
        node.stop(Keep::default());
        node.run_millis(100);
        assert!(node.director.is_stopped() && node.kernel.table().is_empty());
    }

    #[test]
    fn a_reload_keeps_those_of_servers_that_stay_and_takes_the_others_down_silently() {
        let mut node = settled();
        let checks = node.director.health().checks_total();
        node.reload(config(&[2]));
        node.run_until(at(4_000));
        assert_eq!(node.kernel.table().len(), 4, "{:?}", node.kernel.table());
        let adds = |one: &Action| {
            is_change(one)
                && !matches!(
                    one,
                    Action::Service { change: Change::Remove, .. }
                        | Action::Destination { change: Change::Remove, .. }
                )
        };
        let actions = node.take_actions();
        assert!(!actions.iter().any(adds), "{actions:?}");
        assert!(
            actions.iter().any(|one| matches!(one, Action::Service { service: ServiceRef::Retired(_), .. }))
        );
        assert_eq!(node.take_records(), [Reason::Reloaded]);
        node.run_until(at(8_000));
        assert!(node.director.health().checks_total() > checks);
        node.assert_table_as_wished();
    }
}
