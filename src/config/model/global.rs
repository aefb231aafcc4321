//! `global_defs` but for what is a default of instances.

use super::Text;
use crate::config::ids::{InstanceId, LinkId};
use crate::time::Duration;
use crate::wire::genl_ipvs::DaemonSpec;

/// `global_defs`: what is not part of an instance or a service.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Global {
    /// `router_id` (or the old `lvs_id`), empty if absent.
    pub router_id: Text,
    /// `lvs_timeouts`: seconds for tcp, tcpfin, udp; `None` leaves the kernel's value.
    pub timeouts: Timeouts,
    /// `lvs_flush`: empty the kernel's table at start.
    pub flush_at_start: bool,
    /// `vrrp_startup_delay`: no VRRP for so long after the start.
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`: no VRRP for so long after the boot of the machine.
    pub delay_after_boot: Duration,
    /// `lvs_flush_on_stop`: empty the kernel's table at the stop, services of others included.
    pub flush_on_stop: bool,
    /// `lvs_sync_daemon`: the kernel tells connections to the other director.
    pub sync_daemon: Option<SyncDaemon>,
}

/// `lvs_sync_daemon`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncDaemon {
    /// The interface.
    pub link: LinkId,
    /// Sends while this one is MASTER and takes over otherwise; without one both at once.
    pub instance: Option<InstanceId>,
    /// How it is run.
    pub spec: DaemonSpec,
}

/// IPVS connection timeouts in seconds (1 to 2,678,400); `None` leaves the kernel's value.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// An established TCP connection.
    pub tcp: Option<u32>,
    /// TCP after FIN.
    pub tcp_fin: Option<u32>,
    /// UDP.
    pub udp: Option<u32>,
}
