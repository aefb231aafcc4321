//! How many objects of each kind a configuration has: what the memory that it needs is computed from.
//!
//! Counted twice: in the tree, before the first table is made, by the keywords that open their blocks (an upper bound,
//! but for services of a group, which stand in it once); and in the tables. What each costs is `director/need.rs`.

use super::ids::ProbeId;
use super::model::{Bind, Config, Destination, Peer, Policy, Probe, Service, Terms, Tracker};
use super::route::{HopDraft, RouteDraft};
use super::routing::{Hop, Route};
use super::track::TrackerDraft;
use crate::check::Checker;
use crate::check::FORMS;
use crate::check::http_get::Url;
use crate::check::pattern;
use crate::limits;
use crate::syntax::Tree;
use crate::wire::genl_ipvs::DestinationKey;

/// Statements looked at in one step: a fraction of a millisecond.
const SLICE: usize = 4_096;
/// Rows that tables keep free while they are filled: those of one step ([`Counts::SPARE`]).
const KEPT: usize = 64;

/// Objects of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Interfaces that are named anywhere.
    pub links: usize,
    /// VRRP instances.
    pub instances: usize,
    /// Virtual addresses, static ones included.
    pub addresses: usize,
    /// Routes and rules.
    pub routes: usize,
    /// Next hops of routes that have several.
    pub hops: usize,
    /// Things that instances track, and their peers.
    pub trackers: usize,
    /// Virtual services, hidden ones included.
    pub services: usize,
    /// Real servers and sorry servers.
    pub destinations: usize,
    /// Real servers of the service that has most: a set of them stands beside the tables while it is read.
    pub largest: usize,
    /// Those of the last service, while they are counted.
    pub last: usize,
    /// Distinct checks.
    pub probes: usize,
    /// Checks of all real servers together, and of ping groups.
    pub uses: usize,
    /// There is a `slow_start`.
    pub slow: bool,
    /// There is an `SSL_GET`.
    pub secure: bool,
    /// Bytes of our own certificates and their key.
    #[cfg(feature = "tls")]
    pub own: usize,
    /// Bytes of the files that an `SSL` block names.
    #[cfg(feature = "tls")]
    pub files: usize,
    /// Bytes of names and of what checks ask for and expect.
    pub parameters: usize,
    /// Bytes of the text and of its tree, once it is read.
    pub reading: usize,
    /// The same while it grows, at its worst.
    pub reading_peak: usize,
}

impl Counts {
    /// Rows that are free in every table that was made for what was counted, so that the next step finds room.
    pub(super) const SPARE: usize = 256;

    /// Counts statements from number `from` on; the number of the next one, or nothing at the end.
    pub(super) fn add(&mut self, tree: &Tree, from: usize) -> Option<usize> {
        for index in from..from + SLICE {
            let Some(node) = tree.at(index) else {
                self.bound();
                return None;
            };
            let word = tree.keyword(node).text;
            if word == "sorry_server" {
                self.destinations += 1;
            }
            if !tree.has_block(node) {
                continue;
            }
            match &*word {
                "virtual_server" => (self.services, self.last) = (self.services + 1, 0),
                "real_server" => {
                    (self.destinations, self.last) = (self.destinations + 1, self.last + 1);
                    self.largest = self.largest.max(self.last);
                }
                "vrrp_instance" => (self.instances, self.links) = (self.instances + 1, self.links + 1),
                "virtual_ipaddress" | "virtual_ipaddress_excluded" | "static_ipaddress" => {
                    self.addresses += tree.weight(node) - 1;
                }
                "virtual_routes" | "virtual_rules" | "static_routes" | "static_rules" => {
                    self.routes += tree.weight(node) - 1;
                    let lines = tree.iter(tree.children(node)).take(limits::MAX_ROUTES);
                    self.hops +=
                        lines.map(|line| (tree.words(line) / 3).min(limits::MAX_NEXT_HOPS)).sum::<usize>();
                }
                "unicast_peer" | "track_interface" | "track_ping_group" | "track_service" | "track_file"
                | "track_route" => self.trackers += tree.weight(node) - 1,
                "ping_group" => (self.probes, self.uses) = (self.probes + 8, self.uses + 8),
                // `host` of an SMTP_CHECK is a check of its own.
                word if word == "host" || FORMS.iter().any(|form| form.keyword == word) => {
                    (self.probes, self.uses) = (self.probes + 1, self.uses + 1);
                    self.secure |= word == "SSL_GET";
                }
                _ => {}
            }
        }
        Some(from + SLICE)
    }

    /// Bytes of what is tracked, or of a peer.
    pub const TRACKER: usize = {
        let (tracker, peer) = (size_of::<Tracker>(), size_of::<Peer>());
        if tracker > peer { tracker } else { peer }
    };

    /// What is beyond a limit is left out.
    fn bound(&mut self) {
        self.links = self.links.min(limits::MAX_LINKS);
        self.instances = self.instances.min(limits::MAX_INSTANCES);
        self.addresses = self.addresses.min(limits::MAX_ADDRESSES);
        self.routes = self.routes.min(limits::MAX_ROUTES + limits::MAX_RULES);
        self.hops = self.hops.min(limits::MAX_ROUTES * limits::MAX_NEXT_HOPS);
        self.services = self.services.min(limits::MAX_SERVICES);
        self.destinations = self.destinations.min(limits::MAX_REAL_SERVERS + limits::MAX_SERVICES);
        self.largest = self.largest.min(limits::MAX_REAL_SERVERS);
        self.probes = self.probes.min(limits::MAX_PROBES);
    }

    /// What is in the tables of `config`.
    pub(super) fn take(&mut self, config: &Config) {
        self.links = config.links.len();
        self.instances = config.instances.len();
        self.addresses = config.addresses.len();
        self.routes = config.routes.len() + config.rules.len();
        self.hops = config.routes.iter().map(|one| one.hops.len()).sum();
        self.trackers = config.trackers.len() + config.peers.len();
        self.services = config.services.len();
        self.destinations = config.destinations.len();
        self.probes = config.probes.len();
        self.uses = config.probe_uses.len();
        let sysctls = config.appliance.sysctls.iter();
        self.parameters += sysctls.map(|(name, value)| name.len() + value.len() + 2 * PIECE).sum::<usize>();
        self.parameters += config.texts.len() + pattern::bytes();
        // Hidden services are made last, behind what was counted.
        self.parameters += config.hidden as usize * POLICY;
        #[cfg(feature = "tls")]
        {
            // As they are, and as TLS wants them.
            let trusted = config.tls.contents.trusted.iter();
            self.parameters += trusted.map(|one| 2 * one.len() + limits::TLS_ANCHOR_BYTES).sum::<usize>();
            self.own = config.tls.contents.own_bytes();
            self.parameters += 2 * self.own;
        }
        self.slow = config.destinations.iter().any(|one| !one.slow_start.is_zero());
        self.secure &= !config.probes.is_empty();
    }

    /// Bytes of the tables of real servers, services and checks in a configuration.
    pub fn rows(&self) -> usize {
        self.destinations * size_of::<Destination>()
            + self.services * size_of::<Service>()
            + self.probes * size_of::<Probe>()
            + self.uses * size_of::<ProbeId>()
    }

    /// Bytes of the same while they are made, with what finds equal ones.
    pub fn drafts(&self) -> usize {
        let spare = Self {
            destinations: Self::SPARE,
            services: Self::SPARE,
            probes: Self::SPARE,
            uses: Self::SPARE,
            ..Self::default()
        };
        // A table that grows doubles, and the drafts are there until all of it is made.
        let routes = self.routes * (2 * size_of::<RouteDraft>() + size_of::<Route>());
        let hops = self.hops * (2 * size_of::<HopDraft>() + size_of::<Hop>());
        let trackers = self.trackers * (2 * size_of::<TrackerDraft>() + Self::TRACKER);
        let lists = routes + hops + trackers;
        // `Known`: a row, and slots for at least twice as many.
        let known = |count: usize, row: usize| count * row + (count * 2).next_power_of_two() * 4;
        let probes = known(self.probes + Self::SPARE, 16);
        let keys = 2 * known(self.services, KEPT) + known(self.largest, size_of::<DestinationKey>());
        lists + self.rows() + spare.rows() + probes + keys + self.parameters
    }
}

/// Bytes that the allocator takes of a small piece besides: it rounds up, by a fifth on average.
const PIECE: usize = 24;

/// Bytes of what a checker asks for and expects, with what finds an equal one.
pub(super) fn parameters(checker: &Checker) -> usize {
    let url = |url: &Url| {
        let host = url.host.as_ref().map_or(0, |host| host.len() + PIECE);
        size_of::<Url>() + url.path.len() + PIECE + host + size_of_val(&*url.statuses) + PIECE
    };
    let found = 2 * size_of::<Checker>();
    let urls = checker.urls();
    if urls.is_empty() {
        // Three copies at most: what is sent, what is expected, and how to look for it.
        return found + checker.lines().iter().map(|(_, value)| 3 * (value.len() + PIECE)).sum::<usize>();
    }
    found + PIECE + urls.iter().map(url).sum::<usize>()
}

/// Bytes of what is known of how a check leaves.
pub(super) const BIND: usize = size_of::<Bind>() + PIECE;

/// Bytes of how checks are made that have that in common.
pub(super) const TERMS: usize = size_of::<Terms>() + PIECE;

/// Bytes of how servers are used that have that in common.
pub(super) const POLICY: usize = size_of::<Policy>() + PIECE;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use super::*;
    use crate::config::Loader;

    /// What is counted before and after the tables are made.
    fn counted(text: &str) -> (Counts, Counts) {
        let mut loader = Loader::new("c.conf", text.to_owned());
        let mut before = None;
        while !loader.step() {
            before = before.or(loader.counted().copied());
        }
        (before.unwrap(), loader.finish().counts)
    }

    #[test]
    fn as_much_is_counted_in_the_tree_as_comes_of_it() {
        let server = |n: u8| format!("real_server 10.0.1.{n} 80 {{\nTCP_CHECK {{\n}}\n}}\n");
        let servers: String = (1..=20).map(server).collect();
        let text = format!(
            "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {{\n10.0.0.1/24\n10.0.0.2/24\n}}\n}}\n\
             virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nsorry_server 10.0.2.1 80\n{servers}}}\n"
        );
        let (before, after) = counted(&text);
        assert_eq!((before.services, before.destinations, before.probes, before.uses), (1, 21, 20, 20));
        assert_eq!((before.instances, before.addresses, before.links), (1, 2, 1));
        assert!(before.reading > text.len() && before.reading_peak >= before.reading);
        let parameters = after.parameters;
        assert_eq!(
            Counts { parameters: 0, trackers: 0, ..after },
            before,
            "{parameters} bytes of names and parameters"
        );
        assert_eq!(before.largest, 20, "those of one service are known by their keys while it is read");
        let keys = after.drafts() - Counts { largest: 0, ..after }.drafts();
        assert!(keys >= 20 * (size_of::<DestinationKey>() + 2 * size_of::<u32>()), "{keys}");
        assert!(after.drafts() > after.rows());
    }

    #[test]
    fn sorry_servers_with_checks_and_hosts_of_an_smtp_check_are_counted() {
        let text = "virtual_server 10.0.0.1 25 {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n\
                    sorry_server 10.0.2.1 25 {\nTCP_CHECK {\n}\n}\nsorry_server 10.0.2.2 25\n\
                    real_server 10.0.1.1 25 {\nSMTP_CHECK {\nhost {\nconnect_ip 10.0.3.1\n}\n\
                    host {\nconnect_ip 10.0.3.2\n}\n}\n}\n}\n";
        let (before, after) = counted(text);
        assert_eq!((after.destinations, after.probes, after.uses), (3, 3, 3));
        assert_eq!(before.destinations, 3);
        assert!(before.probes >= 3 && before.uses >= 3, "{before:?}");
    }

    #[test]
    fn lists_of_instances_next_hops_patterns_and_settings_are_counted() {
        let text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 7\nunicast_peer {\n10.0.0.8\n10.0.0.9\n}\n\
                    track_interface {\neth1\neth2 weight 5\n}\nvirtual_ipaddress {\n10.0.0.1/24\n}\nvirtual_routes {\n\
                    10.1.0.0/16 nexthop via 10.0.0.2 nexthop via 10.0.0.3\n}\n}\n";
        let (before, after) = counted(text);
        // The interface of the instance is tracked as well.
        assert_eq!((before.trackers, after.trackers), (4, 5));
        assert!(before.hops >= 2);
        assert_eq!(after.hops, 2);
        let of = |text: &str| counted(text).1.parameters;
        let own =
            format!("appliance {{ sysctl {{ net.ipv4.ip_local_reserved_ports {} }} }}\n", "1".repeat(900));
        assert!(of(&own) > of("") + 900);
        let url = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 10.0.1.1 80 {\nHTTP_GET {\nurl {\npath /\n\
                   status_code 200\n}\n}\n}\n}\n";
        assert!(of(&url.replace("status_code 200", "regex \"x{400}\"")) > of(url) + 400 * 4);
    }

    #[test]
    fn what_servers_and_checks_have_in_common_is_there_and_counted_once() {
        let servers = |lines: &dyn Fn(u32) -> u32| -> String {
            let server = |n| {
                let most = lines(n);
                format!(
                    "real_server 10.0.1.{n} 80 {{\nuthreshold {most}\nTCP_CHECK {{\nbindto 10.0.0.{most}\n}}\n}}\n"
                )
            };
            (1..=9).map(server).collect()
        };
        let load = |lines: &dyn Fn(u32) -> u32| {
            let text = format!("virtual_server 10.0.0.1 80 {{\nprotocol TCP\n{}}}\n", servers(lines));
            let mut loader = Loader::new("c.conf", text);
            while !loader.step() {}
            let loaded = loader.finish();
            (loaded.config.unwrap(), loaded.counts.parameters)
        };
        let ((alike, few), (own, many)) = (load(&|_| 7), load(&|n| n));
        let distinct = |config: &Config| {
            let policies: BTreeSet<_> =
                config.destinations.iter().map(|one| Rc::as_ptr(&one.policy)).collect();
            let terms: BTreeSet<_> = config.probes.iter().map(|one| Rc::as_ptr(&one.terms)).collect();
            (policies.len(), terms.len(), config.destinations.len(), config.probes.len())
        };
        assert_eq!((distinct(&alike), distinct(&own)), ((1, 1, 9, 9), (9, 9, 9, 9)));
        let upper =
            |config: &Config| -> Vec<u32> { config.destinations.iter().map(|one| one.upper).collect() };
        assert_eq!((upper(&alike), upper(&own)), (vec![7; 9], (1..=9).collect()));
        assert_eq!(many - few, 8 * (POLICY + TERMS + BIND), "each server its own is the worst case");
    }

    #[test]
    fn equal_checks_of_one_target_are_counted_once_behind_the_tables_and_their_parameters_too() {
        let service = |n: u8| {
            format!(
                "virtual_server 10.0.0.{n} 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 10.0.1.1 80 {{\n\
                 HTTP_GET {{\nurl {{\npath /long\nstatus_code 200\n}}\n}}\n}}\n}}\n"
            )
        };
        let (one, many) = (counted(&service(1)), counted(&(1..=9).map(service).collect::<String>()));
        assert_eq!((many.0.probes, many.1.probes, many.1.uses), (9, 1, 9));
        assert_eq!(many.1.parameters, one.1.parameters);
        assert!(one.1.parameters > size_of::<Url>());
    }
}
