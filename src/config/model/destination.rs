//! Real servers and sorry servers: one row for each in each service, and what most of them have in common.
//!
//! There may be 65,536 rows: what stands in one is what differs from server to server.

use core::ops::Deref;
use std::rc::Rc;

use crate::config::ids::ServiceId;
use crate::time::Duration;
use crate::wire::genl_ipvs::{DestinationKey, ForwardingMethod};

/// A real server (or sorry server) in one service. It reads as its [`Policy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The service it belongs to.
    pub service: ServiceId,
    /// Address and port.
    pub key: DestinationKey,
    /// Configured weight, 0 to 65,535.
    pub weight: u32,
    /// Rows of `Config::probe_uses`; without probes it is always up.
    pub probes: core::ops::Range<u32>,
    /// How it is used: mostly the same for all servers of a service, so that it is there once for all of them.
    pub policy: Rc<Policy>,
}

const _: () = assert!(size_of::<Destination>() <= 48, "4,096 real servers are in 192 KiB");

/// How a real server is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How packets get there.
    pub method: ForwardingMethod,
    /// Upper connection threshold, 0 for none.
    pub upper: u32,
    /// Lower connection threshold, 0 for none.
    pub lower: u32,
    /// What happens when it is down.
    pub on_failure: OnFailure,
    /// `slow_start`: the time in which its weight rises when it is back; zero: at once.
    pub slow_start: Duration,
    /// `drain_time`: the time that its connections get when it is no longer configured; zero: none.
    pub drain_time: Duration,
}

/// `inhibit_on_failure`, for sorry servers `sorry_server_inhibit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Taken out of the kernel's table.
    Remove,
    /// Left with weight 0: established connections continue.
    Inhibit,
}

impl Deref for Destination {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}
