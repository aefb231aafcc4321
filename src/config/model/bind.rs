//! Where a probe comes from and which way it takes, and the services that nobody wrote and that lead it there.

use core::net::{IpAddr, SocketAddr};

use super::{Config, Destination, Service};
use crate::config::ids::{Id, ServiceId};
use crate::wire::link::LinkName;

/// Where the packets of a probe come from, and their mark.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Bind {
    /// `bindto` and `bind_port`: unspecified address or port 0 for any. Of the target's family.
    pub source: Option<SocketAddr>,
    /// `bind_if`: packets leave and arrive through this interface.
    pub link: Option<LinkName>,
    /// `fwmark` (`SO_MARK`), 0 for none; of a probe through a virtual address that of its hidden service.
    pub mark: u32,
    /// `via_vip`: the target is a virtual address, and one real server is to answer for it.
    pub via: Option<Via>,
}

/// The way of a probe through a virtual address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Via {
    /// The hidden service that leads it to the real server.
    pub service: ServiceId,
    /// The real server.
    pub server: IpAddr,
}

impl Config {
    /// The services that somebody wrote.
    pub fn written_services(&self) -> &[Service] {
        let written = self.services.len().saturating_sub(self.hidden as usize);
        self.services.get(..written).unwrap_or(&[])
    }

    /// The destinations that somebody wrote.
    pub fn written_destinations(&self) -> &[Destination] {
        let written = self.destinations.len().saturating_sub(self.hidden as usize);
        self.destinations.get(..written).unwrap_or(&[])
    }

    /// True for a service that leads checks through virtual addresses.
    pub fn is_hidden(&self, id: ServiceId) -> bool {
        id.index() >= self.written_services().len()
    }
}

impl super::Probe {
    /// Where to connect; of a checker without ports, port 0. Without scope: no address of a configuration has one.
    #[inline(never)]
    pub fn target(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

impl core::ops::Deref for super::Probe {
    type Target = super::Terms;

    fn deref(&self) -> &super::Terms {
        &self.terms
    }
}
