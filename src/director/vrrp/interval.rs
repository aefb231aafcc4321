//! The times of an election: how long a BACKUP waits, by whose interval (RFC 3768 and RFC 9568 section 6.1).

use super::{VirtualRouter, Vrrp};
use crate::config::Config;
use crate::config::ids::{InstanceId, LinkId};
use crate::config::model::Instance;
use crate::director::bus::Bus;
use crate::director::journal::Reason;
use crate::time::{Duration, Instant};
use crate::wire::vrrp::{CENTISECOND, Version};

/// (256 - priority) / 256 seconds (RFC 3768 section 6.1), in version 3 intervals of the active router (RFC 9568 6.1).
pub fn skew_time(version: Version, interval: Duration, priority: u8) -> Duration {
    let whole = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval,
    };
    whole.times(256 - u64::from(priority)).divided_by(256)
}

/// `adverts` advertisement intervals and the skew time. RFC 3768 section 6.1 says three; `down_timer_adverts` says
/// others.
pub fn master_down_interval(version: Version, interval: Duration, priority: u8, adverts: u8) -> Duration {
    interval.times(u64::from(adverts)) + skew_time(version, interval, priority)
}

/// An interval as version 3 carries it.
pub(super) fn centiseconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_micros() / CENTISECOND.as_micros()).unwrap_or(u16::MAX)
}

impl Vrrp {
    /// How long a change of an interface may last before it counts: where the active router is faster than we are,
    /// `interface_up_down_delays` end before it is missed, as with keepalived.
    pub(crate) fn longest_delay(&self, link: LinkId, config: &Config) -> Duration {
        let faster = config.instances.iter().zip(&self.table).filter(|(instance, router)| {
            instance.link == link && router.master_interval < instance.advert_interval
        });
        let adverts = |instance: &Instance| u64::from(instance.manners.down_adverts).saturating_sub(1);
        let longest = faster.map(|(instance, router)| router.master_interval.times(adverts(instance))).min();
        longest.unwrap_or(Duration::from_secs(255))
    }
}

impl VirtualRouter {
    /// Its skew time now.
    pub fn skew_time(&self, instance: &Instance) -> Duration {
        skew_time(instance.version, self.master_interval, self.priority)
    }

    /// How long it waits as BACKUP for the next advert.
    pub fn master_down_interval(&self, instance: &Instance) -> Duration {
        let adverts = instance.manners.down_adverts;
        master_down_interval(instance.version, self.master_interval, self.priority, adverts)
    }

    /// Goes by the active router's interval (RFC 9568 section 6.4.2); in version 2 it is ours, or was refused.
    pub(super) fn follow(&mut self, now: Instant, id: InstanceId, interval: Duration, bus: &mut Bus) {
        let before = core::mem::replace(&mut self.master_interval, interval);
        if before != interval && !core::mem::replace(&mut self.interval_reported, true) {
            bus.record(now, Reason::IntervalAdopted(id, centiseconds(before), centiseconds(interval)));
        }
    }
}
