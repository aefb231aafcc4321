//! What the subsystems want done, in the order of its urgency.

use super::Director;
use super::Parts;
use super::action::{Actions, Budget, Dump, fill};
use crate::time::Instant;

impl Director {
    /// What is to be done, the most urgent first: adverts, sockets, addresses, announcements, IPVS, probes, dumps.
    /// `budget` bounds each kind; what does not fit is given at the next poll.
    pub fn poll_actions(&mut self, now: Instant, budget: Budget, out: &mut Actions) {
        let (
            config,
            Parts {
                bus,
                links,
                tracks,
                vrrp,
                garp,
                health,
                services,
                net_plan,
                nftables_plan,
                firewall_plan,
                route_plan,
                ipvs_plan,
                survey,
                presence,
                ..
            },
        ) = (&self.config, &mut self.parts);
        fill(out, usize::MAX, || vrrp.poll_advert(config));
        fill(out, usize::MAX, || links.poll_socket(bus));
        fill(out, budget.route.min(1), || nftables_plan.poll((config, vrrp, links, net_plan), bus));
        fill(out, budget.route.min(1), || firewall_plan.poll(bus));
        // Routes leave before the addresses they need and come behind them; both share one socket.
        let before = out.len();
        fill(out, budget.route, || route_plan.poll((config, vrrp, links), net_plan, bus));
        let left = budget.route.saturating_sub(out.len() - before);
        fill(out, left, || net_plan.poll(config, vrrp, links, bus));
        fill(out, budget.announcements, || garp.poll(now, config, net_plan, bus));
        ipvs_plan.begin_poll();
        let before = out.len();
        fill(out, budget.ipvs, || ipvs_plan.poll(now, config, (services, (vrrp, links)), bus));
        let probes = if out.len() > before { budget.probes_meanwhile } else { budget.probes };
        fill(out, probes, || health.poll(now, (config, ipvs_plan), bus));
        fill(out, budget.route, || {
            let (action, what) = survey.poll(bus)?;
            match what {
                Dump::Links => links.begin_dump(),
                Dump::Routes => {
                    route_plan.begin_dump();
                    tracks.begin_route_dump();
                }
                Dump::Rules => {}
                Dump::Addresses | Dump::Services | Dump::Destinations(_) | Dump::Daemons => {
                    links.begin_address_dump();
                    presence.begin_dump();
                    net_plan.begin_dump();
                }
            }
            Some(action)
        });
    }
}
