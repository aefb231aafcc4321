//! How many objects of each kind a configuration has: what the memory that it needs is computed from.
//!
//! Counted twice: in the tree, before the first table is made, by the keywords that open their blocks (an upper bound,
//! but for services of a group, which stand in it once); and in the tables. What each costs is `director/need.rs`.

use super::ids::ProbeId;
use super::model::{Bind, Config, Destination, Probe, Service, Terms};
use crate::check::Checker;
use crate::check::FORMS;
use crate::check::http_get::Url;
use crate::limits;
use crate::syntax::Tree;

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
    /// Virtual services, hidden ones included.
    pub services: usize,
    /// Real servers and sorry servers.
    pub destinations: usize,
    /// Distinct checks.
    pub probes: usize,
    /// Checks of all real servers together, and of ping groups.
    pub uses: usize,
    /// There is a `slow_start`.
    pub slow: bool,
    /// There is an `SSL_GET`.
    pub secure: bool,
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
            if !tree.has_block(node) {
                if tree.keyword(node).text.starts_with("sorry_server") {
                    self.destinations += 1;
                }
                continue;
            }
            let word = tree.keyword(node).text;
            match &*word {
                "virtual_server" => self.services += 1,
                "real_server" => self.destinations += 1,
                "vrrp_instance" => (self.instances, self.links) = (self.instances + 1, self.links + 1),
                "virtual_ipaddress" | "virtual_ipaddress_excluded" | "static_ipaddress" => {
                    self.addresses += tree.weight(node) - 1;
                }
                "virtual_routes" | "virtual_rules" | "static_routes" | "static_rules" => {
                    self.routes += tree.weight(node) - 1;
                }
                "ping_group" => (self.probes, self.uses) = (self.probes + 8, self.uses + 8),
                word if FORMS.iter().any(|form| form.keyword == word) => {
                    (self.probes, self.uses) = (self.probes + 1, self.uses + 1);
                    self.secure |= word == "SSL_GET";
                }
                _ => {}
            }
        }
        Some(from + SLICE)
    }

    /// What is beyond a limit is left out.
    fn bound(&mut self) {
        self.links = self.links.min(limits::MAX_LINKS);
        self.instances = self.instances.min(limits::MAX_INSTANCES);
        self.addresses = self.addresses.min(limits::MAX_ADDRESSES);
        self.routes = self.routes.min(limits::MAX_ROUTES + limits::MAX_RULES);
        self.services = self.services.min(limits::MAX_SERVICES);
        self.destinations = self.destinations.min(limits::MAX_REAL_SERVERS + limits::MAX_SERVICES);
        self.probes = self.probes.min(limits::MAX_PROBES);
    }

    /// What is in the tables of `config`.
    pub(super) fn take(&mut self, config: &Config) {
        self.links = config.links.len();
        self.instances = config.instances.len();
        self.addresses = config.addresses.len();
        self.routes = config.routes.len() + config.rules.len();
        self.services = config.services.len();
        self.destinations = config.destinations.len();
        self.probes = config.probes.len();
        self.uses = config.probe_uses.len();
        self.parameters += config.texts.len();
        #[cfg(feature = "tls")]
        {
            // As they are, and as TLS wants them.
            let trusted = config.tls.contents.trusted.iter();
            self.parameters += trusted.map(|one| 2 * one.len()).sum::<usize>();
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
        // `Known`: a row, and slots for at least twice as many.
        let known = |count: usize, row: usize| count * row + (count * 2).next_power_of_two() * 4;
        self.rows() + spare.rows() + known(self.probes, 16) + 2 * known(self.services, KEPT) + self.parameters
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

#[cfg(test)]
mod tests {
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
        assert_eq!(Counts { parameters: 0, ..after }, before, "{parameters} bytes of names and parameters");
        assert!(after.drafts() > after.rows());
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
