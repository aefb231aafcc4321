//! Whether an instance can take part in the election: its interfaces, its address, its socket.

use super::{Fault, Surroundings};
use crate::config::ids::InstanceId;
use crate::config::model::{Instance, TrackTarget, Tracker, Transport};
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
    let awaits = around.tracks.awaits(trackers);
    let tracker = |row: u32| around.config.trackers.get(row as usize);
    // What is known to be down needs no list of routes, which may take long.
    let known =
        |row: &u32| !awaits || tracker(*row).is_some_and(|one| !matches!(one.target, TrackTarget::Route(_)));
    if let Some(down) = around.tracks.get(id).down.filter(known) {
        let tracker = tracker(down).filter(|tracker| !tracker.reverse);
        return Condition::Bad(match tracker.and_then(Tracker::link) {
            Some(link) if around.links.get(link).exists() => Fault::LinkDown(link),
            Some(link) => Fault::LinkAbsent(link),
            None => Fault::Tracked(down),
        });
    }
    if awaits {
        return Condition::Pending;
    }
    let link = around.links.get(instance.link);
    // Without `dont_track_primary` its tracker has said so.
    if !link.exists() {
        return Condition::Bad(Fault::LinkAbsent(instance.link));
    }
    if matches!(&instance.transport, Transport::Unicast { peers } if peers.is_empty()) {
        return Condition::Bad(Fault::NoPeers);
    }
    if let Some(source) = instance.source.filter(|_| instance.manners.track_source) {
        match around.links.has_source(instance.link, source) {
            None => return Condition::Pending,
            Some(false) => return Condition::Bad(Fault::NoSource(instance.link, source)),
            Some(true) => {}
        }
    }
    if instance.source.is_none() && link.source(instance.family).is_none() {
        return Condition::Bad(Fault::NoAddress(instance.link, instance.family));
    }
    match link.socket(instance.channel()) {
        Socket::Open(_) => Condition::Good,
        Socket::Failed(errno) => Condition::Bad(Fault::Socket(instance.link, errno)),
        Socket::Closed | Socket::Opening(_) => Condition::Pending,
    }
}
