//! Whether an instance can take part in the election: its interfaces, its address, its socket.

use super::{Fault, Surroundings};
use crate::config::ids::InstanceId;
use crate::config::model::{Instance, Tracker};
use crate::director::links::Socket;

/// Whether an instance can take part.
pub(super) enum Condition {
    Good,
    Bad(Fault),
    /// Not known yet.
    Pending,
}

pub(super) fn condition(id: InstanceId, instance: &Instance, around: Surroundings<'_>) -> Condition {
    // The own interface is always one of the tracked ones.
    let trackers = around.config.trackers_of(instance);
    if !around.links.get(instance.link).is_known()
        || trackers.iter().filter_map(Tracker::link).any(|link| !around.links.get(link).is_known())
    {
        return Condition::Pending;
    }
    if let Some(down) = around.tracks.get(id).down {
        let tracker = around.config.trackers.get(down as usize).filter(|tracker| !tracker.reverse);
        return Condition::Bad(match tracker.and_then(Tracker::link) {
            Some(link) if around.links.get(link).exists() => Fault::LinkDown(link),
            Some(link) => Fault::LinkAbsent(link),
            None => Fault::Tracked(down),
        });
    }
    let link = around.links.get(instance.link);
    if instance.source.is_none() && link.source(instance.family).is_none() {
        return Condition::Bad(Fault::NoAddress(instance.link, instance.family));
    }
    match link.socket(instance.channel()) {
        Socket::Open(_) => Condition::Good,
        Socket::Failed(errno) => Condition::Bad(Fault::Socket(instance.link, errno)),
        Socket::Closed | Socket::Opening(_) => Condition::Pending,
    }
}
