//! What the tables of a configuration take, kind by kind: its own rows, and the director's beside them.
//!
//! Sizes are those of the types, so that they cannot drift; what is small and made of many parts is a bound of
//! `limits`, measured by a test. Add a table with a row for each real server, service or check here as well.

use super::dirty::DirtySet;
use super::health::ProbeState;
use super::index::Index;
use super::journal::Record;
use super::ledger::Ledger;
use super::overrides::Load;
use super::services::Pool;
use super::timers::Timers;
use super::track::Track;
use crate::config::counts::Counts;
use crate::config::ids::{DestinationId, ProbeId};
use crate::config::model::{Destination, Probe, Service};
use crate::config::routing::Hop;
use crate::limits::{ADDRESS_BYTES, INSTANCE_BYTES, LINK_BYTES, MAX_RECORDS, ROUTE_BYTES};
use crate::wire::genl_ipvs::{DestinationSpec, ServiceSpec};

/// A kind of object and what all of them take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// How many.
    pub count: usize,
    /// Bytes of all.
    pub bytes: usize,
}

impl Row {
    /// `count` objects of `each` bytes.
    pub const fn new(name: &'static str, count: usize, each: usize) -> Self {
        Self { name, count, bytes: count * each }
    }
}

/// The tables of a configuration.
pub fn tables(counts: &Counts) -> [Row; 10] {
    let Counts { services, destinations, probes, uses, .. } = *counts;
    let each = size_of::<Service>() + size_of::<Pool>() + size_of::<Option<ServiceSpec>>() + 64;
    let service = services * each + Ledger::bytes(services) + Index::bytes(services);
    let each = size_of::<Destination>() + size_of::<Load>() + size_of::<Option<DestinationSpec>>() + 2;
    let rises = if counts.slow { Timers::bytes(destinations) } else { 0 };
    let server = destinations * each + Ledger::bytes(destinations) + Index::bytes(destinations) + rises;
    let users = size_of::<ProbeId>() + size_of::<DestinationId>();
    let each = size_of::<Probe>() + size_of::<ProbeState>() + size_of::<u32>();
    let check = probes * each + Timers::bytes(probes) + 3 * DirtySet::bytes(probes) + uses * users;
    // In the configuration and in what is sent of it.
    let hops = counts.hops * 2 * size_of::<Hop>();
    [
        Row::new("interfaces", counts.links, LINK_BYTES),
        Row::new("instances", counts.instances, INSTANCE_BYTES),
        Row::new("addresses", counts.addresses, ADDRESS_BYTES),
        Row { name: "routes and rules", count: counts.routes, bytes: counts.routes * ROUTE_BYTES + hops },
        Row::new("trackers, peers", counts.trackers, Counts::TRACKER + Track::BYTES),
        Row { name: "services", count: services, bytes: service },
        Row { name: "real servers", count: destinations, bytes: server },
        Row { name: "checks", count: probes, bytes: check },
        Row::new("names, parameters", counts.parameters, 1),
        Row::new("records", MAX_RECORDS, size_of::<Record>()),
    ]
}

/// What a reload takes besides the new tables: which row was which.
pub fn maps(counts: &Counts) -> usize {
    let rows = counts.services + counts.destinations + counts.probes;
    rows * size_of::<Option<u32>>() + Index::bytes(counts.probes)
}
