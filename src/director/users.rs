//! For each probe the destinations that need it, as rows of one list. Made in slices, because a reload makes it beside
//! the running director; until then nobody needs any probe.

use crate::config::Config;
use crate::config::ids::{DestinationId, Id, ProbeId};

/// Destinations entered in one step: a fraction of a millisecond.
const SLICE: usize = 4_096;

/// The list.
#[derive(Debug)]
pub(super) struct Users {
    /// For each probe its first row in `list`, and the end of the last one's. While rows are entered, it stands one
    /// place further on, and counts up from a probe's first row to the next probe's.
    first: Box<[u32]>,
    list: Box<[DestinationId]>,
    stage: Stage,
}

/// What is done next, from which destination.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// They are counted by probe.
    Count(usize),
    /// They are entered behind each other.
    Enter(usize),
    Done,
}

impl Users {
    /// Room for those of `config`.
    pub(super) fn new(config: &Config) -> Self {
        let first = vec![0_u32; config.probes.len() + 2].into_boxed_slice();
        Self { first, list: Box::default(), stage: Stage::Count(0) }
    }

    /// The destinations that need a probe.
    pub(super) fn of(&self, id: ProbeId) -> &[DestinationId] {
        let bound = |row: usize| self.first.get(row).map_or(0, |row| *row as usize);
        self.list.get(bound(id.index())..bound(id.index() + 1)).unwrap_or(&[])
    }

    /// Does a slice of the work; false if nothing is left to do.
    pub(super) fn step(&mut self, config: &Config) -> bool {
        let from = match self.stage {
            Stage::Count(from) | Stage::Enter(from) => from,
            Stage::Done => return false,
        };
        let (is_last, counts) =
            (from + SLICE >= config.destinations.len(), matches!(self.stage, Stage::Count(_)));
        for (id, destination) in config.destinations.iter().enumerate().skip(from).take(SLICE) {
            for probe in config.probes_of(destination) {
                // Counted two places further on, so that sums are one place further on.
                let Some(place) = self.first.get_mut(probe.index() + if counts { 2 } else { 1 }) else {
                    continue;
                };
                if let Some(user) = self.list.get_mut(*place as usize).filter(|_| !counts) {
                    *user = DestinationId::from_index(id);
                }
                *place += 1;
            }
        }
        self.stage = match (counts, is_last) {
            (true, false) => Stage::Count(from + SLICE),
            (true, true) => {
                let mut sum = 0;
                for count in &mut self.first {
                    sum += *count;
                    *count = sum;
                }
                self.list = vec![DestinationId::default(); sum as usize].into_boxed_slice();
                Stage::Enter(0)
            }
            (false, false) => Stage::Enter(from + SLICE),
            (false, true) => Stage::Done,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn every_destination_is_listed_once_for_each_probe_that_it_needs() {
        // More than a slice, and each server in two services whose checks are one probe.
        let server = |host: usize| {
            format!("real_server 10.0.{}.{} 80 {{\nTCP_CHECK {{\n}}\n}}\n", host / 250, host % 250 + 1)
        };
        let service = |n: usize| {
            let servers: String = (0..SLICE / 2 + 50).map(server).collect();
            format!("virtual_server 203.0.113.{n} 80 {{\nprotocol TCP\nlb_kind NAT\n{servers}}}\n")
        };
        let config = load(&(service(1) + &service(2)), "t").config.unwrap();
        let mut users = Users::new(&config);
        while users.step(&config) {}
        let mut found = 0;
        for id in (0..config.probes.len()).map(ProbeId::from_index) {
            let of: Vec<DestinationId> = users.of(id).to_vec();
            assert!(of.is_sorted() && of.len() == 2, "{id:?}: {of:?}");
            for one in &of {
                assert!(config.probes_of(&config.destinations[one.index()]).contains(&id));
            }
            found += of.len();
        }
        assert_eq!(found, config.probe_uses.len());
    }
}
